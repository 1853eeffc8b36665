//! The program in workflows of a repository on the counterpart.

use serde_json::{Value, json};

use crate::github::world::{World, pull_event, push_event};
use crate::github::{BOT, Fault};

const BROKEN: &str =
    "AssertionError: assert 'pending' == 'queued'\ntests/test_app.py:12: AssertionError\nsrc/orders.py:4: in status";
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
    world.place.git(&["init", "-q", "-b", "topic", "."]);
    world.place.commit("A change");
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
                    let world = World::new(story);
                    world.server.state().faults.insert(at, fault);
                    let ran = world.run();
                    let seen = world.server.state().shown();
                    assert_eq!(seen, expected, "{fault:?} at {at}: {}{:#?}", ran.out, world.server.state().log);
                }
            });
        }
    });
}

/// Ten jobs at once, on a forge that shows new objects late.
fn ten_at_once(story: Value, lag: u64) -> World {
    let world = World::new(story);
    world.server.state().lag = lag;
    let runs: Vec<crate::support::Ran> = std::thread::scope(|scope| {
        let jobs: Vec<_> = (0..10)
            .map(|job| {
                let world = &world;
                scope.spawn(move || {
                    let mut arguments = world.arguments();
                    // Matrix jobs have machines, and so histories, of their own.
                    arguments.push(format!("--history=history-{job}.db"));
                    arguments.push(format!("--json=report-{job}.json"));
                    arguments.push(format!("--plan=plan-{job}.json"));
                    world.run_with(&arguments)
                })
            })
            .collect();
        jobs.into_iter().map(|job| job.join().unwrap()).collect()
    });
    for ran in runs {
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    }
    world
}

#[test]
fn ten_jobs_at_once_open_one_issue() {
    for lag in [0, 6] {
        let world = ten_at_once(broken_main(), lag);
        let state = world.server.state();
        assert_eq!(state.issues.len(), 1, "lag {lag}: {:#?}", state.log);
        assert_eq!(state.labels.keys().collect::<Vec<_>>(), ["testmedic"], "claims are gone");
    }
}

#[test]
fn ten_jobs_at_once_write_one_comment_and_one_review() {
    for lag in [0, 6, 40] {
        let world = ten_at_once(broken_pull(), lag);
        let state = world.server.state();
        assert_eq!(state.comments.len(), 1, "lag {lag}: {:#?}", state.log);
        assert_eq!(state.review_comments.len(), 1, "lag {lag}");
        assert!(state.labels.is_empty(), "claims are gone: {:?}", state.labels);
    }
}

/// Ten legs of a matrix at once, each a job of its own.
fn ten_legs(story: Value) -> World {
    let world = World::new(story);
    std::thread::scope(|scope| {
        for job in 0..10 {
            let world = &world;
            scope.spawn(move || {
                let mut arguments = world.arguments();
                arguments.push(format!("--history=history-{job}.db"));
                arguments.push(format!("--json=report-{job}.json"));
                arguments.push(format!("--plan=plan-{job}.json"));
                arguments.push(format!("--variant=leg-{job}"));
                let ran = world.run_with(&arguments);
                assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
            });
        }
    });
    world
}

#[test]
fn matrix_legs_share_the_issue() {
    let world = ten_legs(broken_main());
    let state = world.server.state();
    assert_eq!(state.issues.len(), 1);
    for job in 0..10 {
        assert!(state.issues[&1].body.contains(&format!("| `leg-{job}` |")), "leg {job}: {}", state.issues[&1].body);
    }
}

/// Each leg has its part in the one comment.
#[test]
fn matrix_legs_share_the_comment() {
    let world = ten_legs(broken_pull());
    let state = world.server.state();
    assert_eq!(state.comments.len(), 1);
    for job in 0..10 {
        assert!(state.comments[0].body.contains(&format!("· `leg-{job}`")), "leg {job}: {}", state.comments[0].body);
    }
}

#[test]
fn a_claim_of_a_dead_job_does_not_last() {
    let world = World::new(broken_pull());
    {
        let mut state = world.server.state();
        let name = "testmedic-writes-510ec429f0e52ffa".to_owned();
        state.labels.insert(
            name,
            ("ededed".into(), "run 1.1 7 is writing; counts until 1700000000 and goes when it is done".into()),
        );
    }
    let ran = world.run();
    let state = world.server.state();
    assert_eq!(state.comments.len(), 1, "{}", ran.out);
    assert!(state.labels.is_empty());
}

