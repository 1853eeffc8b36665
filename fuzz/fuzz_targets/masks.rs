//! Any text through everything that masks, cleans or names: no panic, and what
//! must be stable is.
//!
//! `cargo +nightly fuzz run masks`
#![no_main]

use libfuzzer_sys::fuzz_target;
use testmedic::diagnose::{frames, mask};
use testmedic::ingest::identity;
use testmedic::model::text;

fuzz_target!(|input: &str| {
    let clean = text::clean(input);
    assert_eq!(text::clean(&clean), clean);
    let canonical = identity::canonical(input).into_owned();
    assert_eq!(identity::canonical(&canonical), canonical);
    let _ = mask::mask(input, 1500);
    let _ = frames::own_frames(input, 5);
    for limit in [0, 1, 7, 100] {
        assert!(text::head(input, limit).len() <= limit);
        let _ = text::elide(input, limit);
        let _ = testmedic::render::markdown::code(input, limit.max(1));
        let _ = testmedic::render::terminal::line(input, limit.max(1));
    }
});
