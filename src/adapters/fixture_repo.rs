//! Repositories that are made from what is told: for the demo, and for evaluations.

use std::collections::BTreeMap;
use std::path::Path;

use crate::adapters::git::Git;
use crate::adapters::git::command::GitCommand;

/// Files by their paths.
pub type Files = BTreeMap<String, String>;

/// Makes a repository of a stream for `git fast-import` and checks its branch `main` out;
/// `None` where git is missing, or the stream is none.
#[must_use]
pub fn repository(path: &Path, stream: &[u8]) -> Option<Git> {
    std::fs::create_dir_all(path).ok()?;
    let git = |words: &[&str], input: &[u8]| GitCommand::in_repository(path).args(words).input(input).text().ok();
    git(&["init", "--quiet", "--initial-branch=main", "."], b"")?;
    git(&["fast-import", "--quiet"], stream)?;
    git(&["reset", "--quiet", "--hard", "main"], b"")?;
    Git::find(path)
}

/// The stream of a branch `main` with one commit for each state of its files.
#[must_use]
pub fn stream(states: &[(&str, Files)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (at, (subject, files)) in states.iter().enumerate() {
        let seconds = 1_767_225_600 + at * 3600;
        let mut put = |text: &str| out.extend_from_slice(text.as_bytes());
        put("commit refs/heads/main\n");
        put(&format!("committer testmedic <testmedic@localhost> {seconds} +0000\n"));
        put(&format!("data {}\n{subject}\ndeleteall\n", subject.len()));
        for (path, text) in files {
            let quoted = path.replace('\\', "\\\\").replace('"', "\\\"");
            put(&format!("M 100644 inline \"{quoted}\"\ndata {}\n{text}\n", text.len()));
        }
        put("\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::Repository;

    #[test]
    fn what_is_told_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let files = |text: &str| Files::from([("a \"b\"/c.txt".to_owned(), text.to_owned())]);
        let states = [("The beginning", files("one\n")), ("A change", files("two\n"))];
        let git = repository(&folder.path().join("r"), &stream(&states)).unwrap();
        let head = git.head().unwrap();
        assert_eq!(git.text_at(&head, "a \"b\"/c.txt").unwrap(), "two\n");
        let base = git.resolve("HEAD~1").unwrap();
        assert_eq!(git.commits(&base, &head).unwrap()[0].subject.raw(), "A change");
    }
}
