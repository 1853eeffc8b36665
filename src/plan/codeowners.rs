//! `CODEOWNERS`: who answers for a file.
//!
//! The format is GitHub's: patterns as in `.gitignore` without `!` and `[…]`,
//! the last matching line wins, a line without owners takes ownership away.

use globset::{GlobBuilder, GlobMatcher};

/// The people (not teams, not e-mail addresses) who own `path`, without `@`.
#[must_use]
pub fn people(codeowners: &str, path: &str) -> Vec<String> {
    let mut owners: Vec<String> = Vec::new();
    for line in codeowners.lines() {
        let line = line.split(" #").next().unwrap_or(line).trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut words = line.split_whitespace();
        let Some(pattern) = words.next() else { continue };
        if matchers(pattern).iter().any(|m| m.is_match(path)) {
            owners = words.filter_map(person).collect();
        }
    }
    owners
}

fn person(word: &str) -> Option<String> {
    let login = word.strip_prefix('@')?;
    let fine = !login.is_empty() && login.len() <= 39 && login.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    fine.then(|| login.to_owned())
}

fn matchers(pattern: &str) -> Vec<GlobMatcher> {
    if pattern.starts_with('!') || pattern.contains('[') {
        return Vec::new();
    }
    let anchored = pattern.trim_end_matches('/').contains('/');
    let inner = pattern.trim_start_matches('/');
    let base = if anchored { inner.to_owned() } else { format!("**/{inner}") };
    // A name means the file, or everything below the folder of that name;
    // `docs/*` means the files in it, not those below.
    let forms = if let Some(folder) = base.strip_suffix('/') {
        vec![format!("{folder}/**")]
    } else if base.ends_with("/*") {
        vec![base]
    } else {
        vec![base.clone(), format!("{base}/**")]
    };
    forms
        .iter()
        .filter_map(|form| GlobBuilder::new(form).literal_separator(true).build().ok())
        .map(|glob| glob.compile_matcher())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_match_wins() {
        let file = "# top\n* @all\n*.js @js-owner @acme/team dev@example.org\n/build/logs/ @ops\ndocs/* @docs\napps/ @apps # note\n/apps/github\n";
        let table: [(&str, &[&str]); 8] = [
            ("README.md", &["all"]),
            ("src/a.js", &["js-owner"]),
            ("build/logs/x/y.txt", &["ops"]),
            ("docs/a.md", &["docs"]),
            ("docs/deep/a.md", &["all"]),
            ("x/apps/a.rs", &["apps"]),
            ("apps/github/a.rs", &[]),
            ("apps/other.rs", &["apps"]),
        ];
        for (path, expected) in table {
            assert_eq!(people(file, path), expected, "{path}");
        }
    }
}
