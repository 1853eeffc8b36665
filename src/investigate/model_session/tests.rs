use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::{ModelContext, RoleLimits, SessionInput, SessionOutcome, TranscriptEvent, read};
use crate::agent::budget::{BudgetLimits, Price};
use crate::agent::handoff::Role;
use crate::agent::prompt_context::PromptContext;
use crate::agent::session::SessionLimits;
use crate::agent::termination::StopCondition;
use crate::diagnose::severity::Severity;
use crate::diagnose::verdict::{Diagnosis, DiagnosisHistory, Evidence, Verdict};
use crate::model::chat::{Call, ChatRequest, ChatResponse, Embeddings, TokenUsage};
use crate::model::failure::Fingerprint;
use crate::model::text::Untrusted;
use crate::ports::{ChatModel, ContextTools, Ledger, ModelError};

/// Says one thing after the other, then is silent.
struct Scripted {
    replies: Vec<ChatResponse>,
    at: AtomicUsize,
}

impl ChatModel for Scripted {
    fn embed(&self, _: &str, _: &[String]) -> Result<Embeddings, ModelError> {
        Err(ModelError { what: "silence".to_owned(), may_be_counted: false, is_final: false })
    }

    fn complete(&self, _: &ChatRequest) -> Result<ChatResponse, ModelError> {
        let at = self.at.fetch_add(1, Ordering::Relaxed);
        let silence = || ModelError {
            what: "silence".to_owned(),
            may_be_counted: at.is_multiple_of(2),
            is_final: at.is_multiple_of(3),
        };
        self.replies.get(at).cloned().ok_or_else(silence)
    }
}

struct Nothing;

impl ContextTools for Nothing {
    fn lines(&self, path: &str, _: usize, _: usize) -> Result<String, String> {
        Ok(format!("a line of {path}"))
    }
    fn search(&self, text: &str) -> Result<String, String> {
        Ok(text.to_owned())
    }
    fn files(&self, _: &str) -> Result<String, String> {
        Err("nothing".to_owned())
    }
    fn commit(&self, _: &str) -> Result<String, String> {
        Err("nothing".to_owned())
    }
    fn history(&self, _: &str) -> Result<String, String> {
        Err("nothing".to_owned())
    }
    fn similar(&self, text: &str) -> Result<String, String> {
        Ok(text.to_owned())
    }
    fn exchanges(&self, _: &str) -> Result<String, String> {
        Err("nothing".to_owned())
    }
    fn issues(&self) -> Result<String, String> {
        Ok("#1 open: nothing".to_owned())
    }
}

/// Keeps what is put aside, and what came back.
#[derive(Clone, Default)]
struct Counted(Arc<AtomicI64>);

impl Ledger for Counted {
    fn reserve(&mut self, micros: u64) -> Result<(), String> {
        self.0.fetch_add(i64::try_from(micros).unwrap(), Ordering::Relaxed);
        Ok(())
    }
    fn settle(&mut self, aside: u64, spent: u64) {
        self.0.fetch_add(i64::try_from(spent).unwrap() - i64::try_from(aside).unwrap(), Ordering::Relaxed);
    }
    fn known(&mut self, _: &str) -> Option<ChatResponse> {
        None
    }
    fn keep(&mut self, _: &str, _: &ChatResponse) {}
    fn forget(&mut self, _: &[String]) {}
    fn vector(&mut self, _: &str, _: &str) -> Option<Vec<f32>> {
        None
    }
    fn keep_vectors(&mut self, _: &str, _: &[(String, Vec<f32>)]) {}
}

fn diagnosis(by_rules: Verdict, evidence: Vec<Evidence>) -> Diagnosis {
    Diagnosis {
        id: "d".to_owned(),
        fingerprint: Fingerprint { version: 1, digest: 7 },
        title: Untrusted::new("t"),
        verdict: by_rules,
        confidence: 0.3,
        severity: Severity::Low,
        evidence,
        members: Vec::new(),
        mismatch: None,
        frames: Vec::new(),
        past: DiagnosisHistory::default(),
        reading: None,
        resembles: None,
        pardon: None,
    }
}

