//! `testmedic demo`: a small HTTP API with a pytest suite, its git history made
//! anew on this machine, and the reports of its real test runs. Imports the
//! past, judges the present, prints the report.
//!
//! `fixtures/demo/record.py` wrote the bundle.

mod live;
mod thought;

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use zip::ZipArchive;

use crate::adapters::fixture_repo;
use crate::adapters::git::Git;
use crate::adapters::heal::RepoHealer;
use crate::adapters::store::sqlite::SqliteStore;
use crate::adapters::system::print;
use crate::adapters::{files, progress, secret_env, system};
use crate::error::{Problem, exit};
use crate::history::manifest;
use crate::model::run::RunFacts;
use crate::model::time::Timestamp;
use crate::pipeline::{self, TriageInput};
use crate::plan::action::Person;
use crate::plan::planner::Repairs;
use crate::plan::planner::repairs::drafts;
use crate::plan::policy::Policy;
use crate::ports::{HistoryStore, Repository};
use crate::report::heal;
use crate::report::json::{Origin, report};
use crate::report::terminal::RenderOptions;
use crate::report::{plural, summary, terminal};

/// The API's history, as `git fast-export` writes it.
const REPOSITORY: &[u8] = include_bytes!("../../../fixtures/demo/repository.fi");
/// The reports of its runs, and their manifest.
const RUNS: &[u8] = include_bytes!("../../../fixtures/demo/runs.zip");

/// Runs the demo in `dir`, or in a new temporary folder.
///
/// # Errors
/// Where the folder cannot be written.
pub fn run(dir: Option<&Path>, colour: bool) -> Result<u8, Problem> {
    secret_env::scrub_and_reexec()?;
    let folder = folder(dir)?;
    let runs = folder.join("runs");
    let made = fixture_repo::repository(&folder.join("shop"), REPOSITORY);
    unpack(&runs)?;
    let history = folder.join("history.db");
    let mut store = SqliteStore::open(&history)?;
    let imported = import(&runs, &mut store)?;
    let shop = folder.join("shop");
    print(&format!(
        "A small HTTP API with a pytest suite, and what its CI wrote:\n  repository  {}\n  reports     {}\n  history     {}, {} imported\n\n",
        made.as_ref().map_or_else(
            || "not made: git is not installed, so no suspects".to_owned(),
            |_| shop.display().to_string()
        ),
        runs.display(),
        history.display(),
        plural(imported, "run"),
    ))?;
    let present = runs.join("present.xml");
    let facts = RunFacts {
        commit: made.as_ref().and_then(Git::head),
        branch: Some("main".to_owned()),
        at: Some(Timestamp::from_unix(1_775_710_000)),
        run: Some("129".to_owned()),
        attempt: 1,
        variant: None,
    };
    let mut found = pipeline::triage(TriageInput {
        runs: files::read_reports(&folder, &[present.to_string_lossy().into_owned()], &|_| {})?,
        facts,
        default_branch: None,
        exchanges: &[],
        described: Vec::new(),
        incidents: Vec::new(),
        now: system::now(),
        store: Some(&store as &dyn HistoryStore),
        repository: made.as_ref().map(|g| g as &dyn Repository),
        record_to: Some(history.display().to_string()),
    });
    print(&terminal::render(&found, RenderOptions { colour, width: system::width() }))?;
    files::write(&folder.join("summary.md"), &summary::render(&found))?;
    let python = python();
    heal(made.as_ref(), &shop, &mut found, python.is_some())?;
    let json = serde_json::to_string_pretty(&report(&found, &Origin::default()))
        .map_err(|e| Problem::failed("cannot write the report as JSON").because(e))?;
    files::write(&folder.join("report.json"), &(json + "\n"))?;
    if let Some(python) = python.filter(|_| made.is_some()) {
        live::run(&folder.join("live"), python)?;
    }
    thought::run(&folder.join("thought"))?;
    print(&format!(
        "\nThe same as JSON and Markdown: {0}/report.json, {0}/summary.md\nLook into the past of a test:  testmedic history show test_user_has_email --history {0}/history.db\n",
        folder.display()
    ))?;
    Ok(exit::DONE)
}

/// A Python that has pytest.
fn python() -> Option<&'static str> {
    let has_pytest = |python: &&str| {
        let done =
            Command::new(python).args(["-c", "import pytest"]).stdin(Stdio::null()).stderr(Stdio::null()).status();
        done.is_ok_and(|s| s.success())
    };
    ["python3", "python"].into_iter().find(has_pytest)
}

