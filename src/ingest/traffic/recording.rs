//! Recordings of our own: a line of JSON for each exchange.
//!
//! `{"testmedic": 1, "test": "tests/test_a.py::test_b", "at": 1767225600.25, "ms": 3.1,
//!   "request": {"method": "GET", "url": "http://h/p?q=1", "headers": [["Accept", "*/*"]], "body": "…"},
//!   "response": {"status": 200, "headers": [], "body": "…"}, "error": null}`
//!
//! A body is a text; one that is none stands as base64 under `base64`; `size` tells
//! the whole length where only the beginning is there.

use base64::Engine;
use serde_json::{Value, json};

use super::{Traffic, address, body, body_of, headers};
use crate::model::exchange::{Body, Exchange, Headers, Request, Response};
use crate::model::run::IssueLevel;
use crate::model::time::Timestamp;

/// Bytes of one line.
pub const LINE: usize = 4 << 20;

pub(super) fn is_recording(line: &str) -> bool {
    line.starts_with('{') && line.contains("\"testmedic\"")
}

pub(super) fn read(text: &str, traffic: &mut Traffic) {
    traffic.dialect = "recording";
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        match parse(line) {
            Ok(exchange) => traffic.exchanges.push(exchange),
            Err(why) => {
                traffic.issue(IssueLevel::Suspicious, format!("line {}", at + 1), format!("{why}; it is left out"));
            }
        }
    }
}

/// Reads one line.
///
/// # Errors
/// What is wrong with it.
pub fn parse(line: &str) -> Result<Exchange, String> {
    if line.len() > LINE {
        return Err(format!("it is longer than {} MB", LINE >> 20));
    }
    let value: Value = serde_json::from_str(line).map_err(|e| format!("it is no JSON: {e}"))?;
    let request = &value["request"];
    let method = request["method"].as_str().ok_or("it has no request.method")?;
    let (origin, path, query) = address(request["url"].as_str().ok_or("it has no request.url")?);
    let response = &value["response"];
    let status = response["status"].as_u64().and_then(|s| u16::try_from(s).ok());
    let seconds = value["at"].as_f64();
    Ok(Exchange {
        test: value["test"].as_str().filter(|t| !t.is_empty()).map(str::to_owned),
        #[expect(clippy::cast_possible_truncation, reason = "seconds since 1970")]
        at: seconds.map(|s| Timestamp::from_unix(s as i64)),
        millis: value["ms"].as_f64().filter(|ms| *ms >= 0.0),
        request: Request {
            method: method.to_ascii_uppercase(),
            origin,
            path,
            query,
            headers: pairs(&request["headers"]),
            body: content(request),
        },
        response: status.map(|status| Response {
            status,
            headers: pairs(&response["headers"]),
            body: content(response),
        }),
        trouble: value["error"].as_str().map(str::to_owned),
    })
}

fn pairs(value: &Value) -> Headers {
    let pair = |v: &Value| Some((v[0].as_str()?.to_owned(), v[1].as_str().unwrap_or("").to_owned()));
    headers(value.as_array().into_iter().flatten().filter_map(pair))
}

fn content(message: &Value) -> Body {
    let size = message["size"].as_u64().unwrap_or(0);
    if let Some(packed) = message["base64"].as_str() {
        let bytes = base64::engine::general_purpose::STANDARD.decode(packed).unwrap_or_default();
        return body_of(&bytes, size.max(bytes.len() as u64));
    }
    message["body"].as_str().map_or_else(|| body("", size), |text| body(text, size.max(text.len() as u64)))
}

/// The line of an exchange.
#[must_use]
pub fn line(exchange: &Exchange) -> String {
    let request = &exchange.request;
    let query: Vec<String> = request
        .query
        .iter()
        .map(|(k, v)| format!("{}={}", crate::model::forge::percent(k), crate::model::forge::percent(v)))
        .collect();
    let question = if query.is_empty() { "" } else { "?" };
    let url = format!("{}{}{question}{}", request.origin, request.path, query.join("&"));
    let with = |mut message: Value, body: &Body| {
        match body {
            Body::Empty => {}
            Body::Json(value) => message["body"] = json!(value.to_string()),
            Body::Text(text) => message["body"] = json!(text),
            Body::Cut(text, size) => (message["body"], message["size"]) = (json!(text), json!(size)),
            Body::Opaque(size) => message["size"] = json!(size),
        }
        message
    };
    let sent = with(json!({"method": request.method, "url": url, "headers": request.headers}), &request.body);
    let came = exchange.response.as_ref().map(|r| with(json!({"status": r.status, "headers": r.headers}), &r.body));
    let at = exchange.at.map(Timestamp::unix);
    json!({
        "testmedic": 1, "test": exchange.test, "at": at, "ms": exchange.millis,
        "request": sent, "response": came, "error": exchange.trouble,
    })
    .to_string()
}
