//! The crate's tests in one binary.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, missing_docs)]

mod code;
mod forms;
mod grading;
mod hostile;
mod length;
mod testdata;
mod vectors;
