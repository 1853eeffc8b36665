//! `plan.json`: a plan that another job carries out.
//!
//! A plan that was written by a job with few rights (the run of a fork) and
//! carried out by one with more is untrusted input: see [`super::plan_validation`].

use serde::{Deserialize, Serialize};

use crate::model::forge::{RepoSlug, RunContext};
use crate::plan::action::{Action, ActionResult, Plan, Planned, Precondition, SkippedAction};

/// The value of the field `schema`.
pub const SCHEMA: &str = "testmedic.plan/1";
/// Bytes of a plan that are read.
pub const LIMIT: u64 = 16 << 20;
/// Actions of a plan that are read.
pub const ACTIONS: usize = 200;

/// A plan with what it is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedPlan {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// Repository it is for.
    pub repository: String,
    /// Commit that was tested.
    pub head: String,
    /// Pull request.
    pub pull: Option<u64>,
    /// Workflow run that wrote it.
    pub run: Option<u64>,
    /// Attempt of that run.
    pub attempt: u32,
    /// What to do.
    pub actions: Vec<SavedAction>,
    /// What is not done, and why.
    pub withheld: Vec<SkippedAction>,
}

/// One action of a saved plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedAction {
    /// See [`Planned::id`].
    pub id: String,
    /// Why.
    pub because: String,
    /// In one line.
    pub title: String,
    /// Where.
    pub target: String,
    /// What to do.
    pub action: Action,
    /// What must hold.
    pub guards: Vec<Precondition>,
    /// What came of it, where it was carried out already.
    pub receipt: Option<String>,
}

/// What is wrong with a file that should be a plan.
#[derive(Debug, thiserror::Error)]
pub enum BadPlan {
    /// It is not JSON, or not of this form.
    #[error("it is not a plan: {0}")]
    NotAPlan(String),
    /// It has another version.
    #[error("its schema is `{0}`, this testmedic reads `{SCHEMA}`")]
    OtherSchema(String),
    /// It is too large.
    #[error("it holds {0} actions, more than {ACTIONS}")]
    TooMany(usize),
}

impl SavedPlan {
    /// A plan as it is saved.
    #[must_use]
    pub fn of(plan: &Plan, scene: &RunContext) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            repository: scene.repository.to_string(),
            head: scene.head.clone(),
            pull: scene.pull.as_ref().map(|p| p.number),
            run: scene.run,
            attempt: scene.attempt,
            actions: plan.actions.iter().map(save).collect(),
            withheld: plan.withheld.clone(),
        }
    }

    /// Reads a saved plan.
    ///
    /// # Errors
    /// [`BadPlan`].
    pub fn parse(text: &str) -> Result<Self, BadPlan> {
        let value: serde_json::Value = serde_json::from_str(text).map_err(|e| BadPlan::NotAPlan(e.to_string()))?;
        match value["schema"].as_str() {
            Some(SCHEMA) => {}
            Some(other) => return Err(BadPlan::OtherSchema(other.chars().take(60).collect())),
            None => return Err(BadPlan::NotAPlan("it has no `schema`".to_owned())),
        }
        let plan: Self = serde_json::from_value(value).map_err(|e| BadPlan::NotAPlan(e.to_string()))?;
        if plan.actions.len() > ACTIONS {
            return Err(BadPlan::TooMany(plan.actions.len()));
        }
        Ok(plan)
    }

    /// The repository, if it is the name of one.
    #[must_use]
    pub fn slug(&self) -> Option<RepoSlug> {
        RepoSlug::parse(&self.repository)
    }
}

fn save(planned: &Planned) -> SavedAction {
    SavedAction {
        id: planned.id.clone(),
        because: planned.because.clone(),
        title: planned.title.clone(),
        target: planned.target.clone(),
        action: planned.action.clone(),
        guards: planned.guards.clone(),
        receipt: planned.receipt.as_ref().map(ActionResult::word),
    }
}
