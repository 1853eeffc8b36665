//! File and line from a failure's text, in the notations of common runners.

use crate::model::test::Place;
use crate::model::text::Untrusted;

/// Endings of source files in which a failure's place is looked for.
const ENDINGS: &[&str] = &[
    "py", "js", "jsx", "mjs", "cjs", "ts", "tsx", "java", "kt", "kts", "scala", "groovy", "go", "rs", "rb", "php", "c",
    "cc", "cpp", "cxx", "h", "hpp", "cs", "fs", "swift", "ex", "exs", "bats", "t", "robot", "pl", "pm", "lua",
];

/// All places named in `text`, in its order, at most `limit` of them:
/// `path.ext:line` as most runners write it, Python's `File "…", line N`,
/// and Perl's `at path line N`.
///
/// A scan for the number rather than a regular expression, because it runs
/// over every stack trace of a report.
#[must_use]
pub fn places(text: &str, limit: usize) -> Vec<(String, u32)> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(next) = memchr::memchr2(b':', b' ', &bytes[at..]) {
        let mark = at + next;
        at = mark + 1;
        let path_end = if bytes[mark] == b':' {
            mark
        } else if bytes[at..].starts_with(b"line ") && mark > 0 {
            at += 5;
            mark - usize::from(bytes[mark - 1] == b',')
        } else {
            continue;
        };
        let Some(line) = number_at(&bytes[at..]) else {
            continue;
        };
        if let Some(path) = path_before(text, path_end) {
            found.push((path.to_owned(), line));
            if found.len() == limit {
                break;
            }
        }
    }
    found
}

fn number_at(bytes: &[u8]) -> Option<u32> {
    let digits = bytes.iter().take(8).take_while(|b| b.is_ascii_digit()).count();
    std::str::from_utf8(&bytes[..digits]).ok()?.parse().ok()
}

/// The path that ends at `end`, if it has the ending of a source file.
fn path_before(text: &str, end: usize) -> Option<&str> {
    let before = text.get(..end)?;
    let path = if let Some(quoted) = before.strip_suffix('"') {
        &quoted[quoted.rfind('"')? + 1..]
    } else {
        let stops = |c: char| {
            c.is_whitespace() || matches!(c, '(' | ')' | '[' | ']' | '<' | '>' | '"' | '\'' | ',' | ';' | '=')
        };
        let path =
            &before[before.rfind(stops).map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8))..];
        // `C:\x.py` keeps its drive; `Error:src/x.py` does not keep the word before it.
        match path.rfind(':') {
            Some(colon)
                if colon > 1 && path.as_bytes().get(colon + 1) == Some(&b'/') && path[..colon].ends_with("file") =>
            {
                path[colon + 1..].trim_start_matches("//")
            }
            Some(colon) if colon != 1 => &path[colon + 1..],
            _ => path,
        }
    };
    let (_, ending) = path.rsplit_once('.')?;
    (path.len() <= 400 && ENDINGS.contains(&ending)).then_some(path)
}

/// Path parts that mark code which is not the project's own.
const FOREIGN: &[&str] = &[
    "site-packages/",
    "dist-packages/",
    "node_modules/",
    "/lib/python",
    "lib/python3",
    "internal/process",
    "node:internal",
    "/usr/lib/",
    "/usr/local/lib/",
    "/usr/share/",
    ".cargo/registry",
    "/rustc/",
    "/rustlib/",
    "go/src/testing",
    "/usr/local/go/",
    "pkg/mod/",
    "vendor/",
    "/gems/",
    "importlib/",
    "runtime/panic.go",
    "runtime/debug",
    "testing/testing.go",
    "<frozen",
    "catch_test_macros",
    "PHPUnit/",
    "phpunit/src",
    "_pytest/",
    "unittest/",
    "/pluggy/",
    "junit/framework",
    "TAP/",
];

/// Whether `path` looks like a runner's, a runtime's or a library's own file.
#[must_use]
pub fn is_foreign(path: &str) -> bool {
    let path = path.replace('\\', "/");
    FOREIGN.iter().any(|part| path.contains(part)) || path.starts_with("node:") || path.starts_with("internal/")
}

