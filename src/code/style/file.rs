//! Files of written tests, kept up to date in place.
//!
//! Each test stands below a line with a digest of its text. A test whose digest does
//! not fit was changed by a person and is left alone; a test that was written once and
//! is not there any more was deleted by a person and does not come back.

use sha2::{Digest, Sha256};

use super::piece::{indented, settled, text_of};
use super::{Written, class};
use crate::code::edit::{self, Edit};
use crate::code::language::Language;
use crate::code::source::{Source, children};

/// What became of each test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is new.
    Added,
    /// It stood there and is written anew.
    Renewed,
    /// It stood there like that.
    Same,
    /// A person changed it.
    Changed,
    /// A person deleted it.
    Deleted,
}

fn comment(language: Language) -> &'static str {
    if language == Language::Python { "#" } else { "//" }
}

fn digest(text: &str) -> String {
    let plain: String =
        settled(text).lines().map(str::trim_end).filter(|l| !l.is_empty()).collect::<Vec<_>>().join("\n");
    Sha256::digest(plain.as_bytes()).iter().take(4).fold(String::new(), |t, b| t + &format!("{b:02x}"))
}

/// A test that stands in a file.
struct Standing {
    name: String,
    range: std::ops::Range<usize>,
    /// Where its mark begins; `None` where a person wrote it.
    mark: Option<usize>,
    is_ours: bool,
    /// Without indentation of its own.
    text: String,
    column: usize,
}

/// The text of a file with `tests`, and what became of each.
#[must_use]
pub fn update(
    language: Language,
    path: &str,
    existing: Option<&str>,
    endpoint: &str,
    tests: &[Written],
) -> Option<(String, Vec<Kept>)> {
    let fresh = head(language, endpoint);
    let mut text = existing.map_or(fresh, str::to_owned);
    let mut kept = Vec::new();
    let mut wrote = wrote(language, &text);
    for test in tests {
        let source = Source::parse_as(language, path, &text)?;
        let standing = standing(&source, language);
        let (now, what) = match standing.iter().find(|s| s.name == test.name) {
            Some(s) if !s.is_ours => (None, Kept::Changed),
            Some(s) => renewed(&source, s, test, language),
            None if wrote.contains(&slug(&test.name)) => (None, Kept::Deleted),
            None if language == Language::Java => {
                (Some(class::added(&source, path, test, &marked(test, language, 4))), Kept::Added)
            }
            None => (Some(added(&source, test, language)), Kept::Added),
        };
        if let Some(now) = now {
            text = settled(&now);
        }
        if matches!(what, Kept::Added | Kept::Renewed) {
            text = settled(&with_header(language, path, &text, &test.header)?);
        }
        if what == Kept::Added {
            wrote.push(slug(&test.name));
        }
        kept.push(what);
    }
    Some((with_wrote(language, &text, &wrote), kept))
}

/// Whether a file holds a test of this name, or held one that was written.
#[must_use]
pub fn knows(language: Language, path: &str, text: &str, name: &str) -> bool {
    let stands = |source: &Source| standing(source, language).iter().any(|test| test.name == name);
    wrote(language, text).contains(&slug(name)) || Source::parse_as(language, path, text).is_some_and(|s| stands(&s))
}

/// A name as one word.
fn slug(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join("_")
}

/// The names of all tests that were ever written into a file.
fn wrote(language: Language, text: &str) -> Vec<String> {
    let lead = format!("{} testmedic wrote:", comment(language));
    let lines = text.lines().filter_map(|line| line.strip_prefix(&lead));
    lines.flat_map(str::split_whitespace).map(str::to_owned).collect()
}

fn head(language: Language, endpoint: &str) -> String {
    // A path is the service's choice: nothing of it may end the text that it stands in.
    let plain =
        |c: char| if c.is_control() || matches!(c, '"' | '\\' | '`' | '\u{2028}' | '\u{2029}') { '_' } else { c };
    let endpoint: String = endpoint.chars().map(plain).take(300).collect();
    let told = format!("Tests of `{endpoint}`, written by testmedic from what it answers.");
    let rule = "A test that you change is yours from then on; one that you delete does not come back.";
    let lead = comment(language);
    match language {
        Language::Python => format!("\"\"\"{told}\n\n{rule}\n\"\"\"\n\n{lead} testmedic wrote:\n"),
        _ => format!("{lead} {told}\n{lead} {rule}\n{lead} testmedic wrote:\n"),
    }
}

