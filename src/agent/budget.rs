//! Budgets: what thinking may cost. Before each question the most that it can cost is
//! put aside; afterwards what it did cost is taken, and the rest comes back.

use std::collections::BTreeMap;

use crate::model::chat::{ChatRequest, Message, TokenUsage};

/// A millionth of the money that prices are told in.
pub type Micros = u64;

/// What a model costs, in millionths for a million tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Price {
    /// Tokens of questions.
    pub asked: Micros,
    /// Tokens of answers.
    pub said: Micros,
}

impl Price {
    /// What some tokens cost.
    #[must_use]
    pub fn of(&self, tokens: TokenUsage) -> Micros {
        let part = |count: u64, price: u64| u128::from(count) * u128::from(price);
        let sum = part(tokens.asked, self.asked) + part(tokens.said, self.said);
        u64::try_from(sum.div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }

    /// The most that a question can cost: no tokenizer makes more tokens than there
    /// are bytes.
    #[must_use]
    pub fn most(&self, ask: &ChatRequest) -> Micros {
        self.of(TokenUsage { asked: bytes(ask), said: u64::from(ask.max_tokens) })
    }
}

/// The bytes of a question.
fn bytes(ask: &ChatRequest) -> u64 {
    let message = |message: &Message| match message {
        Message::System { text } | Message::User { text } => text.len(),
        Message::Tool { call, text } => call.len() + text.len(),
        Message::Assistant { text, calls } => {
            text.len() + calls.iter().map(|c| c.id.len() + c.name.len() + c.arguments.len() + 64).sum::<usize>()
        }
    };
    let tools: usize = ask.tools.iter().map(|t| t.about.len() + t.arguments.to_string().len() + 64).sum();
    let said: usize = ask.messages.iter().map(|m| message(m) + 16).sum();
    (said + tools + ask.answer.to_string().len()) as u64
}

/// What one diagnosis and all of a run may cost. Without prices questions are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetLimits {
    /// For one diagnosis; 0 is no bound.
    pub diagnosis: Micros,
    /// For all of a run.
    pub run: Micros,
    /// Questions for one diagnosis.
    pub asks: u32,
    /// Questions of a run.
    pub asks_of_run: u32,
}

/// What is left.
#[derive(Clone, Debug)]
pub struct Budget {
    bounds: BudgetLimits,
    run: Usage,
    diagnoses: BTreeMap<String, Usage>,
}

/// What was spent, and is put aside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// In money, with what is put aside.
    pub micros: Micros,
    /// Questions.
    pub asks: u32,
    /// Tokens.
    pub tokens: TokenUsage,
}

/// What was put aside for a question.
#[derive(Debug)]
#[must_use]
pub struct Reservation {
    diagnosis: String,
    price: Price,
    micros: Micros,
    asks: u32,
}

impl Reservation {
    /// How much it is.
    #[must_use]
    pub fn micros(&self) -> Micros {
        self.micros
    }
}

impl Budget {
    /// A full one.
    #[must_use]
    pub fn new(bounds: BudgetLimits) -> Self {
        Self { bounds, run: Usage::default(), diagnoses: BTreeMap::new() }
    }

    /// What all of the run cost so far.
    #[must_use]
    pub fn run(&self) -> Usage {
        self.run
    }

    /// What a diagnosis cost so far.
    #[must_use]
    pub fn diagnosis(&self, id: &str) -> Usage {
        self.diagnoses.get(id).copied().unwrap_or_default()
    }

    /// Puts aside what a question about a diagnosis can cost.
    ///
    /// # Errors
    /// Which bound it would break, for people.
    pub fn reserve(&mut self, diagnosis: &str, most: Micros, price: Price) -> Result<Reservation, String> {
        let own = self.diagnosis(diagnosis);
        if self.run.asks >= self.bounds.asks_of_run {
            return Err(format!("the run asked its {} questions", self.bounds.asks_of_run));
        }
        if own.asks >= self.bounds.asks {
            return Err(format!("the diagnosis asked its {} questions", self.bounds.asks));
        }
        let reserved = self.reserve_cost(diagnosis, most, price)?;
        self.both(diagnosis, |spent| spent.asks += 1);
        Ok(Reservation { asks: 1, ..reserved })
    }

    /// Puts aside what something can cost that is no question.
    ///
    /// # Errors
    /// Which bound it would break, for people.
    pub fn reserve_cost(&mut self, diagnosis: &str, most: Micros, price: Price) -> Result<Reservation, String> {
        let own = self.diagnosis(diagnosis);
        let over = |spent: Usage, bound: Micros| bound > 0 && spent.micros.saturating_add(most) > bound;
        if over(own, self.bounds.diagnosis) {
            return Err(format!(
                "the next question may cost more than what is left of {} for a diagnosis",
                money(self.bounds.diagnosis)
            ));
        }
        if over(self.run, self.bounds.run) {
            return Err(format!(
                "the next question may cost more than what is left of {} for a run",
                money(self.bounds.run)
            ));
        }
        self.both(diagnosis, |spent| spent.micros = spent.micros.saturating_add(most));
        Ok(Reservation { diagnosis: diagnosis.to_owned(), price, micros: most, asks: 0 })
    }

