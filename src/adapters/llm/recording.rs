//! What a model said, kept by what it was asked: a run can be played again without it.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::adapters::files;
use crate::error::Problem;
use crate::model::chat::{ChatRequest, ChatResponse, Embeddings, digest_of_texts};
use crate::ports::{ChatModel, ModelError};

/// One line of a recording.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    /// A digest of the question.
    asked: String,
    /// The answer, or why there is none.
    reply: Result<Said, ModelError>,
}

/// What came: words, or vectors.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Said {
    Words(ChatResponse),
    Vectors(Embeddings),
}

/// A model whose answers are kept.
pub struct Recording {
    inner: Box<dyn ChatModel>,
    file: Mutex<std::fs::File>,
}

impl Recording {
    /// Keeps what `inner` says in a file, which is made anew.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn new(inner: Box<dyn ChatModel>, path: &Path) -> Result<Self, Problem> {
        let file = std::fs::File::create(path);
        let file = file.map_err(|e| Problem::failed(format!("cannot write {}", path.display())).because(e))?;
        Ok(Self { inner, file: Mutex::new(file) })
    }
}

impl Recording {
    fn keep(&self, asked: String, reply: Result<Said, ModelError>) -> Result<(), ModelError> {
        let line = Line { asked, reply };
        let text = serde_json::to_string(&line).unwrap_or_default();
        writeln!(self.file.lock().unwrap_or_else(PoisonError::into_inner), "{text}").map_err(|e| ModelError {
            what: format!("what the model says cannot be kept: {e}"),
            may_be_counted: true,
            is_final: true,
        })
    }
}

impl ChatModel for Recording {
    fn complete(&self, ask: &ChatRequest) -> Result<ChatResponse, ModelError> {
        let reply = self.inner.complete(ask);
        self.keep(ask.digest(), reply.clone().map(Said::Words))?;
        reply
    }

    fn embed(&self, model: &str, texts: &[String]) -> Result<Embeddings, ModelError> {
        let embedded = self.inner.embed(model, texts);
        self.keep(digest_of_texts(model, texts), embedded.clone().map(Said::Vectors))?;
        embedded
    }
}

/// A recording that answers in the place of a model.
#[derive(Debug)]
pub struct Replay {
    /// Answers by question; several where one was asked several times.
    by_question: Mutex<HashMap<String, Vec<Result<Said, ModelError>>>>,
}

impl Replay {
    /// Reads a recording.
    ///
    /// # Errors
    /// A file that is none.
    pub fn read(path: &Path) -> Result<Self, Problem> {
        let mut all: HashMap<String, Vec<Result<Said, ModelError>>> = HashMap::new();
        for (at, line) in files::read_text(path)?.lines().enumerate() {
            let line: Line = serde_json::from_str(line).map_err(|e| {
                Problem::failed(format!("{} is no recording of a model: line {}", path.display(), at + 1)).because(e)
            })?;
            all.entry(line.asked).or_default().push(line.reply);
        }
        for replies in all.values_mut() {
            replies.reverse();
        }
        Ok(Self { by_question: Mutex::new(all) })
    }
}

impl Replay {
    fn said(&self, asked: &str) -> Result<Said, ModelError> {
        let mut all = self.by_question.lock().unwrap_or_else(PoisonError::into_inner);
        let replies = all.get_mut(asked);
        // The last answer is given as often as it is asked for.
        let reply = replies.and_then(|replies| if replies.len() > 1 { replies.pop() } else { replies.last().cloned() });
        reply.unwrap_or_else(|| Err(unknown()))
    }
}

fn unknown() -> ModelError {
    ModelError {
        what: "the recording of the model has no answer to this question: something else is asked than was".to_owned(),
        may_be_counted: false,
        is_final: true,
    }
}

impl ChatModel for Replay {
    fn complete(&self, ask: &ChatRequest) -> Result<ChatResponse, ModelError> {
        match self.said(&ask.digest())? {
            Said::Words(reply) => Ok(reply),
            Said::Vectors(_) => Err(unknown()),
        }
    }

    fn embed(&self, model: &str, texts: &[String]) -> Result<Embeddings, ModelError> {
        match self.said(&digest_of_texts(model, texts))? {
            Said::Vectors(embedded) => Ok(embedded),
            Said::Words(_) => Err(unknown()),
        }
    }
}
