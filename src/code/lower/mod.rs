//! Syntax trees of ten grammars → [`Expr`].
//!
//! What a language writes in its own way is in its own file here; what a
//! grammar node means is said there once and nowhere else.

mod go;
mod java;
mod kotlin;
mod php;
mod python;
mod ruby;
mod rust;
mod script;

use std::ops::Range;

use tree_sitter::Node;

use crate::code::expr::{Arg, Call, Entry, Expr, Kind};
use crate::code::language::Language;
use crate::code::source::{Source, children, field};

/// Nesting that is followed; what is deeper is [`Kind::Other`].
const DEPTH: usize = 48;

/// Reads an expression.
#[must_use]
pub fn lower(source: &Source, node: Node<'_>) -> Expr {
    Lowering { text: &source.text, language: source.language, shift: 0 }.expr(node, 0)
}

/// Where an expression is read from: a file, or (for macros) a piece of one
/// that was parsed by itself.
#[derive(Clone, Copy)]
struct Lowering<'s> {
    text: &'s str,
    language: Language,
    /// What is added to a byte of the piece to get the byte in the file.
    shift: isize,
}

impl<'s> Lowering<'s> {
    fn expr(&self, node: Node<'_>, depth: usize) -> Expr {
        let kind = if depth > DEPTH { Kind::Other } else { self.kind(node, depth + 1) };
        // A wrapper (parentheses, await, a reference) is what it holds.
        if let Kind::Call(_) | Kind::Other = kind
            && let Some(inner) = wrapped(self.language, node).filter(|_| depth <= DEPTH)
        {
            return self.expr(inner, depth + 1);
        }
        Expr { range: self.range(node), kind }
    }

    fn kind(&self, node: Node<'_>, depth: usize) -> Kind {
        match self.language {
            Language::Python => python::kind(self, node, depth),
            Language::JavaScript | Language::TypeScript | Language::Tsx => script::kind(self, node, depth),
            Language::Java => java::kind(self, node, depth),
            Language::Kotlin => kotlin::kind(self, node, depth),
            Language::Go => go::kind(self, node, depth),
            Language::Rust => rust::kind(self, node, depth),
            Language::Ruby => ruby::kind(self, node, depth),
            Language::Php => php::kind(self, node, depth),
        }
    }

    fn range(&self, node: Node<'_>) -> Range<usize> {
        let range = node.byte_range();
        self.shifted(range.start)..self.shifted(range.end)
    }

    fn shifted(&self, byte: usize) -> usize {
        byte.saturating_add_signed(self.shift)
    }

