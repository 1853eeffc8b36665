//! GitHub Actions as a workflow step sees it: variables, the event's payload,
//! step outputs, the job summary, workflow commands.
//!
//! Names and formats are those of docs.github.com, "Variables reference",
//! "Workflow commands for GitHub Actions" and "Contexts reference".

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::adapters::system::{print, variable};
use crate::error::Problem;
use crate::ingest::event;
use crate::model::forge::{CompletedRun, Event, PullRequestRef, RepoSlug, RunContext, TRUSTED_EVENTS, Trigger, Trust};
use crate::model::secret::Secret;
use crate::model::text::clean;
use crate::plan::action::Annotation;

/// Bytes of an event's payload that are read. GitHub sends 25 MB at most.
const EVENT: u64 = 32 << 20;
/// Bytes of a step's summary. GitHub drops the whole of one beyond 1 MiB.
pub const SUMMARY: usize = 1 << 20;
/// Errors, and warnings, that GitHub shows of one step.
const SHOWN: usize = 10;

/// What the environment tells.
#[derive(Clone, Debug)]
pub struct ActionsEnv {
    /// The event that woke the workflow.
    pub event: Event,
    /// Commit that was checked out.
    pub sha: Option<String>,
    /// Branch or tag.
    pub ref_name: Option<String>,
    /// Workflow file.
    pub workflow: Option<String>,
    /// Run id and attempt.
    pub run: Option<u64>,
    /// Attempt.
    pub attempt: u32,
    /// Web address.
    pub server: String,
    /// Address of the API.
    pub api: String,
    /// The token.
    pub token: Option<Secret>,
    /// Who triggered the run.
    pub actor: String,
    /// Whether the event's job has rights that the code it speaks of must not have
    /// (`pull_request_target`).
    pub is_privileged: bool,
    /// Name of the job and index in its matrix, to tell jobs apart.
    pub job: String,
    /// Key of the job in its workflow, as `jobs.KEY`.
    pub job_key: Option<String>,
}

impl ActionsEnv {
    /// Reads the environment; `None` outside of GitHub Actions.
    ///
    /// # Errors
    /// Where the event's payload is named and cannot be read.
    pub fn read() -> Result<Option<Self>, Problem> {
        if variable("GITHUB_ACTIONS").is_none() && variable("GITHUB_EVENT_NAME").is_none() {
            return Ok(None);
        }
        let name = variable("GITHUB_EVENT_NAME").unwrap_or_default();
        let payload = match variable("GITHUB_EVENT_PATH") {
            Some(path) => payload(Path::new(&path))?,
            None => serde_json::Value::Null,
        };
        let mut event = event::read(&name, &payload);
        if event.repository.is_none() {
            event.repository = variable("GITHUB_REPOSITORY").as_deref().and_then(RepoSlug::parse);
        }
        let workflow = variable("GITHUB_WORKFLOW_REF").and_then(|r| {
            let path = r.split('@').next()?.to_owned();
            Some(path.rsplit('/').next()?.to_owned()).filter(|file| !file.is_empty())
        });
        Ok(Some(Self {
            event,
            sha: variable("GITHUB_SHA"),
            // A tag may have the name of a branch.
            ref_name: variable("GITHUB_REF_NAME").map(|name| match variable("GITHUB_REF_TYPE").as_deref() {
                Some("tag") => format!("refs/tags/{name}"),
                _ => name,
            }),
            workflow,
            run: variable("GITHUB_RUN_ID").and_then(|id| id.parse().ok()),
            attempt: variable("GITHUB_RUN_ATTEMPT").and_then(|n| n.parse().ok()).unwrap_or(1),
            server: variable("GITHUB_SERVER_URL").unwrap_or_else(|| "https://github.com".to_owned()),
            api: variable("GITHUB_API_URL").unwrap_or_else(|| "https://api.github.com".to_owned()),
            token: ["INPUT_GITHUB-TOKEN", "TESTMEDIC_GITHUB_TOKEN", "GITHUB_TOKEN"]
                .iter()
                .find_map(|n| variable(n))
                .map(Secret::new),
            is_privileged: name == "pull_request_target",
            actor: variable("GITHUB_ACTOR").unwrap_or_default(),
            job: format!(
                "{}/{}",
                variable("GITHUB_JOB").unwrap_or_default(),
                variable("RUNNER_NAME").unwrap_or_default()
            ),
            job_key: variable("GITHUB_JOB"),
        }))
    }

