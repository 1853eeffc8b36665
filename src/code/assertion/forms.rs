//! How each language writes an assertion.

mod go;
mod jvm;
mod others;
mod script;

use tree_sitter::Node;

use super::{Assertion, Op, plain, words};
use crate::code::expr::{Call, Expr, Kind};
use crate::code::language::Language;
use crate::code::lower::lower;
use crate::code::source::Source;

/// Adds what `node` itself asserts.
pub(super) fn recognise(source: &Source, node: Node<'_>, out: &mut Vec<Assertion>) {
    match (source.language, node.kind()) {
        (Language::Python, "assert_statement") => {
            if let Some(condition) = node.named_child(0) {
                condition_holds(source, node, &lower(source, condition), "assert", out);
            }
        }
        (Language::Go, "if_statement") => go::go_if(source, node, out),
        (Language::JavaScript | Language::TypeScript | Language::Tsx, "member_expression") => {
            out.extend(script::chai_property(source, node));
        }
        (_, kind) if is_call(kind) => {
            let expr = lower(source, node);
            let Some(call) = expr.call() else { return };
            let at = Place { source, node, expr: &expr, call };
            match source.language {
                Language::Python => others::python(&at, out),
                Language::JavaScript | Language::TypeScript | Language::Tsx => out.extend(script::script(&at)),
                Language::Java | Language::Kotlin => out.extend(jvm::jvm(&at)),
                Language::Go => out.extend(go::go(&at)),
                Language::Rust => others::rust(&at, out),
                Language::Ruby => out.extend(others::ruby(&at)),
                Language::Php => out.extend(others::php(&at)),
            }
        }
        _ => {}
    }
}

fn is_call(kind: &str) -> bool {
    matches!(
        kind,
        "call"
            | "call_expression"
            | "method_invocation"
            | "macro_invocation"
            | "infix_expression"
            | "member_call_expression"
            | "scoped_call_expression"
            | "function_call_expression"
    )
}

/// A call in its file.
struct Place<'a> {
    source: &'a Source,
    node: Node<'a>,
    expr: &'a Expr,
    call: &'a Call,
}

impl Place<'_> {
    fn text(&self, expr: &Expr) -> String {
        plain(self.source.slice(&expr.range))
    }

    fn made(&self, op: Op, form: &str, subject: Option<&Expr>, expected: Option<&Expr>) -> Assertion {
        Assertion {
            range: self.expr.range.clone(),
            form: form.to_owned(),
            op,
            subject: subject.map_or_else(String::new, |s| self.text(s)),
            subject_range: subject.map(|s| s.range.clone()),
            expected: expected.cloned(),
            tolerance: None,
        }
    }

    /// An assertion by a function of two values, or of one.
    fn by_function(&self, op: Op, skip: usize, expected_first: bool) -> Assertion {
        let args: Vec<&Expr> = self.call.positional().skip(skip).collect();
        let name = self.call.name.as_str();
        let mut made = match (op, args.as_slice()) {
            (Op::Truth, [condition, ..]) => {
                let mut inner = Vec::new();
                condition_holds(self.source, self.node, condition, name, &mut inner);
                let negative = matches!(name, "assertFalse" | "False" | "isFalse" | "refute" | "assert_not");
                match inner.pop().filter(|_| inner.is_empty() && !negative) {
                    Some(found) => found,
                    None => self.made(Op::Truth, name, Some(condition), None),
                }
            }
            // The message where there is one, else the class.
            (Op::Raises, [what, rest @ ..]) => {
                let message = rest.iter().copied().find(|e| e.text().is_some());
                self.made(op, name, message.map(|_| *what), Some(message.unwrap_or(what)))
            }
            (Op::Present | Op::Length, [first, rest @ ..]) if op == Op::Present || rest.is_empty() => {
                self.made(op, name, Some(first), None)
            }
            (_, [only]) => self.made(op, name, Some(only), None),
            (_, [first, second, ..]) => {
                let (subject, expected) = sides(first, second, expected_first);
                self.made(op, name, Some(subject), Some(expected))
            }
            _ => self.made(op, name, None, None),
        };
        if op == Op::Approx {
            let delta = ["delta", "abs", "rel"].iter().find_map(|k| self.call.keyword(k));
            made.tolerance = delta.or_else(|| args.get(2).copied()).and_then(number);
        }
        made
    }
}

/// The two sides of a comparison by function: the literal is the expected
/// one; where that does not tell, `expected` is the convention.
fn sides<'e>(first: &'e Expr, second: &'e Expr, expected_first: bool) -> (&'e Expr, &'e Expr) {
    match (first.is_value(), second.is_value()) {
        (true, false) => (second, first),
        (false, true) => (first, second),
        _ if expected_first => (second, first),
        _ => (first, second),
    }
}

fn number(expr: &Expr) -> Option<f64> {
    match &expr.kind {
        Kind::Number(n) => n.replace('_', "").trim_end_matches(['f', 'F', 'd', 'D', 'L']).parse().ok(),
        _ => None,
    }
}

/// An assertion about `subject`.
fn made(source: &Source, node: Node<'_>, op: Op, form: String, subject: &Expr, expected: Option<&Expr>) -> Assertion {
    Assertion {
        range: node.byte_range(),
        form,
        op,
        subject: plain(source.slice(&subject.range)),
        subject_range: Some(subject.range.clone()),
        expected: expected.cloned(),
        tolerance: None,
    }
}

