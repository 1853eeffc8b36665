//! What is remembered of a failure: its fingerprint and its signal.

use std::fmt;

use sha2::{Digest, Sha256};

/// A versioned digest: 64 bits of a SHA-256 over what a failure has in common
/// with its next occurrence (see [`crate::diagnose::fingerprint`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint {
    /// Version of the masks when it was made.
    pub version: u16,
    /// The digest.
    pub digest: u64,
}

impl Fingerprint {
    /// Reads what `Display` writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (version, digest) = text.strip_prefix('f')?.split_once('-')?;
        Some(Self { version: version.parse().ok()?, digest: u64::from_str_radix(digest, 16).ok()? })
    }

    /// A fingerprint over texts that are masked already.
    #[must_use]
    pub fn of(version: u16, parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        hash.update(version.to_be_bytes());
        for part in parts {
            hash.update(part.as_bytes());
            hash.update([0x1f]);
        }
        let mut digest = [0_u8; 8];
        digest.copy_from_slice(&hash.finalize()[..8]);
        Self { version, digest: u64::from_be_bytes(digest) }
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "f{}-{:016x}", self.version, self.digest)
    }
}

/// A cause outside of test and product, or in the test's own construction,
/// that a failure's text names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Signal {
    /// A service said: too many requests.
    RateLimited,
    /// Nobody listens, or the connection was dropped.
    Connection,
    /// A name could not be resolved.
    Dns,
    /// A certificate or handshake was refused.
    Tls,
    /// No space, no memory, no file handles.
    Resources,
    /// The runner lost the machine, the container or the worker.
    Runner,
    /// A gateway answered instead of the service (502, 503, 504).
    Gateway,
    /// Something took longer than it was given.
    TimeOut,
    /// The test cannot be set up or loaded as it is written.
    TestSetup,
}

impl Signal {
    /// All signals, the most telling first.
    pub const ALL: &[Self] = &[
        Self::RateLimited,
        Self::Resources,
        Self::Dns,
        Self::Tls,
        Self::Connection,
        Self::Runner,
        Self::TestSetup,
        Self::Gateway,
        Self::TimeOut,
    ];

    /// The word stored in history and shown as evidence.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::RateLimited => "rate-limited",
            Self::Connection => "connection",
            Self::Dns => "dns",
            Self::Tls => "tls",
            Self::Resources => "resources",
            Self::Runner => "runner",
            Self::Gateway => "gateway",
            Self::TimeOut => "time-out",
            Self::TestSetup => "test-setup",
        }
    }

    /// Reads [`Signal::word`].
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|signal| signal.word() == word)
    }

    /// Whether it means the environment for sure enough that failures with it
    /// have one cause and teach nothing about single tests.
    #[must_use]
    pub fn is_outside(self) -> bool {
        matches!(self, Self::RateLimited | Self::Connection | Self::Dns | Self::Tls | Self::Resources | Self::Runner)
    }

    /// In words, for people.
    #[must_use]
    pub fn phrase(self) -> &'static str {
        match self {
            Self::RateLimited => "a service limited the rate of requests",
            Self::Connection => "a connection was refused or dropped",
            Self::Dns => "a host name could not be resolved",
            Self::Tls => "a TLS handshake failed",
            Self::Resources => "the machine ran out of disk, memory or handles",
            Self::Runner => "the machine, container or worker was lost",
            Self::Gateway => "a gateway answered instead of the service",
            Self::TimeOut => "something took longer than it was given",
            Self::TestSetup => "the test could not be loaded or set up",
        }
    }
}

/// What a sample remembers of its failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FailureMark {
    /// What it looked like.
    pub fingerprint: Fingerprint,
    /// What it said about the world.
    pub signal: Option<Signal>,
}

/// Why a run as a whole teaches nothing about single tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RunExclusion {
    /// So large a share of it failed that one cause behind all is likelier than many.
    MostFailed,
    /// Many tests failed with the same outside signal.
    Outage(Signal),
}

impl RunExclusion {
    /// As stored.
    #[must_use]
    pub fn word(self) -> String {
        match self {
            Self::MostFailed => "most-failed".to_owned(),
            Self::Outage(signal) => format!("outage:{}", signal.word()),
        }
    }

    /// Reads [`RunExclusion::word`].
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word.strip_prefix("outage:") {
            Some(signal) => Signal::parse(signal).map(Self::Outage),
            None => (word == "most-failed").then_some(Self::MostFailed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_and_read() {
        let print = Fingerprint::of(1, &["x"]);
        assert_eq!(Fingerprint::parse(&print.to_string()), Some(print));
        assert_eq!(Fingerprint::parse("f1-zz"), None);
        for gate in [RunExclusion::MostFailed, RunExclusion::Outage(Signal::Dns)] {
            assert_eq!(RunExclusion::parse(&gate.word()), Some(gate));
        }
        assert!(Signal::ALL.iter().all(|s| Signal::parse(s.word()) == Some(*s)));
    }
}
