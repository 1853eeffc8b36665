//! Stories with a known truth, told to the whole program: reports of earlier
//! runs, a repository where it matters, the present report, and the verdict
//! that a person would give.

use crate::support::{Workplace, check_contract, report};
use serde_json::Value;

const KEY_ERROR: &str = "KeyError: 'email'\ntests/test_app.py:9: in test_user\nsrc/users.py:12: KeyError";
const REFUSED: &str =
    "ConnectionRefusedError: [Errno 111] Connection refused\ntests/test_app.py:9: ConnectionRefusedError";

/// Imports one run a letter: `P` passes, `F` fails, `S` another failure, `X`
/// the test is not there; `.` repeats the commit of the run before. `n` more tests pass in each.
fn tell(place: &Workplace, test: &str, story: &str, failure: &str, others: usize) {
    let mut lines = String::new();
    let mut commit = 0;
    let mut day = 0;
    for letter in story.chars() {
        if letter == '.' {
            commit -= 1;
            continue;
        }
        commit += 1;
        day += 1;
        let mut cases: Vec<(String, Option<&str>)> = (0..others).map(|n| (format!("test_other_{n}"), None)).collect();
        match letter {
            'P' => cases.push((test.to_owned(), None)),
            'F' => cases.push((test.to_owned(), Some(failure))),
            'S' => cases.push((test.to_owned(), Some("ValueError: something else entirely"))),
            'O' => {
                cases.iter_mut().for_each(|c| c.1 = Some(REFUSED));
                cases.push((test.to_owned(), Some(REFUSED)));
            }
            _ => {}
        }
        let cases: Vec<(&str, Option<&str>)> = cases.iter().map(|(n, f)| (n.as_str(), *f)).collect();
        place.write(&format!("past/{day}.xml"), report(&cases));
        let (month, date) = (1 + day / 28, 1 + day % 28);
        lines.push_str(&format!(
            "{{\"reports\":[\"{day}.xml\"],\"commit\":\"{commit:07x}aa\",\"branch\":\"main\",\"at\":\"2026-{month:02}-{date:02}T10:00:00Z\",\"run\":\"{day}\"}}\n"
        ));
    }
    place.write("past/manifest.jsonl", lines);
    let ran = place.run(&["history", "import", "--manifest", "past/manifest.jsonl"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
}

fn judge(place: &Workplace, cases: &[(&str, Option<&str>)], more: &[&str]) -> Value {
    place.write("now.xml", report(cases));
    let mut arguments = vec!["--junit", "now.xml", "--branch", "main", "--at", "2026-12-01T10:00:00Z"];
    if !more.contains(&"--head") {
        arguments.extend(["--head", "fffffffaa"]);
    }
    arguments.extend(more);
    let report = place.triage(&arguments);
    check_contract(&report);
    report
}

fn only(report: &Value) -> &Value {
    let all = report["diagnoses"].as_array().unwrap();
    assert_eq!(all.len(), 1, "{all:#?}");
    &all[0]
}

/// Story of one test, its failure now, and the verdict.
#[test]
fn stories_of_one_test() {
    let table = [
        ("PPPPPPPPPPPPPPPPPPPP", KEY_ERROR, "regression", "a clean past and a failure now"),
        ("PPPPPPPPPPFFF", KEY_ERROR, "regression", "fails since a commit"),
        ("PPPPPPFF", KEY_ERROR, "regression", "a short past, a short streak"),
        ("PPFPPPFPPPPFPPPFPPPPFPPP", KEY_ERROR, "flaky", "comes and goes"),
        ("PPPPF.PPPPPF.PPPPP", KEY_ERROR, "flaky", "two commits with both outcomes"),
        ("FFFFFFFFFFFF", KEY_ERROR, "broken-test", "never passed, so never flaky"),
        ("", KEY_ERROR, "undecided", "nothing is known"),
        ("PP", KEY_ERROR, "undecided", "too little is known"),
        ("PPPPPPPPPPPP", "HTTPError: 429 Too Many Requests, Retry-After: 30", "rate-limited", "says so itself"),
        ("PPPPPPPPPPPP", REFUSED, "environment", "says so itself"),
        ("", "fixture 'api' not found", "broken-test", "cannot be set up"),
        ("PPPPPPPPPPOPPPPPPPPP", KEY_ERROR, "regression", "an outage in the past is not flakiness"),
    ];
    for (story, failure, verdict, why) in table {
        let place = Workplace::new();
        tell(&place, "test_user", story, failure, 12);
        let others: Vec<String> = (0..12).map(|n| format!("test_other_{n}")).collect();
        let mut cases: Vec<(&str, Option<&str>)> = others.iter().map(|n| (n.as_str(), None)).collect();
        cases.push(("test_user", Some(failure)));
        let report = judge(&place, &cases, &[]);
        assert_eq!(only(&report)["verdict"], verdict, "{why}: {:#?}", only(&report));
        if verdict == "undecided" {
            let settles =
                only(&report)["evidence"].as_array().unwrap().iter().any(|e| e["kind"] == "undecided/would-settle-it");
            assert!(settles, "says what would settle it");
        }
    }
}

#[test]
fn the_window_is_exact() {
    for (story, good, bad) in [
        ("PPPPPPPPPPFFF", "000000aaa", "000000baa"),
        ("PPPPPPPPPPPP", "000000caa", "fffffffaa"),
        ("PPPPPPPPPPXXFF", "000000aaa", "000000daa"),
        ("PPPPPPPPPPOFF", "000000aaa", "000000caa"),
    ] {
        let place = Workplace::new();
        tell(&place, "test_user", story, KEY_ERROR, 12);
        let report = judge(&place, &[("test_user", Some(KEY_ERROR)), ("test_other_1", None)], &[]);
        let history = &only(&report)["history"];
        assert_eq!((history["last_good"].as_str(), history["first_bad"].as_str()), (Some(good), Some(bad)), "{story}");
    }
}

#[test]
fn an_outage_teaches_nothing_about_single_tests() {
    let place = Workplace::new();
    tell(&place, "test_user", "PPPPPPPPPPOPPPPPOPPPP", KEY_ERROR, 12);
    let report = judge(&place, &[("test_user", Some(KEY_ERROR)), ("test_other_1", None)], &[]);
    let history = &only(&report)["history"];
    assert_eq!((history["runs"].as_u64(), history["failures"].as_u64()), (Some(19), Some(0)));
}

#[test]
fn one_outage_is_one_diagnosis() {
    let place = Workplace::new();
    tell(&place, "test_user", "PPPPPPPPPPPP", KEY_ERROR, 20);
    let others: Vec<String> = (0..20).map(|n| format!("test_other_{n}")).collect();
    let cases: Vec<(&str, Option<&str>)> = others
        .iter()
        .enumerate()
        .map(|(n, name)| {
            (
                name.as_str(),
                if n < 2 {
                    None
                } else if n % 2 == 0 {
                    Some(REFUSED)
                } else {
                    Some("requests.exceptions.ConnectionError: Max retries exceeded with url: /x")
                },
            )
        })
        .collect();
    let report = judge(&place, &cases, &[]);
    assert_eq!(only(&report)["verdict"], "environment");
    assert_eq!(only(&report)["tests"].as_array().unwrap().len(), 18);
}

#[test]
fn an_import_error_that_breaks_everything_is_no_outage() {
    let place = Workplace::new();
    tell(&place, "test_user", "PPPPPPPPPPPP", KEY_ERROR, 20);
    let broken = "AttributeError: module 'shop' has no attribute 'serve'\nsrc/shop.py:3: AttributeError";
    let others: Vec<String> = (0..20).map(|n| format!("test_other_{n}")).collect();
    let cases: Vec<(&str, Option<&str>)> = others.iter().map(|name| (name.as_str(), Some(broken))).collect();
    let report = judge(&place, &cases, &[]);
    assert_eq!(only(&report)["verdict"], "regression", "{:#?}", only(&report));
    assert_eq!(only(&report)["severity"], "critical");
}

/// One that is restless and one that was clean fail with the same words now:
/// the restless one does not excuse the other.
#[test]
fn a_flaky_neighbour_excuses_nobody() {
    let place = Workplace::new();
    let mut lines = String::new();
    for day in 1..=24 {
        let flaky = (day == 6 || day == 15).then_some(KEY_ERROR);
        place.write(
            &format!("past/{day}.xml"),
            report(&[("test_clean", None), ("test_flaky", flaky), ("test_x", None)]),
        );
        lines.push_str(&format!("{{\"reports\":[\"{day}.xml\"],\"commit\":\"c{day:06}\",\"branch\":\"main\",\"at\":\"2026-01-{day:02}T10:00:00Z\",\"run\":{day}}}\n"));
    }
    place.write("past/m.jsonl", lines);
    assert_eq!(place.run(&["history", "import", "--manifest", "past/m.jsonl"]).code, 0);
    let report =
        judge(&place, &[("test_clean", Some(KEY_ERROR)), ("test_flaky", Some(KEY_ERROR)), ("test_x", None)], &[]);
    let verdicts: Vec<&str> =
        report["diagnoses"].as_array().unwrap().iter().map(|d| d["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["regression", "flaky"], "{:#?}", report["diagnoses"]);
}

/// What passed on Linux says nothing about the first run on Windows.
#[test]
fn another_leg_is_not_the_same_commit() {
    let place = Workplace::new();
    for day in 1..=9 {
        place.write("r.xml", report(&[("test_a", None), ("test_b", None)]));
        let at = format!("2026-01-0{day}T10:00:00Z");
        let arguments = [
            "history",
            "import",
            "--junit",
            "r.xml",
            "--commit",
            "abcdef1",
            "--branch",
            "main",
            "--at",
            &at,
            "--variant",
            "linux",
        ];
        assert_eq!(place.run(&arguments).code, 0);
    }
    let report =
        judge(&place, &[("test_a", Some(KEY_ERROR)), ("test_b", None)], &["--head", "abcdef1", "--variant", "windows"]);
    assert_eq!(only(&report)["verdict"], "undecided", "{:#?}", only(&report));
}

/// A whole suite that fails since a commit, run after run, is no outage.
#[test]
fn what_persists_is_no_outage() {
    let place = Workplace::new();
    let names: Vec<String> = (0..12).map(|n| format!("test_{n}")).collect();
    let mut lines = String::new();
    for day in 1..=20 {
        let failure = (day > 15).then_some(KEY_ERROR);
        let cases: Vec<(&str, Option<&str>)> = names.iter().map(|n| (n.as_str(), failure)).collect();
        place.write(&format!("past/{day}.xml"), report(&cases));
        lines.push_str(&format!("{{\"reports\":[\"{day}.xml\"],\"commit\":\"c{day:06}\",\"branch\":\"main\",\"at\":\"2026-01-{day:02}T10:00:00Z\",\"run\":{day}}}\n"));
    }
    place.write("past/m.jsonl", lines);
    assert_eq!(place.run(&["history", "import", "--manifest", "past/m.jsonl"]).code, 0);
    let cases: Vec<(&str, Option<&str>)> = names.iter().map(|n| (n.as_str(), Some(KEY_ERROR))).collect();
    let report = judge(&place, &cases, &[]);
    assert_eq!(only(&report)["verdict"], "regression");
    assert_eq!(only(&report)["history"]["first_bad"], "c000016");
}

#[test]
fn failed_then_passed_is_flaky_and_not_failed() {
    let place = Workplace::new();
    place.write(
        "now.xml",
        "<testsuite name='s' xmlns:xsi='x' xsi:noNamespaceSchemaLocation='surefire'><testcase classname='a.B' name='t'>\
         <flakyFailure message='boom' type='E'><stackTrace>at a.B.t(B.java:3)</stackTrace></flakyFailure></testcase></testsuite>",
    );
    let report = place.triage(&["--junit", "now.xml", "--fail-on", "failure"]);
    check_contract(&report);
    assert_eq!(only(&report)["verdict"], "flaky");
    assert_eq!((report["totals"]["failed"].as_u64(), report["totals"]["flaky"].as_u64()), (Some(0), Some(1)));
}

#[test]
fn different_causes_stay_apart_and_one_cause_stays_together() {
    let place = Workplace::new();
    let cases = [
        ("test_a", Some(KEY_ERROR)),
        ("test_b", Some(KEY_ERROR)),
        ("test_c", Some("ValueError: cannot parse the date of order 17")),
        ("test_d", Some("assert 3 == 4\ntests/test_app.py:3: AssertionError")),
        ("test_e", Some("assert 3 == 5\ntests/test_app.py:8: AssertionError")),
        ("test_f", None),
    ];
    let report = judge(&place, &cases, &["--history", "none"]);
    let mut sizes: Vec<usize> =
        report["diagnoses"].as_array().unwrap().iter().map(|d| d["tests"].as_array().unwrap().len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [1, 1, 1, 2]);
}

#[test]
fn an_id_survives_the_next_run() {
    let place = Workplace::new();
    let message = |tenant: &str| {
        format!("LookupError: could not load the profile of tenant {tenant} because its region is not configured")
    };
    let first = judge(&place, &[("test_a", Some(message("alpha").as_str()))], &["--apply"]);
    place.write("now.xml", report(&[("test_a", Some(message("beta").as_str()))]));
    let second =
        place.triage(&["--junit", "now.xml", "--head", "eeeeeee1", "--branch", "main", "--at", "2026-12-02T10:00:00Z"]);
    assert_eq!(only(&first)["id"], only(&second)["id"]);
    let seen = only(&second)["evidence"]
        .as_array()
        .unwrap()
        .iter()
        .any(|e| e["kind"].as_str().unwrap().ends_with("seen-before"));
    assert!(seen || only(&second)["history"]["failures"] == 1, "{:#?}", only(&second));
}

#[test]
fn a_renamed_test_keeps_its_past() {
    let place = Workplace::new();
    tell(&place, "test_user_has_an_email", "PPPPPPPPPPPP", KEY_ERROR, 3);
    let report = judge(
        &place,
        &[
            ("test_user_has_an_email_address", Some(KEY_ERROR)),
            ("test_other_0", None),
            ("test_other_1", None),
            ("test_other_2", None),
        ],
        &[],
    );
    let one = only(&report);
    assert_eq!(one["verdict"], "regression", "{one:#?}");
    assert!(one["evidence"].as_array().unwrap().iter().any(|e| e["kind"] == "regression/renamed"));
}

#[test]
fn the_suspect_is_the_commit_that_touched_the_stack() {
    let place = Workplace::new();
    place.git(&["init", "-q", "-b", "main"]);
    place.write("src/users.py", "def user():\n    return {'email': 1}\n");
    place.write("README.md", "x\n");
    let good = place.commit("start");
    let mut lines = String::new();
    for day in 1..=9 {
        place.write(&format!("past/{day}.xml"), report(&[("test_user", None)]));
        lines.push_str(&format!("{{\"reports\":[\"{day}.xml\"],\"commit\":\"{good}\",\"branch\":\"main\",\"at\":\"2026-01-0{day}T10:00:00Z\",\"run\":{day}}}\n"));
    }
    place.write("past/m.jsonl", lines);
    assert_eq!(place.run(&["history", "import", "--manifest", "past/m.jsonl"]).code, 0);
    place.write("README.md", "y\n");
    place.commit("words");
    place.write("src/users.py", "def user():\n    return {}\n");
    let culprit = place.commit("less");
    place.write("src/cart.py", "x = 1\n");
    let head = place.commit("cart");
    let report = judge(&place, &[("test_user", Some(KEY_ERROR))], &["--head", &head]);
    let one = only(&report);
    assert_eq!(one["verdict"], "regression");
    assert_eq!(
        (one["history"]["last_good"].as_str(), one["history"]["first_bad"].as_str()),
        (Some(good.as_str()), Some(head.as_str()))
    );
    assert_eq!(one["history"]["suspects"][0]["commit"], culprit.as_str(), "{:#?}", one["history"]["suspects"]);
}

/// The same symptom twice: once the product moved on purpose, once it broke.
#[test]
fn outdated_or_broken_is_told_by_the_change() {
    for (new, actual, verdict) in [("'queued'", "'queued'", "outdated-test"), ("None", "None", "regression")] {
        let place = Workplace::new();
        place.git(&["init", "-q", "-b", "main"]);
        place.write("src/orders.py", "STATUS = 'pending'\n");
        let good = place.commit("start");
        let mut lines = String::new();
        for day in 1..=9 {
            place.write(&format!("past/{day}.xml"), report(&[("test_status", None)]));
            lines.push_str(&format!("{{\"reports\":[\"{day}.xml\"],\"commit\":\"{good}\",\"branch\":\"main\",\"at\":\"2026-01-0{day}T10:00:00Z\",\"run\":{day}}}\n"));
        }
        place.write("past/m.jsonl", lines);
        assert_eq!(place.run(&["history", "import", "--manifest", "past/m.jsonl"]).code, 0);
        place.write("src/orders.py", format!("STATUS = {new}\n"));
        let head = place.commit("status");
        let text = format!("AssertionError: assert {actual} == 'pending'\ntests/test_app.py:4: AssertionError");
        let report = judge(&place, &[("test_status", Some(text.as_str()))], &["--head", &head]);
        assert_eq!(only(&report)["verdict"], verdict, "{:#?}", only(&report));
        assert_eq!(only(&report)["mismatch"]["expected"], "'pending'");
    }
}

#[test]
fn exit_codes() {
    let place = Workplace::new();
    tell(&place, "test_user", "PPPPPPPPPPPP", KEY_ERROR, 3);
    place.write("bad.xml", report(&[("test_user", Some(KEY_ERROR))]));
    place.write("flaky.xml", report(&[("test_new", Some(KEY_ERROR))]));
    place.write("good.xml", report(&[("test_user", None)]));
    place.write("cut.xml", "<testsuite name='s'><testcase name='a'/><testcase na");
    let code = |arguments: &[&str]| {
        let mut all = vec!["triage", "--head", "fffffffaa", "--branch", "main"];
        all.extend(arguments);
        place.run(&all).code
    };
    assert_eq!(code(&["--junit", "good.xml", "--fail-on", "failure"]), 0);
    assert_eq!(code(&["--junit", "bad.xml"]), 0);
    assert_eq!(code(&["--junit", "bad.xml", "--fail-on", "regression"]), 1);
    assert_eq!(code(&["--junit", "flaky.xml", "--fail-on", "regression"]), 0);
    assert_eq!(code(&["--junit", "flaky.xml", "--fail-on", "failure"]), 1);
    assert_eq!(code(&["--junit", "cut.xml"]), 3);
    assert_eq!(code(&["--junit", "cut.xml", "--junit", "bad.xml", "--fail-on", "failure"]), 1);
    assert_eq!(code(&["--junit", "nothing*.xml"]), 3);
    assert_eq!(code(&["--junit", "good.xml", "--at", "yesterday"]), 2);
    assert_eq!(code(&["--unknown"]), 2);
    assert_eq!(place.run(&["--version"]).code, 0);
}
