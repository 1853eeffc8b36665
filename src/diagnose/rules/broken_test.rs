//! Broken test: the test itself cannot work as it is written.

use super::weights as w;
use super::{EvidenceSink, RuleInput, count};
use crate::diagnose::verdict::Verdict::BrokenTest;
use crate::ingest::source_location::is_test_path;
use crate::model::failure::Signal;

/// Errors that come from how code is written rather than from what it computes.
const PROGRAMMING: &[&str] = &[
    "NameError",
    "SyntaxError",
    "IndentationError",
    "ImportError",
    "ModuleNotFoundError",
    "AttributeError",
    "TypeError",
    "ReferenceError",
    "NoSuchMethodError",
    "NoClassDefFoundError",
    "UnboundLocalError",
    "NoMethodError",
    "ArgumentError",
];

pub(super) fn testify(file: &RuleInput<'_>, out: &mut EvidenceSink) {
    if file.cases.iter().all(|c| c.is_flaky()) {
        return;
    }
    if file.signal == Some(Signal::TestSetup) {
        let quote = file.prints.first().map_or("", |p| crate::model::text::first_line(&p.masked, 160));
        out.add(
            BrokenTest,
            "cannot-load",
            w::CANNOT_LOAD,
            format!("{}: {quote}", Signal::TestSetup.phrase()),
            "this report",
        );
    }
    let frame = file.prints.iter().find_map(|p| p.frames.first());
    let programming = file.prints.first().is_some_and(|p| PROGRAMMING.iter().any(|k| p.kinds.contains(k)));
    if let Some(frame) = frame.filter(|f| f.in_test && programming) {
        out.add(
            BrokenTest,
            "test-code-fails",
            w::TEST_CODE_FAILS,
            format!("the error arises in test code, {}", frame.file),
            format!("{}:{}", frame.file, frame.line),
        );
    }
    let past = file.lead();
    if past.never_passed() && past.counted.len() >= 3 {
        out.add(
            BrokenTest,
            "never-passed",
            w::NEVER_PASSED * (past.counted.len() as f64).ln(),
            format!("never passed in {}", count(past.counted.len(), "earlier run")),
            file.runs(&past.counted),
        );
    }
    only_test_changed(file, out);
}

fn only_test_changed(file: &RuleInput<'_>, out: &mut EvidenceSink) {
    let past = file.lead();
    let Some(test_file) = file.cases[0].place.as_ref().map(|p| p.file.raw()) else {
        return;
    };
    let changed = || file.commits.iter().flat_map(|c| &c.files);
    let own = changed().any(|f| crate::diagnose::frames::short(&f.path) == crate::diagnose::frames::short(test_file));
    if own && past.last_good.is_some() && changed().all(|f| is_test_path(&f.path)) {
        out.add(
            BrokenTest,
            "only-the-test-changed",
            w::ONLY_TEST_CHANGED,
            format!("{test_file} changed in the window and no product code did"),
            "git log of the window",
        );
    }
}
