//! Compatibility of data formats: the current version reads the plans, markers, transcripts, recordings,
//! history, policy and traffic of version 0.1, and writes the same names.
//!
//! The files in `fixtures/wire/0.1` were written by that version. They are never made anew.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::{Value, json};
use testmedic::plan::feedback_issue::WordsState;
use testmedic::plan::maintenance::DigestState;
use testmedic::plan::marker::{
    self, IssueState, LegState, NoteState, RepairState, ReplyState, RollUpState, StickyState,
};
use testmedic::plan::plan_file::SavedPlan;
use testmedic::plan::policy::Policy;

use crate::house::root;
use crate::support::Workplace;

fn path(name: &str) -> PathBuf {
    root().join("fixtures/wire/0.1").join(name)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap()
}

fn value(name: &str) -> Value {
    serde_json::from_str(&text(name)).unwrap()
}

#[test]
fn plans_are_read_and_written_alike() {
    let mut kinds = BTreeSet::new();
    for name in ["plan-pull-request.json", "plan-branch.json", "plan-issues.json", "plan-rest.json"] {
        let saved = SavedPlan::parse(&text(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        kinds.extend(saved.actions.iter().map(|item| item.action.kind()));
        assert_eq!(serde_json::to_value(&saved).unwrap(), value(name), "{name}");
    }
    let expected = [
        "check-run",
        "close-issue",
        "comment",
        "dispatch-workflow",
        "open-issue",
        "open-pull-request",
        "push-branch",
        "react",
        "record-run",
        "reopen-issue",
        "rerun-jobs",
        "review",
        "update-issue",
    ];
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn markers_are_read_and_written_alike() {
    let text = text("markers.txt");
    macro_rules! same {
        ($($kind:literal: $state:ty),* $(,)?) => {$(
            let line = text.lines().find(|line| line.starts_with(concat!("<!-- testmedic:", $kind, " "))).unwrap();
            let state = marker::read::<$state>($kind, line).unwrap_or_else(|| panic!("{line}"));
            assert_eq!(marker::write($kind, &state), line);
        )*};
    }
    same!(
        "digest": DigestState,
        "issue": IssueState,
        "leg": LegState,
        "note": NoteState,
        "repair": RepairState,
        "reply": ReplyState,
        "roll-up": RollUpState,
        "sticky": StickyState,
        "words": WordsState,
    );
    for whole in [marker::BEGIN, marker::END, "<!-- testmedic:leg-end -->", "<!-- testmedic:part end -->"] {
        assert!(text.lines().any(|line| line == whole), "{whole}");
    }
}

#[test]
fn a_policy_is_read() {
    let text = text("testmedic.toml");
    let policy = Policy::parse(&text).unwrap();
    assert_eq!(policy, Policy::default(), "every key with its default");
    assert!(Policy::parse("[model]\nprice = { asked = 1.0, said = 2.0 }\n").is_ok());
}

#[test]
fn transcripts_and_recordings_are_read() {
    let place = Workplace::new();
    place.write("t.jsonl", text("transcript.jsonl"));
    let ran = place.run(&["transcript", "t.jsonl"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    for part in ["analyzer", "read_file", "file:src/orders.py", "444"] {
        assert!(ran.out.contains(part), "{part}: {}", ran.out);
    }
    place.write("policy.toml", "[model]\nurl = \"http://127.0.0.1:9/v1\"\nname = \"m\"\n");
    let failed = "<failure message=\"AssertionError: assert 'pending' == 'queued'\"/>";
    place.write(
        "report.xml",
        format!("<testsuite name='s'><testcase classname='a.b' name='t'>{failed}</testcase></testsuite>"),
    );
    let replay = |file: &str| {
        let words =
            ["triage", "--junit", "report.xml", "--history", "none", "--config", "policy.toml", "--model-replay"];
        place.run(&[&words[..], &[file]].concat())
    };
    // It is read, and holds no answer to a question about other tests.
    let ran = replay(&path("recording.jsonl").display().to_string());
    assert!(ran.out.contains("no answer to this question"), "{}{}", ran.out, ran.err);
    place.write("other.jsonl", "{\"question\":1}\n");
    let ran = replay("other.jsonl");
    assert!(ran.out.contains("other.jsonl is no recording of a model"), "{}{}", ran.out, ran.err);
}

#[test]
fn a_history_is_read() {
    let place = Workplace::new();
    place.write("history.db", std::fs::read(path("history.db")).unwrap());
    let ran = place.run(&["history", "show", "--history", "history.db", "test_order"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    for part in ["12 runs", "max", "not flaky"] {
        assert!(ran.out.contains(part), "{part}: {}", ran.out);
    }
}

#[test]
fn traffic_is_read() {
    let place = Workplace::new();
    let failed = "<failure message='assert 500 == 200'/>";
    let case = format!("<testcase classname='tests.test_app' name='test_order'>{failed}</testcase>");
    place.write("report.xml", format!("<testsuite name='s'>{case}</testsuite>"));
    place.write("seen.ndjson", text("traffic.ndjson"));
    let ran = place.run(&["triage", "--junit", "report.xml", "--traffic", "seen.ndjson", "--history", "none"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("POST /reset"), "{}", ran.out);
}

/// The paths of all keys in `value`; elements of lists are one.
fn keys(value: &Value, at: &str, out: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                // Verdicts and ids are keys by value.
                let path = format!("{at}.{name}");
                keys(inner, &path, out);
                out.insert(path);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| keys(item, &format!("{at}[]"), out)),
        _ => {}
    }
}

#[test]
fn reports_keep_their_names() {
    let place = Workplace::new();
    place.write("report.xml", "<testsuite name='s'><testcase classname='a.b' name='t'><failure message='assert 1 == 2'/></testcase></testsuite>");
    let now = place.triage(&["--junit", "report.xml", "--history", "none"]);
    let (mut today, mut then) = (BTreeSet::new(), BTreeSet::new());
    keys(&now, "", &mut today);
    keys(&value("report.json"), "", &mut then);
    let lost: Vec<&String> = then
        .difference(&today)
        .filter(|key| !["proposals", "plan", "suspects", "known_issue"].iter().any(|part| key.contains(part)))
        .collect();
    assert_eq!(lost, Vec::<&String>::new(), "keys of version 0.1 that a report has no more");
    assert_eq!(now["schema"], json!("testmedic.report/1"));
}
