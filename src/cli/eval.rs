//! `testmedic eval`: judges cases with a known truth, by the rules and by a model beside
//! them.

mod heals;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde::Deserialize;

use crate::adapters::repo_tools::RepoTools;
use crate::adapters::store::sqlite::SqliteStore;
use crate::adapters::system::print;
use crate::adapters::{files, progress, secret_env, shutdown};
use crate::agent::analyzer;
use crate::cli::model_setup;
use crate::cli::think::ModelArgs;
use crate::diagnose::verdict::{ModelOpinion, Verdict};
use crate::error::{Problem, exit};
use crate::ingest::traffic::{self, masking::Masker};
use crate::investigate::model_session::{Clock, ModelContext, NoSharedBudget, SessionInput, SessionOutcome, read};
use crate::model::change::{Commit, FileChange};
use crate::model::exchange::Exchange;
use crate::model::run::{RunFacts, TestRun};
use crate::model::text::Untrusted;
use crate::model::time::Timestamp;
use crate::pipeline::{self, TriageInput, TriageResult};
use crate::plan::policy::{Model, Policy};
use crate::ports::{ChatModel, HistoryStore, Repository};
use crate::report::evaluation::{self, Cost, EvalRow};

/// Options of `eval`.
#[derive(Clone, Debug, Args)]
pub struct EvalArgs {
    /// A folder of cases (TOML): failures with a known `truth`, and worlds whose tests are
    /// run and healed
    pub folder: PathBuf,
    /// A policy whose `[model]` judges beside the rules
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Write the figures as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Keep the model's answers, to run the same again without it
    #[arg(long, value_name = "FILE", conflicts_with = "model_replay")]
    pub model_record: Option<PathBuf>,
    /// Take the model's answers from such a file; nobody is asked
    #[arg(long, value_name = "FILE")]
    pub model_replay: Option<PathBuf>,
}

