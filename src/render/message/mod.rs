//! The messages that go to the forge, and the pieces they share.
//!
//! Each is built on a [`Page`] that knows its limit: what does not fit is left
//! out whole, from the end, and the page says so.

pub mod check;
pub mod digest;
pub mod explain;
pub mod generate;
pub mod heal;
pub mod issue;
pub mod issue_comment;
pub mod reply;
pub mod review;
pub mod sticky;

use std::fmt::Write;

use crate::diagnose::findings::Findings;
use crate::diagnose::verdict::{Diagnosis, Verdict};
use crate::history::short;
use crate::model::forge::{RunContext, is_sha};
use crate::model::test::TestCase;
use crate::render::markdown::{code, fence, prose};
use crate::render::plural::plural;
use crate::traffic::drift::Drift;

/// How the answers of the API changed, as a table; empty where they did not.
#[must_use]
pub fn drift(all: &[Drift], most: usize) -> String {
    if all.is_empty() {
        return String::new();
    }
    let mut out = String::from("| | endpoint | where | what | finding |\n|---|---|---|---|---|\n");
    for one in all.iter().take(most) {
        let place = if one.pointer.is_empty() { String::new() } else { code(one.place().trim_matches('`'), 120) };
        let endpoint = code(&format!("{} {}", one.endpoint, one.status), 160);
        let (level, what) = (one.level.word(), prose(&one.text, 200));
        let _ = writeln!(out, "| {level} | {endpoint} | {place} | {what} | {} |", code(&one.fingerprint, 20));
    }
    if all.len() > most {
        let _ = writeln!(out, "\nand {} more", all.len() - most);
    }
    out.push('\n');
    out
}

/// Text that grows by whole sections up to a limit.
#[derive(Debug)]
pub struct Page {
    text: String,
    limit: usize,
    left_out: usize,
}

/// Bytes kept free for the line that tells what was left out.
const RESERVE: usize = 200;

impl Page {
    /// An empty page of at most `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { text: String::new(), limit: limit.saturating_sub(RESERVE), left_out: 0 }
    }

    /// Adds a section if it fits; tells whether it did.
    pub fn push(&mut self, section: &str) -> bool {
        let fits = self.text.len() + section.len() <= self.limit;
        if fits {
            self.text.push_str(section);
        } else {
            self.left_out += 1;
        }
        fits
    }

    /// Adds a section for which the caller has kept room.
    pub fn push_always(&mut self, section: &str) {
        self.text.push_str(section);
        self.limit += section.len();
    }

    /// The text, with a line about what was left out.
    #[must_use]
    pub fn finish(mut self) -> String {
        if self.left_out > 0 {
            let what = plural(self.left_out as u64, "section");
            let _ = writeln!(
                self.text,
                "\n_{what} left out: the text would be longer than GitHub takes. `report.json` has all of it._"
            );
        }
        self.text
    }
}

/// A coloured dot for a verdict.
#[must_use]
pub fn icon(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Regression => "🔴",
        Verdict::Flaky => "🟡",
        Verdict::OutdatedTest => "🔵",
        Verdict::RateLimited | Verdict::Environment => "🟣",
        Verdict::BrokenTest => "🟠",
        Verdict::Undecided => "⚪",
    }
}

/// Whether a window of commits says something about a diagnosis.
#[must_use]
pub fn has_window(d: &Diagnosis) -> bool {
    matches!(d.verdict, Verdict::Regression | Verdict::OutdatedTest | Verdict::Undecided)
}

/// A commit, linked where the forge is known.
#[must_use]
pub fn commit(sha: &str, scene: Option<&RunContext>) -> String {
    let shown = code(short(sha), 20);
    match scene {
        Some(scene) if is_sha(sha) => format!("[{shown}]({})", scene.commit_url(sha)),
        _ => shown,
    }
}

/// `Passed on …, fails since ….`, where a window is known.
#[must_use]
pub fn window(d: &Diagnosis, scene: Option<&RunContext>) -> Option<String> {
    let (good, bad) = (d.past.last_good.as_deref()?, d.past.first_bad.as_deref()?);
    has_window(d).then(|| format!("Passed on {}, first failed on {}.", commit(good, scene), commit(bad, scene)))
}

/// The evidence as a table, the weightiest first.
#[must_use]
pub fn evidence(d: &Diagnosis, most: usize, scene: Option<&RunContext>) -> String {
    let mut out = String::from("| evidence | weight | from |\n|---|--:|---|\n");
    for e in d.evidence.iter().take(most) {
        let weight = if e.weight == 0.0 { String::new() } else { format!("{:+.1} {}", e.weight, e.about.word()) };
        let _ = writeln!(out, "| {} | {weight} | {} |", prose(e.text.raw(), 300), source(e.source.raw(), scene));
    }
    out
}

/// Where evidence comes from, with workflow runs linked: `run 118, run 117.2`.
fn source(text: &str, scene: Option<&RunContext>) -> String {
    let Some(scene) = scene else { return prose(text, 160) };
    let linked = |part: &str| -> Option<String> {
        let (id, attempt) = part.strip_prefix("run ").map(|id| id.split_once('.').unwrap_or((id, "1")))?;
        let (id, attempt) = (id.parse::<u64>().ok()?, attempt.parse::<u32>().ok()?);
        Some(format!("[{}]({})", prose(part, 40), scene.url_of(id, attempt)))
    };
    let parts: Vec<String> =
        text.split(", ").take(8).map(|part| linked(part).unwrap_or_else(|| prose(part, 160))).collect();
    parts.join(", ")
}

/// The commits of the window that are likeliest behind it.
#[must_use]
pub fn suspects(d: &Diagnosis, scene: Option<&RunContext>) -> String {
    let mut out = String::new();
    for s in d.past.suspects.iter().take(5).filter(|s| s.score > 0.0) {
        let _ = writeln!(out, "- suspect {} ({:.2}): {}", commit(&s.commit, scene), s.score, prose(&s.because, 300));
    }
    out
}

/// The tests of a diagnosis with their places.
#[must_use]
pub fn tests(found: &Findings, d: &Diagnosis, most: usize) -> String {
    let mut out = String::new();
    for member in d.members.iter().take(most) {
        let case = found.case(*member);
        let leg = case.variant.as_ref().map(|v| format!(" on {}", code(v, 60))).unwrap_or_default();
        let _ = writeln!(out, "- {}{leg} {}", code(&full_name(case), 200), place(case).unwrap_or_default());
    }
    if d.members.len() > most {
        let _ = writeln!(out, "- and {} more", d.members.len() - most);
    }
    out
}

/// Class and name of a case, as the report writes them.
#[must_use]
pub fn full_name(case: &TestCase) -> String {
    format!("{} {}", case.name.classname.raw(), case.name.name.raw()).trim().to_owned()
}

fn place(case: &TestCase) -> Option<String> {
    let place = case.place.as_ref()?;
    Some(code(&format!("{}{}", place.file.raw(), place.line.map(|n| format!(":{n}")).unwrap_or_default()), 160))
}

/// What the first test of a diagnosis printed.
#[must_use]
pub fn failure(found: &Findings, d: &Diagnosis, limit: usize) -> Option<String> {
    let failure = d.members.first().and_then(|m| found.case(*m).failure())?;
    let text = if failure.detail.is_blank() { failure.message.raw() } else { failure.detail.raw() };
    Some(fence(text, limit))
}
