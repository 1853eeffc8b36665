//! HTTP traffic of tests: one request and what came back.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::time::Timestamp;

/// One HTTP request and its response, with secrets masked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exchange {
    /// The test that sent it, as its recorder names it; `None` where that is not known.
    pub test: Option<String>,
    /// When it was sent.
    pub at: Option<Timestamp>,
    /// Milliseconds until the answer was there.
    pub millis: Option<f64>,
    /// What was sent.
    pub request: Request,
    /// What came back; `None` where nothing did.
    pub response: Option<Response>,
    /// Why nothing came back.
    pub trouble: Option<String>,
}

/// What was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Method, in capitals.
    pub method: String,
    /// Scheme, host and port, such as `https://api.example.org:8443`; empty for a
    /// test client without a network.
    pub origin: String,
    /// Path, from its first slash on.
    pub path: String,
    /// Parameters of the query, in order.
    pub query: Vec<(String, String)>,
    /// Headers, in order.
    pub headers: Headers,
    /// Body.
    pub body: Body,
}

impl Request {
    /// A `GET` of a path with nothing beside it: no origin, query, headers or body.
    #[must_use]
    pub fn get(path: &str) -> Self {
        Self {
            method: "GET".to_owned(),
            origin: String::new(),
            path: path.to_owned(),
            query: Vec::new(),
            headers: Headers::default(),
            body: Body::Empty,
        }
    }
}

/// Whether an origin is an application of the test's own process: test clients name
/// these hosts, and no port.
#[must_use]
pub fn is_inside(origin: &str) -> bool {
    matches!(origin, "" | "http://localhost" | "http://testserver" | "http://test")
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Headers, in order.
    pub headers: Headers,
    /// Body.
    pub body: Body,
}

/// Headers in their order; names are compared without case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Headers(pub Vec<(String, String)>);

impl Headers {
    /// The first value of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// The media type of `Content-Type`, in small letters and without parameters.
    #[must_use]
    pub fn media_type(&self) -> Option<String> {
        let value = self.get("content-type")?.split(';').next()?.trim().to_ascii_lowercase();
        (!value.is_empty()).then_some(value)
    }
}

/// A body, as far as it was kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Body {
    /// Nothing.
    #[default]
    Empty,
    /// JSON.
    Json(serde_json::Value),
    /// Another text.
    Text(String),
    /// A text of which only the beginning was kept, with its whole length in bytes.
    Cut(String, u64),
    /// Bytes that are no text; how many.
    Opaque(u64),
}

impl Exchange {
    /// `GET /users/1`.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{} {}", self.request.method, self.request.path)
    }
}

impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.response, &self.trouble) {
            (Some(response), _) => write!(f, "{} answered {}", self.line(), response.status),
            (None, Some(trouble)) => write!(f, "{} got no answer: {trouble}", self.line()),
            (None, None) => write!(f, "{} got no answer", self.line()),
        }
    }
}
