//! What the API answers.

use http_body_util::Full;
use hyper::Response;
use hyper::body::Bytes;
use serde_json::{Value, json};

use super::{Check, Comment, Issue, Pull, State, contract};

/// An answer before it is sent.
pub struct Reply {
    pub status: u16,
    pub body: Value,
    headers: Vec<(&'static str, String)>,
    /// All rows of a list, and the field that they stand in, if any.
    rows: Option<(Vec<Value>, Option<&'static str>)>,
}

impl Reply {
    pub fn of(status: u16, body: Value) -> Self {
        Self { status, body, headers: Vec::new(), rows: None }
    }

    pub fn error(status: u16, message: &str) -> Self {
        let body = json!({"message": message, "documentation_url": "https://docs.github.com/rest", "status": status.to_string()});
        Self::of(status, body)
    }

    fn invalid(resource: &str, field: &str, code: &str, message: &str) -> Self {
        let mut reply = Self::error(422, "Validation Failed");
        reply.body["errors"] = json!([{"resource": resource, "field": field, "code": code, "message": message}]);
        reply
    }

    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    fn list(rows: Vec<Value>, field: Option<&'static str>) -> Self {
        Self { status: 200, body: Value::Null, headers: Vec::new(), rows: Some((rows, field)) }
    }

    /// Cuts the page that the query asks for.
    fn page(&mut self, query: &[(String, String)]) -> Option<(u64, u64)> {
        let (rows, field) = self.rows.take()?;
        let number = |name: &str, default: u64| {
            query.iter().find(|(k, _)| k == name).and_then(|(_, v)| v.parse().ok()).unwrap_or(default)
        };
        let per_page = number("per_page", 30).clamp(1, 100);
        let page = number("page", 1).max(1);
        let total = rows.len() as u64;
        let start = usize::try_from((page - 1) * per_page).unwrap();
        let rows: Vec<Value> = rows.into_iter().skip(start).take(usize::try_from(per_page).unwrap()).collect();
        self.body = match field {
            Some(field) => json!({"total_count": total, field: rows}),
            None => Value::Array(rows),
        };
        (page * per_page < total).then_some((page, per_page))
    }

    pub fn respond(
        self,
        if_none_match: &str,
        remaining: u64,
        url: &str,
        query: &[(String, String)],
    ) -> Response<Full<Bytes>> {
        let text = if self.body.is_null() { String::new() } else { self.body.to_string() };
        let etag = format!("\"{:x}\"", text.len() as u64 * 31 + text.bytes().map(u64::from).sum::<u64>());
        let unchanged = self.status == 200 && if_none_match == etag;
        let mut builder = Response::builder()
            .status(if unchanged { 304 } else { self.status })
            .header("content-type", "application/json; charset=utf-8")
            .header("x-ratelimit-limit", "5000")
            .header("x-ratelimit-remaining", remaining.to_string())
            .header("etag", etag);
        for (name, value) in &self.headers {
            let value = if *name == "link" { link(value, url, query) } else { value.clone() };
            builder = builder.header(*name, value);
        }
        builder.body(Full::from(if unchanged { String::new() } else { text })).unwrap()
    }
}

/// `page per_page` → the header's text.
fn link(value: &str, url: &str, query: &[(String, String)]) -> String {
    let page: u64 = value.parse().unwrap();
    let others: Vec<String> = query
        .iter()
        .filter(|(k, _)| k != "page")
        .map(|(k, v)| format!("{k}={}", v.replace(' ', "%20").replace('[', "%5B").replace(']', "%5D")))
        .collect();
    format!("<{url}?{}&page={}>; rel=\"next\", <{url}?page=99>; rel=\"last\"", others.join("&"), page + 1)
}

/// Scope and level that a request needs.
fn needs(method: &str, path: &[&str]) -> (&'static str, &'static str) {
    let level = if method == "GET" { "read" } else { "write" };
    let scope = match path {
        ["issues" | "labels", ..] => "issues",
        ["pulls", ..] => "pull_requests",
        ["check-runs", ..] | ["commits", _, "check-runs"] => "checks",
        ["actions", ..] => "actions",
        ["contents" | "compare" | "commits" | "git", ..] => "contents",
        _ => "metadata",
    };
    (scope, level)
}

fn allowed(state: &State, scope: &str, level: &str) -> bool {
    let has = |scope: &str| match state.permissions.get(scope).map(String::as_str) {
        Some("write") => true,
        Some("read") => level == "read",
        _ => false,
    };
    // Threads and labels of issues are those of pull requests too.
    scope == "metadata" || has(scope) || (scope == "issues" && has("pull_requests"))
}

pub fn answer(
    state: &mut State,
    method: &str,
    path: &str,
    query: &[(String, String)],
    body: &Value,
    authorization: &str,
    store: &str,
) -> Reply {
    if authorization.is_empty() {
        return Reply::error(401, "Requires authentication");
    }
    if authorization != format!("Bearer {}", state.token) {
        return Reply::error(401, "Bad credentials");
    }
    let segments: Vec<String> = path.trim_start_matches('/').split('/').map(decode).collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let mut reply = match segments.as_slice() {
        ["user"] => Reply::error(403, "Resource not accessible by integration"),
        ["repos", owner, name, rest @ ..] => {
            if !format!("{owner}/{name}").eq_ignore_ascii_case(&state.repository) {
                return Reply::error(404, "Not Found");
            }
            let (scope, level) = needs(method, rest);
            if !allowed(state, scope, level) {
                return Reply::error(403, "Resource not accessible by integration");
            }
            repository(state, method, rest, query, body, store)
        }
        _ => Reply::error(404, "Not Found"),
    };
    if let Some((page, _)) = reply.page(query) {
        reply = reply.with("link", &page.to_string());
    }
    if reply.status < 300 {
        reply.body = contract::complete(method, path, reply.status, reply.body);
    }
    reply
}

fn decode(segment: &str) -> String {
    let mut out = Vec::new();
    let bytes = segment.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'%' {
            out.push(u8::from_str_radix(&segment[at + 1..at + 3], 16).unwrap());
            at += 3;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8(out).unwrap()
}

fn repository(
    state: &mut State,
    method: &str,
    path: &[&str],
    query: &[(String, String)],
    body: &Value,
    store: &str,
) -> Reply {
    match (method, path) {
        ("GET", []) => Reply::of(200, json!({"full_name": state.repository, "default_branch": state.default_branch})),
        ("GET", ["collaborators", login, "permission"]) => permission(state, login),
        ("POST", ["actions", "runs", run, "rerun-failed-jobs"]) => rerun(state, run),
        ("GET", ["contents", path @ ..]) => contents(state, &path.join("/"), parameter(query, "ref")),
        (_, ["git", rest @ ..]) => super::git::answer(state, method, rest, body),
        ("POST", ["actions", "workflows", workflow, "dispatches"]) => dispatch(state, workflow, body),
        (_, ["issues", ..]) => issues(state, method, &path[1..], query, body),
        (_, ["pulls", ..]) => pulls(state, method, &path[1..], query, body),
        (_, ["labels", ..]) => labels(state, method, &path[1..], body),
        (_, ["check-runs", ..]) => check(state, method, &path[1..], body),
        ("GET", ["commits", sha, "check-runs"]) => {
            let name = parameter(query, "check_name");
            let found = state.checks.iter().rev().filter(|c| c.head == *sha && name.is_none_or(|n| n == c.name));
            let mut seen = Vec::new();
            let latest = found.filter(|c| {
                let new = !seen.contains(&c.name);
                seen.push(c.name.clone());
                new
            });
            Reply::list(latest.map(|c| check_json(c, &state.repository)).collect(), Some("check_runs"))
        }
        ("GET", ["commits", sha]) => state
            .commits
            .get(*sha)
            .map_or_else(|| Reply::error(422, "No commit found for SHA"), |c| Reply::of(200, c.clone())),
        ("GET", ["compare", range]) => {
            let told = state.comparisons.get(*range).cloned().or_else(|| comparison(state, range));
            told.map_or_else(|| Reply::error(404, "Not Found"), |c| Reply::of(200, c))
        }
        ("GET", ["actions", rest @ ..]) => actions(state, rest, query, store),
        _ => Reply::error(404, "Not Found"),
    }
}

/// What changed up to the head of a pull request, since whatever commit.
fn comparison(state: &State, range: &str) -> Option<Value> {
    let (_, head) = range.split_once("...")?;
    let pull = state.pulls.values().find(|pull| pull.head_sha == head)?;
    Some(json!({
        "merge_base_commit": {"sha": pull.base_sha, "commit": {"message": "base"}},
        "commits": [{"sha": head, "commit": {"message": "A change", "author": {"name": "Ann", "email": "a@x", "date": "2026-05-01T09:00:00Z"}}}],
        "files": files_json(pull),
    }))
}

fn files_json(pull: &Pull) -> Vec<Value> {
    let file_json = |(path, previous, patch): &(String, Option<String>, Option<String>)| {
        let mut file =
            json!({"filename": path, "status": "modified", "sha": "bbcd538c8e72b8c175046e27cc8f907076331401"});
        if let Some(previous) = previous {
            file["status"] = json!("renamed");
            file["previous_filename"] = json!(previous);
        }
        if let Some(patch) = patch {
            file["patch"] = json!(patch);
        }
        file
    };
    pull.files.iter().map(file_json).collect()
}

fn parameter<'q>(query: &'q [(String, String)], name: &str) -> Option<&'q str> {
    query.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str())
}

