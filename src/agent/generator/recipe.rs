//! The recipes: which tests fit an endpoint, from what it was seen answering.
//!
//! Each follows a rule that others have found useful: a thing that is not there
//! (RFC 9110, 15.5.5), a method that is not allowed names those that are (15.5.6),
//! a question for changes only (13.1.2), the negative bodies of Schemathesis and
//! RESTler, the idempotency of PUT and DELETE (RFC 9110, 9.2.2, EvoMaster's oracles).

use std::collections::BTreeSet;

use serde_json::Value;

use super::observed_endpoint::ObservedEndpoint;
use super::{Endpoint, Mutating, Recipe, TestDraft, TestIntent, checkable};
use crate::code::style::{self, ExampleTest, RequestVariant};
use crate::diagnose::incident::Incident;
use crate::ingest::traffic::masking::names::{self, Says};
use crate::model::exchange::{Body, Exchange, is_inside};
use crate::traffic::api_model::{ApiModel, Kind};

/// Fields of a body that are left out one by one.
const FIELDS: usize = 4;
/// New fields of one endpoint that get a test each.
const NEW: usize = 8;
/// Parameters that say how many elements an answer may have.
const LIMITS: [&str; 8] = ["limit", "per_page", "perPage", "page_size", "pageSize", "size", "count", "first"];
/// Methods that a service may lack, in the order in which they are tried.
const OTHERS: [&str; 4] = ["PATCH", "PUT", "DELETE", "POST"];

/// What recipes go by.
#[derive(Clone, Copy, Debug)]
pub struct RecipeInput<'a> {
    /// Everything that is known of answers, this run included.
    pub memory: &'a ApiModel,
    /// Places that are in each answer now and were not in each before.
    pub new_fields: &'a [(Kind, Vec<String>)],
    /// Incidents that people wrote down.
    pub incidents: &'a [Incident],
    /// Which requests may change something.
    pub mutating: Mutating,
    /// Recipes that are wanted.
    pub recipes: &'a [Recipe],
}

/// The places that are in each answer of `now`, and in what is known besides are not.
#[must_use]
pub fn new_fields(now: &ApiModel, known: &ApiModel) -> Vec<(Kind, Vec<String>)> {
    let mut found = Vec::new();
    for (kind, seen) in &now.kinds {
        let Some(had) = known.kinds.get(kind).filter(|had| had.n > seen.n) else { continue };
        let is_new =
            |place: &Vec<String>| place.last().is_some_and(|n| n != "*") && checkable::at(&had.body, place).is_none();
        found.extend(checkable::places(&seen.body).into_iter().filter(is_new).map(|place| (kind.clone(), place)));
    }
    found
}

/// The drafts for one endpoint.
#[must_use]
pub fn drafts(asked: &ObservedEndpoint<'_>, ground: RecipeInput<'_>) -> Vec<TestDraft> {
    let Some((exemplar, sample)) = &asked.exemplar else { return Vec::new() };
    let cook = RecipeBuilder { asked, ground, exemplar, sample };
    let mut all = Vec::new();
    if cook.may(&asked.endpoint.method) {
        cook.fields(&mut all);
        cook.pages(&mut all);
        cook.again(&mut all);
        cook.bodies(&mut all);
        cook.incidents(&mut all);
    }
    cook.addresses(&mut all);
    cook.credentials(&mut all);
    all.retain(|draft| {
        ground.recipes.contains(&draft.recipe) && draft.asks.iter().all(|(ask, _)| draft.exemplar.can(ask))
    });
    all
}

struct RecipeBuilder<'a> {
    asked: &'a ObservedEndpoint<'a>,
    ground: RecipeInput<'a>,
    exemplar: &'a ExampleTest,
    sample: &'a Exchange,
}

