use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use serde_json::json;

use super::ModelEdits;
use crate::agent::budget::{BudgetLimits as Budget, Price};
use crate::agent::handoff::Role;
use crate::agent::healer::edit_classifier;
use crate::agent::healer::result::Outcome;
use crate::agent::session::SessionLimits;
use crate::agent::termination::StopCondition;
use crate::code::guards::{self, Bounds};
use crate::error::Problem;
use crate::investigate::model_session::{ModelContext, NoSharedBudget, RoleLimits};
use crate::investigate::{HealInput, heal};
use crate::model::change::FileChange;
use crate::model::chat::{ChatRequest, ChatResponse, Embeddings};
use crate::model::execution::{Execution, Scope, TestResult, TestSelector};
use crate::model::heal::EditKind;
use crate::model::test::{Failure, Outcome as Ended, TestName};
use crate::model::text::Untrusted;
use crate::ports::{ChatModel, ContextTools, ModelError, Revision, TestRunner};

const FILE: &str = "tests/test_shop.py";
const TEXT: &str = "import shop\n\n\ndef look(text):\n    words = text.split()\n    ok = \"queued\" in words\n    assert ok\n\n\n\
                    def test_state():\n    look(shop.describe(7))\n\n\ndef test_size():\n    assert shop.size() == 2\n";

/// A bench that believes every edit: the old test fails on new code, any other passes there
/// and fails on old code. Nothing but weighing and guards is between an edit and a repair.
struct Obliging;

impl TestRunner for Obliging {
    fn has_old(&self) -> bool {
        true
    }

    fn run(
        &mut self,
        code: Revision,
        target: &TestSelector,
        _: Scope,
        overlay: &[(String, String)],
    ) -> Result<Execution, Problem> {
        let is_edited = overlay.iter().any(|(path, text)| path == FILE && text != TEXT);
        let passes = is_edited == (code == Revision::New);
        let failure = Failure {
            kind: Some(Untrusted::new("AssertionError")),
            message: Untrusted::new("assert False"),
            detail: Untrusted::new("tests/test_shop.py:7: AssertionError"),
        };
        let name = TestName {
            suite: Untrusted::new("pytest"),
            classname: Untrusted::new("tests.test_shop"),
            name: Untrusted::new(target.name.as_str()),
        };
        let outcome = if passes { Ended::Passed } else { Ended::Failed };
        let failure = (!passes).then_some(failure);
        let ran = TestResult { name, outcome, failure, place: None, flaky: false, compared: None };
        Ok(Execution { ran: vec![ran], trouble: None, seconds: 0.0, output: String::new() })
    }

    fn update(&mut self, _: &TestSelector, _: &[(String, String)]) -> Result<Vec<(String, String)>, Problem> {
        Ok(Vec::new())
    }
}

/// Says one thing after the other.
struct Scripted(Vec<String>, AtomicUsize);

impl ChatModel for Scripted {
    fn embed(&self, _: &str, _: &[String]) -> Result<Embeddings, ModelError> {
        Err(ModelError { what: "silence".to_owned(), may_be_counted: false, is_final: false })
    }

    fn complete(&self, _: &ChatRequest) -> Result<ChatResponse, ModelError> {
        let at = self.1.fetch_add(1, Ordering::Relaxed);
        let silence = || ModelError { what: "silence".to_owned(), may_be_counted: false, is_final: false };
        let text = self.0.get(at).cloned().ok_or_else(silence)?;
        Ok(ChatResponse { text, ..ChatResponse::default() })
    }
}

struct Nothing;

fn nothing() -> Result<String, String> {
    Err("nothing".to_owned())
}

impl ContextTools for Nothing {
    fn lines(&self, _: &str, _: usize, _: usize) -> Result<String, String> {
        nothing()
    }
    fn search(&self, _: &str) -> Result<String, String> {
        nothing()
    }
    fn files(&self, _: &str) -> Result<String, String> {
        nothing()
    }
    fn commit(&self, _: &str) -> Result<String, String> {
        nothing()
    }
    fn history(&self, _: &str) -> Result<String, String> {
        nothing()
    }
    fn similar(&self, _: &str) -> Result<String, String> {
        nothing()
    }
    fn exchanges(&self, _: &str) -> Result<String, String> {
        nothing()
    }
    fn issues(&self) -> Result<String, String> {
        nothing()
    }
}

fn healed(answers: Vec<String>, change: &[FileChange]) -> crate::agent::healer::result::HealResult {
    let limits = SessionLimits {
        model: "m".to_owned(),
        until: StopCondition::MaxTurns(8) | StopCondition::Repetition(3) | StopCondition::MaxRejected(3),
        most: 500,
    };
    let terms = RoleLimits::from([(Role::Healer, (limits, Price::default()))]);
    let budget = Budget { diagnosis: 0, run: 0, asks: 20, asks_of_run: 20 };
    let mind = Arc::new(Scripted(answers, AtomicUsize::new(0)));
    let round = ModelContext::new(
        mind,
        (terms, budget),
        Box::new(NoSharedBudget),
        Box::new(|_| ()),
        (Box::new(|| 0.0), || false),
    );
    let target = TestSelector {
        file: FILE.to_owned(),
        line: 10,
        path: vec!["test_state".to_owned()],
        package: String::new(),
        class: "tests.test_shop".to_owned(),
        name: "test_state".to_owned(),
    };
    let read = |path: &str| (path == FILE).then(|| TEXT.to_owned());
    let files = [FILE.to_owned()];
    let given = HealInput {
        insisted: None,
        files: &files,
        read: &read,
        read_old: &read,
        change,
        commits: &[],
        bounds: Bounds::default(),
        kinds: &EditKind::ALL,
        sensitive: &[],
        repeat: 1,
        together: 0,
        passed: None,
        fails: &|_, _| false,
        clock: &|| 0.0,
        counsel: Some(ModelEdits { round: &round, desk: &Nothing, id: "d" }),
    };
    heal(&target, &given, &mut Obliging, &mut BTreeMap::new())
}

