//! What the system says about a process: its processor time and its memory (Linux).

use std::fs;
use std::time::Duration;

/// Length of a tick of `/proc/PID/stat`; 100 a second on every architecture Linux tells user space about.
const TICK: Duration = Duration::from_millis(10);

/// Processor time of a process and of its children.
pub fn cpu(pid: u32) -> Duration {
    let own = fs::read_to_string(format!("/proc/{pid}/stat")).ok().and_then(|stat| {
        // The name stands in brackets and may hold anything, so fields are counted after it.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
        let ticks = |field: Option<&str>| field?.parse::<u32>().ok();
        Some(TICK * (ticks(fields.next())? + ticks(fields.next())?))
    });
    own.unwrap_or_default() + children(pid).into_iter().map(cpu).sum::<Duration>()
}

/// Resident memory of a process, in bytes.
pub fn rss_bytes(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or_default() << 10
}

/// Processes waiting for a core now, as an average over the last minute.
pub fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().unwrap_or("unknown").to_owned()
}

fn children(pid: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|child| child.parse().ok()).collect()
}
