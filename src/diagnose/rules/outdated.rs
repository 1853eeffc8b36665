//! Outdated test: the product changed on purpose, the test did not follow.

use super::weights as w;
use super::{EvidenceSink, RuleInput, count};
use crate::diagnose::mismatch::{self, Mismatch, is_error_value, literal};
use crate::diagnose::suspects::contains;
use crate::diagnose::verdict::Verdict::{OutdatedTest, Regression};
use crate::history::short;
use crate::ingest::source_location::{is_prose, is_test_path};
use crate::model::change::{Commit, FileChange};

pub(super) fn testify(file: &RuleInput<'_>, out: &mut EvidenceSink) {
    let Some(mismatch) = &file.mismatch else {
        out.add(
            OutdatedTest,
            "no-comparison",
            w::NO_MISMATCH,
            "the failure is not a comparison of two values",
            "this report",
        );
        return;
    };
    if is_error_value(mismatch.actual.raw()) {
        out.add(
            OutdatedTest,
            "error-value",
            w::ERROR_VALUE_VETO,
            format!(
                "the actual value {} is an error or no value: no product changes to that on purpose",
                mismatch.actual.raw()
            ),
            "this report",
        );
        return;
    }
    let past = file.lead();
    if file.cases.iter().any(|c| c.is_flaky()) || !past.passed_here.is_empty() || past.mixed_commits.len() > 1 {
        out.add(
            OutdatedTest,
            "unstable",
            w::UNSTABLE_NOT_OUTDATED,
            "the result is not stable, an intended change would be",
            "history",
        );
        return;
    }
    if others_differ(file, mismatch) {
        out.add(
            OutdatedTest,
            "pairs-differ",
            w::UNSTABLE_NOT_OUTDATED,
            "its tests expected and got different values: no single change explains them",
            "this report",
        );
        return;
    }
    let (old, new) = (literal(&mismatch.expected), literal(&mismatch.actual));
    if moved_value(file, old, new, out) {
        same_pair(file, out);
    }
}

/// Whether a test of the group moved between other values than the first one.
fn others_differ(file: &RuleInput<'_>, first: &Mismatch) -> bool {
    file.cases
        .iter()
        .skip(1)
        .take(200)
        .filter_map(|case| mismatch::read(case.failure()?))
        .any(|other| (other.expected.raw(), other.actual.raw()) != (first.expected.raw(), first.actual.raw()))
}

/// Looks for the old and the new value in what the window removed and added.
fn moved_value(file: &RuleInput<'_>, old: Option<&str>, new: Option<&str>, out: &mut EvidenceSink) -> bool {
    let removed = old.and_then(|v| find(file.commits, |f| is_product(f) && contains(&f.removed, v)));
    let added = new.and_then(|v| find(file.commits, |f| is_product(f) && contains(&f.added, v)));
    let both = removed.is_some() && added.is_some();
    let (kind, weight, text) = match (removed, added) {
        (Some((_, file)), Some(_)) => {
            ("value-moved", w::VALUE_MOVED, format!("{} replaced {} by {}", file, old.unwrap_or(""), new.unwrap_or("")))
        }
        (Some((_, file)), None) => {
            ("value-gone", w::VALUE_GONE, format!("the expected value {} was removed from {file}", old.unwrap_or("")))
        }
        (None, Some((_, file))) => {
            ("value-new", w::VALUE_NEW, format!("the actual value {} was added to {file}", new.unwrap_or("")))
        }
        (None, None) => return false,
    };
    let commit = removed.or(added).map(|(commit, _)| format!("commit {}", short(&commit.sha))).unwrap_or_default();
    out.add(OutdatedTest, kind, weight, text, commit.clone());
    if let Some((commit, path)) = new.and_then(|v| find(file.commits, |f| is_specification(f) && contains(&f.added, v)))
    {
        let text = format!("{path} documents the new value {}", new.unwrap_or(""));
        out.add(OutdatedTest, "value-specified", w::VALUE_SPECIFIED, text, format!("commit {}", short(&commit.sha)));
    }
    let sister = find(file.commits, |f| {
        is_test_path(&f.path)
            && old.is_some_and(|v| contains(&f.removed, v))
            && new.is_some_and(|v| contains(&f.added, v))
    });
    if let Some((commit, path)) = sister {
        let text = format!("{path} was updated from the same old to the same new value");
        out.add(OutdatedTest, "sisters-updated", w::SISTERS_UPDATED, text, format!("commit {}", short(&commit.sha)));
    }
    if both {
        out.add(
            Regression,
            "intended-change",
            w::INTENDED_NOT_REGRESSION,
            "the change that broke it replaced the expected value by the actual one",
            commit,
        );
    }
    true
}

fn same_pair(file: &RuleInput<'_>, out: &mut EvidenceSink) {
    let others = file.cases.len() - 1;
    if others > 0 {
        out.add(
            OutdatedTest,
            "same-pair",
            w::SAME_PAIR * others.min(3) as f64,
            format!("{} moved from the same expected to the same actual value", count(others + 1, "test")),
            "this report",
        );
    }
}

fn find(commits: &[Commit], wanted: impl Fn(&FileChange) -> bool) -> Option<(&Commit, &str)> {
    commits.iter().find_map(|commit| {
        let file = commit.files.iter().find(|f| wanted(f))?;
        Some((commit, file.path.as_str()))
    })
}

fn is_product(file: &FileChange) -> bool {
    !is_test_path(&file.path) && !is_prose(&file.path)
}

/// API descriptions, schemas, changelogs and documentation.
fn is_specification(file: &FileChange) -> bool {
    let lower = file.path.to_ascii_lowercase();
    !is_test_path(&file.path)
        && (is_prose(&lower)
            || ["openapi", "swagger", "schema", "spec/", ".proto", ".graphql", "changelog"]
                .iter()
                .any(|s| lower.contains(s)))
}
