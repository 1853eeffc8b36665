//! The past of one test, read for one present run.

use std::collections::{BTreeMap, HashSet};

use crate::history::{History, Sample, same_commit};
use crate::model::failure::{Fingerprint, Signal};
use crate::model::run::RunFacts;
use crate::model::test::{Outcome, TestId};

/// Samples looked at; older ones are out of sight.
const LOOK_BACK: usize = 2000;
/// Results shown in a strip.
const STRIP: usize = 30;

/// One result in a strip, oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunMark {
    /// Passed at once.
    Passed,
    /// Passed after a failed attempt.
    Flaky,
    /// Failed or errored.
    Bad,
    /// Failed with the whole run, or for a reason outside: does not count.
    Outside,
    /// Not run.
    Skipped,
}

/// What the past of a test tells. Runs are given by their index in
/// [`History::runs`], so that every number can be traced to its samples.
#[derive(Clone, Debug, Default)]
pub struct TestHistory {
    /// Runs that count: ran the test, and were not broken as a whole.
    pub counted: Vec<u32>,
    /// Those in which it ended bad.
    pub bad: Vec<u32>,
    /// Those in which it was flaky within the run.
    pub flaky: Vec<u32>,
    /// Runs left out because they, or the failure, were broken from outside.
    pub outside: Vec<u32>,
    /// Commits with both outcomes, or with a flaky result.
    pub mixed_commits: Vec<String>,
    /// Short failures between passes on the line of runs (P F P, P F F P).
    pub sandwiches: Vec<u32>,
    /// Bad runs at the end of the line, oldest first, the present one not included.
    pub streak: Vec<u32>,
    /// Clean passes in a row before the streak.
    pub passes_before: usize,
    /// The run before the streak.
    pub last_good: Option<u32>,
    /// Runs of the present commit in which it passed.
    pub passed_here: Vec<u32>,
    /// Earlier results with the fingerprint that the present failure has.
    pub same_failure: Vec<u32>,
    /// Of those, the ones that were flaky or sandwiched.
    pub same_flake: Vec<u32>,
    /// Other branches on which the same fingerprint was seen.
    pub other_branches: Vec<String>,
    /// Bad or not, for the change point: the counted runs in order.
    pub series: Vec<bool>,
    /// The latest results.
    pub strip: Vec<RunMark>,
    /// The name it had before, if it was renamed.
    pub alias: Option<String>,
}

impl TestHistory {
    /// Whether it ran before and never passed.
    #[must_use]
    pub fn never_passed(&self) -> bool {
        !self.counted.is_empty() && self.bad.len() == self.counted.len()
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counted.is_empty()
    }
}

/// Reads the past of `id` as a run with `facts` and `variant` sees it.
#[must_use]
pub fn read(
    history: &History,
    id: TestId,
    facts: &RunFacts,
    variant: Option<&str>,
    present: Option<Fingerprint>,
) -> TestHistory {
    let mut past = TestHistory::default();
    let samples = samples_of(history, id, &mut past);
    let samples = of_variant(history, samples, variant);
    let line = line_of_runs(history, &samples, facts);
    let view = HistoryView { history, redeemed: redeemed(history, &line, present) };
    let history = &view;
    for sample in &line {
        past.strip.push(mark(history, sample));
        take(&mut past, history, sample);
    }
    let from = past.strip.len().saturating_sub(STRIP);
    past.strip.drain(..from);
    read_streak(&mut past, &line, history);
    read_sandwiches(&mut past, &line, history);
    read_commits(&mut past, &samples, history, facts);
    read_same_failure(&mut past, &samples, history, present, facts);
    past
}

/// All samples of the test, also under the name it had before.
fn samples_of(history: &History, id: TestId, past: &mut TestHistory) -> Vec<Sample> {
    let mut samples: Vec<Sample> = history.samples.get(&id).cloned().unwrap_or_default();
    let mut seen = HashSet::from([id]);
    let mut at = id;
    while let Some(alias) = history.aliases.iter().find(|a| a.now == at && !seen.contains(&a.was)) {
        let was = history.samples.get(&alias.was).map_or(&[][..], Vec::as_slice);
        // A test that still ran once its successor was there was not renamed.
        let first = samples.iter().map(|s| history.runs[s.run as usize].at).min();
        if first.is_some_and(|first| was.iter().any(|s| history.runs[s.run as usize].at >= first)) {
            break;
        }
        past.alias.get_or_insert_with(|| alias.because.clone());
        samples.extend(was);
        seen.insert(alias.was);
        at = alias.was;
    }
    samples.sort_by_key(|s| (history.runs[s.run as usize].at, s.run));
    samples
}

/// The samples of the same matrix leg. Where no legs were named so far, or the
/// present run names none, all of them: else another leg's past is not this one's.
fn of_variant(history: &History, samples: Vec<Sample>, variant: Option<&str>) -> Vec<Sample> {
    let leg = |s: &Sample| history.runs[s.run as usize].variant.as_deref();
    let same: Vec<Sample> = samples.iter().filter(|s| leg(s) == variant).copied().collect();
    let unnamed = variant.is_none() || samples.iter().all(|s| leg(s).is_none());
    if same.is_empty() && unnamed { samples } else { same }
}

