//! The command line. Options mean the same wherever they appear.

mod action;
mod apply;
mod eval;
mod generate;
mod guard;
mod heal;
mod history;
mod job;
mod local;
mod maintenance;
mod model_setup;
mod respond;
mod run;
pub mod think;
mod triage;

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::adapters::git::Git;
use crate::adapters::recorder::Upstream;
use crate::adapters::system;
use crate::diagnose::incident::Incident;
use crate::error::Problem;
use crate::model::forge::RunContext;
use crate::model::run::RunFacts;
use crate::model::time::Timestamp;
use crate::plan::policy::{self, Policy};

pub use self::local::LocalArgs;

/// The default place of the history.
pub const HISTORY: &str = ".testmedic/history.db";

/// Reads test results, finds out why tests failed, and says so with evidence.
#[derive(Debug, Parser)]
#[command(name = "testmedic", version, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// Colours in the output
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto, value_name = "WHEN")]
    pub color: Colour,
}

const EXIT_CODES: &str = "Exit codes: 0 done · 1 tests failed in the sense of --fail-on · 2 usage or configuration · \
3 could not do its job (for example a report that cannot be read) · 70 a bug of testmedic";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Read results, judge them against earlier runs, and say why tests failed
    Triage(Box<TriageArgs>),
    /// Execute the tests, record their HTTP traffic, then triage what came out
    #[command(
        after_help = "The command after `--` runs as it is; its output and its exit code are its own, unless --fail-on asks \
        for another. Traffic is seen by a pytest plug-in that the environment puts in: requests, httpx, urllib3 and the test \
        clients of Flask, FastAPI and Django. Secrets are masked before anything is kept."
    )]
    Run(Box<RunArgs>),
    /// Repair outdated tests, with proof; refuse to touch tests that found a bug
    #[command(
        after_help = "Nothing is changed but what --patch names: the repository stays as it is. Exits with 0 where every \
        failing test was judged (healed, to be asked about, or refused as a defect), with 3 where none could be."
    )]
    Heal(Box<HealArgs>),
    /// Write tests that are missing, with proof
    #[command(
        after_help = "What is missing is seen from the traffic that `testmedic run` recorded: fields that no test checks, \
        fields that are new, answers that no test asks for. Each test passes in order, shuffled and alone, and fails for \
        a mutant of the answer that it checks, or it is thrown away. Nothing is changed but what --patch or --apply names."
    )]
    Generate(Box<GenerateArgs>),
    /// Answer the commands in the comment that woke this workflow
    #[command(
        after_help = "Who may ask for what stands in the policy (`[commands]`). Without --apply nothing is written: the \
        answer is printed. `/help` in a comment lists the commands."
    )]
    Respond(Box<RespondArgs>),
    /// Execute a saved plan, admitting everything in it anew
    Apply(Box<ApplyArgs>),
    /// What action.yml calls: picks the command from the event and the inputs
    #[command(
        after_help = "Options are those of `triage`, with --apply, and besides them --strict (fail where testmedic \
        could not do its own job) and --plan-artifact NAME (begin of the names of artifacts that hold plans). Inputs of \
        the action come as INPUT_… variables; options on the command line win."
    )]
    Action(ActionWords),
    /// Earlier runs: import, show, export, prune
    #[command(subcommand)]
    History(HistoryCommand),
    /// Check a patch against the guards that no healed or generated test may break
    #[command(after_help = "Exits with 1 where a guard rejects the patch, and says why.")]
    Guard(GuardArgs),
    /// Runs one program within bounds; testmedic starts itself that way
    #[command(hide = true)]
    Supervise,
    /// The whole loop on a bundled example; needs nothing but this machine
    Demo(DemoArgs),
    /// Judge cases with a known truth, by the rules and by a model beside them
    Eval(eval::EvalArgs),
    /// Show what a model was shown, what it said, and what came of it
    Transcript(think::TranscriptArgs),
}

/// When to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Which history.
#[derive(Clone, Debug, Args)]
pub struct HistoryArg {
    /// The history: a SQLite file, or `none`
    #[arg(long, env = "TESTMEDIC_HISTORY", default_value = HISTORY, value_name = "SOURCE")]
    pub history: String,
}

