//! The `gavel` program: reads its arguments, runs a command, prints what went wrong, exits.

use std::process::ExitCode;

use clap::Parser;
use gavel::cli::Cli;

/// Grading allocates many small strings on many threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(code) => code,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the one place where a failure is told")]
            {
                eprintln!("gavel: {error:#}");
            }
            ExitCode::from(2)
        }
    }
}
