//! The forge's port: reads that guards need, writes, claims.
//!
//! A claim is a label: GitHub makes a label of one name only once and says so
//! (`already_exists`) to everybody who comes second, and the right to write
//! issues or pull requests is the right to make labels. It is removed when the
//! write is done; one that a cancelled job left behind counts no more after
//! [`CLAIM_SECONDS`].

use http::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::objects::{CheckRuns, Comment, Issue, Made, Pull, Run};
use super::{GitHub, PAGES, is_ours};
use crate::adapters::system;
use crate::model::forge::{BotPullRequest, RunLink, percent};
use crate::plan::action::{Action, Annotation, LineComment};
use crate::plan::snapshot::{BotCheck, BotComment, BotIssue, CommentState, PullRequestState, RunState};
use crate::ports::{Forge, ForgeError, LockStatus};

/// How long a claim counts: longer than the longest wait for a limit, and no
/// longer than a thread may stay closed after a job was cancelled.
const CLAIM_SECONDS: i64 = 300;

impl GitHub {
    fn list_comments(&self, route: &str, on_lines: bool) -> Result<Vec<BotComment>, ForgeError> {
        let mut ours = Vec::new();
        let mut other = None;
        self.client.whole(&self.path(route), PAGES, |answer| {
            let page: Vec<Comment> = answer.read()?;
            for comment in page {
                let user = comment.user.as_ref().map(|u| (u.login.clone(), u.is_bot()));
                let comment = comment.ours(on_lines);
                match user {
                    Some((login, _)) if is_ours(Some(&login), &self.bot) => ours.push(comment),
                    Some((login, true)) if comment.key().is_some() => other = Some(login),
                    _ => {}
                }
            }
            Ok(())
        })?;
        self.not_another(other.filter(|_| !ours.iter().any(|c| c.key().is_some())))?;
        Ok(ours)
    }

    /// Objects with our marker that another bot signed are most likely ours, written
    /// with a token of another app than we think: to write more would be to write
    /// everything twice.
    fn not_another(&self, login: Option<String>) -> Result<(), ForgeError> {
        let Some(login) = login else { return Ok(()) };
        Err(ForgeError::Refused {
            what: format!("what testmedic wrote here before is signed by `{login}`, not by `{}`", self.bot),
            hint: Some(format!("pass `bot: {login}`")),
        })
    }

    fn post(&self, method: Method, route: &str, body: &Value) -> Result<Option<String>, ForgeError> {
        let answer = self.client.send(method, &self.path(route), Some(body))?;
        // It was done, whatever the answer looks like.
        let made = answer.read::<Made>().ok();
        if let Some(user) = made.as_ref().and_then(|m| m.user.as_ref())
            && user.login != self.bot
        {
            self.note(format!(
                "what this token writes is signed by `{}`, not by `{}`: pass `bot: {}`, or the next run will not recognise it",
                user.login, self.bot, user.login
            ));
        }
        Ok(made.and_then(|m| m.html_url))
    }
}

impl Forge for GitHub {
    fn pull(&self, number: u64) -> Result<PullRequestState, ForgeError> {
        let pull: Pull = self.client.get(&self.path(&format!("/pulls/{number}")))?.read()?;
        Ok(PullRequestState { open: pull.state == "open", head: pull.head.sha, locked: pull.locked })
    }

    fn issues(&self) -> Result<Vec<BotIssue>, ForgeError> {
        let route =
            format!("/issues?state=all&creator={}&sort=updated&direction=desc&per_page=100", percent(&self.bot));
        let mut ours = Vec::new();
        self.client.whole(&self.path(&route), PAGES, |answer| {
            let page: Vec<Issue> = answer.read()?;
            let by_us = |i: &Issue| is_ours(i.user.as_ref().map(|u| u.login.as_str()), &self.bot);
            ours.extend(page.into_iter().filter(|i| i.pull_request.is_none()).filter(by_us).map(Issue::ours));
            Ok(())
        })?;
        ours.retain(|issue| issue.key().is_some());
        Ok(ours)
    }

