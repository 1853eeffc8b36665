//! Issues: opened, brought up to date, reopened, closed.

mod body;
mod close;
mod defects;
mod roll_up;

use std::collections::HashMap;

pub use self::close::needed_passes;

use self::body::{inner, rewritten, saw};
use self::roll_up::listed;
use super::{PlannerInput, ended_bad, issue_of, issues_of, planned};
use crate::diagnose::test_history::RunMark;
use crate::diagnose::verdict::{Diagnosis, Verdict};
use crate::model::time::Timestamp;
use crate::plan::action::{Action, Plan, Planned, Precondition, SkippedAction};
use crate::plan::codeowners;
use crate::plan::marker::{self, BEGIN, END, IssueState, NoteState, VERSION, digest};
use crate::plan::pr_diff;
use crate::plan::snapshot::{BotIssue, KEY_LINE};
use crate::render::message::{issue, issue_comment};
use crate::render::plural::plural;

/// Web pages of open issues about diagnoses of this run.
pub(super) fn known(given: &PlannerInput<'_>) -> HashMap<String, String> {
    let about = |d: &Diagnosis| issue_of(given.snapshot, d).filter(|issue| issue.open);
    given.found.diagnoses.iter().filter_map(|d| Some((d.id.clone(), about(d)?.url.clone()))).collect()
}

pub(super) fn plan(given: &PlannerInput<'_>) -> Plan {
    let mut plan = Plan::default();
    if !given.policy.issues.enabled {
        return plan;
    }
    let worth: Vec<&Diagnosis> = given.found.diagnoses.iter().filter(|d| given.policy.files(d.verdict)).collect();
    if !given.scene.is_default_branch() {
        let bad = worth.iter().filter(|d| ended_bad(given, d)).count();
        if bad > 0 {
            let reason = format!("only failures on {} become issues", given.scene.default_branch);
            plan.withheld.push(SkippedAction::new("open-issue", plural(bad as u64, "group"), reason));
        }
        return plan;
    }
    if given.snapshot.issues.is_none() {
        if !worth.is_empty() {
            plan.withheld.push(SkippedAction::new("open-issue", "failures", "the issues could not be read"));
        }
        return plan;
    }
    let mut overflow = Vec::new();
    let mut opened = 0;
    for d in &given.found.diagnoses {
        one(given, d, &mut plan, &mut opened, &mut overflow);
    }
    defects::plan(given, &mut plan, &mut opened);
    roll_up::roll_up(given, &overflow, &mut plan);
    close::close(given, &mut plan);
    plan
}

/// Whether a person has taken the issue out of our hands.
fn hands_off(given: &PlannerInput<'_>, issue: &BotIssue) -> Option<String> {
    if issue.locked {
        return Some(format!("issue {} is locked", issue.number));
    }
    // GitHub's labels are the same in any case.
    let is_one = |l: &&String| given.policy.issues.hands_off_labels.iter().any(|off| off.eq_ignore_ascii_case(l));
    let label = issue.labels.iter().find(is_one)?;
    Some(format!("issue {} carries the label `{label}`", issue.number))
}

fn one<'d>(
    given: &PlannerInput<'_>,
    d: &'d Diagnosis,
    plan: &mut Plan,
    opened: &mut u32,
    overflow: &mut Vec<&'d Diagnosis>,
) {
    if let Some(issue) = issue_of(given.snapshot, d) {
        match hands_off(given, issue) {
            Some(reason) => plan.withheld.push(SkippedAction::new("update-issue", d.id.clone(), reason)),
            None if issue.open => update(given, d, issue, plan),
            None => closed(given, d, issue, plan),
        }
        return;
    }
    if !given.policy.files(d.verdict) {
        return;
    }
    if let Some(pardon) = d.pardon {
        plan.withheld.push(SkippedAction::new("open-issue", d.id.clone(), format!("it is {}", pardon.word())));
        return;
    }
    if let Some(reason) = listed(given, d) {
        plan.withheld.push(SkippedAction::new("open-issue", d.id.clone(), reason));
        return;
    }
    if let Some(reason) = too_early(given, d) {
        plan.withheld.push(SkippedAction::new("open-issue", d.id.clone(), reason));
        return;
    }
    if *opened >= given.policy.issues.max_new {
        overflow.push(d);
        return;
    }
    *opened += 1;
    plan.actions.push(open(given, d, None));
}

pub(super) fn file(given: &PlannerInput<'_>, d: &Diagnosis, by: &str) -> Result<Planned, String> {
    if !given.policy.issues.enabled {
        return Err("the policy switches issues off (`issues.enabled`)".to_owned());
    }
    if let Some(issue) = issue_of(given.snapshot, d) {
        let state = if issue.open { "open" } else { "closed" };
        return Err(format!("issue {} is about it, and is {state}", issue.number));
    }
    let planned = open(given, d, None);
    Ok(Planned { because: format!("{by} asks for it"), ..planned })
}

