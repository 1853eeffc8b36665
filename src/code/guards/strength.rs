//! No assertion is removed or weakened.

use std::collections::BTreeMap;

use super::{Finding, Guard, Pair};
use crate::code::assertion::{self, Assertion, Op, plain};
use crate::code::cases;
use crate::code::expr::{Expr, Kind};
use crate::code::source::Source;

pub(super) fn check(pair: &Pair<'_>, out: &mut Vec<Finding>) {
    let (Some(old), Some(new)) = (&pair.old, &pair.new) else { return };
    let after = by_test(new);
    for (test, before) in by_test(old) {
        let Some(now) = after.get(&test) else { continue };
        for (was, is) in matched(old, new, &before, now) {
            let line = was.line(old);
            let Some(is) = is else {
                let why = format!("the assertion `{}` is gone", short(old, was));
                out.push(pair.finding(Guard::Strength, Some(line), why));
                continue;
            };
            if let Some((guard, why)) = weakened(old, new, was, is) {
                out.push(pair.finding(guard, Some(is.line(new)), why));
            }
        }
    }
    for assertion in after.values().flatten() {
        if let Some(why) = cannot_fail(new, assertion) {
            let was_there =
                by_test(old).values().flatten().any(|a| a.subject == assertion.subject && a.form == assertion.form);
            if !was_there || cannot_fail_text(old, assertion, new).is_none() {
                out.push(pair.finding(Guard::Tautology, Some(assertion.line(new)), why));
            }
        }
    }
}

fn short(source: &Source, assertion: &Assertion) -> String {
    plain(source.slice(&assertion.range)).chars().take(100).collect()
}

/// Assertions by the test they stand in; those outside of tests (in helpers)
/// under the empty name.
pub(super) fn by_test(source: &Source) -> BTreeMap<String, Vec<Assertion>> {
    let cases = cases::find(source);
    let mut found = BTreeMap::from([(String::new(), Vec::new())]);
    for case in &cases {
        found.entry(case.path.join(" › ")).or_default();
    }
    for assertion in assertion::find(source, source.root()) {
        let case = cases.iter().find(|c| c.node.byte_range().contains(&assertion.range.start));
        found.entry(case.map_or_else(String::new, |c| c.path.join(" › "))).or_default().push(assertion);
    }
    found
}

/// Whether one assertion can have taken the place of another.
type Fits<'f> = &'f dyn Fn(&Assertion, &Assertion) -> bool;

/// Each assertion of before with the one that took its place: the same subject
/// first, then one that differs only in names and texts.
pub(super) fn matched<'a>(
    old: &Source,
    new: &Source,
    before: &'a [Assertion],
    now: &'a [Assertion],
) -> Vec<(&'a Assertion, Option<&'a Assertion>)> {
    let mut free: Vec<Option<&Assertion>> = now.iter().map(Some).collect();
    let mut result: Vec<(&Assertion, Option<&Assertion>)> = before.iter().map(|a| (a, None)).collect();
    let rounds: [Fits<'_>; 5] = [
        &|a, b| old.slice(&a.range) == new.slice(&b.range),
        &|a, b| a.subject == b.subject && a.form == b.form,
        &|a, b| a.subject == b.subject,
        &|a, b| a.op == b.op && skeleton(&a.subject) == skeleton(&b.subject),
        &|a, b| a.op == Op::Raises && b.op == Op::Raises,
    ];
    for fits in rounds {
        for (was, is) in result.iter_mut().filter(|(_, is)| is.is_none()) {
            if let Some(slot) = free.iter_mut().find(|slot| slot.is_some_and(|b| fits(was, b))) {
                *is = slot.take();
            }
        }
    }
    result
}

/// A subject without what a rename changes: texts, numbers, and the names behind dots.
fn skeleton(subject: &str) -> String {
    let mut out = String::new();
    let mut chars = subject.chars().peekable();
    let mut quote = None;
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (Some(_), '\\') => {
                chars.next();
            }
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') => {
                quote = Some(c);
                out.push('"');
            }
            (None, '.') => {
                out.push('.');
                let mut name = false;
                while chars.peek().is_some_and(|c| c.is_alphanumeric() || *c == '_') {
                    chars.next();
                    name = true;
                }
                if name {
                    out.push('n');
                }
            }
            (None, c) if c.is_ascii_digit() => {}
            (None, c) => out.push(c),
        }
    }
    // `.n` and `["x"]` are two ways to name a part.
    out.replace("[\"]", ".n")
}

