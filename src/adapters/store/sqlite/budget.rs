//! What thinking costs all runs that share a history: put aside before each question,
//! in one transaction, so that two runs at once never spend the same. And what was
//! answered: the same question is not paid for twice, a run that was cancelled goes on
//! where it was, and what is shown does not change with each time that it is asked.
//!
//! This is written at once and by no plan: the money is spent whether a run is dry or not.

use std::path::Path;

use rusqlite::{OptionalExtension, TransactionBehavior, params};

use super::SqliteStore;
use crate::agent::budget::{Micros, money};
use crate::error::Problem;
use crate::model::chat::ChatResponse;
use crate::ports::Ledger;

pub(super) const TABLE: &str = "
    CREATE TABLE spending (
        scope TEXT PRIMARY KEY,
        micros INTEGER NOT NULL,
        at INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE reading (
        asked TEXT PRIMARY KEY,
        opinion TEXT NOT NULL,
        at INTEGER NOT NULL
    ) WITHOUT ROWID;
";

/// Answers by question, in the place of what was concluded from them.
pub(super) const REPLIES: &str = "
    DROP TABLE reading;
    CREATE TABLE reply (
        asked TEXT PRIMARY KEY,
        reply TEXT NOT NULL,
        at INTEGER NOT NULL
    ) WITHOUT ROWID;
";

/// Failures as vectors, by the model that made them.
pub(super) const VECTORS: &str = "
    CREATE TABLE vector (
        model TEXT NOT NULL,
        key TEXT NOT NULL,
        vector BLOB NOT NULL,
        PRIMARY KEY (model, key)
    ) WITHOUT ROWID;
";

/// Bytes of an answer that is kept.
const LONGEST: usize = 64 << 10;

/// Budgets and answers in a history.
pub struct SqliteBudget {
    store: SqliteStore,
    /// Names of budgets, what each is called, and its bound.
    scopes: Vec<(String, &'static str, Micros)>,
    /// The endpoint whose answers are kept.
    url: String,
    now: i64,
}

impl SqliteBudget {
    /// Opens those of some scopes: a key, what people call it, and its bound (0 is none).
    ///
    /// # Errors
    /// Where the history cannot be written.
    pub fn open(
        path: &Path,
        url: &str,
        scopes: Vec<(String, &'static str, Micros)>,
        now: i64,
    ) -> Result<Self, Problem> {
        let store = SqliteStore::open(path)?;
        // A month later nobody asks.
        let old = now - 32 * 86_400;
        for table in ["spending", "reply"] {
            let cleared = store.connection.execute(&format!("DELETE FROM {table} WHERE at < ?1"), [old]);
            cleared.map_err(|e| Problem::failed("what thinking cost cannot be kept").because(e))?;
        }
        Ok(Self { store, scopes, url: url.to_owned(), now })
    }

    /// The same question to another endpoint is another one.
    fn key(&self, asked: &str) -> String {
        format!("{asked} {}", self.url)
    }

    /// Adds to all scopes, or to none where one would go over its bound.
    fn add(&mut self, micros: i64, is_bounded: bool) -> Result<Option<&'static str>, rusqlite::Error> {
        let all = self.scopes.clone();
        let transaction = self.store.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (key, called, bound) in &all {
            let spent: Option<i64> = transaction
                .query_row("SELECT micros FROM spending WHERE scope = ?1", [key], |row| row.get(0))
                .optional()?;
            let sum = spent.unwrap_or(0).saturating_add(micros).max(0);
            if is_bounded && *bound > 0 && i64::try_from(*bound).is_ok_and(|bound| sum > bound) {
                return Ok(Some(called));
            }
            transaction.execute(
                "INSERT INTO spending (scope, micros, at) VALUES (?1, ?2, ?3)
                 ON CONFLICT (scope) DO UPDATE SET micros = ?2, at = ?3",
                params![key, sum, self.now],
            )?;
        }
        transaction.commit()?;
        Ok(None)
    }
}

impl Ledger for SqliteBudget {
    fn reserve(&mut self, micros: u64) -> Result<(), String> {
        let amount = i64::try_from(micros).unwrap_or(i64::MAX);
        match self.add(amount, true) {
            Ok(None) => Ok(()),
            Ok(Some(called)) => {
                Err(format!("the next question may cost {}, more than what is left for {called}", money(micros)))
            }
            Err(error) => Err(format!("what thinking cost cannot be kept, so nothing more is asked: {error}")),
        }
    }

    fn settle(&mut self, aside: u64, spent: u64) {
        let back = i64::try_from(spent).unwrap_or(i64::MAX) - i64::try_from(aside).unwrap_or(i64::MAX);
        // What does not come back stays spent: that errs on the side that costs nothing.
        let _ = self.add(back, false);
    }

    fn known(&mut self, asked: &str) -> Option<ChatResponse> {
        let text: Option<String> = self
            .store
            .connection
            .query_row("SELECT reply FROM reply WHERE asked = ?1", [self.key(asked)], |row| row.get(0))
            .optional()
            .ok()?;
        serde_json::from_str(&text?).ok()
    }

    fn keep(&mut self, asked: &str, reply: &ChatResponse) {
        let text = serde_json::to_string(reply).unwrap_or_default();
        if text.len() > LONGEST {
            return;
        }
        let sql = "INSERT OR REPLACE INTO reply (asked, reply, at) VALUES (?1, ?2, ?3)";
        // Where that fails it is asked again, no more.
        let _ = self.store.connection.execute(sql, params![self.key(asked), text, self.now]);
    }

    fn forget(&mut self, asked: &[String]) {
        for asked in asked {
            let sql = "DELETE FROM reply WHERE asked = ?1";
            let _ = self.store.connection.execute(sql, [self.key(asked)]);
        }
    }

    fn vector(&mut self, model: &str, key: &str) -> Option<Vec<f32>> {
        let sql = "SELECT vector FROM vector WHERE model = ?1 AND key = ?2";
        let row = self.store.connection.query_row(sql, [model, key], |row| row.get::<_, Vec<u8>>(0)).optional();
        let bytes = row.ok()??;
        let (numbers, rest) = bytes.as_chunks::<4>();
        rest.is_empty().then(|| numbers.iter().map(|four| f32::from_le_bytes(*four)).collect())
    }

    fn keep_vectors(&mut self, model: &str, vectors: &[(String, Vec<f32>)]) {
        let connection = &mut self.store.connection;
        let Ok(transaction) = connection.transaction_with_behavior(TransactionBehavior::Immediate) else { return };
        let _ = transaction.execute("DELETE FROM vector WHERE model != ?1", [model]);
        for (key, vector) in vectors {
            let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
            let sql = "INSERT OR REPLACE INTO vector (model, key, vector) VALUES (?1, ?2, ?3)";
            let _ = transaction.execute(sql, params![model, key, bytes]);
        }
        let _ = transaction.commit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_runs_share_a_day() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("h.db");
        let open = || {
            let scopes = vec![("day:1".to_owned(), "this day", 100), ("head:a".to_owned(), "this head", 0)];
            SqliteBudget::open(&path, "http://m", scopes, 0).unwrap()
        };
        let (mut one, mut other) = (open(), open());
        one.reserve(60).unwrap();
        assert!(other.reserve(60).unwrap_err().contains("this day"));
        one.settle(60, 10);
        other.reserve(60).unwrap();
        let reply = ChatResponse { text: "hello".to_owned(), ..ChatResponse::default() };
        one.keep("q", &reply);
        assert_eq!((other.known("q"), other.known("p")), (Some(reply), None));
        one.keep_vectors("m", &[("f1".to_owned(), vec![0.5, -2.0])]);
        assert_eq!((other.vector("m", "f1"), other.vector("n", "f1")), (Some(vec![0.5, -2.0]), None));
        other.keep_vectors("n", &[("f1".to_owned(), vec![1.0])]);
        assert_eq!(one.vector("m", "f1"), None, "another model: those of before are of no use");
        assert!(one.reserve(31).is_err() && one.reserve(30).is_ok());
    }
}
