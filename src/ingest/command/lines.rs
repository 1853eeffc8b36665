//! Which lines of a comment may hold commands: those that begin a line of a plain
//! paragraph. What stands in code, in quotes, in lists, tables, headings, footnotes,
//! emphasis, links, mathematics or between HTML tags is shown differently, and may be the
//! words of others.

use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// Bytes of a comment that are looked at. GitHub takes 65,536 characters.
const LONGEST: usize = 262_144;

/// Tags of HTML that have no end.
const VOID: [&str; 14] =
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"];

/// The lines that begin with a slash in a plain paragraph, without the HTML in them.
#[must_use]
pub fn plain(comment: &str) -> Vec<String> {
    let comment = crate::model::text::head(comment, LONGEST);
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_MATH
        | Options::ENABLE_GFM;
    let mut open: Vec<Tag<'_>> = Vec::new();
    let mut html: Vec<String> = Vec::new();
    let mut begins: Vec<Range<usize>> = Vec::new();
    let mut hidden: Vec<Range<usize>> = Vec::new();
    for (event, range) in Parser::new_ext(comment, options).into_offset_iter() {
        match event {
            Event::Start(tag) => open.push(tag),
            Event::End(end) => close(&mut open, end),
            Event::Html(text) | Event::InlineHtml(text) => {
                tags(&text, &mut html);
                hidden.push(range);
            }
            Event::Text(_) if html.is_empty() && matches!(open.as_slice(), [Tag::Paragraph]) => {
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

/// Follows which elements are open behind a piece of HTML. An end without a beginning
/// counts for nothing; what is never closed stays open, and hides all that comes.
fn tags(html: &str, open: &mut Vec<String>) {
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if let Some(comment) = rest.strip_prefix("!--") {
            rest = comment.find("-->").map_or("", |end| &comment[end + 3..]);
            continue;
        }
        let is_end = rest.starts_with('/');
        let word: String = rest
            .trim_start_matches('/')
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '-')
            .collect::<String>()
            .to_ascii_lowercase();
        if word.is_empty() {
            continue;
        }
        if is_end {
            if let Some(at) = open.iter().rposition(|name| *name == word) {
                open.truncate(at);
            }
        // `<p/>` opens a paragraph all the same: only elements without an end have none.
        } else if !VOID.contains(&word.as_str()) {
            open.push(word);
        }
    }
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
            assert_eq!(plain(comment), all(&lines), "{comment:?}");
        }
    }
}
