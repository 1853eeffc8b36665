//! Actions, their guards, and what came of them.

use serde::{Deserialize, Serialize};

use crate::history::record::RecordError;
use crate::model::time::Timestamp;

/// Bytes of an issue or a comment. GitHub takes 65,536 characters.
pub const BODY_LIMIT: usize = 65_000;
/// Bytes of a check run's summary. GitHub takes 65,535.
pub const SUMMARY_LIMIT: usize = 65_000;
/// Annotations in one request to the Checks API.
pub const ANNOTATIONS: usize = 50;

/// Something to write, with all that is needed to write it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Action {
    /// Remember one leg of the present run in the history.
    RecordRun {
        /// Key of the leg, hexadecimal.
        key: String,
    },
    /// Open an issue.
    OpenIssue {
        /// Key of the diagnosis, as in the issue's marker.
        key: String,
        /// Title, plain text.
        title: String,
        /// Body with its marker.
        body: String,
        /// Labels; those that do not exist are made by GitHub.
        labels: Vec<String>,
        /// Logins.
        assignees: Vec<String>,
    },
    /// Bring the body of an issue up to date.
    UpdateIssue {
        /// Number.
        number: u64,
        /// The whole new body.
        body: String,
    },
    /// Open a closed issue again, with its body up to date.
    ReopenIssue {
        /// Number.
        number: u64,
        /// The whole new body.
        body: String,
    },
    /// Close an issue as completed.
    CloseIssue {
        /// Number.
        number: u64,
        /// The whole new body.
        body: String,
    },
    /// Comment on an issue or a pull request, or bring a comment up to date.
    Comment {
        /// Number of the issue or pull request.
        on: u64,
        /// Marker key: two comments with one key on one thread are never made.
        key: String,
        /// Id of the comment to edit; `None` makes a new one.
        edit: Option<u64>,
        /// Body with its marker.
        body: String,
    },
    /// One review of a pull request with comments on lines of its diff.
    Review {
        /// Number of the pull request.
        pull: u64,
        /// The commit it looks at.
        head: String,
        /// The comments, at least one.
        comments: Vec<LineComment>,
    },
    /// A check run beside a commit.
    CheckRun {
        /// The commit.
        head: String,
        /// Name.
        name: String,
        /// Id of the check run to edit; `None` makes a new one.
        edit: Option<u64>,
        /// `success`, `failure` or `neutral`.
        conclusion: String,
        /// In one line.
        title: String,
        /// Markdown, at most [`SUMMARY_LIMIT`] bytes.
        summary: String,
        /// Digest of what it says, kept as its `external_id`.
        digest: String,
        /// At most [`ANNOTATIONS`].
        annotations: Vec<Annotation>,
    },
    /// Make a branch, where none of its name is; never more than that.
    PushBranch {
        /// Its name, below [`OUR_BRANCHES`](crate::model::forge::OUR_BRANCHES).
        branch: String,
        /// The commit that it grows on.
        parent: String,
        /// Its commits, each on top of the one before.
        commits: Vec<CommitDraft>,
        /// Who signs them; the token's own identity where nobody is named.
        author: Option<Person>,
    },
    /// Open a pull request from a branch of ours.
    OpenPullRequest {
        /// The branch.
        branch: String,
        /// The branch that it is to go into.
        base: String,
        /// Title, plain text.
        title: String,
        /// Body with its marker.
        body: String,
    },
    /// React to a comment of somebody; once more changes nothing.
    React {
        /// Number of the thread.
        on: u64,
        /// Id of the comment.
        comment: u64,
        /// `eyes`, `+1`, `confused` or `rocket`.
        content: String,
    },
    /// Run the failed jobs of a workflow run again, with the rights that they had.
    RerunJobs {
        /// Number of the run.
        run: u64,
        /// The attempt that failed.
        attempt: u32,
    },
    /// Start a workflow on a branch of ours.
    DispatchWorkflow {
        /// File of the workflow, such as `ci.yml`.
        workflow: String,
        /// The branch.
        branch: String,
    },
}

/// A commit before it is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommitDraft {
    /// Its message.
    pub message: String,
    /// The files that it changes.
    pub files: Vec<FileText>,
}

/// The text of a file in a commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileText {
    /// Path in the repository.
    pub path: String,
    /// The whole text.
    pub text: String,
    /// Whether it can be executed, as before.
    pub executable: bool,
}

/// A name with an address, for commits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// Name.
    pub name: String,
    /// E-mail address.
    pub email: String,
}