/// A cold start with a hundred earlier runs: calls as `adapters/github/artifacts.rs` says.
#[test]
fn a_cold_start_with_a_hundred_runs() {
    let mut story = broken_main();
    story["past"] = json!({"test_order": format!("{}F", "P".repeat(99))});
    story["forge"] = json!({"files": {".github/testmedic.toml": "[history]\nruns = 100\n"}});
    let world = World::new(story);
    let ran = world.run();
    assert!(ran.out.contains("judged against 100 earlier runs"), "{}", ran.out);
    let (downloads, others) = {
        let state = world.server.state();
        let downloads = state.log.iter().filter(|l| l.path.ends_with("/zip")).count();
        (downloads, state.log.len() - downloads)
    };
    assert_eq!(downloads, 100);
    assert!(others <= 20, "{others}");
    // What the history holds is not fetched again.
    let _ = world.run();
    assert_eq!(world.server.state().log.iter().filter(|l| l.path.ends_with("/zip")).count(), 100);
}

#[test]
fn artifacts_that_cannot_be_read_are_told() {
    use crate::github::world::zip_of;
    let world = World::new(broken_main());
    {
        let mut state = world.server.state();
        state.artifacts[0].expired = true;
        state.artifacts[1].bytes = b"PK\x03\x04 not a zip".to_vec();
        state.artifacts[2].bytes = zip_of(&[("../../escape.xml", b"<testsuite/>")]);
        state.artifacts[3].bytes = zip_of(&[("bomb.xml", &vec![b' '; 130 << 20])]);
        state.artifacts[4].bytes = zip_of(&[("notes.txt", b"nothing")]);
    }
    let ran = world.run();
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    for word in ["have expired", "broken zip archive", "outside of itself", "would unpack to 130 MB"] {
        assert!(ran.out.contains(word), "{word}: {}", ran.out);
    }
    assert!(ran.out.contains("judged against 12 earlier runs"), "{}", ran.out);
    assert_eq!(world.server.state().issues.len(), 1);
}

#[test]
fn forks_named_like_main_teach_nothing() {
    let mut story = broken_main();
    story["past"] = json!({"test_order": "PPPPPPPP"});
    let world = World::new(story);
    for run in &mut world.server.state().runs {
        run.repository = "mallory/shop".to_owned();
    }
    let ran = world.run();
    assert!(ran.out.contains("no history"), "{}", ran.out);
}

/// What the run 500 left behind: an artifact with one file in it.
fn leave(state: &mut crate::github::State, name: &str, (file, text): (&str, &str), at: &str) {
    let bytes = crate::github::world::zip_of(&[(file, text.as_bytes())]);
    let (id, name, at) = (state.id(), name.to_owned(), at.to_owned());
    state.artifacts.push(crate::github::Artifact { id, name, run: 500, bytes, expired: false, at });
}

/// The plan of a fork's run, carried out by a job that may write.
fn plan_of_a_fork() -> (World, Value) {
    let mut story = broken_pull();
    story["event"]["payload"] = pull_event("mallory/shop");
    story["forge"]["pull"]["head_repository"] = json!("mallory/shop");
    let fork = World::new(story.clone());
    fork.server.state().permissions.insert("pull_requests".into(), "read".into());
    fork.server.state().permissions.insert("issues".into(), "read".into());
    fork.server.state().permissions.insert("checks".into(), "read".into());
    let ran = fork.run();
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert_eq!(fork.server.state().writes(), 0);
    assert!(fork.place.read("summary.txt").contains("comment"), "the plan is in the summary");
    let plan = fork.plan();
    story["event"] = json!({"name": "workflow_run", "payload": {
        "repository": {"full_name": "acme/shop", "default_branch": "main"},
        "workflow_run": {
            "id": 500, "run_attempt": 1, "event": "pull_request", "conclusion": "failure", "pull_requests": [],
            "head_sha": crate::github::world::sha("now"), "head_branch": "topic",
            "head_repository": {"full_name": "mallory/shop"}, "path": ".github/workflows/ci.yml",
        },
    }});
    story["env"] =
        json!({"GITHUB_RUN_ID": "900", "GITHUB_WORKFLOW_REF": "acme/shop/.github/workflows/apply.yml@refs/heads/main"});
    story["reports"] = Value::Null;
    (World::new(story), plan)
}

#[test]
fn the_plan_of_a_fork_is_applied_by_a_second_job() {
    let (world, plan) = plan_of_a_fork();
    {
        let mut state = world.server.state();
        leave(&mut state, "testmedic-plan", ("plan.json", &plan.to_string()), "2026-05-01T10:00:00Z");
    }
    let ran = world.run();
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    {
        let state = world.server.state();
        assert_eq!((state.comments.len(), state.review_comments.len(), state.checks.len()), (1, 1, 1), "{}", ran.out);
    }
    let again = world.run();
    assert_eq!(again.code, 0, "{}{}", again.out, again.err);
    let state = world.server.state();
    assert_eq!((state.comments.len(), state.review_comments.len(), state.checks.len()), (1, 1, 1), "{}", again.out);
    let written = state.log.iter().filter(|l| l.is_write() && !l.path.contains("/labels")).count();
    assert_eq!(written, 3, "{:#?}", state.log);
}

