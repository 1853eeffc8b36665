//! Secrets: a value that hides itself, and texts in which secrets are masked.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::text::head;

/// A token or key. It has no `Display`, and its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value, for the request that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Shapes of credentials: the issuers' own documented prefixes, and values that
/// are called a secret. The name before a value is kept. Of a value only the beginning
/// is matched; [`Run`] knows where it ends.
const SHAPES: &str = concat!(
    // GitHub (ghp_ gho_ ghu_ ghs_ ghr_, github_pat_), GitLab, Slack, npm, PyPI, Hugging Face, Stripe, SendGrid, Google, AWS.
    r"(?P<token>\bgh[pousr]_[A-Za-z0-9_]{16,255}|\bgithub_pat_[A-Za-z0-9_]{20,255}|\bglpat-[A-Za-z0-9_-]{16,}",
    r"|\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\bnpm_[A-Za-z0-9]{30,}|\bpypi-[A-Za-z0-9_-]{40,}|\bhf_[A-Za-z0-9]{30,}",
    r"|\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}|\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|\bya29\.[A-Za-z0-9_-]{20,}",
    r"|\bAIza[A-Za-z0-9_-]{35}|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bhooks\.slack\.com/services/[A-Za-z0-9/]{20,}",
    r")",
    // JSON web tokens (RFC 7519): three parts, the first of which begins with `{"`; only
    // the beginning of the first, see [`token_end`].
    r"|(?P<jwt>\beyJ[A-Za-z0-9_-]{8})",
    // OpenAI's and Anthropic's keys look like hyphenated words but for their digits.
    r"|(?P<worded>\bsk-[A-Za-z0-9_-]{20,})",
    r"|(?P<key>-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----(?:(?:\s|\\n|\\r)*[A-Za-z0-9+/=]{16,})*(?:(?:\s|\\n|\\r)*-----END [A-Z ]{0,30}PRIVATE KEY-----)?)",
    // `Authorization: Basic …`, `Bearer …`, `Cookie: …`.
    r#"|(?P<header>(?i:\bauthorization["']?[ \t]{0,20}[:=][ \t]{0,20}["']?(?:[a-z]{1,30} {1,9})?|\b(?:set-)?cookie["']?[ \t]{0,20}:[ \t]{0,20}["']?|\bbearer {1,9}))(?P<credentials>[A-Za-z0-9+/=._~%;-]{12,})"#,
    // `password=…`, `"password": "…"`, `AWS_SECRET_ACCESS_KEY=…`, and the same inside of a JSON string.
    r#"|(?P<label>(?i:password|passwd|passphrase|secret|secret[_-]?(?:access[_-]?)?key|api[_-]?key|account[_-]?key|access[_-]?key|(?P<bare>token|signature))\\?["']?[ \t]{0,20}(?P<sign>[=:])[ \t]{0,20}(?P<quote>\\?["']?))(?P<value>[^\s"'&;<>\\`|)\]}=][^\s"'&;<>\\`|)\]}]{5})"#,
);

static SHAPE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(SHAPES).ok());

/// What stands in the place of a secret.
pub const MASK: &str = "•••";

/// Replaces what has the shape of a credential by [`MASK`]. Masking twice
/// changes nothing. The time grows with the length of the text, whatever it holds.
#[must_use]
pub fn mask(text: &str) -> Cow<'_, str> {
    let Some(shape) = SHAPE.as_ref() else { return Cow::Borrowed(text) };
    let text = userinfo(text);
    let (mut out, mut at, mut from) = (String::new(), 0, 0);
    let (mut run, mut parts) = (Run::default(), 0);
    while let Some(found) = shape.captures_at(&text, from) {
        let judged = match found.name("jwt") {
            // The same first part was looked through before.
            Some(jwt) if jwt.start() < parts => Found::Innocent(jwt.start() + 3),
            Some(jwt) => match token_end(&text, jwt.start()) {
                Ok(end) => Found::Secret(jwt.start()..end),
                Err(end) => {
                    parts = end;
                    Found::Innocent(jwt.start() + 3)
                }
            },
            None => judge(&text, &found, &mut run),
        };
        match judged {
            Found::Secret(place) => {
                out.push_str(&text[at..place.start]);
                out.push_str(MASK);
                (at, from) = (place.end, place.end);
            }
            Found::Innocent(next) => from = next,
        }
    }
    if at == 0 {
        return text;
    }
    out.push_str(&text[at..]);
    Cow::Owned(out)
}

/// The end of a JSON web token that begins here, or of what would be its first part.
fn token_end(text: &str, start: usize) -> Result<usize, usize> {
    let part = |from: usize| {
        let is_letter = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
        from + text.as_bytes()[from..].iter().take_while(|b| is_letter(b)).count()
    };
    let dot = |at: usize| text.as_bytes().get(at) == Some(&b'.');
    let first = part(start);
    if !dot(first) {
        return Err(first);
    }
    let second = part(first + 1);
    if second - first > 8 && dot(second) { Ok(part(second + 1)) } else { Err(first) }
}

