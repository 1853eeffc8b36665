//! Foreign code within bounds: it hangs, forks, prints, fills the disk, looks
//! for secrets; and we are killed while it runs.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{IDENTITY, Workplace};

/// A repository whose only test runs `body` as a shell script, by a command of
/// the policy; the test "passes" on the first commit.
fn repository(body: &str, bounds: &str) -> Workplace {
    let place = Workplace::new();
    let git = |arguments: &[&str]| {
        let done = Command::new("git")
            .arg("-C")
            .arg(place.path().join("repo"))
            .args(arguments)
            .envs(IDENTITY)
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    place.write("repo/tests/test_it.py", "def test_it():\n    assert 1 == 2\n");
    place.write("repo/body.sh", body);
    place
        .write("repo/.github/testmedic.toml", format!("[run]\ncommand = \"sh body.sh {{junit}} {{tests}}\"\n{bounds}"));
    git(&["init", "-q", "-b", "main", "."]);
    git(&["add", "-A"]);
    git(&["commit", "-qm", "One"]);
    place.write("repo/product.py", "x = 1\n");
    git(&["add", "-A"]);
    git(&["commit", "-qm", "Two"]);
    place
}

const HEAL: [&str; 7] = ["heal", "--repo", "repo", "--only", "test_it", "--history", "none"];

/// What is left of a program: its processes, by a word in their command line.
fn processes_with(word: &str) -> usize {
    let own = std::process::id().to_string();
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter(|e| e.file_name().to_string_lossy().bytes().all(|b| b.is_ascii_digit()) && e.file_name() != *own)
        .filter(|e| std::fs::read(e.path().join("cmdline")).is_ok_and(|c| String::from_utf8_lossy(&c).contains(word)))
        .count()
}

fn untouched(place: &Workplace) {
    let done = Command::new("git")
        .arg("-C")
        .arg(place.path().join("repo"))
        .args(["status", "--porcelain", "--ignored"])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&done.stdout), "");
    assert!(!place.path().join("repo/.git/worktrees").exists());
}

#[test]
fn a_test_that_hangs_is_ended_with_all_that_it_started() {
    // One child stays in the group, one leaves it and its session, one is an orphan.
    let body = "sleep 8711 & setsid sleep 8712 & (setsid sh -c 'sleep 8713 & exit' &) ; sleep 8714\n";
    let place = repository(body, "timeout-seconds = 1\n");
    let ran = place.run(&HEAL);
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("it was ended after 1 seconds"), "{}", ran.out);
    for word in ["8711", "8712", "8713", "8714"] {
        assert_eq!(processes_with(&format!("sleep\0{word}")), 0, "sleep {word} lives");
    }
    untouched(&place);
}

#[test]
fn what_a_test_leaves_behind_is_ended() {
    let body = "setsid sleep 8721 & echo '<testsuite><testcase name=\"test_it\"><failure message=\"x\"/></testcase></testsuite>' > \"$1\"; exit 1\n";
    let place = repository(body, "");
    let ran = place.run(&HEAL);
    assert!(ran.out.contains("fails on the code before the change as well"), "{}{}", ran.out, ran.err);
    assert_eq!(processes_with("sleep\x008721"), 0);
}

#[test]
fn a_fork_bomb_is_ended() {
    let body = "i=0; while [ $i -lt 3000 ]; do sleep 8731 & i=$((i+1)); done; wait\n";
    let place = repository(body, "timeout-seconds = 60\n");
    let ran = place.run(&HEAL);
    assert!(ran.out.contains("more than 2000 processes"), "{}{}", ran.out, ran.err);
    assert_eq!(processes_with("sleep\x008731"), 0);
}

#[test]
fn a_test_that_prints_a_gigabyte_is_ended() {
    let place = repository("yes 'a line that says nothing' | head -c 1000000000\n", "timeout-seconds = 60\n");
    let ran = place.run(&HEAL);
    assert!(ran.out.contains("printed more than 64 MB"), "{}{}", ran.out, ran.err);
    assert!(ran.out.len() < 20_000);
}

#[test]
fn a_test_that_fills_the_disk_is_ended() {
    let one = repository("yes | head -c 90000000 > big; echo over $?\n", "file-mb = 10\ntimeout-seconds = 60\n");
    let ran = one.run(&HEAL);
    assert!(ran.out.contains("cannot be run"), "{}{}", ran.out, ran.err);
    untouched(&one);
    let many = repository(
        "i=0; while :; do head -c 50000000 /dev/zero > big$i; i=$((i+1)); done\n",
        "disk-mb = 200\ntimeout-seconds = 60\n",
    );
    let ran = many.run(&HEAL);
    assert!(ran.out.contains("it filled the disk"), "{}{}", ran.out, ran.err);
}

