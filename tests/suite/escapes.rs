//! Untrusted code that tries to escape from its checkout with the help of testmedic: it plants
//! configuration, links and processes before testmedic checks out commits, writes test files and reads
//! results.
//!
//! A plain process could write to the canary file itself, because it runs as the same user. The tests
//! check that testmedic does not write there for it, and does not run its programs.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::container;
use crate::support::{Ran, Workplace};

/// The required result of an attempt, besides an unchanged canary file.
#[derive(Clone, Copy, PartialEq)]
enum Must {
    /// The test is healed.
    Heal,
    /// The test is not healed, because no result counts.
    Fail,
    /// Either.
    End,
}

use Must::{End, Fail, Heal};

/// Name, script before the results are written, script after that, and required result. `OUT` is the
/// directory of the canary file, `EVIL` a program that creates a file there.
const TRIES: [(&str, &str, &str, Must); 35] = [
    ("a filter in the checkout", "CONFIG .git", "", Heal),
    (
        "a filter behind an include",
        "printf '[include]\\npath = %s/c/config\\n' \"$HOME\" >> .git/config; mkdir -p \"$HOME/c/info\"; CONFIG \"$HOME/c\"; printf '* filter=evil\\n' > .git/info/attributes",
        "",
        Heal,
    ),
    (
        "a filter at home",
        "mkdir -p \"$HOME/.config/git/info\"; CONFIG \"$HOME/.config/git\"; cp \"$HOME/.config/git/config\" \"$HOME/.gitconfig\"; printf '* filter=evil\\n' > \"$HOME/.config/git/attributes\"",
        "",
        Heal,
    ),
    (
        "attributes of the checkout",
        "CONFIG .git; printf '* filter=evil diff=evil merge=evil\\n' > .gitattributes",
        "",
        Heal,
    ),
    (
        "git folders of checkouts to come",
        "for n in 1 2 3; do mkdir -p \"$scratch/tree-$n/.git/info\"; CONFIG \"$scratch/tree-$n/.git\"; done",
        "",
        End,
    ),
    (
        "git folders of ours to come",
        "for n in 1 2 3; do mkdir -p \"$scratch/git-$n/info\"; CONFIG \"$scratch/git-$n\"; done",
        "",
        End,
    ),
    ("the git folder in use", "CONFIG \"$scratch/git-0\"", "", Heal),
    (
        "hooks",
        "for hook in post-checkout post-index-change reference-transaction pre-commit; do mkdir -p .git/hooks; cp EVIL \".git/hooks/$hook\"; done",
        "",
        Heal,
    ),
    (
        "a folder of hooks",
        "mkdir -p \"$HOME/hooks\"; cp EVIL \"$HOME/hooks/post-checkout\"; printf '[core]\\nhooksPath = %s/hooks\\n' \"$HOME\" >> .git/config",
        "",
        Heal,
    ),
    ("a file system monitor", "printf '[core]\\nfsmonitor = EVIL\\n' >> .git/config", "", Heal),
    (
        "a transport for objects that lack",
        "printf '[extensions]\\npartialClone = x\\n[remote \"x\"]\\nurl = ext::EVIL\\npromisor = true\\n[core]\\nsshCommand = EVIL\\n' >> .git/config",
        "",
        Heal,
    ),
    ("the git folder is a link", "rm -rf .git; ln -s OUT/dir .git", "", Heal),
    ("the test is a link", "rm tests/test_it.py; ln -s OUT/canary tests/test_it.py", "", End),
    ("the test is a hard link", "rm tests/test_it.py; ln OUT/canary tests/test_it.py 2>/dev/null", "", End),
    ("the folder of the test is a link", "mv tests other; ln -s OUT/dir tests", "", End),
    (
        "links behind the results",
        "",
        "rm -rf tests; ln -s OUT/dir tests; rm -f check.sh status.sh; ln -s OUT/canary status.sh",
        Heal,
    ),
    ("dependencies are a link", "ln -s OUT/dir node_modules; ln -s OUT/dir vendor", "", Heal),
    (
        "build outputs are links",
        "ln -s OUT/dir target; mkdir -p sub; ln -s OUT/dir sub/build; mkdir -p out; ln -s OUT/canary out/x",
        "",
        Heal,
    ),
    ("a link where the worn checkout goes", "ln -s OUT/dir \"$PWD.worn\"", "", Heal),
    ("the checkout is a link", "", "cd /; mv \"$tree\" \"$tree.moved\"; ln -s OUT/dir \"$tree\"", End),
    ("the report is a link", "", "rm -f \"$report\"; ln -s OUT/passed.xml \"$report\"", Fail),
    ("the report is a hard link", "", "rm -f \"$report\"; ln OUT/passed.xml \"$report\"", Fail),
    ("the report is a pipe", "", "rm -f \"$report\"; mkfifo \"$report\"", Fail),
    ("the report is a device", "", "rm -f \"$report\"; mknod \"$report\" c 1 5", Fail),
    ("the report is a folder", "", "rm -f \"$report\"; mkdir \"$report\"", Fail),
    (
        "the folder of the report is a link",
        "",
        "cd /; mv \"${report%/*}\" \"$HOME/run\"; ln -s OUT/dir \"${report%/*}\"",
        End,
    ),
    ("the shared folder is a link", "rm -rf \"$scratch/shared\"; ln -s OUT/dir \"$scratch/shared\"", "", Heal),
    (
        "a process that swaps links",
        "setsid sh -c 'while :; do rm -rf tests; ln -s OUT/dir tests; rm -f tests; mkdir tests; done' >/dev/null 2>&1 & sleep 0.1",
        "",
        End,
    ),
    (
        "descriptors of ours",
        "for fd in 3 4 5 6 7 8 9; do (eval \"echo x >&$fd\") 2>/dev/null && got=leak; done",
        "",
        Heal,
    ),
    ("the environment of processes above", "cat /proc/*/environ 2>/dev/null | grep -q ghs_ && got=secret", "", Heal),
    ("our git folder is a link", "rm -rf \"$scratch/git-0\"; ln -s OUT/dir \"$scratch/git-0\"", "", End),
    (
        "our git configuration is a link",
        "rm -f \"$scratch/git-0/config\"; ln -s OUT/canary \"$scratch/git-0/config\"",
        "",
        End,
    ),
    ("our clean copy is a link", "rm -rf \"$scratch/clean-0\"; ln -s OUT/dir \"$scratch/clean-0\"", "", End),
    (
        "everything is moved away and a link in its place",
        "",
        "cd /; mv \"$scratch\" \"$scratch.moved\"; ln -s OUT/dir \"$scratch\"; sleep 0.1; rm \"$scratch\"; mv \"$scratch.moved\" \"$scratch\"",
        End,
    ),
    (
        "everything is moved away for good",
        "",
        "cd /; cp -r \"$scratch\" \"$HOME/../moved\" 2>/dev/null; mv \"$scratch\" \"$scratch.gone\"; ln -s OUT/dir \"$scratch\"; rm -rf \"$scratch.gone\"",
        End,
    ),
];

