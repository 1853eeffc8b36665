//! Hands repairs over, before anything is said about them: what is said is what
//! the forge shows then.

use super::Job;
use crate::apply::{self, holds};
use crate::model::forge::{OurBranch, OurPull};
use crate::plan::action::Plan;
use crate::plan::planner::repairs::{Draft, Handover, drafts, handover};
use crate::plan::planner::{self, Repairs};
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
        (snapshot.branches, snapshot.offered) = self.branches(triage, &snapshot);
        snapshot
    }

    /// The branches of ours that repairs of this commit are on, and how many pull
    /// requests of ours are open.
    pub(super) fn branches(&self, triage: &Triage, snapshot: &Snapshot) -> (Vec<OurBranch>, u32) {
        let nothing = (Vec::new(), 0);
        let (Some(forge), Some(scene), Some(given)) = (&self.forge, &self.scene, self.given(triage, snapshot)) else {
            return nothing;
        };
        let Some(pull) = &scene.pull else { return nothing };
        let mut drafts = drafts(&triage.repairs, &scene.head);
        drafts.retain(|draft| handover(draft, &given) == Handover::Branch);
        if drafts.is_empty() {
            return nothing;
        }
        let what = "the pull requests with repairs";
        let Some(pulls) = read_or_note(forge, what, |f| f.reader().pulls_into(&pull.head_ref)) else { return nothing };
        let open = pulls.iter().filter(|p| p.link.open).count();
        let workflow = scene.workflow.as_deref();
        let found = drafts.iter().filter_map(|draft| {
            read_or_note(forge, "a branch with a repair", |f| branch(f, draft, &triage.repairs, &pulls, workflow))
                .flatten()
        });
        (found.collect(), u32::try_from(open).unwrap_or(u32::MAX))
    }
}

/// Branches of one diagnosis, on other commits, that are looked into.
const EARLIER: usize = 5;

/// Where a draft is already: in a pull request with the same edit, on the branch
/// that it would be pushed to, or on one of an earlier commit with the same texts.
fn branch(
    forge: &GitHub,
    draft: &Draft<'_>,
    repairs: &Repairs,
    pulls: &[OurPull],
    workflow: Option<&str>,
) -> Result<Option<OurBranch>, Trouble> {
    let forge = forge.reader();
    let wanted = draft.branch.clone();
    // Who may not read runs is not told of them.
    let run = |name: &str| workflow.and_then(|workflow| forge.run_on(workflow, name).ok().flatten());
    let edit = draft.edit();
    let same = pulls.iter().filter(|pull| pull.edit.as_ref() == Some(&edit));
    if let Some(pull) = same.max_by_key(|pull| (pull.link.open, pull.link.number)) {
        let name = pull.branch.clone();
        return Ok(Some(OurBranch { run: run(&name), wanted, name, is_same: true, pull: Some(pull.link.clone()) }));
    }
    let mut there = forge.branches_like(draft.begin())?;
    there.sort_by_key(|(name, _)| *name != wanted);
    let commits = draft.commits(&repairs.executable);
    for (name, commit) in there.into_iter().take(EARLIER) {
        let is_same = holds(forge, &commit, &commits)?;
        if is_same || name == wanted {
            let pull = pulls.iter().find(|pull| pull.branch == name).map(|pull| pull.link.clone());
            return Ok(Some(OurBranch { run: run(&name), wanted, name, is_same, pull }));
        }
    }
    Ok(None)
}
