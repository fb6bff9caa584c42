//! PPO (arXiv:1707.06347) with a value head: generalised advantage estimation, a clipped value loss, and the penalty
//! for leaving a reference policy in the reward, token by token.
//!
//! The policy's loss is an [`Objective`] like any other; what PPO adds is the critic that its advantages come from.

use std::ops::Range;

use graders::advantage::GroupRewards;
use policy::optimizer::AdamW;
use policy::{Gradients, Packed, Policy, PolicyError, TokenGradients};

use super::error::{LearnerError, Result};
use super::example::{Skip, Skipped, parts, why_not};
use super::formulas::advantage::{Advantage, Rewarded, TokenEstimator};
use super::formulas::batch::{Batch, Denominators, Sequence};
use super::formulas::controller::Coefficients;
use super::formulas::critic::value_loss;
use super::formulas::invalid::Invalid;
use super::formulas::kl::{Kl, KlForm, Place};
use super::formulas::loss::Loss;
use super::formulas::metrics::Metrics;
use super::formulas::mismatch::Mismatch;
use super::formulas::objective::{Objective, Selection, Updates};
use super::formulas::token_advantage::{gae, token_rewards};
use super::scalar_head::{Scorer, ScorerGradients};
use super::sft::nothing;

/// A completion that the policy sampled, with its reward.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Episode {
    /// What was asked; neighbours with the same prompt share its computation.
    pub prompt: Vec<u32>,
    /// `[T]`: what was written.
    pub tokens: Vec<u32>,
    /// `[T]`: whether the policy sampled the token; one that was inserted is not learned from.
    pub sampled: Vec<bool>,
    /// `[T]`: what the engine reported; empty where it did not.
    pub logprobs: Vec<f32>,
    /// At its end; `None` where it could not be judged, which is not learned from.
    pub reward: Option<f64>,
}

/// How a batch of episodes is learned from.
#[derive(Clone, Debug, PartialEq)]
pub struct PpoSettings {
    /// The policy's loss. Its advantage must be `gae`.
    pub objective: Objective,
    /// How far a value may move from what it was before the first update; `None` does not hold it.
    pub value_clip: Option<f64>,
    /// The temperature that episodes were sampled with.
    pub temperature: f32,
    /// Tokens that go through a model at a time; gradients do not depend on it.
    pub micro_batch_tokens: usize,
}

/// The policy that is trained.
#[derive(Debug)]
pub struct Actor<'a> {
    /// It.
    pub policy: &'a Policy,
    /// Of its trained parameters.
    pub optimizer: &'a mut AdamW,
    /// Of the same.
    pub gradients: &'a mut Gradients,
    /// The step size.
    pub learning_rate: f64,
}

/// The critic; its body shares nothing with the policy.
#[derive(Debug)]
pub struct Critic<'a> {
    /// It.
    pub scorer: &'a Scorer,
    /// Of [`Scorer::trained`].
    pub optimizer: &'a mut AdamW,
    /// Of the same.
    pub gradients: &'a mut ScorerGradients,
    /// The step size.
    pub learning_rate: f64,
}

/// What a step did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PpoMetrics {
    /// Mean reward of the episodes, before penalties.
    pub reward: f64,
    /// The policy's loss, mean over its updates; `None` where there was no signal and none was taken.
    pub loss: Option<f64>,
    /// The critic's loss, mean over the updates.
    pub value_loss: f64,
    /// Share of the returns' variance that the values explained before the first update; `None` where the returns
    /// are all equal.
    pub explained_variance: Option<f64>,
    /// Norm of the policy's gradient before clipping, of the last update.
    pub grad_norm: Option<f64>,
    /// Norm of the critic's.
    pub value_grad_norm: f64,
    /// Optimiser steps of the critic; the policy has as many or none.
    pub n_updates: usize,
    /// What the objective measured.
    pub objective: Metrics,
    /// Episodes that were not learned from.
    pub skipped: Skipped,
}

