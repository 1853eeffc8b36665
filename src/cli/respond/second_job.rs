//! The parts of answering that are jobs of their own where code of forks may be run: one
//! that runs it and may only read, and one that writes what the first one planned.

use super::context::{CommandContext, hear};
use super::{CommandReply, How, dispatch, quiet};
use crate::adapters::actions_env::{self, ActionsEnv};
use crate::adapters::files;
use crate::adapters::system::print;
use crate::apply;
use crate::cli::{JobPhase, TriageArgs, action, apply as saved};
use crate::error::{Problem, exit};
use crate::ingest::command::{ParsedLine, read};
use crate::model::command::{Command, CommandLine};
use crate::model::forge::CommentEvent;
use crate::pipeline::chain;
use crate::plan::action::{Action, ActionResult, Plan, Planned};
use crate::plan::authorization::Decision;
use crate::plan::plan_file::{self as file, SavedPlan};
use crate::plan::plan_validation::validate;
use crate::plan::preview;
use crate::plan::reply;
use crate::plan::texts::TextRules;
use crate::render::message::reply::{self as message, CommandStatus};

/// Runs what was handed over, and keeps the plan with the answer in it.
pub(super) fn execute(hearing: &mut CommandContext<'_>, parts: Vec<CommandReply>) -> Result<u8, Problem> {
    let Some(path) = hearing.args.plan.clone() else {
        return Err(Problem::usage("where the plan is to be kept is not said").hint("pass `plan: testmedic/plan.json`"));
    };
    if hearing.args.apply {
        return Err(Problem::usage("a job that runs code of others writes nothing").hint("pass `apply: false`"));
    }
    let mut told = Vec::new();
    for one in parts {
        let Some(order) = one.order.filter(|order| order.command.runs_code()) else { continue };
        told.push(CommandReply { part: dispatch::carry(hearing, &order), order: None, at: one.at });
    }
    if told.is_empty() {
        return quiet("nothing of the comment is to be run here");
    }
    let there = hearing.reply_there()?;
    let text = hearing.text(&told);
    let mut plan = hearing.plan.take();
    plan.actions.push(reply::reply(&hearing.to, &text, false, there.as_ref(), Vec::new()));
    let scene = hearing.judged.take().unwrap_or_else(|| hearing.scene.clone());
    let saved = serde_json::to_string_pretty(&SavedPlan::of(&plan, &scene))
        .map_err(|e| Problem::failed("cannot write the plan as JSON").because(e))?;
    files::write(&path, &(saved + "\n"))?;
    print(&preview::preview(&plan))?;
    action::conclude("neutral");
    Ok(exit::DONE)
}

/// Writes what the job without rights planned: every item of it is admitted anew, and
/// only while the comment, the head and the reply are what they were.
///
/// # Errors
/// Where the forge cannot be read.
pub(in crate::cli) fn publish(
    args: &TriageArgs,
    around: &ActionsEnv,
    remark: &CommentEvent,
    artifact: &str,
) -> Result<u8, Problem> {
    let how = How { may_run: false, part: JobPhase::Publish };
    let mut hearing = match hear(args, around, remark, how)? {
        Ok(hearing) => hearing,
        Err(why) => return quiet(&format!("nothing is written: {why}")),
    };
    let orders = read(&remark.body).into_iter().enumerate().filter_map(|(at, line)| match line {
        ParsedLine::Order(order) => Some((at, order)),
        ParsedLine::Slip { .. } => None,
    });
    let granted: Vec<(usize, CommandLine)> =
        orders.filter(|(_, o)| o.command.runs_code() && hearing.admit(o) == Decision::Granted).collect();
    if granted.is_empty() || hearing.ignore_reason().is_some() {
        return quiet("nothing is written: no command of the comment is admitted");
    }
    let (mut plan, rules) = match planned(&hearing, &granted, artifact) {
        Ok(planned) => planned,
        Err(problem) => {
            actions_env::warn(&chain(&problem))?;
            (Plan::default(), TextRules::of_this_run(&hearing.scene))
        }
    };
    let has_reply = plan.actions.iter().any(|p| is_reply(p, remark.id));
    if !has_reply {
        plan.actions.clear();
        plan.actions.push(failed(&hearing, &granted)?);
    }
    // What the job before withheld stands in its answer.
    let refused = plan.withheld.iter().filter(|w| w.reason.starts_with("refused")).cloned().collect();
    let (said, actions): (Vec<Planned>, Vec<Planned>) = plan.actions.into_iter().partition(|p| is_reply(p, remark.id));
    let mut plan = Plan { actions, withheld: refused };
    plan.require(&hearing.guards());
    if args.apply {
        apply::apply(&mut plan, &rules, &mut hearing.forge);
    }
    let mood = mood(has_reply, &plan);
    // What was written is told by who wrote it.
    let (there, written) = (hearing.reply_there()?, dispatch::receipts(&plan));
    let open: Vec<usize> = granted.iter().map(|(at, _)| *at).collect();
    let mut told = Plan::default();
    for mut planned in said {
        if let (Action::Comment { body, .. }, Some(there)) = (&mut planned.action, &there) {
            *body = reply::merged(&there.body, body, &open, &written);
        }
        planned.guards.splice(0..0, [hearing.comment_unchanged(), hearing.working()]);
        told.actions.push(planned);
    }
    told.actions.push(reply::react(&hearing.to, mood.reaction(), vec![hearing.comment_unchanged()]));
    if args.apply {
        apply::apply(&mut told, &rules, &mut hearing.forge);
    }
    plan.extend(told);
    print(&preview::preview(&plan))?;
    let bad = plan.actions.iter().any(|p| matches!(p.receipt, Some(ActionResult::Failed(_))));
    action::conclude(if bad || !has_reply { "error" } else { "neutral" });
    Ok(if bad { exit::COULD_NOT } else { exit::DONE })
}

