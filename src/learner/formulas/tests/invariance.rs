//! The order of sequences, the cut into micro-batches and padding never change a gradient.

use proptest::prelude::*;

use super::gradients::batches;
use super::{Arrays, bare, evaluate, every_loss, fixed};
use crate::learner::formulas::aggregation::Aggregation;
use crate::learner::formulas::batch::Denominators;
use crate::learner::formulas::entropy::{Entropy, threshold};
use crate::learner::formulas::kl::Kl;
use crate::learner::formulas::loss::Loss;
use crate::learner::formulas::metrics::Metrics;
use crate::learner::formulas::mismatch::{Estimate, Level, Mismatch, Rejection};
use crate::learner::formulas::objective::Objective;

const AGGREGATIONS: [Aggregation; 6] = [
    Aggregation::SeqMeanTokenMean,
    Aggregation::TokenMean,
    Aggregation::SeqMeanTokenSum,
    Aggregation::SeqMeanTokenSumNorm,
    Aggregation::PromptMean,
    Aggregation::TokenSum,
];

/// The batch of these sequences, in this order.
fn part(whole: &Arrays, sequences: &[usize]) -> Arrays {
    let mut part = Arrays::default();
    for i in sequences {
        part.push(whole.sequences[*i].group, &whole.tokens(*i));
    }
    part
}

/// A loss with everything around it that an objective can have.
fn full(loss: Loss, aggregation: Aggregation) -> Objective {
    let reject = vec![Rejection { level: Level::SeqMean, estimate: Estimate::K3, lower: None, upper: 0.03 }];
    Objective {
        kl: Kl { coefficient: 0.1, ..Kl::default() },
        entropy: Entropy { coefficient: 0.05, adaptive: None, top_fraction: 0.7 },
        mismatch: Mismatch { reject, off_policy_delta: Some(0.1), ..Mismatch::default() },
        ..bare(loss, aggregation)
    }
}

/// Which losses rank the tokens of a micro-batch.
fn ranks(loss: &Loss) -> bool {
    matches!(loss, Loss::ClipCov { .. } | Loss::KlCov { .. })
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-6 * (1.0 + a.abs())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn order_and_cut_do_not_matter(arrays in batches(), order in any::<prop::sample::Index>(), cut in 1..4_usize) {
        let n = arrays.sequences.len();
        let turn = order.index(n);
        // Turned round and read backwards, so that groups are torn apart and reordered.
        let permuted: Vec<usize> = (0..n).map(|i| (i + turn) % n).rev().collect();
        for loss in every_loss() {
            for aggregation in AGGREGATIONS {
                let objective = full(loss.clone(), aggregation);
                let least = threshold(arrays.batch().all_counted().map(|t| arrays.entropies[t]), 0.7);
                let coefficients = crate::learner::formulas::controller::Coefficients {
                    entropy_threshold: Some(least), ..fixed(&objective)
                };
                let size = if ranks(&loss) { n } else { n.div_ceil(cut) };
                let whole = objective.evaluate(&arrays.batch(), &arrays.denominators(), &coefficients).unwrap();
                let parts: Vec<Arrays> = permuted.chunks(size).map(|part_of| part(&arrays, part_of)).collect();
                let denominators = Denominators::of(parts.iter().map(|p| (&p.sequences[..], &p.mask[..])));
                prop_assert_eq!(&denominators, &arrays.denominators());
                let (mut loss_sum, mut metrics) = (0.0, Metrics::new());
                for (p, sequences) in parts.iter().zip(permuted.chunks(size)) {
                    let evaluation = objective.evaluate(&p.batch(), &denominators, &coefficients).unwrap();
                    loss_sum += evaluation.loss;
                    metrics.merge(&evaluation.metrics);
                    for (of_part, i) in p.sequences.iter().zip(sequences) {
                        let here = arrays.sequences[*i];
                        for k in 0..of_part.len() {
                            let (before, now) = (here.start + k, of_part.start + k);
                            let (a, b) = (whole.by_logprob[before], evaluation.by_logprob[now]);
                            prop_assert!(near(f64::from(a), f64::from(b)), "{objective:?}");
                            let (a, b) = (whole.by_entropy[before], evaluation.by_entropy[now]);
                            prop_assert!(near(f64::from(a), f64::from(b)));
                        }
                    }
                }
                prop_assert!(near(whole.loss, loss_sum), "{} {loss_sum}", whole.loss);
                for (name, value) in whole.metrics.iter() {
                    let together = metrics.get(name);
                    let split = name == "mismatch/probability_correlation" || together.is_some_and(|t| near(value, t));
                    prop_assert!(split, "{name}: {value} and {together:?}");
                }
            }
        }
    }

    #[test]
    fn padding_does_not_matter(arrays in batches(), n in 1..5_usize) {
        let mut padded = Arrays::default();
        for (i, sequence) in arrays.sequences.iter().enumerate() {
            let mut tokens = arrays.tokens(i);
            tokens.extend(vec![(false, [9.0, f32::NAN, f32::INFINITY, 0.0, 0.0, 0.0]); n]);
            padded.push(sequence.group, &tokens);
        }
        for loss in every_loss() {
            let objective = Objective { length_norm: Some(12), ..full(loss, Aggregation::SeqMeanTokenSumNorm) };
            let (plain, with) = (evaluate(&objective, &arrays), evaluate(&objective, &padded));
            prop_assert_eq!(plain.loss, with.loss);
            for (a, b) in arrays.sequences.iter().zip(&padded.sequences) {
                for k in 0..b.len() {
                    let expected = if k < a.len() { plain.by_logprob[a.start + k] } else { 0.0 };
                    prop_assert_eq!(expected, with.by_logprob[b.start + k]);
                }
            }
        }
    }
}
