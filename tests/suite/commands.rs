//! Commands in comments: who may give which where, answered once, and nothing done for
//! what changed meanwhile.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::github::routes::user;
use crate::github::world::{REPOSITORY, RUN, World, sha, zip_of};
use crate::github::{Artifact, BOT, Comment, Run};
use crate::support::{Ran, report};

/// What test 2 says in the run of the pull request.
const MESSAGE: &str = "AssertionError: assert 1 == 2";

/// A repository with a past, a pull request whose tests failed, and an issue of a person.
pub struct Thread {
    pub world: World,
    on: u64,
}

impl Thread {
    /// `where_` is `own`, `fork`, `issue`, `locked`, `closed` or `merged`.
    pub fn new(where_: &str, more: Value) -> Self {
        let head = if where_ == "fork" { "mallory/shop" } else { REPOSITORY };
        let mut story = json!({
            "event": {"name": "issue_comment", "payload": {}},
            "env": {"GITHUB_WORKFLOW_REF": "acme/shop/.github/workflows/commands.yml@refs/heads/main"},
            "past": {"test_order": "PPPPPPPPPPPP", "test_cart": "PPPPPPPPPPPP"},
            "forge": {
                "pull": {"number": 7, "head_repository": head, "files": {"src/a.py": "@@ -1,2 +1,2 @@\n-old\n+new\n x"}},
                "permissions": {"actions": "write", "contents": "write"},
            },
        });
        crate::github::world::merge(&mut story, &more);
        let world = World::new(story);
        let on = if where_ == "issue" { 8 } else { 7 };
        {
            let mut state = world.server.state();
            let mut issue = state.issues[&7].clone();
            (issue.number, issue.is_pull) = (8, false);
            state.issues.insert(8, issue);
            let thread = state.issues.get_mut(&on).unwrap();
            thread.locked = where_ == "locked";
            thread.open = !matches!(where_, "closed" | "merged");
            for (login, permission, role) in [
                ("olga", "admin", "admin"),
                ("max", "write", "maintain"),
                ("wim", "write", "write"),
                ("tess", "read", "triage"),
                ("rob", "read", "read"),
                ("ann", "read", "read"),
            ] {
                state.people.insert(login.to_owned(), (permission.to_owned(), role.to_owned()));
            }
            state.runs.push(run(300, "pull_request", "topic", &sha("now"), head));
            state.artifacts.push(artifact(900, 300, &[("test_order", Some(MESSAGE)), ("test_cart", None)]));
        }
        Self { world, on }
    }

    /// The pull request stands on commits of a real repository, whose tests were run. Each
    /// commit replaces texts in `orders.py`.
    pub fn on_repository(commits: &[(&str, &str)], policy: &str) -> Self {
        let python = crate::healing::prepared().join("venv/bin");
        let path = format!("{}:{}", python.display(), std::env::var("PATH").unwrap());
        let more = json!({
            "args": ["--repo=shop"],
            "env": {"PATH": path},
            "past": {},
            "forge": {"files": {".github/testmedic.toml": policy}},
        });
        let mut thread = Self::new("own", more);
        let place = &thread.world.place;
        let git = |arguments: &[&str]| place.git(&[&["-C", "shop"], arguments].concat());
        place.write(
            "shop/orders.py",
            "def status():\n    return 'queued'\n\n\ndef total(items):\n    return sum(items)\n",
        );
        place.write(
            "shop/tests/test_orders.py",
            "from orders import status, total\n\n\ndef test_status():\n    assert status() == 'queued'\n\n\ndef test_total():\n    assert total([1, 2]) == 3\n",
        );
        place.write("shop/conftest.py", "");
        place.write("shop/.gitignore", "report.xml\n__pycache__/\n.pytest_cache/\n");
        place.git(&["init", "--quiet", "--initial-branch=main", "shop"]);
        git(&["add", "."]);
        git(&["commit", "--quiet", "-m", "Sell things"]);
        git(&["checkout", "--quiet", "-b", "topic"]);
        for (at, (old, new)) in commits.iter().enumerate() {
            let text = place.read("shop/orders.py");
            assert!(text.contains(old), "{old}");
            place.write("shop/orders.py", text.replacen(old, new, 1));
            git(&["commit", "--quiet", "-a", "-m", &format!("Change {at}")]);
        }
        let done = std::process::Command::new(python.join("python"))
            .args(["-m", "pytest", "-q", "--junitxml=report.xml"])
            .current_dir(place.path().join("shop"))
            .output();
        assert!(place.path().join("shop/report.xml").exists(), "{done:?}");
        let report = place.read("shop/report.xml");
        thread.world.stand_on("shop", "main", "topic");
        {
            let mut state = thread.world.server.state();
            let head = state.pulls[&7].head_sha.clone();
            state.runs.last_mut().unwrap().sha = head;
            let bytes = zip_of(&[("report.xml", report.as_bytes())]);
            state.artifacts.last_mut().unwrap().bytes = bytes;
        }
        thread
    }

    /// The pull request of a shop whose tests' traffic was recorded.
    pub fn of_shop() -> Self {
        let mut world = crate::offering::Shop::new("[generate]\nrepeat = 1\nrecipes = [\"not-found\"]\n", true).world;
        let report = world.place.read("shop/report.xml");
        let traffic = world.place.read("shop/.testmedic/traffic.ndjson");
        world.story["event"]["name"] = json!("issue_comment");
        world.story["args"] = json!(["--repo=shop"]);
        {
            let mut state = world.server.state();
            state.people.insert("wim".to_owned(), ("write".to_owned(), "write".to_owned()));
            let head = state.pulls[&7].head_sha.clone();
            state.runs.push(run(300, "pull_request", "topic", &head, REPOSITORY));
            let entries = [("report.xml", report.as_bytes()), (".testmedic/traffic.ndjson", traffic.as_bytes())];
            let kept = Artifact { bytes: zip_of(&entries), ..artifact(900, 300, &[]) };
            state.artifacts.push(kept);
        }
        Self { world, on: 7 }
    }

    /// Somebody comments; gives the id of the comment.
    pub fn say(&self, login: &str, body: &str) -> u64 {
        let mut state = self.world.server.state();
        let id = state.id();
        let updated = state.now.clone();
        let author = login.to_owned();
        state.comments.push(Comment { id, on: self.on, body: body.to_owned(), author, made: 0, updated, at: None });
        id
    }

