//! A review comment on one line of a pull request.

use std::fmt::Write;

use super::{evidence, failure, icon, tests, window};
use crate::diagnose::findings::Findings;
use crate::diagnose::verdict::Diagnosis;
use crate::model::forge::RunContext;
use crate::render::markdown::code;

/// Why a line is commented on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spot {
    /// The assertion that failed stands here.
    Assertion,
    /// The stack goes through this changed line.
    Frame,
}

/// The comment.
#[must_use]
pub fn comment(found: &Findings, d: &Diagnosis, spot: Spot, scene: &RunContext) -> String {
    let mut out = format!(
        "{} **{}** ({:.0} %): {}\n\n",
        icon(d.verdict),
        d.verdict.word(),
        d.confidence * 100.0,
        match spot {
            Spot::Assertion => "this is what fails.",
            Spot::Frame => "the failure runs through this changed line.",
        }
    );
    if let Some(m) = &d.mismatch {
        let _ = writeln!(out, "Expected {}, got {}.\n", code(m.expected.raw(), 200), code(m.actual.raw(), 200));
    } else {
        let _ = writeln!(out, "{}\n", code(d.title.raw(), 240));
    }
    if let Some(window) = window(d, Some(scene)) {
        let _ = writeln!(out, "{window}\n");
    }
    let _ = writeln!(
        out,
        "<details><summary>Evidence and tests</summary>\n\n{}\n{}",
        evidence(d, 6, Some(scene)),
        tests(found, d, 10)
    );
    if let Some(text) = failure(found, d, 3000) {
        let _ = writeln!(out, "{text}");
    }
    out.push_str("</details>\n");
    out
}
