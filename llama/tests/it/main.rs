//! llama.cpp through this crate's face, with tiny models that the crate `policy` exports.

mod exported;
mod faults;
mod grammars;
mod models;
mod running;
