//! `testmedic run -- CMD`: executes the tests, records their HTTP traffic, runs
//! failed ones again where there is a reason to, then triages what came out.

mod again;
mod select;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use self::select::{Reports, Select};
use crate::adapters::actions_env::ActionsEnv;
use crate::adapters::recorder::{self, Recorder};
use crate::adapters::store::sqlite::SqliteStore;
use crate::adapters::system::print;
use crate::adapters::user_command::Ended;
use crate::adapters::{files, secret_env, system, user_command};
use crate::cli::RunArgs;
use crate::cli::job::TriageRun;
use crate::error::{Problem, exit};
use crate::model::test::TestId;
use crate::model::time::Timestamp;
use crate::ports::HistoryStore;
use crate::render::plural::plural;
use crate::render::terminal::line;
use crate::report::{FailOn, exit_code};

/// The suite, as it can be run again.
pub(super) struct Suite<'a> {
    command: &'a [String],
    recorder: &'a Recorder,
    /// Addresses of proxies, by the variables that hold them.
    proxies: Vec<(String, String)>,
    /// What a JVM needs besides.
    for_jvm: Option<(String, String)>,
    /// A folder for reports.
    folder: PathBuf,
    /// How it is told to run some of its tests.
    select: Option<Select>,
    /// The reports of the first run, where no other run overwrites them.
    first: Vec<PathBuf>,
    /// Where the command writes them, where that is not our choice.
    reports: Reports,
}

impl Suite<'_> {
    /// Runs the whole suite, or `tests` of it in their order.
    fn run(&self, tests: Option<&[String]>, report: &Path, quiet: bool) -> Result<Ended, Problem> {
        let mut variables = self.recorder.variables(&system::variable);
        variables.extend(self.for_jvm.clone());
        variables.extend(self.proxies.iter().cloned());
        variables.push(("TESTMEDIC_PROXIES".to_owned(), self.recorder.proxies().join(" ")));
        variables.push(("TESTMEDIC_REPORT".to_owned(), report.display().to_string()));
        let mut command = self.command.to_vec();
        if let (Some(tests), Some(select)) = (tests, self.select) {
            let order = self.folder.join("order.txt");
            files::write(&order, &(tests.join("\n") + "\n"))?;
            variables.push(("TESTMEDIC_ORDER".to_owned(), order.display().to_string()));
            command.extend(select.words(tests));
        }
        // Each run writes a report of its own.
        files::remove(report);
        let ended = user_command::run(&command, &variables, quiet)?;
        self.recorder.settle();
        Ok(ended)
    }

    /// Runs some tests; gives the reports, whose names end in `behind`.
    fn run_tests(&self, tests: &[String], behind: &str, quiet: bool) -> Result<Vec<PathBuf>, Problem> {
        let report = self.folder.join(format!("report{behind}.xml"));
        let before = self.reports.present();
        let _ = self.run(Some(tests), &report, quiet)?;
        if self.select == Some(Select::Plugin) {
            return Ok(if report.is_file() { vec![report] } else { Vec::new() });
        }
        let copied = self.reports.copied(&before, &self.folder, behind)?;
        Ok(copied.into_iter().map(|(_, copy)| copy).collect())
    }

    /// Whether the last of some tests passes behind the others. Their exchanges are
    /// no part of the recording.
    fn passes(&self, tests: &[String]) -> Result<bool, Problem> {
        let before = self.recorder.count();
        let reports = self.run_tests(tests, "-alone", true)?;
        self.recorder.forget(before);
        let runs = files::read_reports(Path::new(""), &names(&reports), &|_| {})?;
        let Some(last) = tests.last() else { return Ok(false) };
        let bad = runs
            .iter()
            .flat_map(|run| &run.cases)
            .any(|case| case.outcome().is_bad() && crate::diagnose::traffic::is_test(last, case));
        let ran: u64 = runs.iter().map(|run| run.totals.tests).sum();
        Ok(ran > 0 && !bad)
    }
}

