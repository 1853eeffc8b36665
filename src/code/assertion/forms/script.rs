//! JavaScript and TypeScript: Jest, Vitest, Playwright, Chai, supertest, Node.

use tree_sitter::Node;

use super::super::{Assertion, Op, plain, words};
use super::{Place, by_matcher, chain_root, is_own_helper};
use crate::code::expr::{Expr, Kind};
use crate::code::lower::lower;
use crate::code::source::{Source, field};

pub(super) fn script(at: &Place<'_>) -> Option<Assertion> {
    let call = at.call;
    let name = call.name.as_str();
    if let Some(root) = chain_root(call, &["expect", "expectTypeOf", "should"]).filter(|r| !r.args.is_empty()) {
        return Some(by_matcher(at, root, name));
    }
    let receiver = call.receiver.as_ref().map(|r| at.text(r)).unwrap_or_default();
    if name == "expect" && call.receiver.as_ref().is_some_and(|r| r.call().is_some()) {
        return supertest(at);
    }
    if matches!(receiver.as_str(), "assert" | "assert.strict" | "t.assert" | "chai.assert")
        || (receiver == "t" && name != "test")
    {
        let op = words::function(name).or_else(|| words::matcher(name));
        return op.map(|op| at.by_function(op, 0, false));
    }
    if receiver.is_empty() && matches!(name, "assert" | "ok" | "strictEqual" | "deepStrictEqual" | "deepEqual") {
        return words::function(name).map(|op| at.by_function(op, 0, false));
    }
    (receiver.is_empty() && is_own_helper(name)).then(|| at.made(Op::Custom, name, Some(at.expr), None))
}

/// `request(app).get("/x").expect(200)` of supertest.
fn supertest(at: &Place<'_>) -> Option<Assertion> {
    let args: Vec<&Expr> = at.call.positional().collect();
    let what = |subject: &str, expected: &Expr, op: Op| {
        let mut made = at.made(op, "expect", None, Some(expected));
        subject.clone_into(&mut made.subject);
        Some(made)
    };
    match args.as_slice() {
        [status, body] if matches!(status.kind, Kind::Number(_)) && !body.is_literal() => {
            what("status", status, Op::Equal)
        }
        [status, ..] if matches!(status.kind, Kind::Number(_)) => what("status", status, Op::Equal),
        [name, value] => {
            what(&format!("header {}", at.text(name)), value, if value.is_literal() { Op::Equal } else { Op::Matches })
        }
        [only] if only.is_value() => what("body", only, Op::Equal),
        [only] if matches!(only.kind, Kind::Other) => what("response", only, Op::Custom),
        [only] => what("status", only, Op::Equal),
        _ => None,
    }
}

/// `expect(x).to.be.true` of Chai, which is no call.
pub(super) fn chai_property(source: &Source, node: Node<'_>) -> Option<Assertion> {
    let name = field(node, "property").map(|p| source.of(p))?;
    if !matches!(name, "true" | "false" | "null" | "undefined" | "ok" | "empty" | "exist" | "NaN") {
        return None;
    }
    if node.parent().is_some_and(|p| matches!(p.kind(), "member_expression" | "call_expression")) {
        return None;
    }
    let expr = lower(source, node);
    let Kind::Member { base, .. } = &expr.kind else { return None };
    let mut at = Some(base.as_ref());
    let root = loop {
        match at.map(|e| &e.kind) {
            Some(Kind::Call(call)) if call.name == "expect" => break call,
            Some(Kind::Call(call)) => at = call.receiver.as_ref(),
            Some(Kind::Member { base, .. }) => at = Some(base),
            _ => return None,
        }
    };
    let negated = source.of(node).contains(".not.");
    let op = match name {
        _ if negated => Op::Differs,
        "true" | "false" | "null" | "undefined" | "NaN" | "empty" => Op::Equal,
        "exist" => Op::Present,
        _ => Op::Truth,
    };
    Some(Assertion {
        range: node.byte_range(),
        form: if negated { format!("not {name}") } else { name.to_owned() },
        op,
        subject: root.arg(0).map(|a| plain(source.slice(&a.range))).unwrap_or_default(),
        subject_range: root.arg(0).map(|a| a.range.clone()),
        expected: None,
        tolerance: None,
    })
}
