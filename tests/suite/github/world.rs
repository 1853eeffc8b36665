//! A repository with a past on the counterpart, and the program in a workflow
//! of it.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};

use serde_json::{Value, json};

use super::{Artifact, Comment, Issue, Pull, Run, Server, State, TOKEN};
use crate::support::{Ran, Workplace, report};

/// The repository of all stories.
pub const REPOSITORY: &str = "acme/shop";
/// The present moment of all stories.
pub const NOW: &str = "2026-05-01T10:00:00Z";
/// Number of the present workflow run.
pub const RUN: u64 = 500;

/// A 40-digit commit for a name.
pub fn sha(name: &str) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(name.as_bytes())[..20].iter().map(|b| format!("{b:02x}")).collect()
}

/// A story, told in `scenario.json`.
pub struct World {
    pub place: Workplace,
    pub server: Server,
    pub story: Value,
}

impl World {
    pub fn new(story: Value) -> Self {
        let server = Server::start(state(&story));
        let world = Self { place: Workplace::new(), server, story };
        world.lay_out();
        // `actions/checkout` comes first in the workflows of the README.
        if world.story["checkout"] == json!(true) {
            world.place.git(&["init", "-q", "-b", "main", "."]);
            world.place.write("tests/test_app.py", "");
            world.place.write("src/orders.py", "");
            world.place.commit("What was checked out");
        }
        world
    }

    /// Writes reports and event of the present step.
    pub fn lay_out(&self) {
        for (name, cases) in self.story["reports"].as_object().into_iter().flatten() {
            self.place.write(name, report_of(cases));
        }
        self.place.write("event.json", self.story["event"]["payload"].to_string());
    }

    /// Goes on to a later step: what `step` tells replaces what was, and what it
    /// says that people did meanwhile is done.
    pub fn go_on(&mut self, step: &Value) {
        merge(&mut self.story, step);
        {
            let mut state = self.server.state();
            for edit in step["people"].as_array().into_iter().flatten() {
                edit_issue(&mut state, edit);
            }
            let first = state.runs.iter().map(|r| r.id).max().unwrap_or(100) - 100;
            let more: BTreeMap<String, String> = step["more"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, line)| (name.clone(), line.as_str().unwrap().to_owned()))
                .collect();
            let message = self.story["message"].as_str().unwrap_or(MESSAGE).to_owned();
            add_runs(&more, &message, first, step["from"].as_str(), &mut state);
            if let Some(now) = self.story["now"].as_str() {
                now.clone_into(&mut state.now);
            }
        }
        self.lay_out();
    }

    pub fn arguments(&self) -> Vec<String> {
        let now = self.story["now"].as_str().unwrap_or(NOW);
        let mut all: Vec<String> = ["action", "--now", now, "--write-interval", "0.02"].map(str::to_owned).to_vec();
        if self.story["reports"].is_object() {
            all.extend(self.story["reports"].as_object().unwrap().keys().map(|name| format!("--junit={name}")));
        }
        all.extend(["--json=report.json", "--plan=plan.json"].map(str::to_owned));
        if self.story["apply"] != json!(false) {
            all.push("--apply".to_owned());
        }
        all.extend(self.story["args"].as_array().into_iter().flatten().map(|a| a.as_str().unwrap().to_owned()));
        all
    }

    pub fn variables(&self) -> BTreeMap<String, String> {
        let mut all: BTreeMap<String, String> = [
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_REPOSITORY", REPOSITORY),
            ("GITHUB_EVENT_NAME", self.story["event"]["name"].as_str().unwrap()),
            ("GITHUB_EVENT_PATH", "event.json"),
            ("GITHUB_SERVER_URL", "https://github.com"),
            ("GITHUB_API_URL", self.server.api.as_str()),
            ("GITHUB_RUN_ID", "500"),
            ("GITHUB_RUN_ATTEMPT", "1"),
            ("GITHUB_WORKFLOW_REF", "acme/shop/.github/workflows/ci.yml@refs/heads/main"),
            ("GITHUB_REF_NAME", "main"),
            ("GITHUB_TOKEN", TOKEN),
            ("GITHUB_OUTPUT", "output.txt"),
            ("GITHUB_STEP_SUMMARY", "summary.txt"),
        ]
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
        all.insert("GITHUB_SHA".to_owned(), sha("now"));
        for (name, value) in self.story["env"].as_object().into_iter().flatten() {
            all.insert(name.clone(), value.as_str().unwrap().to_owned());
        }
        all
    }

    /// Puts the story's pull request on commits of a real repository.
    pub fn stand_on(&mut self, repository: &str, base: &str, head: &str) {
        let bare = super::git::bare_of(&self.place.path().join(repository), &self.place.path().join("forge.git"));
        let own = |arguments: &[&str]| bare.git(arguments, &[], "").unwrap();
        let (base, head) = (own(&["rev-parse", base]), own(&["rev-parse", head]));
        let (base, head) = (base.trim().to_owned(), head.trim().to_owned());
        let names = own(&["diff", "--name-only", &base, &head]);
        let patch = |path: &str| {
            let whole = own(&["diff", &base, &head, "--", path]);
            whole.find("@@").map(|at| whole[at..].trim_end_matches('\n').to_owned())
        };
        let files = names.lines().map(|path| (path.to_owned(), None, patch(path))).collect();
        self.story["event"]["payload"]["pull_request"]["head"]["sha"] = json!(head);
        self.story["event"]["payload"]["pull_request"]["base"]["sha"] = json!(base);
        self.story["env"]["GITHUB_SHA"] = json!(head);
        let mut state = self.server.state();
        let pull = state.pulls.get_mut(&7).unwrap();
        (pull.head_sha, pull.base_sha, pull.files) = (head, base, files);
        state.bare = Some(bare);
        drop(state);
        self.lay_out();
    }

    pub fn run(&self) -> Ran {
        self.run_with(&self.arguments())
    }

    pub fn run_with(&self, arguments: &[String]) -> Ran {
        let variables = self.variables();
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let pairs: Vec<(&str, &str)> = variables.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let ran = self.place.run_with(&words, &pairs);
        let state = self.server.state();
        assert!(state.breaches.is_empty(), "not as GitHub describes it: {:#?}\n{}", state.breaches, ran.out);
        assert!(!state.leaked, "the token went to another host");
        assert_ne!(ran.code, 70, "{}{}", ran.out, ran.err);
        ran
    }

    /// The value of a step output.
    pub fn output(&self, name: &str) -> Option<String> {
        let text = std::fs::read_to_string(self.place.path().join("output.txt")).ok()?;
        let rest = text.rsplit(&format!("\n{name}<<")).next().filter(|r| r.len() < text.len());
        let rest = rest.or_else(|| text.strip_prefix(&format!("{name}<<")))?;
        let (delimiter, rest) = rest.split_once('\n')?;
        Some(rest.split(&format!("\n{delimiter}")).next()?.to_owned())
    }

    pub fn report(&self) -> Value {
        serde_json::from_str(&self.place.read("report.json")).unwrap()
    }

    pub fn plan(&self) -> Value {
        serde_json::from_str(&self.place.read("plan.json")).unwrap()
    }
}

