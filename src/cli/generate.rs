//! `testmedic generate`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::agent::generator::asked::{self, Asked};
use crate::agent::generator::recipe::{self, Ground};
use crate::agent::generator::{Draft, Generated, Recipe};
use crate::cli::GenerateArgs;
use crate::cli::local::Local;
use crate::code::guards::Bounds;
use crate::code::source::Source;
use crate::code::spec;
use crate::error::{Problem, exit};
use crate::ingest::traffic::masking::Masker;
use crate::investigate::generate::{self, Given};
use crate::model::exchange::Exchange;
use crate::model::run::RunFacts;
use crate::plan::policy::Policy;
use crate::ports::Store;
use crate::report::generate::render;
use crate::run::{self, Inputs, Triage};
use crate::shell::git::Git;
use crate::shell::runner::{Runner, recognise};
use crate::shell::stage::Rehearsal;
use crate::shell::workshop::Workshop;
use crate::shell::{files, shield};
use crate::traffic::memory::Memory;

/// Where `testmedic run` records.
const RECORDED: &str = ".testmedic/traffic.ndjson";

pub(super) fn generate(args: &GenerateArgs, colour: bool) -> Result<u8, Problem> {
    shield::raise()?;
    let mut notes = Vec::new();
    let place = Place::find(args, &mut notes)?;
    let exchanges = Place::traffic(args, &mut notes)?;
    let (triage, now) = place.judge(args, &exchanges, &mut notes)?;
    let wanted = place.drafts(args, &exchanges, (&triage, &now), &mut notes)?;
    let mut done = place.write(args, wanted.drafts, &triage.memory, &mut notes)?;
    done.notes.splice(0..0, notes);
    done.asked = wanted.asked;
    place.show(args, triage, &done, colour)?;
    Ok(exit::DONE)
}

/// A repository, and what is allowed in it.
struct Place {
    git: Git,
    top: PathBuf,
    policy: Policy,
    head: String,
    files: Vec<String>,
    cache: RefCell<HashMap<String, Option<Rc<Source>>>>,
}

/// The tests that could be written.
struct Wanted {
    drafts: Vec<Draft>,
    /// For how many endpoints a test shows how they are asked, and of how many.
    asked: (usize, usize),
}

/// What came of all runners.
#[derive(Debug, Default)]
struct Done {
    all: Generated,
    notes: Vec<String>,
    asked: (usize, usize),
}

impl Place {
    fn find(args: &GenerateArgs, notes: &mut Vec<String>) -> Result<Self, Problem> {
        let local = args.local.find("written tests are proven in a checkout beside the repository")?;
        let head = local.head(notes)?;
        let Local { git, top, policy } = local;
        let files = git.files_at(&head);
        Ok(Self { git, top, policy, head, files, cache: RefCell::default() })
    }

    fn read(&self, path: &str) -> Option<String> {
        self.git.text_at(&self.head, path)
    }

    /// A test file, parsed. Recorders name files from where the tests were started.
    fn source(&self, path: &str) -> Option<Rc<Source>> {
        if let Some(known) = self.cache.borrow().get(path) {
            return known.clone();
        }
        let whole = self.files.iter().find(|f| *f == path).or_else(|| {
            let end = format!("/{path}");
            self.files.iter().find(|f| f.ends_with(&end))
        });
        let found = whole.and_then(|whole| Source::parse(whole, &self.read(whole)?)).map(Rc::new);
        self.cache.borrow_mut().insert(path.to_owned(), found.clone());
        found
    }

    fn traffic(args: &GenerateArgs, notes: &mut Vec<String>) -> Result<Vec<Exchange>, Problem> {
        let own = vec![args.local.repo.join(RECORDED).display().to_string()];
        let patterns = if args.traffic.iter().all(|p| p.trim().is_empty()) { &own } else { &args.traffic };
        let before = notes.len();
        let mut all = Vec::new();
        for traffic in files::read_traffic(Path::new(""), patterns, &mut Masker::new(false))? {
            notes.extend(traffic.issues.iter().map(|i| format!("{}, {}: {}", traffic.path, i.place, i.message)));
            all.extend(traffic.exchanges);
        }
        if let Some(why) = notes.get(before).filter(|_| all.is_empty()) {
            return Err(Problem::usage("there is no traffic to write tests from").hint(why.clone()));
        }
        if all.is_empty() {
            return Err(Problem::usage("there is no traffic to write tests from")
                .hint("record it with `testmedic run -- COMMAND OF THE TESTS`, or name recordings with --traffic"));
        }
        if !all.iter().any(|e| e.test.is_some()) {
            return Err(Problem::usage("the traffic does not say which tests sent it")
                .hint("tests are written like the test that sends a request: record with `testmedic run`"));
        }
        Ok(all)
    }

    /// What the API descriptions of the repository promise.
    fn described(&self) -> Vec<spec::Operation> {
        let descriptions = self.files.iter().filter(|file| spec::is_description(file)).take(20);
        let texts = descriptions.filter_map(|file| self.read(file));
        texts.flat_map(|text| spec::read(&text)).collect()
    }

