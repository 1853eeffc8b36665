//! Repairs on their way to the pull request: a real repository with real pytest
//! runs, and the counterpart with a real Git database.

use serde_json::{Value, json};

use crate::github::Fault;
use crate::github::world::{REPOSITORY, World, pull_event};
use crate::support::Ran;

/// A product with two values, and its tests.
const ORDERS: &str = "def status():\n    return 'queued'\n\n\ndef total(items):\n    return sum(items)\n\n\ndef label():\n    return 'order'\n";
const TESTS: &str = "from orders import label, status, total\n\n\ndef test_status():\n    assert status() == 'queued'\n\n\ndef test_total():\n    assert total([1, 2]) == 3\n\n\ndef test_label():\n    assert label() == 'order'\n";

/// A pull request that changes files, and what it does to the tests.
struct Repair {
    world: World,
}

impl Repair {
    /// `changes`: path, old text, new text.
    fn new(policy: &str, changes: &[(&str, &str, &str)]) -> Self {
        let story = json!({
            "event": {"name": "pull_request", "payload": pull_event(REPOSITORY)},
            "forge": {
                "pull": {"number": 7, "files": {}},
                "files": {".github/testmedic.toml": policy},
                "permissions": {"contents": "write", "actions": "write"},
            },
            "args": ["--junit=shop/report.xml", "--repo=shop"],
            "env": {"PATH": format!("{}:{}", crate::healing::prepared().join("venv/bin").display(), std::env::var("PATH").unwrap())},
        });
        let mut world = World::new(story);
        let git = |arguments: &[&str]| world.place.git(&[&["-C", "shop"], arguments].concat());
        world.place.write("shop/orders.py", ORDERS);
        world.place.write("shop/tests/test_orders.py", TESTS);
        world.place.write("shop/conftest.py", "");
        world.place.write("shop/.gitignore", "report.xml\n__pycache__/\n.pytest_cache/\n");
        world.place.git(&["init", "--quiet", "--initial-branch=main", "shop"]);
        git(&["add", "."]);
        git(&["commit", "--quiet", "-m", "Sell things"]);
        git(&["checkout", "--quiet", "-b", "topic"]);
        for (path, old, new) in changes {
            let path = format!("shop/{path}");
            let text = world.place.read(&path);
            assert!(text.contains(old), "{path} has no {old}");
            world.place.write(&path, text.replacen(old, new, 1));
        }
        git(&["commit", "--quiet", "-a", "-m", "Orders wait"]);
        world.stand_on("shop", "main", "topic");
        let repair = Self { world };
        repair.test();
        repair
    }

    /// Runs the suite, as the job before testmedic would.
    fn test(&self) {
        let python = crate::healing::prepared().join("venv/bin/python");
        let done = std::process::Command::new(python)
            .args(["-m", "pytest", "-q", "--junitxml=report.xml"])
            .current_dir(self.world.place.path().join("shop"))
            .output()
            .unwrap();
        assert!(self.world.place.path().join("shop/report.xml").exists(), "{done:?}");
    }

    fn run(&self) -> Ran {
        self.world.run()
    }

    /// Runs twice; the second run writes nothing.
    fn run_twice(&self) -> Ran {
        let ran = self.run();
        let writes = self.world.server.state().writes();
        let again = self.run();
        assert_eq!(again.code, ran.code);
        let state = self.world.server.state();
        let more: Vec<_> = state.log.iter().filter(|l| l.is_write()).skip(writes).collect();
        assert!(more.is_empty(), "the second run wrote {more:#?}");
        drop(state);
        ran
    }

    fn git(&self, arguments: &[&str]) -> Option<String> {
        let bare = self.world.server.state().bare.clone().unwrap();
        bare.git(arguments, &[], "")
    }