/// What it came to.
fn mood(has_reply: bool, plan: &Plan) -> CommandStatus {
    let is_done = |p: &Planned| matches!(p.receipt, Some(ActionResult::Done(_) | ActionResult::AlreadyDone));
    match (has_reply, plan.actions.is_empty(), plan.actions.iter().any(is_done)) {
        (true, true, _) => CommandStatus::Done,
        (true, _, true) => CommandStatus::Made,
        _ => CommandStatus::Refused,
    }
}

fn is_reply(planned: &Planned, remark: u64) -> bool {
    matches!(&planned.action, Action::Comment { key, .. } if *key == reply::key(remark))
}

/// Returns the valid part of the previous job's plan, and the rules for its texts.
fn planned(
    hearing: &CommandContext<'_>,
    granted: &[(usize, CommandLine)],
    artifact: &str,
) -> Result<(Plan, TextRules), Problem> {
    let run = hearing.around.run.ok_or_else(|| Problem::usage("which workflow run this is, is not known"))?;
    let texts = hearing
        .forge
        .plans_of(run, artifact, file::LIMIT)
        .map_err(|t| Problem::failed(format!("the artifacts of run {run} cannot be read")).because(t))?;
    let plans = saved::parse(&texts)?;
    let Some(judged) = plans.iter().find_map(|plan| plan.run) else {
        return Err(Problem::failed("the job that was to carry it out left no plan"));
    };
    let source = saved::source_of_comment(&plans, judged, hearing)?;
    let mut policy = hearing.policy.clone();
    for (_, order) in granted {
        match &order.command {
            Command::Heal { offer, .. } => {
                policy.allow_heal_on_command(*offer, source.pull.is_some(), !source.own_branch);
            }
            Command::Generate { .. } => policy.allow_generate_on_command(!source.own_branch),
            _ => {}
        }
    }
    let mut plan = validate(&plans, &source, &policy);
    saved::join_comment(&mut plan, &source, &hearing.forge)?;
    Ok((plan, source.rules()))
}

/// Says that the job before left nothing.
fn failed(hearing: &CommandContext<'_>, granted: &[(usize, CommandLine)]) -> Result<Planned, Problem> {
    let why = "The job that was to carry it out ended without a plan: its log tells why.";
    let refused = |(at, order): &(usize, CommandLine)| CommandReply {
        at: *at,
        part: message::ReplySection::refused(&order.text, why),
        order: None,
    };
    let parts: Vec<CommandReply> = granted.iter().map(refused).collect();
    Ok(reply::reply(&hearing.to, &hearing.text(&parts), false, hearing.reply_there()?.as_ref(), Vec::new()))
}