/// A case, as its file tells it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What a person knows to be true.
    truth: Verdict,
    /// Why, for people.
    #[serde(default)]
    #[expect(dead_code, reason = "for who reads the file")]
    about: String,
    /// Earlier runs of the default branch, a letter each, oldest first: `P` passed, `F`
    /// failed like now, `S` failed otherwise, `O` all tests failed, `X` the test was not
    /// there; a point repeats the commit of the run before.
    #[serde(default)]
    past: String,
    /// What the failure says: its message, and below that its detail.
    failure: String,
    /// The source file of the test.
    #[serde(default = "test_file")]
    file: String,
    /// Other tests, which pass.
    #[serde(default = "twelve")]
    others: usize,
    /// What the test printed.
    #[serde(default)]
    output: String,
    /// Recorded exchanges, a line each.
    #[serde(default)]
    traffic: String,
    /// Commits between the last good run and this one, newest first.
    #[serde(default)]
    commit: Vec<CommitOf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CommitOf {
    subject: String,
    #[serde(default)]
    file: Vec<FileOf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileOf {
    path: String,
    #[serde(default)]
    removed: Vec<String>,
    #[serde(default)]
    added: Vec<String>,
}

fn twelve() -> usize {
    12
}

fn test_file() -> String {
    "tests/test_app.py".to_owned()
}

/// The name of the test that fails in each case.
const TEST: &str = "test_it";

/// A repository of which the commits between two runs are told.
struct Told(Vec<Commit>);

impl Repository for Told {
    fn commits(&self, _: &str, _: &str) -> Option<Vec<Commit>> {
        Some(self.0.clone())
    }
}

pub(super) fn eval(args: &EvalArgs) -> Result<u8, Problem> {
    // Tests may be run: before anything else their eyes are closed.
    secret_env::scrub_and_reexec()?;
    let policy = match &args.config {
        Some(path) => Policy::parse(&files::read_text(path)?)
            .map_err(|e| Problem::usage(format!("{} is no policy", path.display())).because(e))?,
        None => Policy::default(),
    };
    let has_model = !policy.model.url.is_empty() || args.model_replay.is_some();
    let own = ModelArgs {
        model_record: args.model_record.clone(),
        model_replay: args.model_replay.clone(),
        ..ModelArgs::default()
    };
    let mind = if has_model { Some(model_setup::mind(&policy.model, &own)?) } else { None };
    // Each case has a run's budget of its own.
    let mut cost = Cost::default();
    let clock = progress::clock();
    let pattern = args.folder.join("**/*.toml").display().to_string();
    let mut paths = files::matching(Path::new(""), &[pattern]);
    paths.sort();
    let mut all = Vec::new();
    let mut healed = Vec::new();
    for path in &paths {
        let text = files::read_text(path)?;
        let name = path.strip_prefix(&args.folder).unwrap_or(path).with_extension("").display().to_string();
        let wrong = |e| Problem::usage(format!("{} is no case", path.display())).because(e);
        let begin = || mind.as_ref().map(|mind| apart(mind, &policy.model));
        if toml::from_str::<toml::Table>(&text).is_ok_and(|table| table.contains_key("files")) {
            let world: heals::HealScenario = toml::from_str(&text).map_err(wrong)?;
            healed.extend(heals::judge(&name, &world, &policy, &begin)?);
            continue;
        }
        let case: Case = toml::from_str(&text).map_err(wrong)?;
        let round = begin();
        let judged = judge(&name, &case, round.as_ref())?;
        if let Some(why) = &judged.unheard {
            print(&format!("{name}: the model was not heard: {why}\n"))?;
        }
        let spent = round.as_ref().map(ModelContext::spent).unwrap_or_default();
        (cost.asks, cost.micros) = (cost.asks + spent.asks, cost.micros.saturating_add(spent.micros));
        cost.tokens += spent.tokens;
        all.push(judged);
    }
    if all.is_empty() && healed.is_empty() {
        return Err(Problem::usage(format!("{} holds no case (*.toml)", args.folder.display())));
    }
    cost.seconds = clock();
    if let Some(path) = &args.json {
        let mut figures = evaluation::json(&all, cost);
        if !healed.is_empty() {
            figures["heals"] = evaluation::heals_json(&healed);
        }
        files::write(path, &(figures.to_string() + "\n"))?;
    }
    print(&if all.is_empty() { "# Evaluation\n".to_owned() } else { evaluation::markdown(&all, cost) })?;
    if !healed.is_empty() {
        print(&evaluation::heals(&healed))?;
    }
    Ok(exit::DONE)
}

/// A round of its own: one case costs what it costs alone.
fn apart(mind: &Arc<dyn ChatModel>, model: &Model) -> ModelContext {
    let outside = (Box::new(|| 0.0) as Clock, shutdown::requested as fn() -> bool);
    let terms = (model.terms(), model.bounds());
    ModelContext::new(Arc::clone(mind), terms, Box::new(NoSharedBudget), Box::new(|_| ()), outside)
}

fn judge(name: &str, case: &Case, beside: Option<&ModelContext>) -> Result<EvalRow, Problem> {
    let folder = tempfile::tempdir().map_err(|e| Problem::failed("no temporary folder can be made").because(e))?;
    let mut store = SqliteStore::open(&folder.path().join("history.db"))?;
    let after = remember(case, folder.path(), &mut store)?;
    let commits = case.commit.iter().enumerate().map(|(at, own)| commit(at, own)).collect::<Vec<_>>();
    let exchanges = traffic::read("traffic", case.traffic.as_bytes(), &mut Masker::new(false)).exchanges;
    let runs = reports(case, 'F', folder.path())?;
    let facts = facts(after, 999);
    let at = facts.at;
    let triage = pipeline::triage(TriageInput {
        runs,
        facts,
        default_branch: Some("main".to_owned()),
        exchanges: &exchanges,
        described: Vec::new(),
        incidents: Vec::new(),
        now: at.unwrap_or_else(|| Timestamp::from_unix(0)),
        store: Some(&store as &dyn HistoryStore),
        repository: Some(&Told(commits.clone())),
        record_to: None,
    });
    let Some(diagnosis) = triage.found.diagnoses.first() else {
        return Err(Problem::failed(format!("{name}: nothing of it fails")));
    };
    let rules = diagnosis.verdict;
    let mut judged =
        EvalRow { case: name.to_owned(), truth: case.truth, rules, with_model: None, dropped: 0, unheard: None };
    let Some(round) = beside else { return Ok(judged) };
    let mut told = diagnosis.clone();
    if rules == Verdict::Undecided {
        match opinion(name, &triage, &exchanges, commits, round) {
            SessionOutcome::Concluded(opinion) => {
                judged.dropped = opinion.dropped;
                told.apply_model_opinion(&opinion);
            }
            SessionOutcome::Broken(why) => judged.unheard = Some(why),
            SessionOutcome::Nothing(_) => {}
        }
    }
    judged.with_model = Some(told.reading.map_or(told.verdict, |reading| reading.verdict));
    Ok(judged)
}

fn opinion(
    name: &str,
    triage: &TriageResult,
    exchanges: &[Exchange],
    commits: Vec<Commit>,
    round: &ModelContext,
) -> SessionOutcome<ModelOpinion> {
    let Some(diagnosis) = triage.found.diagnoses.first() else { return SessionOutcome::Nothing(String::new()) };
    let brief = analyzer::brief(&triage.found, diagnosis, exchanges);
    let desk = RepoTools::new(None, "", commits);
    read(round, &SessionInput { id: name, brief: &brief, desk: &desk })
}

/// Tells the history of the earlier runs; gives the number of the next commit.
fn remember(case: &Case, folder: &Path, store: &mut SqliteStore) -> Result<u32, Problem> {
    let (mut number, mut day) = (0, 0);
    for letter in case.past.chars() {
        if letter == '.' {
            number = u32::checked_sub(number, 1)
                .ok_or_else(|| Problem::usage("a point in `past` comes behind a run, whose commit it repeats"))?;
            continue;
        }
        (number, day) = (number + 1, day + 1);
        let runs = reports(case, letter, folder)?;
        let _ = pipeline::import(runs, &facts(number, day), store)?;
    }
    Ok(number + 1)
}

/// Facts of the run of a day, of a commit.
fn facts(commit: u32, day: u32) -> RunFacts {
    RunFacts {
        commit: Some(format!("{commit:040x}")),
        branch: Some("main".to_owned()),
        at: Some(Timestamp::from_unix(1_767_225_600 + i64::from(day) * 86_400)),
        run: Some(day.to_string()),
        attempt: 1,
        variant: None,
    }
}

fn commit(at: usize, own: &CommitOf) -> Commit {
    let file = |file: &FileOf| FileChange {
        path: file.path.clone(),
        removed: file.removed.clone(),
        added: file.added.clone(),
        ..FileChange::default()
    };
    Commit {
        sha: format!("{:040x}", 0xc0_ffee_usize + at),
        at: Timestamp::from_unix(1_767_225_600),
        author: Untrusted::new("Ann"),
        subject: Untrusted::new(own.subject.as_str()),
        files: own.file.iter().map(file).collect(),
    }
}

/// The report of one run, through the same reader as any other.
fn reports(case: &Case, letter: char, folder: &Path) -> Result<Vec<TestRun>, Problem> {
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    let one = |name: &str, failure: Option<&str>, output: &str| {
        let inner = failure.map_or_else(String::new, |text| {
            let message = escaped(text.lines().next().unwrap_or(""));
            let output =
                if output.is_empty() { String::new() } else { format!("<system-out>{}</system-out>", escaped(output)) };
            format!("<failure message=\"{message}\">{}</failure>{output}", escaped(text))
        });
        let file = escaped(&case.file);
        format!(
            "<testcase classname=\"tests.test_app\" name=\"{name}\" file=\"{file}\" time=\"0.01\">{inner}</testcase>"
        )
    };
    let outage = "ConnectionRefusedError: [Errno 111] Connection refused";
    let all_fail = (letter == 'O').then_some(outage);
    let mut cases: String = (0..case.others).map(|n| one(&format!("test_other_{n}"), all_fail, "")).collect();
    match letter {
        'P' => cases.push_str(&one(TEST, None, "")),
        'F' => cases.push_str(&one(TEST, Some(&case.failure), &case.output)),
        'S' => cases.push_str(&one(TEST, Some("ValueError: something else entirely"), "")),
        'O' => cases.push_str(&one(TEST, all_fail, "")),
        'X' => {}
        other => return Err(Problem::usage(format!("`{other}` is no letter of `past`: P, F, S, O, X or a point"))),
    }
    let path = folder.join("report.xml");
    files::write(&path, &format!("<testsuites><testsuite name=\"pytest\">{cases}</testsuite></testsuites>"))?;
    files::read_reports(Path::new(""), &[path.display().to_string()], &|_| {})
}
