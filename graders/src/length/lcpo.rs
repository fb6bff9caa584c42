//! `lcpo_exact` and `lcpo_max`: answer at the length the prompt asked for (L1, arXiv 2503.04697).
//!
//! N is the asked length and n the answer's: exact gives 1\[right\] − α |N − n|, max gives
//! 1\[right\] · clip(α (N − n) + δ, 0, 1). N is the task's `metadata.target_tokens`, since it stands in the
//! prompt; the configuration's `target` serves tasks that do not say.

use std::sync::Arc;

use serde::Deserialize;

use super::{Answer, Correctness, GroupJudge, GroupRule, Unit, positive};
use crate::config::{self, Fields};
use crate::error::{ConfigError, TaskError, TaskErrorKind};
use crate::grader::{Grader, Prepared, Resources};
use crate::task::Task;

/// α of the paper.
const ALPHA: f64 = 0.0003;
/// δ of the paper.
const DELTA: f64 = 0.5;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExactSpec {
    /// The component that says who is right.
    correct: String,
    /// The score of that component from which an answer counts as right; default 1.
    #[serde(default = "Correctness::full_marks")]
    correct_at_least: f64,
    /// α, what one unit of length costs; default 0.0003.
    alpha: Option<f64>,
    /// N for tasks without `metadata.target_tokens`; default none.
    target: Option<u32>,
    /// What the length is counted in; default `tokens`.
    #[serde(default)]
    unit: Unit,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MaxSpec {
    /// The component that says who is right.
    correct: String,
    /// The score of that component from which an answer counts as right; default 1.
    #[serde(default = "Correctness::full_marks")]
    correct_at_least: f64,
    /// α, what one unit of length costs; default 0.0003.
    alpha: Option<f64>,
    /// δ, what a right answer of length N gets; default 0.5.
    delta: Option<f64>,
    /// N for tasks without `metadata.target_tokens`; default none.
    target: Option<u32>,
    /// What the length is counted in; default `tokens`.
    #[serde(default)]
    unit: Unit,
}

#[derive(Debug)]
struct LcpoGrader {
    alpha: f64,
    /// δ for `lcpo_max`; `None` for `lcpo_exact`.
    delta: Option<f64>,
    target: Option<u32>,
    unit: Unit,
    correctness: Correctness,
}

pub(super) fn build_exact(fields: Fields) -> Result<Arc<dyn Grader>, ConfigError> {
    let spec: ExactSpec = config::read(fields)?;
    let correctness = Correctness::new(spec.correct, spec.correct_at_least)?;
    LcpoGrader {
        alpha: spec.alpha.unwrap_or(ALPHA),
        delta: None,
        target: spec.target,
        unit: spec.unit,
        correctness,
    }
    .checked()
}

pub(super) fn build_max(fields: Fields) -> Result<Arc<dyn Grader>, ConfigError> {
    let spec: MaxSpec = config::read(fields)?;
    let correctness = Correctness::new(spec.correct, spec.correct_at_least)?;
    let delta = Some(spec.delta.unwrap_or(DELTA));
    LcpoGrader {
        alpha: spec.alpha.unwrap_or(ALPHA),
        delta,
        target: spec.target,
        unit: spec.unit,
        correctness,
    }
    .checked()
}

impl LcpoGrader {
    fn checked(self) -> Result<Arc<dyn Grader>, ConfigError> {
        if !(self.alpha > 0.0 && self.alpha <= 1.0) {
            return Err(ConfigError::new("/alpha", "expected a number above 0, at most 1"));
        }
        if self.delta.is_some_and(|delta| !(0.0..=1.0).contains(&delta)) {
            return Err(ConfigError::new("/delta", "expected a number from 0 to 1"));
        }
        if let Some(target) = self.target {
            positive("/target", target)?;
        }
        Ok(Arc::new(self))
    }

    fn target_for(&self, task: &Task) -> Result<u32, TaskError> {
        const POINTER: &str = "/metadata/target_tokens";
        match (task.metadata.get("target_tokens"), self.target) {
            (Some(value), _) => value
                .as_u64()
                .and_then(|target| u32::try_from(target).ok())
                .filter(|target| *target > 0)
                .ok_or_else(|| {
                    TaskError::new(TaskErrorKind::InvalidTask, POINTER, "expected a whole number above 0")
                }),
            (None, Some(target)) => Ok(target),
            (None, None) => Err(TaskError::missing(POINTER, "the length the prompt asks for")),
        }
    }
}

impl Grader for LcpoGrader {
    fn kind(&self) -> &'static str {
        "length"
    }

    fn version(&self) -> u32 {
        1
    }

    fn reads_component(&self) -> Option<&str> {
        Some(&self.correctness.component)
    }

    fn prepare(&self, task: &Task, _resources: &Resources) -> Result<Prepared, TaskError> {
        let rule = Lcpo { alpha: self.alpha, delta: self.delta, target: f64::from(self.target_for(task)?) };
        let (unit, correctness) = (self.unit, self.correctness.clone());
        Ok(Prepared::Group(Box::new(GroupJudge { rule, unit, correctness })))
    }
}

struct Lcpo {
    alpha: f64,
    delta: Option<f64>,
    target: f64,
}

impl GroupRule for Lcpo {
    fn scores(&self, answers: &[Answer]) -> Vec<f64> {
        let score = |answer: &Answer| {
            let right = f64::from(answer.correct);
            let short_by = self.target - answer.length;
            match self.delta {
                None => right - self.alpha * short_by.abs(),
                Some(delta) => right * (self.alpha * short_by + delta).clamp(0.0, 1.0),
            }
        };
        answers.iter().map(score).collect()
    }
}
