//! `report.json`: the contract with other programs, schema in
//! `schema/report.schema.json`. A field without a value is `null`, never left out.

use serde::Serialize;

use crate::agent::generator::{GeneratedTest, GenerationResult};
use crate::agent::healer::result::{Outcome, TestHeal};
use crate::code::edit;
use crate::diagnose::severity::Severity;
use crate::diagnose::verdict::{Diagnosis, Verdict};
use crate::model::run::{IssueLevel, TestRun, Totals};
use crate::model::secret::mask;
use crate::model::test::TestCase;
use crate::model::time::Timestamp;
use crate::pipeline::TriageResult;
use crate::render::curl::curl;
use crate::render::message::heal;
use crate::traffic::drift::Drift;

/// The value of the field `schema`.
pub const SCHEMA: &str = "testmedic.report/1";

/// The whole report.
#[derive(Debug, Serialize)]
pub struct Report {
    schema: &'static str,
    run: Run,
    sources: Vec<SourceRow>,
    totals: TotalsRow,
    diagnoses: Vec<DiagnosisRow>,
    proposals: Vec<ProposalRow>,
    drift: Vec<Drift>,
    plan: PlanRow,
}

#[derive(Debug, Serialize)]
struct Run {
    repository: Option<String>,
    head: Option<String>,
    base: Option<String>,
    pull: Option<u64>,
    attempt: u32,
    variant: Option<String>,
    at: Timestamp,
}

#[derive(Debug, Serialize)]
struct SourceRow {
    path: String,
    dialect: &'static str,
    tests: u64,
    issues: Vec<IssueRow>,
}

#[derive(Debug, Serialize)]
struct IssueRow {
    severity: IssueLevel,
    #[serde(rename = "where")]
    place: String,
    message: String,
}

#[derive(Debug, Serialize)]
struct TotalsRow {
    suites: u64,
    tests: u64,
    passed: u64,
    failed: u64,
    errored: u64,
    skipped: u64,
    flaky: u64,
    attempts: u64,
    seconds: f64,
}

#[derive(Debug, Serialize)]
struct DiagnosisRow {
    id: String,
    fingerprint: String,
    title: String,
    verdict: Verdict,
    confidence: f64,
    severity: Severity,
    evidence: Vec<EvidenceRow>,
    tests: Vec<TestRow>,
    mismatch: Option<MismatchRow>,
    history: HistoryRow,
    known_issue: Option<String>,
}

#[derive(Debug, Serialize)]
struct EvidenceRow {
    kind: String,
    weight: f64,
    text: String,
    source: String,
}

#[derive(Debug, Serialize)]
struct TestRow {
    id: String,
    suite: String,
    classname: String,
    name: String,
    file: Option<String>,
    line: Option<u32>,
    variant: Option<String>,
    outcome: &'static str,
    message: Option<String>,
}

#[derive(Debug, Serialize)]
struct MismatchRow {
    expected: String,
    actual: String,
    file: Option<String>,
    line: Option<u32>,
    framework: &'static str,
}

#[derive(Debug, Serialize)]
struct HistoryRow {
    runs: u64,
    failures: u64,
    first_seen: Option<Timestamp>,
    last_seen: Option<Timestamp>,
    last_good: Option<String>,
    first_bad: Option<String>,
    suspects: Vec<SuspectRow>,
}

#[derive(Debug, Serialize)]
struct SuspectRow {
    commit: String,
    score: f64,
    because: String,
}

/// What a role proposes.
#[derive(Debug, Serialize)]
struct ProposalRow {
    diagnosis: Option<String>,
    role: &'static str,
    remedy: &'static str,
    patch: Option<String>,
    proof: Vec<ProofRow>,
    rationale: String,
}

/// One cell of a proof: `old` or `new` test on `old` or `new` code.
#[derive(Debug, Serialize)]
struct ProofRow {
    test: &'static str,
    code: &'static str,
    outcome: &'static str,
    times: u32,
}

