//! Pieces of a test file: what each gives and uses, and which of them a test needs.

use std::collections::BTreeSet;

use tree_sitter::Node;

use super::RequestVariant;
use crate::code::source::{Source, walk};

/// A statement, of a test or of its file.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    /// As written, without the indentation of its first line.
    pub(super) text: String,
    /// Names that it gives a value.
    pub(super) gives: BTreeSet<String>,
    /// Names that it uses.
    pub(super) uses: BTreeSet<String>,
    /// Whether it works on every test of the file: a hook, a mark, a fixture for all.
    pub(super) for_all: bool,
}

impl Statement {
    /// Whether it gives one of some names.
    fn is_given(&self, needed: &BTreeSet<String>) -> bool {
        !self.gives.is_disjoint(needed)
    }
}

/// The statements before some requests that these need, in order; what they use in turn
/// is added to `needed`. Where a request is that of the exemplar all are kept: what they
/// do matters, not only what they give. `asks_nothing` tells of a statement that gives
/// nothing whether it may be one that readies what is asked with.
pub(super) fn kept(
    pieces: &[Statement],
    asks: &[RequestVariant],
    needed: &mut BTreeSet<String>,
    asks_nothing: &dyn Fn(&Statement) -> bool,
) -> Vec<String> {
    let whole = asks.iter().any(|ask| !matches!(ask, RequestVariant::Path(_) | RequestVariant::MethodOf(..)));
    let mut kept = Vec::new();
    for piece in pieces.iter().rev() {
        // `session.headers.update(…)` gives nothing, and matters to who uses `session`.
        let readies = piece.gives.is_empty() && asks_nothing(piece) && !piece.uses.is_disjoint(needed);
        if whole || readies || piece.is_given(needed) {
            needed.extend(piece.uses.iter().cloned());
            kept.push(piece.text.clone());
        }
    }
    kept.reverse();
    kept
}

/// Which of a file's pieces are needed, directly or by what is needed; what they use is
/// added to `needed`.
pub(super) fn chosen(pieces: &[&Statement], needed: &mut BTreeSet<String>) -> BTreeSet<usize> {
    let mut chosen: BTreeSet<usize> = BTreeSet::new();
    loop {
        let more: Vec<usize> = (0..pieces.len())
            .filter(|at| !chosen.contains(at) && (pieces[*at].for_all || pieces[*at].is_given(needed)))
            .collect();
        if more.is_empty() {
            return chosen;
        }
        for at in more {
            chosen.insert(at);
            needed.extend(pieces[at].uses.iter().cloned());
        }
    }
}

/// Items, each once, where it first stands.
pub(super) fn once(mut items: Vec<String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    items.retain(|item| seen.insert(item.clone()));
    items
}

/// Stands before a line that begins within a text of the program: indentation is part
/// of such a line. No source has it (Unicode, "Noncharacters").
const WITHIN: char = '\u{fdd0}';

/// The source of a node, its lines without the indentation that its first line has.
/// Lines within a text that goes over several are marked, for [`indented`] to leave
/// them as they are; [`settled`] takes the marks away.
pub(super) fn text_of(source: &Source, node: Node<'_>) -> String {
    let mut within: BTreeSet<usize> = BTreeSet::new();
    walk(node, |inner| {
        let is_text = matches!(inner.kind(), "string" | "template_string" | "string_literal");
        if is_text {
            within.extend(inner.start_position().row + 1..=inner.end_position().row);
        }
        !is_text
    });
    let lead = " ".repeat(node.start_position().column);
    let first = node.start_position().row;
    let line = |(at, line): (usize, &str)| {
        if within.contains(&(first + at)) {
            format!("{WITHIN}{line}")
        } else {
            line.strip_prefix(&lead).unwrap_or(line).to_owned()
        }
    };
    source.of(node).lines().enumerate().map(line).collect::<Vec<_>>().join("\n")
}

/// A text of several lines, each moved to a column; empty lines stay empty.
pub(super) fn indented(text: &str, column: usize) -> String {
    let lead = " ".repeat(column);
    let line = |line: &str| {
        if line.is_empty() || line.starts_with(WITHIN) { line.to_owned() } else { format!("{lead}{line}") }
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// A text as it stands in a file.
#[must_use]
pub fn settled(text: &str) -> String {
    text.replace(WITHIN, "")
}
