//! The processes below this one, from `/proc`.

use std::collections::HashMap;

use rustix::process::{Pid, Signal, kill_process};

/// One process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Process {
    pub(super) pid: i32,
    /// Bytes in memory.
    pub(super) resident: u64,
}

/// All processes below this one; empty where the system does not tell.
pub(super) fn below() -> Vec<Process> {
    let own = rustix::process::getpid().as_raw_nonzero().get();
    let mut children: HashMap<i32, Vec<Process>> = HashMap::new();
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    for entry in entries.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse().ok()) else { continue };
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        // A process whose main thread has ended has the state `Z` although other threads still run.
        let lives = || entry.path().join("task").read_dir().is_ok_and(|threads| threads.count() > 1);
        if let Some((parent, pages)) = parse(&stat, &lives) {
            children
                .entry(parent)
                .or_default()
                .push(Process { pid, resident: pages * rustix::param::page_size() as u64 });
        }
    }
    let mut found = Vec::new();
    let mut open = vec![own];
    while let Some(pid) = open.pop() {
        for child in children.remove(&pid).unwrap_or_default() {
            open.push(child.pid);
            found.push(child);
        }
    }
    found
}

/// Parent and resident pages in `/proc/PID/stat`; the name in parentheses may
/// hold anything. Returns `None` for a zombie
/// without living threads (`lives`), which cannot be killed.
fn parse(stat: &str, lives: &dyn Fn() -> bool) -> Option<(i32, u64)> {
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let pages = fields.get(21)?.parse().unwrap_or(0);
    let is_there = !matches!(*fields.first()?, "Z" | "X") || lives();
    is_there.then_some((fields.get(1)?.parse().ok()?, pages))
}

/// Ends all processes below this one. First all are stopped, so that none can
/// start another meanwhile.
pub(super) fn end() {
    for round in 0..50 {
        let all = below();
        if all.is_empty() {
            return;
        }
        let signal = if round % 2 == 0 { Signal::STOP } else { Signal::KILL };
        for process in &all {
            if let Some(pid) = Pid::from_raw(process.pid) {
                let _ = kill_process(pid, signal);
            }
        }
        if round > 2 {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        reap();
    }
}

/// Takes note of children that have ended, those of others that we adopted among them.
pub(super) fn reap() {
    while let Ok(Some(_)) = rustix::process::wait(rustix::process::WaitOptions::NOHANG) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_lines() {
        let tail = "0 ".repeat(19);
        let (dead, lives) = (|| false, || true);
        assert_eq!(parse(&format!("12 (a) b) S 7 {tail}33 0"), &dead), Some((7, 33)));
        assert_eq!(parse(&format!("12 (a) Z 7 {tail}33 0"), &dead), None);
        assert_eq!(parse(&format!("12 (a) Z 7 {tail}33 0"), &lives), Some((7, 33)));
        assert_eq!(parse("nonsense", &lives), None);
    }
}
