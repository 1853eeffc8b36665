//! From cases to diagnoses: who belongs together, what is asked of git, what
//! the rules say.

use std::collections::{BTreeMap, HashMap};

use rayon::prelude::*;

use crate::diagnose::cluster::{Clusters, cluster};
use crate::diagnose::fingerprint::{MaskedFailure, fingerprint};
use crate::diagnose::past_failures::PastFailureIndex;
use crate::diagnose::rules::{RuleInput, count, evidence, weights};
use crate::diagnose::severity::{SeverityInput, severity};
use crate::diagnose::suspects::{self, FailureTerms};
use crate::diagnose::test_history::{self, RunMark, TestHistory};
use crate::diagnose::traffic::TrafficByTest;
use crate::diagnose::verdict::{
    CaseRef, Diagnosis, DiagnosisHistory, Evidence, SEEN_BEFORE, SimilarFailure, Verdict, decide,
};
use crate::diagnose::{mismatch, signal};
use crate::history::record::KnownFailure;
use crate::history::{History, PastFailure};
use crate::model::change::Commit;
use crate::model::failure::{FailureMark, RunExclusion, Signal};
use crate::model::run::{RunFacts, TestRun};
use crate::model::test::{Outcome, TestCase};
use crate::model::text::{Untrusted, first_line};
use crate::model::time::Timestamp;

/// Every loud case of the present run with its failure made comparable.
pub struct Failures<'a> {
    /// The runs.
    pub runs: &'a [TestRun],
    members: Vec<CaseRef>,
    prints: Vec<MaskedFailure>,
    signals: Vec<Option<Signal>>,
    clusters: Clusters,
}

/// Reads the failures of `runs` and clusters them; `seeds` are those known from history.
#[must_use]
pub fn failures<'a>(runs: &'a [TestRun], seeds: &[PastFailure]) -> Failures<'a> {
    let members: Vec<CaseRef> = runs
        .iter()
        .enumerate()
        .flat_map(|(run, test_run)| (0..test_run.cases.len()).map(move |case| CaseRef { run, case }))
        .collect();
    let (prints, signals): (Vec<MaskedFailure>, Vec<Option<Signal>>) = members
        .par_iter()
        .map(|m| {
            let case = &runs[m.run].cases[m.case];
            (fingerprint(case), signal::read(case))
        })
        .unzip();
    let clusters = cluster(&prints.iter().collect::<Vec<_>>(), &signals, seeds);
    Failures { runs, members, prints, signals, clusters }
}

impl Failures<'_> {
    /// What to remember of each failure, by its place.
    #[must_use]
    pub fn known(&self) -> HashMap<(usize, usize), KnownFailure> {
        self.members
            .iter()
            .enumerate()
            .filter(|(i, _)| self.case(*i).failure().is_some())
            .map(|(i, m)| {
                let print = &self.prints[i];
                let known = KnownFailure {
                    mark: FailureMark { fingerprint: print.fingerprint, signal: self.signals[i] },
                    cluster: self.clusters.ids[self.clusters.of[i]].clone(),
                    kinds: print.kinds.clone(),
                    masked: print.masked.clone(),
                };
                ((m.run, m.case), known)
            })
            .collect()
    }

    fn case(&self, index: usize) -> &TestCase {
        let member = self.members[index];
        &self.runs[member.run].cases[member.case]
    }
}

/// Why cases with the same failure may still be different diagnoses.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum SplitReason {
    /// One cause from outside for all.
    Outside,
    /// Failing since this commit (or since the present run).
    Since(String),
    /// Nothing is known of it.
    Unknown,
    /// It ran before and never passed.
    Never,
    /// Known to be flaky.
    KnownFlaky,
    /// Passed on a retry in this run.
    FlakyNow,
}

/// Failures that are judged together.
pub struct Group {
    id: String,
    indices: Vec<usize>,
    class: SplitReason,
    /// Last good and first bad commit, as far as known.
    pub window: (Option<String>, Option<String>),
}

/// The groups of a run, with what is asked of the repository for each.
pub struct Groups<'a> {
    failures: Failures<'a>,
    pasts: Vec<TestHistory>,
    /// In the order in which they will be reported.
    pub groups: Vec<Group>,
    gates: HashMap<Option<String>, Option<RunExclusion>>,
}

