//! What a failure has in common with its next occurrence.

use crate::diagnose::frames::{Frame, own_frames};
use crate::diagnose::mask::{MASK_VERSION, mask};
use crate::ingest::identity::base_name;
use crate::model::failure::Fingerprint;
use crate::model::test::{Failure, TestCase};
use crate::model::text::first_line;

/// Bytes of a masked text that count.
pub const MASKED_LIMIT: usize = 1500;
/// Own frames that count.
const FRAME_LIMIT: usize = 5;

/// A failure made comparable.
#[derive(Clone, Debug)]
pub struct MaskedFailure {
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
    /// Exception types, outermost and root cause.
    pub kinds: String,
    /// The masked message.
    pub masked: String,
    /// The project's own frames, innermost first.
    pub frames: Vec<Frame>,
    /// Whether the message says enough to join failures of different tests.
    pub telling: bool,
}

/// Makes the failure of `case` comparable.
#[must_use]
pub fn fingerprint(case: &TestCase) -> MaskedFailure {
    let nothing = Failure::default();
    let failure = case.failure().unwrap_or(&nothing);
    let kinds = kinds(failure);
    let masked = mask(essence(failure), MASKED_LIMIT);
    let frames = own_frames(failure.detail.raw(), FRAME_LIMIT);
    let telling = is_telling(&kinds, &masked);
    let place: Vec<&str> = frames.iter().map(|f| f.file.as_str()).collect();
    let place = place.join(" ");
    let own = if telling { "" } else { base_name(case.name.name.raw()) };
    let class = if telling { "" } else { case.name.classname.raw() };
    let fingerprint = Fingerprint::of(MASK_VERSION, &[&kinds, &masked, &place, class, own]);
    MaskedFailure { fingerprint, kinds, masked, frames, telling }
}

/// Messages that say nothing, as runners write them.
const EMPTY_PHRASES: &[&str] = &[
    "failed",
    "failure",
    "error",
    "test failed",
    "failed.",
    "assertion failed",
    "collection failure",
    "expected",
    "fail",
];

/// The part of a failure that says what went wrong: its message, or the
/// beginning of its text where the message is a formula.
fn essence(failure: &Failure) -> &str {
    let message = failure.message.raw().trim();
    let lower = first_line(message, 60).to_ascii_lowercase();
    let formula = EMPTY_PHRASES.contains(&lower.as_str()) || lower.ends_with("panicked");
    if !message.is_empty() && !formula { message } else { failure.detail.raw() }
}

/// The exception's type and its root cause: `java.lang.RuntimeException < java.io.IOException`.
#[must_use]
pub fn kinds(failure: &Failure) -> String {
    let outer = failure
        .kind
        .as_ref()
        .map(|kind| kind.raw().trim())
        .filter(|kind| !EMPTY_PHRASES.contains(&kind.to_ascii_lowercase().as_str()))
        .or_else(|| leading_type(failure.message.raw()))
        .or_else(|| last_type(failure.detail.raw()))
        .unwrap_or("");
    let root = failure
        .detail
        .raw()
        .lines()
        .rev()
        .take(400)
        .find_map(|line| leading_type(line.trim_start().strip_prefix("Caused by: ")?));
    match root {
        Some(root) if root != outer => format!("{outer} < {root}"),
        _ => outer.to_owned(),
    }
}

/// `AssertionError` of `AssertionError: …`, where the first word looks like a type.
fn leading_type(message: &str) -> Option<&str> {
    let word = message.trim_start().split([':', ' ', '\n', '(']).next()?;
    let name = word.rsplit(['.', ':', '\\']).next()?;
    let is_type = name.len() > 3
        && name.starts_with(|c: char| c.is_ascii_uppercase())
        && ["Error", "Exception", "Failure", "Failed", "Timeout", "Exit", "Interrupt", "Warning"]
            .iter()
            .any(|end| name.ends_with(end));
    is_type.then_some(word)
}

/// pytest ends a traceback with `path:line: Type`; the `E   Type: …` lines come before.
fn last_type(detail: &str) -> Option<&str> {
    detail.lines().rev().take(40).find_map(|line| {
        leading_type(line.strip_prefix("E   ").unwrap_or(line)).or_else(|| leading_type(line.rsplit(": ").next()?))
    })
}

