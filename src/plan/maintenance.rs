//! What a schedule tidies besides the issues: the quarantine, and a digest of the week.

use serde::{Deserialize, Serialize};

use crate::history::recovery::{self, PassesSince};
use crate::history::{History, Sample};
use crate::model::forge::RunContext;
use crate::model::test::{Outcome, TestId};
use crate::model::time::Timestamp;
use crate::plan::action::{Action, BODY_LIMIT, Plan, Planned, Precondition, SkippedAction};
use crate::plan::marker::{self, NoteState, VERSION, digest};
use crate::plan::planner::needed_passes;
use crate::plan::policy::Day;
use crate::plan::quarantine::Entry;
use crate::plan::snapshot::BotIssue;
use crate::render::message::digest::{self as message, WeeklyDigest};

/// Kind of the digest's marker.
pub const DIGEST: &str = "digest";
/// Its key.
pub const KEY: &str = "digest";
/// Seconds of a week.
pub const WEEK: i64 = 7 * 86_400;

/// What the digest's marker holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestState {
    /// Version of this state.
    pub v: u32,
    /// The day of the last edit: it is edited once a day.
    pub day: String,
}

/// A test in quarantine that has recovered.
#[derive(Clone, Debug, PartialEq)]
pub struct Recovered<'a> {
    /// Its entry.
    pub entry: &'a Entry,
    /// Clean runs of it in a row.
    pub passes: u64,
    /// As many as prove it.
    pub needed: u64,
}

/// The tests that have recovered since they were put into quarantine, as the history
/// proves: with a failure rate of `p` before, by as many clean runs as would hold a failure
/// with 95 % probability.
#[must_use]
pub fn recovered<'a>(entries: &'a [Entry], history: &History, branch: &str, least: u32) -> Vec<Recovered<'a>> {
    let one = |entry: &'a Entry| {
        let test = TestId::parse(&entry.id)?;
        let begun = entry.since.map_or(Timestamp::from_unix(0), Day::end);
        let before = |s: &&Sample| s.outcome != Outcome::Skipped && history.runs[s.run as usize].at <= begun;
        let ran = history.samples.get(&test)?.iter().filter(before);
        let bad = ran.clone().filter(|s| s.outcome.is_bad() || s.flaky).count() as u64;
        let PassesSince::Passes(passes) = recovery::since(history, &[], test, branch, begun) else { return None };
        let needed = needed_passes((bad, ran.count() as u64), u64::from(least));
        (passes >= needed).then_some(Recovered { entry, passes, needed })
    };
    entries.iter().filter_map(one).collect()
}

/// The digest: opened once, brought up to date once a day, told once a week. A person who
/// closes it wants none.
#[must_use]
pub fn digest_of(
    week: &WeeklyDigest,
    issues: &[BotIssue],
    scene: &RunContext,
    labels: &[String],
    now: Timestamp,
) -> Plan {
    let mut plan = Plan::default();
    let state = |issue: &BotIssue| marker::read_first::<DigestState>(DIGEST, &issue.body);
    let there = issues.iter().find(|issue| state(issue).is_some());
    let marked = marker::write(DIGEST, &DigestState { v: VERSION, day: now.date() });
    let body = format!("{marked}\n{}", message::body(week, scene, now, BODY_LIMIT - 500));
    let planned = |action: Action, id: String, title: &str, guards: Vec<Precondition>| Planned {
        id,
        action,
        because: "a schedule tidies".to_owned(),
        title: title.to_owned(),
        target: scene.repository.to_string(),
        guards,
        receipt: None,
    };
    match there {
        None => plan.actions.push(planned(
            Action::OpenIssue {
                key: KEY.to_owned(),
                title: "The week of the tests".to_owned(),
                body,
                labels: labels.to_vec(),
                assignees: Vec::new(),
            },
            format!("open-issue:{KEY}"),
            "open the digest",
            vec![Precondition::NoIssue { key: KEY.to_owned(), except: Vec::new() }],
        )),
        Some(issue) if !issue.open || issue.locked => {
            plan.withheld.push(SkippedAction::new(
                "update-issue",
                KEY,
                format!("the digest, issue {}, is closed", issue.number),
            ));
        }
        Some(issue) if state(issue).is_some_and(|state| state.day == now.date()) => {}
        Some(issue) => {
            plan.actions.push(planned(
                Action::UpdateIssue { number: issue.number, body },
                format!("update-issue:{}", issue.number),
                "bring the digest up to date",
                vec![Precondition::IssueIs { number: issue.number, digest: issue.digest() }],
            ));
            plan.actions.push(weekly(week, issue, now));
        }
    }
    plan
}

/// Says once a week what it came to: that is what people are told of.
fn weekly(week: &WeeklyDigest, issue: &BotIssue, now: Timestamp) -> Planned {
    let key = format!("week {}", now.unix().div_euclid(WEEK));
    let marker = marker::write(marker::NOTE, &NoteState { v: VERSION, key: key.clone() });
    let body = format!("{marker}\n{}\n", message::summary(week));
    Planned {
        id: format!("comment:{}:{}", issue.number, digest(&key)),
        action: Action::Comment { on: issue.number, key: key.clone(), edit: None, body },
        because: "a week is over".to_owned(),
        title: "tell of the week".to_owned(),
        target: format!("issue {}", issue.number),
        guards: vec![Precondition::NoComment { on: issue.number, key }],
        receipt: None,
    }
}
