//! What a test asserts, and how strongly.
//!
//! The strengths are a lattice in numbers: exact equality is 5, equality with a
//! part or within a tolerance 4, membership, pattern and length 3, order 2, being
//! there 1, truth 0.5. What a helper of the project's own asserts cannot be
//! seen; it counts 3, so that it must not vanish.

mod forms;
mod words;

use std::ops::Range;

use tree_sitter::Node;

use crate::code::expr::{Expr, Kind};
use crate::code::source::{Source, walk};

/// How an assertion compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Op {
    /// The whole value is the expected one.
    Equal,
    /// A part of the value is the expected one.
    Subset,
    /// A number within a tolerance.
    Approx,
    /// Something is in it, or it is one of several.
    Contains,
    /// It has a form: a pattern, a schema.
    Matches,
    /// It has a number of elements.
    Length,
    /// An error is raised.
    Raises,
    /// It is larger or smaller.
    Order,
    /// It is there, or of a type.
    Present,
    /// It is not something.
    Differs,
    /// It is true in some way.
    Truth,
    /// A helper of the project's own.
    Custom,
}

impl Op {
    /// Where it stands in the lattice.
    #[must_use]
    pub fn strength(self) -> f64 {
        match self {
            Self::Equal => 5.0,
            Self::Subset | Self::Approx => 4.0,
            Self::Contains | Self::Matches | Self::Length | Self::Custom => 3.0,
            Self::Raises => 2.5,
            Self::Order => 2.0,
            Self::Present | Self::Differs => 1.0,
            Self::Truth => 0.5,
        }
    }
}

/// One assertion.
#[derive(Clone, Debug, PartialEq)]
pub struct Assertion {
    /// Its bytes.
    pub range: Range<usize>,
    /// Its words: `assert ==`, `toEqual`, `assertThat isEqualTo`.
    pub form: String,
    /// How it compares.
    pub op: Op,
    /// What it looks at, as written, white space put together.
    pub subject: String,
    /// The bytes of what it looks at, where they are one piece.
    pub subject_range: Option<Range<usize>>,
    /// What it expects.
    pub expected: Option<Expr>,
    /// The tolerance, for [`Op::Approx`], where it is a number.
    pub tolerance: Option<f64>,
}

impl Assertion {
    /// Its strength, with what makes it weaker within its kind: the more values
    /// it allows, and the wider its tolerance, the less.
    #[must_use]
    pub fn strength(&self) -> f64 {
        let base = self.op.strength();
        match self.op {
            Op::Contains => base + 0.4 / self.choices().max(1) as f64,
            Op::Approx => base + 0.4 / (1.0 + self.tolerance.unwrap_or(1e-6).abs()),
            // Order, type or case do not matter to these.
            Op::Equal if LENIENT.iter().any(|w| self.form.ends_with(w)) => base - 0.3,
            Op::Subset | Op::Raises => base + (0.01 * self.leaves() as f64).min(0.4),
            _ => base,
        }
    }

    /// How many values a membership allows.
    fn choices(&self) -> usize {
        match self.expected.as_ref().map(|e| &e.kind) {
            Some(Kind::List(items)) => items.len(),
            _ => 1,
        }
    }

    /// How many values it names.
    #[must_use]
    pub fn leaves(&self) -> usize {
        self.expected
            .as_ref()
            .map_or(0, |e| e.all().iter().filter(|x| !matches!(x.kind, Kind::List(_) | Kind::Map { .. })).count())
    }

    /// Its place in `source`, for people.
    #[must_use]
    pub fn line(&self, source: &Source) -> u32 {
        source.line_of(self.range.start)
    }
}

/// Equalities that leave something out.
const LENIENT: &[&str] = &[
    "assertCountEqual",
    "containsExactlyInAnyOrder",
    "containsOnly",
    "ElementsMatch",
    "EqualValues",
    "match_array",
    "isEqualToIgnoringCase",
    "assertEqualsCanonicalizing",
    "containsInAnyOrder",
    "hasSameElementsAs",
    "toEqualCanonicalizing",
    "equalToIgnoringCase",
    "arrayContainingInAnyOrder",
];

/// All assertions below `node`, in their order.
#[must_use]
pub fn find(source: &Source, node: Node<'_>) -> Vec<Assertion> {
    let mut found = Vec::new();
    walk(node, |node| {
        forms::recognise(source, node, &mut found);
        true
    });
    found.sort_by_key(|a| (a.range.start, std::cmp::Reverse(a.range.end)));
    found
}

/// Text with its white space put together, so that a new line is no change.
#[must_use]
pub fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
