//! Pieces of a test file: what each gives and uses, and which of them a test needs.

use std::collections::BTreeSet;

use super::Ask;

/// A statement, of a test or of its file.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    /// As written, without the indentation of its first line.
    pub(super) text: String,
    /// Names that it gives a value.
    pub(super) gives: BTreeSet<String>,
    /// Names that it uses.
    pub(super) uses: BTreeSet<String>,
    /// Whether it works on every test of the file: a hook, a mark, a fixture for all.
    pub(super) for_all: bool,
}

impl Piece {
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
    pieces: &[Piece],
    asks: &[Ask],
    needed: &mut BTreeSet<String>,
    asks_nothing: &dyn Fn(&Piece) -> bool,
) -> Vec<String> {
    let whole = asks.iter().any(|ask| !matches!(ask, Ask::Path(_) | Ask::MethodOf(..)));
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
pub(super) fn chosen(pieces: &[&Piece], needed: &mut BTreeSet<String>) -> BTreeSet<usize> {
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

/// A text of several lines without the indentation that its first line has. Lines that
/// have less of it (within a text) stay.
pub(super) fn dedented(text: &str, column: usize) -> String {
    let lead = " ".repeat(column);
    text.lines().map(|line| line.strip_prefix(&lead).unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

/// A text of several lines, each moved to a column; empty lines stay empty.
pub(super) fn indented(text: &str, column: usize) -> String {
    let lead = " ".repeat(column);
    let line = |line: &str| if line.is_empty() { String::new() } else { format!("{lead}{line}") };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}