fn proposals(healings: &[TestHeal]) -> Vec<ProposalRow> {
    healings
        .iter()
        .map(|h| {
            let is_healed = h.healing.outcome.is_repair();
            let diff = h.healing.diff();
            let remedy = match h.healing.outcome {
                Outcome::Healed | Outcome::Suggested => "heal",
                Outcome::Defect => "file",
                Outcome::Ask | Outcome::GaveUp(_) => "explain",
            };
            ProposalRow {
                diagnosis: h.diagnosis.clone(),
                role: "healer",
                remedy,
                patch: (is_healed && !diff.is_empty()).then_some(diff),
                proof: h
                    .healing
                    .proof
                    .iter()
                    .map(|cell| {
                        let (test, code) = cell.corner.words();
                        ProofRow { test, code, outcome: cell.outcome, times: cell.times }
                    })
                    .collect(),
                rationale: mask(&heal::rationale(&h.healing)).into_owned(),
            }
        })
        .collect()
}

/// The written tests; the first of each file has its patch.
fn all_written(done: &GenerationResult) -> Vec<ProposalRow> {
    let mut rows = Vec::new();
    let mut shown = Vec::new();
    for made in done.fresh() {
        let mut row = written(made);
        if !shown.contains(&&made.file) {
            shown.push(&made.file);
            let own = done.files.iter().find(|(path, ..)| *path == made.file);
            row.patch = own.map(|(path, old, new)| edit::diff(path, old.as_deref().unwrap_or(""), new));
        }
        rows.push(row);
    }
    let defects = done.defects().map(|(draft, exchange, times)| ProposalRow {
        diagnosis: None,
        role: "reporter",
        remedy: "file",
        patch: None,
        proof: vec![ProofRow {
            test: "new",
            code: "new",
            outcome: "failed",
            times: u32::try_from(times).unwrap_or(u32::MAX),
        }],
        rationale: mask(&format!("{exchange}: {} ({})", draft.because, curl(exchange))).into_owned(),
    });
    rows.extend(defects);
    rows
}

/// A written test; its proof are its passes and the mutants that it was shown.
fn written(made: &GeneratedTest) -> ProposalRow {
    let row = |code, outcome, times| ProofRow { test: "new", code, outcome, times };
    let (in_order, shuffled, alone) = made.passes;
    let kills = u32::try_from(made.kills()).unwrap_or(u32::MAX);
    let survived = u32::try_from(made.mutants.len()).unwrap_or(u32::MAX) - kills;
    let mut proof = vec![row("new", "passed", in_order + shuffled + alone), row("mutant", "failed", kills)];
    if survived > 0 {
        proof.push(row("mutant", "passed", survived));
    }
    ProposalRow {
        diagnosis: None,
        role: "generator",
        remedy: "generate",
        patch: None,
        proof,
        rationale: mask(&format!(
            "{} by recipe {} for {}: {}",
            made.name, made.draft.recipe, made.draft.endpoint, made.draft.because
        ))
        .into_owned(),
    }
}

#[derive(Debug, Serialize)]
struct PlanRow {
    actions: Vec<ActionRow>,
    withheld: Vec<WithheldRow>,
}

#[derive(Debug, Serialize)]
struct ActionRow {
    id: String,
    kind: &'static str,
    because: String,
    title: String,
    target: String,
    receipt: Option<String>,
    url: Option<String>,
}

#[derive(Debug, Serialize)]
struct WithheldRow {
    kind: String,
    because: String,
    reason: String,
}

/// Facts of the forge that the report names.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// `owner/name`.
    pub repository: Option<String>,
    /// The base to compare with.
    pub base: Option<String>,
    /// Number of the pull request.
    pub pull: Option<u64>,
}

/// The report of a triage.
#[must_use]
pub fn report(triage: &TriageResult, origin: &Origin) -> Report {
    Report {
        schema: SCHEMA,
        run: Run {
            repository: origin.repository.clone(),
            head: triage.found.facts.commit.clone(),
            base: origin.base.clone(),
            pull: origin.pull,
            attempt: triage.found.facts.attempt.max(1),
            variant: triage.found.facts.variant.clone(),
            at: triage.found.at,
        },
        sources: sources(&triage.found.runs),
        totals: totals(&triage.found.totals),
        diagnoses: triage.found.diagnoses.iter().map(|d| diagnosis(triage, d)).collect(),
        proposals: proposals(&triage.repairs.all).into_iter().chain(all_written(&triage.written)).collect(),
        drift: triage.found.drift.clone(),
        plan: plan(triage),
    }
}