/// Each leg of a fork's matrix leaves a plan; their parts come together.
#[test]
fn plans_of_legs_come_together() {
    use crate::github::world::zip_of;
    let (world, plan) = plan_of_a_fork();
    for leg in ["linux", "macos"] {
        let text = plan.to_string().replace("\\\"leg\\\":\\\"\\\"", &format!("\\\"leg\\\":\\\"{leg}\\\""));
        assert_ne!(text, plan.to_string());
        let mut state = world.server.state();
        let bytes = zip_of(&[("plan.json", text.as_bytes())]);
        let (id, at) = (state.id(), "2026-05-01T10:00:00Z".to_owned());
        let name = format!("testmedic-plan-{leg}");
        state.artifacts.push(crate::github::Artifact { id, name, run: 500, bytes, expired: false, at });
    }
    let broken = zip_of(&[("plan.json", b"{")]);
    let at = "2026-05-01T10:00:00Z".to_owned();
    let broken = crate::github::Artifact {
        id: 997,
        name: "testmedic-plan-x".into(),
        run: 500,
        bytes: broken,
        expired: false,
        at,
    };
    world.server.state().artifacts.push(broken);
    let ran = world.run();
    let state = world.server.state();
    assert_eq!((state.comments.len(), state.review_comments.len()), (1, 1), "{}", ran.out);
    for leg in ["linux", "macos"] {
        assert!(state.comments[0].body.contains(&format!("\"leg\":\"{leg}\"")), "{}", state.comments[0].body);
    }
}

/// Without a plan the reports of the run itself are fetched and judged.
#[test]
fn the_reports_of_a_run_that_ended_are_judged() {
    let (world, _) = plan_of_a_fork();
    {
        let mut state = world.server.state();
        let text = crate::support::report(&[("test_order", Some(BROKEN)), ("test_steady_1", None)]);
        leave(&mut state, "junit", ("report.xml", &text), "2026-05-01T10:00:00Z");
    }
    let ran = world.run();
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let state = world.server.state();
    assert_eq!((state.comments.len(), state.review_comments.len()), (1, 1), "{}", ran.out);
}

/// Adds `text` to the part of a comment and wraps the part in a code fence.
fn fenced(body: &str, text: &str) -> String {
    let (marker, rest) = body.split_once('\n').unwrap();
    let (leg, rest) = rest.split_once('\n').unwrap();
    let end = rest.find("<!-- testmedic:leg-end -->").unwrap();
    let part = rest[..end].replace("```", "");
    format!("{marker}\n```text\n{leg}\n{part}\n{text}\n<!-- testmedic:leg-end -->\n```\n")
}

/// The combination of a plan's comment with existing parts is checked before it is written.
#[test]
fn what_is_composed_is_checked_where_it_is_written() {
    let (world, plan) = plan_of_a_fork();
    let actions = plan["actions"].as_array().unwrap();
    let body = actions.iter().find(|a| a["action"]["kind"] == "comment").unwrap()["action"]["body"].as_str().unwrap();
    let (first, rest) = body.split_once('\n').unwrap();
    let (leg, _) = rest.split_once('\n').unwrap();
    let named = |name: &str| leg.replace("\"leg\":\"\"", &format!("\"leg\":\"{name}\""));
    assert_ne!(named("a"), leg);
    let there = format!("{first}\n{}\n### x\n\n```text\nopen\n<!-- testmedic:leg-end -->\n", named("a"));
    // Inert in its own comment. Behind an open fence its first fence closes that one, and the words
    // between its two are live.
    let hidden = body.replace(leg, &format!("{}\n```\n@octocat\n```\n", named("z")));
    world.server.state().comments.push(crate::github::Comment {
        id: 41,
        on: 7,
        body: there.clone(),
        author: BOT.to_owned(),
        made: 0,
        updated: "2026-05-01T10:00:00Z".to_owned(),
        at: None,
    });
    let mut plan = plan.clone();
    for action in plan["actions"].as_array_mut().unwrap() {
        if action["action"]["kind"] == "comment" {
            action["action"]["body"] = json!(hidden);
        }
    }
    world.place.write("plan.json", plan.to_string());
    let ran = world.run_with(&["apply".to_owned(), "plan.json".to_owned()]);
    assert!(ran.out.contains("not written: its text mentions somebody"), "{}{}", ran.out, ran.err);
    assert!(world.server.state().comments.iter().all(|c| !c.body.contains("octocat")), "{}", ran.out);
}

