//! A session: a role that thinks with a model. It is shown a brief, may look things up,
//! and ends with what its role concludes. Whether that holds is for others to say: then
//! it may go on with what they object.
//!
//! A session does nothing by itself: it is told what came of its last step, and says
//! what is next.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::agent::grounding::Shown;
use crate::agent::handoff::Role;
use crate::agent::prompt_context::{self, PromptContext};
use crate::agent::termination::{Progress, StopCondition};
use crate::agent::tools::{self, ToolRequest};
use crate::model::chat::{Call, ChatRequest, ChatResponse, Message};
use crate::model::secret::mask;
use crate::model::text::{clean, elide};

/// Bytes of what one look shows.
const LOOK: usize = 12 << 10;
/// Looks at once.
const LOOKS: usize = 6;

/// What a role is asked for.
pub struct Task<T> {
    /// Whose it is.
    pub role: Role,
    /// What holds for the whole talk.
    pub rules: &'static str,
    /// The form of the answer, as a JSON Schema.
    pub answer: Value,
    /// Reads an answer.
    pub read: fn(&str, &Shown, &str) -> ParsedAnswer<T>,
}

/// What an answer is.
#[derive(Clone, Debug, PartialEq)]
pub enum ParsedAnswer<T> {
    /// A conclusion.
    Concluded(T),
    /// None, and why.
    Nothing(String),
    /// Not of the form that was asked for, and what is wrong with it.
    Malformed(String),
}

/// What came of the last step.
#[derive(Clone, Debug, PartialEq)]
pub enum Observation {
    /// Nothing was done yet.
    Begin,
    /// The model answered.
    Heard(ChatResponse),
    /// What was looked up, by the order of the wishes.
    Looked(Vec<Result<String, String>>),
    /// What it concluded does not hold, and why.
    Objected(String),
    /// The model did not answer, or may not be asked any more.
    Silence(String),
}

/// What is next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step<T> {
    /// The model is asked.
    Ask(Box<ChatRequest>),
    /// Things are looked up.
    Look(Vec<ToolRequest>),
    /// It has a conclusion.
    Done(T),
    /// It has none, and why.
    GaveUp(String),
}

/// How far a session goes, and with whom.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionLimits {
    /// The model.
    pub model: String,
    /// When it ends.
    pub until: StopCondition,
    /// Tokens of one answer.
    pub most: u32,
}

/// A session about one diagnosis.
pub struct Session<T> {
    task: Task<T>,
    limits: SessionLimits,
    messages: Vec<Message>,
    shown: Shown,
    so_far: Progress,
    /// How often its answer had not the form that was asked for.
    malformed: u32,
    /// The calls of the step before, whose results come next.
    open: Vec<(Call, ToolRequest)>,
    /// How often the same was looked up, proposed or objected.
    seen: BTreeMap<String, u32>,
}

impl<T> Session<T> {
    /// One that was shown a brief.
    #[must_use]
    pub fn new(task: Task<T>, brief: &PromptContext, limits: SessionLimits) -> Self {
        let messages = vec![Message::System { text: task.rules.to_owned() }, Message::User { text: brief.to_string() }];
        Self {
            task,
            limits,
            messages,
            shown: brief.shown(),
            so_far: Progress::default(),
            malformed: 0,
            open: Vec::new(),
            seen: BTreeMap::new(),
        }
    }

    /// Tells what only others know: the time of the run, and whether it is to end.
    pub fn at(&mut self, seconds: f64, is_cancelled: bool) {
        self.so_far.seconds = seconds;
        self.so_far.is_cancelled = is_cancelled;
    }

    /// Whether it ended since its answers have no sense: asked another time, the model may
    /// make some.
    #[must_use]
    pub fn is_senseless(&self) -> bool {
        self.malformed > 1
    }

    /// What is next, after what came of the last step.
    pub fn next(&mut self, observation: Observation) -> Step<T> {
        match observation {
            Observation::Begin => self.ask(),
            Observation::Silence(why) => Step::GaveUp(why),
            Observation::Heard(reply) => self.hear(reply),
            Observation::Looked(texts) => self.looked(texts),
            Observation::Objected(why) => self.objected(&why),
        }
    }

