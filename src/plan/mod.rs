//! What is to be written to the world, as values: the policy that allows it,
//! the snapshot of the forge it is decided on, typed actions with guards, what
//! is withheld and why, and the admission of a plan that somebody else wrote.
//!
//! The line through this room: [`policy`] and [`snapshot`] are read,
//! [`planner`] decides, [`action`] holds the decisions, [`plan_file`] writes and
//! reads them as `plan.json`, [`plan_validation`] judges a saved plan anew, [`preview`]
//! prints one for people.

pub mod action;
pub mod authorization;
pub mod codeowners;
pub mod feedback_issue;
pub mod maintenance;
pub mod marker;
pub mod plan_file;
pub mod plan_validation;
pub mod planner;
pub mod policy;
pub mod pr_diff;
pub mod preview;
pub mod quarantine;
pub mod reply;
pub mod snapshot;
pub mod texts;

pub use action::{Action, ActionResult, Plan, Planned, Precondition, SkippedAction};
