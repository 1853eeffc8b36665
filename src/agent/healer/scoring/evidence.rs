//! What the change says about a value: where the old one went and the new one came from.

use crate::agent::healer::Part;
use crate::code::value::Value;
pub(super) use crate::diagnose::suspects::holds as has;
use crate::ingest::source_location::{is_prose, is_test_path};
use crate::model::change::FileChange;
use crate::model::heal::EditKind;

/// A value that proves something by standing in a diff.
pub(super) fn is_distinctive(value: &str) -> bool {
    let bare = value.trim();
    let common = [
        "true",
        "false",
        "none",
        "null",
        "nil",
        "undefined",
        "a text",
        "a list",
        "an object",
        "a number",
        "name",
        "id",
    ];
    let number = bare.parse::<f64>().is_ok();
    (bare.len() >= 3 || (number && bare.len() >= 2))
        && bare.len() <= 400
        && !common[..10].contains(&bare.to_ascii_lowercase().as_str())
        || matches!(bare, "id" | "ok")
}

/// How clearly a changed file puts the new value in the place of the old one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Swap {
    /// The old one is in no line that came, the new one in none that went.
    Clear,
    /// There is less of the old and more of the new, but both stand on both sides:
    /// a condition may have been turned as well.
    Mixed,
    /// Nothing of the kind.
    None,
}

/// See [`Swap`]. `a if x else b` that becomes `a if not x else b` holds both
/// values before and after: that is no evidence for anything.
pub(super) fn replacement(file: &FileChange, part: &Part) -> Swap {
    let (old, new) = (part.old.as_str(), part.new.as_str());
    if !is_distinctive(old) || !is_distinctive(new) || !removes(file, old, part) || !adds(file, new, part) {
        return Swap::None;
    }
    let count = |lines: &[String], value: &str| lines.iter().filter(|l| has(l, value)).count();
    let (old_came, new_went) = (count(&file.added, old), count(&file.removed, new));
    if old_came == 0 && new_went == 0 {
        return Swap::Clear;
    }
    let less = count(&file.removed, old) > old_came;
    let more = count(&file.added, new) > new_went;
    if less && more { Swap::Mixed } else { Swap::None }
}

/// Whether a changed file loses a value.
pub(super) fn removes(file: &FileChange, old: &str, part: &Part) -> bool {
    file.removed.iter().any(|l| has(l, old) || (part.kind == EditKind::Message && words_of(l, old, &part.new)))
}

/// Whether a changed file gains a value.
pub(super) fn adds(file: &FileChange, new: &str, part: &Part) -> bool {
    file.added.iter().any(|l| has(l, new) || (part.kind == EditKind::Message && words_of(l, new, &part.old)))
}

/// Whether a line holds all words that a message has and the other one has not:
/// the words that were changed must stand in the change, what is inserted into
/// both need not.
fn words_of(line: &str, message: &str, other: &str) -> bool {
    let split = |text: &str| -> Vec<String> {
        text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(str::to_lowercase).collect()
    };
    let (own, others, line) = (split(message), split(other), split(line));
    let changed: Vec<&String> = own.iter().filter(|w| !others.contains(w)).collect();
    let kept = own.iter().filter(|w| line.contains(w)).count();
    let odd = ["none", "null", "undefined", "nan", "object"];
    let fine = !changed.is_empty() && changed.iter().all(|w| line.contains(w) && !odd.contains(&w.as_str()));
    // A message that only lost words has none of its own.
    let shortened = changed.is_empty() && own.len() >= 2 && kept == own.len();
    (fine || shortened) && kept * 2 >= own.len()
}

/// Whether changed lines of a file name a field.
pub(super) fn touches(file: &FileChange, field: &str) -> bool {
    file.removed.iter().chain(&file.added).any(|l| has(l, field))
}

/// Words with which code makes a text, a number, a truth value.
const TO_TEXT: &[&str] = &[
    "str(",
    "String(",
    "toString",
    "to_s",
    "strconv.Itoa",
    "Sprint",
    "isoformat",
    "toISOString",
    "toFixed",
    "String.valueOf",
    "to_string",
    "format!(",
    "format(",
    "f\"",
    "f'",
    "`${",
    "FormatInt",
    "+ \"\"",
];
const TO_NUMBER: &[&str] = &[
    "int(",
    "Number(",
    "parseInt",
    "parseFloat",
    "float(",
    "Decimal(",
    "to_i",
    "to_f",
    "round(",
    "Integer.",
    "Atoi",
    "parse()",
    "Math.round",
    "intval",
    "ParseInt",
    "Long.",
];
const TO_TRUTH: &[&str] = &["bool(", "Boolean(", "!!", "is True", "== "];

