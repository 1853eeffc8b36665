//! Jobs that a comment asks for: on the commit of its thread, and only what was asked.

use crate::adapters::github::GitHub;
use crate::adapters::heal::RepoHealer;
use crate::adapters::store::sqlite::SqliteStore;
use crate::model::command::DeliveryMode;
use crate::model::forge::{PullRequestRef, RunContext};
use crate::pipeline::TriageResult;
use crate::plan::action::Precondition;

use super::TriageRun;

/// What a person asks for in a comment.
pub(in crate::cli) enum RequestedWork {
    /// Tests are repaired.
    Heal {
        /// Parts of the names of those that are meant; all where there are none.
        only: Vec<String>,
        /// Who answers for it that they are outdated.
        insisted: Option<String>,
    },
    /// Tests are written.
    Generate {
        /// Endpoints that are meant; all where there are none.
        only: Vec<String>,
    },
}

/// A run that was judged, and nothing else.
pub(in crate::cli) struct Evaluated {
    pub triage: TriageResult,
    pub scene: RunContext,
    /// What else is to say.
    pub notes: Vec<String>,
    /// The history.
    pub store: Option<SqliteStore>,
}

impl TriageRun {
    /// Works on the commit of a thread: on its pull request, where it is one. Before each
    /// write `guards` are asked besides.
    pub(in crate::cli) fn stand_at(&mut self, pull: Option<PullRequestRef>, guards: Vec<Precondition>) {
        self.guards = guards;
        if let Some(scene) = &mut self.scene {
            scene.pull = scene.pull.take().or(pull);
        }
    }

    /// Learns from earlier runs although nothing failed.
    pub(in crate::cli) fn learning(mut self) -> Self {
        self.learns = true;
        self
    }

    /// Does what a person asks for, where the policy leaves it to people.
    pub(in crate::cli) fn ask(&mut self, asked: RequestedWork, offer: Option<DeliveryMode>) {
        let is_pull = self.scene.as_ref().is_some_and(|scene| scene.pull.is_some());
        let is_foreign = self.scene.as_ref().is_some_and(|scene| scene.is_foreign);
        match &asked {
            RequestedWork::Heal { .. } => self.policy.allow_heal_on_command(offer, is_pull, is_foreign),
            RequestedWork::Generate { .. } => self.policy.allow_generate_on_command(is_foreign),
        }
        self.asked = Some(asked);
    }

    /// Where it works.
    pub(in crate::cli) fn scene(&self) -> Option<RunContext> {
        self.scene.clone()
    }

    /// Whether anything is known of what the tests asked services.
    pub(in crate::cli) fn knows_traffic(&self) -> bool {
        self.exchanges.iter().any(|exchange| exchange.test.is_some())
    }

    /// The repository at the tested commit, to run tests in.
    pub(in crate::cli) fn ward(&self) -> Result<RepoHealer, String> {
        if let Some(why) = self.scene.as_ref().and_then(|scene| self.lacks_checkout(&scene.head)) {
            return Err(why);
        }
        self.ward_of().ok_or_else(|| "there is no checkout to run tests in".to_owned())
    }

    /// Judges, and does nothing else; `learns` tells whether the history may be written.
    pub(in crate::cli) fn look(mut self, learns: bool) -> Result<Evaluated, String> {
        let mut store = self.open_store(learns);
        self.learn_earlier(&mut store);
        let triage = self.judge(store.as_ref());
        self.keep_words(store.as_mut().filter(|_| learns));
        let mut notes: Vec<String> = std::mem::take(&mut self.notes);
        notes.extend(self.forge.iter().flat_map(GitHub::take_notes));
        let scene = self.scene.ok_or_else(|| "where the run belongs is not known".to_owned())?;
        Ok(Evaluated { triage, scene, notes, store })
    }
}
