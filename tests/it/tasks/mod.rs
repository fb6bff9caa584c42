//! Generated tasks, data sets and their lines.

mod answers;
mod dataset;
mod generation;
mod jsonl;
mod judged;
mod traffic;
