//! The driver with a stage that plays a service: it answers a list of answers in turn,
//! and fails each test whose checks an answer does not fit.

use serde_json::{Value, json};

use super::*;
use crate::agent::generator::{Endpoint, Recipe, TestIntent};
use crate::code::source::Source;
use crate::code::style::{RequestPattern, RequestVariant};
use crate::code::test_discovery;
use crate::model::exchange::{Body, Headers, Request, Response};
use crate::model::test::TestName;
use crate::model::text::Untrusted;
use crate::ports::Noticed;

/// Answers in turn, from the first again after the last.
struct Play {
    answers: Vec<(u16, Value)>,
    turn: usize,
    /// Whether mutants are noticed.
    notices: bool,
}

impl Play {
    fn new(answers: &[(u16, Value)]) -> Self {
        Self { answers: answers.to_vec(), turn: 0, notices: true }
    }

    /// Whether the text of a test says of an answer what is so.
    fn fits(text: &str, status: u16, body: &Value) -> bool {
        let is_status = !text.contains("status_code ==") || text.contains(&format!("status_code == {status}"));
        let is_typed = |name: &str, kind: &str, fits: bool| {
            !text.contains(&format!("type(body[\"{name}\"]) is {kind}"))
                && !text.contains(&format!("isinstance(body[\"{name}\"], {kind})"))
                || (text.contains(&format!("body[\"{name}\"] is None or")) && body[name].is_null())
                || fits
        };
        is_status && is_typed("id", "int", body["id"].is_i64()) && is_typed("name", "str", body["name"].is_string())
    }
}

impl GeneratedTestRunner for Play {
    fn run(&mut self, files: &[(String, String)], how: RunOrder<'_>) -> Result<GeneratedRun, Problem> {
        let times = if let RunOrder::Shuffled(_, times) = how { times } else { 1 };
        let (mut ran, mut exchanges) = (Vec::new(), Vec::new());
        for _ in 0..times {
            for (path, text) in files {
                let name = text.split("def ").nth(1).unwrap().split('(').next().unwrap().to_owned();
                let (status, body) = self.answers[self.turn % self.answers.len()].clone();
                self.turn += 1;
                let fits = Self::fits(text, status, &body);
                exchanges.push(Exchange {
                    test: Some(format!("{path}::{name}")),
                    at: None,
                    millis: None,
                    request: Request::get("/users/1"),
                    response: Some(Response { status, headers: Headers::default(), body: Body::Json(body) }),
                    trouble: None,
                });
                let stem = path.rsplit('/').next().unwrap().trim_end_matches(".py");
                let text = |text: &str| Untrusted::bounded(text, 500);
                ran.push(TestResult {
                    name: TestName { suite: text(""), classname: text(stem), name: text(&name) },
                    outcome: if fits { Outcome::Passed } else { Outcome::Failed },
                    failure: None,
                    place: None,
                    flaky: false,
                    compared: None,
                });
            }
        }
        let execution = Execution { ran, trouble: None, seconds: 0.1, output: String::new() };
        Ok(GeneratedRun { execution, exchanges })
    }

    fn noticed(&mut self, _: &[(String, String)], mutants: &Mutants) -> Result<Noticed, Problem> {
        Ok(mutants.iter().map(|(test, own)| (test.clone(), vec![self.notices; own.len()])).collect())
    }
}

fn draft(aim: TestIntent) -> TestDraft {
    let text = "def test_a(client):\n    response = client.get('/users/1')\n    assert response.ok\n";
    let source = Source::parse("tests/test_a.py", text).unwrap();
    let all = test_discovery::find(&source);
    let sought = RequestPattern { method: "GET", origin: "", path: "/users/1" };
    TestDraft {
        endpoint: Endpoint { method: "GET".to_owned(), template: "/users/{user}".to_owned() },
        recipe: Recipe::Fields,
        exemplar: style::exemplar(&source, &all[0], sought).unwrap(),
        words: vec!["it".to_owned()],
        asks: vec![(RequestVariant::Same, vec![200])],
        aim,
        because: "so".to_owned(),
    }
}

fn fields() -> TestIntent {
    TestIntent::Fields(vec![vec!["id".to_owned()], vec!["name".to_owned()]])
}

