//! The program's integration tests in one binary.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::zombie_processes,
    clippy::print_stdout,
    missing_docs,
    unreachable_pub
)]

mod api;
mod attacks;
mod bad_input;
mod cli;
mod cli_sandbox;
mod end_to_end;
mod execute;
mod explain;
#[cfg(feature = "learner")]
mod export;
mod fairness;
mod jobs;
mod kill;
#[cfg(feature = "learner")]
mod learner;
#[cfg(feature = "llama")]
mod llama;
mod notation;
mod openai;
mod openapi;
mod opinions;
mod overload;
#[cfg(feature = "learner")]
mod recipes;
mod remote;
mod run_code;
mod running;
mod scripted;
mod server;
mod store;
mod tasks;
mod tidy;
mod wires;
