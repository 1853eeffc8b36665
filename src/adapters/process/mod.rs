//! Programs that are not ours, run within bounds.
//!
//! A program runs below a supervisor, which is this very program in another
//! role. The supervisor adopts whatever the program leaves behind, so that all of
//! it can be ended, and it ends everything by itself where we are gone (its
//! standard input closes), also after `kill -9`.

pub mod supervise;
mod tree;

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::error::Problem;

/// What is run, and within which bounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Program and arguments; no shell is in between.
    pub argv: Vec<String>,
    /// Where.
    pub folder: PathBuf,
    /// The whole environment.
    pub env: Vec<(String, String)>,
    /// Its bounds.
    pub bounds: Limits,
    /// A folder that is removed where we are gone.
    pub scratch: Option<PathBuf>,
    /// A command that ends what the program left behind elsewhere, run where the
    /// program did not end by itself.
    pub after: Vec<String>,
}

/// Bounds of a program and all that it starts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Seconds.
    pub seconds: u32,
    /// Bytes of memory of all processes together; 0 takes three quarters of the machine's.
    pub memory: u64,
    /// Bytes of one file.
    pub file: u64,
    /// Bytes that the disk of the scratch folder may lose.
    pub disk: u64,
    /// Bytes on standard output and standard error.
    pub output: u64,
    /// Processes at once.
    pub processes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { seconds: 600, memory: 0, file: 1 << 30, disk: 4 << 30, output: 64 << 20, processes: 2000 }
    }
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Termination {
    /// By itself, with this code.
    Exited(i32),
    /// By a signal that we did not send.
    Signalled(i32),
    /// It ran too long.
    TimedOut,
    /// It printed too much.
    TooLoud,
    /// It took too much memory.
    TooLarge,
    /// It filled the disk.
    DiskFull,
    /// It started too many processes.
    TooMany,
}

impl Termination {
    /// In words; `None` where it ended by itself.
    #[must_use]
    pub fn trouble(self, bounds: &Limits) -> Option<String> {
        Some(match self {
            Self::Exited(_) => return None,
            Self::Signalled(signal) => format!("it was ended by signal {signal}"),
            Self::TimedOut => format!("it was ended after {} seconds", bounds.seconds),
            Self::TooLoud => format!("it was ended because it printed more than {} MB", bounds.output >> 20),
            Self::TooLarge => "it was ended because it took too much memory".to_owned(),
            Self::DiskFull => "it was ended because it filled the disk".to_owned(),
            Self::TooMany => format!("it was ended because it started more than {} processes", bounds.processes),
        })
    }
}

/// What came of a program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProcessOutput {
    /// How it ended.
    pub end: Termination,
    /// Seconds it took.
    pub seconds: f64,
    /// Beginning and end of what it printed.
    pub stdout: String,
    /// Beginning and end of what it printed about errors.
    pub stderr: String,
}

impl ProcessOutput {
    /// Both outputs.
    #[must_use]
    pub fn output(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

/// Runs `task` below a supervisor started from `program`.
///
/// # Errors
/// Where the supervisor or the program cannot be started.
pub fn run(program: &Path, task: &Task) -> Result<ProcessOutput, Problem> {
    let name = task.argv.first().cloned().unwrap_or_default();
    let failed = |why: String| Problem::failed(format!("`{name}` cannot be run")).because(why);
    // If the program kills the supervisor, its other processes become our children.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    let mut command = Command::new(program);
    command.arg("supervise").env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        // Who ends our group must not end the one that cleans up after us.
        command.process_group(0);
    }
    let mut child = command.spawn().map_err(|e| failed(e.to_string()))?;
    let mut attempt = || -> std::io::Result<Vec<u8>> {
        let mut stdin = child.stdin.take().ok_or_else(|| std::io::Error::other("no pipe"))?;
        let mut text = serde_json::to_vec(task)?;
        text.push(b'\n');
        stdin.write_all(&text)?;
        let mut out = Vec::new();
        if let Some(stdout) = &mut child.stdout {
            stdout.read_to_end(&mut out)?;
        }
        // Only now may the pipe close: its end is the sign that we are gone.
        drop(stdin);
        Ok(out)
    };
    let out = attempt();
    let status = child.wait();
    // Kill the processes that a killed supervisor left behind.
    tree::end();
    let out = out.map_err(|e| failed(e.to_string()))?;
    // The program may have written to the supervisor's pipe, so the supervisor must have exited normally.
    let is_whole = status.is_ok_and(|status| status.success());
    let answer = serde_json::from_slice::<Result<ProcessOutput, String>>(&out).ok().filter(|_| is_whole);
    let answer = answer.ok_or_else(|| failed("it ended its supervisor".to_owned()))?;
    answer.map_err(failed)
}