fn weakened(old: &Source, new: &Source, was: &Assertion, is: &Assertion) -> Option<(Guard, String)> {
    let (before, now) = (was.strength(), is.strength());
    if now + 1e-9 < before {
        let guard = match (was.op, is.op) {
            (Op::Approx, Op::Approx) => Guard::Widened,
            (Op::Contains, Op::Contains) | (Op::Raises, Op::Raises) => Guard::Broadened,
            _ => Guard::Strength,
        };
        let why = format!("`{}` became the weaker `{}`", short(old, was), short(new, is));
        return Some((guard, why));
    }
    let (Some(wanted), Some(wants)) = (&was.expected, &is.expected) else {
        let lost = was.expected.is_some() && is.expected.is_none();
        return lost.then(|| (Guard::Strength, format!("`{}` names no expected value any more", short(new, is))));
    };
    if let Some(why) = opened(new, wanted, wants) {
        return Some((Guard::Strength, why));
    }
    if was.op == is.op
        && matches!(was.op, Op::Raises | Op::Matches | Op::Contains)
        && let Some(why) = broader(old, new, was, is)
    {
        return Some((Guard::Broadened, why));
    }
    let status =
        ["status", "code"].iter().any(|w| is.subject.to_ascii_lowercase().contains(w)) || is.subject.is_empty();
    match (&wanted.kind, &wants.kind) {
        (Kind::Number(a), Kind::Number(b)) if status && is_server_error(b) && !is_server_error(a) => {
            Some((Guard::Strength, format!("the test expects the server error {b} now")))
        }
        _ => None,
    }
}

fn is_server_error(number: &str) -> bool {
    number.len() == 3 && number.starts_with('5') && number.bytes().all(|b| b.is_ascii_digit())
}

/// Names that fit anything.
const WILDCARDS: &[&str] = &[
    "ANY",
    "any",
    "anything",
    "stringMatching",
    "stringContaining",
    "arrayContaining",
    "objectContaining",
    "Anything",
    "_",
    "IsAnything",
    "IsStr",
    "IsInt",
    "IsDict",
    "anyOf",
    "a_kind_of",
    "anything()",
    "instance_of",
    "be_a",
    "kind_of",
];

/// Whether an expected value was named and is computed or open now.
fn opened(new: &Source, wanted: &Expr, wants: &Expr) -> Option<String> {
    let wild = |expr: &Expr| {
        expr.all()
            .into_iter()
            .filter(|e| match &e.kind {
                Kind::Name(name) => WILDCARDS.contains(&name.rsplit(['.', ':']).next().unwrap_or(name)),
                Kind::Call(call) => WILDCARDS.contains(&call.name.as_str()),
                _ => false,
            })
            .count()
    };
    if wild(wants) > wild(wanted) {
        return Some(format!(
            "`{}` fits anything",
            plain(new.slice(&wants.range)).chars().take(80).collect::<String>()
        ));
    }
    let named = |expr: &Expr| {
        expr.is_value()
            || matches!(&expr.kind, Kind::Name(name) if {
                let last = name.rsplit(['.', ':']).next().unwrap_or(name);
                last.starts_with(char::is_uppercase) || last.starts_with("is")
            })
    };
    if named(wanted) && !named(wants) && !is_constant(wants) {
        let shown: String = plain(new.slice(&wants.range)).chars().take(80).collect();
        return Some(format!("the expected value was named and is `{shown}` now, which is computed"));
    }
    let open = |e: &Expr| {
        let holes = |x: &&Expr| !matches!(x.kind, Kind::List(_) | Kind::Map { .. }) && !x.is_literal();
        if e.is_value() { e.all().iter().filter(|x| holes(x)).count() } else { 0 }
    };
    (wanted.is_literal() && open(wants) > 0 && wants.is_value())
        .then(|| "a part of the expected value was named and is computed now".to_owned())
}

