//! What a program may use. Every field is required: an unlimited run cannot be written down.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The resources one run of a program may use.
///
/// `time` decides a verdict and is counted in instructions, so that the same program gets the same verdict on an
/// idle and on a busy machine; `wall` only protects the host from a run that makes no progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Reference time: what the guest's instructions are worth after its calibration, in which a millisecond is
    /// about what a millisecond of a native program on a common core does. Sleeping counts too.
    pub time: Duration,
    /// Time on the wall clock after which the host gives up on the run.
    pub wall: Duration,
    /// Linear memory that the program may use beyond what its interpreter starts with, in bytes.
    pub memory_bytes: u64,
    /// Bytes of standard output, and of standard error, each.
    pub output_bytes: u64,
    /// Bytes the program may hold in its private files.
    pub files_bytes: u64,
}
