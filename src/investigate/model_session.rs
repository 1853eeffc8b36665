//! Drives sessions: asks the model what they want to ask, looks up what they want to see,
//! and pays. Everything that happens is written into a transcript.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::agent::analyzer;
use crate::agent::budget::{Budget, BudgetLimits, Price, Reservation, Usage};
use crate::agent::handoff::{Handoff, Role};
use crate::agent::prompt_context::PromptContext;
use crate::agent::session::{Observation, Session, SessionLimits, Step, Task};
use crate::agent::tools::ToolRequest;
use crate::diagnose::verdict::ModelOpinion;
use crate::model::chat::{Call, ChatRequest, ChatResponse, Citation, TokenUsage};
use crate::model::secret::mask;
use crate::model::text::elide;
use crate::ports::{ChatModel, ContextTools, Ledger, ModelError};

/// Bytes of one text of a transcript.
const TEXT: usize = 64 << 10;

/// What vectors are counted under.
const MEMORY: &str = "memory";

/// Something that happened in a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TranscriptEvent {
    /// Id of the diagnosis.
    pub diagnosis: String,
    /// Whose session it is.
    pub role: Role,
    /// What happened.
    #[serde(flatten)]
    pub what: TranscriptEventKind,
}

/// See [`TranscriptEvent::what`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum TranscriptEventKind {
    /// It was shown this.
    Brief {
        /// The words.
        text: String,
    },
    /// The model was asked.
    Asked {
        /// Which.
        model: String,
        /// How many messages it was shown.
        messages: usize,
        /// Whether it was asked the same before: then its answer of then counts.
        #[serde(default)]
        again: bool,
    },
    /// It answered.
    Replied {
        /// The words.
        text: String,
        /// What it wants to see.
        calls: Vec<Call>,
        /// What was counted.
        tokens: TokenUsage,
        /// Millionths.
        cost: u64,
    },
    /// Something was looked up.
    Looked {
        /// What.
        source: String,
        /// What was shown.
        text: String,
    },
    /// It has an opinion.
    Opined {
        /// The verdict's word.
        verdict: String,
        /// 0 to 1.
        confidence: f64,
        /// What supports it.
        claims: Vec<Citation>,
        /// Claims that nothing supports.
        dropped: usize,
    },
    /// It proposes edits of a test.
    Proposed {
        /// The edits as a unified diff.
        diff: String,
        /// What supports them.
        claims: Vec<Citation>,
        /// Claims that nothing supports.
        dropped: usize,
    },
    /// What it proposes does not hold.
    Objected {
        /// Why.
        why: String,
    },
    /// The diagnosis goes to another role.
    HandedOver {
        /// Whose.
        to: Role,
        /// Why.
        because: String,
    },
    /// It ended without one.
    GaveUp {
        /// Why.
        why: String,
    },
}

/// What all sessions of a run share: the model, what it may cost, and the transcript.
pub struct ModelContext {
    /// Whom to ask.
    pub mind: Arc<dyn ChatModel>,
    terms: RoleLimits,
    ledger: Mutex<Box<dyn Ledger>>,
    purse: Mutex<Budget>,
    log: Mutex<Box<dyn FnMut(TranscriptEvent) + Send>>,
    clock: Clock,
    is_cancelled: fn() -> bool,
    /// Why nobody needs to ask again.
    broken: Mutex<Option<String>>,
}

/// Budgets that nobody shares.
pub struct NoSharedBudget;

impl Ledger for NoSharedBudget {
    fn reserve(&mut self, _: u64) -> Result<(), String> {
        Ok(())
    }
    fn settle(&mut self, _: u64, _: u64) {}
    fn known(&mut self, _: &str) -> Option<ChatResponse> {
        None
    }
    fn keep(&mut self, _: &str, _: &ChatResponse) {}
    fn forget(&mut self, _: &[String]) {}
    fn vector(&mut self, _: &str, _: &str) -> Option<Vec<f32>> {
        None
    }
    fn keep_vectors(&mut self, _: &str, _: &[(String, Vec<f32>)]) {}
}

