//! Writes the tests that a repository on disk lacks: finds how its tests ask, and has
//! what is drafted written and proven beside it, runner by runner.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::adapters::git::Git;
use crate::adapters::recording_sandbox::RecordingSandbox;
use crate::adapters::runner::{Runner, recognise};
use crate::adapters::sandbox::Sandbox;
use crate::agent::generator::observed_endpoint::{self, ObservedEndpoint};
use crate::agent::generator::recipe::{self, RecipeInput};
use crate::agent::generator::{GenerationResult, Recipe, TestDraft};
use crate::code::openapi;
use crate::code::source::Source;
use crate::code::style::file;
use crate::diagnose::incident::Incident;
use crate::error::Problem;
use crate::investigate::generate::{self, TestgenInput};
use crate::model::exchange::Exchange;
use crate::plan::policy::Policy;
use crate::traffic::api_model::ApiModel;
use crate::traffic::template::Templates;

/// A repository, and what is allowed in it.
#[derive(Debug)]
pub struct TestWriter {
    git: Git,
    top: PathBuf,
    policy: Policy,
    head: String,
    /// Paths of its files.
    pub files: Vec<String>,
    cache: RefCell<HashMap<String, Option<Rc<Source>>>>,
}

/// What tests are written from.
#[derive(Clone, Copy, Debug)]
pub struct DraftRequest<'a> {
    /// What tests were seen sending.
    pub exchanges: &'a [Exchange],
    /// Templates of their paths.
    pub templates: &'a Templates,
    /// Everything that is known of answers, those of now included.
    pub known: &'a ApiModel,
    /// The answers of now.
    pub now: &'a ApiModel,
    /// Incidents that people wrote down.
    pub incidents: &'a [Incident],
    /// Only endpoints whose name holds one of these; all where there are none.
    pub only: &'a [String],
    /// Recipes that are wanted.
    pub recipes: &'a [Recipe],
}

/// The tests that could be written.
#[derive(Debug)]
pub struct Drafts {
    /// One for each.
    pub drafts: Vec<TestDraft>,
    /// How many endpoints were asked.
    pub asked: usize,
    /// Those of which no test shows in its own source how they are asked.
    pub silent: Vec<String>,
}

impl TestWriter {
    /// For the tests of a commit.
    #[must_use]
    pub fn new(git: Git, top: PathBuf, policy: Policy, head: String) -> Self {
        let files = git.files_at(&head);
        Self { git, top, policy, head, files, cache: RefCell::default() }
    }

    /// A file of the commit.
    #[must_use]
    pub fn read(&self, path: &str) -> Option<String> {
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

    /// What the API descriptions of the repository promise.
    #[must_use]
    pub fn described(&self) -> Vec<openapi::Operation> {
        let descriptions = self.files.iter().filter(|file| openapi::is_description(file)).take(20);
        let texts = descriptions.filter_map(|file| self.read(file));
        texts.flat_map(|text| openapi::read(&text)).collect()
    }

    /// The tests that could be written.
    ///
    /// # Errors
    /// Where no endpoint has a name that is asked for.
    pub fn drafts(&self, ask: DraftRequest<'_>) -> Result<Drafts, Problem> {
        let sources = |path: &str| self.source(path);
        let is_ours = |file: &str| self.policy.generate.is_ours(file);
        let all = observed_endpoint::asked(ask.exchanges, ask.templates, &sources, &is_ours);
        let is_meant = |a: &&ObservedEndpoint<'_>| {
            ask.only.is_empty() || ask.only.iter().any(|only| a.endpoint.to_string().contains(only.as_str()))
        };
        let chosen: Vec<&ObservedEndpoint<'_>> = all.iter().filter(is_meant).collect();
        if chosen.is_empty() && !ask.only.is_empty() {
            let known: Vec<String> = all.iter().take(8).map(|a| a.endpoint.to_string()).collect();
            return Err(Problem::usage(format!("no test asks {}", ask.only.join(" or ")))
                .hint(format!("tests ask {}", known.join(", "))));
        }
        let new_fields = recipe::new_fields(ask.now, ask.known);
        let template = |path: &str| ask.templates.of(path);
        let incidents: Vec<Incident> = ask.incidents.iter().map(|own| own.clone().at_template(&template)).collect();
        let ground = RecipeInput {
            incidents: &incidents,
            memory: ask.known,
            new_fields: &new_fields,
            mutating: self.policy.generate.mutating,
            recipes: ask.recipes,
        };
        let drafts = chosen.iter().flat_map(|asked| recipe::drafts(asked, ground)).collect();
        let silent = chosen.iter().filter(|a| a.exemplar.is_none()).map(|a| a.endpoint.to_string()).collect();
        Ok(Drafts { drafts, asked: chosen.len(), silent })
    }

