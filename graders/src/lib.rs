//! Verifiable rewards as a library.
//!
//! A [`Rubric`] names its components, each a grader with a weight. Preparing it for a [`Task`] parses the
//! task's reference, schema and tests once; scoring a group of [`Completion`]s then gives each of them a
//! [`Reward`]: the total and, for every component, the score and the reason for it.
//!
//! What a model did is a [`Verdict`]; what the judge failed at is a [`GradeError`] and leaves the reward
//! `null`. Nothing here does I/O, reads a clock or draws a random number, and the work on any input is bounded.

mod completion;
mod config;
mod error;
mod grader;
mod instruct;
mod language;
mod regex;
mod registry;
mod reward;
mod task;
mod verdict;

pub use completion::{Completion, MAX_TEXT_BYTES};
pub use config::{Fields, pointer_of};
pub use error::{ConfigError, ErrorKind, GradeError, TaskError, TaskErrorKind};
pub use grader::{GradeCompletion, GradeGroup, Grader, GroupView, Prepared, Resources};
pub use registry::{build_grader, grader_types};
pub use reward::{ComponentReward, Reward, RewardError};
pub use task::{Instruction, Prompt, Reference, Task};
pub use verdict::{Detail, Reason, Verdict};
