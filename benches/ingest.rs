//! Ingest against a bare quick-xml event loop and against junit-parser, and the
//! two ways of putting the two together that ARCHITECTURE.md weighs.
//!
//! `cargo bench --bench ingest` (100 MB), `-- --large` adds 1 GB.

#![allow(
    dead_code,
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::allow_attributes,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    missing_docs,
    reason = "a bench touches the world, prints, and stops at the first surprise"
)]

mod support;

use std::fs::File;
use std::io::{BufReader, Read};

use quick_xml::Reader;
use quick_xml::events::Event;
use support::{Cost, measure, scratch, serve, write_report};

fn main() {
    if serve(stage) {
        return;
    }
    let large = std::env::args().any(|a| a == "--large");
    let sizes: &[(&str, u64)] =
        if large { &[("100 MB", 100_000_000), ("1 GB", 1_000_000_000)] } else { &[("100 MB", 100_000_000)] };
    for (name, bytes) in sizes {
        compare(name, *bytes);
    }
    beyond_one_file(if large { 1_000_000_000 } else { 100_000_000 });
}

/// What the table cannot show: several files at once, and a case that prints without end.
fn beyond_one_file(printed: u64) {
    let folder = scratch().join("four");
    std::fs::create_dir_all(&folder).expect("a scratch folder");
    for n in 0..4 {
        write_report(&folder.join(format!("{n}.xml")), 50_000_000);
    }
    let one = measure("files", &[&folder.join("0.xml").to_string_lossy()], 5);
    let four = measure("files", &[&folder.to_string_lossy()], 5);
    println!("\nfour files of 50 MB take {:.1} times as long as one of them", four.seconds / one.seconds);
    let path = scratch().join("printed.xml");
    write_printing(&path, printed);
    let cost = measure("files", &[&path.to_string_lossy()], 3);
    println!("a case that prints {} MB: {:.2} s, {:.0} MB of memory", printed / 1_000_000, cost.seconds, cost.peak_mb);
}

/// A failing case whose `system-out` is about `bytes` long, and one behind it.
fn write_printing(path: &std::path::Path, bytes: u64) {
    use std::io::Write;
    let mut out = std::io::BufWriter::new(File::create(path).expect("a scratch file"));
    out.write_all(b"<testsuite name='s'><testcase name='a'><failure/><system-out><![CDATA[").expect("a scratch file");
    let line = b"a line of output with ]] and > and <b> in it\n";
    for _ in 0..bytes / line.len() as u64 {
        out.write_all(line).expect("a scratch file");
    }
    out.write_all(b"]]></system-out></testcase><testcase name='b'/></testsuite>").expect("a scratch file");
}

fn compare(name: &str, bytes: u64) {
    let path = scratch().join(format!("report-{bytes}.xml"));
    let cases = write_report(&path, bytes);
    let path = path.to_string_lossy().into_owned();
    let runs = if bytes > 500_000_000 { 3 } else { 5 };
    let bare = measure("bare", &[&path], runs);
    println!("\n### {name}, {cases} cases\n");
    println!("| stage | seconds | MB/s | × bare loop | peak MB |");
    println!("|---|--:|--:|--:|--:|");
    row("bare quick-xml loop", bare, bare, bytes);
    let ours = measure("ingest", &[&path], runs);
    assert_eq!(ours.count, cases, "every case is read");
    row("ingest (bytes → cases with identities)", ours, bare, bytes);
    row("ingest + verdict (no history)", measure("verdict", &[&path], runs), bare, bytes);
    row("way (a): stream + junit-parser for cases that did not pass", measure("way-a", &[&path], runs), bare, bytes);
    let peer = measure("junit-parser", &[&path], if bytes > 500_000_000 { 1 } else { runs });
    row("junit-parser", peer, bare, bytes);
    println!("\ningest is {:.1} × as fast as junit-parser", peer.seconds / ours.seconds);
    let bound = 64.0 + 120.0 * cases as f64 / 1e6;
    println!("memory bound for {cases} cases: {bound:.0} MB, ingest used {:.0} MB", ours.peak_mb);
}

