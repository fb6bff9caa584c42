//! `[train]`: how the policy learns.

use serde::{Deserialize, Serialize};

use super::fault::Checks;
use super::fields::nearest;
use crate::learner::formulas::invalid::Invalid;
use crate::learner::formulas::objective::Objective;
use crate::learner::formulas::preset::PRESETS;

/// How the policy learns from its completions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainRecipe {
    /// The objective by name; ours where none is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,
    /// Steps: each samples a batch and learns from it.
    pub steps: u64,
    /// Prompts of a step; a step has so many groups.
    pub prompts_per_step: usize,
    /// Tokens that go through the model at a time; the gradient does not depend on it.
    pub micro_batch_tokens: usize,
    /// AdamW's step size at its height; 1e-6, or 1e-5 with LoRA, where none is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    /// How the step size goes on after the warm-up.
    pub schedule: Schedule,
    /// Steps over which the step size rises from 0.
    pub warmup_steps: u64,
    /// The share of the step size left at the end of a falling schedule.
    pub final_fraction: f64,
    /// AdamW's pull towards 0.
    pub weight_decay: f64,
    /// AdamW's memory of gradients and of their squares.
    pub betas: [f64; 2],
    /// AdamW's smallest divisor.
    pub eps: f64,
    /// The gradient's greatest norm; 0 is no limit.
    pub grad_clip: f64,
    /// Computes activations again in the backward pass instead of keeping them.
    pub gradient_checkpointing: bool,
    /// Fields of the objective, put over the preset's.
    pub objective: toml::Table,
}

/// How the step size goes on after the warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// As it is.
    #[default]
    Constant,
    /// Straight down to the last step.
    Linear,
    /// Down half a wave to the last step.
    Cosine,
}

impl Schedule {
    /// The factor on the step size at step `step` from 0: rises over `warmup` steps, then falls to `end` at `steps`.
    pub fn factor(self, step: u64, warmup: u64, steps: u64, end: f64) -> f64 {
        let decay = match self {
            Self::Constant => policy::Decay::Constant,
            Self::Linear => policy::Decay::Linear,
            Self::Cosine => policy::Decay::Cosine,
        };
        // The first step has a part of the rate and not, as in `transformers`, none of it.
        let step = if step < warmup { step + 1 } else { step };
        policy::Schedule { rate: 1.0, decay, warmup, total: steps, floor: end }.at(step)
    }
}

impl Default for TrainRecipe {
    fn default() -> Self {
        Self {
            preset: None,
            steps: 200,
            prompts_per_step: 16,
            micro_batch_tokens: 4096,
            learning_rate: None,
            schedule: Schedule::default(),
            warmup_steps: 10,
            final_fraction: 0.0,
            weight_decay: 0.0,
            betas: [0.9, 0.999],
            eps: 1e-8,
            grad_clip: 1.0,
            gradient_checkpointing: false,
            objective: toml::Table::new(),
        }
    }
}

/// Step sizes of reinforcement learning on all weights, and on an adapter, which takes about ten times as much.
const LEARNING_RATE: f64 = 1e-6;
const LORA_LEARNING_RATE: f64 = 1e-5;

impl TrainRecipe {
    pub(super) fn resolve(&mut self, lora: bool) {
        self.learning_rate.get_or_insert(if lora { LORA_LEARNING_RATE } else { LEARNING_RATE });
    }

    /// What a step minimises: the preset with the fields of `objective` put over it.
    ///
    /// # Errors
    /// Names the field; never for a recipe that was read.
    pub fn objective(&self) -> Result<Objective, Invalid> {
        let mut value = serde_json::to_value(&self.objective)
            .map_err(|error| Invalid::setting("objective", error.to_string()))?;
        if let (Some(preset), Some(fields)) = (&self.preset, value.as_object_mut()) {
            fields.insert("preset".to_owned(), preset.as_str().into());
        }
        Objective::from_value(&value)
    }

    /// The step size at step `step` from 0.
    pub fn learning_rate_at(&self, step: u64) -> f64 {
        let factor = self.schedule.factor(step, self.warmup_steps, self.steps, self.final_fraction);
        self.learning_rate.unwrap_or(LEARNING_RATE) * factor
    }

    pub(super) fn check(&self, checks: &mut Checks) {
        if let Err(error) = self.objective() {
            match error {
                Invalid::Setting { field, message } if field == "preset" => {
                    let given = self.preset.as_deref().unwrap_or_default();
                    let near = nearest(given, &PRESETS).map(|near| format!("; did you mean `{near}`?"));
                    checks.fault("preset", format!("{message}{}", near.unwrap_or_default()));
                }
                Invalid::Setting { field, message } => checks.fault(&format!("objective.{field}"), message),
                other => checks.fault("objective", other.to_string()),
            }
        }
        checks.count("prompts_per_step", self.prompts_per_step);
        checks.count("micro_batch_tokens", self.micro_batch_tokens);
        if let Some(rate) = self.learning_rate {
            checks.positive("learning_rate", rate);
        }
        checks.fraction("final_fraction", self.final_fraction);
        checks.not_negative("weight_decay", self.weight_decay);
        let [first, second] = self.betas;
        let are_betas = (0.0..1.0).contains(&first) && (0.0..1.0).contains(&second);
        checks.must(are_betas, "betas", format!("[{first}, {second}]"), "two numbers from 0 to below 1");
        checks.positive("eps", self.eps);
        checks.not_negative("grad_clip", self.grad_clip);
    }
}
