//! The crate's tests in one binary.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, missing_docs)]

mod testdata;
mod words;
