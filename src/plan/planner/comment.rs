//! The sticky comment of a pull request. Each job and variant writes its own part.

use std::collections::HashMap;

use super::{PlannerInput, generated, offer, planned, repairs};
use crate::agent::healer::result::TestHeal;
use crate::diagnose::verdict::Diagnosis;
use crate::plan::action::{Action, BODY_LIMIT, Plan, Precondition, SkippedAction};
use crate::plan::marker::{self, LegState, StickyState, VERSION, digest};
use crate::plan::snapshot::{BotComment, sticky_key};
use crate::render::message::{generate, heal, sticky};
use crate::traffic::drift::Level;

/// End of a leg's part.
const LEG_END: &str = "<!-- testmedic:leg-end -->";
/// Bytes kept of a part of which only the heading has room.
const HEADING: usize = 500;
/// Bytes of a part where legs share the comment.
const SHARED: usize = 9000;

/// One leg's part.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    state: LegState,
    text: String,
}

pub(super) fn plan(given: &PlannerInput<'_>, known: &HashMap<String, String>) -> Plan {
    let mut plan = Plan::default();
    let Some(pull) = given.scene.pull.as_ref().filter(|_| given.policy.comment.enabled) else {
        return plan;
    };
    let because = format!("pull request {}", pull.number);
    let withhold = |reason: &str| SkippedAction::new("comment", because.clone(), reason);
    let Some(comments) = given.snapshot.comments.as_deref() else {
        plan.withheld.push(withhold("its comments could not be read"));
        return plan;
    };
    let workflow = given.scene.workflow.clone().unwrap_or_else(|| "tests".to_owned());
    let key = sticky_key(&workflow);
    let existing = comments.iter().filter(|c| c.key().as_deref() == Some(key.as_str())).min_by_key(|c| c.id);
    if given.found.totals.tests == 0 {
        plan.withheld.push(withhold("no test result could be read"));
        return plan;
    }
    let bad = given.found.bad() > 0;
    if existing.is_none() && !bad && !breaks(given) && !is_wrong(given) {
        return plan;
    }
    let mut parts = existing.map(|c| parts(&c.body)).unwrap_or_default();
    let now = own_state(given, bad);
    if parts.iter().any(|part| (part.state.run, part.state.attempt) > (now.run, now.attempt)) {
        plan.withheld.push(withhold("a newer run has written it already"));
        return plan;
    }
    parts.retain(|part| part.state.head == now.head && !part.state.is_same_leg(&now));
    let shared = given.scene.variant.is_some() || !parts.is_empty();
    let limit = if shared { SHARED } else { BODY_LIMIT - 1000 };
    let repairs = entries(given);
    let text = sticky::section(
        given.found,
        given.scene,
        &|d: &Diagnosis| known.get(&d.id).cloned(),
        &repairs,
        &written(given),
        limit,
    );
    parts.push(Part { state: now, text });
    let body = body(&workflow, parts);
    if existing.is_some_and(|c| digest(&c.body) == digest(&body)) {
        return plan;
    }
    // A head that has moved is no reason to be silent: the part names its commit,
    // and the run of the new head replaces it.
    let guards = vec![match existing {
        Some(BotComment { id, body, .. }) => {
            Precondition::CommentIs { on: pull.number, id: *id, key: key.clone(), digest: digest(body) }
        }
        None => Precondition::NoComment { on: pull.number, key: key.clone() },
    }];
    plan.actions.push(planned(
        Action::Comment { on: pull.number, key: key.clone(), edit: existing.map(|c| c.id), body },
        format!("comment:{}:{key}", pull.number),
        reason(given).to_owned(),
        format!("{} the comment on the pull request", if existing.is_some() { "update" } else { "write" }),
        because,
        guards,
    ));
    plan
}

/// A change that breaks clients is worth a comment although no test fails.
fn breaks(given: &PlannerInput<'_>) -> bool {
    given.found.drift.iter().any(|drift| drift.level == Level::Err)
}

