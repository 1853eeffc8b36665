//! `docs/commands`: a page for each command with an answer that the program gave, of which
//! `docs/commands/picture.mjs` makes a picture. `UPDATE=1` writes pages and answers.

use serde_json::json;
use testmedic::model::command::CommandKind;

use crate::commands::Thread;
use crate::house::{keep, root};

/// What the usage alone does not say.
const MORE: [(CommandKind, &str); 15] = [
    (
        CommandKind::Explain,
        "The latest run of the pull request's head that left reports is judged against earlier runs, and what is known about a failure is told: verdict, evidence with its sources, history, the window of commits and the suspects in it, its tests, and how to see it fail. Without a name it lists all failures, or tells of the only one. On an issue of testmedic's it is about the failure of that issue. It writes nothing but its answer.",
    ),
    (
        CommandKind::Triage,
        "Judges the latest run that left reports (or the one with this number, if it is one of the same commit), and writes what that run would have been allowed to write: comment, review, check run; on the default branch issues.",
    ),
    (
        CommandKind::Retry,
        "Without a name, or with `failed`, GitHub runs the failed jobs of the commit's latest workflow runs again, with the rights that they had: for a fork none. With names, or with `flaky` for the flaky tests of the run, single tests are run here, as often as `--times` says (5), and how often they passed and failed is told. The author of a pull request may ask for the jobs.",
    ),
    (
        CommandKind::Heal,
        "Repairs the failing tests that are out of date, as `testmedic heal` does: with the guards and the proof of [healing](../healing.md). `--suggest` puts the edit into the review where the diff shows its lines, `--branch` on a branch of its own with a pull request into the pull request's branch; without either the policy decides (`heal.mode`). On an issue the repair goes into the default branch. `--force-outdated` is a person's word that the product changed on purpose: it overrules the vetoes (an error, nothing, a status of another class, values that are left to people) and no guard and no corner of the proof; who gave it stands in the pull request.",
    ),
    (
        CommandKind::Generate,
        "Writes the tests that the recorded traffic of the run shows to be missing, with proof, as `testmedic generate` does, and offers them on a branch. Targets are endpoints (`\"GET /users\"`). The traffic is taken from the artifact of the reports: keep `.testmedic/traffic.ndjson` of `testmedic run` in it.",
    ),
    (
        CommandKind::Bisect,
        "Runs the test on the commits along first parents, as it is written now, in checkouts of its own: from the last commit on which it was seen to pass, or ever further back, until the first bad commit is found. On each commit it is run twice; one that both passes and fails is flaky, and no commit is told.",
    ),
    (
        CommandKind::Quarantine,
        "Offers a pull request into the default branch that adds the test to `.github/testmedic-quarantine.toml`, with the day on which that ends (14 days where none is said), who answers for it, and why. Once it is merged, `--fail-on regression` does not count the test, it gets no issue and no review comment, and each report says so. After that day it counts again, and that is told. Only the file on the default branch counts: a pull request takes nothing out of its own gate.",
    ),
    (
        CommandKind::Unquarantine,
        "Offers a pull request that takes the entry out again. The [schedule that tidies](../../.github/examples/tidy.yml) offers the same once the history proves that the test recovered.",
    ),
    (
        CommandKind::Flaky,
        "Keeps that a person says so, with name and date, in an issue of testmedic's; later runs hear it as evidence of a bounded weight. A later `/not-flaky` takes its place.",
    ),
    (
        CommandKind::NotFlaky,
        "Keeps that a person says so, with name and date; it weighs against the verdict *flaky* in later runs.",
    ),
    (
        CommandKind::Expected,
        "Keeps that a failure is expected: it is shown as such, gets no issue and no review comment, and does not count for `--fail-on regression`. The key stands in each answer of `/explain`. A later `/ignore KEY 1d` takes it back.",
    ),
    (CommandKind::Ignore, "As `/expected`, for a while: 30 days where no end is said. Then it counts again."),
    (
        CommandKind::File,
        "Opens the issue about the failure of that test without waiting for what the policy waits for (a second failure, the default branch), unless there is one.",
    ),
    (CommandKind::Stop, "Ends what other commands of the thread still do: nothing is written for them any more."),
    (CommandKind::Help, "Lists the commands, with what the asking person may give."),
];

