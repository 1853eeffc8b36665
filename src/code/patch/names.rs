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

/// The name in such a line; `None` where there is none that can be taken. A date behind it is passed
/// over, but for the one that means that the file is not there.
fn of_line(text: &str) -> Option<Name> {
    let (name, date) = if text.starts_with('"') { (text, "") } else { text.split_once('\t').unwrap_or((text, "")) };
    if date.starts_with("1969-") || date.starts_with("1970-") || name.ends_with([' ', '\r']) {
        return None;
    }
    if name == "/dev/null" { Some(Name::Nothing) } else { stripped(&unquoted(name)?).map(Name::Path) }
}

/// The path without its first folder, as `git apply` takes it.
fn stripped(name: &str) -> Option<String> {
    let (folder, path) = name.split_once('/')?;
    (!folder.is_empty() && !path.is_empty()).then(|| path.to_owned())
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
