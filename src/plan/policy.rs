//! The policy: what testmedic may do in a repository, from
//! `.github/testmedic.toml` on the default branch.
//!
//! Every key has a default, so that no file is needed. The doc comments here
//! are what the JSON Schema and `docs/policy.md` say.

pub mod commands;
mod drift;
pub mod generate;
mod incidents;
mod model;

use std::collections::BTreeMap;

use globset::Glob;
use schemars::{JsonSchema, Schema, schema_for};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::code::guards::Bounds;
use crate::diagnose::findings::Findings;
use crate::diagnose::severity::Severity;
use crate::diagnose::verdict::{Diagnosis, Verdict};
use crate::model::heal::{EditKind, HealMode};
use crate::plan::action::Person;

pub use commands::Commands;
pub use drift::{Accepted, Day, DriftPolicy};
pub use generate::Generate;
pub use incidents::Incidents;
pub use model::Model;

/// Where the policy stands in a repository.
pub const PATH: &str = ".github/testmedic.toml";

/// What testmedic may do in this repository, and how loudly.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(title = "testmedic.toml")]
pub struct Policy {
    /// Issues about failures on the default branch.
    pub issues: Issues,
    /// The one comment on a pull request that is kept up to date.
    pub comment: Comment,
    /// Review comments on lines of a pull request.
    pub review: Review,
    /// The check run beside a commit.
    pub check: Check,
    /// Earlier runs to judge against.
    pub history: HistoryPolicy,
    /// Repairing outdated tests. `heal = "branch"` alone is short for the key `mode`.
    pub heal: Heal,
    /// Writing tests that are missing.
    pub generate: Generate,
    /// How the answers of the API changed.
    pub drift: DriftPolicy,
    /// Incidents that failures are compared with, and that tests are written for.
    pub incidents: Incidents,
    /// Commands in comments: `/heal`, `/explain` and their sisters.
    pub commands: Commands,
    /// A model that reads what the rules leave undecided; what is done depends on the rules.
    pub model: Model,
    /// Running tests, for the proof of a repair or of a written test.
    pub run: RunPolicy,
    /// Severity of what fails under a path, over what the rules say: globs of
    /// test or product files to `critical`, `high`, `medium` or `low`.
    pub severity: BTreeMap<String, Severity>,
}

/// See [`Policy::issues`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Issues {
    /// Open, update, reopen and close issues.
    pub enabled: bool,
    /// Verdicts that are worth an issue: `regression`, `flaky`, `outdated-test`,
    /// `rate-limited`, `environment`, `broken-test`, `undecided`.
    pub verdicts: Vec<Verdict>,
    /// Failures in a row on the default branch before an issue opens; a failure
    /// that a retry in the same run reproduced counts twice.
    #[schemars(range(min = 1, max = 20))]
    pub min_failures: u32,
    /// New issues in one run; what is beyond goes into one roll-up.
    #[schemars(range(min = 0, max = 50))]
    pub max_new: u32,
    /// Clean runs of its tests after which an issue is closed; flaky tests need
    /// more, by their failure rate.
    #[schemars(range(min = 1, max = 300))]
    pub close_after: u32,
    /// Days after closing in which a returning failure reopens the issue; later
    /// a new one opens that links back.
    #[schemars(range(min = 0, max = 365))]
    pub reopen_days: u32,
    /// Hours between two comments on one issue; closing and reopening always speak.
    #[schemars(range(min = 1, max = 720))]
    pub comment_hours: u32,
    /// Labels of new issues. A label that a person removes is not put back.
    pub labels: Vec<String>,
    /// Labels with which people take an issue out of testmedic's hands.
    pub hands_off_labels: Vec<String>,
    /// Assign new issues to the owners of the failing test in `CODEOWNERS`
    /// (people, not teams: GitHub assigns no teams).
    pub assign_owners: bool,
}

impl Default for Issues {
    fn default() -> Self {
        let words = |list: &[&str]| list.iter().map(|w| (*w).to_owned()).collect();
        Self {
            enabled: true,
            verdicts: vec![Verdict::Regression],
            min_failures: 2,
            max_new: 5,
            close_after: 10,
            reopen_days: 15,
            comment_hours: 24,
            labels: words(&["testmedic"]),
            hands_off_labels: words(&["wontfix", "muted", "not-flaky"]),
            assign_owners: false,
        }
    }
}