/// Why a failure without an issue gets none yet. Flaky tests have failed often
/// enough, or they would not be called so.
fn too_early(given: &PlannerInput<'_>, d: &Diagnosis) -> Option<String> {
    if d.verdict == Verdict::Flaky { None } else { too_short(given, d) }
}

/// Why a failure has not been seen often enough in a row.
fn too_short(given: &PlannerInput<'_>, d: &Diagnosis) -> Option<String> {
    let streak = d.past.strip.iter().rev().filter(|m| !matches!(m, RunMark::Skipped | RunMark::Outside));
    let streak = streak.take_while(|m| **m == RunMark::Bad).count() as u64;
    let reproduced = d.members.iter().all(|m| given.found.case(*m).bad_attempts() > 1);
    let counted = streak.max(1) + u64::from(reproduced);
    let needed = u64::from(given.policy.issues.min_failures);
    (counted < needed).then(|| {
        format!("failed {} so far; an issue opens at {needed} (`issues.min-failures`)", plural(counted, "time"))
    })
}

fn open(given: &PlannerInput<'_>, d: &Diagnosis, earlier: Option<&BotIssue>) -> Planned {
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
    let guard = Precondition::NoIssue { key: d.id.clone(), except: closed.map(|i| i.number).collect() };
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
fn assignees(given: &PlannerInput<'_>, d: &Diagnosis) -> Vec<String> {
    let Some(owners) = given.snapshot.owners.as_deref().filter(|_| given.policy.issues.assign_owners) else {
        return Vec::new();
    };
    let mut files = d.members.iter().filter_map(|m| given.found.case(*m).place.as_ref());
    let path = files.find_map(|place| pr_diff::resolve(given.files, place.file.raw()));
    path.map(|path| codeowners::people(owners, &path)).unwrap_or_default().into_iter().take(10).collect()
}

fn update(given: &PlannerInput<'_>, d: &Diagnosis, issue: &BotIssue, plan: &mut Plan) {
    let Some(mut state) = issue.state() else {
        let reason = format!("the marker of issue {} is gone; its text is left as it is", issue.number);
        plan.withheld.push(SkippedAction::new("update-issue", d.id.clone(), reason));
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
        let text = issue_comment::changed(d, (&was.0, &was.1), given.scene);
        push_comment(given, issue, "changed", &text, "it reads differently now", plan);
    } else if changed {
        let reason =
            format!("issue {} was commented on less than {} h ago", issue.number, given.policy.issues.comment_hours);
        plan.withheld.push(SkippedAction::new("comment", d.id.clone(), reason));
    }
}

fn hours_since(now: Timestamp, then: Timestamp) -> i64 {
    (now.unix() - then.unix()) / 3600
}

fn stamp(given: &PlannerInput<'_>) -> String {
    let scene = given.scene;
    scene.run.map_or_else(|| scene.head.clone(), |run| format!("{run}.{}", scene.attempt))
}

fn edit(
    given: &PlannerInput<'_>,
    issue: &BotIssue,
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
        vec![Precondition::IssueIs { number: issue.number, digest: issue.digest() }],
    )
}

/// A comment on what the last action of the plan did to the issue, made only if
/// that was done.
fn push_comment(given: &PlannerInput<'_>, issue: &BotIssue, what: &str, text: &str, because: &str, plan: &mut Plan) {
    let key = format!("{what} {}", stamp(given));
    let mut comment = comment(given, issue, &key, text, because);
    if let Some(last) = plan.actions.last() {
        comment.guards.insert(0, Precondition::AfterAction { action: last.id.clone() });
    }
    plan.actions.push(comment);
}

fn comment(given: &PlannerInput<'_>, issue: &BotIssue, key: &str, text: &str, because: &str) -> Planned {
    let marker = marker::write(marker::NOTE, &NoteState { v: VERSION, key: key.to_owned() });
    planned(
        Action::Comment { on: issue.number, key: key.to_owned(), edit: None, body: format!("{marker}\n{text}") },
        format!("comment:{}:{key}", issue.number),
        because.to_owned(),
        format!("comment on issue {}", issue.number),
        given.scene.repository.to_string(),
        vec![Precondition::NoComment { on: issue.number, key: key.to_owned() }],
    )
}

/// A failure whose issue is closed: whether it comes back is a question of who
/// closed it, when, and whether the failing commit is newer than that.
fn closed(given: &PlannerInput<'_>, d: &Diagnosis, issue: &BotIssue, plan: &mut Plan) {
    let mut withhold = |reason: String| plan.withheld.push(SkippedAction::new("reopen-issue", d.id.clone(), reason));
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
    let text = issue_comment::reopened(d, given.scene);
    push_comment(given, issue, "reopened", &text, "the failure is back", plan);
}
