//! Mutants of answers: what a service could answer wrongly, and a test should notice.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One change of one answer that a test gets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mutant {
    /// Which exchange of the test, from 0.
    pub exchange: usize,
    /// What is changed.
    pub change: Change,
    /// Where: a JSON pointer (`*` for each element of a list), or a header's name.
    pub at: String,
    /// The status in its place, for [`Change::Status`].
    pub status: u16,
}

/// What a mutant changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// Another status.
    Status,
    /// A field is gone.
    Drop,
    /// A list is empty.
    Empty,
    /// A field is `null`.
    Null,
    /// A field has another type.
    Type,
    /// A field has another value.
    Value,
    /// A header is gone.
    Header,
    /// There is a body where there was none.
    Fill,
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.at.trim_start_matches('/').replace('/', ".");
        let place = if place.is_empty() { "the answer".to_owned() } else { format!("`{place}`") };
        match self.change {
            Change::Status => write!(f, "status {}", self.status),
            Change::Drop => write!(f, "{place} dropped"),
            Change::Empty => write!(f, "{place} empty"),
            Change::Null => write!(f, "{place} null"),
            Change::Type => write!(f, "{place} of another type"),
            Change::Value => write!(f, "{place} with another value"),
            Change::Header => write!(f, "header `{}` dropped", self.at),
            Change::Fill => write!(f, "a body where there is none"),
        }
    }
}
