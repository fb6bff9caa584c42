//! A reward model: one number for a prompt and its completion, learned from pairs (Bradley-Terry; Ouyang et al. 2022,
//! equation 1). Only differences between rewards of one prompt mean anything.

use policy::optimizer::AdamW;
use policy::{Packed, PolicyError, Segment};

use super::dpo::{Preference, usable};
use super::error::{LearnerError, Result};
use super::example::{Batches, Trained, parts};
use super::formulas::preference::bradley_terry;
use super::scalar_head::{Scorer, ScorerGradients};

/// What a pass over some pairs gave, as means over the pairs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RewardMetrics {
    /// The step, from 1.
    pub step: u64,
    /// The loss.
    pub loss: f64,
    /// Share of pairs whose chosen completion has the higher reward.
    pub accuracy: f64,
    /// Reward of the chosen one minus that of the rejected one.
    pub margin: f64,
    /// Norm of the gradient before clipping.
    pub grad_norm: f64,
    /// The step size.
    pub learning_rate: f64,
    /// Tokens that went through the model.
    pub n_tokens: usize,
}

/// Lays out whole completions after their prompt, of which the last token is asked for: what stands there has seen
/// all of it.
fn packed<'a>(prompts: impl IntoIterator<Item = (&'a [u32], Vec<&'a [u32]>)>) -> Result<Packed> {
    let mut packed = Packed::default();
    for (prompt, completions) in prompts {
        if prompt.is_empty() || completions.iter().any(|completion| completion.is_empty()) {
            return Err(LearnerError::other("a prompt or a completion has no token; it cannot be rewarded"));
        }
        let parent = packed.segments.len();
        let mut add = |tokens: &[u32], parent| {
            let start = packed.tokens.len();
            packed.tokens.extend_from_slice(tokens);
            packed.segments.push(Segment { start, end: packed.tokens.len(), parent });
        };
        add(prompt, None);
        for completion in completions {
            add(completion, Some(parent));
        }
        for segment in &packed.segments[parent + 1..] {
            packed.rows.push((segment.end - 1) as u32);
            // Nothing is predicted; the row alone counts.
            packed.targets.push(0);
        }
    }
    Ok(packed)
}

fn of_pairs(pairs: &[&Preference]) -> Result<Packed> {
    packed(pairs.iter().map(|pair| (&pair.prompt[..], vec![&pair.chosen[..], &pair.rejected])))
}

/// The reward of each completion of a prompt.
///
/// # Errors
/// When the prompt or a completion has no token or does not fit the model.
pub fn rewards(model: &Scorer, prompt: &[u32], completions: &[&[u32]]) -> Result<Vec<f64>> {
    let values = model.values(&packed([(prompt, completions.to_vec())])?)?;
    Ok(values.into_iter().map(f64::from).collect())
}

/// The share of pairs whose chosen completion has the higher reward.
///
/// # Errors
/// When there is no pair, or one does not fit the model.
pub fn accuracy(model: &Scorer, pairs: &[&Preference], micro_batch_tokens: usize) -> Result<f64> {
    if pairs.is_empty() {
        return Err(LearnerError::other("there is no pair to measure the reward model on"));
    }
    let mut n_right = 0;
    for part in parts(pairs.iter().map(|pair| pair.n_tokens()), micro_batch_tokens) {
        let values = model.values(&of_pairs(&pairs[part])?)?;
        n_right += values.chunks_exact(2).filter(|pair| pair[0] > pair[1]).count();
    }
    Ok(n_right as f64 / pairs.len() as f64)
}

/// The mean loss of these pairs, and adds its gradient to `gradients`.
///
/// # Errors
/// When there is no pair, one does not fit the model, or a number is not finite.
pub fn accumulate(
    model: &Scorer,
    gradients: &mut ScorerGradients,
    pairs: &[&Preference],
    micro_batch_tokens: usize,
) -> Result<RewardMetrics> {
    if pairs.is_empty() {
        return Err(LearnerError::other("there is no pair to learn from: none was given"));
    }
    let n = pairs.len() as f64;
    let mut metrics = RewardMetrics::default();
    for part in parts(pairs.iter().map(|pair| pair.n_tokens()), micro_batch_tokens) {
        let packed = of_pairs(&pairs[part])?;
        metrics.n_tokens += packed.n_tokens();
        model.accumulate(&packed, gradients, |values| {
            let mut by_value = Vec::with_capacity(values.len());
            for pair in values.chunks_exact(2) {
                let loss = bradley_terry(f64::from(pair[0]), f64::from(pair[1]))
                    .map_err(|error| PolicyError::input(error.to_string()))?;
                by_value.extend([(loss.by_chosen / n) as f32, (loss.by_rejected / n) as f32]);
                metrics.loss += loss.loss / n;
                metrics.margin += loss.margin / n;
                metrics.accuracy += if loss.margin > 0.0 { 1.0 / n } else { 0.0 };
            }
            Ok(by_value)
        })?;
    }
    Ok(metrics)
}