    /// Branches of ours on the forge.
    fn branches(&self) -> Vec<String> {
        let listed = self.git(&["for-each-ref", "--format=%(refname:short)", "refs/heads/testmedic/"]).unwrap();
        listed.lines().map(str::to_owned).collect()
    }

    /// The comment on the pull request.
    fn comment(&self) -> String {
        self.world.server.state().comments.first().map(|c| c.body.clone()).unwrap_or_default()
    }

    /// `kind: reason` of what was not done.
    fn withheld(&self) -> Vec<String> {
        let report = self.world.report();
        let rows = report["plan"]["withheld"].as_array().unwrap();
        rows.iter().map(|w| format!("{}: {}", w["kind"].as_str().unwrap(), w["reason"].as_str().unwrap())).collect()
    }

    fn receipts(&self) -> Vec<String> {
        let report = self.world.report();
        let rows = report["plan"]["actions"].as_array().unwrap();
        let told = |a: &Value| format!("{} {}", a["kind"].as_str().unwrap(), a["receipt"].as_str().unwrap_or("-"));
        rows.iter().map(told).filter(|a| !a.starts_with("record-run")).collect()
    }
}

const BRANCH: &str = "heal = \"branch\"";
const OUTDATED: &[(&str, &str, &str)] = &[("orders.py", "'queued'", "'pending'")];

#[test]
fn a_repair_goes_to_a_branch_and_a_pull_request() {
    let repair = Repair::new("[heal]\nmode = \"branch\"\nauthor = \"Test Medic <bot@acme.example>\"", OUTDATED);
    let ran = repair.run_twice();
    assert_eq!(ran.code, 0, "{}", ran.out);
    let head = repair.git(&["rev-parse", "topic"]).unwrap();
    let branches = repair.branches();
    let [branch] = branches.as_slice() else { panic!("{branches:?}\n{}", ran.out) };
    assert!(branch.starts_with("testmedic/heal/f1") && branch.ends_with(&head[..12]), "{branch}");
    let log = repair.git(&["log", "--format=%P|%an|%ae|%s", &format!("topic..{branch}")]).unwrap();
    assert_eq!(log.trim(), format!("{}|Test Medic|bot@acme.example|Bring test_status up to date", head.trim()));
    let diff = repair.git(&["diff", "--unified=0", "topic", branch]).unwrap();
    assert!(diff.contains("-    assert status() == 'queued'\n+    assert status() == 'pending'"), "{diff}");
    assert_eq!(diff.matches("\n@@").count(), 1);
    let message = repair.git(&["log", "-1", "--format=%B", branch]).unwrap();
    for part in ["literal: ", "new test on new code with its file: passed (3 times)", "old test on old code: passed"] {
        assert!(message.contains(part), "{message}");
    }
    assert!(!message.contains("Co-authored-by"));
    let state = repair.world.server.state();
    let pull = &state.pulls[&8];
    assert_eq!((pull.head_ref.as_str(), pull.base_ref.as_str()), (branch.as_str(), "topic"));
    let offered = &state.issues[&8];
    assert_eq!(offered.title, "Bring test_status up to date");
    assert!(offered.body.contains("| new, with its file | new | pass | ✓ passed, 3 times |"), "{}", offered.body);
    assert!(offered.body.contains("/pull/7)"));
    let run = state.runs.iter().find(|r| r.event == "workflow_dispatch").unwrap();
    assert_eq!((run.branch.as_str(), run.workflow.as_str()), (branch.as_str(), "ci.yml"));
    drop(state);
    let comment = repair.comment();
    assert!(comment.contains(&format!("compare/topic...{branch}?expand=1")), "{comment}");
    assert!(comment.contains("[pull request 8](https://github.com/acme/shop/pull/8)"), "{comment}");
    assert!(comment.contains("Its tests [run]("), "{comment}");
    assert_eq!(repair.receipts(), Vec::<String>::new(), "the second run planned something");
    assert!(ran.out.contains("HEALED"), "{}", ran.out);

    // The tests that were started have ended: the next run tells how.
    repair.world.server.state().runs.last_mut().unwrap().conclusion = Some("success".to_owned());
    let _ = repair.run();
    assert!(repair.comment().contains("Its tests [passed]("), "{}", repair.comment());
    assert_eq!(repair.branches().len(), 1);
}

