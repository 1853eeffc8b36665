//! A literal against the value that came: the smallest set of changes that
//! makes the one the other.

use std::ops::Range;

use crate::code::expr::{Entry, Expr, Kind};
use crate::code::value::{self, Value, as_kind_of};

/// One place where a literal and a value differ.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A leaf, or a part that cannot be changed more finely.
    Replace {
        /// Where from the root: keys and indices.
        path: Vec<String>,
        /// What stands there.
        old: Expr,
        /// What came.
        new: Value,
    },
    /// A key has another name and the same value.
    Rename {
        /// Where.
        path: Vec<String>,
        /// The key's bytes.
        range: Range<usize>,
        /// The old name.
        old: String,
        /// The new one.
        new: String,
    },
    /// A key that is not in the literal.
    Add {
        /// Where, the key included.
        path: Vec<String>,
        /// The map.
        map: Expr,
        /// The key.
        key: String,
        /// Its value.
        value: Value,
    },
    /// A key that did not come.
    Remove {
        /// Where, the key included.
        path: Vec<String>,
        /// The map.
        map: Expr,
        /// Which entry.
        index: usize,
    },
    /// An element that is not in the list.
    AddItem {
        /// Where.
        path: Vec<String>,
        /// The list.
        list: Expr,
        /// In front of which element.
        at: usize,
        /// What came.
        value: Value,
    },
    /// An element that did not come.
    RemoveItem {
        /// Where.
        path: Vec<String>,
        /// The list.
        list: Expr,
        /// Which element.
        index: usize,
    },
    /// The same elements in another order.
    Reorder {
        /// Where.
        path: Vec<String>,
        /// The list.
        list: Expr,
        /// For each new place the old one.
        order: Vec<usize>,
    },
}

impl Change {
    /// Where it is, from the root of the literal.
    #[must_use]
    pub fn path(&self) -> &[String] {
        match self {
            Self::Replace { path, .. }
            | Self::Rename { path, .. }
            | Self::Add { path, .. }
            | Self::Remove { path, .. }
            | Self::AddItem { path, .. }
            | Self::RemoveItem { path, .. }
            | Self::Reorder { path, .. } => path,
        }
    }
}

/// How the printed value shows texts, and whether all of a map was compared.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Texts are printed in quotes.
    pub quotes_shown: bool,
    /// Keys that are not in the literal do not matter.
    pub subset: bool,
}

/// What differs; empty where nothing does. Parts that are no literals (names,
/// calls, `ANY`) count as fitting.
#[must_use]
pub fn compare(literal: &Expr, value: &Value, terms: Terms) -> Vec<Change> {
    let mut changes = Vec::new();
    differ(literal, value, terms, &mut Vec::new(), &mut changes);
    changes
}

fn differ(literal: &Expr, value: &Value, terms: Terms, path: &mut Vec<String>, out: &mut Vec<Change>) {
    match (&literal.kind, value) {
        (Kind::Map { entries, .. }, Value::Map(came)) => maps(literal, entries, came, terms, path, out),
        (Kind::List(items), Value::List(came)) => lists(literal, items, came, terms, path, out),
        (Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text { .. } | Kind::List(_) | Kind::Map { .. }, _) => {
            let came = as_kind_of(value, literal, terms.quotes_shown);
            if !value::of(literal).is_some_and(|old| same_leaf(&old, &came, terms)) {
                out.push(Change::Replace { path: path.clone(), old: literal.clone(), new: came });
            }
        }
        _ => {}
    }
}

/// Where quotes are shown, a text and a number are two things.
fn same_leaf(old: &Value, came: &Value, terms: Terms) -> bool {
    let told_apart = terms.quotes_shown && matches!((old, came), (Value::Text(_), Value::Bare(_)));
    !told_apart && old.same(came)
}

