//! What commands share that work on a repository on disk.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::adapters::git::Git;
use crate::adapters::store::sqlite::SqliteStore;
use crate::adapters::system::print;
use crate::adapters::{files, system};
use crate::cli::HistoryArg;
use crate::error::Problem;
use crate::model::time::Timestamp;
use crate::pipeline::{self, TriageResult};
use crate::plan::policy::Policy;
use crate::report::json::{Origin, report};
use crate::report::terminal::RenderOptions;

/// Options of such commands.
#[derive(Clone, Debug, Args)]
pub struct LocalArgs {
    /// The repository
    #[arg(long, default_value = ".", value_name = "DIR")]
    pub repo: PathBuf,
    /// Which history.
    #[command(flatten)]
    pub history: HistoryArg,
    /// The policy, from this file instead of .github/testmedic.toml in the repository
    #[arg(long, env = "TESTMEDIC_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Write the report as JSON; `-` prints it instead of the report for people
    #[arg(long, env = "TESTMEDIC_JSON", value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// The moment that counts as now
    #[arg(long, value_name = "RFC3339")]
    pub now: Option<Timestamp>,
}

/// A repository, the folder at its top, and what is allowed in it.
pub(super) struct RepoContext {
    pub(super) git: Git,
    pub(super) top: PathBuf,
    pub(super) policy: Policy,
}

impl RepoContext {
    /// The commit that stands for what is checked out, changes that are not committed
    /// included.
    pub(super) fn head(&self, notes: &mut Vec<String>) -> Result<String, Problem> {
        if let Some(changed) = self.git.with_changes() {
            notes.push("changes that are not committed count as part of the tested code".to_owned());
            return Ok(changed);
        }
        self.git.head().ok_or_else(|| Problem::usage("the repository has no commit"))
    }
}

impl LocalArgs {
    /// Finds the repository; `why` tells what it is needed for.
    pub(super) fn find(&self, why: &str) -> Result<RepoContext, Problem> {
        let git = Git::find(&self.repo).ok_or_else(|| {
            Problem::usage(format!("{} is no git repository", self.repo.display()))
                .hint(format!("{why}; name the repository with --repo"))
        })?;
        let top = git.top().ok_or_else(|| Problem::usage("the repository has no checkout"))?;
        let policy = super::local_policy(&top, self.config.as_deref())?;
        Ok(RepoContext { git, top, policy })
    }

    /// The history, where there is one that can be read.
    pub(super) fn store(&self, notes: &mut Vec<String>) -> Result<Option<SqliteStore>, Problem> {
        let opened = self.history.path()?.map(|p| SqliteStore::open_existing(&p)).transpose();
        let store = opened.unwrap_or_else(|problem| {
            notes.push(format!("judged without history: {}", pipeline::chain(&problem)));
            None
        });
        Ok(store.flatten())
    }

    /// The moment that counts as now.
    pub(super) fn now(&self) -> Timestamp {
        self.now.unwrap_or_else(system::now)
    }

    /// Shows what was done: `told` for people unless the diff or the JSON is printed.
    pub(super) fn show(
        &self,
        (told, colour): (&dyn Fn(RenderOptions) -> String, bool),
        (patch, diff): (Option<&Path>, &str),
        (triage, base): (&TriageResult, Option<String>),
    ) -> Result<(), Problem> {
        let is_stdout = |path: Option<&Path>| path == Some(Path::new("-"));
        if !is_stdout(self.json.as_deref()) && !is_stdout(patch) {
            print(&told(RenderOptions { colour, width: system::width() }))?;
        }
        if let Some(path) = patch {
            write(path, diff)?;
        }
        if let Some(path) = &self.json {
            let origin = Origin { repository: None, base, pull: None };
            let text = serde_json::to_string_pretty(&report(triage, &origin))
                .map_err(|e| Problem::failed("cannot write the report as JSON").because(e))?;
            write(path, &(text + "\n"))?;
        }
        Ok(())
    }
}

fn write(path: &Path, text: &str) -> Result<(), Problem> {
    if path == Path::new("-") { print(text) } else { files::write(path, text) }
}