/// A change of the product beside a change of the test, near the assertion that
/// is outdated: the diff shows its line.
const BESIDE: &[(&str, &str, &str)] = &[
    ("orders.py", "'queued'", "'pending'"),
    ("tests/test_orders.py", "def test_total():", "def test_total():  # in any order"),
];

#[test]
fn a_repair_inside_of_the_diff_is_a_suggestion() {
    for policy in ["", BRANCH] {
        let repair = Repair::new(policy, BESIDE);
        let ran = repair.run_twice();
        assert_eq!(repair.branches(), Vec::<String>::new());
        let state = repair.world.server.state();
        let bodies: Vec<&str> = state.review_comments.iter().map(|c| c.body.as_str()).collect();
        let [body] = bodies.as_slice() else { panic!("{bodies:#?}\n{}", ran.out) };
        assert_eq!(state.review_comments[0].at, Some(("tests/test_orders.py".to_owned(), 5)));
        assert!(body.contains("```suggestion\n    assert status() == 'pending'\n```\n"), "{body}");
        assert!(body.contains("| old | old | pass | ✓ passed |"), "{body}");
    }
}

#[test]
fn by_default_a_repair_outside_of_the_diff_is_shown_and_no_more() {
    let repair = Repair::new("", OUTDATED);
    let _ = repair.run_twice();
    assert_eq!(repair.branches(), Vec::<String>::new());
    let comment = repair.comment();
    assert!(comment.contains("+    assert status() == 'pending'"), "{comment}");
    assert!(repair.withheld().iter().any(|w| w.contains("outside of the diff")), "{:?}", repair.withheld());
    let log = repair.world.server.state().log.clone();
    assert!(!log.iter().any(|l| l.path.contains("/git/")), "nothing of branches is asked for");
}

/// The same symptom, and no reason for it in the change: a bug.
#[test]
fn a_bug_is_not_touched() {
    let repair = Repair::new(BRANCH, &[("orders.py", "return sum(items)", "return sum(items[1:])")]);
    let ran = repair.run_twice();
    assert_eq!(repair.branches(), Vec::<String>::new(), "{}", ran.out);
    let comment = repair.comment();
    assert!(!comment.contains("== 2"), "{comment}");
    assert!(!repair.world.server.state().review_comments.iter().any(|c| c.body.contains("suggestion")));
}

#[test]
fn what_the_policy_or_the_workflow_switches_off_is_not_run() {
    for (policy, args) in [("heal = \"off\"", ""), ("heal = \"on-command\"", ""), (BRANCH, "--heal=false")] {
        let mut repair = Repair::new(policy, OUTDATED);
        if !args.is_empty() {
            repair.world.story["args"].as_array_mut().unwrap().push(json!(args));
        }
        let ran = repair.run();
        assert!(!ran.out.contains("HEALED") && !repair.comment().contains("Outdated tests"), "{}", ran.out);
        assert_eq!(repair.branches(), Vec::<String>::new());
    }
}

