//! The straight line: reports in, verdicts out.

pub mod people;

use std::collections::{BTreeMap, HashMap};

use crate::agent::generator::GenerationResult;
use crate::agent::healer::result::{TestHeal, evidence};
use crate::code::openapi::Operation;
use crate::diagnose::findings::Findings;
use crate::diagnose::group::{Changes, failures, groups};
use crate::diagnose::incident::Incident;
use crate::diagnose::spec_conformance;
use crate::diagnose::traffic::TrafficByTest;
use crate::diagnose::verdict::Evidence;
use crate::error::Problem;
use crate::history::record::{self, RecordError, RunRecord};
use crate::history::recovery::{self, PassesSince};
use crate::history::{History, RerunResult};
use crate::ingest::{attempts, variants};
use crate::model::exchange::Exchange;
use crate::model::run::{IssueLevel, RunFacts, TestRun, Totals};
use crate::model::test::TestId;
use crate::model::text::Untrusted;
use crate::model::time::Timestamp;
use crate::plan::planner::{Recovery, Repairs};
use crate::plan::policy::Policy;
use crate::plan::snapshot::BotIssue;
use crate::plan::{ActionResult, Plan, action};
use crate::ports::{Absorbed, HistoryStore, Repository};
use crate::traffic::api_model::ApiModel;
use crate::traffic::drift::{self, Drift};
use crate::traffic::template::Templates;

/// Failures of one diagnosis that are compared with incidents.
const MEMBERS: usize = 20;

/// What a triage is given.
pub struct TriageInput<'a> {
    /// The reports, as read.
    pub runs: Vec<TestRun>,
    /// Facts about the present run.
    pub facts: RunFacts,
    /// The default branch, where the forge tells it.
    pub default_branch: Option<String>,
    /// HTTP traffic of the tests.
    pub exchanges: &'a [Exchange],
    /// What the API descriptions of the repository promise.
    pub described: Vec<Operation>,
    /// Incidents that people wrote down.
    pub incidents: Vec<Incident>,
    /// The moment that counts as now.
    pub now: Timestamp,
    /// History to judge against.
    pub store: Option<&'a dyn HistoryStore>,
    /// The repository to look for suspects in.
    pub repository: Option<&'a dyn Repository>,
    /// Where the run would be recorded.
    pub record_to: Option<String>,
}

/// What a triage found, and what it would write.
#[derive(Debug)]
pub struct TriageResult {
    /// The present run, judged.
    pub found: Findings,
    /// What to write.
    pub plan: Plan,
    /// Web pages of issues by the id of the diagnosis they are about.
    pub known_issues: HashMap<String, String>,
    /// Templates of the paths that were asked and described.
    pub templates: Templates,
    /// The shapes of answers that this run saw.
    pub memory: ApiModel,
    /// What the healer brought.
    pub repairs: Repairs,
    /// Tests that were run again after a wait.
    pub retried: Vec<RerunResult>,
    /// What the generator wrote.
    pub written: GenerationResult,
    /// Trouble of our own on the way, for people.
    pub notes: Vec<String>,
    /// Whether that trouble kept us from doing what was asked.
    pub hampered: bool,
}

