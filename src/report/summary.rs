//! The report as Markdown, for a job summary: history strips, a plot that
//! GitHub draws, details folded away.

use std::fmt::Write;

use crate::diagnose::verdict::Diagnosis;
use crate::history::short;
use crate::model::run::IssueLevel;
use crate::pipeline::TriageResult;
use crate::render::markdown::{code, prose};
use crate::render::message::{self, has_window, icon};
use crate::report::{counts, plural, strip_squares};

/// GitHub shows 1 MiB of a job summary and drops the whole of it beyond; some
/// room is left for what other steps write.
const LIMIT: usize = 900 * 1024;
/// Runs in the plot.
const PLOT: usize = 40;
/// Diagnoses with details.
const DETAILS: usize = 50;

/// The whole summary; what does not fit is cut at a diagnosis and said.
#[must_use]
pub fn render(triage: &TriageResult) -> String {
    let mut out = String::new();
    head(&mut out, triage);
    issues(&mut out, triage);
    table(&mut out, triage);
    repairs(&mut out, triage);
    drift(&mut out, triage);
    plot(&mut out, triage);
    let mut shown = 0;
    for diagnosis in triage.found.diagnoses.iter().take(DETAILS) {
        let section = details(triage, diagnosis);
        if out.len() + section.len() > LIMIT {
            break;
        }
        out.push_str(&section);
        shown += 1;
    }
    let hidden = triage.found.diagnoses.len() - shown;
    if hidden > 0 {
        let _ =
            writeln!(out, "\n_{} not shown here; `report.json` has all of them._", plural(hidden as u64, "more group"));
    }
    plan(&mut out, triage);
    out
}

fn head(out: &mut String, triage: &TriageResult) {
    let icon = match (triage.found.totals.failed + triage.found.totals.errored, triage.found.totals.tests) {
        (_, 0) => "⚪",
        (0, _) => "🟢",
        _ => "🔴",
    };
    let _ = writeln!(out, "## {icon} {}\n", counts(&triage.found.totals));
    let commit =
        triage.found.facts.commit.as_deref().map(|c| format!(" on {}", code(short(c), 20))).unwrap_or_default();
    let _ = writeln!(
        out,
        "{} in {}{commit}, judged against {}.\n",
        match triage.found.diagnoses.len() {
            1 => "1 group of failures".to_owned(),
            n => format!("{n} groups of failures"),
        },
        plural(triage.found.runs.len() as u64, "report"),
        plural(triage.found.history.runs.len() as u64, "earlier run")
    );
}

fn issues(out: &mut String, triage: &TriageResult) {
    let all: Vec<(&str, &crate::model::run::ParseIssue)> = triage
        .found
        .runs
        .iter()
        .flat_map(|run| run.issues.iter().map(move |issue| (run.path.as_str(), issue)))
        .filter(|(_, issue)| issue.level > IssueLevel::Note)
        .collect();
    if all.is_empty() && triage.notes.is_empty() {
        return;
    }
    let _ = writeln!(out, "> [!WARNING]");
    for (path, issue) in all.iter().take(20) {
        let word = if issue.level == IssueLevel::Unusable { "unreadable" } else { "suspicious" };
        let _ = writeln!(
            out,
            "> {} is {word}, {}: {}  ",
            code(path, 160),
            prose(&issue.place, 160),
            prose(&issue.message, 400)
        );
    }
    if all.len() > 20 {
        let _ = writeln!(out, "> and {}  ", plural((all.len() - 20) as u64, "more problem"));
    }
    for note in &triage.notes {
        let _ = writeln!(out, "> {}  ", prose(note, 400));
    }
    let _ = writeln!(out);
}

fn table(out: &mut String, triage: &TriageResult) {
    if triage.found.diagnoses.is_empty() {
        return;
    }
    let _ = writeln!(out, "| verdict | severity | what | tests | fails since | history |\n|---|---|---|--:|---|---|");
    for d in triage.found.diagnoses.iter().take(DETAILS) {
        let strip = &d.past.strip[d.past.strip.len().saturating_sub(12)..];
        let since =
            d.past.first_bad.as_deref().filter(|_| has_window(d)).map(|c| code(short(c), 20)).unwrap_or_default();
        let _ = writeln!(
            out,
            "| {} {} | {} | {} | {} | {since} | {} |",
            icon(d.verdict),
            d.verdict.word(),
            d.severity_label(),
            code(d.title.raw(), 100),
            d.members.len(),
            strip_squares(strip)
        );
    }
    let _ = writeln!(
        out,
        "\n<sub>🟩 passed 🟨 flaky 🟥 failed 🟪 broken from outside ⬜ skipped; oldest left, this run right</sub>\n"
    );
}

