//! Failures that were seen before, by how alike they are told.

use std::sync::OnceLock;

use crate::diagnose::lexical::{ALIKE, Features, Lexicon};
use crate::history::{History, PastFailure};

/// What is remembered of failures, read when it is first asked for.
#[derive(Debug)]
pub struct PastFailureIndex<'h> {
    history: &'h History,
    known: OnceLock<(Lexicon, Vec<Features>)>,
}

impl<'h> PastFailureIndex<'h> {
    /// That of a history.
    #[must_use]
    pub fn new(history: &'h History) -> Self {
        Self { history, known: OnceLock::new() }
    }

    /// The failure that is told most alike, of those that count, and how alike it is.
    #[must_use]
    pub fn closest(&self, masked: &str, counts: &dyn Fn(&PastFailure) -> bool) -> Option<(&'h PastFailure, f64)> {
        self.similar(masked).into_iter().find(|(failure, _)| counts(failure))
    }

    /// The failures that are told most alike.
    #[must_use]
    pub fn top_similar(&self, masked: &str, most: usize) -> Vec<(&'h PastFailure, f64)> {
        self.similar(masked).into_iter().take(most).collect()
    }

    /// All that are told alike, the most alike first, of these the latest.
    fn similar(&self, masked: &str) -> Vec<(&'h PastFailure, f64)> {
        let (lexicon, known) = self.known.get_or_init(|| {
            let known: Vec<Features> = self.history.failures.iter().map(|f| Features::of(&f.masked)).collect();
            (Lexicon::of(&known), known)
        });
        let own = Features::of(masked);
        let all = self.history.failures.iter().zip(known);
        let mut alike: Vec<(&PastFailure, f64)> = all
            .map(|(failure, features)| (failure, lexicon.likeness(&own, features)))
            .filter(|(_, alike)| *alike >= ALIKE)
            .collect();
        alike.sort_by(|a, b| b.1.total_cmp(&a.1).then(b.0.last.cmp(&a.0.last)));
        alike
    }
}
