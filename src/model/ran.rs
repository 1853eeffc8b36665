//! What came of a test that we ran ourselves.

use crate::model::test::{Failure, Outcome, Place, TestName};

/// One test case of an execution of ours.
#[derive(Clone, Debug, PartialEq)]
pub struct Ran {
    /// Its names, as the runner writes them.
    pub name: TestName,
    /// How it ended.
    pub outcome: Outcome,
    /// What was written about it.
    pub failure: Option<Failure>,
    /// Where it stands.
    pub place: Option<Place>,
    /// What its last comparison compared, where the runner lets us see it.
    pub compared: Option<Compared>,
}

/// A comparison, with both values as JSON or as they print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// `==`, `in` …
    pub op: String,
    /// Left side.
    pub left: String,
    /// Right side.
    pub right: String,
}
