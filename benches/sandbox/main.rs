//! The sandbox beside what a user would take instead, in one run: `cargo bench --bench sandbox [-- PART…]`.
//!
//! Parts: `start`, `suite`, `slowdown`, `memory`, `cpp`, `neighbours`, and `soak` (only when named). Every figure is
//! a ratio or a count; the guests must be installed.

mod cpp;
mod memory;
mod native;
mod neighbours;
mod slowdown;
mod soak;
mod start;
mod suite;

use std::time::Duration;

use sandboxes::{GuestOptions, Guests, Limits};

/// Generous limits: nothing here is meant to reach them.
const LIMITS: Limits = Limits {
    time: Duration::from_secs(60),
    wall: Duration::from_secs(600),
    memory_bytes: 512 << 20,
    output_bytes: 1 << 20,
    files_bytes: 16 << 20,
};

fn main() {
    let named: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let asked = |part: &str| named.iter().any(|name| name == part) || (named.is_empty() && part != "soak");
    let guests = guests(2);
    for (part, run) in [
        ("start", start::run as fn(&Guests)),
        ("suite", suite::run),
        ("slowdown", slowdown::run),
        ("memory", memory::run),
        ("cpp", cpp::run),
        ("neighbours", neighbours::run),
        ("soak", soak::run),
    ] {
        if asked(part) {
            println!("\n{part}");
            run(&guests);
        }
    }
}

/// The installed guests with room for `slots` runs at a time.
fn guests(slots: usize) -> Guests {
    let directory = Guests::default_directory().expect("a home directory");
    Guests::open(&GuestOptions { directory, slots }).expect("the engine starts")
}

/// CPU time of this thread so far, in milliseconds.
fn thread_cpu_ms() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

/// The value below which the fraction `p` of the samples lies.
fn percentile(samples: &[f64], p: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() - 1) as f64 * p).round() as usize]
}
