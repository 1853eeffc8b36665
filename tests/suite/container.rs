//! Foreign code in real containers: podman with runc, by its own command line and,
//! where docker's client is installed, by that over podman's socket.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::support::Workplace;

/// One engine at a time: its storage is shared.
static ENGINE: Mutex<()> = Mutex::new(());

/// Variables under which podman keeps to a folder of ours.
fn variables() -> Vec<(&'static str, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/container");
    std::fs::create_dir_all(&folder).unwrap();
    let shown = folder.display();
    // Limits that need no right beyond those of a container that is itself in one.
    let conf = "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1000:1000\"]\n[engine]\nruntime = \"runc\"\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"none\"\n";
    std::fs::write(folder.join("containers.conf"), conf).unwrap();
    let storage = format!("[storage]\ndriver = \"vfs\"\ngraphroot = \"{shown}/store\"\nrunroot = \"{shown}/run\"\n");
    std::fs::write(folder.join("storage.conf"), storage).unwrap();
    vec![
        ("CONTAINERS_CONF", format!("{shown}/containers.conf")),
        ("CONTAINERS_STORAGE_CONF", format!("{shown}/storage.conf")),
    ]
}

fn podman(arguments: &[&str]) -> std::process::Output {
    Command::new("podman").args(arguments).envs(variables()).stdin(Stdio::null()).output().unwrap()
}

/// The engines that can be used here. The image is a shell and no more: busybox.
fn engines() -> Vec<&'static str> {
    let busybox = ["/bin/busybox", "/usr/bin/busybox"].map(PathBuf::from).into_iter().find(|p| p.is_file());
    let there = Command::new("podman").arg("--version").output().is_ok();
    let (Some(busybox), true) = (busybox, there) else {
        println!("NOT TESTED: containers need podman, runc and busybox-static, which are not installed");
        return Vec::new();
    };
    if !podman(&["image", "exists", "testmedic-shell:2"]).status.success() {
        let place = Workplace::new();
        for folder in ["image/bin", "image/tmp", "image/proc", "image/sys", "image/dev", "image/etc"] {
            std::fs::create_dir_all(place.path().join(folder)).unwrap();
        }
        std::fs::copy(busybox, place.path().join("image/bin/busybox")).unwrap();
        for name in [
            "sh", "cat", "sed", "ls", "sleep", "touch", "env", "id", "grep", "wc", "mkdir", "ln", "mv", "rm", "mkfifo",
            "mknod", "chmod", "cp", "kill", "setsid",
        ] {
            std::os::unix::fs::symlink("busybox", place.path().join("image/bin").join(name)).unwrap();
        }
        let tar = place.path().join("image.tar");
        let tar = tar.to_str().unwrap();
        let packed = Command::new("tar").args(["-C"]).arg(place.path().join("image")).args(["-cf", tar, "."]).status();
        assert!(packed.unwrap().success());
        let made = podman(&["import", "--quiet", tar, "testmedic-shell:2"]);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
    let tried = podman(&["run", "--rm", "--network=none", "testmedic-shell:2", "id"]);
    if !tried.status.success() {
        println!("NOT TESTED: this machine runs no containers: {}", String::from_utf8_lossy(&tried.stderr));
        return Vec::new();
    }
    let docker = Command::new("docker").arg("--version").output().is_ok();
    if docker { vec!["podman", "docker"] } else { vec!["podman"] }
}

/// podman's socket, for docker's client.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn service(place: &Workplace) -> (Service, String) {
    let address = format!("unix://{}/engine.sock", place.path().display());
    let child = Command::new("podman")
        .args(["system", "service", "--time=0", &address])
        .envs(variables())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while !place.path().join("engine.sock").exists() && begun.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(50));
    }
    (Service(child), address)
}

/// Containers that there are, running or not.
fn left() -> usize {
    let listed = podman(&["ps", "--all", "--quiet"]);
    String::from_utf8_lossy(&listed.stdout).lines().count()
}

/// A product that answers something else where it sees what it must not, and a
/// test command in shell.
pub fn repository(product: &str, bounds: &str) -> Workplace {
    let place = Workplace::new();
    let git = |arguments: &[&str]| place.git(&[&["-C", "repo"], arguments].concat());
    std::fs::create_dir_all(place.path().join("repo")).unwrap();
    place.write("outside.txt", "not for tests");
    place.write("repo/tests/test_it.py", "def test_it():\n    assert status() == 'queued'\n");
    place.write("repo/status.sh", "got='queued'\n");
    let check = "report=$1\nwant=$(sed -n \"s/.*== '\\(.*\\)'/\\1/p\" tests/test_it.py)\n. ./status.sh\nif [ \"$got\" = \"$want\" ]; then inner=''; code=0; else inner=\"<failure message=\\\"AssertionError: assert '$got' == '$want'\\\">tests/test_it.py:2: AssertionError</failure>\"; code=1; fi\necho \"<testsuite><testcase name=\\\"test_it\\\" classname=\\\"tests.test_it\\\" file=\\\"tests/test_it.py\\\" line=\\\"1\\\">$inner</testcase></testsuite>\" > \"$report\"\nexit $code\n";
    place.write("repo/check.sh", check);
    let image = if bounds.contains("image =") { "" } else { "image = \"testmedic-shell:2\"\n" };
    place.write(
        "repo/.github/testmedic.toml",
        format!("[run]\n{image}command = \"sh check.sh {{junit}} {{tests}}\"\n{bounds}"),
    );
    git(&["init", "-q", "-b", "main", "."]);
    git(&["add", "-A"]);
    git(&["commit", "-qm", "One"]);
    place.write("repo/status.sh", product.replace("OUTSIDE", &place.path().join("outside.txt").display().to_string()));
    git(&["commit", "-qam", "Two"]);
    place
}

