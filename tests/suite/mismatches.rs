//! What failing comparisons of real runners expected and got.

use testmedic::code::repr_parser;
use testmedic::code::value::Value;
use testmedic::diagnose::mismatch::full_values;
use testmedic::ingest::junit;

/// The comparison of the first case of a fixture that failed by one.
fn compared(folder: &str, file: &str) -> Option<(Value, Value, &'static str)> {
    let path = crate::support::fixtures().join("junit").join(folder).join(file);
    let run = junit::read(&path.display().to_string(), &std::fs::read(path).unwrap()[..]);
    let texts =
        run.cases.iter().filter(|c| c.name.name.raw().to_lowercase().contains("fails")).filter_map(|c| c.failure());
    let found =
        texts.map(|f| format!("{}\n{}", f.message.raw(), f.detail.raw())).find_map(|text| full_values::both(&text))?;
    Some((repr_parser::read(&found.expected), repr_parser::read(&found.actual), found.style))
}

#[test]
fn comparisons_of_real_runners() {
    let four = || repr_parser::read("4");
    let three = || repr_parser::read("3");
    let table = [
        (
            "pytest",
            "report.xml",
            repr_parser::read("{'a': 1, 'b': [1, 3]}"),
            repr_parser::read("{'a': 1, 'b': [1, 2]}"),
        ),
        ("pytest-rerunfailures", "report.xml", four(), three()),
        ("unittest", "report.xml", four(), three()),
        ("jest", "report.xml", repr_parser::read("[1, 3]"), repr_parser::read("[1, 2]")),
        ("vitest", "report.xml", repr_parser::read("[1, 3]"), repr_parser::read("[1, 2]")),
        ("mocha", "report.xml", repr_parser::read("[1, 3]"), repr_parser::read("[1, 2]")),
        ("node-test", "report.xml", repr_parser::read("[1, 3]"), repr_parser::read("[1, 2]")),
        ("playwright", "report.xml", repr_parser::read("[1, 3]"), repr_parser::read("[1, 2]")),
        ("surefire-junit4", "TEST-shop.CartTest.xml", four(), three()),
        ("surefire-junit5", "TEST-shop.CartTest.xml", four(), three()),
        ("surefire-testng", "TEST-shop.CartTest.xml", four(), three()),
        ("gotestsum", "report.xml", four(), three()),
        ("go-junit-report", "report.xml", four(), three()),
        ("nextest", "report.xml", four(), three()),
        ("rspec", "report.xml", four(), three()),
        ("phpunit", "report.xml", four(), three()),
    ];
    let mut wrong = Vec::new();
    for (folder, file, expected, actual) in table {
        match compared(folder, file) {
            Some((e, a, _)) if e.same(&expected) && a.same(&actual) => {}
            other => wrong.push(format!("{folder}: {other:?}")),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
