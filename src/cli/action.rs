//! `testmedic action`: what `action.yml` calls. Picks the command from the
//! event, reads the inputs, writes step outputs, summary and annotations, and
//! sees to it that the bot's own trouble does not turn a green job red.

use std::collections::BTreeMap;
use std::path::Path;

use clap::{CommandFactory, Parser};
use serde_json::json;

use crate::adapters::actions_env::{self, ActionsEnv};
use crate::adapters::files;
use crate::adapters::secret_env;
use crate::adapters::system::print;
use crate::cli::job::TriageReport;
use crate::cli::{ActionArgs, ActionWords, JobPhase, apply, job, maintenance, model_setup, respond};
use crate::error::{Problem, exit};
use crate::model::forge::Trigger;
use crate::model::run::IssueLevel;
use crate::pipeline::chain;
use crate::plan::action::{Action, ActionResult, Plan};
use crate::plan::plan_file;
use crate::report::{FailOn, exit_code, missing, red_without_analysis, regressions, summary};

pub(super) fn action(words: &ActionWords, colour: bool) -> Result<u8, Problem> {
    // Tests may be run: before anything else their eyes are closed.
    let shielded = secret_env::scrub_and_reexec();
    let args = match arguments(words) {
        Ok(mut args) => {
            if let Err(problem) = shielded {
                actions_env::warn(&format!("no test is repaired: {}", told(&problem)))?;
                args.heal = false;
            }
            args
        }
        // A wrong input is a mistake in the workflow, not trouble of ours: it is red.
        Err(problem) => {
            actions_env::error(&told(&problem))?;
            conclude("error");
            return Ok(problem.exit_code());
        }
    };
    // Problems from here on are testmedic's own. They must not change the result of the tests.
    let outcome = std::panic::catch_unwind(|| act(&args, colour)).unwrap_or_else(|_| {
        let bug = Problem::failed("this is a bug of testmedic, not of your tests");
        Err(bug.hint("please report it with the log of this step"))
    });
    let code = match outcome {
        Ok(code) => code,
        Err(problem) => {
            actions_env::warn(&told(&problem))?;
            if let Some(why) = reason_to_fail(&args) {
                actions_env::error(&format!("the step fails: {why}"))?;
                conclude("failure");
                return Ok(exit::TESTS_FAILED);
            }
            conclude("error");
            problem.exit_code()
        }
    };
    if code == exit::TESTS_FAILED || code == exit::DONE || args.strict {
        return Ok(code);
    }
    // Our own trouble: told above, and the job keeps its colour.
    Ok(exit::DONE)
}

/// Returns why the step must fail after testmedic itself failed: the reports contain failed tests or are
/// incomplete. Returns `None` if `fail-on` is `never` or the event has no reports.
fn reason_to_fail(args: &ActionArgs) -> Option<String> {
    let judges = ActionsEnv::read().ok().flatten().is_none_or(|around| {
        !matches!(around.event.occasion, Trigger::Comment(_) | Trigger::Schedule | Trigger::WorkflowRun(_))
    });
    if args.triage.fail_on == FailOn::Never || !judges {
        return None;
    }
    let patterns: Vec<String> = args.triage.junit.iter().filter(|p| !p.trim().is_empty()).cloned().collect();
    if patterns.is_empty() {
        return Some("no reports are named, so testmedic cannot tell whether tests failed".to_owned());
    }
    let read = std::panic::catch_unwind(|| files::read_reports(Path::new(""), &patterns, &|_| {}).unwrap_or_default());
    red_without_analysis(&read.unwrap_or_default())
}

fn act(args: &ActionArgs, colour: bool) -> Result<u8, Problem> {
    let around = ActionsEnv::read()?
        .ok_or_else(|| Problem::usage("this is no GitHub workflow").hint("on a command line use `testmedic triage`"))?;
    if let Some(token) = &around.token {
        actions_env::mask(token)?;
    }
    if let Some(key) = model_setup::key()? {
        actions_env::mask(&key)?;
    }
    carry_out(args, &around, colour)
}

fn told(problem: &Problem) -> String {
    let mut text = chain(problem);
    for hint in &problem.hints {
        text.push_str(&format!("\n{hint}"));
    }
    text
}

/// Sets the output that is always set. That it cannot be written is told by
/// whatever else was to be written there.
pub(super) fn conclude(conclusion: &str) {
    let _ = actions_env::outputs(&[("conclusion", conclusion.to_owned())]);
}

/// The inputs as options, and over them what stands on the command line.
fn arguments(words: &ActionWords) -> Result<ActionArgs, Problem> {
    let mut all = Vec::new();
    for argument in ActionArgs::command().get_arguments() {
        let Some(name) = argument.get_long().filter(|name| *name != "help") else { continue };
        if let Some(value) = actions_env::input(name) {
            all.push(format!("--{name}={value}"));
        }
    }
    all.extend(words.words.iter().cloned());
    ActionArgs::try_parse_from(&all).map_err(|error| {
        let text = error.render().to_string();
        let lines = text.lines().map(str::trim).take_while(|l| !l.starts_with("For more") && !l.starts_with("Usage"));
        let text: Vec<&str> = lines.filter(|l| !l.is_empty()).collect();
        let text = text.join(" ").replace("error: ", "").replace("'--", "'");
        Problem::usage(format!("an input of the action is wrong: {text}"))
    })
}

