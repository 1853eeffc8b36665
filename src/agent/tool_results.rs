//! What may be looked up in what is known: earlier runs, failures of the past, traffic.

use std::fmt::Write;

use crate::diagnose::findings::Findings;
use crate::diagnose::mask::mask;
use crate::diagnose::past_failures::PastFailureIndex;
use crate::history::short;
use crate::model::exchange::{Body, Exchange};
use crate::model::text::head;
use crate::traffic::api_model::ApiModel;
use crate::traffic::shape::Node;

/// Earlier results of a test, failures of the past, exchanges, and fields that are shown.
const RESULTS: usize = 40;
const FAILURES: usize = 5;
const EXCHANGES: usize = 6;
const FIELDS: usize = 60;
/// Bytes of a body, and of a failure.
const BODY: usize = 1500;
const TEXT: usize = 400;

/// How a test ended in earlier runs, latest first.
///
/// # Errors
/// Where nothing is known of a test of this name.
pub fn history_of(found: &Findings, test: &str) -> Result<String, String> {
    let members = found.diagnoses.iter().flat_map(|d| &d.members).map(|m| found.case(*m));
    let mut named = members.filter(|case| {
        let (class, name) = (case.name.classname.raw(), case.name.name.raw());
        name == test || format!("{class} {name}") == test || format!("{class}.{name}") == test
    });
    let case = named.next().ok_or("no failing test of this run is called that")?;
    let samples = found.history.samples.get(&case.id).map(Vec::as_slice).unwrap_or_default();
    let mut out = String::new();
    for sample in samples.iter().rev().take(RESULTS) {
        let Some(run) = found.history.runs.get(sample.run as usize) else { continue };
        let flaky = if sample.flaky { ", after a failed attempt" } else { "" };
        let leg = run.variant.as_ref().map(|leg| format!(" on {}", head(leg, 60))).unwrap_or_default();
        let (day, commit, branch) = (run.at.date(), short(&run.commit), head(&run.branch, 80));
        let _ = writeln!(out, "{day} {commit} {branch}{leg}: {}{flaky}", sample.outcome.word());
    }
    if out.is_empty() { Err("it was in no earlier run".to_owned()) } else { Ok(out) }
}

/// Failures of the past that are told alike.
///
/// # Errors
/// Where there is none.
pub fn similar_to(found: &Findings, text: &str) -> Result<String, String> {
    let seen = PastFailureIndex::new(&found.history);
    let all = seen.top_similar(&mask(text, TEXT), FAILURES);
    let line = |(failure, alike): &(&crate::history::PastFailure, f64)| {
        let (first, last) = (failure.first.date(), failure.last.date());
        format!(
            "{:.0} % alike, seen {} times from {first} to {last}, last in {}: {} {}",
            alike * 100.0,
            failure.times,
            failure.last_run,
            failure.kinds,
            head(&failure.masked, TEXT)
        )
    };
    let lines: Vec<String> = all.iter().map(line).collect();
    if lines.is_empty() { Err("no failure of the past is told like that".to_owned()) } else { Ok(lines.join("\n")) }
}

/// What an endpoint was asked and answered, and the fields of its answers.
///
/// # Errors
/// Where nothing was recorded of it.
pub fn exchanges_of(exchanges: &[Exchange], memory: &ApiModel, endpoint: &str) -> Result<String, String> {
    let wanted = endpoint.trim();
    let mut out = String::new();
    let asked = exchanges.iter().filter(|e| e.line().starts_with(wanted) || e.request.path.starts_with(wanted));
    for exchange in asked.take(EXCHANGES) {
        let _ = writeln!(out, "{exchange}");
        for (word, body) in
            [("sent", Some(&exchange.request.body)), ("got", exchange.response.as_ref().map(|r| &r.body))]
        {
            if let Some(text) = body.and_then(body_text) {
                let _ = writeln!(out, "  {word}: {}", head(&text, BODY));
            }
        }
    }
    for (kind, seen) in &memory.kinds {
        if !kind.endpoint().starts_with(wanted) && !kind.template.starts_with(wanted) {
            continue;
        }
        let _ = writeln!(out, "{} answers {} with", kind.endpoint(), kind.status);
        let mut fields = Vec::new();
        walk(&seen.body, "", &mut fields);
        for field in fields {
            let _ = writeln!(out, "  {field}");
        }
    }
    if out.is_empty() { Err("nothing was recorded of it".to_owned()) } else { Ok(out) }
}

fn body_text(body: &Body) -> Option<String> {
    match body {
        Body::Empty | Body::Opaque(_) => None,
        Body::Json(value) => Some(value.to_string()),
        Body::Text(text) | Body::Cut(text, _) => Some(text.clone()),
    }
}

/// The fields below a node, each with what it holds.
fn walk(node: &Node, path: &str, out: &mut Vec<String>) {
    let deep = path.matches('/').count() >= 4;
    if out.len() >= FIELDS || deep {
        return;
    }
    if !path.is_empty() {
        out.push(format!("{path}: {}", node.told()));
    }
    for (name, (_, inner)) in node.objects.iter().flat_map(|objects| &objects.fields) {
        walk(inner, &format!("{path}/{name}"), out);
    }
    if let Some(lists) = &node.lists {
        walk(&lists.item, &format!("{path}/*"), out);
    }
}
