//! Commands for which tests are run: repairs, written tests, single tests again, and the
//! commit that broke one. What is run is the commit that the person saw, in checkouts of
//! its own, with no secret in reach.

use std::fmt::Write;

use super::context::CommandContext;
use super::dispatch::{Answer, has_links, noted, receipts};
use super::run_lookup::select;
use crate::adapters::heal::RepoHealer;
use crate::adapters::heal::rerun::{RerunCount, RerunTarget};
use crate::cli::JobPhase;
use crate::cli::job::{Evaluated, RequestedWork, TriageRun};
use crate::investigate::bisect::Probe;
use crate::model::command::{DeliveryMode, RetrySelection};
use crate::model::heal::HealMode;
use crate::pipeline::{TriageResult, chain};
use crate::plan::action::{Action, Plan, Planned};
use crate::plan::authorization::Thread;
use crate::render::markdown::{code, fence, spans};
use crate::render::message::reply::CommandStatus;
use crate::render::message::{commit, generate, heal};
use crate::render::plural::plural;

/// Bytes of what a test said.
const SAID: usize = 1500;
/// Tests that one command runs.
const TESTS: usize = 20;

/// The code of a fork is never run beside a token that can write.
fn own(hearing: &CommandContext<'_>) -> Result<(), String> {
    if !hearing.how.may_run {
        return Err(
            "no test is run in this job: the input `heal` is `false`, or their eyes could not be closed to its secrets"
                .to_owned(),
        );
    }
    match &hearing.place.thread {
        Thread::Pull { own: false, .. } if hearing.how.part != JobPhase::Execute => Err("this job holds a token that can write, and runs no code of a fork beside it; the workflow of the example `commands.yml` has a job without rights for that".to_owned()),
        _ => Ok(()),
    }
}

/// Repairs outdated tests.
pub(super) fn heal(
    hearing: &CommandContext<'_>,
    tests: &[String],
    forces: bool,
    offer: Option<DeliveryMode>,
) -> Answer {
    own(hearing)?;
    if hearing.policy.heal.mode == HealMode::Off {
        return Err("the policy switches healing off (`heal = \"off\"`)".to_owned());
    }
    let (mut job, args, around) = hearing.job(None)?;
    let insisted = forces.then(|| hearing.login.clone());
    job.ask(RequestedWork::Heal { only: tests.to_vec(), insisted }, offer);
    let done = job.run(&args, Some(&around));
    let (triage, scene) = (&done.triage, done.scene.as_ref());
    let mut text = String::new();
    for healed in &triage.repairs.all {
        text.push_str(&heal::entry(healed, None, scene));
        text.push('\n');
    }
    if triage.repairs.all.is_empty() {
        text.push_str(&nothing(triage, tests));
    }
    Ok(finish(hearing, done.triage, text))
}

/// Why no test was looked at.
fn nothing(triage: &TriageResult, tests: &[String]) -> String {
    if let Some(withheld) = triage.repairs.withheld.first() {
        return format!("{}.\n", spans(&withheld.reason, 400));
    }
    match (triage.found.bad(), tests) {
        (0, _) => "Nothing failed: there is nothing to repair.\n".to_owned(),
        (_, []) => {
            "No failing test is one that an edit of a test answers; `/explain` tells why they fail.\n".to_owned()
        }
        (_, some) => format!("No failing test is called {}.\n", code(&some.join(" or "), 200)),
    }
}

/// Writes tests that are missing.
pub(super) fn generate(hearing: &CommandContext<'_>, targets: &[String]) -> Answer {
    own(hearing)?;
    let (mut job, args, around) = hearing.job(None)?;
    if !job.knows_traffic() {
        return Err("no traffic of this run is known: tests are written from what services answered. Run the tests with `testmedic run -- …` and keep `.testmedic/traffic.ndjson` in the artifact of the reports".to_owned());
    }
    job.ask(RequestedWork::Generate { only: targets.to_vec() }, None);
    let done = job.run(&args, Some(&around));
    let triage = &done.triage;
    let offers = |p: &&Planned| matches!(p.action, Action::OpenPullRequest { .. });
    let offered = triage.plan.actions.iter().find(offers).and_then(|p| p.receipt.as_ref()?.url());
    let mut text = generate::entry(&triage.written, offered);
    let written = triage.written.fresh().count() as u64;
    match written {
        0 if text.trim().is_empty() => text.push_str("No test is missing that a recipe knows.\n"),
        0 => {}
        _ => text.push_str(&format!("\n{}\n", fence(&generate::commit_message(&triage.written), 6000))),
    }
    Ok(finish(hearing, done.triage, text))
}

