//! From what a service answered to what a test checks.

use super::{RejectedTest, TestDraft, TestIntent, checkable};
use crate::code::style::NewTest;
use crate::code::style::check::{Check, Is};
use crate::model::exchange::{Body, Exchange, Response};
use crate::traffic::api_model::{ApiModel, Kind};
use crate::traffic::shape::Node;

/// Makes a test of a draft whose requests were sent several times: `observed` holds
/// for each time the exchanges of the test, in order; the last of them are the draft's.
///
/// # Errors
/// Why it becomes no test.
pub fn infer_assertions(
    draft: &TestDraft,
    observed: &[Vec<Exchange>],
    memory: &ApiModel,
) -> Result<NewTest, RejectedTest> {
    let because = |why: &str| Err(RejectedTest::Because(why.to_owned()));
    let count = draft.asks.len();
    let Some(first) = observed.first() else { return because("it was not run") };
    if observed.iter().any(|run| run.len() != first.len()) {
        return because("it sends more requests at one time than at another");
    }
    if first.len() < count {
        return because("its requests were not seen");
    }
    let mut test = draft.bare();
    for at in 0..count {
        let own: Vec<&Exchange> = observed.iter().map(|run| &run[first.len() - count + at]).collect();
        let answers: Vec<&Response> = own.iter().filter_map(|e| e.response.as_ref()).collect();
        if answers.len() != own.len() {
            return because("a request got no answer");
        }
        let status = answers[0].status;
        if answers.iter().any(|a| a.status != status) {
            return because("the status is not the same each time");
        }
        let right = &draft.asks[at].1;
        if !right.contains(&status) {
            return Err(wrong(own[0], own.len(), status, right));
        }
        test.checks.push((at, Check::Status(status)));
        if at + 1 == count {
            let before: Vec<&Exchange> = match at {
                0 => Vec::new(),
                _ => observed.iter().map(|run| &run[first.len() - count + at - 1]).collect(),
            };
            let checks = aimed(draft, &own, &before, memory);
            test.checks.extend(checks?.into_iter().map(|check| (at, check)));
        }
    }
    Ok(test)
}

/// What to make of an answer that no rule expects: a service that breaks is wrong,
/// whatever was asked; any other answer may be how this service is.
fn wrong(exchange: &Exchange, times: usize, status: u16, right: &[u16]) -> RejectedTest {
    // 501 says that a method is not there, which is no breaking (RFC 9110, 15.6.2).
    if status >= 500 && status != 501 {
        return RejectedTest::Wrong(Box::new(exchange.clone()), times);
    }
    if right.is_empty() {
        return RejectedTest::Unbroken;
    }
    let expected: Vec<String> = right.iter().map(u16::to_string).collect();
    RejectedTest::Because(format!("it is answered with {status}, where the rule expects {}", expected.join(" or ")))
}

fn aimed(
    draft: &TestDraft,
    own: &[&Exchange],
    before: &[&Exchange],
    memory: &ApiModel,
) -> Result<Vec<Check>, RejectedTest> {
    let answers: Vec<&Response> = own.iter().filter_map(|e| e.response.as_ref()).collect();
    let mut checks: Vec<Check> = media(&answers).into_iter().collect();
    match &draft.aim {
        TestIntent::Status | TestIntent::Unbroken => {}
        TestIntent::Fields(places) => {
            let node = remembered(draft, &answers, memory);
            let found = places.iter().filter_map(|place| {
                let is = checkable::is(checkable::at(&node, place)?)?;
                Some(Check::Field(place.clone(), is))
            });
            let found: Vec<Check> = found.collect();
            if found.is_empty() {
                return Err(RejectedTest::Because("no field of it is there each time".to_owned()));
            }
            checks.extend(found);
        }
        TestIntent::Envelope => {
            let node = shape(&answers);
            let top = checkable::places(&node).into_iter().filter(|p| p.len() == 1 && p[0] != "*");
            let top =
                top.filter_map(|p| Some(Check::Field(p.clone(), plain(checkable::is(checkable::at(&node, &p)?)?))));
            checks.extend(top.take(5));
        }
        TestIntent::Header(name) => {
            checks.clear();
            if !answers.iter().all(|a| a.headers.get(name).is_some()) {
                let why = format!("it is answered with {} and no `{name}`, which RFC 9110 asks for", answers[0].status);
                return Err(RejectedTest::Because(why));
            }
            checks.push(Check::Header((*name).to_owned()));
        }
        TestIntent::Empty => {
            checks.clear();
            if answers.iter().any(|a| a.body != Body::Empty) {
                return Err(RejectedTest::Because("it is answered with a body".to_owned()));
            }
            checks.push(Check::Empty);
        }
        TestIntent::Alike => {
            let twice = own.iter().zip(before).all(|(two, one)| {
                let body = |e: &Exchange| e.response.as_ref().map(|r| r.body.clone());
                body(one) == body(two) && matches!(body(one), Some(Body::Json(_)))
            });
            if !twice {
                return Err(RejectedTest::Because("asked twice it does not answer the same".to_owned()));
            }
            checks = vec![Check::Alike];
        }
        TestIntent::Count(place, count) => checks.push(counted(&answers, place, *count)?),
        TestIntent::Echo => checks.extend(echo(draft, own)?),
    }
    Ok(checks)
}

