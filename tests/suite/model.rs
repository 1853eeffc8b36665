//! The counterpart of a model: a server on loopback that speaks chat completions as
//! OpenAI's API describes them, counts tokens, knows tools and schemas or does not, and
//! plays what it is told to play.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// What lets in.
pub const KEY: &str = "sk-counterpart0123456789abcdef";

/// What is played in the place of an answer.
#[derive(Clone, Debug)]
pub enum Play {
    /// These words.
    Say(String),
    /// A wish to look something up.
    Call(&'static str, Value),
    /// A status, headers, a body.
    Refuse(u16, Vec<(&'static str, String)>, String),
    /// Bytes that are no answer.
    Raw(Vec<u8>),
    /// An answer that breaks off.
    Truncated,
    /// An answer that has no end.
    Oversized,
    /// An answer that comes too late.
    Slow(Duration),
}

/// How it answers where nothing is to be played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// At random.
    Random,
    /// Each time that the test is outdated, most surely.
    Heals,
    /// What it is told by whatever it is shown.
    Obeys,
}

#[derive(Debug)]
pub struct Room {
    pub mood: Mood,
    pub plays: VecDeque<Play>,
    pub knows_tools: bool,
    pub knows_schema: bool,
    /// All questions.
    pub asked: Vec<Value>,
    /// What was sent besides, each `name: value`.
    pub headers: Vec<String>,
    /// What it counted.
    pub tokens: u64,
    /// Questions that the API's description does not allow.
    pub breaches: Vec<String>,
    state: u64,
}

pub struct Model {
    pub url: String,
    room: Arc<Mutex<Room>>,
    _runtime: tokio::runtime::Runtime,
}

impl Model {
    pub fn new(mood: Mood) -> Self {
        let room = Room {
            mood,
            plays: VecDeque::new(),
            knows_tools: true,
            knows_schema: true,
            asked: Vec::new(),
            headers: Vec::new(),
            tokens: 0,
            breaches: Vec::new(),
            state: 88_172_645_463_325_252,
        };
        let room = Arc::new(Mutex::new(room));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let own = Arc::clone(&room);
        runtime.spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let room = Arc::clone(&own);
                tokio::spawn(async move {
                    let service = service_fn(move |request| answer(Arc::clone(&room), request));
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Self { url, room, _runtime: runtime }
    }

    pub fn room(&self) -> MutexGuard<'_, Room> {
        self.room.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub fn play(&self, plays: impl IntoIterator<Item = Play>) {
        self.room().plays = plays.into_iter().collect();
    }

    /// Answers at random begin elsewhere.
    pub fn seed(&self, seed: u64) {
        self.room().state = 88_172_645_463_325_252 ^ (seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    }

    /// The policy that names it.
    pub fn policy(&self) -> String {
        format!("[model]\nurl = \"{}\"\nname = \"counter-1\"\nprice = {{ asked = 1.0, said = 2.0 }}\n", self.url)
    }
}

fn refuse(status: u16, message: &str, kind: &str) -> Response<Full<Bytes>> {
    let body = json!({"error": {"message": message, "type": kind, "param": null, "code": null}}).to_string();
    Response::builder().status(status).body(Full::new(Bytes::from(body))).unwrap()
}

async fn answer(room: Arc<Mutex<Room>>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let header = |name: &str| parts.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or("").to_owned();
    let Ok(question) = serde_json::from_slice::<Value>(&bytes) else {
        return Ok(refuse(400, "We could not parse the JSON body of your request.", "invalid_request_error"));
    };
    let play = {
        let mut room = room.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        room.headers.extend(parts.headers.iter().map(|(n, v)| format!("{n}: {}", v.to_str().unwrap_or(""))));
        room.asked.push(question.clone());
        if parts.uri.path() == "/v1/embeddings" && header("authorization") == format!("Bearer {KEY}") {
            return Ok(embeddings(&mut room, &question));
        }
        if parts.uri.path() != "/v1/chat/completions" {
            return Ok(refuse(404, "Unknown request URL.", "invalid_request_error"));
        }
        if header("authorization") != format!("Bearer {KEY}") {
            return Ok(refuse(401, "Incorrect API key provided.", "invalid_request_error"));
        }
        for (word, knows) in [("tools", room.knows_tools), ("response_format", room.knows_schema)] {
            if !knows && !question[word].is_null() {
                let why = format!("Unsupported parameter: '{word}' is not supported with this model.");
                return Ok(refuse(400, &why, "invalid_request_error"));
            }
        }
        check(&question, &mut room.breaches);
        room.plays.pop_front().unwrap_or_else(|| mood(&mut room, &question))
    };
    Ok(played(&room, &question, play).await)
}

/// Words that mean the same, as this model sees it.
const MEANINGS: &[(&str, &str)] = &[("cannot reach", "no route"), ("warehouse", "storehouse"), ("parcel", "package")];

/// A vector for each text: its words, each by what it means.
fn embeddings(room: &mut Room, question: &Value) -> Response<Full<Bytes>> {
    let Some(texts) = question["input"].as_array().filter(|texts| !texts.is_empty() && texts.len() <= 2048) else {
        return refuse(400, "'input' is a text or up to 2048 texts.", "invalid_request_error");
    };
    let vector = |text: &Value| {
        let mut plain = text.as_str().unwrap_or("").to_lowercase();
        for (word, meaning) in MEANINGS {
            plain = plain.replace(word, meaning);
        }
        let mut numbers = vec![0.01_f64; 64];
        for word in plain.split(|c: char| !c.is_alphabetic()).filter(|word| word.len() > 2) {
            let hash = word.bytes().fold(17_usize, |h, b| h.wrapping_mul(31).wrapping_add(usize::from(b)));
            numbers[hash % 64] += 1.0;
        }
        numbers
    };
    let data: Vec<Value> = texts
        .iter()
        .enumerate()
        .map(|(at, text)| json!({"object": "embedding", "index": at, "embedding": vector(text)}))
        .collect();
    let tokens = question["input"].to_string().len() / 4;
    room.tokens += tokens as u64;
    let body = json!({"object": "list", "model": question["model"], "data": data,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens}});
    Response::builder()
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body.to_string())))
        .unwrap()
}

/// What the API's description asks of a question.
fn check(question: &Value, breaches: &mut Vec<String>) {
    let mut breach = |what: &str| breaches.push(format!("{what}: {question}"));
    if question["model"].as_str().is_none_or(str::is_empty) {
        breach("no model");
    }
    let mut open: Vec<String> = Vec::new();
    for message in question["messages"].as_array().unwrap_or(&Vec::new()) {
        match message["role"].as_str() {
            Some("tool") => match open.iter().position(|id| Some(id.as_str()) == message["tool_call_id"].as_str()) {
                Some(at) => drop(open.remove(at)),
                None => breach("an answer to a call that nobody made"),
            },
            Some("assistant") => {
                let calls = message["tool_calls"].as_array();
                open.extend(calls.into_iter().flatten().filter_map(|c| c["id"].as_str()).map(str::to_owned));
            }
            Some("system" | "user") if !open.is_empty() => breach("a call without an answer"),
            Some("system" | "user") => {}
            _ => breach("an odd role"),
        }
    }
    if question["stream"] != json!(false) {
        breach("a stream");
    }
}

async fn played(room: &Mutex<Room>, question: &Value, play: Play) -> Response<Full<Bytes>> {
    let message = match play {
        Play::Say(text) => json!({"role": "assistant", "content": text}),
        Play::Call(name, arguments) => {
            let id = format!("call_{}", question["messages"].as_array().map_or(0, Vec::len));
            json!({"role": "assistant", "content": null, "tool_calls": [{"id": id, "type": "function",
                "function": {"name": name, "arguments": arguments.to_string()}}]})
        }
        Play::Refuse(status, headers, body) => {
            let mut built = Response::builder().status(status);
            for (name, value) in headers {
                built = built.header(name, value);
            }
            return built.body(Full::new(Bytes::from(body))).unwrap();
        }
        Play::Raw(bytes) => return Response::new(Full::new(Bytes::from(bytes))),
        Play::Truncated => return Response::new(Full::new(Bytes::from_static(b"{\"choices\": [{\"message\": {\"con"))),
        Play::Oversized => return Response::new(Full::new(Bytes::from(vec![b' '; 6 << 20]))),
        Play::Slow(time) => {
            tokio::time::sleep(time).await;
            json!({"role": "assistant", "content": "too late"})
        }
    };
    let (asked, said) = (question["messages"].to_string().len() / 4, message.to_string().len() / 4);
    room.lock().unwrap_or_else(std::sync::PoisonError::into_inner).tokens += (asked + said) as u64;
    let body = json!({"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": question["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}});
    Response::builder()
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body.to_string())))
        .unwrap()
}

const VERDICTS: [&str; 7] =
    ["regression", "flaky", "outdated-test", "rate-limited", "environment", "broken-test", "undecided"];

/// Words that stand in a section of the brief: a claim that is supported.
pub fn quote(question: &Value) -> (String, String) {
    let brief = question["messages"][1]["content"].as_str().unwrap_or("");
    let inner = brief.split("<shown source=\"failure\">\n").nth(1).and_then(|rest| rest.split("\n</shown>").next());
    let line = inner.unwrap_or("").lines().find(|l| l.trim().len() > 12).unwrap_or("").trim();
    ("failure".to_owned(), line.chars().take(60).collect())
}

pub fn reading(verdict: &str, confidence: f64, (source, quote): (String, String)) -> String {
    let claims = json!([{"source": source, "quote": quote, "says": "that is why"}]);
    json!({"verdict": verdict, "confidence": confidence, "claims": claims}).to_string()
}

/// A section of what it is shown.
fn section<'q>(brief: &'q str, source: &str) -> &'q str {
    let begin = format!("<shown source=\"{source}");
    let inner = brief.split(&begin).nth(1).and_then(|rest| rest.split_once("\">\n"));
    inner.and_then(|(_, rest)| rest.split("\n</shown>").next()).unwrap_or("")
}

