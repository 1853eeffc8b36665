//! A last look: what became known as a secret later in a run is masked at its
//! beginning too, and wherever else it stands.

use std::collections::HashMap;

use aho_corasick::{AhoCorasick, MatchKind};
use serde_json::Value;

use super::Known;
use super::names::looks_like_key;
use crate::model::exchange::{Body, Exchange, Headers};

/// Finds all known secrets at once.
#[derive(Debug)]
pub struct Sweep {
    finder: Option<AhoCorasick>,
    /// What stands in the place of each.
    places: Vec<String>,
    /// Those that are numbers.
    numbers: HashMap<String, String>,
}

impl Sweep {
    pub(super) fn of(known: &HashMap<String, Known>) -> Self {
        let mut all: Vec<(String, String)> = Vec::new();
        for (secret, known) in known.iter().filter(|(secret, known)| stands_out(secret, known.sent)) {
            let mut forms = written(secret);
            forms.push(secret.clone());
            forms.sort();
            forms.dedup();
            all.extend(forms.into_iter().map(|form| (form, known.placeholder.clone())));
        }
        all.sort();
        let finder =
            AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(all.iter().map(|(s, _)| s)).ok();
        let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        let numbers = all.iter().filter(|(secret, _)| is_number(secret)).cloned().collect();
        Self {
            finder: finder.filter(|_| !all.is_empty()),
            places: all.into_iter().map(|(_, place)| place).collect(),
            numbers,
        }
    }

    /// Masks what is known in a whole exchange. The name of its test stays: it is how
    /// the test is called in the report of its runner as well.
    pub fn exchange(&self, exchange: &mut Exchange) {
        if self.finder.is_none() {
            return;
        }
        let request = &mut exchange.request;
        self.text(&mut request.origin);
        self.text(&mut request.path);
        for (_, value) in &mut request.query {
            self.text(value);
        }
        self.message(&mut request.headers, &mut request.body);
        if let Some(response) = &mut exchange.response {
            self.message(&mut response.headers, &mut response.body);
        }
        if let Some(trouble) = &mut exchange.trouble {
            self.text(trouble);
        }
    }

    fn message(&self, headers: &mut Headers, body: &mut Body) {
        for (_, value) in &mut headers.0 {
            self.text(value);
        }
        match body {
            Body::Json(value) => self.json(value),
            Body::Text(text) | Body::Cut(text, _) => self.text(text),
            Body::Empty | Body::Opaque(_) => {}
        }
    }

