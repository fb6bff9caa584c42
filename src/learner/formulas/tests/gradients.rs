//! Every gradient against finite differences.

use proptest::prelude::*;

use super::{Arrays, bare, evaluate, every_loss, fixed};
use crate::learner::formulas::aggregation::Aggregation;
use crate::learner::formulas::batch::Denominators;
use crate::learner::formulas::critic::value_loss;
use crate::learner::formulas::entropy::Entropy;
use crate::learner::formulas::kl::{Kl, KlForm};
use crate::learner::formulas::loss::Loss;
use crate::learner::formulas::mismatch::{Mismatch, Mode};
use crate::learner::formulas::objective::Objective;
use crate::learner::formulas::preference::{Pair, PairKind};

/// A batch of a few groups. Log-ratios are multiples of 0.07 off every bound that the tests use, so that no step of a
/// finite difference crosses an edge of a token's loss.
pub(super) fn batches() -> impl Strategy<Value = Arrays> {
    let token = (prop::bool::weighted(0.85), -8..=8_i32, 0.1..2.5_f32, -6..=6_i32, 0.0..1.5_f32);
    let sequence = (prop::collection::vec(token, 1..7), prop_oneof![-1.5..-0.1_f32, 0.1..1.5_f32]);
    prop::collection::vec(prop::collection::vec(sequence, 1..4), 1..4).prop_map(|groups| {
        let mut arrays = Arrays::default();
        for (g, sequences) in groups.iter().enumerate() {
            for (tokens, advantage) in sequences {
                let tokens: Vec<_> = tokens
                    .iter()
                    .map(|(mask, step, old, engine, entropy)| {
                        let now = -old + 0.07 * (*step as f32) + 0.013;
                        let (engine, reference) =
                            (-old + 0.05 * (*engine as f32), -old + 0.021 - 0.03 * (*engine as f32));
                        (*mask, [*advantage, now, -old, engine, reference, *entropy])
                    })
                    .collect();
                arrays.push(g, &tokens);
            }
        }
        arrays
    })
}

/// The loss with one log-probability moved by `step`, and by how much it really moved.
fn moved(objective: &Objective, arrays: &Arrays, token: usize, step: f32) -> (f64, f64) {
    let mut arrays = arrays.clone();
    let before = arrays.logprobs[token];
    arrays.logprobs[token] += step;
    (evaluate(objective, &arrays).loss, f64::from(arrays.logprobs[token]) - f64::from(before))
}

const STEP: f32 = 1e-3;

/// Compares the gradient of an objective whose parts that are held constant do not move.
fn check(objective: &Objective, arrays: &Arrays) -> Result<(), TestCaseError> {
    let evaluation = evaluate(objective, arrays);
    for token in 0..arrays.mask.len() {
        let gradient = f64::from(evaluation.by_logprob[token]);
        if !arrays.mask[token] {
            prop_assert_eq!(gradient, 0.0);
            continue;
        }
        let (above, up) = moved(objective, arrays, token, STEP);
        let (below, down) = moved(objective, arrays, token, -STEP);
        let slope = (above - below) / (up - down);
        prop_assert!(
            (slope - gradient).abs() < 2e-5 * (1.0 + gradient.abs()),
            "{:?}, token {token}: {gradient}, by differences {slope}",
            objective
        );
    }
    Ok(())
}

/// Whether a loss weighs log-probabilities by something that it holds constant.
fn holds_a_weight(loss: &Loss) -> bool {
    matches!(
        loss,
        Loss::Cispo { .. }
            | Loss::Vespo { .. }
            | Loss::Reinforce {}
            | Loss::DppoTv { .. }
            | Loss::DppoKl { .. }
            | Loss::Gspo { by_token: true, .. }
    )
}

