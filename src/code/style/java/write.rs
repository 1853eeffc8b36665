//! Java, written.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;

use super::{Exemplar, names_in};
use crate::code::source::Source;
use crate::code::style::check::{Check, Is, Tree, constant, formats};
use crate::code::style::piece::{Statement, chosen, indented, kept, once};
use crate::code::style::{NewTest, RequestVariant, Written, answers, quoted};

/// Where what a written test uses comes from, where its file does not say.
const ORIGINS: &[(&str, &[&str])] = &[
    ("static io.restassured.RestAssured", &["given"]),
    (
        "static org.hamcrest.Matchers",
        &[
            "allOf",
            "anyOf",
            "emptyOrNullString",
            "empty",
            "equalTo",
            "everyItem",
            "hasKey",
            "hasSize",
            "instanceOf",
            "matchesPattern",
            "not",
            "notNullValue",
            "nullValue",
            "oneOf",
            "startsWith",
        ],
    ),
    ("io.restassured.response", &["Response"]),
    ("org.junit.jupiter.api", &["Test"]),
    ("java.util", &["List", "Map"]),
];

impl Exemplar {
    pub(in super::super) fn write(&self, test: &NewTest) -> Option<Written> {
        let answers = answers(&self.before, test.asks.len());
        let mut calls = Vec::new();
        for (at, ask) in test.asks.iter().enumerate() {
            let before = at.checked_sub(1).and_then(|b| answers.get(b)).map_or("", String::as_str);
            calls.push(format!("Response {} = {};", answers.get(at)?, self.call_text(ask, before)?));
        }
        let mut needed: BTreeSet<String> = calls.iter().flat_map(|call| names(call)).collect();
        let asks_nothing = |piece: &Statement| !piece.text.contains("then()");
        let mut lines = kept(&self.before, &test.asks, &mut needed, &asks_nothing);
        lines.extend(calls);
        lines.extend(checks(test, &answers));
        let name = camel(&test.words);
        let body: String = lines.iter().map(|line| indented(line, 4) + "\n").collect();
        let text = format!("@Test\nvoid {name}(){} {{\n{body}}}", self.throws);
        let header = self.header(&text, test);
        Some(Written { name, header, frame: format!("{} {{\n}}", self.class), text })
    }

    fn call_text(&self, ask: &RequestVariant, before: &str) -> Option<String> {
        let chain = &self.chain;
        let (mut method, mut url, mut calls) = (chain.method.clone(), chain.url.clone(), chain.calls.clone());
        let mut more = chain.more.clone();
        // They stand where a request can still be added to.
        calls.retain(|(name, _)| !matches!(name.as_str(), "when" | "with" | "and" | "that"));
        let mut elsewhere = |path: &str, calls: &mut Vec<(String, String)>| {
            calls.retain(|(name, _)| !name.starts_with("pathParam"));
            more.clear();
            chain.address.at(path)
        };
        match ask {
            RequestVariant::Same => {}
            RequestVariant::Path(path) => url = elsewhere(path, &mut calls)?,
            RequestVariant::Query(path, name, value) => {
                url = elsewhere(path, &mut calls)?;
                calls.retain(|(name, _)| !matches!(name.as_str(), "queryParam" | "queryParams" | "param" | "params"));
                calls.push(("queryParam".to_owned(), format!("{}, {value}", quoted(name))));
            }
            RequestVariant::Method(other) => method = other.to_ascii_lowercase(),
            RequestVariant::MethodOf(other, path) => {
                method = other.to_ascii_lowercase();
                url = elsewhere(path, &mut calls)?;
            }
            RequestVariant::Credentials(header) => credentials(header, &mut calls),
            RequestVariant::Body(value) => {
                calls.iter_mut().find(|(name, _)| name == "body")?.1 = quoted(&value.to_string());
            }
            RequestVariant::Quoting(header, of) => {
                calls.push(("header".to_owned(), format!("{}, {before}.header({})", quoted(header), quoted(of))));
            }
        }
        // A question without a body has none to send.
        if matches!(ask, RequestVariant::Method(_)) && matches!(method.as_str(), "get" | "head") {
            calls.retain(|(name, _)| name != "body");
        }
        let rest: String = calls.iter().map(|(name, text)| format!(".{name}({text})")).collect();
        let more: String = more.iter().map(|text| format!(", {text}")).collect();
        Some(format!("{}{rest}.{method}({url}{more})", chain.on))
    }

