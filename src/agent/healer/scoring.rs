//! Outdated test or product bug? Signals with weights, and vetoes.
//!
//! The sum starts at [`PRIOR`]: a failing test is taken for a bug until
//! something says otherwise. From [`HEAL`] on the test is repaired, up to
//! [`DEFECT`] it found a bug, in between a person is asked.

mod contract_evidence;
mod evidence;

use self::contract_evidence::{ContractSays, promised};
use self::evidence::{
    Swap, adds, announces, converts, documents, has, is_description, is_distinctive, is_lock, is_product,
    is_specification, removes, replacement, touches,
};
use crate::agent::healer::renamed::new_names;
use crate::agent::healer::{Candidate, Part};
use crate::code::openapi::Operation;
use crate::code::value::Value;
use crate::diagnose::mismatch::is_error_value;
use crate::ingest::source_location::is_test_path;
use crate::model::change::{Commit, FileChange};
use crate::model::heal::EditKind;

/// Where the sum starts: most failing tests are right.
pub const PRIOR: f64 = -1.0;
/// From here on a test is outdated.
pub const HEAL: f64 = 2.0;
/// Up to here the product is broken.
pub const DEFECT: f64 = -1.0;

/// A specification, an API description or a changelog of the change says the new value.
const SPECIFIED: f64 = 3.0;
/// Product code: the old value out, the new one in.
const REPLACED: f64 = 2.0;
/// Product code: only the new value, or the field by name.
const NAMED: f64 = 1.5;
/// Product code converts the field to the new type.
const CONVERTED: f64 = 2.0;
/// Product code declares an order.
const ORDERED: f64 = 2.0;
/// Only tests, CI and documents changed: no product can have moved.
const ONLY_TESTS: f64 = -3.0;
/// The test passed before the change and fails after it.
const TURNED: f64 = 0.5;
/// It failed the same way each time.
const STABLE: f64 = 0.5;
/// Other tests moved from the same old to the same new value; each, up to three.
const TOGETHER: f64 = 0.5;
/// The change itself updated sister tests that way.
const SISTERS: f64 = 2.0;
/// Other tests still assert the old value there and pass; each.
const CONTRADICTED: f64 = -2.0;
/// A member more breaks no client.
const COMPATIBLE: f64 = 0.5;
/// Another type may break clients.
const TYPE_CHANGED: f64 = -1.0;
/// A member less breaks clients.
const MEMBER_LOST: f64 = -2.0;
/// The refusal names the field that the change requires.
const REFUSAL_NAMES: f64 = 1.5;
/// A commit message announces it; anybody can write one.
const ANNOUNCED: f64 = 0.5;
/// Only dependencies changed, and a message is worded differently.
const BUMPED: f64 = 1.0;
/// Nothing in the change has to do with it.
const UNRELATED: f64 = -1.0;

/// One reason.
#[derive(Clone, Debug, PartialEq)]
pub struct Reason {
    /// Name of the signal.
    pub kind: &'static str,
    /// Its weight; positive for an outdated test.
    pub weight: f64,
    /// In words.
    pub text: String,
    /// Where it comes from.
    pub source: String,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The test is outdated: repair it.
    Heal,
    /// It could be either: ask a person.
    Ask,
    /// The test found a bug.
    Defect,
}

/// What API descriptions say of the endpoint that the test requests.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ApiContract {
    /// The description's file.
    pub file: String,
    /// Before the change.
    pub before: Option<Operation>,
    /// After it.
    pub now: Option<Operation>,
}

/// What is weighed.
pub struct ScoringInput<'a> {
    /// The edit that would repair the test.
    pub candidate: &'a Candidate,
    /// What changed between the last good and the tested commit.
    pub change: &'a [FileChange],
    /// Its commits, newest first.
    pub commits: &'a [Commit],
    /// The failure's text.
    pub text: &'a str,
    /// Whether the test passed on the code before the change; `None` where that
    /// could not be seen.
    pub passed_before: Option<bool>,
    /// How often it failed the same way.
    pub repeated: u32,
    /// Other failing tests with the same old and new value.
    pub together: usize,
    /// Places of passing tests that assert the old value of the same field.
    pub contradicting: &'a [String],
    /// What API descriptions promise.
    pub promise: Option<&'a ApiContract>,
    /// Words of fields that are left to a person.
    pub sensitive: &'a [String],
    /// Who answers for it that the test is outdated. Guards and proof are asked all the same.
    pub insisted: Option<&'a str>,
}

/// The verdict, with all its reasons.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// What is to be done.
    pub band: Decision,
    /// The sum.
    pub score: f64,
    /// What it is made of.
    pub reasons: Vec<Reason>,
    /// Why it is not healed, whatever the sum.
    pub veto: Option<String>,
}

