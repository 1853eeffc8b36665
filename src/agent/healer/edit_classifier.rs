//! An edit that somebody else wrote, read token by token: what it changes, so that it is
//! weighed like an edit of ours.

use tree_sitter::Node;

use super::Part;
use crate::code::source::Source;
use crate::code::value::Value;
use crate::model::heal::EditKind;

/// Tokens that may differ; more are a person's to judge.
const MOST: usize = 8;

/// Nodes of texts, in all languages.
const TEXTS: &[&str] = &[
    "string",
    "string_literal",
    "interpreted_string_literal",
    "raw_string_literal",
    "template_string",
    "character_literal",
    "char_literal",
    "encapsed_string",
];

/// Words in the names of other nodes of texts: pieces around something computed, patterns.
const PIECES: &[&str] = &["string", "regex", "heredoc", "escape", "content", "fragment", "pattern", "comment"];

/// Of FNV-1a, to hash what is around a token.
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// A token of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Name,
    Other,
}

#[derive(Clone, Debug)]
struct Token<'s> {
    kind: Kind,
    text: &'s str,
    /// Whether it names a member: the key of an entry, or what is looked up.
    is_key: bool,
    /// What it stands in, from the file down, as a hash: where white space is structure
    /// nothing else tells that it moved.
    within: u64,
}

/// What an edit of a file changes, where it changes nothing but values and names; `None`
/// where it adds, takes away or turns round anything.
#[must_use]
pub fn parts(path: &str, old: &str, new: &str) -> Option<Vec<Part>> {
    let (before, after) = (Source::parse(path, old)?, Source::parse(path, new)?);
    let (before, after) = (tokens(&before), tokens(&after));
    if before.len() != after.len() {
        return None;
    }
    let mut found: Vec<Part> = Vec::new();
    for at in 0..before.len() {
        let (old, new) = (&before[at], &after[at]);
        if old.within != new.within {
            return None;
        }
        if old.text == new.text && old.kind == new.kind {
            continue;
        }
        found.push(part(&before, at, new)?);
    }
    (!found.is_empty() && found.len() <= MOST).then_some(found)
}

fn part(before: &[Token<'_>], at: usize, new: &Token<'_>) -> Option<Part> {
    let old = &before[at];
    let part =
        |kind, field, came| Some(Part { kind, field, old: bare(old).to_owned(), new: bare(new).to_owned(), came });
    let came = value(new);
    match (old.kind, new.kind) {
        (Kind::Other, _) | (_, Kind::Other) => None,
        // One way to assert in the place of another is no other name of a thing.
        (Kind::Name, Kind::Name) if asserts(old.text) || asserts(new.text) => None,
        (Kind::Name, Kind::Name) if came.is_none() && value(old).is_none() => {
            part(EditKind::RenamedKey, String::new(), None)
        }
        (Kind::Text, Kind::Text) if old.is_key && new.is_key => part(EditKind::RenamedKey, String::new(), None),
        // A name in the place of a value could be anything.
        (Kind::Text | Kind::Number | Kind::Name, _) => {
            let (was, came) = (value(old)?, came?);
            let kind = match (&was, &came) {
                (Value::Number(a), Value::Number(b)) if is_status(a) && is_status(b) => EditKind::Status,
                (Value::Text(a), Value::Text(_)) if a.split_whitespace().count() > 2 => EditKind::Message,
                (a, b) if a.kind() == b.kind() => EditKind::Literal,
                _ => EditKind::Type,
            };
            part(kind, field(before, at), Some(came))
        }
    }
}

fn is_status(number: &str) -> bool {
    number.parse::<u16>().is_ok_and(|status| (100..600).contains(&status))
}

/// Whether a text names a member: `{"name": …}`, `x["name"]`.
fn is_key(node: Node<'_>) -> bool {
    let Some(parent) = node.parent() else { return false };
    let is_field = |name: &str| parent.child_by_field_name(name).is_some_and(|child| child.id() == node.id());
    match parent.kind() {
        "pair" | "keyed_element" => is_field("key"),
        "subscript" => is_field("subscript"),
        "subscript_expression" | "index_expression" => is_field("index"),
        "element_reference" => parent.child(0).is_some_and(|first| first.id() != node.id()),
        _ => false,
    }
}

/// Whether a name is a way to assert something.
fn asserts(name: &str) -> bool {
    let lower = name.to_lowercase();
    let is_matcher =
        |word: &str| name.strip_prefix(word).is_some_and(|rest| rest.starts_with(|c: char| c.is_uppercase()));
    ["assert", "expect", "should", "called", "verify", "require", "must", "match", "contain", "equal", "raise", "throw"]
        .iter()
        .any(|word| lower.contains(word))
        || ["to", "is", "has", "be"].iter().any(|word| is_matcher(word) || name.starts_with(&format!("{word}_")))
        || matches!(name, "eq" | "be" | "include" | "any" | "all" | "not" | "ok")
}

/// The name that stands closest before a value.
fn field(tokens: &[Token<'_>], at: usize) -> String {
    let before = tokens[..at].iter().rev().take(8);
    let named = before.filter(|t| matches!(t.kind, Kind::Name | Kind::Text)).find(|t| {
        value(t).is_none_or(|v| matches!(v, Value::Text(_)))
            && !matches!(
                t.text,
                "assert" | "expect" | "equal" | "toBe" | "toEqual" | "assertEquals" | "assertEqual" | "json"
            )
    });
    named.map(|t| bare(t).to_owned()).unwrap_or_default()
}

fn bare<'s>(token: &Token<'s>) -> &'s str {
    if token.kind == Kind::Text { token.text.trim_matches(['"', '\'', '`']) } else { token.text }
}

