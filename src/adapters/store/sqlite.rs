//! History in one SQLite file.
//!
//! Write-ahead log and immediate transactions, so that two processes may
//! write; a schema version with migrations; one row a run with its passing and
//! skipped tests as compressed sets, one row for each louder result.

mod budget;
mod feedback;
mod load;
mod retries;
mod shapes;
mod show;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use roaring::RoaringBitmap;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params};

use crate::error::Problem;
use crate::history::record::{RunRecord, TestNames};
use crate::history::rename::{Candidate, link};
use crate::history::{History, PastFailure, RenamedFrom, RerunResult};
use crate::model::test::{Outcome, TestId};
use crate::model::time::Timestamp;
use crate::ports::{Absorbed, HistoryStore};
use crate::traffic::api_model::ApiModel;

pub use budget::SqliteBudget;
pub use show::{ShownResult, TestRecord};

/// Migrations in order; `PRAGMA user_version` tells how many were applied.
/// Never edit one that was released: append.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE run (
        num INTEGER PRIMARY KEY,
        key BLOB NOT NULL UNIQUE,
        commit_sha TEXT NOT NULL,
        branch TEXT NOT NULL,
        at INTEGER NOT NULL,
        ci_run TEXT,
        attempt INTEGER NOT NULL,
        variant TEXT,
        gate TEXT,
        tests INTEGER NOT NULL,
        bad INTEGER NOT NULL,
        flaky INTEGER NOT NULL,
        seconds REAL NOT NULL,
        passed BLOB NOT NULL,
        skipped BLOB NOT NULL
    );
    CREATE INDEX run_line ON run (branch, variant, at);
    CREATE TABLE test (
        num INTEGER PRIMARY KEY,
        id BLOB NOT NULL UNIQUE,
        suite TEXT NOT NULL,
        class TEXT NOT NULL,
        name TEXT NOT NULL,
        file TEXT
    );
    CREATE TABLE result (
        run INTEGER NOT NULL REFERENCES run (num),
        test INTEGER NOT NULL REFERENCES test (num),
        outcome INTEGER NOT NULL,
        flaky INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        bad_attempts INTEGER NOT NULL,
        fingerprint TEXT,
        signal TEXT,
        PRIMARY KEY (run, test)
    ) WITHOUT ROWID;
    CREATE INDEX result_test ON result (test);
    CREATE TABLE failure (
        fingerprint TEXT PRIMARY KEY,
        cluster TEXT NOT NULL,
        kinds TEXT NOT NULL,
        masked TEXT NOT NULL,
        first_at INTEGER NOT NULL,
        last_at INTEGER NOT NULL,
        times INTEGER NOT NULL,
        last_run TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX failure_last ON failure (last_at);
    CREATE TABLE alias (
        now BLOB PRIMARY KEY,
        was BLOB NOT NULL,
        because TEXT NOT NULL
    ) WITHOUT ROWID;
",
    "
    CREATE TABLE artifact (
        forge_id INTEGER PRIMARY KEY,
        at INTEGER NOT NULL
    );
",
    shapes::TABLE,
    retries::TABLE,
    budget::TABLE,
    budget::REPLIES,
    budget::VECTORS,
    feedback::TABLE,
];

/// How long a writer waits for another one.
const PATIENCE: Duration = Duration::from_secs(60);

/// A history file.
pub struct SqliteStore {
    path: PathBuf,
    connection: Connection,
    numbers: HashMap<TestId, u32>,
    /// `PRAGMA data_version` when `numbers` was filled.
    seen_version: i64,
}

