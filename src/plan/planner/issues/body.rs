//! The text of an issue: our part kept up to date, people's parts as they are.

use super::PlannerInput;
use crate::diagnose::verdict::Diagnosis;
use crate::plan::action::BODY_LIMIT;
use crate::plan::marker::{self, BEGIN, END, IssueState, Occurrence, digest};
use crate::render::message::issue;

/// Bytes kept free in a body for marker, key line, and what people write.
pub(super) const ROOM: usize = 9000;

/// Notes that the failure was seen in the present run; tells whether that is new.
pub(super) fn saw(given: &PlannerInput<'_>, d: &Diagnosis, state: &mut IssueState) -> bool {
    let found = given.found;
    let now = Occurrence {
        run: given.scene.run,
        attempt: given.scene.attempt,
        commit: given.scene.head.clone(),
        at: found.at,
        leg: given.scene.variant.clone(),
    };
    if state.seen.iter().any(|one| one.same(&now)) {
        return false;
    }
    state.seen.insert(0, now);
    state.seen.sort_by_key(|one| std::cmp::Reverse(one.at));
    state.seen.truncate(marker::SEEN);
    state.times += 1;
    remember(&mut state.fingerprints, d.fingerprint.to_string(), marker::FINGERPRINTS);
    for member in &d.members {
        remember(&mut state.tests, found.case(*member).id.to_string(), marker::TESTS);
    }
    d.verdict.word().clone_into(&mut state.verdict);
    d.severity.word().clone_into(&mut state.severity);
    state.since.clone_from(&d.past.first_bad);
    true
}

pub(super) fn remember(list: &mut Vec<String>, item: String, most: usize) {
    if !list.contains(&item) && list.len() < most {
        list.push(item);
    }
}

pub(super) fn inner(given: &PlannerInput<'_>, d: &Diagnosis, state: &IssueState) -> String {
    let seen: Vec<issue::Seen> = state
        .seen
        .iter()
        .map(|one| issue::Seen {
            at: one.at.minute(),
            commit: one.commit.clone(),
            run: one.run.map(|id| given.scene.url_of(id, one.attempt)),
            leg: one.leg.clone(),
        })
        .collect();
    issue::body(given.found, d, given.scene, &seen, state.times, BODY_LIMIT - ROOM)
}

/// The body with our part brought up to date and people's parts as they are.
/// Where a person edited our part, only the hidden state changes.
pub(super) fn rewritten(body: &str, state: &mut IssueState, inner: &str) -> String {
    let untouched = marker::split(body).is_some_and(|(_, old, _)| digest(old) == state.digest);
    let text = match marker::split(body) {
        Some((before, _, after)) if untouched && before.len() + inner.len() + after.len() < BODY_LIMIT => {
            state.digest = digest(inner);
            format!("{before}{BEGIN}\n{inner}{END}{after}")
        }
        _ => body.to_owned(),
    };
    replace_marker(&text, &marker::write(marker::ISSUE, state))
}

pub(super) fn replace_marker(body: &str, new: &str) -> String {
    let kind = new.split(' ').nth(1).unwrap_or_default();
    let start = format!("<!-- {kind} ");
    let mut done = false;
    let lines: Vec<&str> = body
        .split('\n')
        .map(|line| {
            let is_it = !done && line.starts_with(&start);
            done |= is_it;
            if is_it { new } else { line }
        })
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_marker_line_is_replaced() {
        let body = "a\n<!-- testmedic:issue {\"x\":1} -->\nb\n<!-- testmedic:issue {\"x\":2} -->";
        let new = "<!-- testmedic:issue {\"x\":3} -->";
        assert_eq!(replace_marker(body, new), format!("a\n{new}\nb\n<!-- testmedic:issue {{\"x\":2}} -->"));
    }
}
