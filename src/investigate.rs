//! Drives the healer: runs what it asks for, shows it what came of it, and ends
//! with what it proposes and why.

pub mod bisect;
pub mod generate;
mod model_edits;
pub mod model_session;
mod proof;

use std::collections::BTreeMap;

use crate::agent::healer::failure::{self, FailureKind, ParsedFailure};
use crate::agent::healer::propose;
use crate::agent::healer::result::{HealResult, ModelAdvice, Outcome, ProofStep, Timings};
use crate::agent::healer::scoring::{self, Decision, Score};
use crate::agent::healer::{Candidate, Part, Sources, Test, renamed, request, sibling_tests, snapshot};
use crate::code::guards::{self, Bounds, FilePatch};
use crate::code::rust_inline_tests;
use crate::error::Problem;
use crate::ingest::source_location::is_test_path;
use crate::model::change::{Commit, FileChange};
use crate::model::execution::{Execution, Scope, TestResult, TestSelector};
use crate::model::heal::{EditKind, ProofCase};
use crate::model::test::Outcome as Ended;
use crate::pipeline::chain;
use crate::ports::{Revision, TestRunner};

pub use self::model_edits::ModelEdits;

/// Edits that one test may need, one after the other.
const ROUNDS: usize = 8;
/// Candidates that are tried for one failure.
const TRIED: usize = 4;
/// How often the old test is run to see whether it always fails alike.
const REPRODUCED: u32 = 2;

/// What the healer is given besides the test.
pub struct HealInput<'a> {
    /// Files of the tested commit.
    pub files: &'a [String],
    /// Reads one of them.
    pub read: &'a dyn Fn(&str) -> Option<String>,
    /// Reads a file of the code before the change.
    pub read_old: &'a dyn Fn(&str) -> Option<String>,
    /// What changed between the last good and the tested commit.
    pub change: &'a [FileChange],
    /// Its commits.
    pub commits: &'a [Commit],
    /// Bounds for patches.
    pub bounds: Bounds,
    /// Kinds of edits that are allowed.
    pub kinds: &'a [EditKind],
    /// Words of fields that are left to a person.
    pub sensitive: &'a [String],
    /// Who answers for it that the test is outdated, whatever speaks against it.
    pub insisted: Option<&'a str>,
    /// How often the healed test must pass.
    pub repeat: u32,
    /// Other failing tests with the same old and new value.
    pub together: usize,
    /// That the test passed on the code before the change, as an earlier run saw it.
    pub passed: Option<&'a str>,
    /// Whether a test (file, names) is among the failing ones.
    pub fails: &'a dyn Fn(&str, &[String]) -> bool,
    /// Seconds since some moment, to tell how long the phases took.
    pub clock: &'a dyn Fn() -> f64,
    /// A model that is asked where no rule knows an edit.
    pub counsel: Option<ModelEdits<'a>>,
}

/// Tries to repair one test. `state` holds files that were repaired before; what
/// is repaired here is added to it.
pub fn heal(
    target: &TestSelector,
    given: &HealInput<'_>,
    bench: &mut dyn TestRunner,
    state: &mut BTreeMap<String, String>,
) -> HealResult {
    let mut session = HealRun { target, given, bench, name: None, proof: Vec::new(), phases: Timings::default() };
    match session.run(state) {
        Ok(mut done) => {
            done.phases = session.phases;
            if matches!(done.outcome, Outcome::Healed | Outcome::Suggested) {
                for file in &done.patch {
                    state.insert(file.path.clone(), file.new.clone().unwrap_or_default());
                }
            }
            done
        }
        Err(problem) => {
            let mut done = HealResult::new(target, Outcome::GaveUp(chain(&problem)));
            done.proof = session.proof;
            done.phases = session.phases;
            done
        }
    }
}

struct HealRun<'a> {
    target: &'a TestSelector,
    given: &'a HealInput<'a>,
    bench: &'a mut dyn TestRunner,
    /// The name under which the runner reports the test, once it was seen.
    name: Option<String>,
    proof: Vec<ProofStep>,
    phases: Timings,
}

/// Texts of files that differ from what is checked out.
type Overlay = BTreeMap<String, String>;

