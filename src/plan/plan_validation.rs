//! Admits a saved plan: item by item, each with a reason where it is refused.
//!
//! The plan may have been written by anybody who can open a pull request: the
//! code of a fork can replace the file before it is handed over. So nothing in
//! it is believed. What it may do is decided by where it came from, as GitHub
//! tells it ([`PlanOrigin`]), and its texts may hold only what our own messages
//! hold.

mod repairs;

use std::collections::HashMap;

use crate::model::forge::RepoSlug;
use crate::plan::action::{
    ANNOTATIONS, Action, Annotation, BODY_LIMIT, LineComment, Plan, Planned, Precondition, SkippedAction,
};
use crate::plan::marker::{self, IssueState, LegState, NoteState, ReplyState, RollUpState, StickyState};
use crate::plan::plan_file::SavedPlan;
use crate::plan::planner::{comment, is_of_workflow};
use crate::plan::policy::Policy;
use crate::plan::snapshot::{ROLL_UP_KEY, sticky_key};
use crate::plan::texts::{Origin, TextRules};
use crate::render::message::reply::PART;

/// Matrix legs whose plans are taken from one run.
const LEGS: u32 = 30;

/// What GitHub says about where a plan came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanOrigin {
    /// The repository that we write to.
    pub repository: RepoSlug,
    /// Web address of the forge; links in texts may lead there and nowhere else.
    pub server: String,
    /// The commit on which the run that wrote the plan ran.
    pub head: String,
    /// The pull request with that head.
    pub pull: Option<u64>,
    /// Whether the run was one of the default branch, and so may speak of issues.
    pub default_branch: bool,
    /// Whether its head is a branch of the repository itself.
    pub own_branch: bool,
    /// The branch that was tested: the pull request's, else the default branch.
    pub head_ref: Option<String>,
    /// Paths that the pull request changes.
    pub changed: Vec<String>,
    /// Texts that `head` has at the paths that plans would change.
    pub texts: HashMap<String, String>,
    /// File of the workflow that ran.
    pub workflow: Option<String>,
    /// The reply that the plan may bring up to date, where it answers a command: thread,
    /// key, and who works on it.
    pub reply: Option<(u64, String, String)>,
    /// Number of the run, and its attempt.
    pub run: Option<u64>,
    /// See `run`.
    pub attempt: u32,
}

impl PlanOrigin {
    /// What the texts of its plans may hold.
    #[must_use]
    pub fn rules(&self) -> TextRules {
        let origin = if self.own_branch { Origin::OwnBranch } else { Origin::Fork };
        TextRules { repository: self.repository.clone(), server: self.server.clone(), origin }
    }
}

/// Admits what may be done of all plans that one run left, withholds the rest
/// with the reason.
#[must_use]
pub fn validate(plans: &[SavedPlan], source: &PlanOrigin, policy: &Policy) -> Plan {
    let mut plan = Plan::default();
    let mut counts: HashMap<&'static str, u32> = HashMap::new();
    for saved in plans {
        plan.withheld.extend(
            saved.withheld.iter().take(50).map(|w| SkippedAction::new(&cut(&w.kind), cut(&w.because), cut(&w.reason))),
        );
        admit_one(saved, source, policy, &mut counts, &mut plan);
    }
    unite_legs(&mut plan, source);
    unite_reviews(&mut plan, source, policy);
    plan
}

