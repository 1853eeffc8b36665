//! Tests that we run ourselves, and what came of them.

use crate::model::test::{Failure, Outcome, Place, TestName};

/// One test case of an execution of ours.
#[derive(Clone, Debug, PartialEq)]
pub struct TestResult {
    /// Its names, as the runner writes them.
    pub name: TestName,
    /// How it ended.
    pub outcome: Outcome,
    /// What was written about it.
    pub failure: Option<Failure>,
    /// Where it stands.
    pub place: Option<Place>,
    /// Whether it failed before it passed.
    pub flaky: bool,
    /// What its last comparison compared, where the runner lets us see it.
    pub compared: Option<Comparison>,
}

/// A comparison, with both values as JSON or as they print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// `==`, `in` …
    pub op: String,
    /// Left side.
    pub left: String,
    /// Right side.
    pub right: String,
}

/// A test to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TestSelector {
    /// Its file, relative to the repository.
    pub file: String,
    /// Its line, from 1.
    pub line: u32,
    /// Names from the outermost class or group to the test, as in the source.
    pub path: Vec<String>,
    /// The package that the file declares (Java, Kotlin).
    pub package: String,
    /// Class and name as the report has them.
    pub class: String,
    /// See `class`.
    pub name: String,
}

/// What of a file is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One test.
    Alone,
    /// All tests of its file.
    File,
}

/// What an execution of tests tells.
#[derive(Clone, Debug, PartialEq)]
pub struct Execution {
    /// The cases that ran.
    pub ran: Vec<TestResult>,
    /// Why it cannot be trusted, where that is so: it was ended, it could not
    /// start, it ran nothing.
    pub trouble: Option<String>,
    /// Seconds it took.
    pub seconds: f64,
    /// The end of what it printed, for people.
    pub output: String,
}

impl Execution {
    /// Whether it ran something, and all of that passed at once. Nothing run is no pass.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.trouble.is_none()
            && self.ran.iter().any(|r| r.outcome == Outcome::Passed)
            && !self.ran.iter().any(|r| r.outcome.is_bad() || r.flaky)
    }

    /// Whether a test ran and failed.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.trouble.is_none() && self.ran.iter().any(|r| r.outcome.is_bad())
    }

    /// In one word.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match (self.passed(), self.failed()) {
            (true, _) => "passed",
            (_, true) => "failed",
            _ => "not-run",
        }
    }
}
