//! PHP.

use tree_sitter::Node;

use super::Lowering;
use crate::code::expr::Kind;
use crate::code::source::{children, field};

pub(super) fn kind(low: &Lowering<'_>, node: Node<'_>, depth: usize) -> Kind {
    match node.kind() {
        "null" => Kind::Null,
        "boolean" => Kind::Bool(low.of(node).eq_ignore_ascii_case("true")),
        "integer" | "float" => low.number(node),
        "string" => low.quoted(node, 1, 1, !low.of(node).contains('\\')),
        "encapsed_string" => {
            let plain = children(node).iter().all(|c| matches!(c.kind(), "string_content" | "escape_sequence"));
            if plain { low.quoted(node, 1, 1, false) } else { Kind::Other }
        }
        "variable_name" | "name" | "qualified_name" | "class_constant_access_expression" => {
            Kind::Name(low.of(node).to_owned())
        }
        "array_creation_expression" => array(low, node, depth),
        "unary_op_expression" => low.unary(node, field(node, "argument").or_else(|| node.named_child(0)), depth),
        "binary_expression" => low.binary(node, depth),
        "member_access_expression" => match (field(node, "object"), field(node, "name")) {
            (Some(base), Some(name)) => low.member(node, base, name, depth),
            _ => Kind::Other,
        },
        "subscript_expression" => match children(node).as_slice() {
            [base, key] => Kind::Item { base: Box::new(low.expr(*base, depth)), key: Box::new(low.expr(*key, depth)) },
            _ => Kind::Other,
        },
        "function_call_expression" | "member_call_expression" | "scoped_call_expression" => call(low, node, depth),
        _ => Kind::Other,
    }
}

fn array(low: &Lowering<'_>, node: Node<'_>, depth: usize) -> Kind {
    let elements = children(node);
    if !elements.iter().any(|e| e.named_child_count() == 2) {
        let values: Vec<Node<'_>> = elements.iter().filter_map(|e| e.named_child(0)).collect();
        return low.list(&values, depth);
    }
    let entries: Vec<_> = elements
        .iter()
        .filter_map(|e| match children(*e).as_slice() {
            [key, value] => Some(low.entry(low.range(*e), *key, *value, depth)),
            _ => None,
        })
        .collect();
    let open = entries.len() < elements.len();
    Kind::Map { entries, open }
}

fn call(low: &Lowering<'_>, node: Node<'_>, depth: usize) -> Kind {
    let nodes = field(node, "arguments").map(children).unwrap_or_default();
    let block = nodes.last().and_then(|n| n.named_child(0)).is_some_and(|n| n.kind().contains("function"));
    let args = low.positional(&nodes, depth);
    let receiver = field(node, "object").or_else(|| field(node, "scope"));
    match field(node, "name").or_else(|| field(node, "function")) {
        Some(name) => low.call(name, receiver, args, block, depth),
        None => Kind::Other,
    }
}
