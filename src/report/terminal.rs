//! The report for a terminal: the diagnosis first, the tests under it.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use crate::diagnose::severity::Severity;
use crate::diagnose::verdict::{Diagnosis, Evidence, Verdict};
use crate::history::short;
use crate::model::run::IssueLevel;
use crate::pipeline::TriageResult;
use crate::plan::{Action, ActionResult, Planned, preview};
use crate::render::terminal::line;
use crate::report::{counts, plural, strip_plain};

/// Evidence shown for each diagnosis; all of it is in `report.json`.
const EVIDENCE: usize = 4;
/// Tests shown for each diagnosis.
const TESTS: usize = 5;
/// Diagnoses shown in full.
const DIAGNOSES: usize = 20;
/// Changes of the API shown.
const DRIFT: usize = 20;
/// Issues shown.
const ISSUES: usize = 10;

/// How to write it.
#[derive(Clone, Copy, Debug)]
pub struct RenderOptions {
    /// With colours.
    pub colour: bool,
    /// Columns.
    pub width: usize,
}

/// The whole report.
#[must_use]
pub fn render(triage: &TriageResult, look: RenderOptions) -> String {
    let mut out = Page { text: String::new(), look };
    out.headline(triage);
    out.issues(triage);
    for diagnosis in triage.found.diagnoses.iter().take(DIAGNOSES) {
        out.diagnosis(triage, diagnosis);
    }
    if triage.found.diagnoses.len() > DIAGNOSES {
        let more = plural((triage.found.diagnoses.len() - DIAGNOSES) as u64, "more group");
        out.row("", &format!("and {more} of failures, all of them in the JSON report (--json FILE)"));
    }
    out.drift(triage);
    out.plan(triage);
    out.text
}

/// A page that is being written.
pub(super) struct Page {
    pub(super) text: String,
    pub(super) look: RenderOptions,
}

impl Page {
    pub(super) fn paint(&self, style: Style, text: &str) -> String {
        if self.look.colour { format!("{}{text}{}", style.render(), style.render_reset()) } else { text.to_owned() }
    }

    pub(super) fn row(&mut self, label: &str, text: &str) {
        let label = self.paint(Style::new().dimmed(), &format!("{label:>10}"));
        let _ = writeln!(self.text, "{label}  {text}");
    }

    fn headline(&mut self, triage: &TriageResult) {
        let bad = triage.found.totals.failed + triage.found.totals.errored;
        let colour = match (bad, triage.found.totals.flaky) {
            (0, 0) => AnsiColor::Green,
            (0, _) => AnsiColor::Yellow,
            _ => AnsiColor::Red,
        };
        let counts = self.paint(Style::new().bold().fg_color(Some(colour.into())), &counts(&triage.found.totals));
        let _ = writeln!(
            self.text,
            "{counts}  ({}, {:.1} s of tests{})",
            plural(triage.found.runs.len() as u64, "report"),
            triage.found.totals.seconds,
            match triage.found.history.runs.len() as u64 {
                0 => ", no history".to_owned(),
                n => format!(", judged against {}", plural(n, "earlier run")),
            }
        );
    }

    fn issues(&mut self, triage: &TriageResult) {
        let mut shown = 0;
        let mut hidden = 0;
        for run in &triage.found.runs {
            for issue in run.issues.iter().filter(|i| i.level > IssueLevel::Note) {
                shown += 1;
                if shown > ISSUES {
                    hidden += 1;
                    continue;
                }
                let (word, colour) = match issue.level {
                    IssueLevel::Unusable => ("unreadable", AnsiColor::Red),
                    _ => ("suspicious", AnsiColor::Yellow),
                };
                let word = self.paint(Style::new().fg_color(Some(colour.into())), word);
                let text =
                    format!("{} ({}): {}", line(&run.path, 120), line(&issue.place, 120), line(&issue.message, 400));
                let _ = writeln!(self.text, "{word}  {text}");
            }
        }
        if hidden > 0 {
            let _ = writeln!(self.text, "            and {}", plural(hidden, "more problem"));
        }
        for note in &triage.notes {
            let _ = writeln!(self.text, "      note  {}", line(note, 400));
        }
    }

    fn diagnosis(&mut self, triage: &TriageResult, d: &Diagnosis) {
        let verdict = self.paint(style_of(d.verdict), &d.verdict.word().to_uppercase());
        let severity = match d.severity {
            Severity::Critical | Severity::High => self.paint(Style::new().bold(), &d.severity_label()),
            _ => d.severity_label(),
        };
        let _ = writeln!(self.text, "\n{verdict}  {severity} · {:.0} %", d.confidence * 100.0);
        let title = self.paint(Style::new().bold(), &line(d.title.raw(), self.look.width.max(60) - 2));
        let _ = writeln!(self.text, "  {title}");
        self.past(d);
        for (index, evidence) in shown(d).enumerate() {
            self.row(if index == 0 { "because" } else { "" }, &because(evidence, d.verdict));
        }
        for suspect in d.past.suspects.iter().take(2).filter(|s| s.score >= 0.2) {
            self.row(
                "suspect",
                &format!("{} {:.2} {}", short(&suspect.commit), suspect.score, line(&suspect.because, 160)),
            );
        }
        if let Some(reading) = &d.reading {
            let word = reading.verdict.word();
            self.row(
                "reading",
                &format!("{word}, {:.0} %, with {}", reading.confidence * 100.0, line(&reading.model, 60)),
            );
        }
        if let Some(url) = triage.known_issues.get(&d.id) {
            self.row("issue", &line(url, 200));
        }
        for (index, member) in d.members.iter().take(TESTS).enumerate() {
            let case = &triage.found.runs[member.run].cases[member.case];
            let place = case.place.as_ref().map(|p| {
                format!("  {}{}", line(p.file.raw(), 100), p.line.map(|n| format!(":{n}")).unwrap_or_default())
            });
            let leg = case.variant.as_ref().map(|v| format!("  [{}]", line(v, 40)));
            let class = line(case.name.classname.raw(), 80);
            let name = line(case.name.name.raw(), 120);
            let full = if class.is_empty() { name } else { format!("{class} {name}") };
            self.row(
                if index == 0 { "tests" } else { "" },
                &format!("{full}{}{}", place.unwrap_or_default(), leg.unwrap_or_default()),
            );
        }
        if d.members.len() > TESTS {
            self.row("", &format!("and {} more", d.members.len() - TESTS));
        }
    }

