//! Who may ask for what, where: decided before anything else is done for a command.

use crate::model::command::{Command, CommandKind, CommandLine, Permission};
use crate::plan::policy::commands::Commands;

/// Who asks, as the forge tells it now: by number, never by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The account's number.
    pub id: u64,
    /// Whether it is a bot's.
    pub is_bot: bool,
    /// What it may do in the repository.
    pub level: Permission,
    /// Whether it opened the pull request.
    pub is_author: bool,
}

/// Where the comment stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadContext {
    /// What kind of thread it is.
    pub thread: Thread,
    /// Whether the conversation is locked.
    pub locked: bool,
    /// Whether it is open: what is closed or merged is done with.
    pub open: bool,
}

/// See [`ThreadContext::thread`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Thread {
    /// An issue.
    Issue,
    /// A pull request.
    Pull {
        /// Whether its branch is one of the repository itself.
        own: bool,
        /// The commit at its head.
        head: String,
    },
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is done.
    Granted,
    /// It is not, and why; the person is told.
    Refused(String),
    /// It is not, and nobody is answered: the reason is for the log.
    Unheard(String),
}

/// Whether a command is admitted.
#[must_use]
pub fn admit(actor: &Actor, order: &CommandLine, place: &ThreadContext, policy: &Commands) -> Decision {
    if !policy.enabled {
        return Decision::Unheard("the policy switches commands off (`commands.enabled`)".to_owned());
    }
    if place.locked {
        return Decision::Unheard("the conversation is locked".to_owned());
    }
    if actor.is_bot && !policy.bots.contains(&actor.id) {
        return Decision::Unheard(format!("account {} is a bot that `commands.bots` does not name", actor.id));
    }
    let verdict = right(actor, order, policy).and_then(|()| fits(actor, order, place));
    verdict.map_or_else(Decision::Refused, |()| Decision::Granted)
}

/// What the actor may do counts as this.
fn level(actor: &Actor) -> Permission {
    // Only named bots come so far; the forge knows no permission of an app's account.
    if actor.is_bot { Permission::Write } else { actor.level }
}

fn right(actor: &Actor, order: &CommandLine, policy: &Commands) -> Result<(), String> {
    let verb = order.command.verb();
    let (needed, has) = (policy.needs(verb), level(actor));
    // Single tests are run here, with what the job holds: jobs are run again by the forge.
    let by_authorship = actor.is_author && policy.author.contains(&verb) && !order.command.runs_code();
    if has >= needed || by_authorship {
        return Ok(());
    }
    let own = match has {
        Permission::None => "you have no access of your own".to_owned(),
        level => format!("you have `{}`", level.word()),
    };
    let hint = match &order.command {
        Command::Retry { .. } if actor.is_author && policy.author.contains(&verb) => {
            "; `/retry` alone runs the failed jobs again, which the author may"
        }
        _ => "",
    };
    Err(format!("`{verb}` needs the right `{}` in this repository, and {own}{hint}", needed.word()))
}

/// Whether the thread is one on which the command makes sense, and is safe.
fn fits(actor: &Actor, order: &CommandLine, place: &ThreadContext) -> Result<(), String> {
    let verb = order.command.verb();
    if !place.open && !speaks_only(verb) {
        return Err(format!("this is closed: `{verb}` works on what is open"));
    }
    let Thread::Pull { own, head } = &place.thread else { return Ok(()) };
    if let Some(read) = &order.read_diff
        && read != head
    {
        return Err(format!(
            "the head is `{head}` now, and the diff that you have read is another one's: look at it anew"
        ));
    }
    if *own || !order.command.runs_code() {
        return Ok(());
    }
    // Somebody else's code is run for it.
    if actor.is_bot || level(actor) < Permission::Write {
        return Err("the code of a fork is run only when a person with the right `write` says so".to_owned());
    }
    match &order.read_diff {
        Some(read) if read.len() >= 40 => Ok(()),
        // Short hashes can be made to order.
        Some(_) => Err("`--i-have-read-the-diff` takes the whole hash".to_owned()),
        None => Err(format!(
            "this is a fork's code, and `{verb}` runs it. Read the diff first; then say `{} --i-have-read-the-diff {head}`",
            order.text
        )),
    }
}

/// What only speaks, or keeps a person's word.
fn speaks_only(verb: CommandKind) -> bool {
    matches!(
        verb,
        CommandKind::Explain
            | CommandKind::Help
            | CommandKind::Stop
            | CommandKind::Flaky
            | CommandKind::NotFlaky
            | CommandKind::Expected
            | CommandKind::Ignore
            | CommandKind::Unquarantine
    )
}

#[cfg(test)]
mod tests;
