//! Everything that can be wrong with a report: what was good is kept, what was
//! not is named with place and remedy, and nothing is ever "0 tests, all green".

use crate::support::{Workplace, check_contract};
use proptest::prelude::*;
use serde_json::Value;
use testmedic::ingest::junit;
use testmedic::model::run::IssueLevel;
use testmedic::model::test::Outcome;

/// Name, bytes, cases kept, failures kept, and a word of the message (empty: none is asked for).
type Row = (&'static str, Vec<u8>, u64, u64, &'static str);

fn rows() -> Vec<Row> {
    let case = "<testcase classname='a.b' name='t'/>";
    let bad = "<testcase classname='a.b' name='f'><failure message='m'>x</failure></testcase>";
    let utf16: Vec<u8> =
        format!("\u{feff}<?xml version='1.0' encoding='UTF-16'?><testsuite name='ü'>{bad}</testsuite>")
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
    let bomb = format!(
        "<!DOCTYPE lolz [<!ENTITY a \"lol\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;\">]><testsuite name='s'><testcase name='&c;'><failure>&c;</failure></testcase>{case}</testsuite>"
    );
    vec![
        ("empty", vec![], 0, 0, "empty"),
        ("white space", b" \n ".to_vec(), 0, 0, "empty"),
        ("html", b"<!DOCTYPE html><html></html>".to_vec(), 0, 0, "HTML"),
        ("nunit", b"<test-run id='1'><test-case/></test-run>".to_vec(), 0, 0, "NUnit 3"),
        ("trx", b"<TestRun xmlns='x'></TestRun>".to_vec(), 0, 0, "TRX"),
        ("xunit.net", b"<assemblies><assembly/></assemblies>".to_vec(), 0, 0, "xUnit.net"),
        ("ctrf", b"{\"results\":{\"tool\":{}}}".to_vec(), 0, 0, "CTRF"),
        ("no cases", b"<testsuites/>".to_vec(), 0, 0, "no test"),
        ("no cases in a suite", b"<testsuite name='s' tests='0'/>".to_vec(), 0, 0, "no test"),
        ("declares more", format!("<testsuite name='s' tests='5' failures='2'>{case}</testsuite>").into(), 1, 0, "it declares is 5"),
        ("declares failures", format!("<testsuite name='s' tests='1' failures='1'>{case}</testsuite>").into(), 1, 0, "it declares is 1"),
        ("cut in a tag", format!("<testsuite name='s'>{case}{bad}<testcase cla").into(), 2, 1, "breaks off"),
        ("cut between", format!("<testsuite name='s'>{case}{bad}").into(), 2, 1, "breaks off"),
        ("cut in a failure", format!("<testsuite name='s'>{case}<testcase name='f'><failure message='m'>half").into(), 2, 1, "breaks off"),
        ("cut in a section", format!("<testsuite name='s'>{bad}<testcase name='g'><system-out><![CDATA[x").into(), 1, 1, "breaks off"),
        ("utf-16", utf16, 1, 1, "UTF-16"),
        ("latin-1", b"<?xml version='1.0' encoding='latin1'?><testsuite name='s'><testcase name='\xe4'><failure/></testcase></testsuite>".to_vec(), 1, 1, "windows-1252"),
        ("not utf-8", b"<testsuite name='s'><testcase name='\xff'><failure/></testcase></testsuite>".to_vec(), 1, 1, "U+FFFD"),
        ("control characters", b"<testsuite name='s'><testcase name='a\x00\x1b[31m'><failure message='&#27;[31mred&#0;'>\x08</failure></testcase></testsuite>".to_vec(), 1, 1, ""),
        ("undefined entities", b"<testsuite name='s'><testcase name='&nope;'><failure>&nope; & x</failure></testcase></testsuite>".to_vec(), 1, 1, ""),
        ("entity bomb", bomb.into(), 2, 1, ""),
        ("markup in output", format!("<testsuite name='s'><testcase name='a'><system-out><b>x<br></system-out></testcase>{bad}</testsuite>").into(), 2, 1, ""),
        ("wrong end tags", format!("<testsuite name='s'><testcase name='a'></wrong></testcase>{bad}</testsuite>").into(), 2, 1, "closes an element"),
        ("missing end of a case", format!("<testsuite name='s'><testcase name='a'>{bad}</testsuite>").into(), 2, 1, ""),
        ("attributes without quotes", b"<testsuite name=s><testcase name=a b><failure/></testcase></testsuite>".to_vec(), 1, 1, "malformed"),
        ("no name", b"<testsuite><testcase><failure/></testcase><testcase time='1,234.5'/></testsuite>".to_vec(), 2, 1, ""),
        ("a tag without end", b"<testsuite name='s'><testcase classname='a.b' name='a' <failure message='x'/></testcase></testsuite>".to_vec(), 1, 0, "has no end"),
        ("suite that failed", format!("<testsuite name='s'><error message='no set-up'/>{case}</testsuite>").into(), 2, 1, "outside of any test case"),
        ("status only", b"<testsuite name='s'><testcase name='a' status='failed'/></testsuite>".to_vec(), 1, 1, ""),
        ("log before the xml", format!("INFO starting\n<testsuite name='s'>{bad}</testsuite>").into(), 1, 1, ""),
        ("two documents", format!("<testsuite name='s'>{case}</testsuite><testsuite name='u'>{bad}</testsuite>").into(), 2, 1, ""),
        ("bare cases", format!("<testsuites>{bad}{case}</testsuites>").into(), 2, 1, ""),
        ("a bare case", bad.into(), 1, 1, ""),
        ("prefixed", b"<x:testsuite xmlns:x='u' name='s'><x:testcase name='a'><x:failure/></x:testcase></x:testsuite>".to_vec(), 1, 1, ""),
    ]
}

