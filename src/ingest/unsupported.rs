//! Files that are not JUnit XML: named, with what to export instead.

use crate::model::text::head;

/// What to say about a file whose first bytes cannot be JUnit XML; `None`
/// where they may be.
#[must_use]
pub fn detect(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4096)]);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let lower = head(text, 400).to_ascii_lowercase();
    let is = |what: &str, remedy: &str| Some(format!("{what}, not JUnit XML: {remedy}"));
    if text.is_empty() {
        return Some(
            "the file is empty: the test runner was stopped before it wrote its report, or wrote it elsewhere"
                .to_owned(),
        );
    }
    if text.starts_with('<') {
        if lower.starts_with("<!doctype html") || lower.starts_with("<html") {
            return is("this is an HTML page", "pass the .xml file that lies beside the HTML report");
        }
        return None;
    }
    if text.starts_with('{') || text.starts_with('[') {
        return if lower.contains("ctrf") || (lower.contains("\"results\"") && lower.contains("\"tool\"")) {
            is("this is CTRF (JSON)", "let the runner write JUnit XML as well, for example with its junit reporter")
        } else if lower.contains("\"action\":") && lower.contains("\"package\":") {
            is("this is the event stream of `go test -json`", "write JUnit XML with `gotestsum --junitfile report.xml`")
        } else if lower.contains("\"numfailedtests\"") {
            is("this is Jest's JSON", "add the `jest-junit` reporter")
        } else {
            is("this is JSON", "let the runner write JUnit XML")
        };
    }
    if text.starts_with("TAP version")
        || text.starts_with("1..")
        || text.starts_with("ok 1")
        || text.starts_with("not ok 1")
    {
        return is("this is TAP", "convert it with `tap2junit`, or `prove --formatter TAP::Formatter::JUnit`");
    }
    if bytes.starts_with(b"\x1f\x8b") || bytes.starts_with(b"PK") {
        return is("this is an archive inside of an archive", "pass the inner archive by itself");
    }
    if bytes.iter().take(512).any(|b| *b == 0) && !looks_wide(bytes) {
        return is("this is a binary file", "pass the .xml report of the test runner");
    }
    // Noise before the XML (a log line, a progress message) is common when a
    // report is taken from standard output.
    if text.contains('<') {
        return None;
    }
    is("this is plain text", "pass the .xml report of the test runner")
}

fn looks_wide(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff])
}

/// What to say about a file by its root element; `None` where it is unknown
/// but may hold cases.
#[must_use]
pub fn by_root(name: &str, keys: &str) -> Option<String> {
    let has = |key: &str| keys.split(' ').any(|k| k == key);
    let (what, remedy) = match name {
        "test-run" => (
            "an NUnit 3 result",
            "run `dotnet test --logger junit` (package JunitXml.TestLogger), or convert it with nunit3-junit.xslt",
        ),
        "test-results" => {
            ("an NUnit 2 result", "convert it with NUnit's JUnit transform, or run `dotnet test --logger junit`")
        }
        "TestRun" => ("a Visual Studio TRX result", "run `dotnet test --logger junit` (package JunitXml.TestLogger)"),
        "assemblies" | "assembly" => {
            ("an xUnit.net result", "run `dotnet test --logger junit` (package JunitXml.TestLogger)")
        }
        "robot" => {
            ("Robot Framework's own output", "run `robot --xunit report.xml`, or `rebot --xunit report.xml output.xml`")
        }
        "Site" => ("a CTest dashboard file", "run `ctest --output-junit report.xml`"),
        "testng-results" => ("TestNG's own report", "pass the JUnit reports from `test-output/junitreports`"),
        "Catch2TestRun" | "Catch" => ("Catch2's own XML", "run it with `--reporter junit`"),
        "html" => ("an HTML page", "pass the .xml file that lies beside the HTML report"),
        "coverage" | "report" if has("line-rate") || has("name") => {
            ("a coverage report", "pass the JUnit report of the test runner")
        }
        "checkstyle" => ("a Checkstyle report", "pass the JUnit report of the test runner"),
        "testExecutions" => ("SonarQube's generic test data", "let the runner write JUnit XML"),
        "events" => ("an Open Test Reporting file", "let the JUnit Platform write its legacy XML report"),
        _ => {
            return Some(format!(
                "the root element is `<{}>`, not `<testsuites>` or `<testsuite>`: pass the JUnit XML report of the test runner",
                head(name, 60)
            ));
        }
    };
    Some(format!("this is {what}, not JUnit XML: {remedy}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stranger_is_named() {
        let table: [(&[u8], &str); 12] = [
            (b"", "empty"),
            (b"  \n", "empty"),
            (b"<!DOCTYPE html><html>", "HTML"),
            (b"{\"results\":{\"tool\":{}}}", "CTRF"),
            (b"{\"reportFormat\":\"CTRF\"}", "CTRF"),
            (b"{\"Time\":1,\"Action\":\"run\",\"Package\":\"x\"}", "gotestsum"),
            (b"{}", "JSON"),
            (b"TAP version 13\n1..2", "tap2junit"),
            (b"1..2\nok 1", "tap2junit"),
            (b"\x7fELF\0\0", "binary"),
            (b"hello", "plain text"),
            (b"PK\x03\x04", "archive"),
        ];
        for (bytes, word) in table {
            let message = detect(bytes).unwrap_or_default();
            assert!(message.contains(word), "{bytes:?}: {message}");
        }
        for fine in [&b"<?xml"[..], b"<testsuite>", b"log line\n<testsuites>", b"\xff\xfe<\0"] {
            assert_eq!(detect(fine), None, "{fine:?}");
        }
    }

    #[test]
    fn roots_are_named_with_a_remedy() {
        for (root, word) in [
            ("test-run", "NUnit 3"),
            ("TestRun", "TRX"),
            ("assemblies", "xUnit.net"),
            ("robot", "--xunit"),
            ("x", "<x>"),
        ] {
            assert!(by_root(root, "").is_some_and(|m| m.contains(word)), "{root}");
        }
    }
}
