//! Imitation: examples learned token by token, the prompt not counted.
//!
//! It serves the warm start before the first rollout, rejection-sampled fine-tuning
//! ([`rejection`](super::rejection)) and distillation alike; they differ in where the examples come from.

use std::time::Instant;

use policy::optimizer::AdamW;
use policy::{Gradients, Packed, Policy, PolicyError, TokenGradients};

use super::error::{LearnerError, Result};
use super::example::{Batches, Example, Skipped, Trained, parts};
use super::formulas::preference::supervised;
use super::metrics::SftMetrics;

/// How examples are learned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SftSettings {
    /// Steps and micro-batches.
    pub batches: Batches,
    /// Weighs each token by how much the policy believes in it, as a constant (DFT, arXiv:2508.05629).
    pub by_confidence: bool,
}

/// What a pass over some examples gave.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Imitated {
    /// Mean negative log-probability of the completions' tokens, in nats; with `by_confidence` weighted.
    pub loss: f64,
    /// Completions' tokens.
    pub n_scored: usize,
    /// Tokens that went through the model.
    pub n_tokens: usize,
}

/// The mean negative log-probability of all completions' tokens together, and adds its gradient to `gradients`. Long
/// completions weigh as much as their tokens.
///
/// # Errors
/// When an example has no prompt or completion or does not fit the model, or a number is not finite.
pub fn accumulate(
    policy: &Policy,
    gradients: &mut Gradients,
    examples: &[&Example],
    micro_batch_tokens: usize,
    by_confidence: bool,
) -> Result<Imitated> {
    // Of the whole step, before the first micro-batch.
    let n_scored = examples.iter().map(|example| example.tokens.len().saturating_sub(example.first)).sum();
    let mut imitated = Imitated { n_scored, ..Imitated::default() };
    for part in parts(examples.iter().map(|example| example.tokens.len()), micro_batch_tokens) {
        let packed = packed(&examples[part])?;
        imitated.n_tokens += packed.n_tokens();
        policy.accumulate(&packed, 1.0, gradients, |scores| {
            let mask = vec![true; scores.logprobs.len()];
            let (loss, logprobs) = supervised(&scores.logprobs, &mask, n_scored, by_confidence)
                .map_err(|error| PolicyError::input(error.to_string()))?;
            imitated.loss += loss;
            Ok(TokenGradients { logprobs, entropies: Vec::new() })
        })?;
    }
    Ok(imitated)
}

/// The mean negative log-probability of all completions' tokens, in nats, without a gradient.
///
/// # Errors
/// As [`accumulate`].
pub fn evaluate(policy: &Policy, examples: &[&Example], micro_batch_tokens: usize) -> Result<Imitated> {
    let mut imitated = Imitated::default();
    for part in parts(examples.iter().map(|example| example.tokens.len()), micro_batch_tokens) {
        let packed = packed(&examples[part])?;
        let scores = policy.scores(&packed, 1.0)?;
        imitated.loss -= scores.logprobs.iter().map(|logprob| f64::from(*logprob)).sum::<f64>();
        imitated.n_scored += packed.n_scored();
        imitated.n_tokens += packed.n_tokens();
    }
    imitated.loss /= imitated.n_scored.max(1) as f64;
    Ok(imitated)
}

fn packed(examples: &[&Example]) -> Result<Packed> {
    let mut packed = Packed::default();
    for example in examples {
        packed.push(&example.tokens, example.first)?;
    }
    Ok(packed)
}

/// Takes supervised steps. `learning_rate` gives each step's size; `on_step` hears of each and says whether to go on.
///
/// Examples that the model cannot learn from are left out and counted.
///
/// # Errors
/// When no example is left, the model fails, a number is not finite, or `on_step` fails.
pub fn imitate(
    policy: &Policy,
    optimizer: &mut AdamW,
    gradients: &mut Gradients,
    examples: &[Example],
    settings: &SftSettings,
    learning_rate: impl Fn(u64) -> f64,
    mut on_step: impl FnMut(&SftMetrics) -> Result<bool>,
) -> Result<Trained> {
    let (usable, skipped) = usable(examples, policy.config.max_position_embeddings);
    if usable.is_empty() {
        return Err(LearnerError::other(format!("there is no example to learn from: {}", nothing(&skipped))));
    }
    let batches = &settings.batches;
    let mut trained = Trained { steps: 0, skipped };
    for step in 0..batches.steps {
        let clock = Instant::now();
        let chosen: Vec<&Example> =
            batches.drawn(step, usable.len()).into_iter().map(|i| usable[i]).collect();
        gradients.clear()?;
        let imitated =
            accumulate(policy, gradients, &chosen, batches.micro_batch_tokens, settings.by_confidence)?;
        let learning_rate = learning_rate(step);
        let grad_norm = optimizer.step(gradients, learning_rate)?;
        trained.steps = step + 1;
        let goes_on = on_step(&SftMetrics {
            step: step + 1,
            loss: imitated.loss,
            grad_norm,
            learning_rate,
            n_tokens: imitated.n_tokens as u64,
            seconds: clock.elapsed().as_secs_f64(),
        })?;
        if !goes_on {
            break;
        }
    }
    Ok(trained)
}