fn finish(hearing: &CommandContext<'_>, triage: TriageResult, mut text: String) -> (CommandStatus, String) {
    // Where another job writes, that one tells what was written.
    let is_left = hearing.how.part == JobPhase::Execute;
    let withheld = Plan { actions: Vec::new(), withheld: triage.plan.withheld.clone() };
    text.push_str(&receipts(if is_left { &withheld } else { &triage.plan }));
    text.push_str(&noted(&triage.notes));
    let mark = if has_links(&triage.plan) { CommandStatus::Made } else { CommandStatus::Done };
    if is_left {
        hearing.plan.borrow_mut().extend(triage.plan);
    }
    (mark, text)
}

/// The place where tests of the thread's commit are run, and the run that is spoken of.
fn ward(hearing: &CommandContext<'_>) -> Result<(RepoHealer, Evaluated), String> {
    own(hearing)?;
    let (job, _, _): (TriageRun, _, _) = hearing.job(None)?;
    let ward = job.ward()?;
    Ok((ward, job.look(hearing.args.apply)?))
}

/// Runs single tests again, here.
pub(super) fn again(hearing: &mut CommandContext<'_>, which: &RetrySelection, times: u32) -> Answer {
    let (ward, looked) = match ward(hearing) {
        Ok(place) => place,
        // The forge runs whole jobs where nobody can run a test.
        Err(why) if hearing.how.part == JobPhase::All => {
            let (mark, text) = super::dispatch::rerun(hearing)?;
            return Ok((mark, format!("Single tests are not run here: {}.\n{text}", spans(&why, 400))));
        }
        Err(why) => return Err(why),
    };
    let found = &looked.triage.found;
    let names: Vec<String> = match which {
        RetrySelection::Tests(names) => names.clone(),
        RetrySelection::Flaky | RetrySelection::Failed => {
            let flaky = found.diagnoses.iter().filter(|d| d.verdict == crate::diagnose::verdict::Verdict::Flaky);
            let members = flaky.flat_map(|d| &d.members).map(|member| found.case(*member));
            members.map(|case| format!("{} {}", case.name.classname.raw(), case.name.name.raw())).collect()
        }
    };
    if names.is_empty() {
        return Err("no failure of this run is flaky".to_owned());
    }
    let mut tests: Vec<RerunTarget> = Vec::new();
    for name in &names {
        for test in ward.tests(found, name).map_err(|problem| problem_text(&problem))? {
            if !tests.iter().any(|known| known.target == test.target) {
                tests.push(test);
            }
        }
    }
    tests.truncate(TESTS);
    let counted = ward.again(&tests, times).map_err(|problem| problem_text(&problem))?;
    Ok((CommandStatus::Done, table(&counted, times)))
}

fn table(counted: &[RerunCount], times: u32) -> String {
    let mut out = format!(
        "Run {} on the commit of this thread:\n\n| test | passed | failed |\n|---|--:|--:|\n",
        plural(u64::from(times), "time")
    );
    for one in counted {
        let _ = writeln!(out, "| {} | {} | {} |", code(&one.name, 160), one.passed, one.failed);
    }
    for one in counted {
        let Some(said) = &one.said else { continue };
        let _ = write!(out, "\n{} said:\n\n{}", code(&one.name, 160), fence(said, SAID));
    }
    out
}

/// Finds the commit that broke a test.
pub(super) fn bisect(hearing: &CommandContext<'_>, test: &str) -> Answer {
    let (ward, looked) = ward(hearing)?;
    let found = &looked.triage.found;
    let tests = ward.tests(found, test).map_err(|problem| problem_text(&problem))?;
    let [one] = tests.as_slice() else {
        let names: Vec<String> = tests.iter().take(5).map(|t| format!("`{}`", t.target.name)).collect();
        return Err(format!("{} tests are called like that: {}", tests.len(), names.join(", ")));
    };
    let good = select(found, test).and_then(|d| d.past.last_good.clone());
    let bisected = ward.bisect(one, good.as_deref()).map_err(|problem| problem_text(&problem))?;
    let scene = Some(&looked.scene);
    let mut out = format!(
        "{} first fails on {}; on {} before it, it passes.\n",
        code(&one.target.name, 160),
        commit(&bisected.first_bad, scene),
        commit(&bisected.last_good, scene)
    );
    if !bisected.between.is_empty() {
        let between: Vec<String> = bisected.between.iter().take(10).map(|sha| commit(sha, scene)).collect();
        let _ = writeln!(out, "\nBetween them it could not be run: {}.", between.join(", "));
    }
    let _ = writeln!(out, "\n| commit | the test |\n|---|---|");
    for (sha, probe) in bisected.tried.iter().rev() {
        let word = match probe {
            Probe::Passes => "passes",
            Probe::Fails => "fails",
            Probe::Cannot => "cannot be run",
            Probe::Both => "passes and fails",
        };
        let _ = writeln!(out, "| {} | {word} |", commit(sha, scene));
    }
    out.push_str("\nOn each commit it was run twice, as it is written now.\n");
    Ok((CommandStatus::Done, out))
}

fn problem_text(problem: &crate::error::Problem) -> String {
    let mut text = chain(problem);
    for hint in &problem.hints {
        let _ = write!(text, "; {hint}");
    }
    text
}
