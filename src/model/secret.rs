//! Secrets: a value that hides itself, and texts in which secrets are masked.

use std::borrow::Cow;
use std::fmt;
use std::sync::LazyLock;

use regex::{Captures, Regex};

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
/// are called a secret. The name before a value is kept.
const SHAPES: &str = concat!(
    // GitHub (ghp_ gho_ ghu_ ghs_ ghr_, github_pat_), GitLab, Slack, npm, PyPI, Hugging Face, Stripe, SendGrid, Google, AWS.
    r"(?P<token>\bgh[pousr]_[A-Za-z0-9_]{16,255}|\bgithub_pat_[A-Za-z0-9_]{20,255}|\bglpat-[A-Za-z0-9_-]{16,}",
    r"|\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\bnpm_[A-Za-z0-9]{30,}|\bpypi-[A-Za-z0-9_-]{40,}|\bhf_[A-Za-z0-9]{30,}",
    r"|\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}|\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|\bya29\.[A-Za-z0-9_-]{20,}",
    r"|\bAIza[A-Za-z0-9_-]{35}|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bhooks\.slack\.com/services/[A-Za-z0-9/]{20,}",
    // JSON web tokens (RFC 7519): three parts, the first of which begins with `{"`.
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*)",
    // OpenAI's and Anthropic's keys look like hyphenated words but for their digits.
    r"|(?P<worded>\bsk-[A-Za-z0-9_-]{20,})",
    r"|(?P<key>-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----(?:(?:\s|\\n|\\r)*[A-Za-z0-9+/=]{16,})*(?:(?:\s|\\n|\\r)*-----END [A-Z ]{0,30}PRIVATE KEY-----)?)",
    // `Authorization: Basic …`, `Bearer …`, `Cookie: …`.
    r#"|(?P<header>(?i:\bauthorization["']?[ \t]{0,20}[:=][ \t]{0,20}["']?(?:[a-z]+ +)?|\b(?:set-)?cookie["']?[ \t]{0,20}:[ \t]{0,20}["']?|\bbearer +))(?P<credentials>[A-Za-z0-9+/=._~%;-]{12,})"#,
    // `password=…`, `"password": "…"`, `AWS_SECRET_ACCESS_KEY=…`, and the same inside of a JSON string.
    r#"|(?P<label>(?i:password|passwd|passphrase|secret|secret[_-]?(?:access[_-]?)?key|api[_-]?key|account[_-]?key|access[_-]?key|(?P<bare>token|signature))\\?["']?[ \t]{0,20}(?P<sign>[=:])[ \t]{0,20}(?P<quote>\\?["']?))(?P<value>[^\s"'&;<>\\`|)\]}=][^\s"'&;<>\\`|)\]}]{5,})"#,
    // `https://user:password@host`, also without a user, also with `@` in the password.
    r"|(?P<scheme>\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@?#]{0,100}:)(?P<userinfo>[^\s/?#]{3,200})@",
);

static SHAPE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(SHAPES).ok());

/// What stands in the place of a secret.
pub const MASK: &str = "•••";

/// Replaces what has the shape of a credential by [`MASK`]. Masking twice
/// changes nothing.
#[must_use]
pub fn mask(text: &str) -> Cow<'_, str> {
    let Some(shape) = SHAPE.as_ref() else { return Cow::Borrowed(text) };
    shape.replace_all(text, |found: &Captures<'_>| {
        let part = |name: &str| found.name(name).map_or("", |m| m.as_str());
        if !is_secret(&part) {
            // What is no secret by its name may be one by its own shape.
            let (whole, value) = (part_of(found), part("value"));
            let kept = whole.len() - value.len();
            return format!("{}{}", &whole[..kept], mask(value));
        }
        if found.name("userinfo").is_some() {
            return format!("{}{MASK}@", part("scheme"));
        }
        format!("{}{}{MASK}", part("header"), part("label"))
    })
}

fn part_of(found: &Captures<'_>) -> String {
    found.get(0).map_or_else(String::new, |whole| whole.as_str().to_owned())
}

/// Whether what was found is no ordinary word after an ordinary name: `Invalid
/// password: required` is a sentence, `password: hunter22` is not.
fn is_secret<'t>(part: &dyn Fn(&str) -> &'t str) -> bool {
    let has_digit = |text: &str| text.bytes().any(|b| b.is_ascii_digit());
    if !part("worded").is_empty() {
        return has_digit(part("worded"));
    }
    if !part("credentials").is_empty() {
        return has_digit(part("credentials"));
    }
    let value = part("value");
    if value.is_empty() {
        return true;
    }
    if !part("bare").is_empty() {
        return value.len() >= 16 && has_digit(value) || (part("sign") == "=" && has_digit(value));
    }
    part("sign") == "=" || !part("quote").is_empty() || has_digit(value)
}

/// Whether a text holds what an issuer's own prefix marks as a credential.
#[must_use]
pub fn has_token(text: &str) -> bool {
    let Some(shape) = SHAPE.as_ref() else { return false };
    shape.captures_iter(text).any(|found| {
        let inner = |name: &str| found.name(name).is_some_and(|m| m.len() < text.len() && has_token(m.as_str()));
        // What is called a token may be one by its own shape.
        found.name("token").is_some() || found.name("key").is_some() || inner("value") || inner("credentials")
    })
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
        ] {
            assert_eq!(mask(text), text);
        }
        assert_eq!(format!("{:?}", Secret::new("x")), "Secret(…)");
        assert_eq!(mask_value("a tok123 b", &Secret::new("tok123")), "a ••• b");
    }
}
