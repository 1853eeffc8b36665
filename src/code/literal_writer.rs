//! Values → source text, in the manner of what stood there before.

use crate::code::expr::{Entry, Expr, Kind};
use crate::code::language::Language;
use crate::code::value::Value;

/// What a new value is written like.
#[derive(Clone, Copy, Debug)]
pub struct LiteralStyle<'a> {
    /// The language.
    pub language: Language,
    /// The text of the file.
    pub text: &'a str,
    /// What stood there before, or stands beside it.
    pub like: Option<&'a Expr>,
}

impl LiteralStyle<'_> {
    /// Writes `value`; `None` where the language needs to know more than a value
    /// tells (the type of a Go struct, say).
    #[must_use]
    pub fn write(&self, value: &Value) -> Option<String> {
        Some(match value {
            Value::Null => self.null().to_owned(),
            Value::Bool(b) => self.truth(*b).to_owned(),
            Value::Number(number) => self.number(number),
            Value::Text(text) => self.quote(text),
            Value::List(items) => {
                let items = items.iter().map(|v| self.part().write(v)).collect::<Option<Vec<_>>>()?;
                self.list(&items.join(", "))?
            }
            Value::Map(entries) => {
                let entries = entries
                    .iter()
                    .map(|(key, v)| Some(self.entry(key, &self.part().write(v)?, None)))
                    .collect::<Option<Vec<_>>>()?;
                self.map(&entries.join(", "))?
            }
            Value::Bare(_) => return None,
        })
    }

    /// The manner of what is inside.
    fn part(&self) -> Self {
        let like = self.like.and_then(|like| match &like.kind {
            Kind::List(items) => items.first(),
            Kind::Map { entries, .. } => entries.first().map(|e| &e.value),
            _ => Some(like),
        });
        Self { like, ..*self }
    }

    /// Whether it stands in Rust's `json!`, which is JSON.
    fn is_json(&self) -> bool {
        self.language == Language::Rust
    }

    fn null(&self) -> &'static str {
        match self.language {
            Language::Python => "None",
            Language::Go | Language::Ruby => "nil",
            _ => "null",
        }
    }

    fn truth(&self, value: bool) -> &'static str {
        match (self.language, value) {
            (Language::Python, true) => "True",
            (Language::Python, false) => "False",
            (_, true) => "true",
            (_, false) => "false",
        }
    }

    /// With the suffix of the number that stood there.
    fn number(&self, number: &str) -> String {
        let Some(Kind::Number(old)) = self.like.map(|l| &l.kind) else {
            // A number in an interface must be a float to equal one from JSON; as a
            // constant it is an integer as well.
            let integral = self.language == Language::Go && !number.contains(['.', 'e', 'x']);
            return if integral { format!("{number}.0") } else { number.to_owned() };
        };
        let suffix = &old[crate::code::value::bare_number(old).len()..];
        let fractional = number.contains(['.', 'e']);
        let integral = suffix.starts_with(['u', 'i', 'L', 'l', 'n']);
        if fractional && integral { number.to_owned() } else { format!("{number}{suffix}") }
    }

    /// In the quotes of the text that stood there.
    fn quote(&self, text: &str) -> String {
        let single =
            matches!(self.language, Language::Python | Language::Ruby | Language::Php) || self.language.is_script();
        let before =
            self.like.filter(|l| matches!(l.kind, Kind::Text { .. })).and_then(|l| self.text.get(l.range.clone()));
        let first = before.and_then(|b| b.chars().find(|c| matches!(c, '"' | '\'' | '`')));
        let quote = match first {
            Some('\'') if single => '\'',
            Some('`') if self.language.is_script() && !text.contains("${") => '`',
            Some('`') if self.language == Language::Go && !text.contains('`') => {
                return format!("`{text}`");
            }
            _ => '"',
        };
        let mut out = String::from(quote);
        for c in text.chars() {
            match c {
                '\\' => out.push_str("\\\\"),
                '\n' if quote == '\'' && matches!(self.language, Language::Ruby | Language::Php) => out.push('\n'),
                '\n' => out.push_str("\\n"),
                '\t' => out.push_str("\\t"),
                '\r' => out.push_str("\\r"),
                '$' if quote == '"' && matches!(self.language, Language::Kotlin | Language::Php) => out.push_str("\\$"),
                '#' if quote == '"' && self.language == Language::Ruby => out.push_str("\\#"),
                c if c == quote => {
                    out.push('\\');
                    out.push(c);
                }
                c => out.push(c),
            }
        }
        out.push(quote);
        out
    }

    fn list(&self, items: &str) -> Option<String> {
        Some(match self.language {
            Language::Java => format!("List.of({items})"),
            Language::Kotlin => format!("listOf({items})"),
            Language::Go => format!("{}{{{items}}}", self.type_before()?),
            Language::Python if self.like.is_some_and(|l| self.text[l.range.clone()].starts_with('(')) => {
                format!("({items})")
            }
            _ => format!("[{items}]"),
        })
    }

    fn map(&self, entries: &str) -> Option<String> {
        Some(match self.language {
            Language::Java => format!("Map.of({entries})"),
            Language::Kotlin => format!("mapOf({entries})"),
            Language::Php => format!("[{entries}]"),
            Language::Go => format!("{}{{{entries}}}", self.type_before()?),
            _ => format!("{{{entries}}}"),
        })
    }

    /// The type in front of a Go literal.
    fn type_before(&self) -> Option<String> {
        let written = self.text.get(self.like?.range.clone())?;
        let brace = written.find('{')?;
        (brace > 0).then(|| written[..brace].to_owned())
    }

    /// `key: value` as its neighbour `like` writes it.
    #[must_use]
    pub fn entry(&self, key: &str, value: &str, like: Option<&Entry>) -> String {
        let between = like.and_then(|e| self.text.get(e.key_range.end..e.value.range.start));
        let key_like = like.and_then(|e| self.text.get(e.key_range.clone()));
        let key = self.key(key, key_like);
        let between = between.filter(|b| !b.contains('\n')).unwrap_or(match self.language {
            Language::Ruby | Language::Php => " => ",
            Language::Kotlin => " to ",
            Language::Java => ", ",
            _ => ": ",
        });
        format!("{key}{between}{value}")
    }

    /// A key as `like` is written: quoted, bare or a symbol.
    #[must_use]
    pub fn key(&self, key: &str, like: Option<&str>) -> String {
        let word = !key.is_empty()
            && !key.starts_with(|c: char| c.is_ascii_digit())
            && key.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '$');
        let first = like.and_then(|l| l.chars().next());
        match first {
            Some(quote @ ('"' | '\'')) => format!("{quote}{}{quote}", key.replace(quote, &format!("\\{quote}"))),
            Some(':') if word => format!(":{key}"),
            Some(c) if word && (c.is_alphabetic() || c == '_' || c == '$') => key.to_owned(),
            None if word && self.language.is_script() && !self.is_json() => key.to_owned(),
            None if self.language == Language::Go && word && key.starts_with(char::is_uppercase) => key.to_owned(),
            _ => format!("\"{}\"", key.replace('\\', "\\\\").replace('"', "\\\"")),
        }
    }
}
