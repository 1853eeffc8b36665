//! Drift: what answers have now and had not, or had and have no more.
//!
//! Rules and levels are those of oasdiff for responses (`err` breaks clients,
//! `warn` may, `info` tells), as far as they can be seen in traffic. A field that
//! was not always there is gone only where chance is no explanation: with a lower
//! bound p of how often it was there (Wilson, 95 %), that it is missing in all of n
//! new answers must be less likely than 1 %.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::api_model::{ApiModel, ResponseStats};
use super::formats;
use super::shape::{Node, Objects};

/// Answers before which a field that was always there is called required.
const SURE: u64 = 5;
/// Below it chance is no explanation.
const CHANCE: f64 = 0.01;
/// Findings of one kind of answer.
const MOST: usize = 50;

/// How much a change matters to clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// It tells.
    Info,
    /// It may break clients.
    Warn,
    /// It breaks clients.
    Err,
}

/// A change of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Drift {
    /// `GET /users/{user}`.
    pub endpoint: String,
    /// Status.
    pub status: u16,
    /// JSON pointer to the place, `*` for elements of lists; empty for the whole.
    pub pointer: String,
    /// The rule, by oasdiff's name.
    pub rule: &'static str,
    /// Its level.
    pub level: Level,
    /// In words.
    pub text: String,
    /// By what it is accepted: the same finding at the same place has the same, however
    /// many answers show it.
    pub fingerprint: String,
}

impl Level {
    /// In a word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Err => "err",
        }
    }
}

impl Drift {
    /// A finding with its fingerprint.
    #[must_use]
    pub fn new(
        (endpoint, status, pointer): (String, u16, &str),
        rule: &'static str,
        level: Level,
        text: String,
    ) -> Self {
        let whole = format!("{rule}:{endpoint}:{status}:{pointer}");
        let fingerprint =
            Sha256::digest(whole.as_bytes()).iter().take(6).fold(String::new(), |t, b| t + &format!("{b:02x}"));
        Self { endpoint, status, pointer: pointer.to_owned(), rule, level, text, fingerprint }
    }

    /// The place for people: `` `user.tags.*.name` ``, or nothing for the whole answer.
    #[must_use]
    pub fn place(&self) -> String {
        let path = self.pointer.trim_start_matches('/').replace('/', ".").replace("~1", "/").replace("~0", "~");
        if path.is_empty() { String::new() } else { format!("`{path}`") }
    }
}

/// What changed from what is remembered to what one run saw.
#[must_use]
pub fn between(before: &ApiModel, now: &ApiModel) -> Vec<Drift> {
    let mut found = Vec::new();
    for (kind, seen) in &now.kinds {
        let own =
            |pointer: &str, rule, level, text| Drift::new((kind.endpoint(), kind.status, pointer), rule, level, text);
        let known_endpoint = before.kinds.keys().any(|k| k.method == kind.method && k.template == kind.template);
        let Some(had) = before.kinds.get(kind) else {
            let known_status = before.kinds.keys().any(|k| k.endpoint() == kind.endpoint() && k.status == kind.status);
            if known_status {
                let text = format!("answers as `{}`, which it never did", kind.media);
                found.push(own("", "response-media-type-added", Level::Info, text));
            } else if known_endpoint && kind.status < 500 {
                let text = format!("answers {}, which it never did", kind.status);
                found.push(own("", "response-non-success-status-added", Level::Info, text));
            }
            continue;
        };
        let mut places = Vec::new();
        compare(&had.body, &seen.body, "", (had, seen), &mut places);
        found.extend(places.into_iter().take(MOST).map(|p| own(&p.0, p.1, p.2, p.3)));
    }
    found.sort_by(|a, b| b.level.cmp(&a.level).then_with(|| (&a.endpoint, &a.pointer).cmp(&(&b.endpoint, &b.pointer))));
    found
}