/// Weighs a case.
#[must_use]
pub fn score(case: &ScoringInput<'_>) -> Score {
    let mut reasons = Vec::new();
    let mut add = |kind, weight: f64, text: String, source: &str| {
        reasons.push(Reason { kind, weight, text, source: source.to_owned() });
    };
    let product: Vec<&FileChange> = case.change.iter().filter(|f| is_product(&f.path)).collect();
    if !case.change.is_empty() && product.is_empty() && !case.change.iter().any(|f| is_lock(&f.path)) {
        add(
            "only-tests",
            ONLY_TESTS,
            "only tests, CI or documents changed: the product cannot have moved".into(),
            "change",
        );
    }
    match case.passed_before {
        Some(true) => {
            add("turned", TURNED, "the test passes on the code before the change and fails after it".into(), "proof");
        }
        Some(false) => {
            add("failed-before", -8.0, "the test fails on the code before the change as well".into(), "proof");
        }
        None => {}
    }
    if case.repeated > 1 {
        add("stable", STABLE, format!("it failed the same way {} times", case.repeated), "proof");
    }
    if case.together > 0 {
        let weight = TOGETHER * case.together.min(3) as f64;
        add("together", weight, format!("{} more failing tests moved the same way", case.together), "report");
    }
    for place in case.contradicting.iter().take(3) {
        add("contradicted", CONTRADICTED, format!("{place} still asserts the old value and passes"), "tests");
    }
    for part in &case.candidate.parts {
        of_part(part, case, &product, &mut add);
    }
    let personal = || case.candidate.parts.iter().find_map(|p| sensitive(p, case.sensitive));
    if let Some(who) = case.insisted {
        let against = veto(case).or_else(personal).map_or_else(String::new, |why| format!(", against: {why}"));
        let text = format!("{who} answers for it that the test is outdated{against}");
        reasons.push(Reason { kind: "insisted", weight: 0.0, text, source: "a comment".to_owned() });
        let score = PRIOR + reasons.iter().map(|r| r.weight).sum::<f64>();
        return Score { band: Decision::Heal, score, reasons, veto: None };
    }
    let score = PRIOR + reasons.iter().map(|r| r.weight).sum::<f64>();
    let veto = veto(case);
    let band = match score {
        _ if veto.is_some() => Decision::Defect,
        s if s >= HEAL => Decision::Heal,
        s if s <= DEFECT => Decision::Defect,
        _ => Decision::Ask,
    };
    // A value that is a person's to judge is neither healed nor called a bug.
    match Some(()).filter(|()| band == Decision::Heal).and_then(|()| personal()) {
        Some(why) => Score { band: Decision::Ask, score, reasons, veto: Some(why) },
        None => Score { band, score, reasons, veto },
    }
}

type Add<'x> = dyn FnMut(&'static str, f64, String, &str) + 'x;

fn of_part(part: &Part, case: &ScoringInput<'_>, product: &[&FileChange], add: &mut Add<'_>) {
    // Several parts share one question: each may add, but the weights are per edit.
    let share = 1.0 / case.candidate.parts.len() as f64;
    let mut add = |kind, weight: f64, text: String, source: &str| add(kind, weight * share, text, source);
    let mut related = by_specification(part, case, &mut add);
    related |= match part.kind {
        EditKind::Payload => by_refusal(part, case, product, &mut add),
        EditKind::Path => {
            add("route-moved", REPLACED, format!("a route moved: `{}` is `{}` now", part.old, part.new), "change");
            true
        }
        EditKind::Order => by_order(product, &mut add),
        EditKind::RemovedMember => by_loss(part, product, &mut add),
        _ => by_values(part, product, &mut add),
    };
    related |= by_type(part, product, &mut add);
    related |= by_the_rest_of_the_change(part, case, product, &mut add);
    if let Some(commit) = case.commits.iter().find(|c| announces(c.subject.raw(), part)) {
        add("announced", ANNOUNCED, format!("commit {} announces it", crate::history::short(&commit.sha)), "commits");
    }
    if !related && !case.change.is_empty() {
        add("unrelated", UNRELATED, format!("nothing in the change has to do with {}", subject(part)), "change");
    }
}

