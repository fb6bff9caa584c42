//! Models that are exported compute the same in llama.cpp as in the crate they come from.

mod engine;
mod numbers;
mod tokens;
