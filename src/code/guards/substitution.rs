//! Nothing takes the place of what is tested: a test that sets what it looks at,
//! a fixture that returns a constant, an assertion function of its own, a loop
//! over fewer cases.

use std::collections::BTreeMap;

use tree_sitter::Node;

use super::strength::by_test;
use super::{Finding, Pair, PatchRule};
use crate::code::assertion::{Op, plain};
use crate::code::expr::{Expr, Kind};
use crate::code::lower::lower;
use crate::code::source::{Source, children, field, walk};
use crate::code::test_discovery;

pub(super) fn check(pair: &Pair<'_>, out: &mut Vec<Finding>) {
    let Some(new) = &pair.new else { return };
    faked(pair, new, out);
    let Some(old) = &pair.old else { return };
    set_by_the_test(pair, old, new, out);
    constant_returns(pair, old, new, out);
    fewer_cases(pair, old, new, out);
}

/// One place where a name, or a part of something, is given a value.
struct Assignment {
    /// What stands on the left, as written.
    left: String,
    /// What stands on the right.
    right: Expr,
    line: u32,
}

/// All assignments below a node.
fn given(source: &Source, node: Node<'_>) -> Vec<Assignment> {
    let mut found = Vec::new();
    walk(node, |node| {
        let kinds = [
            "assignment",
            "variable_declarator",
            "short_var_declaration",
            "assignment_expression",
            "let_declaration",
            "assignment_statement",
        ];
        if kinds.contains(&node.kind()) {
            let left = field(node, "left").or_else(|| field(node, "name")).or_else(|| field(node, "pattern"));
            let right = field(node, "right").or_else(|| field(node, "value"));
            if let (Some(left), Some(right)) = (left, right) {
                let right =
                    if right.kind() == "expression_list" { right.named_child(0).unwrap_or(right) } else { right };
                let line = source.line_of(node.start_byte());
                found.push(Assignment { left: plain(source.of(left)), right: lower(source, right), line });
            }
        }
        true
    });
    found
}

/// The first name of something.
fn root(text: &str) -> &str {
    let bare = text.trim_start_matches(['$', '&', '*', '(']).trim_start_matches("self.").trim_start_matches("this.");
    let end = bare.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(bare.len());
    &bare[..end]
}

/// New assignments of a test that decide what its assertions see.
fn set_by_the_test(pair: &Pair<'_>, old: &Source, new: &Source, out: &mut Vec<Finding>) {
    let asserted = by_test(new);
    let before: BTreeMap<String, Vec<Assignment>> =
        test_discovery::find(old).iter().map(|c| (c.path.join(" › "), given(old, c.node))).collect();
    for case in test_discovery::find(new) {
        let name = case.path.join(" › ");
        let (Some(had), Some(asserted)) = (before.get(&name), asserted.get(&name)) else { continue };
        let subjects: Vec<&str> = asserted.iter().map(|a| root(&a.subject)).collect();
        let wanted: Vec<&str> = asserted
            .iter()
            .filter(|a| a.op == Op::Equal)
            .filter_map(|a| match a.expected.as_ref().map(|e| &e.kind) {
                Some(Kind::Name(name)) => Some(name.as_str()),
                _ => None,
            })
            .collect();
        for now in given(new, case.node) {
            let known = had.iter().any(|h| h.left == now.left && h.right.is_value() == now.right.is_value());
            if known {
                continue;
            }
            let is_part = now.left.contains(['.', '[']) && !now.left.starts_with("self.") && !now.left.contains(',');
            let subject = subjects.contains(&root(&now.left)) && !now.left.is_empty();
            if subject && (is_part || (now.right.is_value() && had.iter().any(|h| h.left == now.left))) {
                let why = format!("the test sets `{}` itself, which it looks at", short(&now.left));
                out.push(pair.finding(PatchRule::Mocked, Some(now.line), why));
            } else if wanted.contains(&now.left.as_str()) && !now.right.is_value() {
                let why = format!("the expected value `{}` is computed by the test itself", short(&now.left));
                out.push(pair.finding(PatchRule::Tautology, Some(now.line), why));
            }
        }
    }
}

fn short(text: &str) -> String {
    text.chars().take(60).collect()
}

