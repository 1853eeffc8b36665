//! `testmedic heal`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::agent::healer::Sources;
use crate::agent::healer::target;
use crate::cli::HealArgs;
use crate::diagnose::findings::Findings;
use crate::diagnose::mismatch;
use crate::diagnose::verdict::{Diagnosis, Verdict};
use crate::error::{Problem, exit};
use crate::investigate::{self, Given, Outcome};
use crate::model::change::{Commit, FileChange};
use crate::model::ran::Target;
use crate::plan::policy::Policy;
use crate::ports::{Repository, Store};
use crate::report::heal::{self, Healed};
use crate::report::json::{Origin, report};
use crate::report::terminal::Look;
use crate::run::{self, Inputs, Triage};
use crate::shell::git::Git;
use crate::shell::runner::{Runner, recognise, recognise_by_name};
use crate::shell::store::sqlite::SqliteStore;
use crate::shell::surroundings::say;
use crate::shell::workshop::{Bench, Workshop};
use crate::shell::{files, progress, shield, surroundings};

/// Tests that one call looks at; more are told.
const MOST: usize = 50;

pub(super) fn heal(args: &HealArgs, colour: bool) -> Result<u8, Problem> {
    shield::raise()?;
    let work = Work::prepare(args)?;
    let done = work.run(args)?;
    done.show(args, colour)?;
    let in_vain = done.all.iter().all(|h| matches!(h.healing.outcome, Outcome::GaveUp(_))) && !done.all.is_empty();
    let unreadable = done.reported && done.triage.as_ref().is_some_and(|t| t.found.is_incomplete());
    Ok(if in_vain || unreadable { exit::COULD_NOT } else { exit::DONE })
}

/// What healing works with.
struct Work {
    git: Git,
    top: PathBuf,
    policy: Policy,
    head: String,
    files: Vec<String>,
    triage: Option<Triage>,
    /// Whether there are reports.
    reported: bool,
    notes: Vec<String>,
}

/// A failing test that is looked at.
struct Wish {
    diagnosis: Option<String>,
    dialect: Option<&'static str>,
    target: Target,
    base: Option<String>,
    together: usize,
}

/// What came of it.
struct Done {
    all: Vec<Healed>,
    triage: Option<Triage>,
    reported: bool,
    notes: Vec<String>,
    origin: Origin,
}

impl Work {
    fn prepare(args: &HealArgs) -> Result<Self, Problem> {
        let git = Git::find(&args.repo).ok_or_else(|| {
            Problem::usage(format!("{} is no git repository", args.repo.display()))
                .hint("healing runs old and new tests on old and new code; name the repository with --repo")
        })?;
        let top = git.top().ok_or_else(|| Problem::usage("the repository has no checkout"))?;
        let policy = super::local_policy(&top, args.config.as_deref())?;
        let policy = with_options(policy, args);
        let mut notes = Vec::new();
        let head = match &args.facts.head {
            Some(rev) => git
                .resolve(rev)
                .ok_or_else(|| Problem::usage(format!("--head {rev} is no commit of the repository")))?,
            None => git.head().ok_or_else(|| Problem::usage("the repository has no commit"))?,
        };
        let changed = if args.facts.head.is_none() { git.with_changes() } else { None };
        if changed.is_some() {
            notes.push("changes that are not committed count as part of the tested code".to_owned());
        }
        let head = changed.unwrap_or(head);
        let files = git.files_at(&head);
        let mut work = Self { git, top, policy, head, files, triage: None, reported: false, notes };
        work.judge(args)?;
        Ok(work)
    }

    /// Judges the reports, where there are some.
    fn judge(&mut self, args: &HealArgs) -> Result<(), Problem> {
        let patterns: Vec<String> = args.junit.iter().filter(|p| !p.trim().is_empty()).cloned().collect();
        if patterns.is_empty() && args.only.is_empty() {
            return Err(Problem::usage("there is nothing to heal")
                .hint("pass the reports of the failed run with --junit, or name a test with --only"));
        }
        self.reported = !patterns.is_empty();
        let runs = files::read_reports(Path::new("."), &patterns, &|_| {})?;
        let store = args.history.path()?.map(|p| SqliteStore::open_existing(&p)).transpose();
        let store = store.unwrap_or_else(|problem| {
            self.notes.push(format!("judged without history: {}", run::chain(&problem)));
            None
        });
        let store = store.flatten();
        self.triage = Some(run::triage(Inputs {
            runs,
            facts: args.facts.facts(Some(&self.git), None),
            default_branch: None,
            now: args.now.unwrap_or_else(surroundings::now),
            store: store.as_ref().map(|s| s as &dyn Store),
            repository: Some(&self.git),
            record_to: None,
        }));
        Ok(())
    }

