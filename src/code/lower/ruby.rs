//! Ruby.

use tree_sitter::Node;

use super::Lowering;
use crate::code::expr::{Arg, Kind};
use crate::code::source::{children, field};

pub(super) fn kind(low: &Lowering<'_>, node: Node<'_>, depth: usize) -> Kind {
    match node.kind() {
        "nil" => Kind::Null,
        "true" => Kind::Bool(true),
        "false" => Kind::Bool(false),
        "integer" | "float" => low.number(node),
        "string" => text(low, node),
        "simple_symbol" => low.quoted(node, 1, 0, true),
        "hash_key_symbol" => low.quoted(node, 0, 0, true),
        "identifier" | "constant" | "instance_variable" | "self" | "scope_resolution" => {
            Kind::Name(low.of(node).to_owned())
        }
        "array" => low.list(&children(node), depth),
        "hash" => low.pairs(node, depth),
        "unary" => match (low.of(node).starts_with("not"), field(node, "operand")) {
            (true, Some(operand)) => Kind::Not(Box::new(low.expr(operand, depth))),
            (_, operand) => low.unary(node, operand, depth),
        },
        "binary" => low.binary(node, depth),
        "element_reference" => match children(node).as_slice() {
            [base, key] => Kind::Item { base: Box::new(low.expr(*base, depth)), key: Box::new(low.expr(*key, depth)) },
            _ => Kind::Other,
        },
        "call" => call(low, node, depth),
        _ => Kind::Other,
    }
}

fn text(low: &Lowering<'_>, node: Node<'_>) -> Kind {
    let written = low.of(node);
    if children(node).iter().any(|c| c.kind() == "interpolation") || !written.starts_with(['"', '\'']) {
        return Kind::Other;
    }
    low.quoted(node, 1, 1, written.starts_with('\'') && !written.contains('\\'))
}

fn call(low: &Lowering<'_>, node: Node<'_>, depth: usize) -> Kind {
    let Some(name) = field(node, "method") else { return Kind::Other };
    let nodes = field(node, "arguments").map(children).unwrap_or_default();
    let args = nodes
        .into_iter()
        .map(|arg| match (arg.kind(), field(arg, "key"), field(arg, "value")) {
            ("pair", Some(key), Some(value)) => {
                Arg { name: Some(low.of(key).trim_matches([':', '"', '\'']).to_owned()), value: low.expr(value, depth) }
            }
            _ => Arg { name: None, value: low.expr(arg, depth) },
        })
        .collect();
    low.call(name, field(node, "receiver"), args, field(node, "block").is_some(), depth)
}
