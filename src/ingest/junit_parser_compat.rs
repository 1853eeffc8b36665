//! junit-parser's model of a report → ours.
//!
//! The stream in [`crate::ingest::junit`] reads everything; junit-parser reads
//! a whole document into memory. It serves library users who hold its model
//! already, and the tests, where every fixture is read by both and must tell
//! the same. ARCHITECTURE.md has the measurements behind this choice.

use junit_parser as jp;

use crate::ingest::identity::{canonical, test_id};
use crate::ingest::source_location::failure_place;
use crate::model::run::TestRun;
use crate::model::test::{Attempt, Failure, Outcome, Place, TestCase, TestName};
use crate::model::text::Untrusted;

impl From<jp::TestSuites> for TestRun {
    fn from(root: jp::TestSuites) -> Self {
        let mut run = Self {
            dialect: "junit",
            suites: vec![String::new()],
            suite_elements: vec![0],
            classes: Vec::new(),
            ..Self::default()
        };
        for suite in root.suites {
            take_suite(&mut run, suite, "");
        }
        crate::ingest::attempts::count_flaky(&mut run);
        run
    }
}

fn take_suite(run: &mut TestRun, suite: jp::TestSuite, outer: &str) {
    run.totals.suites += 1;
    let path = if outer.is_empty() { suite.name.clone() } else { format!("{outer} / {}", suite.name) };
    let number = u32::try_from(run.suites.len()).unwrap_or(u32::MAX);
    run.suites.push(path.clone());
    run.suite_elements.push(number);
    for case in suite.cases {
        take_case(run, case, &path, number);
    }
    for inner in suite.suites {
        take_suite(run, inner, &path);
    }
}

fn take_case(run: &mut TestRun, case: jp::TestCase, suite: &str, number: u32) {
    let class = case.classname.clone().unwrap_or_default();
    let id = test_id(&canonical(suite), &canonical(&class), &canonical(&case.original_name));
    run.totals.attempts += 1 + case.reruns.len() as u64;
    run.totals.seconds += case.time.max(0.0);
    let attempts = attempts_of(&case);
    let outcome = attempts.last().map_or(Outcome::Passed, |a| a.outcome);
    run.totals.count(outcome);
    if attempts.len() == 1 && !outcome.is_bad() {
        let class_number = u32::try_from(run.classes.len()).unwrap_or(u32::MAX);
        run.classes.push(class);
        run.quiet.push(id, number, class_number, &case.original_name, outcome);
        return;
    }
    let place = case
        .file
        .map(|file| Place { file: Untrusted::new(file), line: case.line.and_then(|l| u32::try_from(l).ok()) })
        .or_else(|| attempts.iter().flat_map(|a| &a.failures).find_map(|f| failure_place(f.detail.raw())));
    run.cases.push(TestCase {
        id,
        name: TestName {
            suite: Untrusted::new(suite),
            classname: Untrusted::new(class),
            name: Untrusted::new(case.original_name),
        },
        place,
        variant: None,
        attempts,
        declared_retries: 0,
        stdout: Untrusted::new(case.system_out.unwrap_or_default()),
        stderr: Untrusted::new(case.system_err.unwrap_or_default()),
        properties: case
            .properties
            .vec
            .into_iter()
            .map(|(key, value)| (Untrusted::new(key), Untrusted::new(value)))
            .collect(),
    });
}

fn attempts_of(case: &jp::TestCase) -> Vec<Attempt> {
    let failure = |kind: &str, message: &str, text: &str| Failure {
        kind: (!kind.is_empty()).then(|| Untrusted::new(kind)),
        message: Untrusted::new(message),
        detail: Untrusted::new(text),
    };
    let own = match &case.status {
        jp::TestStatus::Success => (Outcome::Passed, Vec::new()),
        jp::TestStatus::Skipped(_) => (Outcome::Skipped, Vec::new()),
        jp::TestStatus::Failure(f) => (Outcome::Failed, vec![failure(&f.failure_type, &f.message, &f.text)]),
        jp::TestStatus::Error(e) => (Outcome::Errored, vec![failure(&e.error_type, &e.message, &e.text)]),
    };
    let own = Attempt { outcome: own.0, failures: own.1, seconds: Some(case.time) };
    let others = case.reruns.iter().map(|rerun| {
        let outcome = match rerun.kind {
            jp::RerunOrFlakyKind::FlakyError | jp::RerunOrFlakyKind::RerunError => Outcome::Errored,
            _ => Outcome::Failed,
        };
        let text = rerun.stack_trace.as_deref().unwrap_or(&rerun.text);
        Attempt { outcome, failures: vec![failure(&rerun.rerun_type, &rerun.message, text)], seconds: Some(rerun.time) }
    });
    if own.outcome.is_bad() {
        std::iter::once(own).chain(others).collect()
    } else {
        others.chain(std::iter::once(own)).collect()
    }
}
