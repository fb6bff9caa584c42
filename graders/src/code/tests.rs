//! The tests of a task, as its `tests` field writes them.
//!
//! ```json
//! {"language": "python",
//!  "entry_point": "f",
//!  "cases": [{"stdin": "1 2\n", "stdout": "3\n"},
//!            {"args": [1, 2], "kwargs": {}, "expected": 3},
//!            {"assert": "assert f(1, 2) == 3", "weight": 2}],
//!  "compare": {"kind": "text"},
//!  "limits": {"time_ms": 2000, "memory_mb": 256}}
//! ```

use std::time::Duration;

use sandboxes::{Language, Limits};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::compare::{Compare, CompareFields};
use crate::config;
use crate::error::{TaskError, TaskErrorKind};
use crate::task::Task;

/// The most cases; each is a run of its own.
const MAX_CASES: usize = 512;
/// The most bytes that one case may hold.
const MAX_CASE_BYTES: usize = 1 << 20;
/// The longest time limit that a task may ask for.
const MAX_TIME_MS: u64 = 60_000;
/// The highest memory limit that a task may ask for.
const MAX_MEMORY_MB: u64 = 4096;
/// How much longer than the time limit a run may last on the clock, which is only there to protect the host:
/// a drowned machine must not turn a verdict into an error.
const WALL_FACTOR: u64 = 60;
/// The least that the clock allows, in milliseconds.
const LEAST_WALL_MS: u64 = 60_000;
/// Bytes of output that are kept, and of files that may be written.
const OUTPUT_BYTES: u64 = 1 << 20;
const FILES_BYTES: u64 = 16 << 20;

/// The tests of a task, checked.
pub(super) struct Tests {
    pub(super) language: Language,
    /// At least one.
    pub(super) cases: Vec<WeightedCase>,
    pub(super) compare: Compare,
    pub(super) limits: Limits,
}

/// A case and what it counts for under `weighted`.
pub(super) struct WeightedCase {
    pub(super) kind: Case,
    pub(super) weight: f64,
}

/// One case.
pub(super) enum Case {
    /// The whole program reads and prints.
    Stream { stdin: String, stdout: String },
    /// The function `entry_point` is called and returns.
    Call,
    /// A statement after the program must not raise.
    Assert,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    language: Language,
    /// The function that cases with `args` call.
    entry_point: Option<String>,
    cases: Vec<Map<String, Value>>,
    compare: Option<CompareFields>,
    #[serde(default)]
    limits: WrittenLimits,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenLimits {
    /// Time that a native program would get, 1 to 60,000; it is turned into fuel.
    time_ms: u64,
    /// Memory of the guest, 1 to 4,096.
    memory_mb: u64,
}

impl Default for WrittenLimits {
    fn default() -> Self {
        Self { time_ms: 2000, memory_mb: 256 }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StreamCase {
    #[serde(default)]
    stdin: String,
    stdout: String,
    #[serde(default = "one")]
    weight: f64,
}

/// Read for its form only, until a guest can be called into.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CallCase {
    #[serde(default, rename = "args")]
    _args: Vec<Value>,
    #[serde(default, rename = "kwargs")]
    _kwargs: Map<String, Value>,
    #[serde(rename = "expected")]
    _expected: Value,
    #[serde(default = "one")]
    weight: f64,
}

/// Read for its form only, until a guest can be called into.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AssertCase {
    #[serde(rename = "assert")]
    statement: String,
    #[serde(default = "one")]
    weight: f64,
}

const fn one() -> f64 {
    1.0
}

impl Tests {
    pub(super) fn of(task: &Task) -> Result<Self, TaskError> {
        let Some(tests) = &task.tests else { return Err(TaskError::missing("/tests", "tests for the code")) };
        let Value::Object(fields) = tests else {
            return Err(invalid("", "expected an object with `language` and `cases`"));
        };
        let written: Written =
            config::read(fields.clone()).map_err(|error| invalid(&error.pointer, error.message))?;
        if written.cases.is_empty() || written.cases.len() > MAX_CASES {
            let message = format!("expected 1 to {MAX_CASES} cases, found {}", written.cases.len());
            return Err(invalid("/cases", message));
        }
        let limits = written.limits.checked()?;
        let compare = match &written.compare {
            Some(compare) => compare.checked().map_err(|message| invalid("/compare/tol", message))?,
            None => Compare::default(),
        };
        let cases = written
            .cases
            .into_iter()
            .enumerate()
            .map(|(index, case)| WeightedCase::read(case, index, written.entry_point.as_deref()))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self { language: written.language, cases, compare, limits })
    }

    /// The first case that is not about standard input and output.
    pub(super) fn first_without_stdin(&self) -> Option<usize> {
        self.cases.iter().position(|case| !matches!(case.kind, Case::Stream { .. }))
    }
}

impl WeightedCase {
    fn read(case: Map<String, Value>, index: usize, entry_point: Option<&str>) -> Result<Self, TaskError> {
        let place = format!("/cases/{index}");
        let at =
            |error: crate::error::ConfigError| invalid(&format!("{place}{}", error.pointer), error.message);
        if Value::Object(case.clone()).to_string().len() > MAX_CASE_BYTES {
            return Err(invalid(&place, format!("more than {MAX_CASE_BYTES} bytes")));
        }
        let has = |key: &str| case.contains_key(key);
        let (kind, weight) = if has("assert") {
            let AssertCase { statement, weight } = config::read(case).map_err(at)?;
            if statement.trim().is_empty() {
                return Err(invalid(&format!("{place}/assert"), "expected a statement"));
            }
            (Case::Assert, weight)
        } else if has("args") || has("kwargs") || has("expected") {
            if entry_point.is_none_or(|name| name.trim().is_empty()) {
                return Err(invalid(
                    "/entry_point",
                    "cases with `args` need the name of the function to call",
                ));
            }
            let CallCase { weight, .. } = config::read(case).map_err(at)?;
            (Case::Call, weight)
        } else if has("stdin") || has("stdout") {
            let StreamCase { stdin, stdout, weight } = config::read(case).map_err(at)?;
            (Case::Stream { stdin, stdout }, weight)
        } else {
            return Err(invalid(
                &place,
                "expected `stdin` and `stdout`, or `args` and `expected`, or `assert`",
            ));
        };
        if weight <= 0.0 || weight > 1e6 {
            return Err(invalid(&format!("{place}/weight"), "expected a number above 0, at most a million"));
        }
        Ok(Self { kind, weight })
    }
}

impl WrittenLimits {
    fn checked(&self) -> Result<Limits, TaskError> {
        let in_range = |field: &str, value: u64, most: u64| {
            if (1..=most).contains(&value) {
                Ok(value)
            } else {
                Err(invalid(&format!("/limits/{field}"), format!("expected 1 to {most}, found {value}")))
            }
        };
        let time_ms = in_range("time_ms", self.time_ms, MAX_TIME_MS)?;
        let memory_mb = in_range("memory_mb", self.memory_mb, MAX_MEMORY_MB)?;
        Ok(Limits {
            time: Duration::from_millis(time_ms),
            wall: Duration::from_millis((time_ms * WALL_FACTOR).max(LEAST_WALL_MS)),
            memory_bytes: memory_mb << 20,
            output_bytes: OUTPUT_BYTES,
            files_bytes: FILES_BYTES,
        })
    }
}

fn invalid(pointer: &str, message: impl Into<String>) -> TaskError {
    TaskError::new(TaskErrorKind::InvalidTask, format!("/tests{pointer}"), message)
}
