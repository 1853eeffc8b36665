//! Results in other forms than JUnit XML, for runners that write none by
//! themselves: Jest's and Mocha's JSON, RSpec's JSON, `go test -json`, and what
//! Rust's test harness prints.

mod go;
mod libtest;
mod script;

pub use go::go;
pub use libtest::libtest;
pub use script::{jest, mocha, rspec};

use crate::model::execution::TestResult;
use crate::model::run::TestRun;
use crate::model::test::{Failure, Outcome, TestName};
use crate::model::text::{Untrusted, first_line};

/// Bytes kept of what is written about a failure.
const TEXT: usize = 256 << 10;

/// The cases of a JUnit report, loud and quiet.
#[must_use]
pub fn of_report(run: &TestRun) -> Vec<TestResult> {
    let mut found: Vec<TestResult> = run
        .cases
        .iter()
        .map(|case| TestResult {
            name: case.name.clone(),
            outcome: case.outcome(),
            failure: case.failure().cloned(),
            place: case.place.clone(),
            compared: None,
            flaky: case.is_flaky(),
        })
        .collect();
    for case in run.quiet.iter() {
        let class = run.classes.get(case.class as usize).map_or("", String::as_str);
        found.push(ran(class, case.name, case.outcome, None));
    }
    found
}

fn ran(class: &str, name: &str, outcome: Outcome, failure: Option<Failure>) -> TestResult {
    let name = TestName {
        suite: Untrusted::default(),
        classname: Untrusted::bounded(class, 2000),
        name: Untrusted::bounded(name, 2000),
    };
    TestResult { name, outcome, failure, place: None, compared: None, flaky: false }
}

fn failure(text: &str) -> Failure {
    let detail = Untrusted::masked(text, TEXT);
    Failure { kind: None, message: Untrusted::new(first_line(detail.raw(), 2000)), detail }
}
