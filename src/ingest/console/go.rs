//! `go test -json`: <https://pkg.go.dev/cmd/test2json>.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{failure, ran};
use crate::model::execution::TestResult;
use crate::model::test::Outcome;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    action: String,
    #[serde(default)]
    package: String,
    #[serde(default)]
    import_path: String,
    #[serde(default)]
    test: String,
    #[serde(default)]
    output: String,
}

/// The cases in the events; a package that does not build is one that errored.
/// Lines that are no events are passed over.
#[must_use]
pub fn go(text: &str) -> Vec<TestResult> {
    let mut outputs: BTreeMap<(String, String), String> = BTreeMap::new();
    let mut found = Vec::new();
    for line in text.lines() {
        let Ok(event) = serde_json::from_str::<Event>(line) else { continue };
        let package = if event.package.is_empty() { event.import_path.clone() } else { event.package.clone() };
        let key = (package, event.test.clone());
        let outcome = match event.action.as_str() {
            "output" | "build-output" => {
                outputs.entry(key).or_default().push_str(&event.output);
                continue;
            }
            "pass" => Outcome::Passed,
            "fail" => Outcome::Failed,
            "skip" => Outcome::Skipped,
            _ => continue,
        };
        if event.test.is_empty() {
            continue;
        }
        let output = outputs.get(&key).map_or("", String::as_str);
        found.push(ran(&key.0, &key.1, outcome, outcome.is_bad().then(|| failure(output))));
    }
    if found.is_empty() {
        let broken = outputs.iter().find(|(_, text)| {
            text.contains("[build failed]") || text.contains("[setup failed]") || text.contains(".go:")
        });
        if let Some(((package, _), text)) = broken {
            found.push(ran(package, "(build)", Outcome::Errored, Some(failure(text))));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events() {
        let text = r#"{"Action":"run","Package":"shop","Test":"TestA"}
not json
{"Action":"output","Package":"shop","Test":"TestA","Output":"    a_test.go:5: got 3, want 4\n"}
{"Action":"fail","Package":"shop","Test":"TestA"}
{"Action":"pass","Package":"shop","Test":"TestB/x"}
{"Action":"fail","Package":"shop"}"#;
        let found = go(text);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].name.name.raw(), found[0].outcome), ("TestA", Outcome::Failed));
        assert!(found[0].failure.as_ref().unwrap().detail.raw().contains("want 4"));
        assert_eq!(found[1].name.name.raw(), "TestB/x");
    }
}
