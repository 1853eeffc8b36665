//! Incidents: what went wrong before, as people wrote it down, and whether what fails
//! now resembles it.
//!
//! A file is TOML:
//!
//! ```toml
//! title = "Orders were charged twice"
//! at = "2026-05-01"                      # when, for people
//! url = "https://example.org/post-mortem"
//! endpoint = "POST /orders"              # with the template that reports show
//! status = 500
//! message = "deadlock detected"          # of a failure or an answer
//! body = { quantity = 0 }                # what was sent, for a regression test
//! right = [400, 422]                     # what is right to answer
//! ```
//!
//! An issue holds the same in a block of TOML (its title is the issue's), or shows the
//! endpoint and what was to be read.

use std::sync::LazyLock;

use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};
use regex::Regex;
use serde::Deserialize;
use serde_json::Value;

use super::mask::mask;
use super::similarity::Words;
use crate::model::exchange::{Body, Exchange};
use crate::traffic::drift::Drift;

/// Bytes of a text that are compared.
const TEXT: usize = 20_000;
/// Share of an incident's message that a failure has from which on it resembles it.
const ALIKE: f64 = 0.6;

/// An incident.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Incident {
    /// In a line.
    pub title: String,
    /// When, for people.
    #[serde(default)]
    pub at: Option<String>,
    /// Where it is told in full.
    #[serde(default)]
    pub url: Option<String>,
    /// Method and template.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// What the service answered.
    #[serde(default)]
    pub status: Option<u16>,
    /// What was to be read in a failure or an answer.
    #[serde(default)]
    pub message: Option<String>,
    /// What was sent.
    #[serde(default)]
    pub body: Option<Value>,
    /// Statuses that are right; any but a 5xx where none is named.
    #[serde(default)]
    pub right: Vec<u16>,
    /// The file that tells of it.
    #[serde(skip)]
    pub source: String,
}

impl Incident {
    /// Reads a file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(path: &str, text: &str) -> Result<Self, String> {
        let mut own: Self = toml::from_str(text).map_err(|e| e.message().to_owned())?;
        if own.title.trim().is_empty() {
            return Err("it has no title".to_owned());
        }
        if own.endpoint.is_none() && own.message.is_none() {
            return Err("it names neither an endpoint nor a message, so nothing can resemble it".to_owned());
        }
        path.clone_into(&mut own.source);
        Ok(own)
    }

    /// Reads an issue: its block of TOML, else the first endpoint and the first block that
    /// its text shows. `None` where neither is there, so that nothing can resemble it.
    #[must_use]
    pub fn of_issue(title: &str, text: &str, url: &str, at: &str) -> Option<Self> {
        let blocks = blocks(text);
        let told = blocks.iter().filter(|(language, _)| language == "toml").find_map(|(_, block)| {
            let whole = format!("title = {}\n{block}", Value::String(title.to_owned()));
            Self::parse(url, &whole).or_else(|_| Self::parse(url, block)).ok()
        });
        let mut own = told.or_else(|| {
            let endpoint = ENDPOINT.as_ref()?.find(text).map(|found| found.as_str().to_owned());
            let message = blocks.into_iter().map(|(_, block)| block).find(|block| !block.trim().is_empty());
            let message = message.map(|block| crate::model::text::head(block.trim(), 2000).to_owned());
            let own = Self { title: title.to_owned(), endpoint, message, source: url.to_owned(), ..Self::default() };
            (own.endpoint.is_some() || own.message.is_some()).then_some(own)
        })?;
        own.url.get_or_insert_with(|| url.to_owned());
        own.at.get_or_insert_with(|| at.to_owned());
        Some(own)
    }

    /// The same with its endpoint as reports call it: people write down the path that
    /// was asked.
    #[must_use]
    pub fn at_template(mut self, template: &dyn Fn(&str) -> String) -> Self {
        if let Some((method, path)) = self.endpoint.as_deref().and_then(|own| own.split_once(' ')) {
            self.endpoint = Some(format!("{} {}", method.to_ascii_uppercase(), template(path.trim())));
        }
        self
    }

    /// Why a failure resembles it: by its text, or by what its test was answered last.
    /// `template` gives the template of a path.
    #[must_use]
    pub fn resembles(
        &self,
        text: &str,
        exchanges: &[&Exchange],
        template: &dyn Fn(&str) -> String,
    ) -> Option<&'static str> {
        let last = exchanges.last();
        let asked = last.map(|e| format!("{} {}", e.request.method, template(&e.request.path)));
        let same_endpoint = self.endpoint.is_some() && self.endpoint == asked;
        let status = last.and_then(|e| e.response.as_ref()).map(|r| r.status);
        if same_endpoint && self.status.is_some() && self.status == status {
            return Some("the same endpoint answers the same status");
        }
        let said = last.and_then(|e| e.response.as_ref()).map_or("", |r| match &r.body {
            Body::Text(text) | Body::Cut(text, _) => text.as_str(),
            _ => "",
        });
        let speaks = |own: &str| [text, said].iter().any(|other| speaks_of(other, own));
        self.message.as_deref().is_some_and(speaks).then_some("it says the same")
    }

    /// Whether a change of an answer is at the endpoint of the incident.
    #[must_use]
    pub fn is_near(&self, drift: &Drift) -> bool {
        self.endpoint.as_deref() == Some(&drift.endpoint) && self.status.is_none_or(|status| status == drift.status)
    }

    /// For people: `"Orders were charged twice" of 2026-05-01 (https://…)`.
    #[must_use]
    pub fn told(&self) -> String {
        let at = self.at.as_ref().map(|at| format!(" of {at}")).unwrap_or_default();
        let place = self.url.as_ref().unwrap_or(&self.source);
        format!("\"{}\"{at} ({place})", self.title)
    }
}

