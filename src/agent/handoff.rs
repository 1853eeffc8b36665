//! The roles, and who hands over to whom. The table is fixed: it follows from what the
//! rules and the proofs say, never from what a model says.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::diagnose::verdict::Verdict;

/// Who works on a diagnosis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Says why tests failed.
    Analyzer,
    /// Runs tests again, after a wait or in another company.
    Retrier,
    /// Repairs tests that are out of date.
    Healer,
    /// Writes tests that are missing.
    Generator,
    /// Tells people.
    Reporter,
}

impl Role {
    /// Its name.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Analyzer => "analyzer",
            Self::Retrier => "retrier",
            Self::Healer => "healer",
            Self::Generator => "generator",
            Self::Reporter => "reporter",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What is known when a role is done with a diagnosis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// A verdict of the rules.
    Verdict(Verdict),
    /// The test was repaired, with a proof.
    Repaired,
    /// The test was shown to have found a bug.
    Broken,
    /// Nothing more.
    Nothing,
}

/// Someone hands a diagnosis over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handoff {
    /// Who had it.
    pub from: Role,
    /// Who has it then.
    pub to: Role,
    /// Why.
    pub because: &'static str,
}

/// Hand-overs of one diagnosis: what was not settled then goes to people.
pub const MOST: usize = 4;

/// Who is next; `None` where the diagnosis is settled.
#[must_use]
pub fn next_role(from: Role, known: Known) -> Option<Handoff> {
    use Verdict::{BrokenTest, Environment, Flaky, OutdatedTest, RateLimited, Regression, Undecided};
    let (to, because) = match (from, known) {
        (Role::Analyzer, Known::Verdict(Flaky | RateLimited | Environment)) => {
            (Role::Reporter, "no edit of a test answers it")
        }
        (Role::Analyzer, Known::Verdict(OutdatedTest)) => (Role::Healer, "the test may be out of date"),
        (Role::Analyzer, Known::Verdict(Regression)) => {
            (Role::Healer, "old and new tests on old and new code show whether it is a bug")
        }
        (Role::Analyzer, Known::Verdict(BrokenTest | Undecided)) => {
            (Role::Healer, "old and new tests on old and new code may settle it")
        }
        (Role::Retrier, _) => (Role::Analyzer, "what came of running it again is evidence"),
        (Role::Healer, Known::Repaired) => (Role::Reporter, "the repair is offered"),
        (Role::Healer, Known::Broken) => (Role::Reporter, "the proof shows a bug"),
        (Role::Healer, _) => (Role::Reporter, "a person decides"),
        (Role::Generator, _) => (Role::Reporter, "the test is offered"),
        (Role::Analyzer, Known::Repaired | Known::Broken | Known::Nothing) | (Role::Reporter, _) => return None,
    };
    Some(Handoff { from, to, because })
}

/// Whether a diagnosis is the healer's: no edit of a test is the answer to others.
#[must_use]
pub fn is_for_healer(verdict: Verdict) -> bool {
    next_role(Role::Analyzer, Known::Verdict(verdict)).is_some_and(|over| over.to == Role::Healer)
}

/// The whole way of a diagnosis.
#[must_use]
pub fn route(verdict: Verdict, healed: Option<Known>) -> Vec<Handoff> {
    let mut way = Vec::from_iter(next_role(Role::Analyzer, Known::Verdict(verdict)));
    if let (Some(Handoff { to: Role::Healer, .. }), Some(known)) = (way.last().copied(), healed) {
        way.extend(next_role(Role::Healer, known));
    }
    way.truncate(MOST);
    way
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From every beginning the way ends within the bound, and with people.
    #[test]
    fn every_way_ends() {
        let verdicts = Verdict::DECIDED.into_iter().chain([Verdict::Undecided]);
        let known: Vec<Known> =
            verdicts.map(Known::Verdict).chain([Known::Repaired, Known::Broken, Known::Nothing]).collect();
        for begin in [Role::Analyzer, Role::Retrier, Role::Healer, Role::Generator, Role::Reporter] {
            let mut at = vec![begin];
            for _ in 0..MOST {
                at = at
                    .iter()
                    .flat_map(|role| known.iter().filter_map(|k| next_role(*role, *k)))
                    .map(|o| o.to)
                    .collect();
            }
            assert!(at.is_empty(), "{begin}: {at:?}");
        }
        let way = route(Verdict::OutdatedTest, Some(Known::Repaired));
        let roles: Vec<(Role, Role)> = way.iter().map(|over| (over.from, over.to)).collect();
        assert_eq!(roles, [(Role::Analyzer, Role::Healer), (Role::Healer, Role::Reporter)]);
    }

    #[test]
    fn what_no_edit_answers_is_not_healed() {
        for verdict in [Verdict::Flaky, Verdict::RateLimited, Verdict::Environment] {
            assert!(!is_for_healer(verdict), "{verdict:?}");
        }
    }
}
