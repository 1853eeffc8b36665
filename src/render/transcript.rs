//! A transcript, for people: who was shown what, who said what, and what came of it.

use std::fmt::Write;

use crate::agent::budget::money;
use crate::model::chat::{Call, Citation, TokenUsage};
use crate::render::terminal::line;

/// Letters of one line.
const WIDTH: usize = 160;
/// Lines of one text that are shown.
const LINES: usize = 12;

/// Something that happened, as it is shown.
#[derive(Clone, Copy, Debug)]
pub enum Shown<'a> {
    /// A session begins.
    Begin {
        /// Of which diagnosis.
        diagnosis: &'a str,
        /// Whose.
        role: &'a str,
    },
    /// It was shown this.
    Brief(&'a str),
    /// The model was asked; or it was before, and its answer of then counts.
    Asked(&'a str, bool),
    /// It answered.
    Replied {
        /// The words.
        text: &'a str,
        /// What it wants to see.
        calls: &'a [Call],
        /// What was counted.
        tokens: TokenUsage,
        /// Millionths.
        cost: u64,
    },
    /// Something was looked up.
    Looked {
        /// What.
        source: &'a str,
        /// What was shown.
        text: &'a str,
    },
    /// It has an opinion.
    Opined {
        /// The verdict's word.
        verdict: &'a str,
        /// 0 to 1.
        confidence: f64,
        /// What supports it.
        claims: &'a [Citation],
        /// Claims that nothing supports.
        dropped: usize,
    },
    /// It proposes edits of a test.
    Proposed {
        /// The edits as a unified diff.
        diff: &'a str,
        /// What supports them.
        claims: &'a [Citation],
        /// Claims that nothing supports.
        dropped: usize,
    },
    /// What it proposes does not hold.
    Objected(&'a str),
    /// The diagnosis goes to another role.
    HandedOver {
        /// Whose.
        to: &'a str,
        /// Why.
        because: &'a str,
    },
    /// It ended without one.
    GaveUp(&'a str),
}

/// One event, in lines.
#[must_use]
pub fn event(shown: Shown<'_>) -> String {
    let mut out = String::new();
    match shown {
        Shown::Begin { diagnosis, role } => {
            let _ = writeln!(out, "\n{} {}", line(role, 40), line(diagnosis, 80));
        }
        Shown::Brief(text) => row(&mut out, "shown", text),
        Shown::Asked(model, again) => {
            let again = if again { ", as before: its answer was kept" } else { "" };
            let _ = writeln!(out, "  asks     {}{again}", line(model, 60));
        }
        Shown::Replied { text, calls, tokens, cost } => {
            for call in calls {
                row(&mut out, "wants", &format!("{} {}", call.name, call.arguments));
            }
            if !text.trim().is_empty() {
                row(&mut out, "says", text);
            }
            let _ = writeln!(out, "           {} + {} tokens, {}", tokens.asked, tokens.said, money(cost));
        }
        Shown::Looked { source, text } => row(&mut out, "sees", &format!("{source}\n{text}")),
        Shown::Opined { verdict, confidence, claims, dropped } => {
            let _ = writeln!(out, "  reads    {}, {:.0} % sure by its own word", line(verdict, 40), confidence * 100.0);
            supported(&mut out, claims, dropped);
        }
        Shown::Proposed { diff, claims, dropped } => {
            row(&mut out, "proposes", diff);
            supported(&mut out, claims, dropped);
        }
        Shown::Objected(why) => row(&mut out, "refused", why),
        Shown::HandedOver { to, because } => {
            let _ = writeln!(out, "  hands over to the {}: {}", line(to, 40), line(because, 120));
        }
        Shown::GaveUp(why) => row(&mut out, "ends", why),
    }
    out
}

fn supported(out: &mut String, claims: &[Citation], dropped: usize) {
    for claim in claims {
        row(out, "", &format!("{} ({}: \"{}\")", claim.says, claim.source, claim.quote));
    }
    if dropped > 0 {
        let _ = writeln!(out, "           {dropped} more without support, dropped");
    }
}

fn row(out: &mut String, word: &str, text: &str) {
    let mut word = word;
    let all = text.lines().filter(|l| !l.trim().is_empty()).count();
    for one in text.lines().filter(|l| !l.trim().is_empty()).take(LINES) {
        let _ = writeln!(out, "  {word:<8} {}", line(one, WIDTH));
        word = "";
    }
    if all > LINES {
        let _ = writeln!(out, "           … {} more lines", all - LINES);
    }
}
