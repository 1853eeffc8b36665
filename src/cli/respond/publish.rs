//! The parts of answering that are jobs of their own where code of forks may be run: one
//! that runs it and may only read, and one that writes what the first one planned.

use super::hearing::{Hearing, hear};
use super::{Answered, How, carry, quiet};
use crate::apply;
use crate::cli::{Part, TriageArgs, action, apply as saved};
use crate::error::{Problem, exit};
use crate::ingest::command::{Line, read};
use crate::model::forge::Remark;
use crate::plan::action::{Action, Plan, Planned, Receipt};
use crate::plan::admit::admit;
use crate::plan::authority::Admission;
use crate::plan::preview;
use crate::plan::reply;
use crate::plan::saved::{self as file, SavedPlan};
use crate::ports::Forge;
use crate::render::message::reply::{self as message, Mark};
use crate::run::chain;
use crate::shell::actions::{self, Around};
use crate::shell::files;
use crate::shell::surroundings::say;

/// Runs what was handed over, and keeps the plan with the answer in it.
pub(super) fn execute(hearing: &mut Hearing<'_>, parts: Vec<Answered>) -> Result<u8, Problem> {
    let Some(path) = hearing.args.plan.clone() else {
        return Err(Problem::usage("where the plan is to be kept is not said").hint("pass `plan: testmedic/plan.json`"));
    };
    if hearing.args.apply {
        return Err(Problem::usage("a job that runs code of others writes nothing").hint("pass `apply: false`"));
    }
    let mut told = Vec::new();
    for (part, order) in parts {
        let Some(order) = order.filter(|order| order.command.runs_code()) else { continue };
        drop(part);
        told.push((carry::carry(hearing, &order), None));
    }
    if told.is_empty() {
        return quiet("nothing of the comment is to be run here");
    }
    let comments =
        hearing.forge.comments(hearing.to.on).map_err(|t| Problem::failed("the reply could not be read").because(t))?;
    let key = reply::key(hearing.remark.id);
    let there = comments.into_iter().find(|c| c.reply().is_some_and(|reply| reply.key == key));
    let text = hearing.text(&told);
    let mut plan = hearing.plan.take();
    plan.actions.push(reply::reply(&hearing.to, &text, false, there.as_ref(), Vec::new()));
    let scene = hearing.judged.take().unwrap_or_else(|| hearing.scene.clone());
    let saved = serde_json::to_string_pretty(&SavedPlan::of(&plan, &scene))
        .map_err(|e| Problem::failed("cannot write the plan as JSON").because(e))?;
    files::write(&path, &(saved + "\n"))?;
    say(&preview::preview(&plan))?;
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
    around: &Around,
    remark: &Remark,
    artifact: &str,
) -> Result<u8, Problem> {
    let how = How { may_run: false, part: Part::Publish };
    let mut hearing = match hear(args, around, remark, how)? {
        Ok(hearing) => hearing,
        Err(why) => return quiet(&format!("nothing is written: {why}")),
    };
    let orders = read(&remark.body).into_iter().filter_map(|line| match line {
        Line::Order(order) => Some(order),
        Line::Slip { .. } => None,
    });
    let granted: Vec<_> = orders.filter(|o| o.command.runs_code() && hearing.admit(o) == Admission::Granted).collect();
    if granted.is_empty() || hearing.unheard().is_some() {
        return quiet("nothing is written: no command of the comment is admitted");
    }
    let mut plan = match planned(&hearing, artifact) {
        Ok(plan) => plan,
        Err(problem) => {
            actions::warn(&chain(&problem))?;
            Plan::default()
        }
    };
    let has_reply = plan.actions.iter().any(|p| is_reply(p, remark.id));
    if !has_reply {
        plan.actions.clear();
        plan.actions.push(failed(&hearing, &granted.iter().map(|o| o.text.clone()).collect::<Vec<_>>()));
    }
    let guards = hearing.guards();
    for planned in plan.actions.iter_mut().filter(|p| !is_reply(p, remark.id)) {
        planned.guards.splice(0..0, guards.iter().cloned());
    }
    // What is written comes before what is said about it.
    plan.actions.sort_by_key(|p| is_reply(p, remark.id));
    if let Some(said) = plan.actions.last_mut() {
        said.guards.insert(0, hearing.unedited());
    }
    let mood = match (has_reply, plan.actions.len()) {
        (false, _) => Mark::Refused,
        (true, 1) => Mark::Done,
        (true, _) => Mark::Made,
    };
    plan.actions.push(reply::react(&hearing.to, mood.reaction(), vec![hearing.unedited()]));
    if args.apply {
        apply::apply(&mut plan, &mut hearing.forge);
    }
    say(&preview::preview(&plan))?;
    let bad = plan.actions.iter().any(|p| matches!(p.receipt, Some(Receipt::Failed(_))));
    action::conclude(if bad || !has_reply { "error" } else { "neutral" });
    Ok(if bad { exit::COULD_NOT } else { exit::DONE })
}

fn is_reply(planned: &Planned, remark: u64) -> bool {
    matches!(&planned.action, Action::Comment { key, .. } if *key == reply::key(remark))
}

/// The plan of the job before, as far as it is admitted.
fn planned(hearing: &Hearing<'_>, artifact: &str) -> Result<Plan, Problem> {
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
    let mut plan = admit(&plans, &source, &hearing.policy);
    saved::join_comment(&mut plan, &source, &hearing.forge)?;
    Ok(plan)
}

/// Says that the job before left nothing.
fn failed(hearing: &Hearing<'_>, lines: &[String]) -> Planned {
    let why = "The job that was to carry it out ended without a plan: its log tells why.";
    let parts: Vec<Answered> = lines.iter().map(|line| (message::Part::refused(line, why), None)).collect();
    let comments = hearing.forge.comments(hearing.to.on).unwrap_or_default();
    let key = reply::key(hearing.remark.id);
    let there = comments.into_iter().find(|c| c.reply().is_some_and(|reply| reply.key == key));
    reply::reply(&hearing.to, &hearing.text(&parts), false, there.as_ref(), Vec::new())
}
