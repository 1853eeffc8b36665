//! What people and programs read in the end.

pub mod evaluation;
pub mod generate;
pub mod heal;
pub mod json;
pub mod summary;
pub mod terminal;

use crate::diagnose::verdict::{Diagnosis, Verdict};
use crate::error::exit;
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

/// Regressions of the present change: what failed on the default branch before
/// the tested branch left it is not counted, nor what people put into quarantine,
/// expect, or have ignored.
#[must_use]
pub fn regressions(triage: &Triage) -> usize {
    let found = &triage.found;
    let counts = |d: &&Diagnosis| d.verdict == Verdict::Regression && d.pardon.is_none();
    found.diagnoses.iter().filter(counts).filter(|d| !found.is_older_than_branch(d)).count()
}

/// The exit code of a triage. A report that could not be read in full is not
/// success: then the job was not done, unless failures already make it red.
#[must_use]
pub fn exit_code(triage: &Triage, fail_on: FailOn) -> u8 {
    let red = is_red(triage, fail_on);
    let unusable = triage.found.is_incomplete();
    let failed = triage.plan.actions.iter().any(|a| matches!(a.receipt, Some(Receipt::Failed(_))));
    match (red, unusable || failed || triage.hampered || triage.found.runs.is_empty() || triage.found.totals.tests == 0)
    {
        (true, _) => exit::TESTS_FAILED,
        (false, true) => exit::COULD_NOT,
        (false, false) => exit::DONE,
    }
}

/// Whether tests failed in the sense of `fail_on`.
#[must_use]
pub fn is_red(triage: &Triage, fail_on: FailOn) -> bool {
    match fail_on {
        FailOn::Never => false,
        FailOn::Regression => regressions(triage) > 0,
        FailOn::Failure => triage.found.totals.failed + triage.found.totals.errored > 0,
    }
}
