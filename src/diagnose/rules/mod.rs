//! The rules: one file a verdict. Each looks at the same case file and
//! contributes evidence; none decides.
//!
//! To add a rule, write it into the file of its verdict and give its weight a
//! line in [`weights`].

mod answers;
mod broken_test;
mod environment;
mod flaky;
mod outdated;
mod rate_limited;
mod regression;
pub mod weights;

use crate::code::openapi::Operation;
use crate::diagnose::fingerprint::MaskedFailure;
use crate::diagnose::mismatch::Mismatch;
use crate::diagnose::past_failures::PastFailureIndex;
use crate::diagnose::suspects::Suspect;
use crate::diagnose::test_history::TestHistory;
use crate::diagnose::verdict::{Evidence, Verdict};
use crate::history::{History, short};
use crate::model::change::Commit;
use crate::model::exchange::Exchange;
use crate::model::failure::{RunExclusion, Signal};
use crate::model::run::RunFacts;
use crate::model::test::TestCase;
use crate::model::text::Untrusted;

/// All there is to know about a group of failures.
#[derive(Debug)]
pub struct RuleInput<'a> {
    /// The cases, at least one.
    pub cases: Vec<&'a TestCase>,
    /// The past of each case.
    pub pasts: Vec<&'a TestHistory>,
    /// The failure of each case made comparable.
    pub prints: Vec<&'a MaskedFailure>,
    /// What the failures say about the world.
    pub signal: Option<Signal>,
    /// What the first assertion wanted.
    pub mismatch: Option<Mismatch>,
    /// Everything about the past.
    pub history: &'a History,
    /// Failures seen before, by how alike they are told.
    pub seen: &'a PastFailureIndex<'a>,
    /// Facts of the present run.
    pub facts: &'a RunFacts,
    /// Commits of the window, newest first; empty where unknown.
    pub commits: &'a [Commit],
    /// Those commits ranked.
    pub suspects: Vec<Suspect>,
    /// Cases that ran in the present run, and how many of them ended bad.
    pub ran: u64,
    /// See `ran`.
    pub bad: u64,
    /// Whether the present run is broken as a whole.
    pub gate: Option<RunExclusion>,
    /// What its cases sent and got, where that was recorded.
    pub exchanges: Vec<&'a Exchange>,
    /// What the API descriptions of the repository promise.
    pub described: &'a [Operation],
    /// Legs of the present run on which the first test passed.
    pub passing_legs: Vec<String>,
}

impl RuleInput<'_> {
    /// The past that speaks for the group: the longest of those without flakes,
    /// so that one restless neighbour does not excuse all.
    #[must_use]
    pub fn lead(&self) -> &TestHistory {
        let longest = self.pasts.iter().max_by_key(|p| {
            let restless = !p.mixed_commits.is_empty() || !p.sandwiches.is_empty();
            (!restless && !p.is_empty(), p.counted.len())
        });
        longest.copied().unwrap_or(self.pasts[0])
    }

    /// Whether every case failed more than once in this run and never passed.
    #[must_use]
    pub fn repeated(&self) -> bool {
        self.cases.iter().all(|c| c.bad_attempts() > 1 && c.outcome().is_bad())
    }

    /// Labels of runs, the first few and how many more.
    #[must_use]
    pub fn runs(&self, runs: &[u32]) -> String {
        let mut labels: Vec<String> = runs
            .iter()
            .rev()
            .take(4)
            .filter_map(|r| self.history.runs.get(*r as usize))
            .map(super::super::history::PastRun::label)
            .collect();
        if runs.len() > 4 {
            labels.push(format!("and {} more", runs.len() - 4));
        }
        labels.join(", ")
    }

    /// Shortened commits, the first few and how many more.
    #[must_use]
    pub fn commits_named(commits: &[String]) -> String {
        let mut names: Vec<&str> = commits.iter().take(4).map(|c| short(c)).collect();
        let more = format!("and {} more", commits.len().saturating_sub(4));
        if commits.len() > 4 {
            names.push(&more);
        }
        names.join(", ")
    }
}

/// What all rules have to say.
#[must_use]
pub fn evidence(file: &RuleInput<'_>) -> Vec<Evidence> {
    let mut out = EvidenceSink(Vec::new());
    flaky::testify(file, &mut out);
    regression::testify(file, &mut out);
    outdated::testify(file, &mut out);
    rate_limited::testify(file, &mut out);
    answers::testify(file, &mut out);
    environment::testify(file, &mut out);
    broken_test::testify(file, &mut out);
    out.0
}

/// Where rules put their evidence.
pub struct EvidenceSink(Vec<Evidence>);

impl EvidenceSink {
    fn add(&mut self, about: Verdict, kind: &'static str, weight: f64, text: impl AsRef<str>, source: impl AsRef<str>) {
        self.0.push(Evidence {
            about,
            kind,
            weight: (weight * 100.0).round() / 100.0,
            text: Untrusted::bounded(text.as_ref(), 600),
            source: Untrusted::bounded(source.as_ref(), 400),
        });
    }
}

/// Whether an assertion got a 5xx.
#[must_use]
pub fn got_server_error(file: &RuleInput<'_>) -> bool {
    let actual = file.mismatch.as_ref().and_then(|m| m.actual.raw().trim().parse::<u16>().ok());
    actual.is_some_and(|status| (500..600).contains(&status))
}

/// `1 run`, `2 runs`.
#[must_use]
pub fn count(n: usize, one: &str) -> String {
    if n == 1 {
        return format!("1 {one}");
    }
    match one.strip_suffix('s').or(one.strip_suffix("ch")) {
        Some(_) if one.ends_with("ss") || one.ends_with("ch") => format!("{n} {one}es"),
        _ => format!("{n} {one}s"),
    }
}
