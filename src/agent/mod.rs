//! The roles: what each concludes from what it was shown. Nothing here touches
//! the world; running tests and reading files is asked for.

pub mod analyzer;
pub mod budget;
pub mod generator;
pub mod grounding;
pub mod handoff;
pub mod healer;
pub mod prompt_context;
pub mod retrier;
pub mod session;
pub mod termination;
pub mod tool_results;
pub mod tools;
