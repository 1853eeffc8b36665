//! A model reads what the rules leave undecided.

use std::time::Duration;

use sha2::{Digest, Sha256};

use super::Job;
use crate::agent::analyzer::{Brief, Limits};
use crate::agent::purse::{Purse, Spent, money};
use crate::cli::think::ModelArgs;
use crate::diagnose::traffic::Sent;
use crate::diagnose::verdict::Verdict;
use crate::error::Problem;
use crate::investigate::think::{self, Around, Ended, Event};
use crate::model::change::Commit;
use crate::model::secret::Secret;
use crate::plan::policy::Model;
use crate::ports::{Ledger, Mind, Repository};
use crate::render::words::plural;
use crate::run::{Triage, chain};
use crate::shell::desk::Tested;
use crate::shell::llm::{Endpoint, Recording, Replay, Settings};
use crate::shell::store::sqlite::Spending;
use crate::shell::surroundings::say;
use crate::shell::{files, progress, surroundings};

/// Budgets that nobody shares.
pub(in crate::cli) struct Unshared;

impl Ledger for Unshared {
    fn reserve(&mut self, _: u64) -> Result<(), String> {
        Ok(())
    }
    fn settle(&mut self, _: u64, _: u64) {}
}

impl Job {
    /// Has a model read the diagnoses that the rules leave undecided. Whatever goes wrong
    /// costs its word and nothing else.
    pub(super) fn think(&mut self, triage: &mut Triage, args: &ModelArgs) {
        let is_off = self.policy.model.url.is_empty() && args.model_replay.is_none();
        if (is_off && !args.explain_data) || self.forbidden.is_some() {
            return;
        }
        let most = self.policy.model.diagnoses as usize;
        let open: Vec<usize> = (0..triage.found.diagnoses.len())
            .filter(|at| triage.found.diagnoses[*at].verdict == Verdict::Undecided)
            .take(most)
            .collect();
        let result = if args.explain_data { self.explain(triage, &open) } else { self.read_with(triage, &open, args) };
        if let Err(problem) = result {
            self.notes.push(format!("judged by the rules alone: {}", chain(&problem)));
            self.notes.extend(problem.hints.iter().cloned());
        }
    }

    fn brief(&self, triage: &Triage, at: usize) -> Brief {
        let diagnosis = &triage.found.diagnoses[at];
        let sent = Sent::new(&self.exchanges, &[]);
        let own: Vec<_> =
            diagnosis.members.iter().flat_map(|m| sent.of(triage.found.case(*m))).copied().take(100).collect();
        Brief::of(&triage.found, diagnosis, &own)
    }

    /// Shows what would be sent.
    fn explain(&self, triage: &Triage, open: &[usize]) -> Result<(), Problem> {
        let url = &self.policy.model.url;
        let to = if url.is_empty() { "no model is configured (`model.url`)".to_owned() } else { format!("to {url}") };
        say(&format!(
            "What a model would be shown, {to}: {} of {} that the rules leave undecided. It may ask for lines of files at the tested commit, for lines that hold a text, for paths, and for the suspected commits; secrets are masked, and files that hold them or that speak to agents are never shown.\n\n",
            open.len(),
            plural(triage.found.count(Verdict::Undecided) as u64, "failure")
        ))?;
        for at in open {
            let text = crate::model::text::clean(&self.brief(triage, *at).to_string()).into_owned();
            say(&format!("{}\n{text}\n", triage.found.diagnoses[*at].id))?;
        }
        Ok(())
    }

    /// The budgets that other runs share, and what came of earlier questions: in the
    /// history, where there is one.
    fn ledger(&self, args: &ModelArgs) -> Result<Option<Spending>, Problem> {
        let Some(path) = self.history.as_ref().filter(|_| args.model_replay.is_none()) else { return Ok(None) };
        let (head, day) = self.policy.model.shared();
        let now = surroundings::now();
        let mut scopes = vec![(format!("day:{}", now.unix().div_euclid(86_400)), "this day (`model.budget.day`)", day)];
        if let Some(pull) = self.scene.as_ref().and_then(|scene| scene.pull.as_ref()) {
            let commit = self.facts.commit.as_deref().unwrap_or("");
            scopes.push((format!("head:{}@{commit}", pull.number), "this head (`model.budget.head`)", head));
        }
        Spending::open(path, scopes, now.unix()).map(Some)
    }

