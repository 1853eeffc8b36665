//! Secrets in texts of no or of another form: forms, markup, tables, sentences.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::names::{Says, is_secret, looks_like_key, says};
use super::{Masker, unescape};

/// A name, what stands between, a value.
static BESIDE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let between = r#"(?:\\?["']?\s{0,3}(?:[:=]|%3D)\s{0,3}\\?["']?|["']\r?\n(?:[A-Za-z-]+:[^\n]*\n)*\r?\n|>)"#;
    let value = r#"[^\s"'&;<>\\,|(){}\[\]%]{4,}"#;
    Regex::new(&format!(r"(?P<name>[\p{{L}}][\p{{L}}0-9_-]{{1,40}}){between}(?P<value>{value})")).ok()
});

/// An element: its name, attributes, and the text that follows.
static ELEMENT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let text = r"(?:\s{0,10}<!\[CDATA\[(?P<cdata>(?s:.*?))\]\]>|(?P<text>[^<]+))?";
    Regex::new(&format!(r"<(?:[\w.-]{{1,60}}:)?(?P<tag>[\p{{L}}_][\w.-]{{0,60}})(?P<attrs>\s[^<>]*)?>{text}")).ok()
});

/// One attribute.
static ATTRIBUTE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"([\w:.-]{1,60})\s{0,5}=\s{0,5}(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))"#).ok());

/// The attributes of an element, with the places of their values.
fn attributes(text: &str) -> Vec<(&str, std::ops::Range<usize>)> {
    let Some(attribute) = ATTRIBUTE.as_ref() else { return Vec::new() };
    let one = |found: Captures<'_>| {
        let name = found.get(1)?;
        let value = found.get(2).or(found.get(3)).or(found.get(4))?;
        Some((name.range(), value.range()))
    };
    attribute.captures_iter(text).filter_map(one).map(|(name, value)| (&text[name], value)).collect()
}

impl Masker {
    /// A text that may be a form: `a=b&password=c`.
    pub(super) fn form(&mut self, text: &str) -> String {
        let is_form = text.contains('=') && !text.contains(['\n', '<', '{', ' ']);
        if !is_form {
            return self.text(text);
        }
        let parts = text.split('&').map(|part| match part.split_once('=') {
            Some((name, value)) if !value.is_empty() => {
                let plain = unescape(value);
                let is_one = match says(&unescape(name)) {
                    Says::Secret => true,
                    Says::Perhaps => looks_like_key(&plain, 6),
                    Says::Nothing => false,
                };
                if is_one { format!("{name}={}", self.placeholder(&plain)) } else { self.text(part) }
            }
            _ => self.text(part),
        });
        parts.collect::<Vec<_>>().join("&")
    }

    /// Values beside their names in whatever text: `password: x`, `token=x`,
    /// `<secret>x</secret>`, `name="password"` of a multipart form, an address with
    /// parameters, JSON that was cut.
    pub(super) fn loose(&mut self, text: &str) -> String {
        let Some(beside) = BESIDE.as_ref().filter(|_| text.len() > 6) else { return text.to_owned() };
        let mut out = String::with_capacity(text.len());
        let (mut at, mut from) = (0, 0);
        while let Some(found) = beside.captures_at(text, from) {
            let (Some(name), Some(value)) = (found.name("name"), found.name("value")) else { break };
            // `code` and the like are secrets in addresses only.
            let in_address = text[..name.start()].ends_with(['?', '&']);
            let is_one = match says(name.as_str()) {
                Says::Secret => true,
                Says::Perhaps => in_address && looks_like_key(value.as_str(), 6),
                Says::Nothing => false,
            };
            if !is_one {
                // What looked like a value may be the next name.
                from = name.end();
                continue;
            }
            out.push_str(&text[at..value.start()]);
            out.push_str(&self.placeholder(value.as_str()));
            (at, from) = (value.end(), value.end());
        }
        out.push_str(&text[at..]);
        out
    }

    /// HTML and XML: elements and attributes that are called so, inputs of passwords,
    /// inputs and meta elements with such a name.
    pub(super) fn markup(&mut self, text: &str) -> String {
        let Some(element) = ELEMENT.as_ref().filter(|_| text.contains('<')) else { return text.to_owned() };
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        for found in element.captures_iter(text) {
            let mut places: Vec<std::ops::Range<usize>> = Vec::new();
            if let Some(attrs) = found.name("attrs") {
                let all = attributes(attrs.as_str());
                let named = all.iter().any(|(name, value)| {
                    let value = &attrs.as_str()[value.clone()];
                    let is_password = *name == "type" && value.eq_ignore_ascii_case("password");
                    is_password || (matches!(*name, "name" | "id" | "property" | "key") && is_secret(value))
                });
                for (name, value) in all {
                    if is_secret(name) || (named && matches!(name, "value" | "content")) {
                        places.push(attrs.start() + value.start..attrs.start() + value.end);
                    }
                }
            }
            let inner = found.name("cdata").or(found.name("text"));
            if let Some(inner) = inner.filter(|_| found.name("tag").is_some_and(|tag| is_secret(tag.as_str()))) {
                let blank = inner.as_str().len() - inner.as_str().trim_start().len();
                let start = inner.start() + blank;
                places.push(start..start + inner.as_str().trim().len());
            }
            for place in places.into_iter().filter(|place| !place.is_empty()) {
                out.push_str(&text[at..place.start]);
                out.push_str(&self.placeholder(&text[place.clone()]));
                at = place.end;
            }
        }
        out.push_str(&text[at..]);
        out
    }

    /// A table with a line of names at its top: what stands under such a name.
    /// `None` where it is none, or holds nothing of that kind.
    pub(super) fn table(&mut self, text: &str, between: u8) -> Option<String> {
        let mut reader =
            csv::ReaderBuilder::new().delimiter(between).has_headers(false).flexible(true).from_reader(text.as_bytes());
        let mut rows = reader.records().map_while(Result::ok);
        let names = rows.next()?;
        let secret: Vec<bool> = names.iter().map(is_secret).collect();
        if names.len() < 2 || !secret.contains(&true) {
            return None;
        }
        let mut writer = csv::WriterBuilder::new().delimiter(between).flexible(true).from_writer(Vec::new());
        writer.write_record(&names).ok()?;
        for row in rows {
            let cells = row.iter().enumerate().map(|(at, cell)| match secret.get(at) {
                Some(true) => self.placeholder(cell),
                _ => self.text(cell),
            });
            writer.write_record(cells).ok()?;
        }
        String::from_utf8(writer.into_inner().ok()?).ok()
    }

    /// Addresses of electronic mail.
    pub(super) fn addresses(&mut self, text: &str) -> String {
        let is_word = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '+' | '-' | '%');
        let mut out = text.to_owned();
        let found: Vec<String> = text
            .match_indices('@')
            .filter_map(|(at, _)| {
                let start = text[..at]
                    .rfind(|c| !is_word(c))
                    .map_or(0, |p| p + text[p..].chars().next().map_or(1, char::len_utf8));
                let end = text[at + 1..].find(|c| !is_word(c)).map_or(text.len(), |p| at + 1 + p);
                let address = &text[start..end];
                (start < at && address[at - start..].contains('.')).then(|| address.to_owned())
            })
            .collect();
        for address in found {
            let placeholder = self.placeholder(&address);
            out = out.replace(&address, &placeholder);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_patterns() {
        assert!(BESIDE.is_some() && ELEMENT.is_some() && ATTRIBUTE.is_some());
    }
}
