//! Reads the result files of an execution: those that its command was told to write, and no others.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use globset::GlobBuilder;

use super::checkout::is_dependency;
use crate::adapters::directory::{Directory, EntryKind};
use crate::ingest::junit;
use crate::model::run::TestRun;

/// Size limit of one result file in bytes.
const FILE: u64 = 256 << 20;
/// Size limit of all result files of one pattern in bytes.
const ALL: u64 = 1 << 30;
/// Result files that one pattern may match.
const FILES: usize = 10_000;
/// Paths that are compared with one pattern.
const PATHS: usize = 500_000;

/// The directories that may contain results. They were opened before anything ran.
#[derive(Debug)]
pub struct Outputs<'f> {
    folders: Vec<&'f Directory>,
}

impl<'f> Outputs<'f> {
    /// Reads results from these directories.
    #[must_use]
    pub fn new(folders: Vec<&'f Directory>) -> Self {
        Self { folders }
    }

    /// Returns a result file as text, or an empty text if there is no plain file.
    #[must_use]
    pub fn text(&self, path: &Path) -> String {
        let read = self.place(path).and_then(|(folder, inside)| folder.read(&inside, FILE).ok());
        String::from_utf8_lossy(&read.unwrap_or_default()).into_owned()
    }

    /// Parses the reports that `pattern` matches: a path, or a glob relative to `base`.
    #[must_use]
    pub fn reports(&self, base: &Path, pattern: &str) -> Vec<TestRun> {
        let mut runs = Vec::new();
        let mut left = ALL;
        for (folder, path) in self.matching(base, pattern) {
            let Ok(bytes) = folder.read(&path, FILE.min(left)) else {
                runs.push(junit::unusable(&path, "it is no plain file, or too large"));
                continue;
            };
            left = left.saturating_sub(bytes.len() as u64);
            runs.extend(junit::read_all(&path, Cursor::new(bytes)));
        }
        runs
    }

    /// Removes the files that `pattern` matches, so that old results do not count as new ones.
    pub fn clear(&self, base: &Path, pattern: &str) {
        for (folder, path) in self.matching(base, pattern) {
            folder.remove(&path);
        }
    }

    fn matching(&self, base: &Path, pattern: &str) -> Vec<(&'f Directory, String)> {
        let whole = base.join(pattern);
        let Some((folder, inside)) = self.place(&whole) else { return Vec::new() };
        if !inside.contains(['*', '?', '[', '{']) {
            return if folder.entry_kind(&inside).is_some() { vec![(folder, inside)] } else { Vec::new() };
        }
        let Ok(glob) = GlobBuilder::new(&inside).literal_separator(true).build() else { return Vec::new() };
        let glob = glob.compile_matcher();
        let found = folder.walk(PATHS, &|path| !is_dependency(path) && path != ".git");
        let files = found.into_iter().filter(|(path, entry)| entry.kind == EntryKind::File && glob.is_match(path));
        files.take(FILES).map(|(path, _)| (folder, path)).collect()
    }

    /// Returns the directory that contains `path`, and the path relative to it.
    fn place(&self, path: &Path) -> Option<(&'f Directory, String)> {
        self.folders.iter().find_map(|folder| {
            let inside: PathBuf = path.strip_prefix(folder.path()).ok()?.to_owned();
            Some((*folder, inside.to_str()?.to_owned()))
        })
    }
}