impl Default for PpoSettings {
    /// As published, with four epochs: bounds 0.2, no discount, lambda 0.95, a penalty of 0.05 in the reward. The
    /// bound on values is verl's.
    fn default() -> Self {
        let objective = Objective {
            advantage: Advantage::Token(TokenEstimator::Gae { gamma: 1.0, lambda: 0.95 }),
            loss: Loss::Clip { clip_low: 0.2, clip_high: 0.2, dual_clip: None },
            kl: Kl { coefficient: 0.05, form: KlForm::K1, place: Place::Reward, ..Kl::default() },
            mismatch: Mismatch::none(),
            mask_truncated: false,
            selection: Selection::all(),
            updates: Updates { epochs: 4, ..Updates::default() },
            ..Objective::default()
        };
        Self { objective, value_clip: Some(0.5), temperature: 1.0, micro_batch_tokens: 4096 }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "as `map_err` hands it over")]
fn refused(error: Invalid) -> PolicyError {
    PolicyError::input(error.to_string())
}

/// Episodes laid end to end, with one item per token in each array.
struct Laid<'a> {
    episodes: Vec<&'a Episode>,
    sequences: Vec<Sequence>,
    mask: Vec<bool>,
    rollout: Option<Vec<f32>>,
}

impl<'a> Laid<'a> {
    fn new(episodes: &'a [Episode], context: usize) -> Result<(Self, Skipped)> {
        let mut skipped = Skipped::default();
        let mut laid = Self { episodes: Vec::new(), sequences: Vec::new(), mask: Vec::new(), rollout: None };
        for (i, episode) in episodes.iter().enumerate() {
            let n = episode.tokens.len();
            if episode.sampled.len() != n || !(episode.logprobs.is_empty() || episode.logprobs.len() == n) {
                return Err(LearnerError::other(format!(
                    "episode {i} does not say of each of its {n} tokens what it is"
                )));
            }
            let skip = why_not(episode.prompt.len(), [n], context)
                .or_else(|| (!episode.sampled.contains(&true)).then_some(Skip::NoCompletion))
                .or_else(|| (!episode.reward.is_some_and(f64::is_finite)).then_some(Skip::NoReward));
            match skip {
                Some(skip) => skipped.add(skip),
                None => laid.push(episode),
            }
        }
        if laid.episodes.is_empty() {
            return Err(LearnerError::other(format!(
                "there is no episode to learn from: {}",
                nothing(&skipped)
            )));
        }
        if laid.episodes.iter().all(|episode| !episode.logprobs.is_empty()) {
            laid.rollout = Some(laid.episodes.iter().flat_map(|episode| episode.logprobs.clone()).collect());
        }
        Ok((laid, skipped))
    }

    fn push(&mut self, episode: &'a Episode) {
        let group = match (self.sequences.last(), self.episodes.last()) {
            (Some(last), Some(before)) => last.group + usize::from(before.prompt != episode.prompt),
            _ => 0,
        };
        let start = self.mask.len();
        self.mask.extend_from_slice(&episode.sampled);
        self.sequences.push(Sequence { start, end: self.mask.len(), group });
        self.episodes.push(episode);
    }

    /// The micro-batches of a range of episodes.
    fn parts(&self, range: Range<usize>, most: usize) -> Vec<Range<usize>> {
        let start = range.start;
        let lengths = self.episodes[range].iter().map(|episode| episode.prompt.len() + episode.tokens.len());
        parts(lengths, most).into_iter().map(|part| start + part.start..start + part.end).collect()
    }

    fn packed(&self, part: Range<usize>) -> Result<Packed> {
        let mut packed = Packed::default();
        for group in self.episodes[part].chunk_by(|a, b| a.prompt == b.prompt) {
            packed.push_group(&group[0].prompt, group.iter().map(|episode| &episode.tokens[..]))?;
        }
        Ok(packed)
    }

    /// Where the tokens of a range of episodes are, and their sequences as if nothing were before them.
    fn part(&self, part: Range<usize>) -> (Range<usize>, Vec<Sequence>) {
        let sequences = &self.sequences[part];
        let start = sequences.first().map_or(0, |first| first.start);
        let end = sequences.last().map_or(start, |last| last.end);
        let shifted = sequences.iter().map(|s| Sequence { start: s.start - start, end: s.end - start, ..*s });
        (start..end, shifted.collect())
    }

    /// One number per token, from one pass over each micro-batch.
    fn each(&self, most: usize, mut score: impl FnMut(&Packed) -> Result<Vec<f32>>) -> Result<Vec<f32>> {
        let mut all = Vec::with_capacity(self.mask.len());
        for part in self.parts(0..self.episodes.len(), most) {
            all.extend(score(&self.packed(part)?)?);
        }
        Ok(all)
    }
}