/// Two workflows, and two jobs of a workflow, do not replace each other's check runs and comment parts.
#[test]
fn each_workflow_and_each_job_has_its_own_check() {
    let mut world = World::new(broken_pull());
    world.story["args"] = json!(["--fail-on=failure"]);
    let as_job = |world: &mut World, workflow: &str, job: &str, reports: &Value| {
        world.story["env"] = json!({
            "GITHUB_JOB": job,
            "GITHUB_WORKFLOW_REF": format!("acme/shop/.github/workflows/{workflow}@refs/heads/main"),
        });
        world.story["reports"] = reports.clone();
        world.lay_out();
        world.run()
    };
    let broken = world.story["reports"].clone();
    let green = json!({"report.xml": {"test_other": null}});
    assert_eq!(as_job(&mut world, "ci.yml", "unit", &broken).code, 1);
    assert_eq!(as_job(&mut world, "ci.yml", "web", &green).code, 0);
    assert_eq!(as_job(&mut world, "docs.yml", "build", &green).code, 0);
    let state = world.server.state();
    let mut checks: Vec<(&str, &str)> = state.checks.iter().map(|c| (c.name.as_str(), c.conclusion.as_str())).collect();
    checks.sort_unstable();
    let expected = [
        ("testmedic (ci / unit)", "failure"),
        ("testmedic (ci / web)", "success"),
        ("testmedic (docs / build)", "success"),
    ];
    assert_eq!(checks, expected);
    assert_eq!(state.comments.len(), 1, "one comment for each workflow with something to say");
    let comment = &state.comments[0].body;
    assert!(comment.contains("🔴") && comment.contains("`unit`") && comment.contains("`web`"), "{comment}");
}

/// A comment of version 0.1, whose parts name no job, is found and updated.
#[test]
fn a_comment_of_an_older_version_is_found() {
    let mut world = World::new(broken_pull());
    assert_eq!(world.run().code, 0);
    let before = world.server.state().comments[0].body.clone();
    assert!(!before.contains("\"job\""), "without GITHUB_JOB the marker is the one of version 0.1: {before}");
    world.story["env"] = json!({"GITHUB_JOB": "unit", "GITHUB_RUN_ID": "501"});
    assert_eq!(world.run().code, 0);
    let state = world.server.state();
    assert_eq!(state.comments.len(), 1);
    let body = &state.comments[0].body;
    assert_eq!((body.matches("🔴").count(), body.matches("testmedic:leg-end").count()), (1, 1), "{body}");
    assert!(body.contains("\"job\":\"unit\""), "{body}");
}

/// Missing results fail the step with any `fail-on` except `never`.
#[test]
fn missing_results_are_red_in_the_action() {
    let results = [
        ("missing", None),
        ("empty", Some("")),
        ("cut off", Some("<testsuite name='s'><testcase name='a'/><testca")),
        ("no JUnit", Some("<html></html>")),
        ("no tests", Some("<testsuite name='s' tests='0'/>")),
    ];
    for (name, text) in results {
        for (fail_on, code) in [("never", 0), ("regression", 1), ("failure", 1)] {
            let mut world = World::new(broken_main());
            world.story["args"] = json!([format!("--fail-on={fail_on}")]);
            std::fs::remove_file(world.place.path().join("report.xml")).unwrap();
            if let Some(text) = text {
                world.place.write("report.xml", text);
            }
            let ran = world.run();
            assert_eq!(ran.code, code, "{name}, {fail_on}: {}{}", ran.out, ran.err);
            assert_eq!(ran.out.contains("::error"), code == 1, "{name}, {fail_on}: {}", ran.out);
            let conclusion = if code == 1 { "failure" } else { "error" };
            assert_eq!(world.output("conclusion").as_deref(), Some(conclusion), "{name}, {fail_on}");
            let state = world.server.state();
            assert!(state.checks.iter().all(|c| c.conclusion != "success"), "{name}, {fail_on}");
        }
    }
}

/// If testmedic itself fails, failing reports still fail the step, and passing reports do not.
#[test]
fn our_own_trouble_changes_no_colour() {
    for (reports, fail_on, code) in [
        (json!({"report.xml": {"test_order": BROKEN}}), "failure", 1),
        (json!({"report.xml": {"test_order": BROKEN}}), "regression", 1),
        (json!({"report.xml": {"test_order": BROKEN}}), "never", 0),
        (json!({"report.xml": {"test_order": null}}), "failure", 0),
    ] {
        let mut world = World::new(broken_main());
        // A file cannot be written below a file.
        world.story["args"] = json!([format!("--fail-on={fail_on}"), "--summary=event.json/summary.md"]);
        world.story["reports"] = reports;
        world.lay_out();
        let ran = world.run();
        assert_eq!(ran.code, code, "{fail_on}: {}{}", ran.out, ran.err);
        assert!(ran.out.contains("::warning"), "{}", ran.out);
    }
    let mut world = World::new(broken_main());
    world.story["args"] = json!(["--fail-on=failure"]);
    world.story["reports"] = Value::Null;
    let ran = world.run();
    assert!(ran.code == 1 && ran.out.contains("no reports are named"), "{} {}{}", ran.code, ran.out, ran.err);
}

