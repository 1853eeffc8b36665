//! Runs the command that a person gave, as it is.

use std::process::{Command, Stdio};

use crate::error::{Problem, exit};
use crate::shell::shield;

/// Variables that are ours and not the tests'.
const OURS: &[&str] = &[
    "GITHUB_TOKEN",
    "INPUT_GITHUB-TOKEN",
    "TESTMEDIC_GITHUB_TOKEN",
    "TESTMEDIC_SHIELD",
    "ACTIONS_RUNTIME_TOKEN",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
];

/// Runs `argv` with `variables` over the environment; input and output are its
/// own, or where it is `quiet` nobody's. Gives its exit code. Secrets of the tests' own are theirs, ours are not.
///
/// # Errors
/// Where it cannot be started.
pub fn run(argv: &[String], variables: &[(String, String)], quiet: bool) -> Result<u8, Problem> {
    let (program, arguments) = argv.split_first().ok_or_else(|| {
        Problem::usage("there is no command to run").hint("for example: testmedic run -- python -m pytest")
    })?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::inherit());
    for (name, value) in shield::all_kept().into_iter().filter(|(name, _)| !OURS.contains(&name.as_str())) {
        command.env(name, value);
    }
    for name in OURS {
        command.env_remove(name);
    }
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    if quiet {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    }
    let status = command.status().map_err(|e| {
        let problem = Problem::failed(format!("`{program}` cannot be run")).because(e);
        problem.hint("the command after `--` is started as it is, without a shell")
    })?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(exit::COULD_NOT))
}
