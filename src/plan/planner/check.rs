//! The check run beside the commit.

use super::{PlannerInput, ended_bad, planned};
use crate::diagnose::verdict::{Diagnosis, Verdict};
use crate::model::forge::RunContext;
use crate::plan::action::{ANNOTATIONS, Action, Annotation, Plan, SUMMARY_LIMIT, SkippedAction};
use crate::plan::marker::digest;
use crate::plan::pr_diff;
use crate::render::message::check;
use crate::render::terminal::line;

pub(super) fn plan(given: &PlannerInput<'_>, annotations: &[Annotation], hidden: usize) -> Plan {
    let mut plan = Plan::default();
    if !given.policy.check.enabled {
        return plan;
    }
    let Some(existing) = &given.snapshot.check else {
        plan.withheld.push(SkippedAction::new(
            "check-run",
            given.scene.head.clone(),
            "the check runs could not be read",
        ));
        return plan;
    };
    // What a fork's run says of itself is not taken for a success.
    let nothing = given.found.totals.tests == 0 || given.found.is_incomplete();
    let conclusion = match (given.found.bad() > 0, given.red) {
        (_, true) => "failure",
        // What could not be read has not passed.
        (false, false) if nothing => "neutral",
        (false, false) if !given.scene.is_foreign => "success",
        _ => "neutral",
    };
    let name = name(&given.policy.check.name, given.scene);
    let mut summary = check::summary(given.found, given.scene, SUMMARY_LIMIT - 500);
    if hidden > 0 {
        summary
            .push_str(&format!("\n_{hidden} more annotations are not shown: GitHub takes {ANNOTATIONS} at once._\n"));
    }
    let title = check::title(given.found);
    let said = format!("{conclusion}\n{title}\n{summary}\n{annotations:?}");
    let digest = format!("testmedic {}", digest(&said));
    if existing.as_ref().is_some_and(|check| check.external_id == digest) {
        return plan;
    }
    plan.actions.push(planned(
        Action::CheckRun {
            head: given.scene.head.clone(),
            name: name.clone(),
            edit: existing.as_ref().map(|check| check.id),
            conclusion: conclusion.to_owned(),
            title: title.clone(),
            summary,
            digest,
            annotations: annotations.to_vec(),
        },
        format!("check-run:{}:{name}", given.scene.head),
        format!("the tests ran: {conclusion}"),
        title,
        format!("commit {}", crate::history::short(&given.scene.head)),
        Vec::new(),
    ));
    plan
}

/// Returns the name of the check run, such as `testmedic (ci / unit / linux)`: workflow, job and variant,
/// as far as they are known. GitHub shows only the latest check run of a name, so with a shared name a
/// successful job would hide the failure of another.
#[must_use]
pub fn name(base: &str, scene: &RunContext) -> String {
    let parts = [scene.workflow.as_deref().map(stem), scene.job.as_deref(), scene.variant.as_deref()];
    let parts: Vec<String> = parts.into_iter().flatten().map(|part| line(part, 60)).collect();
    if parts.is_empty() { base.to_owned() } else { format!("{base} ({})", parts.join(" / ")) }
}

/// Returns whether a check run with this name belongs to `workflow`, or to any workflow if that is `None`.
#[must_use]
pub fn is_of_workflow(name: &str, base: &str, workflow: Option<&str>) -> bool {
    let Some(inner) = name.strip_prefix(base).and_then(|rest| rest.strip_prefix(" (")?.strip_suffix(')')) else {
        return name == base && workflow.is_none();
    };
    workflow.is_none_or(|workflow| {
        let own = line(stem(workflow), 60);
        inner == own || inner.strip_prefix(own.as_str()).is_some_and(|rest| rest.starts_with(" / "))
    })
}

/// Returns the name of a workflow file without its extension.
fn stem(workflow: &str) -> &str {
    workflow.strip_suffix(".yml").or_else(|| workflow.strip_suffix(".yaml")).unwrap_or(workflow)
}

/// One annotation for each place, the gravest diagnoses first and within one
/// of them the first test of each file before all others; and how many are hidden.
pub(super) fn annotations(given: &PlannerInput<'_>) -> (Vec<Annotation>, usize) {
    let mut first: Vec<Annotation> = Vec::new();
    let mut others: Vec<Annotation> = Vec::new();
    for d in &given.found.diagnoses {
        let mut files: Vec<String> = Vec::new();
        for member in &d.members {
            let Some(place) = given.found.case(*member).place.as_ref() else { continue };
            let Some(path) = pr_diff::resolve(given.files, place.file.raw()) else { continue };
            let annotation = annotation(given, d, path.clone(), place.line.unwrap_or(1));
            if files.contains(&path) {
                others.push(annotation);
            } else {
                files.push(path);
                first.push(annotation);
            }
        }
    }
    first.append(&mut others);
    first.dedup_by(|a, b| a.path == b.path && a.line == b.line && a.message == b.message);
    let most = (given.policy.check.max_annotations as usize).min(ANNOTATIONS);
    let hidden = first.len().saturating_sub(most);
    first.truncate(most);
    (first, hidden)
}

fn annotation(given: &PlannerInput<'_>, d: &Diagnosis, path: String, line: u32) -> Annotation {
    let level = match d.verdict {
        Verdict::Regression | Verdict::BrokenTest | Verdict::Undecided if ended_bad(given, d) => "failure",
        Verdict::Flaky => "notice",
        _ => "warning",
    };
    Annotation {
        path,
        line: line.max(1),
        level: level.to_owned(),
        title: check::annotation_title(d),
        message: check::annotation_message(d),
    }
}