    fn looked(&mut self, texts: Vec<Result<String, String>>) -> Step<T> {
        for ((call, wish), text) in std::mem::take(&mut self.open).into_iter().zip(texts) {
            let (is_there, text) = text.map_or_else(|why| (false, why), |text| (true, text));
            let text = elide(&mask(&clean(&text)), LOOK).into_owned();
            // What is said about a wish may hold its own words.
            let source = if is_there { wish.source() } else { "refused".to_owned() };
            self.messages.push(Message::Tool { call: call.id, text: prompt_context::quoted(&source, &text) });
            if is_there {
                self.shown.entry(source).or_default().extend(wish.pieces(&text));
            }
        }
        self.ask()
    }

    fn objected(&mut self, why: &str) -> Step<T> {
        self.so_far.tries += 1;
        self.note(format!("objection {why}"));
        let text = elide(&mask(&clean(why)), LOOK).into_owned();
        let told = format!(
            "What you propose does not hold; what came of it stands below. Propose something else, or nothing.\n{}",
            prompt_context::quoted("objection", &text)
        );
        self.messages.push(Message::User { text: told });
        self.ask()
    }

    /// Counts something that may come again: whoever goes round in circles is stopped.
    fn note(&mut self, what: String) {
        let count = self.seen.entry(what).or_default();
        *count += 1;
        self.so_far.alike = self.so_far.alike.max(*count);
    }

    fn ask(&mut self) -> Step<T> {
        if let Some(why) = self.limits.until.reached(&self.so_far) {
            return Step::GaveUp(why);
        }
        self.so_far.turns += 1;
        // The last answer has to be one.
        let is_last = self.so_far.turns == self.limits.until.turns();
        Step::Ask(Box::new(ChatRequest {
            model: self.limits.model.clone(),
            messages: self.messages.clone(),
            tools: if is_last { Vec::new() } else { tools::all() },
            answer: self.task.answer.clone(),
            max_tokens: self.limits.most,
        }))
    }

    fn hear(&mut self, reply: ChatResponse) -> Step<T> {
        let counted = reply.tokens.asked.saturating_add(reply.tokens.said);
        self.so_far.tokens = self.so_far.tokens.saturating_add(counted);
        self.messages.push(Message::Assistant { text: reply.text.clone(), calls: reply.calls.clone() });
        if !reply.calls.is_empty() {
            return self.look(reply.calls);
        }
        self.note(format!("answer {}", reply.text));
        if let Some(why) = StopCondition::reached(&self.limits.until, &self.stalled()) {
            return Step::GaveUp(why);
        }
        match (self.task.read)(&reply.text, &self.shown, &self.limits.model) {
            ParsedAnswer::Concluded(conclusion) => Step::Done(conclusion),
            ParsedAnswer::Nothing(why) => Step::GaveUp(why),
            ParsedAnswer::Malformed(why) if self.malformed > 0 => {
                self.malformed += 1;
                Step::GaveUp(format!("its answer has not the form that was asked for: {why}"))
            }
            ParsedAnswer::Malformed(why) => {
                self.malformed += 1;
                let text = format!("That is not the JSON that was asked for: {why}. Answer with the JSON alone.");
                self.messages.push(Message::User { text });
                self.ask()
            }
        }
    }

    /// How far it came as to going round in circles alone: an answer is heard even where
    /// it is the last.
    fn stalled(&self) -> Progress {
        Progress { alike: self.so_far.alike, ..Progress::default() }
    }

    fn look(&mut self, calls: Vec<Call>) -> Step<T> {
        let mut wishes = Vec::new();
        for (at, call) in calls.into_iter().enumerate() {
            self.note(format!("{} {}", call.name, call.arguments));
            let wish = if at < LOOKS {
                ToolRequest::read(&call)
            } else {
                ToolRequest::None(format!("only {LOOKS} looks at once"))
            };
            self.open.push((call, wish.clone()));
            wishes.push(wish);
        }
        match self.limits.until.reached(&self.stalled()) {
            Some(why) => Step::GaveUp(why),
            None => Step::Look(wishes),
        }
    }
}

#[cfg(test)]
mod tests;
