//! Where incidents are told of.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// See [`super::Policy::incidents`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Incidents {
    /// Files that tell of one each (globs): TOML with `title`, and as far as known `at`,
    /// `url`, `endpoint`, `status`, `message`, `body`, `right`.
    pub files: Vec<String>,
    /// Issues with this label tell of one each: in a block of TOML with the same fields,
    /// or by the endpoint and the block that they show. Only those of people who may
    /// write to the repository are read, on the default branch and where the traffic of
    /// the tests is known; none where it is empty.
    pub label: String,
}

impl Default for Incidents {
    fn default() -> Self {
        Self {
            files: vec!["incidents/*.toml".to_owned(), ".github/incidents/*.toml".to_owned()],
            label: "incident".to_owned(),
        }
    }
}
