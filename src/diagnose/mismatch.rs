//! What an assertion expected and what it got, from the failure's text.
//!
//! One row of [`STYLES`] an assertion style; the first that matches wins.

pub mod full_values;

use std::sync::LazyLock;

use regex::Regex;

use crate::diagnose::fingerprint::kinds;
use crate::ingest::source_location::failure_place;
use crate::model::test::{Failure, Place};
use crate::model::text::{Untrusted, head};

/// Bytes kept of a value.
const VALUE_LIMIT: usize = 500;

/// What an assertion expected, what it got, and where.
#[derive(Clone, Debug, PartialEq)]
pub struct Mismatch {
    /// The expected value as printed.
    pub expected: Untrusted,
    /// The actual value as printed.
    pub actual: Untrusted,
    /// Where the assertion stands.
    pub place: Option<Place>,
    /// The assertion style.
    pub framework: &'static str,
}

/// Name and pattern with the groups `e` (expected) and `a` (actual).
///
/// In `assert x == y` pytest's users write the actual value on the left, and
/// so do Rust's; `unittest` and JUnit name the expected one first.
const STYLES: &[(&str, &str)] = &[
    (
        "jest",
        r"(?s)Expected(?: value| substring| length| path)?:\s*(?P<e>[^\n]+)\n+\s*Received(?: value| string| length| path)?:\s*(?P<a>[^\n]+)",
    ),
    ("junit", r"expected: ?<(?P<e>.*?)> but was: ?<(?P<a>.*?)>"),
    ("assertj", r"(?si)expecting(?: actual)?:\s*(?P<a>[^\n]+?)\s*\n?\s*to be equal to:?\s*(?P<e>[^\n]+)"),
    ("assertj", r"(?s)expected: (?P<e>[^\n]+)\n\s*but was: (?P<a>[^\n]+)"),
    ("hamcrest", r"(?s)Expected: (?:is )?(?P<e>[^\n]+)\n\s*(?:but|Actual): (?:was )?(?P<a>[^\n]+)"),
    ("testng", r"expected \[(?P<e>.*?)\] but found \[(?P<a>.*?)\]"),
    ("rspec", r"(?s)expected: (?P<e>[^\n]+)\n\s*got: (?P<a>[^\n]+)"),
    ("testify", r"(?s)expected\s*: (?P<e>[^\n]+)\n\s*actual\s*: (?P<a>[^\n]+)"),
    ("rust", r"(?s)assertion `?\(?left == right\)?`? failed.*?\n\s*left: (?P<a>[^\n]+)\n\s*right: (?P<e>[^\n]+)"),
    (
        "phpunit",
        r"Failed asserting that (?P<a>.+?) (?:is identical to|matches expected|is equal to) (?P<e>.+?)\.(?:\n|$)",
    ),
    (
        "googletest",
        r"(?s)Expected equality of these values:\s*\n\s*(?P<a>[^\n]+)\n(?:\s*Which is: [^\n]+\n)?\s*(?P<e>[^\n]+)",
    ),
    ("go", r"(?i)\bgot:?\s+(?P<a>[^\n,;]+?)[,;]\s+(?:want|expected):?\s+(?P<e>[^\n]+)"),
    ("go", r"(?i)\b(?:want|expected):?\s+(?P<e>[^\n,;]+?)[,;]\s+(?:but )?got:?\s+(?P<a>[^\n]+)"),
    ("mocha", r"expected (?P<a>[^\n]+?) to (?:deeply |strictly |deep |strict )?equal (?P<e>[^\n]+)"),
    ("node-assert", r"(?s)Expected values to be strictly (?:deep-)?equal:\s*\n+(?P<a>[^\n]+?) !== (?P<e>[^\n]+)"),
    ("unittest", r"AssertionError: (?P<a>[^\n]+?) != (?P<e>[^\n]+?)(?: : [^\n]*)?(?:\n|$)"),
    ("robot", r"^(?P<a>\S[^\n]*?) != (?P<e>[^\n]+)$"),
    ("pytest", r"(?m)\bassert \(?(?P<a>[^\n=!]+?)\)? == (?P<e>[^\n]+)$"),
    ("pytest", r"(?m)^(?:E\s+)?(?P<a>[^\n=!]+?) == (?P<e>[^\n]+)$"),
];

