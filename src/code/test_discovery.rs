//! The tests of a source file.

use tree_sitter::Node;

use crate::code::expr::{Expr, Kind};
use crate::code::language::Language;
use crate::code::lower::lower;
use crate::code::source::{Source, children, field};

/// A test in a file.
#[derive(Clone, Debug)]
pub struct TestFn<'t> {
    /// Names from the outermost class or `describe` to the test itself.
    pub path: Vec<String>,
    /// The whole test, decorators and annotations included where they are its own node.
    pub node: Node<'t>,
}

impl TestFn<'_> {
    /// Its own name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.path.last().map_or("", String::as_str)
    }
}

/// Functions that declare a test in JavaScript and in Pest.
const TEST_CALLS: &[&str] = &["it", "test", "specify", "xit", "fit", "xtest", "bench"];
/// Functions that group tests.
const GROUP_CALLS: &[&str] =
    &["describe", "context", "suite", "xdescribe", "fdescribe", "xcontext", "fcontext", "feature", "shared_examples"];
/// RSpec's words for a test.
const EXAMPLES: &[&str] =
    &["it", "specify", "example", "scenario", "test", "xit", "fit", "xspecify", "xexample", "its", "pending"];
/// Annotations of JUnit, TestNG and kotlin.test.
const ANNOTATIONS: &[&str] =
    &["Test", "ParameterizedTest", "RepeatedTest", "TestFactory", "TestTemplate", "Property", "Example"];

/// All tests of a file, in its order.
#[must_use]
pub fn find(source: &Source) -> Vec<TestFn<'_>> {
    let mut found = Vec::new();
    // The names around a node come with it: nesting is the file's choice, so no recursion.
    let mut open: Vec<(Node<'_>, Vec<String>)> = vec![(source.root(), Vec::new())];
    while let Some((node, names)) = open.pop() {
        let (name, is_test) = match role(source, node) {
            Role::Test(name) => (name, true),
            Role::Group(name) => (name, false),
            Role::None => {
                push_children(&mut open, node, &names);
                continue;
            }
        };
        let mut path = names;
        path.push(name);
        if is_test {
            found.push(TestFn { path, node: whole(node) });
        } else {
            push_children(&mut open, node, &path);
        }
    }
    found
}

/// The test that `line` (from 1) stands in; the innermost.
#[must_use]
pub fn at_line(source: &Source, line: u32) -> Option<TestFn<'_>> {
    let range = source.line(line);
    find(source)
        .into_iter()
        .filter(|case| case.node.start_byte() <= range.end && range.start < case.node.end_byte())
        .min_by_key(|case| case.node.byte_range().len())
}

fn push_children<'t>(open: &mut Vec<(Node<'t>, Vec<String>)>, node: Node<'t>, names: &[String]) {
    let mut cursor = node.walk();
    let below: Vec<Node<'t>> = node.named_children(&mut cursor).collect();
    open.extend(below.into_iter().rev().map(|child| (child, names.to_vec())));
}

enum Role {
    Test(String),
    Group(String),
    None,
}

fn role(source: &Source, node: Node<'_>) -> Role {
    match source.language {
        Language::Python => python(source, node),
        Language::JavaScript | Language::TypeScript | Language::Tsx => script(source, node),
        Language::Java | Language::Kotlin => jvm(source, node),
        Language::Go => go(source, node),
        Language::Rust => rust(source, node),
        Language::Ruby => ruby(source, node),
        Language::Php => php(source, node),
    }
}

fn named(source: &Source, node: Node<'_>) -> String {
    field(node, "name").map_or("", |n| source.of(n)).trim_matches('`').to_owned()
}

fn python(source: &Source, node: Node<'_>) -> Role {
    match node.kind() {
        "class_definition" => Role::Group(named(source, node)),
        "function_definition" if named(source, node).starts_with("test") => Role::Test(named(source, node)),
        _ => Role::None,
    }
}

fn script(source: &Source, node: Node<'_>) -> Role {
    if node.kind() != "call_expression" {
        return Role::None;
    }
    let Some(root) = field(node, "function").map(|f| root_name(source, f)) else { return Role::None };
    let is_test = TEST_CALLS.contains(&root);
    if !is_test && !GROUP_CALLS.contains(&root) {
        return Role::None;
    }
    let args = field(node, "arguments").map(children).unwrap_or_default();
    // `test.each(rows)` is the function of the call that declares; `test.use({…})` declares nothing.
    let title = args.first().filter(|a| matches!(a.kind(), "string" | "template_string"));
    let Some(title) = title else { return Role::None };
    let name = match lower(source, *title).kind {
        Kind::Text { value, .. } => value,
        _ => source.of(*title).trim_matches('`').to_owned(),
    };
    if is_test { Role::Test(name) } else { Role::Group(name) }
}

/// `it` in `it.only.each(rows)`.
fn root_name<'s>(source: &'s Source, node: Node<'_>) -> &'s str {
    let mut at = node;
    while let Some(inner) = field(at, "object").or_else(|| field(at, "function")) {
        at = inner;
    }
    source.of(at)
}

/// The names of a declaration's annotations, without `@`, arguments and package.
fn annotations<'s>(source: &'s Source, node: Node<'_>) -> Vec<&'s str> {
    let modifiers = children(node).into_iter().find(|c| c.kind() == "modifiers");
    modifiers
        .map(children)
        .unwrap_or_default()
        .into_iter()
        .filter(|m| m.kind().contains("annotation"))
        .map(|m| {
            let text = source.of(m).trim_start_matches('@');
            text.split(['(', '<']).next().unwrap_or(text).rsplit('.').next().unwrap_or(text).trim()
        })
        .collect()
}

