//! From a failing comparison to the smallest edit of what is expected.

use std::rc::Rc;

use super::failure::{FailureKind, ParsedFailure};
use super::literal_tracing::{self, TraceContext};
use super::{Candidate, Part, Test};
use crate::code::assertion::{self, Assertion, Op, plain};
use crate::code::edit::{self, Edit};
use crate::code::expr::{Expr, Kind};
use crate::code::language::Language;
use crate::code::lower::lower;
use crate::code::repr_parser;
use crate::code::source::{Source, walk};
use crate::code::test_discovery::{self, TestFn};
use crate::code::value::{self, Value};
use crate::code::value_diff::{self, Change, Terms};
use crate::ingest::source_location::is_test_path;
use crate::model::heal::EditKind;

/// An assertion that failed, and its file.
pub struct Located {
    /// The file.
    pub source: Rc<Source>,
    /// The assertion.
    pub assertion: Assertion,
}

/// The assertions that the failure's frames point to, innermost frame first.
#[must_use]
pub fn located(test: &Test<'_>) -> Vec<Located> {
    let mut found: Vec<Located> = Vec::new();
    for (file, line) in &test.clash.places {
        let Some(path) = resolve(test, file) else { continue };
        let Some(source) = test.sources.source(&path).filter(|_| is_test_path(&path) || path == test.file) else {
            continue;
        };
        let mut here: Vec<Assertion> = assertion::find(&source, source.root())
            .into_iter()
            .filter(|a| (a.line(&source)..=source.line_of(a.range.end.saturating_sub(1))).contains(line))
            .collect();
        // The narrowest is the one that is meant; in a chain all are asked.
        here.sort_by_key(|a| (u32::abs_diff(last_line(&source, a), *line), a.range.len()));
        for assertion in here {
            let known = found.iter().any(|l| l.source.path == source.path && l.assertion == assertion);
            if !known {
                found.push(Located { source: Rc::clone(&source), assertion });
            }
        }
    }
    if found.is_empty() {
        found = by_message(test);
    }
    found
}

/// Where no frame points to the assertion: that of the test which wants the message.
fn by_message(test: &Test<'_>) -> Vec<Located> {
    let FailureKind::Message { wanted, .. } = &test.clash.what else { return Vec::new() };
    let Some(source) = test.sources.source(test.file) else { return Vec::new() };
    let all = test_discovery::find(&source);
    let Some(case) = all.iter().find(|c| c.path == test.path) else { return Vec::new() };
    let wants = |a: &Assertion| a.expected.as_ref().and_then(Expr::text) == Some(wanted.as_str());
    let found: Vec<Assertion> = assertion::find(&source, case.node).into_iter().filter(wants).collect();
    found.into_iter().map(|assertion| Located { source: Rc::clone(&source), assertion }).collect()
}

fn last_line(source: &Source, assertion: &Assertion) -> u32 {
    assertion.expected.as_ref().map_or_else(|| assertion.line(source), |e| source.line_of(e.range.start))
}

/// The file of the repository that a frame means; frames of the test's own file
/// may have only its name.
#[must_use]
pub fn resolve(test: &Test<'_>, file: &str) -> Option<String> {
    let file = file.replace('\\', "/");
    let file = file.trim_start_matches("./");
    let ends = |long: &str, short: &str| long == short || long.ends_with(&format!("/{short}"));
    if ends(test.file, file) || ends(file, test.file) {
        return Some(test.file.to_owned());
    }
    let mut fitting = test.sources.files.iter().filter(|f| ends(f, file) || ends(file, f));
    let first = fitting.next()?;
    Some(fitting.max_by_key(|f| f.len()).filter(|f| f.len() > first.len()).unwrap_or(first).clone())
}

/// Edits of what the failing assertions expect, the likeliest first.
#[must_use]
pub fn candidates(test: &Test<'_>) -> Vec<Candidate> {
    located(test).iter().filter_map(|l| of_assertion(test, l)).collect()
}

