//! HAR 1.2 (<http://www.softwareishard.com/blog/har-12-spec/>).

use base64::Engine;
use serde_json::Value;

use super::{Traffic, address, body, body_of, headers};
use crate::model::exchange::{Body, Exchange, Request, Response};
use crate::model::run::IssueLevel;
use crate::model::time::Timestamp;

pub(super) fn read(value: &Value, traffic: &mut Traffic) {
    traffic.dialect = "har";
    let Some(entries) = value["log"]["entries"].as_array() else {
        traffic.issue(IssueLevel::Unusable, "log.entries", "a HAR file has its exchanges there; there are none");
        return;
    };
    for (at, entry) in entries.iter().enumerate() {
        match exchange(entry) {
            Ok(exchange) => traffic.exchanges.push(exchange),
            Err(what) => {
                traffic.issue(IssueLevel::Suspicious, format!("log.entries[{at}]"), format!("{what}; it is left out"));
            }
        }
    }
}

fn exchange(entry: &Value) -> Result<Exchange, &'static str> {
    let request = &entry["request"];
    let method = request["method"].as_str().filter(|m| !m.is_empty()).ok_or("it has no request.method")?;
    let url = request["url"].as_str().filter(|u| !u.is_empty()).ok_or("it has no request.url")?;
    let (origin, path, query) = address(url);
    let response = &entry["response"];
    // Browsers write 0 where nothing came back.
    let number = |v: &Value| v.as_u64().or_else(|| v.as_str()?.trim().parse().ok());
    let status = number(&response["status"]).and_then(|s| u16::try_from(s).ok()).filter(|s| *s > 0);
    let error =
        ["_error", "_errorText", "statusText"].iter().find_map(|k| response[*k].as_str().filter(|t| !t.is_empty()));
    Ok(Exchange {
        test: entry["_test"]
            .as_str()
            .or_else(|| entry["pageref"].as_str().filter(|p| p.contains("::")))
            .map(str::to_owned),
        at: entry["startedDateTime"].as_str().and_then(|t| t.parse::<Timestamp>().ok()),
        millis: entry["time"].as_f64().filter(|t| *t >= 0.0),
        request: Request {
            method: method.to_ascii_uppercase(),
            origin,
            path,
            query,
            headers: pairs(&request["headers"]),
            body: sent(&request["postData"]),
        },
        response: status.map(|status| Response {
            status,
            headers: pairs(&response["headers"]),
            body: received(&response["content"]),
        }),
        trouble: status.is_none().then(|| error.unwrap_or("no response was recorded").to_owned()),
    })
}

fn pairs(value: &Value) -> crate::model::exchange::Headers {
    let pair = |v: &Value| Some((v["name"].as_str()?.to_owned(), v["value"].as_str().unwrap_or("").to_owned()));
    headers(value.as_array().into_iter().flatten().filter_map(pair))
}

fn sent(data: &Value) -> Body {
    if let Some(text) = data["text"].as_str().filter(|t| !t.is_empty()) {
        return body(text, text.len() as u64);
    }
    let pair = |p: &Value| Some(format!("{}={}", p["name"].as_str()?, p["value"].as_str().unwrap_or("")));
    let form: Vec<String> = data["params"].as_array().into_iter().flatten().filter_map(pair).collect();
    if form.is_empty() { Body::Empty } else { body(&form.join("&"), 0) }
}

fn received(content: &Value) -> Body {
    let size = content["size"].as_u64().unwrap_or(0);
    let Some(text) = content["text"].as_str() else {
        return if size == 0 { Body::Empty } else { Body::Opaque(size) };
    };
    if content["encoding"] == "base64" {
        let bytes = base64::engine::general_purpose::STANDARD.decode(text.trim()).unwrap_or_default();
        return body_of(&bytes, bytes.len() as u64);
    }
    body(text, text.len() as u64)
}
