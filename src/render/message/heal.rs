//! What the healer found, for the forge: commits, pull requests, comments.

use std::fmt::Write;

use super::Page;
use crate::agent::healer::result::{self, HealResult, ModelAdvice, Outcome, TestHeal};
use crate::agent::healer::scoring::{DEFECT, Decision, HEAL, Score};
use crate::code::hunks::Hunk;
use crate::model::execution::Scope;
use crate::model::forge::{BotBranch, RunContext, percent};
use crate::model::heal::ProofCase;
use crate::render::markdown::{code, diff, prose, spans, suggestion};
use crate::render::plural::plural;
use crate::render::terminal::line;

/// Reasons that are shown of one test.
const REASONS: usize = 8;
/// Bytes of a patch that are shown of one test.
const PATCH: usize = 4000;

/// What a pull request's comment says of one test. `branch` is the branch that
/// its repair is on.
#[must_use]
pub fn entry(healed: &TestHeal, branch: Option<&BotBranch>, scene: Option<&RunContext>) -> String {
    let healing = &healed.healing;
    let mut out = format!("\n**{}** {} {}\n\n", badge(&healing.outcome), name(healing), place(healing));
    let _ = writeln!(out, "{}\n", in_words(healing));
    if healing.outcome != Outcome::Defect {
        for part in healing.parts.iter().take(REASONS) {
            let _ = writeln!(out, "- {}: {}", part.kind.word(), spans(&part.told(), 300));
        }
        if !healing.parts.is_empty() {
            out.push('\n');
        }
    }
    if let (Some(branch), Some(scene), true) = (branch, scene, healing.outcome.is_repair()) {
        let _ = writeln!(out, "{}\n", on_branch(branch, scene));
    }
    if let Some(advice) = &healing.advice {
        let _ = writeln!(out, "{}\n", advised(advice));
    }
    let evidence = evidence(healing);
    if !evidence.is_empty() {
        let _ = writeln!(out, "<details><summary>Proof, reasons and patch</summary>\n\n{evidence}</details>");
    }
    out
}

fn badge(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Healed => "🩹 outdated test, repaired:",
        Outcome::Suggested => "🩹 outdated test, repair suggested:",
        Outcome::Ask => "❓ outdated test or bug:",
        Outcome::Defect => "🐞 not touched:",
        Outcome::GaveUp(_) => "➖ not repaired:",
    }
}

fn name(healing: &HealResult) -> String {
    let target = &healing.target;
    let name = if target.name.is_empty() { target.path.join(" › ") } else { target.name.clone() };
    code(&name, 160)
}

fn place(healing: &HealResult) -> String {
    code(&format!("{}:{}", healing.target.file, healing.target.line), 200)
}

/// Why it ended as it did, in a sentence.
fn in_words(healing: &HealResult) -> String {
    let sum = healing.weighed.as_ref().map(|w| format!("{:+.1}", w.score)).unwrap_or_default();
    match &healing.outcome {
        Outcome::Healed => match healing.bound() {
            Some(bound) => format!(
                "The product was changed on purpose ({sum}), and the edit passes all four corners of the proof; so many passes leave open a failure rate of up to {:.0} % (95 % confidence).",
                bound * 100.0
            ),
            None => format!("The product was changed on purpose ({sum}), and the edit passes all four corners."),
        },
        Outcome::Suggested => format!(
            "The product was changed on purpose ({sum}). The proof is not whole, so this is a suggestion and no more; missing: {}.",
            prose(&missing(healing), 300)
        ),
        Outcome::Ask => format!(
            "Either the product was changed on purpose, and the edit below brings the test up to date; or it is broken, and the test is right. The evidence ({sum}) speaks for neither clearly: from {HEAL:+.1} it is an outdated test, to {DEFECT:+.1} a bug."
        ),
        Outcome::Defect => match healing.weighed.as_ref().and_then(|w| w.veto.as_deref()) {
            Some(veto) => format!("The test found a bug: {}.", spans(veto, 300)),
            None => format!("The test found a bug: the evidence ({sum}) speaks against a change on purpose."),
        },
        Outcome::GaveUp(why) => format!("{}.", prose(why.lines().next().unwrap_or_default(), 400)),
    }
}

/// Who proposed the edit, and what is said for it, with the quotes that support it.
fn advised(advice: &ModelAdvice) -> String {
    let model = code(&advice.model, 60);
    if let Some(why) = &advice.refused {
        return format!("{model} was asked for an edit; none is taken: {}.", prose(why, 300).trim_end_matches('.'));
    }
    let claims = advice.claims.iter().take(REASONS).map(|claim| {
        format!("\n- {} ({}, from {})", prose(&claim.says, 400), code(&claim.quote, 200), code(&claim.source, 120))
    });
    format!("No rule knows this edit: {model} proposed it, and says:\n{}", claims.collect::<String>())
}