#[test]
fn a_plan_that_was_tampered_with_is_refused_item_by_item() {
    let (world, plan) = plan_of_a_fork();
    let item = |kind: &str| {
        plan["actions"]
            .as_array()
            .unwrap()
            .iter()
            .position(|a| a["action"]["kind"] == kind)
            .unwrap_or_else(|| panic!("{kind}"))
    };
    let (comment, review, check) = (item("comment"), item("review"), item("check-run"));
    let body = plan["actions"][comment]["action"]["body"].as_str().unwrap().to_owned();
    let with = |index: usize, field: &str, value: Value| {
        let mut plan = plan.clone();
        plan["actions"][index]["action"][field] = value;
        plan
    };
    let says = |text: &str| with(comment, "body", json!(format!("{body}\n{text}\n")));
    let path = |path: &str| {
        let mut plan = plan.clone();
        plan["actions"][review]["action"]["comments"][0]["path"] = json!(path);
        plan
    };
    let issue = {
        let mut plan = plan.clone();
        plan["actions"][comment]["action"] = json!({"kind": "open-issue", "key": "f1-0", "title": "x", "body": "y", "labels": ["testmedic"], "assignees": []});
        plan
    };
    let table = [
        (with(comment, "on", json!(3)), "thread 3 is not the pull request of commit"),
        (says("@everyone look"), "mentions somebody"),
        (says("![x](https://evil.example/p.png)"), "holds a picture"),
        (says("[free](https://evil.example)"), "links to https"),
        (says("see https://evil.example"), "bare link"),
        (says("<script>alert(1)</script>"), "holds HTML"),
        (says("<a href=\"https://evil.example\">x</a>"), "holds HTML"),
        (says(&"x".repeat(70_000)), "bytes long"),
        (says(&format!("ghp_{}", "a1".repeat(18))), "looks like a secret"),
        // Inert behind a fence that stands outside of the part, and active without it.
        (with(comment, "body", json!(fenced(&body, "@octocat"))), "mentions somebody"),
        (with(comment, "body", json!(fenced(&body, "![x](https://evil.example/p.png)"))), "holds a picture"),
        (with(comment, "body", json!(fenced(&body, "[free](https://evil.example)"))), "links to https"),
        (with(comment, "body", json!(fenced(&body, "<img src=x>"))), "holds HTML"),
        (with(comment, "key", json!("another")), "marker is not that of its key"),
        (path(".github/workflows/ci.yml"), "is a workflow file"),
        (path("../../etc/passwd"), "is not a path in the repository"),
        (path("src/other.py"), "is not changed by the pull request"),
        (with(review, "head", json!("0000000000000000000000000000000000000000")), "not about the pull request"),
        (with(check, "name", json!("required-check")), "its name is not"),
        (with(check, "head", json!("0000000000000000000000000000000000000000")), "it is about commit"),
        (with(check, "conclusion", json!("success")), "cannot vouch for itself"),
        (with(comment, "body", json!(body.replace("ci.yml", "other.yml"))), "not the comment of the workflow that ran"),
        (with(comment, "body", json!(body.replace("\"run\":500", "\"run\":999999"))), "about another run"),
        (with(comment, "body", json!(body.replace("\"attempt\":1", "\"attempt\":99"))), "about another run"),
        (issue, "only runs of the default branch"),
    ];
    for (tampered, reason) in table {
        world.place.write("tampered.json", tampered.to_string());
        let ran = world.run_with(&["apply".to_owned(), "tampered.json".to_owned(), "--dry-run".to_owned()]);
        assert_eq!(ran.code, 3, "{reason}: {}{}", ran.out, ran.err);
        assert!(ran.out.contains(reason), "{reason}: {}", ran.out);
        // What was good beside it is still there.
        assert_eq!(
            ran.out.lines().filter(|l| l.starts_with("  1. ") || l.starts_with("  2. ")).count(),
            2,
            "{}",
            ran.out
        );
    }
    for (field, value, reason) in [
        ("repository", json!("evil/shop"), "the plan is for evil/shop"),
        ("head", json!("0000000000000000000000000000000000000000"), "the plan is about commit"),
    ] {
        let mut tampered = plan.clone();
        tampered[field] = value;
        world.place.write("tampered.json", tampered.to_string());
        let ran = world.run_with(&["apply".to_owned(), "tampered.json".to_owned()]);
        assert!(ran.code == 3 && ran.out.contains(reason), "{reason}: {}{}", ran.out, ran.err);
    }
    for (text, reason) in
        [("{}", "has no `schema`"), ("[", "not a plan"), ("{\"schema\":\"testmedic.plan/9\"}", "its schema is")]
    {
        world.place.write("tampered.json", text);
        let ran = world.run_with(&["apply".to_owned(), "tampered.json".to_owned()]);
        assert!(ran.code == 3 && ran.err.contains(reason), "{reason}: {}{}", ran.out, ran.err);
    }
    assert_eq!(world.server.state().writes(), 0);
}

