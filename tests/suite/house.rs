//! The house: imports point one way, the demo tells the truth, the bundle is
//! what the README says, and the documents name what exists.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::support::{Workplace, check_contract};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files
}

/// The room a file is in: its folder below `src`, or its own name.
fn room(path: &Path) -> String {
    let relative = path.strip_prefix(root().join("src")).unwrap();
    let first = relative.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
    first.strip_suffix(".rs").unwrap_or(&first).to_owned()
}

/// What each room may import, as ARCHITECTURE.md says.
fn allowed() -> BTreeMap<&'static str, Vec<&'static str>> {
    let everything = vec![
        "model", "ingest", "history", "diagnose", "plan", "render", "report", "ports", "apply", "run", "error",
        "shell", "cli",
    ];
    let but = |without: &[&str]| everything.iter().copied().filter(|r| !without.contains(r)).collect();
    BTreeMap::from([
        ("model", vec![]),
        ("error", vec![]),
        ("ingest", vec!["model"]),
        ("history", vec!["model", "ingest"]),
        ("diagnose", vec!["model", "ingest", "history"]),
        ("render", vec!["model", "ingest", "history", "diagnose"]),
        ("plan", vec!["model", "ingest", "history", "diagnose", "render"]),
        ("ports", vec!["model", "history", "plan", "error"]),
        ("apply", vec!["model", "history", "plan", "ports"]),
        ("run", vec!["model", "ingest", "history", "diagnose", "plan", "ports", "error"]),
        ("report", but(&["shell", "cli"])),
        ("shell", but(&["cli"])),
        ("cli", everything.clone()),
        ("lib", everything.clone()),
        ("main", everything),
    ])
}

#[test]
fn imports_point_one_way() {
    let allowed = allowed();
    let mut wrong = Vec::new();
    for path in sources(&root().join("src")) {
        let room = room(&path);
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for line in code.lines().filter(|l| !l.trim_start().starts_with("//")) {
            for (at, _) in line.match_indices("crate::") {
                let target: String = line[at + 7..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if target != room && !allowed[room.as_str()].contains(&target.as_str()) {
                    wrong.push(format!("{}: {room} imports {target}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_file_grows_too_long() {
    for path in sources(&root().join("src")) {
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap().lines().count();
        assert!(code <= 600, "{} has {code} lines without its tests", path.display());
    }
}

/// The demo's story has a known truth.
#[test]
fn the_demo_judges_right() {
    let place = Workplace::new();
    let ran = place.run(&["demo", "--dir", "demo"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let report: serde_json::Value = serde_json::from_str(&place.read("demo/report.json")).unwrap();
    check_contract(&report);
    let verdicts: Vec<(&str, usize)> = report["diagnoses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| (d["verdict"].as_str().unwrap(), d["tests"].as_array().unwrap().len()))
        .collect();
    assert_eq!(verdicts, [("regression", 3), ("outdated-test", 1), ("rate-limited", 2), ("flaky", 1)]);
    let regression = &report["diagnoses"][0]["history"];
    let subject =
        place.git(&["-C", "demo/shop", "log", "-1", "--format=%s", regression["first_bad"].as_str().unwrap()]);
    assert_eq!(subject, "Simplify how users are written");
    assert_eq!(regression["suspects"][0]["commit"], regression["first_bad"]);
    assert!(place.read("demo/summary.md").contains("```mermaid"));
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let shown = readme.split("```text\n").nth(1).unwrap().split("\n```").next().unwrap();
    for line in shown.lines().filter(|l| !l.is_empty()) {
        assert!(
            ran.out.lines().any(|l| l.trim_end() == line.trim_end()),
            "README shows what the demo does not print: {line}\n{}",
            ran.out
        );
    }
    assert_eq!(place.run(&["demo", "--dir", "demo"]).code, 2, "a folder that is in use is not touched");
}

#[test]
fn documents_name_what_exists() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let house = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    for text in [&readme, &house] {
        for (at, _) in text.match_indices("](") {
            let target: String = text[at + 2..].chars().take_while(|c| *c != ')').collect();
            assert!(target.starts_with("http") || root().join(&target).exists(), "{target}");
        }
    }
    for room in allowed().keys().filter(|r| !matches!(**r, "lib" | "error")) {
        assert!(house.contains(&format!("`{room}")), "ARCHITECTURE.md does not name {room}");
    }
    let gate = std::fs::read_to_string(root().join(".ci/run")).unwrap();
    assert!(readme.contains("\ncargo test ") && gate.contains("cargo test"), "the gate runs the README's test command");
}

#[test]
fn help_names_the_exit_codes_and_every_command() {
    let place = Workplace::new();
    let help = place.run(&["--help"]).out;
    for word in ["triage", "history", "demo", "Exit codes: 0 done"] {
        assert!(help.contains(word), "{word} in {help}");
    }
    let triage = place.run(&["triage", "--help"]).out;
    for option in [
        "--junit",
        "--head",
        "--branch",
        "--at",
        "--run",
        "--attempt",
        "--variant",
        "--repo",
        "--base",
        "--history",
        "--apply",
        "--json",
        "--summary",
        "--fail-on",
        "--now",
    ] {
        assert!(triage.contains(option), "{option}");
    }
}

/// What a report holds reaches people harmless.
#[test]
fn hostile_text_is_shown_harmless() {
    let place = Workplace::new();
    let evil = "@everyone #1 </details><script>x</script> ```\n::error::x [a](http://b) \u{202e} | `";
    let escaped = evil.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    place.write(
        "r.xml",
        format!("<testsuite name='s'><testcase classname='a.b' name=\"{escaped}\"><failure message=\"{escaped}&#27;[31m\">{escaped}&#27;]0;t&#7;</failure></testcase></testsuite>"),
    );
    let ran = place.run(&["triage", "--junit", "r.xml", "--summary", "s.md", "--history", "none"]);
    assert_eq!(ran.code, 0);
    for text in [&ran.out, &place.read("s.md")] {
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'));
    }
    assert!(!ran.out.lines().any(|l| l.starts_with("::")));
    let page = place.read("s.md");
    let mut in_code_block = false;
    for event in Parser::new_ext(&page, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::CodeBlock(_)) => in_code_block = true,
            Event::End(TagEnd::CodeBlock) => in_code_block = false,
            Event::Html(html) | Event::InlineHtml(html) => {
                let ours =
                    ["<details>", "</details>", "<summary>", "</summary>", "<sub>", "</sub>", "<span>", "</span>"];
                assert!(ours.iter().any(|tag| html.trim().starts_with(tag)), "{html}");
            }
            Event::Start(Tag::Link { .. } | Tag::Image { .. }) => panic!("a link came from a report"),
            Event::Text(text) if !in_code_block => {
                assert!(!text.contains("@everyone") && !text.contains("#1") && !text.contains("script"), "{text}");
            }
            _ => {}
        }
    }
}
