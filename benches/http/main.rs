//! What a reward costs over HTTP, beside what it costs in the library and in a server written in Python, all in
//! one run; and what is left of the server when it gets far more than it can do.
//!
//! - `cargo bench --bench http`: library, Gavel and the peer side by side; `-- --test` for a run too short to
//!   measure anything. `benches/peer/install.sh` installs the peer.
//! - `cargo bench --bench http -- load SIZE SECONDS [RUN]`: only Gavel, under batches of one size, for a profiler.
//! - `cargo bench --bench http -- soak [SECONDS]`: ten times the load it can serve; fails when a promise is broken.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::format_push_string,
    // One thread and no task in parallel: a borrow is never met by another.
    clippy::await_holding_refcell_ref,
    // The harness is shared with the tests, which use all of it and wait for its processes.
    clippy::zombie_processes,
    dead_code,
    clippy::unchecked_time_subtraction,
    unreachable_pub,
    missing_docs
)]

use std::path::PathBuf;
use std::process::ExitCode;

mod compare;
mod peer;
mod process;
mod rollouts;
#[path = "../../tests/it/running.rs"]
#[expect(dead_code, reason = "what only the tests of sudden ends use")]
mod running;
mod soak;

/// The server's own allocator, so that the library is not measured with another one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SOAK_SECONDS: u64 = 60;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    // One thread, so that the client takes no more than one of the cores it shares with the servers.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    match words.as_slice() {
        ["soak"] => runtime.block_on(soak::run(SOAK_SECONDS)),
        ["soak", seconds] => runtime.block_on(soak::run(seconds.parse().expect("seconds, such as 60"))),
        ["load", size, seconds, run @ ..] => {
            let run = run.first().copied();
            runtime.block_on(compare::load(
                size.parse().expect("a size"),
                seconds.parse().expect("seconds"),
                run,
            ))
        }
        [] => runtime.block_on(compare::run(false)),
        ["--test"] => runtime.block_on(compare::run(true)),
        _ => {
            panic!("expected nothing, `--test`, `load SIZE SECONDS [RUN]` or `soak [SECONDS]`; got {words:?}")
        }
    }
}

/// A folder for a store, on the disk that builds are on.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in(PathBuf::from(env!("CARGO_TARGET_TMPDIR"))).unwrap()
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
