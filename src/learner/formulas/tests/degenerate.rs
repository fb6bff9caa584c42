//! Batches at the edge: nothing to learn from, extreme numbers, and numbers that are none.

use graders::advantage::GroupRewards;
use serde_json::json;

use super::{Arrays, bare, evaluate, every_loss, fixed};
use crate::learner::formulas::advantage::{Advantage, Rewarded};
use crate::learner::formulas::aggregation::Aggregation;
use crate::learner::formulas::batch::{Batch, Denominators, Sequence, broadcast};
use crate::learner::formulas::filter::mask_out;
use crate::learner::formulas::invalid::Invalid;
use crate::learner::formulas::kl::{Kl, KlForm};
use crate::learner::formulas::loss::Loss;
use crate::learner::formulas::mismatch::{Estimate, Level, Mismatch, Mode, Rejection};
use crate::learner::formulas::objective::{Evaluation, Objective};
use crate::learner::formulas::preset::PRESETS;

fn two_sequences() -> Arrays {
    let mut arrays = Arrays::default();
    arrays.push(0, &[(true, [1.0, -1.0, -1.1, -1.2, -0.9, 0.4]), (true, [1.0, -0.5, -0.6, -0.4, -0.7, 0.2])]);
    arrays.push(0, &[(true, [-1.0, -2.0, -1.9, -2.1, -2.2, 0.9])]);
    arrays
}

fn is_finite(evaluation: &Evaluation) -> bool {
    evaluation.loss.is_finite()
        && evaluation.by_logprob.iter().all(|g| g.is_finite())
        && evaluation.metrics.iter().all(|(_, value)| value.is_finite())
}

#[test]
fn advantages_without_a_signal_are_exactly_zero() {
    let sequences: Vec<_> = (0..4).map(|i| Sequence { start: 2 * i, end: 2 * i + 2, group: i / 2 }).collect();
    let mask = vec![true; 8];
    let group = |rewards: &[Option<f64>]| GroupRewards {
        rewards: rewards.to_vec(),
        n_tokens: vec![Some(2); rewards.len()],
        components: vec![(1.0, rewards.to_vec())],
    };
    let equal = [group(&[Some(0.1), Some(0.1)]), group(&[Some(0.1), Some(0.1)])];
    let null = [group(&[None, None]), group(&[None, None])];
    let alone = [group(&[Some(1.0)]), group(&[Some(0.0)]), group(&[Some(0.5)]), group(&[None])];
    for name in ["grpo", "dr_grpo", "rloo", "opo", "gpg", "passk", "max_rl", "kimi", "gdpo"] {
        let advantage: Advantage = serde_json::from_value(json!(name)).unwrap();
        for groups in [&equal[..], &null, &alone] {
            let step = Rewarded { sequences: &sequences, mask: &mask, groups, ..Rewarded::default() };
            let tokens = advantage.of_tokens(&step).unwrap();
            assert_eq!(tokens, vec![0.0; 8], "{name}");
        }
    }
    for name in ["reinforce_plus_plus", "reinforce_plus_plus_baseline", "gdpo_tokens"] {
        let advantage: Advantage = serde_json::from_value(json!(name)).unwrap();
        for groups in [&equal[..], &null] {
            let step = Rewarded { sequences: &sequences, mask: &mask, groups, ..Rewarded::default() };
            assert_eq!(advantage.of_tokens(&step).unwrap(), vec![0.0; 8], "{name}");
        }
    }
}

#[test]
fn a_completion_without_a_reward_does_not_shift_the_others() {
    let sequences: Vec<_> = (0..3).map(|i| Sequence { start: i, end: i + 1, group: 0 }).collect();
    let rewards =
        |third| GroupRewards { rewards: vec![Some(1.0), Some(0.0), third], ..GroupRewards::default() };
    for name in ["reinforce_plus_plus", "reinforce_plus_plus_baseline"] {
        let advantage: Advantage = serde_json::from_value(json!(name)).unwrap();
        let of = |groups: &[GroupRewards], n: usize| {
            let step =
                Rewarded { sequences: &sequences[..n], mask: &[true; 3][..n], groups, ..Rewarded::default() };
            advantage.of_tokens(&step).unwrap()
        };
        let with_null = of(&[rewards(None)], 3);
        let without = GroupRewards { rewards: vec![Some(1.0), Some(0.0)], ..GroupRewards::default() };
        assert_eq!(with_null[..2], of(&[without], 2)[..]);
        assert_eq!(with_null[2], 0.0);
    }
}

