//! Three random models of which `transformers` has computed what they must give.

use std::path::PathBuf;

use candle_core::Device;
use policy::gradients::with_slice_mut;
use policy::{Packed, Policy, TokenGradients, TokenScores};
use serde::Deserialize;

use crate::Way;

/// The families, by folder.
pub(crate) const MODELS: [&str; 3] = ["llama", "qwen2_tied", "qwen3"];

pub(crate) fn folder(name: &str) -> PathBuf {
    PathBuf::from("testdata/tiny_models").join(name)
}

pub(crate) fn load(name: &str) -> Policy {
    Policy::load(&folder(name), &Device::Cpu).expect("the files are sound")
}

#[derive(Deserialize)]
pub(crate) struct Expected {
    prompt_len: usize,
    pub(crate) rows: Vec<Vec<u32>>,
    advantage: Vec<f64>,
    logits_row0: Vec<Vec<f64>>,
    completion_logp: Vec<Vec<f64>>,
    completion_entropy: Vec<Vec<f64>>,
    #[serde(rename = "completion_logp_T0.7")]
    completion_logp_warm: Vec<Vec<f64>>,
    old_logp: Vec<Vec<f64>>,
    #[serde(rename = "loss_dapo_token_mean_clip_0.2_0.28")]
    loss: f64,
    grad_norm_total: f64,
    grad_norm_per_parameter: std::collections::BTreeMap<String, f64>,
    grad_sample: std::collections::BTreeMap<String, Vec<f64>>,
    after_one_step: AfterOneStep,
}

#[derive(Deserialize)]
struct AfterOneStep {
    completion_logp: Vec<Vec<f64>>,
    loss: f64,
}

pub(crate) fn expected(name: &str) -> Expected {
    let text = std::fs::read_to_string(folder(name).join("expected.json")).expect("it is there");
    serde_json::from_str(&text).expect("it is JSON")
}

impl Expected {
    /// The rows, each prompt written once for its two completions.
    pub(crate) fn packed(&self) -> Packed {
        let mut packed = Packed::default();
        for pair in self.rows.chunks(2) {
            let (prompt, _) = pair[0].split_at(self.prompt_len);
            packed.push_group(prompt, pair.iter().map(|row| &row[self.prompt_len..])).expect("a group");
        }
        packed
    }

    /// The clipped loss of DAPO (Yu et al. 2025, equation 8), as a mean over all tokens, and its gradient.
    fn loss(&self, scores: &TokenScores) -> (f64, TokenGradients) {
        let old = self.old_logp.iter().zip(&self.advantage);
        let old: Vec<(f64, f64)> =
            old.flat_map(|(row, advantage)| row.iter().map(|old| (*old, *advantage))).collect();
        let mut loss = 0.0;
        let gradient = scores.logprobs.iter().zip(&old).map(|(now, (old, advantage))| {
            let ratio = (f64::from(*now) - old).exp();
            let plain = ratio * advantage;
            let clipped = ratio.clamp(0.8, 1.28) * advantage;
            loss -= plain.min(clipped) / old_len(&self.old_logp);
            if plain <= clipped { (-plain / old_len(&self.old_logp)) as f32 } else { 0.0 }
        });
        let logprobs = gradient.collect();
        (loss, TokenGradients { logprobs, entropies: Vec::new() })
    }
}

fn old_len(rows: &[Vec<f64>]) -> f64 {
    rows.iter().map(Vec::len).sum::<usize>() as f64
}

fn close(name: &str, got: &[f32], want: &[Vec<f64>], tolerance: f64) {
    let want: Vec<f64> = want.concat();
    assert_eq!(got.len(), want.len(), "{name}");
    for (i, (got, want)) in got.iter().zip(&want).enumerate() {
        assert!((f64::from(*got) - want).abs() < tolerance, "{name}, token {i}: {got} and not {want}");
    }
}

#[test]
fn log_probabilities_and_entropies() {
    for (name, way) in MODELS.into_iter().flat_map(|name| Way::ALL.map(|way| (name, way))) {
        let (policy, expected) = (load(name), expected(name));
        let packed = expected.packed();
        let scores = way.scores(&policy, &packed, 1.0).expect("it fits");
        close(name, &scores.logprobs, &expected.completion_logp, 1e-4);
        close(name, &scores.entropies, &expected.completion_entropy, 1e-4);
        let warm = way.scores(&policy, &packed, 0.7).expect("it fits");
        close(name, &warm.logprobs, &expected.completion_logp_warm, 1e-4);
    }
}

