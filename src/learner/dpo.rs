//! Learning from pairs in which one completion is preferred to another: DPO and its relatives.

use std::ops::Range;

use policy::optimizer::AdamW;
use policy::{Gradients, Packed, Policy, PolicyError, TokenGradients};

use super::error::{LearnerError, Result};
use super::example::{Batches, Skip, Skipped, Trained, parts, why_not};
use super::formulas::preference::{Pair, PairKind};
use super::sft::nothing;

/// A prompt and two completions of it, in tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preference {
    /// What was asked.
    pub prompt: Vec<u32>,
    /// The better completion, with its stop token.
    pub chosen: Vec<u32>,
    /// The worse one.
    pub rejected: Vec<u32>,
}

/// Sums of a policy's log-probabilities over the tokens of the two completions.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PairScores {
    /// Of the chosen one.
    pub chosen: f64,
    /// Of the rejected one.
    pub rejected: f64,
}

/// What a pass over some pairs gave, as means over the pairs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PairMetrics {
    /// The step, from 1.
    pub step: u64,
    /// The loss.
    pub loss: f64,
    /// Share of pairs whose chosen completion the policy prefers, in the loss's own measure.
    pub accuracy: f64,
    /// What stands in the sigmoid.
    pub margin: f64,
    /// Log-probability of a chosen completion; when it falls, the pair is won by making both unlikely.
    pub chosen_logprob: f64,
    /// Of a rejected one.
    pub rejected_logprob: f64,
    /// Norm of the gradient before clipping.
    pub grad_norm: f64,
    /// The step size.
    pub learning_rate: f64,
    /// Tokens that went through the model.
    pub n_tokens: usize,
}

impl Preference {
    /// Why a model with room for `context` tokens cannot learn from it.
    pub fn skip(&self, context: usize) -> Option<Skip> {
        let lengths = [self.chosen.len(), self.rejected.len()];
        why_not(self.prompt.len(), lengths, context)
            .or_else(|| (self.chosen == self.rejected).then_some(Skip::Equal))
    }

    /// Tokens that are computed; the prompt is, once for both.
    pub(super) fn n_tokens(&self) -> usize {
        self.prompt.len() + self.chosen.len() + self.rejected.len()
    }
}

/// The pairs that a model with room for `context` tokens can learn from.
///
/// # Errors
/// When there is none; the message says why.
pub(super) fn usable(pairs: &[Preference], context: usize) -> Result<(Vec<usize>, Skipped)> {
    let (mut usable, mut skipped) = (Vec::new(), Skipped::default());
    for (i, pair) in pairs.iter().enumerate() {
        match pair.skip(context) {
            Some(skip) => skipped.add(skip),
            None => usable.push(i),
        }
    }
    if usable.is_empty() {
        return Err(LearnerError::other(format!("there is no pair to learn from: {}", nothing(&skipped))));
    }
    Ok((usable, skipped))
}

fn packed(pairs: &[&Preference]) -> Result<Packed> {
    let mut packed = Packed::default();
    for pair in pairs {
        packed.push_group(&pair.prompt, [&pair.chosen[..], &pair.rejected])?;
    }
    Ok(packed)
}

/// The sum of log-probabilities of each completion, pair after pair, in the order of [`packed`].
fn sums(pairs: &[&Preference], logprobs: &[f32]) -> Vec<(PairScores, Range<usize>, Range<usize>)> {
    let sum = |tokens: Range<usize>| logprobs[tokens].iter().map(|logprob| f64::from(*logprob)).sum();
    let mut start = 0;
    let of_pair = |pair: &&Preference| {
        let middle = start + pair.chosen.len();
        let (chosen, rejected) = (start..middle, middle..middle + pair.rejected.len());
        start = rejected.end;
        (PairScores { chosen: sum(chosen.clone()), rejected: sum(rejected.clone()) }, chosen, rejected)
    };
    pairs.iter().map(of_pair).collect()
}

/// What a policy says of each pair.
///
/// # Errors
/// When a pair does not fit the model.
pub fn scores(policy: &Policy, pairs: &[&Preference], micro_batch_tokens: usize) -> Result<Vec<PairScores>> {
    let mut all = Vec::with_capacity(pairs.len());
    for part in parts(pairs.iter().map(|pair| pair.n_tokens()), micro_batch_tokens) {
        let scores = policy.scores(&packed(&pairs[part.clone()])?, 1.0)?;
        all.extend(sums(&pairs[part], &scores.logprobs).into_iter().map(|(scores, _, _)| scores));
    }
    Ok(all)
}

