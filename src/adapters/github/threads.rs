//! What is read of a thread before a command in it is heard: who speaks, where, and
//! whether anything moved since.

use serde::Deserialize;

use super::objects::{Issue, Pull};
use super::{GitHub, PAGES, facts};
use crate::ingest::event;
use crate::model::command::Permission;
use crate::model::forge::{CompletedRun, PullRequestRef, is_sha, percent};
use crate::ports::ForgeError;

/// An issue or a pull request as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadNow {
    /// The account that opened it, by number.
    pub author: Option<u64>,
    /// Whether it is open.
    pub open: bool,
    /// Whether the conversation is locked.
    pub locked: bool,
    /// The pull request, where it is one.
    pub pull: Option<PullRequestRef>,
}

#[derive(Deserialize)]
struct Rights {
    #[serde(default)]
    permission: String,
    #[serde(default)]
    role_name: String,
    user: Option<Numbered>,
}

#[derive(Deserialize)]
struct Numbered {
    id: u64,
}

#[derive(Deserialize)]
struct Entry {
    event: Option<String>,
    id: Option<u64>,
    sha: Option<String>,
}

impl GitHub {
    /// What an account may do in the repository, and its number: a name may have come to
    /// somebody else since. `None` where there is no such account.
    ///
    /// # Errors
    /// [`ForgeError`]
    pub fn level_of(&self, login: &str) -> Result<Option<(u64, Permission)>, ForgeError> {
        match self.client.get(&self.path(&format!("/collaborators/{}/permission", percent(login)))) {
            Ok(answer) => {
                let found: Rights = answer.read()?;
                let level = Permission::of(&found.permission, &found.role_name);
                Ok(found.user.map(|user| (user.id, level)))
            }
            Err(ForgeError::Missing(_)) => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    /// A thread as it is now.
    ///
    /// # Errors
    /// [`ForgeError`]
    pub fn thread(&self, number: u64, is_pull: bool) -> Result<ThreadNow, ForgeError> {
        if is_pull {
            let pull: Pull = self.client.get(&self.path(&format!("/pulls/{number}")))?.read()?;
            return Ok(ThreadNow {
                author: pull.user.as_ref().map(|user| user.id),
                open: pull.state == "open",
                locked: pull.locked,
                pull: Some(facts(pull)),
            });
        }
        let issue: Issue = self.client.get(&self.path(&format!("/issues/{number}")))?.read()?;
        Ok(ThreadNow {
            author: issue.user.as_ref().map(|user| user.id),
            open: issue.state == "open",
            locked: issue.locked,
            pull: None,
        })
    }

    /// What happened to the branch of a pull request behind a comment on it, as its
    /// timeline tells: commits that came, a force-push, the end of the branch.
    ///
    /// # Errors
    /// [`ForgeError`]
    pub fn moved_since(&self, number: u64, comment: u64) -> Result<Option<String>, ForgeError> {
        let mut is_behind = false;
        let mut moved = None;
        self.client.whole(&self.path(&format!("/issues/{number}/timeline?per_page=100")), PAGES, |answer| {
            for entry in answer.read::<Vec<Entry>>()? {
                let what = entry.event.as_deref().unwrap_or_default();
                is_behind |= what == "commented" && entry.id == Some(comment);
                let told = match what {
                    "committed" => {
                        let sha = entry.sha.as_deref().filter(|sha| is_sha(sha)).unwrap_or_default();
                        Some(format!("commit `{}` came after the comment", crate::history::short(sha)))
                    }
                    "head_ref_force_pushed" => Some("the branch was force-pushed after the comment".to_owned()),
                    "head_ref_deleted" => Some("the branch was deleted after the comment".to_owned()),
                    _ => None,
                };
                moved = moved.take().or(told.filter(|_| is_behind));
            }
            Ok(())
        })?;
        if !is_behind {
            return Ok(Some("the place of the comment among what happened to the branch is not known yet".to_owned()));
        }
        Ok(moved)
    }

    /// The latest runs that are done: of a commit, or of a branch.
    ///
    /// # Errors
    /// [`ForgeError`]
    pub fn runs_of(&self, commit: Option<&str>, branch: Option<&str>) -> Result<Vec<CompletedRun>, ForgeError> {
        let filter = match (commit, branch) {
            (Some(commit), _) => format!("head_sha={}", percent(commit)),
            (None, branch) => format!("branch={}", percent(branch.unwrap_or_default())),
        };
        let answer = self.client.get(&self.path(&format!("/actions/runs?{filter}&status=completed&per_page=30")))?;
        let found: serde_json::Value = answer.read()?;
        let runs = found["workflow_runs"].as_array().map(Vec::as_slice).unwrap_or_default();
        Ok(runs.iter().filter_map(event::ended_run).collect())
    }

    /// One run.
    ///
    /// # Errors
    /// [`ForgeError`]
    pub fn ended_run(&self, id: u64) -> Result<CompletedRun, ForgeError> {
        let found: serde_json::Value = self.client.get(&self.path(&format!("/actions/runs/{id}")))?.read()?;
        event::ended_run(&found).ok_or_else(|| ForgeError::Missing(format!("run {id} is none that can be read")))
    }
}