fn admit_one(
    saved: &SavedPlan,
    source: &PlanOrigin,
    policy: &Policy,
    counts: &mut HashMap<&'static str, u32>,
    plan: &mut Plan,
) {
    let whole = whole(saved, source).err();
    for item in &saved.actions {
        let kind = item.action.kind();
        // The history belongs to the job that read the reports, and what the job
        // could write itself is written.
        let is_done = item.receipt.as_deref().is_some_and(|r| r == "done" || r == "already-done");
        if matches!(item.action, Action::RecordRun { .. }) || (is_done && source.own_branch) {
            continue;
        }
        let action = own(&item.action, source);
        let verdict = match &whole {
            Some(reason) => Err(reason.clone()),
            None => admitted(&item.action, &action, source, policy).and_then(|()| {
                let count = counts.entry(kind).or_default();
                *count += 1;
                let most = most(&action, source, policy);
                if *count > most { Err(format!("more than {most} of its kind")) } else { Ok(()) }
            }),
        };
        match verdict {
            Err(reason) => plan.withheld.push(SkippedAction::new(kind, cut(&item.id), format!("refused: {reason}"))),
            Ok(()) => plan.actions.push(Planned {
                id: cut(&item.id),
                guards: guards(&action, &item.guards, source),
                action,
                because: cut(&item.because),
                title: cut(&item.title),
                target: cut(&item.target),
                receipt: None,
            }),
        }
    }
}

/// Checks an action: its texts as saved and as they would be written, and then all other fields.
fn admitted(saved: &Action, action: &Action, source: &PlanOrigin, policy: &Policy) -> Result<(), String> {
    let rules = source.rules();
    rules.check(saved)?;
    rules.check(action)?;
    judge(action, source, policy)
}

/// Returns the action as it would be carried out. The id of a check run to edit is dropped. The body of a
/// sticky comment is composed again from its parts: combining comments drops all text around the parts,
/// so that text must not change how the parts are parsed.
fn own(action: &Action, source: &PlanOrigin) -> Action {
    let mut action = action.clone();
    match &mut action {
        Action::CheckRun { edit, annotations, .. } => {
            // Which check run to edit is looked up anew.
            *edit = None;
            // A note on a line that cannot be is no reason to lose the others.
            annotations.retain(|annotation| path(&annotation.path).is_ok() && annotation.line > 0);
        }
        Action::Comment { body, .. } if marker::read::<ReplyState>(marker::REPLY, body).is_none() => {
            if let Some(united) = comment::unite(&[body.as_str()], &source.head) {
                *body = united;
            }
        }
        _ => {}
    }
    action
}

/// The legs of a matrix leave a plan each; their parts of the one comment are
/// put together.
fn unite_legs(plan: &mut Plan, source: &PlanOrigin) {
    let Some(pull) = source.pull else { return };
    let is_reply = |body: &str| marker::read::<ReplyState>(marker::REPLY, body).is_some();
    let is_sticky = |planned: &Planned| matches!(&planned.action, Action::Comment { on, body, .. } if *on == pull && !is_reply(body));
    let bodies: Vec<String> = plan
        .actions
        .iter()
        .filter(|planned| is_sticky(planned))
        .filter_map(|planned| match &planned.action {
            Action::Comment { body, .. } => Some(body.clone()),
            _ => None,
        })
        .collect();
    let Some(first) = plan.actions.iter().position(is_sticky).filter(|_| bodies.len() > 1) else { return };
    let parts: Vec<&str> = bodies.iter().map(String::as_str).collect();
    let united = comment::unite(&parts, &source.head);
    let mut seen = false;
    plan.actions.retain(|planned| {
        let keep = !is_sticky(planned) || !seen;
        seen |= is_sticky(planned);
        keep
    });
    if let (Action::Comment { body, .. }, Some(united)) = (&mut plan.actions[first].action, united) {
        *body = united;
    }
}

/// The legs of a matrix leave a review each: what they say alike is said once,
/// and all of it goes into one, as far as there is room and the guards admit it.
fn unite_reviews(plan: &mut Plan, source: &PlanOrigin, policy: &Policy) {
    let is_review = |planned: &Planned| matches!(planned.action, Action::Review { .. });
    let Some(first) = plan.actions.iter().position(is_review) else { return };
    let mut all: Vec<LineComment> = Vec::new();
    for planned in &plan.actions {
        let Action::Review { comments, .. } = &planned.action else { continue };
        let new: Vec<LineComment> =
            comments.iter().filter(|c| !all.iter().any(|known| known.key == c.key)).cloned().collect();
        let room = all.len() + new.len() <= policy.review.max_comments as usize;
        let united: Vec<LineComment> = all.iter().cloned().chain(new).collect();
        if room && repairs::suggestions(&united, source, policy).is_ok() {
            all = united;
        }
    }
    let mut seen = false;
    plan.actions.retain(|planned| {
        let keep = !is_review(planned) || !seen;
        seen |= is_review(planned);
        keep
    });
    let planned = &mut plan.actions[first];
    if let Action::Review { comments, .. } = &mut planned.action {
        *comments = all;
    }
    planned.guards = guards(&planned.action, &[], source);
}

