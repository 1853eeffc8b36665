//! A commit's files in two copies: one that git made and nobody runs anything in, and one in which
//! tests run, which is made anew from the first before each execution.
//!
//! Foreign code writes to the second copy as it likes. Of what it leaves there only folders of
//! dependencies and of build outputs go on to the next execution, so that nothing is installed or
//! compiled twice; they are moved and not looked into. No git ever works in the second copy: its
//! `.git`, which tests may read, is a copy too.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use crate::adapters::beneath::{Folder, Kind};
use crate::adapters::git::own::OwnFolder;
use crate::error::Problem;

/// Folders of installed dependencies, which no repository holds.
pub(super) const DEPENDENCIES: &[&str] = &["node_modules", ".venv", "venv", "vendor", ".bundle"];
/// Folders into which builds write.
const BUILDS: &[&str] = &["target", "build", ".gradle", "out", "bin", "obj", "dist"];
/// How deep folders of dependencies and builds are looked for.
pub(super) const DEPTH: usize = 4;
/// Paths of a checkout that are looked at.
const PATHS: usize = 500_000;
/// Bytes of git's configuration.
const CONFIG: u64 = 1 << 20;
/// What a set-up command may leave that is no folder of dependencies.
const LEFT: usize = 2000;

/// A commit, ready to run tests in.
#[derive(Debug)]
pub struct Checkout {
    /// Where tests run.
    pub root: PathBuf,
    /// Files of the commit.
    pub files: Vec<String>,
    /// Whether what it needs could be installed; the reason where not.
    pub unprepared: Option<String>,
    /// A folder for build outputs outside of the checkout.
    pub build: PathBuf,
    own: OwnFolder,
    /// The folder in which all of this lies, held open like all folders here: names can be moved away.
    scratch: Arc<Folder>,
    /// Name of the checkout in it.
    name: String,
    git: Folder,
    clean: Folder,
    /// The checkout as it was made, whatever stands at its path by now.
    handle: Folder,
    /// Paths besides those of the commit that go on to the next execution.
    kept: BTreeSet<String>,
    /// Links of ours to dependencies that are installed elsewhere.
    links: Vec<(String, PathBuf)>,
    /// Paths at which texts of ours stood: builds compare times, and the commit's own text that
    /// takes the place of a later one must not look older.
    overlaid: BTreeSet<String>,
    used: bool,
}

impl Checkout {
    /// Checks a commit of `repository` out beneath `scratch`, as number `number`.
    pub(super) fn at_commit(
        repository: &Path,
        scratch: &Arc<Folder>,
        number: usize,
        commit: &str,
    ) -> Result<Self, Problem> {
        let at = |name: &str| format!("{name}-{number}");
        let clean = scratch.create(&at("clean")).map_err(no_room)?;
        let build = scratch.create(&at("build")).map_err(no_room)?.path().to_owned();
        let own = OwnFolder::create(repository, &scratch.path().join(at("git")))?;
        let git = scratch.folder(&at("git")).map_err(no_room)?;
        own.check_out(commit, clean.path())?;
        let files = own.files(clean.path())?;
        let (name, scratch) = (at("tree"), Arc::clone(scratch));
        let handle = lay(&git, &clean, &scratch, &name)?;
        Ok(Self {
            root: handle.path().to_owned(),
            files,
            unprepared: None,
            build,
            own,
            scratch,
            name,
            git,
            clean,
            handle,
            kept: BTreeSet::new(),
            links: Vec::new(),
            overlaid: BTreeSet::new(),
            used: false,
        })
    }

    /// Puts `overlay` (path and text) into a checkout in which nothing has run yet.
    pub(super) fn fresh(&mut self, overlay: &[(String, String)]) -> Result<(), Problem> {
        if self.used {
            self.renew()?;
        }
        self.used = true;
        let kept = self.overlaid.iter().filter(|path| !overlay.iter().any(|(other, _)| other == *path));
        for path in kept {
            if let Ok(bytes) = self.clean.read(path, super::SNAPSHOT) {
                self.handle.write(path, &bytes).map_err(no_place)?;
            }
        }
        for (path, text) in overlay {
            self.handle.write(path, text.as_bytes()).map_err(no_place)?;
            self.overlaid.insert(path.clone());
        }
        Ok(())
    }

    /// Remembers what a set-up command left, for the executions to come.
    pub(super) fn keep_set_up(&mut self) {
        self.used = true;
        let clean = self.clean_paths();
        let new = self.handle.walk(PATHS, &|path| clean.contains(path) && path != ".git");
        let new = new.into_iter().filter(|(path, entry)| entry.kind != Kind::Other && !clean.contains(path));
        self.kept.extend(new.map(|(path, _)| path).filter(|path| path != ".git").take(LEFT));
    }

    /// Whether nothing stands at a path, in a folder that is one and no link.
    pub(super) fn lacks(&self, path: &str) -> bool {
        let home = path.rsplit_once('/').is_none_or(|(home, _)| self.handle.kind(home) == Some(Kind::Folder));
        home && self.handle.kind(path).is_none()
    }

    /// Makes a link to a folder of dependencies, here and in the checkouts to come.
    pub(super) fn link(&mut self, path: &str, real: &Path) {
        if self.lacks(path) && self.handle.symlink(path, real).is_ok() {
            self.links.push((path.to_owned(), real.to_owned()));
        }
    }