/// That the list at a place has so many elements, each time.
fn counted(answers: &[&Response], place: &[String], count: usize) -> Result<Check, RejectedTest> {
    let pointer = crate::code::style::check::pointer(place);
    let length = |answer: &&Response| match &answer.body {
        Body::Json(body) => body.pointer(&pointer).and_then(|list| list.as_array()).map_or(0, Vec::len),
        _ => 0,
    };
    if let Some(other) = answers.iter().map(length).find(|length| *length != count) {
        return Err(RejectedTest::Because(format!("asked for {count} it answers with {other}")));
    }
    Ok(Check::Field(place.to_vec(), Is { kinds: vec!["array"], count: Some(count), ..Is::default() }))
}

/// An error's text varies with what was wrong: it is there, and of a kind.
fn plain(is: Is) -> Is {
    Is { format: None, choices: Vec::new(), ..is }
}

fn media(answers: &[&Response]) -> Option<Check> {
    let own = |a: &Response| a.headers.media_type().filter(|_| a.body != Body::Empty);
    let first = own(answers.first()?)?;
    answers.iter().all(|a| own(a).as_deref() == Some(&first)).then_some(Check::Media(first))
}

fn shape(answers: &[&Response]) -> Node {
    let mut node = Node::default();
    for answer in answers {
        if let Body::Json(value) = &answer.body {
            node.see(value);
        }
    }
    node
}

/// The shape of all answers of this kind that are known, those of now included.
fn remembered(draft: &TestDraft, answers: &[&Response], memory: &ApiModel) -> Node {
    let mut node = shape(answers);
    let kind = answers.first().map(|answer| Kind {
        method: draft.endpoint.method.clone(),
        template: draft.endpoint.template.clone(),
        status: answer.status,
        media: answer.headers.media_type().unwrap_or_default(),
    });
    if let Some(known) = kind.and_then(|kind| memory.kinds.get(&kind))
        // A field that is new was not there in older answers: those of now tell of it.
        && draft.recipe != super::Recipe::NewField
    {
        node.merge(&known.body);
    }
    node
}

/// What was sent and came back, each time.
fn echo(draft: &TestDraft, own: &[&Exchange]) -> Result<Vec<Check>, RejectedTest> {
    let pair = |e: &&Exchange| match (&e.request.body, e.response.as_ref().map(|r| &r.body)) {
        (Body::Json(sent), Some(Body::Json(came))) => Some((sent.clone(), came.clone())),
        _ => None,
    };
    let pairs: Vec<_> = own.iter().filter_map(pair).collect();
    let because = |why: &str| RejectedTest::Because(why.to_owned());
    let Some((sent, _)) = pairs.first().filter(|_| pairs.len() == own.len()) else {
        return Err(because("what was sent and came is no JSON"));
    };
    let is_plain = |v: &serde_json::Value| v.is_string() || v.is_number() || v.is_boolean();
    let found: Vec<Check> = sent
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, value)| {
            is_plain(value)
                && draft.exemplar.shows(value)
                && pairs
                    .iter()
                    .all(|(s, c)| s.get(name.as_str()) == Some(*value) && c.get(name.as_str()) == Some(*value))
        })
        .map(|(name, value)| Check::Equals(vec![name.clone()], value.clone()))
        .collect();
    if found.is_empty() { Err(because("nothing of what was sent comes back each time")) } else { Ok(found) }
}
