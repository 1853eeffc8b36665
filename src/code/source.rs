//! A source file, parsed.

use std::ops::{ControlFlow, Range};

use tree_sitter::{Node, ParseOptions, Parser, Point, Tree};

use crate::code::language::Language;

/// Bytes of a source file that is parsed; test files are far smaller.
pub const SIZE_LIMIT: usize = 4 << 20;

/// Calls of the parser's progress callback that are allowed for a file of any size. The parser calls it
/// every 100 steps. Counting steps instead of seconds gives the same result on every machine.
const CALLS: usize = 200;
/// Bytes of a file that allow one more call. Valid and truncated sources need at most one call for 30
/// bytes (the test `real_sources_stay_far_below_the_limit`); pathological error recovery needs one or
/// more for each byte.
const BYTES_PER_CALL: usize = 12;

/// A source file with its syntax tree.
#[derive(Debug)]
pub struct Source {
    /// Its path in the repository.
    pub path: String,
    /// Its text.
    pub text: String,
    /// Its language.
    pub language: Language,
    tree: Tree,
}

impl Source {
    /// Parses `text`. `None` for an unknown language, a file over [`SIZE_LIMIT`], or one that the
    /// parser does not finish. Broken syntax is no error here: see [`Source::is_broken`].
    #[must_use]
    pub fn parse(path: &str, text: &str) -> Option<Self> {
        Self::parse_as(Language::of_path(path)?, path, text)
    }

    /// As [`Source::parse`], in a language that the path does not tell.
    #[must_use]
    pub fn parse_as(language: Language, path: &str, text: &str) -> Option<Self> {
        if text.len() > SIZE_LIMIT {
            return None;
        }
        let mut parser = Parser::new();
        parser.set_language(&language.grammar()).ok()?;
        let tree = parse_within(&mut parser, language, text, CALLS + text.len() / BYTES_PER_CALL)?;
        Some(Self { path: path.to_owned(), text: text.to_owned(), language, tree })
    }

    /// The whole file.
    #[must_use]
    pub fn root(&self) -> Node<'_> {
        self.tree.root_node()
    }

    /// Whether the parser met something that is not the language.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.root().has_error()
    }

    /// The text of a node.
    #[must_use]
    pub fn of(&self, node: Node<'_>) -> &str {
        self.slice(&node.byte_range())
    }

    /// The text of a range; empty where it is out of bounds.
    #[must_use]
    pub fn slice(&self, range: &Range<usize>) -> &str {
        self.text.get(range.clone()).unwrap_or("")
    }

    /// The line, from 1, of a byte.
    #[must_use]
    pub fn line_of(&self, byte: usize) -> u32 {
        let before = &self.text.as_bytes()[..byte.min(self.text.len())];
        u32::try_from(memchr::memchr_iter(b'\n', before).count() + 1).unwrap_or(u32::MAX)
    }

    /// The bytes of a line (from 1), without its line end.
    #[must_use]
    pub fn line(&self, line: u32) -> Range<usize> {
        let mut start = 0;
        for _ in 1..line {
            match memchr::memchr(b'\n', &self.text.as_bytes()[start..]) {
                Some(at) => start += at + 1,
                None => return self.text.len()..self.text.len(),
            }
        }
        let end = memchr::memchr(b'\n', &self.text.as_bytes()[start..]).map_or(self.text.len(), |at| start + at);
        start..end
    }
}

