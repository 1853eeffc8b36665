//! Time as a value. The core never asks a clock: every function that needs
//! "now" takes it as an argument.

use std::fmt;
use std::str::FromStr;

/// A point in time, in whole seconds since 1970-01-01T00:00:00Z.
///
/// Written and read as RFC 3339 in UTC (`2026-05-01T10:00:00Z`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A text that is not an RFC 3339 time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a time such as 2026-05-01T10:00:00Z")]
pub struct NotATime(String);

impl Timestamp {
    /// The instant `seconds` after the epoch; out-of-range values are clamped
    /// to the years that RFC 3339 can write.
    #[must_use]
    pub fn from_unix(seconds: i64) -> Self {
        let (low, high) = (jiff::Timestamp::MIN.as_second(), jiff::Timestamp::MAX.as_second());
        Self(seconds.clamp(low, high))
    }

    /// Seconds since the epoch.
    #[must_use]
    pub fn unix(self) -> i64 {
        self.0
    }

    /// Whole days from `earlier` to `self`, never negative.
    #[must_use]
    pub fn days_since(self, earlier: Self) -> i64 {
        (self.0 - earlier.0).max(0) / 86_400
    }

    /// The date alone, `2026-05-01`.
    #[must_use]
    pub fn date(self) -> String {
        self.to_string().chars().take(10).collect()
    }

    /// `2026-05-01 10:00`, for tables that people read.
    #[must_use]
    pub fn minute(self) -> String {
        self.to_string().chars().take(16).collect::<String>().replace('T', " ")
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stamp = jiff::Timestamp::from_second(self.0).unwrap_or_default();
        write!(f, "{stamp}")
    }
}

impl FromStr for Timestamp {
    type Err = NotATime;

    fn from_str(text: &str) -> Result<Self, NotATime> {
        text.trim()
            .parse::<jiff::Timestamp>()
            .map(|stamp| Self(stamp.as_second()))
            .map_err(|_| NotATime(text.chars().take(40).collect()))
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_folded_into_utc() {
        let at: Timestamp = "2026-05-01T12:00:00+02:00".parse().unwrap();
        assert_eq!(at.to_string(), "2026-05-01T10:00:00Z");
        assert_eq!(at.minute(), "2026-05-01 10:00");
    }

    #[test]
    fn a_bare_date_is_refused_with_an_example() {
        let error = "2026-05-01".parse::<Timestamp>().unwrap_err();
        assert!(error.to_string().contains("2026-05-01T10:00:00Z"));
    }

    #[test]
    fn any_number_of_seconds_can_be_written() {
        for seconds in [i64::MIN, -1, 0, i64::MAX] {
            assert!(!Timestamp::from_unix(seconds).to_string().is_empty());
        }
    }
}
