//! The names of files in a patch.

use super::{Lines, PatchError};

/// The files of a `---` and a `+++` line; `None` stands for `/dev/null`.
pub(super) struct Named {
    pub(super) old: Option<String>,
    pub(super) new: Option<String>,
}

/// What a `---` or `+++` line names.
enum Name {
    /// `/dev/null`.
    Nothing,
    /// A file, without its first folder.
    Path(String),
}

/// Reads a `---` and a `+++` line.
pub(super) fn of_file_lines(lines: &mut Lines<'_>) -> Result<Named, PatchError> {
    let mut name = |begin: &str| -> Result<Option<String>, PatchError> {
        let found = lines.peek().and_then(|line| line.strip_prefix(begin)).and_then(of_line);
        let found = found.ok_or_else(|| {
            lines.reject(
                "",
                format!("`{begin}` and a name with a folder before it, such as `a/tests/test_a.py`, is wanted here"),
            )
        })?;
        lines.at += 1;
        Ok(match found {
            Name::Nothing => None,
            Name::Path(path) => Some(path),
        })
    };
    let named = Named { old: name("--- ")?, new: name("+++ ")? };
    if named.old.is_none() && named.new.is_none() {
        return Err(lines.reject("", "both names are /dev/null"));
    }
    Ok(named)
}

/// The name in such a line; `None` where there is none that can be taken. git writes a tab behind a
/// name with spaces. A date there is not read: some dates mean that the file is deleted, and programs do
/// not agree on which.
fn of_line(text: &str) -> Option<Name> {
    if text == "/dev/null" {
        return Some(Name::Nothing);
    }
    if text.starts_with('"') {
        return stripped(&unquoted(text)?).map(Name::Path);
    }
    let (name, behind) = text.split_once('\t').map_or((text, None), |(name, behind)| (name, Some(behind)));
    if behind.is_some_and(|behind| !behind.is_empty()) || (name.contains(' ') && behind.is_none()) {
        return None;
    }
    stripped(name).map(Name::Path)
}

/// Whether a path is one that every program takes for the same: no part that is empty or dots, and no
/// character that ends a name somewhere.
fn is_plain(path: &str) -> bool {
    let odd = |c: char| c.is_control() || matches!(c, '\\' | '\u{2028}' | '\u{2029}');
    let parts = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    parts && !path.contains(odd) && !path.starts_with(' ') && !path.ends_with(' ')
}

/// The path without its first folder, as `git apply` takes it.
fn stripped(name: &str) -> Option<String> {
    let (folder, path) = name.split_once('/')?;
    (!folder.is_empty() && is_plain(path)).then(|| path.to_owned())
}

/// The path in a `rename from` or `rename to` line, which has no folder to strip.
pub(super) fn renamed(name: &str) -> Option<String> {
    unquoted(name).filter(|path| is_plain(path))
}

/// Whether the names of a `diff --git` line are these two, each behind a folder.
pub(super) fn are_of_git_header(names: &str, from: &str, to: &str) -> bool {
    let pair = if let Some(rest) = names.strip_prefix('"') {
        closing_quote(rest)
            .and_then(|end| Some((unquoted(&names[..end + 2])?, unquoted(names[end + 2..].strip_prefix(' ')?)?)))
    } else if let Some((old, new)) = names.strip_suffix('"').and_then(|_| names.split_once(" \"")) {
        unquoted(&format!("\"{new}")).map(|new| (old.to_owned(), new))
    } else {
        let old = names.strip_suffix(&format!("/{to}")).and_then(|rest| rest.rsplit_once(' '));
        old.map(|(old, folder)| (old.to_owned(), format!("{folder}/{to}")))
    };
    pair.is_some_and(|(old, new)| stripped(&old).as_deref() == Some(from) && stripped(&new).as_deref() == Some(to))
}

/// The one path that `a/PATH b/PATH` names; `None` for two different ones.
pub(super) fn of_git_header(names: &str) -> Option<String> {
    if let Some(rest) = names.strip_prefix('"') {
        let end = closing_quote(rest)?;
        let (old, new) = (unquoted(&names[..end + 2])?, unquoted(names[end + 2..].strip_prefix(' ')?)?);
        return stripped(&old).filter(|old| stripped(&new).as_ref() == Some(old));
    }
    // Names with spaces stand there without quotes: both halves are the same, whatever is in them.
    let half = names.len().checked_sub(1)? / 2;
    let (old, new) = (names.get(..half)?, names.get(half..)?.strip_prefix(' ')?);
    stripped(old).filter(|old| stripped(new).as_ref() == Some(old))
}

/// Where the quoted text ends that begins before `rest`.
fn closing_quote(rest: &str) -> Option<usize> {
    let mut escaped = false;
    rest.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
}

/// A name as git writes it: as it is, or in quotes with the escapes of C.
pub(super) fn unquoted(name: &str) -> Option<String> {
    let Some(rest) = name.strip_prefix('"') else { return Some(name.to_owned()) };
    let end = closing_quote(rest).filter(|end| end + 1 == rest.len())?;
    let mut bytes = rest[..end].bytes();
    let mut out = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        out.push(match bytes.next()? {
            b'a' => 7,
            b'b' => 8,
            b't' => b'\t',
            b'n' => b'\n',
            b'v' => 11,
            b'f' => 12,
            b'r' => b'\r',
            plain @ (b'"' | b'\\') => plain,
            first @ b'0'..=b'3' => {
                let mut digit = || bytes.next().filter(|d| (b'0'..=b'7').contains(d)).map(|d| d - b'0');
                (first - b'0') * 64 + digit()? * 8 + digit()?
            }
            _ => return None,
        });
    }
    String::from_utf8(out).ok()
}
