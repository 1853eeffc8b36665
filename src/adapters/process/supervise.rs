//! The supervisor: runs one program, watches its bounds, and leaves nothing of it behind.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{Limits, ProcessOutput, Task, Termination, tree};

/// Bytes kept of the beginning of an output.
const HEAD: usize = 64 << 10;
/// Bytes kept of its end.
const TAIL: usize = 512 << 10;
/// How often the bounds are looked at.
const GLANCE: Duration = Duration::from_millis(50);
/// Free bytes below which a disk counts as full.
const DISK_RESERVE: u64 = 128 << 20;

/// Reads a [`Task`] from standard input, runs it, writes `Ok(Ended)` or
/// `Err(why)` as JSON to standard output.
#[must_use]
pub fn supervise() -> u8 {
    // The program must not open the supervisor's pipes through `/proc/PID/fd`.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    let mut line = String::new();
    let mut stdin = BufReader::new(std::io::stdin());
    let answer: Result<ProcessOutput, String> =
        match stdin.read_line(&mut line).map(|_| serde_json::from_str::<Task>(&line)) {
            Ok(Ok(task)) => watch(&task, stdin),
            _ => Err("nothing that could be run was asked for".to_owned()),
        };
    let text = serde_json::to_string(&answer).unwrap_or_default();
    let _ = std::io::stdout().write_all(text.as_bytes());
    0
}

fn watch(task: &Task, mut stdin: impl Read + Send + 'static) -> Result<ProcessOutput, String> {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    let abandoned = Arc::new(AtomicBool::new(false));
    let sign = Arc::clone(&abandoned);
    // Whoever started us keeps the pipe open and writes nothing more: its end is theirs.
    std::thread::spawn(move || {
        let _ = stdin.read_to_end(&mut Vec::new());
        sign.store(true, Ordering::SeqCst);
    });
    limit_files(&task.bounds);
    let begun = Instant::now();
    let mut child = spawn(task)?;
    let printed = Arc::new(AtomicU64::new(0));
    let stdout = child.stdout.take().map(|pipe| collect(pipe, Arc::clone(&printed)));
    let stderr = child.stderr.take().map(|pipe| collect(pipe, Arc::clone(&printed)));
    let end = wait(task, &mut child, &printed, &abandoned, begun);
    let seconds = begun.elapsed().as_secs_f64();
    tree::end();
    let _ = child.wait();
    if !matches!(end, Termination::Exited(_)) {
        clear(task);
    }
    if abandoned.load(Ordering::SeqCst)
        && let Some(scratch) = &task.scratch
    {
        let _ = std::fs::remove_dir_all(scratch);
    }
    Ok(ProcessOutput { end, seconds, stdout: text(stdout), stderr: text(stderr) })
}

/// Time to wait for the end of an output after all processes were killed.
const DRAINED: Duration = Duration::from_secs(5);

/// Returns the output that was collected. Waits for its end at most [`DRAINED`].
fn text(collected: Option<Collected>) -> String {
    let Some((handle, kept)) = collected else { return String::new() };
    let begun = Instant::now();
    while !handle.is_finished() && begun.elapsed() < DRAINED {
        std::thread::sleep(Duration::from_millis(2));
    }
    kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner).text()
}

/// How often what was left behind elsewhere is ended: an engine whose client was
/// just killed may refuse for a moment.
const CLEARED: u32 = 5;