impl RecipeBuilder<'_> {
    fn endpoint(&self) -> &Endpoint {
        &self.asked.endpoint
    }

    /// Whether a request of this method may be written.
    fn may(&self, method: &str) -> bool {
        let safe = matches!(method, "GET" | "HEAD" | "OPTIONS");
        safe || match self.ground.mutating {
            Mutating::Never => false,
            Mutating::Inside => is_inside(&self.sample.request.origin),
            Mutating::Always => true,
        }
    }

    fn draft(
        &self,
        recipe: Recipe,
        says: &str,
        asks: Vec<(RequestVariant, Vec<u16>)>,
        aim: TestIntent,
        because: String,
    ) -> TestDraft {
        let endpoint = self.endpoint().clone();
        let mut words = style::words(&endpoint.method, &endpoint.template);
        words.extend(style::plain(says));
        TestDraft { endpoint, recipe, exemplar: self.exemplar.clone(), words, asks, aim, because }
    }

    fn status(&self) -> u16 {
        self.sample.response.as_ref().map_or(200, |r| r.status)
    }

    /// Fields that are new, and those that no test speaks of.
    fn fields(&self, out: &mut Vec<TestDraft>) {
        let response = self.sample.response.as_ref();
        let kind = Kind {
            method: self.endpoint().method.clone(),
            template: self.endpoint().template.clone(),
            status: self.status(),
            media: response.and_then(|r| r.headers.media_type()).unwrap_or_default(),
        };
        let Some(seen) = self.ground.memory.kinds.get(&kind) else { return };
        let places = checkable::places(&seen.body);
        let new: Vec<&Vec<String>> =
            self.ground.new_fields.iter().filter(|(of, _)| *of == kind).map(|(_, place)| place).collect();
        let same = || vec![(RequestVariant::Same, vec![kind.status])];
        for place in new.iter().take(NEW) {
            let shown = place.iter().filter(|part| *part != "*").cloned().collect::<Vec<_>>();
            let because = format!("`{}` is new", shown.join("."));
            let says = format!("has {}", shown.join(" "));
            out.push(self.draft(Recipe::NewField, &says, same(), TestIntent::Fields(vec![(*place).clone()]), because));
        }
        let is_new = |place: &Vec<String>| new.contains(&place);
        let named = |place: &Vec<String>| place.iter().rev().find(|p| *p != "*").cloned().unwrap_or_default();
        let silent: Vec<Vec<String>> = places
            .iter()
            .filter(|p| !is_new(p))
            .filter(|p| named(p).is_empty() || !self.asked.spoken.mentions(&named(p)))
            .cloned()
            .collect();
        // The list itself is no gap where all that is in it is spoken of.
        if silent.iter().any(|p| !named(p).is_empty())
            || (!silent.is_empty() && !self.asked.spoken.whole && self.asked.spoken.words.is_empty())
        {
            let names: BTreeSet<String> = silent.iter().map(named).filter(|n| !n.is_empty()).collect();
            let shown: Vec<String> = names.iter().take(4).map(|n| format!("`{n}`")).collect();
            let more = if names.len() > 4 { format!(" and {} more", names.len() - 4) } else { String::new() };
            let because = match names.len() {
                0 => "no test checks what it answers".to_owned(),
                1 => format!("{} is never checked", shown.join(", ")),
                _ => format!("{}{more} are never checked", shown.join(", ")),
            };
            out.push(self.draft(Recipe::Fields, "has its fields", same(), TestIntent::Fields(silent), because));
        }
    }

    /// A list, of which a test was seen asking for so many elements: for one.
    fn pages(&self, out: &mut Vec<TestDraft>) {
        let parameters = self.asked.exchanges.iter().flat_map(|e| &e.request.query);
        let limit = parameters.into_iter().find(|(name, _)| LIMITS.contains(&name.as_str()));
        let Some(Body::Json(body)) = self.sample.response.as_ref().map(|r| &r.body) else { return };
        // The one list of the answer: itself, or what its envelope holds.
        let place = match body {
            Value::Array(items) if items.len() > 1 => Vec::new(),
            Value::Object(fields) => {
                let mut lists = fields.iter().filter(|(_, v)| v.as_array().is_some_and(|items| items.len() > 1));
                match (lists.next(), lists.next()) {
                    (Some((name, _)), None) => vec![name.clone()],
                    _ => return,
                }
            }
            _ => return,
        };
        if let Some((name, _)) = limit {
            let ask = RequestVariant::Query(self.sample.request.path.clone(), name.clone(), 1);
            let asks = vec![(ask, vec![200])];
            let because = format!("no test looks how many `{name}` brings");
            out.push(self.draft(
                Recipe::Pagination,
                &format!("with {name} 1"),
                asks,
                TestIntent::Count(place, 1),
                because,
            ));
        }
    }

    /// The same request twice, and what HTTP says of it.
    fn again(&self, out: &mut Vec<TestDraft>) {
        let status = self.status();
        let same = |status: u16| (RequestVariant::Same, vec![status]);
        let has_body = self.sample.response.as_ref().is_some_and(|r| matches!(r.body, Body::Json(_)));
        match self.endpoint().method.as_str() {
            "GET" => {
                if has_body {
                    let because = "no test asks twice".to_owned();
                    let asks = vec![same(status), same(status)];
                    out.push(self.draft(Recipe::Stable, "answers the same twice", asks, TestIntent::Alike, because));
                }
                if self.sample.response.as_ref().is_some_and(|r| r.headers.get("etag").is_some()) {
                    let quoting = RequestVariant::Quoting("If-None-Match".to_owned(), "ETag".to_owned());
                    let because = "it answers with an `ETag` that no test sends back".to_owned();
                    let asks = vec![same(status), (quoting, vec![304])];
                    out.push(self.draft(Recipe::Conditional, "is not modified", asks, TestIntent::Empty, because));
                }
                let asks = vec![(RequestVariant::Method("HEAD".to_owned()), vec![status])];
                out.push(self.draft(
                    Recipe::Head,
                    "answers head without a body",
                    asks,
                    TestIntent::Empty,
                    "no test sends `HEAD`".to_owned(),
                ));
            }
            "PUT" => {
                let asks = vec![(RequestVariant::Same, vec![200, 201, 204]), (RequestVariant::Same, vec![200, 204])];
                let aim = if has_body { TestIntent::Alike } else { TestIntent::Status };
                let because = "no test replaces twice".to_owned();
                out.push(self.draft(Recipe::Replaced, "twice is as once", asks, aim, because));
            }
            "DELETE" if !self.asked.statuses.contains(&404) => {
                let asks = vec![same(status), (RequestVariant::Same, vec![404, 410])];
                let because = "no test deletes what is gone".to_owned();
                out.push(self.draft(Recipe::Deleted, "is gone afterwards", asks, TestIntent::Envelope, because));
            }
            _ => {}
        }
    }

    /// Bodies that are not right, and those that are.
    fn bodies(&self, out: &mut Vec<TestDraft>) {
        if !matches!(self.endpoint().method.as_str(), "POST" | "PUT" | "PATCH") {
            return;
        }
        let Body::Json(Value::Object(sent)) = &self.sample.request.body else { return };
        // What was masked is not what was sent.
        if Value::Object(sent.clone()).to_string().contains("secret-") {
            return;
        }
        let response = self.sample.response.as_ref().map(|r| &r.body);
        if let Some(Body::Json(Value::Object(came))) = response {
            let is_back = |(name, value): (&String, &Value)| {
                !value.is_object() && !value.is_array() && !value.is_null() && came.get(name) == Some(value)
            };
            if sent.iter().any(|pair| is_back(pair) && !self.asked.spoken.mentions(pair.0)) {
                let because = "no test checks that what was sent comes back".to_owned();
                let asks = vec![(RequestVariant::Same, vec![self.status()])];
                out.push(self.draft(Recipe::Created, "answers what was sent", asks, TestIntent::Echo, because));
            }
        }
        let refused: Vec<&Value> = self
            .asked
            .exchanges
            .iter()
            .filter(|e| e.response.as_ref().is_some_and(|r| (400..500).contains(&r.status)))
            .filter_map(|e| if let Body::Json(body) = &e.request.body { Some(body) } else { None })
            .collect();
        let wrong = |value: Value| vec![(RequestVariant::Body(value), vec![400, 422])];
        // What may be left out of a PATCH is everything.
        if self.endpoint().method != "PATCH" {
            for name in sent.keys().filter(|n| !refused.iter().any(|r| r.get(n.as_str()).is_none())).take(FIELDS) {
                let mut body = sent.clone();
                body.remove(name);
                let says = format!("needs {name}");
                let because = format!("no test leaves `{name}` out");
                out.push(self.draft(
                    Recipe::MissingField,
                    &says,
                    wrong(Value::Object(body)),
                    TestIntent::Envelope,
                    because,
                ));
            }
        }
        self.extremes(sent, out);
        for (name, value) in sent.iter().filter(|(_, v)| v.is_number() || v.is_string() || v.is_boolean()).take(FIELDS)
        {
            let other =
                if value.is_number() || value.is_boolean() { "not-valid".into() } else { Value::Array(Vec::new()) };
            if refused.iter().any(|r| r.get(name).is_some_and(|v| kind(v) != kind(value))) {
                continue;
            }
            let mut body = sent.clone();
            body.insert(name.clone(), other);
            let says = format!("refuses {name} of another type");
            let because = format!("no test sends `{name}` of another type");
            out.push(self.draft(Recipe::WrongType, &says, wrong(Value::Object(body)), TestIntent::Envelope, because));
        }
    }

    /// What incidents of this endpoint were about: the request that broke it, which must
    /// not again.
    fn incidents(&self, out: &mut Vec<TestDraft>) {
        const ANY: [u16; 10] = [200, 201, 202, 204, 400, 403, 404, 409, 413, 422];
        let own = self.endpoint().to_string();
        for incident in self.ground.incidents.iter().filter(|i| i.endpoint.as_ref() == Some(&own)) {
            let right = if incident.right.is_empty() { ANY.to_vec() } else { incident.right.clone() };
            let ask = match (&incident.body, &self.sample.request.body) {
                // What the incident does not name is as the suite sends it.
                (Some(Value::Object(told)), Body::Json(Value::Object(sent))) => {
                    let mut body = sent.clone();
                    body.extend(told.clone());
                    RequestVariant::Body(Value::Object(body))
                }
                (Some(told), _) => RequestVariant::Body(told.clone()),
                (None, _) => RequestVariant::Same,
            };
            let because = format!("the incident {}", incident.told());
            out.push(self.draft(Recipe::Incident, &incident.title, vec![(ask, right)], TestIntent::Envelope, because));
        }
    }

    /// Values at the edge of what a field may hold.
    fn extremes(&self, sent: &serde_json::Map<String, Value>, out: &mut Vec<TestDraft>) {
        for (name, value) in sent.iter().filter(|(_, v)| v.is_number() || v.is_string()).take(FIELDS) {
            let edges: Vec<(&str, Value)> = if value.is_number() {
                vec![("0", 0.into()), ("minus 1", (-1).into()), ("2 to the 63", 9_223_372_036_854_775_808_u64.into())]
            } else {
                vec![("empty", "".into()), ("10000 signs", "x".repeat(10_000).into()), ("a zero byte", "\u{0}".into())]
            };
            for (edge, value) in edges {
                let mut body = sent.clone();
                body.insert(name.clone(), value);
                let asks = vec![(RequestVariant::Body(Value::Object(body)), Vec::new())];
                let because = format!("`{name}` is {edge}");
                out.push(self.draft(
                    Recipe::Extremes,
                    &format!("with {name} {edge}"),
                    asks,
                    TestIntent::Unbroken,
                    because,
                ));
            }
        }
    }

    /// Addresses that lead nowhere, and methods that are not there.
    fn addresses(&self, out: &mut Vec<TestDraft>) {
        let path = &self.sample.request.path;
        let may = self.may(&self.endpoint().method);
        if let Some(hole) = last_hole(path, &self.endpoint().template).filter(|_| may) {
            let at = |value: &str| format!("{}{value}{}", &path[..hole.start], &path[hole.end..]);
            let own = &path[hole.clone()];
            let is_number = own.bytes().all(|b| b.is_ascii_digit());
            let is_uuid = names::is_uuid(own);
            let tested = |codes: &[u16]| codes.iter().any(|code| self.asked.statuses.contains(code));
            if !tested(&[404, 410]) {
                let asks = vec![(RequestVariant::Path(at(unused(own))), vec![404, 410])];
                let because = "no test asks for one that is not there".to_owned();
                out.push(self.draft(Recipe::NotFound, "that is not there", asks, TestIntent::Envelope, because));
            }
            if (is_number || is_uuid) && !tested(&[400, 422]) {
                let asks = vec![(RequestVariant::Path(at("not-an-id")), vec![400, 404, 422])];
                let because = "no test asks with an id that is none".to_owned();
                out.push(self.draft(
                    Recipe::MalformedId,
                    "with an id that is none",
                    asks,
                    TestIntent::Envelope,
                    because,
                ));
            }
            if is_number {
                let asks = vec![(RequestVariant::Path(at("9223372036854775808")), vec![400, 404, 422])];
                let because = "no test asks with an id beyond 63 bits".to_owned();
                out.push(self.draft(
                    Recipe::Boundary,
                    "with an id beyond 63 bits",
                    asks,
                    TestIntent::Envelope,
                    because,
                ));
            }
        }
        self.methods(out);
    }

    fn methods(&self, out: &mut Vec<TestDraft>) {
        // One endpoint of a path tells for all of its methods.
        let template = &self.endpoint().template;
        let known: BTreeSet<&str> = self
            .ground
            .memory
            .kinds
            .keys()
            .filter(|k| k.template == *template && k.status != 405)
            .map(|k| k.method.as_str())
            .collect();
        let is_first = known.iter().next().is_none_or(|first| *first == self.endpoint().method);
        let told = self.ground.memory.kinds.keys().any(|k| k.template == *template && k.status == 405);
        let other = OTHERS.iter().find(|m| !known.contains(**m));
        if let Some(method) = other.filter(|m| is_first && !told && self.may(m)) {
            let path = unused_path(&self.sample.request.path, template);
            let asks = vec![(RequestVariant::MethodOf((*method).to_owned(), path), vec![405])];
            let says = format!("has no {}", method.to_ascii_lowercase());
            let because = "no test uses a method that is not there".to_owned();
            out.push(self.draft(Recipe::MethodNotAllowed, &says, asks, TestIntent::Header("Allow"), because));
        }
    }

    fn credentials(&self, out: &mut Vec<TestDraft>) {
        // A cookie's session is not taken over by another header.
        let is_one = |name: &str| {
            let lower = name.to_ascii_lowercase();
            !matches!(lower.as_str(), "cookie" | "idempotency-key") && names::of_header(&lower) == Says::Secret
        };
        let sent = self.sample.request.headers.0.iter().find(|(name, _)| is_one(name)).map(|(name, _)| name.clone());
        let tested = self.asked.statuses.contains(&401) || self.asked.statuses.contains(&403);
        if let Some(header) = sent.filter(|_| !tested && self.may(&self.endpoint().method)) {
            let asks = vec![(RequestVariant::Credentials(header), vec![401, 403])];
            let because = "no test asks with credentials that are not valid".to_owned();
            out.push(self.draft(Recipe::Unauthorised, "needs valid credentials", asks, TestIntent::Envelope, because));
        }
    }
}

