//! Parses file names in patches.

use super::{Lines, PatchError};

/// The paths of a `---` and a `+++` line. `None` stands for `/dev/null`.
pub(super) struct DiffNames {
    pub(super) old: Option<String>,
    pub(super) new: Option<String>,
}

/// The name in a `---` or `+++` line.
enum DiffName {
    /// `/dev/null`.
    Nothing,
    /// A path without its first directory.
    Path(String),
}

/// Parses a `---` and a `+++` line.
pub(super) fn of_file_lines(lines: &mut Lines<'_>) -> Result<DiffNames, PatchError> {
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
            DiffName::Nothing => None,
            DiffName::Path(path) => Some(path),
        })
    };
    let named = DiffNames { old: name("--- ")?, new: name("+++ ")? };
    if named.old.is_none() && named.new.is_none() {
        return Err(lines.reject("", "both names are /dev/null"));
    }
    Ok(named)
}

/// Parses the name in such a line. git writes a tab after a name that contains spaces. Timestamps are
/// rejected, because programs disagree on which of them mark a deleted file.
fn of_line(text: &str) -> Option<DiffName> {
    if text == "/dev/null" {
        return Some(DiffName::Nothing);
    }
    if text.starts_with('"') {
        return stripped(&unquoted(text)?).map(DiffName::Path);
    }
    let (name, behind) = text.split_once('\t').map_or((text, None), |(name, behind)| (name, Some(behind)));
    if behind.is_some_and(|behind| !behind.is_empty()) || (name.contains(' ') && behind.is_none()) {
        return None;
    }
    stripped(name).map(DiffName::Path)
}

/// Returns whether all patch programs interpret the path in the same way: no empty, `.` or `..` component,
/// and no control characters, which end a name in some programs.
fn is_plain(path: &str) -> bool {
    let odd = |c: char| c.is_control() || matches!(c, '\\' | '\u{2028}' | '\u{2029}');
    let parts = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    parts && !path.contains(odd) && !path.starts_with(' ') && !path.ends_with(' ')
}

/// Removes the first directory of a path, as `git apply` does.
fn stripped(name: &str) -> Option<String> {
    let (folder, path) = name.split_once('/')?;
    (!folder.is_empty() && is_plain(path)).then(|| path.to_owned())
}

/// Parses the path of a `rename from` or `rename to` line, which has no prefix to remove.
pub(super) fn renamed(name: &str) -> Option<String> {
    unquoted(name).filter(|path| is_plain(path))
}

/// Returns whether a `diff --git` line names `from` and `to`, each with a prefix.
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

/// Parses `a/PATH b/PATH`. Returns `None` if the two paths differ.
pub(super) fn of_git_header(names: &str) -> Option<String> {
    if let Some(rest) = names.strip_prefix('"') {
        let end = closing_quote(rest)?;
        let (old, new) = (unquoted(&names[..end + 2])?, unquoted(names[end + 2..].strip_prefix(' ')?)?);
        return stripped(&old).filter(|old| stripped(&new).as_ref() == Some(old));
    }
    // Names with spaces are not quoted here, but both halves are equal.
    let half = names.len().checked_sub(1)? / 2;
    let (old, new) = (names.get(..half)?, names.get(half..)?.strip_prefix(' ')?);
    stripped(old).filter(|old| stripped(new).as_ref() == Some(old))
}

/// Returns the position of the closing quote in `rest`.
fn closing_quote(rest: &str) -> Option<usize> {
    let mut escaped = false;
    rest.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
}

/// Decodes a name as git writes it: unchanged, or in quotes with C escapes.
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
