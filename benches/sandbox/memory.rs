//! What an instance holds while it runs.

use std::time::Duration;

use sandboxes::{Guests, Language, Program, Sandbox};

use crate::LIMITS;

const N: usize = 48;

pub(crate) fn run(_: &Guests) {
    // A pool of its own, large enough for all of them at once.
    let guests = crate::guests(N);
    let program = Program::new(Language::Python, "x = [1, 2, 3]\nprint(sum(x))\nwhile True: pass");
    let limits = sandboxes::Limits { time: Duration::from_millis(300), ..LIMITS };
    guests.run(&Program::new(Language::Python, "print(1)"), b"", &limits).expect("it runs");
    let before = private_kib();
    std::thread::scope(|scope| {
        for _ in 0..N {
            scope.spawn(|| guests.run(&program, b"", &limits).expect("it runs"));
        }
        // Every one of them has begun when all are inside and each had some of the processor.
        while guests.occupancy().0 < N {
            std::thread::sleep(Duration::from_millis(20));
        }
        std::thread::sleep(Duration::from_secs(3));
        let each = private_kib().saturating_sub(before) as f64 / N as f64;
        println!(
            "  {each:.0} KiB of private memory for each of {N} instances at work: {:.0} in a GiB",
            1_048_576.0 / each
        );
    });
}

fn private_kib() -> u64 {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").expect("Linux");
    let line = rollup.lines().find(|line| line.starts_with("Private_Dirty")).expect("a line");
    line.split_whitespace().nth(1).expect("a number").parse().expect("a number")
}
