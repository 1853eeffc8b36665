//! Carries single commands out.

use std::collections::BTreeMap;

use super::code_commands;
use super::context::CommandContext;
use super::feedback_commands;
use super::run_lookup::select;
use crate::agent::generator::GenerationResult;
use crate::cli::job::Evaluated;
use crate::history::feedback::FeedbackKind;
use crate::model::command::{Command, CommandLine, Permission, RetrySelection};
use crate::model::forge::CompletedRun;
use crate::plan::action::{Action, ActionResult, BODY_LIMIT, Plan, Planned, Precondition};
use crate::plan::planner::{self, PlannerInput, Repairs};
use crate::plan::reply;
use crate::plan::snapshot::Snapshot;
use crate::ports::Forge;
use crate::render::markdown::{code, spans};
use crate::render::message::explain;
use crate::render::message::reply::{CommandStatus, ReplySection, help};
use crate::render::plural::plural;

/// Bytes of one answer: several stand in one reply.
const ANSWER: usize = 24_000;
/// Workflows whose failed jobs are run again.
const RERUNS: usize = 5;

/// What came of a command; or why nothing did, in words for people.
pub(super) type Answer = Result<(CommandStatus, String), String>;

/// Carries a command out.
pub(super) fn carry(hearing: &mut CommandContext<'_>, order: &CommandLine) -> ReplySection {
    let answer = match &order.command {
        Command::Help => Ok((CommandStatus::Done, list(hearing))),
        Command::Explain { what } => explain(hearing, what.as_deref()),
        Command::Triage { run } => triage(hearing, *run),
        Command::Retry { which: RetrySelection::Failed, .. } => rerun(hearing),
        Command::Stop => stop(hearing),
        Command::Flaky { test } => feedback_commands::about_test(hearing, FeedbackKind::Flaky, test),
        Command::NotFlaky { test } => feedback_commands::about_test(hearing, FeedbackKind::NotFlaky, test),
        Command::Expected { key } => feedback_commands::about_failure(hearing, FeedbackKind::Expected, key, None),
        Command::Ignore { key, until } => {
            feedback_commands::about_failure(hearing, FeedbackKind::Ignored, key, until.as_ref())
        }
        Command::Quarantine { test, until } => feedback_commands::quarantine(hearing, test, until.as_ref()),
        Command::Unquarantine { test } => feedback_commands::unquarantine(hearing, test),
        Command::File { test } => file(hearing, test),
        Command::Heal { tests, force_outdated, offer } => code_commands::heal(hearing, tests, *force_outdated, *offer),
        Command::Generate { targets } => code_commands::generate(hearing, targets),
        Command::Retry { which, times } => code_commands::again(hearing, which, *times),
        Command::Bisect { test } => code_commands::bisect(hearing, test),
    };
    match answer {
        Ok((mark, text)) => ReplySection { mark, line: order.text.clone(), text },
        Err(why) => ReplySection::refused(&order.text, &why),
    }
}

fn list(hearing: &CommandContext<'_>) -> String {
    let (actor, policy) = (&hearing.actor, &hearing.policy.commands);
    help(&|verb| {
        let needed = policy.needs(verb);
        let may = actor.is_bot || actor.level >= needed || (actor.is_author && policy.author.contains(&verb));
        if may { Ok(()) } else { Err(needed) }
    })
}

fn explain(hearing: &CommandContext<'_>, what: Option<&str>) -> Answer {
    let own = hearing.own_issue().and_then(|issue| issue.key());
    let Evaluated { triage, scene, notes, .. } = hearing.look(None)?;
    let found = &triage.found;
    let wanted = what.map(str::to_owned).or(own);
    let mut text = match (&wanted, found.diagnoses.as_slice()) {
        (Some(wanted), _) => match select(found, wanted) {
            Some(d) => explain::entry(found, d, &scene, None, ANSWER),
            None => explain::nothing(found, wanted),
        },
        (None, []) => format!("Nothing failed: {} passed.", plural(found.totals.passed, "test")),
        (None, [only]) => explain::entry(found, only, &scene, None, ANSWER),
        (None, _) => format!("{}\n`/explain KEY` tells all about one of them.\n", explain::list(found)),
    };
    text.push_str(&noted(&notes));
    Ok((CommandStatus::Done, text))
}

