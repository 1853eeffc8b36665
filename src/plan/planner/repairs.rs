//! Repairs of tests: which belong together, how they are handed over (as
//! suggestions, on a branch, or as a patch to read), and the actions for it.

use std::collections::{BTreeMap, BTreeSet};

use super::PlannerInput;
use super::offer::{self, Offer};
use crate::agent::healer::result::{HealResult, Outcome, TestHeal};
use crate::code::hunks::{Hunk, hunks};
use crate::model::heal::HealMode;
use crate::model::secret::mask;
use crate::plan::action::{Action, CommitDraft, FileText, Plan, SkippedAction};
use crate::plan::marker;
use crate::render::message::heal;
use crate::render::plural::plural;

/// Bytes of the lines of one suggestion.
const SUGGESTED: usize = 10_000;

/// What the healer brought.
#[derive(Clone, Debug, Default)]
pub struct Repairs {
    /// One for each test that was looked at, in the order in which they build on
    /// each other.
    pub all: Vec<TestHeal>,
    /// Files among theirs that can be executed.
    pub executable: BTreeSet<String>,
    /// What was not looked at, and why.
    pub withheld: Vec<SkippedAction>,
}

/// Repairs that belong together: of one diagnosis, or in one file.
#[derive(Clone, Debug)]
pub struct Draft<'r> {
    /// Name of the branch that would hold it.
    pub branch: String,
    /// The repairs, in order.
    pub repairs: Vec<&'r TestHeal>,
    /// Path → text of the tested commit and text after all repairs.
    pub files: BTreeMap<&'r str, (&'r str, &'r str)>,
    /// Why it is no more than a suggestion; `None` where each repair is proven.
    pub open: Option<&'static str>,
    /// Whether another test that fails for the same cause may have found a bug.
    pub doubted: bool,
}

impl Draft<'_> {
    /// Digest of the lines that it changes: the same on whatever commit.
    #[must_use]
    pub fn edit(&self) -> String {
        let lines = self.files.iter().map(|(path, (old, new))| {
            let places = hunks(old, new).unwrap_or_default();
            let changed: Vec<_> = places.into_iter().map(|h| (h.old, h.new)).collect();
            format!("{path} {changed:?}")
        });
        marker::digest(&lines.collect::<Vec<_>>().join("\n"))
    }

    /// One commit for each diagnosis, on top of each other.
    #[must_use]
    pub fn commits(&self, executable: &BTreeSet<String>) -> Vec<CommitDraft> {
        let mut groups: Vec<Vec<&TestHeal>> = Vec::new();
        for repair in &self.repairs {
            match groups.last_mut().filter(|g| g[0].diagnosis == repair.diagnosis) {
                Some(group) => group.push(repair),
                None => groups.push(vec![repair]),
            }
        }
        let commit = |group: &Vec<&TestHeal>| {
            let mut files: BTreeMap<&str, &str> = BTreeMap::new();
            for file in group.iter().flat_map(|r| &r.healing.patch) {
                files.insert(&file.path, file.new.as_deref().unwrap_or_default());
            }
            let healings: Vec<&HealResult> = group.iter().map(|r| &r.healing).collect();
            CommitDraft {
                message: heal::commit_message(&healings),
                files: files
                    .into_iter()
                    .map(|(path, text)| FileText {
                        path: path.to_owned(),
                        text: text.to_owned(),
                        executable: executable.contains(path),
                    })
                    .collect(),
            }
        };
        groups.iter().map(commit).collect()
    }
}

/// Puts together what belongs together.
#[must_use]
pub fn drafts<'r>(repairs: &'r Repairs, head: &str) -> Vec<Draft<'r>> {
    let mut groups: Vec<Vec<&TestHeal>> = Vec::new();
    for repair in repairs.all.iter().filter(|r| r.healing.outcome.is_repair() && !r.healing.patch.is_empty()) {
        let (touching, mut others): (Vec<_>, Vec<_>) =
            groups.into_iter().partition(|group| group.iter().any(|other| belong_together(other, repair)));
        let mut united: Vec<&TestHeal> = touching.into_iter().flatten().collect();
        united.push(repair);
        others.push(united);
        groups = others;
    }
    groups.into_iter().map(|group| draft(group, repairs, head)).collect()
}

fn belong_together(a: &TestHeal, b: &TestHeal) -> bool {
    let same = a.diagnosis.is_some() && a.diagnosis == b.diagnosis;
    same || a.healing.patch.iter().any(|f| b.healing.patch.iter().any(|g| f.path == g.path))
}

fn draft<'r>(group: Vec<&'r TestHeal>, repairs: &'r Repairs, head: &str) -> Draft<'r> {
    // Parts of a group may have come together late: the order they were made in counts.
    let order = |wanted: &TestHeal| repairs.all.iter().position(|r| std::ptr::eq(r, wanted));
    let mut group = group;
    group.sort_by_key(|r| order(r));
    let mut files: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    for file in group.iter().flat_map(|r| &r.healing.patch) {
        let (old, new) = (file.old.as_deref().unwrap_or_default(), file.new.as_deref().unwrap_or_default());
        files.entry(&file.path).and_modify(|(_, last)| *last = new).or_insert((old, new));
    }
    let names: BTreeSet<&str> = group.iter().filter_map(|r| r.diagnosis.as_deref()).collect();
    let doubted = |r: &&TestHeal| {
        let of_these = r.diagnosis.as_deref().is_some_and(|d| names.contains(d));
        of_these && matches!(r.healing.outcome, Outcome::Ask | Outcome::Defect)
    };
    let missing = group.iter().any(|r| r.healing.outcome != Outcome::Healed);
    let doubted = repairs.all.iter().any(|r| doubted(&r));
    Draft {
        branch: offer::branch_name("heal", names.first().copied().unwrap_or("test"), head),
        open: missing.then_some("a corner of the proof is missing"),
        doubted,
        repairs: group,
        files,
    }
}

