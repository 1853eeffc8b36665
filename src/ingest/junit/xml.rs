//! Small pieces of XML: entities, numbers, bounded text.

use std::borrow::Cow;

use memchr::memchr;
use quick_xml::events::BytesStart;

/// Attributes of a tag: name without prefix, and raw value.
///
/// Reads what a strict reader refuses (no quotes, no value, a name twice),
/// because a test's name is worth more than its markup's honour, and counts
/// what it cannot make sense of.
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    rest: &'a str,
    /// Pieces that were not `name="value"`.
    pub malformed: usize,
}

/// The attributes of `tag`.
#[must_use]
pub fn attributes<'a>(tag: &'a BytesStart<'_>) -> Attributes<'a> {
    Attributes { rest: tag.attributes_raw(), malformed: 0 }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (&'a str, &'a str);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rest = self.rest.trim_ascii_start();
            if rest.is_empty() {
                return None;
            }
            let bytes = rest.as_bytes();
            let end = bytes
                .iter()
                .position(|b| matches!(b, b'=' | b' ' | b'\n' | b'\t' | b'\r' | b'"' | b'\''))
                .unwrap_or(bytes.len());
            let name = &rest[..end];
            let after = rest[end..].trim_ascii_start();
            let Some(value) = after.strip_prefix('=') else {
                self.malformed += 1;
                // At least one byte is passed, so this ends.
                self.rest = if end == 0 { rest[1..].trim_ascii_start() } else { after };
                continue;
            };
            let value = value.trim_ascii_start();
            let quote = value.as_bytes().first().copied().filter(|q| matches!(q, b'"' | b'\''));
            let (value, rest) = if let Some(quote) = quote {
                if let Some(close) = memchr(quote, &value.as_bytes()[1..]) {
                    (&value[1..=close], &value[close + 2..])
                } else {
                    self.malformed += 1;
                    (&value[1..], "")
                }
            } else {
                self.malformed += 1;
                value.split_at(value.find(|c: char| c.is_ascii_whitespace()).unwrap_or(value.len()))
            };
            self.rest = rest;
            if name.is_empty() {
                self.malformed += 1;
                continue;
            }
            let local = memchr(b':', name.as_bytes()).map_or(name, |colon| &name[colon + 1..]);
            return Some((local, value));
        }
    }
}

/// Replaces the five predefined entities and character references. Anything
/// else stays as it stands: undefined entities are never expanded, so an
/// "entity bomb" is a few odd words.
#[must_use]
pub fn unescape(raw: &str) -> Cow<'_, str> {
    let Some(first) = memchr(b'&', raw.as_bytes()) else {
        return Cow::Borrowed(raw);
    };
    let mut out = String::with_capacity(raw.len());
    out.push_str(&raw[..first]);
    let mut rest = &raw[first..];
    while let Some(after) = rest.strip_prefix('&') {
        // The longest reference that means something is `&#x10ffff;`.
        let end = after.bytes().take(12).position(|b| b == b';');
        if let Some((character, end)) = end.and_then(|end| entity(&after[..end]).map(|c| (c, end))) {
            out.push(character);
            rest = &after[end + 1..];
        } else {
            out.push('&');
            rest = after;
        }
        let next = memchr(b'&', rest.as_bytes()).unwrap_or(rest.len());
        out.push_str(&rest[..next]);
        rest = &rest[next..];
    }
    Cow::Owned(out)
}

