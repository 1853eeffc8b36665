//! Markers: what we write into our own objects to find them again.
//!
//! A marker is an HTML comment on a line of its own, `<!-- testmedic:KIND {…} -->`,
//! with the state that the next run needs. It counts only in objects whose
//! author is us; text from outside cannot hold one, because `render` breaks
//! every `<!--` in it.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::model::time::Timestamp;

/// Version of all states below.
pub const VERSION: u32 = 1;
/// Occurrences an issue remembers.
pub const SEEN: usize = 20;
/// Tests an issue remembers.
pub const TESTS: usize = 50;
/// Fingerprints an issue remembers.
pub const FINGERPRINTS: usize = 10;

/// One run in which a failure was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Occurrence {
    /// Number of the workflow run.
    pub run: Option<u64>,
    /// Attempt.
    pub attempt: u32,
    /// Commit.
    pub commit: String,
    /// When.
    pub at: Timestamp,
    /// Matrix leg.
    pub leg: Option<String>,
}

impl Occurrence {
    /// Whether two are the same run and leg.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        self.leg == other.leg
            && self.attempt == other.attempt
            && match (self.run, other.run) {
                (Some(a), Some(b)) => a == b,
                _ => self.commit == other.commit && self.at == other.at,
            }
    }
}

/// What an issue's marker holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssueState {
    /// Version of this state.
    pub v: u32,
    /// Key of the diagnosis.
    pub key: String,
    /// Fingerprints seen under it.
    pub fingerprints: Vec<String>,
    /// Ids of its tests.
    pub tests: Vec<String>,
    /// Verdict when it was last brought up to date.
    pub verdict: String,
    /// Severity then.
    pub severity: String,
    /// First bad commit.
    pub since: Option<String>,
    /// Earlier runs that count and those of them that failed, when it opened.
    pub rate: (u64, u64),
    /// The latest runs in which it was seen, newest first.
    pub seen: Vec<Occurrence>,
    /// How often it was seen in all.
    pub times: u64,
    /// When we last commented.
    pub commented: Option<Timestamp>,
    /// Digest of the part of the body that we keep up to date.
    pub digest: String,
}

/// What the marker of a roll-up issue holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollUpState {
    /// Version of this state.
    pub v: u32,
    /// Keys of the diagnoses in it.
    pub keys: Vec<String>,
    /// Ids of their tests.
    pub tests: Vec<String>,
    /// When it was last brought up to date.
    pub last: Timestamp,
    /// Digest of the part of the body that we keep up to date.
    pub digest: String,
}

/// What the marker of a sticky comment holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StickyState {
    /// Version of this state.
    pub v: u32,
    /// File of the workflow: one comment for each.
    pub workflow: String,
}

/// What stands before each leg's part of a sticky comment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegState {
    /// Key of the job. Empty if it is unknown, and in comments of version 0.1.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub job: String,
    /// Matrix leg; empty for a run without legs.
    pub leg: String,
    /// Commit it speaks of.
    pub head: String,
    /// Workflow run.
    pub run: u64,
    /// Attempt.
    pub attempt: u32,
    /// Whether anything failed.
    pub bad: bool,
}

impl LegState {
    /// Returns whether both describe the same variant of the same job. An unknown job matches any.
    #[must_use]
    pub fn is_same_leg(&self, other: &Self) -> bool {
        self.leg == other.leg && (self.job == other.job || self.job.is_empty() || other.job.is_empty())
    }
}

/// What the marker of any other comment of ours holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoteState {
    /// Version of this state.
    pub v: u32,
    /// What it is about.
    pub key: String,
}

/// What the marker of a reply to commands holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplyState {
    /// Version of this state.
    pub v: u32,
    /// What it is about: the comment, by its id.
    pub key: String,
    /// Who works on it: a run of a job, as no other is called.
    pub by: String,
    /// Whether it is being worked on.
    pub is_working: bool,
}

/// What the marker of a pull request with repairs holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepairState {
    /// Version of this state.
    pub v: u32,
    /// The branch that it comes from.
    pub branch: String,
    /// Digest of the lines that it changes: the same on whatever commit.
    pub edit: String,
}

/// Kind of the marker of a pull request with repairs.
pub const REPAIR: &str = "repair";
/// Kind of an issue's marker.
pub const ISSUE: &str = "issue";
/// Kind of a roll-up's marker.
pub const ROLL_UP: &str = "roll-up";
/// Kind of a sticky comment's marker.
pub const STICKY: &str = "sticky";
/// Kind of the marker before a leg's part.
pub const LEG: &str = "leg";
/// Kind of the marker of a reply to commands.
pub const REPLY: &str = "reply";
/// Kind of the marker of other comments.
pub const NOTE: &str = "note";

