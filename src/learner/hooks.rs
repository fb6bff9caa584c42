//! What the loop tells while it runs, and what it is asked for.

use std::sync::Arc;

use graders::{Completion, Reward, Task};

use super::error::Result;
use super::metrics::{EvalMetrics, SftMetrics, StepMetrics};

/// Who listens to a run. Every method may be left out; an error ends the run.
pub trait Hooks {
    /// Something worth a line: a checkpoint was written, a damaged one was skipped, a group could not be judged.
    fn note(&mut self, _message: &str) {}

    /// A supervised step of the warm start was taken.
    ///
    /// # Errors
    /// When it cannot be recorded.
    fn on_sft(&mut self, _metrics: &SftMetrics) -> Result<()> {
        Ok(())
    }

    /// A step was taken. Called before its checkpoint is written, so that a record is never behind it.
    ///
    /// # Errors
    /// When it cannot be recorded.
    fn on_step(&mut self, _metrics: &StepMetrics) -> Result<()> {
        Ok(())
    }

    /// The policy was measured on held-out tasks; `metrics.step` is 0 before the first step.
    ///
    /// # Errors
    /// When it cannot be recorded.
    fn on_eval(&mut self, _metrics: &EvalMetrics) -> Result<()> {
        Ok(())
    }

    /// A completion to look at, of an evaluation.
    fn on_sample(&mut self, _sample: &Sample) {}

    /// Judged groups of a step, replaced ones among them.
    ///
    /// # Errors
    /// When they cannot be kept.
    fn on_groups(&mut self, _step: u64, _groups: &[JudgedGroup]) -> Result<()> {
        Ok(())
    }

    /// Whether the run is to end after the step it is in; asked once a step and between evaluation batches.
    fn should_stop(&self) -> bool {
        false
    }
}

/// Nobody listens.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Hooks for Silent {}

/// A completion to look at.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Steps taken before it.
    pub step: u64,
    /// What the model read.
    pub prompt: String,
    /// What it wrote.
    pub completion: String,
    /// The task's answer, where it has one.
    pub reference: Option<String>,
    /// What it earned; `None` when it could not be judged.
    pub reward: Option<f64>,
    /// Whether it is right.
    pub is_right: Option<bool>,
}

/// A group with its rewards.
#[derive(Clone, Debug)]
pub struct JudgedGroup {
    /// The task's name in the run, such as `arithmetic/train/0/17`.
    pub id: String,
    /// What was asked.
    pub task: Arc<Task>,
    /// What the policy wrote.
    pub completions: Arc<[Completion]>,
    /// What each earned, in the same order.
    pub rewards: Vec<Reward>,
    /// Each one's advantage, where it has one.
    pub advantages: Vec<Option<f64>>,
}