/// Each place where it must not go on, and what it says then.
#[test]
fn what_stands_in_the_way_is_told() {
    type Row = (&'static str, fn(&mut Repair), &'static str);
    let table: [Row; 6] = [
        (
            "a right that is missing",
            |r| {
                r.world.server.state().permissions.insert("contents".into(), "read".into());
            },
            "push-branch failed: GitHub answered 403 Forbidden to POST /repos/acme/shop/git/trees: Resource not accessible by integration (the job needs `permissions: contents: write`)",
        ),
        (
            "a head that has moved on",
            |r| r.world.server.state().pulls.get_mut(&7).unwrap().head_sha = "1".repeat(40),
            "push-branch stale: the head of pull request 7 is 111111111 now",
        ),
        (
            "a workflow that cannot be started",
            |r| {
                r.world.server.state().workflows.insert("ci.yml".into(), false);
            },
            "dispatch-workflow failed: GitHub answered 422",
        ),
        (
            "pull requests by workflows are not allowed",
            |r| r.world.server.state().pulls_by_actions = false,
            "open-pull-request failed: GitHub answered 403 Forbidden to POST /repos/acme/shop/pulls: GitHub Actions is not permitted to create or approve pull requests. (Settings → Actions",
        ),
        (
            "a pull request from a fork",
            |r| {
                r.world.story["event"]["payload"]["pull_request"]["head"]["repo"]["full_name"] = json!("eve/shop");
                r.world.server.state().pulls.get_mut(&7).unwrap().head_repository = "eve/shop".into();
                r.world.lay_out();
            },
            "push-branch: only pull requests of the repository's own branches are healed",
        ),
        (
            "a checkout without the commit",
            |r| {
                r.world.place.git(&[
                    "clone",
                    "--quiet",
                    "--branch=main",
                    "--single-branch",
                    "--no-local",
                    "shop",
                    "old",
                ]);
                r.world.story["args"][1] = json!("--repo=old");
            },
            "push-branch: commit",
        ),
    ];
    for (name, prepare, expected) in table {
        let mut repair = Repair::new(BRANCH, OUTDATED);
        prepare(&mut repair);
        let ran = repair.run();
        let told: Vec<String> = repair.receipts().into_iter().chain(repair.withheld()).collect();
        assert!(told.iter().any(|t| t.starts_with(expected)), "{name}: {told:#?}\n{}", ran.out);
        assert_eq!(ran.code, 0, "{name}: our own trouble does not make the job red");
        let pushed = usize::from(expected.starts_with("open-pull") || expected.starts_with("dispatch"));
        assert_eq!(repair.branches().len(), pushed, "{name}");
    }
}

/// Where no pull request may be opened, the comment offers the branch, and it is
/// not tried again and again.
#[test]
fn a_branch_is_offered_where_pull_requests_are_not_allowed() {
    let repair = Repair::new(BRANCH, OUTDATED);
    repair.world.server.state().pulls_by_actions = false;
    let _ = repair.run();
    let [branch] = repair.branches().try_into().unwrap();
    assert!(repair.comment().contains(&format!("compare/topic...{branch}?expand=1")), "{}", repair.comment());
    assert!(repair.comment().contains("opens a pull request"));
    let before = repair.world.server.state().log.len();
    let _ = repair.run();
    let log = repair.world.server.state().log.clone();
    assert!(!log[before..].iter().any(|l| l.is_write()), "{:#?}", &log[before..]);
}

#[test]
fn a_branch_with_other_content_is_left_alone() {
    let repair = Repair::new(BRANCH, OUTDATED);
    let _ = repair.run();
    let [branch] = repair.branches().try_into().unwrap();
    let reference = format!("refs/heads/{branch}");
    repair.git(&["update-ref", &reference, "topic"]).unwrap();
    repair.world.server.state().pulls.remove(&8);
    let before = repair.git(&["rev-parse", &branch]).unwrap();
    let _ = repair.run();
    assert_eq!(repair.git(&["rev-parse", &branch]).unwrap(), before);
    assert!(repair.withheld().iter().any(|w| w.contains("is there with other content")), "{:?}", repair.withheld());
    assert_eq!(repair.world.server.state().pulls.len(), 1);
}