    /// Where we are; `None` where the repository or the commit is not known.
    #[must_use]
    pub fn scene(&self, variant: Option<String>) -> Option<RunContext> {
        let repository = self.event.repository.clone()?;
        let pull = match &self.event.occasion {
            Trigger::Pull(pull) => Some(pull.clone()),
            _ => None,
        };
        let is_foreign = match (&self.event.occasion, &pull) {
            (Trigger::WorkflowRun(ended), _) => !is_own(&repository, ended.head_repository.as_ref()),
            (_, Some(pull)) => !is_own(&repository, pull.head_repository.as_ref()),
            _ => false,
        };
        // It is unknown which job of another run wrote the reports.
        let job = self.job_key.clone().filter(|_| !matches!(self.event.occasion, Trigger::WorkflowRun(_)));
        let (head, branch, run, attempt, workflow) = match (&self.event.occasion, &pull) {
            (Trigger::WorkflowRun(ended), _) => (
                ended.head_sha.clone(),
                branch_of_run(&repository, ended),
                Some(ended.id),
                ended.attempt,
                ended.workflow_file.clone(),
            ),
            (_, Some(pull)) => (
                pull.head_sha.clone(),
                branch_of(&repository, pull.head_repository.as_ref(), &pull.head_ref),
                self.run,
                self.attempt,
                self.workflow.clone(),
            ),
            _ => (
                self.sha.clone()?,
                self.ref_name.clone().unwrap_or_default(),
                self.run,
                self.attempt,
                self.workflow.clone(),
            ),
        };
        Some(RunContext {
            trust: self.trust(&repository, pull.as_ref()),
            default_branch: self.event.default_branch.clone().unwrap_or_default(),
            server: self.server.trim_end_matches('/').to_owned(),
            commit_at: self.event.commit_at,
            repository,
            pull,
            workflow,
            job,
            head,
            branch,
            run,
            attempt,
            variant,
            is_foreign,
        })
    }

    /// Whose code ran, and so what the token may do. `pull_request_target` and
    /// `workflow_run` have a token of the base repository, but what they speak
    /// about may still be a fork's.
    fn trust(&self, repository: &RepoSlug, pull: Option<&PullRequestRef>) -> Trust {
        let Some(pull) = pull else { return Trust::Own };
        if self.is_privileged {
            return Trust::Own;
        }
        if !is_own(repository, pull.head_repository.as_ref()) {
            return Trust::Fork;
        }
        if self.actor == "dependabot[bot]" { Trust::Dependabot } else { Trust::Own }
    }
}

fn is_own(repository: &RepoSlug, head: Option<&RepoSlug>) -> bool {
    head.is_some_and(|head| head.same(repository))
}

/// A run on `main` that a comment or another workflow woke may have run anybody's
/// code: its branch is not called `main`.
fn branch_of_run(repository: &RepoSlug, ended: &CompletedRun) -> String {
    let branch = branch_of(repository, ended.head_repository.as_ref(), &ended.head_branch);
    let is_plain = ended.event.starts_with("pull_request") || TRUSTED_EVENTS.contains(&ended.event.as_str());
    if is_plain { branch } else { format!("{}:{branch}", ended.event) }
}

/// A branch of a fork is never called like one of ours.
fn branch_of(repository: &RepoSlug, head: Option<&RepoSlug>, branch: &str) -> String {
    match head {
        Some(head) if head.same(repository) => branch.to_owned(),
        Some(head) => format!("{}:{branch}", head.owner()),
        None => format!("?:{branch}"),
    }
}

fn payload(path: &Path) -> Result<serde_json::Value, Problem> {
    let trouble = |e: &dyn std::fmt::Display| {
        Problem::failed(format!("the event's payload {} cannot be read: {e}", path.display()))
            .hint("GITHUB_EVENT_PATH is set by the runner; in a container of your own, mount its folder")
    };
    let size = path.metadata().map_err(|e| trouble(&e))?.len();
    if size > EVENT {
        return Err(trouble(&"it is larger than GitHub sends"));
    }
    let text = std::fs::read(path).map_err(|e| trouble(&e))?;
    serde_json::from_slice(&text).map_err(|e| trouble(&e))
}

/// The input `name` of the action, as the runner hands it to a container.
#[must_use]
pub fn input(name: &str) -> Option<String> {
    variable(&format!("INPUT_{}", name.replace(' ', "_").to_uppercase()))
        .map(|v| v.trim().to_owned())
        .filter(|v| !v.is_empty())
}

