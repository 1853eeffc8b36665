//! Which lines of a comment may hold commands: those that begin a line of a plain
//! paragraph. What stands in code, in quotes, in lists, tables, headings, footnotes,
//! emphasis, links, mathematics or between HTML tags is shown differently, and may be the
//! words of others.

use std::ops::Range;
use std::sync::LazyLock;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use regex::Regex;

/// Bytes of a comment that are looked at. GitHub takes 65,536 characters.
const LONGEST: usize = 262_144;

/// Tags of HTML that have no end.
const VOID: [&str; 14] =
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"];

/// The lines that begin with a slash in a plain paragraph, without the HTML in them.
#[must_use]
pub fn command_lines(comment: &str) -> Vec<String> {
    let comment = own_words(crate::model::text::head(comment, LONGEST));
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_MATH
        | Options::ENABLE_GFM;
    let mut open: Vec<Tag<'_>> = Vec::new();
    let mut html = Html::default();
    let mut block: Option<String> = None;
    let mut begins: Vec<Range<usize>> = Vec::new();
    let mut hidden: Vec<Range<usize>> = Vec::new();
    for (event, range) in Parser::new_ext(comment, options).into_offset_iter() {
        match event {
            Event::Start(tag) => {
                if matches!(tag, Tag::HtmlBlock) {
                    block = Some(String::new());
                }
                open.push(tag);
            }
            Event::End(end) => {
                if let (TagEnd::HtmlBlock, Some(text)) = (end, block.take()) {
                    html.take(&text);
                }
                close(&mut open, end);
            }
            Event::Html(text) => {
                // A block comes line by line, and is one piece.
                match &mut block {
                    Some(block) => block.push_str(&text),
                    None => html.take(&text),
                }
                hidden.push(range);
            }
            Event::InlineHtml(text) => {
                html.take(&text);
                hidden.push(range);
            }
            Event::Text(_) if is_doubtful(comment, &range) && !in_code(&open) => html.is_lost = true,
            Event::Text(_) if html.is_plain() && matches!(open.as_slice(), [Tag::Paragraph]) => {
                let start = comment[..range.start].rfind('\n').map_or(0, |at| at + 1);
                let indent = &comment[start..range.start];
                if comment[range.start..].starts_with('/') && indent.len() <= 3 && indent.bytes().all(|b| b == b' ') {
                    let end = comment[range.start..].find(['\n', '\r']).map_or(comment.len(), |at| range.start + at);
                    begins.push(range.start..end);
                }
            }
            _ => {}
        }
    }
    begins.into_iter().map(|line| without(comment, line, &hidden)).collect()
}

