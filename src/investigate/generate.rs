//! Drives the generator: sends what its drafts ask, settles what they check, and keeps
//! of the tests those that pass each time and notice a mutant of an answer.

use std::collections::{BTreeMap, BTreeSet};

use crate::agent::generator::assertion_inference::infer_assertions;
use crate::agent::generator::{GeneratedTest, GenerationResult, RejectedTest, TestDraft};
use crate::code::guards::{self, Bounds, FilePatch};
use crate::code::language::Language;
use crate::code::style::file::Kept;
use crate::code::style::{self, NewTest, Written, file};
use crate::error::Problem;
use crate::model::exchange::Exchange;
use crate::model::execution::{Execution, TestResult};
use crate::model::mutant::Mutant;
use crate::model::test::Outcome;
use crate::ports::{GeneratedRun, GeneratedTestRunner, Mutants, RunOrder};
use crate::traffic::api_model::ApiModel;

/// How often the requests of drafts are sent before it is settled what is checked.
const PROBES: u32 = 3;
/// Rounds of proof: what turns out not to be stable is dropped, and the rest proven anew.
const ROUNDS: usize = 3;
/// Mutants that one test is shown.
const MUTANTS: usize = 16;

/// What the generator is given.
pub struct TestgenInput<'a> {
    /// Everything that is known of answers.
    pub memory: &'a ApiModel,
    /// The folder for tests like those of a file.
    pub folder: &'a dyn Fn(&str) -> String,
    /// Reads a file of the repository.
    pub read: &'a dyn Fn(&str) -> Option<String>,
    /// Whether a file that is not there was, and a person deleted it.
    pub deleted: &'a dyn Fn(&str) -> bool,
    /// Where written tests may stand.
    pub bounds: &'a Bounds,
    /// How often a test must pass shuffled.
    pub repeat: u32,
    /// Where the order of tests begins to vary.
    pub seed: u64,
}

/// A draft on its way.
struct Work {
    draft: TestDraft,
    file: String,
    written: Written,
    /// The name that recorders give it; known once it ran.
    node: String,
    /// Its exchanges, run by run.
    observed: Vec<Vec<Exchange>>,
    test: NewTest,
    passes: (u32, u32, u32),
}

/// Writes the tests that drafts stand for, and proves them.
///
/// # Errors
/// Where tests cannot be run at all.
pub fn generate(
    drafts: Vec<TestDraft>,
    given: &TestgenInput<'_>,
    stage: &mut dyn GeneratedTestRunner,
) -> Result<GenerationResult, Problem> {
    let mut session = HealRun { given, stage, out: GenerationResult::default() };
    let mut works = session.begin(drafts);
    if works.is_empty() {
        return Ok(session.out);
    }
    works = session.probe(works)?;
    works = session.prove(works)?;
    session.mutate(works)?;
    session.write();
    session.confirm()?;
    Ok(session.out)
}

struct HealRun<'a, 'b> {
    given: &'a TestgenInput<'a>,
    stage: &'b mut dyn GeneratedTestRunner,
    out: GenerationResult,
}

impl HealRun<'_, '_> {
    fn drop_it(&mut self, draft: TestDraft, why: impl Into<String>) {
        self.out.dropped.push((draft, RejectedTest::Because(why.into())));
    }

    /// Writes each draft as a test that only asks.
    fn begin(&mut self, drafts: Vec<TestDraft>) -> Vec<Work> {
        let mut works = Vec::new();
        let mut names = BTreeSet::new();
        for draft in drafts {
            let folder = (self.given.folder)(&draft.exemplar.file);
            let path = path_of(&draft, &folder);
            let test = draft.bare();
            let Some(written) = draft.exemplar.write(&test, &folder) else {
                self.drop_it(draft, "it cannot be written like the tests that are there");
                continue;
            };
            if !names.insert((path.clone(), written.name.clone())) {
                continue;
            }
            let (node, observed, passes) = (String::new(), Vec::new(), (0, 0, 0));
            works.push(Work { draft, file: path, written, node, observed, test, passes });
        }
        works
    }