fn round(
    mind: Arc<dyn ChatModel>,
    (price, bounds): (Price, BudgetLimits),
    ledger: Box<dyn Ledger>,
    log: Box<dyn FnMut(TranscriptEvent) + Send>,
) -> ModelContext {
    let limits = SessionLimits {
        model: "m".to_owned(),
        until: StopCondition::MaxTurns(6) | StopCondition::Repetition(3),
        most: 500,
    };
    let terms = RoleLimits::from([(Role::Analyzer, (limits, price))]);
    ModelContext::new(mind, (terms, bounds), ledger, log, (Box::new(|| 0.0), || false))
}

/// Keeps answers.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<std::collections::BTreeMap<String, ChatResponse>>>);

impl Ledger for Kept {
    fn reserve(&mut self, _: u64) -> Result<(), String> {
        Ok(())
    }
    fn settle(&mut self, _: u64, _: u64) {}
    fn known(&mut self, asked: &str) -> Option<ChatResponse> {
        self.0.lock().unwrap().get(asked).cloned()
    }
    fn keep(&mut self, asked: &str, reply: &ChatResponse) {
        self.0.lock().unwrap().insert(asked.to_owned(), reply.clone());
    }
    fn forget(&mut self, asked: &[String]) {
        self.0.lock().unwrap().retain(|known, _| !asked.contains(known));
    }
    fn vector(&mut self, _: &str, _: &str) -> Option<Vec<f32>> {
        None
    }
    fn keep_vectors(&mut self, _: &str, _: &[(String, Vec<f32>)]) {}
}

/// A run that broke off goes on where it was: what was answered is not asked again.
#[test]
fn a_session_goes_on_where_it_was() {
    let brief = PromptContext { sections: vec![("failure".to_owned(), "expected 201, got 422".to_owned())] };
    let call = |text: &str| ChatResponse {
        calls: vec![Call {
            id: "1".to_owned(),
            name: "search".to_owned(),
            arguments: format!("{{\"text\":\"{text}\"}}"),
        }],
        ..ChatResponse::default()
    };
    let claims = serde_json::json!([{"source": "failure", "quote": "expected 201", "says": "x"}]);
    let done = serde_json::json!({"verdict": "flaky", "confidence": 1.0, "claims": claims});
    let all = [call("one"), call("two"), ChatResponse { text: done.to_string(), ..ChatResponse::default() }];
    let kept = Kept::default();
    let bounds = BudgetLimits { diagnosis: 0, run: 0, asks: 9, asks_of_run: 9 };
    let run = |replies: Vec<ChatResponse>| {
        let mind = Arc::new(Scripted { replies, at: AtomicUsize::new(0) });
        let round = round(mind.clone(), (Price::default(), bounds), Box::new(kept.clone()), Box::new(|_| ()));
        let ended = read(&round, &SessionInput { id: "d", brief: &brief, desk: &Nothing });
        (ended, mind.at.load(Ordering::Relaxed), round.spent().asks)
    };
    let (ended, asked, _) = run(all[..2].to_vec());
    assert!(matches!(ended, SessionOutcome::Nothing(_) | SessionOutcome::Broken(_)) && asked == 3, "{ended:?}");
    let (ended, asked, counted) = run(all[2..].to_vec());
    assert!(matches!(ended, SessionOutcome::Concluded(_)), "{ended:?}");
    assert_eq!((asked, counted), (1, 1), "two answers were kept");
    let (ended, asked, _) = run(Vec::new());
    assert!(matches!(ended, SessionOutcome::Concluded(_)) && asked == 0);
    // What had no sense is asked anew.
    kept.0.lock().unwrap().clear();
    let nonsense = ChatResponse { text: "I think".to_owned(), ..ChatResponse::default() };
    let (ended, asked, _) = run(vec![nonsense.clone(), nonsense]);
    assert!(matches!(ended, SessionOutcome::Nothing(_)) && asked == 2, "{ended:?}");
    let (ended, asked, _) = run(all[2..].to_vec());
    assert!(matches!(ended, SessionOutcome::Concluded(_)) && asked == 1, "{ended:?}");
}

