//! What to remember of a run.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use crate::model::failure::{FailureMark, RunExclusion, Signal};
use crate::model::run::{RunFacts, TestRun, Totals};
use crate::model::test::{Outcome, TestCase, TestId};
use crate::model::time::Timestamp;

/// Share of failed cases from which a run is taken as broken as a whole, and
/// the number of cases it must have (Trunk's "infra" gate asks for ten; small
/// suites break down as well, and what persists counts again, see
/// `diagnose::timeline`).
const MOST: f64 = 0.8;
/// See [`MOST`].
const MOST_TESTS: u64 = 5;
/// Cases with one outside signal from which a run is taken as an outage
/// (GitLab joins failures into one incident from ten), and the share they must have.
const OUTAGE_CASES: u64 = 10;
/// See [`OUTAGE_CASES`]; small suites are an outage when half of them fails alike.
const OUTAGE_SHARE: f64 = 0.5;

/// A failure as it is remembered.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownFailure {
    /// Fingerprint and signal.
    pub mark: FailureMark,
    /// The id of the cluster it was put into.
    pub cluster: String,
    /// Exception types.
    pub kinds: String,
    /// Masked message.
    pub masked: String,
}

/// A result that is more than a clean pass or a skip.
#[derive(Clone, Debug, PartialEq)]
pub struct NotableResult {
    /// Which test.
    pub id: TestId,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether it passed after a failed attempt.
    pub flaky: bool,
    /// Attempts that failed.
    pub bad_attempts: u16,
    /// Attempts in all.
    pub attempts: u16,
    /// What the failure looked like.
    pub mark: Option<FailureMark>,
}

/// The names of a test, for the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestNames<'a> {
    /// Identity.
    pub id: TestId,
    /// Suite.
    pub suite: &'a str,
    /// Class.
    pub class: &'a str,
    /// Name.
    pub name: &'a str,
    /// File, where known.
    pub file: Option<&'a str>,
}

/// What is remembered of one leg of a run. Quiet cases stay where they are and
/// are handed out one by one: there may be millions of them.
#[derive(Clone, Debug)]
pub struct RunRecord<'a> {
    /// The same for the same run, however often it is learned.
    pub key: [u8; 16],
    /// The facts; commit and branch are set.
    pub facts: RunFacts,
    /// When it ran.
    pub at: Timestamp,
    /// Why it teaches nothing about single tests, if so.
    pub gate: Option<RunExclusion>,
    /// Counts.
    pub totals: Totals,
    /// The reports of this leg.
    runs: Vec<&'a TestRun>,
    /// All tests that did not simply pass, and their results.
    pub loud: Vec<(TestNames<'a>, NotableResult)>,
    /// The failures behind them.
    pub failures: Vec<KnownFailure>,
}

impl<'a> RunRecord<'a> {
    /// The tests that passed at once, or those that were skipped.
    pub fn quiet(&self, outcome: Outcome) -> impl Iterator<Item = TestNames<'a>> + '_ {
        self.runs.iter().flat_map(move |run| {
            run.quiet.iter().filter(move |case| case.outcome == outcome).map(|case| TestNames {
                id: case.id,
                suite: run.suite(case.suite),
                class: run.classes.get(case.class as usize).map_or("", String::as_str),
                name: case.name,
                file: None,
            })
        })
    }
}

/// Why a run cannot be remembered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Without a commit, results cannot be compared.
    #[error("the commit is not known: pass --head")]
    NoCommit,
    /// Without a branch, results of a pull request could pass for those of the default branch.
    #[error("the branch is not known: pass --branch")]
    NoBranch,
    /// Without a time, runs cannot be put in order.
    #[error("the time of the run is not known: pass --at")]
    NoTime,
    /// A run that shows nothing.
    #[error("no test result could be read")]
    Empty,
}

