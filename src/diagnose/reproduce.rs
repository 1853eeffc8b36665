//! The command that runs one test again, in the syntax of its runner.

use crate::model::test::TestCase;

/// A command for a shell, with every name quoted; `None` where the runner, or
/// how it names single tests, is not known.
#[must_use]
pub fn command(dialect: &str, case: &TestCase) -> Option<String> {
    let name = case.name.name.raw();
    let class = case.name.classname.raw();
    let file = case.place.as_ref().map(|p| p.file.raw()).filter(|f| !f.starts_with('/'));
    if name.is_empty() || [name, class].iter().any(|t| t.contains('\n')) {
        return None;
    }
    let base = name.split(['[', '(', '{']).next().unwrap_or(name).trim();
    Some(match dialect {
        "pytest" => format!("python -m pytest {}", quote(&pytest(class, name, file))),
        "unittest" => format!("python -m unittest {}", quote(&format!("{class}.{base}"))),
        "jest" => format!("npx jest{} -t {}", with(file), quote(name)),
        "vitest" => format!("npx vitest run{} -t {}", with(file.or(Some(class))), quote(last_part(name, " > "))),
        "mocha" => format!("npx mocha{} --grep {}", with(file), quote(name)),
        "node-test" => format!("node --test --test-name-pattern={}", quote(name)),
        "playwright" => format!("npx playwright test{} -g {}", with(file), quote(last_part(name, " › "))),
        "surefire" => format!("mvn test -Dtest={}", quote(&format!("{class}#{base}"))),
        "gradle" => format!("./gradlew test --tests {}", quote(&format!("{class}.{base}"))),
        "gotestsum" | "go-junit-report" => format!("go test ./... -run {}", quote(&go(name))),
        "nextest" => format!("cargo nextest run -E {}", quote(&format!("test(={name})"))),
        "ctest" => format!("ctest --output-on-failure -R {}", quote(&format!("^{name}$"))),
        "rspec" => format!("bundle exec rspec{} -e {}", with(file), quote(name)),
        "phpunit" => format!("vendor/bin/phpunit{} --filter {}", with(file), quote(base)),
        "bats" => format!("bats{} --filter {}", with(file.or(Some(class))), quote(name)),
        _ => return None,
    })
}

/// `tests/test_a.py::TestX::test_y[1]`.
fn pytest(class: &str, name: &str, file: Option<&str>) -> String {
    let parts: Vec<&str> = class.split('.').filter(|p| !p.is_empty()).collect();
    let modules = parts.iter().take_while(|p| !p.starts_with(char::is_uppercase)).count();
    let path =
        file.filter(|f| f.ends_with(".py")).map_or_else(|| format!("{}.py", parts[..modules].join("/")), str::to_owned);
    let mut id = vec![path];
    id.extend(parts[modules..].iter().map(|p| (*p).to_owned()));
    id.push(name.to_owned());
    id.join("::")
}

/// Subtests are named level by level: `^TestA$/^b$`.
fn go(name: &str) -> String {
    name.split('/').map(|part| format!("^{part}$")).collect::<Vec<_>>().join("/")
}

fn last_part<'t>(name: &'t str, separator: &str) -> &'t str {
    name.rsplit(separator).next().unwrap_or(name)
}

fn with(file: Option<&str>) -> String {
    file.filter(|f| !f.is_empty()).map(|f| format!(" {}", quote(f))).unwrap_or_default()
}

/// One word for a POSIX shell.
fn quote(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'.' | b'_' | b'-' | b':' | b'=' | b'#');
    if !text.is_empty() && !text.starts_with('-') && text.bytes().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::test::{Place, TestId, TestName};
    use crate::model::text::Untrusted;

    fn case(class: &str, name: &str, file: Option<&str>) -> TestCase {
        TestCase {
            id: TestId(0),
            name: TestName {
                suite: Untrusted::default(),
                classname: Untrusted::new(class),
                name: Untrusted::new(name),
            },
            place: file.map(|file| Place { file: Untrusted::new(file), line: None }),
            variant: None,
            attempts: Vec::new(),
            declared_retries: 0,
            stdout: Untrusted::default(),
            stderr: Untrusted::default(),
            properties: Vec::new(),
        }
    }

    #[test]
    fn commands() {
        let table = [
            (
                "pytest",
                "tests.test_a.TestX",
                "test_y[1-$(rm)]",
                None,
                "python -m pytest 'tests/test_a.py::TestX::test_y[1-$(rm)]'",
            ),
            ("surefire", "shop.CartTest", "adds(int)[2]", None, "mvn test -Dtest=shop.CartTest#adds"),
            ("gotestsum", "shop", "TestCart/empty", None, "go test ./... -run '^TestCart$/^empty$'"),
            ("jest", "cart", "it's \"here\"", Some("a.test.js"), "npx jest a.test.js -t 'it'\\''s \"here\"'"),
            ("nextest", "shop", "cart::adds", None, "cargo nextest run -E 'test(=cart::adds)'"),
        ];
        for (dialect, class, name, file, expected) in table {
            assert_eq!(command(dialect, &case(class, name, file)).as_deref(), Some(expected));
        }
        assert_eq!(command("tap", &case("a", "b", None)), None);
        assert_eq!(command("pytest", &case("a", "b\nrm -rf /", None)), None);
    }
}
