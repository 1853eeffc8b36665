//! JavaScript, written.

use std::collections::BTreeSet;

use super::{Exemplar, names_in};
use crate::code::source::Source;
use crate::code::style::check::{Check, Is, Tree, constant, formats};
use crate::code::style::piece::{Statement, chosen, indented, kept, once};
use crate::code::style::{ITEMS, NewTest, RequestVariant, Written, answers, quoted};

impl Exemplar {
    pub(in super::super) fn write(&self, test: &NewTest, file: &str, folder: &str) -> Option<Written> {
        let name = test.words.join(" ");
        let answers = answers(&self.before, test.asks.len());
        let mut lines = Vec::new();
        let mut calls = Vec::new();
        for (at, ask) in test.asks.iter().enumerate() {
            let before = at.checked_sub(1).and_then(|b| answers.get(b)).map_or("", String::as_str);
            calls.push(format!("const {} = await {};", answers.get(at)?, self.call_text(ask, before)?));
        }
        lines.extend(self.kept(&calls, &test.asks));
        lines.extend(calls);
        lines.extend(checks(test, &answers));
        let body: String = lines.iter().map(|line| indented(line, 2) + "\n").collect();
        let text = format!("{}({}, async () => {{\n{body}}});", self.word, quoted(&name));
        let header = self.header(&text, test, file, folder);
        Some(Written { name, header, frame: String::new(), text })
    }

    /// The statements before the calls that these need.
    fn kept(&self, calls: &[String], asks: &[RequestVariant]) -> Vec<String> {
        let mut needed: BTreeSet<String> = calls.iter().flat_map(|call| names(call)).collect();
        kept(&self.before, asks, &mut needed, &|piece| !piece.text.starts_with("await "))
    }

    fn call_text(&self, ask: &RequestVariant, before: &str) -> Option<String> {
        let chain = &self.chain;
        let (mut method, mut url, mut calls) = (chain.method.clone(), chain.url.clone(), chain.calls.clone());
        match ask {
            RequestVariant::Same => {}
            RequestVariant::Path(path) => url = chain.address.at(path)?,
            RequestVariant::Query(path, name, value) => {
                url = chain.address.at(path)?;
                calls.retain(|(name, _)| name != "query");
                calls.push(("query".to_owned(), format!("{{ {}: {value} }}", quoted(name))));
            }
            RequestVariant::Method(other) => method = other.to_ascii_lowercase(),
            RequestVariant::MethodOf(other, path) => {
                method = other.to_ascii_lowercase();
                url = chain.address.at(path)?;
            }
            RequestVariant::Credentials(header) => {
                let lower = header.to_ascii_lowercase();
                calls.retain(|(name, text)| {
                    name != "auth" && !(name == "set" && text.to_ascii_lowercase().contains(&lower))
                });
                let value = if lower == "authorization" { "Bearer not-valid" } else { "not-valid" };
                calls.push(("set".to_owned(), format!("{}, {}", quoted(header), quoted(value))));
            }
            RequestVariant::Body(value) => calls.iter_mut().find(|(name, _)| name == "send")?.1 = value.to_string(),
            RequestVariant::Quoting(header, of) => {
                let value = format!("{before}.headers[{}]", quoted(&of.to_ascii_lowercase()));
                calls.push(("set".to_owned(), format!("{}, {value}", quoted(header))));
            }
        }
        // A question without a body has none to send.
        if matches!(ask, RequestVariant::Method(_)) && matches!(method.as_str(), "get" | "head") {
            calls.retain(|(name, _)| name != "send");
        }
        let rest: String = calls.iter().map(|(name, text)| format!(".{name}({text})")).collect();
        Some(format!("{}.{method}({url}){rest}", chain.on))
    }

    /// What the text needs of the file, in its order.
    fn header(&self, text: &str, test: &NewTest, file: &str, folder: &str) -> Vec<String> {
        let mut needed = names(text);
        let pieces: Vec<&Statement> = self.definitions.iter().collect();
        let chosen = chosen(&pieces, &mut needed);
        let mut header: Vec<String> =
            chosen.into_iter().map(|at| moved(&self.definitions[at].text, file, folder)).collect();
        header.extend(patterns(test));
        once(header)
    }
}

fn names(text: &str) -> BTreeSet<String> {
    Source::parse("x.ts", text).map(|source| names_in(&source, source.root())).unwrap_or_default()
}

/// A statement whose relative addresses of modules lead from another folder to the same place.
fn moved(text: &str, file: &str, folder: &str) -> String {
    let pattern = r#"(require|import|from|mock|unmock|doMock|requireActual|importActual)(\s*\(?\s*)(["'])(\.\.?/[^"']*|\.\.?)["']"#;
    let Ok(pattern) = regex::Regex::new(pattern) else { return text.to_owned() };
    let beside = file.rsplit_once('/').map_or("", |(folder, _)| folder);
    pattern
        .replace_all(text, |found: &regex::Captures<'_>| {
            format!("{}{}{q}{}{q}", &found[1], &found[2], relative(&found[4], beside, folder), q = &found[3])
        })
        .into_owned()
}