/// What descriptions, changelogs and documents of the change say. Like the
/// functions below it tells whether anything in the change has to do with the part.
fn by_specification(part: &Part, case: &ScoringInput<'_>, add: &mut Add<'_>) -> bool {
    let described = case.promise.map(|p| promised(p, part)).filter(|d| *d != ContractSays::Silent);
    let specified = case
        .change
        .iter()
        .find(|f| is_specification(&f.path) && !(described.is_some() && is_description(&f.path)) && documents(f, part));
    let file = case.promise.map_or("", |p| p.file.as_str());
    match (described, specified) {
        (Some(ContractSays::New), _) => {
            add("specified", SPECIFIED, format!("{file} promises {} newly", subject(part)), file);
        }
        (_, Some(changed)) => {
            add("specified", SPECIFIED, format!("{} says {}", changed.path, subject(part)), &changed.path);
        }
        (Some(ContractSays::Allowed), _) => {
            add("allowed", COMPATIBLE, format!("{file} allows {}", subject(part)), file);
        }
        (Some(ContractSays::Unknown), _) => {
            add("not-described", UNRELATED, format!("{file} does not know {}", subject(part)), file);
        }
        _ => {}
    }
    specified.is_some() || described == Some(ContractSays::New)
}

/// A field that is required now: the change brings it, the refusal names it.
fn by_refusal(part: &Part, case: &ScoringInput<'_>, product: &[&FileChange], add: &mut Add<'_>) -> bool {
    let new = part.new.as_str();
    let brought = product.iter().find(|f| brings(f, part));
    if let Some(file) = brought {
        add("requires", NAMED, format!("{} mentions `{new}` newly", file.path), &file.path);
    }
    if case.text.contains(new) {
        add("refusal-names", REFUSAL_NAMES, format!("the refusal names `{new}`"), "failure");
    }
    brought.is_some()
}

fn by_order(product: &[&FileChange], add: &mut Add<'_>) -> bool {
    const WORDS: &[&str] = &["sort", "order_by", "orderBy", "ORDER BY", "OrderBy", "reverse", "Comparator", "sorted"];
    let declares = |f: &&&FileChange| f.added.iter().any(|l| WORDS.iter().any(|w| l.contains(w)));
    let found = product.iter().find(declares);
    if let Some(file) = found {
        add("ordered", ORDERED, format!("{} declares an order", file.path), &file.path);
    }
    found.is_some()
}

fn by_loss(part: &Part, product: &[&FileChange], add: &mut Add<'_>) -> bool {
    let old = part.old.as_str();
    let lost = product
        .iter()
        .find(|f| is_distinctive(old) && f.removed.iter().any(|l| has(l, old)) && !f.added.iter().any(|l| has(l, old)));
    if let Some(file) = lost {
        add("taken-out", REPLACED, format!("{} takes `{old}` out", file.path), &file.path);
    }
    add("member-lost", MEMBER_LOST, "a member less breaks clients that read it".into(), "rule");
    lost.is_some()
}

/// The old value out of product code and the new one in, or one of the two, or
/// lines about the field.
fn by_values(part: &Part, product: &[&FileChange], add: &mut Add<'_>) -> bool {
    let (old, new) = (part.old.as_str(), part.new.as_str());
    let swapped = |wanted: Swap| product.iter().find(|f| replacement(f, part) == wanted);
    let named = product.iter().find(|f| is_distinctive(&part.field) && touches(f, &part.field));
    // Lines that differ in nothing but the name.
    let renames = |f: &&&FileChange| new_names(std::slice::from_ref(**f), old).iter().any(|n| n == new);
    let renamed = product.iter().find(renames).filter(|_| part.kind == EditKind::RenamedKey);
    if let Some(file) = swapped(Swap::Clear).or(renamed) {
        add("replaced", REPLACED, format!("{} replaces `{old}` by `{new}`", file.path), &file.path);
    } else if let Some(file) = swapped(Swap::Mixed) {
        add("moved", NAMED, format!("{} has less of `{old}` and more of `{new}`", file.path), &file.path);
    } else if let Some(file) = product.iter().find(|f| brings(f, part)) {
        let strong = matches!(part.kind, EditKind::Status | EditKind::AddedMember);
        let weight = if strong { REPLACED } else { NAMED };
        add("new-value", weight, format!("{} brings `{new}` in", file.path), &file.path);
    } else if let Some(file) = named {
        add("named", NAMED, format!("{} changes lines about `{}`", file.path, part.field), &file.path);
    } else {
        return false;
    }
    true
}

/// Whether a changed file has the new value, and had it nowhere before.
fn brings(file: &FileChange, part: &Part) -> bool {
    is_distinctive(&part.new) && adds(file, &part.new, part) && !file.removed.iter().any(|l| has(l, &part.new))
}

