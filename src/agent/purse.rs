//! Budgets: what thinking may cost. Before each question the most that it can cost is
//! put aside; afterwards what it did cost is taken, and the rest comes back.

use crate::model::talk::{Ask, Message, Tokens};

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
    pub fn of(&self, tokens: Tokens) -> Micros {
        let part = |count: u64, price: u64| u128::from(count) * u128::from(price);
        let sum = part(tokens.asked, self.asked) + part(tokens.said, self.said);
        u64::try_from(sum.div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }

    /// The most that a question can cost: no tokenizer makes more tokens than there
    /// are bytes.
    #[must_use]
    pub fn most(&self, ask: &Ask) -> Micros {
        self.of(Tokens { asked: bytes(ask), said: u64::from(ask.most) })
    }
}

/// The bytes of a question.
fn bytes(ask: &Ask) -> u64 {
    let message = |message: &Message| match message {
        Message::Rules { text } | Message::Us { text } => text.len(),
        Message::Found { call, text } => call.len() + text.len(),
        Message::Model { text, calls } => {
            text.len() + calls.iter().map(|c| c.id.len() + c.name.len() + c.arguments.len() + 64).sum::<usize>()
        }
    };
    let tools: usize = ask.tools.iter().map(|t| t.about.len() + t.arguments.to_string().len() + 64).sum();
    let said: usize = ask.messages.iter().map(|m| message(m) + 16).sum();
    (said + tools + ask.answer.to_string().len()) as u64
}

/// What one diagnosis and all of a run may cost. Without prices questions are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
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
pub struct Purse {
    bounds: Bounds,
    price: Price,
    run: Spent,
    diagnosis: Spent,
}

/// What was spent, and is put aside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// In money, with what is put aside.
    pub micros: Micros,
    /// Questions.
    pub asks: u32,
    /// Tokens.
    pub tokens: Tokens,
}

/// What was put aside for a question.
#[derive(Debug)]
#[must_use]
pub struct Reserved(Micros);

impl Reserved {
    /// How much it is.
    #[must_use]
    pub fn micros(&self) -> Micros {
        self.0
    }
}

impl Purse {
    /// A full one.
    #[must_use]
    pub fn new(bounds: Bounds, price: Price) -> Self {
        Self { bounds, price, run: Spent::default(), diagnosis: Spent::default() }
    }

    /// The next diagnosis begins.
    pub fn begin(&mut self) {
        self.diagnosis = Spent::default();
    }

    /// What all of the run cost so far.
    #[must_use]
    pub fn run(&self) -> Spent {
        self.run
    }

    /// What the present diagnosis cost so far.
    #[must_use]
    pub fn diagnosis(&self) -> Spent {
        self.diagnosis
    }

    /// Puts aside what a question can cost.
    ///
    /// # Errors
    /// Which bound it would break, for people.
    pub fn reserve(&mut self, ask: &Ask) -> Result<Reserved, String> {
        let most = self.price.most(ask);
        let over = |spent: Spent, bound: Micros| bound > 0 && spent.micros.saturating_add(most) > bound;
        if self.run.asks >= self.bounds.asks_of_run {
            return Err(format!("the run asked its {} questions", self.bounds.asks_of_run));
        }
        if self.diagnosis.asks >= self.bounds.asks {
            return Err(format!("the diagnosis asked its {} questions", self.bounds.asks));
        }
        if over(self.diagnosis, self.bounds.diagnosis) {
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
        for spent in [&mut self.run, &mut self.diagnosis] {
            spent.micros = spent.micros.saturating_add(most);
            spent.asks += 1;
        }
        Ok(Reserved(most))
    }

    /// Takes back what was put aside for a question that was never put.
    #[expect(clippy::needless_pass_by_value, reason = "what was put aside is given back once")]
    pub fn give_back(&mut self, reserved: Reserved) {
        let Reserved(aside) = reserved;
        for spent in [&mut self.run, &mut self.diagnosis] {
            spent.micros = spent.micros.saturating_sub(aside);
            spent.asks = spent.asks.saturating_sub(1);
        }
    }

    /// Takes what a question did cost. One that was never answered costs what the other
    /// side may have counted: all that was put aside.
    #[expect(clippy::needless_pass_by_value, reason = "what was put aside is settled once")]
    pub fn settle(&mut self, reserved: Reserved, tokens: Option<Tokens>) -> Micros {
        let Reserved(aside) = reserved;
        let cost = tokens.map_or(aside, |tokens| self.price.of(tokens));
        for spent in [&mut self.run, &mut self.diagnosis] {
            spent.micros = spent.micros.saturating_sub(aside).saturating_add(cost);
            spent.tokens += tokens.unwrap_or_default();
        }
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

    fn ask(text: &str) -> Ask {
        let messages = vec![Message::Us { text: text.to_owned() }];
        Ask { model: "m".to_owned(), messages, tools: Vec::new(), answer: Value::Null, most: 100 }
    }

    fn purse(diagnosis: Micros, run: Micros) -> Purse {
        // A millionth a token.
        let price = Price { asked: 1_000_000, said: 1_000_000 };
        Purse::new(Bounds { diagnosis, run, asks: 3, asks_of_run: 4 }, price)
    }

    #[test]
    fn nothing_is_spent_twice_or_over_a_bound() {
        let mut purse = purse(250, 400);
        let first = purse.reserve(&ask("hello")).unwrap();
        assert_eq!(first.micros(), 125, "5 letters, 16 around them, 4 of `null`, 100 that may be said");
        assert_eq!(purse.settle(first, Some(Tokens { asked: 3, said: 4 })), 7);
        assert_eq!(purse.run().micros, 7);
        // One that broke off may have been counted.
        let second = purse.reserve(&ask("hello")).unwrap();
        assert_eq!(purse.settle(second, None), 125);
        assert!(purse.reserve(&ask("hello")).unwrap_err().contains("for a diagnosis"));
        purse.begin();
        let third = purse.reserve(&ask("hello")).unwrap();
        assert_eq!(purse.settle(third, None), 125);
        assert_eq!(purse.diagnosis().asks, 1);
        purse.begin();
        assert!(purse.reserve(&ask(&"x".repeat(40))).unwrap_err().contains("for a run"));
    }

    #[test]
    fn questions_are_counted_where_there_are_no_prices() {
        let mut purse = Purse::new(Bounds { diagnosis: 0, run: 0, asks: 3, asks_of_run: 4 }, Price::default());
        for _ in 0..3 {
            let reserved = purse.reserve(&ask("x")).unwrap();
            assert_eq!(purse.settle(reserved, None), 0);
        }
        assert!(purse.reserve(&ask("x")).unwrap_err().contains("3 questions"));
        purse.begin();
        let _ = purse.reserve(&ask("x")).unwrap();
        assert!(purse.reserve(&ask("x")).unwrap_err().contains("4 questions"));
    }

    #[test]
    fn money_is_told_short() {
        for (micros, expected) in [(0, "0.00"), (1_500_000, "1.50"), (1_234, "0.001234"), (20_000, "0.02")] {
            assert_eq!(money(micros), expected);
        }
    }
}
