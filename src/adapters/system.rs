//! Clock, environment and terminal, read once at the start.

use std::io::IsTerminal;

use crate::adapters::secret_env;
use crate::error::Problem;
use crate::model::run::RunFacts;
use crate::model::time::Timestamp;

/// The present moment.
#[must_use]
pub fn now() -> Timestamp {
    Timestamp::from_unix(jiff::Timestamp::now().as_second())
}

/// Waits.
pub fn pause(time: std::time::Duration) {
    std::thread::sleep(time);
}

/// Any number from 0 to 1.
#[must_use]
pub fn random() -> f64 {
    let mut bytes = [0; 4];
    // Without randomness all wait the same; nothing breaks.
    let _ = getrandom::fill(&mut bytes);
    f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
}

/// A variable of the environment; empty counts as unset.
#[must_use]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().or_else(|| secret_env::secret_var(name)).filter(|value| !value.is_empty())
}

/// Facts about the run that a CI system puts into the environment (GitHub Actions' names).
#[must_use]
pub fn facts() -> RunFacts {
    RunFacts {
        commit: variable("GITHUB_SHA"),
        branch: variable("GITHUB_HEAD_REF").or_else(|| variable("GITHUB_REF_NAME")),
        at: None,
        run: variable("GITHUB_RUN_ID"),
        attempt: variable("GITHUB_RUN_ATTEMPT").and_then(|n| n.parse().ok()).unwrap_or(1),
        variant: None,
    }
}

/// Whether standard output wants colours: <https://no-color.org> and
/// <https://bixense.com/clicolors> are heeded.
#[must_use]
pub fn wants_colour() -> bool {
    if variable("NO_COLOR").is_some() {
        return false;
    }
    if variable("CLICOLOR_FORCE").is_some_and(|v| v != "0") {
        return true;
    }
    std::io::stdout().is_terminal() && variable("TERM").is_none_or(|t| t != "dumb")
}

/// Columns of the terminal.
#[must_use]
pub fn width() -> usize {
    variable("COLUMNS").and_then(|c| c.parse().ok()).unwrap_or(100).clamp(60, 200)
}

/// Whether someone watches standard error.
#[must_use]
pub fn is_watched() -> bool {
    std::io::stderr().is_terminal() && variable("CI").is_none()
}

/// Writes to standard output; a reader that went away is no trouble.
///
/// # Errors
/// Where standard output cannot be written for another reason.
pub fn print(text: &str) -> Result<(), Problem> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Problem::failed("cannot write to standard output").because(e))
        }
        _ => Ok(()),
    }
}
