//! No wider tolerance, longer time-out, more retries, more waiting.

use std::collections::BTreeMap;

use tree_sitter::Node;

use super::{Finding, Pair, PatchRule};
use crate::code::expr::{Expr, Kind};
use crate::code::lower::lower;
use crate::code::source::{Source, children, field, walk};

/// Words whose numbers may not grow.
const GROWING: &[&str] = &[
    "timeout",
    "retries",
    "retry",
    "reruns",
    "rerun",
    "sleep",
    "wait",
    "delta",
    "tolerance",
    "epsilon",
    "atol",
    "rtol",
    "attempts",
    "polling",
    "interval",
    "delay",
    "threshold",
    "maxdiff",
    "flaky",
    "repeats",
];
/// Words whose numbers may not shrink.
const SHRINKING: &[&str] = &["places", "digits", "precision", "numdigits"];

pub(super) fn check(pair: &Pair<'_>, out: &mut Vec<Finding>) {
    let Some(new) = &pair.new else { return };
    let before = pair.old.as_ref().map(numbers).unwrap_or_default();
    for (word, found) in numbers(new) {
        let mut had: Vec<f64> = before.get(&word).map(|v| v.iter().map(|(n, _)| *n).collect()).unwrap_or_default();
        let is_new_file = pair.old.is_none();
        let mut rest = Vec::new();
        for (number, line) in found {
            match had.iter().position(|h| (h - number).abs() < 1e-12) {
                Some(at) => {
                    had.remove(at);
                }
                None => rest.push((number, line)),
            }
        }
        for (number, line) in rest {
            // A number that replaces a larger one is stricter.
            let shrinks = SHRINKING.contains(&word.as_str());
            let stricter = had.iter().position(|h| if shrinks { *h <= number } else { *h >= number });
            if let Some(at) = stricter {
                had.remove(at);
                continue;
            }
            let waits =
                ["sleep", "retr", "rerun", "wait", "delay", "flaky", "repeats"].iter().any(|w| word.contains(w));
            if (is_new_file && !waits) || (shrinks && had.is_empty()) {
                continue;
            }
            let why = match had.first() {
                Some(old) => format!("`{word}` goes from {old} to {number}"),
                None => format!("`{word}` of {number} is new"),
            };
            out.push(pair.finding(PatchRule::Widened, Some(line), why));
        }
    }
}

/// Numbers by the word that they belong to.
fn numbers(source: &Source) -> BTreeMap<String, Vec<(f64, u32)>> {
    let mut found: BTreeMap<String, Vec<(f64, u32)>> = BTreeMap::new();
    let mut add = |word: &str, expr: &Expr| {
        let Some(known) = known(word) else { return };
        // How long a named span of time is, is not known: any sleep counts.
        let span = || (known == "sleep").then_some(1.0);
        if let Some(number) = number(source, expr).or_else(span) {
            found.entry(known).or_default().push((number, source.line_of(expr.range.start)));
        }
    };
    walk(source.root(), |node| {
        named(source, node, &mut add);
        true
    });
    found
}

fn named(source: &Source, node: Node<'_>, add: &mut impl FnMut(&str, &Expr)) {
    match node.kind() {
        "keyword_argument"
        | "pair"
        | "field_initializer"
        | "element_value_pair"
        | "keyed_element"
        | "array_element_initializer" => {
            let key = field(node, "name")
                .or_else(|| field(node, "key"))
                .or_else(|| field(node, "field"))
                .or_else(|| node.named_child(0));
            let value = field(node, "value").or_else(|| children(node).last().copied());
            if let (Some(key), Some(value)) = (key, value) {
                add(source.of(key).trim_matches(['"', '\'', ':']), &lower(source, value));
            }
        }
        "call" | "call_expression" | "method_invocation" | "member_call_expression" | "function_call_expression" => {
            let expr = lower(source, node);
            let Some(call) = expr.call() else { return };
            for arg in call.args.iter().filter(|a| a.name.is_none()) {
                add(&call.name, &arg.value);
            }
            // Without a number of digits Jest and Vitest look at two.
            if call.name == "toBeCloseTo" {
                let two = Expr { range: node.byte_range(), kind: Kind::Number("2".to_owned()) };
                add("precision", call.arg(1).unwrap_or(&two));
            }
            // The last argument of Jest's and Vitest's `it` is its time-out.
            if matches!(call.name.as_str(), "it" | "test")
                && source.language.is_script()
                && let Some(last) = call.arg(2)
            {
                add("timeout", last);
            }
        }
        "annotation" | "attribute_item" => {
            let text = source.of(node);
            let word = text.trim_start_matches(['@', '#', '[']);
            let word: String = word.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let digits: String =
                text.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
            if !digits.is_empty() {
                add(&word, &Expr { range: node.byte_range(), kind: Kind::Number(digits) });
            }
        }
        "assignment" | "variable_declarator" | "const_item" | "const_spec" | "short_var_declaration" => {
            let key = field(node, "left").or_else(|| field(node, "name"));
            let value = field(node, "right").or_else(|| field(node, "value"));
            if let (Some(key), Some(value)) = (key, value) {
                let value = if value.kind() == "expression_list" { value.named_child(0) } else { Some(value) };
                if let Some(value) = value {
                    add(source.of(key), &lower(source, value));
                }
            }
        }
        _ => {}
    }
}

/// The word of the lists that a name is made with.
fn known(name: &str) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    if matches!(lower.as_str(), "abs" | "rel" | "within" | "be_within") || lower.ends_with("_tol") {
        return Some("tolerance".to_owned());
    }
    let found = SHRINKING.iter().find(|w| lower == **w || lower.ends_with(&format!("_{w}")));
    found.or_else(|| GROWING.iter().find(|w| lower.contains(**w))).map(|w| (*w).to_owned())
}

/// A number, also in units (`5 * time.Second`, `Duration.ofSeconds(5)`).
fn number(source: &Source, expr: &Expr) -> Option<f64> {
    match &expr.kind {
        Kind::Number(n) => crate::code::value::bare_number(n).replace('_', "").parse().ok(),
        Kind::Call(call) if call.args.len() == 1 && (call.name.starts_with("of") || call.name.starts_with("from")) => {
            let unit = if call.name.to_ascii_lowercase().contains("milli") { 0.001 } else { 1.0 };
            number(source, call.arg(0)?).map(|n| n * unit)
        }
        Kind::Other => {
            let text = source.slice(&expr.range);
            let (left, right) = text.split_once('*')?;
            let unit = if text.contains("Milli") { 0.001 } else { 1.0 };
            [left, right].iter().find_map(|side| side.trim().parse::<f64>().ok()).map(|n| n * unit)
        }
        _ => None,
    }
}
