//! Order dependence: which tests before a failing one make it fail.
//!
//! The search is a value without I/O: it asks for runs of tests in an order and is
//! shown whether the last of them passed. First the victim alone, then behind all
//! that ran before it; then the set is halved as long as one half is enough
//! (detect-test-pollution), and where neither half is, delta debugging takes over
//! (Zeller's ddmin). At last a cleaner is looked for: a test between polluter and
//! victim with which the victim passes (iFixFlakies).

use std::collections::VecDeque;

/// Runs that a search may ask for.
const RUNS: usize = 80;
/// Tests that are tried as cleaners.
const CLEANERS: usize = 12;

/// What the search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderDependence {
    /// The victim fails alone as well: its order is not the reason.
    FailsAlone,
    /// It passes alone and behind all that ran before it: order is no explanation.
    Passes,
    /// It passes alone and fails behind these; each of them is needed.
    Polluted {
        /// The tests that make it fail, in order.
        polluters: Vec<String>,
        /// A test that undoes it, if one was found.
        cleaner: Option<String>,
    },
    /// Too many runs would be needed: these are enough to make it fail, but maybe
    /// not all of them are needed.
    Unfinished(Vec<String>),
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NextRun {
    /// Run these tests in this order, the victim last.
    Run(Vec<String>),
    /// The search is over.
    Done(OrderDependence),
}

/// A search for what pollutes a test.
#[derive(Clone, Debug)]
pub struct PollutionSearch {
    victim: String,
    before: Vec<String>,
    runs: usize,
    stage: Phase,
}

#[derive(Clone, Debug)]
enum Phase {
    Alone,
    Whole,
    /// `set` makes the victim fail; `parts` are tried next, each alone, then each left out.
    Shrinking {
        set: Vec<String>,
        granularity: usize,
        parts: VecDeque<Vec<String>>,
        trying: Vec<String>,
    },
    Cleaning {
        polluters: Vec<String>,
        candidates: VecDeque<String>,
        trying: String,
    },
}

impl PollutionSearch {
    /// A search for what pollutes `victim`; `before` ran before it, in order.
    #[must_use]
    pub fn new(victim: &str, before: &[String]) -> Self {
        Self { victim: victim.to_owned(), before: before.to_vec(), runs: 0, stage: Phase::Alone }
    }

    /// The first step.
    pub fn begin(&mut self) -> NextRun {
        self.ask(&[])
    }

    fn ask(&mut self, tests: &[String]) -> NextRun {
        self.runs += 1;
        NextRun::Run(tests.iter().cloned().chain([self.victim.clone()]).collect())
    }

    /// The step after a run in which the victim `passed` or not.
    pub fn next(&mut self, passed: bool) -> NextRun {
        match std::mem::replace(&mut self.stage, Phase::Alone) {
            Phase::Alone if !passed => NextRun::Done(OrderDependence::FailsAlone),
            Phase::Alone if self.before.is_empty() => NextRun::Done(OrderDependence::Passes),
            Phase::Alone => {
                self.stage = Phase::Whole;
                self.ask(&self.before.clone())
            }
            Phase::Whole if passed => NextRun::Done(OrderDependence::Passes),
            Phase::Whole => self.shrink(self.before.clone(), 2),
            Phase::Shrinking { set, granularity, parts, trying } => {
                self.shrunk(passed, set, granularity, parts, trying)
            }
            Phase::Cleaning { polluters, trying, .. } if passed => {
                NextRun::Done(OrderDependence::Polluted { polluters, cleaner: Some(trying) })
            }
            Phase::Cleaning { polluters, candidates, .. } => self.clean(polluters, candidates),
        }
    }

    /// Begins to look for a smaller set than `set` in `granularity` parts.
    fn shrink(&mut self, set: Vec<String>, granularity: usize) -> NextRun {
        if set.len() <= 1 {
            return self.found(set);
        }
        let size = set.len().div_ceil(granularity);
        let chunks: Vec<Vec<String>> = set.chunks(size).map(<[String]>::to_vec).collect();
        let without = |left: &Vec<String>| set.iter().filter(|t| !left.contains(t)).cloned().collect::<Vec<_>>();
        let mut parts: VecDeque<Vec<String>> = chunks.iter().cloned().collect();
        if chunks.len() > 2 {
            parts.extend(chunks.iter().map(without));
        }
        self.try_next(set, granularity, parts)
    }

