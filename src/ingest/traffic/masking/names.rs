//! What a name says about the value that stands under it.

use crate::model::text::tail;

/// How much a name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    /// The value is a secret, whatever it looks like.
    Secret,
    /// It is one if it looks like one: `code` is a country, or lets somebody in.
    Perhaps,
    /// Nothing.
    Nothing,
}

/// Parts of names, without what stands between words: also of longer ones.
const PARTS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "passwort",
    "kennwort",
    "geheimnis",
    "contrasena",
    "contraseña",
    "motdepasse",
    "wachtwoord",
    "lösenord",
    "losenord",
    "hasło",
    "пароль",
    "şifre",
    "密码",
    "密碼",
    "パスワード",
    "비밀번호",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "privatekey",
    "encryptionkey",
    "signingkey",
    "masterkey",
    "subscriptionkey",
    "sharedkey",
    "storagekey",
    "accountkey",
    "licensekey",
    "clientkey",
    "authkey",
    "credential",
    "authorization",
    "clientassertion",
    "codeverifier",
    "samlresponse",
    "samlrequest",
    "cookie",
    "sessionid",
    "sessid",
    "secretid",
    "sessionkey",
    "signature",
    "cardnumber",
    "cardno",
    "accesscode",
    "seedphrase",
    "mnemonic",
    "authcode",
    "recoverycode",
    "backupcode",
    "verificationcode",
    "securitycode",
    "onetimecode",
    "pincode",
    "bearer",
];

/// Words that are too short to be looked for within others: `footprint` holds `otp`.
const WORDS: &[&str] = &[
    "pwd", "pw", "otp", "totp", "cvv", "cvc", "ssn", "iban", "jwt", "dpop", "senha", "parola", "haslo", "csrf", "xsrf",
    "mfa", "pan", "hmac",
];

/// Words that name a secret where they come last: `db_pass`, not `pass_rate`.
const LAST: &[&str] = &["pass", "pin", "sid", "sig"];

/// Names whose values are secrets if they look so; RFC 6749, 4.1 has some of them,
/// OpenID Connect, CAS and simple JWT endpoints the others.
const PERHAPS: &[&str] = &[
    "key",
    "auth",
    "xauth",
    "session",
    "access",
    "refresh",
    "code",
    "state",
    "nonce",
    "ticket",
    "assertion",
    "salt",
    "hash",
];

/// Beginnings of words that only begin like the name of a secret.
const OTHER: &[&str] = &["secretar", "tokeni", "tokeno", "cookiecutter", "cookieless", "passwordless"];

/// Words that name something *about* a secret where they come last: when it ends, how
/// long it has to be, where it is sent.
const ABOUT: &[&str] = &[
    "at",
    "on",
    "date",
    "time",
    "timestamp",
    "expires",
    "expiry",
    "expiration",
    "expired",
    "ttl",
    "age",
    "lifetime",
    "type",
    "name",
    "count",
    "usage",
    "used",
    "limit",
    "length",
    "min",
    "max",
    "policy",
    "rule",
    "rules",
    "required",
    "enabled",
    "disabled",
    "allowed",
    "valid",
    "invalid",
    "verified",
    "validity",
    "changed",
    "url",
    "uri",
    "link",
    "href",
    "endpoint",
    "path",
    "format",
    "status",
    "strength",
    "score",
    "attempts",
    "field",
    "label",
    "placeholder",
    "header",
    "domain",
    "banner",
    "consent",
    "version",
    "alg",
    "algorithm",
    "method",
    "scheme",
    "scope",
    "scopes",
    "issuer",
    "audience",
    "user",
    "username",
    "provider",
    "email",
    "error",
    "errors",
    "message",
    "present",
    "exists",
    "symbol",
    "price",
    "index",
    "decimals",
    "supply",
];

/// Endings of names that are written without anything between their words.
const HARMLESS: &[&str] = &["tokentype", "tokenizer", "expiresin", "expiresat", "expiresinseconds", "maxtokens"];

/// What a name says.
#[must_use]
pub fn says(name: &str) -> Says {
    let words = words(name);
    let plain = words.concat();
    let ends_in = |list: &[&str]| words.last().is_some_and(|last| list.contains(&last.as_str()));
    // Tokens of a language model are counted; those that let somebody in are `HOLDERS`.
    if (ends_in(ABOUT) && words.len() > 1) || ends_in(&["tokens"]) || HARMLESS.iter().any(|end| plain.ends_with(end)) {
        return Says::Nothing;
    }
    let has_word = words.iter().any(|word| WORDS.contains(&word.as_str()));
    if ends_in(LAST) || has_word || PARTS.iter().any(|part| holds_part(&words, part)) {
        // The id of a token is known to many, that of a session lets in.
        let is_id = ends_in(&["id", "ids"]) && !plain.contains("sessionid") && !plain.contains("secretid");
        return if is_id { Says::Perhaps } else { Says::Secret };
    }
    if PERHAPS.contains(&plain.as_str()) { Says::Perhaps } else { Says::Nothing }
}

