//! Marks that keep a test from running, or from counting.

use tree_sitter::Node;

use crate::code::language::Language;
use crate::code::source::{Source, field, walk};

/// Such a mark, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkipMarker {
    /// As written, such as `pytest.mark.skip` or `it.only`.
    pub written: String,
    /// Line, from 1.
    pub line: u32,
}

/// All marks of a file: skips, expected failures, focus on single tests,
/// assumptions that end a test early.
#[must_use]
pub fn find(source: &Source) -> Vec<SkipMarker> {
    let mut found = Vec::new();
    walk(source.root(), |node| {
        let written = mark(source, node);
        if let Some(written) = written {
            found.push(SkipMarker { written, line: source.line_of(node.start_byte()) });
            return false;
        }
        true
    });
    found
}

fn mark(source: &Source, node: Node<'_>) -> Option<String> {
    let text = || source.of(node).chars().take(80).collect::<String>();
    let is = match source.language {
        Language::Python => python(source, node),
        Language::JavaScript | Language::TypeScript | Language::Tsx => script(source, node),
        Language::Java | Language::Kotlin => jvm(source, node),
        Language::Go => go(source, node),
        Language::Rust => node.kind() == "attribute" && rust(source.of(node)),
        Language::Ruby => ruby(source, node),
        Language::Php => php(source, node),
    };
    is.then(text)
}

/// Marks of pytest that keep no test from running.
const HARMLESS_MARKS: &[&str] = &[
    "parametrize",
    "asyncio",
    "anyio",
    "django_db",
    "usefixtures",
    "filterwarnings",
    "timeout",
    "trio",
    "flaky",
    "order",
];

fn python(source: &Source, node: Node<'_>) -> bool {
    let text = source.of(node);
    match node.kind() {
        "attribute" => {
            let last = text.rsplit('.').next().unwrap_or(text);
            match last {
                "skip" | "skipif" | "xfail" | "skipIf" | "skipUnless" | "expectedFailure" | "importorskip" => {
                    ["pytest", "mark", "unittest", "testing"].iter().any(|root| text.starts_with(root))
                }
                "skipTest" | "SkipTest" | "__test__" => true,
                // Marks select tests; only some of them are known to select none away.
                mark if text.starts_with("pytest.mark.") => !HARMLESS_MARKS.contains(&mark),
                "exit" => text == "pytest.exit",
                _ => false,
            }
        }
        "identifier" => {
            let called = matches!(
                text,
                "skipIf"
                    | "skipUnless"
                    | "expectedFailure"
                    | "importorskip"
                    | "xfail"
                    | "SkipTest"
                    | "collect_ignore"
                    | "collect_ignore_glob"
                    | "pytest_collection_modifyitems"
                    | "pytest_ignore_collect"
                    | "__test__"
            );
            let parent = node.parent().map_or("", |p| p.kind());
            called && !matches!(parent, "attribute" | "dotted_name")
        }
        _ => false,
    }
}

const SCRIPT_ROOTS: &[&str] = &["it", "test", "describe", "suite", "context", "specify", "bench", "this", "t", "ctx"];
const SCRIPT_MARKS: &[&str] =
    &["skip", "only", "todo", "failing", "fixme", "fails", "fail", "skipIf", "runIf", "expectFail"];

fn script(source: &Source, node: Node<'_>) -> bool {
    match node.kind() {
        "member_expression" => {
            let property = field(node, "property").map_or("", |p| source.of(p));
            let mut root = node;
            while let Some(inner) = field(root, "object").or_else(|| field(root, "function")) {
                root = inner;
            }
            SCRIPT_MARKS.contains(&property) && SCRIPT_ROOTS.contains(&source.of(root))
        }
        "identifier" => {
            let name = source.of(node);
            let called =
                node.parent().is_some_and(|p| p.kind() == "call_expression" || p.kind() == "member_expression");
            called
                && matches!(
                    name,
                    "xit" | "xtest" | "xdescribe" | "xcontext" | "xspecify" | "fit" | "fdescribe" | "fcontext"
                )
        }
        // node:test takes `{ skip: true }` as options of a test.
        // `it["skip"](…)`.
        "subscript_expression" => {
            let key = field(node, "index").map_or("", |k| source.of(k)).trim_matches(['"', '\'', '`']);
            let root = field(node, "object").map_or("", |o| source.of(o));
            SCRIPT_MARKS.contains(&key) && SCRIPT_ROOTS.contains(&root)
        }
        "pair" => {
            let key = field(node, "key").map_or("", |k| source.of(k));
            let value = field(node, "value").map_or("", |v| source.of(v));
            let in_call = node.parent().and_then(|p| p.parent()).is_some_and(|p| p.kind() == "arguments");
            in_call
                && matches!(key, "skip" | "todo" | "only" | "expectFailure" | "fails")
                && value != "false"
                && declares(source, node)
        }
        _ => false,
    }
}