fn of_assertion(test: &Test<'_>, located: &Located) -> Option<Candidate> {
    let Located { source, assertion } = located;
    let all = test_discovery::find(source);
    let case = all.iter().find(|c| c.node.byte_range().contains(&assertion.range.start));
    let expected = assertion.expected.as_ref()?;
    // What the test prints in its own words is read by its own format.
    let clash = formatted(source, assertion, &test.clash.text)
        .map_or_else(|| test.clash.clone(), |what| ParsedFailure { what, ..test.clash.clone() });
    let test = &Test { clash: &clash, ..*test };
    match (&clash.what, assertion.op) {
        (FailureKind::Message { wanted, came }, Op::Raises | Op::Matches) => message(source, expected, wanted, came),
        (FailureKind::Compared { first, second, .. }, Op::Equal | Op::Subset | Op::Approx | Op::Length) => {
            if let Some(found) = named_status(source, expected, (first, second)) {
                return Some(found);
            }
            compared(test, located, case, expected)
        }
        _ => None,
    }
}

/// What a Go test prints by `t.Errorf` where its condition does not hold.
#[must_use]
pub fn formatted(source: &Source, assertion: &Assertion, text: &str) -> Option<FailureKind> {
    if source.language != Language::Go {
        return None;
    }
    let node = source.root().descendant_for_byte_range(assertion.range.start, assertion.range.end)?;
    let mut found = None;
    walk(node, |node| {
        let expr = lower(source, node);
        let call = expr.call().filter(|c| matches!(c.name.as_str(), "Errorf" | "Fatalf" | "Logf"));
        if let (Some(call), None) = (call, &found) {
            found = call.arg(0).and_then(Expr::text).and_then(|f| super::format::values(f, text)).map(|values| {
                let args: Vec<String> = call.positional().skip(1).map(|a| plain(source.slice(&a.range))).collect();
                (args, values)
            });
        }
        found.is_none()
    });
    let (args, values) = found.filter(|(args, values)| args.len() == values.len())?;
    let expected = assertion.expected.as_ref().map(|e| plain(source.slice(&e.range)));
    let at = |wanted: &str| args.iter().position(|a| a == wanted);
    let actual = at(&assertion.subject).or_else(|| at("got")).or((args.len() == 1).then_some(0))?;
    let wanted = expected.as_deref().and_then(at).or_else(|| (0..args.len()).find(|n| *n != actual));
    let first = wanted.and_then(|n| values.get(n).cloned()).unwrap_or(Value::Bare(String::new()));
    let second = values[actual].clone();
    // `%#v` and `%q` print quotes, `%v` does not.
    let quotes_shown = [&first, &second].into_iter().any(has_text);
    Some(FailureKind::Compared { first, second, quotes_shown })
}

fn has_text(value: &Value) -> bool {
    match value {
        Value::Text(_) => true,
        Value::List(items) => items.iter().any(has_text),
        Value::Map(entries) => entries.iter().any(|(_, v)| has_text(v)),
        _ => false,
    }
}

/// What stands in `Some(…)`, `Ok(…)`, `Err(…)` on both sides.
fn unwrapped(expected: &Expr, clash: &ParsedFailure) -> Option<(Expr, ParsedFailure)> {
    let call = expected.call().filter(|c| matches!(c.name.as_str(), "Some" | "Ok" | "Err"))?;
    let FailureKind::Compared { first, second, quotes_shown } = &clash.what else { return None };
    let inner = |v: &Value| match v {
        Value::Bare(text) => {
            let inside = text.strip_prefix(&format!("{}(", call.name))?.strip_suffix(')')?;
            Some(repr_parser::read(inside))
        }
        _ => None,
    };
    let what = FailureKind::Compared { first: inner(first)?, second: inner(second)?, quotes_shown: *quotes_shown };
    Some((call.arg(0)?.clone(), ParsedFailure { what, ..clash.clone() }))
}

/// Names that say nothing about what they hold.
const VAGUE: &[&str] =
    &["got", "actual", "result", "res", "value", "out", "x", "r", "v", "received", "found", "a", "output"];