impl SqliteStore {
    /// Opens the history at `path`, making file and folder where they are missing.
    ///
    /// # Errors
    /// Where the file cannot be opened, is no history, or was written by a
    /// newer version.
    pub fn open(path: &Path) -> Result<Self, Problem> {
        if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder)
                .map_err(|e| Problem::failed(format!("cannot make the folder {}", folder.display())).because(e))?;
        }
        Self::with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)
    }

    /// Opens the history at `path` if there is one.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub fn open_existing(path: &Path) -> Result<Option<Self>, Problem> {
        if !path.exists() {
            return Ok(None);
        }
        Self::with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map(Some)
    }

    fn with_flags(path: &Path, flags: OpenFlags) -> Result<Self, Problem> {
        let open = || -> rusqlite::Result<Connection> {
            let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
            connection.busy_timeout(PATIENCE)?;
            connection.pragma_update(None, "journal_mode", "wal")?;
            connection.pragma_update(None, "synchronous", "normal")?;
            Ok(connection)
        };
        let connection = open().map_err(|e| trouble(path, "opened", e))?;
        let mut store = Self { path: path.to_owned(), connection, numbers: HashMap::new(), seen_version: i64::MIN };
        store.migrate()?;
        Ok(store)
    }

    fn migrate(&mut self) -> Result<(), Problem> {
        let path = self.path.clone();
        let known = MIGRATIONS.len() as i64;
        let version = |c: &Connection| c.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0));
        let found = version(&self.connection).map_err(|e| trouble(&path, "read", e))?;
        if found > known {
            return Err(Problem::failed(format!("the history {} was written by a newer testmedic", path.display()))
                .hint("update testmedic, or pass another file with --history"));
        }
        if found == known {
            return Ok(());
        }
        let mut step = || -> rusqlite::Result<()> {
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            // Another process may have been faster.
            let found = transaction.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))?;
            for migration in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
                transaction.execute_batch(migration)?;
            }
            transaction.pragma_update(None, "user_version", known)?;
            transaction.commit()
        };
        step().map_err(|e| trouble(&path, "brought up to date", e))
    }

    fn write(&mut self, learned: &RunRecord<'_>) -> rusqlite::Result<Absorbed> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Only now, when no one else can write, numbers stay what they are.
        learn_numbers(&transaction, &mut self.numbers, &mut self.seen_version)?;
        let known: Option<i64> = transaction
            .query_row("SELECT num FROM run WHERE key = ?", [&learned.key[..]], |row| row.get(0))
            .optional()?;
        if known.is_some() {
            return Ok(Absorbed::Known);
        }
        let mut fresh = Vec::new();
        let mut numbers = Numbers { transaction: &transaction, known: &mut self.numbers, fresh: &mut fresh };
        let passed = numbers.set(learned.quiet(Outcome::Passed))?;
        let skipped = numbers.set(learned.quiet(Outcome::Skipped))?;
        let loud: Vec<u32> = learned.loud.iter().map(|(named, _)| numbers.of(named)).collect::<Result<_, _>>()?;
        let present: RoaringBitmap = passed.iter().chain(skipped.iter()).chain(loud.iter().copied()).collect();
        link_renamed(&transaction, learned, &fresh, &present)?;
        let run = insert_run(&transaction, learned, &passed, &skipped)?;
        insert_results(&transaction, learned, run, &loud)?;
        insert_failures(&transaction, learned)?;
        transaction.commit()?;
        Ok(Absorbed::Head)
    }

    /// Artifacts that were read already, by the forge's number.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn artifacts(&self) -> Result<HashSet<u64>, Problem> {
        let work = || -> rusqlite::Result<HashSet<u64>> {
            let mut statement = self.connection.prepare("SELECT forge_id FROM artifact")?;
            statement.query_map([], |row| row.get::<_, i64>(0).map(i64::unsigned_abs))?.collect()
        };
        work().map_err(|e| trouble(&self.path, "read", e))
    }

    /// Remembers that an artifact was read, whatever was in it.
    ///
    /// # Errors
    /// Where the store cannot be written.
    pub fn remember_artifact(&mut self, artifact: u64, at: Timestamp) -> Result<(), Problem> {
        self.connection
            .execute("INSERT OR IGNORE INTO artifact (forge_id, at) VALUES (?, ?)", params![artifact as i64, at.unix()])
            .map(|_| ())
            .map_err(|e| trouble(&self.path, "written", e))
    }

    /// Copies the whole history into a new file.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn copy_to(&self, path: &Path) -> Result<(), Problem> {
        let name = path.to_string_lossy();
        self.connection.execute("VACUUM INTO ?", [&*name]).map(|_| ()).map_err(|e| trouble(&self.path, "copied", e))
    }

    /// Removes runs older than `before`, and tests and failures that no run
    /// mentions any more. Returns how many runs went.
    ///
    /// # Errors
    /// Where the store cannot be written.
    pub fn prune(&mut self, before: Timestamp) -> Result<usize, Problem> {
        let path = self.path.clone();
        let mut work = || -> rusqlite::Result<usize> {
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction
                .execute("DELETE FROM result WHERE run IN (SELECT num FROM run WHERE at < ?)", [before.unix()])?;
            let gone = transaction.execute("DELETE FROM run WHERE at < ?", [before.unix()])?;
            transaction.execute("DELETE FROM failure WHERE last_at < ?", [before.unix()])?;
            transaction.execute("DELETE FROM artifact WHERE at < ?", [before.unix()])?;
            let mut used = RoaringBitmap::new();
            {
                let mut statement = transaction.prepare("SELECT passed, skipped FROM run")?;
                let mut rows = statement.query([])?;
                while let Some(row) = rows.next()? {
                    used |= read_set(row.get_ref(0)?.as_blob().unwrap_or(&[]));
                    used |= read_set(row.get_ref(1)?.as_blob().unwrap_or(&[]));
                }
                let mut statement = transaction.prepare("SELECT DISTINCT test FROM result")?;
                let mut rows = statement.query([])?;
                while let Some(row) = rows.next()? {
                    used.insert(row.get(0)?);
                }
                let mut statement = transaction.prepare("SELECT num FROM test")?;
                let all: Vec<u32> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
                for num in all.into_iter().filter(|num| !used.contains(*num)) {
                    transaction.execute("DELETE FROM test WHERE num = ?", [num])?;
                }
            }
            transaction.commit()?;
            Ok(gone)
        };
        let gone = work().map_err(|e| trouble(&path, "written", e))?;
        self.numbers.clear();
        self.seen_version = i64::MIN;
        Ok(gone)
    }
}

