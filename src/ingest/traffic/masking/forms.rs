//! Secrets in bodies that have a form of their own: forms, tables, JSON within texts.

use super::names::{Says, is_secret, looks_like_key, says};
use super::{Masker, unescape};

/// Texts in texts in texts: how often JSON in JSON is unpacked.
const WITHIN: u8 = 3;

impl Masker {
    /// A form: `a=b&password=c`.
    pub(super) fn form(&mut self, text: &str) -> String {
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

    /// A form of many parts (RFC 7578), also one that was cut. `None` where it is none.
    pub(super) fn multipart(&mut self, text: &str) -> Option<String> {
        let first = text.lines().next().filter(|line| line.len() > 2 && line.starts_with("--"))?;
        let parts = text.split(first).map(|part| {
            let (head, between, value) = ["\r\n\r\n", "\n\n"]
                .iter()
                .find_map(|between| part.split_once(between).map(|(head, value)| (head, *between, value)))?;
            let (_, name) = head.split_once(" name=")?;
            let name = name.trim_start_matches('"').split(['"', ';', '\r', '\n']).next()?;
            let is_one = match says(name) {
                Says::Secret => true,
                Says::Perhaps => looks_like_key(value.trim(), 6),
                Says::Nothing => false,
            };
            let inner = value.trim_end_matches(['\r', '\n']);
            let shown = if is_one { self.placeholder(inner) } else { self.text(inner) };
            Some(format!("{head}{between}{shown}{}", &value[inner.len()..]))
        });
        // What is no part (the end, or something odd) is looked at as text below.
        let parts: Vec<Option<String>> = parts.collect();
        let whole = text.split(first).zip(parts).map(|(part, masked)| masked.unwrap_or_else(|| self.text(part)));
        Some(whole.collect::<Vec<_>>().join(first))
    }

    /// A table with a line of names at its top: what stands under such a name.
    /// `None` where it is none, or holds nothing of that kind.
    pub(super) fn table(&mut self, text: &str) -> Option<String> {
        let mut lines = text.lines();
        let (head, second) = (lines.next()?, lines.next()?);
        let count = |line: &str, between: u8| line.bytes().filter(|b| *b == between).count();
        let between = [b',', b';', b'\t', b'|'].into_iter().max_by_key(|between| count(head, *between))?;
        if count(head, between) == 0 || count(second, between) == 0 || head.starts_with(['{', '[', '<', '-']) {
            return None;
        }
        let mut reader =
            csv::ReaderBuilder::new().delimiter(between).has_headers(false).flexible(true).from_reader(text.as_bytes());
        let mut rows = reader.records().map_while(Result::ok);
        let names = rows.next()?;
        let secret: Vec<bool> = names.iter().map(|name| name.len() <= 60 && is_secret(name)).collect();
        // A cell of names holds neither a sign nor a value.
        if !secret.contains(&true) || names.iter().any(|name| name.contains([':', '=', '"', '{', '('])) {
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

    /// JSON within a text: the whole of it, or lines of it (NDJSON, events of a server).
    pub(super) fn embedded(&mut self, text: &str) -> String {
        let begins = |line: &str| line.trim_start().starts_with(['{', '[']);
        if begins(text)
            && let Some(whole) = self.packed(text)
        {
            return whole;
        }
        if !text.contains('\n') {
            return text.to_owned();
        }
        let one = |line: &str| {
            let inner = line.strip_prefix("data:").unwrap_or(line);
            let before = &line[..line.len() - inner.len()];
            match begins(inner).then(|| self.packed(inner)).flatten() {
                Some(masked) => format!("{before}{masked}"),
                None => line.to_owned(),
            }
        };
        text.split('\n').map(one).collect::<Vec<_>>().join("\n")
    }

    /// JSON as a text; as it was, where it holds no secret. `None` where it is none.
    fn packed(&mut self, text: &str) -> Option<String> {
        if self.within >= WITHIN {
            return None;
        }
        let before: serde_json::Value = serde_json::from_str(text).ok()?;
        let mut value = before.clone();
        self.within += 1;
        self.json(&mut value, 0);
        self.within -= 1;
        Some(if value == before { text.to_owned() } else { value.to_string() })
    }
}
