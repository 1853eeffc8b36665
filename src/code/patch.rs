//! Parses unified diffs, with or without git headers, into the files before and after the change.
//!
//! A patch that several programs could interpret differently is rejected. The guards check the result
//! of this parser, but people apply the patch with `git apply` or `patch`; a change that only those
//! programs see would be unchecked. Therefore every line must belong to a file header, a hunk, or a
//! mail around the patch; every hunk must match at its stated line; and one leading directory (`a/`,
//! `b/`) is removed from paths, as `git apply` does.

mod hunk;
mod names;

use self::hunk::Hunk;
use crate::code::guards::FilePatch;

/// Size limit of a patch in bytes.
pub const LIMIT: usize = 8 << 20;
/// Files that a patch may change.
const FILES: usize = 1000;

/// The state of a path in a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileState {
    /// The path does not exist.
    Nothing,
    /// A text file.
    Text(String),
    /// Anything else, with a description such as `a symbolic link`.
    Odd(String),
}

/// The reason why a patch cannot be checked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// The patch is too large, or contains no change.
    #[error("{0}")]
    NoPatch(String),
    /// The patch is ambiguous, incomplete, or does not match the files.
    #[error("line {line}: {why}")]
    Rejected {
        /// Line number in the patch, from 1.
        line: u32,
        /// The affected file; empty if it is unknown.
        path: String,
        /// The reason.
        why: String,
    },
}

/// Parses a patch and applies it to the files that `held` returns.
///
/// # Errors
/// See [`PatchError`].
pub fn read(text: &str, held: &dyn Fn(&str) -> FileState) -> Result<Vec<FilePatch>, PatchError> {
    if text.len() > LIMIT {
        return Err(PatchError::NoPatch(format!("the patch is larger than {} MB", LIMIT >> 20)));
    }
    let mut lines = Lines::new(text);
    let is_git = text.lines().any(|line| line.starts_with("diff --git "));
    if is_git {
        skip_mail_header(&mut lines)?;
    } else if !lines.next_is("--- ") {
        return Err(PatchError::NoPatch("there is no change in the patch".to_owned()));
    }
    let mut files = Vec::new();
    while !lines.is_at_end(is_git) {
        if files.len() == FILES {
            return Err(lines.reject("", format!("the patch changes more than {FILES} files")));
        }
        files.push(FileDiff::parse(&mut lines, is_git)?.against(held)?);
    }
    Ok(files)
}

/// The lines of a patch and the current position.
struct Lines<'t> {
    all: Vec<&'t str>,
    at: usize,
}

impl<'t> Lines<'t> {
    fn new(text: &'t str) -> Self {
        let mut all: Vec<&str> = text.split('\n').collect();
        // A final newline does not start another line.
        if all.last() == Some(&"") {
            all.pop();
        }
        Self { all, at: 0 }
    }

    fn peek(&self) -> Option<&'t str> {
        self.all.get(self.at).copied()
    }

    fn next_is(&self, begin: &str) -> bool {
        self.peek().is_some_and(|line| line.starts_with(begin))
    }

    /// If the current line starts with `begin`, returns the rest of it and advances.
    fn take(&mut self, begin: &str) -> Option<&'t str> {
        let rest = self.peek()?.strip_prefix(begin)?;
        self.at += 1;
        Some(rest)
    }

    fn number(&self) -> u32 {
        u32::try_from(self.at + 1).unwrap_or(u32::MAX)
    }

    fn reject(&self, path: &str, why: impl Into<String>) -> PatchError {
        PatchError::Rejected { line: self.number(), path: path.to_owned(), why: why.into() }
    }

    /// Returns whether only blank lines or a mail signature remain.
    fn is_at_end(&self, is_git: bool) -> bool {
        let mut rest = self.all[self.at..].iter().copied().skip_while(|line| line.is_empty()).peekable();
        if is_git && rest.next_if_eq(&"-- ").is_some() {
            // `git format-patch` ends a mail with the version of git.
            rest.next_if(|line| line.starts_with(|c: char| c.is_ascii_digit()) && is_harmless(line));
        }
        rest.all(str::is_empty)
    }
}

