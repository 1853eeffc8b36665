//! Environment: the machine, the network or a service around the tests failed.

use super::weights as w;
use super::{EvidenceSink, RuleInput, count};
use crate::diagnose::verdict::Verdict::Environment;
use crate::model::failure::{RunExclusion, Signal};

pub(super) fn testify(file: &RuleInput<'_>, out: &mut EvidenceSink) {
    if file.cases.iter().all(|c| c.is_flaky()) && !file.signal.is_some_and(Signal::is_outside) {
        return;
    }
    match file.signal {
        Some(Signal::RateLimited | Signal::TestSetup) | None => {}
        Some(signal) => {
            let strong = signal.is_outside();
            let quote = file.prints.first().map_or("", |p| crate::model::text::first_line(&p.masked, 160));
            let weight = if strong { w::OUTSIDE_TEXT } else { w::WEAK_OUTSIDE_TEXT };
            out.add(Environment, "outside-text", weight, format!("{}: {quote}", signal.phrase()), "this report");
        }
    }
    match file.gate {
        Some(RunExclusion::Outage(signal)) if file.signal == Some(signal) => out.add(
            Environment,
            "outage",
            w::OUTAGE,
            format!(
                "{} of {} share this cause",
                file.cases.len(),
                count(usize::try_from(file.ran).unwrap_or(0), "test")
            ),
            "this report",
        ),
        Some(_) if file.signal.is_none() => out.add(
            Environment,
            "most-failed",
            w::MOST_FAILED,
            format!("{} of {} failed at once", file.bad, count(usize::try_from(file.ran).unwrap_or(0), "test")),
            "this report",
        ),
        _ => {}
    }
    let past = file.lead();
    if !past.outside.is_empty() && file.signal.is_some() {
        out.add(
            Environment,
            "outside-before",
            w::OUTSIDE_BEFORE,
            format!("{} failed from outside before and recovered", count(past.outside.len(), "run")),
            file.runs(&past.outside),
        );
    }
    if past.streak.len() >= 3 && file.signal.is_some_and(|s| !s.is_outside()) {
        out.add(
            Environment,
            "persists",
            w::OUTSIDE_PERSISTS,
            format!("it has gone on for {}", count(past.streak.len() + 1, "run")),
            file.runs(&past.streak),
        );
    }
}