#[test]
fn all_logits_of_a_row() {
    for (name, way) in MODELS.into_iter().flat_map(|name| Way::ALL.map(|way| (name, way))) {
        let (policy, expected) = (load(name), expected(name));
        let row = &expected.rows[0];
        // Every token as the target of every place: log-probabilities are the logits less one number for each place.
        let mut packed = Packed::default();
        packed.push(row, 1).expect("a sequence");
        let places = expected.logits_row0.len();
        let vocabulary = policy.config.vocab_size as u32;
        packed.rows = (0..places as u32).flat_map(|place| (0..vocabulary).map(move |_| place)).collect();
        packed.targets = (0..places).flat_map(|_| 0..vocabulary).collect();
        let scores = way.scores(&policy, &packed, 1.0).expect("it fits");
        let want: Vec<Vec<f64>> = expected
            .logits_row0
            .iter()
            .map(|logits| {
                let sum = logits.iter().map(|logit| logit.exp()).sum::<f64>().ln();
                logits.iter().map(|logit| logit - sum).collect()
            })
            .collect();
        close(name, &scores.logprobs, &want, 1e-4);
    }
}

#[test]
fn loss_and_gradients_and_a_step() {
    for (name, way) in MODELS.into_iter().flat_map(|name| Way::ALL.map(|way| (name, way))) {
        let (policy, expected) = (load(name), expected(name));
        let packed = expected.packed();
        let mut gradients = policy.zero_gradients().expect("room");
        let mut loss = f64::NAN;
        let objective = |scores: &TokenScores| {
            let (value, gradients) = expected.loss(scores);
            loss = value;
            Ok(gradients)
        };
        way.accumulate(&policy, &packed, 1.0, &mut gradients, objective).expect("it fits");
        assert!((loss - expected.loss).abs() < 1e-5, "{name}: {loss} and not {}", expected.loss);
        let mut total = 0.0;
        let mut seen = 0;
        let numbers: Vec<Vec<f32>> = gradients
            .tensors
            .iter()
            .map(|gradient| gradient.flatten_all().expect("a list").to_vec1().expect("on the CPU"))
            .collect();
        for ((parameter, _), numbers) in policy.weights.trained().iter().zip(&numbers) {
            let square: f64 = numbers.iter().map(|value| f64::from(*value).powi(2)).sum();
            total += square;
            if let Some(want) = expected.grad_norm_per_parameter.get(parameter) {
                let norm = square.sqrt();
                assert!(
                    (norm - want).abs() < 1e-3 * want + 1e-7,
                    "{name}, {parameter}: {norm} and not {want}"
                );
                seen += 1;
            }
            if let Some(sample) = expected.grad_sample.get(parameter) {
                for (got, want) in numbers.iter().zip(sample) {
                    assert!(
                        (f64::from(*got) - want).abs() < 2e-5,
                        "{name}, {parameter}: {got} and not {want}"
                    );
                }
            }
        }
        assert_eq!(seen, expected.grad_norm_per_parameter.len(), "{name}: all names are ours");
        let total = total.sqrt();
        assert!((total - expected.grad_norm_total).abs() < 1e-3 * total, "{name}: {total}");

        // One step of AdamW from nothing: the moments' corrections leave the gradient over its absolute value.
        let clip = 1.0 / total.max(1.0);
        for (parameter, numbers) in policy.parameters().iter().zip(&numbers) {
            with_slice_mut(parameter, |values| {
                for (value, gradient) in values.iter_mut().zip(numbers) {
                    let gradient = f64::from(*gradient) * clip;
                    let step = 1e-3 * gradient / (gradient.abs() + 1e-8);
                    *value = (f64::from(*value) * (1.0 - 1e-3 * 0.01) - step) as f32;
                }
            })
            .expect("on the CPU");
        }
        let after = way.scores(&policy, &packed, 1.0).expect("it fits");
        close(name, &after.logprobs, &expected.after_one_step.completion_logp, 1e-3);
        let (loss, _) = expected.loss(&after);
        assert!((loss - expected.after_one_step.loss).abs() < 1e-4, "{name}: {loss}");
    }
}
