//! The program's integration tests in one binary.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, clippy::print_stdout, missing_docs)]

mod kill;
mod overload;
mod running;
mod cli;
mod end_to_end;
mod process;
mod store;
mod tasks;
