use proptest::prelude::*;

use super::*;

fn order(line: &str) -> CommandLine {
    match read(line).as_slice() {
        [ParsedLine::Order(order)] => order.clone(),
        other => panic!("{line}: {other:?}"),
    }
}

fn slip(line: &str) -> CommandError {
    match read(line).as_slice() {
        [ParsedLine::Slip { why, .. }] => why.clone(),
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn each_command() {
    let name = |text: &str| text.to_owned();
    let names = |list: &[&str]| list.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
    for (line, command) in [
        ("/heal", Command::Heal { tests: vec![], force_outdated: false, offer: None }),
        (
            "/heal `tests/a.py::test_b` \"users are greeted\" --force-outdated --suggest",
            Command::Heal {
                tests: names(&["tests/a.py::test_b", "users are greeted"]),
                force_outdated: true,
                offer: Some(DeliveryMode::Suggest),
            },
        ),
        (
            "/heal t[a b] --branch",
            Command::Heal { tests: names(&["t[a b]"]), force_outdated: false, offer: Some(DeliveryMode::Branch) },
        ),
        ("/generate \"GET /users\" tests/a.py", Command::Generate { targets: names(&["GET /users", "tests/a.py"]) }),
        ("/retry", Command::Retry { which: RetrySelection::Failed, times: 5 }),
        ("/retry failed", Command::Retry { which: RetrySelection::Failed, times: 5 }),
        ("/retry flaky --times 3", Command::Retry { which: RetrySelection::Flaky, times: 3 }),
        ("/retry a b --times=9", Command::Retry { which: RetrySelection::Tests(names(&["a", "b"])), times: 9 }),
        ("/triage", Command::Triage { run: None }),
        ("/triage 12345", Command::Triage { run: Some(12345) }),
        ("/explain", Command::Explain { what: None }),
        ("/explain users are greeted", Command::Explain { what: Some(name("users are greeted")) }),
        ("/bisect test_a", Command::Bisect { test: name("test_a") }),
        ("/quarantine test_a", Command::Quarantine { test: name("test_a"), until: None }),
        (
            "/quarantine users are greeted 2w",
            Command::Quarantine { test: name("users are greeted"), until: Some(Expiry::Days(14)) },
        ),
        (
            "/quarantine test_a 2026-06-01",
            Command::Quarantine { test: name("test_a"), until: Some(Expiry::Day(name("2026-06-01"))) },
        ),
        // The name of a test, and nothing else.
        ("/quarantine 3d", Command::Quarantine { test: name("3d"), until: None }),
        ("/unquarantine test_a", Command::Unquarantine { test: name("test_a") }),
        ("/flaky test_a", Command::Flaky { test: name("test_a") }),
        ("/not-flaky test_a", Command::NotFlaky { test: name("test_a") }),
        ("/expected f1-0123", Command::Expected { key: name("f1-0123") }),
        ("/ignore f1-0123 30d", Command::Ignore { key: name("f1-0123"), until: Some(Expiry::Days(30)) }),
        ("/file test_a", Command::File { test: name("test_a") }),
        ("/stop", Command::Stop),
        ("/help me", Command::Help),
    ] {
        assert_eq!(order(line).command, command, "{line}");
    }
    let sha = "f95f852bd8fca8fcc58a9a2d6c842781e32a215e";
    let read = order(&format!("/heal --i-have-read-the-diff {}", sha.to_uppercase()));
    assert_eq!(read.read_diff.as_deref(), Some(sha));
    assert_eq!(order(&format!("/heal a --i-have-read-the-diff={sha}")).read_diff.as_deref(), Some(sha));
}

#[test]
fn what_is_wrong_is_told() {
    for (line, verb, why) in [
        ("/bisect", CommandKind::Bisect, "needs a test"),
        ("/stop it", CommandKind::Stop, "takes no `it`"),
        ("/heal --hard", CommandKind::Heal, "`--hard` is no option"),
        ("/heal --branch --suggest", CommandKind::Heal, "exclude"),
        ("/heal --branch=x", CommandKind::Heal, "takes no value"),
        ("/heal \"a", CommandKind::Heal, "does not end"),
        ("/retry a --times", CommandKind::Retry, "needs a value"),
        ("/retry a --times 0", CommandKind::Retry, "from 1 to 50"),
        ("/retry --times 3", CommandKind::Retry, "run again once"),
        ("/triage main", CommandKind::Triage, "number of a workflow run"),
        ("/quarantine a 0d", CommandKind::Quarantine, "from a day to 366 days"),
        ("/quarantine a 99999999999d", CommandKind::Quarantine, "from a day"),
        ("/quarantine a 2026-02-31", CommandKind::Quarantine, "is no day"),
        ("/heal --i-have-read-the-diff main", CommandKind::Heal, "hash of the commit"),
        ("/heal a\u{200b}b", CommandKind::Heal, "nobody sees"),
    ] {
        let CommandError::Wrong(own, text) = slip(line) else { panic!("{line}") };
        assert!(own == verb && text.contains(why), "{line}: {text}");
    }
    let long = format!("/heal {}", "x".repeat(301));
    assert!(matches!(slip(&long), CommandError::Wrong(CommandKind::Heal, _)));
    assert!(matches!(slip(&format!("/heal{}", " a".repeat(21))), CommandError::Wrong(CommandKind::Heal, _)));
    let many = read(&"/help\n".repeat(30));
    assert_eq!(many.len(), 11);
    assert!(matches!(&many[10], ParsedLine::Slip { why: CommandError::TooMany, .. }));
}

/// A slip of the finger is told; commands of other bots are none of ours.
#[test]
fn did_you_mean() {
    for (line, verb) in [
        ("/Heal", CommandKind::Heal),
        ("/hael", CommandKind::Heal),
        ("/healt", CommandKind::Heal),
        ("/quarentine a", CommandKind::Quarantine),
        ("/not_flaky a", CommandKind::NotFlaky),
        ("/generat", CommandKind::Generate),
        ("/explian x", CommandKind::Explain),
    ] {
        assert_eq!(slip(line), CommandError::Unknown(verb), "{line}");
    }
    for line in [
        "/approve",
        "/retest",
        "/lgtm",
        "/assign @ann",
        "/usr/bin/env",
        "/",
        "//",
        "/ heal",
        "/cc",
        "/hold",
        "/mute",
        "/path",
    ] {
        assert_eq!(read(line), Vec::new(), "{line}");
    }
}

/// Pieces of which comments are made: commands, and what hides them.
fn piece() -> impl Strategy<Value = String> {
    let hidden = prop::sample::select(vec![
        "```\n/heal HIDDEN\n```\n",
        "> /heal HIDDEN\n\n",
        "<!--\n/heal HIDDEN\n-->\n\n",
        "<details>\n\n/heal HIDDEN\n\n</details>\n\n",
        "    /heal HIDDEN\n\n",
        "`a\n/heal HIDDEN`\n\n",
        "- x\n  /heal HIDDEN\n\n",
        "**a\n/heal HIDDEN**\n\n",
        "| a |\n|---|\n| /heal HIDDEN |\n\n",
        "<pre>\n/heal HIDDEN\n</pre>\n\n",
        "# /heal HIDDEN\n\n",
    ]);
    let open = prop::sample::select(vec![
        "/retry\n\n",
        "/explain a `b`\n\n",
        "/quarantine \"a b\" 3d\n\n",
        "text\n\n",
        "---\n\n",
    ]);
    prop_oneof![3 => hidden.prop_map(str::to_owned), 3 => open.prop_map(str::to_owned), 1 => "\\PC{0,40}\n\n"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Whatever stands around it: nothing that is hidden is a command.
    #[test]
    fn nothing_hidden_is_a_command(pieces in prop::collection::vec(piece(), 0..12)) {
        // What comes at random may open a code block or an element, and hide more; it can
        // close one that a piece opened only where it is one itself.
        let comment = pieces.concat();
        prop_assume!(!pieces.iter().any(|p| p.contains("-->") && !p.contains("HIDDEN")));
        for line in read(&comment) {
            let ParsedLine::Order(order) = line else { continue };
            prop_assert!(!order.text.contains("HIDDEN"), "{comment}\n{order:?}");
        }
    }

    /// Any bytes: no panic, few commands, short texts, nothing invisible in them.
    #[test]
    fn any_comment_can_be_read(comment in prop_oneof![".{0,400}", "(/[a-z-]{1,12}[ \\PC\n`\"<>!-]{0,40}\n){0,20}"]) {
        let found = read(&comment);
        prop_assert!(found.len() <= MOST + 1);
        for line in found {
            let (ParsedLine::Order(CommandLine { text, .. }) | ParsedLine::Slip { text, .. }) = line;
            prop_assert!(text.len() <= SHOWN && !text.contains('\n') && !text.chars().any(crate::model::text::is_invisible), "{text:?}");
        }
    }
}