/// Whether words next to each other make up the name of a secret, or one word begins or
/// ends like one: `api_key`, `accesstoken`; not `card_notes` (`cardno`).
fn holds_part(words: &[String], part: &str) -> bool {
    (0..words.len()).any(|first| {
        let word = words[first].trim_end_matches(|c: char| c.is_ascii_digit());
        if word.starts_with(part) || word.ends_with(part) {
            return true;
        }
        let mut joined = String::new();
        words[first..].iter().any(|word| {
            joined.push_str(word);
            joined.trim_end_matches(|c: char| c.is_ascii_digit()) == part
        })
    })
}

/// Whether what stands under a name is a secret.
#[must_use]
pub fn is_secret(name: &str) -> bool {
    says(name) == Says::Secret
}

/// Lists and objects of secrets by their name: whether all that stands in them is one,
/// or what looks like one.
pub(super) fn holds(name: &str) -> Says {
    let words = words(name);
    match words.last().map_or("", String::as_str) {
        "tokens" | "secrets" | "passwords" | "credentials" | "apikeys" | "cookies" => Says::Secret,
        "keys" if words.len() > 1 && matches!(words[words.len() - 2].as_str(), "api" | "access" | "secret") => {
            Says::Secret
        }
        "keys" => Says::Perhaps,
        _ => Says::Nothing,
    }
}

/// Whether `number` and the like under this name is that of a card.
pub(super) fn is_card(name: &str) -> bool {
    words(name).iter().any(|word| matches!(word.as_str(), "card" | "creditcard" | "debitcard"))
}

/// What a header's name says: the same words, and some that mean another thing in
/// bodies. Keys that tell requests or cached answers apart let nobody in.
pub(crate) fn of_header(lower: &str) -> Says {
    let is_other = matches!(
        lower,
        "idempotency-key" | "surrogate-key" | "x-cache-key" | "sec-websocket-key" | "sec-websocket-accept"
    );
    let parts: Vec<&str> = lower.split('-').collect();
    let last = parts.last().copied().unwrap_or("");
    if is_other || lower.contains("ratelimit") || (parts.len() > 1 && ABOUT.contains(&last)) {
        return Says::Nothing;
    }
    let is_own = last == "key" || parts.iter().any(|p| matches!(*p, "session" | "auth"));
    if is_own { Says::Secret } else { says(lower) }
}

/// Whether what follows this segment of a path lets somebody in: `/reset/Xk3…`.
pub(super) fn before_a_key(segment: &str) -> bool {
    let words = words(segment);
    let speaks = |word: &String| {
        matches!(
            word.as_str(),
            "reset"
                | "verify"
                | "verification"
                | "confirm"
                | "confirmation"
                | "activate"
                | "activation"
                | "invite"
                | "invitation"
                | "invitations"
                | "magic"
                | "unsubscribe"
                | "share"
                | "shared"
                | "hook"
                | "hooks"
                | "webhook"
                | "webhooks"
                | "recover"
                | "unlock"
        )
    };
    is_secret(segment) || words.iter().any(speaks)
}

/// Whether a value looks as if it let somebody in: no word, no number, no sentence, no
/// words and numbers with something between them (`ERR_LIMIT_0012`, `2024-report`).
/// From `least` characters on.
pub(super) fn looks_like_key(value: &str, least: usize) -> bool {
    let is_odd = |part: &str| {
        let digits = part.bytes().filter(u8::is_ascii_digit).count();
        let letters = part.bytes().filter(u8::is_ascii_alphabetic).count();
        let small = |byte: u8| byte.is_ascii_lowercase();
        let turns = part.as_bytes().windows(2).filter(|two| small(two[0]) != small(two[1])).count();
        // `camelCaseWords` turn now and then, what is random at every second letter.
        let is_random = (part.len() >= 6 && turns * 2 >= part.len()) || (part.len() >= 16 && turns * 4 >= part.len());
        part.len() >= 4 && ((digits > 0 && letters > 0) || is_random)
    };
    value.len() >= least
        && !value.contains(char::is_whitespace)
        && value.split(|c: char| c.is_ascii_punctuation()).any(is_odd)
}

/// Whether a text speaks to people, as messages under the name of a field do:
/// `{"password": ["This field is required."]}`.
pub(super) fn is_sentence(text: &str) -> bool {
    const SPEAKS: &[&str] = &[
        "is", "are", "must", "cannot", "can't", "be", "not", "should", "too", "required", "invalid", "least", "please",
    ];
    let words: Vec<String> = text.split_whitespace().take(40).map(str::to_ascii_lowercase).collect();
    words.len() >= 3 && words.iter().any(|word| SPEAKS.contains(&word.trim_end_matches(['.', '!', ','])))
}

