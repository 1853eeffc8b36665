//! A git repository, read through the `git` command.
//!
//! Arguments never come from a report: commits are checked to be hexadecimal
//! before they are handed over. The repository's configuration
//! cannot start a program: see [`command`].

pub mod command;
pub mod private_dir;

use std::path::{Path, PathBuf};

use self::command::GitCommand;
use self::private_dir::PrivateGitDir;

use crate::adapters::directory::{Directory, EntryKind};
use crate::model::change::{Commit, FileChange};
use crate::model::text::{Untrusted, head};
use crate::model::time::Timestamp;
use crate::plan::action::{CommitDraft, Person};
use crate::ports::Repository;

/// Commits read of one window.
const COMMITS: usize = 200;
/// Bytes of patch text read of one window.
const PATCH: usize = 8 << 20;
/// Size limit in bytes of a changed file that is not committed.
const SIZE: u64 = 64 << 20;
/// Lines kept of one file's removed or added lines.
const LINES: usize = 2000;
/// Bytes kept of one line.
const LINE: usize = 400;

/// Options of all commands that print patches: no external programs, and the prefixes that the parser expects.
const PATCHES: [&str; 5] = ["--no-color", "--no-ext-diff", "--no-textconv", "--src-prefix=a/", "--dst-prefix=b/"];
/// Author of commits that are only used internally.
const PERSON: [(&str, &str); 4] = [
    ("GIT_AUTHOR_NAME", "testmedic"),
    ("GIT_AUTHOR_EMAIL", "testmedic@localhost"),
    ("GIT_COMMITTER_NAME", "testmedic"),
    ("GIT_COMMITTER_EMAIL", "testmedic@localhost"),
];

/// A repository on disk.
#[derive(Clone, Debug)]
pub struct Git {
    folder: PathBuf,
}

impl Git {
    /// The repository at or above `folder`; `None` where there is none, or no git.
    #[must_use]
    pub fn find(folder: &Path) -> Option<Self> {
        let git = Self { folder: folder.to_owned() };
        git.run(&["rev-parse", "--git-dir"]).map(|_| git)
    }

    /// The commit that is checked out.
    #[must_use]
    pub fn head(&self) -> Option<String> {
        self.run(&["rev-parse", "--verify", "--quiet", "HEAD"]).map(|s| s.trim().to_owned()).filter(|s| is_hash(s))
    }

    /// The commit that `revision` (a branch, a tag, `HEAD~1`) names.
    #[must_use]
    pub fn resolve(&self, revision: &str) -> Option<String> {
        let wanted = format!("{revision}^{{commit}}");
        let safe = !revision.is_empty() && !revision.starts_with('-');
        safe.then(|| self.run(&["rev-parse", "--verify", "--quiet", "--end-of-options", &wanted]))
            .flatten()
            .map(|s| s.trim().to_owned())
    }

    /// The branch that is checked out.
    #[must_use]
    pub fn branch(&self) -> Option<String> {
        self.run(&["symbolic-ref", "--quiet", "--short", "HEAD"]).map(|s| s.trim().to_owned()).filter(|s| !s.is_empty())
    }

    /// The commit from which `head` left `base`.
    #[must_use]
    pub fn merge_base(&self, base: &str, head: &str) -> Option<String> {
        let (base, head) = (self.resolve(base)?, self.resolve(head)?);
        self.run(&["merge-base", &base, &head]).map(|s| s.trim().to_owned()).filter(|s| is_hash(s))
    }

    /// The commits behind a commit along first parents, the newest first, itself included.
    #[must_use]
    pub fn line(&self, head: &str, most: usize) -> Vec<String> {
        if !self.knows(head) {
            return Vec::new();
        }
        let count = format!("--max-count={most}");
        let listed = self.run(&["rev-list", "--first-parent", &count, head, "--"]).unwrap_or_default();
        listed.lines().filter(|line| is_hash(line)).map(str::to_owned).collect()
    }

