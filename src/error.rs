//! What goes wrong, told to people: what happened, to what, and what to do.

use std::fmt;

/// What kind of trouble it is; decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The command line or a configuration is wrong.
    Usage,
    /// The job could not be done.
    Failed,
}

/// The exit codes of every command.
///
/// | code | meaning |
/// |--:|---|
/// | 0 | done |
/// | 1 | tests failed in the sense of `--fail-on` |
/// | 2 | usage or configuration |
/// | 3 | could not do its job |
/// | 70 | a bug of testmedic |
pub mod exit {
    /// Done.
    pub const DONE: u8 = 0;
    /// Tests failed in the sense of `--fail-on`.
    pub const TESTS_FAILED: u8 = 1;
    /// Usage or configuration.
    pub const USAGE: u8 = 2;
    /// Could not do its job.
    pub const COULD_NOT: u8 = 3;
    /// A bug of testmedic.
    pub const BUG: u8 = 70;
}

/// A problem with its cause and what to do about it.
#[derive(Debug)]
pub struct Problem {
    /// What kind it is.
    pub kind: Kind,
    /// What happened, to what.
    pub headline: String,
    /// Why.
    pub cause: Option<Box<dyn std::error::Error + Send + Sync>>,
    /// What to do.
    pub hints: Vec<String>,
}

impl Problem {
    /// A wrong command line or configuration.
    pub fn usage(headline: impl Into<String>) -> Self {
        Self { kind: Kind::Usage, headline: headline.into(), cause: None, hints: Vec::new() }
    }

    /// A job that could not be done.
    pub fn failed(headline: impl Into<String>) -> Self {
        Self { kind: Kind::Failed, headline: headline.into(), cause: None, hints: Vec::new() }
    }

    /// Adds the cause.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The exit code.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::Usage => exit::USAGE,
            Kind::Failed => exit::COULD_NOT,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.headline)
    }
}

impl std::error::Error for Problem {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}
