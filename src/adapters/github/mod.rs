//! GitHub: what is read of it before a plan, and the writer that carries one out.

pub mod artifacts;
mod branches;
pub mod client;
mod objects;
mod threads;
mod writer;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use base64::Engine;
use serde::Deserialize;

use self::client::{Client, Connection};
use self::objects::{CommitObject, Comparison, Issue, PullFile};
use crate::diagnose::incident::Incident;
use crate::error::Problem;
use crate::model::change::{Commit, FileChange};
use crate::model::forge::{PullRequestRef, RepoSlug, is_sha, percent};
use crate::model::text::{Untrusted, head};
use crate::model::time::Timestamp;
use crate::plan::pr_diff::FileDiff;
use crate::ports::{Forge, ForgeError, Repository};

pub use threads::ThreadNow;

/// Login of the user as whom a workflow's own token acts.
pub const ACTIONS_BOT: &str = "github-actions[bot]";
/// Pages of a pull request's files: GitHub hands out 3,000 files at most.
const FILE_PAGES: u32 = 30;
/// Pages of a hundred issues or comments that are read; what is longer is not
/// decided upon.
const PAGES: u32 = 50;
/// Commits of a window whose lines are read, one request each; with more of
/// them a clone that has the history is the better source.
const COMMITS: usize = 3;
/// Files that a comparison tells at most.
const COMPARED: usize = 300;
/// Lines kept of one file.
const LINES: usize = 2000;
/// Bytes kept of one line.
const LINE: usize = 400;

/// Last good and first bad commit.
type Window = (String, String);

/// A repository on GitHub.
pub struct GitHub {
    client: Client,
    slug: RepoSlug,
    /// Web page of the repository.
    page: String,
    bot: String,
    /// Commits of a window that may be read one by one.
    commits: usize,
    /// What identifies this job among others that claim the same.
    holder: String,
    /// Answers about commits that were asked for already.
    windows: RefCell<HashMap<Window, Option<Vec<Commit>>>>,
    /// Trouble that cost something, for people.
    notes: RefCell<Vec<String>>,
    /// Whether something that was needed could not be read.
    hampered: Cell<bool>,
}

impl GitHub {
    /// Prepares to talk about `slug`. `bot` is the login that our token acts as.
    ///
    /// # Errors
    /// Where the connection cannot be set up.
    pub fn new(
        connection: Connection,
        slug: RepoSlug,
        server: &str,
        bot: Option<String>,
        holder: String,
    ) -> Result<Self, Problem> {
        let is_installation = connection.token.as_ref().is_none_or(|t| t.expose().starts_with("ghs_"));
        let client = Client::new(connection)?;
        let bot = bot.unwrap_or_else(|| {
            // A person's token acts as that person; an installation's cannot ask who it is.
            let own = (!is_installation).then(|| client.get("/user").ok()?.read::<objects::User>().ok()).flatten();
            own.map_or_else(|| ACTIONS_BOT.to_owned(), |user| user.login)
        });
        Ok(Self {
            client,
            page: format!("{server}/{slug}"),
            slug,
            bot,
            commits: COMMITS,
            holder,
            windows: RefCell::default(),
            notes: RefCell::default(),
            hampered: Cell::new(false),
        })
    }

    /// Reads no commits one by one: a pull request has other things to ask for.
    pub fn spare_commits(&mut self) {
        self.commits = 1;
    }

    /// What this job is called among others that write.
    #[must_use]
    pub fn holder(&self) -> &str {
        &self.holder
    }

    /// Login as whom our token writes.
    #[must_use]
    pub fn login(&self) -> &str {
        &self.bot
    }

    /// Requests sent so far.
    #[must_use]
    pub fn calls(&self) -> u32 {
        self.client.calls()
    }

    /// Trouble on the way since the last call.
    #[must_use]
    pub fn take_notes(&self) -> Vec<String> {
        self.notes.take()
    }

    fn note(&self, text: impl Into<String>) {
        self.notes.borrow_mut().push(text.into());
    }

    /// Notes that something needed could not be read; a cause that is known is
    /// told once.
    fn miss(&self, what: &str, trouble: &ForgeError) {
        self.hampered.set(true);
        let cause = trouble.to_string();
        let known = self.notes.borrow().iter().any(|note| note.ends_with(&cause));
        if !known {
            self.note(format!("{what}: {cause}"));
        }
    }

    /// Whether something that was needed could not be read.
    #[must_use]
    pub fn is_hampered(&self) -> bool {
        self.hampered.get()
    }

