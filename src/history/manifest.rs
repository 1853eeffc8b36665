//! The manifest of `history import`: JSON lines that say which reports belong
//! to which run.

use serde::Deserialize;

use crate::model::run::RunFacts;
use crate::model::time::Timestamp;

/// One line: `{"reports": ["glob", …], "commit": "…", "branch": "main", "at":
/// "2026-05-01T10:00:00Z", "run": "123", "attempt": 1, "variant": "linux"}`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Globs, relative to the manifest.
    pub reports: Vec<String>,
    /// Commit.
    pub commit: String,
    /// Branch.
    pub branch: String,
    /// When it ran.
    pub at: Timestamp,
    /// The CI system's number for the run, as text or number.
    #[serde(default, deserialize_with = "text_or_number")]
    pub run: Option<String>,
    /// Which attempt of that run, from 1.
    #[serde(default = "one")]
    pub attempt: u32,
    /// Matrix leg.
    #[serde(default)]
    pub variant: Option<String>,
}

fn one() -> u32 {
    1
}

fn text_or_number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Text(String),
        Number(u64),
    }
    Ok(Option::<Either>::deserialize(deserializer)?.map(|either| match either {
        Either::Text(text) => text,
        Either::Number(number) => number.to_string(),
    }))
}

impl Entry {
    /// The facts of the run.
    #[must_use]
    pub fn facts(&self) -> RunFacts {
        RunFacts {
            commit: Some(self.commit.clone()),
            branch: Some(self.branch.clone()),
            at: Some(self.at),
            run: self.run.clone(),
            attempt: self.attempt,
            variant: self.variant.clone(),
        }
    }
}

/// A line that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("line {line} is no entry")]
pub struct BadLine {
    /// From 1.
    pub line: usize,
    /// What is wrong with it.
    pub source: serde_json::Error,
}

/// The entries of a manifest. Blank lines and lines that begin with `#` are passed over.
///
/// # Errors
/// The first line that is not an entry.
pub fn parse(text: &str) -> Result<Vec<Entry>, BadLine> {
    text.trim_start_matches('\u{feff}')
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
        .map(|(index, line)| serde_json::from_str(line).map_err(|source| BadLine { line: index + 1, source }))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let text = "# runs\n\n{\"reports\":[\"a/*.xml\"],\"commit\":\"c\",\"branch\":\"main\",\"at\":\"2026-05-01T10:00:00Z\",\"run\":7}\n";
        let entries = parse(text).unwrap();
        assert_eq!((entries[0].run.as_deref(), entries[0].attempt), (Some("7"), 1));
        let error = parse("{\"reports\":[],\"comit\":\"x\"}").unwrap_err();
        assert!(error.source.to_string().starts_with("unknown field `comit`") && error.line == 1);
    }
}
