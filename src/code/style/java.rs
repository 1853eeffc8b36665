//! Tests of JUnit 5 that ask with REST Assured.

mod write;

pub(super) use self::write::camel;

use std::collections::BTreeSet;

use tree_sitter::Node;

use super::address::{Address, Part, sender};
use super::piece::{Piece, text_of};
use super::{Ask, Sought};
use crate::code::cases::{self, Case};
use crate::code::source::{Source, children, field, walk};

/// How a test asks; see the room's words.
#[derive(Clone, Debug)]
pub(super) struct Exemplar {
    /// `org.example`; empty where there is none.
    package: String,
    imports: Vec<Piece>,
    /// What stands before `{` of its class, with `$NAME` in the place of its name.
    class: String,
    /// Fields, hooks, helpers and types of the class.
    members: Vec<Piece>,
    /// ` throws Exception`, where the test has it.
    throws: String,
    /// Statements before the call.
    before: Vec<Piece>,
    chain: Chain,
}

/// `given().header("A", "b").when().get("/x")`.
#[derive(Clone, Debug)]
struct Chain {
    /// `given()`.
    on: String,
    /// Calls after it, with their arguments.
    calls: Vec<(String, String)>,
    method: String,
    /// The address as written.
    url: String,
    /// What is put into places of the address.
    more: Vec<String>,
    address: Address,
}

const METHODS: &[&str] = &["get", "post", "put", "patch", "delete", "head", "options"];
const HOOKS: &[&str] = &["BeforeAll", "BeforeEach", "AfterAll", "AfterEach", "RegisterExtension", "TempDir"];

pub(super) fn exemplar(source: &Source, case: &Case<'_>, sought: Sought<'_>) -> Option<Exemplar> {
    let is_known = source.text.contains("io.restassured") && source.text.contains("org.junit.jupiter");
    let class = case.node.parent()?.parent().filter(|c| c.kind() == "class_declaration")?;
    // What stands in a class within a class needs both.
    if !is_known || class.parent()?.kind() != "program" {
        return None;
    }
    let is_plain = field(case.node, "parameters").is_some_and(|p| children(p).is_empty());
    let body = field(case.node, "body").filter(|_| is_plain)?;
    let (call, chain) = find_chain(source, body, sought)?;
    let throws = children(case.node).into_iter().find(|n| n.kind() == "throws");
    let package = children(source.root()).into_iter().find(|n| n.kind() == "package_declaration");
    let package = package.and_then(|p| children(p).into_iter().find(|n| n.kind().contains("identifier")));
    Some(Exemplar {
        package: package.map_or_else(String::new, |name| source.of(name).to_owned()),
        imports: children(source.root()).into_iter().filter_map(|node| import(source, node)).collect(),
        class: head(source, class)?,
        members: members(source, class)?,
        throws: throws.map_or_else(String::new, |node| format!(" {}", source.of(node))),
        before: before(source, body, call)?,
        chain,
    })
}

/// `import static a.B.c;` gives `c`; all of a package may give anything.
fn import(source: &Source, node: Node<'_>) -> Option<Piece> {
    let text = source.of(node).trim().to_owned();
    if node.kind() != "import_declaration" {
        return None;
    }
    let last = text.trim_end_matches(';').trim().rsplit('.').next()?.trim().to_owned();
    let for_all = last == "*";
    Some(Piece { text, gives: BTreeSet::from([last]), uses: BTreeSet::new(), for_all })
}

/// The head of a class, under another name and without what is public about it.
fn head(source: &Source, class: Node<'_>) -> Option<String> {
    let (name, body) = (field(class, "name")?, field(class, "body")?);
    let (start, end) = (class.start_byte(), body.start_byte());
    let before = source.text[start..name.start_byte()].trim_start();
    let after = source.text[name.end_byte()..end].trim_end();
    // A name that people are shown would be that of two classes.
    let is_title = |line: &&str| !line.trim_start().starts_with("@DisplayName");
    let before: Vec<&str> = before.lines().filter(is_title).collect();
    let before = before.join("\n").replace("public ", "").replace("final ", "");
    Some(format!("{before}$NAME{after}"))
}

/// What a class has besides tests.
fn members(source: &Source, class: Node<'_>) -> Option<Vec<Piece>> {
    let tests: BTreeSet<usize> = cases::find(source).iter().map(|case| case.node.id()).collect();
    let all = children(field(class, "body")?).into_iter().filter(|node| !tests.contains(&node.id()));
    let piece = |node: Node<'_>| {
        let gives: BTreeSet<String> = match node.kind() {
            "field_declaration" => declared(source, node),
            "method_declaration"
            | "class_declaration"
            | "record_declaration"
            | "enum_declaration"
            | "interface_declaration" => BTreeSet::from([source.of(field(node, "name")?).to_owned()]),
            "static_initializer" | "block" => BTreeSet::new(),
            _ => return None,
        };
        let marks = children(node).into_iter().find(|n| n.kind() == "modifiers").map_or("", |m| source.of(m));
        let for_all = gives.is_empty() || HOOKS.iter().any(|hook| marks.contains(&format!("@{hook}")));
        Some(Piece { text: text_of(source, node), gives, uses: names_in(source, node), for_all })
    };
    Some(all.filter_map(piece).collect())
}