/// Reads the past of every failure and groups what has one cause.
#[must_use]
pub fn groups<'a>(failures: Failures<'a>, history: &History, facts: &RunFacts) -> Groups<'a> {
    let pasts: Vec<TestHistory> = (0..failures.members.len())
        .into_par_iter()
        .map(|i| {
            let case = failures.case(i);
            let mark = case.failure().map(|_| failures.prints[i].fingerprint);
            test_history::read(history, case.id, facts, case.variant.as_deref(), mark)
        })
        .collect();
    let gates = gates(&failures);
    let mut by_class: BTreeMap<(usize, SplitReason), Vec<usize>> = BTreeMap::new();
    for (i, past) in pasts.iter().enumerate() {
        let class = classify(failures.case(i), past, failures.signals[i], history, facts);
        by_class.entry((failures.clusters.of[i], class)).or_default().push(i);
    }
    join_newcomers(&mut by_class);
    let mut groups = Vec::new();
    let mut per_cluster: BTreeMap<usize, Vec<(SplitReason, Vec<usize>)>> = BTreeMap::new();
    for ((cluster, class), indices) in by_class {
        per_cluster.entry(cluster).or_default().push((class, indices));
    }
    for (cluster, mut parts) in per_cluster {
        parts.sort_by(|a, b| b.1.len().cmp(&a.1.len()).then(a.1[0].cmp(&b.1[0])));
        for (number, (class, indices)) in parts.into_iter().enumerate() {
            let base = failures.clusters.ids[cluster].clone();
            let id = if number == 0 { base } else { format!("{base}.{}", suffix(&class)) };
            let window = window(&class, &pasts, &indices, history, facts);
            groups.push(Group { id, indices, class, window });
        }
    }
    make_unique(&mut groups);
    Groups { failures, pasts, groups, gates }
}

fn suffix(class: &SplitReason) -> String {
    match class {
        SplitReason::Outside => "outside".to_owned(),
        SplitReason::Since(commit) => format!("since-{}", commit.get(..7).unwrap_or(commit)),
        SplitReason::Unknown => "new".to_owned(),
        SplitReason::Never => "never-passed".to_owned(),
        SplitReason::KnownFlaky => "flaky".to_owned(),
        SplitReason::FlakyNow => "retried".to_owned(),
    }
}

fn make_unique(groups: &mut [Group]) {
    let mut seen: HashMap<String, usize> = HashMap::new();
    for group in groups {
        let times = seen.entry(group.id.clone()).or_default();
        *times += 1;
        if *times > 1 {
            group.id = format!("{}-{times}", group.id);
        }
    }
}

fn classify(
    case: &TestCase,
    past: &TestHistory,
    signal: Option<Signal>,
    history: &History,
    facts: &RunFacts,
) -> SplitReason {
    if signal.is_some_and(Signal::is_outside) {
        return SplitReason::Outside;
    }
    if case.is_flaky() {
        return SplitReason::FlakyNow;
    }
    if past.streak.is_empty()
        && (!past.mixed_commits.is_empty() || !past.passed_here.is_empty() || past.sandwiches.len() > 1)
    {
        return SplitReason::KnownFlaky;
    }
    if past.last_good.is_none() {
        return if past.is_empty() { SplitReason::Unknown } else { SplitReason::Never };
    }
    let first = past.streak.first().and_then(|run| history.runs.get(*run as usize)).map(|r| r.commit.clone());
    SplitReason::Since(first.or_else(|| facts.commit.clone()).unwrap_or_default())
}

/// A test without a past that fails like tests with one belongs to them.
fn join_newcomers(by_class: &mut BTreeMap<(usize, SplitReason), Vec<usize>>) {
    let mut hosts: HashMap<usize, (usize, SplitReason)> = HashMap::new();
    for ((cluster, class), indices) in by_class.iter().filter(|((_, class), _)| matches!(class, SplitReason::Since(_)))
    {
        let host = hosts.entry(*cluster).or_insert((0, class.clone()));
        if indices.len() > host.0 {
            *host = (indices.len(), class.clone());
        }
    }
    for (cluster, (_, class)) in hosts {
        if let Some(indices) = by_class.remove(&(cluster, SplitReason::Unknown)) {
            let joined = by_class.entry((cluster, class)).or_default();
            joined.extend(indices);
            joined.sort_unstable();
        }
    }
}

/// Whether each leg of the present run is broken as a whole.
fn gates(failures: &Failures<'_>) -> HashMap<Option<String>, Option<RunExclusion>> {
    let known = failures.known();
    crate::history::record::legs(failures.runs, &RunFacts::default(), Timestamp::from_unix(0), &known)
        .into_iter()
        .map(|leg| (leg.facts.variant.clone(), leg.gate))
        .collect()
}

