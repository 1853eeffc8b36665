//! One reading of the forge, before anything is planned.

use crate::model::forge::{Account, BotBranch};
use crate::model::time::Timestamp;
use crate::plan::feedback_issue;
use crate::plan::maintenance::{self, DigestState};
use crate::plan::marker::{self, IssueState, NoteState, ReplyState, RollUpState, StickyState, digest};
use crate::plan::pr_diff::FileDiff;

/// What was read; `None` where it could not be read (and a note says why) or
/// was not needed.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Issues of ours, open and closed.
    pub issues: Option<Vec<BotIssue>>,
    /// Comments of ours on the pull request.
    pub comments: Option<Vec<BotComment>>,
    /// Review comments of ours on the pull request.
    pub review_comments: Option<Vec<BotComment>>,
    /// Our check run beside the head, under the name of this leg.
    pub check: Option<Option<BotCheck>>,
    /// The diff of the pull request.
    pub diff: Option<Vec<FileDiff>>,
    /// `CODEOWNERS`, where the policy asks for it.
    pub owners: Option<String>,
    /// Branches of ours with repairs that the present commit needs.
    pub branches: Vec<BotBranch>,
    /// Pull requests of ours with repairs that are open.
    pub offered: u32,
    /// One with written tests that is open.
    pub generated: Option<u64>,
}

/// An issue that we opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BotIssue {
    /// Number.
    pub number: u64,
    /// Web page.
    pub url: String,
    /// Whether it is open.
    pub open: bool,
    /// `completed`, `not_planned`, `duplicate` or `reopened`, where told.
    pub reason: Option<String>,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// Whether it is locked.
    pub locked: bool,
    /// Labels.
    pub labels: Vec<String>,
    /// Title.
    pub title: String,
    /// Body.
    pub body: String,
}

impl BotIssue {
    /// Its state, if it is an issue about one diagnosis.
    #[must_use]
    pub fn state(&self) -> Option<IssueState> {
        marker::read(marker::ISSUE, &self.body)
    }

    /// Its state, if it is a roll-up.
    #[must_use]
    pub fn roll_up(&self) -> Option<RollUpState> {
        marker::read(marker::ROLL_UP, &self.body)
    }

    /// The tests whose recovery closes it, and when their failure was last seen.
    #[must_use]
    pub fn watched(&self) -> Option<(Vec<String>, Timestamp)> {
        if let Some(state) = self.state() {
            let last = state.seen.first().map_or(Timestamp::from_unix(0), |seen| seen.at);
            return Some((state.tests, last));
        }
        self.roll_up().map(|state| (state.tests, state.last))
    }

    /// The key it stands for: in its marker, else (where somebody's tool
    /// stripped the marker) on its visible key line.
    #[must_use]
    pub fn key(&self) -> Option<String> {
        if let Some(state) = self.state() {
            return Some(state.key);
        }
        if feedback_issue::is_one(self) {
            return Some(feedback_issue::KEY.to_owned());
        }
        if marker::read_first::<DigestState>(maintenance::DIGEST, &self.body).is_some() {
            return Some(maintenance::KEY.to_owned());
        }
        self.roll_up().map(|_| ROLL_UP_KEY.to_owned()).or_else(|| visible_key(&self.body))
    }

    /// Digest of what a guard compares.
    #[must_use]
    pub fn digest(&self) -> String {
        let (reason, labels) = (self.reason.as_deref().unwrap_or_default(), self.labels.join(","));
        digest(&format!("{} {reason} {} {labels} {}", self.open, self.locked, self.body))
    }
}

/// Begin of the keys of suggestions.
pub const SUGGESTION: &str = "heal ";

/// The key of the roll-up issue.
pub const ROLL_UP_KEY: &str = "roll-up";

/// Start of the visible key line.
pub const KEY_LINE: &str = "testmedic key: `";

fn visible_key(body: &str) -> Option<String> {
    let line = body.lines().rev().find_map(|line| line.trim().strip_prefix(KEY_LINE))?;
    line.split('`').next().filter(|key| !key.is_empty()).map(str::to_owned)
}

/// A comment that we wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BotComment {
    /// Id.
    pub id: u64,
    /// Web page.
    pub url: String,
    /// Body.
    pub body: String,
    /// Whether its line still stands in the diff; always so for comments on threads.
    pub current: bool,
}

impl BotComment {
    /// The key that it stands for: a suggestion whose lines are gone can be taken
    /// over no more and counts as none.
    #[must_use]
    pub fn stands_for(&self) -> Option<String> {
        self.key().filter(|key| self.current || !key.starts_with(SUGGESTION))
    }

    /// The key in its marker.
    #[must_use]
    pub fn key(&self) -> Option<String> {
        if let Some(state) = marker::read::<StickyState>(marker::STICKY, &self.body) {
            return Some(sticky_key(&state.workflow));
        }
        let note = marker::read::<NoteState>(marker::NOTE, &self.body).map(|state| state.key);
        note.or_else(|| self.reply().map(|reply| reply.key))
    }

    /// Its state, if it replies to a command.
    #[must_use]
    pub fn reply(&self) -> Option<ReplyState> {
        marker::read_first(marker::REPLY, &self.body)
    }
}

/// The key of the sticky comment of a workflow.
#[must_use]
pub fn sticky_key(workflow: &str) -> String {
    format!("sticky {workflow}")
}

/// A check run that we made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BotCheck {
    /// Id.
    pub id: u64,
    /// Web page.
    pub url: String,
    /// Digest of what it says.
    pub external_id: String,
}

/// A comment of somebody, as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommentState {
    /// Its text.
    pub body: String,
    /// Who wrote it.
    pub author: Option<Account>,
    /// When it was last edited.
    pub updated: Option<Timestamp>,
}

impl CommentState {
    /// Whether it is the one that was read: its words, and the moment of its last edit
    /// (an edit and back is an edit).
    #[must_use]
    pub fn is_as(&self, expected: &str, updated: Option<Timestamp>) -> bool {
        let same_time = updated.is_none_or(|then| self.updated.is_some_and(|now| now <= then));
        same_time && digest(&self.body) == expected
    }
}

/// A workflow run as it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunState {
    /// Its last attempt.
    pub attempt: u32,
    /// Whether that is done.
    pub is_done: bool,
}

/// A pull request as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRequestState {
    /// Whether it is open.
    pub open: bool,
    /// The commit at its head.
    pub head: String,
    /// Whether it is locked.
    pub locked: bool,
}
