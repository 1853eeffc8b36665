//! Tests of JUnit 5 that ask with REST Assured.

mod write;

pub(super) use self::write::camel;

use std::collections::BTreeSet;

use tree_sitter::Node;

use super::address::{Address, Part, sender};
use super::piece::{Statement, text_of};
use super::{RequestPattern, RequestVariant};
use crate::code::source::{Source, children, field, walk};
use crate::code::test_discovery::{self, TestFn};

/// How a test asks; see the room's words.
#[derive(Clone, Debug)]
pub(super) struct Exemplar {
    /// `org.example`; empty where there is none.
    package: String,
    imports: Vec<Statement>,
    /// What stands before `{` of its class, with `$NAME` in the place of its name.
    class: String,
    /// Fields, hooks, helpers and types of the class.
    members: Vec<Statement>,
    /// ` throws Exception`, where the test has it.
    throws: String,
    /// Statements before the call.
    before: Vec<Statement>,
    chain: Chain,
}

/// `given().header("A", "b").when().get("/x")`.
#[derive(Clone, Debug)]
struct Chain {
    /// `given()`.
    on: String,
    /// Calls after it, with their arguments.
    calls: Vec<(String, String)>,
    method: String,
    /// The address as written.
    url: String,
    /// What is put into places of the address.
    more: Vec<String>,
    address: Address,
}

const METHODS: &[&str] = &["get", "post", "put", "patch", "delete", "head", "options"];
const HOOKS: &[&str] = &["BeforeAll", "BeforeEach", "AfterAll", "AfterEach", "RegisterExtension", "TempDir"];

pub(super) fn exemplar(source: &Source, case: &TestFn<'_>, sought: RequestPattern<'_>) -> Option<Exemplar> {
    let is_known = source.text.contains("io.restassured") && source.text.contains("org.junit.jupiter");
    let class = case.node.parent()?.parent().filter(|c| c.kind() == "class_declaration")?;
    // What stands in a class within a class needs both.
    if !is_known || class.parent()?.kind() != "program" {
        return None;
    }
    let is_plain = field(case.node, "parameters").is_some_and(|p| children(p).is_empty());
    let body = field(case.node, "body").filter(|_| is_plain)?;
    let (call, chain) = find_chain(source, body, sought)?;
    let throws = children(case.node).into_iter().find(|n| n.kind() == "throws");
    let package = children(source.root()).into_iter().find(|n| n.kind() == "package_declaration");
    let package = package.and_then(|p| children(p).into_iter().find(|n| n.kind().contains("identifier")));
    Some(Exemplar {
        package: package.map_or_else(String::new, |name| source.of(name).to_owned()),
        imports: children(source.root()).into_iter().filter_map(|node| import(source, node)).collect(),
        class: head(source, class)?,
        members: members(source, class)?,
        throws: throws.map_or_else(String::new, |node| format!(" {}", source.of(node))),
        before: before(source, body, call)?,
        chain,
    })
}

/// `import static a.B.c;` gives `c`; all of a package may give anything.
fn import(source: &Source, node: Node<'_>) -> Option<Statement> {
    let text = source.of(node).trim().to_owned();
    if node.kind() != "import_declaration" {
        return None;
    }
    let last = text.trim_end_matches(';').trim().rsplit('.').next()?.trim().to_owned();
    let for_all = last == "*";
    Some(Statement { text, gives: BTreeSet::from([last]), uses: BTreeSet::new(), for_all })
}

/// The head of a class, under another name and without what is public about it.
fn head(source: &Source, class: Node<'_>) -> Option<String> {
    let (name, body) = (field(class, "name")?, field(class, "body")?);
    let (start, end) = (class.start_byte(), body.start_byte());
    let before = source.text[start..name.start_byte()].trim_start();
    let after = source.text[name.end_byte()..end].trim_end();
    // A name that people are shown would be that of two classes.
    let is_title = |line: &&str| !line.trim_start().starts_with("@DisplayName");
    let before: Vec<&str> = before.lines().filter(is_title).collect();
    let before = before.join("\n").replace("public ", "").replace("final ", "");
    Some(format!("{before}$NAME{after}"))
}

