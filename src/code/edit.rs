//! Edits of a file, and patches of several.

use std::ops::Range;

use crate::code::expr::{Expr, Kind};
use crate::code::language::Language;
use crate::code::literal_writer::LiteralStyle;
use crate::code::source::Source;
use crate::code::value::Value;
use crate::code::value_diff::Change;

/// Bytes that are replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// Which bytes of the old file.
    pub range: Range<usize>,
    /// What stands there then.
    pub text: String,
}

impl Edit {
    /// Builds one.
    #[must_use]
    pub fn new(range: Range<usize>, text: impl Into<String>) -> Self {
        Self { range, text: text.into() }
    }
}

/// The text after all edits; `None` where two overlap or one is out of bounds.
#[must_use]
pub fn apply(text: &str, edits: &[Edit]) -> Option<String> {
    let mut sorted: Vec<&Edit> = edits.iter().collect();
    sorted.sort_by_key(|e| (e.range.start, e.range.end));
    let mut out = String::with_capacity(text.len() + 64);
    let mut at = 0;
    for edit in sorted {
        if edit.range.start < at {
            return None;
        }
        out.push_str(text.get(at..edit.range.start)?);
        out.push_str(&edit.text);
        at = edit.range.end;
    }
    out.push_str(text.get(at..)?);
    Some(out)
}

/// A unified diff of one file, with `a/` and `b/` as git writes them; empty
/// where nothing changed.
#[must_use]
pub fn diff(path: &str, old: &str, new: &str) -> String {
    if old == new {
        return String::new();
    }
    let patch = diffy::DiffOptions::new()
        .set_original_filename(format!("a/{path}"))
        .set_modified_filename(format!("b/{path}"))
        .create_patch(old, new);
    format!("diff --git a/{path} b/{path}\n{patch}")
}

/// The edit that carries a change out; `None` where the language needs more
/// than the value tells.
#[must_use]
pub fn of_change(source: &Source, change: &Change) -> Option<Edit> {
    fn manner<'a>(source: &'a Source, like: Option<&'a Expr>) -> LiteralStyle<'a> {
        LiteralStyle { language: source.language, text: &source.text, like }
    }
    match change {
        Change::Replace { old, new, .. } => {
            if let Some(edit) = inside_of_quotes(source, old, new) {
                return Some(edit);
            }
            let text = manner(source, Some(old)).write(new)?;
            Some(Edit::new(old.range.clone(), text))
        }
        Change::Rename { range, new, .. } => {
            let written = source.slice(range);
            let symbol = written.ends_with(':');
            let text = manner(source, None).key(new, Some(written));
            Some(Edit::new(range.clone(), if symbol && !text.ends_with(':') { format!("{text}:") } else { text }))
        }
        Change::Add { map, key, value, .. } => add_entry(source, map, key, &|like| manner(source, like).write(value)),
        Change::Remove { map, index, .. } => {
            let Kind::Map { entries, .. } = &map.kind else { return None };
            let ranges: Vec<Range<usize>> = entries.iter().map(|e| e.range.clone()).collect();
            Some(Edit::new(with_separator(source, &ranges, *index, map)?, ""))
        }
        Change::AddItem { list, at, value, .. } => {
            let Kind::List(items) = &list.kind else { return None };
            let like = items.first();
            let text = manner(source, like).write(value)?;
            let ranges: Vec<Range<usize>> = items.iter().map(|i| i.range.clone()).collect();
            insert(source, &ranges, *at, list, &text)
        }
        Change::RemoveItem { list, index, .. } => {
            let Kind::List(items) = &list.kind else { return None };
            let ranges: Vec<Range<usize>> = items.iter().map(|i| i.range.clone()).collect();
            Some(Edit::new(with_separator(source, &ranges, *index, list)?, ""))
        }
        Change::Reorder { list, order, .. } => {
            let Kind::List(items) = &list.kind else { return None };
            let (first, last) = (items.first()?, items.last()?);
            let mut text = String::new();
            for (place, from) in order.iter().enumerate() {
                text.push_str(source.slice(&items[*from].range));
                // What is between the elements (commas, lines) stays where it is.
                if let Some(next) = items.get(place + 1) {
                    text.push_str(source.slice(&(items[place].range.end..next.range.start)));
                }
            }
            Some(Edit::new(first.range.start..last.range.end, text))
        }
    }
}

