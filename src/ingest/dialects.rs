//! Which runner wrote a report, and what follows from it.
//!
//! A dialect is recognised by what its writer always writes. To add one, add a
//! row to [`DIALECTS`] and a fixture under `fixtures/junit/`.

/// The meaning of a second `<testcase>` with the same class and name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepeatedNames {
    /// Another test. Most writers use the same title for different tests: Mocha and Jest for tests in
    /// several files, TestNG for rows of a data provider, JUnit for display names.
    AreTests,
    /// A retry. Names are unique, and the writer writes one element per attempt.
    AreRetries,
    /// A retry if the name is a method name such as `adds` or `adds()`. Gradle's test-retry plugin writes
    /// one element per attempt, but Gradle also writes names such as `[1] a = 1` and display names, which
    /// several methods of a class can share.
    AreRetriesOfMethods,
}

impl RepeatedNames {
    /// Returns whether further elements called `name` are retries.
    #[must_use]
    pub fn are_retries(self, name: &str) -> bool {
        match self {
            Self::AreTests => false,
            Self::AreRetries => true,
            Self::AreRetriesOfMethods => is_method(name),
        }
    }
}

/// Returns whether `name` is a Java identifier, optionally followed by `()`.
fn is_method(name: &str) -> bool {
    let bare = name.strip_suffix("()").unwrap_or(name);
    !bare.is_empty()
        && bare.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '$')
        && !bare.starts_with(|c: char| c.is_numeric())
}

/// What one runner's reports mean where they differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts about writers, each with its doc")]
pub struct Dialect {
    /// Name in `report.json`.
    pub name: &'static str,
    /// The meaning of further `<testcase>` elements with the same name.
    pub repeats: RepeatedNames,
    /// Whether suite names tell the machine or build rather than the place of a
    /// test, so that they are kept out of identities.
    pub suite_is_machine: bool,
    /// Whether `hostname` names a matrix leg (Playwright writes the browser there).
    pub hostname_is_variant: bool,
    /// Whether `line` counts from 0 (pytest's xunit1 family).
    pub lines_from_zero: bool,
    /// Whether an element without a failure before another one of the same name
    /// is a rerun whose failure was not written (pytest-rerunfailures).
    pub silent_reruns: bool,
    /// Whether the totals a suite declares count something else than its cases
    /// (Catch2: assertions; pytest: subtests too; Mocha: pending ones, which it leaves out; TAP: planned ones).
    pub declares_otherwise: bool,
}

const PLAIN: Dialect = Dialect {
    name: "junit",
    repeats: RepeatedNames::AreTests,
    suite_is_machine: false,
    hostname_is_variant: false,
    lines_from_zero: false,
    silent_reruns: false,
    declares_otherwise: false,
};

/// A report that no row claims.
pub const UNKNOWN: &Dialect = &PLAIN;

const RETRYING: Dialect = Dialect { repeats: RepeatedNames::AreRetries, ..PLAIN };

/// All dialects by name.
pub const DIALECTS: &[Dialect] = &[
    Dialect { name: "pytest", lines_from_zero: true, silent_reruns: true, declares_otherwise: true, ..RETRYING },
    Dialect { name: "go-junit-report", ..RETRYING },
    Dialect { name: "gotestsum", ..RETRYING },
    Dialect { name: "gradle", repeats: RepeatedNames::AreRetriesOfMethods, ..PLAIN },
    Dialect { name: "unittest", ..PLAIN },
    Dialect { name: "surefire", ..PLAIN },
    Dialect { name: "jest", ..PLAIN },
    Dialect { name: "vitest", ..PLAIN },
    Dialect { name: "mocha", declares_otherwise: true, ..PLAIN },
    Dialect { name: "node-test", ..PLAIN },
    Dialect { name: "playwright", hostname_is_variant: true, ..PLAIN },
    Dialect { name: "robot", ..PLAIN },
    Dialect { name: "nextest", ..PLAIN },
    Dialect { name: "ctest", suite_is_machine: true, ..PLAIN },
    Dialect { name: "googletest", ..PLAIN },
    Dialect { name: "catch2", declares_otherwise: true, ..PLAIN },
    Dialect { name: "phpunit", ..PLAIN },
    Dialect { name: "rspec", ..PLAIN },
    Dialect { name: "bats", ..PLAIN },
    Dialect { name: "tap", declares_otherwise: true, ..PLAIN },
];