/// Cases by name: `null` passed, a text failed, `"flaky"` is no case of these.
fn report_of(cases: &Value) -> String {
    let cases: Vec<(&str, Option<&str>)> =
        cases.as_object().unwrap().iter().map(|(name, message)| (name.as_str(), message.as_str())).collect();
    report(&cases)
}

pub fn zip_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// The forge that a story begins with.
fn state(story: &Value) -> State {
    let mut state = State::new(REPOSITORY);
    past(story, &mut state);
    let forge = &story["forge"];
    for (scope, level) in forge["permissions"].as_object().into_iter().flatten() {
        state.permissions.insert(scope.clone(), level.as_str().unwrap().to_owned());
    }
    for (path, text) in forge["files"].as_object().into_iter().flatten() {
        state.files.insert(path.clone(), text.as_str().unwrap().to_owned());
    }
    for issue in forge["issues"].as_array().into_iter().flatten() {
        add_issue(&mut state, issue);
    }
    if forge["pull"].is_object() {
        add_pull(&mut state, &forge["pull"]);
    }
    for comment in forge["comments"].as_array().into_iter().flatten() {
        let id = state.id();
        state.comments.push(Comment {
            id,
            on: comment["on"].as_u64().unwrap(),
            body: comment["body"].as_str().unwrap().to_owned(),
            author: comment["author"].as_str().unwrap().to_owned(),
            made: 0,
            updated: state.now.clone(),
            at: None,
        });
    }
    for (range, value) in forge["comparisons"].as_object().into_iter().flatten() {
        state.comparisons.insert(range.clone(), value.clone());
    }
    for (commit, value) in forge["commits"].as_object().into_iter().flatten() {
        state.commits.insert(commit.clone(), value.clone());
    }
    state.lag = forge["lag"].as_u64().unwrap_or(0);
    state
}

/// Takes over what `over` says.
pub fn merge(into: &mut Value, over: &Value) {
    match (into, over) {
        (Value::Object(into), Value::Object(over)) => {
            for (key, value) in over {
                match into.get_mut(key) {
                    Some(inner) if key != "reports" => merge(inner, value),
                    _ => {
                        into.insert(key.clone(), value.clone());
                    }
                }
            }
        }
        (into, over) => *into = over.clone(),
    }
}

/// What a person does to an issue.
fn edit_issue(state: &mut State, edit: &Value) {
    let issue = state.issues.get_mut(&edit["issue"].as_u64().unwrap()).unwrap();
    if let Some(open) = edit["open"].as_bool() {
        issue.open = open;
        issue.reason = edit["reason"].as_str().map(str::to_owned);
        issue.closed_at = edit["closed_at"].as_str().map(str::to_owned);
    }
    if let Some(locked) = edit["locked"].as_bool() {
        issue.locked = locked;
    }
    if let Some(label) = edit["label"].as_str() {
        issue.labels.push(label.to_owned());
    }
    if let (Some(from), Some(to)) = (edit["replace"].as_str(), edit["by"].as_str()) {
        assert!(issue.body.contains(from), "{}", issue.body);
        issue.body = issue.body.replacen(from, to, 1).replace('\n', "\r\n");
    }
}