/// Last good and first bad commit of a group. Members that fail since the same
/// commit share the narrowest window; else the member with the longest past
/// speaks. Cases that ended passed have none.
fn window(
    class: &SplitReason,
    pasts: &[TestHistory],
    indices: &[usize],
    history: &History,
    facts: &RunFacts,
) -> (Option<String>, Option<String>) {
    let run = |number: u32| history.runs.get(number as usize);
    let lead = indices.iter().max_by_key(|i| pasts[**i].counted.len()).map(|i| &pasts[*i]);
    let good = match class {
        SplitReason::FlakyNow => None,
        SplitReason::Since(_) => {
            indices.iter().filter_map(|i| pasts[*i].last_good).filter_map(run).max_by_key(|r| r.at)
        }
        _ => lead.and_then(|past| past.last_good).and_then(run),
    };
    let Some(good) = good else { return (None, None) };
    let bad = match class {
        SplitReason::Since(commit) if !commit.is_empty() => Some(commit.clone()),
        _ => lead
            .and_then(|past| past.streak.first().copied())
            .and_then(run)
            .map(|r| r.commit.clone())
            .or_else(|| facts.commit.clone()),
    };
    (Some(good.commit.clone()), bad)
}

/// What the repository tells about a window: its commits, newest first.
pub type Changes = HashMap<(String, String), Vec<Commit>>;

