//! Test runs and their history → groups of failures that share a cause, each
//! with a verdict and the evidence for it. All of it is pure.
//!
//! The line through this room: [`fingerprint`] (with [`mask`] and [`frames`])
//! makes failures comparable, [`signal`] reads what they say about the world,
//! [`cluster`] and [`group`] put together what belongs together, [`test_history`]
//! and [`changepoint`] read the past, [`suspects`] and [`mismatch`] read the
//! change, [`rules`] weigh the evidence, [`verdict`] sums it up and
//! [`severity`] says how much it matters.

pub mod changepoint;
pub mod cluster;
pub mod embedding;
pub mod findings;
pub mod fingerprint;
pub mod frames;
pub mod group;
pub mod incident;
pub mod lexical;
pub mod mask;
pub mod mismatch;
pub mod past_failures;
pub mod reproduce;
pub mod rules;
pub mod severity;
pub mod signal;
pub mod similarity;
pub mod spec_conformance;
pub mod suspects;
pub mod test_history;
pub mod traffic;
pub mod verdict;
