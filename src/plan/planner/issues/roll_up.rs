//! One issue for what more failed at once than issues are opened for.

use super::body::{ROOM, replace_marker};
use super::{edit, hands_off, stamp};
use crate::diagnose::verdict::Diagnosis;
use crate::plan::action::{Action, BODY_LIMIT, Plan, Precondition, SkippedAction};
use crate::plan::marker::{self, BEGIN, END, RollUpState, VERSION, digest};
use crate::plan::planner::{PlannerInput, planned};
use crate::plan::snapshot::{BotIssue, KEY_LINE, ROLL_UP_KEY};
use crate::render::message::issue;
use crate::render::plural::plural;

/// Failures that a roll-up lists.
const KEYS: usize = 200;

/// Why a failure that stands in a roll-up gets no issue of its own.
pub(super) fn listed(given: &PlannerInput<'_>, d: &Diagnosis) -> Option<String> {
    let roll_ups = given.snapshot.issues.iter().flatten().filter_map(|i| Some((i, i.roll_up()?)));
    // A full one stands for whatever else fails while it is open.
    let stands = |(issue, state): &(&BotIssue, RollUpState)| {
        state.keys.contains(&d.id) || (issue.open && state.keys.len() >= KEYS)
    };
    roll_ups.filter(stands).find_map(|(issue, _)| {
        let refused = matches!(issue.reason.as_deref(), Some("not_planned" | "duplicate"));
        match (issue.open, refused) {
            (true, _) => Some(format!("it is listed in the roll-up, issue {}", issue.number)),
            (false, true) => Some(format!("it was listed in issue {}, which was closed as not planned", issue.number)),
            (false, false) => None,
        }
    })
}

/// The open roll-up.
pub(super) fn rolled_up<'s>(given: &'s PlannerInput<'_>) -> Option<(&'s BotIssue, RollUpState)> {
    let issues = given.snapshot.issues.as_deref()?;
    issues.iter().filter(|i| i.open).find_map(|i| Some((i, i.roll_up()?)))
}

/// What more failed than issues are opened for in one run.
pub(super) fn roll_up(given: &PlannerInput<'_>, overflow: &[&Diagnosis], plan: &mut Plan) {
    if overflow.is_empty() {
        return;
    }
    let existing = rolled_up(given);
    if let Some(reason) = existing.as_ref().and_then(|(issue, _)| hands_off(given, issue)) {
        plan.withheld.push(SkippedAction::new("update-issue", ROLL_UP_KEY, reason));
        return;
    }
    let mut keys: Vec<String> = overflow.iter().map(|d| d.id.clone()).collect();
    let members = overflow.iter().flat_map(|d| &d.members);
    let mut tests: Vec<String> = members.map(|m| given.found.case(*m).id.to_string()).collect();
    let mut rows: Vec<String> = overflow.iter().map(|d| issue::row(d)).collect();
    if let Some((issue, state)) = &existing {
        // What was listed stays listed; its rows are known by their order only.
        let listed = marker::split(&issue.body).map(|(_, text, _)| text).unwrap_or_default();
        keys.extend(state.keys.iter().cloned());
        tests.extend(state.tests.iter().cloned());
        rows.extend(listed.lines().filter_map(|l| l.trim_end().strip_prefix("- ")).map(str::to_owned));
    }
    let inner = issue::roll_up(&rows, given.scene, BODY_LIMIT - ROOM);
    keys.truncate(KEYS);
    tests.sort();
    tests.dedup();
    tests.truncate(200);
    let state = RollUpState { v: VERSION, keys, tests, last: given.found.at, digest: digest(&inner) };
    let marker = marker::write(marker::ROLL_UP, &state);
    let title = format!("{} failed at once", plural(overflow.len() as u64, "further group"));
    let because = format!("more than {} new failures in one run", given.policy.issues.max_new);
    if let Some((issue, old)) = existing {
        let untouched = marker::split(&issue.body).filter(|(_, text, _)| digest(text) == old.digest);
        let body = match untouched {
            Some((before, _, after)) => format!("{before}{BEGIN}\n{inner}{END}{after}"),
            None => issue.body.clone(),
        };
        let body = replace_marker(&body, &marker);
        plan.actions.push(edit(given, issue, |number| Action::UpdateIssue { number, body }, overflow[0], &because));
        return;
    }
    let body = format!("{marker}\n{BEGIN}\n{inner}{END}\n\n{KEY_LINE}{ROLL_UP_KEY}`\n");
    let issues = given.snapshot.issues.as_deref().unwrap_or_default();
    let except = issues.iter().filter(|i| !i.open && i.roll_up().is_some()).map(|i| i.number).collect();
    plan.actions.push(planned(
        Action::OpenIssue {
            key: ROLL_UP_KEY.to_owned(),
            title: title.clone(),
            body,
            labels: given.policy.issues.labels.clone(),
            assignees: Vec::new(),
        },
        format!("open-issue:{ROLL_UP_KEY}:{}", stamp(given)),
        because,
        title,
        given.scene.repository.to_string(),
        vec![Precondition::NoIssue { key: ROLL_UP_KEY.to_owned(), except }],
    ));
}
