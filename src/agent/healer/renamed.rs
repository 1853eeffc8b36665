//! Keys and attributes that got another name.

use std::collections::BTreeMap;

use super::failure::FailureKind;
use super::propose::{Located, field_of, formatted, located, resolve, subject_of};
use super::{Candidate, Part, Test, literal_tracing};
use crate::code::edit::Edit;
use crate::code::expr::Kind;
use crate::code::lower::lower;
use crate::code::source::{Source, walk};
use crate::code::test_discovery::{self, TestFn};
use crate::ingest::source_location::is_test_path;
use crate::model::change::FileChange;
use crate::model::heal::EditKind;

/// Edits that use the new name where the failing lines use the old one.
#[must_use]
pub fn candidates(test: &Test<'_>) -> Vec<Candidate> {
    let mut found = Vec::new();
    if let FailureKind::Missing { name } = &test.clash.what {
        for new in new_names(test.change, name) {
            found.extend(at_places(test, name, &new));
        }
        return found;
    }
    // A name that is gone gives nothing in languages that do not complain.
    for place in located(test) {
        let what = formatted(&place.source, &place.assertion, &test.clash.text);
        let what = what.as_ref().unwrap_or(&test.clash.what);
        let is_nothing =
            matches!(what, FailureKind::Compared { first, second, .. } if first.is_nothing() || second.is_nothing());
        if !is_nothing {
            continue;
        }
        let all = test_discovery::find(&place.source);
        let case = all.iter().find(|c| c.node.byte_range().contains(&place.assertion.range.start));
        let old = field_of(&subject_of(&place.source, case, &place.assertion));
        for new in new_names(test.change, &old) {
            found.extend(at_places(test, &old, &new).or_else(|| in_assertion(&place, case, &old, &new)));
        }
    }
    found
}

/// The edits of the assertion itself, and of the line that gave its subject.
fn in_assertion(place: &Located, case: Option<&TestFn<'_>>, old: &str, new: &str) -> Option<Candidate> {
    let Located { source, assertion } = place;
    let node = source.root().descendant_for_byte_range(assertion.range.start, assertion.range.end)?;
    let mut edits = below(source, node, old, new);
    if edits.is_empty() {
        let given =
            literal_tracing::last_assigned(source, case?.node, assertion.subject.trim(), assertion.range.start)?;
        edits = below(source, given, old, new);
    }
    (!edits.is_empty()).then(|| candidate(source.path.clone(), edits, old, new))
}

fn candidate(path: String, edits: Vec<Edit>, old: &str, new: &str) -> Candidate {
    let part = Part {
        kind: EditKind::RenamedKey,
        field: old.to_owned(),
        old: old.to_owned(),
        new: new.to_owned(),
        came: None,
    };
    Candidate { path, edits, parts: vec![part] }
}

/// New names for `name`, by how many changed lines of product code differ in
/// nothing else; the likeliest first.
#[must_use]
pub fn new_names(change: &[FileChange], name: &str) -> Vec<String> {
    let mut votes: BTreeMap<String, usize> = BTreeMap::new();
    for file in change.iter().filter(|f| !is_test_path(&f.path)) {
        for removed in file.removed.iter().filter(|l| words(l).contains(&name)) {
            for added in &file.added {
                if let Some(new) = only_difference(removed, added, name) {
                    *votes.entry(new.to_owned()).or_default() += 1;
                }
            }
        }
    }
    let mut sorted: Vec<(String, usize)> = votes.into_iter().collect();
    sorted.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    sorted.into_iter().map(|(name, _)| name).take(2).collect()
}

/// Words of a line: names, numbers, and each other sign by itself.
fn words(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = None;
    for (at, c) in line.char_indices() {
        let in_word = c.is_alphanumeric() || c == '_' || c == '$';
        match (in_word, start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                found.push(&line[from..at]);
                start = None;
            }
            _ => {}
        }
        if !in_word && !c.is_whitespace() {
            found.push(&line[at..at + c.len_utf8()]);
        }
    }
    found.extend(start.map(|from| &line[from..]));
    found
}

/// What stands in `added` for `name` in `removed`, where that is the most of
/// what differs: all words that differ are that name, or contain it.
fn only_difference<'a>(removed: &str, added: &'a str, name: &str) -> Option<&'a str> {
    let (old, new) = (words(removed), words(added));
    if old.len() != new.len() {
        return None;
    }
    let mut found = None;
    let mut others = 0;
    for (a, b) in old.iter().zip(&new).filter(|(a, b)| a != b) {
        match (*a == name, found) {
            (true, None) => found = Some(*b),
            (true, Some(same)) if same == *b => {}
            (true, Some(_)) => return None,
            (false, _) => others += 1,
        }
    }
    let is_name = |w: &&str| w.starts_with(|c: char| c.is_alphabetic() || c == '_') && w.len() > 1;
    found.filter(is_name).filter(|_| others <= 1)
}

