//! Admits branches, pull requests from them, and suggestions: the guards look at
//! each patch anew, whoever says that it was proven.

use std::collections::{BTreeMap, BTreeSet};

use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};

use super::{PlanOrigin, cut, path};
use crate::code::guards::{self, Bounds, FilePatch};
use crate::model::forge::OUR_BRANCHES;
use crate::model::heal::HealMode;
use crate::plan::action::{Action, CommitDraft, LineComment, Precondition};
use crate::plan::marker::{self, RepairState};
use crate::plan::planner::repairs::adds_secret;
use crate::plan::policy::Policy;
use crate::plan::policy::generate::Mode;
use crate::render::message::heal::is_inert;

/// Commits of one branch.
const COMMITS: usize = 50;

pub(super) fn judge(action: &Action, source: &PlanOrigin, policy: &Policy) -> Result<(), String> {
    let kind = Kind::of(action).ok_or("what it is about is no branch of ours")?;
    let is_base = kind == Kind::Tests && source.pull.is_none() && source.default_branch;
    if !source.own_branch || (source.pull.is_none() && !is_base) {
        return Err("only the runs of pull requests of the repository's own branches may bring code".to_owned());
    }
    if kind == Kind::Repair && policy.heal.mode != HealMode::Branch {
        return Err("`heal.mode` is not `branch`".to_owned());
    }
    if kind == Kind::Tests && policy.generate.mode != Mode::Branch {
        return Err("`generate.mode` is not `branch`".to_owned());
    }
    match action {
        Action::PushBranch { branch, parent, commits, author } => {
            own_name(kind, branch, source)?;
            if *parent != source.head {
                return Err(format!("it builds on commit {}, not on {}", cut(parent), source.head));
            }
            if *author != policy.heal.author() {
                return Err("its author is not that of `heal.author`".to_owned());
            }
            commits_are_fine(kind, commits, source, policy)
        }
        Action::OpenPullRequest { branch, base, title, body } => {
            own_name(kind, branch, source)?;
            if source.head_ref.as_deref() != Some(base) {
                return Err(format!("it goes into `{}`, which is not the branch that was tested", cut(base)));
            }
            if title.contains('\n') || title.len() > 250 || cut(title) != *title {
                return Err("its title is no single line".to_owned());
            }
            if !is_inert(title) {
                return Err("its title says what ours never says".to_owned());
            }
            let marked = marker::read::<RepairState>(marker::REPAIR, body).map(|s| s.branch);
            if marked.as_ref() != Some(branch) {
                return Err("its marker is not that of its branch".to_owned());
            }
            Ok(())
        }
        Action::DispatchWorkflow { workflow, branch } => {
            own_name(kind, branch, source)?;
            if source.workflow.as_deref() == Some(workflow) {
                Ok(())
            } else {
                Err(format!("`{}` is not the workflow that ran", cut(workflow)))
            }
        }
        _ => Err("it is nothing about a branch".to_owned()),
    }
}

/// The guards, made anew; of the plan's own only what it waits for is taken.
pub(super) fn guards(action: &Action, given: &[Precondition], source: &PlanOrigin) -> Vec<Precondition> {
    let after = given.iter().filter(|g| matches!(g, Precondition::AfterAction { .. })).cloned();
    let head = || source.pull.map(|pull| Precondition::PullRequestHeadIs { pull, head: source.head.clone() });
    match action {
        Action::PushBranch { branch, .. } => {
            head().into_iter().chain([Precondition::NoBranch { branch: branch.clone() }]).collect()
        }
        Action::OpenPullRequest { branch, .. } => {
            after.chain(head()).chain([Precondition::NoPullFrom { branch: branch.clone() }]).collect()
        }
        Action::DispatchWorkflow { workflow, branch } => after
            .chain(head())
            .chain([Precondition::NoRunOn { workflow: workflow.clone(), branch: branch.clone() }])
            .collect(),
        _ => Vec::new(),
    }
}

/// What a branch of ours holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Repair,
    Tests,
}

impl Kind {
    /// By the name of the branch that an action is about.
    fn of(action: &Action) -> Option<Self> {
        let (Action::PushBranch { branch, .. }
        | Action::OpenPullRequest { branch, .. }
        | Action::DispatchWorkflow { branch, .. }) = action
        else {
            return None;
        };
        let own = branch.strip_prefix(OUR_BRANCHES)?;
        [Self::Repair, Self::Tests].into_iter().find(|kind| own.starts_with(kind.folder()))
    }

    fn folder(self) -> &'static str {
        match self {
            Self::Repair => "heal/",
            Self::Tests => "generate/",
        }
    }
}

fn own_name(kind: Kind, branch: &str, source: &PlanOrigin) -> Result<(), String> {
    let rest = branch.strip_prefix(OUR_BRANCHES).and_then(|rest| rest.strip_prefix(kind.folder()));
    let fine = rest.is_some_and(|rest| {
        let plain = rest.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let base = rest.rsplit('-').next().unwrap_or_default();
        plain && rest.len() <= 60 && base.len() >= 7 && source.head.starts_with(base)
    });
    if fine { Ok(()) } else { Err(format!("`{}` is no branch of ours on this commit", cut(branch))) }
}