/// How a draft is handed over.
#[derive(Clone, Debug, PartialEq)]
pub enum Handover {
    /// As suggestions in a review: path and place of each.
    Suggestions(Vec<(String, Hunk)>),
    /// On a branch of its own.
    Branch,
    /// As a patch to read, and why not as more.
    Patch(String),
}

/// Whether a text has lines that look like secrets and were not there before.
#[must_use]
pub fn adds_secret(old: &str, new: &str) -> bool {
    new.lines().any(|line| mask(line) != line && !old.contains(line))
}

/// Decides how a draft is handed over.
#[must_use]
pub fn handover(draft: &Draft<'_>, given: &PlannerInput<'_>) -> Handover {
    if draft.files.values().any(|(old, new)| adds_secret(old, new)) {
        return Handover::Patch("what the edit adds looks like a secret".to_owned());
    }
    if draft.doubted {
        return Handover::Patch("another test that fails for the same cause may have found a bug".to_owned());
    }
    if let Some(places) = in_diff(draft, given) {
        return Handover::Suggestions(places);
    }
    match (given.policy.heal.mode, &draft.open) {
        (HealMode::Branch, None) => Handover::Branch,
        (HealMode::Branch, Some(why)) => Handover::Patch((*why).to_owned()),
        _ => Handover::Patch("the edit lies outside of the diff, where nothing can be suggested; `heal.mode = \"branch\"` would push it as a branch".to_owned()),
    }
}

/// The places of a draft, where the diff shows all of them.
fn in_diff(draft: &Draft<'_>, given: &PlannerInput<'_>) -> Option<Vec<(String, Hunk)>> {
    let diff = given.snapshot.diff.as_deref().filter(|_| given.policy.review.enabled)?;
    let mut places = Vec::new();
    for (path, (old, new)) in &draft.files {
        let file = diff.iter().find(|file| file.path == *path)?;
        for hunk in hunks(old, new)? {
            let shown = file.shown.iter().any(|(first, last)| *first <= hunk.first && hunk.last <= *last);
            let block = crate::render::markdown::suggestion(&hunk.new)?;
            if !shown || block.len() > SUGGESTED {
                return None;
            }
            places.push(((*path).to_owned(), hunk));
        }
    }
    let room = places.len() <= given.policy.review.max_comments as usize;
    (room && !places.is_empty()).then_some(places)
}

/// The branch that repairs go into: that of the pull request, else the tested one.
fn base(given: &PlannerInput<'_>) -> String {
    given.scene.pull.as_ref().map_or_else(|| given.scene.branch.clone(), |pull| pull.head_ref.clone())
}

/// A draft as it is offered into the branch that was tested.
#[must_use]
pub fn offer(given: &PlannerInput<'_>, draft: &Draft<'_>) -> Offer {
    let healings: Vec<&HealResult> = draft.repairs.iter().map(|r| &r.healing).collect();
    let tests = plural(draft.repairs.len() as u64, "test");
    Offer {
        branch: draft.branch.clone(),
        base: base(given),
        edit: draft.edit(),
        commits: draft.commits(&given.repairs.executable),
        author: given.policy.heal.author(),
        title: heal::pull_title(&healings),
        body: heal::pull_body(&draft.repairs, given.scene, offer::BODY),
        about: because(draft),
        what: format!("the repair of {tests}"),
        because: format!("{tests} outdated, the repair is proven"),
        offered: "a repair is offered, never merged".to_owned(),
    }
}

/// The offers of repairs that go onto a branch.
#[must_use]
pub fn offers(given: &PlannerInput<'_>) -> Vec<Offer> {
    let drafts = drafts(given.repairs, &given.scene.head);
    let on_branch = drafts.iter().filter(|draft| handover(draft, given) == Handover::Branch);
    on_branch.map(|draft| offer(given, draft)).collect()
}

/// Pushes branches, opens pull requests from them, starts their tests.
#[must_use]
pub fn plan(given: &PlannerInput<'_>) -> Plan {
    let mut plan = Plan { actions: Vec::new(), withheld: given.repairs.withheld.clone() };
    let mut pushed = 0;
    for draft in drafts(given.repairs, &given.scene.head) {
        match handover(&draft, given) {
            Handover::Suggestions(_) => {}
            Handover::Patch(why) => plan.withheld.push(SkippedAction::new("push-branch", because(&draft), why)),
            Handover::Branch => {
                let most = given.policy.heal.max_branches;
                let full = pushed + given.snapshot.offered >= most;
                let why = || format!("`heal.max-branches` is {most}, and as many are offered");
                let before = plan.actions.len();
                offer::plan(given, &offer(given, &draft), if full { Err(why()) } else { Ok(()) }, &mut plan);
                let pushes = plan.actions[before..].iter().any(|p| matches!(p.action, Action::PushBranch { .. }));
                pushed += u32::from(pushes);
            }
        }
    }
    plan
}

fn because(draft: &Draft<'_>) -> String {
    let names: BTreeSet<&str> = draft.repairs.iter().filter_map(|r| r.diagnosis.as_deref()).collect();
    names.into_iter().collect::<Vec<_>>().join(", ")
}
