//! Foreign code in a container: an image, no network but where the policy wants
//! one, no right that a container can do without, and nothing of this machine but
//! the checkout, the home directory and the results (writable) and the repository's objects (read-only).
//!
//! The engine's command line is used (`docker`, else `podman`): it knows where
//! its socket is. The path of the scratch folder is the same inside, so that
//! reports name files as they are outside.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::adapters::process::Limits;
use crate::adapters::secret_env::is_secret;
use crate::error::Problem;

/// Variables that the engine's command line may need.
const ENGINE: &[&str] = &[
    "PATH",
    "HOME",
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_CONFIG",
    "CONTAINER_HOST",
    "CONTAINERS_CONF",
    "CONTAINERS_STORAGE_CONF",
    "XDG_RUNTIME_DIR",
];

/// Runs in the container before the program: no core dumps, no endless files (in
/// blocks of 512 bytes, POSIX `ulimit`).
const BOUNDS: &str = "ulimit -c 0; ulimit -f \"$1\"; shift; exec \"$@\"";

/// An engine and an image.
#[derive(Clone, Debug)]
pub struct Container {
    engine: String,
    image: String,
    /// The repository's objects, from which checkouts borrow.
    objects: Option<PathBuf>,
}

/// The directories of this machine that a container mounts.
#[derive(Clone, Copy, Debug)]
pub struct Mounts<'a> {
    /// The working directory.
    pub folder: &'a Path,
    /// Writable directories.
    pub shared: &'a [&'a Path],
}

/// A command that is run in a container.
#[derive(Clone, Debug, PartialEq)]
pub struct Wrapped {
    /// The engine's command.
    pub argv: Vec<String>,
    /// Its environment, which is not that of the container.
    pub env: Vec<(String, String)>,
    /// What ends the container, whatever became of the command.
    pub after: Vec<String>,
}

impl Container {
    /// Finds an engine that answers, and the image, which is fetched where it is missing.
    ///
    /// # Errors
    /// Where there is no engine, or no such image.
    pub fn find(image: &str, objects: Option<PathBuf>) -> Result<Self, Problem> {
        let answers = |engine: &&str| {
            let mut asked = Command::new(*engine);
            asked.arg("ps").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            asked.status().is_ok_and(|s| s.success())
        };
        let engine = ["docker", "podman"].into_iter().find(answers).ok_or_else(|| {
            Problem::failed(format!("tests are to run in the image `{image}`, and no container engine answers"))
                .hint("`docker ps` must work; without `run.image` tests run on this machine itself")
        })?;
        if image.starts_with('-') {
            return Err(Problem::usage(format!("`run.image` is `{image}`, which is no image")));
        }
        let ask = |words: &[&str]| Command::new(engine).args(words).stdin(Stdio::null()).output();
        let there = ask(&["image", "inspect", image]).is_ok_and(|o| o.status.success());
        if !there {
            let pulled = ask(&["pull", "--quiet", image]);
            let failed = |why: String| Problem::failed(format!("the image `{image}` cannot be fetched")).because(why);
            let pulled = pulled.map_err(|e| failed(e.to_string()))?;
            if !pulled.status.success() {
                return Err(failed(String::from_utf8_lossy(&pulled.stderr).trim().to_owned()));
            }
        }
        Ok(Self { engine: engine.to_owned(), image: image.to_owned(), objects })
    }

    /// `argv` in a container that is called `name` and sees `room`.
    #[must_use]
    pub fn wrap(
        &self,
        name: &str,
        argv: &[String],
        room: &Mounts<'_>,
        env: &[(String, String)],
        (bounds, network): (&Limits, bool),
    ) -> Wrapped {
        let shown = |path: &Path| path.display().to_string();
        let bind = |path: &Path, more: &str| format!("--mount=type=bind,src={0},dst={0}{more}", shown(path));
        let mut out: Vec<String> =
            vec![self.engine.clone(), "run".to_owned(), "--rm".to_owned(), format!("--name={name}")];
        if !network {
            out.push("--network=none".to_owned());
        }
        let fixed = ["--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges"];
        out.extend(fixed.map(str::to_owned));
        out.push(format!("--user={}:{}", rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw()));
        out.push(format!("--pids-limit={}", bounds.processes));
        if bounds.memory > 0 {
            out.push(format!("--memory={}", bounds.memory));
        }
        out.extend(room.shared.iter().map(|path| bind(path, "")));
        out.extend(self.objects.as_deref().map(|objects| bind(objects, ",readonly")));
        out.push(format!("--workdir={}", shown(room.folder)));
        // By name only: values would stand in the list of processes.
        let mut own: Vec<(String, String)> = std::env::vars_os()
            .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
            .filter(|(k, v)| ENGINE.contains(&k.as_str()) && !is_secret(k, v))
            .collect();
        for (key, value) in env.iter().filter(|(key, _)| key != "PATH") {
            if ENGINE.contains(&key.as_str()) {
                out.push(format!("--env={key}={value}"));
            } else {
                out.push(format!("--env={key}"));
                own.push((key.clone(), value.clone()));
            }
        }
        out.extend([self.image.clone(), "sh".to_owned(), "-c".to_owned(), BOUNDS.to_owned(), "sh".to_owned()]);
        out.push((bounds.file / 512).to_string());
        out.extend(argv.iter().cloned());
        let after = vec![self.engine.clone(), "rm".to_owned(), "--force".to_owned(), name.to_owned()];
        Wrapped { argv: out, env: own, after }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_without_rights() {
        let engine =
            Container { engine: "docker".into(), image: "python:3.12".into(), objects: Some("/r/objects".into()) };
        let env =
            [("HOME", "/s/home"), ("PATH", "/bin"), ("DEBUG", "secret-ish")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        let argv = ["python3", "-m", "pytest"].map(str::to_owned);
        let wrap = |network| {
            engine.wrap(
                "testmedic-1",
                &argv,
                &Mounts { folder: Path::new("/s/tree/sub"), shared: &[Path::new("/s/tree"), Path::new("/s/home")] },
                &env,
                (&Limits::default(), network),
            )
        };
        let all = wrap(false).argv.join(" ");
        for part in [
            "--network=none",
            "--read-only",
            "--cap-drop=ALL",
            "--security-opt=no-new-privileges",
            "--mount=type=bind,src=/s/tree,dst=/s/tree ",
            "--mount=type=bind,src=/s/home,dst=/s/home ",
            "src=/r/objects,dst=/r/objects,readonly",
            "--env=HOME=/s/home",
            "--env=DEBUG ",
            "--workdir=/s/tree/sub",
            "python:3.12 sh -c",
            "2097152 python3 -m pytest",
        ] {
            assert!(all.contains(part), "{part} in {all}");
        }
        assert!(!all.contains("secret-ish") && !all.contains("--env=PATH"));
        assert!(wrap(false).env.contains(&("DEBUG".to_owned(), "secret-ish".to_owned())));
        assert!(!wrap(true).argv.join(" ").contains("--network"));
        assert_eq!(wrap(false).after.join(" "), "docker rm --force testmedic-1");
    }
}
