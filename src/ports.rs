//! What the line needs of the world, as traits that `shell/` implements.

use crate::error::Problem;
use crate::history::learn::Learned;
use crate::history::{History, PastFailure};
use crate::model::change::Commit;
use crate::model::time::Instant;

/// What became of a run that was to be remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absorbed {
    /// It was new.
    New,
    /// It was known already; nothing changed.
    Known,
}

/// Keeps the history.
pub trait Store {
    /// What is known about the tests of `present` that did not simply pass,
    /// without `present` itself and without runs later than it.
    ///
    /// # Errors
    /// Where the store cannot be read.
    fn recall(&self, present: &[Learned<'_>]) -> Result<History, Problem>;

    /// The latest `limit` failures seen before or at `until`, so that clusters
    /// keep their ids.
    ///
    /// # Errors
    /// Where the store cannot be read.
    fn known_failures(&self, until: Instant, limit: usize) -> Result<Vec<PastFailure>, Problem>;

    /// Remembers a run. The same run twice changes nothing.
    ///
    /// # Errors
    /// Where the store cannot be written.
    fn absorb(&mut self, learned: &Learned<'_>) -> Result<Absorbed, Problem>;
}

/// A repository's past.
pub trait Repository {
    /// The commits after `good` up to `bad`, newest first; `None` where the
    /// repository does not know both.
    fn commits(&self, good: &str, bad: &str) -> Option<Vec<Commit>>;
}
