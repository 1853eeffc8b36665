//! Runners of JavaScript and TypeScript.

use super::commands::{inside, own, words};
use super::recognise::nearest;
use super::{Ready, Results, Runner, Site};
use crate::model::execution::{Scope, TestSelector};

pub(super) fn command(runner: Runner, target: &TestSelector, extent: Scope, site: &Site<'_>) -> Result<Ready, String> {
    let folder = nearest(&target.file, site.files, &["package.json"]).unwrap_or_default();
    let file = inside(&target.file, &folder);
    let xml = site.out.join(format!("{}.xml", runner.name())).display().to_string();
    let mut env = vec![("FORCE_COLOR".to_owned(), "0".to_owned()), ("NO_COLOR".to_owned(), "1".to_owned())];
    if runner == Runner::Playwright {
        env.push(("PLAYWRIGHT_JUNIT_OUTPUT_FILE".to_owned(), xml.clone()));
        env.push(("PLAYWRIGHT_JUNIT_OUTPUT_NAME".to_owned(), xml.clone()));
    }
    let (mut argv, results) = invocation(runner, site, &folder, &xml)?;
    if runner == Runner::Jest {
        argv.push("--runTestsByPath".to_owned());
    }
    if extent == Scope::Alone && runner == Runner::NodeTest {
        argv.push(format!("--test-name-pattern={}", regex_of(target.path.last().map_or("", String::as_str))));
    }
    argv.push(file);
    if extent == Scope::Alone {
        let name = pattern(target, if runner == Runner::Playwright { ".*" } else { " " });
        match runner {
            Runner::Jest | Runner::Vitest => argv.extend(["-t".to_owned(), name]),
            Runner::Mocha | Runner::Playwright => argv.extend(["-g".to_owned(), name]),
            _ => {}
        }
    }
    Ok(Ready { argv, env, folder: site.root.join(&folder), results })
}

/// The command without what it is to run, and where its results will be.
fn invocation(runner: Runner, site: &Site<'_>, folder: &str, xml: &str) -> Result<(Vec<String>, Results), String> {
    let json = site.out.join(format!("{}.json", runner.name()));
    let program = |name: &str, options: &[&str]| -> Result<Vec<String>, String> {
        let path = own(site, folder, &format!("node_modules/.bin/{name}")).ok_or_else(|| {
            format!("{name} is not installed there: node_modules/.bin/{name} is missing (`npm ci` installs it)")
        })?;
        Ok(std::iter::once(path).chain(words(options)).collect())
    };
    Ok(match runner {
        Runner::Jest => {
            let options = [
                "--json",
                "--testLocationInResults",
                "--expand",
                "--ci",
                "--runInBand",
                "--coverage=false",
                "--watchman=false",
            ];
            let mut argv = program("jest", &options)?;
            argv.push(format!("--outputFile={}", json.display()));
            (argv, Results::Jest(json))
        }
        Runner::Vitest => {
            let mut argv = program("vitest", &["run", "--reporter=junit", "--coverage.enabled=false"])?;
            argv.push(format!("--outputFile={xml}"));
            (argv, Results::Junit(vec![xml.to_owned()]))
        }
        Runner::Mocha => {
            let mut argv = program("mocha", &["--reporter", "json", "--no-color", "--retries", "0"])?;
            argv.extend(["--reporter-option".to_owned(), format!("output={}", json.display())]);
            (argv, Results::Mocha(json))
        }
        Runner::Playwright => {
            (program("playwright", &["test", "--reporter=junit", "--retries=0"])?, Results::Junit(vec![xml.to_owned()]))
        }
        _ => {
            let mut argv = words(&["node", "--test", "--test-reporter=junit"]);
            argv.push(format!("--test-reporter-destination={xml}"));
            (argv, Results::Junit(vec![xml.to_owned()]))
        }
    })
}

/// A pattern for the whole name of a test; titles of `each` have holes.
fn pattern(target: &TestSelector, between: &str) -> String {
    let parts: Vec<String> = target.path.iter().map(|p| regex_of(p)).collect();
    // Vitest 1 puts a space before the whole name.
    let anchor = if between == " " { "^ ?" } else { "" };
    format!("{anchor}{}$", parts.join(between))
}

fn regex_of(title: &str) -> String {
    let mut out = String::new();
    let mut chars = title.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('%', Some('s' | 'd' | 'i' | 'f' | 'j' | 'o' | 'p' | '#')) => {
                chars.next();
                out.push_str(".*");
            }
            ('$', Some('{')) => {
                for hole in chars.by_ref() {
                    if hole == '}' {
                        break;
                    }
                }
                out.push_str(".*");
            }
            ('$', Some(next)) if next.is_alphabetic() => {
                while chars.peek().is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | '_')) {
                    chars.next();
                }
                out.push_str(".*");
            }
            (c, _) if "\\^$.|?*+()[]{}/".contains(c) => {
                out.push('\\');
                out.push(c);
            }
            (c, _) => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles() {
        assert_eq!(regex_of("adds (1 + 2)"), "adds \\(1 \\+ 2\\)");
        assert_eq!(regex_of("%s is %i"), ".* is .*");
        assert_eq!(regex_of("user $name.first, ${id}!"), "user .*, .*!");
        let target = TestSelector { path: vec!["cart".into(), "adds".into()], ..TestSelector::default() };
        assert_eq!(pattern(&target, " "), "^ ?cart adds$");
    }
}