/// The number of each test, kept between calls as long as no one else writes.
fn learn_numbers(
    connection: &Connection,
    numbers: &mut HashMap<TestId, u32>,
    seen_version: &mut i64,
) -> rusqlite::Result<()> {
    let version: i64 = connection.pragma_query_value(None, "data_version", |row| row.get(0))?;
    if version == *seen_version {
        return Ok(());
    }
    numbers.clear();
    let mut statement = connection.prepare_cached("SELECT num, id FROM test")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if let Some(id) = blob_id(row.get_ref(1)?.as_blob().unwrap_or(&[])) {
            numbers.insert(id, row.get(0)?);
        }
    }
    *seen_version = version;
    Ok(())
}

/// Looks up and hands out numbers of tests inside of one transaction.
struct Numbers<'t, 'a> {
    transaction: &'t Transaction<'t>,
    known: &'t mut HashMap<TestId, u32>,
    fresh: &'t mut Vec<(TestId, &'a str, &'a str)>,
}

impl<'a> Numbers<'_, 'a> {
    fn of(&mut self, named: &TestNames<'a>) -> rusqlite::Result<u32> {
        if let Some(number) = self.known.get(&named.id) {
            return Ok(*number);
        }
        let mut find = self.transaction.prepare_cached("SELECT num FROM test WHERE id = ?")?;
        let id = named.id.bytes();
        let number = if let Some(number) = find.query_row([&id[..]], |row| row.get(0)).optional()? {
            number
        } else {
            let mut insert = self
                .transaction
                .prepare_cached("INSERT INTO test (id, suite, class, name, file) VALUES (?, ?, ?, ?, ?)")?;
            insert.execute(params![&id[..], named.suite, named.class, named.name, named.file])?;
            self.fresh.push((named.id, named.class, named.name));
            u32::try_from(self.transaction.last_insert_rowid()).unwrap_or(u32::MAX)
        };
        self.known.insert(named.id, number);
        Ok(number)
    }

    fn set(&mut self, tests: impl Iterator<Item = TestNames<'a>>) -> rusqlite::Result<RoaringBitmap> {
        let mut numbers: Vec<u32> = tests.map(|named| self.of(&named)).collect::<Result<_, _>>()?;
        numbers.sort_unstable();
        let mut set: RoaringBitmap = numbers.into_iter().collect();
        set.optimize();
        Ok(set)
    }
}

