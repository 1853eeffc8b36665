//! When a service says that it may be asked again.
//!
//! `Retry-After` (RFC 9110 §10.2.3) in seconds or as a date in any of the three
//! forms that HTTP allows (§5.6.7); the `RateLimit` field of
//! draft-ietf-httpapi-ratelimit-headers-10; and the older `RateLimit-…` and
//! `X-RateLimit-…` fields. `Retry-After` wins over all others; what is malformed
//! is ignored.

use crate::model::exchange::Headers;
use crate::model::time::Timestamp;

/// Seconds since 1970 from which on a `…-Reset` is a moment and no span.
const EPOCH: u64 = 1_000_000_000;

/// How long to wait, and who said so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryAfter {
    /// Seconds from the moment of the answer.
    pub seconds: u64,
    /// The field that said so, such as `Retry-After: 2`.
    pub said: String,
}

/// The wait that an answer asks for. `now` counts where it has no `Date`.
#[must_use]
pub fn wait(headers: &Headers, now: Timestamp) -> Option<RetryAfter> {
    // The service's own clock is the one that its dates are of.
    let now = headers.get("date").and_then(date).unwrap_or(now);
    let hint = |name: &str, seconds: u64| {
        headers.get(name).map(|value| RetryAfter { seconds, said: format!("{name}: {}", value.trim()) })
    };
    if let Some(seconds) = headers.get("retry-after").and_then(|value| retry_after(value, now)) {
        return hint("Retry-After", seconds);
    }
    if let Some((left, reset)) = headers.get("ratelimit").and_then(rate_limit) {
        return if left == 0 { hint("RateLimit", reset) } else { None };
    }
    for (left, reset) in [
        ("RateLimit-Remaining", "RateLimit-Reset"),
        ("X-RateLimit-Remaining", "X-RateLimit-Reset"),
        ("X-Rate-Limit-Remaining", "X-Rate-Limit-Reset"),
    ] {
        let number = |name: &str| headers.get(name).and_then(whole);
        if let (Some(0), Some(reset_at)) = (number(left), number(reset)) {
            let seconds = if reset_at > EPOCH {
                reset_at.saturating_sub(u64::try_from(now.unix()).unwrap_or(0))
            } else {
                reset_at
            };
            return hint(reset, seconds);
        }
    }
    None
}

fn whole(text: &str) -> Option<u64> {
    let text = text.trim();
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

/// Seconds, or a date; a date that has passed is no wait at all.
fn retry_after(value: &str, now: Timestamp) -> Option<u64> {
    whole(value).or_else(|| {
        let at = date(value)?;
        Some(u64::try_from(at.unix() - now.unix()).unwrap_or(0))
    })
}

/// `"default";r=0;t=30`: of several limits the one that is used up and lasts longest.
fn rate_limit(value: &str) -> Option<(u64, u64)> {
    let one = |item: &str| {
        let mut parts = item.split(';').map(str::trim);
        let name = parts.next()?;
        // A string or a token names the policy.
        (!name.is_empty()).then_some(())?;
        let (mut left, mut reset) = (None, 0);
        for part in parts {
            match part.split_once('=')? {
                ("r", number) => left = Some(whole(number)?),
                ("t", number) => reset = whole(number)?,
                _ => {}
            }
        }
        Some((left?, reset))
    };
    let all: Option<Vec<(u64, u64)>> = value.split(',').map(one).collect();
    all?.into_iter().min_by_key(|(left, reset)| (*left, std::cmp::Reverse(*reset)))
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A date in any form of HTTP.
fn date(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let words: Vec<&str> = text.split([' ', '-', ',']).filter(|w| !w.is_empty()).collect();
    let (day, month, year, time) = match words.as_slice() {
        // Sun, 06 Nov 1994 08:49:37 GMT
        [_, day, month, year, time, "GMT"] if year.len() == 4 => (*day, *month, year.parse::<i64>().ok()?, *time),
        // Sunday, 06-Nov-94 08:49:37 GMT: a year that would be far ahead is of the century before.
        [_, day, month, year, time, "GMT"] if year.len() == 2 => {
            let year = year.parse::<i64>().ok()?;
            (*day, *month, if year >= 70 { 1900 + year } else { 2000 + year }, *time)
        }
        // Sun Nov  6 08:49:37 1994
        [_, month, day, time, year] => (*day, *month, year.parse::<i64>().ok()?, *time),
        _ => return None,
    };
    let month = MONTHS.iter().position(|m| *m == month)? + 1;
    let day = day.parse::<u8>().ok()?;
    format!("{year:04}-{month:02}-{day:02}T{time}Z").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(fields: &[(&str, &str)]) -> Option<u64> {
        let headers = Headers(fields.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect());
        wait(&headers, "1994-11-06T08:49:30Z".parse().unwrap()).map(|hint| hint.seconds)
    }

    #[test]
    fn fields_and_waits() {
        type Row = (&'static [(&'static str, &'static str)], Option<u64>);
        let table: [Row; 19] = [
            (&[("Retry-After", "2")], Some(2)),
            (&[("retry-after", " 120 ")], Some(120)),
            (&[("Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT")], Some(7)),
            (&[("Retry-After", "Sunday, 06-Nov-94 08:49:37 GMT")], Some(7)),
            (&[("Retry-After", "Sun Nov  6 08:49:37 1994")], Some(7)),
            (&[("Retry-After", "Sun, 06 Nov 1994 08:49:00 GMT")], Some(0)),
            (&[("Date", "Sun, 06 Nov 1994 08:49:35 GMT"), ("Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT")], Some(2)),
            (&[("Retry-After", "-1")], None),
            (&[("Retry-After", "1.5")], None),
            (&[("Retry-After", "soon")], None),
            (&[("RateLimit", "\"default\";r=0;t=30")], Some(30)),
            (&[("RateLimit", "\"burst\";r=5;t=1, \"day\";r=0;t=500")], Some(500)),
            (&[("RateLimit", "\"default\";r=50;t=30")], None),
            (&[("RateLimit", "\"default\";r=x")], None),
            (&[("Retry-After", "3"), ("RateLimit", "\"default\";r=0;t=30")], Some(3)),
            (&[("RateLimit-Remaining", "0"), ("RateLimit-Reset", "11")], Some(11)),
            (&[("X-RateLimit-Remaining", "4"), ("X-RateLimit-Reset", "11")], None),
            (&[("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", "99999999999999999999999")], None),
            (&[], None),
        ];
        for (fields, expected) in table {
            assert_eq!(seconds(fields), expected, "{fields:?}");
        }
        // A moment instead of a span, as GitHub writes it.
        let headers = Headers(vec![
            ("X-RateLimit-Remaining".into(), "0".into()),
            ("X-RateLimit-Reset".into(), "1777629630".into()),
        ]);
        assert_eq!(wait(&headers, Timestamp::from_unix(1_777_629_600)).unwrap().seconds, 30);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_taken(value in "\\PC{0,40}") {
            let _ = seconds(&[("Retry-After", &value), ("RateLimit", &value), ("Date", &value)]);
        }
    }
}
