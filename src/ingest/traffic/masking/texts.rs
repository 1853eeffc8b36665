//! Secrets in texts of no or of another form: what stands beside a name, links.
//!
//! Every place of a text is looked at a bounded number of times: what comes from a
//! server decides what a text holds, and must not decide how long this takes.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::Masker;
use super::names::{Says, is_sentence, looks_like_key, says};
use crate::model::text::head;

/// What may be a name.
static NAME: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"[\p{L}][\p{L}\p{N}_.-]+").ok());

/// An address, or a path with a part or more before its end.
static LINK: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"(?:[a-z][a-z0-9+.-]{1,20}:/)?/[^\s"'<>\\(){}\[\]|^`,;?#]+"#).ok());

/// Bytes of a value that only may be a secret.
const PERHAPS: usize = 512;

/// What stands between a name and its value.
struct Between {
    /// Where the value begins.
    start: usize,
    /// `=`, written as it is or as `%3D`.
    is_set: bool,
    /// The quote before the value, with what escapes it: `\"`.
    quote: String,
}

impl Between {
    /// Reads it at the end of a name.
    fn read(text: &str, end: usize) -> Option<Self> {
        let rest = &text[end..];
        let at = end + rest.len() - past(past(rest, 1, |c| c == ']'), 8, |c| c == '\\').len();
        let rest = past(&text[at..], 1, |c| matches!(c, '"' | '\''));
        let rest = past(rest, 3, char::is_whitespace);
        let (is_set, rest) = [("=>", true), (":=", true), ("=", true), (":", false), ("%3D", true), ("%3d", true)]
            .iter()
            .find_map(|(sign, is_set)| rest.strip_prefix(sign).map(|rest| (*is_set, rest)))?;
        let rest = past(rest, 3, |c| matches!(c, ' ' | '\t'));
        let quoted = past(rest, 8, |c| c == '\\');
        let quote = quoted.chars().next().filter(|c| matches!(c, '"' | '\''));
        let quote = quote.map_or_else(String::new, |quote| format!("{}{quote}", &rest[..rest.len() - quoted.len()]));
        Some(Self { start: text.len() - rest.len() + quote.len(), is_set, quote })
    }

    /// The places of the values: one, or each of a list.
    fn values(&self, text: &str, name: usize) -> Vec<Range<usize>> {
        let rest = &text[self.start..];
        if !self.quote.is_empty() {
            let length = closing(rest, &self.quote);
            return place(self.start, length);
        }
        if rest.starts_with('[') {
            return quoted(rest).into_iter().map(|place| self.start + place.start..self.start + place.end).collect();
        }
        let is_line = !self.is_set && begins_a_line(text, name);
        // Where it is no line, its end is not looked for.
        let first = if is_line { rest.lines().next().unwrap_or("") } else { "" };
        if is_line && matches!(first.trim(), "|" | ">" | "|-" | ">-" | "|+" | ">+") {
            return block(text, name, self.start + first.len());
        }
        let length = if is_line && !first.starts_with(['{', '&', '*']) {
            first.trim_end().len()
        } else {
            let in_address = self.is_set && text[..name].ends_with(['?', '&']);
            let ends = |c: char| {
                let ends_all = c.is_whitespace() || matches!(c, '"' | '\'' | '&' | '<' | '>' | '\\' | '`' | '#');
                ends_all || (!in_address && matches!(c, ',' | ';' | '|' | '(' | ')' | '{' | '}' | '[' | ']'))
            };
            let run = &rest[..rest.find(ends).unwrap_or(rest.len())];
            run.find("%26").unwrap_or(run.len())
        };
        // A word or two after a colon is how sentences go on.
        let is_short = !self.is_set && !is_line && length < 4;
        if is_short { Vec::new() } else { place(self.start, length) }
    }
}

fn place(start: usize, length: usize) -> Vec<Range<usize>> {
    std::iter::once(start..start + length).collect()
}

/// A text without up to `most` letters of a kind at its beginning.
fn past(text: &str, most: usize, is_one: fn(char) -> bool) -> &str {
    let count: usize = text.chars().take(most).take_while(|c| is_one(*c)).map(char::len_utf8).sum();
    &text[count..]
}