/// What a match is.
enum Found {
    /// A secret, at this place.
    Secret(Range<usize>),
    /// None; the search goes on there, as what is no secret by its name may be one by
    /// its own shape.
    Innocent(usize),
}

/// Values that follow each other without a gap (`token:token:…`) end at the same place,
/// which is looked for once.
#[derive(Default)]
struct Run {
    start: usize,
    end: usize,
    /// After its last digit.
    digit: usize,
}

impl Run {
    /// The value that begins at `start`: its end, and whether it holds a digit.
    fn value(&mut self, text: &str, start: usize) -> (usize, bool) {
        if start < self.start || start >= self.end {
            let ends = |c: char| {
                c.is_whitespace()
                    || matches!(c, '"' | '\'' | '&' | ';' | '<' | '>' | '\\' | '`' | '|' | ')' | ']' | '}')
            };
            let end = text[start..].find(ends).map_or(text.len(), |length| start + length);
            let digit = text[start..end].rfind(|c: char| c.is_ascii_digit()).map_or(start, |at| start + at + 1);
            *self = Self { start, end, digit };
        }
        (self.end, self.digit > start)
    }
}

/// Whether what was found is no ordinary word after an ordinary name: `Invalid
/// password: required` is a sentence, `password: hunter22` is not.
fn judge(text: &str, found: &Captures<'_>, run: &mut Run) -> Found {
    let whole = found.get(0).map_or(0..text.len(), |m| m.range());
    let has_digit = |place: &Range<usize>| text[place.clone()].bytes().any(|b| b.is_ascii_digit());
    if let Some(place) = found.name("worded").or(found.name("credentials")).map(|m| m.range()) {
        return if has_digit(&place) { Found::Secret(place) } else { Found::Innocent(whole.end) };
    }
    let Some(start) = found.name("value").map(|m| m.start()) else { return Found::Secret(whole) };
    let (end, has_digit) = run.value(text, start);
    let is_set = found.name("sign").is_some_and(|sign| sign.as_str() == "=");
    let is_quoted = found.name("quote").is_some_and(|quote| !quote.is_empty());
    let is_secret = if found.name("bare").is_some() {
        has_digit && (is_set || end - start >= 16)
    } else {
        has_digit || is_set || is_quoted
    };
    if is_secret { Found::Secret(start..end) } else { Found::Innocent(start) }
}

/// How an address is written: as it is, and as a parameter of another one.
const WRITTEN: [[&str; 5]; 3] =
    [["://", ":", "@", "/", "?"], ["%3A%2F%2F", "%3A", "%40", "%2F", "%3F"], ["%3a%2f%2f", "%3a", "%40", "%2f", "%3f"]];
/// Bytes that are looked through for the end of user and password.
const AUTHORITY: usize = 400;

/// `https://user:password@host`, also without a user, also with `@` in the password;
/// and `https://TOKEN@host`.
fn userinfo(text: &str) -> Cow<'_, str> {
    let mut places: Vec<Range<usize>> = Vec::new();
    for written in WRITTEN {
        let found = text.match_indices(written[0]).filter_map(|(at, begin)| {
            let has_scheme = text[..at].bytes().rev().take(2).filter(u8::is_ascii_alphanumeric).count() == 2;
            let start = at + begin.len();
            has_scheme.then(|| password(&text[start..], written)).flatten().map(|p| start + p.start..start + p.end)
        });
        places.extend(found);
    }
    if places.is_empty() {
        return Cow::Borrowed(text);
    }
    places.sort_by_key(|place| place.start);
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    for place in places {
        if place.start >= at {
            out.push_str(&text[at..place.start]);
            out.push_str(MASK);
            at = place.end;
        }
    }
    out.push_str(&text[at..]);
    Cow::Owned(out)
}

/// The place of the password in what follows `://`.
fn password(rest: &str, [_, colon, sign, slash, question]: [&str; 5]) -> Option<Range<usize>> {
    let near = head(rest, AUTHORITY);
    let ends = |c: char| c.is_whitespace() || matches!(c, '#' | '"' | '\'' | '<' | '>' | '/' | '?');
    let authority = &near[..near.find(ends).unwrap_or(near.len())];
    let authority = authority.split(slash).next()?.split(question).next()?;
    let (info, _) = authority.rsplit_once(sign)?;
    let Some((user, secret)) = info.split_once(colon) else {
        let has = |which: fn(&u8) -> bool| info.as_bytes().iter().any(&which);
        let is_key = info.len() >= 16 && has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic);
        return is_key.then_some(0..info.len());
    };
    let start = user.len() + colon.len();
    (secret.len() >= 3).then_some(start..start + secret.len())
}

/// Whether a text holds what an issuer's own prefix marks as a credential.
#[must_use]
pub fn has_token(text: &str) -> bool {
    let Some(shape) = SHAPE.as_ref() else { return false };
    let (mut from, mut parts) = (0, 0);
    while let Some(found) = shape.captures_at(text, from) {
        let jwt = found.name("jwt").filter(|jwt| jwt.start() >= parts).map(|jwt| token_end(text, jwt.start()));
        if let Some(Err(end)) = jwt {
            parts = end;
        }
        if matches!(jwt, Some(Ok(_))) || found.name("token").is_some() || found.name("key").is_some() {
            return true;
        }
        // What is called a token may be one by its own shape.
        let inner = found.name("value").or(found.name("credentials")).map(|m| m.start());
        from = inner.or(found.get(0).map(|m| m.end())).unwrap_or(text.len());
    }
    false
}

