//! Results of an execution, wherever the runner puts them.

use std::path::Path;

use super::Results;
use crate::ingest::console;
use crate::model::ran::{Compared, Ran};
use crate::shell::files;

/// Bytes of a result file that is read.
const LIMIT: u64 = 256 << 20;

pub(super) fn read(results: &Results, folder: &Path, stdout: &str) -> Vec<Ran> {
    match results {
        Results::Junit(patterns) => junit(patterns, folder),
        Results::Jest(path) => console::jest(&text(path)),
        Results::Mocha(path) => {
            let written = text(path);
            // Old versions know no file and print.
            let from = stdout.find("{\n").unwrap_or(0);
            console::mocha(if written.is_empty() { &stdout[from..] } else { &written })
        }
        Results::Rspec(path) => console::rspec(&text(path)),
        Results::Go => console::go(stdout),
        Results::Libtest => console::libtest(stdout),
    }
}

fn text(path: &Path) -> String {
    let small = path.metadata().is_ok_and(|m| m.len() <= LIMIT);
    if small { std::fs::read_to_string(path).unwrap_or_default() } else { String::new() }
}

fn junit(patterns: &[String], folder: &Path) -> Vec<Ran> {
    let Ok(runs) = files::read_reports(folder, patterns, &|_| {}) else { return Vec::new() };
    let mut found: Vec<Ran> = runs.iter().flat_map(console::of_report).collect();
    // What the probe saw beside the report.
    for pattern in patterns {
        for line in text(&folder.join(format!("{pattern}.compared"))).lines() {
            compared(line, &mut found);
        }
    }
    found
}

/// A line of the probe: the test's id, the operator and both sides.
fn compared(line: &str, found: &mut [Ran]) {
    let Ok(seen) = serde_json::from_str::<serde_json::Value>(line) else { return };
    let part = |key: &str| seen[key].as_str().unwrap_or("").to_owned();
    let id = part("test");
    let name = id.rsplit("::").next().unwrap_or(&id);
    if let Some(ran) = found.iter_mut().find(|r| r.outcome.is_bad() && r.name.name.raw() == name) {
        ran.compared = Some(Compared { op: part("op"), left: part("left"), right: part("right") });
    }
}