/// The names that variables are declared by.
fn declared(source: &Source, node: Node<'_>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    walk(node, |n| {
        if n.kind() == "variable_declarator" {
            found.extend(field(n, "name").map(|name| source.of(name).to_owned()));
        }
        if n.kind() == "assignment_expression" {
            found.extend(field(n, "left").map(|left| source.of(left).to_owned()));
        }
        n.kind() != "lambda_expression"
    });
    found
}

/// The names that stand in a piece of source.
fn names_in(source: &Source, node: Node<'_>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    walk(node, |node| {
        if matches!(node.kind(), "identifier" | "type_identifier") {
            found.insert(source.of(node).to_owned());
        }
        true
    });
    found
}

/// The call of a test that sends the request.
fn find_chain<'t>(source: &Source, body: Node<'t>, sought: Sought<'_>) -> Option<(Node<'t>, Chain)> {
    let mut found: Vec<((Node<'t>, Chain), bool)> = Vec::new();
    walk(body, |node| {
        if node.kind() == "method_invocation"
            && let Some(chain) = read_chain(source, node, sought)
        {
            let is_sure = chain.address.is_sure;
            found.push(((node, chain), is_sure));
        }
        true
    });
    sender(found)
}

fn read_chain(source: &Source, node: Node<'_>, sought: Sought<'_>) -> Option<Chain> {
    let method = source.of(field(node, "name")?);
    if !METHODS.contains(&method) || method != sought.method.to_ascii_lowercase() {
        return None;
    }
    let mut arguments = children(field(node, "arguments")?).into_iter();
    let url = arguments.next()?;
    let address = Address::read(parts(source, url).as_deref(), sought)?;
    let mut calls = Vec::new();
    let mut at = field(node, "object")?;
    while at.kind() == "method_invocation" {
        let (name, object) = (source.of(field(at, "name")?), field(at, "object"));
        let text = field(at, "arguments").map_or("", |a| source.of(a));
        let text = text.strip_prefix('(').and_then(|a| a.strip_suffix(')')).unwrap_or("").trim();
        match object {
            // `RestAssured.given()` begins a chain, as `given()` does.
            Some(object) if object.kind() == "method_invocation" || !matches!(name, "given" | "when") => {
                calls.push((name.to_owned(), text.to_owned()));
                at = object;
            }
            _ => break,
        }
    }
    calls.reverse();
    // An answer is asked for what it holds by the same words.
    if !matches!(at.kind(), "method_invocation" | "identifier") || calls.iter().any(|(name, _)| name == "then") {
        return None;
    }
    let on = source.of(at);
    let on = on.strip_suffix("when()").map_or_else(|| on.to_owned(), |before| format!("{before}given()"));
    let more = arguments.map(|argument| source.of(argument).to_owned()).collect();
    Some(Chain { on, calls, method: method.to_owned(), url: source.of(url).to_owned(), more, address })
}

/// The parts of a text that is put together; `{id}` is filled in by REST Assured.
fn parts(source: &Source, node: Node<'_>) -> Option<Vec<Part>> {
    match node.kind() {
        "string_literal" => {
            let text = source.of(node).trim_matches('"');
            let mut found = Vec::new();
            for (at, piece) in text.split('{').enumerate() {
                match piece.split_once('}').filter(|_| at > 0) {
                    Some((name, rest)) => {
                        found.push(Part::Hole(name.to_owned()));
                        found.push(Part::Text(rest.to_owned()));
                    }
                    None => found.push(Part::Text(piece.to_owned())),
                }
            }
            found.retain(|part| !matches!(part, Part::Text(text) if text.is_empty()));
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

/// The statements before a call; `None` where the call is made only under a condition,
/// or by somebody else.
fn before(source: &Source, body: Node<'_>, call: Node<'_>) -> Option<Vec<Piece>> {
    let mut found = Vec::new();
    for statement in children(body) {
        if statement.start_byte() <= call.start_byte() && call.end_byte() <= statement.end_byte() {
            let mut at = call;
            while at.id() != statement.id() {
                if at.kind() == "lambda_expression" {
                    return None;
                }
                at = at.parent()?;
            }
            let is_plain = matches!(statement.kind(), "expression_statement" | "local_variable_declaration");
            return is_plain.then_some(found);
        }
        let text = source.of(statement);
        if text.starts_with("assert") || statement.kind().contains("comment") {
            continue;
        }
        found.push(Piece {
            text: text_of(source, statement),
            gives: declared(source, statement),
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

    pub(super) fn can(&self, ask: &Ask) -> bool {
        match ask {
            Ask::Path(_) | Ask::Query(..) | Ask::MethodOf(..) => self.chain.address.is_open(),
            Ask::Body(_) => self.chain.calls.iter().filter(|(name, _)| name == "body").count() == 1,
            _ => true,
        }
    }

    pub(super) fn shows(&self, value: &serde_json::Value) -> bool {
        let written = value.to_string();
        // JSON within a text of Java.
        let within = written.replace('"', "\\\"");
        let calls = self.chain.calls.iter().map(|(_, text)| text);
        let all = calls.chain(self.before.iter().map(|s| &s.text)).chain(self.members.iter().map(|d| &d.text));
        all.into_iter().any(|text| super::holds(text, &written) || super::holds(text, &within))
    }
}
