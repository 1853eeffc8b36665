//! No failure is swallowed, and no assertion depends on a new condition.

use std::collections::BTreeMap;

use tree_sitter::Node;

use super::strength::{by_test, matched};
use super::{Finding, Pair, PatchRule};
use crate::code::assertion::Assertion;
use crate::code::language::Language;
use crate::code::source::{Source, field, walk};
use crate::code::test_discovery;

pub(super) fn check(pair: &Pair<'_>, out: &mut Vec<Finding>) {
    let Some(new) = &pair.new else { return };
    let before = pair.old.as_ref().map(swallowing).unwrap_or_default();
    let mut left = before.len();
    for (line, what) in swallowing(new) {
        if left > 0 {
            left -= 1;
            continue;
        }
        out.push(pair.finding(PatchRule::Swallowed, Some(line), format!("{what} can swallow a failure")));
    }
    let Some(old) = &pair.old else { return };
    depends(pair, old, new, out);
    returns(pair, old, new, out);
}

/// What catches failures, with its line.
fn swallowing(source: &Source) -> Vec<(u32, &'static str)> {
    let mut found = Vec::new();
    walk(source.root(), |node| {
        let text = || source.of(node);
        let what = match node.kind() {
            "except_clause" | "except_group_clause" => Some("`except`"),
            "catch_clause" | "catch_block" => Some("`catch`"),
            "rescue" | "rescue_modifier" => Some("`rescue`"),
            "error_suppression_expression" => Some("`@`"),
            "exit_statement" => Some("leaving the process"),
            "call"
            | "call_expression"
            | "method_invocation"
            | "member_call_expression"
            | "function_call_expression" => {
                let name = called(source, node);
                match name {
                    "suppress" if text().contains("suppress(") => Some("`suppress`"),
                    "catch" if source.language.is_script() => Some("`.catch`"),
                    "recover" if source.language == Language::Go => Some("`recover`"),
                    "catch_unwind" => Some("`catch_unwind`"),
                    "runCatching" => Some("`runCatching`"),
                    "_exit" | "exit" | "Exit" | "Goexit" if source.language != Language::Ruby => {
                        Some("leaving the process")
                    }
                    "exit!" | "abort" if source.language == Language::Ruby => Some("leaving the process"),
                    _ => None,
                }
            }
            _ => None,
        };
        if let Some(what) = what {
            found.push((source.line_of(node.start_byte()), what));
        }
        true
    });
    found
}

/// The last part of the name of what is called.
fn called<'s>(source: &'s Source, node: Node<'_>) -> &'s str {
    let name = field(node, "method").or_else(|| field(node, "name")).or_else(|| field(node, "function"));
    let text = name.or_else(|| node.named_child(0)).map_or("", |n| source.of(n));
    text.rsplit(['.', ':']).next().unwrap_or(text)
}

/// What an assertion depends on, up to its test: conditions, loops, callbacks.
fn around(source: &Source, assertion: &Assertion) -> BTreeMap<&'static str, usize> {
    let mut found = BTreeMap::new();
    let mut at = source.root().descendant_for_byte_range(assertion.range.start, assertion.range.end);
    while let Some(node) = at.filter(|n| n.byte_range() == assertion.range) {
        at = node.parent();
    }
    while let Some(node) = at {
        let kind = dependence(source, node);
        if !kind.is_empty() {
            *found.entry(kind).or_insert(0) += 1;
        }
        at = node.parent();
    }
    found
}

