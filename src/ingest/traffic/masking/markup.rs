//! Secrets in HTML and XML: elements and attributes that are called so, inputs of
//! passwords, inputs and meta elements with such a name.

use std::ops::Range;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::Masker;
use super::names::is_secret;
use crate::model::text::head;

/// The beginning of an element: its name and its attributes.
static ELEMENT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"<(?:[\w.-]{1,60}:)?(?P<tag>[\p{L}_][\w.-]{0,60})(?P<attrs>\s[^<>]*)?(?P<end>/?>)?").ok()
});

/// One attribute.
static ATTRIBUTE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"([\w:.-]{1,60})\s{0,5}=\s{0,5}(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))"#).ok());

/// Elements of HTML that show what a person reads about a field of this name.
const SHOWN: &[&str] =
    &["input", "meta", "label", "form", "button", "select", "option", "div", "span", "p", "a", "section", "fieldset"];

/// Bytes in which the end of an element is looked for.
const ELEMENT_LENGTH: usize = 4 << 10;

/// The attributes of an element, with the places of their values.
fn attributes(text: &str) -> Vec<(&str, Range<usize>)> {
    let Some(attribute) = ATTRIBUTE.as_ref() else { return Vec::new() };
    let one = |found: Captures<'_>| {
        let name = found.get(1)?;
        let value = found.get(2).or(found.get(3)).or(found.get(4))?;
        Some((name.range(), value.range()))
    };
    attribute.captures_iter(text).filter_map(one).map(|(name, value)| (&text[name], value)).collect()
}

/// What of one element is a secret: the places of values of attributes, and whether
/// its text is one.
fn of_element(tag: &str, attrs: &str) -> (Vec<Range<usize>>, bool) {
    let all = attributes(attrs);
    let calls = |names: &[&str]| {
        all.iter().any(|(name, value)| {
            names.contains(&name.to_ascii_lowercase().as_str()) && is_secret(&attrs[value.clone()])
        })
    };
    let is_password =
        all.iter().any(|(name, value)| *name == "type" && attrs[value.clone()].eq_ignore_ascii_case("password"));
    let named = is_password || calls(&["name", "id", "property", "key"]);
    let is_value = |name: &str| is_secret(name) || (named && matches!(name, "value" | "content"));
    let places = all.iter().filter(|(name, _)| is_value(name)).map(|(_, value)| value.clone()).collect();
    let is_shown = SHOWN.contains(&tag.to_ascii_lowercase().as_str());
    (places, is_secret(tag) || (!is_shown && calls(&["name", "key"])))
}

/// The texts within an element that begins before `start`: up to its end, or to the
/// next element where it does not end.
fn texts(text: &str, start: usize, tag: &str) -> Vec<Range<usize>> {
    let near = head(&text[start..], ELEMENT_LENGTH);
    let closing = near.match_indices("</").find(|(at, _)| {
        let name = &near[at + 2..];
        let name = name.split(|c: char| c == '>' || c.is_whitespace()).next().unwrap_or("");
        name.rsplit(':').next() == Some(tag)
    });
    let is_packed = near.trim_start().starts_with("<![CDATA[");
    let end = closing.map_or_else(
        // An element of this name that does not end is cut, or one of HTML that need not.
        || if is_packed { near.len() } else { near.find('<').unwrap_or(near.len()) },
        |(at, _)| at,
    );
    let mut places = Vec::new();
    let mut at = 0;
    while at < end {
        let rest = &near[at..end];
        if let Some(packed) = rest.strip_prefix("<![CDATA[") {
            let length = packed.find("]]>").unwrap_or(packed.len());
            places.push(at + 9..at + 9 + length);
            at = (at + 9 + length + 3).min(end);
        } else if rest.starts_with('<') {
            at += rest.find('>').map_or(rest.len(), |length| length + 1);
        } else {
            let length = rest.find('<').unwrap_or(rest.len());
            places.push(at..at + length);
            at += length;
        }
    }
    let trimmed = places.into_iter().map(|place| {
        let inner = &near[place.clone()];
        let blank = inner.len() - inner.trim_start().len();
        start + place.start + blank..start + place.start + blank + inner.trim().len()
    });
    trimmed.collect()
}

impl Masker {
    /// Masks what an element or attribute calls a secret.
    pub(super) fn markup(&mut self, text: &str) -> String {
        let Some(element) = ELEMENT.as_ref().filter(|_| text.contains('<')) else { return text.to_owned() };
        let mut places: Vec<Range<usize>> = Vec::new();
        for found in element.captures_iter(text) {
            let (Some(whole), Some(tag)) = (found.get(0), found.name("tag")) else { continue };
            let attrs = found.name("attrs");
            let (values, is_one) = of_element(tag.as_str(), attrs.map_or("", |a| a.as_str()));
            let start = attrs.map_or(0, |a| a.start());
            places.extend(values.into_iter().map(|v| start + v.start..start + v.end));
            if is_one && found.name("end").is_some_and(|end| end.as_str() == ">") {
                places.extend(texts(text, whole.end(), tag.as_str()));
            }
        }
        self.put(text, places)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements() {
        assert!(ELEMENT.is_some() && ATTRIBUTE.is_some());
        let table = [
            ("<password><value>pass phrase</value></password>", "<password><value>secret-1</value></password>"),
            ("<add name='password'><value>x y</value></add>", "<add name='password'><value>secret-1</value></add>"),
            ("<string name=\"apiKey\">x1</string>", "<string name=\"apiKey\">secret-1</string>"),
            ("<s:Token><![CDATA[a<b]]></s:Token>", "<s:Token><![CDATA[secret-1]]></s:Token>"),
            ("<token><![CDATA[cut", "<token><![CDATA[secret-1"),
            ("<label for=password>Password:</label>", "<label for=password>Password:</label>"),
            ("<div id=\"password\">Choose one</div>", "<div id=\"password\">Choose one</div>"),
            ("<input type=password value=abc>next", "<input type=password value=secret-1>next"),
            ("<meta name=csrf-token content=\"abc\"/>", "<meta name=csrf-token content=\"secret-1\"/>"),
        ];
        for (text, expected) in table {
            assert_eq!(Masker::new(false).markup(text), expected);
        }
    }
}
