//! Which model thinks beside the rules, and what that may cost.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::agent::purse::{Bounds, Micros, Price};

/// See [`super::Policy::model`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Model {
    /// An OpenAI-compatible endpoint, such as `https://api.openai.com/v1`; without one the
    /// rules think alone. Its key stands in the variable `TESTMEDIC_MODEL_KEY`, or in the
    /// file that `TESTMEDIC_MODEL_KEY_FILE` names.
    pub url: String,
    /// The model's name there.
    pub name: String,
    /// Headers of each question; `{key}` stands for the key.
    pub headers: BTreeMap<String, String>,
    /// Parameters of each address, such as `api-version`.
    pub query: BTreeMap<String, String>,
    /// Seconds that one answer may take.
    #[schemars(range(min = 1, max = 600))]
    pub timeout_seconds: u32,
    /// Tokens of one answer.
    #[schemars(range(min = 100, max = 100_000))]
    pub answer_tokens: u32,
    /// Questions about one diagnosis.
    #[schemars(range(min = 1, max = 50))]
    pub questions: u32,
    /// Minutes after which a run asks no more.
    #[schemars(range(min = 1, max = 120))]
    pub minutes: u32,
    /// Diagnoses of a run that it thinks about: those that the rules leave undecided.
    #[schemars(range(min = 0, max = 100))]
    pub diagnoses: u32,
    /// What a million tokens cost. Without it only questions are counted.
    pub price: Prices,
    /// What thinking may cost, in the money of `price`.
    pub budget: Budget,
}

/// See [`Model::price`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Prices {
    /// Tokens of questions.
    pub asked: f64,
    /// Tokens of answers.
    pub said: f64,
}

/// See [`Model::budget`]; 0 is no bound.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Budget {
    /// One diagnosis.
    pub diagnosis: f64,
    /// All of a run.
    pub run: f64,
    /// All runs of one head of a pull request, as far as they share a history.
    pub head: f64,
    /// All runs of a day (UTC), as far as they share a history.
    pub day: f64,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            url: String::new(),
            name: String::new(),
            headers: BTreeMap::new(),
            query: BTreeMap::new(),
            timeout_seconds: 120,
            answer_tokens: 4000,
            questions: 8,
            minutes: 10,
            diagnoses: 5,
            price: Prices::default(),
            budget: Budget::default(),
        }
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self { diagnosis: 0.5, run: 2.0, head: 5.0, day: 20.0 }
    }
}

/// Money in millionths.
fn micros(money: f64) -> Micros {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
    let micros = (money * 1e6).ceil().clamp(0.0, 1e15) as Micros;
    // What is no amount of money is no leave to spend any.
    if money.is_nan() || money < 0.0 { 1 } else { micros }
}

impl Model {
    /// What it costs.
    #[must_use]
    pub fn price(&self) -> Price {
        Price { asked: micros(self.price.asked), said: micros(self.price.said) }
    }

    /// What a run may cost.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        Bounds {
            diagnosis: micros(self.budget.diagnosis),
            run: micros(self.budget.run),
            asks: self.questions,
            asks_of_run: self.questions.saturating_mul(self.diagnoses),
        }
    }

    /// What all runs of a head and of a day may cost.
    #[must_use]
    pub fn shared(&self) -> (Micros, Micros) {
        (micros(self.budget.head), micros(self.budget.day))
    }
}
