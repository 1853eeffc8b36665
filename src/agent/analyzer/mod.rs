//! The analyzer: why tests failed, where the rules alone cannot say. It is shown what
//! they found, may look things up, and ends with a reading that is supported by quotes.
//!
//! A session does nothing by itself: it is told what came of its last step, and says
//! what is next. Its word is an opinion beside the verdict of the rules: what is done
//! depends on these alone.

mod answer;
pub mod brief;
pub mod tools;

use std::collections::BTreeMap;

pub use self::brief::Brief;
use self::tools::Wish;
use crate::agent::grounding::Shown;
use crate::diagnose::verdict::Opinion;
use crate::model::secret::mask;
use crate::model::talk::{Ask, Call, Message, Reply};
use crate::model::text::{clean, elide};

/// Bytes of what one look shows.
const LOOK: usize = 12 << 10;
/// Looks at once, and calls alike after which it is going round in circles.
const LOOKS: usize = 6;
const ALIKE: u32 = 3;

/// What came of the last step.
#[derive(Clone, Debug, PartialEq)]
pub enum Observation {
    /// Nothing was done yet.
    Begin,
    /// The model answered.
    Heard(Reply),
    /// What was looked up, by the order of the wishes.
    Looked(Vec<Result<String, String>>),
    /// The model did not answer, or may not be asked any more.
    Silence(String),
}

/// What is next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// The model is asked.
    Ask(Box<Ask>),
    /// Things are looked up.
    Look(Vec<Wish>),
    /// It has an opinion.
    Done(Opinion),
    /// It has none, and why.
    GaveUp(String),
}

/// How far a session goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The model.
    pub model: String,
    /// Questions.
    pub turns: u32,
    /// Tokens of one answer.
    pub most: u32,
}

/// A session about one diagnosis.
#[derive(Clone, Debug)]
pub struct Session {
    limits: Limits,
    messages: Vec<Message>,
    shown: Shown,
    turns: u32,
    /// Whether it was told once that its answer has not the form that was asked for.
    was_told: bool,
    /// The calls of the step before, whose results come next.
    open: Vec<(Call, Wish)>,
    /// How often the same was looked up.
    seen: BTreeMap<String, u32>,
}

impl Session {
    /// One that was shown a brief.
    #[must_use]
    pub fn new(brief: &Brief, limits: Limits) -> Self {
        let messages = vec![Message::Rules { text: brief::RULES.to_owned() }, Message::Us { text: brief.to_string() }];
        Self {
            limits,
            messages,
            shown: brief.shown(),
            turns: 0,
            was_told: false,
            open: Vec::new(),
            seen: BTreeMap::new(),
        }
    }

    /// What is next, after what came of the last step.
    pub fn next(&mut self, observation: Observation) -> Step {
        match observation {
            Observation::Begin => self.ask(),
            Observation::Silence(why) => Step::GaveUp(why),
            Observation::Heard(reply) => self.hear(reply),
            Observation::Looked(texts) => {
                for ((call, wish), text) in std::mem::take(&mut self.open).into_iter().zip(texts) {
                    let (is_there, text) = text.map_or_else(|why| (false, why), |text| (true, text));
                    let text = elide(&mask(&clean(&text)), LOOK).into_owned();
                    // What is said about a wish may hold its own words.
                    let source = if is_there { wish.source() } else { "refused".to_owned() };
                    self.messages.push(Message::Found { call: call.id, text: brief::quoted(&source, &text) });
                    if is_there {
                        self.shown.entry(source).or_default().extend(wish.pieces(&text));
                    }
                }
                self.ask()
            }
        }
    }

    fn ask(&mut self) -> Step {
        if self.turns >= self.limits.turns {
            return Step::GaveUp(format!("it came to no end in {} questions", self.turns));
        }
        self.turns += 1;
        // The last answer has to be one.
        let is_last = self.turns == self.limits.turns;
        Step::Ask(Box::new(Ask {
            model: self.limits.model.clone(),
            messages: self.messages.clone(),
            tools: if is_last { Vec::new() } else { tools::all() },
            answer: answer::schema(),
            most: self.limits.most,
        }))
    }

    fn hear(&mut self, reply: Reply) -> Step {
        self.messages.push(Message::Model { text: reply.text.clone(), calls: reply.calls.clone() });
        if !reply.calls.is_empty() {
            return self.look(reply.calls);
        }
        match answer::read(&reply.text, &self.shown, &self.limits.model) {
            Ok(opinion) if opinion.claims.is_empty() => {
                Step::GaveUp("nothing of what it said is supported by what it was shown".to_owned())
            }
            Ok(opinion) => Step::Done(opinion),
            Err(why) if self.was_told => Step::GaveUp(format!("its answer has not the form that was asked for: {why}")),
            Err(why) => {
                self.was_told = true;
                let text = format!("That is not the JSON that was asked for: {why}. Answer with the JSON alone.");
                self.messages.push(Message::Us { text });
                self.ask()
            }
        }
    }

    fn look(&mut self, calls: Vec<Call>) -> Step {
        let mut wishes = Vec::new();
        for (at, call) in calls.into_iter().enumerate() {
            let count = self.seen.entry(format!("{} {}", call.name, call.arguments)).or_default();
            *count += 1;
            if *count >= ALIKE {
                return Step::GaveUp(format!("it looked up the same {count} times"));
            }
            let wish = if at < LOOKS { Wish::read(&call) } else { Wish::None(format!("only {LOOKS} looks at once")) };
            self.open.push((call, wish.clone()));
            wishes.push(wish);
        }
        Step::Look(wishes)
    }
}

#[cfg(test)]
mod tests;
