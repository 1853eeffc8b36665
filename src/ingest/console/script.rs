//! JSON of Jest (and Vitest, which writes the same), Mocha and RSpec.

use serde_json::Value;

use super::{failure, ran};
use crate::model::execution::{Comparison, TestResult};
use crate::model::test::{Outcome, Place};
use crate::model::text::Untrusted;

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or("")
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn at(file: &str, line: Option<u64>) -> Option<Place> {
    let line = line.and_then(|l| u32::try_from(l).ok());
    (!file.is_empty()).then(|| Place { file: Untrusted::bounded(file, 1000), line })
}

/// `jest --json`; a file that could not be loaded is a case that errored.
#[must_use]
pub fn jest(json: &str) -> Vec<TestResult> {
    let Ok(whole) = serde_json::from_str::<Value>(json) else { return Vec::new() };
    let mut found = Vec::new();
    for file in list(&whole, "testResults") {
        let path = text(file, "name");
        let cases = list(file, "assertionResults");
        if cases.is_empty() && text(file, "status") == "failed" {
            let mut broken = ran(path, "(load)", Outcome::Errored, Some(failure(text(file, "message"))));
            broken.place = at(path, None);
            found.push(broken);
        }
        for case in cases {
            let outcome = match text(case, "status") {
                "passed" => Outcome::Passed,
                "failed" => Outcome::Failed,
                _ => Outcome::Skipped,
            };
            let groups: Vec<&str> = list(case, "ancestorTitles").iter().filter_map(Value::as_str).collect();
            let messages: Vec<&str> = list(case, "failureMessages").iter().filter_map(Value::as_str).collect();
            let about = outcome.is_bad().then(|| failure(&messages.join("\n")));
            let mut made = ran(&groups.join(" "), text(case, "title"), outcome, about);
            made.place = at(path, case["location"]["line"].as_u64());
            found.push(made);
        }
    }
    found
}

/// Mocha's `json` reporter.
#[must_use]
pub fn mocha(json: &str) -> Vec<TestResult> {
    let Ok(whole) = serde_json::from_str::<Value>(json) else { return Vec::new() };
    let pending: Vec<&str> = list(&whole, "pending").iter().map(|t| text(t, "fullTitle")).collect();
    list(&whole, "tests")
        .iter()
        .map(|case| {
            let full = text(case, "fullTitle");
            let title = text(case, "title");
            let err = &case["err"];
            let failed = err.as_object().is_some_and(|e| !e.is_empty());
            let outcome = match (failed, pending.contains(&full)) {
                (true, _) => Outcome::Failed,
                (_, true) => Outcome::Skipped,
                _ => Outcome::Passed,
            };
            let about = failed.then(|| {
                let stack = text(err, "stack");
                failure(if stack.is_empty() { text(err, "message") } else { stack })
            });
            let mut made = ran(full.strip_suffix(title).unwrap_or("").trim(), title, outcome, about);
            made.place = at(text(case, "file"), None);
            if let (Some(actual), Some(expected)) = (err["actual"].as_str(), err["expected"].as_str()) {
                made.compared =
                    Some(Comparison { op: "==".to_owned(), left: actual.to_owned(), right: expected.to_owned() });
            }
            made
        })
        .collect()
}

/// `rspec --format json`.
#[must_use]
pub fn rspec(json: &str) -> Vec<TestResult> {
    // Warnings may be printed around the document.
    let Some(start) = json.find('{') else { return Vec::new() };
    let Some(Ok(whole)) = serde_json::Deserializer::from_str(&json[start..]).into_iter::<Value>().next() else {
        return Vec::new();
    };
    let mut found: Vec<TestResult> = list(&whole, "examples")
        .iter()
        .map(|case| {
            let outcome = match text(case, "status") {
                "passed" => Outcome::Passed,
                "failed" => Outcome::Failed,
                _ => Outcome::Skipped,
            };
            let about = outcome.is_bad().then(|| {
                let raised = &case["exception"];
                let trace: Vec<&str> = list(raised, "backtrace").iter().filter_map(Value::as_str).take(30).collect();
                let mut made = failure(&format!("{}\n{}", text(raised, "message"), trace.join("\n")));
                made.kind = Some(Untrusted::bounded(text(raised, "class"), 200));
                made
            });
            let (full, own) = (text(case, "full_description"), text(case, "description"));
            let mut made = ran(full.strip_suffix(own).unwrap_or("").trim(), own, outcome, about);
            made.place = at(text(case, "file_path").trim_start_matches("./"), case["line_number"].as_u64());
            made
        })
        .collect();
    let outside = whole["summary"]["errors_outside_of_examples_count"].as_u64().unwrap_or(0);
    if found.is_empty() && outside > 0 {
        let about: Vec<&str> = list(&whole, "messages").iter().filter_map(Value::as_str).collect();
        found.push(ran("", "(load)", Outcome::Errored, Some(failure(&about.join("\n")))));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents() {
        let found = jest(
            r#"{"testResults":[{"name":"/w/a.test.js","status":"failed","assertionResults":[{"ancestorTitles":["cart"],"title":"adds","status":"failed","failureMessages":["Error: expect(received).toBe(expected)"],"location":{"line":4}}]},{"name":"/w/b.test.js","status":"failed","message":"Cannot find module","assertionResults":[]}]}"#,
        );
        assert_eq!((found[0].name.classname.raw(), found[0].name.name.raw()), ("cart", "adds"));
        assert_eq!((found[0].place.as_ref().unwrap().line, found[1].outcome), (Some(4), Outcome::Errored));
        let found = mocha(
            r#"{"tests":[{"title":"adds","fullTitle":"cart adds","err":{"message":"m","stack":"s","actual":"3","expected":"4"}}],"pending":[]}"#,
        );
        assert_eq!(found[0].compared.as_ref().unwrap().right, "4");
        let found = rspec(
            "warning\n{\"examples\":[{\"description\":\"adds\",\"full_description\":\"cart adds\",\"status\":\"failed\",\"file_path\":\"./spec/a_spec.rb\",\"line_number\":3,\"exception\":{\"class\":\"E\",\"message\":\"m\",\"backtrace\":[\"x:1\"]}}]}\n",
        );
        assert_eq!((found[0].name.classname.raw(), found[0].outcome), ("cart", Outcome::Failed));
        for odd in ["", "{", "[]", "{\"tests\":3}", "null"] {
            assert!(jest(odd).is_empty() && mocha(odd).is_empty() && rspec(odd).is_empty());
        }
    }
}
