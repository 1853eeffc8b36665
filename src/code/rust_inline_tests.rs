//! Unit tests that stand in the product file itself (Rust's `#[cfg(test)] mod`).

use std::ops::Range;

use crate::code::language::Language;
use crate::code::source::{Source, field, walk};
use crate::code::test_discovery::attributes;

/// The bytes of the test modules of a Rust file, in their order.
fn modules(path: &str, text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    if Language::of_path(path) != Some(Language::Rust) {
        return found;
    }
    let Some(source) = Source::parse(path, text) else { return found };
    walk(source.root(), |node| {
        let is_tests = node.kind() == "mod_item"
            && field(node, "body").is_some()
            && attributes(&source, node).iter().any(|a| a.replace(' ', "") == "cfg(test)");
        if is_tests {
            found.push(node.byte_range());
        }
        !is_tests
    });
    found
}

/// The file without its test modules; `None` where it has none.
#[must_use]
pub fn product(path: &str, text: &str) -> Option<String> {
    let found = modules(path, text);
    let mut rest = String::new();
    let mut at = 0;
    for module in &found {
        rest.push_str(&text[at..module.start]);
        at = module.end;
    }
    rest.push_str(&text[at..]);
    (!found.is_empty()).then_some(rest)
}

/// The product code of `old` with the tests of `new`; `None` where the two do
/// not have the same number of test modules.
#[must_use]
pub fn with_tests_from(path: &str, old: &str, new: &str) -> Option<String> {
    let (into, from) = (modules(path, old), modules(path, new));
    if into.is_empty() || into.len() != from.len() {
        return None;
    }
    let mut out = String::new();
    let mut at = 0;
    for (place, tests) in into.iter().zip(&from) {
        out.push_str(&old[at..place.start]);
        out.push_str(&new[tests.clone()]);
        at = place.end;
    }
    out.push_str(&old[at..]);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_change_places() {
        let file = |product: &str, test: &str| format!("{product}\n#[cfg(test)]\nmod tests {{ {test} }}\n// end\n");
        let merged = with_tests_from("src/a.rs", &file("old();", "a();"), &file("new();", "b();")).unwrap();
        assert_eq!(merged, file("old();", "b();"));
        assert_eq!(product("src/a.rs", "fn f() {}"), None);
        assert_eq!(with_tests_from("a.py", "x", "y"), None);
    }
}
