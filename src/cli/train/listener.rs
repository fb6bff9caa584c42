//! Who listens to the loop: records, the terminal, the store, and the wish to stop.

use super::keeper::Keeper;
use super::progress::Progress;
use super::stop::Stop;
use crate::learner::error::Result;
use crate::learner::hooks::{Hooks, JudgedGroup, Sample};
use crate::learner::metrics::{EvalMetrics, SftMetrics, StepMetrics};
use crate::learner::record::{History, Recorder};

/// Hands all that the loop tells to everyone.
pub(super) struct Listener<'a> {
    recorder: Recorder,
    progress: Progress,
    keeper: Option<Keeper>,
    stop: &'a Stop,
    /// Of the first and of the newest evaluation.
    first: Vec<Sample>,
    newest: Vec<Sample>,
}

impl<'a> Listener<'a> {
    pub(super) fn new(
        recorder: Recorder,
        progress: Progress,
        keeper: Option<Keeper>,
        stop: &'a Stop,
    ) -> Self {
        Self { recorder, progress, keeper, stop, first: Vec::new(), newest: Vec::new() }
    }

    /// Shows the last samples and gives what was recorded.
    pub(super) fn finish(mut self) -> (History, Vec<Sample>) {
        self.progress.finish();
        if let Some(keeper) = self.keeper.take()
            && let Some(message) = keeper.close()
        {
            self.progress.note(&message);
        }
        for sample in &self.newest {
            self.progress.sample(sample);
        }
        let samples = self.first.into_iter().chain(self.newest).collect();
        (self.recorder.history().clone(), samples)
    }
}

impl Hooks for Listener<'_> {
    fn note(&mut self, message: &str) {
        self.progress.note(message);
    }

    fn on_sft(&mut self, metrics: &SftMetrics) -> Result<()> {
        self.progress.sft(metrics);
        self.recorder.on_sft(metrics)
    }

    fn on_step(&mut self, metrics: &StepMetrics) -> Result<()> {
        self.progress.step(metrics);
        self.recorder.on_step(metrics)
    }

    fn on_eval(&mut self, metrics: &EvalMetrics) -> Result<()> {
        self.progress.eval(metrics);
        self.recorder.on_eval(metrics)
    }

    fn on_sample(&mut self, sample: &Sample) {
        if self.first.first().is_none_or(|first| first.step == sample.step) {
            self.progress.sample(sample);
            self.first.push(sample.clone());
            return;
        }
        if self.newest.first().is_some_and(|newest| newest.step != sample.step) {
            self.newest.clear();
        }
        self.newest.push(sample.clone());
    }

    fn on_groups(&mut self, step: u64, groups: &[JudgedGroup]) -> Result<()> {
        if let Some(keeper) = &mut self.keeper
            && let Some(message) = keeper.keep(step, groups)
        {
            self.progress.note(&message);
        }
        Ok(())
    }

    fn should_stop(&self) -> bool {
        self.stop.is_asked()
    }
}