/// See [`Policy::comment`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Comment {
    /// Write it. It appears with the first failure and is edited from then on.
    pub enabled: bool,
}

impl Default for Comment {
    fn default() -> Self {
        Self { enabled: true }
    }
}

/// See [`Policy::review`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Review {
    /// Comment on the failing assertion or the changed line that the stack names.
    pub enabled: bool,
    /// Comments in one review.
    #[schemars(range(min = 1, max = 30))]
    pub max_comments: u32,
}

impl Default for Review {
    fn default() -> Self {
        Self { enabled: true, max_comments: 10 }
    }
}

/// See [`Policy::check`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Check {
    /// Write it.
    pub enabled: bool,
    /// Its name; workflow, job and matrix leg are added in parentheses.
    pub name: String,
    /// Annotations, the gravest first. GitHub takes 50 in one request.
    #[schemars(range(min = 0, max = 50))]
    pub max_annotations: u32,
}

impl Default for Check {
    fn default() -> Self {
        Self { enabled: true, name: "testmedic".to_owned(), max_annotations: 50 }
    }
}

/// See [`Policy::history`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct HistoryPolicy {
    /// Earlier runs of the default branch whose artifacts are read.
    #[schemars(range(min = 0, max = 100))]
    pub runs: u32,
    /// Names of artifacts that hold reports: globs. Where a name has one `*` in
    /// its glob, what stands there names the matrix leg.
    pub artifacts: Vec<String>,
    /// Megabytes of one artifact, packed; a larger one is not read.
    #[schemars(range(min = 1, max = 2000))]
    pub max_megabytes: u32,
}

impl Default for HistoryPolicy {
    fn default() -> Self {
        let words = |list: &[&str]| list.iter().map(|w| (*w).to_owned()).collect();
        Self {
            runs: 30,
            artifacts: words(&["junit", "junit-*", "test-results", "test-results-*", "test-reports", "test-reports-*"]),
            max_megabytes: 50,
        }
    }
}

/// A name of an artifact that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactMatch {
    /// The matrix leg that it names.
    pub variant: Option<String>,
}

impl HistoryPolicy {
    /// Whether an artifact's name is wanted, and the leg that it names: what
    /// stands in the place of the only `*` of its glob.
    #[must_use]
    pub fn leg(&self, name: &str) -> Option<ArtifactMatch> {
        let is_it = |glob: &&String| Glob::new(glob).is_ok_and(|glob| glob.compile_matcher().is_match(name));
        let glob = self.artifacts.iter().find(is_it)?;
        let star = glob.split_once('*').filter(|(_, after)| !after.contains(['*', '?', '[', '{']));
        let variant = star.and_then(|(before, after)| {
            let leg = name.strip_prefix(before)?.strip_suffix(after)?;
            (!leg.is_empty()).then(|| leg.to_owned())
        });
        Some(ArtifactMatch { variant })
    }
}

/// See [`Policy::heal`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Heal {
    /// How far testmedic goes in pull requests of the repository's own branches:
    /// `off` heals nowhere; `on-command` only where a person runs `testmedic heal`;
    /// `suggest` suggests the edit where the diff shows its lines, and else shows
    /// it as a patch; `branch` besides pushes what the diff does not show as a
    /// branch of its own and opens a pull request into the pull request's branch.
    pub mode: HealMode,
    /// Kinds of edits that are allowed.
    pub kinds: Vec<EditKind>,
    /// Paths that hold tests besides those that are recognised (globs).
    pub tests: Vec<String>,
    /// Paths that are never written to (globs), besides the files that steer how
    /// tests run.
    pub protected: Vec<String>,
    /// Words in the name of a field whose changed value is left to a person.
    pub sensitive: Vec<String>,
    /// Files that one repair may change.
    #[schemars(range(min = 1, max = 100))]
    pub max_files: u32,
    /// Lines that one repair may change, removed and added.
    #[schemars(range(min = 2, max = 5000))]
    pub max_lines: u32,
    /// Who signs the commits, as `Name <address>`; the token's own identity where
    /// it is empty, whose commits GitHub marks as verified.
    pub author: String,
    /// Branches that one run pushes.
    #[schemars(range(min = 0, max = 20))]
    pub max_branches: u32,
    /// Minutes after which one run looks at no further test.
    #[schemars(range(min = 1, max = 300))]
    pub max_minutes: u32,
    /// How often the repaired test must pass.
    #[schemars(range(min = 1, max = 100))]
    pub repeat: u32,
}

