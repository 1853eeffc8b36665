//! What people said about tests: the quarantine of the default branch, and their words.

use super::Job;
use crate::plan::ledger;
use crate::plan::quarantine;
use crate::run::people;
use crate::run::{Triage, chain};
use crate::shell::files;
use crate::shell::github::read_or_note;

impl Job {
    /// Hears it, where something failed that it may be about.
    pub(super) fn hear_people(&mut self, triage: &mut Triage) {
        if triage.found.diagnoses.is_empty() || self.forbidden.is_some() {
            return;
        }
        let (entries, wrong) = self.quarantine().map(|text| quarantine::read(&text)).unwrap_or_default();
        self.notes.extend(wrong);
        let issues = self.forge.as_ref().filter(|_| self.policy.issues.enabled);
        let issues = issues.and_then(|forge| read_or_note(forge, "the issues", |f| f.reader().issues()));
        let words = ledger::words(issues.as_deref().unwrap_or_default());
        *self.issues.borrow_mut() = issues;
        people::listen(&mut triage.found, &entries, &words);
    }

    /// The quarantine: where there is a forge that of the default branch, for whoever
    /// opens a pull request must not take tests out of it by that.
    fn quarantine(&mut self) -> Option<String> {
        if let (Some(forge), Some(scene)) = (&self.forge, &self.scene) {
            let read = read_or_note(forge, "the quarantine", |f| f.file(quarantine::PATH, &scene.default_branch));
            return read.flatten();
        }
        let path = self.git.as_ref()?.top()?.join(quarantine::PATH);
        if !path.is_file() {
            return None;
        }
        files::read_text(&path).map_err(|problem| self.notes.push(chain(&problem))).ok()
    }
}