/// Judges the present run. Never fails as a whole: trouble with history or
/// repository costs evidence and is noted.
#[must_use]
pub fn triage(inputs: TriageInput<'_>) -> TriageResult {
    let TriageInput {
        mut runs,
        facts,
        default_branch,
        exchanges,
        described,
        incidents,
        now,
        store,
        repository,
        record_to,
    } = inputs;
    prepare(&mut runs, &facts);
    let at = facts.at.or_else(|| stamped(&runs, now)).unwrap_or(now);
    let facts = RunFacts { at: Some(at), ..facts };
    let mut notes = Vec::new();
    let history = History { default: default_branch, ..recall(&runs, &facts, at, store, &mut notes) };
    let groups = groups(failures(&runs, &history.failures), &history, &facts);
    let changes = changes(&groups.windows(), repository);
    let diagnoses = groups.diagnose(&history, &facts, &changes, &TrafficByTest::new(exchanges, &described));
    let known = groups.known();
    let learned = record::record(&runs, &facts, &known);
    let plan = plan_record(&learned, record_to.as_deref());
    let mut totals = Totals::default();
    for run in &runs {
        totals.add(&run.totals);
    }
    let described_paths = described.iter().map(|operation| operation.path.clone());
    let templates = Templates::described(described_paths).taught(exchanges.iter().map(|e| e.request.path.as_str()));
    let memory = ApiModel::of(exchanges, &templates, at);
    let mut drift = drift(&memory, store, &mut notes);
    drift.extend(spec_conformance::undocumented(&memory, &described));
    drop(learned);
    drop(groups);
    let mut found = Findings { runs, facts, at, totals, diagnoses, drift, history, known };
    let template = |path: &str| templates.of(path);
    let incidents: Vec<Incident> = incidents.into_iter().map(|own| own.at_template(&template)).collect();
    remember_incidents(&mut found, &incidents, &TrafficByTest::new(exchanges, &described), &templates);
    TriageResult {
        found,
        plan,
        known_issues: HashMap::new(),
        templates,
        memory,
        repairs: Repairs::default(),
        retried: Vec::new(),
        written: GenerationResult::default(),
        notes,
        hampered: false,
    }
}

/// Says of failures and of changes in answers which incidents they resemble. That weighs
/// nothing: it is where a person looks next.
fn remember_incidents(found: &mut Findings, incidents: &[Incident], sent: &TrafficByTest<'_>, templates: &Templates) {
    let template = |path: &str| templates.of(path);
    for at in 0..found.diagnoses.len() {
        let alike = found.diagnoses[at].members.iter().take(MEMBERS).find_map(|member| {
            let case = found.case(*member);
            let failure = case.failure()?;
            let text = format!("{}\n{}", failure.message.raw(), failure.detail.raw());
            incidents.iter().find_map(|own| Some((own, own.resembles(&text, sent.of(case), &template)?)))
        });
        if let Some((incident, why)) = alike {
            let diagnosis = &mut found.diagnoses[at];
            diagnosis.evidence.push(Evidence {
                about: diagnosis.verdict,
                kind: "incident",
                weight: 0.0,
                text: Untrusted::bounded(&format!("it resembles the incident {}: {why}", incident.told()), 600),
                source: Untrusted::bounded(&incident.source, 300),
            });
        }
    }
    for drift in &mut found.drift {
        if let Some(incident) = incidents.iter().find(|incident| incident.is_near(drift)) {
            drift.text = format!("{}; the incident {} was there", drift.text, incident.told());
        }
    }
}

/// How the answers of this run differ from what is remembered.
fn drift(memory: &ApiModel, store: Option<&dyn HistoryStore>, notes: &mut Vec<String>) -> Vec<Drift> {
    let Some(store) = store.filter(|_| !memory.kinds.is_empty()) else { return Vec::new() };
    match store.api_model() {
        Ok(before) => drift::between(&before, memory),
        Err(problem) => {
            notes.push(format!("how the API changed is not known: {}", chain(&problem)));
            Vec::new()
        }
    }
}

/// Leaves out what the policy accepts, and gives the severities that it asks for.
pub fn apply_policy(found: &mut Findings, policy: &Policy) {
    let at = found.at;
    found.drift.retain(|drift| !policy.drift.accepts(&drift.fingerprint, at));
    for drift in &mut found.drift {
        drift.level = policy.drift.levels.get(drift.rule).copied().unwrap_or(drift.level);
    }
    found.drift.sort_by_key(|drift| std::cmp::Reverse(drift.level));
    if policy.severity.is_empty() {
        return;
    }
    let severities: Vec<_> = found.diagnoses.iter().map(|d| policy.severity_of(found, d)).collect();
    for (diagnosis, severity) in found.diagnoses.iter_mut().zip(severities) {
        diagnosis.severity = severity.unwrap_or(diagnosis.severity);
    }
}

/// Takes over what the healer brought: its runs are evidence too.
pub fn add_heal_evidence(triage: &mut TriageResult, repairs: Repairs) {
    for diagnosis in &mut triage.found.diagnoses {
        let own: Vec<&TestHeal> =
            repairs.all.iter().filter(|r| r.diagnosis.as_deref() == Some(diagnosis.id.as_str())).collect();
        diagnosis.add_evidence(evidence(&own));
    }
    triage.repairs = repairs;
}