/// Whether a text holds what another reader of Markdown takes for the begin of HTML: which
/// elements begin a block changed from one version of CommonMark to the next.
fn is_doubtful(comment: &str, range: &Range<usize>) -> bool {
    let text = comment.get(range.clone()).unwrap_or_default();
    text.match_indices('<').any(|(at, _)| {
        let next = comment[range.start + at + 1..].chars().next();
        next.is_some_and(|c| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?'))
    })
}

fn in_code(open: &[Tag<'_>]) -> bool {
    open.iter().any(|tag| matches!(tag, Tag::CodeBlock(_)))
}

fn close(open: &mut Vec<Tag<'_>>, end: TagEnd) {
    if open.last().is_some_and(|tag| tag.to_end() == end) {
        open.pop();
    }
}

/// A line without the ranges that are hidden; what begins in it and goes on ends it.
fn without(comment: &str, line: Range<usize>, hidden: &[Range<usize>]) -> String {
    let mut out = String::new();
    let mut at = line.start;
    for part in hidden.iter().filter(|part| part.start >= line.start && part.start < line.end) {
        out.push_str(comment.get(at..part.start).unwrap_or_default());
        out.push(' ');
        at = part.end.max(at);
    }
    out.push_str(comment.get(at.min(line.end)..line.end).unwrap_or_default());
    out.trim_end().to_owned()
}

/// Which elements of HTML are open. HTML is understood only where nothing about it can be
/// read in two ways: whole comments, and tags with clean attributes that close in the order
/// in which they opened. Behind anything else a browser may hide what we would hear, so
/// nothing is heard any more.
#[derive(Debug, Default)]
struct Html {
    open: Vec<String>,
    is_lost: bool,
}

/// A comment that ends, or a tag.
static PIECE: LazyLock<Regex> = LazyLock::new(|| {
    let attribute = r#"[\t\n\r ]+[A-Za-z_:][A-Za-z0-9_.:-]*(?:[\t\n\r ]*=[\t\n\r ]*(?:"[^"<>&]*"|'[^'<>&]*'|[A-Za-z0-9_./:#%-]+))?"#;
    let tag = format!(r"<(?P<end>/?)(?P<name>[A-Za-z][A-Za-z0-9-]*)(?:{attribute})*[\t\n\r ]*/?>");
    // Two hyphens inside may end a comment for one reader and not for another.
    let comment = "<!--(?:[^<>-]|-[^<>-]|\n)*-->";
    Regex::new(&format!("^(?:{comment}|{tag})")).unwrap_or_else(|_| unreachable!("it is constant"))
});

impl Html {
    /// Whether nothing stands between HTML here.
    fn is_plain(&self) -> bool {
        self.open.is_empty() && !self.is_lost
    }

    /// Takes in a whole piece of HTML.
    fn take(&mut self, html: &str) {
        let mut rest = html;
        while let Some(at) = rest.find(['<', '>']) {
            let Some(found) = PIECE.captures(&rest[at..]) else {
                self.is_lost = true;
                return;
            };
            if let Some(name) = found.name("name") {
                self.tag(&name.as_str().to_ascii_lowercase(), found.name("end").is_some_and(|end| !end.is_empty()));
            }
            rest = &rest[at + found.get(0).map_or(1, |all| all.len())..];
        }
    }

    fn tag(&mut self, name: &str, is_end: bool) {
        match (is_end, VOID.contains(&name)) {
            (true, _) if self.open.last().is_some_and(|open| open == name) => drop(self.open.pop()),
            // Which element an end without its beginning ends is a matter of the browser.
            (true, _) => self.is_lost = true,
            // `<p/>` opens a paragraph all the same: only elements without an end have none.
            (false, false) => self.open.push(name.to_owned()),
            (false, true) => {}
        }
    }
}

/// What a person wrote, without what their mail program put below it: words of others, which
/// GitHub folds away.
fn own_words(comment: &str) -> &str {
    let mut at = 0;
    for line in comment.split_inclusive('\n') {
        let text = line.trim();
        let lower = text.to_ascii_lowercase();
        let rule = text.len() >= 8 && text.bytes().all(|b| b == b'_');
        let header = ["from:", "von:", "de:", "sent:", "-----original message", "begin forwarded message"];
        let is_quote = rule
            || header.iter().any(|begin| lower.starts_with(begin))
            || (lower.starts_with("on ") && lower.ends_with("wrote:"))
            || lower.contains("@github.com>")
            || lower.contains("reply.github.com");
        if is_quote {
            return &comment[..at];
        }
        at += line.len();
    }
    comment
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_paragraphs_alone() {
        let all = |lines: &[&str]| lines.iter().map(|l| (*l).to_owned()).collect::<Vec<_>>();
        for (comment, lines) in [
            ("/heal", vec!["/heal"]),
            ("Thanks!\n/heal a b\nand more\n\n   /retry\r\n", vec!["/heal a b", "/retry"]),
            ("please /heal", vec![]),
            ("`/heal`", vec![]),
            ("```\n/heal\n```", vec![]),
            ("~~~~\n```\n/heal\n```\n~~~~\n/retry", vec!["/retry"]),
            ("```\n/heal", vec![]),
            ("    /heal", vec![]),
            ("\t/heal", vec![]),
            ("> /heal", vec![]),
            // A quote goes on in the line below.
            ("> he said\n/heal", vec![]),
            ("> he said\n\n/heal", vec!["/heal"]),
            ("- a\n  /heal", vec![]),
            ("1. /heal", vec![]),
            ("# /heal", vec![]),
            ("/heal\n====", vec![]),
            ("/heal | a\n--- | ---\n/retry | b", vec![]),
            ("[^1]: \n    /heal", vec![]),
            ("<!-- /heal -->", vec![]),
            ("<!--\n/heal\n-->\n/retry", vec!["/retry"]),
            ("a <!--\n/heal\n--> b", vec![]),
            ("<!--\n\n/heal\n\n", vec![]),
            ("<details>\n\n/heal\n\n</details>\n\n/retry", vec!["/retry"]),
            ("<details><summary>x</summary>\n\n> a\n\n/heal\n\n</details>", vec![]),
            ("<blockquote>\n\n</p>\n\n/heal", vec![]),
            ("<p/>\n\n/heal", vec![]),
            ("a<br>\n/heal", vec!["/heal"]),
            ("<img src=\"x\">\n\n/heal", vec!["/heal"]),
            ("<sub>\n\n/heal", vec![]),
            ("*\n/heal*", vec!["/heal*"]),
            ("**a\n/heal**", vec![]),
            ("[a\n/heal](x)", vec![]),
            ("~~a\n/heal~~", vec![]),
            ("$$\n/heal\n$$", vec![]),
            ("\\/heal", vec![]),
            ("&#47;heal", vec![]),
            ("/heal a <!-- b --> c", vec!["/heal a   c"]),
            ("/heal a <!-- b\n/retry --> c", vec!["/heal a"]),
            ("/heal `tests/a.py::b c`", vec!["/heal `tests/a.py::b c`"]),
            ("/heal `a\n/retry` b", vec!["/heal `a"]),
            ("/heal [a](b)", vec!["/heal [a](b)"]),
        ] {
            assert_eq!(command_lines(comment), all(&lines), "{comment:?}");
        }
    }

    #[test]
    fn what_a_browser_hides_or_folds_is_not_heard() {
        for (comment, lines) in [
            ("> <!--\n\n/heal", vec![]),
            ("- x\n- <!--\n\n/heal", vec![]),
            ("<hr title=\"\n\n/heal\n\n<hr \">", vec![]),
            ("<source srcset='\n\n/heal\n\n<hr '>", vec![]),
            ("<details>\n\nx\n\n</details x=\"\n\n/heal\n\n<hr \">", vec![]),
            ("<details title=\"</details>\">\n\n/heal\n\n</details>", vec![]),
            ("<details>\n<!-- \n</details> -->\n\n/heal\n\n</details>", vec![]),
            ("<details></details:x>\n\n/heal\n\n</details>", vec![]),
            ("<details>\n<table><tr><td></details>\n\n/heal", vec![]),
            ("<!-- a -- b -->\n\n/heal", vec![]),
            ("<details>\n<summary>log</summary>\n\nx\n\n</details>\n\n/heal", vec!["/heal"]),
            ("<!-- a note -->\n\n/heal", vec!["/heal"]),
            // Mail programs quote without a mark.
            ("Thanks\n\nOn Fri, 1 May 2026, Mallory wrote:\n\n/heal", vec![]),
            ("No.\n\n________________________________\nFrom: Mallory <notifications@github.com>\n\n/heal", vec![]),
            ("/help\n\n-----Original Message-----\n/heal", vec!["/help"]),
        ] {
            assert_eq!(command_lines(comment), lines, "{comment:?}");
        }
    }
}
