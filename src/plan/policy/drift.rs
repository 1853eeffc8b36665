//! What the policy says of changes in the answers of an API.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use crate::model::time::Timestamp;
use crate::traffic::drift::Level;

/// See [`super::Policy::drift`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct DriftPolicy {
    /// Findings that are meant to be: each as `{ finding = "FINGERPRINT", until =
    /// "2026-12-31", because = "…" }`. Reports show the fingerprint of each finding.
    pub accepted: Vec<Accepted>,
    /// Levels of rules over those of oasdiff: `err`, `warn` or `info` by a rule's name,
    /// such as `response-property-enum-value-added`.
    pub levels: BTreeMap<String, Level>,
}

/// A finding that is accepted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Accepted {
    /// Its fingerprint.
    pub finding: String,
    /// The last day (UTC) on which it is; without one it is for good.
    #[serde(default)]
    pub until: Option<Day>,
    /// Why, for people.
    #[serde(default)]
    pub because: String,
}

/// A day, as `2026-12-31`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(Timestamp);

impl Day {
    /// The day (UTC) of a moment.
    #[must_use]
    pub fn of(at: Timestamp) -> Self {
        Self::parse(&at.date()).unwrap_or(Self(at))
    }

    /// Reads `2026-12-31`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        format!("{text}T23:59:59Z").parse().ok().map(Self)
    }

    /// Its last second.
    #[must_use]
    pub fn end(self) -> Timestamp {
        self.0
    }
}

impl std::fmt::Display for Day {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.date())
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no day such as 2026-12-31")))
    }
}

impl Serialize for Day {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.to_string())
    }
}

impl JsonSchema for Day {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Day".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> Schema {
        schemars::json_schema!({ "type": "string", "pattern": r"^\d{4}-\d\d-\d\d$" })
    }
}

impl DriftPolicy {
    /// Whether a finding is accepted at a moment.
    #[must_use]
    pub fn accepts(&self, fingerprint: &str, at: Timestamp) -> bool {
        self.accepted.iter().any(|a| a.finding == fingerprint && a.until.is_none_or(|day| at <= day.0))
    }
}
