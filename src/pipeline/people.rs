//! What people said about tests and failures: evidence, and what does not count.

use crate::diagnose::findings::Findings;
use crate::diagnose::rules::weights::PERSON;
use crate::diagnose::verdict::{Evidence, Suppression, Verdict};
use crate::history::feedback::{Feedback, FeedbackKind};
use crate::model::test::TestCase;
use crate::model::text::Untrusted;
use crate::plan::quarantine::{self, Entry};

/// Hears what people said. A quarantine counts where all failing tests of a group are in
/// it; one that ended is told, and counts for nothing.
pub fn apply_feedback(found: &mut Findings, entries: &[Entry], words: &[Feedback]) {
    for at in 0..found.diagnoses.len() {
        let (mut news, mut pardon) = quarantined(found, at, entries);
        let id = found.diagnoses[at].id.clone();
        let print = found.diagnoses[at].fingerprint.to_string();
        let tests: Vec<String> = found.diagnoses[at].members.iter().map(|m| found.case(*m).id.to_string()).collect();
        for word in words.iter().filter(|word| word.counts(found.at)) {
            let (is_about, weight, own) = match word.told {
                FeedbackKind::Flaky => (tests.contains(&word.about), PERSON, None),
                FeedbackKind::NotFlaky => (tests.contains(&word.about), -PERSON, None),
                FeedbackKind::Expected => (word.about == id || word.about == print, 0.0, Some(Suppression::Expected)),
                FeedbackKind::Ignored => (word.about == id || word.about == print, 0.0, Some(Suppression::Ignored)),
            };
            if is_about {
                news.push(spoken(word, weight, found.diagnoses[at].verdict));
                pardon = pardon.or(own);
            }
        }
        found.diagnoses[at].pardon = pardon;
        found.diagnoses[at].add_evidence(news);
    }
}

fn spoken(word: &Feedback, weight: f64, verdict: Verdict) -> Evidence {
    let until = word.until.map(|until| format!(", until {}", until.date())).unwrap_or_default();
    let text = format!("{} {} ({}{until})", word.by, word.told.says(), word.at.date());
    let about = if weight == 0.0 { verdict } else { Verdict::Flaky };
    evidence("word", about, weight, &text, "a comment")
}

fn evidence(kind: &'static str, about: Verdict, weight: f64, text: &str, source: &str) -> Evidence {
    Evidence { about, kind, weight, text: Untrusted::bounded(text, 600), source: Untrusted::bounded(source, 300) }
}

fn quarantined(found: &Findings, at: usize, entries: &[Entry]) -> (Vec<Evidence>, Option<Suppression>) {
    let diagnosis = &found.diagnoses[at];
    let cases: Vec<&TestCase> = diagnosis.members.iter().map(|member| found.case(*member)).collect();
    let of = |case: &TestCase, counts: bool| {
        entries.iter().find(|entry| entry.is_about(case) && entry.counts(found.at) == counts)
    };
    let mut inside: Vec<&Entry> = Vec::new();
    let (mut all, mut news) = (true, Vec::new());
    for case in cases.iter().filter(|case| case.outcome().is_bad()) {
        match (of(case, true), of(case, false)) {
            (Some(entry), _) => inside.push(entry),
            (None, Some(ended)) => {
                all = false;
                let text = format!("the quarantine of `{}` ended on {}: it counts again", ended.name, ended.until);
                news.push(evidence("quarantine", diagnosis.verdict, 0.0, &text, quarantine::PATH));
            }
            (None, None) => all = false,
        }
    }
    inside.dedup_by(|a, b| std::ptr::eq(*a, *b));
    for entry in inside.iter().take(5) {
        let owner = if entry.owner.is_empty() { String::new() } else { format!(", answered for by {}", entry.owner) };
        let why = if entry.because.is_empty() { String::new() } else { format!(": {}", entry.because) };
        let text = format!("`{}` is in quarantine until {}{owner}{why}", entry.name, entry.until);
        news.push(evidence("quarantine", diagnosis.verdict, 0.0, &text, quarantine::PATH));
    }
    let pardon = (all && !inside.is_empty()).then_some(Suppression::Quarantined);
    (news, pardon)
}
