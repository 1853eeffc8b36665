//! GitHub's own description, held against requests and answers.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use jsonschema::Validator;
use serde_json::{Map, Value, json};

static DESCRIPTION: LazyLock<Value> = LazyLock::new(|| {
    let path = crate::support::fixtures().join("github/openapi.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
});
static VALIDATORS: LazyLock<Mutex<HashMap<String, Validator>>> = LazyLock::new(Mutex::default);

/// The operation behind a method and a path without its query.
pub fn operation(method: &str, path: &str) -> Option<&'static Value> {
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let fits = |operation: &&Value| {
        let template: Vec<&str> = operation["path"].as_str().unwrap().trim_start_matches('/').split('/').collect();
        // A path within the repository has slashes of its own.
        let is_long = template.last() == Some(&"{path}") && template.len() < segments.len();
        operation["method"] == method
            && (template.len() == segments.len() || is_long)
            && template.iter().zip(&segments).all(|(t, s)| t.starts_with('{') || t == s)
    };
    // Literal segments win over parameters.
    let literals = |o: &&Value| o["path"].as_str().unwrap().split('/').filter(|t| !t.starts_with('{')).count();
    DESCRIPTION["operations"].as_array().unwrap().iter().filter(fits).max_by_key(literals)
}

/// What of a request is not as described.
pub fn check_request(method: &str, path: &str, query: &[(String, String)], body: &Value) -> Vec<String> {
    let Some(operation) = operation(method, path) else {
        return vec![format!("{method} {path} is no operation that GitHub describes")];
    };
    let mut wrong = Vec::new();
    let parameters = operation["parameters"].as_array().unwrap();
    for (name, value) in query {
        let Some(parameter) = parameters.iter().find(|p| p["in"] == "query" && p["name"] == name.as_str()) else {
            wrong.push(format!("{method} {path} has no parameter `{name}`"));
            continue;
        };
        let schema = &parameter["schema"];
        let typed = match schema["type"].as_str() {
            Some("integer") => value.parse::<i64>().map_or(json!(value), |n| json!(n)),
            Some("boolean") => value.parse::<bool>().map_or(json!(value), |b| json!(b)),
            _ => json!(value),
        };
        wrong.extend(errors(&format!("{method} {path}?{name}"), schema, &typed));
    }
    match (&operation["body"], body) {
        (Value::Null, Value::Null) => {}
        (Value::Null, _) => wrong.push(format!("{method} {path} takes no body")),
        (schema, body) => {
            wrong.extend(errors(&format!("{method} {path}"), schema, body));
            wrong.extend(unknown_fields(&format!("{method} {path}"), schema, body));
        }
    }
    wrong
}

/// GitHub ignores fields that it does not know; a field of ours that it ignores
/// is a mistake of ours.
fn unknown_fields(name: &str, schema: &Value, body: &Value) -> Vec<String> {
    let Some(fields) = body.as_object() else { return Vec::new() };
    let mut known: Vec<&String> = schema["properties"].as_object().map(|p| p.keys().collect()).unwrap_or_default();
    for part in ["oneOf", "anyOf", "allOf"].iter().filter_map(|k| schema[*k].as_array()).flatten() {
        known.extend(part["properties"].as_object().map(|p| p.keys().collect::<Vec<_>>()).unwrap_or_default());
    }
    fields.keys().filter(|f| !known.contains(f)).map(|f| format!("{name} has no field `{f}`")).collect()
}

/// What of an answer is not as described.
pub fn check_answer(method: &str, path: &str, status: u16, body: &Value) -> Vec<String> {
    let schema = operation(method, path).map_or(&Value::Null, |o| &o["answers"][status.to_string()]);
    if schema.is_null() { Vec::new() } else { errors(&format!("answer to {method} {path}"), schema, body) }
}

fn errors(name: &str, schema: &Value, value: &Value) -> Vec<String> {
    let mut validators = VALIDATORS.lock().unwrap();
    let validator = validators.entry(schema.to_string()).or_insert_with(|| {
        let mut root =
            json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "$defs": DESCRIPTION["$defs"]});
        root["allOf"] = json!([schema]);
        jsonschema::validator_for(&root).unwrap()
    });
    validator.iter_errors(value).take(3).map(|e| format!("{name}: {}: {e}", e.instance_path())).collect()
}

/// `known` with every field that the answer's description requires, filled
/// with values that mean nothing.
pub fn complete(method: &str, path: &str, status: u16, known: Value) -> Value {
    let schema = operation(method, path).map_or(&Value::Null, |o| &o["answers"][status.to_string()]);
    if schema.is_null() { known } else { fill(schema, Some(known)) }
}

fn resolve(schema: &Value) -> &Value {
    match schema["$ref"].as_str() {
        Some(reference) => resolve(&DESCRIPTION["$defs"][reference.rsplit('/').next().unwrap()]),
        None => schema,
    }
}

fn fill(schema: &Value, known: Option<Value>) -> Value {
    let schema = resolve(schema);
    if let Some(Value::Array(rows)) = known {
        return Value::Array(rows.into_iter().map(|row| fill(&schema["items"], Some(row))).collect());
    }
    let is_object = known.as_ref().is_none_or(Value::is_object);
    if let (Some(known), false) = (&known, is_object) {
        return known.clone();
    }
    if known.is_none() && allows_null(schema) {
        return Value::Null;
    }
    for choice in ["anyOf", "oneOf"] {
        let fits = |s: &&Value| {
            let properties = resolve(s)["properties"].as_object();
            let names = known.as_ref().and_then(Value::as_object).map(|k| k.keys().collect::<Vec<_>>());
            names.unwrap_or_default().iter().filter(|n| properties.is_some_and(|p| p.contains_key(**n))).count()
        };
        let choices = schema[choice].as_array().into_iter().flatten().filter(|s| s["type"] != "null");
        if let Some(best) = choices.rev().max_by_key(fits)
            && schema["properties"].is_null()
        {
            return fill(best, known);
        }
    }
    if let Some(parts) = schema["allOf"].as_array() {
        return parts.iter().fold(known.unwrap_or_else(|| json!({})), |value, part| fill(part, Some(value)));
    }
    if !schema["properties"].is_object() {
        return known.unwrap_or_else(|| scalar(schema));
    }
    let mut object: Map<String, Value> = known.and_then(|k| k.as_object().cloned()).unwrap_or_default();
    let properties = schema["properties"].as_object().unwrap();
    for (name, value) in &mut object {
        if let Some(inner) = properties.get(name).filter(|_| value.is_object() || value.is_array()) {
            *value = fill(inner, Some(value.take()));
        }
    }
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !object.contains_key(name) {
            object.insert(name.to_owned(), fill(&properties[name], None));
        }
    }
    Value::Object(object)
}

fn allows_null(schema: &Value) -> bool {
    schema["type"].as_array().is_some_and(|t| t.contains(&json!("null")))
        || schema["anyOf"].as_array().is_some_and(|all| all.iter().any(|s| s["type"] == "null"))
}

fn scalar(schema: &Value) -> Value {
    if let Some(first) = schema["enum"].as_array().and_then(|e| e.first()) {
        return first.clone();
    }
    match schema["type"].as_str() {
        Some("integer" | "number") => json!(schema["minimum"].as_i64().unwrap_or(1)),
        Some("boolean") => json!(false),
        Some("array") => json!([]),
        Some("object") => json!({}),
        _ => match schema["format"].as_str() {
            Some("uri") => json!("https://example.org/x"),
            Some("date-time") => json!("2026-01-01T00:00:00Z"),
            _ => json!("x"),
        },
    }
}