    /// Sends the requests of all drafts, and settles what each checks.
    fn probe(&mut self, mut works: Vec<Work>) -> Result<Vec<Work>, Problem> {
        for round in 0..PROBES {
            let staged = self.run(&works, RunOrder::InOrder)?;
            let mut kept = Vec::new();
            for mut work in works {
                match ended(&staged.execution.ran, &work.written.name, &work.file) {
                    Some(Outcome::Passed) => {
                        observe(&mut work, &staged.exchanges);
                        kept.push(work);
                    }
                    Some(_) => self.drop_it(work.draft, "its requests cannot be sent like that"),
                    None if round == 0 => {
                        self.drop_it(work.draft, not_run(&staged.execution));
                    }
                    None => self.drop_it(work.draft, "it was run once and not again"),
                }
            }
            works = kept;
            if works.is_empty() {
                break;
            }
        }
        Ok(self.settle(works))
    }

    fn settle(&mut self, works: Vec<Work>) -> Vec<Work> {
        let mut kept = Vec::new();
        for mut work in works {
            let folder = (self.given.folder)(&work.draft.exemplar.file);
            match infer_assertions(&work.draft, &work.observed, self.given.memory) {
                Ok(test) => match work.draft.exemplar.write(&test, &folder) {
                    Some(written) => {
                        (work.test, work.written) = (test, written);
                        kept.push(work);
                    }
                    None => self.drop_it(work.draft, "it cannot be written like the tests that are there"),
                },
                Err(why) => self.out.dropped.push((work.draft, why)),
            }
        }
        kept
    }

    /// Runs the tests in order, shuffled and alone. A check that was not stable goes,
    /// and what is left of its test is proven anew.
    fn prove(&mut self, works: Vec<Work>) -> Result<Vec<Work>, Problem> {
        let (mut open, mut proven) = (works, Vec::new());
        for _ in 0..ROUNDS {
            if open.is_empty() {
                break;
            }
            let failed = self.prove_once(&mut open)?;
            let mut bad = Vec::new();
            for (index, work) in open.into_iter().enumerate() {
                if failed.contains(&index) { bad.push(work) } else { proven.push(work) }
            }
            let before: Vec<NewTest> = bad.iter().map(|work| work.test.clone()).collect();
            open = self.settle_some(bad, &before);
        }
        for work in open {
            self.drop_it(work.draft, "it does not pass each time, whatever it checks");
        }
        Ok(proven)
    }

    /// Which of some tests did not pass each time.
    fn prove_once(&mut self, works: &mut [Work]) -> Result<BTreeSet<usize>, Problem> {
        let mut failed: BTreeSet<usize> = BTreeSet::new();
        for work in works.iter_mut() {
            work.passes = (0, 0, 0);
        }
        let repeat = self.given.repeat;
        for (how, times) in
            [(RunOrder::InOrder, 1), (RunOrder::InOrder, 1), (RunOrder::Shuffled(self.given.seed, repeat), repeat)]
        {
            let staged = self.run(works, how)?;
            for (index, work) in works.iter_mut().enumerate() {
                observe(work, &staged.exchanges);
                match (ended(&staged.execution.ran, &work.written.name, &work.file), how) {
                    (Some(Outcome::Passed), RunOrder::InOrder) => work.passes.0 += times,
                    (Some(Outcome::Passed), _) => work.passes.1 += times,
                    _ => {
                        failed.insert(index);
                    }
                }
            }
        }
        for index in (0..works.len()).filter(|index| !failed.contains(index)).collect::<Vec<_>>() {
            let node = works[index].node.clone();
            let staged = self.run(&works[index..=index], RunOrder::Alone(&node))?;
            match ended(&staged.execution.ran, &works[index].written.name, &works[index].file) {
                Some(Outcome::Passed) => works[index].passes.2 += 1,
                _ => {
                    failed.insert(index);
                }
            }
        }
        Ok(failed)
    }

    /// Settles tests anew that failed; one that comes out as it was is not stable.
    fn settle_some(&mut self, works: Vec<Work>, before: &[NewTest]) -> Vec<Work> {
        let settled = self.settle(works);
        let mut kept = Vec::new();
        for work in settled {
            if before.contains(&work.test) {
                self.drop_it(work.draft, "it does not pass each time, whatever it checks");
            } else {
                kept.push(work);
            }
        }
        kept
    }

