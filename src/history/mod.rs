//! What earlier runs tell, and what to remember of this one. Pure: the store
//! that keeps it is [`crate::adapters::store`].
//!
//! A run is kept as two sets of test numbers (passed at once, skipped) and one
//! row for each result that has more to tell. Most results are passes, so a
//! hundred runs of a hundred thousand tests are a hundred small sets instead
//! of ten million rows.

pub mod feedback;
pub mod manifest;
pub mod record;
pub mod recovery;
pub mod rename;

use std::collections::HashMap;

use crate::model::failure::{FailureMark, RunExclusion};
use crate::model::test::{Outcome, TestId};
use crate::model::time::Timestamp;

/// A test that was run again after a wait, and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct RerunResult {
    /// The test.
    pub test: TestId,
    /// When it was run again.
    pub at: Timestamp,
    /// Seconds that were waited before.
    pub seconds: f64,
    /// Whether it passed.
    pub passed: bool,
    /// Why it was run again.
    pub why: String,
}

/// One earlier run of one matrix leg.
#[derive(Clone, Debug, PartialEq)]
pub struct PastRun {
    /// Commit.
    pub commit: String,
    /// Branch.
    pub branch: String,
    /// When it ran.
    pub at: Timestamp,
    /// The CI system's number for the run.
    pub run: Option<String>,
    /// Which attempt of that run.
    pub attempt: u32,
    /// Matrix leg.
    pub variant: Option<String>,
    /// Set where the run as a whole was broken, so that it teaches nothing
    /// about single tests.
    pub gate: Option<RunExclusion>,
    /// Cases in the run.
    pub tests: u64,
    /// Cases that ended failed or errored.
    pub bad: u64,
    /// Cases that were flaky within the run.
    pub flaky: u64,
}

impl PastRun {
    /// How people find it again: `run 118.2` or the commit and time.
    #[must_use]
    pub fn label(&self) -> String {
        match &self.run {
            Some(run) if self.attempt > 1 => format!("run {run}.{}", self.attempt),
            Some(run) => format!("run {run}"),
            None => format!("{} at {}", short(&self.commit), self.at.minute()),
        }
    }
}

/// The first nine characters of a commit.
#[must_use]
pub fn short(commit: &str) -> &str {
    commit.get(..9).unwrap_or(commit)
}

/// Whether two hashes name the same commit, one of them perhaps shortened.
#[must_use]
pub fn same_commit(a: &str, b: &str) -> bool {
    let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
    a == b || (short.len() >= 7 && short.bytes().all(|c| c.is_ascii_hexdigit()) && long.starts_with(short))
}

/// One result of one test in an earlier run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Index into [`History::runs`].
    pub run: u32,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether it passed after a failed attempt.
    pub flaky: bool,
    /// Attempts that failed.
    pub bad_attempts: u16,
    /// What the failure looked like: an index into [`History::marks`], or [`NO_MARK`].
    pub mark: u32,
}

/// The mark of a sample without a failure.
pub const NO_MARK: u32 = u32::MAX;

/// A failure seen before.
#[derive(Clone, Debug, PartialEq)]
pub struct PastFailure {
    /// Fingerprint as text.
    pub fingerprint: String,
    /// The id of the cluster it was put into.
    pub cluster: String,
    /// Exception types.
    pub kinds: String,
    /// Masked message.
    pub masked: String,
    /// First and last time it was seen.
    pub first: Timestamp,
    /// Last time it was seen.
    pub last: Timestamp,
    /// Results it was seen in.
    pub times: u64,
    /// Label of the run in which it was seen last.
    pub last_run: String,
}

/// A test that continues another one under a new name.
#[derive(Clone, Debug, PartialEq)]
pub struct RenamedFrom {
    /// The name it has now.
    pub now: TestId,
    /// The name it had.
    pub was: TestId,
    /// Why that is believed.
    pub because: String,
}

/// Everything about the past that a triage looks at.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Earlier runs, oldest first.
    pub runs: Vec<PastRun>,
    /// Samples of the tests that matter now, oldest first.
    pub samples: HashMap<TestId, Vec<Sample>>,
    /// What the failures of the samples looked like; samples point into it.
    pub marks: Vec<FailureMark>,
    /// Failures seen before.
    pub failures: Vec<PastFailure>,
    /// Renamed tests among those that matter now.
    pub aliases: Vec<RenamedFrom>,
    /// The default branch, where the forge tells it.
    pub default: Option<String>,
}

impl History {
    /// What the failure behind a sample looked like.
    #[must_use]
    pub fn mark(&self, sample: &Sample) -> Option<FailureMark> {
        self.marks.get(sample.mark as usize).copied()
    }

    /// The branch that counts as the default one: what the forge says, else
    /// `main`, `master` or `trunk` if runs know it, else the one with the most runs.
    #[must_use]
    pub fn default_branch(&self) -> Option<&str> {
        if self.default.is_some() {
            return self.default.as_deref();
        }
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for run in &self.runs {
            *counts.entry(run.branch.as_str()).or_default() += 1;
        }
        ["main", "master", "trunk", "develop"].into_iter().find(|name| counts.contains_key(name)).or_else(|| {
            counts.iter().max_by_key(|(name, count)| (**count, std::cmp::Reverse(**name))).map(|(name, _)| *name)
        })
    }
}