/// The comment that holds `state`.
#[must_use]
pub fn write<T: Serialize>(kind: &str, state: &T) -> String {
    let json = serde_json::to_string(state).unwrap_or_default();
    // Inside of a JSON string these mean the same, and no comment ends early.
    let json = json.replace('-', "\\u002d").replace('>', "\\u003e").replace('<', "\\u003c");
    let json = unescape_outside_strings(&json);
    format!("<!-- testmedic:{kind} {json} -->")
}

/// A minus sign of a number is no part of a string and stays a minus sign.
fn unescape_outside_strings(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let (mut inside, mut escaped) = (false, false);
    let mut rest = json;
    while let Some(c) = rest.chars().next() {
        if !inside && rest.starts_with("\\u002d") {
            out.push('-');
            rest = &rest[6..];
            continue;
        }
        if c == '"' && !escaped {
            inside = !inside;
        }
        escaped = c == '\\' && !escaped;
        out.push(c);
        rest = &rest[c.len_utf8()..];
    }
    out
}

/// The state of the first marker of `kind` that stands at the start of a line.
#[must_use]
pub fn read<T: DeserializeOwned>(kind: &str, body: &str) -> Option<T> {
    let start = format!("<!-- testmedic:{kind} ");
    body.lines().find_map(|line| {
        let json = line.trim_end().strip_prefix(&start)?.strip_suffix(" -->")?;
        serde_json::from_str(json).ok()
    })
}

/// As [`read`], where the marker is the first line: so it stands in what nobody but us
/// writes. A workflow of somebody else that acts as the same user may show a stranger's words.
#[must_use]
pub fn read_first<T: DeserializeOwned>(kind: &str, body: &str) -> Option<T> {
    read(kind, body.lines().next()?)
}

/// Start of the part of a body that we keep up to date.
pub const BEGIN: &str = "<!-- testmedic:begin -->";
/// Its end.
pub const END: &str = "<!-- testmedic:end -->";

/// Splits a body into what people wrote before, our part, and what they wrote after.
#[must_use]
pub fn split(body: &str) -> Option<(&str, &str, &str)> {
    let begin = body.find(BEGIN)?;
    let inner = begin + BEGIN.len();
    let end = inner + body[inner..].find(END)?;
    Some((&body[..begin], &body[inner..end], &body[end + END.len()..]))
}

/// 64 bits of a SHA-256 as hexadecimal digits. GitHub hands out `\r\n` for the
/// line breaks of bodies that people edited on its pages: they count as `\n`.
#[must_use]
pub fn digest(text: &str) -> String {
    let hash = Sha256::digest(text.replace("\r\n", "\n").trim().as_bytes());
    hash[..8].iter().fold(String::new(), |out, byte| out + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(key: &str) -> NoteState {
        NoteState { v: VERSION, key: key.to_owned() }
    }

    proptest::proptest! {
        #[test]
        fn written_and_read(key in "\\PC{0,40}") {
            let marker = write(NOTE, &state(&key));
            proptest::prop_assert_eq!(marker.matches("--").count(), 2, "{}", &marker);
            proptest::prop_assert_eq!(read::<NoteState>(NOTE, &format!("x\n{marker}\r\ny")), Some(state(&key)));
        }
    }

    #[test]
    fn only_whole_lines_count() {
        let marker = write(NOTE, &state("a--b"));
        assert_eq!(read::<NoteState>(NOTE, &format!("> {marker}")), None);
        assert_eq!(read::<NoteState>(NOTE, &format!("`{marker}`")), None);
        assert_eq!(read::<NoteState>(ISSUE, &marker), None);
        assert_eq!(read::<NoteState>(NOTE, "<!-- testmedic:note {broken -->"), None);
        let at = Occurrence { run: None, attempt: 1, commit: "c".into(), at: Timestamp::from_unix(-5), leg: None };
        assert_eq!(read::<Occurrence>(NOTE, &write(NOTE, &at)), Some(at));
    }

    #[test]
    fn parts_of_a_body() {
        let body = format!("mine\n{BEGIN}\nours\n{END}\nmine too");
        assert_eq!(split(&body), Some(("mine\n", "\nours\n", "\nmine too")));
        assert_eq!(split("nothing"), None);
        assert_eq!(digest("a\r\nb\n"), digest("a\nb"));
    }
}
