//! Where no rule knows an edit that makes an outdated test pass, a model is asked for one.
//! Its edit goes through the weighing, the guards and the proof of all others, and more
//! than a suggestion to a person it is only where all of them have nothing to say.

use super::model_session::{Check, ModelContext, SessionInput, SessionOutcome, TranscriptEventKind};
use super::{EditSearch, HealRun, Overlay, patch};
use crate::agent::healer::model_proposal::{self, ModelProposal};
use crate::agent::healer::result::{HealResult, ModelAdvice, Outcome, ProofStep};
use crate::agent::healer::scoring::{DEFECT, Decision, Reason, Score};
use crate::agent::healer::{Candidate, Part, renamed};
use crate::agent::tools::may_be_shown;
use crate::code::guards::{self, PatchRule};
use crate::error::Problem;
use crate::model::execution::{Execution, Scope, TestResult};
use crate::model::heal::{EditKind, ProofCase};
use crate::model::secret::mask;
use crate::model::text::{elide, head};
use crate::ports::{ContextTools, Revision};

/// What the word of a model weighs that quotes the change: a person is asked where nothing
/// else speaks for the edit. More is done by nobody's word.
const WORD: f64 = 1.0;
/// Bytes of what a run says that a model is shown.
const SAID: usize = 6 << 10;

/// A model that is asked about one test.
#[derive(Clone, Copy)]
pub struct ModelEdits<'a> {
    /// See [`ModelContext`].
    pub round: &'a ModelContext,
    /// Where it looks things up.
    pub desk: &'a dyn ContextTools,
    /// Id of the diagnosis, or where there is none the name of the test.
    pub id: &'a str,
}

/// What is known before a model is asked.
struct Question<'a> {
    text: &'a str,
    failure: &'a TestResult,
    passed_before: Option<bool>,
    repeated: u32,
    state: &'a Overlay,
}

/// A proposal that holds.
struct AcceptedProposal {
    candidate: Candidate,
    overlay: Overlay,
    weighed: Score,
    alone: Execution,
}