#[test]
fn masked_sequences_count_nowhere() {
    let mut arrays = two_sequences();
    arrays.push(1, &[(true, [5.0, -1.0, -3.0, -1.0, -1.0, 0.4])]);
    let plain = two_sequences();
    let mut mask = arrays.mask.clone();
    mask_out(&mut mask, &arrays.sequences, &[false, false, true]).unwrap();
    arrays.mask = mask;
    assert_eq!(arrays.denominators(), plain.denominators());
    for loss in every_loss() {
        for aggregation in [Aggregation::SeqMeanTokenMean, Aggregation::PromptMean] {
            let objective = bare(loss.clone(), aggregation);
            let (masked, plain) = (evaluate(&objective, &arrays), evaluate(&objective, &plain));
            assert_eq!(masked.loss, plain.loss);
            assert_eq!(masked.by_logprob[..3], plain.by_logprob[..]);
            assert_eq!(masked.by_logprob[3], 0.0);
        }
    }
    arrays.mask.fill(false);
    for loss in every_loss() {
        let evaluation = evaluate(&bare(loss, Aggregation::SeqMeanTokenMean), &arrays);
        assert_eq!((evaluation.loss, evaluation.by_logprob), (0.0, vec![0.0; 4]));
    }
}

#[test]
fn huge_ratios_stay_finite() {
    for (now, old) in [(-1e4, 0.0), (0.0, -1e4), (-1e4, -1e4), (0.0, 0.0)] {
        for advantage in [-3.0, 0.0, 3.0] {
            let mut arrays = Arrays::default();
            arrays.push(0, &[(true, [advantage, now, old, old, old, 0.0]); 3]);
            arrays.push(1, &[(true, [-advantage, -1.0, -1.0, now, old, 0.0])]);
            for loss in every_loss() {
                for form in [KlForm::K1, KlForm::Abs, KlForm::K2, KlForm::K3, KlForm::K3Unbiased] {
                    for mode in [Mode::None, Mode::TokenTruncate, Mode::SequenceMask] {
                        let reject = vec![Rejection {
                            level: Level::SeqSum,
                            estimate: Estimate::K1,
                            lower: None,
                            upper: 2.0,
                        }];
                        let objective = Objective {
                            kl: Kl { coefficient: 0.1, form, ..Kl::default() },
                            mismatch: Mismatch { mode, reject, ..Mismatch::default() },
                            ..bare(loss.clone(), Aggregation::TokenMean)
                        };
                        let evaluation = evaluate(&objective, &arrays);
                        assert!(is_finite(&evaluation), "{objective:?} {now} {old}: {evaluation:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_number_that_is_none_is_named() {
    let objective = bare(Loss::default(), Aggregation::TokenMean);
    let arrays = two_sequences();
    let denominators = arrays.denominators();
    let refused = |spoil: &dyn Fn(&mut Arrays)| {
        let mut spoiled = arrays.clone();
        spoil(&mut spoiled);
        objective.evaluate(&spoiled.batch(), &denominators, &fixed(&objective)).unwrap_err().to_string()
    };
    assert_eq!(refused(&|a| a.logprobs[1] = f32::NAN), "logprobs[1]: NaN is not a finite number");
    assert_eq!(refused(&|a| a.old[2] = f32::NEG_INFINITY), "old[2]: -inf is not a finite number");
    assert!(refused(&|a| a.advantages[0] = f32::INFINITY).starts_with("advantages[0]"));
    assert!(refused(&|a| a.rollout[0] = f32::NAN).starts_with("rollout[0]"));
    assert!(refused(&|a| a.reference[0] = f32::NAN).starts_with("reference[0]"));
    assert!(refused(&|a| a.entropies[0] = f32::NAN).starts_with("entropies[0]"));
    // Where the mask is false, anything may stand.
    let mut masked = arrays.clone();
    (masked.mask[1], masked.logprobs[1]) = (false, f32::NAN);
    assert!(is_finite(&evaluate(&objective, &masked)));
    let group = GroupRewards { rewards: vec![Some(f64::NAN), Some(1.0)], ..GroupRewards::default() };
    let sequences = &arrays.sequences[..];
    let step = Rewarded { sequences, mask: &arrays.mask, groups: &[group], ..Rewarded::default() };
    let error = Advantage::default().of_tokens(&step).unwrap_err();
    assert!(matches!(error, Invalid::NotFinite { index: 0, .. }), "{error}");
}

#[test]
fn arrays_that_do_not_fit_are_refused() {
    let arrays = two_sequences();
    let objective = bare(Loss::default(), Aggregation::TokenMean);
    let refused = |batch: Batch| {
        objective.evaluate(&batch, &arrays.denominators(), &fixed(&objective)).unwrap_err().to_string()
    };
    let batch = arrays.batch();
    assert_eq!(refused(Batch { logprobs: &[0.0], ..batch }), "logprobs: has 1 items and 3 were expected");
    assert!(refused(Batch { old: Some(&[]), ..batch }).starts_with("old:"));
    assert!(refused(Batch { sequences: &arrays.sequences[..1], ..batch }).starts_with("sequences:"));
    let gap = [arrays.sequences[0], Sequence { start: 3, end: 3, group: 0 }];
    assert!(refused(Batch { sequences: &gap, ..batch }).contains("sequence 1 is 3..3"));
    let error = objective.evaluate(&batch, &Denominators::default(), &fixed(&objective)).unwrap_err();
    assert!(error.to_string().contains("count every micro-batch"), "{error}");
    assert!(broadcast(&arrays.sequences, &[1.0]).is_err());

    let with_kl = Objective { kl: Kl { coefficient: 1.0, ..Kl::default() }, ..objective.clone() };
    let absent = Batch { reference: None, ..batch };
    let error = with_kl.evaluate(&absent, &arrays.denominators(), &fixed(&with_kl)).unwrap_err();
    assert!(error.to_string().starts_with("reference:"), "{error}");
    let bypass = Objective { mismatch: Mismatch { bypass: true, ..Mismatch::none() }, ..objective };
    let absent = Batch { rollout: None, ..batch };
    let error = bypass.evaluate(&absent, &arrays.denominators(), &fixed(&bypass)).unwrap_err();
    assert!(error.to_string().starts_with("rollout:"), "{error}");
}

#[test]
fn on_policy_the_clipped_loss_is_the_plain_policy_gradient() {
    let arrays = two_sequences();
    let batch = Batch { old: None, rollout: None, ..arrays.batch() };
    let gradients: Vec<Vec<f32>> = [
        r#"{"kind": "clip"}"#,
        r#"{"kind": "cispo"}"#,
        r#"{"kind": "reinforce"}"#,
        r#"{"kind": "sapo"}"#,
        r#"{"kind": "dppo_tv"}"#,
        r#"{"kind": "prime_rl"}"#,
        r#"{"kind": "gspo", "by_token": true}"#,
        r#"{"kind": "dro"}"#,
    ]
    .iter()
    .map(|loss| {
        let objective = bare(serde_json::from_str(loss).unwrap(), Aggregation::SeqMeanTokenMean);
        objective.evaluate(&batch, &arrays.denominators(), &fixed(&objective)).unwrap().by_logprob
    })
    .collect();
    for gradient in &gradients {
        assert_eq!(*gradient, [-0.25, -0.25, 0.5], "{gradients:?}");
    }
}

#[test]
fn every_preset_runs() {
    let arrays = two_sequences();
    for name in PRESETS {
        let objective = Objective::preset(name).unwrap();
        assert!(is_finite(&evaluate(&objective, &arrays)), "{name}");
    }
}

#[test]
fn a_bypass_does_not_correct_twice() {
    let arrays = two_sequences();
    let bypass = Objective {
        mismatch: Mismatch { bypass: true, ..Mismatch::none() },
        ..bare(Loss::default(), Aggregation::TokenMean)
    };
    let as_old = Arrays { old: arrays.rollout.clone(), ..arrays.clone() };
    let plain = bare(Loss::default(), Aggregation::TokenMean);
    let (with, without) = (evaluate(&bypass, &arrays), evaluate(&plain, &as_old));
    assert_eq!((with.loss, with.by_logprob), (without.loss, without.by_logprob));
}