    fn json(&self, value: &mut Value) {
        match value {
            Value::String(text) => self.text(text),
            Value::Number(number) if !self.numbers.is_empty() => {
                if let Some(place) = self.numbers.get(&number.to_string()) {
                    *value = Value::String(place.clone());
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.json(item)),
            Value::Object(fields) => {
                let odd: Vec<String> = fields.keys().filter(|name| looks_like_key(name, 8)).cloned().collect();
                for name in odd {
                    let mut masked = name.clone();
                    self.text(&mut masked);
                    if masked != name
                        && let Some(inner) = fields.remove(&name)
                    {
                        fields.insert(masked, inner);
                    }
                }
                fields.values_mut().for_each(|inner| self.json(inner));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Masks what is known in a text.
    pub fn text(&self, text: &mut String) {
        let Some(finder) = &self.finder else { return };
        let mut out = String::new();
        let mut at = 0;
        for found in finder.find_iter(text.as_str()) {
            if found.len() >= CERTAIN || stands_alone(text, found.start(), found.end()) {
                out.push_str(&text[at..found.start()]);
                out.push_str(&self.places[found.pattern().as_usize()]);
                at = found.end();
            }
        }
        if at > 0 {
            out.push_str(&text[at..]);
            *text = out;
        }
    }
}

/// From this length on a secret is one within other letters too.
const CERTAIN: usize = 12;

/// Whether no letter or digit is beside a place, but for one that belongs to something
/// escaped: `%22`, `\n`, `\u0022`.
fn stands_alone(text: &str, start: usize, end: usize) -> bool {
    let (before, after) = (&text[..start], &text[end..]);
    let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let tail = &before.as_bytes()[before.len().saturating_sub(6)..];
    let ends_escaped =
        |sign: &[u8], length: usize| tail.len() >= length && tail[tail.len() - length..].starts_with(sign);
    let is_escape = ends_escaped(b"%", 3) || ends_escaped(b"\\", 2) || ends_escaped(b"\\u", 6);
    !is_word(after.chars().next()) && (is_escape || !is_word(before.chars().next_back()))
}

/// How else a secret is written: in an address, in a form, in JSON (also in JSON within
/// JSON), in markup.
fn written(secret: &str) -> Vec<String> {
    let percent = crate::model::forge::percent(secret);
    let json = |text: &str| {
        let quoted = serde_json::to_string(text).unwrap_or_default();
        quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or("").to_owned()
    };
    let mut small = percent.clone();
    // `%2F` and `%2f` are the same.
    for (at, _) in percent.match_indices('%') {
        if let Some(digits) = percent.get(at + 1..at + 3) {
            small.replace_range(at + 1..at + 3, &digits.to_ascii_lowercase());
        }
    }
    let entities = secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let once = json(secret);
    vec![
        percent.replace("%20", "+"),
        small.replace("%20", "+"),
        percent,
        small,
        json(&once),
        once,
        entities.replace('"', "&quot;").replace('\'', "&#39;"),
        entities.replace('"', "&#34;").replace('\'', "&#x27;"),
        entities,
    ]
}

/// Whether a secret can be looked for in other places without finding what is innocent
/// there: sentences, dates, words, names of fields, short numbers. Words that a test has
/// sent are looked for from a certain length on.
fn stands_out(secret: &str, sent: bool) -> bool {
    let begins_with_year = secret.len() >= 8 && secret.bytes().take(4).all(|b| b.is_ascii_digit());
    let is_date = begins_with_year && secret.as_bytes()[4] == b'-';
    if secret.bytes().all(|b| b.is_ascii_digit()) {
        // `20240131` is a day.
        return secret.len() > 8 || (secret.len() == 8 && !secret.starts_with("19") && !secret.starts_with("20"));
    }
    let is_phrase = sent && secret.contains(' ') && secret.len() >= CERTAIN;
    is_phrase || (looks_like_key(secret, 6) && !is_date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_short_stands_alone() {
        let known = Known { placeholder: "secret-1".to_owned(), sent: true };
        let sweep =
            Sweep::of(&HashMap::from([("hunter22".to_owned(), known.clone()), ("a&b c1d2e3f4".to_owned(), known)]));
        let table = [
            ("is hunter22.", "is secret-1."),
            ("hunter223 xhunter22", "hunter223 xhunter22"),
            ("%22hunter22%22", "%22secret-1%22"),
            (r"\nhunter22", r"\nsecret-1"),
            ("x=a%26b+c1d2e3f4&y", "x=secret-1&y"),
            ("a&amp;b c1d2e3f4", "secret-1"),
        ];
        for (text, expected) in table {
            let mut text = text.to_owned();
            sweep.text(&mut text);
            assert_eq!(text, expected);
        }
    }

    #[test]
    fn what_is_looked_for_everywhere() {
        for secret in ["hunter22", "Xk3Y9z8wQ1", "98237461", "AbCdEfGhIjKlMnOpQr"] {
            assert!(stands_out(secret, false), "{secret}");
        }
        for innocent in
            ["This field is required.", "2024-01-01T00:00:00Z", "access_token", "not_set", "123456", "string"]
        {
            assert!(!stands_out(innocent, false), "{innocent}");
        }
        assert!(stands_out("correct horse battery", true) && !stands_out("correct horse battery", false));
    }
}
