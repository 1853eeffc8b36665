//! API descriptions (OpenAPI 3, Swagger 2; YAML or JSON): what they promise of
//! an endpoint. Read as plain data, so that a description with mistakes still
//! tells what it can.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};

use serde_json::Value;

/// Bytes of a description that is read.
const LIMIT: usize = 8 << 20;
/// Length of a chain of references that is followed.
const DEPTH: usize = 24;

/// One method of one path.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Operation {
    /// Lower case.
    pub method: String,
    /// With `{holes}`, base path of the servers left out.
    pub path: String,
    /// Statuses that are described (`200`, `4XX`, `default`).
    pub statuses: BTreeSet<String>,
    /// Names of fields anywhere in its responses, with their types and whether one is required.
    pub response: BTreeMap<String, Field>,
    /// Names of the fields of its request.
    pub request: BTreeMap<String, Field>,
    /// Names that every body of a request must have at its top.
    pub needs: BTreeSet<String>,
}

/// A field as described.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Field {
    /// `string`, `integer` …; empty where none is given.
    pub kind: String,
    /// Whether it must be there.
    pub required: bool,
    /// An example, a default, or the first of its values.
    pub example: Option<Value>,
}

/// Whether a path in a repository looks like an API description.
#[must_use]
pub fn is_description(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    let name = lower.rsplit('/').next().unwrap_or(&lower);
    let ending = [".yaml", ".yml", ".json"].iter().any(|e| name.ends_with(e));
    ending && ["openapi", "swagger", "api-spec", "apispec"].iter().any(|w| name.contains(w))
}

/// The operations of a description; empty where it is none.
#[must_use]
pub fn read(text: &str) -> Vec<Operation> {
    if text.len() > LIMIT {
        return Vec::new();
    }
    let whole: Option<Value> = serde_json::from_str(text).ok().or_else(|| serde_yaml_ng::from_str(text).ok());
    let Some(whole) = whole else { return Vec::new() };
    let mut found = Vec::new();
    for (path, item) in whole["paths"].as_object().into_iter().flatten() {
        for (method, described) in item.as_object().into_iter().flatten() {
            if matches!(method.as_str(), "get" | "put" | "post" | "delete" | "patch" | "head" | "options") {
                found.push(operation(&whole, method, path, described));
            }
        }
    }
    found
}

fn operation(whole: &Value, method: &str, path: &str, described: &Value) -> Operation {
    let mut made = Operation { method: method.to_owned(), path: path.to_owned(), ..Operation::default() };
    for (status, response) in described["responses"].as_object().into_iter().flatten() {
        made.statuses.insert(status.clone());
        let response = resolved(whole, response);
        for media in response["content"].as_object().into_iter().flat_map(|c| c.values()) {
            fields(whole, &media["schema"], &mut made.response);
        }
        fields(whole, &response["schema"], &mut made.response);
    }
    let body = resolved(whole, &described["requestBody"]);
    for media in body["content"].as_object().into_iter().flat_map(|c| c.values()) {
        fields(whole, &media["schema"], &mut made.request);
        needs(whole, &media["schema"], &mut made.needs);
    }
    for parameter in described["parameters"].as_array().into_iter().flatten() {
        let parameter = resolved(whole, parameter);
        fields(whole, &parameter["schema"], &mut made.request);
        if parameter["in"] == "body" {
            needs(whole, &parameter["schema"], &mut made.needs);
        }
    }
    made
}

/// The names that a schema requires of an object itself, not of what stands in it.
fn needs(whole: &Value, schema: &Value, out: &mut BTreeSet<String>) {
    let mut open = SchemaWalk::from(whole, schema);
    while let Some(schema) = open.next() {
        out.extend(schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned));
        open.extend(schema["allOf"].as_array().into_iter().flatten());
    }
}

/// Visits schemas in breadth-first order, each once. Schemas refer to each other and to themselves, so the
/// number of paths through them is infinite or exponential.
struct SchemaWalk<'v> {
    whole: &'v Value,
    open: VecDeque<&'v Value>,
    /// Addresses of the visited schemas in the document.
    seen: HashSet<*const Value>,
}

impl<'v> SchemaWalk<'v> {
    fn from(whole: &'v Value, schema: &'v Value) -> Self {
        Self { whole, open: VecDeque::from([schema]), seen: HashSet::new() }
    }

    fn extend(&mut self, schemas: impl Iterator<Item = &'v Value>) {
        self.open.extend(schemas);
    }
}

impl<'v> Iterator for SchemaWalk<'v> {
    type Item = &'v Value;