/// Replaces the very value of `secret`, wherever it stands.
#[must_use]
pub fn mask_value(text: &str, secret: &Secret) -> String {
    let value = secret.expose();
    if value.len() < 6 { text.to_owned() } else { text.replace(value, MASK) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        let jwt = format!("{}.{}.{}", "eyJhbGciOiJIUzI1NiJ9", "eyJzdWIiOiIxMjM0NTY3ODkwIn0", "dozjgNryP4J3jVmNHl0w5N");
        let table = [
            (format!("got ghp_{} here", "a1".repeat(18)), "got ••• here"),
            (format!("github_pat_{}", "A".repeat(30)), "•••"),
            (format!("cookie {jwt};"), "cookie •••;"),
            ("Authorization: Bearer abcdef0123456789".to_owned(), "Authorization: Bearer •••"),
            ("{\"password\": \"hunter22\", \"n\": 1}".to_owned(), "{\"password\": \"•••\", \"n\": 1}"),
            ("DB_PASSWORD=hunter22 next".to_owned(), "DB_PASSWORD=••• next"),
            ("postgres://app:s3cret@db/x".to_owned(), "postgres://app:•••@db/x"),
            (format!("AKIA{}", "ABCDEFGH12345678"), "•••"),
            ("AWS_SECRET_ACCESS_KEY=abcd/efgh+1234".to_owned(), "AWS_SECRET_ACCESS_KEY=•••"),
            ("refresh_token=abcdef123".to_owned(), "refresh_token=•••"),
            ("token: 0123456789abcdef0123456789abcdef".to_owned(), "token: •••"),
            ("redis://:hunter2222@host".to_owned(), "redis://:•••@host"),
            ("next=https%3A%2F%2Fu%3Ahunter2222%40host%2Fx".to_owned(), "next=https%3A%2F%2Fu%3A•••%40host%2Fx"),
            ("https://0a1b2c3d4e5f60718293@sentry.example.org/5".to_owned(), "https://•••@sentry.example.org/5"),
            ("postgres://app:p@ssw0rdX@db/x".to_owned(), "postgres://app:•••@db/x"),
            (r#"{\"password\": \"hunter2222\"}"#.to_owned(), r#"{\"password\": \"•••\"}"#),
            ("token: ghp_abcdefabcdefabcdefabcdefabcd".to_owned(), "token: •••"),
            ("the secret: postgres://app:hunterx@db/x".to_owned(), "the secret: postgres://app:•••@db/x"),
            ("password:   hunter2222".to_owned(), "password:   •••"),
            ("Cookie: session=abcdef0123456789".to_owned(), "Cookie: •••"),
            ("AccountKey=abcdef0123==;x".to_owned(), "AccountKey=•••;x"),
            ("sk-proj-abc123def456ghi789jkl".to_owned(), "•••"),
            ("-----BEGIN RSA PRIVATE KEY-----\nMIIEabcdefghijklmnop\nqrstuvwxyzABCDEF==\n-----END RSA PRIVATE KEY----- x".to_owned(), "••• x"),
        ];
        for (text, expected) in table {
            assert_eq!(mask(&text), expected);
            assert_eq!(mask(&mask(&text)), expected, "twice");
        }
    }

    /// Each of these took a time that grew with the square of the length.
    #[test]
    fn nothing_is_looked_at_twice() {
        for part in [
            "token:",
            "password:x",
            "secret: ",
            "ab://",
            "cookie:",
            "authorization=",
            "sk-",
            "eyJ",
            "a:b@",
            "eyJaaaaaaaa-ghp_aaaaaaaaaaaaaaaaaaaa-",
            "eyJaaaaaaaa-token:x-",
        ] {
            let text = part.repeat((1 << 17) / part.len());
            assert_eq!(mask(&mask(&text)), mask(&text), "{part}");
        }
    }

    #[test]
    fn plain_text_stays() {
        for text in [
            "assert token == 'x'",
            "password reset failed",
            "basic authentication works",
            "Invalid password: required field",
            "sk-estimator-doc-link-fitted-x",
            "the token: expired",
            "password==expected_value",
            "http://localhost:3000?email=joe@example.org",
            "Authorization: Required-but-missing",
            "tests/cookie: session_fixture_name",
            "-----BEGIN CERTIFICATE----- expected but found words",
            "AssertionError: 1 != 2",
            "http://127.0.0.1:8080/a@b",
            "[\"http://a:8080\",\"joe@example.org\"]",
            "https://joe@example.org/x",
        ] {
            assert_eq!(mask(text), text);
        }
        assert_eq!(format!("{:?}", Secret::new("x")), "Secret(…)");
        assert_eq!(mask_value("a tok123 b", &Secret::new("tok123")), "a ••• b");
    }
}
