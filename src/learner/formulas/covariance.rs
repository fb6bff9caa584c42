//! Policy losses that restrain the tokens which drive entropy down: those whose log-probability and advantage are
//! both far above (or both far below) the mean (arXiv:2505.22617).
//!
//! As in verl, means and ranks are those of the micro-batch. So these two losses alone depend on how a batch is cut.

use super::batch::Batch;
use super::clip;
use super::terms::{Term, Terms, log_ratio};

/// Each counted token with `(A - mean A) (log p - mean log p)`, in order.
fn covariances(batch: &Batch) -> Vec<(usize, f64)> {
    let n = batch.all_counted().count().max(1) as f64;
    let mean = |values: &[f32]| batch.all_counted().map(|t| f64::from(values[t])).sum::<f64>() / n;
    let (advantage, logprob) = (mean(batch.advantages), mean(batch.logprobs));
    batch
        .all_counted()
        .map(|t| (t, (f64::from(batch.advantages[t]) - advantage) * (f64::from(batch.logprobs[t]) - logprob)))
        .collect()
}

/// The tokens of the largest covariances; the earlier of two that are equal.
fn largest(mut candidates: Vec<(usize, f64)>, count: usize) -> Vec<usize> {
    candidates.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    candidates.truncate(count);
    candidates.into_iter().map(|(token, _)| token).collect()
}

/// How many of `n` tokens a fraction is: at least one, as in verl.
fn share(fraction: f64, n: usize) -> usize {
    ((fraction * n as f64) as usize).max(1)
}

/// KL-Cov: `-A r` without bounds, plus `coefficient |log p - log p_old|` on the `fraction` of tokens with the largest
/// covariance.
pub fn kl_cov(batch: &Batch, old: &[f32], fraction: f64, coefficient: f64) -> Terms {
    let mut terms = Terms::zeros(batch.n_tokens(), false);
    let covariances = covariances(batch);
    for t in batch.all_counted() {
        let (difference, inside) = log_ratio(batch.logprobs[t], old[t]);
        let loss = -f64::from(batch.advantages[t]) * difference.exp();
        terms.set(t, Term { loss, slope: loss * inside, ..Term::default() });
    }
    let count = share(fraction, covariances.len());
    for t in largest(covariances, count) {
        let (difference, inside) = log_ratio(batch.logprobs[t], old[t]);
        terms.losses[t] += coefficient * difference.abs();
        terms.slopes[t] += coefficient * sign(difference) * inside;
    }
    terms
}

/// Clip-Cov: PPO's clipped surrogate without the tokens, at most a `fraction` of all, whose covariance is the largest
/// between `lower` and `upper` and that the clip has not stopped. They have neither loss nor gradient.
///
/// verl draws the tokens among those by chance; here the largest are taken, so that a step can be repeated.
pub fn clip_cov(
    batch: &Batch,
    old: &[f32],
    (low, high): (f64, f64),
    fraction: f64,
    (lower, upper): (f64, f64),
) -> Terms {
    let mut terms = Terms::zeros(batch.n_tokens(), false);
    let mut candidates = Vec::new();
    let covariances = covariances(batch);
    let count = share(fraction, covariances.len());
    for (t, covariance) in covariances {
        let advantage = f64::from(batch.advantages[t]);
        let term = clip::ppo(batch.logprobs[t], old[t], advantage, low, high, None);
        if covariance > lower && covariance < upper && !term.low && !term.high {
            candidates.push((t, covariance));
        }
        terms.set(t, term);
    }
    for t in largest(candidates, count) {
        (terms.losses[t], terms.slopes[t]) = (0.0, 0.0);
    }
    terms
}

/// -1, 0 or 1.
pub fn sign(value: f64) -> f64 {
    if value == 0.0 { 0.0 } else { value.signum() }
}
