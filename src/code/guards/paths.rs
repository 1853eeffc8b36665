//! Where a patch writes, and how much.

use std::collections::HashSet;

use globset::Glob;

use super::{Bounds, FilePatch, Finding, PatchRule};
use crate::code::rust_inline_tests;
use crate::ingest::source_location::is_test_path;

/// Files that steer how tests are found and run, by name.
const STEERING: &[&str] = &[
    "conftest.py",
    "setup.cfg",
    "setup.py",
    "pyproject.toml",
    "pytest.ini",
    "tox.ini",
    "noxfile.py",
    "package.json",
    "package-lock.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "requirements.txt",
    "poetry.lock",
    "uv.lock",
    "pipfile",
    "pipfile.lock",
    "cargo.toml",
    "cargo.lock",
    "go.mod",
    "go.sum",
    "pom.xml",
    "build.gradle",
    "build.gradle.kts",
    "settings.gradle",
    "settings.gradle.kts",
    "gradle.properties",
    "gemfile",
    "gemfile.lock",
    "rakefile",
    "composer.json",
    "composer.lock",
    "phpunit.xml",
    "phpunit.xml.dist",
    "pest.php",
    "spec_helper.rb",
    "rails_helper.rb",
    "test_helper.rb",
    "codeowners",
    "agents.md",
    "claude.md",
    "gemini.md",
    "copilot-instructions.md",
    "dockerfile",
    "makefile",
    "justfile",
    "tsconfig.json",
    "babel.config.js",
    "setuptests.js",
    "setuptests.ts",
    "junit-platform.properties",
    "testng.xml",
    "sitecustomize.py",
    "usercustomize.py",
    "nextest.toml",
    "testmedic.toml",
    "bootstrap.php",
    "jest.setup.js",
    "jest.setup.ts",
    "vitest.setup.ts",
    "global-setup.ts",
    "global-setup.js",
    "testmain.go",
];

/// Begins of names of such files.
const STEERING_BEGINS: &[&str] = &[
    "jest.config.",
    "vitest.config.",
    "vite.config.",
    "playwright.config.",
    "karma.conf",
    "cypress.config.",
    "wdio.conf",
    "requirements-",
    "requirements_",
    "docker-compose",
    "compose.",
    "ava.config.",
    "babel.config.",
];

pub(super) fn check(files: &[FilePatch], bounds: &Bounds, out: &mut Vec<Finding>) {
    let matches = |globs: &[String], path: &str| {
        globs.iter().any(|g| Glob::new(g).is_ok_and(|g| g.compile_matcher().is_match(path)))
    };
    let mut known = HashSet::new();
    for file in files {
        // Compared without case, because some file systems ignore it.
        let twice = file.renamed_from.iter().chain([&file.path]).any(|path| !known.insert(path.to_lowercase()));
        if twice {
            let why = "the patch changes this file twice, so each check would see only one half".to_owned();
            out.push(Finding { guard: PatchRule::Paths, path: file.path.clone(), line: None, why });
        }
        let mut refuse =
            |why: String| out.push(Finding { guard: PatchRule::Paths, path: file.path.clone(), line: None, why });
        if let Some(oddity) = &file.oddity {
            refuse(format!("{oddity}: only plain text files may change"));
            continue;
        }
        for path in file.renamed_from.iter().chain(std::iter::once(&file.path)) {
            if let Some(why) = outside(path) {
                refuse(why);
            } else if matches(&bounds.protected, path) {
                refuse("the policy protects this path".to_owned());
            } else if !is_test_path(path) && !matches(&bounds.tests, path) && !only_inline_tests(file) {
                refuse("this is no test: a patch may change tests and what belongs to them, nothing else".to_owned());
            }
        }
    }
}

/// Paths that are never written to.
fn outside(path: &str) -> Option<String> {
    let lower = path.to_ascii_lowercase().replace('\\', "/");
    let name = lower.rsplit('/').next().unwrap_or(&lower);
    if lower.starts_with('/') || lower.split('/').any(|part| part == ".." || part.is_empty()) {
        return Some("the path leads out of the repository".to_owned());
    }
    if lower.split('/').any(|part| part.starts_with('.') && part != ".") {
        return Some("files and folders that begin with a dot steer tools".to_owned());
    }
    let steers = STEERING.contains(&name) || STEERING_BEGINS.iter().any(|b| name.starts_with(b));
    steers.then(|| "this file steers how tests are found and run".to_owned())
}

/// Whether only unit tests inside of a Rust product file change.
fn only_inline_tests(file: &FilePatch) -> bool {
    let (Some(old), Some(new), None) = (&file.old, &file.new, &file.renamed_from) else { return false };
    match (rust_inline_tests::product(&file.path, old), rust_inline_tests::product(&file.path, new)) {
        (Some(old), Some(new)) => old == new,
        _ => false,
    }
}

pub(super) fn size(files: &[FilePatch], bounds: &Bounds, out: &mut Vec<Finding>) {
    if files.len() > bounds.files {
        let why = format!("{} files change, {} may", files.len(), bounds.files);
        out.push(Finding { guard: PatchRule::Size, path: files[0].path.clone(), line: None, why });
    }
    let lines: usize = files.iter().map(changed_lines).sum();
    if lines > bounds.lines {
        let why = format!("{lines} lines change, {} may", bounds.lines);
        out.push(Finding { guard: PatchRule::Size, path: files[0].path.clone(), line: None, why });
    }
}

/// Lines removed plus lines added.
fn changed_lines(file: &FilePatch) -> usize {
    let (old, new) = (file.old.as_deref().unwrap_or(""), file.new.as_deref().unwrap_or(""));
    if old == new {
        return 0;
    }
    let patch = diffy::create_patch(old, new);
    patch.hunks().iter().flat_map(diffy::Hunk::lines).filter(|line| !matches!(line, diffy::Line::Context(_))).count()
}