pub(super) fn run(args: &RunArgs, colour: bool) -> Result<u8, Problem> {
    secret_env::scrub_and_reexec()?;
    let recorder = Recorder::start(false)?;
    let folder = tempfile::tempdir().map_err(|e| Problem::failed("no temporary folder can be made").because(e))?;
    let report = folder.path().join("report.xml");
    let proxies = proxies(args, &recorder)?;
    let mut suite = Suite {
        command: &args.command,
        recorder: &recorder,
        proxies,
        for_jvm: for_jvm(&recorder)?,
        folder: folder.path().to_owned(),
        select: Select::of(&args.command),
        first: Vec::new(),
        reports: Reports::at(&args.triage.junit),
    };
    let begun = system::now();
    let before = suite.reports.present();
    let ended = suite.run(None, &report, false)?;
    let code = ended.code;
    how_it_ended(&ended, &recorder)?;
    let written = first(&mut suite, &report, &before)?;
    let may_retry = !suite.first.is_empty() && suite.select.is_some() && !ended.was_stopped;
    let again = if may_retry && code != exit::DONE && args.retry {
        again::again(&mut suite, &waits(args))?
    } else {
        again::RerunReport::default()
    };
    // What the first run wrote stands where the command wrote it.
    for (place, copy) in written.iter().filter(|_| !again.told.is_empty()) {
        files::copy(copy, place)?;
    }
    let recorded = recorder.end();
    recorder::write(&args.record, &recorded.exchanges)?;
    tell(args, &recorded, &again)?;
    let mut triage = args.triage.clone();
    if suite.first.is_empty() && triage.junit.iter().all(|p| p.trim().is_empty()) {
        print(NO_REPORT)?;
        return Ok(code);
    }
    if let Some(old) = older(&triage.junit, begun) {
        print(&format!("{old} is older than this run, so nothing is judged: the command did not write it.\n"))?;
        return Ok(code);
    }
    triage.junit = judged(&suite, written, &again, triage.junit);
    let around = ActionsEnv::read()?;
    let mut job = TriageRun::prepare(&triage, around.as_ref())?;
    let told = in_flight(&recorded.waits);
    job.add_traffic(recorded.exchanges);
    job.add_retries(again.heard, again.retried, told);
    let done = job.run(&triage, None);
    done.show(&triage, colour)?;
    // The suite's own word stands, unless something else is asked for, or unless all
    // that failed passed after a wait that is told above.
    let recovered = !again.reports.is_empty() && done.triage.found.bad() == 0;
    Ok(match triage.fail_on {
        FailOn::Never if recovered => exit::DONE,
        FailOn::Never => code,
        asked => exit_code(&done.triage, asked),
    })
}

const NO_REPORT: &str = "No report was written, so nothing is judged: name the reports of the tests with --junit (without it those of pytest, Maven and Gradle are found).\n";

/// Finds the reports of the first run. Those that the command writes where it likes are
/// copied, as the next run overwrites them: gives their places with the copies.
fn first(
    suite: &mut Suite<'_>,
    report: &Path,
    before: &[(PathBuf, Option<SystemTime>)],
) -> Result<Vec<(PathBuf, PathBuf)>, Problem> {
    // A report that the command asks for is taken as it is.
    if let Some(own) = suite.recorder.report().filter(|own| own.is_file()) {
        files::copy(&own, report)?;
    }
    if files::is_filled(report) {
        // Of several runs of pytest in one command each has a report.
        let more = files::matching(&suite.folder, &["report.*.xml".to_owned()]);
        suite.select = more.is_empty().then_some(Select::Plugin);
        suite.first = std::iter::once(report.to_owned()).chain(more).collect();
        return Ok(Vec::new());
    }
    let copied = suite.reports.copied(before, &suite.folder, "")?;
    suite.first = copied.iter().map(|(_, copy)| copy.clone()).collect();
    Ok(copied)
}

/// The reports to judge: those of the first run and of what was run again. `written` are
/// the first ones where the command wrote them, which are named where nothing replaced
/// them; reports that a person names for pytest are theirs.
fn judged(
    suite: &Suite<'_>,
    written: Vec<(PathBuf, PathBuf)>,
    again: &again::RerunReport,
    named: Vec<String>,
) -> Vec<String> {
    let is_named = !named.iter().all(|p| p.trim().is_empty());
    if suite.first.is_empty() || (is_named && suite.select == Some(Select::Plugin)) {
        return named;
    }
    let places: Vec<PathBuf> = written.into_iter().map(|(place, _)| place).collect();
    let first = if again.reports.is_empty() && !places.is_empty() { &places } else { &suite.first };
    names(first.iter().chain(&again.reports))
}

