//! Which exchanges belong to which test.

use std::collections::HashMap;

use crate::code::openapi::Operation;
use crate::model::exchange::Exchange;
use crate::model::test::TestCase;

/// The traffic of a run, by the tests that sent it.
#[derive(Debug, Default)]
pub struct TrafficByTest<'a> {
    by_test: HashMap<String, Vec<&'a Exchange>>,
    /// What the API descriptions of the repository promise.
    pub described: &'a [Operation],
}

impl<'a> TrafficByTest<'a> {
    /// Sorts exchanges by their tests.
    #[must_use]
    pub fn new(exchanges: &'a [Exchange], described: &'a [Operation]) -> Self {
        let mut by_test: HashMap<String, Vec<&Exchange>> = HashMap::new();
        for exchange in exchanges {
            if let Some(test) = &exchange.test {
                by_test.entry(key(test)).or_default().push(exchange);
                // Reports of JavaScript's runners name no file.
                if let Some(titles) = titles(test) {
                    by_test.entry(key(titles)).or_default().push(exchange);
                }
            }
        }
        Self { by_test, described }
    }

    /// The exchanges of a test, in the order in which they were recorded.
    #[must_use]
    pub fn of(&self, case: &TestCase) -> &[&'a Exchange] {
        if self.by_test.is_empty() {
            return &[];
        }
        names(case).iter().find_map(|name| self.by_test.get(&key(name))).map_or(&[], Vec::as_slice)
    }
}

/// The names that recorders may give a case: the whole name first; a name alone, as
/// cassettes have it, at last.
fn names(case: &TestCase) -> [String; 5] {
    let (class, name) = (case.name.classname.raw(), case.name.name.raw());
    let bare = name.split('[').next().unwrap_or(name);
    [format!("{class}::{name}"), format!("{class} {name}"), format!("{class} {bare}"), name.to_owned(), bare.to_owned()]
}

/// The titles of a test whose file is JavaScript or TypeScript.
fn titles(test: &str) -> Option<&str> {
    let (file, titles) = test.split_once("::")?;
    let ending = file.rsplit('.').next()?;
    matches!(ending, "js" | "cjs" | "mjs" | "jsx" | "ts" | "cts" | "mts" | "tsx").then_some(titles)
}

/// Whether a recorder's name of a test means a case of a report.
#[must_use]
pub fn is_test(name: &str, case: &TestCase) -> bool {
    let [whole, .., own, _] = names(case);
    // Reports of JavaScript's runners name no file.
    key(name) == key(&whole) || titles(name).is_some_and(|titles| [key(&whole), key(&own)].contains(&key(titles)))
}

/// `tests/test_a.py::TestB::test_c[1]` and `tests.test_a.TestB test_c[1]` are one.
fn key(name: &str) -> String {
    let (head, parameters) = name.split_once('[').map_or((name, ""), |(head, rest)| (head, rest));
    // A class of Java stands in a file that is called like it.
    let head = match head.split_once(".java::") {
        Some((file, rest)) => format!("{}::{rest}", file.rsplit_once('/').map_or("", |(package, _)| package)),
        None => head.replace('$', "."),
    };
    let head = head.trim_start_matches("::").trim_end_matches("()");
    let plain = head.replace(".py::", ".").replace("::", ".").replace(['/', '\\', ' '], ".");
    if parameters.is_empty() { plain } else { format!("{plain}[{parameters}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_recorders_and_reports() {
        for (recorder, report) in [
            ("tests/test_a.py::test_b", "tests.test_a test_b"),
            ("tests/test_a.py::TestB::test_c[a/b::c-1]", "tests.test_a.TestB::test_c[a/b::c-1]"),
            ("Orders are made", "Orders are made"),
            ("org/example/OrdersTest.java::OrdersTest::makes", "org.example.OrdersTest::makes()"),
            ("org/example/OrdersTest.java::OrdersTest::Empty::makes", "org.example.OrdersTest$Empty::makes"),
        ] {
            assert_eq!(key(recorder), key(report));
        }
        assert_ne!(key("tests/test_a.py::test_b"), key("tests.test_b test_b"));
    }
}
