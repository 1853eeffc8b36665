//! `testmedic respond`: answers the commands in the comment that woke this workflow.
//!
//! In this order: the comment, the person and the thread are read as they are now; what
//! may not be asked for is refused; a reply is made that no second job makes; only then
//! anything is done.

mod code_commands;
mod context;
mod dispatch;
mod feedback_commands;
mod run_lookup;
mod second_job;

pub(super) use self::context::CommandContext;
use self::context::hear;
use crate::adapters::actions_env::{self, ActionsEnv};
use crate::adapters::secret_env;
use crate::adapters::system::{self, print};
use crate::apply;
use crate::cli::{JobPhase, RespondArgs, TriageArgs, action};
use crate::error::{Problem, exit};
use crate::ingest::command::{CommandError, ParsedLine, read};
use crate::model::command::{CommandKind, CommandLine, Permission};
use crate::model::forge::{CommentEvent, Trigger};
use crate::model::time::Timestamp;
use crate::pipeline::chain;
use crate::plan::action::{ActionResult, BODY_LIMIT, Plan, Planned};
use crate::plan::authorization::Decision;
use crate::plan::preview;
use crate::plan::reply;
use crate::plan::snapshot::BotComment;
use crate::plan::texts::TextRules;
use crate::render::message::reply::{self as message, CommandStatus, body, mood};
use crate::render::terminal::line;

pub(super) use self::second_job::publish;

/// How a job answers.
#[derive(Clone, Copy, Debug)]
pub(super) struct How {
    /// Whether tests may be run in it: not where it could not close their eyes.
    pub may_run: bool,
    /// What of answering it does.
    pub part: JobPhase,
}

pub(super) fn respond(args: &RespondArgs) -> Result<u8, Problem> {
    // Tests may be run: before anything else their eyes are closed.
    secret_env::scrub_and_reexec()?;
    let around = ActionsEnv::read()?.ok_or_else(|| {
        Problem::usage("there is no comment to answer").hint(
            "`respond` runs in a workflow that `issue_comment` wakes; GITHUB_EVENT_NAME and GITHUB_EVENT_PATH tell it which",
        )
    })?;
    match &around.event.occasion {
        Trigger::Comment(remark) if args.part == JobPhase::Publish => {
            publish(&args.triage, &around, remark, "testmedic-plan")
        }
        Trigger::Comment(remark) => answer(&args.triage, &around, remark, How { may_run: true, part: args.part }),
        _ => Err(Problem::usage("what woke this workflow is no comment")
            .hint("`on: issue_comment: types: [created]` wakes it, see .github/examples/commands.yml")),
    }
}

/// Answers a comment.
///
/// # Errors
/// Where the forge cannot be read; nothing is done then.
pub(super) fn answer(args: &TriageArgs, around: &ActionsEnv, remark: &CommentEvent, how: How) -> Result<u8, Problem> {
    let lines = read(&remark.body);
    if remark.action != "created" || lines.is_empty() {
        return quiet("no command to answer");
    }
    let mut hearing = match hear(args, around, remark, how)? {
        Ok(hearing) => hearing,
        Err(why) => return quiet(&format!("not answered: {why}")),
    };
    if let Some(why) = hearing.ignore_reason() {
        return quiet(&format!("not answered: {why}"));
    }
    let mut parts: Vec<CommandReply> =
        lines.into_iter().enumerate().map(|(at, line)| admitted(&hearing, at, line)).collect();
    hearing.refuse_moved(&mut parts)?;
    hearing.spare(&mut parts);
    if how.part == JobPhase::Execute {
        return second_job::execute(&mut hearing, parts);
    }
    if !hearing.begin(&mut parts)? {
        return quiet("not answered: another job answers this comment");
    }
    for at in 0..parts.len() {
        let Some(order) = parts[at].order.take() else { continue };
        if how.part == JobPhase::Admit && order.command.runs_code() {
            "Handed over to a job that may only read.".clone_into(&mut parts[at].part.text);
            continue;
        }
        parts[at].part = dispatch::carry(&mut hearing, &order);
        let is_last = parts.iter().all(|one| one.order.is_none());
        if !is_last && hearing.tell(&parts, true) == ReplyStatus::Stopped {
            return quiet("stopped by another command");
        }
    }
    let is_open = parts.iter().any(|one| one.part.mark == CommandStatus::Working);
    let told = hearing.tell(&parts, is_open);
    if told == ReplyStatus::Stopped {
        return quiet("stopped by another command");
    }
    if told == ReplyStatus::Said && is_open {
        let head = hearing.thread.pull.as_ref().map_or(hearing.scene.head.as_str(), |pull| pull.head_sha.as_str());
        actions_env::outputs(&[("execute", "true".to_owned()), ("head", head.to_owned())])?;
    }
    action::conclude(if told == ReplyStatus::Said { "neutral" } else { "error" });
    Ok(if told == ReplyStatus::Said { exit::DONE } else { exit::COULD_NOT })
}

