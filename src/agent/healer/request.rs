//! What a test sends: a field that is required now, a path that moved.

use std::rc::Rc;

use super::failure::FailureKind;
use super::literal_tracing::{self, TraceContext};
use super::propose::located;
use super::{Candidate, Part, Test};
use crate::code::edit::{self, Edit};
use crate::code::expr::{Expr, Kind};
use crate::code::literal_writer::LiteralStyle;
use crate::code::lower::lower;
use crate::code::source::{Source, walk};
use crate::code::test_discovery::{self, TestFn};
use crate::code::value::{self, Value};
use crate::ingest::source_location::is_test_path;
use crate::model::change::FileChange;
use crate::model::heal::EditKind;

/// Candidates that one failure gets.
const MOST: usize = 3;

/// The statuses of a clash, expected first; `None` where it is about something else.
fn statuses(test: &Test<'_>) -> Option<(u16, u16)> {
    let FailureKind::Compared { first, second, .. } = &test.clash.what else { return None };
    // `201 Created`, and `201: name is missing` where a message goes on.
    let code = |v: &Value| {
        let shown = v.shown()?;
        let digits = shown.split([' ', ':', ',', ';']).next()?;
        digits.parse::<u16>().ok().filter(|n| (100..600).contains(n))
    };
    Some((code(first)?, code(second)?))
}

/// Whether a request that was fine is refused for what it lacks.
fn is_refused(test: &Test<'_>) -> bool {
    let either = statuses(test).is_some_and(|(a, b)| {
        let (good, bad) = if a < b { (a, b) } else { (b, a) };
        (200..300).contains(&good) && matches!(bad, 400 | 422)
    });
    either || test.clash.text.contains("missing 1 required")
}

/// Edits that send a field which the change made required.
#[must_use]
pub fn payloads(test: &Test<'_>) -> Vec<Candidate> {
    if !is_refused(test) {
        return Vec::new();
    }
    let Some((source, at)) = place(test) else { return Vec::new() };
    let all = test_discovery::find(&source);
    let Some(case) = all.iter().find(|c| c.node.byte_range().contains(&at)) else { return Vec::new() };
    let mut found = Vec::new();
    for (map_source, map) in sent(test, &source, case, at) {
        let Kind::Map { entries, .. } = &map.kind else { continue };
        let keys: Vec<&str> = entries.iter().map(|e| e.key.as_str()).collect();
        for (field, kind) in required_fields(test, &keys) {
            let (value, like) = value_for(test, &map_source, &field, kind);
            let write = |beside: Option<&Expr>| match &like {
                Some(written) => Some(written.clone()),
                None => {
                    LiteralStyle { language: map_source.language, text: &map_source.text, like: beside }.write(&value)
                }
            };
            let Some(edit) = edit::add_entry(&map_source, &map, &field, &write) else { continue };
            let part =
                Part { kind: EditKind::Payload, field: field.clone(), old: String::new(), new: field, came: None };
            found.push(Candidate { path: map_source.path.clone(), edits: vec![edit], parts: vec![part] });
            if found.len() == MOST {
                return found;
            }
        }
    }
    found
}

/// The file and the byte of the failing line.
fn place(test: &Test<'_>) -> Option<(Rc<Source>, usize)> {
    if let Some(found) = located(test).into_iter().next() {
        return Some((found.source, found.assertion.range.start));
    }
    let (file, line) = test.clash.places.iter().find(|(f, _)| is_test_path(f))?;
    let source = test.sources.source(&super::propose::resolve(test, file)?)?;
    let range = source.line(*line);
    Some((source, range.end))
}

