//! Go.

use tree_sitter::Node;

use super::Lowering;
use crate::code::expr::Kind;
use crate::code::source::{children, field};

/// Types whose conversions do not change what a literal means.
const CONVERSIONS: &[&str] = &[
    "int", "int8", "int16", "int32", "int64", "uint", "uint8", "uint16", "uint32", "uint64", "float32", "float64",
    "string", "byte", "rune",
];

pub(super) fn kind(low: &Lowering<'_>, node: Node<'_>, depth: usize) -> Kind {
    match node.kind() {
        "nil" => Kind::Null,
        "true" => Kind::Bool(true),
        "false" => Kind::Bool(false),
        "int_literal" | "float_literal" => low.number(node),
        "interpreted_string_literal" => low.quoted(node, 1, 1, false),
        "raw_string_literal" => low.quoted(node, 1, 1, true),
        "identifier" | "field_identifier" => Kind::Name(low.of(node).to_owned()),
        "composite_literal" => composite(low, node, depth),
        "literal_value" => value(low, node, false, depth),
        "unary_expression" => {
            let operand = field(node, "operand");
            match operand {
                Some(inner) if low.of(node).starts_with('&') => low.kind(inner, depth),
                _ => low.unary(node, operand, depth),
            }
        }
        "binary_expression" => low.binary(node, depth),
        "selector_expression" => match (field(node, "operand"), field(node, "field")) {
            (Some(base), Some(name)) => low.member(node, base, name, depth),
            _ => Kind::Other,
        },
        "index_expression" => {
            match (low.boxed(field(node, "operand"), depth), low.boxed(field(node, "index"), depth)) {
                (Some(base), Some(key)) => Kind::Item { base, key },
                _ => Kind::Other,
            }
        }
        "call_expression" => call(low, node, depth),
        _ => Kind::Other,
    }
}

fn composite(low: &Lowering<'_>, node: Node<'_>, depth: usize) -> Kind {
    let is_list = field(node, "type")
        .is_some_and(|t| matches!(t.kind(), "slice_type" | "array_type" | "implicit_length_array_type"));
    field(node, "body").map_or(Kind::Other, |body| value(low, body, is_list, depth))
}

fn value(low: &Lowering<'_>, body: Node<'_>, is_list: bool, depth: usize) -> Kind {
    let elements = children(body);
    let keyed = elements.iter().any(|e| e.kind() == "keyed_element");
    if is_list || !keyed {
        return low.list(&elements, depth);
    }
    let entries = elements
        .iter()
        .filter_map(|e| Some(low.entry(low.range(*e), inner(field(*e, "key")?), field(*e, "value")?, depth)))
        .collect();
    Kind::Map { entries, open: false }
}

fn inner(node: Node<'_>) -> Node<'_> {
    node.named_child(0).filter(|_| node.kind() == "literal_element").unwrap_or(node)
}

fn call(low: &Lowering<'_>, node: Node<'_>, depth: usize) -> Kind {
    let (Some(function), Some(list)) = (field(node, "function"), field(node, "arguments")) else { return Kind::Other };
    let nodes = children(list);
    if let ([only], true) = (nodes.as_slice(), CONVERSIONS.contains(&low.of(function))) {
        let inner = low.expr(*only, depth);
        if inner.is_literal() {
            return inner.kind;
        }
    }
    let block = nodes.last().is_some_and(|n| n.kind() == "func_literal");
    let args = low.positional(&nodes, depth);
    match (function.kind(), field(function, "operand"), field(function, "field")) {
        ("selector_expression", base, Some(name)) => low.call(name, base, args, block, depth),
        ("identifier", ..) => low.call(function, None, args, block, depth),
        _ => low.call(function, Some(function), args, block, depth),
    }
}
