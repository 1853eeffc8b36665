//! Answers that are wrong, whatever was asked: one issue for each endpoint.

use std::collections::BTreeMap;

use super::body::replace_marker;
use super::hands_off;
use crate::agent::generator::TestDraft;
use crate::model::exchange::Exchange;
use crate::plan::action::{Action, BODY_LIMIT, Plan, Planned, Precondition, SkippedAction};
use crate::plan::marker::{self, BEGIN, END, IssueState, Occurrence, VERSION, digest};
use crate::plan::planner::{PlannerInput, planned};
use crate::plan::snapshot::{BotIssue, KEY_LINE};
use crate::render::message::generate;

/// One wrong answer: what asked for it, the exchange, and how often it came.
pub(super) type Seen<'a> = (&'a TestDraft, &'a Exchange, usize);

/// Files what is reproducible (the same answer each time), consistent (to the same
/// request) and validated (a service must not break): once.
pub(super) fn plan(given: &PlannerInput<'_>, plan: &mut Plan, opened: &mut u32) {
    let mut by_endpoint: BTreeMap<String, Vec<Seen<'_>>> = BTreeMap::new();
    for seen in given.written.defects().filter(|(_, _, times)| *times > 1) {
        by_endpoint.entry(seen.0.endpoint.to_string()).or_default().push(seen);
    }
    for (endpoint, all) in by_endpoint {
        let key = format!("answer {}", digest(&endpoint));
        let about = |issue: &&BotIssue| issue.key().as_deref() == Some(key.as_str());
        let known = given.snapshot.issues.iter().flatten().filter(about).max_by_key(|i| (i.open, i.number));
        let mut withhold =
            |kind: &str, reason: String| plan.withheld.push(SkippedAction::new(kind, endpoint.clone(), reason));
        match known {
            Some(issue) if issue.open => {}
            Some(issue) => match came_back(given, issue) {
                Ok(action) => plan.actions.push(action),
                Err(reason) => withhold("reopen-issue", reason),
            },
            None if *opened >= given.policy.issues.max_new => {
                withhold("open-issue", "`issues.max-new` issues are opened already".to_owned());
            }
            None => {
                *opened += 1;
                plan.actions.push(open(given, &endpoint, &key, &all));
            }
        }
    }
}

fn open(given: &PlannerInput<'_>, endpoint: &str, key: &str, all: &[Seen<'_>]) -> Planned {
    let now = Occurrence {
        run: given.scene.run,
        attempt: given.scene.attempt,
        commit: given.scene.head.clone(),
        at: given.found.at,
        leg: given.scene.variant.clone(),
    };
    let inner = generate::issue_body(endpoint, all, given.scene, BODY_LIMIT - super::body::ROOM);
    let state = IssueState {
        v: VERSION,
        key: key.to_owned(),
        fingerprints: Vec::new(),
        tests: Vec::new(),
        verdict: "defect".to_owned(),
        severity: "high".to_owned(),
        since: None,
        rate: (0, 0),
        seen: vec![now],
        times: 1,
        commented: None,
        digest: digest(&inner),
    };
    let title = generate::issue_title(endpoint, all);
    let body = format!(
        "{}\n{BEGIN}\n{inner}{END}\n\n<sub>testmedic found this while it wrote tests. Close as *not planned* to hear no more of it.</sub>\n\n{KEY_LINE}{key}`\n",
        marker::write(marker::ISSUE, &state),
    );
    planned(
        Action::OpenIssue {
            key: key.to_owned(),
            title: title.clone(),
            body,
            labels: given.policy.issues.labels.clone(),
            assignees: Vec::new(),
        },
        format!("open-issue:{key}"),
        "the service broke each time it was asked".to_owned(),
        title,
        given.scene.repository.to_string(),
        vec![Precondition::NoIssue { key: key.to_owned(), except: Vec::new() }],
    )
}

/// The issue is opened again where it was closed as done before this commit.
fn came_back(given: &PlannerInput<'_>, issue: &BotIssue) -> Result<Planned, String> {
    let number = issue.number;
    if let Some(reason) = hands_off(given, issue) {
        return Err(reason);
    }
    if let Some(reason @ ("not_planned" | "duplicate")) = issue.reason.as_deref() {
        return Err(format!("issue {number} was closed as {}", reason.replace('_', " ")));
    }
    let commit_at = given.scene.commit_at.unwrap_or(given.found.at);
    if issue.closed_at.is_none_or(|closed_at| commit_at <= closed_at) {
        return Err(format!("the commit is older than the closing of issue {number}"));
    }
    let Some(state) = issue.state() else { return Err(format!("the marker of issue {number} is gone")) };
    let state = IssueState { commented: Some(given.now), times: state.times + 1, ..state };
    let body = replace_marker(&issue.body, &marker::write(marker::ISSUE, &state));
    Ok(planned(
        Action::ReopenIssue { number, body },
        format!("reopen-issue:{number}:{}", super::stamp(given)),
        "the service breaks again".to_owned(),
        crate::render::terminal::line(&issue.title, 120),
        format!("issue {number}"),
        vec![Precondition::IssueIs { number, digest: issue.digest() }],
    ))
}
