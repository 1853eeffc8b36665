//! Which test is it? Names with seeds, addresses or temporary paths in them
//! must not make a new test each day; different parameters must stay different tests.
//!
//! Canonical text replaces only what no author would type as a parameter:
//!
//! | in the name | becomes | why |
//! |---|---|---|
//! | `0x7f3a…` (6 digits or more), `Foo@1b2c3d4` | `<addr>` | Python's and Java's default `toString` |
//! | UUID; 12 or more hexadecimal digits with a letter and a digit | `<uuid>`, `<hex>` | ids and hashes |
//! | ISO date or time, 10 or 13 digits of epoch time | `<time>` | the moment of the run |
//! | `seed=…` | `seed=<seed>` | randomised suites (Carrot, `ExUnit`, jqwik) |
//! | `/tmp/…/name`, `…\Temp\…\name` | `<tmp>/name` | temporary folders |
//! | `gw3`, `worker-3`, `ForkPoolWorker-3` | `<worker>` | xdist and pools |
//! | `localhost:54321` | `localhost:<port>` | ephemeral ports |
//! | `$$Lambda$12/0x…` | `<lambda>` | JVM lambdas |
//!
//! The class name stands for the place of a test. The suite's name joins the
//! identity only where the class name is not qualified (no `.`, `/`, `::` or
//! `\` in it), because suites are where runners put build names, hosts and time
//! stamps. What two cases of one report have in common after this is sorted
//! out in [`crate::ingest::attempts`].

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;
use sha2::{Digest, Sha256};

use crate::model::test::{IDENTITY_VERSION, TestId};
use crate::model::text::clean;

/// What the suite and the class contribute to a test's identity. Tests of one
/// class stand together in a report, so this is hashed once for all of them.
#[derive(Clone, Copy, Debug)]
pub struct Prefix([u8; 16]);

impl Prefix {
    /// From canonical names.
    #[must_use]
    pub fn new(suite: &str, class: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update([IDENTITY_VERSION]);
        if !is_qualified(class) {
            hash.update(suite.as_bytes());
        }
        hash.update([0x1f]);
        hash.update(class.as_bytes());
        Self(shorten(&hash.finalize()).bytes())
    }

    /// The identity of the test with this canonical name.
    #[must_use]
    pub fn test_id(&self, name: &str) -> TestId {
        let mut hash = Sha256::new();
        hash.update(self.0);
        hash.update(name.as_bytes());
        shorten(&hash.finalize())
    }
}

/// The identity of a test from its canonical parts.
#[must_use]
pub fn test_id(suite: &str, class: &str, name: &str) -> TestId {
    Prefix::new(suite, class).test_id(name)
}

/// The identity of the `ordinal`-th test that would otherwise share `id`.
#[must_use]
pub fn nth_id(id: TestId, ordinal: usize) -> TestId {
    let mut hash = Sha256::new();
    hash.update(id.bytes());
    hash.update((ordinal as u64).to_be_bytes());
    shorten(&hash.finalize())
}

/// The identity of the test that carries exactly this name among those that
/// would otherwise share `id`.
#[must_use]
pub fn raw_id(id: TestId, name: &str) -> TestId {
    let mut hash = Sha256::new();
    hash.update(id.bytes());
    hash.update([0x1e]);
    hash.update(name.as_bytes());
    shorten(&hash.finalize())
}

fn shorten(digest: &[u8]) -> TestId {
    let mut bytes = [0_u8; 16];
    bytes.copy_from_slice(&digest[..16]);
    TestId::from_bytes(bytes)
}

/// Whether a class name says where the test is without help from its suite.
fn is_qualified(class: &str) -> bool {
    class.bytes().any(|b| matches!(b, b'.' | b'/' | b'\\')) || class.contains("::")
}

/// The part of a name before its parameters (`test_a[1-x]` → `test_a`,
/// `add(int)[2]` → `add`), for grouping and for telling renames from new parameters.
#[must_use]
pub fn base_name(name: &str) -> &str {
    let cut = name.find(['[', '(', '{']).unwrap_or(name.len());
    if cut == 0 { name } else { name[..cut].trim_end() }
}

/// The name without what changes from run to run; see the module's table.
#[must_use]
pub fn canonical(name: &str) -> Cow<'_, str> {
    if is_plain(name.as_bytes()) {
        return Cow::Borrowed(name);
    }
    let cleaned = clean(name);
    let mut text = cleaned.split_whitespace().collect::<Vec<_>>().join(" ");
    for (pattern, replacement) in NOISE.iter() {
        if let Cow::Owned(changed) = pattern.replace_all(&text, *replacement) {
            text = changed;
        }
    }
    Cow::Owned(mask_hex(text).unwrap_or_else(|same| same))
}

