//! The corpus of patches: cheats, each of which its guard must reject, and
//! honest ones, to which no guard may object.

use serde::Deserialize;
use testmedic::code::edit::diff;
use testmedic::code::guards::{self, Bounds, FilePatch, PatchRule};

use crate::support::Workplace;

#[derive(Deserialize)]
struct Corpus {
    path: String,
    text: String,
    #[serde(default)]
    cheat: Vec<Patch>,
    #[serde(default)]
    honest: Vec<Patch>,
}

#[derive(Deserialize)]
struct Patch {
    name: String,
    #[serde(default)]
    guard: String,
    replace: Vec<(String, String)>,
}

impl Patch {
    fn of(&self, corpus: &Corpus) -> FilePatch {
        let mut new = corpus.text.clone();
        let mut changed = false;
        for (from, to) in &self.replace {
            changed |= new.contains(from.as_str());
            new = new.replacen(from.as_str(), to, 1);
        }
        assert!(changed && new != corpus.text, "{}: {} changes nothing", corpus.path, self.name);
        FilePatch { path: corpus.path.clone(), old: Some(corpus.text.clone()), new: Some(new), ..FilePatch::default() }
    }
}

fn corpora() -> Vec<Corpus> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guards");
    let mut found = Vec::new();
    for entry in folder.read_dir().unwrap().flatten().filter(|e| e.path().extension().is_some_and(|e| e == "toml")) {
        let text = std::fs::read_to_string(entry.path()).unwrap();
        found.push(toml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", entry.path().display())));
    }
    assert!(found.len() >= 9, "one corpus a language");
    found
}