/// A plan may name any comment and any check run to edit: it gets none but ours
/// about this very thing.
#[test]
fn a_plan_cannot_edit_what_is_not_its_own() {
    let (world, mut plan) = plan_of_a_fork();
    {
        let mut state = world.server.state();
        let foreign = |id, on| crate::github::Comment {
            id,
            on,
            body: "deployed".into(),
            author: BOT.into(),
            made: 0,
            updated: "2026-05-01T10:00:00Z".into(),
            at: None,
        };
        state.comments.push(foreign(77, 7));
        state.comments.push(foreign(78, 3));
        state.checks.push(crate::github::Check {
            id: 42,
            head: crate::github::world::sha("elsewhere"),
            name: "build".into(),
            external_id: "testmedic x".into(),
            conclusion: "success".into(),
            output: json!({}),
        });
    }
    for action in plan["actions"].as_array_mut().unwrap() {
        match action["action"]["kind"].as_str().unwrap() {
            "comment" => {
                action["action"]["edit"] = json!(78);
                action["guards"] =
                    json!([{"guard": "comment-is", "on": 3, "id": 78, "key": "x", "digest": "52ad5c02b7f02e17"}]);
            }
            "check-run" => action["action"]["edit"] = json!(42),
            _ => {}
        }
    }
    world.place.write("tampered.json", plan.to_string());
    let ran = world.run_with(&["apply".to_owned(), "tampered.json".to_owned(), "--write-interval=0.02".to_owned()]);
    let state = world.server.state();
    assert!(state.comments.iter().filter(|c| c.id == 77 || c.id == 78).all(|c| c.body == "deployed"), "{}", ran.out);
    assert!(state.checks.iter().any(|c| c.id == 42 && c.name == "build" && c.conclusion == "success"), "{}", ran.out);
}

/// A fork that leaves no plan but a green report: it is not made a success.
#[test]
fn a_fork_does_not_vouch_for_itself() {
    let (world, _) = plan_of_a_fork();
    {
        let mut state = world.server.state();
        leave(
            &mut state,
            "junit",
            ("report.xml", &crate::support::report(&[("test_order", None)])),
            "2026-05-01T10:00:00Z",
        );
    }
    let ran = world.run();
    assert_eq!(world.server.state().checks[0].conclusion, "neutral", "{}", ran.out);
    let mut story = broken_pull();
    story["event"] = json!({"name": "pull_request_target", "payload": pull_event("mallory/shop")});
    story["forge"]["pull"]["head_repository"] = json!("mallory/shop");
    story["reports"] = json!({"report.xml": {"test_order": null}});
    let world = World::new(story);
    let ran = world.run();
    assert_eq!(world.server.state().checks[0].conclusion, "neutral", "{}", ran.out);
}

#[test]
fn a_report_that_is_missing_is_no_success() {
    let mut story = broken_main();
    story["reports"] = json!({});
    story["args"] = json!(["--junit=nowhere/*.xml"]);
    let world = World::new(story);
    let ran = world.run();
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("::warning title=testmedic::nowhere/*.xml: no file matches"), "{}", ran.out);
    assert_eq!(world.server.state().checks[0].conclusion, "neutral");
    assert_eq!(world.output("conclusion").as_deref(), Some("error"));
}

#[test]
fn a_token_of_another_app_writes_nothing_twice() {
    for story in [broken_main(), broken_pull()] {
        let world = World::new(story);
        world.server.state().login = "other-app[bot]".to_owned();
        let _ = world.run();
        let count = |world: &World| {
            let state = world.server.state();
            (state.issues.len(), state.comments.len(), state.review_comments.len())
        };
        let before = count(&world);
        let again = world.run();
        assert_eq!(count(&world), before, "{}", again.out);
        assert!(again.out.contains("bot: other-app[bot]"), "{}", again.out);
    }
}

#[test]
fn lists_are_read_to_their_end() {
    let world = World::new(broken_pull());
    for n in 0..520 {
        let mut state = world.server.state();
        let comment = crate::github::Comment {
            id: 10 + n,
            on: 7,
            body: "hello".into(),
            author: "ann".into(),
            made: 0,
            updated: "2026-05-01T10:00:00Z".into(),
            at: None,
        };
        state.comments.push(comment);
    }
    let _ = world.run();
    let again = world.run();
    let state = world.server.state();
    assert_eq!(state.comments.iter().filter(|c| c.author == BOT).count(), 1, "{}", again.out);
}