fn kind(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    }
}

/// An id of the form of another that nothing has.
fn unused(id: &str) -> &'static str {
    let is_uuid = names::is_uuid(id);
    match (id.bytes().all(|b| b.is_ascii_digit()), is_uuid) {
        (true, _) => "987654321",
        (_, true) => "00000000-0000-4000-8000-000000000000",
        _ => "no-such-one",
    }
}

/// A path of the same template whose ids are none of those that were recorded.
fn unused_path(path: &str, template: &str) -> String {
    let mut out = String::new();
    let mut at = 0;
    for hole in holes(path, template).unwrap_or_default() {
        out.push_str(&path[at..hole.start]);
        out.push_str(unused(&path[hole.clone()]));
        at = hole.end;
    }
    out + &path[at..]
}

/// Where in a path the last variable of its template stands.
fn last_hole(path: &str, template: &str) -> Option<std::ops::Range<usize>> {
    holes(path, template)?.pop()
}

/// Where in a path the variables of its template stand.
fn holes(path: &str, template: &str) -> Option<Vec<std::ops::Range<usize>>> {
    let parts: Vec<&str> = template.split('/').filter(|p| !p.is_empty()).collect();
    let mut at = 0;
    let mut places = Vec::new();
    for segment in path.split('/') {
        if !segment.is_empty() {
            places.push(at..at + segment.len());
        }
        at += segment.len() + 1;
    }
    let is_hole = |part: &str| part.starts_with('{') && part.ends_with('}');
    let fits = places.len() == parts.len();
    fits.then(|| parts.iter().zip(places).filter(|(part, _)| is_hole(part)).map(|(_, place)| place).collect())
}
