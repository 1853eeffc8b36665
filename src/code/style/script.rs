//! Tests of Jest that ask with supertest and its like.

mod write;

use std::collections::BTreeSet;

use tree_sitter::Node;

use super::address::{Address, Part, sender};
use super::piece::{Statement, text_of};
use super::{RequestPattern, RequestVariant};
use crate::code::source::{Source, children, field, walk};
use crate::code::test_discovery::TestFn;

/// How a test asks; see the room's words.
#[derive(Clone, Debug)]
pub(super) struct Exemplar {
    /// Statements of the file and of the groups around the test.
    definitions: Vec<Statement>,
    /// `test` or `it`.
    word: String,
    /// Statements before the call.
    before: Vec<Statement>,
    chain: Chain,
}

/// `request(app).get("/x").set("A", "b").send(body)`.
#[derive(Clone, Debug)]
struct Chain {
    /// `request(app)`.
    on: String,
    method: String,
    /// The address as written.
    url: String,
    /// Calls after it, with their arguments.
    calls: Vec<(String, String)>,
    address: Address,
}

const METHODS: &[&str] = &["get", "post", "put", "patch", "delete", "del", "head", "options"];
/// Calls of a chain that send something; others check, or end it.
const SENDING: &[&str] = &["set", "send", "query", "auth", "type", "accept", "field", "attach", "timeout", "redirects"];
const HOOKS: &[&str] = &["beforeAll", "beforeEach", "afterAll", "afterEach", "before", "after"];

pub(super) fn exemplar(source: &Source, case: &TestFn<'_>, sought: RequestPattern<'_>) -> Option<Exemplar> {
    // What chai expects is written otherwise.
    if !source.text.contains("expect(") && !source.text.contains(".expect(") || source.text.contains("chai") {
        return None;
    }
    let word = field(case.node, "function").map(|f| source.of(f)).filter(|w| matches!(*w, "it" | "test"))?;
    let function = children(field(case.node, "arguments")?)
        .into_iter()
        .find(|a| matches!(a.kind(), "arrow_function" | "function_expression" | "function"))?;
    let body = field(function, "body").filter(|b| b.kind() == "statement_block")?;
    let (node, chain) = find_chain(source, body, sought)?;
    Some(Exemplar {
        definitions: around(source, case.node),
        word: word.to_owned(),
        before: before(source, body, node)?,
        chain,
    })
}

/// The statements that the test can need: of the file, then of the groups around it.
fn around(source: &Source, test: Node<'_>) -> Vec<Statement> {
    let mut blocks = Vec::new();
    let mut at = test;
    while let Some(parent) = at.parent() {
        if matches!(parent.kind(), "statement_block" | "program") {
            blocks.push(parent);
        }
        at = parent;
    }
    blocks.reverse();
    blocks.into_iter().flat_map(children).filter_map(|node| definition(source, node)).collect()
}

fn definition(source: &Source, node: Node<'_>) -> Option<Statement> {
    let text = text_of(source, node);
    let uses = names_in(source, node);
    let made = |gives, for_all| Statement { text: text.clone(), gives, uses: uses.clone(), for_all };
    if node.kind() == "expression_statement" {
        let call = children(node).into_iter().next().filter(|c| c.kind() == "call_expression")?;
        let name = source.of(field(call, "function")?);
        let for_all = HOOKS.contains(&name) || name.starts_with("jest.") || name.starts_with("vi.");
        return for_all.then(|| made(BTreeSet::new(), true));
    }
    let gives = given_by(source, node);
    // An import for its effect alone.
    let bare = node.kind() == "import_statement" && gives.is_empty();
    (bare || !gives.is_empty()).then(|| made(gives, bare))
}

/// The names that a statement gives a value.
fn given_by(source: &Source, node: Node<'_>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let names = |node: Node<'_>| {
        let mut own = BTreeSet::new();
        walk(node, |n| {
            if matches!(n.kind(), "identifier" | "shorthand_property_identifier_pattern") {
                own.insert(source.of(n).to_owned());
            }
            true
        });
        own
    };
    walk(node, |n| match n.kind() {
        "variable_declarator" => {
            found.extend(field(n, "name").map(names).unwrap_or_default());
            false
        }
        "function_declaration" | "generator_function_declaration" | "class_declaration" => {
            found.extend(field(n, "name").map(|n| source.of(n).to_owned()));
            false
        }
        "import_clause" => {
            found.extend(names(n));
            false
        }
        "assignment_expression" => {
            found.extend(field(n, "left").map(names).unwrap_or_default());
            false
        }
        "arrow_function" | "function_expression" => false,
        _ => true,
    });
    found
}

/// The names that stand in a piece of source.
fn names_in(source: &Source, node: Node<'_>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    walk(node, |node| {
        if matches!(node.kind(), "identifier" | "shorthand_property_identifier" | "type_identifier") {
            found.insert(source.of(node).to_owned());
        }
        true
    });
    found
}