/// Answers that are lost, and a service that fails in between: one branch, one
/// pull request.
#[test]
fn unclear_answers_make_nothing_twice() {
    let calm = Repair::new(BRANCH, OUTDATED);
    let _ = calm.run();
    let log = calm.world.server.state().log.clone();
    let places: Vec<u64> =
        log.iter().zip(1..).filter(|(l, _)| l.is_write() && !l.path.contains("/labels")).map(|(_, n)| n).collect();
    assert!(places.len() >= 6, "{log:#?}");
    let repair = Repair::new(BRANCH, OUTDATED);
    for (at, fault) in
        places.iter().zip([Fault::LostAnswer, Fault::BadGateway, Fault::LostAnswer, Fault::LostAnswer].iter().cycle())
    {
        repair.world.server.state().faults.insert(*at, *fault);
    }
    let ran = repair.run();
    assert_eq!(repair.branches().len(), 1, "{}", ran.out);
    assert_eq!(repair.world.server.state().pulls.len(), 2, "{}", ran.out);
    assert_eq!(repair.world.server.state().comments.len(), 1, "{}", ran.out);
}

/// A test that looks for secrets finds none: not in its environment, not in that
/// of the process that runs it.
#[test]
fn a_test_of_the_pull_request_sees_no_token() {
    let spy = r"import os, pathlib


def seen():
    found = [v for v in os.environ.values() if 'ghs_' in v]
    pid = os.getppid()
    while pid > 1:
        try:
            found += ['x'] if b'ghs_' in pathlib.Path(f'/proc/{pid}/environ').read_bytes() else []
        except OSError:
            pass
        pid = int(pathlib.Path(f'/proc/{pid}/stat').read_text().rsplit(') ', 1)[1].split()[1])
    return found


def status():
    return 'seen' if seen() else 'pending'
";
    let repair = Repair::new(BRANCH, &[("orders.py", "def status():\n    return 'queued'\n", spy)]);
    let ran = repair.run();
    assert!(ran.out.contains("becomes `pending`") || ran.out.contains("'pending'"), "{}", ran.out);
    assert!(!ran.out.contains("'seen'"), "{}", ran.out);
    assert!(!repair.comment().contains("seen'"), "{}", repair.comment());
}

/// A job without rights heals and saves its plan; another carries it out.
fn planned(policy: &str, changes: &[(&str, &str, &str)]) -> (Repair, Value) {
    let mut repair = Repair::new(policy, changes);
    repair.world.story["apply"] = json!(false);
    let _ = repair.run();
    let plan = repair.world.plan();
    assert_eq!(repair.world.server.state().writes(), 0);
    (repair, plan)
}

fn apply(repair: &Repair, plan: &Value) -> Ran {
    repair.world.place.write("saved.json", plan.to_string());
    repair.world.run_with(&["apply", "saved.json", "--write-interval=0.02"].map(str::to_owned))
}

#[test]
fn a_saved_repair_is_admitted_and_carried_out_once() {
    let (repair, plan) = planned(BRANCH, OUTDATED);
    let ran = apply(&repair, &plan);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let [branch] = repair.branches().try_into().unwrap();
    let diff = repair.git(&["diff", "--unified=0", "topic", &branch]).unwrap();
    assert!(diff.contains("+    assert status() == 'pending'"), "{diff}");
    assert_eq!(repair.world.server.state().pulls.len(), 2);
    let _ = apply(&repair, &plan);
    assert_eq!((repair.branches().len(), repair.world.server.state().pulls.len()), (1, 2));

    let (repair, plan) = planned("", BESIDE);
    let ran = apply(&repair, &plan);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(repair.world.server.state().review_comments[0].body.contains("```suggestion"));
}

