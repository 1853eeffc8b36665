//! The whole table: who may give which command where. Each cell is written out; nothing
//! in it is computed from what it checks.

use super::*;
use crate::ingest::command::{ParsedLine, read};

const HEAD: &str = "f95f852bd8fca8fcc58a9a2d6c842781e32a215e";

/// The actors, a column each.
const ACTORS: [&str; 11] = [
    "owner",
    "maintainer",
    "writer",
    "triager",
    "reader",
    "author",
    "first-timer",
    "named bot",
    "look-alike bot",
    "other bot",
    "deleted",
];

fn actor(name: &str) -> Actor {
    let (id, is_bot, level, is_author) = match name {
        "owner" => (1, false, Permission::Admin, false),
        "maintainer" => (2, false, Permission::Maintain, false),
        "writer" => (3, false, Permission::Write, false),
        "triager" => (4, false, Permission::Triage, false),
        "reader" => (5, false, Permission::Read, false),
        "author" => (6, false, Permission::Read, true),
        // In a private repository, somebody without access.
        "first-timer" => (7, false, Permission::None, false),
        "named bot" => (41_898_282, true, Permission::None, false),
        // Its name is that of the bot above; it may even have been given rights.
        "look-alike bot" => (99_999_999, true, Permission::Write, false),
        "other bot" => (49_699_333, true, Permission::None, false),
        "deleted" => (10_137, false, Permission::None, false),
        other => panic!("{other}"),
    };
    Actor { id, is_bot, level, is_author }
}

fn place(name: &str) -> ThreadContext {
    let pull = |own| Thread::Pull { own, head: HEAD.to_owned() };
    let (thread, locked, open) = match name {
        "own" => (pull(true), false, true),
        "fork" | "fork, read" => (pull(false), false, true),
        "issue" => (Thread::Issue, false, true),
        "locked" => (pull(true), true, true),
        "closed" | "merged" => (pull(true), false, false),
        "closed issue" => (Thread::Issue, false, false),
        other => panic!("{other}"),
    };
    ThreadContext { thread, locked, open }
}

/// A letter for each actor: `+` it is done, `-` refused with an answer, `.` unheard.
const TABLE: &str = "
                 own         fork        fork,read   issue       closed      merged      closed-issue
/explain         ++++++-+..- ++++++-+..- ++++++-+..- ++++++-+..- ++++++-+..- ++++++-+..- ++++++-+..-
/help            ++++++-+..- ++++++-+..- ++++++-+..- ++++++-+..- ++++++-+..- ++++++-+..- ++++++-+..-
/retry           +++--+-+..- +++--+-+..- +++--+-+..- +++--+-+..- --------..- --------..- --------..-
/retry_t         +++----+..- --------..- +++-----..- +++----+..- --------..- --------..- --------..-
/heal            +++----+..- --------..- +++-----..- +++----+..- --------..- --------..- --------..-
/generate        +++----+..- --------..- +++-----..- +++----+..- --------..- --------..- --------..-
/bisect_t        +++----+..- --------..- +++-----..- +++----+..- --------..- --------..- --------..-
/triage          +++----+..- +++----+..- +++----+..- +++----+..- --------..- --------..- --------..-
/quarantine_t    +++----+..- +++----+..- +++----+..- +++----+..- --------..- --------..- --------..-
/file_t          +++----+..- +++----+..- +++----+..- +++----+..- --------..- --------..- --------..-
/unquarantine_t  +++----+..- +++----+..- +++----+..- +++----+..- +++----+..- +++----+..- +++----+..-
/flaky_t         +++----+..- +++----+..- +++----+..- +++----+..- +++----+..- +++----+..- +++----+..-
/not-flaky_t     +++----+..- +++----+..- +++----+..- +++----+..- +++----+..- +++----+..- +++----+..-
/expected_k      +++----+..- +++----+..- +++----+..- +++----+..- +++----+..- +++----+..- +++----+..-
/ignore_k        +++----+..- +++----+..- +++----+..- +++----+..- +++----+..- +++----+..- +++----+..-
/stop            +++----+..- +++----+..- +++----+..- +++----+..- +++----+..- +++----+..- +++----+..-
";

const PLACES: [&str; 7] = ["own", "fork", "fork, read", "issue", "closed", "merged", "closed issue"];

