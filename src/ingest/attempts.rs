//! Several `<testcase>` elements of one name: retries of one case, or cases of
//! their own?
//!
//! | what stands in the file | read as |
//! |---|---|
//! | same raw name, file and line, every element but the last bad, and the writer is known to write retries this way | one case, an attempt each |
//! | same raw name in a pytest report, where names are unique and pytest-rerunfailures writes the tries that failed as bare elements | one case; the bare ones are failed attempts |
//! | same raw name otherwise (a pass before the end, an unknown writer, or one such as Mocha or TestNG that writes one title for several tests) | separate cases, numbered in file order |
//! | different raw names that only an address, a seed or the like tells apart | separate cases, numbered in file order |
//! | different raw names that only a date, a UUID or a hash tells apart | separate cases by their raw names |
//!
//! A failure is never put behind a pass unless the whole sequence looks like a
//! retry, so no failing case is lost.

use std::collections::{BTreeMap, HashMap, HashSet};

use rayon::prelude::*;

use crate::ingest::identity::{canonical, nth_id, raw_id};
use crate::ingest::junit::{Position, RawRun};
use crate::model::run::{IssueLevel, ParseIssue, TestRun, Totals};
use crate::model::test::{Attempt, Failure, Outcome, TestCase, TestId, TestName};
use crate::model::text::{Untrusted, first_line};

/// Where one element of a repeated name stands.
#[derive(Clone, Copy, Debug)]
enum ElementRef {
    Quiet(usize),
    Case(usize),
}

/// Suite, class and name as written.
type RawName = (String, String, String);

#[derive(Clone, Debug)]
struct Occurrence {
    /// Position among all elements of the file.
    order: (usize, usize),
    spot: ElementRef,
    outcome: Outcome,
    raw: RawName,
    /// The suite element it stands in: retries stand in the same one.
    element: u32,
    /// Whether its place is the one of the test, as an attribute tells it.
    declares_file: bool,
}

/// Puts retries together and numbers what merely shares a name.
#[must_use]
pub fn unite(raw: RawRun) -> TestRun {
    let RawRun { mut run, order, dialect, reruns } = raw;
    let repeated = repeated_tags(&run);
    if repeated.is_empty() {
        return run;
    }
    let groups = occurrences(&run, &order, &repeated);
    let mut merge = Merge::default();
    for (id, list) in groups {
        if list.len() < 2 {
            continue;
        }
        let mut by_name: BTreeMap<(&RawName, u32), Vec<&Occurrence>> = BTreeMap::new();
        for occurrence in &list {
            by_name.entry((&occurrence.raw, occurrence.element)).or_default().push(occurrence);
        }
        let mut groups: Vec<(RawName, Vec<&Occurrence>)> =
            by_name.into_iter().map(|((raw, _), same)| (raw.clone(), same)).collect();
        groups.sort_by_key(|(_, same)| same[0].order);
        let several = groups.windows(2).any(|pair| pair[0].0 != pair[1].0);
        let mut ordinal = 0;
        let mut per_raw: HashMap<String, usize> = HashMap::new();
        for (raw, same) in groups {
            // Two dates or two ids beside each other are parameters: then the raw
            // name counts, so that no test inherits the past of another one.
            let literal = several && is_literal(&raw.2);
            let id = if literal { raw_id(id, &raw.2) } else { id };
            let ordinal = if literal { per_raw.entry(raw.2.clone()).or_insert(0) } else { &mut ordinal };
            let ran = same.last().is_some_and(|o| o.outcome != Outcome::Skipped);
            let mut sayings: Vec<String> = same.iter().filter_map(|o| failure_text(&run, o.spot)).collect();
            sayings.dedup();
            let alike = sayings.len() <= 1 || dialect.silent_reruns;
            let retried =
                (is_retry_sequence(&same) && alike) || (dialect.silent_reruns && reruns && same.len() > 1 && ran);
            // Cases without a name have nothing in common.
            let named = same.iter().all(|o| !o.raw.2.is_empty());
            if dialect.repeats.are_retries(&raw.2) && retried && named && declare_one_place(&run, &same) {
                *ordinal += 1;
                merge.retries(id, *ordinal, &same);
            } else {
                for one in same {
                    *ordinal += 1;
                    merge.rename(id, *ordinal, one);
                }
            }
        }
    }
    merge.apply(&mut run);
    run
}