/// What a test says that fails, where a story does not tell.
const MESSAGE: &str = "AssertionError: assert 1 == 2";

/// Earlier runs of `main`, one letter each for every test in `past`: `P`, `F`.
fn past(story: &Value, state: &mut State) {
    let past: BTreeMap<String, String> = story["past"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, line)| (name.clone(), line.as_str().unwrap().to_owned()))
        .collect();
    add_runs(&past, story["message"].as_str().unwrap_or(MESSAGE), 0, None, state);
}

/// Four runs a day from the first of April, or one an hour on the day `from`.
fn add_runs(past: &BTreeMap<String, String>, message: &str, first: u64, from: Option<&str>, state: &mut State) {
    let length = past.values().map(String::len).max().unwrap_or(0);
    for index in 0..length {
        let cases: Vec<(&str, Option<&str>)> = past
            .iter()
            .map(|(name, line)| {
                let failed = line.as_bytes().get(index) == Some(&b'F');
                (name.as_str(), failed.then_some(message))
            })
            .chain([("test_steady_1", None), ("test_steady_2", None), ("test_steady_3", None), ("test_steady_4", None)])
            .collect();
        let number = first + index as u64 + 1;
        let at = match from {
            Some(day) => format!("{day}T{index:02}:00:00Z"),
            None => format!("2026-04-{:02}T{:02}:00:00Z", index / 4 + 1, index % 4 * 6),
        };
        state.runs.push(Run {
            id: 100 + number,
            event: "push".to_owned(),
            branch: "main".to_owned(),
            sha: sha(&format!("run{number}")),
            repository: REPOSITORY.to_owned(),
            attempt: 1,
            at: at.clone(),
            workflow: "ci.yml".to_owned(),
            conclusion: Some("failure".to_owned()),
        });
        state.artifacts.push(Artifact {
            id: 200 + number,
            name: "junit".to_owned(),
            run: 100 + number,
            bytes: zip_of(&[("report.xml", report(&cases).as_bytes())]),
            expired: false,
            at,
        });
    }
}

fn add_issue(state: &mut State, issue: &Value) {
    let number = state.number();
    let text = |name: &str| issue[name].as_str().map(str::to_owned);
    state.issues.insert(
        number,
        Issue {
            number,
            title: text("title").unwrap_or_default(),
            body: text("body").unwrap_or_default(),
            open: issue["open"] != json!(false),
            reason: text("reason"),
            closed_at: text("closed_at"),
            locked: issue["locked"] == json!(true),
            labels: issue["labels"].as_array().into_iter().flatten().map(|l| l.as_str().unwrap().to_owned()).collect(),
            assignees: Vec::new(),
            author: text("author").unwrap_or_else(|| super::BOT.to_owned()),
            is_pull: false,
            made: 0,
        },
    );
}

fn add_pull(state: &mut State, pull: &Value) {
    let number = pull["number"].as_u64().unwrap();
    let text = |name: &str, default: &str| pull[name].as_str().unwrap_or(default).to_owned();
    state.issues.insert(
        number,
        Issue {
            number,
            title: "A change".to_owned(),
            body: String::new(),
            open: true,
            reason: None,
            closed_at: None,
            locked: false,
            labels: Vec::new(),
            assignees: Vec::new(),
            author: "ann".to_owned(),
            is_pull: true,
            made: 0,
        },
    );
    state.pulls.insert(
        number,
        Pull {
            number,
            head_sha: sha("now"),
            head_ref: text("head_ref", "topic"),
            head_repository: text("head_repository", REPOSITORY),
            base_ref: "main".to_owned(),
            base_sha: sha("base"),
            files: pull["files"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(path, patch)| {
                    let before = pull["renames"][path].as_str().map(str::to_owned);
                    (path.clone(), before, patch.as_str().map(str::to_owned))
                })
                .collect(),
        },
    );
}

/// The payload of a pull request's event.
pub fn pull_event(head_repository: &str) -> Value {
    json!({
        "repository": {"full_name": REPOSITORY, "default_branch": "main"},
        "sender": {"login": "ann"},
        "pull_request": {
            "number": 7,
            "head": {"sha": sha("now"), "ref": "topic", "repo": {"full_name": head_repository}},
            "base": {"sha": sha("base"), "ref": "main"},
        },
    })
}

/// The payload of a push to `main`.
pub fn push_event() -> Value {
    json!({
        "ref": "refs/heads/main",
        "repository": {"full_name": REPOSITORY, "default_branch": "main"},
        "sender": {"login": "ann"},
        "head_commit": {"timestamp": "2026-05-01T09:00:00Z"},
    })
}