    fn read(&self, path: &str) -> Option<String> {
        self.git.text_at(&self.head, path)
    }

    fn base(&self, args: &HealArgs) -> Result<Option<String>, Problem> {
        match args.base.as_ref().filter(|b| !b.is_empty()) {
            Some(rev) => {
                let commit = self.git.resolve(rev);
                commit.map(Some).ok_or_else(|| Problem::usage(format!("--base {rev} is no commit of the repository")))
            }
            None => Ok(self.git.default_base(&self.head)),
        }
    }

    fn wishes(&mut self, args: &HealArgs) -> Result<Vec<Wish>, Problem> {
        let named = args.base.is_some();
        let base = self.base(args)?;
        let read = |path: &str| self.read(path);
        let sources = Sources::new(&self.files, &read);
        let mut notes = Vec::new();
        let mut wishes = Vec::new();
        match self.triage.as_ref().filter(|_| self.reported) {
            Some(triage) => {
                for diagnosis in triage.found.diagnoses.iter().filter(|d| is_for_healer(d)) {
                    let last_good = diagnosis.past.last_good.as_deref().and_then(|g| self.git.resolve(g));
                    let base = if named { base.clone() } else { last_good.or_else(|| base.clone()) };
                    for member in &diagnosis.members {
                        let case = triage.found.case(*member);
                        let full = format!("{} {}", case.name.classname.raw(), case.name.name.raw());
                        if !args.only.is_empty() && !args.only.iter().any(|o| full.contains(o.as_str())) {
                            continue;
                        }
                        let Some(found) = target::find(&sources, case) else {
                            notes.push(format!("`{}` is not found in the sources", case.name.name.raw()));
                            continue;
                        };
                        let dialect = triage.found.runs.get(member.run).map(|r| r.dialect);
                        let together = together(&triage.found, *member);
                        wishes.push(Wish {
                            diagnosis: Some(diagnosis.id.clone()),
                            dialect,
                            target: found,
                            base: base.clone(),
                            together,
                        });
                    }
                }
            }
            None => {
                for name in &args.only {
                    let found = by_name(&sources, name)
                        .ok_or_else(|| Problem::usage(format!("no test of the repository is called `{name}`")))?;
                    wishes.push(Wish {
                        diagnosis: None,
                        dialect: None,
                        target: found,
                        base: base.clone(),
                        together: 0,
                    });
                }
            }
        }
        if wishes.len() > MOST {
            notes.push(format!(
                "only the first {MOST} of {} failing tests are looked at; --only names others",
                wishes.len()
            ));
            wishes.truncate(MOST);
        }
        self.notes.extend(notes);
        Ok(wishes)
    }

    fn run(mut self, args: &HealArgs) -> Result<Done, Problem> {
        let forced = match args.runner.as_ref().filter(|r| !r.is_empty()) {
            Some(name) => Some(recognise_by_name(name).ok_or_else(|| {
                let known: Vec<&str> = Runner::ALL.iter().map(|r| r.name()).collect();
                Problem::usage(format!("--runner {name} is not known")).hint(format!("known are {}", known.join(", ")))
            })?),
            None => None,
        };
        let wishes = self.wishes(args)?;
        let failing: Vec<(String, Vec<String>)> =
            wishes.iter().map(|w| (w.target.file.clone(), w.target.path.clone())).collect();
        let fails = |file: &str, path: &[String]| failing.iter().any(|(f, p)| f == file && p == path);
        let mut workshop = Workshop::open(&self.top, &self.policy.run)?;
        let mut changes: BTreeMap<Option<String>, (Vec<FileChange>, Vec<Commit>)> = BTreeMap::new();
        let mut states: BTreeMap<Option<String>, BTreeMap<String, String>> = BTreeMap::new();
        let mut all = Vec::new();
        let clock = progress::clock();
        for wish in &wishes {
            let (change, commits) =
                changes.entry(wish.base.clone()).or_insert_with(|| self.change(wish.base.as_deref()));
            let read = |path: &str| self.read(path);
            let read_old = |path: &str| self.git.text_at(wish.base.as_deref()?, path);
            let runner = |t: &Target| forced.or_else(|| recognise(&t.file, wish.dialect, &self.files, &read));
            let mut bench = Bench::new(&mut workshop, wish.base.clone(), self.head.clone(), &runner);
            let given = Given {
                files: &self.files,
                read: &read,
                read_old: &read_old,
                change,
                commits,
                bounds: self.policy.heal.bounds(),
                kinds: &self.policy.heal.kinds,
                sensitive: &self.policy.heal.sensitive,
                repeat: args.repeat.unwrap_or(self.policy.heal.repeat),
                together: wish.together,
                fails: &fails,
                clock: &clock,
            };
            // Repairs of one file build on each other, whatever they are compared with.
            let state = states.entry(None).or_default();
            let healing = investigate::heal(&wish.target, &given, &mut bench, state);
            all.push(Healed { diagnosis: wish.diagnosis.clone(), healing });
        }
        let base = wishes.first().and_then(|w| w.base.clone());
        Ok(Done {
            all,
            triage: self.triage,
            reported: self.reported,
            notes: self.notes,
            origin: Origin { repository: None, base, pull: None },
        })
    }

