//! A place where tests are run at commits: checkouts beside the repository, which
//! stays as it is, whatever happens.
//!
//! A checkout borrows the repository's objects (`objects/info/alternates`) and
//! has its own index, configuration and references. A worktree of git's own would
//! leave entries in the repository after `kill -9`, and a `git` that a test calls
//! would change the repository.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::error::Problem;
use crate::model::ran::{Execution, Extent, Target};
use crate::plan::policy::RunPolicy;
use crate::ports::{Code, Workbench};
use crate::shell::container::Container;
use crate::shell::files;
use crate::shell::process::{self, Ended, Limits, Task};
use crate::shell::runner::{self, Ready, Results, Runner, Site};

/// Bytes of output kept for people.
const SHOWN: usize = 4000;
/// Folders of installed dependencies, which no repository holds.
const DEPENDENCIES: &[&str] = &["node_modules", ".venv", "venv", "vendor", ".bundle"];
/// Checkouts whose size is looked at for dependencies this deep.
const DEPTH: usize = 4;

/// A checkout.
#[derive(Debug)]
pub struct Tree {
    /// Where it is.
    pub root: PathBuf,
    /// Its files.
    pub files: Vec<String>,
    /// Whether what it needs could be installed; the reason where not.
    pub unprepared: Option<String>,
}

/// The place.
#[derive(Debug)]
pub struct Workshop {
    /// This program, for the supervisor.
    program: PathBuf,
    scratch: TempDir,
    repository: PathBuf,
    policy: RunPolicy,
    env: Vec<(String, String)>,
    container: Option<Container>,
    trees: HashMap<String, Tree>,
    prepared: HashMap<String, PathBuf>,
    runs: usize,
    executions: usize,
    /// Seconds spent on checkouts and preparation.
    pub setup_seconds: f64,
}

impl Workshop {
    /// Opens one for the repository at `repository`.
    ///
    /// # Errors
    /// Where there is no room for it.
    pub fn open(repository: &Path, policy: &RunPolicy) -> Result<Self, Problem> {
        let failed = |e: std::io::Error| Problem::failed("there is no room to run tests in").because(e);
        let scratch = tempfile::Builder::new().prefix("testmedic-").tempdir().map_err(failed)?;
        let home = scratch.path().join("home");
        std::fs::create_dir_all(home.join("tmp")).map_err(failed)?;
        let env = runner::variables(&home, &policy.env, policy.image.is_empty());
        let repository = repository.canonicalize().map_err(failed)?;
        let container = match policy.image.as_str() {
            "" => None,
            image => Some(Container::find(image, Self::objects(&repository).ok())?),
        };
        Ok(Self {
            program: std::env::current_exe().map_err(failed)?,
            repository,
            container,
            scratch,
            policy: policy.clone(),
            env,
            trees: HashMap::new(),
            prepared: HashMap::new(),
            runs: 0,
            executions: 0,
            setup_seconds: 0.0,
        })
    }

    /// The checkout of a commit, made when it is first asked for.
    ///
    /// # Errors
    /// Where the commit is not there.
    pub fn tree(&mut self, commit: &str, runner: Runner) -> Result<&Tree, Problem> {
        if !self.trees.contains_key(commit) {
            let begun = std::time::Instant::now();
            let root = self.scratch.path().join(format!("tree-{}", self.trees.len()));
            self.check_out(commit, &root)?;
            let files = Self::git(&root, &["ls-files", "-z"])?;
            let files = files.split('\0').filter(|f| !f.is_empty()).map(str::to_owned).collect();
            let unprepared = self.prepare(&root, runner);
            self.trees.insert(commit.to_owned(), Tree { root, files, unprepared });
            self.setup_seconds += begun.elapsed().as_secs_f64();
        }
        self.trees.get(commit).ok_or_else(|| Problem::failed("the checkout is gone"))
    }