fn contents(state: &State, path: &str, revision: Option<&str>) -> Reply {
    use base64::Engine;
    let commit = revision.filter(|r| r.len() == 40);
    let found = match (&state.bare, commit) {
        (Some(bare), Some(commit)) => bare.text_at(commit, path),
        _ => state.files.get(path).cloned(),
    };
    match &found {
        None => Reply::error(404, "Not Found"),
        Some(text) => {
            let packed = base64::engine::general_purpose::STANDARD.encode(text);
            let wrapped: Vec<String> =
                packed.as_bytes().chunks(60).map(|c| String::from_utf8(c.to_vec()).unwrap()).collect();
            Reply::of(
                200,
                json!({
                    "type": "file", "encoding": "base64", "path": path, "name": path.rsplit('/').next(), "size": text.len(),
                    "content": wrapped.join("\n") + "\n",
                }),
            )
        }
    }
}

fn rerun(state: &mut State, run: &str) -> Reply {
    let Some(run) = state.runs.iter_mut().find(|r| r.id.to_string() == run) else {
        return Reply::error(404, "Not Found");
    };
    if run.conclusion.as_deref().is_none_or(|c| c == "success") {
        return Reply::error(403, "The workflow run containing this job is already running");
    }
    run.attempt += 1;
    run.conclusion = None;
    Reply::of(201, json!({}))
}

