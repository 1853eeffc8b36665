//! A last look: what became known as a secret later in a run is masked at its
//! beginning too, and wherever else it stands.

use std::collections::HashMap;

use aho_corasick::{AhoCorasick, MatchKind};
use serde_json::Value;

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
    pub(super) fn of(known: &HashMap<String, String>) -> Self {
        let mut all: Vec<(String, String)> = Vec::new();
        for (secret, place) in known.iter().filter(|(secret, _)| stands_out(secret)) {
            let packed = crate::model::forge::percent(secret);
            let json = serde_json::to_string(secret).unwrap_or_default();
            let inner = json.trim_matches('"').to_owned();
            for form in [packed, inner] {
                if form != *secret {
                    all.push((form, place.clone()));
                }
            }
            all.push((secret.clone(), place.clone()));
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
                let odd: Vec<String> = fields.keys().filter(|name| looks_like_key(name, 6)).cloned().collect();
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
        if let Some(finder) = self.finder.as_ref().filter(|finder| finder.is_match(text.as_str())) {
            *text = finder.replace_all(text, &self.places);
        }
    }
}

/// Whether a secret can be looked for in other places without finding what is innocent
/// there: sentences, dates, words, names of fields, short numbers.
fn stands_out(secret: &str) -> bool {
    let is_number = secret.bytes().all(|b| b.is_ascii_digit());
    let begins_with_year = secret.len() >= 8 && secret.bytes().take(4).all(|b| b.is_ascii_digit());
    let is_date = begins_with_year && secret.as_bytes()[4] == b'-';
    if is_number { secret.len() >= 8 } else { looks_like_key(secret, 6) && !is_date }
}

#[cfg(test)]
mod tests {
    use super::stands_out;

    #[test]
    fn what_is_looked_for_everywhere() {
        for secret in ["hunter22", "Xk3Y9z8wQ1", "98237461", "AbCdEfGhIjKlMnOpQr"] {
            assert!(stands_out(secret), "{secret}");
        }
        for innocent in
            ["This field is required.", "2024-01-01T00:00:00Z", "access_token", "not_set", "123456", "string"]
        {
            assert!(!stands_out(innocent), "{innocent}");
        }
    }
}