/// `Decimal("1.5")`, `HttpStatus.valueOf(201)`: a call of literals only.
fn is_constant(expr: &Expr) -> bool {
    expr.call().is_some_and(|c| {
        !c.args.is_empty()
            && c.args.iter().all(|a| a.value.is_literal())
            && c.name.starts_with(char::is_uppercase)
            && !WILDCARDS.contains(&c.name.as_str())
    })
}

/// A broader exception, pattern or part.
fn broader(old: &Source, new: &Source, was: &Assertion, is: &Assertion) -> Option<String> {
    const BROAD: &[&str] = &[
        "Exception",
        "BaseException",
        "Throwable",
        "Error",
        "RuntimeException",
        "StandardError",
        "\\Exception",
        "\\Throwable",
        "AssertionError",
        "java.lang.Exception",
    ];
    let broad = |a: &Assertion| {
        let named = |text: &str| BROAD.contains(&text.trim_end_matches(".class").trim_end_matches("::class").trim());
        named(&a.subject) || a.expected.as_ref().is_some_and(|e| named(old_or(old, new, a, was, e)))
    };
    if was.op == Op::Raises && broad(is) && !broad(was) {
        return Some("a broader exception is expected than before".to_owned());
    }
    let (before, now) = (was.expected.as_ref()?, is.expected.as_ref()?);
    let pattern = |e: &Expr, source: &Source| e.text().map_or_else(|| source.slice(&e.range).to_owned(), str::to_owned);
    let (before, now) = (pattern(before, old), pattern(now, new));
    let wild = |p: &str| {
        [".*", ".+", "|", "\\w+", "\\S+", "\\d+", ".{", "[\\s\\S]"].iter().map(|w| p.matches(w).count()).sum::<usize>()
    };
    if matches!(was.op, Op::Raises | Op::Matches) && wild(&now) > wild(&before) {
        return Some(format!("the pattern `{now}` allows more than `{before}`"));
    }
    let shorter = now.len() < before.len() && before.contains(now.as_str());
    (shorter && was.op != Op::Raises || shorter && wild(&now) == 0 && now.len() * 2 < before.len())
        .then(|| format!("`{now}` is only a part of `{before}`"))
}

fn old_or<'s>(old: &'s Source, new: &'s Source, this: &Assertion, was: &Assertion, expr: &Expr) -> &'s str {
    if std::ptr::eq(this, was) { old.slice(&expr.range) } else { new.slice(&expr.range) }
}

/// Why an assertion cannot fail.
fn cannot_fail(source: &Source, assertion: &Assertion) -> Option<String> {
    let shown = short(source, assertion);
    if let (Some(expected), Some(subject)) = (&assertion.expected, &assertion.subject_range) {
        if plain(source.slice(&expected.range)) == assertion.subject
            && !assertion.subject.is_empty()
            && matches!(assertion.op, Op::Equal | Op::Approx | Op::Contains | Op::Subset)
        {
            return Some(format!("`{shown}` compares something with itself"));
        }
        let literal = is_literal_text(source, subject.clone());
        if literal && expected.is_value() {
            return Some(format!("`{shown}` compares two constants"));
        }
    }
    let bare = assertion.subject.trim();
    if assertion.op == Op::Truth {
        let constant = matches!(bare, "true" | "True" | "1" | "not False" | "!false" | "not None")
            || bare.starts_with('"')
            || bare.starts_with('\'');
        let tuple = bare.starts_with('(')
            && bare.ends_with(')')
            && bare.contains(',')
            && source.slice(&assertion.range).starts_with("assert");
        let or_true = [" or True", " || true", " or true", "|| 1"].iter().any(|end| bare.ends_with(end))
            || bare.starts_with("True or ")
            || bare.starts_with("true || ");
        if constant || or_true || tuple {
            return Some(format!("`{shown}` is always true"));
        }
    }
    None
}

fn is_literal_text(source: &Source, range: std::ops::Range<usize>) -> bool {
    let node = source.root().descendant_for_byte_range(range.start, range.end);
    node.is_some_and(|n| n.byte_range() == range && crate::code::lower::lower(source, n).is_literal())
}

/// The same weakness in the old file is not the patch's doing.
fn cannot_fail_text(old: &Source, assertion: &Assertion, new: &Source) -> Option<()> {
    old.text.contains(new.slice(&assertion.range)).then_some(())
}