    fn of(&self, node: Node<'_>) -> &'s str {
        self.text.get(node.byte_range()).unwrap_or("")
    }

    fn boxed(&self, node: Option<Node<'_>>, depth: usize) -> Option<Box<Expr>> {
        node.map(|n| Box::new(self.expr(n, depth)))
    }

    fn list(&self, nodes: &[Node<'_>], depth: usize) -> Kind {
        Kind::List(nodes.iter().map(|n| self.expr(*n, depth)).collect())
    }

    /// A text whose quotes are `open` and `close` bytes long.
    fn quoted(&self, node: Node<'_>, open: usize, close: usize, raw: bool) -> Kind {
        let range = node.byte_range();
        if range.len() < open + close {
            return Kind::Other;
        }
        let inside = range.start + open..range.end - close;
        let Some(written) = self.text.get(inside.clone()) else { return Kind::Other };
        Kind::Text {
            value: if raw { written.to_owned() } else { unescape(written) },
            inside: self.shifted(inside.start)..self.shifted(inside.end),
        }
    }

    /// A call with its name, receiver and arguments as nodes.
    fn call(&self, name: Node<'_>, receiver: Option<Node<'_>>, args: Vec<Arg>, block: bool, depth: usize) -> Kind {
        Kind::Call(Box::new(Call {
            name: self.of(name).to_owned(),
            name_range: self.range(name),
            receiver: receiver.map(|n| self.expr(n, depth)),
            args,
            block,
        }))
    }

    fn positional(&self, nodes: &[Node<'_>], depth: usize) -> Vec<Arg> {
        nodes.iter().map(|n| Arg { name: None, value: self.expr(*n, depth) }).collect()
    }

    fn entry(&self, whole: Range<usize>, key: Node<'_>, value: Node<'_>, depth: usize) -> Entry {
        let key_expr = self.expr(key, depth);
        let text = match &key_expr.kind {
            Kind::Text { value, .. } => value.clone(),
            Kind::Number(number) => number.clone(),
            _ => self.of(key).trim_end_matches(':').trim_start_matches(':').to_owned(),
        };
        Entry { range: whole, key_range: self.range(key), key: text, value: self.expr(value, depth) }
    }

    /// A map whose entries are `pair` nodes; what else is in it leaves it open.
    fn pairs(&self, node: Node<'_>, depth: usize) -> Kind {
        let mut entries = Vec::new();
        let mut open = false;
        for child in children(node) {
            let key = field(child, "key").filter(|k| k.kind() != "computed_property_name");
            match (child.kind(), key, field(child, "value")) {
                ("pair", Some(key), Some(value)) => entries.push(self.entry(self.range(child), key, value, depth)),
                _ => open = true,
            }
        }
        Kind::Map { entries, open }
    }

    /// A comparison, or a logical connection, by its operator.
    fn binary(&self, node: Node<'_>, depth: usize) -> Kind {
        let sides = (field(node, "left"), field(node, "right"));
        let (Some(left), Some(right)) = sides else { return Kind::Other };
        let op = field(node, "operator").map_or("", |op| self.of(op)).to_owned();
        self.joined(&op, left, right, depth)
    }

    fn joined(&self, op: &str, left: Node<'_>, right: Node<'_>, depth: usize) -> Kind {
        match op {
            "&&" | "and" | "||" | "or" => Kind::Logic {
                all: matches!(op, "&&" | "and"),
                sides: vec![self.expr(left, depth), self.expr(right, depth)],
            },
            "==" | "!=" | "===" | "!==" | "<" | ">" | "<=" | ">=" | "in" | "not in" | "is" | "is not" | "!in"
            | "=~" | "!~" | "instanceof" => Kind::Compare {
                op: op.to_owned(),
                left: Box::new(self.expr(left, depth)),
                right: Box::new(self.expr(right, depth)),
            },
            _ => Kind::Other,
        }
    }

    /// `-3`: a number with its sign; `!x`: a negation.
    fn unary(&self, node: Node<'_>, operand: Option<Node<'_>>, depth: usize) -> Kind {
        let Some(operand) = operand else { return Kind::Other };
        let written = self.of(node);
        let inner = self.expr(operand, depth);
        match (&inner.kind, written.as_bytes().first()) {
            (Kind::Number(number), Some(b'-')) => Kind::Number(format!("-{number}")),
            (Kind::Number(number), Some(b'+')) => Kind::Number(number.clone()),
            (_, Some(b'!')) => Kind::Not(Box::new(inner)),
            _ => Kind::Other,
        }
    }

    /// `base.name`, as one dotted name where base is one.
    fn member(&self, node: Node<'_>, base: Node<'_>, name: Node<'_>, depth: usize) -> Kind {
        let inner = self.expr(base, depth);
        match inner.kind {
            Kind::Name(_) => Kind::Name(self.of(node).to_owned()),
            _ => Kind::Member { base: Box::new(inner), name: self.of(name).to_owned(), name_range: self.range(name) },
        }
    }

    fn number(&self, node: Node<'_>) -> Kind {
        Kind::Number(self.of(node).to_owned())
    }
}

/// What stands in parentheses, behind `await`, `&`, `*` or a cast.
fn wrapped(language: Language, node: Node<'_>) -> Option<Node<'_>> {
    let kinds: &[&str] = match language {
        Language::Python => &["parenthesized_expression", "await"],
        Language::JavaScript | Language::TypeScript | Language::Tsx => &[
            "parenthesized_expression",
            "await_expression",
            "as_expression",
            "satisfies_expression",
            "non_null_expression",
        ],
        Language::Java => &["parenthesized_expression", "cast_expression"],
        Language::Kotlin => &["parenthesized_expression"],
        Language::Go => &["parenthesized_expression", "literal_element"],
        Language::Rust => &["parenthesized_expression", "reference_expression", "await_expression", "try_expression"],
        Language::Ruby => &["parenthesized_statements"],
        Language::Php => &["parenthesized_expression", "argument", "cast_expression"],
    };
    if !kinds.contains(&node.kind()) {
        return None;
    }
    let value = field(node, "value").filter(|_| language != Language::Php);
    let count = node.named_child_count();
    // `x as T` and `await x` hold what is meant first, `(T) x` holds it last.
    let place = if node.kind() == "cast_expression" { count.checked_sub(1)? } else { 0 };
    value.or_else(|| node.named_child(u32::try_from(place).ok()?))
}

/// Resolves the escapes that the languages share. What is unknown stays as it is.
#[must_use]
pub fn unescape(written: &str) -> String {
    if !written.contains('\\') {
        return written.to_owned();
    }
    let mut out = String::with_capacity(written.len());
    let mut chars = written.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('0') => out.push('\0'),
            Some(same @ ('\\' | '"' | '\'' | '`' | '/' | '$')) => out.push(same),
            Some('\n') => {}
            Some('x') => push_code(&mut out, &mut chars, 2, 'x'),
            Some('u') => push_code(&mut out, &mut chars, 4, 'u'),
            Some(other) => {
                out.push('\\');
                out.push(other);
            }
            None => out.push('\\'),
        }
    }
    out
}

fn push_code(out: &mut String, chars: &mut std::iter::Peekable<std::str::Chars<'_>>, digits: usize, sign: char) {
    let braced = chars.peek() == Some(&'{');
    let mut rest = chars.clone();
    let hex: String = if braced {
        rest.next();
        rest.by_ref().take_while(|c| *c != '}').take(6).collect()
    } else {
        rest.by_ref().take(digits).collect()
    };
    if let Some(c) = u32::from_str_radix(&hex, 16).ok().and_then(char::from_u32) {
        out.push(c);
        *chars = rest;
    } else {
        out.push('\\');
        out.push(sign);
    }
}