fn order(text: &str, has_read: bool) -> CommandLine {
    let read_diff = if has_read { format!(" --i-have-read-the-diff {HEAD}") } else { String::new() };
    match read(&format!("{}{read_diff}", text.replace('_', " "))).as_slice() {
        [ParsedLine::Order(order)] => order.clone(),
        other => panic!("{text}: {other:?}"),
    }
}

fn sign(admission: &Decision) -> char {
    match admission {
        Decision::Granted => '+',
        Decision::Refused(_) => '-',
        Decision::Unheard(_) => '.',
    }
}

#[test]
fn the_whole_table() {
    let policy = Commands { bots: vec![41_898_282], ..Commands::default() };
    let mut verbs = Vec::new();
    for row in TABLE.lines().filter(|row| row.starts_with('/')) {
        let (command, cells) = row.split_once(' ').unwrap();
        let cells: String = cells.split_whitespace().collect();
        assert_eq!(cells.len(), PLACES.len() * ACTORS.len(), "{command}");
        for (at, expected) in cells.chars().enumerate() {
            let (where_, who) = (PLACES[at / ACTORS.len()], ACTORS[at % ACTORS.len()]);
            let order = order(command, where_ == "fork, read");
            verbs.push(order.command.verb());
            let found = admit(&actor(who), &order, &place(where_), &policy);
            assert_eq!(sign(&found), expected, "{who} says {command} on {where_}: {found:?}");
        }
        // A locked conversation, and a policy without commands: nobody is heard.
        for who in ACTORS {
            let order = order(command, true);
            assert_eq!(sign(&admit(&actor(who), &order, &place("locked"), &policy)), '.', "{who} {command}");
            let off = Commands { enabled: false, ..policy.clone() };
            assert_eq!(sign(&admit(&actor(who), &order, &place("own"), &off)), '.', "{who} {command}");
        }
    }
    assert!(CommandKind::ALL.iter().all(|verb| verbs.contains(verb)), "a command is missing in the table");
}

#[test]
fn what_a_fork_needs() {
    let policy = Commands::default();
    let heal = |text: &str| match read(text).as_slice() {
        [ParsedLine::Order(order)] => order.clone(),
        other => panic!("{other:?}"),
    };
    let say = |text: &str| match admit(&actor("writer"), &heal(text), &place("fork"), &policy) {
        Decision::Refused(why) => why,
        other => panic!("{other:?}"),
    };
    assert!(say("/heal test_a").contains(&format!("`/heal test_a --i-have-read-the-diff {HEAD}`")));
    assert!(say(&format!("/heal --i-have-read-the-diff {}", &HEAD[..12])).contains("the head is"));
    assert!(say("/heal --i-have-read-the-diff 0000000000000000000000000000000000000000").contains("look at it anew"));
    // On an own branch it binds to the commit as well.
    let moved = heal("/heal --i-have-read-the-diff 0000000000000000000000000000000000000000");
    assert_eq!(sign(&admit(&actor("owner"), &moved, &place("own"), &policy)), '-');
}

/// The policy raises what is needed, and lowers it no further than it may be.
#[test]
fn the_policy_decides_within_bounds() {
    let parse = |text: &str| crate::plan::policy::Policy::parse(text);
    let raised = parse("[commands.needs]\nheal = \"maintain\"\nflaky = \"triage\"").unwrap().commands;
    let say = |who: &str, text: &str| sign(&admit(&actor(who), &order(text, false), &place("own"), &raised));
    assert_eq!((say("writer", "/heal"), say("maintainer", "/heal")), ('-', '+'));
    assert_eq!((say("triager", "/flaky_t"), say("reader", "/flaky_t")), ('+', '-'));
    for (text, why) in [
        ("[commands.needs]\nheal = \"read\"", "`commands.needs.heal` is `read`; it takes at least `write`"),
        ("[commands.needs]\nretry = \"triage\"", "`commands.needs.retry` is `triage`; it takes at least `write`"),
        ("[commands.needs]\nflaky = \"none\"", "`commands.needs.flaky` is `none`; it takes at least `triage`"),
        (
            "[commands]\nauthor = [\"heal\"]",
            "`commands.author` holds `heal`, which runs code: an author may be anybody",
        ),
    ] {
        assert_eq!(parse(text).unwrap_err().to_string(), why);
    }
}
