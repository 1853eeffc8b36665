//! Runs tests at given commits, in checkouts outside of the repository. The repository never changes.
//!
//! Untrusted code uses its checkout, directories for build outputs and results, a home directory, and a
//! directory that is shared with testmedic. In a container only these are mounted. The git directories
//! and the clean copies of the commits are separate.

mod checkout;
mod outputs;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tempfile::TempDir;

pub use self::checkout::Checkout;
pub use self::outputs::Outputs;

use self::checkout::dependencies;
use crate::adapters::container::{Container, Mounts};
use crate::adapters::directory::Directory;
use crate::adapters::git::private_dir::objects;
use crate::adapters::process::{self, Limits, ProcessOutput, Task};
use crate::adapters::runner::{self, Ready, Results, Runner, Site};
use crate::error::Problem;
use crate::model::execution::{Execution, Scope, TestSelector};
use crate::plan::policy::RunPolicy;
use crate::ports::{Revision, TestRunner};

/// Bytes of output kept for people.
const SHOWN: usize = 4000;
/// Size limit of a lock file in bytes.
const LOCK: u64 = 64 << 20;
/// Size limit in bytes of a file that a test framework updates.
const SNAPSHOT: u64 = 8 << 20;

/// Checkouts of several commits and the means to run tests in them.
#[derive(Debug)]
pub struct Sandbox {
    /// This program, for the supervisor.
    program: PathBuf,
    /// The scratch directory; removed on drop.
    scratch: TempDir,
    /// The scratch directory, open.
    scratch_dir: Arc<Directory>,
    repository: PathBuf,
    policy: RunPolicy,
    env: Vec<(String, String)>,
    container: Option<Container>,
    checkouts: HashMap<String, Checkout>,
    /// Commits whose dependencies are installed, by the hash of their lock files.
    prepared: HashMap<String, Prepared>,
    /// The directory that tests and testmedic both use.
    shared: Directory,
    home: PathBuf,
    runs: usize,
    executions: usize,
    /// Seconds spent on checkouts and preparation.
    pub setup_seconds: f64,
}

/// A commit whose dependencies are installed.
#[derive(Debug)]
struct Prepared {
    commit: String,
    links: Vec<(String, PathBuf)>,
}

impl Sandbox {
    /// Opens one for the repository at `repository`.
    ///
    /// # Errors
    /// Where there is no room for it.
    pub fn open(repository: &Path, policy: &RunPolicy) -> Result<Self, Problem> {
        let failed = |e: std::io::Error| Problem::failed("there is no room to run tests in").because(e);
        let scratch = tempfile::Builder::new().prefix("testmedic-").tempdir().map_err(failed)?;
        let (home, shared) = (scratch.path().join("home"), scratch.path().join("shared"));
        std::fs::create_dir_all(home.join("tmp")).map_err(failed)?;
        std::fs::create_dir(&shared).map_err(failed)?;
        let env = runner::variables(&home, &policy.env, policy.image.is_empty());
        let repository = repository.canonicalize().map_err(failed)?;
        let container = match policy.image.as_str() {
            "" => None,
            image => Some(Container::find(image, objects(&repository).ok())?),
        };
        Ok(Self {
            program: std::env::current_exe().map_err(failed)?,
            repository,
            container,
            scratch_dir: Arc::new(Directory::open(scratch.path()).map_err(failed)?),
            scratch,
            policy: policy.clone(),
            env,
            checkouts: HashMap::new(),
            prepared: HashMap::new(),
            shared: Directory::open(&shared).map_err(failed)?,
            home,
            runs: 0,
            executions: 0,
            setup_seconds: 0.0,
        })
    }

    /// The checkout of a commit, made when it is first asked for.
    ///
    /// # Errors
    /// Where the commit is not there.
    pub fn checkout(&mut self, commit: &str, runner: Runner) -> Result<&mut Checkout, Problem> {
        if !self.checkouts.contains_key(commit) {
            let begun = std::time::Instant::now();
            self.check_scratch_dir()?;
            let mut tree = Checkout::at_commit(&self.repository, &self.scratch_dir, self.checkouts.len(), commit)?;
            tree.unprepared = self.prepare(&mut tree, commit, runner);
            self.checkouts.insert(commit.to_owned(), tree);
            self.setup_seconds += begun.elapsed().as_secs_f64();
        }
        self.checkouts.get_mut(commit).ok_or_else(|| Problem::failed("the checkout is gone"))
    }

