//! Words for the forge that a run belongs to: its repository, its pull request,
//! and how far what it runs on can be trusted.

use std::fmt;

use crate::model::text::Untrusted;
use crate::model::time::Timestamp;

/// `owner/name` of a repository, checked to be just that.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct RepoSlug(String);

impl RepoSlug {
    /// Reads `owner/name`; letters, digits, `-`, `_` and `.` are what GitHub allows.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (owner, name) = text.trim().split_once('/')?;
        let fine = |part: &str| {
            !part.is_empty()
                && part.len() <= 100
                && part != "."
                && part != ".."
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        };
        (fine(owner) && fine(name)).then(|| Self(format!("{owner}/{name}")))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the slash.
    #[must_use]
    pub fn owner(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }

    /// Whether two slugs name the same repository: GitHub ignores case.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl fmt::Display for RepoSlug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A pull request as the event that woke us tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRequestRef {
    /// Its number.
    pub number: u64,
    /// The commit at its head.
    pub head_sha: String,
    /// Name of the branch at its head; names of forks are chosen by strangers.
    pub head_ref: String,
    /// Repository of the head; `None` where it was deleted.
    pub head_repository: Option<RepoSlug>,
    /// Branch it wants to go into.
    pub base_ref: String,
    /// The commit at that branch when the event was sent.
    pub base_sha: String,
}

/// How far what ran can be trusted, and so what the token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// A branch of the repository itself.
    Own,
    /// A pull request from a fork: its token cannot write.
    Fork,
    /// A pull request of dependabot: its token cannot write either.
    Dependabot,
}

impl Trust {
    /// Why nothing is written, in words; `None` where writing is possible.
    #[must_use]
    pub fn read_only(self) -> Option<&'static str> {
        match self {
            Self::Own => None,
            Self::Fork => Some("this is a pull request from a fork, whose token can only read"),
            Self::Dependabot => Some("this is a pull request of Dependabot, whose token can only read"),
        }
    }
}

/// What woke us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// Commits arrived on a branch or tag.
    Push,
    /// A pull request, tested with its own rights or those of its base.
    Pull(PullRequestRef),
    /// Another workflow ended.
    WorkflowRun(Box<CompletedRun>),
    /// The clock.
    Schedule,
    /// A person pressed a button.
    Dispatch,
    /// The merge queue tests a group.
    MergeGroup,
    /// Somebody commented on an issue or a pull request.
    Comment(Box<CommentEvent>),
    /// Something else, by its name.
    Other(String),
}

/// A comment on a thread, as its event tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommentEvent {
    /// Number of the issue or pull request.
    pub on: u64,
    /// Whether it is a pull request.
    pub on_pull: bool,
    /// Its id.
    pub id: u64,
    /// `created`, `edited` or `deleted`.
    pub action: String,
    /// Its text, as it was written: nothing of it is shown without being escaped.
    pub body: String,
    /// Who wrote it; nobody where the account is gone.
    pub author: Option<Account>,
    /// When it was last edited.
    pub updated: Option<Timestamp>,
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its number, which stays when names change hands.
    pub id: u64,
    /// Its name.
    pub login: String,
    /// Whether it is a bot's.
    pub is_bot: bool,
}

/// Events whose runs on the default branch ran the default branch's own code and
/// nothing that somebody else brought along.
pub const TRUSTED_EVENTS: [&str; 3] = ["push", "schedule", "workflow_dispatch"];

/// A workflow run that ended, as its event tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompletedRun {
    /// Its id.
    pub id: u64,
    /// Which attempt.
    pub attempt: u32,
    /// The commit it ran on.
    pub head_sha: String,
    /// Branch of that commit.
    pub head_branch: String,
    /// Repository of that branch.
    pub head_repository: Option<RepoSlug>,
    /// File of its workflow, below `.github/workflows`.
    pub workflow_file: Option<String>,
    /// What had woken it.
    pub event: String,
    /// How it ended.
    pub conclusion: String,
    /// Pull requests of the repository itself whose head it ran on; empty for forks.
    pub pulls: Vec<u64>,
    /// When it was started.
    pub at: Option<Timestamp>,
}

impl CompletedRun {
    /// Whether it ran the default branch's own code, and nothing that somebody brought along.
    #[must_use]
    pub fn is_of_default(&self, repository: &RepoSlug, default_branch: &str) -> bool {
        let own = self.head_repository.as_ref().is_some_and(|slug| slug.same(repository));
        own && self.head_branch == default_branch && TRUSTED_EVENTS.contains(&self.event.as_str())
    }
}