impl HealRun<'_> {
    /// Asks a model where the rules came to no edit and to no defect.
    pub(super) fn advised(
        &mut self,
        failure: &TestResult,
        mut tried: EditSearch,
        passed_before: Option<bool>,
        repeated: u32,
    ) -> Result<EditSearch, Problem> {
        // One word beside the change is enough: a person's and a model's are not added up.
        let is_open = !tried.passes
            && self.given.insisted.is_none()
            && tried.without_edit.is_none()
            && tried.best.as_ref().is_none_or(|(_, weighed)| weighed.band != Decision::Defect);
        let may_be_shown = may_be_shown(&self.target.file);
        let Some(counsel) = self.given.counsel.filter(|_| is_open && may_be_shown) else { return Ok(tried) };
        let state = tried.state.clone();
        let file = &self.target.file;
        let Some(text) = state.get(file).cloned().or_else(|| (self.given.read)(file)) else { return Ok(tried) };
        let brief = model_proposal::brief(self.target, &text, failure, self.given.change, self.given.commits);
        let about = SessionInput { id: counsel.id, brief: &brief, desk: counsel.desk };
        let before = Question { text: &text, failure, passed_before, repeated, state: &state };
        let mut trouble = None;
        let mut found = None;
        let mut objection: Option<String> = None;
        let mut guards = Vec::new();
        let mut trial = |proposal: &ModelProposal| match self.try_out(proposal, &before, &mut guards) {
            Ok(Ok(holds)) => {
                found = Some(holds);
                Check::Holds
            }
            Ok(Err(trial)) => {
                if let Check::Objected(why) = &trial {
                    objection = Some(why.lines().next().unwrap_or_default().to_owned());
                }
                trial
            }
            Err(problem) => {
                let why = crate::pipeline::chain(&problem);
                trouble = Some(problem);
                Check::Ends(why)
            }
        };
        let ended = counsel.round.run_session(&about, model_proposal::task(), proposed, &mut trial);
        if let Some(problem) = trouble {
            return Err(problem);
        }
        match (ended, found) {
            (SessionOutcome::Concluded(proposal), Some(found)) => {
                tried.passes = true;
                tried.parts = found.candidate.parts;
                tried.path = found.candidate.path;
                tried.overlay = found.overlay;
                tried.weighed = Some(found.weighed);
                tried.alone = Some(found.alone);
                let ModelProposal { model, claims, .. } = proposal;
                tried.advice = Some(ModelAdvice { model, claims, refused: None, guards });
            }
            (SessionOutcome::Nothing(why) | SessionOutcome::Broken(why), _) => {
                let why = objection.map_or(why.clone(), |last| format!("{last} ({why})"));
                let model = counsel.round.model();
                tried.advice = Some(ModelAdvice { model, claims: Vec::new(), refused: Some(why), guards });
            }
            (SessionOutcome::Concluded(_), None) => {}
        }
        Ok(tried)
    }

    /// Whether a proposal is one that may be made and makes the test pass.
    fn try_out(
        &mut self,
        proposal: &ModelProposal,
        before: &Question<'_>,
        hit: &mut Vec<PatchRule>,
    ) -> Result<Result<AcceptedProposal, Check>, Problem> {
        let candidate = match model_proposal::candidate(&self.target.file, &self.target.path, before.text, proposal) {
            Ok(candidate) => candidate,
            Err(why) => return Ok(Err(Check::Objected(why))),
        };
        if !self.is_allowed(&candidate) {
            return Ok(Err(Check::Ends("the policy does not allow such an edit (`heal.kinds`)".to_owned())));
        }
        let Some(overlay) = self.applied(&candidate, before.state) else {
            return Ok(Err(Check::Objected("two of the edits overlap".to_owned())));
        };
        let findings = guards::check(&patch(&overlay, before.state, self.given.read), &self.given.bounds);
        if let Some(finding) = findings.first() {
            hit.extend(findings.iter().map(|finding| finding.guard));
            let why = format!("the guard `{}` refuses it: {}", finding.guard.name(), finding.why);
            return Ok(Err(Check::Objected(why)));
        }
        let weighed = self.weighed(proposal, &candidate, before);
        if weighed.band == Decision::Defect {
            let why = weighed.veto.unwrap_or_else(|| "nothing in the change asks for what came".to_owned());
            return Ok(Err(Check::Ends(format!("the edit is not taken: {why}"))));
        }
        let execution = self.execute(Revision::New, Scope::Alone, &overlay)?;
        if execution.passed() {
            return Ok(Ok(AcceptedProposal { candidate, overlay, weighed, alone: execution }));
        }
        let said = self.failing(&execution).and_then(|ran| ran.failure);
        let said = said.map(|failure| format!("{}\n{}", failure.message.raw(), failure.detail.raw()));
        let said = said.or(execution.trouble).unwrap_or(execution.output);
        Ok(Err(Check::Objected(format!("with the edit the test does not pass:\n{}", elide(&said, SAID)))))
    }

    fn weighed(&self, proposal: &ModelProposal, candidate: &Candidate, before: &Question<'_>) -> Score {
        let text = before.failure.failure.as_ref();
        let text = text.map_or_else(String::new, |f| format!("{}\n{}", f.message.raw(), f.detail.raw()));
        let (passed, times) = (before.passed_before, before.repeated);
        // No part pays for another: the one that the change speaks for least decides.
        let alone = |part: &Part| {
            let own = Candidate { path: candidate.path.clone(), edits: Vec::new(), parts: vec![part.clone()] };
            self.weigh(&own.parts, &own, &text, passed, times, before.state)
        };
        let worst = candidate.parts.iter().map(alone).min_by(|a, b| {
            (a.veto.is_none(), a.score).partial_cmp(&(b.veto.is_none(), b.score)).unwrap_or(std::cmp::Ordering::Equal)
        });
        let whole = || self.weigh(&candidate.parts, candidate, &text, passed, times, before.state);
        let mut weighed = worst.unwrap_or_else(whole);
        let is_told = |part: &Part| {
            part.kind != EditKind::RenamedKey || renamed::new_names(self.given.change, &part.old).contains(&part.new)
        };
        if weighed.band == Decision::Heal && !candidate.parts.iter().all(is_told) {
            weighed.band = Decision::Ask;
            weighed.veto = Some("the change does not tell that name for the other".to_owned());
        }
        let quoted = proposal.claims.iter().find(|claim| claim.source.starts_with("change:"));
        if let Some(claim) = quoted.filter(|_| weighed.band == Decision::Defect && weighed.veto.is_none()) {
            let text = format!("{} reads in the change: {} (\"{}\")", proposal.model, claim.says, claim.quote);
            weighed.score += WORD;
            weighed.reasons.push(Reason { kind: "model", weight: WORD, text, source: claim.source.clone() });
            if weighed.score > DEFECT {
                weighed.band = Decision::Ask;
            }
        }
        let word = model_proposal::personal(proposal, &candidate.parts, self.given.sensitive);
        if let Some(word) = word.filter(|_| weighed.band == Decision::Heal) {
            weighed.band = Decision::Ask;
            weighed.veto = Some(format!(
                "the edit is about {}: such values are left to a person (`heal.sensitive`)",
                head(word, 60)
            ));
        }
        weighed
    }
}

fn proposed(proposal: &ModelProposal) -> TranscriptEventKind {
    let signed = |sign: char, text: &str| text.lines().map(|line| format!("{sign}{line}\n")).collect::<String>();
    let one = |edit: &model_proposal::TextEdit| signed('-', &edit.old) + &signed('+', &edit.new);
    TranscriptEventKind::Proposed {
        diff: elide(&mask(&proposal.edits.iter().map(one).collect::<String>()), SAID).into_owned(),
        claims: proposal.claims.clone(),
        dropped: proposal.dropped,
    }
}

/// What becomes of an edit that a model proposed: healed only where it is one of values
/// and names that speaks for itself, with all four corners; else a person decides.
pub(super) fn outcome(done: &HealResult, band: Decision, all: bool, proof: &[ProofStep]) -> Outcome {
    let tells_apart = proof.iter().all(|c| c.corner != ProofCase::NewOnOld || c.outcome != "passed");
    if !tells_apart {
        let why = "the edited test passes on the code before the change as well: it would check less than it did";
        return Outcome::GaveUp(why.to_owned());
    }
    if all && band == Decision::Heal && !done.parts.is_empty() { Outcome::Healed } else { Outcome::Ask }
}

#[cfg(test)]
mod tests;