    /// The drafts whose tests stand nowhere yet: neither as they were written, nor as a
    /// person changed them, nor as one that a person deleted.
    #[must_use]
    pub fn missing(&self, mut drafts: Vec<TestDraft>) -> Vec<TestDraft> {
        drafts.retain(|draft| {
            let folder = self.policy.generate.folder_for(&draft.exemplar.file);
            let path = generate::path_of(draft, &folder);
            let Some(text) = self.read(&path) else { return !self.git.was_deleted(&self.head, &path) };
            let test = draft.exemplar.write(&draft.bare(), &folder);
            test.is_some_and(|test| !file::knows(draft.exemplar.language(), &path, &text, &test.name))
        });
        drafts
    }

    /// Writes and proves, runner by runner; a test must pass `repeat` times shuffled.
    /// After some `seconds` it stops with an error.
    ///
    /// # Errors
    /// Where no checkout can be made, tests cannot be run, or time is over.
    pub fn write(
        &self,
        mut drafts: Vec<TestDraft>,
        memory: &ApiModel,
        (repeat, seconds): (u32, Option<f64>),
        notes: &mut Vec<String>,
    ) -> Result<GenerationResult, Problem> {
        let most = usize::try_from(self.policy.generate.max_tests).unwrap_or(usize::MAX);
        // What only looks for defects comes last.
        drafts.sort_by_key(|draft| draft.recipe == Recipe::Extremes);
        if drafts.len() > most {
            notes.push(format!("only the first {most} of {} tests are written (`generate.max-tests`)", drafts.len()));
            drafts.truncate(most);
        }
        let mut by_runner: Vec<(Option<Runner>, Vec<TestDraft>)> = Vec::new();
        for draft in drafts {
            let read = |path: &str| self.read(path);
            let runner = recognise(&draft.exemplar.file, None, &self.files, &read);
            match by_runner.iter_mut().find(|(known, _)| *known == runner) {
                Some((_, own)) => own.push(draft),
                None => by_runner.push((runner, vec![draft])),
            }
        }
        let mut done = GenerationResult::default();
        let mut workshop = Sandbox::open(&self.top, &self.policy.run)?;
        let read = |path: &str| self.read(path);
        let deleted = |path: &str| self.git.was_deleted(&self.head, path);
        let folder = |file: &str| self.policy.generate.folder_for(file);
        let bounds = self.policy.generated_bounds();
        let given =
            TestgenInput { memory, folder: &folder, read: &read, deleted: &deleted, bounds: &bounds, repeat, seed: 1 };
        let until = seconds.map(|seconds| Instant::now() + Duration::from_secs_f64(seconds));
        for (runner, own) in by_runner {
            let Some(runner) = runner else {
                notes.push(format!("no test runner is known for {}", own[0].exemplar.file));
                continue;
            };
            let mut stage = RecordingSandbox::open(&mut workshop, &self.head, runner, until)?;
            done.extend(generate::generate(own, &given, &mut stage)?);
        }
        Ok(done)
    }
}
