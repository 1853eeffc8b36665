//! Names come from where they came from: nothing that the tests use is written
//! anew beside them, or fetched from a double.

use std::collections::BTreeMap;

use super::{Finding, Pair, PatchRule};
use crate::code::assertion::plain;
use crate::code::source::{Source, field, walk};
use crate::code::test_discovery;

/// Words in the name of a module that holds doubles.
const DOUBLES: &[&str] = &["fake", "mock", "stub", "dummy", "double", "test", "spec"];

pub(super) fn check(pair: &Pair<'_>, out: &mut Vec<Finding>) {
    let (Some(old), Some(new)) = (&pair.old, &pair.new) else { return };
    let before = imports(old);
    let words: Vec<&str> = before.iter().flat_map(|text| names(text)).collect();
    let defined_before = definitions(old);
    for (name, line) in definitions(new) {
        if words.contains(&name.as_str()) && !defined_before.contains_key(&name) {
            let why = format!("`{name}` is written anew in the test, and was imported");
            out.push(pair.finding(PatchRule::Mocked, Some(line), why));
        }
    }
    for text in imports(new).iter().filter(|text| !before.contains(text)) {
        let lower = text.to_ascii_lowercase();
        let known: String = before.join("\n").to_ascii_lowercase();
        let double = DOUBLES.iter().any(|word| lower.matches(word).count() > known.matches(word).count());
        let taken = names(text).find(|name| words.contains(name));
        if let Some(name) = taken.filter(|_| double) {
            let why =
                format!("`{name}` is imported from a double now: `{}`", text.chars().take(80).collect::<String>());
            out.push(pair.finding(PatchRule::Mocked, None, why));
        }
    }
    decorated(pair, old, new, out);
}

/// What a file fetches from elsewhere, as written.
fn imports(source: &Source) -> Vec<String> {
    const KINDS: &[&str] = &[
        "import_statement",
        "import_from_statement",
        "import_declaration",
        "import_header",
        "import",
        "use_declaration",
        "namespace_use_declaration",
        "require_once_expression",
        "require_expression",
    ];
    let mut found = Vec::new();
    walk(source.root(), |node| {
        let text = || source.of(node);
        let required = matches!(node.kind(), "variable_declarator" | "call") && text().contains("require");
        if KINDS.contains(&node.kind()) || required {
            found.push(plain(text()));
            return false;
        }
        true
    });
    found
}

/// The words of an import that can be names, without those of the language and
/// those of the module: `from shop import create_app`, `const app = require("x")`.
fn names(text: &str) -> impl Iterator<Item = &str> {
    const WORDS: &[&str] =
        &["import", "from", "const", "let", "var", "require", "use", "as", "static", "type", "pub", "self"];
    // A path in quotes names a file.
    let bare = text.split(['"', '\'']).step_by(2);
    bare.flat_map(|part| {
        let part = part
            .split_once(" import ")
            .filter(|_| part.trim_start().starts_with("from "))
            .map_or(part, |(_, names)| names);
        part.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
    })
    .filter(|word| word.len() > 1 && !WORDS.contains(word))
}

/// Functions, classes and variables at the top of a file, with their lines.
fn definitions(source: &Source) -> BTreeMap<String, u32> {
    let mut found = BTreeMap::new();
    walk(source.root(), |node| {
        let kind = node.kind();
        let defines = kind.contains("function_d")
            || kind.contains("class_d")
            || matches!(kind, "function_item" | "struct_item" | "class" | "object_declaration" | "assignment");
        if !defines {
            return !matches!(kind, "call" | "call_expression");
        }
        let name = field(node, "name").or_else(|| field(node, "left")).map(|n| source.of(n).to_owned());
        if let Some(name) = name {
            found.entry(name).or_insert_with(|| source.line_of(node.start_byte()));
        }
        false
    });
    found
}

/// Marks on a test that no rule knows: what they do is not known either.
fn decorated(pair: &Pair<'_>, old: &Source, new: &Source, out: &mut Vec<Finding>) {
    let before: BTreeMap<String, Vec<String>> =
        test_discovery::find(old).iter().map(|c| (c.path.join(" › "), decorators(old, c.node))).collect();
    for case in test_discovery::find(new) {
        let Some(had) = before.get(&case.path.join(" › ")) else { continue };
        for now in decorators(new, case.node).iter().filter(|now| !HARMLESS.contains(&now.as_str())) {
            if !had.contains(now) {
                let line = Some(new.line_of(case.node.start_byte()));
                out.push(pair.finding(
                    PatchRule::TestsRun,
                    line,
                    format!("`{now}` was not on this test, and may keep it from running"),
                ));
            }
        }
    }
}

/// Marks that keep no test from running, by the last part of their names.
const HARMLESS: &[&str] = &[
    "Test",
    "ParameterizedTest",
    "RepeatedTest",
    "DisplayName",
    "CsvSource",
    "ValueSource",
    "MethodSource",
    "parametrize",
    "test",
    "should_panic",
    "tokio",
    "rstest",
    "case",
    "override",
    "Override",
    "Throws",
    "DataProvider",
    "TestDox",
    "usefixtures",
    "staticmethod",
    "asyncio",
    "anyio",
];

/// The names of decorators, annotations and attributes of a test.
fn decorators(source: &Source, test: tree_sitter::Node<'_>) -> Vec<String> {
    let mut found = Vec::new();
    walk(test, |node| match node.kind() {
        "decorator" | "annotation" | "marker_annotation" | "attribute" => {
            let text = source.of(node).trim_start_matches(['@', '#', '[']);
            let name = text.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | ':' | '\\'))).next();
            let last = name.unwrap_or("").rsplit(['.', ':', '\\']).next().unwrap_or("");
            // Attributes of Python are parts of expressions.
            if !last.is_empty() && (node.kind() != "attribute" || source.language.name() == "PHP") {
                found.push(last.to_owned());
            }
            false
        }
        "block" | "statement_block" | "compound_statement" | "function_body" => false,
        _ => true,
    });
    found
}
