//! From nothing to the output of the smallest program: a fresh sandbox against a fresh process.

use std::time::Instant;

use sandboxes::{Guests, Language, Program, Sandbox};

use crate::native::{self, PYTHON};
use crate::{LIMITS, percentile, thread_cpu_ms};

const N: usize = 300;

pub(crate) fn run(guests: &Guests) {
    pair(guests, Language::Python, "print(1)", &[PYTHON, "-I", "-c", "print(1)"]);
    pair(guests, Language::JavaScript, "console.log(1)", &["node", "-e", "console.log(1)"]);
}

fn pair(guests: &Guests, language: Language, source: &str, command: &[&str]) {
    let program = Program::new(language, source);
    let mut wall = (Vec::new(), Vec::new());
    let mut cpu = (Vec::new(), 0.0);
    // The first ones read files from disk.
    for _ in 0..10 {
        guests.run(&program, b"", &LIMITS).expect("it runs");
        native::output(command, b"");
    }
    for _ in 0..N {
        let (clock, before) = (Instant::now(), thread_cpu_ms());
        let execution = guests.run(&program, b"", &LIMITS).expect("it runs");
        wall.0.push(clock.elapsed().as_secs_f64() * 1e3);
        cpu.0.push(thread_cpu_ms() - before);
        let (clock, before) = (Instant::now(), native::children_cpu_ms());
        let output = native::output(command, b"");
        wall.1.push(clock.elapsed().as_secs_f64() * 1e3);
        cpu.1 += native::children_cpu_ms() - before;
        assert_eq!(execution.stdout, output, "both print the same");
    }
    let ratio = |p: f64| percentile(&wall.1, p) / percentile(&wall.0, p);
    println!(
        "  {}: fresh sandbox against `{}`: {:.1} times faster at the median, {:.1} at p99; {:.3} times its CPU",
        language.name(),
        command.join(" "),
        ratio(0.5),
        ratio(0.99),
        cpu.0.iter().sum::<f64>() / cpu.1,
    );
    println!(
        "    p99 is {:.1} times the median in the sandbox, {:.1} times as processes",
        percentile(&wall.0, 0.99) / percentile(&wall.0, 0.5),
        percentile(&wall.1, 0.99) / percentile(&wall.1, 0.5),
    );
}
