//! Rate limited: a service refused because of too many requests.

use super::weights as w;
use super::{EvidenceSink, RuleInput, count};
use crate::diagnose::verdict::Verdict::RateLimited;
use crate::model::failure::Signal;

pub(super) fn testify(file: &RuleInput<'_>, out: &mut EvidenceSink) {
    if file.signal != Some(Signal::RateLimited) {
        return;
    }
    let quote = file.prints.first().map_or("", |p| crate::model::text::first_line(&p.masked, 160));
    out.add(
        RateLimited,
        "rate-limit-text",
        w::RATE_LIMIT_TEXT,
        format!("{}: {quote}", Signal::RateLimited.phrase()),
        "this report",
    );
    if file.cases.len() > 1 {
        out.add(
            RateLimited,
            "together",
            w::RATE_LIMIT_TOGETHER,
            format!("{} were refused in this run", count(file.cases.len(), "test")),
            "this report",
        );
    }
}