    fn check_out(&self, commit: &str, root: &Path) -> Result<(), Problem> {
        let failed = |e: std::io::Error| Problem::failed("a commit cannot be checked out").because(e);
        let shown = root.display().to_string();
        Self::git(&self.repository, &["init", "--quiet", "--initial-branch=testmedic", &shown])?;
        let own = root.join(".git");
        let objects = Self::objects(&self.repository)?;
        std::fs::create_dir_all(own.join("objects/info")).map_err(failed)?;
        std::fs::write(own.join("objects/info/alternates"), format!("{}\n", objects.display())).map_err(failed)?;
        let shallow = Self::git(&self.repository, &["rev-parse", "--path-format=absolute", "--git-path", "shallow"])?;
        if Path::new(shallow.trim()).is_file() {
            std::fs::copy(shallow.trim(), own.join("shallow")).map_err(failed)?;
        }
        Self::git(root, &["checkout", "--quiet", "--detach", commit, "--"]).map(|_| ())
    }

    /// Where a repository's objects are.
    fn objects(repository: &Path) -> Result<PathBuf, Problem> {
        let told = Self::git(repository, &["rev-parse", "--path-format=absolute", "--git-path", "objects"])?;
        Ok(PathBuf::from(told.trim_end_matches('\n')))
    }

    /// git, with nothing of the user's configuration, and no filter, hook or
    /// prompt of the repository's.
    fn git(folder: &Path, arguments: &[&str]) -> Result<String, Problem> {
        let problem =
            |why: String| Problem::failed(format!("git {} failed", arguments.first().unwrap_or(&""))).because(why);
        let done = Command::new("git")
            .arg("-C")
            .arg(folder)
            .args(["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "safe.directory=*"])
            .args(["-c", "filter.lfs.smudge=", "-c", "filter.lfs.required=false", "-c", "advice.detachedHead=false"])
            .args(arguments)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("LC_ALL", "C")
            .env_remove("GIT_DIR")
            .env_remove("GIT_WORK_TREE")
            .env_remove("GIT_INDEX_FILE")
            .stdin(Stdio::null())
            .output()
            .map_err(|e| problem(e.to_string()))?;
        if !done.status.success() {
            return Err(problem(String::from_utf8_lossy(&done.stderr).trim().to_owned()));
        }
        Ok(String::from_utf8_lossy(&done.stdout).into_owned())
    }

    /// Puts dependencies into a checkout: copies of what is installed in the
    /// repository, or what the set-up command installs, once for each state of
    /// the lock files.
    fn prepare(&mut self, root: &Path, runner: Runner) -> Option<String> {
        let locks = locks_of(root, runner);
        let same_as_here = locks == locks_of(&self.repository, runner);
        if let Some(done) = self.prepared.get(&locks).cloned() {
            return copy_dependencies(&done, root).err();
        }
        self.prepared.insert(locks, root.to_owned());
        // What is installed on this machine is none of a container's.
        if self.container.is_some() {
            return if self.policy.setup.is_empty() { None } else { self.set_up(root) };
        }
        let installed = dependencies(&self.repository);
        if same_as_here || self.policy.setup.is_empty() {
            let copied = copy_dependencies(&self.repository, root).err();
            if copied.is_some() || !installed.is_empty() || self.policy.setup.is_empty() {
                let differs = !same_as_here && !installed.is_empty();
                return copied.or_else(|| {
                    differs
                        .then(|| "its lock files differ from those of the dependencies that are installed".to_owned())
                });
            }
        }
        self.set_up(root)
    }

    /// Runs the set-up command; the reason where it fails.
    fn set_up(&mut self, root: &Path) -> Option<String> {
        let argv = ["sh", "-c", self.policy.setup.as_str()].map(str::to_owned).to_vec();
        // Dependencies come from somewhere, also where tests are kept from the network.
        let network = self.container.is_some() || self.policy.network();
        let ended = self.execute(argv, root, &[], network);
        match ended {
            Ok(ended) if ended.end == process::End::Exited(0) => None,
            Ok(ended) => Some(format!("its set-up command failed: {}", tail(&ended.output(), 500))),
            Err(problem) => Some(problem.headline),
        }
    }

    fn execute(
        &mut self,
        argv: Vec<String>,
        folder: &Path,
        extra: &[(String, String)],
        network: bool,
    ) -> Result<Ended, Problem> {
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
                let wrapped = container.wrap(&name, &argv, (folder, place), &env, (&bounds, network));
                (wrapped.argv, wrapped.env, wrapped.after)
            }
            None if network => (argv, env, Vec::new()),
            None => (without_network(argv), env, Vec::new()),
        };
        let task = Task { argv, folder: folder.to_owned(), env, bounds, scratch: Some(place.to_owned()), after };
        process::run(&self.program, &task)
    }