/// What a token means, where it is a value.
fn value(token: &Token<'_>) -> Option<Value> {
    match (token.kind, token.text) {
        (Kind::Text, _) => Some(Value::Text(bare(token).to_owned())),
        (Kind::Number, text) => Some(Value::Number(text.to_owned())),
        (_, "None" | "null" | "nil" | "undefined" | "NULL") => Some(Value::Null),
        (_, "True" | "true" | "TRUE") => Some(Value::Bool(true)),
        (_, "False" | "false" | "FALSE") => Some(Value::Bool(false)),
        _ => None,
    }
}

fn tokens(source: &Source) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut cursor = source.root().walk();
    // Without recursion: nesting is the file's choice.
    let mut around = vec![0_u64];
    loop {
        let node = cursor.node();
        let within = around.last().copied().unwrap_or(0);
        if !token(source, node, within, &mut found) && cursor.goto_first_child() {
            around.push((within ^ u64::from(node.kind_id())).wrapping_mul(PRIME));
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return found;
            }
            around.pop();
        }
    }
}

/// Takes a node as a token, if it is one.
fn token<'s>(source: &'s Source, node: Node<'_>, within: u64, found: &mut Vec<Token<'s>>) -> bool {
    let kind = node.kind();
    // A text without anything computed in it is one token.
    let is_text = TEXTS.contains(&kind) && !has_inside(node);
    let is_token = is_text || node.child_count() == 0 || kind.contains("comment");
    let text = source.of(node);
    if is_token && !text.trim().is_empty() {
        found.push(Token { kind: kind_of(is_text, kind, text), text, is_key: is_key(node), within });
    }
    is_token
}

/// Whether something is computed within a text.
fn has_inside(node: Node<'_>) -> bool {
    let mut cursor = node.walk();
    node.children(&mut cursor).any(|c| {
        let kind = c.kind();
        kind.contains("interpolation")
            || kind.contains("substitution")
            || kind.contains("concatenated")
            || kind == "string"
    })
}

fn kind_of(is_text: bool, node: &str, text: &str) -> Kind {
    let begins = |is: fn(char) -> bool| text.starts_with(is);
    if is_text {
        Kind::Text
    } else if PIECES.iter().any(|piece| node.contains(piece)) {
        Kind::Other
    } else if begins(|c| c.is_ascii_digit()) {
        Kind::Number
    } else if begins(|c| c.is_alphabetic() || c == '_' || c == '$') && !is_word(node, text) {
        Kind::Name
    } else {
        Kind::Other
    }
}

