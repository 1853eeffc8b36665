//! How well verdicts fit what is known to be true: a table of confusions for the rules,
//! and for a model beside them.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Value, json};

use crate::agent::purse::{Micros, money};
use crate::diagnose::verdict::Verdict;
use crate::model::talk::Tokens;

/// What was judged of one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// Its name.
    pub case: String,
    /// What is true.
    pub truth: Verdict,
    /// What the rules say.
    pub rules: Verdict,
    /// What they say with a model, where there is one.
    pub with_model: Option<Verdict>,
    /// Claims of the model that nothing supports.
    pub dropped: usize,
    /// Why the model was not heard, where it was asked.
    pub unheard: Option<String>,
}

/// What an evaluation cost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Questions to the model.
    pub asks: u32,
    /// Tokens.
    pub tokens: Tokens,
    /// Millionths.
    pub micros: Micros,
    /// Seconds, the model's included.
    pub seconds: f64,
}

const ALL: [Verdict; 7] = [
    Verdict::Regression,
    Verdict::Flaky,
    Verdict::OutdatedTest,
    Verdict::RateLimited,
    Verdict::Environment,
    Verdict::BrokenTest,
    Verdict::Undecided,
];

/// Right, wrong, and undecided where something was to be said.
fn counts(all: &[Judged], of: &dyn Fn(&Judged) -> Verdict) -> (usize, usize, usize) {
    let right = all.iter().filter(|j| of(j) == j.truth).count();
    let open = all.iter().filter(|j| of(j) != j.truth && of(j) == Verdict::Undecided).count();
    (right, all.len() - right - open, open)
}

/// The evaluation as Markdown; the seconds are left out, as they differ each time.
#[must_use]
pub fn markdown(all: &[Judged], cost: Cost) -> String {
    let mut out = format!("# Evaluation\n\n{} cases with a known truth.\n", all.len());
    let has_model = all.iter().any(|j| j.with_model.is_some());
    matrix(&mut out, "The rules alone", all, &|j| j.rules);
    if has_model {
        matrix(&mut out, "With the model", all, &|j| j.with_model.unwrap_or(j.rules));
        let list = |wanted: &dyn Fn(&Judged) -> bool| -> Vec<String> {
            all.iter().filter(|j| wanted(j)).map(|j| format!("`{}`", j.case)).collect()
        };
        let settled = list(&|j| j.rules != j.truth && j.with_model == Some(j.truth));
        let worse = list(&|j| j.rules == j.truth && j.with_model.is_some_and(|m| m != j.truth));
        let wrong = list(&|j| j.with_model.is_some_and(|m| m != j.truth && m != j.rules));
        for (what, names) in [
            ("Only the model settled", settled),
            ("The model undid what was right", worse),
            ("The model settled wrongly", wrong),
            ("The model was not heard", list(&|j| j.unheard.is_some())),
        ] {
            let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            let _ = write!(out, "\n{what}: {names}.\n");
        }
        let dropped: usize = all.iter().map(|j| j.dropped).sum();
        let _ = write!(
            out,
            "\n{} questions, {} + {} tokens, {}; {dropped} claims without support were dropped.\n",
            cost.asks,
            cost.tokens.asked,
            cost.tokens.said,
            money(cost.micros)
        );
    }
    let wrong: Vec<&Judged> = all.iter().filter(|j| j.rules != j.truth).collect();
    if !wrong.is_empty() {
        out.push_str("\n| case | truth | the rules |\n|---|---|---|\n");
        for j in wrong {
            let _ = writeln!(out, "| `{}` | {} | {} |", j.case, j.truth.word(), j.rules.word());
        }
    }
    out
}

fn matrix(out: &mut String, title: &str, all: &[Judged], of: &dyn Fn(&Judged) -> Verdict) {
    let (right, wrong, open) = counts(all, of);
    let _ = write!(out, "\n## {title}\n\n{right} right, {wrong} wrong, {open} left undecided.\n\n| truth | ");
    let _ = writeln!(out, "{} |", ALL.map(Verdict::word).join(" | "));
    out.push_str("|---|");
    out.push_str(&"--:|".repeat(ALL.len()));
    out.push('\n');
    for truth in ALL {
        if !all.iter().any(|j| j.truth == truth) {
            continue;
        }
        let cells = ALL.map(|verdict| {
            let count = all.iter().filter(|j| j.truth == truth && of(j) == verdict).count();
            if count == 0 { String::new() } else { count.to_string() }
        });
        let _ = writeln!(out, "| {} | {} |", truth.word(), cells.join(" | "));
    }
}

/// The evaluation as JSON.
#[must_use]
pub fn json(all: &[Judged], cost: Cost) -> Value {
    let side = |of: &dyn Fn(&Judged) -> Verdict| {
        let (right, wrong, open) = counts(all, of);
        let mut matrix: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
        for j in all {
            *matrix.entry(j.truth.word()).or_default().entry(of(j).word()).or_default() += 1;
        }
        json!({"right": right, "wrong": wrong, "undecided": open, "matrix": matrix})
    };
    let cases: Vec<Value> = all
        .iter()
        .map(|j| {
            json!({"case": j.case, "truth": j.truth.word(), "rules": j.rules.word(),
                "with-model": j.with_model.map(Verdict::word), "dropped-claims": j.dropped})
        })
        .collect();
    let has_model = all.iter().any(|j| j.with_model.is_some());
    json!({
        "cases": cases,
        "rules": side(&|j| j.rules),
        "with-model": if has_model { side(&|j| j.with_model.unwrap_or(j.rules)) } else { Value::Null },
        "cost": {"questions": cost.asks, "asked": cost.tokens.asked, "said": cost.tokens.said,
            "micros": cost.micros, "seconds": cost.seconds},
    })
}