/// How many of its kind a plan of ours holds at most.
fn most(action: &Action, source: &PlanOrigin, policy: &Policy) -> u32 {
    match action {
        Action::PushBranch { .. } | Action::OpenPullRequest { .. } | Action::DispatchWorkflow { .. } => {
            // One more holds written tests.
            policy.heal.max_branches + 1
        }
        // One for each leg of a matrix.
        Action::CheckRun { .. } | Action::Review { .. } => LEGS,
        Action::Comment { .. } if source.pull.is_some() => LEGS,
        Action::OpenIssue { .. } => policy.issues.max_new + 1,
        _ => 50,
    }
}

fn cut(text: &str) -> String {
    crate::render::terminal::line(text, 200)
}

fn whole(saved: &SavedPlan, source: &PlanOrigin) -> Result<(), String> {
    if !saved.slug().is_some_and(|slug| slug.same(&source.repository)) {
        return Err(format!("the plan is for {}, not for {}", cut(&saved.repository), source.repository));
    }
    if saved.head != source.head {
        return Err(format!("the plan is about commit {}, the run was about {}", cut(&saved.head), source.head));
    }
    Ok(())
}

/// The guards of an admitted action, made anew: of the plan's own nothing is
/// taken but digests of what it saw, which can only make a guard stricter.
fn guards(action: &Action, given: &[Precondition], source: &PlanOrigin) -> Vec<Precondition> {
    match action {
        Action::OpenIssue { key, .. } => {
            let except = given.iter().find_map(|g| match g {
                Precondition::NoIssue { except, .. } => Some(except.clone()),
                _ => None,
            });
            vec![Precondition::NoIssue { key: key.clone(), except: except.unwrap_or_default() }]
        }
        Action::UpdateIssue { number, .. } | Action::ReopenIssue { number, .. } | Action::CloseIssue { number, .. } => {
            let seen = given.iter().find_map(|g| match g {
                Precondition::IssueIs { number: n, digest } if n == number => Some(digest.clone()),
                _ => None,
            });
            vec![Precondition::IssueIs { number: *number, digest: seen.unwrap_or_default() }]
        }
        Action::Comment { on, key, edit, .. } => {
            let seen = given.iter().find_map(|g| match g {
                Precondition::CommentIs { digest, .. } => Some(digest.clone()),
                _ => None,
            });
            let after = given.iter().filter(|g| matches!(g, Precondition::AfterAction { .. })).cloned();
            let own = match edit {
                None => Precondition::NoComment { on: *on, key: key.clone() },
                Some(id) => {
                    Precondition::CommentIs { on: *on, id: *id, key: key.clone(), digest: seen.unwrap_or_default() }
                }
            };
            after.chain([own]).collect()
        }
        Action::Review { pull, head, comments } => {
            let keys = comments.iter().map(|c| c.key.clone()).collect();
            vec![
                Precondition::PullRequestHeadIs { pull: *pull, head: head.clone() },
                Precondition::NoReviewComment { pull: *pull, keys },
            ]
        }
        Action::CheckRun { head, name, digest, .. } => {
            vec![Precondition::NoCheck { head: head.clone(), name: name.clone(), digest: digest.clone() }]
        }
        Action::RecordRun { .. } | Action::React { .. } | Action::RerunJobs { .. } => Vec::new(),
        Action::PushBranch { .. } | Action::OpenPullRequest { .. } | Action::DispatchWorkflow { .. } => {
            repairs::guards(action, given, source)
        }
    }
}

