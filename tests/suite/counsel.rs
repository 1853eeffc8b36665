//! A model is asked for an edit where no rule knows one: a real pytest proves what it
//! proposes, and what must not be done is not done.

use std::process::Command;

use serde_json::{Value, json};

use crate::healing::prepared;
use crate::model::{KEY, Model, Mood, Play};
use crate::support::{IDENTITY, Ran, Workplace};

const SHOP: &str = "STATE = \"queued\"\n\n\ndef describe(number, size=2):\n    return f\"order {number} {STATE} of {size}\"\n\n\ndef total(sizes):\n    return sum(sizes)\n";
const TESTS: &str = "import shop\n\n\ndef look(text):\n    words = text.split()\n    ok = \"queued\" in words\n    assert ok\n\n\ndef test_state():\n    look(shop.describe(7))\n\n\ndef test_total():\n    found = shop.total([1, 2])\n    ok = (found - 3) in (0,)\n    assert ok\n";

/// A repository with a change after which tests fail.
fn world(edits: Edits<'_>) -> Workplace {
    let place = Workplace::new();
    place.write("repo/shop.py", SHOP);
    place.write("repo/tests/test_shop.py", TESTS);
    place.write("repo/conftest.py", "");
    let git = |words: &[&str]| {
        let repo = place.path().join("repo");
        let done = Command::new("git").arg("-C").arg(repo).args(words).envs(IDENTITY.iter().copied()).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    git(&["init", "-q", "-b", "main", "."]);
    git(&["add", "-A"]);
    git(&["commit", "-qm", "The beginning"]);
    let mut text = SHOP.to_owned();
    for (old, new) in edits {
        assert!(text.contains(old), "{old}");
        text = text.replace(old, new);
    }
    place.write("repo/shop.py", text);
    git(&["commit", "-qam", "A change"]);
    place
}

fn heal(place: &Workplace, model: &Model, test: &str, more: &[&str]) -> (Ran, Value) {
    place.write("policy.toml", model.policy());
    let path = format!("{}:{}", prepared().join("venv/bin").display(), std::env::var("PATH").unwrap());
    let words = [
        &["heal", "--repo", "repo", "--only", test, "--json", "report.json", "--history", "none", "--base", "HEAD~1"],
        &["--config", "policy.toml", "--transcript", "t.jsonl", "--now", "2026-05-01T10:00:00Z"] as &[&str],
        more,
    ];
    let ran = place.run_with(&words.concat(), &[("TESTMEDIC_MODEL_KEY", KEY), ("PATH", &path)]);
    let report = serde_json::from_str(&place.read("report.json")).unwrap_or_default();
    (ran, report)
}

fn says(edits: &[(&str, &str)], source: &str, quote: &str) -> Play {
    let edits: Vec<Value> = edits.iter().map(|(old, new)| json!({"old": old, "new": new})).collect();
    let claims = json!([{"source": source, "quote": quote, "says": "the state has another name"}]);
    Play::Say(json!({"edits": edits, "claims": claims}).to_string())
}

/// Old and new texts.
type Edits<'a> = &'a [(&'a str, &'a str)];

/// A change, a test that fails after it, what a model proposes, and why that is refused.
type Cheat<'a> = (Edits<'a>, &'a str, Vec<(&'a str, &'a str)>, &'a str);

const RENAMED: [(&str, &str); 1] = [("\"queued\"", "\"pending\"")];
const QUOTE: (&str, &str) = ("change:shop.py", "+STATE = \"pending\"");

