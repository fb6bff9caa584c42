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
mod end_to_end;
mod explain;
mod kill;
mod notation;
mod openapi;
mod overload;
mod running;
mod server;
mod store;
mod tasks;
mod tidy;
