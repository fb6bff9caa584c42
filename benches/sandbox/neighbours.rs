//! What honest work gets beside programs that attack the host: one thread of each, against two honest threads.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sandboxes::{Guests, Language, Limits, Program, Sandbox};

use crate::LIMITS;

const ATTACKS: &[(&str, &str)] = &[
    ("endless loop", "while True: pass"),
    ("memory", "x = []\nwhile True: x.append(bytearray(10 ** 7))"),
    ("memory, given back and taken again", "while True: bytearray(2 * 10 ** 8)"),
    ("output", "while True: print('A' * 10000)"),
    ("files", "i = 0\nwhile True:\n    open(f'/tmp/{i}', 'wb').write(b'x' * 10 ** 6)\n    i += 1"),
    ("recursion", "import sys\nsys.setrecursionlimit(10 ** 9)\ndef f(): f()\nf()"),
    (
        "recursion in C",
        "import sys, functools\nsys.setrecursionlimit(10 ** 9)\n@functools.lru_cache(None)\ndef f(n): return f(n + 1)\nf(0)",
    ),
    ("sleep", "import time\nwhile True: time.sleep(1000)"),
    ("big integers", "10 ** 10 ** 8"),
    ("regular expression", "import re\nre.match(r'(a+)+$', 'a' * 40 + 'b')"),
    ("system calls", "import os\nwhile True: os.stat('/')"),
    ("randomness", "import os\nwhile True: os.urandom(10 ** 6)"),
];
const SPAN: Duration = Duration::from_secs(4);

pub(crate) fn run(guests: &Guests) {
    let honest = Program::new(Language::Python, "print(sum(i * i for i in range(3000)))");
    let limits = Limits { time: Duration::from_secs(1), memory_bytes: 256 << 20, ..LIMITS };
    let mut worst: (f64, &str) = (f64::INFINITY, "");
    for (name, source) in ATTACKS {
        let attack = Program::new(Language::Python, *source);
        let alone = rate_beside(guests, &honest, &honest, &limits);
        let beside = rate_beside(guests, &honest, &attack, &limits);
        let share = beside / alone;
        println!("  beside {name}: {:.0} % of the throughput beside honest work", share * 100.0);
        if share < worst.0 {
            worst = (share, name);
        }
    }
    println!("  worst: {} with {:.0} %", worst.1, worst.0 * 100.0);
}

/// Runs of `program` a second on one thread while another runs `neighbour` over and over.
fn rate_beside(guests: &Guests, program: &Program, neighbour: &Program, limits: &Limits) -> f64 {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                guests.run(neighbour, b"", limits).expect("it runs");
            }
        });
        let clock = Instant::now();
        let mut n = 0;
        while clock.elapsed() < SPAN {
            guests.run(program, b"", limits).expect("it runs");
            n += 1;
        }
        let rate = f64::from(n) / clock.elapsed().as_secs_f64();
        over.store(true, Ordering::Relaxed);
        rate
    })
}