    /// Shows each test the mutants of the answers that it checks.
    fn mutate(&mut self, works: Vec<Work>) -> Result<(), Problem> {
        if works.is_empty() {
            return Ok(());
        }
        let wanted: Mutants = works.iter().map(|work| (work.node.clone(), mutants(work))).collect();
        let noticed = self.stage.noticed(&files(&works, self.given), &wanted)?;
        for work in works {
            let shown = wanted.get(&work.node).cloned().unwrap_or_default();
            let seen = noticed.get(&work.node).cloned().unwrap_or_default();
            let mutants: Vec<(Mutant, bool)> = shown.into_iter().zip(seen).collect();
            if !mutants.iter().any(|(_, noticed)| *noticed) {
                self.drop_it(work.draft, "no mutant of the answer makes it fail");
                continue;
            }
            let Work { draft, file, written, test, passes, .. } = work;
            self.out.made.push(GeneratedTest {
                draft,
                test,
                name: written.name.clone(),
                file,
                passes,
                mutants,
                kept: Kept::Added,
            });
        }
        Ok(())
    }

    /// Puts the tests into their files, beside what stands there.
    fn write(&mut self) {
        let mut by_file: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (at, made) in self.out.made.iter().enumerate() {
            by_file.entry(made.file.clone()).or_default().push(at);
        }
        let (mut files, mut packages) = (Vec::new(), BTreeSet::new());
        for (path, own) in by_file {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let old = (self.given.read)(&path);
            if old.is_none() && (self.given.deleted)(&path) {
                for at in own {
                    self.out.made[at].kept = Kept::Deleted;
                }
                continue;
            }
            let write = |at: &usize| {
                let made = &self.out.made[*at];
                Some((*at, made.draft.exemplar.write(&made.test, folder)?))
            };
            let (places, written): (Vec<usize>, Vec<Written>) = own.iter().filter_map(write).unzip();
            let first = &self.out.made[own[0]].draft;
            let (endpoint, language) = (first.endpoint.to_string(), first.exemplar.language());
            let Some((new, kept)) = file::update(language, &path, old.as_deref(), &endpoint, &written) else {
                continue;
            };
            if old.as_deref() != Some(&new) {
                packages.extend(package(self.given, first, folder));
                files.push((path, old, new));
            }
            for (at, what) in places.into_iter().zip(kept) {
                self.out.made[at].kept = what;
            }
        }
        files.retain(|(path, old, new)| {
            let patch =
                FilePatch { path: path.clone(), old: old.clone(), new: Some(new.clone()), ..FilePatch::default() };
            let found = guards::check(&[patch], self.given.bounds);
            let is_fine = found.is_empty();
            self.out.refused.extend(found);
            is_fine
        });
        for path in packages.into_iter().filter(|p| (self.given.read)(p).is_none()) {
            files.push((path, None, String::new()));
        }
        self.out.files = files;
        let refused: Vec<String> = self.out.refused.iter().map(|finding| finding.path.clone()).collect();
        self.out.made.retain(|made| !refused.contains(&made.file));
    }

    /// Runs the files as they will stand: beside what people wrote, tests must pass too.
    fn confirm(&mut self) -> Result<(), Problem> {
        if self.out.files.iter().all(|(_, old, _)| old.is_none()) {
            return Ok(());
        }
        let whole: Vec<(String, String)> =
            self.out.files.iter().map(|(path, _, new)| (path.clone(), new.clone())).collect();
        let staged = self.stage.run(&whole, RunOrder::InOrder)?;
        let passes =
            |made: &GeneratedTest| ended(&staged.execution.ran, &made.name, &made.file) == Some(Outcome::Passed);
        let bad: BTreeSet<String> =
            self.out.made.iter().filter(|made| !passes(made)).map(|made| made.file.clone()).collect();
        let is_there = |file: &String| self.out.files.iter().any(|(path, ..)| path == file);
        let bad: BTreeSet<String> = bad.into_iter().filter(is_there).collect();
        for made in std::mem::take(&mut self.out.made) {
            if bad.contains(&made.file) {
                self.drop_it(made.draft, "it does not pass in the file that is there");
            } else {
                self.out.made.push(made);
            }
        }
        self.out.files.retain(|(path, ..)| !bad.contains(path));
        Ok(())
    }

    fn run(&mut self, works: &[Work], how: RunOrder<'_>) -> Result<GeneratedRun, Problem> {
        self.stage.run(&files(works, self.given), how)
    }
}

