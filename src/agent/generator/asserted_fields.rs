//! Which names a test's assertions speak of.

use std::collections::BTreeSet;

use crate::code::assertion::{self, Op};
use crate::code::source::{Source, children, field, walk};
use crate::code::test_discovery::TestFn;

/// What the assertions of some tests speak of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AssertedFields {
    /// Words in assertions, and in what these name.
    pub words: BTreeSet<String>,
    /// Whether a whole body is compared.
    pub whole: bool,
    /// Tests.
    pub tests: usize,
}

impl AssertedFields {
    /// Takes in a test.
    pub fn add_test(&mut self, source: &Source, case: &TestFn<'_>) {
        self.tests += 1;
        for own in assertion::find(source, case.node) {
            let text = source.slice(&own.range);
            let bare = own.subject.trim_end_matches("()");
            let is_whole = [".json", ".get_json", ".body", ".data", ".content", "body", "payload"]
                .iter()
                .any(|end| bare.ends_with(end));
            self.whole |= is_whole && matches!(own.op, Op::Equal | Op::Matches);
            self.words.extend(words(text));
            for name in words(text) {
                for value in given(source, case, &name) {
                    self.words.extend(words(&value));
                }
            }
        }
        // What a helper of the file asserts counts for the test that calls it.
        for name in called(source, case) {
            if let Some(helper) = function(source, &name) {
                self.words.extend(words(&helper));
            }
        }
    }

    /// Whether a field is spoken of.
    #[must_use]
    pub fn mentions(&self, field: &str) -> bool {
        self.whole || self.words.contains(field)
    }
}

/// The words of a text.
fn words(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'))
        .filter(|w| !w.is_empty() && w.len() <= 80)
        .map(str::to_owned)
        .collect()
}

/// The texts of what a local name is given in a test, where that is no request.
fn given(source: &Source, case: &TestFn<'_>, name: &str) -> Vec<String> {
    let mut found = Vec::new();
    walk(case.node, |node| {
        let (left, right) = match node.kind() {
            "assignment" => (field(node, "left"), field(node, "right")),
            "variable_declarator" => (field(node, "name"), field(node, "value")),
            _ => (None, None),
        };
        if let (Some(left), Some(right)) = (left, right)
            && source.of(left) == name
            && matches!(right.kind(), "dictionary" | "list" | "object" | "array" | "set" | "tuple")
        {
            found.push(source.of(right).to_owned());
        }
        true
    });
    found
}

/// The plain functions that a test calls.
fn called(source: &Source, case: &TestFn<'_>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    walk(case.node, |node| {
        if matches!(node.kind(), "call" | "call_expression")
            && let Some(function) = field(node, "function").filter(|f| f.kind() == "identifier")
        {
            found.insert(source.of(function).to_owned());
        }
        true
    });
    found
}

/// The text of a function of the file, where it asserts something.
fn function(source: &Source, name: &str) -> Option<String> {
    let is_it = |node: &tree_sitter::Node<'_>| {
        matches!(node.kind(), "function_definition" | "function_declaration")
            && field(*node, "name").is_some_and(|n| source.of(n) == name)
    };
    let node = children(source.root()).into_iter().find(is_it)?;
    let asserted: Vec<String> =
        assertion::find(source, node).iter().map(|a| source.slice(&a.range).to_owned()).collect();
    (!asserted.is_empty()).then(|| asserted.join(" "))
}
