//! From a scored step to new weights: micro-batches, gradients, the optimiser.

use policy::{Gradients, Policy, TokenGradients};

use super::error::{LearnerError, Result};
use super::formulas::controller::Coefficients;
use super::formulas::metrics::Metrics;
use super::formulas::objective::Objective;
use super::micro_batch::micro_batches;
use super::step::Step;
use policy::optimizer::AdamW;

/// How an update is computed; nothing of it changes the gradient.
#[derive(Clone, Copy, Debug)]
pub struct UpdateSettings {
    /// The temperature that completions were sampled with: log-probabilities are of the same distribution.
    pub temperature: f32,
    /// Tokens that go through the model at a time.
    pub micro_batch_tokens: usize,
    /// AdamW's step size.
    pub learning_rate: f64,
}

/// What the updates of one step did.
#[derive(Clone, Debug, Default)]
pub struct Updated {
    /// Steps of the optimiser.
    pub n_updates: usize,
    /// The gradient's norm before clipping, of the last of them.
    pub grad_norm: Option<f64>,
    /// The loss, mean over the updates.
    pub loss: Option<f64>,
    /// Tokens that went through the model.
    pub n_tokens: usize,
    /// Operations of the passes through the model.
    pub flops: f64,
    /// What the objective measured.
    pub metrics: Metrics,
}

/// Goes through a step's groups `epochs` times, each time in `mini_batches` parts with an optimiser step for each. A
/// part without any signal takes no step: with momentum, weights would move even without a gradient.
///
/// # Errors
/// When the model fails or a number is not finite; the weights are then those of the last whole optimiser step.
pub fn update(
    policy: &Policy,
    optimizer: &mut AdamW,
    gradients: &mut Gradients,
    objective: &Objective,
    coefficients: &Coefficients,
    step: &Step,
    settings: &UpdateSettings,
) -> Result<Updated> {
    let mut updated = Updated::default();
    let n_groups = step.scored.len();
    let n_parts = (objective.updates.mini_batches as usize).clamp(1, n_groups.max(1));
    for _ in 0..objective.updates.epochs {
        for part in 0..n_parts {
            let groups = part * n_groups / n_parts..(part + 1) * n_groups / n_parts;
            let rollouts = step.trained(groups);
            let moves = coefficients.kl > 0.0 || coefficients.entropy > 0.0;
            if rollouts.is_empty() || !(moves || step.has_signal(&rollouts)) {
                continue;
            }
            // Of the whole optimiser step, counted before the first micro-batch.
            let denominators = step.denominators(&rollouts);
            let mut loss = 0.0;
            gradients.clear()?;
            for batch in micro_batches(&step.scored, &rollouts, settings.micro_batch_tokens)? {
                let slices = step.slices(&batch);
                let mut evaluated = None;
                let scored = policy.accumulate(&batch.packed, settings.temperature, gradients, |scores| {
                    let view = slices.batch(&scores.logprobs, &scores.entropies);
                    let evaluation = objective
                        .evaluate(&view, &denominators, coefficients)
                        .map_err(|error| policy::PolicyError::input(error.to_string()))?;
                    loss += evaluation.loss;
                    evaluated = Some(evaluation.metrics);
                    Ok(TokenGradients { logprobs: evaluation.by_logprob, entropies: evaluation.by_entropy })
                });
                scored.map_err(LearnerError::from)?;
                if let Some(metrics) = evaluated {
                    updated.metrics.merge(&metrics);
                }
                updated.n_tokens += batch.packed.n_tokens();
                updated.flops += policy::flops::training(&policy.config, &batch.packed);
            }
            let norm = optimizer.step(gradients, settings.learning_rate)?;
            updated.n_updates += 1;
            updated.grad_norm = Some(norm);
            *updated.loss.get_or_insert(0.0) += loss;
        }
    }
    if let Some(loss) = &mut updated.loss {
        *loss /= updated.n_updates as f64;
    }
    Ok(updated)
}
