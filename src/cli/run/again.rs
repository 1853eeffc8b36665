//! Failed tests are run again, each with a reason: after the wait that a service
//! asks for, or alone, to see whether their order was the reason.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use super::Suite;
use crate::adapters::system::print;
use crate::adapters::{files, system};
use crate::agent::retrier::order_dependency::{NextRun, OrderDependence, PollutionSearch};
use crate::agent::retrier::{Decision, Tried, decide};
use crate::diagnose::rules::weights;
use crate::diagnose::traffic::{TrafficByTest, is_test};
use crate::diagnose::verdict::{Diagnosis, Evidence, Verdict};
use crate::error::Problem;
use crate::history::RerunResult;
use crate::model::run::RunFacts;
use crate::model::test::{TestCase, TestId};
use crate::model::text::Untrusted;
use crate::pipeline::{self, TriageInput, TriageResult};
use crate::render::plural::plural;
use crate::render::terminal::line;

/// Rounds of waiting.
const ROUNDS: u32 = 4;
/// Tests that are run alone, and those for which a polluter is looked for.
const ALONE: usize = 10;
const VICTIMS: usize = 3;
/// Seconds that looking for polluters may take.
const SEARCH: f64 = 180.0;
/// Seconds that all waits of a run may take together.
const WAITS: f64 = 300.0;

/// What came of running tests again.
#[derive(Debug, Default)]
pub(super) struct RerunReport {
    /// Reports of the tests that were run again after a wait.
    pub reports: Vec<PathBuf>,
    /// What was learned about single tests.
    pub heard: Vec<(TestId, Evidence)>,
    /// Tests that were run again after a wait.
    pub retried: Vec<RerunResult>,
    /// What was done, for people.
    pub told: Vec<String>,
}

/// Runs failed tests again as long as there is a reason to. `waits` tells after how many
/// seconds tests passed when they were last run again.
pub(super) fn again(suite: &mut Suite<'_>, waits: &HashMap<TestId, f64>) -> Result<RerunReport, Problem> {
    let mut out = RerunReport::default();
    let mut waited = 0.0;
    for round in 0..ROUNDS {
        let triage = judge(suite, &out.reports)?;
        let (mut tests, mut longest, mut alone) = (Vec::new(), (0.0_f64, String::new()), Vec::new());
        let exchanges = suite.recorder.so_far();
        let sent = TrafficByTest::new(&exchanges, &[]);
        for diagnosis in &triage.found.diagnoses {
            let failing = failing(&triage, diagnosis, &suite.recorder.order());
            if failing.is_empty() {
                continue;
            }
            let own =
                diagnosis.members.iter().flat_map(|m| sent.of(triage.found.case(*m))).copied().collect::<Vec<_>>();
            let learned = failing.iter().filter_map(|(_, id)| waits.get(id).copied()).reduce(f64::max);
            let tried = Tried { rounds: round, learned };
            match decide(diagnosis.verdict, &own, tried, system::random(), system::now()) {
                Decision::Wait { seconds, why } if waited + seconds <= WAITS => {
                    if seconds >= longest.0 {
                        longest = (seconds, why);
                    }
                    tests.extend(failing);
                }
                Decision::Wait { .. } => {
                    out.told.push(format!(
                        "all waits of a run may take {WAITS} s together: {}",
                        line(diagnosis.title.raw(), 120)
                    ));
                }
                Decision::Alone => alone.extend(failing),
                Decision::Leave(why) if round == 0 || diagnosis.verdict == Verdict::RateLimited => {
                    out.told.push(format!("{}: {why}", line(diagnosis.title.raw(), 120)));
                }
                Decision::Leave(_) => {}
            }
        }
        if round == 0 {
            isolate(suite, &alone, &mut out)?;
        }
        if tests.is_empty() {
            break;
        }
        let (seconds, why) = longest;
        waited += seconds;
        retry(suite, &tests, round, (seconds, &why), &mut out)?;
    }
    Ok(out)
}

/// Waits, and runs tests again.
fn retry(
    suite: &Suite<'_>,
    tests: &[(String, TestId)],
    round: u32,
    (seconds, why): (f64, &str),
    out: &mut RerunReport,
) -> Result<(), Problem> {
    let many = plural(tests.len() as u64, "test");
    print(&format!("\nretry {}: {many} again in {seconds:.1} s: {}\n", round + 1, line(why, 200)))?;
    system::pause(Duration::from_secs_f64(seconds));
    let nodes: Vec<String> = tests.iter().map(|(node, _)| node.clone()).collect();
    let reports = suite.run_tests(&nodes, &format!("-rerun-{}", round + 1), false)?;
    let bad = still_bad(&reports)?;
    let at = system::now();
    let mut passed = 0;
    for (node, test) in tests {
        let held = !reports.is_empty() && !bad.iter().any(|case| is_test(node, case));
        passed += usize::from(held);
        out.retried.push(RerunResult { test: *test, at, seconds, passed: held, why: why.to_owned() });
    }
    out.told.push(format!("waited {seconds:.1} s ({why}); then {passed} of {many} passed"));
    out.reports.extend(reports);
    Ok(())
}

