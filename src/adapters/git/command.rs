//! Runs git with a fixed environment and configuration, a time limit and an output limit.
//!
//! After untrusted code ran in a repository, the repository's configuration may name programs: filters,
//! hooks, a file system monitor, credential helpers, transports. None of them may run. The environment
//! contains only [`CLOSED`], user and system configuration are ignored, and [`OVERRIDES`] replaces every
//! repository setting that starts a program. Filters have arbitrary names and cannot be overridden, but
//! git applies them only to files of a work tree; such calls use a private git directory instead
//! ([`GitCommand::with_private_dir`]).

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// Time limit of a call in seconds.
const SECONDS: u64 = 120;
/// Bytes of standard error that are kept.
const ERRORS: u64 = 4000;

/// The environment of a call; `PATH` and `TMPDIR` are inherited.
const CLOSED: [(&str, &str); 15] = [
    ("LC_ALL", "C"),
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_CONFIG_SYSTEM", "/dev/null"),
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_ATTR_NOSYSTEM", "1"),
    ("GIT_NO_REPLACE_OBJECTS", "1"),
    ("GIT_OPTIONAL_LOCKS", "0"),
    // Missing objects of a partial clone are not fetched: transports are programs.
    ("GIT_NO_LAZY_FETCH", "1"),
    ("GIT_ALLOW_PROTOCOL", "none"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_ASKPASS", "false"),
    ("GIT_SSH_COMMAND", "false"),
    ("GIT_PAGER", "cat"),
    ("GIT_EDITOR", "false"),
    ("HOME", "/nonexistent"),
];

/// Settings that override the configuration of a repository.
const OVERRIDES: [&str; 18] = [
    "safe.directory=*",
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.attributesFile=/dev/null",
    "core.excludesFile=/dev/null",
    "core.sshCommand=false",
    "core.gitProxy=false",
    "core.askPass=false",
    "core.pager=cat",
    "core.quotePath=false",
    "credential.helper=",
    "protocol.allow=never",
    "gpg.program=false",
    "log.showSignature=false",
    "commit.gpgSign=false",
    "diff.ignoreSubmodules=all",
    "submodule.recurse=false",
    "advice.detachedHead=false",
];

/// A git command that is about to run.
#[derive(Debug)]
pub struct GitCommand {
    command: Command,
    input: Option<Vec<u8>>,
    limit: u64,
}

impl GitCommand {
    /// Returns a call in a directory of a repository. It must not read or write files of the work tree.
    #[must_use]
    pub fn in_repository(folder: &Path) -> Self {
        let mut call = Self::new();
        call.command.arg("-C").arg(folder);
        call
    }

    /// Returns a call with a private git directory and `files` as the work tree.
    #[must_use]
    pub fn with_private_dir(git: &Path, files: &Path) -> Self {
        let mut call = Self::new();
        call.command.arg("--git-dir").arg(git).arg("--work-tree").arg(files);
        call
    }

    fn new() -> Self {
        let mut command = Command::new("git");
        command.env_clear().envs(CLOSED);
        for name in ["PATH", "TMPDIR", "SYSTEMROOT"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        for setting in OVERRIDES {
            command.args(["-c", setting]);
        }
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { command, input: None, limit: u64::MAX }
    }

    /// Adds arguments. Options of git itself come before the subcommand.
    #[must_use]
    pub fn args(mut self, words: &[&str]) -> Self {
        self.command.args(words);
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Sets the bytes that git reads from standard input.
    #[must_use]
    pub fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = Some(input.into());
        self
    }

    /// Limits the output to `bytes`. Output up to the limit is returned as a success.
    #[must_use]
    pub fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes as u64;
        self
    }

    /// Runs git and returns its standard output.
    ///
    /// # Errors
    /// The standard error of git if it fails, cannot be started, or exceeds the time limit.
    pub fn run(mut self) -> Result<Vec<u8>, String> {
        #[cfg(unix)]
        {
            use std::os::unix::process::CommandExt;
            // Kill the processes that git starts together with git.
            self.command.process_group(0);
        }
        self.command.stdin(if self.input.is_some() { Stdio::piped() } else { Stdio::null() });
        let mut child = self.command.spawn().map_err(|error| format!("git cannot be started: {error}"))?;
        let (input, limit) = (self.input.take(), self.limit);
        let (done, waits) = mpsc::channel::<()>();
        let id = child.id();
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (out, errors, is_late) = std::thread::scope(|scope| {
            let watch = scope.spawn(move || {
                let is_late = waits.recv_timeout(Duration::from_secs(SECONDS)) == Err(mpsc::RecvTimeoutError::Timeout);
                if is_late {
                    end(id);
                }
                is_late
            });
            let errors = scope.spawn(|| {
                let mut text = Vec::new();
                let _ = stderr.map(|pipe| {
                    let mut pipe = pipe.take(ERRORS);
                    let _ = pipe.read_to_end(&mut text);
                    // Drain the rest so that git does not block on a full pipe.
                    std::io::copy(pipe.get_mut(), &mut std::io::sink())
                });
                text
            });
            scope.spawn(move || {
                if let (Some(mut pipe), Some(input)) = (stdin, input) {
                    let _ = pipe.write_all(&input);
                }
            });
            let mut out = Vec::new();
            if let Some(pipe) = stdout {
                let _ = pipe.take(limit).read_to_end(&mut out);
            }
            if out.len() as u64 >= limit {
                end(id);
            }
            let errors = errors.join().unwrap_or_default();
            drop(done);
            (out, errors, watch.join().unwrap_or_default())
        });
        self.answer(&mut child, out, &errors, is_late)
    }

    fn answer(&self, child: &mut Child, out: Vec<u8>, errors: &[u8], is_late: bool) -> Result<Vec<u8>, String> {
        let status = child.wait().map_err(|error| error.to_string())?;
        if is_late {
            return Err(format!("git was ended after {SECONDS} seconds"));
        }
        if status.success() || out.len() as u64 >= self.limit {
            return Ok(out);
        }
        Err(String::from_utf8_lossy(errors).trim().to_owned())
    }

    /// Like [`GitCommand::run`], as text.
    ///
    /// # Errors
    /// See [`GitCommand::run`].
    pub fn text(self) -> Result<String, String> {
        self.run().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// Kills a process group.
fn end(id: u32) {
    #[cfg(unix)]
    if let Some(id) = i32::try_from(id).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process_group(id, rustix::process::Signal::KILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Settings whose value git runs as a program.
    const PROGRAMS: [&str; 23] = [
        "core.fsmonitor",
        "core.sshCommand",
        "core.pager",
        "core.askPass",
        "core.editor",
        "core.gitProxy",
        "credential.helper",
        "diff.external",
        "diff.x.command",
        "diff.x.textconv",
        "filter.x.clean",
        "filter.x.smudge",
        "filter.x.process",
        "merge.x.driver",
        "gpg.program",
        "pager.log",
        "pager.diff",
        "alias.log",
        "sequence.editor",
        "uploadpack.packObjectsHook",
        "core.alternateRefsCommand",
        "remote.origin.uploadpack",
        "interactive.diffFilter",
    ];

    /// Creates a repository whose configuration and hooks run a program that writes `canary`.
    fn hostile(root: &Path, canary: &Path) {
        let text = |words: &[&str]| GitCommand::in_repository(root).args(words).text().unwrap();
        std::fs::create_dir_all(root.join(".git/hooks")).unwrap();
        text(&["init", "--quiet", "--initial-branch=main", "."]);
        let evil = root.with_extension("evil");
        std::fs::write(&evil, format!("#!/bin/sh\necho $0 $* >> {}\ncat\n", canary.display())).unwrap();
        std::fs::set_permissions(&evil, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let run = evil.display().to_string();
        for key in PROGRAMS {
            text(&["config", key, &run]);
        }
        text(&["config", "log.showSignature", "true"]);
        text(&["config", "remote.origin.url", &format!("ext::{run}")]);
        text(&["config", "extensions.partialClone", "origin"]);
        text(&["config", "remote.origin.promisor", "true"]);
        for hook in ["reference-transaction", "post-checkout", "pre-commit", "post-index-change", "fsmonitor-watchman"]
        {
            std::fs::copy(&evil, root.join(".git/hooks").join(hook)).unwrap();
        }
        std::fs::create_dir_all(root.join(".git/info")).unwrap();
        std::fs::write(root.join(".git/info/attributes"), "* filter=x diff=x merge=x\n").unwrap();
        std::fs::write(root.join(".gitattributes"), "* filter=x diff=x merge=x\n").unwrap();
    }

    /// Creates two commits with one file `a`.
    fn commits(root: &Path) -> (String, String) {
        let text = |words: &[&str]| GitCommand::in_repository(root).args(words).text().unwrap();
        let blob =
            GitCommand::in_repository(root).args(&["hash-object", "-w", "--stdin"]).input(b"a\n").text().unwrap();
        text(&["update-index", "--add", "--cacheinfo", &format!("100644,{},a", blob.trim())]);
        let tree = text(&["write-tree"]);
        let commit = |parents: &[&str]| {
            let words = [&["commit-tree", tree.trim(), "-m", "x"], parents].concat();
            let call =
                ["AUTHOR", "COMMITTER"].iter().fold(GitCommand::in_repository(root).args(&words), |call, who| {
                    call.env(&format!("GIT_{who}_NAME"), "a").env(&format!("GIT_{who}_EMAIL"), "a@b.invalid")
                });
            call.text().unwrap().trim().to_owned()
        };
        let first = commit(&[]);
        let second = commit(&["-p", &first]);
        text(&["update-ref", "refs/heads/main", &second]);
        (first, second)
    }

    #[test]
    fn nothing_of_a_repositorys_configuration_runs() {
        let place = tempfile::tempdir().unwrap();
        let (root, canary) = (place.path().join("r"), place.path().join("canary"));
        hostile(&root, &canary);
        let (first, second) = commits(&root);
        for words in [
            &["log", "-p", "--no-ext-diff", "--no-textconv", &second][..],
            &["diff", "--no-ext-diff", "--no-textconv", &first, &second],
            &["ls-files", "-z"],
            &["grep", "-l", "a", &second],
            &["cat-file", "blob", &format!("{second}:a")],
            &["cat-file", "-e", "0123456789012345678901234567890123456789"],
            &["rev-parse", "--show-toplevel"],
            &["merge-base", &first, &second],
        ] {
            let _ = GitCommand::in_repository(&root).args(words).run();
        }
        let said = || std::fs::read_to_string(&canary).unwrap_or_default();
        assert_eq!(said(), "");
        // Calls on the work tree use a private git directory, which has no filters.
        let files = place.path().join("files");
        std::fs::create_dir_all(&files).unwrap();
        let own = crate::adapters::git::private_dir::PrivateGitDir::create(&root, &place.path().join("own")).unwrap();
        own.check_out(&second, &files).unwrap();
        assert_eq!(std::fs::read_to_string(files.join("a")).unwrap(), "a\n");
        std::fs::write(root.join("a"), "b\n").unwrap();
        let git = crate::adapters::git::Git::find(&root).unwrap();
        let changed = git.with_changes().unwrap();
        assert_eq!(git.text_at(&changed, "a").unwrap(), "b\n");
        assert_eq!(said(), "");
    }

    #[test]
    fn answers_are_bounded_and_failures_say_why() {
        let place = tempfile::tempdir().unwrap();
        GitCommand::in_repository(place.path()).args(&["init", "--quiet", "."]).run().unwrap();
        let blob = GitCommand::in_repository(place.path())
            .args(&["hash-object", "-w", "--stdin"])
            .input(vec![b'x'; 100_000])
            .text()
            .unwrap();
        let read =
            GitCommand::in_repository(place.path()).args(&["cat-file", "blob", blob.trim()]).limit(1000).run().unwrap();
        assert_eq!(read.len(), 1000);
        let error =
            GitCommand::in_repository(place.path()).args(&["rev-parse", "--verify", "nothing"]).run().unwrap_err();
        assert!(error.contains("Needed a single revision"), "{error}");
    }
}
