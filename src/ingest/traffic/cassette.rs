//! Cassettes of VCR: Python's `interactions` (vcrpy, version 1) and Ruby's
//! `http_interactions` (VCR, version 1), as YAML or JSON.

use base64::Engine;
use serde_json::{Map, Value};

use super::{Traffic, address, body, body_of, headers};
use crate::model::exchange::{Body, Exchange, Headers, Request, Response};
use crate::model::run::IssueLevel;
use crate::model::time::Timestamp;

/// Levels of YAML that are read.
const DEPTH: usize = 64;

/// YAML as JSON; binary values stay base64, under a key of their own.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    // The reader drops tags of YAML's own, this one tells what a text is.
    let text = text.replace("!!binary", "!binary");
    let value: serde_yaml_ng::Value = serde_yaml_ng::from_str(&text).map_err(|e| e.to_string())?;
    Ok(plain(value, 0))
}

fn plain(value: serde_yaml_ng::Value, depth: usize) -> Value {
    use serde_yaml_ng::Value as Yaml;
    if depth > DEPTH {
        return Value::Null;
    }
    match value {
        Yaml::Null => Value::Null,
        Yaml::Bool(b) => Value::Bool(b),
        Yaml::Number(n) => serde_json::to_value(n).unwrap_or(Value::Null),
        Yaml::String(s) => Value::String(s),
        Yaml::Sequence(items) => Value::Array(items.into_iter().map(|v| plain(v, depth + 1)).collect()),
        Yaml::Mapping(map) => {
            let pair = |(k, v)| {
                let key = match plain(k, depth + 1) {
                    Value::String(s) => s,
                    other => other.to_string(),
                };
                (key, plain(v, depth + 1))
            };
            Value::Object(map.into_iter().map(pair).collect())
        }
        Yaml::Tagged(tagged) => {
            let inner = plain(tagged.value, depth + 1);
            if tagged.tag == "binary" || tagged.tag == "!binary" || tagged.tag.to_string().ends_with("binary") {
                Value::Object(Map::from_iter([("base64_string".to_owned(), inner)]))
            } else {
                inner
            }
        }
    }
}

pub(super) fn read(value: &Value, traffic: &mut Traffic) {
    let found = ["interactions", "http_interactions"].iter().find_map(|k| Some((*k, value.get(*k)?.as_array()?)));
    let Some((key, interactions)) = found else {
        let what = "it has neither `log` (HAR) nor `interactions` or `http_interactions` (VCR), and is no recording";
        traffic.issue(IssueLevel::Unusable, "the whole file", what);
        return;
    };
    traffic.dialect = "vcr";
    let stem = traffic.path.rsplit(['/', '\\']).next().unwrap_or("").split('.').next().unwrap_or("").to_owned();
    for (at, interaction) in interactions.iter().enumerate() {
        match exchange(interaction, &stem) {
            Ok(exchange) => traffic.exchanges.push(exchange),
            Err(what) => {
                traffic.issue(IssueLevel::Suspicious, format!("{key}[{at}]"), format!("{what}; it is left out"));
            }
        }
    }
}

fn exchange(value: &Value, stem: &str) -> Result<Exchange, &'static str> {
    let request = &value["request"];
    let method = request["method"].as_str().filter(|m| !m.is_empty()).ok_or("it has no request.method")?;
    let url = request["uri"].as_str().or_else(|| request["url"].as_str()).ok_or("it has no request.uri")?;
    let (origin, path, query) = address(url);
    let response = &value["response"];
    let status = response["status"]["code"].as_u64().or_else(|| response["status_code"].as_u64());
    let status = status.and_then(|s| u16::try_from(s).ok());
    Ok(Exchange {
        // A cassette is called like its test (pytest-recording, VCR with RSpec).
        test: (!stem.is_empty()).then(|| stem.to_owned()),
        at: value["recorded_at"].as_str().and_then(|t| t.parse::<Timestamp>().ok()),
        millis: None,
        request: Request {
            method: method.to_ascii_uppercase(),
            origin,
            path,
            query,
            headers: fields(&request["headers"]),
            body: content(&request["body"]),
        },
        response: status.map(|status| Response {
            status,
            headers: fields(&response["headers"]),
            body: content(if response["body"].is_null() { &response["content"] } else { &response["body"] }),
        }),
        trouble: status.is_none().then(|| "no response was recorded".to_owned()),
    })
}

/// `{name: [value]}` or `{name: value}`.
fn fields(value: &Value) -> Headers {
    let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    let all = value.as_object().into_iter().flatten().flat_map(|(name, value)| {
        let values: Vec<String> = match value {
            Value::Array(items) => items.iter().map(text).collect(),
            other => vec![text(other)],
        };
        values.into_iter().map(|v| (name.clone(), v)).collect::<Vec<_>>()
    });
    headers(all)
}

fn content(value: &Value) -> Body {
    let packed = |text: &str| {
        let plain: String = text.split_whitespace().collect();
        let bytes = base64::engine::general_purpose::STANDARD.decode(plain).unwrap_or_default();
        body_of(&bytes, bytes.len() as u64)
    };
    match value {
        Value::String(text) => body(text, text.len() as u64),
        Value::Object(map) => match (map.get("string"), map.get("base64_string")) {
            (Some(inner), _) => content(inner),
            (_, Some(Value::String(text))) => packed(text),
            _ => Body::Empty,
        },
        _ => Body::Empty,
    }
}