/// Why nothing is left, for an error.
pub(super) fn nothing(skipped: &Skipped) -> String {
    if skipped.total() == 0 { "none was given".to_owned() } else { skipped.to_string() }
}

fn usable(examples: &[Example], context: usize) -> (Vec<&Example>, Skipped) {
    let mut skipped = Skipped::default();
    let usable = examples.iter().filter(|example| match example.skip(context) {
        Some(skip) => {
            skipped.add(skip);
            false
        }
        None => true,
    });
    (usable.collect(), skipped)
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{bits, differences, optimizer, tiny};
    use super::*;

    fn settings(steps: u64) -> SftSettings {
        let batches = Batches { steps, batch_size: 16, micro_batch_tokens: 40, seed: 1 };
        SftSettings { batches, by_confidence: false }
    }

    /// Copy two tokens after a mark.
    fn copies() -> Vec<Example> {
        (0..16).map(|i| Example::new(&[1, 4 + i / 4, 4 + i % 4, 2], &[4 + i / 4, 4 + i % 4, 3])).collect()
    }

    #[test]
    fn copies_are_learned_and_runs_repeat() {
        let run = || {
            let policy = tiny(12, 5);
            let (mut optimizer, mut gradients) =
                (optimizer(policy.weights.trained()), policy.zero_gradients().expect("room"));
            let mut losses = Vec::new();
            let trained = imitate(
                &policy,
                &mut optimizer,
                &mut gradients,
                &copies(),
                &settings(150),
                |_| 1e-2,
                |step| {
                    losses.push(step.loss);
                    Ok(true)
                },
            );
            assert_eq!(trained.expect("they are sound").steps, 150);
            (policy, losses)
        };
        let (policy, losses) = run();
        assert!(losses[149] < 0.1 * losses[0], "{} to {}", losses[0], losses[149]);
        // The likeliest token is the right one wherever it has more than half.
        for example in copies() {
            let scores = policy.scores(&packed(&[&example]).expect("sound"), 1.0).expect("it fits");
            assert!(scores.logprobs.iter().all(|logprob| *logprob > 0.5_f32.ln()), "{:?}", scores.logprobs);
        }
        let (again, repeated) = run();
        assert_eq!(losses, repeated);
        assert_eq!(bits(&policy), bits(&again));
    }

    #[test]
    fn the_gradient_is_the_slope_and_micro_batches_do_not_matter() {
        let policy = tiny(12, 7);
        let all = copies();
        let examples: Vec<&Example> = all.iter().take(5).collect();
        let loss = || evaluate(&policy, &examples, 1000).expect("it fits").loss;
        for most in [1, 14, 1000] {
            let mut gradients = policy.zero_gradients().expect("room");
            let imitated = accumulate(&policy, &mut gradients, &examples, most, false).expect("it fits");
            assert!((imitated.loss - loss()).abs() < 1e-5);
            differences(&policy, &gradients, loss);
        }
    }

    #[test]
    fn confidence_weighs_as_a_constant() {
        let policy = tiny(12, 7);
        let all = copies();
        let examples: Vec<&Example> = all.iter().take(3).collect();
        let scores = policy.scores(&packed(&examples).expect("sound"), 1.0).expect("it fits");
        let expected: f64 = scores.logprobs.iter().map(|l| -f64::from(*l) * f64::from(*l).exp() / 9.0).sum();
        let mut gradients = policy.zero_gradients().expect("room");
        let imitated = accumulate(&policy, &mut gradients, &examples, 1000, true).expect("it fits");
        assert!((imitated.loss - expected).abs() < 1e-6);
    }

    #[test]
    fn what_does_not_fit_is_left_out_or_refused() {
        let policy = tiny(12, 5);
        let (mut optimizer, mut gradients) =
            (optimizer(policy.weights.trained()), policy.zero_gradients().expect("room"));
        let before = bits(&policy);
        let mut go = |examples: &[Example]| {
            imitate(&policy, &mut optimizer, &mut gradients, examples, &settings(1), |_| 1e-3, |_| Ok(true))
        };
        assert!(go(&[]).expect_err("nothing").to_string().contains("none was given"));
        let bad = [Example::new(&[1], &[]), Example::new(&[], &[1]), Example::new(&[1; 20], &[1; 20])];
        let error = go(&bad).expect_err("none is usable").to_string();
        assert!(error.contains("1 too long") && error.contains("1 no prompt"), "{error}");
        assert_eq!(before, bits(&policy), "nothing was learned");
        let some = [&bad[..], &copies()[..1]].concat();
        assert_eq!(go(&some).expect("one is usable").skipped.total(), 3);
        assert!(go(&[Example::new(&[1], &[99])]).is_err(), "not in the vocabulary");
    }
}