    fn change(&self, base: Option<&str>) -> (Vec<FileChange>, Vec<Commit>) {
        let Some(base) = base else { return Default::default() };
        let commits = self.git.commits(base, &self.head).unwrap_or_default();
        (self.git.change(base, &self.head).unwrap_or_default(), commits)
    }
}

fn with_options(mut policy: Policy, args: &HealArgs) -> Policy {
    if let Some(command) = args.test_command.as_ref().filter(|c| !c.is_empty()) {
        policy.run.command.clone_from(command);
    }
    policy
}

/// Failures that no edit of a test can be the answer to are left alone.
fn is_for_healer(diagnosis: &Diagnosis) -> bool {
    matches!(diagnosis.verdict, Verdict::OutdatedTest | Verdict::Regression | Verdict::Undecided | Verdict::BrokenTest)
}

/// Other failing tests with the same expected and actual value.
fn together(found: &Findings, member: crate::diagnose::verdict::Member) -> usize {
    let pair = |m: crate::diagnose::verdict::Member| {
        let read = mismatch::read(found.case(m).failure()?)?;
        Some((read.expected.raw().to_owned(), read.actual.raw().to_owned()))
    };
    let Some(own) = pair(member) else { return 0 };
    let members = found.diagnoses.iter().flat_map(|d| &d.members).take(500);
    members.filter(|m| **m != member && pair(**m).as_ref() == Some(&own)).count()
}

/// The test that a person means by a name: `file::Class::test`, or a name that only one test has.
fn by_name(sources: &Sources<'_>, name: &str) -> Option<Target> {
    let (file, rest) = name.split_once("::").map_or((None, name), |(file, rest)| (Some(file), rest));
    let own = rest.rsplit("::").next().unwrap_or(rest);
    let files = sources.files.iter().filter(|f| file.is_none_or(|wanted| f.ends_with(wanted)));
    let mut found: Vec<Target> = files
        .filter(|f| crate::ingest::place::is_test_path(f) || f.ends_with(".rs"))
        .filter(|f| sources.text(f).is_some_and(|t| t.contains(target::base_name(own))))
        .filter_map(|f| target::in_file(sources, f, "", own))
        .collect();
    (found.len() == 1).then(|| found.remove(0))
}

impl Done {
    fn show(&self, args: &HealArgs, colour: bool) -> Result<(), Problem> {
        let is_out = |path: &Option<PathBuf>| path.as_deref() == Some(Path::new("-"));
        if !is_out(&args.json) && !is_out(&args.patch) {
            let look = Look { colour, width: surroundings::width() };
            say(&heal::render(&self.all, &self.notes, look))?;
        }
        if let Some(path) = &args.patch {
            write(path, &self.patch())?;
        }
        if let (Some(path), Some(triage)) = (&args.json, &self.triage) {
            let text = serde_json::to_string_pretty(&report(triage, &self.origin, &self.all))
                .map_err(|e| Problem::failed("cannot write the report as JSON").because(e))?;
            write(path, &(text + "\n"))?;
        }
        Ok(())
    }

    /// All repairs as one patch: of each file the first text and the last.
    fn patch(&self) -> String {
        let mut files: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
        let proven = self.all.iter().filter(|h| matches!(h.healing.outcome, Outcome::Healed | Outcome::Suggested));
        for file in proven.flat_map(|h| &h.healing.patch) {
            let (old, new) = (file.old.as_deref().unwrap_or(""), file.new.as_deref().unwrap_or(""));
            files.entry(&file.path).and_modify(|(_, last)| *last = new).or_insert((old, new));
        }
        files.iter().map(|(path, (old, new))| crate::code::edit::diff(path, old, new)).collect()
    }
}

fn write(path: &Path, text: &str) -> Result<(), Problem> {
    if path == Path::new("-") { say(text) } else { files::write(path, text) }
}
