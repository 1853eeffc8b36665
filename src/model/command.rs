//! Words for what people ask of testmedic in comments: the commands, and what a person
//! may do in a repository.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a command is about, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CommandKind {
    /// Repair outdated tests.
    Heal,
    /// Write missing tests.
    Generate,
    /// Run tests again.
    Retry,
    /// Judge a run anew.
    Triage,
    /// Tell all that is known about a failure.
    Explain,
    /// Find the commit that broke a test.
    Bisect,
    /// Do not count a test for a while.
    Quarantine,
    /// Count it again.
    Unquarantine,
    /// Say that a test is flaky.
    Flaky,
    /// Say that it is not.
    NotFlaky,
    /// Say that a failure is expected.
    Expected,
    /// Say nothing about a failure for a while.
    Ignore,
    /// Open an issue about a test.
    File,
    /// End what commands of the thread still do.
    Stop,
    /// List the commands.
    Help,
}

impl CommandKind {
    /// All of them, as `/help` lists them.
    pub const ALL: [Self; 15] = [
        Self::Explain,
        Self::Triage,
        Self::Retry,
        Self::Heal,
        Self::Generate,
        Self::Bisect,
        Self::Quarantine,
        Self::Unquarantine,
        Self::Flaky,
        Self::NotFlaky,
        Self::Expected,
        Self::Ignore,
        Self::File,
        Self::Stop,
        Self::Help,
    ];

    /// The name, without the slash.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Heal => "heal",
            Self::Generate => "generate",
            Self::Retry => "retry",
            Self::Triage => "triage",
            Self::Explain => "explain",
            Self::Bisect => "bisect",
            Self::Quarantine => "quarantine",
            Self::Unquarantine => "unquarantine",
            Self::Flaky => "flaky",
            Self::NotFlaky => "not-flaky",
            Self::Expected => "expected",
            Self::Ignore => "ignore",
            Self::File => "file",
            Self::Stop => "stop",
            Self::Help => "help",
        }
    }

    /// What it takes, as `/help` shows it.
    #[must_use]
    pub fn usage(self) -> &'static str {
        match self {
            Self::Heal => "[TEST…] [--force-outdated] [--branch|--suggest]",
            Self::Generate => "[ENDPOINT|FILE|TEST…]",
            Self::Retry => "[TEST…|failed|flaky] [--times N]",
            Self::Triage => "[RUN]",
            Self::Explain => "[TEST|KEY]",
            Self::Bisect | Self::Unquarantine | Self::Flaky | Self::NotFlaky | Self::File => "TEST",
            Self::Quarantine => "TEST [DURATION]",
            Self::Expected => "KEY",
            Self::Ignore => "KEY [DURATION]",
            Self::Stop | Self::Help => "",
        }
    }

    /// What it does, in a line.
    #[must_use]
    pub fn about(self) -> &'static str {
        match self {
            Self::Heal => "repairs outdated tests, with proof; what found a bug is not touched",
            Self::Generate => "writes tests that are missing, with proof",
            Self::Retry => "runs failed jobs, or single tests, again",
            Self::Triage => "judges the latest run, or the one with this number, anew",
            Self::Explain => "tells evidence, history and suspects of a failure",
            Self::Bisect => "finds the commit that broke a test by running it",
            Self::Quarantine => "does not count a test until a day (`14d`, `2w`, `2026-06-01`)",
            Self::Unquarantine => "counts a test again",
            Self::Flaky => "a person's word that a test is flaky: evidence from now on",
            Self::NotFlaky => "a person's word that a test is not flaky",
            Self::Expected => "a person's word that a failure is expected: it does not count",
            Self::Ignore => "says and files nothing about a failure until a day",
            Self::File => "opens the issue about a failing test",
            Self::Stop => "ends what commands in this thread still do",
            Self::Help => "lists the commands",
        }
    }

    /// Whether code of the thread's commit is run for it here.
    #[must_use]
    pub fn runs_code(self) -> bool {
        matches!(self, Self::Heal | Self::Generate | Self::Bisect)
    }

    /// What a person needs at least, where the policy says nothing else: all that writes
    /// or runs code needs the right to write.
    #[must_use]
    pub fn needs(self) -> Permission {
        match self {
            Self::Explain | Self::Help => Permission::Read,
            _ => Permission::Write,
        }
    }

    /// What no policy goes below: whoever may run code in a job may read what it holds.
    #[must_use]
    pub fn floor(self) -> Permission {
        match self {
            Self::Explain | Self::Help => Permission::Read,
            Self::Heal | Self::Generate | Self::Bisect | Self::Retry => Permission::Write,
            _ => Permission::Triage,
        }
    }
}

impl fmt::Display for CommandKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}", self.word())
    }
}

/// What somebody may do in a repository, by GitHub's roles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Permission {
    /// Nothing.
    #[default]
    None,
    /// See it.
    Read,
    /// Sort issues and pull requests.
    Triage,
    /// Push to it.
    Write,
    /// Manage it without the dangerous parts.
    Maintain,
    /// Everything.
    Admin,
}

impl Permission {
    /// Reads `permission` and `role_name` of GitHub's answer about a collaborator. The
    /// first has no word for two of the roles; roles that an organisation made itself
    /// count as what they are based on.
    #[must_use]
    pub fn of(permission: &str, role: &str) -> Self {
        match (permission, role) {
            ("admin", _) => Self::Admin,
            ("write", "maintain") => Self::Maintain,
            ("write", _) => Self::Write,
            ("read", "triage") => Self::Triage,
            ("read", _) => Self::Read,
            _ => Self::None,
        }
    }

