//! Runs tests of a repository again: on one commit, or on a line of them.

use super::RepoHealer;
use crate::adapters::runner::recognise;
use crate::adapters::sandbox::{Sandbox, SandboxRunner};
use crate::adapters::{progress, shutdown};
use crate::agent::healer::{Sources, test_locator};
use crate::diagnose::findings::Findings;
use crate::error::Problem;
use crate::investigate::bisect::{self, Found, Lost, Probe};
use crate::model::execution::{Execution, Scope, TestSelector};
use crate::model::text::head;
use crate::ports::{Revision, TestRunner};

/// Commits of a line that are looked at.
const LINE: usize = 500;
/// How often a test is run on each commit: one that ends otherwise each time is flaky.
const TWICE: u32 = 2;
/// Bytes of what a test said.
const SAID: usize = 2000;

/// A test that is run again.
pub struct RerunTarget {
    /// Where it stands.
    pub target: TestSelector,
    dialect: Option<&'static str>,
}

/// How a test ended when it was run several times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RerunCount {
    /// Its name.
    pub name: String,
    /// How often it passed.
    pub passed: u32,
    /// How often it failed.
    pub failed: u32,
    /// What it said when it failed last, or why it could not be run.
    pub said: Option<String>,
}

/// What a bisection found: commits by their hashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BisectResult {
    /// The last commit on which it passed.
    pub last_good: String,
    /// The first one on which it failed.
    pub first_bad: String,
    /// Commits between them, on which it could not be run.
    pub between: Vec<String>,
    /// Commits on which it was run, the oldest first, and how it ended.
    pub tried: Vec<(String, Probe)>,
}

impl RepoHealer {
    /// The tests of the sources behind failing cases that are called like that; without a
    /// case the one test of the repository with that name.
    ///
    /// # Errors
    /// A name that no test has, or that several have.
    pub fn tests(&self, found: &Findings, name: &str) -> Result<Vec<RerunTarget>, Problem> {
        let read = |path: &str| self.read(path);
        let folder = self.git.prefix();
        let sources = Sources::new(&self.files, &read).below(&folder);
        let mut tests: Vec<RerunTarget> = Vec::new();
        for member in found.diagnoses.iter().flat_map(|d| &d.members) {
            let case = found.case(*member);
            if !case.is_called(name) {
                continue;
            }
            let dialect = found.runs.get(member.run).map(|run| run.dialect);
            if let Some(target) = test_locator::find(&sources, case)
                && !tests.iter().any(|known| known.target == target)
            {
                tests.push(RerunTarget { target, dialect });
            }
        }
        if tests.is_empty() {
            tests.push(RerunTarget { target: super::one_by_name(&sources, name)?, dialect: None });
        }
        Ok(tests)
    }

    /// Runs tests so many times each on the tested commit.
    ///
    /// # Errors
    /// Where there is no room to run them.
    pub fn again(&self, tests: &[RerunTarget], times: u32) -> Result<Vec<RerunCount>, Problem> {
        let mut workshop = Sandbox::open(&self.top, &self.policy.run)?;
        let clock = progress::clock();
        let mut all = Vec::new();
        for test in tests {
            let mut counted = RerunCount { name: test.target.name.clone(), passed: 0, failed: 0, said: None };
            for _ in 0..times {
                if shutdown::requested() || self.seconds.is_some_and(|most| clock() > most) {
                    counted.said.get_or_insert_with(|| "time was up".to_owned());
                    break;
                }
                let ran = self.once(&mut workshop, test, &self.head, &[])?;
                match probe(&ran) {
                    Probe::Passes => counted.passed += 1,
                    Probe::Fails => {
                        counted.failed += 1;
                        counted.said = said(&ran);
                    }
                    Probe::Cannot | Probe::Both => {
                        counted.said = Some(ran.trouble.unwrap_or(ran.output));
                        break;
                    }
                }
            }
            all.push(counted);
        }
        Ok(all)
    }

    fn once(
        &self,
        workshop: &mut Sandbox,
        test: &RerunTarget,
        commit: &str,
        overlay: &[(String, String)],
    ) -> Result<Execution, Problem> {
        let read = |path: &str| self.read(path);
        let runner = |t: &TestSelector| self.runner.or_else(|| recognise(&t.file, test.dialect, &self.files, &read));
        let mut bench = SandboxRunner::new(workshop, None, commit.to_owned(), &runner);
        bench.run(Revision::New, &test.target, Scope::Alone, overlay)
    }

    /// Finds the first commit on which a test fails, on the line of first parents. The
    /// test itself is that of the tested commit on each of them.
    ///
    /// # Errors
    /// Why none can be told, for people.
    pub fn bisect(&self, test: &RerunTarget, good: Option<&str>) -> Result<BisectResult, Problem> {
        let mut line = self.git.line(&self.head, LINE);
        line.reverse();
        let good = good.and_then(|good| self.git.resolve(good)).and_then(|good| line.iter().position(|c| *c == good));
        let mut workshop = Sandbox::open(&self.top, &self.policy.run)?;
        let text = self.read(&test.target.file).unwrap_or_default();
        let overlay = [(test.target.file.clone(), text)];
        let clock = progress::clock();
        let mut probe = |at: usize| -> Result<Probe, Problem> {
            let mut last = None;
            for _ in 0..TWICE {
                if shutdown::requested() || self.seconds.is_some_and(|most| clock() > most) {
                    return Err(Problem::failed("time was up (`heal.max-minutes`)"));
                }
                let now = probe(&self.once(&mut workshop, test, &line[at], &overlay)?);
                if last.is_some_and(|last| last != now) {
                    return Ok(Probe::Both);
                }
                last = Some(now);
            }
            Ok(last.unwrap_or(Probe::Cannot))
        };
        let found = bisect::first_bad(line.len(), good, &mut probe).map_err(|lost| told(lost, &line))?;
        Ok(named(&found, &line))
    }
}

fn named(found: &Found, line: &[String]) -> BisectResult {
    BisectResult {
        last_good: line[found.last_good].clone(),
        first_bad: line[found.first_bad].clone(),
        between: line[found.last_good + 1..found.first_bad].to_vec(),
        tried: found.tried.iter().map(|(at, probe)| (line[*at].clone(), *probe)).collect(),
    }
}

fn told(lost: Lost<Problem>, line: &[String]) -> Problem {
    let short = |at: usize| crate::history::short(&line[at]).to_owned();
    match lost {
        Lost::Trouble(problem) => problem,
        Lost::NewestIs(Probe::Passes) => {
            Problem::failed("the test passes on this commit: there is nothing to look for")
        }
        Lost::NewestIs(_) => Problem::failed("the test cannot be run on this commit"),
        Lost::NeverPassed(at) => Problem::failed(format!("the test never passed, back to `{}`", short(at))),
        Lost::Unstable(at) => Problem::failed(format!(
            "the test both passes and fails on `{}`: it is flaky, and no commit can be told",
            short(at)
        )),
    }
}

fn probe(ran: &Execution) -> Probe {
    match ran.word() {
        "passed" => Probe::Passes,
        "failed" => Probe::Fails,
        _ => Probe::Cannot,
    }
}

fn said(ran: &Execution) -> Option<String> {
    let failure = ran.ran.iter().find(|r| r.outcome.is_bad())?.failure.as_ref()?;
    Some(head(failure.message.raw(), SAID).to_owned())
}
