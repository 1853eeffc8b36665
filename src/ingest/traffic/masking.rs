//! Secrets of traffic: masked before anything is stored or shown.
//!
//! A value is a secret by the name it stands under (a header, a cookie, a
//! parameter, a key) or by its own shape. Once known it is masked wherever it
//! stands, and always by the same placeholder, so that it can still be seen that
//! a request sent the very token that a response gave.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;

use serde_json::Value;

use crate::model::exchange::{Body, Exchange, Headers};
use crate::model::secret::{MASK, mask};

/// Characters from which on a secret is looked for in other places too: shorter
/// ones would be found in innocent words.
const GLOBAL: usize = 6;
/// Different secrets that are told apart.
const KNOWN: usize = 10_000;

/// Knows the secrets of one run.
#[derive(Debug, Default)]
pub struct Masker {
    known: HashMap<String, String>,
    /// Those that are looked for everywhere, the longest first.
    ordered: Vec<String>,
    mail: bool,
}

impl Masker {
    /// One that knows nothing yet; with `mail` addresses are secrets as well.
    #[must_use]
    pub fn new(mail: bool) -> Self {
        Self { mail, ..Self::default() }
    }

    /// Masks an exchange.
    pub fn exchange(&mut self, exchange: &mut Exchange) {
        self.learn(exchange);
        let request = &mut exchange.request;
        request.origin = self.userinfo(&request.origin);
        for (name, value) in &mut request.query {
            *value = self.named(name, value);
        }
        request.path = self.path(&request.path);
        self.headers(&mut request.headers);
        self.body(&mut request.body);
        if let Some(response) = &mut exchange.response {
            self.headers(&mut response.headers);
            self.body(&mut response.body);
        }
        if let Some(trouble) = &mut exchange.trouble {
            *trouble = self.text(trouble);
        }
    }

    /// Learns secrets first, so that those at the end are masked at the beginning.
    fn learn(&mut self, exchange: &Exchange) {
        let mut copy = exchange.clone();
        self.headers(&mut copy.request.headers);
        for (name, value) in &copy.request.query {
            self.named(name, value);
        }
        self.userinfo(&copy.request.origin);
        self.body(&mut copy.request.body);
        if let Some(response) = &mut copy.response {
            self.headers(&mut response.headers);
            self.body(&mut response.body);
        }
    }

    /// The placeholder of a secret.
    fn placeholder(&mut self, secret: &str) -> String {
        if let Some(known) = self.known.get(secret) {
            return known.clone();
        }
        // A placeholder is none.
        if secret.starts_with("secret-") && self.known.values().any(|p| p == secret) || secret.is_empty() {
            return secret.to_owned();
        }
        if self.known.len() >= KNOWN {
            return MASK.to_owned();
        }
        let placeholder = format!("secret-{}", self.known.len() + 1);
        self.known.insert(secret.to_owned(), placeholder.clone());
        if secret.chars().count() >= GLOBAL {
            let at = self.ordered.partition_point(|other| other.len() >= secret.len());
            self.ordered.insert(at, secret.to_owned());
        }
        placeholder
    }

    fn headers(&mut self, headers: &mut Headers) {
        for (name, value) in &mut headers.0 {
            let lower = name.to_ascii_lowercase();
            *value = match lower.as_str() {
                "authorization" | "proxy-authorization" => self.credentials(value),
                "cookie" => self.pairs(value, ';', usize::MAX),
                "set-cookie" => self.set_cookies(value),
                "www-authenticate" | "proxy-authenticate" => self.text(value),
                _ => self.named(&lower, value),
            };
        }
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
    fn path(&mut self, path: &str) -> String {
        let mut before = "";
        let parts: Vec<String> = path
            .split('/')
            .map(|part| {
                let odd = part.len() >= 6 && part.bytes().any(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
                let shown = if (is_secret_name(before) && odd) || is_key(part) {
                    self.placeholder(part)
                } else {
                    self.text(part)
                };
                before = part;
                shown
            })
            .collect();
        parts.join("/")
    }

    /// A value under a name.
    fn named(&mut self, name: &str, value: &str) -> String {
        if is_secret_name(name) && !value.is_empty() { self.placeholder(value) } else { self.text(value) }
    }

    /// `scheme://user:password@host`.
    fn userinfo(&mut self, origin: &str) -> String {
        let Some((scheme, rest)) = origin.split_once("://") else { return self.text(origin) };
        let Some((user, host)) = rest.rsplit_once('@') else { return self.text(origin) };
        let (name, password) = user.split_once(':').unwrap_or(("", user));
        let placeholder = self.placeholder(password);
        format!("{scheme}://{name}:{placeholder}@{host}")
    }

    fn body(&mut self, body: &mut Body) {
        match body {
            Body::Json(value) => self.json(value, 0),
            Body::Text(text) | Body::Cut(text, _) => *text = self.form(text),
            Body::Empty | Body::Opaque(_) => {}
        }
    }

    fn json(&mut self, value: &mut Value, depth: usize) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(items) if depth < DEPTH => items.iter_mut().for_each(|item| self.json(item, depth + 1)),
            Value::Object(fields) if depth < DEPTH => {
                for (name, inner) in fields {
                    if is_secret_name(name) || (holds_secrets(name) && !inner.is_number()) {
                        self.secrets(inner, depth + 1);
                    } else {
                        self.json(inner, depth + 1);
                    }
                }
            }
            // Deeper than anybody looks.
            Value::Array(_) | Value::Object(_) => *value = Value::Null,
            _ => {}
        }
    }