    /// Copies the folders of dependencies of another checkout, in which foreign code ran: folders
    /// alone, never links, and never by name.
    pub(super) fn copy_dependencies(&self, other: &Self) -> Result<(), String> {
        let found =
            other.handle.walk(PATHS, &|path| !is_output(path) && path != ".git" && path.matches('/').count() < DEPTH);
        let is_one = |path: &str| DEPENDENCIES.contains(&path.rsplit('/').next().unwrap_or(path));
        for (path, entry) in found {
            if entry.kind == Kind::Folder && is_one(&path) && self.lacks(&path) {
                let copied = other.handle.folder(&path).and_then(|from| from.copy_into(&self.handle.create(&path)?));
                copied.map_err(|error| format!("{path} cannot be copied into the checkout: {error}"))?;
            }
        }
        Ok(())
    }

    /// The links that were made.
    pub(super) fn links(&self) -> &[(String, PathBuf)] {
        &self.links
    }

    /// Files that an execution changed or made, with their texts, but those that git ignores.
    pub(super) fn changed(&self, before: &Stamps) -> Vec<(String, String)> {
        let mut paths: Vec<String> =
            self.stamps().0.into_iter().filter(|now| !before.0.contains(now)).map(|(p, ..)| p).collect();
        let known: BTreeSet<&String> = before.0.iter().map(|(path, ..)| path).collect();
        let new: Vec<&String> = paths.iter().filter(|path| !known.contains(path)).collect();
        let ignored = self.ignored(&new);
        paths.retain(|path| !ignored.contains(path));
        let text = |path: &String| String::from_utf8(self.handle.read(path, super::SNAPSHOT).ok()?).ok();
        paths.into_iter().filter_map(|path| text(&path).map(|text| (path, text))).collect()
    }

    /// What tells whether files are written to.
    pub(super) fn stamps(&self) -> Stamps {
        let found = self.handle.walk(PATHS, &|path| !is_output(path) && path != ".git");
        let files = found.into_iter().filter(|(_, entry)| entry.kind == Kind::File);
        Stamps(files.map(|(path, entry)| (path, entry.size, entry.written)).collect())
    }

    /// The checkout as it was made.
    pub(super) fn handle(&self) -> &Folder {
        &self.handle
    }

    /// Which of some paths the commit's own rules ignore. Asked over the copy that nobody ran
    /// anything in.
    fn ignored(&self, paths: &[&String]) -> BTreeSet<String> {
        if paths.is_empty() {
            return BTreeSet::new();
        }
        let input: String = paths.iter().map(|path| format!("{path}\0")).collect();
        let told = self.own.call(self.clean.path()).words(&["check-ignore", "-z", "--stdin"]).text_of(input.as_bytes());
        told.unwrap_or_default().split('\0').map(str::to_owned).collect()
    }

    /// Files and folders of the commit.
    fn clean_paths(&self) -> BTreeSet<String> {
        let mut paths: BTreeSet<String> = BTreeSet::new();
        for file in &self.files {
            let mut at = file.as_str();
            while paths.insert(at.to_owned()) {
                let Some((parent, _)) = at.rsplit_once('/') else { break };
                at = parent;
            }
        }
        paths
    }

    /// A checkout in which nothing ran, in the place of the present one.
    fn renew(&mut self) -> Result<(), Problem> {
        let worn = format!("{}.worn", self.name);
        self.scratch.remove_all(&worn);
        self.scratch.rename(&self.name, &worn).map_err(no_room)?;
        let handle = lay(&self.git, &self.clean, &self.scratch, &self.name)?;
        let old = std::mem::replace(&mut self.handle, handle);
        let clean = self.clean_paths();
        let found = old.walk(PATHS, &|path| !is_output(path) && path != ".git" && path.matches('/').count() < DEPTH);
        let outputs = found.into_iter().filter(|(path, entry)| entry.kind == Kind::Folder && is_output(path));
        let kept: Vec<String> = outputs.map(|(path, _)| path).chain(self.kept.iter().cloned()).collect();
        for path in kept.iter().filter(|path| !clean.contains(*path)) {
            // What cannot be moved is made again.
            let _ = self.handle.take_over(&old, path);
        }
        for (path, real) in &self.links {
            let _ = self.handle.symlink(path, real);
        }
        drop(old);
        self.scratch.remove_all(&worn);
        Ok(())
    }
}

/// Path, size and time of each file.
pub(super) struct Stamps(BTreeSet<(String, i64, i128)>);

/// Whether a folder holds dependencies or build outputs.
fn is_output(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    DEPENDENCIES.contains(&name) || BUILDS.contains(&name)
}

/// Copies a commit's files and git folder to a new folder of this name.
fn lay(git: &Folder, clean: &Folder, scratch: &Folder, name: &str) -> Result<Folder, Problem> {
    let attempt = || -> std::io::Result<Folder> {
        let root = scratch.create(name)?;
        clean.copy_into(&root)?;
        git.copy_into(&root.create(".git")?)?;
        // With files beside it, as git has it for people.
        let config = String::from_utf8_lossy(&git.read("config", CONFIG)?).replace("bare = true", "bare = false");
        root.write(".git/config", config.as_bytes())?;
        Ok(root)
    };
    attempt().map_err(no_room)
}

/// `cp -a`, of what nobody but the user wrote.
pub(super) fn copy(from: &Path, to: &Path) -> Result<(), String> {
    let mut command = Command::new("cp");
    let done = command.args(["-a", "--reflink=auto", "--"]).arg(from).arg(to).stdin(Stdio::null()).output();
    match done {
        Ok(done) if done.status.success() => Ok(()),
        Ok(done) => Err(String::from_utf8_lossy(&done.stderr).trim().to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn no_room(error: std::io::Error) -> Problem {
    Problem::failed("there is no room to run tests in").because(error)
}

fn no_place(error: std::io::Error) -> Problem {
    Problem::failed("a test file cannot be put into the checkout").because(error)
}
