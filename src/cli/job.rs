//! What a triage works with: gathers it from options, environment and forge,
//! and takes it down the line.

mod converge;
mod deliver;
mod feedback;
mod generate;
mod heal;
mod model_review;
mod output;
mod request;
mod similar_failures;

pub(super) use self::output::TriageReport;
pub(super) use self::request::{Evaluated, RequestedWork};

use std::cell::RefCell;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::adapters::actions_env::ActionsEnv;
use crate::adapters::git::Git;
use crate::adapters::github::client::Connection;
use crate::adapters::github::{GitHub, read_or_note};
use crate::adapters::store::sqlite::SqliteStore;
use crate::adapters::{files, progress, system};
use crate::cli::{ForgeArgs, ForgeChoice, TriageArgs};
use crate::code::openapi;
use crate::diagnose::incident::Incident;
use crate::diagnose::verdict::Evidence;
use crate::error::Problem;
use crate::history::RerunResult;
use crate::history::feedback::Feedback;
use crate::ingest::traffic::masking::Masker;
use crate::investigate::model_session::ModelContext;
use crate::model::change::Commit;
use crate::model::exchange::Exchange;
use crate::model::forge::{RunContext, Trigger};
use crate::model::run::{RunFacts, TestRun};
use crate::model::test::TestId;
use crate::model::time::Timestamp;
use crate::pipeline::{self, TriageInput, TriageResult};
use crate::plan::action::{Plan, Precondition};
use crate::plan::policy::{self, Policy};
use crate::plan::pr_diff::FileDiff;
use crate::plan::snapshot::BotIssue;
use crate::ports::{HistoryStore, Repository};
use crate::report::json::Origin;

/// What a triage works with.
pub(super) struct TriageRun {
    git: Option<Git>,
    scene: Option<RunContext>,
    forge: Option<GitHub>,
    policy: Policy,
    /// Where the history is kept.
    history: Option<PathBuf>,
    /// A copy of it for a dry run, which learns without writing.
    scratch: Option<tempfile::TempDir>,
    facts: RunFacts,
    runs: Vec<TestRun>,
    /// HTTP traffic of the tests.
    exchanges: Vec<Exchange>,
    /// What running single tests again brought to light.
    heard: Vec<(TestId, Evidence)>,
    /// Tests that were run again after a wait.
    retried: Vec<RerunResult>,
    now: Timestamp,
    notes: Vec<String>,
    /// Why nothing may be written, whatever is asked: trouble of our own.
    forbidden: Option<String>,
    /// What the pull request changes.
    diff: Option<Vec<FileDiff>>,
    /// Where its branch left its base.
    merge_base: Option<String>,
    /// Issues of ours, as they were read to hear what people said.
    issues: RefCell<Option<Vec<BotIssue>>>,
    /// What people said, where the forge told it.
    words: Option<Vec<Feedback>>,
    /// Whether it learns from earlier runs although nothing failed.
    learns: bool,
    /// What a person asks for in a comment.
    asked: Option<RequestedWork>,
    /// What must hold besides before anything is written.
    guards: Vec<Precondition>,
    /// A model that thinks along, and what it came to.
    round: Option<ModelContext>,
    told: model_review::Told,
}

impl TriageRun {
    pub(super) fn prepare(args: &TriageArgs, around: Option<&ActionsEnv>) -> Result<Self, Problem> {
        let history = args.history.path()?;
        if !args.repo.is_dir() {
            return Err(Problem::usage(format!("--repo {} is not a folder", args.repo.display())));
        }
        let mut job = Self {
            git: Git::find(&args.repo),
            scene: None,
            forge: None,
            policy: Policy::default(),
            history,
            scratch: None,
            facts: RunFacts::default(),
            runs: Vec::new(),
            exchanges: Vec::new(),
            heard: Vec::new(),
            retried: Vec::new(),
            now: args.now.unwrap_or_else(system::now),
            notes: Vec::new(),
            forbidden: None,
            diff: None,
            merge_base: None,
            issues: RefCell::default(),
            words: None,
            learns: false,
            asked: None,
            guards: Vec::new(),
            round: None,
            told: model_review::Told::default(),
        };
        let event = around.map(|a| &a.event.occasion);
        let leg = args.facts.variant.clone().filter(|v| !v.is_empty());
        job.scene = around.and_then(|a| a.scene(leg));
        job.facts = args.facts.facts(job.git.as_ref(), job.scene.as_ref());
        if let Some(scene) = &mut job.scene {
            scene.head = job.facts.commit.clone().unwrap_or_default();
            scene.branch = job.facts.branch.clone().unwrap_or_default();
            scene.commit_at = scene.commit_at.or_else(|| job.git.as_ref().and_then(|git| git.commit_at(&scene.head)));
        }
        job.forge = match (&job.scene, around) {
            (Some(scene), Some(around)) => connect(&args.forge, around, scene)?,
            _ => None,
        };
        if job.forge.is_none() && around.is_some() && args.forge.forge != ForgeChoice::None {
            let why = "there is no token: judged without earlier runs of this repository, nothing is written to GitHub; pass `github-token: ${{ github.token }}` (GITHUB_TOKEN)";
            // Who only wants to judge a report in some step needs none.
            if args.apply {
                job.forbidden = Some(why.to_owned());
            } else {
                job.notes.push(why.to_owned());
            }
        }
        if args.plan.is_some() && job.scene.is_none() {
            job.notes.push("no plan is written to a file: what it would be for is known only in a workflow".to_owned());
        }
        job.complete_scene(event);
        job.read_policy(&args.forge, &args.repo);
        job.read_reports(args)?;
        job.read_traffic(args)?;
        Ok(job)
    }