impl Groups<'_> {
    /// The distinct windows of which the commits are wanted.
    #[must_use]
    pub fn windows(&self) -> Vec<(String, String)> {
        let mut windows: Vec<(String, String)> =
            self.groups.iter().filter_map(|g| Some((g.window.0.clone()?, g.window.1.clone()?))).collect();
        windows.sort();
        windows.dedup();
        windows
    }

    /// What to remember of each failure, by its place.
    #[must_use]
    pub fn known(&self) -> HashMap<(usize, usize), KnownFailure> {
        self.failures.known()
    }

    /// Judges every group.
    #[must_use]
    pub fn diagnose(
        &self,
        history: &History,
        facts: &RunFacts,
        changes: &Changes,
        sent: &TrafficByTest<'_>,
    ) -> Vec<Diagnosis> {
        let passing = self.passing_legs();
        let seen = PastFailureIndex::new(history);
        let mut diagnoses: Vec<Diagnosis> = self
            .groups
            .par_iter()
            .map(|group| self.judge_one(group, (history, facts, &seen), changes, sent, &passing))
            .collect();
        diagnoses.sort_by(|a, b| {
            let rank = |d: &Diagnosis| {
                (d.verdict == Verdict::Flaky, std::cmp::Reverse(d.severity), std::cmp::Reverse(d.members.len()))
            };
            rank(a).cmp(&rank(b)).then(a.id.cmp(&b.id))
        });
        diagnoses
    }

    /// Legs on which tests that failed elsewhere passed in this very run.
    fn passing_legs(&self) -> HashMap<crate::model::test::TestId, Vec<String>> {
        let legs = self.failures.runs.iter().filter(|r| r.variant.is_some()).count();
        let mut passing: HashMap<_, Vec<String>> = HashMap::new();
        if legs < 2 {
            return passing;
        }
        let failed: std::collections::HashSet<_> = (0..self.failures.members.len())
            .map(|i| self.failures.case(i))
            .filter(|c| c.outcome().is_bad())
            .map(|c| c.id)
            .collect();
        for run in self.failures.runs {
            for (id, outcome) in run.quiet.ids().filter(|(id, _)| failed.contains(id)) {
                if outcome == Outcome::Passed {
                    passing.entry(id).or_default().extend(run.variant.clone());
                }
            }
        }
        passing
    }

    fn judge_one(
        &self,
        group: &Group,
        (history, facts, seen): (&History, &RunFacts, &PastFailureIndex<'_>),
        changes: &Changes,
        sent: &TrafficByTest<'_>,
        passing: &HashMap<crate::model::test::TestId, Vec<String>>,
    ) -> Diagnosis {
        let failures = &self.failures;
        let first = group.indices[0];
        let case = failures.case(first);
        let commits = match &group.window {
            (Some(good), Some(bad)) => changes.get(&(good.clone(), bad.clone())).map_or(&[][..], Vec::as_slice),
            _ => &[],
        };
        let mismatch = case.failure().and_then(mismatch::read);
        let named = FailureTerms {
            frames: &failures.prints[first].frames,
            test_file: case.place.as_ref().map(|p| p.file.raw()),
            names: vec![case.name.name.raw(), case.name.classname.raw()],
            message: &failures.prints[first].masked,
            mismatch: mismatch.as_ref(),
        };
        let ranked = suspects::rank(commits, &named);
        let leg = case.variant.clone();
        let (ran, bad) = self.share(group);
        let file = RuleInput {
            cases: group.indices.iter().map(|i| failures.case(*i)).collect(),
            pasts: group.indices.iter().map(|i| &self.pasts[*i]).collect(),
            prints: group.indices.iter().map(|i| &failures.prints[*i]).collect(),
            signal: failures.signals[first],
            mismatch,
            history,
            seen,
            facts,
            commits,
            suspects: ranked,
            ran,
            bad,
            gate: self.gates.get(&leg).copied().flatten(),
            exchanges: group.indices.iter().flat_map(|i| sent.of(failures.case(*i))).copied().collect(),
            described: sent.described,
            passing_legs: passing.get(&case.id).cloned().unwrap_or_default(),
        };
        self.conclude(group, &file)
    }

    /// Cases that ran and that ended bad, over the legs of the group's members.
    fn share(&self, group: &Group) -> (u64, u64) {
        let legs: std::collections::HashSet<Option<&str>> =
            group.indices.iter().map(|i| self.failures.case(*i).variant.as_deref()).collect();
        self.failures.runs.iter().filter(|r| legs.contains(&r.variant.as_deref())).fold((0, 0), |(ran, bad), run| {
            let t = &run.totals;
            (ran + t.tests - t.skipped, bad + t.failed + t.errored)
        })
    }

    fn conclude(&self, group: &Group, file: &RuleInput<'_>) -> Diagnosis {
        let mut evidence = evidence(file);
        let (verdict, best, confidence) = decide(&evidence, weights::prior);
        let resembles = context(file, &mut evidence, verdict);
        if verdict == Verdict::Undecided {
            let speaks = evidence.iter().any(|e| e.about == best && e.weight > 0.0);
            evidence.push(next_step(file, best, confidence, speaks));
        }
        evidence.sort_by(|a, b| b.weight.abs().total_cmp(&a.weight.abs()));
        let members: Vec<CaseRef> = group.indices.iter().map(|i| self.failures.members[*i]).collect();
        let tests = members.len();
        let default = file.history.default_branch();
        let stakes = SeverityInput {
            default_branch: file.facts.branch.as_deref().is_some_and(|b| {
                default.is_none_or(|d| d == b) && (default.is_some() || matches!(b, "main" | "master"))
            }),
            crash: is_crash(file),
            tests,
            share: tests as f64 / file.ran.max(1) as f64,
            confidence,
        };
        Diagnosis {
            id: group.id.clone(),
            fingerprint: file.prints[0].fingerprint,
            title: title(file),
            verdict,
            confidence,
            severity: severity(verdict, stakes),
            members,
            mismatch: file.mismatch.clone(),
            frames: file.prints[0].frames.clone(),
            past: past_of(group, file),
            reading: None,
            resembles,
            pardon: None,
            evidence,
        }
    }
}

fn is_crash(file: &RuleInput<'_>) -> bool {
    let masked = file.prints[0].masked.to_lowercase();
    ["segmentation fault", "sigsegv", "panicked", "internal server error", "core dumped", "security", "data loss"]
        .iter()
        .any(|word| masked.contains(word))
        || crate::diagnose::rules::got_server_error(file)
}

/// Facts that argue for no verdict and help a person nevertheless.
fn context(file: &RuleInput<'_>, evidence: &mut Vec<Evidence>, verdict: Verdict) -> Option<SimilarFailure> {
    let mut add = |kind, text: String, source: String| {
        evidence.push(Evidence {
            about: verdict,
            kind,
            weight: 0.0,
            text: Untrusted::bounded(&text, 600),
            source: Untrusted::bounded(&source, 400),
        });
    };
    let past = file.lead();
    if let Some(alias) = &past.alias {
        add("renamed", format!("its history is that of another name: {alias}"), "history".to_owned());
    }
    if !past.outside.is_empty() {
        let text = format!("not counted: {} broken from outside", count(past.outside.len(), "earlier run"));
        add("not-counted", text, file.runs(&past.outside));
    }
    if !file.passing_legs.is_empty() {
        add("passes-elsewhere", format!("passes on {}", file.passing_legs.join(", ")), "this report".to_owned());
    }
    if let Some((failure, alike)) = similar(file) {
        let text = format!(
            "this failure matches one seen {} until {} ({:.0} % alike)",
            count(usize::try_from(failure.times).unwrap_or(1), "time"),
            failure.last.date(),
            alike * 100.0
        );
        add(SEEN_BEFORE, text, failure.last_run.clone());
        return Some(SimilarFailure { fingerprint: failure.fingerprint.clone(), alike });
    }
    None
}

