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
}