/// Ends what the program left behind elsewhere, such as a container.
fn clear(task: &Task) {
    let Some((program, arguments)) = task.after.split_first() else { return };
    for _ in 0..CLEARED {
        let mut command = Command::new(program);
        command.args(arguments).env_clear().envs(task.env.iter().map(|(k, v)| (k, v)));
        let done = command.stdin(Stdio::null()).stdout(Stdio::null()).output();
        if done.is_ok_and(|done| done.status.success()) {
            return;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn spawn(task: &Task) -> Result<Child, String> {
    let (program, arguments) = task.argv.split_first().ok_or("the command is empty")?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(&task.folder)
        .env_clear()
        .envs(task.env.iter().map(|(k, v)| (k, v)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        command.process_group(0);
    }
    command.spawn().map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => format!("`{program}` is not installed"),
        _ => e.to_string(),
    })
}

/// Bounds that the system itself keeps; they are handed down to the program.
fn limit_files(bounds: &Limits) {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let most = |n: u64| Rlimit { current: Some(n), maximum: Some(n) };
    let _ = setrlimit(Resource::Core, most(0));
    let _ = setrlimit(Resource::Fsize, most(bounds.file));
}

fn wait(task: &Task, child: &mut Child, printed: &AtomicU64, abandoned: &AtomicBool, begun: Instant) -> Termination {
    let bounds = &task.bounds;
    let memory = if bounds.memory == 0 { machine_memory() / 4 * 3 } else { bounds.memory };
    let disk = || task.scratch.as_ref().and_then(|p| rustix::fs::statvfs(p).ok()).map(|d| d.f_bavail * d.f_frsize);
    let free = disk();
    let mut pause = Duration::from_millis(2);
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return of_status(status);
        }
        if begun.elapsed() >= Duration::from_secs(u64::from(bounds.seconds)) || abandoned.load(Ordering::SeqCst) {
            return Termination::TimedOut;
        }
        if printed.load(Ordering::Relaxed) > bounds.output {
            return Termination::TooLoud;
        }
        if pause >= GLANCE {
            let all = tree::below();
            if all.len() > bounds.processes {
                return Termination::TooMany;
            }
            if memory > 0 && all.iter().map(|p| p.resident).sum::<u64>() > memory {
                return Termination::TooLarge;
            }
            if let (Some(free), Some(now)) = (free, disk())
                && (now < DISK_RESERVE.min(free / 2) || free.saturating_sub(now) > bounds.disk)
            {
                return Termination::DiskFull;
            }
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(GLANCE);
    }
}

fn of_status(status: ExitStatus) -> Termination {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        if let Some(signal) = status.signal() {
            return Termination::Signalled(signal);
        }
    }
    Termination::Exited(status.code().unwrap_or(-1))
}

/// Bytes of memory of this machine, or of the container that we are in.
fn machine_memory() -> u64 {
    let number = |path: &str| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let total = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find(|l| l.starts_with("MemTotal:"))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kb| kb * 1024)
    });
    let bound = number("/sys/fs/cgroup/memory.max").or_else(|| number("/sys/fs/cgroup/memory/memory.limit_in_bytes"));
    total.into_iter().chain(bound).min().unwrap_or(0)
}

/// Beginning and end of an output.
#[derive(Default)]
struct CapturedOutput {
    head: Vec<u8>,
    tail: Vec<u8>,
    cut: u64,
}

impl CapturedOutput {
    fn add(&mut self, mut bytes: &[u8]) {
        let room = HEAD.saturating_sub(self.head.len()).min(bytes.len());
        self.head.extend_from_slice(&bytes[..room]);
        bytes = &bytes[room..];
        self.tail.extend_from_slice(bytes);
        if self.tail.len() > 2 * TAIL {
            let gone = self.tail.len() - TAIL;
            self.tail.drain(..gone);
            self.cut += gone as u64;
        }
    }

    fn text(&self) -> String {
        let mut text = String::from_utf8_lossy(&self.head).into_owned();
        if self.cut > 0 {
            text.push_str(&format!("\n[… {} bytes cut …]\n", self.cut));
        }
        text.push_str(&String::from_utf8_lossy(&self.tail));
        text
    }
}

/// A thread that reads an output, and the part that it has read.
type Collected = (JoinHandle<()>, Arc<Mutex<CapturedOutput>>);

fn collect(mut pipe: impl Read + Send + 'static, printed: Arc<AtomicU64>) -> Collected {
    let kept = Arc::new(Mutex::new(CapturedOutput::default()));
    let shared = Arc::clone(&kept);
    let handle = std::thread::spawn(move || {
        let mut piece = vec![0; 64 << 10];
        while let Ok(n) = pipe.read(&mut piece) {
            if n == 0 {
                break;
            }
            printed.fetch_add(n as u64, Ordering::Relaxed);
            shared.lock().unwrap_or_else(std::sync::PoisonError::into_inner).add(&piece[..n]);
        }
    });
    (handle, kept)
}
