//! Snapshots: expectations that a framework wrote and brings up to date by a
//! switch of its own. What the switch changed is read line by line, so that it is
//! weighed like an edit of ours.

use super::Part;
use crate::code::hunks::hunks;
use crate::code::value::Value;
use crate::model::heal::EditKind;

/// Parts that are weighed; a snapshot that changes in more places is a person's.
pub const PARTS: usize = 12;

/// Whether a failure is about a snapshot.
#[must_use]
pub fn is_snapshot(text: &str) -> bool {
    let lower = text.to_lowercase();
    ["snapshot", "tomatchsnapshot", "golden file"].iter().any(|word| lower.contains(word))
}

/// What the switch changed: pairs of lines that differ, lines that came, lines that
/// went. `None` where that cannot be told line by line.
#[must_use]
pub fn parts(old: &str, new: &str) -> Option<Vec<Part>> {
    let mut found = Vec::new();
    for hunk in hunks(old, new)? {
        let (before, after) = paired(&hunk.old, &hunk.new);
        for (before, after) in before.into_iter().zip(after) {
            found.extend(part(before.as_deref(), after.as_deref()));
        }
    }
    (!found.is_empty() && found.len() <= PARTS).then_some(found)
}

type Lines = Vec<Option<String>>;

/// Lines of a hunk side by side: those about the same field, then those that are
/// left in their order.
fn paired(old: &[String], new: &[String]) -> (Lines, Lines) {
    let (mut left, mut right): (Lines, Lines) = (Vec::new(), Vec::new());
    let mut came: Vec<&String> = new.iter().filter(|line| !old.contains(line)).collect();
    let went: Vec<&String> = old.iter().filter(|line| !new.contains(line)).collect();
    // As many as before: one for one. Else a line without its like went or came.
    let one_for_one = went.len() == came.len();
    for line in went {
        let field = field_of(line);
        let same = came.iter().position(|other| field.is_some() && field_of(other) == field);
        let partner = same.or_else(|| (one_for_one && !came.is_empty()).then_some(0));
        left.push(Some(line.clone()));
        right.push(partner.map(|at| came.remove(at).clone()));
    }
    for line in came {
        left.push(None);
        right.push(Some(line.clone()));
    }
    (left, right)
}

fn part(before: Option<&str>, after: Option<&str>) -> Option<Part> {
    let bare = |line: &str| value_of(line).trim().trim_matches(['"', '\'', '`', ',']).to_owned();
    let of = |kind, field: String, old: String, new: String, came| Part { kind, field, old, new, came };
    let named = |line: &str| field_of(line).unwrap_or_else(|| bare(line));
    match (before, after) {
        (Some(old), Some(new)) => {
            let field = field_of(old).unwrap_or_default();
            Some(match field_of(new) {
                Some(other) if !field.is_empty() && other != field && value_of(old) == value_of(new) => {
                    of(EditKind::RenamedKey, String::new(), field, other, None)
                }
                _ => of(EditKind::Snapshot, field, bare(old), bare(new), Some(Value::Text(bare(new)))),
            })
        }
        (Some(old), None) if is_telling(old) => {
            Some(of(EditKind::RemovedMember, String::new(), named(old), String::new(), None))
        }
        (None, Some(new)) if is_telling(new) => {
            Some(of(EditKind::AddedMember, String::new(), String::new(), named(new), Some(Value::Text(bare(new)))))
        }
        _ => None,
    }
}

/// A line of more than brackets.
fn is_telling(line: &str) -> bool {
    line.chars().any(char::is_alphanumeric)
}

/// The name in `"name": value`, `name: value` or `name = value`.
fn field_of(line: &str) -> Option<String> {
    let (name, _) = split(line)?;
    let name = name.trim().trim_matches(['"', '\'']);
    let plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'));
    plain.then(|| name.to_owned())
}

fn value_of(line: &str) -> &str {
    split(line).filter(|_| field_of(line).is_some()).map_or(line, |(_, value)| value)
}

fn split(line: &str) -> Option<(&str, &str)> {
    line.split_once(": ").or_else(|| line.split_once(" = "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_parts() {
        let old = "exports[`a 1`] = `\n{\n  \"email\": \"a@x\",\n  \"id\": 1,\n  \"state\": \"queued\",\n}\n`;\n";
        let table = [
            (old.replace("queued", "pending"), vec![(EditKind::Snapshot, "state", "queued", "pending")]),
            (old.replace("email", "mail"), vec![(EditKind::RenamedKey, "", "email", "mail")]),
            (old.replace("  \"id\": 1,\n", ""), vec![(EditKind::RemovedMember, "", "id", "")]),
            (
                old.replace("  \"id\": 1,\n", "  \"id\": 1,\n  \"roles\": 2,\n"),
                vec![(EditKind::AddedMember, "", "", "roles")],
            ),
        ];
        for (new, expected) in table {
            let found = parts(old, &new).unwrap();
            let found: Vec<_> =
                found.iter().map(|p| (p.kind, p.field.as_str(), p.old.as_str(), p.new.as_str())).collect();
            assert_eq!(found, expected, "{new}");
        }
        let many: String = (0..40).map(|n| format!("  \"k{n}\": 1,\n")).collect();
        assert_eq!(parts(&many, &many.replace(": 1", ": 2")), None, "too many places");
        assert!(is_snapshot("expect(received).toMatchSnapshot()") && !is_snapshot("assert 1 == 2"));
    }
}
