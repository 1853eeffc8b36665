//! Tests that were written: one branch and one pull request for all of a run.

use super::PlannerInput;
use super::offer::{self, Offer};
use super::repairs::adds_secret;
use crate::plan::action::{CommitDraft, FileText, Plan, SkippedAction};
use crate::plan::marker;
use crate::plan::policy::generate::Mode;
use crate::render::message::generate;
use crate::render::plural::plural;

/// What the branches of written tests are about.
const ABOUT: &str = "tests";

/// The tests of this run as they are offered: into the branch of the pull request,
/// else into the default branch. `None` where there are none.
#[must_use]
pub fn offer(given: &PlannerInput<'_>) -> Option<Offer> {
    let written = given.written;
    if written.files.is_empty() || written.fresh().next().is_none() || given.policy.generate.mode != Mode::Branch {
        return None;
    }
    let base = match &given.scene.pull {
        Some(pull) => pull.head_ref.clone(),
        None if given.scene.is_default_branch() => given.scene.default_branch.clone(),
        None => return None,
    };
    let mut names: Vec<String> = written.fresh().map(|made| format!("{}::{}", made.file, made.name)).collect();
    names.sort();
    let file = |(path, _, text): &(String, Option<String>, String)| FileText {
        path: path.clone(),
        text: text.clone(),
        executable: false,
    };
    let tests = plural(written.fresh().count() as u64, "missing test");
    Some(Offer {
        branch: offer::branch_name("generate", ABOUT, &given.scene.head),
        base,
        // By their names: that a person has declined them is not forgotten because a
        // check in one of them reads differently.
        edit: marker::digest(&names.join("\n")),
        commits: vec![CommitDraft {
            message: generate::commit_message(written),
            files: written.files.iter().map(file).collect(),
        }],
        author: given.policy.heal.author(),
        title: generate::title(written),
        body: generate::pull_body(written, given.scene, offer::BODY),
        about: tests.clone(),
        what: tests,
        because: "each was proven: it passes each time, and notices a mutant of an answer".to_owned(),
        offered: "tests are offered, never merged".to_owned(),
    })
}

/// Pushes the branch of written tests, and offers it.
pub(super) fn plan(given: &PlannerInput<'_>) -> Plan {
    let mut plan = Plan::default();
    let Some(own) = offer(given) else { return plan };
    let secret = |(_, old, new): &(String, Option<String>, String)| adds_secret(old.as_deref().unwrap_or(""), new);
    if given.written.files.iter().any(secret) {
        plan.withheld.push(SkippedAction::new("push-branch", own.about, "what the tests hold looks like a secret"));
        return plan;
    }
    let room = match given.snapshot.generated {
        Some(number) => Err(format!("pull request {number} offers written tests already: merge or close it first")),
        None => Ok(()),
    };
    offer::plan(given, &own, room, &mut plan);
    plan
}
