//! What a role is shown at first. All of it was written by others: tests, services,
//! people. It is named as what it is, and stands between marks that it cannot write.

use std::fmt;

use crate::agent::grounding::Shown;
use crate::model::secret::mask;
use crate::model::text::{clean, elide};

/// Bytes of one section, of which beginning and end are kept.
const SECTION: usize = 8 << 10;

/// Parts of what is known, each with its source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PromptContext {
    /// Source and text.
    pub sections: Vec<(String, String)>,
}

impl PromptContext {
    /// Adds a section: without secrets, bounded; nothing where there is no text.
    pub fn add(&mut self, source: &str, text: &str) {
        let text = elide(&mask(&clean(text)), SECTION).trim().to_owned();
        if !text.is_empty() {
            self.sections.push((source.to_owned(), text));
        }
    }

    /// What it shows, by source.
    #[must_use]
    pub fn shown(&self) -> Shown {
        self.sections.iter().map(|(source, text)| (source.clone(), vec![text.clone()])).collect()
    }
}

impl fmt::Display for PromptContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (source, text) in &self.sections {
            writeln!(f, "{}", quoted(source, text))?;
        }
        Ok(())
    }
}

/// A text between marks. What looks like a mark in it is none any more.
pub(super) fn quoted(source: &str, text: &str) -> String {
    let plain = |text: &str| text.replace("<shown", "‹shown").replace("</shown", "‹/shown");
    let source: String = source.chars().filter(|c| !matches!(c, '"' | '<' | '>') && !c.is_control()).collect();
    format!("<shown source=\"{source}\">\n{}\n</shown>", plain(text))
}
