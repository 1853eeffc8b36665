//! JavaScript and TypeScript.

use tree_sitter::Node;

use super::Lowering;
use crate::code::expr::Kind;
use crate::code::source::{children, field};

pub(super) fn kind(low: &Lowering<'_>, node: Node<'_>, depth: usize) -> Kind {
    match node.kind() {
        "null" | "undefined" => Kind::Null,
        "true" => Kind::Bool(true),
        "false" => Kind::Bool(false),
        "number" => low.number(node),
        "string" => low.quoted(node, 1, 1, false),
        "template_string" if children(node).iter().all(|c| c.kind() != "template_substitution") => {
            low.quoted(node, 1, 1, false)
        }
        "identifier" | "this" | "property_identifier" => Kind::Name(low.of(node).to_owned()),
        "array" => low.list(&children(node), depth),
        "object" => low.pairs(node, depth),
        "unary_expression" => low.unary(node, field(node, "argument"), depth),
        "binary_expression" => low.binary(node, depth),
        "member_expression" => match (field(node, "object"), field(node, "property")) {
            (Some(base), Some(name)) => low.member(node, base, name, depth),
            _ => Kind::Other,
        },
        "subscript_expression" => {
            match (low.boxed(field(node, "object"), depth), low.boxed(field(node, "index"), depth)) {
                (Some(base), Some(key)) => Kind::Item { base, key },
                _ => Kind::Other,
            }
        }
        "call_expression" => call(low, node, depth),
        "new_expression" => match field(node, "constructor") {
            Some(name) => {
                let args = field(node, "arguments").map(children).unwrap_or_default();
                low.call(name, None, low.positional(&args, depth), false, depth)
            }
            None => Kind::Other,
        },
        _ => Kind::Other,
    }
}

fn call(low: &Lowering<'_>, node: Node<'_>, depth: usize) -> Kind {
    let (Some(function), Some(list)) = (field(node, "function"), field(node, "arguments")) else { return Kind::Other };
    let nodes = if list.kind() == "arguments" { children(list) } else { Vec::new() };
    let block = nodes.last().is_some_and(|n| matches!(n.kind(), "arrow_function" | "function_expression"));
    let args = low.positional(&nodes, depth);
    match (function.kind(), field(function, "object"), field(function, "property")) {
        ("member_expression", base, Some(name)) => low.call(name, base, args, block, depth),
        ("identifier", ..) => low.call(function, None, args, block, depth),
        _ => low.call(function, Some(function), args, block, depth),
    }
}
