//! Tests that are written like those that are there: how a test of the suite asks a
//! service, and new tests that ask it like that.
//!
//! What a new test needs is taken from an *exemplar*, a test that was seen asking: the
//! call, what stands before it, and of the file's imports, fixtures and helpers only
//! what those name.

mod address;
pub mod check;
mod class;
pub mod file;
mod java;
pub mod piece;
mod python;
mod script;

use serde_json::Value;

use self::check::Check;
use self::piece::Statement;
use crate::code::language::Language;
use crate::code::source::Source;
use crate::code::test_discovery::TestFn;

/// Names of answers where a test has several, and of elements of lists, by depth.
const SEVERAL: [&str; 3] = ["first", "second", "third"];
const ITEMS: [&str; 4] = ["item", "part", "piece", "element"];

/// A request that a test was seen sending.
#[derive(Clone, Copy, Debug)]
pub struct RequestPattern<'a> {
    /// In capitals.
    pub method: &'a str,
    /// Scheme, host and port; empty for some test clients.
    pub origin: &'a str,
    /// From its first slash on.
    pub path: &'a str,
}

/// How a test of the suite asks.
#[derive(Clone, Debug)]
pub struct ExampleTest {
    /// Its file.
    pub file: String,
    inner: Inner,
}

#[derive(Clone, Debug)]
enum Inner {
    Python(python::Exemplar),
    Script(Language, script::Exemplar),
    Java(Box<java::Exemplar>),
}

/// How a request differs from the exemplar's.
#[derive(Clone, Debug, PartialEq)]
pub enum RequestVariant {
    /// Not at all.
    Same,
    /// Another path.
    Path(String),
    /// This parameter and no other, of the path that is asked.
    Query(String, String, u32),
    /// Another method.
    Method(String),
    /// Another method, of another path.
    MethodOf(String, String),
    /// Credentials that are not valid, in this header.
    Credentials(String),
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
    pub asks: Vec<RequestVariant>,
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
pub fn exemplar(source: &Source, case: &TestFn<'_>, sought: RequestPattern<'_>) -> Option<ExampleTest> {
    let inner = match source.language {
        Language::Python => Inner::Python(python::exemplar(source, case, sought)?),
        Language::Java => Inner::Java(Box::new(java::exemplar(source, case, sought)?)),
        language if language.is_script() => Inner::Script(language, script::exemplar(source, case, sought)?),
        _ => return None,
    };
    Some(ExampleTest { file: source.path.clone(), inner })
}

impl ExampleTest {
    /// Its language.
    #[must_use]
    pub fn language(&self) -> Language {
        match self.inner {
            Inner::Python(_) => Language::Python,
            Inner::Script(language, _) => language,
            Inner::Java(_) => Language::Java,
        }
    }

    /// How much stands before its call: the less, the better an exemplar it is.
    #[must_use]
    pub fn weight(&self) -> usize {
        match &self.inner {
            Inner::Python(own) => own.weight(),
            Inner::Script(_, own) => own.weight(),
            Inner::Java(own) => own.weight(),
        }
    }

    /// Whether a value stands in the exemplar as it is written: what is made up anew each
    /// time, or comes from elsewhere, does not.
    #[must_use]
    pub fn shows(&self, value: &Value) -> bool {
        match &self.inner {
            Inner::Python(own) => own.shows(value),
            Inner::Script(_, own) => own.shows(value),
            Inner::Java(own) => own.shows(value),
        }
    }

    /// Whether a request of another path can be written.
    #[must_use]
    pub fn can(&self, ask: &RequestVariant) -> bool {
        match &self.inner {
            Inner::Python(own) => own.can(ask),
            Inner::Script(_, own) => own.can(ask),
            Inner::Java(own) => own.can(ask),
        }
    }