fn dispatch(state: &mut State, workflow: &str, body: &Value) -> Reply {
    let branch = body["ref"].as_str().unwrap().to_owned();
    match state.workflows.get(workflow) {
        None => return Reply::error(404, "Not Found"),
        Some(false) => return Reply::error(422, "Workflow does not have 'workflow_dispatch' trigger"),
        Some(true) => {}
    }
    let Some(sha) = state.bare.as_ref().and_then(|b| b.commit_at(&format!("refs/heads/{branch}"))) else {
        return Reply::error(422, &format!("No ref found for: {branch}"));
    };
    let id = state.id();
    state.runs.push(super::Run {
        id,
        event: "workflow_dispatch".to_owned(),
        branch,
        sha,
        repository: state.repository.clone(),
        attempt: 1,
        at: state.now.clone(),
        workflow: workflow.to_owned(),
        conclusion: None,
    });
    Reply::of(204, Value::Null)
}

/// `login`, or `login#number` for one whose number is not that of its name.
pub fn user(login: &str) -> Value {
    if login == "ghost" {
        return Value::Null;
    }
    let (login, number) = login.split_once('#').map_or((login, None), |(l, n)| (l, n.parse::<u64>().ok()));
    let kind = if login.ends_with("[bot]") { "Bot" } else { "User" };
    json!({"login": login, "type": kind, "id": number.unwrap_or_else(|| number_of(login))})
}

/// The number of an account.
pub fn number_of(login: &str) -> u64 {
    match login {
        super::BOT => 41_898_282,
        _ => 1000 + login.bytes().fold(7_u64, |n, b| (n * 31 + u64::from(b)) % 1_000_003),
    }
}

fn permission(state: &State, login: &str) -> Reply {
    // An app's account is no user whose permission could be asked for.
    if login.ends_with("[bot]") || login == "ghost" {
        return Reply::error(404, "Not Found");
    }
    let (permission, role) = state.people.get(login).cloned().unwrap_or_else(|| ("none".to_owned(), "none".to_owned()));
    let own = user(login);
    Reply::of(200, json!({"permission": permission, "role_name": role, "user": own}))
}

