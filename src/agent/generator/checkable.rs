//! What can be checked of a shape that was seen.

use crate::code::style::check::Is;
use crate::traffic::formats;
use crate::traffic::shape::Node;

/// Answers before which a shape says enough.
const ENOUGH: u64 = 3;
/// Levels that are looked into.
const DEPTH: usize = 4;
/// Places of one body.
const MOST: usize = 25;

/// The places at which something can be checked: always there, in every answer.
#[must_use]
pub fn places(node: &Node) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    below(node, &mut Vec::new(), &mut found);
    found.truncate(MOST);
    found
}

fn below(node: &Node, at: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    if at.len() > DEPTH {
        return;
    }
    let mut leaf = true;
    if let Some(objects) = node.objects.as_ref().filter(|o| node.kinds() == ["object"] && !o.has_data_for_names()) {
        for (name, (count, inner)) in &objects.fields {
            // What is nothing at times has nothing below it to rely on; a name that is
            // `*` would be taken for all elements of a list.
            if name != "*" && *count == objects.n && node.nulls == 0 {
                leaf = false;
                at.push(name.clone());
                below(inner, at, found);
                at.pop();
            }
        }
    }
    if let Some(lists) = node.lists.as_ref().filter(|l| node.kinds() == ["array"] && l.length.0 > 0 && node.nulls == 0)
    {
        leaf = false;
        found.push(at.clone());
        at.push("*".to_owned());
        below(&lists.item, at, found);
        at.pop();
    }
    if leaf && !at.is_empty() && !node.kinds().is_empty() {
        found.push(at.clone());
    }
}

/// The node at a place, where it is there in every answer.
#[must_use]
pub fn at<'n>(node: &'n Node, place: &[String]) -> Option<&'n Node> {
    let Some((name, rest)) = place.split_first() else { return Some(node) };
    if name == "*" {
        let lists = node.lists.as_ref().filter(|l| l.length.0 > 0)?;
        return at(&lists.item, rest);
    }
    let objects = node.objects.as_ref()?;
    let (count, inner) = objects.fields.get(name)?;
    (*count == node.n).then(|| at(inner, rest)).flatten()
}

/// What the values of a node are; `None` where nothing but `null` was seen, or too little.
#[must_use]
pub fn is(node: &Node) -> Option<Is> {
    let kinds = node.kinds();
    if kinds.is_empty() || node.n < ENOUGH {
        return None;
    }
    let texts = node.texts.as_ref().filter(|t| kinds == ["string"] && t.n >= ENOUGH);
    let format = texts.and_then(|t| formats::pattern(t.formats));
    let choices = node.choices().filter(|_| kinds == ["string"]).unwrap_or_default();
    Some(Is {
        nullable: node.nulls > 0,
        format,
        choices: choices.into_iter().map(str::to_owned).collect(),
        filled: kinds == ["array"] && node.lists.as_ref().is_some_and(|l| l.length.0 > 0),
        kinds,
        count: None,
    })
}
