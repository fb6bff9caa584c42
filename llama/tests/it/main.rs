//! llama.cpp through this crate's face, with tiny models that the crate `policy` exports.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs, unreachable_pub)]

mod exported;
mod faults;
mod grammars;
mod models;
mod running;