    fn both(&mut self, diagnosis: &str, change: impl Fn(&mut Usage)) {
        change(&mut self.run);
        change(self.diagnoses.entry(diagnosis.to_owned()).or_default());
    }

    /// Takes back what was put aside for a question that was never put.
    #[expect(clippy::needless_pass_by_value, reason = "what was put aside is given back once")]
    pub fn release(&mut self, reserved: Reservation) {
        self.both(&reserved.diagnosis, |spent| {
            spent.micros = spent.micros.saturating_sub(reserved.micros);
            spent.asks = spent.asks.saturating_sub(reserved.asks);
        });
    }

    /// Takes what a question did cost. One that was never answered costs what the other
    /// side may have counted: all that was put aside.
    #[expect(clippy::needless_pass_by_value, reason = "what was put aside is settled once")]
    pub fn commit(&mut self, reserved: Reservation, tokens: Option<TokenUsage>) -> Micros {
        let aside = reserved.micros;
        let cost = tokens.map_or(aside, |tokens| reserved.price.of(tokens));
        self.both(&reserved.diagnosis, |spent| {
            spent.micros = spent.micros.saturating_sub(aside).saturating_add(cost);
            spent.tokens += tokens.unwrap_or_default();
        });
        cost
    }
}

/// Money, with as many digits as it needs.
#[must_use]
pub fn money(micros: Micros) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    let short = text.trim_end_matches('0');
    let digits = short.len() - short.find('.').unwrap_or(0) - 1;
    if digits < 2 { text[..text.len() - 4].to_owned() } else { short.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn ask(text: &str) -> ChatRequest {
        let messages = vec![Message::User { text: text.to_owned() }];
        ChatRequest { model: "m".to_owned(), messages, tools: Vec::new(), answer: Value::Null, max_tokens: 100 }
    }

    /// A millionth a token.
    const PRICE: Price = Price { asked: 1_000_000, said: 1_000_000 };

    #[test]
    fn nothing_is_spent_twice_or_over_a_bound() {
        let mut purse = Budget::new(BudgetLimits { diagnosis: 250, run: 400, asks: 3, asks_of_run: 4 });
        let first = purse.reserve("a", PRICE.most(&ask("hello")), PRICE).unwrap();
        assert_eq!(first.micros(), 125, "5 letters, 16 around them, 4 of `null`, 100 that may be said");
        assert_eq!(purse.commit(first, Some(TokenUsage { asked: 3, said: 4 })), 7);
        assert_eq!(purse.run().micros, 7);
        // One that broke off may have been counted.
        let second = purse.reserve("a", PRICE.most(&ask("hello")), PRICE).unwrap();
        assert_eq!(purse.commit(second, None), 125);
        assert!(purse.reserve("a", PRICE.most(&ask("hello")), PRICE).unwrap_err().contains("for a diagnosis"));
        let third = purse.reserve("b", PRICE.most(&ask("hello")), PRICE).unwrap();
        assert_eq!(purse.commit(third, None), 125);
        assert_eq!((purse.diagnosis("a").asks, purse.diagnosis("b").asks), (2, 1));
        assert!(purse.reserve("c", PRICE.most(&ask(&"x".repeat(40))), PRICE).unwrap_err().contains("for a run"));
    }

    #[test]
    fn questions_are_counted_where_there_are_no_prices() {
        let mut purse = Budget::new(BudgetLimits { diagnosis: 0, run: 0, asks: 3, asks_of_run: 4 });
        for _ in 0..3 {
            let reserved = purse.reserve("a", Price::default().most(&ask("x")), Price::default()).unwrap();
            assert_eq!(purse.commit(reserved, None), 0);
        }
        assert!(
            purse.reserve("a", Price::default().most(&ask("x")), Price::default()).unwrap_err().contains("3 questions")
        );
        let _ = purse.reserve("b", Price::default().most(&ask("x")), Price::default()).unwrap();
        assert!(
            purse.reserve("b", Price::default().most(&ask("x")), Price::default()).unwrap_err().contains("4 questions")
        );
    }

    #[test]
    fn money_is_told_short() {
        for (micros, expected) in [(0, "0.00"), (1_500_000, "1.50"), (1_234, "0.001234"), (20_000, "0.02")] {
            assert_eq!(money(micros), expected);
        }
    }
}