/// What the healer has to say.
fn repairs(out: &mut String, triage: &TriageResult) {
    if triage.repairs.all.is_empty() {
        return;
    }
    let _ = writeln!(out, "### Outdated tests");
    for healed in triage.repairs.all.iter().take(DETAILS) {
        out.push_str(&message::heal::entry(healed, None, None));
    }
    out.push('\n');
}

/// How the answers of the API changed.
fn drift(out: &mut String, triage: &TriageResult) {
    if triage.found.drift.is_empty() {
        return;
    }
    out.push_str("### Changes in the answers of the API\n\n");
    out.push_str(&message::drift(&triage.found.drift, DETAILS));
}

/// Failures a run on the line of the present branch, as a Mermaid chart.
fn plot(out: &mut String, triage: &TriageResult) {
    let branch = triage.found.facts.branch.as_deref().or(triage.found.history.default_branch());
    let mut bars: Vec<u64> =
        triage.found.history.runs.iter().filter(|r| Some(r.branch.as_str()) == branch).map(|r| r.bad).collect();
    if bars.len() < 3 {
        return;
    }
    bars.push(triage.found.totals.failed + triage.found.totals.errored);
    let bars = &bars[bars.len().saturating_sub(PLOT)..];
    if bars.iter().all(|b| *b == 0) {
        return;
    }
    let values: Vec<String> = bars.iter().map(u64::to_string).collect();
    let top = bars.iter().max().copied().unwrap_or(1).max(1);
    let _ = writeln!(
        out,
        "<details><summary>Failures in the last {} on this branch</summary>\n\n```mermaid\nxychart-beta\n  x-axis \"run, oldest first\" 1 --> {}\n  y-axis \"failed tests\" 0 --> {top}\n  bar [{}]\n```\n\n</details>\n",
        plural(bars.len() as u64, "run"),
        bars.len(),
        values.join(", ")
    );
}

fn details(triage: &TriageResult, d: &Diagnosis) -> String {
    let mut out = String::new();
    let title = code(d.title.raw(), 160);
    let _ = writeln!(out, "### {} {}: {title}\n", icon(d.verdict), d.verdict.word());
    let _ = writeln!(
        out,
        "Severity {}, confidence {:.0} %, id {}.\n",
        d.severity_label(),
        d.confidence * 100.0,
        code(&d.id, 80)
    );
    if let Some(reading) = &d.reading {
        let word = reading.verdict.word();
        let percent = reading.confidence * 100.0;
        let _ = writeln!(out, "Read as **{word}** ({percent:.0} %) with {}.\n", code(&reading.model, 60));
    }
    if let Some(window) = message::window(d, None) {
        let _ = writeln!(out, "{window}\n");
    }
    let _ = writeln!(out, "{}\n{}", message::evidence(d, 12, None), message::suspects(d, None));
    let _ = writeln!(out, "<details><summary>{}</summary>\n", plural(d.members.len() as u64, "test"));
    out.push_str(&message::tests(&triage.found, d, 20));
    if let Some(text) = message::failure(&triage.found, d, 4000) {
        let _ = writeln!(out, "\n{text}");
    }
    let _ = writeln!(out, "</details>\n");
    out
}

fn plan(out: &mut String, triage: &TriageResult) {
    if triage.plan.actions.is_empty() && triage.plan.withheld.is_empty() {
        return;
    }
    let _ = writeln!(out, "### Plan\n");
    for action in &triage.plan.actions {
        let state = action.receipt.as_ref().map_or("planned".to_owned(), crate::plan::ActionResult::word);
        let _ = writeln!(out, "- {}: {} ({})", action.action.kind(), prose(&action.title, 200), prose(&state, 300));
    }
    for withheld in &triage.plan.withheld {
        let _ = writeln!(out, "- withheld {}: {}", withheld.kind, prose(&withheld.reason, 300));
    }
}