    fn try_next(&mut self, set: Vec<String>, granularity: usize, mut parts: VecDeque<Vec<String>>) -> NextRun {
        if self.runs >= RUNS {
            return NextRun::Done(OrderDependence::Unfinished(set));
        }
        match parts.pop_front() {
            Some(trying) => {
                let step = self.ask(&trying);
                self.stage = Phase::Shrinking { set, granularity, parts, trying };
                step
            }
            // No part is enough: smaller parts, until each is a single test.
            None if granularity < set.len() => {
                let finer = (granularity * 2).min(set.len());
                self.shrink(set, finer)
            }
            None => self.found(set),
        }
    }

    fn shrunk(
        &mut self,
        passed: bool,
        set: Vec<String>,
        granularity: usize,
        parts: VecDeque<Vec<String>>,
        trying: Vec<String>,
    ) -> NextRun {
        if passed {
            return self.try_next(set, granularity, parts);
        }
        let is_part = trying.len() * 2 <= set.len() + 1;
        self.shrink(trying, if is_part { 2 } else { granularity.saturating_sub(1).max(2) })
    }

    fn found(&mut self, polluters: Vec<String>) -> NextRun {
        // What ran between them and the victim did not clean up; others may.
        let last = polluters.last().and_then(|p| self.before.iter().position(|b| b == p)).unwrap_or(0);
        let candidates =
            self.before[..last].iter().filter(|t| !polluters.contains(t)).take(CLEANERS).cloned().collect();
        self.clean(polluters, candidates)
    }

    fn clean(&mut self, polluters: Vec<String>, mut candidates: VecDeque<String>) -> NextRun {
        let next = candidates.pop_front().filter(|_| self.runs < RUNS);
        let Some(trying) = next else { return NextRun::Done(OrderDependence::Polluted { polluters, cleaner: None }) };
        let order: Vec<String> = polluters.iter().cloned().chain([trying.clone()]).collect();
        let step = self.ask(&order);
        self.stage = Phase::Cleaning { polluters, candidates, trying };
        step
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays a search against a truth; gives what was found and the runs it took.
    fn play(before: usize, fails: impl Fn(&[usize]) -> bool) -> (OrderDependence, usize) {
        let names: Vec<String> = (0..before).map(|n| n.to_string()).collect();
        let mut search = PollutionSearch::new("v", &names);
        let mut step = search.begin();
        let mut runs = 0;
        loop {
            match step {
                NextRun::Done(found) => return (found, runs),
                NextRun::Run(order) => {
                    runs += 1;
                    assert_eq!(order.last().unwrap(), "v");
                    let numbers: Vec<usize> = order[..order.len() - 1].iter().map(|n| n.parse().unwrap()).collect();
                    assert!(numbers.len() == order.len() - 1);
                    step = search.next(!fails(&numbers));
                }
            }
        }
    }

    fn polluted(all: &[usize], cleaner: Option<usize>) -> OrderDependence {
        OrderDependence::Polluted {
            polluters: all.iter().map(ToString::to_string).collect(),
            cleaner: cleaner.map(|c| c.to_string()),
        }
    }

    #[test]
    fn victims_polluters_cleaners() {
        assert_eq!(play(9, |_| true).0, OrderDependence::FailsAlone);
        assert_eq!(play(9, |_| false).0, OrderDependence::Passes);
        // One polluter among a thousand, in about log2 of so many runs.
        let (found, runs) = play(1000, |tests| tests.contains(&613));
        assert_eq!(found, polluted(&[613], None));
        assert!(runs <= 24 + CLEANERS, "{runs}");
        // Two that are both needed, far apart.
        assert_eq!(play(60, |tests| tests.contains(&3) && tests.contains(&51)).0, polluted(&[3, 51], None));
        // One that is undone by another that runs after it.
        let undone = |tests: &[usize]| {
            let (bad, good) = (tests.iter().rposition(|t| *t == 8), tests.iter().rposition(|t| *t == 2));
            bad.is_some_and(|bad| good.is_none_or(|good| good < bad))
        };
        assert_eq!(play(20, undone).0, polluted(&[8], Some(2)));
    }

    proptest::proptest! {
        /// Whatever the polluters: they are found, and no others.
        #[test]
        fn the_polluters_are_found(before in 1_usize..40, a in 0_usize..40, b in 0_usize..40) {
            let (a, b) = (a % before, b % before);
            let (found, _) = play(before, |tests| tests.contains(&a) && tests.contains(&b));
            let mut expected = vec![a.min(b), a.max(b)];
            expected.dedup();
            let OrderDependence::Polluted { polluters, .. } = found else { panic!("{found:?}") };
            proptest::prop_assert_eq!(polluters, expected.iter().map(ToString::to_string).collect::<Vec<_>>());
        }
    }
}
