//! `testmedic triage`.

use std::path::Path;

use crate::cli::TriageArgs;
use crate::error::Problem;
use crate::ports::{Repository, Store};
use crate::report::json::{Origin, report};
use crate::report::terminal::Look;
use crate::report::{exit_code, summary, terminal};
use crate::run::{self, Inputs, Triage};
use crate::shell::git::Git;
use crate::shell::store::sqlite::SqliteStore;
use crate::shell::surroundings::say;
use crate::shell::{files, progress, surroundings};

/// Reads, judges, records if asked, reports.
pub(super) fn triage(args: &TriageArgs, colour: bool) -> Result<u8, Problem> {
    let history = args.history.path()?;
    let patterns: Vec<String> = args.junit.iter().filter(|p| !p.trim().is_empty()).cloned().collect();
    if patterns.is_empty() {
        return Err(Problem::usage("no reports are named")
            .hint("pass them with --junit, for example --junit 'reports/**/*.xml'"));
    }
    if !args.repo.is_dir() {
        return Err(Problem::usage(format!("--repo {} is not a folder", args.repo.display())));
    }
    let git = Git::find(&args.repo);
    let facts = args.facts.facts(git.as_ref());
    let bar = progress::bar(files::total_size(Path::new(""), &patterns), "reading", true);
    let runs = files::read_reports(Path::new(""), &patterns, &|bytes| bar.inc(bytes))?;
    bar.finish_and_clear();
    let mut notes = Vec::new();
    let store = match history.as_deref().map(SqliteStore::open_existing) {
        Some(Ok(store)) => store,
        Some(Err(problem)) => {
            notes.push(format!("judged without history: {}", run::chain(&problem)));
            notes.extend(problem.hints.iter().cloned());
            None
        }
        None => None,
    };
    let mut found = run::triage(Inputs {
        runs,
        facts,
        now: args.now.unwrap_or_else(surroundings::now),
        store: store.as_ref().map(|s| s as &dyn Store),
        repository: git.as_ref().map(|g| g as &dyn Repository),
        record_to: history.as_ref().map(|p| p.display().to_string()),
    });
    found.notes.splice(0..0, notes);
    drop(store);
    if args.apply
        && let Some(path) = &history
        && !found.plan.actions.is_empty()
    {
        match SqliteStore::open(path) {
            Ok(mut store) => run::apply_record(&mut found, &mut store),
            Err(problem) => run::fail_record(&mut found, &problem),
        }
    }
    let json_to_stdout = args.json.as_deref() == Some(Path::new("-"));
    if !json_to_stdout {
        say(&terminal::render(&found, Look { colour, width: surroundings::width() }))?;
    }
    write_reports(args, &found)?;
    Ok(exit_code(&found, args.fail_on))
}

fn write_reports(args: &TriageArgs, found: &Triage) -> Result<(), Problem> {
    if let Some(path) = &args.json {
        let origin = Origin {
            repository: surroundings::variable("GITHUB_REPOSITORY"),
            base: args.base.clone().filter(|b| !b.is_empty()),
            pull: surroundings::variable("GITHUB_REF").as_deref().and_then(pull_number),
        };
        let text = serde_json::to_string_pretty(&report(found, &origin))
            .map_err(|e| Problem::failed("cannot write the report as JSON").because(e))?;
        write_or_say(path, &(text + "\n"))?;
    }
    if let Some(path) = &args.summary {
        write_or_say(path, &summary::render(found))?;
    }
    Ok(())
}

/// `-` is standard output.
fn write_or_say(path: &Path, text: &str) -> Result<(), Problem> {
    if path == Path::new("-") { say(text) } else { files::write(path, text) }
}

/// The number in `refs/pull/12/merge`.
fn pull_number(reference: &str) -> Option<u64> {
    reference.strip_prefix("refs/pull/")?.split('/').next()?.parse().ok()
}