/// Where the repair is, and how its tests went there.
fn on_branch(branch: &BotBranch, scene: &RunContext) -> String {
    let shown = code(&branch.name, 120);
    let compare = scene.pull.as_ref().map(|pull| compare_url(scene, &pull.head_ref, &branch.name));
    let link = compare.map_or(shown.clone(), |url| format!("[{shown}]({url})"));
    let pull = match &branch.pull {
        Some(pull) => {
            let state = if pull.open { "" } else { ", which was closed" };
            let url = format!("{}/{}/pull/{}", scene.server, scene.repository, pull.number);
            format!(", offered by [pull request {}]({url}){state}", pull.number)
        }
        None => "; the link opens a pull request from it".to_owned(),
    };
    let tests = match &branch.run {
        None => "A branch that is pushed with a workflow's own token starts no workflow: its tests did not run by themselves.".to_owned(),
        Some(run) => {
            let url = scene.url_of(run.id, 1);
            match run.conclusion.as_deref() {
                None => format!("Its tests [run]({url})."),
                Some("success") => format!("Its tests [passed]({url})."),
                Some(other) => format!("Its tests [ended]({url}) with {}.", code(other, 40)),
            }
        }
    };
    format!("The repair is on the branch {link}{pull}. {tests}")
}

/// The page that compares two branches and offers a pull request.
#[must_use]
pub fn compare_url(scene: &RunContext, base: &str, branch: &str) -> String {
    let name = |text: &str| text.split('/').map(percent).collect::<Vec<_>>().join("/");
    format!("{}/{}/compare/{}...{}?expand=1", scene.server, scene.repository, name(base), name(branch))
}

/// Reasons, corners and patch.
fn evidence(healing: &HealResult) -> String {
    let mut out = String::new();
    if let Some(weighed) = &healing.weighed {
        out.push_str(&reasons(weighed));
    }
    if !healing.proof.is_empty() {
        out.push_str("| test | code | must | came | |\n|---|---|---|---|---|\n");
        for cell in &healing.proof {
            let (test, on) = cell.corner.words();
            let with = if cell.extent == Scope::File { ", with its file" } else { "" };
            let must = if cell.corner.must_pass() { "pass" } else { "fail" };
            let mark = if cell.holds { "✓" } else { "✗" };
            let note = cell.note.as_deref().map(|n| prose(n, 200)).unwrap_or_default();
            let times = if cell.times > 1 { format!(", {} times", cell.times) } else { String::new() };
            let _ = writeln!(out, "| {test}{with} | {on} | {must} | {mark} {}{times} | {note} |", cell.outcome);
        }
        out.push('\n');
    }
    for finding in &healing.findings {
        let _ = writeln!(out, "- guard {}: {}", finding.guard.name(), prose(&finding.why, 300));
    }
    if healing.outcome != Outcome::Defect && !healing.patch.is_empty() {
        let _ = writeln!(out, "\n{}", diff(&healing.diff(), PATCH));
    }
    out
}

fn reasons(weighed: &Score) -> String {
    let mut out = String::new();
    if let Some(veto) = weighed.veto.as_deref().filter(|_| weighed.band != Decision::Defect) {
        let _ = writeln!(out, "Held back: {}.\n", spans(veto, 300));
    }
    if weighed.reasons.is_empty() {
        return out;
    }
    out.push_str("| for (+) and against (-) a change on purpose | weight | from |\n|---|--:|---|\n");
    for reason in weighed.reasons.iter().take(REASONS) {
        let _ =
            writeln!(out, "| {} | {:+.1} | {} |", spans(&reason.text, 300), reason.weight, prose(&reason.source, 160));
    }
    out.push('\n');
    out
}

/// The review comment that suggests one place of a repair; `others` are its
/// other places. Evidence that does not fit into `limit` bytes is left out. `None`
/// where its lines cannot be shown as they are, or do not fit.
#[must_use]
pub fn suggested(healings: &[&HealResult], hunk: &Hunk, others: usize, limit: usize) -> Option<String> {
    let block = suggestion(&hunk.new)?;
    let mut page = Page::new(limit.checked_sub(block.len())?);
    let mut shown = true;
    for healing in healings {
        shown &= page.push(&format!("**{}** {}\n\n{}\n\n", badge(&healing.outcome), name(healing), in_words(healing)));
    }
    if others > 0 {
        let others = plural(others as u64, "other suggestion");
        page.push(&format!("It belongs together with {others} on this pull request.\n\n"));
    }
    page.push_always(&block);
    for healing in healings {
        let evidence = evidence(healing);
        page.push(&format!("\n<details><summary>Proof, reasons and patch</summary>\n\n{evidence}</details>\n"));
    }
    shown.then(|| page.finish())
}

/// Title of the pull request that offers repairs.
#[must_use]
pub fn pull_title(healings: &[&HealResult]) -> String {
    commit_message(healings).lines().next().unwrap_or_default().to_owned()
}

