//! What the tests that are there ask, and of which answers they speak.

use std::collections::{BTreeMap, BTreeSet};

use super::Endpoint;
use super::asserted_fields::AssertedFields;
use crate::code::source::Source;
use crate::code::style::{self, ExampleTest, RequestPattern};
use crate::code::test_discovery;
use crate::model::exchange::Exchange;
use crate::traffic::template::Templates;

/// An endpoint, as the tests ask it.
#[derive(Clone, Debug)]
pub struct ObservedEndpoint<'a> {
    /// Which.
    pub endpoint: Endpoint,
    /// All exchanges of tests that people wrote.
    pub exchanges: Vec<&'a Exchange>,
    /// Statuses that those tests got.
    pub statuses: BTreeSet<u16>,
    /// What they speak of.
    pub spoken: AssertedFields,
    /// The test to write others like, and what it was seen sending.
    pub exemplar: Option<(ExampleTest, &'a Exchange)>,
}

/// Reads the source of a test file.
pub type Sources<'s> = dyn Fn(&str) -> Option<std::rc::Rc<Source>> + 's;

/// The endpoints that tests ask. Tests in files for which `is_ours` holds are left out.
#[must_use]
pub fn asked<'a>(
    exchanges: &'a [Exchange],
    templates: &Templates,
    sources: &Sources<'_>,
    is_ours: &dyn Fn(&str) -> bool,
) -> Vec<ObservedEndpoint<'a>> {
    let mut by_endpoint: BTreeMap<Endpoint, Vec<&Exchange>> = BTreeMap::new();
    for exchange in exchanges {
        let file = exchange.test.as_deref().map(file_of);
        if exchange.response.is_none() || file.is_none_or(is_ours) {
            continue;
        }
        let endpoint =
            Endpoint { method: exchange.request.method.clone(), template: templates.of(&exchange.request.path) };
        by_endpoint.entry(endpoint).or_default().push(exchange);
    }
    by_endpoint.into_iter().map(|(endpoint, exchanges)| one(endpoint, exchanges, sources)).collect()
}

fn one<'a>(endpoint: Endpoint, exchanges: Vec<&'a Exchange>, sources: &Sources<'_>) -> ObservedEndpoint<'a> {
    let status = |e: &Exchange| e.response.as_ref().map_or(0, |r| r.status);
    let mut spoken = AssertedFields::default();
    let mut seen = BTreeSet::new();
    let mut best: Option<(ExampleTest, &Exchange)> = None;
    for exchange in &exchanges {
        let Some(test) = exchange.test.as_deref() else { continue };
        let Some(source) = sources(file_of(test)) else { continue };
        let all = test_discovery::find(&source);
        let Some(case) = all.iter().find(|case| is_it(test, &case.path)) else { continue };
        if seen.insert(test) {
            spoken.add_test(&source, case);
        }
        if !(200..300).contains(&status(exchange)) {
            continue;
        }
        let sought = RequestPattern {
            method: &exchange.request.method,
            origin: &exchange.request.origin,
            path: &exchange.request.path,
        };
        let found = style::exemplar(&source, case, sought);
        if let Some(found) = found.filter(|found| best.as_ref().is_none_or(|(b, _)| found.weight() < b.weight())) {
            best = Some((found, exchange));
        }
    }
    ObservedEndpoint {
        statuses: exchanges.iter().map(|e| status(e)).collect(),
        endpoint,
        exchanges,
        spoken,
        exemplar: best,
    }
}

/// The file of a test, as recorders name it.
#[must_use]
pub fn file_of(test: &str) -> &str {
    test.split("::").next().unwrap_or(test)
}

/// Whether a recorder's name means the test with these names.
fn is_it(test: &str, path: &[String]) -> bool {
    let names: Vec<&str> = test.split("::").skip(1).collect();
    let bare = |name: &str| name.split('[').next().unwrap_or(name).to_owned();
    names.len() == path.len() && names.iter().zip(path).all(|(name, own)| *name == own || bare(name) == *own)
}
