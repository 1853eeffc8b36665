//! Who speaks, where, and whether it is still so: read before a command is heard.

use std::cell::RefCell;

use super::How;
use crate::adapters::actions_env::ActionsEnv;
use crate::adapters::github::{GitHub, ThreadNow};
use crate::cli::{JobPhase, TriageArgs, apply, job};
use crate::error::Problem;
use crate::model::command::{Command, CommandLine, Permission};
use crate::model::forge::{Account, CommentEvent, RunContext};
use crate::plan::action::{Plan, Precondition};
use crate::plan::authorization::{self, Actor, Decision, Thread, ThreadContext};
use crate::plan::marker::{ReplyState, digest};
use crate::plan::policy::Policy;
use crate::plan::reply::{self, ReplyTarget};
use crate::plan::snapshot::{BotComment, CommentState};
use crate::ports::{Forge, ForgeError};

/// A comment whose commands are heard.
pub(in crate::cli) struct CommandContext<'a> {
    pub args: &'a TriageArgs,
    pub around: &'a ActionsEnv,
    pub remark: &'a CommentEvent,
    pub login: String,
    pub forge: GitHub,
    pub policy: Policy,
    /// The job's own scene: the default branch.
    pub scene: RunContext,
    pub thread: ThreadNow,
    pub actor: Actor,
    pub place: ThreadContext,
    pub to: ReplyTarget,
    /// How this job answers.
    pub how: How,
    /// What was planned and is left to another job.
    pub plan: RefCell<Plan>,
    /// Where the run belongs that was judged.
    pub judged: RefCell<Option<RunContext>>,
}

/// Reads all of it; or why nobody is answered, for the log.
///
/// # Errors
/// Where the forge cannot be read: then nothing is done either.
pub(super) fn hear<'a>(
    args: &'a TriageArgs,
    around: &'a ActionsEnv,
    remark: &'a CommentEvent,
    how: How,
) -> Result<Result<CommandContext<'a>, String>, Problem> {
    let Some(author) = &remark.author else { return Ok(Err("the account that wrote the comment is gone".to_owned())) };
    let mut scene = around.scene(None).ok_or_else(|| {
        Problem::usage("the repository or the commit is not known").hint("GITHUB_REPOSITORY and GITHUB_SHA tell them")
    })?;
    let forge = job::connect(&args.forge, around, &scene)?.ok_or_else(|| {
        Problem::usage("there is no token to read and answer with")
            .hint("pass `github-token: ${{ github.token }}`, or set GITHUB_TOKEN")
    })?;
    let could_not = |what: &str| {
        let what = format!("no command is heard: {what} could not be read");
        move |trouble: ForgeError| Problem::failed(what).because(trouble)
    };
    if scene.default_branch.is_empty() {
        scene.default_branch = forge.default_branch().map_err(could_not("the default branch"))?;
    }
    let now = forge.comment(remark.id).map_err(could_not("the comment"))?;
    if let Some(why) = changed(remark, author, now.as_ref()) {
        return Ok(Err(why.to_owned()));
    }
    let level = match level(&forge, author).map_err(could_not("what the person may do"))? {
        Ok(level) => level,
        Err(why) => return Ok(Err(why)),
    };
    let thread = forge.thread(remark.on, remark.on_pull).map_err(could_not("the thread"))?;
    let policy = apply::policy(&args.forge, &forge, &scene)?;
    let key = reply::key(remark.id);
    let comments = forge.comments(remark.on).map_err(could_not("the comments of the thread"))?;
    let there = comments.iter().find_map(|comment| comment.reply().filter(|reply| reply.key == key));
    let by = match turn(there.as_ref(), how.part, forge.holder()) {
        Ok(by) => by,
        Err(why) => return Ok(Err(why.to_owned())),
    };
    let actor = Actor {
        id: author.id,
        is_bot: author.is_bot,
        level,
        is_author: remark.on_pull && thread.author == Some(author.id),
    };
    let to = ReplyTarget { on: remark.on, remark: remark.id, by };
    let place = place(&thread, &scene);
    let login = author.login.clone();
    Ok(Ok(CommandContext {
        args,
        around,
        remark,
        login,
        forge,
        policy,
        scene,
        thread,
        actor,
        place,
        to,
        how,
        plan: RefCell::default(),
        judged: RefCell::default(),
    }))
}

