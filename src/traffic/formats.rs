//! Formats of texts, by their form alone.

use std::sync::LazyLock;

use regex::RegexSet;

/// Names, in the order of their bits. A format counts where every text has it.
pub const NAMES: [&str; 8] = ["uuid", "date-time", "date", "time", "ipv4", "email", "uri", "duration"];

const PATTERNS: [&str; 8] = [
    r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$",
    r"^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:?\d\d)?$",
    r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$",
    r"^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?$",
    r"^((25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(25[0-5]|2[0-4]\d|1?\d?\d)$",
    r"^[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}$",
    r"^[a-z][a-z0-9+.-]*://[^\s]+$",
    r"^P(\d+[YMWD])*(T(\d+(\.\d+)?[HMS])+)?$",
];

static SET: LazyLock<Option<RegexSet>> = LazyLock::new(|| RegexSet::new(PATTERNS).ok());

/// All formats.
pub const ALL: u16 = (1 << NAMES.len()) - 1;

/// The formats that a text has, a bit each.
#[must_use]
pub fn of(text: &str) -> u16 {
    // Nothing that long or that short has one; most texts are told by their first sign.
    let plausible = (2..=2048).contains(&text.len())
        && text.bytes().any(|b| matches!(b, b':' | b'-' | b'.' | b'@') || (b == b'P' && text.starts_with('P')));
    let Some(set) = SET.as_ref().filter(|_| plausible) else { return 0 };
    set.matches(text).into_iter().fold(0, |bits, at| bits | 1 << at)
}

/// The most telling name among formats.
#[must_use]
pub fn name(bits: u16) -> Option<&'static str> {
    NAMES.iter().enumerate().find(|(at, _)| bits & (1 << at) != 0).map(|(_, name)| *name)
}

/// The most telling format among some: its name and its pattern.
#[must_use]
pub fn pattern(bits: u16) -> Option<(&'static str, &'static str)> {
    (0..NAMES.len()).find(|at| bits & (1 << at) != 0).map(|at| (NAMES[at], PATTERNS[at]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_their_formats() {
        for (text, expected) in [
            ("0b0e6b1e-7f4d-4c1a-9d1e-1f2a3b4c5d6e", Some("uuid")),
            ("2026-05-01T10:00:00Z", Some("date-time")),
            ("2026-05-01", Some("date")),
            ("10:30", Some("time")),
            ("10.0.0.1", Some("ipv4")),
            ("ada@example.org", Some("email")),
            ("https://example.org/x", Some("uri")),
            ("P3DT4H", Some("duration")),
            ("pending", None),
            ("2026-13-01", None),
            ("PENDING", None),
        ] {
            assert_eq!(name(of(text)), expected, "{text}");
        }
    }
}