fn maps(
    map: &Expr,
    entries: &[Entry],
    came: &[(String, Value)],
    terms: Terms,
    path: &mut Vec<String>,
    out: &mut Vec<Change>,
) {
    let has = |key: &str| entries.iter().any(|e| e.key == key);
    let mut added: Vec<&(String, Value)> = came.iter().filter(|(key, _)| !has(key)).collect();
    for (index, entry) in entries.iter().enumerate() {
        path.push(entry.key.clone());
        if let Some((_, value)) = came.iter().find(|(key, _)| *key == entry.key) {
            differ(&entry.value, value, terms, path, out);
            path.pop();
            continue;
        }
        // A new key with the value of the one that is gone is a new name for it.
        let mut twins = added.iter().enumerate().filter(|(_, (_, v))| {
            value::of(&entry.value).is_some_and(|old| old.same(&as_kind_of(v, &entry.value, terms.quotes_shown)))
        });
        let twin = twins.next().map(|(at, _)| at).filter(|_| twins.next().is_none());
        match twin {
            Some(at) => {
                let (new, _) = added.remove(at);
                out.push(Change::Rename {
                    path: path.clone(),
                    range: entry.key_range.clone(),
                    old: entry.key.clone(),
                    new: new.clone(),
                });
            }
            None => out.push(Change::Remove { path: path.clone(), map: map.clone(), index }),
        }
        path.pop();
    }
    if terms.subset {
        return;
    }
    for (key, value) in added {
        path.push(key.clone());
        // Where no quotes are printed a word can only be a text.
        let value = match value {
            Value::Bare(text) if !terms.quotes_shown => Value::Text(text.clone()),
            other => other.clone(),
        };
        out.push(Change::Add { path: path.clone(), map: map.clone(), key: key.clone(), value });
        path.pop();
    }
}

/// Elements beyond which lists are not aligned.
const ALIGNED: usize = 400;

fn lists(list: &Expr, items: &[Expr], came: &[Value], terms: Terms, path: &mut Vec<String>, out: &mut Vec<Change>) {
    let fits = |item: &Expr, value: &Value| {
        let mut inner = Vec::new();
        differ(item, value, terms, &mut Vec::new(), &mut inner);
        inner.is_empty()
    };
    if items.len() == came.len() {
        if let Some(order) = reordered(items, came, &fits) {
            out.push(Change::Reorder { path: path.clone(), list: list.clone(), order });
            return;
        }
        for (index, (item, value)) in items.iter().zip(came).enumerate() {
            path.push(index.to_string());
            differ(item, value, terms, path, out);
            path.pop();
        }
        return;
    }
    if items.len().max(came.len()) > ALIGNED {
        return;
    }
    for step in aligned(items, came, &fits) {
        match step {
            Step::Removed(index) => out.push(Change::RemoveItem { path: path.clone(), list: list.clone(), index }),
            Step::Added(at, index) => {
                let like = items.first().map(|i| as_kind_of(&came[index], i, terms.quotes_shown));
                let value = like.unwrap_or_else(|| came[index].clone());
                out.push(Change::AddItem { path: path.clone(), list: list.clone(), at, value });
            }
        }
    }
}

/// The order in which the items came, where they are the same and it is another.
fn reordered(items: &[Expr], came: &[Value], fits: &impl Fn(&Expr, &Value) -> bool) -> Option<Vec<usize>> {
    if items.len() < 2 || items.len() > ALIGNED || items.iter().zip(came).all(|(i, v)| fits(i, v)) {
        return None;
    }
    let mut free: Vec<usize> = (0..items.len()).collect();
    came.iter()
        .map(|value| {
            let at = free.iter().position(|index| fits(&items[*index], value))?;
            Some(free.remove(at))
        })
        .collect()
}

enum Step {
    Removed(usize),
    /// In front of which item, which value.
    Added(usize, usize),
}

/// The steps from `items` to `came` around their longest common part.
fn aligned(items: &[Expr], came: &[Value], fits: &impl Fn(&Expr, &Value) -> bool) -> Vec<Step> {
    let (rows, columns) = (items.len(), came.len());
    let same: Vec<Vec<bool>> = items.iter().map(|i| came.iter().map(|v| fits(i, v)).collect()).collect();
    let mut longest = vec![vec![0_u32; columns + 1]; rows + 1];
    for row in (0..rows).rev() {
        for column in (0..columns).rev() {
            longest[row][column] = if same[row][column] {
                longest[row + 1][column + 1] + 1
            } else {
                longest[row + 1][column].max(longest[row][column + 1])
            };
        }
    }
    let (mut row, mut column, mut steps) = (0, 0, Vec::new());
    while row < rows || column < columns {
        if row < rows && column < columns && same[row][column] {
            row += 1;
            column += 1;
        } else if column < columns && (row == rows || longest[row][column + 1] >= longest[row + 1][column]) {
            steps.push(Step::Added(row, column));
            column += 1;
        } else {
            steps.push(Step::Removed(row));
            row += 1;
        }
    }
    steps
}
