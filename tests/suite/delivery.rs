//! Repairs on their way to the pull request: a real repository with real pytest
//! runs, and the counterpart with a real Git database.

use serde_json::{Value, json};

use crate::github::world::{REPOSITORY, World, pull_event};
use crate::github::{BOT, Comment, Fault, TOKEN};
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
    let expected = ["push-branch done", "open-pull-request done", "dispatch-workflow done", "comment done"];
    assert_eq!(repair.world.plan()["actions"].as_array().unwrap().len(), 0, "the second run planned something");
    assert!(ran.out.contains("HEALED"), "{}", ran.out);
    let _ = expected;

    // The tests that were started have ended: the next run tells how.
    repair.world.server.state().runs.last_mut().unwrap().conclusion = Some("success".to_owned());
    let _ = repair.run();
    assert!(repair.comment().contains("Its tests [passed]("), "{}", repair.comment());
    assert_eq!(repair.branches().len(), 1);
}