    /// What the event did not tell: the default branch, the pull request of a
    /// run that ended.
    fn complete_scene(&mut self, event: Option<&Trigger>) {
        let (Some(scene), Some(forge)) = (&mut self.scene, &mut self.forge) else { return };
        if scene.pull.is_some() {
            forge.spare_commits();
        }
        if scene.default_branch.is_empty() {
            let read = read_or_note(forge, "the default branch", GitHub::default_branch);
            scene.default_branch = read.unwrap_or_else(|| "main".to_owned());
        }
        if let Some(Trigger::WorkflowRun(ended)) = event
            && ended.event.starts_with("pull_request")
        {
            let owner = ended.head_repository.as_ref().map_or_else(|| scene.repository.owner(), |slug| slug.owner());
            let found = forge.pull_at(owner, &ended.head_branch, &ended.head_sha);
            match found {
                Ok(Some(pull)) => scene.pull = Some(pull),
                Ok(None) => {
                    self.forbidden = Some(
                        "nothing is written to GitHub: no open pull request has the commit of that run at its head"
                            .to_owned(),
                    );
                }
                Err(trouble) => {
                    let why = format!(
                        "nothing is written to GitHub: the pull request of that run could not be read: {trouble}"
                    );
                    self.forbidden = Some(why);
                }
            }
        }
    }

    /// The policy: from the file that was named, else from the default branch,
    /// never from what a pull request brings along. With a policy that cannot be
    /// read nothing is written: what it forbids is not known.
    fn read_policy(&mut self, args: &ForgeArgs, repo: &Path) {
        let text = if let Some(path) = &args.config {
            files::read_text(path).map(Some).map_err(|p| pipeline::chain(&p))
        } else if let (Some(forge), Some(scene)) = (&self.forge, &self.scene) {
            forge.file(policy::PATH, &scene.default_branch).map_err(|trouble| trouble.to_string())
        } else {
            let path = repo.join(policy::PATH);
            if path.is_file() { files::read_text(&path).map(Some).map_err(|p| pipeline::chain(&p)) } else { Ok(None) }
        };
        let name = args.config.as_ref().map_or(policy::PATH.to_owned(), |path| path.display().to_string());
        let read = text.and_then(|text| {
            text.map_or(Ok(Policy::default()), |text| Policy::parse(&text).map_err(|e| e.to_string()))
        });
        match read {
            Ok(policy) => self.policy = policy,
            Err(why) => self.forbidden = Some(format!("nothing is written to GitHub: the policy {name}: {why}")),
        }
    }

    fn read_reports(&mut self, args: &TriageArgs) -> Result<(), Problem> {
        let patterns: Vec<String> =
            args.junit.iter().map(|p| p.trim()).filter(|p| !p.is_empty()).map(str::to_owned).collect();
        if patterns.is_empty() {
            return self.fetch_reports();
        }
        let bar = progress::bar(files::total_size(Path::new(""), &patterns), "reading", true);
        self.runs = files::read_reports(Path::new(""), &patterns, &|bytes| bar.inc(bytes))?;
        bar.finish_and_clear();
        self.name_legs();
        Ok(())
    }

