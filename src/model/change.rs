//! What changed in the sources between two runs.

use crate::model::text::Untrusted;
use crate::model::time::Timestamp;

/// One commit with the lines it removed and added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Full hash.
    pub sha: String,
    /// Author date.
    pub at: Timestamp,
    /// Author's name.
    pub author: Untrusted,
    /// First line of the message.
    pub subject: Untrusted,
    /// Files it touched, bounded in number and size.
    pub files: Vec<FileChange>,
}

/// One file of a commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileChange {
    /// Path after the commit, relative to the repository.
    pub path: String,
    /// Path before, where the file was renamed.
    pub renamed_from: Option<String>,
    /// Lines that are gone.
    pub removed: Vec<String>,
    /// Lines that are new.
    pub added: Vec<String>,
}
