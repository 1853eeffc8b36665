//! No test is lost, and none stops running.

use std::collections::BTreeMap;

use tree_sitter::Node;

use super::{FilePatch, Finding, Pair, PatchRule};
use crate::code::expr::Kind;
use crate::code::language::Language;
use crate::code::lower::lower;
use crate::code::skip_markers;
use crate::code::source::{Source, field, walk};
use crate::code::test_discovery;

pub(super) fn check(pairs: &[Pair<'_>], files: &[FilePatch], out: &mut Vec<Finding>) {
    // A test that moves to another file of the patch is not lost.
    let mut after: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for new in pairs.iter().filter_map(|p| p.new.as_ref()) {
        for case in test_discovery::find(new) {
            after.entry(case.path.join(" › ")).or_default().push(rows(new, case.node));
        }
    }
    for pair in pairs {
        lost(pair, &mut after, out);
        shadowed(pair, out);
        marked(pair, out);
    }
    for file in files.iter().filter(|f| f.new.is_none() && f.old.is_some()) {
        out.push(Finding {
            guard: PatchRule::TestsKept,
            path: file.path.clone(),
            line: None,
            why: "the file is deleted".to_owned(),
        });
    }
    for file in files {
        snapshots(file, out);
        out_of_sight(file, out);
        emptied(file, out);
    }
}

fn lost(pair: &Pair<'_>, after: &mut BTreeMap<String, Vec<usize>>, out: &mut Vec<Finding>) {
    let Some(old) = &pair.old else { return };
    for case in test_discovery::find(old) {
        let name = case.path.join(" › ");
        let line = Some(old.line_of(case.node.start_byte()));
        let had = rows(old, case.node);
        match after.get_mut(&name).filter(|left| !left.is_empty()) {
            None => out.push(pair.finding(PatchRule::TestsKept, line, format!("the test `{name}` is gone"))),
            Some(left) => {
                let has = left.remove(0);
                if has < had {
                    let why = format!("the test `{name}` ran over {had} sets of values and runs over {has} now");
                    out.push(pair.finding(PatchRule::TestsKept, line, why));
                }
            }
        }
    }
}

/// Sets of values that a test runs over: parameters, `each`, tables of cases.
fn rows(source: &Source, test: Node<'_>) -> usize {
    const SOURCES: &[&str] = &["parametrize", "each", "with", "expand", "parameters", "data", "where"];
    let mut count = 0;
    walk(test, |node| {
        let list = match (source.language, node.kind()) {
            (Language::Python, "call")
            | (Language::JavaScript | Language::TypeScript | Language::Tsx, "call_expression") => {
                let expr = lower(source, node);
                let call = expr.call().filter(|c| SOURCES.contains(&c.name.as_str()));
                call.and_then(|c| {
                    c.args.iter().rev().find_map(|a| match &a.value.kind {
                        // A row that stands there twice is one.
                        Kind::List(items) => Some(distinct(source, items)),
                        _ => None,
                    })
                })
            }
            (Language::Java | Language::Kotlin, "annotation") => {
                let text = source.of(node);
                let rows = ["CsvSource", "ValueSource", "EnumSource"].iter().any(|a| text.contains(a));
                rows.then(|| text.matches('"').count() / 2 + text.matches(',').count())
            }
            (Language::Go, "composite_literal") => {
                let of_structs = field(node, "type").is_some_and(|t| matches!(t.kind(), "slice_type" | "map_type"));
                let rows = field(node, "body").map(crate::code::source::children).unwrap_or_default();
                let texts: std::collections::BTreeSet<&str> = rows.iter().map(|r| source.of(*r)).collect();
                of_structs.then_some(texts.len()).filter(|_| rows.len() > 1)
            }
            (Language::Rust, "attribute_item") => {
                let text = source.of(node);
                ["case", "test_case"].iter().any(|c| text.trim_start_matches("#[").starts_with(c)).then_some(1)
            }
            _ => None,
        };
        count += list.unwrap_or(0);
        true
    });
    count
}

fn distinct(source: &Source, items: &[crate::code::expr::Expr]) -> usize {
    let texts: std::collections::BTreeSet<String> =
        items.iter().map(|i| crate::code::assertion::plain(source.slice(&i.range))).collect();
    texts.len()
}

/// A second function of the same name hides the first.
fn shadowed(pair: &Pair<'_>, out: &mut Vec<Finding>) {
    let Some(new) =
        pair.new.as_ref().filter(|s| matches!(s.language, Language::Python | Language::Ruby | Language::Php))
    else {
        return;
    };
    let counts = |source: &Source| {
        let mut counts: BTreeMap<String, (usize, u32)> = BTreeMap::new();
        for case in test_discovery::find(source).iter().filter(|c| c.node.kind() != "call") {
            let entry = counts.entry(case.path.join(" › ")).or_default();
            *entry = (entry.0 + 1, source.line_of(case.node.start_byte()));
        }
        counts
    };
    let before = pair.old.as_ref().map(counts).unwrap_or_default();
    for (name, (times, line)) in counts(new) {
        if times > before.get(&name).map_or(1, |(n, _)| *n) {
            out.push(pair.finding(PatchRule::TestsKept, Some(line), format!("a second `{name}` hides the first")));
        }
    }
}

fn marked(pair: &Pair<'_>, out: &mut Vec<Finding>) {
    let Some(new) = &pair.new else { return };
    // Reasons and messages in parentheses may change.
    let name = |written: &str| written.split(['(', '=']).next().unwrap_or(written).trim().to_owned();
    let mut before: Vec<String> =
        pair.old.as_ref().map(skip_markers::find).unwrap_or_default().into_iter().map(|m| name(&m.written)).collect();
    for mark in skip_markers::find(new) {
        if let Some(at) = before.iter().position(|b| *b == name(&mark.written)) {
            before.remove(at);
            continue;
        }
        let why = format!("`{}` keeps a test from running, or from counting", mark.written);
        out.push(pair.finding(PatchRule::TestsRun, Some(mark.line), why));
    }
}

/// Entries of snapshot files are expectations like any other.
fn snapshots(file: &FilePatch, out: &mut Vec<Finding>) {
    if !file.path.ends_with(".snap") && !file.path.ends_with(".ambr") {
        return;
    }
    let count = |text: &Option<String>| {
        text.as_deref()
            .map_or(0, |t| t.lines().filter(|l| l.starts_with("exports[") || l.starts_with("# name:")).count())
    };
    if count(&file.new) < count(&file.old) {
        let why = format!("{} snapshots are gone", count(&file.old) - count(&file.new));
        out.push(Finding { guard: PatchRule::TestsKept, path: file.path.clone(), line: None, why });
    }
}

/// A file of tests that gets a name under which no runner looks for tests.
fn out_of_sight(file: &FilePatch, out: &mut Vec<Finding>) {
    let Some(before) = &file.renamed_from else { return };
    let is_found = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or(path);
        let stem = name.split('.').next().unwrap_or(name);
        stem.starts_with("test_")
            || ["_test", "_spec", "Test", "Tests", "Spec", "IT"].iter().any(|e| stem.ends_with(e))
            || name.contains(".test.")
            || name.contains(".spec.")
    };
    if is_found(before) && !is_found(&file.path) {
        let why = format!("`{before}` is a file of tests, and no runner looks for tests under its new name");
        out.push(Finding { guard: PatchRule::TestsKept, path: file.path.clone(), line: None, why });
    }
}

/// A JSON file of cases that holds nothing any more.
fn emptied(file: &FilePatch, out: &mut Vec<Finding>) {
    let entries = |text: &Option<String>| {
        let value: serde_json::Value = serde_json::from_str(text.as_deref()?).ok()?;
        value.as_array().map(Vec::len).or_else(|| value.as_object().map(serde_json::Map::len))
    };
    if file.path.ends_with(".json") && entries(&file.old).is_some_and(|n| n > 0) && entries(&file.new) == Some(0) {
        let why = "the file held cases or expectations, and is empty now".to_owned();
        out.push(Finding { guard: PatchRule::TestsKept, path: file.path.clone(), line: None, why });
    }
}
