//! What a program may use. Every field is required: an unlimited run cannot be written down.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The resources one run of a program may use.
///
/// Fuel decides a verdict, so that the same program gets the same verdict on an idle and on a busy machine;
/// wall time only protects the host from a run that burns none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Instructions the guest may execute, in units of wasm fuel.
    pub fuel: u64,
    /// Time on the wall clock after which the host gives up on the run.
    pub wall: Duration,
    /// Linear memory the guest may grow to, in bytes.
    pub memory_bytes: u64,
    /// Bytes kept of standard output and of standard error, each.
    pub output_bytes: u64,
    /// Bytes the guest may write into its private files.
    pub files_bytes: u64,
}
