//! Comments on issues: why one was reopened, closed, or changed.

use std::fmt::Write;

use super::{commit, evidence, window};
use crate::diagnose::verdict::Diagnosis;
use crate::model::forge::RunContext;
use crate::render::markdown::code;
use crate::render::plural::plural;

/// It is back.
#[must_use]
pub fn reopened(d: &Diagnosis, scene: &RunContext) -> String {
    let mut out = format!("This failure is back on {}{}.\n", commit(&scene.head, Some(scene)), run(scene));
    if let Some(window) = window(d, Some(scene)) {
        let _ = writeln!(out, "\n{window}");
    }
    let _ = writeln!(out, "\n{}", evidence(d, 6, Some(scene)));
    out
}

/// It reads differently now.
#[must_use]
pub fn changed(d: &Diagnosis, was: (&str, &str), scene: &RunContext) -> String {
    let mut out = format!(
        "On {}{} this is now **{}** of severity **{}** (before: {} of severity {}).\n",
        commit(&scene.head, Some(scene)),
        run(scene),
        d.verdict.word(),
        d.severity.word(),
        code(was.0, 40),
        code(was.1, 40),
    );
    let _ = writeln!(out, "\n{}", evidence(d, 6, Some(scene)));
    out
}

/// It has recovered: `passes` clean runs of each test in a row, `needed` were asked.
#[must_use]
pub fn recovered(
    tests: usize,
    (passes, needed): (u64, u64),
    (failed, ran): (u64, u64),
    days: u32,
    scene: &RunContext,
) -> String {
    let how = if ran > 0 && failed < ran && failed > 0 {
        format!(" (it failed in {failed} of {} before, so fewer would prove little)", plural(ran, "run"))
    } else {
        String::new()
    };
    format!(
        "Recovered: {} passed in {} in a row, the latest on {}{}; {needed} were needed{how}. Closing; if the failure returns within {}, this issue is opened again.\n",
        if tests == 1 { "the test".to_owned() } else { format!("each of the {tests} tests") },
        plural(passes, "clean run"),
        commit(&scene.head, Some(scene)),
        run(scene),
        plural(u64::from(days), "day"),
    )
}

fn run(scene: &RunContext) -> String {
    scene.run_url().map(|url| format!(" ([run]({url}))")).unwrap_or_default()
}