/// The runs in a line: those of the default branch, then those of the present
/// branch, each by time.
fn line_of_runs(history: &History, samples: &[Sample], facts: &RunFacts) -> Vec<Sample> {
    let default = history.default_branch();
    let own = facts.branch.as_deref().or(default);
    let branch = |s: &&Sample| history.runs[s.run as usize].branch.as_str();
    let mut line: Vec<Sample> = samples.iter().filter(|s| Some(branch(s)) == default).copied().collect();
    if own != default {
        // What the default branch did after this one left it is not its past.
        let start = samples.iter().filter(|s| Some(branch(s)) == own).map(|s| history.runs[s.run as usize].at).min();
        line.retain(|s| start.is_none_or(|start| history.runs[s.run as usize].at <= start));
        line.extend(samples.iter().filter(|s| Some(branch(s)) == own).copied());
    }
    if line.is_empty() {
        line.extend(samples);
    }
    let from = line.len().saturating_sub(LOOK_BACK);
    line.split_off(from)
}

/// Whether a sample says nothing about the test itself.
fn is_outside(view: &HistoryView<'_>, sample: &Sample) -> bool {
    let gated = view.runs[sample.run as usize].gate.is_some() && !view.redeemed.contains(&sample.run);
    let outside = view.mark(sample).and_then(|m| m.signal).is_some_and(Signal::is_outside);
    (gated || outside) && (sample.outcome.is_bad() || sample.flaky)
}

/// History as seen for one failure.
struct HistoryView<'h> {
    history: &'h History,
    /// Runs that failed as a whole and count all the same.
    redeemed: HashSet<u32>,
}

impl std::ops::Deref for HistoryView<'_> {
    type Target = History;

    fn deref(&self) -> &History {
        self.history
    }
}

/// A whole run that fails, fails on and looks the same each time is no outage
/// that passes by: the latest runs in a row with the present failure count,
/// although most of each failed.
fn redeemed(history: &History, line: &[Sample], present: Option<Fingerprint>) -> HashSet<u32> {
    line.iter()
        .rev()
        .filter(|s| s.outcome != Outcome::Skipped)
        .take_while(|s| s.outcome.is_bad())
        .filter(|s| present.is_some() && history.mark(s).map(|m| m.fingerprint) == present)
        .map(|s| s.run)
        .collect()
}

fn mark(history: &HistoryView<'_>, sample: &Sample) -> RunMark {
    match sample.outcome {
        _ if is_outside(history, sample) => RunMark::Outside,
        Outcome::Passed if sample.flaky => RunMark::Flaky,
        Outcome::Passed => RunMark::Passed,
        Outcome::Failed | Outcome::Errored => RunMark::Bad,
        Outcome::Skipped => RunMark::Skipped,
    }
}

fn take(past: &mut TestHistory, history: &HistoryView<'_>, sample: &Sample) {
    match mark(history, sample) {
        RunMark::Skipped => return,
        RunMark::Outside => return past.outside.push(sample.run),
        RunMark::Bad => past.bad.push(sample.run),
        RunMark::Flaky => past.flaky.push(sample.run),
        RunMark::Passed => {}
    }
    past.counted.push(sample.run);
    past.series.push(sample.outcome.is_bad());
}

/// The samples of a line that count.
fn counting<'a>(line: &'a [Sample], history: &'a HistoryView<'_>) -> impl DoubleEndedIterator<Item = &'a Sample> {
    line.iter().filter(|s| s.outcome != Outcome::Skipped && !is_outside(history, s))
}

fn read_streak(past: &mut TestHistory, line: &[Sample], history: &HistoryView<'_>) {
    let mut back = counting(line, history).rev().peekable();
    while let Some(bad) = back.next_if(|s| s.outcome.is_bad()) {
        past.streak.push(bad.run);
    }
    past.streak.reverse();
    past.last_good = back.peek().map(|s| s.run);
    past.passes_before = back.take_while(|s| !s.outcome.is_bad() && !s.flaky).count();
}

/// Failures of one or two runs with passes on both sides.
fn read_sandwiches(past: &mut TestHistory, line: &[Sample], history: &HistoryView<'_>) {
    let samples: Vec<&Sample> = counting(line, history).collect();
    let mut at = 0;
    while at < samples.len() {
        let length = samples[at..].iter().take_while(|s| s.outcome.is_bad()).count();
        if length == 0 {
            at += 1;
            continue;
        }
        if at > 0 && length <= 2 && at + length < samples.len() {
            past.sandwiches.push(samples[at].run);
        }
        at += length;
    }
}

