//! What the benches share: reports of any size, child processes whose time and
//! peak memory are read from the operating system, and a table.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// Writes a `JUnit` report of about `bytes` bytes and tells how many cases are in it.
/// Around 370 bytes a case; 1 in 200 fails with a stack trace, 1 in 50 is skipped,
/// 2 in 5 have a property and print something.
pub fn write_report(path: &Path, bytes: u64) -> u64 {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path).expect("a scratch file"));
    let mut written = 0;
    let mut cases = 0_u64;
    let head = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<testsuites name=\"bench\">\n";
    written += put(&mut out, head);
    while written < bytes {
        let suite = cases / 400;
        written += put(
            &mut out,
            &format!(
                "<testsuite name=\"com.example.shop.module{suite}.OrderServiceTest\" timestamp=\"2026-05-01T10:00:00\" hostname=\"runner\">\n"
            ),
        );
        for _ in 0..400 {
            written += put(&mut out, &case(suite, cases));
            cases += 1;
        }
        written += put(&mut out, "</testsuite>\n");
    }
    put(&mut out, "</testsuites>\n");
    out.flush().expect("a scratch file");
    cases
}

fn put(out: &mut impl Write, text: &str) -> u64 {
    out.write_all(text.as_bytes()).expect("a scratch file");
    text.len() as u64
}

fn case(suite: u64, n: u64) -> String {
    let open = format!(
        "  <testcase classname=\"com.example.shop.module{suite}.OrderServiceTest\" name=\"creates_order_with_items[{n}-EUR]\" file=\"src/test/java/com/example/shop/module{suite}/OrderServiceTest.java\" line=\"{}\" time=\"0.{:03}\"",
        n % 900 + 20,
        n % 1000
    );
    match n {
        n if n % 200 == 7 => format!(
            "{open}>\n    <failure message=\"expected: &lt;{n}&gt; but was: &lt;0&gt;\" type=\"org.opentest4j.AssertionFailedError\"><![CDATA[org.opentest4j.AssertionFailedError: expected: <{n}> but was: <0>\n{}]]></failure>\n  </testcase>\n",
            "\tat com.example.shop.OrderService.create(OrderService.java:57)\n".repeat(20)
        ),
        n if n % 50 == 3 => {
            format!("{open}><skipped message=\"not on this platform\"/></testcase>\n")
        }
        n if n % 5 < 2 => format!(
            "{open}>\n    <properties>\n      <property name=\"owner\" value=\"team-{}\"/>\n    </properties>\n    <system-out>{}</system-out>\n  </testcase>\n",
            n % 12,
            "10:00:00 INFO order &lt;{n}&gt; created &amp; sent\n".repeat(3)
        ),
        _ => format!("{open}/>\n"),
    }
}

/// A scratch folder below `target/`, kept between runs so that large inputs are made once.
pub fn scratch() -> PathBuf {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench-scratch");
    std::fs::create_dir_all(&dir).expect("target/ is writable");
    dir
}

/// The time and peak memory of one stage run in a process of its own.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    pub seconds: f64,
    pub peak_mb: f64,
    /// What the stage counted, so that nothing is optimised away and stages can be compared.
    pub count: u64,
}

/// Runs `stage` of this bench in a child process, `runs` times, and gives the median by time.
pub fn measure(stage: &str, args: &[&str], runs: usize) -> Cost {
    let mut costs: Vec<Cost> = (0..runs).map(|_| child(stage, args)).collect();
    costs.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    costs[costs.len() / 2]
}

fn child(stage: &str, args: &[&str]) -> Cost {
    let exe = std::env::current_exe().expect("this bench");
    let output = Command::new(exe).arg("--stage").arg(stage).args(args).output().expect("this bench again");
    assert!(output.status.success(), "{stage}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    let mut fields = text.split_whitespace().map(|f| f.parse::<f64>().expect("a number"));
    let mut next = || fields.next().expect("three numbers");
    Cost { seconds: next(), peak_mb: next(), count: next() as u64 }
}

/// In a child: runs `work` and reports to the parent. `work` gives what it
/// counted, and the seconds of the part that matters where that is not all of
/// it. True if this process is a child.
pub fn serve(work: impl Fn(&str, &[String]) -> (u64, Option<f64>)) -> bool {
    let args: Vec<String> = std::env::args().collect();
    let Some(at) = args.iter().position(|a| a == "--stage") else { return false };
    let start = Instant::now();
    let (count, seconds) = work(&args[at + 1], &args[at + 2..]);
    println!("{} {} {count}", seconds.unwrap_or_else(|| start.elapsed().as_secs_f64()), peak_mb());
    true
}

/// Peak resident memory of this process (Linux), else 0.
pub fn peak_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmHWM:"));
    line.and_then(|l| l.split_whitespace().nth(1)).and_then(|kb| kb.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}
