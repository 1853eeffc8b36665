//! A plan as a person wants to read it before it is carried out.

use std::fmt::Write;

use crate::plan::action::{Action, CommitDraft, Plan, Planned, Precondition};
use crate::render::plural::plural;
use crate::render::terminal::line;

/// Lines of a body that are shown.
const LINES: usize = 12;

/// The plan: what, where, why, on which conditions, and how the text begins.
#[must_use]
pub fn preview(plan: &Plan) -> String {
    let mut out = String::new();
    for (number, planned) in plan.actions.iter().enumerate() {
        let _ = writeln!(out, "{:>3}. {}", number + 1, headline(planned));
        let _ = writeln!(out, "     because  {}", line(&planned.because, 200));
        for guard in &planned.guards {
            let _ = writeln!(out, "     only if  {}", condition(guard));
        }
        for text in body(&planned.action) {
            let _ = writeln!(out, "     │ {text}");
        }
    }
    for withheld in &plan.withheld {
        let _ = writeln!(
            out,
            "  –  not: {} ({}): {}",
            withheld.kind,
            line(&withheld.because, 80),
            line(&withheld.reason, 300)
        );
    }
    if out.is_empty() {
        out.push_str("  nothing to do\n");
    }
    out
}

fn headline(planned: &Planned) -> String {
    let state = planned.receipt.as_ref().map(|r| format!("  [{}]", line(&r.word(), 300))).unwrap_or_default();
    format!("{} · {} · {}{state}", planned.action.kind(), line(&planned.title, 140), line(&planned.target, 120))
}

fn condition(guard: &Precondition) -> String {
    match guard {
        Precondition::PullRequestHeadIs { pull, head } => {
            format!("pull request {pull} is open and its head is {}", line(crate::history::short(head), 20))
        }
        Precondition::NoIssue { key, .. } => format!("no issue about {} exists", line(key, 80)),
        Precondition::NoComment { on, key } => format!("thread {on} has no comment `{}` yet", line(key, 80)),
        Precondition::IssueIs { number, .. } => format!("issue {number} is as it was read"),
        Precondition::CommentIs { id, .. } => format!("comment {id} is as it was read"),
        Precondition::NoCheck { name, .. } => format!("the check run {} does not say so already", line(name, 80)),
        Precondition::NoBranch { branch } => format!("there is no branch {}", line(branch, 100)),
        Precondition::NoPullFrom { branch } => format!("no pull request came from {}", line(branch, 100)),
        Precondition::NoRunOn { workflow, branch } => {
            format!("{} never ran on {}", line(workflow, 60), line(branch, 100))
        }
        Precondition::CommentUnchanged { id, .. } => format!("comment {id} was not edited"),
        Precondition::ReplyStillOpen { on, key, .. } => format!("`{}` on thread {on} was not stopped", line(key, 80)),
        Precondition::RunAttemptIs { run, attempt } => format!("attempt {attempt} of run {run} is its last, and done"),
        Precondition::AfterAction { action } => format!("{} was done", line(action, 100)),
        Precondition::NoReviewComment { pull, .. } => format!("pull request {pull} has no such review comment yet"),
    }
}

fn body(action: &Action) -> Vec<String> {
    let text = match action {
        Action::RecordRun { .. }
        | Action::DispatchWorkflow { .. }
        | Action::React { .. }
        | Action::RerunJobs { .. } => return Vec::new(),
        Action::OpenIssue { body, .. }
        | Action::UpdateIssue { body, .. }
        | Action::ReopenIssue { body, .. }
        | Action::CloseIssue { body, .. }
        | Action::Comment { body, .. } => body.clone(),
        Action::Review { comments, .. } => {
            comments.iter().map(|c| format!("{}:{}\n{}", c.path, c.line, c.body)).collect::<Vec<_>>().join("\n")
        }
        Action::CheckRun { conclusion, summary, annotations, .. } => {
            format!("{conclusion}, {}\n{summary}", plural(annotations.len() as u64, "annotation"))
        }
        Action::PushBranch { commits, .. } => {
            let told = |c: &CommitDraft| {
                let files: Vec<&str> = c.files.iter().map(|f| f.path.as_str()).collect();
                format!("{}\n{}", files.join(", "), c.message)
            };
            commits.iter().map(told).collect::<Vec<_>>().join("\n")
        }
        Action::OpenPullRequest { title, body, .. } => format!("{title}\n{body}"),
    };
    let readable = text.lines().filter(|l| !l.trim().is_empty() && !l.starts_with("<!-- testmedic:"));
    let all: Vec<&str> = readable.collect();
    let mut lines: Vec<String> = all.iter().take(LINES).map(|l| line(l, 110)).collect();
    if all.len() > LINES {
        lines.push(format!("… and {} more lines", all.len() - LINES));
    }
    lines
}
