//! `exact`: is the answer the reference, as text?
//!
//! Both are trimmed and compared character by character, after the normalisations the configuration names.
//! It never reads either as a number or a formula; the graders `number` and `math` do.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;

use crate::completion::Completion;
use crate::config::{self, Fields};
use crate::error::{ConfigError, GradeError, TaskError};
use crate::extract::{Extractor, Step};
use crate::grader::{GradeCompletion, Grader, Prepared, Resources};
use crate::scores::Scores;
use crate::task::Task;
use crate::verdict::{Reason, Verdict};

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    /// How the answer is found. Default: `answer_tag`, `boxed`, `whole`.
    #[serde(default = "default_extract")]
    extract: Extractor,
    /// Whether `Paris` and `paris` differ. Default: true.
    #[serde(default = "yes")]
    case_sensitive: bool,
    /// Whether every run of white space counts as one space. Default: true.
    #[serde(default = "yes")]
    collapse_whitespace: bool,
    /// The score of a right answer. Default: 1.
    #[serde(default = "Scores::default_correct")]
    correct: f64,
    /// The score of any other. Default: 0.
    #[serde(default)]
    incorrect: f64,
}

fn default_extract() -> Extractor {
    Extractor::of(&[Step::AnswerTag, Step::Boxed, Step::Whole])
}

const fn yes() -> bool {
    true
}

#[derive(Debug)]
struct ExactGrader {
    spec: Arc<Spec>,
    scores: Scores,
}

pub(crate) fn build(fields: Fields) -> Result<Arc<dyn Grader>, ConfigError> {
    let spec: Spec = config::read(fields)?;
    let scores = Scores::new(spec.correct, spec.incorrect)?;
    Ok(Arc::new(ExactGrader { spec: Arc::new(spec), scores }))
}

impl Grader for ExactGrader {
    fn kind(&self) -> &'static str {
        "exact"
    }

    fn version(&self) -> u32 {
        1
    }

    fn prepare(&self, task: &Task, _resources: &Resources) -> Result<Prepared, TaskError> {
        let references = task.reference_text()?.0;
        let references = references.iter().map(|text| self.spec.normalise(text).into_owned()).collect();
        Ok(Prepared::Completion(Box::new(Judge {
            spec: Arc::clone(&self.spec),
            scores: self.scores,
            references,
        })))
    }
}

impl Spec {
    fn normalise<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text.trim());
        if self.collapse_whitespace {
            text = Cow::Owned(text.split_whitespace().collect::<Vec<_>>().join(" "));
        }
        if !self.case_sensitive {
            text = Cow::Owned(text.to_lowercase());
        }
        text
    }
}

/// Compares with one task's references.
struct Judge {
    spec: Arc<Spec>,
    scores: Scores,
    references: Vec<String>,
}

impl GradeCompletion for Judge {
    fn grade(&self, completion: &Completion) -> Result<Verdict, GradeError> {
        let Some(found) = self.spec.extract.extract(&completion.text) else {
            return Ok(self.scores.wrong(Reason::NoAnswer));
        };
        let answer = self.spec.normalise(&found.text);
        let right = self.references.iter().any(|reference| *reference == *answer);
        let verdict =
            if right { self.scores.right(Reason::Match) } else { self.scores.wrong(Reason::Mismatch) };
        Ok(verdict.with_excerpt("extracted", &found.text).with("extraction", found.step.name()))
    }
}
