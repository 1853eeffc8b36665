//! The event that woke a workflow, from its JSON.
//!
//! Only the fields that matter are read, each may be absent, and what does not
//! look like what it should be (a commit that is no hash) is left out.

use serde_json::Value;

use crate::model::forge::{Account, CommentEvent, CompletedRun, Event, PullRequestRef, RepoSlug, Trigger, is_sha};
use crate::model::text::Untrusted;
use crate::model::time::Timestamp;

/// Reads the payload of the event `name`.
#[must_use]
pub fn read(name: &str, payload: &Value) -> Event {
    let occasion = match name {
        "push" => Trigger::Push,
        "pull_request" | "pull_request_target" => {
            pull(&payload["pull_request"]).map_or_else(|| Trigger::Other(name.to_owned()), Trigger::Pull)
        }
        "workflow_run" => ended_run(&payload["workflow_run"])
            .map_or_else(|| Trigger::Other(name.to_owned()), |run| Trigger::WorkflowRun(Box::new(run))),
        "schedule" => Trigger::Schedule,
        "workflow_dispatch" | "repository_dispatch" => Trigger::Dispatch,
        "merge_group" => Trigger::MergeGroup,
        "issue_comment" => {
            remark(payload).map_or_else(|| Trigger::Other(name.to_owned()), |remark| Trigger::Comment(Box::new(remark)))
        }
        other => Trigger::Other(Untrusted::bounded(other, 60).raw().to_owned()),
    };
    Event {
        commit_at: instant(&payload["head_commit"]["timestamp"])
            .or_else(|| instant(&payload["workflow_run"]["head_commit"]["timestamp"]))
            .or_else(|| instant(&payload["merge_group"]["head_commit"]["timestamp"])),
        occasion,
        repository: payload["repository"]["full_name"].as_str().and_then(RepoSlug::parse),
        default_branch: text(&payload["repository"]["default_branch"]),
        actor: Untrusted::bounded(payload["sender"]["login"].as_str().unwrap_or_default(), 100),
    }
}

fn remark(payload: &Value) -> Option<CommentEvent> {
    let comment = &payload["comment"];
    Some(CommentEvent {
        on: payload["issue"]["number"].as_u64()?,
        on_pull: payload["issue"]["pull_request"].is_object(),
        id: comment["id"].as_u64()?,
        action: text(&payload["action"])?,
        body: comment["body"].as_str().unwrap_or_default().to_owned(),
        author: account(&comment["user"]),
        updated: instant(&comment["updated_at"]),
    })
}

fn account(value: &Value) -> Option<Account> {
    Some(Account { id: value["id"].as_u64()?, login: text(&value["login"])?, is_bot: value["type"] == "Bot" })
}

fn pull(value: &Value) -> Option<PullRequestRef> {
    Some(PullRequestRef {
        number: value["number"].as_u64()?,
        head_sha: sha(&value["head"]["sha"])?,
        head_ref: name(&value["head"]["ref"])?,
        head_repository: value["head"]["repo"]["full_name"].as_str().and_then(RepoSlug::parse),
        base_ref: name(&value["base"]["ref"])?,
        base_sha: sha(&value["base"]["sha"])?,
    })
}

/// Reads a workflow run, as events and answers of the API tell it.
#[must_use]
pub fn ended_run(value: &Value) -> Option<CompletedRun> {
    let file = value["path"].as_str().map(|path| path.split('@').next().unwrap_or(path));
    Some(CompletedRun {
        id: value["id"].as_u64()?,
        attempt: value["run_attempt"].as_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or(1),
        head_sha: sha(&value["head_sha"])?,
        head_branch: name(&value["head_branch"]).unwrap_or_default(),
        head_repository: value["head_repository"]["full_name"].as_str().and_then(RepoSlug::parse),
        workflow_file: file.and_then(|path| path.rsplit('/').next()).filter(|f| !f.is_empty()).map(str::to_owned),
        event: text(&value["event"]).unwrap_or_default(),
        conclusion: text(&value["conclusion"]).unwrap_or_default(),
        pulls: value["pull_requests"]
            .as_array()
            .map(|pulls| pulls.iter().filter_map(|p| p["number"].as_u64()).collect())
            .unwrap_or_default(),
        at: instant(&value["run_started_at"]).or_else(|| instant(&value["created_at"])),
    })
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|t| !t.is_empty()).map(|t| Untrusted::bounded(t, 300).raw().to_owned())
}

/// A branch's name. One with invisible marks in it must not be taken for the one
/// that it looks like: it is told apart, not cleaned.
fn name(value: &Value) -> Option<String> {
    let raw = value.as_str().filter(|t| !t.is_empty())?;
    let shown = text(value)?;
    Some(if shown == raw { shown } else { format!("?{shown}") })
}

fn sha(value: &Value) -> Option<String> {
    value.as_str().filter(|t| is_sha(t)).map(str::to_owned)
}

fn instant(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pull_request_from_a_fork() {
        let payload = json!({
            "repository": {"full_name": "acme/shop", "default_branch": "main"},
            "sender": {"login": "mallory"},
            "pull_request": {
                "number": 7,
                "head": {"sha": "ec26c3e57ca3a959ca5aad62de7213c562f8c821", "ref": "x", "repo": {"full_name": "mallory/shop"}},
                "base": {"sha": "f95f852bd8fca8fcc58a9a2d6c842781e32a215e", "ref": "main"}
            }
        });
        let event = read("pull_request", &payload);
        let Trigger::Pull(pull) = &event.occasion else { panic!("{event:?}") };
        assert_eq!((pull.number, pull.base_ref.as_str()), (7, "main"));
        assert_eq!(pull.head_repository.as_ref().map(RepoSlug::as_str), Some("mallory/shop"));
    }

    #[test]
    fn what_is_missing_or_odd_is_left_out() {
        assert_eq!(read("pull_request", &json!({})).occasion, Trigger::Other("pull_request".into()));
        let odd = json!({"pull_request": {"number": 7, "head": {"sha": "--upload-pack=x", "ref": "x"}}});
        assert_eq!(read("pull_request", &odd).occasion, Trigger::Other("pull_request".into()));
        assert_eq!(read("push", &Value::Null).occasion, Trigger::Push);
        assert_eq!(read("issue_comment", &json!([1])).occasion, Trigger::Other("issue_comment".into()));
    }
}