    /// What the text needs of the file, in its order: package, imports, members.
    fn header(&self, text: &str, test: &NewTest) -> Vec<String> {
        let mut needed = names(text);
        let pieces: Vec<&Statement> = self.members.iter().collect();
        let members = chosen(&pieces, &mut needed);
        needed.extend(names(&self.class));
        let given: BTreeSet<&String> = self.imports.iter().flat_map(|piece| &piece.gives).collect();
        let own: BTreeSet<&String> = self.members.iter().flat_map(|piece| &piece.gives).collect();
        let missing = |name: &str| {
            let name = name.to_owned();
            needed.contains(&name) && !given.contains(&name) && !own.contains(&name)
        };
        let pieces: Vec<&Statement> = self.imports.iter().collect();
        let imports = chosen(&pieces, &mut needed.clone());
        let mut header: Vec<String> = Vec::new();
        if !self.package.is_empty() {
            header.push(format!("package {};", self.package));
        }
        header.extend(imports.into_iter().map(|at| self.imports[at].text.clone()));
        for (origin, all) in ORIGINS {
            let own = all.iter().filter(|name| missing(name));
            header.extend(own.map(|name| format!("import {origin}.{name};")));
        }
        header.extend(members.into_iter().map(|at| self.members[at].text.clone()));
        header.extend(
            formats(test).into_iter().map(|(name, pattern)| {
                format!("private static final String {} = {};", constant(name), quoted(pattern))
            }),
        );
        once(header)
    }
}

/// Credentials that are not valid, in the place of those that are.
fn credentials(header: &str, calls: &mut Vec<(String, String)>) {
    let lower = header.to_ascii_lowercase();
    let is_scheme =
        |name: &str| matches!(name, "auth" | "preemptive" | "basic" | "oauth2" | "digest" | "oauth" | "none" | "form");
    calls.retain(|(name, text)| {
        let is_it = name.starts_with("header") && text.to_ascii_lowercase().contains(&lower);
        !is_it && !is_scheme(name)
    });
    let value = if lower == "authorization" { "Bearer not-valid" } else { "not-valid" };
    calls.push(("header".to_owned(), format!("{}, {}", quoted(header), quoted(value))));
}

/// The names of a piece of a method, or of the head of a class.
fn names(text: &str) -> BTreeSet<String> {
    let whole = if text.contains("$NAME") {
        format!("{} {{}}", text.replace("$NAME", "X"))
    } else if text.starts_with('@') {
        format!("class X {{ {text} }}")
    } else {
        format!("class X {{ void x() {{ {text} }} }}")
    };
    Source::parse("X.java", &whole).map(|source| names_in(&source, source.root())).unwrap_or_default()
}

/// `getOrdersById`.
pub(in super::super) fn camel(words: &[String]) -> String {
    let mut name = String::new();
    for word in words.iter().flat_map(|word| super::super::plain(word)) {
        let mut letters = word.chars();
        match letters.next() {
            Some(first) if !name.is_empty() => name.extend(first.to_uppercase().chain(letters)),
            _ => name.push_str(&word),
        }
    }
    name
}

fn checks(test: &NewTest, answers: &[String]) -> Vec<String> {
    let mut lines = Vec::new();
    for (at, answer) in answers.iter().enumerate() {
        let own: Vec<&Check> = test.checks.iter().filter(|(of, _)| *of == at).map(|(_, check)| check).collect();
        let mut all: Vec<String> = own
            .iter()
            .filter_map(|check| match check {
                Check::Status(status) => Some(format!("statusCode({status})")),
                Check::Media(media) => Some(format!("header(\"Content-Type\", startsWith({}))", quoted(media))),
                Check::Header(name) => Some(format!("header({}, notNullValue())", quoted(name))),
                Check::Empty => Some("body(emptyOrNullString())".to_owned()),
                Check::Alike => {
                    let before = at.checked_sub(1).and_then(|b| answers.get(b)).unwrap_or(answer);
                    Some(format!("body(\"$\", equalTo({before}.jsonPath().get(\"$\")))"))
                }
                Check::Field(..) | Check::Equals(..) => None,
            })
            .collect();
        if let Some(tree) = Tree::of(own.iter().copied()) {
            fields(&tree, &Place::default(), &mut all);
        }
        if !all.is_empty() {
            let rest: String = all.iter().fold(String::new(), |mut text, one| {
                let _ = write!(text, "\n    .{one}");
                text
            });
            lines.push(format!("{answer}.then(){rest};"));
        }
    }
    lines
}

