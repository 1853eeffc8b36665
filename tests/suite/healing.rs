//! Healing from end to end: real repositories, real runners, a change, and a
//! truth that only this file knows.
//!
//! `tests/healing/*.toml` hold the worlds; each case is a change of one of them
//! after which a test fails, because it is outdated or because the product is
//! broken. `HEALING=pytest/status cargo test healing` runs some of them;
//! `UPDATE=1` writes the table into `docs/healing.md`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use serde::Deserialize;
use serde_json::Value;

use crate::support::{IDENTITY, Workplace};

#[derive(Deserialize)]
struct World {
    runner: String,
    /// How often a healed test must pass; less where a start takes long.
    #[serde(default = "three")]
    repeat: u32,
    files: BTreeMap<String, String>,
    case: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    kind: String,
    truth: String,
    /// Not looked at while the weights were set.
    #[serde(default)]
    held_back: bool,
    test: String,
    /// Old code takes a payload with a field more as well: that corner cannot fail.
    #[serde(default = "four")]
    corners: usize,
    #[serde(default)]
    edit: Vec<(String, String, String)>,
    #[serde(default)]
    base: BTreeMap<String, String>,
    #[serde(default)]
    wants: Vec<String>,
    /// Cells of the proof, as `test code outcome`.
    #[serde(default)]
    proof: Vec<String>,
}

fn three() -> u32 {
    3
}

fn four() -> usize {
    4
}

/// What came of a case.
struct Seen {
    world: String,
    name: String,
    kind: String,
    truth: String,
    held_back: bool,
    healed: bool,
    word: String,
    wrong: Option<String>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What the runners need is installed once, by a script that anybody can run.
pub fn prepared() -> PathBuf {
    let place = root().join("target/healing");
    let done = Command::new(root().join("tests/healing/prepare")).arg(&place).output().unwrap();
    assert!(done.status.success(), "tests/healing/prepare: {}", String::from_utf8_lossy(&done.stderr));
    place
}

fn worlds() -> Vec<(String, World)> {
    let mut found = Vec::new();
    for entry in root().join("tests/healing").read_dir().unwrap().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|e| e == "toml") {
            let text = std::fs::read_to_string(&path).unwrap();
            let world = toml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            found.push((path.file_stem().unwrap().to_string_lossy().into_owned(), world));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

fn run_case(place: &Path, world_name: &str, world: &World, case: &Case) -> Seen {
    let work = Workplace::new();
    let write = |path: &str, text: &str| work.write(&format!("repo/{path}"), text.trim_start_matches('\n'));
    for (path, text) in world.files.iter().chain(&case.base) {
        write(path, text);
    }
    write(".gitignore", "node_modules\n");
    let modules = place.join("node/node_modules");
    if world.runner == "jest" {
        std::os::unix::fs::symlink(&modules, work.path().join("repo/node_modules")).unwrap();
    }
    let repo = work.path().join("repo");
    let git = |arguments: &[&str]| {
        let done =
            Command::new("git").arg("-C").arg(&repo).args(arguments).envs(IDENTITY.iter().copied()).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    git(&["init", "-q", "-b", "main", "."]);
    git(&["add", "-A"]);
    git(&["commit", "-qm", "The beginning"]);
    for (path, old, new) in &case.edit {
        let text = work.read(&format!("repo/{path}"));
        assert!(text.contains(old.as_str()), "{world_name}/{}: {path} does not hold {old}", case.name);
        write(path, &text.replacen(old.as_str(), new, 1));
    }
    git(&["add", "-A"]);
    git(&["commit", "-qm", "A change"]);
    let path = format!("{}:{}", place.join("venv/bin").display(), std::env::var("PATH").unwrap());
    let ran = work.run_with(
        &[
            "heal",
            "--repo",
            "repo",
            "--only",
            &case.test,
            "--json",
            "-",
            "--history",
            "none",
            "--base",
            "HEAD~1",
            "--repeat",
            &world.repeat.to_string(),
        ],
        &[
            ("PATH", &path),
            ("HOME", &std::env::var("HOME").unwrap()),
            ("GOCACHE", &place.join("go-build").display().to_string()),
        ],
    );
    let report: Value = serde_json::from_str(&ran.out)
        .unwrap_or_else(|e| panic!("{world_name}/{}: {e}\n{}{}", case.name, ran.out, ran.err));
    judge(world_name, case, &report["proposals"][0], &ran.err)
}

fn judge(world: &str, case: &Case, proposal: &Value, err: &str) -> Seen {
    let remedy = proposal["remedy"].as_str().unwrap_or("none").to_owned();
    let rationale = proposal["rationale"].as_str().unwrap_or("").to_owned();
    let corners = corners(proposal);
    let healed = remedy == "heal" && corners == case.corners;
    let patch = proposal["patch"].as_str().unwrap_or("");
    let lines: Vec<&str> = patch.lines().collect();
    let wrong = match case.truth.as_str() {
        "bug" if remedy == "heal" => Some(format!("a bug was healed: {rationale}\n{patch}")),
        "outdated" if !case.proof.iter().all(|wanted| cells(proposal).contains(wanted)) => {
            Some(format!("{:?} is not all in {:?}: {rationale}", case.proof, cells(proposal)))
        }
        "outdated" if !healed => Some(format!("{remedy}, {corners} corners: {rationale} {err}")),
        "outdated" => case
            .wants
            .iter()
            .find(|w| !lines.iter().any(|l| l.contains(w.as_str())))
            .map(|w| format!("`{w}` is not in\n{patch}")),
        _ => None,
    };
    Seen {
        world: world.to_owned(),
        name: case.name.clone(),
        kind: case.kind.clone(),
        truth: case.truth.clone(),
        held_back: case.held_back,
        healed,
        word: if healed { "healed".to_owned() } else { remedy },
        wrong,
    }
}

fn cells(proposal: &Value) -> Vec<String> {
    let text = |cell: &Value, name: &str| cell[name].as_str().unwrap().to_owned();
    let cells = proposal["proof"].as_array().unwrap();
    cells.iter().map(|c| format!("{} {} {}", text(c, "test"), text(c, "code"), text(c, "outcome"))).collect()
}

/// How many of the four corners came out as they must.
fn corners(proposal: &Value) -> usize {
    let wanted =
        [("old", "old", "passed"), ("old", "new", "failed"), ("new", "old", "failed"), ("new", "new", "passed")];
    let cells = proposal["proof"].as_array().unwrap();
    let holds = |(test, code, outcome): &(&str, &str, &str)| {
        let mut own = cells.iter().filter(|c| c["test"] == *test && c["code"] == *code).peekable();
        own.peek().is_some() && own.all(|c| c["outcome"] == *outcome)
    };
    wanted.iter().filter(|w| holds(w)).count()
}

#[test]
fn outdated_tests_are_healed_and_bugs_are_not() {
    let place = prepared();
    let only = std::env::var("HEALING").unwrap_or_default();
    let worlds = worlds();
    let open: Vec<(&str, &World, &Case)> = worlds
        .iter()
        .flat_map(|(name, world)| world.case.iter().map(move |case| (name.as_str(), world, case)))
        .filter(|(name, _, case)| only.is_empty() || format!("{name}/{}", case.name).starts_with(&only))
        .collect();
    // The first case of each world fetches what its runner needs, by itself:
    // several at once would write to one cache.
    let is_first = |at: usize| open[..at].iter().all(|(name, ..)| *name != open[at].0);
    let (first, rest): (Vec<usize>, Vec<usize>) = (0..open.len()).partition(|at| is_first(*at));
    let run = |at: &usize| run_case(&place, open[*at].0, open[*at].1, open[*at].2);
    let seen = Mutex::new(first.iter().map(run).collect::<Vec<_>>());
    let next = Mutex::new(rest.into_iter());
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let Some(at) = next.lock().unwrap().next() else { break };
                    let result = run(&at);
                    seen.lock().unwrap().push(result);
                }
            });
        }
    });
    let mut seen = seen.into_inner().unwrap();
    seen.sort_by(|a, b| (&a.world, &a.kind, &a.truth, &a.name).cmp(&(&b.world, &b.kind, &b.truth, &b.name)));
    let table = table(&seen);
    println!("{table}");
    for one in seen.iter().filter(|s| s.wrong.is_some()) {
        println!("{}/{}: {}", one.world, one.name, one.wrong.as_deref().unwrap());
    }
    let bugs: Vec<String> =
        seen.iter().filter(|s| s.truth == "bug" && (s.word == "heal" || s.healed)).map(|s| s.name.clone()).collect();
    assert!(bugs.is_empty(), "bugs were healed: {bugs:?}");
    let outdated: Vec<&Seen> = seen.iter().filter(|s| s.truth == "outdated").collect();
    let right = outdated.iter().filter(|s| s.wrong.is_none()).count();
    assert!(right * 10 >= outdated.len() * 7, "{right} of {} outdated tests were healed", outdated.len());
    if only.is_empty() && std::env::var_os("UPDATE").is_some() {
        std::fs::write(root().join("docs/healing.md"), page(&table)).unwrap();
    }
}