    /// Writes a test for a file in `folder`.
    #[must_use]
    pub fn write(&self, test: &NewTest, folder: &str) -> Option<Written> {
        match &self.inner {
            Inner::Python(own) => own.write(test, &self.file, folder),
            Inner::Script(_, own) => own.write(test, &self.file, folder),
            Inner::Java(own) => own.write(test),
        }
    }
}

/// The name of a file that holds tests of an endpoint: `test_generated_get_users_by_user.py`.
#[must_use]
pub fn file_name(language: Language, words: &[String]) -> String {
    match language {
        Language::Python => format!("test_generated_{}.py", words.join("_")),
        Language::Java => {
            let name = java::camel(words);
            let (first, rest) = name.split_at(name.len().min(1));
            format!("{}{rest}GeneratedTest.java", first.to_ascii_uppercase())
        }
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

/// Names of the answers to `count` requests, which no statement before them has taken.
fn answers(before: &[Statement], count: usize) -> Vec<String> {
    let is_taken = |name: &str| before.iter().any(|piece| piece.gives.contains(name));
    let free = |name: &str| if is_taken(name) { format!("{name}Answer") } else { name.to_owned() };
    if count == 1 { vec![free("response")] } else { SEVERAL.iter().take(count).map(|name| free(name)).collect() }
}

/// A text in quotes, as JSON, Python and JavaScript write it.
fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

/// Whether a text holds a piece that no letter or digit goes on with.
fn holds(text: &str, piece: &str) -> bool {
    text.match_indices(piece).any(|(at, _)| {
        let goes_on = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '.');
        !goes_on(text[..at].chars().next_back()) && !goes_on(text[at + piece.len()..].chars().next())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::test_discovery;
    use serde_json::json;

    fn read(path: &str, text: &str, method: &str, origin: &str, asked: &str) -> Option<ExampleTest> {
        let source = Source::parse(path, text)?;
        let cases = test_discovery::find(&source);
        let case = cases.first()?;
        exemplar(&source, case, RequestPattern { method, origin, path: asked })
    }

    fn call(found: &ExampleTest, ask: RequestVariant) -> String {
        let test = NewTest { words: vec!["x".to_owned()], asks: vec![ask], checks: Vec::new() };
        let text = found.write(&test, "tests/generated").unwrap().text;
        text.lines().find(|l| l.contains("response =")).unwrap().trim().to_owned()
    }

    /// How suites write addresses, and what a request of another path looks like then.
    #[test]
    fn addresses_in_python() {
        let other = || RequestVariant::Path("/users/9".to_owned());
        for (line, origin, expected) in [
            ("client.get('/users/1')", "http://testserver", r#"response = client.get("/users/9")"#),
            ("client.get(f'/users/{n}', headers=H)", "", r#"response = client.get("/users/9", headers=H)"#),
            ("requests.get(BASE + '/users/1')", "http://h:1", r#"response = requests.get(BASE + "/users/9")"#),
            ("requests.get(f'{BASE}/users/{n}')", "http://h:1", r#"response = requests.get(BASE + "/users/9")"#),
            ("requests.get('http://h:1/users/1')", "http://h:1", r#"response = requests.get("http://h:1/users/9")"#),
            ("client.request('GET', '/users/1')", "", r#"response = client.request('GET', "/users/9")"#),
            ("client.get(url=path)", "", r#"response = client.get(url="/users/9")"#),
        ] {
            let found = read("test_a.py", &format!("def test_a(client):\n    x = {line}\n"), "GET", origin, "/users/1");
            let found = found.unwrap_or_else(|| panic!("{line}"));
            assert_eq!(call(&found, other()), expected, "{line}");
        }
        // Another path, another method, and an address that nobody understands on the network.
        for (line, origin) in
            [("client.get('/orders')", ""), ("client.post('/users/1')", ""), ("fetch('/users/1')", "http://h:1")]
        {
            let text = format!("def test_a(client):\n    {line}\n");
            assert!(read("test_a.py", &text, "GET", origin, "/users/1").is_none(), "{line}");
        }
    }

    #[test]
    fn what_a_test_needs_comes_along() {
        let text = r#"
import os, re
from . import helpers
from app import app, other
import pytest

BASE = os.environ.get("BASE", "x")
UNUSED = 1


def make(client):
    return client.post(BASE)


@pytest.fixture
def user(client):
    return make(client)


def test_a(client, user):
    """Reads."""
    client.put("/users/1")
    with app.context() as inner:
        assert inner
        response = client.get(f"/users/{user}")
        assert response.ok
"#;
        let found = read("tests/test_a.py", text, "GET", "", "/users/1").unwrap();
        let test = NewTest {
            words: vec!["it".to_owned()],
            asks: vec![RequestVariant::Same],
            checks: vec![(0, Check::Status(200)), (0, Check::Equals(vec!["n".to_owned()], json!(5)))],
        };
        let written = found.write(&test, "tests/generated").unwrap();
        assert_eq!(
            written.text,
            "def test_it(client, user):\n    client.put(\"/users/1\")\n    with app.context() as inner:\n        response = client.get(f\"/users/{user}\")\n        assert response.status_code == 200\n        body = response.json()\n        assert body[\"n\"] == 5\n"
        );
        let header = written.header.join("\n");
        for (part, is_there) in [
            ("import os", true),
            ("import re", false),
            ("from app import app", true),
            ("other", false),
            ("UNUSED", false),
        ] {
            assert_eq!(header.contains(part), is_there, "{part}: {header}");
        }
        assert!(header.contains("def make(client)") && header.contains("def user(client)"), "{header}");
    }

    #[test]
    fn tests_of_jest() {
        let text = r#"
const request = require("supertest");
const { app } = require("../app");
let token;
beforeAll(async () => { token = await login(); });
describe("users", () => {
  const PATH = "/users";
  it("reads", async () => {
    const made = await request(app).post(PATH).send({ name: "a" });
    const response = await request(app).get(`/users/${made.body.id}`).set("A", token).expect(200);
    expect(response.body.name).toBe("a");
  });
});
"#;
        let found = read("tests/a.test.js", text, "GET", "http://localhost", "/users/1").unwrap();
        let test = NewTest {
            words: vec!["it".to_owned()],
            asks: vec![RequestVariant::Path("/users/9".to_owned())],
            checks: vec![(0, Check::Status(404))],
        };
        let written = found.write(&test, "tests/generated").unwrap();
        assert_eq!(
            written.text,
            "it(\"it\", async () => {\n  const response = await request(app).get(\"/users/9\").set(\"A\", token);\n  expect(response.status).toBe(404);\n});"
        );
        assert!(written.header.contains(&"const { app } = require(\"../../app\");".to_owned()), "{:?}", written.header);
        assert!(written.header.iter().any(|h| h.starts_with("beforeAll")), "{:?}", written.header);
    }

    /// Lines within a text are data: they stand in a written test, and in the file that
    /// it is read back from, as they stood in the exemplar.
    #[test]
    fn texts_over_several_lines_stay() {
        let text = "class TestA:\n    def test_a(self, client):\n        client.put('/x')\n        body = \"\"\"\n    four\n        eight\nnone\n\"\"\"\n        response = client.post('/users/1', data=body)\n";
        let found = read("tests/test_a.py", text, "POST", "", "/users/1").unwrap();
        let test = NewTest {
            words: vec!["it".to_owned()],
            asks: vec![RequestVariant::Same],
            checks: vec![(0, Check::Status(200))],
        };
        let written = found.write(&test, "tests/generated").unwrap();
        let update = |old: Option<&str>| {
            file::update(Language::Python, "t.py", old, "POST /users/1", std::slice::from_ref(&written))
        };
        let (file, _) = update(None).unwrap();
        assert!(file.contains("    body = \"\"\"\n    four\n        eight\nnone\n\"\"\"\n"), "{file}");
        let (again, kept) = update(Some(&file)).unwrap();
        assert_eq!((again.as_str(), kept.as_slice()), (file.as_str(), [file::Kept::Same].as_slice()));
    }

    #[test]
    fn credentials_of_any_header() {
        let text = "def test_a(client):\n    r = client.get('/users/1', headers={'X-Api-Key': KEY})\n";
        let found = read("test_a.py", text, "GET", "", "/users/1").unwrap();
        let asked = call(&found, RequestVariant::Credentials("X-Api-Key".to_owned()));
        assert_eq!(asked, r#"response = client.get('/users/1', headers={"X-Api-Key": "not-valid"})"#);
    }

    #[test]
    fn words_of_endpoints() {
        assert_eq!(words("GET", "/api/users/{userId}/lastLogins").join("_"), "get_api_users_by_user_id_last_logins");
        assert_eq!(words("GET", "/").join("_"), "get_root");
    }
}