/// What an assertion looks at: for a name that says nothing, what it was given.
#[must_use]
pub fn subject_of(source: &Source, case: Option<&TestFn<'_>>, assertion: &Assertion) -> String {
    let subject = assertion.subject.trim();
    let given = case.filter(|_| VAGUE.contains(&subject)).and_then(|c| {
        literal_tracing::last_assigned(source, c.node, subject, assertion.range.end).map(|n| plain(source.of(n)))
    });
    given.unwrap_or_else(|| subject.to_owned())
}

fn compared(test: &Test<'_>, located: &Located, case: Option<&TestFn<'_>>, expected: &Expr) -> Option<Candidate> {
    let Located { source, assertion } = located;
    if let Some((inner, clash)) = unwrapped(expected, test.clash) {
        return compared(&Test { clash: &clash, ..*test }, located, case, &inner);
    }
    let (first, second) = test.clash.pair()?;
    let around = TraceContext {
        sources: test.sources,
        source,
        case,
        at: assertion.range.start,
        name: test.name,
        printed: vec![first.clone(), second.clone()],
    };
    let found = literal_tracing::literal(expected, &around)?;
    let (actual, quotes_shown) = test.clash.actual(&found.literal)?;
    let terms = Terms { quotes_shown, subset: assertion.op == Op::Subset };
    let changes = value_diff::compare(&found.literal, actual, terms);
    if changes.is_empty() {
        return None;
    }
    let edits = changes.iter().map(|c| edit::of_change(&found.source, c)).collect::<Option<Vec<_>>>()?;
    let subject = field_of(&subject_of(source, case, assertion));
    let parts = changes.iter().map(|c| part(&found.source, c, assertion, &subject)).collect();
    Some(Candidate { path: found.source.path.clone(), edits, parts })
}

/// What a change is, for judging it.
fn part(source: &Source, change: &Change, assertion: &Assertion, subject: &str) -> Part {
    let named = change.path().iter().rev().find(|p| p.parse::<usize>().is_err());
    let field = named.cloned().unwrap_or_else(|| subject.to_owned());
    let made = |kind, old: String, new: String, came| Part { kind, field: field.clone(), old, new, came };
    match change {
        Change::Replace { old, new, .. } => {
            let before = value::of(old);
            let shown = |v: &Value| v.shown().unwrap_or_else(|| v.kind().to_owned());
            let was = before.as_ref().and_then(Value::shown).unwrap_or_else(|| source.slice(&old.range).to_owned());
            let kind = kind_of(before.as_ref(), new, &field, assertion);
            made(kind, was, shown(new), Some(new.clone()))
        }
        Change::Rename { old, new, .. } => made(EditKind::RenamedKey, old.clone(), new.clone(), None),
        Change::Add { key, value, .. } => made(EditKind::AddedMember, String::new(), key.clone(), Some(value.clone())),
        Change::Remove { .. } => made(EditKind::RemovedMember, field.clone(), String::new(), None),
        Change::AddItem { value, .. } => {
            let new = value.shown().unwrap_or_else(|| value.kind().to_owned());
            made(EditKind::AddedMember, String::new(), new, Some(value.clone()))
        }
        Change::RemoveItem { list, index, .. } => {
            let item = match &list.kind {
                Kind::List(items) => {
                    items.get(*index).map(|i| source.slice(&i.range).trim_matches(['"', '\'']).to_owned())
                }
                _ => None,
            };
            made(EditKind::RemovedMember, item.unwrap_or_default(), String::new(), None)
        }
        Change::Reorder { .. } => made(EditKind::Order, String::new(), String::new(), None),
    }
}

fn kind_of(old: Option<&Value>, new: &Value, field: &str, assertion: &Assertion) -> EditKind {
    let lower = format!("{field} {} {}", assertion.subject, assertion.form).to_ascii_lowercase();
    match (old, new) {
        (Some(Value::Number(a)), Value::Number(b)) if is_status(a) && is_status(b) && is_about_status(&lower) => {
            EditKind::Status
        }
        (Some(Value::Text(a)), Value::Text(b)) => {
            let speaks =
                ["message", "error", "detail", "reason", "title", "msg", "throw"].iter().any(|w| lower.contains(w));
            let sentence = a.trim().contains(' ') && b.trim().contains(' ');
            if speaks || sentence { EditKind::Message } else { EditKind::Literal }
        }
        (Some(a), b) if std::mem::discriminant(a) != std::mem::discriminant(b) => EditKind::Type,
        _ => EditKind::Literal,
    }
}

