//! Test sources: find a test, what it asserts, and the literal behind a
//! mismatch; edit it; and the guards that no patch may break.

pub mod assertion;
pub mod cases;
pub mod difference;
pub mod edit;
pub mod expr;
pub mod guards;
pub mod hunks;
pub mod inline;
pub mod language;
pub mod lower;
pub mod marks;
pub mod patch;
pub mod printed;
pub mod source;
pub mod spec;
pub mod style;
pub mod value;
pub mod writing;
