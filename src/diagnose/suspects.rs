//! Which commit of a regression window is behind a failure?

use std::collections::HashSet;

use crate::diagnose::frames::{Frame, short};
use crate::diagnose::mismatch::{Mismatch, literal};
use crate::ingest::source_location::is_test_path;
use crate::model::change::{Commit, FileChange};

/// Suspects shown.
const MOST: usize = 5;

/// A commit in the window, ranked.
#[derive(Clone, Debug, PartialEq)]
pub struct Suspect {
    /// Full hash.
    pub commit: String,
    /// 0 to 1: how much of what the failure names the commit touches.
    pub score: f64,
    /// In words.
    pub because: String,
}

/// What a failure names.
#[derive(Clone, Debug, Default)]
pub struct FailureTerms<'a> {
    /// The project's own frames, innermost first.
    pub frames: &'a [Frame],
    /// File of the test.
    pub test_file: Option<&'a str>,
    /// Names of test, class and suite.
    pub names: Vec<&'a str>,
    /// Masked message.
    pub message: &'a str,
    /// Expected and actual value.
    pub mismatch: Option<&'a Mismatch>,
}

/// The commits of a window by how likely they are behind the failure, the
/// likeliest first; the newest first among equals.
#[must_use]
pub fn rank(commits: &[Commit], named: &FailureTerms<'_>) -> Vec<Suspect> {
    let words = words_of(named);
    let mut suspects: Vec<Suspect> = commits.iter().map(|commit| judge(commit, named, &words, commits.len())).collect();
    suspects.sort_by(|a, b| b.score.total_cmp(&a.score));
    suspects.truncate(MOST);
    suspects
}

fn judge(commit: &Commit, named: &FailureTerms<'_>, words: &HashSet<String>, window: usize) -> Suspect {
    // Each reason speaks for the commit independently: 1 − Π(1 − weight).
    let mut innocent = 1.0;
    let mut because = Vec::new();
    let mut add = |weight: f64, reason: String| {
        innocent *= 1.0 - weight;
        because.push(reason);
    };
    if window == 1 {
        add(0.3, "it is the only commit in the window".to_owned());
    }
    if let Some((depth, file)) = touched_frame(commit, named.frames) {
        let weight = if depth == 0 { 0.6 } else { 0.45 };
        add(weight, format!("changes {file}, which is in the stack"));
    }
    if let Some(file) = named.test_file.filter(|file| commit.files.iter().any(|c| same_file(&c.path, file))) {
        add(0.25, format!("changes the test file {}", short(file)));
    }
    if let Some(reason) = values(commit, named.mismatch) {
        add(0.5, reason);
    }
    let hits = word_hits(commit, words);
    if !hits.is_empty() {
        let weight = (0.15 * hits.len() as f64).min(0.4);
        add(weight, format!("names {}", hits.join(", ")));
    }
    if only_prose(commit) {
        innocent = 1.0 - (1.0 - innocent) * 0.2;
        because.push("changes only documentation".to_owned());
    }
    if because.is_empty() {
        because.push("in the window, touches nothing that the failure names".to_owned());
    }
    Suspect { commit: commit.sha.clone(), score: round(1.0 - innocent), because: because.join("; ") }
}

fn round(score: f64) -> f64 {
    (score * 100.0).round() / 100.0
}

fn touched_frame(commit: &Commit, frames: &[Frame]) -> Option<(usize, String)> {
    frames
        .iter()
        .filter(|frame| !frame.in_test)
        .enumerate()
        .find(|(_, frame)| commit.files.iter().any(|c| same_file(&c.path, &frame.file)))
        .map(|(depth, frame)| (depth, frame.file.clone()))
}

/// Whether two paths name the same file as far as both go: `src/cart.py` and
/// `/w/app/src/cart.py` do; a bare file name matches the last component.
fn same_file(path: &str, other: &str) -> bool {
    let (a, b) = (short(path), short(other));
    a == b
        || (!b.contains('/') && a.rsplit('/').next() == Some(&b))
        || (!a.contains('/') && b.rsplit('/').next() == Some(&a))
}

/// The old expected value in removed lines of product code, the new one in added ones.
fn values(commit: &Commit, mismatch: Option<&Mismatch>) -> Option<String> {
    let mismatch = mismatch?;
    let product = || commit.files.iter().filter(|f| !is_test_path(&f.path));
    let gone = literal(&mismatch.expected).filter(|v| product().any(|f| contains(&f.removed, v)));
    let new = literal(&mismatch.actual).filter(|v| product().any(|f| contains(&f.added, v)));
    match (gone, new) {
        (Some(_), Some(_)) => Some("removes the expected value and adds the actual one".to_owned()),
        (Some(_), None) => Some("removes the expected value".to_owned()),
        (None, Some(_)) => Some("adds the actual value".to_owned()),
        (None, None) => None,
    }
}