fn table(seen: &[Seen]) -> String {
    let mut out = String::from("| world | kind | case | truth | held back | came of it |\n|---|---|---|---|---|---|\n");
    for s in seen {
        let held = if s.held_back { "yes" } else { "" };
        let mark = if s.wrong.is_some() { " ✗" } else { "" };
        out.push_str(&format!("| {} | {} | {} | {} | {held} | {}{mark} |\n", s.world, s.kind, s.name, s.truth, s.word));
    }
    for (held, what) in [(false, "seen while the weights were set"), (true, "held back")] {
        let part: Vec<&Seen> = seen.iter().filter(|s| s.held_back == held).collect();
        let outdated = part.iter().filter(|s| s.truth == "outdated").count();
        let healed = part.iter().filter(|s| s.truth == "outdated" && s.wrong.is_none()).count();
        let bugs = part.iter().filter(|s| s.truth == "bug").count();
        let bent = part.iter().filter(|s| s.truth == "bug" && s.healed).count();
        out.push_str(&format!(
            "\n{what}: {healed} of {outdated} outdated tests healed, {bent} of {bugs} bugs healed\n"
        ));
    }
    out
}

fn page(table: &str) -> String {
    format!(
        "# Which tests are healed\n\nMade by `UPDATE=1 cargo test healing`. Each case is a real repository, a change, and a test that fails after it. \"heal\" without four corners is a suggestion; \"file\" calls it a defect, \"explain\" asks a person or gives up.\n\n{table}"
    )
}