/// Functions beside the tests (fixtures, set-up) that return a constant now.
fn constant_returns(pair: &Pair<'_>, old: &Source, new: &Source, out: &mut Vec<Finding>) {
    let constants = |source: &Source| -> BTreeMap<String, (usize, u32)> {
        let mut found: BTreeMap<String, (usize, u32)> = BTreeMap::new();
        walk(source.root(), |node| {
            let name =
                field(node, "name").filter(|_| node.kind().contains("function") || node.kind().contains("method"));
            let Some(name) = name.filter(|_| !node.kind().contains("call")) else { return true };
            let entry = found.entry(source.of(name).to_owned()).or_default();
            walk(node, |inner| {
                let gives = matches!(inner.kind(), "return_statement" | "yield");
                if gives && inner.named_child(0).is_some_and(|v| lower(source, v).is_value()) {
                    *entry = (entry.0 + 1, source.line_of(inner.start_byte()));
                }
                true
            });
            true
        });
        found
    };
    let before = constants(old);
    for (name, (times, line)) in constants(new) {
        if before.get(&name).is_some_and(|(had, _)| times > *had) {
            let why = format!("`{name}` returns a constant now in the place of something real");
            out.push(pair.finding(PatchRule::Mocked, Some(line), why));
        }
    }
}

/// Functions of the test file that have the name of an assertion.
fn faked(pair: &Pair<'_>, new: &Source, out: &mut Vec<Finding>) {
    const NAMES: &[&str] = &[
        "expect",
        "assertEqual",
        "assertEquals",
        "assertSame",
        "assertTrue",
        "assertThat",
        "assert_equal",
        "assert_eq",
        "Equal",
        "assertThrows",
        "onNotSuccessfulTest",
    ];
    let defined = |source: &Source| -> Vec<(String, u32)> {
        let mut found = Vec::new();
        walk(source.root(), |node| {
            let kind = node.kind();
            let defines = kind.contains("function_d")
                || kind.contains("method_d")
                || matches!(kind, "method" | "function_item" | "macro_definition" | "variable_declarator");
            if let Some(name) = field(node, "name").filter(|_| defines).map(|n| source.of(n))
                && NAMES.contains(&name)
            {
                found.push((name.to_owned(), source.line_of(node.start_byte())));
            }
            true
        });
        found
    };
    let before = pair.old.as_ref().map(defined).unwrap_or_default();
    for (name, line) in defined(new) {
        if !before.iter().any(|(n, _)| *n == name) {
            let why = format!("`{name}` takes the place of the assertion of that name");
            out.push(pair.finding(PatchRule::Mocked, Some(line), why));
        }
    }
}

/// What loops and parameters of a test run over.
fn cases_of(source: &Source, test: Node<'_>) -> Vec<(String, Option<usize>, u32)> {
    let mut found = Vec::new();
    walk(test, |node| {
        let over = match node.kind() {
            "for_statement"
            | "for_in_statement"
            | "enhanced_for_statement"
            | "for_expression"
            | "foreach_statement" => field(node, "right").or_else(|| field(node, "value")).or_else(|| {
                children(node).into_iter().find(|c| c.kind() == "range_clause").and_then(|c| field(c, "right"))
            }),
            _ => None,
        };
        if let Some(over) = over {
            found.push(described(source, &lower(source, over)));
        }
        let expr = lower(source, node);
        let parameters =
            expr.call().filter(|c| matches!(c.name.as_str(), "parametrize" | "each")).and_then(|c| c.args.last());
        if let Some(parameters) = parameters.filter(|_| node.kind().contains("call")) {
            found.push(described(source, &parameters.value));
        }
        true
    });
    found
}

/// What is run over: its text, and how many there are where that can be seen.
fn described(source: &Source, expr: &Expr) -> (String, Option<usize>, u32) {
    let count = match &expr.kind {
        Kind::List(items) => Some(items.len()),
        Kind::Name(name) => listed(source, name),
        _ => None,
    };
    (plain(source.slice(&expr.range)), count, source.line_of(expr.range.start))
}

/// The number of elements of the list that a name is given anywhere in the file.
fn listed(source: &Source, name: &str) -> Option<usize> {
    given(source, source.root()).into_iter().filter(|g| g.left == name).find_map(|g| match g.right.kind {
        Kind::List(items) => Some(items.len()),
        _ => None,
    })
}

fn fewer_cases(pair: &Pair<'_>, old: &Source, new: &Source, out: &mut Vec<Finding>) {
    let before: BTreeMap<String, _> =
        test_discovery::find(old).iter().map(|c| (c.path.join(" › "), cases_of(old, c.node))).collect();
    for case in test_discovery::find(new) {
        let name = case.path.join(" › ");
        let Some(had) = before.get(&name) else { continue };
        for ((was, many, _), (is, now, line)) in had.iter().zip(cases_of(new, case.node)) {
            let fewer = matches!((many, now), (Some(a), Some(b)) if b < *a);
            let narrowed = many.is_some() && now.is_none() && *was != is;
            let sliced = is.starts_with(was.as_str()) && is.len() > was.len();
            if fewer || narrowed || sliced {
                let why = format!("`{name}` runs over `{}` and no longer over `{}`", short(&is), short(was));
                out.push(pair.finding(PatchRule::TestsKept, Some(line), why));
            }
        }
    }
}
