//! Admits a saved plan: item by item, each with a reason where it is refused.
//!
//! The plan may have been written by anybody who can open a pull request: the
//! code of a fork can replace the file before it is handed over. So nothing in
//! it is believed. What it may do is decided by where it came from, as GitHub
//! tells it ([`Source`]), and its texts may hold only what our own messages
//! hold.

use std::collections::HashMap;

use pulldown_cmark::{Event, Options, Parser, Tag};

use crate::model::forge::Slug;
use crate::plan::action::{
    ANNOTATIONS, Action, Annotation, BODY_LIMIT, Guard, LineComment, Plan, Planned, SUMMARY_LIMIT, Withheld,
};
use crate::plan::marker::{self, LegState, NoteState, StickyState};
use crate::plan::policy::Policy;
use crate::plan::saved::SavedPlan;
use crate::plan::snapshot::sticky_key;

/// What GitHub says about where a plan came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The repository that we write to.
    pub repository: Slug,
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
    /// Paths that the pull request changes.
    pub changed: Vec<String>,
    /// File of the workflow that ran.
    pub workflow: Option<String>,
    /// Number of the run.
    pub run: Option<u64>,
}

/// Admits what may be done, withholds the rest with the reason.
#[must_use]
pub fn admit(saved: &SavedPlan, source: &Source, policy: &Policy) -> Plan {
    let mut plan = Plan { actions: Vec::new(), withheld: saved.withheld.clone() };
    let whole = whole(saved, source).err();
    let mut counts: HashMap<&'static str, u32> = HashMap::new();
    for item in &saved.actions {
        let kind = item.action.kind();
        // The history belongs to the job that read the reports.
        if matches!(item.action, Action::RecordRun { .. }) {
            continue;
        }
        let verdict = match &whole {
            Some(reason) => Err(reason.clone()),
            None => judge(&item.action, source, policy).and_then(|()| {
                let count = counts.entry(kind).or_default();
                *count += 1;
                let most = most(&item.action, source, policy);
                if *count > most { Err(format!("more than {most} of its kind")) } else { Ok(()) }
            }),
        };
        match verdict {
            Err(reason) => plan.withheld.push(Withheld::new(kind, cut(&item.id), format!("refused: {reason}"))),
            Ok(()) => plan.actions.push(Planned {
                id: cut(&item.id),
                guards: guards(&item.action, &item.guards),
                action: item.action.clone(),
                because: cut(&item.because),
                title: cut(&item.title),
                target: cut(&item.target),
                receipt: None,
            }),
        }
    }
    plan
}

/// How many of its kind a plan of ours holds at most.
fn most(action: &Action, source: &Source, policy: &Policy) -> u32 {
    match action {
        Action::Review { .. } | Action::CheckRun { .. } => 1,
        Action::Comment { .. } if source.pull.is_some() => 1,
        Action::OpenIssue { .. } => policy.issues.max_new + 1,
        _ => 50,
    }
}

fn cut(text: &str) -> String {
    crate::render::terminal::line(text, 200)
}

fn whole(saved: &SavedPlan, source: &Source) -> Result<(), String> {
    if !saved.slug().is_some_and(|slug| slug.same(&source.repository)) {
        return Err(format!("the plan is for {}, not for {}", cut(&saved.repository), source.repository));
    }
    if saved.head != source.head {
        return Err(format!("the plan is about commit {}, the run was about {}", cut(&saved.head), source.head));
    }
    Ok(())
}

