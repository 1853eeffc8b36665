//! What people said about tests: the quarantine of the default branch, and their words.

use super::TriageRun;
use crate::adapters::files;
use crate::adapters::git::Git;
use crate::adapters::github::read_or_note;
use crate::adapters::store::sqlite::SqliteStore;
use crate::pipeline::people;
use crate::pipeline::{TriageResult, chain};
use crate::plan::feedback_issue;
use crate::plan::quarantine;

/// Whether what is checked out, or the default branch as it was fetched, has one.
fn knows_one(git: &Git, default: &str) -> bool {
    let there =
        |revision: &str| git.resolve(revision).is_some_and(|commit| git.text_at(&commit, quarantine::PATH).is_some());
    there("HEAD") || there(&format!("refs/remotes/origin/{default}"))
}

impl TriageRun {
    /// Hears it, where something failed that it may be about.
    pub(super) fn hear_people(&mut self, triage: &mut TriageResult, store: Option<&SqliteStore>) {
        if triage.found.diagnoses.is_empty() || self.forbidden.is_some() {
            return;
        }
        let (entries, wrong) = self.quarantine().map(|text| quarantine::read(&text)).unwrap_or_default();
        self.notes.extend(wrong);
        let issues = self.forge.as_ref().filter(|_| self.policy.issues.enabled);
        let issues = issues.and_then(|forge| read_or_note(forge, "the issues", |f| f.reader().issues()));
        let words = match &issues {
            Some(issues) => feedback_issue::read_all(issues),
            // Where the forge does not tell, what was kept of it does.
            None => store.and_then(|store| store.words().ok()).unwrap_or_default(),
        };
        people::apply_feedback(&mut triage.found, &entries, &words);
        self.words = issues.is_some().then_some(words);
        *self.issues.borrow_mut() = issues;
    }

    /// Keeps what people said beside the runs that it is about.
    pub(super) fn keep_words(&mut self, store: Option<&mut SqliteStore>) {
        let (Some(words), Some(store)) = (&self.words, store) else { return };
        if let Err(problem) = store.keep_words(words) {
            self.notes.push(format!("what people said is not kept: {}", chain(&problem)));
        }
    }

    /// The quarantine: where there is a forge that of the default branch, for whoever
    /// opens a pull request must not take tests out of it by that.
    fn quarantine(&mut self) -> Option<String> {
        if let (Some(forge), Some(scene)) = (&self.forge, &self.scene) {
            // A checkout that has none saves the question. Who takes it out of a pull
            // request is judged the stricter for it.
            if self.git.as_ref().is_some_and(|git| !knows_one(git, &scene.default_branch)) {
                return None;
            }
            let read = read_or_note(forge, "the quarantine", |f| f.file(quarantine::PATH, &scene.default_branch));
            return read.flatten();
        }
        let git = self.git.as_ref()?;
        if let Some(scene) = &self.scene {
            // What is checked out is what the pull request brings along.
            let default = git.resolve(&format!("refs/remotes/origin/{}", scene.default_branch))?;
            return git.text_at(&default, quarantine::PATH);
        }
        let path = git.top()?.join(quarantine::PATH);
        if !path.is_file() {
            return None;
        }
        files::read_text(&path).map_err(|problem| self.notes.push(chain(&problem))).ok()
    }
}
