//! Hands repairs over, before anything is said about them: what is said is what
//! the forge shows then.

use super::Job;
use crate::apply::{self, holds};
use crate::model::forge::OurBranch;
use crate::plan::action::Plan;
use crate::plan::planner;
use crate::plan::planner::repairs::{Draft, Handover, drafts, handover};
use crate::plan::snapshot::Snapshot;
use crate::ports::Trouble;
use crate::run::Triage;
use crate::shell::github::{GitHub, read_or_note};

/// How often a plan is made anew because something changed meanwhile.
const ROUNDS: u32 = 3;

impl Job {
    /// Pushes branches and opens pull requests from them.
    pub(super) fn deliver(&mut self, triage: &Triage, may_write: bool) -> Plan {
        let mut settled = Plan::default();
        for round in 0..ROUNDS {
            let snapshot = self.of_branches(triage);
            let Some(given) = self.given(triage, &snapshot) else { break };
            let mut plan = planner::deliver(&given);
            let Some(forge) = self.forge.as_mut().filter(|_| may_write && !plan.actions.is_empty()) else {
                settled.extend(plan);
                break;
            };
            apply::apply(&mut plan, forge);
            let again = round + 1 < ROUNDS && plan.actions.iter().any(super::converge::is_stale);
            settled.withheld = plan.withheld;
            settled.actions.extend(plan.actions.into_iter().filter(|p| !again || !super::converge::is_stale(p)));
            if !again {
                break;
            }
        }
        settled
    }

    /// What is to be known before a branch is pushed.
    fn of_branches(&self, triage: &Triage) -> Snapshot {
        let mut snapshot = Snapshot { diff: self.diff.clone(), ..Snapshot::default() };
        let (Some(forge), Some(scene)) = (&self.forge, &self.scene) else { return snapshot };
        let Some(pull) = scene.pull.as_ref().filter(|_| !drafts(&triage.repairs, &scene.head).is_empty()) else {
            return snapshot;
        };
        if self.policy.comment.enabled {
            let what = "the comments of the pull request";
            snapshot.comments = read_or_note(forge, what, |f| f.reader().comments(pull.number));
        }
        snapshot.branches = self.branches(triage, &snapshot);
        snapshot
    }

    /// The branches of ours that repairs of this commit are on.
    pub(super) fn branches(&self, triage: &Triage, snapshot: &Snapshot) -> Vec<OurBranch> {
        let (Some(forge), Some(scene), Some(given)) = (&self.forge, &self.scene, self.given(triage, snapshot)) else {
            return Vec::new();
        };
        let drafts = drafts(&triage.repairs, &scene.head);
        let pushed = drafts.iter().filter(|draft| handover(draft, &given) == Handover::Branch);
        let workflow = scene.workflow.as_deref();
        pushed
            .filter_map(|draft| {
                read_or_note(forge, "a branch with a repair", |f| branch(f, draft, triage, workflow)).flatten()
            })
            .collect()
    }
}

fn branch(
    forge: &GitHub,
    draft: &Draft<'_>,
    triage: &Triage,
    workflow: Option<&str>,
) -> Result<Option<OurBranch>, Trouble> {
    let forge = forge.reader();
    let Some(commit) = forge.branch(&draft.branch)? else { return Ok(None) };
    let is_same = holds(forge, &commit, &draft.commits(&triage.repairs.executable))?;
    let pull = forge.pull_from(&draft.branch)?;
    // Who may not read runs is not told of them.
    let run = workflow.and_then(|workflow| forge.run_on(workflow, &draft.branch).ok().flatten());
    Ok(Some(OurBranch { name: draft.branch.clone(), is_same, pull, run }))
}
