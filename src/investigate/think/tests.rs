use std::cell::Cell;

use proptest::prelude::*;

use super::{Around, Ended, think};
use crate::agent::analyzer::{Brief, Limits};
use crate::agent::purse::{Bounds, Price, Purse};
use crate::diagnose::severity::Severity;
use crate::diagnose::verdict::{Diagnosis, Evidence, PastOf, Verdict};
use crate::model::failure::Fingerprint;
use crate::model::talk::{Ask, Call, Reply, Tokens};
use crate::model::text::Untrusted;
use crate::ports::{Desk, Ledger, Mind, Unheard};

/// Says one thing after the other, then is silent.
struct Scripted {
    replies: Vec<Reply>,
    at: Cell<usize>,
}

impl Mind for Scripted {
    fn think(&self, _: &Ask) -> Result<Reply, Unheard> {
        let at = self.at.get();
        self.at.set(at + 1);
        let silence = || Unheard {
            what: "silence".to_owned(),
            may_be_counted: at.is_multiple_of(2),
            is_final: at.is_multiple_of(3),
        };
        self.replies.get(at).cloned().ok_or_else(silence)
    }
}

struct Nothing;

impl Desk for Nothing {
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
}

/// Keeps what is put aside, and what came back.
#[derive(Default)]
struct Counted(i128);

impl Ledger for Counted {
    fn reserve(&mut self, micros: u64) -> Result<(), String> {
        self.0 += i128::from(micros);
        Ok(())
    }
    fn settle(&mut self, aside: u64, spent: u64) {
        self.0 += i128::from(spent) - i128::from(aside);
    }
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
        past: PastOf::default(),
        reading: None,
    }
}

fn reply() -> impl Strategy<Value = Reply> {
    let verdict = prop::sample::select(vec!["regression", "flaky", "outdated-test", "environment", "undecided", "odd"]);
    let quote = prop::sample::select(vec!["expected 201, got 422", "never shown", ""]);
    let answer = (verdict, any::<f64>(), quote).prop_map(|(verdict, confidence, quote)| {
        let claims = serde_json::json!([{"source": "failure", "quote": quote, "says": "x"}]);
        serde_json::json!({"verdict": verdict, "confidence": confidence, "claims": claims}).to_string()
    });
    let text = prop_oneof![3 => answer, 1 => ".{0,200}".prop_map(|text| text)];
    let name = prop::sample::select(vec!["read_file", "search", "list_files", "show_commit", "rm"]);
    let arguments = prop_oneof![Just("{}".to_owned()), Just(r#"{"path":"a","text":"abc"}"#.to_owned()), ".{0,60}"];
    let call =
        (name, arguments).prop_map(|(name, arguments)| Call { id: "c".to_owned(), name: name.to_owned(), arguments });
    let tokens = (any::<u16>(), any::<u16>()).prop_map(|(a, s)| Tokens { asked: a.into(), said: s.into() });
    (text, prop_oneof![2 => Just(Vec::new()), 1 => prop::collection::vec(call, 0..9)], tokens)
        .prop_map(|(text, calls, tokens)| Reply { text, calls, tokens })
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
        let brief = Brief { sections: vec![("failure".to_owned(), "expected 201, got 422".to_owned())] };
        let price = Price { asked: 1_000_000, said: 1_000_000 };
        let bounds = Bounds { diagnosis: 60_000, run: 60_000, asks: 6, asks_of_run: 6 };
        let mut purse = Purse::new(bounds, price);
        let mind = Scripted { replies: replies.clone(), at: Cell::new(0) };
        let mut ledger = Counted::default();
        let limits = Limits { model: "m".to_owned(), turns: 6, most: 500 };
        let mut around = Around { mind: &mind, desk: &Nothing, ledger: &mut ledger, purse: &mut purse, clock: &|| 0.0, until: 1.0 };
        let ended = think("d", &brief, limits, &mut around, &mut |_| ());
        prop_assert!(mind.at.get() <= 6);
        // Never over by more than what one question was counted for.
        let dearest = replies.iter().map(|r| price.of(r.tokens)).max().unwrap_or(0);
        prop_assert!(purse.run().micros <= bounds.run + dearest, "{}", purse.run().micros);
        prop_assert_eq!(ledger.0, i128::from(purse.run().micros));
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
        if let Ended::Opinion(opinion) = &ended {
            prop_assert!((0.0..=1.0).contains(&opinion.confidence) && !opinion.claims.is_empty());
            told.opine(opinion);
        }
        prop_assert_eq!((told.verdict, told.confidence), (before.verdict, before.confidence));
        let reading = told.reading.as_ref().map(|r| r.verdict);
        prop_assert_ne!(reading, Some(Verdict::OutdatedTest), "no veto is overturned");
        prop_assert!(by_rules == Verdict::Undecided || reading.is_none());
        // What comes to light later is judged as if nobody had said anything.
        let news = Evidence { about: Verdict::Regression, kind: "news", weight: 1.5, ..told.evidence[0].clone() };
        let mut silent = before;
        silent.hear(vec![news.clone()]);
        told.hear(vec![news]);
        prop_assert_eq!((told.verdict, told.confidence), (silent.verdict, silent.confidence));
    }
}
