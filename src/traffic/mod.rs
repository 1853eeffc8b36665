//! The memory of an API: endpoints as templates of their paths, the shapes of
//! their answers, and how they changed.

pub mod api_model;
pub mod drift;
pub mod formats;
pub mod shape;
pub mod template;
