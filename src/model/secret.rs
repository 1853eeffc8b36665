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
    // GitHub (ghp_ gho_ ghu_ ghs_ ghr_, github_pat_), GitLab, Slack, npm, PyPI, Stripe, OpenAI and Anthropic, Google, AWS.
    r"(?P<token>\bgh[pousr]_[A-Za-z0-9_]{16,255}|\bgithub_pat_[A-Za-z0-9_]{20,255}|\bglpat-[A-Za-z0-9_-]{16,}",
    r"|\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\bnpm_[A-Za-z0-9]{30,}|\bpypi-[A-Za-z0-9_-]{40,}",
    r"|\b[rs]k_live_[A-Za-z0-9]{16,}|\bsk-[A-Za-z0-9_-]{20,}|\bAIza[A-Za-z0-9_-]{35}|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    // JSON web tokens (RFC 7519): three parts, the first of which begins with `{"`.
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*)",
    r"|(?P<key>-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[A-Za-z0-9+/=\s\\]*(?:-----END [A-Z ]{0,30}PRIVATE KEY-----)?)",
    // `Authorization: Bearer …`, `token=…`, `"password": "…"`, `https://user:password@host`.
    r"|(?P<name>(?i:\bbearer|\bbasic) )(?P<bearer>[A-Za-z0-9+/=._~-]{12,})",
    r#"|(?P<label>(?i:\b[a-z_-]{0,40}(?:password|passwd|secret|api[_-]?key|access[_-]?token|auth[_-]?token))["']?\s?[=:]\s?["']?)(?P<value>[^\s"'&,;<>]{6,})"#,
    r"|(?P<scheme>\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@]{1,100}:)(?P<userinfo>[^\s/@]{3,200})@",
);

static SHAPE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(SHAPES).ok());

/// What stands in the place of a secret.
pub const MASK: &str = "•••";

/// Replaces what has the shape of a credential by [`MASK`]. Masking twice
/// changes nothing.
#[must_use]
pub fn mask(text: &str) -> Cow<'_, str> {
    // Every shape has one of these in it; most texts have none.
    let Some(shape) = SHAPE.as_ref() else { return Cow::Borrowed(text) };
    shape.replace_all(text, |found: &Captures<'_>| {
        let part = |name: &str| found.name(name).map_or("", |m| m.as_str());
        if found.name("userinfo").is_some() {
            return format!("{}{MASK}@", part("scheme"));
        }
        format!("{}{}{MASK}", part("name"), part("label"))
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
            ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- x".to_owned(), "••• x"),
        ];
        for (text, expected) in table {
            assert_eq!(mask(&text), expected);
            assert_eq!(mask(&mask(&text)), expected, "twice");
        }
    }

    #[test]
    fn plain_text_stays() {
        for text in
            ["assert token == 'x'", "password reset failed", "AssertionError: 1 != 2", "http://127.0.0.1:8080/a@b"]
        {
            assert_eq!(mask(text), text);
        }
        assert_eq!(format!("{:?}", Secret::new("x")), "Secret(…)");
        assert_eq!(mask_value("a tok123 b", &Secret::new("tok123")), "a ••• b");
    }
}
