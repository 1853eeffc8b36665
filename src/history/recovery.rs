//! How the tests of an issue did since their failure was last seen.

use std::collections::BTreeMap;

use crate::history::{History, Sample};
use crate::model::run::TestRun;
use crate::model::test::{Outcome, TestId};
use crate::model::time::Timestamp;

/// How one test did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassesSince {
    /// It did not run since.
    NotRun,
    /// Clean runs in a row up to the present one; 0 where the latest was not clean.
    Passes(u64),
}

/// Clean runs of `test` on `branch` after `last`, in a row up to now, the
/// present run included. A run counts once, however many matrix legs it has,
/// and is clean if the test passed at once on each of them.
#[must_use]
pub fn since(history: &History, present: &[TestRun], test: TestId, branch: &str, last: Timestamp) -> PassesSince {
    let mut runs: BTreeMap<(i64, String), bool> = BTreeMap::new();
    for sample in history.samples.get(&test).into_iter().flatten() {
        let run = &history.runs[sample.run as usize];
        if run.branch != branch || run.at <= last || sample.outcome == Outcome::Skipped {
            continue;
        }
        let name = run.run.as_ref().map_or_else(|| run.commit.clone(), |id| format!("{id}.{}", run.attempt));
        // Legs of one run have one time only where it is that of the run.
        let key = runs.keys().find(|(_, known)| *known == name).cloned().unwrap_or((run.at.unix(), name));
        *runs.entry(key).or_insert(true) &= is_clean(sample);
    }
    let now = at_present(present, test);
    if runs.is_empty() && now.is_none() {
        return PassesSince::NotRun;
    }
    if now == Some(false) {
        return PassesSince::Passes(0);
    }
    let before = runs.values().rev().take_while(|clean| **clean).count() as u64;
    PassesSince::Passes(before + u64::from(now == Some(true)))
}

fn is_clean(sample: &Sample) -> bool {
    sample.outcome == Outcome::Passed && !sample.flaky
}

/// Whether the test passed at once in the present run; `None` where it did not run.
fn at_present(present: &[TestRun], test: TestId) -> Option<bool> {
    if present.iter().flat_map(|run| &run.cases).any(|case| case.id == test) {
        return Some(false);
    }
    let mut quiet = present.iter().flat_map(|run| run.quiet.ids());
    quiet.any(|(id, outcome)| id == test && outcome == Outcome::Passed).then_some(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{NO_MARK, PastRun};

    fn history(line: &str) -> History {
        let mut history = History::default();
        for (index, letter) in line.chars().enumerate() {
            let run = u32::try_from(index).unwrap();
            history.runs.push(PastRun {
                commit: format!("c{index}"),
                branch: if letter == 'b' { "other".into() } else { "main".into() },
                at: Timestamp::from_unix(1000 * i64::from(run)),
                run: Some(run.to_string()),
                attempt: 1,
                variant: None,
                gate: None,
                tests: 1,
                bad: 0,
                flaky: 0,
            });
            let outcome = match letter {
                'F' | 'b' => Outcome::Failed,
                'S' => Outcome::Skipped,
                _ => Outcome::Passed,
            };
            let sample = Sample { run, outcome, flaky: letter == 'K', bad_attempts: 0, mark: NO_MARK };
            history.samples.entry(TestId(1)).or_default().push(sample);
        }
        history
    }

    #[test]
    fn clean_runs_in_a_row() {
        let table = [
            ("FPPP", 0, PassesSince::Passes(3)),
            ("FPFP", 0, PassesSince::Passes(1)),
            ("FPKP", 0, PassesSince::Passes(1)),
            ("FPPF", 0, PassesSince::Passes(0)),
            ("PPPP", 3000, PassesSince::NotRun),
            ("FPbP", 0, PassesSince::Passes(2)),
            ("FSSS", 0, PassesSince::NotRun),
        ];
        for (line, last, expected) in table {
            assert_eq!(since(&history(line), &[], TestId(1), "main", Timestamp::from_unix(last)), expected, "{line}");
        }
    }
}
