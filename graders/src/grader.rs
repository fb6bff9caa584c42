//! The grader traits.
//!
//! A [`Grader`] is a checked configuration. Preparing it for a task does the work that all completions of a
//! group share (parsing the reference, compiling the schema) and gives one of two kinds of judge: one that
//! looks at a completion alone, or one that sees the whole group and what other components found.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use sandboxes::Sandbox;
use serde_json::Value;

use crate::completion::Completion;
use crate::error::{GradeError, TaskError};
use crate::explanation::Explanation;
use crate::opinion::{LanguageModel, RewardModel};
use crate::task::Task;
use crate::verdict::Verdict;

/// What graders may use besides their input.
#[derive(Clone, Default)]
pub struct Resources {
    /// Runs untrusted programs; without one, code cannot be judged.
    pub sandbox: Option<Arc<dyn Sandbox>>,
    /// Language models by the names under which graders ask them.
    pub language_models: BTreeMap<String, Arc<dyn LanguageModel>>,
    /// Reward models by the names under which graders ask them.
    pub reward_models: BTreeMap<String, Arc<dyn RewardModel>>,
}

impl fmt::Debug for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resources")
            .field("sandbox", &self.sandbox.is_some())
            .field("language_models", &self.language_models.keys())
            .field("reward_models", &self.reward_models.keys())
            .finish()
    }
}

/// A grader with its configuration checked.
pub trait Grader: fmt::Debug + Send + Sync {
    /// The type's name on the wire, such as `math`.
    fn kind(&self) -> &'static str;

    /// Rises by one with every change of a verdict on any input.
    fn version(&self) -> u32;

    /// The name of the other component whose verdicts this grader reads, if it reads one.
    fn reads_component(&self) -> Option<&str> {
        None
    }

    /// Whether it judges the completions of a group together.
    fn judges_groups(&self) -> bool {
        self.reads_component().is_some()
    }

    /// What decides a verdict besides the rubric, the reference and the completion, such as the model that is asked
    /// and the prompt it is shown; `None` for nothing. Who keeps verdicts keeps them under this, too.
    fn circumstances(&self, _task: &Task, _resources: &Resources) -> Option<Value> {
        None
    }

    /// Parses what the task says, once for all completions of a group.
    ///
    /// # Errors
    /// When the task lacks what this grader needs, or states it wrongly.
    fn prepare(&self, task: &Task, resources: &Resources) -> Result<Prepared, TaskError>;
}

/// A grader that is ready for the completions of one task.
pub enum Prepared {
    /// Judges each completion alone.
    Completion(Box<dyn GradeCompletion>),
    /// Judges the completions of a group together.
    Group(Box<dyn GradeGroup>),
}

/// Judges one completion alone. Total, deterministic and bounded in work on any text.
pub trait GradeCompletion: Send + Sync {
    /// The verdict on `completion`.
    ///
    /// # Errors
    /// Only when the judge failed; a wrong, empty or monstrous completion gets a verdict.
    fn grade(&self, completion: &Completion) -> Result<Verdict, GradeError>;

    /// The verdict on `completion` by a grader that reads another component; `read` is what that one found, `None`
    /// where it was not asked.
    ///
    /// # Errors
    /// As [`grade`](Self::grade).
    fn grade_after(
        &self,
        completion: &Completion,
        _read: Option<&Result<Verdict, GradeError>>,
    ) -> Result<Verdict, GradeError> {
        self.grade(completion)
    }

    /// The verdict on `completion` and how it came about, for people. It costs more than the verdict alone.
    ///
    /// # Errors
    /// As [`grade`](Self::grade).
    fn explain(&self, completion: &Completion) -> Result<Explanation, GradeError> {
        self.grade(completion).map(Explanation::of)
    }
}

/// Judges the completions of a group together.
pub trait GradeGroup: Send + Sync {
    /// One result for each completion of the group, in its order.
    fn grade_group(&self, group: &GroupView<'_>) -> Vec<Result<Verdict, GradeError>>;
}

/// A group as a group-level grader sees it.
#[derive(Clone, Copy, Debug)]
pub struct GroupView<'a> {
    /// The completions.
    pub completions: &'a [Completion],
    /// The results of the component named by [`Grader::reads_component`], one for each completion; `None`
    /// when it names none.
    pub read: Option<&'a [Result<Verdict, GradeError>]>,
}
