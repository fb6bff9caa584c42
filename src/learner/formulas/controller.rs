//! Coefficients that follow what is measured, from step to step.

use serde::{Deserialize, Serialize};

use super::entropy::AdaptiveEntropy;
use super::invalid::{Invalid, Result, aligned};
use super::kl::AdaptiveKl;
use super::objective::Objective;

/// The share of the error that a step may correct.
const KL_ERROR_LIMIT: f64 = 0.2;

impl AdaptiveKl {
    /// The next coefficient, after `n` samples with this mean divergence:
    /// `coefficient * (1 + clip(kl / target - 1, ±0.2) n / horizon)`.
    pub fn next(&self, coefficient: f64, kl: f64, n: usize) -> f64 {
        let error = (kl / self.target - 1.0).clamp(-KL_ERROR_LIMIT, KL_ERROR_LIMIT);
        coefficient * (1.0 + error * n as f64 / self.horizon)
    }
}

impl AdaptiveEntropy {
    /// The next coefficient, after this entropy: up by `delta` at or below the target, else down.
    pub fn next(&self, coefficient: f64, entropy: f64) -> f64 {
        let delta = if entropy <= self.target { self.delta } else { -self.delta };
        (coefficient + delta).clamp(self.min, self.max)
    }

    /// The coefficient of a step: the one that was reached if the last entropy was at or below the target, else 0;
    /// 0 in the first step.
    pub fn applied(&self, coefficient: f64, last_entropy: Option<f64>) -> f64 {
        if last_entropy.is_some_and(|entropy| entropy <= self.target) { coefficient } else { 0.0 }
    }
}

/// What an objective takes from outside in one step, the same for all of its micro-batches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coefficients {
    /// The weight of the divergence from the reference.
    pub kl: f64,
    /// The weight of the entropy.
    pub entropy: f64,
    /// The policy loss acts on tokens from this entropy on; `None` computes it in each micro-batch, as TRL does.
    pub entropy_threshold: Option<f64>,
}

/// The state of an objective's controllers; it belongs into a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Controllers {
    /// The weight of the divergence.
    pub kl: f64,
    /// The weight of the entropy, before it is decided whether it applies.
    pub entropy: f64,
    /// The mean entropy of the last step.
    pub last_entropy: Option<f64>,
}

impl Controllers {
    /// The state before the first step.
    pub const fn new(objective: &Objective) -> Self {
        Self { kl: objective.kl.coefficient, entropy: objective.entropy.coefficient, last_entropy: None }
    }

    /// The coefficients of the coming step.
    pub fn coefficients(&self, objective: &Objective) -> Coefficients {
        let entropy = match objective.entropy.adaptive {
            Some(adaptive) => adaptive.applied(self.entropy, self.last_entropy),
            None => self.entropy,
        };
        Coefficients { kl: self.kl, entropy, entropy_threshold: None }
    }

    /// Takes in what a step of `n_sequences` measured; a missing or not finite number moves nothing.
    pub fn observe(
        &mut self,
        objective: &Objective,
        kl: Option<f64>,
        entropy: Option<f64>,
        n_sequences: usize,
    ) {
        if let (Some(adaptive), Some(kl)) = (objective.kl.adaptive, kl.filter(|kl| kl.is_finite())) {
            self.kl = adaptive.next(self.kl, kl, n_sequences);
        }
        if let Some(entropy) = entropy.filter(|entropy| entropy.is_finite()) {
            if let Some(adaptive) = objective.entropy.adaptive {
                self.entropy = adaptive.next(self.entropy, entropy);
            }
            self.last_entropy = Some(entropy);
        }
    }
}

/// `reference = alpha policy + (1 - alpha) reference`, number by number.
///
/// # Errors
/// When the two differ in length.
pub fn mix_reference(reference: &mut [f32], policy: &[f32], alpha: f64) -> Result<()> {
    aligned("policy", policy.len(), reference.len())?;
    for (reference, policy) in reference.iter_mut().zip(policy) {
        *reference = (alpha * f64::from(*policy) + (1.0 - alpha) * f64::from(*reference)) as f32;
    }
    Ok(())
}

/// A first guess of a learning rate for supervised training, as Thinking Machines' cookbook has it:
/// `5e-5 * (10 with LoRA) * (2000 / hidden size) ^ e`, `e` 0.0775 for the family `qwen` and 0.781 for `llama`.
/// Reinforcement learning takes 1e-5 to 1e-4 with LoRA.
///
/// # Errors
/// When the family is another.
pub fn learning_rate_guess(family: &str, hidden_size: usize, lora: bool) -> Result<f64> {
    let exponent = match family {
        "qwen" => 0.0775,
        "llama" => 0.781,
        _ => {
            let message = format!("expected \"qwen\" or \"llama\", got \"{family}\"");
            return Err(Invalid::setting("family", message));
        }
    };
    let adapter = if lora { 10.0 } else { 1.0 };
    Ok(5e-5 * adapter * (2000.0 / hidden_size as f64).powf(exponent))
}
