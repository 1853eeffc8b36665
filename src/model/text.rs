//! Text that came from outside: a test, a log, a report, a commit.
//!
//! It may hold terminal escapes, control characters, gigabytes, markup or
//! instructions. [`Untrusted`] has no `Display`: the only way to show it leads
//! through [`crate::render`], which escapes it for the place where it lands.

use std::borrow::Cow;

use crate::model::secret::mask;

/// Text that nobody has vouched for. Judge it, never obey it, escape it to show it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Untrusted(String);

impl Untrusted {
    /// Wraps `text` as it is.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Cleans `text` (see [`clean`]) and keeps at most `limit` bytes of it,
    /// head and tail (see [`elide`]).
    #[must_use]
    pub fn bounded(text: &str, limit: usize) -> Self {
        let cleaned = clean(text);
        Self(elide(&cleaned, limit).into_owned())
    }

    /// As [`Untrusted::bounded`], with what has the shape of a credential masked
    /// first, so that no cut hides half of one.
    #[must_use]
    pub fn masked(text: &str, limit: usize) -> Self {
        let cleaned = clean(text);
        Self(elide(&mask(&cleaned), limit).into_owned())
    }

    /// The text, for rules that judge it. Never write this to a terminal, a
    /// page or a shell.
    #[must_use]
    pub fn raw(&self) -> &str {
        &self.0
    }

    /// Whether nothing but white space is in it.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.0.trim().is_empty()
    }
}

/// Removes what no reader should see: ANSI escape sequences, carriage returns
/// of `\r\n`, other control characters (tab and newline stay), byte-order
/// marks, and the bidirectional and zero-width marks that make text look like
/// something else.
#[must_use]
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|b| (b' '..0x7f).contains(&b) || b == b'\n' || b == b'\t') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' | '\u{241b}' => skip_escape(&mut chars),
            '\u{9b}' => skip_csi(&mut chars),
            '\n' | '\t' => out.push(c),
            '\r' if chars.peek() == Some(&'\n') => {}
            '\r' | '\u{2028}' | '\u{2029}' | '\u{85}' => out.push('\n'),
            c if c.is_control() || is_invisible(c) => {}
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// Skips what follows ESC (ECMA-48): a control sequence, an operating-system
/// command up to BEL or ST, or a two-character escape.
fn skip_escape(chars: &mut Chars<'_>) {
    match chars.peek().copied() {
        Some('[') => {
            chars.next();
            skip_csi(chars);
        }
        Some(']' | 'P' | '^' | '_' | 'X') => {
            chars.next();
            // A command that never ends must not swallow a whole log.
            for _ in 0..4096 {
                match chars.next() {
                    None | Some('\u{7}' | '\u{9c}') => return,
                    Some('\u{1b}') => {
                        if chars.peek() == Some(&'\\') {
                            chars.next();
                        }
                        return;
                    }
                    Some(_) => {}
                }
            }
        }
        Some(' '..='/') => {
            chars.next();
            chars.next();
        }
        Some('0'..='~') => {
            chars.next();
        }
        _ => {}
    }
}

fn skip_csi(chars: &mut Chars<'_>) {
    for _ in 0..64 {
        match chars.peek() {
            Some(' '..='?') => {
                chars.next();
            }
            Some('@'..='~') => {
                chars.next();
                return;
            }
            _ => return,
        }
    }
}

/// Marks that change how text looks without being seen (Unicode TR 36 and the
/// "Trojan Source" set), the byte-order mark and the soft hyphen among them.
#[must_use]
pub fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Keeps at most about `limit` bytes of `text`: two thirds from its head and
/// one third from its tail, with a line between them that says how much is gone.
/// Assertion messages carry their point at the end (`expected: … but was: …`),
/// logs at the start; keeping both ends keeps both.
#[must_use]
pub fn elide(text: &str, limit: usize) -> Cow<'_, str> {
    if text.len() <= limit {
        return Cow::Borrowed(text);
    }
    let head = floor_boundary(text, limit / 3 * 2);
    let tail = ceil_boundary(text, text.len() - limit / 3);
    let cut = tail - head;
    Cow::Owned(format!("{}\n[… {cut} bytes cut …]\n{}", &text[..head], &text[tail..]))
}

/// The first `limit` bytes of `text`, on a character boundary.
#[must_use]
pub fn head(text: &str, limit: usize) -> &str {
    &text[..floor_boundary(text, limit)]
}

/// The end of a text, at most `limit` bytes.
#[must_use]
pub fn tail(text: &str, limit: usize) -> &str {
    &text[ceil_boundary(text, text.len().saturating_sub(limit))..]
}

/// The first line that is not blank, trimmed, at most `limit` bytes.
#[must_use]
pub fn first_line(text: &str, limit: usize) -> &str {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("");
    head(line, limit)
}

fn floor_boundary(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn ceil_boundary(text: &str, mut at: usize) -> usize {
    while at < text.len() && !text.is_char_boundary(at) {
        at += 1;
    }
    at.min(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleaning() {
        let table = [
            ("plain", "plain"),
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{1b}]0;title\u{7}after", "after"),
            ("\u{1b}]8;;http://x\u{1b}\\link", "link"),
            ("a\r\nb\rc", "a\nb\nc"),
            ("nul\0bell\u{7}", "nulbell"),
            ("user\u{202e}txt.exe", "usertxt.exe"),
            ("tab\tstays", "tab\tstays"),
            ("Ünïcödé", "Ünïcödé"),
            ("\u{1b}", ""),
            ("\u{1b}[", ""),
            ("\u{9b}31mred", "red"),
        ];
        for (input, expected) in table {
            assert_eq!(clean(input), expected, "{input:?}");
        }
    }

    #[test]
    fn both_ends_survive() {
        let text = format!("{}{}{}", "H".repeat(50), "x".repeat(5000), "T".repeat(20));
        let short = elide(&text, 90);
        assert!(short.starts_with(&"H".repeat(50)) && short.ends_with(&"T".repeat(20)));
        assert!(short.contains("bytes cut"));
    }

    #[test]
    fn no_character_is_split() {
        let text = "ü".repeat(100);
        for limit in 0..120 {
            assert!(elide(&text, limit).len() < 160);
            assert!(head(&text, limit).len() <= limit);
        }
    }
}