fn reply() -> impl Strategy<Value = ChatResponse> {
    let verdict = prop::sample::select(vec!["regression", "flaky", "outdated-test", "environment", "undecided", "odd"]);
    let quote = prop::sample::select(vec!["expected 201, got 422", "never shown", ""]);
    let answer = (verdict, any::<f64>(), quote).prop_map(|(verdict, confidence, quote)| {
        let claims = serde_json::json!([{"source": "failure", "quote": quote, "says": "x"}]);
        serde_json::json!({"verdict": verdict, "confidence": confidence, "claims": claims}).to_string()
    });
    let text = prop_oneof![3 => answer, 1 => ".{0,200}".prop_map(|text| text)];
    let name = prop::sample::select(vec![
        "read_file",
        "search",
        "list_files",
        "show_commit",
        "show_history",
        "similar_failures",
        "show_exchanges",
        "known_issues",
        "rm",
    ]);
    let arguments = prop_oneof![Just("{}".to_owned()), Just(r#"{"path":"a","text":"abc"}"#.to_owned()), ".{0,60}"];
    let call =
        (name, arguments).prop_map(|(name, arguments)| Call { id: "c".to_owned(), name: name.to_owned(), arguments });
    let tokens = (any::<u16>(), any::<u16>()).prop_map(|(a, s)| TokenUsage { asked: a.into(), said: s.into() });
    (text, prop_oneof![2 => Just(Vec::new()), 1 => prop::collection::vec(call, 0..9)], tokens)
        .prop_map(|(text, calls, tokens)| ChatResponse { text, calls, tokens })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Whatever a model says: its session ends, what it may cost is kept, what the rules
    /// say stays, and where they said something nothing of it changes.
    #[test]
    fn a_model_changes_nothing_but_what_is_open(
        replies in prop::collection::vec(reply(), 0..12),
        by_rules in prop::sample::select(vec![Verdict::Undecided, Verdict::Regression, Verdict::Flaky]),
    ) {
        let brief = PromptContext { sections: vec![("failure".to_owned(), "expected 201, got 422".to_owned())] };
        let price = Price { asked: 1_000_000, said: 1_000_000 };
        let bounds = BudgetLimits { diagnosis: 60_000, run: 60_000, asks: 6, asks_of_run: 6 };
        let mind = Arc::new(Scripted { replies: replies.clone(), at: AtomicUsize::new(0) });
        let ledger = Counted::default();
        let round = round(mind.clone(), (price, bounds), Box::new(ledger.clone()), Box::new(|_| ()));
        let ended = read(&round, &SessionInput { id: "d", brief: &brief, desk: &Nothing });
        prop_assert!(mind.at.load(Ordering::Relaxed) <= 6);
        // Never over by more than what one question was counted for.
        let dearest = replies.iter().map(|r| price.of(r.tokens)).max().unwrap_or(0);
        prop_assert!(round.spent().micros <= bounds.run + dearest, "{}", round.spent().micros);
        prop_assert_eq!(ledger.0.load(Ordering::Relaxed), i64::try_from(round.spent().micros).unwrap());
        // A veto of the rules against what the model wants.
        let veto = Evidence {
            about: Verdict::OutdatedTest,
            kind: "veto",
            weight: -6.0,
            text: Untrusted::new("x"),
            source: Untrusted::new("x"),
        };
        let mut told = diagnosis(by_rules, vec![veto]);
        let before = told.clone();
        if let SessionOutcome::Concluded(opinion) = &ended {
            prop_assert!((0.0..=1.0).contains(&opinion.confidence) && !opinion.claims.is_empty());
            told.apply_model_opinion(opinion);
        }
        prop_assert_eq!((told.verdict, told.confidence), (before.verdict, before.confidence));
        let reading = told.reading.as_ref().map(|r| r.verdict);
        prop_assert_ne!(reading, Some(Verdict::OutdatedTest), "no veto is overturned");
        prop_assert!(by_rules == Verdict::Undecided || reading.is_none());
        // What comes to light later is judged as if nobody had said anything.
        let news = Evidence { about: Verdict::Regression, kind: "news", weight: 1.5, ..told.evidence[0].clone() };
        let mut silent = before;
        silent.add_evidence(vec![news.clone()]);
        told.add_evidence(vec![news]);
        prop_assert_eq!((told.verdict, told.confidence), (silent.verdict, silent.confidence));
    }
}