impl HistoryArg {
    /// The file, or `None` where history is switched off.
    ///
    /// # Errors
    /// A kind of history that does not exist.
    pub fn path(&self) -> Result<Option<PathBuf>, Problem> {
        match self.history.as_str() {
            "none" => Ok(None),
            // A variable that a workflow sets to nothing is not set.
            "" => Ok(Some(PathBuf::from(HISTORY))),
            url if url.contains("://") => Err(Problem::usage("--history takes a file or `none`")
                .hint("histories on a server are not supported by this version")),
            path => Ok(Some(PathBuf::from(path))),
        }
    }
}

/// Facts about the present run.
#[derive(Clone, Debug, Args)]
pub struct FactArgs {
    /// Commit the tests ran on [default: $GITHUB_SHA, else HEAD of --repo]
    #[arg(long, visible_alias = "commit", value_name = "REV")]
    pub head: Option<String>,
    /// Branch they ran on [default: $GITHUB_HEAD_REF or $GITHUB_REF_NAME, else that of --repo]
    #[arg(long, value_name = "NAME")]
    pub branch: Option<String>,
    /// When they ran [default: now]
    #[arg(long, value_name = "RFC3339")]
    pub at: Option<Timestamp>,
    /// The CI system's number for the run [default: $GITHUB_RUN_ID]
    #[arg(long, value_name = "ID")]
    pub run: Option<String>,
    /// Which attempt of that run [default: $GITHUB_RUN_ATTEMPT, else 1]
    #[arg(long, value_name = "N")]
    pub attempt: Option<u32>,
    /// Matrix leg (job, system, version) the run belongs to
    #[arg(long, env = "TESTMEDIC_VARIANT", value_name = "NAME")]
    pub variant: Option<String>,
}

impl FactArgs {
    /// The facts as given, completed from environment and repository.
    #[must_use]
    pub fn facts(&self, repository: Option<&Git>, scene: Option<&RunContext>) -> RunFacts {
        let around = scene.map_or_else(system::facts, |scene| RunFacts {
            commit: Some(scene.head.clone()),
            branch: Some(scene.branch.clone()).filter(|b| !b.is_empty()),
            run: scene.run.map(|id| id.to_string()),
            attempt: scene.attempt,
            ..RunFacts::default()
        });
        // Names of revisions move; what is remembered must not.
        let given = self.head.clone().map(|head| {
            let is_hash = head.len() >= 7 && head.bytes().all(|b| b.is_ascii_hexdigit());
            if is_hash { head } else { repository.and_then(|git| git.resolve(&head)).unwrap_or(head) }
        });
        // Without a repository and without CI there is only one line of runs.
        let only_line = repository.is_none().then(|| "main".to_owned());
        RunFacts {
            commit: given.or(around.commit).or_else(|| repository.and_then(Git::head)),
            branch: self.branch.clone().or(around.branch).or_else(|| repository.and_then(Git::branch)).or(only_line),
            at: self.at,
            run: self.run.clone().or(around.run),
            attempt: self.attempt.unwrap_or(around.attempt.max(1)),
            variant: self.variant.clone().filter(|v| !v.is_empty()),
        }
    }
}