/// Maps that the test sends before byte `at`, the nearest first: arguments of
/// calls that are no assertions, also behind a name.
fn sent(test: &Test<'_>, source: &Rc<Source>, case: &TestFn<'_>, at: usize) -> Vec<(Rc<Source>, Expr)> {
    let mut found: Vec<(usize, Rc<Source>, Expr)> = Vec::new();
    let asserted: Vec<_> = crate::code::assertion::find(source, case.node);
    walk(case.node, |node| {
        let expr = lower(source, node);
        let Some(call) = expr.call().filter(|_| node.start_byte() <= at) else { return true };
        let is_assertion = asserted
            .iter()
            .any(|a| a.range == expr.range || a.range.start == expr.range.start && a.form.contains("assert"));
        if is_assertion || matches!(call.name.as_str(), "expect" | "assertThat" | "parametrize" | "each") {
            return true;
        }
        for arg in &call.args {
            let around = TraceContext {
                sources: test.sources,
                source,
                case: Some(case),
                at,
                name: test.name,
                printed: Vec::new(),
            };
            let inner = arg.value.call().filter(|c| c.name == "stringify" || c.name == "dumps").and_then(|c| c.arg(0));
            let literal = literal_tracing::literal(inner.unwrap_or(&arg.value), &around);
            if let Some(l) =
                literal.filter(|l| matches!(&l.literal.kind, Kind::Map { entries, .. } if !entries.is_empty()))
            {
                found.push((node.end_byte(), l.source, l.literal));
            }
        }
        true
    });
    found.sort_by_key(|(end, ..)| std::cmp::Reverse(*end));
    let mut kept: Vec<(Rc<Source>, Expr)> = Vec::new();
    for (_, source, map) in found {
        if !kept.iter().any(|(s, m)| s.path == source.path && m.range == map.range) {
            kept.push((source, map));
        }
    }
    kept
}

/// What the type of a field is, as far as a changed line tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FieldType {
    Text,
    Integer,
    Number,
    Truth,
    List,
    Unknown,
}

/// Fields that the change mentions newly and that the test does not send, the
/// likeliest first: those that the failure's text names, then those that a
/// changed line declares or requires.
fn required_fields(test: &Test<'_>, sent: &[&str]) -> Vec<(String, FieldType)> {
    let mut found: Vec<(i32, String, FieldType)> = Vec::new();
    for file in test.change.iter().filter(|f| !is_test_path(&f.path)) {
        for line in &file.added {
            for (name, kind, weight) in fields_in(line) {
                let is_old = file.removed.iter().any(|r| r.contains(name.as_str()));
                if sent.contains(&name.as_str()) || is_old {
                    continue;
                }
                let named = if test.clash.text.contains(name.as_str()) { 4 } else { 0 };
                match found.iter_mut().find(|(_, n, _)| *n == name) {
                    Some(known) => {
                        known.0 += weight;
                        if known.2 == FieldType::Unknown {
                            known.2 = kind;
                        }
                    }
                    None => found.push((weight + named, name, kind)),
                }
            }
        }
    }
    found.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    found.into_iter().take(MOST).map(|(_, name, kind)| (name, kind)).collect()
}

/// Names of fields in a line of product code or of a description, with their
/// type and how clearly the line makes them a field.
fn fields_in(line: &str) -> Vec<(String, FieldType, i32)> {
    let mut found = Vec::new();
    let quoted = line.split(['"', '\'', '`']).skip(1).step_by(2);
    let required = line.contains("required") || line.contains(" in ") || line.contains("not ") || line.contains('!');
    for name in quoted.filter(|n| is_name(n)) {
        found.push((name.to_owned(), type_in(line), if required { 3 } else { 2 }));
    }
    // `currency: str`, `String currency`, `Currency string`, `body.currency`.
    let trimmed = line.trim().trim_start_matches("- ");
    if let Some((name, rest)) = trimmed.split_once(':')
        && is_name(name)
        && !rest.trim().is_empty()
    {
        found.push((name.to_owned(), type_in(rest), 2));
    }
    for lead in ["body.", "payload.", "data.", "request.", "req.body."] {
        for (at, _) in line.match_indices(lead) {
            let name: String =
                line[at + lead.len()..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if is_name(&name) && !matches!(name.as_str(), "get" | "json" | "body") {
                found.push((name, type_in(line), if required { 3 } else { 1 }));
            }
        }
    }
    found
}

fn is_name(text: &str) -> bool {
    (2..=40).contains(&text.len())
        && text.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_alphanumeric() || c == '_')
}

