//! `testmedic history …`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::adapters::store::sqlite::{ShownResult, SqliteStore, TestRecord};
use crate::adapters::system::print;
use crate::adapters::{files, progress, system};
use crate::cli::{ExportArgs, HistoryArg, ImportArgs, PruneArgs, ShowArgs};
use crate::error::{Problem, exit};
use crate::history::feedback::Feedback;
use crate::history::{manifest, short};
use crate::model::run::RunFacts;
use crate::model::test::Outcome;
use crate::model::time::Timestamp;
use crate::pipeline::{self, Imported};
use crate::render::terminal::line;
use crate::report::{grouped, plural};

fn path_of(arg: &HistoryArg) -> Result<PathBuf, Problem> {
    arg.path()?.ok_or_else(|| Problem::usage("`--history none` leaves nothing to work on"))
}

fn existing(arg: &HistoryArg) -> Result<SqliteStore, Problem> {
    let path = path_of(arg)?;
    SqliteStore::open_existing(&path)?.ok_or_else(|| {
        Problem::usage(format!("there is no history at {}", path.display()))
            .hint("import earlier runs with `testmedic history import`, or pass another file with --history")
    })
}

/// One run from flags, or many from a manifest.
pub(super) fn import(args: &ImportArgs) -> Result<u8, Problem> {
    let path = path_of(&args.history)?;
    let jobs = jobs(args)?;
    let mut store = SqliteStore::open(&path)?;
    let bar = progress::bar(jobs.len() as u64, "importing", false);
    let mut sum = Imported::default();
    let mut failed = Vec::new();
    for (base, reports, facts) in &jobs {
        let runs = files::read_reports(base, reports, &|_| {})?;
        match pipeline::import(runs, facts, &mut store) {
            Ok(one) => {
                sum.new += one.new;
                sum.known += one.known;
                sum.results += one.results;
                sum.unusable.extend(one.unusable);
            }
            Err(problem) => failed.push(format!("{}: {}", reports.join(", "), pipeline::chain(&problem))),
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    let mut out = format!(
        "imported {} with {} into {}",
        plural(sum.new as u64, "run"),
        plural(sum.results, "result"),
        path.display()
    );
    if sum.known > 0 {
        let _ = write!(
            out,
            "; {} known already",
            if sum.known == 1 { "1 was".to_owned() } else { format!("{} were", grouped(sum.known as u64)) }
        );
    }
    if jobs.is_empty() {
        out.push_str("; the manifest names none");
    }
    print(&(out + "\n"))?;
    let trouble = !failed.is_empty() || !sum.unusable.is_empty();
    for text in
        failed.iter().map(|t| ("not imported", t)).chain(sum.unusable.iter().map(|t| ("unreadable", t))).take(20)
    {
        print(&format!("{}  {}\n", text.0, line(text.1, 400)))?;
    }
    Ok(if trouble { exit::COULD_NOT } else { exit::DONE })
}

type Job = (PathBuf, Vec<String>, RunFacts);

fn jobs(args: &ImportArgs) -> Result<Vec<Job>, Problem> {
    let Some(path) = &args.manifest else {
        let facts = RunFacts {
            commit: args.commit.clone(),
            branch: args.branch.clone(),
            at: args.at,
            run: args.run.clone(),
            attempt: args.attempt,
            variant: args.variant.clone(),
        };
        return Ok(vec![(PathBuf::new(), args.junit.clone(), facts)]);
    };
    let text = files::read_text(path)?;
    let entries = manifest::parse(&text).map_err(|e| {
        Problem::usage(format!("the manifest {} cannot be read", path.display())).because(e).hint(
            "each line is like {\"reports\": [\"run-1/*.xml\"], \"commit\": \"1a2b3c\", \"branch\": \"main\", \"at\": \"2026-05-01T10:00:00Z\"}",
        )
    })?;
    let base = path.parent().unwrap_or(Path::new("")).to_owned();
    Ok(entries.into_iter().map(|e| (base.clone(), e.reports.clone(), e.facts())).collect())
}

/// The timeline of one test, or the names of those that match.
pub(super) fn show(args: &ShowArgs, colour: bool) -> Result<u8, Problem> {
    if args.test.trim().is_empty() {
        return Err(Problem::usage("no test is named").hint("use a part of its name, or its id from report.json"));
    }
    let store = existing(&args.history)?;
    let found = store.show(&args.test, 21)?;
    match found.as_slice() {
        [] => Err(Problem::usage(format!("no test matches `{}`", line(&args.test, 100)))
            .hint("use a part of its name, or its id from report.json")),
        few if few.len() <= 3 => {
            let words = store.words()?;
            let shown: Vec<String> = few.iter().map(|test| timeline(test, &words, args.last, colour)).collect();
            print(&shown.join("\n")).map(|()| exit::DONE)
        }
        many => {
            let number =
                if many.len() > 20 { "more than 20 tests".to_owned() } else { plural(many.len() as u64, "test") };
            let mut out = format!("{number} match; which one?\n");
            for test in many.iter().take(20) {
                let _ = writeln!(out, "  {}  {} {}", test.id, line(&test.class, 80), line(&test.name, 120));
            }
            print(&out).map(|()| exit::DONE)
        }
    }
}

fn timeline(test: &TestRecord, words: &[Feedback], last: usize, colour: bool) -> String {
    let mut out = format!("{} {}\n{}\n", line(&test.class, 100), line(&test.name, 160), test.id);
    if let Some(alias) = &test.alias {
        let _ = writeln!(out, "{}", line(alias, 200));
    }
    let id = test.id.to_string();
    for word in words.iter().filter(|word| word.about == id) {
        let _ = writeln!(out, "{} {} ({})", line(&word.by, 60), word.told.says(), word.at.date());
    }
    let ran = test.results.iter().filter(|r| r.outcome != Outcome::Skipped).count();
    let bad = test.results.iter().filter(|r| r.outcome.is_bad()).count();
    let flaky = test.results.iter().filter(|r| r.flaky).count();
    let _ = writeln!(out, "{}, {bad} failed, {flaky} flaky\n", plural(ran as u64, "run"));
    let hidden = test.results.len().saturating_sub(last);
    if hidden > 0 {
        let _ = writeln!(out, "  {} not shown (--last)", plural(hidden as u64, "earlier result"));
    }
    for result in test.results.iter().skip(hidden) {
        out.push_str(&row(result, colour));
    }
    out
}

fn row(result: &ShownResult, colour: bool) -> String {
    let word = if result.flaky { "flaky" } else { result.outcome.word() };
    let code = match (result.outcome, result.flaky) {
        _ if !colour => "",
        (Outcome::Passed, false) => "\u{1b}[32m",
        (Outcome::Passed, true) => "\u{1b}[33m",
        (Outcome::Skipped, _) => "\u{1b}[2m",
        _ => "\u{1b}[31m",
    };
    let reset = if colour { "\u{1b}[0m" } else { "" };
    let run = &result.run;
    let mut text =
        format!("  {}  {:9}  {code}{word:7}{reset}  {}", run.at.minute(), short(&run.commit), line(&run.branch, 30));
    if let Some(number) = &run.run {
        let _ = write!(
            text,
            "  run {}{}",
            line(number, 30),
            if run.attempt > 1 { format!(".{}", run.attempt) } else { String::new() }
        );
    }
    if let Some(variant) = &run.variant {
        let _ = write!(text, "  [{}]", line(variant, 40));
    }
    if run.gate.is_some() {
        text.push_str("  (run broken as a whole, not counted)");
    }
    if let Some(message) = &result.message {
        let _ = write!(text, "  {}", line(message, 80));
    }
    text.push('\n');
    text
}

#[derive(Serialize)]
struct ExportRow<'a> {
    id: String,
    suite: &'a str,
    classname: &'a str,
    name: &'a str,
    commit: &'a str,
    branch: &'a str,
    at: Timestamp,
    run: Option<&'a str>,
    attempt: u32,
    variant: Option<&'a str>,
    outcome: &'static str,
    flaky: bool,
    fingerprint: Option<&'a str>,
}

/// Every result as one JSON line.
pub(super) fn export(args: &ExportArgs) -> Result<u8, Problem> {
    use std::io::Write;
    let store = existing(&args.history)?;
    let mut out: Box<dyn Write> = if args.file == "-" {
        Box::new(std::io::stdout().lock())
    } else {
        Box::new(files::create(Path::new(&args.file))?)
    };
    let mut closed = false;
    store.export(|test| {
        for result in &test.results {
            if closed {
                return Ok(());
            }
            let row = ExportRow {
                id: test.id.to_string(),
                suite: &test.suite,
                classname: &test.class,
                name: &test.name,
                commit: &result.run.commit,
                branch: &result.run.branch,
                at: result.run.at,
                run: result.run.run.as_deref(),
                attempt: result.run.attempt,
                variant: result.run.variant.as_deref(),
                outcome: result.outcome.word(),
                flaky: result.flaky,
                fingerprint: result.fingerprint.as_deref(),
            };
            let text = serde_json::to_string(&row).map_err(|e| Problem::failed("cannot write JSON").because(e))?;
            match writeln!(out, "{text}") {
                Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => closed = true,
                Err(e) => {
                    return Err(Problem::failed(format!("cannot write {}", args.file)).because(e));
                }
                Ok(()) => {}
            }
        }
        Ok(())
    })?;
    Ok(exit::DONE)
}

/// Forgets what is too old.
pub(super) fn prune(args: &PruneArgs) -> Result<u8, Problem> {
    let mut store = existing(&args.history)?;
    let now = args.now.unwrap_or_else(system::now);
    let before = Timestamp::from_unix(now.unix() - i64::from(args.keep_days) * 86_400);
    let gone = store.prune(before)?;
    print(&format!("forgot {} from before {}\n", plural(gone as u64, "run"), before.date()))?;
    Ok(exit::DONE)
}