    /// When a commit was made.
    #[must_use]
    pub fn commit_at(&self, commit: &str) -> Option<Timestamp> {
        if !self.knows(commit) {
            return None;
        }
        self.run(&["log", "-1", "--format=%ct", commit, "--"])?.trim().parse().ok().map(Timestamp::from_unix)
    }

    /// The files of the repository.
    #[must_use]
    pub fn files(&self) -> Vec<String> {
        let listed = self.run(&["ls-files", "-z"]).unwrap_or_default();
        listed.split('\0').filter(|f| !f.is_empty()).map(str::to_owned).collect()
    }

    /// The folder at the top of the checkout. It holds an entry `.git`: a repository's configuration
    /// can name any folder of the machine as its top.
    #[must_use]
    pub fn top(&self) -> Option<PathBuf> {
        let top = self.run(&["rev-parse", "--show-toplevel"]).map(|s| PathBuf::from(s.trim_end_matches('\n')))?;
        top.join(".git").symlink_metadata().is_ok().then_some(top)
    }

    /// What is different between two commits, as one change.
    #[must_use]
    pub fn change(&self, old: &str, new: &str) -> Option<Vec<FileChange>> {
        if !self.knows(old) || !self.knows(new) {
            return None;
        }
        let options = ["--find-renames", "-U0", old, new, "--"];
        self.run(&[&["diff"], &PATCHES[..], &options].concat()).map(|patch| parse_patch(&patch))
    }

    /// A commit of what is checked out, changes that were not committed included, as a child of the
    /// commit that is checked out. Nothing of the repository but its objects is touched. `None` where
    /// nothing was changed.
    #[must_use]
    pub fn with_changes(&self) -> Option<String> {
        let (head, top) = (self.head()?, self.top()?);
        let place = tempfile::tempdir().ok()?;
        let own = PrivateGitDir::create(&self.folder, &place.path().join("git")).ok()?;
        let objects = private_dir::objects(&self.folder).ok()?;
        let index = place.path().join("index");
        let call = || own.command(&top).env("GIT_INDEX_FILE", &index).env("GIT_OBJECT_DIRECTORY", &objects);
        // What git noted of files when they were last looked at spares reading all of them.
        let known = self.run(&["rev-parse", "--path-format=absolute", "--git-path", "index"])?;
        let copied = std::fs::copy(known.trim_end_matches('\n'), &index).is_ok();
        let list = ["diff-files", "--name-only", "-z", "--ignore-submodules=all", "--no-ext-diff"];
        let mut changed = if copied { call().args(&list).text().ok() } else { None };
        if changed.is_none() {
            call().args(&["read-tree", &head]).run().ok()?;
            changed = Some(call().args(&list).text().ok()?);
        }
        let files = Directory::open(&top).ok()?;
        let mut entries = Vec::new();
        for path in changed?.split('\0').filter(|path| !path.is_empty()) {
            entries.extend(entry(&files, path, &call)?);
        }
        call().args(&["update-index", "-z", "--index-info"]).input(entries).run().ok()?;
        let tree = call().args(&["write-tree"]).text().ok()?;
        if self.run(&["rev-parse", "--verify", "--quiet", &format!("{head}^{{tree}}")])?.trim() == tree.trim() {
            return None;
        }
        let words = ["commit-tree", tree.trim(), "-p", &head, "-m", "Changes that are not committed"];
        let made = self.run_in(&words, &PERSON, None)?;
        Some(made.trim().to_owned()).filter(|s| is_hash(s))
    }

    /// A text of a commit; `None` for what is no UTF-8 or larger than is read: what
    /// would be written back must be what was there.
    #[must_use]
    pub fn text_at(&self, commit: &str, path: &str) -> Option<String> {
        let safe = is_hash(commit) && !path.is_empty() && !path.contains('\n');
        let bytes = safe.then(|| self.read(&["cat-file", "blob", &format!("{commit}:{path}")])).flatten()?;
        String::from_utf8(bytes).ok().filter(|text| text.len() < PATCH)
    }

