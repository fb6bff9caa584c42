//! Programs run the way a user would without us: a process for each.

use std::io::Write as _;
use std::process::{Command, Stdio};

/// The system's own interpreter. A `python3` found on the path may be a slow wrapper around another.
pub(crate) const PYTHON: &str = "/usr/bin/python3";

/// Runs a command with `stdin` and gives back what it printed.
pub(crate) fn output(command: &[&str], stdin: &[u8]) -> Vec<u8> {
    let mut child = Command::new(command[0])
        .args(&command[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}", command[0]));
    // A program that ends before it read everything closes the pipe; that is its own affair.
    let _ = child.stdin.take().expect("a pipe").write_all(stdin);
    child.wait_with_output().expect("the process ends").stdout
}

/// CPU time of all children that have ended so far, in milliseconds.
pub(crate) fn children_cpu_ms() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("fields").split_whitespace().collect();
    // After the name: cutime and cstime are fields 16 and 17 of proc(5), in ticks of 10 ms.
    let ticks: f64 = fields[13].parse::<f64>().expect("ticks") + fields[14].parse::<f64>().expect("ticks");
    ticks * 10.0
}
