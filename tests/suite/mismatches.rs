//! What failing comparisons of real runners expected and got.

use testmedic::code::printed;
use testmedic::code::value::Value;
use testmedic::diagnose::mismatch::whole;
use testmedic::ingest::junit;

/// The comparison of the first case of a fixture that failed by one.
fn compared(folder: &str, file: &str) -> Option<(Value, Value, &'static str)> {
    let path = crate::support::fixtures().join("junit").join(folder).join(file);
    let run = junit::read(&path.display().to_string(), &std::fs::read(path).unwrap()[..]);
    let texts =
        run.cases.iter().filter(|c| c.name.name.raw().to_lowercase().contains("fails")).filter_map(|c| c.failure());
    let found =
        texts.map(|f| format!("{}\n{}", f.message.raw(), f.detail.raw())).find_map(|text| whole::both(&text))?;
    Some((printed::read(&found.expected), printed::read(&found.actual), found.style))
}

#[test]
fn comparisons_of_real_runners() {
    let four = || printed::read("4");
    let three = || printed::read("3");
    let table = [
        ("pytest", "report.xml", printed::read("{'a': 1, 'b': [1, 3]}"), printed::read("{'a': 1, 'b': [1, 2]}")),
        ("pytest-rerunfailures", "report.xml", four(), three()),
        ("unittest", "report.xml", four(), three()),
        ("jest", "report.xml", printed::read("[1, 3]"), printed::read("[1, 2]")),
        ("vitest", "report.xml", printed::read("[1, 3]"), printed::read("[1, 2]")),
        ("mocha", "report.xml", printed::read("[1, 3]"), printed::read("[1, 2]")),
        ("node-test", "report.xml", printed::read("[1, 3]"), printed::read("[1, 2]")),
        ("playwright", "report.xml", printed::read("[1, 3]"), printed::read("[1, 2]")),
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