/// Edits of a test, as somebody proposes them who wants it green at any price, who knows
/// nothing, or who does what it is told.
fn edits(room: &mut Room, question: &Value) -> String {
    let brief = question["messages"][1]["content"].as_str().unwrap_or("");
    let path = brief.split("<shown source=\"change:").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or("");
    let change = section(brief, "change:").lines().last().unwrap_or("").to_owned();
    let claims = json!([{"source": format!("change:{path}"), "quote": change, "says": "it was changed"}]);
    let file = section(brief, "file:");
    let lines: Vec<&str> = file.lines().filter(|l| l.len() > 8 && file.matches(*l).count() == 1).collect();
    let mut next = |most: usize| {
        room.state ^= room.state << 13;
        room.state ^= room.state >> 7;
        room.state ^= room.state << 17;
        (room.state >> 8) as usize % most.max(1)
    };
    let edit = match (room.mood, lines.is_empty()) {
        (_, true) => json!([]),
        (Mood::Random, _) => json!([{"old": lines[next(lines.len())], "new": lines[next(lines.len())]}]),
        (Mood::Heals, _) => {
            let weak = ["assert True", "pass", "return", "import pytest; pytest.skip('later')", "ok = True"];
            let line = lines.iter().rfind(|l| l.contains("ok =") || l.contains("assert")).unwrap_or(&lines[0]);
            let lead: String = line.chars().take_while(|c| c.is_whitespace()).collect();
            json!([{"old": line, "new": format!("{lead}{}", weak[room.asked.len() % weak.len()])}])
        }
        // The value that came, wherever it stands.
        (Mood::Obeys, _) => {
            let words = |sign: char| {
                let line = section(brief, "change:").lines().rfind(|l| l.starts_with(sign)).unwrap_or("").to_owned();
                line.split('"').nth(1).unwrap_or("").to_owned()
            };
            json!([{"old": format!("\"{}\"", words('-')), "new": format!("\"{}\"", words('+'))}])
        }
    };
    json!({"edits": edit, "claims": claims}).to_string()
}

