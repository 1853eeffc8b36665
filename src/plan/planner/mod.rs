//! Findings + snapshot + policy → the plan. Pure: the same input plans the
//! same, and once it was carried out, nothing.

mod check;
pub(crate) mod comment;
pub mod generated;
mod issues;
pub mod offer;
pub mod repairs;
mod review;

use std::collections::{BTreeMap, HashMap};

use crate::agent::generator::GenerationResult;
use crate::diagnose::findings::Findings;
use crate::diagnose::verdict::Diagnosis;
use crate::model::forge::RunContext;
use crate::model::time::Timestamp;
use crate::plan::action::{Action, Annotation, Plan, Planned, Precondition};
use crate::plan::policy::Policy;
use crate::plan::snapshot::{BotIssue, Snapshot};

pub use check::{is_of_workflow, name as check_name};
pub use issues::needed_passes;
pub use repairs::Repairs;

/// All that a plan is decided on.
pub struct PlannerInput<'a> {
    /// The present run, judged.
    pub found: &'a Findings,
    /// Where we are.
    pub scene: &'a RunContext,
    /// The forge as it was read.
    pub snapshot: &'a Snapshot,
    /// What is allowed.
    pub policy: &'a Policy,
    /// How the tests of each open issue did since it was last seen.
    pub recoveries: &'a BTreeMap<u64, Recovery>,
    /// What the healer brought.
    pub repairs: &'a Repairs,
    /// What the generator wrote.
    pub written: &'a GenerationResult,
    /// Files of the repository, to find the places that reports name.
    pub files: &'a [String],
    /// Conclusion of the check run where something failed: `failure` where it
    /// counts in the sense of `--fail-on`, else `neutral`.
    pub red: bool,
    /// The moment that counts as now.
    pub now: Timestamp,
}

/// How the tests of an issue did since the failure was last seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Tests of the issue that ran since.
    pub tests: usize,
    /// Tests of the issue that did not.
    pub missing: usize,
    /// The fewest clean runs in a row, up to the present one, of any of them.
    pub passes: u64,
}

/// A plan, and which diagnoses are known as issues.
#[derive(Debug, Default)]
pub struct PlannerOutput {
    /// What to do.
    pub plan: Plan,
    /// Web pages of issues by the id of the diagnosis they are about.
    pub known: HashMap<String, String>,
    /// Notes on lines, the gravest first, for where no check run shows them.
    pub annotations: Vec<Annotation>,
}

/// Decides what to write.
#[must_use]
pub fn decide(given: &PlannerInput<'_>) -> PlannerOutput {
    let mut decided = PlannerOutput { known: issues::known(given), ..PlannerOutput::default() };
    decided.plan.extend(issues::plan(given));
    decided.plan.extend(comment::plan(given, &decided.known));
    decided.plan.extend(review::plan(given));
    let (annotations, hidden) = check::annotations(given);
    decided.plan.extend(check::plan(given, &annotations, hidden));
    decided.annotations = annotations;
    decided
}

/// The issue about a failure, because a person asks for it.
///
/// # Errors
/// Why there is none to open, for people.
pub fn file(given: &PlannerInput<'_>, d: &Diagnosis, by: &str) -> Result<Planned, String> {
    issues::file(given, d, by)
}

/// Decides what to push, before anything is said about it.
#[must_use]
pub fn deliver(given: &PlannerInput<'_>) -> Plan {
    let mut plan = repairs::plan(given);
    plan.extend(generated::plan(given));
    plan
}

/// What would be offered on branches.
#[must_use]
pub fn offers(given: &PlannerInput<'_>) -> Vec<offer::Offer> {
    repairs::offers(given).into_iter().chain(generated::offer(given)).collect()
}

/// All issues of ours about a diagnosis.
fn issues_of<'s>(snapshot: &'s Snapshot, d: &Diagnosis) -> Vec<&'s BotIssue> {
    let print = d.fingerprint.to_string();
    let about = |issue: &&BotIssue| {
        let by_print = issue.state().is_some_and(|state| state.fingerprints.contains(&print));
        by_print || issue.key().as_deref() == Some(d.id.as_str())
    };
    snapshot.issues.iter().flatten().filter(about).collect()
}

/// The issue of ours about a diagnosis: an open one before closed ones, the
/// newest before older ones.
fn issue_of<'s>(snapshot: &'s Snapshot, d: &Diagnosis) -> Option<&'s BotIssue> {
    issues_of(snapshot, d).into_iter().max_by_key(|issue| (issue.open, issue.number))
}

/// What became of the failure of the past that a diagnosis resembles: the issue about it,
/// where there is one that is not the diagnosis's own.
#[must_use]
pub fn recalled(snapshot: &Snapshot, d: &Diagnosis) -> Option<String> {
    let resembled = d.resembles.as_ref()?;
    let own: Vec<u64> = issues_of(snapshot, d).iter().map(|issue| issue.number).collect();
    let about = |issue: &&BotIssue| {
        let of = issue.state().is_some_and(|state| state.fingerprints.contains(&resembled.fingerprint));
        of && !own.contains(&issue.number)
    };
    let issue = snapshot.issues.iter().flatten().filter(about).max_by_key(|issue| (issue.open, issue.number))?;
    let ended = match (issue.open, issue.reason.as_deref(), issue.closed_at) {
        (true, ..) => "open".to_owned(),
        (false, Some("not_planned"), _) => "closed as not planned".to_owned(),
        (false, _, Some(at)) => format!("closed on {}", at.date()),
        (false, ..) => "closed".to_owned(),
    };
    Some(format!("issue #{} is about that, {ended}", issue.number))
}

fn planned(
    action: Action,
    id: String,
    because: String,
    title: String,
    target: String,
    guards: Vec<Precondition>,
) -> Planned {
    Planned { id, action, because, title, target, guards, receipt: None }
}

/// Diagnoses in which something ended bad, not only flaky.
fn ended_bad(given: &PlannerInput<'_>, d: &Diagnosis) -> bool {
    d.members.iter().any(|m| given.found.case(*m).outcome().is_bad())
}