fn judge(action: &Action, source: &PlanOrigin, policy: &Policy) -> Result<(), String> {
    match action {
        Action::RecordRun { .. } => Err("the history is not written from a plan file".to_owned()),
        Action::OpenIssue { key, body, labels, assignees, .. } => {
            may_speak_of_issues(source, policy)?;
            let state = marker::read::<IssueState>(marker::ISSUE, body).map(|s| s.key);
            let roll_up = marker::read::<RollUpState>(marker::ROLL_UP, body).map(|_| ROLL_UP_KEY.to_owned());
            if state.or(roll_up).as_deref() != Some(key.as_str()) {
                return Err("its marker is not that of its key".to_owned());
            }
            if let Some(label) = labels.iter().find(|l| !policy.issues.labels.contains(l)) {
                return Err(format!("the label `{}` is not in `issues.labels`", cut(label)));
            }
            if !assignees.is_empty() && !policy.issues.assign_owners {
                return Err("`issues.assign-owners` is off".to_owned());
            }
            Ok(())
        }
        Action::UpdateIssue { body, .. } | Action::ReopenIssue { body, .. } | Action::CloseIssue { body, .. } => {
            may_speak_of_issues(source, policy)?;
            // Of a plan nothing is a person's: all of it is checked, not only our part.
            source.rules().markdown(body, BODY_LIMIT)
        }
        Action::Comment { on, key, body, .. } if marker::read::<ReplyState>(marker::REPLY, body).is_some() => {
            let state = marker::read_first::<ReplyState>(marker::REPLY, body).filter(|state| !state.is_working);
            let own = state.map(|state| (*on, state.key, state.by));
            if own.is_none() || own != source.reply || source.reply.as_ref().is_none_or(|(_, own, _)| own != key) {
                return Err("it is no answer to the command that was given".to_owned());
            }
            let other = |line: &str| line.starts_with("<!-- testmedic:") && !line.starts_with(PART);
            if body.lines().skip(1).any(other) {
                return Err("its text holds the mark of something else".to_owned());
            }
            Ok(())
        }
        Action::Comment { on, key, body, .. } => {
            if source.pull != Some(*on) {
                may_speak_of_issues(source, policy)
                    .map_err(|_| format!("thread {on} is not the pull request of commit {}", source.head))?;
            } else if !policy.comment.enabled {
                return Err("`comment.enabled` is off".to_owned());
            }
            let sticky = marker::read::<StickyState>(marker::STICKY, body).map(|s| sticky_key(&s.workflow));
            let note = marker::read::<NoteState>(marker::NOTE, body).map(|s| s.key);
            if source.pull == Some(*on) {
                sticky_of_run(body, source)?;
            }
            if sticky.or(note).as_deref() != Some(key.as_str()) {
                return Err("its marker is not that of its key".to_owned());
            }
            Ok(())
        }
        Action::Review { pull, head, comments } => review(*pull, head, comments, source, policy),
        Action::CheckRun { .. } => check_run(action, source, policy),
        Action::PushBranch { .. } | Action::OpenPullRequest { .. } | Action::DispatchWorkflow { .. } => {
            repairs::judge(action, source, policy)
        }
        // Whoever gives a command is answered by the job that heard it.
        Action::React { .. } | Action::RerunJobs { .. } => Err("no plan asks for that".to_owned()),
    }
}

fn check_run(action: &Action, source: &PlanOrigin, policy: &Policy) -> Result<(), String> {
    let Action::CheckRun { head, conclusion, title, annotations, name, digest, .. } = action else {
        return Err("it is no check run".to_owned());
    };
    if *head != source.head {
        return Err(format!("it is about commit {}, not {}", cut(head), source.head));
    }
    if source.reply.is_some() && !source.own_branch {
        return Err("the answer to a command brings no check of a fork's commit".to_owned());
    }
    if conclusion == "success" && !source.own_branch {
        return Err("the run of a fork cannot vouch for itself: `success` is not taken from it".to_owned());
    }
    if !policy.check.enabled {
        return Err("`check.enabled` is off".to_owned());
    }
    // A check run of another name could stand in for a required one, or replace another workflow's.
    if !is_of_workflow(name, &policy.check.name, source.workflow.as_deref()) {
        return Err(format!("its name is not `{}` of the workflow that ran", policy.check.name));
    }
    if !matches!(conclusion.as_str(), "success" | "failure" | "neutral") || title.contains('\n') || title.len() > 1000 {
        return Err("its conclusion or title is not one of ours".to_owned());
    }
    let is_digest =
        digest.strip_prefix("testmedic ").is_some_and(|d| d.len() == 16 && d.bytes().all(|b| b.is_ascii_hexdigit()));
    if !is_digest || cut(title) != *title {
        return Err("its title or digest is not one of ours".to_owned());
    }
    annotated(annotations)
}

