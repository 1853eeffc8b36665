//! Printed values → [`Value`]: Python's `repr`, JSON, Jest's pretty format, Java's
//! `toString`, Go's `%v` and `%#v`, Rust's `Debug`, Ruby's `inspect`, PHP's export.
//!
//! Tolerant: what cannot be read is [`Value::Bare`] with its text.

use crate::code::lower::unescape;
use crate::code::value::Value;

/// Nesting that is followed.
const DEPTH: usize = 48;
/// Bytes of a printed value that are read.
const LIMIT: usize = 256 << 10;

/// Reads a printed value.
#[must_use]
pub fn read(text: &str) -> Value {
    let text = text.trim();
    if text.len() > LIMIT {
        return Value::Bare(text.chars().take(200).collect());
    }
    let mut reader = Reader { text, at: 0 };
    match reader.value(0, true) {
        Some(value) if reader.rest().trim().is_empty() => value,
        _ => Value::Bare(text.to_owned()),
    }
}

/// Whether a printed value was shortened by whoever printed it.
#[must_use]
pub fn is_cut(text: &str) -> bool {
    text.contains("...") || text.contains('…') || text.contains("bytes cut")
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn skip_space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn eat(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn value(&mut self, depth: usize, top: bool) -> Option<Value> {
        if depth > DEPTH {
            return None;
        }
        self.skip_space();
        match self.peek()? {
            '\'' | '"' | '`' => self.quoted().map(Value::Text),
            '[' if self.rest().starts_with("[]") && self.go_type().is_some() => self.after_type(depth),
            '[' => self.items(']', depth),
            '(' => self.items(')', depth),
            '{' => self.entries('}', depth),
            ':' => {
                self.at += 1;
                let word = self.word(false);
                (!word.is_empty()).then(|| Value::Text(word.to_owned()))
            }
            _ if self.rest().starts_with("map[") => self.go_map(depth),
            _ => self.named(depth, top),
        }
    }

    fn quoted(&mut self) -> Option<String> {
        let quote = self.peek()?;
        let start = self.at + quote.len_utf8();
        let mut escaped = false;
        for (at, c) in self.text[start..].char_indices() {
            if escaped {
                escaped = false;
            } else if c == '\\' {
                escaped = true;
            } else if c == quote {
                self.at = start + at + c.len_utf8();
                return Some(unescape(&self.text[start..start + at]));
            }
        }
        None
    }

    /// Letters and signs up to where a value ends.
    fn word(&mut self, spaces: bool) -> &'t str {
        let end = self
            .rest()
            .char_indices()
            .find(|(_, c)| {
                matches!(c, ',' | '{' | '}' | '[' | ']' | '(' | ')' | '\n') || (!spaces && c.is_whitespace())
            })
            .map_or(self.rest().len(), |(at, _)| at);
        let word = &self.rest()[..end];
        self.at += end;
        word.trim_end()
    }

    /// A number, a word, or an object with the name of its type.
    fn named(&mut self, depth: usize, top: bool) -> Option<Value> {
        let start = self.at;
        let word = self.word(true).to_owned();
        match self.peek() {
            Some('{') => {
                let is_type =
                    !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || "._:&*<>/ -$".contains(c));
                if is_type {
                    return self.entries('}', depth);
                }
            }
            Some('[') if matches!(word.as_str(), "Array" | "vec!" | "Set" | "List" | "array" | "Float64Array") => {
                return self.items(']', depth);
            }
            Some('(') if !word.is_empty() => {
                let inner = self.items(')', depth)?;
                return Some(match (word.as_str(), inner) {
                    ("dict" | "OrderedDict" | "defaultdict" | "Array", Value::List(mut only)) if only.len() == 1 => {
                        only.remove(0)
                    }
                    (_, fields @ Value::Map(_)) => fields,
                    _ => Value::Bare(self.text[start..self.at].to_owned()),
                });
            }
            _ => {}
        }
        let whole = if top { self.text.trim().to_owned() } else { word };
        if top && self.at < self.text.trim_end().len() {
            return None;
        }
        (!whole.is_empty()).then(|| leaf(&whole))
    }

    /// `[a, b]`, and PHP's `['a' => 1]` and `(name='x')` with keys.
    fn items(&mut self, close: char, depth: usize) -> Option<Value> {
        self.at += 1;
        let mut items = Vec::new();
        let mut keyed = Vec::new();
        loop {
            self.skip_space();
            if self.peek()? == close {
                self.at += close.len_utf8();
                break;
            }
            if let Some(key) = self.key() {
                keyed.push((key, self.value(depth + 1, false)?));
            } else {
                items.push(self.value(depth + 1, false)?);
            }
            self.skip_space();
            self.eat(",");
        }
        let counted = keyed.iter().enumerate().all(|(at, (key, _))| *key == at.to_string());
        Some(match (items.is_empty(), keyed.is_empty()) {
            (true, false) if counted => Value::List(keyed.into_iter().map(|(_, v)| v).collect()),
            (true, false) => Value::Map(keyed),
            (_, true) => Value::List(items),
            _ => return None,
        })
    }

    /// `{a: 1}`, `{'a' => 1}`, `{a=1}`; without keys a set.
    fn entries(&mut self, close: char, depth: usize) -> Option<Value> {
        let start = self.at;
        self.at += 1;
        let mut entries = Vec::new();
        loop {
            self.skip_space();
            if self.peek()? == close {
                self.at += close.len_utf8();
                return Some(Value::Map(entries));
            }
            let Some(key) = self.key() else {
                self.at = start;
                return self.items(close, depth).filter(|v| matches!(v, Value::List(_)));
            };
            entries.push((key, self.value(depth + 1, false)?));
            self.skip_space();
            self.eat(",");
        }
    }

    /// A key with the sign behind it; nothing is taken where there is none.
    fn key(&mut self) -> Option<String> {
        let start = self.at;
        let key = match self.peek()? {
            '\'' | '"' | '`' => self.quoted()?,
            _ => {
                self.eat(":");
                let word = self.rest();
                let end =
                    word.char_indices().find(|(_, c)| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '$' | '.')));
                let end = end.map_or(word.len(), |(at, _)| at);
                self.at += end;
                word[..end].to_owned()
            }
        };
        self.skip_space();
        let signed = self.eat("=>") || self.eat(":") || (self.eat("=") && !self.rest().starts_with('='));
        if !signed || key.is_empty() {
            self.at = start;
            return None;
        }
        Some(key)
    }

    /// The length of a Go type before `{`, such as `[]string`.
    fn go_type(&self) -> Option<usize> {
        let brace = self.rest().find('{')?;
        let written = &self.rest()[..brace];
        let interface = written.trim_end().ends_with("interface");
        let plain = written.chars().all(|c| c.is_alphanumeric() || "[]*._ ".contains(c));
        // `[]interface {}{1}`: the first braces belong to the type.
        plain.then(|| if interface { brace + self.rest()[brace..].find('}').map_or(1, |e| e + 1) } else { brace })
    }

    fn after_type(&mut self, depth: usize) -> Option<Value> {
        self.at += self.go_type()?;
        self.entries('}', depth)
    }

    /// `map[string]int{"a":1}` (`%#v`) or `map[a:1 b:2]` (`%v`).
    fn go_map(&mut self, depth: usize) -> Option<Value> {
        let close = self.rest().find(']')?;
        let after = &self.rest()[close + 1..];
        let typed = after.starts_with(|c: char| c.is_alphabetic() || c == '[' || c == '*') && after.contains('{');
        if typed {
            let brace = after.find('{')?;
            let interface = after[..brace].trim_end().ends_with("interface");
            self.at += close + 1 + brace;
            if interface {
                self.at += self.rest().find('}')? + 1;
            }
            return self.entries('}', depth);
        }
        self.at += "map[".len();
        let mut entries = Vec::new();
        while !self.eat("]") {
            self.skip_space();
            let colon = self.rest().find(':')?;
            let key = self.rest()[..colon].to_owned();
            self.at += colon + 1;
            let nested = matches!(self.peek(), Some('[' | '{')) || self.rest().starts_with("map[");
            let value = if nested { self.value(depth + 1, false)? } else { leaf(self.word(false)) };
            entries.push((key, value));
            self.skip_space();
        }
        Some(Value::Map(entries))
    }
}

