//! Makes ready to think with a model: whom to ask, what it may cost, where it is told.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::adapters::llm::{Endpoint, Recording, Replay, Settings};
use crate::adapters::store::sqlite::SqliteBudget;
use crate::adapters::{files, progress, shutdown, system};
use crate::agent::budget::money;
use crate::cli::think::ModelArgs;
use crate::error::Problem;
use crate::investigate::model_session::{Clock, ModelContext, NoSharedBudget, TranscriptEvent};
use crate::model::secret::Secret;
use crate::pipeline::chain;
use crate::plan::policy::Model;
use crate::ports::{ChatModel, Ledger};
use crate::render::plural::plural;

/// Whether anybody thinks besides the rules.
pub(super) fn is_wanted(model: &Model, args: &ModelArgs) -> bool {
    !model.url.is_empty() || args.model_replay.is_some()
}

/// Begins a round of thinking. `head` names the head of a pull request whose runs share a
/// budget; `history` is where they share it.
///
/// # Errors
/// Settings that cannot be used, or a recording that cannot be read.
pub(super) fn begin(
    model: &Model,
    args: &ModelArgs,
    (history, head): (Option<&Path>, Option<String>),
    notes: &mut Vec<String>,
) -> Result<ModelContext, Problem> {
    let log = transcript(args, notes);
    let mind = mind(model, args)?;
    let ledger: Box<dyn Ledger> = match history.filter(|_| args.model_replay.is_none()) {
        Some(path) => Box::new(spending(model, path, head)?),
        None => Box::new(NoSharedBudget),
    };
    shutdown::install();
    let outside = (Box::new(progress::clock()) as Clock, shutdown::requested as fn() -> bool);
    Ok(ModelContext::new(mind, (model.terms(), model.bounds()), ledger, Box::new(log), outside))
}

/// The budgets that other runs share, and what was answered before.
fn spending(model: &Model, path: &Path, head: Option<String>) -> Result<SqliteBudget, Problem> {
    let (of_head, of_day) = model.shared();
    let now = system::now();
    let mut scopes = vec![(format!("day:{}", now.unix().div_euclid(86_400)), "this day (`model.budget.day`)", of_day)];
    if let Some(head) = head {
        scopes.push((format!("head:{head}"), "this head (`model.budget.head`)", of_head));
    }
    SqliteBudget::open(path, &model.url, scopes, now.unix())
}

/// Whom to ask.
///
/// # Errors
/// See [`begin`].
pub(super) fn mind(model: &Model, args: &ModelArgs) -> Result<Arc<dyn ChatModel>, Problem> {
    if let Some(path) = &args.model_replay {
        return Ok(Arc::new(Replay::read(path)?));
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
        Some(path) => Arc::new(Recording::new(Box::new(endpoint), path)?),
        None => Arc::new(endpoint),
    })
}

/// What a round cost, for people.
pub(super) fn cost(round: &ModelContext) -> String {
    let spent = round.spent();
    let tokens = spent.tokens.asked.saturating_add(spent.tokens.said);
    format!("{}, {tokens} tokens, {}", plural(u64::from(spent.asks), "question"), money(spent.micros))
}

/// What lets us in, from a variable or a file; never from an argument, which others see.
pub(super) fn key() -> Result<Option<Secret>, Problem> {
    let told = ["INPUT_MODEL-KEY", "TESTMEDIC_MODEL_KEY"].iter().find_map(|name| system::variable(name));
    if let Some(key) = told {
        return Ok(Some(Secret::new(key.trim())));
    }
    let Some(path) = system::variable("TESTMEDIC_MODEL_KEY_FILE") else { return Ok(None) };
    Ok(Some(Secret::new(files::read_text(path.as_ref())?.trim())))
}

/// Writes each event at once: a job that is cancelled leaves what it had. A file that
/// cannot be written is noted, and costs nothing else.
fn transcript(args: &ModelArgs, notes: &mut Vec<String>) -> impl FnMut(TranscriptEvent) + Send + use<> {
    let mut path = args.transcript.clone();
    if let Some(Err(problem)) = path.as_ref().map(|path| files::write(path, "")) {
        notes.push(format!("no transcript is kept: {}", chain(&problem)));
        path = None;
    }
    move |event: TranscriptEvent| {
        if let (Some(path), Ok(line)) = (&path, serde_json::to_string(&event)) {
            files::append(path, &(line + "\n"));
        }
    }
}
