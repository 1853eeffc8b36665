//! What is said to a model of language, and what it says.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// One question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChatRequest {
    /// The model that is asked.
    pub model: String,
    /// Everything that was said so far, in order.
    pub messages: Vec<Message>,
    /// What it may ask to be looked up.
    pub tools: Vec<Tool>,
    /// The form of its last answer, as a JSON Schema.
    pub answer: Value,
    /// Tokens that it may say.
    #[serde(rename = "most")]
    pub max_tokens: u32,
}

impl ChatRequest {
    /// Tells it from all others: the same question has the same digest.
    #[must_use]
    pub fn digest(&self) -> String {
        let text = serde_json::to_string(self).unwrap_or_default();
        Sha256::digest(text.as_bytes()).iter().fold(String::new(), |out, byte| out + &format!("{byte:02x}"))
    }
}

/// Something that was said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "by")]
pub enum Message {
    /// What holds for the whole talk.
    #[serde(rename = "rules")]
    System {
        /// The words.
        text: String,
    },
    /// By us.
    #[serde(rename = "us")]
    User {
        /// The words.
        text: String,
    },
    /// By the model.
    #[serde(rename = "model")]
    Assistant {
        /// The words.
        text: String,
        /// What it asks to be looked up.
        calls: Vec<Call>,
    },
    /// What was looked up.
    #[serde(rename = "found")]
    Tool {
        /// For which call.
        call: String,
        /// The words.
        text: String,
    },
}

/// Something that a model may ask to be looked up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What it does.
    pub about: String,
    /// Its arguments, as a JSON Schema.
    pub arguments: Value,
}

/// A wish to look something up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Tells it from others.
    pub id: String,
    /// Of which tool.
    pub name: String,
    /// JSON, as the model wrote it.
    pub arguments: String,
}

/// What a model said.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ChatResponse {
    /// The words.
    pub text: String,
    /// What it asks to be looked up.
    pub calls: Vec<Call>,
    /// What was counted for it.
    pub tokens: TokenUsage,
}

/// Tokens, as the one counts them who is paid for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenUsage {
    /// Those of the question.
    pub asked: u64,
    /// Those of the answer.
    pub said: u64,
}

/// Texts as vectors of numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Embeddings {
    /// One for each text, in their order, all of one length.
    pub vectors: Vec<Vec<f32>>,
    /// What was counted for it.
    pub tokens: TokenUsage,
}

/// Tells a wish for vectors from all others.
#[must_use]
pub fn digest_of_texts(model: &str, texts: &[String]) -> String {
    let text = serde_json::to_string(&("embed", model, texts)).unwrap_or_default();
    Sha256::digest(text.as_bytes()).iter().fold(String::new(), |out, byte| out + &format!("{byte:02x}"))
}

impl std::ops::AddAssign for TokenUsage {
    fn add_assign(&mut self, other: Self) {
        self.asked = self.asked.saturating_add(other.asked);
        self.said = self.said.saturating_add(other.said);
    }
}

/// Something that is claimed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Citation {
    /// Where the quote stands: a part of a brief, a file, a commit.
    pub source: String,
    /// Its words.
    pub quote: String,
    /// What is concluded from it.
    pub says: String,
}