/// The mean loss of these pairs, and adds its gradient to `gradients`: every token of a completion has that of the
/// completion's sum. `references` has what the reference policy says of each, or is empty for a loss without one.
///
/// # Errors
/// When there is no pair, one does not fit the model, the loss needs a reference, or a number is not finite.
pub fn accumulate(
    policy: &Policy,
    gradients: &mut Gradients,
    pairs: &[&Preference],
    references: &[PairScores],
    kind: PairKind,
    micro_batch_tokens: usize,
) -> Result<PairMetrics> {
    if pairs.is_empty() {
        return Err(LearnerError::other("there is no pair to learn from: none was given"));
    }
    if references.len() != pairs.len() && (needs_reference(kind) || !references.is_empty()) {
        return Err(LearnerError::other(format!(
            "there are {} reference scores for {} pairs; this loss compares with a reference policy",
            references.len(),
            pairs.len()
        )));
    }
    let n = pairs.len() as f64;
    let mut metrics = PairMetrics::default();
    for part in parts(pairs.iter().map(|pair| pair.n_tokens()), micro_batch_tokens) {
        let pairs = &pairs[part.clone()];
        let packed = packed(pairs)?;
        metrics.n_tokens += packed.n_tokens();
        let references = references.get(part).unwrap_or_default();
        policy.accumulate(&packed, 1.0, gradients, |scores| {
            let logprobs = objective(pairs, &scores.logprobs, references, kind, n, &mut metrics)
                .map_err(|error| PolicyError::input(error.to_string()))?;
            Ok(TokenGradients { logprobs, entropies: Vec::new() })
        })?;
    }
    Ok(metrics)
}

/// The gradient by the log-probability of each token of these pairs, out of `n` of the whole step; adds to the metrics.
fn objective(
    pairs: &[&Preference],
    logprobs: &[f32],
    references: &[PairScores],
    kind: PairKind,
    n: f64,
    metrics: &mut PairMetrics,
) -> super::formulas::invalid::Result<Vec<f32>> {
    let mut gradient = vec![0.0; logprobs.len()];
    for (i, (now, chosen, rejected)) in sums(pairs, logprobs).into_iter().enumerate() {
        let reference = references.get(i).copied().unwrap_or_default();
        let loss = kind.loss(&Pair {
            chosen: now.chosen,
            rejected: now.rejected,
            reference_chosen: reference.chosen,
            reference_rejected: reference.rejected,
            n_chosen: chosen.len(),
            n_rejected: rejected.len(),
        })?;
        gradient[chosen].fill((loss.by_chosen / n) as f32);
        gradient[rejected].fill((loss.by_rejected / n) as f32);
        // The margin that SimPO asks for is no part of what the policy prefers.
        let target = if let PairKind::Simpo { gamma, .. } = kind { gamma } else { 0.0 };
        metrics.loss += loss.loss / n;
        metrics.margin += loss.margin / n;
        metrics.accuracy += if loss.margin + target > 0.0 { 1.0 / n } else { 0.0 };
        metrics.chosen_logprob += now.chosen / n;
        metrics.rejected_logprob += now.rejected / n;
    }
    Ok(gradient)
}

/// Whether a loss compares with a reference policy.
pub const fn needs_reference(kind: PairKind) -> bool {
    !matches!(kind, PairKind::Simpo { .. })
}

