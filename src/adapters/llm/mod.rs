//! Models behind an OpenAI-compatible endpoint (chat completions with tools and answers
//! of a given form). Servers that know less are asked for less; none is followed
//! elsewhere, and what they say is bounded.

mod recording;
mod wire;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use async_openai::traits::RequestOptionsBuilder;
use futures_util::StreamExt;
use serde_json::{Value, json};

pub use self::recording::{Recording, Replay};
use self::wire::Unsupported;
use crate::adapters::{shutdown, system};
use crate::error::Problem;
use crate::ingest::traffic::retry_after;
use crate::model::chat::{ChatRequest, ChatResponse, Embeddings};
use crate::model::exchange::Headers;
use crate::model::secret::{Secret, mask, mask_value};
use crate::model::text::{clean, head};
use crate::ports::{ChatModel, ModelError};

/// Bytes of an answer, and of a refusal.
const ANSWER: usize = 4 << 20;
const REFUSAL: usize = 16 << 10;
/// Seconds that one refusal may ask to wait, and how often a question is put again.
const LONGEST: u64 = 30;
const AGAIN: u32 = 3;

/// Where a model is, and how it is asked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Such as `https://api.openai.com/v1`.
    pub url: String,
    /// What lets us in.
    pub key: Option<Secret>,
    /// Headers besides; `{key}` stands for the key.
    pub headers: Vec<(String, String)>,
    /// Parameters of each address.
    pub query: Vec<(String, String)>,
    /// How long an answer may take.
    pub patience: Duration,
}

/// A model behind an endpoint.
pub struct Endpoint {
    client: Client<OpenAIConfig>,
    settings: Settings,
    runtime: tokio::runtime::Runtime,
    /// What the server was seen not to know.
    lacks: Mutex<Unsupported>,
}

/// A refusal, as it goes through the client.
#[derive(Debug, thiserror::Error)]
#[error("{status}: {text}")]
struct Refused {
    status: u16,
    text: String,
}

/// The job was told to end while a question was open.
#[derive(Debug, thiserror::Error)]
#[error("the job was told to end")]
struct Ended;