/// Creates a repository whose product code makes the attempt while it is tested.
fn repository(before: &str, after: &str, bounds: &str) -> Workplace {
    let config = "CONFIG() { printf '[core]\\nrepositoryformatversion = 0\\nbare = false\\n[filter \"evil\"]\\nsmudge = EVIL\\nclean = EVIL\\nprocess = EVIL\\n' >> \"$1/config\"; mkdir -p \"$1/info\"; printf '* filter=evil\\n' > \"$1/info/attributes\"; }";
    let evil = "printf '#!/bin/sh\\necho ran > OUT/ran\\ncat\\n' > \"$HOME/evil\"; chmod 755 \"$HOME/evil\"";
    let product = format!(
        "got='pending'\ntree=$PWD\nscratch=${{PWD%/*}}\n{config}\n{evil}\n{before}\nbehind() {{ {}; }}\ntrap behind EXIT\n",
        if after.is_empty() { ":" } else { after }
    );
    let place = container::repository("got='pending'\n", bounds);
    let out = place.path().join("outside").display().to_string();
    for (name, text) in
        [("canary", "alive"), ("dir/canary", "alive"), ("dir/test_it.py", "alive"), ("passed.xml", PASSED)]
    {
        place.write(&format!("outside/{name}"), text);
    }
    let product = product.replace("EVIL", "'\"$HOME\"'/evil").replace("OUT", &out);
    // Within quotes and without the path has to stand as it is.
    let product = product.replace("cp '\"$HOME\"'/evil", "cp \"$HOME/evil\"");
    place.write("repo/status.sh", product);
    place.git(&["-C", "repo", "commit", "-q", "--all", "--amend", "--no-edit"]);
    place
}

const PASSED: &str = "<testsuite><testcase name=\"test_it\" classname=\"tests.test_it\" file=\"tests/test_it.py\" line=\"1\"/></testsuite>";

const HEAL: [&str; 7] = ["heal", "--repo", "repo", "--only", "test_it", "--history", "none"];

fn tree(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in folder.read_dir().unwrap().flatten() {
        if entry.file_type().unwrap().is_dir() {
            found.extend(tree(&entry.path()));
        } else {
            found.push((entry.path().display().to_string(), std::fs::read(entry.path()).unwrap()));
        }
    }
    found.sort();
    found
}