/// Whether a move of a log-probability may change which tokens a loss picks, or put a sequence beyond its bound.
fn picks(loss: &Loss) -> bool {
    matches!(
        loss,
        Loss::ClipCov { .. }
            | Loss::KlCov { .. }
            | Loss::Gspo { .. }
            | Loss::Luspo { .. }
            | Loss::PrimeRl { .. }
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn smooth_losses_have_the_gradient_of_their_value(arrays in batches()) {
        for loss in every_loss().into_iter().filter(|loss| !holds_a_weight(loss) && !picks(loss)) {
            for aggregation in [Aggregation::TokenMean, Aggregation::PromptMean] {
                check(&bare(loss.clone(), aggregation), &arrays)?;
            }
        }
    }

    #[test]
    fn losses_that_pick_have_the_gradient_of_their_value_where_the_choice_stays(arrays in batches()) {
        let choice = |objective: &Objective, arrays: &Arrays| {
            let terms = objective.loss.terms(&arrays.batch(), &arrays.old);
            let metrics = evaluate(objective, arrays).metrics;
            let zeros: Vec<bool> = terms.slopes.iter().map(|slope| *slope == 0.0).collect();
            // KL-Cov's choice shows in what is beyond the plain loss.
            let extra: Vec<bool> = (0..arrays.mask.len()).map(|t| {
                let d = f64::from(arrays.logprobs[t]) - f64::from(arrays.old[t]);
                (terms.losses[t] + f64::from(arrays.advantages[t]) * d.exp()).abs() > 1e-9
            }).collect();
            (zeros, extra, metrics.get("ratio/clip_low_frac"), metrics.get("ratio/clip_high_frac"))
        };
        for loss in every_loss().into_iter().filter(|loss| picks(loss) && !holds_a_weight(loss)) {
            let objective = bare(loss, Aggregation::SeqMeanTokenMean);
            let here = choice(&objective, &arrays);
            let stays = |token: usize, step: f32| {
                let mut moved = arrays.clone();
                moved.logprobs[token] += step;
                choice(&objective, &moved) == here
            };
            let counted: Vec<usize> = arrays.batch().all_counted().collect();
            if counted.iter().all(|t| stays(*t, 2.0 * STEP) && stays(*t, -2.0 * STEP)) {
                check(&objective, &arrays)?;
            }
        }
    }

    #[test]
    fn losses_with_a_constant_weight_are_linear_in_the_logprob(arrays in batches()) {
        for loss in every_loss().into_iter().filter(holds_a_weight) {
            let terms = loss.terms(&arrays.batch(), &arrays.old);
            for t in arrays.batch().all_counted() {
                // GSPO-token's value is the sequence's; its gradient is the value, once for each token.
                let by_value = matches!(loss, Loss::Gspo { .. });
                let factor = if by_value { 1.0 } else { f64::from(arrays.logprobs[t]) };
                if terms.slopes[t] != 0.0 {
                    prop_assert!((terms.slopes[t] * factor - terms.losses[t]).abs() < 1e-12, "{loss:?}");
                }
            }
        }
    }

    #[test]
    fn penalties_and_corrections_have_the_gradient_of_their_value(arrays in batches()) {
        for form in [KlForm::K1, KlForm::K2, KlForm::K3, KlForm::K3Unbiased] {
            for mode in [Mode::None, Mode::TokenTruncate, Mode::SequenceMask] {
                let objective = Objective {
                    kl: Kl { coefficient: 0.3, form, ..Kl::default() },
                    mismatch: Mismatch { mode, ..Mismatch::default() },
                    ..bare(Loss::default(), Aggregation::SeqMeanTokenSum)
                };
                check(&objective, &arrays)?;
                let kimi = Objective { loss: Loss::Kimi { tau: 0.2 }, ..objective };
                check(&kimi, &arrays)?;
            }
        }
    }

    #[test]
    fn the_bonus_has_the_gradient_of_its_value(arrays in batches()) {
        let entropy = Entropy { coefficient: 0.1, ..Entropy::default() };
        let objective = Objective { entropy, ..bare(Loss::default(), Aggregation::PromptMean) };
        let evaluation = evaluate(&objective, &arrays);
        prop_assert_eq!(evaluation.by_entropy.len(), arrays.mask.len());
        for t in 0..arrays.mask.len() {
            let mut above = arrays.clone();
            above.entropies[t] += 0.5;
            let step = f64::from(above.entropies[t]) - f64::from(arrays.entropies[t]);
            let slope = (evaluate(&objective, &above).loss - evaluation.loss) / step;
            prop_assert!((slope - f64::from(evaluation.by_entropy[t])).abs() < 1e-7);
        }
    }

    #[test]
    fn value_losses_have_the_gradient_of_their_value(
        rows in prop::collection::vec((any::<bool>(), -4..=4_i32, -1.0..1.0_f32, -2.0..2.0_f32), 1..12),
        clip in prop::option::of(Just(0.25)),
    ) {
        let mask: Vec<bool> = rows.iter().map(|row| row.0).collect();
        let old: Vec<f32> = rows.iter().map(|row| row.2).collect();
        let returns: Vec<f32> = rows.iter().map(|row| row.3).collect();
        let values: Vec<f32> = rows.iter().map(|row| row.2 + 0.1 * row.1 as f32 + 0.03).collect();
        let denominators =
            Denominators { n_tokens: mask.iter().filter(|m| **m).count(), ..Denominators::default() };
        let at = |values: &[f32]| value_loss(values, &old, &returns, &mask, clip, &denominators).unwrap();
        let (_, gradient) = at(&values);
        for t in 0..mask.len() {
            let (mut above, mut below) = (values.clone(), values.clone());
            above[t] += STEP;
            below[t] -= STEP;
            let step = f64::from(above[t]) - f64::from(below[t]);
            let slope = (at(&above).0 - at(&below).0) / step;
            // Where the two squares cross there is an edge; the slope there is between both sides'.
            let crosses = {
                let error = f64::from(values[t]) - f64::from(returns[t]);
                let held = (f64::from(values[t]).clamp(f64::from(old[t]) - 0.25, f64::from(old[t]) + 0.25)
                    - f64::from(returns[t])).abs();
                (error.abs() - held).abs() < 0.01 && error.abs() != held
            };
            prop_assert!(crosses || (slope - f64::from(gradient[t])).abs() < 1e-4, "{slope} {}", gradient[t]);
        }
    }

    #[test]
    fn preference_losses_have_the_gradient_of_their_value(
        sums in prop::array::uniform4(-30.0..-1.0_f64),
        n_chosen in 1..40_usize,
        n_rejected in 1..40_usize,
    ) {
        let pair = Pair {
            chosen: sums[0], rejected: sums[1], reference_chosen: sums[2], reference_rejected: sums[3],
            n_chosen, n_rejected,
        };
        for kind in [
            PairKind::Dpo { beta: 0.1 },
            PairKind::NormalisedDpo { beta: 5.0 },
            PairKind::Simpo { beta: 2.5, gamma: 1.0 },
            PairKind::DpoNll { beta: 0.1, alpha: 0.7 },
        ] {
            let loss = kind.loss(&pair).unwrap();
            let h = 1e-5;
            let at = |chosen: f64, rejected: f64| {
                kind.loss(&Pair { chosen: pair.chosen + chosen, rejected: pair.rejected + rejected, ..pair })
                    .unwrap()
                    .loss
            };
            let by_chosen = (at(h, 0.0) - at(-h, 0.0)) / (2.0 * h);
            let by_rejected = (at(0.0, h) - at(0.0, -h)) / (2.0 * h);
            prop_assert!((by_chosen - loss.by_chosen).abs() < 1e-6, "{kind:?}: {by_chosen} {}", loss.by_chosen);
            prop_assert!((by_rejected - loss.by_rejected).abs() < 1e-6, "{kind:?}");
        }
    }
}

#[test]
fn nothing_given_is_nothing_lost() {
    let arrays = Arrays::default();
    for loss in every_loss() {
        let objective = bare(loss, Aggregation::TokenMean);
        let evaluation =
            objective.evaluate(&arrays.batch(), &arrays.denominators(), &fixed(&objective)).unwrap();
        assert_eq!(evaluation.loss, 0.0);
    }
}
