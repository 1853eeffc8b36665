//! Results of an execution, wherever the runner puts them.

use std::path::Path;

use super::Results;
use crate::adapters::sandbox::Outputs;
use crate::ingest::console;
use crate::model::execution::{Comparison, TestResult};

pub(super) fn read(results: &Results, outputs: &Outputs<'_>, folder: &Path, stdout: &str) -> Vec<TestResult> {
    match results {
        Results::Junit(patterns) => junit(patterns, outputs, folder),
        Results::Jest(path) => console::jest(&outputs.text(path)),
        Results::Mocha(path) => {
            let written = outputs.text(path);
            // Old versions know no file and print.
            let from = stdout.find("{\n").unwrap_or(0);
            console::mocha(if written.is_empty() { &stdout[from..] } else { &written })
        }
        Results::Rspec(path) => console::rspec(&outputs.text(path)),
        Results::Go => console::go(stdout),
        Results::Libtest => console::libtest(stdout),
    }
}

fn junit(patterns: &[String], outputs: &Outputs<'_>, folder: &Path) -> Vec<TestResult> {
    let runs = patterns.iter().flat_map(|pattern| outputs.reports(folder, pattern));
    let mut found: Vec<TestResult> = runs.flat_map(|run| console::of_report(&run)).collect();
    // What the probe saw beside the report.
    for pattern in patterns {
        for line in outputs.text(&folder.join(format!("{pattern}.compared"))).lines() {
            compared(line, &mut found);
        }
    }
    found
}

/// A line of the probe: the test's id, the operator and both sides.
fn compared(line: &str, found: &mut [TestResult]) {
    let Ok(seen) = serde_json::from_str::<serde_json::Value>(line) else { return };
    let part = |key: &str| seen[key].as_str().unwrap_or("").to_owned();
    let id = part("test");
    let name = id.rsplit("::").next().unwrap_or(&id);
    if let Some(ran) = found.iter_mut().find(|r| r.outcome.is_bad() && r.name.name.raw() == name) {
        ran.compared = Some(Comparison { op: part("op"), left: part("left"), right: part("right") });
    }
}