/// Skips the header of a mail or of `git show` before the first file.
fn skip_mail_header(lines: &mut Lines<'_>) -> Result<(), PatchError> {
    while let Some(line) = lines.peek().filter(|line| !line.starts_with("diff --git ")) {
        if !is_harmless(line) {
            let why = "a patch program could treat this line before the first file as part of the patch; use the output of `git diff`";
            return Err(lines.reject("", why));
        }
        lines.at += 1;
    }
    Ok(())
}

/// Returns whether no patch program treats the line as part of a patch. GNU patch accepts unified,
/// context, normal and ed diffs, also indented or quoted.
fn is_harmless(line: &str) -> bool {
    let words = ["--- ", "+++ ", "@@ -", "*** ", "****", "diff -", "Index:", "GIT binary patch", "Prereq:"];
    let bare = line.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '>' | '-' | '|'));
    let command = bare.trim_end().trim_start_matches(|c: char| c.is_ascii_digit() || c == ',');
    let is_command = bare.starts_with(|c: char| c.is_ascii_digit()) && {
        let behind = command.trim_start_matches(['a', 'c', 'd', 'i', 's']);
        command.len() > behind.len() && behind.chars().all(|c| c.is_ascii_digit() || c == ',')
    };
    !words.iter().any(|word| line.contains(word)) && !is_command && !line.contains('\r') && !line.contains('\0')
}

/// The extended header lines of git for one file.
#[derive(Debug, Default)]
struct Header<'t> {
    old_mode: Option<&'t str>,
    new_mode: Option<&'t str>,
    /// Mode in the `index` line, which git writes if the mode does not change.
    mode: Option<&'t str>,
    is_new: bool,
    is_deleted: bool,
    renamed: Option<(String, String)>,
    is_binary: bool,
}

/// One file of a patch before it is applied.
struct FileDiff {
    path: String,
    renamed_from: Option<String>,
    is_new: bool,
    is_deleted: bool,
    oddity: Option<String>,
    hunks: Vec<Hunk>,
    /// Line of the patch where the file starts.
    line: u32,
}

impl FileDiff {
    fn parse(lines: &mut Lines<'_>, is_git: bool) -> Result<Self, PatchError> {
        let line = lines.number();
        let (mut path, mut header) = (None, Header::default());
        if is_git {
            let Some(names) = lines.take("diff --git ") else {
                return Err(lines.reject("", "the line belongs to no file of the patch; use the output of `git diff`"));
            };
            header = Header::parse(lines)?;
            path = match &header.renamed {
                Some((from, to)) if from != to && names::are_of_git_header(names, from, to) => Some(to.clone()),
                Some(_) => None,
                None => names::of_git_header(names),
            };
            if path.is_none() {
                return Err(lines.reject("", "its header does not name the file, or names two"));
            }
        }
        if !is_git && !lines.next_is("--- ") {
            return Err(lines.reject("", "the line belongs to no file of the patch"));
        }
        let shown = path.clone().unwrap_or_default();
        if header.is_binary {
            let oddity = Some("a binary file".to_owned());
            let (is_new, is_deleted) = (header.is_new, header.is_deleted);
            return Ok(Self { path: shown, renamed_from: None, is_new, is_deleted, oddity, hunks: Vec::new(), line });
        }
        if lines.next_is("--- ") {
            let named = names::of_file_lines(lines)?;
            let (is_new, is_deleted) = (named.old.is_none(), named.new.is_none());
            if is_git && (is_new != header.is_new || is_deleted != header.is_deleted) {
                return Err(lines.reject(&shown, "its header and its `---` and `+++` lines disagree"));
            }
            (header.is_new, header.is_deleted) = (is_new, is_deleted);
            let from = header.renamed.as_ref().map(|(from, _)| from.clone());
            let old_fits = named.old.is_none() || from.is_none() || named.old == from;
            let name = named.new.clone().or_else(|| named.old.clone()).unwrap_or_default();
            let same = from.is_some() || named.old.is_none() || named.new.is_none() || named.old == named.new;
            if !old_fits || !same || path.as_ref().is_some_and(|path| *path != name) {
                return Err(lines.reject(&name, "its header, its `---` line and its `+++` line name different files"));
            }
            path = Some(name);
        }
        let Some(path) = path else {
            return Err(lines.reject("", "which file this is about is not clear: its header names two"));
        };
        let mut hunks: Vec<Hunk> = Vec::new();
        while lines.next_is("@@") {
            hunks.push(Hunk::parse(lines, &path, hunks.last())?);
        }
        let renamed_from = header.renamed.as_ref().map(|(from, _)| from.clone()).filter(|from| *from != path);
        let oddity = header.oddity();
        let says_more = header.is_new || header.is_deleted || renamed_from.is_some() || oddity.is_some();
        if hunks.is_empty() && !says_more && header.old_mode.is_none() {
            return Err(lines.reject(&path, "the patch changes nothing of this file"));
        }
        let (is_new, is_deleted) = (header.is_new, header.is_deleted);
        Ok(Self { path, renamed_from, is_new, is_deleted, oddity, hunks, line })
    }