/// What happened on a thread, in the order in which it did.
fn timeline(state: &State, number: u64) -> Reply {
    let mut rows = Vec::new();
    let comments: Vec<&Comment> = state.comments.iter().filter(|c| c.on == number).collect();
    for at in 0..=comments.len() {
        let now = state.happened.iter().filter(|(on, before, _)| *on == number && *before == at);
        rows.extend(now.map(|(_, _, what)| what.clone()));
        if let Some(comment) = comments.get(at) {
            let mut row = comment_json(comment, &state.repository);
            row["event"] = json!("commented");
            rows.push(row);
        }
    }
    Reply::list(rows, None)
}

fn issue_json(issue: &Issue, repository: &str) -> Value {
    let mut value = json!({
        "number": issue.number,
        "id": issue.number + 9000,
        "html_url": format!("https://github.com/{repository}/issues/{}", issue.number),
        "title": issue.title,
        "body": issue.body,
        "state": if issue.open { "open" } else { "closed" },
        "state_reason": issue.reason,
        "closed_at": issue.closed_at,
        "locked": issue.locked,
        "created_at": "2026-04-01T09:00:00Z",
        "author_association": if issue.author == "eve" { "NONE" } else { "MEMBER" },
        "labels": issue.labels.iter().map(|name| json!({"name": name})).collect::<Vec<_>>(),
        "user": user(&issue.author),
        "assignee": null,
        "milestone": null,
    });
    if issue.is_pull {
        value["pull_request"] = json!({"url": null, "html_url": null, "diff_url": null, "patch_url": null});
    }
    value
}

fn comment_json(comment: &Comment, repository: &str) -> Value {
    let page = if comment.at.is_some() { "pull" } else { "issues" };
    let mut value = json!({
        "id": comment.id,
        "html_url": format!("https://github.com/{repository}/{page}/{}#comment-{}", comment.on, comment.id),
        "body": comment.body,
        "user": user(&comment.author),
        "created_at": comment.updated,
        "updated_at": comment.updated,
    });
    if let Some((path, line)) = &comment.at {
        value["path"] = json!(path);
        value["line"] = json!(line);
    }
    value
}

fn too_long(resource: &str, text: &Value) -> Option<Reply> {
    let long = text.as_str().is_some_and(|t| t.chars().count() > 65_536);
    long.then(|| Reply::invalid(resource, "body", "custom", "body is too long (maximum is 65536 characters)"))
}

