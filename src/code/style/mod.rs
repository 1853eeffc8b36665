//! Tests that are written like those that are there: how a test of the suite asks a
//! service, and new tests that ask it like that.
//!
//! What a new test needs is taken from an *exemplar*, a test that was seen asking: the
//! call, what stands before it, and of the file's imports, fixtures and helpers only
//! what those name.

pub mod check;
pub mod file;
mod python;
mod script;

use serde_json::Value;

use self::check::Check;
use crate::code::cases::{self, Case};
use crate::code::language::Language;
use crate::code::source::Source;

/// A request that a test was seen sending.
#[derive(Clone, Copy, Debug)]
pub struct Sought<'a> {
    /// In capitals.
    pub method: &'a str,
    /// Scheme, host and port; empty for some test clients.
    pub origin: &'a str,
    /// From its first slash on.
    pub path: &'a str,
}

/// How a test of the suite asks.
#[derive(Clone, Debug)]
pub struct Exemplar {
    /// Its file.
    pub file: String,
    /// Names from the outermost class or group to the test.
    pub test: Vec<String>,
    inner: Inner,
}

#[derive(Clone, Debug)]
enum Inner {
    Python(python::Exemplar),
    Script(Language, script::Exemplar),
}

/// How a request differs from the exemplar's.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// Not at all.
    Same,
    /// Another path.
    Path(String),
    /// Another method.
    Method(String),
    /// Another method, of another path.
    MethodOf(String, String),
    /// Credentials that are not valid.
    Credentials,
    /// Another body.
    Body(Value),
    /// A header more, whose value is that of a header of the answer before.
    Quoting(String, String),
}

/// A test to write.
#[derive(Clone, Debug, PartialEq)]
pub struct NewTest {
    /// What it shows, in small words: `get users by id has roles`.
    pub words: Vec<String>,
    /// Its requests, in order.
    pub asks: Vec<Ask>,
    /// What it checks, each of the answer at an index.
    pub checks: Vec<(usize, Check)>,
}

/// A test as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its name in the language.
    pub name: String,
    /// Imports and definitions that it needs, in order.
    pub header: Vec<String>,
    /// The class around it, head and common members; empty where it needs none.
    pub frame: String,
    /// Its text, without indentation of its own.
    pub text: String,
}

/// Finds how a test asked what it was seen asking. `None` where its source does not
/// show it: a helper asks, or the address is made up in a way that is not understood.
#[must_use]
pub fn exemplar(source: &Source, case: &Case<'_>, sought: Sought<'_>) -> Option<Exemplar> {
    let inner = match source.language {
        Language::Python => Inner::Python(python::exemplar(source, case, sought)?),
        language if language.is_script() => Inner::Script(language, script::exemplar(source, case, sought)?),
        _ => return None,
    };
    Some(Exemplar { file: source.path.clone(), test: case.path.clone(), inner })
}

impl Exemplar {
    /// Its language.
    #[must_use]
    pub fn language(&self) -> Language {
        match self.inner {
            Inner::Python(_) => Language::Python,
            Inner::Script(language, _) => language,
        }
    }

    /// How much stands before its call: the less, the better an exemplar it is.
    #[must_use]
    pub fn weight(&self) -> usize {
        match &self.inner {
            Inner::Python(own) => own.weight(),
            Inner::Script(_, own) => own.weight(),
        }
    }

    /// Whether a value stands in the exemplar as it is written: what is made up anew each
    /// time, or comes from elsewhere, does not.
    #[must_use]
    pub fn shows(&self, value: &Value) -> bool {
        match &self.inner {
            Inner::Python(own) => own.shows(value),
            Inner::Script(_, own) => own.shows(value),
        }
    }

    /// Whether a request of another path can be written.
    #[must_use]
    pub fn can(&self, ask: &Ask) -> bool {
        match &self.inner {
            Inner::Python(own) => own.can(ask),
            Inner::Script(_, own) => own.can(ask),
        }
    }

    /// Writes a test for a file in `folder`.
    #[must_use]
    pub fn write(&self, test: &NewTest, folder: &str) -> Option<Written> {
        match &self.inner {
            Inner::Python(own) => own.write(test, &self.file, folder),
            Inner::Script(_, own) => own.write(test, &self.file, folder),
        }
    }
}

/// The names of a file's tests, with their text.
#[must_use]
pub fn tests_of(source: &Source) -> Vec<(String, std::ops::Range<usize>)> {
    cases::find(source).into_iter().map(|case| (case.name().to_owned(), case.node.byte_range())).collect()
}

/// The name of a file that holds tests of an endpoint: `test_generated_get_users_by_user.py`.
#[must_use]
pub fn file_name(language: Language, words: &[String]) -> String {
    match language {
        Language::Python => format!("test_generated_{}.py", words.join("_")),
        Language::TypeScript | Language::Tsx => format!("{}.generated.test.ts", words.join("-")),
        _ => format!("{}.generated.test.js", words.join("-")),
    }
}

/// The words of an endpoint: `get users by id`.
#[must_use]
pub fn words(method: &str, template: &str) -> Vec<String> {
    let mut words = vec![method.to_ascii_lowercase()];
    for segment in template.split('/').filter(|s| !s.is_empty()) {
        if let Some(name) = segment.strip_prefix('{').and_then(|s| s.strip_suffix('}')) {
            words.push("by".to_owned());
            words.extend(plain(name));
        } else {
            words.extend(plain(segment));
        }
    }
    if words.len() == 1 {
        words.push("root".to_owned());
    }
    words
}

/// The words of a name: `lastLoginAt` is `last login at`.
#[must_use]
pub fn plain(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut lower = false;
    for c in name.chars() {
        if !c.is_ascii_alphanumeric() {
            lower = false;
            words.push(String::new());
            continue;
        }
        if c.is_ascii_uppercase() && lower || words.is_empty() {
            words.push(String::new());
        }
        lower = c.is_ascii_lowercase() || c.is_ascii_digit();
        if let Some(word) = words.last_mut() {
            word.push(c.to_ascii_lowercase());
        }
    }
    words.retain(|w| !w.is_empty());
    words
}

/// Whether a text holds a piece that no letter or digit goes on with.
fn holds(text: &str, piece: &str) -> bool {
    text.match_indices(piece).any(|(at, _)| {
        let goes_on = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '.');
        !goes_on(text[..at].chars().next_back()) && !goes_on(text[at + piece.len()..].chars().next())
    })
}
