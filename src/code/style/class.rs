//! Files of Java, where all that a test needs stands in one class.

use super::Written;
use super::piece::indented;
use crate::code::language::Language;
use crate::code::source::{Source, children, field};

/// The name of the class of a file.
fn name(path: &str) -> &str {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.strip_suffix(".java").unwrap_or(file)
}

/// Where the body of the class of a file is, without its braces.
fn body(source: &Source, path: &str) -> Option<std::ops::Range<usize>> {
    let is_it = |node: &tree_sitter::Node<'_>| {
        node.kind() == "class_declaration" && field(*node, "name").is_some_and(|own| source.of(own) == name(path))
    };
    let class = children(source.root()).into_iter().find(is_it)?;
    let range = field(class, "body")?.byte_range();
    Some(range.start + 1..range.end.saturating_sub(1))
}

/// A file with a test (`marked`) more, at the end of its class, which comes along where
/// it is not there yet.
pub(super) fn added(source: &Source, path: &str, test: &Written, marked: &str) -> String {
    let text = source.text.trim_end();
    if let Some(body) = body(source, path) {
        let (before, after) = (&source.text[..body.end], &source.text[body.end..]);
        let is_first = source.text[body].trim().is_empty();
        let gap = if is_first { "\n" } else { "\n\n" };
        return format!("{}{gap}{marked}\n{after}", before.trim_end());
    }
    let frame = test.frame.replace("$NAME", name(path));
    let head = frame.trim_end().strip_suffix('}').unwrap_or(&frame).trim_end();
    format!("{text}\n{head}\n{marked}\n}}\n")
}

/// A file in which package, imports and members are there. `first` is where its first
/// test begins.
pub(super) fn with(path: &str, text: &str, item: &str, first: usize) -> Option<String> {
    let mut text = text.to_owned();
    let source = Source::parse_as(Language::Java, path, &text)?;
    let all = children(source.root());
    let end_of = |kind: &str| all.iter().filter(|n| n.kind() == kind).map(tree_sitter::Node::end_byte).max();
    let top = text.find("testmedic wrote:").map_or(0, |at| at + text[at..].find('\n').unwrap_or(text.len() - at));
    let is_static = item.starts_with("import static");
    if item.starts_with("package ") {
        if end_of("package_declaration").is_none() {
            text.insert_str(top, &format!("\n{item}\n"));
        }
    } else if item.starts_with("import ") {
        // Static ones stand together, before the others.
        let imports = all.iter().filter(|n| n.kind() == "import_declaration");
        let alike = imports.filter(|n| source.of(**n).starts_with("import static") == is_static);
        // In the order of their names, as they usually stand.
        let alike: Vec<_> = alike.collect();
        let next = alike.iter().find(|n| source.of(***n) > item).map(|n| n.start_byte());
        let last = alike.iter().map(|n| n.end_byte()).max();
        let package = end_of("package_declaration").unwrap_or(top);
        match (next.or(last), is_static) {
            (Some(at), _) if next.is_some() => text.insert_str(at, &format!("{item}\n")),
            (Some(end), _) => text.insert_str(end, &format!("\n{item}")),
            (None, true) => text.insert_str(package, &format!("\n\n{item}")),
            (None, false) => text.insert_str(end_of("import_declaration").unwrap_or(package), &format!("\n\n{item}")),
        }
    } else if item.starts_with("private static final String ") {
        let start = body(&source, path)?.start;
        text.insert_str(start, &format!("\n{}", indented(item, 4)));
    } else {
        let member = indented(item, 4);
        let before = text[..first].trim_end().len();
        // What comes first in a class has no empty line before it, nor have fields.
        let is_first = text[..before].ends_with('{');
        let is_field = !item.contains('\n') && text[..before].ends_with(';');
        let gap = if is_first || is_field { "\n" } else { "\n\n" };
        text.replace_range(before..first, &format!("{gap}{member}\n\n"));
    }
    Some(text)
}

/// Whether a file holds an import, a package or a member.
pub(super) fn has(text: &str, item: &str) -> bool {
    let is_top = item.starts_with("import ") || item.starts_with("package ");
    let item = if is_top { item.to_owned() } else { indented(item, 4) };
    format!("\n{text}\n").contains(&format!("\n{item}\n"))
}
