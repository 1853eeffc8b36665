//! Failures of the past, found by what they mean: where a model makes vectors of them.

use super::TriageRun;
use crate::agent::budget::Price;
use crate::diagnose::embedding::{Known, cosine, threshold};
use crate::diagnose::fingerprint::{MaskedFailure, fingerprint};
use crate::history::PastFailure;
use crate::investigate::model_session::ModelContext;
use crate::model::secret::mask;
use crate::model::text::{clean, head};
use crate::pipeline::TriageResult;

/// Failures of the past that are looked at, those of them that are made into vectors in
/// one run, and texts of one question.
const LOOKED_AT: usize = 2000;
const MADE: usize = 512;
const BATCH: usize = 64;
/// Failures of this run that are looked for.
const SOUGHT: usize = 20;
/// Bytes of one text.
const TEXT: usize = 1000;

impl TriageRun {
    /// Names the failure of the past that a diagnosis means the same as, where its words
    /// did not tell.
    pub(super) fn find_again(&mut self, triage: &mut TriageResult, round: &ModelContext) {
        let Some((model, price)) = self.policy.model.embedder() else { return };
        let open: Vec<(usize, MaskedFailure)> = (0..triage.found.diagnoses.len())
            .filter(|at| triage.found.diagnoses[*at].resembles.is_none())
            .filter_map(|at| Some((at, fingerprint(triage.found.case(*triage.found.diagnoses[at].members.first()?)))))
            .filter(|(_, print)| print.telling)
            .take(SOUGHT)
            .collect();
        if open.is_empty() || triage.found.history.failures.is_empty() {
            return;
        }
        let found = match closest(triage, round, (&model, price), &open) {
            Ok(found) => found,
            Err(why) => {
                self.notes.push(format!("failures of the past are found by their words alone: {why}"));
                return;
            }
        };
        for (at, failure, alike) in found {
            triage.found.diagnoses[at].resembles_by_meaning(&failure, alike);
        }
    }
}

/// What is made into a vector: without secrets, bounded.
fn text_of(kinds: &str, masked: &str) -> String {
    head(&mask(&clean(&format!("{kinds} {masked}"))), TEXT).trim().to_owned()
}

fn closest(
    triage: &TriageResult,
    round: &ModelContext,
    (model, price): (&str, Price),
    open: &[(usize, MaskedFailure)],
) -> Result<Vec<(usize, PastFailure, f64)>, String> {
    let past: Vec<&PastFailure> = triage.found.history.failures.iter().take(LOOKED_AT).collect();
    let own = open.iter().map(|(_, print)| (print.fingerprint.to_string(), text_of(&print.kinds, &print.masked)));
    // Those of this run first: without them the others are of no use.
    let texts: Vec<(String, String)> =
        own.chain(past.iter().map(|f| (f.fingerprint.clone(), text_of(&f.kinds, &f.masked)))).collect();
    let vectors = round.vectors((model, price), &texts, (BATCH, MADE))?;
    let known: Vec<(&PastFailure, &Vec<f32>)> =
        past.iter().filter_map(|failure| Some((*failure, vectors.get(&failure.fingerprint)?))).collect();
    let all: Vec<Known<'_>> = known.iter().map(|(f, vector)| Known { cluster: &f.cluster, vector }).collect();
    let Some(from) = threshold(&all) else { return Ok(Vec::new()) };
    let found = open.iter().filter_map(|(at, print)| {
        let own = print.fingerprint.to_string();
        let vector = vectors.get(&own)?;
        let others = known.iter().filter(|(failure, _)| failure.fingerprint != own && failure.first < triage.found.at);
        let best = others.map(|(failure, other)| (*failure, cosine(vector, other))).max_by(|a, b| a.1.total_cmp(&b.1));
        best.filter(|(_, alike)| *alike >= from).map(|(failure, alike)| (*at, failure.clone(), alike))
    });
    Ok(found.collect())
}
