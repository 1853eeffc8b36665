//! The parts of GitHub's answers that we read. Fields may be absent: answers
//! of older servers and of other endpoints leave some out.

use serde::Deserialize;

use crate::model::forge::Account;
use crate::model::time::Timestamp;
use crate::plan::snapshot::{BotCheck, BotComment, BotIssue, CommentState};

#[derive(Debug, Deserialize)]
pub(super) struct User {
    #[serde(default)]
    pub id: u64,
    pub login: String,
    #[serde(rename = "type")]
    kind: Option<String>,
}

impl User {
    pub(super) fn account(self) -> Account {
        Account { is_bot: self.is_bot(), id: self.id, login: self.login }
    }

    pub(super) fn is_bot(&self) -> bool {
        self.kind.as_deref() == Some("Bot")
    }
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Label {
    Object { name: Option<String> },
    Name(String),
}

#[derive(Debug, Deserialize)]
pub(super) struct Issue {
    pub number: u64,
    #[serde(default)]
    pub html_url: String,
    #[serde(default)]
    pub state: String,
    pub state_reason: Option<String>,
    pub closed_at: Option<Timestamp>,
    pub created_at: Option<Timestamp>,
    pub author_association: Option<String>,
    #[serde(default)]
    pub locked: bool,
    #[serde(default)]
    pub labels: Vec<Label>,
    #[serde(default)]
    pub title: String,
    pub body: Option<String>,
    pub user: Option<User>,
    pub pull_request: Option<serde_json::Value>,
}

impl Issue {
    pub(super) fn ours(self) -> BotIssue {
        BotIssue {
            number: self.number,
            url: self.html_url,
            open: self.state == "open",
            reason: self.state_reason,
            closed_at: self.closed_at,
            locked: self.locked,
            labels: self
                .labels
                .into_iter()
                .filter_map(|label| match label {
                    Label::Object { name } => name,
                    Label::Name(name) => Some(name),
                })
                .collect(),
            title: self.title,
            body: self.body.unwrap_or_default(),
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Comment {
    pub id: u64,
    #[serde(default)]
    pub html_url: String,
    pub body: Option<String>,
    pub user: Option<User>,
    pub line: Option<u64>,
    pub updated_at: Option<Timestamp>,
}

impl Comment {
    pub(super) fn remark(self) -> CommentState {
        let author = self.user.map(User::account);
        CommentState { body: self.body.unwrap_or_default(), author, updated: self.updated_at }
    }

    /// `on_lines`: it is a review comment; without a line it is outdated.
    pub(super) fn ours(self, on_lines: bool) -> BotComment {
        let current = !on_lines || self.line.is_some();
        BotComment { id: self.id, url: self.html_url, body: self.body.unwrap_or_default(), current }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct CheckRuns {
    pub check_runs: Vec<CheckRun>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CheckRun {
    pub id: u64,
    pub html_url: Option<String>,
    pub external_id: Option<String>,
    pub name: String,
}

impl CheckRun {
    pub(super) fn ours(self) -> BotCheck {
        BotCheck {
            id: self.id,
            url: self.html_url.unwrap_or_default(),
            external_id: self.external_id.unwrap_or_default(),
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Made {
    pub html_url: Option<String>,
    pub user: Option<User>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Pull {
    pub number: u64,
    #[serde(default)]
    pub state: String,
    #[serde(default)]
    pub locked: bool,
    pub body: Option<String>,
    pub user: Option<User>,
    pub head: Side,
    pub base: Side,
}

#[derive(Debug, Deserialize)]
pub(super) struct Side {
    pub sha: String,
    #[serde(rename = "ref", default)]
    pub branch: String,
    pub repo: Option<Repository>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Repository {
    #[serde(default)]
    pub full_name: String,
    pub default_branch: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct PullFile {
    pub filename: String,
    pub previous_filename: Option<String>,
    pub patch: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Comparison {
    #[serde(default)]
    pub commits: Vec<CommitObject>,
    pub merge_base_commit: Option<CommitObject>,
    #[serde(default)]
    pub files: Vec<PullFile>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CommitObject {
    pub sha: String,
    pub commit: CommitText,
    #[serde(default)]
    pub files: Vec<PullFile>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CommitText {
    #[serde(default)]
    pub message: String,
    pub author: Option<Signature>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Signature {
    #[serde(default)]
    pub name: String,
    pub date: Option<Timestamp>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Runs {
    pub workflow_runs: Vec<Run>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Run {
    pub id: u64,
    #[serde(default)]
    pub event: String,
    pub head_branch: Option<String>,
    pub head_sha: String,
    #[serde(rename = "run_attempt")]
    pub attempt: Option<u32>,
    pub created_at: Timestamp,
    #[serde(rename = "run_started_at")]
    pub started_at: Option<Timestamp>,
    pub head_repository: Option<RunRepository>,
    pub conclusion: Option<String>,
    pub status: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct RunRepository {
    #[serde(default)]
    pub full_name: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Artifacts {
    pub artifacts: Vec<Artifact>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Artifact {
    pub id: u64,
    pub name: String,
    #[serde(default)]
    pub size_in_bytes: u64,
    #[serde(default)]
    pub expired: bool,
    pub created_at: Option<Timestamp>,
    pub workflow_run: Option<ArtifactRun>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct ArtifactRun {
    pub id: Option<u64>,
}
