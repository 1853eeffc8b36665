//! GitHub's counterpart: one stateful GitHub on loopback that behaves as the
//! documented REST API does. Every request, and every answer of its own, is
//! held against GitHub's description (`fixtures/github/openapi.json`).

pub mod contract;
pub mod git;
pub mod routes;
pub mod server;
pub mod world;

use std::collections::BTreeMap;

use serde_json::{Value, json};

pub use server::Server;

/// Where a user comes from.
pub const BOT: &str = "github-actions[bot]";
/// What the token of tests is.
pub const TOKEN: &str = "ghs_CounterpartTokenForTests0001";

/// An issue, or the issue side of a pull request.
#[derive(Clone, Debug)]
pub struct Issue {
    pub number: u64,
    pub title: String,
    pub body: String,
    pub open: bool,
    pub reason: Option<String>,
    pub closed_at: Option<String>,
    pub locked: bool,
    pub labels: Vec<String>,
    pub assignees: Vec<String>,
    pub author: String,
    pub is_pull: bool,
    pub made: u64,
}

/// A comment on a thread, or on a line of a pull request.
#[derive(Clone, Debug)]
pub struct Comment {
    pub id: u64,
    pub on: u64,
    pub body: String,
    pub author: String,
    pub made: u64,
    /// When it was last edited.
    pub updated: String,
    /// Path and line, for review comments.
    pub at: Option<(String, u64)>,
}

/// A pull request.
#[derive(Clone, Debug)]
pub struct Pull {
    pub number: u64,
    pub head_sha: String,
    pub head_ref: String,
    pub head_repository: String,
    pub base_ref: String,
    pub base_sha: String,
    /// Path, previous path, patch.
    pub files: Vec<(String, Option<String>, Option<String>)>,
}

/// A check run.
#[derive(Clone, Debug)]
pub struct Check {
    pub id: u64,
    pub head: String,
    pub name: String,
    pub external_id: String,
    pub conclusion: String,
    pub output: Value,
}

/// A workflow run.
#[derive(Clone, Debug)]
pub struct Run {
    pub id: u64,
    pub event: String,
    pub branch: String,
    pub sha: String,
    pub repository: String,
    pub attempt: u64,
    pub at: String,
    pub workflow: String,
    /// `None` while it is not done.
    pub conclusion: Option<String>,
}

/// An artifact of a run.
#[derive(Clone, Debug)]
pub struct Artifact {
    pub id: u64,
    pub name: String,
    pub run: u64,
    pub bytes: Vec<u8>,
    pub expired: bool,
    pub at: String,
}

/// What goes wrong with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is done, a 502 is answered.
    BadGateway,
    /// It is done, and the connection breaks before the answer.
    LostAnswer,
    /// Nothing is done: a secondary limit with `Retry-After: 0`.
    SecondaryLimit,
    /// The connection breaks before anything is done.
    Dropped,
}

/// A request that was answered.
#[derive(Clone, Debug)]
pub struct Logged {
    pub method: String,
    pub path: String,
    pub status: u16,
}

impl Logged {
    pub fn is_write(&self) -> bool {
        self.method != "GET"
    }
}

