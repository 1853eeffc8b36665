//! Secrets of traffic: masked before anything is stored or shown.
//!
//! A value is a secret by the name it stands under (a header, a cookie, a
//! parameter, a key) or by its own shape. Once known it is masked wherever it
//! stands, and always by the same placeholder, so that it can still be seen that
//! a request sent the very token that a response gave. That is done in two steps:
//! each exchange is masked by names and shapes when it comes in, and all of them by
//! what has become known when they are complete ([`Masker::sweep`]).

mod forms;
mod markup;
pub mod names;
mod sweep;
mod texts;

use std::collections::HashMap;
use std::ops::Range;

use serde_json::Value;

use self::names::{
    Says, before_a_key, holds, is_card, is_secret, is_sentence, is_uuid, looks_like_key, of_header, says,
};
pub use self::sweep::Sweep;
use crate::model::exchange::{Body, Exchange, Headers};
use crate::model::secret::{MASK, mask};

/// Different secrets that are told apart.
const KNOWN: usize = 10_000;
/// Levels of JSON that are kept.
const DEPTH: usize = 64;

/// Knows the secrets of one run.
#[derive(Debug, Default)]
pub struct Masker {
    known: HashMap<String, Known>,
    /// The number of the last placeholder.
    last: u64,
    mail: bool,
    /// Whether what is looked at was sent by a test. What is sent under the name of a
    /// secret is one; an answer may speak about it.
    sent: bool,
    /// In how many texts, one within the other, this stands.
    within: u8,
}

/// A secret that is known.
#[derive(Clone, Debug)]
struct Known {
    placeholder: String,
    /// A test has sent it.
    sent: bool,
}

impl Masker {
    /// One that knows nothing yet; with `mail` addresses are secrets as well.
    #[must_use]
    pub fn new(mail: bool) -> Self {
        Self { mail, ..Self::default() }
    }

    /// Masks an exchange by names and shapes, and learns its secrets.
    pub fn exchange(&mut self, exchange: &mut Exchange) {
        self.sent = true;
        let request = &mut exchange.request;
        request.origin = self.userinfo(&request.origin);
        for (name, value) in &mut request.query {
            *value = self.parameter(name, value);
        }
        request.path = self.path(&request.path);
        self.message(&mut request.headers, &mut request.body);
        self.sent = false;
        if let Some(response) = &mut exchange.response {
            self.message(&mut response.headers, &mut response.body);
        }
        if let Some(trouble) = &mut exchange.trouble {
            *trouble = self.text(trouble);
        }
    }

    /// What masks all that is known by now, wherever it stands.
    #[must_use]
    pub fn sweep(&self) -> Sweep {
        Sweep::of(&self.known)
    }

    fn message(&mut self, headers: &mut Headers, body: &mut Body) {
        let kind = headers.media_type().unwrap_or_default();
        self.headers(headers);
        match body {
            Body::Json(value) => self.json(value, 0),
            Body::Text(text) | Body::Cut(text, _) => *text = self.written(&kind, text),
            Body::Empty | Body::Opaque(_) => {}
        }
    }

    /// A body of text, by its media type or by what it looks like.
    fn written(&mut self, kind: &str, text: &str) -> String {
        let is_form = kind == "application/x-www-form-urlencoded"
            || (text.contains('=') && !text.contains(['\n', '<', '{', ' ']));
        if is_form {
            return self.form(text);
        }
        self.multipart(text).or_else(|| self.table(text)).unwrap_or_else(|| self.text(text))
    }

    /// The placeholder of a secret.
    fn placeholder(&mut self, secret: &str) -> String {
        if let Some(known) = self.known.get_mut(secret) {
            known.sent |= self.sent;
            return known.placeholder.clone();
        }
        // A placeholder is none, and is given to no other.
        if let Some(number) = secret.strip_prefix("secret-").and_then(|n| n.parse::<u32>().ok()) {
            self.last = self.last.max(u64::from(number));
            return secret.to_owned();
        }
        if secret.is_empty() || secret == MASK {
            return secret.to_owned();
        }
        if self.known.len() >= KNOWN {
            return MASK.to_owned();
        }
        self.last += 1;
        let placeholder = format!("secret-{}", self.last);
        self.known.insert(secret.to_owned(), Known { placeholder: placeholder.clone(), sent: self.sent });
        placeholder
    }

    /// A text with placeholders at some places, which follow each other.
    fn put(&mut self, text: &str, places: Vec<Range<usize>>) -> String {
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        for place in places.into_iter().filter(|place| !place.is_empty()) {
            if place.start >= at {
                out.push_str(&text[at..place.start]);
                out.push_str(&self.placeholder(&text[place.clone()]));
                at = place.end;
            }
        }
        out.push_str(&text[at..]);
        out
    }

