//! Both values of a comparison in full, also where they are printed as a diff.

use std::sync::LazyLock;

use regex::Regex;

use super::COMPILED;
use crate::model::text::head;

/// Bytes of a failure's text that are searched.
const SEARCHED: usize = 128 << 10;

/// Expected and actual, as printed, in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValuePair {
    /// The expected value.
    pub expected: String,
    /// The actual value.
    pub actual: String,
    /// The assertion style.
    pub style: &'static str,
}

impl ValuePair {
    /// Whether the style prints texts in quotes.
    #[must_use]
    pub fn quotes_shown(&self) -> bool {
        !matches!(self.style, "junit" | "testng" | "robot" | "go" | "rest-assured" | "mockmvc")
    }
}

/// Diffs: how they begin, the sign of expected lines, the sign of actual lines.
const DIFFS: &[(&str, &str, char, char)] = &[
    ("jest", r"(?m)^ *- Expected\b[^\n]*\n *\+ Received\b[^\n]*\n\s*\n", '-', '+'),
    ("node-assert", r"(?m)^\+ actual - expected[^\n]*\n\s*\n", '-', '+'),
    ("mocha", r"(?m)^ *\+ expected - actual\s*\n\s*\n", '+', '-'),
    ("phpunit", r"(?m)^--- Expected\n\+\+\+ Actual\n@@ @@\n", '-', '+'),
];