impl HealRun<'_> {
    fn run(&mut self, state: &BTreeMap<String, String>) -> Result<HealResult, Problem> {
        let begun = (self.given.clock)();
        let reproduced = self.reproduce(state);
        self.phases.reproduce = (self.given.clock)() - begun;
        let (failure, repeated) = match reproduced? {
            Ok(found) => found,
            Err(done) => return Ok(*done),
        };
        let passed_before = self.before()?;
        if passed_before == Some(false) {
            let why = "the test fails on the code before the change as well: this change is not to blame";
            let mut done = HealResult::new(self.target, Outcome::GaveUp(why.to_owned()));
            done.proof = std::mem::take(&mut self.proof);
            return Ok(done);
        }
        self.phases.reproduce = (self.given.clock)() - begun;
        let begun = (self.given.clock)();
        let tried = self.search(&failure, state, passed_before, repeated)?;
        let tried = self.advised(&failure, tried, passed_before, repeated)?;
        self.phases.edit = (self.given.clock)() - begun;
        let begun = (self.given.clock)();
        let done = self.conclude(tried);
        self.phases.proof = (self.given.clock)() - begun;
        done
    }

    fn execute(&mut self, code: Revision, extent: Scope, overlay: &Overlay) -> Result<Execution, Problem> {
        let files: Vec<(String, String)> = overlay.iter().map(|(p, t)| (p.clone(), self.laid(code, p, t))).collect();
        self.bench.run(code, self.target, extent, &files)
    }

    /// A text as it is laid over one of the two codes: of a product file with tests
    /// in it only the tests.
    fn laid(&self, code: Revision, path: &str, text: &str) -> String {
        let old = (code == Revision::Base).then(|| (self.given.read_old)(path)).flatten();
        old.and_then(|old| rust_inline_tests::with_tests_from(path, &old, text)).unwrap_or_else(|| text.to_owned())
    }

    fn note(&mut self, corner: ProofCase, extent: Scope, execution: &Execution, times: u32) {
        let outcome = self.word(execution);
        let holds = outcome == if corner.must_pass() { "passed" } else { "failed" };
        let other = || execution.ran.iter().find(|r| r.outcome.is_bad()).map(|r| r.name.name.raw().to_owned());
        let note = execution.trouble.clone().or_else(|| match (outcome, execution.failed()) {
            ("not-run", true) => other().map(|name| format!("the test did not run, `{name}` failed")),
            _ => None,
        });
        self.proof.push(ProofStep { corner, extent, outcome, times, holds, note });
    }

    /// `passed`, `failed` or `not-run`. Code that cannot be built or loaded fails
    /// under another name than the test's: that is no failure of the test.
    fn word(&self, execution: &Execution) -> &'static str {
        // A row's name may hold the value that was healed; what could not even start
        // is an error under a name of its own.
        let named = |r: &TestResult| self.name.as_ref().is_none_or(|name| r.name.name.raw() == name);
        let own = |r: &TestResult| r.outcome == Ended::Failed || named(r);
        let bad = execution.ran.iter().any(|r| r.outcome.is_bad() && own(r));
        if execution.failed() && !bad { "not-run" } else { execution.word() }
    }

    /// Sees the test fail, twice alike.
    fn reproduce(&mut self, state: &Overlay) -> Result<Result<(TestResult, u32), Box<HealResult>>, Problem> {
        let first = self.execute(Revision::New, Scope::Alone, state)?;
        let gave_up = |why: String, proof: &[ProofStep]| {
            let mut done = HealResult::new(self.target, Outcome::GaveUp(why));
            done.proof = proof.to_vec();
            Ok(Err(Box::new(done)))
        };
        if first.passed() {
            return gave_up("the test passes on this commit: there is nothing to repair".to_owned(), &[]);
        }
        let Some(ran) = self.failing(&first) else {
            let why = first.trouble.unwrap_or_else(|| "it did not run".to_owned());
            return gave_up(format!("the test cannot be run: {why}\n{}", first.output), &[]);
        };
        let second = self.execute(Revision::New, Scope::Alone, state)?;
        let same = self.failing(&second).is_some_and(|again| same_failure(&ran, &again));
        if !same {
            return gave_up(
                "the test does not fail the same way each time: it is unstable, not outdated".to_owned(),
                &[],
            );
        }
        self.name = Some(ran.name.name.raw().to_owned());
        self.note(ProofCase::OldOnNew, Scope::Alone, &first, REPRODUCED);
        Ok(Ok((ran, REPRODUCED)))
    }

    /// The case of an execution that stands for the failure.
    fn failing(&self, execution: &Execution) -> Option<TestResult> {
        let bad = || execution.ran.iter().filter(|r| r.outcome.is_bad());
        let named = bad().find(|r| r.name.name.raw() == self.target.name);
        // A test with tests below it fails because one of them does.
        let below = |ran: &TestResult| {
            let begin = format!("{}/", ran.name.name.raw());
            bad()
                .filter(|r| r.name.name.raw().starts_with(&begin))
                .max_by_key(|r| r.name.name.raw().matches('/').count())
        };
        let deepest = || bad().max_by_key(|r| r.name.name.raw().matches('/').count());
        named.map(|ran| below(ran).unwrap_or(ran)).or_else(deepest).cloned()
    }

    /// Whether the test passes on the code before the change.
    fn before(&mut self) -> Result<Option<bool>, Problem> {
        if !self.bench.has_old() {
            return Ok(None);
        }
        let Some(text) = (self.given.read)(&self.target.file) else { return Ok(None) };
        let overlay = Overlay::from([(self.target.file.clone(), text)]);
        let execution = self.execute(Revision::Base, Scope::Alone, &overlay)?;
        let word = self.word(&execution);
        if let Some(seen) = self.given.passed.filter(|_| word == "not-run") {
            // What was seen then counts; that it was not seen now is said.
            let note = format!(
                "{seen}; now it cannot be run: {}",
                execution.trouble.as_deref().unwrap_or("no reason is told")
            );
            let cell = ProofStep {
                corner: ProofCase::OldOnOld,
                extent: Scope::Alone,
                outcome: "passed",
                times: 1,
                holds: true,
                note: Some(note),
            };
            self.proof.push(cell);
            return Ok(Some(true));
        }
        self.note(ProofCase::OldOnOld, Scope::Alone, &execution, 1);
        Ok(match word {
            "passed" => Some(true),
            "failed" => Some(false),
            _ => None,
        })
    }

    /// Looks for edits until the test passes.
    fn search(
        &mut self,
        failure: &TestResult,
        state: &Overlay,
        passed_before: Option<bool>,
        repeated: u32,
    ) -> Result<EditSearch, Problem> {
        let first_clash = failure::read(failure);
        let mut tried = EditSearch { overlay: state.clone(), ..EditSearch::default() };
        let mut ran = failure.clone();
        for round in 0..ROUNDS {
            let Some(clash) = failure::read(&ran) else { break };
            let candidates = self.candidates(&clash, &tried.overlay);
            let judged: Vec<(Candidate, Score)> = candidates
                .into_iter()
                .map(|c| {
                    let weighed = self.weigh(&c.parts, &c, &clash.text, passed_before, repeated, &tried.overlay);
                    (c, weighed)
                })
                .collect();
            let mut sorted: Vec<&(Candidate, Score)> = judged.iter().collect();
            sorted.sort_by(|a, b| {
                (b.1.veto.is_none(), b.1.score)
                    .partial_cmp(&(a.1.veto.is_none(), a.1.score))
                    .unwrap_or(std::cmp::Ordering::Equal)
            });
            if round == 0 {
                tried.best = sorted.first().map(|(c, w)| (c.parts.clone(), w.clone()));
            }
            let mut next = None;
            for (candidate, weighed) in sorted.into_iter().take(TRIED) {
                if weighed.band == Decision::Defect || !self.is_allowed(candidate) {
                    continue;
                }
                let Some(overlay) = self.applied(candidate, &tried.overlay) else { continue };
                let execution = self.execute(Revision::New, Scope::Alone, &overlay)?;
                let moved = self.failing(&execution).is_some_and(|again| !same_failure(&ran, &again));
                if execution.passed() || moved {
                    tried.parts.extend(candidate.parts.iter().cloned());
                    tried.path.clone_from(&candidate.path);
                    tried.overlay = overlay;
                    tried.passes = execution.passed();
                    next = self.failing(&execution);
                    tried.alone = Some(execution);
                    break;
                }
            }
            if round == 0 && next.is_none() && !tried.passes {
                self.by_snapshot(&clash, &mut tried, passed_before, repeated)?;
            }
            match next {
                _ if tried.passes => break,
                Some(again) => ran = again,
                None => break,
            }
        }
        if let (None, Some(clash), Some(true)) = (&tried.best, &first_clash, passed_before) {
            tried.without_edit = without_edit(clash, self.given.change);
        }
        if let (true, Some(clash)) = (tried.passes, &first_clash) {
            let whole = Candidate { path: tried.path.clone(), edits: Vec::new(), parts: tried.parts.clone() };
            tried.weighed = Some(self.weigh(&tried.parts, &whole, &clash.text, passed_before, repeated, state));
        }
        tried.state.clone_from(state);
        Ok(tried)
    }

    /// Has the framework bring its snapshots up to date, and weighs what it changed.
    fn by_snapshot(
        &mut self,
        clash: &ParsedFailure,
        tried: &mut EditSearch,
        passed_before: Option<bool>,
        repeated: u32,
    ) -> Result<(), Problem> {
        if !snapshot::is_snapshot(&clash.text) || !self.given.kinds.contains(&EditKind::Snapshot) {
            return Ok(());
        }
        let laid: Vec<(String, String)> = tried.overlay.iter().map(|(p, t)| (p.clone(), t.clone())).collect();
        let changed = self.bench.update(self.target, &laid)?;
        let mut overlay = tried.overlay.clone();
        let mut parts = Vec::new();
        for (path, new) in changed {
            let old = overlay.get(&path).cloned().or_else(|| (self.given.read)(&path));
            // A file that the framework made is no snapshot that was there.
            let Some(found) = old.and_then(|old| snapshot::parts(&old, &new)) else { return Ok(()) };
            parts.extend(found);
            tried.path.clone_from(&path);
            overlay.insert(path, new);
        }
        if parts.is_empty() || parts.len() > snapshot::PARTS {
            return Ok(());
        }
        let candidate = Candidate { path: tried.path.clone(), edits: Vec::new(), parts };
        let weighed = self.weigh(&candidate.parts, &candidate, &clash.text, passed_before, repeated, &tried.overlay);
        let defect = weighed.band == Decision::Defect;
        tried.best.get_or_insert_with(|| (candidate.parts.clone(), weighed));
        if !defect {
            let execution = self.execute(Revision::New, Scope::Alone, &overlay)?;
            tried.passes = execution.passed();
            tried.alone = Some(execution);
            tried.parts = candidate.parts;
            tried.overlay = overlay;
        }
        Ok(())
    }

    fn is_allowed(&self, candidate: &Candidate) -> bool {
        candidate.parts.iter().all(|p| self.given.kinds.contains(&p.kind))
    }

    fn applied(&self, candidate: &Candidate, overlay: &Overlay) -> Option<Overlay> {
        let text = overlay.get(&candidate.path).cloned().or_else(|| (self.given.read)(&candidate.path))?;
        let mut next = overlay.clone();
        next.insert(candidate.path.clone(), candidate.applied(&text)?);
        Some(next)
    }

    fn candidates(&self, clash: &ParsedFailure, overlay: &Overlay) -> Vec<Candidate> {
        let read = |path: &str| overlay.get(path).cloned().or_else(|| (self.given.read)(path));
        let sources = Sources::new(self.given.files, &read);
        let test = Test {
            sources: &sources,
            file: &self.target.file,
            path: &self.target.path,
            name: &self.target.name,
            clash,
            change: self.given.change,
        };
        let mut found = renamed::candidates(&test);
        found.extend(request::paths(&test));
        found.extend(propose::candidates(&test));
        found.extend(request::payloads(&test));
        found
    }

    fn weigh(
        &self,
        parts: &[Part],
        candidate: &Candidate,
        text: &str,
        passed_before: Option<bool>,
        repeated: u32,
        overlay: &Overlay,
    ) -> Score {
        let read = |path: &str| overlay.get(path).cloned().or_else(|| (self.given.read)(path));
        let sources = Sources::new(self.given.files, &read);
        let contradicting: Vec<String> = parts
            .iter()
            .flat_map(|p| sibling_tests::contradicting(&sources, self.target, p, self.given.fails))
            .collect();
        let promise = sibling_tests::promise(&sources, self.target, self.given.read_old);
        scoring::score(&scoring::ScoringInput {
            promise: promise.as_ref(),
            candidate,
            change: self.given.change,
            commits: self.given.commits,
            text,
            passed_before,
            repeated,
            together: self.given.together,
            contradicting: &contradicting,
            sensitive: self.given.sensitive,
            insisted: self.given.insisted,
        })
    }

    /// Decides what is to be done, and proves it.
    fn conclude(&mut self, tried: EditSearch) -> Result<HealResult, Problem> {
        let mut done = HealResult::new(self.target, Outcome::Defect);
        done.advice = tried.advice;
        if !tried.passes {
            if let Some((parts, weighed)) = tried.best {
                done.outcome = match weighed.band {
                    Decision::Defect => Outcome::Defect,
                    _ => Outcome::GaveUp("no edit that was tried makes the test pass".to_owned()),
                };
                done.parts = parts;
                done.weighed = Some(weighed);
            } else if let Some(weighed) = tried.without_edit {
                done.weighed = Some(weighed);
            } else {
                done.outcome = Outcome::GaveUp("no rule knows an edit for this failure".to_owned());
            }
            done.proof = std::mem::take(&mut self.proof);
            return Ok(done);
        }
        done.parts = tried.parts;
        done.patch = patch(&tried.overlay, &tried.state, self.given.read);
        done.findings = guards::check(&done.patch, &self.given.bounds);
        let weighed = tried.weighed;
        let band = weighed.as_ref().map_or(Decision::Ask, |w| w.band);
        done.weighed = weighed;
        if !done.findings.is_empty() {
            done.outcome = Outcome::GaveUp("the guards object to the edit".to_owned());
        } else if band == Decision::Defect {
            done.outcome = Outcome::Defect;
        } else {
            let all = self.prove(&done.parts, &tried.overlay, &tried.state, (tried.alone, done.advice.is_some()))?;
            done.outcome = match band {
                _ if done.advice.is_some() => model_edits::outcome(&done, band, all, &self.proof),
                Decision::Heal if all => Outcome::Healed,
                Decision::Heal => Outcome::Suggested,
                _ => Outcome::Ask,
            };
            let unstable = self.proof.iter().any(|c| c.corner == ProofCase::NewOnNew && !c.holds);
            if unstable {
                done.outcome = Outcome::GaveUp("the edited test does not pass each time".to_owned());
            }
        }
        done.proof = std::mem::take(&mut self.proof);
        Ok(done)
    }
}