    /// Runs a test, or all of its file, in a checkout in which `overlay` (path and
    /// text) stands in the place of what was checked out. Afterwards the checkout
    /// is as it was.
    ///
    /// # Errors
    /// Where the overlay cannot be written, or the runner lacks something.
    pub fn run(
        &mut self,
        commit: &str,
        runner: Runner,
        target: &Target,
        extent: Extent,
        overlay: &[(String, String)],
    ) -> Result<Execution, Problem> {
        let (root, files) = {
            let tree = self.tree(commit, runner)?;
            (tree.root.clone(), tree.files.clone())
        };
        let before = overlaid(&root, overlay)?;
        let result = self.ready(&root, &files, runner, target, extent).and_then(|ready| self.execute_tests(&ready));
        put_back(before);
        let _ = std::fs::remove_dir_all(self.out());
        result
    }

    /// Runs all tests of some files, which `overlay` brings along. `adjust` has the last
    /// word on each command.
    ///
    /// # Errors
    /// See [`Workshop::run`].
    pub fn run_files(
        &mut self,
        commit: &str,
        runner: Runner,
        paths: &[String],
        overlay: &[(String, String)],
        adjust: &dyn Fn(&mut Ready),
    ) -> Result<Execution, Problem> {
        let (root, mut files) = {
            let tree = self.tree(commit, runner)?;
            (tree.root.clone(), tree.files.clone())
        };
        files.extend(overlay.iter().map(|(path, _)| path.clone()));
        let before = overlaid(&root, overlay)?;
        let together = runner.takes_many() && self.policy.command.is_empty();
        let groups: Vec<&[String]> = if together { vec![paths] } else { paths.chunks(1).collect() };
        let mut whole: Option<Execution> = None;
        for group in groups {
            let target = Target { file: group[0].clone(), ..Target::default() };
            let done = self.ready(&root, &files, runner, &target, Extent::File).and_then(|mut ready| {
                runner::add_files(&mut ready, runner, &root, &group[1..]);
                adjust(&mut ready);
                self.execute_tests(&ready)
            });
            let _ = std::fs::remove_dir_all(self.out());
            match (done, &mut whole) {
                (Ok(done), Some(all)) => {
                    all.ran.extend(done.ran);
                    all.seconds += done.seconds;
                    all.trouble = all.trouble.take().or(done.trouble);
                    all.output.push_str(&done.output);
                }
                (Ok(done), all) => *all = Some(done),
                (Err(problem), _) => {
                    put_back(before);
                    return Err(problem);
                }
            }
        }
        put_back(before);
        whole.ok_or_else(|| Problem::failed("there is no file to run"))
    }

    /// A folder that tests see, for as long as this workshop stands.
    #[must_use]
    pub fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// Where the present execution writes its reports.
    fn out(&self) -> PathBuf {
        self.scratch.path().join(format!("run-{}", self.runs))
    }

    /// The command that runs a test in a checkout.
    fn ready(
        &mut self,
        root: &Path,
        files: &[String],
        runner: Runner,
        target: &Target,
        extent: Extent,
    ) -> Result<Ready, Problem> {
        self.runs += 1;
        let out = self.out();
        std::fs::create_dir_all(&out).map_err(no_room)?;
        let contained = self.container.is_some();
        let home = runner::real_home().filter(|_| !contained);
        let network = self.policy.network();
        let site = Site { root, out: &out, files, real_home: home.as_deref(), network, contained };
        if self.policy.command.is_empty() {
            runner::command(runner, target, extent, &site).map_err(Problem::failed)
        } else {
            Ok(runner::from_template(&self.policy.command, Some(runner), target, extent, &site))
        }
    }