/// Makes an attempt, and checks that no file outside changed.
fn tried(name: &str, place: &Workplace, variables: &[(&str, &str)]) -> Ran {
    let before = (tree(&place.path().join("outside")), tree(&place.path().join("repo")));
    let begun = Instant::now();
    let ran = place.run_with(&HEAL, variables);
    let after = (tree(&place.path().join("outside")), tree(&place.path().join("repo")));
    assert!(!place.path().join("outside/ran").exists(), "{name}: its program ran: {}{}", ran.out, ran.err);
    assert!(before.0 == after.0, "{name}: the canary was touched");
    assert!(before.1 == after.1, "{name}: the repository was touched");
    assert!(begun.elapsed() < Duration::from_secs(60), "{name}: it hangs");
    ran
}

fn judge(name: &str, must: Must, ran: &Ran) {
    let healed = ran.code == 0 && ran.out.contains("HEALED");
    assert!(must == End || healed == (must == Heal), "{name}: {} {}{}", ran.code, ran.out, ran.err);
}

const TOKEN: (&str, &str) = ("GITHUB_TOKEN", "ghs_CounterpartTokenForTests0001");

#[test]
fn no_plain_process_gets_out_through_us() {
    for (name, before, after, must) in TRIES {
        let place = repository(before, after, "image = \"\"\ntimeout-seconds = 20\n");
        judge(name, must, &tried(name, &place, &[TOKEN]));
    }
}

#[test]
fn nothing_gets_out_of_a_container_through_us() {
    // Attempts that do not affect the results run together, because starting a container is slow.
    let quiet: Vec<&str> = TRIES.iter().filter(|t| t.3 == Heal && t.2.is_empty()).map(|t| t.1).collect();
    let mut tries = vec![("all that is quiet".to_owned(), quiet.join("\n"), "", Heal)];
    let loud = TRIES.iter().filter(|t| t.3 != Heal || !t.2.is_empty());
    tries.extend(loud.map(|(name, before, after, must)| ((*name).to_owned(), (*before).to_owned(), *after, *must)));
    container::podman_alone(|variables| {
        for (name, before, after, must) in &tries {
            let place = repository(before, after, "timeout-seconds = 60\n");
            let ran = tried(name, &place, &[variables, &[TOKEN]].concat());
            // A container cannot create devices, so such an attempt leaves a valid report or none.
            judge(name, if *must == Heal { Heal } else { End }, &ran);
        }
    });
}

/// The processes of a test that kills its supervisor are killed.
#[test]
fn who_kills_its_supervisor_is_ended() {
    let before = "setsid sleep 8751 >/dev/null 2>&1 &\np=$$\nwhile [ \"$p\" -gt 1 ]; do p=$(sed 's/.*) . \\([0-9]*\\) .*/\\1/' /proc/$p/stat); if grep -q supervise /proc/$p/cmdline; then kill -9 $p; break; fi; done\nsleep 1";
    let place = repository(before, "", "image = \"\"\ntimeout-seconds = 20\n");
    let ran = tried("kill", &place, &[]);
    assert!(ran.out.contains("it ended its supervisor"), "{}{}", ran.out, ran.err);
    let lives = |entry: &std::fs::DirEntry| {
        std::fs::read(entry.path().join("cmdline")).is_ok_and(|line| line.starts_with(b"sleep\x008751"))
    };
    assert!(!std::fs::read_dir("/proc").unwrap().flatten().any(|entry| lives(&entry)), "its process lives");
}

/// Python code that waits for the next private git directory and adds a filter to its configuration.
const WAITS: &str = "def wait(scratch):\n    for _ in range(400):\n        if os.path.isdir(scratch + '/git-1/info') or os.path.isdir(scratch + '/git-1/objects'):\n            os.makedirs(scratch + '/git-1/info', exist_ok=True)\n            open(scratch + '/git-1/info/attributes', 'w').write('* filter=evil\\n')\n            open(scratch + '/git-1/config', 'a').write('[filter \"evil\"]\\nsmudge = ' + os.environ['HOME'] + '/evil\\n')\n            return\n        time.sleep(0.002)\n";

