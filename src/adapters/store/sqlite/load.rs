//! Reading back what matters now.

use std::collections::{HashMap, HashSet};

use roaring::RoaringBitmap;
use rusqlite::{Connection, params};

use super::{blob_id, outcome_of, read_set, vanished};
use crate::history::record::RunRecord;
use crate::history::rename::{Candidate, link};
use crate::history::{History, NO_MARK, PastFailure, PastRun, RenamedFrom, Sample};
use crate::model::failure::{FailureMark, Fingerprint, RunExclusion, Signal};
use crate::model::test::{Outcome, TestId};
use crate::model::time::Timestamp;

/// Runs looked at, the latest ones.
const RUNS: usize = 2000;
/// Failures remembered for clustering and "seen before", the latest ones.
const FAILURES: usize = 5000;

pub(super) fn recall(connection: &Connection, present: &[RunRecord<'_>]) -> rusqlite::Result<History> {
    let mut history = History::default();
    let mut wanted: HashSet<TestId> = present.iter().flat_map(|leg| &leg.loud).map(|(named, _)| named.id).collect();
    read_aliases(connection, &mut wanted, &mut history)?;
    for leg in present {
        link_present(connection, leg, &mut wanted, &mut history)?;
    }
    let numbers = numbers_of(connection, &wanted)?;
    let until = present.iter().map(|leg| leg.at.unix()).max().unwrap_or(i64::MAX);
    let keys: HashSet<&[u8]> = present.iter().map(|leg| &leg.key[..]).collect();
    read_runs(connection, until, &keys, &numbers, &mut history)?;
    history.failures = failures(connection, until, FAILURES)?;
    forget_present(connection, present, &mut history.failures)?;
    Ok(history)
}

/// Where the present run is in the history already, it must not testify about
/// itself: its failures are counted without it.
fn forget_present(
    connection: &Connection,
    present: &[RunRecord<'_>],
    failures: &mut Vec<PastFailure>,
) -> rusqlite::Result<()> {
    let mut find = connection.prepare("SELECT num FROM run WHERE key = ?")?;
    let mut own: Vec<i64> = Vec::new();
    for leg in present {
        let found: rusqlite::Result<Vec<i64>> = find.query_map([&leg.key[..]], |row| row.get(0))?.collect();
        own.extend(found?);
    }
    if own.is_empty() {
        return Ok(());
    }
    let mut prints =
        connection.prepare("SELECT DISTINCT fingerprint FROM result WHERE run = ? AND fingerprint IS NOT NULL")?;
    let mut mine: HashSet<String> = HashSet::new();
    for run in &own {
        for print in prints.query_map([run], |row| row.get::<_, String>(0))? {
            mine.insert(print?);
        }
    }
    let mut others = connection.prepare(
        "SELECT run.num, run.key, commit_sha, branch, at, ci_run, run.attempt, variant, gate, tests, bad, run.flaky
         FROM result JOIN run ON run.num = result.run WHERE fingerprint = ? ORDER BY at",
    )?;
    for failure in failures.iter_mut().filter(|f| mine.contains(&f.fingerprint)) {
        let mut rows = others.query([&failure.fingerprint])?;
        failure.times = 0;
        while let Some(row) = rows.next()? {
            if !own.contains(&row.get(0)?) {
                let run = past_run(row)?;
                failure.times += 1;
                failure.last = run.at;
                failure.last_run = run.label();
            }
        }
    }
    failures.retain(|f| f.times > 0);
    Ok(())
}

/// What is known about `tests`, without the present run and runs later than it.
pub(super) fn past_of(
    connection: &Connection,
    tests: &[TestId],
    present: &[RunRecord<'_>],
) -> rusqlite::Result<History> {
    let mut history = History::default();
    let numbers = numbers_of(connection, &tests.iter().copied().collect())?;
    let until = present.iter().map(|leg| leg.at.unix()).max().unwrap_or(i64::MAX);
    let keys: HashSet<&[u8]> = present.iter().map(|leg| &leg.key[..]).collect();
    read_runs(connection, until, &keys, &numbers, &mut history)?;
    Ok(history)
}

/// Follows names back in time, a chain of at most eight.
fn read_aliases(connection: &Connection, wanted: &mut HashSet<TestId>, history: &mut History) -> rusqlite::Result<()> {
    let mut statement = connection.prepare("SELECT now, was, because FROM alias")?;
    let mut all: HashMap<TestId, (TestId, String)> = HashMap::new();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let id = |index| row.get_ref(index).ok().and_then(|v| v.as_blob().ok()).and_then(blob_id);
        if let (Some(now), Some(was)) = (id(0), id(1)) {
            all.insert(now, (was, row.get(2)?));
        }
    }
    let mut front: Vec<TestId> = wanted.iter().copied().collect();
    for _ in 0..8 {
        front = front
            .into_iter()
            .filter_map(|now| {
                let (was, because) = all.get(&now)?;
                history.aliases.push(RenamedFrom { now, was: *was, because: because.clone() });
                wanted.insert(*was).then_some(*was)
            })
            .collect();
    }
    Ok(())
}

/// Links tests of the present run that no one has seen before.
fn link_present(
    connection: &Connection,
    leg: &RunRecord<'_>,
    wanted: &mut HashSet<TestId>,
    history: &mut History,
) -> rusqlite::Result<()> {
    let mut find = connection.prepare_cached("SELECT num FROM test WHERE id = ?")?;
    let loud_is_new = leg.loud.iter().any(|(named, _)| !find.exists([&named.id.bytes()[..]]).unwrap_or(true));
    if !loud_is_new {
        return Ok(());
    }
    let mut present = RoaringBitmap::new();
    let mut new = Vec::new();
    let quiet = leg.quiet(Outcome::Passed).chain(leg.quiet(Outcome::Skipped));
    for named in quiet.chain(leg.loud.iter().map(|(named, _)| named.clone())) {
        let mut rows = find.query([&named.id.bytes()[..]])?;
        match rows.next()? {
            Some(row) => {
                present.insert(row.get(0)?);
            }
            None if new.len() <= 500 => {
                new.push(Candidate { id: named.id, class: named.class.to_owned(), name: named.name.to_owned() });
            }
            None => return Ok(()),
        }
    }
    let gone = vanished(connection, leg, &present)?;
    for alias in link(&gone, &new) {
        if wanted.contains(&alias.now) {
            wanted.insert(alias.was);
            history.aliases.push(alias);
        }
    }
    Ok(())
}

fn numbers_of(connection: &Connection, wanted: &HashSet<TestId>) -> rusqlite::Result<HashMap<u32, TestId>> {
    let mut numbers = HashMap::with_capacity(wanted.len());
    let mut find = connection.prepare_cached("SELECT num FROM test WHERE id = ?")?;
    for id in wanted {
        let mut rows = find.query([&id.bytes()[..]])?;
        if let Some(row) = rows.next()? {
            numbers.insert(row.get(0)?, *id);
        }
    }
    Ok(numbers)
}

fn read_runs(
    connection: &Connection,
    until: i64,
    keys: &HashSet<&[u8]>,
    numbers: &HashMap<u32, TestId>,
    history: &mut History,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(
        "SELECT num, key, commit_sha, branch, at, ci_run, attempt, variant, gate, tests, bad, flaky, passed, skipped
         FROM (SELECT * FROM run WHERE at <= ? ORDER BY at DESC, num DESC LIMIT ?) ORDER BY at, num",
    )?;
    let mut sorted: Vec<(u32, TestId)> = numbers.iter().map(|(n, id)| (*n, *id)).collect();
    sorted.sort_unstable();
    let mut samples: Vec<Vec<Sample>> = vec![Vec::new(); sorted.len()];
    let place: HashMap<u32, usize> = sorted.iter().enumerate().map(|(at, (number, _))| (*number, at)).collect();
    let mut marks = Marks::default();
    let mut loud = connection
        .prepare_cached("SELECT test, outcome, flaky, bad_attempts, fingerprint, signal FROM result WHERE run = ?")?;
    let mut rows = statement.query(params![until, RUNS as i64])?;
    while let Some(row) = rows.next()? {
        if keys.contains(row.get_ref(1)?.as_blob().unwrap_or(&[])) {
            continue;
        }
        let run = u32::try_from(history.runs.len()).unwrap_or(u32::MAX);
        history.runs.push(past_run(row)?);
        let passed = read_set(row.get_ref(12)?.as_blob().unwrap_or(&[]));
        let skipped = read_set(row.get_ref(13)?.as_blob().unwrap_or(&[]));
        let quiet = |outcome| Sample { run, outcome, flaky: false, bad_attempts: 0, mark: NO_MARK };
        for (at, (number, _)) in sorted.iter().enumerate() {
            if passed.contains(*number) {
                samples[at].push(quiet(Outcome::Passed));
            } else if skipped.contains(*number) {
                samples[at].push(quiet(Outcome::Skipped));
            }
        }
        let mut results = loud.query([row.get::<_, i64>(0)?])?;
        while let Some(result) = results.next()? {
            let Some(at) = place.get(&result.get::<_, u32>(0)?) else {
                continue;
            };
            samples[*at].push(Sample {
                run,
                outcome: outcome_of(result.get(1)?),
                flaky: result.get(2)?,
                bad_attempts: result.get(3)?,
                mark: marks.number(result.get_ref(4)?.as_str_or_null()?, result.get_ref(5)?.as_str_or_null()?),
            });
        }
    }
    history.marks = marks.all;
    history.samples = sorted.into_iter().map(|(_, id)| id).zip(samples).collect();
    Ok(())
}

/// Distinct marks by number.
#[derive(Default)]
struct Marks {
    all: Vec<FailureMark>,
    numbers: HashMap<FailureMark, u32>,
}

impl Marks {
    fn number(&mut self, fingerprint: Option<&str>, signal: Option<&str>) -> u32 {
        let Some(fingerprint) = fingerprint.and_then(Fingerprint::parse) else {
            return NO_MARK;
        };
        let mark = FailureMark { fingerprint, signal: signal.and_then(Signal::parse) };
        *self.numbers.entry(mark).or_insert_with(|| {
            self.all.push(mark);
            u32::try_from(self.all.len() - 1).unwrap_or(NO_MARK)
        })
    }
}

pub(super) fn past_run(row: &rusqlite::Row<'_>) -> rusqlite::Result<PastRun> {
    Ok(PastRun {
        commit: row.get(2)?,
        branch: row.get(3)?,
        at: Timestamp::from_unix(row.get(4)?),
        run: row.get(5)?,
        attempt: row.get(6)?,
        variant: row.get(7)?,
        gate: row.get::<_, Option<String>>(8)?.as_deref().and_then(RunExclusion::parse),
        tests: row.get::<_, i64>(9)?.unsigned_abs(),
        bad: row.get::<_, i64>(10)?.unsigned_abs(),
        flaky: row.get::<_, i64>(11)?.unsigned_abs(),
    })
}

pub(super) fn failures(connection: &Connection, until: i64, limit: usize) -> rusqlite::Result<Vec<PastFailure>> {
    let mut statement = connection.prepare(
        "SELECT fingerprint, cluster, kinds, masked, first_at, last_at, times, last_run
         FROM failure WHERE first_at <= ? ORDER BY last_at DESC, fingerprint LIMIT ?",
    )?;
    let rows = statement.query_map(params![until, limit as i64], |row| {
        Ok(PastFailure {
            fingerprint: row.get(0)?,
            cluster: row.get(1)?,
            kinds: row.get(2)?,
            masked: row.get(3)?,
            first: Timestamp::from_unix(row.get(4)?),
            last: Timestamp::from_unix(row.get(5)?),
            times: row.get::<_, i64>(6)?.unsigned_abs(),
            last_run: row.get(7)?,
        })
    })?;
    rows.collect()
}