/// A place in a body, as Groovy's paths write it: `orders.lines.flatten().sku`.
#[derive(Clone, Debug, Default)]
struct Place {
    path: String,
    /// How many lists are gone through.
    lists: usize,
}

impl Place {
    fn below(&self, name: &str) -> Self {
        if name == "*" {
            // The second list in a list would be a list of lists.
            let path = if self.lists > 0 { format!("{}.flatten()", self.path) } else { self.path.clone() };
            return Self { path, lists: self.lists + 1 };
        }
        let is_plain = !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && !matches!(name, "size" | "class" | "empty" | "keys" | "values" | "in" | "as" | "new" | "def");
        let name =
            if is_plain { name.to_owned() } else { format!("'{}'", name.replace('\\', "\\\\").replace('\'', "\\'")) };
        let path = if self.path.is_empty() { name } else { format!("{}.{name}", self.path) };
        Self { path, lists: self.lists }
    }

    fn check(&self, matcher: &str) -> String {
        let path = if self.path.is_empty() { "$" } else { &self.path };
        let matcher = if self.lists > 0 { format!("everyItem({matcher})") } else { matcher.to_owned() };
        format!("body({}, {matcher})", quoted(path))
    }
}

fn fields(tree: &Tree, here: &Place, lines: &mut Vec<String>) {
    if let Some(value) = &tree.equals {
        lines.push(here.check(&equal(value)));
    }
    if let Some(is) = &tree.is {
        lines.extend(kind(is).iter().map(|matcher| here.check(matcher)));
    }
    for (name, below) in &tree.below {
        // `null` and what is not there are the same to a path.
        let may_be_null = below.is.as_ref().is_some_and(|is| is.nullable) || below.equals == Some(Value::Null);
        if may_be_null && name != "*" {
            lines.push(here.check(&format!("hasKey({})", quoted(name))));
        }
        fields(below, &here.below(name), lines);
    }
}

/// A value as REST Assured reads it: numbers with a point are of the type `float`.
fn equal(value: &Value) -> String {
    match value {
        Value::Null => "nullValue()".to_owned(),
        other => format!("equalTo({})", literal(other)),
    }
}

fn literal(value: &Value) -> String {
    match value {
        Value::Number(number) if number.is_f64() => format!("{number}f"),
        Value::Number(number) if number.as_i64().is_none_or(|n| i32::try_from(n).is_err()) => format!("{number}L"),
        Value::Array(items) => format!("List.of({})", items.iter().map(literal).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let all: Vec<String> =
                fields.iter().map(|(name, value)| format!("{}, {}", quoted(name), literal(value))).collect();
            format!("Map.of({})", all.join(", "))
        }
        other => other.to_string(),
    }
}

/// What matches each kind of value, and what else holds for it.
fn kind(is: &Is) -> Vec<String> {
    let of = |kind: &&str| match *kind {
        "boolean" => vec!["instanceOf(Boolean.class)"],
        "integer" => vec!["instanceOf(Integer.class)", "instanceOf(Long.class)"],
        "number" => vec!["instanceOf(Number.class)"],
        "array" => vec!["instanceOf(List.class)"],
        "object" => vec!["instanceOf(Map.class)"],
        _ => vec!["instanceOf(String.class)"],
    };
    let mut any: Vec<String> = if !is.choices.is_empty() {
        let all: Vec<String> = is.choices.iter().map(|c| quoted(c)).collect();
        vec![format!("oneOf({})", all.join(", "))]
    } else if let Some((name, _)) = is.format {
        vec![format!("matchesPattern({})", constant(name))]
    } else {
        is.kinds.iter().flat_map(of).map(str::to_owned).collect()
    };
    if is.nullable {
        any.insert(0, "nullValue()".to_owned());
    }
    let mut all = Vec::new();
    match any.as_slice() {
        [] => {}
        [one] => all.push(one.clone()),
        more => all.push(format!("anyOf({})", more.join(", "))),
    }
    if let Some(count) = is.count {
        all.push(format!("hasSize({count})"));
    }
    if is.filled {
        all.push("not(empty())".to_owned());
    }
    all
}
