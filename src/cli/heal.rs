//! `testmedic heal`.

use std::path::Path;

use crate::adapters::heal::RepoHealer;
use crate::adapters::runner::{Runner, recognise_by_name};
use crate::adapters::{files, secret_env};
use crate::agent::healer::result::{Outcome, TestHeal};
use crate::cli::local::RepoContext;
use crate::cli::{HealArgs, model_setup};
use crate::error::{Problem, exit};
use crate::investigate::model_session::ModelContext;
use crate::model::heal::HealMode;
use crate::model::run::IssueLevel;
use crate::pipeline::{self, TriageInput, TriageResult};
use crate::plan::planner::Repairs;
use crate::ports::HistoryStore;
use crate::render::plural::plural;
use crate::render::terminal::line;
use crate::report::heal;

pub(super) fn heal(args: &HealArgs, colour: bool) -> Result<u8, Problem> {
    secret_env::scrub_and_reexec()?;
    let patterns: Vec<String> = args.junit.iter().filter(|p| !p.trim().is_empty()).cloned().collect();
    if patterns.is_empty() && args.only.is_empty() {
        return Err(Problem::usage("there is nothing to heal")
            .hint("pass the reports of the failed run with --junit, or name a test with --only"));
    }
    let mut notes = Vec::new();
    let ward = ward(args, &mut notes)?;
    let mut triage = judge(args, &patterns, &ward, &mut notes)?;
    for run in &triage.found.runs {
        let grave = run.issues.iter().filter(|i| i.level == IssueLevel::Unusable);
        notes.extend(grave.map(|issue| format!("{}: {}", run.path, issue.message)));
    }
    let round = round(args, &ward, &mut notes);
    let mut done = if patterns.is_empty() {
        ward.heal_named(round.as_ref())?
    } else {
        ward.heal_found(&triage.found, round.as_ref())?
    };
    if let Some(round) = &round {
        notes.extend(told(&done.all, round));
    }
    if done.all.is_empty() && !args.only.is_empty() && triage.found.bad() > 0 {
        return Err(Problem::usage(format!(
            "no failing test of the reports has {} in its name",
            args.only.join(" or ")
        )));
    }
    done.notes.splice(0..0, notes);
    pipeline::add_heal_evidence(&mut triage, Repairs { all: done.all.clone(), ..Repairs::default() });
    let told = |look| heal::render(&done.all, &done.notes, look);
    args.local.show((&told, colour), (args.patch.as_deref(), &done.patch()), (&triage, done.base.clone()))?;
    let in_vain = !done.all.is_empty() && done.all.iter().all(|h| matches!(h.healing.outcome, Outcome::GaveUp(_)));
    let unreadable = !patterns.is_empty() && triage.found.is_incomplete();
    Ok(if in_vain || unreadable { exit::COULD_NOT } else { exit::DONE })
}

/// A model that is asked where no rule knows an edit; without one the rules heal alone.
fn round(args: &HealArgs, ward: &RepoHealer, notes: &mut Vec<String>) -> Option<ModelContext> {
    let model = &ward.policy.model;
    if !model_setup::is_wanted(model, &args.model) || model.edits == 0 {
        return None;
    }
    let begun = args.local.history.path().and_then(|history| {
        let history = history.filter(|path| path.is_file());
        model_setup::begin(model, &args.model, (history.as_deref(), None), notes)
    });
    begun.inspect_err(|problem| notes.push(format!("healed by the rules alone: {}", pipeline::chain(problem)))).ok()
}

/// What the model was asked, and what that cost.
fn told(all: &[TestHeal], round: &ModelContext) -> Option<String> {
    let asked = all.iter().filter(|h| h.healing.advice.is_some()).count() as u64;
    let broken = round.broken().map_or_else(String::new, |why| format!("; not asked any more: {why}"));
    (asked > 0).then(|| {
        format!(
            "{} was asked to repair {}: {}{broken}",
            line(&round.model(), 60),
            plural(asked, "test"),
            model_setup::cost(round),
        )
    })
}

fn ward(args: &HealArgs, notes: &mut Vec<String>) -> Result<RepoHealer, Problem> {
    let mut local = args.local.find("healing runs old and new tests on old and new code")?;
    if local.policy.heal.mode == HealMode::Off {
        return Err(Problem::usage("the policy switches healing off (`heal = \"off\"`)"));
    }
    if let Some(command) = args.test_command.as_ref().filter(|c| !c.is_empty()) {
        local.policy.run.command.clone_from(command);
    }
    let commit = |name: &str, rev: &str| {
        local.git.resolve(rev).ok_or_else(|| Problem::usage(format!("{name} {rev} is no commit of the repository")))
    };
    let head = match &args.facts.head {
        Some(rev) => commit("--head", rev)?,
        None => local.head(notes)?,
    };
    let base = args.base.as_ref().filter(|b| !b.is_empty()).map(|rev| commit("--base", rev)).transpose()?;
    let RepoContext { git, top, policy } = local;
    Ok(RepoHealer {
        files: git.files_at(&head),
        repeat: args.repeat.unwrap_or(policy.heal.repeat),
        seconds: None,
        runner: runner(args)?,
        insisted: None,
        only: args.only.clone(),
        git,
        top,
        policy,
        head,
        base,
    })
}

fn runner(args: &HealArgs) -> Result<Option<Runner>, Problem> {
    let Some(name) = args.runner.as_ref().filter(|r| !r.is_empty()) else { return Ok(None) };
    let known: Vec<&str> = Runner::ALL.iter().map(|r| r.name()).collect();
    recognise_by_name(name).map(Some).ok_or_else(|| {
        Problem::usage(format!("--runner {name} is not known")).hint(format!("known are {}", known.join(", ")))
    })
}

/// Judges the reports; without any, nothing has failed that is known.
fn judge(
    args: &HealArgs,
    patterns: &[String],
    ward: &RepoHealer,
    notes: &mut Vec<String>,
) -> Result<TriageResult, Problem> {
    let runs = files::read_reports(Path::new("."), patterns, &|_| {})?;
    let store = args.local.store(notes)?;
    Ok(pipeline::triage(TriageInput {
        runs,
        facts: args.facts.facts(Some(&ward.git), None),
        default_branch: None,
        exchanges: &[],
        described: Vec::new(),
        incidents: Vec::new(),
        now: args.local.now(),
        store: store.as_ref().map(|s| s as &dyn HistoryStore),
        repository: Some(&ward.git),
        record_to: None,
    }))
}
