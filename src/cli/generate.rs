//! `testmedic generate`.

use std::path::{Path, PathBuf};

use crate::adapters::test_writer::{DraftRequest, TestWriter};
use crate::adapters::{files, secret_env};
use crate::agent::generator::{GenerationResult, Recipe};
use crate::cli::GenerateArgs;
use crate::cli::local::RepoContext;
use crate::error::{Problem, exit};
use crate::ingest::traffic::masking::Masker;
use crate::model::exchange::Exchange;
use crate::model::run::RunFacts;
use crate::pipeline::{self, TriageInput, TriageResult};
use crate::plan::policy::Policy;
use crate::ports::HistoryStore;
use crate::report::generate::render;
use crate::traffic::api_model::ApiModel;

/// Where `testmedic run` records.
const RECORDED: &str = ".testmedic/traffic.ndjson";

pub(super) fn generate(args: &GenerateArgs, colour: bool) -> Result<u8, Problem> {
    secret_env::scrub_and_reexec()?;
    let mut notes = Vec::new();
    let place = Place::find(args, &mut notes)?;
    let exchanges = traffic(args, &mut notes)?;
    let (triage, now) = place.judge(args, &exchanges, &mut notes)?;
    let read = |path: &str| place.author.read(path);
    let incidents = super::incidents(&place.policy, &place.author.files, &read, &mut notes);
    let wanted = place.author.drafts(DraftRequest {
        exchanges: &exchanges,
        templates: &triage.templates,
        known: &triage.memory,
        now: &now,
        incidents: &incidents,
        only: &args.only,
        recipes: &recipes(args, &place.policy)?,
    })?;
    let repeat = args.repeat.unwrap_or(place.policy.generate.repeat);
    let all = place.author.write(wanted.drafts, &triage.memory, (repeat, None), &mut notes)?;
    place.show(args, triage, &Done { all, notes, asked: wanted.asked, silent: wanted.silent }, colour)?;
    Ok(exit::DONE)
}

/// A repository, and what is allowed in it.
struct Place {
    author: TestWriter,
    top: PathBuf,
    policy: Policy,
    head: String,
}

/// What came of all runners.
#[derive(Debug)]
struct Done {
    all: GenerationResult,
    notes: Vec<String>,
    asked: usize,
    silent: Vec<String>,
}

fn traffic(args: &GenerateArgs, notes: &mut Vec<String>) -> Result<Vec<Exchange>, Problem> {
    let own = vec![args.local.repo.join(RECORDED).display().to_string()];
    let patterns = if args.traffic.iter().all(|p| p.trim().is_empty()) { &own } else { &args.traffic };
    let before = notes.len();
    let mut all = Vec::new();
    for traffic in files::read_traffic(Path::new(""), patterns, &mut Masker::new(false))? {
        notes.extend(traffic.issues.iter().map(|i| format!("{}, {}: {}", traffic.path, i.place, i.message)));
        all.extend(traffic.exchanges);
    }
    if let Some(why) = notes.get(before).filter(|_| all.is_empty()) {
        return Err(Problem::usage("there is no traffic to write tests from").hint(why.clone()));
    }
    if all.is_empty() {
        return Err(Problem::usage("there is no traffic to write tests from")
            .hint("record it with `testmedic run -- COMMAND OF THE TESTS`, or name recordings with --traffic"));
    }
    if !all.iter().any(|e| e.test.is_some()) {
        return Err(Problem::usage("the traffic does not say which tests sent it")
            .hint("tests are written like the test that sends a request: record with `testmedic run`"));
    }
    Ok(all)
}

impl Place {
    fn find(args: &GenerateArgs, notes: &mut Vec<String>) -> Result<Self, Problem> {
        let local = args.local.find("written tests are proven in a checkout beside the repository")?;
        let head = local.head(notes)?;
        let RepoContext { git, top, policy } = local;
        Ok(Self { author: TestWriter::new(git, top.clone(), policy.clone(), head.clone()), top, policy, head })
    }

    /// What is known of answers, and what this traffic tells of them.
    fn judge(
        &self,
        args: &GenerateArgs,
        exchanges: &[Exchange],
        notes: &mut Vec<String>,
    ) -> Result<(TriageResult, ApiModel), Problem> {
        let store = args.local.store(notes)?;
        let mut triage = pipeline::triage(TriageInput {
            runs: Vec::new(),
            facts: RunFacts { commit: Some(self.head.clone()), ..RunFacts::default() },
            default_branch: None,
            exchanges,
            described: self.author.described(),
            incidents: Vec::new(),
            now: args.local.now(),
            store: store.as_ref().map(|s| s as &dyn HistoryStore),
            repository: None,
            record_to: None,
        });
        let now = triage.memory.clone();
        if let Some(store) = &store {
            let mut known = store.api_model()?;
            known.merge(&triage.memory);
            triage.memory = known;
        }
        Ok((triage, now))
    }

    fn show(&self, args: &GenerateArgs, mut triage: TriageResult, done: &Done, colour: bool) -> Result<(), Problem> {
        if args.apply {
            files::write_beneath(
                &self.top,
                done.all.files.iter().map(|(path, _, text)| (path.as_str(), text.as_str())),
            )?;
        }
        triage.written = done.all.clone();
        let told = |look| render(&done.all, &done.notes, (done.asked, &done.silent), args.apply, look);
        args.local.show((&told, colour), (args.patch.as_deref(), &done.all.diff()), (&triage, None))
    }
}

fn recipes(args: &GenerateArgs, policy: &Policy) -> Result<Vec<Recipe>, Problem> {
    if args.recipe.is_empty() {
        return Ok(policy.generate.recipes.clone());
    }
    let find = |name: &String| {
        Recipe::ALL.into_iter().find(|r| r.word() == name).ok_or_else(|| {
            let known: Vec<&str> = Recipe::ALL.iter().map(|r| r.word()).collect();
            Problem::usage(format!("--recipe {name} is not known")).hint(format!("known are {}", known.join(", ")))
        })
    };
    args.recipe.iter().map(find).collect()
}