/// The state of the forge.
#[derive(Clone, Debug)]
pub struct State {
    pub repository: String,
    pub default_branch: String,
    pub token: String,
    /// As whom the token acts.
    pub login: String,
    /// Scope → `read` or `write`.
    pub permissions: BTreeMap<String, String>,
    pub issues: BTreeMap<u64, Issue>,
    pub pulls: BTreeMap<u64, Pull>,
    pub comments: Vec<Comment>,
    /// Comment, login, content.
    pub reactions: Vec<(u64, String, String)>,
    /// Permission and role by login; others have none.
    pub people: BTreeMap<String, (String, String)>,
    /// What happened on threads besides comments: thread, how many comments were there
    /// before, what.
    pub happened: Vec<(u64, usize, Value)>,
    pub review_comments: Vec<Comment>,
    pub reviews: Vec<Value>,
    pub labels: BTreeMap<String, (String, String)>,
    pub checks: Vec<Check>,
    pub runs: Vec<Run>,
    pub artifacts: Vec<Artifact>,
    /// The Git database, where the story has one.
    pub bare: Option<git::Bare>,
    /// Workflows that can be dispatched, and those that cannot.
    pub workflows: BTreeMap<String, bool>,
    /// Whether workflows may open pull requests.
    pub pulls_by_actions: bool,
    /// Files on the default branch.
    pub files: BTreeMap<String, String>,
    /// `base...head` → comparison; commit → commit.
    pub comparisons: BTreeMap<String, Value>,
    pub commits: BTreeMap<String, Value>,
    /// Requests after which a new object appears in lists.
    pub lag: u64,
    /// What goes wrong at which request, from 1.
    pub faults: BTreeMap<u64, Fault>,
    /// Requests left of the primary limit.
    pub remaining: u64,
    /// The moment that new objects carry.
    pub now: String,
    pub log: Vec<Logged>,
    /// Requests so far.
    pub count: u64,
    /// Downloads from the second host, and whether one of them carried the token.
    pub downloads: u64,
    pub leaked: bool,
    /// What was not as GitHub describes it.
    pub breaches: Vec<String>,
    pub next_id: u64,
}

impl State {
    /// An empty repository whose token may do what the README asks for.
    pub fn new(repository: &str) -> Self {
        let permissions = [
            ("actions", "read"),
            ("checks", "write"),
            ("contents", "read"),
            ("issues", "write"),
            ("pull_requests", "write"),
        ];
        Self {
            repository: repository.to_owned(),
            default_branch: "main".to_owned(),
            token: TOKEN.to_owned(),
            login: BOT.to_owned(),
            permissions: permissions.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            issues: BTreeMap::new(),
            pulls: BTreeMap::new(),
            comments: Vec::new(),
            reactions: Vec::new(),
            people: BTreeMap::new(),
            happened: Vec::new(),
            review_comments: Vec::new(),
            reviews: Vec::new(),
            labels: BTreeMap::new(),
            checks: Vec::new(),
            runs: Vec::new(),
            artifacts: Vec::new(),
            bare: None,
            workflows: BTreeMap::from([("ci.yml".to_owned(), true)]),
            pulls_by_actions: true,
            files: BTreeMap::new(),
            comparisons: BTreeMap::new(),
            commits: BTreeMap::new(),
            lag: 0,
            faults: BTreeMap::new(),
            remaining: 5000,
            now: "2026-05-01T10:00:00Z".to_owned(),
            log: Vec::new(),
            count: 0,
            downloads: 0,
            leaked: false,
            breaches: Vec::new(),
            next_id: 1000,
        }
    }

    pub fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// The next number of issues and pull requests.
    pub fn number(&self) -> u64 {
        self.issues.keys().max().copied().unwrap_or(0) + 1
    }

    /// What people see in the end, without what differs from run to run.
    pub fn shown(&self) -> Value {
        let issues: Vec<Value> = self
            .issues
            .values()
            .filter(|i| !i.is_pull)
            .map(|i| {
                json!({
                    "number": i.number, "title": i.title, "open": i.open, "reason": i.reason,
                    "labels": i.labels, "assignees": i.assignees, "author": i.author, "body": lines(&i.body),
                })
            })
            .collect();
        let comment = |c: &Comment| json!({"on": c.on, "author": c.author, "at": c.at, "body": lines(&c.body)});
        json!({
            "issues": issues,
            "comments": self.comments.iter().map(comment).collect::<Vec<_>>(),
            "review_comments": self.review_comments.iter().map(comment).collect::<Vec<_>>(),
            "checks": self.checks.iter().map(|c| json!({
                "name": c.name, "conclusion": c.conclusion, "title": c.output["title"],
                "annotations": c.output["annotations"],
            })).collect::<Vec<_>>(),
            "labels": self.labels.keys().collect::<Vec<_>>(),
        })
    }

    /// Writes among the requests so far.
    pub fn writes(&self) -> usize {
        self.log.iter().filter(|l| l.is_write()).count()
    }
}

fn lines(body: &str) -> Vec<&str> {
    body.lines().collect()
}
