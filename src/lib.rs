//! testmedic reads test results, finds out why tests failed, and says so with
//! evidence that a person can check.
//!
//! The programme is one line, [`pipeline::triage`]: ingest → history → diagnose →
//! plan → report. What judges is pure; what touches the world is in [`adapters`].

pub mod adapters;
pub mod agent;
pub mod apply;
pub mod cli;
pub mod code;
pub mod diagnose;
pub mod error;
pub mod history;
pub mod ingest;
pub mod investigate;
pub mod model;
pub mod pipeline;
pub mod plan;
pub mod ports;
pub mod render;
pub mod report;
pub mod traffic;
