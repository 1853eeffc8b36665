//! Where a session looks things up: the tested commit of a repository, as git keeps
//! it. Links are not followed, and what is no text is not shown.

use std::sync::Arc;

use crate::adapters::git::Git;
use crate::agent::tool_results;
use crate::agent::tools::may_be_shown;
use crate::diagnose::findings::Findings;
use crate::model::change::Commit;
use crate::model::exchange::Exchange;
use crate::model::secret::mask;
use crate::model::text::{clean, head};
use crate::ports::ContextTools;
use crate::traffic::api_model::ApiModel;

/// Bytes of a file that is shown; lines of a file and of a search; files of a list.
const FILE: usize = 1 << 20;
const FOUND: usize = 60;
const LISTED: usize = 300;
/// Files with a text that are shown.
const SEARCHED: usize = 60;
/// Letters of one line.
const LINE: usize = 300;

/// The tested commit.
#[derive(Clone)]
pub struct RepoTools<'a> {
    git: Option<&'a Git>,
    commit: String,
    /// Its files that may be shown.
    files: Arc<Vec<String>>,
    /// The commits that are suspected.
    commits: Vec<Commit>,
    /// What is known besides.
    known: Option<TriageData<'a>>,
}

/// What a triage knows.
#[derive(Clone)]
pub struct TriageData<'a> {
    /// The present run, judged, and its past.
    pub found: &'a Findings,
    /// HTTP traffic of its tests.
    pub exchanges: &'a [Exchange],
    /// The shapes of its answers.
    pub memory: &'a ApiModel,
    /// Issues about failures, a line each.
    pub issues: Arc<Vec<String>>,
}

impl<'a> RepoTools<'a> {
    /// For a commit, with those that may have broken it.
    #[must_use]
    pub fn new(git: Option<&'a Git>, commit: &str, commits: Vec<Commit>) -> Self {
        let all = git.map(|git| git.files_at(commit)).unwrap_or_default();
        let files = all.into_iter().filter(|path| may_be_shown(path)).collect();
        Self { git, commit: commit.to_owned(), files: Arc::new(files), commits, known: None }
    }

    /// The same, with other suspects.
    #[must_use]
    pub fn with(&self, commits: Vec<Commit>) -> Self {
        Self { commits, ..self.clone() }
    }

    /// The same, with what a triage knows.
    #[must_use]
    pub fn knowing(&self, known: TriageData<'a>) -> Self {
        Self { known: Some(known), ..self.clone() }
    }

    fn known(&self) -> Result<&TriageData<'a>, String> {
        self.known.as_ref().ok_or_else(|| "nothing is known of that here".to_owned())
    }

    /// A text file without secrets: they are looked for in the whole of it, as many have
    /// no shape in a single line.
    fn text(&self, path: &str) -> Option<String> {
        let known = self.files.iter().any(|file| file == path);
        let text = self.git.filter(|_| known)?.text_at(&self.commit, path)?;
        (text.len() <= FILE && !text.contains('\0')).then(|| mask(&text).into_owned())
    }
}

/// A line with its number.
fn numbered(number: usize, line: &str) -> String {
    format!("{number}: {}", head(line, LINE))
}

impl ContextTools for RepoTools<'_> {
    fn lines(&self, path: &str, from: usize, to: usize) -> Result<String, String> {
        let Some(text) = self.text(path) else {
            return Err(format!("`{}` is not a text file of the tested commit", head(&clean(path), 200)));
        };
        let all = text.lines().count();
        let shown: Vec<String> = text
            .lines()
            .enumerate()
            .skip(from.saturating_sub(1))
            .take(to.saturating_sub(from) + 1)
            .map(|(at, line)| numbered(at + 1, line))
            .collect();
        if shown.is_empty() { Err(format!("it has {all} lines")) } else { Ok(shown.join("\n")) }
    }

    fn search(&self, text: &str) -> Result<String, String> {
        let paths = self.git.map(|git| git.holding(&self.commit, text)).unwrap_or_default();
        let mut found = Vec::new();
        for path in paths.iter().filter(|path| may_be_shown(path)).take(SEARCHED) {
            let Some(content) = self.text(path) else { continue };
            for (at, line) in content.lines().enumerate().filter(|(_, line)| line.contains(text)) {
                found.push(format!("{path}:{}", numbered(at + 1, line)));
                if found.len() >= FOUND {
                    found.push("there are more".to_owned());
                    return Ok(found.join("\n"));
                }
            }
        }
        if found.is_empty() { Err("no line that may be shown holds that".to_owned()) } else { Ok(found.join("\n")) }
    }

    fn files(&self, under: &str) -> Result<String, String> {
        let all: Vec<&String> = self.files.iter().filter(|path| path.starts_with(under)).collect();
        let mut shown: Vec<String> = all.iter().take(LISTED).map(|path| (*path).clone()).collect();
        if all.len() > LISTED {
            shown.push(format!("and {} more", all.len() - LISTED));
        }
        if shown.is_empty() { Err("no path begins like this".to_owned()) } else { Ok(shown.join("\n")) }
    }

    fn commit(&self, hash: &str) -> Result<String, String> {
        let Some(commit) = self.commits.iter().find(|commit| commit.sha.starts_with(hash)) else {
            return Err("that is none of the suspected commits".to_owned());
        };
        let mut lines = vec![commit.subject.raw().to_owned()];
        for file in commit.files.iter().filter(|file| may_be_shown(&file.path)) {
            lines.push(format!("--- {}", file.path));
            for (sign, all) in [('-', &file.removed), ('+', &file.added)] {
                let masked = mask(&all.join("\n")).into_owned();
                lines.extend(masked.lines().map(|line| format!("{sign}{}", head(line, LINE))));
            }
        }
        Ok(lines.join("\n"))
    }

    fn history(&self, test: &str) -> Result<String, String> {
        tool_results::history_of(self.known()?.found, test)
    }

    fn similar(&self, text: &str) -> Result<String, String> {
        tool_results::similar_to(self.known()?.found, text)
    }

    fn exchanges(&self, endpoint: &str) -> Result<String, String> {
        let known = self.known()?;
        tool_results::exchanges_of(known.exchanges, known.memory, endpoint)
    }

    fn issues(&self) -> Result<String, String> {
        let issues = &self.known()?.issues;
        if issues.is_empty() { Err("no issue about a failure is known".to_owned()) } else { Ok(issues.join("\n")) }
    }
}