/// The sticky comment is that of the workflow that ran, and its parts are about
/// the commit that was tested and no later run: a part of a run to come would
/// keep that run from being heard.
fn sticky_of_run(body: &str, source: &PlanOrigin) -> Result<(), String> {
    let workflow = marker::read::<StickyState>(marker::STICKY, body).map(|s| s.workflow);
    if workflow.is_none() || (source.workflow.is_some() && workflow != source.workflow) {
        return Err("it is not the comment of the workflow that ran".to_owned());
    }
    for leg in body.lines().filter_map(|line| marker::read::<LegState>(marker::LEG, line)) {
        if leg.head != source.head || source.run != Some(leg.run) || leg.attempt > source.attempt {
            return Err("a part of it is about another run".to_owned());
        }
    }
    Ok(())
}

fn may_speak_of_issues(source: &PlanOrigin, policy: &Policy) -> Result<(), String> {
    if !source.default_branch {
        return Err("only runs of the default branch may write issues".to_owned());
    }
    if policy.issues.enabled { Ok(()) } else { Err("`issues.enabled` is off".to_owned()) }
}

fn review(pull: u64, head: &str, comments: &[LineComment], source: &PlanOrigin, policy: &Policy) -> Result<(), String> {
    if source.pull != Some(pull) || head != source.head {
        return Err(format!("it is not about the pull request of commit {}", source.head));
    }
    if !policy.review.enabled {
        return Err("`review.enabled` is off".to_owned());
    }
    if comments.is_empty() || comments.len() > policy.review.max_comments as usize {
        return Err(format!(
            "it has {} comments; `review.max-comments` is {}",
            comments.len(),
            policy.review.max_comments
        ));
    }
    for comment in comments {
        path(&comment.path)?;
        if !source.changed.contains(&comment.path) {
            return Err(format!("`{}` is not changed by the pull request", cut(&comment.path)));
        }
        let marked = marker::read::<NoteState>(marker::NOTE, &comment.body).map(|s| s.key);
        if marked.as_deref() != Some(comment.key.as_str()) {
            return Err("a comment's marker is not that of its key".to_owned());
        }
    }
    repairs::suggestions(comments, source, policy)
}

fn annotated(annotations: &[Annotation]) -> Result<(), String> {
    if annotations.len() > ANNOTATIONS {
        return Err(format!("it has more than {ANNOTATIONS} annotations"));
    }
    for annotation in annotations {
        if !matches!(annotation.level.as_str(), "failure" | "warning" | "notice") {
            return Err("an annotation's level is not one of ours".to_owned());
        }
    }
    Ok(())
}

/// Whether a text may be a path in the repository that testmedic writes about.
#[must_use]
pub fn is_path(text: &str) -> bool {
    path(text).is_ok()
}

fn path(path: &str) -> Result<(), String> {
    let odd = path.is_empty()
        || path.len() > 1000
        || path.starts_with('/')
        || path.split('/').any(|part| matches!(part, "" | "." | ".." | ".git"))
        || path.contains(['\n', '\0', '\\']);
    if odd {
        return Err(format!("`{}` is not a path in the repository", cut(path)));
    }
    if path.starts_with(".github/workflows/") || path.starts_with(".github/actions/") {
        return Err(format!("`{}` is a workflow file", cut(path)));
    }
    Ok(())
}