    /// What is known of answers, and what this traffic tells of them.
    fn judge(
        &self,
        args: &GenerateArgs,
        exchanges: &[Exchange],
        notes: &mut Vec<String>,
    ) -> Result<(Triage, Memory), Problem> {
        let store = args.local.store(notes)?;
        let mut triage = run::triage(Inputs {
            runs: Vec::new(),
            facts: RunFacts { commit: Some(self.head.clone()), ..RunFacts::default() },
            default_branch: None,
            exchanges,
            described: self.described(),
            incidents: Vec::new(),
            now: args.local.now(),
            store: store.as_ref().map(|s| s as &dyn Store),
            repository: None,
            record_to: None,
        });
        let now = triage.memory.clone();
        if let Some(store) = &store {
            let mut known = store.shapes()?;
            known.merge(&triage.memory);
            triage.memory = known;
        }
        Ok((triage, now))
    }

    /// The tests that could be written.
    fn drafts(
        &self,
        args: &GenerateArgs,
        exchanges: &[Exchange],
        (triage, now): (&Triage, &Memory),
        notes: &mut Vec<String>,
    ) -> Result<Wanted, Problem> {
        let sources = |path: &str| self.source(path);
        let is_ours = |file: &str| self.policy.generate.is_ours(file);
        let all = asked::asked(exchanges, &triage.templates, &sources, &is_ours);
        let chosen: Vec<&Asked<'_>> = all
            .iter()
            .filter(|a| args.only.is_empty() || args.only.iter().any(|o| a.endpoint.to_string().contains(o.as_str())))
            .collect();
        if chosen.is_empty() && !args.only.is_empty() {
            let known: Vec<String> = all.iter().take(8).map(|a| a.endpoint.to_string()).collect();
            return Err(Problem::usage(format!("no test asks {}", args.only.join(" or ")))
                .hint(format!("tests ask {}", known.join(", "))));
        }
        let recipes = recipes(args, &self.policy)?;
        let new_fields = recipe::new_fields(now, &triage.memory);
        let read = |path: &str| self.read(path);
        let incidents = super::incidents(&self.policy, &self.files, &read, notes);
        let ground = Ground {
            incidents: &incidents,
            memory: &triage.memory,
            new_fields: &new_fields,
            mutating: self.policy.generate.mutating,
            recipes: &recipes,
        };
        let drafts = chosen.iter().flat_map(|asked| recipe::drafts(asked, ground)).collect();
        let shown = chosen.iter().filter(|a| a.exemplar.is_some()).count();
        Ok(Wanted { drafts, asked: (shown, chosen.len()) })
    }

    /// Where written tests may stand: their files are new, and may be large.
    fn bounds(&self) -> Bounds {
        let mut bounds = self.policy.heal.bounds();
        (bounds.files, bounds.lines) = (100, 5000);
        let folder = self.policy.generate.folder.trim_matches('/');
        if !folder.is_empty() {
            bounds.tests.push(format!("{folder}/**"));
        }
        bounds
    }

    /// Writes and proves, runner by runner.
    fn write(
        &self,
        args: &GenerateArgs,
        mut drafts: Vec<Draft>,
        memory: &Memory,
        notes: &mut Vec<String>,
    ) -> Result<Done, Problem> {
        let most = usize::try_from(self.policy.generate.max_tests).unwrap_or(usize::MAX);
        // What only looks for defects comes last.
        drafts.sort_by_key(|draft| draft.recipe == Recipe::Extremes);
        if drafts.len() > most {
            notes.push(format!("only the first {most} of {} tests are written (`generate.max-tests`)", drafts.len()));
            drafts.truncate(most);
        }
        let mut by_runner: Vec<(Option<Runner>, Vec<Draft>)> = Vec::new();
        for draft in drafts {
            let read = |path: &str| self.read(path);
            let runner = recognise(&draft.exemplar.file, None, &self.files, &read);
            match by_runner.iter_mut().find(|(known, _)| *known == runner) {
                Some((_, own)) => own.push(draft),
                None => by_runner.push((runner, vec![draft])),
            }
        }
        let mut done = Done::default();
        let mut workshop = Workshop::open(&self.top, &self.policy.run)?;
        let read = |path: &str| self.read(path);
        let folder = |file: &str| self.policy.generate.folder_for(file);
        let repeat = args.repeat.unwrap_or(self.policy.generate.repeat);
        let bounds = self.bounds();
        let given = Given { memory, folder: &folder, read: &read, bounds: &bounds, repeat, seed: 1 };
        for (runner, own) in by_runner {
            let Some(runner) = runner else {
                notes.push(format!("no test runner is known for {}", own[0].exemplar.file));
                continue;
            };
            let mut stage = Rehearsal::open(&mut workshop, &self.head, runner)?;
            done.all.extend(generate::generate(own, &given, &mut stage)?);
        }
        Ok(done)
    }

    fn show(&self, args: &GenerateArgs, mut triage: Triage, done: &Done, colour: bool) -> Result<(), Problem> {
        if args.apply {
            for (path, _, text) in &done.all.files {
                files::write(&self.top.join(path), text)?;
            }
        }
        triage.written = done.all.clone();
        let told = |look| render(&done.all, &done.notes, done.asked, args.apply, look);
        args.local.show((&told, colour), (args.patch.as_deref(), &done.all.diff()), (&triage, None))
    }
}

fn recipes(args: &GenerateArgs, policy: &Policy) -> Result<Vec<Recipe>, Problem> {
    if args.recipe.is_empty() {
        return Ok(policy.generate.recipes.clone());
    }
    let find = |name: &String| {
        Recipe::ALL.into_iter().find(|r| r.word() == name).ok_or_else(|| {
            let known: Vec<&str> = Recipe::ALL.iter().map(|r| r.word()).collect();
            Problem::usage(format!("--recipe {name} is not known")).hint(format!("known are {}", known.join(", ")))
        })
    };
    args.recipe.iter().map(find).collect()
}
