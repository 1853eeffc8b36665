//! Where a test of a report stands in the sources.

use super::Sources;
use crate::code::language::Language;
use crate::code::source::{Source, walk};
use crate::code::test_discovery::{self, TestFn};
use crate::ingest::source_location::{is_test_path, places};
use crate::model::execution::TestSelector;
use crate::model::test::TestCase;

/// Files that are searched by content where names do not tell.
const SEARCHED: usize = 3000;

/// The test behind a case of a report; `None` where no source has it.
#[must_use]
pub fn find(sources: &Sources<'_>, case: &TestCase) -> Option<TestSelector> {
    let (class, name) = (case.name.classname.raw(), case.name.name.raw());
    for path in likely_files(sources, case) {
        if let Some(found) = in_file(sources, &path, class, name) {
            return Some(found);
        }
    }
    let base = base_name(name).to_owned();
    let mut best: Option<TestSelector> = None;
    for path in sources.files.iter().filter(|f| is_test_path(f) || f.ends_with(".rs")).take(SEARCHED) {
        // Parsing is dear; a file without the name cannot hold the test.
        let word = base.split([' ', '/', ':']).max_by_key(|w| w.len()).unwrap_or(&base).to_owned();
        if !sources.text(path).is_some_and(|t| t.contains(&word)) {
            continue;
        }
        if let Some(found) = in_file(sources, path, class, name) {
            if best.is_some() {
                // Two tests of one name: which is meant is not known.
                return None;
            }
            best = Some(found);
        }
    }
    best
}

/// Files that the report itself points to, the surest first.
fn likely_files(sources: &Sources<'_>, case: &TestCase) -> Vec<String> {
    let mut named: Vec<String> = Vec::new();
    if let Some(place) = &case.place {
        named.push(place.file.raw().to_owned());
    }
    let class = case.name.classname.raw();
    let dotted = class.replace('.', "/");
    let parts: Vec<&str> = dotted.split('/').collect();
    // `tests.test_users.TestX` and `com.acme.CartTest`.
    for keep in (1..=parts.len()).rev().take(3) {
        let stem = parts[..keep].join("/");
        named.extend([".py", ".java", ".kt", ".php", ".rb"].map(|ending| format!("{stem}{ending}")));
    }
    named.push(class.to_owned());
    if let Some(failure) = case.failure() {
        let text = format!("{}\n{}", failure.message.raw(), failure.detail.raw());
        named.extend(places(&text, 40).into_iter().map(|(file, _)| file).filter(|f| is_test_path(f)));
    }
    let mut found: Vec<String> = Vec::new();
    for name in named {
        let name = name.replace('\\', "/");
        let name = name.trim_start_matches("./");
        let ends =
            |long: &str, short: &str| !short.is_empty() && (long == short || long.ends_with(&format!("/{short}")));
        // Tests that ran in a folder name their files from there.
        let below = format!("{}{name}", sources.folder);
        let fitting: Vec<&String> = if let Some(exact) = sources.files.iter().find(|f| **f == below) {
            vec![exact]
        } else if let Some(longest) = sources.files.iter().filter(|f| ends(name, f)).max_by_key(|f| f.len()) {
            vec![longest]
        } else {
            sources.files.iter().filter(|f| ends(f, name)).collect()
        };
        // Of several that could be meant none is.
        if let [path] = fitting.as_slice()
            && !found.contains(path)
        {
            found.push((*path).clone());
        }
    }
    found
}

/// The test called `class` and `name` in a file.
#[must_use]
pub fn in_file(sources: &Sources<'_>, path: &str, class: &str, name: &str) -> Option<TestSelector> {
    let source = sources.source(path)?;
    let all = test_discovery::find(&source);
    let mut fitting: Vec<&TestFn<'_>> = all.iter().filter(|c| is_it(c, class, name)).collect();
    fitting.sort_by_key(|c| {
        std::cmp::Reverse(c.path.iter().filter(|p| class.contains(p.as_str()) || name.contains(p.as_str())).count())
    });
    let case = fitting.first()?;
    Some(TestSelector {
        file: path.to_owned(),
        line: source.line_of(inner(case).start_byte()),
        path: case.path.clone(),
        package: package(&source),
        class: class.to_owned(),
        name: name.to_owned(),
    })
}

/// The declaration itself, below its decorators.
fn inner<'t>(case: &TestFn<'t>) -> tree_sitter::Node<'t> {
    case.node.child_by_field_name("definition").unwrap_or(case.node)
}

fn is_it(case: &TestFn<'_>, class: &str, name: &str) -> bool {
    let own = case.name();
    let base = base_name(name);
    let whole = case.path.join(" ");
    own == base
        || own == name
        || whole == name
        || fits(&whole, name)
        || fits(own, name)
        || name.rsplit("::").next() == Some(own)
        // Playwright, Vitest and others join the groups in their own way.
        || (name.ends_with(own) && [" › ", " > ", " "].iter().any(|s| name.ends_with(&format!("{s}{own}"))))
        || (class.is_empty() && whole.ends_with(name))
        // PHPUnit and RSpec write words for a name.
        || own.replace('_', " ") == base
}

/// The name without parameters: `test_a[1]`, `adds(int)[2]`, `TestA/b`.
#[must_use]
pub fn base_name(name: &str) -> &str {
    let cut = if name.contains(' ') && !name.contains('[') {
        name
    } else {
        name.split(['[', '(', '{']).next().unwrap_or(name)
    };
    let cut = cut.split(" with data set").next().unwrap_or(cut);
    if cut.starts_with("Test") { cut.split('/').next().unwrap_or(cut) } else { cut }.trim()
}

/// Whether a title with holes (`%s is %i`, `user $name`) fits a name.
fn fits(title: &str, name: &str) -> bool {
    if !title.contains(['%', '$']) {
        return title == name;
    }
    let mut rest = name;
    for piece in
        title.split(['%', '$']).map(|p| p.trim_start_matches(|c: char| c.is_alphanumeric() || "#{}._".contains(c)))
    {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    true
}

/// The package that a Java or Kotlin file declares.
fn package(source: &Source) -> String {
    if !matches!(source.language, Language::Java | Language::Kotlin) {
        return String::new();
    }
    let mut found = String::new();
    walk(source.root(), |node| {
        if matches!(node.kind(), "package_declaration" | "package_header") {
            let text = source.of(node).trim_start_matches("package").trim().trim_end_matches(';');
            text.trim().clone_into(&mut found);
        }
        node.parent().is_none()
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(base_name("test_a[1-x]"), "test_a");
        assert_eq!(base_name("adds(int)[2]"), "adds");
        assert_eq!(base_name("TestA/empty_cart"), "TestA");
        assert_eq!(base_name("returns a user (1)"), "returns a user (1)");
        assert!(fits("%s is %i", "/users is 200") && !fits("%s is %i", "nothing"));
        assert!(fits("user $name.first fits", "user Ada fits"));
    }
}
