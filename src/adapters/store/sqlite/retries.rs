//! What became of tests that were run again after a wait, in the history.

use std::collections::HashMap;

use rusqlite::params;

use super::{SqliteStore, trouble};
use crate::error::Problem;
use crate::history::RerunResult;
use crate::model::test::TestId;

/// Their table; see `MIGRATIONS`.
pub(super) const TABLE: &str = "
    CREATE TABLE retry (
        test BLOB NOT NULL,
        at INTEGER NOT NULL,
        seconds REAL NOT NULL,
        passed INTEGER NOT NULL,
        why TEXT NOT NULL
    );
    CREATE INDEX retry_of_test ON retry (test, at);
";
/// Retries of one test that are kept.
const KEPT: i64 = 20;

impl SqliteStore {
    /// The seconds after which tests passed when they were last run again.
    pub(super) fn read_waits(&self) -> Result<HashMap<TestId, f64>, Problem> {
        let read = || -> rusqlite::Result<HashMap<TestId, f64>> {
            let mut statement =
                self.connection.prepare("SELECT test, seconds FROM retry WHERE passed = 1 ORDER BY at, rowid")?;
            let mut rows = statement.query([])?;
            let mut waits = HashMap::new();
            while let Some(row) = rows.next()? {
                if let Ok(id) = <[u8; 16]>::try_from(row.get::<_, Vec<u8>>(0)?) {
                    waits.insert(TestId::from_bytes(id), row.get(1)?);
                }
            }
            Ok(waits)
        };
        read().map_err(|e| trouble(&self.path, "read", e))
    }

    pub(super) fn write_retries(&mut self, retried: &[RerunResult]) -> Result<(), Problem> {
        let path = self.path.clone();
        let mut write = || -> rusqlite::Result<()> {
            let transaction = self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            for one in retried {
                let id = one.test.bytes();
                transaction.execute(
                    "INSERT INTO retry (test, at, seconds, passed, why) VALUES (?, ?, ?, ?, ?)",
                    params![id.as_slice(), one.at.unix(), one.seconds, one.passed, one.why],
                )?;
                transaction.execute(
                    "DELETE FROM retry WHERE test = ?1 AND rowid NOT IN
                     (SELECT rowid FROM retry WHERE test = ?1 ORDER BY at DESC, rowid DESC LIMIT ?2)",
                    params![id.as_slice(), KEPT],
                )?;
            }
            transaction.commit()
        };
        write().map_err(|e| trouble(&path, "written", e))
    }
}
