//! A model thinks along: it is heard where the rules are undecided, and whatever it says
//! or does, what is done depends on the rules.

use std::time::Duration;

use serde_json::{Value, json};

use crate::github::world::{World, merge};
use crate::model::{KEY, Model, Mood, Play, quote, reading};
use crate::support::{Ran, Workplace, report};

/// A failure of which nothing is known: the rules leave it undecided.
fn place(model: &Model, more: &str) -> Workplace {
    let place = Workplace::new();
    place.write(
        "report.xml",
        report(&[("test_order", Some("AssertionError: assert 'pending' == 'queued'")), ("test_a", None)]),
    );
    place.write("src/orders.py", "def status():\n    return 'queued'\n");
    place.write(".github/testmedic.toml", format!("{}{more}", model.policy()));
    place.git(&["init", "-q", "-b", "main", "."]);
    place.commit("Orders");
    place
}

fn triage(place: &Workplace, options: &[&str]) -> Ran {
    let words =
        [&["triage", "--junit", "report.xml", "--json", "report.json", "--now", "2026-05-01T10:00:00Z"], options];
    place.run_with(&words.concat(), &[("TESTMEDIC_MODEL_KEY", KEY)])
}

fn read(place: &Workplace) -> Value {
    serde_json::from_str(&place.read("report.json")).unwrap()
}

