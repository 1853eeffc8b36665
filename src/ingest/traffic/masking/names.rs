//! What a name says about the value that stands under it.

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
    "cookie",
    "sessionid",
    "sessionkey",
    "signature",
    "cardnumber",
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
];

/// Words that name a secret where they come last: `db_pass`, not `pass_rate`.
const LAST: &[&str] = &["pass", "pin", "sid", "sig"];

/// Names whose values are secrets if they look so; RFC 6749, 4.1 has some of them,
/// OpenID Connect, CAS and simple JWT endpoints the others.
const PERHAPS: &[&str] =
    &["key", "auth", "session", "access", "refresh", "code", "state", "nonce", "ticket", "assertion", "salt", "hash"];

/// What only counts or describes tokens.
const HARMLESS: &[&str] =
    &["tokentype", "tokenizer", "expires", "expiresin", "count", "usage", "limit", "maxtokens", "tokens"];

/// What a name says.
#[must_use]
pub fn says(name: &str) -> Says {
    let words = words(name);
    let plain = words.concat();
    if HARMLESS.iter().any(|end| plain.ends_with(end)) {
        return Says::Nothing;
    }
    let is_last = words.last().is_some_and(|last| LAST.contains(&last.as_str()));
    let has_word = words.iter().any(|word| WORDS.contains(&word.as_str()));
    if is_last || has_word || PARTS.iter().any(|part| plain.contains(part)) {
        return Says::Secret;
    }
    if PERHAPS.contains(&plain.as_str()) { Says::Perhaps } else { Says::Nothing }
}

/// Whether what stands under a name is a secret.
#[must_use]
pub fn is_secret(name: &str) -> bool {
    says(name) == Says::Secret
}

/// Names of lists and objects of secrets.
pub(super) fn holds_secrets(name: &str) -> bool {
    let plain = words(name).concat();
    ["tokens", "secrets", "passwords", "credentials", "apikeys", "cookies", "keys"].iter().any(|w| plain.ends_with(w))
}

/// What a header's name says: the same words, and some that mean another thing in
/// bodies. Keys that tell requests or cached answers apart let nobody in.
pub(crate) fn of_header(lower: &str) -> Says {
    if matches!(
        lower,
        "idempotency-key" | "surrogate-key" | "x-cache-key" | "sec-websocket-key" | "sec-websocket-accept"
    ) {
        return Says::Nothing;
    }
    let mut parts = lower.split('-');
    let is_own = parts.clone().next_back() == Some("key") || parts.any(|p| matches!(p, "session" | "auth"));
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

/// Whether a value looks as if it let somebody in: no word, no number, no sentence.
/// From `least` characters on.
pub(super) fn looks_like_key(value: &str, least: usize) -> bool {
    let has = |which: fn(&u8) -> bool| value.as_bytes().iter().any(&which);
    let is_mixed = has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic)
        || has(u8::is_ascii_uppercase)
            && value.as_bytes().iter().skip(1).any(u8::is_ascii_lowercase)
            && value.len() >= 16;
    value.len() >= least && is_mixed && !value.contains(char::is_whitespace)
}

/// Whether a value is an id of this form: in bodies those name things far more often
/// than they let somebody in.
pub(super) fn is_uuid(value: &str) -> bool {
    let is_place =
        |(at, byte): (usize, u8)| if matches!(at, 8 | 13 | 18 | 23) { byte == b'-' } else { byte.is_ascii_hexdigit() };
    value.len() == 36 && value.bytes().enumerate().all(is_place)
}

/// The words of a name, in small letters: `userPassword`, `user_password` and
/// `USER-PASSWORD` are two.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let (mut is_inside, mut was_small) = (false, false);
    for letter in name.chars().take(100) {
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
        ] {
            assert_eq!(says(name), Says::Secret, "{name}");
        }
        for name in ["code", "state", "access", "key", "session", "nonce", "ticket"] {
            assert_eq!(says(name), Says::Perhaps, "{name}");
        }
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
        ] {
            assert_eq!(says(name), Says::Nothing, "{name}");
        }
        assert_eq!(of_header("x-session"), Says::Secret);
        assert_eq!(of_header("ocp-apim-subscription-key"), Says::Secret);
        assert_eq!(of_header("idempotency-key"), Says::Nothing);
        assert!(before_a_key("reset-password") && before_a_key("invite") && !before_a_key("users"));
    }

    #[test]
    fn values() {
        assert!(looks_like_key("SplxlOBeZQQYbYS6WxSbIA", 8) && looks_like_key("af0ifjsldkj", 6));
        assert!(is_uuid("0b9f1d6e-5a3c-4f7e-9a57-3f0c1d2e4b5a") && !is_uuid("0b9f1d6e-5a3c-4f7e-9a57-3f0c1d2e4b5x"));
        assert!(!looks_like_key("open", 6) && !looks_like_key("123456789", 6) && !looks_like_key("a long 1 text", 6));
    }
}