/// What an assertion below `node` depends on because of it; empty where on nothing.
fn dependence(source: &Source, node: Node<'_>) -> &'static str {
    match node.kind() {
        "if_statement"
        | "if_expression"
        | "conditional_expression"
        | "ternary_expression"
        | "if"
        | "unless"
        | "if_modifier"
        | "unless_modifier"
        | "switch_statement"
        | "switch_expression"
        | "match_statement"
        | "match_expression"
        | "when_expression"
        | "case"
        | "case_match"
        | "expression_switch_statement" => "a condition",
        "for_statement"
        | "for_in_statement"
        | "while_statement"
        | "do_statement"
        | "enhanced_for_statement"
        | "for_expression"
        | "while_expression"
        | "loop_expression"
        | "for"
        | "while"
        | "until"
        | "foreach_statement"
        | "while_modifier"
        | "until_modifier" => "a loop",
        "try_statement" | "try_expression" | "begin" => "a `try`",
        "else_clause" | "elif_clause" | "finally_clause" => "a branch",
        // `x && expect(…)` asserts only sometimes.
        "binary_expression" | "boolean_operator" | "binary" | "conjunction_expression" | "disjunction_expression"
            if is_logical(source, node) =>
        {
            "a condition"
        }
        // What stands in a function of its own runs when somebody calls it.
        "lambda"
        | "arrow_function"
        | "function_expression"
        | "function_definition"
        | "lambda_expression"
        | "lambda_literal"
        | "closure_expression"
        | "async_block"
        | "func_literal"
        | "anonymous_function"
        | "go_statement"
        | "do_block"
        | "method"
        | "function_declaration" => "a function of its own",
        "block" if source.language == Language::Ruby => "a function of its own",
        "with_statement" if ["raises(", "Raises(", "suppress("].iter().any(|w| head_of(source, node).contains(w)) => {
            "a block that expects an error"
        }
        _ => "",
    }
}

fn is_logical(source: &Source, node: Node<'_>) -> bool {
    let operator = field(node, "operator").map(|o| source.of(o));
    matches!(operator, Some("&&" | "||" | "and" | "or" | "??")) || node.kind().ends_with("junction_expression")
}

/// The first line of a node.
fn head_of<'s>(source: &'s Source, node: Node<'_>) -> &'s str {
    source.of(node).lines().next().unwrap_or("")
}

fn depends(pair: &Pair<'_>, old: &Source, new: &Source, out: &mut Vec<Finding>) {
    let after = by_test(new);
    for (test, before) in by_test(old) {
        let Some(now) = after.get(&test) else { continue };
        for (was, is) in matched(old, new, &before, now) {
            let Some(is) = is else { continue };
            let had = around(old, was);
            for (kind, times) in around(new, is) {
                if times > had.get(kind).copied().unwrap_or(0) {
                    let why = format!("the assertion depends on {kind} that was not there: it may never be reached");
                    out.push(pair.finding(PatchRule::Swallowed, Some(is.line(new)), why));
                }
            }
            if awaited(old, was) && !awaited(new, is) {
                let why = "the assertion is no longer awaited, so its failure is lost".to_owned();
                out.push(pair.finding(PatchRule::Swallowed, Some(is.line(new)), why));
            }
        }
    }
}

fn awaited(source: &Source, assertion: &Assertion) -> bool {
    let mut at = source.root().descendant_for_byte_range(assertion.range.start, assertion.range.end);
    while let Some(node) = at {
        match node.kind() {
            // An arrow function without braces returns what it is.
            "await_expression" | "await" | "return_statement" | "arrow_function" => return true,
            "expression_statement" | "statement_block" | "block" => return false,
            _ => at = node.parent(),
        }
    }
    false
}

/// Ways out of a test, or of a helper, before its last assertion.
fn returns(pair: &Pair<'_>, old: &Source, new: &Source, out: &mut Vec<Finding>) {
    let before: BTreeMap<String, usize> =
        functions(old).iter().map(|(name, node)| (name.clone(), ways_out(old, *node).len())).collect();
    for (name, node) in functions(new) {
        let found = ways_out(new, node);
        let Some(had) = before.get(&name) else { continue };
        if found.len() > *had {
            let why = format!("`{name}` can end before its last assertion");
            out.push(pair.finding(PatchRule::Swallowed, found.last().copied(), why));
        }
    }
}

/// Tests, and functions beside them, by their names.
fn functions(source: &Source) -> Vec<(String, Node<'_>)> {
    let cases = test_discovery::find(source);
    let mut found: Vec<(String, Node<'_>)> = cases.iter().map(|c| (c.path.join(" › "), c.node)).collect();
    let ranges: Vec<_> = cases.iter().map(|c| c.node.byte_range()).collect();
    walk(source.root(), |node| {
        if ranges.contains(&node.byte_range()) {
            return false;
        }
        let is_function = node.kind().contains("function") || node.kind().contains("method");
        if let Some(name) = field(node, "name").filter(|_| is_function && !node.kind().contains("call")) {
            found.push((source.of(name).to_owned(), node));
            return false;
        }
        true
    });
    found
}

/// Where the last call of a function ends.
fn last_call(function: Node<'_>) -> Option<usize> {
    let mut last = None;
    walk(function, |node| {
        let kind = node.kind();
        if matches!(kind, "call" | "call_expression" | "method_invocation" | "macro_invocation")
            || kind.ends_with("_call_expression")
        {
            last = last.max(Some(node.end_byte()));
        }
        true
    });
    last
}

fn ways_out(source: &Source, function: Node<'_>) -> Vec<u32> {
    let asserted = crate::code::assertion::find(source, function).iter().map(|a| a.range.end).max();
    // Without an assertion of its own the last thing that it calls may hold one.
    let last = asserted.or_else(|| last_call(function)).unwrap_or(0);
    let mut found = Vec::new();
    walk(function, |node| {
        let kinds = [
            "return_statement",
            "return_expression",
            "return",
            "break_statement",
            "continue_statement",
            "continue_expression",
            "next",
            "yield",
        ];
        let leaves = kinds.contains(&node.kind()) && node.child_count() > 0;
        if leaves && node.start_byte() < last && !source.of(node).contains("expect") {
            found.push(source.line_of(node.start_byte()));
        }
        true
    });
    found
}
