//! Stores of history.

pub mod sqlite;
