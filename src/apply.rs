//! Carries a plan out: each guard is checked again right before its action,
//! one failure does not stop the others, and after an unclear answer the world
//! is looked at before anything is tried again.

use std::collections::{BTreeMap, HashSet};

use crate::model::time::Timestamp;
use crate::plan::action::{Action, ActionResult, CommitDraft, Plan, Planned, Precondition};
use crate::plan::marker::digest;
use crate::plan::snapshot::BotComment;
use crate::plan::texts::TextRules;
use crate::ports::{Forge, ForgeError, LockStatus};

/// How often a write is tried while its outcome is unclear.
const TRIES: u32 = 3;
/// How often a claim that another job holds is asked for.
const PATIENCE: u32 = 40;
/// How often a new object is looked for until the forge shows it.
const LOOKS: u32 = 6;

/// Carries out all actions that have no receipt yet, in order. `rules` checks each text
/// right before the request, in its final form. Recording the
/// history is another matter ([`crate::pipeline::apply_record`]).
pub fn apply(plan: &mut Plan, rules: &TextRules, forge: &mut dyn Forge) {
    let mut hand = Executor { forge, rules, held: None, refused: HashSet::new(), done: HashSet::new() };
    let open =
        |planned: &&mut Planned| planned.receipt.is_none() && !matches!(planned.action, Action::RecordRun { .. });
    for planned in plan.actions.iter_mut().filter(open) {
        let receipt = hand.carry_out(planned);
        if matches!(receipt, ActionResult::Done(_) | ActionResult::AlreadyDone) {
            hand.done.insert(planned.id.clone());
        }
        planned.receipt = Some(receipt);
    }
    hand.release_lock();
}

/// What a guard says.
enum CheckResult {
    /// Go on.
    Yes,
    /// What the action would make is there already; its web page.
    Done(Option<String>),
    /// Something else has changed.
    No(String),
}

/// Something that is there, with its web page.
struct Existing {
    url: Option<String>,
}

/// The writer, with the claim that it holds.
struct Executor<'f> {
    forge: &'f mut dyn Forge,
    rules: &'f TextRules,
    held: Option<String>,
    /// Claims that others did not give up: not waited for twice.
    refused: HashSet<String>,
    /// Ids of the actions that were carried out.
    done: HashSet<String>,
}