/// A process whose main thread has ended looks like a zombie but still runs.
#[test]
fn what_looks_dead_is_ended_too() {
    let code = format!(
        "import ctypes, os, platform, sys, threading, time\n{WAITS}def other():\n    wait(sys.argv[1])\n    time.sleep(30)\nif os.fork() == 0:\n    os.setsid()\n    threading.Thread(target=other).start()\n    ctypes.CDLL(None).syscall(60 if platform.machine() == 'x86_64' else 93, 0)\n"
    );
    let before = format!(
        "cat > \"$HOME/dead.py\" <<'END'\n{code}END\npython3 \"$HOME/dead.py\" \"$scratch\" 8761 >/dev/null 2>&1; sleep 0.2"
    );
    let place = repository(&before, "", "image = \"\"\ntimeout-seconds = 20\n");
    judge("zombie", Heal, &tried("zombie", &place, &[]));
    let lives = |entry: &std::fs::DirEntry| {
        let read = |name: &str| std::fs::read(entry.path().join(name)).unwrap_or_default();
        String::from_utf8_lossy(&read("cmdline")).contains("dead.py") || read("status").starts_with(b"Name:\tdead.py")
    };
    assert!(!std::fs::read_dir("/proc").unwrap().flatten().any(|entry| lives(&entry)), "it lives");
}

/// A test writes the answer of its supervisor itself and then kills it.
#[test]
fn an_answer_of_the_tests_is_none() {
    let code = format!(
        "import os, signal, sys, time\n{WAITS}above = os.getpid()\nwhile above > 1:\n    above = int(open('/proc/%d/stat' % above).read().rsplit(') ', 1)[1].split()[1])\n    if 'supervise' in open('/proc/%d/cmdline' % above).read():\n        break\nif os.fork() == 0:\n    os.setsid()\n    wait(sys.argv[1])\n    time.sleep(30)\n    os._exit(0)\ntry:\n    os.write(os.open('/proc/%d/fd/1' % above, os.O_WRONLY), b'{{\"Ok\":{{\"end\":{{\"exited\":1}},\"seconds\":0.5,\"stdout\":\"\",\"stderr\":\"\"}}}}')\nexcept OSError:\n    pass\nos.kill(above, signal.SIGKILL)\n"
    );
    let before = format!("cat > \"$HOME/forge.py\" <<'END'\n{code}END\npython3 \"$HOME/forge.py\" \"$scratch\"");
    let place = repository(&before, "", "image = \"\"\ntimeout-seconds = 20\n");
    let ran = tried("forge", &place, &[]);
    judge("forge", Fail, &ran);
    assert!(ran.out.contains("it ended its supervisor"), "{}{}", ran.out, ran.err);
    let lives = |entry: &std::fs::DirEntry| {
        std::fs::read(entry.path().join("cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).contains("forge.py"))
    };
    assert!(!std::fs::read_dir("/proc").unwrap().flatten().any(|entry| lives(&entry)), "it lives");
}

/// A lock file that is a pipe or a device does not block.
#[test]
fn lock_files_are_plain_files() {
    let place = repository("", "", "image = \"\"\ntimeout-seconds = 20\n");
    std::os::unix::fs::symlink("/dev/zero", place.path().join("repo/requirements.txt")).unwrap();
    place.git(&["-C", "repo", "add", "requirements.txt"]);
    place.git(&["-C", "repo", "commit", "-q", "--amend", "--no-edit"]);
    // The repository is not compared afterwards, because reading the device would not terminate.
    let ran = place.run_with(&HEAL, &[]);
    judge("device", Heal, &ran);
}

/// The shell of the native action's last step must be replaced: tests could read the token in its
/// environment.
#[test]
fn no_shell_with_a_token_stands_above_the_tests() {
    let action = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("native/action.yml")).unwrap();
    let action: serde_yaml_ng::Value = serde_yaml_ng::from_str(&action).unwrap();
    let script = action["runs"]["steps"].as_sequence().unwrap().last().unwrap()["run"].as_str().unwrap();
    let before = "p=$$\nwhile [ \"$p\" -gt 1 ]; do p=$(sed 's/.*) . \\([0-9]*\\) .*/\\1/' /proc/$p/stat); grep -q ghs_ /proc/$p/environ 2>/dev/null && got=secret; done";
    let place = repository(before, "", "image = \"\"\n");
    place.write("testmedic", "");
    std::fs::remove_file(place.path().join("testmedic")).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_testmedic"), place.path().join("testmedic")).unwrap();
    let script = script.replace(" action", &format!(" {}", HEAL.join(" ")));
    place.write("step.sh", script);
    let mut command = std::process::Command::new("bash");
    command.args(["--noprofile", "--norc", "-e", "-o", "pipefail", "step.sh"]).current_dir(place.path()).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", place.path());
    command.env("RUNNER_TEMP", place.path()).env(TOKEN.0, TOKEN.1);
    let done = command.output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    assert!(said.contains("HEALED") && !said.contains("secret"), "{said}");
}
