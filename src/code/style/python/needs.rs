//! What a piece of a Python file needs of the rest of it.

use std::collections::BTreeSet;

use tree_sitter::Node;

use crate::code::source::{Source, children, field, walk};
use crate::code::style::piece::Statement;

/// A statement at the top of a file.
#[derive(Clone, Debug)]
pub(super) struct Definition {
    /// What it gives and uses.
    pub(super) piece: Statement,
    /// What it is.
    pub(super) kind: Form,
}

/// The form of a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `import a, b as c`: each with the name that it gives.
    Import(Vec<(String, String)>),
    /// `from m import a, b as c`: the module with its dots, and the same.
    From(String, Vec<(String, String)>),
    /// Anything else.
    Other,
}

/// The statements at the top of a file that can be needed.
pub(super) fn definitions(source: &Source) -> Vec<Definition> {
    children(source.root()).into_iter().filter_map(|node| definition(source, node)).collect()
}

fn definition(source: &Source, node: Node<'_>) -> Option<Definition> {
    let kind = match node.kind() {
        "import_statement" => Form::Import(imported(source, node)),
        "import_from_statement" | "future_import_statement" => {
            let module = field(node, "module_name").map_or("__future__", |m| source.of(m));
            Form::From(module.to_owned(), imported(source, node))
        }
        _ => Form::Other,
    };
    let gives: BTreeSet<String> = match &kind {
        Form::Import(names) | Form::From(_, names) => names.iter().map(|(_, name)| name.clone()).collect(),
        Form::Other => given_by(source, node),
    };
    let text = source.of(node).to_owned();
    let is_fixture = node.kind() == "decorated_definition" && text.contains("autouse=True");
    // Tests of the file itself are none of its helpers.
    let is_test = gives.iter().any(|name| name.starts_with("test") || name.starts_with("Test"))
        && node.kind().ends_with("definition");
    if is_test || gives.is_empty() {
        return None;
    }
    let for_all = is_fixture || gives.contains("pytestmark");
    // What an import names is what it gives.
    let uses = if kind == Form::Other { names_in(source, node) } else { BTreeSet::new() };
    Some(Definition { piece: Statement { text, gives, uses, for_all }, kind })
}

/// The names of an import: what is imported, and under which name.
fn imported(source: &Source, node: Node<'_>) -> Vec<(String, String)> {
    let module = field(node, "module_name");
    children(node)
        .into_iter()
        .filter(|c| Some(*c) != module)
        .filter_map(|c| match c.kind() {
            "dotted_name" => {
                let whole = source.of(c).to_owned();
                let name = whole.split('.').next().unwrap_or("").to_owned();
                Some((whole, name))
            }
            "aliased_import" => {
                let whole = source.of(c).to_owned();
                Some((whole, source.of(field(c, "alias")?).to_owned()))
            }
            _ => None,
        })
        .collect()
}

/// The names that a statement gives a value, within blocks as well.
pub(super) fn given_by(source: &Source, node: Node<'_>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    walk(node, |node| {
        match node.kind() {
            "function_definition" | "class_definition" => {
                found.extend(field(node, "name").map(|n| source.of(n).to_owned()));
                return false;
            }
            "assignment" | "augmented_assignment" | "for_statement" => {
                found.extend(field(node, "left").into_iter().flat_map(|left| names_in(source, left)));
            }
            "as_pattern_target" => found.extend(names_in(source, node)),
            "import_statement" | "import_from_statement" => {
                found.extend(imported(source, node).into_iter().map(|(_, name)| name));
            }
            _ => {}
        }
        true
    });
    found
}

/// The names that stand in a piece of source, attributes and names of arguments left out.
pub(super) fn names_in(source: &Source, node: Node<'_>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    walk(node, |node| {
        if node.kind() == "identifier" && !is_label(node) {
            found.insert(source.of(node).to_owned());
        }
        true
    });
    found
}

fn is_label(node: Node<'_>) -> bool {
    let Some(parent) = node.parent() else { return false };
    match parent.kind() {
        "attribute" => field(parent, "attribute") == Some(node),
        "keyword_argument" => field(parent, "name") == Some(node),
        _ => false,
    }
}
