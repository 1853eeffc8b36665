//! Whether tests that are written hold: in real suites, each passes each time and
//! notices a mutant of an answer, and none speaks of a value that varies.
//!
//! `tests/generating/*.toml` hold the suites. `UPDATE=1 cargo test generating` writes
//! the table of recipes into `docs/generating.md`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::support::Workplace;

/// How often each written test passes shuffled: twenty times; Jest and Maven, which need a
/// process for each order, only where the table is made.
fn repeat(name: &str) -> u64 {
    match name {
        _ if std::env::var_os("UPDATE").is_some() => 20,
        "express" => 3,
        "restassured" => 1,
        _ => 20,
    }
}

/// Maven needs seconds for each run: all of its endpoints only where the table is made.
fn only(name: &str) -> &'static [&'static str] {
    if name == "restassured" && std::env::var_os("UPDATE").is_none() { &["--only", "GET /admin/report"] } else { &[] }
}

#[derive(Deserialize)]
struct World {
    command: Vec<String>,
    files: BTreeMap<String, String>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A suite in a repository, with its command and the programs it needs.
struct Suite {
    place: Workplace,
    command: Vec<String>,
    path: String,
}

impl Suite {
    fn new(name: &str) -> Self {
        let prepared: PathBuf = crate::healing::prepared();
        let text = std::fs::read_to_string(root().join(format!("tests/generating/{name}.toml"))).unwrap();
        let world: World = toml::from_str(&text).unwrap();
        let place = Workplace::new();
        for (path, text) in &world.files {
            place.write(path, text);
        }
        place.write(".gitignore", "node_modules\n.testmedic\n__pycache__\ntarget\n");
        if world.files.contains_key("package.json") {
            std::os::unix::fs::symlink(prepared.join("node/node_modules"), place.path().join("node_modules")).unwrap();
        }
        place.git(&["init", "-q", "-b", "main", "."]);
        if world.files.contains_key("pom.xml") {
            // What is called so is a report to other tests.
            place.git(&["add", "pom.xml"]);
        }
        place.commit("The suite");
        let path = format!("{}:{}", prepared.join("venv/bin").display(), std::env::var("PATH").unwrap());
        Self { place, command: world.command, path }
    }

    fn call(&self, words: &[&str]) -> crate::support::Ran {
        // Maven keeps what it has fetched at home.
        let home = if self.place.path().join("pom.xml").is_file() { std::env::var("HOME").ok() } else { None };
        let mut variables = vec![("PATH", self.path.as_str()), ("PYTHONDONTWRITEBYTECODE", "1")];
        variables.extend(home.as_deref().map(|home| ("HOME", home)));
        self.place.run_with(words, &variables)
    }

    /// Runs the suite recorded.
    fn record(&self, options: &[&str]) {
        let command: Vec<&str> = self.command.iter().map(String::as_str).collect();
        let words = [&["run"], options, &["--"], &command].concat();
        let ran = self.call(&words);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    }

