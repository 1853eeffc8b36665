//! What people said about tests and failures, with name and date.

use rusqlite::{TransactionBehavior, params};

use super::{SqliteStore, trouble};
use crate::error::Problem;
use crate::history::feedback::Feedback;

/// Words, each as JSON: they are few, and read whole.
pub(super) const TABLE: &str = "
    CREATE TABLE word (
        num INTEGER PRIMARY KEY,
        about TEXT NOT NULL,
        word TEXT NOT NULL
    );
";
/// Words that are read.
const MOST: usize = 1000;

impl SqliteStore {
    /// All words, in the order in which they were told.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn words(&self) -> Result<Vec<Feedback>, Problem> {
        let read = || -> rusqlite::Result<Vec<String>> {
            let mut statement = self.connection.prepare("SELECT word FROM word ORDER BY num LIMIT ?1")?;
            statement.query_map([MOST as i64], |row| row.get(0))?.collect()
        };
        let texts = read().map_err(|e| trouble(&self.path, "read", e))?;
        Ok(texts.iter().filter_map(|text| serde_json::from_str(text).ok()).collect())
    }

    /// Keeps these words, and no others: a word that was taken back is none.
    ///
    /// # Errors
    /// Where the store cannot be written.
    pub fn keep_words(&mut self, words: &[Feedback]) -> Result<(), Problem> {
        if self.words()? == words {
            return Ok(());
        }
        let path = self.path.clone();
        let mut write = || -> rusqlite::Result<()> {
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction.execute("DELETE FROM word", [])?;
            for word in words.iter().take(MOST) {
                let text = serde_json::to_string(word).unwrap_or_default();
                transaction.execute("INSERT INTO word (about, word) VALUES (?1, ?2)", params![word.about, text])?;
            }
            transaction.commit()
        };
        write().map_err(|e| trouble(&path, "written", e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::feedback::FeedbackKind;
    use crate::model::time::Timestamp;

    #[test]
    fn words_are_kept_and_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("h.db");
        let word = |about: &str, told| Feedback {
            told,
            about: about.to_owned(),
            name: "test_a".to_owned(),
            by: "ann".to_owned(),
            at: Timestamp::from_unix(1_767_225_600),
            until: None,
        };
        let first = vec![word("a", FeedbackKind::Flaky), word("b", FeedbackKind::Expected)];
        SqliteStore::open(&path).unwrap().keep_words(&first).unwrap();
        let mut store = SqliteStore::open(&path).unwrap();
        assert_eq!(store.words().unwrap(), first);
        store.keep_words(&first[1..]).unwrap();
        assert_eq!(store.words().unwrap(), first[1..]);
    }
}