/// Whatever is written into a plan: the guards look at it anew.
#[test]
fn a_saved_repair_that_was_tampered_with_is_refused() {
    let (repair, plan) = planned(BRANCH, OUTDATED);
    let at = |kind: &str| {
        let found = plan["actions"].as_array().unwrap().iter().position(|a| a["action"]["kind"] == kind);
        format!("/actions/{}/action", found.unwrap())
    };
    let (push, pull, dispatch) = (at("push-branch"), at("open-pull-request"), at("dispatch-workflow"));
    let with = |pointer: String, value: Value| {
        let mut tampered = plan.clone();
        *tampered.pointer_mut(&pointer).unwrap_or_else(|| panic!("{pointer}")) = value;
        tampered
    };
    let file = format!("{push}/commits/0/files/0");
    let good = plan.pointer(&format!("{file}/text")).unwrap().as_str().unwrap();
    let text = |text: String| with(format!("{file}/text"), json!(text));
    let at_file = plan.pointer(&file).unwrap();
    let mut weak = plan.pointer(&format!("{push}/commits/0")).unwrap().clone();
    weak["files"][0]["text"] = json!(good.replace("assert status() == 'pending'", "assert status()"));
    let table = [
        (text(good.replace("assert status() == 'pending'", "assert status()")), "the guard strength objects"),
        (text(good.replace("def test_total", "@pytest.mark.skip\ndef test_total")), "the guard"),
        (text("def test_status():\n    pass\n".into()), "the guard"),
        (with(format!("{file}/path"), json!("orders.py")), "the guard"),
        (with(format!("{file}/path"), json!("tests/test_new.py")), "is not in the commit"),
        (with(format!("{file}/path"), json!("../../etc/passwd")), "is not a path in the repository"),
        (with(format!("{file}/path"), json!(".github/workflows/ci.yml")), "is a workflow file"),
        (with(format!("{push}/branch"), json!("main")), "is no branch of ours"),
        (with(format!("{push}/branch"), json!("testmedic/heal/x-0000000")), "is no branch of ours"),
        (with(format!("{push}/parent"), json!("0".repeat(40))), "it builds on commit"),
        (with(format!("{push}/author"), json!({"name": "Ann", "email": "ann@acme.example"})), "its author is not"),
        (with(format!("{push}/commits/0/message"), json!("fixes #1")), "says what ours never says"),
        (with(format!("{push}/commits/0/message"), json!("Tidy [skip ci]")), "says what ours never says"),
        (
            with(format!("{push}/commits/0/message"), json!("Fixes https://github.com/acme/shop/issues/1")),
            "says what ours never says",
        ),
        (with(format!("{push}/commits/0/message"), json!("x\n\nskip-checks: true")), "says what ours never says"),
        (with(format!("{file}/executable"), json!(true)), "is to be executable"),
        (with(format!("{push}/commits/0/files"), json!([at_file.clone(), at_file.clone()])), "twice"),
        (
            with(format!("{push}/commits"), json!([weak, plan.pointer(&format!("{push}/commits/0")).unwrap()])),
            "the guard",
        ),
        (with(format!("{pull}/title"), json!("Ping @ann")), "mentions somebody"),
        (with(format!("{push}/commits"), json!([])), "it has no commits"),
        (with(format!("{pull}/base"), json!("main")), "is not the branch that was tested"),
        (with(format!("{pull}/branch"), json!("topic")), "is no branch of ours"),
        (with(format!("{pull}/body"), json!("![x](https://evil.example/x.png)")), "holds a picture"),
        (with(format!("{dispatch}/workflow"), json!("deploy.yml")), "is not the workflow that ran"),
    ];
    for (tampered, reason) in table {
        repair.world.place.write("saved.json", tampered.to_string());
        let ran = repair.world.run_with(&["apply", "saved.json", "--dry-run"].map(str::to_owned));
        assert!(ran.code == 3 && ran.out.contains(reason), "{reason}: {} {}{}", ran.code, ran.out, ran.err);
    }
    let mut fork = repair;
    fork.world.story["event"]["payload"]["pull_request"]["head"]["repo"]["full_name"] = json!("eve/shop");
    fork.world.lay_out();
    let ran = apply(&fork, &plan);
    assert!(ran.out.contains("of the repository's own branches may bring code"), "{}", ran.out);
    assert_eq!(fork.branches(), Vec::<String>::new());
}

