//! Expressions, the same for all languages: what an assertion compares, and the
//! literals behind it, each with its bytes in the file.

use std::ops::Range;

/// An expression and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// Its bytes in the file.
    pub range: Range<usize>,
    /// What it is.
    pub kind: Kind,
}

/// What an expression is, as far as tests need it.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// `None`, `null`, `nil`, `undefined`.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// A number, as written, with its sign.
    Number(String),
    /// A text without interpolation.
    Text {
        /// What it means, escapes resolved.
        value: String,
        /// The bytes between its quotes.
        inside: Range<usize>,
    },
    /// A list, tuple, array or set.
    List(Vec<Expr>),
    /// A map, object or struct, with the name of its type where it has one.
    Map {
        /// Its entries.
        entries: Vec<Entry>,
        /// Whether something is in it that is no plain entry (a spread, a computed key).
        open: bool,
    },
    /// A call.
    Call(Box<Call>),
    /// `left op right`.
    Compare {
        /// `==`, `!=`, `<`, `in` …, as written.
        op: String,
        /// Left side.
        left: Box<Expr>,
        /// Right side.
        right: Box<Expr>,
    },
    /// `and`, `or` and their like.
    Logic {
        /// Whether it is `and`.
        all: bool,
        /// The two sides.
        sides: Vec<Expr>,
    },
    /// `not`.
    Not(Box<Expr>),
    /// A name, dotted (`tc.want`, `StatusCode::OK`).
    Name(String),
    /// `base["key"]` or `base[0]`.
    Item {
        /// What is looked into.
        base: Box<Expr>,
        /// The key.
        key: Box<Expr>,
    },
    /// `base.name` where base is more than a name.
    Member {
        /// What is looked into.
        base: Box<Expr>,
        /// The name.
        name: String,
        /// Where the name stands.
        name_range: Range<usize>,
    },
    /// Anything else.
    Other,
}

/// One entry of a map.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Key and value with what is between them.
    pub range: Range<usize>,
    /// The key's bytes.
    pub key_range: Range<usize>,
    /// What the key means.
    pub key: String,
    /// The value.
    pub value: Expr,
}

/// A call of a function, method or macro.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The last part of its name.
    pub name: String,
    /// Where the name stands.
    pub name_range: Range<usize>,
    /// What stands before the last dot.
    pub receiver: Option<Expr>,
    /// Its arguments.
    pub args: Vec<Arg>,
    /// Whether a block or trailing lambda follows.
    pub block: bool,
}

/// One argument.
#[derive(Clone, Debug, PartialEq)]
pub struct Arg {
    /// The keyword, where it is one.
    pub name: Option<String>,
    /// The value.
    pub value: Expr,
}

impl Expr {
    /// Something that is not looked into.
    #[must_use]
    pub fn other(range: Range<usize>) -> Self {
        Self { range, kind: Kind::Other }
    }

    /// The call, where it is one.
    #[must_use]
    pub fn call(&self) -> Option<&Call> {
        match &self.kind {
            Kind::Call(call) => Some(call),
            _ => None,
        }
    }

    /// The text, where it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text { value, .. } => Some(value),
            _ => None,
        }
    }

    /// Whether it is a value and nothing is computed: an expectation, not a subject.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        match &self.kind {
            Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text { .. } => true,
            Kind::List(items) => items.iter().all(Expr::is_literal),
            Kind::Map { entries, .. } => entries.iter().all(|e| e.value.is_literal()),
            _ => false,
        }
    }

    /// Whether it is a value in its shape: a literal whose parts may be names
    /// and calls (`{"id": ANY, "name": "x"}`).
    #[must_use]
    pub fn is_value(&self) -> bool {
        self.is_literal() || matches!(self.kind, Kind::List(_) | Kind::Map { .. })
    }

    /// This expression and all below it, parents first.
    #[must_use]
    pub fn all(&self) -> Vec<&Expr> {
        let mut found = Vec::new();
        let mut open = vec![self];
        while let Some(expr) = open.pop() {
            found.push(expr);
            open.extend(expr.parts().into_iter().rev());
        }
        found
    }

    /// The same in a text that begins `bytes` earlier.
    #[must_use]
    pub fn shifted_back(mut self, bytes: usize) -> Self {
        let back = |r: &Range<usize>| r.start.saturating_sub(bytes)..r.end.saturating_sub(bytes);
        self.range = back(&self.range);
        match &mut self.kind {
            Kind::Text { inside, .. } => *inside = back(inside),
            Kind::List(items) => {
                *items = std::mem::take(items).into_iter().map(|i| i.shifted_back(bytes)).collect();
            }
            Kind::Map { entries, .. } => {
                *entries = std::mem::take(entries)
                    .into_iter()
                    .map(|e| Entry {
                        range: back(&e.range),
                        key_range: back(&e.key_range),
                        key: e.key,
                        value: e.value.shifted_back(bytes),
                    })
                    .collect();
            }
            _ => {}
        }
        self
    }

    fn parts(&self) -> Vec<&Expr> {
        match &self.kind {
            Kind::List(items) => items.iter().collect(),
            Kind::Map { entries, .. } => entries.iter().map(|e| &e.value).collect(),
            Kind::Call(call) => call.receiver.iter().chain(call.args.iter().map(|a| &a.value)).collect(),
            Kind::Compare { left, right, .. } => vec![left, right],
            Kind::Logic { sides, .. } => sides.iter().collect(),
            Kind::Not(inner) => vec![inner],
            Kind::Item { base, key } => vec![base, key],
            Kind::Member { base, .. } => vec![base],
            _ => Vec::new(),
        }
    }
}

impl Call {
    /// The positional arguments.
    pub fn positional(&self) -> impl Iterator<Item = &Expr> {
        self.args.iter().filter(|a| a.name.is_none()).map(|a| &a.value)
    }

    /// The positional argument at `index`.
    #[must_use]
    pub fn arg(&self, index: usize) -> Option<&Expr> {
        self.positional().nth(index)
    }

    /// The keyword argument `name`.
    #[must_use]
    pub fn keyword(&self, name: &str) -> Option<&Expr> {
        self.args.iter().find(|a| a.name.as_deref() == Some(name)).map(|a| &a.value)
    }

    /// The calls of a chain (`a().b().c()` from `c`), outermost first, itself included.
    #[must_use]
    pub fn chain(&self) -> Vec<&Call> {
        let mut found = vec![self];
        let mut at = self.receiver.as_ref();
        while let Some(expr) = at {
            match &expr.kind {
                Kind::Call(call) => {
                    found.push(call);
                    at = call.receiver.as_ref();
                }
                Kind::Member { base, .. } | Kind::Item { base, .. } => at = Some(base),
                _ => break,
            }
        }
        found
    }
}
