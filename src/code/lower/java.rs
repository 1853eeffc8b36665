//! Java.

use tree_sitter::Node;

use super::Lowering;
use crate::code::expr::Kind;
use crate::code::source::{children, field};

pub(super) fn kind(low: &Lowering<'_>, node: Node<'_>, depth: usize) -> Kind {
    match node.kind() {
        "null_literal" => Kind::Null,
        "true" => Kind::Bool(true),
        "false" => Kind::Bool(false),
        "decimal_integer_literal" | "hex_integer_literal" | "decimal_floating_point_literal" => low.number(node),
        "string_literal" => {
            let block = low.of(node).starts_with("\"\"\"");
            if block { Kind::Other } else { low.quoted(node, 1, 1, false) }
        }
        "character_literal" => low.quoted(node, 1, 1, false),
        "identifier" | "this" => Kind::Name(low.of(node).to_owned()),
        "array_initializer" => low.list(&children(node), depth),
        "array_creation_expression" => field(node, "value").map_or(Kind::Other, |v| low.list(&children(v), depth)),
        "unary_expression" => low.unary(node, field(node, "operand"), depth),
        "binary_expression" => low.binary(node, depth),
        "field_access" => match (field(node, "object"), field(node, "field")) {
            (Some(base), Some(name)) => low.member(node, base, name, depth),
            _ => Kind::Other,
        },
        "object_creation_expression" => match field(node, "type") {
            Some(name) => {
                let args = field(node, "arguments").map(children).unwrap_or_default();
                low.call(name, None, low.positional(&args, depth), false, depth)
            }
            None => Kind::Other,
        },
        "method_invocation" => call(low, node, depth),
        _ => Kind::Other,
    }
}

fn call(low: &Lowering<'_>, node: Node<'_>, depth: usize) -> Kind {
    let Some(name) = field(node, "name") else { return Kind::Other };
    let receiver = field(node, "object");
    let nodes = field(node, "arguments").map(children).unwrap_or_default();
    match (receiver.map(|r| low.of(r)), low.of(name)) {
        (Some("List" | "Set" | "ImmutableList" | "ImmutableSet"), "of") | (Some("Arrays"), "asList") => {
            low.list(&nodes, depth)
        }
        (Some("Map" | "ImmutableMap"), "of") => {
            let pairs = nodes.chunks_exact(2);
            let entries = pairs
                .map(|pair| {
                    let whole = low.range(pair[0]).start..low.range(pair[1]).end;
                    low.entry(whole, pair[0], pair[1], depth)
                })
                .collect();
            Kind::Map { entries, open: nodes.len() % 2 == 1 }
        }
        _ => {
            let block = nodes.last().is_some_and(|n| n.kind() == "lambda_expression");
            low.call(name, receiver, low.positional(&nodes, depth), block, depth)
        }
    }
}