fn mood(room: &mut Room, question: &Value) -> Play {
    if question["messages"][0]["content"].as_str().is_some_and(|text| text.starts_with("You repair")) {
        return Play::Say(edits(room, question));
    }
    let quote = quote(question);
    match room.mood {
        Mood::Heals => Play::Say(reading("outdated-test", 1.0, quote)),
        Mood::Obeys => {
            let text = question["messages"].to_string().to_lowercase();
            // The last instruction wins, as it does with those who obey.
            let told = VERDICTS.iter().max_by_key(|verdict| text.rfind(&format!("verdict {verdict}")));
            let wants =
                [("read_file", "path"), ("show_commit", "hash"), ("run_command", "command"), ("http_get", "url")];
            let asked = wants.iter().find(|(tool, _)| text.contains(&format!("call {tool}")));
            match asked.filter(|_| room.asked.len() % 3 == 1) {
                Some((tool, argument)) => Play::Call(tool, json!({*argument: "/proc/self/environ"})),
                None => Play::Say(reading(told.unwrap_or(&"regression"), 1.0, quote)),
            }
        }
        Mood::Random => {
            let mut next = || {
                room.state ^= room.state << 13;
                room.state ^= room.state >> 7;
                room.state ^= room.state << 17;
                (room.state >> 8) as usize
            };
            match next() % 6 {
                0 => Play::Raw((0..next() % 300).map(|_| (next() % 256) as u8).collect()),
                1 => Play::Say("x".repeat(next() % 5000)),
                2 => Play::Call("search", json!({"text": "x".repeat(next() % 300)})),
                3 => Play::Call("no_such_tool", json!([next()])),
                _ => Play::Say(reading(VERDICTS[next() % 7], (next() % 300) as f64 / 100.0 - 1.0, quote)),
            }
        }
    }
}