/// Parses `text`. Returns `None` if the parser calls the progress callback more than `most` times.
fn parse_within(parser: &mut Parser, language: Language, text: &str, most: usize) -> Option<Tree> {
    let mut calls = 0;
    let mut progress = |_: &tree_sitter::ParseState| {
        calls += 1;
        if calls > most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    // Kotlin's scanner skips to white space after `@` and does not stop at the end of the file.
    let end: &[u8] = if language == Language::Kotlin { b"\n" } else { b"" };
    let bytes = text.as_bytes();
    let mut read = |at: usize, _: Point| match bytes.get(at..) {
        Some(rest) if !rest.is_empty() => rest,
        _ if at == bytes.len() => end,
        _ => b"",
    };
    parser.parse_with_options(&mut read, None, Some(ParseOptions::new().progress_callback(&mut progress)))
}

/// All nodes below and with `node`, parents first. `into` says whether the
/// children of a node are visited. Without recursion: nesting is the file's choice.
pub fn walk<'t>(node: Node<'t>, mut into: impl FnMut(Node<'t>) -> bool) {
    let mut cursor = node.walk();
    let mut descend = true;
    loop {
        if descend && into(cursor.node()) && cursor.goto_first_child() {
            continue;
        }
        loop {
            if cursor.node() == node {
                return;
            }
            if cursor.goto_next_sibling() {
                descend = true;
                break;
            }
            if !cursor.goto_parent() {
                return;
            }
        }
    }
}

/// The named children of a node that are not comments.
#[must_use]
pub fn children(node: Node<'_>) -> Vec<Node<'_>> {
    let mut cursor = node.walk();
    node.named_children(&mut cursor).filter(|child| !child.kind().contains("comment")).collect()
}

/// A field of a node.
#[must_use]
pub fn field<'t>(node: Node<'t>, name: &str) -> Option<Node<'t>> {
    node.child_by_field_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Inputs on which the parser or its scanner did not end.
    #[test]
    fn every_parse_ends() {
        assert!(Source::parse("A.kt", "private val S.@").is_some_and(|source| source.is_broken()));
        let nested = "((a {[<".repeat(300);
        for language in Language::ALL {
            for text in ["@", "val a.@\n@", "\"", "'''", "<<~A\n#{", "{{{{", &nested] {
                let _ = Source::parse_as(language, "x", text);
            }
        }
        let endless = "open class A @Inject constructor(a: B.@) { fun x() = a shouldBe \"\"\" ${ }\n".repeat(12);
        let _ = Source::parse("A.kt", &endless);
    }

    /// Prints and bounds the callbacks per byte on the sources of this repository, valid and truncated.
    #[test]
    #[expect(clippy::disallowed_methods, clippy::print_stdout, reason = "it measures files and prints the figure")]
    fn real_sources_stay_far_below_the_limit() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut open: Vec<_> = ["src", "tests", "benches", "fixtures"].iter().map(|name| root.join(name)).collect();
        let (mut files, mut worst) = (0, 0.0_f64);
        while let Some(path) = open.pop() {
            if path.is_dir() {
                open.extend(path.read_dir().unwrap().flatten().map(|entry| entry.path()));
                continue;
            }
            let Some(language) = path.to_str().and_then(Language::of_path) else { continue };
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            let half = &text[..(0..=text.len() / 2).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)];
            for part in [text.as_str(), half] {
                let mut parser = Parser::new();
                parser.set_language(&language.grammar()).unwrap();
                let least = (0..10_000)
                    .find(|most| parse_within(&mut parser, language, part, CALLS + most * 500).is_some())
                    .unwrap();
                let calls = (CALLS + least * 500) as f64;
                // The fixed part allows small files; only what is above it counts per byte.
                worst = worst.max((calls - CALLS as f64) / part.len().max(1) as f64);
                files += 1;
            }
        }
        println!("{files} texts, at most one call for {:.0} bytes", 1.0 / worst.max(1e-9));
        assert!(files > 500 && worst * (BYTES_PER_CALL as f64) < 1.0, "{worst}");
    }

    #[test]
    fn a_file_that_takes_too_many_steps_is_given_up() {
        let mut parser = Parser::new();
        parser.set_language(&Language::Go.grammar()).unwrap();
        let text = format!("package a\n{}", "var a = b\n".repeat(1000));
        assert!(parse_within(&mut parser, Language::Go, &text, 10).is_none());
        assert!(Source::parse("a.go", &text).is_some());
    }
}
