//! The tests of the whole program, in one crate: they share the built binary
//! and [`support`].

#![allow(
    dead_code,
    missing_docs,
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::allow_attributes,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests touch the world, and stop at the first surprise"
)]

mod bad_input;
mod bounds;
mod commands;
mod container;
mod counsel;
mod delivery;
mod differences;
mod escapes;
mod fixtures;
mod generating;
mod github;
mod guards;
mod healing;
mod history;
mod house;
mod mismatches;
mod model;
mod offering;
mod on_github;
mod pages;
mod retrying;
mod scenarios;
mod similar;
mod stories;
mod support;
mod thinking;
mod traffic;
mod verdicts;
mod wire;