/// A line that somebody wrote, and what was answered.
fn answer(verb: CommandKind) -> (String, String) {
    let told = |thread: &Thread, who: &str, line: &str| {
        let reply = thread.ask(who, line).reply.unwrap();
        let text = reply.split_once('\n').unwrap().1.to_owned();
        (line.to_owned(), text)
    };
    let key = |thread: &Thread| {
        let reply = thread.ask("wim", "/explain test_order").reply.unwrap();
        reply.split("Key: `").nth(1).unwrap().split('`').next().unwrap().to_owned()
    };
    let repository =
        |to: &str| Thread::on_repository(&[("sum(items)", "sum(items) + 0"), ("'queued'", to), ("+ 0", "+ 0 + 0")], "");
    let own =
        || Thread::new("own", json!({"past": {"test_order": "PPPPPPPPPPPPPPPP", "test_cart": "PPPPPPPPPPPPPPPP"}}));
    match verb {
        CommandKind::Explain => told(&own(), "rob", "/explain test_order"),
        CommandKind::Triage => told(&own(), "wim", "/triage"),
        CommandKind::Retry => told(&repository("'pending'"), "wim", "/retry test_status test_total --times 3"),
        CommandKind::Heal => told(&repository("'pending'"), "wim", "/heal test_status --branch"),
        CommandKind::Generate => told(&Thread::of_shop(), "wim", "/generate \"GET /users\""),
        CommandKind::Bisect => told(&repository("'pending'"), "wim", "/bisect test_status"),
        CommandKind::Quarantine | CommandKind::Unquarantine => {
            let thread = own();
            crate::commands::with_git(&thread);
            if verb == CommandKind::Quarantine {
                return told(&thread, "wim", "/quarantine test_order 10d");
            }
            let entry = "[[test]]\nname = \"test_order\"\nclassname = \"tests.test_app\"\nuntil = \"2026-06-01\"\n";
            thread.world.server.state().files.insert(crate::commands::QUARANTINE.to_owned(), entry.to_owned());
            told(&thread, "wim", "/unquarantine test_order")
        }
        CommandKind::Flaky => told(&own(), "wim", "/flaky test_order"),
        CommandKind::NotFlaky => told(&own(), "wim", "/not-flaky test_order"),
        CommandKind::Expected => {
            let thread = own();
            let line = format!("/expected {}", key(&thread));
            told(&thread, "wim", &line)
        }
        CommandKind::Ignore => {
            let thread = own();
            let line = format!("/ignore {} 2w", key(&thread));
            told(&thread, "wim", &line)
        }
        CommandKind::File => told(&own(), "wim", "/file test_order"),
        CommandKind::Stop => told(&own(), "wim", "/stop"),
        CommandKind::Help => told(&own(), "rob", "/help"),
    }
}

/// The same commits have other names each time: they get names that stay.
fn steady(text: &str) -> String {
    let mut out = text.to_owned();
    let mut known = Vec::new();
    for word in text.split(|c: char| !c.is_ascii_hexdigit()).filter(|w| w.len() == 40) {
        if known.contains(&word) {
            continue;
        }
        known.push(word);
        let name = crate::github::world::sha(&format!("commit {}", known.len()));
        for length in [40, 12, 9] {
            out = out.replace(&word[..length], &name[..length]);
        }
    }
    // Branches that grow on the default branch name a commit that nothing else does.
    let is_twelve = |word: &&str| word.len() == 12 && word.bytes().all(|b| b.is_ascii_hexdigit());
    let base = out.split("/tree/testmedic/").skip(1).filter_map(|rest| rest.split(')').next()?.rsplit('-').next());
    let base: Vec<String> =
        base.filter(is_twelve).filter(|word| !out.contains(&format!("/commit/{word}"))).map(str::to_owned).collect();
    for word in base {
        out = out.replace(&word, &crate::github::world::sha("base")[..12]);
    }
    out
}

fn page(verb: CommandKind, line: &str, answer: &str) -> String {
    let usage = format!("/{} {}", verb.word(), verb.usage());
    let more = MORE.iter().find(|(own, _)| *own == verb).unwrap().1;
    let runs = match verb {
        CommandKind::Retry => "for single tests; whole jobs are run again by GitHub",
        _ if verb.runs_code() => "yes: for a fork only with `--i-have-read-the-diff HASH` of a person who may write",
        _ => "no",
    };
    let author = if testmedic::plan::policy::Commands::default().author.contains(&verb) {
        ", or the author of the pull request"
    } else {
        ""
    };
    let refused = if answer.contains("😕") { " (here it could not be done)" } else { "" };
    format!(
        "# `{}`\n\n{}.\n\n| | |\n|---|---|\n| needs | `{}`{author}; `commands.needs.{}` of [the policy](../policy.md) asks for more |\n| runs code of the commit here | {runs} |\n\n{more}\n\n## An answer\n\nTo `{line}`{refused}, as GitHub shows it:\n\n![The answer to {}](pictures/{}.png)\n\nIts text is [here](answers/{}.md). All commands: [README](../../README.md#commands-in-comments).\n",
        usage.trim(),
        capital(verb.about()),
        verb.needs().word(),
        verb.word(),
        usage.split(' ').next().unwrap(),
        verb.word(),
        verb.word(),
    )
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// Each command has its page, with an answer of the program and a picture of it.
#[test]
fn each_command_has_its_page() {
    for verb in CommandKind::ALL {
        let (line, text) = answer(verb);
        let text = steady(&text);
        keep(&format!("docs/commands/answers/{}.md", verb.word()), &text);
        keep(&format!("docs/commands/{}.md", verb.word()), &page(verb, &line, &text));
        let picture = root().join(format!("docs/commands/pictures/{}.png", verb.word()));
        let size = picture.metadata().map_or(0, |m| m.len());
        assert!(std::env::var_os("UPDATE").is_some() || size > 5000, "{} is no picture", picture.display());
    }
}
