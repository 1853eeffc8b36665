//! What a triage found out, before anything is planned.

use std::collections::HashMap;

use crate::diagnose::verdict::{CaseRef, Diagnosis, Verdict};
use crate::history::History;
use crate::history::record::KnownFailure;
use crate::model::run::{IssueLevel, RunFacts, TestRun, Totals};
use crate::model::test::TestCase;
use crate::model::time::Timestamp;
use crate::traffic::drift::Drift;

/// The present run, judged.
#[derive(Debug)]
pub struct Findings {
    /// The reports, attempts put together and legs named.
    pub runs: Vec<TestRun>,
    /// Facts about the present run.
    pub facts: RunFacts,
    /// When it ran.
    pub at: Timestamp,
    /// Sums over all reports.
    pub totals: Totals,
    /// Why tests failed, the gravest first.
    pub diagnoses: Vec<Diagnosis>,
    /// How the answers of the API differ from what is remembered and described, the
    /// gravest first.
    pub drift: Vec<Drift>,
    /// What was known before.
    pub history: History,
    /// What is remembered of each failure, by its place.
    pub known: HashMap<(usize, usize), KnownFailure>,
}

impl Findings {
    /// The case behind a member of a diagnosis.
    #[must_use]
    pub fn case(&self, member: CaseRef) -> &TestCase {
        &self.runs[member.run].cases[member.case]
    }

    /// Cases that ended failed or errored.
    #[must_use]
    pub fn bad(&self) -> u64 {
        self.totals.failed + self.totals.errored
    }

    /// Whether a report could not be read in full: silence must not be taken for
    /// success.
    #[must_use]
    pub fn is_incomplete(&self) -> bool {
        self.runs.iter().any(|run| run.worst() == Some(IssueLevel::Unusable))
    }

    /// How many diagnoses have this verdict.
    #[must_use]
    pub fn count(&self, verdict: Verdict) -> usize {
        self.diagnoses.iter().filter(|d| d.verdict == verdict).count()
    }

    /// Whether the failure began on the default branch, before the branch that
    /// is tested now: then the present change is not to blame.
    #[must_use]
    pub fn is_older_than_branch(&self, diagnosis: &Diagnosis) -> bool {
        let Some(first_bad) = diagnosis.past.first_bad.as_deref() else { return false };
        let default = self.history.default_branch();
        if default.is_none() || self.facts.branch.as_deref() == default {
            return false;
        }
        self.history.runs.iter().any(|run| run.commit == first_bad && Some(run.branch.as_str()) == default)
    }
}
