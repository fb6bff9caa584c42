//! `kimi`: within a group, shorter answers earn more (Kimi k1.5, arXiv 2501.12599, section 2.3.3).
//!
//! λᵢ = 0.5 − (lenᵢ − min) / (max − min) over the group; a right answer gets λᵢ, a wrong one min(0, λᵢ), and
//! everyone 0 when all are equally long. A right and longest answer gets −0.5 and a wrong and shortest one 0,
//! so the component's weight has to stay well below that of correctness.

use std::sync::Arc;

use serde::Deserialize;

use super::{Answer, Correctness, GroupJudge, GroupRule, Unit};
use crate::config::{self, Fields};
use crate::error::{ConfigError, TaskError};
use crate::grader::{Grader, Prepared, Resources};
use crate::task::Task;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    /// The component that says who is right.
    correct: String,
    /// The score of that component from which an answer counts as right; default 1.
    #[serde(default = "Correctness::full_marks")]
    correct_at_least: f64,
    /// What the length is counted in; default `tokens`.
    #[serde(default)]
    unit: Unit,
}

#[derive(Debug)]
struct KimiGrader {
    unit: Unit,
    correctness: Correctness,
}

pub(super) fn build(fields: Fields) -> Result<Arc<dyn Grader>, ConfigError> {
    let Spec { correct, correct_at_least, unit } = config::read(fields)?;
    Ok(Arc::new(KimiGrader { unit, correctness: Correctness::new(correct, correct_at_least)? }))
}

impl Grader for KimiGrader {
    fn kind(&self) -> &'static str {
        "length"
    }

    fn version(&self) -> u32 {
        1
    }

    fn reads_component(&self) -> Option<&str> {
        Some(&self.correctness.component)
    }

    fn prepare(&self, _task: &Task, _resources: &Resources) -> Result<Prepared, TaskError> {
        Ok(Prepared::Group(Box::new(GroupJudge {
            rule: Kimi,
            unit: self.unit,
            correctness: self.correctness.clone(),
        })))
    }
}

struct Kimi;

impl GroupRule for Kimi {
    fn scores(&self, answers: &[Answer]) -> Vec<f64> {
        let shortest = answers.iter().map(|answer| answer.length).fold(f64::INFINITY, f64::min);
        let longest = answers.iter().map(|answer| answer.length).fold(0.0, f64::max);
        let spread = longest - shortest;
        answers
            .iter()
            .map(|answer| {
                if spread <= 0.0 {
                    return 0.0;
                }
                let lambda = 0.5 - (answer.length - shortest) / spread;
                if answer.correct { lambda } else { lambda.min(0.0) }
            })
            .collect()
    }
}