fn row(name: &str, cost: Cost, bare: Cost, bytes: u64) {
    println!(
        "| {name} | {:.2} | {:.0} | {:.2} | {:.0} |",
        cost.seconds,
        bytes as f64 / 1e6 / cost.seconds,
        bare.seconds / cost.seconds,
        cost.peak_mb
    );
}

fn stage(name: &str, args: &[String]) -> (u64, Option<f64>) {
    (count(name, args), None)
}

/// Files → verdict, without history.
fn verdict(path: &str) -> u64 {
    let runs = read_all(path);
    let found = testmedic::pipeline::triage(testmedic::pipeline::TriageInput {
        runs,
        facts: testmedic::model::run::RunFacts::default(),
        default_branch: None,
        exchanges: &[],
        described: Vec::new(),
        incidents: Vec::new(),
        now: testmedic::model::time::Timestamp::from_unix(0),
        store: None,
        repository: None,
        record_to: None,
    });
    found.found.totals.tests
}

fn read_all(path: &str) -> Vec<testmedic::model::run::TestRun> {
    testmedic::adapters::files::read_reports(std::path::Path::new(""), &[path.to_owned()], &|_| {})
        .expect("the reports")
}

fn count(name: &str, args: &[String]) -> u64 {
    let file = File::open(&args[0]).expect("the report");
    match name {
        "bare" => bare(BufReader::with_capacity(128 * 1024, file)),
        "ingest" => testmedic::ingest::junit::read(&args[0], file).totals.tests,
        "verdict" => verdict(&args[0]),
        "files" => read_all(&args[0]).iter().map(|run| run.totals.tests).sum(),
        "way-a" => way_a(BufReader::with_capacity(128 * 1024, file)),
        "junit-parser" => {
            let suites = junit_parser::from_reader(BufReader::new(file)).expect("well-formed");
            suites.suites.iter().map(|s| s.cases.len() as u64).sum()
        }
        other => panic!("no stage {other}"),
    }
}

fn bare<R: Read>(input: BufReader<R>) -> u64 {
    let mut reader = Reader::from_reader(input);
    let mut buffer = Vec::new();
    let mut count = 0;
    loop {
        match reader.read_event_into(&mut buffer).expect("well-formed") {
            Event::Eof => return count,
            Event::Start(tag) | Event::Empty(tag) if tag.name().as_ref() == "testcase" => count += 1,
            _ => {}
        }
        buffer.clear();
    }
}

/// The stream finds the cases; the text of one that did not pass is read again by junit-parser.
fn way_a<R: Read>(input: BufReader<R>) -> u64 {
    let mut reader = Reader::from_reader(input);
    let mut buffer = Vec::new();
    let mut count = 0;
    let mut case: Option<quick_xml::Writer<Vec<u8>>> = None;
    let mut failed = 0;
    loop {
        let event = reader.read_event_into(&mut buffer).expect("well-formed");
        match &event {
            Event::Eof => return count + failed - failed,
            Event::Empty(tag) if tag.name().as_ref() == "testcase" => count += 1,
            Event::Start(tag) if tag.name().as_ref() == "testcase" => {
                count += 1;
                case = Some(quick_xml::Writer::new(b"<testsuite>".to_vec()));
            }
            _ => {}
        }
        let ends = matches!(&event, Event::End(tag) if tag.name().as_ref() == "testcase");
        if let Some(writer) = case.as_mut() {
            writer.write_event(event).expect("memory");
        }
        if ends && let Some(writer) = case.take() {
            let mut xml = writer.into_inner();
            if memchr::memmem::find(&xml, b"<failure").is_some() || memchr::memmem::find(&xml, b"<error").is_some() {
                xml.extend_from_slice(b"</testsuite>");
                let suites = junit_parser::from_reader(&xml[..]).expect("well-formed");
                failed += suites.suites.len() as u64;
            }
        }
        buffer.clear();
    }
}
