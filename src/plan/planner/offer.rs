//! Branches of ours that are offered as pull requests: pushed once, offered once, and
//! their tests started.

use super::{PlannerInput, planned};
use crate::model::forge::{BotBranch, OUR_BRANCHES};
use crate::plan::action::{Action, BODY_LIMIT, CommitDraft, Person, Plan, Planned, Precondition, SkippedAction};
use crate::plan::marker::{self, RepairState, VERSION};
use crate::render::message::heal;

/// Something on a branch of its own.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Name of the branch that would hold it.
    pub branch: String,
    /// The branch that it goes into.
    pub base: String,
    /// Digest of what it does: the same on whatever commit.
    pub edit: String,
    /// Its commits, on top of each other.
    pub commits: Vec<CommitDraft>,
    /// Who signs them; the token's own identity where it is `None`.
    pub author: Option<Person>,
    /// Title of the pull request.
    pub title: String,
    /// Its text, without marker.
    pub body: String,
    /// What it is about, such as the ids of diagnoses.
    pub about: String,
    /// What it holds, such as `the repair of 2 tests`.
    pub what: String,
    /// Why it is pushed.
    pub because: String,
    /// Why it is offered.
    pub offered: String,
}

/// Bytes of the text of a pull request.
pub const BODY: usize = BODY_LIMIT - 500;

/// The name of a branch of ours: its kind, what it is about, and the commit it builds on.
#[must_use]
pub fn branch_name(kind: &str, about: &str, base: &str) -> String {
    let plain = |text: &str, most: usize| -> String {
        text.chars().filter(char::is_ascii_alphanumeric).take(most).collect::<String>().to_ascii_lowercase()
    };
    format!("{OUR_BRANCHES}{kind}/{}-{}", plain(about, 20), plain(base, 12))
}

impl Offer {
    /// How the names of its branches begin, on whatever commit.
    #[must_use]
    pub fn begin(&self) -> &str {
        self.branch.rfind('-').map_or(&self.branch, |at| &self.branch[..=at])
    }
}

/// The branch of an offer, as the forge shows it.
#[must_use]
pub fn branch_of<'s>(given: &'s PlannerInput<'_>, branch: &str) -> Option<&'s BotBranch> {
    given.snapshot.branches.iter().find(|b| b.wanted == branch)
}

/// Pushes the branch, opens a pull request from it, starts its tests: what of that is
/// not done yet. `room` tells why no further branch may be pushed.
pub(super) fn plan(given: &PlannerInput<'_>, offer: &Offer, room: Result<(), String>, plan: &mut Plan) {
    let mut withhold =
        |reason: String| plan.withheld.push(SkippedAction::new("push-branch", offer.about.clone(), reason));
    let there = branch_of(given, &offer.branch);
    match (there, room) {
        (Some(there), _) if !there.is_same => {
            return withhold(format!("`{}` is there with other content: it is left alone", offer.branch));
        }
        (Some(BotBranch { pull: Some(offered), .. }), _) if !offered.open => {
            return withhold(format!("pull request {} offered this very edit and was closed", offered.number));
        }
        (Some(_), _) => {}
        (None, Err(why)) => return withhold(why),
        (None, Ok(())) => plan.actions.push(push(given, offer)),
    }
    let after = there.is_none().then(|| Precondition::AfterAction { action: format!("push-branch:{}", offer.branch) });
    let name = there.map_or(offer.branch.as_str(), |there| there.name.as_str());
    if there.is_none_or(|b| b.pull.is_none()) && !is_told(given, name, &offer.base) {
        plan.actions.push(open(given, offer, name, after.clone()));
    }
    // A branch that was pushed with a workflow's own token starts no workflow but
    // one that is dispatched.
    if let (Some(after), Some(workflow)) = (after, &given.scene.workflow) {
        plan.actions.push(planned(
            Action::DispatchWorkflow { workflow: workflow.clone(), branch: offer.branch.clone() },
            format!("dispatch-workflow:{workflow}:{}", offer.branch),
            "a branch that a workflow's own token pushed starts no workflow by itself".to_owned(),
            format!("run {workflow} on the branch"),
            offer.branch.clone(),
            vec![after, Precondition::NoRunOn { workflow: workflow.clone(), branch: offer.branch.clone() }],
        ));
    }
}

/// That the pull request still is where it was; a branch that others push to may move on.
fn unmoved(given: &PlannerInput<'_>) -> Option<Precondition> {
    let pull = given.scene.pull.as_ref()?;
    Some(Precondition::PullRequestHeadIs { pull: pull.number, head: given.scene.head.clone() })
}

fn push(given: &PlannerInput<'_>, offer: &Offer) -> Planned {
    planned(
        Action::PushBranch {
            branch: offer.branch.clone(),
            parent: given.scene.head.clone(),
            commits: offer.commits.clone(),
            author: offer.author.clone(),
        },
        format!("push-branch:{}", offer.branch),
        offer.because.clone(),
        format!("push {}", offer.what),
        offer.branch.clone(),
        unmoved(given).into_iter().chain([Precondition::NoBranch { branch: offer.branch.clone() }]).collect(),
    )
}

/// Whether our comment offers the branch already, because no pull request could
/// be opened.
fn is_told(given: &PlannerInput<'_>, branch: &str, base: &str) -> bool {
    let url = heal::compare_url(given.scene, base, branch);
    given.snapshot.comments.iter().flatten().any(|comment| comment.body.contains(&url))
}

fn open(given: &PlannerInput<'_>, offer: &Offer, branch: &str, after: Option<Precondition>) -> Planned {
    let state = RepairState { v: VERSION, branch: branch.to_owned(), edit: offer.edit.clone() };
    let marker = marker::write(marker::REPAIR, &state);
    let target = match &given.scene.pull {
        Some(pull) => format!("pull request {}", pull.number),
        None => offer.base.clone(),
    };
    planned(
        Action::OpenPullRequest {
            branch: branch.to_owned(),
            base: offer.base.clone(),
            title: offer.title.clone(),
            body: format!("{marker}\n{}", offer.body),
        },
        format!("open-pull-request:{branch}"),
        offer.offered.clone(),
        format!("offer {} to {}", offer.what, offer.base),
        target,
        after
            .into_iter()
            .chain(unmoved(given))
            .chain([Precondition::NoPullFrom { branch: branch.to_owned() }])
            .collect(),
    )
}