fn insert_run(
    transaction: &Transaction<'_>,
    learned: &RunRecord<'_>,
    passed: &RoaringBitmap,
    skipped: &RoaringBitmap,
) -> rusqlite::Result<i64> {
    let facts = &learned.facts;
    transaction.execute(
        "INSERT INTO run (key, commit_sha, branch, at, ci_run, attempt, variant, gate, tests, bad, flaky, seconds, passed, skipped)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            &learned.key[..],
            facts.commit,
            facts.branch,
            learned.at.unix(),
            facts.run,
            facts.attempt,
            facts.variant,
            learned.gate.map(crate::model::failure::RunExclusion::word),
            learned.totals.tests as i64,
            (learned.totals.failed + learned.totals.errored) as i64,
            learned.totals.flaky as i64,
            learned.totals.seconds,
            write_set(passed),
            write_set(skipped),
        ],
    )?;
    Ok(transaction.last_insert_rowid())
}

fn insert_results(
    transaction: &Transaction<'_>,
    learned: &RunRecord<'_>,
    run: i64,
    numbers: &[u32],
) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached(
        "INSERT OR REPLACE INTO result (run, test, outcome, flaky, attempts, bad_attempts, fingerprint, signal)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    for ((_, result), number) in learned.loud.iter().zip(numbers) {
        insert.execute(params![
            run,
            number,
            outcome_number(result.outcome),
            result.flaky,
            result.attempts,
            result.bad_attempts,
            result.mark.map(|m| m.fingerprint.to_string()),
            result.mark.and_then(|m| m.signal).map(crate::model::failure::Signal::word),
        ])?;
    }
    Ok(())
}

fn insert_failures(transaction: &Transaction<'_>, learned: &RunRecord<'_>) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO failure (fingerprint, cluster, kinds, masked, first_at, last_at, times, last_run)
         VALUES (?1, ?2, ?3, ?4, ?5, ?5, 1, ?6)
         ON CONFLICT (fingerprint) DO UPDATE SET
             times = times + 1,
             first_at = min(first_at, excluded.first_at),
             last_run = CASE WHEN excluded.last_at >= last_at THEN excluded.last_run ELSE last_run END,
             last_at = max(last_at, excluded.last_at)",
    )?;
    let label = learned.facts.run.clone().map_or_else(
        || {
            format!(
                "{} at {}",
                crate::history::short(learned.facts.commit.as_deref().unwrap_or("")),
                learned.at.minute()
            )
        },
        |run| format!("run {run}"),
    );
    for failure in &learned.failures {
        insert.execute(params![
            failure.mark.fingerprint.to_string(),
            failure.cluster,
            failure.kinds,
            failure.masked,
            learned.at.unix(),
            label,
        ])?;
    }
    Ok(())
}

/// Links tests that are new in this run with tests that the run before it had
/// and this one has not.
fn link_renamed(
    transaction: &Transaction<'_>,
    learned: &RunRecord<'_>,
    fresh: &[(TestId, &str, &str)],
    present: &RoaringBitmap,
) -> rusqlite::Result<()> {
    if fresh.is_empty() || fresh.len() > 500 {
        return Ok(());
    }
    let gone = vanished(transaction, learned, present)?;
    let new: Vec<Candidate> = fresh
        .iter()
        .map(|(id, class, name)| Candidate { id: *id, class: (*class).to_owned(), name: (*name).to_owned() })
        .collect();
    for RenamedFrom { now, was, because } in link(&gone, &new) {
        transaction.execute(
            "INSERT OR IGNORE INTO alias (now, was, because) VALUES (?, ?, ?)",
            params![&now.bytes()[..], &was.bytes()[..], because],
        )?;
    }
    Ok(())
}

