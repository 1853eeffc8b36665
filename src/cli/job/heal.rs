//! Healing in a workflow, where the policy wants it.

use super::{RequestedWork, TriageRun};
use crate::adapters::actions_env::ActionsEnv;
use crate::adapters::heal::{HealReport, RepoHealer};
use crate::agent::healer::result::{Outcome, TestHeal};
use crate::history::short;
use crate::model::forge::{OUR_BRANCHES, Trigger, Trust};
use crate::model::heal::HealMode;
use crate::pipeline::{self, TriageResult};
use crate::plan::action::SkippedAction;
use crate::plan::planner::Repairs;
use crate::plan::planner::repairs::drafts;

impl TriageRun {
    /// Heals what failed, in pull requests of the repository's own branches: where
    /// the policy says so, and the tested commit is at hand.
    pub(super) fn heal(&self, triage: &TriageResult, around: Option<&ActionsEnv>) -> Repairs {
        let mut repairs = Repairs::default();
        let (kind, wanted) = match self.policy.heal.mode {
            HealMode::Branch => ("push-branch", true),
            HealMode::Suggest => ("review", true),
            HealMode::Off | HealMode::OnCommand => ("review", false),
        };
        // In `pull_request_target` the job has rights that the code must not come near.
        let is_pull = match &self.asked {
            Some(asked) => matches!(asked, RequestedWork::Heal { .. }),
            None => around.is_some_and(|a| matches!(a.event.occasion, Trigger::Pull(_)) && !a.is_privileged),
        };
        let may = wanted && is_pull && self.forbidden.is_none() && triage.found.bad() > 0;
        if let (true, Some(why)) = (may, self.unfit()) {
            repairs.withheld.push(SkippedAction::new(kind, "outdated tests", why));
            return repairs;
        }
        let Some(ward) = may.then(|| self.ward_of()).flatten() else { return repairs };
        match ward.heal_found(&triage.found, self.round.as_ref()) {
            Ok(healings) => {
                for note in &healings.notes {
                    repairs.withheld.push(SkippedAction::new(kind, "outdated tests", note.clone()));
                }
                self.take(healings, kind, &mut repairs);
            }
            Err(problem) => {
                repairs.withheld.push(SkippedAction::new(kind, "outdated tests", pipeline::chain(&problem)));
            }
        }
        repairs
    }

    /// Why nothing is healed here, although it is wanted.
    fn unfit(&self) -> Option<String> {
        let scene = self.scene.as_ref()?;
        let Some(pull) = scene.pull.as_ref() else { return self.lacks_checkout(&scene.head) };
        // Where a person asks for it, it was decided before whose code may run here.
        if self.asked.is_none() && (scene.trust != Trust::Own || scene.is_foreign) {
            return Some("only pull requests of the repository's own branches are healed".to_owned());
        }
        if pull.head_ref.starts_with(OUR_BRANCHES) {
            return Some("this pull request is a repair itself".to_owned());
        }
        self.lacks_checkout(&scene.head)
    }

    /// Why no test of a commit can be run here.
    pub(super) fn lacks_checkout(&self, head: &str) -> Option<String> {
        let Some(git) = &self.git else {
            return Some("there is no checkout to run tests in: `actions/checkout` comes first".to_owned());
        };
        let is_there = git.resolve(head).is_some();
        (!is_there).then(|| format!("commit {} is not in the checkout: check out with `fetch-depth: 0`", short(head)))
    }

    pub(super) fn ward_of(&self) -> Option<RepoHealer> {
        let scene = self.scene.as_ref()?;
        let git = self.git.clone()?;
        let base = scene.pull.as_ref().and_then(|pull| git.merge_base(&pull.base_sha, &scene.head));
        let base = base.or_else(|| self.merge_base.clone());
        let (only, insisted) = match &self.asked {
            Some(RequestedWork::Heal { only, insisted }) => (only.clone(), insisted.clone()),
            _ => Default::default(),
        };
        Some(RepoHealer {
            top: git.top()?,
            files: git.files_at(&scene.head),
            head: scene.head.clone(),
            base: base.filter(|base| git.resolve(base).is_some()),
            insisted,
            only,
            runner: None,
            repeat: self.policy.heal.repeat,
            seconds: Some(f64::from(self.policy.heal.max_minutes) * 60.0),
            policy: self.policy.clone(),
            git,
        })
    }

    /// Takes over what came of it. Where no test could be run at all, that is
    /// one thing to say and not one for each test.
    fn take(&self, healings: HealReport, kind: &str, repairs: &mut Repairs) {
        let in_vain = |h: &TestHeal| match &h.healing.outcome {
            Outcome::GaveUp(why) if h.healing.proof.is_empty() => {
                Some(why.lines().next().unwrap_or_default().to_owned())
            }
            _ => None,
        };
        let reasons: Vec<String> = healings.all.iter().filter_map(in_vain).collect();
        if reasons.len() == healings.all.len() {
            if let Some(first) = reasons.into_iter().next() {
                repairs.withheld.push(SkippedAction::new(kind, "outdated tests", first));
            }
            return;
        }
        repairs.all = healings.all;
        let head = self.scene.as_ref().map(|s| s.head.as_str()).unwrap_or_default();
        let executable = |path: &&str| self.git.as_ref().is_some_and(|git| git.is_executable_at(head, path));
        repairs.executable = drafts(repairs, head)
            .iter()
            .flat_map(|draft| draft.files.keys().copied())
            .filter(executable)
            .map(str::to_owned)
            .collect();
    }
}
