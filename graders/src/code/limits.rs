//! `limits`: what a program may use, as tests write it.

use std::time::Duration;

use sandboxes::Limits;
use serde::Deserialize;

/// The longest time limit that a task may ask for.
const MAX_TIME_MS: u64 = 60_000;
/// The highest memory limit that a task may ask for.
const MAX_MEMORY_MB: u64 = 4096;
/// The most output that a task may ask for.
const MAX_OUTPUT_KB: u64 = 16 << 10;
/// How much longer than the time limit a run may last on the clock, which is only there to protect the host:
/// a drowned machine must not turn a verdict into an error.
const WALL_FACTOR: u64 = 60;
/// The least that the clock allows, in milliseconds.
const LEAST_WALL_MS: u64 = 60_000;
/// The output that a program may write where the task says nothing, and no expected output is longer.
const OUTPUT_BYTES: u64 = 1 << 20;
const FILES_BYTES: u64 = 16 << 20;

/// Limits as tests write them.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WrittenLimits {
    /// Time that a native program would get, 1 to 60,000; it is turned into instructions.
    time_ms: u64,
    /// Memory of the program, 1 to 4,096.
    memory_mb: u64,
    /// Standard output and standard error, each, 1 to 16,384; default 1,024, or twice the longest expected
    /// output if that is more.
    output_kb: Option<u64>,
}

impl Default for WrittenLimits {
    fn default() -> Self {
        Self { time_ms: 2000, memory_mb: 256, output_kb: None }
    }
}

impl WrittenLimits {
    /// The limits of a run whose longest expected output has so many bytes.
    ///
    /// # Errors
    /// The field that is out of range, and the range.
    pub(super) fn checked(self, longest_expected: usize) -> Result<Limits, (&'static str, String)> {
        let in_range = |field: &'static str, value: u64, most: u64| {
            if (1..=most).contains(&value) {
                Ok(value)
            } else {
                Err((field, format!("expected 1 to {most}, found {value}")))
            }
        };
        let time_ms = in_range("time_ms", self.time_ms, MAX_TIME_MS)?;
        let memory_mb = in_range("memory_mb", self.memory_mb, MAX_MEMORY_MB)?;
        let longest_expected = longest_expected as u64;
        let output_bytes = match self.output_kb {
            Some(output_kb) => in_range("output_kb", output_kb, MAX_OUTPUT_KB)? << 10,
            None => OUTPUT_BYTES.max(2 * longest_expected),
        };
        if output_bytes < longest_expected {
            let message =
                format!("an expected output has {longest_expected} bytes, which is more than this allows");
            return Err(("output_kb", message));
        }
        Ok(Limits {
            time: Duration::from_millis(time_ms),
            wall: Duration::from_millis((time_ms * WALL_FACTOR).max(LEAST_WALL_MS)),
            memory_bytes: memory_mb << 20,
            output_bytes,
            files_bytes: FILES_BYTES,
        })
    }
}
