//! The loop.

use super::checkpoint::Checkpoint;
use super::error::{LearnerError, Result};
use super::folder::RunFolder;
use super::hooks::{Hooks, JudgedGroup};
use super::metrics::EvalMetrics;
use super::recipe::{DeviceChoice, Recipe};
use crate::judge::Judge;

/// What a run needs beside its recipe.
#[derive(Debug)]
pub struct Job<'a> {
    /// What the run is.
    pub recipe: &'a Recipe,
    /// Where it lives.
    pub folder: &'a RunFolder,
    /// Where it goes on.
    pub resume: Option<Checkpoint>,
    /// Who rewards.
    pub judge: &'a Judge,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Steps taken in all.
    pub step: u64,
    /// Whether it was told to stop before its last step.
    pub stopped: bool,
    /// The last checkpoint.
    pub checkpoint: std::path::PathBuf,
}

/// Trains.
///
/// # Errors
/// What kept it from its end. Checkpoints that were written stay.
pub fn train(_job: Job<'_>, _hooks: &mut dyn Hooks) -> Result<Outcome> {
    Err(LearnerError::other("this build cannot train yet"))
}

/// Measures a model on the recipe's held-out tasks: the policy of `model`, a checkpoint's or any model's folder.
///
/// # Errors
/// What kept it from its end.
pub fn evaluate(
    _recipe: &Recipe,
    _model: &std::path::Path,
    _judge: &Judge,
    _hooks: &mut dyn Hooks,
) -> Result<EvalMetrics> {
    Err(LearnerError::other("this build cannot evaluate yet"))
}

/// What `generate` is asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The model's folder.
    pub model: std::path::PathBuf,
    /// What computes.
    pub device: DeviceChoice,
    /// Prompts as the model reads them, or as its chat template takes them.
    pub prompts: Vec<String>,
    /// Whether prompts go through the chat template, where there is one.
    pub chat: bool,
    /// Completions of each.
    pub n: usize,
    /// How they are drawn; group size and thinking have no part in it.
    pub sampling: super::recipe::SamplingRecipe,
    /// Decides every draw.
    pub seed: u64,
}

/// Completes prompts; `each` gets the prompt's number, and the text, as they are finished.
///
/// # Errors
/// What kept it from its end.
pub fn generate(_asked: &Asked, _each: &mut dyn FnMut(usize, &str)) -> Result<()> {
    Err(LearnerError::other("this build cannot sample yet"))
}

#[expect(dead_code, reason = "the loop hands these to its hooks")]
type Groups = [JudgedGroup];