/// Takes steps on pairs. `reference` may be the policy itself, or its base under an adapter: all that it has to say is
/// asked before the first step. `learning_rate` gives each step's size; `on_step` hears of each and says whether to
/// go on.
///
/// Pairs that the model cannot learn from are left out and counted.
///
/// # Errors
/// When no pair is left, the loss needs a reference, the model fails, a number is not finite, or `on_step` fails.
#[expect(clippy::too_many_arguments, reason = "what is trained, what with, on what, how, and who is told")]
pub fn prefer(
    policy: &Policy,
    reference: Option<&Policy>,
    optimizer: &mut AdamW,
    gradients: &mut Gradients,
    pairs: &[Preference],
    kind: PairKind,
    batches: &Batches,
    learning_rate: impl Fn(u64) -> f64,
    mut on_step: impl FnMut(&PairMetrics) -> Result<bool>,
) -> Result<Trained> {
    let (usable, skipped) = usable(pairs, policy.config.max_position_embeddings)?;
    let pairs: Vec<&Preference> = usable.into_iter().map(|i| &pairs[i]).collect();
    let references = match reference {
        Some(reference) if needs_reference(kind) => scores(reference, &pairs, batches.micro_batch_tokens)?,
        _ => Vec::new(),
    };
    let mut trained = Trained { steps: 0, skipped };
    for step in 0..batches.steps {
        let drawn = batches.drawn(step, pairs.len());
        let chosen: Vec<&Preference> = drawn.iter().map(|i| pairs[*i]).collect();
        let compared: Vec<PairScores> = drawn.iter().filter_map(|i| references.get(*i).copied()).collect();
        gradients.clear()?;
        let mut metrics =
            accumulate(policy, gradients, &chosen, &compared, kind, batches.micro_batch_tokens)?;
        metrics.step = step + 1;
        metrics.learning_rate = learning_rate(step);
        metrics.grad_norm = optimizer.step(gradients, metrics.learning_rate)?;
        trained.steps = step + 1;
        if !on_step(&metrics)? {
            break;
        }
    }
    Ok(trained)
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{bits, differences, optimizer, tiny};
    use super::*;

    fn pairs() -> Vec<Preference> {
        (0..8)
            .map(|i| Preference {
                prompt: vec![1, 4 + i % 4, 2],
                chosen: vec![5, 6, 7 + i % 3, 3],
                rejected: vec![4 + i % 5, 3],
            })
            .collect()
    }

    const KINDS: [PairKind; 4] = [
        PairKind::Dpo { beta: 0.5 },
        PairKind::NormalisedDpo { beta: 5.0 },
        PairKind::Simpo { beta: 2.5, gamma: 1.0 },
        PairKind::DpoNll { beta: 0.5, alpha: 1.0 },
    ];

    fn batches(steps: u64) -> Batches {
        Batches { steps, batch_size: 8, micro_batch_tokens: 30, seed: 1 }
    }

    #[test]
    fn gradients_are_slopes_and_micro_batches_do_not_matter() {
        let (policy, reference) = (tiny(12, 7), tiny(12, 8));
        let all = pairs();
        let pairs: Vec<&Preference> = all.iter().take(3).collect();
        let references = scores(&reference, &pairs, 1000).expect("they fit");
        for kind in KINDS {
            // Through the scores alone, by another way than `accumulate`.
            let loss = || {
                let now = scores(&policy, &pairs, 1000).expect("they fit");
                let each = now.iter().zip(&references).zip(&pairs).map(|((now, reference), pair)| {
                    let pair = Pair {
                        chosen: now.chosen,
                        rejected: now.rejected,
                        reference_chosen: reference.chosen,
                        reference_rejected: reference.rejected,
                        n_chosen: pair.chosen.len(),
                        n_rejected: pair.rejected.len(),
                    };
                    kind.loss(&pair).expect("it is finite").loss
                });
                each.sum::<f64>() / 3.0
            };
            for most in [1, 20, 1000] {
                let mut gradients = policy.zero_gradients().expect("room");
                let metrics =
                    accumulate(&policy, &mut gradients, &pairs, &references, kind, most).expect("they fit");
                assert!((metrics.loss - loss()).abs() < 1e-5, "{kind:?}");
                differences(&policy, &gradients, loss);
            }
        }
    }

    /// Rows of the shared vectors: sums of -12.4 over 10 tokens and -15.1 over 14, references of -13.0 and -14.2.
    #[test]
    fn known_sums_give_known_losses() {
        let pair = Preference { prompt: vec![1], chosen: vec![2; 10], rejected: vec![3; 14] };
        let mut logprobs = vec![-1.0; 24];
        (logprobs[3], logprobs[20]) = (-3.4, -2.1);
        let references = [PairScores { chosen: -13.0, rejected: -14.2 }];
        let rows = [
            (PairKind::Dpo { beta: 0.1 }, 0.620_957_047_789_532_1, 0.150_000_000_000_000_02),
            (PairKind::NormalisedDpo { beta: 5.0 }, 0.429_947_288_284_433_74, 0.621_428_571_428_571_4),
            (PairKind::Simpo { beta: 2.5, gamma: 1.375 }, 1.934_616_796_117_424_8, -1.778_571_428_571_428_7),
            (PairKind::DpoNll { beta: 0.1, alpha: 1.0 }, 1.860_957_047_789_532, 0.150_000_000_000_000_02),
        ];
        for (kind, loss, margin) in rows {
            let value = |logprobs: &[f32]| {
                let mut metrics = PairMetrics::default();
                let gradient = objective(&[&pair], logprobs, &references, kind, 1.0, &mut metrics);
                (metrics, gradient.expect("finite"))
            };
            let (metrics, gradient) = value(&logprobs);
            assert!((metrics.loss - loss).abs() < 1e-6 && (metrics.margin - margin).abs() < 1e-6, "{kind:?}");
            for t in [0, 9, 10, 23] {
                let moved = |by: f32| {
                    let mut logprobs = logprobs.clone();
                    logprobs[t] += by;
                    value(&logprobs).0.loss
                };
                let slope = (moved(0.015_625) - moved(-0.015_625)) / 0.031_25;
                assert!(
                    (slope - f64::from(gradient[t])).abs() < 1e-3,
                    "{kind:?} {t}: {slope}, {}",
                    gradient[t]
                );
            }
        }
    }

    #[test]
    fn pairs_are_pulled_apart_and_runs_repeat() {
        for kind in KINDS {
            let run = || {
                let policy = tiny(12, 5);
                let (mut optimizer, mut gradients) =
                    (optimizer(policy.weights.trained()), policy.zero_gradients().expect("room"));
                let mut steps = Vec::new();
                let reference = needs_reference(kind).then(|| policy.clone());
                let trained = prefer(
                    &policy,
                    reference.as_ref(),
                    &mut optimizer,
                    &mut gradients,
                    &pairs(),
                    kind,
                    &batches(40),
                    |_| 3e-3,
                    |step| {
                        steps.push(*step);
                        Ok(true)
                    },
                );
                assert_eq!(trained.expect("they are sound").steps, 40);
                (policy, steps)
            };
            let (policy, steps) = run();
            let (first, last) = (steps[0], steps[39]);
            assert!(
                last.margin > first.margin + 0.5 && last.loss < first.loss,
                "{kind:?} {first:?} {last:?}"
            );
            assert_eq!(last.accuracy, 1.0, "{kind:?}");
            if needs_reference(kind) {
                assert!(first.margin.abs() < 1e-6, "the policy begins as its reference: {}", first.margin);
            }
            let (again, repeated) = run();
            assert_eq!(steps, repeated);
            assert_eq!(bits(&policy), bits(&again));
        }
    }

    #[test]
    fn what_makes_no_pair_is_left_out_or_refused() {
        let policy = tiny(12, 5);
        let (mut optimizer, mut gradients) =
            (optimizer(policy.weights.trained()), policy.zero_gradients().expect("room"));
        let mut go = |pairs: &[Preference], reference: Option<&Policy>| {
            let kind = PairKind::Dpo { beta: 0.1 };
            prefer(
                &policy,
                reference,
                &mut optimizer,
                &mut gradients,
                pairs,
                kind,
                &batches(1),
                |_| 0.0,
                |_| Ok(true),
            )
        };
        let pair = |prompt: &[u32], chosen: &[u32], rejected: &[u32]| Preference {
            prompt: prompt.to_vec(),
            chosen: chosen.to_vec(),
            rejected: rejected.to_vec(),
        };
        let bad = [
            pair(&[1], &[2], &[2]),
            pair(&[1], &[], &[2]),
            pair(&[], &[1], &[2]),
            pair(&[1; 16], &[2; 20], &[3]),
        ];
        assert!(go(&[], Some(&policy)).expect_err("none").to_string().contains("none was given"));
        let error = go(&bad, Some(&policy)).expect_err("none is usable").to_string();
        for part in ["1 chosen and rejected are equal", "1 no completion", "1 no prompt", "1 too long"] {
            assert!(error.contains(part), "{error}");
        }
        let some = [&bad[..], &pairs()].concat();
        assert_eq!(go(&some, Some(&policy)).expect("some are usable").skipped.total(), 4);
        assert!(go(&pairs(), None).expect_err("no reference").to_string().contains("reference"));
    }

    #[test]
    fn the_base_of_an_adapter_is_a_reference() {
        let mut policy = tiny(12, 5);
        let lora = policy::LoraConfig { rank: 2, ..policy::LoraConfig::default() };
        policy::lora::add(&mut policy, &lora, 1).expect("it has such modules");
        let base = policy.without_adapter();
        let before = bits(&base);
        let (mut optimizer, mut gradients) =
            (optimizer(policy.weights.trained()), policy.zero_gradients().expect("room"));
        let mut last = PairMetrics::default();
        prefer(
            &policy,
            Some(&base),
            &mut optimizer,
            &mut gradients,
            &pairs(),
            PairKind::Dpo { beta: 0.5 },
            &batches(30),
            |_| 1e-2,
            |step| {
                last = *step;
                Ok(true)
            },
        )
        .expect("they are sound");
        assert!(last.margin > 0.5, "{last:?}");
        assert_eq!(before, bits(&base), "the base is frozen");
    }
}
