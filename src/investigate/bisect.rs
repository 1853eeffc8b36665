//! Finds the commit that broke a test, by running it: as `git bisect` does, and with the
//! same answer where commits cannot be tested.

use std::collections::BTreeMap;

/// How a test ended at a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// It passed, each time.
    Passes,
    /// It failed, each time.
    Fails,
    /// It could not be run there.
    Cannot,
    /// It passed and failed.
    Both,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The last commit on which it passed, by its place in the line.
    pub last_good: usize,
    /// The first one on which it failed.
    pub first_bad: usize,
    /// How it ended wherever it was run.
    pub tried: BTreeMap<usize, Probe>,
}

/// Why nothing was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost<E> {
    /// It ends otherwise on the newest commit than was said.
    NewestIs(Probe),
    /// It fails wherever it was run, back to this commit.
    NeverPassed(usize),
    /// It both passes and fails on this commit.
    Unstable(usize),
    /// It could not be run at all.
    Trouble(E),
}

/// Looks for the first bad commit in a line of `count` commits, the oldest first; the
/// newest is bad. `good` is one that is said to be good, which is looked at first.
///
/// # Errors
/// Why there is none that can be told.
pub fn first_bad<E>(
    count: usize,
    good: Option<usize>,
    probe: &mut dyn FnMut(usize) -> Result<Probe, E>,
) -> Result<Found, Lost<E>> {
    let Some(newest) = count.checked_sub(1) else { return Err(Lost::NewestIs(Probe::Cannot)) };
    let mut tried = BTreeMap::new();
    let mut look = |at: usize, tried: &mut BTreeMap<usize, Probe>| -> Result<Probe, Lost<E>> {
        if let Some(known) = tried.get(&at) {
            return Ok(*known);
        }
        let found = probe(at).map_err(Lost::Trouble)?;
        tried.insert(at, found);
        if found == Probe::Both { Err(Lost::Unstable(at)) } else { Ok(found) }
    };
    match look(newest, &mut tried)? {
        Probe::Fails => {}
        other => return Err(Lost::NewestIs(other)),
    }
    let mut bad = newest;
    let mut low = None;
    // Ever further back, until it passes.
    let begin = good.filter(|at| *at < newest);
    let back = (0..).map(|n| 1_usize << n).map(|step| newest.checked_sub(step));
    let places = begin.map(Some).into_iter().chain(back.take_while(Option::is_some)).flatten().chain([0]);
    for at in places {
        match look(at, &mut tried)? {
            Probe::Passes => {
                low = Some(at);
                break;
            }
            Probe::Fails => bad = bad.min(at),
            Probe::Cannot | Probe::Both => {}
        }
    }
    let Some(mut low) = low else { return Err(Lost::NeverPassed(bad)) };
    // What failed before it passed is another story.
    bad = tried.iter().filter(|(at, p)| **at > low && **p == Probe::Fails).map(|(at, _)| *at).min().unwrap_or(newest);
    while bad - low > 1 {
        let Some(middle) = middle(low, bad, &tried) else { break };
        match look(middle, &mut tried)? {
            Probe::Passes => low = middle,
            Probe::Fails => bad = middle,
            Probe::Cannot | Probe::Both => {}
        }
    }
    Ok(Found { last_good: low, first_bad: bad, tried })
}

/// The place nearest to the middle that was not tried yet.
fn middle(low: usize, bad: usize, tried: &BTreeMap<usize, Probe>) -> Option<usize> {
    let centre = usize::midpoint(low, bad);
    (low + 1..bad).filter(|at| !tried.contains_key(at)).min_by_key(|at| at.abs_diff(centre))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(line: &str, good: Option<usize>) -> Result<Found, Lost<String>> {
        let letters = line.as_bytes();
        first_bad(letters.len(), good, &mut |at| {
            Ok(match letters[at] {
                b'P' => Probe::Passes,
                b'F' => Probe::Fails,
                b'B' => Probe::Both,
                b'E' => return Err("no room".to_owned()),
                _ => Probe::Cannot,
            })
        })
    }

    #[test]
    fn ends() {
        let found = |line: &str, good| run(line, good).map(|f| (f.last_good, f.first_bad));
        assert_eq!(found("PPPFFF", None), Ok((2, 3)));
        assert_eq!(found("PF", Some(0)), Ok((0, 1)));
        assert_eq!(found("P--FF", Some(0)), Ok((0, 3)), "what cannot be tested stays between them");
        assert_eq!(found("FFFPPF", None), Ok((4, 5)), "what failed long ago is another story");
        assert_eq!(found("PFPPPF", Some(1)), Ok((4, 5)), "what is said to be good may be bad");
        assert_eq!(found("FFFF", None), Err(Lost::NeverPassed(0)));
        assert_eq!(found("PPP", None), Err(Lost::NewestIs(Probe::Passes)));
        assert_eq!(found("F", None), Err(Lost::NeverPassed(0)));
        assert_eq!(found("PBF", None), Err(Lost::Unstable(1)));
        assert_eq!(found("EF", None), Err(Lost::Trouble("no room".to_owned())));
        assert_eq!(found("", None), Err(Lost::NewestIs(Probe::Cannot)));
    }

    proptest! {
        /// In any line with one break it is found, in few runs, whatever cannot be tested.
        #[test]
        fn the_break_is_found(before in 1_usize..80, after in 1_usize..80, holes in prop::collection::vec(0_usize..160, 0..6)) {
            let count = before + after;
            let can = |at: usize| at == 0 || at == count - 1 || !holes.contains(&at);
            let mut runs = 0;
            let found = first_bad::<()>(count, Some(0), &mut |at| {
                runs += 1;
                Ok(if !can(at) { Probe::Cannot } else if at < before { Probe::Passes } else { Probe::Fails })
            }).unwrap();
            prop_assert!(found.last_good < before && found.first_bad >= before);
            prop_assert!((found.last_good + 1..found.first_bad).all(|at| !can(at)), "{found:?}");
            prop_assert!(runs <= 10 + 2 * holes.len(), "{runs} runs of {count}");
        }
    }
}