impl Endpoint {
    /// Makes ready to ask; asks nothing yet.
    ///
    /// # Errors
    /// An address or a header that is none.
    pub fn new(settings: Settings) -> Result<Self, Problem> {
        let wrong = |what: &str| Problem::usage(format!("`model.{what}` of the policy cannot be used"));
        let url: reqwest::Url = settings.url.parse().map_err(|e| wrong("url").because(e))?;
        let is_near = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        if url.scheme() != "https" && !(url.scheme() == "http" && (is_near || settings.key.is_none())) {
            return Err(wrong("url").hint("a key is only sent over https, or to this machine"));
        }
        let key = settings.key.as_ref().map_or("", Secret::expose);
        // What the library would read from the environment is for its own service.
        let mut config = OpenAIConfig::new().with_org_id("").with_project_id("");
        config = config.with_api_base(settings.url.trim_end_matches('/')).with_api_key(key);
        for (name, value) in &settings.headers {
            let name: http::HeaderName = name.parse().map_err(|_| wrong(&format!("headers.{name}")))?;
            let value = value.replace("{key}", key);
            config = config.with_header(name, value).map_err(|_| wrong("headers"))?;
        }
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut plain = reqwest::Client::builder();
        if url.scheme() == "http" {
            // Nobody between: it is read by whoever stands there.
            plain = plain.no_proxy();
        }
        let plain = plain
            .redirect(reqwest::redirect::Policy::none())
            .timeout(settings.patience)
            .connect_timeout(Duration::from_secs(10).min(settings.patience))
            .user_agent(concat!("testmedic/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| Problem::failed("there is no client for the model").because(e))?;
        let service = tower::service_fn(move |request| send(plain.clone(), request));
        let client = Client::with_config(config).with_http_service(service);
        // Of several sessions that ask at once one drives what all of them wait for.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| Problem::failed("there is no room to ask the model").because(e))?;
        Ok(Self { client, settings, runtime, lacks: Mutex::default() })
    }

    fn put(&self, ask: &ChatRequest, lacks: Unsupported) -> Result<Value, OpenAIError> {
        let body = wire::question(ask, lacks);
        self.runtime.block_on(async {
            let chat = self.client.chat().query(&self.settings.query)?;
            tokio::select! {
                answer = chat.create_byot::<Value, Value>(body) => answer,
                () = shutdown::told() => Err(OpenAIError::Boxed(Box::new(Ended))),
            }
        })
    }

    /// What went wrong, without the key.
    fn told(&self, error: &OpenAIError) -> ModelError {
        let mut is_final = true;
        let (what, may_be_counted) = match error {
            OpenAIError::Boxed(inner) => match inner.downcast_ref::<Refused>() {
                Some(refused) => {
                    // One question was too long or too odd; another one need not be.
                    is_final = !matches!(refused.status, 400 | 413 | 422);
                    (refusal(refused), refused.status >= 500)
                }
                None if inner.is::<Ended>() => (inner.to_string(), true),
                None => (format!("the model cannot be asked: {inner}"), true),
            },
            OpenAIError::Reqwest(error) if error.is_timeout() => {
                let seconds = self.settings.patience.as_secs();
                (format!("the model did not answer in {seconds} s"), true)
            }
            OpenAIError::Reqwest(error) => {
                let mut why = error.to_string();
                let mut cause = std::error::Error::source(error);
                while let Some(inner) = cause {
                    why = inner.to_string();
                    cause = inner.source();
                }
                (format!("the model cannot be reached: {why}"), !error.is_connect())
            }
            OpenAIError::JSONDeserialize(..) => ("the model's answer is no JSON".to_owned(), true),
            other => (format!("the model cannot be asked: {other}"), true),
        };
        ModelError { what: head(&self.harmless(&clean(&what)), 400).to_owned(), may_be_counted, is_final }
    }

    /// A text of the other side, without our key and without what has the shape of one.
    fn harmless(&self, text: &str) -> String {
        let text = self.settings.key.as_ref().map_or_else(|| text.to_owned(), |key| mask_value(text, key));
        mask(&text).into_owned()
    }

    /// An answer without secrets, before anybody sees it.
    fn without_secrets(&self, mut reply: ChatResponse) -> ChatResponse {
        reply.text = self.harmless(&reply.text);
        for call in &mut reply.calls {
            for text in [&mut call.id, &mut call.name, &mut call.arguments] {
                *text = self.harmless(text);
            }
        }
        reply
    }
}

impl ChatModel for Endpoint {
    fn embed(&self, model: &str, texts: &[String]) -> Result<Embeddings, ModelError> {
        let body = json!({"model": model, "input": texts, "encoding_format": "float"});
        let answer = self.runtime.block_on(async {
            let embeddings = self.client.embeddings().query(&self.settings.query)?;
            tokio::select! {
                answer = embeddings.create_byot::<Value, Value>(body) => answer,
                () = shutdown::told() => Err(OpenAIError::Boxed(Box::new(Ended))),
            }
        });
        let value = answer.map_err(|error| self.told(&error))?;
        wire::vectors(&value, texts).map_err(|why| ModelError {
            what: format!("the model's vectors cannot be read: {why}"),
            may_be_counted: true,
            is_final: false,
        })
    }

    fn complete(&self, ask: &ChatRequest) -> Result<ChatResponse, ModelError> {
        let mut lacks = *self.lacks.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match self.put(ask, lacks) {
                Ok(value) => {
                    // It was what it was asked for less that made the difference.
                    *self.lacks.lock().unwrap_or_else(PoisonError::into_inner) = lacks;
                    let reply = wire::answer(&value, ask).map_err(|why| ModelError {
                        what: format!("the model's answer cannot be read: {why}"),
                        may_be_counted: true,
                        is_final: true,
                    })?;
                    return Ok(self.without_secrets(reply));
                }
                Err(error) => {
                    let refused = match &error {
                        OpenAIError::Boxed(inner) => inner.downcast_ref::<Refused>(),
                        _ => None,
                    };
                    let less = refused.filter(|r| matches!(r.status, 400 | 422)).and_then(|r| lacks.after(&r.text));
                    match less {
                        Some(less) => lacks = less,
                        None => return Err(self.told(&error)),
                    }
                }
            }
        }
    }
}

fn refusal(refused: &Refused) -> String {
    let why = match refused.status {
        401 | 403 => "the key of the model is not accepted",
        402 => "the model's account has no credit",
        404 => "there is no such model, or no endpoint at `model.url`",
        429 => "the model's endpoint limits the rate of questions, or has no credit",
        300..=399 => "the model's endpoint points elsewhere, which is not followed",
        _ => "the model's endpoint refused the question",
    };
    format!("{why} ({}: {})", refused.status, head(&mask(&clean(&refused.text)), 200).trim())
}

/// Sends a question, again after a wait where the answer asks for a short one.
async fn send(client: reqwest::Client, request: HttpRequestFactory) -> Result<reqwest::Response, OpenAIError> {
    let mut tried = 0;
    loop {
        let response = client.execute(request.build().await?).await.map_err(OpenAIError::Reqwest)?;
        let status = response.status();
        let headers = Headers(
            response
                .headers()
                .iter()
                .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
                .collect(),
        );
        if status.is_success() {
            let body = bounded(response, ANSWER).await?;
            let whole = http::Response::builder().status(status).body(body);
            return whole.map(reqwest::Response::from).map_err(|e| OpenAIError::Boxed(Box::new(e)));
        }
        let text = bounded(response, REFUSAL).await.unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let hint = retry_after::wait(&headers, system::now()).map(|hint| hint.seconds);
        // What may have been counted is asked again only where that is wanted.
        let is_refused = status.as_u16() == 429 || (status.is_server_error() && hint.is_some());
        let may_pass = is_refused && !text.contains("insufficient_quota");
        let seconds = hint.map_or_else(|| 2_f64.powi(tried) * system::random(), |seconds| seconds as f64);
        tried += 1;
        if !may_pass || tried > i32::try_from(AGAIN).unwrap_or(i32::MAX) || hint.is_some_and(|s| s > LONGEST) {
            return Err(OpenAIError::Boxed(Box::new(Refused { status: status.as_u16(), text })));
        }
        tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
    }
}

async fn bounded(response: reqwest::Response, most: usize) -> Result<Vec<u8>, OpenAIError> {
    let mut whole = Vec::new();
    let mut stream = response.bytes_stream();
    while let Some(part) = stream.next().await {
        let part = part.map_err(OpenAIError::Reqwest)?;
        if whole.len() + part.len() > most {
            let why = format!("the answer has more than {most} bytes");
            return Err(OpenAIError::Boxed(why.into()));
        }
        whole.extend_from_slice(&part);
    }
    Ok(whole)
}
