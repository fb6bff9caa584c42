//! `number`: is the answer the reference number, within a tolerance?
//!
//! Both are exact rationals, and so is the tolerance: no rounding decides a verdict. The answer must state one
//! number; words around it are passed over, a second number makes it ambiguous. A percent sign and a unit are
//! dropped. Infinity, NaN and numbers too large to write out are no numbers here.

use std::sync::Arc;

use dashu::base::{Sign, UnsignedAbs};
use dashu::integer::IBig;
use dashu::rational::RBig;
use serde::Deserialize;

use crate::completion::Completion;
use crate::config::{self, Fields};
use crate::error::{ConfigError, GradeError, TaskError};
use crate::extract::{Extractor, numbers};
use crate::grader::{GradeCompletion, Grader, Prepared, Resources};
use crate::math;
use crate::scores::Scores;
use crate::task::Task;
use crate::verdict::{Reason, Verdict};

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    /// How the answer is found. Default: `answer_tag`, `final_answer`, `boxed`, `hash`, `answer_is`.
    #[serde(default = "Extractor::marked")]
    extract: Extractor,
    /// How far the answer may be from the reference. Default: 0.
    #[serde(default)]
    absolute: f64,
    /// How far it may be as a part of the reference's magnitude. The wider of the two tolerances counts.
    /// Default: 0.
    #[serde(default)]
    relative: f64,
    /// The score of a right answer. Default: 1.
    #[serde(default = "Scores::default_correct")]
    correct: f64,
    /// The score of any other. Default: 0.
    #[serde(default)]
    incorrect: f64,
}

#[derive(Debug)]
struct Rules {
    extract: Extractor,
    absolute: RBig,
    relative: RBig,
    scores: Scores,
}

#[derive(Debug)]
struct NumberGrader(Arc<Rules>);

pub(crate) fn build(fields: Fields) -> Result<Arc<dyn Grader>, ConfigError> {
    let spec: Spec = config::read(fields)?;
    let tolerance = |pointer: &str, value: f64| {
        RBig::try_from(value).ok().filter(|_| value >= 0.0).ok_or_else(|| {
            ConfigError::new(pointer, format!("expected a finite number of at least 0, found {value}"))
        })
    };
    Ok(Arc::new(NumberGrader(Arc::new(Rules {
        absolute: tolerance("/absolute", spec.absolute)?,
        relative: tolerance("/relative", spec.relative)?,
        scores: Scores::new(spec.correct, spec.incorrect)?,
        extract: spec.extract,
    }))))
}

impl Grader for NumberGrader {
    fn kind(&self) -> &'static str {
        "number"
    }

    fn version(&self) -> u32 {
        1
    }

    fn prepare(&self, task: &Task, _resources: &Resources) -> Result<Prepared, TaskError> {
        let texts = task.reference_text()?.0;
        let references = texts
            .iter()
            .map(|text| {
                math::rational(text).ok_or_else(|| {
                    let start: String = text.chars().take(80).collect();
                    TaskError::reference(format!(
                        "`{start}` is no rational number of a size fit to write out"
                    ))
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Prepared::Completion(Box::new(Judge { rules: Arc::clone(&self.0), references })))
    }
}

/// Compares with one task's references.
struct Judge {
    rules: Arc<Rules>,
    references: Vec<RBig>,
}

impl GradeCompletion for Judge {
    fn grade(&self, completion: &Completion) -> Result<Verdict, GradeError> {
        let scores = self.rules.scores;
        let Some(found) = self.rules.extract.extract(&completion.text) else {
            return Ok(scores.wrong(Reason::NoAnswer));
        };
        let text = found.unboxed();
        let verdict = match number(text) {
            Err(reason) => scores.wrong(reason),
            Ok(answer) if self.references.iter().any(|reference| self.near(&answer, reference)) => {
                scores.right(Reason::WithinTolerance)
            }
            Ok(_) => scores.wrong(Reason::OutsideTolerance),
        };
        Ok(verdict.with_excerpt("extracted", text).with("extraction", found.step.name()))
    }
}

impl Judge {
    fn near(&self, answer: &RBig, reference: &RBig) -> bool {
        let distance = magnitude(&(answer - reference));
        distance <= self.rules.absolute || distance <= &self.rules.relative * magnitude(reference)
    }
}

fn magnitude(x: &RBig) -> RBig {
    let numerator = IBig::from_parts(Sign::Positive, x.numerator().unsigned_abs());
    RBig::from_parts(numerator, x.denominator().clone())
}

/// The one number in a text.
fn number(text: &str) -> Result<RBig, Reason> {
    if let Some(whole) = math::rational(text) {
        return Ok(whole);
    }
    let mut found = numbers(text);
    let only = found.next().ok_or(Reason::NotANumber)?;
    if found.next().is_some() {
        return Err(Reason::AmbiguousAnswer);
    }
    math::rational(&only).ok_or(Reason::TooLarge)
}