    fn read_traffic(&mut self, args: &TriageArgs) -> Result<(), Problem> {
        for traffic in files::read_traffic(Path::new(""), &args.traffic, &mut Masker::new(false))? {
            for issue in &traffic.issues {
                self.notes.push(format!("{}, {}: {}", traffic.path, issue.place, issue.message));
            }
            self.exchanges.extend(traffic.exchanges);
        }
        Ok(())
    }

    /// Incidents that the repository tells of, where something failed or was asked.
    fn incidents(&mut self) -> Vec<Incident> {
        let quiet = self.exchanges.is_empty() && !self.runs.iter().any(|run| !run.cases.is_empty());
        if quiet {
            return Vec::new();
        }
        let mut found = Vec::new();
        if let Some((top, files)) = self.git.as_ref().and_then(|git| Some((git.top()?, git.files()))) {
            let read = |path: &str| files::read_text(&top.join(path)).ok();
            found = super::incidents(&self.policy, &files, &read, &mut self.notes);
        }
        found.extend(self.told_incidents());
        found
    }

    /// Incidents that issues tell of: what a pull request's run may ask is counted, so
    /// there only where its traffic can tell whether one is alike.
    fn told_incidents(&mut self) -> Vec<Incident> {
        let label = &self.policy.incidents.label;
        let is_default = self.scene.as_ref().is_some_and(RunContext::is_default_branch);
        let wanted = !label.is_empty() && (is_default || !self.exchanges.is_empty());
        let Some(forge) = self.forge.as_ref().filter(|_| wanted) else { return Vec::new() };
        forge.incidents(label).unwrap_or_else(|trouble| {
            // Evidence more or less: nothing that was asked for is missing without it, and
            // what keeps everything from working is told once.
            if self.forbidden.is_some() || forge.is_hampered() {
                return Vec::new();
            }
            self.notes.push(format!(
                "incidents that issues tell of are not known: {trouble}; `incidents.label = \"\"` asks for none"
            ));
            Vec::new()
        })
    }

    /// What the API descriptions of the repository promise, where there is traffic.
    fn described(&self) -> Vec<openapi::Operation> {
        let Some(git) = self.git.as_ref().filter(|_| !self.exchanges.is_empty()) else { return Vec::new() };
        let Some(top) = git.top() else { return Vec::new() };
        let files = git.files();
        let descriptions = files.iter().filter(|file| openapi::is_description(file)).take(20);
        let texts = descriptions.filter_map(|file| files::read_text(&top.join(file)).ok());
        texts.flat_map(|text| openapi::read(&text)).collect()
    }

    /// Takes in what was recorded beside the reports.
    pub(super) fn add_traffic(&mut self, exchanges: Vec<Exchange>) {
        self.exchanges.extend(exchanges);
    }

    /// Takes in what running tests again brought to light.
    pub(super) fn add_retries(
        &mut self,
        heard: Vec<(TestId, Evidence)>,
        retried: Vec<RerunResult>,
        notes: Vec<String>,
    ) {
        self.heard.extend(heard);
        self.retried.extend(retried);
        self.notes.extend(notes);
    }

    /// Reports in the folders of downloaded artifacts belong to the legs that the
    /// artifacts name, as those of earlier runs do.
    fn name_legs(&mut self) {
        if self.forge.is_none() {
            return;
        }
        for run in &mut self.runs {
            let named =
                run.path.split(['/', '\\', '!']).rev().skip(1).find_map(|part| self.policy.history.leg(part)?.variant);
            run.variant = run.variant.take().or(named);
        }
    }

    /// The reports of the run that ended, where its end woke us.
    fn fetch_reports(&mut self) -> Result<(), Problem> {
        let nothing = || {
            Problem::usage("no reports are named")
                .hint("pass them with --junit, for example --junit 'reports/**/*.xml'; in a workflow: `junit: reports/**/*.xml`")
        };
        let (Some(scene), Some(forge)) = (&self.scene, &self.forge) else { return Err(nothing()) };
        let own = system::variable("GITHUB_RUN_ID").and_then(|id| id.parse::<u64>().ok());
        let Some(run) = scene.run.filter(|run| Some(*run) != own) else { return Err(nothing()) };
        (self.runs, self.exchanges) = forge
            .reports_of(run, &self.policy.history)
            .map_err(|trouble| Problem::failed(format!("the reports of run {run} cannot be had")).because(trouble))?;
        if self.runs.is_empty() {
            return Err(Problem::failed(format!("run {run} left no artifact with reports"))
                .hint(format!("`history.artifacts` names them: {}", self.policy.history.artifacts.join(", "))));
        }
        Ok(())
    }

