//! The run that a command speaks of, judged.

use super::context::CommandContext;
use crate::adapters::actions_env::ActionsEnv;
use crate::cli::TriageArgs;
use crate::cli::job::{Evaluated, TriageRun};
use crate::diagnose::findings::Findings;
use crate::diagnose::verdict::Diagnosis;
use crate::model::forge::{CompletedRun, Trigger};
use crate::pipeline::chain;
use crate::ports::Forge;

/// Runs of a commit that are looked into for reports.
const RUNS: usize = 5;

impl CommandContext<'_> {
    /// Judges the run that was named, or the latest one of the thread's commit.
    pub(super) fn look(&self, wanted: Option<u64>) -> Result<Evaluated, String> {
        let (job, _, _) = self.job(wanted)?;
        job.look(self.args.apply)
    }

    /// What a job needs that works on the run that was named, or on the latest one of the
    /// thread's commit that left reports.
    pub(super) fn job(&self, wanted: Option<u64>) -> Result<(TriageRun, TriageArgs, ActionsEnv), String> {
        let mut last = "no run of it is done yet: the reports of its tests are not known".to_owned();
        for ended in self.runs(wanted)?.into_iter().take(RUNS) {
            let mut around = self.around.clone();
            around.event.occasion = Trigger::WorkflowRun(Box::new(ended));
            let mut args = self.args.clone();
            (args.json, args.plan, args.summary) = (None, None, None);
            match TriageRun::prepare(&args, Some(&around)) {
                Ok(mut job) => {
                    job.stand_at(self.thread.pull.clone(), self.guards());
                    *self.judged.borrow_mut() = job.scene();
                    return Ok((job, args, around));
                }
                Err(problem) => {
                    last = chain(&problem);
                    last.extend(problem.hints.iter().map(|hint| format!(": {hint}")));
                }
            }
        }
        Err(last)
    }

    fn runs(&self, wanted: Option<u64>) -> Result<Vec<CompletedRun>, String> {
        let told = |trouble: crate::ports::ForgeError| trouble.to_string();
        let head = self.thread.pull.as_ref().map(|pull| pull.head_sha.as_str());
        let is_default = |run: &CompletedRun| run.is_of_default(&self.scene.repository, &self.scene.default_branch);
        let fits = |run: &CompletedRun| head.map_or_else(|| is_default(run), |head| run.head_sha == head);
        if let Some(id) = wanted {
            let run = self.forge.ended_run(id).map_err(told)?;
            if !fits(&run) {
                let of = head.map_or("the default branch", |_| "the head of this pull request");
                return Err(format!("run {id} is none of {of}"));
            }
            return Ok(vec![run]);
        }
        // A run that an issue names counts where it is one of the default branch.
        if let Some(run) = self.last_seen().and_then(|run| self.forge.ended_run(run).ok()).filter(fits) {
            return Ok(vec![run]);
        }
        let mut runs = self.forge.runs_of(head, Some(&self.scene.default_branch)).map_err(told)?;
        runs.retain(fits);
        // What failed is asked about: among runs of the same commit that come first.
        runs.sort_by_key(|run| (run.conclusion == "success", std::cmp::Reverse(run.id)));
        Ok(runs)
    }

    /// The run in which the failure of this issue was last seen, where it is one of ours.
    fn last_seen(&self) -> Option<u64> {
        self.own_issue()?.state()?.seen.first()?.run
    }

    /// The issue of ours that the comment stands on.
    pub(super) fn own_issue(&self) -> Option<crate::plan::snapshot::BotIssue> {
        if self.remark.on_pull { None } else { self.forge.issue(self.remark.on).ok() }
    }
}

/// The diagnosis that a person means: by its key or its fingerprint, or by a test of it.
pub(super) fn select<'f>(found: &'f Findings, wanted: &str) -> Option<&'f Diagnosis> {
    let by_key = |d: &&Diagnosis| d.id == wanted || d.fingerprint.to_string() == wanted;
    let by_test = |d: &&Diagnosis| d.members.iter().any(|member| found.case(*member).is_called(wanted));
    found.diagnoses.iter().find(by_key).or_else(|| found.diagnoses.iter().find(by_test))
}
