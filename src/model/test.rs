//! Test case, attempt, outcome and failure, with JUnit's meanings.

use std::fmt;

use crate::model::text::Untrusted;

/// The version of the identity scheme in [`crate::ingest::identity`]; it goes
/// into every [`TestId`], so that a changed scheme cannot meet old ids by accident.
pub const IDENTITY_VERSION: u8 = 1;

/// Names a test across runs: 128 bits of a SHA-256 over the canonical suite,
/// class and test name. Matrix legs and shards are not part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TestId(pub u128);

impl TestId {
    /// The 16 bytes as they are stored.
    #[must_use]
    pub fn bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// Reads what [`TestId::bytes`] wrote.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }

    /// Reads the 32 hexadecimal digits that `Display` writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 32).then(|| u128::from_str_radix(text, 16).ok().map(Self)).flatten()
    }
}

impl fmt::Display for TestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// How one attempt, or a whole case, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It ran and its checks held.
    Passed,
    /// A check did not hold (`<failure>`).
    Failed,
    /// It could not be carried through (`<error>`): set-up, crash, time-out.
    Errored,
    /// It was not run (`<skipped>`, disabled, ignored).
    Skipped,
}

impl Outcome {
    /// Failed or errored.
    #[must_use]
    pub fn is_bad(self) -> bool {
        matches!(self, Self::Failed | Self::Errored)
    }

    /// The word used in `report.json`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Errored => "errored",
            Self::Skipped => "skipped",
        }
    }
}

/// One `<failure>` or `<error>`: what the runner wrote about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// The `type` attribute: usually the exception's class.
    pub kind: Option<Untrusted>,
    /// The `message` attribute, or the first line of the text where there is none.
    pub message: Untrusted,
    /// The element's text: usually a stack trace or a captured assertion.
    pub detail: Untrusted,
}

/// One execution of a test case.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// How it ended.
    pub outcome: Outcome,
    /// What was written about it; empty for a pass.
    pub failures: Vec<Failure>,
    /// How long it took, where the report says so.
    pub seconds: Option<f64>,
}

/// Where a test or a failure stands in the sources, as the report tells it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// A path, as written: absolute, relative, or a class file's name.
    pub file: Untrusted,
    /// Line number, from 1.
    pub line: Option<u32>,
}

/// The names a report gives a test, as written (cleaned and bounded).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TestName {
    /// Names of the enclosing suites, joined with ` / `.
    pub suite: Untrusted,
    /// The `classname` attribute; empty where there is none.
    pub classname: Untrusted,
    /// The `name` attribute.
    pub name: Untrusted,
}

/// A test case that did not simply pass: it failed, errored, or passed only
/// after a failed attempt. Its attempts are in the order they ran and are
/// never empty.
#[derive(Clone, Debug, PartialEq)]
pub struct TestCase {
    /// Identity across runs.
    pub id: TestId,
    /// The names as the report writes them.
    pub name: TestName,
    /// Where the test stands, if the report says.
    pub place: Option<Place>,
    /// The matrix leg this case ran on.
    pub variant: Option<String>,
    /// Every execution, first to last.
    pub attempts: Vec<Attempt>,
    /// Retries that the runner declares in an attribute (`retries=`, `flaky=`)
    /// without writing the attempts themselves.
    pub declared_retries: u32,
    /// Bounded head and tail of `<system-out>`.
    pub stdout: Untrusted,
    /// Bounded head and tail of `<system-err>`.
    pub stderr: Untrusted,
    /// `<property>` pairs, bounded in number and size.
    pub properties: Vec<(Untrusted, Untrusted)>,
}

impl TestCase {
    /// How the case ended: its last attempt decides.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.attempts.last().map_or(Outcome::Skipped, |attempt| attempt.outcome)
    }

    /// Whether it ended passed after a failed attempt.
    #[must_use]
    pub fn is_flaky(&self) -> bool {
        self.outcome() == Outcome::Passed
            && (self.declared_retries > 0 || self.attempts.iter().any(|a| a.outcome.is_bad()))
    }

    /// The failure that speaks for the case: the last one written, which is
    /// that of the final attempt where the case failed.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        self.attempts.iter().rev().find_map(|attempt| attempt.failures.first())
    }

    /// Whether a person can mean it by a name: a part of what the report calls it, or
    /// `FILE::NAME` as runners write it.
    #[must_use]
    pub fn is_called(&self, wanted: &str) -> bool {
        let (class, name) = (self.name.classname.raw(), self.name.name.raw());
        if wanted.trim().is_empty() {
            return false;
        }
        if format!("{class} {name}").contains(wanted) || format!("{class}::{name}").contains(wanted) {
            return true;
        }
        let Some((file, rest)) = wanted.split_once("::") else { return false };
        let own = rest.rsplit("::").next().unwrap_or(rest);
        if name != own && name.split('[').next() != Some(own) {
            return false;
        }
        let module = file.rsplit_once('.').map_or(file, |(stem, _)| stem).replace('/', ".");
        let place = self.place.as_ref().map_or("", |place| place.file.raw());
        place.ends_with(file) || class == module || class.starts_with(&format!("{module}."))
    }

    /// Attempts that failed or errored.
    #[must_use]
    pub fn bad_attempts(&self) -> usize {
        self.attempts.iter().filter(|a| a.outcome.is_bad()).count()
    }
}