/// The guards of an admitted action: those that protect it are put there anew,
/// whatever the plan says; others that only compare stay.
fn guards(action: &Action, given: &[Guard]) -> Vec<Guard> {
    let mut guards: Vec<Guard> = Vec::new();
    let about = |number: u64| {
        given.iter().find(|guard| match guard {
            Guard::IssueIs { number: n, .. } => *n == number,
            Guard::CommentIs { id, .. } => *id == number,
            _ => false,
        })
    };
    match action {
        Action::OpenIssue { key, .. } => {
            let except = given.iter().find_map(|g| match g {
                Guard::NoIssue { except, .. } => Some(except.clone()),
                _ => None,
            });
            guards.push(Guard::NoIssue { key: key.clone(), except: except.unwrap_or_default() });
        }
        Action::UpdateIssue { number, .. } | Action::ReopenIssue { number, .. } | Action::CloseIssue { number, .. } => {
            // Without a digest that fits, the guard is never met.
            let none = Guard::IssueIs { number: *number, digest: String::new() };
            guards.push(about(*number).cloned().unwrap_or(none));
        }
        Action::Comment { on, key, edit, .. } => {
            guards.extend(given.iter().filter(|g| matches!(g, Guard::PullAt { pull, .. } if pull == on)).cloned());
            guards.push(match edit {
                None => Guard::NoComment { on: *on, key: key.clone() },
                Some(id) => {
                    let none = Guard::CommentIs { on: *on, id: *id, digest: String::new() };
                    about(*id).cloned().unwrap_or(none)
                }
            });
        }
        Action::Review { pull, head, comments } => {
            guards.push(Guard::PullAt { pull: *pull, head: head.clone() });
            let keys = comments.iter().map(|c| c.key.clone()).collect();
            guards.push(Guard::NoReviewComment { pull: *pull, keys });
        }
        Action::CheckRun { .. } | Action::RecordRun { .. } => {}
    }
    guards
}

fn judge(action: &Action, source: &Source, policy: &Policy) -> Result<(), String> {
    match action {
        Action::RecordRun { .. } => Err("the history is not written from a plan file".to_owned()),
        Action::OpenIssue { title, body, labels, assignees, .. } => {
            may_speak_of_issues(source, policy)?;
            if let Some(label) = labels.iter().find(|l| !policy.issues.labels.contains(l)) {
                return Err(format!("the label `{}` is not in `issues.labels`", cut(label)));
            }
            if !assignees.is_empty() && !policy.issues.assign_owners {
                return Err("`issues.assign-owners` is off".to_owned());
            }
            if title.len() > 1000 || title.contains('\n') {
                return Err("its title is no single line".to_owned());
            }
            text(body, BODY_LIMIT, source)
        }
        Action::UpdateIssue { body, .. } | Action::ReopenIssue { body, .. } | Action::CloseIssue { body, .. } => {
            may_speak_of_issues(source, policy)?;
            text(body, BODY_LIMIT, source)
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
            text(body, BODY_LIMIT, source)
        }
        Action::Review { pull, head, comments } => review(*pull, head, comments, source, policy),
        Action::CheckRun { .. } => check_run(action, source, policy),
    }
}

fn check_run(action: &Action, source: &Source, policy: &Policy) -> Result<(), String> {
    let Action::CheckRun { head, conclusion, title, summary, annotations, name, .. } = action else {
        return Err("it is no check run".to_owned());
    };
    if *head != source.head {
        return Err(format!("it is about commit {}, not {}", cut(head), source.head));
    }
    if conclusion == "success" && !source.own_branch {
        return Err("the run of a fork cannot vouch for itself: `success` is not taken from it".to_owned());
    }
    if !policy.check.enabled {
        return Err("`check.enabled` is off".to_owned());
    }
    // A check run of another name could stand in for a required one.
    let own = &policy.check.name;
    if name != own && !name.strip_prefix(own.as_str()).is_some_and(|r| r.starts_with(" (") && r.ends_with(')')) {
        return Err(format!("its name is not `{own}` or a leg of it"));
    }
    if !matches!(conclusion.as_str(), "success" | "failure" | "neutral") || title.contains('\n') || title.len() > 1000 {
        return Err("its conclusion or title is not one of ours".to_owned());
    }
    annotated(annotations)?;
    text(summary, SUMMARY_LIMIT, source)
}

