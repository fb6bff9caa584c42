//! Verifiable rewards as a library.
//!
//! A [`Rubric`] names its components, each a grader with a weight. Preparing it for a [`Task`] parses the
//! task's reference, schema and tests once; scoring a group of [`Completion`]s then gives each of them a
//! [`Reward`]: the total and, for every component, the score and the reason for it.
//!
//! What a model did is a [`Verdict`]; what the judge failed at is a [`GradeError`] and leaves the reward
//! `null`. Nothing here does I/O, reads a clock or draws a random number, and the work on any input is bounded.

pub mod advantage;
mod choice;
mod code;
mod compat;
mod completion;
mod config;
mod countdown;
mod error;
mod exact;
mod explanation;
mod external;
mod extract;
mod format;
mod grader;
mod hash;
mod instruct;
mod json;
mod judge;
mod language;
mod length;
mod math;
mod number;
mod opinion;
pub mod preset;
mod regex;
mod registry;
mod repetition;
mod reward;
mod rubric;
mod scores;
mod statistics;
mod task;
mod thought;
mod verdict;
mod weight;

pub use completion::{Completion, MAX_TEXT_BYTES};
pub use config::{Fields, Object, object, plain_words, pointer_of};
pub use error::{ConfigError, ErrorKind, GradeError, TaskError, TaskErrorKind};
pub use explanation::{AskedReport, CaseReport, CounterExample, Explanation, Extraction, Side};
pub use grader::{GradeCompletion, GradeGroup, Grader, GroupView, Prepared, Resources};
pub use hash::content_hash;
pub use opinion::{
    Answer, LanguageModel, Message, ModelError, Question, Read, RewardItem, RewardModel, Role, TokenLogprob,
};
pub use registry::{build_grader, grader_types};
pub use reward::{ComponentReward, Reward, RewardError};
pub use rubric::{Alone, Component, Outcome, PreparedRubric, Rubric, reference_hash};
pub use task::{Instruction, Prompt, Reference, Task};
pub use verdict::{Detail, Reason, Verdict};
pub use weight::{Progress, Weight};