/// Whether a value is an id of this form: in bodies those name things far more often
/// than they let somebody in.
pub(crate) fn is_uuid(value: &str) -> bool {
    let is_place =
        |(at, byte): (usize, u8)| if matches!(at, 8 | 13 | 18 | 23) { byte == b'-' } else { byte.is_ascii_hexdigit() };
    value.len() == 36 && value.bytes().enumerate().all(is_place)
}

/// Bytes at the end of a name that are looked at.
const LONGEST: usize = 256;

/// The words of a name, in small letters: `userPassword`, `user_password` and
/// `USER-PASSWORD` are two.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let (mut is_inside, mut was_small) = (false, false);
    for letter in tail(name, LONGEST).chars() {
        if !letter.is_alphanumeric() {
            (is_inside, was_small) = (false, false);
            continue;
        }
        let begins = !is_inside || (letter.is_uppercase() && was_small);
        if begins {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.extend(letter.to_lowercase());
        }
        (is_inside, was_small) = (true, letter.is_lowercase());
    }
    words.retain(|word| !OTHER.iter().any(|other| word.starts_with(other)));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for name in [
            "password",
            "userPassword",
            "USER_PWD",
            "db_pass",
            "pw",
            "pin",
            "X-Api-Key",
            "encryption_key",
            "code_verifier",
            "client_assertion",
            "SAMLResponse",
            "Passwort",
            "contraseña",
            "mot_de_passe",
            "密码",
            "refreshToken",
            "otp",
            "user[password]",
            "csrfmiddlewaretoken",
            "access_code",
            "card.number",
            "accesstoken",
            "myPassword2",
            "PHPSESSID",
            "seed_phrase",
            "SAMLRequest",
            "password_confirmation",
            "secret_id",
        ] {
            assert_eq!(says(name), Says::Secret, "{name}");
        }
        for name in ["code", "state", "access", "key", "session", "nonce", "ticket", "token_id", "api_key_id"] {
            assert_eq!(says(name), Says::Perhaps, "{name}");
        }
    }

    #[test]
    fn names_of_other_things() {
        for name in [
            "footprint",
            "pass_rate",
            "passed",
            "max_tokens",
            "token_type",
            "spin",
            "primary_key",
            "sort_key",
            "inside",
            "author",
            "expires_in",
            "country_code",
            "design",
            "password_reset_at",
            "card_notes",
            "cardNotPresent",
            "client_keywords",
            "photo_kenya",
            "token_symbol",
            "passwordMinLength",
            "secretary",
            "tokenized_at",
            "cookie_banner",
            "signature_required",
            "tokens_used",
            "total_tokens",
            "monkeys",
            "token_expires_at",
        ] {
            assert_eq!(says(name), Says::Nothing, "{name}");
        }
    }

    #[test]
    fn headers_and_lists() {
        assert_eq!(of_header("x-session"), Says::Secret);
        assert_eq!(of_header("ocp-apim-subscription-key"), Says::Secret);
        for harmless in ["idempotency-key", "x-auth-method", "x-session-count", "x-ratelimit-key", "x-auth-user"] {
            assert_eq!(of_header(harmless), Says::Nothing, "{harmless}");
        }
        assert_eq!(of_header("x-auth"), Says::Secret);
        assert_eq!(
            [holds("tokens"), holds("api_keys"), holds("keys"), holds("hotkeys")],
            [Says::Secret, Says::Secret, Says::Perhaps, Says::Nothing]
        );
        assert!(before_a_key("reset-password") && before_a_key("invite") && !before_a_key("users"));
    }

    #[test]
    fn values() {
        assert!(looks_like_key("SplxlOBeZQQYbYS6WxSbIA", 8) && looks_like_key("af0ifjsldkj", 6));
        assert!(is_uuid("0b9f1d6e-5a3c-4f7e-9a57-3f0c1d2e4b5a") && !is_uuid("0b9f1d6e-5a3c-4f7e-9a57-3f0c1d2e4b5x"));
        for innocent in [
            "ERR_VALIDATION_0012",
            "2024-report",
            "Report-Q3-2024-summary-of-the-year-v2.pdf",
            "refresh-page-1",
            "invalidCredentialsError",
        ] {
            assert!(!looks_like_key(innocent, 6), "{innocent}");
        }
        assert!(looks_like_key("AbCdEfGhIjKlMnOpQr", 6) && looks_like_key("tok-ab12cd34", 6));
        assert!(is_sentence("must be at least 8 characters") && is_sentence("This field is required."));
        assert!(!is_sentence("correct horse battery staple"));
        assert!(!looks_like_key("open", 6) && !looks_like_key("123456789", 6) && !looks_like_key("a long 1 text", 6));
    }
}