    fn headers(&mut self, headers: &mut Headers) {
        for (name, value) in &mut headers.0 {
            let lower = name.to_ascii_lowercase();
            *value = match lower.as_str() {
                "authorization" | "proxy-authorization" => self.credentials(value),
                "cookie" if !value.contains('=') => self.placeholder(value),
                "cookie" => self.pairs(value, ';', usize::MAX),
                "set-cookie" => self.set_cookies(value),
                "www-authenticate" | "proxy-authenticate" => self.text(value),
                // Browsers can send a token in no other header of a WebSocket.
                "sec-websocket-protocol" => self.protocols(value),
                _ if of_header(&lower) == Says::Secret && !value.is_empty() => self.placeholder(value),
                _ => self.text(value),
            };
        }
    }

    fn protocols(&mut self, value: &str) -> String {
        let one = |part: &str| match part.trim() {
            part if looks_like_key(part, 16) => self.placeholder(part),
            part => self.text(part),
        };
        value.split(',').map(one).collect::<Vec<_>>().join(", ")
    }

    /// `Bearer …`: the scheme stays. What `Basic` packs is a secret of its own.
    fn credentials(&mut self, value: &str) -> String {
        use base64::Engine;
        let (scheme, rest) = value.split_once(' ').unwrap_or(("", value));
        if scheme.eq_ignore_ascii_case("basic")
            && let Ok(bytes) = base64::engine::general_purpose::STANDARD.decode(rest.trim())
            && let Ok(text) = String::from_utf8(bytes)
            && let Some((_, password)) = text.split_once(':')
        {
            self.placeholder(password);
        }
        let placeholder = self.placeholder(rest.trim());
        if scheme.is_empty() { placeholder } else { format!("{scheme} {placeholder}") }
    }

    /// `a=b; c=d`: the first `most` values are secrets.
    fn pairs(&mut self, value: &str, between: char, most: usize) -> String {
        let parts = value.split(between).enumerate().map(|(at, part)| match part.split_once('=') {
            Some((name, secret)) if at < most => {
                format!("{name}={}", self.placeholder(secret.trim().trim_matches('"')))
            }
            _ => part.to_owned(),
        });
        parts.collect::<Vec<_>>().join(&between.to_string())
    }

    /// `a=b; Path=/`, also several of them that a client has joined by commas.
    fn set_cookies(&mut self, value: &str) -> String {
        let mut parts: Vec<String> = Vec::new();
        for part in value.split(", ") {
            // A comma stands in dates as well: `Expires=Wed, 21 Oct …`.
            match parts.last_mut() {
                Some(before) if !part.split(';').next().unwrap_or("").contains('=') => {
                    before.push_str(", ");
                    before.push_str(part);
                }
                _ => parts.push(part.to_owned()),
            }
        }
        parts.iter().map(|part| self.pairs(part, ';', 1)).collect::<Vec<_>>().join(", ")
    }

    /// A path: what follows a word such as `token` or `reset-password` is a secret
    /// where it looks like one.
    #[must_use]
    pub fn path(&mut self, path: &str) -> String {
        let segments = self.segments(path);
        self.text(&segments)
    }

    /// The segments of a path, each by itself.
    fn segments(&mut self, path: &str) -> String {
        let mut before = "";
        let parts: Vec<String> = path
            .split('/')
            .map(|part| {
                // A sentence may end behind a link.
                let own = part.trim_end_matches('.');
                let is_one = (before_a_key(before) && looks_like_key(own, 6)) || is_key(own, before);
                before = part;
                if is_one { format!("{}{}", self.placeholder(own), &part[own.len()..]) } else { part.to_owned() }
            })
            .collect();
        parts.join("/")
    }

    /// A value of an address under a name.
    fn parameter(&mut self, name: &str, value: &str) -> String {
        let is_one = match says(name) {
            Says::Secret => !value.is_empty(),
            Says::Perhaps => looks_like_key(value, 6),
            Says::Nothing => false,
        };
        if is_one { self.placeholder(value) } else { self.text(value) }
    }

    /// `scheme://user:password@host`.
    fn userinfo(&mut self, origin: &str) -> String {
        let Some((scheme, rest)) = origin.split_once("://") else { return self.text(origin) };
        let Some((user, host)) = rest.rsplit_once('@') else { return self.text(origin) };
        let (name, password) = user.split_once(':').unwrap_or(("", user));
        let placeholder = self.placeholder(password);
        format!("{scheme}://{name}:{placeholder}@{host}")
    }