    /// The event that a comment caused when it was as `body` says.
    pub fn deliver(&self, id: u64, login: &str, body: &str) {
        let thread = if self.on == 7 { json!({"number": 7, "pull_request": {}}) } else { json!({"number": self.on}) };
        let payload = json!({
            "action": "created",
            "repository": {"full_name": REPOSITORY, "default_branch": "main"},
            "sender": user(login),
            "issue": thread,
            "comment": {"id": id, "body": body, "user": user(login), "updated_at": "2026-05-01T10:00:00Z"},
        });
        self.world.place.write("event.json", payload.to_string());
    }

    pub fn run(&self) -> Ran {
        let ran = self.world.run();
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        ran
    }

    /// Comments, is heard, and what was written then.
    pub fn ask(&self, login: &str, body: &str) -> Asked {
        let id = self.say(login, body);
        self.deliver(id, login, body);
        let before = self.world.server.state().log.len();
        let ran = self.run();
        self.written(before, id, ran)
    }

    /// Runs one part of answering, as a job of its own.
    fn part(&self, part: &str, more: &[&str]) -> Ran {
        let mut words: Vec<String> = self.world.arguments();
        words.retain(|word| part != "execute" || word != "--apply");
        words.push(format!("--part={part}"));
        words.extend(more.iter().map(|word| (*word).to_owned()));
        self.world.run_with(&words)
    }

    fn written(&self, before: usize, id: u64, ran: Ran) -> Asked {
        let state = self.world.server.state();
        let claims = |path: &str| path.contains("/labels");
        let writes = state.log[before..].iter().filter(|l| l.is_write() && !claims(&l.path));
        let short = |path: &str| path.replace(&format!("/repos/{REPOSITORY}"), "").replace(&id.to_string(), "ID");
        let writes = writes.map(|l| format!("{} {}", l.method, short(&l.path))).collect();
        let own = |c: &&Comment| c.author == BOT && c.body.contains(&format!("command {id}"));
        Asked {
            ran,
            writes,
            reply: state.comments.iter().find(own).map(|c| c.body.clone()),
            replies: state.comments.iter().filter(own).count(),
            reactions: state.reactions.iter().filter(|(on, ..)| *on == id).map(|(.., what)| what.clone()).collect(),
        }
    }
}

pub struct Asked {
    pub ran: Ran,
    /// All writes but those of claims.
    pub writes: Vec<String>,
    pub reply: Option<String>,
    pub replies: usize,
    pub reactions: Vec<String>,
}

pub fn run(id: u64, event: &str, branch: &str, commit: &str, repository: &str) -> Run {
    Run {
        id,
        event: event.to_owned(),
        branch: branch.to_owned(),
        sha: commit.to_owned(),
        repository: repository.to_owned(),
        attempt: 1,
        at: "2026-05-01T09:00:00Z".to_owned(),
        workflow: "ci.yml".to_owned(),
        conclusion: Some("failure".to_owned()),
    }
}

pub fn artifact(id: u64, run: u64, cases: &[(&str, Option<&str>)]) -> Artifact {
    let bytes = zip_of(&[("report.xml", report(cases).as_bytes())]);
    Artifact { id, name: "junit".to_owned(), run, bytes, expired: false, at: "2026-05-01T09:00:00Z".to_owned() }
}

#[test]
fn explain_tells_all() {
    let thread = Thread::new("own", json!({}));
    let asked = thread.ask("rob", "Why?\n/explain test_order");
    let reply = asked.reply.unwrap();
    for part in [
        "### ✅ `/explain test_order`",
        "**regression**",
        "assert 1 == 2",
        "Failed in 0 of 12 runs",
        "asked by `rob` for",
    ] {
        assert!(reply.contains(part), "{part}: {reply}");
    }
    // Seen at once, told once: no comment says that it is worked on.
    assert_eq!(asked.reactions, ["eyes", "+1"]);
    let expected =
        ["POST /issues/comments/ID/reactions", "POST /issues/7/comments", "POST /issues/comments/ID/reactions"];
    assert_eq!(asked.writes, expected);
    let nothing = thread.ask("rob", "/explain test_nowhere").reply.unwrap();
    assert!(nothing.contains("is called `test_nowhere`") && nothing.contains("test_order`"), "{nothing}");
    let key = reply.split("Key: `").nth(1).unwrap().split('`').next().unwrap().to_owned();
    assert!(thread.ask("rob", &format!("/explain {key}")).reply.unwrap().contains("**regression**"));
}

#[test]
fn help_knows_who_asks() {
    let thread = Thread::new("own", json!({}));
    let reader = thread.ask("rob", "/help").reply.unwrap();
    assert!(reader.contains("| needs `write` | `/heal [TEST…] [--force-outdated] [--branch\\|--suggest]`"), "{reader}");
    let writer = thread.ask("wim", "/help").reply.unwrap();
    assert!(!writer.contains("needs `") && writer.contains("| ✅ | `/stop`"), "{writer}");
}

#[test]
fn failed_jobs_run_again() {
    let thread = Thread::new("fork", json!({}));
    // The author of the pull request may, and it is the fork's own rights that they run with.
    let asked = thread.ask("ann", "/retry");
    assert!(
        asked.writes.contains(&"POST /actions/runs/300/rerun-failed-jobs".to_owned()),
        "{:?}{}",
        asked.writes,
        asked.ran.out
    );
    assert_eq!(asked.reactions, ["eyes", "rocket"]);
    assert!(
        asked
            .reply
            .unwrap()
            .contains("[run the failed jobs of run 300 again](https://github.com/acme/shop/actions/runs/300)")
    );
    assert_eq!(thread.world.server.state().runs.iter().find(|r| r.id == 300).unwrap().attempt, 2);
    let again = thread.ask("ann", "/retry");
    assert!(again.reply.unwrap().contains("nothing to run again"));
    assert_eq!(again.reactions, ["eyes", "confused"]);
    // Where no test can be run, the jobs are.
    let single = Thread::new("own", json!({})).ask("wim", "/retry test_order");
    let reply = single.reply.unwrap();
    assert!(reply.contains("Single tests are not run here") && reply.contains("run 300 again"), "{reply}");
}

#[test]
fn what_is_wrong_is_answered() {
    let thread = Thread::new("own", json!({}));
    let asked = thread.ask("wim", "/hael\n\n/bisect\n\n/explain test_order");
    let reply = asked.reply.unwrap();
    for part in ["Did you mean `/heal`?", "it needs a test.", "**regression**"] {
        assert!(reply.contains(part), "{part}: {reply}");
    }
    let other = thread.ask("wim", "/retest\n/approve\n`/heal`");
    assert!(other.writes.is_empty() && other.reply.is_none());
    let none = thread.ask("wim", "```\n/heal\n```");
    assert!(none.ran.out.contains("no command to answer") && none.writes.is_empty());
}