/// Options of `triage`.
#[derive(Clone, Debug, Args)]
pub struct TriageArgs {
    /// Reports: files, folders, globs, .xml, .xml.gz, .zip, or `-` for standard input (repeatable)
    #[arg(long, env = "TESTMEDIC_JUNIT", value_name = "GLOB", value_delimiter = '\n')]
    pub junit: Vec<String>,
    /// HTTP traffic of the tests: HAR files, VCR cassettes, recordings of `testmedic run` (repeatable)
    #[arg(long, env = "TESTMEDIC_TRAFFIC", value_name = "GLOB", value_delimiter = '\n')]
    pub traffic: Vec<String>,
    /// Facts about the run.
    #[command(flatten)]
    pub facts: FactArgs,
    /// The repository, for suspects
    #[arg(long, default_value = ".", value_name = "DIR")]
    pub repo: PathBuf,
    /// The base revision [default: where the pull request's branch left its base]
    #[arg(long, env = "TESTMEDIC_BASE", value_name = "REV")]
    pub base: Option<String>,
    /// Which history.
    #[command(flatten)]
    pub history: HistoryArg,
    /// How to reach the forge.
    #[command(flatten)]
    pub forge: ForgeArgs,
    /// Carry the plan out: remember this run, and write to GitHub where the policy allows it
    #[arg(long, env = "TESTMEDIC_APPLY", num_args = 0..=1, default_value_t = false, default_missing_value = "true", value_name = "BOOL")]
    pub apply: bool,
    /// Write the report as JSON; `-` prints it instead of the report for people
    #[arg(long, env = "TESTMEDIC_JSON", value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write the plan, for `testmedic apply`
    #[arg(long, env = "TESTMEDIC_PLAN", value_name = "FILE")]
    pub plan: Option<PathBuf>,
    /// Write the report as Markdown, with history strips and a plot
    #[arg(long, env = "TESTMEDIC_SUMMARY", value_name = "FILE")]
    pub summary: Option<PathBuf>,
    /// When to exit with 1
    #[arg(long, env = "TESTMEDIC_FAIL_ON", value_enum, default_value_t, value_name = "WHEN", hide_env_values = true)]
    pub fail_on: crate::report::FailOn,
    /// The moment that counts as now
    #[arg(long, value_name = "RFC3339")]
    pub now: Option<Timestamp>,
    /// How a model thinks along.
    #[command(flatten)]
    pub model: think::ModelArgs,
    /// Show all that would be sent to the model at first, and send nothing
    #[arg(long)]
    pub explain_data: bool,
}

/// Options of `respond`.
#[derive(Clone, Debug, Args)]
pub struct RespondArgs {
    /// What `triage` is told.
    #[command(flatten)]
    pub triage: TriageArgs,
    /// What of answering a comment this job does
    #[arg(long, env = "TESTMEDIC_PART", value_enum, default_value_t, value_name = "PART", hide_env_values = true)]
    pub part: JobPhase,
}

/// Parts of answering a comment. Where code of forks may be asked for, they are three jobs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum JobPhase {
    /// All of it; no code of a fork is run
    #[default]
    #[value(alias = "")]
    All,
    /// All that runs no code: who may ask for what is decided, and the rest handed over
    Admit,
    /// What was handed over, in a job that may only read; the plan is kept for another one
    Execute,
    /// Writes what that job planned, after admitting everything in it anew
    Publish,
}

/// Options of `heal`.
#[derive(Clone, Debug, Args)]
pub struct HealArgs {
    /// Reports with the failures: files, folders, globs, .xml, .xml.gz, .zip, or `-` (repeatable)
    #[arg(long, env = "TESTMEDIC_JUNIT", value_name = "GLOB", value_delimiter = '\n')]
    pub junit: Vec<String>,
    /// Only tests whose name holds this; without --junit, the test to repair (repeatable)
    #[arg(long, value_name = "TEST")]
    pub only: Vec<String>,
    /// Facts about the run.
    #[command(flatten)]
    pub facts: FactArgs,
    /// The repository, and what is known of it.
    #[command(flatten)]
    pub local: LocalArgs,
    /// The last good revision [default: as the history tells, else where the branch left its base]
    #[arg(long, env = "TESTMEDIC_BASE", value_name = "REV")]
    pub base: Option<String>,
    /// The test runner [default: recognised from the repository and the report]
    #[arg(long, env = "TESTMEDIC_RUNNER", value_name = "NAME")]
    pub runner: Option<String>,
    /// A command that runs tests; `{tests}` and `{junit}` are filled in
    #[arg(long, env = "TESTMEDIC_TEST_COMMAND", value_name = "CMD")]
    pub test_command: Option<String>,
    /// How often a repaired test must pass [default: `heal.repeat` of the policy, 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub repeat: Option<u32>,
    /// Write the repairs that are proven as a unified diff; `-` prints it
    #[arg(long, env = "TESTMEDIC_PATCH", value_name = "FILE")]
    pub patch: Option<PathBuf>,
    /// How a model thinks along.
    #[command(flatten)]
    pub model: think::ModelArgs,
}

