//! Scenarios: a folder each, told in `story.json`, run end to end. Every step is
//! run twice and the second run must write nothing. What came of it stands in
//! `expected.snap` beside the story: calls, plan and receipts of each step, and
//! the state of the forge in the end.
//!
//! A story tells `event`, `past` (earlier runs of `main`, a letter each),
//! `reports`, `forge`; `like` takes over another story; `then` are later steps
//! with what people did meanwhile (`people`) and what else ran (`more`).

use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::github::world::{World, merge};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios")
}

fn story(name: &str) -> Value {
    let path = folder().join(name).join("story.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let own: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    match own["like"].as_str() {
        None => own,
        Some(other) => {
            let mut story = story(other);
            merge(&mut story, &own);
            story
        }
    }
}

fn play(name: &str) -> String {
    let story = story(name);
    let steps: Vec<Value> = story["then"].as_array().cloned().unwrap_or_default();
    let mut world = World::new(story.clone());
    let mut out = format!("{}\n", story["about"].as_str().unwrap());
    step(&mut out, &world, 1);
    for (index, next) in steps.iter().enumerate() {
        world.go_on(next);
        step(&mut out, &world, index + 2);
    }
    let state = serde_json::to_string_pretty(&world.server.state().shown()).unwrap();
    let _ = writeln!(out, "\n== the forge in the end\n{state}");
    out
}

fn step(out: &mut String, world: &World, number: usize) {
    let before = world.server.state().log.len();
    let ran = world.run();
    let (reads, downloads, writes) = {
        let state = world.server.state();
        let log = &state.log[before..];
        let downloads = log.iter().filter(|l| l.path.ends_with("/zip")).count();
        let writes = log.iter().filter(|l| l.is_write()).count();
        (log.len() - downloads - writes, downloads, writes)
    };
    let _ =
        writeln!(out, "\n== step {number}: exit {}, {reads} reads, {downloads} downloads, {writes} writes", ran.code);
    if let Some(most) = world.story["calls-at-most"].as_u64() {
        assert!((reads + writes) as u64 <= most, "{} calls: {:#?}", reads + writes, world.server.state().log);
    }
    for line in ran.out.lines().filter(|l| l.starts_with("::")) {
        let _ = writeln!(out, "{}", line.replace(&world.server.api, "API"));
    }
    if world.story["show-output"] == Value::Bool(true) {
        let _ = writeln!(out, "{}", ran.out.trim_end());
    }
    for name in ["verdicts", "regressions", "flaky", "issues", "conclusion"] {
        if let Some(value) = world.output(name) {
            let _ = writeln!(out, "{name}: {value}");
        }
    }
    if world.place.path().join("report.json").exists() {
        let report = world.report();
        crate::support::check_contract(&report);
        plan(out, &report["plan"]);
    }
    let again = world.run();
    assert_eq!(again.code, ran.code, "{}", again.out);
    let state = world.server.state();
    let reads_again = state.log[before + reads + downloads + writes..].iter().filter(|l| !l.is_write()).count();
    let _ = writeln!(out, "  once more: {reads_again} reads, nothing written");
    let second: Vec<String> = state.log[before + reads + downloads + writes..]
        .iter()
        .filter(|l| l.is_write() && l.status < 400)
        .map(|l| format!("{} {}", l.method, l.path))
        .collect();
    assert!(second.is_empty(), "the second run wrote: {second:#?}\n{}", again.out);
}

fn plan(out: &mut String, plan: &Value) {
    for action in plan["actions"].as_array().unwrap().iter().filter(|a| a["kind"] != "record-run") {
        let text = |name: &str| action[name].as_str().unwrap_or("-").to_owned();
        let _ =
            writeln!(out, "  {}: {} [{}] because {}", text("kind"), text("title"), text("receipt"), text("because"));
    }
    for withheld in plan["withheld"].as_array().unwrap() {
        let text = |name: &str| withheld[name].as_str().unwrap_or("-").to_owned();
        let _ = writeln!(out, "  not {}: {} ({})", text("kind"), text("reason"), text("because"));
    }
}

#[test]
fn all_scenarios() {
    let mut names: Vec<String> =
        std::fs::read_dir(folder()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let only = std::env::var("SCENARIO").ok();
    for name in names.iter().filter(|n| only.as_ref().is_none_or(|o| n.contains(o.as_str()))) {
        let played = play(name);
        insta::with_settings!({
            snapshot_path => folder().join(name),
            prepend_module_to_snapshot => false,
            omit_expression => true,
            description => "",
        }, {
            insta::assert_snapshot!("expected", played);
        });
    }
}
