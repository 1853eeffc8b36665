//! What one report file tells, and the facts about the CI run it belongs to.

use rayon::prelude::*;

use crate::model::test::{Outcome, TestCase, TestId};
use crate::model::time::Timestamp;

/// How much of a report an issue touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum IssueLevel {
    /// Odd, understood, nothing lost.
    Note,
    /// Something may be missing or misread.
    Suspicious,
    /// Nothing, or not all, could be read: silence must not be taken for success.
    Unusable,
}

/// Something that was wrong with a report: what, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseIssue {
    /// How bad it is.
    pub level: IssueLevel,
    /// Element path and byte offset, such as `testsuites/testsuite[2]/testcase[7] (byte 8123)`.
    pub place: String,
    /// What happened, and the remedy where there is one.
    pub message: String,
}

impl ParseIssue {
    /// Builds an issue.
    pub fn new(level: IssueLevel, place: impl Into<String>, message: impl Into<String>) -> Self {
        Self { level, place: place.into(), message: message.into() }
    }
}

/// Counts over one report or several.
///
/// `tests = passed + failed + errored + skipped`; `flaky` cases are counted as passed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Totals {
    /// `<testsuite>` elements.
    pub suites: u64,
    /// Test cases, after attempts of the same case are put together.
    pub tests: u64,
    /// Cases that ended passed.
    pub passed: u64,
    /// Cases that ended failed.
    pub failed: u64,
    /// Cases that ended errored.
    pub errored: u64,
    /// Cases that were not run.
    pub skipped: u64,
    /// Cases that ended passed after a failed attempt.
    pub flaky: u64,
    /// `<testcase>` elements plus rerun and flaky children.
    pub attempts: u64,
    /// Sum of the cases' times.
    pub seconds: f64,
}

impl Totals {
    /// Adds `other`.
    pub fn add(&mut self, other: &Self) {
        self.suites += other.suites;
        self.tests += other.tests;
        self.passed += other.passed;
        self.failed += other.failed;
        self.errored += other.errored;
        self.skipped += other.skipped;
        self.flaky += other.flaky;
        self.attempts += other.attempts;
        self.seconds += other.seconds;
    }

    /// Counts one case that ended with `outcome`.
    pub fn count(&mut self, outcome: Outcome) {
        self.tests += 1;
        *self.cell(outcome) += 1;
    }

    /// Takes one case back out.
    pub fn uncount(&mut self, outcome: Outcome) {
        self.tests = self.tests.saturating_sub(1);
        let cell = self.cell(outcome);
        *cell = cell.saturating_sub(1);
    }

    fn cell(&mut self, outcome: Outcome) -> &mut u64 {
        match outcome {
            Outcome::Passed => &mut self.passed,
            Outcome::Failed => &mut self.failed,
            Outcome::Errored => &mut self.errored,
            Outcome::Skipped => &mut self.skipped,
        }
    }
}

/// A case that passed at its only attempt, or was skipped: 28 bytes and its
/// name, so that millions of them fit in memory.
#[derive(Clone, Copy, Debug)]
struct QuietRow {
    id: TestId,
    suite: u32,
    class: u32,
    name_end: u32,
    skipped: bool,
}

/// The quiet cases of a report, packed.
#[derive(Clone, Debug, Default)]
pub struct QuietCases {
    rows: Vec<QuietRow>,
    names: String,
}

/// One quiet case, as [`QuietCases::iter`] shows it.
#[derive(Clone, Copy, Debug)]
pub struct QuietCase<'a> {
    /// Identity across runs.
    pub id: TestId,
    /// Index into [`TestRun::suite_elements`].
    pub suite: u32,
    /// Index into [`TestRun::classes`].
    pub class: u32,
    /// Name as written.
    pub name: &'a str,
    /// Passed or skipped.
    pub outcome: Outcome,
}

impl QuietCases {
    /// Appends a case. Past 4 GiB of names the name is dropped, the case kept.
    pub fn push(&mut self, id: TestId, suite: u32, class: u32, name: &str, outcome: Outcome) {
        if u32::try_from(self.names.len() + name.len()).is_ok() {
            self.names.push_str(name);
        }
        let name_end = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.rows.push(QuietRow { id, suite, class, name_end, skipped: outcome == Outcome::Skipped });
    }