fn names<'p>(paths: impl IntoIterator<Item = &'p PathBuf>) -> Vec<String> {
    paths.into_iter().map(|path| path.display().to_string()).collect()
}

/// A report that was there before the tests began.
fn older(patterns: &[String], begun: Timestamp) -> Option<String> {
    let all = files::matching(Path::new(""), patterns);
    all.into_iter().find(|path| files::is_older(path, begun)).map(|path| path.display().to_string())
}

/// The seconds after which tests passed when they were last run again. A history that
/// cannot be read is told of by the triage; retries do without.
fn waits(args: &RunArgs) -> HashMap<TestId, f64> {
    let path = args.triage.history.path().ok().flatten();
    let store = path.and_then(|path| SqliteStore::open_existing(&path).ok().flatten());
    store.and_then(|store| store.retry_waits().ok()).unwrap_or_default()
}

/// What records tests of a JVM, where the folder is one of Maven or Gradle.
fn for_jvm(recorder: &Recorder) -> Result<Option<(String, String)>, Problem> {
    let builds = ["pom.xml", "build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts"];
    if !builds.iter().any(|name| Path::new(name).is_file()) {
        return Ok(None);
    }
    match recorder.jvm_variables(&system::variable) {
        Ok(own) => Ok(Some(own)),
        Err(why) => print(&format!("tests of the JVM are not recorded: {}\n", line(&why, 300))).map(|()| None),
    }
}

/// Puts a proxy before each service that is named.
fn proxies(args: &RunArgs, recorder: &Recorder) -> Result<Vec<(String, String)>, Problem> {
    let mut all = Vec::new();
    for upstream in &args.upstream {
        let (variable, address) = recorder.start_proxy(upstream, args.retry)?;
        print(&format!("{variable}={address} stands before {}\n", line(upstream.url.as_str(), 200)))?;
        all.push((variable, address));
    }
    Ok(all)
}

/// Says what is to be known about an unusual end.
fn how_it_ended(ended: &Ended, recorder: &Recorder) -> Result<(), Problem> {
    if ended.was_stopped {
        print("\nstopped: what the tests left so far is judged\n")?;
    } else if let Some(signal) = ended.signal {
        let last = recorder
            .order()
            .last()
            .map_or_else(String::new, |test| format!("; the last test that began was {}", line(test, 200)));
        print(&format!("\nthe command was ended by signal {signal}{last}\n"))?;
    }
    Ok(())
}

/// Says what was recorded and what was run again.
fn tell(args: &RunArgs, recorded: &recorder::Recorded, again: &again::RerunReport) -> Result<(), Problem> {
    let mut tests: Vec<&str> = recorded.exchanges.iter().filter_map(|e| e.test.as_deref()).collect();
    tests.sort_unstable();
    tests.dedup();
    let lost = if recorded.lost > 0 { format!(", {} lost", recorded.lost) } else { String::new() };
    print(&format!(
        "\nrecorded {} of {} in {}{lost}\n",
        plural(recorded.exchanges.len() as u64, "exchange"),
        plural(tests.len() as u64, "test"),
        args.record.display()
    ))?;
    for told in in_flight(&recorded.waits) {
        print(&format!("  again  {}\n", line(&told, 400)))?;
    }
    for told in &again.told {
        print(&format!("  again  {}\n", line(told, 400)))?;
    }
    print("\n")
}

/// Requests that were sent again in flight, each once.
fn in_flight(waits: &[recorder::Waited]) -> Vec<String> {
    let mut by_line: BTreeMap<(&str, u16), (u64, f64)> = BTreeMap::new();
    for wait in waits {
        let sum = by_line.entry((&wait.line, wait.status)).or_default();
        *sum = (sum.0 + 1, sum.1 + wait.seconds);
    }
    by_line
        .into_iter()
        .map(|((asked, status), (times, seconds))| {
            format!(
                "rate-limited: {asked} was refused with {status} {}, and sent again in flight after waits of {seconds:.1} s as it asked",
                plural(times, "time")
            )
        })
        .collect()
}

/// Where recordings go by default.
pub(super) fn default_record() -> PathBuf {
    PathBuf::from(".testmedic/traffic.ndjson")
}