/// A quick look that lets most names through without a regular expression:
/// true when nothing in `name` could match [`NOISE`] or [`mask_hex`].
fn is_plain(name: &[u8]) -> bool {
    let mut hex_run = 0_u32;
    let mut digit_run = 0_u32;
    for (at, &byte) in name.iter().enumerate() {
        let class = CLASS[byte as usize];
        if class == PLAIN {
            hex_run = 0;
            digit_run = 0;
            continue;
        }
        let before = if at == 0 { b' ' } else { name[at - 1] };
        let ends = |word: &[u8; 4]| at >= 3 && name[at - 3..=at].eq_ignore_ascii_case(word);
        let noisy = match class {
            DIGIT => hex_run >= 9 || matches!(before, b':' | b'#' | b'w'),
            HEX => hex_run >= 9 || (byte | 0x20 == b'd' && ends(b"seed")),
            HYPHEN => digit_run == 4,
            TAIL => match byte {
                b' ' => before == b' ',
                b'x' | b'X' => before == b'0',
                b'p' => ends(b"/tmp"),
                _ => ends(b"rker") || ends(b"/var"),
            },
            _ => true,
        };
        if noisy {
            return false;
        }
        hex_run = if matches!(class, DIGIT | HEX) { hex_run + 1 } else { 0 };
        digit_run = if class == DIGIT { digit_run + 1 } else { 0 };
    }
    name.last() != Some(&b' ')
}

const PLAIN: u8 = 0;
const DIGIT: u8 = 1;
const HEX: u8 = 2;
const HYPHEN: u8 = 3;
const TAIL: u8 = 4;
const ODD: u8 = 5;

/// What kind of byte each one is for [`is_plain`].
#[expect(clippy::cast_possible_truncation, reason = "the index is below 256")]
static CLASS: [u8; 256] = {
    let mut table = [PLAIN; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'0'..=b'9' => DIGIT,
            b'a'..=b'f' | b'A'..=b'F' => HEX,
            b'-' => HYPHEN,
            b' ' | b'x' | b'X' | b'p' | b'r' | b'R' => TAIL,
            b'@' | b'$' | b'\\' | 0x7f.. | 0..=0x1f => ODD,
            _ => PLAIN,
        };
        byte += 1;
    }
    table
};

/// Patterns in the order in which they are applied.
static NOISE: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    [
        (r"(?i)\$\$Lambda[$/\w]*", "<lambda>"),
        (r"(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "<uuid>"),
        (r"(?i)\bseed\b(?:\s*[=:#]\s*(?:\[[^\]]*\]|[\w:.+-]+)|\s+\d[\w:.+-]*)", "seed=<seed>"),
        (
            r#"(?i)(?:/private)?(?:/tmp|/var/tmp|/var/folders|[a-z]:\\[^\s"'<>|]*?\\te?mp)[/\\](?:[^\s"'<>|,;\])]*[/\\])?"#,
            "<tmp>/",
        ),
        (r#"<tmp>/(?:tmp|pytest-|pip-|go-build)[^\s"'<>|,;\])./]*"#, "<tmp>"),
        (r"\b0[xX][0-9a-fA-F]{6,}\b", "<addr>"),
        (r"(>|\b)@[0-9a-f]{4,}\b", "${1}@<addr>"),
        (
            r"\b\d{4}-\d{2}-\d{2}(?:[T _]\d{2}[:.\-]?\d{2}(?:[:.\-]?\d{2}(?:[.,]\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?\b",
            "<time>",
        ),
        (r"\b\d{2}:\d{2}:\d{2}(?:[.,]\d+)?\b", "<time>"),
        (r"\b20\d{6}[T_-]?\d{6}\b", "<time>"),
        (r"\b1[5-9]\d{8}(?:\d{3}|\d{6}|\d{9})?\b", "<time>"),
        (r"\bgw\d+\b", "<worker>"),
        (r"(?i)\b(?:fork)?(?:pool)?worker[-:# ]\d+\b", "<worker>"),
        (r"(?i)\b(localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1?\]):\d{2,5}\b", "${1}:<port>"),
    ]
    .into_iter()
    .filter_map(|(pattern, replacement)| Regex::new(pattern).ok().map(|re| (re, replacement)))
    .collect()
});