/// Commits on which the test both passed and failed, on any branch.
fn read_commits(past: &mut TestHistory, samples: &[Sample], history: &HistoryView<'_>, facts: &RunFacts) {
    let mut by_commit: BTreeMap<(&str, Option<&str>), (bool, bool)> = BTreeMap::new();
    for sample in counting(samples, history) {
        let run = &history.runs[sample.run as usize];
        let seen = by_commit.entry((&run.commit, run.variant.as_deref())).or_default();
        seen.0 |= sample.outcome == Outcome::Passed;
        seen.1 |= sample.outcome.is_bad() || sample.flaky;
        let here = facts.commit.as_deref().is_some_and(|present| same_commit(present, &run.commit));
        if here && sample.outcome == Outcome::Passed {
            past.passed_here.push(sample.run);
        }
    }
    past.mixed_commits =
        by_commit.into_iter().filter(|(_, (good, bad))| *good && *bad).map(|((c, _), _)| c.to_owned()).collect();
    past.mixed_commits.dedup();
}

fn read_same_failure(
    past: &mut TestHistory,
    samples: &[Sample],
    history: &HistoryView<'_>,
    present: Option<Fingerprint>,
    facts: &RunFacts,
) {
    let Some(present) = present else { return };
    let sandwiched: HashSet<u32> = past.sandwiches.iter().copied().collect();
    let default = history.default_branch();
    for sample in samples.iter().filter(|s| history.mark(s).is_some_and(|m| m.fingerprint == present)) {
        past.same_failure.push(sample.run);
        let run = &history.runs[sample.run as usize];
        let mixed = past.mixed_commits.contains(&run.commit);
        if sample.flaky || sandwiched.contains(&sample.run) || mixed {
            past.same_flake.push(sample.run);
        }
        let elsewhere = Some(run.branch.as_str()) != default && Some(&run.branch) != facts.branch.as_ref();
        if elsewhere && facts.commit.as_ref() != Some(&run.commit) && !past.other_branches.contains(&run.branch) {
            past.other_branches.push(run.branch.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::PastRun;
    use crate::model::failure::{FailureMark, RunExclusion};
    use crate::model::time::Timestamp;

    /// One letter a run: `P`ass, `F`ail, `K` flaky, `S`kip, `G` failed in a
    /// gated run, `R` rate-limited; a digit after it repeats the commit before.
    fn history(line: &str) -> History {
        let mut history = History::default();
        let mark = |signal| FailureMark { fingerprint: Fingerprint { version: 1, digest: 7 }, signal };
        history.marks = vec![mark(None), mark(Some(Signal::RateLimited))];
        for (index, letter) in line.chars().enumerate() {
            let run = u32::try_from(index).unwrap();
            let commit = if letter.is_lowercase() { index - 1 } else { index };
            history.runs.push(PastRun {
                commit: format!("c{commit}"),
                branch: "main".into(),
                at: Timestamp::from_unix(1000 * i64::from(run)),
                run: None,
                attempt: 1,
                variant: None,
                gate: (letter == 'G').then_some(RunExclusion::MostFailed),
                tests: 20,
                bad: 0,
                flaky: 0,
            });
            let (outcome, flaky, mark) = match letter.to_ascii_uppercase() {
                'P' => (Outcome::Passed, false, crate::history::NO_MARK),
                'K' => (Outcome::Passed, true, 0),
                'S' => (Outcome::Skipped, false, crate::history::NO_MARK),
                'R' => (Outcome::Failed, false, 1),
                _ => (Outcome::Failed, false, 0),
            };
            history.samples.entry(TestId(1)).or_default().push(Sample { run, outcome, flaky, bad_attempts: 1, mark });
        }
        history
    }

    fn past(line: &str) -> TestHistory {
        read(&history(line), TestId(1), &RunFacts::default(), None, Some(Fingerprint { version: 1, digest: 7 }))
    }

    #[test]
    fn streaks_and_windows() {
        let table = [
            ("PPPP", 0, 4, Some(3)),
            ("PPFF", 2, 2, Some(1)),
            ("PPFSF", 2, 2, Some(1)),
            ("FFF", 3, 0, None),
            ("PPGP", 0, 3, Some(3)),
            ("PPGF", 2, 2, Some(1)),
            ("PPKF", 1, 0, Some(2)),
            ("", 0, 0, None),
        ];
        for (line, streak, before, good) in table {
            let past = past(line);
            assert_eq!((past.streak.len(), past.passes_before, past.last_good), (streak, before, good), "{line}");
        }
    }

    #[test]
    fn an_outage_teaches_nothing_about_a_test() {
        let past = past("PPPGPPRP");
        assert_eq!((past.bad.len(), past.outside.len(), past.sandwiches.len()), (0, 2, 0));
        assert!(past.mixed_commits.is_empty());
    }

    #[test]
    fn flake_evidence() {
        assert_eq!(past("PFPPFP").sandwiches.len(), 2);
        assert_eq!(past("PFFFP").sandwiches.len(), 0);
        assert_eq!(past("PFp").mixed_commits, ["c1"]);
        assert_eq!(past("PKP").mixed_commits, ["c1"]);
        assert_eq!(past("PFPK").same_flake.len(), 2);
        assert!(past("FFF").never_passed() && !past("FFP").never_passed());
    }
}