/// Options of `generate`.
#[derive(Clone, Debug, Args)]
pub struct GenerateArgs {
    /// HTTP traffic of the tests: recordings of `testmedic run` (repeatable) [default: .testmedic/traffic.ndjson]
    #[arg(long, env = "TESTMEDIC_TRAFFIC", value_name = "GLOB", value_delimiter = '\n')]
    pub traffic: Vec<String>,
    /// Only endpoints that hold this, such as `GET /users` (repeatable)
    #[arg(long, value_name = "ENDPOINT")]
    pub only: Vec<String>,
    /// Only these recipes (repeatable) [default: `generate.recipes` of the policy, all of them]
    #[arg(long, value_name = "NAME")]
    pub recipe: Vec<String>,
    /// The repository, and what is known of it.
    #[command(flatten)]
    pub local: LocalArgs,
    /// How often a written test must pass shuffled [default: `generate.repeat` of the policy, 10]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub repeat: Option<u32>,
    /// Put the tests into the repository; `false` only shows them
    #[arg(long, env = "TESTMEDIC_APPLY", num_args = 0..=1, default_value_t = false, default_missing_value = "true", value_name = "BOOL")]
    pub apply: bool,
    /// Write the tests as a unified diff; `-` prints it
    #[arg(long, env = "TESTMEDIC_PATCH", value_name = "FILE")]
    pub patch: Option<PathBuf>,
}

/// How to reach the forge.
#[derive(Clone, Debug, Args)]
pub struct ForgeArgs {
    /// GitHub: `auto` is on in a workflow and off elsewhere
    #[arg(long, env = "TESTMEDIC_FORGE", value_enum, default_value_t, value_name = "WHICH", hide_env_values = true)]
    pub forge: ForgeChoice,
    /// The policy, from this file instead of .github/testmedic.toml on the default branch
    #[arg(long, env = "TESTMEDIC_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Login that the token writes as, where it is neither a workflow's own token nor a person's
    #[arg(long, env = "TESTMEDIC_BOT", value_name = "LOGIN")]
    pub bot: Option<String>,
    /// Seconds between two writes; GitHub asks for one
    #[arg(long, env = "TESTMEDIC_WRITE_INTERVAL", default_value_t = 1.0, value_name = "SECONDS")]
    pub write_interval: f64,
}

/// Which forge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ForgeChoice {
    /// GitHub inside of a workflow
    #[default]
    #[value(alias = "")]
    Auto,
    /// GitHub
    Github,
    /// None
    None,
}

/// Options of `apply`.
#[derive(Clone, Debug, Args)]
pub struct ApplyArgs {
    /// The plan, as `triage --plan` wrote it
    pub file: PathBuf,
    /// How to reach the forge.
    #[command(flatten)]
    pub forge: ForgeArgs,
    /// Only say what would be done
    #[arg(long)]
    pub dry_run: bool,
}

/// Arguments of `action`; most come from the inputs in the environment.
#[derive(Clone, Debug, Args)]
pub struct ActionWords {
    /// Options, over those from INPUT_… variables
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTION")]
    pub words: Vec<String>,
}

/// Options of `run`.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// What `triage` is told.
    #[command(flatten)]
    pub triage: TriageArgs,
    /// Where to write the recording
    #[arg(long, env = "TESTMEDIC_RECORD", default_value_os_t = run::default_record(), value_name = "FILE")]
    pub record: PathBuf,
    /// Run failed tests again where there is a reason to; `false` runs the suite once
    #[arg(long, env = "TESTMEDIC_RETRY", num_args = 0..=1, default_value_t = true, default_missing_value = "true", action = clap::ArgAction::Set, value_name = "BOOL")]
    pub retry: bool,
    /// A service that the tests ask, as `[VARIABLE=]URL`: a proxy stands before it, whose address VARIABLE (else BASE_URL) holds (repeatable)
    #[arg(long, env = "TESTMEDIC_UPSTREAM", value_name = "[VARIABLE=]URL", value_delimiter = '\n')]
    pub upstream: Vec<Upstream>,
    /// The command that runs the tests
    #[arg(last = true, required = true, value_name = "CMD")]
    pub command: Vec<String>,
}

