//! What a failure's text says about the world around the test.

use std::sync::LazyLock;

use regex::{Regex, RegexSet};

use crate::ingest::source_location::places;
use crate::model::failure::Signal;
use crate::model::test::TestCase;

/// Phrases of operating systems, libraries and runners; the first row that matches decides.
const PHRASES: &[(Signal, &str)] = &[
    (
        Signal::RateLimited,
        r"(?i)too many requests|rate.?limit(ed|ing| (exceeded|reached|hit))\b|retry-after:?\s*\d+|\bthrottled\b|ThrottlingException|(quota|rate limit) (was )?exceeded|secondary rate|RateLimit(Error|Exceeded)|API rate|\b(http|status|response|code|error)\D{0,20}\b429\b|\b429\b\D{0,20}(too many|client error|response|status)|\b429\b\W{1,6}(==|!=|to equal|to be)\W*\b20\d\b|\b20[0-4]\b\D{1,40}\b429\b",
    ),
    (
        Signal::Resources,
        r"(?i)no space left on device|not enough space on the disk|\bENOSPC\b|disk quota exceeded|cannot allocate memory|out of memory|OutOfMemoryError|OOMKilled|MemoryError|too many open files|\bEMFILE\b|java heap space",
    ),
    (
        Signal::Dns,
        r"(?i)name or service not known|temporary failure in name resolution|\bENOTFOUND\b|\bEAI_AGAIN\b|getaddrinfo|no such host|could not resolve host|UnknownHostException|NameResolutionError|nodename nor servname",
    ),
    (
        Signal::Tls,
        r"(?i)certificate verify failed|SSLHandshakeException|CERT_HAS_EXPIRED|x509: |tls handshake|SSLError|certificate has expired",
    ),
    (
        Signal::Connection,
        r"(?i)actively refused|connection (was )?(refused|reset|aborted|timed out)|\bECONNREFUSED\b|\bECONNRESET\b|\bEPIPE\b|\bETIMEDOUT\b|\bEHOSTUNREACH\b|\bENETUNREACH\b|ConnectException|ConnectionRefusedError|ConnectionResetError|ConnectTimeout|broken pipe|socket hang up|network is unreachable|no route to host|remote end closed connection|connect: connection|failed to establish a new connection|max retries exceeded|server has gone away|could not connect to|ConnectionError\b",
    ),
    (
        Signal::Runner,
        r"(?i)lost communication with the server|runner has received a shutdown|worker '?gw\d+'? crashed|node down: Not properly terminated|the forked vm terminated|docker daemon|browser has been closed|target closed|chrome not reachable|session not created|the operation was canceled|signal: killed|exit (code|status):? 137",
    ),
    (
        Signal::TestSetup,
        r"(?i)fixture '[^']*' not found|(?m)^E? *SyntaxError:|IndentationError|cannot find symbol|undefined fixture|no tests? (were )?(found|collected)|your test suite must contain at least one test|jest failed to parse|test suite failed to run",
    ),
    (Signal::Gateway, r"(?i)\b50[234]\b|bad gateway|service unavailable|gateway time.?out|upstream connect error"),
    (
        Signal::TimeOut,
        r"(?i)time.?out\b|timed out|deadline exceeded|exceeded timeout|TimeoutError|TimeoutException|took longer than",
    ),
];

static SET: LazyLock<Option<RegexSet>> =
    LazyLock::new(|| RegexSet::new(PHRASES.iter().map(|(_, p)| ascii_boundaries(p))).ok());
/// Word boundaries over ASCII: with those of Unicode one `é` in a stack trace
/// sends the search from the automaton to a machine twenty times as slow.
fn ascii_boundaries(pattern: &str) -> String {
    pattern.replace(r"\b", r"(?-u:\b)")
}

static EXPECTED_429: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)== 429|to(be|equal)\(429\)|expected:? ?<?429|want:? ?429").ok());

static PATTERNS: LazyLock<Vec<Regex>> =
    LazyLock::new(|| PHRASES.iter().filter_map(|(_, p)| Regex::new(&ascii_boundaries(p)).ok()).collect());
/// Words behind which a text tells what should have been …
static WANTED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(expect(ed|s)?|should|to (contain|raise|throw|include|match)|did not raise|want(ed)?)\b").ok()
});
/// … and words behind which it tells what was.
static GOT: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)\b(but|got|received|was|actual|raised|threw|instead|found)\b").ok());

