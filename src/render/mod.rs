//! The only door from untrusted text to what people read: each function
//! escapes for one place.

pub mod markdown;
pub mod terminal;
