//! What a failing test expected and what it got.

use std::sync::LazyLock;

use regex::Regex;

use crate::code::expr::Expr;
use crate::code::repr_parser;
use crate::code::value::{self, Value};
use crate::diagnose::mismatch::full_values;
use crate::ingest::source_location::{is_foreign, places};
use crate::model::execution::TestResult;

/// A failure, read.
#[derive(Clone, Debug, PartialEq)]
pub struct ParsedFailure {
    /// What it is.
    pub what: FailureKind,
    /// File and line of its frames in the project's own code, innermost first.
    pub places: Vec<(String, u32)>,
    /// All that was written about it.
    pub text: String,
}

/// What a failure is.
#[derive(Clone, Debug, PartialEq)]
pub enum FailureKind {
    /// Two values are not the same. `first` is the one that is expected by the
    /// convention of the style, which authors do not always keep.
    Compared {
        /// Expected by convention.
        first: Value,
        /// Actual by convention.
        second: Value,
        /// Whether texts are printed in quotes.
        quotes_shown: bool,
    },
    /// A message is not the expected one.
    Message {
        /// The pattern or text that was wanted.
        wanted: String,
        /// The message that came.
        came: String,
    },
    /// Something was looked up by a name that is not there.
    Missing {
        /// The name.
        name: String,
    },
    /// An assertion whose values cannot be read.
    Unread,
    /// Another exception.
    Raised {
        /// Its first line.
        message: String,
    },
}

impl FailureKind {
    /// Whether two failures are about the same; maps may print in any order.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Compared { first: a, second: b, .. }, Self::Compared { first: c, second: d, .. }) => {
                a.same(c) && b.same(d)
            }
            (a, b) => a == b,
        }
    }
}

/// Reads a test that ran and failed.
#[must_use]
pub fn read(ran: &TestResult) -> Option<ParsedFailure> {
    let failure = ran.failure.as_ref()?;
    let text = format!("{}\n{}", failure.message.raw(), failure.detail.raw());
    let what = compared(ran).or_else(|| message(&text)).or_else(|| missing(&text)).or_else(|| printed_values(&text));
    let first = text.lines().map(str::trim).find(|l| !l.is_empty()).unwrap_or("").to_owned();
    // An assertion that cannot be read is no exception of the product.
    let kind = failure.kind.as_ref().map_or("", |k| k.raw());
    let asserts = ["Assert", "assert", "expect", "Expect", "Failed asserting"]
        .iter()
        .any(|w| kind.contains(w) || text.contains(w));
    let what = what.unwrap_or(if asserts { FailureKind::Unread } else { FailureKind::Raised { message: first } });
    Some(ParsedFailure { what, places: own_places(&text), text })
}

fn compared(ran: &TestResult) -> Option<FailureKind> {
    let seen = ran.compared.as_ref()?;
    // What was compared last need not be what failed in the end.
    let raised = ran.failure.as_ref().is_some_and(|f| {
        let kind = f.kind.as_ref().map_or("", |k| k.raw());
        let text = f.message.raw();
        !(kind.is_empty() || kind.contains("Assert")) || (missing(text).is_some() && !text.contains("assert"))
    });
    if raised || !matches!(seen.op.as_str(), "==" | "is") {
        return None;
    }
    // pytest and Mocha see the actual value on the left.
    Some(FailureKind::Compared {
        first: repr_parser::read(&seen.right),
        second: repr_parser::read(&seen.left),
        quotes_shown: true,
    })
}

fn message(text: &str) -> Option<FailureKind> {
    let found = full_values::both(text).filter(|b| b.style.ends_with("-throw"))?;
    let bare = |t: &str| t.trim().trim_matches(['"', '\'']).to_owned();
    let quoted = matches!(found.style, "jest-throw" | "chai-throw");
    let (wanted, came) = (found.expected, found.actual);
    Some(if quoted {
        FailureKind::Message { wanted: bare(&wanted), came: bare(&came) }
    } else {
        FailureKind::Message { wanted, came }
    })
}

fn printed_values(text: &str) -> Option<FailureKind> {
    let found = full_values::both(text)?;
    if repr_parser::is_cut(&found.actual) {
        return None;
    }
    let quotes_shown = found.quotes_shown();
    let (first, second) = (repr_parser::read(&found.expected), repr_parser::read(&found.actual));
    Some(FailureKind::Compared { first, second, quotes_shown })
}

/// Ways in which languages say that a name is not there.
const MISSING: &[&str] = &[
    r#"KeyError: ['"](?P<n>[^'"\n]+)['"]"#,
    r#"AttributeError: .*has no attribute ['"](?P<n>\w+)['"]"#,
    r#"TypeError: .*unexpected keyword argument ['"](?P<n>\w+)['"]"#,
    r"TypeError: \S*?\.(?P<n>\w+) is not a function",
    r"TypeError: Cannot read propert(?:y|ies) '?(?P<n>\w+)'? of undefined",
    r"NoMethodError:? undefined method [`'](?P<n>\w+)'",
    r"undefined method [`'](?P<n>\w+)' for",
    r#"KeyError:? key not found: ["':]+(?P<n>\w+)"#,
    r#"Undefined (?:array key|index|property):? "?\$?(?P<n>\w+)"?"#,
    r"ImportError: cannot import name '(?P<n>\w+)'",
    r"No results for path: \$(?:\['?|\.)(?P<n>\w+)",
    r#"No value at JSON path "\$\.?(?P<n>[\w.]+)""#,
];

static NAMES: LazyLock<Vec<Regex>> = LazyLock::new(|| MISSING.iter().filter_map(|p| Regex::new(p).ok()).collect());

fn missing(text: &str) -> Option<FailureKind> {
    NAMES.iter().find_map(|re| Some(FailureKind::Missing { name: re.captures(text)?["n"].to_owned() }))
}

/// Frames in the project's own code, innermost first.
fn own_places(text: &str) -> Vec<(String, u32)> {
    let mut found: Vec<(String, u32)> = places(text, 80).into_iter().filter(|(file, _)| !is_foreign(file)).collect();
    if found.iter().any(|(file, _)| file.ends_with(".py")) {
        found.reverse();
    }
    found.dedup();
    found
}

impl ParsedFailure {
    /// The value that came, against the literal that was expected: the side that
    /// is not the literal.
    #[must_use]
    pub fn actual(&self, literal: &Expr) -> Option<(&Value, bool)> {
        let FailureKind::Compared { first, second, quotes_shown } = &self.what else { return None };
        let is = |v: &Value| value::of(literal).is_some_and(|l| l.same(&value::as_kind_of(v, literal, *quotes_shown)));
        Some((if !is(first) && is(second) { first } else { second }, *quotes_shown))
    }

    /// Both values, expected first by convention.
    #[must_use]
    pub fn pair(&self) -> Option<(&Value, &Value)> {
        match &self.what {
            FailureKind::Compared { first, second, .. } => Some((first, second)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_not_there() {
        let table = [
            ("KeyError: 'email'", "email"),
            ("AttributeError: 'User' object has no attribute 'name'", "name"),
            ("TypeError: cart.total is not a function", "total"),
            ("NoMethodError: undefined method `name' for nil", "name"),
        ];
        for (text, name) in table {
            assert_eq!(missing(text), Some(FailureKind::Missing { name: name.to_owned() }), "{text}");
        }
        assert_eq!(NAMES.len(), MISSING.len());
    }
}