    /// Applies the hunks and returns the file before and after.
    fn against(self, held: &dyn Fn(&str) -> FileState) -> Result<FilePatch, PatchError> {
        let before = self.renamed_from.as_ref().unwrap_or(&self.path);
        let there = if self.is_new { FileState::Text(String::new()) } else { held(before) };
        let mut made = FilePatch {
            path: self.path.clone(),
            renamed_from: self.renamed_from.clone(),
            oddity: self.oddity.clone(),
            ..FilePatch::default()
        };
        if let FileState::Odd(what) = &there {
            made.oddity = Some(what.clone());
        }
        if made.oddity.is_some() {
            return Ok(made);
        }
        let free = |path: &str| held(path) == FileState::Nothing;
        let moves = self.is_new || self.renamed_from.is_some();
        let made_of = match &there {
            FileState::Text(text) if !moves || free(&self.path) => {
                hunk::apply(&self.hunks, text).map(|new| (text.clone(), new))
            }
            _ => None,
        };
        let (old, new) = made_of.ok_or_else(|| PatchError::Rejected {
            line: self.line,
            path: self.path.clone(),
            why: format!(
                "the patch does not fit `{}` at the line numbers that it states; create it again with `git diff` \
                 against the files in --repo, before it is applied",
                self.path
            ),
        })?;
        if (self.is_new && !old.is_empty()) || (self.is_deleted && !new.is_empty()) {
            return Err(PatchError::Rejected {
                line: self.line,
                path: self.path.clone(),
                why: "a file that is new was there before, or one that is deleted keeps lines".to_owned(),
            });
        }
        made.old = (!self.is_new).then_some(old);
        made.new = (!self.is_deleted).then_some(new);
        Ok(made)
    }
}

impl<'t> Header<'t> {
    fn parse(lines: &mut Lines<'t>) -> Result<Self, PatchError> {
        let mut made = Self::default();
        let mut from = None;
        loop {
            if let Some(mode) = lines.take("old mode ") {
                made.old_mode = Some(mode);
            } else if let Some(mode) = lines.take("new mode ") {
                made.new_mode = Some(mode);
            } else if let Some(mode) = lines.take("new file mode ") {
                (made.is_new, made.new_mode) = (true, Some(mode));
            } else if let Some(mode) = lines.take("deleted file mode ") {
                (made.is_deleted, made.old_mode) = (true, Some(mode));
            } else if let Some(name) = lines.take("rename from ") {
                from = Some(names::renamed(name).ok_or_else(|| lines.reject("", "this is no plain name"))?);
            } else if let Some(name) = lines.take("rename to ") {
                let to = names::renamed(name).ok_or_else(|| lines.reject("", "this is no plain name"))?;
                made.renamed = from.take().map(|from| (from, to));
            } else if let Some(index) = lines.take("index ") {
                made.mode = index.split_once(' ').map(|(_, mode)| mode);
            } else if lines.take("similarity index ").is_none() && lines.take("dissimilarity index ").is_none() {
                break;
            }
        }
        let twice = made.is_new && made.is_deleted;
        if twice || ((made.is_new || made.is_deleted) && (made.renamed.is_some() || from.is_some())) {
            return Err(lines.reject("", "its header says that the file is new, deleted or renamed at once"));
        }
        if lines.next_is("Binary files ") || lines.next_is("GIT binary patch") {
            made.is_binary = true;
            // The content is not checked: the guards reject every binary file.
            lines.at += 1;
            while lines.peek().is_some_and(|line| !line.starts_with("diff --git ")) {
                lines.at += 1;
            }
        } else if from.is_some() || lines.next_is("copy from ") || lines.next_is("rename ") {
            return Err(lines.reject("", "copies and half renames are not read; use `git diff --no-renames`"));
        }
        Ok(made)
    }