/// Body of the pull request that offers repairs.
#[must_use]
pub fn pull_body(healed: &[&TestHeal], scene: &RunContext, limit: usize) -> String {
    let mut page = Page::new(limit);
    let mut out = String::new();
    if let Some(pull) = &scene.pull {
        // The link shows this one on the other's page.
        let _ = writeln!(
            out,
            "For [pull request {0}]({1}/{2}/pull/{0}), whose head is [{3}]({4}): its change is on purpose as far as can be told, and these tests still expect what was before. Merging this brings them up to date in {5}.",
            pull.number,
            scene.server,
            scene.repository,
            code(crate::history::short(&scene.head), 20),
            scene.commit_url(&scene.head),
            code(&pull.head_ref, 120),
        );
    }
    page.push(&out);
    for one in healed {
        page.push(&entry(one, None, Some(scene)));
    }
    page.finish()
}

/// Why it ended as it did, in a few sentences.
#[must_use]
pub fn rationale(healing: &HealResult) -> String {
    let mut out = match &healing.outcome {
        Outcome::Healed => "The test is outdated; the edit passes all four corners.".to_owned(),
        Outcome::Suggested => format!("The test is outdated; missing in the proof: {}.", missing(healing)),
        Outcome::Ask => "It could be an outdated test or a bug: a person decides.".to_owned(),
        Outcome::Defect => "The test found a bug; it is not touched.".to_owned(),
        Outcome::GaveUp(why) => why.lines().next().unwrap_or("").to_owned(),
    };
    if let Some(weighed) = &healing.weighed {
        if let Some(veto) = &weighed.veto {
            out.push_str(&format!(" Veto: {veto}."));
        }
        for reason in &weighed.reasons {
            out.push_str(&format!(" {:+.1} {}.", reason.weight, reason.text));
        }
    }
    if let Some(advice) = &healing.advice {
        let came = advice.refused.as_ref().map_or("proposed the edit".to_owned(), |why| format!("was asked: {why}"));
        out.push_str(&format!(" {} {came}.", line(&advice.model, 60)));
        for claim in &advice.claims {
            out.push_str(&format!(" It says: {} ({}: \"{}\").", claim.says, claim.source, claim.quote));
        }
    }
    out
}

/// The message of the commit with the repairs of one diagnosis: what, why, and the proof.
#[must_use]
pub fn commit_message(healings: &[&HealResult]) -> String {
    let names: Vec<String> =
        healings.iter().map(|h| inert(h.target.path.last().map_or("", String::as_str), 60)).collect();
    let head = match names.as_slice() {
        [only] => format!("Bring {only} up to date"),
        all => format!("Bring {} up to date", plural(all.len() as u64, "test")),
    };
    let mut out = format!("{head}\n");
    for healing in healings {
        out.push_str(&format!("\n{}:{}\n", inert(&healing.target.file, 200), healing.target.line));
        for part in &healing.parts {
            out.push_str(&format!("  {}: {}\n", part.kind.word(), inert(&part.told(), 200)));
        }
        for reason in healing.weighed.iter().flat_map(|w| &w.reasons) {
            out.push_str(&format!("  {:+.1} {}\n", reason.weight, inert(&reason.text, 200)));
        }
        if let Some(advice) = &healing.advice {
            out.push_str(&format!("  proposed by {}\n", inert(&advice.model, 60)));
        }
        for cell in &healing.proof {
            let (test, code) = cell.corner.words();
            let with = if cell.extent == Scope::File { " with its file" } else { "" };
            out.push_str(&format!(
                "  {test} test on {code} code{with}: {} ({})\n",
                cell.outcome,
                plural(u64::from(cell.times), "time")
            ));
        }
    }
    out
}

/// Whether a line of a commit message says nothing that works anywhere.
#[must_use]
pub fn is_inert(text: &str) -> bool {
    let plain: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    inert(&plain, 2000) == plain
}

/// Foreign words for a commit message, where Markdown's code does not protect:
/// they reach nobody, close nothing, and switch no workflow off.
#[must_use]
pub fn inert(text: &str, width: usize) -> String {
    let text = line(text, width).replace('@', "@ ").replace("://", ": //").replace('[', "(").replace(']', ")");
    let text = text.replace("skip-checks", "skip checks");
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(c) = rest.chars().next() {
        let number = |skip: usize| rest.as_bytes().get(skip).is_some_and(u8::is_ascii_digit);
        let gh = rest.get(..3).is_some_and(|w| w.eq_ignore_ascii_case("gh-")) && number(3);
        if (c == '#' && number(1)) || gh {
            out.push_str(if gh { &rest[..2] } else { "#" });
            out.push(' ');
            rest = &rest[if gh { 2 } else { 1 }..];
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

/// The corners that are not there, or do not hold, in words.
#[must_use]
pub fn missing(healing: &HealResult) -> String {
    let words = |corner: ProofCase| {
        let (test, code) = corner.words();
        format!("{test} test on {code} code")
    };
    result::missing(&healing.proof).into_iter().map(words).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_words_do_nothing_in_a_commit() {
        let shown = inert("fixes #12, Closes GH-7, o/r#3 @ann [skip ci] https://github.com/o/r/issues/1", 200);
        assert_eq!(shown, "fixes # 12, Closes GH -7, o/r# 3 @ ann (skip ci) https: //github.com/o/r/issues/1");
        assert_eq!(inert("é#x 'a'", 20), "é#x 'a'");
    }
}
