//! Explanations: what was read on each side, which method decided, and where the two differ.

use crate::completion::Completion;
use crate::error::GradeError;
use crate::explanation::{Explanation, Extraction, Side};
use crate::grader::GradeCompletion as _;
use crate::verdict::Reason;

use super::counter_example;
use super::identity::Fuel;
use super::reading::{self, Reading};
use super::{Judge, layout};

impl Judge {
    /// The verdict and how it came about. About twice the work of the verdict.
    pub(super) fn explanation(&self, completion: &Completion) -> Result<Explanation, GradeError> {
        let mut explanation = Explanation::of(self.grade(completion)?);
        explanation.reference = self.references.iter().map(side).collect();
        let Some(found) = self.grader.extract.extract(&completion.text) else { return Ok(explanation) };
        let text = found.unboxed();
        explanation.extraction = Some(Extraction::new(found.step.name(), text));
        if reading::bare(text).is_empty() {
            return Ok(explanation);
        }
        let policy = &*self.grader.policy;
        let answer = Reading::of_answer(text, policy);
        if explanation.verdict.reason == Reason::Different {
            let mut fuel = Fuel::full();
            explanation.counter_example = self.references.iter().find_map(|reference| {
                let (expected, found) = (reference.values.first()?, answer.values.first()?);
                counter_example::find(expected, found, policy, &mut fuel)
            });
        }
        explanation.answer = Some(side(&answer));
        Ok(explanation)
    }
}

/// A text with its readings.
fn side(reading: &Reading) -> Side {
    let latex = reading.values.iter().map(layout::value).collect();
    Side::new(&reading.text, latex, reading::value(&reading.text).err())
}
