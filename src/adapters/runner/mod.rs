//! Test runners: which one a file belongs to, how it selects single tests, and
//! what came of them.
//!
//! A new runner is a variant of [`Runner`] with its row in `recognise`, in
//! `command` and in `locks`.

mod child_env;
mod commands;
mod jvm;
mod recognise;
mod results;
mod script;

use std::path::{Path, PathBuf};

pub(crate) use jvm::QUICK;
pub use recognise::{recognise, recognise_by_name};

use crate::adapters::sandbox::Outputs;
use crate::model::execution::{Scope, TestResult, TestSelector};

/// A test runner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Runner {
    /// pytest.
    Pytest,
    /// Python's unittest.
    Unittest,
    /// Jest.
    Jest,
    /// Vitest.
    Vitest,
    /// Mocha.
    Mocha,
    /// Node's own runner.
    NodeTest,
    /// Playwright test.
    Playwright,
    /// Maven with Surefire.
    Maven,
    /// Gradle.
    Gradle,
    /// go test.
    Go,
    /// cargo-nextest.
    Nextest,
    /// cargo test.
    CargoTest,
    /// RSpec.
    Rspec,
    /// PHPUnit.
    Phpunit,
}

impl Runner {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Pytest,
        Self::Unittest,
        Self::Jest,
        Self::Vitest,
        Self::Mocha,
        Self::NodeTest,
        Self::Playwright,
        Self::Maven,
        Self::Gradle,
        Self::Go,
        Self::Nextest,
        Self::CargoTest,
        Self::Rspec,
        Self::Phpunit,
    ];

    /// Its name, as `--runner` takes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pytest => "pytest",
            Self::Unittest => "unittest",
            Self::Jest => "jest",
            Self::Vitest => "vitest",
            Self::Mocha => "mocha",
            Self::NodeTest => "node-test",
            Self::Playwright => "playwright",
            Self::Maven => "maven",
            Self::Gradle => "gradle",
            Self::Go => "go",
            Self::Nextest => "nextest",
            Self::CargoTest => "cargo-test",
            Self::Rspec => "rspec",
            Self::Phpunit => "phpunit",
        }
    }

    /// Whether one command can run several files.
    #[must_use]
    pub fn takes_many(self) -> bool {
        matches!(self, Self::Pytest | Self::Jest | Self::Maven | Self::Gradle)
    }

    /// Files that say which dependencies it needs.
    #[must_use]
    pub fn locks(self) -> &'static [&'static str] {
        match self {
            Self::Pytest | Self::Unittest => &[
                "requirements.txt",
                "requirements-dev.txt",
                "requirements-test.txt",
                "poetry.lock",
                "uv.lock",
                "Pipfile.lock",
                "pyproject.toml",
                "setup.cfg",
                "setup.py",
            ],
            Self::Jest | Self::Vitest | Self::Mocha | Self::NodeTest | Self::Playwright => {
                &["package-lock.json", "yarn.lock", "pnpm-lock.yaml", "npm-shrinkwrap.json", "package.json"]
            }
            Self::Rspec => &["Gemfile.lock", "Gemfile"],
            Self::Phpunit => &["composer.lock", "composer.json"],
            // These fetch what they need when they run.
            Self::Maven | Self::Gradle | Self::Go | Self::Nextest | Self::CargoTest => &[],
        }
    }
}

/// Where tests are run.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// The checkout.
    pub root: &'a Path,
    /// A folder for reports, outside of it, for one execution.
    pub out: &'a Path,
    /// A folder for build outputs, outside of it, for all executions at this commit.
    pub build: &'a Path,
    /// Files of the checkout.
    pub files: &'a [String],
    /// The home of whoever called us, for caches of dependencies.
    pub real_home: Option<&'a Path>,
    /// Whether the network may be used.
    pub network: bool,
    /// Whether it is a container, where the programs of this machine are not.
    pub contained: bool,
}

/// A command that is ready to run.
#[derive(Clone, Debug, PartialEq)]
pub struct Ready {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Variables besides the usual ones.
    pub env: Vec<(String, String)>,
    /// Where it is run.
    pub folder: PathBuf,
    /// Where the results are.
    pub results: Results,
}

/// Where and how a runner writes its results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Results {
    /// JUnit XML: files, or globs relative to the folder.
    Junit(Vec<String>),
    /// Jest's or Vitest's JSON.
    Jest(PathBuf),
    /// Mocha's JSON.
    Mocha(PathBuf),
    /// RSpec's JSON.
    Rspec(PathBuf),
    /// `go test -json` on standard output.
    Go,
    /// What Rust's harness prints.
    Libtest,
}

/// The command that runs `target` (or all of its file).
///
/// # Errors
/// What is missing, for people.
pub fn command(runner: Runner, target: &TestSelector, extent: Scope, site: &Site<'_>) -> Result<Ready, String> {
    commands::command(runner, target, extent, site)
}

/// The command of a template with `{tests}` and `{junit}`, for a shell.
#[must_use]
pub fn from_template(
    template: &str,
    runner: Option<Runner>,
    target: &TestSelector,
    extent: Scope,
    site: &Site<'_>,
) -> Ready {
    commands::from_template(template, runner, target, extent, site)
}

/// The options and variables with which a framework updates its snapshots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotSwitch {
    options: Vec<String>,
    variables: Vec<(String, String)>,
}

impl SnapshotSwitch {
    /// Adds the switch to a command.
    pub fn add_to(&self, ready: &mut Ready) {
        ready.argv.extend(self.options.iter().cloned());
        ready.env.extend(self.variables.iter().cloned());
    }
}

/// Returns the snapshot switch of a runner, or `None` if the framework has none.
#[must_use]
pub fn snapshot_switch(runner: Runner) -> Option<SnapshotSwitch> {
    commands::snapshot_switch(runner)
}

/// Adds files to a command that runs one.
pub fn add_files(ready: &mut Ready, runner: Runner, root: &Path, files: &[String]) {
    if matches!(runner, Runner::Maven | Runner::Gradle) {
        return jvm::add_files(ready, files);
    }
    for file in files {
        let path = root.join(file);
        let inside = path.strip_prefix(&ready.folder).unwrap_or(&path);
        ready.argv.push(inside.display().to_string());
    }
}

/// Reads the results of a command that has run.
#[must_use]
pub fn read_results(results: &Results, outputs: &Outputs<'_>, folder: &Path, stdout: &str) -> Vec<TestResult> {
    results::read(results, outputs, folder, stdout)
}

/// The variables for foreign code; `here` says that it runs on this machine itself.
#[must_use]
pub fn variables(home: &Path, extra: &[String], here: bool) -> Vec<(String, String)> {
    child_env::variables(home, extra, here)
}

/// The home of whoever called us.
#[must_use]
pub fn real_home() -> Option<PathBuf> {
    child_env::real_home()
}