impl Person {
    /// Reads `Name <address>`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (name, rest) = text.trim().split_once('<')?;
        let (name, email) = (name.trim(), rest.strip_suffix('>')?.trim());
        let odd = |c: char| c.is_control() || matches!(c, '<' | '>');
        let fine = !name.is_empty() && email.contains('@') && !name.contains(odd) && !email.contains(odd);
        (fine && text.len() <= 200).then(|| Self { name: name.to_owned(), email: email.to_owned() })
    }
}

/// A review comment on one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineComment {
    /// Path in the repository.
    pub path: String,
    /// Line of the new side, from 1; it stands in the diff.
    pub line: u32,
    /// First line, where the comment is about several; the last is `line`.
    #[serde(default)]
    pub start: Option<u32>,
    /// Marker key.
    pub key: String,
    /// Body with its marker.
    pub body: String,
}

/// A note on a line of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Annotation {
    /// Path in the repository.
    pub path: String,
    /// Line, from 1.
    pub line: u32,
    /// `failure`, `warning` or `notice`.
    pub level: String,
    /// Title, plain text of at most 255 characters.
    pub title: String,
    /// Plain text of at most 64 KB.
    pub message: String,
}

impl Action {
    /// The word in `report.json`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::RecordRun { .. } => "record-run",
            Self::OpenIssue { .. } => "open-issue",
            Self::UpdateIssue { .. } => "update-issue",
            Self::ReopenIssue { .. } => "reopen-issue",
            Self::CloseIssue { .. } => "close-issue",
            Self::Comment { .. } => "comment",
            Self::Review { .. } => "review",
            Self::CheckRun { .. } => "check-run",
            Self::PushBranch { .. } => "push-branch",
            Self::OpenPullRequest { .. } => "open-pull-request",
            Self::DispatchWorkflow { .. } => "dispatch-workflow",
            Self::React { .. } => "react",
            Self::RerunJobs { .. } => "rerun-jobs",
        }
    }

    /// What two writers must not do at once, by name; `None` where doing it
    /// twice does no harm.
    ///
    /// A check run needs none: GitHub shows the latest of one name and commit.
    #[must_use]
    pub fn claim(&self) -> Option<String> {
        match self {
            Self::RecordRun { .. } | Self::CheckRun { .. } | Self::React { .. } => None,
            Self::RerunJobs { run, .. } => Some(format!("run {run}")),
            Self::OpenIssue { key, .. } => Some(format!("issue {key}")),
            Self::UpdateIssue { number, .. }
            | Self::ReopenIssue { number, .. }
            | Self::CloseIssue { number, .. }
            | Self::Comment { on: number, .. } => Some(format!("thread {number}")),
            Self::Review { pull, .. } => Some(format!("thread {pull}")),
            Self::PushBranch { branch, .. }
            | Self::OpenPullRequest { branch, .. }
            | Self::DispatchWorkflow { branch, .. } => Some(format!("branch {branch}")),
        }
    }
}

/// What must still be so right before an action is carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "guard", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Precondition {
    /// The pull request is open and its head is this commit.
    #[serde(rename = "pull-at")]
    PullRequestHeadIs {
        /// Number.
        pull: u64,
        /// Commit.
        head: String,
    },
    /// No issue of ours has this key in its marker, open or closed.
    NoIssue {
        /// Key.
        key: String,
        /// Issues that have it and do not count: those closed too long ago.
        except: Vec<u64>,
    },
    /// No comment of ours with this key stands on the thread.
    NoComment {
        /// Number of the thread.
        on: u64,
        /// Key.
        key: String,
    },
    /// The issue is as it was read: open or closed, unlocked, with this body.
    IssueIs {
        /// Number.
        number: u64,
        /// Digest of state and body.
        digest: String,
    },
    /// The comment has the body that was read.
    CommentIs {
        /// Number of the thread.
        on: u64,
        /// Id of the comment.
        id: u64,
        /// Key in its marker: a comment of ours about something else is not it.
        key: String,
        /// Digest of its body.
        digest: String,
    },
    /// No review comment of ours with one of these keys stands on the pull request.
    NoReviewComment {
        /// Number of the pull request.
        pull: u64,
        /// Keys.
        keys: Vec<String>,
    },
    /// Our latest check run of this name does not say this already.
    NoCheck {
        /// Commit.
        head: String,
        /// Name.
        name: String,
        /// Digest of what it would say.
        digest: String,
    },
    /// There is no branch of this name.
    NoBranch {
        /// Name.
        branch: String,
    },
    /// No pull request, open or closed, came from this branch.
    NoPullFrom {
        /// Name.
        branch: String,
    },
    /// The workflow never ran on this branch.
    NoRunOn {
        /// File of the workflow.
        workflow: String,
        /// Name.
        branch: String,
    },
    /// The comment of somebody is there, and was not edited.
    #[serde(rename = "remark-is")]
    CommentUnchanged {
        /// Its id.
        id: u64,
        /// Digest of its body.
        digest: String,
        /// When it was last edited, where that is known.
        updated: Option<Timestamp>,
    },
    /// Our reply with this key is there and says that it is being worked on.
    #[serde(rename = "working")]
    ReplyStillOpen {
        /// Number of the thread.
        on: u64,
        /// Key.
        key: String,
        /// Who works, as its marker says.
        by: String,
    },
    /// The workflow run is done, and this was its last attempt.
    #[serde(rename = "run-at")]
    RunAttemptIs {
        /// Number of the run.
        run: u64,
        /// The attempt.
        attempt: u32,
    },
    /// Another action of the plan was carried out.
    #[serde(rename = "after")]
    AfterAction {
        /// Its id.
        action: String,
    },
}