fn is_status(number: &str) -> bool {
    number.len() == 3 && number.starts_with(|c: char| ('1'..='5').contains(&c))
}

fn is_about_status(text: &str) -> bool {
    ["status", "code", "expect", "isok"].iter().any(|w| text.contains(w))
}

/// Functions that only look at a value in another form.
const WRAPPERS: &[&str] =
    &["len", "str", "int", "list", "sorted", "set", "dict", "float", "round", "String", "Number", "bool", "tuple"];

/// Methods that look a name up.
const ACCESSORS: &[&str] = &[
    "get",
    "getString",
    "getInt",
    "getLong",
    "getBoolean",
    "path",
    "at",
    "opt",
    "optString",
    "fetch",
    "dig",
    "jsonPath",
    "read",
    "header",
];

/// The last name in a subject: `email` in `response.json()["user"]["email"]`,
/// `total` in `total(items)`.
#[must_use]
pub fn field_of(subject: &str) -> String {
    let mut text = subject.trim();
    while let Some(before) = text.strip_suffix(')') {
        // What is called is looked at, not what it is called with.
        let mut depth = 1;
        let open = before.char_indices().rev().find(|(_, c)| {
            depth += i32::from(*c == ')') - i32::from(*c == '(');
            depth == 0
        });
        let Some((at, _)) = open else { break };
        let name = last_name(&before[..at]);
        if WRAPPERS.contains(&name.as_str()) && before.len() > at + 1 {
            text = before[at + 1..].trim();
            continue;
        }
        let inner = before[at + 1..].trim();
        if ACCESSORS.contains(&name.as_str()) && inner.starts_with(['"', '\'', ':']) && !inner.contains(',') {
            return last_name(inner);
        }
        // `body "size()"` names a path; `(x)` is what it holds.
        if name.is_empty() {
            text = before[at + 1..].trim();
            continue;
        }
        return name;
    }
    last_name(text)
}

fn last_name(text: &str) -> String {
    let trimmed = text.trim_end_matches([')', '(', ']', '"', '\'', ' ', ';', '?', '!', ':']);
    let start =
        trimmed.char_indices().rev().take_while(|(_, c)| c.is_alphanumeric() || matches!(c, '_' | '-' | '$')).last();
    start.map_or(String::new(), |(at, _)| trimmed[at..].to_owned())
}

/// Names of statuses in the libraries of many languages.
const STATUSES: &[(u16, &str)] = &[
    (200, "OK"),
    (201, "CREATED"),
    (202, "ACCEPTED"),
    (203, "NON_AUTHORITATIVE_INFORMATION"),
    (204, "NO_CONTENT"),
    (205, "RESET_CONTENT"),
    (206, "PARTIAL_CONTENT"),
    (301, "MOVED_PERMANENTLY"),
    (302, "FOUND"),
    (303, "SEE_OTHER"),
    (304, "NOT_MODIFIED"),
    (307, "TEMPORARY_REDIRECT"),
    (308, "PERMANENT_REDIRECT"),
    (400, "BAD_REQUEST"),
    (401, "UNAUTHORIZED"),
    (402, "PAYMENT_REQUIRED"),
    (403, "FORBIDDEN"),
    (404, "NOT_FOUND"),
    (405, "METHOD_NOT_ALLOWED"),
    (406, "NOT_ACCEPTABLE"),
    (409, "CONFLICT"),
    (410, "GONE"),
    (412, "PRECONDITION_FAILED"),
    (413, "PAYLOAD_TOO_LARGE"),
    (415, "UNSUPPORTED_MEDIA_TYPE"),
    (422, "UNPROCESSABLE_ENTITY"),
    (429, "TOO_MANY_REQUESTS"),
    (500, "INTERNAL_SERVER_ERROR"),
];

