//! Text for GitHub-flavoured Markdown.
//!
//! Untrusted text only ever appears as code: in code neither `@mentions` nor
//! `#123`, links, images, HTML nor emphasis mean anything.

use crate::model::secret::mask;
use crate::model::text::{clean, elide};

/// An inline code span on one line; fit for table cells.
#[must_use]
pub fn code(text: &str, limit: usize) -> String {
    let line = super::terminal::line(text, limit);
    if line.is_empty() {
        return "` `".to_owned();
    }
    // Inside of tables a pipe ends the cell even in code.
    let line = no_markers(&line).replace('|', "\\|");
    let ticks = "`".repeat(longest_run(&line) + 1);
    let pad = if line.starts_with('`') || line.ends_with('`') { " " } else { "" };
    format!("{ticks}{pad}{line}{pad}{ticks}")
}

/// A fenced block; `limit` bytes of the text are kept, head and tail.
#[must_use]
pub fn fence(text: &str, limit: usize) -> String {
    fence_of("text", text, limit)
}

/// As [`fence`], coloured as a diff.
#[must_use]
pub fn diff(text: &str, limit: usize) -> String {
    fence_of("diff", text, limit)
}

/// The block with which a review comment suggests lines, word for word. `None`
/// for text that we would have to change before it may be shown: what is taken
/// over with a click must be what was proven.
#[must_use]
pub fn suggestion(lines: &[String]) -> Option<String> {
    let text = lines.join("\n");
    if clean(&text) != text || mask(&text) != text || no_markers(&text) != text {
        return None;
    }
    let ticks = "`".repeat(longest_run(&text).max(2) + 1);
    let gap = if lines.is_empty() { "" } else { "\n" };
    Some(format!("{ticks}suggestion\n{text}{gap}{ticks}\n"))
}

fn fence_of(language: &str, text: &str, limit: usize) -> String {
    let cleaned = clean(text);
    let masked = mask(&cleaned);
    let text = no_markers(&elide(masked.trim_end(), limit));
    let ticks = "`".repeat(longest_run(&text).max(2) + 1);
    format!("{ticks}{language}\n{text}\n{ticks}\n")
}

/// Breaks what would read as one of our own markers, even inside of code.
fn no_markers(text: &str) -> String {
    text.replace("<!--", "<! --")
}

fn longest_run(text: &str) -> usize {
    let (mut longest, mut run) = (0, 0);
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

/// Our own prose with numbers in it, where a report's words may have crept in:
/// everything that Markdown or HTML could read is escaped, and `@` and `#` are
/// kept from reaching anyone.
#[must_use]
pub fn prose(text: &str, limit: usize) -> String {
    let mut out = String::new();
    for c in super::terminal::line(text, limit).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '@' => out.push_str("<span>@</span>"),
            '#' => out.push_str("<span>#</span>"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '!' | '$' => {
                out.push('\\');
                out.push(c);
            }
            ':' => out.push_str("&#58;"),
            c => out.push(c),
        }
    }
    // `www.` becomes a link, `GH-1` a reference, in any case.
    for word in ["www.", "gh-"] {
        let places: Vec<usize> = out.to_ascii_lowercase().match_indices(word).map(|(at, _)| at).collect();
        for at in places.into_iter().rev() {
            let last = at + word.len() - 1;
            let broken = format!("<span>{}</span>", &out[last..=last]);
            out.replace_range(last..=last, &broken);
        }
    }
    out
}

/// As [`prose`], with what stands between backticks as code.
#[must_use]
pub fn spans(text: &str, limit: usize) -> String {
    let line = super::terminal::line(text, limit);
    if !line.matches('`').count().is_multiple_of(2) {
        return prose(&line, limit);
    }
    let shown = |(at, part): (usize, &str)| match (at % 2, part) {
        (_, "") => String::new(),
        (0, part) => {
            // White space at the ends belongs between the spans.
            let (start, end) = (part.len() - part.trim_start().len(), part.trim_end().len());
            let gap = |wide: bool| if wide { " " } else { "" };
            format!("{}{}{}", gap(start > 0), prose(part, limit), gap(end < part.len() && !part.trim().is_empty()))
        }
        (_, part) => code(part, limit),
    };
    line.split('`').enumerate().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_escapes_from_code() {
        assert_eq!(code("a `b` @me #1 </details> | x", 80), "``a `b` @me #1 </details> \\| x``");
        assert_eq!(code("`x`", 80), "`` `x` ``");
        assert_eq!(fence("```\nx\n````", 100), "`````text\n```\nx\n````\n`````\n");
    }

    #[test]
    fn code_between_backticks() {
        assert_eq!(spans("`a`: `b|c` becomes `@d` #1", 80), "`a`&#58; `b\\|c` becomes `@d` <span>#</span>1");
        assert_eq!(spans("one ` alone @me", 80), prose("one ` alone @me", 80));
    }

    #[test]
    fn suggestions_are_word_for_word() {
        let lines = |text: &str| text.split('\n').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(suggestion(&lines("\tassert a == 1")).unwrap(), "```suggestion\n\tassert a == 1\n```\n");
        assert_eq!(suggestion(&[]).unwrap(), "```suggestion\n```\n");
        assert_eq!(suggestion(&lines("x\n```\ny")).unwrap(), "````suggestion\nx\n```\ny\n````\n");
        for odd in ["a <!-- testmedic:note -->", "\u{202e}x", "key = 'ghp_abcdefghijklmnopqrstuvwxyz0123456789'"] {
            assert_eq!(suggestion(&lines(odd)), None, "{odd}");
        }
    }

    #[test]
    fn no_marker_and_no_token_passes() {
        let text = format!("<!-- testmedic:issue {{}} -->\nghp_{}", "a1".repeat(18));
        for shown in [code(&text, 200), fence(&text, 200), prose(&text, 200)] {
            assert!(!shown.contains("<!--") && !shown.contains("ghp_"), "{shown}");
        }
    }

    #[test]
    fn prose_means_nothing() {
        let text = prose("@me #1 <b> [x](y) *z* http://h `c` www.x.org GH-7", 200);
        for bad in ["@me", "#1", "<b>", "[x]", "http:", " *z", "www.", "GH-7"] {
            assert!(!text.contains(bad), "{bad} in {text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_fence_is_closed_once(text in "[`~a\\n ]{0,60}") {
            let block = fence(&text, 1000);
            let ticks: String = block.chars().take_while(|c| *c == '`').collect();
            let closing = block.lines().skip(1).filter(|l| l.trim() == ticks).count();
            proptest::prop_assert_eq!(closing, 1);
        }
    }
}
