//! The shape of JSON values: what was seen, with counts.
//!
//! A node holds counts and bounds only, so that two nodes can be merged in any
//! order, and its size is bounded by the number of fields, not of values.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::formats;

/// Fields of one object; an object with more of them is a map.
const FIELDS: usize = 300;
/// Levels that are looked into.
const DEPTH: usize = 24;
/// Different texts of a place that are remembered; with more of them it has no
/// fixed set of values.
const VALUES: usize = 24;
/// Bytes of a text that may be one of a fixed set.
const VALUE: usize = 64;
/// Elements of one list that are looked at.
const ITEMS: usize = 200;

/// What was seen in one place.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Node {
    /// Values in all.
    pub n: u64,
    /// Of a field: objects without it in the latest runs, since it was last seen.
    #[serde(skip_serializing_if = "is_none_seen")]
    pub absent: u64,
    /// `null`.
    #[serde(skip_serializing_if = "is_none_seen")]
    pub nulls: u64,
    /// `true` and `false`.
    #[serde(skip_serializing_if = "is_none_seen")]
    pub bools: u64,
    /// Whole numbers.
    #[serde(skip_serializing_if = "is_none_seen")]
    pub ints: u64,
    /// Other numbers.
    #[serde(skip_serializing_if = "is_none_seen")]
    pub floats: u64,
    /// Smallest and largest number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<(f64, f64)>,
    /// Texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub texts: Option<Texts>,
    /// Lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lists: Option<Box<Lists>>,
    /// Objects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub objects: Option<Objects>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_none_seen(count: &u64) -> bool {
    *count == 0
}

/// Texts of one place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Texts {
    /// How many.
    pub n: u64,
    /// Shortest and longest, in bytes.
    pub length: (u64, u64),
    /// Formats that all of them have.
    pub formats: u16,
    /// How often each value came; `None` where there are too many of them.
    pub values: Option<BTreeMap<String, u64>>,
}

/// Lists of one place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lists {
    /// How many.
    pub n: u64,
    /// Shortest and longest.
    pub length: (u64, u64),
    /// Their elements.
    pub item: Node,
}

/// Objects of one place.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Objects {
    /// How many.
    pub n: u64,
    /// Fields by name: in how many objects, and what.
    pub fields: BTreeMap<String, (u64, Node)>,
    /// Whether names are data: too many of them were seen.
    #[serde(default)]
    pub is_map: bool,
}

impl Node {
    /// Sees a value.
    pub fn see(&mut self, value: &Value) {
        self.see_at(value, 0);
    }

    fn see_at(&mut self, value: &Value, depth: usize) {
        self.n += 1;
        if depth > DEPTH {
            return;
        }
        match value {
            Value::Null => self.nulls += 1,
            Value::Bool(_) => self.bools += 1,
            Value::Number(number) => {
                let is_whole = number.is_i64() || number.is_u64();
                *(if is_whole { &mut self.ints } else { &mut self.floats }) += 1;
                if let Some(value) = number.as_f64() {
                    let (low, high) = self.range.unwrap_or((value, value));
                    self.range = Some((low.min(value), high.max(value)));
                }
            }
            Value::String(text) => match &mut self.texts {
                Some(texts) => texts.see(text),
                None => self.texts = Some(Texts::of(text)),
            },
            Value::Array(items) => {
                let length = items.len() as u64;
                let lists = self
                    .lists
                    .get_or_insert_with(|| Box::new(Lists { n: 0, length: (length, length), item: Node::default() }));
                lists.n += 1;
                lists.length = (lists.length.0.min(length), lists.length.1.max(length));
                for item in items.iter().take(ITEMS) {
                    lists.item.see_at(item, depth + 1);
                }
            }
            Value::Object(map) => {
                let objects = self.objects.get_or_insert_with(Objects::default);
                objects.n += 1;
                for (name, inner) in map {
                    objects.see(name, inner, depth);
                }
            }
        }
    }

