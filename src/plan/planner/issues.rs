//! Issues: opened, brought up to date, reopened, closed.

use std::collections::HashMap;

use super::{Given, Recovery, ended_bad, issue_of, issues_of, planned};
use crate::diagnose::timeline::Mark;
use crate::diagnose::verdict::{Diagnosis, Verdict};
use crate::model::time::Instant;
use crate::plan::action::{Action, BODY_LIMIT, Guard, Plan, Planned, Withheld};
use crate::plan::change;
use crate::plan::marker::{self, BEGIN, END, IssueState, NoteState, Occurrence, RollUpState, VERSION, digest};
use crate::plan::owners;
use crate::plan::snapshot::{KEY_LINE, OurIssue, ROLL_UP_KEY};
use crate::render::message::{issue, note};
use crate::render::words::plural;

/// Bytes kept free in a body for marker, key line, and what people write.
const ROOM: usize = 9000;
/// Clean runs asked for at most, however rarely a test fails.
const MOST_PASSES: u64 = 300;

/// Web pages of open issues about diagnoses of this run.
pub(super) fn known(given: &Given<'_>) -> HashMap<String, String> {
    let about = |d: &Diagnosis| issue_of(given.snapshot, d).filter(|issue| issue.open);
    given.found.diagnoses.iter().filter_map(|d| Some((d.id.clone(), about(d)?.url.clone()))).collect()
}

pub(super) fn plan(given: &Given<'_>) -> Plan {
    let mut plan = Plan::default();
    if !given.policy.issues.enabled {
        return plan;
    }
    let worth: Vec<&Diagnosis> = given.found.diagnoses.iter().filter(|d| given.policy.files(d.verdict)).collect();
    if !given.scene.is_default_branch() {
        let bad = worth.iter().filter(|d| ended_bad(given, d)).count();
        if bad > 0 {
            let reason = format!("only failures on {} become issues", given.scene.default_branch);
            plan.withheld.push(Withheld::new("open-issue", plural(bad as u64, "group"), reason));
        }
        return plan;
    }
    if given.snapshot.issues.is_none() {
        if !worth.is_empty() {
            plan.withheld.push(Withheld::new("open-issue", "failures", "the issues could not be read"));
        }
        return plan;
    }
    let mut overflow = Vec::new();
    let mut opened = 0;
    for d in &given.found.diagnoses {
        one(given, d, &mut plan, &mut opened, &mut overflow);
    }
    roll_up(given, &overflow, &mut plan);
    close(given, &mut plan);
    plan
}

/// Whether a person has taken the issue out of our hands.
fn hands_off(given: &Given<'_>, issue: &OurIssue) -> Option<String> {
    if issue.locked {
        return Some(format!("issue {} is locked", issue.number));
    }
    // GitHub's labels are the same in any case.
    let is_one = |l: &&String| given.policy.issues.hands_off_labels.iter().any(|off| off.eq_ignore_ascii_case(l));
    let label = issue.labels.iter().find(is_one)?;
    Some(format!("issue {} carries the label `{label}`", issue.number))
}

fn one<'d>(given: &Given<'_>, d: &'d Diagnosis, plan: &mut Plan, opened: &mut u32, overflow: &mut Vec<&'d Diagnosis>) {
    if let Some(issue) = issue_of(given.snapshot, d) {
        match hands_off(given, issue) {
            Some(reason) => plan.withheld.push(Withheld::new("update-issue", d.id.clone(), reason)),
            None if issue.open => update(given, d, issue, plan),
            None => closed(given, d, issue, plan),
        }
        return;
    }
    if !given.policy.files(d.verdict) {
        return;
    }
    if let Some(reason) = listed(given, d) {
        plan.withheld.push(Withheld::new("open-issue", d.id.clone(), reason));
        return;
    }
    if let Some(reason) = too_early(given, d) {
        plan.withheld.push(Withheld::new("open-issue", d.id.clone(), reason));
        return;
    }
    if *opened >= given.policy.issues.max_new {
        overflow.push(d);
        return;
    }
    *opened += 1;
    plan.actions.push(open(given, d, None));
}

/// Why a failure without an issue gets none yet. Flaky tests have failed often
/// enough, or they would not be called so.
fn too_early(given: &Given<'_>, d: &Diagnosis) -> Option<String> {
    if d.verdict == Verdict::Flaky { None } else { too_short(given, d) }
}

/// Why a failure has not been seen often enough in a row.
fn too_short(given: &Given<'_>, d: &Diagnosis) -> Option<String> {
    let streak = d.past.strip.iter().rev().filter(|m| !matches!(m, Mark::Skipped | Mark::Outside));
    let streak = streak.take_while(|m| **m == Mark::Bad).count() as u64;
    let reproduced = d.members.iter().all(|m| given.found.case(*m).bad_attempts() > 1);
    let counted = streak.max(1) + u64::from(reproduced);
    let needed = u64::from(given.policy.issues.min_failures);
    (counted < needed).then(|| {
        format!("failed {} so far; an issue opens at {needed} (`issues.min-failures`)", plural(counted, "time"))
    })
}

