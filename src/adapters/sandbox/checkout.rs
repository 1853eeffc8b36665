//! Two copies of the files of a commit: a clean copy that git checks out, in which nothing ever runs,
//! and a working copy for the tests, which is recreated from the clean copy before each execution.
//!
//! Untrusted code can write anything to the working copy. Only directories of dependencies and build
//! outputs are carried over to the next execution, so that nothing is installed or compiled twice; they
//! are moved without being read. testmedic never runs git in the working copy. Its `.git`, which tests
//! may use, is a copy as well.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::adapters::directory::{Directory, EntryKind};
use crate::adapters::git::private_dir::PrivateGitDir;
use crate::error::Problem;

/// Directories of installed dependencies, which are not part of a repository.
const DEPENDENCIES: &[&str] = &["node_modules", ".venv", "venv", "vendor", ".bundle"];
/// Directories that build tools write to.
const BUILDS: &[&str] = &["target", "build", ".gradle", "out", "bin", "obj", "dist"];
/// Directory levels that are searched for dependencies and build outputs.
const DEPTH: usize = 4;
/// Paths of a checkout that are listed at most.
const PATHS: usize = 500_000;
/// Size limit of a git configuration file in bytes.
const CONFIG: u64 = 1 << 20;
/// Paths that a set-up command may create and that are carried over.
const LEFT: usize = 2000;

/// A checkout of a commit in which tests can run.
#[derive(Debug)]
pub struct Checkout {
    /// Path of the working copy.
    pub root: PathBuf,
    /// Paths of the files of the commit.
    pub files: Vec<String>,
    /// The reason why the dependencies could not be installed, if they could not.
    pub unprepared: Option<String>,
    /// A directory for build outputs outside of the checkout.
    pub build: PathBuf,
    own: PrivateGitDir,
    /// The scratch directory. All directories here stay open, because tests can move the paths away.
    scratch: Arc<Directory>,
    /// Name of the working copy in the scratch directory.
    name: String,
    git: Directory,
    clean: Directory,
    /// The working copy, even if another directory now has its path.
    handle: Directory,
    /// Paths that the set-up command created and that are carried over.
    kept: BTreeSet<String>,
    /// Links that we made to dependencies outside of the checkout.
    links: Vec<(String, PathBuf)>,
    /// Paths that an earlier overlay replaced. Build tools compare modification times, so the commit's
    /// file must get a new one when it replaces the overlay.
    overlaid: BTreeSet<String>,
    used: bool,
}

