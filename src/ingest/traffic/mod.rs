//! HTTP traffic of tests: HAR 1.2, VCR cassettes (Python's and Ruby's, as YAML or
//! JSON), and recordings of our own.
//!
//! A reader never fails as a whole: what cannot be read is named, and what was good
//! beside it is kept. Nothing leaves this room unmasked.

mod cassette;
mod har;
pub mod masking;
pub mod recording;
pub mod retry_after;

use self::masking::Masker;
use crate::model::exchange::{Body, Exchange, Headers};
use crate::model::run::{IssueLevel, ParseIssue};

/// Bytes of one body that are kept.
pub const BODY: usize = 256 << 10;
/// Exchanges of one file.
const EXCHANGES: usize = 200_000;
/// Headers of one message, and bytes of one of them.
const HEADERS: (usize, usize) = (100, 8 << 10);

/// The header by which a client may name its test.
pub const TEST_HEADER: &str = "x-testmedic-test";

/// What a traffic file tells.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Traffic {
    /// The file.
    pub path: String,
    /// What wrote it: `har`, `vcr`, `recording`, or `unknown`.
    pub dialect: &'static str,
    /// In the order of the file.
    pub exchanges: Vec<Exchange>,
    /// What is wrong with it.
    pub issues: Vec<ParseIssue>,
}

impl Traffic {
    /// Masks what has become known as a secret since this was read.
    pub fn sweep(&mut self, sweep: &masking::Sweep) {
        self.exchanges.iter_mut().for_each(|exchange| sweep.exchange(exchange));
    }

    fn issue(&mut self, level: IssueLevel, place: impl Into<String>, message: impl Into<String>) {
        // One file can be wrong in one way a thousand times.
        if self.issues.len() < 20 {
            self.issues.push(ParseIssue::new(level, place, message));
        }
    }
}

/// A file of which nothing could be read.
#[must_use]
pub fn unusable(path: &str, why: &str) -> Traffic {
    let mut traffic = Traffic { path: path.to_owned(), dialect: "unknown", ..Traffic::default() };
    traffic.issue(IssueLevel::Unusable, "the whole file", why);
    traffic
}

/// Reads a file of any of these kinds, and masks its secrets.
#[must_use]
pub fn read(path: &str, bytes: &[u8], masker: &mut Masker) -> Traffic {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_start_matches('\u{feff}');
    let mut traffic = Traffic { path: path.to_owned(), dialect: "unknown", ..Traffic::default() };
    let first = text.trim_start().lines().next().unwrap_or("");
    if recording::is_recording(first) {
        recording::read(text, &mut traffic);
    } else if let Ok(value) = serde_json::from_str::<serde_json::Value>(text) {
        if value.get("log").is_some() {
            har::read(&value, &mut traffic);
        } else {
            cassette::read(&value, &mut traffic);
        }
    } else {
        match cassette::parse(text) {
            Ok(value) => cassette::read(&value, &mut traffic),
            Err(why) => {
                traffic.issue(IssueLevel::Unusable, "the whole file", format!("it is neither JSON nor YAML: {why}"));
            }
        }
    }
    if traffic.exchanges.len() > EXCHANGES {
        let more = traffic.exchanges.len() - EXCHANGES;
        traffic.exchanges.truncate(EXCHANGES);
        traffic.issue(IssueLevel::Suspicious, "the end", format!("{more} exchanges beyond {EXCHANGES} are left out"));
    }
    for exchange in &mut traffic.exchanges {
        let named = exchange.request.headers.get(TEST_HEADER).map(str::to_owned);
        exchange.test = named.or(exchange.test.take());
        masker.exchange(exchange);
    }
    traffic.sweep(&masker.sweep());
    traffic
}

/// A body from its text.
#[must_use]
pub(crate) fn body(text: &str, whole: u64) -> Body {
    if text.is_empty() {
        return if whole == 0 { Body::Empty } else { Body::Opaque(whole) };
    }
    if text.len() > BODY {
        return Body::Cut(crate::model::text::head(text, BODY).to_owned(), whole.max(text.len() as u64));
    }
    if (text.len() as u64) < whole {
        return Body::Cut(text.to_owned(), whole);
    }
    let start = text.trim_start().as_bytes().first();
    let may_be_json =
        start.is_some_and(|b| matches!(b, b'{' | b'[' | b'"' | b'-' | b't' | b'f' | b'n') || b.is_ascii_digit());
    if may_be_json && let Ok(value) = serde_json::from_str(text) {
        return Body::Json(value);
    }
    Body::Text(text.to_owned())
}

/// A body from bytes.
#[must_use]
pub(crate) fn body_of(bytes: &[u8], whole: u64) -> Body {
    match std::str::from_utf8(bytes) {
        Ok(text) => body(text, whole),
        // A text that was cut within a letter.
        Err(error) if error.error_len().is_none() && error.valid_up_to() > 0 => {
            body(std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or(""), whole.max(bytes.len() as u64))
        }
        Err(_) => Body::Opaque(whole.max(bytes.len() as u64)),
    }
}

/// Headers within bounds.
#[must_use]
pub(crate) fn headers(all: impl Iterator<Item = (String, String)>) -> Headers {
    let bounded = |value: String| {
        if value.len() > HEADERS.1 { crate::model::text::head(&value, HEADERS.1).to_owned() } else { value }
    };
    Headers(all.take(HEADERS.0).map(|(name, value)| (bounded(name), bounded(value))).collect())
}

/// Origin, path and query of an address or of a path alone.
#[must_use]
pub(crate) fn address(url: &str) -> (String, String, Vec<(String, String)>) {
    let url = url.split('#').next().unwrap_or(url);
    let (origin, rest) = match url.find("://") {
        Some(at) => {
            let end = url[at + 3..].find(['/', '?']).map_or(url.len(), |p| at + 3 + p);
            (&url[..end], &url[end..])
        }
        None => ("", url),
    };
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let pair = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (masking::unescape(name), masking::unescape(value))
    };
    (origin.to_owned(), path, query.split('&').filter(|p| !p.is_empty()).take(200).map(pair).collect())
}