fn open(given: &Given<'_>, d: &Diagnosis, earlier: Option<&OurIssue>) -> Planned {
    let mut state = IssueState {
        v: VERSION,
        key: d.id.clone(),
        fingerprints: Vec::new(),
        tests: Vec::new(),
        verdict: String::new(),
        severity: String::new(),
        since: None,
        rate: (d.past.failures, d.past.runs),
        seen: Vec::new(),
        times: 0,
        commented: None,
        digest: String::new(),
    };
    saw(given, d, &mut state);
    let inner = inner(given, d, &state);
    state.digest = digest(&inner);
    let back = earlier
        .map(|issue| format!("\nSeen before in [issue {}]({}), which was closed.\n", issue.number, issue.url))
        .unwrap_or_default();
    let body = format!(
        "{}\n{BEGIN}\n{inner}{END}\n{back}\n<sub>testmedic keeps the text above up to date; what you write below it stays. Close as *not planned* to hear no more of it.</sub>\n\n{KEY_LINE}{}`\n",
        marker::write(marker::ISSUE, &state),
        d.id
    );
    // Closed ones that this one follows do not stand in its way.
    let closed = issues_of(given.snapshot, d).into_iter().filter(|i| !i.open && earlier.is_some());
    let guard = Guard::NoIssue { key: d.id.clone(), except: closed.map(|i| i.number).collect() };
    planned(
        Action::OpenIssue {
            key: d.id.clone(),
            title: issue::title(d),
            body,
            labels: given.policy.issues.labels.clone(),
            assignees: assignees(given, d),
        },
        format!("open-issue:{}", d.id),
        format!("{} on {}, {} sure", d.verdict.word(), given.scene.default_branch, percent(d.confidence)),
        issue::title(d),
        given.scene.repository.to_string(),
        vec![guard],
    )
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// The owners of the first test's file, where the policy asks for them.
fn assignees(given: &Given<'_>, d: &Diagnosis) -> Vec<String> {
    let Some(owners) = given.snapshot.owners.as_deref().filter(|_| given.policy.issues.assign_owners) else {
        return Vec::new();
    };
    let mut files = d.members.iter().filter_map(|m| given.found.case(*m).place.as_ref());
    let path = files.find_map(|place| change::resolve(given.files, place.file.raw()));
    path.map(|path| owners::people(owners, &path)).unwrap_or_default().into_iter().take(10).collect()
}

/// Notes that the failure was seen in the present run; tells whether that is new.
fn saw(given: &Given<'_>, d: &Diagnosis, state: &mut IssueState) -> bool {
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

fn remember(list: &mut Vec<String>, item: String, most: usize) {
    if !list.contains(&item) && list.len() < most {
        list.push(item);
    }
}

fn inner(given: &Given<'_>, d: &Diagnosis, state: &IssueState) -> String {
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
fn rewritten(body: &str, state: &mut IssueState, inner: &str) -> String {
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

fn replace_marker(body: &str, new: &str) -> String {
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

fn update(given: &Given<'_>, d: &Diagnosis, issue: &OurIssue, plan: &mut Plan) {
    let Some(mut state) = issue.state() else {
        let reason = format!("the marker of issue {} is gone; its text is left as it is", issue.number);
        plan.withheld.push(Withheld::new("update-issue", d.id.clone(), reason));
        return;
    };
    let was = (state.verdict.clone(), state.severity.clone());
    if !saw(given, d, &mut state) {
        return;
    }
    let changed = (state.verdict.as_str(), state.severity.as_str()) != (was.0.as_str(), was.1.as_str());
    let quiet =
        state.commented.is_none_or(|at| hours_since(given.now, at) >= i64::from(given.policy.issues.comment_hours));
    if changed && quiet {
        state.commented = Some(given.now);
    }
    let inner = inner(given, d, &state);
    let body = rewritten(&issue.body, &mut state, &inner);
    plan.actions.push(edit(
        given,
        issue,
        |number| Action::UpdateIssue { number, body },
        d,
        "the failure was seen again",
    ));
    if changed && quiet {
        let text = note::changed(d, (&was.0, &was.1), given.scene);
        push_comment(given, issue, "changed", &text, "it reads differently now", plan);
    } else if changed {
        let reason =
            format!("issue {} was commented on less than {} h ago", issue.number, given.policy.issues.comment_hours);
        plan.withheld.push(Withheld::new("comment", d.id.clone(), reason));
    }
}

fn hours_since(now: Instant, then: Instant) -> i64 {
    (now.unix() - then.unix()) / 3600
}

fn stamp(given: &Given<'_>) -> String {
    let scene = given.scene;
    scene.run.map_or_else(|| scene.head.clone(), |run| format!("{run}.{}", scene.attempt))
}

fn edit(
    given: &Given<'_>,
    issue: &OurIssue,
    action: impl FnOnce(u64) -> Action,
    d: &Diagnosis,
    because: &str,
) -> Planned {
    let action = action(issue.number);
    planned(
        action.clone(),
        format!("{}:{}:{}", action.kind(), issue.number, stamp(given)),
        because.to_owned(),
        crate::render::terminal::line(&issue.title, 120),
        format!("issue {} ({})", issue.number, d.id),
        vec![Guard::IssueIs { number: issue.number, digest: issue.digest() }],
    )
}

/// A comment on what the last action of the plan did to the issue, made only if
/// that was done.
fn push_comment(given: &Given<'_>, issue: &OurIssue, what: &str, text: &str, because: &str, plan: &mut Plan) {
    let key = format!("{what} {}", stamp(given));
    let mut comment = comment(given, issue, &key, text, because);
    if let Some(last) = plan.actions.last() {
        comment.guards.insert(0, Guard::After { action: last.id.clone() });
    }
    plan.actions.push(comment);
}

fn comment(given: &Given<'_>, issue: &OurIssue, key: &str, text: &str, because: &str) -> Planned {
    let marker = marker::write(marker::NOTE, &NoteState { v: VERSION, key: key.to_owned() });
    planned(
        Action::Comment { on: issue.number, key: key.to_owned(), edit: None, body: format!("{marker}\n{text}") },
        format!("comment:{}:{key}", issue.number),
        because.to_owned(),
        format!("comment on issue {}", issue.number),
        given.scene.repository.to_string(),
        vec![Guard::NoComment { on: issue.number, key: key.to_owned() }],
    )
}

/// A failure whose issue is closed: whether it comes back is a question of who
/// closed it, when, and whether the failing commit is newer than that.
fn closed(given: &Given<'_>, d: &Diagnosis, issue: &OurIssue, plan: &mut Plan) {
    let mut withhold = |reason: String| plan.withheld.push(Withheld::new("reopen-issue", d.id.clone(), reason));
    // A failure that comes, goes and comes back may read as flaky now; it is
    // the same failure all the same. Trouble outside is not.
    if matches!(d.verdict, Verdict::Environment | Verdict::RateLimited) {
        return;
    }
    if let Some(reason @ ("not_planned" | "duplicate")) = issue.reason.as_deref() {
        return withhold(format!("issue {} was closed as {}", issue.number, reason.replace('_', " ")));
    }
    let commit_at = given.scene.commit_at.unwrap_or(given.found.at);
    let Some(closed_at) = issue.closed_at else {
        return withhold(format!("issue {} is closed, and when is not known", issue.number));
    };
    if commit_at <= closed_at {
        return withhold(format!("the failing commit is older than the closing of issue {}", issue.number));
    }
    if given.now.days_since(closed_at) > i64::from(given.policy.issues.reopen_days) {
        if let Some(reason) = too_early(given, d) {
            return withhold(reason);
        }
        plan.actions.push(open(given, d, Some(issue)));
        return;
    }
    if let Some(reason) = too_short(given, d) {
        return withhold(reason);
    }
    let Some(mut state) = issue.state() else {
        return withhold(format!("the marker of issue {} is gone", issue.number));
    };
    saw(given, d, &mut state);
    state.commented = Some(given.now);
    let inner = inner(given, d, &state);
    let body = rewritten(&issue.body, &mut state, &inner);
    plan.actions.push(edit(given, issue, |number| Action::ReopenIssue { number, body }, d, "the failure is back"));
    let text = note::reopened(d, given.scene);
    push_comment(given, issue, "reopened", &text, "the failure is back", plan);
}

/// Why a failure that stands in a roll-up gets no issue of its own.
fn listed(given: &Given<'_>, d: &Diagnosis) -> Option<String> {
    let roll_ups = given.snapshot.issues.iter().flatten().filter_map(|i| Some((i, i.roll_up()?)));
    roll_ups.filter(|(_, state)| state.keys.contains(&d.id)).find_map(|(issue, _)| {
        let refused = matches!(issue.reason.as_deref(), Some("not_planned" | "duplicate"));
        match (issue.open, refused) {
            (true, _) => Some(format!("it is listed in the roll-up, issue {}", issue.number)),
            (false, true) => Some(format!("it was listed in issue {}, which was closed as not planned", issue.number)),
            (false, false) => None,
        }
    })
}

/// The open roll-up.
fn rolled_up<'s>(given: &'s Given<'_>) -> Option<(&'s OurIssue, RollUpState)> {
    let issues = given.snapshot.issues.as_deref()?;
    issues.iter().filter(|i| i.open).find_map(|i| Some((i, i.roll_up()?)))
}

/// What more failed than issues are opened for in one run.
fn roll_up(given: &Given<'_>, overflow: &[&Diagnosis], plan: &mut Plan) {
    if overflow.is_empty() {
        return;
    }
    let existing = rolled_up(given);
    if let Some(reason) = existing.as_ref().and_then(|(issue, _)| hands_off(given, issue)) {
        plan.withheld.push(Withheld::new("update-issue", ROLL_UP_KEY, reason));
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
    keys.truncate(200);
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
        vec![Guard::NoIssue { key: ROLL_UP_KEY.to_owned(), except }],
    ));
}

/// Clean runs in a row that prove a recovery: with a failure rate of `p`, as
/// many as would hold a failure with 95 % probability, `ln 0.05 / ln(1 − p)`
/// (the rule of three for an observed rate), but at least `least`.
#[must_use]
pub fn needed_passes(rate: (u64, u64), least: u64) -> u64 {
    let (failed, ran) = rate;
    if failed == 0 || failed >= ran {
        return least;
    }
    let p = failed as f64 / ran as f64;
    let needed = (0.05_f64.ln() / (1.0 - p).ln()).ceil();
    // At most 300, so the cast is exact.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=300")]
    let needed = needed.clamp(0.0, MOST_PASSES as f64) as u64;
    needed.max(least)
}

/// Closes what has recovered.
fn close(given: &Given<'_>, plan: &mut Plan) {
    let failing: Vec<u64> =
        given.found.diagnoses.iter().filter_map(|d| issue_of(given.snapshot, d)).map(|i| i.number).collect();
    for issue in given.snapshot.issues.iter().flatten().filter(|i| i.open && !failing.contains(&i.number)) {
        let Some(Recovery { tests, missing, passes }) = given.recoveries.get(&issue.number).copied() else { continue };
        let state = issue.state();
        // How often the test fails is what the flaky ones tell; a regression failed every time.
        let is_flaky = |state: &&IssueState| state.verdict == Verdict::Flaky.word();
        let rate = state.as_ref().filter(is_flaky).map_or((0, 0), |state| state.rate);
        let needed = needed_passes(rate, u64::from(given.policy.issues.close_after));
        let reason = match hands_off(given, issue) {
            Some(reason) => Some(reason),
            None if tests == 0 => None,
            None if missing > 0 => {
                Some(format!("{} of issue {} did not run", plural(missing as u64, "test"), issue.number))
            }
            None if passes < needed => Some(format!("issue {}: {passes} of {needed} clean runs so far", issue.number)),
            None => {
                let body = match state.clone() {
                    Some(state) => {
                        let state = IssueState { commented: Some(given.now), ..state };
                        replace_marker(&issue.body, &marker::write(marker::ISSUE, &state))
                    }
                    None => issue.body.clone(),
                };
                let number = issue.number;
                plan.actions.push(planned(
                    Action::CloseIssue { number, body },
                    format!("close-issue:{number}:{}", stamp(given)),
                    format!("{passes} clean runs in a row"),
                    crate::render::terminal::line(&issue.title, 120),
                    format!("issue {number}"),
                    vec![Guard::IssueIs { number, digest: issue.digest() }],
                ));
                let days = given.policy.issues.reopen_days;
                let text = note::recovered(tests, (passes, needed), rate, days, given.scene);
                push_comment(given, issue, "recovered", &text, "it has recovered", plan);
                None
            }
        };
        if let Some(reason) = reason {
            plan.withheld.push(Withheld::new("close-issue", issue.key().unwrap_or_default(), reason));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_many_passes_prove_a_recovery() {
        // 2 % → 149, 5 % → 59, 10 % → 29: ln 0.05 / ln(1 − p), rounded up.
        for (rate, needed) in [((2, 100), 149), ((5, 100), 59), ((1, 10), 29), ((5, 10), 10), ((1, 10_000), 300)] {
            assert_eq!(needed_passes(rate, 10), needed, "{rate:?}");
        }
        assert_eq!(needed_passes((0, 0), 10), 10);
        assert_eq!(needed_passes((7, 7), 10), 10);
    }

    #[test]
    fn only_the_marker_line_is_replaced() {
        let body = "a\n<!-- testmedic:issue {\"x\":1} -->\nb\n<!-- testmedic:issue {\"x\":2} -->";
        let new = "<!-- testmedic:issue {\"x\":3} -->";
        assert_eq!(replace_marker(body, new), format!("a\n{new}\nb\n<!-- testmedic:issue {{\"x\":2}} -->"));
    }
}
