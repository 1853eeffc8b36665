//! Heals the failing tests of a repository on disk: finds them in the sources,
//! drives the healer over each of them, and gathers what it proposes.

pub mod rerun;

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::adapters::git::Git;
use crate::adapters::progress;
use crate::adapters::repo_tools::RepoTools;
use crate::adapters::runner::{Runner, recognise};
use crate::adapters::sandbox::{Sandbox, SandboxRunner};
use crate::adapters::shutdown;
use crate::agent::handoff::is_for_healer;
use crate::agent::healer::result::TestHeal;
use crate::agent::healer::{Sources, test_locator};
use crate::diagnose::findings::Findings;
use crate::diagnose::mismatch;
use crate::diagnose::verdict::{CaseRef, Diagnosis};
use crate::error::Problem;
use crate::ingest::source_location::is_test_path;
use crate::investigate::model_session::ModelContext;
use crate::investigate::{self, HealInput, ModelEdits};
use crate::model::change::{Commit, FileChange};
use crate::model::execution::TestSelector;
use crate::plan::policy::Policy;
use crate::ports::Repository;

/// Tests that are looked at; more are told.
const MOST: usize = 50;

/// A repository whose tests are to be healed.
pub struct RepoHealer {
    /// The repository.
    pub git: Git,
    /// The folder at its top.
    pub top: PathBuf,
    /// What is allowed.
    pub policy: Policy,
    /// The commit on which tests fail.
    pub head: String,
    /// Its files.
    pub files: Vec<String>,
    /// The last good commit, where a person named it.
    pub base: Option<String>,
    /// Only tests whose name holds one of these.
    pub only: Vec<String>,
    /// The runner, where a person named it.
    pub runner: Option<Runner>,
    /// How often a healed test must pass.
    pub repeat: u32,
    /// Seconds after which no further test is begun.
    pub seconds: Option<f64>,
    /// Who answers for it that failing tests are outdated, whatever speaks against it.
    pub insisted: Option<String>,
}

/// A failing test that is looked at.
struct HealTarget {
    diagnosis: Option<String>,
    dialect: Option<&'static str>,
    target: TestSelector,
    base: Option<String>,
    together: usize,
    /// That it passed before, as an earlier run saw it.
    passed: Option<String>,
}

/// What came of all tests.
#[derive(Debug, Default)]
pub struct HealReport {
    /// One for each test.
    pub all: Vec<TestHeal>,
    /// What else is to say.
    pub notes: Vec<String>,
    /// The commit that the first was compared with.
    pub base: Option<String>,
}

impl HealReport {
    /// All repairs as one patch: of each file the first text and the last.
    #[must_use]
    pub fn patch(&self) -> String {
        self.files().iter().map(|(path, (old, new))| crate::code::edit::diff(path, old, new)).collect()
    }

    /// The repaired files, before and after.
    #[must_use]
    pub fn files(&self) -> BTreeMap<&str, (&str, &str)> {
        let mut files: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
        for file in self.all.iter().filter(|h| h.healing.outcome.is_repair()).flat_map(|h| &h.healing.patch) {
            let (old, new) = (file.old.as_deref().unwrap_or(""), file.new.as_deref().unwrap_or(""));
            files.entry(&file.path).and_modify(|(_, last)| *last = new).or_insert((old, new));
        }
        files
    }
}

impl RepoHealer {
    fn read(&self, path: &str) -> Option<String> {
        self.git.text_at(&self.head, path)
    }

    /// The commit before the change: named, or where the branch left its base.
    fn base(&self) -> Option<String> {
        self.base.clone().or_else(|| self.git.default_base(&self.head))
    }

