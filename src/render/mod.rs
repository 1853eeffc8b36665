//! The only door from untrusted text to what people read: each function
//! escapes for one place. [`message`] holds the messages themselves, one
//! function each.

pub mod curl;
pub mod markdown;
pub mod message;
pub mod plural;
pub mod terminal;
pub mod transcript;
