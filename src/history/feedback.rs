//! What people told about tests and failures: kept with name and date, heard as evidence.

use serde::{Deserialize, Serialize};

use crate::model::time::Timestamp;

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FeedbackKind {
    /// The test is flaky.
    Flaky,
    /// It is not.
    NotFlaky,
    /// The failure is expected.
    Expected,
    /// Nothing is to be said about it.
    Ignored,
}

impl FeedbackKind {
    /// Whether a later word of that kind takes the place of this one.
    #[must_use]
    pub fn superseded_by(self, later: Self) -> bool {
        let of_test = |told| matches!(told, Self::Flaky | Self::NotFlaky);
        of_test(self) == of_test(later)
    }

    /// What it says, as a part of a sentence.
    #[must_use]
    pub fn says(self) -> &'static str {
        match self {
            Self::Flaky => "says that it is flaky",
            Self::NotFlaky => "says that it is not flaky",
            Self::Expected => "says that this failure is expected",
            Self::Ignored => "has this failure ignored",
        }
    }
}

/// One word of a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feedback {
    /// What is told.
    pub told: FeedbackKind,
    /// Id of the test, or of the diagnosis.
    pub about: String,
    /// What that is called, for people.
    pub name: String,
    /// Login of who told it.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Until when it counts; for good where nothing is said.
    pub until: Option<Timestamp>,
}

impl Feedback {
    /// Whether it counts at a moment.
    #[must_use]
    pub fn counts(&self, at: Timestamp) -> bool {
        self.until.is_none_or(|until| at <= until)
    }
}
