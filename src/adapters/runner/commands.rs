//! The command of each runner.

use std::path::{Path, PathBuf};

use super::recognise::nearest;
use super::{Ready, Results, Runner, Site, SnapshotSwitch, jvm, script};
use crate::model::execution::{Scope, TestSelector};

/// Our own files that runners load.
const PROBE: &str = include_str!("probe.py");
const UNITTEST: &str = include_str!("unittest_run.py");

pub(super) fn command(runner: Runner, target: &TestSelector, extent: Scope, site: &Site<'_>) -> Result<Ready, String> {
    match runner {
        Runner::Pytest => pytest(target, extent, site),
        Runner::Unittest => unittest(target, extent, site),
        Runner::Jest | Runner::Vitest | Runner::Mocha | Runner::NodeTest | Runner::Playwright => {
            script::command(runner, target, extent, site)
        }
        Runner::Maven => jvm::maven(target, extent, site),
        Runner::Gradle => jvm::gradle(target, extent, site),
        Runner::Go => Ok(go(target, extent, site)),
        Runner::Nextest => nextest(target, extent, site),
        Runner::CargoTest => Ok(cargo_test(target, extent, site)),
        Runner::Rspec => Ok(rspec(target, extent, site)),
        Runner::Phpunit => Ok(phpunit(target, extent, site)),
    }
}

pub(super) fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|w| (*w).to_owned()).collect()
}

/// `path` relative to `folder`, both in the repository.
pub(super) fn inside(path: &str, folder: &str) -> String {
    let lead = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    path.strip_prefix(&lead).unwrap_or(path).to_owned()
}

/// A program of the checkout itself, if it has one.
pub(super) fn own(site: &Site<'_>, folder: &str, relative: &str) -> Option<String> {
    let mut at = folder.to_owned();
    loop {
        let path = site.root.join(&at).join(relative);
        if path.is_file() {
            return Some(path.display().to_string());
        }
        if at.is_empty() {
            return None;
        }
        at = at.rsplit_once('/').map_or(String::new(), |(parent, _)| parent.to_owned());
    }
}

fn write(site: &Site<'_>, name: &str, text: &str) -> Result<PathBuf, String> {
    let path = site.out.join(name);
    std::fs::write(&path, text).map_err(|e| format!("cannot write {}: {e}", path.display()))?;
    Ok(path)
}

