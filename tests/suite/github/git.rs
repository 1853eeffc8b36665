//! The counterpart's Git database: a bare repository on disk, written and read
//! by git itself.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::State;
use super::routes::Reply;

/// A bare repository.
#[derive(Clone, Debug)]
pub struct Bare {
    pub folder: PathBuf,
}

impl Bare {
    pub fn git(&self, arguments: &[&str], variables: &[(&str, &str)], input: &str) -> Option<String> {
        let mut child = Command::new("git")
            .arg("-C")
            .arg(&self.folder)
            .args(arguments)
            .envs(variables.iter().copied())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let done = child.wait_with_output().unwrap();
        done.status.success().then(|| String::from_utf8(done.stdout).unwrap())
    }

    fn line(&self, arguments: &[&str], variables: &[(&str, &str)], input: &str) -> Option<String> {
        self.git(arguments, variables, input).map(|out| out.trim_end().to_owned())
    }

    pub fn commit_at(&self, reference: &str) -> Option<String> {
        self.line(&["rev-parse", "--verify", "--quiet", &format!("{reference}^{{commit}}")], &[], "")
    }

    pub fn text_at(&self, revision: &str, path: &str) -> Option<String> {
        self.git(&["cat-file", "blob", &format!("{revision}:{path}")], &[], "")
    }

    fn tree(&self, base: &str, entries: &[Value]) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        let index = folder.path().join("index").display().to_string();
        let own = [("GIT_INDEX_FILE", index.as_str())];
        self.git(&["read-tree", base], &own, "")?;
        for entry in entries {
            let blob = self.line(&["hash-object", "-w", "--stdin"], &own, entry["content"].as_str()?)?;
            let line = format!("{},{blob},{}", entry["mode"].as_str()?, entry["path"].as_str()?);
            self.git(&["update-index", "--add", "--cacheinfo", &line], &own, "")?;
        }
        self.line(&["write-tree"], &own, "")
    }
}

/// A bare copy of a repository.
pub fn bare_of(repository: &Path, into: &Path) -> Bare {
    let done = Command::new("git")
        .args(["clone", "--quiet", "--bare"])
        .arg(repository)
        .arg(into)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .status()
        .unwrap();
    assert!(done.success());
    Bare { folder: into.to_owned() }
}

fn commit_json(bare: &Bare, sha: &str) -> Value {
    let show = |format: &str| bare.line(&["show", "-s", &format!("--format={format}"), sha], &[], "").unwrap();
    let parents: Vec<Value> = show("%P").split_whitespace().map(|p| json!({"sha": p})).collect();
    json!({"sha": sha, "tree": {"sha": show("%T")}, "message": show("%B"), "parents": parents})
}

pub fn answer(state: &State, method: &str, path: &[&str], body: &Value) -> Reply {
    let Some(bare) = &state.bare else { return Reply::error(409, "Git Repository is empty.") };
    let text = |name: &str| body[name].as_str().unwrap_or_default();
    match (method, path) {
        ("GET", ["ref", rest @ ..]) => {
            let name = format!("refs/{}", rest.join("/"));
            match bare.commit_at(&name) {
                Some(sha) => Reply::of(200, json!({"ref": name, "object": {"type": "commit", "sha": sha}})),
                None => Reply::error(404, "Not Found"),
            }
        }
        ("GET", ["matching-refs", rest @ ..]) => {
            let begin = format!("refs/{}", rest.join("/"));
            let listed = bare.git(&["for-each-ref", "--format=%(refname) %(objectname)"], &[], "").unwrap();
            let rows = listed.lines().filter_map(|l| l.split_once(' ')).filter(|(name, _)| name.starts_with(&begin));
            let json_of = |(name, sha): (&str, &str)| json!({"ref": name, "object": {"type": "commit", "sha": sha}});
            Reply::of(200, Value::Array(rows.map(json_of).collect()))
        }
        ("GET", ["commits", sha]) => match bare.commit_at(sha).filter(|found| found == sha) {
            Some(sha) => Reply::of(200, commit_json(bare, &sha)),
            None => Reply::error(404, "Not Found"),
        },
        ("POST", ["trees"]) => {
            let entries = body["tree"].as_array().unwrap();
            // A workflow's own token may not write workflows.
            if entries.iter().any(|e| e["path"].as_str().unwrap().starts_with(".github/workflows/")) {
                return Reply::error(403, "Resource not accessible by integration");
            }
            match bare.tree(text("base_tree"), entries) {
                Some(sha) => Reply::of(201, json!({"sha": sha})),
                None => Reply::error(422, "tree.sha is not valid"),
            }
        }
        ("POST", ["commits"]) => commit(state, bare, body),
        ("POST", ["refs"]) => {
            let name = text("ref");
            if !name.starts_with("refs/") || name.matches('/').count() < 2 {
                return Reply::error(422, "Reference name must start with 'refs/' and have at least two slashes");
            }
            if bare.commit_at(name).is_some() {
                return Reply::error(422, "Reference already exists");
            }
            match bare.git(&["update-ref", name, text("sha")], &[], "") {
                Some(_) => Reply::of(201, json!({"ref": name, "object": {"type": "commit", "sha": text("sha")}})),
                None => Reply::error(422, "Object does not exist"),
            }
        }
        _ => Reply::error(404, "Not Found"),
    }
}

fn commit(state: &State, bare: &Bare, body: &Value) -> Reply {
    let author = &body["author"];
    let name = author["name"].as_str().unwrap_or(&state.login);
    let email = author["email"].as_str().unwrap_or("41898282+github-actions[bot]@users.noreply.github.com");
    let people = [
        ("GIT_AUTHOR_NAME", name),
        ("GIT_AUTHOR_EMAIL", email),
        ("GIT_COMMITTER_NAME", name),
        ("GIT_COMMITTER_EMAIL", email),
    ];
    let mut words = vec!["commit-tree", body["tree"].as_str().unwrap()];
    for parent in body["parents"].as_array().into_iter().flatten() {
        words.extend(["-p", parent.as_str().unwrap()]);
    }
    match bare.line(&words, &people, body["message"].as_str().unwrap()) {
        Some(sha) => Reply::of(201, commit_json(bare, &sha)),
        None => Reply::error(422, "Tree SHA does not exist"),
    }
}