/// Heals: the outdated test on a branch of its own, with its proof; the
/// regression is refused. Needs pytest, since tests are really run.
fn heal(made: Option<&Git>, shop: &Path, found: &mut pipeline::TriageResult, has_pytest: bool) -> Result<(), Problem> {
    print("\nHealing: tests are run on old and new code.\n\n")?;
    let Some(git) = made else {
        print("Not done: git is not installed.\n")?;
        return Ok(());
    };
    if !has_pytest {
        print("Not done: pytest is not installed (`pip install pytest`), and the example's tests are pytest's.\n")?;
        return Ok(());
    }
    let head = git.head().unwrap_or_default();
    let policy = Policy::default();
    let ward = RepoHealer {
        files: git.files_at(&head),
        git: git.clone(),
        top: shop.to_owned(),
        head: head.clone(),
        base: None,
        insisted: None,
        only: Vec::new(),
        runner: None,
        repeat: policy.heal.repeat,
        seconds: None,
        policy,
    };
    let healings = ward.heal_found(&found.found, None)?;
    print(&heal::render(&healings.all, &healings.notes, RenderOptions { colour: false, width: system::width() }))?;
    found.repairs = Repairs { all: healings.all, ..Repairs::default() };
    let author = Person { name: "testmedic".to_owned(), email: "testmedic@localhost".to_owned() };
    for draft in drafts(&found.repairs, &head).iter().filter(|draft| draft.open.is_none()) {
        let commits = draft.commits(&found.repairs.executable);
        if git.make_branch(&draft.branch, &head, &commits, &author).is_some() {
            print(&format!("\nThe repair is on a branch: git -C {} show {}\n", shop.display(), draft.branch))?;
        }
    }
    Ok(())
}

/// A folder to work in: the one given, which must be new or empty, or a temporary one that stays.
fn folder(dir: Option<&Path>) -> Result<PathBuf, Problem> {
    let Some(dir) = dir else {
        return tempfile::Builder::new()
            .prefix("testmedic-demo-")
            .tempdir()
            .map(tempfile::TempDir::keep)
            .map_err(|e| Problem::failed("cannot make a temporary folder").because(e).hint("pass one with --dir"));
    };
    let occupied = dir.read_dir().is_ok_and(|mut entries| entries.next().is_some());
    if occupied {
        return Err(
            Problem::usage(format!("{} is not empty", dir.display())).hint("pass a folder that does not exist yet")
        );
    }
    std::fs::create_dir_all(dir)
        .and_then(|()| dir.canonicalize())
        .map_err(|e| Problem::failed(format!("cannot make {}", dir.display())).because(e))
}

fn unpack(into: &Path) -> Result<(), Problem> {
    let attempt = || -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        std::fs::create_dir_all(into)?;
        ZipArchive::new(Cursor::new(RUNS))?.extract(into)?;
        Ok(())
    };
    attempt().map_err(|e| Problem::failed(format!("cannot write into {}", into.display())).because(e))
}

fn import(runs: &Path, store: &mut SqliteStore) -> Result<u64, Problem> {
    let text = files::read_text(&runs.join("manifest.jsonl"))?;
    let entries = manifest::parse(&text).map_err(|e| Problem::failed("the bundled manifest is broken").because(e))?;
    let bar = progress::bar(entries.len() as u64, "importing", false);
    let mut imported = 0;
    for entry in &entries {
        let reports = files::read_reports(runs, &entry.reports, &|_| {})?;
        imported += pipeline::import(reports, &entry.facts(), store)?.new as u64;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(imported)
}

/// Shows a command of ours and what it prints.
fn command(folder: &Path, words: &[&str]) -> Result<(), Problem> {
    let failed = |e: std::io::Error| Problem::failed("the demo cannot start itself").because(e);
    print(&format!("\n$ testmedic {}\n", words.join(" ")))?;
    let done = Command::new(std::env::current_exe().map_err(failed)?)
        .args(words)
        .args(["--color", "never"].iter().filter(|_| !words.contains(&"--")))
        .current_dir(folder)
        .env_remove("TESTMEDIC_HISTORY")
        .env("NO_COLOR", "1")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("TESTMEDIC_FORGE", "none")
        .stdin(Stdio::null())
        .output()
        .map_err(failed)?;
    print(&String::from_utf8_lossy(&done.stdout))?;
    print(&String::from_utf8_lossy(&done.stderr))
}