    fn oddity(&self) -> Option<String> {
        let modes = [self.old_mode, self.new_mode, self.mode];
        let what = if modes.contains(&Some("120000")) {
            "a symbolic link"
        } else if modes.contains(&Some("160000")) {
            "a submodule"
        } else if self.new_mode == Some("100755") {
            // git sets this mode even if the stated old mode is wrong.
            "a file that becomes executable"
        } else if modes.iter().flatten().any(|mode| !matches!(*mode, "100644" | "100755")) {
            "a file of an unknown mode"
        } else {
            return None;
        };
        Some(what.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "a\nb\nc\nd\n";
    const HEAD: &str = "diff --git a/t.py b/t.py\nindex 1..2 100644\n";
    const BODY: &str = "--- a/t.py\n+++ b/t.py\n@@ -1,4 +1,4 @@\n a\n-b\n+B\n c\n d\n";
    const OTHER: &str = "--- a/s.py\n+++ b/s.py\n@@ -1 +1 @@\n-x\n+y\n";

    fn held(path: &str) -> FileState {
        match path {
            "t.py" | "e f.py" => FileState::Text(OLD.to_owned()),
            "s.py" => FileState::Text("x\n".to_owned()),
            "empty" => FileState::Text(String::new()),
            "link" => FileState::Odd("a symbolic link".to_owned()),
            _ => FileState::Nothing,
        }
    }

    /// Path, text before, text after.
    type Row = (String, Option<String>, Option<String>);

    fn all(text: &str) -> Result<Vec<Row>, PatchError> {
        Ok(read(text, &held)?.into_iter().map(|file| (file.path, file.old, file.new)).collect())
    }

    #[test]
    fn what_is_canonical_is_read() {
        let new = || Some("a\nB\nc\nd\n".to_owned());
        let whole = |path: &str| vec![(path.to_owned(), Some(OLD.to_owned()), new())];
        assert_eq!(all(BODY), Ok(whole("t.py")));
        assert_eq!(all(&format!("{HEAD}{BODY}")), Ok(whole("t.py")));
        let mail =
            format!("From 1 Mon Sep 17 00:00:00 2001\nSubject: x\n\n---\n t.py | 2 +-\n\n{HEAD}{BODY}-- \n2.43.0\n\n");
        assert_eq!(all(&mail), Ok(whole("t.py")));
        assert_eq!(all(&BODY.replace("a/t.py\n+++ b/t.py", "a/e f.py\t\n+++ b/e f.py\t")), Ok(whole("e f.py")));
        let quoted = "diff --git \"a/n\\303\\274.py\" \"b/n\\303\\274.py\"\nnew file mode 100644\nindex 0..1\n--- /dev/null\n+++ \"b/n\\303\\274.py\"\n@@ -0,0 +1 @@\n+x\n\\ No newline at end of file\n";
        assert_eq!(all(quoted), Ok(vec![("nü.py".to_owned(), None, Some("x".to_owned()))]));
        let gone = "diff --git a/s.py b/s.py\ndeleted file mode 100644\nindex 1..0\n--- a/s.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n";
        assert_eq!(all(gone), Ok(vec![("s.py".to_owned(), Some("x\n".to_owned()), None)]));
        let moved = "diff --git a/s.py b/u.py\nsimilarity index 100%\nrename from s.py\nrename to u.py\n";
        assert_eq!(all(moved), Ok(vec![("u.py".to_owned(), Some("x\n".to_owned()), Some("x\n".to_owned()))]));
        assert_eq!(
            read("diff --git a/link b/link\nindex 1..2 120000\n", &held).unwrap()[0].oddity.as_deref(),
            Some("a symbolic link")
        );
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_rejected() {
        let git = format!("{HEAD}{BODY}");
        for (name, text) in [
            ("a plain part before", format!("{OTHER}{git}")),
            ("a plain part behind", format!("{git}{OTHER}")),
            ("a part in a mail", format!("From x\n\n{OTHER}---\n{git}")),
            ("an indented part in a mail", format!("From x\n\n  {}\n{git}", OTHER.trim_end().replace('\n', "\n  "))),
            ("a part behind the signature", format!("{git}-- \n2.43.0\n\n{OTHER}")),
            ("a context diff", format!("*** a/s.py\n--- b/s.py\n***************\n{git}")),
            ("a normal diff", format!("1c1\n< x\n---\n> y\n{git}")),
            ("an ed script", format!("1c\ny\n.\n{git}")),
            ("text between files", format!("{git}hello\n{git}")),
            ("text behind", format!("{git}hello\n")),
            ("another place", BODY.replace("@@ -1,4 +1,4 @@", "@@ -2,4 +2,4 @@")),
            ("no context at the end", "--- a/t.py\n+++ b/t.py\n@@ -1,2 +1,2 @@\n a\n-b\n+B\n".to_owned()),
            ("counts that are short", BODY.replace("-1,4 +1,4", "-1,3 +1,3")),
            ("counts that are long", BODY.replace("-1,4 +1,4", "-1,5 +1,5")),
            ("new line numbers that do not follow", BODY.replace("+1,4 @@", "+2,4 @@")),
            ("hunks out of order", format!("{BODY}@@ -1,4 +1,4 @@\n a\n-B\n+C\n c\n d\n")),
            ("an applied patch", "--- a/s.py\n+++ b/s.py\n@@ -1 +1 @@\n-w\n+x\n".to_owned()),
            ("a NUL in a name", "--- /dev/null\n+++ \"b/c.py\\000/t.py\"\n@@ -0,0 +1 @@\n+y\n".to_owned()),
            ("a CR in a name", "--- /dev/null\n+++ b/c.py\r/t.py\n@@ -0,0 +1 @@\n+y\n".to_owned()),
            ("a space that ends a name", "--- /dev/null\n+++ b/c.py x/t.py\n@@ -0,0 +1 @@\n+y\n".to_owned()),
            ("a date behind a name", BODY.replace("+++ b/t.py", "+++ b/t.py\t2026-01-01 00:00:00 +0000")),
            ("a date that is a name", "--- /dev/null\n+++ b/t.py 2010-07-05 19:41:17\n@@ -0,0 +1 @@\n+y\n".to_owned()),
            (
                "a rename that its header does not name",
                "diff --git a/s.py b/conftest.py\nsimilarity index 100%\nrename from t.py\nrename to u.py\n".to_owned(),
            ),
            (
                "a rename that is new",
                "diff --git a/s.py b/u.py\nnew file mode 100644\nrename from s.py\nrename to u.py\n".to_owned(),
            ),
            ("a file twice in other words", format!("{BODY}{}", OTHER.replace("s.py", "./t.py"))),
            ("a marker that is cut", "--- a/s.py\n+++ b/s.py\n@@ -1 +1 @@\n-x\n+y\n\\ \n".to_owned()),
            ("a marker in the middle", BODY.replace("+B\n", "+B\n\\ No newline at end of file\n")),
            ("nothing", "--- a/t.py\n+++ b/t.py\n@@ -1 +1 @@\n a\n".to_owned()),
            ("a CR in the head of a hunk", BODY.replace("@@\n", "@@\r\n")),
            ("two names", BODY.replace("+++ b/t.py", "+++ b/s.py")),
            ("a header of another file", format!("diff --git a/s.py b/s.py\n{BODY}")),
            ("a date that makes it new", BODY.replace("--- a/t.py", "--- a/t.py\t1970-01-01 00:00:00.000000000 +0000")),
            ("no folder to strip", BODY.replace("a/t.py", "t.py").replace("b/t.py", "t.py")),
            ("a file that is there", "--- /dev/null\n+++ b/s.py\n@@ -0,0 +1 @@\n+y\n".to_owned()),
            ("half a deletion", "--- a/t.py\n+++ /dev/null\n@@ -1,4 +1,3 @@\n a\n-b\n c\n d\n".to_owned()),
            ("a copy", "diff --git a/s.py b/u.py\ncopy from s.py\ncopy to u.py\n".to_owned()),
            ("half a rename", "diff --git a/s.py b/u.py\nrename from s.py\n".to_owned()),
        ] {
            assert!(matches!(all(&text), Err(PatchError::Rejected { .. })), "{name}: {:?}", all(&text));
        }
        for text in ["", "hello\n", "+++ b/x\n"] {
            assert!(matches!(all(text), Err(PatchError::NoPatch(_))), "{text}");
        }
    }
}
