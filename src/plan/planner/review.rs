//! Review comments: on the failing assertion, or on the changed line that the
//! stack names; only on lines that the diff shows, never twice.

use super::repairs::{self, Draft, Handover};
use super::{PlannerInput, ended_bad, planned};
use crate::agent::healer::result::{HealResult, TestHeal};
use crate::code::guards::FilePatch;
use crate::code::hunks::{Hunk, hunks};
use crate::diagnose::verdict::{Diagnosis, Verdict};
use crate::plan::action::{Action, LineComment, Plan, Precondition, SkippedAction};
use crate::plan::marker::{self, NoteState, VERSION};
use crate::plan::pr_diff::{self, FileDiff};
use crate::plan::snapshot::{BotComment, SUGGESTION};
use crate::render::message::heal;
use crate::render::message::review::{self, Spot};

/// Bytes of one review comment.
const LIMIT: usize = 20_000;

pub(super) fn plan(given: &PlannerInput<'_>) -> Plan {
    let mut plan = Plan::default();
    let Some(pull) = given.scene.pull.as_ref().filter(|_| given.policy.review.enabled) else {
        return plan;
    };
    let speaking: Vec<&Diagnosis> = given.found.diagnoses.iter().filter(|d| speaks(given, d)).collect();
    if speaking.is_empty() {
        return plan;
    }
    let because = format!("pull request {}", pull.number);
    let (Some(diff), Some(existing)) = (given.snapshot.diff.as_deref(), given.snapshot.review_comments.as_deref())
    else {
        plan.withheld.push(SkippedAction::new("review", because, "its diff or its review comments could not be read"));
        return plan;
    };
    let known: Vec<String> = existing.iter().filter_map(BotComment::stands_for).collect();
    let (mut comments, suggested, mut hidden) = suggestions(given, &known);
    // The suggestion says all that there is to say.
    for d in speaking.into_iter().filter(|d| !suggested.contains(&d.id)) {
        let Some((spot, path, line)) = spot(d, given, diff) else {
            let reason = "no line of the diff is named by the failure";
            plan.withheld.push(SkippedAction::new("review", d.id.clone(), reason));
            continue;
        };
        let key = format!("{} {path}", d.id);
        if known.contains(&key) {
            continue;
        }
        if comments.len() >= given.policy.review.max_comments as usize {
            hidden += 1;
            continue;
        }
        let marker = marker::write(marker::NOTE, &NoteState { v: VERSION, key: key.clone() });
        let text = review::comment(given.found, d, spot, given.scene);
        let text = crate::model::text::head(&text, LIMIT);
        comments.push(LineComment { path, line, start: None, key, body: format!("{marker}\n{text}") });
    }
    if hidden > 0 {
        let reason = format!("{hidden} more than `review.max-comments` allows");
        plan.withheld.push(SkippedAction::new("review", because.clone(), reason));
    }
    if comments.is_empty() {
        return plan;
    }
    let keys = comments.iter().map(|c| c.key.clone()).collect();
    let head = given.scene.head.clone();
    let title = match comments.as_slice() {
        [one] => format!("comment on {}:{}", one.path, one.line),
        many => format!("comment on {} lines", many.len()),
    };
    plan.actions.push(planned(
        Action::Review { pull: pull.number, head: head.clone(), comments },
        format!("review:{}:{head}", pull.number),
        "the failure names lines of the diff".to_owned(),
        title,
        because,
        vec![
            Precondition::PullRequestHeadIs { pull: pull.number, head },
            Precondition::NoReviewComment { pull: pull.number, keys },
        ],
    ));
    plan
}

/// The drafts that are handed over as suggestions, with the places of each.
fn in_review<'g>(given: &'g PlannerInput<'_>) -> Vec<(Draft<'g>, Vec<(String, Hunk)>)> {
    let drafts = repairs::drafts(given.repairs, &given.scene.head);
    let with_places = |draft: Draft<'g>| match repairs::handover(&draft, given) {
        Handover::Suggestions(places) => Some((draft, places)),
        _ => None,
    };
    drafts.into_iter().filter_map(with_places).collect()
}

