//! Text for terminals.

use crate::model::secret::mask;
use crate::model::text::{clean, head};

/// One line of at most `width` characters, without anything that moves the
/// cursor, changes colours or hides. Newlines become ` ⏎ `.
#[must_use]
pub fn line(text: &str, width: usize) -> String {
    let cleaned = clean(head(text, width * 8));
    let cleaned = mask(&cleaned);
    let mut out = String::new();
    let mut gap = false;
    for (number, part) in cleaned.lines().map(str::trim).filter(|p| !p.is_empty()).enumerate() {
        if number > 0 {
            out.push_str(" ⏎ ");
        }
        for c in part.chars() {
            let space = c.is_whitespace();
            if !(space && gap) {
                out.push(if space { ' ' } else { c });
            }
            gap = space;
        }
    }
    // With its spaces gone a name and its value may have come together.
    let mut out = mask(&out).into_owned();
    // CI systems read commands from output: `::name::` at the start of a line,
    // `##[name]` anywhere.
    if out.starts_with("::") {
        out.insert(1, ' ');
    }
    if out.contains("##[") {
        out = out.replace("##[", "## [");
    }
    if out.chars().count() > width {
        out = out.chars().take(width.saturating_sub(1)).collect();
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harmless_and_short() {
        assert_eq!(line("a\u{1b}[2Jb\r\n\tc  d", 80), "ab ⏎ c d");
        assert_eq!(line("\u{202e}evil", 80), "evil");
        assert_eq!(line("0123456789", 5), "0123…");
        assert_eq!(line(" ::error::x ##[add-mask]y", 80), ": :error::x ## [add-mask]y");
    }
}