/// Takes steps on pairs; `optimizer` is of [`Scorer::trained`]. `learning_rate` gives each step's size; `on_step` hears
/// of each and says whether to go on.
///
/// Pairs that the model cannot learn from are left out and counted.
///
/// # Errors
/// When no pair is left, the model fails, a number is not finite, or `on_step` fails.
pub fn train(
    model: &Scorer,
    optimizer: &mut AdamW,
    gradients: &mut ScorerGradients,
    pairs: &[Preference],
    batches: &Batches,
    learning_rate: impl Fn(u64) -> f64,
    mut on_step: impl FnMut(&RewardMetrics) -> Result<bool>,
) -> Result<Trained> {
    let (usable, skipped) = usable(pairs, model.body.config.max_position_embeddings)?;
    let mut trained = Trained { steps: 0, skipped };
    for step in 0..batches.steps {
        let drawn = batches.drawn(step, usable.len());
        let chosen: Vec<&Preference> = drawn.into_iter().map(|i| &pairs[usable[i]]).collect();
        gradients.clear()?;
        let mut metrics = accumulate(model, gradients, &chosen, batches.micro_batch_tokens)?;
        metrics.step = step + 1;
        metrics.learning_rate = learning_rate(step);
        metrics.grad_norm = optimizer.step(&model.all_gradients(gradients)?, metrics.learning_rate)?;
        trained.steps = step + 1;
        if !on_step(&metrics)? {
            break;
        }
    }
    Ok(trained)
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{bits, differences, optimizer, scorer, tiny};
    use super::*;

    /// The shorter one is preferred; tokens say nothing.
    fn pairs(n: u32, seed: u32) -> Vec<Preference> {
        let token = |i: u32| 4 + (i.wrapping_mul(2_654_435_761).wrapping_add(seed) >> 7) % 8;
        let tokens = |from: u32, n: u32| (from..from + n).map(token).collect::<Vec<_>>();
        (0..n)
            .map(|i| Preference {
                prompt: tokens(100 * i, 3),
                chosen: tokens(100 * i + 10, 2 + i % 3),
                rejected: tokens(100 * i + 30, 6 + i % 5),
            })
            .collect()
    }

    const BATCHES: Batches = Batches { steps: 120, batch_size: 16, micro_batch_tokens: 100, seed: 1 };

    #[test]
    fn the_gradient_is_the_slope_and_micro_batches_do_not_matter() {
        let model = scorer(12, 3, false);
        let all = pairs(3, 5);
        let pairs: Vec<&Preference> = all.iter().collect();
        let loss = || {
            let each = pairs.iter().map(|pair| {
                // Through one sequence at a time, without a shared prompt.
                let reward = |tokens: &[u32]| {
                    let mut alone = Packed::default();
                    let whole = [&pair.prompt[..], tokens, &[0]].concat();
                    alone.push(&whole, whole.len() - 1).expect("it has tokens");
                    f64::from(model.values(&alone).expect("it fits")[0])
                };
                bradley_terry(reward(&pair.chosen), reward(&pair.rejected)).expect("finite").loss
            });
            each.sum::<f64>() / 3.0
        };
        for most in [1, 20, 1000] {
            let mut gradients = model.zero_gradients().expect("room");
            let metrics = accumulate(&model, &mut gradients, &pairs, most).expect("they fit");
            assert!((metrics.loss - loss()).abs() < 1e-5);
            differences(&model.body, &gradients.body, loss);
        }
    }

    #[test]
    fn a_preference_for_short_answers_is_learned_and_runs_repeat() {
        let run = || {
            let model = Scorer::new(tiny(12, 5), false).expect("room");
            let (mut optimizer, mut gradients) =
                (optimizer(model.trained()), model.zero_gradients().expect("room"));
            let mut losses = Vec::new();
            let on_step = |step: &RewardMetrics| {
                losses.push(step.loss);
                Ok(true)
            };
            let trained =
                train(&model, &mut optimizer, &mut gradients, &pairs(256, 1), &BATCHES, |_| 1e-2, on_step);
            assert_eq!(trained.expect("they are sound").steps, BATCHES.steps);
            (model, losses)
        };
        let (model, losses) = run();
        assert!((losses[0] - 2.0_f64.ln()).abs() < 1e-9, "a head of zeros prefers nothing: {}", losses[0]);
        let unseen = pairs(50, 999);
        let unseen: Vec<&Preference> = unseen.iter().collect();
        let found = accuracy(&model, &unseen, 100).expect("they fit");
        assert!(found > 0.9, "{found}");
        let short_and_long: [&[u32]; 2] = [&[5, 6], &[5, 6, 5, 6, 5, 6, 5, 6]];
        let rewards = rewards(&model, &[4, 7, 9], &short_and_long).expect("they fit");
        assert!(rewards[0] > rewards[1], "{rewards:?}");
        let (again, repeated) = run();
        assert_eq!(losses, repeated);
        assert_eq!(bits(&model.body), bits(&again.body));
    }

    #[test]
    fn what_makes_no_pair_is_refused() {
        let model = scorer(12, 3, false);
        let (mut optimizer, mut gradients) =
            (optimizer(model.trained()), model.zero_gradients().expect("room"));
        let same = Preference { prompt: vec![1], chosen: vec![2], rejected: vec![2] };
        let mut go = |pairs: &[Preference]| {
            train(&model, &mut optimizer, &mut gradients, pairs, &BATCHES, |_| 0.0, |_| Ok(true))
        };
        assert!(go(&[]).expect_err("none").to_string().contains("none was given"));
        assert!(go(&[same]).expect_err("equal").to_string().contains("equal"));
        assert!(accuracy(&model, &[], 100).is_err());
        assert!(rewards(&model, &[], &[&[1]]).is_err());
        assert!(rewards(&model, &[1], &[&[]]).is_err());
        assert!(rewards(&model, &[1; 20], &[&[1; 20]]).is_err(), "too long");
    }
}
