//! `[sft]`: supervised steps before the first rollout.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::fault::Checks;

/// A warm start: the policy first imitates worked solutions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SftRecipe {
    /// Optimiser steps.
    pub steps: u64,
    /// How many different examples there are: tasks of the training split, solved by the environment.
    pub examples: usize,
    /// Examples from a file instead: JSON lines with `prompt` and `completion`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// Examples in a step.
    pub batch_size: usize,
    /// The step size; ten times `train.learning_rate` where none is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    /// Steps over which the step size rises from 0.
    pub warmup_steps: u64,
}

impl Default for SftRecipe {
    fn default() -> Self {
        Self { steps: 100, examples: 1000, path: None, batch_size: 32, learning_rate: None, warmup_steps: 10 }
    }
}

/// Imitation takes larger steps than reinforcement.
const FASTER: f64 = 10.0;

impl SftRecipe {
    pub(super) fn resolve(&mut self, learning_rate: Option<f64>) {
        if self.learning_rate.is_none() {
            self.learning_rate = learning_rate.map(|rate| FASTER * rate);
        }
    }

    pub(super) fn check(&self, checks: &mut Checks) {
        checks.count("examples", self.examples);
        checks.count("batch_size", self.batch_size);
        if let Some(rate) = self.learning_rate {
            checks.positive("learning_rate", rate);
        }
    }
}
