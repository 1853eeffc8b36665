//! Everything that is known about failures, for whoever asks.

use std::fmt::Write;

use super::issue::{command, head, past};
use super::{Page, evidence, failure, full_name, icon, suspects, tests};
use crate::diagnose::findings::Findings;
use crate::diagnose::verdict::Diagnosis;
use crate::model::forge::RunContext;
use crate::render::markdown::code;
use crate::render::plural::plural;

/// Groups that are listed.
const LISTED: usize = 30;

/// One diagnosis: verdict, evidence, suspects, history, tests, how to see it.
#[must_use]
pub fn entry(found: &Findings, d: &Diagnosis, scene: &RunContext, issue: Option<&str>, limit: usize) -> String {
    let mut page = Page::new(limit);
    page.push(&head(d, scene));
    let known = issue.map(|url| format!(" · [issue]({url})")).unwrap_or_default();
    page.push(&format!("\nKey: {}{known}\n", code(&d.id, 80)));
    page.push(&format!("\n{}\n{}", evidence(d, 20, Some(scene)), suspects(d, Some(scene))));
    page.push(&past(d).replacen("\n### History\n", "", 1));
    page.push(&format!("\n{}", tests(found, d, 10)));
    if let Some(command) = command(found, d) {
        page.push(&format!("\nTo see it fail:\n\n{command}"));
    }
    if let Some(text) = failure(found, d, 4000) {
        page.push(&format!("\n<details><summary>What the first test printed</summary>\n\n{text}\n</details>\n"));
    }
    page.finish()
}

/// All diagnoses of a run, a row each.
#[must_use]
pub fn list(found: &Findings) -> String {
    let mut out = String::from("| | verdict | failure | tests | key |\n|---|---|---|--:|---|\n");
    for d in found.diagnoses.iter().take(LISTED) {
        let _ = writeln!(
            out,
            "| {} | {} · {:.0} % | {} | {} | {} |",
            icon(d.verdict),
            d.verdict.word(),
            d.confidence * 100.0,
            code(d.title.raw(), 120),
            d.members.len(),
            code(&d.id, 80),
        );
    }
    if found.diagnoses.len() > LISTED {
        let _ = writeln!(out, "\nand {} more", found.diagnoses.len() - LISTED);
    }
    out
}

/// What is said where nothing failed that was asked for: what did fail.
#[must_use]
pub fn nothing(found: &Findings, wanted: &str) -> String {
    let count = found.diagnoses.iter().map(|d| d.members.len() as u64).sum::<u64>();
    let mut out = format!("No failing test of this run, and no failure, is called {}.", code(wanted, 200));
    if count == 0 {
        out.push_str(" Nothing failed.\n");
        return out;
    }
    let _ = writeln!(out, " What did fail ({}):\n", plural(count, "test"));
    for case in found.diagnoses.iter().flat_map(|d| &d.members).take(10).map(|m| found.case(*m)) {
        let _ = writeln!(out, "- {}", code(&full_name(case), 200));
    }
    out
}