/// Whether an options object belongs to a call that declares a test.
fn declares(source: &Source, pair: Node<'_>) -> bool {
    let call = pair.parent().and_then(|o| o.parent()).and_then(|a| a.parent());
    call.and_then(|c| field(c, "function"))
        .is_some_and(|f| SCRIPT_ROOTS.contains(&source.of(f).split('.').next().unwrap_or("")))
}

fn jvm(source: &Source, node: Node<'_>) -> bool {
    if node.kind().contains("annotation") && !node.kind().contains("argument") {
        let text = source.of(node);
        let name = text.trim_start_matches('@').split('(').next().unwrap_or("");
        let name = name.rsplit('.').next().unwrap_or(name);
        let switched_off = text.replace(' ', "").contains("enabled=false");
        let expects = name == "Test" && text.contains("expected");
        return name.starts_with("Disabled")
            || name.starts_with("EnabledIf")
            || name.starts_with("EnabledOn")
            || name.starts_with("EnabledFor")
            || matches!(name, "Ignore" | "Ignored" | "Quarantine" | "Tag" | "Category")
            || switched_off
            || expects;
    }
    let called = match node.kind() {
        "method_invocation" => field(node, "name").map_or("", |n| source.of(n)),
        "call_expression" => {
            let function = source.of(node).split(['(', '{']).next().unwrap_or("").trim();
            function.rsplit('.').next().unwrap_or(function)
        }
        _ => "",
    };
    matches!(called, "assumeTrue" | "assumeFalse" | "assumeThat" | "assumingThat" | "assumeNotNull")
        || (called == "abort" && source.of(node).contains("Assumptions"))
}

fn go(source: &Source, node: Node<'_>) -> bool {
    match node.kind() {
        "selector_expression" => {
            let field = field(node, "field").map_or("", |f| source.of(f));
            matches!(field, "Skip" | "Skipf" | "SkipNow") || source.of(node) == "testing.Short"
        }
        "comment" => source.of(node).starts_with("//go:build") || source.of(node).starts_with("// +build"),
        _ => false,
    }
}

fn rust(attribute: &str) -> bool {
    let name = attribute.split(['(', '=', ' ']).next().unwrap_or(attribute);
    matches!(name, "ignore" | "should_panic")
        || (matches!(name, "cfg" | "cfg_attr") && attribute.replace(' ', "") != "cfg(test)")
}

fn ruby(source: &Source, node: Node<'_>) -> bool {
    let text = source.of(node);
    match node.kind() {
        "identifier" => {
            matches!(
                text,
                "xit" | "xdescribe" | "xcontext" | "xspecify" | "xexample" | "fit" | "fdescribe" | "fcontext"
            ) || (matches!(text, "skip" | "pending") && stands_alone(node))
        }
        "simple_symbol" => in_arguments(source, node),
        "pair" => {
            let key = field(node, "key").map_or("", |k| source.of(k)).trim_matches(':');
            matches!(key, "skip" | "pending" | "focus" | "if" | "unless") && in_arguments(source, node)
        }
        _ => false,
    }
}

/// `skip` and `skip "why"`, but not `query.skip(3)`.
fn stands_alone(node: Node<'_>) -> bool {
    node.parent().is_none_or(|p| match p.kind() {
        "call" => field(p, "receiver").is_none() && field(p, "method") == Some(node),
        kind => matches!(kind, "body_statement" | "block_body" | "program" | "then" | "if_modifier"),
    })
}

/// Whether a node is an argument of a call that declares a test or a group.
fn in_arguments(source: &Source, node: Node<'_>) -> bool {
    let call = node.parent().filter(|p| p.kind() == "argument_list").and_then(|p| p.parent());
    let name = call.and_then(|c| field(c, "method")).map_or("", |m| source.of(m));
    matches!(name, "it" | "specify" | "example" | "scenario" | "describe" | "context" | "feature")
}

fn php(source: &Source, node: Node<'_>) -> bool {
    match node.kind() {
        "member_call_expression" | "scoped_call_expression" => {
            let name = field(node, "name").map_or("", |n| source.of(n));
            let mut root = node;
            while let Some(inner) = field(root, "object") {
                root = inner;
            }
            let declared = root.kind() == "function_call_expression"
                && matches!(field(root, "function").map(|f| source.of(f)), Some("it" | "test" | "describe"));
            matches!(name, "markTestSkipped" | "markTestIncomplete")
                || (declared && matches!(name, "skip" | "todo" | "only" | "skipOnCi" | "skipOnWindows"))
        }
        "attribute" => {
            let name = source.of(node);
            ["Requires", "DoesNotPerformAssertions", "Group", "Depends"].iter().any(|w| name.starts_with(w))
        }
        "comment" => {
            ["@group", "@requires", "@doesNotPerformAssertions", "@depends"].iter().any(|m| source.of(node).contains(m))
        }
        _ => false,
    }
}