fn issues(state: &mut State, method: &str, path: &[&str], query: &[(String, String)], body: &Value) -> Reply {
    let count = state.count;
    let lag = state.lag;
    let listed = |made: u64| made + lag < count || made == 0;
    let repository = state.repository.clone();
    let now = state.now.clone();
    match (method, path) {
        ("GET", []) => {
            let wanted = parameter(query, "state").unwrap_or("open");
            let creator = parameter(query, "creator");
            let label = parameter(query, "labels");
            let mut rows: Vec<&Issue> = state
                .issues
                .values()
                .filter(|i| wanted == "all" || i.open == (wanted == "open"))
                .filter(|i| creator.is_none_or(|c| c == i.author) && listed(i.made))
                .filter(|i| label.is_none_or(|l| i.labels.iter().any(|own| own == l)))
                .collect();
            rows.reverse();
            Reply::list(rows.into_iter().map(|i| issue_json(i, &repository)).collect(), None)
        }
        ("POST", []) => {
            if let Some(reply) = too_long("Issue", &body["body"]) {
                return reply;
            }
            if body["title"].as_str().unwrap_or_default().chars().count() > 256 {
                return Reply::invalid("Issue", "title", "custom", "title is too long (maximum is 256 characters)");
            }
            let number = state.number();
            let words = |name: &str| -> Vec<String> {
                body[name].as_array().into_iter().flatten().filter_map(|l| l.as_str().map(str::to_owned)).collect()
            };
            if words("assignees").contains(&"bob".to_owned()) {
                return Reply::invalid("Issue", "assignees", "invalid", "");
            }
            for label in words("labels") {
                state.labels.entry(label).or_insert_with(|| ("ededed".to_owned(), String::new()));
            }
            let issue = Issue {
                number,
                title: body["title"].as_str().unwrap_or_default().to_owned(),
                body: body["body"].as_str().unwrap_or_default().to_owned(),
                open: true,
                reason: None,
                closed_at: None,
                locked: false,
                labels: words("labels"),
                assignees: words("assignees"),
                author: state.login.clone(),
                is_pull: false,
                made: count,
            };
            let reply = Reply::of(201, issue_json(&issue, &repository));
            state.issues.insert(number, issue);
            reply
        }
        ("GET", ["comments", id]) => {
            let found = state.comments.iter().find(|c| c.id.to_string() == **id);
            found.map_or_else(|| Reply::error(404, "Not Found"), |c| Reply::of(200, comment_json(c, &repository)))
        }
        ("POST", ["comments", id, "reactions"]) => {
            let id: u64 = id.parse().unwrap();
            let Some(comment) = state.comments.iter().find(|c| c.id == id) else {
                return Reply::error(404, "Not Found");
            };
            if state.issues[&comment.on].locked {
                return Reply::error(403, "Unable to create reaction because issue is locked.");
            }
            let content = body["content"].as_str().unwrap_or_default().to_owned();
            let one = (id, state.login.clone(), content.clone());
            let status = if state.reactions.contains(&one) { 200 } else { 201 };
            if status == 201 {
                state.reactions.push(one);
            }
            Reply::of(status, json!({"id": 1, "content": content, "user": user(&state.login)}))
        }
        ("PATCH", ["comments", id]) => {
            let id: u64 = id.parse().unwrap();
            if let Some(reply) = too_long("IssueComment", &body["body"]) {
                return reply;
            }
            let login = state.login.clone();
            match state.comments.iter_mut().find(|c| c.id == id) {
                None => Reply::error(404, "Not Found"),
                Some(comment) if comment.author != login => Reply::error(403, "Resource not accessible by integration"),
                Some(comment) => {
                    comment.body = body["body"].as_str().unwrap_or_default().to_owned();
                    comment.updated = now;
                    Reply::of(200, comment_json(comment, &repository))
                }
            }
        }
        (_, [number, rest @ ..]) => {
            let number: u64 = number.parse().unwrap_or(0);
            if !state.issues.contains_key(&number) {
                return Reply::error(404, "Not Found");
            }
            thread(state, method, number, rest, body, &listed)
        }
        _ => Reply::error(404, "Not Found"),
    }
}

fn thread(
    state: &mut State,
    method: &str,
    number: u64,
    path: &[&str],
    body: &Value,
    listed: &dyn Fn(u64) -> bool,
) -> Reply {
    let repository = state.repository.clone();
    let now = state.now.clone();
    match (method, path) {
        ("GET", []) => Reply::of(200, issue_json(&state.issues[&number], &repository)),
        ("PATCH", []) => {
            if let Some(reply) = too_long("Issue", &body["body"]) {
                return reply;
            }
            let issue = state.issues.get_mut(&number).unwrap();
            if let Some(text) = body["body"].as_str() {
                text.clone_into(&mut issue.body);
            }
            if let Some(to) = body["state"].as_str() {
                let open = to == "open";
                if open != issue.open {
                    issue.closed_at = (!open).then_some(now);
                }
                issue.open = open;
                issue.reason = body["state_reason"].as_str().map(str::to_owned);
            }
            Reply::of(200, issue_json(&state.issues[&number], &repository))
        }
        ("GET", ["timeline"]) => timeline(state, number),
        ("GET", ["comments"]) => {
            let rows = state.comments.iter().filter(|c| c.on == number && listed(c.made));
            Reply::list(rows.map(|c| comment_json(c, &repository)).collect(), None)
        }
        ("POST", ["comments"]) => {
            if state.issues[&number].locked {
                return Reply::error(403, "Unable to create comment because issue is locked.");
            }
            if let Some(reply) = too_long("IssueComment", &body["body"]) {
                return reply;
            }
            let comment = Comment {
                id: state.id(),
                on: number,
                body: body["body"].as_str().unwrap_or_default().to_owned(),
                author: state.login.clone(),
                made: state.count,
                updated: now,
                at: None,
            };
            let reply = Reply::of(201, comment_json(&comment, &repository));
            state.comments.push(comment);
            reply
        }
        _ => Reply::error(404, "Not Found"),
    }
}

fn pull_json(pull: &Pull, issue: &Issue, repository: &str) -> Value {
    json!({
        "number": pull.number,
        "html_url": format!("https://github.com/{repository}/pull/{}", pull.number),
        "state": if issue.open { "open" } else { "closed" },
        "locked": issue.locked,
        "title": issue.title,
        "body": issue.body,
        "user": user(&issue.author),
        "head": {"sha": pull.head_sha, "ref": pull.head_ref, "label": "x", "repo": {"full_name": pull.head_repository}},
        "base": {"sha": pull.base_sha, "ref": pull.base_ref, "label": "x", "repo": {"full_name": repository}},
    })
}

