//! When a session ends: conditions that compose. The first that is reached ends it.

use std::ops::BitOr;

/// How far a session came.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Progress {
    /// Questions.
    pub turns: u32,
    /// Tokens, of questions and answers.
    pub tokens: u64,
    /// Seconds of the run.
    pub seconds: f64,
    /// How often the same was asked for, or came of it.
    pub alike: u32,
    /// Proposals that did not hold.
    pub tries: u32,
    /// Whether the job was told to end.
    pub is_cancelled: bool,
}

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub enum StopCondition {
    /// So many questions.
    MaxTurns(u32),
    /// So many tokens.
    Tokens(u64),
    /// So many seconds of the run.
    Seconds(f64),
    /// So often the same.
    Repetition(u32),
    /// So many proposals that did not hold.
    MaxRejected(u32),
    /// The job was told to end.
    Cancelled,
    /// One of these.
    Any(Vec<StopCondition>),
}

impl StopCondition {
    /// Why it is reached; `None` where it is not.
    #[must_use]
    pub fn reached(&self, so_far: &Progress) -> Option<String> {
        let told = |is: bool, text: String| is.then_some(text);
        match self {
            Self::MaxTurns(most) => {
                told(so_far.turns >= *most, format!("it came to no end in {} questions", so_far.turns))
            }
            Self::Tokens(most) => {
                told(so_far.tokens >= *most, format!("it took {} tokens (`model.budget.tokens`)", so_far.tokens))
            }
            Self::Seconds(most) => {
                told(so_far.seconds > *most, "there is no time left to think (`model.minutes`)".to_owned())
            }
            Self::Repetition(most) => {
                told(so_far.alike >= *most, format!("it came to the same {} times", so_far.alike))
            }
            Self::MaxRejected(most) => {
                told(so_far.tries >= *most, format!("none of its {} proposals holds", so_far.tries))
            }
            Self::Cancelled => told(so_far.is_cancelled, "the job was told to end".to_owned()),
            Self::Any(all) => all.iter().find_map(|one| one.reached(so_far)),
        }
    }

    /// The most questions.
    #[must_use]
    pub fn turns(&self) -> u32 {
        match self {
            Self::MaxTurns(most) => *most,
            Self::Any(all) => all.iter().map(Self::turns).min().unwrap_or(u32::MAX),
            _ => u32::MAX,
        }
    }
}

impl BitOr for StopCondition {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        match self {
            Self::Any(mut all) => {
                all.push(other);
                Self::Any(all)
            }
            one => Self::Any(vec![one, other]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_is_reached_ends_it() {
        let until = StopCondition::MaxTurns(3)
            | StopCondition::Tokens(100)
            | StopCondition::Seconds(60.0)
            | StopCondition::Repetition(3)
            | StopCondition::MaxRejected(2);
        let until = until | StopCondition::Cancelled;
        assert_eq!(until.turns(), 3);
        let so_far = Progress { turns: 2, tokens: 99, seconds: 60.0, alike: 2, tries: 1, is_cancelled: false };
        assert_eq!(until.reached(&so_far), None);
        let table: [(Progress, &str); 6] = [
            (Progress { turns: 3, ..so_far }, "3 questions"),
            (Progress { tokens: 100, ..so_far }, "100 tokens"),
            (Progress { seconds: 60.5, ..so_far }, "no time left"),
            (Progress { alike: 3, ..so_far }, "the same 3 times"),
            (Progress { tries: 2, ..so_far }, "none of its 2"),
            (Progress { is_cancelled: true, ..so_far }, "told to end"),
        ];
        for (so_far, expected) in table {
            let why = until.reached(&so_far).unwrap();
            assert!(why.contains(expected), "{why}");
        }
    }
}