#[test]
fn every_guard_rejects_its_cheats() {
    let mut wrong = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for corpus in corpora() {
        for cheat in &corpus.cheat {
            let found = guards::check(&[cheat.of(&corpus)], &Bounds::default());
            let names: Vec<&str> = found.iter().map(|f| f.guard.name()).collect();
            seen.insert(cheat.guard.clone());
            if !names.contains(&cheat.guard.as_str()) {
                wrong.push(format!("{}: {} wants {}, got {names:?}", corpus.path, cheat.name, cheat.guard));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // The guards of form, paths and size have their own tests.
    let all: Vec<&str> =
        PatchRule::ALL.iter().map(|g| g.name()).filter(|n| !matches!(*n, "form" | "paths" | "size")).collect();
    assert!(all.iter().all(|name| seen.contains(*name)), "a guard has no corpus: {all:?} {seen:?}");
}

#[test]
fn no_guard_objects_to_honest_patches() {
    let mut wrong = Vec::new();
    for corpus in corpora() {
        for honest in &corpus.honest {
            for finding in guards::check(&[honest.of(&corpus)], &Bounds::default()) {
                wrong.push(format!("{}: {}: {finding:?}", corpus.path, honest.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn paths_and_sizes() {
    let at = |path: &str| FilePatch {
        path: path.to_owned(),
        old: Some("a\n".to_owned()),
        new: Some("b\n".to_owned()),
        ..FilePatch::default()
    };
    let guards_of = |files: &[FilePatch]| -> Vec<&str> {
        guards::check(files, &Bounds::default()).iter().map(|f| f.guard.name()).collect()
    };
    for path in [
        "src/app.py",
        "tests/conftest.py",
        "pyproject.toml",
        ".github/workflows/ci.yml",
        "tests/.hidden/test_a.py",
        "../tests/test_a.py",
        "/tests/test_a.py",
        "package.json",
        "jest.config.js",
        "CODEOWNERS",
        "tests/AGENTS.md",
        "spec/spec_helper.rb",
        "tests/requirements.txt",
        "go.sum",
        "src/lib.rs",
    ] {
        assert_eq!(guards_of(&[at(path)]), ["paths"], "{path}");
    }
    for path in ["tests/test_a.py", "tests/data/users.json.txt", "a_test.txt", "src/__snapshots__/a.snap"] {
        assert!(guards_of(&[at(path)]).is_empty(), "{path}");
    }
    let odd = FilePatch { oddity: Some("a symbolic link".into()), ..at("tests/test_a.py") };
    assert_eq!(guards_of(&[odd]), ["paths"]);
    let many: Vec<FilePatch> = (0..11).map(|n| at(&format!("tests/test_{n}.txt"))).collect();
    assert_eq!(guards_of(&many), ["size"]);
    let moved = |from: &str, to: &str| FilePatch { renamed_from: Some(from.to_owned()), ..at(to) };
    for twice in [
        [at("tests/a.txt"), at("tests/a.txt")],
        [at("tests/a.txt"), at("tests/A.txt")],
        [at("tests/a.txt"), moved("tests/a.txt", "tests/b.txt")],
        [moved("tests/a.txt", "tests/b.txt"), moved("tests/a.txt", "tests/c.txt")],
    ] {
        assert_eq!(guards_of(&twice), ["paths"], "{twice:?}");
    }
    let long = FilePatch { new: Some("line\n".repeat(300)), ..at("tests/long.txt") };
    assert_eq!(guards_of(&[long]), ["size"]);
    let gone = FilePatch { new: None, ..at("tests/test_a.py") };
    assert!(guards_of(&[gone]).contains(&"tests-kept"));
}

/// Unit tests inside of a Rust product file may change, the product around them may not.
#[test]
fn inline_tests_of_rust() {
    let text = "pub fn f() -> u8 { 1 }\n\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn f() { assert_eq!(super::f(), 1); }\n}\n";
    let patch = |from: &str, to: &str| FilePatch {
        path: "src/lib.rs".to_owned(),
        old: Some(text.to_owned()),
        new: Some(text.replace(from, to)),
        ..FilePatch::default()
    };
    assert!(guards::check(&[patch("super::f(), 1", "super::f(), 2")], &Bounds::default()).is_empty());
    let product = guards::check(&[patch("{ 1 }", "{ 2 }")], &Bounds::default());
    assert_eq!(product[0].guard, PatchRule::Paths);
}

#[test]
fn the_command_says_why() {
    let place = Workplace::new();
    let corpus = corpora().into_iter().find(|c| c.path.ends_with(".py")).unwrap();
    place.write(&format!("repo/{}", corpus.path), &corpus.text);
    let write = |patch: &Patch, name: &str| {
        let file = patch.of(&corpus);
        place.write(name, diff(&file.path, file.old.as_deref().unwrap(), file.new.as_deref().unwrap()));
    };
    let skip = corpus.cheat.iter().find(|c| c.name == "skip").unwrap();
    write(skip, "cheat.patch");
    let ran = place.run(&["guard", "cheat.patch", "--repo", "repo"]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("tests-run") && ran.out.contains("pytest.mark.skip"), "{}", ran.out);
    let ran = place.run(&["guard", "cheat.patch", "--repo", "repo", "--json", "-"]);
    let json: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((json["admitted"].as_bool(), json["findings"][0]["guard"].as_str()), (Some(false), Some("tests-run")));
    write(&corpus.honest[0], "honest.patch");
    let ran = place.run(&["guard", "honest.patch", "--repo", "repo"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "no guard objects to this patch of 1 file\n"), "{}", ran.err);
    place.write("none.patch", "hello\n");
    let ran = place.run(&["guard", "none.patch", "--repo", "repo"]);
    assert_eq!(ran.code, 2, "{}", ran.err);
    place.write(
        "other.patch",
        "--- a/tests/test_users.py\n+++ b/tests/test_users.py\n@@ -1,1 +1,1 @@\n-not there\n+new\n",
    );
    let ran = place.run(&["guard", "other.patch", "--repo", "repo"]);
    assert!(ran.code == 1 && ran.out.contains("does not fit"), "{}{}", ran.out, ran.err);
    let ran = place.run(&["guard", "other.patch", "--repo", "repo", "--json", "-"]);
    let json: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((json["admitted"].as_bool(), json["findings"][0]["guard"].as_str()), (Some(false), Some("form")));
}

/// Runs `git apply` in a directory with `old` as `t.txt`. Returns all files, or `None` if git fails.
fn git_apply(patch: &str, old: &str) -> Option<std::collections::BTreeMap<String, String>> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("t.txt"), old).unwrap();
    std::fs::write(folder.path().join("u.txt"), "x\n").unwrap();
    let mut git = std::process::Command::new("git");
    git.current_dir(folder.path()).env("GIT_CEILING_DIRECTORIES", folder.path()).env("GIT_CONFIG_GLOBAL", "/dev/null");
    git.args(["apply", "-"]).stdin(std::process::Stdio::piped()).stderr(std::process::Stdio::null());
    let mut child = git.spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), patch.as_bytes()).unwrap();
    child.wait().unwrap().success().then(|| {
        let entries = folder.path().read_dir().unwrap().flatten();
        entries
            .map(|e| (e.file_name().to_string_lossy().into_owned(), std::fs::read_to_string(e.path()).unwrap()))
            .collect()
    })
}

/// Applies the same patch with the parser of the guards.
fn our_apply(patch: &str, old: &str) -> Option<std::collections::BTreeMap<String, String>> {
    use testmedic::code::patch::{FileState, read};
    let there = [("t.txt", old), ("u.txt", "x\n")];
    let held = |path: &str| {
        there
            .iter()
            .find(|(name, _)| *name == path)
            .map_or(FileState::Nothing, |(_, text)| FileState::Text((*text).to_owned()))
    };
    let mut all: std::collections::BTreeMap<String, String> =
        there.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    for file in read(patch, &held).ok()? {
        // A patch that is applied already is for people who look; git applies none twice.
        let before = file.renamed_from.as_ref().unwrap_or(&file.path);
        if all.get(before) != file.old.as_ref() {
            return None;
        }
        all.remove(before);
        all.extend(file.new.map(|new| (file.path, new)));
    }
    Some(all)
}

mod anything {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        /// Broken and cut sources, in every language: no panic, and a patch that
        /// changes nothing is never objected to.
        #[test]
        fn sources_may_be_broken(which in 0_usize..9, from in 0.0_f64..1.0, length in 0_usize..400, junk in ".{0,40}") {
            let all = corpora();
            let corpus = &all[which % all.len()];
            let edge = |at: usize| (0..=at.min(corpus.text.len())).rev().find(|i| corpus.text.is_char_boundary(*i)).unwrap();
            let start = edge((corpus.text.len() as f64 * from) as usize);
            let end = edge(start + length);
            let cut = format!("{}{junk}{}", &corpus.text[..start], &corpus.text[end.max(start)..]);
            let file = |old: &str, new: &str| FilePatch {
                path: corpus.path.clone(),
                old: Some(old.to_owned()),
                new: Some(new.to_owned()),
                ..FilePatch::default()
            };
            let _ = guards::check(&[file(&corpus.text, &cut)], &Bounds::default());
            let _ = guards::check(&[file(&cut, &corpus.text)], &Bounds::default());
            prop_assert!(guards::check(&[file(&cut, &cut)], &Bounds::default()).is_empty());
        }

        /// If the parser accepts a patch, `git apply` produces the same files, also if lines of the
        /// patch were moved, duplicated, removed or inserted.
        #[test]
        fn git_reads_a_patch_as_the_guards_do(
            old in "(a|b|c)(\n(a|b|c)){3,14}\n?",
            edits in proptest::collection::vec((0_usize..16, "[a-d]?"), 1..4),
            damage in proptest::collection::vec((0_usize..40, 0_u8..7, 0_usize..40), 0..3),
        ) {
            let mut new: Vec<String> = old.split('\n').map(str::to_owned).collect();
            for (at, text) in &edits {
                let at = at % new.len();
                if text.is_empty() { new[at] = "d\nd".to_owned() } else { new[at].clone_from(text) }
            }
            let patch = diff("t.txt", &old, &new.join("\n"));
            let mut lines: Vec<String> = patch.split_inclusive('\n').map(str::to_owned).collect();
            for (at, kind, other) in &damage {
                if lines.is_empty() { break; }
                let (at, other) = (at % lines.len(), other % lines.len());
                match kind {
                    0 => { let line = lines.remove(at); lines.insert(other, line); }
                    1 => { let line = lines[at].clone(); lines.insert(other, line); }
                    2 => { lines.remove(at); }
                    3 => lines.insert(at, "--- a/u.txt\n+++ b/u.txt\n@@ -1 +1 @@\n-x\n+y\n".to_owned()),
                    4 => lines.insert(at, "\n".to_owned()),
                    5 => lines[at] = lines[at].replacen(['1', '2', '3'], "4", 1),
                    _ => lines.insert(at, "diff --git a/t.txt b/t.txt\n".to_owned()),
                }
            }
            let patch = lines.concat();
            let ours = our_apply(&patch, &old);
            if ours.is_some() {
                prop_assert_eq!(&ours, &git_apply(&patch, &old), "{}", patch);
            }
            prop_assert!(!damage.is_empty() || ours.is_some() || patch.is_empty(), "{}", patch);
        }

        /// Whatever was printed is read, and whatever a patch says.
        #[test]
        fn values_and_patches_may_be_anything(text in "[\\[\\]{}()'\"a-z0-9:=>,. \\\\n-]{0,200}", patch in "(diff --git a/x b/x\n|--- a/x\n|\\+\\+\\+ b/x\n|@@ -1,2 \\+1 @@\n|-a\n|\\+b\n| c\n|.{0,20}\n){0,12}") {
            let _ = testmedic::code::repr_parser::read(&text);
            let _ = testmedic::code::patch::read(&patch, &|_| testmedic::code::patch::FileState::Text("a\nc\n".to_owned()));
        }
    }
}
