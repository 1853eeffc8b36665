//! Rust. The grammar leaves what is in a macro as tokens: its arguments are cut
//! at their commas and parsed again, and `json!` is read as JavaScript.

use std::ops::Range;

use tree_sitter::Node;

use super::Lowering;
use crate::code::expr::{Arg, Expr, Kind};
use crate::code::language::Language;
use crate::code::source::{Source, children, field, walk};

/// Arguments of one macro that are parsed.
const MACRO_ARGS: usize = 200;
/// Bytes of one macro argument that is parsed.
const MACRO_BYTES: usize = 64 << 10;

pub(super) fn kind(low: &Lowering<'_>, node: Node<'_>, depth: usize) -> Kind {
    match node.kind() {
        "boolean_literal" => Kind::Bool(low.of(node) == "true"),
        "integer_literal" | "float_literal" => low.number(node),
        "string_literal" if low.of(node).starts_with('"') => low.quoted(node, 1, 1, false),
        "raw_string_literal" => {
            let quote = low.of(node).find('"').unwrap_or(0) + 1;
            low.quoted(node, quote, quote - 1, true)
        }
        "char_literal" => low.quoted(node, 1, 1, false),
        "identifier" | "self" | "scoped_identifier" | "field_identifier" => match low.of(node) {
            "None" => Kind::Null,
            name => Kind::Name(name.to_owned()),
        },
        "array_expression" | "tuple_expression" => low.list(&children(node), depth),
        "struct_expression" => structure(low, node, depth),
        "unary_expression" => low.unary(node, node.named_child(0), depth),
        "binary_expression" => low.binary(node, depth),
        "field_expression" => match (field(node, "value"), field(node, "field")) {
            (Some(base), Some(name)) => low.member(node, base, name, depth),
            _ => Kind::Other,
        },
        "index_expression" => match children(node).as_slice() {
            [base, key] => Kind::Item { base: Box::new(low.expr(*base, depth)), key: Box::new(low.expr(*key, depth)) },
            _ => Kind::Other,
        },
        "call_expression" => call(low, node, depth),
        "macro_invocation" => invocation(low, node, depth),
        _ => Kind::Other,
    }
}

fn structure(low: &Lowering<'_>, node: Node<'_>, depth: usize) -> Kind {
    let mut entries = Vec::new();
    let mut open = false;
    for child in field(node, "body").map(children).unwrap_or_default() {
        match (child.kind(), field(child, "field"), field(child, "value")) {
            ("field_initializer", Some(key), Some(value)) => {
                entries.push(low.entry(low.range(child), key, value, depth));
            }
            _ => open = true,
        }
    }
    Kind::Map { entries, open }
}

fn call(low: &Lowering<'_>, node: Node<'_>, depth: usize) -> Kind {
    let (Some(function), Some(list)) = (field(node, "function"), field(node, "arguments")) else { return Kind::Other };
    let nodes = children(list);
    let base = field(function, "value");
    let owned = match (function.kind(), low.of(function), base, nodes.as_slice()) {
        // "x".to_string() and String::from("x") are the text.
        ("field_expression", _, Some(base), [])
            if matches!(
                field(function, "field").map(|f| low.of(f)),
                Some("to_string" | "to_owned" | "into" | "to_vec" | "as_str")
            ) =>
        {
            Some(base)
        }
        (_, "String::from" | "Box::from" | "Arc::from" | "Cow::from", _, [only]) => Some(*only),
        _ => None,
    };
    if let Some(inner) = owned.map(|n| low.expr(n, depth)).filter(Expr::is_literal) {
        return inner.kind;
    }
    let block = nodes.last().is_some_and(|n| n.kind() == "closure_expression");
    let args = low.positional(&nodes, depth);
    match (function.kind(), field(function, "field"), field(function, "name"), field(function, "path")) {
        ("field_expression", Some(name), ..) => low.call(name, base, args, block, depth),
        ("scoped_identifier", _, Some(name), path) => low.call(name, path, args, block, depth),
        ("identifier", ..) => low.call(function, None, args, block, depth),
        _ => low.call(function, Some(function), args, block, depth),
    }
}

fn invocation(low: &Lowering<'_>, node: Node<'_>, depth: usize) -> Kind {
    let Some(name) = field(node, "macro") else { return Kind::Other };
    let Some(tokens) = children(node).into_iter().find(|c| c.kind() == "token_tree") else { return Kind::Other };
    let inside = tokens.start_byte() + 1..tokens.end_byte().saturating_sub(1);
    match low.of(name).rsplit("::").next().unwrap_or("") {
        "json" => again(low, inside, Language::JavaScript, depth).map_or(Kind::Other, |e| e.kind),
        "vec" => Kind::List(arguments(low, tokens, depth)),
        "format" if low.of(tokens).contains('{') => Kind::Other,
        _ => {
            let args = arguments(low, tokens, depth);
            let args = args.into_iter().map(|value| Arg { name: None, value }).collect();
            low.call(name, None, args, false, depth)
        }
    }
}

fn arguments(low: &Lowering<'_>, tokens: Node<'_>, depth: usize) -> Vec<Expr> {
    pieces(low, tokens)
        .into_iter()
        .take(MACRO_ARGS)
        .map(|piece| {
            let whole = low.shifted(piece.start)..low.shifted(piece.end);
            again(low, piece, Language::Rust, depth).unwrap_or_else(|| Expr::other(whole))
        })
        .collect()
}

/// The bytes between the commas of a token tree, trimmed.
fn pieces(low: &Lowering<'_>, tokens: Node<'_>) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let end = tokens.end_byte().saturating_sub(1);
    let mut start = tokens.start_byte() + 1;
    let mut cursor = tokens.walk();
    let commas = tokens.children(&mut cursor).filter(|c| c.kind() == ",").map(|c| c.byte_range());
    for comma in commas.chain(std::iter::once(end..end)) {
        let piece = low.text.get(start..comma.start).unwrap_or("");
        let lead = piece.len() - piece.trim_start().len();
        if !piece.trim().is_empty() {
            found.push(start + lead..start + lead + piece.trim().len());
        }
        start = comma.end;
    }
    found
}

/// Parses a piece of the text by itself.
fn again(low: &Lowering<'_>, piece: Range<usize>, language: Language, depth: usize) -> Option<Expr> {
    let written = low.text.get(piece.clone()).filter(|t| t.len() <= MACRO_BYTES)?;
    let (before, after, kind) = match language {
        Language::Rust => ("fn f() { let _ = ", "; }", "let_declaration"),
        _ => ("_ = (", ")", "assignment_expression"),
    };
    let text = format!("{before}{written}{after}");
    let parsed = Source::parse_as(language, "", &text).filter(|s| !s.is_broken())?;
    let mut found = None;
    walk(parsed.root(), |node| {
        if found.is_none() && node.kind() == kind {
            found = field(node, "value").or_else(|| field(node, "right"));
        }
        found.is_none()
    });
    let shift = low.shift + isize::try_from(piece.start).ok()? - isize::try_from(before.len()).ok()?;
    Some(Lowering { text: &text, language, shift }.expr(found?, depth))
}