/// Judges anew, and writes what the policy lets a run of that kind write.
fn triage(hearing: &CommandContext<'_>, run: Option<u64>) -> Answer {
    let (job, args, _) = hearing.job(run)?;
    let done = job.run(&args, None);
    let found = &done.triage.found;
    let mut text = match found.diagnoses.len() {
        0 => format!("Nothing failed: {} passed.\n", plural(found.totals.passed, "test")),
        _ => explain::list(found),
    };
    text.push_str(&receipts(&done.triage.plan));
    text.push_str(&noted(&done.triage.notes));
    Ok((if has_links(&done.triage.plan) { CommandStatus::Made } else { CommandStatus::Done }, text))
}

/// Has the forge run the failed jobs of the thread's commit again.
pub(super) fn rerun(hearing: &mut CommandContext<'_>) -> Answer {
    let head = hearing.thread.pull.as_ref().map(|pull| pull.head_sha.clone());
    let branch = hearing.scene.default_branch.clone();
    let mut runs = hearing.forge.runs_of(head.as_deref(), Some(&branch)).map_err(|t| t.to_string())?;
    runs.retain(|run| is_of_thread(run, hearing));
    let failed = latest_failed(&runs);
    if failed.is_empty() {
        return Err("no workflow run of this commit failed: there is nothing to run again".to_owned());
    }
    let actions = failed.into_iter().take(RERUNS).map(|run| Planned {
        id: format!("rerun-jobs:{}:{}", run.id, run.attempt),
        action: Action::RerunJobs { run: run.id, attempt: run.attempt },
        because: "a person asks for it".to_owned(),
        title: format!("run the failed jobs of run {} again", run.id),
        target: format!("run {}", run.id),
        guards: vec![Precondition::RunAttemptIs { run: run.id, attempt: run.attempt }],
        receipt: None,
    });
    let mut plan = Plan { actions: actions.collect(), withheld: Vec::new() };
    hearing.carry_out(&mut plan)?;
    Ok((if has_links(&plan) { CommandStatus::Made } else { CommandStatus::Refused }, receipts(&plan)))
}

/// Whether a run is one that the thread itself brought about: a commit may be that of other
/// branches as well, whose runs deploy and publish, and what somebody cancelled is started
/// again by nobody with less than the right to write.
fn is_of_thread(run: &CompletedRun, hearing: &CommandContext<'_>) -> bool {
    let may_revive = hearing.actor.is_bot || hearing.actor.level >= Permission::Write;
    if run.conclusion == "cancelled" && !may_revive {
        return false;
    }
    if let Some(pull) = &hearing.thread.pull {
        let same = pull.head_repository.as_ref().zip(run.head_repository.as_ref());
        let same = same.is_some_and(|(pull, run)| pull.same(run));
        return same && run.event == "pull_request" && run.head_branch == pull.head_ref;
    }
    run.is_of_default(&hearing.scene.repository, &hearing.scene.default_branch)
}

/// The latest run of each workflow, where it failed.
fn latest_failed(runs: &[CompletedRun]) -> Vec<&CompletedRun> {
    let is_latest = |run: &&CompletedRun| {
        !runs
            .iter()
            .any(|other| other.workflow_file == run.workflow_file && other.event == run.event && other.id > run.id)
    };
    let failed = |run: &&CompletedRun| matches!(run.conclusion.as_str(), "failure" | "timed_out" | "cancelled");
    runs.iter().filter(is_latest).filter(failed).filter(|run| run.event != "issue_comment").collect()
}