/// Values that may have several lines.
const LONG: &[(&str, &str)] = &[
    ("junit", r"(?s)expected: ?<(?P<e>.*?)> but was: ?<(?P<a>.*?)>(?:\n\s*at |\s*$|\n)"),
    ("rest-assured", r"Expected status code <(?P<e>[^>]*)> but was <(?P<a>[^>]*)>"),
    ("mockmvc", r#"(?:Status|JSON path "[^"\n]*") expected:<(?P<e>.*?)> but was:<(?P<a>.*?)>"#),
    ("supertest", r#"expected (?P<e>\d{3}) "[^"\n]*", got (?P<a>\d{3}) ""#),
    ("supertest", r"expected (?P<e>[\[{].*?[\]}]) response body, got (?P<a>[\[{][^\n]*[\]}])"),
    ("assertj", r"(?s)expected: (?P<e>.*?)\n\s*but was: (?P<a>.*?)(?:\n\s*at |\n\s*\n|\s*$)"),
    ("vitest", r"expected (?P<a>[^\n]+?) to be (?P<e>[^\n]+?) // Object\.is equality"),
    ("phpunit-throw", r"Failed asserting that exception message '(?P<a>.*?)' contains '(?P<e>.*?)'\."),
    ("chai-throw", r"to throw (?:an )?error (?:including|matching) (?P<e>[^\n]+?) but got (?P<a>'[^\n]*')"),
    ("rspec-throw", r#"expected [A-Z][\w:]* with "(?P<e>[^\n]*?)", got #<[\w:]+: (?P<a>[^\n]*?)>"#),
    ("pytest-throw", r#"(?s)Regex:? ?['"](?P<e>.*?)['"]\n\s*(?:E\s+)?Input:? ?['"](?P<a>.*?)['"]"#),
    (
        "pytest-throw",
        r#"(?s)Expected regex: ?['"](?P<e>.*?)['"]\n\s*(?:E\s+)?Actual message: ?['"](?P<a>.*?)['"]\s*(?:\n|$)"#,
    ),
    ("unittest-throw", r#"AssertionError: "(?P<e>.*?)" does not match "(?P<a>.*?)"\s*(?:\n|$)"#),
    ("jest-throw", r"Expected (?:substring|pattern|message):\s*(?P<e>[^\n]+)\n\s*Received message:\s*(?P<a>[^\n]+)"),
];

static DIFF: LazyLock<Vec<(&'static str, Regex, char, char)>> =
    LazyLock::new(|| DIFFS.iter().filter_map(|(name, p, e, a)| Some((*name, Regex::new(p).ok()?, *e, *a))).collect());
static VALUES: LazyLock<Vec<(&'static str, Regex)>> =
    LazyLock::new(|| LONG.iter().filter_map(|(name, p)| Some((*name, Regex::new(p).ok()?))).collect());

/// Reads both values from a failure's text.
#[must_use]
pub fn both(text: &str) -> Option<ValuePair> {
    let text = head(text, SEARCHED);
    if let Some(found) = DIFF.iter().find_map(|(style, re, e, a)| diff(style, re, *e, *a, text)) {
        return Some(found);
    }
    let printed: Vec<&str> = text.lines().filter_map(|l| l.strip_prefix("E  ")).collect();
    let text = if printed.is_empty() { text.to_owned() } else { printed.join("\n") };
    let rows = VALUES.iter().chain(COMPILED.iter());
    rows.into_iter().find_map(|(style, re)| {
        let found = re.captures(&text)?;
        let value = |group: &str| found.name(group).map(|m| m.as_str().trim().to_owned());
        Some(ValuePair { expected: value("e")?, actual: value("a")?, style })
    })
}

/// Puts the two sides of a diff together again.
fn diff(style: &'static str, begin: &Regex, expected_sign: char, actual_sign: char, text: &str) -> Option<ValuePair> {
    let begun = begin.find(text)?;
    let (mut expected, mut actual) = (String::new(), String::new());
    let body = &text[begun.end()..];
    let indent = body.lines().next().map_or(0, |l| l.len() - l.trim_start_matches(' ').len());
    // Mocha and Playwright indent the whole diff; two columns belong to the signs.
    let signs = |margin: usize| {
        let at = |l: &str| l.get(margin..).and_then(|l| l.chars().next());
        body.lines().take_while(|l| !l.trim().is_empty()).any(|l| matches!(at(l), Some('+' | '-')))
    };
    let margin = (0..=indent).find(|m| signs(*m)).unwrap_or(0);
    for line in body.lines() {
        let line = line.get(margin..).unwrap_or("");
        let ends = ["at ", "code: 'ERR_", "failureType:", "generatedMessage:", "AssertionError", "❯"];
        if line.trim().is_empty() || ends.iter().any(|e| line.trim_start().starts_with(e)) {
            break;
        }
        if line.starts_with("@@") || line.trim_start().starts_with("...") {
            // A part is left out: the whole cannot be had.
            return None;
        }
        let rest = line.get(1..).unwrap_or("");
        match line.chars().next() {
            Some(sign) if sign == expected_sign => add(&mut expected, rest),
            Some(sign) if sign == actual_sign => add(&mut actual, rest),
            _ => {
                add(&mut expected, line);
                add(&mut actual, line);
            }
        }
    }
    (!expected.trim().is_empty() || !actual.trim().is_empty()).then(|| ValuePair {
        expected: expected.trim().to_owned(),
        actual: actual.trim().to_owned(),
        style,
    })
}

fn add(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles() {
        let jest = "Error: expect(received).toEqual(expected) // deep equality\n\n- Expected  - 1\n+ Received  + 1\n\n  Object {\n-   \"name\": \"Ada\",\n+   \"name\": \"Bob\",\n  }\n    at Object.<anonymous> (a.test.js:3:4)";
        let found = both(jest).unwrap();
        assert!(
            found.expected.contains("\"Ada\"") && !found.expected.contains("Bob") && found.actual.contains("\"Bob\"")
        );
        let node = "Expected values to be strictly deep-equal:\n+ actual - expected\n\n  {\n+   a: 1\n-   a: 2\n  }\n";
        let found = both(node).unwrap();
        assert!(found.actual.contains("a: 1") && found.expected.contains("a: 2"));
        let table = [
            ("org.opentest4j.AssertionFailedError: expected: <Ada> but was: <Bob>\n\tat x", "Ada", "Bob"),
            ("java.lang.AssertionError: Status expected:<200> but was:<201>", "200", "201"),
            ("Expected status code <200> but was <201>.", "200", "201"),
            ("Error: expected 200 \"OK\", got 201 \"Created\"", "200", "201"),
            ("Error: expected { a: 1 } response body, got { a: 2 }", "{ a: 1 }", "{ a: 2 }"),
            (
                "AssertionError: Regex pattern did not match.\n Regex: 'must be positive'\n Input: 'must be above zero'",
                "must be positive",
                "must be above zero",
            ),
            ("AssertionError: expected 'on' to be 'off' // Object.is equality", "'off'", "'on'"),
            ("AssertionError: expected [Function] to throw error including 'a b' but got 'c d'", "'a b'", "'c d'"),
            ("expected ArgumentError with \"a b\", got #<ArgumentError: c d> with backtrace:", "a b", "c d"),
            ("Failed asserting that exception message 'c d' contains 'a b'.", "a b", "c d"),
            ("assertion `left == right` failed\n  left: 3\n right: 4", "4", "3"),
            ("AssertionError: {'a': 1} != {'a': 2}", "{'a': 2}", "{'a': 1}"),
        ];
        for (text, expected, actual) in table {
            let found = both(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((found.expected.as_str(), found.actual.as_str()), (expected, actual), "{text}");
        }
        assert_eq!(both("KeyError: 'name'"), None);
        assert_eq!((DIFF.len(), VALUES.len()), (DIFFS.len(), LONG.len()));
    }
}
