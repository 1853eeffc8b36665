//! Matrix legs: the same tests in several files are variants of each other.

use std::collections::HashMap;

use crate::model::run::TestRun;
use crate::model::test::TestId;

/// Names the leg of each run whose tests also stand in another run of the same
/// call, by the part of its path that tells the two apart
/// (`junit-linux/r.xml`, `junit-macos/r.xml` → `junit-linux`, `junit-macos`).
/// A run that has a variant keeps it; `given` is used for all others.
pub fn name_legs(runs: &mut [TestRun], given: Option<&str>) {
    let overlapping = overlapping(runs);
    let paths: Vec<String> = runs.iter().map(|run| run.path.clone()).collect();
    for (index, run) in runs.iter_mut().enumerate() {
        let told = run.variant.take();
        let by_path = overlapping[index].then(|| distinct_part(&paths, index, &overlapping)).flatten();
        let leg = told.or(by_path);
        run.variant = match (given, leg) {
            (Some(given), Some(leg)) if given != leg => Some(format!("{given}/{leg}")),
            (Some(given), _) => Some(given.to_owned()),
            (None, leg) => leg,
        };
        for case in &mut run.cases {
            case.variant.clone_from(&run.variant);
        }
    }
}

/// Which runs share a test with another one. Cases that did not pass are looked
/// up exactly, passing ones by a sample: legs share their tests by the hundred.
fn overlapping(runs: &[TestRun]) -> Vec<bool> {
    const SAMPLE: u128 = 64;
    let mut owners: HashMap<TestId, usize> = HashMap::new();
    let mut shared = vec![false; runs.len()];
    for (index, run) in runs.iter().enumerate() {
        let total = run.quiet.len();
        let sampled = run.quiet.ids().map(|(id, _)| id).filter(|id| total < 4096 || id.0 % SAMPLE == 0);
        for id in run.cases.iter().map(|case| case.id).chain(sampled) {
            let owner = *owners.entry(id).or_insert(index);
            if owner != index {
                shared[owner] = true;
                shared[index] = true;
            }
        }
    }
    shared
}

/// The path components of `paths[index]` that not all overlapping paths share.
fn distinct_part(paths: &[String], index: usize, overlapping: &[bool]) -> Option<String> {
    let split = |path: &str| -> Vec<String> {
        path.split(['/', '\\', '!']).filter(|p| !p.is_empty()).map(str::to_owned).collect()
    };
    let others: Vec<Vec<String>> = paths
        .iter()
        .enumerate()
        .filter(|(other, _)| overlapping[*other] && *other != index)
        .map(|(_, path)| split(path))
        .collect();
    let own = split(&paths[index]);
    let distinct: Vec<&str> = own
        .iter()
        .enumerate()
        .filter(|(at, part)| others.iter().any(|other| other.get(*at) != Some(part)))
        .map(|(_, part)| part.as_str())
        .collect();
    let name = distinct.join("/");
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    let name = name.strip_suffix(".xml").unwrap_or(name);
    (!name.is_empty()).then(|| crate::model::text::head(name, 120).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::junit;

    fn run(path: &str, xml: &str) -> TestRun {
        junit::read(path, xml.as_bytes())
    }

    #[test]
    fn legs_are_named_by_what_differs() {
        let xml = "<testsuite name='s'><testcase classname='a.b' name='t'/></testsuite>";
        let other = "<testsuite name='s'><testcase classname='a.b' name='other'/></testsuite>";
        let mut runs = vec![
            run("out/junit-linux/report.xml", xml),
            run("out/junit-macos/report.xml", xml),
            run("out/lint.xml", other),
        ];
        name_legs(&mut runs, None);
        let legs: Vec<_> = runs.iter().map(|r| r.variant.as_deref()).collect();
        assert_eq!(legs, [Some("junit-linux"), Some("junit-macos"), None]);
    }

    #[test]
    fn a_given_variant_is_for_all() {
        let xml = "<testsuite name='s'><testcase classname='a.b' name='t'><failure/></testcase></testsuite>";
        let mut runs = vec![run("a.xml", xml)];
        name_legs(&mut runs, Some("linux"));
        assert_eq!(runs[0].variant.as_deref(), Some("linux"));
        assert_eq!(runs[0].cases[0].variant.as_deref(), Some("linux"));
    }
}
