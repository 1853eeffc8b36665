//! Python, written.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;

use super::needs::{Form, names_in};
use super::{Exemplar, METHODS};
use crate::code::source::Source;
use crate::code::style::check::{Check, Is, Tree, constant, formats};
use crate::code::style::piece::{Statement, chosen, indented, kept, once};
use crate::code::style::{ITEMS, NewTest, RequestVariant, SEVERAL, Written, quoted};

/// A JSON value as Python writes it.
pub(super) fn literal(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Array(items) => format!("[{}]", items.iter().map(literal).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let entry = |(k, v): (&String, &Value)| format!("{}: {}", quoted(k), literal(v));
            format!("{{{}}}", map.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

impl Exemplar {
    pub(in super::super) fn write(&self, test: &NewTest, file: &str, folder: &str) -> Option<Written> {
        let name = format!("test_{}", test.words.join("_"));
        let answers: Vec<&str> = if test.asks.len() == 1 {
            vec!["response"]
        } else {
            SEVERAL.iter().copied().take(test.asks.len()).collect()
        };
        let mut calls = Vec::new();
        for (at, ask) in test.asks.iter().enumerate() {
            let before = at.checked_sub(1).and_then(|b| answers.get(b)).copied().unwrap_or("");
            calls.push(format!("{} = {}", answers.get(at)?, self.call_text(ask, before)?));
        }
        let checks = self.checks(test, &answers);
        let body = self.body(&calls, &checks, &test.asks);
        let mut text: String = self.decorators.iter().fold(String::new(), |t, d| t + d + "\n");
        if self.class.is_none() && self.layers.is_empty() {
            return None;
        }
        let own: Vec<&str> = self.class.iter().map(|_| "self").collect();
        let parameters: Vec<&str> = own.into_iter().chain(self.parameters.iter().map(String::as_str)).collect();
        let lead = if self.is_async { "async " } else { "" };
        let _ = write!(text, "{lead}def {name}({}):\n{body}", parameters.join(", "));
        let header = self.header(&text, test, file, folder);
        Some(Written { name, header, frame: self.frame(), text })
    }

    /// The class head and its common members.
    fn frame(&self) -> String {
        let Some(class) = &self.class else { return String::new() };
        let mut text: String = class.decorators.iter().fold(String::new(), |t, d| t + d + "\n");
        let _ = writeln!(text, "class TestGenerated{}:", class.bases);
        for member in &class.members {
            text.push_str(&indented(member, 4));
            text.push_str("\n\n");
        }
        text
    }

    /// The call with what is different.
    fn call_text(&self, ask: &RequestVariant, before: &str) -> Option<String> {
        let call = &self.call;
        let mut function = call.function.clone();
        let mut arguments = call.arguments.clone();
        match ask {
            RequestVariant::Same => {}
            RequestVariant::Path(path) => arguments[call.url].1 = call.address.at(path)?,
            RequestVariant::Query(path, name, value) => {
                let is_one = |(name, _): &(Option<String>, String)| {
                    name.as_deref().is_some_and(|name| matches!(name, "params" | "query_string"))
                };
                match arguments.iter().position(is_one) {
                    Some(at) => arguments[at].1 = format!("{{{}: {value}}}", quoted(name)),
                    None => arguments[call.url].1 = call.address.at(&format!("{path}?{name}={value}"))?,
                }
            }
            RequestVariant::Method(method) | RequestVariant::MethodOf(method, _) => {
                if let RequestVariant::MethodOf(_, path) = ask {
                    arguments[call.url].1 = call.address.at(path)?;
                }
                let lower = method.to_ascii_lowercase();
                match call.method {
                    Some(at) => arguments[at].1 = quoted(method),
                    None if METHODS.contains(&lower.as_str()) => function = lower,
                    None => return None,
                }
            }
            RequestVariant::Credentials(header) => {
                let wsgi = format!("HTTP_{}", header.to_ascii_uppercase().replace('-', "_"));
                arguments.retain(|(name, _)| {
                    !name.as_deref().is_some_and(|name| matches!(name, "headers" | "auth") || name == wsgi)
                });
                let is_standard = header.eq_ignore_ascii_case("authorization");
                let value = if is_standard { "\"Bearer not-valid\"" } else { "\"not-valid\"" };
                arguments.push(self.header_argument(header, value));
            }
            RequestVariant::Body(value) => {
                let at = self.body_argument()?;
                arguments[at].1 = literal(value);
            }
            RequestVariant::Quoting(header, of) => {
                let value = format!("{before}.headers[{}]", quoted(of));
                let headers = arguments.iter().position(|(name, _)| name.as_deref() == Some("headers"));
                match headers {
                    Some(at) => arguments[at].1 = format!("{{**{}, {}: {value}}}", arguments[at].1, quoted(header)),
                    None => arguments.push(self.header_argument(header, &value)),
                }
            }
        }
        let arguments: Vec<String> = arguments
            .into_iter()
            .map(|(name, text)| name.map_or_else(|| text.clone(), |name| format!("{name}={text}")))
            .collect();
        Some(format!("{}{}.{function}({})", call.lead, call.on, arguments.join(", ")))
    }

    /// The argument that sends a header.
    fn header_argument(&self, name: &str, value: &str) -> (Option<String>, String) {
        if self.is_django {
            (Some(format!("HTTP_{}", name.to_ascii_uppercase().replace('-', "_"))), value.to_owned())
        } else {
            (Some("headers".to_owned()), format!("{{{}: {value}}}", quoted(name)))
        }
    }

    /// The body of the function: preparation, calls, checks.
    fn body(&self, calls: &[String], checks: &[String], asks: &[RequestVariant]) -> String {
        let mut needed: BTreeSet<String> = calls.iter().flat_map(|call| names(call)).collect();
        let mut lines: Vec<(usize, Vec<String>)> = Vec::new();
        for (depth, layer) in self.layers.iter().enumerate().rev() {
            let kept = kept(&layer.statements, asks, &mut needed, &|_| true);
            needed.extend(layer.head_names.iter().cloned());
            lines.push((depth, kept));
        }
        lines.reverse();
        let mut text = String::new();
        for ((depth, kept), layer) in lines.iter().zip(&self.layers) {
            if !layer.head.is_empty() {
                text.push_str(&indented(&layer.head, 4 * depth));
                text.push('\n');
            }
            for statement in kept {
                text.push_str(&indented(statement, 4 * (depth + 1)));
                text.push('\n');
            }
        }
        let depth = self.layers.len();
        for line in calls.iter().chain(checks) {
            text.push_str(&indented(line, 4 * depth));
            text.push('\n');
        }
        text
    }

    fn checks(&self, test: &NewTest, answers: &[&str]) -> Vec<String> {
        let mut lines = Vec::new();
        let is_unittest = self.class.as_ref().is_some_and(|class| class.bases.contains("TestCase"));
        let say = AssertStyle { is_unittest };
        for (at, answer) in answers.iter().enumerate() {
            let own: Vec<&Check> = test.checks.iter().filter(|(of, _)| *of == at).map(|(_, check)| check).collect();
            for check in &own {
                match check {
                    Check::Status(status) => {
                        lines.push(say.equal(&format!("{answer}.status_code"), &status.to_string()));
                    }
                    Check::Media(media) => {
                        let own = format!("{answer}.headers[\"Content-Type\"].split(\";\")[0]");
                        lines.push(say.equal(&own, &quoted(media)));
                    }
                    Check::Header(name) => lines.push(say.within(&quoted(name), &format!("{answer}.headers"))),
                    Check::Empty => lines.push(say.equal(&self.content(answer), "b\"\"")),
                    Check::Alike => {
                        let before = at.checked_sub(1).and_then(|b| answers.get(b)).copied().unwrap_or(answer);
                        lines.push(say.equal(&format!("{answer}{}", self.json), &format!("{before}{}", self.json)));
                    }
                    Check::Field(..) | Check::Equals(..) => {}
                }
            }
            if let Some(tree) = Tree::of(own.iter().copied()) {
                let body = if answers.len() == 1 { "body".to_owned() } else { format!("{answer}_body") };
                lines.push(format!("{body} = {answer}{}", self.json));
                say.fields(&tree, &body, &mut lines, 0);
            }
        }
        lines
    }

    /// The bytes of a body.
    fn content(&self, answer: &str) -> String {
        if self.json == ".get_json()" { format!("{answer}.data") } else { format!("{answer}.content") }
    }

    /// What the text needs of the file, in the order of the file.
    fn header(&self, text: &str, test: &NewTest, file: &str, folder: &str) -> Vec<String> {
        let mut needed = names(text);
        let fixtures = self.parameters.iter().map(|p| p.split([':', '=']).next().unwrap_or(p).trim().to_owned());
        needed.extend(fixtures);
        needed.extend(self.parameters.iter().filter_map(|p| p.split_once(':')).flat_map(|(_, kind)| names(kind)));
        if let Some(class) = &self.class {
            needed.extend(class.needs.iter().cloned());
            needed.extend(class.decorators.iter().flat_map(|d| names(d.trim_start_matches('@'))));
        }
        let pieces: Vec<&Statement> = self.definitions.iter().map(|definition| &definition.piece).collect();
        let chosen = chosen(&pieces, &mut needed);
        let mut header: Vec<String> = Vec::new();
        let formats: Vec<String> = patterns(test);
        let is_unittest = self.class.as_ref().is_some_and(|class| class.bases.contains("TestCase"));
        let may_be_null = test.checks.iter().any(|(_, c)| matches!(c, Check::Field(_, is) if is.nullable));
        if !formats.is_empty() && (!is_unittest || may_be_null) {
            header.push("import re".to_owned());
        }
        for at in chosen {
            let definition = &self.definitions[at];
            let wanted = |names: &[(String, String)]| -> Vec<String> {
                names.iter().filter(|(_, name)| needed.contains(name)).map(|(whole, _)| whole.clone()).collect()
            };
            match &definition.kind {
                Form::Import(names) => header.extend(wanted(names).into_iter().map(|n| format!("import {n}"))),
                Form::From(module, names) => {
                    let module = moved(module, file, folder);
                    header.push(format!("from {module} import {}", wanted(names).join(", ")));
                }
                Form::Other => header.push(definition.piece.text.clone()),
            }
        }
        header.extend(formats);
        once(header)
    }
}

/// The names of a piece of Python.
fn names(text: &str) -> BTreeSet<String> {
    Source::parse("x.py", text).map(|source| names_in(&source, source.root())).unwrap_or_default()
}

/// A module with dots, as it is called from another folder.
fn moved(module: &str, file: &str, folder: &str) -> String {
    let dots = module.bytes().take_while(|b| *b == b'.').count();
    if dots == 0 {
        return module.to_owned();
    }
    let parts = |path: &str| -> Vec<String> { path.split('/').filter(|p| !p.is_empty()).map(str::to_owned).collect() };
    let mut base = parts(file);
    base.truncate(base.len().saturating_sub(dots));
    let here = parts(folder);
    let rest = &module[dots..];
    if here.starts_with(&base) {
        format!("{}{rest}", ".".repeat(here.len() - base.len() + 1))
    } else {
        let joined = base.join(".");
        if rest.is_empty() { joined } else { format!("{joined}.{rest}") }
    }
}

/// How this suite says what must hold: with `assert`, or with unittest's methods.
#[derive(Clone, Copy)]
struct AssertStyle {
    is_unittest: bool,
}

impl AssertStyle {
    fn equal(self, own: &str, expected: &str) -> String {
        if self.is_unittest {
            format!("self.assertEqual({own}, {expected})")
        } else {
            format!("assert {own} == {expected}")
        }
    }

    fn within(self, own: &str, all: &str) -> String {
        if self.is_unittest { format!("self.assertIn({own}, {all})") } else { format!("assert {own} in {all}") }
    }

    fn holds(self, test: &str) -> String {
        if self.is_unittest { format!("self.assertTrue({test})") } else { format!("assert {test}") }
    }

    fn typed(self, own: &str, types: &str) -> String {
        match (types, self.is_unittest) {
            // `True` is an `int` to Python.
            ("int", true) => format!("self.assertIs(type({own}), int)"),
            ("int", false) => format!("assert type({own}) is int"),
            (_, true) => format!("self.assertIsInstance({own}, {types})"),
            (_, false) => format!("assert isinstance({own}, {types})"),
        }
    }

    /// The lines for the places of a body.
    fn fields(self, tree: &Tree, here: &str, lines: &mut Vec<String>, depth: usize) {
        let lead = "    ".repeat(depth);
        if let Some(value) = &tree.equals {
            lines.push(format!("{lead}{}", self.equal(here, &literal(value))));
        }
        if let Some(is) = &tree.is {
            lines.extend(self.kind(is, here).into_iter().map(|line| format!("{lead}{line}")));
        }
        for (name, below) in &tree.below {
            if name == "*" {
                let item = ITEMS[depth.min(ITEMS.len() - 1)];
                lines.push(format!("{lead}for {item} in {here}:"));
                self.fields(below, item, lines, depth + 1);
            } else {
                self.fields(below, &format!("{here}[{}]", quoted(name)), lines, depth);
            }
        }
    }

    /// The lines for one place.
    fn kind(self, is: &Is, here: &str) -> Vec<String> {
        let all: Vec<String> = is.choices.iter().map(|c| quoted(c)).collect();
        let choices = format!("({})", all.join(", "));
        let names: Vec<&str> = is.kinds.iter().flat_map(|k| python_types(k)).copied().collect();
        let types = if names.len() == 1 { names[0].to_owned() } else { format!("({})", names.join(", ")) };
        let matches = is.format.map(|(name, _)| (constant(name), format!("re.search({}, {here})", constant(name))));
        let mut lines = Vec::new();
        if is.nullable {
            let test = match (&matches, all.is_empty(), types.as_str()) {
                (_, false, _) => format!("{here} in {choices}"),
                (Some((_, test)), ..) => test.clone(),
                (.., "int") => format!("type({here}) is int"),
                _ => format!("isinstance({here}, {types})"),
            };
            lines.push(self.holds(&format!("{here} is None or {test}")));
        } else if !all.is_empty() {
            lines.push(self.within(here, &choices));
        } else if let Some((name, test)) = matches {
            let by_method = format!("self.assertRegex({here}, {name})");
            lines.push(if self.is_unittest { by_method } else { format!("assert {test}") });
        } else if !names.is_empty() {
            lines.push(self.typed(here, &types));
        }
        if let Some(count) = is.count {
            lines.push(self.equal(&format!("len({here})"), &count.to_string()));
        }
        if is.filled {
            let by_method = format!("self.assertGreater(len({here}), 0)");
            lines.push(if self.is_unittest { by_method } else { format!("assert len({here}) > 0") });
        }
        lines
    }
}

/// The patterns that a test compares with, as constants.
fn patterns(test: &NewTest) -> Vec<String> {
    formats(test).into_iter().map(|(name, pattern)| format!("{} = r\"{pattern}\"", constant(name))).collect()
}

fn python_types(kind: &str) -> &'static [&'static str] {
    match kind {
        "boolean" => &["bool"],
        "integer" => &["int"],
        "number" => &["int", "float"],
        "string" => &["str"],
        "array" => &["list"],
        _ => &["dict"],
    }
}
