//! What the healer did, for a terminal.

use anstyle::{AnsiColor, Style};

use crate::agent::healer::result::{HealResult, Outcome, TestHeal};
use crate::agent::healer::scoring::{DEFECT, Decision, HEAL, PRIOR, Score};
use crate::model::execution::Scope;
use crate::render::message::heal::missing;
use crate::render::terminal::line;
use crate::report::plural;
use crate::report::terminal::{Page, RenderOptions};

/// Lines of a patch that are shown.
const PATCH: usize = 40;
/// Reasons that are shown.
const REASONS: usize = 8;

/// The report.
#[must_use]
pub fn render(all: &[TestHeal], notes: &[String], look: RenderOptions) -> String {
    let mut page = Page { text: String::new(), look };
    let count = |wanted: fn(&Outcome) -> bool| all.iter().filter(|h| wanted(&h.healing.outcome)).count() as u64;
    let healed = count(|o| *o == Outcome::Healed);
    let head = format!(
        "{} looked at: {healed} healed, {} suggested, {} to be asked about, {} refused as defects, {} given up",
        plural(all.len() as u64, "failing test"),
        count(|o| *o == Outcome::Suggested),
        count(|o| *o == Outcome::Ask),
        count(|o| *o == Outcome::Defect),
        count(|o| matches!(o, Outcome::GaveUp(_))),
    );
    page.text.push_str(&format!("{}\n", page.paint(Style::new().bold(), &head)));
    for one in all {
        page.one(&one.healing);
    }
    for note in notes {
        page.row("note", &line(note, 400));
    }
    page.text
}

impl Page {
    fn one(&mut self, healing: &HealResult) {
        let (word, colour) = match healing.outcome {
            Outcome::Healed => ("HEALED", AnsiColor::Green),
            Outcome::Suggested => ("SUGGESTED", AnsiColor::Cyan),
            Outcome::Ask => ("ASK", AnsiColor::Yellow),
            Outcome::Defect => ("DEFECT", AnsiColor::Red),
            Outcome::GaveUp(_) => ("GIVEN UP", AnsiColor::White),
        };
        let target = &healing.target;
        let name = if target.name.is_empty() { target.path.join(" › ") } else { target.name.clone() };
        let head = self.paint(Style::new().bold().fg_color(Some(colour.into())), word);
        self.text.push_str(&format!(
            "\n{head}  {}  {}\n",
            line(&name, 120),
            line(&format!("{}:{}", target.file, target.line), 160)
        ));
        match &healing.outcome {
            Outcome::GaveUp(why) => self.row("why", &line(why, 600)),
            Outcome::Suggested => self.row("missing", &missing(healing)),
            _ => {}
        }
        for part in healing.parts.iter().take(REASONS) {
            self.row(part.kind.word(), &line(&part.told(), 300));
        }
        if let Some(weighed) = &healing.weighed {
            self.weighed(weighed);
        }
        if let Some(advice) = &healing.advice {
            let model = line(&advice.model, 60);
            match &advice.refused {
                Some(why) => {
                    self.row("model", &line(&format!("{model} was asked for an edit; none is taken: {why}"), 400));
                }
                None => self.row("model", &format!("no rule knows this edit: {model} proposed it")),
            }
            for claim in &advice.claims {
                self.row("", &line(&format!("{} (\"{}\", {})", claim.says, claim.quote, claim.source), 400));
            }
        }
        for finding in &healing.findings {
            self.row("guard", &line(&format!("{}: {}", finding.guard.name(), finding.why), 300));
        }
        self.proof(healing);
        if !matches!(healing.outcome, Outcome::Defect) {
            self.patch(&healing.diff());
        }
        let p = healing.phases;
        self.row(
            "time",
            &format!("{:.1} s to reproduce, {:.1} s to edit, {:.1} s to prove", p.reproduce, p.edit, p.proof),
        );
    }

    fn weighed(&mut self, weighed: &Score) {
        let reading = match weighed.band {
            Decision::Heal => "the test is outdated",
            Decision::Ask => "either the test is outdated or the product is broken",
            Decision::Defect => "the product is broken",
        };
        let sum = format!(
            "{reading}: {:+.1} (from {HEAL:+.1} outdated, to {DEFECT:+.1} broken, begun at {PRIOR:+.1})",
            weighed.score
        );
        self.row("reading", &sum);
        if let Some(veto) = &weighed.veto {
            self.row("veto", &line(veto, 300));
        }
        let mut reasons: Vec<_> = weighed.reasons.iter().collect();
        reasons.sort_by(|a, b| b.weight.abs().total_cmp(&a.weight.abs()));
        for reason in reasons.into_iter().take(REASONS) {
            self.row(&format!("{:+.1}", reason.weight), &line(&format!("{}  ({})", reason.text, reason.source), 300));
        }
    }

    fn proof(&mut self, healing: &HealResult) {
        for cell in &healing.proof {
            let (test, code) = cell.corner.words();
            let must = if cell.corner.must_pass() { "must pass" } else { "must fail" };
            let mark = if cell.holds { "✓" } else { "✗" };
            let with = if cell.extent == Scope::File { " with its file" } else { "" };
            let times = if cell.times > 1 { format!(" {} times", cell.times) } else { String::new() };
            let note = cell.note.as_ref().map_or_else(String::new, |n| format!(", {n}"));
            let text = format!("{mark} {test} test on {code} code{with}: {}{times} ({must}){note}", cell.outcome);
            self.row("proof", &line(&text, 300));
        }
        if let Some(bound) = healing.bound().filter(|_| healing.outcome == Outcome::Healed) {
            let text =
                format!("so many passes leave open a failure rate of up to {:.0} % (95 % confidence)", bound * 100.0);
            self.row("", &text);
        }
    }

    fn patch(&mut self, diff: &str) {
        for (at, text) in diff.lines().skip(1).enumerate() {
            if at == PATCH {
                self.row("", "… (all of it with --patch FILE)");
                return;
            }
            let colour = match text.chars().next() {
                Some('+') => AnsiColor::Green,
                Some('-') => AnsiColor::Red,
                _ => AnsiColor::White,
            };
            // White space at the beginning of a line is part of it.
            let lead: String = text.chars().take_while(|c| c.is_whitespace()).collect();
            let inner: String = text.chars().skip(1).take_while(|c| c.is_whitespace()).collect();
            let shown = match text.chars().next() {
                Some(sign @ ('+' | '-')) => format!("{sign}{inner}{}", line(text[1..].trim_start(), 200)),
                _ => format!("{lead}{}", line(text, 200)),
            };
            let shown =
                if self.look.colour { self.paint(Style::new().fg_color(Some(colour.into())), &shown) } else { shown };
            self.row("", &shown);
        }
    }
}