fn open_pull(state: &mut State, body: &Value) -> Reply {
    if !state.pulls_by_actions {
        return Reply::error(403, "GitHub Actions is not permitted to create or approve pull requests.");
    }
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let (head, base) = (text("head"), text("base"));
    let commit = |branch: &str| state.bare.as_ref().and_then(|b| b.commit_at(&format!("refs/heads/{branch}")));
    let (Some(head_sha), Some(base_sha)) = (commit(&head), commit(&base)) else {
        return Reply::invalid("PullRequest", "head", "invalid", "");
    };
    if let Some(reply) = too_long("PullRequest", &body["body"]) {
        return reply;
    }
    if state.pulls.values().any(|p| p.head_ref == head && p.base_ref == base && state.issues[&p.number].open) {
        return Reply::invalid("PullRequest", "", "custom", &format!("A pull request already exists for acme:{head}."));
    }
    if head_sha == base_sha {
        return Reply::invalid("PullRequest", "", "custom", &format!("No commits between {base} and {head}"));
    }
    let number = state.number();
    let issue = Issue {
        number,
        title: text("title"),
        body: text("body"),
        open: true,
        reason: None,
        closed_at: None,
        locked: false,
        labels: Vec::new(),
        assignees: Vec::new(),
        author: state.login.clone(),
        is_pull: true,
        made: state.count,
    };
    let head_repository = state.repository.clone();
    let pull = Pull { number, head_sha, head_ref: head, head_repository, base_ref: base, base_sha, files: Vec::new() };
    let reply = Reply::of(201, pull_json(&pull, &issue, &state.repository));
    state.issues.insert(number, issue);
    state.pulls.insert(number, pull);
    reply
}

fn pulls(state: &mut State, method: &str, path: &[&str], query: &[(String, String)], body: &Value) -> Reply {
    let repository = state.repository.clone();
    if let ("POST", []) = (method, path) {
        return open_pull(state, body);
    }
    if let ("GET", []) = (method, path) {
        let head = parameter(query, "head");
        let label = |p: &Pull| format!("{}:{}", p.head_repository.split('/').next().unwrap(), p.head_ref);
        let all = parameter(query, "state") == Some("all");
        let open = |p: &&Pull| all || state.issues[&p.number].open;
        let base = parameter(query, "base");
        let rows = state
            .pulls
            .values()
            .rev()
            .filter(open)
            .filter(|p| base.is_none_or(|b| b == p.base_ref))
            .filter(|p| head.is_none_or(|h| h == label(p)));
        return Reply::list(rows.map(|p| pull_json(p, &state.issues[&p.number], &repository)).collect(), None);
    }
    let Some(pull) = path.first().and_then(|n| n.parse().ok()).and_then(|n: u64| state.pulls.get(&n)).cloned() else {
        return Reply::error(404, "Not Found");
    };
    match (method, &path[1..]) {
        ("GET", []) => Reply::of(200, pull_json(&pull, &state.issues[&pull.number], &repository)),
        ("GET", ["files"]) => Reply::list(files_json(&pull), None),
        ("GET", ["comments"]) => {
            let (count, lag) = (state.count, state.lag);
            let listed = |made: u64| made + lag < count || made == 0;
            let rows = state.review_comments.iter().filter(|c| c.on == pull.number && listed(c.made));
            Reply::list(rows.map(|c| comment_json(c, &repository)).collect(), None)
        }
        ("POST", ["reviews"]) => review(state, &pull, body),
        _ => Reply::error(404, "Not Found"),
    }
}

