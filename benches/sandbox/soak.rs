//! A million small runs in one process: nothing grows, nothing is lost.

use std::sync::atomic::{AtomicUsize, Ordering};

use sandboxes::{Ending, Guests, Language, Program, Sandbox};

use crate::LIMITS;

/// Runs, unless `GAVEL_SOAK_RUNS` says otherwise.
const RUNS: usize = 1_000_000;
const THREADS: usize = 2;

pub(crate) fn run(guests: &Guests) {
    let runs = std::env::var("GAVEL_SOAK_RUNS").ok().and_then(|n| n.parse().ok()).unwrap_or(RUNS);
    let next = AtomicUsize::new(0);
    let right = AtomicUsize::new(0);
    let report =
        |n: usize| println!("  {n} runs: {} KiB resident, {} descriptors", resident_kib(), descriptors());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= runs {
                        break;
                    }
                    if index.is_multiple_of((runs / 10).max(1)) {
                        report(index);
                    }
                    right.fetch_add(usize::from(one(guests, index)), Ordering::Relaxed);
                }
            });
        }
    });
    report(runs);
    println!("  {} of {runs} as they should be", right.into_inner());
}

/// Mostly honest programs; every hundredth ends in some other way.
fn one(guests: &Guests, index: usize) -> bool {
    let (source, ending) = match index % 100 {
        0 => ("raise SystemExit(3)", Ending::Exited { code: 3 }),
        25 => ("1 / 0", Ending::Exited { code: 1 }),
        50 => ("import no_such_module", Ending::MissingModule { name: "no_such_module".to_owned() }),
        75 => ("print('x' * (1 << 21))", Ending::OutputLimit),
        _ => ("a, b = map(int, input().split())\nprint(a + b)", Ending::Exited { code: 0 }),
    };
    let stdin = format!("{index} 1\n");
    let execution =
        guests.run(&Program::new(Language::Python, source), stdin.as_bytes(), &LIMITS).expect("it runs");
    execution.ending == ending
        && (ending != Ending::Exited { code: 0 }
            || execution.stdout == format!("{}\n", index + 1).into_bytes())
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("a line");
    line.split_whitespace().nth(1).expect("a number").parse().expect("a number")
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("Linux").count()
}
