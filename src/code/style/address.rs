//! Addresses as tests write them: what stands before the path, and how another path is
//! written there.

use super::{RequestPattern, quoted};
use crate::model::exchange::is_inside;

/// A part of a text that is put together.
pub(super) enum Part {
    /// As it stands.
    Text(String),
    /// An expression.
    Hole(String),
}

/// The address of a request.
#[derive(Clone, Debug)]
pub(super) struct Address {
    /// What stands before a path: an expression, or nothing; `None` where only the
    /// address as it is can be written.
    before: Option<String>,
    /// What of the path that already holds.
    base: String,
    /// Whether it is the one that was asked; else it could not be read.
    pub(super) is_sure: bool,
}

impl Address {
    /// Reads the parts of an address, or of one that is none (`None`). Gives `None` where
    /// it is another than the one that was asked.
    pub(super) fn read(parts: Option<&[Part]>, sought: RequestPattern<'_>) -> Option<Self> {
        let Some(parts) = parts else {
            // An application of the test's own process is asked by paths alone.
            let before = is_inside(sought.origin).then(String::new);
            return Some(Self { before, base: String::new(), is_sure: false });
        };
        let first = parts.first()?;
        let origin = match first {
            Part::Text(text) => text.find("://").map(|at| text[at + 3..].find('/').map(|p| &text[..at + 3 + p])),
            Part::Hole(_) => None,
        };
        let (before, rest) = match (first, origin) {
            (_, Some(origin)) => (quoted(origin?), parts),
            // A path without a slash is below the client's own base.
            (Part::Text(_), None) => (String::new(), parts),
            (Part::Hole(expression), None) => (expression.clone(), &parts[1..]),
        };
        let pattern = pattern(rest);
        let whole = format!("{}{}", sought.origin, sought.path);
        let found = regex::Regex::new(&format!("^(.*?){pattern}$")).ok()?.captures(&whole)?;
        let held = found.get(1).map_or("", |m| m.as_str());
        // What an expression holds: origin and perhaps the begin of the path.
        let base = if origin.is_some() { "" } else { held.strip_prefix(sought.origin).unwrap_or(held) };
        Some(Self { before: Some(before), base: base.to_owned(), is_sure: !pattern.is_empty() })
    }

    /// Whether another path can be written.
    pub(super) fn is_open(&self) -> bool {
        self.before.is_some()
    }

    /// The address of another path, as source.
    pub(super) fn at(&self, path: &str) -> Option<String> {
        let path = path.strip_prefix(self.base.as_str()).unwrap_or(path);
        Some(match self.before.as_deref()? {
            "" => quoted(path),
            origin if origin.starts_with('"') => quoted(&format!("{}{path}", origin.trim_matches('"'))),
            expression => format!("{expression} + {}", quoted(path)),
        })
    }
}

/// The pattern that the path of an address has; what it asks in itself is no part of that.
fn pattern(parts: &[Part]) -> String {
    let mut pattern = String::new();
    for part in parts {
        match part {
            Part::Text(text) => {
                let cut = text.split(['?', '#']).next().unwrap_or("");
                pattern.push_str(&regex::escape(cut));
                if cut.len() < text.len() {
                    break;
                }
            }
            Part::Hole(_) => pattern.push_str("[^/?]+"),
        }
    }
    pattern
}

/// Of the calls of a test that may have sent a request the one that did: the last of
/// those that are sure (what came before belongs to its preparation), else the only one.
pub(super) fn sender<T>(mut found: Vec<(T, bool)>) -> Option<T> {
    let at = found.iter().rposition(|(_, is_sure)| *is_sure).or((found.len() == 1).then_some(0))?;
    Some(found.swap_remove(at).0)
}
