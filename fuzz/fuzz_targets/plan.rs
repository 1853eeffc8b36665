#![no_main]
//! A saved plan, an event and a policy of any bytes: read, admitted or refused,
//! never a panic; what is admitted names only what the run was about.

use libfuzzer_sys::fuzz_target;
use testmedic::ingest::event;
use testmedic::model::forge::RepoSlug;
use testmedic::plan::Action;
use testmedic::plan::plan_file::SavedPlan;
use testmedic::plan::plan_validation::{PlanOrigin, validate};
use testmedic::plan::policy::Policy;
use testmedic::plan::pr_diff::FileDiff;
use testmedic::plan::preview::preview;

fuzz_target!(|text: &str| {
    if let Ok(value) = serde_json::from_str(text) {
        for name in ["push", "pull_request", "workflow_run", "issue_comment"] {
            let _ = event::read(name, &value);
        }
    }
    let _ = Policy::parse(text);
    let _ = FileDiff::parse("a", None, text);
    let Some(repository) = RepoSlug::parse("acme/shop") else { return };
    let source = PlanOrigin {
        repository,
        server: "https://github.com".to_owned(),
        head: "ed5eb9a37e2d8231af3388319b941995f6dc8755".to_owned(),
        pull: Some(7),
        default_branch: false,
        own_branch: false,
        head_ref: Some("topic".to_owned()),
        texts: std::collections::HashMap::from([(
            "tests/test_a.py".to_owned(),
            "def test_a():\n    assert 1 == 1\n".to_owned(),
        )]),
        changed: vec!["src/orders.py".to_owned()],
        workflow: Some("ci.yml".to_owned()),
        run: Some(500),
        reply: None,
        attempt: 1,
    };
    if let Ok(saved) = SavedPlan::parse(text) {
        let plan = validate(&[saved], &source, &Policy::default());
        let _ = preview(&plan);
        for planned in plan.actions {
            match planned.action {
                Action::Comment { on, .. } => assert_eq!(on, 7),
                Action::Review { pull, .. } => assert_eq!(pull, 7),
                Action::CheckRun { conclusion, .. } => assert_ne!(conclusion, "success"),
                other => panic!("{other:?} was admitted from a fork"),
            }
        }
    }
});
