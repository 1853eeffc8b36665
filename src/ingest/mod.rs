//! Bytes of reports → test runs, cases and attempts.
//!
//! Reading never fails as a whole: what was good is kept, what was not becomes
//! a [`ParseIssue`](crate::model::run::ParseIssue) that names file, place and remedy.
//!
//! The line through this room: [`source`] turns any bytes into bounded UTF-8,
//! [`junit`] streams elements out of it with quick-xml, [`attempts`] puts
//! retries of one case together, [`identity`] names the case. [`unsupported`]
//! recognises files that are not JUnit, [`archive`] opens zip and gzip,
//! [`variants`] tells matrix legs apart, [`junit_parser_compat`] converts junit-parser's model.

pub mod archive;
pub mod attempts;
pub mod command;
pub mod console;
pub mod dialects;
pub mod event;
pub mod identity;
pub mod junit;
pub mod junit_parser_compat;
pub mod source;
pub mod source_location;
pub mod traffic;
pub mod unsupported;
pub mod variants;