/// The address of a module from `folder`, which is `address` from `beside`.
fn relative(address: &str, beside: &str, folder: &str) -> String {
    let parts = |path: &str| -> Vec<String> { path.split('/').filter(|p| !p.is_empty()).map(str::to_owned).collect() };
    let mut target = parts(beside);
    for part in address.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                target.pop();
            }
            other => target.push(other.to_owned()),
        }
    }
    let here = parts(folder);
    let common = target.iter().zip(&here).take_while(|(a, b)| a == b).count();
    let up = "../".repeat(here.len() - common);
    let down = target[common..].join("/");
    if up.is_empty() { format!("./{down}") } else { format!("{up}{down}") }
}

fn checks(test: &NewTest, answers: &[String]) -> Vec<String> {
    let mut lines = Vec::new();
    for (at, answer) in answers.iter().enumerate() {
        let own: Vec<&Check> = test.checks.iter().filter(|(of, _)| *of == at).map(|(_, check)| check).collect();
        for check in &own {
            match check {
                Check::Status(status) => lines.push(format!("expect({answer}.status).toBe({status});")),
                Check::Media(media) => {
                    let own = format!("{answer}.headers[\"content-type\"].split(\";\")[0]");
                    lines.push(format!("expect({own}).toBe({});", quoted(media)));
                }
                Check::Header(name) => lines.push(format!(
                    "expect(Object.keys({answer}.headers)).toContain({});",
                    quoted(&name.to_ascii_lowercase())
                )),
                Check::Empty => lines.push(format!("expect({answer}.text || \"\").toBe(\"\");")),
                Check::Alike => {
                    let before = at.checked_sub(1).and_then(|b| answers.get(b)).unwrap_or(answer);
                    lines.push(format!("expect({answer}.body).toEqual({before}.body);"));
                }
                Check::Field(..) | Check::Equals(..) => {}
            }
        }
        if let Some(tree) = Tree::of(own.iter().copied()) {
            fields(&tree, &format!("{answer}.body"), &mut lines, 0);
        }
    }
    lines
}

fn member(here: &str, name: &str) -> String {
    let plain = !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '$');
    if plain { format!("{here}.{name}") } else { format!("{here}[{}]", quoted(name)) }
}

fn fields(tree: &Tree, here: &str, lines: &mut Vec<String>, depth: usize) {
    let lead = "  ".repeat(depth);
    if let Some(value) = &tree.equals {
        lines.push(format!("{lead}expect({here}).toEqual({value});"));
    }
    if let Some(is) = &tree.is {
        lines.extend(kind(is, here).into_iter().map(|line| format!("{lead}{line}")));
    }
    for (name, below) in &tree.below {
        if name == "*" {
            let item = ITEMS[depth.min(ITEMS.len() - 1)];
            lines.push(format!("{lead}for (const {item} of {here}) {{"));
            fields(below, item, lines, depth + 1);
            lines.push(format!("{lead}}}"));
        } else {
            fields(below, &member(here, name), lines, depth);
        }
    }
}

fn kind(is: &Is, here: &str) -> Vec<String> {
    let all: Vec<String> = is.choices.iter().map(|c| quoted(c)).collect();
    let mut lines = Vec::new();
    let test = |kind: &str| match kind {
        "integer" => format!("Number.isInteger({here})"),
        "array" => format!("Array.isArray({here})"),
        "object" => format!("({here} !== null && typeof {here} === \"object\")"),
        other => format!("typeof {here} === {}", quoted(other)),
    };
    let any = match is.kinds.as_slice() {
        ["string"] => Some("String"),
        ["number"] => Some("Number"),
        ["boolean"] => Some("Boolean"),
        ["array"] => Some("Array"),
        ["object"] => Some("Object"),
        _ => None,
    };
    if is.nullable || (any.is_none() && all.is_empty()) {
        let mut tests: Vec<String> = is.nullable.then(|| format!("{here} === null")).into_iter().collect();
        match (&is.format, all.is_empty()) {
            (_, false) => tests.push(format!("[{}].includes({here})", all.join(", "))),
            (Some((name, _)), _) => tests.push(format!("{}.test({here})", constant(name))),
            _ => tests.extend(is.kinds.iter().map(|k| test(k))),
        }
        lines.push(format!("expect({}).toBe(true);", tests.join(" || ")));
    } else if !all.is_empty() {
        lines.push(format!("expect([{}]).toContain({here});", all.join(", ")));
    } else if let Some((name, _)) = is.format {
        lines.push(format!("expect({here}).toMatch({});", constant(name)));
    } else if let Some(any) = any {
        lines.push(format!("expect({here}).toEqual(expect.any({any}));"));
    }
    if let Some(count) = is.count {
        lines.push(format!("expect({here}).toHaveLength({count});"));
    }
    if is.filled {
        lines.push(format!("expect({here}.length).toBeGreaterThan(0);"));
    }
    lines
}

/// The patterns that a test compares with, as constants.
fn patterns(test: &NewTest) -> Vec<String> {
    let written =
        |(name, pattern): (&str, &str)| format!("const {} = /{}/;", constant(name), pattern.replace('/', "\\/"));
    formats(test).into_iter().map(written).collect()
}
