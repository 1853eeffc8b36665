//! What a written test checks of an answer, before it is written in any language.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::NewTest;
use crate::model::mutant::{Change, Mutant};

/// One thing that a test checks.
#[derive(Clone, Debug, PartialEq)]
pub enum Check {
    /// The status.
    Status(u16),
    /// The media type.
    Media(String),
    /// A header is there.
    Header(String),
    /// What is at a place of the body; `*` stands for each element of a list.
    Field(Vec<String>, Is),
    /// What is at a place of the body is what was sent.
    Equals(Vec<String>, Value),
    /// There is no body.
    Empty,
    /// The body is that of the answer before.
    Alike,
}

/// What a value is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Is {
    /// JSON's kinds: `boolean`, `integer`, `number`, `string`, `array`, `object`.
    pub kinds: Vec<&'static str>,
    /// Whether it may be `null` as well.
    pub nullable: bool,
    /// The format of a text: its name and a pattern.
    pub format: Option<(&'static str, &'static str)>,
    /// The values that a text has.
    pub choices: Vec<String>,
    /// Whether a list always has elements.
    pub filled: bool,
    /// How many elements a list has.
    pub count: Option<usize>,
}

impl Check {
    /// The mutants that a test with this check must notice, for the exchange at `exchange`.
    #[must_use]
    pub fn mutants(&self, exchange: usize) -> Vec<Mutant> {
        let make = |change, at: &str, status| Mutant { exchange, change, at: at.to_owned(), status };
        match self {
            // What is no error becomes one, and the other way round.
            Self::Status(status) => vec![make(Change::Status, "", if *status < 400 { 500 } else { 200 })],
            Self::Media(_) => vec![make(Change::Header, "content-type", 0)],
            Self::Header(name) => vec![make(Change::Header, name, 0)],
            Self::Empty => vec![make(Change::Fill, "", 0)],
            Self::Alike => vec![make(Change::Value, "", 0)],
            Self::Equals(at, _) => {
                let place = pointer(at);
                vec![make(Change::Drop, &place, 0), make(Change::Value, &place, 0)]
            }
            Self::Field(at, is) => {
                let place = pointer(at);
                let mut all = vec![make(Change::Type, &place, 0)];
                if is.filled || is.count.is_some_and(|count| count > 0) {
                    all.push(make(Change::Empty, &place, 0));
                }
                if at.last().is_some_and(|name| name != "*") {
                    all.insert(0, make(Change::Drop, &place, 0));
                    if !is.nullable {
                        all.insert(1, make(Change::Null, &place, 0));
                    }
                }
                all
            }
        }
    }

    /// The place in the body, where it has one.
    #[must_use]
    pub fn place(&self) -> Option<&[String]> {
        match self {
            Self::Field(at, _) | Self::Equals(at, _) => Some(at),
            _ => None,
        }
    }
}

/// The formats that a test compares with, each with its pattern.
#[must_use]
pub fn formats(test: &NewTest) -> BTreeSet<(&'static str, &'static str)> {
    let of = |check: &Check| match check {
        Check::Field(_, is) if is.choices.is_empty() => is.format,
        _ => None,
    };
    test.checks.iter().filter_map(|(_, check)| of(check)).collect()
}

/// The name of a format's pattern in a file: `DATE_TIME`.
#[must_use]
pub fn constant(format: &str) -> String {
    format.to_ascii_uppercase().replace('-', "_")
}

/// A JSON pointer.
#[must_use]
pub fn pointer(at: &[String]) -> String {
    at.iter().fold(String::new(), |text, part| text + "/" + &part.replace('~', "~0").replace('/', "~1"))
}

/// The checks of one body, as a tree of places.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tree {
    /// What is here.
    pub is: Option<Is>,
    /// What is here is this.
    pub equals: Option<Value>,
    /// What is below, by name.
    pub below: BTreeMap<String, Tree>,
}

impl Tree {
    /// The tree of the checks that have a place; `None` where none has.
    #[must_use]
    pub fn of<'c>(checks: impl Iterator<Item = &'c Check>) -> Option<Self> {
        let mut tree = Self::default();
        let mut any = false;
        for check in checks {
            let Some(at) = check.place() else { continue };
            any = true;
            let node = at.iter().fold(&mut tree, |node, name| node.below.entry(name.clone()).or_default());
            match check {
                Check::Field(_, is) => node.is = Some(is.clone()),
                Check::Equals(_, value) => node.equals = Some(value.clone()),
                _ => {}
            }
        }
        any.then_some(tree)
    }
}
