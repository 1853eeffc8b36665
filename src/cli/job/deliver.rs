//! Hands repairs and written tests over, before anything is said about them: what is said is what
//! the forge shows then.

use super::TriageRun;
use crate::adapters::github::{GitHub, read_or_note};
use crate::apply::{self, holds};
use crate::model::forge::{BotBranch, BotPullRequest, OUR_BRANCHES};
use crate::pipeline::TriageResult;
use crate::plan::action::Plan;
use crate::plan::planner;
use crate::plan::planner::offer::Offer;
use crate::plan::planner::repairs::drafts;
use crate::plan::snapshot::Snapshot;
use crate::plan::texts::TextRules;
use crate::ports::ForgeError;

/// How often a plan is made anew because something changed meanwhile.
const ROUNDS: u32 = 3;

impl TriageRun {
    /// Pushes branches and opens pull requests from them.
    pub(super) fn deliver(&mut self, triage: &TriageResult, may_write: bool) -> Plan {
        let mut settled = Plan::default();
        for round in 0..ROUNDS {
            let snapshot = self.of_branches(triage);
            let Some(given) = self.given(triage, &snapshot) else { break };
            let rules = TextRules::of_this_run(given.scene);
            let mut plan = self.guarded(planner::deliver(&given));
            let Some(forge) = self.forge.as_mut().filter(|_| may_write && !plan.actions.is_empty()) else {
                settled.extend(plan);
                break;
            };
            apply::apply(&mut plan, &rules, forge);
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
    fn of_branches(&self, triage: &TriageResult) -> Snapshot {
        let mut snapshot = Snapshot { diff: self.diff.clone(), ..Snapshot::default() };
        let (Some(forge), Some(scene)) = (&self.forge, &self.scene) else { return snapshot };
        let idle = drafts(&triage.repairs, &scene.head).is_empty() && triage.written.files.is_empty();
        if idle {
            return snapshot;
        }
        if let Some(pull) = scene.pull.as_ref().filter(|_| self.policy.comment.enabled) {
            let what = "the comments of the pull request";
            snapshot.comments = read_or_note(forge, what, |f| f.reader().comments(pull.number));
        }
        self.branches(triage, &mut snapshot);
        snapshot
    }

    /// The branches of ours that hold what this commit is offered, and which pull
    /// requests of ours are open.
    pub(super) fn branches(&self, triage: &TriageResult, snapshot: &mut Snapshot) {
        let (Some(forge), Some(scene), Some(given)) = (&self.forge, &self.scene, self.given(triage, snapshot)) else {
            return;
        };
        let offers = planner::offers(&given);
        let Some(base) = offers.first().map(|offer| offer.base.clone()) else { return };
        let what = "the pull requests from our branches";
        let Some(pulls) = read_or_note(forge, what, |f| f.reader().pulls_into(&base)) else { return };
        let written = format!("{OUR_BRANCHES}generate/");
        let (tests, repairs): (Vec<&BotPullRequest>, Vec<&BotPullRequest>) =
            pulls.iter().filter(|p| p.link.open).partition(|p| p.branch.starts_with(&written));
        let workflow = scene.workflow.as_deref();
        let found = offers.iter().filter_map(|offer| {
            read_or_note(forge, "a branch of ours", |f| branch(f, offer, &pulls, workflow)).flatten()
        });
        let found = found.collect();
        snapshot.offered = u32::try_from(repairs.len()).unwrap_or(u32::MAX);
        snapshot.generated = tests.first().map(|pull| pull.link.number);
        snapshot.branches = found;
    }
}

/// Branches about the same, on other commits, that are looked into.
const EARLIER: usize = 5;

/// Where an offer is already: in a pull request with the same edit, on the branch
/// that it would be pushed to, or on one of an earlier commit with the same texts.
fn branch(
    forge: &GitHub,
    offer: &Offer,
    pulls: &[BotPullRequest],
    workflow: Option<&str>,
) -> Result<Option<BotBranch>, ForgeError> {
    let forge = forge.reader();
    let wanted = offer.branch.clone();
    // Who may not read runs is not told of them.
    let run = |name: &str| workflow.and_then(|workflow| forge.latest_run(workflow, name).ok().flatten());
    let same = pulls.iter().filter(|pull| pull.edit.as_ref() == Some(&offer.edit));
    if let Some(pull) = same.max_by_key(|pull| (pull.link.open, pull.link.number)) {
        let name = pull.branch.clone();
        return Ok(Some(BotBranch { run: run(&name), wanted, name, is_same: true, pull: Some(pull.link.clone()) }));
    }
    let mut there = forge.branches_like(offer.begin())?;
    there.sort_by_key(|(name, _)| *name != wanted);
    for (name, commit) in there.into_iter().take(EARLIER) {
        let is_same = holds(forge, &commit, &offer.commits)?;
        if is_same || name == wanted {
            let pull = pulls.iter().find(|pull| pull.branch == name).map(|pull| pull.link.clone());
            return Ok(Some(BotBranch { run: run(&name), wanted, name, is_same, pull }));
        }
    }
    Ok(None)
}