#[test]
fn earlier_attempts_of_this_run_are_learned() {
    use crate::github::world::sha;
    let mut story = broken_main();
    story["past"] = json!({"test_order": "PPPPPPPP"});
    story["env"] = json!({"GITHUB_RUN_ATTEMPT": "2"});
    let world = World::new(story);
    {
        let mut state = world.server.state();
        let text = crate::support::report(&[("test_order", None), ("test_steady_1", None)]);
        let run = crate::github::Run {
            id: 500,
            event: "push".into(),
            branch: "main".into(),
            sha: sha("now"),
            repository: "acme/shop".into(),
            attempt: 2,
            at: "2026-05-01T09:30:00Z".into(),
            workflow: "ci.yml".into(),
            conclusion: None,
        };
        state.runs.push(run);
        leave(&mut state, "junit", ("report.xml", &text), "2026-05-01T09:00:00Z");
    }
    let ran = world.run();
    assert!(ran.out.contains("FLAKY") && ran.out.contains("passed in 1 other run"), "{}", ran.out);
}

#[test]
fn ten_megabytes_of_text_are_cut_and_said() {
    let mut story = broken_pull();
    let long = format!("AssertionError: long\n{}", "abcdefghi\n".repeat(1 << 20));
    story["reports"]["report.xml"]["test_order"] = json!(long);
    let letter = |n: u8| char::from(b'a' + n % 26);
    for n in 0..60_u8 {
        let word: String = [letter(n), letter(n / 7 + 3), letter(n * 3), letter(n / 3)].iter().collect();
        let text =
            format!("{word}Error: {word}{word} of the {word}x and its {word}y went {word}z\n{}", "y`<@#[".repeat(4000));
        story["reports"]["report.xml"][format!("test_loud_{word}")] = json!(text);
    }
    let world = World::new(story);
    let ran = world.run();
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let state = world.server.state();
    let body = &state.comments[0].body;
    assert!(body.len() <= 65_536 && body.contains("more groups of failures"), "{}", body.len());
    assert!(body.contains("Details of the gravest 10 follow"));
    assert!(body.contains("bytes cut"));
    assert!(world.place.read("summary.txt").len() < 1 << 20);
}

#[test]
fn a_head_that_moved_gets_no_review() {
    let world = World::new(broken_pull());
    world.server.state().pulls.get_mut(&7).unwrap().head_sha = crate::github::world::sha("moved");
    let ran = world.run();
    assert!(world.server.state().review_comments.is_empty(), "{}", ran.out);
    assert!(ran.out.contains("the head of pull request 7 is"), "{}", ran.out);
}

#[test]
fn an_enterprise_server_has_its_api_below_a_path() {
    let mut story = broken_main();
    story["forge"] = json!({"files": {".github/testmedic.toml": "[history]\nruns = 100\n"}});
    let world = World::new(story);
    for n in 0..150 {
        let mut state = world.server.state();
        let mut artifact = state.artifacts[0].clone();
        artifact.id = 5000 + n;
        artifact.run = 100 + n;
        artifact.name = "other".to_owned();
        artifact.at = "2026-05-01T09:00:00Z".to_owned();
        state.artifacts.push(artifact);
    }
    let mut arguments = world.arguments();
    arguments.push("--history=ghes.db".to_owned());
    let mut variables = world.variables();
    variables.insert("GITHUB_API_URL".to_owned(), format!("{}/api/v3", world.server.api));
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let pairs: Vec<(&str, &str)> = variables.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let ran = world.place.run_with(&words, &pairs);
    let state = world.server.state();
    assert!(state.breaches.is_empty(), "{:#?}", state.breaches);
    assert_eq!(state.issues.len(), 1, "{}{:#?}", ran.out, state.log);
    assert!(state.log.iter().any(|l| l.path.contains("artifacts?") && l.path.contains("page=2")), "{:#?}", state.log);
}

#[test]
fn an_exhausted_limit_is_told_and_waited_for_no_longer_than_sensible() {
    let world = World::new(broken_main());
    world.server.state().remaining = 5;
    let ran = world.run();
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("API rate limit exceeded"), "{}", ran.out);
}