    /// Goes down the line. In a workflow that `heals` tests are repaired.
    pub(super) fn run(mut self, args: &TriageArgs, heals: Option<&ActionsEnv>) -> TriageReport {
        let loud = self.learns || self.runs.iter().any(|run| !run.cases.is_empty());
        let mut store = self.open_store(args.apply);
        if loud {
            self.learn_earlier(&mut store);
        }
        let mut triage = self.judge(store.as_ref());
        self.keep_words(store.as_mut().filter(|_| args.apply));
        self.think(&mut triage, &args.model, args.explain_data);
        self.record(&mut triage, args.apply, store.as_mut());
        let mut annotations = Vec::new();
        self.read_change(triage.found.bad() > 0);
        let repairs = self.heal(&triage, heals);
        self.tell_thinking(&triage, &repairs);
        pipeline::add_heal_evidence(&mut triage, repairs);
        self.generate(&mut triage, heals, store.as_ref());
        let base = self.base(args);
        if self.forge.is_none() && self.scene.is_some() {
            annotations = self.annotations(&triage, args);
        }
        if self.forge.is_some() && self.scene.is_some() {
            let recorded = std::mem::take(&mut triage.plan);
            annotations = self.converge(&mut triage, args, store, loud);
            let decided = std::mem::replace(&mut triage.plan, recorded);
            triage.plan.extend(decided);
        }
        triage.hampered |= self.forbidden.is_some() || self.forge.as_ref().is_some_and(GitHub::is_hampered);
        let mut notes: Vec<String> = self.forbidden.take().into_iter().chain(std::mem::take(&mut self.notes)).collect();
        if let Some(forge) = &self.forge {
            let more = forge.take_notes();
            // A cause that keeps everything from working is told once.
            notes.extend(more.into_iter().filter(|note| {
                let cause = note.split(": ").skip(1).collect::<Vec<_>>().join(": ");
                cause.is_empty() || !triage.notes.iter().any(|n| n.ends_with(&cause))
            }));
        }
        triage.notes.splice(0..0, notes);
        let repository = self.scene.as_ref().map(|s| s.repository.to_string());
        TriageReport {
            origin: Origin {
                repository: repository.or_else(|| system::variable("GITHUB_REPOSITORY")),
                base,
                pull: self.scene.as_ref().and_then(|s| s.pull.as_ref()).map(|p| p.number),
            },
            triage,
            annotations,
            calls: self.forge.as_ref().map_or(0, GitHub::calls),
            scene: self.scene,
        }
    }

    /// The history: itself where it will be written, a copy where a dry run
    /// wants to learn from the forge, itself for reading otherwise.
    fn open_store(&mut self, apply: bool) -> Option<SqliteStore> {
        let path = self.history.clone()?;
        self.try_open(&path, apply).unwrap_or_else(|problem| {
            self.notes.push(format!("judged without history: {}", pipeline::chain(&problem)));
            self.notes.extend(problem.hints.iter().cloned());
            None
        })
    }

    fn try_open(&mut self, path: &Path, apply: bool) -> Result<Option<SqliteStore>, Problem> {
        if self.forge.is_none() {
            return SqliteStore::open_existing(path);
        }
        if apply {
            return SqliteStore::open(path).map(Some);
        }
        let folder = tempfile::tempdir().map_err(|e| Problem::failed("no temporary folder can be made").because(e))?;
        let copy = folder.path().join("history.db");
        if let Some(store) = SqliteStore::open_existing(path)? {
            store.copy_to(&copy)?;
        }
        self.scratch = Some(folder);
        SqliteStore::open(&copy).map(Some)
    }

    /// Learns from the artifacts of earlier runs what the history does not hold yet.
    fn learn_earlier(&mut self, store: &mut Option<SqliteStore>) {
        let (Some(forge), Some(scene), Some(store)) = (&self.forge, &self.scene, store.as_mut()) else { return };
        let known = store.artifacts().unwrap_or_else(|problem| {
            self.notes.push(pipeline::chain(&problem));
            HashSet::new()
        });
        let mut failed = 0;
        for earlier in forge.earlier(scene, &self.policy.history, &known) {
            let at = earlier.facts.at.unwrap_or(self.now);
            let learned = pipeline::import(earlier.read(), &earlier.facts, store).map(|_| ());
            failed += usize::from(learned.is_err());
            if let Err(problem) = store.remember_artifact(earlier.artifact, at) {
                self.notes.push(pipeline::chain(&problem));
            }
        }
        if failed > 0 {
            self.notes.push(format!("nothing could be learned from {failed} artifacts of earlier runs"));
        }
    }

