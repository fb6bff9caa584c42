//! The crate's tests in one binary.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, missing_docs)]

mod advantage;
mod code;
mod compat;
mod extraction;
mod forms;
mod grading;
mod hostile;
mod hostile_math;
mod injection;
mod judge;
mod length;
mod math;
mod notation;
mod presets;
mod rubric;
mod testdata;
mod vectors;
mod words;
