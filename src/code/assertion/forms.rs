//! How each language writes an assertion.

use tree_sitter::Node;

use super::{Assertion, Op, plain, words};
use crate::code::expr::{Call, Expr, Kind};
use crate::code::language::Language;
use crate::code::lower::lower;
use crate::code::source::{Source, field, walk};

/// Adds what `node` itself asserts.
pub(super) fn recognise(source: &Source, node: Node<'_>, out: &mut Vec<Assertion>) {
    match (source.language, node.kind()) {
        (Language::Python, "assert_statement") => {
            if let Some(condition) = node.named_child(0) {
                condition_holds(source, node, &lower(source, condition), "assert", out);
            }
        }
        (Language::Go, "if_statement") => go_if(source, node, out),
        (Language::JavaScript | Language::TypeScript | Language::Tsx, "member_expression") => {
            out.extend(chai_property(source, node));
        }
        (_, kind) if is_call(kind) => {
            let expr = lower(source, node);
            let Some(call) = expr.call() else { return };
            let at = Place { source, node, expr: &expr, call };
            match source.language {
                Language::Python => python(&at, out),
                Language::JavaScript | Language::TypeScript | Language::Tsx => out.extend(script(&at)),
                Language::Java | Language::Kotlin => out.extend(jvm(&at)),
                Language::Go => out.extend(go(&at)),
                Language::Rust => rust(&at, out),
                Language::Ruby => out.extend(ruby(&at)),
                Language::Php => out.extend(php(&at)),
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

    /// The two sides of a comparison by function: the literal is the expected
    /// one; where that does not tell, `expected` is the convention.
    fn sides<'e>(&self, first: &'e Expr, second: &'e Expr, expected_first: bool) -> (&'e Expr, &'e Expr) {
        match (first.is_value(), second.is_value()) {
            (true, false) => (second, first),
            (false, true) => (first, second),
            _ if expected_first => (second, first),
            _ => (first, second),
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
            (Op::Raises, [what, ..]) => self.made(op, name, None, Some(what)),
            (Op::Present | Op::Length, [first, rest @ ..]) if op == Op::Present || rest.is_empty() => {
                self.made(op, name, Some(first), None)
            }
            (_, [only]) => self.made(op, name, Some(only), None),
            (_, [first, second, ..]) => {
                let (subject, expected) = self.sides(first, second, expected_first);
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

fn number(expr: &Expr) -> Option<f64> {
    match &expr.kind {
        Kind::Number(n) => n.replace('_', "").trim_end_matches(['f', 'F', 'd', 'D', 'L']).parse().ok(),
        _ => None,
    }
}

/// What holds where a condition is asserted.
fn condition_holds(source: &Source, node: Node<'_>, condition: &Expr, form: &str, out: &mut Vec<Assertion>) {
    let text = |e: &Expr| plain(source.slice(&e.range));
    let made = |op: Op, form: String, subject: &Expr, expected: Option<&Expr>| Assertion {
        range: node.byte_range(),
        form,
        op,
        subject: text(subject),
        subject_range: Some(subject.range.clone()),
        expected: expected.cloned(),
        tolerance: None,
    };
    match &condition.kind {
        Kind::Logic { all: true, sides } => {
            for side in sides {
                condition_holds(source, node, side, form, out);
            }
        }
        Kind::Compare { op, left, right } => {
            let (subject, expected) = if left.is_value() && !right.is_value() { (right, left) } else { (left, right) };
            let word = match op.as_str() {
                "==" | "===" | "is" if is_approx(expected) => Op::Approx,
                "==" | "===" => Op::Equal,
                "is" if expected.is_literal() => Op::Equal,
                "is" | "instanceof" | "not in" | "!in" => Op::Present,
                "in" => Op::Contains,
                "!=" | "!==" | "is not" => {
                    if matches!(expected.kind, Kind::Null) {
                        Op::Present
                    } else {
                        Op::Differs
                    }
                }
                "=~" => Op::Matches,
                _ => Op::Order,
            };
            // In `"x" in text` the text is what is looked at, in `x in (1, 2)` it is `x`.
            let (subject, expected) = match word {
                Op::Contains if left.is_value() && !right.is_value() => (right, left),
                Op::Contains => (left, right),
                _ => (subject, expected),
            };
            let mut found = made(word, format!("{form} {op}"), subject, Some(expected));
            if word == Op::Approx {
                let call = expected.call();
                found.tolerance = call
                    .and_then(|c| c.keyword("abs").or_else(|| c.keyword("rel")).or_else(|| c.arg(1)))
                    .and_then(number);
                found.expected = call.and_then(|c| c.arg(0)).cloned();
            }
            out.push(found);
        }
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

fn python(at: &Place<'_>, out: &mut Vec<Assertion>) {
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

/// `assert_user(…)`, `verify_response(…)`, `check_totals(…)`.
fn is_own_helper(name: &str) -> bool {
    ["assert_", "verify_", "check_", "expect_"].iter().any(|p| name.starts_with(p))
        || ["assert", "verify", "expect"]
            .iter()
            .any(|p| name.strip_prefix(p).is_some_and(|r| r.starts_with(char::is_uppercase)))
}

/// The call that begins a chain of matchers: `expect(x)`, `assertThat(x)`.
fn chain_root<'e>(call: &'e Call, names: &[&str]) -> Option<&'e Call> {
    call.chain().into_iter().skip(1).find(|c| names.contains(&c.name.as_str()))
}

fn script(at: &Place<'_>) -> Option<Assertion> {
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
fn chai_property(source: &Source, node: Node<'_>) -> Option<Assertion> {
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

fn jvm(at: &Place<'_>) -> Option<Assertion> {
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

impl Assertion {
    fn with_subject(mut self, subject: &str) -> Self {
        subject.clone_into(&mut self.subject);
        self.subject_range = None;
        self
    }
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

fn go(at: &Place<'_>) -> Option<Assertion> {
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
fn go_if(source: &Source, node: Node<'_>, out: &mut Vec<Assertion>) {
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

fn rust(at: &Place<'_>, out: &mut Vec<Assertion>) {
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
        "assert_eq" | "debug_assert_eq" | "prop_assert_eq" | "assert_str_eq" | "assert_json_eq" => {
            out.push(made(Op::Equal));
        }
        "assert_ne" | "prop_assert_ne" => out.push(made(Op::Differs)),
        "assert" | "debug_assert" | "prop_assert" => match at.call.arg(0) {
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
        name if name.starts_with("assert") => out.push(at.made(Op::Custom, name, Some(at.expr), None)),
        _ => {}
    }
}

fn ruby(at: &Place<'_>) -> Option<Assertion> {
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

fn php(at: &Place<'_>) -> Option<Assertion> {
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