fn commits_are_fine(kind: Kind, commits: &[CommitDraft], source: &PlanOrigin, policy: &Policy) -> Result<(), String> {
    if commits.is_empty() || commits.len() > COMMITS || commits.iter().any(|c| c.files.is_empty()) {
        return Err(format!("it has no commits, empty ones, or more than {COMMITS}"));
    }
    let mut last: BTreeMap<&str, &str> = BTreeMap::new();
    for commit in commits {
        let mut own: BTreeSet<&str> = BTreeSet::new();
        for file in &commit.files {
            path(&file.path)?;
            if !own.insert(&file.path) {
                return Err(format!("a commit holds `{}` twice", cut(&file.path)));
            }
            if file.executable {
                return Err(format!("`{}` is to be executable: that is not taken from a plan", cut(&file.path)));
            }
            last.insert(&file.path, &file.text);
        }
        // Each commit is one that people may look at or take over alone.
        let patches: Vec<FilePatch> =
            last.iter().map(|(path, text)| of_kind(kind, path, text, source, policy)).collect::<Result<_, _>>()?;
        let bounds = if kind == Kind::Tests { policy.generated_bounds() } else { policy.heal.bounds() };
        guarded(&patches, &bounds)?;
    }
    Ok(())
}

/// The patch of a file of a commit. Written tests stand in files of their own, which
/// may be new; an empty file may make a package of their folder.
fn of_kind(kind: Kind, path: &str, new: &str, source: &PlanOrigin, policy: &Policy) -> Result<FilePatch, String> {
    if kind == Kind::Repair {
        return patch(path, new.to_owned(), source);
    }
    let is_package = path.ends_with("/__init__.py") && new.is_empty() && !source.texts.contains_key(path);
    if !is_package && !policy.generate.is_ours(path) {
        return Err(format!("`{}` is no file of written tests", cut(path)));
    }
    let old = source.texts.get(path).cloned();
    if adds_secret(old.as_deref().unwrap_or(""), new) {
        return Err(format!("what it adds to `{}` looks like a secret", cut(path)));
    }
    Ok(FilePatch { path: path.to_owned(), old, new: Some(new.to_owned()), ..FilePatch::default() })
}

/// A patch of a file that the commit has: repairs make no files.
fn patch(path: &str, new: String, source: &PlanOrigin) -> Result<FilePatch, String> {
    let old = source.texts.get(path).ok_or_else(|| format!("`{}` is not in the commit", cut(path)))?;
    if adds_secret(old, &new) {
        return Err(format!("what it adds to `{}` looks like a secret", cut(path)));
    }
    Ok(FilePatch { path: path.to_owned(), old: Some(old.clone()), new: Some(new), ..FilePatch::default() })
}

fn guarded(patches: &[FilePatch], bounds: &Bounds) -> Result<(), String> {
    match guards::check(patches, bounds).first() {
        None => Ok(()),
        Some(finding) => Err(format!("the guard {} objects: {}", finding.guard.name(), cut(&finding.why))),
    }
}

/// Suggestions are patches: what all of a review would make of each file is
/// looked at by the guards.
pub(super) fn suggestions(comments: &[LineComment], source: &PlanOrigin, policy: &Policy) -> Result<(), String> {
    let mut by_path: BTreeMap<&str, Vec<(u32, u32, String)>> = BTreeMap::new();
    for comment in comments {
        for block in blocks(&comment.body) {
            let first = comment.start.unwrap_or(comment.line);
            by_path.entry(&comment.path).or_default().push((first, comment.line, block));
        }
    }
    let mut patches = Vec::new();
    for (path, mut places) in by_path {
        let old = source.texts.get(path).ok_or_else(|| format!("`{}` is not in the commit", cut(path)))?;
        let mut lines: Vec<&str> = old.split_inclusive('\n').collect();
        places.sort();
        let mut bound = u32::MAX;
        for (first, last, block) in places.iter().rev() {
            let range = (*first as usize).wrapping_sub(1)..*last as usize;
            if *first == 0 || first > last || *last >= bound || range.end > lines.len() {
                return Err(format!("a suggestion is not about lines of `{}`", cut(path)));
            }
            bound = *first;
            lines.splice(range, [block.as_str()]);
        }
        patches.push(patch(path, lines.concat(), source)?);
    }
    if patches.is_empty() {
        return Ok(());
    }
    if !matches!(policy.heal.mode, HealMode::Suggest | HealMode::Branch) {
        return Err("`heal.mode` allows no suggestion".to_owned());
    }
    guarded(&patches, &policy.heal.bounds())
}

/// The suggestion blocks of a comment.
fn blocks(body: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open: Option<String> = None;
    for event in Parser::new(body) {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) if &*info == "suggestion" => {
                open = Some(String::new());
            }
            Event::Text(part) => {
                if let Some(block) = &mut open {
                    block.push_str(&part);
                }
            }
            Event::End(TagEnd::CodeBlock) => found.extend(open.take()),
            _ => {}
        }
    }
    found
}