/// More failures than a roll-up lists: it stands for all of them.
#[test]
fn a_roll_up_that_is_full_stands_for_the_rest() {
    let mut story = broken_main();
    story["forge"] = json!({"files": {".github/testmedic.toml": "[issues]\nmin-failures = 1\n"}});
    let letter = |n: usize| char::from(b'a' + u8::try_from(n % 26).unwrap());
    let mut past = serde_json::Map::new();
    for n in 0..260 {
        let word: String = [letter(n), letter(n / 26), letter(n * 7 + 3)].iter().collect();
        let text = format!("{word}Error: {word}{word} of the {word}x and its {word}y went {word}z");
        story["reports"]["report.xml"][format!("test_{word}{n}")] = json!(text);
        past.insert(format!("test_{word}{n}"), json!("PPPPPPPP"));
    }
    for n in 0..80 {
        story["reports"]["report.xml"][format!("test_fine_{n}")] = Value::Null;
    }
    story["past"] = Value::Object(past);
    let world = World::new(story);
    let first = world.run();
    assert_eq!(world.server.state().issues.len(), 6, "{}", first.out);
    let before = world.server.state().writes();
    let again = world.run();
    assert_eq!(world.server.state().writes(), before, "{}", again.out);
}

#[test]
fn github_is_down() {
    let world = World::new(broken_main());
    world.server.state().faults = (1..=200).map(|n| (n, Fault::BadGateway)).collect();
    let ran = world.run();
    assert_eq!(ran.code, 0, "the job keeps its colour: {}{}", ran.out, ran.err);
    assert!(ran.out.contains("GitHub answered 502"), "{}", ran.out);
    assert_eq!(world.output("conclusion").as_deref(), Some("error"));
}

/// One job judges the reports of all legs: each against its own past.
#[test]
fn legs_are_those_of_the_artifacts() {
    let mut story = broken_main();
    let green = json!({"test_order": null, "test_steady_1": null});
    let red = story["reports"]["report.xml"].take();
    story["reports"] = json!({"all/junit-linux/report.xml": red, "all/junit-macos/report.xml": green});
    let world = World::new(story);
    for artifact in &mut world.server.state().artifacts {
        artifact.name = "junit-linux".to_owned();
    }
    let ran = world.run();
    assert!(ran.out.contains("failed in 1 of 17 runs before"), "{}", ran.out);
    assert!(ran.out.contains("[linux]"), "{}", ran.out);
}

/// GitHub's own examples of payloads: the event is understood, whole and cut off.
#[test]
fn official_payloads_are_understood() {
    use testmedic::ingest::event;
    use testmedic::model::forge::Trigger;
    let mut seen = 0;
    for entry in std::fs::read_dir(crate::support::fixtures().join("github/webhooks")).unwrap().flatten() {
        let file = entry.file_name().into_string().unwrap();
        let name = file.split('.').next().unwrap();
        let text = std::fs::read_to_string(entry.path()).unwrap();
        let payload: Value = serde_json::from_str(&text).unwrap();
        let event = event::read(name, &payload);
        assert!(event.repository.is_some() && !event.actor.is_blank(), "{file}");
        let fits = match name {
            "pull_request" => {
                matches!(&event.occasion, Trigger::Pull(p) if p.base_sha.len() == 40 && p.head_repository.is_some())
            }
            "workflow_run" => matches!(&event.occasion, Trigger::WorkflowRun(r) if r.id > 0 && !r.event.is_empty()),
            "issue_comment" => {
                matches!(&event.occasion, Trigger::Comment(remark) if remark.on > 0 && remark.id > 0 && remark.author.is_some())
            }
            "push" => event.occasion == Trigger::Push && event.default_branch.is_some(),
            _ => event.occasion == Trigger::Dispatch,
        };
        assert!(fits, "{file}: {event:?}");
        // Without any one of its top fields nothing breaks.
        for key in payload.as_object().unwrap().keys() {
            let mut without = payload.clone();
            without.as_object_mut().unwrap().remove(key);
            let _ = event::read(name, &without);
        }
        seen += 1;
    }
    assert!(seen >= 7);
}

/// What real runners print is never taken for something that is not ours: the
/// plan of a fork's run is admitted whole, whatever its reports say.
#[test]
fn honest_plans_are_admitted() {
    let mut story = broken_pull();
    story["event"]["payload"] = pull_event("mallory/shop");
    story["forge"]["pull"]["head_repository"] = json!("mallory/shop");
    story["reports"] = json!({});
    story["past"] = json!({});
    let mut seen = 0;
    let second = plan_of_a_fork().0;
    for entry in std::fs::read_dir(crate::support::fixtures().join("junit")).unwrap().flatten() {
        if !entry.path().is_dir() {
            continue;
        }
        story["args"] = json!([format!("--junit={}", entry.path().display())]);
        let fork = World::new(story.clone());
        let ran = fork.run();
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        second.place.write("plan.json", fork.plan().to_string());
        let applied = second.run_with(&["apply".to_owned(), "plan.json".to_owned(), "--dry-run".to_owned()]);
        assert_eq!(applied.code, 0, "{}: {}{}", entry.path().display(), applied.out, applied.err);
        assert!(applied.out.contains("check-run"), "{}", applied.out);
        seen += 1;
    }
    assert!(seen >= 20);
}