impl Checkout {
    /// Checks out a commit of `repository` into new directories in `scratch` that end in `number`.
    pub(super) fn at_commit(
        repository: &Path,
        scratch: &Arc<Directory>,
        number: usize,
        commit: &str,
    ) -> Result<Self, Problem> {
        let at = |name: &str| format!("{name}-{number}");
        let clean = scratch.create(&at("clean")).map_err(no_room)?;
        let build = scratch.create(&at("build")).map_err(no_room)?.path().to_owned();
        let own = PrivateGitDir::create(repository, &scratch.path().join(at("git")))?;
        let git = scratch.subdirectory(&at("git")).map_err(no_room)?;
        own.check_out(commit, clean.path())?;
        let files = own.files(clean.path())?;
        let (name, scratch) = (at("tree"), Arc::clone(scratch));
        let handle = create_working_copy(&git, &clean, &scratch, &name)?;
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

    /// Recreates the working copy if something ran in it, and writes `overlay` (paths and texts).
    pub(super) fn renew_with(&mut self, overlay: &[(String, String)]) -> Result<(), Problem> {
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

    /// Records the paths that the set-up command created, so that they are carried over.
    pub(super) fn record_set_up(&mut self) {
        self.used = true;
        let clean = self.clean_paths();
        let new = self.handle.walk(PATHS, &|path| clean.contains(path) && path != ".git");
        let new = new.into_iter().filter(|(path, entry)| entry.kind != EntryKind::Other && !clean.contains(path));
        self.kept.extend(new.map(|(path, _)| path).filter(|path| path != ".git").take(LEFT));
    }

    /// Returns whether `path` does not exist and its parent is a directory.
    pub(super) fn can_create(&self, path: &str) -> bool {
        let home =
            path.rsplit_once('/').is_none_or(|(home, _)| self.handle.entry_kind(home) == Some(EntryKind::Folder));
        home && self.handle.entry_kind(path).is_none()
    }

    /// Creates a link to a directory of dependencies in this and all later working copies.
    pub(super) fn link(&mut self, path: &str, real: &Path) {
        if self.can_create(path) && self.handle.symlink(path, real).is_ok() {
            self.links.push((path.to_owned(), real.to_owned()));
        }
    }

    /// Copies the directories of dependencies in `other`, a checkout or the repository. Links are ignored,
    /// because untrusted code may have made them.
    pub(super) fn copy_dependencies(&self, other: &Directory) -> Result<(), String> {
        for (path, kind) in dependencies(other) {
            if kind == EntryKind::Folder && self.can_create(&path) {
                let copied = other.subdirectory(&path).and_then(|from| from.copy_into(&self.handle.create(&path)?));
                copied.map_err(|error| format!("{path} cannot be copied into the checkout: {error}"))?;
            }
        }
        Ok(())
    }

    /// Recreates the repository's links to dependencies with absolute targets. Broken links are skipped.
    pub(super) fn link_dependencies(&mut self, repository: &Directory) {
        for (path, _) in dependencies(repository).into_iter().filter(|(_, kind)| *kind == EntryKind::Other) {
            if let Ok(real) = repository.path().join(&path).canonicalize() {
                self.link(&path, &real);
            }
        }
    }

    /// Returns the links that [`Checkout::link`] made.
    pub(super) fn links(&self) -> &[(String, PathBuf)] {
        &self.links
    }

    /// Returns the files, with their texts, that were changed or created since `before` and that git does
    /// not ignore.
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

    /// Returns the path, size and modification time of each file.
    pub(super) fn stamps(&self) -> Stamps {
        let found = self.handle.walk(PATHS, &|path| !is_output(path) && path != ".git");
        let files = found.into_iter().filter(|(_, entry)| entry.kind == EntryKind::File);
        Stamps(files.map(|(path, entry)| (path, entry.size, entry.written)).collect())
    }

    /// Returns the open working copy.
    pub(super) fn working_copy(&self) -> &Directory {
        &self.handle
    }

    /// Returns which of `paths` the `.gitignore` files of the commit ignore. git reads the clean copy.
    fn ignored(&self, paths: &[&String]) -> BTreeSet<String> {
        if paths.is_empty() {
            return BTreeSet::new();
        }
        let input: String = paths.iter().map(|path| format!("{path}\0")).collect();
        let told = self.own.command(self.clean.path()).args(&["check-ignore", "-z", "--stdin"]).input(input).text();
        told.unwrap_or_default().split('\0').map(str::to_owned).collect()
    }

    /// Returns the paths of all files and directories of the commit.
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

    /// Replaces the working copy with a new one and carries over dependencies and build outputs.
    fn renew(&mut self) -> Result<(), Problem> {
        let worn = format!("{}.worn", self.name);
        self.scratch.remove_all(&worn);
        self.scratch.rename(&self.name, &worn).map_err(no_room)?;
        let handle = create_working_copy(&self.git, &self.clean, &self.scratch, &self.name)?;
        let old = std::mem::replace(&mut self.handle, handle);
        let clean = self.clean_paths();
        let found = old.walk(PATHS, &|path| !is_output(path) && path != ".git" && path.matches('/').count() < DEPTH);
        let outputs = found.into_iter().filter(|(path, entry)| entry.kind == EntryKind::Folder && is_output(path));
        let kept: Vec<String> = outputs.map(|(path, _)| path).chain(self.kept.iter().cloned()).collect();
        for path in kept.iter().filter(|path| !clean.contains(*path)) {
            // A path that cannot be moved is installed or built again.
            let _ = self.handle.move_from(&old, path);
        }
        for (path, real) in &self.links {
            let _ = self.handle.symlink(path, real);
        }
        drop(old);
        self.scratch.remove_all(&worn);
        Ok(())
    }
}

/// Path, size and modification time of each file.
pub(super) struct Stamps(BTreeSet<(String, i64, i128)>);

/// Returns whether a path is a directory of dependencies, by its name.
pub(super) fn is_dependency(path: &str) -> bool {
    DEPENDENCIES.contains(&path.rsplit('/').next().unwrap_or(path))
}

/// Returns whether a path is a directory of dependencies or build outputs, by its name.
fn is_output(path: &str) -> bool {
    is_dependency(path) || BUILDS.contains(&path.rsplit('/').next().unwrap_or(path))
}

/// Creates a working copy called `name` from the clean copy and the git directory.
fn create_working_copy(
    git: &Directory,
    clean: &Directory,
    scratch: &Directory,
    name: &str,
) -> Result<Directory, Problem> {
    let attempt = || -> std::io::Result<Directory> {
        let root = scratch.create(name)?;
        clean.copy_into(&root)?;
        git.copy_into(&root.create(".git")?)?;
        // The copy has a work tree, unlike the git directory that made it.
        let config = String::from_utf8_lossy(&git.read("config", CONFIG)?).replace("bare = true", "bare = false");
        root.write(".git/config", config.as_bytes())?;
        Ok(root)
    };
    attempt().map_err(no_room)
}

/// Returns the directories of dependencies, and the links in their place, below a directory.
pub(super) fn dependencies(folder: &Directory) -> Vec<(String, EntryKind)> {
    let is_hidden = |path: &str| path.rsplit('/').next().is_some_and(|name| name.starts_with('.'));
    let into = |path: &str| !is_output(path) && !is_hidden(path) && path.matches('/').count() < DEPTH;
    let found = folder.walk(PATHS, &into).into_iter().map(|(path, entry)| (path, entry.kind));
    found.filter(|(path, kind)| *kind != EntryKind::File && is_dependency(path)).collect()
}

fn no_room(error: std::io::Error) -> Problem {
    Problem::failed("there is no room to run tests in").because(error)
}

fn no_place(error: std::io::Error) -> Problem {
    Problem::failed("a test file cannot be put into the checkout").because(error)
}