/// One row a file; a file that holds several legs was read into several runs.
fn sources(runs: &[TestRun]) -> Vec<SourceRow> {
    let mut rows: Vec<SourceRow> = Vec::new();
    for row in runs.iter().map(source) {
        match rows.last_mut().filter(|last| last.path == row.path) {
            Some(last) => {
                last.tests += row.tests;
                last.issues.extend(row.issues);
            }
            None => rows.push(row),
        }
    }
    rows
}

fn source(run: &TestRun) -> SourceRow {
    SourceRow {
        path: run.path.clone(),
        dialect: run.dialect,
        tests: run.totals.tests,
        issues: run
            .issues
            .iter()
            .map(|i| IssueRow { severity: i.level, place: i.place.clone(), message: i.message.clone() })
            .collect(),
    }
}

fn totals(t: &Totals) -> TotalsRow {
    TotalsRow {
        suites: t.suites,
        tests: t.tests,
        passed: t.passed,
        failed: t.failed,
        errored: t.errored,
        skipped: t.skipped,
        flaky: t.flaky,
        attempts: t.attempts,
        seconds: (t.seconds * 1000.0).round() / 1000.0,
    }
}

fn diagnosis(triage: &TriageResult, d: &Diagnosis) -> DiagnosisRow {
    let evidence = d.evidence.iter().map(|e| EvidenceRow {
        kind: format!("{}/{}", e.about.word(), e.kind),
        weight: e.weight,
        text: e.text.raw().to_owned(),
        source: e.source.raw().to_owned(),
    });
    DiagnosisRow {
        id: d.id.clone(),
        fingerprint: d.fingerprint.to_string(),
        title: d.title.raw().to_owned(),
        verdict: d.verdict,
        confidence: d.confidence,
        severity: d.severity,
        evidence: evidence.collect(),
        tests: d.members.iter().map(|m| test(&triage.found.runs[m.run].cases[m.case])).collect(),
        mismatch: d.mismatch.as_ref().map(|m| MismatchRow {
            expected: m.expected.raw().to_owned(),
            actual: m.actual.raw().to_owned(),
            file: m.place.as_ref().map(|p| p.file.raw().to_owned()),
            line: m.place.as_ref().and_then(|p| p.line),
            framework: m.framework,
        }),
        history: HistoryRow {
            runs: d.past.runs,
            failures: d.past.failures,
            first_seen: d.past.first_seen,
            last_seen: d.past.last_seen,
            last_good: d.past.last_good.clone(),
            first_bad: d.past.first_bad.clone(),
            suspects: d
                .past
                .suspects
                .iter()
                .map(|s| SuspectRow { commit: s.commit.clone(), score: s.score, because: s.because.clone() })
                .collect(),
        },
        known_issue: triage.known_issues.get(&d.id).cloned(),
    }
}

fn test(case: &TestCase) -> TestRow {
    TestRow {
        id: case.id.to_string(),
        suite: case.name.suite.raw().to_owned(),
        classname: case.name.classname.raw().to_owned(),
        name: case.name.name.raw().to_owned(),
        file: case.place.as_ref().map(|p| p.file.raw().to_owned()),
        line: case.place.as_ref().and_then(|p| p.line),
        variant: case.variant.clone(),
        outcome: case.outcome().word(),
        message: case.failure().map(|f| f.message.raw().to_owned()),
    }
}

fn plan(triage: &TriageResult) -> PlanRow {
    PlanRow {
        actions: triage
            .plan
            .actions
            .iter()
            .map(|a| ActionRow {
                id: a.id.clone(),
                kind: a.action.kind(),
                because: a.because.clone(),
                title: a.title.clone(),
                target: a.target.clone(),
                receipt: a.receipt.as_ref().map(crate::plan::ActionResult::word),
                url: a.receipt.as_ref().and_then(crate::plan::ActionResult::url).map(str::to_owned),
            })
            .collect(),
        withheld: triage
            .plan
            .withheld
            .iter()
            .map(|w| WithheldRow { kind: w.kind.clone(), because: w.because.clone(), reason: w.reason.clone() })
            .collect(),
    }
}
