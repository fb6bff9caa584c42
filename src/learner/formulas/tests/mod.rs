//! Tests of the formulas: golden vectors, finite differences, invariance, and what is degenerate.

mod advantages;
mod controllers;
mod degenerate;
mod golden;
mod gradients;
mod invariance;
mod losses;
mod settings;
mod statistics;
mod trace;

use super::advantage::Advantage;
use super::aggregation::Aggregation;
use super::batch::{Batch, Denominators, Sequence};
use super::controller::Coefficients;
use super::loss::Loss;
use super::mismatch::Mismatch;
use super::objective::{Evaluation, Objective, Selection};

/// The arrays of a batch, owned.
#[derive(Clone, Debug, Default)]
struct Arrays {
    sequences: Vec<Sequence>,
    mask: Vec<bool>,
    advantages: Vec<f32>,
    logprobs: Vec<f32>,
    old: Vec<f32>,
    rollout: Vec<f32>,
    reference: Vec<f32>,
    entropies: Vec<f32>,
}

impl Arrays {
    fn batch(&self) -> Batch<'_> {
        Batch {
            sequences: &self.sequences,
            mask: &self.mask,
            advantages: &self.advantages,
            logprobs: &self.logprobs,
            old: Some(&self.old),
            rollout: Some(&self.rollout),
            reference: Some(&self.reference),
            entropies: Some(&self.entropies),
        }
    }

    fn denominators(&self) -> Denominators {
        Denominators::of([(&self.sequences[..], &self.mask[..])])
    }

    /// Adds a sequence; each token is its mask, advantage, now, old, rollout, reference and entropy.
    fn push(&mut self, group: usize, tokens: &[(bool, [f32; 6])]) {
        let start = self.mask.len();
        for (mask, [advantage, now, old, rollout, reference, entropy]) in tokens {
            self.mask.push(*mask);
            self.advantages.push(*advantage);
            self.logprobs.push(*now);
            self.old.push(*old);
            self.rollout.push(*rollout);
            self.reference.push(*reference);
            self.entropies.push(*entropy);
        }
        self.sequences.push(Sequence { start, end: self.mask.len(), group });
    }

    /// The tokens of one sequence as `push` takes them.
    fn tokens(&self, sequence: usize) -> Vec<(bool, [f32; 6])> {
        let Sequence { start, end, .. } = self.sequences[sequence];
        (start..end)
            .map(|t| {
                let numbers = [
                    self.advantages[t],
                    self.logprobs[t],
                    self.old[t],
                    self.rollout[t],
                    self.reference[t],
                    self.entropies[t],
                ];
                (self.mask[t], numbers)
            })
            .collect()
    }
}

/// An objective of one loss alone: no correction, no penalty.
fn bare(loss: Loss, aggregation: Aggregation) -> Objective {
    Objective {
        advantage: Advantage::default(),
        loss,
        aggregation,
        mismatch: Mismatch::none(),
        selection: Selection::all(),
        ..Objective::default()
    }
}

/// The coefficients that the objective names, not adapted.
fn fixed(objective: &Objective) -> Coefficients {
    Coefficients {
        kl: objective.kl.coefficient,
        entropy: objective.entropy.coefficient,
        entropy_threshold: None,
    }
}

fn evaluate(objective: &Objective, arrays: &Arrays) -> Evaluation {
    objective.evaluate(&arrays.batch(), &arrays.denominators(), &fixed(objective)).unwrap()
}

/// Every loss, with its default parameters unless those would never bind.
fn every_loss() -> Vec<Loss> {
    let kinds = [
        r#"{"kind": "clip"}"#,
        r#"{"kind": "clip", "clip_low": 0.1, "clip_high": 0.1, "dual_clip": 1.5}"#,
        r#"{"kind": "gspo", "clip_low": 0.05, "clip_high": 0.05}"#,
        r#"{"kind": "gspo", "clip_low": 0.05, "clip_high": 0.05, "by_token": true}"#,
        r#"{"kind": "luspo", "clip_low": 0.05, "clip_high": 0.05}"#,
        r#"{"kind": "cispo", "ratio_upper": 1.2, "ratio_lower": 0.9}"#,
        r#"{"kind": "sapo"}"#,
        r#"{"kind": "gmpo"}"#,
        r#"{"kind": "vespo"}"#,
        r#"{"kind": "reinforce"}"#,
        r#"{"kind": "dro"}"#,
        r#"{"kind": "dppo_tv"}"#,
        r#"{"kind": "dppo_kl"}"#,
        r#"{"kind": "prime_rl"}"#,
        r#"{"kind": "clip_cov", "fraction": 0.2, "lower": 0.0, "upper": 100.0}"#,
        r#"{"kind": "kl_cov", "fraction": 0.2}"#,
        r#"{"kind": "kimi"}"#,
    ];
    kinds.iter().map(|text| serde_json::from_str(text).unwrap()).collect()
}