    /// Takes in what another node saw.
    pub fn merge(&mut self, other: &Self) {
        self.n += other.n;
        self.nulls += other.nulls;
        self.bools += other.bools;
        self.ints += other.ints;
        self.floats += other.floats;
        self.range = match (self.range, other.range) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (one, two) => one.or(two),
        };
        match (&mut self.texts, &other.texts) {
            (Some(own), Some(others)) => own.merge(others),
            (own @ None, Some(others)) => *own = Some(others.clone()),
            _ => {}
        }
        match (&mut self.lists, &other.lists) {
            (Some(own), Some(others)) => {
                own.n += others.n;
                own.length = (own.length.0.min(others.length.0), own.length.1.max(others.length.1));
                own.item.merge(&others.item);
            }
            (own @ None, Some(others)) => *own = Some(others.clone()),
            _ => {}
        }
        match (&mut self.objects, &other.objects) {
            (Some(own), Some(others)) => own.merge(others),
            (own @ None, Some(others)) => *own = Some(others.clone()),
            _ => {}
        }
    }

    /// Notes which fields the latest run did not have any more; to be called before
    /// [`Node::merge`].
    pub fn age(&mut self, latest: &Self) {
        if let (Some(own), Some(others)) = (&mut self.objects, &latest.objects) {
            for (name, (_, node)) in &mut own.fields {
                match others.fields.get(name) {
                    Some((_, now)) => {
                        node.absent = 0;
                        node.age(now);
                    }
                    None => node.absent += others.n,
                }
            }
        }
        if let (Some(own), Some(others)) = (&mut self.lists, &latest.lists) {
            own.item.age(&others.item);
        }
    }

    /// The names of the kinds of values that were seen, without `null`.
    #[must_use]
    pub fn kinds(&self) -> Vec<&'static str> {
        let mut kinds = Vec::new();
        let mut add = |seen: bool, name| {
            if seen {
                kinds.push(name);
            }
        };
        add(self.bools > 0, "boolean");
        add(self.ints > 0 && self.floats == 0, "integer");
        add(self.floats > 0, "number");
        add(self.texts.is_some(), "string");
        add(self.lists.is_some(), "array");
        add(self.objects.is_some(), "object");
        kinds
    }

    /// The kind for people: `string (date-time)`, `integer`, `string or null`.
    #[must_use]
    pub fn told(&self) -> String {
        let format = self.texts.as_ref().and_then(|t| formats::name(t.formats)).map(|f| format!(" ({f})"));
        let kinds: Vec<String> =
            self.kinds()
                .into_iter()
                .map(|kind| {
                    if kind == "string" {
                        format!("string{}", format.as_deref().unwrap_or(""))
                    } else {
                        kind.to_owned()
                    }
                })
                .chain((self.nulls > 0).then(|| "null".to_owned()))
                .collect();
        if kinds.is_empty() { "nothing".to_owned() } else { kinds.join(" or ") }
    }

    /// The fixed set of values that a text has, where it looks like one: few of
    /// them, plain, and each seen often enough.
    #[must_use]
    pub fn choices(&self) -> Option<Vec<&str>> {
        let texts = self.texts.as_ref()?;
        let values = texts.values.as_ref()?;
        let plain = |v: &String| {
            v.starts_with(|c: char| c.is_ascii_alphabetic())
                && v.len() <= 32
                && v.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
        };
        // One value alone is a constant of whoever wrote the tests.
        let few = (2..=10).contains(&values.len()) && texts.n >= 10 * values.len() as u64;
        (few && texts.formats == 0 && values.keys().all(plain)).then(|| values.keys().map(String::as_str).collect())
    }
}

impl Texts {
    fn of(text: &str) -> Self {
        let length = text.len() as u64;
        let values = (text.len() <= VALUE).then(|| BTreeMap::from([(text.to_owned(), 1)]));
        Self { n: 1, length: (length, length), formats: formats::of(text), values }
    }

    fn see(&mut self, text: &str) {
        let length = text.len() as u64;
        self.n += 1;
        self.length = (self.length.0.min(length), self.length.1.max(length));
        if self.formats != 0 {
            self.formats &= formats::of(text);
        }
        let Some(values) = &mut self.values else { return };
        if let Some(count) = values.get_mut(text) {
            *count += 1;
        } else if values.len() < VALUES && text.len() <= VALUE {
            values.insert(text.to_owned(), 1);
        } else {
            self.values = None;
        }
    }