impl Default for Heal {
    fn default() -> Self {
        let bounds = Bounds::default();
        let words = |list: &[&str]| list.iter().map(|w| (*w).to_owned()).collect();
        Self {
            mode: HealMode::default(),
            kinds: EditKind::ALL.to_vec(),
            tests: bounds.tests,
            protected: bounds.protected,
            // algorithms of drift and defect agree on these: money, rights, identity.
            sensitive: words(&[
                "token",
                "password",
                "secret",
                "permission",
                "role",
                "admin",
                "auth",
                "price",
                "amount",
                "total",
                "balance",
                "scope",
                "acl",
            ]),
            max_files: u32::try_from(bounds.files).unwrap_or(10),
            max_lines: u32::try_from(bounds.lines).unwrap_or(200),
            author: String::new(),
            max_branches: 3,
            max_minutes: 15,
            repeat: 3,
        }
    }
}

impl Heal {
    /// Who signs commits, where the policy names somebody.
    #[must_use]
    pub fn author(&self) -> Option<Person> {
        Person::parse(&self.author)
    }

    /// The bounds for the guards.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        Bounds {
            files: self.max_files as usize,
            lines: self.max_lines as usize,
            tests: self.tests.clone(),
            protected: self.protected.clone(),
        }
    }
}

/// See [`Policy::run`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct RunPolicy {
    /// Command that runs tests, with `{tests}` and `{junit}`; recognised from the
    /// repository where it is empty.
    pub command: String,
    /// Command that prepares a checkout (installs dependencies), run once for
    /// each state of the lock files.
    pub setup: String,
    /// Names of environment variables that tests may see besides the usual ones.
    pub env: Vec<String>,
    /// Image in whose containers tests run, such as `python:3.12`; on the machine
    /// itself where it is empty. It needs `docker` or `podman`. The containers see
    /// the scratch folder and nothing else of the machine, have no rights, and, but
    /// for the set-up command, no network unless `network` says so.
    pub image: String,
    /// Whether tests may use the network: by default on the machine itself they may,
    /// in a container they may not. On the machine, without it they have one of their
    /// own with nothing but this process in it, for which the system must allow user
    /// namespaces (`unshare`); where it does not, no test is run.
    pub network: Option<bool>,
    /// Seconds for one execution.
    #[schemars(range(min = 1, max = 21600))]
    pub timeout_seconds: u32,
    /// Megabytes of memory of all processes together; 0 takes three quarters of
    /// the machine's.
    #[schemars(range(min = 0, max = 1_048_576))]
    pub memory_mb: u32,
    /// Megabytes for one file that a test writes.
    #[schemars(range(min = 1, max = 1_048_576))]
    pub file_mb: u32,
    /// Megabytes that the disk may lose while tests run.
    #[schemars(range(min = 1, max = 1_048_576))]
    pub disk_mb: u32,
}

impl Default for RunPolicy {
    fn default() -> Self {
        Self {
            command: String::new(),
            setup: String::new(),
            env: Vec::new(),
            image: String::new(),
            network: None,
            timeout_seconds: 600,
            memory_mb: 0,
            file_mb: 1024,
            disk_mb: 4096,
        }
    }
}

impl RunPolicy {
    /// Whether tests may use the network.
    #[must_use]
    pub fn network(&self) -> bool {
        self.network.unwrap_or(self.image.is_empty())
    }
}

