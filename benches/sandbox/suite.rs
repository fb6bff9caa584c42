//! Tests per second on all cores, for fifty small problems.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use sandboxes::{Guests, Language, Program, Sandbox};
use serde::Deserialize;

use crate::LIMITS;
use crate::native::{self, PYTHON};

#[derive(Deserialize)]
struct Suite {
    program: Vec<Small>,
}

#[derive(Deserialize)]
struct Small {
    source: String,
    stdin: String,
}

const ROUNDS: usize = 10;
const THREADS: usize = 2;

pub(crate) fn run(guests: &Guests) {
    let suite: Suite = toml::from_str(include_str!("suite.toml")).expect("a table");
    let expected: Vec<Vec<u8>> = suite
        .program
        .iter()
        .map(|small| native::output(&[PYTHON, "-I", "-c", &small.source], small.stdin.as_bytes()))
        .collect();
    let programs: Vec<Program> =
        suite.program.iter().map(|small| Program::new(Language::Python, small.source.as_str())).collect();
    let sandboxed = || {
        per_second(ROUNDS * programs.len(), |index| {
            let index = index % programs.len();
            let stdin = suite.program[index].stdin.as_bytes();
            let execution = guests.run(&programs[index], stdin, &LIMITS).expect("it runs");
            assert_eq!(execution.stdout, expected[index], "program {index}: {:?}", execution.ending);
        })
    };
    let processes = || {
        per_second(programs.len() * 2, |index| {
            let index = index % programs.len();
            let small = &suite.program[index];
            let output = native::output(&[PYTHON, "-I", "-c", &small.source], small.stdin.as_bytes());
            assert_eq!(output, expected[index], "program {index}");
        })
    };
    // Alternating, so that what else the machine does falls on both alike.
    let mut rates = (0.0, 0.0, 0.0);
    for _ in 0..3 {
        rates.0 += sandboxed();
        rates.1 += processes();
        rates.2 += fusion(&suite);
    }
    println!("  {:.1} times the tests per second of a process for each test", rates.0 / rates.1);
    println!("  {:.1} times those of SandboxFusion's way of running Python", rates.0 / rates.2);
}

fn per_second(n: usize, one: impl Fn(usize) + Sync) -> f64 {
    let next = AtomicUsize::new(0);
    let clock = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= n {
                        break;
                    }
                    one(index);
                }
            });
        }
    });
    n as f64 / clock.elapsed().as_secs_f64()
}

/// The steps that SandboxFusion's server takes for a Python program without isolation, without its HTTP layer: a
/// temporary folder, the program in a file, a shell in a new session that starts the interpreter, pipes drained by
/// asyncio tasks, and the end of the process group.
fn fusion(suite: &Suite) -> f64 {
    let programs: Vec<(&str, &str)> =
        suite.program.iter().map(|small| (small.source.as_str(), small.stdin.as_str())).collect();
    let mut child = Command::new(PYTHON)
        .args(["-I", "-c", include_str!("fusion.py")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the system's Python");
    let input = serde_json::to_vec(&(THREADS, 2, programs)).expect("plain data");
    child.stdin.take().expect("a pipe").write_all(&input).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("a rate")
}
