//! The check run beside a commit: title, summary and annotations.

use super::{Page, drift, evidence, icon, tests, window};
use crate::diagnose::findings::Findings;
use crate::diagnose::verdict::Diagnosis;
use crate::model::forge::RunContext;
use crate::render::markdown::code;
use crate::render::plural::{counts, plural};
use crate::render::terminal::line;

/// In one line.
#[must_use]
pub fn title(found: &Findings) -> String {
    if found.totals.tests == 0 {
        return "no test result could be read".to_owned();
    }
    let cut = if found.is_incomplete() { ", and a report that could not be read in full" } else { "" };
    match found.diagnoses.len() {
        0 => format!("{}{cut}", counts(&found.totals)),
        n => format!("{} in {}{cut}", counts(&found.totals), plural(n as u64, "group")),
    }
}

/// The text below it.
#[must_use]
pub fn summary(found: &Findings, scene: &RunContext, limit: usize) -> String {
    let mut page = Page::new(limit);
    page.push(&format!("{}\n", counts(&found.totals)));
    for d in &found.diagnoses {
        let window = window(d, Some(scene)).map(|w| format!("{w}\n\n")).unwrap_or_default();
        page.push(&format!(
            "\n### {} {}: {}\n\n{window}{}\n{}",
            icon(d.verdict),
            d.verdict.word(),
            code(d.title.raw(), 160),
            evidence(d, 6, Some(scene)),
            tests(found, d, 10)
        ));
    }
    if !found.drift.is_empty() {
        page.push(&format!("\n### Changes in the answers of the API\n\n{}", drift(&found.drift, 20)));
    }
    page.finish()
}

/// Title of an annotation, plain text.
#[must_use]
pub fn annotation_title(d: &Diagnosis) -> String {
    line(&format!("{} ({:.0} %)", d.verdict.word(), d.confidence * 100.0), 200)
}

/// Message of an annotation, plain text of a few lines.
#[must_use]
pub fn annotation_message(d: &Diagnosis) -> String {
    let mut lines = vec![line(d.title.raw(), 300)];
    lines.extend(d.evidence.iter().filter(|e| e.about == d.verdict && e.weight >= 0.0).take(3).map(|e| {
        let weight = if e.weight == 0.0 { String::new() } else { format!("{:+.1} ", e.weight) };
        format!("{weight}{}", line(e.text.raw(), 240))
    }));
    lines.join("\n")
}