/// The length of a quoted text: up to the quote that is escaped as the first one, or to
/// the end of the line.
fn closing(rest: &str, quote: &str) -> usize {
    let (escape, sign) = quote.split_at(quote.len() - 1);
    let sign = sign.as_bytes().first().copied();
    let mut slashes = 0;
    for (at, byte) in rest.bytes().enumerate() {
        match byte {
            b'\\' => slashes += 1,
            // Within another text quotes that are escaped once more are part of it.
            _ if Some(byte) == sign && slashes == escape.len() => return at - slashes,
            b'\n' if escape.is_empty() => return at,
            _ => slashes = 0,
        }
    }
    rest.len()
}

/// The quoted texts of a list, also of one that was cut.
fn quoted(rest: &str) -> Vec<Range<usize>> {
    let mut places = Vec::new();
    let mut at = 1;
    while let Some(next) = rest.as_bytes().get(at) {
        match next {
            b'"' | b'\'' => {
                let length = closing(&rest[at + 1..], &rest[at..=at]);
                places.push(at + 1..at + 1 + length);
                at += length + 2;
            }
            b',' | b' ' | b'\n' | b'\r' | b'\t' => at += 1,
            _ => break,
        }
    }
    places.retain(|place| place.end <= rest.len());
    places
}

/// Whether nothing but what begins an item stands before this place in its line.
fn begins_a_line(text: &str, at: usize) -> bool {
    let before =
        text[..at].bytes().rev().take(40).find(|b| !matches!(b, b' ' | b'\t' | b'-' | b'*' | b'>' | b'"' | b'\''));
    matches!(before, None | Some(b'\n' | b'\r'))
}

/// The lines of a block of YAML that begins after `start`: those that stand further in
/// than its name.
fn block(text: &str, name: usize, start: usize) -> Vec<Range<usize>> {
    let line = text[..name].rfind('\n').map_or(0, |at| at + 1);
    let depth = name - line;
    let mut places = Vec::new();
    let mut at = start + text[start..].find('\n').map_or(text.len() - start, |n| n + 1);
    while at < text.len() {
        let line = text[at..].lines().next().unwrap_or("");
        let inner = line.trim();
        let blank = line.len() - line.trim_start().len();
        if !inner.is_empty() && blank <= depth {
            break;
        }
        places.push(at + blank..at + blank + inner.len());
        at += line.len() + text[at + line.len()..].find('\n').map_or(1, |n| n + 1);
    }
    places.retain(|place| !place.is_empty());
    places
}

impl Masker {
    /// Values beside their names in whatever text: `password: x`, `token=x`, an address
    /// with parameters, GraphQL, YAML, JSON that was cut.
    pub(super) fn loose(&mut self, text: &str) -> String {
        let Some(pattern) = NAME.as_ref().filter(|_| text.contains([':', '=', '%'])) else { return text.to_owned() };
        let (mut all, mut from) = (Vec::new(), 0);
        while let Some(found) = pattern.find_at(text, from) {
            from = found.end();
            let Some(between) = Between::read(text, found.end()) else { continue };
            let places = match says(found.as_str()) {
                Says::Secret => between.values(text, found.start()),
                // `code` and the like are secrets in addresses only.
                Says::Perhaps if text[..found.start()].ends_with(['?', '&']) => {
                    let end = head(text, between.start.saturating_add(PERHAPS)).len();
                    let mut places = between.values(&text[..end], found.start());
                    places.retain(|place| looks_like_key(&text[place.clone()], 6));
                    places
                }
                Says::Perhaps | Says::Nothing => Vec::new(),
            };
            for place in places.into_iter().filter(|place| !place.is_empty()) {
                from = place.end;
                if self.sent || !is_sentence(&text[place.clone()]) {
                    all.push(place);
                }
            }
        }
        self.put(text, all)
    }

