//! Flaky: different outcomes without a relevant change.

use super::weights as w;
use super::{EvidenceSink, RuleInput, count};
use crate::diagnose::test_history::TestHistory;
use crate::diagnose::verdict::Verdict::Flaky;
use crate::model::failure::Signal;

pub(super) fn testify(file: &RuleInput<'_>, out: &mut EvidenceSink) {
    in_this_run(file, out);
    over_commits(file, out);
    over_runs(file, out);
    against(file, out);
}

fn in_this_run(file: &RuleInput<'_>, out: &mut EvidenceSink) {
    let flaky = file.cases.iter().filter(|c| c.is_flaky()).count();
    if flaky > 0 {
        let bad: usize = file.cases.iter().map(|c| c.bad_attempts().max(1)).sum();
        out.add(
            Flaky,
            "passed-on-retry",
            w::PASSED_ON_RETRY,
            format!("failed in {} and then passed, in the same run on the same code", count(bad, "attempt")),
            "attempts in this report",
        );
    }
    let past = file.lead();
    if !past.passed_here.is_empty() && flaky == 0 {
        let commit = file.facts.commit.as_deref().unwrap_or("");
        out.add(
            Flaky,
            "same-commit-passed",
            w::SAME_COMMIT_PASSED,
            format!(
                "the same commit {} passed in {}",
                crate::history::short(commit),
                count(past.passed_here.len(), "other run")
            ),
            file.runs(&past.passed_here),
        );
    }
}

fn over_commits(file: &RuleInput<'_>, out: &mut EvidenceSink) {
    let past = file.lead();
    let mixed = past.mixed_commits.len();
    if mixed == 0 {
        return;
    }
    let (low, mean, high) = rate(past.bad.len() + past.flaky.len(), past.counted.len());
    out.add(
        Flaky,
        "mixed-commits",
        if mixed > 1 { w::MIXED_COMMITS } else { w::MIXED_COMMIT },
        format!(
            "{} both passed and failed before; it fails in about {:.1} % of runs (90 % interval {:.1} to {:.1} %)",
            count(mixed, "commit"),
            mean * 100.0,
            low * 100.0,
            high * 100.0
        ),
        format!("commits {}", RuleInput::commits_named(&past.mixed_commits)),
    );
}

fn over_runs(file: &RuleInput<'_>, out: &mut EvidenceSink) {
    let past = file.lead();
    if !past.sandwiches.is_empty() {
        let weight = w::SANDWICHES[past.sandwiches.len().min(5) - 1];
        out.add(
            Flaky,
            "failed-between-passes",
            weight,
            format!(
                "failed briefly between passes {} in {}",
                times(past.sandwiches.len()),
                count(past.counted.len(), "run")
            ),
            file.runs(&past.sandwiches),
        );
    }
    if !past.same_flake.is_empty() {
        out.add(
            Flaky,
            "same-as-earlier-flake",
            w::SAME_AS_FLAKE,
            format!("the same failure came and went {} before", times(past.same_flake.len())),
            file.runs(&past.same_flake),
        );
    }
    if past.other_branches.len() > 1 {
        out.add(
            Flaky,
            "on-other-branches",
            w::OTHER_BRANCHES,
            format!(
                "the same failure was seen on {} that have nothing to do with this one",
                count(past.other_branches.len(), "branch")
            ),
            past.other_branches.iter().take(4).cloned().collect::<Vec<_>>().join(", "),
        );
    }
    if file.signal == Some(Signal::TimeOut) && past.streak.is_empty() {
        out.add(
            Flaky,
            "time-out",
            w::TIME_OUT_FLAKES,
            "it ran out of time, which often depends on the load of the machine",
            "this report",
        );
    }
}

fn against(file: &RuleInput<'_>, out: &mut EvidenceSink) {
    let past = file.lead();
    if past.never_passed() && !file.cases.iter().any(|c| c.is_flaky()) {
        out.add(
            Flaky,
            "never-passed",
            if past.counted.len() >= 3 { w::NEVER_PASSED_NOT_FLAKY } else { w::SELDOM_RAN_NOT_FLAKY },
            format!(
                "never passed in {}: a test that always fails is not flaky",
                count(past.counted.len(), "earlier run")
            ),
            file.runs(&past.counted),
        );
    } else if past.streak.len() >= 2 && file.cases.iter().all(|c| c.outcome().is_bad()) {
        out.add(
            Flaky,
            "fails-every-time",
            solid(past),
            format!("failed in each of the last {}, this one included", count(past.streak.len() + 1, "run")),
            file.runs(&past.streak),
        );
    }
    if file.repeated() {
        out.add(
            Flaky,
            "failed-every-attempt",
            w::REPEATED_NOT_FLAKY,
            "every attempt of this run failed",
            "attempts in this report",
        );
    }
    if past.passes_before >= 10 && past.mixed_commits.is_empty() && past.sandwiches.is_empty() {
        out.add(
            Flaky,
            "clean-past",
            w::CLEAN_PAST_NOT_FLAKY,
            format!("no flake in the {} before", count(past.passes_before, "clean run")),
            "history",
        );
    }
}

/// How much a streak speaks against luck: its log-likelihood at the rate at
/// which the test failed before, where it came and went, at most
/// [`w::SOLID_NOT_FLAKY`]. Three failures in a row are no surprise for a test
/// that fails every second time.
fn solid(past: &TestHistory) -> f64 {
    if past.sandwiches.is_empty() && past.mixed_commits.is_empty() {
        return w::SOLID_NOT_FLAKY;
    }
    let before = past.counted.len() - past.streak.len();
    let bad = past.bad.len() + past.flaky.len() - past.streak.len();
    let rate = (bad as f64 / before.max(1) as f64).clamp(0.02, 0.95);
    (past.streak.len() as f64 * rate.ln()).max(w::SOLID_NOT_FLAKY)
}

fn times(n: usize) -> String {
    match n {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        n => format!("{n} times"),
    }
}

/// Posterior failure rate with a Jeffreys prior, Beta(x + ½, n − x + ½): its
/// mean and a 90 % interval by the normal approximation, clamped to [0, 1].
fn rate(bad: usize, runs: usize) -> (f64, f64, f64) {
    let (a, b) = (bad as f64 + 0.5, runs.saturating_sub(bad) as f64 + 0.5);
    let mean = a / (a + b);
    let deviation = (a * b / ((a + b).powi(2) * (a + b + 1.0))).sqrt();
    ((mean - 1.645 * deviation).max(0.0), mean, (mean + 1.645 * deviation).min(1.0))
}
