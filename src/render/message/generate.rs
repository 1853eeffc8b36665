//! What the generator wrote, for the forge: commits, pull requests, comments.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::Page;
use super::heal::inert;
use crate::agent::generator::{GeneratedTest, GenerationResult, RejectedTest, TestDraft};
use crate::model::exchange::{Body, Exchange};
use crate::model::forge::RunContext;
use crate::model::mutant::Mutant;
use crate::render::curl::{curl, reproducing};
use crate::render::markdown::{code, fence, prose, spans};
use crate::render::plural::plural;
use crate::render::terminal::line;

/// Rows of a table, and of what came to nothing.
const ROWS: usize = 100;
/// Wrong answers that are shown.
const DEFECTS: usize = 10;

/// Title of the pull request that offers tests.
#[must_use]
pub fn title(written: &GenerationResult) -> String {
    let endpoints: BTreeSet<String> = written.fresh().map(|made| made.draft.endpoint.to_string()).collect();
    let first = endpoints.iter().next().map(|name| inert(name, 80)).unwrap_or_default();
    let more = match endpoints.len() {
        0 | 1 => String::new(),
        n => format!(" and {}", plural(n as u64 - 1, "more endpoint")),
    };
    format!("Add {} for {first}{more}", plural(written.fresh().count() as u64, "test"))
}

/// The message of the commit: each test, why it was missing, and its proof.
#[must_use]
pub fn commit_message(written: &GenerationResult) -> String {
    let mut out = format!("{}\n", title(written));
    let mut last = None;
    for made in written.fresh().take(ROWS) {
        let endpoint = made.draft.endpoint.to_string();
        if last.as_ref() != Some(&endpoint) {
            let _ = write!(out, "\n{}\n", inert(&endpoint, 120));
            last = Some(endpoint);
        }
        let _ = writeln!(
            out,
            "  {}: {}; passed {}, noticed {} of {} mutants",
            inert(&made.name, 120),
            inert(&made.draft.because, 160),
            plural(passes(made), "time"),
            made.kills(),
            made.mutants.len()
        );
    }
    out
}

fn passes(made: &GeneratedTest) -> u64 {
    let (in_order, shuffled, alone) = made.passes;
    u64::from(in_order) + u64::from(shuffled) + u64::from(alone)
}

/// Body of the pull request that offers tests.
#[must_use]
pub fn pull_body(written: &GenerationResult, scene: &RunContext, limit: usize) -> String {
    let mut page = Page::new(limit);
    let commit = format!("[{}]({})", code(crate::history::short(&scene.head), 20), scene.commit_url(&scene.head));
    let of = match &scene.pull {
        Some(pull) => format!(
            "For [pull request {0}]({1}/{2}/pull/{0}), whose head is {commit}: these",
            pull.number, scene.server, scene.repository
        ),
        None => format!("On {commit} these"),
    };
    page.push(&format!(
        "{of} tests were missing. They ask the service like the tests that are there; what they check is what it answered each time. Each passed alone, in order and shuffled, and notices at least one mutant of an answer. Change or delete what you do not want: it stays so.\n\n"
    ));
    page.push("| test | endpoint | why it was missing | passed | mutants noticed |\n|---|---|---|--:|--:|\n");
    for made in written.fresh().take(ROWS) {
        let row = format!(
            "| {} | {} | {} | {} | {} of {} |\n",
            code(&made.name, 120),
            code(&made.draft.endpoint.to_string(), 120),
            spans(&made.draft.because, 200),
            passes(made),
            made.kills(),
            made.mutants.len()
        );
        page.push(&row);
    }
    page.push(&kill_table(written));
    let unwritten = unwritten(written);
    if !unwritten.is_empty() {
        page.push(&format!("\n<details><summary>Not written</summary>\n\n{unwritten}</details>\n"));
    }
    page.finish()
}

/// Which mutant of which answer each test noticed.
fn kill_table(written: &GenerationResult) -> String {
    let mut out = String::from(
        "\n<details><summary>Mutants of the answers</summary>\n\n| test | mutant | noticed |\n|---|---|---|\n",
    );
    for made in written.fresh().take(ROWS) {
        for (mutant, noticed) in &made.mutants {
            let mark = if *noticed { "✓" } else { "✗" };
            let _ = writeln!(out, "| {} | {} | {mark} |", code(&made.name, 120), spans(&told(mutant), 200));
        }
    }
    out.push_str("\n</details>\n");
    out
}

