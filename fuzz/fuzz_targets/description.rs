//! Parses any text as an API description: it must terminate without a panic, whatever the references.
//!
//! `cargo +nightly fuzz run description fixtures/demo`
#![no_main]

use libfuzzer_sys::fuzz_target;
use testmedic::code::openapi;

fuzz_target!(|text: &str| {
    let operations = openapi::read(text);
    for operation in operations.iter().take(20) {
        let _ = openapi::find(&operations, &operation.method, &operation.path);
    }
});