/// It looks things up, quotes them, is heard; what nothing supports is dropped.
#[test]
fn what_is_undecided_is_read() {
    let model = Model::new(Mood::Random);
    model.play([
        Play::Call("read_file", json!({"path": "src/orders.py", "from": 1, "to": 9})),
        Play::Call("search", json!({"text": "queued"})),
        Play::Say(
            json!({"verdict": "outdated-test", "confidence": 0.9, "claims": [
            {"source": "file:src/orders.py", "quote": "return 'queued'", "says": "the state has another name"},
            {"source": "failure", "quote": "words that nobody wrote", "says": "it is a lie"}]})
            .to_string(),
        ),
    ]);
    let place = place(&model, "");
    let ran = triage(&place, &["--history", "none", "--transcript", "t.jsonl"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    for part in [
        "counter-1 reads: the state has another name (\"return 'queued'\")",
        "counter-1 read 1 of 1 failure that the rules leave undecided: 3 questions",
        "1 claim without support dropped",
    ] {
        assert!(ran.out.contains(part), "{part}: {}", ran.out);
    }
    assert!(!ran.out.contains("it is a lie"), "{}", ran.out);
    crate::support::check_contract(&read(&place));
    let room = model.room();
    assert!(room.breaches.is_empty(), "{:#?}", room.breaches);
    let found = room.asked[1]["messages"][3]["content"].as_str().unwrap();
    assert!(found.contains("2:     return 'queued'"), "{found}");
    let shown = place.run(&["transcript", "t.jsonl"]);
    for part in [
        "analyzer",
        "wants    read_file",
        "sees     file:src/orders.py",
        "reads    outdated-test",
        "1 more without support",
    ] {
        assert!(shown.out.contains(part), "{part}: {}", shown.out);
    }
    assert!(!place.read("t.jsonl").contains(KEY));
}

/// Whatever is wrong with the model costs its word, and one line.
#[test]
fn trouble_with_the_model() {
    let plain = {
        let model = Model::new(Mood::Random);
        let place = place(&model, "");
        place.write(".github/testmedic.toml", "");
        let ran = triage(&place, &["--history", "none"]);
        (ran.code, read(&place))
    };
    let refuse = |status, body: &str| Play::Refuse(status, vec![("retry-after", "0".to_owned())], body.to_owned());
    let table: Vec<(&str, Vec<Play>, &str)> = vec![
        ("no credit", vec![refuse(429, "{\"error\":{\"code\":\"insufficient_quota\"}}")], "has no credit"),
        ("not JSON", vec![refuse(503, "<html>busy"); 4], "refused the question (503"),
        ("garbage", vec![Play::Raw(vec![0, 159, 146, 150])], "is no JSON"),
        ("half", vec![Play::Truncated], "is no JSON"),
        ("endless", vec![Play::Oversized], "more than"),
        ("late", vec![Play::Slow(Duration::from_secs(3))], "did not answer in 1 s"),
        (
            "elsewhere",
            vec![Play::Refuse(307, vec![("location", "http://127.0.0.1:9/".to_owned())], String::new())],
            "is not followed",
        ),
        ("empty", vec![Play::Raw(b"{}".to_vec())], "it has no message"),
    ];
    for (name, plays, expected) in table {
        let model = Model::new(Mood::Heals);
        model.play(plays);
        let place = place(&model, "timeout-seconds = 1\n");
        let ran = triage(&place, &["--history", "none"]);
        let (code, mut report) = (ran.code, read(&place));
        let notes: Vec<&str> = ran.out.lines().filter(|l| l.contains("judged by the rules alone")).collect();
        assert!(notes.len() == 1 && notes[0].contains(expected), "{name}: {}", ran.out);
        report["diagnoses"]
            .as_array_mut()
            .unwrap()
            .iter_mut()
            .for_each(|d| drop(d.as_object_mut().unwrap().remove("x")));
        assert_eq!(
            (code, &report["diagnoses"], &report["plan"]),
            (plain.0, &plain.1["diagnoses"], &plain.1["plan"]),
            "{name}"
        );
    }
    // Nobody is there, or does not know the key.
    let model = Model::new(Mood::Heals);
    let place = place(&model, "");
    let words = ["triage", "--junit", "report.xml", "--history", "none"];
    let ran = place.run_with(&words, &[("TESTMEDIC_MODEL_KEY", "sk-wrong-0123456789abcdef")]);
    assert!(
        ran.out.contains("the key of the model is not accepted (401") && !ran.out.contains("sk-wrong"),
        "{}",
        ran.out
    );
    drop(model);
    let ran = triage(&place, &["--history", "none"]);
    assert!(ran.code == 0 && ran.out.contains("the model cannot be reached"), "{}", ran.out);
}

/// The key goes to the model and nowhere else; what the environment holds for another
/// service goes nowhere; secrets of files are masked before lines are cut.
#[test]
fn secrets_stay() {
    let model = Model::new(Mood::Random);
    let claim =
        json!({"source": "failure", "quote": "assert 'pending' == 'queued'", "says": format!("the key is {KEY}")});
    model.play([
        Play::Call("read_file", json!({"path": "src/key.txt", "from": 2, "to": 3})),
        Play::Say(json!({"verdict": "flaky", "confidence": 1e300, "claims": [claim]}).to_string()),
    ]);
    let place = place(&model, "");
    let body = "MIIEabcdefghijklmnop0123456789";
    place.write(
        "src/key.txt",
        format!("-----BEGIN RSA PRIVATE KEY-----\n{body}\n{body}\n-----END RSA PRIVATE KEY-----\n"),
    );
    place.commit("A key");
    let words = [
        "triage",
        "--junit",
        "report.xml",
        "--history",
        "none",
        "--json",
        "report.json",
        "--transcript",
        "t.jsonl",
        "--model-record",
        "m.jsonl",
    ];
    let around = [("TESTMEDIC_MODEL_KEY", KEY), ("HTTP_PROXY", "http://127.0.0.1:9"), ("OPENAI_ORG_ID", "org-mine\n")];
    let ran = place.run_with(&words, &around);
    assert!(ran.code == 0 && ran.out.contains("counter-1 reads: the key is •••"), "{}{}", ran.out, ran.err);
    for text in [ran.out, ran.err, place.read("report.json"), place.read("t.jsonl"), place.read("m.jsonl")] {
        assert!(!text.contains(KEY) && !text.contains(body), "{text}");
    }
    let room = model.room();
    let sent: String = room.asked.iter().map(Value::to_string).collect();
    assert!(!sent.contains(body) && !room.headers.iter().any(|h| h.contains("org-mine")), "{:#?}", room.headers);
}

/// Servers that know less are asked for less.
#[test]
fn servers_without_tools_and_schemas() {
    let model = Model::new(Mood::Heals);
    (model.room().knows_tools, model.room().knows_schema) = (false, false);
    let place = place(&model, "");
    let ran = triage(&place, &["--history", "none"]);
    assert!(ran.out.contains("counter-1 reads: that is why"), "{}", ran.out);
    assert_eq!(model.room().asked.len(), 3, "one with all, one without a schema, one without both");
}

/// Two jobs share a day: together they ask as long as there is money, and no more.
#[test]
fn budgets_are_shared() {
    let model = Model::new(Mood::Heals);
    // Two questions may be put aside, a third may not.
    let place = place(&model, "answer-tokens = 1000\nbudget = { day = 0.012 }\n");
    let mut notes = Vec::new();
    for n in 0..40 {
        // The same is asked once: each job has a failure of its own.
        let words = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
        let other = format!("AssertionError: assert '{} {}' == 'queued'", words[n % 10], words[n / 10]);
        place.write("report.xml", report(&[("test_order", Some(&other))]));
        let ran = triage(&place, &["--history", "h.db"]);
        assert_eq!(ran.code, 0, "{}", ran.out);
        notes.push(ran.out.contains("more than what is left for this day"));
    }
    assert!(!notes[0] && notes[39], "it begins with money and ends without: {notes:?}");
    let room = model.room();
    // What was counted is within the budget: millionths for each token asked, twice for each said.
    assert!(room.tokens <= 12_000, "{} tokens", room.tokens);
}

/// A job that is cancelled while a question is open reports what it has; the next one goes
/// on with the answers that were given.
#[test]
fn a_cancelled_run_reports_and_the_next_goes_on() {
    let model = Model::new(Mood::Random);
    model.play([Play::Call("search", json!({"text": "queued"})), Play::Slow(Duration::from_secs(300))]);
    let place = place(&model, "");
    let words = ["triage", "--junit", "report.xml", "--now", "2026-05-01T10:00:00Z", "--history", "h.db"];
    let child = std::process::Command::new(env!("CARGO_BIN_EXE_testmedic"))
        .args(words)
        .current_dir(place.path())
        .env("TESTMEDIC_MODEL_KEY", KEY)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    for _ in 0..600 {
        if model.room().asked.len() == 2 {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(model.room().asked.len(), 2, "the second question is open");
    let told = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(told.success());
    let ended = child.wait_with_output().unwrap();
    let out = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.code() == Some(0) && out.contains("UNDECIDED"), "{out}");
    assert!(out.contains("judged by the rules alone from there on: the job was told to end"), "{out}");
    model.play([Play::Say(reading("flaky", 1.0, ("failure".to_owned(), "assert 'pending' == 'queued'".to_owned())))]);
    let again = triage(&place, &["--history", "h.db"]);
    assert!(again.out.contains("counter-1 reads: that is why"), "{}", again.out);
    assert_eq!(model.room().asked.len(), 3, "the first answer was kept");
}

/// The same question is asked once, and what was read is shown as it was.
#[test]
fn nothing_is_asked_twice() {
    let model = Model::new(Mood::Random);
    model.play([Play::Say(reading("flaky", 1.0, ("failure".to_owned(), "assert 'pending' == 'queued'".to_owned())))]);
    let place = place(&model, "");
    let first = triage(&place, &["--history", "h.db"]);
    let (shown, asked) = (read(&place)["diagnoses"].clone(), model.room().asked.len());
    assert!(first.out.contains("counter-1 reads: that is why"), "{}", first.out);
    let second = triage(&place, &["--history", "h.db"]);
    assert!(second.out.contains("as before: the same was asked in an earlier run"), "{}", second.out);
    assert_eq!((&read(&place)["diagnoses"], model.room().asked.len()), (&shown, asked));
}

/// A model makes vectors of failures: one of the past is found by what it means, where its
/// words do not tell; what was made is kept.
#[test]
fn failures_are_found_by_what_they_mean() {
    let model = Model::new(Mood::Random);
    let place =
        place(&model, "embedder = { name = \"vectors-1\", price = { asked = 0.02, said = 0.0 } }\ndiagnoses = 0\n");
    let causes = [
        "ParcelError: cannot reach the warehouse for this parcel",
        "ValueError: unsupported currency in the invoice",
        "ImportError: the plugin palette needs another colour library",
        "ZeroDivisionError: the average of no ratings at all",
        "UnicodeError: strange letters in a customer name",
        "LookupError: this coupon belongs to somebody else",
        "OverflowError: the counter of visitors ran over",
        "RuntimeError: a worker stopped in the middle of its job",
        "AttributeError: basket without a checkout button",
    ];
    for (day, cause) in causes.iter().enumerate() {
        place.write("past.xml", report(&[(&format!("test_{day}"), Some(cause))]));
        let at = format!("2026-04-{:02}T10:00:00Z", day + 1);
        let commit = format!("{:040x}", day + 1);
        let words = [
            "history",
            "import",
            "--junit",
            "past.xml",
            "--commit",
            &commit,
            "--branch",
            "main",
            "--at",
            &at,
            "--history",
            "h.db",
        ];
        let ran = place.run(&words);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    }
    place.write(
        "report.xml",
        report(&[("test_storage", Some("StorageFault: no route to the storehouse for this package"))]),
    );
    let ran = triage(&place, &["--history", "h.db", "--model-record", "m.jsonl"]);
    let expected = "means the same as one seen 1 time until 2026-04-01";
    assert!(ran.out.contains(expected) && ran.out.contains("warehouse"), "{}{}", ran.out, ran.err);
    let asked = model.room().asked.len();
    assert!(asked >= 1 && !model.room().asked.iter().any(|a| a.to_string().contains(KEY)));
    let first = read(&place);
    // What was made is not made again; and from a recording nobody is asked.
    let again = triage(&place, &["--history", "h.db"]);
    assert!(again.out.contains(expected) && model.room().asked.len() == asked, "{}", again.out);
    let _ = triage(&place, &["--history", "h.db", "--model-replay", "m.jsonl"]);
    assert_eq!((read(&place), model.room().asked.len()), (first, asked));
    // Another failure means none of them.
    place.write("report.xml", report(&[("test_else", Some("KeyError: nothing known resembles these words"))]));
    let other = triage(&place, &["--history", "h.db"]);
    assert!(!other.out.contains("means the same"), "{}", other.out);
}

/// A recording in the place of the model: the same report, byte for byte.
#[test]
fn a_recording_plays_the_same() {
    let model = Model::new(Mood::Heals);
    model.play([Play::Call("list_files", json!({"under": "src/"}))]);
    let place = place(&model, "");
    let ran = triage(&place, &["--history", "none", "--model-record", "answers.jsonl"]);
    assert!(ran.out.contains("that is why"), "{}", ran.out);
    let first = place.read("report.json");
    let asked = model.room().asked.len();
    let again = triage(&place, &["--history", "none", "--model-replay", "answers.jsonl"]);
    assert_eq!((place.read("report.json"), again.code, model.room().asked.len()), (first, ran.code, asked));
    // Another question has no answer there.
    place.write("report.xml", report(&[("test_order", Some("AssertionError: assert 'other' == 'queued'"))]));
    let other = triage(&place, &["--history", "none", "--model-replay", "answers.jsonl"]);
    assert!(other.out.contains("no answer to this question"), "{}", other.out);
    // What would be sent is shown, and nothing sent.
    let shown = triage(&place, &["--history", "none", "--explain-data"]);
    assert!(shown.out.contains("<shown source=\"failure\">") && model.room().asked.len() == asked, "{}", shown.out);
}

/// The demo plays a recording, which is made here: `UPDATE=1` makes it anew. Whoever
/// changes what a model is shown or asked has to.
#[test]
fn the_demo_thinks() {
    let place = Workplace::new();
    let demo = place.run(&["demo", "--dir", "demo"]);
    let model = Model::new(Mood::Random);
    model.play([
        Play::Call("read_file", json!({"path": "tests/answer.json"})),
        Play::Say(
            json!({"verdict": "outdated-test", "confidence": 0.9, "claims": [
            {"source": "output", "quote": "`mail` is called `email` since version 3 of this API",
             "says": "the directory calls the field `email` now"},
            {"source": "file:tests/answer.json", "quote": "\"email\": \"ada@example.org\"",
             "says": "what the test asks has it under the new name only"}]})
            .to_string(),
        ),
    ]);
    place.write("demo/thought/policy.toml", model.policy().replace("counter-1", "scripted"));
    let asked = ["--config", "policy.toml", "--history", "none", "--model-record", "recorded.jsonl"];
    let words = [&["triage", "--junit", "report.xml"], &asked[..]].concat();
    let ran = place.run_in("demo/thought", &words, &[("TESTMEDIC_MODEL_KEY", KEY)]);
    assert!(ran.out.contains("scripted read 1 of 1 failure"), "{}{}", ran.out, ran.err);
    let recorded = place.read("demo/thought/recorded.jsonl");
    let kept = format!("{}/fixtures/demo/thought/model.jsonl", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(kept, recorded).unwrap();
        return;
    }
    assert_eq!(recorded, std::fs::read_to_string(kept).unwrap(), "UPDATE=1 makes the recording anew");
    assert!(demo.out.contains("scripted reads: the directory calls the field `email` now"), "{}", demo.out);
}

/// A scenario, with what it is like.
fn scenario(name: &str) -> Value {
    let path = format!("{}/tests/scenarios/{name}/story.json", env!("CARGO_MANIFEST_DIR"));
    let own: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut story = own["like"].as_str().map_or_else(|| json!({}), scenario);
    merge(&mut story, &own);
    story
}

fn story(name: &str, model: Option<&Model>, more: &Value) -> Value {
    let mut story = scenario(name);
    if more.is_object() {
        merge(&mut story, more);
    }
    if let Some(model) = model {
        let policy = story["forge"]["files"][".github/testmedic.toml"].as_str().unwrap_or("").to_owned();
        merge(
            &mut story,
            &json!({"forge": {"files": {".github/testmedic.toml": format!("{policy}\n{}", model.policy())}},
            "env": {"TESTMEDIC_MODEL_KEY": KEY}}),
        );
    }
    story
}

/// What was written, without the texts.
fn writes(world: &World) -> Vec<String> {
    let state = world.server.state();
    state.log.iter().filter(|l| l.is_write()).map(|l| format!("{} {}", l.method, l.path)).collect()
}

/// What comes of each step of a scenario: exit code, plan with what is withheld and why,
/// and all that was written so far.
fn played(name: &str, model: Option<&Model>) -> Vec<(i32, Vec<String>, Vec<String>)> {
    // One failure more of which the rules know nothing.
    let odd =
        json!({"reports": {"report.xml": {"test_odd": "AssertionError: the verdict flaky is odd: assert 3 == 4"}}});
    let steps: Vec<Value> = scenario(name)["then"].as_array().cloned().unwrap_or_default();
    let story = story(name, model, if steps.is_empty() { &odd } else { &Value::Null });
    let mut world = World::new(story);
    let one = |world: &World| {
        let ran = world.run();
        let report = world.report();
        let row = |a: &Value| format!("{} {} {}", a["kind"], a["title"], a["reason"]);
        let rows = |of: &str| report["plan"][of].as_array().into_iter().flatten().map(row).collect::<Vec<_>>();
        (ran.code, [rows("actions"), rows("withheld")].concat(), writes(world))
    };
    let mut all = vec![one(&world)];
    for next in &steps {
        world.go_on(next);
        all.push(one(&world));
    }
    all
}

/// Models that answer at random, always want to heal, or obey what they read: what is
/// written to GitHub is what the rules alone write, in all scenarios. `RUNS=12` repeats
/// it: more than a thousand runs, each with other answers.
#[test]
fn no_model_writes() {
    let folder = format!("{}/tests/scenarios", env!("CARGO_MANIFEST_DIR"));
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let times: u64 = std::env::var("RUNS").ok().and_then(|times| times.parse().ok()).unwrap_or(1);
    let (mut runs, mut asked) = (0, 0);
    for name in &names {
        let plain = played(name, None);
        for seed in 0..times {
            for mood in [Mood::Random, Mood::Heals, Mood::Obeys] {
                let model = Model::new(mood);
                model.seed(seed);
                let told = played(name, Some(&model));
                assert_eq!(told, plain, "{name}, {mood:?}, {seed}");
                let room = model.room();
                assert!(room.breaches.is_empty(), "{:#?}", room.breaches);
                (runs, asked) = (runs + told.len(), asked + room.asked.len());
            }
        }
    }
    println!("{runs} runs, {asked} questions");
    assert!(asked > 0);
}

/// One exchange of a test, as browsers write it.
fn har(test: &str, body: &str) -> String {
    let content = json!({"mimeType": "application/json", "text": body});
    let request = json!({"method": "GET", "url": "http://shop.test/orders/1", "headers": []});
    let response = json!({"status": 200, "headers": [], "content": content});
    let entry = json!({"_test": test, "request": request, "response": response});
    json!({"log": {"version": "1.2", "entries": [entry]}}).to_string()
}

/// Texts that speak to a model, wherever they stand: in names of tests and files, messages,
/// output, bodies of answers, comments of code, subjects of commits.
#[test]
fn no_text_instructs() {
    let corpus = std::fs::read_to_string(format!("{}/tests/injections.txt", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let all: Vec<String> =
        corpus.lines().filter(|l| !l.is_empty() && !l.starts_with("# ")).map(|l| l.replace("\\n", "\n")).collect();
    assert!(all.len() >= 60, "{}", all.len());
    let model = Model::new(Mood::Obeys);
    let plain = {
        let place = place(&model, "");
        place.write(".github/testmedic.toml", "");
        let _ = triage(&place, &["--history", "none"]);
        read(&place)["plan"]["actions"].clone()
    };
    for (at, text) in all.iter().enumerate() {
        let place = place(&model, "");
        let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
        let plain_message = "AssertionError: assert 'pending' == 'queued'".to_owned();
        let (mut name, mut message, mut output) = ("test_order".to_owned(), plain_message, String::new());
        let (mut body, mut path, mut subject) = ("{}".to_owned(), "src/notes.md".to_owned(), "Notes".to_owned());
        match at % 6 {
            0 => name = format!("test_order {escaped}"),
            1 => message = format!("{message} {escaped}"),
            2 => output = escaped,
            3 => body = json!({"state": text}).to_string(),
            4 => {
                let short: String = text.chars().filter(|c| !matches!(c, '/' | '\n' | '\0')).take(60).collect();
                path = format!("src/{}.md", short.trim());
            }
            _ => subject = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("x").to_owned(),
        }
        place.write("report.xml", format!("<testsuite name=\"t\"><testcase classname=\"tests.test_app\" name=\"{name}\"><failure message=\"{message}\">{message}</failure><system-out>{output}</system-out></testcase></testsuite>"));
        place.write("seen.har", har("tests.test_app::test_order", &body));
        place.write(&path, text);
        place.write("src/orders.py", format!("# {}\ndef status():\n    return 'queued'\n", text.replace('\n', "\n# ")));
        place.commit(&subject);
        let ran = triage(&place, &["--history", "none", "--traffic", "seen.har"]);
        assert_eq!(ran.code, 0, "{text}: {}{}", ran.out, ran.err);
        assert_eq!(read(&place)["plan"]["actions"], plain, "{text}");
        assert!(!ran.out.contains(KEY) && !ran.out.contains("PATH="), "{text}: {}", ran.out);
        assert!(ran.out.contains("counter-1 read"), "its session comes to an end: {text}: {}", ran.out);
    }
    let room = model.room();
    assert!(room.breaches.is_empty(), "{:#?}", room.breaches);
    let said: String = room.asked.iter().map(Value::to_string).collect();
    assert!(!said.contains(KEY) && !said.contains("PATH="), "nothing of the environment is told");
}

#[test]
fn what_a_reading_looks_like() {
    let question =
        json!({"messages": [{}, {"content": "<shown source=\"failure\">\nAssertionError: a == b\n</shown>"}]});
    let text = reading("flaky", 0.5, quote(&question));
    assert!(text.contains("AssertionError: a == b"), "{text}");
}

/// How well the rules fit what is known to be true stands in `docs/evaluation.md`
/// (`UPDATE=1 cargo test evaluation`); a model undoes nothing of it.
#[test]
fn evaluation() {
    let root = env!("CARGO_MANIFEST_DIR");
    let cases = format!("{root}/fixtures/eval");
    let place = Workplace::new();
    let ran = place.run(&["eval", &cases, "--json", "figures.json"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let page = format!("{root}/docs/evaluation.md");
    let text = ran.out.replacen(
        "known truth.\n",
        "known truth (`fixtures/eval`), made by `testmedic eval fixtures/eval`.\n",
        1,
    );
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&page, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&page).unwrap(), text, "run `UPDATE=1 cargo test evaluation`");
    let figures: Value = serde_json::from_str(&place.read("figures.json")).unwrap();
    assert_eq!(figures["rules"]["wrong"], 0, "{figures:#}");
    for mood in [Mood::Heals, Mood::Random, Mood::Obeys] {
        let model = Model::new(mood);
        place.write("policy.toml", model.policy());
        let words = ["eval", cases.as_str(), "--json", "figures.json", "--config", "policy.toml"];
        let ran = place.run_with(&words, &[("TESTMEDIC_MODEL_KEY", KEY)]);
        assert!(ran.code == 0 && ran.out.contains("The model undid what was right: none."), "{mood:?}: {}", ran.out);
        let figures: Value = serde_json::from_str(&place.read("figures.json")).unwrap();
        let all = figures["cases"].as_array().unwrap();
        assert!(all.iter().all(|c| c["rules"] == "undecided" || c["with-model"] == c["rules"]), "{figures:#}");
        assert!(figures["cost"]["questions"].as_u64().unwrap() > 0);
    }
}