/// What came of saying something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReplyStatus {
    /// It stands there.
    Said,
    /// The reply is not this job's any more: a person ended it.
    Stopped,
    /// It could not be written.
    Unsaid,
}

/// What is said to a line, and the command that is open.
struct CommandReply {
    /// Its place among the lines.
    at: usize,
    part: message::ReplySection,
    order: Option<CommandLine>,
}

/// Nobody is answered; the reason stands in the log and in the job's summary.
fn quiet(why: &str) -> Result<u8, Problem> {
    let why = line(why, 400);
    print(&format!("{why}\n"))?;
    actions_env::job_summary(&format!("testmedic: {}\n", crate::render::markdown::spans(&why, 400)))?;
    action::conclude("neutral");
    Ok(exit::DONE)
}

/// What is said to a line before anything is done: a refusal, or that it is worked on.
fn admitted(hearing: &CommandContext<'_>, at: usize, line: ParsedLine) -> CommandReply {
    let (part, order) = match line {
        ParsedLine::Slip { text, why } => (message::ReplySection::refused(&text, &slip(&why)), None),
        ParsedLine::Order(order) => match hearing.admit(&order) {
            Decision::Granted => {
                let part = message::ReplySection {
                    mark: CommandStatus::Working,
                    line: order.text.clone(),
                    text: String::new(),
                };
                (part, Some(order))
            }
            Decision::Refused(why) | Decision::Unheard(why) => {
                (message::ReplySection::refused(&order.text, &why), None)
            }
        },
    };
    CommandReply { at, part, order }
}

fn slip(why: &CommandError) -> String {
    match why {
        CommandError::Unknown(verb) => format!("There is no such command. Did you mean `{verb}`? `/help` lists them."),
        CommandError::Wrong(verb, why) => format!("`{} {}`: {why}.", verb, verb.usage()),
        CommandError::TooMany => "One comment holds at most ten commands.".to_owned(),
    }
}

/// Whether a command changes nothing, and needs no head to be what it was.
fn only_tells(order: &CommandLine) -> bool {
    matches!(order.command.verb(), CommandKind::Explain | CommandKind::Help)
}