/// What is computed before the first update.
struct Before {
    old: Vec<f32>,
    reference: Option<Vec<f32>>,
    values: Vec<f32>,
    advantages: Vec<f32>,
    returns: Vec<f32>,
}

impl Before {
    fn new(
        laid: &Laid,
        policy: &Policy,
        critic: &Scorer,
        reference: Option<&Policy>,
        settings: &PpoSettings,
        coefficients: &Coefficients,
    ) -> Result<Self> {
        let (most, objective) = (settings.micro_batch_tokens, &settings.objective);
        let Advantage::Token(TokenEstimator::Gae { gamma, lambda }) = objective.advantage else {
            return Err(LearnerError::other("objective.advantage: PPO needs `gae`"));
        };
        let scores = |policy: &Policy| {
            laid.each(most, |packed| Ok(policy.scores(packed, settings.temperature)?.logprobs))
        };
        let old = scores(policy)?;
        let reference = match reference {
            Some(reference) if objective.kl.needs_reference() => Some(scores(reference)?),
            None if objective.kl.needs_reference() => {
                return Err(LearnerError::other("objective.kl: the penalty needs a reference policy"));
            }
            _ => None,
        };
        let values = laid.each(most, |packed| critic.values(packed))?;
        let penalties = match &reference {
            Some(reference) if objective.kl.place == Place::Reward => {
                let penalties = objective.kl.reward_penalties(coefficients.kl, &laid.mask, &old, reference);
                Some(penalties?)
            }
            _ => None,
        };
        let rewards: Vec<Option<f64>> = laid.episodes.iter().map(|episode| episode.reward).collect();
        let wide: Vec<f64> = values.iter().map(|value| f64::from(*value)).collect();
        let tokens = token_rewards(&laid.sequences, &laid.mask, &rewards, penalties.as_deref())?;
        let estimated = gae(&laid.sequences, &laid.mask, &tokens, &wide, gamma, lambda)?;
        let groups = [GroupRewards { rewards, ..GroupRewards::default() }];
        let advantages = objective.advantage.of_tokens(&Rewarded {
            sequences: &laid.sequences,
            mask: &laid.mask,
            groups: &groups,
            penalties: penalties.as_deref(),
            values: Some(&wide),
            ..Rewarded::default()
        });
        let returns = estimated.returns.iter().map(|value| *value as f32).collect();
        Ok(Self { old, reference, values, advantages: advantages?, returns })
    }

    fn explained_variance(&self, mask: &[bool]) -> Option<f64> {
        let counted = || (0..mask.len()).filter(|t| mask[*t]);
        let variance = |of: &dyn Fn(usize) -> f64| {
            let n = counted().count().max(1) as f64;
            let mean = counted().map(of).sum::<f64>() / n;
            counted().map(|t| (of(t) - mean).powi(2)).sum::<f64>() / n
        };
        let total = variance(&|t| f64::from(self.returns[t]));
        let left = variance(&|t| f64::from(self.returns[t]) - f64::from(self.values[t]));
        (total > 0.0).then(|| 1.0 - left / total)
    }
}