/// So is an answer that is wrong.
fn is_wrong(given: &PlannerInput<'_>) -> bool {
    given.written.defects().next().is_some()
}

fn reason(given: &PlannerInput<'_>) -> &'static str {
    if given.found.bad() > 0 {
        "tests failed"
    } else if is_wrong(given) {
        "an answer is wrong"
    } else if breaks(given) {
        "the answers of the API changed"
    } else {
        "the tests pass again"
    }
}

/// What the comment says of repairs: all that is decided, and in a line each
/// what is not.
fn entries(given: &PlannerInput<'_>) -> Vec<String> {
    let drafts = repairs::drafts(given.repairs, &given.scene.head);
    let branch = |healed: &TestHeal| {
        let draft = drafts.iter().find(|d| d.repairs.iter().any(|r| std::ptr::eq(*r, healed)))?;
        offer::branch_of(given, &draft.branch).filter(|branch| branch.is_same)
    };
    given.repairs.all.iter().map(|healed| heal::entry(healed, branch(healed), Some(given.scene))).collect()
}

/// What the comment says of written tests, and of wrong answers that came to light.
fn written(given: &PlannerInput<'_>) -> String {
    let own = generated::offer(given);
    let branch = own.as_ref().and_then(|own| offer::branch_of(given, &own.branch)).filter(|branch| branch.is_same);
    let url = own.as_ref().zip(branch).map(|(own, branch)| match &branch.pull {
        Some(pull) => format!("{}/{}/pull/{}", given.scene.server, given.scene.repository, pull.number),
        None => heal::compare_url(given.scene, &own.base, &branch.name),
    });
    generate::entry(given.written, url.as_deref())
}

fn own_state(given: &PlannerInput<'_>, bad: bool) -> LegState {
    LegState {
        job: given.scene.job.clone().unwrap_or_default(),
        leg: given.scene.variant.clone().unwrap_or_default(),
        head: given.scene.head.clone(),
        run: given.scene.run.unwrap_or(0),
        attempt: given.scene.attempt,
        bad,
    }
}

/// The parts of a comment. Text between parts is dropped: nobody but us can
/// edit our comments without the right to do so, and what they add is kept in
/// GitHub's own history of edits.
fn parts(body: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut open: Option<Part> = None;
    for line in body.lines() {
        if let Some(state) = marker::read::<LegState>(marker::LEG, line) {
            open = Some(Part { state, text: String::new() });
        } else if line.trim_end() == LEG_END {
            parts.extend(open.take());
        } else if let Some(part) = &mut open {
            part.text.push_str(line);
            part.text.push('\n');
        }
    }
    parts
}

/// One comment out of several of one workflow: all parts about `head`, of each
/// leg the latest one.
#[must_use]
pub(crate) fn unite(bodies: &[&str], head: &str) -> Option<String> {
    let workflow = bodies.iter().find_map(|body| marker::read::<StickyState>(marker::STICKY, body))?.workflow;
    let mut all: Vec<Part> = Vec::new();
    for part in bodies.iter().flat_map(|body| parts(body)).filter(|part| part.state.head == head) {
        // Of two about one leg the later run's stays, whichever comes first.
        let age = |part: &Part| (part.state.run, part.state.attempt);
        match all.iter_mut().find(|known| known.state.is_same_leg(&part.state)) {
            Some(known) if age(known) > age(&part) => {}
            Some(known) => *known = part,
            None => all.push(part),
        }
    }
    Some(body(&workflow, all))
}

/// The whole comment. Where many legs have much to say, their details go, the
/// longest first.
fn body(workflow: &str, mut parts: Vec<Part>) -> String {
    parts.sort_by(|a, b| (&a.state.job, &a.state.leg).cmp(&(&b.state.job, &b.state.leg)));
    let total = |parts: &[Part]| parts.iter().map(|p| p.text.len() + 400).sum::<usize>();
    while total(&parts) > BODY_LIMIT - 1000 {
        let Some(longest) = parts.iter_mut().max_by_key(|p| p.text.len()).filter(|p| p.text.len() > HEADING * 2) else {
            break;
        };
        let heading = longest.text.lines().take(3).collect::<Vec<_>>().join("\n");
        let heading = crate::model::text::head(&heading, HEADING);
        longest.text = format!("{heading}\n\n_Details left out: the comment would be longer than GitHub takes._\n");
    }
    // More legs than have room with their headings alone.
    while total(&parts) > BODY_LIMIT - 1000 {
        parts.pop();
    }
    let sticky = marker::write(marker::STICKY, &StickyState { v: VERSION, workflow: workflow.to_owned() });
    let mut out = format!("{sticky}\n");
    for part in &parts {
        out.push_str(&format!("{}\n{}{LEG_END}\n\n", marker::write(marker::LEG, &part.state), part.text));
    }
    out.push_str("<sub>testmedic keeps this comment up to date.</sub>\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(leg: &str, text: &str) -> Part {
        Part {
            state: LegState { job: String::new(), leg: leg.into(), head: "h".into(), run: 1, attempt: 1, bad: true },
            text: text.into(),
        }
    }

    #[test]
    fn legs_are_read_back() {
        let written = body("ci.yml", vec![part("linux", "### b\nx\n"), part("a-->b", "### a\n")]);
        let read = parts(&written);
        assert_eq!(read, [part("a-->b", "### a\n"), part("linux", "### b\nx\n")]);
        assert_eq!(body("ci.yml", read), written, "the same again");
        assert_eq!(parts(&written.replace('\n', "\r\n")).len(), 2);
    }

    #[test]
    fn each_job_has_its_part() {
        let of_job = |job: &str, text: &str| {
            let mut part = part("", text);
            part.state.job = job.to_owned();
            body("ci.yml", vec![part])
        };
        let (unit, web, old) = (of_job("unit", "### unit\n"), of_job("web", "### web\n"), of_job("", "### old\n"));
        let both = unite(&[&unit, &web], "h").unwrap();
        assert!(both.contains("### unit") && both.contains("### web"));
        // A comment of version 0.1 names no job: the part of any job takes its place.
        let united = unite(&[&old, &unit], "h").unwrap();
        assert!(united.contains("### unit") && !united.contains("### old"));
    }

    #[test]
    fn many_loud_legs_fit() {
        let legs =
            (0..30).map(|n| part(&format!("leg-{n:02}"), &format!("### {n}\n\nrun\n{}", "x\n".repeat(5000)))).collect();
        let body = body("ci.yml", legs);
        assert!(body.len() < BODY_LIMIT && body.contains("Details left out"), "{}", body.len());
        assert_eq!(parts(&body).len(), 30);
    }

    #[test]
    fn one_endless_line_ends() {
        let long = |leg: &str| part(leg, &format!("### {}\n", "x".repeat(40_000)));
        let written = body("ci.yml", vec![long("a"), long("b")]);
        assert!(written.len() < BODY_LIMIT, "{}", written.len());
        let legs = (0..500).map(|n| part(&format!("leg-{n:03}"), &format!("{}\n", "y".repeat(300)))).collect();
        let written = body("ci.yml", legs);
        assert!(written.len() < BODY_LIMIT && parts(&written).len() > 50, "{}", written.len());
    }

    #[test]
    fn the_later_run_speaks_for_a_leg() {
        let of_run = |run: u64, text: &str| {
            let mut part = part("linux", text);
            part.state.run = run;
            body("ci.yml", vec![part])
        };
        let (old, new) = (of_run(55, "### old\n"), of_run(99, "### new\n"));
        for bodies in [[old.as_str(), &new], [new.as_str(), &old]] {
            let united = unite(&bodies, "h").unwrap();
            assert!(united.contains("### new") && !united.contains("### old"));
        }
        assert_eq!(parts(&unite(&[&old], "other head").unwrap()), []);
    }
}
