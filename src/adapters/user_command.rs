//! Runs the command that a person gave, as it is.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::adapters::secret_env;
use crate::error::{Problem, exit};

/// Variables that are ours and not the tests'.
const OURS: &[&str] = &[
    "GITHUB_TOKEN",
    "INPUT_GITHUB-TOKEN",
    "TESTMEDIC_GITHUB_TOKEN",
    "TESTMEDIC_MODEL_KEY",
    "INPUT_MODEL-KEY",
    "TESTMEDIC_MODEL_KEY_FILE",
    "TESTMEDIC_SHIELD",
    "ACTIONS_RUNTIME_TOKEN",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
];

/// How long a command that was interrupted may take to end: CI systems insist
/// after 7.5 seconds (docs.github.com, "Canceling a workflow").
const GRACE: Duration = Duration::from_secs(5);

/// Runs `argv` with `variables` over the environment; input and output are its
/// own, or where it is `quiet` nobody's. Tells how it ended. Secrets of the tests' own are theirs, ours are not.
///
/// # Errors
/// Where it cannot be started.
pub fn run(argv: &[String], variables: &[(String, String)], quiet: bool) -> Result<Ended, Problem> {
    let (program, arguments) = argv.split_first().ok_or_else(|| {
        Problem::usage("there is no command to run").hint("for example: testmedic run -- python -m pytest")
    })?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::inherit());
    for (name, value) in secret_env::secret_vars().into_iter().filter(|(name, _)| !OURS.contains(&name.as_str())) {
        command.env(name, value);
    }
    for name in OURS {
        command.env_remove(name);
    }
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    if quiet {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    }
    let failed = |e: std::io::Error| {
        let problem = Problem::failed(format!("`{program}` cannot be run")).because(e);
        problem.hint("the command after `--` is started as it is, without a shell")
    };
    // Whoever stops us stops the tests; what they left so far is still judged. A
    // terminal interrupts them itself; to others the word is passed on, gently at
    // first: pytest writes its report when it is interrupted.
    let (interrupted, ended) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let kinds = [(signal_hook::consts::SIGINT, &interrupted), (signal_hook::consts::SIGTERM, &ended)];
    let handlers: Vec<_> =
        kinds.iter().filter_map(|(kind, flag)| signal_hook::flag::register(*kind, Arc::clone(flag)).ok()).collect();
    let mut child = command.spawn().map_err(failed)?;
    let mut asked: Option<Instant> = None;
    let mut insisted = false;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(failed)? {
            break status;
        }
        if asked.is_none() && ended.load(Ordering::SeqCst) {
            asked = Some(Instant::now());
            send(&child, false);
        } else if asked.is_none() && interrupted.load(Ordering::SeqCst) {
            asked = Some(Instant::now());
        }
        if !insisted && asked.is_some_and(|at| at.elapsed() > GRACE) {
            insisted = true;
            send(&child, true);
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let told = asked.is_some();
    for handler in handlers {
        signal_hook::low_level::unregister(handler);
    }
    Ok(Ended { code: code_of(status), was_stopped: told, signal: signal_of(status) })
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its exit code; 128 and the signal's number where one ended it, as shells do.
    pub code: u8,
    /// Whether we were asked to stop, and passed that on.
    pub was_stopped: bool,
    /// The signal that ended it.
    pub signal: Option<i32>,
}

/// Asks the command to end, or insists on it.
#[cfg(unix)]
fn send(child: &std::process::Child, insist: bool) {
    use rustix::process::{Pid, Signal, kill_process};
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, if insist { Signal::TERM } else { Signal::INT });
    }
}

#[cfg(not(unix))]
fn send(_: &std::process::Child, _: bool) {}

#[cfg(unix)]
fn signal_of(status: std::process::ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
fn signal_of(_: std::process::ExitStatus) -> Option<i32> {
    None
}

fn code_of(status: std::process::ExitStatus) -> u8 {
    let signal = signal_of(status).map(|signal| 128 + signal);
    status.code().or(signal).and_then(|code| u8::try_from(code).ok()).unwrap_or(exit::COULD_NOT)
}
