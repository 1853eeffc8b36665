//! Questions and answers as chat completions have them.

use serde_json::{Value, json};

use crate::model::chat::{Call, ChatRequest, ChatResponse, Embeddings, Message, TokenUsage};

/// Numbers of a vector.
const LONGEST: usize = 16 << 10;

/// What a server does not know. `Copy`, as it is passed about with each question.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Unsupported {
    /// Answers of a given form.
    schema: bool,
    /// Tools.
    tools: bool,
    /// `max_completion_tokens`, which `max_tokens` was called before.
    new_name: bool,
}

impl Unsupported {
    /// What it lacks besides, after a refusal with this text: what the text names, else
    /// what servers lack most often. `None` where nothing is left to leave out.
    pub(super) fn after(self, text: &str) -> Option<Self> {
        let lower = text.to_lowercase();
        let names = |words: &[&str]| words.iter().any(|word| lower.contains(word));
        // No question of this kind is made shorter or milder by leaving things out.
        if names(&["context length", "context_length", "too long", "content_filter", "content management"]) {
            return None;
        }
        let mut less = self;
        if !self.new_name && names(&["max_completion_tokens", "max_tokens"]) {
            less.new_name = true;
        } else if !self.schema && names(&["response_format", "json_schema", "json schema", "guided"]) {
            less.schema = true;
        } else if !self.tools && names(&["tool", "function"]) {
            less.tools = true;
        } else if !self.schema {
            less.schema = true;
        } else if !self.tools {
            less.tools = true;
        } else if !self.new_name {
            less.new_name = true;
        } else {
            return None;
        }
        Some(less)
    }
}

/// A question.
pub(super) fn question(ask: &ChatRequest, lacks: Unsupported) -> Value {
    let messages: Vec<Value> = ask.messages.iter().map(|message| self::message(message, lacks)).collect();
    let mut body = json!({"model": ask.model, "messages": messages, "stream": false});
    body[if lacks.new_name { "max_tokens" } else { "max_completion_tokens" }] = ask.max_tokens.into();
    if !lacks.tools && !ask.tools.is_empty() {
        let tool = |tool: &crate::model::chat::Tool| {
            json!({"type": "function", "function": {
                "name": tool.name, "description": tool.about, "parameters": tool.arguments, "strict": true}})
        };
        body["tools"] = ask.tools.iter().map(tool).collect();
    }
    if !lacks.schema && !ask.answer.is_null() {
        body["response_format"] = json!({"type": "json_schema", "json_schema":
            {"name": "reading", "strict": true, "schema": ask.answer}});
    }
    body
}

fn message(message: &Message, lacks: Unsupported) -> Value {
    match message {
        Message::System { text } => json!({"role": "system", "content": text}),
        Message::User { text } => json!({"role": "user", "content": text}),
        // A server without tools knows no such messages.
        Message::Assistant { text, calls } if lacks.tools || calls.is_empty() => {
            json!({"role": "assistant", "content": text})
        }
        Message::Tool { text, .. } if lacks.tools => json!({"role": "user", "content": text}),
        Message::Assistant { text, calls } => {
            let call = |call: &Call| json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}});
            json!({"role": "assistant", "content": text, "tool_calls": calls.iter().map(call).collect::<Vec<_>>()})
        }
        Message::Tool { call, text } => json!({"role": "tool", "tool_call_id": call, "content": text}),
    }
}

/// Reads an answer; what servers leave out is filled in.
pub(super) fn answer(value: &Value, ask: &ChatRequest) -> Result<ChatResponse, String> {
    let message = value.pointer("/choices/0/message").filter(|m| m.is_object()).ok_or("it has no message")?;
    let text = match &message["content"] {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        _ => message["refusal"].as_str().unwrap_or("").to_owned(),
    };
    let call = |(at, call): (usize, &Value)| {
        let arguments = match &call["function"]["arguments"] {
            Value::String(text) => text.clone(),
            Value::Null => "{}".to_owned(),
            other => other.to_string(),
        };
        let id = call["id"].as_str().filter(|id| !id.is_empty());
        Some(Call {
            id: id.map_or_else(|| format!("call-{at}"), str::to_owned),
            name: call["function"]["name"].as_str()?.to_owned(),
            arguments,
        })
    };
    let calls: Vec<Call> =
        message["tool_calls"].as_array().into_iter().flatten().enumerate().filter_map(call).collect();
    // Some count in numbers with a point.
    let count = |name: &str| {
        let told = &value["usage"][name];
        told.as_u64().or_else(|| format!("{:.0}", told.as_f64()?).parse().ok())
    };
    // Who does not count is taken to have counted a token for three bytes.
    let size = serde_json::to_string(ask).map_or(0, |text| text.len()) as u64;
    let said = (text.len() + calls.iter().map(|c| c.arguments.len()).sum::<usize>()) as u64;
    // Nor is believed who counts nothing, or more than there can be.
    let plausible = |told: Option<u64>, least: u64, most: u64| told.filter(|n| *n > 0).unwrap_or(least).min(most);
    let tokens = TokenUsage {
        asked: plausible(count("prompt_tokens"), size / 3, size),
        said: plausible(count("completion_tokens"), said / 3, said.max(u64::from(ask.max_tokens).saturating_mul(2))),
    };
    Ok(ChatResponse { text, calls, tokens })
}