/// Sets step outputs. Values may hold any text: they stand between random
/// delimiters that nobody can guess.
///
/// # Errors
/// Where the file cannot be written.
pub fn outputs(values: &[(&str, String)]) -> Result<(), Problem> {
    let Some(path) = variable("GITHUB_OUTPUT").map(PathBuf::from) else { return Ok(()) };
    let mut text = String::new();
    for (name, value) in values {
        let delimiter = delimiter(value);
        text.push_str(&format!("{name}<<{delimiter}\n{value}\n{delimiter}\n"));
    }
    append(&path, &text)
}

fn delimiter(value: &str) -> String {
    loop {
        let mut bytes = [0_u8; 16];
        // Without randomness the value itself still decides what cannot be in it.
        let _ = getrandom::fill(&mut bytes);
        let name = bytes.iter().fold("testmedic_".to_owned(), |out, b| out + &format!("{b:02x}"));
        if !value.contains(&name) {
            return name;
        }
    }
}

/// Appends to the job summary, as far as there is room.
///
/// # Errors
/// Where the file cannot be written.
pub fn job_summary(markdown: &str) -> Result<(), Problem> {
    let Some(path) = variable("GITHUB_STEP_SUMMARY").map(PathBuf::from) else { return Ok(()) };
    let used = path.metadata().map_or(0, |m| usize::try_from(m.len()).unwrap_or(usize::MAX));
    if used + markdown.len() > SUMMARY {
        let note = "\n_The report of testmedic does not fit into what is left of this summary; see `report.json`._\n";
        return append(&path, if used + note.len() <= SUMMARY { note } else { "" });
    }
    append(&path, markdown)
}

fn append(path: &Path, text: &str) -> Result<(), Problem> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|e| Problem::failed(format!("cannot write {}", path.display())).because(e))
}

/// Writes annotations as workflow commands, as many as GitHub shows of one
/// step, and tells how many more there are.
///
/// # Errors
/// Where standard output cannot be written.
pub fn annotate(annotations: &[Annotation]) -> Result<(), Problem> {
    let mut out = String::new();
    let mut hidden = 0;
    let mut counts = [0_usize; 3];
    for annotation in annotations {
        let (slot, word) = match annotation.level.as_str() {
            "failure" => (0, "error"),
            "warning" => (1, "warning"),
            _ => (2, "notice"),
        };
        counts[slot] += 1;
        if counts[slot] > SHOWN {
            hidden += 1;
            continue;
        }
        out.push_str(&format!(
            "::{word} file={},line={},title={}::{}\n",
            property(&annotation.path),
            annotation.line,
            property(&annotation.title),
            message(&annotation.message)
        ));
    }
    if hidden > 0 {
        out.push_str(&format!(
            "::notice title=testmedic::{hidden} more annotations are in the report: GitHub shows {SHOWN} of a kind\n"
        ));
    }
    print(&out)
}

/// A warning of our own.
///
/// # Errors
/// Where standard output cannot be written.
pub fn warn(text: &str) -> Result<(), Problem> {
    print(&format!("::warning title=testmedic::{}\n", message(text)))
}

/// An error of the workflow.
///
/// # Errors
/// Where standard output cannot be written.
pub fn error(text: &str) -> Result<(), Problem> {
    print(&format!("::error title=testmedic::{}\n", message(text)))
}

/// Has the runner mask a value wherever it may appear in the log.
///
/// # Errors
/// Where standard output cannot be written.
pub fn mask(secret: &Secret) -> Result<(), Problem> {
    print(&format!("::add-mask::{}\n", message(secret.expose())))
}

/// Text of a workflow command, escaped as the runner's tool kit does.
fn message(text: &str) -> String {
    clean(text).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of a workflow command.
fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}

/// Whether the run was started with debug logging.
#[must_use]
pub fn is_debug() -> bool {
    variable("RUNNER_DEBUG").as_deref() == Some("1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_cannot_be_injected() {
        assert_eq!(message("100%\n::error::x"), "100%25%0A::error::x");
        assert_eq!(property("a:b,c%\n"), "a%3Ab%2Cc%25%0A");
        assert_ne!(delimiter("x"), delimiter("x"));
    }

    #[test]
    fn branches_of_forks_have_their_owner() {
        let repository = RepoSlug::parse("acme/shop").unwrap();
        let fork = RepoSlug::parse("mallory/shop").unwrap();
        assert_eq!(branch_of(&repository, Some(&fork), "main"), "mallory:main");
        assert_eq!(branch_of(&repository, Some(&repository), "main"), "main");
        assert_eq!(branch_of(&repository, None, "main"), "?:main");
    }
}