    /// Runs a test with the switch that brings its snapshots up to date; gives the
    /// texts of the files that came out different. The checkout is put back.
    ///
    /// # Errors
    /// Where the overlay cannot be written, or the runner lacks something.
    pub fn update(
        &mut self,
        commit: &str,
        runner: Runner,
        target: &Target,
        overlay: &[(String, String)],
    ) -> Result<Vec<(String, String)>, Problem> {
        let (root, files) = {
            let tree = self.tree(commit, runner)?;
            (tree.root.clone(), tree.files.clone())
        };
        let before = overlaid(&root, overlay)?;
        let known = changed(&root)?;
        let ready = self.ready(&root, &files, runner, target, Extent::Alone);
        let ready = ready.map(|ready| runner::updating(runner, ready).filter(|_| self.policy.command.is_empty()));
        let done = match ready {
            Ok(Some(ready)) => self.execute_tests(&ready).map(|_| ()),
            Ok(None) => Ok(()),
            Err(problem) => Err(problem),
        };
        let mut found = Vec::new();
        for (path, is_new) in changed(&root)? {
            if let Ok(text) = std::fs::read_to_string(root.join(&path)) {
                found.push((path.clone(), text));
            }
            if is_new && !known.iter().any(|(k, _)| *k == path) {
                let _ = std::fs::remove_file(root.join(&path));
            } else if !is_new {
                Self::git(&root, &["checkout", "--quiet", "HEAD", "--", &path])?;
            }
        }
        found.retain(|(path, text)| !overlay.contains(&(path.clone(), text.clone())));
        put_back(before);
        let _ = std::fs::remove_dir_all(self.out());
        done.map(|()| found)
    }

    fn execute_tests(&mut self, ready: &Ready) -> Result<Execution, Problem> {
        // Results of an earlier execution must not be taken for those of this one.
        if let Results::Junit(patterns) = &ready.results {
            for old in files::matching(&ready.folder, patterns) {
                let _ = std::fs::remove_file(old);
            }
        }
        let ended = self.execute(ready.argv.clone(), &ready.folder, &ready.env, self.policy.network())?;
        let ran = runner::read_results(&ready.results, &ready.folder, &ended.stdout);
        let bounds = Limits { seconds: self.policy.timeout_seconds, ..Limits::default() };
        let nothing = ran.iter().all(|r| r.outcome == crate::model::test::Outcome::Skipped);
        let trouble = ended.end.trouble(&bounds).or_else(|| nothing.then(|| "no test was run".to_owned()));
        // Where the command fails and no test does, something else is wrong.
        let trouble = trouble.or_else(|| {
            let odd = ended.end != process::End::Exited(0) && !ran.iter().any(|r| r.outcome.is_bad());
            odd.then(|| "the command failed although no test did".to_owned())
        });
        Ok(Execution { ran, trouble, seconds: ended.seconds, output: tail(&ended.output(), SHOWN) })
    }
}

fn no_room(error: std::io::Error) -> Problem {
    Problem::failed("a test file cannot be put into the checkout").because(error)
}

/// What stood at the places of an overlay before.
type Before = Vec<(PathBuf, Option<Vec<u8>>)>;

/// Lays texts over a checkout.
fn overlaid(root: &Path, overlay: &[(String, String)]) -> Result<Before, Problem> {
    let mut before = Vec::new();
    for (path, text) in overlay {
        let place = root.join(path);
        before.push((place.clone(), std::fs::read(&place).ok()));
        if let Some(folder) = place.parent() {
            std::fs::create_dir_all(folder).map_err(no_room)?;
        }
        std::fs::write(&place, text).map_err(no_room)?;
    }
    Ok(before)
}

fn put_back(before: Before) {
    for (place, content) in before {
        let _ = match content {
            Some(content) => std::fs::write(&place, content),
            None => std::fs::remove_file(&place),
        };
    }
}

/// Files of a checkout that are not as they were checked out, and whether they are new.
fn changed(root: &Path) -> Result<Vec<(String, bool)>, Problem> {
    let told = Workshop::git(root, &["status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames"])?;
    let row = |row: &str| Some((row.get(3..)?.to_owned(), row.starts_with("??")));
    Ok(told.split('\0').filter_map(row).collect())
}

fn tail(text: &str, limit: usize) -> String {
    let mut from = text.len().saturating_sub(limit);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    text[from..].trim().to_owned()
}