/// A text that replaces a text: only what stands between the quotes changes, so
/// that prefixes and quotes stay.
fn inside_of_quotes(source: &Source, old: &Expr, new: &Value) -> Option<Edit> {
    let (Kind::Text { inside, .. }, Value::Text(text)) = (&old.kind, new) else { return None };
    let before = source.text.get(old.range.start..inside.start)?;
    let raw = before.to_ascii_lowercase().starts_with(['r', '`']) && source.language != Language::JavaScript;
    let quote = before.chars().last()?;
    if raw {
        let fits = !text.contains(quote) && !text.contains('\n');
        return fits.then(|| Edit::new(inside.clone(), text.clone()));
    }
    let written = LiteralStyle { language: source.language, text: &source.text, like: Some(old) }.write(new)?;
    let same_quotes = written.starts_with(quote) && written.ends_with(quote) && before.len() == quote.len_utf8();
    same_quotes.then(|| Edit::new(inside.clone(), written[1..written.len() - 1].to_owned()))
}

/// Puts a new entry behind the last one of a map, as its neighbour is written.
#[must_use]
pub fn add_entry(
    source: &Source,
    map: &Expr,
    key: &str,
    write: &dyn Fn(Option<&Expr>) -> Option<String>,
) -> Option<Edit> {
    let Kind::Map { entries, .. } = &map.kind else { return None };
    let last = entries.last();
    let value = write(last.map(|e| &e.value))?;
    let manner = LiteralStyle { language: source.language, text: &source.text, like: None };
    let text = manner.entry(key, &value, last);
    let ranges: Vec<Range<usize>> = entries.iter().map(|e| e.range.clone()).collect();
    insert(source, &ranges, ranges.len(), map, &text)
}

/// Inserts an element in front of the one at `at`, with comma and line as its
/// neighbours have them.
fn insert(source: &Source, ranges: &[Range<usize>], at: usize, whole: &Expr, text: &str) -> Option<Edit> {
    if let Some(next) = ranges.get(at) {
        let indent = line_indent(source, next.start);
        let between = if indent.is_some() { format!(",\n{}", indent.unwrap_or_default()) } else { ", ".to_owned() };
        return Some(Edit::new(next.start..next.start, format!("{text}{between}")));
    }
    let Some(last) = ranges.last() else {
        let written = source.slice(&whole.range);
        let close = written.rfind(['}', ']', ')'])?;
        let place = whole.range.start + close;
        return Some(Edit::new(place..place, text));
    };
    let between = match line_indent(source, last.start) {
        Some(indent) => format!(",\n{indent}"),
        None => ", ".to_owned(),
    };
    // Behind a trailing comma nothing but the comma is needed, which then trails again.
    let rest = source.text.get(last.end..whole.range.end)?;
    let trailing = rest.trim_start().starts_with(',');
    if trailing {
        let comma = last.end + rest.find(',')?;
        let lead = between.trim_start_matches(',');
        return Some(Edit::new(comma + 1..comma + 1, format!("{lead}{text},")));
    }
    Some(Edit::new(last.end..last.end, format!("{between}{text}")))
}

/// The white space before `byte`, where nothing else stands before it on its line.
fn line_indent(source: &Source, byte: usize) -> Option<String> {
    let before = &source.text[..byte];
    let line = &before[before.rfind('\n')? + 1..];
    line.chars().all(char::is_whitespace).then(|| line.to_owned())
}

/// An element with the comma that goes with it, and its line where it stands alone on one.
fn with_separator(source: &Source, ranges: &[Range<usize>], index: usize, whole: &Expr) -> Option<Range<usize>> {
    let this = ranges.get(index)?;
    if let Some(next) = ranges.get(index + 1) {
        return Some(this.start..next.start);
    }
    let rest = source.text.get(this.end..whole.range.end)?;
    let trailing = rest.trim_start().starts_with(',');
    match index.checked_sub(1).and_then(|before| ranges.get(before)) {
        // With a trailing comma the one before the element trails now.
        Some(before) if trailing => {
            let comma = this.end + rest.find(',')?;
            let start = before.end + source.text.get(before.end..this.start)?.find(',')? + 1;
            Some(start..comma + 1)
        }
        Some(before) => Some(before.end..this.end),
        None if trailing => Some(this.start..this.end + rest.find(',')? + 1),
        None => Some(this.clone()),
    }
}
