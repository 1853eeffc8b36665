//! Any bytes as a report: no panic, and every count adds up.
//!
//! `cargo +nightly fuzz run junit fixtures/junit/*`
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for run in testmedic::ingest::junit::read_all("fuzz", bytes) {
        let t = run.totals;
        assert_eq!(t.tests, t.passed + t.failed + t.errored + t.skipped);
        assert_eq!(t.tests, (run.quiet.len() + run.cases.len()) as u64);
        assert!(t.tests > 0 || run.worst().is_some(), "silence looks like success");
        for case in &run.cases {
            assert!(!case.attempts.is_empty());
            let _ = testmedic::diagnose::fingerprint::fingerprint(case);
            let _ = testmedic::diagnose::signal::read(case);
            let _ = case.failure().and_then(testmedic::diagnose::mismatch::read);
        }
    }
});
