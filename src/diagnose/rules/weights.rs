//! Every weight in one place, in log-odds: +0.7 doubles the odds of a verdict,
//! +2.3 makes them ten times as high. Where no measurement is named, a weight
//! is a judgement that the tests in `tests/suite/verdicts.rs` hold to its purpose.

use crate::diagnose::verdict::Verdict;

/// Odds before anything is known of a failure. Regressions are what a red run
/// is usually about; outdated tests and broken surroundings need evidence.
#[must_use]
pub fn prior(verdict: Verdict) -> f64 {
    match verdict {
        Verdict::Regression => -0.5,
        Verdict::Flaky => -1.0,
        Verdict::OutdatedTest | Verdict::BrokenTest | Verdict::Environment => -1.5,
        Verdict::RateLimited => -2.0,
        Verdict::Undecided => 0.0,
    }
}

/// A failed and a passed attempt in one run: the definition of flaky (E1).
pub const PASSED_ON_RETRY: f64 = 6.0;
/// The same commit and leg passed in another run: nothing changed but luck (E2).
pub const SAME_COMMIT_PASSED: f64 = 4.0;
/// Two or more commits with both outcomes. On FlakeFlagger's 811 flaky tests
/// this rule finds 39 % within 100 runs, against 26 % for a rate of 10 %.
pub const MIXED_COMMITS: f64 = 3.0;
/// One commit with both outcomes: suspect, not convicted.
pub const MIXED_COMMIT: f64 = 1.2;
/// Short failures between passes (E3), by how many there were. One may be a
/// bug that was fixed at once; five are not.
pub const SANDWICHES: [f64; 5] = [0.7, 1.8, 2.8, 3.2, 3.6];
/// The present failure looks like one that flaked before.
pub const SAME_AS_FLAKE: f64 = 1.5;
/// The same failure on other branches: not this change's doing (Dr. CI's rule).
pub const OTHER_BRANCHES: f64 = 1.0;
/// A time-out without history is more often luck than a defect.
pub const TIME_OUT_FLAKES: f64 = 0.8;
/// A test that never passed is not flaky, whatever else is said.
pub const NEVER_PASSED_NOT_FLAKY: f64 = -8.0;
/// It failed in the one or two runs that are known: a hint, no proof.
pub const SELDOM_RAN_NOT_FLAKY: f64 = -2.0;
/// Three or more failures in a row since the last pass: solid.
pub const SOLID_NOT_FLAKY: f64 = -2.5;
/// All attempts of this run failed alike.
pub const REPEATED_NOT_FLAKY: f64 = -1.0;
/// Many clean runs and no flake among them.
pub const CLEAN_PAST_NOT_FLAKY: f64 = -0.7;

/// Clean passes before the failure: factor on ln(1 + n). 5 → 2.0, 20 → 3.3.
pub const CLEAN_BEFORE: f64 = 1.1;
/// Failing runs in a row, the present one included: factor on ln(n). 2 → 0.8, 5 → 1.9.
pub const STREAK: f64 = 1.2;
/// All attempts of this run failed: reproducible.
pub const REPRODUCED: f64 = 0.8;
/// Three or more tests that passed before fail alike at once.
pub const TOGETHER: f64 = 0.7;
/// A commit in the window touches what the failure names: factor on its score.
pub const SUSPECT: f64 = 2.0;
/// The failing frame is in product code.
pub const PRODUCT_FRAME: f64 = 0.6;
/// A server error or crash: what a bug looks like.
pub const SERVER_ERROR: f64 = 0.8;
/// The failure rate changed at a point (LUCI's Bayesian test).
pub const CHANGE_POINT: f64 = 0.8;
/// Nothing is known of the test before.
pub const NO_PAST: f64 = -1.0;
/// It failed and passed by turns before: what is new about it?
pub const FLAKY_PAST_NOT_REGRESSION: f64 = -2.5;
/// For each earlier sandwich, up to four.
pub const SANDWICH_NOT_REGRESSION: f64 = -0.6;
/// The same commit passed elsewhere.
pub const PASSED_HERE_NOT_REGRESSION: f64 = -3.0;
/// The text names a cause outside.
pub const OUTSIDE_NOT_REGRESSION: f64 = -3.5;
/// Only tests changed in the window: the product cannot have broken.
pub const ONLY_TESTS_CHANGED: f64 = -1.5;
/// The change moved the expected value on purpose (old one out, new one in).
pub const INTENDED_NOT_REGRESSION: f64 = -3.5;

