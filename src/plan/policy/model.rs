//! Which model thinks beside the rules, and what that may cost.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::agent::budget::{BudgetLimits, Micros, Price};
use crate::agent::handoff::Role;
use crate::agent::session::SessionLimits;
use crate::agent::termination::StopCondition;

/// How often a session may come to the same before it is ended.
const ALIKE: u32 = 3;

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
    /// Diagnoses that it thinks about at once.
    #[schemars(range(min = 1, max = 16))]
    pub parallel: u32,
    /// Edits that it may propose for one outdated test where no rule knows one; 0 asks for
    /// none. They go through the same weighing, guards and proof as all others.
    #[schemars(range(min = 0, max = 10))]
    pub edits: u32,
    /// What a million tokens cost. Without it only questions are counted.
    pub price: Prices,
    /// Another model for saying why tests failed.
    pub analyzer: Option<ModelOverride>,
    /// Another model for repairing tests.
    pub healer: Option<ModelOverride>,
    /// A model at the same endpoint that makes vectors of failures (`/embeddings`), such as
    /// `text-embedding-3-small`: failures of the past are found by what they mean. Without
    /// one they are found by their words.
    pub embedder: Option<ModelOverride>,
    /// What thinking may cost, in the money of `price`.
    pub budget: Budget,
}

/// See [`Model::analyzer`], [`Model::healer`] and [`Model::embedder`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ModelOverride {
    /// The model's name at the same endpoint.
    pub name: String,
    /// What a million of its tokens cost, where that differs.
    #[serde(default)]
    pub price: Option<Prices>,
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
    /// Tokens of one session.
    pub tokens: u64,
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
            parallel: 4,
            edits: 3,
            price: Prices::default(),
            analyzer: None,
            healer: None,
            embedder: None,
            budget: Budget::default(),
        }
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self { tokens: 0, diagnosis: 0.5, run: 2.0, head: 5.0, day: 20.0 }
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
    fn own(&self, role: Role) -> Option<&ModelOverride> {
        match role {
            Role::Analyzer => self.analyzer.as_ref(),
            Role::Healer => self.healer.as_ref(),
            _ => None,
        }
    }

    fn name_for(&self, role: Role) -> &str {
        self.own(role).map_or(&self.name, |own| &own.name)
    }

    fn price_for(&self, role: Role) -> Price {
        let price = self.own(role).and_then(|own| own.price).unwrap_or(self.price);
        Price { asked: micros(price.asked), said: micros(price.said) }
    }

    fn limits(&self, role: Role) -> SessionLimits {
        let mut until = StopCondition::MaxTurns(self.questions)
            | StopCondition::Seconds(f64::from(self.minutes) * 60.0)
            | StopCondition::Repetition(ALIKE)
            | StopCondition::Cancelled;
        if self.budget.tokens > 0 {
            until = until | StopCondition::Tokens(self.budget.tokens);
        }
        if role == Role::Healer {
            until = until | StopCondition::MaxRejected(self.edits);
        }
        SessionLimits { model: self.name_for(role).to_owned(), until, most: self.answer_tokens }
    }

    /// What a run may cost.
    #[must_use]
    pub fn bounds(&self) -> BudgetLimits {
        BudgetLimits {
            diagnosis: micros(self.budget.diagnosis),
            run: micros(self.budget.run),
            // A diagnosis is read once, and repaired once.
            asks: self.questions.saturating_mul(2),
            asks_of_run: self.questions.saturating_mul(self.diagnoses).saturating_mul(2),
        }
    }

    /// For each role that thinks with a model: how far, and what that costs.
    #[must_use]
    pub fn terms(&self) -> BTreeMap<Role, (SessionLimits, Price)> {
        let roles = [Role::Analyzer, Role::Healer].into_iter().filter(|role| *role != Role::Healer || self.edits > 0);
        roles.map(|role| (role, (self.limits(role), self.price_for(role)))).collect()
    }

    /// The model that makes vectors, and what it costs.
    #[must_use]
    pub fn embedder(&self) -> Option<(String, Price)> {
        let own = self.embedder.as_ref()?;
        let price = own.price.unwrap_or_default();
        Some((own.name.clone(), Price { asked: micros(price.asked), said: 0 }))
    }

    /// What all runs of a head and of a day may cost.
    #[must_use]
    pub fn shared(&self) -> (Micros, Micros) {
        (micros(self.budget.head), micros(self.budget.day))
    }
}
