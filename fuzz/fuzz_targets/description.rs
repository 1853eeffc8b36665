//! Any text as an API description: read to its end, whatever refers to what, without a panic.
//!
//! `cargo +nightly fuzz run description fixtures/demo`
#![no_main]

use libfuzzer_sys::fuzz_target;
use testmedic::code::spec;

fuzz_target!(|text: &str| {
    let operations = spec::read(text);
    for operation in operations.iter().take(20) {
        let _ = spec::find(&operations, &operation.method, &operation.path);
    }
});
