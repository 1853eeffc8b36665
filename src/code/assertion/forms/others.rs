//! Python, Rust, Ruby and PHP.

use super::super::{Assertion, Op, words};
use super::{Place, by_matcher, chain_root, condition_holds, is_own_helper};
use crate::code::expr::Kind;

pub(super) fn python(at: &Place<'_>, out: &mut Vec<Assertion>) {
    let call = at.call;
    let name = call.name.as_str();
    let receiver = call.receiver.as_ref().map(|r| at.text(r)).unwrap_or_default();
    if matches!(name, "raises" | "warns" | "deprecated_call") && matches!(receiver.as_str(), "pytest" | "") {
        let mut made = at.made(Op::Raises, name, call.arg(0), call.keyword("match"));
        made.subject = call.arg(0).map_or_else(String::new, |e| at.text(e));
        out.push(made);
    } else if receiver == "self" && name.starts_with("assert") {
        match words::function(name) {
            Some(op) => out.push(at.by_function(op, 0, false)),
            None => out.push(at.made(Op::Custom, name, Some(at.expr), None)),
        }
    } else if is_own_helper(name) {
        let op = words::function(name).filter(|_| name != "assert").unwrap_or(Op::Custom);
        out.push(at.made(op, name, Some(at.expr), None));
    }
}

pub(super) fn rust(at: &Place<'_>, out: &mut Vec<Assertion>) {
    if at.node.kind() != "macro_invocation" {
        let name = at.call.name.as_str();
        if at.call.receiver.is_none() && is_own_helper(name) {
            out.push(at.made(Op::Custom, name, Some(at.expr), None));
        }
        return;
    }
    let name = at.call.name.rsplit("::").next().unwrap_or(&at.call.name);
    let made = |op: Op| at.by_function(op, 0, false);
    match name {
        "assert_eq" | "prop_assert_eq" | "assert_str_eq" | "assert_json_eq" => {
            out.push(made(Op::Equal));
        }
        "assert_ne" | "prop_assert_ne" => out.push(made(Op::Differs)),
        "assert" | "prop_assert" => match at.call.arg(0) {
            Some(condition) if condition.call().is_some_and(|c| c.name == "matches") => {
                out.push(at.made(
                    Op::Matches,
                    "assert matches",
                    condition.call().and_then(|c| c.arg(0)),
                    condition.call().and_then(|c| c.arg(1)),
                ));
            }
            Some(condition) => condition_holds(at.source, at.node, condition, "assert", out),
            None => {}
        },
        "assert_matches" => out.push(made(Op::Matches)),
        "assert_relative_eq" | "assert_abs_diff_eq" | "assert_approx_eq" => out.push(made(Op::Approx)),
        "assert_snapshot" | "assert_debug_snapshot" | "assert_json_snapshot" | "assert_yaml_snapshot" => {
            out.push(at.made(Op::Equal, name, at.call.arg(0), at.call.arg(1)));
        }
        name if name.starts_with("assert") || name.starts_with("debug_assert") => {
            out.push(at.made(Op::Custom, name, Some(at.expr), None));
        }
        _ => {}
    }
}

pub(super) fn ruby(at: &Place<'_>) -> Option<Assertion> {
    let call = at.call;
    let name = call.name.as_str();
    if matches!(name, "to" | "not_to" | "to_not" | "should" | "should_not") {
        let root = chain_root(call, &["expect", "is_expected"]);
        let receiver = call.receiver.as_ref();
        let subject = root.map_or(receiver, |r| r.arg(0).or(receiver));
        let matcher = call.arg(0)?;
        let negated = name.contains("not");
        let (word, op, expected) = match &matcher.kind {
            Kind::Call(m) => {
                let op = words::rspec(&m.name).unwrap_or(Op::Truth);
                let expected = if op == Op::Raises { m.arg(1).or_else(|| m.arg(0)) } else { m.arg(0) };
                (m.name.as_str(), op, expected)
            }
            Kind::Name(word) => (word.as_str(), words::rspec(word).unwrap_or(Op::Truth), None),
            Kind::Compare { right, .. } => ("be", Op::Order, Some(right.as_ref())),
            _ => ("", Op::Custom, Some(matcher)),
        };
        let op = if word == "be" && expected.is_some() && op == Op::Truth { Op::Equal } else { op };
        let op = if negated { Op::Differs } else { op };
        return Some(at.made(op, &format!("{name} {word}"), subject, expected));
    }
    let free = call.receiver.is_none();
    if free && (name.starts_with("assert") || name.starts_with("refute")) {
        return Some(match words::function(name) {
            Some(op) => at.by_function(op, 0, true),
            None => at.made(Op::Custom, name, Some(at.expr), None),
        });
    }
    None
}

pub(super) fn php(at: &Place<'_>) -> Option<Assertion> {
    let call = at.call;
    let name = call.name.as_str();
    if let Some(root) = chain_root(call, &["expect"]).filter(|r| !r.args.is_empty()) {
        return Some(by_matcher(at, root, name));
    }
    let receiver = call.receiver.as_ref().map(|r| at.text(r)).unwrap_or_default();
    let own = matches!(receiver.as_str(), "$this" | "self" | "static" | "Assert" | "PHPUnit\\Framework\\Assert");
    let laravel = name.starts_with("assert") && words::function(name).is_some();
    if (own && (name.starts_with("assert") || name.starts_with("expectException"))) || laravel {
        return Some(match words::function(name) {
            Some(op) if own => at.by_function(op, 0, true),
            Some(op) => at.made(op, name, call.receiver.as_ref(), call.arg(call.args.len().saturating_sub(1))),
            None => at.made(Op::Custom, name, Some(at.expr), None),
        });
    }
    None
}
