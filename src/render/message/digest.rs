//! A week of a repository's tests, for one issue that is kept up to date.

use std::fmt::Write;

use super::Page;
use crate::history::PastRun;
use crate::model::forge::RunContext;
use crate::model::time::Timestamp;
use crate::render::markdown::code;
use crate::render::plural::plural;

/// Rows of a table.
const ROWS: usize = 15;
/// Runs in a plot.
const PLOT: usize = 60;

/// What a week brought.
#[derive(Debug, Default)]
pub struct WeeklyDigest {
    /// Runs of the default branch, the oldest first.
    pub runs: Vec<PastRun>,
    /// Tests that failed or were flaky, the worst first.
    pub tests: Vec<FlakyRow>,
    /// Open issues of ours: number, title, page.
    pub issues: Vec<(u64, String, String)>,
    /// Tests in quarantine: name, last day, owner, whether that day is over.
    pub quarantine: Vec<(String, String, String, bool)>,
}

/// How a test did in the week.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlakyRow {
    /// Its name.
    pub name: String,
    /// Runs in which it ran.
    pub ran: u64,
    /// Those in which it failed.
    pub bad: u64,
    /// Those in which it passed after a failed attempt.
    pub flaky: u64,
}

/// In a sentence.
#[must_use]
pub fn summary(week: &WeeklyDigest) -> String {
    let red = week.runs.iter().filter(|run| run.bad > 0).count() as u64;
    let flaky = week.tests.iter().filter(|test| test.flaky > 0 || (test.bad > 0 && test.bad < test.ran)).count() as u64;
    format!(
        "In the last seven days: {} on the default branch, {red} of them red; {} unsteady; {} open; {} in quarantine.",
        plural(week.runs.len() as u64, "run"),
        plural(flaky, "test"),
        plural(week.issues.len() as u64, "issue"),
        plural(week.quarantine.len() as u64, "test"),
    )
}

/// The whole text.
#[must_use]
pub fn body(week: &WeeklyDigest, scene: &RunContext, now: Timestamp, limit: usize) -> String {
    let mut page = Page::new(limit);
    page.push(&format!("{}\n\n{}", summary(week), plot(&week.runs)));
    page.push(&tests(&week.tests));
    page.push(&issues(&week.issues));
    page.push(&quarantine(&week.quarantine));
    let run = scene.run_url().map(|url| format!(" by [this run]({url})")).unwrap_or_default();
    page.push(&format!("\n<sub>brought up to date on {}{run}; close the issue to have no digest</sub>\n", now.date()));
    page.finish()
}

fn plot(runs: &[PastRun]) -> String {
    let shown = &runs[runs.len().saturating_sub(PLOT)..];
    if shown.len() < 2 {
        return String::new();
    }
    let row = |of: &dyn Fn(&PastRun) -> u64| shown.iter().map(|run| of(run).to_string()).collect::<Vec<_>>().join(", ");
    let top = shown.iter().map(|run| run.bad.max(run.flaky)).max().unwrap_or(0).max(1);
    format!(
        "```mermaid\nxychart-beta\n  title \"failed (bars) and flaky (line) tests in a run\"\n  x-axis \"run, oldest first\" 1 --> {}\n  y-axis \"tests\" 0 --> {top}\n  bar [{}]\n  line [{}]\n```\n",
        shown.len(),
        row(&|run| run.bad),
        row(&|run| run.flaky),
    )
}

fn tests(all: &[FlakyRow]) -> String {
    if all.is_empty() {
        return "\nNo test failed.\n".to_owned();
    }
    let mut out = String::from("\n### Unsteady tests\n\n| test | ran | failed | flaky |\n|---|--:|--:|--:|\n");
    for test in all.iter().take(ROWS) {
        let _ = writeln!(out, "| {} | {} | {} | {} |", code(&test.name, 160), test.ran, test.bad, test.flaky);
    }
    more(&mut out, all.len());
    out
}

fn issues(all: &[(u64, String, String)]) -> String {
    if all.is_empty() {
        return String::new();
    }
    let mut out = String::from("\n### Open issues\n\n");
    for (number, title, url) in all.iter().take(ROWS) {
        let _ = writeln!(out, "- [{number}]({url}) {}", code(title, 160));
    }
    more(&mut out, all.len());
    out
}

fn quarantine(all: &[(String, String, String, bool)]) -> String {
    if all.is_empty() {
        return String::new();
    }
    let mut out = String::from("\n### In quarantine\n\n| test | until | owner |\n|---|---|---|\n");
    for (name, until, owner, is_over) in all.iter().take(ROWS) {
        let over = if *is_over { " (over: it counts again)" } else { "" };
        let _ = writeln!(out, "| {} | {until}{over} | {} |", code(name, 160), code(owner, 60));
    }
    more(&mut out, all.len());
    out
}

fn more(out: &mut String, count: usize) {
    if count > ROWS {
        let _ = writeln!(out, "\nand {} more", count - ROWS);
    }
}
