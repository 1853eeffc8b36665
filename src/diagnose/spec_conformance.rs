//! What answers have that no API description of the repository promises.
//!
//! A description names what a service may answer; a status of success or a field that
//! it does not name is one that its readers do not expect. What a description promises
//! and answers lack is told by the drift from what was seen before.

use crate::code::openapi::Operation;
use crate::traffic::api_model::{ApiModel, Kind};
use crate::traffic::drift::{Drift, Level};
use crate::traffic::shape::Node;

/// Findings of one kind of answer.
const MOST: usize = 20;

/// Compares answers with descriptions; endpoints that no description has are left out.
#[must_use]
pub fn undocumented(memory: &ApiModel, operations: &[Operation]) -> Vec<Drift> {
    let mut found = Vec::new();
    for (kind, seen) in &memory.kinds {
        let Some(operation) = operations.iter().find(|operation| is_of(operation, kind)) else { continue };
        if !is_named(operation, kind.status) {
            let known: Vec<&str> = operation.statuses.iter().map(String::as_str).collect();
            let level = if kind.status < 400 { Level::Warn } else { Level::Info };
            let text = format!("is answered, and described are {}", known.join(", "));
            found.push(Drift::new((kind.endpoint(), kind.status, ""), "response-status-not-described", level, text));
        } else if kind.status < 300 && !operation.response.is_empty() {
            let mut unnamed = Vec::new();
            unnamed_fields(&seen.body, "", operation, &mut unnamed);
            for pointer in unnamed.into_iter().take(MOST) {
                let text = "is answered, and no description names it".to_owned();
                found.push(Drift::new(
                    (kind.endpoint(), kind.status, &pointer),
                    "response-property-not-described",
                    Level::Info,
                    text,
                ));
            }
        }
    }
    found
}

fn is_of(operation: &Operation, kind: &Kind) -> bool {
    operation.method.eq_ignore_ascii_case(&kind.method) && operation.path.trim_end_matches('/') == kind.template
}

/// Whether a description names a status: `200`, `2XX`, or `default`.
fn is_named(operation: &Operation, status: u16) -> bool {
    // A description without any answer says nothing of them.
    operation.statuses.is_empty()
        || operation.statuses.iter().any(|named| {
            let class = format!("{}XX", status / 100);
            *named == status.to_string() || named.eq_ignore_ascii_case(&class) || named == "default"
        })
}

fn unnamed_fields(node: &Node, at: &str, operation: &Operation, out: &mut Vec<String>) {
    if let Some(objects) = node.objects.as_ref().filter(|objects| !objects.has_data_for_names()) {
        for (name, (_, inner)) in &objects.fields {
            let pointer = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
            if operation.response.contains_key(name) {
                unnamed_fields(inner, &pointer, operation, out);
            } else {
                out.push(pointer);
            }
        }
    }
    if let Some(lists) = &node.lists {
        unnamed_fields(&lists.item, &format!("{at}/*"), operation, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::openapi;
    use crate::model::exchange::{Body, Exchange, Headers, Request, Response};
    use crate::model::time::Timestamp;
    use crate::traffic::template::Templates;

    #[test]
    fn what_no_description_promises() {
        let described = openapi::read(
            r#"{"paths":{"/users/{id}":{"get":{"responses":{"200":{"content":{"application/json":{"schema":{"properties":{"id":{"type":"integer"},"home":{"properties":{"city":{}}}}}}}},"4XX":{}}}}}}"#,
        );
        let answer = |path: &str, status, body: serde_json::Value| Exchange {
            test: None,
            at: None,
            millis: None,
            trouble: None,
            request: Request::get(path),
            response: Some(Response { status, headers: Headers::default(), body: Body::Json(body) }),
        };
        let all = [
            answer("/users/1", 200, serde_json::json!({"id": 1, "home": {"city": "x", "zip": 1}, "age": 3})),
            answer("/users/1", 404, serde_json::json!({"detail": "x"})),
            answer("/users/1", 500, serde_json::json!({})),
            answer("/users/1", 202, serde_json::json!({})),
            answer("/orders", 200, serde_json::json!({"odd": 1})),
        ];
        let templates = Templates::described(described.iter().map(|o| o.path.clone()));
        let memory = ApiModel::of(&all, &templates, Timestamp::from_unix(0));
        let told: Vec<String> = undocumented(&memory, &described)
            .iter()
            .map(|d| format!("{} {}{}", d.level.word(), d.status, d.pointer))
            .collect();
        assert_eq!(told, ["info 200/age", "info 200/home/zip", "warn 202", "info 500"]);
    }
}