fn type_in(text: &str) -> FieldType {
    let lower = text.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|w| lower.split(|c: char| !c.is_alphanumeric()).any(|p| p == *w));
    if has(&["list", "array", "vec"]) {
        FieldType::List
    } else if has(&["bool", "boolean"]) {
        FieldType::Truth
    } else if has(&["int", "integer", "long", "i64", "i32", "u32", "u64", "int64"]) {
        FieldType::Integer
    } else if has(&["float", "double", "decimal", "number", "f64"]) {
        FieldType::Number
    } else if has(&["str", "string", "text"]) {
        FieldType::Text
    } else {
        FieldType::Unknown
    }
}

/// A value for a field: as sister tests write it, else by what a description
/// gives as an example, else a plain one of its type.
fn value_for(test: &Test<'_>, source: &Source, field: &str, kind: FieldType) -> (Value, Option<String>) {
    if let Some(written) = in_sisters(test, source, field) {
        return (Value::Null, Some(written));
    }
    if let Some(example) = in_descriptions(test.change, field) {
        return (example, None);
    }
    let plain = match kind {
        FieldType::Integer => Value::Number("1".to_owned()),
        FieldType::Number => Value::Number("1.5".to_owned()),
        FieldType::Truth => Value::Bool(true),
        FieldType::List => Value::List(Vec::new()),
        FieldType::Text | FieldType::Unknown => Value::Text("test".to_owned()),
    };
    (plain, None)
}

/// Test files that are searched for sisters.
const SISTERS: usize = 300;

/// How other tests in the same language send the field.
fn in_sisters(test: &Test<'_>, source: &Source, field: &str) -> Option<String> {
    let others = test.sources.files.iter().filter(|f| is_test_path(f));
    let same = others.filter(|f| crate::code::language::Language::of_path(f) == Some(source.language)).take(SISTERS);
    for path in same {
        if !test.sources.text(path).is_some_and(|t| t.contains(field)) {
            continue;
        }
        let Some(sister) = test.sources.source(path) else { continue };
        let mut found = None;
        walk(sister.root(), |node| {
            if let Kind::Map { entries, .. } = lower(&sister, node).kind {
                let entry = entries.iter().find(|e| {
                    e.key == field && e.value.is_literal() && value::of(&e.value).is_some_and(|v| !v.is_nothing())
                });
                found = found.take().or_else(|| entry.map(|e| sister.slice(&e.value.range).to_owned()));
            }
            found.is_none()
        });
        if found.is_some() {
            return found;
        }
    }
    None
}

/// `example:`, `default:` or `enum:` near the field in changed lines of a description.
fn in_descriptions(change: &[FileChange], field: &str) -> Option<Value> {
    for file in change.iter().filter(|f| is_description(&f.path)) {
        let at = file.added.iter().position(|l| l.contains(field))?;
        for line in file.added.iter().skip(at).take(8) {
            for word in ["example", "default", "enum"] {
                let Some((_, rest)) = line.split_once(word) else { continue };
                let value = rest.trim_start_matches(['"', '\'', ':', ' ']).trim_end_matches([',', ' ']);
                let read = crate::code::repr_parser::read(value);
                let read = match read {
                    Value::List(items) => items.into_iter().next()?,
                    Value::Bare(text) => Value::Text(text),
                    other => other,
                };
                if !read.is_nothing() {
                    return Some(read);
                }
            }
        }
    }
    None
}

fn is_description(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    ["openapi", "swagger", "schema", "api."].iter().any(|w| lower.contains(w))
        && [".yaml", ".yml", ".json"].iter().any(|e| lower.ends_with(e))
}