fn carry_out(args: &ActionArgs, around: &ActionsEnv, colour: bool) -> Result<u8, Problem> {
    match &around.event.occasion {
        Trigger::Comment(remark) if args.part == JobPhase::Publish => {
            return respond::publish(&args.triage, around, remark, &args.plan_artifact);
        }
        Trigger::Comment(remark) => {
            let how = respond::How { may_run: args.heal, part: args.part };
            return respond::answer(&args.triage, around, remark, how);
        }
        Trigger::Schedule if args.triage.junit.iter().all(|p| p.trim().is_empty()) => {
            let code = maintenance::tidy(&args.triage, around, colour)?;
            conclude(if code == exit::DONE { "neutral" } else { "error" });
            return Ok(code);
        }
        Trigger::WorkflowRun(ended) if args.triage.junit.iter().all(|p| p.trim().is_empty()) => {
            let plans = plans(args, around, ended.id)?;
            if !plans.is_empty() {
                let plan = apply::carry_out(&plans, &args.triage.forge, around, !args.triage.apply)?;
                return applied(&plan);
            }
        }
        _ => {}
    }
    let done = job::TriageRun::prepare(&args.triage, Some(around))?.run(&args.triage, args.heal.then_some(around));
    done.show(&args.triage, colour)?;
    actions_env::annotate(&done.annotations)?;
    actions_env::job_summary(&summary::render(&done.triage))?;
    let code = exit_code(&done.triage, args.triage.fail_on);
    if code == exit::TESTS_FAILED
        && let Some(why) = missing(&done.triage.found.runs)
    {
        actions_env::error(&format!("the step fails: results are missing, empty or truncated ({why})"))?;
    }
    tell(&done, args, code)?;
    Ok(code)
}

/// The plans that the run which ended left behind.
fn plans(args: &ActionArgs, around: &ActionsEnv, run: u64) -> Result<Vec<String>, Problem> {
    let Some(scene) = around.scene(None) else { return Ok(Vec::new()) };
    let Some(forge) = job::connect(&args.triage.forge, around, &scene)? else { return Ok(Vec::new()) };
    let plans = forge
        .plans_of(run, &args.plan_artifact, plan_file::LIMIT)
        .map_err(|t| Problem::failed(format!("the artifacts of run {run} cannot be read")).because(t))?;
    for note in forge.take_notes() {
        actions_env::warn(&note)?;
    }
    Ok(plans)
}

/// Tells what came of a plan that another job had saved.
fn applied(plan: &Plan) -> Result<u8, Problem> {
    let failed: Vec<String> = plan
        .actions
        .iter()
        .filter_map(|p| match &p.receipt {
            Some(ActionResult::Failed(why)) => Some(format!("{}: {why}", p.action.kind())),
            _ => None,
        })
        .chain(
            plan.withheld
                .iter()
                .filter(|w| w.reason.starts_with("refused"))
                .map(|w| format!("{}: {}", w.kind, w.reason)),
        )
        .collect();
    for why in failed.iter().take(10) {
        actions_env::warn(why)?;
    }
    actions_env::outputs(&[
        ("issues", json!(issues(plan)).to_string()),
        ("conclusion", if failed.is_empty() { "neutral" } else { "error" }.to_owned()),
    ])?;
    Ok(if failed.is_empty() { exit::DONE } else { exit::COULD_NOT })
}

/// Web pages of the issues that a plan opened, updated or reopened.
fn issues(plan: &Plan) -> Vec<&str> {
    let about = |action: &Action| {
        matches!(action, Action::OpenIssue { .. } | Action::UpdateIssue { .. } | Action::ReopenIssue { .. })
    };
    plan.actions.iter().filter(|p| about(&p.action)).filter_map(|p| p.receipt.as_ref()?.url()).collect()
}

/// Step outputs, and warnings about our own trouble.
fn tell(done: &TriageReport, args: &ActionArgs, code: u8) -> Result<(), Problem> {
    let found = &done.triage.found;
    let mut verdicts: BTreeMap<&str, usize> = BTreeMap::new();
    for diagnosis in &found.diagnoses {
        *verdicts.entry(diagnosis.verdict.word()).or_default() += 1;
    }
    let mut pages: Vec<&str> = issues(&done.triage.plan);
    pages.extend(done.triage.known_issues.values().map(String::as_str));
    pages.sort_unstable();
    pages.dedup();
    let file = |path: &Option<std::path::PathBuf>| path.as_ref().map(|p| p.display().to_string()).unwrap_or_default();
    let conclusion = match code {
        exit::TESTS_FAILED => "failure",
        exit::DONE if found.bad() > 0 => "neutral",
        exit::DONE => "success",
        _ => "error",
    };
    actions_env::outputs(&[
        ("verdicts", json!(verdicts).to_string()),
        ("regressions", regressions(&done.triage).to_string()),
        ("flaky", found.count(crate::diagnose::verdict::Verdict::Flaky).to_string()),
        ("issues", json!(pages).to_string()),
        ("plan", file(&args.triage.plan)),
        ("report", file(&args.triage.json)),
        ("conclusion", conclusion.to_owned()),
    ])?;
    for note in done.triage.notes.iter().take(10) {
        actions_env::warn(note)?;
    }
    let unreadable = found.runs.iter().flat_map(|run| run.issues.iter().map(move |issue| (run, issue)));
    for (run, issue) in unreadable.filter(|(_, issue)| issue.level == IssueLevel::Unusable).take(10) {
        actions_env::warn(&format!("{}: {}", run.path, issue.message))?;
    }
    for planned in &done.triage.plan.actions {
        if let Some(ActionResult::Failed(why)) = &planned.receipt {
            actions_env::warn(&format!("{}: {why}", planned.title))?;
        }
    }
    if actions_env::is_debug() {
        print(&format!("::debug::{} requests to the API\n", done.calls))?;
    }
    Ok(())
}
