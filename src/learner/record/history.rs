//! All numbers of a run, in memory.

use super::log::Entry;
use crate::learner::metrics::{EvalMetrics, Seconds, SftMetrics, StepMetrics};

/// All numbers of a run, each kind in the order of its steps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// The warm start.
    pub sft: Vec<SftMetrics>,
    /// The steps.
    pub steps: Vec<StepMetrics>,
    /// The evaluations.
    pub evals: Vec<EvalMetrics>,
}

impl History {
    /// Adds a number's record.
    pub fn add(&mut self, entry: Entry) {
        match entry {
            Entry::Sft(metrics) => self.sft.push(metrics),
            Entry::Step(metrics) => self.steps.push(*metrics),
            Entry::Eval(metrics) => self.evals.push(*metrics),
        }
    }

    /// Where the time of all steps went.
    pub fn seconds(&self) -> Seconds {
        self.steps.iter().fold(Seconds::default(), |mut total, step| {
            total.add(&step.seconds);
            total
        })
    }

    /// The first and the last evaluation.
    pub fn before_and_after(&self) -> Option<(&EvalMetrics, &EvalMetrics)> {
        Some((self.evals.first()?, self.evals.last()?))
    }
}