fn leaf(word: &str) -> Value {
    match word {
        "None" | "null" | "nil" | "NULL" | "undefined" | "<nil>" | "(nil)" => Value::Null,
        "True" | "true" => Value::Bool(true),
        "False" | "false" => Value::Bool(false),
        _ => {
            let digits = word.trim_start_matches(['-', '+']);
            let number = digits.starts_with(|c: char| c.is_ascii_digit())
                && crate::code::value::bare_number(word).replace('_', "").parse::<f64>().is_ok()
                && digits.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+' | '_'))
                && word.len() - crate::code::value::bare_number(word).len() <= 5;
            if number {
                Value::Number(crate::code::value::bare_number(word).to_owned())
            } else {
                Value::Bare(word.to_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(number: &str) -> Value {
        Value::Number(number.to_owned())
    }

    fn t(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn notations() {
        let map = Value::Map(vec![("a".into(), n("1")), ("b".into(), Value::List(vec![t("x"), Value::Null]))]);
        for text in [
            "{'a': 1, 'b': ['x', None]}",
            "{\"a\": 1, \"b\": [\"x\", null]}",
            "Object {\n  \"a\": 1,\n  \"b\": Array [\n    \"x\",\n    null,\n  ],\n}",
            "{\"a\" => 1, :b => [\"x\", nil]}",
            "{ a: 1, b: [ 'x', null ] }",
            "['a' => 1, 'b' => [0 => 'x', 1 => null]]",
            "map[string]interface {}{\"a\":1, \"b\":[]interface {}{\"x\", interface {}(nil)}}",
            "Point { a: 1, b: [\"x\", None] }",
            "Point(a=1, b=['x', None])",
        ] {
            let found = read(text);
            let odd = text.starts_with("map[");
            assert!(found.same(&map) || (odd && matches!(found, Value::Map(_))), "{text}: {found:?}");
        }
        assert_eq!(read("map[a:1 b:x]"), Value::Map(vec![("a".into(), n("1")), ("b".into(), Value::Bare("x".into()))]));
        assert_eq!(read("[]string{\"a\", \"b\"}"), Value::List(vec![t("a"), t("b")]));
        assert_eq!(read("[a, b c]"), Value::List(vec![Value::Bare("a".into()), Value::Bare("b c".into())]));
        assert_eq!(read("{a=1, b=x}"), Value::Map(vec![("a".into(), n("1")), ("b".into(), Value::Bare("x".into()))]));
        assert_eq!(read("200"), n("200"));
        assert_eq!(read("-1.5e3"), n("-1.5e3"));
        assert_eq!(read("'it\\'s'"), t("it's"));
        assert_eq!(read("user not found, sorry"), Value::Bare("user not found, sorry".into()));
        assert_eq!(read("2024-01-02T03:04:05Z"), Value::Bare("2024-01-02T03:04:05Z".into()));
        assert_eq!(read("Some(3)"), Value::Bare("Some(3)".into()));
        assert_eq!(read("(1, 2)"), Value::List(vec![n("1"), n("2")]));
        assert_eq!(read("()"), Value::List(vec![]));
        assert_eq!(read("{}"), Value::Map(vec![]));
    }

    #[test]
    fn anything_is_read() {
        for text in
            ["", "{", "[[[[", "'", "map[", "map[a", "[]{", "{'a'", "Object {", "{a:", "é{", "(((((", "=>", "[=>]"]
        {
            let _ = read(text);
        }
        let _ = read(&"[".repeat(100_000));
    }
}