/// A method and a path, as people write them.
static ENDPOINT: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\b(?:GET|POST|PUT|PATCH|DELETE|HEAD) /[A-Za-z0-9_./{}:~-]*[A-Za-z0-9_}]").ok());

/// The fenced blocks of a text: language and content.
fn blocks(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open: Option<(String, String)> = None;
    for event in Parser::new(crate::model::text::head(text, 100_000)) {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) => {
                open = Some((language.to_ascii_lowercase(), String::new()));
            }
            Event::Text(part) => {
                if let Some((_, block)) = &mut open {
                    block.push_str(&part);
                }
            }
            Event::End(TagEnd::CodeBlock) => found.extend(open.take()),
            _ => {}
        }
    }
    found
}

/// Whether a text says what an incident says: as it stands, or most of its words near
/// each other.
fn speaks_of(text: &str, own: &str) -> bool {
    let (text, own) = (mask(text, TEXT).to_lowercase(), mask(own, TEXT).to_lowercase());
    if own.trim().is_empty() {
        return false;
    }
    if text.contains(own.trim()) {
        return true;
    }
    let wanted = Words::of(&own);
    wanted.len() >= 3 && text.lines().any(|line| Words::of(line).similarity(&wanted) >= ALIKE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::exchange::{Headers, Request, Response};

    #[test]
    fn files_and_what_is_wrong_with_them() {
        for (text, expected) in [
            ("title = \"a\"\nmessage = \"b\"", Ok("a")),
            ("title = \"a\"\nendpoint = \"GET /x\"\nstatus = 500\nbody = { n = 0 }", Ok("a")),
            ("title = \"a\"", Err("it names neither")),
            ("title = \"\"\nmessage = \"b\"", Err("it has no title")),
            ("titel = \"a\"", Err("unknown field")),
            ("title = [", Err("")),
        ] {
            match (Incident::parse("incidents/a.toml", text), expected) {
                (Ok(own), Ok(title)) => assert_eq!(own.title, title),
                (Err(why), Err(part)) => assert!(why.contains(part), "{why}"),
                (got, _) => panic!("{text}: {got:?}"),
            }
        }
    }

    #[test]
    fn what_resembles_an_incident() {
        let answered = |path: &str, status| Exchange {
            test: None,
            at: None,
            millis: None,
            trouble: None,
            request: Request::get(path),
            response: Some(Response { status, headers: Headers::default(), body: Body::Empty }),
        };
        let template = |path: &str| path.replace("/7", "/{user}");
        let incident = Incident {
            title: "x".to_owned(),
            endpoint: Some("GET /users/{user}".to_owned()),
            status: Some(500),
            message: Some("deadlock detected while updating row 17".to_owned()),
            ..Incident::default()
        };
        for (text, path, status, expected) in [
            ("assert 500 == 200", "/users/7", 500, true),
            ("assert 404 == 200", "/users/7", 404, false),
            ("assert 500 == 200", "/orders/7", 500, false),
            ("E  psycopg: deadlock detected while updating row 23", "/orders", 200, true),
            ("E  deadlock was detected while updating a row", "/orders", 200, true),
            ("E  row not found", "/orders", 200, false),
        ] {
            let exchange = answered(path, status);
            assert_eq!(incident.resembles(text, &[&exchange], &template).is_some(), expected, "{text} {path}");
        }
    }

    #[test]
    fn issues_tell_of_incidents() {
        let of = |text: &str| Incident::of_issue("Orders lost", text, "https://h/issues/3", "2026-04-01");
        let told = of(
            "It happened.\n\n```toml\nendpoint = \"POST /orders\"\nstatus = 500\nbody = { user = 999 }\nright = [404]\n```\n",
        );
        let told = told.unwrap();
        assert_eq!(
            (told.title.as_str(), told.right.as_slice(), told.status),
            ("Orders lost", [404].as_slice(), Some(500))
        );
        assert_eq!(told.told(), "\"Orders lost\" of 2026-04-01 (https://h/issues/3)");
        let free = of("`POST /orders/7/items` answered nothing:\n\n```\ndeadlock detected\n```\n").unwrap();
        assert_eq!(
            (free.endpoint.as_deref(), free.message.as_deref()),
            (Some("POST /orders/7/items"), Some("deadlock detected"))
        );
        let placed = free.at_template(&|path| path.replace('7', "{order}"));
        assert_eq!(placed.endpoint.as_deref(), Some("POST /orders/{order}/items"));
        assert_eq!(of("Something was slow."), None);
        // A block that is none of ours is what was to be read.
        assert_eq!(of("```toml\nname = 1\n```").unwrap().message.as_deref(), Some("name = 1"));
    }
}