/// Returns whether all elements that declare a file or line declare the same. Passed elements keep none.
fn declare_one_place(run: &TestRun, same: &[&Occurrence]) -> bool {
    let mut places = same.iter().filter(|occurrence| occurrence.declares_file).filter_map(|o| match o.spot {
        ElementRef::Case(index) => run.cases[index].place.as_ref(),
        ElementRef::Quiet(_) => None,
    });
    let Some(first) = places.next() else { return true };
    places.all(|place| place == first)
}

/// Whether noise in `name` could as well be a parameter that someone typed.
fn is_literal(name: &str) -> bool {
    let canonical = canonical(name);
    ["<time>", "<uuid>", "<hex>"].iter().any(|mask| canonical.contains(mask))
}

/// What a bad element says, without its numbers; retries of one test say the same.
fn failure_text(run: &TestRun, spot: ElementRef) -> Option<String> {
    let ElementRef::Case(index) = spot else { return None };
    let message = run.cases[index].failure()?.message.raw();
    Some(first_line(message, 200).chars().filter(|c| !c.is_ascii_digit()).collect())
}

/// The top 32 bits of the identities that (almost surely) occur more than once.
/// Sorting small numbers is several times faster here than a set of millions of
/// identities; the few pairs that only share these bits are sorted out later.
fn repeated_tags(run: &TestRun) -> HashSet<u32> {
    let mut tags: Vec<u32> =
        run.quiet.ids().map(|(id, _)| tag(id)).chain(run.cases.iter().map(|case| tag(case.id))).collect();
    tags.par_sort_unstable();
    tags.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect()
}

fn tag(id: TestId) -> u32 {
    (id.0 >> 96) as u32
}

/// All but the last bad: what a runner leaves behind that stops at the first pass.
fn is_retry_sequence(same: &[&Occurrence]) -> bool {
    same.len() > 1
        && same[..same.len() - 1].iter().all(|o| o.outcome.is_bad())
        && same.last().is_some_and(|o| o.outcome != Outcome::Skipped)
}

fn occurrences(run: &TestRun, order: &[Position], repeated: &HashSet<u32>) -> BTreeMap<TestId, Vec<Occurrence>> {
    let mut groups: BTreeMap<TestId, Vec<Occurrence>> = BTreeMap::new();
    for (index, (id, outcome)) in run.quiet.ids().enumerate() {
        if repeated.contains(&tag(id)) {
            let case = run.quiet.get(index);
            let suite = run.suite(case.suite).to_owned();
            let class = run.classes.get(case.class as usize).cloned().unwrap_or_default();
            groups.entry(id).or_default().push(Occurrence {
                order: (index + 1, 0),
                spot: ElementRef::Quiet(index),
                outcome,
                raw: (suite, class, case.name.to_owned()),
                element: case.suite,
                declares_file: false,
            });
        }
    }
    for (index, case) in run.cases.iter().enumerate() {
        if repeated.contains(&tag(case.id)) {
            let text = |t: &Untrusted| t.raw().to_owned();
            let position = order.get(index).copied().unwrap_or_default();
            groups.entry(case.id).or_default().push(Occurrence {
                order: (position.quiet_before, index + 1),
                element: position.suite_element,
                declares_file: position.declares_file,
                spot: ElementRef::Case(index),
                outcome: case.outcome(),
                raw: (text(&case.name.suite), text(&case.name.classname), text(&case.name.name)),
            });
        }
    }
    for list in groups.values_mut() {
        list.sort_by_key(|o| o.order);
    }
    groups
}

/// The changes to make, collected first because they move indices.
#[derive(Default)]
struct Merge {
    new_ids: HashMap<usize, TestId>,
    new_quiet: Vec<(usize, TestId)>,
    /// Identity and elements of each case that stands in the file several times.
    joined: Vec<(TestId, Vec<ElementRef>)>,
    numbered: usize,
}

impl Merge {
    fn retries(&mut self, id: TestId, ordinal: usize, same: &[&Occurrence]) {
        let id = if ordinal > 1 { nth_id(id, ordinal) } else { id };
        self.joined.push((id, same.iter().map(|o| o.spot).collect()));
    }

