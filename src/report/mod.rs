//! What people and programs read in the end.

pub mod json;
pub mod summary;
pub mod terminal;

use crate::diagnose::verdict::Verdict;
use crate::error::exit;
use crate::model::run::IssueLevel;
use crate::plan::Receipt;
use crate::run::Triage;

pub use crate::render::words::{counts, grouped, plural, strip_plain, strip_squares};

/// What makes the exit code 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum FailOn {
    /// Nothing: the exit code tells only whether testmedic did its job.
    #[default]
    #[value(alias = "")]
    Never,
    /// A failure that is a regression.
    Regression,
    /// Any failed or errored test; flaky ones have passed.
    Failure,
}

/// The exit code of a triage. A report that could not be read in full is not
/// success: then the job was not done, unless failures already make it red.
#[must_use]
pub fn exit_code(triage: &Triage, fail_on: FailOn) -> u8 {
    let red = match fail_on {
        FailOn::Never => false,
        FailOn::Regression => triage.found.diagnoses.iter().any(|d| d.verdict == Verdict::Regression),
        FailOn::Failure => triage.found.totals.failed + triage.found.totals.errored > 0,
    };
    let unusable = triage.found.runs.iter().any(|run| run.worst() == Some(IssueLevel::Unusable));
    let failed = triage.plan.actions.iter().any(|a| matches!(a.receipt, Some(Receipt::Failed(_))));
    match (red, unusable || failed || triage.found.runs.is_empty() || triage.found.totals.tests == 0) {
        (true, _) => exit::TESTS_FAILED,
        (false, true) => exit::COULD_NOT,
        (false, false) => exit::DONE,
    }
}