#[test]
fn a_test_that_takes_all_memory_is_ended() {
    let body =
        "python3 -c 'import time; x = bytearray(300 << 20); x[::4096] = b\"1\" * len(x[::4096]); time.sleep(60)'\n";
    let place = repository(body, "memory-mb = 150\ntimeout-seconds = 60\n");
    let ran = place.run(&HEAL);
    assert!(ran.out.contains("too much memory"), "{}{}", ran.out, ran.err);
}

#[test]
fn tests_that_run_nothing_do_not_pass() {
    for body in [
        "exit 0\n",
        "echo '<testsuite/>' > \"$1\"\n",
        "echo '<testsuite><testcase name=\"test_it\"><skipped/></testcase></testsuite>' > \"$1\"\n",
    ] {
        let ran = repository(body, "").run(&HEAL);
        assert_eq!(ran.code, 3, "{}", ran.out);
        assert!(ran.out.contains("no test was run"), "{body}: {}", ran.out);
    }
}

/// The test looks for the secrets of our own environment wherever a process can:
/// in its environment, in that of every process it can see, and at home.
#[test]
fn secrets_are_not_to_be_seen() {
    let body = r#"
env > found
cat /proc/*/environ >> found 2>/dev/null
cat "$HOME"/.npmrc "$HOME"/.netrc "$HOME"/.git-credentials >> found 2>/dev/null
grep -a -o 'hidden-[a-z]*' found | sort -u > seen
echo "seen: $(cat seen | tr '\n' ' ') home: $HOME public: $PUBLIC_NAME ci: $CI"
exit 7
"#;
    let place = repository(body, "env = [\"PUBLIC_NAME\"]\n");
    let home = place.path().join("home");
    std::fs::create_dir_all(&home).unwrap();
    std::fs::write(home.join(".npmrc"), "//registry/:_authToken=hidden-npmrc").unwrap();
    let ran = place.run_with(
        &HEAL,
        &[
            ("GITHUB_TOKEN", "hidden-token"),
            ("INPUT_GITHUB-TOKEN", "hidden-input"),
            ("AWS_SECRET_ACCESS_KEY", "hidden-aws"),
            ("OPENAI_API_KEY", "hidden-key"),
            ("ACTIONS_RUNTIME_TOKEN", "hidden-runtime"),
            ("DATABASE_URL", "postgres://app:hidden-url@db/shop"),
            ("SOMETHING_ELSE", "hidden-other"),
            ("PUBLIC_NAME", "shown"),
            ("HOME", &home.display().to_string()),
        ],
    );
    let seen = ran.out.lines().find(|l| l.contains("seen:")).unwrap_or_else(|| panic!("{}{}", ran.out, ran.err));
    // A variable without a sign of being a secret is not handed on; that it can be
    // read from our own process is no leak of a secret.
    let seen = seen.replace("hidden-other", "");
    assert!(!seen.contains("hidden-"), "{seen}");
    assert!(seen.contains("public: shown ci: true") && !seen.contains(&format!("home: {}", home.display())), "{seen}");
}

/// Killed in the middle: the test ends as well, the scratch folder goes, the
/// repository is as it was.
#[test]
fn after_kill_nine_nothing_is_left() {
    let place = repository("sleep 8741\n", "timeout-seconds = 60\n");
    let temporary = place.path().join("tmp");
    std::fs::create_dir_all(&temporary).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_testmedic"))
        .args(HEAL)
        .current_dir(place.path())
        .env("TMPDIR", &temporary)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let until = |what: &str, holds: &dyn Fn() -> bool| {
        let begun = Instant::now();
        while !holds() {
            assert!(begun.elapsed() < Duration::from_secs(30), "{what} does not happen");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    until("the start", &|| processes_with("sleep\x008741") > 0);
    child.kill().unwrap();
    child.wait().unwrap();
    until("the end", &|| processes_with("sleep\x008741") == 0);
    let left = |folder: &Path| folder.read_dir().map_or(0, Iterator::count);
    until("the tidying", &|| left(&temporary) == 0);
    untouched(&place);
}

/// Without a network a test reaches itself and nobody else.
#[test]
fn a_network_of_its_own() {
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port();
    let script = format!(
        "import socket\n\
         own = socket.create_server(('127.0.0.1', 0))\n\
         socket.create_connection(own.getsockname(), 2)\n\
         print('own: reached')\n\
         try:\n    socket.create_connection(('127.0.0.1', {port}), 2)\n    print('other: reached')\n\
         except OSError:\n    print('other: not reached')\n"
    );
    let place = repository(&format!("python3 - <<'END'\n{script}END\nexit 7\n"), "network = false\n");
    let ran = place.run(&HEAL);
    let allowed = Command::new("unshare")
        .args(["--user", "--map-current-user", "--net", "true"])
        .status()
        .is_ok_and(|s| s.success());
    if allowed {
        assert!(ran.out.contains("own: reached") && ran.out.contains("other: not reached"), "{}{}", ran.out, ran.err);
    } else {
        // Where the system does not allow it nothing runs.
        assert!(!ran.out.contains("own: reached") && ran.code == 3, "{}{}", ran.out, ran.err);
    }
}