/// Learns from a batch of episodes: `epochs` times through all, each time in `mini_batches` parts, with a step of the
/// policy's optimiser and one of the critic's for each. A part without an advantage moves the critic alone.
///
/// `coefficients` are those of the objective's controllers.
///
/// # Errors
/// When no episode is left, the objective is not for PPO or needs what is absent, a model fails, or a number is not
/// finite; the weights are then those of the last whole step of each optimiser.
pub fn step(
    actor: &mut Actor,
    critic: &mut Critic,
    reference: Option<&Policy>,
    episodes: &[Episode],
    settings: &PpoSettings,
    coefficients: &Coefficients,
) -> Result<PpoMetrics> {
    settings.objective.check()?;
    let room = |policy: &Policy| policy.config.max_position_embeddings;
    let context = room(actor.policy).min(room(&critic.scorer.body));
    let (laid, skipped) = Laid::new(episodes, context)?;
    let before = Before::new(&laid, actor.policy, critic.scorer, reference, settings, coefficients)?;
    let n = laid.episodes.len();
    let mut metrics = PpoMetrics {
        reward: laid.episodes.iter().filter_map(|episode| episode.reward).sum::<f64>() / n as f64,
        explained_variance: before.explained_variance(&laid.mask),
        skipped,
        ..PpoMetrics::default()
    };
    let updates = settings.objective.updates;
    let n_parts = (updates.mini_batches as usize).clamp(1, n);
    let mut n_policy = 0_u32;
    for _ in 0..updates.epochs {
        for i in 0..n_parts {
            let part = i * n / n_parts..(i + 1) * n / n_parts;
            let (tokens, sequences) = laid.part(part.clone());
            let mut denominators = Denominators::default();
            denominators.add(&sequences, &laid.mask[tokens.clone()]);
            if tokens.clone().any(|t| laid.mask[t] && before.advantages[t] != 0.0) {
                actor.gradients.clear()?;
                let loss = act(
                    actor,
                    &laid,
                    &before,
                    part.clone(),
                    &denominators,
                    settings,
                    coefficients,
                    &mut metrics,
                )?;
                metrics.grad_norm = Some(actor.optimizer.step(actor.gradients, actor.learning_rate)?);
                *metrics.loss.get_or_insert(0.0) += loss;
                n_policy += 1;
            }
            critic.gradients.clear()?;
            metrics.value_loss += criticise(critic, &laid, &before, part, &denominators, settings)?;
            let gradients = critic.scorer.all_gradients(critic.gradients)?;
            metrics.value_grad_norm = critic.optimizer.step(&gradients, critic.learning_rate)?;
            metrics.n_updates += 1;
        }
    }
    metrics.value_loss /= metrics.n_updates.max(1) as f64;
    metrics.loss = metrics.loss.map(|loss| loss / f64::from(n_policy));
    Ok(metrics)
}

/// The policy's loss on some episodes; adds its gradient.
#[expect(clippy::too_many_arguments, reason = "the arrays of a step, and what they are weighed by")]
fn act(
    actor: &mut Actor,
    laid: &Laid,
    before: &Before,
    part: Range<usize>,
    denominators: &Denominators,
    settings: &PpoSettings,
    coefficients: &Coefficients,
    metrics: &mut PpoMetrics,
) -> Result<f64> {
    let mut loss = 0.0;
    for part in laid.parts(part, settings.micro_batch_tokens) {
        let (tokens, sequences) = laid.part(part.clone());
        actor.policy.accumulate(&laid.packed(part)?, settings.temperature, actor.gradients, |scores| {
            let batch = Batch {
                sequences: &sequences,
                mask: &laid.mask[tokens.clone()],
                advantages: &before.advantages[tokens.clone()],
                logprobs: &scores.logprobs,
                old: Some(&before.old[tokens.clone()]),
                rollout: laid.rollout.as_ref().map(|all| &all[tokens.clone()]),
                reference: before.reference.as_ref().map(|all| &all[tokens.clone()]),
                entropies: Some(&scores.entropies),
            };
            let found = settings.objective.evaluate(&batch, denominators, coefficients).map_err(refused)?;
            loss += found.loss;
            metrics.objective.merge(&found.metrics);
            Ok(TokenGradients { logprobs: found.by_logprob, entropies: found.by_entropy })
        })?;
    }
    Ok(loss)
}

/// The critic's loss on some episodes; adds its gradient.
fn criticise(
    critic: &mut Critic,
    laid: &Laid,
    before: &Before,
    part: Range<usize>,
    denominators: &Denominators,
    settings: &PpoSettings,
) -> Result<f64> {
    let mut loss = 0.0;
    for part in laid.parts(part, settings.micro_batch_tokens) {
        let (tokens, _) = laid.part(part.clone());
        critic.scorer.accumulate(&laid.packed(part)?, critic.gradients, |values| {
            let (value, gradient) = value_loss(
                values,
                &before.values[tokens.clone()],
                &before.returns[tokens.clone()],
                &laid.mask[tokens.clone()],
                settings.value_clip,
                denominators,
            )
            .map_err(refused)?;
            loss += value;
            Ok(gradient)
        })?;
    }
    Ok(loss)
}

#[cfg(test)]
mod tests;