    /// Links that let somebody in, wherever they stand: in a header, in a page, in JSON.
    pub(super) fn links(&mut self, text: &str) -> String {
        let Some(link) = LINK.as_ref().filter(|_| text.contains('/')) else { return text.to_owned() };
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        for found in link.find_iter(text) {
            out.push_str(&text[at..found.start()]);
            out.push_str(&self.segments(found.as_str()));
            at = found.end();
        }
        out.push_str(&text[at..]);
        out
    }

    /// Addresses of electronic mail.
    pub(super) fn addresses(&mut self, text: &str) -> String {
        let is_word = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '+' | '-' | '%');
        let (mut places, mut at) = (Vec::new(), 0);
        for (sign, _) in text.match_indices('@') {
            let before = &text[at..sign];
            let start = at
                + before.rfind(|c| !is_word(c)).map_or(0, |p| p + before[p..].chars().next().map_or(1, char::len_utf8));
            let end = text[sign + 1..].find(|c| !is_word(c)).map_or(text.len(), |p| sign + 1 + p);
            if start < sign && text[sign..end].contains('.') {
                places.push(start..end);
                at = end;
            }
        }
        self.put(text, places)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beside_their_names() {
        assert!(NAME.is_some() && LINK.is_some());
        let table = [
            (r#"{"user":"a","password":"two words","n":1"#, r#"{"user":"a","password":"secret-1","n":1"#),
            (r#"{"tokens_of":1,"password":["a","b c"]"#, r#"{"tokens_of":1,"password":["secret-1","secret-2"]"#),
            (r#"{\"password\":\"a \\\" b\",\"n\":1}"#, r#"{\"password\":\"secret-1\",\"n\":1}"#),
            (
                "mutation { login(password: \"my pass\", name: \"a\") }",
                "mutation { login(password: \"secret-1\", name: \"a\") }",
            ),
            (
                "db:\n  password: |\n    line one\n    line 2\n  user: a",
                "db:\n  password: |\n    secret-1\n    secret-2\n  user: a",
            ),
            ("- password: correct horse\n- user: a", "- password: secret-1\n- user: a"),
            ("https://a.example/x?code=Xk3Y9z8wQ1&page=2", "https://a.example/x?code=secret-1&page=2"),
            ("?password=a,b;c&x=1", "?password=secret-1&x=1"),
            ("user[password]=x1", "user[password]=secret-1"),
            ("a%26password%3Dhunter%26b", "a%26password%3Dsecret-1%26b"),
            ("Reset your password: it is easy", "Reset your password: it is easy"),
            ("password: This field is required.", "password: This field is required."),
            ("code: Xk3Y9z8wQ1", "code: Xk3Y9z8wQ1"),
        ];
        for (text, expected) in table {
            assert_eq!(Masker::new(false).loose(text), expected);
        }
    }

    #[test]
    fn links_that_let_in() {
        let table = [
            ("see https://a.example/reset/Xk3Y9z8wQ1.", "see https://a.example/reset/secret-1."),
            ("{\"url\":\"/invite/ab12cd34ef\"}", "{\"url\":\"/invite/secret-1\"}"),
            ("/share/2024-report /confirm/page-1", "/share/2024-report /confirm/page-1"),
            ("/commits/0a1b2c3d4e5f60718293a4b5c6d7e8f901234567", "/commits/0a1b2c3d4e5f60718293a4b5c6d7e8f901234567"),
            ("text/html, application/json", "text/html, application/json"),
        ];
        for (text, expected) in table {
            assert_eq!(Masker::new(false).links(text), expected);
        }
    }

    /// Each of these took a time that grew with the square of the length.
    #[test]
    fn nothing_is_looked_at_twice() {
        let parts =
            ["password=", "cookie:", "token:x", "secret=:", "a@", "ab://", "<a><![CDATA[", "<token>", "?code=", "/a"];
        for part in
            parts.into_iter().map(str::to_owned).chain([format!("{}=", "a".repeat(40)), "password: \n".to_owned()])
        {
            let text = part.repeat((1 << 17) / part.len());
            let masked = Masker::new(true).text(&text);
            assert!(!masked.is_empty(), "{part}");
        }
    }
}