    fn issue(&self, number: u64) -> Result<BotIssue, ForgeError> {
        let issue: Issue = self.client.get(&self.path(&format!("/issues/{number}")))?.read()?;
        if issue.pull_request.is_some() || !is_ours(issue.user.as_ref().map(|u| u.login.as_str()), &self.bot) {
            return Err(ForgeError::Refused { what: format!("issue {number} is not ours"), hint: None });
        }
        Ok(issue.ours())
    }

    fn comments(&self, on: u64) -> Result<Vec<BotComment>, ForgeError> {
        self.list_comments(&format!("/issues/{on}/comments?per_page=100"), false)
    }

    fn review_comments(&self, pull: u64) -> Result<Vec<BotComment>, ForgeError> {
        self.list_comments(&format!("/pulls/{pull}/comments?per_page=100"), true)
    }

    fn check(&self, head: &str, name: &str) -> Result<Option<BotCheck>, ForgeError> {
        let route =
            format!("/commits/{}/check-runs?check_name={}&filter=latest&per_page=100", percent(head), percent(name));
        let found: CheckRuns = self.client.get(&self.path(&route))?.read()?;
        let ours = found.check_runs.into_iter().filter(|check| check.name == name);
        Ok(ours
            .map(super::objects::CheckRun::ours)
            .filter(|check| check.external_id.starts_with("testmedic "))
            .max_by_key(|c| c.id))
    }

    fn branch(&self, name: &str) -> Result<Option<String>, ForgeError> {
        self.commit_at(name)
    }

    fn text_at(&self, path: &str, revision: &str) -> Result<Option<String>, ForgeError> {
        self.file(path, revision)
    }

    fn branches_like(&self, begin: &str) -> Result<Vec<(String, String)>, ForgeError> {
        self.matching(begin)
    }

    fn pulls_into(&self, base: &str) -> Result<Vec<BotPullRequest>, ForgeError> {
        self.our_pulls_into(base)
    }

    fn latest_run(&self, workflow: &str, branch: &str) -> Result<Option<RunLink>, ForgeError> {
        self.latest_run_on(workflow, branch)
    }