    /// Its name.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Read => "read",
            Self::Triage => "triage",
            Self::Write => "write",
            Self::Maintain => "maintain",
            Self::Admin => "admin",
        }
    }
}

/// What a person asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// See [`CommandKind::Heal`].
    Heal {
        /// Names of tests, or parts of them; all that failed where there are none.
        tests: Vec<String>,
        /// The person answers for it that the tests are outdated, not the product broken.
        force_outdated: bool,
        /// Where the repair goes; as the policy says where nothing is said.
        offer: Option<DeliveryMode>,
    },
    /// See [`CommandKind::Generate`].
    Generate {
        /// Endpoints, files, tests; all that lack something where there are none.
        targets: Vec<String>,
    },
    /// See [`CommandKind::Retry`].
    Retry {
        /// Which.
        which: RetrySelection,
        /// How often a single test is run.
        times: u32,
    },
    /// See [`CommandKind::Triage`].
    Triage {
        /// Number of a workflow run.
        run: Option<u64>,
    },
    /// See [`CommandKind::Explain`].
    Explain {
        /// A test or the key of a diagnosis; all failures where nothing is said.
        what: Option<String>,
    },
    /// See [`CommandKind::Bisect`].
    Bisect {
        /// The test.
        test: String,
    },
    /// See [`CommandKind::Quarantine`].
    Quarantine {
        /// The test.
        test: String,
        /// Until when; as long as the policy says where nothing is said.
        until: Option<Expiry>,
    },
    /// See [`CommandKind::Unquarantine`].
    Unquarantine {
        /// The test.
        test: String,
    },
    /// See [`CommandKind::Flaky`].
    Flaky {
        /// The test.
        test: String,
    },
    /// See [`CommandKind::NotFlaky`].
    NotFlaky {
        /// The test.
        test: String,
    },
    /// See [`CommandKind::Expected`].
    Expected {
        /// Key of the diagnosis.
        key: String,
    },
    /// See [`CommandKind::Ignore`].
    Ignore {
        /// Key of the diagnosis.
        key: String,
        /// Until when; as long as the policy says where nothing is said.
        until: Option<Expiry>,
    },
    /// See [`CommandKind::File`].
    File {
        /// The test.
        test: String,
    },
    /// See [`CommandKind::Stop`].
    Stop,
    /// See [`CommandKind::Help`].
    Help,
}

impl Command {
    /// What it is about.
    #[must_use]
    pub fn verb(&self) -> CommandKind {
        match self {
            Self::Heal { .. } => CommandKind::Heal,
            Self::Generate { .. } => CommandKind::Generate,
            Self::Retry { .. } => CommandKind::Retry,
            Self::Triage { .. } => CommandKind::Triage,
            Self::Explain { .. } => CommandKind::Explain,
            Self::Bisect { .. } => CommandKind::Bisect,
            Self::Quarantine { .. } => CommandKind::Quarantine,
            Self::Unquarantine { .. } => CommandKind::Unquarantine,
            Self::Flaky { .. } => CommandKind::Flaky,
            Self::NotFlaky { .. } => CommandKind::NotFlaky,
            Self::Expected { .. } => CommandKind::Expected,
            Self::Ignore { .. } => CommandKind::Ignore,
            Self::File { .. } => CommandKind::File,
            Self::Stop => CommandKind::Stop,
            Self::Help => CommandKind::Help,
        }
    }

    /// Whether code of the thread's commit is run for it here. Whole jobs are run again by
    /// the forge, with the rights that they had; single tests are run here.
    #[must_use]
    pub fn runs_code(&self) -> bool {
        match self {
            Self::Retry { which, .. } => *which != RetrySelection::Failed,
            other => other.verb().runs_code(),
        }
    }
}

/// Where a repair goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryMode {
    /// A branch with a pull request.
    Branch,
    /// Suggestions in a review.
    Suggest,
}

/// What is run again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RetrySelection {
    /// The jobs that failed.
    Failed,
    /// The tests of the run that are flaky.
    Flaky,
    /// These tests.
    Tests(Vec<String>),
}

/// An end of something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// So many days from now.
    Days(u32),
    /// This day, `YYYY-MM-DD`.
    Day(String),
}

/// A command with what else stands on its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    /// The command.
    pub command: Command,
    /// The commit whose diff the person says to have read.
    pub read_diff: Option<String>,
    /// The line as it was written, to be shown and never to be run.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles() {
        for (permission, role, level) in [
            ("admin", "admin", Permission::Admin),
            ("write", "maintain", Permission::Maintain),
            ("write", "write", Permission::Write),
            ("write", "security-team", Permission::Write),
            ("read", "triage", Permission::Triage),
            ("read", "read", Permission::Read),
            // A role's name alone gives nothing.
            ("read", "admin", Permission::Read),
            ("read", "maintain", Permission::Read),
            ("none", "write", Permission::None),
            ("", "", Permission::None),
        ] {
            assert_eq!(Permission::of(permission, role), level, "{permission} {role}");
        }
        assert!(
            Permission::None < Permission::Read
                && Permission::Triage < Permission::Write
                && Permission::Write < Permission::Admin
        );
        assert!(CommandKind::ALL.iter().all(|verb| verb.floor() <= verb.needs()));
    }
}