/// What is wrong with a policy file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPolicy {
    /// A key that no policy has.
    #[error("`{key}` is no key of the policy{}", suggestion.as_ref().map(|s| format!(": did you mean `{s}`?")).unwrap_or_default())]
    UnknownKey {
        /// The key with the table it stands in.
        key: String,
        /// The nearest one that exists.
        suggestion: Option<String>,
    },
    /// A number outside of its bounds.
    #[error("`{key}` is {found}; it must be from {min} to {max}")]
    OutOfBounds {
        /// The key.
        key: String,
        /// The value.
        found: i64,
        /// Lowest value.
        min: i64,
        /// Highest value.
        max: i64,
    },
    /// A pattern that is no glob.
    #[error("`{0}` is not a glob")]
    NotAGlob(String),
    /// An author that is none.
    #[error("`heal.author` is `{0}`; it must be of the form `Name <address>`")]
    NoAuthor(String),
    /// Something that would let strangers do what only the repository's people may.
    #[error("{0}")]
    Unsafe(String),
    /// Anything else, in the parser's words.
    #[error("{0}")]
    Syntax(String),
}

impl Policy {
    /// Reads a policy file.
    ///
    /// # Errors
    /// [`BadPolicy`] with the first thing that is wrong with it.
    pub fn parse(text: &str) -> Result<Self, BadPolicy> {
        let mut table: toml::Table = text.parse().map_err(|e: toml::de::Error| BadPolicy::Syntax(e.to_string()))?;
        let short = table.get("heal").and_then(toml::Value::as_str).map(str::to_owned);
        if let Some(mode) = &short {
            let long = toml::Table::from_iter([("mode".to_owned(), toml::Value::String(mode.clone()))]);
            table.insert("heal".to_owned(), toml::Value::Table(long));
        }
        check_table(&table, schema().as_value(), "")?;
        // The text tells the line of a mistake, the table does not.
        let read = if short.is_some() { table.try_into() } else { toml::from_str(text) };
        let policy: Self = read.map_err(|e| BadPolicy::Syntax(e.to_string()))?;
        let heal = policy.heal.tests.iter().chain(&policy.heal.protected);
        for glob in policy.severity.keys().chain(&policy.history.artifacts).chain(heal) {
            Glob::new(glob).map_err(|_| BadPolicy::NotAGlob(glob.clone()))?;
        }
        if !policy.heal.author.is_empty() && policy.heal.author().is_none() {
            return Err(BadPolicy::NoAuthor(policy.heal.author));
        }
        policy.commands.check()?;
        Ok(policy)
    }

    /// Where written tests may stand: their files are new, and may be large.
    #[must_use]
    pub fn generated_bounds(&self) -> Bounds {
        let mut bounds = self.heal.bounds();
        (bounds.files, bounds.lines) = (100, 5000);
        let folder = self.generate.folder.trim_matches('/');
        if !folder.is_empty() {
            bounds.tests.push(format!("{folder}/**"));
        }
        bounds
    }

    /// Whether a verdict is worth an issue.
    #[must_use]
    pub fn files(&self, verdict: Verdict) -> bool {
        self.issues.enabled && self.issues.verdicts.contains(&verdict)
    }

    /// The severity that the policy gives a diagnosis: the gravest of all globs
    /// that match one of its files.
    #[must_use]
    pub fn severity_of(&self, found: &Findings, diagnosis: &Diagnosis) -> Option<Severity> {
        let places = diagnosis.members.iter().filter_map(|m| found.case(*m).place.as_ref()).map(|p| p.file.raw());
        let frames = diagnosis.frames.iter().map(|f| f.file.as_str());
        let files: Vec<&str> = places.chain(frames).collect();
        let matching = self.severity.iter().filter(|(glob, _)| {
            Glob::new(glob).is_ok_and(|glob| {
                let matcher = glob.compile_matcher();
                files.iter().any(|file| matcher.is_match(file.trim_start_matches("./")))
            })
        });
        matching.map(|(_, severity)| *severity).max()
    }
}

/// The policy's JSON Schema, for editors.
#[must_use]
pub fn schema() -> Schema {
    let mut schema = schema_for!(Policy);
    // Editors show defaults; schemars puts those of a section on the section.
    inline_defaults(&mut schema);
    schema
}

/// Puts the default of each key beside it.
fn inline_defaults(schema: &mut Schema) {
    let defaults = serde_json::to_value(Policy::default()).unwrap_or_default();
    let Some(root) = schema.as_object_mut() else { return };
    let sections: Vec<(String, String)> = root["properties"]
        .as_object()
        .map(|properties| {
            properties
                .iter()
                .filter_map(|(key, value)| Some((key.clone(), value["$ref"].as_str()?.rsplit('/').next()?.to_owned())))
                .collect()
        })
        .unwrap_or_default();
    for (section, definition) in sections {
        let Some(properties) = root["$defs"][&definition]["properties"].as_object_mut() else { continue };
        for (key, property) in properties {
            property["default"] = defaults[&section][key].clone();
        }
    }
}