    fn comment(&self, id: u64) -> Result<Option<CommentState>, ForgeError> {
        match self.client.get(&self.path(&format!("/issues/comments/{id}"))) {
            Ok(answer) => Ok(Some(answer.read::<Comment>()?.remark())),
            Err(ForgeError::Missing(_)) => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    fn run(&self, id: u64) -> Result<RunState, ForgeError> {
        let run: Run = self.client.get(&self.path(&format!("/actions/runs/{id}")))?.read()?;
        Ok(RunState { attempt: run.attempt.unwrap_or(1), is_done: run.status.as_deref() == Some("completed") })
    }

    fn write(&mut self, action: &Action) -> Result<Option<String>, ForgeError> {
        match action {
            Action::RecordRun { .. } => Ok(None),
            Action::OpenIssue { title, body, labels, assignees, .. } => {
                self.open_issue((title, body), labels, assignees)
            }
            Action::UpdateIssue { number, body } => {
                self.post(Method::PATCH, &format!("/issues/{number}"), &json!({"body": body}))
            }
            Action::ReopenIssue { number, body } => {
                let change = json!({"state": "open", "state_reason": "reopened", "body": body});
                self.post(Method::PATCH, &format!("/issues/{number}"), &change)
            }
            Action::CloseIssue { number, body } => {
                let change = json!({"state": "closed", "state_reason": "completed", "body": body});
                self.post(Method::PATCH, &format!("/issues/{number}"), &change)
            }
            Action::Comment { edit: Some(id), body, .. } => {
                self.post(Method::PATCH, &format!("/issues/comments/{id}"), &json!({"body": body}))
            }
            Action::Comment { on, body, .. } => {
                self.post(Method::POST, &format!("/issues/{on}/comments"), &json!({"body": body}))
            }
            Action::Review { pull, head, comments } => {
                let comments: Vec<Value> = comments.iter().map(line_comment).collect();
                let review = json!({"commit_id": head, "event": "COMMENT", "comments": comments});
                self.post(Method::POST, &format!("/pulls/{pull}/reviews"), &review)
            }
            Action::CheckRun { .. } => self.write_check(action),
            Action::React { comment, content, .. } => {
                let route = self.path(&format!("/issues/comments/{comment}/reactions"));
                self.client.send(Method::POST, &route, Some(&json!({"content": content})))?;
                Ok(None)
            }
            Action::RerunJobs { run, .. } => {
                let route = self.path(&format!("/actions/runs/{run}/rerun-failed-jobs"));
                self.client.send(Method::POST, &route, None)?;
                Ok(Some(format!("{}/actions/runs/{run}", self.page)))
            }
            Action::PushBranch { branch, parent, commits, author } => {
                self.push(branch, parent, commits, author.as_ref())
            }
            Action::OpenPullRequest { branch, base, title, body } => {
                let pull = json!({"head": branch, "base": base, "title": title, "body": body});
                self.post(Method::POST, "/pulls", &pull)
            }
            Action::DispatchWorkflow { workflow, branch } => {
                let route = self.path(&format!("/actions/workflows/{}/dispatches", percent(workflow)));
                self.client.send(Method::POST, &route, Some(&json!({"ref": branch})))?;
                Ok(None)
            }
        }
    }

    fn lock(&mut self, name: &str) -> Result<LockStatus, ForgeError> {
        let label = label(name);
        match self.client.send(Method::POST, &self.path("/labels"), Some(&self.claim_body(&label))) {
            Ok(_) => Ok(LockStatus::Taken),
            // Whoever holds it now: we, if the answer was lost, or another one.
            Err(ForgeError::Unclear(_)) => self.holder_of(&label),
            Err(ForgeError::Refused { what, .. }) if what.contains("already_exists") => self.holder_of(&label),
            Err(trouble) => Err(trouble),
        }
    }

    fn unlock(&mut self, name: &str) {
        let route = self.path(&format!("/labels/{}", percent(&label(name))));
        for _ in 0..3 {
            match self.client.send(Method::DELETE, &route, None) {
                Err(ForgeError::Unclear(_)) => {}
                Ok(_) | Err(ForgeError::Missing(_)) => return,
                Err(trouble) => {
                    return self.note(format!("a claim could not be given back, it ends by itself: {trouble}"));
                }
            }
        }
    }

    fn pause(&self, round: u32) {
        self.client.pause(round);
    }
}

impl GitHub {
    fn open_issue(
        &self,
        (title, body): (&str, &str),
        labels: &[String],
        assignees: &[String],
    ) -> Result<Option<String>, ForgeError> {
        self.signed_by_another(labels)?;
        let mut issue = json!({"title": title, "body": body, "labels": labels});
        if !assignees.is_empty() {
            issue["assignees"] = json!(assignees);
            match self.post(Method::POST, "/issues", &issue) {
                // Somebody whom CODEOWNERS names cannot be assigned: nothing was made.
                Err(ForgeError::Refused { what, .. }) if what.contains("assignees") => {
                    self.note(format!("nobody is assigned: {what}"));
                    issue["assignees"] = json!([]);
                }
                other => return other,
            }
        }
        self.post(Method::POST, "/issues", &issue)
    }

    fn write_check(&self, action: &Action) -> Result<Option<String>, ForgeError> {
        let Action::CheckRun { head, name, edit, conclusion, title, summary, digest, annotations } = action else {
            return Ok(None);
        };
        let annotations: Vec<Value> = annotations.iter().map(annotation).collect();
        let mut check = json!({
            "name": name,
            "external_id": digest,
            "status": "completed",
            "conclusion": conclusion,
            "output": {"title": title, "summary": summary, "annotations": annotations},
        });
        if let Some(id) = edit {
            return self.post(Method::PATCH, &format!("/check-runs/{id}"), &check);
        }
        check["head_sha"] = json!(head);
        self.post(Method::POST, "/check-runs", &check)
    }

    /// Looks at a claim that is there: ours, somebody's, or too old to count.
    fn holder_of(&mut self, label: &str) -> Result<LockStatus, ForgeError> {
        let route = self.path(&format!("/labels/{}", percent(label)));
        let found: FoundLabel = match self.client.get(&route) {
            Ok(answer) => answer.read()?,
            Err(ForgeError::Missing(_)) => return Ok(LockStatus::Held),
            Err(trouble) => return Err(trouble),
        };
        let description = found.description.unwrap_or_default();
        if description.starts_with(&format!("{} is writing", self.holder)) {
            return Ok(LockStatus::Taken);
        }
        let until = description.split("until ").nth(1).and_then(|rest| rest.split(' ').next()?.parse::<i64>().ok());
        let now = system::now().unix();
        // No honest claim counts longer than we would ask for ourselves.
        if !until.is_some_and(|until| (now..=now + CLAIM_SECONDS).contains(&until)) {
            self.take_over(label, &route)?;
            return self.still_ours(&route);
        }
        Ok(LockStatus::Held)
    }
}

impl GitHub {
    /// Puts our claim in the place of one that counts no more.
    fn take_over(&self, label: &str, route: &str) -> Result<(), ForgeError> {
        match self.client.send(Method::DELETE, route, None) {
            Ok(_) | Err(ForgeError::Missing(_) | ForgeError::Unclear(_)) => {}
            Err(trouble) => return Err(trouble),
        }
        match self.client.send(Method::POST, &self.path("/labels"), Some(&self.claim_body(label))) {
            Err(ForgeError::Refused { what, .. }) if what.contains("already_exists") => Ok(()),
            Ok(_) | Err(ForgeError::Unclear(_)) => Ok(()),
            Err(trouble) => Err(trouble),
        }
    }

    /// Two who find the same dead claim may both take it over, and the second
    /// removes the first one's: after a moment only one of them still stands.
    fn still_ours(&self, route: &str) -> Result<LockStatus, ForgeError> {
        self.client.pause(2);
        let found: FoundLabel = match self.client.get(route) {
            Ok(answer) => answer.read()?,
            Err(ForgeError::Missing(_)) => return Ok(LockStatus::Held),
            Err(trouble) => return Err(trouble),
        };
        let ours = found.description.unwrap_or_default().starts_with(&format!("{} is writing", self.holder));
        Ok(if ours { LockStatus::Taken } else { LockStatus::Held })
    }

    fn claim_body(&self, label: &str) -> Value {
        let until = system::now().unix() + CLAIM_SECONDS;
        json!({
            "name": label,
            "color": "ededed",
            "description": format!("{} is writing; counts until {until} and goes when it is done", self.holder),
        })
    }

    /// Looks for issues with our marker and label that another bot signed.
    fn signed_by_another(&self, labels: &[String]) -> Result<(), ForgeError> {
        let Some(label) = labels.first() else { return Ok(()) };
        let route = format!("/issues?state=all&labels={}&per_page=100", percent(label));
        let page: Vec<Issue> = self.client.get(&self.path(&route))?.read()?;
        let other = page.into_iter().find_map(|issue| {
            let user = issue.user.as_ref().filter(|u| u.is_bot() && u.login != self.bot)?.login.clone();
            issue.ours().key().map(|_| user)
        });
        self.not_another(other)
    }
}

#[derive(serde::Deserialize)]
struct FoundLabel {
    description: Option<String>,
}

/// Name of the label that is the claim: at most 50 characters.
fn label(name: &str) -> String {
    let hash = Sha256::digest(name.as_bytes());
    let digest = hash[..8].iter().fold(String::new(), |out, byte| out + &format!("{byte:02x}"));
    format!("testmedic-writes-{digest}")
}

fn line_comment(comment: &LineComment) -> Value {
    let mut value = json!({"path": comment.path, "line": comment.line, "side": "RIGHT", "body": comment.body});
    if let Some(start) = comment.start.filter(|start| *start < comment.line) {
        value["start_line"] = json!(start);
        value["start_side"] = json!("RIGHT");
    }
    value
}

fn annotation(annotation: &Annotation) -> Value {
    json!({
        "path": annotation.path,
        "start_line": annotation.line,
        "end_line": annotation.line,
        "annotation_level": annotation.level,
        "title": annotation.title,
        "message": annotation.message,
    })
}