/// What `left op right` asserts.
fn comparison(source: &Source, node: Node<'_>, form: &str, op: &str, (left, right): (&Expr, &Expr)) -> Assertion {
    let (subject, expected) = if left.is_value() && !right.is_value() { (right, left) } else { (left, right) };
    let word = match op {
        "==" | "===" | "is" if is_approx(expected) => Op::Approx,
        "==" | "===" => Op::Equal,
        "is" if expected.is_literal() => Op::Equal,
        "is" | "instanceof" | "not in" | "!in" => Op::Present,
        "in" => Op::Contains,
        "!=" | "!==" | "is not" if matches!(expected.kind, Kind::Null) => Op::Present,
        "!=" | "!==" | "is not" => Op::Differs,
        "=~" => Op::Matches,
        _ => Op::Order,
    };
    // In `"x" in text` the text is what is looked at, in `x in (1, 2)` it is `x`.
    let (subject, expected) = match word {
        Op::Contains if left.is_value() && !right.is_value() => (right, left),
        Op::Contains => (left, right),
        _ => (subject, expected),
    };
    let mut found = made(source, node, word, format!("{form} {op}"), subject, Some(expected));
    if word == Op::Approx {
        let call = expected.call();
        let tolerance = call.and_then(|c| c.keyword("abs").or_else(|| c.keyword("rel")).or_else(|| c.arg(1)));
        found.tolerance = tolerance.and_then(number);
        found.expected = call.and_then(|c| c.arg(0)).cloned();
    }
    found
}

/// What holds where a condition is asserted.
fn condition_holds(source: &Source, node: Node<'_>, condition: &Expr, form: &str, out: &mut Vec<Assertion>) {
    let made =
        |op: Op, form: String, subject: &Expr, expected: Option<&Expr>| made(source, node, op, form, subject, expected);
    match &condition.kind {
        Kind::Logic { all: true, sides } => {
            for side in sides {
                condition_holds(source, node, side, form, out);
            }
        }
        Kind::Compare { op, left, right } => out.push(comparison(source, node, form, op, (left, right))),
        Kind::Call(call) if matches!(call.name.as_str(), "isinstance" | "hasattr" | "callable" | "issubclass") => {
            out.push(made(Op::Present, format!("{form} {}", call.name), condition, None));
        }
        Kind::Call(call) if matches!(call.name.as_str(), "equals" | "DeepEqual") && call.arg(0).is_some() => {
            let (first, second) = match (&call.receiver, call.arg(1)) {
                (_, Some(second)) => (call.arg(0), Some(second)),
                (receiver, None) => (receiver.as_ref(), call.arg(0)),
            };
            if let (Some(first), Some(second)) = (first, second) {
                let (subject, expected) = if first.is_value() { (second, first) } else { (first, second) };
                out.push(made(Op::Equal, format!("{form} {}", call.name), subject, Some(expected)));
            }
        }
        Kind::Call(call)
            if matches!(
                call.name.as_str(),
                "startswith"
                    | "endswith"
                    | "match"
                    | "search"
                    | "fullmatch"
                    | "matches"
                    | "contains"
                    | "starts_with"
                    | "ends_with"
            ) =>
        {
            out.push(made(Op::Matches, format!("{form} {}", call.name), condition, call.arg(0)));
        }
        _ => out.push(made(Op::Truth, form.to_owned(), condition, None)),
    }
}

fn is_approx(expr: &Expr) -> bool {
    expr.call().is_some_and(|c| matches!(c.name.as_str(), "approx" | "isclose"))
}

/// The call that begins a chain of matchers: `expect(x)`, `assertThat(x)`.
fn chain_root<'e>(call: &'e Call, names: &[&str]) -> Option<&'e Call> {
    call.chain().into_iter().skip(1).find(|c| names.contains(&c.name.as_str()))
}

/// `assert_user(…)`, `verify_response(…)`, `check_totals(…)`.
fn is_own_helper(name: &str) -> bool {
    ["assert_", "verify_", "check_", "expect_"].iter().any(|p| name.starts_with(p))
        || ["assert", "verify", "expect"]
            .iter()
            .any(|p| name.strip_prefix(p).is_some_and(|r| r.starts_with(char::is_uppercase)))
}

/// `expect(subject).not.toBe(expected)`.
fn by_matcher(at: &Place<'_>, root: &Call, name: &str) -> Assertion {
    let call = at.call;
    let op = words::matcher(name).unwrap_or(Op::Custom);
    let between = call.receiver.as_ref().map(|r| at.text(r)).unwrap_or_default();
    let negated = between.ends_with(".not") || between.contains(".not.");
    let op = match (negated, op) {
        (true, Op::Truth) => Op::Truth,
        (true, _) => Op::Differs,
        // `toHaveProperty(path, value)` and `property(name, value)` compare when they are given a value.
        _ if matches!(name, "toHaveProperty" | "property" | "toHaveAttribute") => {
            if call.args.len() > 1 {
                Op::Subset
            } else {
                Op::Present
            }
        }
        (_, op) => op,
    };
    let two =
        matches!(name, "toHaveProperty" | "property" | "toHaveAttribute" | "toHaveCSS" | "toHaveBeenNthCalledWith");
    let expected = if two { call.arg(1) } else { call.arg(0) };
    // A partial matcher inside of an exact one makes it partial.
    let partial = expected.and_then(Expr::call).is_some_and(|c| words::matcher(&c.name) == Some(Op::Subset));
    let mut made = at.made(if partial { Op::Subset } else { op }, name, root.arg(0), expected);
    if negated {
        made.form = format!("not {name}");
    }
    if two {
        made.subject = format!("{} {}", made.subject, call.arg(0).map(|e| at.text(e)).unwrap_or_default());
        made.subject_range = None;
    }
    if op == Op::Approx {
        made.tolerance = call.arg(1).and_then(number).map(|digits| 10_f64.powf(-digits));
    }
    made
}

impl Assertion {
    fn with_subject(mut self, subject: &str) -> Self {
        subject.clone_into(&mut self.subject);
        self.subject_range = None;
        self
    }
}