fn python(site: &Site<'_>, folder: &str) -> String {
    if site.contained {
        return own(site, folder, ".venv/bin/python").unwrap_or_else(|| "python3".to_owned());
    }
    own(site, folder, ".venv/bin/python")
        .or_else(|| own(site, folder, "venv/bin/python"))
        .unwrap_or_else(|| if on_path("python3") { "python3".to_owned() } else { "python".to_owned() })
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Variables under which Python imports the checkout and nothing else that was
/// installed from another copy of it.
fn python_env(site: &Site<'_>, folder: &str, extra: Option<&Path>) -> Vec<(String, String)> {
    let base = site.root.join(folder);
    let mut paths: Vec<PathBuf> = extra.map(Path::to_owned).into_iter().collect();
    paths.extend([base.join("src"), base.clone()].into_iter().filter(|p| p.is_dir()));
    let joined = std::env::join_paths(paths).map(|p| p.to_string_lossy().into_owned()).unwrap_or_default();
    vec![("PYTHONPATH".to_owned(), joined), ("PYTHONDONTWRITEBYTECODE".to_owned(), "1".to_owned())]
}

const PYTHON_ROOTS: &[&str] = &["pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg", "setup.py"];

fn pytest(target: &TestSelector, extent: Scope, site: &Site<'_>) -> Result<Ready, String> {
    let folder = nearest(&target.file, site.files, PYTHON_ROOTS).unwrap_or_default();
    let probe = write(site, "testmedic_probe.py", PROBE)?;
    let report = site.out.join("pytest.xml");
    let mut id = vec![inside(&target.file, &folder)];
    if extent == Scope::Alone {
        id.extend(target.path.iter().cloned());
    }
    let mut argv = vec![python(site, &folder)];
    argv.extend(words(&["-m", "pytest", "-p", "no:cacheprovider", "-p", "testmedic_probe", "-vv", "--color=no"]));
    argv.push(format!("--junitxml={}", report.display()));
    argv.push(id.join("::"));
    let mut env = python_env(site, &folder, probe.parent());
    env.push(("TESTMEDIC_PROBE".to_owned(), format!("{}.compared", report.display())));
    Ok(Ready {
        argv,
        env,
        folder: site.root.join(&folder),
        results: Results::Junit(vec![report.display().to_string()]),
    })
}

fn unittest(target: &TestSelector, extent: Scope, site: &Site<'_>) -> Result<Ready, String> {
    let folder = nearest(&target.file, site.files, &["setup.py", "pyproject.toml", "setup.cfg"]).unwrap_or_default();
    let script = write(site, "testmedic_unittest.py", UNITTEST)?;
    let report = site.out.join("unittest.xml");
    let module = inside(&target.file, &folder).trim_end_matches(".py").replace('/', ".");
    let mut name = vec![module];
    if extent == Scope::Alone {
        name.extend(target.path.iter().cloned());
    }
    let argv = vec![python(site, &folder), script.display().to_string(), report.display().to_string(), name.join(".")];
    Ok(Ready {
        argv,
        env: python_env(site, &folder, None),
        folder: site.root.join(&folder),
        results: Results::Junit(vec![report.display().to_string()]),
    })
}

fn go(target: &TestSelector, extent: Scope, site: &Site<'_>) -> Ready {
    let folder = nearest(&target.file, site.files, &["go.mod"]).unwrap_or_default();
    let relative = inside(&target.file, &folder);
    let package = relative.rsplit_once('/').map_or(".".to_owned(), |(p, _)| format!("./{p}"));
    let mut argv = words(&["go", "test", "-json", "-count=1"]);
    if extent == Scope::Alone {
        // A report names subtests: only that one, level by level.
        let function = target.path.last().cloned().unwrap_or_default();
        let name = if target.name.starts_with(&format!("{function}/")) { &target.name } else { &function };
        let levels: Vec<String> = name.split('/').map(|level| format!("^{}$", regex::escape(level))).collect();
        argv.extend(["-run".to_owned(), levels.join("/")]);
    }
    argv.push(package);
    Ready { argv, env: Vec::new(), folder: site.root.join(&folder), results: Results::Go }
}

/// The name of a test as Rust's harness has it.
fn rust_name(target: &TestSelector) -> String {
    let own = target.path.join("::");
    // A report has the whole path of modules, a file only its own.
    if target.name.ends_with(&own) && !target.name.contains(' ') {
        return target.name.clone();
    }
    let modules = target.file.split("src/").nth(1).filter(|_| target.file.contains("src/")).unwrap_or("");
    let modules = modules.trim_end_matches(".rs").trim_end_matches("/mod").replace('/', "::");
    if modules.is_empty() || matches!(modules.as_str(), "lib" | "main") { own } else { format!("{modules}::{own}") }
}

/// The options that choose the binary a file is compiled into.
fn rust_binary(target: &TestSelector, folder: &str) -> Vec<String> {
    let relative = inside(&target.file, folder);
    match relative.strip_prefix("tests/") {
        Some(rest) => {
            let name = rest.split('/').next().unwrap_or(rest).trim_end_matches(".rs");
            vec!["--test".to_owned(), name.to_owned()]
        }
        None => words(&["--lib", "--bins"]),
    }
}

/// Each checkout has a target folder of its own: cargo takes two copies of one
/// package for the same, and would link the code of the other checkout.
fn rust_env(site: &Site<'_>) -> Vec<(String, String)> {
    vec![
        ("CARGO_TARGET_DIR".to_owned(), site.build.join("target").display().to_string()),
        ("CARGO_TERM_COLOR".to_owned(), "never".to_owned()),
        ("RUST_BACKTRACE".to_owned(), "0".to_owned()),
    ]
}

fn cargo_test(target: &TestSelector, extent: Scope, site: &Site<'_>) -> Ready {
    let folder = nearest(&target.file, site.files, &["Cargo.toml"]).unwrap_or_default();
    let mut argv = words(&["cargo", "test", "--no-fail-fast"]);
    argv.extend(rust_binary(target, &folder));
    argv.push("--".to_owned());
    if extent == Scope::Alone {
        argv.extend(["--exact".to_owned(), rust_name(target)]);
    } else if !target.file.contains("tests/") {
        let whole = rust_name(target);
        argv.push(whole.rsplit_once("::").map_or(whole.clone(), |(m, _)| m.to_owned()));
    }
    Ready { argv, env: rust_env(site), folder: site.root.join(&folder), results: Results::Libtest }
}

fn nextest(target: &TestSelector, extent: Scope, site: &Site<'_>) -> Result<Ready, String> {
    let folder = nearest(&target.file, site.files, &["Cargo.toml"]).unwrap_or_default();
    let report = site.out.join("nextest.xml");
    let config = write(
        site,
        "nextest.toml",
        &format!("[profile.default.junit]\npath = {:?}\nstore-failure-output = true\n", report.display().to_string()),
    )?;
    let mut argv = words(&["cargo", "nextest", "run", "--no-fail-fast", "--retries", "0", "--color", "never"]);
    argv.extend(["--tool-config-file".to_owned(), format!("testmedic:{}", config.display())]);
    argv.extend(rust_binary(target, &folder));
    if extent == Scope::Alone {
        argv.extend(["-E".to_owned(), format!("test(={})", rust_name(target))]);
    }
    Ok(Ready {
        argv,
        env: rust_env(site),
        folder: site.root.join(&folder),
        results: Results::Junit(vec![report.display().to_string()]),
    })
}

fn rspec(target: &TestSelector, extent: Scope, site: &Site<'_>) -> Ready {
    let folder = nearest(&target.file, site.files, &["Gemfile", ".rspec"]).unwrap_or_default();
    let report = site.out.join("rspec.json");
    let bundled =
        site.files.contains(&if folder.is_empty() { "Gemfile".to_owned() } else { format!("{folder}/Gemfile") });
    let mut argv = if bundled { words(&["bundle", "exec", "rspec"]) } else { words(&["rspec"]) };
    argv.extend([
        "--format".to_owned(),
        "json".to_owned(),
        "--out".to_owned(),
        report.display().to_string(),
        "--no-color".to_owned(),
    ]);
    let file = inside(&target.file, &folder);
    argv.push(if extent == Scope::Alone { format!("{file}:{}", target.line) } else { file });
    Ready { argv, env: Vec::new(), folder: site.root.join(&folder), results: Results::Rspec(report) }
}

fn phpunit(target: &TestSelector, extent: Scope, site: &Site<'_>) -> Ready {
    let folder =
        nearest(&target.file, site.files, &["phpunit.xml", "phpunit.xml.dist", "composer.json"]).unwrap_or_default();
    let report = site.out.join("phpunit.xml");
    let program = own(site, &folder, "vendor/bin/phpunit").unwrap_or_else(|| "phpunit".to_owned());
    let mut argv = vec![program, "--log-junit".to_owned(), report.display().to_string(), "--colors=never".to_owned()];
    if extent == Scope::Alone {
        let name = target.path.last().cloned().unwrap_or_default();
        argv.extend(["--filter".to_owned(), format!("/::{}( .*)?$/", regex::escape(&name))]);
    }
    argv.push(inside(&target.file, &folder));
    Ready {
        argv,
        env: Vec::new(),
        folder: site.root.join(&folder),
        results: Results::Junit(vec![report.display().to_string()]),
    }
}

/// See [`super::updating`]: Jest's and Vitest's `-u`, Playwright's, syrupy's and
/// pytest-snapshot's option, and the variables of insta, go-snaps, cupaloy,
/// rspec-snapshot and spatie's assertions.
pub(super) fn snapshot_switch(runner: Runner) -> Option<SnapshotSwitch> {
    let (options, variables): (&[&str], &[(&str, &str)]) = match runner {
        Runner::Jest | Runner::Vitest => (&["-u"], &[]),
        Runner::Playwright => (&["--update-snapshots"], &[]),
        Runner::Pytest => (&["--snapshot-update"], &[]),
        Runner::CargoTest | Runner::Nextest => (&[], &[("INSTA_UPDATE", "always")]),
        Runner::Go => (&[], &[("UPDATE_SNAPS", "true"), ("UPDATE_SNAPSHOTS", "true")]),
        Runner::Rspec | Runner::Phpunit => (&[], &[("UPDATE_SNAPSHOTS", "true")]),
        _ => return None,
    };
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Some(SnapshotSwitch { options: words(options), variables })
}

pub(super) fn from_template(
    template: &str,
    runner: Option<Runner>,
    target: &TestSelector,
    extent: Scope,
    site: &Site<'_>,
) -> Ready {
    let report = site.out.join("junit.xml");
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "'\\''"));
    let alone = extent == Scope::Alone;
    let id = match runner {
        Some(Runner::Pytest) | None if target.file.ends_with(".py") && alone => {
            format!("{}::{}", target.file, target.path.join("::"))
        }
        Some(Runner::Maven) if alone => {
            format!("{}#{}", jvm::class(target), target.path.last().map_or("", String::as_str))
        }
        Some(Runner::Gradle) if alone => {
            format!("{}.{}", jvm::class(target), target.path.last().map_or("", String::as_str))
        }
        Some(Runner::Go) if alone => target.path.last().cloned().unwrap_or_default(),
        Some(Runner::Nextest | Runner::CargoTest) if alone => rust_name(target),
        Some(Runner::Rspec) if alone => format!("{}:{}", target.file, target.line),
        _ => target.file.clone(),
    };
    let line = template.replace("{tests}", &quoted(&id)).replace("{junit}", &quoted(&report.display().to_string()));
    Ready {
        argv: vec!["sh".to_owned(), "-c".to_owned(), line],
        env: Vec::new(),
        folder: site.root.to_owned(),
        results: Results::Junit(vec![report.display().to_string()]),
    }
}