/// What the kind of the value says: more members, another type.
fn by_type(part: &Part, product: &[&FileChange], add: &mut Add<'_>) -> bool {
    if part.kind == EditKind::AddedMember {
        add("compatible", COMPATIBLE, "a member more breaks no client".into(), "rule");
        if part.came.as_ref().is_some_and(Value::is_nothing) {
            add("nothing-in-it", TYPE_CHANGED, format!("`{}` holds nothing", part.new), "failure");
        }
    }
    if part.kind != EditKind::Type {
        return false;
    }
    add("type-changed", TYPE_CHANGED, "another type may break clients".into(), "rule");
    let converting = product.iter().find(|f| converts(f, &part.field, part.came.as_ref()));
    if let Some(file) = converting {
        add("converted", CONVERTED, format!("{} converts `{}`", file.path, part.field), &file.path);
    }
    converting.is_some()
}

/// Sister tests that the change updated, and dependencies that it moved.
fn by_the_rest_of_the_change(part: &Part, case: &ScoringInput<'_>, product: &[&FileChange], add: &mut Add<'_>) -> bool {
    let (old, new) = (part.old.as_str(), part.new.as_str());
    let updated = |f: &&FileChange| {
        is_test_path(&f.path) && is_distinctive(new) && adds(f, new, part) && (old.is_empty() || removes(f, old, part))
    };
    let sister = case.change.iter().find(updated);
    if let Some(file) = sister {
        add("sisters-updated", SISTERS, format!("{} was updated the same way", file.path), &file.path);
    }
    let bumped = product.is_empty() && case.change.iter().any(|f| is_lock(&f.path)) && part.kind == EditKind::Message;
    if bumped {
        add("bumped", BUMPED, "only dependencies changed, and a message is worded differently".into(), "change");
    }
    sister.is_some() || bumped
}

fn subject(part: &Part) -> String {
    match part.kind {
        EditKind::RemovedMember => format!("`{}`", part.old),
        _ if part.new.is_empty() => format!("`{}`", part.field),
        _ => format!("`{}`", part.new),
    }
}

/// Why a repair is out of the question.
fn veto(case: &ScoringInput<'_>) -> Option<String> {
    for part in &case.candidate.parts {
        if let Some(promise) = case.promise.filter(|p| promised(p, part) == ContractSays::Against) {
            let old = if part.old.is_empty() { &part.field } else { &part.old };
            return Some(format!("{} still promises `{old}` and not {}", promise.file, subject(part)));
        }
        if matches!(part.kind, EditKind::RenamedKey | EditKind::Payload | EditKind::Path | EditKind::Order) {
            continue;
        }
        if part.kind == EditKind::Status {
            if let Some(why) = status_veto(&part.old, &part.new) {
                return Some(why);
            }
            continue;
        }
        let nothing = part.came.as_ref().is_some_and(Value::is_nothing) && part.kind != EditKind::AddedMember;
        if nothing {
            return Some(format!(
                "`{}` is nothing now where a value was: no product changes to that on purpose",
                part.field
            ));
        }
        let error = part.came.as_ref().and_then(Value::shown).is_some_and(|s| is_error_value(&s))
            && part.kind != EditKind::AddedMember;
        if error {
            return Some(format!("`{}` is an error: no product changes to that on purpose", part.new));
        }
        if part.kind == EditKind::Message
            && let Some(word) = unfilled(&part.old, &part.new)
        {
            return Some(format!("the message says `{word}`: something was not filled in"));
        }
    }
    None
}

/// A word that a message has where nothing was filled in, and the old one had not.
fn unfilled(old: &str, new: &str) -> Option<&'static str> {
    const WORDS: &[&str] =
        &["None", "null", "undefined", "NaN", "[object Object]", "nil", "%s", "%d", "%v", "<nil>", "{}", "{0}"];
    let stands =
        |text: &str, word: &str| has(text, word) || (!word.chars().all(char::is_alphanumeric) && text.contains(word));
    WORDS.iter().find(|w| stands(new, w) && !stands(old, w)).copied()
}

/// Statuses change within their class, and never to a server error or about rights.
fn status_veto(old: &str, new: &str) -> Option<String> {
    let class = |s: &str| s.chars().next().unwrap_or('0');
    if class(new) == '5' {
        return Some(format!("{new} is a server error"));
    }
    if [old, new].iter().any(|s| matches!(*s, "401" | "403" | "407")) {
        return Some(format!("{old} and {new} are about who may do what"));
    }
    (class(old) != class(new)).then(|| format!("the status goes from {old} to {new}: from one class to another"))
}

fn sensitive(part: &Part, words: &[String]) -> Option<String> {
    let field = part.field.to_ascii_lowercase();
    let found = words.iter().find(|w| {
        field.split(|c: char| !c.is_alphanumeric()).any(|p| p == w.as_str() || p.trim_end_matches('s') == w.as_str())
    })?;
    let value = !matches!(part.kind, EditKind::RenamedKey | EditKind::Path | EditKind::Payload | EditKind::Message);
    value.then(|| format!("`{}` is about {found}: such values are left to a person (`heal.sensitive`)", part.field))
}
