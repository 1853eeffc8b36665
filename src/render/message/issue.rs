//! The body of an issue about one diagnosis, and of the roll-up of many.

use std::fmt::Write;

use super::{Page, commit, evidence, failure, icon, suspects, tests, window};
use crate::diagnose::findings::Findings;
use crate::diagnose::reproduce;
use crate::diagnose::verdict::{Diagnosis, Verdict};
use crate::model::forge::RunContext;
use crate::render::markdown::code;
use crate::render::plural::{plural, strip_squares};
use crate::render::terminal::line;

/// Characters of a title. GitHub takes 256.
const TITLE: usize = 160;

/// One run in which the failure was seen, for the table.
#[derive(Clone, Debug)]
pub struct Seen {
    /// `2026-05-01 10:00`.
    pub at: String,
    /// Commit.
    pub commit: String,
    /// Web page of the run.
    pub run: Option<String>,
    /// Matrix leg.
    pub leg: Option<String>,
}

/// The title: plain text on one line, in which nobody is mentioned.
#[must_use]
pub fn title(d: &Diagnosis) -> String {
    let word = match d.verdict {
        Verdict::Regression => "Regression",
        Verdict::Flaky => "Flaky",
        Verdict::OutdatedTest => "Outdated test",
        Verdict::RateLimited => "Rate limited",
        Verdict::Environment => "Environment",
        Verdict::BrokenTest => "Broken test",
        Verdict::Undecided => "Failing",
    };
    // In a title `@name` mentions nobody, but a mail shows it as if it did.
    let what = line(d.title.raw(), TITLE).replace('@', "@\u{2060}");
    format!("{word}: {what}")
}

/// What stands between the markers of an issue's body: observation, evidence,
/// regression window, suspects, history, how to reproduce, occurrences.
#[must_use]
pub fn body(found: &Findings, d: &Diagnosis, scene: &RunContext, seen: &[Seen], times: u64, limit: usize) -> String {
    let mut page = Page::new(limit);
    page.push(&head(d, scene));
    page.push(&occurrences(seen, times, scene));
    page.push(&format!("\n### Evidence\n\n{}\n{}", evidence(d, 10, Some(scene)), suspects(d, Some(scene))));
    page.push(&past(d));
    page.push(&format!("\n### Tests\n\n{}", tests(found, d, 20)));
    if let Some(command) = command(found, d) {
        page.push(&format!("\n### How to reproduce\n\n{command}"));
    }
    if let Some(text) = failure(found, d, 8000) {
        page.push(&format!("\n<details><summary>What the first test printed</summary>\n\n{text}\n</details>\n"));
    }
    page.finish()
}

pub(super) fn head(d: &Diagnosis, scene: &RunContext) -> String {
    let mut out = format!(
        "{} **{}** · severity **{}** · {:.0} % sure\n\n{}\n",
        icon(d.verdict),
        d.verdict.word(),
        d.severity_label(),
        d.confidence * 100.0,
        code(d.title.raw(), 240),
    );
    if let Some(window) = window(d, Some(scene)) {
        let _ = writeln!(out, "\n{window}");
    }
    if let Some(m) = &d.mismatch {
        let _ = writeln!(out, "\nExpected {}, got {}.", code(m.expected.raw(), 200), code(m.actual.raw(), 200));
    }
    out
}

/// How it went before; empty where nothing is known.
pub(super) fn past(d: &Diagnosis) -> String {
    if d.past.strip.is_empty() {
        return String::new();
    }
    format!(
        "\n### History\n\n{}\n\nFailed in {} of {} before this one. <sub>🟩 passed 🟨 flaky 🟥 failed 🟪 broken from outside ⬜ skipped; oldest left</sub>\n",
        strip_squares(&d.past.strip),
        d.past.failures,
        plural(d.past.runs, "run"),
    )
}

fn occurrences(seen: &[Seen], times: u64, scene: &RunContext) -> String {
    let mut out = format!("\n### Seen {}\n\n| when | commit | run | leg |\n|---|---|---|---|\n", plural(times, "time"));
    for one in seen {
        let run = one.run.as_ref().map(|url| format!("[run]({url})")).unwrap_or_default();
        let leg = one.leg.as_ref().map(|leg| code(leg, 60)).unwrap_or_default();
        let _ = writeln!(out, "| {} | {} | {run} | {leg} |", one.at, commit(&one.commit, Some(scene)));
    }
    if times > seen.len() as u64 {
        let _ = writeln!(out, "\nThe latest {} are shown.", seen.len());
    }
    out
}

pub(super) fn command(found: &Findings, d: &Diagnosis) -> Option<String> {
    let member = *d.members.first()?;
    let command = reproduce::command(found.runs[member.run].dialect, found.case(member))?;
    Some(crate::render::markdown::fence(&command, 1000))
}

/// One row of a roll-up.
#[derive(Clone, Debug)]
pub struct Row {
    /// Verdict, severity and title, escaped.
    pub text: String,
    /// Whether it failed in the present run.
    pub failing: bool,
}

/// The row of a diagnosis in a roll-up.
#[must_use]
pub fn row(d: &Diagnosis) -> String {
    format!(
        "{} {} · {} · {}",
        icon(d.verdict),
        d.severity_label(),
        plural(d.members.len() as u64, "test"),
        code(d.title.raw(), 160)
    )
}

/// What stands between the markers of a roll-up.
#[must_use]
pub fn roll_up(rows: &[String], scene: &RunContext, limit: usize) -> String {
    let mut page = Page::new(limit);
    let run = scene.run_url().map(|url| format!(" in [this run]({url})")).unwrap_or_default();
    page.push(&format!(
        "{} failed on {} at once{run}, more than testmedic opens issues for in one run. The gravest have issues of their own; these are the others:\n\n",
        plural(rows.len() as u64, "further group"),
        commit(&scene.head, Some(scene)),
    ));
    for row in rows {
        page.push(&format!("- {row}\n"));
    }
    page.finish()
}