    fn path(&self, rest: &str) -> String {
        format!("/repos/{}{rest}", self.slug)
    }

    /// The repository's default branch.
    ///
    /// # Errors
    /// [`ForgeError`]
    pub fn default_branch(&self) -> Result<String, ForgeError> {
        let found: objects::Repository = self.client.get(&self.path(""))?.read()?;
        found.default_branch.ok_or_else(|| ForgeError::Missing("the repository has no default branch".to_owned()))
    }

    /// A text file at a revision; `None` where there is none.
    ///
    /// # Errors
    /// [`ForgeError`]
    pub fn file(&self, path: &str, revision: &str) -> Result<Option<String>, ForgeError> {
        #[derive(Deserialize)]
        struct Content {
            #[serde(default)]
            content: String,
            #[serde(default)]
            encoding: String,
        }
        let path: Vec<String> = path.split('/').map(percent).collect();
        let route = self.path(&format!("/contents/{}?ref={}", path.join("/"), percent(revision)));
        match self.client.get(&route) {
            Ok(answer) => {
                let found: Content = answer.read()?;
                let packed: String = found.content.split_whitespace().collect();
                let bytes = base64::engine::general_purpose::STANDARD.decode(packed).ok();
                // Beyond 1 MB, and for what is no file, GitHub hands out no content.
                let text = bytes.filter(|_| found.encoding == "base64").and_then(|bytes| String::from_utf8(bytes).ok());
                text.map(Some).ok_or_else(|| ForgeError::Refused {
                    what: "it is no text file of less than 1 MB".to_owned(),
                    hint: None,
                })
            }
            Err(ForgeError::Missing(_)) => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    /// `CODEOWNERS` from the first of the places where GitHub looks for it.
    ///
    /// # Errors
    /// [`ForgeError`]
    pub fn owners(&self, revision: &str) -> Result<Option<String>, ForgeError> {
        for place in [".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"] {
            if let Some(text) = self.file(place, revision)? {
                return Ok(Some(text));
            }
        }
        Ok(None)
    }

    /// Incidents that issues with a label tell of, the latest hundred. What a stranger
    /// wrote is not read.
    ///
    /// # Errors
    /// [`ForgeError`]
    pub fn incidents(&self, label: &str) -> Result<Vec<Incident>, ForgeError> {
        let route = format!("/issues?state=all&labels={}&per_page=100", percent(label));
        let found: Vec<Issue> = self.client.get(&self.path(&route))?.read()?;
        let is_known = |issue: &Issue| {
            let word = issue.author_association.as_deref().unwrap_or("");
            issue.pull_request.is_none() && matches!(word, "OWNER" | "MEMBER" | "COLLABORATOR")
        };
        let read = |issue: Issue| {
            let at = issue.created_at.map_or_else(String::new, Timestamp::date);
            Incident::of_issue(&issue.title, issue.body.as_deref().unwrap_or(""), &issue.html_url, &at)
        };
        Ok(found.into_iter().filter(is_known).filter_map(read).collect())
    }

    /// The diff of a pull request, and the commit where it left its base. One
    /// comparison tells both; only where it has more files than a comparison
    /// shows they are listed page by page.
    ///
    /// # Errors
    /// [`ForgeError`]
    pub fn change(&self, pull: &PullRequestRef, head: &str) -> Result<(Vec<FileDiff>, Option<String>), ForgeError> {
        let route = format!("/compare/{}...{}?per_page=1", percent(&pull.base_sha), percent(head));
        let compared = match self.client.get(&self.path(&route)) {
            Ok(answer) => Some(answer.read::<Comparison>()?),
            Err(ForgeError::Missing(_)) => None,
            Err(trouble) => return Err(trouble),
        };
        let base =
            compared.as_ref().and_then(|c| Some(c.merge_base_commit.as_ref()?.sha.clone())).filter(|sha| is_sha(sha));
        match compared {
            Some(compared) if compared.files.len() < COMPARED => Ok((diffs(&compared.files), base)),
            _ => Ok((self.diff(pull.number)?, base)),
        }
    }

    /// The diff of a pull request, page by page.
    ///
    /// # Errors
    /// [`ForgeError`]
    pub fn diff(&self, pull: u64) -> Result<Vec<FileDiff>, ForgeError> {
        let mut files = Vec::new();
        self.client.pages(&self.path(&format!("/pulls/{pull}/files?per_page=100")), FILE_PAGES, |answer| {
            files.extend(diffs(&answer.read::<Vec<PullFile>>()?));
            Ok(true)
        })?;
        Ok(files)
    }

    /// The open pull request whose head is `sha` on `branch` of `owner`.
    ///
    /// # Errors
    /// [`ForgeError`]
    pub fn pull_at(&self, owner: &str, branch: &str, sha: &str) -> Result<Option<PullRequestRef>, ForgeError> {
        let route = format!("/pulls?state=open&head={}:{}&per_page=100", percent(owner), percent(branch));
        let found: Vec<objects::Pull> = self.client.get(&self.path(&route))?.read()?;
        Ok(found.into_iter().find(|pull| pull.head.sha == sha).map(facts))
    }

    fn window(&self, good: &str, bad: &str) -> Result<Vec<Commit>, ForgeError> {
        let route = format!("/compare/{good}...{bad}?per_page=100");
        let found: Comparison = self.client.get(&self.path(&route))?.read()?;
        let mut commits: Vec<CommitObject> = found.commits;
        commits.reverse();
        // The comparison tells files for the window as a whole: those of its only
        // commit, or of one after the other. In a long window commits stand
        // without lines.
        if let [only] = commits.as_mut_slice() {
            only.files = found.files;
        } else if commits.len() <= self.commits {
            for commit in &mut commits {
                if let Ok(answer) = self.client.get(&self.path(&format!("/commits/{}", percent(&commit.sha)))) {
                    commit.files = answer.read::<CommitObject>()?.files;
                }
            }
        } else {
            self.note("the commits since the last good run are known by name only: check out with `fetch-depth: 0` to have them read");
        }
        Ok(commits.into_iter().map(commit).collect())
    }
}

/// Binary files and diffs that are too large come without a patch.
fn diffs(files: &[PullFile]) -> Vec<FileDiff> {
    let read = |file: &PullFile| {
        FileDiff::parse(&file.filename, file.previous_filename.as_deref(), file.patch.as_deref().unwrap_or_default())
    };
    files.iter().map(read).collect()
}

fn facts(pull: objects::Pull) -> PullRequestRef {
    PullRequestRef {
        number: pull.number,
        head_sha: pull.head.sha,
        head_ref: pull.head.branch,
        head_repository: pull.head.repo.and_then(|repo| RepoSlug::parse(&repo.full_name)),
        base_ref: pull.base.branch,
        base_sha: pull.base.sha,
    }
}

fn commit(object: CommitObject) -> Commit {
    let author = object.commit.author;
    let subject = object.commit.message.lines().next().unwrap_or_default().to_owned();
    Commit {
        at: author.as_ref().and_then(|a| a.date).unwrap_or(Timestamp::from_unix(0)),
        author: Untrusted::bounded(author.as_ref().map_or("", |a| &a.name), 200),
        subject: Untrusted::bounded(&subject, 300),
        files: diffs(&object.files).into_iter().map(|file| bounded(file.change)).collect(),
        sha: object.sha,
    }
}

fn bounded(mut change: FileChange) -> FileChange {
    for lines in [&mut change.removed, &mut change.added] {
        lines.retain(|line| !line.trim().is_empty());
        lines.truncate(LINES);
        for line in lines {
            *line = head(line, LINE).to_owned();
        }
    }
    change
}

impl Repository for GitHub {
    fn commits(&self, good: &str, bad: &str) -> Option<Vec<Commit>> {
        if !is_sha(good) || !is_sha(bad) {
            return None;
        }
        let key = (good.to_owned(), bad.to_owned());
        if let Some(known) = self.windows.borrow().get(&key) {
            return known.clone();
        }
        let found = match self.window(good, bad) {
            Ok(commits) => Some(commits),
            Err(ForgeError::Missing(_)) => None,
            Err(trouble) => {
                self.miss("the commits of a window could not be read", &trouble);
                None
            }
        };
        self.windows.borrow_mut().insert(key, found.clone());
        found
    }
}

/// Reads through `read` what a plan needs; trouble is noted and costs only this.
pub fn read_or_note<T>(forge: &GitHub, what: &str, read: impl FnOnce(&GitHub) -> Result<T, ForgeError>) -> Option<T> {
    match read(forge) {
        Ok(value) => Some(value),
        Err(trouble) => {
            forge.miss(&format!("{what} could not be read"), &trouble);
            None
        }
    }
}

/// An object is ours if its author is the user as whom our token acts; a marker
/// in somebody else's text means nothing.
fn is_ours(login: Option<&str>, bot: &str) -> bool {
    login == Some(bot)
}

impl GitHub {
    /// As [`Forge`], for those who only read.
    #[must_use]
    pub fn reader(&self) -> &dyn Forge {
        self
    }
}
