//! Maven and Gradle.

use super::commands::{inside, own, words};
use super::recognise::nearest;
use super::{Ready, Results, Site};
use crate::model::execution::{Scope, TestSelector};

/// Compiles once and quickly.
pub(crate) const QUICK: &str = "-XX:TieredStopAtLevel=1";

/// The class with its package; nested classes behind `$`.
pub(super) fn class(target: &TestSelector) -> String {
    if target.path.is_empty() {
        return stem(&target.file).to_owned();
    }
    let classes = &target.path[..target.path.len().saturating_sub(1)];
    let class = classes.join("$");
    if target.package.is_empty() { class } else { format!("{}.{class}", target.package) }
}

/// The class that a file is called like; runners know it without its package.
fn stem(file: &str) -> &str {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.split('.').next().unwrap_or(name)
}

/// Adds the classes of files to a command that runs those of one.
pub(super) fn add_files(ready: &mut Ready, files: &[String]) {
    let more = files.iter().map(|file| stem(file));
    if let Some(tests) = ready.argv.iter_mut().find(|word| word.starts_with("-Dtest=")) {
        more.for_each(|class| *tests = format!("{tests},{class}"));
    } else if let Some(at) = ready.argv.iter().position(|word| word == "--tests") {
        let words: Vec<String> = more.flat_map(|class| ["--tests".to_owned(), class.to_owned()]).collect();
        ready.argv.splice(at..at, words);
    }
}

pub(super) fn maven(target: &TestSelector, extent: Scope, site: &Site<'_>) -> Result<Ready, String> {
    let folder = nearest(&target.file, site.files, &["pom.xml"]).ok_or("there is no pom.xml above the test")?;
    let program = own(site, &folder, "mvnw").unwrap_or_else(|| "mvn".to_owned());
    let mut argv = vec![program];
    argv.extend(words(&[
        "-B",
        "-q",
        "test",
        "-DfailIfNoTests=false",
        "-Dsurefire.failIfNoSpecifiedTests=false",
        "-DtrimStackTrace=false",
    ]));
    let method = target.path.last().filter(|_| extent == Scope::Alone).map_or(String::new(), |m| format!("#{m}"));
    argv.push(format!("-Dtest={}{method}", class(target)));
    if let Some(home) = site.real_home {
        argv.push(format!("-Dmaven.repo.local={}", home.join(".m2/repository").display()));
        let settings = home.join(".m2/settings.xml");
        // Mirrors are wanted, credentials are not.
        let harmless = std::fs::read_to_string(&settings)
            .is_ok_and(|t| !["<password", "<privateKey", "<passphrase"].iter().any(|w| t.contains(w)));
        if harmless {
            argv.extend(["-s".to_owned(), settings.display().to_string()]);
        }
    }
    if !site.network {
        argv.push("-o".to_owned());
    }
    // A module is built with what it needs of the others, from the root.
    let root = outermost(&folder, site.files);
    if root != folder {
        argv.extend(["-pl".to_owned(), inside(&folder, &root), "-am".to_owned()]);
    }
    let reports = "**/target/surefire-reports/TEST-*.xml".to_owned();
    // A JVM that lives for seconds does without what only pays in the long run: a third
    // of the time of such a run.
    let env = vec![("JAVA_TOOL_OPTIONS".to_owned(), QUICK.to_owned())];
    Ok(Ready { argv, env, folder: site.root.join(root), results: Results::Junit(vec![reports]) })
}

/// The outermost folder above with a pom of its own.
fn outermost(folder: &str, files: &[String]) -> String {
    let mut best = folder.to_owned();
    let mut at = folder.to_owned();
    while !at.is_empty() {
        at = at.rsplit_once('/').map_or(String::new(), |(p, _)| p.to_owned());
        let pom = if at.is_empty() { "pom.xml".to_owned() } else { format!("{at}/pom.xml") };
        if files.contains(&pom) {
            best.clone_from(&at);
        }
    }
    best
}

pub(super) fn gradle(target: &TestSelector, extent: Scope, site: &Site<'_>) -> Result<Ready, String> {
    let folder = nearest(&target.file, site.files, &["build.gradle", "build.gradle.kts"])
        .ok_or("there is no build.gradle above the test")?;
    let root = nearest(&target.file, site.files, &["settings.gradle", "settings.gradle.kts", "gradlew"])
        .unwrap_or_else(|| folder.clone());
    let program = own(site, &root, "gradlew").unwrap_or_else(|| "gradle".to_owned());
    let module = inside(&folder, &root);
    let task =
        |name: &str| if folder == root { name.to_owned() } else { format!(":{}:{name}", module.replace('/', ":")) };
    let mut name = class(target);
    if let Some(method) = target.path.last().filter(|_| extent == Scope::Alone) {
        name.push_str(&format!(".{method}"));
    }
    let mut argv = vec![program];
    argv.extend([task("cleanTest"), task("test"), "--tests".to_owned(), name]);
    argv.extend(words(&["--continue", "--console=plain", "--no-daemon"]));
    if !site.network {
        argv.push("--offline".to_owned());
    }
    let reports = if module.is_empty() || folder == root {
        "build/test-results/test/*.xml".to_owned()
    } else {
        format!("{module}/build/test-results/test/*.xml")
    };
    Ok(Ready { argv, env: Vec::new(), folder: site.root.join(root), results: Results::Junit(vec![reports]) })
}