/// Whether one of `lines` holds `value` as a word of its own.
#[must_use]
pub fn contains(lines: &[String], value: &str) -> bool {
    lines.iter().any(|line| holds(line, value))
}

/// Whether `value` stands in a line by itself, not as a part of a longer word.
#[must_use]
pub fn holds(line: &str, value: &str) -> bool {
    line.match_indices(value).any(|(at, _)| {
        let edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_');
        edge(line[..at].chars().next_back()) && edge(line[at + value.len()..].chars().next())
    })
}

/// Words that are everywhere and accuse no one.
const COMMON: &[&str] = &[
    "test",
    "tests",
    "error",
    "errors",
    "assert",
    "assertion",
    "assertionerror",
    "expected",
    "actual",
    "self",
    "this",
    "from",
    "with",
    "that",
    "then",
    "when",
    "does",
    "returns",
    "return",
    "should",
    "have",
    "value",
    "values",
    "none",
    "true",
    "false",
    "null",
    "where",
    "name",
    "object",
    "python",
    "java",
    "class",
    "main",
    "init",
    "junit",
    "spec",
    "failed",
];

fn words_of(named: &FailureTerms<'_>) -> HashSet<String> {
    let mut words = HashSet::new();
    for text in named.names.iter().copied().chain([named.message]) {
        for word in text.split(|c: char| !c.is_alphanumeric()) {
            let word = word.to_lowercase();
            if word.len() >= 4 && word.chars().any(char::is_alphabetic) && !COMMON.contains(&word.as_str()) {
                words.insert(word);
            }
        }
    }
    words
}

/// Words of the failure in what the commit changes, product paths and lines only.
fn word_hits(commit: &Commit, words: &HashSet<String>) -> Vec<String> {
    let mut hits: Vec<String> = Vec::new();
    for file in commit.files.iter().filter(|f| !is_test_path(&f.path)) {
        for word in texts(file).flat_map(|line| line.split(|c: char| !c.is_alphanumeric())) {
            let word = word.to_lowercase();
            if words.contains(&word) && !hits.contains(&word) {
                hits.push(word);
                if hits.len() == 3 {
                    return hits;
                }
            }
        }
    }
    hits
}

fn texts(file: &FileChange) -> impl Iterator<Item = &str> {
    std::iter::once(file.path.as_str()).chain(file.removed.iter().chain(&file.added).map(String::as_str))
}

fn only_prose(commit: &Commit) -> bool {
    let prose = |path: &str| {
        let lower = path.to_ascii_lowercase();
        [".md", ".rst", ".txt", ".adoc"].iter().any(|end| lower.ends_with(end)) || lower.starts_with("docs/")
    };
    !commit.files.is_empty() && commit.files.iter().all(|f| prose(&f.path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::text::Untrusted;
    use crate::model::time::Timestamp;

    fn commit(sha: &str, path: &str, removed: &str, added: &str) -> Commit {
        Commit {
            sha: sha.into(),
            at: Timestamp::from_unix(0),
            author: Untrusted::new("a"),
            subject: Untrusted::new("s"),
            files: vec![FileChange {
                path: path.into(),
                renamed_from: None,
                removed: vec![removed.into()],
                added: vec![added.into()],
            }],
        }
    }

    #[test]
    fn the_commit_in_the_stack_leads() {
        let commits = [
            commit("readme", "README.md", "cart", "cart total"),
            commit("other", "src/users.py", "x = 1", "x = 2"),
            commit("culprit", "src/cart.py", "return total", "return None"),
        ];
        let frames = [Frame { file: "src/cart.py".into(), line: 3, in_test: false }];
        let named = FailureTerms { frames: &frames, names: vec!["test_cart_total"], ..FailureTerms::default() };
        let ranked = rank(&commits, &named);
        assert_eq!(ranked[0].commit, "culprit");
        assert!(ranked[0].score > 0.5 && ranked[1].score < 0.3, "{ranked:?}");
        assert!(ranked[0].because.contains("stack"));
    }

    #[test]
    fn values_as_words() {
        let lines = vec!["status = 'pending_review'".to_owned(), "if s == 'queued':".to_owned()];
        assert!(contains(&lines, "queued") && !contains(&lines, "pending"));
        assert!(!contains(&lines, "review'x"));
    }
}