    fn merge(&mut self, other: &Self) {
        self.n += other.n;
        self.length = (self.length.0.min(other.length.0), self.length.1.max(other.length.1));
        self.formats &= other.formats;
        let (Some(own), Some(others)) = (&mut self.values, &other.values) else {
            self.values = None;
            return;
        };
        for (value, count) in others {
            *own.entry(value.clone()).or_default() += count;
        }
        if own.len() > VALUES {
            self.values = None;
        }
    }
}

impl Objects {
    /// Whether names look like data (ids): many of them, most in few objects.
    #[must_use]
    pub fn has_data_for_names(&self) -> bool {
        let seen: u64 = self.fields.values().map(|(count, _)| count).sum();
        let places = self.n.saturating_mul(self.fields.len() as u64);
        self.is_map || (self.fields.len() >= 8 && self.n >= 2 && seen * 10 <= places * 3)
    }

    fn see(&mut self, name: &str, value: &Value, depth: usize) {
        if let Some((count, node)) = self.fields.get_mut(name) {
            *count += 1;
            node.see_at(value, depth + 1);
        } else if self.fields.len() < FIELDS && !self.is_map {
            let mut node = Node::default();
            node.see_at(value, depth + 1);
            self.fields.insert(name.to_owned(), (1, node));
        } else {
            self.is_map = true;
        }
    }

    fn merge(&mut self, other: &Self) {
        self.n += other.n;
        self.is_map |= other.is_map;
        for (name, (count, node)) in &other.fields {
            if let Some((own, inner)) = self.fields.get_mut(name) {
                *own += count;
                inner.merge(node);
            } else if self.fields.len() < FIELDS {
                self.fields.insert(name.clone(), (*count, node.clone()));
            } else {
                self.is_map = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn node(values: &[Value]) -> Node {
        let mut node = Node::default();
        for value in values {
            node.see(value);
        }
        node
    }

    #[test]
    fn what_was_seen() {
        let seen = node(&[
            json!({"id": 1, "at": "2026-05-01T10:00:00Z", "tags": ["a"], "note": null}),
            json!({"id": 2, "at": "2026-05-02T10:00:00Z", "tags": [], "note": "x"}),
        ]);
        let fields = &seen.objects.as_ref().unwrap().fields;
        let told: Vec<String> = fields.iter().map(|(name, (n, node))| format!("{name} {n} {}", node.told())).collect();
        assert_eq!(told, ["at 2 string (date-time)", "id 2 integer", "note 2 string or null", "tags 2 array"]);
        let states = node(&(0..40).map(|n| json!(if n % 2 == 0 { "open" } else { "closed" })).collect::<Vec<_>>());
        assert_eq!(states.choices(), Some(vec!["closed", "open"]));
    }

    fn any() -> impl proptest::strategy::Strategy<Value = Value> {
        use proptest::prelude::*;
        let leaf = prop_oneof![
            Just(json!(null)),
            any::<bool>().prop_map(|b| json!(b)),
            any::<i8>().prop_map(|n| json!(n)),
            "[a-c]{0,3}".prop_map(|t| json!(t)),
            Just(json!(1.5))
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..3).prop_map(|v| json!(v)),
                proptest::collection::btree_map("[a-c]", inner, 0..3).prop_map(|m| json!(m)),
            ]
        })
    }

    proptest::proptest! {
        /// In whatever order and in whatever groups: the same node.
        #[test]
        fn merging_is_seeing(values in proptest::collection::vec(any(), 0..12), at in 0_usize..12) {
            let at = at.min(values.len());
            let mut one = node(&values[..at]);
            one.merge(&node(&values[at..]));
            let mut other = node(&values[at..]);
            other.merge(&node(&values[..at]));
            proptest::prop_assert_eq!(&one, &other);
            proptest::prop_assert_eq!(&one, &node(&values));
            let text = serde_json::to_string(&one).unwrap();
            proptest::prop_assert_eq!(serde_json::from_str::<Node>(&text).unwrap(), one);
        }
    }
}
