//! What people and programs read in the end.

pub mod evaluation;
pub mod generate;
pub mod heal;
pub mod json;
pub mod summary;
pub mod terminal;

use crate::diagnose::verdict::{Diagnosis, Verdict};
use crate::error::exit;
use crate::model::run::{IssueLevel, TestRun};
use crate::pipeline::TriageResult;
use crate::plan::ActionResult;

pub use crate::render::plural::{counts, grouped, plural, strip_plain, strip_squares};

/// What makes the exit code 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum FailOn {
    /// Nothing: the exit code tells only whether testmedic did its job.
    #[default]
    #[value(alias = "")]
    Never,
    /// A failure that is a regression, or results that are missing, empty or truncated.
    Regression,
    /// Any failed or errored test (flaky ones have passed), or results that are missing, empty or truncated.
    Failure,
}

/// Regressions of the present change: what failed on the default branch before
/// the tested branch left it is not counted, nor what people put into quarantine,
/// expect, or have ignored.
#[must_use]
pub fn regressions(triage: &TriageResult) -> usize {
    let found = &triage.found;
    let counts = |d: &&Diagnosis| d.verdict == Verdict::Regression && d.pardon.is_none();
    found.diagnoses.iter().filter(counts).filter(|d| !found.is_older_than_branch(d)).count()
}

/// Returns the exit code of a triage. Missing, empty or truncated results count like failing tests
/// ([`is_red`]); with [`FailOn::Never`] the exit code is [`exit::COULD_NOT`].
#[must_use]
pub fn exit_code(triage: &TriageResult, fail_on: FailOn) -> u8 {
    let failed = triage.plan.actions.iter().any(|a| matches!(a.receipt, Some(ActionResult::Failed(_))));
    match (is_red(triage, fail_on), missing(&triage.found.runs).is_some() || failed || triage.hampered) {
        (true, _) => exit::TESTS_FAILED,
        (false, true) => exit::COULD_NOT,
        (false, false) => exit::DONE,
    }
}

/// Returns why results are missing, or `None` if they are complete.
#[must_use]
pub fn missing(runs: &[TestRun]) -> Option<String> {
    let unusable = |run: &TestRun| {
        let issue = run.issues.iter().find(|issue| issue.level == IssueLevel::Unusable)?;
        Some(format!("{}: {}", run.path, issue.message))
    };
    if let Some(why) = runs.iter().find_map(unusable) {
        return Some(why);
    }
    match (runs.len(), runs.iter().map(|run| run.totals.tests).sum::<u64>()) {
        (0, _) => Some("no report was read".to_owned()),
        (files, 0) => Some(format!("{} without any test", plural(files as u64, "report"))),
        _ => None,
    }
}

/// Returns why a step must fail although its reports could not be analyzed: tests failed, or results are
/// missing.
#[must_use]
pub fn red_without_analysis(runs: &[TestRun]) -> Option<String> {
    let bad: u64 = runs.iter().map(|run| run.totals.failed + run.totals.errored).sum();
    if bad > 0 {
        let tests: u64 = runs.iter().map(|run| run.totals.tests).sum();
        return Some(format!("{bad} of {} failed, and testmedic could not analyze them", plural(tests, "test")));
    }
    missing(runs).map(|why| format!("results are missing, empty or truncated ({why})"))
}

/// Returns whether tests failed in the sense of `fail_on`, or results are missing.
#[must_use]
pub fn is_red(triage: &TriageResult, fail_on: FailOn) -> bool {
    let failed = match fail_on {
        FailOn::Never => return false,
        FailOn::Regression => regressions(triage) > 0,
        FailOn::Failure => triage.found.totals.failed + triage.found.totals.errored > 0,
    };
    failed || missing(&triage.found.runs).is_some()
}
