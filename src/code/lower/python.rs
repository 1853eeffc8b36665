//! Python.

use tree_sitter::Node;

use super::Lowering;
use crate::code::expr::{Arg, Kind};
use crate::code::source::{children, field};

pub(super) fn kind(low: &Lowering<'_>, node: Node<'_>, depth: usize) -> Kind {
    match node.kind() {
        "none" => Kind::Null,
        "true" => Kind::Bool(true),
        "false" => Kind::Bool(false),
        "integer" | "float" => low.number(node),
        "string" => text(low, node),
        "identifier" => Kind::Name(low.of(node).to_owned()),
        "list" | "tuple" | "set" => low.list(&children(node), depth),
        "dictionary" => low.pairs(node, depth),
        "unary_operator" => low.unary(node, field(node, "argument"), depth),
        "not_operator" => low.boxed(field(node, "argument"), depth).map_or(Kind::Other, Kind::Not),
        "boolean_operator" => low.binary(node, depth),
        "comparison_operator" => comparison(low, node, depth),
        "attribute" => match (field(node, "object"), field(node, "attribute")) {
            (Some(base), Some(name)) => low.member(node, base, name, depth),
            _ => Kind::Other,
        },
        "subscript" => match (low.boxed(field(node, "value"), depth), low.boxed(field(node, "subscript"), depth)) {
            (Some(base), Some(key)) => Kind::Item { base, key },
            _ => Kind::Other,
        },
        "call" => call(low, node, depth),
        _ => Kind::Other,
    }
}

fn text(low: &Lowering<'_>, node: Node<'_>) -> Kind {
    let parts = children(node);
    let Some(start) = parts.iter().find(|p| p.kind() == "string_start") else { return Kind::Other };
    let written = low.of(*start);
    let prefix: String = written.chars().take_while(char::is_ascii_alphabetic).collect::<String>().to_lowercase();
    let interpolated = parts.iter().any(|p| p.kind() == "interpolation");
    if interpolated || prefix.contains('b') || prefix.contains('f') {
        return Kind::Other;
    }
    low.quoted(node, written.len(), written.len() - prefix.len(), prefix.contains('r'))
}

/// `a == b`; chains (`0 < a < 9`) are orders, whose ends are not told.
fn comparison(low: &Lowering<'_>, node: Node<'_>, depth: usize) -> Kind {
    let sides = children(node);
    let mut cursor = node.walk();
    let ops: Vec<&str> = node.children_by_field_name("operators", &mut cursor).map(|n| low.of(n)).collect();
    let ([left, right], Some(first)) = (sides.as_slice(), ops.first()) else { return Kind::Other };
    let op = match (*first, ops.get(1)) {
        ("not" | "not in", _) => "not in",
        ("is", Some(&"not")) | ("is not", _) => "is not",
        (op, _) => op,
    };
    low.joined(op, *left, *right, depth)
}

fn call(low: &Lowering<'_>, node: Node<'_>, depth: usize) -> Kind {
    let (Some(function), Some(list)) = (field(node, "function"), field(node, "arguments")) else { return Kind::Other };
    let args = if list.kind() == "argument_list" { children(list) } else { vec![list] };
    let args = args
        .into_iter()
        .map(|arg| match (arg.kind(), field(arg, "name"), field(arg, "value")) {
            ("keyword_argument", Some(name), Some(value)) => {
                Arg { name: Some(low.of(name).to_owned()), value: low.expr(value, depth) }
            }
            _ => Arg { name: None, value: low.expr(arg, depth) },
        })
        .collect();
    match (function.kind(), field(function, "object"), field(function, "attribute")) {
        ("attribute", base, Some(name)) => low.call(name, base, args, false, depth),
        ("identifier", ..) => low.call(function, None, args, false, depth),
        _ => low.call(function, Some(function), args, false, depth),
    }
}
