//! From what an assertion expects to the literal that says so: through a local
//! constant, a parameter, a row of a table, a fixture, a JSON file.

use std::rc::Rc;

use tree_sitter::Node;

use super::Sources;
use crate::code::expr::{Call, Expr, Kind};
use crate::code::language::Language;
use crate::code::lower::lower;
use crate::code::source::{Source, children, field, walk};
use crate::code::test_discovery::TestFn;
use crate::code::value::{self, Value};

/// A literal and the file that it stands in.
#[derive(Clone, Debug)]
pub struct TracedLiteral {
    /// The file.
    pub source: Rc<Source>,
    /// The literal.
    pub literal: Expr,
}

/// What is known about the failing test.
pub struct TraceContext<'a> {
    /// All files.
    pub sources: &'a Sources<'a>,
    /// The file of the assertion.
    pub source: &'a Rc<Source>,
    /// The test.
    pub case: Option<&'a TestFn<'a>>,
    /// The first byte of the assertion.
    pub at: usize,
    /// The name of the test as its runner prints it, parameters included.
    pub name: &'a str,
    /// The values that were printed.
    pub printed: Vec<Value>,
}

/// How far names are followed.
const STEPS: usize = 6;

/// The literal behind `expr`; itself where it is one.
#[must_use]
pub fn literal(expr: &Expr, around: &TraceContext<'_>) -> Option<TracedLiteral> {
    follow(expr, around, STEPS)
}

fn follow(expr: &Expr, around: &TraceContext<'_>, steps: usize) -> Option<TracedLiteral> {
    if expr.is_value() {
        return Some(TracedLiteral { source: Rc::clone(around.source), literal: expr.clone() });
    }
    if steps == 0 {
        return None;
    }
    match &expr.kind {
        Kind::Name(name) => named(name, around, steps - 1),
        Kind::Item { base, key } => {
            let base = follow(base, around, steps - 1)?;
            part(&base, &key_text(key)?)
        }
        Kind::Member { base, name, .. } => part(&follow(base, around, steps - 1)?, name),
        // A value in a wrapper that adds nothing: `Decimal("1.5")`, `approx(3)`, `equalTo("x")`.
        Kind::Call(call) => json_file(call, around).or_else(|| {
            let wraps = matches!(
                call.name.as_str(),
                "Decimal"
                    | "approx"
                    | "equalTo"
                    | "is"
                    | "BigDecimal"
                    | "deepcopy"
                    | "dict"
                    | "Some"
                    | "Ok"
                    | "eq"
                    | "freeze"
            );
            let only = call.arg(0).filter(|_| wraps && call.positional().count() == 1)?;
            follow(only, around, steps - 1)
        }),
        _ => None,
    }
}

fn key_text(key: &Expr) -> Option<String> {
    match &key.kind {
        Kind::Text { value, .. } => Some(value.clone()),
        Kind::Number(n) => Some(n.clone()),
        _ => None,
    }
}

fn part(whole: &TracedLiteral, key: &str) -> Option<TracedLiteral> {
    let literal = match &whole.literal.kind {
        Kind::Map { entries, .. } => entries.iter().find(|e| e.key == key)?.value.clone(),
        Kind::List(items) => items.get(key.parse::<usize>().ok()?)?.clone(),
        _ => return None,
    };
    Some(TracedLiteral { source: Rc::clone(&whole.source), literal })
}

fn named(name: &str, around: &TraceContext<'_>, steps: usize) -> Option<TracedLiteral> {
    let source = around.source;
    let test = around.case.map(|c| c.node);
    // `tc.want`, `self.expected`, `this.expected`.
    let (base, rest) = match name.split_once('.') {
        Some((own @ ("self" | "cls" | "this" | "$this"), rest)) => (rest, Some(own)),
        Some((base, rest)) => (base, Some(rest)),
        None => (name, None),
    };
    let is_own = matches!(rest, Some("self" | "cls" | "this" | "$this"));
    if let Some(value) = test.and_then(|t| last_assigned(source, t, name, around.at)) {
        return follow(&lower(source, value), around, steps);
    }
    if let (Some(rest), false) = (rest, is_own) {
        if let Some(row) = row(base, Some(rest), around) {
            return Some(row);
        }
        if let Some(value) = test.and_then(|t| last_assigned(source, t, base, around.at)) {
            return part(&follow(&lower(source, value), around, steps)?, rest);
        }
        return part(&named(base, around, steps.checked_sub(1)?)?, rest);
    }
    if let Some(found) = row(base, None, around) {
        return Some(found);
    }
    if let Some(value) = outside(source, test, base) {
        return follow(&lower(source, value), around, steps);
    }
    fixture(base, around, steps)
}