/// Words that stand in every assertion message.
const FORMULAS: &[&str] = &[
    "assert",
    "asserterror",
    "assertionerror",
    "assertionfailederror",
    "comparisonfailure",
    "expected",
    "actual",
    "but",
    "was",
    "got",
    "want",
    "equal",
    "equals",
    "not",
    "none",
    "true",
    "false",
    "null",
    "nil",
    "received",
    "error",
    "failed",
    "where",
    "and",
    "the",
    "that",
    "left",
    "right",
    "expect",
    "tobe",
    "toequal",
    "object",
    "deep",
    "strictly",
    "values",
    "value",
    "undefined",
    "same",
    "instance",
    "len",
    "should",
    "have",
    "been",
    "with",
    "org",
    "java",
    "lang",
    "opentestj",
    "junit",
];

/// Whether a message has enough words of its own (two, or a status code) that
/// the same message in another test means the same cause. `assert N == N` has not.
#[must_use]
pub fn is_telling(kinds: &str, masked: &str) -> bool {
    let mut own = u32::from(!kinds.is_empty() && !kinds.contains("Assert") && !kinds.contains("Comparison"));
    for word in masked.split(|c: char| !c.is_alphanumeric()) {
        let is_status = word.len() == 3 && word.bytes().all(|b| b.is_ascii_digit()) && word >= "400";
        let is_word = word.len() >= 3
            && word.chars().any(char::is_alphabetic)
            && !FORMULAS.contains(&word.to_lowercase().as_str());
        own += u32::from(is_status) * 2 + u32::from(is_word);
        if own >= 2 {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::junit;

    fn prints(failures: &[(&str, &str, &str)]) -> Vec<MaskedFailure> {
        let cases: String = failures
            .iter()
            .map(|(name, message, text)| {
                format!(
                    "<testcase classname='a.b' name='{name}'><failure message=\"{message}\">{text}</failure></testcase>"
                )
            })
            .collect();
        let run = junit::read("x", format!("<testsuite name='s'>{cases}</testsuite>").as_bytes());
        run.cases.iter().map(fingerprint).collect()
    }

    #[test]
    fn noise_does_not_count_and_meaning_does() {
        let p = prints(&[
            ("a", "KeyError: 'email'", "src/u.py:3: KeyError"),
            ("b", "KeyError: 'email'", "src/u.py:9: KeyError"),
            ("c", "KeyError: 'phone'", "src/u.py:9: KeyError"),
            ("d", "ConnectionError: 10.0.0.1:5432 refused after 3.2s", "src/u.py:9: E"),
            ("e", "ConnectionError: 10.0.0.7:5433 refused after 8.1s", "src/u.py:2: E"),
        ]);
        assert_eq!(p[0].fingerprint, p[1].fingerprint);
        assert_ne!(p[0].fingerprint, p[2].fingerprint);
        assert_eq!(p[3].fingerprint, p[4].fingerprint);
    }

    #[test]
    fn a_bare_comparison_speaks_only_for_its_own_test() {
        let p = prints(&[("a[1]", "assert 3 == 4", ""), ("a[2]", "assert 5 == 9", ""), ("b", "assert 1 == 2", "")]);
        assert_eq!(p[0].fingerprint, p[1].fingerprint);
        assert_ne!(p[0].fingerprint, p[2].fingerprint);
        let p = prints(&[("a", "assert 500 == 200", ""), ("b", "assert 500 == 200", "")]);
        assert_eq!(p[0].fingerprint, p[1].fingerprint);
    }

    #[test]
    fn types() {
        let failure = |kind: &str, message: &str, detail: &str| Failure {
            kind: (!kind.is_empty()).then(|| crate::model::text::Untrusted::new(kind)),
            message: crate::model::text::Untrusted::new(message),
            detail: crate::model::text::Untrusted::new(detail),
        };
        let table = [
            (
                failure("java.lang.RuntimeException", "x", "at a\nCaused by: java.io.IOException: disk"),
                "java.lang.RuntimeException < java.io.IOException",
            ),
            (failure("", "ValueError: bad", ""), "ValueError"),
            (failure("", "boom", "E   ValueError: boom\n\na.py:3: ValueError"), "ValueError"),
            (failure("", "boom", ""), ""),
        ];
        for (failure, expected) in table {
            assert_eq!(kinds(&failure), expected);
        }
    }
}
