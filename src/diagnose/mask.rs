//! Takes out of a failure's text what changes from run to run.
//!
//! One pass over the words, no regular expressions: this runs over every
//! failure of a report. The classes follow the union of what Kubernetes'
//! triage, LUCI and ReportPortal normalise; status codes are kept, because
//! `404` and `500` are different failures.

/// Version of the masks; part of every fingerprint. A change of what is masked
/// is a new version, so that old fingerprints are recognised as old.
pub const MASK_VERSION: u16 = 1;

/// HTTP status codes in use (IANA registry), kept as they are.
const STATUS: &[&str] = &[
    "200", "201", "202", "204", "206", "301", "302", "303", "304", "307", "308", "400", "401", "402", "403", "404",
    "405", "406", "408", "409", "410", "411", "412", "413", "414", "415", "416", "418", "421", "422", "423", "424",
    "425", "426", "428", "429", "431", "451", "500", "501", "502", "503", "504", "505", "507", "508", "511",
];

/// Units that make a number a duration.
const UNITS: &[&str] = &[
    "ns", "us", "µs", "ms", "s", "sec", "secs", "second", "seconds", "m", "min", "mins", "minute", "minutes", "h",
    "hour", "hours", "d", "days",
];

/// The masked form of `text`, at most about `limit` bytes: numbers become `N`,
/// ids, hashes, times, addresses, durations and paths become placeholders,
/// white space is folded.
#[must_use]
pub fn mask(text: &str, limit: usize) -> String {
    let mut out = String::with_capacity(text.len().min(limit) + 16);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if out.len() >= limit {
            break;
        }
        if c.is_whitespace() {
            rest = rest.trim_start();
            if !out.is_empty() && !out.ends_with(' ') {
                out.push(' ');
            }
        } else if is_word_start(c) {
            let length = word_length(rest);
            let (word, after) = rest.split_at(length);
            let taken = mask_word(word, after, &mut out);
            rest = &after[taken..];
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    out.truncate(out.trim_end().len());
    out
}

fn is_word_start(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '/' | '\\' | '~' | '<')
}

/// A word runs over everything that may be inside of an id, a time, an address
/// or a path, and does not end in punctuation.
fn word_length(text: &str) -> usize {
    let inside =
        |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '/' | '\\' | '@' | '+' | '~' | '%');
    let first = text.chars().next().map_or(0, char::len_utf8);
    let length = text[first..].find(|c: char| !inside(c)).map_or(text.len(), |at| at + first);
    let trimmed = text[..length].trim_end_matches(['.', ':', '-', '/', '+', '@']);
    trimmed.len().max(first)
}

/// Writes the masked `word`; returns how many bytes of `after` belong to it too.
fn mask_word(word: &str, after: &str, out: &mut String) -> usize {
    let bytes = word.as_bytes();
    if !bytes.iter().any(u8::is_ascii_digit) && !is_path(word) {
        out.push_str(word);
        return 0;
    }
    if is_path(word) {
        out.push_str(&mask_path(word));
        return 0;
    }
    if is_uuid(bytes) {
        out.push_str("<uuid>");
        return 0;
    }
    if let Some(length) = date_length(bytes) {
        return mask_date(&word[length..], after, out);
    }
    if is_clock(bytes) {
        out.push_str("<time>");
        return 0;
    }
    if let Some(rest) = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X"))
        && !rest.is_empty()
        && rest.bytes().all(|b| b.is_ascii_hexdigit())
    {
        out.push_str("<addr>");
        return 0;
    }
    if let Some(host) = host_and_port(word) {
        out.push_str(host);
        return 0;
    }
    if bytes[0].is_ascii_digit()
        && let Some(taken) = mask_number(word, after, out)
    {
        return taken;
    }
    mask_parts(word, out);
    0
}

fn is_path(word: &str) -> bool {
    word.starts_with('/') && word.len() > 1
        || word.starts_with("~/")
        || word.starts_with("./")
        || word.as_bytes().get(1) == Some(&b':') && matches!(word.as_bytes().get(2), Some(b'\\' | b'/'))
        || (word.contains('/') && word.rsplit(['.', ':']).nth(1).is_some_and(|p| p.contains('/')))
}

