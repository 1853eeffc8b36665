//! The traits through which the pipeline uses the outside world. `adapters/` implements them.

use std::collections::{BTreeMap, HashMap};

use crate::error::Problem;
use crate::history::record::RunRecord;
use crate::history::{History, PastFailure, RerunResult};
use crate::model::change::Commit;
use crate::model::chat::{ChatRequest, ChatResponse, Embeddings};
use crate::model::exchange::Exchange;
use crate::model::execution::{Execution, Scope, TestSelector};
use crate::model::forge::{BotPullRequest, RunLink};
use crate::model::mutant::Mutant;
use crate::model::test::TestId;
use crate::model::time::Timestamp;
use crate::plan::action::Action;
use crate::plan::snapshot::{BotCheck, BotComment, BotIssue, CommentState, PullRequestState, RunState};
use crate::traffic::api_model::ApiModel;

/// What became of a run that was to be remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absorbed {
    /// It was new.
    Head,
    /// It was known already; nothing changed.
    Known,
}

/// Keeps the history.
pub trait HistoryStore {
    /// What is known about the tests of `present` that did not simply pass,
    /// without `present` itself and without runs later than it.
    ///
    /// # Errors
    /// Where the store cannot be read.
    fn history_for(&self, present: &[RunRecord<'_>]) -> Result<History, Problem>;

    /// What is known about `tests`, without `present` and without runs later than it.
    ///
    /// # Errors
    /// Where the store cannot be read.
    fn history_of(&self, tests: &[TestId], present: &[RunRecord<'_>]) -> Result<History, Problem>;

    /// The latest `limit` failures seen before or at `until`, so that clusters
    /// keep their ids.
    ///
    /// # Errors
    /// Where the store cannot be read.
    fn known_failures(&self, until: Timestamp, limit: usize) -> Result<Vec<PastFailure>, Problem>;

    /// The shapes of answers that are remembered.
    ///
    /// # Errors
    /// Where the store cannot be read.
    fn api_model(&self) -> Result<ApiModel, Problem>;

    /// Remembers the shapes of answers that one run saw.
    ///
    /// # Errors
    /// Where the store cannot be written.
    fn record_api_model(&mut self, seen: &ApiModel) -> Result<(), Problem>;

    /// The seconds after which tests passed when they were last run again after a wait.
    ///
    /// # Errors
    /// Where the store cannot be read.
    fn retry_waits(&self) -> Result<HashMap<TestId, f64>, Problem>;

    /// Remembers what became of tests that were run again after a wait.
    ///
    /// # Errors
    /// Where the store cannot be written.
    fn record_retries(&mut self, retried: &[RerunResult]) -> Result<(), Problem>;

    /// Remembers a run. The same run twice changes nothing.
    ///
    /// # Errors
    /// Where the store cannot be written.
    fn record_run(&mut self, learned: &RunRecord<'_>) -> Result<Absorbed, Problem>;
}

/// A repository's past.
pub trait Repository {
    /// The commits after `good` up to `bad`, newest first; `None` where the
    /// repository does not know both.
    fn commits(&self, good: &str, bad: &str) -> Option<Vec<Commit>>;
}

/// What went wrong with a request to the forge.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForgeError {
    /// It was refused, or could not be sent: nothing was changed. What
    /// happened, and what to do about it.
    #[error("{what}{}", hint.as_ref().map(|h| format!(" ({h})")).unwrap_or_default())]
    Refused {
        /// What happened.
        what: String,
        /// What to do.
        hint: Option<String>,
    },
    /// It is not there, or hidden from this token.
    #[error("{0}")]
    Missing(String),
    /// It was sent and no clear answer came back: it may have been carried out.
    #[error("{0}")]
    Unclear(String),
}

/// Whether a claim was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LockStatus {
    /// By us.
    Taken,
    /// Another writer has it.
    Held,
}

/// The forge, as the loop needs it that carries a plan out. Reads show only
/// objects whose author is us.
pub trait Forge {
    /// A pull request as it is now.
    ///
    /// # Errors
    /// [`ForgeError`], as for all functions here.
    fn pull(&self, number: u64) -> Result<PullRequestState, ForgeError>;

    /// All issues of ours.
    ///
    /// # Errors
    /// [`ForgeError`]
    fn issues(&self) -> Result<Vec<BotIssue>, ForgeError>;

    /// One issue of ours.
    ///
    /// # Errors
    /// [`ForgeError`]
    fn issue(&self, number: u64) -> Result<BotIssue, ForgeError>;

    /// Comments of ours on an issue or pull request.
    ///
    /// # Errors
    /// [`ForgeError`]
    fn comments(&self, on: u64) -> Result<Vec<BotComment>, ForgeError>;

    /// Review comments of ours on a pull request.
    ///
    /// # Errors
    /// [`ForgeError`]
    fn review_comments(&self, pull: u64) -> Result<Vec<BotComment>, ForgeError>;

    /// Our latest check run of this name beside a commit.
    ///
    /// # Errors
    /// [`ForgeError`]
    fn check(&self, head: &str, name: &str) -> Result<Option<BotCheck>, ForgeError>;

    /// The commit at a branch, if there is one of that name.
    ///
    /// # Errors
    /// [`ForgeError`]
    fn branch(&self, name: &str) -> Result<Option<String>, ForgeError>;

    /// A text file at a revision, if there is one.
    ///
    /// # Errors
    /// [`ForgeError`]
    fn text_at(&self, path: &str, revision: &str) -> Result<Option<String>, ForgeError>;

    /// Names and commits of the branches whose names begin like this.
    ///
    /// # Errors
    /// [`ForgeError`]
    fn branches_like(&self, begin: &str) -> Result<Vec<(String, String)>, ForgeError>;

    /// The pull requests from branches of ours into a branch, open or not, the
    /// latest first.
    ///
    /// # Errors
    /// [`ForgeError`]
    fn pulls_into(&self, base: &str) -> Result<Vec<BotPullRequest>, ForgeError>;

    /// The latest run of a workflow on a branch.
    ///
    /// # Errors
    /// [`ForgeError`]
    fn latest_run(&self, workflow: &str, branch: &str) -> Result<Option<RunLink>, ForgeError>;

    /// A comment of somebody, if it is there.
    ///
    /// # Errors
    /// [`ForgeError`]
    fn comment(&self, id: u64) -> Result<Option<CommentState>, ForgeError>;

    /// How far a workflow run is.
    ///
    /// # Errors
    /// [`ForgeError`]
    fn run(&self, id: u64) -> Result<RunState, ForgeError>;

    /// Carries one action out; gives its web page.
    ///
    /// # Errors
    /// [`ForgeError`]
    fn write(&mut self, action: &Action) -> Result<Option<String>, ForgeError>;

    /// Takes the right to write to what `name` stands for, against all other
    /// writers, until [`Forge::unlock`] or until a few minutes have passed.
    ///
    /// # Errors
    /// [`ForgeError`]
    fn lock(&mut self, name: &str) -> Result<LockStatus, ForgeError>;

    /// Gives the right back.
    fn unlock(&mut self, name: &str);

    /// Waits a little, longer with each `round`.
    fn pause(&self, round: u32);
}

/// Which code a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revision {
    /// Before the change.
    Base,
    /// After it.
    New,
}

/// A place where tests are run, as the healer needs it.
pub trait TestRunner {
    /// Whether the code before the change is known.
    fn has_old(&self) -> bool;

    /// Runs a test (or all of its file) on one of the two codes, with `overlay`
    /// (path and text) in the place of what is checked out.
    ///
    /// # Errors
    /// Where nothing could be run.
    fn run(
        &mut self,
        code: Revision,
        target: &TestSelector,
        extent: Scope,
        overlay: &[(String, String)],
    ) -> Result<Execution, Problem>;

    /// Runs a test on the new code with the switch by which its framework brings
    /// snapshots up to date; gives the texts of the files that it changed, and
    /// leaves none of them changed. Nothing where the runner has no such switch.
    ///
    /// # Errors
    /// Where nothing could be run.
    fn update(&mut self, target: &TestSelector, overlay: &[(String, String)])
    -> Result<Vec<(String, String)>, Problem>;
}

/// How written tests are run.
#[derive(Clone, Copy, Debug)]
pub enum RunOrder<'a> {
    /// As they stand in their files.
    InOrder,
    /// So many times, each time in another order, which the first number begins.
    Shuffled(u64, u32),
    /// One of them, by the name that recorders give it.
    Alone(&'a str),
}

/// What came of running written tests.
#[derive(Clone, Debug)]
pub struct GeneratedRun {
    /// How the tests ended.
    pub execution: Execution,
    /// What they sent, masked, by test in order.
    pub exchanges: Vec<Exchange>,
}

/// A place where written tests are run and their traffic is seen, as the generator
/// needs it.
pub trait GeneratedTestRunner {
    /// Runs the tests of `files` (path and text), which are laid over what is checked out.
    ///
    /// # Errors
    /// Where nothing could be run.
    fn run(&mut self, files: &[(String, String)], how: RunOrder<'_>) -> Result<GeneratedRun, Problem>;

    /// Runs the tests once for each mutant that is named for them (by the names that
    /// recorders give them). Tells which were noticed, by the same names in the same order.
    ///
    /// # Errors
    /// Where nothing could be run.
    fn noticed(&mut self, files: &[(String, String)], mutants: &Mutants) -> Result<Noticed, Problem>;
}

/// A model of language. Several sessions may ask it at once.
pub trait ChatModel: Send + Sync {
    /// Asks it.
    ///
    /// # Errors
    /// Where no answer came that can be read.
    fn complete(&self, ask: &ChatRequest) -> Result<ChatResponse, ModelError>;

    /// Has texts made into vectors, one for each.
    ///
    /// # Errors
    /// Where none came that can be read.
    fn embed(&self, model: &str, texts: &[String]) -> Result<Embeddings, ModelError>;
}

/// Why a model was not heard.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ModelError {
    /// What happened, for people.
    pub what: String,
    /// Whether the question may have been counted nevertheless.
    pub may_be_counted: bool,
    /// Whether another question would not be heard either.
    pub is_final: bool,
}

/// Where a session looks things up: the repository at the tested commit, and what is known
/// of earlier runs. What is not
/// there is an error: it is said to the model, and is no source of quotes.
pub trait ContextTools: Sync {
    /// Lines of a file, from 1.
    ///
    /// # Errors
    /// What is not there, as for all functions here.
    fn lines(&self, path: &str, from: usize, to: usize) -> Result<String, String>;
    /// Lines that hold a text.
    ///
    /// # Errors
    /// See [`ContextTools::lines`].
    fn search(&self, text: &str) -> Result<String, String>;
    /// Paths that begin like this.
    ///
    /// # Errors
    /// See [`ContextTools::lines`].
    fn files(&self, under: &str) -> Result<String, String>;
    /// What one of the suspected commits changed.
    ///
    /// # Errors
    /// See [`ContextTools::lines`].
    fn commit(&self, hash: &str) -> Result<String, String>;
    /// How a failing test ended in earlier runs.
    ///
    /// # Errors
    /// See [`ContextTools::lines`].
    fn history(&self, test: &str) -> Result<String, String>;
    /// Failures of the past that are told alike.
    ///
    /// # Errors
    /// See [`ContextTools::lines`].
    fn similar(&self, text: &str) -> Result<String, String>;
    /// What an endpoint was asked and answered.
    ///
    /// # Errors
    /// See [`ContextTools::lines`].
    fn exchanges(&self, endpoint: &str) -> Result<String, String>;
    /// Issues about failures.
    ///
    /// # Errors
    /// See [`ContextTools::lines`].
    fn issues(&self) -> Result<String, String>;
}

/// What several runs share: budgets, in millionths, and what was answered already. A job
/// that was cancelled goes on where it was, and nothing is paid for twice.
pub trait Ledger: Send {
    /// Puts something aside.
    ///
    /// # Errors
    /// Which budget it would break, for people.
    fn reserve(&mut self, micros: u64) -> Result<(), String>;
    /// Takes of what was put aside what was spent; the rest comes back.
    fn settle(&mut self, aside: u64, spent: u64);
    /// The answer to a question that was asked before, by the question's digest.
    fn known(&mut self, asked: &str) -> Option<ChatResponse>;
    /// Keeps an answer.
    fn keep(&mut self, asked: &str, reply: &ChatResponse);
    /// Forgets answers that had no sense.
    fn forget(&mut self, asked: &[String]);
    /// The vector that a model made of a text, by a key of it.
    fn vector(&mut self, model: &str, key: &str) -> Option<Vec<f32>>;
    /// Keeps vectors by their keys. Those of other models are forgotten.
    fn keep_vectors(&mut self, model: &str, vectors: &[(String, Vec<f32>)]);
}

/// Mutants by test.
pub type Mutants = BTreeMap<String, Vec<Mutant>>;
/// Which mutants were noticed, by test.
pub type Noticed = BTreeMap<String, Vec<bool>>;