/// The change replaces one word by another.
fn change() -> Vec<FileChange> {
    vec![FileChange {
        path: "shop.py".to_owned(),
        renamed_from: None,
        removed: vec!["STATE = \"queued\"".to_owned()],
        added: vec!["STATE = \"pending\"".to_owned()],
    }]
}

fn answer(edits: &[(String, String)]) -> String {
    let edits: Vec<_> = edits.iter().map(|(old, new)| json!({"old": old, "new": new})).collect();
    let claims = json!([{"source": "change:shop.py", "quote": "+STATE = \"pending\"", "says": "renamed"}]);
    json!({"edits": edits, "claims": claims}).to_string()
}

fn edit() -> impl Strategy<Value = (String, String)> {
    let piece = |all: &'static [&'static str]| prop::sample::select(all).prop_map(str::to_owned);
    let old = piece(&[
        "\"queued\"",
        "ok = \"queued\" in words",
        "    assert ok",
        "assert ok",
        "def test_state():\n",
        "text.split()",
        "describe(7)",
        "import shop\n",
        "== 2",
        "def look(text):\n",
        "\"queued\" in words",
        "look(shop.describe(7))",
        "words",
        "nowhere",
    ]);
    let new = prop_oneof![
        4 => piece(&[
            "\"pending\"", "\"queue\"", "ok = True", "ok = \"pending\" in words", "    pass", "assert ok or True",
            "assert True", "assert 1 == 1", "def test_state():\n    return\n", "", "# assert ok", "describe(8)",
            "import shop\nimport pytest\npytestmark = pytest.mark.skip\n", "import shop\nshop.STATE = \"queued\"\n",
            ">= 0", "!= 3", "[\"queued\"]", "try_it()", "None", "pytest.skip(\"later\")", "\"queued\" or \"pending\" in words",
            "any(words)", "@pytest.mark.xfail\ndef test_state():\n", "    try:\n        assert ok\n    except Exception:\n        pass",
            "shop.describe(7)", "\"\"", "print(ok)", "text", "ok = \"pending\" in words or True",
        ]),
        1 => ".{0,40}",
    ];
    (old, new)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Whatever a model proposes, even where every run goes its way: only edits of values
    /// and names that the change itself speaks for are taken, in the test's own file, and
    /// past all guards. Everything else is a person's, or refused with a reason.
    #[test]
    fn no_proposal_is_more_than_the_gates_allow(
        proposals in prop::collection::vec(prop::collection::vec(edit(), 1..3), 1..5),
    ) {
        let done = healed(proposals.iter().map(|edits| answer(edits)).collect(), &change());
        prop_assert!(done.outcome != Outcome::Suggested, "{done:?}");
        match &done.outcome {
            Outcome::Healed => {
                prop_assert_eq!(done.patch.len(), 1);
                let file = &done.patch[0];
                prop_assert_eq!(file.path.as_str(), FILE);
                let (old, new) = (file.old.clone().unwrap(), file.new.clone().unwrap());
                prop_assert_eq!(guards::check(&done.patch, &Bounds::default()), Vec::new());
                let parts = edit_classifier::parts(FILE, &old, &new).unwrap_or_default();
                prop_assert!(!parts.is_empty() && parts.iter().all(|p| p.old == "queued" && p.new == "pending"), "{new}");
            }
            Outcome::Ask => {
                prop_assert_eq!(guards::check(&done.patch, &Bounds::default()), Vec::new());
                prop_assert!(done.advice.is_some());
            }
            Outcome::GaveUp(why) => {
                prop_assert!(!why.is_empty());
                let refused = done.advice.as_ref().and_then(|advice| advice.refused.as_ref());
                prop_assert!(refused.is_some_and(|why| !why.is_empty()) || !done.findings.is_empty(), "{done:?}");
            }
            Outcome::Suggested | Outcome::Defect => {}
        }
    }
}

/// What it may do: the one edit that the change asks for.
#[test]
fn the_right_edit_is_taken() {
    let right = [("\"queued\"".to_owned(), "\"pending\"".to_owned())];
    let done = healed(vec![answer(&right)], &change());
    assert_eq!(done.outcome, Outcome::Healed, "{done:?}");
    // Without a change that asks for it the same edit is a person's at most.
    let done = healed(vec![answer(&right)], &[]);
    assert!(!done.outcome.is_repair(), "{done:?}");
}
