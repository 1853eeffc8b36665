//! Test sources: find a test, what it asserts, and the literal behind a
//! mismatch; edit it; and the guards that no patch may break.

pub mod assertion;
pub mod edit;
pub mod expr;
pub mod guards;
pub mod hunks;
pub mod language;
pub mod literal_writer;
pub mod lower;
pub mod openapi;
pub mod patch;
pub mod repr_parser;
pub mod rust_inline_tests;
pub mod skip_markers;
pub mod source;
pub mod style;
pub mod test_discovery;
pub mod value;
pub mod value_diff;
