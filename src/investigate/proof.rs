//! Runs the corners of the proof that are open once an edit makes its test pass.

use super::{HealRun, Overlay};
use crate::agent::healer::failure::{self, FailureKind};
use crate::agent::healer::result::{ProofStep, missing};
use crate::agent::healer::{Part, mutant};
use crate::error::Problem;
use crate::model::execution::{Execution, Scope, TestResult};
use crate::model::heal::ProofCase;
use crate::ports::Revision;

impl HealRun<'_> {
    /// The corners that are still open. Whether all four hold.
    pub(super) fn prove(
        &mut self,
        parts: &[Part],
        overlay: &Overlay,
        state: &Overlay,
        (alone, is_advised): (Option<Execution>, bool),
    ) -> Result<bool, Problem> {
        // It was seen to pass when the edit was found.
        let alone = alone.map_or_else(|| self.execute(Revision::New, Scope::Alone, overlay), Ok)?;
        self.note(ProofCase::NewOnNew, Scope::Alone, &alone, 1);
        self.with_neighbours(overlay, state)?;
        let mut ran = false;
        if self.bench.has_old() {
            let execution = self.execute(Revision::Base, Scope::Alone, overlay)?;
            self.note(ProofCase::NewOnOld, Scope::Alone, &execution, 1);
            // An edit of somebody else's must not fail there for a reason of its own.
            let is_checked = !is_advised || self.failing(&execution).as_ref().is_some_and(is_assertion);
            if let Some(cell) = self.proof.last_mut().filter(|cell| cell.holds && !is_checked) {
                cell.holds = false;
                cell.note = Some("it fails there before it checks anything".to_owned());
            }
            ran = self.word(&execution) != "not-run";
        }
        if !ran {
            self.mutant(parts, overlay, state)?;
        }
        Ok(missing(&self.proof).is_empty())
    }

    /// Where the code before the change cannot be run: the healed test must fail on
    /// another value than the one that came.
    fn mutant(&mut self, parts: &[Part], overlay: &Overlay, state: &Overlay) -> Result<(), Problem> {
        let mutants =
            overlay.iter().filter(|(path, text)| state.get(*path) != Some(text)).filter_map(|(path, text)| {
                let old = state.get(path).cloned().or_else(|| (self.given.read)(path))?;
                Some((path.clone(), mutant::mutated(path, &old, text, parts)?))
            });
        let Some((path, text)) = mutants.into_iter().next() else { return Ok(()) };
        let mut other = overlay.clone();
        other.insert(path, text);
        let execution = self.execute(Revision::New, Scope::Alone, &other)?;
        self.note(ProofCase::Mutant, Scope::Alone, &execution, 1);
        Ok(())
    }

    /// The healed test passes, each time, with the other tests of its file; what
    /// failed there before the edit is not its doing.
    fn with_neighbours(&mut self, overlay: &Overlay, state: &Overlay) -> Result<(), Problem> {
        let mut failed_before: Option<Vec<String>> = None;
        for time in 0..self.given.repeat.max(1) {
            let whole = self.execute(Revision::New, Scope::File, overlay)?;
            let bad = names_of_bad(&whole);
            let mut note = whole.trouble.clone();
            let mut holds = whole.passed();
            if !bad.is_empty() {
                if failed_before.is_none() {
                    failed_before = Some(names_of_bad(&self.execute(Revision::New, Scope::File, state)?));
                }
                let known = failed_before.as_deref().unwrap_or_default();
                let new: Vec<&String> = bad.iter().filter(|b| !known.contains(b)).collect();
                let is_target = bad.iter().any(|b| {
                    self.target.path.last().is_some_and(|n| b.ends_with(n.as_str()))
                        && self.target.path.iter().all(|p| b.contains(p.as_str()))
                });
                holds = new.is_empty() && !is_target && whole.trouble.is_none();
                note = Some(if new.is_empty() {
                    format!("{} other tests of the file fail with and without the edit", bad.len())
                } else {
                    format!("with the edit {} fails", new[0])
                });
            }
            match self
                .proof
                .last_mut()
                .filter(|c| c.corner == ProofCase::NewOnNew && c.extent == Scope::File && c.holds == holds && time > 0)
            {
                Some(cell) => cell.times += 1,
                None => self.proof.push(ProofStep {
                    corner: ProofCase::NewOnNew,
                    extent: Scope::File,
                    outcome: if holds { "passed" } else { whole.word() },
                    times: 1,
                    holds,
                    note,
                }),
            }
            if !holds {
                break;
            }
        }
        Ok(())
    }
}

/// Whether a test failed because something was not as it asserts.
fn is_assertion(ran: &TestResult) -> bool {
    let failure = ran.failure.as_ref();
    let text = failure.map_or_else(String::new, |f| {
        let kind = f.kind.as_ref().map_or("", |kind| kind.raw());
        format!("{kind}\n{}\n{}", f.message.raw(), f.detail.raw())
    });
    let lower = text.to_lowercase();
    failure::read(ran).is_some_and(|clash| matches!(clash.what, FailureKind::Compared { .. }))
        || ["assert", "expected", "comparison", "want "].iter().any(|word| lower.contains(word))
}

fn names_of_bad(execution: &Execution) -> Vec<String> {
    let bad = execution.ran.iter().filter(|r| r.outcome.is_bad());
    bad.map(|r| format!("{} {}", r.name.classname.raw(), r.name.name.raw()).trim().to_owned()).collect()
}