/// What a class has besides tests.
fn members(source: &Source, class: Node<'_>) -> Option<Vec<Statement>> {
    let tests: BTreeSet<usize> = test_discovery::find(source).iter().map(|case| case.node.id()).collect();
    let all = children(field(class, "body")?).into_iter().filter(|node| !tests.contains(&node.id()));
    let piece = |node: Node<'_>| {
        let gives: BTreeSet<String> = match node.kind() {
            "field_declaration" => declared(source, node),
            "method_declaration"
            | "class_declaration"
            | "record_declaration"
            | "enum_declaration"
            | "interface_declaration" => BTreeSet::from([source.of(field(node, "name")?).to_owned()]),
            "static_initializer" | "block" => BTreeSet::new(),
            _ => return None,
        };
        let marks = children(node).into_iter().find(|n| n.kind() == "modifiers").map_or("", |m| source.of(m));
        let for_all = gives.is_empty() || HOOKS.iter().any(|hook| marks.contains(&format!("@{hook}")));
        Some(Statement { text: text_of(source, node), gives, uses: names_in(source, node), for_all })
    };
    Some(all.filter_map(piece).collect())
}

/// The names that variables are declared by.
fn declared(source: &Source, node: Node<'_>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    walk(node, |n| {
        if n.kind() == "variable_declarator" {
            found.extend(field(n, "name").map(|name| source.of(name).to_owned()));
        }
        if n.kind() == "assignment_expression" {
            found.extend(field(n, "left").map(|left| source.of(left).to_owned()));
        }
        n.kind() != "lambda_expression"
    });
    found
}

/// The names that stand in a piece of source.
fn names_in(source: &Source, node: Node<'_>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    walk(node, |node| {
        if matches!(node.kind(), "identifier" | "type_identifier") {
            found.insert(source.of(node).to_owned());
        }
        true
    });
    found
}