    /// The files of a commit that hold a text, as it is written.
    #[must_use]
    pub fn holding(&self, commit: &str, text: &str) -> Vec<String> {
        if !is_hash(commit) {
            return Vec::new();
        }
        let found = self.run(&["grep", "-I", "-l", "-z", "-F", "--full-name", "-e", text, commit, "--"]);
        let lead = format!("{commit}:");
        let paths = found.unwrap_or_default();
        paths.split('\0').filter_map(|path| path.strip_prefix(&lead)).map(str::to_owned).collect()
    }

    /// Whether a file that a commit does not have was deleted before it. A history that
    /// was not fetched tells nothing.
    #[must_use]
    pub fn was_deleted(&self, commit: &str, path: &str) -> bool {
        let literal = format!(":(literal,top){path}");
        let words = ["log", "-1", "--format=%H", "--diff-filter=D", commit, "--", &literal];
        is_hash(commit) && self.run(&words).is_some_and(|found| !found.trim().is_empty())
    }

    /// The folder of the repository that we were shown, with a slash at its end;
    /// empty for its top.
    #[must_use]
    pub fn prefix(&self) -> String {
        self.run(&["rev-parse", "--show-prefix"]).map(|s| s.trim_end_matches('\n').to_owned()).unwrap_or_default()
    }

    /// Whether a file of a commit can be executed.
    #[must_use]
    pub fn is_executable_at(&self, commit: &str, path: &str) -> bool {
        let literal = format!(":(literal,top){path}");
        let listed = is_hash(commit).then(|| self.run(&["ls-tree", "-z", "--full-tree", commit, "--", &literal]));
        listed.flatten().is_some_and(|line| line.starts_with("100755 "))
    }

    /// The files of a commit.
    #[must_use]
    pub fn files_at(&self, commit: &str) -> Vec<String> {
        if !self.knows(commit) {
            return Vec::new();
        }
        let listed = self.run(&["ls-tree", "-r", "-z", "--name-only", "--full-tree", commit]).unwrap_or_default();
        listed.split('\0').filter(|f| !f.is_empty()).map(str::to_owned).collect()
    }

    /// Makes a branch with commits on top of `parent`. Index and checkout are not touched. `None` where the branch is
    /// there already, or git refuses.
    #[must_use]
    pub fn make_branch(&self, name: &str, parent: &str, commits: &[CommitDraft], author: &Person) -> Option<String> {
        let safe = !name.starts_with('-') && !name.contains("..") && self.knows(parent);
        let folder = tempfile::tempdir().ok().filter(|_| safe)?;
        let index = folder.path().join("index").display().to_string();
        let own = [("GIT_INDEX_FILE", index.as_str())];
        let people = [
            ("GIT_AUTHOR_NAME", author.name.as_str()),
            ("GIT_AUTHOR_EMAIL", &author.email),
            ("GIT_COMMITTER_NAME", &author.name),
            ("GIT_COMMITTER_EMAIL", &author.email),
        ];
        self.run_in(&["read-tree", parent], &own, None)?;
        let mut commit = parent.to_owned();
        for draft in commits {
            for file in &draft.files {
                let blob = self.run_in(&["hash-object", "-w", "--stdin"], &own, Some(&file.text))?;
                let mode = if file.executable { "100755" } else { "100644" };
                let entry = format!("{mode},{},{}", blob.trim(), file.path);
                self.run_in(&["update-index", "--add", "--cacheinfo", &entry], &own, None)?;
            }
            let tree = self.run_in(&["write-tree"], &own, None)?;
            let words = ["commit-tree", tree.trim(), "-p", &commit];
            self.run_in(&words, &people, Some(&draft.message))?.trim().clone_into(&mut commit);
        }
        // Only a branch that is not there is made.
        let nothing = "0".repeat(commit.len());
        self.run_in(&["update-ref", &format!("refs/heads/{name}"), &commit, &nothing], &[], None)?;
        Some(commit)
    }