    /// Puts dependencies into a checkout: copies of what is installed in the
    /// repository, or what the set-up command installs, once for each state of
    /// the lock files.
    fn prepare(&mut self, tree: &mut Checkout, commit: &str, runner: Runner) -> Option<String> {
        let here = match Directory::open(&self.repository) {
            Ok(here) => here,
            Err(error) => return Some(format!("the repository cannot be opened: {error}")),
        };
        let locks = locks_of(tree.working_copy(), runner);
        let same_as_here = locks == locks_of(&here, runner);
        if let Some(done) = self.prepared.get(&locks) {
            // Untrusted code may have added links there; only ours are made again.
            done.links.iter().for_each(|(path, real)| tree.link(path, real));
            return self
                .checkouts
                .get(&done.commit)
                .and_then(|other| tree.copy_dependencies(other.working_copy()).err());
        }
        self.prepared.insert(locks.clone(), Prepared { commit: commit.to_owned(), links: Vec::new() });
        // What is installed on this machine is none of a container's.
        if self.container.is_some() {
            return if self.policy.setup.is_empty() { None } else { self.set_up(tree) };
        }
        let has_installed = !dependencies(&here).is_empty();
        if same_as_here || self.policy.setup.is_empty() {
            tree.link_dependencies(&here);
            let copied = tree.copy_dependencies(&here).err();
            self.prepared.insert(locks, Prepared { commit: commit.to_owned(), links: tree.links().to_vec() });
            if copied.is_some() || has_installed || self.policy.setup.is_empty() {
                let differs = !same_as_here && has_installed;
                return copied.or_else(|| {
                    differs
                        .then(|| "its lock files differ from those of the dependencies that are installed".to_owned())
                });
            }
        }
        self.set_up(tree)
    }

    /// Runs the set-up command; the reason where it fails.
    fn set_up(&mut self, tree: &mut Checkout) -> Option<String> {
        let argv = ["sh", "-c", self.policy.setup.as_str()].map(str::to_owned).to_vec();
        // Dependencies come from somewhere, also where tests are kept from the network.
        let network = self.container.is_some() || self.policy.network();
        let ended = self.execute(argv, (&tree.root, &tree.root), &[&tree.build], &[], network);
        tree.record_set_up();
        match ended {
            Ok(ended) if ended.end == process::Termination::Exited(0) => None,
            Ok(ended) => Some(format!("its set-up command failed: {}", tail(&ended.output(), 500))),
            Err(problem) => Some(problem.headline),
        }
    }

    /// Runs a command in the directory `folder` of the checkout at `root`. A container mounts `more` too.
    fn execute(
        &mut self,
        argv: Vec<String>,
        (folder, root): (&Path, &Path),
        more: &[&Path],
        extra: &[(String, String)],
        network: bool,
    ) -> Result<ProcessOutput, Problem> {
        let mut env = self.env.clone();
        for (name, value) in extra {
            env.retain(|(n, _)| n != name);
            env.push((name.clone(), value.clone()));
        }
        let bounds = Limits {
            seconds: self.policy.timeout_seconds,
            memory: u64::from(self.policy.memory_mb) << 20,
            file: u64::from(self.policy.file_mb) << 20,
            disk: u64::from(self.policy.disk_mb) << 20,
            ..Limits::default()
        };
        self.executions += 1;
        let place = self.scratch.path();
        let (argv, env, after) = match &self.container {
            Some(container) => {
                let own = place.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
                let name = format!("{}-{}", own.trim_start_matches('.'), self.executions);
                let shared = [root, self.home.as_path(), self.shared.path()];
                let room = Mounts { folder, shared: &[&shared, more].concat() };
                let wrapped = container.wrap(&name, &argv, &room, &env, (&bounds, network));
                (wrapped.argv, wrapped.env, wrapped.after)
            }
            None if network => (argv, env, Vec::new()),
            None => (without_network(argv), env, Vec::new()),
        };
        let task = Task { argv, folder: folder.to_owned(), env, bounds, scratch: Some(place.to_owned()), after };
        process::run(&self.program, &task)
    }

    /// Runs a test, or all of its file, in a checkout in which nothing ran before and in which
    /// `overlay` (path and text) stands in the place of the commit's own files.
    ///
    /// # Errors
    /// Where the overlay cannot be written, or the runner lacks something.
    pub fn run(
        &mut self,
        commit: &str,
        runner: Runner,
        target: &TestSelector,
        extent: Scope,
        overlay: &[(String, String)],
    ) -> Result<Execution, Problem> {
        self.checkout(commit, runner)?.renew_with(overlay)?;
        self.execute_in_checkout(commit, &|site, policy| command(policy, runner, target, extent, site))
    }