/// Old expected value in removed product lines, actual value in added ones.
pub const VALUE_MOVED: f64 = 3.5;
/// Only one of the two: the expected value is gone.
pub const VALUE_GONE: f64 = 1.2;
/// Only one of the two: the actual value is new.
pub const VALUE_NEW: f64 = 1.0;
/// A specification, schema or changelog of the window holds the actual value.
pub const VALUE_SPECIFIED: f64 = 1.5;
/// Sister tests were updated from the same old to the same new value.
pub const SISTERS_UPDATED: f64 = 1.8;
/// Other tests fail with the same pair of values; each, up to three.
pub const SAME_PAIR: f64 = 0.5;
/// An actual value that is an error or nothing is never an intended change.
pub const ERROR_VALUE_VETO: f64 = -8.0;
/// The failure is no comparison.
pub const NO_MISMATCH: f64 = -3.0;
/// Flaky or repeatedly different results are no intended change.
pub const UNSTABLE_NOT_OUTDATED: f64 = -3.0;

/// The text says "too many requests".
pub const RATE_LIMIT_TEXT: f64 = 5.0;
/// Several tests were refused at once.
pub const RATE_LIMIT_TOGETHER: f64 = 0.7;

/// A service refused a request of the test: its answer is there to be read.
pub const REFUSED: f64 = 4.0;
/// A request of the test got no answer at all.
pub const NO_ANSWER: f64 = 3.0;
/// The last answer that the test got came from a gateway.
pub const GATEWAY: f64 = 2.0;
/// The service refused a body that lacks what the API description requires.
pub const LACKS_REQUIRED: f64 = 4.0;
/// A model's reading, at most: with what the rules found it can settle what they left
/// open, alone it cannot.
pub const MODEL: f64 = 2.0;
/// The last answer was an error of the service itself.
pub const ANSWERED_500: f64 = 1.0;

/// The text names a broken connection, name, disk …
pub const OUTSIDE_TEXT: f64 = 3.5;
/// A gateway error or a time-out may be either.
pub const WEAK_OUTSIDE_TEXT: f64 = 1.0;
/// Many tests of the run share it.
pub const OUTAGE: f64 = 1.5;
/// Nearly the whole run failed and nothing says why.
pub const MOST_FAILED: f64 = 1.0;
/// The same failure hit before in runs that were broken from outside.
pub const OUTSIDE_BEFORE: f64 = 0.8;
/// It goes on for several runs on changed code: rather a defect by now.
pub const OUTSIDE_PERSISTS: f64 = -1.0;

/// The test cannot be loaded or set up: fixture, syntax, collection.
pub const CANNOT_LOAD: f64 = 3.5;
/// A programming error with its innermost own frame in test code.
pub const TEST_CODE_FAILS: f64 = 2.2;
/// It never passed in at least three earlier runs; factor on ln(n).
/// Three runs stay undecided, four are enough.
pub const NEVER_PASSED: f64 = 2.3;
/// The window changes the test file and no product code.
pub const ONLY_TEST_CHANGED: f64 = 2.0;

/// By itself a test fails as it did among the others: order is no explanation.
pub const FAILS_ALONE: f64 = -1.0;
/// On the same code it passed when it was run again.
pub const PASSED_AGAIN: f64 = 4.0;
/// It passes alone and fails behind certain other tests: they leave something behind.
pub const POLLUTED: f64 = 5.0;

/// A person who may write to the repository said so: as much as three failures between
/// passes, less than a proof.
pub const PERSON: f64 = 2.8;

/// The healer's four corners hold: the old test passed on the old code and fails
/// on the new, the edited one the other way round.
pub const PROVEN_OUTDATED: f64 = 4.0;
/// The old test passed on the old code and fails on the new each time, and
/// nothing in the change asks for what came.
pub const PROVEN_BROKEN: f64 = 3.0;
