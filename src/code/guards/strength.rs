//! No assertion is removed or weakened.

use std::collections::BTreeMap;

use super::{Finding, Pair, PatchRule};
use crate::code::assertion::{self, Assertion, Op, plain};
use crate::code::expr::{Expr, Kind};
use crate::code::source::Source;
use crate::code::test_discovery;

pub(super) fn check(pair: &Pair<'_>, out: &mut Vec<Finding>) {
    let Some(new) = &pair.new else { return };
    let after = by_test(new);
    let Some(old) = &pair.old else {
        // Of a file that is new each assertion is.
        let idle = after.values().flatten().filter_map(|a| Some((a.line(new), cannot_fail(new, a)?)));
        return out.extend(idle.map(|(line, why)| pair.finding(PatchRule::Tautology, Some(line), why)));
    };
    for (test, before) in by_test(old) {
        let Some(now) = after.get(&test) else { continue };
        for (was, is) in matched(old, new, &before, now) {
            let line = was.line(old);
            let Some(is) = is else {
                let why = format!("the assertion `{}` is gone", short(old, was));
                out.push(pair.finding(PatchRule::Strength, Some(line), why));
                continue;
            };
            if let Some((guard, why)) = weakened(old, new, was, is) {
                out.push(pair.finding(guard, Some(is.line(new)), why));
            }
        }
    }
    let before = by_test(old);
    for assertion in after.values().flatten() {
        if let Some(why) = cannot_fail(new, assertion) {
            let was_there =
                before.values().flatten().any(|a| a.subject == assertion.subject && a.form == assertion.form);
            if !was_there || cannot_fail_text(old, assertion, new).is_none() {
                out.push(pair.finding(PatchRule::Tautology, Some(assertion.line(new)), why));
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
    let cases = test_discovery::find(source);
    let mut found = BTreeMap::from([(String::new(), Vec::new())]);
    for case in &cases {
        found.entry(case.path.join(" › ")).or_default();
    }
    for assertion in assertion::find(source, source.root()) {
        // Tests come in the order of the file, none within another.
        let next = cases.partition_point(|c| c.node.start_byte() <= assertion.range.start);
        let case = next
            .checked_sub(1)
            .and_then(|at| cases.get(at))
            .filter(|c| c.node.byte_range().contains(&assertion.range.start));
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
    let rounds: [Fits<'_>; 8] = [
        &|a, b| old.slice(&a.range) == new.slice(&b.range),
        &|a, b| a.subject == b.subject && a.form == b.form,
        &|a, b| a.subject == b.subject,
        &|a, b| a.op == b.op && skeleton(&a.subject) == skeleton(&b.subject),
        &|a, b| a.op == Op::Raises && b.op == Op::Raises,
        // The same expectation of something deeper in the same object.
        &|a, b| a.op == b.op && root(&a.subject) == root(&b.subject) && expectation(old, a) == expectation(new, b),
        &|a, b| a.op == b.op && root(&a.subject) == root(&b.subject) && skeleton_head(a) == skeleton_head(b),
        // A value that was given a name of its own.
        &|a, b| a.form == b.form && a.expected.is_some() && expectation(old, a) == expectation(new, b),
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

fn expectation(source: &Source, assertion: &Assertion) -> String {
    assertion.expected.as_ref().map_or_else(String::new, |e| plain(source.slice(&e.range)))
}

/// The first name in a subject, without a negation.
fn root(subject: &str) -> &str {
    let bare = subject.trim_start_matches(['!', '(', '$']).trim_start_matches("not ").trim();
    let end = bare.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(bare.len());
    &bare[..end]
}

/// The words of an assertion and what it calls first.
fn skeleton_head(assertion: &Assertion) -> (String, String) {
    let bare = assertion.subject.trim_start_matches('!');
    (assertion.form.clone(), bare.split('(').next().unwrap_or("").to_owned())
}

/// A subject without what a rename changes: texts, numbers, and the names behind dots.
fn skeleton(subject: &str) -> String {
    let mut out = String::new();
    let subject = subject.replace("->", ".").replace("::", ".");
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

fn weakened(old: &Source, new: &Source, was: &Assertion, is: &Assertion) -> Option<(PatchRule, String)> {
    if let Some(why) = broader_exception(old, new, was, is) {
        return Some((PatchRule::Broadened, why));
    }
    if let Some(why) = wider_order(was, is) {
        return Some((PatchRule::Widened, why));
    }
    let (before, now) = (was.strength(), is.strength());
    if now + 1e-9 < before {
        let guard = match (was.op, is.op) {
            (Op::Approx, Op::Approx) => PatchRule::Widened,
            (Op::Contains, Op::Contains) | (Op::Raises, Op::Raises) => PatchRule::Broadened,
            _ => PatchRule::Strength,
        };
        let why = format!("`{}` became the weaker `{}`", short(old, was), short(new, is));
        return Some((guard, why));
    }
    let (Some(wanted), Some(wants)) = (&was.expected, &is.expected) else {
        // `toBeNull()` and its like name their value in their own name.
        let lost = was.expected.is_some() && is.expected.is_none() && is.op != Op::Equal;
        return lost.then(|| (PatchRule::Strength, format!("`{}` names no expected value any more", short(new, is))));
    };
    if let Some(why) = opened(new, wanted, wants) {
        return Some((PatchRule::Strength, why));
    }
    if was.op == is.op
        && matches!(was.op, Op::Raises | Op::Matches | Op::Contains)
        && let Some(why) = broader(old, new, was, is)
    {
        return Some((PatchRule::Broadened, why));
    }
    let status =
        ["status", "code"].iter().any(|w| is.subject.to_ascii_lowercase().contains(w)) || is.subject.is_empty();
    match (&wanted.kind, &wants.kind) {
        (Kind::Number(a), Kind::Number(b)) if status && is_server_error(b) && !is_server_error(a) => {
            Some((PatchRule::Strength, format!("the test expects the server error {b} now")))
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
    if named(wanted) && !named(wants) && !is_constant(wants) && !is_given_a_literal(new, wants) {
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
    let (before, now) = (was.expected.as_ref()?, is.expected.as_ref()?);
    let pattern = |e: &Expr, source: &Source| e.text().map_or_else(|| source.slice(&e.range).to_owned(), str::to_owned);
    let (before, now) = (pattern(before, old), pattern(now, new));
    let wild = |p: &str| {
        let open = [".*", ".+", "|", "\\w+", "\\S+", "\\d+", ".{", "[\\s\\S]"];
        // Flags inside of a pattern, and behind a literal one.
        let inline = ["(?i", "(?s", "(?m", "(?x"];
        let behind = p.rsplit_once('/').filter(|_| p.starts_with('/')).map_or("", |(_, flags)| flags);
        let flags = behind.chars().filter(|c| matches!(c, 'i' | 's' | 'm' | 'x')).count();
        open.iter().chain(&inline).map(|w| p.matches(w).count()).sum::<usize>() + flags
    };
    if matches!(was.op, Op::Raises | Op::Matches) && wild(&now) > wild(&before) {
        return Some(format!("the pattern `{now}` allows more than `{before}`"));
    }
    let shorter = now.len() < before.len() && before.contains(now.as_str());
    (shorter && was.op != Op::Raises || shorter && wild(&now) == 0 && now.len() * 2 < before.len())
        .then(|| format!("`{now}` is only a part of `{before}`"))
}

/// Exceptions that say nothing.
const BROAD: &[&str] = &[
    "Exception",
    "BaseException",
    "Throwable",
    "Error",
    "RuntimeException",
    "StandardError",
    "AssertionError",
    "ScriptError",
    "AssertionFailedError",
    "Assertion",
];

/// Whether an assertion about an exception takes more of them than before.
fn broader_exception(old: &Source, new: &Source, was: &Assertion, is: &Assertion) -> Option<String> {
    if was.op != Op::Raises || is.op != Op::Raises {
        return None;
    }
    let names = |source: &Source, a: &Assertion| -> Vec<String> {
        // Not what is raised, but what is expected: the head, without texts.
        let text = source.slice(&a.range);
        let head = text.split(['{', '\n']).next().unwrap_or(text).split(" ->").next().unwrap_or(text);
        let bare: String = head.split(['"', '\'']).step_by(2).collect();
        let words = bare.split(|c: char| !(c.is_alphanumeric() || c == '_')).map(str::to_owned);
        words.filter(|w| w.ends_with("Error") || w.ends_with("Exception") || BROAD.contains(&w.as_str())).collect()
    };
    let (before, now) = (names(old, was), names(new, is));
    let broad = |all: &[String]| all.iter().filter(|n| BROAD.contains(&n.as_str())).count();
    if broad(&now) > broad(&before) {
        return Some("a broader exception is expected than before".to_owned());
    }
    let is_open = !before.is_empty() && now.is_empty();
    if is_open || (now.len() > before.len() && !before.is_empty()) {
        return Some("more exceptions are expected than before".to_owned());
    }
    None
}

/// Whether a bound moved so that more values are within it.
fn wider_order(was: &Assertion, is: &Assertion) -> Option<String> {
    if was.op != Op::Order || is.op != Op::Order || was.form != is.form {
        return None;
    }
    let number = |a: &Assertion| match a.expected.as_ref().map(|e| &e.kind) {
        Some(Kind::Number(n)) => crate::code::value::bare_number(n).replace('_', "").parse::<f64>().ok(),
        _ => None,
    };
    let (before, now) = (number(was)?, number(is)?);
    let lower = was.form.to_ascii_lowercase();
    let upper = lower.contains('<') || lower.contains("less") || lower.contains("below") || lower.contains("most");
    let wider = if upper { now > before } else { now < before };
    wider.then(|| format!("the bound goes from {before} to {now}, which allows more"))
}

/// Whether a name is given a literal in the same file: then it is as good as one.
fn is_given_a_literal(source: &Source, expr: &Expr) -> bool {
    let Kind::Name(name) = &expr.kind else { return false };
    let mut given = false;
    crate::code::source::walk(source.root(), |node| {
        let left = node
            .child_by_field_name("left")
            .or_else(|| node.child_by_field_name("name"))
            .or_else(|| node.child_by_field_name("pattern"));
        let right = node.child_by_field_name("right").or_else(|| node.child_by_field_name("value"));
        if let (Some(left), Some(right)) = (left, right) {
            let right = if right.kind() == "expression_list" { right.named_child(0).unwrap_or(right) } else { right };
            given |= source.of(left).trim_start_matches('$') == name.trim_start_matches('$')
                && crate::code::lower::lower(source, right).is_value();
        }
        !given
    });
    given
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
