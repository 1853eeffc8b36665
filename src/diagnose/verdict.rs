//! A diagnosis: failures that share one cause, with a verdict and its evidence.

use crate::diagnose::frames::Frame;
use crate::diagnose::mismatch::Mismatch;
use crate::diagnose::rules::weights;
use crate::diagnose::severity::Severity;
use crate::diagnose::suspects::Suspect;
use crate::diagnose::test_history::RunMark;
use crate::history::PastFailure;
use crate::model::chat::Citation;
use crate::model::failure::Fingerprint;
use crate::model::text::Untrusted;
use crate::model::time::Timestamp;

/// Why tests failed.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The product broke at a commit.
    Regression,
    /// Different outcomes without a relevant change.
    Flaky,
    /// The product changed on purpose and the test did not follow.
    OutdatedTest,
    /// A service refused because of too many requests.
    RateLimited,
    /// The machine, the network or a service around the tests failed.
    Environment,
    /// The test itself cannot work as it is written.
    BrokenTest,
    /// The evidence does not suffice; what would settle it is said.
    Undecided,
}

impl Verdict {
    /// All verdicts that rules argue for.
    pub const DECIDED: [Self; 6] =
        [Self::Regression, Self::Flaky, Self::OutdatedTest, Self::RateLimited, Self::Environment, Self::BrokenTest];

    /// The word in `report.json`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Regression => "regression",
            Self::Flaky => "flaky",
            Self::OutdatedTest => "outdated-test",
            Self::RateLimited => "rate-limited",
            Self::Environment => "environment",
            Self::BrokenTest => "broken-test",
            Self::Undecided => "undecided",
        }
    }
}

/// One reason, with its weight in log-odds for (or against) a verdict.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// The verdict it argues about.
    pub about: Verdict,
    /// Name of the rule, such as `passed-on-retry`.
    pub kind: &'static str,
    /// Log-odds; negative against.
    pub weight: f64,
    /// In words, with its numbers.
    pub text: Untrusted,
    /// Where the numbers come from: runs, commits, or a part of the report.
    pub source: Untrusted,
}

/// A case of a diagnosis, by its place in the runs given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CaseRef {
    /// Index of the run.
    pub run: usize,
    /// Index of the case in the run's loud cases.
    pub case: usize,
}

/// What history tells about a diagnosis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DiagnosisHistory {
    /// Earlier runs that count.
    pub runs: u64,
    /// Those in which one of the tests failed.
    pub failures: u64,
    /// When the failure was first and last seen, the present run included.
    pub first_seen: Option<Timestamp>,
    /// See `first_seen`.
    pub last_seen: Option<Timestamp>,
    /// The last commit on which the tests passed.
    pub last_good: Option<String>,
    /// The first commit of the present streak of failures.
    pub first_bad: Option<String>,
    /// Commits between them, ranked.
    pub suspects: Vec<Suspect>,
    /// The results of the first test, oldest first, the present one last.
    pub strip: Vec<RunMark>,
}

/// Failures that share one cause.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnosis {
    /// Stable over runs.
    pub id: String,
    /// Of the failure that stands for all.
    pub fingerprint: Fingerprint,
    /// In one line.
    pub title: Untrusted,
    /// The verdict.
    pub verdict: Verdict,
    /// Probability of the likeliest reading, 0 to 1.
    pub confidence: f64,
    /// How much it matters.
    pub severity: Severity,
    /// Why, the weightiest first; never empty.
    pub evidence: Vec<Evidence>,
    /// The cases, in the order of the reports.
    pub members: Vec<CaseRef>,
    /// What the assertion wanted, where the failure tells.
    pub mismatch: Option<Mismatch>,
    /// The project's own frames of the failure that stands for all, innermost first.
    pub frames: Vec<Frame>,
    /// What history tells.
    pub past: DiagnosisHistory,
    /// What it reads with the word of a model, where that settles what the rules leave
    /// open. It is shown, and nothing that is done depends on it.
    pub reading: Option<ModelVerdict>,
    /// A failure of the past that it resembles.
    pub resembles: Option<SimilarFailure>,
    /// Why it does not count, where people said so.
    pub pardon: Option<Suppression>,
}

/// See [`Diagnosis::pardon`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suppression {
    /// All of its failing tests are in quarantine.
    Quarantined,
    /// A person expects the failure.
    Expected,
    /// A person has it ignored.
    Ignored,
}

impl Suppression {
    /// In a word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Quarantined => "quarantined",
            Self::Expected => "expected",
            Self::Ignored => "ignored",
        }
    }
}

/// See [`Diagnosis::resembles`].
#[derive(Clone, Debug, PartialEq)]
pub struct SimilarFailure {
    /// Fingerprint of the past failure, as text.
    pub fingerprint: String,
    /// How alike they are told, 0 to 1.
    pub alike: f64,
}

/// See [`Diagnosis::reading`].
#[derive(Clone, Debug, PartialEq)]
pub struct ModelVerdict {
    /// The verdict.
    pub verdict: Verdict,
    /// Its probability, 0 to 1.
    pub confidence: f64,
    /// Which model.
    pub model: String,
}

/// The kind of evidence that is a model's word.
pub const MODEL: &str = "model";
/// The kind of evidence that names a failure of the past which is told alike.
pub const SEEN_BEFORE: &str = "seen-before";