    fn json(&mut self, value: &mut Value, depth: usize) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(items) if depth < DEPTH => self.list(items, depth),
            Value::Object(fields) if depth < DEPTH => {
                let is_named = fields.iter().any(|(key, name)| {
                    matches!(key.to_ascii_lowercase().as_str(), "name" | "key" | "field" | "id" | "label" | "type")
                        && name.as_str().is_some_and(is_secret)
                });
                for (name, inner) in fields {
                    let is_value =
                        is_named && matches!(name.to_ascii_lowercase().as_str(), "value" | "val" | "content");
                    if is_value || under(name, inner) {
                        self.secrets(inner, depth + 1);
                    } else {
                        if let Some(number) = inner.get_mut("number").filter(|_| is_card(name)) {
                            self.secrets(number, depth + 1);
                        }
                        if let Value::Array(items) = inner
                            && holds(name) == Says::Perhaps
                        {
                            items.iter_mut().filter(|item| is_long_key(item)).for_each(|i| self.secrets(i, depth + 1));
                        }
                        self.json(inner, depth + 1);
                    }
                }
            }
            // Deeper than anybody looks.
            Value::Array(_) | Value::Object(_) => *value = Value::Null,
            _ => {}
        }
    }

    /// A list; one of two texts may be a name and a value.
    fn list(&mut self, items: &mut [Value], depth: usize) {
        let is_pair = items.len() == 2 && items[1].is_string() && items[0].as_str().is_some_and(is_secret);
        for (at, item) in items.iter_mut().enumerate() {
            if is_pair && at == 1 { self.secrets(item, depth + 1) } else { self.json(item, depth + 1) }
        }
    }

    /// All that stands under the name of a secret: texts, numbers (a PIN, a card),
    /// lists of them, objects.
    fn secrets(&mut self, value: &mut Value, depth: usize) {
        match value {
            Value::String(text) if !self.sent && is_sentence(text) => *text = self.text(text),
            Value::String(text) => *text = self.placeholder(text),
            Value::Number(number) => *value = Value::String(self.placeholder(&number.to_string())),
            Value::Array(items) if depth < DEPTH => items.iter_mut().for_each(|item| self.secrets(item, depth + 1)),
            Value::Object(fields) if depth < DEPTH => {
                // `{"tokens": {"Xk3…": {"user": 1}}}`
                for name in fields.keys().filter(|name| looks_like_key(name, 6)) {
                    self.placeholder(name);
                }
                fields.values_mut().for_each(|v| self.secrets(v, depth + 1));
            }
            Value::Array(_) | Value::Object(_) => *value = Value::Null,
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// Any text: what stands beside the name of a secret, in JSON within it, in links,
    /// and shapes.
    #[must_use]
    pub fn text(&mut self, text: &str) -> String {
        // What is shorter holds no name with a value.
        if text.len() < 6 {
            return text.to_owned();
        }
        let plain = self.embedded(text);
        let plain = self.markup(&plain);
        let plain = self.links(&plain);
        let plain = self.loose(&plain);
        let out = mask(&plain).into_owned();
        if self.mail { self.addresses(&out) } else { out }
    }
}

/// Whether what stands in JSON under a name is a secret.
fn under(name: &str, value: &Value) -> bool {
    match says(name) {
        Says::Secret => !is_schema(value),
        Says::Perhaps => is_long_key(value),
        Says::Nothing => holds(name) == Says::Secret && !value.is_number(),
    }
}

fn is_long_key(value: &Value) -> bool {
    value.as_str().is_some_and(|text| looks_like_key(text, 16) && !is_uuid(text))
}

/// Whether a value describes the field of this name, as a JSON Schema does.
fn is_schema(value: &Value) -> bool {
    let types = ["string", "number", "integer", "boolean", "object", "array", "null"];
    let has_type = value["type"].as_str().is_some_and(|kind| types.contains(&kind));
    let is_other = ["$ref", "anyOf", "oneOf", "allOf"].iter().any(|key| value.get(key).is_some());
    (has_type || is_other) && value.get("value").is_none()
}

/// Whether a segment of a path is a key by its form: long and hexadecimal, or long and
/// mixed. Ids are shorter, or have the form of ids; what stands behind `commits` is the
/// hash of one.
fn is_key(segment: &str, before: &str) -> bool {
    let names_content = matches!(
        before.to_ascii_lowercase().as_str(),
        "commit"
            | "commits"
            | "tree"
            | "trees"
            | "blob"
            | "blobs"
            | "sha"
            | "sha256"
            | "objects"
            | "revisions"
            | "compare"
    );
    if segment.len() < 32 || names_content {
        return false;
    }
    let is_hexadecimal = segment.len() >= 40 && segment.bytes().all(|b| b.is_ascii_hexdigit());
    let has = |which: fn(&u8) -> bool| segment.as_bytes().iter().any(&which);
    let is_mixed = has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_digit);
    let is_packed = segment.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'=' | b'.'));
    is_hexadecimal || (is_mixed && is_packed && looks_like_key(segment, 32))
}

/// A text without percent-encoding; `+` is a space.
#[must_use]
pub fn unescape(text: &str) -> String {
    let mut out = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let mut ahead = rest.clone();
        let digits = (byte == b'%').then(|| [ahead.next(), ahead.next()]);
        let hex = digits.and_then(|[a, b]| {
            let text = [a?, b?];
            u8::from_str_radix(std::str::from_utf8(&text).ok()?, 16).ok()
        });
        match hex {
            Some(value) => {
                out.push(value);
                rest = ahead;
            }
            None => out.push(if byte == b'+' { b' ' } else { byte }),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
