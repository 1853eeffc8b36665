//! testmedic reads test results, finds out why tests failed, and says so with evidence.
pub mod ingest;
pub mod model;