impl Diagnosis {
    /// How grave it is, and whether it counts.
    #[must_use]
    pub fn severity_label(&self) -> String {
        let pardon = self.pardon.map(|pardon| format!(" · {}", pardon.word())).unwrap_or_default();
        format!("{}{pardon}", self.severity.word())
    }

    /// Hears what came to light after it was judged, and judges again.
    pub fn add_evidence(&mut self, news: Vec<Evidence>) {
        if news.is_empty() {
            return;
        }
        self.evidence.extend(news);
        let rules: Vec<Evidence> = self.evidence.iter().filter(|e| e.kind != MODEL).cloned().collect();
        let (verdict, _, confidence) = decide(&rules, weights::prior);
        (self.verdict, self.confidence) = (verdict, confidence);
        if verdict != Verdict::Undecided {
            self.evidence.retain(|e| e.about != Verdict::Undecided || e.weight != 0.0);
            self.reading = None;
        }
        self.evidence.sort_by(|a, b| b.weight.abs().total_cmp(&a.weight.abs()));
    }

    /// Takes in a failure of the past that means the same.
    pub fn resembles_by_meaning(&mut self, failure: &PastFailure, alike: f64) {
        let times = crate::diagnose::rules::count(usize::try_from(failure.times).unwrap_or(1), "time");
        let text = format!(
            "this failure means the same as one seen {times} until {} ({:.0} % alike): {}",
            failure.last.date(),
            alike * 100.0,
            failure.masked
        );
        self.evidence.push(Evidence {
            about: self.verdict,
            kind: SEEN_BEFORE,
            weight: 0.0,
            text: Untrusted::bounded(&text, 600),
            source: Untrusted::bounded(&failure.last_run, 400),
        });
        self.resembles = Some(SimilarFailure { fingerprint: failure.fingerprint.clone(), alike });
    }

    /// Takes in what became of the failure that it resembles.
    pub fn link_prior_issue(&mut self, became: &str) {
        let seen = self.evidence.iter_mut().find(|e| e.kind == SEEN_BEFORE && !e.text.raw().ends_with(became));
        if let Some(seen) = seen {
            seen.text = Untrusted::bounded(&format!("{}; {became}", seen.text.raw()), 600);
        }
    }

    /// Takes in what a model thinks: one more piece of evidence of a bounded weight. It
    /// can settle what the rules leave undecided, for who reads it; the verdict stays
    /// that of the rules.
    pub fn apply_model_opinion(&mut self, opinion: &ModelOpinion) {
        let is_open = self.verdict == Verdict::Undecided && opinion.verdict != Verdict::Undecided;
        for (at, claim) in opinion.claims.iter().enumerate() {
            let weight = if at == 0 && is_open { weights::MODEL * opinion.confidence } else { 0.0 };
            self.evidence.push(Evidence {
                about: opinion.verdict,
                kind: MODEL,
                weight,
                text: Untrusted::bounded(
                    &format!("{} reads: {} (\"{}\")", opinion.model, claim.says, claim.quote),
                    900,
                ),
                source: Untrusted::bounded(&format!("{}, quoted word for word", claim.source), 300),
            });
        }
        if is_open {
            let (verdict, _, confidence) = decide(&self.evidence, weights::prior);
            let model = opinion.model.clone();
            self.reading = (verdict != Verdict::Undecided).then_some(ModelVerdict { verdict, confidence, model });
            self.evidence.sort_by(|a, b| b.weight.abs().total_cmp(&a.weight.abs()));
        }
    }
}

/// What a model thinks of a diagnosis.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ModelOpinion {
    /// Its reading.
    pub verdict: Verdict,
    /// How sure it is, 0 to 1, by its own word.
    pub confidence: f64,
    /// What it says and what supports that.
    pub claims: Vec<Citation>,
    /// Claims that nothing supports.
    pub dropped: usize,
    /// Which model.
    pub model: String,
}

/// Probability from which a reading is a verdict.
pub const THRESHOLD: f64 = 0.6;
/// Log-odds of "cannot be said yet", against which readings must win.
const DOUBT: f64 = 0.5;

/// The likeliest verdict and its probability: a softmax over the sums of the
/// evidence with doubt as a competitor. Below [`THRESHOLD`] the verdict is
/// [`Verdict::Undecided`], and the probability still that of the best reading.
#[must_use]
pub fn decide(evidence: &[Evidence], prior: impl Fn(Verdict) -> f64) -> (Verdict, Verdict, f64) {
    let scores = Verdict::DECIDED.map(|verdict| {
        let sum: f64 = evidence.iter().filter(|e| e.about == verdict).map(|e| e.weight).sum();
        (verdict, prior(verdict) + sum)
    });
    let total: f64 = DOUBT.exp() + scores.iter().map(|(_, s)| s.clamp(-30.0, 30.0).exp()).sum::<f64>();
    let (best, score) = scores.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((Verdict::Undecided, 0.0));
    // Weights are judgements: no sum of them makes certainty.
    let probability = (score.clamp(-30.0, 30.0).exp() / total * 100.0).round().min(99.0) / 100.0;
    let verdict = if probability >= THRESHOLD { best } else { Verdict::Undecided };
    (verdict, best, probability)
}