impl Executor<'_> {
    fn carry_out(&mut self, planned: &Planned) -> ActionResult {
        if let Err(why) = self.rules.check(&planned.action) {
            return ActionResult::Failed(format!("not written: {why}"));
        }
        if let Err(receipt) = self.acquire_lock(planned.action.claim()) {
            return receipt;
        }
        let mut unclear = None;
        for round in 0..TRIES {
            match self.guards(planned) {
                Err(trouble) => return ActionResult::Failed(trouble.to_string()),
                Ok(CheckResult::No(why)) => return ActionResult::Stale(why),
                Ok(CheckResult::Done(url)) if unclear.is_some() => return ActionResult::Done(url),
                Ok(CheckResult::Done(_)) => return ActionResult::AlreadyDone,
                Ok(CheckResult::Yes) => {}
            }
            match self.forge.write(&planned.action) {
                Ok(url) => {
                    self.wait_until_shown(planned);
                    return ActionResult::Done(url);
                }
                Err(ForgeError::Unclear(why)) => {
                    unclear = Some(why);
                    if let Some(shown) = self.find_existing(planned, round) {
                        return ActionResult::Done(shown.url);
                    }
                }
                Err(trouble) => return ActionResult::Failed(trouble.to_string()),
            }
        }
        let why = unclear.unwrap_or_default();
        ActionResult::Failed(format!("no clear answer after {TRIES} tries: {why}"))
    }

    /// Holds the claim that is wanted, and no other.
    fn acquire_lock(&mut self, wanted: Option<String>) -> Result<(), ActionResult> {
        if self.held == wanted {
            return Ok(());
        }
        self.release_lock();
        let Some(name) = wanted else { return Ok(()) };
        let patience = if self.refused.contains(&name) { 1 } else { PATIENCE };
        for round in 0..patience {
            match self.forge.lock(&name) {
                Ok(LockStatus::Taken) => {
                    self.held = Some(name);
                    return Ok(());
                }
                Ok(LockStatus::Held) => self.forge.pause(round.min(2)),
                // Who cannot claim cannot write either; the message says why.
                Err(trouble) => return Err(ActionResult::Failed(trouble.to_string())),
            }
        }
        self.refused.insert(name);
        Err(ActionResult::Failed(
            "another job is writing there and does not come to an end; the next run will see it".to_owned(),
        ))
    }

    fn release_lock(&mut self) {
        if let Some(name) = self.held.take() {
            self.forge.unlock(&name);
        }
    }

    fn guards(&self, planned: &Planned) -> Result<CheckResult, ForgeError> {
        for guard in &planned.guards {
            match self.guard(guard, &planned.action)? {
                CheckResult::Yes => {}
                other => return Ok(other),
            }
        }
        Ok(CheckResult::Yes)
    }

    fn guard(&self, guard: &Precondition, action: &Action) -> Result<CheckResult, ForgeError> {
        match guard {
            Precondition::PullRequestHeadIs { pull, head } => self.pull_at(*pull, head),
            Precondition::NoIssue { key, except } => self.no_issue(key, except, action),
            Precondition::NoComment { on, key } => self.no_comment(*on, key, action),
            Precondition::IssueIs { number, digest } => self.issue_is(*number, digest, action),
            Precondition::CommentIs { on, id, key, digest } => self.comment_is(*on, (*id, key), digest, action),
            Precondition::NoReviewComment { pull, keys } => self.no_review_comment(*pull, keys),
            Precondition::NoCheck { head, name, digest } => Ok(match self.forge.check(head, name)? {
                Some(check) if check.external_id == *digest => CheckResult::Done(Some(check.url)),
                _ => CheckResult::Yes,
            }),
            Precondition::NoBranch { branch } => self.no_branch(branch, action),
            Precondition::NoPullFrom { branch } => self.no_pull_from(branch, action),
            Precondition::NoRunOn { workflow, branch } => Ok(match self.forge.latest_run(workflow, branch)? {
                Some(_) => CheckResult::Done(None),
                None => CheckResult::Yes,
            }),
            Precondition::CommentUnchanged { id, digest, updated } => self.remark_is(*id, digest, *updated),
            Precondition::ReplyStillOpen { on, key, by } => self.working(*on, key, by),
            Precondition::RunAttemptIs { run, attempt } => Ok(match self.forge.run(*run)? {
                now if now.attempt > *attempt => CheckResult::Done(None),
                now if !now.is_done => CheckResult::No(format!("run {run} is not done yet")),
                _ => CheckResult::Yes,
            }),
            Precondition::AfterAction { action } if self.done.contains(action) => Ok(CheckResult::Yes),
            Precondition::AfterAction { .. } => Ok(CheckResult::No("what it speaks of was not done".to_owned())),
        }
    }

    fn remark_is(&self, id: u64, expected: &str, updated: Option<Timestamp>) -> Result<CheckResult, ForgeError> {
        Ok(match self.forge.comment(id)? {
            None => CheckResult::No("the comment is gone".to_owned()),
            Some(now) if now.is_as(expected, updated) => CheckResult::Yes,
            Some(_) => CheckResult::No("the comment was edited".to_owned()),
        })
    }

    fn working(&self, on: u64, key: &str, by: &str) -> Result<CheckResult, ForgeError> {
        let comments = self.forge.comments(on)?;
        let state = comments.iter().find_map(|c| c.reply().filter(|reply| reply.key == key));
        Ok(match state {
            Some(state) if state.by == by && state.is_working => CheckResult::Yes,
            Some(_) => CheckResult::No("it was stopped".to_owned()),
            None => CheckResult::No("its reply is gone".to_owned()),
        })
    }

    fn pull_at(&self, pull: u64, head: &str) -> Result<CheckResult, ForgeError> {
        let now = self.forge.pull(pull)?;
        Ok(if !now.open {
            CheckResult::No(format!("pull request {pull} is closed"))
        } else if now.locked {
            CheckResult::No(format!("pull request {pull} is locked"))
        } else if now.head != *head {
            CheckResult::No(format!("the head of pull request {pull} is {} now", crate::history::short(&now.head)))
        } else {
            CheckResult::Yes
        })
    }

    fn no_issue(&self, key: &str, except: &[u64], action: &Action) -> Result<CheckResult, ForgeError> {
        let issues = self.forge.issues()?;
        let found = issues.iter().find(|i| !except.contains(&i.number) && i.key().as_deref() == Some(key));
        Ok(match found {
            None => CheckResult::Yes,
            Some(issue) if says(action, &issue.body) => CheckResult::Done(Some(issue.url.clone())),
            // It may lack what this run saw: that is for a new plan to say.
            Some(issue) => CheckResult::No(format!("another job has opened issue {}", issue.number)),
        })
    }

    fn no_branch(&self, branch: &str, action: &Action) -> Result<CheckResult, ForgeError> {
        let Some(commit) = self.forge.branch(branch)? else { return Ok(CheckResult::Yes) };
        let Action::PushBranch { commits, .. } = action else {
            return Ok(CheckResult::No(format!("`{branch}` is there")));
        };
        Ok(if holds(self.forge, &commit, commits)? {
            CheckResult::Done(None)
        } else {
            CheckResult::No(format!("`{branch}` is there with other content"))
        })
    }

    fn no_pull_from(&self, branch: &str, action: &Action) -> Result<CheckResult, ForgeError> {
        let Action::OpenPullRequest { base, .. } = action else { return Ok(CheckResult::Yes) };
        let there = self.forge.pulls_into(base)?.iter().any(|pull| pull.branch == branch);
        Ok(if there { CheckResult::Done(None) } else { CheckResult::Yes })
    }

    fn no_comment(&self, on: u64, key: &str, action: &Action) -> Result<CheckResult, ForgeError> {
        let comments = self.forge.comments(on)?;
        Ok(match comments.iter().find(|c| c.key().as_deref() == Some(key)) {
            None => CheckResult::Yes,
            Some(comment) if says(action, &comment.body) => CheckResult::Done(Some(comment.url.clone())),
            Some(_) => CheckResult::No("another job has written this comment".to_owned()),
        })
    }

    fn comment_is(
        &self,
        on: u64,
        (id, key): (u64, &str),
        expected: &str,
        action: &Action,
    ) -> Result<CheckResult, ForgeError> {
        let comments = self.forge.comments(on)?;
        Ok(match comments.iter().find(|c| c.id == id && c.key().as_deref() == Some(key)) {
            None => CheckResult::No(format!("comment {id} is gone")),
            Some(comment) if says(action, &comment.body) => CheckResult::Done(Some(comment.url.clone())),
            Some(comment) if digest(&comment.body) == expected => CheckResult::Yes,
            Some(_) => CheckResult::No(format!("comment {id} was changed")),
        })
    }

    fn no_review_comment(&self, pull: u64, keys: &[String]) -> Result<CheckResult, ForgeError> {
        let comments = self.forge.review_comments(pull)?;
        let there: Vec<&BotComment> =
            comments.iter().filter(|c| c.stands_for().is_some_and(|key| keys.contains(&key))).collect();
        Ok(match there.first() {
            None => CheckResult::Yes,
            Some(comment) if there.len() >= keys.len() => CheckResult::Done(Some(comment.url.clone())),
            Some(_) => CheckResult::No("some of these comments were written meanwhile".to_owned()),
        })
    }

    fn issue_is(&self, number: u64, expected: &str, action: &Action) -> Result<CheckResult, ForgeError> {
        let issue = self.forge.issue(number)?;
        let (body, open) = match action {
            Action::UpdateIssue { body, .. } | Action::ReopenIssue { body, .. } => (body, true),
            Action::CloseIssue { body, .. } => (body, false),
            _ => return Ok(CheckResult::Yes),
        };
        Ok(if issue.open == open && digest(&issue.body) == digest(body) {
            CheckResult::Done(Some(issue.url))
        } else if issue.digest() == expected {
            CheckResult::Yes
        } else {
            CheckResult::No(format!("issue {number} was changed"))
        })
    }

    /// After an unclear answer: what the action makes, if it is there. The forge
    /// may show it late, so it is looked for more than once before the write is
    /// tried again.
    fn find_existing(&self, planned: &Planned, round: u32) -> Option<Existing> {
        for look in 0..LOOKS {
            self.forge.pause(round.max(look.min(3)));
            if let Some(shown) = self.shown(planned) {
                return Some(shown);
            }
            // An edit shows at once, or was not made.
            if !makes_something(&planned.action) {
                break;
            }
        }
        None
    }

    /// Other writers decide by what the forge shows: the claim is kept until
    /// they can see what was made.
    fn wait_until_shown(&self, planned: &Planned) {
        let made = matches!(
            planned.action,
            Action::OpenIssue { .. }
                | Action::Comment { edit: None, .. }
                | Action::Review { .. }
                | Action::OpenPullRequest { .. }
                | Action::RerunJobs { .. }
                | Action::DispatchWorkflow { .. }
        );
        if !made {
            return;
        }
        for look in 0..LOOKS {
            if self.shown(planned).is_some() {
                return;
            }
            self.forge.pause(look.min(3));
        }
    }

    /// What the action makes, if the forge shows it.
    fn shown(&self, planned: &Planned) -> Option<Existing> {
        if let Action::CheckRun { head, name, digest, .. } = &planned.action {
            let check = self.forge.check(head, name).ok()??;
            return (check.external_id == *digest).then_some(Existing { url: Some(check.url) });
        }
        let own = planned.guards.iter().find(|guard| guard.is_own())?;
        match self.guard(own, &planned.action) {
            Ok(CheckResult::Done(url)) => Some(Existing { url }),
            _ => None,
        }
    }
}

fn makes_something(action: &Action) -> bool {
    match action {
        Action::OpenIssue { .. }
        | Action::Review { .. }
        | Action::PushBranch { .. }
        | Action::OpenPullRequest { .. }
        | Action::RerunJobs { .. }
        | Action::DispatchWorkflow { .. } => true,
        Action::Comment { edit, .. } | Action::CheckRun { edit, .. } => edit.is_none(),
        _ => false,
    }
}

/// Whether a commit has the texts that `commits` would lead to.
///
/// # Errors
/// Where they cannot be read.
pub fn holds(forge: &dyn Forge, commit: &str, commits: &[CommitDraft]) -> Result<bool, ForgeError> {
    let last: BTreeMap<&str, &str> =
        commits.iter().flat_map(|c| &c.files).map(|f| (f.path.as_str(), f.text.as_str())).collect();
    for (path, text) in last {
        if forge.text_at(path, commit)?.as_deref() != Some(text) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a text that is there is the one that the action would write.
fn says(action: &Action, body: &str) -> bool {
    match action {
        Action::Comment { body: wanted, .. } | Action::OpenIssue { body: wanted, .. } => digest(wanted) == digest(body),
        _ => false,
    }
}