    /// Heals the failing tests that were found.
    ///
    /// # Errors
    /// Where tests cannot be run at all.
    pub fn heal_found(&self, found: &Findings, round: Option<&ModelContext>) -> Result<HealReport, Problem> {
        let mut notes = Vec::new();
        let mut wishes = self.wishes(found, &mut notes);
        if wishes.len() > MOST {
            notes.push(format!(
                "only the first {MOST} of {} failing tests are looked at; --only names others",
                wishes.len()
            ));
            wishes.truncate(MOST);
        }
        self.heal(&wishes, round, notes)
    }

    /// Heals the tests that are named.
    ///
    /// # Errors
    /// A name that no test has, or that several have.
    pub fn heal_named(&self, round: Option<&ModelContext>) -> Result<HealReport, Problem> {
        let read = |path: &str| self.read(path);
        let sources = Sources::new(&self.files, &read);
        let mut wishes = Vec::new();
        for name in &self.only {
            let target = one_by_name(&sources, name)?;
            wishes.push(HealTarget {
                diagnosis: None,
                dialect: None,
                target,
                base: self.base(),
                together: 0,
                passed: None,
            });
        }
        self.heal(&wishes, round, Vec::new())
    }

    fn wishes(&self, found: &Findings, notes: &mut Vec<String>) -> Vec<HealTarget> {
        let read = |path: &str| self.read(path);
        let folder = self.git.prefix();
        let sources = Sources::new(&self.files, &read).below(&folder);
        let default = self.base();
        let mut wishes = Vec::new();
        for diagnosis in found.diagnoses.iter().filter(|d| is_for_healer(d.verdict)) {
            let last_good = diagnosis.past.last_good.as_deref().and_then(|g| self.git.resolve(g));
            let base = self.base.clone().or(last_good).or_else(|| default.clone());
            for member in &diagnosis.members {
                let case = found.case(*member);
                if !self.only.is_empty() && !self.only.iter().any(|o| case.is_called(o)) {
                    continue;
                }
                let Some(target) = test_locator::find(&sources, case) else {
                    notes.push(format!("`{}` is not found in the sources", case.name.name.raw()));
                    continue;
                };
                let dialect = found.runs.get(member.run).map(|r| r.dialect);
                let together = together(found, *member);
                wishes.push(HealTarget {
                    diagnosis: Some(diagnosis.id.clone()),
                    dialect,
                    target,
                    base: base.clone(),
                    together,
                    passed: seen_passing(diagnosis, base.as_deref()),
                });
            }
        }
        wishes
    }

    fn heal(
        &self,
        wishes: &[HealTarget],
        round: Option<&ModelContext>,
        mut notes: Vec<String>,
    ) -> Result<HealReport, Problem> {
        let failing: Vec<(String, Vec<String>)> =
            wishes.iter().map(|w| (w.target.file.clone(), w.target.path.clone())).collect();
        let fails = |file: &str, path: &[String]| failing.iter().any(|(f, p)| f == file && p == path);
        let mut workshop = Sandbox::open(&self.top, &self.policy.run)?;
        let mut changes: BTreeMap<Option<String>, (Vec<FileChange>, Vec<Commit>)> = BTreeMap::new();
        // Repairs of one file build on each other, whatever they are compared with.
        let mut state = BTreeMap::new();
        let mut all = Vec::new();
        let clock = progress::clock();
        let desk = RepoTools::new(round.map(|_| &self.git), &self.head, Vec::new());
        for (at, wish) in wishes.iter().enumerate() {
            if self.seconds.is_some_and(|most| clock() > most) {
                notes.push(format!(
                    "time was up (`heal.max-minutes`) before {} of {} tests",
                    wishes.len() - at,
                    wishes.len()
                ));
                break;
            }
            if shutdown::requested() {
                notes.push(format!("the job was told to end before {} of {} tests", wishes.len() - at, wishes.len()));
                break;
            }
            let (change, commits) =
                changes.entry(wish.base.clone()).or_insert_with(|| self.change(wish.base.as_deref()));
            let read = |path: &str| self.read(path);
            let read_old = |path: &str| self.git.text_at(wish.base.as_deref()?, path);
            let runner =
                |t: &TestSelector| self.runner.or_else(|| recognise(&t.file, wish.dialect, &self.files, &read));
            let mut bench = SandboxRunner::new(&mut workshop, wish.base.clone(), self.head.clone(), &runner);
            let suspects = desk.with(commits.clone());
            let id = wish.diagnosis.as_deref().unwrap_or(&wish.target.name);
            let given = HealInput {
                counsel: round.map(|round| ModelEdits { round, desk: &suspects, id }),
                files: &self.files,
                read: &read,
                read_old: &read_old,
                change,
                commits,
                bounds: self.policy.heal.bounds(),
                kinds: &self.policy.heal.kinds,
                sensitive: &self.policy.heal.sensitive,
                insisted: self.insisted.as_deref(),
                repeat: self.repeat,
                together: wish.together,
                passed: wish.passed.as_deref(),
                fails: &fails,
                clock: &clock,
            };
            let healing = investigate::heal(&wish.target, &given, &mut bench, &mut state);
            all.push(TestHeal { diagnosis: wish.diagnosis.clone(), healing });
        }
        Ok(HealReport { all, notes, base: wishes.first().and_then(|w| w.base.clone()) })
    }

