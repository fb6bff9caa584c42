//! The program's integration tests in one binary.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, clippy::print_stdout, missing_docs)]

mod api;
mod bad_input;
mod openapi;
mod server;
mod store;
mod tidy;