    fn judge(&mut self, store: Option<&SqliteStore>) -> TriageResult {
        let incidents = self.incidents();
        let both = Both { git: self.git.as_ref(), forge: self.forge.as_ref() };
        let mut triage = pipeline::triage(TriageInput {
            runs: std::mem::take(&mut self.runs),
            facts: self.facts.clone(),
            default_branch: self.scene.as_ref().map(|s| s.default_branch.clone()).filter(|b| !b.is_empty()),
            exchanges: &self.exchanges,
            described: self.described(),
            incidents,
            now: self.now,
            store: store.map(|s| s as &dyn HistoryStore),
            repository: Some(&both),
            record_to: self.history.as_ref().map(|p| p.display().to_string()),
        });
        triage.retried = std::mem::take(&mut self.retried);
        pipeline::add_rerun_evidence(&mut triage.found, &self.heard);
        pipeline::apply_policy(&mut triage.found, &self.policy);
        self.hear_people(&mut triage, store);
        triage
    }

    /// Has each write ask what must hold besides.
    fn guarded(&self, mut plan: Plan) -> Plan {
        plan.require(&self.guards);
        plan
    }

    fn record(&mut self, triage: &mut TriageResult, apply: bool, store: Option<&mut SqliteStore>) {
        let Some(path) = self.history.as_ref().filter(|_| apply && !triage.plan.actions.is_empty()) else { return };
        match store {
            Some(store) if self.scratch.is_none() => pipeline::apply_record(triage, store),
            _ => match SqliteStore::open(path) {
                Ok(mut store) => pipeline::apply_record(triage, &mut store),
                Err(problem) => pipeline::fail_record(triage, &problem),
            },
        }
    }

    /// What the pull request changes, where its review or its base needs it.
    fn read_change(&mut self, bad: bool) {
        let (Some(forge), Some(scene)) = (&self.forge, &self.scene) else { return };
        let Some(pull) = scene.pull.as_ref().filter(|_| bad && self.policy.review.enabled) else { return };
        let read = read_or_note(forge, "the diff of the pull request", |f| f.change(pull, &scene.head));
        if let Some((diff, merge_base)) = read {
            self.diff = Some(diff);
            self.merge_base = merge_base;
        }
    }

    /// The commit to compare with.
    fn base(&self, args: &TriageArgs) -> Option<String> {
        if let Some(base) = args.base.clone().filter(|b| !b.is_empty()) {
            return Some(base);
        }
        let pull = self.scene.as_ref()?.pull.as_ref()?;
        let head = &self.scene.as_ref()?.head;
        let local = self.git.as_ref().and_then(|git| git.merge_base(&pull.base_sha, head));
        local.or_else(|| self.merge_base.clone()).or_else(|| Some(pull.base_sha.clone()))
    }
}

/// Connects to GitHub, where that is wanted and possible.
pub(super) fn connect(args: &ForgeArgs, around: &ActionsEnv, scene: &RunContext) -> Result<Option<GitHub>, Problem> {
    if args.forge == ForgeChoice::None || (args.forge == ForgeChoice::Auto && around.token.is_none()) {
        return Ok(None);
    }
    if !(0.0..=60.0).contains(&args.write_interval) {
        return Err(Problem::usage("--write-interval takes seconds from 0 to 60"));
    }
    let connection = Connection {
        api: around.api.clone(),
        token: around.token.clone(),
        write_gap: Duration::from_secs_f64(args.write_interval),
    };
    let mut unique = [0_u8; 4];
    let _ = getrandom::fill(&mut unique);
    let holder = format!("run {}.{} {}", scene.run.unwrap_or(0), around.attempt, u32::from_be_bytes(unique));
    let bot = args.bot.clone().filter(|b| !b.is_empty());
    GitHub::new(connection, scene.repository.clone(), &scene.server, bot, holder).map(Some)
}

/// The repository on disk, and where it knows too little (a shallow clone), the forge.
struct Both<'a> {
    git: Option<&'a Git>,
    forge: Option<&'a GitHub>,
}

impl Repository for Both<'_> {
    fn commits(&self, good: &str, bad: &str) -> Option<Vec<Commit>> {
        let local = self.git.and_then(|git| git.commits(good, bad));
        local.or_else(|| self.forge.and_then(|forge| forge.commits(good, bad)))
    }
}
