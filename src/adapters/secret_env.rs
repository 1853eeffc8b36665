//! Keeps the secrets of our own environment from the programs that we run.
//!
//! What was in the environment of a process when it was started can be read by
//! other processes of the same user, for as long as it lives (`/proc/PID/environ`).
//! Leaving variables out of a child's environment is therefore not enough: before
//! foreign code runs, this program replaces itself by itself, without them, and
//! gets them through an unnamed file that is emptied at once. Besides, its memory
//! is closed to processes without special rights.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::error::Problem;
use crate::model::secret::mask;

/// Tells the second self where the variables are.
const HANDLE: &str = "TESTMEDIC_SHIELD";

/// Name of the unnamed file.
const NAME: &str = "testmedic";

static KEPT: OnceLock<BTreeMap<String, String>> = OnceLock::new();

/// A variable that was taken out of the environment.
#[must_use]
pub fn secret_var(name: &str) -> Option<String> {
    KEPT.get()?.get(name).cloned()
}

/// All variables that were taken out of the environment.
#[must_use]
pub fn secret_vars() -> BTreeMap<String, String> {
    KEPT.get().cloned().unwrap_or_default()
}

/// Whether a variable is a secret, by its name or its value.
#[must_use]
pub fn is_secret(name: &str, value: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let words = [
        "TOKEN",
        "SECRET",
        "PASSW",
        "PASSPHRASE",
        "PRIVATE",
        "CREDENTIAL",
        "APIKEY",
        "API_KEY",
        "ACCESS_KEY",
        "AUTH",
        "ACTIONS_RUNTIME",
        "ACTIONS_CACHE",
        "ACTIONS_RESULTS",
        "COOKIE",
        "SESSION_KEY",
        "SIGNING",
        "_DSN",
    ];
    words.iter().any(|word| name.contains(word))
        || name.ends_with("_KEY")
        || name.ends_with("_PAT")
        || mask(value) != value
}

/// Takes secrets out of sight; see the head of this file. Returns in the second
/// self, or where there is nothing to hide.
///
/// # Errors
/// Where this program cannot be started anew: then no foreign code may run.
#[cfg(target_os = "linux")]
pub fn scrub_and_reexec() -> Result<(), Problem> {
    use std::io::{Read, Seek, Write};
    use std::os::fd::AsRawFd;
    use std::os::unix::process::CommandExt;

    let problem =
        |why: std::io::Error| Problem::failed("the secrets of the environment cannot be shielded").because(why);
    // Somebody else's handle is none: only a file that we made counts.
    let handle = std::env::var(HANDLE).ok().and_then(|n| n.parse::<i32>().ok()).map(|n| format!("/proc/self/fd/{n}"));
    let is_ours = |path: &String| {
        std::fs::read_link(path).is_ok_and(|to| to.to_string_lossy().starts_with(&format!("/memfd:{NAME}")))
    };
    if let Some(path) = handle.filter(is_ours) {
        let mut text = String::new();
        let mut file = std::fs::OpenOptions::new().read(true).write(true).open(&path).map_err(problem)?;
        file.read_to_string(&mut text).map_err(problem)?;
        file.set_len(0).map_err(problem)?;
        let _ = KEPT.set(serde_json::from_str(&text).unwrap_or_default());
    } else {
        let secrets: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
            .filter(|(name, value)| is_secret(name, value))
            .collect();
        if !secrets.is_empty() {
            // Where the system asks for it the file says that it is no program; older
            // systems do not know the word.
            let file = rustix::fs::memfd_create(NAME, rustix::fs::MemfdFlags::NOEXEC_SEAL)
                .or_else(|_| rustix::fs::memfd_create(NAME, rustix::fs::MemfdFlags::empty()))
                .map_err(|e| problem(e.into()))?;
            let mut file = std::fs::File::from(file);
            serde_json::to_writer(&mut file, &secrets).map_err(|e| problem(e.into()))?;
            file.flush().and_then(|()| file.rewind()).map_err(problem)?;
            let own = std::env::current_exe().map_err(problem)?;
            let mut again = std::process::Command::new(own);
            again.args(std::env::args_os().skip(1)).env(HANDLE, file.as_raw_fd().to_string());
            for name in secrets.keys() {
                again.env_remove(name);
            }
            return Err(problem(again.exec()));
        }
    }
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    Ok(())
}

/// Elsewhere other processes cannot read it that way.
///
/// # Errors
/// None.
#[cfg(not(target_os = "linux"))]
pub fn raise() -> Result<(), Problem> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values() {
        for (name, value) in [
            ("GITHUB_TOKEN", "x"),
            ("INPUT_GITHUB-TOKEN", "x"),
            ("AWS_SECRET_ACCESS_KEY", "x"),
            ("OPENAI_API_KEY", "x"),
            ("STRIPE_KEY", "x"),
            ("DATABASE_URL", "postgres://app:hunter22@db/shop"),
            ("PLAIN", "ghp_abcdefghijklmnopqrstuvwxyz0123456789"),
        ] {
            assert!(is_secret(name, value), "{name}");
        }
        for (name, value) in [("PATH", "/usr/bin"), ("GITHUB_SHA", "abc"), ("HOME", "/root"), ("KEYBOARD", "de")] {
            assert!(!is_secret(name, value), "{name}");
        }
    }
}