/// One hash over the lock files of a checkout.
fn locks_of(root: &Path, runner: Runner) -> String {
    let mut hash = Sha256::new();
    for name in runner.locks() {
        if let Ok(text) = std::fs::read(root.join(name)) {
            hash.update(name.as_bytes());
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(&text);
        }
    }
    hash.finalize().iter().take(16).fold(String::new(), |t, b| t + &format!("{b:02x}"))
}

/// Folders of installed dependencies, relative to the root.
fn dependencies(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![(PathBuf::new(), 0)];
    while let Some((folder, depth)) = open.pop() {
        let Ok(entries) = std::fs::read_dir(root.join(&folder)) else { continue };
        for entry in entries.flatten().filter(|e| e.path().is_dir()) {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let path = folder.join(name.as_ref());
            // A link to a folder is taken over as a link, and not looked into.
            let linked = entry.file_type().is_ok_and(|t| t.is_symlink());
            if DEPENDENCIES.contains(&name.as_ref()) {
                found.push(path);
            } else if !linked && depth < DEPTH && !name.starts_with('.') && name != "target" && name != "build" {
                open.push((path, depth + 1));
            }
        }
    }
    found.sort();
    found
}

/// Copies what is installed in one checkout into another that lacks it; where
/// the file system can, without using space.
fn copy_dependencies(from: &Path, to: &Path) -> Result<(), String> {
    for folder in dependencies(from) {
        let target = to.join(&folder);
        let home = target.parent().is_some_and(Path::is_dir);
        if target.exists() || !home {
            continue;
        }
        #[cfg(unix)]
        if from.join(&folder).is_symlink() {
            // A relative link would lead nowhere from there.
            let real = from.join(&folder).canonicalize().map_err(|e| format!("{}: {e}", folder.display()))?;
            std::os::unix::fs::symlink(real, &target).map_err(|e| format!("{}: {e}", folder.display()))?;
            continue;
        }
        let done = Command::new("cp")
            .args(["-a", "--reflink=auto", "--"])
            .arg(from.join(&folder))
            .arg(&target)
            .stdin(Stdio::null())
            .output();
        if !done.is_ok_and(|d| d.status.success()) {
            return Err(format!("{} cannot be copied into the checkout", folder.display()));
        }
    }
    Ok(())
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
pub struct Bench<'a> {
    workshop: &'a mut Workshop,
    old: Option<String>,
    new: String,
    runner: &'a dyn Fn(&Target) -> Option<Runner>,
}

impl<'a> Bench<'a> {
    /// Puts two commits on the bench. `runner` tells the runner of a test.
    pub fn new(
        workshop: &'a mut Workshop,
        old: Option<String>,
        new: String,
        runner: &'a dyn Fn(&Target) -> Option<Runner>,
    ) -> Self {
        Self { workshop, old, new, runner }
    }

    fn runner_of(&self, target: &Target) -> Result<Runner, Problem> {
        (self.runner)(target).ok_or_else(|| {
            Problem::failed(format!("no test runner is known for {}", target.file))
                .hint("name one with --runner, or a command with --test-command")
        })
    }
}

impl Workbench for Bench<'_> {
    fn has_old(&self) -> bool {
        self.old.is_some()
    }

    fn run(
        &mut self,
        code: Code,
        target: &Target,
        extent: Extent,
        overlay: &[(String, String)],
    ) -> Result<Execution, Problem> {
        let commit = match code {
            Code::New => self.new.clone(),
            Code::Old => self.old.clone().ok_or_else(|| Problem::failed("the code before the change is not known"))?,
        };
        let runner = self.runner_of(target)?;
        let unprepared = self.workshop.tree(&commit, runner)?.unprepared.clone();
        let mut execution = self.workshop.run(&commit, runner, target, extent, overlay)?;
        if let (Some(why), Some(trouble)) = (unprepared, &mut execution.trouble) {
            trouble.push_str(&format!(" ({why})"));
        }
        Ok(execution)
    }

    fn update(&mut self, target: &Target, overlay: &[(String, String)]) -> Result<Vec<(String, String)>, Problem> {
        let (commit, runner) = (self.new.clone(), self.runner_of(target)?);
        self.workshop.update(&commit, runner, target, overlay)
    }
}