    /// Writes tests into the repository; gives the report.
    fn generate(&self, options: &[&str]) -> Value {
        let ran = self.call(&[&["generate", "--apply", "--json", "generated.json"], options].concat());
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        println!("{}", ran.out);
        serde_json::from_str(&self.place.read("generated.json")).unwrap()
    }
}

/// What one recipe did: tests, passes, mutants killed and shown.
type Row = BTreeMap<String, (u64, u64, u64, u64)>;

fn holds(name: &str, noise: &[&str], defects: &[&str]) -> Row {
    let suite = Suite::new(name);
    suite.record(&["--history", "none"]);
    let recorded = suite.place.read(".testmedic/traffic.ndjson");
    for line in recorded.lines() {
        let exchange: Value = serde_json::from_str(line).unwrap();
        assert!(exchange["test"].is_string(), "no test is linked to {}", &line[..line.len().min(300)]);
    }
    let times = repeat(name).to_string();
    let report = suite.generate(&[&["--history", "none", "--repeat", &times], only(name)].concat());
    crate::support::check_contract(&report);
    let mut rows = Row::new();
    let proposals = report["proposals"].as_array().unwrap();
    let found: Vec<&str> =
        proposals.iter().filter(|p| p["remedy"] == "file").map(|p| p["rationale"].as_str().unwrap()).collect();
    assert_eq!(found.len(), defects.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(defects) {
        assert!(found.starts_with(expected), "{found}");
    }
    for proposal in proposals.iter().filter(|p| p["remedy"] == "generate") {
        let rationale = proposal["rationale"].as_str().unwrap();
        let recipe = rationale.split(" by recipe ").nth(1).unwrap().split(' ').next().unwrap();
        let times = |code: &str, outcome: &str| -> u64 {
            let own = proposal["proof"].as_array().unwrap().iter();
            own.filter(|p| p["code"] == code && p["outcome"] == outcome).map(|p| p["times"].as_u64().unwrap()).sum()
        };
        assert_eq!(times("new", "passed"), 2 + repeat(name) + 1, "{rationale}");
        let (killed, survived) = (times("mutant", "failed"), times("mutant", "passed"));
        assert!(killed > 0, "{rationale} notices nothing");
        let row = rows.entry(recipe.to_owned()).or_default();
        *row = (row.0 + 1, row.1 + times("new", "passed"), row.2 + killed, row.3 + killed + survived);
    }
    assert!(!rows.is_empty(), "{report:#}");
    assert_eq!(rows.contains_key("incident"), name == "fastapi");
    // What is there now passes as a whole, and no value that varies is compared.
    suite.record(&["--history", "none"]);
    let written = suite.place.git(&["ls-files", "--others", "--exclude-standard"]);
    let mut texts = 0;
    for path in written
        .lines()
        .filter(|p| p.contains("generated.test") || p.contains("test_generated") || p.contains("GeneratedTest"))
    {
        texts += 1;
        let text = suite.place.read(path);
        for line in text.lines().filter(|l| noise.iter().any(|word| l.contains(word))) {
            let compares =
                ["==", "toBe(\"", "assertEqual", "toEqual(\"", "equalTo(\""].iter().any(|word| line.contains(word));
            assert!(!compares, "{path} compares what varies: {line}");
        }
    }
    assert!(texts > 0);
    rows
}

#[test]
fn fastapi() {
    told(
        "FastAPI, TestClient",
        holds("fastapi", &["created_at", "\"key\"", "\"now\""], &["POST /orders answered 500: `quantity` is 0"]),
    );
}

#[test]
fn flask() {
    told("Flask, unittest", holds("flask", &[], &[]));
}

#[test]
fn django() {
    told("Django, test client", holds("django", &[], &[]));
}

#[test]
fn live() {
    told("a live server, requests", holds("live", &["\"seen\""], &[]));
}

#[test]
fn express() {
    told("Express, supertest", holds("express", &["created"], &[]));
}

#[test]
fn restassured() {
    told("JUnit 5, REST Assured", holds("restassured", &["created_at"], &[]));
}

/// Keeps a row of the table, and writes it when all are there.
fn told(world: &str, rows: Row) {
    use std::sync::Mutex;
    static ALL: Mutex<BTreeMap<String, Row>> = Mutex::new(BTreeMap::new());
    let mut all = ALL.lock().unwrap();
    println!("{world}: {rows:?}");
    all.insert(world.to_owned(), rows);
    if all.len() < 6 || std::env::var_os("UPDATE").is_none() {
        return;
    }
    let mut text = String::from(
        "# Which tests are written\n\nMade by `UPDATE=1 cargo test generating`: six real suites (`tests/generating/`), each recorded and given the tests that it lacks. A test passed twice in the order of its file, twenty times shuffled and once alone, and was shown mutants of the answers that it checks.\n\n| suite | recipe | tests | passes | mutants killed | mutants shown |\n|---|---|--:|--:|--:|--:|\n",
    );
    for (world, rows) in all.iter() {
        for (recipe, (tests, passes, killed, shown)) in rows {
            text.push_str(&format!("| {world} | {recipe} | {tests} | {passes} | {killed} | {shown} |\n"));
        }
    }
    let sum = |at: fn(&(u64, u64, u64, u64)) -> u64| all.values().flat_map(|r| r.values()).map(at).sum::<u64>();
    text.push_str(&format!("| all | | {} | {} | {} | {} |\n", sum(|r| r.0), sum(|r| r.1), sum(|r| r.2), sum(|r| r.3)));
    std::fs::write(root().join("docs/generating.md"), text).unwrap();
}