/// What the first elements of a report show.
#[derive(Clone, Debug, Default)]
pub struct Clues {
    /// `name` of the `testsuites` root.
    pub root_name: String,
    /// Attribute names of the root, space-separated.
    pub root_keys: String,
    /// `name` of the first suite.
    pub suite_name: String,
    /// Attribute names of the first suite, space-separated.
    pub suite_keys: String,
    /// Attribute names of the first case, space-separated.
    pub case_keys: String,
    /// `classname` of the first case.
    pub case_class: String,
    /// `name` of the first case.
    pub case_name: String,
    /// Names of properties seen before the first case, space-separated.
    pub properties: String,
}

/// The dialect that `clues` point to.
#[must_use]
pub fn recognise(clues: &Clues) -> &'static Dialect {
    let name = guess(clues);
    DIALECTS.iter().find(|dialect| dialect.name == name).unwrap_or(UNKNOWN)
}

fn guess(c: &Clues) -> &'static str {
    let has = |keys: &str, key: &str| keys.split(' ').any(|k| k == key);
    let extension = |endings: &[&str]| endings.iter().any(|e| c.case_class.ends_with(e));
    if c.suite_name == "pytest" || c.root_name == "pytest tests" {
        "pytest"
    } else if c.suite_keys.contains("noNamespaceSchemaLocation") {
        "surefire"
    } else if c.root_name.starts_with("jest") {
        "jest"
    } else if c.root_name.starts_with("vitest") {
        "vitest"
    } else if c.root_name.starts_with("Mocha") {
        "mocha"
    } else if has(&c.root_keys, "uuid") || c.root_name == "nextest-run" || has(&c.suite_keys, "uuid") {
        "nextest"
    } else if c.properties.contains("go.version") {
        if has(&c.suite_keys, "id") { "go-junit-report" } else { "gotestsum" }
    } else if c.root_name == "AllTests" || has(&c.case_keys, "value_param") {
        "googletest"
    } else if has(&c.suite_keys, "disabled") && has(&c.case_keys, "status") && c.case_class == c.case_name {
        "ctest"
    } else if c.properties.contains("random-seed") || c.case_class.ends_with(".global") {
        "catch2"
    } else if has(&c.suite_keys, "assertions") || has(&c.case_keys, "assertions") {
        "phpunit"
    } else if c.suite_name.starts_with("rspec") {
        "rspec"
    } else if c.suite_name.ends_with(".bats") {
        "bats"
    } else if has(&c.root_keys, "id") && extension(&[".spec.ts", ".spec.js", ".test.ts", ".test.js", ".spec.mjs"]) {
        "playwright"
    } else if has(&c.suite_keys, "id") && has(&c.suite_keys, "hostname") && c.case_class.contains('/') {
        "go-junit-report"
    } else if c.suite_keys == "name tests errors failures skipped time timestamp" && c.root_keys.is_empty() {
        "robot"
    } else if has(&c.suite_keys, "file") && is_stamped(&c.suite_name) {
        "unittest"
    } else if c.case_keys == "name" && c.case_name.starts_with(|first: char| first.is_ascii_digit()) {
        "tap"
    } else if c.case_class == "test" || c.case_class == "suite" {
        "node-test"
    } else if c.case_keys == "name classname time" && has(&c.suite_keys, "hostname") && has(&c.suite_keys, "skipped") {
        "gradle"
    } else {
        "junit"
    }
}

/// Whether a suite's name ends in `-20260501102233`, as unittest-xml-reporting writes it.
fn is_stamped(name: &str) -> bool {
    name.rsplit_once('-').is_some_and(|(_, stamp)| stamp.len() == 14 && stamp.bytes().all(|b| b.is_ascii_digit()))
}
