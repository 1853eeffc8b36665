//! Tests of pytest and unittest.

mod needs;
mod write;

use std::collections::BTreeSet;

use tree_sitter::Node;

use self::needs::{Definition, names_in};
use super::address::{Address, Part, sender};
use super::piece::{Statement, text_of};
use super::{RequestPattern, RequestVariant};
use crate::code::source::{Source, children, field, walk};
use crate::code::test_discovery::TestFn;

/// How a test asks; see the room's words.
#[derive(Clone, Debug)]
pub(super) struct Exemplar {
    /// Definitions of the file that can be needed.
    definitions: Vec<Definition>,
    decorators: Vec<String>,
    /// Parameters as written, `self` left out.
    parameters: Vec<String>,
    is_async: bool,
    /// The class around it, where it needs one.
    class: Option<Class>,
    /// Statements before the call, from the outermost block inwards.
    layers: Vec<Layer>,
    call: Call,
    /// How the body is read as JSON: `.json()`.
    json: &'static str,
    is_django: bool,
}

/// The class around a test.
#[derive(Clone, Debug)]
struct Class {
    /// Base classes as written.
    bases: String,
    decorators: Vec<String>,
    /// Set-up, fixtures and helpers.
    members: Vec<String>,
    needs: BTreeSet<String>,
}

/// The statements of one block.
#[derive(Clone, Debug)]
struct Layer {
    /// What opens the block: `with TestClient(app) as client:`; empty for the test itself.
    head: String,
    head_names: BTreeSet<String>,
    statements: Vec<Statement>,
}

/// The call that asks.
#[derive(Clone, Debug)]
struct Call {
    /// What stands before it: `await `.
    lead: &'static str,
    /// `client`, `self.client`, `requests`.
    on: String,
    /// The function's name: `get`, `request`.
    function: String,
    /// Arguments: name and text.
    arguments: Vec<(Option<String>, String)>,
    /// Which of them is the address, and which the method.
    url: usize,
    method: Option<usize>,
    address: Address,
}

const METHODS: &[&str] = &["get", "post", "put", "patch", "delete", "head", "options"];

pub(super) fn exemplar(source: &Source, case: &TestFn<'_>, sought: RequestPattern<'_>) -> Option<Exemplar> {
    let function = if case.node.kind() == "decorated_definition" { field(case.node, "definition")? } else { case.node };
    let decorators = decorators(source, case.node);
    // What runs with many values, or not at all, shows no single request.
    if decorators.iter().any(|d| ["parametrize", "skip", "xfail"].iter().any(|w| d.contains(w))) {
        return None;
    }
    let body = field(function, "body")?;
    let (node, call) = find_call(source, body, sought)?;
    let layers = layers(source, body, node)?;
    let mut exemplar = Exemplar {
        definitions: needs::definitions(source),
        decorators,
        parameters: parameters(source, function),
        is_async: source.of(function).starts_with("async"),
        class: None,
        layers,
        call,
        json: accessor(source, sought),
        is_django: source.text.contains("django") || source.text.contains("rest_framework"),
    };
    exemplar.class = class_around(source, case.node, &exemplar)?;
    Some(exemplar)
}

fn decorators(source: &Source, node: Node<'_>) -> Vec<String> {
    if node.kind() != "decorated_definition" {
        return Vec::new();
    }
    children(node).into_iter().filter(|c| c.kind() == "decorator").map(|d| source.of(d).to_owned()).collect()
}

fn parameters(source: &Source, function: Node<'_>) -> Vec<String> {
    let all = field(function, "parameters").map(children).unwrap_or_default();
    all.into_iter().map(|p| source.of(p).to_owned()).filter(|p| p != "self" && p != "cls").collect()
}

