//! The program in workflows of a repository on the counterpart.

use serde_json::{Value, json};

use crate::github::world::{World, pull_event, push_event};
use crate::github::{BOT, Fault};

const BROKEN: &str = "AssertionError: assert 'pending' == 'queued'\ntests/test_app.py:12: AssertionError\nsrc/orders.py:4: in status";
const PATCH: &str = "@@ -1,4 +1,4 @@\n import x\n \n def status():\n-    return 'queued'\n+    return 'pending'";

/// `main`, where a test has failed once already and fails again.
pub fn broken_main() -> Value {
    json!({
        "event": {"name": "push", "payload": push_event()},
        "message": BROKEN,
        "past": {"test_order": "PPPPPPPPPPPPPPPPF"},
        "reports": {"report.xml": {"test_order": BROKEN, "test_steady_1": null, "test_steady_2": null, "test_steady_3": null, "test_steady_4": null}},
    })
}

/// A pull request that breaks a test.
pub fn broken_pull() -> Value {
    json!({
        "event": {"name": "pull_request", "payload": pull_event("acme/shop")},
        "message": BROKEN,
        "past": {"test_order": "PPPPPPPPPPPPPPPP"},
        "reports": {"report.xml": {"test_order": BROKEN, "test_steady_1": null, "test_steady_2": null, "test_steady_3": null, "test_steady_4": null}},
        "forge": {"pull": {"number": 7, "files": {"src/orders.py": PATCH, "logo.png": null}}},
    })
}

#[test]
fn an_issue_opens_and_the_second_run_writes_nothing() {
    let world = World::new(broken_main());
    let ran = world.run();
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    {
        let state = world.server.state();
        let issues: Vec<_> = state.issues.values().collect();
        assert_eq!(issues.len(), 1, "{}{:#?}", ran.out, state.log);
        assert!(issues[0].title.starts_with("Regression: test_order"), "{}", issues[0].title);
        assert_eq!(issues[0].labels, ["testmedic"]);
        assert_eq!(state.labels.keys().collect::<Vec<_>>(), ["testmedic"], "the claim is gone");
        assert_eq!(state.checks.len(), 1);
        assert!(state.count - 17 <= 20, "{:#?}", state.log);
    }
    let before = world.server.state().writes();
    let again = world.run();
    assert_eq!(again.code, 0, "{}{}", again.out, again.err);
    assert_eq!(world.server.state().writes(), before, "{:#?}\n{}", world.server.state().log, again.out);
    assert_eq!(world.output("issues").as_deref(), Some("[\"https://github.com/acme/shop/issues/1\"]"));
    assert_eq!(world.output("regressions").as_deref(), Some("1"));
}

#[test]
fn a_pull_request_gets_comment_review_and_check() {
    let world = World::new(broken_pull());
    let ran = world.run();
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    {
        let state = world.server.state();
        assert_eq!(state.comments.len(), 1, "{}{:#?}", ran.out, state.log);
        assert_eq!(state.review_comments.len(), 1, "{}{:#?}", ran.out, state.log);
        assert_eq!(state.review_comments[0].at, Some(("src/orders.py".to_owned(), 4)));
        assert_eq!(state.checks.len(), 1);
        assert_eq!(state.comments[0].author, BOT);
        let downloads = state.log.iter().filter(|l| l.path.ends_with("/zip")).count();
        assert!(state.log.len() - downloads <= 20, "{:#?}", state.log);
    }
    let before = world.server.state().writes();
    let again = world.run();
    assert_eq!(world.server.state().writes(), before, "{:#?}\n{}", world.server.state().log, again.out);
}

#[test]
fn each_request_may_fail_in_turn() {
    let mut jobs = Vec::new();
    for mut story in [broken_main(), broken_pull()] {
        let line = if story["forge"].is_object() { "PPPP" } else { "PPPPF" };
        story["past"] = json!({"test_order": line});
        let clean = World::new(story.clone());
        let _ = clean.run();
        let (total, expected) = {
            let state = clean.server.state();
            (state.count, state.shown())
        };
        for fault in [Fault::BadGateway, Fault::LostAnswer, Fault::SecondaryLimit, Fault::Dropped] {
            jobs.extend((1..=total).map(|at| (story.clone(), fault, at, expected.clone())));
        }
    }
    let next = std::sync::Mutex::new(jobs.into_iter());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some((story, fault, at, expected)) = { next.lock().unwrap().next() } {
                    let start = std::time::Instant::now();
                    let world = World::new(story);
                    world.server.state().faults.insert(at, fault);
                    let ran = world.run();
                    let seen = world.server.state().shown();
                    eprintln!("{fault:?} {at} {:?}", start.elapsed());
                    assert_eq!(seen, expected, "{fault:?} at {at}: {}{:#?}", ran.out, world.server.state().log);
                }
            });
        }
    });
}
