//! The two scores of a grader that knows right and wrong.

use crate::error::ConfigError;
use crate::verdict::{Reason, Verdict};

/// What a right and any other answer score; DAPO uses 1 and -1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scores {
    correct: f64,
    incorrect: f64,
}

impl Scores {
    /// The score of a right answer where the configuration names none.
    pub(crate) const fn default_correct() -> f64 {
        1.0
    }

    /// These scores, if a right answer earns more than a wrong one.
    pub(crate) fn new(correct: f64, incorrect: f64) -> Result<Self, ConfigError> {
        for (pointer, score) in [("/correct", correct), ("/incorrect", incorrect)] {
            if !score.is_finite() {
                return Err(ConfigError::new(pointer, format!("expected a finite number, found {score}")));
            }
        }
        if correct <= incorrect {
            return Err(ConfigError::new(
                "/correct",
                format!("a right answer must earn more than a wrong one, found {correct} and {incorrect}"),
            ));
        }
        Ok(Self { correct, incorrect })
    }

    /// The verdict on a right answer.
    pub(crate) fn right(self, reason: Reason) -> Verdict {
        Verdict::new(self.correct, reason)
    }

    /// The verdict on any other.
    pub(crate) fn wrong(self, reason: Reason) -> Verdict {
        Verdict::new(self.incorrect, reason)
    }
}