fn with_wrote(language: Language, text: &str, names: &[String]) -> String {
    let lead = format!("{} testmedic wrote:", comment(language));
    let line = names.iter().fold(lead.clone(), |line, name| line + " " + name);
    let mut out: Vec<&str> = Vec::new();
    let mut done = false;
    for own in text.lines() {
        if own.starts_with(&lead) {
            if !done {
                out.push(&line);
            }
            done = true;
        } else {
            out.push(own);
        }
    }
    out.join("\n") + "\n"
}

fn standing(source: &Source, language: Language) -> Vec<Standing> {
    let lead = format!("{} testmedic: ", comment(language));
    crate::code::test_discovery::find(source)
        .into_iter()
        .map(|case| {
            let node = statement(case.node);
            let range = node.byte_range();
            let start = source.text[..range.start].rfind('\n').map_or(0, |at| at + 1);
            let before = source.text[..start].trim_end_matches('\n');
            let line_start = before.rfind('\n').map_or(0, |at| at + 1);
            let marked = before[line_start..].trim_start().strip_prefix(&lead);
            let column = case.node.start_position().column;
            let text = text_of(source, node);
            Standing {
                name: case.name().to_owned(),
                mark: marked.map(|_| line_start),
                is_ours: marked.is_some_and(|mark| mark.trim() == digest(&text)),
                text,
                range,
                column,
            }
        })
        .collect()
}

