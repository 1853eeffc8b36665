//! Go: testify, and conditions that fail the test.

use tree_sitter::Node;

use super::super::{Assertion, Op, words};
use super::{Place, condition_holds, is_own_helper};
use crate::code::expr::{Expr, Kind};
use crate::code::lower::lower;
use crate::code::source::{Source, field, walk};

pub(super) fn go(at: &Place<'_>) -> Option<Assertion> {
    let call = at.call;
    let receiver = call.receiver.as_ref().map(|r| at.text(r)).unwrap_or_default();
    let last = receiver.rsplit('.').next().unwrap_or("");
    let testify = matches!(last, "assert" | "require" | "a" | "is") || matches!(receiver.as_str(), "s" | "suite");
    if !testify {
        let helper = receiver.is_empty() && is_own_helper(&call.name);
        return helper.then(|| at.made(Op::Custom, &call.name, Some(at.expr), None));
    }
    let name = call.name.strip_suffix('f').filter(|n| words::function(n).is_some()).unwrap_or(&call.name);
    let op = words::function(name)?;
    let takes_t = call.arg(0).is_some_and(|a| matches!(at.text(a).as_str(), "t" | "tb" | "s.T()" | "suite.T()" | "b"));
    let mut made = at.by_function(op, usize::from(takes_t), true);
    if receiver.ends_with("require") {
        made.form = format!("require {name}");
    }
    Some(made)
}

/// `if got != want { t.Errorf(…) }`: the condition is what must not be.
pub(super) fn go_if(source: &Source, node: Node<'_>, out: &mut Vec<Assertion>) {
    let (Some(condition), Some(body)) = (field(node, "condition"), field(node, "consequence")) else { return };
    if !fails_test(source, body) {
        return;
    }
    let condition = lower(source, condition);
    let mut holds = |condition: &Expr| {
        let before = out.len();
        match &condition.kind {
            Kind::Compare { op, left, right } => {
                let opposite = match op.as_str() {
                    "!=" => "==",
                    "==" => "!=",
                    "<" => ">=",
                    ">" => "<=",
                    "<=" => ">",
                    ">=" => "<",
                    other => other,
                };
                let turned = Kind::Compare { op: opposite.to_owned(), left: left.clone(), right: right.clone() };
                condition_holds(source, node, &Expr { range: condition.range.clone(), kind: turned }, "if", out);
            }
            Kind::Not(inner) => condition_holds(source, node, inner, "if", out),
            _ => condition_holds(source, node, condition, "if not", out),
        }
        // `err == nil` that fails means: an error is wanted.
        for found in &mut out[before..] {
            if found.op == Op::Differs && matches!(found.expected.as_ref().map(|e| &e.kind), Some(Kind::Null)) {
                found.op = Op::Present;
            }
        }
    };
    match &condition.kind {
        Kind::Logic { all: false, sides } => sides.iter().for_each(&mut holds),
        _ => holds(&condition),
    }
}

/// Whether a block ends or fails the test.
fn fails_test(source: &Source, body: Node<'_>) -> bool {
    let mut fails = false;
    walk(body, |node| {
        if node.kind() == "selector_expression" {
            let name = field(node, "field").map_or("", |f| source.of(f));
            fails |= matches!(name, "Error" | "Errorf" | "Fatal" | "Fatalf" | "Fail" | "FailNow");
        }
        !fails && node.kind() != "if_statement"
    });
    fails
}