/// A quick judgement of what there is so far: without history and without a plan.
fn judge(suite: &Suite<'_>, more: &[PathBuf]) -> Result<TriageResult, Problem> {
    let patterns = super::names(suite.first.iter().chain(more));
    let exchanges = suite.recorder.so_far();
    Ok(pipeline::triage(TriageInput {
        runs: files::read_reports(std::path::Path::new(""), &patterns, &|_| {})?,
        facts: RunFacts::default(),
        default_branch: None,
        exchanges: &exchanges,
        described: Vec::new(),
        incidents: Vec::new(),
        now: system::now(),
        store: None,
        repository: None,
        record_to: None,
    }))
}

/// The tests of a diagnosis that ended bad, by the names under which they can be run.
fn failing(triage: &TriageResult, diagnosis: &Diagnosis, order: &[String]) -> Vec<(String, TestId)> {
    let cases = diagnosis.members.iter().map(|m| triage.found.case(*m)).filter(|c| c.outcome().is_bad());
    cases.filter_map(|case| Some((order.iter().find(|node| is_test(node, case))?.clone(), case.id))).collect()
}

/// The cases of some reports that did not pass.
fn still_bad(reports: &[PathBuf]) -> Result<Vec<TestCase>, Problem> {
    let runs = files::read_reports(std::path::Path::new(""), &super::names(reports), &|_| {})?;
    Ok(runs.into_iter().flat_map(|run| run.cases).filter(|case| case.outcome().is_bad()).collect())
}

/// Runs each test by itself; for those that pass then, what pollutes them is
/// looked for.
fn isolate(suite: &mut Suite<'_>, tests: &[(String, TestId)], out: &mut RerunReport) -> Result<(), Problem> {
    // A suite of one test has no order.
    if suite.recorder.order().len() < 2 {
        return Ok(());
    }
    let clock = crate::adapters::progress::clock();
    let order = suite.recorder.order();
    let mut victims = 0;
    let mut known: HashMap<Vec<String>, bool> = HashMap::new();
    for (test, id) in tests.iter().take(ALONE) {
        let before: Vec<String> = order.iter().take_while(|t| *t != test).cloned().collect();
        let mut search = PollutionSearch::new(test, &before);
        let mut step = search.begin();
        let found = loop {
            match step {
                NextRun::Done(found) => break Some(found),
                NextRun::Run(_) if clock() > SEARCH => break None,
                NextRun::Run(wanted) if wanted.len() > 1 && victims >= VICTIMS => break None,
                NextRun::Run(wanted) => {
                    let passed = match known.get(&wanted) {
                        Some(passed) => *passed,
                        None => suite.passes(&wanted)?,
                    };
                    known.insert(wanted, passed);
                    step = search.next(passed);
                }
            }
        };
        victims += usize::from(!matches!(found, Some(OrderDependence::FailsAlone)));
        if let Some((evidence, told)) = found.map(|found| testimony(test, found)) {
            out.heard.push((*id, evidence));
            out.told.extend(told);
        }
    }
    if tests.len() > ALONE {
        out.told
            .push(format!("only the first {ALONE} of {} were run alone", plural(tests.len() as u64, "failing test")));
    }
    Ok(())
}

fn testimony(test: &str, found: OrderDependence) -> (Evidence, Option<String>) {
    let say = |about, kind, weight, text: String| Evidence {
        about,
        kind,
        weight,
        text: Untrusted::bounded(&text, 600),
        source: Untrusted::new("runs of these tests"),
    };
    match found {
        OrderDependence::FailsAlone => (
            say(Verdict::Flaky, "fails-alone", weights::FAILS_ALONE, "run again by itself it fails as well".to_owned()),
            None,
        ),
        OrderDependence::Passes => (
            say(
                Verdict::Flaky,
                "passed-again",
                weights::PASSED_AGAIN,
                "run again, alone and behind the tests before it, it passes".to_owned(),
            ),
            Some(format!("{test} passes when it is run again")),
        ),
        OrderDependence::Polluted { polluters, cleaner } => {
            let undone = cleaner.map_or_else(String::new, |c| format!("; `{c}` undoes it"));
            let text = format!("it passes alone and fails behind `{}`{undone}", polluters.join("`, `"));
            (say(Verdict::Flaky, "order", weights::POLLUTED, text.clone()), Some(format!("{test}: {text}")))
        }
        OrderDependence::Unfinished(set) => {
            let text =
                format!("it passes alone and fails behind {} other tests, too many to be tried one by one", set.len());
            (say(Verdict::Flaky, "order", weights::POLLUTED, text.clone()), Some(format!("{test}: {text}")))
        }
    }
}