/// The character that `&name;` stands for.
#[must_use]
pub fn entity(name: &str) -> Option<char> {
    match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some(' '),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

/// Plain decimals (`12`, `0.123`) of up to 15 digits, which nearly all times
/// are: an integer below 2^53 over a power of ten below 10^22 is exact.
fn decimal(raw: &[u8]) -> Option<f64> {
    if raw.is_empty() || raw.len() > 15 {
        return None;
    }
    let mut fraction = false;
    let mut number = 0_u64;
    let mut scale = 1.0;
    for byte in raw {
        match byte {
            b'0'..=b'9' => {
                number = number * 10 + u64::from(byte - b'0');
                scale *= if fraction { 10.0 } else { 1.0 };
            }
            b'.' if !fraction => fraction = true,
            _ => return None,
        }
    }
    (raw != b".").then_some(number as f64 / scale)
}

/// Reads a time in seconds: `0.5`, `1,234.5` (Surefire's thousands), `0,5`
/// (a decimal comma), `1.5s`, `250ms`. Anything else, and anything that is
/// negative or not finite, is `None`.
#[must_use]
pub fn seconds(raw: &str) -> Option<f64> {
    if let Some(simple) = decimal(raw.as_bytes()) {
        return Some(simple);
    }
    let text = raw.trim();
    let (text, scale) = match text.strip_suffix("ms") {
        Some(number) => (number.trim_end(), 0.001),
        None => (text.strip_suffix('s').map_or(text, str::trim_end), 1.0),
    };
    let parsed = match (text.find(','), text.contains('.')) {
        (None, _) => text.parse::<f64>(),
        (Some(_), true) => text.replace(',', "").parse(),
        (Some(comma), false) => {
            let one = text.matches(',').count() == 1;
            let thousands = text.len() - comma == 4 && !text.starts_with('0');
            if one && !thousands { text.replace(',', ".").parse() } else { text.replace(',', "").parse() }
        }
    };
    parsed.ok().map(|n| n * scale).filter(|n| n.is_finite() && *n >= 0.0)
}

/// Text collected piece by piece, of which head and tail are kept.
#[derive(Debug, Default)]
pub struct Clip {
    head: String,
    tail: String,
    seen: usize,
}

impl Clip {
    /// Appends `piece`, keeping about `limit` bytes over all pieces.
    pub fn push(&mut self, piece: &str, limit: usize) {
        self.seen += piece.len();
        if self.tail.is_empty() && self.seen <= limit / 3 * 2 {
            self.head.push_str(piece);
            return;
        }
        let head_room = (limit / 3 * 2).saturating_sub(self.head.len());
        let mut split = head_room.min(piece.len());
        while !piece.is_char_boundary(split) {
            split -= 1;
        }
        // Once something went to the tail, the head is closed.
        if !self.tail.is_empty() {
            split = 0;
        }
        self.head.push_str(&piece[..split]);
        self.tail.push_str(&piece[split..]);
        let keep = limit / 3;
        if self.tail.len() > 2 * keep + 64 {
            let mut from = self.tail.len() - keep;
            while !self.tail.is_char_boundary(from) {
                from += 1;
            }
            self.tail.drain(..from);
        }
    }

    /// The text so far, with a line where something is missing; empties the clip.
    pub fn take(&mut self) -> String {
        let mut text = String::with_capacity(self.head.len() + self.tail.len());
        self.write_to(&mut text);
        text
    }

    /// Appends the text to `out` and empties the clip.
    pub fn write_to(&mut self, out: &mut String) {
        let missing = self.seen - self.head.len() - self.tail.len();
        out.push_str(&self.head);
        if missing > 0 {
            out.push_str(&format!("\n[… {missing} bytes cut …]\n"));
        }
        out.push_str(&self.tail);
        self.clear();
    }

    /// Forgets everything, keeping the allocation.
    pub fn clear(&mut self) {
        self.head.clear();
        self.tail.clear();
        self.seen = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entities() {
        let table = [
            ("a &lt;b&gt; &amp;&quot;&apos;", "a <b> &\"'"),
            ("&#65;&#x42;&#X43;", "ABC"),
            ("&undefined; &lol9;", "&undefined; &lol9;"),
            ("lone & and &; and &#; and &#xZZ;", "lone & and &; and &#; and &#xZZ;"),
            ("&#xD800;&#x110000;", "&#xD800;&#x110000;"),
            ("&amp;lt;", "&lt;"),
            ("ü&amp;ü", "ü&ü"),
            ("&", "&"),
            ("&ünïcödé;", "&ünïcödé;"),
        ];
        for (raw, expected) in table {
            assert_eq!(unescape(raw), expected);
        }
    }

    #[test]
    fn attributes_of_any_shape() {
        let table = [
            ("a=\"1\" b='2'", "a=1|b=2", 0),
            ("a = \"x > y\"\n x:b='it\"s'", "a=x > y|b=it\"s", 0),
            ("a=1 b", "a=1", 2),
            ("a=\"open", "a=open", 1),
            ("a=\"1\"b=\"2\"", "a=1|b=2", 0),
            ("=\"x\" a=\"1\"", "a=1", 1),
            ("\"\" '' ü=\"1\"", "ü=1", 4),
            ("a=\"\"", "a=", 0),
        ];
        for (raw, expected, malformed) in table {
            let mut all = Attributes { rest: raw, malformed: 0 };
            let pairs: Vec<String> = all.by_ref().map(|(k, v)| format!("{k}={v}")).collect();
            assert_eq!((pairs.join("|").as_str(), all.malformed), (expected, malformed), "{raw}");
        }
    }

    #[test]
    fn times() {
        let table = [
            ("0.5", Some(0.5)),
            ("1,234.5", Some(1234.5)),
            ("1,234,567.8", Some(1_234_567.8)),
            ("0,5", Some(0.5)),
            ("12,345", Some(12345.0)),
            ("0,123", Some(0.123)),
            ("1.5s", Some(1.5)),
            ("250ms", Some(0.25)),
            (" 2 ", Some(2.0)),
            ("0.017", Some(0.017)),
            ("123456.789", Some(123_456.789)),
            (".5", Some(0.5)),
            (".", None),
            ("1.2.3", None),
            ("1e3", Some(1000.0)),
            ("", None),
            ("-1", None),
            ("NaN", None),
            ("inf", None),
            ("soon", None),
        ];
        for (raw, expected) in table {
            assert_eq!(seconds(raw), expected, "{raw}");
        }
    }

    #[test]
    fn a_clip_keeps_both_ends() {
        let mut clip = Clip::default();
        clip.push("HEAD ", 300);
        for _ in 0..1000 {
            clip.push("middle ü ", 300);
        }
        clip.push("TAIL", 300);
        let text = clip.take();
        assert!(text.starts_with("HEAD ") && text.ends_with("TAIL") && text.contains("bytes cut"));
        assert!(text.len() < 600);
        clip.push("short", 300);
        assert_eq!(clip.take(), "short");
    }
}