/// Whether a change converts a field to the type that came, where it did not before.
pub(super) fn converts(file: &FileChange, field: &str, came: Option<&Value>) -> bool {
    let (words, types): (&[&str], &[&str]) = match came {
        Some(Value::Text(_) | Value::Bare(_)) => (TO_TEXT, &["str", "string", "String", "text"]),
        Some(Value::Number(_)) => {
            (TO_NUMBER, &["int", "integer", "number", "float", "Integer", "long", "int64", "Decimal"])
        }
        Some(Value::Bool(_)) => (TO_TRUTH, &["bool", "boolean", "Boolean"]),
        Some(Value::List(_)) => (&["[", "list("], &["list", "List", "array", "Vec"]),
        _ => return false,
    };
    let about = |lines: &[String]| lines.iter().filter(|l| has(l, field)).cloned().collect::<Vec<_>>();
    let (before, now) = (about(&file.removed), about(&file.added));
    let count = |lines: &[String], words: &[&str]| {
        lines.iter().map(|l| words.iter().map(|w| l.matches(w).count()).sum::<usize>()).sum::<usize>()
    };
    let typed = |lines: &[String]| lines.iter().any(|l| types.iter().any(|t| has(l, t)));
    // A literal in the place of another is a conversion as well.
    let quoted = |lines: &[String]| count(lines, &["\"", "'"]);
    let literal = matches!(came, Some(Value::Text(text)) if is_distinctive(text) && now.iter().any(|l| has(l, text)))
        && quoted(&now) > quoted(&before);
    !before.is_empty() && (count(&now, words) > count(&before, words) || (typed(&now) && !typed(&before)) || literal)
}

/// Whether a specification says what a part says: the new value or name, near
/// the field or in the place of the old one.
pub(super) fn documents(file: &FileChange, part: &Part) -> bool {
    let new = if part.kind == EditKind::RemovedMember { part.old.as_str() } else { part.new.as_str() };
    if !is_distinctive(new) {
        return part.kind == EditKind::Type && type_said(file, part);
    }
    match part.kind {
        EditKind::RemovedMember => {
            file.removed.iter().any(|l| has(l, new)) && !file.added.iter().any(|l| has(l, new))
                || file.added.iter().any(|l| {
                    has(l, new)
                        && ["remov", "gone", "no longer", "drop"].iter().any(|w| l.to_ascii_lowercase().contains(w))
                })
        }
        EditKind::Type => type_said(file, part) || adds(file, new, part),
        EditKind::Literal | EditKind::Message => {
            let old_is_there = removes(file, &part.old, part) || file.added.iter().any(|l| has(l, &part.old));
            // A value of four signs stands nowhere by chance.
            adds(file, new, part) && (new.trim().len() >= 4 || old_is_there || touches(file, &part.field))
        }
        _ => adds(file, new, part),
    }
}

/// Whether a specification changes the type of the field.
fn type_said(file: &FileChange, part: &Part) -> bool {
    let words: &[&str] = match part.came.as_ref() {
        Some(Value::Text(_) | Value::Bare(_)) => &["string", "text", "str"],
        Some(Value::Number(_)) => &["number", "integer", "int", "float", "decimal"],
        Some(Value::Bool(_)) => &["boolean", "bool"],
        Some(Value::List(_)) => &["array", "list"],
        Some(Value::Map(_)) => &["object"],
        _ => return false,
    };
    let typed = |l: &String| words.iter().any(|w| has(&l.to_ascii_lowercase(), w));
    is_distinctive(&part.field) && file.added.iter().any(|l| has(l, &part.field) && typed(l))
        || file.added.iter().any(|l| l.contains("type") && typed(l)) && file.removed.iter().any(|l| l.contains("type"))
}

pub(super) fn announces(subject: &str, part: &Part) -> bool {
    let lower = subject.to_ascii_lowercase();
    let names = |v: &str| is_distinctive(v) && lower.contains(&v.to_ascii_lowercase());
    names(&part.field) || names(&part.new) || lower.contains("breaking") || subject.contains("!:")
}

pub(super) fn is_product(path: &str) -> bool {
    !is_test_path(path) && !is_prose(path) && !is_lock(path) && !path.starts_with(".github/") && !is_description(path)
}

pub(super) fn is_description(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    ["openapi", "swagger", ".proto", ".graphql", "schema.json", "asyncapi"].iter().any(|w| lower.contains(w))
}

pub(super) fn is_specification(path: &str) -> bool {
    !is_test_path(path) && (is_prose(path) || is_description(path))
}

pub(super) fn is_lock(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    name.ends_with(".lock")
        || matches!(
            name.as_str(),
            "package-lock.json"
                | "pnpm-lock.yaml"
                | "go.sum"
                | "go.mod"
                | "requirements.txt"
                | "package.json"
                | "cargo.toml"
                | "pom.xml"
                | "build.gradle"
        )
}