pub(crate) static COMPILED: LazyLock<Vec<(&'static str, Regex)>> =
    LazyLock::new(|| STYLES.iter().filter_map(|(name, p)| Regex::new(p).ok().map(|re| (*name, re))).collect());

/// The mismatch in a failure; searched in its message, then in its text.
#[must_use]
pub fn read(failure: &Failure) -> Option<Mismatch> {
    let message = failure.message.raw();
    let detail = failure.detail.raw();
    if !is_comparison(&kinds(failure)) {
        return None;
    }
    let printed = printed_lines(detail);
    [message, &printed].into_iter().find_map(|text| {
        let text = head(text, 16 * 1024);
        let (framework, found) = COMPILED.iter().find_map(|(name, re)| Some((*name, re.captures(text)?)))?;
        let value = |group: &str| Some(Untrusted::bounded(found.name(group)?.as_str().trim(), VALUE_LIMIT));
        Some(Mismatch {
            expected: value("e")?,
            actual: value("a")?,
            place: failure_place(detail).or_else(|| failure_place(message)),
            framework,
        })
    })
}

/// Whether a failure of these types is an assertion. A `KeyError` may have a
/// comparison in its source line and still compare nothing.
fn is_comparison(kinds: &str) -> bool {
    kinds.is_empty()
        || [
            "Assert",
            "assert",
            "Comparison",
            "Expectation",
            "Matcher",
            "Jest",
            "Multiple",
            "Test",
            "fail",
            "Fail",
            "panic",
        ]
        .iter()
        .any(|word| kinds.contains(word))
}

/// What pytest prints about a failure (its `E` lines), where it prints source
/// lines as well; else all of it.
fn printed_lines(detail: &str) -> String {
    let printed: Vec<&str> = detail.lines().filter_map(|line| line.strip_prefix("E  ")).collect();
    if printed.is_empty() { detail.to_owned() } else { printed.join("\n") }
}

/// A value as a literal that may stand in a diff: without quotes or decoration;
/// `None` where it is too short or too common to prove anything.
#[must_use]
pub fn literal(value: &Untrusted) -> Option<&str> {
    let bare = value.raw().trim().trim_matches(['"', '\'', '`', '<', '>', '[', ']']);
    let common = ["true", "false", "none", "null", "nil", "undefined", "0", "1", "2", "-1", "{}", "[]", ""];
    let telling = bare.len() >= 2 && bare.len() <= 200 && !common.contains(&bare.to_ascii_lowercase().as_str());
    telling.then_some(bare)
}

/// Whether an actual value is an error, or the absence of a value: a product
/// does not change to that on purpose.
#[must_use]
pub fn is_error_value(actual: &str) -> bool {
    let bare = actual.trim().trim_matches(['"', '\'', '`', '<', '>']).to_ascii_lowercase();
    let status: Option<u16> = bare.parse().ok();
    status.is_some_and(|s| (500..600).contains(&s))
        || matches!(bare.as_str(), "none" | "null" | "nil" | "undefined" | "" | "{}" | "[]" | "nan")
        || ["exception", "traceback", "internal server error"].iter().any(|e| bare.contains(e))
        || actual.to_ascii_lowercase().contains("<html")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(message: &str) -> Option<(String, String, &'static str)> {
        let failure = Failure { message: Untrusted::new(message), ..Failure::default() };
        let found = read(&failure)?;
        Some((found.expected.raw().to_owned(), found.actual.raw().to_owned(), found.framework))
    }

    #[test]
    fn styles() {
        let table = [
            ("AssertionError: assert 'queued' == 'pending'\n  - pending", "'pending'", "'queued'", "pytest"),
            ("assert 404 == 200\n +  where 404 = <Response>.status_code", "200", "404", "pytest"),
            ("AssertionError: 3 != 4", "4", "3", "unittest"),
            ("expect(received).toBe(expected) // Object.is equality\n\nExpected: 4\nReceived: 3", "4", "3", "jest"),
            ("expected:<4> but was:<3>", "4", "3", "junit"),
            ("expected: <4> but was: <3>", "4", "3", "junit"),
            ("\nexpected: 4\n but was: 3", "4", "3", "assertj"),
            ("\nExpected: is <4>\n     but: was <3>", "<4>", "<3>", "hamcrest"),
            ("expected [4] but found [3]", "4", "3", "testng"),
            ("\n  expected: 4\n       got: 3\n", "4", "3", "rspec"),
            ("Not equal: \n expected: 4\n actual  : 3", "4", "3", "testify"),
            ("assertion `left == right` failed\n  left: 3\n right: 4", "4", "3", "rust"),
            ("Failed asserting that 3 is identical to 4.", "4", "3", "phpunit"),
            ("Failed asserting that 3 matches expected 4.", "4", "3", "phpunit"),
            ("sum.go:3: got 3, want 4", "4", "3", "go"),
            ("expected 3 to equal 4", "4", "3", "mocha"),
            ("Expected values to be strictly equal:\n\n3 !== 4\n", "4", "3", "node-assert"),
            ("3 != 4", "4", "3", "robot"),
        ];
        for (message, expected, actual, framework) in table {
            assert_eq!(read_text(message), Some((expected.into(), actual.into(), framework)), "{message}");
        }
        assert_eq!(read_text("KeyError: 'email'"), None);
        assert_eq!(COMPILED.len(), STYLES.len());
    }

    #[test]
    fn errors_are_no_new_values() {
        for bad in ["500", "None", "'null'", "<html>", "{}", "KeyErrorException"] {
            assert!(is_error_value(bad), "{bad}");
        }
        assert!(!is_error_value("'queued'") && !is_error_value("404"));
    }
}