/// Tells seconds since some moment.
pub type Clock = Box<dyn Fn() -> f64 + Send + Sync>;

/// How far sessions of each role go, and what their models cost.
pub type RoleLimits = BTreeMap<Role, (SessionLimits, Price)>;

/// What came of a session.
#[derive(Clone, Debug, PartialEq)]
pub enum SessionOutcome<T> {
    /// A conclusion.
    Concluded(T),
    /// None, and why.
    Nothing(String),
    /// None, and nobody needs to ask again in this run.
    Broken(String),
}

/// Whether a conclusion holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// It does.
    Holds,
    /// It does not, and why: there may be a better one.
    Objected(String),
    /// It does not, and no other would.
    Ends(String),
}

/// What a session is about, what it is shown, and where it looks things up.
pub struct SessionInput<'a> {
    /// Id of the diagnosis.
    pub id: &'a str,
    /// See [`PromptContext`].
    pub brief: &'a PromptContext,
    /// See [`ContextTools`].
    pub desk: &'a dyn ContextTools,
}

fn locked<T: ?Sized>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ModelContext {
    /// Begins. `clock` tells seconds since some moment, `is_cancelled` whether the job was
    /// told to end.
    #[must_use]
    pub fn new(
        mind: Arc<dyn ChatModel>,
        (terms, bounds): (RoleLimits, BudgetLimits),
        ledger: Box<dyn Ledger>,
        log: Box<dyn FnMut(TranscriptEvent) + Send>,
        (clock, is_cancelled): (Clock, fn() -> bool),
    ) -> Self {
        let purse = Mutex::new(Budget::new(bounds));
        let (ledger, log) = (Mutex::new(ledger), Mutex::new(log));
        Self { mind, terms, ledger, purse, log, clock, is_cancelled, broken: Mutex::default() }
    }

    /// The healer's model.
    #[must_use]
    pub fn model(&self) -> String {
        self.terms.get(&Role::Healer).map(|(limits, _)| limits.model.clone()).unwrap_or_default()
    }

    /// What was spent so far, in all.
    #[must_use]
    pub fn spent(&self) -> Usage {
        locked(&self.purse).run()
    }

    /// What was spent on a diagnosis.
    #[must_use]
    pub fn spent_on(&self, id: &str) -> Usage {
        locked(&self.purse).diagnosis(id)
    }

    /// Why nobody needs to ask again.
    #[must_use]
    pub fn broken(&self) -> Option<String> {
        locked(&self.broken).clone()
    }

    /// Writes down that someone hands a diagnosis over.
    pub fn hand_over(&self, id: &str, over: Handoff) {
        let what = TranscriptEventKind::HandedOver { to: over.to, because: over.because.to_owned() };
        self.note(id, over.from, what);
    }

    fn note(&self, id: &str, role: Role, what: TranscriptEventKind) {
        locked(&self.log)(TranscriptEvent { diagnosis: id.to_owned(), role, what });
    }

    /// Has a role think about a diagnosis. `told` puts a conclusion into the transcript,
    /// `trial` says whether it holds.
    pub fn run_session<T>(
        &self,
        about: &SessionInput<'_>,
        task: Task<T>,
        told: fn(&T) -> TranscriptEventKind,
        trial: &mut dyn FnMut(&T) -> Check,
    ) -> SessionOutcome<T> {
        if let Some(why) = self.broken() {
            return SessionOutcome::Broken(why);
        }
        let role = task.role;
        let Some((limits, _)) = self.terms.get(&role) else {
            return SessionOutcome::Nothing(format!("no model thinks for the {role}"));
        };
        let note = |what| self.note(about.id, role, what);
        note(TranscriptEventKind::Brief { text: kept(&about.brief.to_string()) });
        let mut session = Session::new(task, about.brief, limits.clone());
        let mut observation = Observation::Begin;
        let mut asked = Vec::new();
        loop {
            session.at((self.clock)(), (self.is_cancelled)());
            observation = match session.next(observation) {
                Step::Ask(ask) => match self.send(about.id, role, &ask, &mut asked) {
                    Ok(heard) => heard,
                    Err(unheard) => {
                        if unheard.is_final {
                            locked(&self.broken).get_or_insert_with(|| unheard.what.clone());
                        }
                        Observation::Silence(unheard.what)
                    }
                },
                Step::Look(wishes) => {
                    let look = |wish: &ToolRequest| {
                        let text = look(wish, about.desk);
                        let (Ok(shown) | Err(shown)) = &text;
                        note(TranscriptEventKind::Looked { source: wish.source(), text: kept(shown) });
                        text
                    };
                    Observation::Looked(wishes.iter().map(look).collect())
                }
                Step::Done(conclusion) => {
                    note(told(&conclusion));
                    match trial(&conclusion) {
                        Check::Holds => return SessionOutcome::Concluded(conclusion),
                        Check::Objected(why) => {
                            note(TranscriptEventKind::Objected { why: kept(&why) });
                            Observation::Objected(why)
                        }
                        Check::Ends(why) => Observation::Silence(why),
                    }
                }
                Step::GaveUp(why) => {
                    note(TranscriptEventKind::GaveUp { why: kept(&why) });
                    if session.is_senseless() {
                        locked(&self.ledger).forget(&asked);
                    }
                    return self.broken().map_or(SessionOutcome::Nothing(why), SessionOutcome::Broken);
                }
            };
        }
    }

    /// Asks the model, within the budgets; what it answered before it is not asked again.
    /// `asked` gets its digest.
    fn send(
        &self,
        id: &str,
        role: Role,
        ask: &ChatRequest,
        asked: &mut Vec<String>,
    ) -> Result<Observation, ModelError> {
        let digest = ask.digest();
        asked.push(digest.clone());
        let known = locked(&self.ledger).known(&digest);
        if let Some(reply) = known {
            self.note(
                id,
                role,
                TranscriptEventKind::Asked { model: ask.model.clone(), messages: ask.messages.len(), again: true },
            );
            return Ok(self.record_event(id, role, reply, 0));
        }
        let price = self.terms.get(&role).map(|(_, price)| *price).unwrap_or_default();
        let reserved = match locked(&self.purse).reserve(id, price.most(ask), price) {
            Ok(reserved) => reserved,
            Err(why) => return Ok(Observation::Silence(why)),
        };
        let think = || {
            self.note(
                id,
                role,
                TranscriptEventKind::Asked { model: ask.model.clone(), messages: ask.messages.len(), again: false },
            );
            self.mind.complete(ask).map(|reply| (reply.tokens, reply))
        };
        let (reply, cost) = self.with_budget(reserved, think)?;
        locked(&self.ledger).keep(&digest, &reply);
        Ok(self.record_event(id, role, reply, cost))
    }

    /// Does what was put aside for, where those who share a budget have as much left;
    /// settles what it did cost.
    fn with_budget<T>(
        &self,
        reserved: Reservation,
        act: impl FnOnce() -> Result<(TokenUsage, T), ModelError>,
    ) -> Result<(T, u64), ModelError> {
        let aside = reserved.micros();
        let refused = locked(&self.ledger).reserve(aside).err();
        if let Some(what) = refused {
            locked(&self.purse).release(reserved);
            return Err(ModelError { what, may_be_counted: false, is_final: true });
        }
        let answer = act();
        // What was refused before anything was counted costs nothing.
        let counted = match &answer {
            Ok((tokens, _)) => Some(*tokens),
            Err(unheard) => (!unheard.may_be_counted).then_some(TokenUsage::default()),
        };
        let cost = locked(&self.purse).commit(reserved, counted);
        locked(&self.ledger).settle(aside, cost);
        answer.map(|(_, answer)| (answer, cost))
    }

    /// Makes vectors of texts, within the budgets.
    ///
    /// # Errors
    /// Why there are none, for people.
    pub fn embed(&self, model: &str, price: Price, texts: &[String]) -> Result<Vec<Vec<f32>>, String> {
        let most = texts.iter().map(String::len).sum::<usize>() as u64;
        let most = price.of(TokenUsage { asked: most, said: 0 });
        let reserved = locked(&self.purse).reserve_cost(MEMORY, most, price)?;
        let embed = || self.mind.embed(model, texts).map(|embedded| (embedded.tokens, embedded.vectors));
        self.with_budget(reserved, embed).map(|(vectors, _)| vectors).map_err(|unheard| unheard.what)
    }

    /// The vectors of keyed texts: those that are kept, and the others made now, `batch`
    /// at once and no more than `most`.
    ///
    /// # Errors
    /// Why there are none, for people.
    pub fn vectors(
        &self,
        (model, price): (&str, Price),
        texts: &[(String, String)],
        (batch, most): (usize, usize),
    ) -> Result<BTreeMap<String, Vec<f32>>, String> {
        let mut found = BTreeMap::new();
        let mut open: Vec<&(String, String)> = Vec::new();
        for text in texts {
            let known = locked(&self.ledger).vector(model, &text.0);
            match known {
                Some(vector) => drop(found.insert(text.0.clone(), vector)),
                None if open.len() < most => open.push(text),
                None => {}
            }
        }
        for part in open.chunks(batch.max(1)) {
            let own: Vec<String> = part.iter().map(|(_, text)| text.clone()).collect();
            let made = self.embed(model, price, &own)?;
            let keyed: Vec<(String, Vec<f32>)> = part.iter().map(|(key, _)| key.clone()).zip(made).collect();
            locked(&self.ledger).keep_vectors(model, &keyed);
            found.extend(keyed);
        }
        Ok(found)
    }

    fn record_event(&self, id: &str, role: Role, reply: ChatResponse, cost: u64) -> Observation {
        let call = |call: &Call| Call { arguments: kept(&call.arguments), ..call.clone() };
        let calls = reply.calls.iter().map(call).collect();
        let what = TranscriptEventKind::Replied { text: kept(&reply.text), calls, tokens: reply.tokens, cost };
        self.note(id, role, what);
        Observation::Heard(reply)
    }
}