/// The file in `folder` that a draft's test goes to.
#[must_use]
pub fn path_of(draft: &TestDraft, folder: &str) -> String {
    let words = style::words(&draft.endpoint.method, &draft.endpoint.template);
    join(folder, &style::file_name(draft.exemplar.language(), &words))
}

/// `__init__.py`, where the tests beside are a package: dots lead through it.
fn package(given: &TestgenInput<'_>, draft: &TestDraft, folder: &str) -> Option<String> {
    let beside = draft.exemplar.file.rsplit_once('/').map_or("", |(folder, _)| folder);
    let is_package = (given.read)(&join(beside, "__init__.py")).is_some();
    let is_python = draft.exemplar.language() == Language::Python;
    (is_python && is_package && folder != beside && folder.starts_with(beside)).then(|| join(folder, "__init__.py"))
}

/// The files of all tests, written anew.
fn files(works: &[Work], given: &TestgenInput<'_>) -> Vec<(String, String)> {
    let mut by_file: BTreeMap<&str, Vec<&Work>> = BTreeMap::new();
    for work in works {
        by_file.entry(&work.file).or_default().push(work);
    }
    let mut out: BTreeMap<String, String> = BTreeMap::new();
    for (path, own) in by_file {
        let written: Vec<Written> = own.iter().map(|w| w.written.clone()).collect();
        let first = &own[0].draft;
        let text = file::update(first.exemplar.language(), path, None, &first.endpoint.to_string(), &written);
        out.extend(text.map(|(text, _)| (path.to_owned(), text)));
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        out.extend(package(given, first, folder).map(|path| (path, String::new())));
    }
    out.into_iter().collect()
}

/// Why nothing was run: the end of what the runner printed tells it best.
fn not_run(execution: &Execution) -> String {
    let why = execution.trouble.as_deref().unwrap_or("the runner did not run it");
    let lines: Vec<&str> = execution.output.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    let end = lines[lines.len().saturating_sub(3)..].join(" | ");
    if end.is_empty() { why.to_owned() } else { format!("{why}: {end}") }
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// How a test ended.
fn ended(ran: &[TestResult], name: &str, file: &str) -> Option<Outcome> {
    let stem = file.rsplit('/').next().and_then(|f| f.split('.').next()).unwrap_or("");
    let names_file = file.ends_with(".py") || file.ends_with(".java");
    let is_it = |r: &&TestResult| {
        r.name.name.raw().trim_end_matches("()") == name && (r.name.classname.raw().contains(stem) || !names_file)
    };
    let own: Vec<&TestResult> = ran.iter().filter(is_it).collect();
    // Of several runs the worst counts.
    let bad = own.iter().find(|r| r.outcome.is_bad() || r.flaky).map(|_| Outcome::Failed);
    bad.or_else(|| own.first().map(|r| r.outcome))
}

/// Takes in what a test sent in one run.
fn observe(work: &mut Work, exchanges: &[Exchange]) {
    let is_own = |test: &str| {
        if !work.node.is_empty() {
            return test == work.node;
        }
        let file = test.split("::").next().unwrap_or("");
        work.file.ends_with(file) && test.rsplit("::").next() == Some(work.written.name.as_str())
    };
    let own: Vec<Exchange> = exchanges.iter().filter(|e| e.test.as_deref().is_some_and(is_own)).cloned().collect();
    if let Some(test) = own.first().and_then(|e| e.test.clone()) {
        work.node = test;
    }
    // Run several times in one go, it sent so many times as much.
    let each = work.observed.first().map_or(own.len(), Vec::len);
    if each > 0 && own.len() > each && own.len().is_multiple_of(each) {
        work.observed.extend(own.chunks(each).map(<[Exchange]>::to_vec));
    } else {
        work.observed.push(own);
    }
}

/// The mutants of what a test checks, each once.
fn mutants(work: &Work) -> Vec<Mutant> {
    let sent = work.observed.first().map_or(0, Vec::len);
    let first = sent.saturating_sub(work.test.asks.len());
    let all: BTreeSet<Mutant> = work.test.checks.iter().flat_map(|(at, check)| check.mutants(first + at)).collect();
    all.into_iter().take(MUTANTS).collect()
}

#[cfg(test)]
mod tests;
