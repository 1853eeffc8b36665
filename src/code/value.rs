//! Values: what was printed about a failure, and what literals in sources mean.

use crate::code::expr::{Expr, Kind};

/// A value without a place.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A number, as written.
    Number(String),
    /// A text.
    Text(String),
    /// Several values in order.
    List(Vec<Value>),
    /// Values by name, in the order written.
    Map(Vec<(String, Value)>),
    /// Text without quotes whose kind is not told, or an object that cannot be looked into.
    Bare(String),
}

impl Value {
    /// Whether the two mean the same. Maps have no order; `1` and `1.0` are one
    /// number; what was printed without quotes may be any leaf.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => same_number(a, b),
            (Self::List(a), Self::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same(b)),
            (Self::Map(a), Self::Map(b)) => {
                a.len() == b.len() && a.iter().all(|(key, v)| b.iter().any(|(k, w)| k == key && v.same(w)))
            }
            (Self::Bare(bare), leaf) | (leaf, Self::Bare(bare)) => leaf.shown().is_some_and(|shown| shown == *bare),
            (a, b) => a == b,
        }
    }

    /// A leaf as it looks without quotes.
    #[must_use]
    pub fn shown(&self) -> Option<String> {
        match self {
            Self::Null => Some("null".to_owned()),
            Self::Bool(b) => Some(b.to_string()),
            Self::Number(text) | Self::Text(text) | Self::Bare(text) => Some(text.clone()),
            Self::List(_) | Self::Map(_) => None,
        }
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Text(text) | Self::Bare(text) => text.trim().is_empty(),
            Self::List(items) => items.is_empty(),
            Self::Map(entries) => entries.is_empty(),
            Self::Bool(_) | Self::Number(_) => false,
        }
    }

    /// Its kind, for people.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a truth value",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "an object",
            Self::Bare(_) => "something",
        }
    }
}

/// Numbers by what they mean: separators and suffixes of languages do not count.
fn same_number(a: &str, b: &str) -> bool {
    let read = |text: &str| -> Option<f64> { bare_number(text).replace('_', "").parse().ok() };
    match (read(a), read(b)) {
        (Some(a), Some(b)) => (a - b).abs() <= f64::EPSILON * a.abs().max(b.abs()),
        _ => a == b,
    }
}

/// A number without the suffix of its type (`1L`, `2.5f`, `200u16`).
#[must_use]
pub fn bare_number(text: &str) -> &str {
    if text.starts_with("0x") || text.starts_with("0X") {
        return text;
    }
    let end = text
        .char_indices()
        .find(|(at, c)| {
            let exponent = matches!(c, 'e' | 'E')
                && text[at + 1..].starts_with(|d: char| d.is_ascii_digit() || d == '-' || d == '+');
            *at > 0 && c.is_ascii_alphabetic() && !exponent
        })
        .map_or(text.len(), |(at, _)| at);
    text[..end].trim_end_matches('_')
}

/// What a literal means; `None` where a part of it is not one.
#[must_use]
pub fn of(expr: &Expr) -> Option<Value> {
    Some(match &expr.kind {
        Kind::Null => Value::Null,
        Kind::Bool(b) => Value::Bool(*b),
        Kind::Number(n) => Value::Number(bare_number(n).to_owned()),
        Kind::Text { value, .. } => Value::Text(value.clone()),
        Kind::List(items) => Value::List(items.iter().map(of).collect::<Option<_>>()?),
        Kind::Map { entries, open: false } => {
            Value::Map(entries.iter().map(|e| Some((e.key.clone(), of(&e.value)?))).collect::<Option<_>>()?)
        }
        _ => return None,
    })
}

/// A printed value as the kind of leaf that a literal is: where no quotes are
/// printed, `200` may be the text "200".
#[must_use]
pub fn as_kind_of(value: &Value, like: &Expr, quotes_shown: bool) -> Value {
    let shown = value.shown();
    match (&like.kind, value, shown) {
        (Kind::Text { .. }, Value::Bare(text), _) => Value::Text(text.clone()),
        (Kind::Text { .. }, _, Some(shown)) if !quotes_shown => Value::Text(shown),
        (Kind::Number(_), Value::Bare(text) | Value::Text(text), _) if !quotes_shown && text.parse::<f64>().is_ok() => {
            Value::Number(text.clone())
        }
        // A word where a number or a truth value was is a text that is printed without quotes.
        (Kind::Number(_) | Kind::Bool(_), Value::Bare(text), _) if !quotes_shown => Value::Text(text.clone()),
        _ => value.clone(),
    }
}
