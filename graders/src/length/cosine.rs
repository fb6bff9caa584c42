//! `cosine`: a score that follows half a cosine wave from length 0 to `max_length` (Demystifying Long
//! Chain-of-Thought Reasoning, arXiv 2502.03373, appendix C.1).
//!
//! r(n) = b + (a − b) (1 + cos(π n / L)) / 2, with a the value at length 0 and b the value at L, each for
//! right and for wrong answers. Two variants: `demystify`, the paper's, gives `exceeded` from L on; `trl`
//! holds the value it has at L.

use std::f64::consts::PI;
use std::sync::Arc;

use serde::Deserialize;

use super::{Answer, Correctness, GroupJudge, GroupRule, Unit, positive, score_field};
use crate::config::{self, Fields};
use crate::error::{ConfigError, TaskError};
use crate::grader::{Grader, Prepared, Resources};
use crate::task::Task;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    /// Whose defaults and whose end of the curve: `trl` (the default) or `demystify`.
    #[serde(default)]
    variant: Variant,
    /// L, the length at which the curve ends.
    max_length: u32,
    /// The component that says who is right.
    correct: String,
    /// The score of that component from which an answer counts as right; default 1.
    #[serde(default = "Correctness::full_marks")]
    correct_at_least: f64,
    /// The score of a right answer of length 0; default 1 (`trl`) or 2 (`demystify`).
    correct_start: Option<f64>,
    /// The score of a right answer of length L; default 0.5 (`trl`) or 1 (`demystify`).
    correct_end: Option<f64>,
    /// The score of a wrong answer of length 0; default −1 (`trl`) or −10 (`demystify`).
    wrong_start: Option<f64>,
    /// The score of a wrong answer of length L; default −0.5 (`trl`) or 0 (`demystify`).
    wrong_end: Option<f64>,
    /// The score from length L on, right or wrong; default −10 with `demystify`, not to be given with `trl`.
    exceeded: Option<f64>,
    /// What the length is counted in; default `tokens`.
    #[serde(default)]
    unit: Unit,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Variant {
    #[default]
    Trl,
    Demystify,
}

#[derive(Debug)]
struct CosineGrader {
    curve: Curve,
    unit: Unit,
    correctness: Correctness,
}

#[derive(Clone, Copy, Debug)]
struct Curve {
    max_length: f64,
    correct: [f64; 2],
    wrong: [f64; 2],
    exceeded: Option<f64>,
}

pub(super) fn build(fields: Fields) -> Result<Arc<dyn Grader>, ConfigError> {
    let spec: Spec = config::read(fields)?;
    positive("/max_length", spec.max_length)?;
    let scores = [
        ("/correct_start", spec.correct_start),
        ("/correct_end", spec.correct_end),
        ("/wrong_start", spec.wrong_start),
        ("/wrong_end", spec.wrong_end),
        ("/exceeded", spec.exceeded),
    ];
    for (pointer, score) in scores {
        score.map_or(Ok(()), |score| score_field(pointer, score))?;
    }
    let (correct, wrong, exceeded) = match spec.variant {
        Variant::Trl if spec.exceeded.is_some() => {
            return Err(ConfigError::new(
                "/exceeded",
                "the `trl` variant holds its last value; set `variant` to \"demystify\" to use this field",
            ));
        }
        Variant::Trl => ([1.0, 0.5], [-1.0, -0.5], None),
        Variant::Demystify => ([2.0, 1.0], [-10.0, 0.0], Some(spec.exceeded.unwrap_or(-10.0))),
    };
    let curve = Curve {
        max_length: f64::from(spec.max_length),
        correct: [spec.correct_start.unwrap_or(correct[0]), spec.correct_end.unwrap_or(correct[1])],
        wrong: [spec.wrong_start.unwrap_or(wrong[0]), spec.wrong_end.unwrap_or(wrong[1])],
        exceeded,
    };
    let correctness = Correctness::new(spec.correct, spec.correct_at_least)?;
    Ok(Arc::new(CosineGrader { curve, unit: spec.unit, correctness }))
}

impl Grader for CosineGrader {
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
            rule: self.curve,
            unit: self.unit,
            correctness: self.correctness.clone(),
        })))
    }
}

impl Curve {
    fn at(&self, answer: Answer) -> f64 {
        if let Some(exceeded) = self.exceeded
            && answer.length >= self.max_length
        {
            return exceeded;
        }
        let [start, end] = if answer.correct { self.correct } else { self.wrong };
        let progress = (answer.length / self.max_length).min(1.0);
        end + (start - end) * (1.0 + (PI * progress).cos()) / 2.0
    }
}

impl GroupRule for Curve {
    fn scores(&self, answers: &[Answer]) -> Vec<f64> {
        answers.iter().map(|answer| self.at(*answer)).collect()
    }
}