/// The signal in a case's failure, searched in its message and type, then in
/// the last lines of its text, then in what it printed.
#[must_use]
pub fn read(case: &TestCase) -> Option<Signal> {
    let failure = case.failure()?;
    let message = failure.message.raw();
    let kind = failure.kind.as_ref().map_or("", |k| k.raw());
    let compares = kind.contains("Assert") || message.contains("assert") || message.contains("Assert");
    let found = search(message)
        .or_else(|| search(kind))
        .or_else(|| search(&said(ends(failure.detail.raw()))))
        // A stray word in a log is worth less than one in the failure: only what
        // cannot be meant otherwise counts there, and only if nothing was compared.
        .or_else(|| search(ends(case.stderr.raw())).filter(|s| s.is_outside() && !compares))
        .or_else(|| search(ends(case.stdout.raw())).filter(|s| s.is_outside() && !compares))?;
    // A test of the rate limiter that got 200 where it wanted 429 was not rate-limited.
    let wanted = EXPECTED_429.as_ref().is_some_and(|re| re.is_match(message));
    (found != Signal::RateLimited || !wanted).then_some(found)
}

fn search(text: &str) -> Option<Signal> {
    let set = SET.as_ref()?;
    set.matches(text)
        .iter()
        .find(|phrase| PATTERNS.get(*phrase).is_none_or(|p| is_meant(p, text)))
        .and_then(|phrase| PHRASES.get(phrase).map(|(signal, _)| *signal))
}

/// Whether one of the matches tells what happened rather than what was wanted
/// (`expected … to contain connection refused, got OK`).
fn is_meant(pattern: &Regex, text: &str) -> bool {
    let (Some(wanted), Some(got)) = (WANTED.as_ref(), GOT.as_ref()) else { return true };
    pattern.find_iter(text).take(8).any(|found| {
        let line = text[..found.start()].rfind('\n').map_or(0, |at| at + 1);
        let before = &text[line..found.start()];
        match wanted.find_iter(before).last() {
            None => true,
            Some(last) => got.is_match(&text[line + last.end()..found.end()]),
        }
    })
}

/// A failure's text without stack frames and paths, whose names say nothing
/// about what happened (`test_rate_limit.py`, `Foo.java:429`). Of a pytest text
/// only what it prints about the failure, not the source lines.
fn said(text: &str) -> String {
    let printed: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("E  ")).collect();
    let lines: Vec<&str> = if printed.is_empty() { text.lines().collect() } else { printed };
    let mut out = String::with_capacity(text.len());
    for line in lines {
        let trimmed = line.trim_start();
        let frame = trimmed.starts_with("at ") || trimmed.starts_with("File \"") || !places(line, 1).is_empty();
        if !frame {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

/// The last 2 KiB: where a traceback says what it was about.
fn ends(text: &str) -> &str {
    let mut from = text.len().saturating_sub(2048);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    &text[from..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::junit;

    fn signal_of(message: &str) -> Option<Signal> {
        let xml =
            format!("<testsuite name='s'><testcase name='t'><failure message=\"{message}\"/></testcase></testsuite>");
        read(&junit::read("x", xml.as_bytes()).cases[0])
    }

    #[test]
    fn phrases() {
        let table = [
            ("HTTP 429 Too Many Requests", Some(Signal::RateLimited)),
            ("assert 429 == 200", Some(Signal::RateLimited)),
            ("assert 200 == 429", None),
            ("connect ECONNREFUSED 127.0.0.1:5432", Some(Signal::Connection)),
            ("java.net.UnknownHostException: db", Some(Signal::Dns)),
            ("OSError: [Errno 28] No space left on device", Some(Signal::Resources)),
            ("worker 'gw1' crashed while running x", Some(Signal::Runner)),
            ("503 Service Unavailable", Some(Signal::Gateway)),
            ("Timeout >2.0s", Some(Signal::TimeOut)),
            ("fixture 'api' not found", Some(Signal::TestSetup)),
            ("assert 3 == 4", None),
            ("order 4290 lost", None),
            ("expected 430 rows but got 429", None),
            ("assert header 'Retry-After' present", None),
            ("expected error message to contain connection refused, got OK", None),
            ("expected MemoryError but nothing raised", None),
            ("expected 200, got connection refused", Some(Signal::Connection)),
            ("expected: &lt;200&gt; but was: &lt;429&gt;", Some(Signal::RateLimited)),
            ("Request failed with status code 429", Some(Signal::RateLimited)),
        ];
        for (message, expected) in table {
            assert_eq!(signal_of(message), expected, "{message}");
        }
        let frames = "<testsuite name='s'><testcase name='t'><failure message='boom'>at a.ThrottlingFilterTest.x(Foo.java:429)\ntests/test_rate_limit.py:12: E</failure></testcase></testsuite>";
        assert_eq!(read(&junit::read("x", frames.as_bytes()).cases[0]), None);
        assert_eq!(PATTERNS.len(), PHRASES.len());
        assert!(SET.is_some() && EXPECTED_429.is_some());
    }
}
