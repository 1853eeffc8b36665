//! A private git directory that borrows the objects of a repository.
//!
//! The repository itself is never modified; `git worktree` would leave entries in it after `kill -9`.
//! The repository's configuration is not read either, so it cannot name programs that a checkout runs.

use std::path::{Path, PathBuf};

use super::command::GitCommand;
use crate::error::Problem;

/// A private git directory.
#[derive(Debug)]
pub struct PrivateGitDir {
    path: PathBuf,
}

impl PrivateGitDir {
    /// Creates a git directory at `path` that uses the objects of the repository at `repository`.
    ///
    /// # Errors
    /// If there is no repository, `path` already exists, or the disk is full.
    pub fn create(repository: &Path, path: &Path) -> Result<Self, Problem> {
        let failed =
            |what: &str, why: &dyn std::fmt::Display| Problem::failed(what.to_owned()).because(why.to_string());
        let ask = |words: &[&str]| {
            GitCommand::in_repository(repository)
                .args(words)
                .text()
                .map(|text| text.trim_end_matches('\n').to_owned())
                .map_err(|why| failed("the repository cannot be read", &why))
        };
        let objects = objects(repository)?;
        let shallow = ask(&["rev-parse", "--path-format=absolute", "--git-path", "shallow"])?;
        let format = ask(&["rev-parse", "--show-object-format"])?;
        let no_room = |why: std::io::Error| failed("a git folder cannot be made", &why);
        // An existing directory could hold a configuration that an attacker wrote.
        std::fs::create_dir(path).map_err(no_room)?;
        let format = format!("--object-format={format}");
        let words = ["init", "--quiet", "--template=", "--initial-branch=testmedic", "--bare", &format];
        GitCommand::in_repository(path)
            .args(&words)
            .run()
            .map_err(|why| failed("a git folder cannot be made", &why))?;
        let own = Self { path: path.to_owned() };
        std::fs::create_dir_all(path.join("objects/info")).map_err(no_room)?;
        std::fs::write(path.join("objects/info/alternates"), format!("{}\n", objects.display())).map_err(no_room)?;
        if Path::new(&shallow).is_file() {
            std::fs::copy(&shallow, path.join("shallow")).map_err(no_room)?;
        }
        Ok(own)
    }

    /// Returns the path of the git directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns a git call with `files` as the work tree.
    #[must_use]
    pub fn command(&self, files: &Path) -> GitCommand {
        GitCommand::with_private_dir(&self.path, files)
    }

    /// Checks out `commit` into the empty directory `files`.
    ///
    /// # Errors
    /// If the commit does not exist.
    pub fn check_out(&self, commit: &str, files: &Path) -> Result<(), Problem> {
        let words = ["checkout", "--quiet", "--force", "--detach", commit, "--"];
        let done = self.command(files).args(&words).run();
        done.map(|_| ()).map_err(|why| Problem::failed("a commit cannot be checked out").because(why))
    }

    /// Returns the paths of all files of the commit that was checked out.
    ///
    /// # Errors
    /// If git cannot read the index.
    pub fn files(&self, files: &Path) -> Result<Vec<String>, Problem> {
        let listed = self.command(files).args(&["ls-files", "-z"]).text();
        let listed = listed.map_err(|why| Problem::failed("the files of a commit cannot be listed").because(why))?;
        Ok(listed.split('\0').filter(|f| !f.is_empty()).map(str::to_owned).collect())
    }
}

/// Returns the object directory of a repository.
///
/// # Errors
/// If there is no repository.
pub fn objects(repository: &Path) -> Result<PathBuf, Problem> {
    let words = ["rev-parse", "--path-format=absolute", "--git-path", "objects"];
    let told = GitCommand::in_repository(repository).args(&words).text();
    let told = told.map_err(|why| Problem::failed("the repository cannot be read").because(why))?;
    Ok(PathBuf::from(told.trim_end_matches('\n')))
}