/// `StatusCode::OK` → `StatusCode::CREATED`, `http.StatusOK` → `http.StatusCreated`,
/// `status.HTTP_200_OK`, `isOk`, `:ok`.
fn named_status(source: &Source, expected: &Expr, pair: (&Value, &Value)) -> Option<Candidate> {
    let written = source.slice(&expected.range).to_owned();
    let symbol = written.starts_with(':') && source.language == Language::Ruby;
    if !matches!(expected.kind, Kind::Name(_)) && !symbol {
        return None;
    }
    let word = written.rsplit(['.', ':', '\\']).next().unwrap_or(&written).to_owned();
    let (old, _) = STATUSES.iter().find(|(code, name)| spellings(*code, name).contains(&word))?;
    let code = |v: &Value| v.shown().and_then(|s| s.split(' ').next()?.parse::<u16>().ok());
    let came = [pair.0, pair.1].into_iter().filter_map(code).find(|c| c != old)?;
    let (_, name) = STATUSES.iter().find(|(code, _)| *code == came)?;
    let style =
        STATUSES.iter().find(|(c, _)| c == old).and_then(|(c, n)| spellings(*c, n).iter().position(|s| *s == word))?;
    let new = spellings(came, name).get(style)?.clone();
    let range = expected.range.end - word.len()..expected.range.end;
    let part = Part {
        kind: EditKind::Status,
        field: "status".to_owned(),
        old: old.to_string(),
        new: came.to_string(),
        came: Some(Value::Number(came.to_string())),
    };
    Some(Candidate { path: source.path.clone(), edits: vec![Edit::new(range, new)], parts: vec![part] })
}

/// How a status is written: `NOT_FOUND`, `HTTP_404_NOT_FOUND`, `HTTP_NOT_FOUND`,
/// `StatusNotFound`, `isNotFound`, `NotFound`, `not_found`.
fn spellings(code: u16, name: &str) -> Vec<String> {
    let camel: String = name
        .split('_')
        .map(|w| if w == "OK" { "OK".to_owned() } else { format!("{}{}", &w[..1], w[1..].to_ascii_lowercase()) })
        .collect();
    vec![
        name.to_owned(),
        format!("HTTP_{code}_{name}"),
        format!("HTTP_{name}"),
        format!("Status{camel}"),
        format!("is{}", camel.replace("OK", "Ok")),
        camel.replace("OK", "Ok"),
        name.to_ascii_lowercase(),
    ]
}

/// A message in `raises(match=…)`, `toThrow(…)`: the new one in the form of the old.
fn message(source: &Source, expected: &Expr, wanted: &str, came: &str) -> Option<Candidate> {
    let Kind::Text { value, .. } = &expected.kind else { return None };
    if value != wanted || came.trim().is_empty() || came.contains('\n') {
        return None;
    }
    let is_pattern = matches!(source.language, Language::Python);
    let text = if is_pattern { escaped(came) } else { came.to_owned() };
    let change = Change::Replace { path: Vec::new(), old: expected.clone(), new: Value::Text(text) };
    let part = Part {
        kind: EditKind::Message,
        field: "message".to_owned(),
        old: wanted.to_owned(),
        new: came.to_owned(),
        came: Some(Value::Text(came.to_owned())),
    };
    let edit = edit::of_change(source, &change)?;
    Some(Candidate { path: source.path.clone(), edits: vec![edit], parts: vec![part] })
}

/// A text as a pattern that fits it and nothing else.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if "\\^$.|?*+()[]{}".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields() {
        let table = [
            ("response.json()[\"user\"][\"email\"]", "email"),
            ("res.body.name", "name"),
            ("user.getName()", "getName"),
            ("status", "status"),
            ("total(items)", "total"),
            ("api.user(1).get(\"email\")", "email"),
            ("len(response.json[\"users\"])", "users"),
            ("body \"size()\"", "size"),
            ("", ""),
        ];
        for (subject, field) in table {
            assert_eq!(field_of(subject), field, "{subject}");
        }
    }

    #[test]
    fn statuses() {
        assert!(spellings(404, "NOT_FOUND").contains(&"StatusNotFound".to_owned()));
        assert!(spellings(200, "OK").contains(&"isOk".to_owned()));
        assert_eq!(escaped("a (b)."), "a \\(b\\)\\.");
    }
}
