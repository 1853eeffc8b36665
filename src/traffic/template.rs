//! Paths → templates: `/users/17` and `/users/18` are `/users/{user}`.
//!
//! A segment is a variable where its form says so (numbers, UUIDs and other ids,
//! dates, addresses), or where enough different slugs were seen in one place.
//! Versions and well-known words never are. The rules follow Optic's, with more
//! forms and with words that stay.

use std::collections::{BTreeMap, BTreeSet};

/// Words that stay what they are.
const PINNED: &[&str] = &[
    "api", "me", "self", "search", "export", "import", "latest", "health", "healthz", "status", "login", "logout",
    "count", "new", "current", "all", "stats", "metrics", "version", "docs", "graphql",
];
/// Different slugs with digits in one place from which on they are a variable.
const SLUGS: usize = 5;
/// Paths that are remembered.
const PATHS: usize = 50_000;

/// Learns templates from the paths that were seen and from API descriptions.
#[derive(Clone, Debug, Default)]
pub struct Templates {
    /// Templates of descriptions, such as `/users/{id}`, by their segments.
    described: Vec<Vec<String>>,
    /// Prefix (as a template) → segments that came there.
    seen: BTreeMap<String, BTreeSet<String>>,
    paths: usize,
}

impl Templates {
    /// With the paths of API descriptions: they name their variables themselves.
    #[must_use]
    pub fn described(paths: impl Iterator<Item = String>) -> Self {
        let mut described: Vec<Vec<String>> = paths.map(|p| segments(&p).map(str::to_owned).collect()).collect();
        // Literal segments before variables.
        described.sort_by_key(|parts| parts.iter().map(|p| u8::from(is_hole(p))).collect::<Vec<_>>());
        Self { described, ..Self::default() }
    }

    /// Having seen some paths.
    #[must_use]
    pub fn taught<'p>(mut self, paths: impl Iterator<Item = &'p str>) -> Self {
        paths.for_each(|path| self.see(path));
        self
    }

    /// Sees a path.
    pub fn see(&mut self, path: &str) {
        if self.paths >= PATHS {
            return;
        }
        let mut prefix = String::new();
        for segment in segments(path) {
            let shown = by_form(segment, &prefix);
            if shown.is_none() && has_digit(segment) {
                self.paths += usize::from(self.seen.entry(prefix.clone()).or_default().insert(segment.to_owned()));
            }
            prefix = format!("{prefix}/{}", shown.unwrap_or_else(|| segment.to_owned()));
        }
    }

    /// The template of a path.
    #[must_use]
    pub fn of(&self, path: &str) -> String {
        let parts: Vec<&str> = segments(path).collect();
        let fits = |known: &&Vec<String>| {
            known.len() == parts.len() && known.iter().zip(&parts).all(|(k, p)| is_hole(k) || k == p)
        };
        if let Some(known) = self.described.iter().find(fits) {
            return format!("/{}", known.join("/"));
        }
        let (mut out, mut prefix) = (String::new(), String::new());
        for segment in parts {
            let formed = by_form(segment, &prefix);
            let slug = has_digit(segment) && self.seen.get(&prefix).is_some_and(|seen| seen.len() >= SLUGS);
            let shown = formed.clone().or_else(|| slug.then(|| hole(&prefix)));
            out = format!("{out}/{}", shown.unwrap_or_else(|| segment.to_owned()));
            prefix = format!("{prefix}/{}", formed.unwrap_or_else(|| segment.to_owned()));
        }
        if out.is_empty() { "/".to_owned() } else { out }
    }
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|s| !s.is_empty())
}

fn is_hole(segment: &str) -> bool {
    segment.starts_with('{') && segment.ends_with('}')
}

fn has_digit(segment: &str) -> bool {
    segment.bytes().any(|b| b.is_ascii_digit()) && !is_version(segment) && segment.contains(['-', '_'])
}

/// `v1`, `1.0`, `2026-05-01` as the first of a path, words that stay.
fn is_version(segment: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    segment.strip_prefix('v').is_some_and(|rest| rest.split('.').all(digits))
        || segment.split_once('.').is_some_and(|(a, b)| digits(a) && digits(b))
}

/// The hole that a segment is by its form.
fn by_form(segment: &str, prefix: &str) -> Option<String> {
    // The first segment names a thing, what follows a variable too.
    if prefix.is_empty() || is_version(segment) || PINNED.contains(&segment.to_ascii_lowercase().as_str()) {
        return None;
    }
    let all = |test: fn(&u8) -> bool| segment.bytes().all(|b| test(&b));
    let hex = all(u8::is_ascii_hexdigit) && segment.len() >= 16 && segment.bytes().any(|b| b.is_ascii_digit());
    let ulid =
        segment.len() == 26 && all(u8::is_ascii_alphanumeric) && segment.starts_with(|c: char| c.is_ascii_digit());
    let packed = segment.len() >= 20
        && segment.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'='))
        && segment.bytes().filter(u8::is_ascii_digit).count() >= 3
        && segment.bytes().any(|b| b.is_ascii_uppercase());
    let format = super::formats::name(super::formats::of(segment));
    let odd = matches!(format, Some("uuid" | "date" | "date-time" | "email" | "ipv4"));
    (all(u8::is_ascii_digit) || hex || ulid || packed || odd || segment.starts_with("secret-")).then(|| hole(prefix))
}

/// The name of a variable: the singular of what stands before it.
fn hole(prefix: &str) -> String {
    let parent = prefix.rsplit('/').next().unwrap_or("");
    if is_hole(parent) || parent.is_empty() {
        return "{id}".to_owned();
    }
    let plain: String = parent.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
    let singular = if let Some(stem) = plain.strip_suffix("ies") {
        format!("{stem}y")
    } else if plain.ends_with("ss") || !plain.ends_with('s') {
        plain
    } else {
        plain[..plain.len() - 1].to_owned()
    };
    format!("{{{singular}}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_of_paths() {
        let mut learned = Templates::default();
        for n in 0..5 {
            learned.see(&format!("/posts/a-title-{n}/comments"));
        }
        for (path, expected) in [
            ("/users/17", "/users/{user}"),
            ("/users/me", "/users/me"),
            (
                "/api/v2/companies/0b0e6b1e-7f4d-4c1a-9d1e-1f2a3b4c5d6e/orders/7",
                "/api/v2/companies/{company}/orders/{order}",
            ),
            ("/users/17/18", "/users/{user}/{id}"),
            ("/reports/2026-05-01", "/reports/{report}"),
            ("/objects/507f1f77bcf86cd799439011", "/objects/{object}"),
            ("/posts/a-title-9/comments", "/posts/{post}/comments"),
            ("/pages/a-title-9", "/pages/a-title-9"),
            ("/echo/secret-3", "/echo/{echo}"),
            ("/", "/"),
            ("/2024/x", "/2024/x"),
        ] {
            assert_eq!(learned.of(path), expected, "{path}");
        }
        let described = Templates::described(["/users/{userId}", "/users/search"].map(str::to_owned).into_iter());
        assert_eq!(described.of("/users/abc"), "/users/{userId}");
        assert_eq!(described.of("/users/search"), "/users/search");
    }
}