    fn rename(&mut self, id: TestId, ordinal: usize, one: &Occurrence) {
        self.numbered += usize::from(ordinal > 1);
        let id = if ordinal == 1 { id } else { nth_id(id, ordinal) };
        match one.spot {
            ElementRef::Case(index) => {
                self.new_ids.insert(index, id);
            }
            ElementRef::Quiet(index) => self.new_quiet.push((index, id)),
        }
    }

    fn apply(mut self, run: &mut TestRun) {
        for (index, id) in &self.new_ids {
            run.cases[*index].id = *id;
        }
        for (index, id) in &self.new_quiet {
            run.quiet.set_id(*index, *id);
        }
        let united = self.joined.len();
        let mut gone_cases: HashSet<usize> = HashSet::new();
        let mut gone_quiet: Vec<usize> = Vec::new();
        let mut made: Vec<TestCase> = Vec::new();
        for (id, spots) in std::mem::take(&mut self.joined) {
            let mut case = TestCase { id, ..base_case(run, &spots) };
            let last = spots.len() - 1;
            for (position, spot) in spots.into_iter().enumerate() {
                match spot {
                    ElementRef::Case(index) => {
                        gone_cases.insert(index);
                        run.totals.uncount(run.cases[index].outcome());
                        join_attempts(&mut case.attempts, std::mem::take(&mut run.cases[index].attempts));
                    }
                    ElementRef::Quiet(index) => {
                        gone_quiet.push(index);
                        let outcome = run.quiet.get(index).outcome;
                        run.totals.uncount(outcome);
                        case.attempts.push(if position < last { silent_rerun() } else { clean(outcome) });
                    }
                }
            }
            run.totals.count(case.outcome());
            made.push(case);
        }
        gone_quiet.sort_unstable();
        run.quiet.remove(&gone_quiet);
        let mut index = 0;
        run.cases.retain(|_| {
            index += 1;
            !gone_cases.contains(&(index - 1))
        });
        run.cases.append(&mut made);
        self.tell(run, united);
    }

    fn tell(&self, run: &mut TestRun, united: usize) {
        if united > 0 {
            let message = format!("cases that stand in the file more than once and were read as retries: {united}");
            run.issues.push(ParseIssue::new(IssueLevel::Note, "whole file", message));
        }
        if self.numbered > 0 {
            let message = format!(
                "cases that share their name with another one and were told apart by their order: {}; give them names of their own",
                self.numbered
            );
            run.issues.push(ParseIssue::new(IssueLevel::Note, "whole file", message));
        }
    }
}

/// The case that attempts are put into: what the loudest element tells.
fn base_case(run: &TestRun, spots: &[ElementRef]) -> TestCase {
    let loud = spots.iter().rev().find_map(|spot| match spot {
        ElementRef::Case(index) => Some(&run.cases[*index]),
        ElementRef::Quiet(_) => None,
    });
    if let Some(case) = loud {
        return TestCase { attempts: Vec::new(), ..case.clone() };
    }
    let mut name = TestName::default();
    if let Some(ElementRef::Quiet(index)) = spots.first() {
        let case = run.quiet.get(*index);
        let text = |texts: &[String], at: u32| Untrusted::new(texts.get(at as usize).cloned().unwrap_or_default());
        name = TestName {
            suite: Untrusted::new(run.suite(case.suite)),
            classname: text(&run.classes, case.class),
            name: Untrusted::new(case.name),
        };
    }
    TestCase {
        id: TestId(0),
        name,
        place: None,
        variant: None,
        attempts: Vec::new(),
        declared_retries: 0,
        stdout: Untrusted::default(),
        stderr: Untrusted::default(),
        properties: Vec::new(),
    }
}

/// Appends attempts. pytest writes a failed call and the failed teardown behind
/// it as two elements: they are one attempt with two failures.
fn join_attempts(attempts: &mut Vec<Attempt>, more: Vec<Attempt>) {
    for attempt in more {
        let teardown = attempt.failures.first().is_some_and(|f| f.message.raw().starts_with("failed on teardown"));
        match attempts.last_mut().filter(|last| teardown && last.outcome.is_bad()) {
            Some(call) => call.failures.extend(attempt.failures),
            None => attempts.push(attempt),
        }
    }
}

fn clean(outcome: Outcome) -> Attempt {
    Attempt { outcome, failures: Vec::new(), seconds: None }
}

