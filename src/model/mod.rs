//! The vocabulary. Nothing here imports another room of the house.
//!
//! * [`text`]: [`Untrusted`](text::Untrusted) text from outside, and how it is cleaned and bounded;
//! * [`mod@test`]: test case, attempt, outcome, failure, and the identity of a test;
//! * [`failure`]: fingerprint and signal, what is remembered of a failure;
//! * [`run`]: what one report file tells, and the facts about the CI run it came from;
//! * [`change`]: commits and the lines they touch;
//! * [`forge`]: the repository, pull request and event that a run belongs to;
//! * [`secret`]: values that hide themselves, and texts in which secrets are masked;
//! * [`chat`]: what is said to a model of language, and what it says;
//! * [`time`]: points in time as the core sees them.

pub mod change;
pub mod chat;
pub mod command;
pub mod exchange;
pub mod execution;
pub mod failure;
pub mod forge;
pub mod heal;
pub mod mutant;
pub mod run;
pub mod secret;
pub mod test;
pub mod text;
pub mod time;