/// A review is taken whole or not at all.
fn review(state: &mut State, pull: &Pull, body: &Value) -> Reply {
    let comments = body["comments"].as_array().cloned().unwrap_or_default();
    for comment in &comments {
        let (path, line) = (comment["path"].as_str().unwrap_or_default(), comment["line"].as_u64().unwrap_or(0));
        let patch = pull.files.iter().find(|(p, ..)| p == path).and_then(|(_, _, patch)| patch.as_deref());
        let start = comment["start_line"].as_u64().unwrap_or(line);
        if start == line && !comment["start_line"].is_null() {
            return Reply::error(422, "start_line must precede the end line.");
        }
        if !patch.is_some_and(|patch| (start..=line).all(|line| shows(patch, line))) {
            let mut reply = Reply::error(422, "Unprocessable Entity");
            reply.body["errors"] = json!(["Pull request review thread line must be part of the diff"]);
            return reply;
        }
        if let Some(reply) = too_long("PullRequestReviewComment", &comment["body"]) {
            return reply;
        }
    }
    for comment in &comments {
        let made = Comment {
            id: state.id(),
            on: pull.number,
            body: comment["body"].as_str().unwrap_or_default().to_owned(),
            author: state.login.clone(),
            made: state.count,
            updated: state.now.clone(),
            at: Some((comment["path"].as_str().unwrap().to_owned(), comment["line"].as_u64().unwrap())),
        };
        state.review_comments.push(made);
    }
    let id = state.id();
    state.reviews.push(body.clone());
    let page = format!("https://github.com/{}/pull/{}#review-{id}", state.repository, pull.number);
    Reply::of(200, json!({"id": id, "html_url": page, "user": user(&state.login), "state": "COMMENTED", "body": ""}))
}

/// Whether a patch shows a line of the new side.
fn shows(patch: &str, wanted: u64) -> bool {
    let mut line = 0;
    for text in patch.lines() {
        if let Some(rest) = text.strip_prefix("@@ -") {
            let new = rest.split('+').nth(1).unwrap();
            line = new.split([',', ' ']).next().unwrap().parse().unwrap();
        } else if !text.starts_with('-') && !text.starts_with('\\') {
            if line == wanted {
                return true;
            }
            line += 1;
        }
    }
    false
}

fn labels(state: &mut State, method: &str, path: &[&str], body: &Value) -> Reply {
    let json_of = |name: &str, (color, description): &(String, String)| json!({"name": name, "color": color, "description": description});
    match (method, path) {
        ("POST", []) => {
            let name = body["name"].as_str().unwrap_or_default().to_owned();
            let description = body["description"].as_str().unwrap_or_default().to_owned();
            if name.chars().count() > 50 || description.chars().count() > 100 {
                return Reply::invalid("Label", "name", "custom", "is too long");
            }
            if state.labels.contains_key(&name) {
                return Reply::invalid("Label", "name", "already_exists", "");
            }
            let label = (body["color"].as_str().unwrap_or("ededed").to_owned(), description);
            let reply = Reply::of(201, json_of(&name, &label));
            state.labels.insert(name, label);
            reply
        }
        ("GET", [name]) => {
            state.labels.get(*name).map_or_else(|| Reply::error(404, "Not Found"), |l| Reply::of(200, json_of(name, l)))
        }
        ("DELETE", [name]) => match state.labels.remove(*name) {
            Some(_) => Reply::of(204, Value::Null),
            None => Reply::error(404, "Not Found"),
        },
        _ => Reply::error(404, "Not Found"),
    }
}

fn check_json(check: &Check, repository: &str) -> Value {
    json!({
        "id": check.id,
        "name": check.name,
        "head_sha": check.head,
        "external_id": check.external_id,
        "status": "completed",
        "conclusion": check.conclusion,
        "html_url": format!("https://github.com/{repository}/runs/{}", check.id),
        "output": {"title": check.output["title"], "summary": check.output["summary"], "text": null, "annotations_count": 0, "annotations_url": "https://example.org/a"},
        "app": null,
    })
}

fn check(state: &mut State, method: &str, path: &[&str], body: &Value) -> Reply {
    // What the description does not say and the service refuses.
    if body["status"] == "completed" && body["conclusion"].is_null() {
        return Reply::invalid("CheckRun", "conclusion", "missing_field", "");
    }
    let annotations = body["output"]["annotations"].as_array().map_or(0, Vec::len);
    if annotations > 50 || body["output"]["summary"].as_str().is_some_and(|s| s.len() > 65_535) {
        return Reply::invalid("CheckRun", "output", "custom", "Only 65535 characters and 50 annotations are allowed");
    }
    let repository = state.repository.clone();
    let made = Check {
        id: 0,
        head: body["head_sha"].as_str().unwrap_or_default().to_owned(),
        name: body["name"].as_str().unwrap_or_default().to_owned(),
        external_id: body["external_id"].as_str().unwrap_or_default().to_owned(),
        conclusion: body["conclusion"].as_str().unwrap_or_default().to_owned(),
        output: body["output"].clone(),
    };
    match (method, path) {
        ("POST", []) => {
            let made = Check { id: state.id(), ..made };
            let reply = Reply::of(201, check_json(&made, &repository));
            state.checks.push(made);
            reply
        }
        ("PATCH", [id]) => {
            let id: u64 = id.parse().unwrap_or(0);
            match state.checks.iter_mut().find(|c| c.id == id) {
                None => Reply::error(404, "Not Found"),
                // What belongs to one commit and name is not made into something else.
                Some(check) if !check.external_id.starts_with("testmedic ") => {
                    Reply::error(403, "Resource not accessible by integration")
                }
                Some(check) => {
                    *check = Check { id, head: check.head.clone(), ..made };
                    Reply::of(200, check_json(check, &repository))
                }
            }
        }
        _ => Reply::error(404, "Not Found"),
    }
}