impl CommandContext<'_> {
    /// What acts is for the commit that the person saw: where the branch moved since, it
    /// is refused.
    fn refuse_moved(&self, parts: &mut [CommandReply]) -> Result<(), Problem> {
        let acts = |order: &Option<CommandLine>| order.as_ref().is_some_and(|order| !only_tells(order));
        if self.thread.pull.is_none() || !parts.iter().any(|one| acts(&one.order)) {
            return Ok(());
        }
        let moved = self
            .forge
            .moved_since(self.remark.on, self.remark.id)
            .map_err(|t| Problem::failed("no command is heard: the timeline could not be read").because(t))?;
        let Some(moved) = moved else { return Ok(()) };
        for one in parts.iter_mut().filter(|one| acts(&one.order)) {
            let why = format!("{moved}: it is for what stood there before. Look at it, and say it again.");
            (one.part, one.order) = (message::ReplySection::refused(&one.part.line, &why), None);
        }
        Ok(())
    }

    /// Who has no part in the repository has one thing explained in a comment: each explanation
    /// reads a run, and all workflows share what may be asked of the forge in an hour.
    fn spare(&self, parts: &mut [CommandReply]) {
        if self.actor.is_bot || self.actor.level >= Permission::Triage {
            return;
        }
        let is_explain =
            |one: &&mut CommandReply| one.order.as_ref().is_some_and(|o| o.command.verb() == CommandKind::Explain);
        for one in parts.iter_mut().filter(is_explain).skip(1) {
            let why = "one comment explains one thing to those without the right `triage`";
            (one.part, one.order) = (message::ReplySection::refused(&one.part.line, why), None);
        }
    }

    /// Says that it was heard, and takes the comment for this job; `false` where another
    /// job has it.
    fn begin(&mut self, parts: &mut [CommandReply]) -> Result<bool, Problem> {
        let open: Vec<&CommandLine> = parts.iter().filter_map(|one| one.order.as_ref()).collect();
        if open.is_empty() || !self.args.apply {
            return Ok(true);
        }
        let seen = reply::react(&self.to, CommandStatus::Working.reaction(), vec![self.comment_unchanged()]);
        let seen = self.write(seen)?;
        if matches!(seen.receipt, Some(ActionResult::Stale(_))) {
            return Ok(false);
        }
        // What only tells is told at once: nothing is done twice by telling it twice.
        if open.iter().all(|order| only_tells(order)) {
            return Ok(true);
        }
        let text = self.text(parts);
        let working = reply::reply(&self.to, &text, true, None, vec![self.comment_unchanged()]);
        let done = self.write(working)?;
        match &done.receipt {
            Some(ActionResult::Done(_)) => Ok(true),
            Some(ActionResult::Failed(why)) => Err(Problem::failed(format!("the command cannot be answered: {why}"))),
            _ => Ok(false),
        }
    }

    fn text(&self, parts: &[CommandReply]) -> String {
        let all: Vec<(usize, message::ReplySection)> = parts.iter().map(|one| (one.at, one.part.clone())).collect();
        let head = self.thread.pull.as_ref().map(|pull| pull.head_sha.as_str());
        body(&all, &self.login, head, &self.scene, BODY_LIMIT - 1000)
    }

    /// Brings the reply up to date; at the end with the reaction that fits.
    fn tell(&mut self, parts: &[CommandReply], is_working: bool) -> ReplyStatus {
        let text = self.text(parts);
        if !self.args.apply {
            // A line of a test's words must not be a command of the workflow.
            let lines: String = text.lines().map(|text| format!("  │ {}\n", crate::model::text::clean(text))).collect();
            let shown = is_working || print(&lines).is_ok();
            return if shown { ReplyStatus::Said } else { ReplyStatus::Unsaid };
        }
        let Ok(there) = self.reply_there() else { return ReplyStatus::Unsaid };
        let is_ours = there.as_ref().and_then(BotComment::reply).is_none_or(|r| r.by == self.to.by && r.is_working);
        if !is_ours {
            return ReplyStatus::Stopped;
        }
        let guards = if there.is_none() { vec![self.comment_unchanged()] } else { Vec::new() };
        let planned = reply::reply(&self.to, &text, is_working, there.as_ref(), guards);
        let Ok(done) = self.write(planned) else { return ReplyStatus::Unsaid };
        match done.receipt {
            Some(ActionResult::Done(_) | ActionResult::AlreadyDone) => {}
            Some(ActionResult::Stale(_)) => return ReplyStatus::Stopped,
            _ => return ReplyStatus::Unsaid,
        }
        let all: Vec<message::ReplySection> = parts.iter().map(|one| one.part.clone()).collect();
        // A reaction more or less: what was said stands.
        if !is_working {
            let _ = self.write(reply::react(&self.to, mood(&all).reaction(), Vec::new()));
        }
        ReplyStatus::Said
    }

    /// Carries out one thing.
    fn write(&mut self, planned: Planned) -> Result<Planned, Problem> {
        let mut plan = Plan { actions: vec![planned], withheld: Vec::new() };
        apply::apply(&mut plan, &TextRules::of_this_run(&self.scene), &mut self.forge);
        print(&preview::preview(&plan))?;
        plan.actions.pop().ok_or_else(|| Problem::failed("nothing was planned"))
    }

    /// Carries out what a command asks for, in a dry run nothing.
    pub(super) fn carry_out(&mut self, plan: &mut Plan) -> Result<(), String> {
        plan.require(&self.guards());
        if self.args.apply {
            apply::apply(plan, &TextRules::of_this_run(&self.scene), &mut self.forge);
        }
        print(&preview::preview(plan)).map_err(|problem| chain(&problem))
    }

    /// Whether all of a plan is done, or would be in a dry run.
    pub(super) fn is_done(&self, plan: &Plan) -> bool {
        let done = |p: &Planned| matches!(p.receipt, Some(ActionResult::Done(_) | ActionResult::AlreadyDone));
        !self.args.apply || plan.actions.iter().all(done)
    }

    /// The moment that counts as now.
    pub(super) fn now(&self) -> Timestamp {
        self.args.now.unwrap_or_else(system::now)
    }
}