/// The suggestions, the ids of the diagnoses that they answer, and how many had
/// no room.
fn suggestions(given: &PlannerInput<'_>, known: &[String]) -> (Vec<LineComment>, Vec<String>, usize) {
    let (mut comments, mut answered, mut hidden) = (Vec::new(), Vec::new(), 0);
    for (draft, places) in in_review(given) {
        let new: Vec<LineComment> = of_draft(&draft, &places).into_iter().filter(|c| !known.contains(&c.key)).collect();
        // Half of a repair is none.
        if comments.len() + new.len() > given.policy.review.max_comments as usize {
            hidden += new.len();
            continue;
        }
        answered.extend(draft.repairs.iter().filter_map(|r| r.diagnosis.clone()));
        comments.extend(new);
    }
    (comments, answered, hidden)
}

/// The comments that suggest the places of a draft.
fn of_draft(draft: &Draft<'_>, places: &[(String, Hunk)]) -> Vec<LineComment> {
    let edit = draft.edit();
    let comment = |(ordinal, (path, hunk)): (usize, &(String, Hunk))| {
        let at_hunk = |r: &&&TestHeal| r.healing.patch.iter().any(|f| f.path == *path && touches(f, hunk));
        let mut of_hunk: Vec<&HealResult> = draft.repairs.iter().filter(at_hunk).map(|r| &r.healing).collect();
        if of_hunk.is_empty() {
            of_hunk.extend(draft.repairs.iter().map(|r| &r.healing));
        }
        let text = heal::suggested(&of_hunk, hunk, places.len() - 1, LIMIT)?;
        // The same suggestion stands once, whichever push it was made for.
        let key = format!("{SUGGESTION}{edit} {ordinal}");
        let marker = marker::write(marker::NOTE, &NoteState { v: VERSION, key: key.clone() });
        let start = (hunk.first < hunk.last).then_some(hunk.first);
        Some(LineComment { path: path.clone(), line: hunk.last, start, key, body: format!("{marker}\n{text}") })
    };
    places.iter().enumerate().filter_map(comment).collect()
}

/// Whether a repair of one test brought the lines of a place about.
fn touches(file: &FilePatch, hunk: &Hunk) -> bool {
    let own = hunks(file.old.as_deref().unwrap_or_default(), file.new.as_deref().unwrap_or_default());
    let telling = |line: &&String| line.trim().len() > 2 && !hunk.old.contains(line);
    own.iter().flatten().any(|own| own.new.iter().filter(telling).any(|line| hunk.new.contains(line)))
}

/// Failures that the change may have caused. What was broken before, or is
/// broken outside, is no matter of its review.
fn speaks(given: &PlannerInput<'_>, d: &Diagnosis) -> bool {
    let matters =
        matches!(d.verdict, Verdict::Regression | Verdict::OutdatedTest | Verdict::BrokenTest | Verdict::Undecided);
    matters && d.pardon.is_none() && ended_bad(given, d) && !given.found.is_older_than_branch(d)
}

/// The line to comment on: the assertion if the diff shows it, else the
/// innermost frame on a line that the diff adds, else on one that it shows.
fn spot(d: &Diagnosis, given: &PlannerInput<'_>, diff: &[FileDiff]) -> Option<(Spot, String, u32)> {
    let mismatch = d.mismatch.as_ref().and_then(|m| m.place.as_ref());
    let cases = d.members.iter().take(20).filter_map(|m| given.found.case(*m).place.as_ref());
    let assertion = mismatch.into_iter().chain(cases).find_map(|place| {
        let line = place.line?;
        let file = pr_diff::find(diff, place.file.raw()).filter(|file| file.shows(line))?;
        Some((Spot::Assertion, file.path.clone(), line))
    });
    let frame = |wanted: &dyn Fn(&FileDiff, u32) -> bool| {
        d.frames.iter().filter(|f| !f.in_test).find_map(|f| {
            let file = pr_diff::find(diff, &f.file).filter(|file| wanted(file, f.line))?;
            Some((Spot::Frame, file.path.clone(), f.line))
        })
    };
    frame(&|file, line| file.added.contains(&line)).or(assertion).or_else(|| frame(&FileDiff::shows))
}
