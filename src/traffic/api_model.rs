//! What is remembered of an API: the shape of each kind of answer.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::shape::Node;
use super::template::Templates;
use crate::model::exchange::{Body, Exchange};
use crate::model::time::Timestamp;

/// Kinds of answers that are remembered.
const KINDS: usize = 5000;

/// A kind of answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Kind {
    /// Method.
    pub method: String,
    /// Template of the path.
    pub template: String,
    /// Status.
    pub status: u16,
    /// Media type; empty where none was named.
    pub media: String,
}

impl Kind {
    /// `GET /users/{user}`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("{} {}", self.method, self.template)
    }
}

/// What was seen of a kind of answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ResponseStats {
    /// Answers.
    pub n: u64,
    /// Runs in which one came.
    pub runs: u64,
    /// When the first came, and the last.
    pub first: Option<Timestamp>,
    /// See `first`.
    pub last: Option<Timestamp>,
    /// Their bodies.
    pub body: Node,
}

/// All kinds of answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ApiModel {
    /// By kind.
    pub kinds: BTreeMap<Kind, ResponseStats>,
}

impl ApiModel {
    /// What one run saw at a moment, by templates that know its paths.
    #[must_use]
    pub fn of(exchanges: &[Exchange], templates: &Templates, at: Timestamp) -> Self {
        let mut memory = Self::default();
        for exchange in exchanges {
            memory.see(exchange, templates, at);
        }
        memory
    }

    fn see(&mut self, exchange: &Exchange, templates: &Templates, at: Timestamp) {
        let Some(response) = &exchange.response else { return };
        let kind = Kind {
            method: exchange.request.method.clone(),
            template: templates.of(&exchange.request.path),
            status: response.status,
            media: response.headers.media_type().unwrap_or_default(),
        };
        if self.kinds.len() >= KINDS && !self.kinds.contains_key(&kind) {
            return;
        }
        let seen = self.kinds.entry(kind).or_insert_with(|| ResponseStats {
            runs: 1,
            first: Some(at),
            last: Some(at),
            ..ResponseStats::default()
        });
        seen.n += 1;
        if let Body::Json(value) = &response.body {
            seen.body.see(value);
        }
    }

    /// Takes in what a later run saw.
    pub fn merge(&mut self, other: &Self) {
        for (kind, seen) in &other.kinds {
            if let Some(own) = self.kinds.get_mut(kind) {
                own.n += seen.n;
                own.runs += seen.runs;
                own.first = own.first.into_iter().chain(seen.first).min();
                own.last = own.last.into_iter().chain(seen.last).max();
                own.body.age(&seen.body);
                own.body.merge(&seen.body);
            } else if self.kinds.len() < KINDS {
                self.kinds.insert(kind.clone(), seen.clone());
            }
        }
    }
}
