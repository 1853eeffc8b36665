//! A model reads what the rules leave undecided.

use std::sync::Arc;

use rayon::prelude::*;

use super::TriageRun;
use crate::adapters::repo_tools::{RepoTools, TriageData as Lore};
use crate::adapters::system::print;
use crate::agent::analyzer;
use crate::agent::handoff::{self, Known};
use crate::agent::healer::result::Outcome;
use crate::agent::prompt_context::PromptContext;
use crate::cli::model_setup;
use crate::cli::think::ModelArgs;
use crate::diagnose::verdict::{ModelOpinion, Verdict};
use crate::error::Problem;
use crate::investigate::model_session::{ModelContext, SessionInput, SessionOutcome, read};
use crate::model::change::Commit;
use crate::model::text::head;
use crate::pipeline::{TriageResult, chain};
use crate::plan::planner::Repairs;
use crate::plan::snapshot::BotIssue;
use crate::ports::{Forge, Repository};
use crate::render::plural::plural;

/// Issues that are listed.
const ISSUES: usize = 50;

/// A diagnosis that is to be read.
struct Open<'a> {
    at: usize,
    id: String,
    brief: PromptContext,
    desk: RepoTools<'a>,
}

impl TriageRun {
    /// Has a model read the diagnoses that the rules leave undecided. Whatever goes wrong
    /// costs its word and nothing else.
    pub(super) fn think(&mut self, triage: &mut TriageResult, args: &ModelArgs, explains: bool) {
        let is_wanted = model_setup::is_wanted(&self.policy.model, args) && triage.found.bad() > 0;
        if (!is_wanted && !explains) || self.forbidden.is_some() {
            return;
        }
        let most = self.policy.model.diagnoses as usize;
        let open: Vec<usize> = (0..triage.found.diagnoses.len())
            .filter(|at| triage.found.diagnoses[*at].verdict == Verdict::Undecided)
            .take(most)
            .collect();
        let result = if explains { self.explain(triage, &open) } else { self.read_with(triage, &open, args) };
        if let Err(problem) = result {
            self.notes.push(format!("judged by the rules alone: {}", chain(&problem)));
            self.notes.extend(problem.hints.iter().cloned());
        }
    }

    fn brief(&self, triage: &TriageResult, at: usize) -> PromptContext {
        analyzer::brief(&triage.found, &triage.found.diagnoses[at], &self.exchanges)
    }

    /// Shows what would be sent.
    fn explain(&self, triage: &TriageResult, open: &[usize]) -> Result<(), Problem> {
        let url = &self.policy.model.url;
        let to = if url.is_empty() { "no model is configured (`model.url`)".to_owned() } else { format!("to {url}") };
        let edits = match self.policy.model.edits {
            0 => String::new(),
            _ => " Where a test is healed and no rule knows an edit, it is shown the test's file around the test, how it fails, and what changed.".to_owned(),
        };
        print(&format!(
            "What a model would be shown, {to}: {} of {} that the rules leave undecided. It may ask for lines of files at the tested commit, for lines that hold a text, for paths, for the suspected commits, for earlier results of a failing test, failures told alike, recorded exchanges and the titles of issues; secrets are masked, and files that hold them or that speak to agents are never shown.{edits}\n\n",
            open.len(),
            plural(triage.found.count(Verdict::Undecided) as u64, "failure")
        ))?;
        for at in open {
            let text = crate::model::text::clean(&self.brief(triage, *at).to_string()).into_owned();
            print(&format!("{}\n{text}\n", triage.found.diagnoses[*at].id))?;
        }
        Ok(())
    }

    fn read_with(&mut self, triage: &mut TriageResult, open: &[usize], args: &ModelArgs) -> Result<(), Problem> {
        let commit = self.facts.commit.clone().unwrap_or_default();
        let pull = self.scene.as_ref().and_then(|scene| scene.pull.as_ref());
        let head = pull.map(|pull| format!("{}@{commit}", pull.number));
        let shared = (self.history.as_deref(), head);
        let round = model_setup::begin(&self.policy.model, args, shared, &mut self.notes)?;
        self.find_again(triage, &round);
        let known = Lore {
            found: &triage.found,
            exchanges: &self.exchanges,
            memory: &triage.memory,
            issues: Arc::new(if open.is_empty() { Vec::new() } else { self.issue_lines() }),
        };
        let desk = RepoTools::new(self.git.as_ref(), &commit, Vec::new()).knowing(known);
        let open: Vec<Open<'_>> = open
            .iter()
            .map(|at| Open {
                at: *at,
                id: triage.found.diagnoses[*at].id.clone(),
                brief: self.brief(triage, *at),
                desk: desk.with(self.window(triage, *at)),
            })
            .collect();
        let ended = side_by_side(&round, &open, self.policy.model.parallel as usize)?;
        let mut told = Told { open: open.len() as u64, ..Told::default() };
        let open: Vec<(usize, String)> = open.into_iter().map(|one| (one.at, one.id)).collect();
        for ((at, id), ended) in open.into_iter().zip(ended) {
            match ended {
                SessionOutcome::Concluded(opinion) => {
                    told.read += 1;
                    told.again += u64::from(round.spent_on(&id).asks == 0);
                    told.dropped += opinion.dropped;
                    triage.found.diagnoses[at].apply_model_opinion(&opinion);
                }
                SessionOutcome::Nothing(why) => told.silent.push(why),
                SessionOutcome::Broken(_) => {}
            }
        }
        self.told = told;
        self.round = Some(round);
        Ok(())
    }