/// What an analyzer reads in a diagnosis.
pub fn read(round: &ModelContext, about: &SessionInput<'_>) -> SessionOutcome<ModelOpinion> {
    round.run_session(about, analyzer::task(), opined, &mut |_| Check::Holds)
}

fn opined(opinion: &ModelOpinion) -> TranscriptEventKind {
    TranscriptEventKind::Opined {
        verdict: opinion.verdict.word().to_owned(),
        confidence: opinion.confidence,
        claims: opinion.claims.clone(),
        dropped: opinion.dropped,
    }
}

fn look(wish: &ToolRequest, desk: &dyn ContextTools) -> Result<String, String> {
    match wish {
        ToolRequest::File { path, from, to } => desk.lines(path, *from, *to),
        ToolRequest::Search { text } => desk.search(text),
        ToolRequest::Files { under } => desk.files(under),
        ToolRequest::Commit { hash } => desk.commit(hash),
        ToolRequest::History { test } => desk.history(test),
        ToolRequest::Similar { text } => desk.similar(text),
        ToolRequest::Exchanges { endpoint } => desk.exchanges(endpoint),
        ToolRequest::Issues => desk.issues(),
        ToolRequest::None(why) => Err(why.clone()),
    }
}

/// A text as transcripts keep it: without secrets, bounded.
fn kept(text: &str) -> String {
    elide(&mask(text), TEXT).into_owned()
}

#[cfg(test)]
mod tests;