/// An event, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What it is.
    pub occasion: Trigger,
    /// The repository it belongs to.
    pub repository: Option<RepoSlug>,
    /// The repository's default branch.
    pub default_branch: Option<String>,
    /// Who caused it.
    pub actor: Untrusted,
    /// When the commit at the head was made, where the event tells.
    pub commit_at: Option<Timestamp>,
}

/// Where we are: everything about the present run that the forge knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunContext {
    /// The repository.
    pub repository: RepoSlug,
    /// Its default branch.
    pub default_branch: String,
    /// The pull request, where there is one.
    pub pull: Option<PullRequestRef>,
    /// How far what ran can be trusted.
    pub trust: Trust,
    /// File of the workflow, such as `ci.yml`.
    pub workflow: Option<String>,
    /// Key of the job in the workflow. `None` if the reports come from another run.
    pub job: Option<String>,
    /// Commit that was tested: the head of the pull request, not its merge commit.
    pub head: String,
    /// Branch that was tested; `owner:branch` for a fork.
    pub branch: String,
    /// Id of the workflow run.
    pub run: Option<u64>,
    /// Which attempt of it.
    pub attempt: u32,
    /// Web address of the forge.
    pub server: String,
    /// When the commit at the head was made, where known.
    pub commit_at: Option<Timestamp>,
    /// Matrix leg.
    pub variant: Option<String>,
    /// Whether code of another repository ran: what such a run says of itself
    /// is no success.
    pub is_foreign: bool,
}

impl RunContext {
    /// Whether the run is one of the default branch, whose failures become issues.
    #[must_use]
    pub fn is_default_branch(&self) -> bool {
        self.pull.is_none() && self.branch == self.default_branch
    }

    /// Web page of the workflow run.
    #[must_use]
    pub fn run_url(&self) -> Option<String> {
        self.run.map(|run| self.url_of(run, self.attempt))
    }

    /// Web page of any workflow run.
    #[must_use]
    pub fn url_of(&self, run: u64, attempt: u32) -> String {
        let attempt = if attempt > 1 { format!("/attempts/{attempt}") } else { String::new() };
        format!("{}/{}/actions/runs/{run}{attempt}", self.server, self.repository)
    }

    /// Web page of a commit.
    #[must_use]
    pub fn commit_url(&self, sha: &str) -> String {
        format!("{}/{}/commit/{sha}", self.server, self.repository)
    }
}

/// A branch of ours, as the forge shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BotBranch {
    /// The branch that a repair of this commit would be pushed to.
    pub wanted: String,
    /// The branch that it is on: this one, or one on an earlier commit.
    pub name: String,
    /// Whether its files have the texts that would be pushed now.
    pub is_same: bool,
    /// The latest pull request from it, open or not.
    pub pull: Option<PullLink>,
    /// The latest run of the tests' workflow on it.
    pub run: Option<RunLink>,
}

/// A pull request from a branch of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BotPullRequest {
    /// Its number, and whether it is open.
    pub link: PullLink,
    /// The branch.
    pub branch: String,
    /// The edit that its marker names, where we opened it.
    pub edit: Option<String>,
}

/// A pull request, as a link shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullLink {
    /// Number.
    pub number: u64,
    /// Whether it is open.
    pub open: bool,
}

/// A workflow run, as a link shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunLink {
    /// Number.
    pub id: u64,
    /// `success`, `failure` and the like; `None` while it is not done.
    pub conclusion: Option<String>,
}

/// Begin of the names of all branches of ours.
pub const OUR_BRANCHES: &str = "testmedic/";

/// Percent-encodes all that is not plainly part of a path segment (RFC 3986 §2.3).
#[must_use]
pub fn percent(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Whether `text` is a full or shortened commit hash.
#[must_use]
pub fn is_sha(text: &str) -> bool {
    (7..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs() {
        for good in ["a/b", "Acme-1/web_app.js"] {
            assert_eq!(RepoSlug::parse(good).map(|s| s.to_string()).as_deref(), Some(good));
        }
        for bad in ["a", "a/b/c", "/b", "a/", "a/..", "a b/c", "a/b?x", "a/b%2f"] {
            assert_eq!(RepoSlug::parse(bad), None, "{bad}");
        }
        assert!(RepoSlug::parse("Acme/Shop").unwrap().same(&RepoSlug::parse("acme/shop").unwrap()));
    }

    #[test]
    fn segments() {
        assert_eq!(percent("a b#?é"), "a%20b%23%3F%C3%A9");
    }
}
