//! The memory of an API: endpoints as templates of their paths, the shapes of
//! their answers, and how they changed.

pub mod drift;
pub mod formats;
pub mod memory;
pub mod shape;
pub mod template;
