//! The generator: which tests are missing, what they ask, and what of the answers
//! they check.
//!
//! Everything here is a draft until its requests were sent: what a service answers
//! decides which checks are written (see [`assertion_inference`]), and what mutants of the answers
//! a test notices decides whether it is kept.

pub mod asserted_fields;
pub mod assertion_inference;
pub mod checkable;
pub mod observed_endpoint;
pub mod recipe;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::code::edit;
use crate::code::guards::Finding;
use crate::code::style::file::Kept;
use crate::code::style::{ExampleTest, NewTest, RequestVariant};
use crate::model::exchange::Exchange;
use crate::model::mutant::Mutant;

/// By what rule a test is written. The ids in the descriptions are those of the
/// table of recipes in the documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Recipe {
    /// A field that is new is there, and what it is.
    NewField,
    /// Fields that no test checks.
    Fields,
    /// A thing that is not there.
    NotFound,
    /// An id that is none.
    MalformedId,
    /// An id beyond what a number holds.
    Boundary,
    /// A method that the endpoint does not have.
    MethodNotAllowed,
    /// Credentials that are not valid.
    Unauthorised,
    /// A body without a field that is needed.
    MissingField,
    /// A body with a value of another type.
    WrongType,
    /// The same question twice.
    Stable,
    /// A question for changes only.
    Conditional,
    /// `HEAD` in the place of `GET`.
    Head,
    /// What was sent comes back.
    Created,
    /// What was replaced twice is as after once.
    Replaced,
    /// What was deleted is gone.
    Deleted,
    /// Values at the edge of what a field may hold. No test comes of it: that a service
    /// does not break is all that is known to be right.
    Extremes,
    /// What an incident was about.
    Incident,
    /// A page of a list is as long as was asked for.
    Pagination,
}

impl Recipe {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::NewField,
        Self::Fields,
        Self::NotFound,
        Self::MalformedId,
        Self::Boundary,
        Self::MethodNotAllowed,
        Self::Unauthorised,
        Self::MissingField,
        Self::WrongType,
        Self::Stable,
        Self::Conditional,
        Self::Head,
        Self::Created,
        Self::Replaced,
        Self::Deleted,
        Self::Extremes,
        Self::Incident,
        Self::Pagination,
    ];

    /// The word in the policy and in reports.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::NewField => "new-field",
            Self::Fields => "fields",
            Self::NotFound => "not-found",
            Self::MalformedId => "malformed-id",
            Self::Boundary => "boundary",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::Unauthorised => "unauthorised",
            Self::MissingField => "missing-field",
            Self::WrongType => "wrong-type",
            Self::Stable => "stable",
            Self::Conditional => "conditional",
            Self::Head => "head",
            Self::Created => "created",
            Self::Replaced => "replaced",
            Self::Deleted => "deleted",
            Self::Extremes => "extremes",
            Self::Incident => "incident",
            Self::Pagination => "pagination",
        }
    }
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Which requests that change something may be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mutating {
    /// None.
    Never,
    /// Those to an application in the test's own process.
    #[default]
    Inside,
    /// Those to any service that the tests ask.
    Always,
}

/// An endpoint, as tests are written for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    /// Method.
    pub method: String,
    /// Template of the path.
    pub template: String,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.template)
    }
}

/// A test that could be written.
#[derive(Clone, Debug)]
pub struct TestDraft {
    /// For which endpoint.
    pub endpoint: Endpoint,
    /// By which rule.
    pub recipe: Recipe,
    /// Like which test.
    pub exemplar: ExampleTest,
    /// Its words, the endpoint's first.
    pub words: Vec<String>,
    /// Its requests, and for each the statuses that are right.
    pub asks: Vec<(RequestVariant, Vec<u16>)>,
    /// What it is after.
    pub aim: TestIntent,
    /// Why it is missing, for people.
    pub because: String,
}

/// What a test is after, besides statuses.
#[derive(Clone, Debug, PartialEq)]
pub enum TestIntent {
    /// These places of the last body, each by its parts.
    Fields(Vec<Vec<String>>),
    /// What an error says.
    Envelope,
    /// A header of the last answer.
    Header(&'static str),
    /// The last body is that of the answer before.
    Alike,
    /// The last answer has no body.
    Empty,
    /// What was sent stands in the answer.
    Echo,
    /// The list at this place has so many elements.
    Count(Vec<String>, usize),
    /// Statuses alone.
    Status,
    /// That the service does not break; no test comes of it.
    Unbroken,
}

impl TestDraft {
    /// The test before it is known what it checks.
    #[must_use]
    pub fn bare(&self) -> NewTest {
        NewTest {
            words: self.words.clone(),
            asks: self.asks.iter().map(|(ask, _)| ask.clone()).collect(),
            checks: Vec::new(),
        }
    }
}

/// Why a draft became no test.
#[derive(Clone, Debug, PartialEq)]
pub enum RejectedTest {
    /// Nothing to say about the service: it cannot be written, is not stable, notices
    /// nothing.
    Because(String),
    /// The service answered as it must not, each time of so many.
    Wrong(Box<Exchange>, usize),
    /// The service did not break, which was all there was to see.
    Unbroken,
}

/// A test that was written, with its proof.
#[derive(Clone, Debug)]
pub struct GeneratedTest {
    /// What it came of.
    pub draft: TestDraft,
    /// The test.
    pub test: NewTest,
    /// Its name in the language.
    pub name: String,
    /// Its file.
    pub file: String,
    /// How often it passed, in file order, shuffled, and alone.
    pub passes: (u32, u32, u32),
    /// The mutants that it was shown, and whether it noticed.
    pub mutants: Vec<(Mutant, bool)>,
    /// What became of it in its file.
    pub kept: Kept,
}

impl GeneratedTest {
    /// How many mutants it noticed.
    #[must_use]
    pub fn kills(&self) -> usize {
        self.mutants.iter().filter(|(_, noticed)| *noticed).count()
    }
}

/// What came of all drafts.
#[derive(Clone, Debug, Default)]
pub struct GenerationResult {
    /// The tests that hold.
    pub made: Vec<GeneratedTest>,
    /// Files: path, text before, text now.
    pub files: Vec<(String, Option<String>, String)>,
    /// Drafts that became no test, and why.
    pub dropped: Vec<(TestDraft, RejectedTest)>,
    /// What guards object to; files among these are not written.
    pub refused: Vec<Finding>,
}

impl GenerationResult {
    /// The tests that are new, or new in what they check.
    pub fn fresh(&self) -> impl Iterator<Item = &GeneratedTest> {
        self.made.iter().filter(|made| matches!(made.kept, Kept::Added | Kept::Renewed))
    }

    /// The answers that are wrong: the draft that brought one to light, the exchange, and
    /// how often it came out so, each time.
    pub fn defects(&self) -> impl Iterator<Item = (&TestDraft, &Exchange, usize)> {
        self.dropped.iter().filter_map(|(draft, why)| match why {
            RejectedTest::Wrong(exchange, times) => Some((draft, &**exchange, *times)),
            _ => None,
        })
    }

    /// Takes in what came of others.
    pub fn extend(&mut self, more: Self) {
        self.made.extend(more.made);
        self.files.extend(more.files);
        self.dropped.extend(more.dropped);
        self.refused.extend(more.refused);
    }

    /// The files as a unified diff.
    #[must_use]
    pub fn diff(&self) -> String {
        self.files.iter().map(|(path, old, new)| edit::diff(path, old.as_deref().unwrap_or(""), new)).collect()
    }
}