/// The statement that a test is: in JavaScript a call within one.
fn statement(node: tree_sitter::Node<'_>) -> tree_sitter::Node<'_> {
    node.parent().filter(|p| p.kind() == "expression_statement").unwrap_or(node)
}

fn marked(test: &Written, language: Language, column: usize) -> String {
    let text = test.text.trim_end();
    indented(&format!("{} testmedic: {}\n{text}", comment(language), digest(text)), column)
}

fn renewed(source: &Source, at: &Standing, test: &Written, language: Language) -> (Option<String>, Kept) {
    if digest(&at.text) == digest(&test.text) {
        return (None, Kept::Same);
    }
    let range = at.mark.unwrap_or(at.range.start)..at.range.end;
    let now = edit::apply(&source.text, &[Edit::new(range, marked(test, language, at.column))]);
    (now, Kept::Renewed)
}

fn added(source: &Source, test: &Written, language: Language) -> String {
    let text = source.text.trim_end();
    if test.frame.is_empty() {
        let gap = if language == Language::Python { "\n\n\n" } else { "\n\n" };
        return format!("{text}{gap}{}\n", marked(test, language, 0));
    }
    // The class stands there already, or comes along.
    let head = test.frame.lines().find(|l| l.starts_with("class ")).unwrap_or("");
    if text.lines().any(|line| line == head) {
        let end = class_end(source, head).unwrap_or(text.len());
        let (before, after) = source.text.split_at(end.min(source.text.len()));
        return format!("{}\n\n{}\n{}", before.trim_end(), marked(test, language, 4), after.trim_start_matches('\n'));
    }
    format!("{text}\n\n\n{}\n\n{}\n", test.frame.trim_end(), marked(test, language, 4))
        .replace(":\n\n    #", ":\n    #")
}

fn class_end(source: &Source, head: &str) -> Option<usize> {
    let is_it = |node: &tree_sitter::Node<'_>| source.of(*node).lines().any(|line| line == head);
    children(source.root()).into_iter().find(is_it).map(|node| node.end_byte())
}

/// A file in which what is imported and defined is there.
fn with_header(language: Language, path: &str, text: &str, items: &[String]) -> Option<String> {
    let mut text = text.to_owned();
    for item in items {
        let is_there = if language == Language::Java { class::has(&text, item) } else { has(&text, item) };
        if is_there {
            continue;
        }
        let source = Source::parse_as(language, path, &text)?;
        if language == Language::Java {
            let line = |at: usize| text[..at].rfind('\n').map_or(0, |end| end + 1);
            let first = standing(&source, language).iter().map(|s| s.mark.unwrap_or_else(|| line(s.range.start))).min();
            text = class::with(path, &text, item, first?)?;
            continue;
        }
        let is_import = is_import(item);
        let all = children(source.root());
        let first_test = standing(&source, language).iter().map(|s| s.mark.unwrap_or(s.range.start)).min();
        let first_class = all
            .iter()
            .filter(|n| source.of(**n).contains("class TestGenerated"))
            .map(tree_sitter::Node::start_byte)
            .min();
        let first = first_test.into_iter().chain(first_class).min().unwrap_or(text.len());
        let last_import = all
            .iter()
            .take_while(|n| n.start_byte() < first)
            .filter(|n| is_import_node(&source, **n))
            .map(|n| statement_end(&text, n.end_byte()))
            .max();
        let (at, piece) = match (is_import, last_import) {
            (true, Some(end)) => (end, format!("{item}\n")),
            (true, None) => {
                let end = text.find("testmedic wrote:").map_or(0, |at| statement_end(&text, at));
                (end, format!("\n{item}\n"))
            }
            (false, _) => {
                let gap = if language == Language::Python && item.contains("\ndef ") || item.starts_with("def ") {
                    "\n\n"
                } else {
                    "\n"
                };
                let before = text[..first].trim_end().len();
                text.replace_range(before..first, "\n");
                let rest = if language == Language::Python { "\n\n" } else { "\n" };
                (before + 1, format!("{gap}{item}\n{rest}"))
            }
        };
        text.insert_str(at.min(text.len()), &piece);
    }
    Some(text)
}

fn has(text: &str, item: &str) -> bool {
    format!("\n{text}\n").contains(&format!("\n{item}\n"))
}

fn is_import(item: &str) -> bool {
    ["import ", "from "].iter().any(|w| item.starts_with(w)) || item.contains("require(")
}

fn is_import_node(source: &Source, node: tree_sitter::Node<'_>) -> bool {
    node.kind().contains("import") || source.of(node).contains("require(") && node.kind().contains("declaration")
}

/// The end of the line that a byte stands in, its line end included.
fn statement_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |p| at + p + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(name: &str, body: &str) -> Written {
        Written {
            name: name.to_owned(),
            header: vec!["import re".to_owned(), "KEY = 1".to_owned()],
            frame: String::new(),
            text: format!("def {name}(client):\n    {body}\n"),
        }
    }

    fn written(existing: Option<&str>, tests: &[Written]) -> (String, Vec<Kept>) {
        update(Language::Python, "tests/generated/test_generated_x.py", existing, "GET /x", tests).unwrap()
    }

    #[test]
    fn the_second_time_changes_nothing() {
        let tests = [test("test_a", "assert client.a == 1"), test("test_b", "assert client.b == 2")];
        let (first, kept) = written(None, &tests);
        assert_eq!(kept, [Kept::Added, Kept::Added]);
        assert_eq!(written(Some(&first), &tests), (first, vec![Kept::Same, Kept::Same]));
    }

    #[test]
    fn what_people_did_stays() {
        let tests = [test("test_a", "assert client.a == 1"), test("test_b", "assert client.b == 2")];
        let (first, _) = written(None, &tests);
        // One is renewed, one was changed by a person, a third is theirs alone.
        let theirs = format!("{}\n\n\ndef test_own(client):\n    assert True\n", first.trim_end());
        let theirs = theirs.replace("client.b == 2", "client.b == 3");
        let now =
            [test("test_a", "assert client.a == 9"), test("test_b", "assert client.b == 2"), test("test_c", "pass")];
        let (second, kept) = written(Some(&theirs), &now);
        assert_eq!(kept, [Kept::Renewed, Kept::Changed, Kept::Added]);
        for (text, is_there) in
            [("client.a == 9", true), ("client.a == 1", false), ("client.b == 3", true), ("test_own", true)]
        {
            assert_eq!(second.contains(text), is_there, "{text}: {second}");
        }
        assert_eq!(second.matches("import re").count(), 1, "{second}");
        // A test that a person deleted does not come back.
        let at = first.find("# testmedic: ").unwrap();
        let end = first[at + 1..].find("# testmedic: ").unwrap() + at + 1;
        let without = format!("{}{}", &first[..at], &first[end..]);
        let (third, kept) = written(Some(&without), &tests);
        assert_eq!(kept, [Kept::Deleted, Kept::Same]);
        assert!(!third.contains("def test_a"), "{third}");
    }

    #[test]
    fn no_path_leaves_its_text() {
        for odd in ["GET /a\"\"\"+open(1)+\"\"\"", "GET /a\\N{x}", "GET /a\nimport os"] {
            for language in [Language::Python, Language::JavaScript] {
                let text = head(language, odd);
                let source = Source::parse_as(language, "x", &text).unwrap();
                let code: Vec<&str> = children(source.root()).iter().map(tree_sitter::Node::kind).collect();
                let expected: &[&str] = if language == Language::Python { &["expression_statement"] } else { &[] };
                assert_eq!(code, expected, "{text}");
                assert!(!text.contains('\\') && !source.is_broken(), "{text}");
            }
        }
    }

    #[test]
    fn any_file_can_be_added_to() {
        for odd in ["", "\n\n", "x = (", "# testmedic wrote: test_a\n", "def test_a(client):\n    pass\n"] {
            let (text, _) = written(Some(odd), &[test("test_a", "pass"), test("test_z", "pass")]);
            assert!(text.contains("def test_z"), "{odd:?}: {text}");
        }
    }
}