/// The chain in a test that sends the request: of its outermost call, the node.
fn find_chain<'t>(source: &Source, body: Node<'t>, sought: RequestPattern<'_>) -> Option<(Node<'t>, Chain)> {
    let mut found: Vec<((Node<'t>, Chain), bool)> = Vec::new();
    walk(body, |node| {
        if node.kind() == "call_expression"
            && let Some(chain) = read_chain(source, node, sought)
        {
            let is_sure = chain.address.is_sure;
            found.push(((outermost(node), chain), is_sure));
        }
        true
    });
    sender(found)
}

/// The whole chain that a call begins.
fn outermost(node: Node<'_>) -> Node<'_> {
    let mut at = node;
    while let Some(member) = at.parent().filter(|p| p.kind() == "member_expression")
        && let Some(call) = member.parent().filter(|p| p.kind() == "call_expression")
    {
        at = call;
    }
    at
}

fn read_chain(source: &Source, node: Node<'_>, sought: RequestPattern<'_>) -> Option<Chain> {
    let target = field(node, "function").filter(|f| f.kind() == "member_expression")?;
    let method = source.of(field(target, "property")?);
    let lower = sought.method.to_ascii_lowercase();
    if !METHODS.contains(&method) || (method != lower && !(method == "del" && lower == "delete")) {
        return None;
    }
    let on = field(target, "object")?;
    // `request(app)`, or an agent that was made before.
    if !matches!(on.kind(), "call_expression" | "identifier") {
        return None;
    }
    let url = children(field(node, "arguments")?).into_iter().next()?;
    let address = Address::read(parts(source, url).as_deref(), sought)?;
    let mut calls = Vec::new();
    let mut at = node;
    while let Some(member) = at.parent().filter(|p| p.kind() == "member_expression")
        && let Some(call) = member.parent().filter(|p| p.kind() == "call_expression")
    {
        let name = field(member, "property").map_or("", |p| source.of(p));
        if SENDING.contains(&name) {
            let arguments = field(call, "arguments").map_or("", |a| source.of(a));
            let arguments = arguments.strip_prefix('(').and_then(|a| a.strip_suffix(')')).unwrap_or("");
            calls.push((name.to_owned(), arguments.trim().to_owned()));
        }
        at = call;
    }
    Some(Chain {
        on: source.of(on).to_owned(),
        method: method.to_owned(),
        url: source.of(url).to_owned(),
        calls,
        address,
    })
}

/// The parts of a text that is put together; `None` where it is none.
fn parts(source: &Source, node: Node<'_>) -> Option<Vec<Part>> {
    match node.kind() {
        "string" | "template_string" => {
            let mut found = Vec::new();
            for part in children(node) {
                match part.kind() {
                    "string_fragment" => found.push(Part::Text(source.of(part).to_owned())),
                    "template_substitution" => {
                        let inner = children(part).first().map_or("", |e| source.of(*e));
                        found.push(Part::Hole(inner.to_owned()));
                    }
                    _ => {}
                }
            }
            (!found.is_empty()).then_some(found)
        }
        "binary_expression" if field(node, "operator").map(|o| source.of(o)) == Some("+") => {
            let side = |name| {
                let node = field(node, name)?;
                Some(parts(source, node).unwrap_or_else(|| vec![Part::Hole(source.of(node).to_owned())]))
            };
            let mut left = side("left")?;
            left.extend(side("right")?);
            Some(left)
        }
        "parenthesized_expression" => parts(source, children(node).into_iter().next()?),
        _ => None,
    }
}

/// The statements before a call; `None` where the call is made only under a condition.
fn before(source: &Source, body: Node<'_>, call: Node<'_>) -> Option<Vec<Statement>> {
    let mut found = Vec::new();
    for statement in children(body) {
        if statement.start_byte() <= call.start_byte() && call.end_byte() <= statement.end_byte() {
            let plain = matches!(
                statement.kind(),
                "expression_statement" | "lexical_declaration" | "variable_declaration" | "return_statement"
            );
            return plain.then_some(found);
        }
        if source.of(statement).starts_with("expect(") || source.of(statement).starts_with("await expect(") {
            continue;
        }
        found.push(Statement {
            text: text_of(source, statement),
            gives: given_by(source, statement),
            uses: names_in(source, statement),
            for_all: false,
        });
    }
    None
}

impl Exemplar {
    pub(super) fn weight(&self) -> usize {
        self.before.len()
    }

    pub(super) fn can(&self, ask: &RequestVariant) -> bool {
        match ask {
            RequestVariant::Path(_) | RequestVariant::Query(..) | RequestVariant::MethodOf(..) => {
                self.chain.address.is_open()
            }
            RequestVariant::Body(_) => self.chain.calls.iter().filter(|(name, _)| name == "send").count() == 1,
            _ => true,
        }
    }

    pub(super) fn shows(&self, value: &serde_json::Value) -> bool {
        let written = value.to_string();
        let single = written.replace('"', "'");
        let calls = self.chain.calls.iter().map(|(_, text)| text);
        let all = calls.chain(self.before.iter().map(|s| &s.text)).chain(self.definitions.iter().map(|d| &d.text));
        all.into_iter().any(|text| super::holds(text, &written) || super::holds(text, &single))
    }
}