fn made(play: &mut Play, aim: TestIntent, old: Option<&str>, deleted: bool) -> GenerationResult {
    let read = |path: &str| old.filter(|_| path.ends_with("_by_user.py")).map(str::to_owned);
    let given = TestgenInput {
        memory: &ApiModel::default(),
        folder: &|_| "tests/generated".to_owned(),
        read: &read,
        deleted: &|_| deleted,
        bounds: &Bounds::default(),
        repeat: 4,
        seed: 1,
    };
    generate(vec![draft(aim)], &given, play).unwrap()
}

/// What became of it, in words.
fn why(out: &GenerationResult) -> String {
    match out.dropped.as_slice() {
        [] => "kept".to_owned(),
        [(_, RejectedTest::Because(why))] => why.clone(),
        [(_, RejectedTest::Wrong(exchange, times))] => format!("{exchange}, {times} times"),
        other => format!("{other:?}"),
    }
}

#[test]
fn what_holds_is_written_with_its_proof() {
    let out = made(&mut Play::new(&[(200, json!({"id": 1, "name": "Ada"}))]), fields(), None, false);
    assert_eq!((why(&out).as_str(), out.files.len()), ("kept", 1));
    let test = &out.made[0];
    assert_eq!((test.passes, test.kept), ((2, 4, 1), Kept::Added));
    assert!(test.kills() == test.mutants.len() && test.kills() >= 4, "{:?}", test.mutants);
    assert!(out.files[0].2.contains("assert type(body[\"id\"]) is int"), "{}", out.files[0].2);
}

/// What turns out to be not so each time is no longer checked, and the test stays.
#[test]
fn an_unstable_check_is_settled_anew() {
    let sure = (200, json!({"id": 1, "name": "Ada"}));
    let odd = (200, json!({"id": 1, "name": null}));
    let all = [sure.clone(), sure.clone(), sure.clone(), sure, odd];
    let out = made(&mut Play::new(&all), fields(), None, false);
    assert_eq!(why(&out), "kept");
    let text = &out.files[0].2;
    assert!(text.contains("type(body[\"id\"]) is int"), "{text}");
    assert!(text.contains("assert body[\"name\"] is None or isinstance(body[\"name\"], str)"), "{text}");
}

#[test]
fn what_does_not_hold_is_not_written() {
    let fine = || (200, json!({"id": 1, "name": "Ada"}));
    let broken = (500, json!({"error": "x"}));
    let table = [
        (vec![broken.clone()], true, "GET /users/1 answered 500, 3 times"),
        (vec![fine(), broken], true, "the status is not the same each time"),
        (vec![(404, json!({}))], true, "it is answered with 404, where the rule expects 200"),
        (vec![fine()], false, "no mutant of the answer makes it fail"),
        (vec![(200, json!({"other": 1}))], true, "no field of it is there each time"),
    ];
    for (answers, notices, expected) in table {
        let mut play = Play { notices, ..Play::new(&answers) };
        let out = made(&mut play, fields(), None, false);
        assert_eq!((why(&out).as_str(), out.files.len(), out.made.len()), (expected, 0, 0));
    }
}

/// What a person did with a test stays: changed, deleted from its file, or deleted with
/// its file.
#[test]
fn the_hand_of_a_person_is_seen() {
    let play = || Play::new(&[(200, json!({"id": 1, "name": "Ada"}))]);
    let first = made(&mut play(), fields(), None, false).files.remove(0).2;
    let again = made(&mut play(), fields(), Some(&first), false);
    assert_eq!((again.files.len(), again.made[0].kept), (0, Kept::Same));
    let edited = first.replace("is int", "is not str");
    let changed = made(&mut play(), fields(), Some(&edited), false);
    assert_eq!((changed.files.len(), changed.made[0].kept, changed.fresh().count()), (0, Kept::Changed, 0));
    let cut = &first[..first.find("# testmedic: ").unwrap()];
    let deleted = made(&mut play(), fields(), Some(cut), false);
    assert_eq!(deleted.made[0].kept, Kept::Deleted);
    let gone = made(&mut play(), fields(), None, true);
    assert_eq!((gone.files.len(), gone.made[0].kept), (0, Kept::Deleted));
}
