//! Parses any text as a source file of each language and runs the guards on it as a new file. Both must
//! terminate without a panic.
//!
//! `cargo +nightly fuzz run source tests/guards tests/healing`
#![no_main]

use libfuzzer_sys::fuzz_target;
use testmedic::code::guards::{self, Bounds, FilePatch};
use testmedic::code::source::Source;

/// A test file of each language.
const PATHS: [&str; 10] = [
    "tests/test_a.py",
    "tests/a.test.js",
    "tests/a.test.ts",
    "tests/a.test.tsx",
    "src/test/java/ATest.java",
    "src/test/kotlin/ATest.kt",
    "a_test.go",
    "tests/a.rs",
    "spec/a_spec.rb",
    "tests/ATest.php",
];

fuzz_target!(|input: (u8, &str)| {
    let (which, text) = input;
    let path = PATHS[usize::from(which) % PATHS.len()];
    let Some(source) = Source::parse(path, text) else { return };
    let _ = source.is_broken();
    let file = FilePatch { path: path.to_owned(), new: Some(text.to_owned()), ..FilePatch::default() };
    let _ = guards::check(&[file], &Bounds::default());
});