/// The vectors of an answer, by the order of the texts.
pub(super) fn vectors(value: &Value, texts: &[String]) -> Result<Embeddings, String> {
    let rows = value["data"].as_array().ok_or("it has no vectors")?;
    if rows.len() != texts.len() {
        return Err(format!("it has {} vectors for {} texts", rows.len(), texts.len()));
    }
    let mut vectors = vec![Vec::new(); texts.len()];
    for (at, row) in rows.iter().enumerate() {
        let place = row["index"].as_u64().and_then(|index| usize::try_from(index).ok()).unwrap_or(at);
        let numbers = row["embedding"].as_array().filter(|all| (1..=LONGEST).contains(&all.len()));
        let numbers = numbers.ok_or_else(|| format!("a vector has 1 to {LONGEST} numbers"))?;
        #[expect(clippy::cast_possible_truncation, reason = "vectors are told with so many digits")]
        let vector: Option<Vec<f32>> = numbers.iter().map(|n| n.as_f64().map(|n| n as f32)).collect();
        let vector = vector.filter(|v| v.iter().all(|n| n.is_finite())).ok_or("a vector has no number in it")?;
        *vectors.get_mut(place).ok_or("a vector is of no text")? = vector;
    }
    if vectors.iter().any(|v| v.len() != vectors[0].len() || v.is_empty()) {
        return Err("its vectors differ in their length".to_owned());
    }
    let size = texts.iter().map(String::len).sum::<usize>() as u64;
    let told = value["usage"]["prompt_tokens"].as_u64().filter(|n| *n > 0);
    let asked = told.unwrap_or(size / 3).min(size);
    Ok(Embeddings { vectors, tokens: TokenUsage { asked, said: 0 } })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask() -> ChatRequest {
        let tool = crate::model::chat::Tool {
            name: "read_file".to_owned(),
            about: "reads".to_owned(),
            arguments: json!({"type": "object"}),
        };
        let messages = vec![
            Message::System { text: "r".to_owned() },
            Message::Assistant {
                text: String::new(),
                calls: vec![Call { id: "1".to_owned(), name: "read_file".to_owned(), arguments: "{}".to_owned() }],
            },
            Message::Tool { call: "1".to_owned(), text: "f".to_owned() },
        ];
        ChatRequest {
            model: "m".to_owned(),
            messages,
            tools: vec![tool],
            answer: json!({"type": "object"}),
            max_tokens: 9,
        }
    }

    #[test]
    fn servers_that_know_less_are_asked_for_less() {
        let full = question(&ask(), Unsupported::default());
        assert_eq!(full["messages"][2], json!({"role": "tool", "tool_call_id": "1", "content": "f"}));
        assert!(full["response_format"].is_object() && full["tools"].is_array());
        assert_eq!(full["max_completion_tokens"], 9);
        let mut lacks = Unsupported::default();
        for text in ["unknown field response_format", "tools are not supported", "max_completion_tokens?"] {
            lacks = lacks.after(text).unwrap();
        }
        let least = question(&ask(), lacks);
        assert!(least["response_format"].is_null() && least["tools"].is_null());
        assert_eq!((least["max_tokens"].as_u64(), least["messages"][2]["role"].as_str()), (Some(9), Some("user")));
        assert_eq!(lacks.after("whatever"), None);
    }

    #[test]
    fn answers_of_many_servers() {
        for (value, text, calls) in [
            (json!({"choices": [{"message": {"content": "a"}}]}), "a", 0),
            (json!({"choices": [{"message": {"content": [{"type": "text", "text": "a"}, {"text": "b"}]}}]}), "ab", 0),
            (
                json!({"choices": [{"message": {"content": null, "refusal": "no"}}], "usage": {"prompt_tokens": 1.0}}),
                "no",
                0,
            ),
            (
                json!({"choices": [{"message": {"tool_calls": [{"function": {"name": "x", "arguments": {"a": 1}}}, {"odd": 1}]}}]}),
                "",
                1,
            ),
        ] {
            let reply = answer(&value, &ask()).unwrap();
            assert_eq!((reply.text.as_str(), reply.calls.len()), (text, calls), "{value}");
        }
        let texts = ["a".to_owned(), "b".to_owned()];
        let row = |at: usize, vector: Value| json!({"index": at, "embedding": vector});
        let swapped =
            json!({"data": [row(1, json!([2.0, 1])), row(0, json!([0.5, 1]))], "usage": {"prompt_tokens": 9}});
        let read = vectors(&swapped, &texts).unwrap();
        assert_eq!((read.vectors, read.tokens.asked), (vec![vec![0.5, 1.0], vec![2.0, 1.0]], 2));
        for odd in [
            json!({}),
            json!({"data": [row(0, json!([1]))]}),
            json!({"data": [row(0, json!([1])), row(0, json!([1]))]}),
            json!({"data": [row(0, json!([1])), row(7, json!([1]))]}),
            json!({"data": [row(0, json!([1])), row(1, json!([1, 2]))]}),
            json!({"data": [row(0, json!(["x"])), row(1, json!([1]))]}),
            json!({"data": [row(0, json!([1e300])), row(1, json!([1]))]}),
            json!({"data": [row(0, json!([])), row(1, json!([]))]}),
        ] {
            assert!(vectors(&odd, &texts).is_err(), "{odd}");
        }
        for odd in [json!(null), json!({}), json!({"choices": []}), json!({"choices": [{"message": 5}]}), json!([1])] {
            assert!(answer(&odd, &ask()).is_err(), "{odd}");
        }
    }
}
