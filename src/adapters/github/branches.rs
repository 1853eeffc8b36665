//! Branches of ours: what the forge shows of them, and how one is made through
//! the Git database (docs.github.com, "Git database"): a tree and a commit for
//! each draft on top of its parent, and at last the reference. A reference is
//! only ever created, never moved: a push of ours overwrites nothing.

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::GitHub;
use super::objects::{Pull, Runs};
use crate::model::forge::{BotPullRequest, OUR_BRANCHES, PullLink, RepoSlug, RunLink, is_sha, percent};
use crate::plan::action::{CommitDraft, FileText, Person};
use crate::plan::marker::{self, RepairState};
use crate::ports::ForgeError;

#[derive(Deserialize)]
struct Reference {
    #[serde(rename = "ref", default)]
    name: String,
    object: Object,
}

#[derive(Deserialize)]
struct Object {
    sha: String,
}

#[derive(Deserialize)]
struct GitCommit {
    sha: String,
    tree: Object,
}

impl GitHub {
    /// The commit at a branch; `None` where there is no such branch.
    pub(super) fn commit_at(&self, branch: &str) -> Result<Option<String>, ForgeError> {
        match self.client.get(&self.path(&format!("/git/ref/heads/{}", segments(branch)))) {
            Ok(answer) => Ok(Some(answer.read::<Reference>()?.object.sha)),
            Err(ForgeError::Missing(_)) => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    /// Names and commits of branches whose names begin like this.
    pub(super) fn matching(&self, begin: &str) -> Result<Vec<(String, String)>, ForgeError> {
        let found: Vec<Reference> =
            self.client.get(&self.path(&format!("/git/matching-refs/heads/{}", segments(begin))))?.read()?;
        let own = |r: Reference| Some((r.name.strip_prefix("refs/heads/")?.to_owned(), r.object.sha));
        Ok(found.into_iter().filter_map(own).collect())
    }

    /// Pull requests from branches of ours into a branch; the latest hundred.
    pub(super) fn our_pulls_into(&self, base: &str) -> Result<Vec<BotPullRequest>, ForgeError> {
        let route = format!("/pulls?state=all&base={}&sort=created&direction=desc&per_page=100", percent(base));
        let found: Vec<Pull> = self.client.get(&self.path(&route))?.read()?;
        let own = |pull: Pull| {
            let here = pull.head.repo.as_ref().and_then(|r| RepoSlug::parse(&r.full_name));
            let from_us = pull.head.branch.starts_with(OUR_BRANCHES) && here.is_some_and(|r| r.same(&self.slug));
            let signed = pull.user.as_ref().is_some_and(|user| user.login == self.bot);
            let state =
                pull.body.as_deref().filter(|_| signed).and_then(|b| marker::read::<RepairState>(marker::REPAIR, b));
            (from_us && pull.base.branch == base).then(|| BotPullRequest {
                link: PullLink { number: pull.number, open: pull.state == "open" },
                branch: pull.head.branch,
                edit: state.map(|s| s.edit),
            })
        };
        Ok(found.into_iter().filter_map(own).collect())
    }

    /// The latest run of a workflow on a branch; none where there is no such workflow.
    pub(super) fn latest_run_on(&self, workflow: &str, branch: &str) -> Result<Option<RunLink>, ForgeError> {
        let route = format!("/actions/workflows/{}/runs?branch={}&per_page=1", percent(workflow), percent(branch));
        let found: Runs = match self.client.get(&self.path(&route)) {
            Ok(answer) => answer.read()?,
            Err(ForgeError::Missing(_)) => return Ok(None),
            Err(trouble) => return Err(trouble),
        };
        let own = found.workflow_runs.into_iter().find(|run| run.head_branch.as_deref() == Some(branch));
        Ok(own.map(|run| RunLink { id: run.id, conclusion: run.conclusion }))
    }

    /// Makes a branch with its commits.
    pub(super) fn push(
        &self,
        branch: &str,
        parent: &str,
        commits: &[CommitDraft],
        author: Option<&Person>,
    ) -> Result<Option<String>, ForgeError> {
        let refuse = |what: &str| Err(ForgeError::Refused { what: what.to_owned(), hint: None });
        if !branch.starts_with(OUR_BRANCHES) || !is_sha(parent) {
            return refuse("only branches of our own are pushed");
        }
        let mut at: GitCommit = self.client.get(&self.path(&format!("/git/commits/{parent}")))?.read()?;
        if at.sha != parent {
            return refuse("the commit to build on is not named in full");
        }
        for draft in commits {
            let entries: Vec<Value> = draft.files.iter().map(entry).collect();
            let tree = json!({"base_tree": at.tree.sha, "tree": entries});
            let tree: Object = self.client.send(Method::POST, &self.path("/git/trees"), Some(&tree))?.read()?;
            let mut commit = json!({"message": draft.message, "tree": tree.sha, "parents": [at.sha]});
            if let Some(author) = author {
                commit["author"] = json!({"name": author.name, "email": author.email});
            }
            at = self.client.send(Method::POST, &self.path("/git/commits"), Some(&commit))?.read()?;
        }
        let reference = json!({"ref": format!("refs/heads/{branch}"), "sha": at.sha});
        self.client.send(Method::POST, &self.path("/git/refs"), Some(&reference))?;
        Ok(Some(format!("{}/tree/{}", self.page, segments(branch))))
    }
}

/// A branch's name as a part of a path: its slashes stay.
fn segments(branch: &str) -> String {
    branch.split('/').map(percent).collect::<Vec<_>>().join("/")
}

fn entry(file: &FileText) -> Value {
    let mode = if file.executable { "100755" } else { "100644" };
    json!({"path": file.path, "mode": mode, "type": "blob", "content": file.text})
}