/// The call of a test that sends the request.
fn find_chain<'t>(source: &Source, body: Node<'t>, sought: RequestPattern<'_>) -> Option<(Node<'t>, Chain)> {
    let mut found: Vec<((Node<'t>, Chain), bool)> = Vec::new();
    walk(body, |node| {
        if node.kind() == "method_invocation"
            && let Some(chain) = read_chain(source, node, sought)
        {
            let is_sure = chain.address.is_sure;
            found.push(((node, chain), is_sure));
        }
        true
    });
    sender(found)
}

fn read_chain(source: &Source, node: Node<'_>, sought: RequestPattern<'_>) -> Option<Chain> {
    let method = source.of(field(node, "name")?);
    if !METHODS.contains(&method) || method != sought.method.to_ascii_lowercase() {
        return None;
    }
    let mut arguments = children(field(node, "arguments")?).into_iter();
    let url = arguments.next()?;
    let address = Address::read(parts(source, url).as_deref(), sought)?;
    let mut calls = Vec::new();
    let mut at = field(node, "object")?;
    while at.kind() == "method_invocation" {
        let (name, object) = (source.of(field(at, "name")?), field(at, "object"));
        let text = field(at, "arguments").map_or("", |a| source.of(a));
        let text = text.strip_prefix('(').and_then(|a| a.strip_suffix(')')).unwrap_or("").trim();
        match object {
            // `RestAssured.given()` begins a chain, as `given()` does.
            Some(object) if object.kind() == "method_invocation" || !matches!(name, "given" | "when") => {
                calls.push((name.to_owned(), text.to_owned()));
                at = object;
            }
            _ => break,
        }
    }
    calls.reverse();
    // An answer is asked for what it holds by the same words.
    if !matches!(at.kind(), "method_invocation" | "identifier") || calls.iter().any(|(name, _)| name == "then") {
        return None;
    }
    let on = source.of(at);
    let on = on.strip_suffix("when()").map_or_else(|| on.to_owned(), |before| format!("{before}given()"));
    let more = arguments.map(|argument| source.of(argument).to_owned()).collect();
    Some(Chain { on, calls, method: method.to_owned(), url: source.of(url).to_owned(), more, address })
}

/// The parts of a text that is put together; `{id}` is filled in by REST Assured.
fn parts(source: &Source, node: Node<'_>) -> Option<Vec<Part>> {
    match node.kind() {
        "string_literal" => {
            let text = source.of(node).trim_matches('"');
            let mut found = Vec::new();
            for (at, piece) in text.split('{').enumerate() {
                match piece.split_once('}').filter(|_| at > 0) {
                    Some((name, rest)) => {
                        found.push(Part::Hole(name.to_owned()));
                        found.push(Part::Text(rest.to_owned()));
                    }
                    None => found.push(Part::Text(piece.to_owned())),
                }
            }
            found.retain(|part| !matches!(part, Part::Text(text) if text.is_empty()));
            (!found.is_empty()).then_some(found)
        }
        "binary_expression" if field(node, "operator").map(|o| source.of(o)) == Some("+") => {
            let side = |name| {
                let node = field(node, name)?;
                Some(parts(source, node).unwrap_or_else(|| vec![Part::Hole(source.of(node).to_owned())]))
            };
            let mut left = side("left")?;
            left.extend(side("right")?);
            Some(left)
        }
        "parenthesized_expression" => parts(source, children(node).into_iter().next()?),
        _ => None,
    }
}

/// The statements before a call; `None` where the call is made only under a condition,
/// or by somebody else.
fn before(source: &Source, body: Node<'_>, call: Node<'_>) -> Option<Vec<Statement>> {
    let mut found = Vec::new();
    for statement in children(body) {
        if statement.start_byte() <= call.start_byte() && call.end_byte() <= statement.end_byte() {
            let mut at = call;
            while at.id() != statement.id() {
                if at.kind() == "lambda_expression" {
                    return None;
                }
                at = at.parent()?;
            }
            let is_plain = matches!(statement.kind(), "expression_statement" | "local_variable_declaration");
            return is_plain.then_some(found);
        }
        let text = source.of(statement);
        if text.starts_with("assert") || statement.kind().contains("comment") {
            continue;
        }
        found.push(Statement {
            text: text_of(source, statement),
            gives: declared(source, statement),
            uses: names_in(source, statement),
            for_all: false,
        });
    }
    None
}

impl Exemplar {
    pub(super) fn weight(&self) -> usize {
        self.before.len()
    }

    pub(super) fn can(&self, ask: &RequestVariant) -> bool {
        match ask {
            RequestVariant::Path(_) | RequestVariant::Query(..) | RequestVariant::MethodOf(..) => {
                self.chain.address.is_open()
            }
            RequestVariant::Body(_) => self.chain.calls.iter().filter(|(name, _)| name == "body").count() == 1,
            _ => true,
        }
    }

    pub(super) fn shows(&self, value: &serde_json::Value) -> bool {
        let written = value.to_string();
        // JSON within a text of Java.
        let within = written.replace('"', "\\\"");
        let calls = self.chain.calls.iter().map(|(_, text)| text);
        let all = calls.chain(self.before.iter().map(|s| &s.text)).chain(self.members.iter().map(|d| &d.text));
        all.into_iter().any(|text| super::holds(text, &written) || super::holds(text, &within))
    }
}

#[cfg(test)]
mod tests {
    use crate::code::language::Language;
    use crate::code::source::Source;
    use crate::code::style::check::{Check, Is};
    use crate::code::style::file::{Kept, update};
    use crate::code::style::{ExampleTest, NewTest, RequestPattern, RequestVariant, Written, exemplar, file_name};
    use crate::code::test_discovery;
    use serde_json::json;

    const SUITE: &str = r#"package a.b;

import static io.restassured.RestAssured.given;
import io.restassured.RestAssured;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

@DisplayName("All about users")
@Tag("api")
public class UsersTest extends Base {
    static final String KEY = "k";
    static final int UNUSED = 1;
    @BeforeAll
    static void open() { RestAssured.port = 1; }
    int user(String name) { return given().body(Map.of("name", name)).post("/users").path("id"); }
    @Test
    void reads() throws Exception {
        int id = user("ann");
        assertEquals(1, id);
        CALL
    }
}
"#;

    fn found(call: &str, path: &str) -> Option<ExampleTest> {
        let source = Source::parse("src/test/java/a/b/UsersTest.java", &SUITE.replace("CALL", call))?;
        let cases = test_discovery::find(&source);
        exemplar(&source, cases.first()?, RequestPattern { method: "GET", origin: "http://localhost:1", path })
    }

    fn written(call: &str, path: &str, ask: RequestVariant, checks: Vec<(usize, Check)>) -> Written {
        let test = NewTest { words: vec!["get".to_owned(), "it's".to_owned()], asks: vec![ask], checks };
        found(call, path).unwrap_or_else(|| panic!("{call}")).write(&test, "").unwrap()
    }

    /// How suites ask, and what a request of another path or with other credentials
    /// looks like then.
    #[test]
    fn requests() {
        let other = || RequestVariant::Path("/users/9".to_owned());
        let key = || RequestVariant::Credentials("X-Key".to_owned());
        let query = || RequestVariant::Query("/users".to_owned(), "limit".to_owned(), 1);
        for (call, path, ask, expected) in [
            (
                "given().when().get(\"/users/\" + id).then().statusCode(200);",
                "/users/1",
                other(),
                r#"given().get("/users/9")"#,
            ),
            ("given().pathParam(\"id\", id).get(\"/users/{id}\");", "/users/1", other(), r#"given().get("/users/9")"#),
            ("Response r = given().get(\"/users/{id}\", id);", "/users/1", other(), r#"given().get("/users/9")"#),
            (
                "Response r = given().get(\"/users/{id}\", id);",
                "/users/1",
                RequestVariant::Same,
                r#"given().get("/users/{id}", id)"#,
            ),
            ("when().get(\"/users/1\").then().statusCode(200);", "/api/users/1", other(), r#"given().get("/users/9")"#),
            (
                "RestAssured.given().header(\"X-Key\", KEY).get(\"/users/1\");",
                "/users/1",
                key(),
                r#"RestAssured.given().header("X-Key", "not-valid").get("/users/1")"#,
            ),
            (
                "given().auth().oauth2(KEY).get(\"/users/1\");",
                "/users/1",
                RequestVariant::Credentials("Authorization".to_owned()),
                r#"given().header("Authorization", "Bearer not-valid").get("/users/1")"#,
            ),
            (
                "given().queryParam(\"page\", 2).get(\"/users\");",
                "/users",
                query(),
                r#"given().queryParam("limit", 1).get("/users")"#,
            ),
        ] {
            let text = written(call, path, ask, Vec::new()).text;
            let line = text.lines().find(|l| l.contains("Response response =")).unwrap().trim();
            assert_eq!(line, format!("Response response = {expected};"), "{call}");
        }
        // Under a condition, by somebody else; an address that nobody understands.
        for call in ["if (id > 1) { given().get(\"/users/1\"); }", "run(() -> given().get(\"/users/1\"));"] {
            assert!(found(call, "/users/1").is_none(), "{call}");
        }
        let unclear = found("given().get(url);", "/users/1").unwrap();
        assert!(!unclear.can(&other()) && unclear.can(&RequestVariant::Same));
    }

    #[test]
    fn files() {
        let is = |kinds: Vec<&'static str>| Is { kinds, ..Is::default() };
        let place = |text: &str| text.split('/').map(str::to_owned).collect::<Vec<_>>();
        let checks = vec![
            (0, Check::Status(200)),
            (0, Check::Field(place("users/*/lines/*/a-b"), Is { nullable: true, ..is(vec!["integer"]) })),
            (0, Check::Field(place("users"), Is { filled: true, ..is(vec!["array"]) })),
            (0, Check::Equals(place("price"), json!(2.5))),
        ];
        let test =
            written("given().header(\"X-Key\", KEY).get(\"/users/1\");", "/users/1", RequestVariant::Same, checks);
        let name = file_name(Language::Java, &["get".to_owned(), "users".to_owned()]);
        assert_eq!(name, "GetUsersGeneratedTest.java");
        let put =
            |old: Option<&str>| update(Language::Java, &name, old, "GET /users", std::slice::from_ref(&test)).unwrap();
        let (file, kept) = put(None);
        assert_eq!(kept, [Kept::Added]);
        let expected = r#"package a.b;

import static io.restassured.RestAssured.given;
import static org.hamcrest.Matchers.anyOf;
import static org.hamcrest.Matchers.empty;
import static org.hamcrest.Matchers.equalTo;
import static org.hamcrest.Matchers.everyItem;
import static org.hamcrest.Matchers.hasKey;
import static org.hamcrest.Matchers.instanceOf;
import static org.hamcrest.Matchers.not;
import static org.hamcrest.Matchers.nullValue;

import io.restassured.RestAssured;
import io.restassured.response.Response;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

@Tag("api")
class GetUsersGeneratedTest extends Base {
    static final String KEY = "k";

    @BeforeAll
    static void open() { RestAssured.port = 1; }

    int user(String name) { return given().body(Map.of("name", name)).post("/users").path("id"); }

    // testmedic: "#;
        assert!(file.contains(expected), "{file}");
        let expected = r#"
    @Test
    void getItS() throws Exception {
        int id = user("ann");
        Response response = given().header("X-Key", KEY).get("/users/1");
        response.then()
            .statusCode(200)
            .body("price", equalTo(2.5f))
            .body("users", instanceOf(List.class))
            .body("users", not(empty()))
            .body("users.lines.flatten()", everyItem(hasKey("a-b")))
            .body("users.lines.flatten().'a-b'", everyItem(anyOf(nullValue(), instanceOf(Integer.class), instanceOf(Long.class))));
    }
}
"#;
        assert!(file.ends_with(expected), "{file}");
        assert_eq!(put(Some(&file)), (file.clone(), vec![Kept::Same]));
        // What a person changed is theirs.
        let changed = file.replace("statusCode(200)", "statusCode(201)");
        assert_eq!(put(Some(&changed)), (changed.clone(), vec![Kept::Changed]));
    }
}
