//! Issues whose tests have recovered.

use super::body::replace_marker;
use super::{hands_off, push_comment, stamp};
use crate::diagnose::verdict::Verdict;
use crate::plan::action::{Action, Plan, Precondition, SkippedAction};
use crate::plan::marker::{self, IssueState};
use crate::plan::planner::{PlannerInput, Recovery, issue_of, planned};
use crate::render::message::issue_comment;
use crate::render::plural::plural;

/// Clean runs asked for at most, however rarely a test fails.
const MOST_PASSES: u64 = 300;

/// Clean runs in a row that prove a recovery: with a failure rate of `p`, as
/// many as would hold a failure with 95 % probability, `ln 0.05 / ln(1 − p)`
/// (the rule of three for an observed rate), but at least `least`.
#[must_use]
pub fn needed_passes(rate: (u64, u64), least: u64) -> u64 {
    let (failed, ran) = rate;
    if failed == 0 || failed >= ran {
        return least;
    }
    let p = failed as f64 / ran as f64;
    let needed = (0.05_f64.ln() / (1.0 - p).ln()).ceil();
    // At most 300, so the cast is exact.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=300")]
    let needed = needed.clamp(0.0, MOST_PASSES as f64) as u64;
    needed.max(least)
}

/// Closes what has recovered.
pub(super) fn close(given: &PlannerInput<'_>, plan: &mut Plan) {
    let failing: Vec<u64> =
        given.found.diagnoses.iter().filter_map(|d| issue_of(given.snapshot, d)).map(|i| i.number).collect();
    for issue in given.snapshot.issues.iter().flatten().filter(|i| i.open && !failing.contains(&i.number)) {
        let Some(Recovery { tests, missing, passes }) = given.recoveries.get(&issue.number).copied() else { continue };
        let state = issue.state();
        // How often the test fails is what the flaky ones tell; a regression failed every time.
        let is_flaky = |state: &&IssueState| state.verdict == Verdict::Flaky.word();
        let rate = state.as_ref().filter(is_flaky).map_or((0, 0), |state| state.rate);
        let needed = needed_passes(rate, u64::from(given.policy.issues.close_after));
        let reason = match hands_off(given, issue) {
            Some(reason) => Some(reason),
            None if tests == 0 => None,
            None if missing > 0 => {
                Some(format!("{} of issue {} did not run", plural(missing as u64, "test"), issue.number))
            }
            None if passes < needed => Some(format!("issue {}: {passes} of {needed} clean runs so far", issue.number)),
            None => {
                let body = match state.clone() {
                    Some(state) => {
                        let state = IssueState { commented: Some(given.now), ..state };
                        replace_marker(&issue.body, &marker::write(marker::ISSUE, &state))
                    }
                    None => issue.body.clone(),
                };
                let number = issue.number;
                plan.actions.push(planned(
                    Action::CloseIssue { number, body },
                    format!("close-issue:{number}:{}", stamp(given)),
                    format!("{passes} clean runs in a row"),
                    crate::render::terminal::line(&issue.title, 120),
                    format!("issue {number}"),
                    vec![Precondition::IssueIs { number, digest: issue.digest() }],
                ));
                let days = given.policy.issues.reopen_days;
                let text = issue_comment::recovered(tests, (passes, needed), rate, days, given.scene);
                push_comment(given, issue, "recovered", &text, "it has recovered", plan);
                None
            }
        };
        if let Some(reason) = reason {
            plan.withheld.push(SkippedAction::new("close-issue", issue.key().unwrap_or_default(), reason));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_many_passes_prove_a_recovery() {
        // 2 % → 149, 5 % → 59, 10 % → 29: ln 0.05 / ln(1 − p), rounded up.
        for (rate, needed) in [((2, 100), 149), ((5, 100), 59), ((1, 10), 29), ((5, 10), 10), ((1, 10_000), 300)] {
            assert_eq!(needed_passes(rate, 10), needed, "{rate:?}");
        }
        assert_eq!(needed_passes((0, 0), 10), 10);
        assert_eq!(needed_passes((7, 7), 10), 10);
    }
}