/// Tests of the latest earlier run on the same branch and leg that are not in `present`.
fn vanished(
    connection: &Connection,
    learned: &RunRecord<'_>,
    present: &RoaringBitmap,
) -> rusqlite::Result<Vec<Candidate>> {
    let before = |branch: Option<&str>| {
        connection
            .query_row(
                "SELECT num, passed, skipped FROM run WHERE branch IS ? AND variant IS ? AND at < ? ORDER BY at DESC LIMIT 1",
                params![branch, learned.facts.variant, learned.at.unix()],
                |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, Vec<u8>>(2)?)),
            )
            .optional()
    };
    let Some((run, passed, skipped)) = before(learned.facts.branch.as_deref())? else {
        return Ok(Vec::new());
    };
    let mut then = read_set(&passed) | read_set(&skipped);
    let mut statement = connection.prepare_cached("SELECT test FROM result WHERE run = ?")?;
    for number in statement.query_map([run], |row| row.get::<_, u32>(0))? {
        then.insert(number?);
    }
    // A run of a part of the tests loses no test for good.
    if present.len() * 2 < then.len() {
        return Ok(Vec::new());
    }
    then -= present;
    let mut names = connection.prepare_cached("SELECT id, class, name FROM test WHERE num = ?")?;
    then.iter()
        .take(501)
        .filter_map(|number| {
            names
                .query_row([number], |row| {
                    let id: Vec<u8> = row.get(0)?;
                    Ok(blob_id(&id).map(|id| (id, row.get(1), row.get(2))))
                })
                .optional()
                .transpose()
        })
        .filter_map(|row| match row {
            Ok(Some((id, class, name))) => Some(class.and_then(|class| Ok(Candidate { id, class, name: name? }))),
            Ok(None) => None,
            Err(error) => Some(Err(error)),
        })
        .collect()
}

impl HistoryStore for SqliteStore {
    fn history_for(&self, present: &[RunRecord<'_>]) -> Result<History, Problem> {
        load::recall(&self.connection, present).map_err(|e| trouble(&self.path, "read", e))
    }

    fn history_of(&self, tests: &[TestId], present: &[RunRecord<'_>]) -> Result<History, Problem> {
        load::past_of(&self.connection, tests, present).map_err(|e| trouble(&self.path, "read", e))
    }

    fn known_failures(&self, until: Timestamp, limit: usize) -> Result<Vec<PastFailure>, Problem> {
        load::failures(&self.connection, until.unix(), limit).map_err(|e| trouble(&self.path, "read", e))
    }

    fn api_model(&self) -> Result<ApiModel, Problem> {
        self.read_shapes()
    }

    fn record_api_model(&mut self, seen: &ApiModel) -> Result<(), Problem> {
        self.write_shapes(seen)
    }

    fn retry_waits(&self) -> Result<HashMap<TestId, f64>, Problem> {
        self.read_waits()
    }

    fn record_retries(&mut self, retried: &[RerunResult]) -> Result<(), Problem> {
        self.write_retries(retried)
    }

    fn record_run(&mut self, learned: &RunRecord<'_>) -> Result<Absorbed, Problem> {
        let path = self.path.clone();
        self.write(learned).map_err(|error| {
            // Numbers handed out in a transaction that failed do not exist.
            self.numbers.clear();
            self.seen_version = i64::MIN;
            trouble(&path, "written", error)
        })
    }
}

fn trouble(path: &Path, what: &str, error: rusqlite::Error) -> Problem {
    let hint = match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) => "it is not a testmedic history; pass another file with --history",
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
            "another process holds it; try again"
        }
        Some(rusqlite::ErrorCode::ReadOnly | rusqlite::ErrorCode::PermissionDenied) => {
            "it must be writable; pass another file with --history"
        }
        Some(rusqlite::ErrorCode::DatabaseCorrupt) => "it is damaged; remove it and import the earlier runs again",
        _ => "pass another file with --history, or none with `--history none`",
    };
    Problem::failed(format!("the history {} could not be {what}", path.display())).because(error).hint(hint)
}

fn outcome_number(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Passed => 0,
        Outcome::Failed => 1,
        Outcome::Errored => 2,
        Outcome::Skipped => 3,
    }
}

fn outcome_of(number: i64) -> Outcome {
    match number {
        0 => Outcome::Passed,
        2 => Outcome::Errored,
        3 => Outcome::Skipped,
        _ => Outcome::Failed,
    }
}

fn write_set(set: &RoaringBitmap) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(set.serialized_size());
    // Writing to memory cannot fail.
    let _ = set.serialize_into(&mut bytes);
    bytes
}

/// A set as stored; a damaged one is empty rather than a panic.
fn read_set(bytes: &[u8]) -> RoaringBitmap {
    RoaringBitmap::deserialize_from(bytes).unwrap_or_default()
}

fn blob_id(bytes: &[u8]) -> Option<TestId> {
    bytes.try_into().ok().map(TestId::from_bytes)
}