/// How tests of this file read JSON.
fn accessor(source: &Source, sought: RequestPattern<'_>) -> &'static str {
    if source.text.contains(".get_json(") {
        ".get_json()"
    } else if source.text.contains(".json()") {
        ".json()"
    } else if sought.origin == "http://localhost" {
        // Werkzeug's test client.
        ".get_json()"
    } else {
        ".json()"
    }
}

/// The call in a test that sends the request.
fn find_call<'t>(source: &Source, body: Node<'t>, sought: RequestPattern<'_>) -> Option<(Node<'t>, Call)> {
    let mut found: Vec<((Node<'t>, Call), bool)> = Vec::new();
    walk(body, |node| {
        if node.kind() == "call"
            && let Some(call) = read_call(source, node, sought)
        {
            let whole = node.parent().filter(|p| p.kind() == "await").unwrap_or(node);
            let is_sure = call.address.is_sure;
            found.push(((whole, call), is_sure));
        }
        !matches!(node.kind(), "function_definition" | "lambda")
    });
    let (node, mut call) = sender(found)?;
    call.lead = if node.kind() == "await" { "await " } else { "" };
    Some((node, call))
}

fn read_call(source: &Source, node: Node<'_>, sought: RequestPattern<'_>) -> Option<Call> {
    let target = field(node, "function").filter(|f| f.kind() == "attribute")?;
    let function = source.of(field(target, "attribute")?);
    let arguments: Vec<(Option<String>, String, Node<'_>)> = children(field(node, "arguments")?)
        .into_iter()
        .map(|a| match a.kind() {
            "keyword_argument" => {
                let name = field(a, "name").map(|n| source.of(n).to_owned());
                let value = field(a, "value").unwrap_or(a);
                (name, source.of(value).to_owned(), value)
            }
            _ => (None, source.of(a).to_owned(), a),
        })
        .collect();
    let lower = sought.method.to_ascii_lowercase();
    let (method, mut url) = match function {
        f if f == lower => (None, 0),
        "request" | "open" => {
            let first = arguments.first().filter(|(name, ..)| name.is_none() || name.as_deref() == Some("method"))?;
            if first.1.trim_matches(['"', '\'']).to_ascii_uppercase() != sought.method {
                return None;
            }
            (Some(0), 1)
        }
        _ => return None,
    };
    if let Some(named) = arguments.iter().position(|(name, ..)| matches!(name.as_deref(), Some("url" | "path"))) {
        url = named;
    }
    let (_, _, address) = arguments.get(url)?;
    Some(Call {
        lead: "",
        on: source.of(field(target, "object")?).to_owned(),
        function: function.to_owned(),
        address: Address::read(parts(source, *address).as_deref(), sought)?,
        arguments: arguments.into_iter().map(|(name, text, _)| (name, text)).collect(),
        url,
        method,
    })
}

/// The parts of a text that is put together; `None` where it is none.
fn parts(source: &Source, node: Node<'_>) -> Option<Vec<Part>> {
    match node.kind() {
        "string" => {
            let mut found = Vec::new();
            for part in children(node) {
                match part.kind() {
                    "string_content" => found.push(Part::Text(source.of(part).to_owned())),
                    "interpolation" => {
                        let inner = field(part, "expression").map_or("", |e| source.of(e));
                        found.push(Part::Hole(inner.to_owned()));
                    }
                    _ => {}
                }
            }
            (!found.is_empty()).then_some(found)
        }
        "binary_operator" => {
            let side = |name| {
                let node = field(node, name)?;
                Some(parts(source, node).unwrap_or_else(|| vec![Part::Hole(source.of(node).to_owned())]))
            };
            if field(node, "operator").map(|o| source.of(o)) != Some("+") {
                return None;
            }
            let mut left = side("left")?;
            left.extend(side("right")?);
            Some(left)
        }
        "parenthesized_expression" => parts(source, children(node).into_iter().next()?),
        _ => None,
    }
}

/// What stands before a call, block by block; `None` where the call is made only
/// under a condition, or more than once.
fn layers(source: &Source, body: Node<'_>, call: Node<'_>) -> Option<Vec<Layer>> {
    let mut found = Vec::new();
    let mut block = body;
    let mut head = (String::new(), BTreeSet::new());
    loop {
        let mut statements = Vec::new();
        let mut next = None;
        for statement in children(block) {
            if statement.start_byte() <= call.start_byte() && call.end_byte() <= statement.end_byte() {
                next = Some(statement);
                break;
            }
            statements.extend(kept(source, statement));
        }
        found.push(Layer { head: head.0, head_names: head.1, statements });
        let statement = next?;
        match statement.kind() {
            "with_statement" => {
                let inner = field(statement, "body")?;
                if call.start_byte() < inner.start_byte() {
                    return None;
                }
                let text = source.slice(&(statement.start_byte()..inner.start_byte())).trim_end().to_owned();
                if text.contains("raises") {
                    return None;
                }
                let with: Vec<Node<'_>> = children(statement).into_iter().filter(|c| *c != inner).collect();
                let names = with.into_iter().flat_map(|n| names_in(source, n)).collect();
                (block, head) = (inner, (text, names));
            }
            "expression_statement" | "assert_statement" | "return_statement" => return Some(found),
            _ => return None,
        }
    }
}

/// A statement of the preparation; assertions belong to the other test, and texts
/// that tell what it does as well.
fn kept(source: &Source, node: Node<'_>) -> Option<Statement> {
    let inner = children(node).into_iter().next();
    let is_text = node.kind() == "expression_statement" && inner.is_some_and(|i| i.kind() == "string");
    let checks = inner.is_some_and(|i| {
        i.kind() == "call" && {
            let name = field(i, "function").map_or("", |f| source.of(f));
            name.starts_with("self.assert") || name.ends_with("raise_for_status")
        }
    });
    if node.kind() == "assert_statement" || is_text || checks {
        return None;
    }
    Some(Statement {
        text: text_of(source, node),
        gives: needs::given_by(source, node),
        uses: names_in(source, node),
        for_all: false,
    })
}

/// The class that a test needs around it: `Some(None)` where it stands alone as well,
/// `None` where it cannot be written.
#[expect(clippy::option_option, reason = "whether it can be written, and whether it needs a class")]
fn class_around(source: &Source, test: Node<'_>, exemplar: &Exemplar) -> Option<Option<Class>> {
    let Some(class) = test.parent().and_then(|block| block.parent()).filter(|c| c.kind() == "class_definition") else {
        return Some(None);
    };
    // A class within a class has more around it than is looked at.
    let outer = class.parent().filter(|p| p.kind() == "decorated_definition").unwrap_or(class);
    if outer.parent().is_some_and(|p| p.kind() != "module") {
        return None;
    }
    let bases = field(class, "superclasses").map_or("", |s| source.of(s)).to_owned();
    let members: Vec<Node<'_>> =
        field(class, "body").map(children).unwrap_or_default().into_iter().filter(|m| !is_test(source, *m)).collect();
    let members: Vec<Node<'_>> = members.into_iter().filter(|m| !is_doc(*m)).collect();
    let uses_self = exemplar.layers.iter().any(|l| {
        l.head.contains("self.") || l.statements.iter().any(|s| s.text.contains("self.") || s.text.contains("(self"))
    }) || exemplar.call.on.starts_with("self")
        || exemplar.call.arguments.iter().any(|(_, text)| text.contains("self."));
    if bases.is_empty() && members.is_empty() && !uses_self {
        return Some(None);
    }
    let needs = members
        .iter()
        .flat_map(|m| names_in(source, *m))
        .chain(field(class, "superclasses").into_iter().flat_map(|s| names_in(source, s)))
        .collect();
    Some(Some(Class {
        bases,
        decorators: decorators(source, outer),
        members: members.iter().map(|m| text_of(source, *m)).collect(),
        needs,
    }))
}

fn is_test(source: &Source, node: Node<'_>) -> bool {
    let inner = if node.kind() == "decorated_definition" { field(node, "definition").unwrap_or(node) } else { node };
    inner.kind() == "function_definition" && field(inner, "name").is_some_and(|n| source.of(n).starts_with("test"))
}

fn is_doc(node: Node<'_>) -> bool {
    let text = children(node).into_iter().next().is_some_and(|c| c.kind() == "string");
    node.kind() == "pass_statement" || (node.kind() == "expression_statement" && text)
}

impl Exemplar {
    pub(super) fn weight(&self) -> usize {
        self.layers.iter().map(|l| l.statements.len() + usize::from(!l.head.is_empty())).sum::<usize>()
            + usize::from(self.class.is_some())
    }

    pub(super) fn shows(&self, value: &serde_json::Value) -> bool {
        let written = write::literal(value);
        let single = written.replace('"', "'");
        let before = self.layers.iter().flat_map(|l| &l.statements).map(|s| &s.text);
        let constants = self.definitions.iter().filter(|d| d.kind == needs::Form::Other).map(|d| &d.piece.text);
        let all = self.call.arguments.iter().map(|(_, text)| text).chain(before).chain(constants);
        all.into_iter().any(|text| super::holds(text, &written) || super::holds(text, &single))
    }

    pub(super) fn can(&self, ask: &RequestVariant) -> bool {
        match ask {
            RequestVariant::Path(_) | RequestVariant::Query(..) | RequestVariant::MethodOf(..) => {
                self.call.address.is_open()
            }
            RequestVariant::Body(_) => self.body_argument().is_some(),
            _ => true,
        }
    }

    /// The argument that holds a JSON body.
    fn body_argument(&self) -> Option<usize> {
        let named = |wanted: &str| self.call.arguments.iter().position(|(name, _)| name.as_deref() == Some(wanted));
        let is_json = self.call.arguments.iter().any(|(_, text)| text.contains("application/json"))
            || self.call.arguments.iter().any(|(n, text)| n.as_deref() == Some("format") && text.contains("json"));
        named("json").or_else(|| named("data").filter(|_| is_json)).or_else(|| {
            // Django's test clients take it as the second.
            (is_json && self.call.arguments.get(1).is_some_and(|(name, _)| name.is_none())).then_some(1)
        })
    }
}
