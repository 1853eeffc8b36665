//! Other tests that look at the same: those that still pass and want the old value.

use super::propose::field_of;
use super::{Part, Sources};
use crate::agent::healer::scoring::ApiContract;
use crate::code::assertion::{self, Op};
use crate::code::expr::Kind;
use crate::code::lower::lower;
use crate::code::openapi::{self, Operation};
use crate::code::source::{Source, walk};
use crate::code::test_discovery::{self, TestFn};
use crate::code::value;
use crate::ingest::source_location::is_test_path;
use crate::model::execution::TestSelector;
use crate::model::heal::EditKind;

/// Test files that are searched.
const FILES: usize = 500;

/// Places of tests that assert the old value of the same field of the same
/// endpoint. `fails` says whether a test (file, names) is among the failing ones.
#[must_use]
pub fn contradicting(
    sources: &Sources<'_>,
    target: &TestSelector,
    part: &Part,
    fails: &dyn Fn(&str, &[String]) -> bool,
) -> Vec<String> {
    if part.old.is_empty() || matches!(part.kind, EditKind::Payload | EditKind::Order | EditKind::Path) {
        return Vec::new();
    }
    let own = sources.source(&target.file).and_then(|s| {
        let case = test_discovery::find(&s).into_iter().find(|c| c.path == target.path)?;
        Some(endpoints(&s, &case))
    });
    let Some(own) = own.filter(|e| !e.is_empty()) else { return Vec::new() };
    let mut found = Vec::new();
    for path in sources.files.iter().filter(|f| is_test_path(f)).take(FILES) {
        if !sources.text(path).is_some_and(|t| t.contains(&part.old)) {
            continue;
        }
        let Some(source) = sources.source(path) else { continue };
        for case in test_discovery::find(&source) {
            let same = path == &target.file && case.path == target.path;
            if same || fails(path, &case.path) || !endpoints(&source, &case).iter().any(|e| own.contains(e)) {
                continue;
            }
            for assertion in assertion::find(&source, case.node) {
                let wants = assertion.expected.as_ref().and_then(value::of).and_then(|v| v.shown());
                let is_status =
                    part.kind == EditKind::Status && assertion.subject.to_ascii_lowercase().contains("status");
                let about = is_status || field_of(&assertion.subject) == part.field;
                if assertion.op == Op::Equal && about && wants.as_deref() == Some(part.old.as_str()) {
                    found.push(format!("{path}:{}", assertion.line(&source)));
                }
            }
        }
    }
    found
}

/// What a test requests: method and path, ids left out.
#[must_use]
pub fn endpoints(source: &Source, case: &TestFn<'_>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    walk(case.node, |node| {
        if let Kind::Call(call) = lower(source, node).kind
            && let Some(path) = call.arg(0).and_then(|a| a.text()).filter(|t| t.starts_with('/'))
        {
            let bare = path.split('?').next().unwrap_or(path);
            let shape: Vec<&str> =
                bare.split('/').map(|p| if p.bytes().any(|b| b.is_ascii_digit()) { "{}" } else { p }).collect();
            found.push((call.name.to_ascii_lowercase(), shape.join("/")));
        }
        true
    });
    found
}

/// What the descriptions of the repository promise of the first endpoint that a
/// test requests and that one of them knows.
#[must_use]
pub fn promise(
    sources: &Sources<'_>,
    target: &TestSelector,
    before: &dyn Fn(&str) -> Option<String>,
) -> Option<ApiContract> {
    let source = sources.source(&target.file)?;
    let case = test_discovery::find(&source).into_iter().find(|c| c.path == target.path)?;
    let requests = endpoints(&source, &case);
    for path in sources.files.iter().filter(|f| openapi::is_description(f)) {
        let now = sources.text(path).map(|t| openapi::read(&t)).unwrap_or_default();
        let old = before(path).map(|t| openapi::read(&t)).unwrap_or_default();
        // The last request is the one whose answer is looked at.
        for (method, request) in requests.iter().rev() {
            let found = |all: &[Operation]| openapi::find(all, method, request).cloned();
            let (now, before) = (found(&now), found(&old));
            if now.is_some() || before.is_some() {
                return Some(ApiContract { file: path.clone(), before, now });
            }
        }
    }
    None
}
