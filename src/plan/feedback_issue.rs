//! What people told, kept where every job finds it: in the marker of one issue of ours.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use crate::history::feedback::Feedback;
use crate::model::time::Timestamp;
use crate::plan::action::{Action, BODY_LIMIT, Planned, Precondition};
use crate::plan::marker::{self, VERSION};
use crate::plan::snapshot::BotIssue;
use crate::render::markdown::code;

/// Kind of its marker.
pub const WORDS: &str = "words";
/// Its key.
pub const KEY: &str = "words";
/// Its title.
pub const TITLE: &str = "What people told testmedic about tests";
/// Words that are kept, the latest.
const MOST: usize = 150;
/// Bytes of a name.
const NAME: usize = 120;

/// What the marker holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WordsState {
    /// Version of this state.
    pub v: u32,
    /// The words, in the order in which they were told.
    pub words: Vec<Feedback>,
}

/// What an issue holds of it: one with our title, and our marker before everything else.
fn state(issue: &BotIssue) -> Option<WordsState> {
    marker::read_first(WORDS, &issue.body).filter(|_| issue.title == TITLE)
}

/// Whether an issue is one that holds what people told.
#[must_use]
pub fn is_one(issue: &BotIssue) -> bool {
    state(issue).is_some()
}

/// All that people told, of all issues that hold it.
#[must_use]
pub fn read_all(issues: &[BotIssue]) -> Vec<Feedback> {
    let mut all: Vec<Feedback> = issues.iter().filter_map(state).flat_map(|state| state.words).collect();
    all.sort_by_key(|word| word.at);
    all
}

/// Keeps a word.
#[must_use]
pub fn record_feedback(issues: &[BotIssue], word: &Feedback, labels: &[String], now: Timestamp) -> Planned {
    let there = issues.iter().find(|issue| is_one(issue));
    let mut all = read_all(issues);
    all.retain(|old| old.counts(now) && !(old.about == word.about && old.told.superseded_by(word.told)));
    let name = crate::model::text::head(&word.name, NAME).to_owned();
    all.push(Feedback { name, ..word.clone() });
    all.drain(..all.len().saturating_sub(MOST));
    let mut body = body(&all);
    while body.len() > BODY_LIMIT && !all.is_empty() {
        all.remove(0);
        body = self::body(&all);
    }
    let (action, guard, id) = match there {
        Some(issue) => (
            Action::UpdateIssue { number: issue.number, body },
            Precondition::IssueIs { number: issue.number, digest: issue.digest() },
            format!("update-issue:{}", issue.number),
        ),
        None => (
            Action::OpenIssue {
                key: KEY.to_owned(),
                title: TITLE.to_owned(),
                body,
                labels: labels.to_vec(),
                assignees: Vec::new(),
            },
            Precondition::NoIssue { key: KEY.to_owned(), except: Vec::new() },
            format!("open-issue:{KEY}"),
        ),
    };
    Planned {
        id,
        action,
        because: format!("{} {}", word.by, word.told.says()),
        title: format!("keep that {} {}", word.by, word.told.says()),
        target: word.name.clone(),
        guards: vec![guard],
        receipt: None,
    }
}

fn body(words: &[Feedback]) -> String {
    let mut out = String::from(
        "This is where testmedic keeps what people told it by `/flaky`, `/not-flaky`, `/expected` and `/ignore`. The next runs hear it as evidence. It may be closed; a later word takes the place of an earlier one.\n\n| test or failure | | by | on | until |\n|---|---|---|---|---|\n",
    );
    for word in words.iter().rev() {
        let until = word.until.map(Timestamp::date).unwrap_or_default();
        let (name, by) = (code(&word.name, NAME), code(&word.by, 60));
        let _ = writeln!(out, "| {name} | {} | {by} | {} | {until} |", word.told.says(), word.at.date());
    }
    format!("{}\n{out}", marker::write(WORDS, &WordsState { v: VERSION, words: words.to_vec() }))
}