/// What to remember of `runs`, which belong to one CI run: one value for each
/// matrix leg. `failures` tells fingerprint and cluster of each case, by its
/// place (index of run, index of case).
///
/// # Errors
/// [`RecordError`] where the facts do not suffice.
pub fn record<'a>(
    runs: &'a [TestRun],
    facts: &RunFacts,
    failures: &HashMap<(usize, usize), KnownFailure>,
) -> Result<Vec<RunRecord<'a>>, RecordError> {
    facts.commit.as_ref().filter(|c| !c.is_empty()).ok_or(RecordError::NoCommit)?;
    facts.branch.as_ref().filter(|b| !b.is_empty()).ok_or(RecordError::NoBranch)?;
    let at = facts.at.or_else(|| runs.iter().filter_map(|run| run.at).max()).ok_or(RecordError::NoTime)?;
    if runs.iter().all(|run| run.totals.tests == 0) {
        return Err(RecordError::Empty);
    }
    Ok(legs(runs, facts, at, failures))
}

/// The legs of `runs`, also where the commit is unknown: enough to ask history
/// about them, not to be remembered.
#[must_use]
pub fn legs<'a>(
    runs: &'a [TestRun],
    facts: &RunFacts,
    at: Timestamp,
    failures: &HashMap<(usize, usize), KnownFailure>,
) -> Vec<RunRecord<'a>> {
    let mut legs: Vec<Option<String>> = runs.iter().map(|run| run.variant.clone()).collect();
    legs.sort();
    legs.dedup();
    legs.into_iter()
        .map(|leg| {
            let facts = RunFacts {
                commit: Some(facts.commit.clone().unwrap_or_default()),
                branch: Some(facts.branch.clone().unwrap_or_else(|| "main".to_owned())),
                at: Some(at),
                variant: leg.clone(),
                attempt: facts.attempt.max(1),
                ..facts.clone()
            };
            learn_leg(runs, leg.as_deref(), facts, at, failures)
        })
        .filter(|learned| learned.totals.tests > 0)
        .collect()
}

fn learn_leg<'a>(
    runs: &'a [TestRun],
    leg: Option<&str>,
    facts: RunFacts,
    at: Timestamp,
    failures: &HashMap<(usize, usize), KnownFailure>,
) -> RunRecord<'a> {
    let of_leg = || runs.iter().enumerate().filter(|(_, run)| run.variant.as_deref() == leg);
    let mut learned = RunRecord {
        key: [0; 16],
        facts,
        at,
        gate: None,
        totals: Totals::default(),
        runs: of_leg().map(|(_, run)| run).collect(),
        loud: Vec::new(),
        failures: Vec::new(),
    };
    for (run_index, run) in of_leg() {
        learned.totals.add(&run.totals);
        for (case_index, case) in run.cases.iter().enumerate() {
            let known = failures.get(&(run_index, case_index));
            learned.loud.push((named(case), loud(case, known)));
            learned.failures.extend(known.cloned());
        }
    }
    learned.gate = gate(&learned.totals, learned.loud.iter().map(|(_, result)| result));
    learned.key = key(&learned);
    learned
}

fn named(case: &TestCase) -> TestNames<'_> {
    TestNames {
        id: case.id,
        suite: case.name.suite.raw(),
        class: case.name.classname.raw(),
        name: case.name.name.raw(),
        file: case.place.as_ref().map(|p| p.file.raw()),
    }
}

fn loud(case: &TestCase, known: Option<&KnownFailure>) -> NotableResult {
    let count = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
    NotableResult {
        id: case.id,
        outcome: case.outcome(),
        flaky: case.is_flaky(),
        bad_attempts: count(case.bad_attempts()),
        attempts: count(case.attempts.len()),
        mark: known.map(|k| k.mark),
    }
}

/// Whether a run is broken as a whole.
pub fn gate<'r>(totals: &Totals, loud: impl Iterator<Item = &'r NotableResult>) -> Option<RunExclusion> {
    let ran = totals.tests.saturating_sub(totals.skipped);
    let bad = totals.failed + totals.errored;
    let mut signals: HashMap<Signal, u64> = HashMap::new();
    for signal in loud.filter(|r| r.outcome.is_bad()).filter_map(|r| r.mark?.signal).filter(|s| s.is_outside()) {
        *signals.entry(signal).or_default() += 1;
    }
    let outage = signals.into_iter().max_by_key(|(signal, count)| (*count, *signal));
    if let Some((signal, count)) = outage {
        let share = count as f64 / ran.max(1) as f64;
        if count >= OUTAGE_CASES || (count >= 3 && share >= OUTAGE_SHARE) {
            return Some(RunExclusion::Outage(signal));
        }
    }
    (ran >= MOST_TESTS && bad as f64 >= MOST * ran as f64).then_some(RunExclusion::MostFailed)
}

