//! The world: files, clock, environment, processes, git, SQLite, the terminal.
//! Nothing in here judges.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "effects live here; everywhere else they are banned"
)]

pub mod actions_env;
mod container;
pub mod demo;
pub mod directory;
pub mod files;
pub mod fixture_repo;
pub mod git;
pub mod github;
pub mod heal;
pub mod llm;
pub mod process;
pub mod progress;
pub mod recorder;
pub mod recording_sandbox;
pub mod repo_tools;
pub mod runner;
pub mod sandbox;
pub mod secret_env;
pub mod shutdown;
pub mod store;
pub mod system;
pub mod test_writer;
pub mod user_command;