/// The most similar past failure that is older than the present streak.
fn similar<'h>(file: &RuleInput<'h>) -> Option<(&'h PastFailure, f64)> {
    // A failure that goes on matches itself of yesterday; that is no news.
    let streak = file.lead().streak.first().and_then(|run| file.history.runs.get(*run as usize)).map(|r| r.at);
    let own_run = file.facts.run.as_ref().map(|run| format!("run {run}"));
    let is_news = |f: &PastFailure| {
        let itself = f.times == 1 && own_run.as_ref() == Some(&f.last_run);
        streak.is_none_or(|start| f.first < start) && file.facts.at.is_none_or(|at| f.first < at) && !itself
    };
    let print = file.prints[0];
    let own = print.fingerprint.to_string();
    if let Some(same) = file.history.failures.iter().find(|f| f.fingerprint == own && is_news(f)) {
        return Some((same, 1.0));
    }
    if !print.telling {
        return None;
    }
    file.seen.closest(&print.masked, &is_news)
}

fn next_step(file: &RuleInput<'_>, best: Verdict, confidence: f64, speaks: bool) -> Evidence {
    let past = file.lead();
    let advice = if past.is_empty() {
        "earlier runs of this test: import them with `testmedic history import`, or let this run be recorded"
    } else if past.passed_here.is_empty() && !file.repeated() {
        "running it once more on this commit: a pass means flaky, a failure means regression"
    } else {
        "one more run on the default branch"
    };
    let likeliest = if speaks {
        format!("likeliest is {} ({:.0} %)", best.word(), confidence * 100.0)
    } else {
        "nothing speaks for any reading yet".to_owned()
    };
    Evidence {
        about: Verdict::Undecided,
        kind: "would-settle-it",
        weight: 0.0,
        text: Untrusted::new(format!("{likeliest}; what would settle it: {advice}")),
        source: Untrusted::new("sum of the evidence"),
    }
}

fn title(file: &RuleInput<'_>) -> Untrusted {
    let case = file.cases[0];
    let name = case.name.name.raw();
    let message = case.failure().map_or("", |f| {
        let line = first_line(f.message.raw(), 140);
        if line.is_empty() { first_line(f.detail.raw(), 140) } else { line }
    });
    let what = if message.is_empty() { "failed without a message" } else { message };
    Untrusted::bounded(
        &match file.cases.len() {
            1 => format!("{name}: {what}"),
            n => format!("{what} ({})", count(n, "test")),
        },
        240,
    )
}

fn past_of(group: &Group, file: &RuleInput<'_>) -> DiagnosisHistory {
    let lead = file.lead();
    let mut runs: Vec<u32> = file.pasts.iter().flat_map(|p| p.counted.iter().copied()).collect();
    let mut bad: Vec<u32> = file.pasts.iter().flat_map(|p| p.bad.iter().copied()).collect();
    for list in [&mut runs, &mut bad] {
        list.sort_unstable();
        list.dedup();
    }
    let mut seen: Vec<Timestamp> = file
        .pasts
        .iter()
        .flat_map(|p| &p.same_failure)
        .filter_map(|run| file.history.runs.get(*run as usize))
        .map(|r| r.at)
        .chain(file.facts.at)
        .collect();
    seen.sort_unstable();
    let mut strip = lead.strip.clone();
    strip.push(match group.class {
        SplitReason::Outside => RunMark::Outside,
        _ if file.cases[0].is_flaky() => RunMark::Flaky,
        _ => RunMark::Bad,
    });
    DiagnosisHistory {
        runs: runs.len() as u64,
        failures: bad.len() as u64,
        first_seen: seen.first().copied(),
        last_seen: seen.last().copied(),
        last_good: group.window.0.clone(),
        first_bad: group.window.1.clone(),
        suspects: file.suspects.clone(),
        strip,
    }
}