    fn past(&mut self, d: &Diagnosis) {
        if d.past.runs > 0 {
            let failed = format!("failed in {} of {} before", d.past.failures, plural(d.past.runs, "run"));
            self.row("history", &format!("{}  {failed}", strip_plain(&d.past.strip)));
        }
        match (&d.past.last_good, &d.past.first_bad) {
            (Some(good), Some(bad))
                if matches!(d.verdict, Verdict::Regression | Verdict::OutdatedTest | Verdict::Undecided) =>
            {
                self.row("window", &format!("passed on {}, first failed on {}", short(good), short(bad)));
            }
            _ => {}
        }
    }

    /// How the answers of the API changed.
    fn drift(&mut self, triage: &TriageResult) {
        if triage.found.drift.is_empty() {
            return;
        }
        let style = Style::new().bold();
        let head = self
            .paint(style, &format!("{} in the answers of the API", plural(triage.found.drift.len() as u64, "change")));
        let _ = writeln!(self.text, "\n{head}");
        for drift in triage.found.drift.iter().take(DRIFT) {
            let text = format!(
                "{} {}  {} {}  [{}]",
                drift.endpoint,
                drift.status,
                drift.place(),
                drift.text,
                drift.fingerprint
            );
            self.row(drift.level.word(), &line(&text, 300));
        }
        if triage.found.drift.len() > DRIFT {
            self.row("", &format!("and {} more, all of them in the JSON report", triage.found.drift.len() - DRIFT));
        }
    }

    fn plan(&mut self, triage: &TriageResult) {
        if triage.plan.actions.is_empty() && triage.plan.withheld.is_empty() {
            return;
        }
        let _ = writeln!(self.text);
        let is_forge = |action: &&Planned| !matches!(action.action, Action::RecordRun { .. });
        if triage.plan.actions.iter().any(|a| is_forge(&a) && a.receipt.is_none()) {
            let _ = write!(self.text, "plan, not carried out:\n{}", preview::preview(&triage.plan));
            return;
        }
        for action in &triage.plan.actions {
            let state = match &action.receipt {
                None => "planned; --apply does it".to_owned(),
                Some(ActionResult::Done(url)) => {
                    url.as_ref().map_or("done".to_owned(), |url| format!("done: {}", line(url, 200)))
                }
                Some(ActionResult::AlreadyDone) => "was done before, nothing changed".to_owned(),
                Some(ActionResult::Stale(why)) => format!("not done, it changed meanwhile: {}", line(why, 300)),
                Some(ActionResult::Failed(why)) => format!("failed: {}", line(why, 300)),
            };
            self.row("plan", &format!("{} in {} ({state})", line(&action.title, 120), line(&action.target, 120)));
        }
        for withheld in &triage.plan.withheld {
            self.row("withheld", &format!("{}: {}", withheld.kind, line(&withheld.reason, 200)));
        }
    }
}

/// The weightiest evidence for the verdict, then what weighs nothing and helps.
fn shown(d: &Diagnosis) -> impl Iterator<Item = &Evidence> {
    let for_it = d.evidence.iter().filter(|e| e.about == d.verdict && e.weight > 0.0);
    let undecided = d.evidence.iter().filter(|e| d.verdict == Verdict::Undecided && e.weight.abs() >= 0.5);
    let context = d.evidence.iter().filter(|e| e.weight == 0.0);
    let against = d.evidence.iter().filter(|e| e.about == d.verdict && e.weight < 0.0);
    for_it.take(EVIDENCE).chain(undecided.take(EVIDENCE)).chain(context.take(2)).chain(against.take(1))
}

fn because(e: &Evidence, verdict: Verdict) -> String {
    let text = line(e.text.raw(), 220);
    if e.weight == 0.0 {
        return text;
    }
    let about = if e.about == verdict { String::new() } else { format!(" {}", e.about.word()) };
    format!("{:+.1}{about} {text}", e.weight)
}

fn style_of(verdict: Verdict) -> Style {
    let colour = match verdict {
        Verdict::Regression => AnsiColor::Red,
        Verdict::Flaky => AnsiColor::Yellow,
        Verdict::OutdatedTest => AnsiColor::Cyan,
        Verdict::RateLimited | Verdict::Environment => AnsiColor::Magenta,
        Verdict::BrokenTest => AnsiColor::Blue,
        Verdict::Undecided => AnsiColor::White,
    };
    Style::new().bold().fg_color(Some(colour.into()))
}