#[test]
fn a_saved_suggestion_that_was_tampered_with_is_refused() {
    let (repair, plan) = planned("", BESIDE);
    let at = plan["actions"].as_array().unwrap().iter().position(|a| a["action"]["kind"] == "review").unwrap();
    let with = |field: &str, change: &dyn Fn(&str) -> Value| {
        let mut tampered = plan.clone();
        let value = tampered.pointer_mut(&format!("/actions/{at}/action/comments/0/{field}")).unwrap();
        *value = change(value.as_str().unwrap_or_default());
        tampered
    };
    let line = "    assert status() == 'pending'";
    let table = [
        (with("body", &|b| json!(b.replacen(line, "    assert status()", 1))), "the guard strength objects"),
        (with("body", &|b| json!(b.replacen(line, "    pass", 1))), "the guard"),
        (with("line", &|_| json!(500)), "is not about lines"),
        (with("path", &|_| json!("orders.py")), "the guard"),
    ];
    for (tampered, reason) in table {
        let ran = apply(&repair, &tampered);
        assert!(ran.code == 3 && ran.out.contains(reason), "{reason}: {} {}{}", ran.code, ran.out, ran.err);
    }
    assert_eq!(repair.world.server.state().review_comments.len(), 0);
    let mut fork = repair;
    fork.world.story["event"]["payload"]["pull_request"]["head"]["repo"]["full_name"] = json!("eve/shop");
    fork.world.lay_out();
    let ran = apply(&fork, &plan);
    assert!(ran.out.contains("holds a block of `suggestion`"), "{}", ran.out);
}

impl Repair {
    /// Another commit on the pull request, which is tested anew.
    fn push(&mut self, path: &str, text: &str) {
        self.world.place.write(&format!("shop/{path}"), text);
        self.world.place.git(&["-C", "shop", "add", "."]);
        self.world.place.git(&["-C", "shop", "commit", "--quiet", "-m", "Go on"]);
        let head = self.world.place.git(&["-C", "shop", "rev-parse", "HEAD"]);
        let bare = self.world.server.state().bare.clone().unwrap();
        let shown = bare.folder.display().to_string();
        self.world.place.git(&["-C", "shop", "push", "--quiet", &shown, "topic"]);
        self.world.story["event"]["payload"]["pull_request"]["head"]["sha"] = json!(head);
        self.world.story["env"]["GITHUB_SHA"] = json!(head);
        self.world.story["env"]["GITHUB_RUN_ID"] = json!("501");
        self.world.server.state().pulls.get_mut(&7).unwrap().head_sha = head;
        self.world.lay_out();
        self.test();
    }
}

/// The same edit is offered once, whatever is pushed to the pull request.
#[test]
fn another_push_brings_no_second_pull_request() {
    let mut repair = Repair::new(BRANCH, OUTDATED);
    let _ = repair.run();
    let [first] = repair.branches().try_into().unwrap();
    repair.push("notes.txt", "more");
    let ran = repair.run_twice();
    assert_eq!(repair.branches(), std::slice::from_ref(&first), "{}", ran.out);
    assert_eq!(repair.world.server.state().pulls.len(), 2);
    assert!(repair.comment().contains(&format!("compare/topic...{first}?expand=1")), "{}", repair.comment());
    assert!(repair.comment().contains("[pull request 8]"));

    // A person closes it and removes the branch: that is an answer.
    repair.world.server.state().issues.get_mut(&8).unwrap().open = false;
    repair.git(&["update-ref", "-d", &format!("refs/heads/{first}")]).unwrap();
    repair.push("notes.txt", "still more");
    let _ = repair.run_twice();
    assert_eq!(repair.branches(), Vec::<String>::new());
    assert!(
        repair.withheld().iter().any(|w| w.contains("pull request 8 offered this very edit and was closed")),
        "{:?}",
        repair.withheld()
    );
}

