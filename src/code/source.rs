//! A source file, parsed.

use std::ops::Range;

use tree_sitter::{Node, Parser, Tree};

use crate::code::language::Language;

/// Bytes of a source file that is parsed; test files are far smaller.
pub const SIZE_LIMIT: usize = 4 << 20;

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
    /// Parses `text`; `None` for an unknown language or a file that is too large.
    /// Broken syntax is no error here: see [`Source::is_broken`].
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
        let tree = parser.parse(text, None)?;
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