    fn run_in(&self, arguments: &[&str], variables: &[(&str, &str)], input: Option<&str>) -> Option<String> {
        let call = GitCommand::in_repository(&self.folder).args(arguments).input(input.unwrap_or_default());
        variables.iter().fold(call, |call, (name, value)| call.env(name, value)).text().ok()
    }

    /// Where this branch left the one that it will go into: the usual names are tried.
    #[must_use]
    pub fn default_base(&self, head: &str) -> Option<String> {
        let names = ["origin/HEAD", "origin/main", "origin/master", "main", "master"];
        let base = names.iter().find_map(|name| self.merge_base(name, head));
        // On that branch itself the commit before is the one to compare with.
        base.filter(|b| b != head).or_else(|| self.resolve(&format!("{head}~1")))
    }

    fn run(&self, arguments: &[&str]) -> Option<String> {
        self.read(arguments).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// What git prints, up to a bound: what is beyond it is not looked at.
    fn read(&self, arguments: &[&str]) -> Option<Vec<u8>> {
        GitCommand::in_repository(&self.folder).args(arguments).limit(PATCH).run().ok()
    }

    fn knows(&self, commit: &str) -> bool {
        is_hash(commit) && self.run(&["cat-file", "-e", &format!("{commit}^{{commit}}")]).is_some()
    }
}

/// Returns the input line for `git update-index --index-info` that updates the index entry of a file.
fn entry(files: &Directory, path: &str, call: &dyn Fn() -> GitCommand) -> Option<Vec<u8>> {
    let hash = |bytes: &[u8], options: &[&str]| {
        let words = [&["hash-object", "-w", "--stdin"], options].concat();
        call().args(&words).input(bytes).text().ok().map(|hash| hash.trim().to_owned())
    };
    let (mode, blob) = match files.entry_kind(path) {
        Some(EntryKind::File) => {
            let mode = if files.is_executable(path) { "100755" } else { "100644" };
            (mode, hash(&files.read_hard_linked(path, SIZE).ok()?, &["--path", path])?)
        }
        Some(EntryKind::Other) => ("120000", hash(&files.link_target(path).ok()?, &["--no-filters"])?),
        Some(EntryKind::Folder) => return Some(Vec::new()),
        None => ("0", "0".repeat(40)),
    };
    Some(format!("{mode} {blob}\t{path}\0").into_bytes())
}

fn is_hash(text: &str) -> bool {
    (4..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

impl Repository for Git {
    fn commits(&self, good: &str, bad: &str) -> Option<Vec<Commit>> {
        if !self.knows(good) || !self.knows(bad) {
            return None;
        }
        let range = format!("{good}..{bad}");
        let most = format!("-n{COMMITS}");
        let options = ["--find-renames", "-U0", "-p", &most, "--format=%x01%H%x02%at%x02%an%x02%s", &range, "--"];
        let log = self.run(&[&["log"], &PATCHES[..], &options].concat())?;
        Some(parse_log(&log))
    }
}

/// Reads `git log -p -U0` with the format above.
fn parse_log(log: &str) -> Vec<Commit> {
    log.split('\u{1}').skip(1).filter_map(parse_commit).collect()
}

fn parse_commit(text: &str) -> Option<Commit> {
    let (first, patch) = text.split_once('\n').unwrap_or((text, ""));
    let mut fields = first.splitn(4, '\u{2}');
    let sha = fields.next()?.to_owned();
    let at = Timestamp::from_unix(fields.next()?.parse().ok()?);
    let author = Untrusted::bounded(fields.next()?, 200);
    let subject = Untrusted::bounded(fields.next().unwrap_or(""), 300);
    Some(Commit { sha, at, author, subject, files: parse_patch(patch) })
}

fn parse_patch(patch: &str) -> Vec<FileChange> {
    let mut files: Vec<FileChange> = Vec::new();
    let mut in_hunk = false;
    for line in patch.lines() {
        if let Some(names) = line.strip_prefix("diff --git ") {
            in_hunk = false;
            let path = names.rsplit_once(" b/").map_or(names, |(_, path)| path);
            files.push(FileChange { path: path.to_owned(), ..FileChange::default() });
            continue;
        }
        let Some(file) = files.last_mut() else {
            continue;
        };
        if line.starts_with("@@") {
            in_hunk = true;
        } else if !in_hunk {
            if let Some(from) = line.strip_prefix("rename from ") {
                file.renamed_from = Some(from.to_owned());
            } else if let Some(path) = line.strip_prefix("+++ b/") {
                path.trim_end_matches('\t').clone_into(&mut file.path);
            }
        } else if let Some(added) = line.strip_prefix('+') {
            keep(&mut file.added, added);
        } else if let Some(removed) = line.strip_prefix('-') {
            keep(&mut file.removed, removed);
        }
    }
    files
}

fn keep(lines: &mut Vec<String>, line: &str) {
    if lines.len() < LINES && !line.trim().is_empty() {
        lines.push(head(line, LINE).to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_read() {
        let log = "\u{1}abc1\u{2}1700000000\u{2}Ann\u{2}Fix -- things\n\ndiff --git a/src/x.py b/src/x.py\nindex 1..2 100644\n--- a/src/x.py\n+++ b/src/x.py\n@@ -1 +1 @@\n-old = 1\n+new = 2\n+++ odd\ndiff --git a/old.txt b/new.txt\nsimilarity index 100%\nrename from old.txt\nrename to new.txt\n\u{1}abc2\u{2}1700000001\u{2}Bob\u{2}Merge\n";
        let commits = parse_log(log);
        assert_eq!(commits.len(), 2);
        assert_eq!(commits[0].files[0].removed, ["old = 1"]);
        assert_eq!(commits[0].files[0].added, ["new = 2", "++ odd"]);
        assert_eq!(commits[0].files[1].renamed_from.as_deref(), Some("old.txt"));
        assert_eq!(commits[0].files[1].path, "new.txt");
        assert!(commits[1].files.is_empty());
    }

    #[test]
    fn changes_that_are_not_committed() {
        use crate::adapters::fixture_repo::{Files, repository, stream};
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("r");
        let names = ["changed", "deleted", "linked", "executable", "same"];
        let files: Files = names.iter().map(|name| ((*name).to_owned(), "old\n".to_owned())).collect();
        let git = repository(&root, &stream(&[("One", files)])).unwrap();
        assert_eq!(git.with_changes(), None);
        std::fs::write(root.join("changed"), "new\n").unwrap();
        std::fs::remove_file(root.join("deleted")).unwrap();
        std::fs::remove_file(root.join("linked")).unwrap();
        std::os::unix::fs::symlink("same", root.join("linked")).unwrap();
        std::fs::set_permissions(root.join("executable"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        std::fs::write(root.join("untracked"), "x\n").unwrap();
        let commit = git.with_changes().unwrap();
        assert_eq!(git.files_at(&commit), ["changed", "executable", "linked", "same"]);
        assert_eq!(git.text_at(&commit, "changed").unwrap(), "new\n");
        assert_eq!(git.text_at(&commit, "linked").unwrap(), "same");
        assert!(git.is_executable_at(&commit, "executable") && !git.is_executable_at(&commit, "same"));
        assert_eq!(git.resolve(&format!("{commit}~1")), git.head());
        let left = git.run(&["status", "--porcelain"]).unwrap();
        assert_eq!(left, " M changed\n D deleted\n M executable\n T linked\n?? untracked\n", "index and files stay");
    }

    #[test]
    fn only_hashes_reach_git() {
        assert!(is_hash("deadbeef") && !is_hash("--output=x") && !is_hash("HEAD") && !is_hash("abc"));
    }
}