/// Opens the issue about a failing test, whatever the policy waits for.
fn file(hearing: &mut CommandContext<'_>, test: &str) -> Answer {
    let looked = hearing.look(None)?;
    let found = &looked.triage.found;
    let Some(d) = select(found, test) else { return Err(format!("no failing test of the run is called `{test}`")) };
    let issues = hearing.forge.issues().map_err(|t| t.to_string())?;
    let snapshot = Snapshot { issues: Some(issues), ..Snapshot::default() };
    let (repairs, written) = (Repairs::default(), GenerationResult::default());
    let given = PlannerInput {
        found,
        scene: &looked.scene,
        snapshot: &snapshot,
        policy: &hearing.policy,
        recoveries: &BTreeMap::new(),
        repairs: &repairs,
        written: &written,
        files: &[],
        red: false,
        now: hearing.now(),
    };
    let planned = planner::file(&given, d, &hearing.login)?;
    let mut plan = Plan { actions: vec![planned], withheld: Vec::new() };
    hearing.carry_out(&mut plan)?;
    Ok((if hearing.is_done(&plan) { CommandStatus::Made } else { CommandStatus::Refused }, receipts(&plan)))
}

/// Ends what other commands of the thread still do: nothing is written for them any more.
fn stop(hearing: &mut CommandContext<'_>) -> Answer {
    let own = reply::key(hearing.remark.id);
    let comments = hearing.forge.comments(hearing.to.on).map_err(|t| t.to_string())?;
    let working = comments.iter().filter_map(|c| Some((c, c.reply().filter(|r| r.is_working && r.key != own)?)));
    let mut plan = Plan::default();
    for (comment, state) in working {
        let remark = state.key.rsplit(' ').next().and_then(|id| id.parse().ok()).unwrap_or_default();
        let to = reply::ReplyTarget { on: hearing.to.on, remark, by: state.by };
        let text = format!("### 🛑 stopped\n\nby {}\n", code(&hearing.login, 60));
        plan.actions.push(reply::reply(&to, &text, false, Some(comment), Vec::new()));
    }
    if plan.actions.is_empty() {
        return Ok((CommandStatus::Done, "Nothing is being worked on in this thread.".to_owned()));
    }
    hearing.carry_out(&mut plan)?;
    let stopped = plan.actions.iter().filter(|p| matches!(p.receipt, Some(ActionResult::Done(_)))).count() as u64;
    Ok((CommandStatus::Done, format!("Stopped {}: nothing more is written for them.", plural(stopped, "command"))))
}

pub(super) fn has_links(plan: &Plan) -> bool {
    plan.actions.iter().any(|p| p.receipt.as_ref().is_some_and(|receipt| receipt.url().is_some()))
}

/// What else is to say, the first of it.
pub(super) fn noted(notes: &[String]) -> String {
    notes.iter().take(5).map(|note| format!("\n_{}_\n", spans(note, 300))).collect()
}

/// What was written, and what was not, a line each.
pub(super) fn receipts(plan: &Plan) -> String {
    let mut out = String::new();
    let shown = plan.actions.iter().filter(|p| !matches!(p.action, Action::RecordRun { .. }));
    for planned in shown {
        let title = spans(&planned.title, 200);
        match &planned.receipt {
            Some(ActionResult::Done(Some(url))) => out.push_str(&format!("- [{title}]({url})\n")),
            Some(ActionResult::Done(None)) | None => out.push_str(&format!("- {title}\n")),
            Some(ActionResult::AlreadyDone) => out.push_str(&format!("- {title}: done already\n")),
            Some(ActionResult::Stale(why) | ActionResult::Failed(why)) => {
                out.push_str(&format!("- not done: {title}: {}\n", spans(why, 300)));
            }
        }
    }
    for withheld in plan.withheld.iter().take(10) {
        out.push_str(&format!("- withheld: {}: {}\n", spans(&withheld.kind, 40), spans(&withheld.reason, 300)));
    }
    if out.is_empty() {
        return out;
    }
    // A table or a paragraph may stand right before it.
    format!("\n{}", crate::model::text::head(&out, BODY_LIMIT / 4))
}