/// Hears what running single tests again brought to light; of one diagnosis the
/// same is heard once.
pub fn add_rerun_evidence(found: &mut Findings, heard: &[(TestId, Evidence)]) {
    let of = |found: &Findings, at: usize| -> Vec<TestId> {
        found.diagnoses[at].members.iter().map(|m| found.case(*m).id).collect()
    };
    for at in 0..found.diagnoses.len() {
        let tests = of(found, at);
        let mut own: Vec<Evidence> = Vec::new();
        for (_, evidence) in heard.iter().filter(|(id, _)| tests.contains(id)) {
            if !own.iter().any(|known| known.kind == evidence.kind) {
                own.push(evidence.clone());
            }
        }
        found.diagnoses[at].add_evidence(own);
    }
}

/// How the tests of each open issue of ours did since it was last seen.
#[must_use]
pub fn recoveries(
    issues: &[BotIssue],
    found: &Findings,
    branch: &str,
    store: Option<&dyn HistoryStore>,
    notes: &mut Vec<String>,
) -> BTreeMap<u64, Recovery> {
    let watched = |issue: &BotIssue| {
        let (tests, last) = issue.watched()?;
        Some((issue.number, tests.iter().filter_map(|id| TestId::parse(id)).collect::<Vec<_>>(), last))
    };
    let open: Vec<_> = issues.iter().filter(|i| i.open).filter_map(watched).collect();
    let tests: Vec<TestId> = open.iter().flat_map(|(_, tests, _)| tests.iter().copied()).collect();
    if tests.is_empty() {
        return BTreeMap::new();
    }
    let present = record::legs(&found.runs, &found.facts, found.at, &found.known);
    let past = store.map_or_else(|| Ok(History::default()), |store| store.history_of(&tests, &present));
    let past = past.unwrap_or_else(|problem| {
        notes.push(format!("whether issues have recovered is not known: {}", chain(&problem)));
        History::default()
    });
    open.into_iter()
        .map(|(number, tests, last)| {
            let mut recovery = Recovery { passes: u64::MAX, ..Recovery::default() };
            for test in tests {
                match recovery::since(&past, &found.runs, test, branch, last) {
                    PassesSince::NotRun => recovery.missing += 1,
                    PassesSince::Passes(passes) => {
                        recovery.tests += 1;
                        recovery.passes = recovery.passes.min(passes);
                    }
                }
            }
            (number, recovery)
        })
        .collect()
}

/// When the reports say they were written, if that can be true: runners write
/// local time without a zone, and some a fixed date.
fn stamped(runs: &[TestRun], now: Timestamp) -> Option<Timestamp> {
    const DAY: i64 = 86_400;
    let latest = runs.iter().filter_map(|run| run.at).max()?;
    (now.unix() - 30 * DAY..=now.unix() + DAY).contains(&latest.unix()).then_some(latest)
}

/// Puts the attempts of retry files together and names the matrix legs.
pub fn prepare(runs: &mut [TestRun], facts: &RunFacts) {
    runs.sort_by(|a, b| a.path.cmp(&b.path));
    attempts::unite_files(runs);
    variants::name_legs(runs, facts.variant.as_deref());
    runs.iter_mut().for_each(attempts::count_flaky);
}

fn recall(
    runs: &[TestRun],
    facts: &RunFacts,
    at: Timestamp,
    store: Option<&dyn HistoryStore>,
    notes: &mut Vec<String>,
) -> History {
    let Some(store) = store else {
        return History::default();
    };
    let legs = record::legs(runs, facts, at, &HashMap::new());
    store.history_for(&legs).unwrap_or_else(|problem| {
        notes.push(format!("judged without history: {}", chain(&problem)));
        History::default()
    })
}

fn changes(windows: &[(String, String)], repository: Option<&dyn Repository>) -> Changes {
    let Some(repository) = repository else {
        return Changes::default();
    };
    windows
        .iter()
        .filter_map(|(good, bad)| Some(((good.clone(), bad.clone()), repository.commits(good, bad)?)))
        .collect()
}

