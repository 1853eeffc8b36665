//! What Rust's test harness prints (`cargo test`).

use std::collections::BTreeMap;

use super::{failure, ran};
use crate::model::execution::TestResult;
use crate::model::test::Outcome;

/// The cases in the text. One that panics prints its text in a section of its own.
#[must_use]
pub fn libtest(text: &str) -> Vec<TestResult> {
    let mut sections: BTreeMap<&str, String> = BTreeMap::new();
    let mut open: Option<&str> = None;
    let mut found = Vec::new();
    let mut target = "";
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("---- ").and_then(|l| l.strip_suffix(" stdout ----")) {
            open = Some(name);
            continue;
        }
        if line.trim_start().starts_with("Running ") {
            target = line.trim_start().trim_start_matches("Running ").split(" (").next().unwrap_or("");
            open = None;
        } else if line == "failures:" || line.starts_with("test result:") {
            open = None;
        } else if let Some(name) = open {
            let section = sections.entry(name).or_default();
            section.push_str(line);
            section.push('\n');
        } else if let Some((name, outcome)) = result(line) {
            found.push((target, name, outcome));
        }
    }
    found
        .into_iter()
        .map(|(target, name, outcome)| {
            let about = sections.get(name).map_or("", String::as_str);
            ran(target, name, outcome, outcome.is_bad().then(|| failure(about)))
        })
        .collect()
}

fn result(line: &str) -> Option<(&str, Outcome)> {
    let (name, result) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    let outcome = match result.split([' ', ',']).next()? {
        "ok" => Outcome::Passed,
        "FAILED" => Outcome::Failed,
        "ignored" => Outcome::Skipped,
        _ => return None,
    };
    Some((name.trim_end_matches(" - should panic"), outcome))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run() {
        let text = "     Running tests/a.rs (target/debug/deps/a-1)\n\nrunning 2 tests\ntest x::adds ... FAILED\ntest y ... ok\ntest z ... ignored, slow\n\nfailures:\n\n---- x::adds stdout ----\n\nthread 'x::adds' panicked at tests/a.rs:3:5:\nassertion `left == right` failed\n  left: 3\n right: 4\n\n\nfailures:\n    x::adds\n";
        let found = libtest(text);
        assert_eq!(found.len(), 3);
        assert_eq!(found[0].name.classname.raw(), "tests/a.rs");
        assert!(found[0].failure.as_ref().unwrap().detail.raw().contains("right: 4"));
        assert_eq!(found[2].outcome, Outcome::Skipped);
    }
}