/// Options of `action`: each is an input of the same name.
#[derive(Clone, Debug, Parser)]
#[command(name = "testmedic action", no_binary_name = true, args_override_self = true)]
pub struct ActionArgs {
    /// What `triage` is told.
    #[command(flatten)]
    pub triage: TriageArgs,
    /// Fail the job where testmedic could not do its own
    #[arg(long, env = "TESTMEDIC_STRICT", num_args = 0..=1, default_value_t = false, default_missing_value = "true", value_name = "BOOL")]
    pub strict: bool,
    /// Repair outdated tests where the policy says so; `false` leaves it to another job
    #[arg(long, env = "TESTMEDIC_HEAL", num_args = 0..=1, default_value_t = true, default_missing_value = "true", action = clap::ArgAction::Set, value_name = "BOOL")]
    pub heal: bool,
    /// What of answering a comment this job does
    #[arg(long, env = "TESTMEDIC_PART", value_enum, default_value_t, value_name = "PART", hide_env_values = true)]
    pub part: JobPhase,
    /// Begin of the names of artifacts that hold plans of other jobs
    #[arg(long, env = "TESTMEDIC_PLAN_ARTIFACT", default_value = "testmedic-plan", value_name = "NAME")]
    pub plan_artifact: String,
}

/// The commands of `history`.
#[derive(Debug, Subcommand)]
pub enum HistoryCommand {
    /// Remember earlier runs from their reports
    Import(Box<ImportArgs>),
    /// The timeline of a test
    Show(ShowArgs),
    /// All results as JSON lines
    Export(ExportArgs),
    /// Forget runs that are too old
    Prune(PruneArgs),
}

/// Options of `history import`.
#[derive(Clone, Debug, Args)]
pub struct ImportArgs {
    /// Reports of one run: files, folders, globs, .xml, .xml.gz, .zip, or `-` (repeatable)
    #[arg(long, value_name = "GLOB", required_unless_present = "manifest", conflicts_with = "manifest")]
    pub junit: Vec<String>,
    /// Commit the tests ran on
    #[arg(long, value_name = "SHA", required_unless_present = "manifest", conflicts_with = "manifest")]
    pub commit: Option<String>,
    /// Branch they ran on
    #[arg(long, value_name = "NAME", required_unless_present = "manifest", conflicts_with = "manifest")]
    pub branch: Option<String>,
    /// When they ran
    #[arg(long, value_name = "RFC3339", required_unless_present = "manifest", conflicts_with = "manifest")]
    pub at: Option<Timestamp>,
    /// The CI system's number for the run
    #[arg(long, value_name = "ID", conflicts_with = "manifest")]
    pub run: Option<String>,
    /// Which attempt of that run
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "manifest")]
    pub attempt: u32,
    /// Matrix leg
    #[arg(long, value_name = "NAME", conflicts_with = "manifest")]
    pub variant: Option<String>,
    /// JSON lines, one run each, with `reports` (globs), `commit`, `branch`, `at`, and if known `run`, `attempt`, `variant`
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
    /// Which history.
    #[command(flatten)]
    pub history: HistoryArg,
}

/// Options of `history show`.
#[derive(Clone, Debug, Args)]
pub struct ShowArgs {
    /// A test's id, name, `class.name`, or a part of it
    pub test: String,
    /// Which history.
    #[command(flatten)]
    pub history: HistoryArg,
    /// Results shown, the latest ones
    #[arg(long, default_value_t = 40, value_name = "N")]
    pub last: usize,
}

/// Options of `history export`.
#[derive(Clone, Debug, Args)]
pub struct ExportArgs {
    /// Where to write; `-` is standard output
    #[arg(default_value = "-")]
    pub file: String,
    /// Which history.
    #[command(flatten)]
    pub history: HistoryArg,
}