    /// Number of cases.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The case at `index`, which must be below [`QuietCases::len`].
    #[must_use]
    pub fn get(&self, index: usize) -> QuietCase<'_> {
        let row = self.rows[index];
        let start = index.checked_sub(1).map_or(0, |before| self.rows[before].name_end);
        QuietCase {
            id: row.id,
            suite: row.suite,
            class: row.class,
            name: &self.names[start as usize..row.name_end as usize],
            outcome: if row.skipped { Outcome::Skipped } else { Outcome::Passed },
        }
    }

    /// All cases in the order of the report.
    pub fn iter(&self) -> impl Iterator<Item = QuietCase<'_>> {
        (0..self.rows.len()).map(|index| self.get(index))
    }

    /// The identities alone, in the order of the report.
    pub fn ids(&self) -> impl Iterator<Item = (TestId, Outcome)> + '_ {
        self.rows.iter().map(|row| (row.id, if row.skipped { Outcome::Skipped } else { Outcome::Passed }))
    }

    /// Gives every case its identity, on all cores. `namer` makes a function for
    /// each stretch of cases, which may remember the suite and class it saw last;
    /// it is called with suite, class and name.
    pub fn identify<N, F>(&mut self, namer: N)
    where
        N: Fn() -> F + Sync,
        F: FnMut(u32, u32, &str) -> TestId,
    {
        const STRETCH: usize = 16 * 1024;
        let starts: Vec<u32> = (0..self.rows.len())
            .step_by(STRETCH)
            .map(|at| at.checked_sub(1).map_or(0, |before| self.rows[before].name_end))
            .collect();
        let names = &self.names;
        self.rows.par_chunks_mut(STRETCH).zip(starts).for_each(|(rows, mut start)| {
            let mut name = namer();
            for row in rows {
                row.id = name(row.suite, row.class, &names[start as usize..row.name_end as usize]);
                start = row.name_end;
            }
        });
    }

    /// Gives the case at `index` another identity.
    pub fn set_id(&mut self, index: usize, id: TestId) {
        if let Some(row) = self.rows.get_mut(index) {
            row.id = id;
        }
    }

    /// Removes the cases at `indices` (sorted, each below [`QuietCases::len`]).
    pub fn remove(&mut self, indices: &[usize]) {
        if indices.is_empty() {
            return;
        }
        let mut kept = Self::default();
        let mut gone = indices.iter().copied().peekable();
        for index in 0..self.rows.len() {
            if gone.peek() == Some(&index) {
                gone.next();
            } else {
                let case = self.get(index);
                kept.push(case.id, case.suite, case.class, case.name, case.outcome);
            }
        }
        *self = kept;
    }
}

/// What one report file tells.
#[derive(Clone, Debug, Default)]
pub struct TestRun {
    /// Where the report came from: a path, `-`, or `archive.zip!entry.xml`.
    pub path: String,
    /// The dialect it was recognised as (`pytest`, `surefire`, `junit` …).
    pub dialect: &'static str,
    /// Names of suites, joined along their nesting.
    pub suites: Vec<String>,
    /// For each `<testsuite>` element the index of its name; quiet cases point
    /// into it, so that two elements of one name stay apart.
    pub suite_elements: Vec<u32>,
    /// Class names; quiet cases point into it.
    pub classes: Vec<String>,
    /// Cases that passed at once or were skipped.
    pub quiet: QuietCases,
    /// Cases that failed, errored, or were flaky.
    pub cases: Vec<TestCase>,
    /// What was wrong with the file.
    pub issues: Vec<ParseIssue>,
    /// Counts over the file.
    pub totals: Totals,
    /// The latest `timestamp` attribute in the file.
    pub at: Option<Timestamp>,
    /// The matrix leg, where the path or the report tells it.
    pub variant: Option<String>,
}

impl TestRun {
    /// The name of a suite element.
    #[must_use]
    pub fn suite(&self, element: u32) -> &str {
        let name = self.suite_elements.get(element as usize).copied().unwrap_or(0);
        self.suites.get(name as usize).map_or("", String::as_str)
    }

    /// The gravest issue, if there is one.
    #[must_use]
    pub fn worst(&self) -> Option<IssueLevel> {
        self.issues.iter().map(|issue| issue.level).max()
    }
}

/// The facts about the CI run that reports came from. Nothing in here is
/// guessed: an unknown is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunFacts {
    /// Commit the tests ran on.
    pub commit: Option<String>,
    /// Branch the tests ran on.
    pub branch: Option<String>,
    /// When they ran.
    pub at: Option<Timestamp>,
    /// The CI system's number for the run.
    pub run: Option<String>,
    /// Which attempt of that run, from 1.
    pub attempt: u32,
    /// Matrix leg.
    pub variant: Option<String>,
}