/// It tries, hears why that does not do, tries again: what it proposes then is proven.
#[test]
fn a_model_finds_what_no_rule_knows() {
    let place = world(&RENAMED);
    let model = Model::new(Mood::Random);
    model.play([
        Play::Call("search", json!({"text": "STATE"})),
        says(&[("\"queued\"", "\"waiting\"")], QUOTE.0, QUOTE.1),
        says(&[("\"queued\"", "\"pending\"")], QUOTE.0, QUOTE.1),
    ]);
    let (ran, report) = heal(&place, &model, "test_state", &["--patch", "p.diff", "--model-record", "m.jsonl"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    for part in
        ["HEALED", "no rule knows this edit: counter-1 proposed it", "the state has another name", "3 questions"]
    {
        assert!(ran.out.contains(part), "{part}: {}", ran.out);
    }
    assert!(place.read("p.diff").contains("+    ok = \"pending\" in words"), "{}", place.read("p.diff"));
    let row = &report["proposals"][0];
    assert_eq!((&row["remedy"], row["proof"].as_array().unwrap().len()), (&json!("heal"), 5), "{row:#}");
    let told = place.run(&["transcript", "t.jsonl"]).out;
    for part in ["healer test_state", "proposes", "refused  with the edit the test does not pass", "sees     search"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let room = model.room();
    assert!(room.breaches.is_empty(), "{:#?}", room.breaches);
    let objection = room.asked[2]["messages"].to_string();
    assert!(objection.contains("source=\\\"objection\\\""), "{objection}");
    let asked = room.asked.len();
    drop(room);
    // The same from a recording, word for word.
    let first = place.read("report.json");
    let (again, _) = heal(&place, &model, "test_state", &["--model-replay", "m.jsonl"]);
    let steady = |text: &str| text.lines().filter(|l| !l.contains("to reproduce")).collect::<Vec<_>>().join("\n");
    assert_eq!((steady(&again.out), model.room().asked.len()), (steady(&ran.out), asked));
    assert_eq!(place.read("report.json"), first);
}

/// More than values and names, or nothing but a model's word: a person decides, and no
/// patch is made.
#[test]
fn a_person_is_asked() {
    let cases = [
        // A step more.
        (
            vec![("order {number} {STATE} of", "order {number} state={STATE} of")],
            "test_state",
            vec![("ok = \"queued\" in words", "ok = words[2] == \"state=queued\"")],
            ("change:shop.py", "return f\"order {number} state={STATE} of {size}\""),
        ),
        // Nothing in the change speaks for the value but the model.
        (
            vec![("return sum(sizes)", "return sum(sizes) + 1")],
            "test_total",
            vec![("found - 3", "found - 4")],
            ("change:shop.py", "+    return sum(sizes) + 1"),
        ),
    ];
    for (change, test, edits, quote) in cases {
        let place = world(&change);
        let model = Model::new(Mood::Random);
        model.play([says(&edits, quote.0, quote.1)]);
        let (ran, report) = heal(&place, &model, test, &["--patch", "p.diff"]);
        assert!(ran.out.contains("ASK") && ran.out.contains("counter-1 proposed it"), "{test}: {}", ran.out);
        assert_eq!((report["proposals"][0]["remedy"].as_str(), place.read("p.diff").as_str()), (Some("explain"), ""));
    }
}

/// What would weaken a test, bend what it sends, hide a bug or reach elsewhere is refused,
/// with the reason, and nothing is written.
#[test]
fn no_cheat_passes() {
    let broken: [(&str, &str); 1] = [("return sum(sizes)", "return sum(sizes[1:]) + 2")];
    let none = [("return sum(sizes)", "return None")];
    let table: [Cheat<'_>; 10] = [
        (&RENAMED, "test_state", vec![("    assert ok\n\n\ndef test_state", "    pass\n\n\ndef test_state")], "guard"),
        (
            &RENAMED,
            "test_state",
            vec![("    assert ok\n\n\ndef test_state", "    assert ok or True\n\n\ndef test_state")],
            "guard",
        ),
        (&RENAMED, "test_state", vec![("def test_state", "@__import__('pytest').mark.skip\ndef test_state")], "guard"),
        (&RENAMED, "test_state", vec![("def test_state():\n", "def test_state():\n    return\n")], "guard"),
        (&RENAMED, "test_state", vec![("import shop", "import shop\nshop.STATE = \"queued\"")], "as well"),
        (&RENAMED, "test_state", vec![("words = text.split()", "words = [\"queued\"]")], "as well"),
        // An input that hides the bug.
        (&broken, "test_total", vec![("[1, 2]", "[2, 2]"), ("found - 3", "found - 4")], "as well"),
        // What is nothing now where a value was.
        (&none, "test_total", vec![("found - 3", "found and 3 or None")], "an exception comes"),
        (&RENAMED, "test_state", vec![("def describe", "def other")], "does not stand in"),
        (&RENAMED, "test_state", vec![], "leaves the test as it is"),
    ];
    for (change, test, edits, why) in table {
        let place = world(change);
        let model = Model::new(Mood::Random);
        let quote = match change[0].1 {
            "return sum(sizes[1:]) + 2" => ("change:shop.py", "+    return sum(sizes[1:]) + 2"),
            "return None" => ("file:tests/test_shop.py", "found = shop.total([1, 2])"),
            _ => QUOTE,
        };
        model.play((0..4).map(|_| says(&edits, quote.0, quote.1)));
        let (ran, report) = heal(&place, &model, test, &["--patch", "p.diff"]);
        let row = &report["proposals"][0];
        assert!(row["patch"].is_null() && place.read("p.diff").is_empty(), "{edits:?}: {}", ran.out);
        assert!(!ran.out.contains("HEALED") && !ran.out.contains("SUGGESTED"), "{edits:?}: {}", ran.out);
        assert!(ran.out.contains(why), "{edits:?} {why}: {}", ran.out);
        assert!(model.room().asked.len() <= 4, "{}", model.room().asked.len());
    }
}

/// What comes of heals is counted, by the rules and with models that want the test green at
/// any price, know nothing, or take what came: no bug is healed, and what the rules do stays.
#[test]
fn heals_are_evaluated() {
    let root = env!("CARGO_MANIFEST_DIR");
    let cases = format!("{root}/fixtures/heals");
    let path = format!("{}:{}", prepared().join("venv/bin").display(), std::env::var("PATH").unwrap());
    for mood in [Mood::Heals, Mood::Random, Mood::Obeys] {
        let model = Model::new(mood);
        let place = Workplace::new();
        place.write("policy.toml", model.policy());
        let words = ["eval", cases.as_str(), "--json", "f.json", "--config", "policy.toml"];
        let ran = place.run_with(&words, &[("TESTMEDIC_MODEL_KEY", KEY), ("PATH", &path)]);
        assert_eq!(ran.code, 0, "{mood:?}: {}{}", ran.out, ran.err);
        let figures: Value = serde_json::from_str(&place.read("f.json")).unwrap();
        let heals = figures["heals"].as_array().unwrap();
        assert_eq!(heals.len(), 4);
        for heal in heals {
            let (rules, with_model) = (heal["rules"].as_str().unwrap(), heal["with-model"].as_str().unwrap());
            assert!(heal["truth"] == "outdated" || with_model != "healed", "{mood:?}: {heal}");
            assert!(with_model != "suggested" && (rules == "given up" || with_model == rules), "{mood:?}: {heal}");
        }
        let healed = heals.iter().filter(|h| h["with-model"] == "healed").count();
        assert_eq!(healed, usize::from(mood == Mood::Obeys), "{mood:?}: {}", ran.out);
        if mood == Mood::Heals {
            assert!(
                ran.out.contains("Guards that refused what it proposed: ") && !ran.out.contains(": none."),
                "{}",
                ran.out
            );
        }
        let room = model.room();
        assert!(room.breaches.is_empty() && !room.asked.is_empty(), "{:#?}", room.breaches);
    }
}

/// Without a model that answers the rules heal as ever.
#[test]
fn silence_costs_nothing() {
    let place = world(&RENAMED);
    let model = Model::new(Mood::Random);
    model.play([Play::Refuse(401, Vec::new(), "{}".to_owned())]);
    let (ran, report) = heal(&place, &model, "test_state", &[]);
    assert!(ran.out.contains("GIVEN UP") && ran.out.contains("the key of the model is not accepted"), "{}", ran.out);
    assert_eq!(report["proposals"][0]["remedy"], "explain");
}
