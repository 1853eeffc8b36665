//! The report as Markdown, for a job summary: history strips, a plot that
//! GitHub draws, details folded away.

use std::fmt::Write;

use crate::diagnose::verdict::{Diagnosis, Verdict};
use crate::history::short;
use crate::model::run::IssueLevel;
use crate::render::markdown::{code, fence, prose};
use crate::report::{counts, plural, strip_squares};
use crate::run::Triage;

/// GitHub shows 1 MiB of a job summary and drops the whole of it beyond; some
/// room is left for what other steps write.
const LIMIT: usize = 900 * 1024;
/// Runs in the plot.
const PLOT: usize = 40;
/// Diagnoses with details.
const DETAILS: usize = 50;

/// The whole summary; what does not fit is cut at a diagnosis and said.
#[must_use]
pub fn render(triage: &Triage) -> String {
    let mut out = String::new();
    head(&mut out, triage);
    issues(&mut out, triage);
    table(&mut out, triage);
    plot(&mut out, triage);
    let mut shown = 0;
    for diagnosis in triage.diagnoses.iter().take(DETAILS) {
        let section = details(triage, diagnosis);
        if out.len() + section.len() > LIMIT {
            break;
        }
        out.push_str(&section);
        shown += 1;
    }
    let hidden = triage.diagnoses.len() - shown;
    if hidden > 0 {
        let _ =
            writeln!(out, "\n_{} not shown here; `report.json` has all of them._", plural(hidden as u64, "more group"));
    }
    plan(&mut out, triage);
    out
}

fn head(out: &mut String, triage: &Triage) {
    let icon = match (triage.totals.failed + triage.totals.errored, triage.totals.tests) {
        (_, 0) => "⚪",
        (0, _) => "🟢",
        _ => "🔴",
    };
    let _ = writeln!(out, "## {icon} {}\n", counts(&triage.totals));
    let commit = triage.facts.commit.as_deref().map(|c| format!(" on {}", code(short(c), 20))).unwrap_or_default();
    let _ = writeln!(
        out,
        "{} in {}{commit}, judged against {}.\n",
        match triage.diagnoses.len() {
            1 => "1 group of failures".to_owned(),
            n => format!("{n} groups of failures"),
        },
        plural(triage.runs.len() as u64, "report"),
        plural(triage.history.runs.len() as u64, "earlier run")
    );
}

fn issues(out: &mut String, triage: &Triage) {
    let all: Vec<(&str, &crate::model::run::ParseIssue)> = triage
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

fn table(out: &mut String, triage: &Triage) {
    if triage.diagnoses.is_empty() {
        return;
    }
    let _ = writeln!(out, "| verdict | severity | what | tests | fails since | history |\n|---|---|---|--:|---|---|");
    for d in triage.diagnoses.iter().take(DETAILS) {
        let strip = &d.past.strip[d.past.strip.len().saturating_sub(12)..];
        let since =
            d.past.first_bad.as_deref().filter(|_| has_window(d)).map(|c| code(short(c), 20)).unwrap_or_default();
        let _ = writeln!(
            out,
            "| {} {} | {} | {} | {} | {since} | {} |",
            icon(d.verdict),
            d.verdict.word(),
            d.severity.word(),
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

fn has_window(d: &Diagnosis) -> bool {
    matches!(d.verdict, Verdict::Regression | Verdict::OutdatedTest | Verdict::Undecided)
}

/// Failures a run on the line of the present branch, as a Mermaid chart.
fn plot(out: &mut String, triage: &Triage) {
    let branch = triage.facts.branch.as_deref().or(triage.history.default_branch());
    let mut bars: Vec<u64> =
        triage.history.runs.iter().filter(|r| Some(r.branch.as_str()) == branch).map(|r| r.bad).collect();
    if bars.len() < 3 {
        return;
    }
    bars.push(triage.totals.failed + triage.totals.errored);
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

fn icon(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Regression => "🔴",
        Verdict::Flaky => "🟡",
        Verdict::OutdatedTest => "🔵",
        Verdict::RateLimited | Verdict::Environment => "🟣",
        Verdict::BrokenTest => "🟠",
        Verdict::Undecided => "⚪",
    }
}

fn details(triage: &Triage, d: &Diagnosis) -> String {
    let mut out = String::new();
    let title = code(d.title.raw(), 160);
    let _ = writeln!(out, "### {} {}: {title}\n", icon(d.verdict), d.verdict.word());
    let _ = writeln!(
        out,
        "Severity {}, confidence {:.0} %, id {}.\n",
        d.severity.word(),
        d.confidence * 100.0,
        code(&d.id, 80)
    );
    if let (Some(good), Some(bad)) = (&d.past.last_good, &d.past.first_bad)
        && has_window(d)
    {
        let _ = writeln!(out, "Passed on {}, fails since {}.\n", code(short(good), 20), code(short(bad), 20));
    }
    let _ = writeln!(out, "| evidence | weight | from |\n|---|--:|---|");
    for e in d.evidence.iter().take(12) {
        let weight = if e.weight == 0.0 { String::new() } else { format!("{:+.1} {}", e.weight, e.about.word()) };
        let _ = writeln!(out, "| {} | {weight} | {} |", prose(e.text.raw(), 300), prose(e.source.raw(), 160));
    }
    let _ = writeln!(out);
    for s in d.past.suspects.iter().take(5).filter(|s| s.score > 0.0) {
        let _ = writeln!(out, "- suspect {} ({:.2}): {}", code(short(&s.commit), 20), s.score, prose(&s.because, 300));
    }
    let _ = writeln!(out, "\n<details><summary>{}</summary>\n", plural(d.members.len() as u64, "test"));
    for member in d.members.iter().take(20) {
        let case = &triage.runs[member.run].cases[member.case];
        let place = case
            .place
            .as_ref()
            .map(|p| code(&format!("{}{}", p.file.raw(), p.line.map(|n| format!(":{n}")).unwrap_or_default()), 160));
        let name = format!("{} {}", case.name.classname.raw(), case.name.name.raw());
        let leg = case.variant.as_ref().map(|v| format!(" on {}", code(v, 60))).unwrap_or_default();
        let _ = writeln!(out, "- {}{leg} {}", code(name.trim(), 200), place.unwrap_or_default());
    }
    if d.members.len() > 20 {
        let _ = writeln!(out, "- and {} more", d.members.len() - 20);
    }
    if let Some(failure) = d.members.first().and_then(|m| triage.runs[m.run].cases[m.case].failure()) {
        let text = if failure.detail.is_blank() { failure.message.raw() } else { failure.detail.raw() };
        let _ = writeln!(out, "\n{}", fence(text, 4000));
    }
    let _ = writeln!(out, "</details>\n");
    out
}

fn plan(out: &mut String, triage: &Triage) {
    if triage.plan.actions.is_empty() && triage.plan.withheld.is_empty() {
        return;
    }
    let _ = writeln!(out, "### Plan\n");
    for action in &triage.plan.actions {
        let state = action.receipt.as_ref().map_or("planned".to_owned(), crate::plan::Receipt::word);
        let _ = writeln!(out, "- {}: {} ({})", action.kind, prose(&action.title, 200), prose(&state, 300));
    }
    for withheld in &triage.plan.withheld {
        let _ = writeln!(out, "- withheld {}: {}", withheld.kind, prose(&withheld.reason, 300));
    }
}
