//! What services answered while the tests ran: refusals, gateways, silence.

use super::weights as w;
use super::{EvidenceSink, RuleInput, count};
use crate::code::openapi;
use crate::diagnose::mismatch::literal;
use crate::diagnose::verdict::Verdict::{Environment, OutdatedTest, RateLimited, Regression};
use crate::model::exchange::{Body, Exchange, is_inside};

pub(super) fn testify(file: &RuleInput<'_>, out: &mut EvidenceSink) {
    let status = |e: &Exchange| e.response.as_ref().map(|r| r.status);
    let hint = |e: &Exchange| e.response.as_ref().and_then(|r| r.headers.get("retry-after")).map(str::to_owned);
    let said = |e: &Exchange| format!("traffic of the test, {}", e.line());
    let refused = |e: &&&Exchange| status(e) == Some(429) || matches!(status(e), Some(503 | 413)) && hint(e).is_some();
    let all: Vec<&&Exchange> = file.exchanges.iter().filter(refused).collect();
    // A refusal counts where the test ended with it or speaks of it: tests of limits
    // are refused on purpose.
    let texts =
        || file.cases.iter().filter_map(|c| c.failure()).map(|f| format!("{}{}", f.message.raw(), f.detail.raw()));
    let spoken = || all.iter().filter_map(|e| status(e)).any(|code| texts().any(|t| t.contains(&code.to_string())));
    let ended = file.exchanges.last().is_some_and(|last| refused(&last));
    if let Some(first) = all.first().filter(|_| ended || spoken()) {
        let hint = hint(first).map_or_else(String::new, |h| format!(" with `Retry-After: {h}`"));
        let more = if all.len() > 1 { format!(" ({} in all)", count(all.len(), "refusal")) } else { String::new() };
        out.add(RateLimited, "refused", w::REFUSED, format!("{first}{hint}{more}"), said(first));
        return;
    }
    // The answers of a test come in order: what counts is where it ended.
    let Some(last) = file.exchanges.last() else { return };
    match (status(last), &last.trouble) {
        (None, Some(_)) => out.add(Environment, "no-answer", w::NO_ANSWER, format!("{last}"), said(last)),
        // Within one process there is no gateway.
        (Some(502..=504), _) if !is_inside(&last.request.origin) => {
            out.add(Environment, "gateway", w::GATEWAY, format!("{last}"), said(last));
        }
        (Some(400 | 422), _) => lacking(file, last, out),
        (Some(500..=599), _) => out.add(Regression, "server-error", w::ANSWERED_500, format!("{last}"), said(last)),
        _ => {}
    }
}

/// A request that was complete once: the API description requires by now what the test
/// does not send. A test that wanted to be refused is none of those.
fn lacking(file: &RuleInput<'_>, last: &Exchange, out: &mut EvidenceSink) {
    let wanted = file.mismatch.as_ref().and_then(|m| literal(&m.expected));
    let Body::Json(serde_json::Value::Object(sent)) = &last.request.body else { return };
    let method = last.request.method.to_ascii_lowercase();
    let Some(operation) = openapi::find(file.described, &method, &last.request.path) else { return };
    let missing: Vec<String> =
        operation.needs.iter().filter(|name| !sent.contains_key(*name)).map(|name| format!("`{name}`")).collect();
    if missing.is_empty() || wanted.is_some_and(|status| status.starts_with('4')) {
        return;
    }
    let text = format!("{last}; its body has no {}, which the API description requires", missing.join(", no "));
    out.add(OutdatedTest, "lacks-required", w::LACKS_REQUIRED, text, format!("traffic of the test, {}", last.line()));
}
