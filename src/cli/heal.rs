//! `testmedic heal`.

use std::path::Path;

use crate::agent::healer::healing::Outcome;
use crate::cli::HealArgs;
use crate::error::{Problem, exit};
use crate::model::heal::HealMode;
use crate::model::run::IssueLevel;
use crate::plan::planner::Repairs;
use crate::ports::Store;
use crate::report::heal;
use crate::report::json::{Origin, report};
use crate::report::terminal::Look;
use crate::run::{self, Inputs, Triage};
use crate::shell::git::Git;
use crate::shell::runner::{Runner, recognise_by_name};
use crate::shell::store::sqlite::SqliteStore;
use crate::shell::surroundings::say;
use crate::shell::ward::{Healings, Ward};
use crate::shell::{files, shield, surroundings};

pub(super) fn heal(args: &HealArgs, colour: bool) -> Result<u8, Problem> {
    shield::raise()?;
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
    let mut done = if patterns.is_empty() { ward.heal_named()? } else { ward.heal_found(&triage.found)? };
    if done.all.is_empty() && !args.only.is_empty() && triage.found.bad() > 0 {
        return Err(Problem::usage(format!(
            "no failing test of the reports has {} in its name",
            args.only.join(" or ")
        )));
    }
    done.notes.splice(0..0, notes);
    run::hear(&mut triage, Repairs { all: done.all.clone(), ..Repairs::default() });
    show(args, &triage, &done, colour)?;
    let in_vain = !done.all.is_empty() && done.all.iter().all(|h| matches!(h.healing.outcome, Outcome::GaveUp(_)));
    let unreadable = !patterns.is_empty() && triage.found.is_incomplete();
    Ok(if in_vain || unreadable { exit::COULD_NOT } else { exit::DONE })
}

fn ward(args: &HealArgs, notes: &mut Vec<String>) -> Result<Ward, Problem> {
    let git = Git::find(&args.repo).ok_or_else(|| {
        Problem::usage(format!("{} is no git repository", args.repo.display()))
            .hint("healing runs old and new tests on old and new code; name the repository with --repo")
    })?;
    let top = git.top().ok_or_else(|| Problem::usage("the repository has no checkout"))?;
    let mut policy = super::local_policy(&top, args.config.as_deref())?;
    if policy.heal.mode == HealMode::Off {
        return Err(Problem::usage("the policy switches healing off (`heal = \"off\"`)"));
    }
    if let Some(command) = args.test_command.as_ref().filter(|c| !c.is_empty()) {
        policy.run.command.clone_from(command);
    }
    let commit = |name: &str, rev: &str| {
        git.resolve(rev).ok_or_else(|| Problem::usage(format!("{name} {rev} is no commit of the repository")))
    };
    let head = match &args.facts.head {
        Some(rev) => commit("--head", rev)?,
        None => match git.with_changes() {
            Some(changed) => {
                notes.push("changes that are not committed count as part of the tested code".to_owned());
                changed
            }
            None => git.head().ok_or_else(|| Problem::usage("the repository has no commit"))?,
        },
    };
    let base = args.base.as_ref().filter(|b| !b.is_empty()).map(|rev| commit("--base", rev)).transpose()?;
    Ok(Ward {
        files: git.files_at(&head),
        repeat: args.repeat.unwrap_or(policy.heal.repeat),
        seconds: None,
        runner: runner(args)?,
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
fn judge(args: &HealArgs, patterns: &[String], ward: &Ward, notes: &mut Vec<String>) -> Result<Triage, Problem> {
    let runs = files::read_reports(Path::new("."), patterns, &|_| {})?;
    let opened = args.history.path()?.map(|p| SqliteStore::open_existing(&p)).transpose();
    let store = opened.unwrap_or_else(|problem| {
        notes.push(format!("judged without history: {}", run::chain(&problem)));
        None
    });
    let store = store.flatten();
    Ok(run::triage(Inputs {
        runs,
        facts: args.facts.facts(Some(&ward.git), None),
        default_branch: None,
        exchanges: &[],
        described: Vec::new(),
        incidents: Vec::new(),
        now: args.now.unwrap_or_else(surroundings::now),
        store: store.as_ref().map(|s| s as &dyn Store),
        repository: Some(&ward.git),
        record_to: None,
    }))
}

fn show(args: &HealArgs, triage: &Triage, done: &Healings, colour: bool) -> Result<(), Problem> {
    let on_stdout = |path: &Option<std::path::PathBuf>| path.as_deref() == Some(Path::new("-"));
    if !on_stdout(&args.json) && !on_stdout(&args.patch) {
        let look = Look { colour, width: surroundings::width() };
        say(&heal::render(&done.all, &done.notes, look))?;
    }
    if let Some(path) = &args.patch {
        write(path, &done.patch())?;
    }
    if let Some(path) = &args.json {
        let origin = Origin { repository: None, base: done.base.clone(), pull: None };
        let text = serde_json::to_string_pretty(&report(triage, &origin))
            .map_err(|e| Problem::failed("cannot write the report as JSON").because(e))?;
        write(path, &(text + "\n"))?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), Problem> {
    if path == Path::new("-") { say(text) } else { files::write(path, text) }
}