/// Words in front of a declaration, annotations left out.
fn modifiers<'s>(source: &'s Source, node: Node<'_>) -> Vec<&'s str> {
    let found = children(node).into_iter().find(|c| c.kind() == "modifiers");
    found.map_or_else(Vec::new, |m| source.of(m).split_whitespace().filter(|w| !w.starts_with('@')).collect())
}

fn jvm(source: &Source, node: Node<'_>) -> Role {
    match node.kind() {
        "class_declaration" | "record_declaration" | "object_declaration" => Role::Group(named(source, node)),
        "method_declaration" | "function_declaration" => {
            let name = named(source, node);
            let marked = annotations(source, node).iter().any(|a| ANNOTATIONS.contains(a));
            // JUnit 3 goes by names.
            let by_name = name.starts_with("test") && name[4..].starts_with(char::is_uppercase);
            // JUnit runs no private and no static method.
            let hidden = modifiers(source, node).iter().any(|m| matches!(*m, "private" | "static" | "abstract"));
            if (marked || by_name) && !hidden { Role::Test(name) } else { Role::None }
        }
        _ => Role::None,
    }
}

fn go(source: &Source, node: Node<'_>) -> Role {
    if !matches!(node.kind(), "function_declaration" | "method_declaration") {
        return Role::None;
    }
    let name = named(source, node);
    let is_test = ["Test", "Fuzz", "Example", "Benchmark"]
        .iter()
        .any(|p| name.strip_prefix(p).is_some_and(|rest| !rest.starts_with(char::is_lowercase)));
    if is_test && name != "TestMain" { Role::Test(name) } else { Role::None }
}

fn rust(source: &Source, node: Node<'_>) -> Role {
    match node.kind() {
        "mod_item" => Role::Group(named(source, node)),
        "function_item" => {
            let is_test = attributes(source, node).iter().any(|a| {
                let name = a.split(['(', '=']).next().unwrap_or(a).trim();
                matches!(
                    name.rsplit("::").next().unwrap_or(name).trim(),
                    "test" | "rstest" | "test_case" | "quickcheck"
                )
            });
            if is_test { Role::Test(named(source, node)) } else { Role::None }
        }
        _ => Role::None,
    }
}

/// What stands in the `#[…]` before an item.
#[must_use]
pub fn attributes<'s>(source: &'s Source, node: Node<'_>) -> Vec<&'s str> {
    let mut found = Vec::new();
    let mut before = node.prev_named_sibling();
    while let Some(attribute) = before.filter(|n| n.kind() == "attribute_item" || n.kind().contains("comment")) {
        if attribute.kind() == "attribute_item" {
            found.push(source.of(attribute).trim_start_matches("#[").trim_end_matches(']'));
        }
        before = attribute.prev_named_sibling();
    }
    found
}

fn ruby(source: &Source, node: Node<'_>) -> Role {
    match node.kind() {
        "class" | "module" => Role::Group(named(source, node)),
        "method" if named(source, node).starts_with("test_") => Role::Test(named(source, node)),
        "call" => {
            let name = field(node, "method").map_or("", |m| source.of(m));
            let title = field(node, "arguments").map(children).unwrap_or_default().into_iter().next();
            let title = title.map(|t| match lower(source, t) {
                Expr { kind: Kind::Text { value, .. }, .. } => value,
                _ => source.of(t).to_owned(),
            });
            let free = field(node, "receiver").is_none_or(|r| source.of(r) == "RSpec");
            let block = field(node, "block").is_some();
            if free && block && GROUP_CALLS.contains(&name) {
                Role::Group(title.unwrap_or_default())
            } else if free && EXAMPLES.contains(&name) && (block || title.is_some()) {
                Role::Test(title.unwrap_or_default())
            } else {
                Role::None
            }
        }
        _ => Role::None,
    }
}

fn php(source: &Source, node: Node<'_>) -> Role {
    match node.kind() {
        "class_declaration" => Role::Group(named(source, node)),
        "method_declaration" => {
            let name = named(source, node);
            let marked = field(node, "attributes").is_some_and(|a| source.of(a).contains("Test"));
            let documented =
                node.prev_named_sibling().is_some_and(|n| n.kind() == "comment" && source.of(n).contains("@test"));
            let hidden = children(node).iter().any(|c| {
                c.kind() == "visibility_modifier" && source.of(*c) != "public" || c.kind() == "abstract_modifier"
            });
            if (name.starts_with("test") || marked || documented) && !hidden { Role::Test(name) } else { Role::None }
        }
        "function_call_expression" => {
            let name = field(node, "function").map_or("", |f| source.of(f));
            let first = field(node, "arguments").map(children).unwrap_or_default().into_iter().next();
            let title = first.and_then(|a| match lower(source, a).kind {
                Kind::Text { value, .. } => Some(value),
                _ => None,
            });
            match title {
                Some(title) if TEST_CALLS.contains(&name) => Role::Test(title),
                Some(title) if GROUP_CALLS.contains(&name) => Role::Group(title),
                _ => Role::None,
            }
        }
        _ => Role::None,
    }
}

/// The test with its decorators.
fn whole(node: Node<'_>) -> Node<'_> {
    node.parent().filter(|p| p.kind() == "decorated_definition").unwrap_or(node)
}
