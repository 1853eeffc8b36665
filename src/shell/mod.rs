//! The world: files, clock, environment, processes, git, SQLite, the terminal.
//! Nothing in here judges.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "effects live here; everywhere else they are banned"
)]

pub mod actions;
pub mod author;
pub mod beneath;
mod container;
pub mod demo;
pub mod desk;
pub mod ending;
pub mod files;
pub mod git;
pub mod github;
pub mod laid;
pub mod llm;
pub mod process;
pub mod progress;
pub mod recorder;
pub mod runner;
pub mod shield;
pub mod stage;
pub mod store;
pub mod suite;
pub mod surroundings;
pub mod ward;
pub mod workshop;