fn actions(state: &State, path: &[&str], query: &[(String, String)], store: &str) -> Reply {
    let run_json = |run: &super::Run| {
        json!({
            "id": run.id, "event": run.event, "head_branch": run.branch, "head_sha": run.sha, "run_attempt": run.attempt, "created_at": run.at, "run_started_at": run.at, "status": if run.conclusion.is_some() { "completed" } else { "queued" }, "conclusion": run.conclusion,
            "head_repository": {"full_name": run.repository}, "path": format!(".github/workflows/{}", run.workflow),
            "run_number": run.id, "workflow_id": 1,
        })
    };
    let artifact_json = |artifact: &super::Artifact| {
        json!({
            "id": artifact.id, "name": artifact.name, "size_in_bytes": artifact.bytes.len(), "expired": artifact.expired,
            "created_at": artifact.at, "workflow_run": {"id": artifact.run},
        })
    };
    match path {
        ["workflows", workflow, "runs"] => {
            let wanted = |run: &&super::Run| {
                run.workflow == *workflow
                    && parameter(query, "branch").is_none_or(|b| b == run.branch)
                    && parameter(query, "event").is_none_or(|e| e == run.event)
            };
            let mut rows: Vec<&super::Run> = state.runs.iter().filter(wanted).collect();
            rows.sort_by_key(|row| std::cmp::Reverse(row.id));
            Reply::list(rows.into_iter().map(run_json).collect(), Some("workflow_runs"))
        }
        ["artifacts"] => {
            let name = parameter(query, "name");
            let mut rows: Vec<&super::Artifact> =
                state.artifacts.iter().filter(|a| name.is_none_or(|n| n == a.name)).collect();
            rows.sort_by_key(|row| std::cmp::Reverse(row.id));
            Reply::list(rows.into_iter().map(artifact_json).collect(), Some("artifacts"))
        }
        ["runs"] => {
            let wanted = |run: &&super::Run| {
                parameter(query, "head_sha").is_none_or(|sha| sha == run.sha)
                    && parameter(query, "branch").is_none_or(|b| b == run.branch)
                    && (parameter(query, "status") != Some("completed") || run.conclusion.is_some())
            };
            let mut rows: Vec<&super::Run> = state.runs.iter().filter(wanted).collect();
            rows.sort_by_key(|row| std::cmp::Reverse(row.id));
            Reply::list(rows.into_iter().map(run_json).collect(), Some("workflow_runs"))
        }
        ["runs", run] => {
            let run: u64 = run.parse().unwrap_or(0);
            state
                .runs
                .iter()
                .find(|r| r.id == run)
                .map_or_else(|| Reply::error(404, "Not Found"), |r| Reply::of(200, run_json(r)))
        }
        ["runs", run, "artifacts"] => {
            let run: u64 = run.parse().unwrap_or(0);
            let rows = state.artifacts.iter().filter(|a| a.run == run);
            Reply::list(rows.map(artifact_json).collect(), Some("artifacts"))
        }
        ["artifacts", id, "zip"] => {
            let id: u64 = id.parse().unwrap_or(0);
            match state.artifacts.iter().find(|a| a.id == id) {
                None => Reply::error(404, "Not Found"),
                Some(artifact) if artifact.expired => Reply::error(410, "Artifact has expired"),
                Some(_) => Reply::of(302, Value::Null).with("location", &format!("{store}/blob/{id}?sig=short-lived")),
            }
        }
        _ => Reply::error(404, "Not Found"),
    }
}
