//! Kotlin.

use tree_sitter::Node;

use super::Lowering;
use crate::code::expr::{Arg, Entry, Kind};
use crate::code::source::children;

pub(super) fn kind(low: &Lowering<'_>, node: Node<'_>, depth: usize) -> Kind {
    match node.kind() {
        "identifier" => match low.of(node) {
            "null" => Kind::Null,
            "true" => Kind::Bool(true),
            "false" => Kind::Bool(false),
            name => Kind::Name(name.to_owned()),
        },
        "null" => Kind::Null,
        "boolean_literal" => Kind::Bool(low.of(node) == "true"),
        "number_literal" | "float_literal" | "long_literal" => low.number(node),
        // `$name` is an interpolation.
        "string_literal" if !low.of(node).contains('$') => low.quoted(node, 1, 1, false),
        "multiline_string_literal" if !low.of(node).contains('$') => low.quoted(node, 3, 3, true),
        "unary_expression" => low.unary(node, node.child_by_field_name("argument"), depth),
        "navigation_expression" => match children(node).as_slice() {
            [base, name] => low.member(node, *base, *name, depth),
            _ => Kind::Other,
        },
        "infix_expression" => infix(low, node, depth),
        "binary_expression"
        | "equality_expression"
        | "comparison_expression"
        | "conjunction_expression"
        | "disjunction_expression" => operation(low, node, depth),
        "call_expression" => call(low, node, depth),
        _ => Kind::Other,
    }
}

/// An operator is the unnamed child between two named ones.
fn operation(low: &Lowering<'_>, node: Node<'_>, depth: usize) -> Kind {
    let sides = children(node);
    let [left, right] = sides.as_slice() else { return Kind::Other };
    let op = low.text.get(left.end_byte()..right.start_byte()).unwrap_or("").trim();
    low.joined(op, *left, *right, depth)
}

/// `x shouldBe y` reads as `x.shouldBe(y)`.
fn infix(low: &Lowering<'_>, node: Node<'_>, depth: usize) -> Kind {
    match children(node).as_slice() {
        [left, name, right] => low.call(*name, Some(*left), low.positional(&[*right], depth), false, depth),
        _ => Kind::Other,
    }
}

fn call(low: &Lowering<'_>, node: Node<'_>, depth: usize) -> Kind {
    let parts = children(node);
    let Some(function) = parts.first() else { return Kind::Other };
    let list = parts.iter().find(|p| p.kind() == "value_arguments");
    let block = parts.iter().any(|p| p.kind() == "annotated_lambda");
    let nodes: Vec<Node<'_>> = list.map(|l| children(*l)).unwrap_or_default();
    let (name, receiver) = match (function.kind(), children(*function).as_slice()) {
        ("navigation_expression", [base, name]) => (*name, Some(*base)),
        ("identifier", _) => (*function, None),
        // `assertThrows<E>("m") { … }` is a call whose function is a call.
        ("call_expression", _) => (*function, Some(*function)),
        _ => return Kind::Other,
    };
    if receiver.is_none() {
        match low.of(name) {
            "listOf" | "setOf" | "arrayOf" | "mutableListOf" => return low.list(&values(&nodes), depth),
            "mapOf" | "mutableMapOf" => return map(low, &values(&nodes), depth),
            _ => {}
        }
    }
    let args = nodes
        .iter()
        .filter_map(|argument| match children(*argument).as_slice() {
            [value] => Some(Arg { name: None, value: low.expr(*value, depth) }),
            [key, value] => Some(Arg { name: Some(low.of(*key).to_owned()), value: low.expr(*value, depth) }),
            _ => None,
        })
        .collect();
    low.call(name, receiver, args, block, depth)
}

fn values<'t>(arguments: &[Node<'t>]) -> Vec<Node<'t>> {
    arguments.iter().filter_map(|a| children(*a).last().copied()).collect()
}

fn map(low: &Lowering<'_>, pairs: &[Node<'_>], depth: usize) -> Kind {
    let entries: Vec<Entry> = pairs
        .iter()
        .filter_map(|pair| match children(*pair).as_slice() {
            [key, to, value] if low.of(*to) == "to" => Some(low.entry(low.range(*pair), *key, *value, depth)),
            _ => None,
        })
        .collect();
    let open = entries.len() < pairs.len();
    Kind::Map { entries, open }
}