    fn change(&self, base: Option<&str>) -> (Vec<FileChange>, Vec<Commit>) {
        let Some(base) = base else { return Default::default() };
        let commits = self.git.commits(base, &self.head).unwrap_or_default();
        (self.git.change(base, &self.head).unwrap_or_default(), commits)
    }
}

/// Where an earlier run saw the tests of a diagnosis pass on the very commit that
/// the present one is compared with.
fn seen_passing(diagnosis: &Diagnosis, base: Option<&str>) -> Option<String> {
    let good = diagnosis.past.last_good.as_deref()?;
    let short = crate::history::short(good);
    base.is_some_and(|base| base == good).then(|| format!("an earlier run on {short} saw it pass"))
}

/// Other failing tests with the same expected and actual value.
fn together(found: &Findings, member: CaseRef) -> usize {
    let pair = |m: CaseRef| {
        let read = mismatch::read(found.case(m).failure()?)?;
        Some((read.expected.raw().to_owned(), read.actual.raw().to_owned()))
    };
    let Some(own) = pair(member) else { return 0 };
    let members = found.diagnoses.iter().flat_map(|d| &d.members).take(500);
    members.filter(|m| **m != member && pair(**m).as_ref() == Some(&own)).count()
}

/// The one test that a person means by a name.
fn one_by_name(sources: &Sources<'_>, name: &str) -> Result<TestSelector, Problem> {
    let mut found = by_name(sources, name);
    if found.len() == 1 {
        return Ok(found.remove(0));
    }
    let places: Vec<String> = found.iter().take(5).map(|t| format!("{}:{}", t.file, t.line)).collect();
    Err(match places.as_slice() {
        [] => Problem::usage(format!("no test of the repository is called `{name}`"))
            .hint("`FILE::NAME` names one; classes and groups are not taken without a report"),
        _ => Problem::usage(format!("several tests are called `{name}`"))
            .hint(format!("they are at {}; `FILE::NAME` names one", places.join(", "))),
    })
}

/// The tests that a person can mean by a name: `FILE::NAME`, or a name alone.
fn by_name(sources: &Sources<'_>, name: &str) -> Vec<TestSelector> {
    let (file, rest) = name.split_once("::").map_or((None, name), |(file, rest)| (Some(file), rest));
    let own = rest.rsplit("::").next().unwrap_or(rest);
    let files = sources.files.iter().filter(|f| file.is_none_or(|wanted| f.ends_with(wanted)));
    files
        .filter(|f| is_test_path(f) || f.ends_with(".rs"))
        .filter(|f| sources.text(f).is_some_and(|t| t.contains(test_locator::base_name(own))))
        .filter_map(|f| test_locator::in_file(sources, f, "", own))
        .collect()
}