/// A try that failed and of which the report has nothing but the element.
fn silent_rerun() -> Attempt {
    let message = Untrusted::new("the runner tried again and did not write why");
    Attempt { outcome: Outcome::Failed, failures: vec![Failure { message, ..Failure::default() }], seconds: None }
}

/// Puts the runs of several files together where one file holds the retries of
/// another (`report-rerun-1.xml` beside `report.xml`, in the same folder): a
/// case that ended bad in the first gets the attempts of the second.
pub fn unite_files(runs: &mut [TestRun]) {
    let mut retries: Vec<(usize, usize)> = (0..runs.len())
        .filter_map(|retry| {
            let original = original_of(&runs[retry].path)?;
            let partner = runs.iter().position(|run| stem_of(&run.path) == original)?;
            Some((retry, partner))
        })
        .collect();
    retries.sort_by_key(|(retry, _)| runs[*retry].path.clone());
    for (retry, partner) in retries {
        let mut moved = std::mem::take(&mut runs[retry]);
        let outcomes: HashMap<TestId, Vec<Attempt>> = moved
            .quiet
            .ids()
            .map(|(id, outcome)| (id, vec![clean(outcome)]))
            .chain(moved.cases.iter().map(|case| (case.id, case.attempts.clone())))
            .collect();
        let mut taken: HashSet<TestId> = HashSet::new();
        join(&mut runs[partner], &outcomes, &mut taken);
        // What was left out when others were chosen is no result.
        let first = &runs[partner];
        let known: HashSet<TestId> =
            first.quiet.ids().map(|(id, _)| id).chain(first.cases.iter().map(|c| c.id)).collect();
        let left_out = |attempts: &[Attempt]| attempts.last().is_some_and(|a| a.outcome == Outcome::Skipped);
        taken.extend(outcomes.iter().filter(|(id, own)| left_out(own) && known.contains(id)).map(|(id, _)| *id));
        drop_cases(&mut moved, &taken);
        runs[retry] = moved;
    }
}

/// A path without the endings of a report, in lower case.
fn stem_of(path: &str) -> String {
    let lower = path.to_ascii_lowercase();
    let lower = lower.strip_suffix(".gz").unwrap_or(&lower);
    lower.strip_suffix(".xml").unwrap_or(lower).to_owned()
}

/// The stem of the report whose retries `path` holds, if its name ends in
/// `-rerun`, `_retry-2`, `.reattempt1` or the like.
fn original_of(path: &str) -> Option<String> {
    let stem = stem_of(path);
    let bare = stem.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches(['-', '_', '.']);
    ["rerun", "reruns", "retry", "retries", "reattempt"].iter().find_map(|word| {
        let before = bare.strip_suffix(word)?;
        before.strip_suffix(['-', '_', '.']).map(str::to_owned)
    })
}

fn join(run: &mut TestRun, outcomes: &HashMap<TestId, Vec<Attempt>>, taken: &mut HashSet<TestId>) {
    for case in run.cases.iter_mut().filter(|case| case.outcome().is_bad()) {
        let ran = |attempts: &&Vec<Attempt>| attempts.last().is_some_and(|a| a.outcome != Outcome::Skipped);
        let Some(more) = outcomes.get(&case.id).filter(ran) else {
            continue;
        };
        if taken.insert(case.id) {
            run.totals.uncount(case.outcome());
            case.attempts.extend(more.iter().cloned());
            run.totals.count(case.outcome());
        }
    }
}

fn drop_cases(run: &mut TestRun, taken: &HashSet<TestId>) {
    let quiet: Vec<usize> =
        run.quiet.ids().enumerate().filter(|(_, (id, _))| taken.contains(id)).map(|(index, _)| index).collect();
    for index in &quiet {
        run.totals.uncount(run.quiet.get(*index).outcome);
    }
    run.quiet.remove(&quiet);
    let gone: Vec<TestCase> = run.cases.extract_if(.., |case| taken.contains(&case.id)).collect();
    for case in gone {
        run.totals.uncount(case.outcome());
    }
}

/// Sets the count of flaky cases, which only the united cases can tell.
pub fn count_flaky(run: &mut TestRun) {
    let Totals { flaky, .. } = &mut run.totals;
    *flaky = run.cases.iter().filter(|case| case.is_flaky()).count() as u64;
}