#[test]
fn what_was_good_is_kept_and_the_rest_is_named() {
    for (name, bytes, tests, failures, word) in rows() {
        let run = junit::read(name, &bytes[..]);
        let bad = run.totals.failed + run.totals.errored;
        assert_eq!((run.totals.tests, bad), (tests, failures), "{name}: {:?}", run.issues);
        let told = run.issues.iter().any(|i| i.message.contains(word) || i.place.contains(word));
        assert!(word.is_empty() || told, "{name}: {word} not in {:?}", run.issues);
        if run.totals.tests == 0 {
            assert!(run.worst() > Some(IssueLevel::Note), "{name}: silence would look like success");
        }
        for case in &run.cases {
            let texts = [&case.name.name, &case.name.classname];
            assert!(texts.iter().all(|t| !t.raw().contains(['\0', '\u{1b}'])), "{name}");
        }
    }
}

#[test]
fn the_program_says_so_and_never_exits_green_without_having_seen_a_test() {
    let place = Workplace::new();
    for (name, bytes, tests, ..) in rows() {
        place.write("r.xml", &bytes);
        let ran =
            place.run(&["triage", "--junit", "r.xml", "--json", "o.json", "--summary", "s.md", "--history", "none"]);
        let report: Value = serde_json::from_str(&place.read("o.json")).unwrap();
        check_contract(&report);
        assert!(!ran.out.contains('\u{1b}') && !ran.out.contains('\0'), "{name}");
        assert!(ran.err.is_empty(), "{name}: {}", ran.err);
        if tests == 0 {
            assert_eq!(ran.code, 3, "{name}: {}", ran.out);
            assert!(ran.out.contains("suspicious") || ran.out.contains("unreadable"), "{name}: {}", ran.out);
        }
    }
}

#[test]
fn a_small_report_is_not_slowed_down_by_depth_or_size() {
    let deep = format!(
        "<testsuite name='s'>{}{}</testsuite>",
        "<testsuite name='n'>".repeat(200_000),
        "</testsuite>".repeat(200_000)
    );
    let run = junit::read(
        "deep",
        deep.replacen("</testsuite>", "<testcase name='x'><failure/></testcase></testsuite>", 1).as_bytes(),
    );
    assert_eq!((run.totals.suites, run.totals.failed), (200_001, 1));
    let unknown = format!("<testsuite name='s'>{}<testcase name='x'><failure/></testcase>", "<a>".repeat(200_000));
    assert_eq!(junit::read("unknown", unknown.as_bytes()).totals.failed, 1);
    let attribute = format!(
        "<testsuite name='s'><testcase name='x'><failure message='{}'/></testcase></testsuite>",
        "m".repeat(20_000_000)
    );
    let tags = format!(
        "<testsuite name='s'><testcase name='y' {}/><testcase name='x'><failure/></testcase></testsuite>",
        (0..40_000).map(|n| format!("a{n}=\"{}\" ", "v".repeat(80))).collect::<String>()
    );
    let run = junit::read("attributes", tags.as_bytes());
    assert_eq!((run.totals.tests, run.totals.failed), (2, 1), "{:?}", run.issues);
    let run = junit::read("attribute", attribute.as_bytes());
    assert!(run.cases[0].failure().unwrap().message.raw().len() < 10_000);
}