/// Nodes that give a name a value, with the fields of name and value.
const ASSIGNING: &[(&str, &str, &str)] = &[
    ("assignment", "left", "right"),
    ("variable_declarator", "name", "value"),
    ("short_var_declaration", "left", "right"),
    ("var_spec", "name", "value"),
    ("const_spec", "name", "value"),
    ("let_declaration", "pattern", "value"),
    ("const_item", "name", "value"),
    ("static_item", "name", "value"),
    ("assignment_expression", "left", "right"),
    ("const_element", "name", "value"),
];

/// The value that `node` gives to `name`.
fn assigned<'t>(source: &Source, node: Node<'t>, name: &str) -> Option<Node<'t>> {
    if node.kind() == "property_declaration" {
        let parts = children(node);
        let declared = parts.iter().find(|p| p.kind() == "variable_declaration")?;
        let own = children(*declared).first().map(|n| source.of(*n))?;
        return (own == name).then(|| parts.last().copied()).flatten();
    }
    let (_, left, right) = ASSIGNING.iter().find(|(kind, ..)| *kind == node.kind())?;
    let (left, right) = (field(node, left)?, field(node, right)?);
    let own = source.of(left);
    if right.kind() == "expression_list" {
        let names: Vec<&str> = own.split(',').map(str::trim).collect();
        let at = names.iter().position(|n| *n == name)?;
        return right.named_child(u32::try_from(at).ok()?);
    }
    (own == name || own.trim_start_matches('$') == name || own == format!("self.{name}")).then_some(right)
}

/// The last value that `name` is given in the test before byte `at`.
#[must_use]
pub fn last_assigned<'t>(source: &Source, test: Node<'t>, name: &str, at: usize) -> Option<Node<'t>> {
    let mut found = None;
    walk(test, |node| {
        if node.end_byte() <= at
            && let Some(value) = assigned(source, node, name)
        {
            found = Some(value);
        }
        true
    });
    found
}

/// The only value that `name` is given outside of the test.
fn outside<'t>(source: &'t Source, test: Option<Node<'t>>, name: &str) -> Option<Node<'t>> {
    let mut found = Vec::new();
    walk(source.root(), |node| {
        if Some(node) == test {
            return false;
        }
        found.extend(assigned(source, node, name));
        // RSpec's `let(:name) { value }`.
        if source.language == Language::Ruby && node.kind() == "call" {
            let lets = matches!(field(node, "method").map(|m| source.of(m)), Some("let" | "let!"));
            let own = field(node, "arguments").map(children).and_then(|a| a.first().map(|n| source.of(*n).to_owned()));
            if lets && own.is_some_and(|o| o.trim_start_matches(':') == name) {
                let body = field(node, "block").and_then(|b| field(b, "body"));
                found.extend(body.and_then(|b| children(b).last().copied()));
            }
        }
        true
    });
    match found.as_slice() {
        [only] => Some(*only),
        _ => None,
    }
}

/// What a pytest fixture of that name returns.
fn fixture(name: &str, around: &TraceContext<'_>, steps: usize) -> Option<TracedLiteral> {
    if around.source.language != Language::Python {
        return None;
    }
    let mut found = None;
    walk(around.source.root(), |node| {
        let is_it = node.kind() == "decorated_definition"
            && field(node, "definition").and_then(|d| field(d, "name")).is_some_and(|n| around.source.of(n) == name)
            && children(node).iter().any(|c| c.kind() == "decorator" && around.source.of(*c).contains("fixture"));
        if is_it {
            walk(node, |inner| {
                let gives = matches!(inner.kind(), "return_statement" | "yield");
                if let (true, Some(value)) = (gives, inner.named_child(0)) {
                    found = Some(value);
                }
                true
            });
        }
        !is_it
    });
    let value = found?;
    follow(
        &lower(around.source, value),
        &TraceContext { at: value.start_byte(), case: None, printed: Vec::new(), ..*around },
        steps,
    )
}