/// The sticky comment is that of the workflow that ran, and its parts are about
/// the commit that was tested and no later run: a part of a run to come would
/// keep that run from being heard.
fn sticky_of_run(body: &str, source: &Source) -> Result<(), String> {
    let workflow = marker::read::<StickyState>(marker::STICKY, body).map(|s| s.workflow);
    if workflow.is_none() || (source.workflow.is_some() && workflow != source.workflow) {
        return Err("it is not the comment of the workflow that ran".to_owned());
    }
    for leg in body.lines().filter_map(|line| marker::read::<LegState>(marker::LEG, line)) {
        if leg.head != source.head || source.run.is_none_or(|run| leg.run > run) {
            return Err("a part of it is about another run".to_owned());
        }
    }
    Ok(())
}

fn may_speak_of_issues(source: &Source, policy: &Policy) -> Result<(), String> {
    if !source.default_branch {
        return Err("only runs of the default branch may write issues".to_owned());
    }
    if policy.issues.enabled { Ok(()) } else { Err("`issues.enabled` is off".to_owned()) }
}

fn review(pull: u64, head: &str, comments: &[LineComment], source: &Source, policy: &Policy) -> Result<(), String> {
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
        text(&comment.body, BODY_LIMIT, source)?;
    }
    Ok(())
}

fn annotated(annotations: &[Annotation]) -> Result<(), String> {
    if annotations.len() > ANNOTATIONS {
        return Err(format!("it has more than {ANNOTATIONS} annotations"));
    }
    for annotation in annotations {
        path(&annotation.path)?;
        if annotation.message.len() > 16_000 || annotation.title.len() > 1000 {
            return Err("an annotation is too long".to_owned());
        }
        if !matches!(annotation.level.as_str(), "failure" | "warning" | "notice") {
            return Err("an annotation's level is not one of ours".to_owned());
        }
    }
    Ok(())
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

/// Tags that our own messages use.
const TAGS: [&str; 10] =
    ["<details>", "</details>", "<summary>", "</summary>", "<sub>", "</sub>", "<span>", "</span>", "<br>", "<br/>"];

/// Whether a text holds only what our messages hold: no picture, no link away
/// from the forge, no mention, no HTML but ours, no more than fits.
fn text(body: &str, limit: usize, source: &Source) -> Result<(), String> {
    if body.len() > limit {
        return Err(format!("its text is {} bytes long; {limit} are allowed", body.len()));
    }
    if crate::model::secret::mask(body) != body {
        return Err("its text holds what looks like a secret".to_owned());
    }
    let own = format!("{}/{}/", source.server, source.repository);
    for event in Parser::new_ext(body, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH) {
        match event {
            Event::Start(Tag::Image { .. }) => return Err("its text holds a picture".to_owned()),
            Event::Start(Tag::Link { dest_url, .. }) if !dest_url.starts_with(&own) => {
                return Err(format!("its text links to {}", cut(&dest_url)));
            }
            Event::Html(html) | Event::InlineHtml(html) => html_is_ours(&html)?,
            Event::Text(text) => plain(&text)?,
            _ => {}
        }
    }
    Ok(())
}

fn html_is_ours(html: &str) -> Result<(), String> {
    for line in html.lines().map(str::trim).filter(|l| !l.is_empty()) {
        if line.starts_with("<!-- testmedic:") && line.ends_with(" -->") && line.matches("-->").count() == 1 {
            continue;
        }
        let mut rest = line.to_owned();
        for tag in TAGS {
            rest = rest.replace(tag, "");
        }
        if rest.contains('<') || rest.contains('>') {
            return Err(format!("its text holds HTML: {}", cut(line)));
        }
        plain(&rest)?;
    }
    Ok(())
}

/// No `@name` and no bare link in running text.
fn plain(text: &str) -> Result<(), String> {
    let mention = text.match_indices('@').any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + 1..].chars().next();
        !before.is_some_and(char::is_alphanumeric) && after.is_some_and(|c| c.is_ascii_alphanumeric())
    });
    if mention {
        return Err("its text mentions somebody".to_owned());
    }
    if text.contains("://") || text.contains("www.") {
        return Err("its text holds a bare link".to_owned());
    }
    Ok(())
}