    /// Runs all tests of some files, which `overlay` brings along. `adjust` has the last
    /// word on each command.
    ///
    /// # Errors
    /// See [`Sandbox::run`].
    pub fn run_files(
        &mut self,
        commit: &str,
        runner: Runner,
        paths: &[String],
        overlay: &[(String, String)],
        adjust: &dyn Fn(&mut Ready),
    ) -> Result<Execution, Problem> {
        let together = runner.takes_many() && self.policy.command.is_empty();
        let groups: Vec<&[String]> = if together { vec![paths] } else { paths.chunks(1).collect() };
        let mut whole: Option<Execution> = None;
        for group in groups {
            let target = TestSelector { file: group[0].clone(), ..TestSelector::default() };
            let tree = self.checkout(commit, runner)?;
            tree.renew_with(overlay)?;
            let root = tree.root.clone();
            let mut files = tree.files.clone();
            files.extend(overlay.iter().map(|(path, _)| path.clone()));
            let done = self.execute_in_checkout(commit, &|site, policy| {
                let site = Site { files: &files, ..*site };
                let mut ready = command(policy, runner, &target, Scope::File, &site)?;
                runner::add_files(&mut ready, runner, &root, &group[1..]);
                adjust(&mut ready);
                Ok(ready)
            })?;
            match &mut whole {
                Some(all) => {
                    all.ran.extend(done.ran);
                    all.seconds += done.seconds;
                    all.trouble = all.trouble.take().or(done.trouble);
                    all.output.push_str(&done.output);
                }
                None => whole = Some(done),
            }
        }
        whole.ok_or_else(|| Problem::failed("there is no file to run"))
    }

    /// Returns the directory that tests and testmedic both use.
    #[must_use]
    pub fn shared(&self) -> &Directory {
        &self.shared
    }

    /// Runs a test with the switch that brings its snapshots up to date; gives the
    /// texts of the files that came out different.
    ///
    /// # Errors
    /// Where the overlay cannot be written, or the runner lacks something.
    pub fn update(
        &mut self,
        commit: &str,
        runner: Runner,
        target: &TestSelector,
        overlay: &[(String, String)],
    ) -> Result<Vec<(String, String)>, Problem> {
        let switch = runner::snapshot_switch(runner).filter(|_| self.policy.command.is_empty());
        let Some(switch) = switch else { return Ok(Vec::new()) };
        let tree = self.checkout(commit, runner)?;
        tree.renew_with(overlay)?;
        let before = tree.stamps();
        self.execute_in_checkout(commit, &|site, policy| {
            let mut ready = command(policy, runner, target, Scope::Alone, site)?;
            switch.add_to(&mut ready);
            Ok(ready)
        })?;
        let mut found = self.checkout(commit, runner)?.changed(&before);
        found.retain(|(path, text)| !overlay.contains(&(path.clone(), text.clone())));
        Ok(found)
    }

