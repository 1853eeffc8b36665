//! The recorder of tests on a JVM: a listener of JUnit's that also stands among REST
//! Assured's filters. It is compiled by the JDK that the tests are compiled by, and put
//! on the class path as an agent, which changes no class.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The listener, and what of JUnit it is compiled against.
const SOURCES: [(&str, &str); 4] = [
    ("Agent.java", include_str!("java/Agent.java")),
    ("Recorder.java", include_str!("java/Recorder.java")),
    ("TestExecutionListener.java", include_str!("java/stubs/TestExecutionListener.java")),
    ("TestIdentifier.java", include_str!("java/stubs/TestIdentifier.java")),
];
/// By which JUnit finds it (`java.util.ServiceLoader`).
const SERVICE: &str = "org.junit.platform.launcher.TestExecutionListener";

/// Makes the agent in a folder; gives its path.
///
/// # Errors
/// Where there is no JDK, or it refuses.
pub(super) fn agent(folder: &Path) -> Result<PathBuf, String> {
    let jar = folder.join("testmedic-recorder.jar");
    if jar.is_file() {
        return Ok(jar);
    }
    let work = folder.join("java");
    let write = |path: PathBuf, text: &str| {
        let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        made.and_then(|()| std::fs::write(&path, text)).map_err(|e| format!("cannot write {}: {e}", path.display()))
    };
    for (name, text) in SOURCES {
        write(work.join("sources").join(name), text)?;
    }
    let (classes, manifest) = (work.join("classes"), work.join("manifest"));
    write(manifest.clone(), "Premain-Class: testmedic.Agent\n")?;
    write(classes.join("META-INF/services").join(SERVICE), "testmedic.Recorder\n")?;
    let sources = SOURCES.map(|(name, _)| work.join("sources").join(name).display().to_string());
    let mut javac = program("javac");
    javac.args(["-proc:none", "-nowarn", "-Xlint:-options", "--release", "8", "-d"]).arg(&classes).args(sources);
    done(javac)?;
    // JUnit's own classes are where the tests run.
    let _ = std::fs::remove_dir_all(classes.join("org"));
    let mut pack = program("jar");
    pack.arg("cfm").arg(&jar).arg(&manifest).arg("-C").arg(&classes).arg(".");
    done(pack)?;
    Ok(jar)
}

/// A program of the JDK that `JAVA_HOME` names, or of the path.
fn program(name: &str) -> Command {
    let own = std::env::var_os("JAVA_HOME").map(|home| Path::new(&home).join("bin").join(name));
    Command::new(own.filter(|path| path.is_file()).unwrap_or_else(|| PathBuf::from(name)))
}

fn done(mut command: Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output =
        command.stdin(Stdio::null()).output().map_err(|e| format!("`{name}` of a JDK cannot be started: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("`{name}` failed: {}", said.lines().next().unwrap_or("it said nothing")))
}