    fn next(&mut self) -> Option<&'v Value> {
        while let Some(schema) = self.open.pop_front() {
            let schema = resolved(self.whole, schema);
            if self.seen.insert(std::ptr::from_ref(schema)) {
                return Some(schema);
            }
        }
        None
    }
}

/// What a reference within the document points to.
fn resolved<'v>(whole: &'v Value, value: &'v Value) -> &'v Value {
    let mut at = value;
    for _ in 0..DEPTH {
        let Some(reference) = at["$ref"].as_str().and_then(|r| r.strip_prefix('#')) else { return at };
        at = whole.pointer(reference).unwrap_or(&Value::Null);
    }
    at
}

/// Adds the fields of a schema and of all schemas that it refers to.
fn fields(whole: &Value, schema: &Value, out: &mut BTreeMap<String, Field>) {
    let mut open = SchemaWalk::from(whole, schema);
    while let Some(schema) = open.next() {
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            described(
                resolved(whole, property),
                required.contains(&name.as_str()),
                out.entry(name.clone()).or_default(),
            );
            open.extend(std::iter::once(property));
        }
        open.extend(schema.get("items").into_iter().filter(|items| items.is_object()));
        for word in ["allOf", "oneOf", "anyOf"] {
            open.extend(schema[word].as_array().into_iter().flatten());
        }
    }
}

/// Adds the type, the example and the requirement of a property to a field.
fn described(property: &Value, required: bool, field: &mut Field) {
    field.required |= required;
    if field.kind.is_empty() {
        let kind = property["type"].as_str().or_else(|| property["type"][0].as_str());
        kind.unwrap_or("").clone_into(&mut field.kind);
    }
    if field.example.is_none() {
        let given = ["example", "default"].iter().find_map(|key| property.get(key));
        let listed = || property["enum"].get(0).or_else(|| property["examples"].get(0));
        field.example = given.or_else(listed).cloned();
    }
}

/// The operation that a request of a test belongs to: the method, where it is
/// known, and a path whose last segments fit (the base path may be left out).
#[must_use]
pub fn find<'o>(operations: &'o [Operation], method: &str, path: &str) -> Option<&'o Operation> {
    let bare = path.split(['?', '#']).next().unwrap_or(path);
    let parts: Vec<&str> = bare.split('/').filter(|p| !p.is_empty()).collect();
    let fits = |o: &&Operation| {
        let wanted: Vec<&str> = o.path.split('/').filter(|p| !p.is_empty()).collect();
        let same_method = method.is_empty() || o.method == method || !METHODS.contains(&method);
        same_method
            && !wanted.is_empty()
            && parts.len() >= wanted.len()
            && parts[parts.len() - wanted.len()..].iter().zip(&wanted).all(|(p, w)| w.starts_with('{') || p == w)
    };
    // A path without holes is meant before one with them.
    operations.iter().filter(fits).min_by_key(|o| o.path.matches('{').count())
}

const METHODS: &[&str] = &["get", "put", "post", "delete", "patch", "head", "options"];

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r##"
openapi: 3.0.0
paths:
  /users/{id}:
    get:
      responses:
        "200":
          content:
            application/json:
              schema: {$ref: "#/components/schemas/User"}
  /orders:
    post:
      requestBody:
        content:
          application/json:
            schema:
              type: object
              required: [currency]
              properties:
                currency: {type: string, enum: [EUR, USD]}
      responses:
        "201": {description: made}
components:
  schemas:
    User:
      type: object
      required: [email]
      properties:
        email: {type: string}
        tags: {type: array, items: {type: object, properties: {label: {type: string}}}}
"##;

    #[test]
    fn a_description() {
        let all = read(TEXT);
        let user = find(&all, "get", "/api/users/7?x=1").unwrap();
        assert!(user.response["email"].required && user.response.contains_key("label"));
        assert!(user.statuses.contains("200"));
        let order = find(&all, "post", "/orders").unwrap();
        assert_eq!(order.request["currency"].example, Some(Value::from("EUR")));
        assert_eq!(order.needs.iter().collect::<Vec<_>>(), ["currency"]);
        assert!(find(&all, "get", "/orders").is_none() && find(&all, "", "/nowhere").is_none());
        let recursive = TEXT.replace("        email:", "        manager: {$ref: '#/components/schemas/User'}\n        staff: {type: array, items: {$ref: '#/components/schemas/User'}}\n        email:");
        let all = read(&recursive);
        let user = find(&all, "get", "/users/7").unwrap();
        assert_eq!(
            user.response.keys().map(String::as_str).collect::<Vec<_>>(),
            ["email", "label", "manager", "staff", "tags"]
        );
        assert!(read("not: [a, description").is_empty() && read("[]").is_empty());
    }
}