    /// All that stands under the name of a secret: texts, numbers (a PIN, a card),
    /// lists of them, objects.
    fn secrets(&mut self, value: &mut Value, depth: usize) {
        match value {
            Value::String(text) => *text = self.placeholder(text),
            Value::Number(number) => *value = Value::String(self.placeholder(&number.to_string())),
            Value::Array(items) if depth < DEPTH => items.iter_mut().for_each(|item| self.secrets(item, depth + 1)),
            Value::Object(fields) if depth < DEPTH => fields.values_mut().for_each(|v| self.secrets(v, depth + 1)),
            Value::Array(_) | Value::Object(_) => *value = Value::Null,
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// A text that may be a form: `a=b&password=c`.
    fn form(&mut self, text: &str) -> String {
        let is_form = text.contains('=') && !text.contains(['\n', '<', '{', ' ']);
        if !is_form {
            return self.text(text);
        }
        let parts = text.split('&').map(|part| match part.split_once('=') {
            Some((name, value)) if is_secret_name(name) && !value.is_empty() => {
                let plain = unescape(value);
                format!("{name}={}", self.placeholder(&plain))
            }
            _ => self.text(part),
        });
        parts.collect::<Vec<_>>().join("&")
    }

    /// Any text: known secrets, as they are and percent-encoded, and shapes.
    #[must_use]
    pub fn text(&mut self, text: &str) -> String {
        let loose = self.loose(text);
        let mut out = mask(&loose).into_owned();
        for secret in &self.ordered {
            let Some(placeholder) = self.known.get(secret) else { continue };
            if out.contains(secret.as_str()) {
                out = out.replace(secret.as_str(), placeholder);
            }
            let packed = crate::model::forge::percent(secret);
            if packed != *secret && out.contains(&packed) {
                out = out.replace(&packed, placeholder);
            }
        }
        if self.mail { self.addresses(&out) } else { out }
    }

    /// Values beside their names in whatever text: `password: x`, `token=x`,
    /// `<secret>x</secret>`, `name="password"` of a multipart form, an address with
    /// parameters, JSON that was cut.
    fn loose(&mut self, text: &str) -> String {
        let Some(beside) = BESIDE.as_ref().filter(|_| text.len() > 6) else { return text.to_owned() };
        let mut out = String::with_capacity(text.len());
        let (mut at, mut from) = (0, 0);
        while let Some(found) = beside.captures_at(text, from) {
            let (Some(name), Some(value)) = (found.name("name"), found.name("value")) else { break };
            // `code` and the like are secrets in addresses only.
            let in_address = text[..name.start()].ends_with(['?', '&']);
            let address = in_address && ADDRESS_NAMES.contains(&name.as_str());
            if !is_secret_name(name.as_str()) && !address {
                // What looked like a value may be the next name.
                from = name.end();
                continue;
            }
            out.push_str(&text[at..value.start()]);
            out.push_str(&self.placeholder(value.as_str()));
            (at, from) = (value.end(), value.end());
        }
        out.push_str(&text[at..]);
        out
    }

    fn addresses(&mut self, text: &str) -> String {
        let is_word = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '+' | '-' | '%');
        let mut out = text.to_owned();
        let found: Vec<String> = text
            .match_indices('@')
            .filter_map(|(at, _)| {
                let start = text[..at]
                    .rfind(|c| !is_word(c))
                    .map_or(0, |p| p + text[p..].chars().next().map_or(1, char::len_utf8));
                let end = text[at + 1..].find(|c| !is_word(c)).map_or(text.len(), |p| at + 1 + p);
                let address = &text[start..end];
                (start < at && address[at - start..].contains('.')).then(|| address.to_owned())
            })
            .collect();
        for address in found {
            let placeholder = self.placeholder(&address);
            out = out.replace(&address, &placeholder);
        }
        out
    }
}

/// Names in addresses whose values let somebody in (RFC 6749).
const ADDRESS_NAMES: &[&str] = &["code", "state", "nonce"];

/// A name, what stands between, a value.
static BESIDE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let between = r#"(?:\\?["']?\s{0,3}(?:[:=]|%3D)\s{0,3}\\?["']?|["']\r?\n(?:[A-Za-z-]+:[^\n]*\n)*\r?\n|>)"#;
    let value = r#"[^\s"'&;<>\\,|(){}\[\]%]{4,}"#;
    Regex::new(&format!(r"(?P<name>[A-Za-z][A-Za-z0-9_-]{{1,40}}){between}(?P<value>{value})")).ok()
});

/// Whether a segment of a path is a key by its form: long and hexadecimal. Ids are
/// shorter, or have the form of ids.
fn is_key(segment: &str) -> bool {
    segment.len() >= 40 && segment.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Names of lists and objects of secrets.
fn holds_secrets(name: &str) -> bool {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    ["tokens", "secrets", "passwords", "credentials", "apikeys", "cookies", "keys"]
        .iter()
        .any(|word| plain.ends_with(word))
}

/// Levels of JSON that are kept.
const DEPTH: usize = 64;

/// Whether what stands under a name is a secret.
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    const WORDS: &[&str] = &[
        "password",
        "passwd",
        "passphrase",
        "secret",
        "token",
        "apikey",
        "accesskey",
        "privatekey",
        "credential",
        "authorization",
        "cookie",
        "sessionid",
        "signature",
        "otp",
        "cvv",
        "cvc",
        "cardnumber",
        "iban",
        "ssn",
        "pincode",
        "jwt",
        "bearer",
    ];
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    // What only counts or describes tokens is none.
    let harmless = ["tokentype", "tokenizer", "expires", "expiresin", "count", "usage", "limit", "maxtokens", "tokens"];
    if harmless.iter().any(|end| plain.ends_with(end)) {
        return false;
    }
    matches!(plain.as_str(), "pin" | "sid" | "key" | "auth" | "session" | "csrf" | "xsrf" | "sig")
        || WORDS.iter().any(|word| plain.contains(word))
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
