//! The history file: what goes in comes out, twice is once, two may write.

use crate::support::{Workplace, report};

fn import(place: &Workplace, file: &str, more: &[&str]) -> crate::support::Ran {
    let mut arguments = vec![
        "history",
        "import",
        "--junit",
        file,
        "--commit",
        "abc1234",
        "--branch",
        "main",
        "--at",
        "2026-05-01T10:00:00Z",
    ];
    arguments.extend(more);
    place.run(&arguments)
}

#[test]
fn the_same_run_twice_changes_nothing() {
    let place = Workplace::new();
    place.write("a.xml", report(&[("test_a", None), ("test_b", Some("KeyError: 'x'"))]));
    assert!(import(&place, "a.xml", &["--run", "7"]).out.contains("imported 1 run with 2 results"));
    let before = place.run(&["history", "export"]).out;
    assert!(import(&place, "a.xml", &["--run", "7"]).out.contains("1 was known already"));
    assert_eq!(place.run(&["history", "export"]).out, before);
    assert_eq!(before.lines().count(), 2);
    assert!(import(&place, "a.xml", &["--run", "7", "--attempt", "2"]).out.contains("imported 1 run"));
}

#[test]
fn triage_records_once_and_only_when_asked() {
    let place = Workplace::new();
    place.write("a.xml", report(&[("test_a", None)]));
    let triage = |more: &[&str]| {
        let mut all = vec!["--junit", "a.xml", "--head", "abc1234", "--branch", "main", "--run", "9"];
        all.extend(more);
        place.triage(&all)
    };
    let dry = triage(&[]);
    assert_eq!(dry["plan"]["actions"][0]["kind"], "record-run");
    assert!(dry["plan"]["actions"][0]["receipt"].is_null());
    assert!(!place.path().join(".testmedic").exists(), "a dry run writes nothing");
    assert_eq!(triage(&["--apply"])["plan"]["actions"][0]["receipt"], "done");
    assert_eq!(triage(&["--apply"])["plan"]["actions"][0]["receipt"], "already-done");
    assert_eq!(place.run(&["history", "export"]).out.lines().count(), 1);
}

#[test]
fn two_processes_may_write() {
    let place = Workplace::new();
    for n in 0..8 {
        place.write(&format!("{n}.xml"), report(&[("test_a", None), (&format!("test_{n}"), Some("KeyError: 'x'"))]));
    }
    std::thread::scope(|scope| {
        for n in 0..8 {
            let place = &place;
            scope.spawn(move || {
                let ran = import(place, &format!("{n}.xml"), &["--run", &n.to_string()]);
                assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
            });
        }
    });
    let exported = place.run(&["history", "export"]).out;
    assert_eq!(exported.lines().count(), 16);
    let ids: std::collections::HashSet<&str> =
        exported.lines().filter(|l| l.contains("\"test_a\"")).map(|l| &l[..45]).collect();
    assert_eq!(ids.len(), 1, "one test has one identity");
}

#[test]
fn show_finds_by_part_and_asks_when_it_is_unclear() {
    let place = Workplace::new();
    place.write("a.xml", report(&[("test_alpha", None), ("test_beta", Some("KeyError: 'x'"))]));
    let _ = import(&place, "a.xml", &["--run", "7"]);
    let one = place.run(&["history", "show", "beta"]);
    assert!(
        one.out.contains("1 run, 1 failed, 0 flaky") && one.out.contains("KeyError: 'x'") && one.out.contains("run 7"),
        "{}",
        one.out
    );
    assert!(place.run(&["history", "show", "test_"]).out.contains("test_alpha\n"), "a few are shown all");
    let none = place.run(&["history", "show", "gamma"]);
    assert_eq!(none.code, 2);
    assert!(none.err.contains("no test matches"));
}

#[test]
fn prune_forgets_what_is_old() {
    let place = Workplace::new();
    place.write("a.xml", report(&[("test_a", None)]));
    place.write("b.xml", report(&[("test_b", Some("KeyError: 'x'"))]));
    let _ = import(&place, "a.xml", &["--run", "1"]);
    let ran = place.run(&[
        "history",
        "import",
        "--junit",
        "b.xml",
        "--commit",
        "abc",
        "--branch",
        "main",
        "--at",
        "2026-11-01T10:00:00Z",
    ]);
    assert_eq!(ran.code, 0);
    let pruned = place.run(&["history", "prune", "--keep-days", "30", "--now", "2026-11-10T00:00:00Z"]);
    assert!(pruned.out.contains("forgot 1 run"), "{}", pruned.out);
    let exported = place.run(&["history", "export"]).out;
    assert!(exported.contains("\"test_b\"") && !exported.contains("\"test_a\""));
    assert!(import(&place, "a.xml", &["--run", "1"]).out.contains("imported 1 run"), "numbers are handed out anew");
}

#[test]
fn trouble_is_told_with_a_remedy() {
    let place = Workplace::new();
    place.write("a.xml", report(&[("test_a", Some("boom"))]));
    place.write(
        "not.db",
        "this is no database, and long enough to be looked at as one .......................................",
    );
    let ran = import(&place, "a.xml", &["--history", "not.db"]);
    assert_eq!(ran.code, 3);
    assert!(ran.err.contains("not a testmedic history"), "{}", ran.err);
    let judged = place.triage(&["--junit", "a.xml", "--history", "not.db", "--head", "abc"]);
    assert_eq!(judged["totals"]["failed"], 1, "judged without history all the same");
    let ran = place.run(&[
        "triage",
        "--junit",
        "a.xml",
        "--history",
        "not.db",
        "--head",
        "abc1234",
        "--branch",
        "main",
        "--apply",
        "--json",
        "o.json",
    ]);
    assert_eq!(ran.code, 3, "what could not be recorded is told");
    assert!(place.read("o.json").contains("failed: the history not.db"), "{}", place.read("o.json"));
    place.write("m.jsonl", "{\"reports\":[\"a.xml\"]}\n");
    let ran = place.run(&["history", "import", "--manifest", "m.jsonl"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("line 1") && ran.err.contains("commit"), "{}", ran.err);
    place.write(
        "m.jsonl",
        "{\"reports\":[\"none*.xml\"],\"commit\":\"c\",\"branch\":\"main\",\"at\":\"2026-05-01T10:00:00Z\"}\n",
    );
    let ran = place.run(&["history", "import", "--manifest", "m.jsonl"]);
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("no test result could be read"), "{}", ran.out);
}
