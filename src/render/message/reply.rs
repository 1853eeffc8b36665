//! The reply to commands in a comment.

use std::fmt::Write;

use super::{Page, commit};
use crate::model::command::{CommandKind, Permission};
use crate::model::forge::RunContext;
use crate::render::markdown::{code, spans};

/// How far a command is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandStatus {
    /// It waits for those before it, or is being worked on.
    Working,
    /// It is answered.
    Done,
    /// Something was made: there are links.
    Made,
    /// It is not done, and why.
    Refused,
}

impl CommandStatus {
    fn icon(self) -> &'static str {
        match self {
            Self::Working => "⏳",
            Self::Done => "✅",
            Self::Made => "🚀",
            Self::Refused => "😕",
        }
    }

    /// The reaction that says so.
    #[must_use]
    pub fn reaction(self) -> &'static str {
        match self {
            Self::Working => "eyes",
            Self::Done => "+1",
            Self::Made => "rocket",
            Self::Refused => "confused",
        }
    }
}

/// What is said to one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplySection {
    /// How far it is.
    pub mark: CommandStatus,
    /// The line of the comment.
    pub line: String,
    /// The answer, as Markdown.
    pub text: String,
}

impl ReplySection {
    /// A refusal; what stands between backticks is shown as code, everything else escaped.
    #[must_use]
    pub fn refused(line: &str, why: &str) -> Self {
        Self { mark: CommandStatus::Refused, line: line.to_owned(), text: spans(why, 2000) }
    }
}

/// The one reaction for all commands of a comment: what was made counts more than what
/// was answered, and what was refused shows only where nothing else came of it.
#[must_use]
pub fn mood(parts: &[ReplySection]) -> CommandStatus {
    let has = |mark| parts.iter().any(|part| part.mark == mark);
    [CommandStatus::Working, CommandStatus::Made, CommandStatus::Done]
        .into_iter()
        .find(|mark| has(*mark))
        .unwrap_or(CommandStatus::Refused)
}

/// Begin of the mark before each part, and before what stands behind the last: by them a
/// later job finds the part that it brings up to date.
pub const PART: &str = "<!-- testmedic:part ";

/// The whole reply: the parts, each with its place among the lines of the comment.
#[must_use]
pub fn body(
    parts: &[(usize, ReplySection)],
    login: &str,
    head: Option<&str>,
    scene: &RunContext,
    limit: usize,
) -> String {
    let mut page = Page::new(limit);
    for (at, part) in parts {
        let text =
            if part.text.is_empty() && part.mark == CommandStatus::Working { "Working on it." } else { &part.text };
        let (icon, line) = (part.mark.icon(), code(&part.line, 200));
        page.push(&format!("{PART}{at} -->\n### {icon} {line}\n\n{}\n\n", text.trim_end()));
    }
    let at = head.map(|head| format!(" for {}", commit(head, Some(scene)))).unwrap_or_default();
    let run = scene.run_url().map(|url| format!(" · [job]({url})")).unwrap_or_default();
    page.push_always(&format!(
        "{PART}end -->\n<sub>asked by {}{at}{run} · `/help` lists the commands</sub>\n",
        code(login, 60)
    ));
    page.finish()
}

/// The list of commands: `may` says which of them the asking person may give here.
#[must_use]
pub fn help(may: &dyn Fn(CommandKind) -> Result<(), Permission>) -> String {
    let mut out = String::from("| | command | what it does |\n|---|---|---|\n");
    for verb in CommandKind::ALL {
        let sign = match may(verb) {
            Ok(()) => "✅".to_owned(),
            Err(level) => format!("needs `{}`", level.word()),
        };
        let usage = format!("/{} {}", verb.word(), verb.usage());
        let about = spans(verb.about(), 300);
        let _ = writeln!(out, "| {sign} | {} | {about} |", code(usage.trim(), 120));
    }
    out.push_str("\nA command stands at the start of a line, outside of code and quotes; a comment may hold several. Names with blanks stand in quotes or backticks. The code of a fork is run only with `--i-have-read-the-diff HASH`.\n");
    out
}