impl Precondition {
    /// Whether it asks for what its action makes; others ask for what must be around it.
    #[must_use]
    pub fn is_own(&self) -> bool {
        !matches!(
            self,
            Self::PullRequestHeadIs { .. }
                | Self::AfterAction { .. }
                | Self::CommentUnchanged { .. }
                | Self::ReplyStillOpen { .. }
        )
    }
}

/// An action that is planned, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Derived from what it is about; the same in every run about the same.
    pub id: String,
    /// What is done.
    pub action: Action,
    /// Why.
    pub because: String,
    /// In one line.
    pub title: String,
    /// Where, for people.
    pub target: String,
    /// What must hold right before.
    pub guards: Vec<Precondition>,
    /// What came of it; `None` in a dry run.
    pub receipt: Option<ActionResult>,
}

/// What came of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActionResult {
    /// It was carried out; its web page, where it has one.
    Done(Option<String>),
    /// It was done before; nothing changed.
    AlreadyDone,
    /// Something changed since it was planned, and what.
    Stale(String),
    /// It failed, and why.
    Failed(String),
}

impl ActionResult {
    /// As in `report.json`.
    #[must_use]
    pub fn word(&self) -> String {
        match self {
            Self::Done(_) => "done".to_owned(),
            Self::AlreadyDone => "already-done".to_owned(),
            Self::Stale(why) => format!("stale: {why}"),
            Self::Failed(why) => format!("failed: {why}"),
        }
    }

    /// The web page of what was written.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        match self {
            Self::Done(url) => url.as_deref(),
            _ => None,
        }
    }
}

/// Something that is not done, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SkippedAction {
    /// The kind of action.
    pub kind: String,
    /// What would have called for it.
    pub because: String,
    /// Why it is not done.
    pub reason: String,
}

impl SkippedAction {
    /// Builds one.
    pub fn new(kind: &str, because: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { kind: kind.to_owned(), because: because.into(), reason: reason.into() }
    }
}

/// All that is to be written, and all that is not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// In the order in which it is carried out.
    pub actions: Vec<Planned>,
    /// With reasons.
    pub withheld: Vec<SkippedAction>,
}

impl Plan {
    /// Has each action ask besides what must hold around it.
    pub fn require(&mut self, guards: &[Precondition]) {
        for planned in &mut self.actions {
            planned.guards.splice(0..0, guards.iter().cloned());
        }
    }

    /// Appends another plan.
    pub fn extend(&mut self, other: Self) {
        self.actions.extend(other.actions);
        self.withheld.extend(other.withheld);
    }
}

/// Plans the history record of a run: one action for each leg.
#[must_use]
pub fn record(legs: Result<&[(String, u64)], &RecordError>, target: Option<&str>) -> Plan {
    const KIND: &str = "record-run";
    let because = "later runs are judged against this one".to_owned();
    let withhold = |reason: String| Plan {
        actions: Vec::new(),
        withheld: vec![SkippedAction::new(KIND, because.clone(), reason)],
    };
    let Some(target) = target else {
        return withhold("history is switched off (`--history none`)".to_owned());
    };
    match legs {
        Err(reason) => withhold(reason.to_string()),
        Ok(legs) => Plan {
            actions: legs
                .iter()
                .map(|(key, tests)| Planned {
                    id: format!("{KIND}:{key}"),
                    action: Action::RecordRun { key: key.clone() },
                    because: because.clone(),
                    title: format!("remember the results of {tests} {}", if *tests == 1 { "test" } else { "tests" }),
                    target: target.to_owned(),
                    guards: Vec::new(),
                    receipt: None,
                })
                .collect(),
            withheld: Vec::new(),
        },
    }
}
