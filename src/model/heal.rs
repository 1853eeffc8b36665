//! Words of healing: kinds of edits, corners of a proof, how far the policy goes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an edit of a test changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EditKind {
    /// An expected value.
    Literal,
    /// An expected HTTP status.
    Status,
    /// The name of a key or an attribute.
    RenamedKey,
    /// A member more in an exact comparison.
    AddedMember,
    /// A member less in an exact comparison.
    RemovedMember,
    /// An expected value of another type or format.
    Type,
    /// An expected message.
    Message,
    /// A field more in what a test sends.
    Payload,
    /// The path of a request.
    Path,
    /// The order of expected elements.
    Order,
    /// A snapshot, by the framework's own update switch.
    Snapshot,
}

impl EditKind {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Literal,
        Self::Status,
        Self::RenamedKey,
        Self::AddedMember,
        Self::RemovedMember,
        Self::Type,
        Self::Message,
        Self::Payload,
        Self::Path,
        Self::Order,
        Self::Snapshot,
    ];

    /// The word in the policy.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Literal => "literal",
            Self::Status => "status",
            Self::RenamedKey => "renamed-key",
            Self::AddedMember => "added-member",
            Self::RemovedMember => "removed-member",
            Self::Type => "type",
            Self::Message => "message",
            Self::Payload => "payload",
            Self::Path => "path",
            Self::Order => "order",
            Self::Snapshot => "snapshot",
        }
    }
}

/// How far testmedic goes by itself where a test is outdated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HealMode {
    /// It never heals.
    Off,
    /// Only where a person asks for it in a comment.
    OnCommand,
    /// It suggests the edit in the pull request.
    #[default]
    Suggest,
    /// It pushes a branch and opens a pull request into the pull request's branch.
    Branch,
}

/// A corner of the proof: which test ran on which code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProofCase {
    /// The test as it was, on the code before the change: must pass.
    OldOnOld,
    /// The test as it was, on the code after the change: must fail.
    OldOnNew,
    /// The healed test on the code before the change: must fail.
    NewOnOld,
    /// The healed test on the code after the change: must pass, each time.
    NewOnNew,
    /// The healed test with its healed value changed once more, on the code after
    /// the change: must fail. It stands in for [`ProofCase::NewOnOld`] where the code
    /// before the change cannot be run.
    Mutant,
}

impl ProofCase {
    /// `old`, `new` or `mutant` test, `old` or `new` code.
    #[must_use]
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::OldOnOld => ("old", "old"),
            Self::OldOnNew => ("old", "new"),
            Self::NewOnOld => ("new", "old"),
            Self::NewOnNew => ("new", "new"),
            Self::Mutant => ("mutant", "new"),
        }
    }

    /// Whether the test must pass there.
    #[must_use]
    pub fn must_pass(self) -> bool {
        matches!(self, Self::OldOnOld | Self::NewOnNew)
    }
}
