//! The roles: what each concludes from what it was shown. Nothing here touches
//! the world; running tests and reading files is asked for.

pub mod analyzer;
pub mod brief;
pub mod generator;
pub mod grounding;
pub mod healer;
pub mod lookup;
pub mod purse;
pub mod retrier;
pub mod session;
pub mod team;
pub mod tools;
pub mod until;