/// The value in the row of parameters with which the test failed.
fn row(name: &str, member: Option<&str>, around: &TraceContext<'_>) -> Option<TracedLiteral> {
    let case = around.case?;
    let source = around.source;
    let rows = match source.language {
        Language::Python => python_rows(source, case.node, name),
        Language::JavaScript | Language::TypeScript | Language::Tsx => script_rows(source, case.node, name, member),
        Language::Go => go_rows(source, case.node, member?),
        _ => Vec::new(),
    };
    let literal = choose(rows, around)?;
    Some(TracedLiteral { source: Rc::clone(source), literal })
}

/// A row: the whole of it, and the value that is asked for.
type ParamRow = (Expr, Expr);

/// The row that the test's name and the printed values point to; none where
/// several could be meant.
fn choose(rows: Vec<ParamRow>, around: &TraceContext<'_>) -> Option<Expr> {
    let printed = |value: &Expr| {
        around.printed.iter().any(|p| value::of(value).is_some_and(|v| v.same(&value::as_kind_of(p, value, false))))
    };
    let fitting: Vec<ParamRow> = rows.iter().filter(|(_, value)| printed(value)).cloned().collect();
    let mut left = if fitting.is_empty() { rows } else { fitting };
    if left.len() > 1 {
        left.retain(|(whole, _)| is_named(whole, around.name));
    }
    match left.as_slice() {
        [(_, value)] => Some(value.clone()),
        _ => None,
    }
}

/// Whether the texts and numbers of a row stand in the name of the test.
fn is_named(row: &Expr, name: &str) -> bool {
    let spaced = name.replace('_', " ");
    let leaves: Vec<String> = row
        .all()
        .iter()
        .filter_map(|e| match &e.kind {
            Kind::Text { value, .. } if !value.is_empty() => Some(value.clone()),
            Kind::Number(n) => Some(n.clone()),
            _ => None,
        })
        .collect();
    let has = |leaf: &String| name.contains(leaf.as_str()) || spaced.contains(&leaf.replace('_', " "));
    // In some runners only the title of a row is in the name.
    !leaves.is_empty() && (leaves.iter().all(has) || leaves.first().is_some_and(|l| l.len() > 2 && has(l)))
}

fn python_rows(source: &Source, test: Node<'_>, name: &str) -> Vec<ParamRow> {
    let mut found = Vec::new();
    for decorator in children(test).into_iter().filter(|c| c.kind() == "decorator") {
        let Some(inner) = decorator.named_child(0) else { continue };
        let expr = lower(source, inner);
        let Some(call) = expr.call().filter(|c| c.name == "parametrize") else { continue };
        let names: Vec<String> = match call.arg(0).map(|a| &a.kind) {
            Some(Kind::Text { value, .. }) => value.split(',').map(|n| n.trim().to_owned()).collect(),
            Some(Kind::List(items)) => items.iter().filter_map(|i| i.text().map(str::to_owned)).collect(),
            _ => continue,
        };
        let Some(at) = names.iter().position(|n| n == name) else { continue };
        let Some(Kind::List(rows)) = call.arg(1).map(|a| &a.kind) else { continue };
        for row in rows {
            let value = match &row.kind {
                Kind::List(items) if names.len() > 1 => items.get(at),
                Kind::Call(call) if call.name == "param" => call.arg(at),
                _ if names.len() == 1 => Some(row),
                _ => None,
            };
            found.extend(value.map(|v| (row.clone(), v.clone())));
        }
    }
    found
}

