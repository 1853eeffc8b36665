//! What the policy says of tests that are written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::agent::generator::{Mutating, Recipe};

/// See [`super::Policy::generate`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Generate {
    /// How far testmedic goes in a workflow that knows the traffic of the tests (`off`,
    /// `branch`): `branch` pushes tests that are missing as a branch of its own and
    /// opens a pull request, into a pull request's own branch or into the default branch.
    pub mode: Mode,
    /// The folder for tests that are written; `generated` beside the tests that they
    /// are like where it is empty. Tests in Java stand in the package of those that they
    /// are like, as `…GeneratedTest.java`.
    pub folder: String,
    /// The recipes that are used.
    pub recipes: Vec<Recipe>,
    /// Which requests that change something may be written: `never`, `inside` (those to
    /// an application in the test's own process) or `always`.
    pub mutating: Mutating,
    /// How often a written test must pass shuffled, besides in the order of its file and alone.
    #[schemars(range(min = 1, max = 100))]
    pub repeat: u32,
    /// Tests that one run writes.
    #[schemars(range(min = 1, max = 500))]
    pub max_tests: u32,
    /// Minutes after which a workflow's run stops to write and prove tests.
    #[schemars(range(min = 1, max = 300))]
    pub max_minutes: u32,
}

/// See [`Generate::mode`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Only where a person runs `testmedic generate`.
    #[default]
    Off,
    /// A branch and a pull request.
    Branch,
}

impl Default for Generate {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            folder: String::new(),
            recipes: Recipe::ALL.to_vec(),
            mutating: Mutating::default(),
            repeat: 10,
            max_tests: 60,
            max_minutes: 15,
        }
    }
}

impl Generate {
    /// The folder for tests like those of `file`.
    #[must_use]
    pub fn folder_for(&self, file: &str) -> String {
        if !self.folder.is_empty() && !file.ends_with(".java") {
            return self.folder.trim_matches('/').to_owned();
        }
        // What stands beside a class sees what is not public in its package.
        if file.ends_with(".java") {
            return file.rsplit_once('/').map_or_else(String::new, |(beside, _)| beside.to_owned());
        }
        match file.rsplit_once('/') {
            Some((beside, _)) => format!("{beside}/generated"),
            None => "generated".to_owned(),
        }
    }

    /// Whether a file holds tests that were written.
    #[must_use]
    pub fn is_ours(&self, file: &str) -> bool {
        if file.ends_with("GeneratedTest.java") {
            return true;
        }
        let folder = if self.folder.is_empty() { "generated" } else { self.folder.trim_matches('/') };
        let name = file.rsplit('/').next().unwrap_or(file);
        let folders = format!("/{}", file.strip_suffix(name).unwrap_or(""));
        folders.contains(&format!("/{folder}/")) && name.contains("generated")
    }
}