/// Who speaks, and whether a command of a level is carried out, refused or not heard.
const ACTORS: [(&str, &str, &str, &str); 10] = [
    // login, /explain, /retry, /triage
    ("olga", "+", "+", "+"),
    ("max", "+", "+", "+"),
    ("wim", "+", "+", "+"),
    ("tess", "+", "-", "-"),
    ("rob", "+", "-", "-"),
    ("ann", "+", "a", "-"),
    ("new", "-", "-", "-"),
    (BOT, ".", ".", "."),
    ("github-actions[bot]#99", ".", ".", "."),
    ("ghost", ".", ".", "."),
];

/// Each actor in each place: what is carried out, and not one write besides.
#[test]
fn nobody_gets_more_than_the_table_says() {
    for where_ in ["own", "fork", "issue", "locked", "closed", "merged"] {
        for (login, explain, retry, triage) in ACTORS {
            let thread = Thread::new(where_, json!({"past": {"test_order": "PPPPF", "test_cart": "PPPPP"}}));
            let asked = thread.ask(login, "/explain\n/triage\n/retry");
            let context = format!("{login} in {where_}: {:?}\n{}", asked.writes, asked.ran.out);
            let closed = matches!(where_, "closed" | "merged");
            // The author may on a pull request.
            let retried = (retry == "+" || (retry == "a" && where_ != "issue")) && !closed;
            let heard = explain != "." && where_ != "locked";
            if !heard {
                assert!(asked.writes.is_empty() && asked.reply.is_none(), "{context}");
                continue;
            }
            let reply = asked.reply.as_ref().unwrap_or_else(|| panic!("{context}"));
            let refused = |verb: &str| reply.contains(&format!("### 😕 `{verb}`"));
            assert_eq!(refused("/explain"), explain == "-", "{context}{reply}");
            assert_eq!(refused("/retry"), !retried, "{context}{reply}");
            assert_eq!(refused("/triage"), triage == "-" || closed, "{context}{reply}");
            let reruns = asked.writes.iter().filter(|w| w.contains("rerun")).count();
            assert_eq!(reruns > 0, retried, "{context}");
            let others = asked.writes.iter().filter(|w| !w.contains("rerun") && !w.contains("ID/reactions"));
            let own_thread = format!("/issues/{}/comments", if where_ == "issue" { 8 } else { 7 });
            if triage == "-" || closed {
                // Its own reply, and nothing else.
                let only = |w: &&String| !w.ends_with(&own_thread) && !w.starts_with("PATCH /issues/comments/");
                assert_eq!(others.filter(only).count(), 0, "{context}");
            }
        }
    }
}

/// The same event once more, at once, in another order: one execution, one reply.
#[test]
fn an_event_is_carried_out_once() {
    let thread = Thread::new("own", json!({"forge": {"lag": 2}}));
    let first = thread.say("wim", "/retry");
    let second = thread.say("wim", "/explain test_order");
    thread.deliver(second, "wim", "/explain test_order");
    let _ = thread.run();
    thread.deliver(first, "wim", "/retry");
    let jobs: Vec<Ran> = std::thread::scope(|scope| {
        let jobs: Vec<_> = (0..5).map(|_| scope.spawn(|| thread.run())).collect();
        jobs.into_iter().map(|job| job.join().unwrap()).collect()
    });
    let _ = thread.run();
    thread.deliver(second, "wim", "/explain test_order");
    let last = thread.run();
    assert!(last.out.contains("answered already"), "{}", last.out);
    let state = thread.world.server.state();
    let reruns = state.log.iter().filter(|l| l.path.contains("rerun-failed-jobs")).count();
    let told: Vec<&str> = jobs.iter().map(|ran| ran.out.as_str()).collect();
    assert_eq!(reruns, 1, "{told:#?}");
    for id in [first, second] {
        let replies = state.comments.iter().filter(|c| c.author == BOT && c.body.contains(&format!("command {id}\"")));
        assert_eq!(replies.count(), 1, "{told:#?}");
    }
    assert!(state.comments.iter().all(|c| c.author != BOT || !c.body.contains("\"is_working\":true")), "{told:#?}");
}

/// What changed between the comment and its execution: refused, nothing done.
#[test]
fn what_moved_is_refused() {
    // Edited, also where the words are the same again.
    for (body, updated) in [("/retry and more", "2026-05-01T10:00:00Z"), ("/retry", "2026-05-01T10:00:09Z")] {
        let thread = Thread::new("own", json!({}));
        let id = thread.say("wim", body);
        thread.world.server.state().comments.last_mut().unwrap().updated = updated.to_owned();
        thread.deliver(id, "wim", "/retry");
        let before = thread.world.server.state().log.len();
        let ran = thread.run();
        let asked = thread.written(before, id, ran);
        assert!(asked.ran.out.contains("was edited") && asked.writes.is_empty(), "{}", asked.ran.out);
    }
    for (what, why) in [
        (json!({"event": "committed", "sha": sha("later")}), "came after the comment"),
        (json!({"event": "head_ref_force_pushed"}), "force-pushed after the comment"),
        (json!({"event": "head_ref_deleted"}), "deleted after the comment"),
    ] {
        let thread = Thread::new("own", json!({}));
        let id = thread.say("wim", "/retry");
        thread.world.server.state().happened.push((7, 1, what.clone()));
        thread.deliver(id, "wim", "/retry");
        let before = thread.world.server.state().log.len();
        let ran = thread.run();
        let asked = thread.written(before, id, ran);
        assert!(!asked.writes.iter().any(|w| w.contains("rerun")), "{:?}", asked.writes);
        assert!(asked.reply.unwrap().contains(why));
        assert_eq!(asked.reactions, ["confused"]);
        // What came before it is what the person saw.
        let thread = Thread::new("own", json!({}));
        thread.world.server.state().happened.push((7, 0, what));
        assert!(thread.ask("wim", "/retry").writes.iter().any(|w| w.contains("rerun")));
    }
    // A comment that is gone, an account whose name is that of another one now.
    let thread = Thread::new("own", json!({}));
    thread.deliver(424_242, "wim", "/retry");
    assert!(thread.run().out.contains("the comment is gone"));
    let id = thread.say("wim#5", "/retry");
    thread.deliver(id, "wim#5", "/retry");
    let ran = thread.run();
    assert!(ran.out.contains("that of another one now"), "{}", ran.out);
    assert_eq!(thread.world.server.state().reactions.len(), 0);
}

