//! Every fixture that a real runner wrote is read, and our totals are compared
//! with those the runner itself printed. Where a runner prints other totals
//! than it writes, the table says so and why.

use std::collections::BTreeMap;

use crate::differences;
use crate::support::{Workplace, check_contract, fixtures};
use testmedic::ingest::junit;
use testmedic::model::run::{IssueLevel, TestRun, Totals};
use testmedic::pipeline;

fn runners() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(fixtures().join("junit"))
        .unwrap()
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn reports(runner: &str) -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(fixtures().join("junit").join(runner))
        .unwrap()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "xml"))
        .collect();
    files.sort();
    files
}

fn read(runner: &str) -> Vec<TestRun> {
    let mut runs: Vec<TestRun> = reports(runner)
        .iter()
        .flat_map(|path| junit::read_all(&path.to_string_lossy(), std::fs::File::open(path).unwrap()))
        .collect();
    pipeline::prepare(&mut runs, &testmedic::model::run::RunFacts::default());
    runs
}

fn totals(runs: &[TestRun]) -> Totals {
    let mut sum = Totals::default();
    runs.iter().for_each(|run| sum.add(&run.totals));
    sum
}

fn value(t: &Totals, key: &str) -> Option<u64> {
    Some(match key {
        "tests" => t.tests,
        "passed" => t.passed,
        "failed" => t.failed,
        "errored" => t.errored,
        "skipped" => t.skipped,
        "flaky" => t.flaky,
        "attempts" => t.attempts,
        "bad" => t.failed + t.errored,
        _ => return None,
    })
}

#[test]
fn totals_are_those_of_the_runner() {
    let mut wrong = Vec::new();
    for runner in runners() {
        let ours = totals(&read(&runner));
        let text = std::fs::read_to_string(fixtures().join("junit").join(&runner).join("runner.json")).unwrap();
        let theirs: BTreeMap<String, u64> = serde_json::from_str(&text).unwrap();
        let differences: Vec<_> = differences::ALL.iter().filter(|d| d.runner == runner).collect();
        for (key, printed) in &theirs {
            let expected = differences.iter().find(|d| d.key == key).map_or(*printed, |d| d.ours);
            if let Some(found) = value(&ours, key)
                && found != expected
            {
                wrong.push(format!("{runner}: {key} is {found}, the runner printed {printed}, expected {expected}"));
            }
        }
        for d in differences {
            let key = d.key.strip_prefix("printed_").unwrap_or(d.key);
            if let Some(found) = value(&ours, key)
                && found != d.ours
            {
                wrong.push(format!("{runner}: {} is {found}, the table of differences says {}", d.key, d.ours));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn at_least_the_promised_runners_are_there() {
    let all = runners();
    for runner in [
        "pytest",
        "pytest-rerunfailures",
        "pytest-xdist",
        "pytest-subtests",
        "pytest-collection-error",
        "unittest",
        "robot",
        "jest",
        "vitest",
        "mocha",
        "node-test",
        "playwright",
        "surefire-junit4",
        "surefire-junit5",
        "surefire-testng",
        "gotestsum",
        "go-junit-report",
        "nextest",
        "ctest",
        "googletest",
        "catch2",
        "phpunit",
        "rspec",
        "bats",
        "perl-tap",
    ] {
        assert!(all.iter().any(|r| r == runner), "{runner}");
    }
}

#[test]
fn dialects_are_recognised() {
    for runner in runners() {
        let expected = match runner.as_str() {
            r if r.starts_with("pytest") => "pytest",
            r if r.starts_with("surefire") => "surefire",
            "perl-tap" => "tap",
            r => r,
        };
        for run in read(&runner) {
            assert_eq!(run.dialect, expected, "{}", run.path);
        }
    }
}

#[test]
fn no_fixture_is_unusable_and_every_failure_says_something() {
    for runner in runners() {
        for run in read(&runner) {
            assert!(run.worst() < Some(IssueLevel::Unusable), "{}: {:?}", run.path, run.issues);
            for case in run.cases.iter().filter(|c| c.outcome().is_bad()) {
                assert!(case.failure().is_some(), "{runner}: {:?}", case.name);
            }
        }
    }
}

/// junit-parser reads the well-formed ones as well; both must see the same bad
/// cases. What it cannot read, or reads otherwise, is listed with the reason.
#[test]
fn the_second_opinion_agrees() {
    let excused = differences::SECOND_OPINION;
    let mut wrong = Vec::new();
    for runner in runners() {
        for path in reports(&runner) {
            let name = format!("{runner}/{}", path.file_name().unwrap().to_string_lossy());
            let excuse = excused.iter().find(|(file, _)| *file == name);
            let file = std::io::BufReader::new(std::fs::File::open(&path).unwrap());
            let other = junit_parser::from_reader(file).map(TestRun::from);
            let ours = junit::read_all(&name, std::fs::File::open(&path).unwrap());
            let ours = totals(&ours);
            let same = match &other {
                Err(error) => Err(format!("junit-parser: {error}")),
                Ok(run)
                    if (run.totals.failed + run.totals.errored, run.totals.attempts)
                        == (ours.failed + ours.errored, ours.attempts) =>
                {
                    Ok(())
                }
                Ok(run) => Err(format!("junit-parser {:?}, ours {ours:?}", run.totals)),
            };
            match (same, excuse) {
                (Err(why), None) => wrong.push(format!("{name}: {why}")),
                (Ok(()), Some(_)) => wrong.push(format!("{name}: agrees now, remove its excuse")),
                _ => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The whole program on every fixture: the report keeps the contract, and the
/// same input gives the same report.
#[test]
fn every_fixture_makes_a_report_that_keeps_the_contract() {
    let place = Workplace::new();
    for runner in runners() {
        let glob = format!("{}/*.xml", fixtures().join("junit").join(&runner).display());
        let arguments = ["--junit", &glob, "--head", "abc1234", "--branch", "main", "--now", "2026-05-01T10:00:00Z"];
        let first = place.triage(&arguments);
        check_contract(&first);
        assert_eq!(first, place.triage(&arguments), "{runner}");
    }
}