#[test]
fn standard_input_archives_and_globs() {
    use std::io::Write;
    let place = Workplace::new();
    let xml = b"<testsuite name='s'><testcase classname='a.b' name='t'/></testsuite>";
    let other = b"<testsuite name='s'><testcase classname='a.b' name='u'/></testsuite>";
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(other).unwrap();
    place.write("out/a.xml", xml);
    place.write("out/deep/b.xml.gz", gz.finish().unwrap());
    let tests = |report: &Value| report["totals"]["tests"].as_u64().unwrap();
    assert_eq!(tests(&place.triage(&["--junit", "out/**/*.xml*", "--history", "none"])), 2);
    assert_eq!(tests(&place.triage(&["--junit", "out", "--history", "none"])), 2);
    assert_eq!(tests(&place.triage(&["--junit", "out/a.xml", "--junit", "out/*.xml", "--history", "none"])), 1);
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in [("x/a.xml", &xml[..]), ("y/b.xml", other)] {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    let zip = zip.finish().unwrap().into_inner();
    for input in [&xml[..], &zip] {
        let ran = place.run_stdin(&["triage", "--junit", "-", "--history", "none"], input);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    }
    place.write("artifact.zip", zip);
    assert_eq!(tests(&place.triage(&["--junit", "artifact.zip", "--history", "none"])), 2);
    let none = place.triage(&["--junit", "nowhere/*.xml", "--history", "none"]);
    assert_eq!(none["sources"][0]["issues"][0]["severity"], "unusable");
}

/// What looks like a retry and is none, and the other way round.
#[test]
fn retries_and_lookalikes() {
    let f = "<testcase classname='a.b' name='t'><failure message='m'/></testcase>";
    let p = "<testcase classname='a.b' name='t'/>";
    let suite = |name: &str, declared: usize, inner: String| {
        format!("<testsuite name='{name}' tests='{declared}'>{inner}</testsuite>")
    };
    // gotestsum writes one element per try; Gradle too, but for display names it writes strangers alike.
    let go = |inner: String| {
        suite("s", 9, format!("<properties><property name='go.version' value='1'/></properties>{inner}"))
    };
    let gradle = |name: &str, inner: String| {
        let inner = inner.replace("classname='a.b' name='t'", &format!("name='{name}' classname='a.b' time='0'"));
        format!("<testsuite name='s' tests='2' skipped='0' hostname='h'>{inner}</testsuite>")
    };
    let mocha = |inner: String| format!("<testsuites name='Mocha Tests'>{}</testsuites>", suite("s", 2, inner));
    let rows = [
        ("fail, pass", go(format!("{f}{p}")), 1, 0, 1),
        ("fail, fail, pass", go(format!("{f}{f}{p}")), 1, 0, 1),
        ("fail, fail", go(format!("{f}{f}")), 1, 1, 0),
        ("fail, pass of a writer that is not known", suite("s", 2, format!("{f}{p}")), 2, 1, 0),
        ("fail, pass of two files", mocha(format!("{}{p}", f.replace("name='t'", "name='t' file='a.js'"))), 2, 1, 0),
        ("two lines of a file", suite("pytest", 2, format!("{}{}", f.replace("name='t'", "name='t' file='a.py' line='1'"), f.replace("name='t'", "name='t' file='a.py' line='9'"))), 2, 2, 0),
        ("Gradle, a method again", gradle("adds()", format!("{f}{p}")), 1, 0, 1),
        ("Gradle, one row of two methods", gradle("[1] coin = 1", format!("{f}{p}")), 2, 1, 0),
        ("Gradle, one display name of two methods", gradle("adds two", format!("{f}{p}")), 2, 1, 0),
        ("pass, fail", suite("s", 2, format!("{p}{f}")), 2, 1, 0),
        ("pass, fail, pass", suite("s", 3, format!("{p}{f}{p}")), 3, 1, 0),
        ("pass, pass", suite("s", 2, format!("{p}{p}")), 2, 0, 0),
        ("two suites of one name", format!("<testsuites>{}{}</testsuites>", suite("s", 1, f.into()), suite("s", 1, p.into())), 2, 1, 0),
        ("merged pytest legs", format!("<testsuites>{}{}</testsuites>", suite("pytest", 1, p.into()), suite("pytest", 1, p.into())), 2, 0, 0),
        ("pytest, silent rerun", suite("pytest", 1, format!("{p}{p}")), 1, 0, 1),
        ("jest, one title", format!("<testsuites name='jest tests'>{}</testsuites>", suite("s", 2, format!("<error message='x'/>{f}{p}"))), 3, 2, 0),
        (
            "pytest, failed teardown",
            suite("pytest", 2, format!("{f}<testcase classname='a.b' name='t'><error message='failed on teardown with \"x\"'/></testcase>")).replace("\"x\"", "x"),
            1, 1, 0,
        ),
        ("fail, then two other failures", suite("s", 3, format!("{f}<testcase classname='a.b' name='t'><failure message='other'/></testcase>{p}")), 3, 2, 0),
        ("fail, skip", suite("pytest", 1, format!("{f}<testcase classname='a.b' name='t'><skipped/></testcase>")), 2, 1, 0),
        ("a hundred reruns and a failure", suite("s", 1, format!("<testcase name='t'>{}<failure message='real'/></testcase>", "<rerunFailure/>".repeat(100))), 1, 1, 0),
        ("reruns without a failure", suite("s", 1, "<testcase name='t'><rerunFailure message='m'/></testcase>".into()), 1, 1, 0),
        ("flaky, and an error at last", suite("s", 1, "<testcase name='t' flaky='true' status='error'><error/></testcase>".into()), 1, 1, 0),
        ("printed case", suite("s", 2, format!("<testcase name='a'><system-out>log <testcase name='x'></testcase></system-out><failure/></testcase>{p}")), 2, 1, 0),
        ("two dates", suite("s", 2, "<testcase name='t[2024-01-01]'><failure/></testcase><testcase name='t[2024-02-29]'/>".into()), 2, 1, 0),
        ("printed markup", suite("s", 1, "<testcase name='a'><system-out><div><testcase name='no'><failure/></testcase></div></system-out></testcase>".into()), 1, 0, 0),
    ];
    for (name, xml, tests, bad, flaky) in rows {
        let t = junit::read(name, xml.as_bytes()).totals;
        assert_eq!((t.tests, t.failed + t.errored, t.flaky), (tests, bad, flaky), "{name}");
    }
    let teardown = suite(
        "pytest",
        1,
        format!("{f}<testcase classname='a.b' name='t'><error message='failed on teardown with x'/></testcase>"),
    );
    let run = junit::read("x", teardown.as_bytes());
    assert_eq!((run.cases[0].attempts.len(), run.cases[0].failure().unwrap().message.raw()), (1, "m"));
}

#[test]
fn retries_across_files_and_matrix_legs() {
    let place = Workplace::new();
    let failing =
        "<testsuite name='s'><testcase classname='a.b' name='t'><failure message='m'/></testcase></testsuite>";
    let passing = "<testsuite name='s'><testcase classname='a.b' name='t'/></testsuite>";
    place.write("report.xml", failing);
    place.write("report-rerun.xml", passing);
    let report = place.triage(&["--junit", "*.xml", "--history", "none"]);
    assert_eq!((report["totals"]["tests"].as_u64(), report["totals"]["flaky"].as_u64()), (Some(1), Some(1)));
    check_contract(&report);
    place.write("class/linux/TEST-RetryTest.xml", failing);
    place.write("class/macos/TEST-RetryTest.xml", passing);
    let report = place.triage(&["--junit", "class/*/*.xml", "--history", "none"]);
    assert_eq!(report["totals"]["failed"], 1, "a class of that name is no retry file");
    place.write("legs/linux/r.xml", failing);
    place.write("legs/macos/r.xml", passing);
    let report = place.triage(&["--junit", "legs/**/*.xml", "--history", "none"]);
    assert_eq!((report["totals"]["tests"].as_u64(), report["totals"]["failed"].as_u64()), (Some(2), Some(1)));
    let test = &report["diagnoses"][0]["tests"][0];
    assert_eq!(test["variant"], "linux");
    assert!(report["diagnoses"][0]["evidence"].as_array().unwrap().iter().any(|e| e["text"] == "passes on macos"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = junit::read_all("x", &bytes[..]);
    }

    #[test]
    fn no_markup_makes_it_panic(pieces in proptest::collection::vec(prop_oneof![
        Just("<testsuites>"), Just("</testsuites>"), Just("<testsuite name='s' hostname='h' tests='2'>"), Just("</testsuite>"),
        Just("<testcase name='a' classname='b.c'>"), Just("</testcase>"), Just("<testcase name='a'/>"), Just("<failure message='m'>"),
        Just("</failure>"), Just("<rerunFailure>"), Just("<stackTrace>x"), Just("</stackTrace>"), Just("</rerunFailure>"), Just("<system-out>"),
        Just("</system-out>"), Just("<![CDATA["), Just("]]>"), Just("<!--"), Just("-->"), Just("&amp;"), Just("&"), Just("<"), Just(">"),
        Just("<skipped/>"), Just("<property name='a' value='b'/>"), Just("<x>"), Just("</x>"), Just("text"),
    ], 0..60)) {
        let run = junit::read("x", pieces.concat().as_bytes());
        prop_assert_eq!(run.totals.tests, run.totals.passed + run.totals.failed + run.totals.errored + run.totals.skipped);
        prop_assert_eq!(run.totals.tests as usize, run.quiet.len() + run.cases.len());
    }

    /// Any mixture of cases, wherever their failures stand and however often a
    /// name repeats: none that failed for good is lost, and none is invented.
    #[test]
    fn no_failing_case_is_ever_lost(
        outcomes in proptest::collection::vec((0_u8..4, 0_usize..5, any::<bool>()), 1..40),
        dialect in 0_usize..3,
    ) {
        let mut xml = String::from("<testsuites>");
        let head = ["<testsuite name='s'>", "<testsuite name='s' xmlns:xsi='x' xsi:noNamespaceSchemaLocation='surefire'>", "<testsuite name='pytest'>"][dialect];
        xml.push_str(head);
        for (outcome, name, output) in &outcomes {
            let output = if *output { "<system-out><![CDATA[</testcase> <failure>]]></system-out>" } else { "" };
            let inner = match outcome { 0 => "", 1 => "<failure message='m'>t</failure>", 2 => "<error/>", _ => "<skipped/>" };
            xml.push_str(&format!("<testcase classname='a.b' name='t{name}'>{output}{inner}</testcase>"));
        }
        xml.push_str("</testsuite></testsuites>");
        let run = junit::read("x", xml.as_bytes());
        let bad_elements = outcomes.iter().filter(|(o, ..)| matches!(o, 1 | 2)).count();
        let bad_attempts: usize = run.cases.iter().map(|c| c.bad_attempts()).sum();
        prop_assert_eq!(bad_attempts, bad_elements);
        prop_assert_eq!(run.totals.attempts as usize, outcomes.len());
        if dialect == 1 {
            prop_assert_eq!((run.totals.failed + run.totals.errored) as usize, bad_elements);
        }
        if bad_elements == 0 {
            prop_assert_eq!((run.totals.flaky, run.cases.len()), (0, 0), "none is invented");
        }
        // Only a pass right behind failures of the same name excuses them.
        for name in 0..5 {
            let of_name: Vec<u8> = outcomes.iter().filter(|(_, n, _)| *n == name).map(|(o, ..)| *o).collect();
            let ends_bad = of_name.last().is_some_and(|o| matches!(o, 1 | 2));
            let still_bad = run.cases.iter().any(|c| c.name.name.raw() == format!("t{name}") && matches!(c.outcome(), Outcome::Failed | Outcome::Errored));
            prop_assert!(!ends_bad || still_bad, "{:?}", of_name);
        }
    }
}