/// Why a comment is not the one that the event told of.
fn changed(remark: &CommentEvent, author: &Account, now: Option<&CommentState>) -> Option<&'static str> {
    let Some(now) = now else { return Some("the comment is gone") };
    let same = now.author.as_ref().map(|a| a.id) == Some(author.id);
    let same = same && now.is_as(&digest(&remark.body), remark.updated);
    (!same).then_some("the comment was edited since: say it anew in another one")
}

/// Whose turn it is: a comment is answered once, and what one job admitted others wait for.
fn turn(there: Option<&ReplyState>, part: JobPhase, own: &str) -> Result<String, &'static str> {
    match (there, part) {
        (None, JobPhase::All | JobPhase::Admit) => Ok(own.to_owned()),
        (Some(reply), JobPhase::Execute | JobPhase::Publish) if reply.is_working => Ok(reply.by.clone()),
        (None, JobPhase::Execute | JobPhase::Publish) => Err("no job has admitted a command of the comment"),
        (Some(_), _) => Err("the comment was answered already"),
    }
}

/// What an account may do; or why it is not heard.
fn level(forge: &GitHub, author: &Account) -> Result<Result<Permission, String>, ForgeError> {
    // The forge knows no permission of an app's account; the policy names those that count.
    if author.is_bot {
        return Ok(Ok(Permission::None));
    }
    Ok(match forge.level_of(&author.login)? {
        None => Err(format!("account {} is gone", author.id)),
        Some((id, _)) if id != author.id => {
            Err(format!("the name of account {} is that of another one now", author.id))
        }
        Some((_, level)) => Ok(level),
    })
}

fn place(thread: &ThreadNow, scene: &RunContext) -> ThreadContext {
    let kind = match &thread.pull {
        None => Thread::Issue,
        Some(pull) => Thread::Pull {
            own: pull.head_repository.as_ref().is_some_and(|head| head.same(&scene.repository)),
            head: pull.head_sha.clone(),
        },
    };
    ThreadContext { thread: kind, locked: thread.locked, open: thread.open }
}

impl CommandContext<'_> {
    /// Whether a command is admitted.
    pub fn admit(&self, order: &CommandLine) -> Decision {
        authorization::admit(&self.actor, order, &self.place, &self.policy.commands)
    }

    /// The reply, if it stands there.
    ///
    /// # Errors
    /// Where it cannot be read: then nothing is written over it.
    pub fn reply_there(&self) -> Result<Option<BotComment>, Problem> {
        let key = reply::key(self.remark.id);
        let could_not = |t| Problem::failed("the reply could not be read").because(t);
        let comments = self.forge.comments(self.to.on).map_err(could_not)?;
        Ok(comments.into_iter().find(|c| c.reply().is_some_and(|reply| reply.key == key)))
    }

    /// Why nobody is answered, whatever is asked.
    pub fn ignore_reason(&self) -> Option<String> {
        let any = CommandLine { command: Command::Help, read_diff: None, text: String::new() };
        match self.admit(&any) {
            Decision::Unheard(why) => Some(why),
            Decision::Granted | Decision::Refused(_) => None,
        }
    }

    /// What must hold before anything is written for the comment.
    pub fn comment_unchanged(&self) -> Precondition {
        Precondition::CommentUnchanged {
            id: self.remark.id,
            digest: digest(&self.remark.body),
            updated: self.remark.updated,
        }
    }

    /// That the reply still says that it is being worked on: nobody stopped it.
    pub fn working(&self) -> Precondition {
        Precondition::ReplyStillOpen { on: self.to.on, key: reply::key(self.remark.id), by: self.to.by.clone() }
    }

    /// What must hold before anything is written that a command asks for: it was not
    /// edited or stopped, and the head is the one that was seen when it was heard.
    pub fn guards(&self) -> Vec<Precondition> {
        let working = self.working();
        let head = self.thread.pull.as_ref();
        let at = head.map(|pull| Precondition::PullRequestHeadIs { pull: pull.number, head: pull.head_sha.clone() });
        let at = at.filter(|_| self.thread.open);
        [self.comment_unchanged(), working].into_iter().chain(at).collect()
    }
}