/// What the search found.
#[derive(Default)]
struct EditSearch {
    overlay: Overlay,
    state: Overlay,
    path: String,
    parts: Vec<Part>,
    passes: bool,
    weighed: Option<Score>,
    best: Option<(Vec<Part>, Score)>,
    /// The reading of a failure that no edit but a weaker one could answer.
    without_edit: Option<Score>,
    /// What a model says about the edit that it proposed.
    advice: Option<ModelAdvice>,
    /// How the edited test ran by itself.
    alone: Option<Execution>,
}

/// What a failure means that began with the change and that only a weaker test
/// would not show: something is gone, or an exception comes where none came.
fn without_edit(clash: &ParsedFailure, change: &[FileChange]) -> Option<Score> {
    let veto = match &clash.what {
        FailureKind::Missing { name } => {
            let gone =
                change.iter().find(|f| !is_test_path(&f.path) && f.removed.iter().any(|l| l.contains(name.as_str())));
            let by = gone.map_or_else(String::new, |f| format!(" ({} takes it out)", f.path));
            format!("`{name}` is not there any more{by} and nothing took its place: only a weaker test would pass")
        }
        FailureKind::Raised { message } if !message.is_empty() => {
            format!("an exception comes where none came before the change: {message}")
        }
        _ => return None,
    };
    Some(Score { band: Decision::Defect, score: scoring::PRIOR, reasons: Vec::new(), veto: Some(veto) })
}

/// Whether two failures are the same: masked message and place.
fn same_failure(a: &TestResult, b: &TestResult) -> bool {
    let (Some(a), Some(b)) = (failure::read(a), failure::read(b)) else { return false };
    a.what.same(&b.what) && a.places.first() == b.places.first()
}

/// What the overlay changes against what was there before.
fn patch(overlay: &Overlay, state: &Overlay, read: &dyn Fn(&str) -> Option<String>) -> Vec<FilePatch> {
    overlay
        .iter()
        .filter(|(path, text)| state.get(*path) != Some(text))
        .filter_map(|(path, text)| {
            let old = state.get(path).cloned().or_else(|| read(path));
            (old.as_deref() != Some(text)).then(|| FilePatch {
                path: path.clone(),
                old,
                new: Some(text.clone()),
                ..FilePatch::default()
            })
        })
        .collect()
}
