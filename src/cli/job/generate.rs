//! Writing tests in a workflow, where the policy wants it and the traffic is known.

use super::{RequestedWork, TriageRun};
use crate::adapters::actions_env::ActionsEnv;
use crate::adapters::store::sqlite::SqliteStore;
use crate::adapters::test_writer::{DraftRequest, TestWriter};
use crate::agent::generator::GenerationResult;
use crate::error::Problem;
use crate::model::forge::{OUR_BRANCHES, Trigger, Trust};
use crate::pipeline::{self, TriageResult};
use crate::plan::action::SkippedAction;
use crate::plan::policy::generate::Mode;
use crate::ports::HistoryStore;
use crate::traffic::api_model::ApiModel;

impl TriageRun {
    /// Writes the tests that are missing: in pull requests of the repository's own
    /// branches, and on the default branch. What keeps us from it is withheld.
    pub(super) fn generate(
        &mut self,
        triage: &mut TriageResult,
        around: Option<&ActionsEnv>,
        store: Option<&SqliteStore>,
    ) {
        let traffic = self.exchanges.iter().any(|exchange| exchange.test.is_some());
        let may = self.policy.generate.mode == Mode::Branch && self.forbidden.is_none() && traffic;
        let is_asked = matches!(self.asked, Some(RequestedWork::Generate { .. }));
        let is_wanted = if self.asked.is_some() { is_asked } else { around.is_some_and(|a| self.is_own(a)) };
        if !may || !is_wanted {
            return;
        }
        let withhold = |why: String| SkippedAction::new("push-branch", "missing tests", why);
        if let Some(why) = self.unready() {
            triage.plan.withheld.push(withhold(why));
            return;
        }
        match self.author(triage, store) {
            Ok(written) => triage.written = written,
            Err(problem) => triage.plan.withheld.push(withhold(pipeline::chain(&problem))),
        }
    }

    /// Whether the code that runs is the repository's own, and the job's rights are not
    /// near it: not that of `pull_request_target`, nor of a run that ended.
    fn is_own(&self, around: &ActionsEnv) -> bool {
        let Some(scene) = &self.scene else { return false };
        match &around.event.occasion {
            // In `pull_request_target` the job has rights that the code must not come near.
            Trigger::Pull(_) => !around.is_privileged,
            Trigger::Push | Trigger::Schedule | Trigger::Dispatch => scene.is_default_branch(),
            _ => false,
        }
    }

    /// Why no test is written here, although it is wanted.
    fn unready(&self) -> Option<String> {
        let scene = self.scene.as_ref()?;
        if scene.trust != Trust::Own || scene.is_foreign {
            return Some("tests are written for the repository's own branches only".to_owned());
        }
        if scene.pull.as_ref().is_some_and(|pull| pull.head_ref.starts_with(OUR_BRANCHES)) {
            return Some("this pull request is one of ours itself".to_owned());
        }
        self.lacks_checkout(&scene.head)
    }

    /// The tests that are missing, and that stand nowhere yet: what is there was proven
    /// when it was written.
    fn author(&mut self, triage: &mut TriageResult, store: Option<&SqliteStore>) -> Result<GenerationResult, Problem> {
        let (Some(scene), Some(git)) = (&self.scene, self.git.clone()) else { return Ok(GenerationResult::default()) };
        let Some(top) = git.top() else { return Ok(GenerationResult::default()) };
        let author = TestWriter::new(git, top, self.policy.clone(), scene.head.clone());
        let mut known = match store {
            Some(store) => store.api_model()?,
            None => ApiModel::default(),
        };
        known.merge(&triage.memory);
        let read = |path: &str| author.read(path);
        let incidents = crate::cli::incidents(&self.policy, &author.files, &read, &mut self.notes);
        let only: &[String] = match &self.asked {
            Some(RequestedWork::Generate { only }) => only,
            _ => &[],
        };
        let wanted = author.drafts(DraftRequest {
            exchanges: &self.exchanges,
            templates: &triage.templates,
            known: &known,
            now: &triage.memory,
            incidents: &incidents,
            only,
            recipes: &self.policy.generate.recipes,
        })?;
        let drafts = author.missing(wanted.drafts);
        if drafts.is_empty() {
            return Ok(GenerationResult::default());
        }
        let bounds = (self.policy.generate.repeat, Some(f64::from(self.policy.generate.max_minutes) * 60.0));
        author.write(drafts, &known, bounds, &mut triage.notes)
    }
}
