//! Which runner a test file belongs to.

use super::Runner;
use crate::code::language::Language;

/// The runner that people call by `name`, or that writes the dialect `name`.
#[must_use]
pub fn recognise_by_name(name: &str) -> Option<Runner> {
    let alias = match name {
        "surefire" | "mvn" => "maven",
        "gotestsum" | "go-junit-report" | "go-test" => "go",
        "cargo-nextest" => "nextest",
        "cargo" | "libtest" => "cargo-test",
        "node" => "node-test",
        other => other,
    };
    Runner::ALL.into_iter().find(|r| r.name() == alias)
}

/// The runner of `file`, by what the repository holds, and by the dialect of the
/// report where several are possible. `read` gives the text of a file.
#[must_use]
pub fn recognise(
    file: &str,
    dialect: Option<&str>,
    files: &[String],
    read: &dyn Fn(&str) -> Option<String>,
) -> Option<Runner> {
    let said = dialect.and_then(recognise_by_name);
    let text = || read(file).unwrap_or_default();
    Some(match Language::of_path(file)? {
        Language::Python => match said {
            Some(Runner::Unittest) => Runner::Unittest,
            _ => Runner::Pytest,
        },
        Language::JavaScript | Language::TypeScript | Language::Tsx => script(file, said, files, read)?,
        Language::Java | Language::Kotlin => {
            let maven = nearest(file, files, &["pom.xml"]);
            let gradle = nearest(file, files, &["build.gradle", "build.gradle.kts"]);
            match (maven, gradle) {
                (None, Some(_)) => Runner::Gradle,
                (Some(m), Some(g)) if g.len() > m.len() || said == Some(Runner::Gradle) => Runner::Gradle,
                (Some(_), _) => Runner::Maven,
                (None, None) => return None,
            }
        }
        Language::Go => Runner::Go,
        Language::Rust => {
            let nextest = files.iter().any(|f| f.ends_with(".config/nextest.toml"));
            if said == Some(Runner::Nextest) || (nextest && said != Some(Runner::CargoTest)) {
                Runner::Nextest
            } else {
                Runner::CargoTest
            }
        }
        Language::Ruby => {
            let spec = file.ends_with("_spec.rb") || text().contains("RSpec");
            return spec.then_some(Runner::Rspec);
        }
        Language::Php => Runner::Phpunit,
    })
}

fn script(file: &str, said: Option<Runner>, files: &[String], read: &dyn Fn(&str) -> Option<String>) -> Option<Runner> {
    let text = read(file).unwrap_or_default();
    if text.contains("@playwright/test") {
        return Some(Runner::Playwright);
    }
    if text.contains("node:test") {
        return Some(Runner::NodeTest);
    }
    if matches!(said, Some(Runner::Jest | Runner::Vitest | Runner::Mocha | Runner::NodeTest | Runner::Playwright)) {
        return said;
    }
    // The nearest manifest that names a runner; a workspace names it at its root.
    let mut folder = file;
    loop {
        folder = folder.rsplit_once('/').map_or("", |(parent, _)| parent);
        let manifest = if folder.is_empty() { "package.json".to_owned() } else { format!("{folder}/package.json") };
        let found = files.contains(&manifest).then(|| read(&manifest)).flatten();
        for (word, runner) in [("vitest", Runner::Vitest), ("jest", Runner::Jest), ("mocha", Runner::Mocha)] {
            if found.as_ref().is_some_and(|m| names(m, word)) {
                return Some(runner);
            }
        }
        if folder.is_empty() {
            return None;
        }
    }
}

/// Whether a manifest names a package or runs it in its test script.
fn names(manifest: &str, word: &str) -> bool {
    let Ok(json) = serde_json::from_str::<serde_json::Value>(manifest) else { return false };
    ["dependencies", "devDependencies"].iter().any(|key| json[key].get(word).is_some())
        || json["scripts"]["test"].as_str().is_some_and(|s| s.split_whitespace().any(|w| w == word))
        || json.get(word).is_some()
}

/// The nearest folder above `file` with one of `names`; the root is "".
pub(super) fn nearest(file: &str, files: &[String], names: &[&str]) -> Option<String> {
    let mut folder = file;
    loop {
        folder = folder.rsplit_once('/').map_or("", |(parent, _)| parent);
        let has = names.iter().any(|name| {
            let path = if folder.is_empty() { (*name).to_owned() } else { format!("{folder}/{name}") };
            files.contains(&path)
        });
        if has {
            return Some(folder.to_owned());
        }
        if folder.is_empty() {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runners_of_files() {
        let files: Vec<String> =
            ["package.json", "pkg/package.json", "java/pom.xml", "kt/build.gradle.kts", "go.mod", "Cargo.toml"]
                .map(str::to_owned)
                .to_vec();
        let read = |path: &str| match path {
            "package.json" => Some(r#"{"devDependencies":{"jest":"^29"}}"#.to_owned()),
            "pkg/package.json" => Some(r#"{"devDependencies":{"vitest":"^3"}}"#.to_owned()),
            "e2e/a.spec.ts" => Some("import { test } from '@playwright/test'".to_owned()),
            _ => None,
        };
        let table = [
            ("tests/test_a.py", None, Some(Runner::Pytest)),
            ("tests/test_a.py", Some("unittest"), Some(Runner::Unittest)),
            ("test/a.test.js", None, Some(Runner::Jest)),
            ("pkg/src/a.test.ts", None, Some(Runner::Vitest)),
            ("test/a.test.js", Some("mocha"), Some(Runner::Mocha)),
            ("e2e/a.spec.ts", None, Some(Runner::Playwright)),
            ("java/src/test/java/ATest.java", None, Some(Runner::Maven)),
            ("kt/src/test/kotlin/ATest.kt", None, Some(Runner::Gradle)),
            ("a_test.go", None, Some(Runner::Go)),
            ("tests/a.rs", Some("nextest"), Some(Runner::Nextest)),
            ("tests/a.rs", None, Some(Runner::CargoTest)),
            ("spec/a_spec.rb", None, Some(Runner::Rspec)),
            ("tests/ATest.php", None, Some(Runner::Phpunit)),
            ("README.md", None, None),
        ];
        for (file, dialect, expected) in table {
            assert_eq!(recognise(file, dialect, &files, &read), expected, "{file} {dialect:?}");
        }
    }
}