type Place = (String, &'static str, Level, String);

fn compare(had: &Node, has: &Node, at: &str, of: (&ResponseStats, &ResponseStats), out: &mut Vec<Place>) {
    if had.n == 0 || has.n == 0 {
        return;
    }
    kinds(had, has, at, out);
    if let (Some(before), Some(now)) = (&had.texts, &has.texts) {
        if before.formats != 0 && before.n >= SURE && before.formats & now.formats == 0 {
            let format = formats::name(before.formats).unwrap_or("text");
            let text = format!("is no {format} any more");
            out.push((at.to_owned(), "response-property-pattern-changed", Level::Warn, text));
        }
        if let (Some(known), Some(values)) = (had.choices(), &now.values) {
            let new: Vec<&str> = values.keys().map(String::as_str).filter(|v| !known.contains(v)).take(3).collect();
            if !new.is_empty() {
                let text = format!("is `{}`, and was one of {}", new.join("`, `"), known.join(", "));
                out.push((at.to_owned(), "response-property-enum-value-added", Level::Warn, text));
            }
        }
    }
    if let (Some(before), Some(now)) = (&had.lists, &has.lists) {
        compare(&before.item, &now.item, &format!("{at}/*"), of, out);
    }
    if let (Some(before), Some(now)) = (&had.objects, &has.objects)
        && !before.has_data_for_names()
        && !now.has_data_for_names()
    {
        fields(before, now, at, of, out);
    }
}

fn kinds(had: &Node, has: &Node, at: &str, out: &mut Vec<Place>) {
    if had.nulls == 0 && has.nulls > 0 && had.n >= SURE {
        let text = format!("is null in {} of {} answers, and never was", has.nulls, has.n);
        let rule = if at.is_empty() { "response-body-became-nullable" } else { "response-property-became-nullable" };
        out.push((at.to_owned(), rule, Level::Err, text));
    }
    let (before, now) = (had.kinds(), has.kinds());
    // A whole number is a number; where nothing but null was seen nothing is known.
    let known = |kind: &&&str| before.contains(kind) || (**kind == "integer" && before.contains(&"number"));
    let new: Vec<&&str> = now.iter().filter(|kind| !known(kind)).collect();
    if new.is_empty() || before.is_empty() {
        return;
    }
    // JSON has one kind of number: prices that happened to be whole are none.
    if new.iter().all(|kind| **kind == "number") && before.contains(&"integer") {
        out.push((
            at.to_owned(),
            "response-property-type-generalized",
            Level::Info,
            "is no whole number any more".to_owned(),
        ));
        return;
    }
    let rule = if now.iter().all(|kind| !before.contains(kind)) {
        "response-property-type-changed"
    } else {
        "response-property-type-generalized"
    };
    out.push((at.to_owned(), rule, Level::Err, format!("is {}, and was {}", has.told(), had.told())));
}

fn fields(had: &Objects, has: &Objects, at: &str, of: (&ResponseStats, &ResponseStats), out: &mut Vec<Place>) {
    for (name, (count, before)) in &had.fields {
        let pointer = format!("{at}/{}", escape(name));
        let required = *count == had.n && had.n >= SURE;
        match has.fields.get(name) {
            None => {
                // `had.n` and `has.n` are numbers of objects, also within lists.
                let chance = (1.0 - wilson_lower(*count, had.n)).powf(has.n as f64);
                let (rule, level) = if required {
                    ("response-required-property-removed", Level::Err)
                } else {
                    ("response-optional-property-removed", Level::Warn)
                };
                // What the run before did not have either is no news.
                let is_news = before.absent == 0;
                if is_news && (chance < CHANCE || (required && has.n > 0 && of.1.n >= 1 && had.n >= 20)) {
                    let text = format!("is gone: in {count} of {} before, in none of {} now", had.n, has.n);
                    out.push((pointer, rule, level, text));
                }
            }
            Some((now, after)) => {
                if required && *now < has.n && had.n >= 20 {
                    let text = format!("is missing in {} of {}, and never was", has.n - now, has.n);
                    out.push((pointer.clone(), "response-property-became-optional", Level::Err, text));
                }
                compare(before, after, &pointer, of, out);
            }
        }
    }
    for (name, (count, node)) in has.fields.iter().filter(|(name, _)| !had.fields.contains_key(*name)) {
        let always = *count == has.n;
        let rule = if always { "response-required-property-added" } else { "response-optional-property-added" };
        let share = if always { String::new() } else { format!(", in {count} of {}", has.n) };
        out.push((format!("{at}/{}", escape(name)), rule, Level::Info, format!("is new: {}{share}", node.told())));
    }
}

/// Lower end of Wilson's interval at 95 % for a rate.
fn wilson_lower(hits: u64, n: u64) -> f64 {
    const Z: f64 = 1.96;
    if n == 0 {
        return 0.0;
    }
    let (n, p) = (n as f64, hits as f64 / n as f64);
    let middle = p + Z * Z / (2.0 * n);
    let spread = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    ((middle - spread) / (1.0 + Z * Z / n)).max(0.0)
}

/// RFC 6901.
fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::exchange::{Body, Exchange, Headers, Request, Response};
    use crate::model::time::Timestamp;
    use crate::traffic::template::Templates;
    use serde_json::{Value, json};

    fn seen(bodies: &[Value]) -> ApiModel {
        let exchange = |body: &Value| Exchange {
            test: None,
            at: None,
            millis: None,
            trouble: None,
            request: Request::get("/users/7"),
            response: Some(Response { status: 200, headers: Headers::default(), body: Body::Json(body.clone()) }),
        };
        let all: Vec<Exchange> = bodies.iter().map(exchange).collect();
        ApiModel::of(&all, &Templates::default(), Timestamp::from_unix(0))
    }

    fn user(n: usize) -> Value {
        json!({"id": n, "state": if n.is_multiple_of(2) { "open" } else { "closed" }, "at": format!("2026-05-01T10:00:{:02}Z", n % 60), "tags": [{"name": "a"}]})
    }

    fn with(change: impl Fn(&mut Value)) -> Vec<Value> {
        let mut body = user(1);
        change(&mut body);
        vec![body.clone(), body.clone(), body]
    }

    #[test]
    fn changes_and_their_levels() {
        let before = seen(&(0..40).map(user).collect::<Vec<_>>());
        let table: [(Vec<Value>, &[&str]); 9] = [
            (with(|_| ()), &[]),
            (
                with(|b| b["last_login_at"] = json!("2026-05-01T10:00:00Z")),
                &["Info /last_login_at is new: string (date-time)"],
            ),
            (
                with(|b| drop(b.as_object_mut().unwrap().remove("at"))),
                &["Err /at is gone: in 40 of 40 before, in none of 3 now"],
            ),
            (with(|b| b["id"] = json!("7")), &["Err /id is string, and was integer"]),
            (with(|b| b["id"] = json!(null)), &["Err /id is null in 3 of 3 answers, and never was"]),
            (with(|b| b["state"] = json!("archived")), &["Warn /state is `archived`, and was one of closed, open"]),
            (with(|b| b["at"] = json!("yesterday")), &["Warn /at is no date-time any more"]),
            (with(|b| b["tags"][0]["name"] = json!(1)), &["Err /tags/*/name is integer, and was string"]),
            (
                vec![user(1), json!({"id": 1, "state": "open", "tags": []})],
                &["Err /at is missing in 1 of 2, and never was"],
            ),
        ];
        for (now, expected) in table {
            let found = between(&before, &seen(&now));
            let told: Vec<String> = found.iter().map(|d| format!("{:?} {} {}", d.level, d.pointer, d.text)).collect();
            assert_eq!(told, expected);
        }
    }

    #[test]
    fn chance_is_no_drift() {
        let sometimes = |n: usize| if n.is_multiple_of(3) { json!({"id": n, "nick": "x"}) } else { json!({"id": n}) };
        let before = seen(&(0..40).map(sometimes).collect::<Vec<_>>());
        assert_eq!(between(&before, &seen(&[json!({"id": 1}), json!({"id": 2})])), []);
        let many: Vec<Value> = (0..40).map(|n| json!({"id": n})).collect();
        assert_eq!(between(&before, &seen(&many))[0].rule, "response-optional-property-removed");
    }
}
