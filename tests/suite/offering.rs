//! Written tests on their way to a pull request: a real application, its traffic
//! recorded, and the counterpart with a real Git database.

use serde_json::{Value, json};

use crate::github::world::{REPOSITORY, World, pull_event, push_event};
use crate::support::Ran;

const POLICY: &str = "[generate]\nmode = \"branch\"\nrepeat = 1\nrecipes = [\"not-found\", \"extremes\"]\n";
const APP: &str = r#"
from flask import Flask, abort, jsonify, request

app = Flask(__name__)
USERS = {1: {"id": 1, "name": "Ada", "roles": ["admin"]}}


@app.get("/users/<int:number>")
def user(number):
    if number not in USERS:
        return jsonify(error="no such user"), 404
    return jsonify(USERS[number])


@app.post("/orders")
def order():
    body = request.get_json()
    if not isinstance(body.get("item"), str):
        return jsonify(error="item"), 422
    return jsonify(item=body["item"], price=10 // len(body["item"]))
"#;
const TESTS: &str = r#"
import pytest

from app import app


@pytest.fixture
def client():
    return app.test_client()


def test_user(client):
    response = client.get("/users/1")
    assert response.json["id"] == 1


def test_order(client):
    response = client.post("/orders", json={"item": "tea"})
    assert response.status_code == 200
"#;

pub struct Shop {
    pub world: World,
}

impl Shop {
    /// The shop on a branch of a pull request, or on `main`.
    pub fn new(policy: &str, on_pull: bool) -> Self {
        let path = crate::healing::prepared().join("venv/bin");
        let payload = if on_pull { pull_event(REPOSITORY) } else { push_event() };
        let story = json!({
            "event": {"name": if on_pull { "pull_request" } else { "push" }, "payload": payload},
            "forge": {
                "pull": {"number": 7, "files": {}},
                "files": {".github/testmedic.toml": policy},
                "permissions": {"contents": "write", "actions": "write"},
            },
            "args": ["--junit=shop/report.xml", "--repo=shop", "--traffic=shop/.testmedic/traffic.ndjson"],
            "env": {"PATH": format!("{}:{}", path.display(), std::env::var("PATH").unwrap())},
        });
        let mut world = World::new(story);
        let git = |arguments: &[&str]| world.place.git(&[&["-C", "shop"], arguments].concat());
        world.place.write("shop/app.py", APP);
        world.place.write("shop/tests/test_users.py", TESTS);
        world.place.write("shop/conftest.py", "");
        world.place.write("shop/.gitignore", "report.xml\n__pycache__/\n.pytest_cache/\n.testmedic/\n");
        world.place.git(&["init", "--quiet", "--initial-branch=main", "shop"]);
        git(&["add", "."]);
        git(&["commit", "--quiet", "-m", "Serve users"]);
        git(&["checkout", "--quiet", "-b", "topic"]);
        if on_pull {
            world.place.write("shop/app.py", format!("{APP}\n\n# changed\n"));
            git(&["commit", "--quiet", "-a", "-m", "Change"]);
        }
        world.stand_on("shop", "main", if on_pull { "topic" } else { "main" });
        let shop = Self { world };
        shop.test();
        shop
    }

    /// Runs and records the suite, as the job before testmedic would.
    fn test(&self) {
        let program = env!("CARGO_BIN_EXE_testmedic");
        let path = self.world.story["env"]["PATH"].as_str().unwrap();
        let done = std::process::Command::new(program)
            .args(["run", "--history=none", "--", "python", "-m", "pytest", "-q", "--junitxml=report.xml"])
            .current_dir(self.world.place.path().join("shop"))
            .env("PATH", path)
            .output()
            .unwrap();
        assert!(self.world.place.path().join("shop/.testmedic/traffic.ndjson").exists(), "{done:?}");
    }

    /// Runs twice; the second run writes nothing.
    fn run_twice(&self) -> Ran {
        let ran = self.world.run();
        let writes = self.world.server.state().writes();
        let again = self.world.run();
        assert_eq!(again.code, ran.code, "{}", again.out);
        let state = self.world.server.state();
        let more: Vec<_> = state.log.iter().filter(|l| l.is_write()).skip(writes).collect();
        assert!(more.is_empty(), "the second run wrote {more:#?}");
        drop(state);
        ran
    }

    fn git(&self, arguments: &[&str]) -> String {
        let bare = self.world.server.state().bare.clone().unwrap();
        bare.git(arguments, &[], "").unwrap()
    }

    fn branches(&self) -> Vec<String> {
        let listed = self.git(&["for-each-ref", "--format=%(refname:short)", "refs/heads/testmedic/"]);
        listed.lines().map(str::to_owned).collect()
    }

    fn withheld(&self) -> Vec<String> {
        let report = self.world.report();
        let rows = report["plan"]["withheld"].as_array().unwrap();
        rows.iter().map(|w| format!("{}: {}", w["kind"].as_str().unwrap(), w["reason"].as_str().unwrap())).collect()
    }
}

#[test]
fn missing_tests_go_to_a_branch_and_a_pull_request() {
    let shop = Shop::new(POLICY, true);
    let ran = shop.run_twice();
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let branches = shop.branches();
    let [branch] = branches.as_slice() else { panic!("{branches:?}\n{}\n{:?}", ran.out, shop.withheld()) };
    let head = shop.git(&["rev-parse", "topic"]);
    assert_eq!(*branch, format!("testmedic/generate/tests-{}", &head[..12]));
    let files = shop.git(&["diff", "--name-status", "topic", branch]);
    assert_eq!(files, "A\ttests/generated/test_generated_get_users_by_user.py\n");
    let text = shop.git(&["show", &format!("{branch}:tests/generated/test_generated_get_users_by_user.py")]);
    assert!(text.contains("def test_get_users_by_user_that_is_not_there(client):"), "{text}");
    {
        let state = shop.world.server.state();
        let pull = &state.pulls[&8];
        assert_eq!((pull.head_ref.as_str(), pull.base_ref.as_str()), (branch.as_str(), "topic"));
        let offered = &state.issues[&8];
        assert_eq!(offered.title, "Add 1 test for GET /users/{user}");
        for part in [
            "| `test_get_users_by_user_that_is_not_there` |",
            "no test asks for one that is not there",
            "Mutants of the answers",
            "status 200 |",
        ] {
            assert!(offered.body.contains(part), "{part}: {}", offered.body);
        }
        // An answer that is wrong is told where the change is reviewed.
        let comment = &state.comments.first().unwrap().body;
        for part in [
            "🐞 wrong answer:",
            "`POST /orders` answered 500, 3 of 3 times",
            "`item` is empty",
            "curl -i -X POST",
            "/pull/8",
        ] {
            assert!(comment.contains(part), "{part}: {comment}");
        }
    }
    // Whoever closes the offer has declined these tests.
    shop.world.server.state().issues.get_mut(&8).unwrap().open = false;
    let _ = shop.world.run();
    assert_eq!(shop.world.server.state().pulls.len(), 2);
    assert!(
        shop.withheld().iter().any(|w| w.contains("pull request 8 offered this very edit and was closed")),
        "{:?}",
        shop.withheld()
    );
}

#[test]
fn on_the_default_branch_tests_go_into_it() {
    let shop = Shop::new(POLICY, false);
    let ran = shop.run_twice();
    let [branch] = shop.branches().try_into().unwrap_or_else(|b| panic!("{b:?} {} {:?}", ran.out, shop.withheld()));
    let state = shop.world.server.state();
    let pull = &state.pulls[&8];
    assert_eq!((&pull.head_ref, pull.base_ref.as_str()), (&branch, "main"));
    // A wrong answer is filed once, with all that is needed to see it.
    let filed: Vec<_> = state.issues.values().filter(|issue| !issue.is_pull).collect();
    let [issue] = filed.as_slice() else { panic!("{filed:#?}") };
    assert_eq!(issue.title, "Defect: POST /orders answers 500");
    for part in [
        "`item` is empty | 500 | 3 of 3 times",
        "curl -i -X POST",
        "assert response.status_code == 400",
        "testmedic key: `answer ",
    ] {
        assert!(issue.body.contains(part), "{part}: {}", issue.body);
    }
}

/// Without the word of the policy nothing is written, nor for a fork.
#[test]
fn only_where_it_is_wanted_and_trusted() {
    let shop = Shop::new("", true);
    let _ = shop.world.run();
    assert_eq!(shop.branches(), [""; 0]);
    let mut fork = Shop::new(POLICY, true);
    fork.world.story["event"]["payload"]["pull_request"]["head"]["repo"]["full_name"] = json!("eve/shop");
    fork.world.lay_out();
    let _ = fork.world.run();
    assert_eq!(fork.branches(), [""; 0]);
}

/// A job without rights saves its plan; another admits it, but nothing that was added.
#[test]
fn a_saved_plan_brings_written_tests_and_nothing_else() {
    let mut shop = Shop::new(POLICY, true);
    shop.world.story["apply"] = json!(false);
    let _ = shop.world.run();
    let plan = shop.world.plan();
    assert_eq!(shop.world.server.state().writes(), 0);
    let apply = |plan: &Value| {
        shop.world.place.write("saved.json", plan.to_string());
        shop.world.run_with(&["apply", "saved.json", "--write-interval=0.02"].map(str::to_owned))
    };
    let actions = plan["actions"].as_array().unwrap();
    let at = actions.iter().position(|a| a["action"]["kind"] == "push-branch").unwrap();
    let file = format!("/actions/{at}/action/commits/0/files/0");
    for (key, value, why) in [
        ("path", json!("app.py"), "is no file of written tests"),
        ("path", json!("tests/generated/evil.py"), "is no file of written tests"),
        ("text", json!("def test_generated():\n    assert True\n"), "the guard "),
    ] {
        let mut tampered = plan.clone();
        *tampered.pointer_mut(&format!("{file}/{key}")).unwrap() = value;
        let ran = apply(&tampered);
        assert!(ran.out.contains(why) && shop.branches().is_empty(), "{why}: {}", ran.out);
    }
    let ran = apply(&plan);
    assert_eq!((ran.code, shop.branches().len()), (0, 1), "{}{}", ran.out, ran.err);
    assert_eq!(shop.world.server.state().pulls.len(), 2, "{}", ran.out);
}
