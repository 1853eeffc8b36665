//! Snapshot → plan → apply, until nothing is left to do.

use std::collections::BTreeMap;

use super::TriageRun;
use crate::adapters::git::Git;
use crate::adapters::github::read_or_note;
use crate::adapters::store::sqlite::SqliteStore;
use crate::apply;
use crate::cli::TriageArgs;
use crate::pipeline::{self, TriageResult};
use crate::plan::action::{Action, ActionResult, Annotation, Plan, Planned};
use crate::plan::planner::{self, PlannerInput, PlannerOutput, Recovery};
use crate::plan::snapshot::Snapshot;
use crate::plan::texts::TextRules;
use crate::ports::{Forge, HistoryStore};
use crate::report::is_red;

/// How often a plan is made anew because something changed meanwhile.
const ROUNDS: u32 = 12;

/// Without issues nothing recovers.
static NONE: BTreeMap<u64, Recovery> = BTreeMap::new();

impl TriageRun {
    /// Snapshot, plan, apply; again where something changed meanwhile, until
    /// nothing is left to do or it does not come to rest. Gives the annotations
    /// that no check run shows.
    pub(super) fn converge(
        &mut self,
        triage: &mut TriageResult,
        args: &TriageArgs,
        mut store: Option<SqliteStore>,
        loud: bool,
    ) -> Vec<Annotation> {
        let trust = self.scene.as_ref().and_then(|s| s.trust.read_only());
        let may_write = args.apply && self.forbidden.is_none() && trust.is_none();
        let mut learned = loud;
        let mut delivered = self.deliver(triage, may_write);
        let mut settled = Plan::default();
        let mut annotations = Vec::new();
        for round in 0..ROUNDS {
            let snapshot = self.snapshot(triage);
            if !learned && snapshot.issues.iter().flatten().any(|issue| issue.open) {
                self.learn_earlier(&mut store);
                learned = true;
            }
            for diagnosis in &mut triage.found.diagnoses {
                if let Some(became) = planner::recalled(&snapshot, diagnosis) {
                    diagnosis.link_prior_issue(&became);
                }
            }
            let Some(decided) = self.decide(triage, args, &snapshot, store.as_ref()) else { break };
            triage.known_issues = decided.known;
            annotations = decided.annotations;
            let mut plan = self.guarded(decided.plan);
            let rules = self.scene.as_ref().map(TextRules::of_this_run);
            let (Some(forge), Some(rules)) = (self.forge.as_mut().filter(|_| may_write), rules) else {
                settled.extend(plan);
                break;
            };
            apply::apply(&mut plan, &rules, forge);
            let again = round + 1 < ROUNDS && plan.actions.iter().any(is_stale);
            settled.withheld = plan.withheld;
            settled.actions.extend(plan.actions.into_iter().filter(|p| !again || !is_stale(p)));
            if !again {
                break;
            }
            // Others write to the same: not all at the same moment again.
            forge.pause(round.min(3));
        }
        delivered.extend(settled);
        let settled = delivered;
        if let Some(why) = trust.filter(|_| args.apply && self.forbidden.is_none() && !settled.actions.is_empty()) {
            triage
                .notes
                .push(format!("nothing was written: {why}; the plan is saved for a job that may (`workflow_run`)"));
        }
        let withheld = settled.withheld.iter().any(|w| w.kind == "check-run");
        let is_shown = self.policy.check.enabled && !withheld && checks(&settled).all(is_written);
        triage.plan = settled;
        if is_shown { Vec::new() } else { annotations }
    }

    /// Notes on lines, where there is no forge to write anything else to.
    pub(super) fn annotations(&mut self, triage: &TriageResult, args: &TriageArgs) -> Vec<Annotation> {
        self.decide(triage, args, &Snapshot::default(), None).map(|decided| decided.annotations).unwrap_or_default()
    }

    fn decide(
        &mut self,
        triage: &TriageResult,
        args: &TriageArgs,
        snapshot: &Snapshot,
        store: Option<&SqliteStore>,
    ) -> Option<PlannerOutput> {
        let scene = self.scene.clone()?;
        let recoveries = pipeline::recoveries(
            snapshot.issues.as_deref().unwrap_or_default(),
            &triage.found,
            &scene.default_branch,
            store.map(|s| s as &dyn HistoryStore),
            &mut self.notes,
        );
        let files = self.git.as_ref().filter(|_| triage.found.bad() > 0).map(Git::files).unwrap_or_default();
        let given = self.given(triage, snapshot)?;
        Some(planner::decide(&PlannerInput {
            recoveries: &recoveries,
            files: &files,
            red: is_red(triage, args.fail_on),
            ..given
        }))
    }

    /// All that a plan is decided on, but what only the judged run tells.
    pub(super) fn given<'a>(&'a self, triage: &'a TriageResult, snapshot: &'a Snapshot) -> Option<PlannerInput<'a>> {
        Some(PlannerInput {
            found: &triage.found,
            scene: self.scene.as_ref()?,
            snapshot,
            policy: &self.policy,
            recoveries: &NONE,
            repairs: &triage.repairs,
            written: &triage.written,
            files: &[],
            red: false,
            now: self.now,
        })
    }

    /// Reads of the forge what this run's plan is decided on, and no more.
    fn snapshot(&self, triage: &TriageResult) -> Snapshot {
        let (Some(forge), Some(scene)) = (&self.forge, &self.scene) else { return Snapshot::default() };
        let bad = triage.found.bad() > 0;
        let mut snapshot = Snapshot::default();
        if self.policy.issues.enabled && (bad || scene.is_default_branch()) {
            let known = self.issues.borrow_mut().take();
            snapshot.issues = known.or_else(|| read_or_note(forge, "the issues", |f| f.reader().issues()));
        }
        if self.policy.issues.assign_owners && bad && scene.is_default_branch() {
            snapshot.owners = read_or_note(forge, "CODEOWNERS", |f| f.owners(&scene.default_branch)).flatten();
        }
        if let Some(pull) = &scene.pull {
            if self.policy.comment.enabled {
                let what = "the comments of the pull request";
                snapshot.comments = read_or_note(forge, what, |f| f.reader().comments(pull.number));
            }
            if self.policy.review.enabled && bad {
                snapshot.diff.clone_from(&self.diff);
                let what = "the review comments of the pull request";
                snapshot.review_comments = read_or_note(forge, what, |f| f.reader().review_comments(pull.number));
            }
        }
        self.branches(triage, &mut snapshot);
        if self.policy.check.enabled {
            let name = planner::check_name(&self.policy.check.name, scene);
            snapshot.check = read_or_note(forge, "the check runs", |f| f.reader().check(&scene.head, &name));
        }
        snapshot
    }
}

pub(super) fn is_stale(planned: &Planned) -> bool {
    matches!(planned.receipt, Some(ActionResult::Stale(_)))
}

fn checks(plan: &Plan) -> impl Iterator<Item = &Planned> {
    plan.actions.iter().filter(|p| matches!(p.action, Action::CheckRun { .. }))
}

/// Where no check run is planned, the one that is there says it all.
fn is_written(planned: &Planned) -> bool {
    matches!(planned.receipt, Some(ActionResult::Done(_) | ActionResult::AlreadyDone))
}
