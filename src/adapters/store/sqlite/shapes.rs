//! The shapes of answers, in the history.

use rusqlite::{Transaction, params};

use super::{SqliteStore, trouble};
use crate::error::Problem;
use crate::model::time::Timestamp;
use crate::traffic::api_model::{ApiModel, Kind, ResponseStats};
use crate::traffic::shape::Node;

/// Their table; see `MIGRATIONS`.
pub(super) const TABLE: &str = "
    CREATE TABLE shape (
        method TEXT NOT NULL,
        template TEXT NOT NULL,
        status INTEGER NOT NULL,
        media TEXT NOT NULL,
        answers INTEGER NOT NULL,
        runs INTEGER NOT NULL,
        first_at INTEGER,
        last_at INTEGER,
        body TEXT NOT NULL,
        PRIMARY KEY (method, template, status, media)
    ) WITHOUT ROWID;
";

impl SqliteStore {
    pub(super) fn read_shapes(&self) -> Result<ApiModel, Problem> {
        let read = || -> rusqlite::Result<ApiModel> {
            let mut statement = self
                .connection
                .prepare("SELECT method, template, status, media, answers, runs, first_at, last_at, body FROM shape")?;
            let mut rows = statement.query([])?;
            let mut memory = ApiModel::default();
            while let Some(row) = rows.next()? {
                let kind = Kind { method: row.get(0)?, template: row.get(1)?, status: row.get(2)?, media: row.get(3)? };
                let at = |n: Option<i64>| n.map(Timestamp::from_unix);
                // A body that a later version wrote otherwise is learned anew.
                let body: Node = serde_json::from_str(&row.get::<_, String>(8)?).unwrap_or_default();
                let count = |n: i64| u64::try_from(n).unwrap_or(0);
                let seen = ResponseStats {
                    n: count(row.get(4)?),
                    runs: count(row.get(5)?),
                    first: at(row.get(6)?),
                    last: at(row.get(7)?),
                    body,
                };
                memory.kinds.insert(kind, seen);
            }
            Ok(memory)
        };
        read().map_err(|e| trouble(&self.path, "read", e))
    }

    pub(super) fn write_shapes(&mut self, seen: &ApiModel) -> Result<(), Problem> {
        let path = self.path.clone();
        let mut memory = self.read_shapes()?;
        memory.merge(seen);
        let transaction = self
            .connection
            .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
            .map_err(|e| trouble(&path, "written", e))?;
        write(&transaction, &memory, seen).and_then(|()| transaction.commit()).map_err(|e| trouble(&path, "written", e))
    }
}

fn write(transaction: &Transaction<'_>, memory: &ApiModel, changed: &ApiModel) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare(
        "INSERT OR REPLACE INTO shape (method, template, status, media, answers, runs, first_at, last_at, body)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    for kind in changed.kinds.keys() {
        let Some(seen) = memory.kinds.get(kind) else { continue };
        statement.execute(params![
            kind.method,
            kind.template,
            kind.status,
            kind.media,
            seen.n as i64,
            seen.runs as i64,
            seen.first.map(Timestamp::unix),
            seen.last.map(Timestamp::unix),
            serde_json::to_string(&seen.body).unwrap_or_default(),
        ])?;
    }
    Ok(())
}