    /// Runs the command that `make` returns in the working copy of a commit, and reads its results.
    fn execute_in_checkout(
        &mut self,
        commit: &str,
        make: &dyn Fn(&Site<'_>, &RunPolicy) -> Result<Ready, Problem>,
    ) -> Result<Execution, Problem> {
        self.runs += 1;
        let name = format!("run-{}", self.runs);
        self.check_scratch_dir()?;
        let out = self.scratch_dir.create(&name).map_err(no_room)?;
        // The checkout is put back after the execution; nothing else may use it until then.
        let tree = self.checkouts.remove(commit).ok_or_else(|| Problem::failed("the checkout is gone"))?;
        let done = self.execute_tests(&tree, &out, make);
        self.checkouts.insert(commit.to_owned(), tree);
        self.scratch_dir.remove_all(&name);
        done
    }

    /// Fails if a test moved the scratch directory away.
    fn check_scratch_dir(&self) -> Result<(), Problem> {
        if self.scratch_dir.is_in_place() {
            Ok(())
        } else {
            Err(Problem::failed("the folder in which tests run was moved away"))
        }
    }

    fn execute_tests(
        &mut self,
        tree: &Checkout,
        out: &Directory,
        make: &dyn Fn(&Site<'_>, &RunPolicy) -> Result<Ready, Problem>,
    ) -> Result<Execution, Problem> {
        let contained = self.container.is_some();
        let home = runner::real_home().filter(|_| !contained);
        let network = self.policy.network();
        let site = Site {
            root: &tree.root,
            out: out.path(),
            build: &tree.build,
            files: &tree.files,
            real_home: home.as_deref(),
            network,
            contained,
        };
        let ready = make(&site, &self.policy)?;
        let outputs = Outputs::new(vec![out, tree.working_copy()]);
        // Results of an earlier execution must not be taken for those of this one.
        if let Results::Junit(patterns) = &ready.results {
            for pattern in patterns {
                outputs.clear(&ready.folder, pattern);
            }
        }
        let more = [tree.build.as_path(), out.path()];
        let ended = self.execute(ready.argv.clone(), (&ready.folder, &tree.root), &more, &ready.env, network)?;
        let ran = runner::read_results(&ready.results, &outputs, &ready.folder, &ended.stdout);
        let bounds = Limits { seconds: self.policy.timeout_seconds, ..Limits::default() };
        let nothing = ran.iter().all(|r| r.outcome == crate::model::test::Outcome::Skipped);
        let trouble = ended.end.trouble(&bounds).or_else(|| nothing.then(|| "no test was run".to_owned()));
        // Where the command fails and no test does, something else is wrong.
        let trouble = trouble.or_else(|| {
            let odd = ended.end != process::Termination::Exited(0) && !ran.iter().any(|r| r.outcome.is_bad());
            odd.then(|| "the command failed although no test did".to_owned())
        });
        Ok(Execution { ran, trouble, seconds: ended.seconds, output: tail(&ended.output(), SHOWN) })
    }
}

/// The command that runs a test in a checkout.
fn command(
    policy: &RunPolicy,
    runner: Runner,
    target: &TestSelector,
    extent: Scope,
    site: &Site<'_>,
) -> Result<Ready, Problem> {
    if policy.command.is_empty() {
        runner::command(runner, target, extent, site).map_err(Problem::failed)
    } else {
        Ok(runner::from_template(&policy.command, Some(runner), target, extent, site))
    }
}

fn no_room(error: std::io::Error) -> Problem {
    Problem::failed("there is no room to run tests in").because(error)
}

fn tail(text: &str, limit: usize) -> String {
    let mut from = text.len().saturating_sub(limit);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    text[from..].trim().to_owned()
}

/// One hash over the lock files of a checkout.
fn locks_of(root: &Directory, runner: Runner) -> String {
    let mut hash = Sha256::new();
    for name in runner.locks() {
        if let Ok(text) = root.read_hard_linked(name, LOCK) {
            hash.update(name.as_bytes());
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(&text);
        }
    }
    hash.finalize().iter().take(16).fold(String::new(), |t, b| t + &format!("{b:02x}"))
}

/// The command in a network of its own that has nothing but itself. Where the
/// system does not allow that, it fails, and nothing runs.
fn without_network(argv: Vec<String>) -> Vec<String> {
    let mut wrapped: Vec<String> = [
        "unshare",
        "--user",
        "--map-current-user",
        "--keep-caps",
        "--net",
        "--",
        "sh",
        "-c",
        "(command -v ip >/dev/null && ip link set lo up 2>/dev/null); exec \"$@\"",
        "sh",
    ]
    .map(str::to_owned)
    .to_vec();
    wrapped.extend(argv);
    wrapped
}

/// The workshop with its two commits, as the healer asks for it.
pub struct SandboxRunner<'a> {
    workshop: &'a mut Sandbox,
    old: Option<String>,
    new: String,
    runner: &'a dyn Fn(&TestSelector) -> Option<Runner>,
}

impl<'a> SandboxRunner<'a> {
    /// Puts two commits on the bench. `runner` tells the runner of a test.
    pub fn new(
        workshop: &'a mut Sandbox,
        old: Option<String>,
        new: String,
        runner: &'a dyn Fn(&TestSelector) -> Option<Runner>,
    ) -> Self {
        Self { workshop, old, new, runner }
    }

    fn runner_of(&self, target: &TestSelector) -> Result<Runner, Problem> {
        (self.runner)(target).ok_or_else(|| {
            Problem::failed(format!("no test runner is known for {}", target.file))
                .hint("name one with --runner, or a command with --test-command")
        })
    }
}

impl TestRunner for SandboxRunner<'_> {
    fn has_old(&self) -> bool {
        self.old.is_some()
    }

    fn run(
        &mut self,
        code: Revision,
        target: &TestSelector,
        extent: Scope,
        overlay: &[(String, String)],
    ) -> Result<Execution, Problem> {
        let commit = match code {
            Revision::New => self.new.clone(),
            Revision::Base => {
                self.old.clone().ok_or_else(|| Problem::failed("the code before the change is not known"))?
            }
        };
        let runner = self.runner_of(target)?;
        let unprepared = self.workshop.checkout(&commit, runner)?.unprepared.clone();
        let mut execution = self.workshop.run(&commit, runner, target, extent, overlay)?;
        if let (Some(why), Some(trouble)) = (unprepared, &mut execution.trouble) {
            trouble.push_str(&format!(" ({why})"));
        }
        Ok(execution)
    }

    fn update(
        &mut self,
        target: &TestSelector,
        overlay: &[(String, String)],
    ) -> Result<Vec<(String, String)>, Problem> {
        let (commit, runner) = (self.new.clone(), self.runner_of(target)?);
        self.workshop.update(&commit, runner, target, overlay)
    }
}