/// A digest of what the run is and what it tells. The order of results does
/// not matter, and where the CI system numbers its runs the time does not
/// either, so that a report fetched again later is recognised.
fn key(learned: &RunRecord<'_>) -> [u8; 16] {
    // Identities are uniform hashes, so their sum is as good as a sorted list.
    let mut sum = 0_u128;
    for (id, outcome) in learned.runs.iter().flat_map(|run| run.quiet.ids()) {
        sum = sum.wrapping_add(id.0.rotate_left(u32::from(outcome == Outcome::Skipped)));
    }
    for (named, result) in &learned.loud {
        let line = named.id.0.rotate_left(2 + result.outcome as u32);
        sum = sum.wrapping_add(line ^ u128::from(result.bad_attempts) << 8 ^ u128::from(result.flaky));
    }
    let facts = &learned.facts;
    let time = if facts.run.is_some() { String::new() } else { learned.at.to_string() };
    let mut hash = Sha256::new();
    for part in [
        facts.run.as_deref().unwrap_or(""),
        facts.commit.as_deref().unwrap_or(""),
        facts.branch.as_deref().unwrap_or(""),
        facts.variant.as_deref().unwrap_or(""),
        &time,
    ] {
        hash.update(part.as_bytes());
        hash.update([0x1f]);
    }
    hash.update(facts.attempt.to_be_bytes());
    hash.update(sum.to_be_bytes());
    let mut key = [0; 16];
    key.copy_from_slice(&hash.finalize()[..16]);
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::junit;

    fn facts() -> RunFacts {
        RunFacts {
            commit: Some("abc".into()),
            branch: Some("main".into()),
            at: "2026-05-01T10:00:00Z".parse().ok(),
            attempt: 1,
            ..RunFacts::default()
        }
    }

    fn run(cases: &str) -> TestRun {
        junit::read("x", format!("<testsuite name='s'>{cases}</testsuite>").as_bytes())
    }

    #[test]
    fn the_key_ignores_order_and_sees_outcomes() {
        let a = "<testcase classname='a.b' name='t'/>";
        let b = "<testcase classname='a.b' name='u'/>";
        let failed = "<testcase classname='a.b' name='u'><failure/></testcase>";
        let key = |cases: &str| record(&[run(cases)], &facts(), &HashMap::new()).unwrap()[0].key;
        assert_eq!(key(&format!("{a}{b}")), key(&format!("{b}{a}")));
        assert_ne!(key(&format!("{a}{b}")), key(&format!("{a}{failed}")));
    }

    #[test]
    fn without_commit_or_results_nothing_is_learned() {
        let none = RunFacts { commit: None, ..facts() };
        let runs = [run("<testcase name='t'/>")];
        assert_eq!(record(&runs, &none, &HashMap::new()).unwrap_err(), RecordError::NoCommit);
        assert_eq!(record(&[run("")], &facts(), &HashMap::new()).unwrap_err(), RecordError::Empty);
    }

    #[test]
    fn a_run_in_which_nearly_all_fails_is_gated() {
        let bad = |n: u32| format!("<testcase classname='a.b' name='t{n}'><failure/></testcase>");
        let good = |n: u32| format!("<testcase classname='a.b' name='g{n}'/>");
        let cases: String = (0..9).map(bad).chain((0..1).map(good)).collect();
        let runs = [run(&cases)];
        assert_eq!(record(&runs, &facts(), &HashMap::new()).unwrap()[0].gate, Some(RunExclusion::MostFailed));
        let cases: String = (0..5).map(bad).chain((0..5).map(good)).collect();
        let runs = [run(&cases)];
        assert_eq!(record(&runs, &facts(), &HashMap::new()).unwrap()[0].gate, None);
    }
}
