//! How well verdicts fit what is known to be true: a table of confusions for the rules,
//! and for a model beside them.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Value, json};

use crate::agent::budget::{Micros, Usage, money};
use crate::diagnose::verdict::Verdict;
use crate::model::chat::TokenUsage;

/// What was judged of one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvalRow {
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

/// What came of a failing test that was to be healed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// Repaired, with all four corners.
    Healed,
    /// Repaired, but a corner is missing.
    Suggested,
    /// A person is asked.
    Asked,
    /// The test found a bug.
    Refused,
    /// Nothing was done.
    GivenUp,
}

impl Came {
    const ALL: [Self; 5] = [Self::Healed, Self::Suggested, Self::Asked, Self::Refused, Self::GivenUp];

    fn word(self) -> &'static str {
        match self {
            Self::Healed => "healed",
            Self::Suggested => "suggested",
            Self::Asked => "a person is asked",
            Self::Refused => "refused as a bug",
            Self::GivenUp => "given up",
        }
    }
}

/// What came of one test that was to be healed.
#[derive(Clone, Debug, PartialEq)]
pub struct HealOf {
    /// World and case.
    pub case: String,
    /// Whether the test is outdated; else the product is broken.
    pub is_outdated: bool,
    /// What came of it by the rules.
    pub rules: Came,
    /// With a model, where there is one.
    pub with_model: Option<Came>,
    /// Whether the model was asked for an edit.
    pub was_asked: bool,
    /// Why nothing of what it proposed is taken.
    pub refused: Option<String>,
    /// Guards that refused what it proposed.
    pub guards: Vec<&'static str>,
    /// What that cost.
    pub spent: Usage,
}

/// What an evaluation cost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Questions to the model.
    pub asks: u32,
    /// Tokens.
    pub tokens: TokenUsage,
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
fn counts(all: &[EvalRow], of: &dyn Fn(&EvalRow) -> Verdict) -> (usize, usize, usize) {
    let right = all.iter().filter(|j| of(j) == j.truth).count();
    let open = all.iter().filter(|j| of(j) != j.truth && of(j) == Verdict::Undecided).count();
    (right, all.len() - right - open, open)
}

/// The evaluation as Markdown; the seconds are left out, as they differ each time.
#[must_use]
pub fn markdown(all: &[EvalRow], cost: Cost) -> String {
    let mut out = format!("# Evaluation\n\n{} cases with a known truth.\n", all.len());
    let has_model = all.iter().any(|j| j.with_model.is_some());
    matrix(&mut out, "The rules alone", all, &|j| j.rules);
    if has_model {
        matrix(&mut out, "With the model", all, &|j| j.with_model.unwrap_or(j.rules));
        let list = |wanted: &dyn Fn(&EvalRow) -> bool| -> Vec<String> {
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
    let wrong: Vec<&EvalRow> = all.iter().filter(|j| j.rules != j.truth).collect();
    if !wrong.is_empty() {
        out.push_str("\n| case | truth | the rules |\n|---|---|---|\n");
        for j in wrong {
            let _ = writeln!(out, "| `{}` | {} | {} |", j.case, j.truth.word(), j.rules.word());
        }
    }
    out
}

/// Heals as Markdown: what came of outdated tests and of bugs.
#[must_use]
pub fn heals(all: &[HealOf]) -> String {
    let mut out = format!("\n## Heals\n\n{} tests that fail after a change.\n\n| | ", all.len());
    let _ = writeln!(out, "{} |", Came::ALL.map(Came::word).join(" | "));
    out.push_str(&format!("|---|{}\n", "--:|".repeat(Came::ALL.len())));
    let has_model = all.iter().any(|h| h.with_model.is_some());
    for with_model in [false, true].into_iter().filter(|with| !with || has_model) {
        let of = |h: &HealOf| if with_model { h.with_model.unwrap_or(h.rules) } else { h.rules };
        for (is_outdated, what) in [(true, "outdated tests"), (false, "bugs")] {
            let cells = Came::ALL
                .map(|came| all.iter().filter(|h| h.is_outdated == is_outdated && of(h) == came).count().to_string());
            let by = if with_model { "with the model" } else { "the rules" };
            let _ = writeln!(out, "| {what}, {by} | {} |", cells.join(" | "));
        }
    }
    if has_model {
        let mut guards: BTreeMap<&str, usize> = BTreeMap::new();
        for guard in all.iter().flat_map(|h| &h.guards) {
            *guards.entry(guard).or_default() += 1;
        }
        let hit: Vec<String> = guards.iter().map(|(guard, times)| format!("{guard} {times}")).collect();
        let asked = all.iter().filter(|h| h.was_asked).count();
        let asks: u32 = all.iter().map(|h| h.spent.asks).sum();
        let micros = all.iter().map(|h| h.spent.micros).fold(0, Micros::saturating_add);
        let hit = if hit.is_empty() { "none".to_owned() } else { hit.join(", ") };
        let cost = money(micros);
        let _ = write!(
            out,
            "\nThe model was asked about {asked} of them: {asks} questions, {cost}. Guards that refused what it proposed: {hit}.\n"
        );
    }
    let wrong =
        all.iter().filter(|h| (h.rules == Came::Healed) != h.is_outdated || h.with_model.is_some_and(|m| m != h.rules));
    let rows: Vec<String> = wrong
        .map(|h| {
            let truth = if h.is_outdated { "outdated" } else { "bug" };
            let model = h.with_model.map_or("", Came::word);
            format!("| `{}` | {truth} | {} | {model} |\n", h.case, h.rules.word())
        })
        .filter(|_| has_model)
        .collect();
    if !rows.is_empty() {
        let _ = write!(out, "\n| case | truth | the rules | with the model |\n|---|---|---|---|\n{}", rows.concat());
    }
    out
}

/// Heals as JSON.
#[must_use]
pub fn heals_json(all: &[HealOf]) -> Value {
    let row = |h: &HealOf| {
        json!({"case": h.case, "truth": if h.is_outdated { "outdated" } else { "bug" }, "rules": h.rules.word(),
            "with-model": h.with_model.map(Came::word), "guards": h.guards, "refused": h.refused, "questions": h.spent.asks,
            "tokens": h.spent.tokens.asked.saturating_add(h.spent.tokens.said), "cost": money(h.spent.micros)})
    };
    all.iter().map(row).collect()
}

fn matrix(out: &mut String, title: &str, all: &[EvalRow], of: &dyn Fn(&EvalRow) -> Verdict) {
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
pub fn json(all: &[EvalRow], cost: Cost) -> Value {
    let side = |of: &dyn Fn(&EvalRow) -> Verdict| {
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
