//! Judging: triage of 100,000 tests with 100 earlier runs each, fingerprints
//! and clusters of 200,000 failures, import of earlier runs.
//!
//! `cargo bench --bench judge`

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

use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant as Clock;

use support::{Cost, measure, scratch, serve};
use testmedic::adapters::store::sqlite::SqliteStore;
use testmedic::diagnose::group;
use testmedic::ingest::junit;
use testmedic::model::run::{RunFacts, TestRun};
use testmedic::model::time::Timestamp;
use testmedic::pipeline::{self, TriageInput};
use testmedic::ports::HistoryStore;

const TESTS: usize = 100_000;
const RUNS: usize = 100;
const FAILURES: usize = 200_000;

fn main() {
    if serve(stage) {
        return;
    }
    let history = scratch().join("history.db");
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{end}", history.display()));
    }
    let history = history.to_string_lossy().into_owned();
    println!("| stage | seconds | peak MB |\n|---|--:|--:|");
    let import = measure("import", &[&history], 1);
    row(&format!("history import of {RUNS} runs of {TESTS} tests, reading included"), import);
    println!("| the same per million results | {:.2} | |", import.seconds / (TESTS * RUNS) as f64 * 1e6);
    row(
        "triage of 100,000 tests, 1 % failing, 100 earlier runs each, after ingest",
        measure("triage", &[&history, "100"], 3),
    );
    row("the same with every test failing", measure("triage", &[&history, "1"], 3));
    row("fingerprint and cluster 200,000 failures of 500 kinds", measure("cluster", &["500"], 3));
    row("the same, all 200,000 different", measure("cluster", &["200000"], 3));
    let bytes = std::fs::metadata(&history).map_or(0, |m| m.len());
    println!("\nthe history of {} results is a file of {:.1} MB", TESTS * RUNS, bytes as f64 / 1e6);
}

fn row(name: &str, cost: Cost) {
    println!("| {name} | {:.2} | {:.0} |", cost.seconds, cost.peak_mb);
}

fn stage(name: &str, args: &[String]) -> (u64, Option<f64>) {
    match name {
        "import" => import(Path::new(&args[0])),
        "triage" => triage(Path::new(&args[0]), args[1].parse().expect("a number")),
        "cluster" => cluster(args[0].parse().expect("a number")),
        other => panic!("no stage {other}"),
    }
}

/// A run in which one test in `every` fails (shifted by `run`, so that each of them has a past).
fn report(run: usize, every: usize) -> TestRun {
    let mut xml = String::from("<testsuites><testsuite name='bench'>");
    for n in 0..TESTS {
        let _ =
            write!(xml, "<testcase classname='shop.module{}.OrderTest' name='creates_order_{n}' time='0.01'", n / 200);
        if n % every == run % every.max(7) % every {
            let _ = write!(
                xml,
                "><failure message='LookupError: no price for product kind_{} in the catalogue of region {}'>src/shop/prices.py:{}: LookupError</failure></testcase>",
                n % 97,
                n % 31,
                n % 500 + 1
            );
        } else {
            xml.push_str("/>");
        }
    }
    xml.push_str("</testsuite></testsuites>");
    junit::read("bench", xml.as_bytes())
}

fn facts(run: usize) -> RunFacts {
    RunFacts {
        commit: Some(format!("{run:040x}")),
        branch: Some("main".to_owned()),
        at: Some(Timestamp::from_unix(1_770_000_000 + 3600 * run as i64)),
        run: Some(run.to_string()),
        attempt: 1,
        variant: None,
    }
}

fn import(history: &Path) -> (u64, Option<f64>) {
    let mut store = SqliteStore::open(history).expect("a history");
    let mut results = 0;
    for run in 0..RUNS {
        results += pipeline::import(vec![report(run, 1000)], &facts(run), &mut store).expect("an import").results;
    }
    (results, None)
}

fn triage(history: &Path, every: usize) -> (u64, Option<f64>) {
    let runs = vec![report(3, every)];
    let start = Clock::now();
    let store = SqliteStore::open(history).expect("a history");
    let found = pipeline::triage(TriageInput {
        runs,
        facts: facts(RUNS + 1),
        default_branch: None,
        exchanges: &[],
        described: Vec::new(),
        incidents: Vec::new(),
        now: Timestamp::from_unix(1_780_000_000),
        store: Some(&store as &dyn HistoryStore),
        repository: None,
        record_to: None,
    });
    assert_eq!(found.found.history.runs.len(), RUNS);
    assert!(!found.found.diagnoses.is_empty());
    (found.found.totals.tests, Some(start.elapsed().as_secs_f64()))
}

fn cluster(kinds: usize) -> (u64, Option<f64>) {
    let words = [
        "order",
        "invoice",
        "customer",
        "region",
        "catalogue",
        "price",
        "stock",
        "parcel",
        "voucher",
        "ledger",
        "basket",
    ];
    let mut xml = String::from("<testsuite name='bench'>");
    for n in 0..FAILURES {
        let kind = n % kinds;
        let name = |k: usize| words[(kind / 11_usize.pow(k as u32)) % 11];
        let _ = write!(
            xml,
            "<testcase classname='shop.m{}' name='t{n}'><failure message='ValueError: the {} of {} {} does not match the {} of {} in letter {} after {n} ms'>Traceback\n  File \"src/shop/{}.py\", line {}, in check\nValueError</failure></testcase>",
            n % 300,
            name(0),
            name(1),
            name(2),
            name(3),
            name(4),
            letters(kind),
            name(0),
            n % 400
        );
    }
    xml.push_str("</testsuite>");
    let runs = vec![junit::read("bench", xml.as_bytes())];
    let start = Clock::now();
    let failures = group::failures(&runs, &[]);
    let known = failures.known();
    assert_eq!(known.len(), FAILURES);
    (known.len() as u64, Some(start.elapsed().as_secs_f64()))
}

/// A word without digits for a number, so that masks leave it alone.
fn letters(mut n: usize) -> String {
    let mut word = String::new();
    for _ in 0..5 {
        word.push(char::from(b'a' + (n % 26) as u8));
        n /= 26;
    }
    word
}
