//! The house: imports point one way, the demo tells the truth, the bundle is
//! what the README says, and the documents name what exists.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::support::{Workplace, check_contract};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

pub fn root() -> &'static Path {
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
        "model",
        "ingest",
        "history",
        "code",
        "traffic",
        "diagnose",
        "agent",
        "plan",
        "render",
        "report",
        "ports",
        "apply",
        "investigate",
        "pipeline",
        "error",
        "adapters",
        "cli",
    ];
    let but = |without: &[&str]| everything.iter().copied().filter(|r| !without.contains(r)).collect();
    BTreeMap::from([
        ("model", vec![]),
        ("error", vec![]),
        ("ingest", vec!["model"]),
        ("history", vec!["model", "ingest"]),
        ("code", vec!["model", "ingest"]),
        ("traffic", vec!["model"]),
        ("diagnose", vec!["model", "ingest", "history", "code", "traffic"]),
        ("agent", vec!["model", "ingest", "history", "code", "traffic", "diagnose"]),
        ("render", vec!["model", "ingest", "history", "code", "traffic", "diagnose", "agent"]),
        ("plan", vec!["model", "ingest", "history", "code", "traffic", "diagnose", "agent", "render"]),
        ("ports", vec!["model", "history", "traffic", "plan", "error"]),
        ("apply", vec!["model", "history", "plan", "ports"]),
        ("investigate", vec!["model", "ingest", "code", "traffic", "diagnose", "agent", "ports", "pipeline", "error"]),
        (
            "pipeline",
            vec!["model", "ingest", "history", "code", "traffic", "diagnose", "agent", "plan", "ports", "error"],
        ),
        ("report", but(&["adapters", "cli"])),
        ("adapters", but(&["cli"])),
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
    // The demo heals, for which it needs a Python with pytest.
    let path = format!("{}:{}", crate::healing::prepared().join("venv/bin").display(), std::env::var("PATH").unwrap());
    let ran = place.run_with(&["demo", "--dir", "demo"], &[("PATH", &path)]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    for line in [
        "again  waited 1.0 s (GET /catalogue asks to wait 1 s (`Retry-After: 1`)); then 1 of 1 test passed",
        "RATE-LIMITED",
        "it passes alone and fails behind `tests/test_wishlist.py::test_wishing`",
        "GET /users/{user} 200 `last_login_at` is new: string (date-time)",
        "test_get_users_by_user_has_last_login_at",
        "killed 5 of 5 mutants",
        "scripted reads: the directory calls the field `email` now",
        "sees     file:tests/answer.json",
    ] {
        assert!(ran.out.contains(line), "{line}: {}{}", ran.out, ran.err);
    }
    let written = place.read("demo/live/tests/generated/test_generated_get_users_by_user.py");
    assert!(written.contains("assert re.search(DATE_TIME, body[\"last_login_at\"])"), "{written}");
    let report: serde_json::Value = serde_json::from_str(&place.read("demo/report.json")).unwrap();
    check_contract(&report);
    let verdicts: Vec<(&str, usize)> = report["diagnoses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| (d["verdict"].as_str().unwrap(), d["tests"].as_array().unwrap().len()))
        .collect();
    let remedies: Vec<&str> =
        report["proposals"].as_array().unwrap().iter().map(|p| p["remedy"].as_str().unwrap()).collect();
    assert_eq!(remedies, ["file", "file", "file", "heal"]);
    assert_eq!(report["proposals"][3]["proof"].as_array().unwrap().len(), 5);
    let branches = place.git(&["-C", "demo/shop", "branch", "--list", "testmedic/heal/*", "--format=%(subject)"]);
    assert_eq!(branches, "Bring test_new_order_status_can_be_read up to date");
    assert_eq!(verdicts, [("regression", 3), ("outdated-test", 1), ("rate-limited", 2), ("flaky", 1)]);
    let regression = &report["diagnoses"][0]["history"];
    let subject =
        place.git(&["-C", "demo/shop", "log", "-1", "--format=%s", regression["first_bad"].as_str().unwrap()]);
    assert_eq!(subject, "Simplify how users are written");
    assert_eq!(regression["suspects"][0]["commit"], regression["first_bad"]);
    assert!(place.read("demo/summary.md").contains("```mermaid"));
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let shown = readme.split("```text\n").skip(1).take(2).map(|part| part.split("\n```").next().unwrap());
    for line in shown.flat_map(str::lines).filter(|l| !l.is_empty()) {
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
            let page = target.starts_with("http") || target.starts_with('#');
            assert!(page || root().join(&target).exists(), "{target}");
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

/// The schema for editors and the page about the policy are written from the
/// policy's own types: `UPDATE=1 cargo test house` writes them anew.
#[test]
fn the_policy_is_documented() {
    let schema = testmedic::plan::policy::schema();
    let json = serde_json::to_string_pretty(schema.as_value()).unwrap() + "\n";
    keep("schema/policy.schema.json", &json);
    let page = policy_page(schema.as_value());
    keep("docs/policy.md", &page);
}

pub fn keep(name: &str, text: &str) {
    let path = root().join(name);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == text, "{name} is not what the code says: run `UPDATE=1 cargo test house`");
}

fn policy_page(schema: &serde_json::Value) -> String {
    let one_line = |value: &serde_json::Value| value.as_str().unwrap_or_default().replace('\n', " ");
    let mut page = String::from(
        "# The policy\n\n`.github/testmedic.toml` on the default branch says what testmedic may do. It is never read from a pull request. \
         Without a file all defaults hold. An unknown key is an error, and then nothing is written.\n\n\
         For checks while you type, begin the file with `#:schema https://raw.githubusercontent.com/testmedic/testmedic/v1/schema/policy.schema.json`.\n",
    );
    for (section, entry) in schema["properties"].as_object().unwrap() {
        page.push_str(&format!("\n## `[{section}]`\n\n{}\n", one_line(&entry["description"])));
        let Some(reference) = entry["$ref"].as_str() else {
            page.push_str(
                "\n```toml\n[severity]\n\"src/payments/**\" = \"critical\"\n\"examples/**\" = \"low\"\n```\n",
            );
            continue;
        };
        page.push_str("\n| key | default | meaning |\n|---|---|---|\n");
        let definition = &schema["$defs"][reference.rsplit('/').next().unwrap()];
        for (key, property) in definition["properties"].as_object().unwrap() {
            let range = match (property["minimum"].as_i64(), property["maximum"].as_i64()) {
                (Some(low), Some(high)) => format!(" ({low} to {high})"),
                _ => String::new(),
            };
            let meaning = one_line(&property["description"]).replace('|', "\\|");
            page.push_str(&format!("| `{key}` | `{}` | {meaning}{range} |\n", property["default"]));
        }
    }
    page
}

/// `action.yml`, its native twin, the options, README and examples say the same.
#[test]
fn the_action_is_one_thing() {
    let read = |name: &str| -> serde_yaml_ng::Value {
        serde_yaml_ng::from_str(&std::fs::read_to_string(root().join(name)).unwrap()).unwrap()
    };
    let keys = |value: &serde_yaml_ng::Value| -> Vec<String> {
        value.as_mapping().unwrap().keys().map(|k| k.as_str().unwrap().to_owned()).collect()
    };
    let action = read("action.yml");
    let inputs = keys(&action["inputs"]);
    let place = Workplace::new();
    let options = action_options();
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    for name in &inputs {
        let input = &action["inputs"][name.as_str()];
        let description = input["description"].as_str().unwrap_or_default();
        // The runner evaluates expressions everywhere, and knows no context in a description.
        assert!(description.len() > 20 && !description.contains("${{"), "{name}: {description}");
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{name}");
        // A token is no option: arguments stand in process lists.
        assert!(
            matches!(name.as_str(), "github-token" | "model-key") || options.contains(name),
            "the input {name} is no option"
        );
        assert!(readme.contains(&format!("| `{name}` |")), "README has no row for {name}");
        let default = input["default"].as_str().unwrap_or_default();
        let shown =
            if default.is_empty() { "| `".to_owned() + name + "` | |" } else { format!("| `{name}` | `{default}` |") };
        assert!(readme.contains(&shown), "README: the default of {name} is not `{default}`");
    }
    for name in keys(&action["outputs"]) {
        assert!(readme.contains(&format!("| `{name}` |")), "README has no row for the output {name}");
    }
    let native = read("native/action.yml");
    for name in &inputs {
        assert_eq!(native["inputs"][name.as_str()], action["inputs"][name.as_str()], "{name}");
        let handed = format!("${{{{ inputs.{name} }}}}");
        let steps = native["runs"]["steps"].as_sequence().unwrap();
        let environment = &steps.last().unwrap()["env"];
        assert_eq!(environment[format!("INPUT_{}", name.to_uppercase()).as_str()].as_str(), Some(handed.as_str()));
    }
    assert_eq!(keys(&native["outputs"]), keys(&action["outputs"]));
    drop(place);
}

/// The long options of `testmedic action`, as its own parser has them.
fn action_options() -> Vec<String> {
    use clap::CommandFactory;
    testmedic::cli::ActionArgs::command().get_arguments().filter_map(|a| a.get_long().map(str::to_owned)).collect()
}

#[test]
fn examples_use_what_exists() {
    let action: serde_yaml_ng::Value =
        serde_yaml_ng::from_str(&std::fs::read_to_string(root().join("action.yml")).unwrap()).unwrap();
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let mut seen = 0;
    for entry in std::fs::read_dir(root().join(".github/examples")).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        assert!(readme.contains(&format!(".github/examples/{name}")), "README does not name {name}");
        let text = std::fs::read_to_string(entry.path()).unwrap();
        let workflow: serde_yaml_ng::Value = serde_yaml_ng::from_str(&text).unwrap();
        assert!(!workflow["permissions"].is_null(), "{name} states no permissions");
        for job in workflow["jobs"].as_mapping().unwrap().values() {
            for step in job["steps"].as_sequence().unwrap() {
                let uses = step["uses"].as_str().unwrap_or_default();
                if uses.starts_with("testmedic/testmedic@") || uses.starts_with("testmedic/testmedic/native@") {
                    seen += 1;
                    for (input, _) in step["with"].as_mapping().into_iter().flatten() {
                        assert!(!action["inputs"][input.as_str().unwrap()].is_null(), "{name}: {input:?} is no input");
                    }
                } else if !uses.is_empty() {
                    let pinned = uses.split('@').nth(1).unwrap();
                    assert_eq!(pinned.len(), 40, "{name}: {uses} is not pinned to a commit");
                }
            }
        }
    }
    assert!(seen >= 4);
}