/// Options of `history prune`.
#[derive(Clone, Debug, Args)]
pub struct PruneArgs {
    /// Forget runs older than so many days
    #[arg(long, default_value_t = 180, value_name = "DAYS")]
    pub keep_days: u32,
    /// Which history.
    #[command(flatten)]
    pub history: HistoryArg,
    /// The moment that counts as now
    #[arg(long, value_name = "RFC3339")]
    pub now: Option<Timestamp>,
}

/// Options of `guard`.
#[derive(Clone, Debug, Args)]
pub struct GuardArgs {
    /// The patch: a unified diff, plain or as git writes it; `-` is standard input
    pub file: PathBuf,
    /// The repository that it changes
    #[arg(long, default_value = ".", value_name = "DIR")]
    pub repo: PathBuf,
    /// The policy, from this file instead of .github/testmedic.toml in the repository
    #[arg(long, env = "TESTMEDIC_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Write what was found as JSON; `-` prints it instead of the text for people
    #[arg(long, env = "TESTMEDIC_JSON", value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// Options of `demo`.
#[derive(Clone, Debug, Args)]
pub struct DemoArgs {
    /// Where to build the example [default: a new temporary folder, which is kept]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// The policy where there is no forge: from the file that was named, else from
/// the repository on disk.
fn local_policy(root: &Path, named: Option<&Path>) -> Result<Policy, Problem> {
    let path = named.map_or_else(|| root.join(policy::PATH), Path::to_owned);
    if named.is_none() && !path.is_file() {
        return Ok(Policy::default());
    }
    let text = crate::adapters::files::read_text(&path)?;
    Policy::parse(&text).map_err(|e| Problem::usage(format!("the policy {}: {e}", path.display())))
}

/// The incidents that files of the repository tell of; what is wrong with one is noted.
fn incidents(
    policy: &Policy,
    files: &[String],
    read: &dyn Fn(&str) -> Option<String>,
    notes: &mut Vec<String>,
) -> Vec<Incident> {
    const MOST: usize = 500;
    let globs = policy.incidents.files.iter().filter_map(|glob| globset::Glob::new(glob).ok());
    let wanted: Vec<globset::GlobMatcher> = globs.map(|glob| glob.compile_matcher()).collect();
    let mut found = Vec::new();
    for path in files.iter().filter(|path| wanted.iter().any(|glob| glob.is_match(path))).take(MOST) {
        match read(path).map(|text| Incident::parse(path, &text)) {
            Some(Ok(incident)) => found.push(incident),
            Some(Err(why)) => notes.push(format!("the incident {path} is left out: {why}")),
            None => notes.push(format!("the incident {path} cannot be read")),
        }
    }
    found
}

impl Cli {
    /// Does what was asked. Returns the exit code.
    ///
    /// # Errors
    /// What went wrong, for people.
    pub fn run(self) -> Result<u8, Problem> {
        let colour = match self.color {
            Colour::Auto => system::wants_colour(),
            Colour::Always => true,
            Colour::Never => false,
        };
        match self.command {
            Command::Triage(args) => triage::triage(&args, colour),
            Command::Respond(args) => respond::respond(&args),
            Command::Apply(args) => apply::apply(&args),
            Command::Action(args) => action::action(&args, colour),
            Command::History(HistoryCommand::Import(args)) => history::import(&args),
            Command::History(HistoryCommand::Show(args)) => history::show(&args, colour),
            Command::History(HistoryCommand::Export(args)) => history::export(&args),
            Command::History(HistoryCommand::Prune(args)) => history::prune(&args),
            Command::Run(args) => run::run(&args, colour),
            Command::Heal(args) => heal::heal(&args, colour),
            Command::Generate(args) => generate::generate(&args, colour),
            Command::Supervise => Ok(crate::adapters::process::supervise::supervise()),
            Command::Guard(args) => guard::guard(&args),
            Command::Eval(args) => eval::eval(&args),
            Command::Transcript(args) => think::transcript(&args),
            Command::Demo(args) => crate::adapters::demo::run(args.dir.as_deref(), colour),
        }
    }
}