/// Keeps the last two components; folders of temporary files, line numbers and
/// ids inside are masked.
fn mask_path(word: &str) -> String {
    let slashed = word.replace('\\', "/");
    let temporary = ["/tmp/", "/var/folders/", "/private/", "/Temp/", "/temp/"].iter().any(|t| slashed.contains(t));
    let parts: Vec<&str> = slashed.split('/').filter(|p| !p.is_empty() && *p != ".").collect();
    let keep = if temporary { 1 } else { 2 };
    let last = &parts[parts.len().saturating_sub(keep)..];
    let mut path = String::from(if temporary { "<tmp>" } else { "" });
    for part in last {
        if !path.is_empty() {
            path.push('/');
        }
        mask_parts(part, &mut path);
    }
    if path.is_empty() { "/".to_owned() } else { path }
}

fn is_uuid(bytes: &[u8]) -> bool {
    bytes.len() == 36
        && bytes.iter().enumerate().all(
            |(at, b)| {
                if matches!(at, 8 | 13 | 18 | 23) { *b == b'-' } else { b.is_ascii_hexdigit() }
            },
        )
}

/// Length of a date (`2026-05-01`, `2026/05/01`, `20260501T…`) at the start.
fn date_length(bytes: &[u8]) -> Option<usize> {
    let digits = |range: std::ops::Range<usize>| bytes.get(range).is_some_and(|b| b.iter().all(u8::is_ascii_digit));
    let separator = bytes.get(4)?;
    if matches!(separator, b'-' | b'/')
        && bytes.get(7) == Some(separator)
        && digits(0..4)
        && digits(5..7)
        && digits(8..10)
    {
        return Some(10);
    }
    (digits(0..8) && matches!(bytes.get(8), Some(b'T' | b'-' | b'_')) && digits(9..15)).then_some(15)
}

/// A date takes the time of day behind it along.
fn mask_date(tail: &str, after: &str, out: &mut String) -> usize {
    out.push_str("<time>");
    if !tail.is_empty() {
        return 0;
    }
    let clock = after.strip_prefix(' ').unwrap_or("");
    let length = clock.find(|c: char| !(c.is_ascii_digit() || matches!(c, ':' | '.' | ','))).unwrap_or(clock.len());
    if is_clock(&clock.as_bytes()[..length]) { length + 1 } else { 0 }
}

/// `10:22`, `10:22:33`, `10:22:33.123`, with a zone behind it or not.
fn is_clock(bytes: &[u8]) -> bool {
    let digits = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    bytes.len() >= 8
        && digits(0)
        && digits(1)
        && bytes[2] == b':'
        && digits(3)
        && digits(4)
        && bytes[5] == b':'
        && digits(6)
}

/// `127.0.0.1:5432` → `<ip>`, `localhost:54321` → `localhost:<port>`.
fn host_and_port(word: &str) -> Option<&'static str> {
    let (host, port) = word.split_once(':').map_or((word, None), |(host, port)| (host, Some(port)));
    if port.is_some_and(|p| p.is_empty() || !p.bytes().all(|b| b.is_ascii_digit() || b == b'/')) {
        return None;
    }
    if host == "localhost" && port.is_some() {
        return Some("localhost:<port>");
    }
    let quads: Vec<&str> = host.split('.').collect();
    (quads.len() == 4 && quads.iter().all(|q| q.parse::<u8>().is_ok())).then_some("<ip>")
}

/// A number with its unit: `N`, `<duration>`, or a status code as it is.
fn mask_number(word: &str, after: &str, out: &mut String) -> Option<usize> {
    let end = word.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '_'))).unwrap_or(word.len());
    let (number, unit) = word.split_at(end);
    if unit.is_empty() {
        let next = after.strip_prefix(' ').unwrap_or("");
        let word_after = &next[..next.find(|c: char| !c.is_alphanumeric()).unwrap_or(next.len())];
        // A single letter behind a space is more likely a word than a unit.
        if word_after.len() > 1 && UNITS.contains(&word_after) {
            out.push_str("<duration>");
            return Some(1 + word_after.len());
        }
        out.push_str(if STATUS.contains(&number) { number } else { "N" });
        return Some(0);
    }
    if UNITS.contains(&unit) {
        out.push_str("<duration>");
        return Some(0);
    }
    // Scientific notation.
    if unit.starts_with(['e', 'E']) && unit[1..].trim_start_matches(['+', '-']).bytes().all(|b| b.is_ascii_digit()) {
        out.push('N');
        return Some(0);
    }
    None
}

