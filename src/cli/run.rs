//! `testmedic run -- CMD`: executes the tests, records their HTTP traffic, then
//! triages what came out.

use std::path::{Path, PathBuf};

use crate::cli::RunArgs;
use crate::cli::job::Job;
use crate::error::Problem;
use crate::render::words::plural;
use crate::report::{FailOn, exit_code};
use crate::shell::actions::Around;
use crate::shell::recorder::{self, Recorder};
use crate::shell::surroundings::say;
use crate::shell::{shield, suite, surroundings};

pub(super) fn run(args: &RunArgs, colour: bool) -> Result<u8, Problem> {
    shield::raise()?;
    let recorder = Recorder::start(false)?;
    let folder = tempfile::tempdir().map_err(|e| Problem::failed("no temporary folder can be made").because(e))?;
    let own = folder.path().join("junit.xml");
    let code = execute(args, &recorder, &own)?;
    let recorded = recorder.end();
    recorder::write(&args.record, &recorded.exchanges)?;
    let mut tests: Vec<&str> = recorded.exchanges.iter().filter_map(|e| e.test.as_deref()).collect();
    tests.sort_unstable();
    tests.dedup();
    let lost = if recorded.lost > 0 { format!(", {} lost", recorded.lost) } else { String::new() };
    say(&format!(
        "\nrecorded {} of {} in {}{lost}\n\n",
        plural(recorded.exchanges.len() as u64, "exchange"),
        plural(tests.len() as u64, "test"),
        args.record.display()
    ))?;
    let mut triage = args.triage.clone();
    if triage.junit.iter().all(|p| p.trim().is_empty()) {
        if !own.is_file() {
            say("No report was written, so nothing is judged: name the reports of the tests with --junit.\n")?;
            return Ok(code);
        }
        triage.junit = vec![own.display().to_string()];
    }
    let around = Around::read()?;
    let mut job = Job::prepare(&triage, around.as_ref())?;
    job.add_traffic(recorded.exchanges);
    let done = job.run(&triage, None);
    done.show(&triage, colour)?;
    // The suite's own word stands, unless something else is asked for.
    Ok(if triage.fail_on == FailOn::Never { code } else { exit_code(&done.triage, triage.fail_on) })
}

/// Runs the command with our recorder beside it; its input and output are its own.
fn execute(args: &RunArgs, recorder: &Recorder, report: &Path) -> Result<u8, Problem> {
    let mut variables = recorder.variables(&surroundings::variable);
    if args.triage.junit.iter().all(|p| p.trim().is_empty()) {
        // pytest writes a report for us beside whatever it writes for others.
        let before = surroundings::variable("PYTEST_ADDOPTS").unwrap_or_default();
        let options = format!("{before} --junitxml={}", report.display());
        variables.push(("PYTEST_ADDOPTS".to_owned(), options.trim_start().to_owned()));
    }
    suite::run(&args.command, &variables)
}

/// Where recordings go by default.
pub(super) const RECORD: &str = ".testmedic/traffic.ndjson";

/// See [`RECORD`].
pub(super) fn default_record() -> PathBuf {
    PathBuf::from(RECORD)
}