/// Whether a token is a word of the language: grammars name those by themselves.
fn is_word(node: &str, text: &str) -> bool {
    const VALUES: &[&str] = &["None", "null", "nil", "undefined", "True", "true", "False", "false"];
    node == text && !VALUES.contains(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Told<'a> = Vec<(EditKind, &'a str, &'a str, &'a str)>;

    fn told(parts: &[Part]) -> Told<'_> {
        parts.iter().map(|p| (p.kind, p.field.as_str(), p.old.as_str(), p.new.as_str())).collect()
    }

    #[test]
    fn values_and_names_are_read() {
        let python = "def test_it(client):\n    r = client.get('/orders')\n    assert r.status_code == 200\n    \
                      assert r.json()[\"state\"] == \"queued\"\n";
        let table: [(&str, &str, Told<'_>); 5] = [
            ("200", "201", vec![(EditKind::Status, "status_code", "200", "201")]),
            ("\"queued\"", "\"pending\"", vec![(EditKind::Literal, "state", "queued", "pending")]),
            ("\"state\"", "\"status\"", vec![(EditKind::RenamedKey, "", "state", "status")]),
            ("\"queued\"", "7", vec![(EditKind::Type, "state", "queued", "7")]),
            ("\"queued\"", "None", vec![(EditKind::Type, "state", "queued", "None")]),
        ];
        for (old, new, expected) in table {
            let text = python.replace(old, new);
            let found = parts("tests/test_a.py", python, &text).unwrap_or_default();
            assert_eq!(told(&found), expected, "{text}");
        }
        let script = "test('it', async () => {\n  expect(res.body).toEqual({ state: 'queued', size: 1 });\n});\n";
        let found = parts("a.test.js", script, &script.replace("state", "status").replace('1', "2")).unwrap();
        assert_eq!(
            told(&found),
            vec![(EditKind::RenamedKey, "", "state", "status"), (EditKind::Literal, "size", "1", "2")]
        );
    }

    /// What does more than that is a person's.
    #[test]
    fn all_else_is_not_read() {
        let python = "def test_it():\n    assert total([1, 2]) == 3\n";
        for (old, new) in [
            ("== 3", ">= 3"),
            ("== 3", "== 3 or True"),
            ("[1, 2]", "[1, 2, 3]"),
            ("assert total", "total"),
            ("== 3", "== total([1, 2])"),
            ("== 3", "== three"),
            ("total([1, 2])", "total(f\"x{1}\")"),
            ("    assert", "    import os\n    assert"),
            ("assert", "return"),
        ] {
            let text = python.replace(old, new);
            assert_eq!(parts("tests/test_a.py", python, &text), None, "{text}");
        }
        assert_eq!(parts("tests/test_a.py", python, &format!("{python}# a word\n")), None, "nothing changes");
        // A comment may speak to a tool, and an indent is structure: neither hides behind a value.
        let python = "def test_it():\n    for n in sizes():\n        print(n)\n    assert total(n) == 3  # all\n";
        let value = python.replace("== 3", "== 4");
        assert_eq!(parts("tests/test_a.py", python, &value).map(|p| p.len()), Some(1));
        let mock = "def test_it(mail):\n    mail.send.assert_called_once_with(\"queued\")\n";
        let weaker = mock.replace("assert_called_once_with", "assert_any_call").replace("queued", "pending");
        assert_eq!(parts("tests/test_a.py", mock, &weaker), None, "another way to assert");
        let text = "def test_it():\n    assert greet() == f\"Hello {name}\"\n";
        assert_eq!(parts("tests/test_a.py", text, &text.replace("Hello", "undefined")), None, "a piece of a text");
        let list = "it('x', () => { expect(f()).toMatch(/queued/); });\n";
        assert_eq!(parts("a.test.js", list, &list.replace("queued", "d")), None, "a pattern");
        let ruby = "it 'x' do\n  expect(names).to eq ['queued']\nend\n";
        let found = parts("spec/a_spec.rb", ruby, &ruby.replace("queued", "error")).unwrap_or_default();
        assert!(found.iter().all(|p| p.kind == EditKind::Literal), "a value, no key: {found:?}");
        for other in [value.replace("# all", "# noqa"), value.replace("    assert", "        assert")] {
            assert_eq!(parts("tests/test_a.py", python, &other), None, "{other}");
        }
        assert_eq!(parts("tests/a.unknown", "a", "b"), None);
    }
}
