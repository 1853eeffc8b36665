//! What `history show` and `history export` read.

use rusqlite::Connection;

use super::load::past_run;
use super::{SqliteStore, blob_id, outcome_of, read_set, trouble};
use crate::error::Problem;
use crate::history::PastRun;
use crate::model::test::{Outcome, TestId};

/// One result of a test with the run it belongs to.
#[derive(Clone, Debug, PartialEq)]
pub struct ShownResult {
    /// The run.
    pub run: PastRun,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether it passed after a failed attempt.
    pub flaky: bool,
    /// Fingerprint of its failure.
    pub fingerprint: Option<String>,
    /// The failure's masked message.
    pub message: Option<String>,
}

/// A test and its results.
#[derive(Clone, Debug, PartialEq)]
pub struct TestRecord {
    /// Identity.
    pub id: TestId,
    /// Suite, class and name.
    pub suite: String,
    /// Class.
    pub class: String,
    /// Name.
    pub name: String,
    /// Its results, oldest first.
    pub results: Vec<ShownResult>,
    /// The name it had before.
    pub alias: Option<String>,
}

impl SqliteStore {
    /// The tests whose id, name or `class.name` matches `wanted`: exactly, or
    /// if nothing does, as a part of it. At most `limit` tests.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn show(&self, wanted: &str, limit: usize) -> Result<Vec<TestRecord>, Problem> {
        find(&self.connection, wanted, limit)
            .and_then(|found| found.into_iter().map(|test| timeline(&self.connection, test)).collect())
            .map_err(|e| trouble(&self.path, "read", e))
    }

    /// All runs, oldest first.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn runs(&self) -> Result<Vec<PastRun>, Problem> {
        let read = || -> rusqlite::Result<Vec<PastRun>> {
            let mut statement = self.connection.prepare(
                "SELECT num, key, commit_sha, branch, at, ci_run, attempt, variant, gate, tests, bad, flaky FROM run ORDER BY at, num",
            )?;
            statement.query_map([], past_run)?.collect()
        };
        read().map_err(|e| trouble(&self.path, "read", e))
    }

    /// Calls `each` for every test with its results.
    ///
    /// # Errors
    /// Where the store cannot be read, or what `each` says.
    pub fn export(&self, mut each: impl FnMut(TestRecord) -> Result<(), Problem>) -> Result<(), Problem> {
        let tests = all(&self.connection).map_err(|e| trouble(&self.path, "read", e))?;
        for test in tests {
            let shown = timeline(&self.connection, test).map_err(|e| trouble(&self.path, "read", e))?;
            each(shown)?;
        }
        Ok(())
    }
}

type Found = (u32, TestId, String, String, String);

fn row_of(row: &rusqlite::Row<'_>) -> rusqlite::Result<Found> {
    let id: Vec<u8> = row.get(1)?;
    Ok((row.get(0)?, blob_id(&id).unwrap_or(TestId(0)), row.get(2)?, row.get(3)?, row.get(4)?))
}

fn all(connection: &Connection) -> rusqlite::Result<Vec<Found>> {
    let mut statement = connection.prepare("SELECT num, id, suite, class, name FROM test ORDER BY class, name, num")?;
    statement.query_map([], row_of)?.collect()
}

fn find(connection: &Connection, wanted: &str, limit: usize) -> rusqlite::Result<Vec<Found>> {
    let columns = "SELECT num, id, suite, class, name FROM test";
    let exact = [
        format!("{columns} WHERE lower(hex(id)) = lower(?1)"),
        format!(
            "{columns} WHERE name = ?1 OR class || '.' || name = ?1 OR class || '::' || name = ?1 OR class || ' ' || name = ?1"
        ),
        format!("{columns} WHERE instr(lower(class || '.' || name), lower(?1)) > 0 ORDER BY class, name"),
    ];
    for query in exact {
        let mut statement = connection.prepare(&query)?;
        let found: Vec<Found> = statement.query_map([wanted], row_of)?.take(limit).collect::<Result<_, _>>()?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

fn timeline(connection: &Connection, (number, id, suite, class, name): Found) -> rusqlite::Result<TestRecord> {
    let mut statement = connection.prepare_cached(
        "SELECT r.num, r.key, r.commit_sha, r.branch, r.at, r.ci_run, r.attempt, r.variant, r.gate, r.tests, r.bad, r.flaky,
                r.passed, r.skipped, x.outcome, x.flaky, x.fingerprint, f.masked
         FROM run r LEFT JOIN result x ON x.run = r.num AND x.test = ?1
         LEFT JOIN failure f ON f.fingerprint = x.fingerprint ORDER BY r.at, r.num",
    )?;
    let mut results = Vec::new();
    let mut rows = statement.query([number])?;
    while let Some(row) = rows.next()? {
        let loud: Option<i64> = row.get(14)?;
        let outcome = match loud {
            Some(number) => outcome_of(number),
            None if read_set(row.get_ref(12)?.as_blob().unwrap_or(&[])).contains(number) => Outcome::Passed,
            None if read_set(row.get_ref(13)?.as_blob().unwrap_or(&[])).contains(number) => Outcome::Skipped,
            None => continue,
        };
        results.push(ShownResult {
            run: past_run(row)?,
            outcome,
            flaky: row.get::<_, Option<bool>>(15)?.unwrap_or(false),
            fingerprint: row.get(16)?,
            message: row.get(17)?,
        });
    }
    let alias =
        connection.query_row("SELECT because FROM alias WHERE now = ?", [&id.bytes()[..]], |row| row.get(0)).ok();
    Ok(TestRecord { id, suite, class, name, results, alias })
}
