//! The comment on a pull request that is kept up to date.

use std::fmt::Write;

use super::{Page, commit, drift, evidence, failure, has_window, icon, suspects, tests, window};
use crate::diagnose::findings::Findings;
use crate::diagnose::verdict::Diagnosis;
use crate::history::short;
use crate::model::forge::RunContext;
use crate::render::markdown::code;
use crate::render::plural::{counts, strip_squares};

/// Diagnoses in the table.
const ROWS: usize = 25;
/// Diagnoses with details.
const DETAILS: usize = 10;

/// What one leg has to say. `known` gives the web page of the issue about a
/// diagnosis, where there is one; `repairs` is what the healer has to say,
/// `written` what the generator has.
#[must_use]
pub fn section(
    found: &Findings,
    scene: &RunContext,
    known: &dyn Fn(&Diagnosis) -> Option<String>,
    repairs: &[String],
    written: &str,
    limit: usize,
) -> String {
    let mut page = Page::new(limit);
    page.push(&head(found, scene));
    if !found.diagnoses.is_empty() {
        page.push(&table(found, scene, known));
    }
    if !repairs.is_empty() {
        page.push("\n#### Outdated tests\n");
    }
    for repair in repairs {
        page.push(repair);
    }
    if !written.is_empty() {
        page.push("\n#### Missing tests\n");
        page.push(written);
    }
    if !found.drift.is_empty() {
        let table = drift(&found.drift, DETAILS);
        page.push(&format!("\n#### Changes in the answers of the API\n\n{table}"));
    }
    for d in found.diagnoses.iter().take(DETAILS) {
        page.push(&details(found, d, scene));
    }
    page.finish()
}

fn head(found: &Findings, scene: &RunContext) -> String {
    let icon = match (found.bad(), found.totals.tests, found.totals.flaky) {
        (_, 0, _) => "⚪",
        (0, _, 0) => "🟢",
        (0, _, _) => "🟡",
        _ => "🔴",
    };
    let leg: String =
        [&scene.job, &scene.variant].into_iter().flatten().map(|leg| format!(" · {}", code(leg, 60))).collect();
    let run = scene.run_url().map(|url| format!(" · [run]({url})")).unwrap_or_default();
    format!("### {icon} {}{leg}\n\n{}{run}\n", counts(&found.totals), commit(&scene.head, Some(scene)))
}

fn table(found: &Findings, scene: &RunContext, known: &dyn Fn(&Diagnosis) -> Option<String>) -> String {
    let mut out = String::from("\n| verdict | what | tests | since | history |\n|---|---|--:|---|---|\n");
    for d in found.diagnoses.iter().take(ROWS) {
        let strip = &d.past.strip[d.past.strip.len().saturating_sub(12)..];
        let _ = writeln!(
            out,
            "| {} {} | {} | {} | {} | {} |",
            icon(d.verdict),
            d.verdict.word(),
            code(d.title.raw(), 100),
            d.members.len(),
            since(found, d, scene, known(d)),
            strip_squares(strip)
        );
    }
    if found.diagnoses.len() > ROWS {
        let _ = writeln!(out, "\nand {} more groups of failures", found.diagnoses.len() - ROWS);
    }
    if found.diagnoses.len() > DETAILS {
        let _ = writeln!(out, "\n_Details of the gravest {DETAILS} follow; `report.json` has all of them._");
    }
    out
}

/// Whether this pull request is to blame, as far as is known.
fn since(found: &Findings, d: &Diagnosis, scene: &RunContext, known: Option<String>) -> String {
    let mut parts = Vec::new();
    if found.is_older_than_branch(d) {
        parts.push(format!("before this branch: fails on {} too", code(&scene.default_branch, 60)));
    } else if let (Some(first), true) = (&d.past.first_bad, has_window(d)) {
        parts.push(commit(first, Some(scene)));
    }
    if let Some(url) = known {
        let number = url.rsplit('/').next().unwrap_or_default();
        parts.push(format!("known: [issue {number}]({url})"));
    }
    parts.join("; ")
}

fn details(found: &Findings, d: &Diagnosis, scene: &RunContext) -> String {
    // Inside of `<summary>` Markdown is not read: plain words only.
    let mut out = format!(
        "\n<details><summary>{} {} of severity {}, {:.0} % sure, since {}</summary>\n\n**{}**\n\n",
        icon(d.verdict),
        d.verdict.word(),
        d.severity_label(),
        d.confidence * 100.0,
        d.past.first_bad.as_deref().filter(|sha| crate::model::forge::is_sha(sha)).map_or("this run", short),
        code(d.title.raw(), 240),
    );
    if let Some(window) = window(d, Some(scene)) {
        let _ = writeln!(out, "{window}\n");
    }
    let _ = writeln!(out, "{}\n{}\n{}", evidence(d, 8, Some(scene)), suspects(d, Some(scene)), tests(found, d, 10));
    if let Some(text) = failure(found, d, 2500) {
        let _ = writeln!(out, "{text}");
    }
    out.push_str("</details>\n");
    out
}