/// A mutant in words.
fn told(mutant: &Mutant) -> String {
    let nth = if mutant.exchange > 0 { format!(" (answer {})", mutant.exchange + 1) } else { String::new() };
    format!("{mutant}{nth}")
}

fn unwritten(written: &GenerationResult) -> String {
    let mut out = String::new();
    let because = written.dropped.iter().filter_map(|(draft, why)| match why {
        RejectedTest::Because(why) => Some((draft, why)),
        RejectedTest::Wrong(..) | RejectedTest::Unbroken => None,
    });
    for (draft, why) in because.take(ROWS) {
        let name = format!("{} {}", draft.endpoint, draft.recipe);
        let _ = writeln!(out, "- {}: {}", code(&name, 160), prose(why, 300));
    }
    out
}

/// What a pull request's comment says of written tests and wrong answers; empty where
/// there is nothing to say. `offered` is the page that offers the tests.
#[must_use]
pub fn entry(written: &GenerationResult, offered: Option<&str>) -> String {
    let mut out = String::new();
    let count = written.fresh().count() as u64;
    if let Some(url) = offered.filter(|_| count > 0) {
        let _ = writeln!(
            out,
            "\n**🧪 missing tests:** {} written and proven, [offered here]({url}).\n",
            plural(count, "test")
        );
    }
    for (draft, exchange, times) in written.defects().take(DEFECTS) {
        let status = exchange.response.as_ref().map_or(0, |r| r.status);
        let _ = writeln!(
            out,
            "\n**🐞 wrong answer:** {} answered {status}, {times} of {times} times ({}).\n\n{}\n",
            code(&draft.endpoint.to_string(), 120),
            spans(&draft.because, 200),
            fence(&curl(exchange), 2000)
        );
    }
    out
}

/// Title of the issue about an endpoint that answers wrongly.
#[must_use]
pub fn issue_title(endpoint: &str, all: &[(&TestDraft, &Exchange, usize)]) -> String {
    let status = all.first().and_then(|(_, e, _)| e.response.as_ref()).map_or(0, |r| r.status);
    // In a title `@name` mentions nobody, but a mail shows it as if it did.
    format!("Defect: {} answers {status}", line(endpoint, 140).replace('@', "@\u{2060}"))
}

/// What stands between the markers of that issue: what was asked, how often it was
/// answered so, and how to see it.
#[must_use]
pub fn issue_body(endpoint: &str, all: &[(&TestDraft, &Exchange, usize)], scene: &RunContext, limit: usize) -> String {
    let mut page = Page::new(limit);
    page.push(&format!(
        "🐞 **defect** · severity **high** · reproduced each time\n\n{} breaks on {}, seen on [{}]({}). A service must not break, whatever it is asked: what is not valid is refused with a status from 400 to 499 (RFC 9110, 15.5).\n",
        code(endpoint, 160),
        plural(all.len() as u64, "request"),
        code(crate::history::short(&scene.head), 20),
        scene.commit_url(&scene.head)
    ));
    page.push("\n| request | answer | seen |\n|---|---|---|\n");
    for (draft, exchange, times) in all.iter().take(DEFECTS) {
        let status = exchange.response.as_ref().map_or(0, |r| r.status);
        page.push(&format!("| {} | {status} | {times} of {times} times |\n", spans(&draft.because, 200)));
    }
    if let Some((draft, exchange, _)) = all.first() {
        page.push(&format!("\n### How to reproduce\n\n{}", fence(&curl(exchange), 4000)));
        page.push(&format!("\n### The smallest test\n\n{}", fence(&reproducing(draft), 4000)));
        if let Some(answer) = &exchange.response {
            page.push(&format!("\n### What it answered\n\n{}", fence(&shown(&answer.body), 2000)));
        }
    }
    page.finish()
}

fn shown(body: &Body) -> String {
    match body {
        Body::Empty => "(nothing)".to_owned(),
        Body::Json(value) => value.to_string(),
        Body::Text(text) | Body::Cut(text, _) => text.clone(),
        Body::Opaque(size) => plural(*size, "byte"),
    }
}
