//! Unified diffs, plain or as git writes them → the files before and after.

use diffy::patch_set::{FileMode, FileOperation, ParseOptions, PatchSet};

use crate::code::guards::FilePatch;

/// Bytes of a patch that is read.
pub const LIMIT: usize = 8 << 20;
/// Files of a patch that are read.
const FILES: usize = 1000;

/// What a repository holds at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// Nothing.
    Nothing,
    /// A text.
    Text(String),
    /// Something that is no text file, and what.
    Odd(String),
}

/// Reads a patch against the files that `read` gives. A patch that is applied
/// already is read as well.
///
/// # Errors
/// What is wrong, for people: not a patch, or one that does not fit.
pub fn read(text: &str, held: &dyn Fn(&str) -> Held) -> Result<Vec<FilePatch>, String> {
    if text.len() > LIMIT {
        return Err(format!("the patch is larger than {} MB", LIMIT >> 20));
    }
    let is_git = text.lines().any(|line| line.starts_with("diff --git "));
    let options = if is_git { ParseOptions::gitdiff() } else { ParseOptions::unidiff() };
    let mut files = Vec::new();
    for file in PatchSet::parse(text, options) {
        let file = file.map_err(|e| format!("this is no patch that can be read: {e}"))?;
        if files.len() == FILES {
            return Err(format!("the patch changes more than {FILES} files"));
        }
        files.push(one(&file, held)?);
    }
    if files.is_empty() {
        return Err("there is no change in the patch".to_owned());
    }
    Ok(files)
}

fn one(file: &diffy::patch_set::FilePatch<'_, str>, held: &dyn Fn(&str) -> Held) -> Result<FilePatch, String> {
    let bare = file.operation();
    let prefixed = match bare {
        FileOperation::Delete(old) => old.starts_with("a/"),
        FileOperation::Create(new) => new.starts_with("b/"),
        FileOperation::Modify { original, modified } => original.starts_with("a/") && modified.starts_with("b/"),
        // git writes names of renames without a prefix.
        FileOperation::Rename { .. } | FileOperation::Copy { .. } => false,
    };
    let (before, after) = match bare.strip_prefix(usize::from(prefixed)) {
        FileOperation::Delete(old) => (Some(old.into_owned()), None),
        FileOperation::Create(new) => (None, Some(new.into_owned())),
        FileOperation::Modify { original, modified } => (Some(original.into_owned()), Some(modified.into_owned())),
        FileOperation::Rename { from, to } | FileOperation::Copy { from, to } => {
            (Some(from.into_owned()), Some(to.into_owned()))
        }
    };
    let path = after.clone().or_else(|| before.clone()).unwrap_or_default();
    let mut made = FilePatch {
        renamed_from: before.clone().filter(|b| after.as_ref().is_some_and(|a| a != b) && !bare.is_copy()),
        oddity: oddity(file),
        path,
        ..FilePatch::default()
    };
    let mut old = None;
    if let Some(path) = &before {
        match held(path) {
            Held::Text(text) => old = Some(text),
            Held::Odd(what) => made.oddity = Some(what),
            Held::Nothing => {}
        }
    }
    if made.oddity.is_some() {
        return Ok(made);
    }
    let Some(patch) = file.patch().as_text() else {
        made.oddity = Some("a binary file".to_owned());
        return Ok(made);
    };
    let base = old.clone().unwrap_or_default();
    let fits = |text: &str| diffy::apply(text, patch).ok();
    let new = fits(&base).or_else(|| {
        // It may be applied already: then what is there is the new side.
        let there = after.as_deref().map(held)?;
        let Held::Text(there) = there else { return None };
        old = Some(diffy::apply(&there, &patch.reverse()).ok()?);
        Some(there)
    });
    let Some(new) = new else {
        return Err(format!("the patch does not fit `{}`", made.path));
    };
    made.old = if before.is_some() { old.or(Some(base)) } else { None };
    made.new = after.map(|_| new);
    Ok(made)
}

fn oddity(file: &diffy::patch_set::FilePatch<'_, str>) -> Option<String> {
    let modes = [file.old_mode(), file.new_mode()];
    if modes.contains(&Some(&FileMode::Symlink)) {
        return Some("a symbolic link".to_owned());
    }
    if modes.contains(&Some(&FileMode::Gitlink)) {
        return Some("a submodule".to_owned());
    }
    let executable = file.new_mode() == Some(&FileMode::Executable) && file.old_mode() != Some(&FileMode::Executable);
    if executable {
        return Some("a file that becomes executable".to_owned());
    }
    file.patch().is_binary().then(|| "a binary file".to_owned())
}
