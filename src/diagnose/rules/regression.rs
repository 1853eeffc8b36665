//! Regression: it passed, then a commit came, and since then it fails.

use super::weights as w;
use super::{EvidenceSink, RuleInput, count};
use crate::diagnose::changepoint;
use crate::diagnose::verdict::Verdict::Regression;
use crate::history::short;
use crate::ingest::source_location::is_test_path;

pub(super) fn testify(file: &RuleInput<'_>, out: &mut EvidenceSink) {
    if file.cases.iter().all(|c| c.is_flaky()) {
        return;
    }
    window(file, out);
    change(file, out);
    failure(file, out);
    against(file, out);
}

fn window(file: &RuleInput<'_>, out: &mut EvidenceSink) {
    let past = file.lead();
    if past.is_empty() {
        out.add(Regression, "no-past", w::NO_PAST, "no earlier run of this test is known", "history");
        return;
    }
    if past.passes_before > 0 {
        let n = past.passes_before;
        let good = past.last_good.and_then(|run| file.history.runs.get(run as usize));
        let until = good.map(|r| format!(" up to {} ({})", short(&r.commit), r.at.date())).unwrap_or_default();
        out.add(
            Regression,
            "passed-before",
            w::CLEAN_BEFORE * (1.0 + n as f64).ln(),
            format!(
                "passed in {}{until}",
                if n == 1 { "the run before".to_owned() } else { format!("{n} runs in a row") }
            ),
            good.map(crate::history::PastRun::label).unwrap_or_default(),
        );
    }
    let streak = past.streak.len() + 1;
    if past.last_good.is_some() && streak > 1 {
        let first = past.streak.first().and_then(|run| file.history.runs.get(*run as usize));
        let since = first.map(|r| format!(" since {} ({})", short(&r.commit), r.at.date())).unwrap_or_default();
        out.add(
            Regression,
            "fails-since",
            w::STREAK * (streak as f64).ln(),
            format!("failed in every one of {}{since}", count(streak, "run")),
            file.runs(&past.streak),
        );
    }
    rate_change(file, out);
}

fn rate_change(file: &RuleInput<'_>, out: &mut EvidenceSink) {
    let past = file.lead();
    let mut series = past.series.clone();
    series.push(true);
    let Some(point) = changepoint::latest(&series) else {
        return;
    };
    let worse = point.after.0 * point.before.1 > point.before.0 * point.after.1;
    if worse && past.last_good.is_some() {
        out.add(
            Regression,
            "change-point",
            w::CHANGE_POINT,
            format!(
                "the failure rate changed from {} of {} runs to {} of {} runs",
                point.before.0, point.before.1, point.after.0, point.after.1
            ),
            past.counted.get(point.at).map_or("this run".to_owned(), |run| file.runs(&[*run])),
        );
    }
}

fn change(file: &RuleInput<'_>, out: &mut EvidenceSink) {
    if let Some(first) = file.suspects.first().filter(|s| s.score >= 0.2) {
        out.add(
            Regression,
            "suspect",
            w::SUSPECT * first.score,
            format!("commit {} in the window: {}", short(&first.commit), first.because),
            format!("commit {}", short(&first.commit)),
        );
    }
    let touched = || file.commits.iter().flat_map(|c| &c.files);
    if !file.commits.is_empty() && touched().next().is_some() && touched().all(|f| is_test_path(&f.path)) {
        out.add(
            Regression,
            "only-tests-changed",
            w::ONLY_TESTS_CHANGED,
            format!("{} in the window changed only tests", count(file.commits.len(), "commit")),
            "git log of the window",
        );
    }
}

fn failure(file: &RuleInput<'_>, out: &mut EvidenceSink) {
    if file.repeated() {
        out.add(Regression, "reproduced", w::REPRODUCED, "every attempt of this run failed", "attempts in this report");
    }
    let past = file.lead();
    if file.cases.len() >= 3 && file.gate.is_none() && past.last_good.is_some() {
        out.add(
            Regression,
            "together",
            w::TOGETHER,
            format!("{} fail alike at once", count(file.cases.len(), "test")),
            "this report",
        );
    }
    let frame = file.prints.iter().find_map(|p| p.frames.first()).filter(|f| !f.in_test);
    if let Some(frame) = frame {
        out.add(
            Regression,
            "product-frame",
            w::PRODUCT_FRAME,
            format!("the failure arises in product code, {}", frame.file),
            format!("{}:{}", frame.file, frame.line),
        );
    }
    if is_server_error(file) {
        out.add(
            Regression,
            "server-error",
            w::SERVER_ERROR,
            "the product answered with a server error or crashed",
            "this report",
        );
    }
}

/// A 5xx that the assertion got, or a crash of the process.
#[must_use]
pub(super) fn is_server_error(file: &RuleInput<'_>) -> bool {
    let text = |p: &&crate::diagnose::fingerprint::MaskedFailure| {
        let masked = p.masked.to_lowercase();
        let crash =
            ["segmentation fault", "sigsegv", "core dumped", "panicked at", "internal server error", "stack overflow"];
        crash.iter().any(|c| masked.contains(c))
    };
    super::got_server_error(file) || file.prints.iter().any(text)
}

fn against(file: &RuleInput<'_>, out: &mut EvidenceSink) {
    let past = file.lead();
    if !past.passed_here.is_empty() {
        out.add(
            Regression,
            "same-commit-passed",
            w::PASSED_HERE_NOT_REGRESSION,
            "the same commit passed in another run",
            file.runs(&past.passed_here),
        );
    }
    if past.mixed_commits.len() > 1 {
        out.add(
            Regression,
            "flaky-past",
            w::FLAKY_PAST_NOT_REGRESSION,
            format!("it was flaky on {} before", count(past.mixed_commits.len(), "commit")),
            format!("commits {}", RuleInput::commits_named(&past.mixed_commits)),
        );
    }
    if !past.sandwiches.is_empty() {
        out.add(
            Regression,
            "failed-before",
            w::SANDWICH_NOT_REGRESSION * past.sandwiches.len().min(4) as f64,
            format!("it failed and recovered {} before", count(past.sandwiches.len(), "time")),
            file.runs(&past.sandwiches),
        );
    }
    if let Some(signal) = file.signal.filter(|s| s.is_outside()) {
        out.add(
            Regression,
            "outside-cause",
            w::OUTSIDE_NOT_REGRESSION,
            format!("the failure says that {}", signal.phrase()),
            "this report",
        );
    }
}