/// Edits of a path that the change moved.
#[must_use]
pub fn paths(test: &Test<'_>) -> Vec<Candidate> {
    let moved = moved_routes(test.change);
    if moved.is_empty() {
        return Vec::new();
    }
    let Some((source, at)) = place(test) else { return Vec::new() };
    let all = test_discovery::find(&source);
    let Some(case) = all.iter().find(|c| c.node.byte_range().contains(&at)) else { return Vec::new() };
    let mut found = Vec::new();
    walk(case.node, |node| {
        if let Kind::Text { value, inside } = lower(&source, node).kind {
            let new = moved.iter().find_map(|(old, new)| rewritten(&value, old, new));
            if let Some(new) = new.filter(|_| value.starts_with('/')) {
                let part =
                    Part { kind: EditKind::Path, field: "path".to_owned(), old: value, new: new.clone(), came: None };
                found.push(Candidate {
                    path: source.path.clone(),
                    edits: vec![Edit::new(inside, new)],
                    parts: vec![part],
                });
            }
            return false;
        }
        true
    });
    // One cause, one edit: all paths of the test that moved, together.
    let Some(mut first) = found.pop() else { return Vec::new() };
    for other in found {
        first.edits.extend(other.edits);
        first.parts.extend(other.parts);
    }
    vec![first]
}

/// Pairs of routes, old and new, of lines that differ in nothing else.
#[must_use]
pub fn moved_routes(change: &[FileChange]) -> Vec<(String, String)> {
    let routes = |line: &str| -> Vec<String> {
        line.split(['"', '\'', '`'])
            .skip(1)
            .step_by(2)
            .filter(|t| t.starts_with('/') && t.len() > 1)
            .map(str::to_owned)
            .collect()
    };
    let mut found = Vec::new();
    for file in change.iter().filter(|f| !is_test_path(&f.path)) {
        for removed in &file.removed {
            for old in routes(removed) {
                for added in &file.added {
                    for new in routes(added) {
                        if old != new && removed.replace(&old, "") == added.replace(&new, "") {
                            found.push((old.clone(), new));
                        }
                    }
                }
            }
        }
    }
    found
}

/// `path` (of the old route, or below it) under the new route.
fn rewritten(path: &str, old: &str, new: &str) -> Option<String> {
    let is_hole = |s: &str| s.starts_with(['{', ':', '<', '$', '*']);
    let split = |p: &str| p.split('/').map(str::to_owned).collect::<Vec<_>>();
    let (bare, query) = path.find('?').map_or((path, ""), |at| path.split_at(at));
    let (parts, from, to) = (split(bare), split(old), split(new));
    if parts.len() < from.len() {
        return None;
    }
    let mut held = Vec::new();
    for (part, wanted) in parts.iter().zip(&from) {
        if is_hole(wanted) {
            held.push(part.clone());
        } else if part != wanted {
            return None;
        }
    }
    let mut held = held.into_iter();
    let mut out: Vec<String> = Vec::new();
    for part in &to {
        out.push(if is_hole(part) { held.next()? } else { part.clone() });
    }
    out.extend(parts[from.len()..].iter().cloned());
    Some(out.join("/") + query)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes() {
        assert_eq!(
            rewritten("/users/7/x?a=1", "/users/{id}", "/v2/people/{id}").as_deref(),
            Some("/v2/people/7/x?a=1")
        );
        assert_eq!(rewritten("/orders/7", "/users/{id}", "/v2/users/{id}"), None);
        let change = [FileChange {
            path: "app.py".into(),
            removed: vec!["@app.get(\"/users\")".into()],
            added: vec!["@app.get(\"/people\")".into()],
            ..FileChange::default()
        }];
        assert_eq!(moved_routes(&change), [("/users".to_owned(), "/people".to_owned())]);
    }

    #[test]
    fn fields() {
        let table = [
            ("    currency: str", "currency", FieldType::Text),
            ("    if \"currency\" not in body:", "currency", FieldType::Unknown),
            ("  if (!req.body.currency) {", "currency", FieldType::Unknown),
            ("        amount: integer", "amount", FieldType::Integer),
        ];
        for (line, name, kind) in table {
            let found = fields_in(line);
            assert!(found.iter().any(|(n, k, _)| n == name && *k == kind), "{line}: {found:?}");
        }
    }
}