fn at_places(test: &Test<'_>, old: &str, new: &str) -> Option<Candidate> {
    for (file, line) in &test.clash.places {
        let Some(path) = resolve(test, file).filter(|p| is_test_path(p) || p == test.file) else { continue };
        let Some(source) = test.sources.source(&path) else { continue };
        let edits = occurrences(&source, *line, old, new);
        if edits.is_empty() {
            continue;
        }
        return Some(candidate(path, edits, old, new));
    }
    None
}

/// The edits of the statement at `line`: texts that are the name, members of
/// that name, keys of a map.
fn occurrences(source: &Source, line: u32, old: &str, new: &str) -> Vec<Edit> {
    let range = source.line(line);
    let start = range.start + source.slice(&range).len() - source.slice(&range).trim_start().len();
    // The statement may have more than one line.
    let mut statement = source.root().descendant_for_byte_range(start, start);
    while let Some(node) = statement {
        let is_statement =
            node.kind().ends_with("statement") || node.kind().ends_with("declaration") || node.kind() == "assignment";
        if is_statement || node.parent().is_none() {
            break;
        }
        statement = node.parent();
    }
    let Some(node) = statement.filter(|n| n.parent().is_some()) else { return Vec::new() };
    below(source, node, old, new)
}

/// The edits of a node and all below it.
fn below(source: &Source, node: tree_sitter::Node<'_>, old: &str, new: &str) -> Vec<Edit> {
    let mut edits = Vec::new();
    walk(node, |node| {
        // What a test gives is no name that it looks up.
        if is_given(node) {
            return false;
        }
        match lower(source, node).kind {
            Kind::Text { value, inside } if value == old => edits.push(Edit::new(inside, new)),
            // `$.name` in a JSON path.
            Kind::Text { value, inside } if value.starts_with("$.") && value.split('.').any(|p| p == old) => {
                let parts: Vec<&str> = value.split('.').map(|p| if p == old { new } else { p }).collect();
                edits.push(Edit::new(inside, parts.join(".")));
            }
            _ if is_member_name(node) && source.of(node) == old => edits.push(Edit::new(node.byte_range(), new)),
            _ => return true,
        }
        false
    });
    edits.sort_by_key(|e| e.range.start);
    edits.dedup();
    edits
}

/// Whether a node is the key of an entry.
fn is_given(node: tree_sitter::Node<'_>) -> bool {
    let Some(parent) = node.parent() else { return false };
    let is_entry =
        matches!(parent.kind(), "pair" | "keyed_element" | "array_element_initializer" | "field_initializer");
    is_entry && parent.named_child(0) == Some(node) && parent.named_child_count() > 1
}

/// Whether a node is the name behind a dot, or a bare key.
fn is_member_name(node: tree_sitter::Node<'_>) -> bool {
    let Some(parent) = node.parent() else { return false };
    let field = |name: &str| parent.child_by_field_name(name) == Some(node);
    match node.kind() {
        "property_identifier" | "field_identifier" => true,
        "identifier" => field("attribute") || field("name") && parent.kind() == "keyword_argument" || field("method"),
        "name" => field("name") && parent.kind() == "member_access_expression",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_a_change() {
        let change = [FileChange {
            path: "shop/users.py".into(),
            removed: vec!["    return {\"id\": key, \"name\": user[\"name\"]}".into(), "    name: str".into()],
            added: vec!["    return {\"id\": key, \"full_name\": user[\"name\"]}".into(), "    full_name: str".into()],
            ..FileChange::default()
        }];
        assert_eq!(new_names(&change, "name"), ["full_name"]);
        assert!(new_names(&change, "id").is_empty());
    }

    #[test]
    fn where_the_name_stands() {
        let source =
            Source::parse("test_a.py", "def test_a():\n    assert user.name == body[\"name\"]\n    x = name\n")
                .unwrap();
        let edits = occurrences(&source, 2, "name", "full_name");
        assert_eq!(edits.len(), 2);
        let text = crate::code::edit::apply(&source.text, &edits).unwrap();
        assert!(text.contains("user.full_name == body[\"full_name\"]"), "{text}");
    }
}
