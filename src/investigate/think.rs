//! Drives the analyzer: asks the model what the session wants to ask, looks up what it
//! wants to see, and pays. Everything that happens is written into a transcript.

use serde::{Deserialize, Serialize};

use crate::agent::analyzer::tools::Wish;
use crate::agent::analyzer::{Brief, Limits, Observation, Session, Step};
use crate::agent::purse::Purse;
use crate::diagnose::verdict::Opinion;
use crate::model::secret::mask;
use crate::model::talk::{Ask, Call, Claim, Tokens};
use crate::model::text::elide;
use crate::ports::{Desk, Ledger, Mind, Unheard};

/// Bytes of one text of a transcript.
const TEXT: usize = 64 << 10;

/// Something that happened in a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Id of the diagnosis.
    pub diagnosis: String,
    /// Whose session it is.
    pub role: String,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// See [`Event::what`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum What {
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
    },
    /// It answered.
    Replied {
        /// The words.
        text: String,
        /// What it wants to see.
        calls: Vec<Call>,
        /// What was counted.
        tokens: Tokens,
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
        claims: Vec<Claim>,
        /// Claims that nothing supports.
        dropped: usize,
    },
    /// It ended without one.
    GaveUp {
        /// Why.
        why: String,
    },
}

/// What a session needs of the world.
pub struct Around<'a> {
    /// The model.
    pub mind: &'a dyn Mind,
    /// Where things are looked up.
    pub desk: &'a dyn Desk,
    /// Budgets that other runs share.
    pub ledger: &'a mut dyn Ledger,
    /// Budgets of this run.
    pub purse: &'a mut Purse,
    /// Seconds since some moment, and when no more is asked.
    pub clock: &'a dyn Fn() -> f64,
    /// See `clock`.
    pub until: f64,
}

/// What came of a session.
#[derive(Clone, Debug, PartialEq)]
pub enum Ended {
    /// An opinion.
    Opinion(Opinion),
    /// None, and why.
    Nothing(String),
    /// None, and nobody needs to ask again in this run.
    Broken(String),
}

/// Thinks about one diagnosis.
pub fn think(id: &str, brief: &Brief, limits: Limits, around: &mut Around<'_>, log: &mut dyn FnMut(Event)) -> Ended {
    around.purse.begin();
    let mut note = |what| log(Event { diagnosis: id.to_owned(), role: "analyzer".to_owned(), what });
    note(What::Brief { text: kept(&brief.to_string()) });
    let mut session = Session::new(brief, limits);
    let mut broken = None;
    let mut observation = Observation::Begin;
    loop {
        observation = match session.next(observation) {
            Step::Ask(ask) => match put(&ask, around, &mut note) {
                Ok(heard) => heard,
                Err(unheard) => {
                    broken = unheard.is_final.then(|| unheard.what.clone());
                    Observation::Silence(unheard.what)
                }
            },
            Step::Look(wishes) => {
                Observation::Looked(wishes.iter().map(|wish| look(wish, around, &mut note)).collect())
            }
            Step::Done(opinion) => {
                note(What::Opined {
                    verdict: opinion.verdict.word().to_owned(),
                    confidence: opinion.confidence,
                    claims: opinion.claims.clone(),
                    dropped: opinion.dropped,
                });
                return Ended::Opinion(opinion);
            }
            Step::GaveUp(why) => {
                note(What::GaveUp { why: kept(&why) });
                return broken.map_or(Ended::Nothing(why), Ended::Broken);
            }
        };
    }
}

/// Asks the model, within the budgets.
fn put(ask: &Ask, around: &mut Around<'_>, note: &mut dyn FnMut(What)) -> Result<Observation, Unheard> {
    let over = |what: String| Unheard { what, may_be_counted: false, is_final: true };
    if (around.clock)() > around.until {
        return Err(over("there is no time left to think (`model.minutes`)".to_owned()));
    }
    let reserved = match around.purse.reserve(ask) {
        Ok(reserved) => reserved,
        Err(why) => return Ok(Observation::Silence(why)),
    };
    if let Err(why) = around.ledger.reserve(reserved.micros()) {
        around.purse.give_back(reserved);
        return Err(over(why));
    }
    note(What::Asked { model: ask.model.clone(), messages: ask.messages.len() });
    let aside = reserved.micros();
    let answer = around.mind.think(ask);
    // What was refused before anything was counted costs nothing.
    let counted = match &answer {
        Ok(reply) => Some(reply.tokens),
        Err(unheard) => (!unheard.may_be_counted).then_some(Tokens::default()),
    };
    let cost = around.purse.settle(reserved, counted);
    around.ledger.settle(aside, cost);
    match answer {
        Ok(reply) => {
            note(What::Replied { text: kept(&reply.text), calls: reply.calls.clone(), tokens: reply.tokens, cost });
            Ok(Observation::Heard(reply))
        }
        Err(unheard) => Err(unheard),
    }
}

fn look(wish: &Wish, around: &Around<'_>, note: &mut dyn FnMut(What)) -> Result<String, String> {
    let text = match wish {
        Wish::File { path, from, to } => around.desk.lines(path, *from, *to),
        Wish::Search { text } => around.desk.search(text),
        Wish::Files { under } => around.desk.files(under),
        Wish::Commit { hash } => around.desk.commit(hash),
        Wish::None(why) => Err(why.clone()),
    };
    let (Ok(shown) | Err(shown)) = &text;
    note(What::Looked { source: wish.source(), text: kept(shown) });
    text
}

/// A text as transcripts keep it: without secrets, bounded.
fn kept(text: &str) -> String {
    elide(&mask(text), TEXT).into_owned()
}

#[cfg(test)]
mod tests;