    /// Issues of ours, where there is a forge that tells them.
    fn issue_lines(&self) -> Vec<String> {
        let issues = self.forge.as_ref().and_then(|forge| forge.issues().ok()).unwrap_or_default();
        let state = |open: bool| if open { "open" } else { "closed" };
        let line = |issue: &BotIssue| format!("#{} {}: {}", issue.number, state(issue.open), head(&issue.title, 200));
        issues.iter().rev().take(ISSUES).map(line).collect()
    }

    /// What thinking came to, once nobody thinks any more.
    pub(super) fn tell_thinking(&mut self, triage: &TriageResult, repairs: &Repairs) {
        let Some(round) = self.round.take() else { return };
        for diagnosis in &triage.found.diagnoses {
            let last = repairs.all.iter().rfind(|h| h.diagnosis.as_ref() == Some(&diagnosis.id));
            let known = last.map(|h| known(&h.healing.outcome));
            for over in handoff::route(diagnosis.verdict, known) {
                round.hand_over(&diagnosis.id, over);
            }
        }
        if let Some(why) = round.broken() {
            self.notes.push(format!("judged by the rules alone from there on: {why}"));
        }
        let told = std::mem::take(&mut self.told);
        let asked = repairs.all.iter().filter_map(|h| h.healing.advice.as_ref()).collect::<Vec<_>>();
        let taken = asked.iter().filter(|advice| advice.refused.is_none()).count() as u64;
        let healed = (asked.len() as u64, taken);
        self.notes.extend(told.lines(&self.policy.model.name, healed, &round));
    }

    /// The commits that may have broken it.
    fn window(&self, triage: &TriageResult, at: usize) -> Vec<Commit> {
        let past = &triage.found.diagnoses[at].past;
        let Some((good, bad)) = past.last_good.as_ref().zip(past.first_bad.as_ref()) else { return Vec::new() };
        let both = super::Both { git: self.git.as_ref(), forge: self.forge.as_ref() };
        both.commits(good, bad).unwrap_or_default()
    }
}

fn known(outcome: &Outcome) -> Known {
    match outcome {
        Outcome::Healed | Outcome::Suggested => Known::Repaired,
        Outcome::Defect => Known::Broken,
        Outcome::Ask | Outcome::GaveUp(_) => Known::Nothing,
    }
}

/// Reads several at once; what came of each, in their order.
fn side_by_side(
    round: &ModelContext,
    open: &[Open<'_>],
    workers: usize,
) -> Result<Vec<SessionOutcome<ModelOpinion>>, Problem> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(workers).build();
    let pool = pool.map_err(|e| Problem::failed("nobody can think here").because(e))?;
    let one = |one: &Open<'_>| read(round, &SessionInput { id: &one.id, brief: &one.brief, desk: &one.desk });
    Ok(pool.install(|| open.par_iter().map(one).collect()))
}

/// What is told about a model's readings.
#[derive(Default)]
pub(super) struct Told {
    /// Diagnoses that it was to read.
    open: u64,
    read: u64,
    /// Those that an earlier run had asked for.
    again: u64,
    /// Claims without support.
    dropped: usize,
    /// Why it has no opinion.
    silent: Vec<String>,
}

impl Told {
    fn lines(mut self, model: &str, (asked, taken): (u64, u64), round: &ModelContext) -> Vec<String> {
        self.silent.dedup();
        let silent = self.silent.iter().take(3);
        let mut lines: Vec<String> =
            silent.map(|why| format!("the model settled nothing for a failure: {why}")).collect();
        if self.open == 0 && asked == 0 {
            return lines;
        }
        let dropped = self.dropped as u64;
        let dropped =
            if dropped > 0 { format!("; {} without support dropped", plural(dropped, "claim")) } else { String::new() };
        let again = match self.again {
            0 => String::new(),
            again => format!(" ({again} as before: the same was asked in an earlier run)"),
        };
        let edits = match asked {
            0 => String::new(),
            _ => format!(", and was asked to repair {}: {taken} edits to look at", plural(asked, "test")),
        };
        lines.push(format!(
            "{} read {} of {} that the rules leave undecided{again}{edits}: {}{dropped}",
            crate::render::terminal::line(model, 60),
            self.read,
            plural(self.open, "failure"),
            model_setup::cost(round),
        ));
        lines
    }
}
