//! Errors: what the judge failed at, what a task lacks, what a configuration got wrong.
//!
//! None of them is ever a score.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The judge could not judge. The completion's reward is `null` and is kept out of every statistic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{kind}: {message}")]
pub struct GradeError {
    /// What failed.
    pub kind: ErrorKind,
    /// What happened, and what to do about it.
    pub message: String,
}

impl GradeError {
    /// An error of this kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

/// What the judge failed at: a closed set with stable names, which are also metric labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// No sandbox for the language is there.
    SandboxUnavailable,
    /// The sandbox broke.
    SandboxFailed,
    /// The reference answer cannot be read.
    InvalidReference,
    /// The task lacks what the rubric needs, or states it wrongly.
    InvalidTask,
    /// The request's deadline passed before this completion was judged.
    DeadlineExceeded,
    /// The caller left before this completion was judged.
    Cancelled,
    /// A language model that judges is not configured, could not be reached or did not answer.
    JudgeUnavailable,
    /// A language model that judges answered with something else than a verdict.
    JudgeUnreadable,
    /// The verdicts of a language model on one completion disagree more than is allowed.
    JudgeInconsistent,
    /// A reward model is not configured, could not be reached or did not answer.
    ExternalUnavailable,
    /// A reward model answered with something else than the scores it was asked for.
    ExternalUnreadable,
    /// The completion lacks `n_tokens`, which the grader needs.
    MissingLength,
    /// The component whose result this one needs could not be judged.
    DependencyFailed,
    /// Every component abstained, so there is nothing to add up.
    NothingToJudge,
    /// A fault in Gavel itself.
    Internal,
}

impl ErrorKind {
    /// The stable snake_case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SandboxUnavailable => "sandbox_unavailable",
            Self::SandboxFailed => "sandbox_failed",
            Self::InvalidReference => "invalid_reference",
            Self::InvalidTask => "invalid_task",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::Cancelled => "cancelled",
            Self::JudgeUnavailable => "judge_unavailable",
            Self::JudgeUnreadable => "judge_unreadable",
            Self::JudgeInconsistent => "judge_inconsistent",
            Self::ExternalUnavailable => "external_unavailable",
            Self::ExternalUnreadable => "external_unreadable",
            Self::MissingLength => "missing_length",
            Self::DependencyFailed => "dependency_failed",
            Self::NothingToJudge => "nothing_to_judge",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A task cannot be judged with this rubric.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{pointer}: {message}")]
pub struct TaskError {
    /// Whether the task is incomplete or its reference cannot be read.
    pub kind: TaskErrorKind,
    /// JSON pointer into the task, such as `/reference`.
    pub pointer: String,
    /// What is wrong and what to do about it.
    pub message: String,
}

/// What is wrong with a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskErrorKind {
    /// A field is missing or malformed: the sender's mistake, answered as a malformed group.
    InvalidTask,
    /// The reference is there but the grader cannot read it: a fault of the data, answered with `null`
    /// rewards.
    InvalidReference,
}

impl TaskError {
    /// An error at `pointer`.
    pub fn new(kind: TaskErrorKind, pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind, pointer: pointer.into(), message: message.into() }
    }

    /// A field the rubric needs is not there.
    pub fn missing(pointer: impl Into<String>, what: &str) -> Self {
        Self::new(TaskErrorKind::InvalidTask, pointer, format!("this rubric needs {what} here"))
    }

    /// The reference cannot be read by the grader.
    pub fn reference(message: impl Into<String>) -> Self {
        Self::new(TaskErrorKind::InvalidReference, "/reference", message)
    }
}

/// A configuration is wrong. Found when it is loaded, never while judging.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{pointer}: {message}")]
pub struct ConfigError {
    /// JSON pointer into the configuration, such as `/components/0/grader/tolerance`.
    pub pointer: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl ConfigError {
    /// An error at `pointer`.
    pub fn new(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), message: message.into() }
    }

    /// The same error seen from further out.
    #[must_use]
    pub fn under(self, prefix: &str) -> Self {
        Self { pointer: format!("{prefix}{}", self.pointer), message: self.message }
    }
}
