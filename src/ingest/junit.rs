//! JUnit XML, streamed: elements in, cases out, memory bounded.
//!
//! quick-xml finds the elements; this module gives them their meaning. It
//! accepts any root, any nesting and any order, and gets back on its feet after
//! markup that does not match, because runners write what their tests print.

mod case;
mod elements;
mod eof;
mod interned;
mod suites;
mod xml;

use std::io::Read;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::ingest::source::{Source, SourceNotes};
use crate::ingest::{attempts, dialects, unsupported};
use crate::model::run::{IssueLevel, ParseIssue, TestRun};

pub use elements::Builder;

/// Bytes kept of a failure's `message`.
pub const MESSAGE_LIMIT: usize = 8 * 1024;
/// Bytes kept of a failure's text.
pub const DETAIL_LIMIT: usize = 32 * 1024;
/// Bytes kept of each output stream of a case that did not simply pass.
pub const OUTPUT_LIMIT: usize = 16 * 1024;
/// Bytes kept of a name.
pub const NAME_LIMIT: usize = 2 * 1024;
/// Suites deeper than this share the name of the one that holds them.
const SUITE_DEPTH: usize = 24;
/// Issues kept per file; the rest is counted.
pub const ISSUE_LIMIT: usize = 50;

/// Reads one JUnit report. `path` is only for messages.
///
/// Never fails: an unreadable file is a run without cases and with an
/// [`IssueLevel::Unusable`] issue.
pub fn read_all(path: &str, bytes: impl Read) -> Vec<TestRun> {
    let mut source = Source::new(bytes);
    let refusal = match source.peek() {
        Ok(head) => unsupported::detect(head),
        Err(error) => Some(unreadable(&error)),
    };
    let mut builder = Builder::new(path);
    if let Some(message) = refusal {
        builder.issue(IssueLevel::Unusable, "start of file", message);
        return vec![builder.refused()];
    }
    let mut reader = Reader::from_reader(source);
    let config = reader.config_mut();
    config.allow_dangling_amp = true;
    config.allow_unmatched_ends = true;
    config.check_end_names = false;
    config.check_comments = false;
    stream(&mut reader, &mut builder);
    note_source(reader.get_mut().notes(), &mut builder);
    let mut runs: Vec<TestRun> = builder.finish_raw().into_iter().map(attempts::unite).collect();
    runs.iter_mut().for_each(attempts::count_flaky);
    runs
}

/// Reads one JUnit report that is about one matrix leg, as nearly all are; of
/// others the first leg.
pub fn read(path: &str, bytes: impl Read) -> TestRun {
    read_all(path, bytes).into_iter().next().unwrap_or_else(|| unusable(path, "holds nothing"))
}

fn unreadable(error: &std::io::Error) -> String {
    format!("cannot be read: {error}; check that the file is complete and readable")
}

/// The event loop: one pass, one buffer.
fn stream<R: Read>(reader: &mut Reader<Source<R>>, builder: &mut Builder) {
    let mut buffer = Vec::with_capacity(4096);
    let mut troubles = 0;
    loop {
        buffer.clear();
        match reader.read_event_into(&mut buffer) {
            Ok(Event::Start(tag)) => builder.open(&tag, false),
            Ok(Event::Empty(tag)) => builder.open(&tag, true),
            Ok(Event::End(tag)) => builder.close(tag.name().as_ref()),
            Ok(Event::Text(text)) => builder.text(&text.into_inner(), true),
            Ok(Event::CData(text)) => builder.text(&text.into_inner(), false),
            Ok(Event::GeneralRef(reference)) => builder.reference(&reference.into_inner()),
            Ok(Event::Eof) => {
                builder.end_of_file(reader.buffer_position());
                return;
            }
            Ok(Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_)) => {}
            Err(quick_xml::Error::Io(error)) => {
                builder.cut(reader.error_position(), &unreadable(&error));
                return;
            }
            Err(error) => {
                let at = reader.error_position();
                let ended = reader.get_mut().peek().is_ok_and(<[u8]>::is_empty);
                troubles += 1;
                if ended {
                    builder.cut(at, &error.to_string());
                    return;
                }
                builder.trouble(at, &error.to_string());
                if troubles >= 10_000 {
                    builder.cut(at, "too much of the markup is broken");
                    return;
                }
            }
        }
        if builder.wants_position() {
            builder.set_position(reader.buffer_position());
        }
    }
}

fn note_source(notes: SourceNotes, builder: &mut Builder) {
    if let Some(encoding) = notes.encoding {
        builder.issue(IssueLevel::Note, "start of file", format!("decoded from {encoding}"));
    }
    if notes.replaced > 0 {
        builder.issue(
            IssueLevel::Note,
            "whole file",
            format!(
                "{} bytes are not valid in the file's encoding and are shown as U+FFFD; \
                 let the runner write UTF-8",
                notes.replaced
            ),
        );
    }
    if notes.cut > 0 {
        builder.issue(
            IssueLevel::Note,
            "whole file",
            format!("{} bytes in the middle of very long texts were passed over", notes.cut),
        );
    }
}

/// Attribute names of a tag, space-separated, for the dialect's clues.
fn keys(tag: &BytesStart<'_>) -> String {
    let names: Vec<&str> = xml::attributes(tag).map(|(name, _)| name).take(40).collect();
    names.join(" ")
}

/// The position of a case in its report.
#[derive(Clone, Copy, Debug, Default)]
pub struct Position {
    /// Number of passed or skipped cases before it.
    pub quiet_before: usize,
    /// Index of its suite element.
    pub suite_element: u32,
    /// Whether an attribute names the file. Then the place is that of the test, not of the failure.
    pub declares_file: bool,
}

/// A run as it was read, before attempts of one case are put together.
pub struct RawRun {
    /// The run; its `cases` may hold one case several times.
    pub run: TestRun,
    /// The position of each of `run.cases`.
    pub order: Vec<Position>,
    /// Whether its only suite holds more elements than the tests it declares.
    pub reruns: bool,
    /// The dialect's rules.
    pub dialect: &'static dialects::Dialect,
}

/// An issue about a whole file, for readers that never get to its elements.
#[must_use]
pub fn unusable(path: &str, message: impl Into<String>) -> TestRun {
    TestRun {
        path: path.to_owned(),
        dialect: "unknown",
        issues: vec![ParseIssue::new(IssueLevel::Unusable, "whole file", message)],
        ..TestRun::default()
    }
}
