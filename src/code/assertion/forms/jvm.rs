//! Java and Kotlin: JUnit, AssertJ, Hamcrest, REST Assured, MockMvc, Kotest.

use super::super::{Assertion, Op, words};
use super::{Place, chain_root, number};
use crate::code::expr::{Expr, Kind};

pub(super) fn jvm(at: &Place<'_>) -> Option<Assertion> {
    let call = at.call;
    let name = call.name.as_str();
    if matches!(name, "assertThat" | "that") && call.args.len() >= 2 {
        let (subject, matcher) = (call.arg(call.args.len() - 2), call.arg(call.args.len() - 1)?);
        let (op, expected) = by_hamcrest(matcher);
        return Some(at.made(op, name, subject, expected));
    }
    if let Some(root) = chain_root(call, &["assertThat", "then", "assertThatThrownBy", "expectThat", "expect"])
        .filter(|r| !r.args.is_empty())
    {
        let op = words::matcher(name)?;
        let mut made = at.made(op, name, root.arg(0), call.arg(0));
        // What is extracted on the way belongs to what is looked at.
        for link in call.chain().iter().skip(1).filter(|l| words::matcher(&l.name).is_none() && l.name != root.name) {
            let args: Vec<String> = link.positional().map(|e| at.text(e)).collect();
            made.subject.push_str(&format!(".{}({})", link.name, args.join(", ")));
        }
        made.tolerance = if op == Op::Approx {
            call.arg(1).and_then(Expr::call).and_then(|c| c.arg(0)).and_then(number)
        } else {
            None
        };
        return Some(made);
    }
    if call.chain().iter().skip(1).any(|c| c.name == "then")
        && let Some(found) = rest_assured(at)
    {
        return Some(found);
    }
    if name == "andExpect" || name == "andExpectAll" {
        return mock_mvc(at);
    }
    if chain_root(call, &["expectStatus"]).is_some() && (name.starts_with("is") || name == "value") {
        return Some(at.made(Op::Equal, name, None, call.arg(0)).with_subject("status"));
    }
    if name.starts_with("shouldBe")
        || name.starts_with("shouldContain")
        || name.starts_with("shouldHave")
        || name.starts_with("shouldNot")
    {
        let op = words::matcher(name).unwrap_or(Op::Custom);
        return Some(at.made(op, name, call.receiver.as_ref(), call.arg(0)));
    }
    by_assertion_class(at)
}

/// `assertEquals(…)` and its sisters.
fn by_assertion_class(at: &Place<'_>) -> Option<Assertion> {
    let call = at.call;
    let name = call.name.as_str();
    let receiver = call.receiver.as_ref().map(|r| at.text(r)).unwrap_or_default();
    let plain_call =
        matches!(receiver.as_str(), "" | "Assertions" | "Assert" | "org.junit.Assert" | "this" | "kotlin.test");
    if plain_call && (name.starts_with("assert") || name == "verify" || name == "fail") {
        return match words::function(name) {
            Some(op)
                if op == Op::Equal
                    && call.args.len() == 3
                    && call.positional().all(|a| matches!(a.kind, Kind::Number(_)) || !a.is_value())
                    && call.arg(2).is_some_and(|d| number(d).is_some()) =>
            {
                let mut made = at.by_function(op, 0, true);
                made.op = Op::Approx;
                made.tolerance = call.arg(2).and_then(number);
                Some(made)
            }
            Some(op) => Some(at.by_function(op, 0, true)),
            None => Some(at.made(Op::Custom, name, Some(at.expr), None)),
        };
    }
    None
}

/// What a Hamcrest matcher wants.
fn by_hamcrest(matcher: &Expr) -> (Op, Option<&Expr>) {
    let Some(call) = matcher.call() else { return (Op::Equal, Some(matcher)) };
    if matches!(call.name.as_str(), "is" | "describedAs")
        && let Some(inner) = call.arg(0)
    {
        return by_hamcrest(inner);
    }
    match words::hamcrest(&call.name) {
        Some(op) => (op, call.arg(0)),
        None => (Op::Equal, Some(matcher)),
    }
}

/// `.then().statusCode(200).body("a.b", equalTo(1))`.
fn rest_assured(at: &Place<'_>) -> Option<Assertion> {
    let call = at.call;
    match (call.name.as_str(), call.args.len()) {
        ("statusCode" | "contentType" | "statusLine", 1) => {
            let (op, expected) = by_hamcrest(call.arg(0)?);
            Some(at.made(op, &call.name, None, expected).with_subject(&call.name))
        }
        ("body" | "header" | "cookie", 2..) => {
            let (op, expected) = by_hamcrest(call.arg(call.args.len() - 1)?);
            let path = call.arg(0).map(|e| at.text(e)).unwrap_or_default();
            Some(at.made(op, &call.name, None, expected).with_subject(&format!("{} {path}", call.name)))
        }
        ("body", 1) => {
            let (op, expected) = by_hamcrest(call.arg(0)?);
            Some(at.made(op, "body", None, expected).with_subject("body"))
        }
        _ => None,
    }
}

/// `andExpect(status().isOk())`, `andExpect(jsonPath("$.a").value(1))`.
fn mock_mvc(at: &Place<'_>) -> Option<Assertion> {
    let matcher = at.call.arg(0)?;
    let call = matcher.call()?;
    let subject = call.receiver.as_ref().map(|r| at.text(r)).unwrap_or_default();
    let (op, expected) = match call.name.as_str() {
        "value" | "string" | "json" | "is" => call.arg(0).map_or((Op::Equal, None), by_hamcrest),
        "exists" | "isNotEmpty" | "isArray" | "isMap" | "isString" | "isNumber" => (Op::Present, None),
        "doesNotExist" => (Op::Equal, None),
        name if name.starts_with("is") && name.contains("xx") => (Op::Contains, None),
        name if name.starts_with("is") || name.starts_with("is2") => (Op::Equal, None),
        "jsonPath" => call.arg(1).map_or((Op::Present, None), by_hamcrest),
        _ => (Op::Custom, call.arg(0)),
    };
    let mut made = at.made(op, &format!("andExpect {}", call.name), None, expected).with_subject(&subject);
    if expected.is_none() {
        made.expected = Some(Expr { range: call.name_range.clone(), kind: Kind::Name(call.name.clone()) });
    }
    Some(made)
}