/// The place a failure's text points to: the innermost frame in the project's
/// own code that looks like test code, else the innermost of its own code.
///
/// "Innermost" is the first one in runners that print the newest frame first
/// (Java, JavaScript, Go, Ruby) and the last one in Python, whose own marker
/// `File "…", line N` or `path.py:N: Error` says so.
#[must_use]
pub fn failure_place(text: &str) -> Option<Place> {
    let mut own: Vec<(String, u32)> = places(text, 60).into_iter().filter(|(file, _)| !is_foreign(file)).collect();
    if own.iter().any(|(file, _)| file.ends_with(".py")) {
        own.reverse();
    }
    let chosen = own.iter().find(|(file, _)| is_test_path(file)).or_else(|| own.first())?;
    Some(Place { file: Untrusted::bounded(&chosen.0, 400), line: Some(chosen.1) })
}

/// Whether a path is that of test code, by the conventions of many languages.
#[must_use]
pub fn is_test_path(path: &str) -> bool {
    let path = path.replace('\\', "/");
    let cased = path.rsplit('/').next().unwrap_or(&path).split('.').next().unwrap_or("");
    let lower = path.to_lowercase();
    let file = lower.rsplit('/').next().unwrap_or(&lower);
    let stem = file.split('.').next().unwrap_or(file);
    lower.split('/').rev().skip(1).any(|part| {
        matches!(
            part,
            "test"
                | "tests"
                | "spec"
                | "specs"
                | "__tests__"
                | "testing"
                | "e2e"
                | "testdata"
                | "fixtures"
                | "__snapshots__"
                | "__fixtures__"
                | "cassettes"
        )
    }) || stem.starts_with("test_")
        || stem.ends_with("_test")
        || stem.ends_with("_spec")
        || ["Test", "Tests", "Spec", "IT"].iter().any(|ending| cased.ends_with(ending))
        || stem == "conftest"
        || file.contains(".test.")
        || file.contains(".spec.")
        || file.ends_with(".snap")
        || file.ends_with(".ambr")
}

/// Whether a path is that of a text for people.
#[must_use]
pub fn is_prose(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    [".md", ".rst", ".txt", ".adoc"].iter().any(|end| lower.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place_of(text: &str) -> Option<(String, u32)> {
        failure_place(text).and_then(|p| Some((p.file.raw().to_owned(), p.line?)))
    }

    #[test]
    fn notations() {
        let table = [
            ("tests/test_api.py:12: AssertionError", Some(("tests/test_api.py", 12))),
            (
                "Traceback\n  File \"/w/app.py\", line 3, in f\n  File \"/w/tests/test_a.py\", line 9, in t",
                Some(("/w/tests/test_a.py", 9)),
            ),
            ("    at Object.<anonymous> (src/sum.test.js:7:15)", Some(("src/sum.test.js", 7))),
            (
                "\tat org.junit.Assert.fail(Assert.java:89)\n\tat com.acme.CartTest.adds(CartTest.java:22)",
                Some(("CartTest.java", 22)),
            ),
            ("    cart_test.go:18: got 2, want 3", Some(("cart_test.go", 18))),
            ("thread 'x' panicked at src/lib.rs:31:9:", Some(("src/lib.rs", 31))),
            ("# ./spec/cart_spec.rb:5:in `block'", Some(("./spec/cart_spec.rb", 5))),
            ("/w/tests/CartTest.php:14", Some(("/w/tests/CartTest.php", 14))),
            ("/usr/lib/python3.11/json/decoder.py:355: JSONDecodeError", None),
            ("no place at all", None),
        ];
        for (text, expected) in table {
            assert_eq!(place_of(text), expected.map(|(f, l)| (f.to_owned(), l)), "{text}");
        }
    }

    #[test]
    fn test_paths() {
        for path in ["tests/a.py", "a_test.go", "src/a.spec.ts", "CartTest.java", "spec/a.rb"] {
            assert!(is_test_path(path), "{path}");
        }
        for path in ["src/app.py", "latest.py", "contest/x.go"] {
            assert!(!is_test_path(path), "{path}");
        }
    }
}
