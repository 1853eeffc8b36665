//! What came of a test that the healer looked at.

use super::Part;
use super::scoring::Score;
use crate::code::edit;
use crate::code::guards::{FilePatch, Finding, PatchRule};
use crate::diagnose::rules::weights;
use crate::diagnose::verdict::{Evidence, Verdict};
use crate::model::chat::Citation;
use crate::model::execution::{Scope, TestSelector};
use crate::model::heal::ProofCase;
use crate::model::text::Untrusted;

/// One cell of the proof.
#[derive(Clone, Debug, PartialEq)]
pub struct ProofStep {
    /// Which test on which code.
    pub corner: ProofCase,
    /// Alone, or with the other tests of its file.
    pub extent: Scope,
    /// `passed`, `failed` or `not-run`.
    pub outcome: &'static str,
    /// How often it came out like that.
    pub times: u32,
    /// Whether it came out as it must.
    pub holds: bool,
    /// What else is to say.
    pub note: Option<String>,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Repaired, with all four corners.
    Healed,
    /// Repaired, but a corner is missing: a suggestion and no more.
    Suggested,
    /// It could be either: a person is asked, both readings are shown.
    Ask,
    /// The test found a bug: it is not touched.
    Defect,
    /// Nothing was done, and why.
    GaveUp(String),
}

impl Outcome {
    /// Whether there is an edit to take over.
    #[must_use]
    pub fn is_repair(&self) -> bool {
        matches!(self, Self::Healed | Self::Suggested)
    }

    /// In a word.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Healed => "healed",
            Self::Suggested => "suggested",
            Self::Ask => "ask",
            Self::Defect => "defect",
            Self::GaveUp(_) => "gave-up",
        }
    }
}

/// Seconds by phase.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Timings {
    /// Seeing it fail.
    pub reproduce: f64,
    /// Finding the edit.
    pub edit: f64,
    /// Running the proof.
    pub proof: f64,
}

/// What came of one test.
#[derive(Clone, Debug, PartialEq)]
pub struct HealResult {
    /// The test.
    pub target: TestSelector,
    /// How it ended.
    pub outcome: Outcome,
    /// What the edit changes.
    pub parts: Vec<Part>,
    /// The files before and after.
    pub patch: Vec<FilePatch>,
    /// Outdated test or bug, with reasons.
    pub weighed: Option<Score>,
    /// The test executions that justify the patch.
    pub proof: Vec<ProofStep>,
    /// What guards object to.
    pub findings: Vec<Finding>,
    /// Seconds by phase.
    pub phases: Timings,
    /// Where a model was asked for the edit: what it says about it.
    pub advice: Option<ModelAdvice>,
}

/// What a model says about an edit that it was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelAdvice {
    /// Which model.
    pub model: String,
    /// Why the product changed on purpose, with support.
    pub claims: Vec<Citation>,
    /// Why the edit is not taken, or there is none.
    pub refused: Option<String>,
    /// Guards that refused what it proposed on the way.
    pub guards: Vec<PatchRule>,
}

impl HealResult {
    /// One without anything found yet.
    #[must_use]
    pub fn new(target: &TestSelector, outcome: Outcome) -> Self {
        Self {
            target: target.clone(),
            outcome,
            parts: Vec::new(),
            patch: Vec::new(),
            weighed: None,
            proof: Vec::new(),
            findings: Vec::new(),
            phases: Timings::default(),
            advice: None,
        }
    }

    /// The patch as a unified diff.
    #[must_use]
    pub fn diff(&self) -> String {
        let of = |f: &FilePatch| edit::diff(&f.path, f.old.as_deref().unwrap_or(""), f.new.as_deref().unwrap_or(""));
        self.patch.iter().map(of).collect()
    }

    /// The upper bound of the failure rate that so many passes leave open, at 95 %
    /// (the rule of three: 1 − 0.05^(1/n)).
    #[must_use]
    pub fn bound(&self) -> Option<f64> {
        let passes: u32 =
            self.proof.iter().filter(|c| c.corner == ProofCase::NewOnNew && c.holds).map(|c| c.times).sum();
        (passes > 0).then(|| 1.0 - 0.05_f64.powf(1.0 / f64::from(passes)))
    }
}

/// The corners of a proof that are not there, or do not hold. The mutant stands in
/// for the healed test on old code that could not be run.
#[must_use]
pub fn missing(proof: &[ProofStep]) -> Vec<ProofCase> {
    let holds = |corner: ProofCase| {
        let mut cells = proof.iter().filter(|c| c.corner == corner).peekable();
        cells.peek().is_some() && cells.all(|c| c.holds)
    };
    let ran = proof.iter().any(|c| c.corner == ProofCase::NewOnOld && c.outcome != "not-run");
    [ProofCase::OldOnOld, ProofCase::OldOnNew, ProofCase::NewOnOld, ProofCase::NewOnNew]
        .into_iter()
        .filter(|corner| !holds(*corner) && (*corner != ProofCase::NewOnOld || ran || !holds(ProofCase::Mutant)))
        .collect()
}

/// A test that was looked at, and the diagnosis that it belongs to.
#[derive(Clone, Debug)]
pub struct TestHeal {
    /// Id of the diagnosis.
    pub diagnosis: Option<String>,
    /// What came of it.
    pub healing: HealResult,
}

/// What the healer's runs say about why the tests of one diagnosis failed.
#[must_use]
pub fn evidence(of: &[&TestHeal]) -> Vec<Evidence> {
    let held = |h: &&&TestHeal, corner: ProofCase| h.healing.proof.iter().any(|c| c.corner == corner && c.holds);
    let outcomes = || of.iter().map(|h| &h.healing.outcome);
    let say = |about, kind, weight, text: String| {
        vec![Evidence {
            about,
            kind,
            weight,
            text: Untrusted::new(text),
            source: Untrusted::new("runs of old and new tests on old and new code"),
        }]
    };
    if !of.is_empty() && outcomes().all(|o| *o == Outcome::Healed) {
        let text = "the edited test passes all four corners of the proof".to_owned();
        return say(Verdict::OutdatedTest, "healed", weights::PROVEN_OUTDATED, text);
    }
    let broken = of
        .iter()
        .find(|h| h.healing.outcome == Outcome::Defect && held(h, ProofCase::OldOnOld) && held(h, ProofCase::OldOnNew));
    let Some(broken) = broken else { return Vec::new() };
    let why = broken.healing.weighed.as_ref().and_then(|w| w.veto.clone());
    let why = why.unwrap_or_else(|| "nothing in the change asks for what came".to_owned());
    let text = format!("the test passes before the change and fails after it, each time; {why}");
    say(Verdict::Regression, "defect", weights::PROVEN_BROKEN, text)
}