    fn read_with(&mut self, triage: &mut Triage, open: &[usize], args: &ModelArgs) -> Result<(), Problem> {
        let mut note = transcript(args, &mut self.notes);
        if open.is_empty() {
            return Ok(());
        }
        let mind = mind(&self.policy.model, args)?;
        let mut spending = self.ledger(args)?;
        let model = self.policy.model.clone();
        let mut purse = Purse::new(model.bounds(), model.price());
        let mut told = Told::default();
        let clock = progress::clock();
        let until = f64::from(model.minutes) * 60.0;
        for at in open {
            let brief = self.brief(triage, *at);
            let asked = digest(&model, &brief);
            if let Some(opinion) = spending.as_ref().and_then(|known| known.reading(&asked)) {
                told.again += 1;
                told.read += 1;
                triage.found.diagnoses[*at].opine(&opinion);
                continue;
            }
            let head = self.facts.commit.clone().unwrap_or_default();
            let desk = Tested::new(self.git.as_ref(), &head, self.window(triage, *at));
            let limits = Limits { model: model.name.clone(), turns: model.questions, most: model.answer_tokens };
            let id = triage.found.diagnoses[*at].id.clone();
            let ledger: &mut dyn Ledger = match &mut spending {
                Some(spending) => spending,
                None => &mut Unshared,
            };
            let mut around =
                Around { mind: mind.as_ref(), desk: &desk, ledger, purse: &mut purse, clock: &clock, until };
            match think::think(&id, &brief, limits, &mut around, &mut note) {
                Ended::Opinion(opinion) => {
                    told.read += 1;
                    told.dropped += opinion.dropped;
                    triage.found.diagnoses[*at].opine(&opinion);
                    if let Some(spending) = &spending {
                        spending.keep(&asked, &opinion);
                    }
                }
                Ended::Nothing(why) => told.silent.push(why),
                Ended::Broken(why) => {
                    self.notes.push(format!("judged by the rules alone from here on: {why}"));
                    break;
                }
            }
        }
        self.notes.extend(told.lines(&model.name, open.len(), purse.run()));
        Ok(())
    }

    /// The commits that may have broken it.
    fn window(&self, triage: &Triage, at: usize) -> Vec<Commit> {
        let past = &triage.found.diagnoses[at].past;
        let Some((good, bad)) = past.last_good.as_ref().zip(past.first_bad.as_ref()) else { return Vec::new() };
        let both = super::Both { git: self.git.as_ref(), forge: self.forge.as_ref() };
        both.commits(good, bad).unwrap_or_default()
    }
}

/// What is told about a model's readings.
#[derive(Default)]
struct Told {
    read: u64,
    /// Those that an earlier run had asked for.
    again: u64,
    /// Claims without support.
    dropped: usize,
    /// Why it has no opinion.
    silent: Vec<String>,
}

impl Told {
    fn lines(mut self, model: &str, open: usize, spent: Spent) -> Vec<String> {
        self.silent.dedup();
        let silent = self.silent.iter().take(3);
        let mut lines: Vec<String> =
            silent.map(|why| format!("the model settled nothing for a failure: {why}")).collect();
        let dropped = self.dropped as u64;
        let dropped =
            if dropped > 0 { format!("; {} without support dropped", plural(dropped, "claim")) } else { String::new() };
        let again = match self.again {
            0 => String::new(),
            again => format!(" ({again} as before: the same was asked in an earlier run)"),
        };
        lines.push(format!(
            "{} read {} of {} that the rules leave undecided{again}: {}, {} tokens, {}{dropped}",
            crate::render::terminal::line(model, 60),
            self.read,
            plural(open as u64, "failure"),
            plural(u64::from(spent.asks), "question"),
            spent.tokens.asked.saturating_add(spent.tokens.said),
            money(spent.micros),
        ));
        lines
    }
}

/// Whom to ask.
///
/// # Errors
/// Settings that cannot be used, or a recording that cannot be read.
pub(in crate::cli) fn mind(model: &Model, args: &ModelArgs) -> Result<Box<dyn Mind>, Problem> {
    if let Some(path) = &args.model_replay {
        return Ok(Box::new(Replay::read(path)?));
    }
    if model.name.is_empty() {
        return Err(Problem::usage("`model.url` is set and `model.name` is not"));
    }
    let pairs = |map: &std::collections::BTreeMap<String, String>| {
        map.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    let endpoint = Endpoint::new(Settings {
        url: model.url.clone(),
        key: key()?,
        headers: pairs(&model.headers),
        query: pairs(&model.query),
        patience: Duration::from_secs(u64::from(model.timeout_seconds)),
    })?;
    Ok(match &args.model_record {
        Some(path) => Box::new(Recording::new(Box::new(endpoint), path)?),
        None => Box::new(endpoint),
    })
}

/// What lets us in, from a variable or a file; never from an argument, which others see.
pub(in crate::cli) fn key() -> Result<Option<Secret>, Problem> {
    let told = ["INPUT_MODEL-KEY", "TESTMEDIC_MODEL_KEY"].iter().find_map(|name| surroundings::variable(name));
    if let Some(key) = told {
        return Ok(Some(Secret::new(key.trim())));
    }
    let Some(path) = surroundings::variable("TESTMEDIC_MODEL_KEY_FILE") else { return Ok(None) };
    Ok(Some(Secret::new(files::read_text(path.as_ref())?.trim())))
}

/// What a question is known by: who is asked, and what is shown at first.
fn digest(model: &Model, brief: &Brief) -> String {
    let text = format!("{}\n{}\n{brief}", model.url, model.name);
    Sha256::digest(text.as_bytes()).iter().fold(String::new(), |out, byte| out + &format!("{byte:02x}"))
}

/// Writes each event at once: a job that is cancelled leaves what it had. A file that
/// cannot be written is noted, and costs nothing else.
fn transcript(args: &ModelArgs, notes: &mut Vec<String>) -> impl FnMut(Event) + use<> {
    let mut path = args.transcript.clone();
    if let Some(Err(problem)) = path.as_ref().map(|path| files::write(path, "")) {
        notes.push(format!("no transcript is kept: {}", chain(&problem)));
        path = None;
    }
    move |event: Event| {
        if let (Some(path), Ok(line)) = (&path, serde_json::to_string(&event)) {
            files::append(path, &(line + "\n"));
        }
    }
}