/// Replaces words of 12 or more hexadecimal digits that hold both a letter and
/// a digit. Plain decimal numbers stay: they are parameters.
fn mask_hex(text: String) -> Result<String, String> {
    let mut out = String::new();
    let mut copied = 0;
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_alphanumeric() {
            at += 1;
            continue;
        }
        let end = at + bytes[at..].iter().take_while(|b| b.is_ascii_alphanumeric()).count();
        let word = &bytes[at..end];
        let is_hash = word.len() >= 12
            && word.iter().all(u8::is_ascii_hexdigit)
            && word.iter().any(u8::is_ascii_digit)
            && word.iter().any(u8::is_ascii_alphabetic);
        if is_hash {
            out.push_str(&text[copied..at]);
            out.push_str("<hex>");
            copied = end;
        }
        at = end;
    }
    if copied == 0 {
        return Err(text);
    }
    out.push_str(&text[copied..]);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_goes_and_parameters_stay() {
        let table = [
            ("test_plain", "test_plain"),
            ("test_add[1-2-3]", "test_add[1-2-3]"),
            ("test_port[8080]", "test_port[8080]"),
            ("test_mask[0xff]", "test_mask[0xff]"),
            ("test_worker_1_restarts", "test_worker_1_restarts"),
            ("test_big[123456789012345]", "test_big[123456789012345]"),
            ("test_seeded_tree", "test_seeded_tree"),
            ("should seed users", "should seed users"),
            ("test_x[<object object at 0x7f3a2b4c5d60>]", "test_x[<object object at <addr>>]"),
            ("equals(com.acme.Foo@1b2c3d4)", "equals(com.acme.Foo@<addr>)"),
            ("test[8d3c1a52-1c1e-4b7e-9f3e-0123456789ab]", "test[<uuid>]"),
            ("test[da39a3ee5e6b4b0d3255bfef95601890afd80709]", "test[<hex>]"),
            ("run at 2026-05-01T10:22:33.123Z", "run at <time>"),
            ("run at 2026-05-01 10:22:33", "run at <time>"),
            ("MyTest-20260501102233", "MyTest-<time>"),
            ("test_epoch[1767225600123]", "test_epoch[<time>]"),
            ("shuffle {seed=[8F3A:11]}", "shuffle {seed=<seed>}"),
            ("property (seed 12345)", "property (seed=<seed>)"),
            ("test_file[/tmp/pytest-of-root/pytest-12/in.json]", "test_file[<tmp>/in.json]"),
            ("test_dir[/tmp/tmpab12cd]", "test_dir[<tmp>]"),
            ("reads C:\\Users\\ci\\AppData\\Local\\Temp\\x1\\in.json", "reads <tmp>/in.json"),
            ("[gw3] test_a", "[<worker>] test_a"),
            ("test on worker-12", "test on <worker>"),
            ("GET http://localhost:54321/users", "GET http://localhost:<port>/users"),
            ("Foo$$Lambda$14/0x0000000800066840@1b2c3d", "Foo<lambda>@<addr>"),
            ("\u{1b}[31mtest\u{1b}[0m a", "test a"),
            ("  spaced   out ", "spaced out"),
            ("käse_test", "käse_test"),
        ];
        for (name, expected) in table {
            assert_eq!(canonical(name), expected, "{name}");
        }
    }

    #[test]
    fn every_noise_pattern_compiles() {
        assert_eq!(NOISE.len(), 14);
    }

    #[test]
    fn the_suite_counts_only_without_a_qualified_class() {
        assert_eq!(test_id("run 1", "a.b.C", "t"), test_id("run 2", "a.b.C", "t"));
        assert_ne!(test_id("pkg/a", "store", "t"), test_id("pkg/b", "store", "t"));
        assert_ne!(test_id("", "a.b", "c"), test_id("", "a", "b.c"));
    }

    #[test]
    fn base_names() {
        for (name, base) in [("a[1]", "a"), ("add(int)[2]", "add"), ("plain", "plain"), ("[x]", "[x]")] {
            assert_eq!(base_name(name), base);
        }
    }

    proptest::proptest! {
        #[test]
        fn canonical_is_stable(name in "[ -~]{0,60}") {
            let once = canonical(&name).into_owned();
            let twice = canonical(&once).into_owned();
            proptest::prop_assert_eq!(once, twice);
        }

        #[test]
        fn plain_names_are_those_that_nothing_changes(name in "[a-z0-9_\\[\\]=:@/ x-]{0,40}") {
            if is_plain(name.as_bytes()) {
                let mut slow = name.clone();
                for (pattern, replacement) in NOISE.iter() {
                    slow = pattern.replace_all(&slow, *replacement).into_owned();
                }
                proptest::prop_assert_eq!(mask_hex(slow).unwrap_or_else(|same| same), name);
            }
        }
    }
}
