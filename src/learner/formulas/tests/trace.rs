//! A whole loop on a bandit with four arms, step by step as the golden vectors have it.

use graders::advantage::GroupRewards;
use serde_json::{Value, json};

use super::golden::{all_close, flat, id, section};
use super::{Arrays, bare, fixed};
use crate::learner::formulas::advantage::{Advantage, Rewarded};
use crate::learner::formulas::loss::Loss;

/// Below this a gradient is what is left of sums of 32-bit numbers about 1.
const ROUNDING: f64 = 5e-8;

fn probabilities(logits: &[f64]) -> Vec<f64> {
    let sum: f64 = logits.iter().map(|l| l.exp()).sum();
    logits.iter().map(|l| l.exp() / sum).collect()
}

/// The gradient of a loss by the logits, from that by the log-probabilities of the actions.
fn to_logits(logits: &[f64], actions: &[usize], slopes: &[f32]) -> Vec<f64> {
    let p = probabilities(logits);
    let mut gradient = vec![0.0; logits.len()];
    for (action, slope) in actions.iter().zip(slopes) {
        for (arm, gradient) in gradient.iter_mut().enumerate() {
            *gradient += f64::from(*slope) * (f64::from(u8::from(arm == *action)) - p[arm]);
        }
    }
    gradient
}

enum Optimiser {
    Sgd { lr: f64 },
    AdamW { lr: f64, betas: (f64, f64), eps: f64, decay: f64, moments: [Vec<f64>; 2], step: i32 },
}

impl Optimiser {
    fn new(params: &Value) -> Self {
        let number = |name: &str| params[name].as_f64().unwrap();
        match params["optimizer"].as_str().unwrap() {
            "sgd" => Self::Sgd { lr: number("lr") },
            "adamw" => Self::AdamW {
                lr: number("lr"),
                betas: (number("beta1"), number("beta2")),
                eps: number("adam_eps"),
                decay: number("weight_decay"),
                moments: [vec![0.0; 4], vec![0.0; 4]],
                step: 0,
            },
            other => panic!("{other} is not handled"),
        }
    }

    fn step(&mut self, values: &mut [f64], gradient: &[f64]) {
        match self {
            Self::Sgd { lr } => values.iter_mut().zip(gradient).for_each(|(v, g)| *v -= *lr * g),
            Self::AdamW { lr, betas, eps, decay, moments: [first, second], step } => {
                *step += 1;
                for (i, g) in gradient.iter().enumerate() {
                    first[i] = betas.0 * first[i] + (1.0 - betas.0) * g;
                    second[i] = betas.1 * second[i] + (1.0 - betas.1) * g * g;
                    let m = first[i] / (1.0 - betas.0.powi(*step));
                    let v = second[i] / (1.0 - betas.1.powi(*step));
                    values[i] -= *lr * *decay * values[i] + *lr * m / (v.sqrt() + *eps);
                }
            }
        }
    }
}

#[test]
fn a_bandit_learns_as_the_vectors_say() {
    for case in section("learner_trace") {
        let (id, params) = (id(&case), &case["params"]);
        let clip = |name: &str| params[name].as_f64().unwrap();
        let loss = Loss::Clip { clip_low: clip("clip_low"), clip_high: clip("clip_high"), dual_clip: None };
        let objective = bare(loss, serde_json::from_value(params["agg"].clone()).unwrap());
        assert_eq!(params["beta"], 0.0, "{id}");
        let advantage: Advantage = serde_json::from_value(json!({
            "estimator": "grpo", "scale": params["scale"], "ddof": params["std_ddof"], "eps": params["eps"],
        }))
        .unwrap();
        let mut logits = flat(&case["inputs"]["initial_logits"]);
        let table = flat(&case["inputs"]["reward_table"]);
        let mut optimiser = Optimiser::new(params);
        // Adam's square roots carry the rounding of 32-bit log-probabilities further (README: 1e-4 there).
        let tolerance = if params["optimizer"] == "adamw" { 1e-4 } else { 1e-6 };
        for (n, step) in case["expected"].as_array().unwrap().iter().enumerate() {
            let place = format!("{id} step {n}");
            let actions: Vec<usize> = flat(&step["actions"]).into_iter().map(|a| a as usize).collect();
            let rewards: Vec<Option<f64>> = actions.iter().map(|a| Some(table[*a])).collect();
            all_close(rewards.iter().flatten().copied(), &step["rewards"], &place);
            let logprob = |logits: &[f64], action: usize| probabilities(logits)[action].ln() as f32;
            let mut arrays = Arrays::default();
            for action in &actions {
                let old = logprob(&logits, *action);
                arrays.push(0, &[(true, [0.0, old, old, old, old, 0.0])]);
            }
            let groups = [GroupRewards { rewards, ..GroupRewards::default() }];
            let of_step = Rewarded {
                sequences: &arrays.sequences,
                mask: &arrays.mask,
                groups: &groups,
                ..Rewarded::default()
            };
            arrays.advantages = advantage.of_tokens(&of_step).unwrap();
            all_close(arrays.advantages.iter().map(|a| f64::from(*a)), &step["advantage"], &place);
            let mut losses = Vec::new();
            for _ in 0..params["inner_updates"].as_u64().unwrap() {
                arrays.logprobs = actions.iter().map(|a| logprob(&logits, *a)).collect();
                let evaluation =
                    objective.evaluate(&arrays.batch(), &arrays.denominators(), &fixed(&objective)).unwrap();
                losses.push(evaluation.loss);
                let mut gradient = to_logits(&logits, &actions, &evaluation.by_logprob);
                // An arm that was not drawn has no gradient; what 32-bit slopes leave of it would be blown up by
                // Adam, which divides by the gradient's own size.
                for g in gradient.iter_mut().filter(|g| g.abs() < ROUNDING) {
                    *g = 0.0;
                }
                optimiser.step(&mut logits, &gradient);
            }
            let expected_reward: f64 = probabilities(&logits).iter().zip(&table).map(|(p, r)| p * r).sum();
            for (name, values) in [
                ("losses", losses),
                ("logits_after", logits.clone()),
                ("probs_after", probabilities(&logits)),
                ("expected_reward_after", vec![expected_reward]),
            ] {
                for (actual, expected) in values.iter().zip(flat(&step[name])) {
                    assert!(
                        (actual - expected).abs() < tolerance,
                        "{place} {name}: {actual}, not {expected}"
                    );
                }
            }
        }
    }
}