/// Where pull requests are not allowed, a branch of an earlier commit that holds
/// the same texts is offered on.
#[test]
fn another_push_brings_no_second_branch() {
    let mut repair = Repair::new(BRANCH, OUTDATED);
    repair.world.server.state().pulls_by_actions = false;
    let _ = repair.run();
    let first = repair.branches();
    repair.push("notes.txt", "more");
    let _ = repair.run();
    assert_eq!(repair.branches(), first);
}

#[test]
fn a_suggestion_whose_lines_are_gone_is_made_again() {
    let repair = Repair::new("", BESIDE);
    let _ = repair.run();
    assert_eq!(repair.world.server.state().review_comments.len(), 1);
    // GitHub shows no line for a comment that is outdated.
    repair.world.server.state().review_comments[0].at = None;
    let _ = repair.run_twice();
    assert_eq!(repair.world.server.state().review_comments.len(), 2);
}

/// What would be written back must be what was there, and nothing that looks like
/// a secret leaves.
#[test]
fn what_cannot_be_written_as_it_is_stays() {
    let secret = "'postgres://app:Tr0ub4dor99@db.acme.example/shop'";
    let repair = Repair::new(BRANCH, &[("orders.py", "'queued'", secret)]);
    let ran = repair.run();
    assert_eq!(repair.branches(), Vec::<String>::new(), "{}", ran.out);
    assert!(
        repair.withheld().iter().any(|w| w.contains("looks like a secret")),
        "{:?}\n{}",
        repair.withheld(),
        ran.out
    );
    assert!(
        !format!("{}{}{}", ran.out, repair.comment(), repair.world.place.read("plan.json")).contains("Tr0ub4dor99")
    );

    let mut latin = Repair::new(BRANCH, OUTDATED);
    let text = [b"# -*- coding: latin-1 -*-\n# caf\xe9\n".as_slice(), TESTS.as_bytes()].concat();
    latin.world.place.write("shop/tests/test_orders.py", text);
    latin.push("notes.txt", "more");
    let ran = latin.run();
    assert_eq!(latin.branches(), Vec::<String>::new(), "{}", ran.out);
    assert!(ran.out.contains("is not found in the sources"), "{}", ran.out);
}

/// Tests that ran in a folder of the repository name their files from there.
#[test]
fn a_folder_of_the_repository_is_no_other() {
    let mut repair = Repair::new("", OUTDATED);
    // The same test elsewhere, which passes, in a folder with a longer name.
    repair
        .world
        .place
        .write("shop/services-long/tests/test_orders.py", "def test_status():\n    assert 'queued' == 'queued'\n");
    repair.world.place.write("shop/a/orders.py", ORDERS.replace("queued", "pending"));
    repair.world.place.write("shop/a/conftest.py", "");
    repair.push("a/tests/test_orders.py", TESTS);
    let python = crate::healing::prepared().join("venv/bin/python");
    let done = std::process::Command::new(python)
        .args(["-m", "pytest", "-q", "--junitxml=report.xml"])
        .current_dir(repair.world.place.path().join("shop/a"))
        .output()
        .unwrap();
    assert!(repair.world.place.path().join("shop/a/report.xml").exists(), "{done:?}");
    repair.world.story["args"] = json!(["--junit=shop/a/report.xml", "--repo=shop/a"]);
    let ran = repair.run();
    assert!(ran.out.contains("a/tests/test_orders.py:4") && !ran.out.contains("services-long"), "{}", ran.out);
}

/// A stranger's word about the shield is not believed, and nothing turns red.
#[test]
fn a_handle_that_is_not_ours_is_none() {
    let mut repair = Repair::new(BRANCH, OUTDATED);
    repair.world.story["env"]["TESTMEDIC_SHIELD"] = json!("99");
    let ran = repair.run();
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert_eq!(repair.branches().len(), 1, "{}", ran.out);
}