/// Edits and deletions wake nobody.
#[test]
fn only_new_comments_are_heard() {
    let thread = Thread::new("own", json!({}));
    let id = thread.say("wim", "/retry");
    for action in ["edited", "deleted"] {
        thread.deliver(id, "wim", "/retry");
        let mut event: Value = serde_json::from_str(&thread.world.place.read("event.json")).unwrap();
        event["action"] = json!(action);
        thread.world.place.write("event.json", event.to_string());
        assert!(thread.run().out.contains("no command to answer"));
    }
    assert_eq!(thread.world.server.state().writes(), 0);
    assert_eq!(RUN, 500);
}

/// From the event to the first reaction, with a forge that answers at once.
#[test]
fn the_first_reaction_comes_soon() {
    let thread = Thread::new("own", json!({}));
    let id = thread.say("wim", "/retry");
    thread.deliver(id, "wim", "/retry");
    let begun = Instant::now();
    let seen = std::thread::scope(|scope| {
        let job = scope.spawn(|| thread.run());
        let seen = loop {
            if !thread.world.server.state().reactions.is_empty() || job.is_finished() {
                break begun.elapsed();
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        let _ = job.join().unwrap();
        seen
    });
    println!("first reaction after {} ms", seen.as_millis());
    assert_eq!(thread.world.server.state().reactions[0].2, "eyes");
}

/// The Git database behind the forge: branches can be made.
pub fn with_git(thread: &Thread) {
    let place = &thread.world.place;
    place.write("work/README.md", "shop\n");
    place.git(&["init", "-q", "-b", "main", "work"]);
    place.git(&["-C", "work", "add", "-A"]);
    place.git(&["-C", "work", "commit", "-qm", "The beginning"]);
    let bare = crate::github::git::bare_of(&place.path().join("work"), &place.path().join("forge.git"));
    thread.world.server.state().bare = Some(bare);
}

pub const QUARANTINE: &str = ".github/testmedic-quarantine.toml";

#[test]
fn a_test_goes_into_quarantine_and_out_of_it() {
    let thread = Thread::new("own", json!({}));
    with_git(&thread);
    let asked = thread.ask("wim", "/quarantine test_order 10d");
    let reply = asked.reply.unwrap();
    assert!(reply.contains("[Put test\\_order into quarantine until 2026-05-11]("), "{reply}{}", asked.ran.out);
    assert_eq!(asked.reactions, ["eyes", "rocket"]);
    let text = {
        let state = thread.world.server.state();
        let pull = state.pulls.values().next_back().unwrap();
        assert_eq!((pull.base_ref.as_str(), pull.number), ("main", 9));
        assert!(state.issues[&9].title.contains("Put test_order into quarantine until 2026-05-11"));
        state.bare.as_ref().unwrap().text_at(&pull.head_sha, QUARANTINE).unwrap()
    };
    for part in [
        "name = \"test_order\"",
        "classname = \"tests.test_app\"",
        "until = \"2026-05-11\"",
        "owner = \"wim\"",
        "because = \"regression: ",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // Merged: the gate counts it no more, on whatever branch the run is.
    thread.world.server.state().files.insert(QUARANTINE.to_owned(), text.clone());
    let gate = |now: &str| {
        let mut story = json!({
            "event": {"name": "pull_request", "payload": crate::github::world::pull_event(REPOSITORY)},
            "past": {"test_order": "PPPPPPPPPPPP"},
            "reports": {"report.xml": {"test_order": MESSAGE}},
            "forge": {"pull": {"number": 7, "files": {}}, "files": {QUARANTINE: text}},
            "args": ["--fail-on", "regression"],
        });
        story["now"] = json!(now);
        let world = World::new(story);
        let ran = world.run();
        (ran.code, ran.out)
    };
    let (code, out) = gate("2026-05-11T12:00:00Z");
    assert!(
        code == 0
            && out.contains("medium · quarantined")
            && out.contains("in quarantine until 2026-05-11, answered for by wim"),
        "{out}"
    );
    // It ends by itself, and that is told.
    let (code, out) = gate("2026-05-12T00:00:00Z");
    assert!(code == 1 && out.contains("ended on 2026-05-11: it counts again"), "{out}");
    let asked = thread.ask("wim", "/unquarantine test_order");
    let reply = asked.reply.unwrap();
    assert!(reply.contains("[Take test\\_order out of quarantine]("), "{reply}{}", asked.ran.out);
    let state = thread.world.server.state();
    let pull = state.pulls.values().next_back().unwrap();
    let text = state.bare.as_ref().unwrap().text_at(&pull.head_sha, QUARANTINE).unwrap();
    assert!(!text.contains("[[test]]") && text.starts_with("# Tests that do not count"), "{text}");
}

/// What a pull request brings along takes nothing out of the gate.
#[test]
fn only_the_quarantine_of_the_default_branch_counts() {
    let world = World::new(json!({
        "event": {"name": "pull_request", "payload": crate::github::world::pull_event(REPOSITORY)},
        "past": {"test_order": "PPPPPPPPPPPP"},
        "reports": {"report.xml": {"test_order": MESSAGE}},
        "forge": {"pull": {"number": 7, "files": {}}},
        "args": ["--fail-on", "regression"],
    }));
    world.place.write(QUARANTINE, "[[test]]\nname = \"test_order\"\nuntil = \"2030-01-01\"\n");
    world.place.git(&["init", "-q", "-b", "main", "."]);
    assert_eq!(world.run().code, 1);
}

/// A person's word is kept, heard by the next run with name and date, and taken back by
/// a later one.
#[test]
fn what_people_say_is_heard() {
    let thread = Thread::new("own", json!({"past": {"test_order": "PPPPFPPPPPPP"}}));
    let before = thread.ask("rob", "/explain test_order").reply.unwrap();
    assert!(!before.contains("**flaky**"), "{before}");
    let asked = thread.ask("wim", "/flaky test_order");
    assert!(
        asked.reply.as_ref().unwrap().contains("`wim` says that it is flaky. The next runs hear it."),
        "{:?}{}",
        asked.reply,
        asked.ran.out
    );
    let ledger = |thread: &Thread| {
        let state = thread.world.server.state();
        let found: Vec<String> =
            state.issues.values().filter(|i| i.title.contains("What people told")).map(|i| i.body.clone()).collect();
        assert_eq!(found.len(), 1);
        found[0].clone()
    };
    assert!(ledger(&thread).contains("| `tests.test_app test_order` | says that it is flaky | `wim` | 2026-05-01 |"));
    let after = thread.ask("rob", "/explain test_order").reply.unwrap();
    assert!(after.contains("wim says that it is flaky (2026-05-01)") && after.contains("+2.8 flaky"), "{after}");
    let shown = thread.world.place.run(&["history", "show", "test_order"]).out;
    assert!(shown.contains("wim says that it is flaky (2026-05-01)"), "{shown}");
    let key = after.split("Key: `").nth(1).unwrap().split('`').next().unwrap().to_owned();
    assert_eq!(thread.ask("max", "/not-flaky test_order").reactions, ["eyes", "rocket"]);
    let again = thread.ask("rob", "/explain test_order").reply.unwrap();
    assert!(again.contains("max says that it is not flaky") && !again.contains("wim says"), "{again}");
    // A failure that is expected, or ignored for a while.
    assert!(
        thread.ask("wim", &format!("/expected {key}")).reply.unwrap().contains("says that this failure is expected")
    );
    assert!(thread.ask("rob", "/explain").reply.unwrap().contains("· expected**"));
    let ignored = thread.ask("wim", &format!("/ignore {key} 2w")).reply.unwrap();
    assert!(ignored.contains("has this failure ignored until 2026-05-15"), "{ignored}");
    assert!(thread.ask("rob", "/explain").reply.unwrap().contains("· ignored**"));
    assert!(!ledger(&thread).contains("is expected"));
    for (line, why) in [
        (format!("/ignore {key} 2026-04-01"), "2026-04-01 is over"),
        ("/expected f1-nothing".to_owned(), "no failure of this run has the key"),
        ("/flaky test_nowhere".to_owned(), "no test is called"),
        ("/flaky test_steady".to_owned(), "4 tests are called like that"),
    ] {
        let reply = thread.ask("wim", &line).reply.unwrap();
        assert!(reply.contains(why), "{why}: {reply}");
    }
}

#[test]
fn an_issue_is_filed_once() {
    let thread = Thread::new("own", json!({}));
    let asked = thread.ask("wim", "/file test_order");
    assert_eq!(asked.reactions, ["eyes", "rocket"], "{:?}{}", asked.reply, asked.ran.out);
    assert!(asked.reply.unwrap().contains("[Regression&#58; test\\_order"));
    let again = thread.ask("wim", "/file test_order");
    assert!(again.reply.unwrap().contains("issue 9 is about it, and is open"));
    let issues = thread.world.server.state().issues.len();
    assert_eq!(issues, 3);
}

/// `/heal` repairs what is outdated, on a branch or as a suggestion, and no bug.
#[test]
fn heal_repairs_what_is_outdated() {
    let thread = Thread::on_repository(&[("'queued'", "'pending'")], "");
    let asked = thread.ask("wim", "/heal test_status --branch");
    let reply = asked.reply.unwrap();
    assert!(reply.contains("/pull/9)") && reply.contains("test_status"), "{reply}{}", asked.ran.out);
    assert_eq!(asked.reactions, ["eyes", "rocket"]);
    let state = thread.world.server.state();
    let pull = &state.pulls[&9];
    assert!(pull.head_ref.starts_with("testmedic/heal/") && pull.base_ref == "topic");
    let text = state.bare.as_ref().unwrap().text_at(&pull.head_sha, "tests/test_orders.py").unwrap();
    assert!(text.contains("assert status() == 'pending'"), "{text}");
    drop(state);
    // Without a word about it nothing is pushed: the test's file is not in the diff.
    let shown = Thread::on_repository(&[("'queued'", "'pending'")], "").ask("wim", "/heal");
    let reply = shown.reply.unwrap();
    assert!(!shown.writes.iter().any(|w| w.contains("/git/")), "{:?}", shown.writes);
    assert!(reply.contains("+    assert status() == 'pending'"), "{reply}");
}

#[test]
fn heal_touches_no_bug_but_on_a_persons_word() {
    let thread = Thread::on_repository(&[("sum(items)", "None")], "");
    let asked = thread.ask("wim", "/heal --branch");
    assert!(!asked.writes.iter().any(|w| w.contains("/git/")), "{:?}", asked.writes);
    assert!(asked.reply.as_ref().unwrap().contains("test_total"), "{:?}", asked.reply);
    let forced = thread.ask("wim", "/heal --branch --force-outdated");
    assert!(forced.writes.iter().any(|w| w.contains("/git/refs")), "{:?}{}", forced.writes, forced.ran.out);
    let state = thread.world.server.state();
    let body = &state.issues.values().next_back().unwrap().body;
    assert!(body.contains("wim answers for it that the test is outdated"), "{body}");
    // The guards are asked all the same: nothing is loosened.
    let pull = state.pulls.values().next_back().unwrap();
    let text = state.bare.as_ref().unwrap().text_at(&pull.head_sha, "tests/test_orders.py").unwrap();
    assert!(text.contains("assert total([1, 2]) is None") || text.contains("assert total([1, 2]) == None"), "{text}");
}

#[test]
fn single_tests_run_again_and_the_breaking_commit_is_found() {
    let commits =
        [("sum(items)", "sum(items) + 0"), ("'queued'", "'pending'"), ("+ 0", "+ 0 + 0"), ("'pending'", "'waiting'")];
    let thread = Thread::on_repository(&commits, "");
    let again = thread.ask("wim", "/retry test_status test_total --times 2").reply.unwrap();
    assert!(again.contains("| `test_status` | 0 | 2 |") && again.contains("| `test_total` | 2 | 0 |"), "{again}");
    let reply = thread.ask("wim", "/bisect test_status").reply.unwrap();
    let place = &thread.world.place;
    let bad = place.git(&["-C", "shop", "rev-parse", "--short=9", "topic~2"]);
    let good = place.git(&["-C", "shop", "rev-parse", "--short=9", "topic~3"]);
    let told = format!("`test_status` first fails on [`{}`]", bad.trim());
    assert!(reply.contains(&told) && reply.contains(good.trim()), "{told}: {reply}");
    let passes = thread.ask("wim", "/bisect test_total").reply.unwrap();
    assert!(passes.contains("there is nothing to look for"), "{passes}");
    // On a fork none of it is run beside a token that writes.
    thread.world.server.state().pulls.get_mut(&7).unwrap().head_repository = "mallory/shop".to_owned();
    let head = thread.world.server.state().pulls[&7].head_sha.clone();
    let asked = thread.ask("wim", "/bisect test_status");
    assert!(asked.reply.unwrap().contains(&format!("--i-have-read-the-diff {head}")));
    let asked = thread.ask("wim", &format!("/bisect test_status --i-have-read-the-diff {head}"));
    assert!(asked.reply.unwrap().contains("runs no code of a fork beside it"));
}

/// A schedule: what recovered is offered to count again, the digest is one issue.
#[test]
fn a_schedule_tidies() {
    let thread = Thread::new("own", json!({"past": {"test_order": "PPPPFPPF"}}));
    with_git(&thread);
    thread.ask("wim", "/quarantine test_order 60d").reply.unwrap();
    let text = {
        let state = thread.world.server.state();
        let pull = state.pulls.values().next_back().unwrap();
        state.bare.as_ref().unwrap().text_at(&pull.head_sha, QUARANTINE).unwrap()
    };
    let since = text.replace("since = \"2026-05-01\"", "since = \"2026-04-02\"");
    let schedule = |line: &str, now: &str| {
        let story = json!({
            "event": {"name": "schedule", "payload": {"repository": {"full_name": REPOSITORY, "default_branch": "main"}}},
            "past": {"test_order": line},
            "forge": {"files": {QUARANTINE: since}, "permissions": {"contents": "write"}},
            "now": now,
        });
        Thread { world: World::new(story), on: 0 }
    };
    let early = schedule("PPPPFPPFPPPPPPP", "2026-04-05T10:00:00Z");
    with_git(&early);
    let ran = early.run();
    assert!(!ran.out.contains("Take test_order out of quarantine"), "7 of 11 runs prove nothing: {}", ran.out);
    let mut tidy = schedule("PPPPFPPFPPPPPPPPPPPP", "2026-04-06T10:00:00Z");
    with_git(&tidy);
    let ran = tidy.run();
    let digest = |thread: &Thread| {
        let state = thread.world.server.state();
        let found: Vec<_> = state.issues.values().filter(|i| i.title == "The week of the tests").cloned().collect();
        assert_eq!(found.len(), 1, "{}", ran.out);
        found[0].clone()
    };
    {
        let state = tidy.world.server.state();
        let pull = state.pulls.values().next_back().unwrap_or_else(|| panic!("{}", ran.out));
        assert_eq!(state.issues[&pull.number].title, "Take test_order out of quarantine");
        assert!(state.issues[&pull.number].body.contains("It passed 12 times in a row since; 11 prove it."));
        let text = state.bare.as_ref().unwrap().text_at(&pull.head_sha, QUARANTINE).unwrap();
        assert!(!text.contains("[[test]]"), "{text}");
    }
    let body = digest(&tidy).body;
    for part in [
        "20 runs on the default branch, 2 of them red",
        "xychart-beta",
        "| `tests.test_app test_order` | 20 | 2 | 0 |",
        "| `tests.test_app test_order` | 2026-06-30 | `wim` |",
    ] {
        assert!(body.contains(part), "{part}: {body}");
    }
    // Once more on that day: nothing. Later: the same issue, told once a week.
    let written = |thread: &Thread| {
        let state = thread.world.server.state();
        state.log.iter().filter(|l| l.is_write() && !l.path.contains("/labels")).count()
    };
    let count = written(&tidy);
    let again = tidy.run();
    assert_eq!(written(&tidy), count, "{}", again.out);
    for (day, comments) in [("2026-04-07T10:00:00Z", 1), ("2026-04-08T10:00:00Z", 1), ("2026-04-14T10:00:00Z", 2)] {
        tidy.world.go_on(&json!({"now": day}));
        let ran = tidy.run();
        let number = digest(&tidy).number;
        let state = tidy.world.server.state();
        let told = state.comments.iter().filter(|c| c.on == number).count();
        assert_eq!(told, comments, "{day}: {}", ran.out);
    }
    let number = digest(&tidy).number;
    tidy.world.server.state().issues.get_mut(&number).unwrap().open = false;
    tidy.world.go_on(&json!({"now": "2026-04-15T10:00:00Z"}));
    let ran = tidy.run();
    assert!(ran.out.contains("the digest, issue") && ran.out.contains("is closed"), "{}", ran.out);
}

/// The code of a fork runs in a job that may only read; a third one writes what it planned,
/// admitted anew.
#[test]
fn a_forks_code_runs_without_rights() {
    let thread = Thread::on_repository(&[("'queued'", "'pending'")], "");
    let head = {
        let mut state = thread.world.server.state();
        state.pulls.get_mut(&7).unwrap().head_repository = "mallory/shop".to_owned();
        state.runs.last_mut().unwrap().repository = "mallory/shop".to_owned();
        state.pulls[&7].head_sha.clone()
    };
    let line = format!("/heal test_status --i-have-read-the-diff {head}");
    let id = thread.say("wim", &line);
    thread.deliver(id, "wim", &line);
    let admitted = thread.part("admit", &[]);
    assert_eq!(
        (thread.world.output("execute").as_deref(), thread.world.output("head")),
        (Some("true"), Some(head)),
        "{}",
        admitted.out
    );
    let reply = |thread: &Thread| {
        let state = thread.world.server.state();
        state.comments.iter().find(|c| c.body.contains(&format!("command {id}"))).unwrap().body.clone()
    };
    assert!(reply(&thread).contains("Handed over to a job that may only read."));
    // It may only read, and so it does.
    let before = thread.world.server.state().writes();
    let may = |level: &str| {
        let mut state = thread.world.server.state();
        for scope in ["actions", "checks", "contents", "issues", "pull_requests"] {
            state.permissions.insert(scope.to_owned(), level.to_owned());
        }
    };
    may("read");
    let ran = thread.part("execute", &[]);
    assert_eq!((ran.code, thread.world.server.state().writes()), (0, before), "{}", ran.out);
    may("write");
    let plan = thread.world.place.read("plan.json");
    let keep = |text: &str| {
        let mut state = thread.world.server.state();
        state.artifacts.retain(|a| a.name != "testmedic-plan");
        let bytes = zip_of(&[("plan.json", text.as_bytes())]);
        let at = "2026-05-01T10:00:00Z".to_owned();
        state.artifacts.push(Artifact {
            id: 950,
            name: "testmedic-plan".to_owned(),
            run: RUN,
            bytes,
            expired: false,
            at,
        });
    };
    // A plan that says more than it may: what is too much is refused, item by item.
    let mut bent: Value = serde_json::from_str(&plan).unwrap();
    for item in bent["actions"].as_array_mut().unwrap() {
        if item["action"]["kind"] == "comment" {
            let body = item["action"]["body"].as_str().unwrap().to_owned();
            item["action"]["body"] = json!(format!("{body}\n[click](https://evil.example)"));
        }
    }
    keep(&bent.to_string());
    let snapshot = thread.world.server.state().clone();
    let ran = thread.part("publish", &[]);
    assert!(!reply(&thread).contains("://evil") && reply(&thread).contains("ended without a plan"), "{}", ran.out);
    *thread.world.server.state() = snapshot;
    keep(&plan);
    let ran = thread.part("publish", &[]);
    let said = reply(&thread);
    for part in ["test_status", "assert status() == 'pending'", "\"is_working\":false"] {
        assert!(said.contains(part), "{part}: {said}{}", ran.out);
    }
    {
        let state = thread.world.server.state();
        // No branch of a stranger's code, no suggestion to click on.
        assert!(!state.log.iter().any(|l| l.is_write() && l.path.contains("/git/")), "{:#?}", state.log);
        assert!(state.reactions.iter().any(|(on, _, what)| *on == id && (what == "rocket" || what == "+1")));
    }
    // Once more: nothing.
    let writes = thread.world.server.state().writes();
    let again = thread.part("publish", &[]);
    assert!(again.out.contains("answered already") && thread.world.server.state().writes() == writes, "{}", again.out);
}

/// `/generate` writes the tests that the recorded traffic shows to be missing.
#[test]
fn generate_writes_what_is_missing() {
    let thread = Thread::of_shop();
    let none = thread.ask("wim", "/generate \"GET /nowhere\"").reply.unwrap();
    assert!(none.contains("no test asks GET /nowhere"), "{none}");
    let asked = thread.ask("wim", "/generate \"GET /users\"");
    let reply = asked.reply.unwrap();
    assert!(
        reply.contains("1 test written and proven, [offered here](https://github.com/acme/shop/pull/"),
        "{reply}{}",
        asked.ran.out
    );
    let state = thread.world.server.state();
    let pull = state.pulls.values().next_back().unwrap();
    let path = "tests/generated/test_generated_get_users_by_user.py";
    let text = state.bare.as_ref().unwrap().text_at(&pull.head_sha, path).unwrap();
    assert!(text.contains("def test_get_users_by_user_that_is_not_there(client):"), "{text}");
}

/// `/explain` in a long history. `RESULTS=1000000` with `--nocapture` tells how long it takes.
#[test]
fn explain_in_a_long_history() {
    use std::fmt::Write;
    let results: usize = std::env::var("RESULTS").ok().and_then(|n| n.parse().ok()).unwrap_or(20_000);
    let tests = 1000.min(results / 20);
    let thread = Thread::new("own", json!({"past": {}}));
    let place = &thread.world.place;
    let mut xml = String::from("<testsuite name=\"pytest\">");
    for n in 0..tests {
        let _ = write!(xml, "<testcase classname=\"tests.test_app\" name=\"test_{n}\" time=\"0.01\"/>");
    }
    xml.push_str("<testcase classname=\"tests.test_app\" name=\"test_order\" time=\"0.01\"/></testsuite>");
    place.write("long/report.xml", xml);
    let mut manifest = String::new();
    for n in 0..results / tests {
        let at = format!("2026-{:02}-{:02}T{:02}:{:02}:00Z", 1 + n / 500, 1 + n % 500 / 20, n % 20, n % 60);
        let _ = writeln!(
            manifest,
            "{{\"reports\":[\"report.xml\"],\"commit\":\"{n:040x}\",\"branch\":\"main\",\"at\":\"{at}\",\"run\":{n}}}"
        );
    }
    place.write("long/m.jsonl", manifest);
    let imported = place.run(&["history", "import", "--manifest", "long/m.jsonl"]);
    assert_eq!(imported.code, 0, "{}{}", imported.out, imported.err);
    let id = thread.say("rob", "/explain test_order");
    thread.deliver(id, "rob", "/explain test_order");
    let begun = Instant::now();
    let ran = thread.run();
    println!("/explain after {} ms, with {results} results", begun.elapsed().as_millis());
    let reply = thread.written(0, id, ran).reply.unwrap();
    // Twelve more are learned from artifacts.
    let known = testmedic::report::grouped((results / tests + 12) as u64);
    assert!(reply.contains(&format!("Failed in 0 of {known} runs before this one")), "{reply}");
}

/// `/stop` ends what other commands of the thread still do.
#[test]
fn what_is_stopped_writes_nothing_more() {
    let thread = Thread::new("own", json!({}));
    let marker =
        "<!-- testmedic:reply {\"v\":1,\"key\":\"command 999\",\"by\":\"run 499.1 7\",\"is_working\":true} -->";
    let working = thread.say(BOT, &format!("{marker}\n### \u{23f3} `/heal`\n"));
    let asked = thread.ask("wim", "/stop");
    assert!(asked.reply.unwrap().contains("Stopped 1 command: nothing more is written for them."));
    let state = thread.world.server.state();
    let stopped = state.comments.iter().find(|c| c.id == working).unwrap().body.clone();
    assert!(stopped.contains("### \u{1f6d1} stopped") && stopped.contains("\"is_working\":false"), "{stopped}");
    drop(state);
    assert!(thread.ask("wim", "/stop").reply.unwrap().contains("Nothing is being worked on"));
    // The job that worked on it finds that out before it writes: here, the one that publishes.
    thread.deliver(999, "wim", "/heal");
    {
        let mut state = thread.world.server.state();
        let own = Comment {
            id: 999,
            on: 7,
            body: "/heal".into(),
            author: "wim".into(),
            made: 0,
            updated: state.now.clone(),
            at: None,
        };
        state.comments.push(own);
    }
    let writes = thread.world.server.state().writes();
    let ran = thread.part("publish", &[]);
    assert!(ran.out.contains("answered already") && thread.world.server.state().writes() == writes, "{}", ran.out);
}

/// On an issue a command is about the issue's own failure, and a repair goes to `main`.
#[test]
fn on_an_issue_it_is_about_its_failure() {
    let mut thread = Thread::on_repository(&[("'queued'", "'pending'")], "");
    {
        let mut state = thread.world.server.state();
        let run = state.runs.last_mut().unwrap();
        (run.event, run.branch) = ("push".to_owned(), "main".to_owned());
    }
    thread.on = 8;
    // Filed on the pull request of somebody; its run stands in the marker.
    let filed = thread.ask("wim", "/file test_status").reply.unwrap();
    assert!(filed.contains("/issues/9)"), "{filed}");
    thread.on = 9;
    let told = thread.ask("rob", "/explain").reply.unwrap();
    assert!(told.contains("test_status: AssertionError") && told.contains("Key: `"), "{told}");
    let healed = thread.ask("wim", "/heal");
    let reply = healed.reply.unwrap();
    assert!(reply.contains("outdated test, repaired"), "{reply}{}", healed.ran.out);
    let state = thread.world.server.state();
    let pull = state.pulls.values().next_back().unwrap();
    assert!(pull.base_ref == "main" && pull.head_ref.starts_with("testmedic/heal/"), "{reply}");
}

/// The same three jobs on a branch of the repository: the repair is pushed by the last.
#[test]
fn an_own_branch_is_healed_in_three_jobs() {
    let thread = Thread::on_repository(&[("'queued'", "'pending'")], "");
    let line = "/explain test_status\n/heal test_status --branch";
    let id = thread.say("wim", line);
    thread.deliver(id, "wim", line);
    let admitted = thread.part("admit", &[]);
    let reply = |thread: &Thread| {
        let state = thread.world.server.state();
        state.comments.iter().find(|c| c.body.contains(&format!("command {id}"))).unwrap().body.clone()
    };
    let first = reply(&thread);
    assert!(first.contains("Handed over") && first.contains("assert 'pending' == 'queued'"), "{first}{}", admitted.out);
    let ran = thread.part("execute", &[]);
    assert_eq!(ran.code, 0, "{}", ran.out);
    let plan = thread.world.place.read("plan.json");
    thread.world.server.state().artifacts.push(Artifact {
        id: 950,
        name: "testmedic-plan".to_owned(),
        run: RUN,
        bytes: zip_of(&[("plan.json", plan.as_bytes())]),
        expired: false,
        at: "2026-05-01T10:00:00Z".to_owned(),
    });
    // A head that moved meanwhile: nothing is pushed.
    let snapshot = thread.world.server.state().clone();
    thread.world.server.state().pulls.get_mut(&7).unwrap().head_sha = sha("later");
    let ran = thread.part("publish", &[]);
    assert!(!thread.world.server.state().log.iter().any(|l| l.is_write() && l.path.contains("/git/")), "{}", ran.out);
    *thread.world.server.state() = snapshot;
    let ran = thread.part("publish", &[]);
    let said = reply(&thread);
    let state = thread.world.server.state();
    let pull = state.pulls.values().next_back().unwrap();
    assert!(pull.head_ref.starts_with("testmedic/heal/"), "{}", ran.out);
    // What was answered before stands there still, and where the repair is.
    for part in ["assert 'pending' == 'queued'", "outdated test, repaired", &format!("/pull/{}", pull.number)] {
        assert!(said.contains(part), "{part}: {said}{}", ran.out);
    }
}

/// `/retry` starts only what the pull request itself brought about: its head may be a commit
/// of other branches too, whose runs deploy.
#[test]
fn no_other_runs_are_started_again() {
    let thread = Thread::new("fork", json!({}));
    {
        let mut state = thread.world.server.state();
        state.runs.retain(|run| run.id != 300);
        for (id, event, branch, repository) in [
            (900, "push", "main", REPOSITORY),
            (901, "release", "v1", REPOSITORY),
            (902, "pull_request", "topic", REPOSITORY),
            (903, "pull_request", "other", "mallory/shop"),
        ] {
            state.runs.push(run(id, event, branch, &sha("now"), repository));
        }
    }
    for who in ["ann", "wim"] {
        let asked = thread.ask(who, "/retry");
        assert!(!asked.writes.iter().any(|w| w.contains("rerun")), "{who}: {:?}", asked.writes);
        assert!(asked.reply.unwrap().contains("nothing to run again"));
    }
    // What somebody cancelled is revived by nobody without the right to write.
    let mut cancelled = run(904, "pull_request", "topic", &sha("now"), "mallory/shop");
    cancelled.conclusion = Some("cancelled".to_owned());
    thread.world.server.state().runs.push(cancelled);
    assert!(thread.ask("ann", "/retry").reply.unwrap().contains("nothing to run again"));
    assert!(thread.ask("wim", "/retry").writes.iter().any(|w| w.contains("904/rerun")));
}

/// Without a token the quarantine of the default branch is what git has of it, never what
/// is checked out.
#[test]
fn a_pull_request_brings_no_quarantine_where_there_is_no_token() {
    let place = crate::support::Workplace::new();
    place.write("report.xml", report(&[("test_order", Some(MESSAGE)), ("test_a", None)]));
    for n in 0..8 {
        place.write(&format!("past/{n}.xml"), report(&[("test_order", None), ("test_a", None)]));
        let day = format!("2026-04-0{}T10:00:00Z", n + 1);
        let commit = format!("{n:040x}");
        let past = format!("past/{n}.xml");
        let words = ["history", "import", "--junit", &past, "--commit", &commit, "--branch", "main", "--at", &day];
        assert_eq!(place.run(&words).code, 0);
    }
    place.git(&["init", "-q", "-b", "main", "."]);
    place.commit("The beginning");
    let event = crate::github::world::pull_event("mallory/shop");
    place.write("event.json", event.to_string());
    let gate = || {
        let words = ["triage", "--junit", "report.xml", "--fail-on", "regression", "--now", "2026-05-01T10:00:00Z"];
        let around = [
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_EVENT_NAME", "pull_request"),
            ("GITHUB_EVENT_PATH", "event.json"),
            ("GITHUB_REPOSITORY", REPOSITORY),
        ];
        place.run_with(&words, &around)
    };
    let entry = "[[test]]\nname = \"test_order\"\nuntil = \"2099-01-01\"\n";
    place.write(QUARANTINE, entry);
    place.commit("Look away");
    let ran = gate();
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    place.git(&["update-ref", "refs/remotes/origin/main", "HEAD"]);
    let ran = gate();
    assert!(ran.code == 0 && ran.out.contains("· quarantined"), "{}{}", ran.out, ran.err);
}