/// `test.each([[1, 2]])("…", (a, b) => …)`, also with objects and patterns.
fn script_rows(source: &Source, test: Node<'_>, name: &str, member: Option<&str>) -> Vec<ParamRow> {
    let expr = lower(source, test);
    let Some(call) = expr.call() else { return Vec::new() };
    let table = call.receiver.as_ref().and_then(Expr::call).filter(|c| c.name == "each");
    let table = table.or_else(|| Some(call).filter(|c| c.name == "each"));
    let Some(Kind::List(rows)) = table.and_then(|t| t.arg(0)).map(|a| &a.kind) else { return Vec::new() };
    let function =
        field(test, "arguments").map(children).and_then(|a| a.into_iter().find(|n| n.kind().contains("function")));
    let parameters = function.and_then(|f| field(f, "parameters")).map(children).unwrap_or_default();
    let names: Vec<String> =
        parameters.iter().map(|p| source.of(*p).split(':').next().unwrap_or("").trim().to_owned()).collect();
    let at = names.iter().position(|n| n == name);
    rows.iter()
        .filter_map(|row| {
            let value = match (&row.kind, at, member) {
                (Kind::List(items), Some(at), None) => items.get(at)?,
                (Kind::Map { entries, .. }, Some(_), Some(member)) => &entries.iter().find(|e| e.key == member)?.value,
                (Kind::Map { entries, .. }, None, None) => &entries.iter().find(|e| e.key == name)?.value,
                (_, Some(0), None) => row,
                _ => return None,
            };
            Some((row.clone(), value.clone()))
        })
        .collect()
}

/// Tables of cases: `[]struct{ name string; want int }{{"a", 1}, {name: "b", want: 2}}`.
fn go_rows(source: &Source, test: Node<'_>, member: &str) -> Vec<ParamRow> {
    let mut found = Vec::new();
    walk(test, |node| {
        let kind = field(node, "type").filter(|_| node.kind() == "composite_literal");
        let Some(kind) = kind.filter(|t| matches!(t.kind(), "slice_type" | "map_type")) else { return true };
        let fields = struct_fields(source, kind);
        let rows: Vec<Expr> = match lower(source, node).kind {
            Kind::List(items) => items,
            Kind::Map { entries, .. } => entries.into_iter().map(|e| e.value).collect(),
            _ => Vec::new(),
        };
        for row in rows {
            let value = match &row.kind {
                Kind::Map { entries, .. } => entries.iter().find(|e| e.key == member).map(|e| e.value.clone()),
                Kind::List(items) => fields.iter().position(|f| f == member).and_then(|at| items.get(at).cloned()),
                _ => None,
            };
            found.extend(value.map(|v| (row.clone(), v)));
        }
        true
    });
    found
}

fn struct_fields(source: &Source, kind: Node<'_>) -> Vec<String> {
    let mut found = Vec::new();
    walk(kind, |node| {
        if node.kind() == "field_declaration" {
            let mut cursor = node.walk();
            found.extend(node.children_by_field_name("name", &mut cursor).map(|n| source.of(n).to_owned()));
        }
        true
    });
    found
}

/// A JSON file that is loaded as the expectation.
fn json_file(call: &Call, around: &TraceContext<'_>) -> Option<TracedLiteral> {
    let texts = call.chain().into_iter().flat_map(|c| c.positional().flat_map(Expr::all).collect::<Vec<_>>());
    let name = texts.filter_map(Expr::text).find(|t| t.ends_with(".json"))?.to_owned();
    let tail = name.trim_start_matches("./").trim_start_matches("../");
    let mut fitting = around.sources.files.iter().filter(|f| *f == tail || f.ends_with(&format!("/{tail}")));
    let path = fitting.next()?;
    if fitting.next().is_some() {
        return None;
    }
    let text = around.sources.text(path)?;
    let wrapped = Source::parse_as(Language::JavaScript, path, &format!("({text})"))?;
    let mut inner = None;
    walk(wrapped.root(), |node| {
        if inner.is_none() && node.kind() == "parenthesized_expression" {
            inner = node.named_child(0);
        }
        inner.is_none()
    });
    let literal = lower(&wrapped, inner?).shifted_back(1);
    let source = Source::parse_as(Language::JavaScript, path, &text)?;
    Some(TracedLiteral { source: Rc::new(source), literal })
}