fn plan_record(learned: &Result<Vec<RunRecord<'_>>, RecordError>, target: Option<&str>) -> Plan {
    match learned {
        Ok(legs) => {
            let legs: Vec<(String, u64)> = legs.iter().map(|leg| (hex(&leg.key), leg.totals.tests)).collect();
            action::record(Ok(&legs), target)
        }
        Err(why) => action::record(Err(why), target),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, b| text + &format!("{b:02x}"))
}

/// Carries out the history record of a plan; every other action stays as it is.
/// One failure does not stop the others.
pub fn apply_record(triage: &mut TriageResult, store: &mut dyn HistoryStore) {
    let Ok(learned) = record::record(&triage.found.runs, &triage.found.facts, &triage.found.known) else {
        return;
    };
    let mut is_new = false;
    for leg in &learned {
        let id = format!("record-run:{}", hex(&leg.key));
        let receipt = match store.record_run(leg) {
            Ok(Absorbed::Head) => {
                is_new = true;
                ActionResult::Done(None)
            }
            Ok(Absorbed::Known) => ActionResult::AlreadyDone,
            Err(problem) => ActionResult::Failed(chain(&problem)),
        };
        for action in triage.plan.actions.iter_mut().filter(|a| a.id == id) {
            action.receipt = Some(receipt.clone());
        }
    }
    if is_new
        && !triage.retried.is_empty()
        && let Err(problem) = store.record_retries(&triage.retried)
    {
        triage.notes.push(format!("what became of retries is not remembered: {}", chain(&problem)));
    }
    // What a branch made of the API is no measure for others until it is merged.
    let default = triage.found.history.default_branch();
    let is_default = default.is_none() || triage.found.facts.branch.as_deref() == default;
    if is_new
        && is_default
        && !triage.memory.kinds.is_empty()
        && let Err(problem) = store.record_api_model(&triage.memory)
    {
        triage.notes.push(format!("the shapes of answers are not remembered: {}", chain(&problem)));
    }
}

/// Notes that nothing could be recorded.
pub fn fail_record(triage: &mut TriageResult, problem: &Problem) {
    for action in &mut triage.plan.actions {
        action.receipt = Some(ActionResult::Failed(chain(problem)));
    }
}

/// Known failures that an imported run's failures are compared with.
const IMPORT_SEEDS: usize = 1000;

/// What an import of one run did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Legs that were new.
    pub new: usize,
    /// Legs that were known already.
    pub known: usize,
    /// Results in the new ones.
    pub results: u64,
    /// Reports that could not be read in full.
    pub unusable: Vec<String>,
}

/// Remembers one earlier run.
///
/// # Errors
/// Where the store cannot be written, or nothing can be learned from the run.
pub fn import(mut runs: Vec<TestRun>, facts: &RunFacts, store: &mut dyn HistoryStore) -> Result<Imported, Problem> {
    prepare(&mut runs, facts);
    let mut imported = Imported::default();
    for run in runs.iter().filter(|run| run.worst() == Some(IssueLevel::Unusable)) {
        let why = run.issues.iter().find(|i| i.level == IssueLevel::Unusable).map_or("", |i| i.message.as_str());
        imported.unusable.push(format!("{}: {why}", run.path));
    }
    let at = facts.at.unwrap_or(Timestamp::from_unix(0));
    let anything_failed = runs.iter().any(|run| !run.cases.is_empty());
    let seeds = if anything_failed { store.known_failures(at, IMPORT_SEEDS)? } else { Vec::new() };
    let failures = failures(&runs, &seeds);
    let learned = record::record(&runs, facts, &failures.known())
        .map_err(|why| Problem::failed("the run cannot be imported").because(why))?;
    for leg in &learned {
        match store.record_run(leg)? {
            Absorbed::Head => {
                imported.new += 1;
                imported.results += leg.totals.tests;
            }
            Absorbed::Known => imported.known += 1,
        }
    }
    Ok(imported)
}

/// A problem and its causes in one line.
#[must_use]
pub fn chain(problem: &Problem) -> String {
    let mut text = problem.headline.clone();
    let mut cause = std::error::Error::source(problem);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