/// Refuses keys that the schema does not have, and numbers out of its bounds.
fn check_table(table: &toml::Table, schema: &Value, prefix: &str) -> Result<(), BadPolicy> {
    check_keys(table, &schema["properties"], schema, prefix)
}

fn check_keys(table: &toml::Table, properties: &Value, root: &Value, prefix: &str) -> Result<(), BadPolicy> {
    let Some(known) = properties.as_object() else { return Ok(()) };
    for (key, value) in table {
        let full = format!("{prefix}{key}");
        let Some(property) = known.get(key) else {
            return Err(BadPolicy::UnknownKey { suggestion: nearest(key, known.keys()), key: full });
        };
        if let (Some(found), Some(min), Some(max)) =
            (value.as_integer(), property["minimum"].as_i64(), property["maximum"].as_i64())
            && !(min..=max).contains(&found)
        {
            return Err(BadPolicy::OutOfBounds { key: full, found, min, max });
        }
        if let (Some(inner), Some(definition)) = (value.as_table(), property["$ref"].as_str()) {
            let name = definition.rsplit('/').next().unwrap_or_default();
            check_keys(inner, &root["$defs"][name]["properties"], root, &format!("{full}."))?;
        }
    }
    Ok(())
}

fn nearest<'a>(key: &str, known: impl Iterator<Item = &'a String>) -> Option<String> {
    known
        .map(|candidate| (strsim::jaro_winkler(key, candidate), candidate))
        .filter(|(alike, _)| *alike >= 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_is_the_default() {
        assert_eq!(Policy::parse("").unwrap(), Policy::default());
        let policy = Policy::parse("[issues]\nmax-new = 2\n[severity]\n\"src/pay/**\" = \"critical\"").unwrap();
        assert_eq!((policy.issues.max_new, policy.issues.close_after), (2, 10));
        assert_eq!(policy.severity["src/pay/**"], Severity::Critical);
        for text in ["heal = \"branch\"", "[heal]\nmode = \"branch\""] {
            assert_eq!(Policy::parse(text).unwrap().heal.mode, HealMode::Branch);
        }
        assert!(Policy::parse("heal = \"sometimes\"").unwrap_err().to_string().contains("on-command"));
    }

    #[test]
    fn legs_from_names() {
        let artifacts = ["junit-*", "results", "*.x.*"].map(str::to_owned).to_vec();
        let policy = HistoryPolicy { artifacts, ..HistoryPolicy::default() };
        let table =
            [("junit-linux", Some(Some("linux"))), ("results", Some(None)), ("a.x.b", Some(None)), ("coverage", None)];
        for (name, expected) in table {
            let leg = |variant: Option<&str>| ArtifactMatch { variant: variant.map(str::to_owned) };
            assert_eq!(policy.leg(name), expected.map(leg), "{name}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        let table = [
            ("[issue]\n", "`issue` is no key of the policy: did you mean `issues`?"),
            ("[issues]\nmax_new = 3", "`issues.max_new` is no key of the policy: did you mean `max-new`?"),
            ("[check]\nzzz = 3", "`check.zzz` is no key of the policy"),
            ("[issues]\nmax-new = 5000", "`issues.max-new` is 5000; it must be from 0 to 50"),
            ("[severity]\n\"a[\" = \"low\"", "`a[` is not a glob"),
            ("[heal]\nprotected = [\"a[\"]", "`a[` is not a glob"),
            ("[heal]\nauthor = \"x\"", "`heal.author` is `x`; it must be of the form `Name <address>`"),
            ("[heal]\nmax-line = 3", "`heal.max-line` is no key of the policy: did you mean `max-lines`?"),
        ];
        for (text, expected) in table {
            assert_eq!(Policy::parse(text).unwrap_err().to_string(), expected);
        }
        let odd = Policy::parse("[issues]\nenabled = \"yes\"").unwrap_err().to_string();
        assert!(odd.contains("line 2") && odd.contains("boolean"), "{odd}");
    }
}