const HEAL: [&str; 7] = ["heal", "--repo", "repo", "--only", "test_it", "--history", "none"];

fn each(run: impl Fn(&str, &[(&str, &str)])) {
    let _alone = ENGINE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    for engine in engines() {
        let place = Workplace::new();
        let mut all = variables();
        let _service = (engine == "docker").then(|| {
            let (service, address) = service(&place);
            all.push(("DOCKER_HOST", address));
            service
        });
        if engine == "podman" {
            // docker's client, where it is installed, finds nothing to talk to.
            all.push(("DOCKER_HOST", "unix:///nowhere.sock".to_owned()));
        }
        let pairs: Vec<(&str, &str)> = all.iter().map(|(k, v)| (*k, v.as_str())).collect();
        run(engine, &pairs);
        assert_eq!(left(), 0, "{engine}: a container is left");
    }
}

/// Calls `run` with the environment for podman, if this machine can run containers.
pub fn podman_alone(run: impl Fn(&[(&str, &str)])) {
    let _alone = ENGINE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if engines().contains(&"podman") {
        let all = [variables(), vec![("DOCKER_HOST", "unix:///nowhere.sock".to_owned())]].concat();
        let pairs: Vec<(&str, &str)> = all.iter().map(|(k, v)| (*k, v.as_str())).collect();
        run(&pairs);
        assert_eq!(left(), 0, "a container is left");
    }
}

#[test]
fn tests_are_healed_in_a_container_that_sees_nothing_else() {
    let product = "got='pending'\n[ \"$(ls /sys/class/net | wc -l)\" = 1 ] || got='network'\ntouch /etc/x 2>/dev/null && got='root'\ntouch /bin/x 2>/dev/null && got='bin'\n[ -e OUTSIDE ] && got='outside'\nenv | grep -q ghs_ && got='secret'\n[ -e /var/run/docker.sock ] && got='socket'\ngrep -q 'CapEff:.0000000000000000' /proc/self/status || got='capable'\n";
    each(|engine, variables| {
        let place = repository(product, "");
        let all = [variables, &[("GITHUB_TOKEN", "ghs_CounterpartTokenForTests0001")]].concat();
        let ran = place.run_with(&HEAL, &all);
        assert_eq!(ran.code, 0, "{engine}: {}{}", ran.out, ran.err);
        assert!(ran.out.contains("HEALED") && ran.out.contains("+    assert status() == 'pending'"), "{}", ran.out);
    });
}

#[test]
fn a_container_that_hangs_is_ended() {
    each(|engine, variables| {
        let place = repository("sleep 8731\n", "timeout-seconds = 2\n");
        let ran = place.run_with(&HEAL, variables);
        assert_eq!(ran.code, 3, "{engine}: {}{}", ran.out, ran.err);
        assert!(ran.out.contains("it was ended after 2 seconds"), "{engine}: {}", ran.out);
    });
}

#[test]
fn a_container_ends_with_us() {
    each(|engine, variables| {
        let place = repository("sleep 8741\n", "");
        let mut child = Command::new(env!("CARGO_BIN_EXE_testmedic"))
            .args(HEAL)
            .current_dir(place.path())
            .envs(variables.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let wait = |what: &dyn Fn() -> bool| {
            let begun = Instant::now();
            while !what() && begun.elapsed() < Duration::from_secs(120) {
                std::thread::sleep(Duration::from_millis(100));
            }
            what()
        };
        assert!(wait(&|| left() > 0), "{engine}: no container came");
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(wait(&|| left() == 0), "{engine}: the container lives on");
    });
}

#[test]
fn an_image_that_is_not_there_is_told() {
    each(|engine, variables| {
        let place = repository("got='pending'\n", "");
        place.write("policy.toml", "[run]\nimage = \"localhost/no-such-image:1\"\n");
        let ran = place.run_with(&[&HEAL[..], &["--config", "policy.toml"]].concat(), variables);
        assert_eq!(ran.code, 3, "{engine}: {}{}", ran.out, ran.err);
        assert!(ran.err.contains("the image `localhost/no-such-image:1` cannot be fetched"), "{engine}: {}", ran.err);
    });
}