/// Masks the parts of a compound word (`order_8f3a2c`, `file.py:12`, `item-17`).
fn mask_parts(word: &str, out: &mut String) {
    let mut rest = word;
    while !rest.is_empty() {
        let length = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
        let (part, after) = rest.split_at(length);
        mask_part(part, out);
        let separator = after.chars().next().map_or(0, char::len_utf8);
        out.push_str(&after[..separator]);
        rest = &after[separator..];
    }
}

fn mask_part(part: &str, out: &mut String) {
    let digits = part.bytes().filter(u8::is_ascii_digit).count();
    if digits == 0 {
        out.push_str(part);
    } else if digits == part.len() {
        out.push_str(if STATUS.contains(&part) { part } else { "N" });
    } else if is_generated(part, digits) {
        out.push_str("<id>");
    } else {
        let mut in_number = false;
        for c in part.chars() {
            if !c.is_ascii_digit() {
                out.push(c);
            } else if !in_number {
                out.push('N');
            }
            in_number = c.is_ascii_digit();
        }
    }
}

/// Letters and digits mixed as no one types them: six or more characters that
/// change between letter and digit twice or more, or a run of 12 hexadecimal digits.
fn is_generated(part: &str, digits: usize) -> bool {
    let bytes = part.as_bytes();
    let changes = bytes.windows(2).filter(|w| w[0].is_ascii_digit() != w[1].is_ascii_digit()).count();
    let hex = bytes.iter().all(u8::is_ascii_hexdigit);
    (bytes.len() >= 6 && digits >= 2 && changes >= 2) || (hex && bytes.len() >= 7 && digits >= 1 && changes >= 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks() {
        let table = [
            ("assert 3 == 4", "assert N == N"),
            ("expected 200 but got 500", "expected 200 but got 500"),
            ("took 1.25s of 30 seconds", "took <duration> of <duration>"),
            ("at 2026-05-01T10:22:33.123Z and 2026-05-01 10:22:33,5", "at <time> and <time>"),
            ("at 10:22:33 sharp", "at <time> sharp"),
            ("user 8d3c1a52-1c1e-4b7e-9f3e-0123456789ab gone", "user <uuid> gone"),
            ("<Foo object at 0x7f3a2b4c5d60>", "<Foo object at <addr>>"),
            ("connect to 127.0.0.1:54321 failed", "connect to <ip> failed"),
            ("connect to localhost:54321 failed", "connect to localhost:<port> failed"),
            ("order 'ord_8f3a2c' not found", "order 'ord_<id>' not found"),
            ("commit da39a3ee5e6b4b0d", "commit <id>"),
            ("/home/ci/app/src/cart.py:12: KeyError", "src/cart.py:N: KeyError"),
            ("/tmp/pytest-of-ci/pytest-3/x1/out.json missing", "<tmp>/out.json missing"),
            ("sha256 of utf8", "shaN of utfN"),
            ("  folded \n\t white  ", "folded white"),
            ("käse über 5", "käse über N"),
            ("1e-9 != -3.5", "N != -N"),
            ("", ""),
        ];
        for (text, expected) in table {
            assert_eq!(mask(text, 1000), expected, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_masked_within_its_limit(text in "\\PC{0,200}", limit in 0_usize..300) {
            proptest::prop_assert!(mask(&text, limit).len() <= limit + text.len() + 16);
        }

        #[test]
        fn numbers_do_not_matter(a in 1000_u32..9_999_999, b in 1000_u32..9_999_999) {
            let text = |n: u32| format!("row {n} of table_{n} at file.py:{n}: lost {n}ms");
            proptest::prop_assert_eq!(mask(&text(a), 500), mask(&text(b), 500));
        }
    }
}
