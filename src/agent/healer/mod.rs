//! The healer: repairs tests that are out of date, and refuses to touch tests
//! that found a bug.
//!
//! [`failure`] reads what a failing test expected and got, [`literal_tracing`] finds the
//! literal behind it, [`propose`], [`renamed`] and [`request`] make the smallest
//! edit, [`scoring`] tells an outdated test from a defect.

pub mod edit_classifier;
pub mod failure;
pub mod format;
pub mod literal_tracing;
pub mod model_proposal;
pub mod mutant;
pub mod propose;
pub mod renamed;
pub mod request;
pub mod result;
pub mod scoring;
pub mod sibling_tests;
pub mod snapshot;
pub mod test_locator;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::code::edit::{self, Edit};
use crate::code::source::Source;
use crate::code::value::Value;
use crate::model::change::FileChange;
use crate::model::heal::EditKind;

use self::failure::ParsedFailure;

/// One thing that an edit changes, for judging it.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// What it is.
    pub kind: EditKind,
    /// The field (or status, message, path) that it is about.
    pub field: String,
    /// The old value or name, without quotes.
    pub old: String,
    /// The new one.
    pub new: String,
    /// What came, where it is a value.
    pub came: Option<Value>,
}

impl Part {
    /// In words.
    #[must_use]
    pub fn told(&self) -> String {
        let field = if self.field.is_empty() { String::new() } else { format!("`{}`: ", self.field) };
        match self.kind {
            EditKind::AddedMember => format!("`{}` is added to what is expected", self.new),
            EditKind::RemovedMember => format!("`{}` is no longer expected", self.old),
            EditKind::Payload => format!("`{}` is added to what the test sends", self.new),
            EditKind::RenamedKey => format!("`{}` is called `{}`", self.old, self.new),
            EditKind::Order => "the expected elements change their order".to_owned(),
            _ => format!("{field}`{}` becomes `{}`", self.old, self.new),
        }
    }
}

/// An edit that would repair a test.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The file.
    pub path: String,
    /// The edits of that file.
    pub edits: Vec<Edit>,
    /// What they change; never empty.
    pub parts: Vec<Part>,
}

impl Candidate {
    /// The file after the edits.
    #[must_use]
    pub fn applied(&self, text: &str) -> Option<String> {
        edit::apply(text, &self.edits)
    }
}

/// The failing test, where it stands, and how it failed.
pub struct Test<'a> {
    /// All files.
    pub sources: &'a Sources<'a>,
    /// Its own file.
    pub file: &'a str,
    /// Its names, from the outermost group to its own.
    pub path: &'a [String],
    /// Its name as its runner prints it, parameters included.
    pub name: &'a str,
    /// How it failed.
    pub clash: &'a ParsedFailure,
    /// What the change under test did to product, specification and tests.
    pub change: &'a [FileChange],
}

/// The files of a checkout, parsed when they are first asked for.
pub struct Sources<'a> {
    /// All paths.
    pub files: &'a [String],
    /// The folder in which tests ran, with a slash at its end; empty for the top.
    pub folder: &'a str,
    read: &'a dyn Fn(&str) -> Option<String>,
    parsed: RefCell<BTreeMap<String, Option<Rc<Source>>>>,
}

impl<'a> Sources<'a> {
    /// Files by their paths, read through `read`.
    #[must_use]
    pub fn new(files: &'a [String], read: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { files, folder: "", read, parsed: RefCell::default() }
    }

    /// The same, for tests that ran in a folder.
    #[must_use]
    pub fn below(self, folder: &'a str) -> Self {
        Self { folder, ..self }
    }

    /// The text of a file.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<String> {
        (self.read)(path)
    }

    /// A source file.
    #[must_use]
    pub fn source(&self, path: &str) -> Option<Rc<Source>> {
        if let Some(found) = self.parsed.borrow().get(path) {
            return found.clone();
        }
        let parsed = (self.read)(path).and_then(|text| Source::parse(path, &text)).map(Rc::new);
        self.parsed.borrow_mut().insert(path.to_owned(), parsed.clone());
        parsed
    }
}
