//! How a command that runs a suite is told to run some of its tests, and where the
//! reports are that it writes.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::adapters::files;
use crate::error::Problem;

/// What the command of a suite understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Select {
    /// Our plug-in of pytest reads the names from a file.
    Plugin,
    /// Maven's Surefire.
    Maven,
    /// Jest and Vitest.
    Jest,
    /// Mocha.
    Mocha,
}

impl Select {
    /// By the words of a command; `None` where nothing is known of it.
    pub(super) fn of(command: &[String]) -> Option<Self> {
        let name = |word: &String| word.rsplit(['/', '\\']).next().unwrap_or(word).to_owned();
        let first = command.first().map(name)?;
        if matches!(first.as_str(), "mvn" | "mvnw" | "mvn.cmd" | "mvnw.cmd" | "mvnd") {
            return Some(Self::Maven);
        }
        // `npx jest`, `node node_modules/.bin/jest`; a script of npm may do anything.
        command.iter().take(4).map(name).find_map(|word| match word.as_str() {
            "jest" | "jest.js" | "vitest" | "vitest.mjs" => Some(Self::Jest),
            "mocha" | "mocha.js" => Some(Self::Mocha),
            _ => None,
        })
    }

    /// The words that choose tests, by the names that recorders give them.
    pub(super) fn words(self, tests: &[String]) -> Vec<String> {
        let titles = || {
            let all = tests.iter().map(|test| test.split("::").skip(1).collect::<Vec<_>>().join(" "));
            let all: Vec<String> = all.map(|title| regex::escape(&title)).collect();
            format!("^\\s?({})$", all.join("|"))
        };
        let files = || {
            let mut all: Vec<String> =
                tests.iter().filter_map(|test| test.split("::").next()).map(str::to_owned).collect();
            all.sort();
            all.dedup();
            all
        };
        match self {
            Self::Plugin => Vec::new(),
            Self::Maven => {
                let all: Vec<String> = tests.iter().map(|test| method(test)).collect();
                vec![format!("-Dtest={}", all.join(",")), "-Dsurefire.failIfNoSpecifiedTests=false".to_owned()]
            }
            Self::Jest => [vec!["-t".to_owned(), titles()], files()].concat(),
            Self::Mocha => vec!["--grep".to_owned(), titles()],
        }
    }
}

/// `org/example/OrdersTest.java::OrdersTest::reads` as Surefire has it.
fn method(test: &str) -> String {
    let (file, names) = test.split_once("::").unwrap_or(("", test));
    let package = file.rsplit_once('/').map_or_else(String::new, |(folder, _)| folder.replace('/', ".") + ".");
    let (classes, method) = names.rsplit_once("::").unwrap_or((names, "*"));
    format!("{package}{}#{method}", classes.replace("::", "$"))
}

/// The reports that a command writes, by their places.
#[derive(Debug)]
pub(super) struct Reports {
    patterns: Vec<String>,
}

impl Reports {
    /// Those that are named, else where Maven and Gradle always write them.
    pub(super) fn at(named: &[String]) -> Self {
        let named: Vec<String> = named.iter().filter(|p| !p.trim().is_empty()).cloned().collect();
        let usual = ["**/target/surefire-reports/TEST-*.xml", "**/build/test-results/**/TEST-*.xml"];
        Self { patterns: if named.is_empty() { usual.map(str::to_owned).to_vec() } else { named } }
    }

    /// Those that are there, with when they were written.
    pub(super) fn present(&self) -> Vec<(PathBuf, Option<SystemTime>)> {
        let written = |path: &PathBuf| path.metadata().and_then(|m| m.modified()).ok();
        let all = files::matching(Path::new(""), &self.patterns).into_iter();
        all.filter(|path| path.is_file()).map(|path| (path.clone(), written(&path))).collect()
    }

    /// Copies of those that were written since `before` was seen, into a folder, named by
    /// their places with something behind them; with those places.
    pub(super) fn copied(
        &self,
        before: &[(PathBuf, Option<SystemTime>)],
        folder: &Path,
        behind: &str,
    ) -> Result<Vec<(PathBuf, PathBuf)>, Problem> {
        let mut all = Vec::new();
        for (path, written) in self.present() {
            if before.contains(&(path.clone(), written)) {
                continue;
            }
            let name = path.with_extension("").display().to_string().replace(['/', '\\'], "_");
            let copy = folder.join(format!("{name}{behind}.xml"));
            files::copy(&path, &copy)?;
            all.push((path, copy));
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn commands_and_their_words() {
        let tests = words("a/b/CTest.java::CTest::reads a/b/CTest.java::CTest::Empty::lists");
        for (command, expected) in [
            (
                "./mvnw -B test",
                Some("-Dtest=a.b.CTest#reads,a.b.CTest$Empty#lists -Dsurefire.failIfNoSpecifiedTests=false"),
            ),
            ("npx jest --ci", Some(r"-t ^\s?(CTest reads|CTest Empty lists)$ a/b/CTest.java")),
            ("node node_modules/.bin/mocha", Some(r"--grep ^\s?(CTest reads|CTest Empty lists)$")),
            ("npm test", None),
            ("make test", None),
        ] {
            let found = Select::of(&words(command)).map(|select| select.words(&tests).join(" "));
            assert_eq!(found.as_deref(), expected, "{command}");
        }
    }
}
