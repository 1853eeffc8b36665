//! A workplace for tests of the whole program: a folder of its own, a cleared
//! environment, the built binary.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// A temporary folder with the program at hand.
pub struct Workplace {
    folder: tempfile::TempDir,
}

/// What a call of the program left behind.
#[must_use]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Workplace {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_testmedic"));
        command.args(arguments).current_dir(self.path()).env_clear().env("HOME", self.path());
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        ran(self.command(arguments).stdin(Stdio::null()).output().unwrap())
    }

    pub fn run_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
        ran(self.command(arguments).envs(variables.iter().copied()).stdin(Stdio::null()).output().unwrap())
    }

    /// Runs in a folder of it.
    pub fn run_in(&self, folder: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
        let mut command = self.command(arguments);
        command.current_dir(self.path().join(folder)).envs(variables.iter().copied());
        ran(command.stdin(Stdio::null()).output().unwrap())
    }

    pub fn run_stdin(&self, arguments: &[&str], input: &[u8]) -> Ran {
        use std::io::Write;
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut pipe = child.stdin.take().unwrap();
        let input = input.to_vec();
        let writer = std::thread::spawn(move || {
            let _ = pipe.write_all(&input);
        });
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        ran(output)
    }

    /// Runs `triage` with `arguments` and gives the JSON report.
    pub fn triage(&self, arguments: &[&str]) -> Value {
        let mut all = vec!["triage", "--json", "report.json"];
        all.extend(arguments);
        let ran = self.run(&all);
        assert!(ran.code == 0 || ran.code == 1 || ran.code == 3, "exit {}: {}{}", ran.code, ran.out, ran.err);
        serde_json::from_str(&self.read("report.json")).unwrap()
    }

    /// Runs git in the folder with a fixed identity; gives what it printed.
    pub fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args(arguments)
            .current_dir(self.path())
            .envs([
                ("GIT_CONFIG_GLOBAL", "/dev/null"),
                ("GIT_CONFIG_SYSTEM", "/dev/null"),
                ("GIT_AUTHOR_NAME", "Ann"),
                ("GIT_AUTHOR_EMAIL", "ann@example.org"),
                ("GIT_COMMITTER_NAME", "Ann"),
                ("GIT_COMMITTER_EMAIL", "ann@example.org"),
            ])
            .output()
            .unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub fn commit(&self, message: &str) -> String {
        self.git(&["add", "-A", "--", ":!*.xml", ":!.testmedic"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
        self.git(&["rev-parse", "HEAD"])
    }
}

fn ran(output: Output) -> Ran {
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The folder of fixtures.
pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// Checks a report against `schema/report.schema.json`, and the rules of the
/// contract that a schema cannot say.
pub fn check_contract(report: &Value) {
    let schema =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/report.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(report).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    let t = &report["totals"];
    let n = |key: &str| t[key].as_u64().unwrap();
    assert_eq!(n("tests"), n("passed") + n("failed") + n("errored") + n("skipped"));
    let members: Vec<&Value> =
        report["diagnoses"].as_array().unwrap().iter().flat_map(|d| d["tests"].as_array().unwrap()).collect();
    let bad = members.iter().filter(|m| m["outcome"] == "failed" || m["outcome"] == "errored").count() as u64;
    assert_eq!(bad, n("failed") + n("errored"), "diagnoses hold every bad case exactly once");
    assert_eq!(members.len() as u64 - bad, n("flaky"), "and every flaky one");
    let ids: Vec<&Value> = report["diagnoses"].as_array().unwrap().iter().map(|d| &d["id"]).collect();
    assert_eq!(ids.len(), ids.iter().collect::<std::collections::HashSet<_>>().len(), "ids are unique");
}

/// A pytest-like report: `(name, Some(message) where it failed)`.
pub fn report(cases: &[(&str, Option<&str>)]) -> String {
    let cases: String = cases
        .iter()
        .map(|(name, failure)| match failure {
            None => format!("<testcase classname=\"tests.test_app\" name=\"{name}\" time=\"0.01\"/>"),
            Some(text) => {
                let message = text.lines().next().unwrap_or("");
                let message = message.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
                format!("<testcase classname=\"tests.test_app\" name=\"{name}\" time=\"0.01\"><failure message=\"{message}\"><![CDATA[{text}]]></failure></testcase>")
            }
        })
        .collect();
    format!("<testsuites><testsuite name=\"pytest\" tests=\"0\">{cases}</testsuite></testsuites>")
}

/// Who makes commits in tests, and no configuration of whoever runs them.
pub const IDENTITY: [(&str, &str); 6] = [
    ("GIT_AUTHOR_NAME", "Ann"),
    ("GIT_AUTHOR_EMAIL", "ann@example.org"),
    ("GIT_COMMITTER_NAME", "Ann"),
    ("GIT_COMMITTER_EMAIL", "ann@example.org"),
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_CONFIG_SYSTEM", "/dev/null"),
];
