//! Policy losses, divergences, engine correction, value loss and preference losses against the golden vectors.

use serde_json::{Value, json};

use super::golden::{TOLERANCE, all_close, arrays, close, flat, id, inputs, rows, section, singles};
use super::{bare, evaluate, fixed};
use crate::learner::formulas::aggregation::Aggregation;
use crate::learner::formulas::batch::Denominators;
use crate::learner::formulas::critic::value_loss;
use crate::learner::formulas::entropy::{Entropy, threshold};
use crate::learner::formulas::kl::Kl;
use crate::learner::formulas::loss::Loss;
use crate::learner::formulas::metrics::Metrics;
use crate::learner::formulas::mismatch::{self, Mismatch, Rejection};
use crate::learner::formulas::objective::Objective;
use crate::learner::formulas::preference::{Pair, PairKind, bradley_terry, supervised};

/// The loss that a case's id and parameters mean.
fn loss(id: &str, params: &Value) -> Loss {
    let take = |kind: &str, names: &[(&str, &str)]| {
        let mut config = json!({"kind": kind});
        for (ours, theirs) in names {
            if let Some(value) = params.get(*theirs).filter(|value| !value.is_null()) {
                config[*ours] = value.clone();
            }
        }
        config
    };
    let clip = [("clip_low", "clip_low"), ("clip_high", "clip_high")];
    let config = match id.split(['_', '.']).next().unwrap() {
        "ppo" | "dapo" | "dual" | "r1" | "grpo" => {
            take("clip", &[clip[0], clip[1], ("dual_clip", "dual_clip_c")])
        }
        "gspo" => take("gspo", &clip),
        "luspo" => take("luspo", &clip),
        "cispo" => take("cispo", &[("ratio_upper", "ratio_upper"), ("ratio_lower", "ratio_lower")]),
        "sapo" => take("sapo", &[("tau_positive", "tau_pos"), ("tau_negative", "tau_neg")]),
        "gmpo" => take("gmpo", &[("log_clip_low", "log_clip_low"), ("log_clip_high", "log_clip_high")]),
        "vespo" => take(
            "vespo",
            &[
                ("k_positive", "k_pos"),
                ("lambda_positive", "lambda_pos"),
                ("k_negative", "k_neg"),
                ("lambda_negative", "lambda_neg"),
            ],
        ),
        "reinforce" => take("reinforce", &[]),
        "dro" => take("dro", &[("beta", "beta")]),
        "dppo" if id.starts_with("dppo_tv") => {
            take("dppo_tv", &[("low", "tv_low"), ("high", "tv_high"), ("ratio_cap", "ratio_cap")])
        }
        "dppo" => take("dppo_kl", &[("low", "kl_low"), ("high", "kl_high"), ("ratio_cap", "ratio_cap")]),
        "prime" => take(
            "prime_rl",
            &[("low", "mask_low"), ("high", "mask_high"), ("advantage_scale", "adv_tau"), ("kl", "kl_tau")],
        ),
        "kl" => take("kl_cov", &[("fraction", "ratio"), ("coefficient", "coef")]),
        "kimi" => take("kimi", &[("tau", "tau")]),
        _ => panic!("{id} is not handled"),
    };
    serde_json::from_value(config).unwrap()
}

#[test]
fn policy_losses_match_the_vectors() {
    for case in section("losses") {
        let (id, params, expected) = (id(&case), &case["params"], &case["expected"]);
        let inputs = inputs(&case);
        let loss = loss(id, params);
        if matches!(loss, Loss::Kimi { .. }) {
            kimi(&case, &inputs, loss);
            continue;
        }
        let aggregation = match params.get("agg") {
            Some(agg) => serde_json::from_value(agg.clone()).unwrap(),
            None if id.starts_with("prime") => Aggregation::TokenMean,
            None => Aggregation::SeqMeanTokenMean,
        };
        let mut objective = bare(loss, aggregation);
        objective.length_norm = params.get("L").map(|length| length.as_u64().unwrap() as u32);
        if let Some(beta) = params.get("beta").filter(|_| id.contains("_k3")) {
            objective.kl =
                serde_json::from_value(json!({"coefficient": beta, "form": params["kl"]})).unwrap();
        }
        objective.check().unwrap();
        let arrays = arrays(&inputs);
        let batch = arrays.batch();
        let evaluation = evaluate(&objective, &arrays);
        close(evaluation.loss, flat(&expected["loss"])[0], id);
        all_close(evaluation.by_logprob.iter().map(|g| f64::from(*g)), &expected["grad_logp"], id);

        let terms = objective.loss.terms(&batch, &arrays.old);
        for (name, value) in expected.as_object().unwrap() {
            let place = format!("{id} {name}");
            let sequences = || batch.sequences.iter();
            let got = |metric: &str| vec![evaluation.metrics.get(metric).unwrap()];
            let values: Vec<f64> = match name.as_str() {
                "loss" | "grad_logp" => continue,
                "per_token_loss" => terms.losses.clone(),
                "per_sequence_loss" => {
                    let scale = |n: usize| if id == "luspo" { 1.0 / n as f64 } else { 1.0 };
                    // The vectors give LUSPO's without or with the length; both are tried below.
                    let plain: Vec<f64> = sequences()
                        .map(|s| terms.losses[s.start] * scale(batch.counted(s).count()))
                        .collect();
                    let times: Vec<f64> = sequences().map(|s| terms.losses[s.start]).collect();
                    let is = |v: &[f64]| v.iter().zip(flat(value)).all(|(a, b)| (a - b).abs() <= TOLERANCE);
                    assert!(is(&plain) || is(&times), "{place}: {plain:?} or {times:?}, not {value}");
                    continue;
                }
                "seq_ratio" | "geo_ratio" => sequences()
                    .map(|s| {
                        let n = batch.counted(s).count() as f64;
                        let of = |t: usize| {
                            let d = f64::from(arrays.logprobs[t]) - f64::from(arrays.old[t]);
                            match (&objective.loss, batch.sequence_advantage(s)) {
                                (Loss::Gmpo { .. }, a) if a > 0.0 => d.min(0.4),
                                (Loss::Gmpo { .. }, a) if a < 0.0 => d.max(-0.4),
                                _ => d,
                            }
                        };
                        (batch.counted(s).map(of).sum::<f64>() / n).exp()
                    })
                    .collect(),
                "phi" => {
                    // The slope is minus phi times the advantage; where that is 0 the vectors' own value stands.
                    let expected = flat(value);
                    for (i, s) in sequences().enumerate() {
                        let advantage = batch.sequence_advantage(s);
                        if advantage != 0.0 {
                            close(-terms.slopes[s.start] / advantage, expected[i], &place);
                        }
                    }
                    continue;
                }
                "clip_low_frac" => got("ratio/clip_low_frac"),
                "clip_high_frac" => got("ratio/clip_high_frac"),
                "masked_frac" | "clipped_frac" => {
                    vec![got("ratio/clip_low_frac")[0] + got("ratio/clip_high_frac")[0]]
                }
                "ratio_mean" => got("ratio/mean"),
                "approx_kl_k1" => got("kl/approx_k1"),
                "selected" => {
                    // A selected token's loss is off the plain one by the penalty.
                    let found: Vec<f64> = batch
                        .all_counted()
                        .filter(|t| {
                            let d = f64::from(arrays.logprobs[*t]) - f64::from(arrays.old[*t]);
                            let plain = -f64::from(arrays.advantages[*t]) * d.exp();
                            (terms.losses[*t] - plain).abs() > 1e-9
                        })
                        .flat_map(|t| [(t / 6) as f64, (t % 6) as f64])
                        .collect();
                    found
                }
                other => panic!("{id}: {other} is not handled"),
            };
            all_close(values, value, &place);
        }
    }
}

/// Kimi's cases give sequences' sums; each becomes a sequence of two tokens.
fn kimi(case: &Value, inputs: &Value, loss: Loss) {
    let (id, expected) = (id(case), &case["expected"]);
    let Loss::Kimi { tau } = loss else { unreachable!() };
    let rewards = flat(&inputs["rewards"]);
    let estimator = match case["params"]["baseline"].as_str().unwrap() {
        "mean" => json!("kimi"),
        "logz" => json!({"estimator": "kimi", "tau": tau}),
        other => panic!("{id}: {other} is not handled"),
    };
    let estimator = graders::advantage::Estimator::from_value(&estimator).unwrap();
    let groups: Vec<_> = rewards
        .chunks(3)
        .map(|group| graders::advantage::GroupRewards {
            rewards: group.iter().map(|r| Some(*r)).collect(),
            ..Default::default()
        })
        .collect();
    let advantages = estimator.advantages(&groups).unwrap().into_iter().flatten();
    let (now, old) = (flat(&inputs["seq_logp"]), flat(&inputs["seq_old_logp"]));
    let mut arrays = super::Arrays::default();
    for (i, advantage) in advantages.enumerate() {
        let half = |x: f64| (x / 2.0) as f32;
        let token = (true, [advantage.unwrap() as f32, half(now[i]), half(old[i]), 0.0, 0.0, 0.0]);
        arrays.push(i / 3, &[token, token]);
    }
    let objective = bare(loss, Aggregation::SeqMeanTokenMean);
    let evaluation = evaluate(&objective, &arrays);
    let squares: f64 = arrays.advantages.iter().step_by(2).map(|a| f64::from(*a).powi(2)).sum::<f64>()
        / rewards.len() as f64;
    close(squares + 2.0 * tau * evaluation.loss, flat(&expected["squared_loss"])[0], id);
    let slopes = || evaluation.by_logprob.iter().step_by(2).map(|slope| f64::from(*slope));
    all_close(slopes().map(|s| 2.0 * tau * s), &expected["grad_seq_logp"], id);
    all_close(slopes().map(|s| -s), &expected["eq3_ascent_coefficient"], id);
}

#[test]
fn divergences_match_the_vectors() {
    for case in section("kl") {
        let (id, expected) = (id(&case), &case["expected"]);
        let config = match id {
            "k1" | "abs" | "k2" | "k3" => json!({"form": id}),
            "k3_plus_straight_through" => json!({"form": "k3", "straight_through": true}),
            "k3_unbiased_ratio_weighted" => json!({"form": "k3_unbiased"}),
            _ => panic!("{id} is not handled"),
        };
        let kl: Kl = serde_json::from_value(config).unwrap();
        let arrays = arrays(&inputs(&case));
        let terms: Vec<_> = (0..arrays.mask.len())
            .map(|t| {
                if arrays.mask[t] {
                    kl.term(arrays.logprobs[t], arrays.reference[t], arrays.old[t])
                } else {
                    crate::learner::formulas::terms::Term::default()
                }
            })
            .collect();
        for (name, value) in expected.as_object().unwrap() {
            match name.as_str() {
                "per_token" => all_close(terms.iter().map(|term| term.loss), value, id),
                "token_mean" => {
                    let n = arrays.mask.iter().filter(|m| **m).count() as f64;
                    close(terms.iter().map(|term| term.loss).sum::<f64>() / n, flat(value)[0], id);
                }
                "grad_logp_per_token" => all_close(terms.iter().map(|term| term.slope), value, id),
                other => panic!("{id}: {other} is not handled"),
            }
        }
    }
}

#[test]
fn corrections_for_the_engine_match_the_vectors() {
    for case in section("engine_mismatch") {
        let (id, expected) = (id(&case), &case["expected"]);
        let params = case.get("params").cloned().unwrap_or_default();
        let arrays = arrays(&inputs(&case));
        let batch = arrays.batch();
        if let Some(mode) = params.get("mode") {
            let mut config = json!({"mode": mode, "upper": params["c_max"]});
            if !params["c_min"].is_null() {
                config["lower"] = params["c_min"].clone();
            }
            let mismatch: Mismatch = serde_json::from_value(config).unwrap();
            mismatch.check().unwrap();
            all_close(mismatch.weights(&batch, &arrays.old, &arrays.rollout), &expected["weights"], id);
            let objective = Objective { mismatch, ..bare(Loss::default(), Aggregation::TokenMean) };
            let evaluation = evaluate(&objective, &arrays);
            close(evaluation.loss, flat(&expected["dapo_loss_weighted"])[0], id);
            all_close(evaluation.by_logprob.iter().map(|g| f64::from(*g)), &expected["grad_logp"], id);
            assert_eq!(expected.as_object().unwrap().len(), 3, "{id}");
        } else if let Some(option) = params.get("option") {
            let (level, estimate) = option.as_str().unwrap().rsplit_once('_').unwrap();
            let mut config = json!({"level": level, "estimate": estimate, "upper": params["upper"]});
            if !params["lower"].is_null() {
                config["lower"] = params["lower"].clone();
            }
            let rejection: Rejection = serde_json::from_value(config).unwrap();
            let keeps = rejection.keeps(&batch, &arrays.old, &arrays.rollout);
            all_close(keeps.iter().map(|keep| f64::from(u8::from(*keep))), &expected["mask"], id);
            assert_eq!(expected.as_object().unwrap().len(), 1, "{id}");
        } else if id == "off_policy_sequence_mask" {
            let delta = params["delta"].as_f64().unwrap();
            let keeps = mismatch::on_policy_enough(&batch, &arrays.rollout, delta);
            all_close(keeps.iter().map(|keep| f64::from(u8::from(*keep))), &expected["keep"], id);
            all_close(mismatch::drift(&batch, &arrays.rollout), &expected["seq_kl"], id);
        } else if id == "offpolicy_metrics" {
            let mut metrics = Metrics::new();
            mismatch::measure(&batch, &arrays.old, &arrays.rollout, &mut metrics);
            for (name, value) in expected.as_object().unwrap() {
                let name = match name.as_str() {
                    "kl" => "mismatch/kl",
                    "k3_kl" => "mismatch/k3",
                    "training_ppl" => "mismatch/perplexity_learner",
                    "rollout_ppl" => "mismatch/perplexity_engine",
                    "ppl_ratio" => "mismatch/perplexity_ratio",
                    "chi2_token" => "mismatch/chi2_token",
                    "chi2_seq" => "mismatch/chi2_sequence",
                    other => panic!("{id}: {other} is not handled"),
                };
                close(metrics.get(name).unwrap(), flat(value)[0], name);
            }
        } else {
            panic!("{id} is not handled");
        }
    }
}

/// log softmax(logits / temperature) of a target, and the entropy.
fn log_softmax(logits: &[f64], target: usize, temperature: f64) -> (f64, f64, Vec<f64>) {
    let scaled: Vec<f64> = logits.iter().map(|l| l / temperature).collect();
    let top = scaled.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let log_sum = top + scaled.iter().map(|l| (l - top).exp()).sum::<f64>().ln();
    let probabilities: Vec<f64> = scaled.iter().map(|l| (l - log_sum).exp()).collect();
    let entropy = -probabilities.iter().zip(&scaled).map(|(p, l)| p * (l - log_sum)).sum::<f64>();
    (scaled[target] - log_sum, entropy, probabilities)
}

#[test]
fn softmax_cases_match_the_vectors() {
    for case in section("softmax") {
        let (id, inputs, expected) = (id(&case), &case["inputs"], &case["expected"]);
        if id == "top_entropy_mask_rho0.5" {
            let (entropies, rho) = (singles(&inputs["entropies"]), inputs["rho"].as_f64().unwrap());
            let least = threshold(entropies.iter().copied(), rho);
            close(least, flat(&expected["threshold"])[0], id);
            let mut arrays = super::Arrays::default();
            let token = |entropy| (true, [1.0, -1.0, -1.0, -1.0, -1.0, entropy]);
            arrays.push(0, &entropies.iter().map(|e| token(*e)).collect::<Vec<_>>());
            let mut objective = bare(Loss::default(), Aggregation::TokenMean);
            objective.entropy = Entropy { top_fraction: rho, ..Entropy::default() };
            let kept = evaluate(&objective, &arrays).by_logprob;
            // The weight of a kept token is still one of all four.
            all_close(kept.iter().map(|g| f64::from(*g) * -4.0), &expected["keep"], id);
            continue;
        }
        // The policy computes these; here they carry the losses' gradient to logits.
        let temperature = inputs.get("temperature").map_or(1.0, |t| t.as_f64().unwrap());
        let tokens: Vec<usize> = flat(&inputs["tokens"]).into_iter().map(|t| t as usize).collect();
        let scored: Vec<_> = inputs["logits"]
            .as_array()
            .unwrap()
            .iter()
            .zip(&tokens)
            .map(|(logits, target)| log_softmax(&flat(logits), *target, temperature))
            .collect();
        let to_logits = |slopes: &[f64]| -> Vec<f64> {
            scored
                .iter()
                .zip(&tokens)
                .zip(slopes)
                .flat_map(|(((_, _, p), target), slope)| {
                    p.iter()
                        .enumerate()
                        .map(move |(v, p)| slope * (f64::from(u8::from(v == *target)) - p) / temperature)
                })
                .collect()
        };
        match id {
            "logits_T1.0" | "logits_T0.7" => {
                all_close(scored.iter().map(|s| s.0), &expected["logp"], id);
                all_close(scored.iter().map(|s| s.1), &expected["entropy"], id);
                let gradient = to_logits(&vec![1.0; tokens.len()]);
                all_close(gradient, &expected["grad_logits_of_sum_logp"], id);
            }
            "on_policy_token_mean_grad_logits" => {
                let mut arrays = super::Arrays::default();
                let advantages = singles(&inputs["advantage_per_token"]);
                let token = |i: usize| {
                    let now = scored[i].0 as f32;
                    (true, [advantages[i], now, now, now, now, 0.0])
                };
                arrays.push(0, &(0..tokens.len()).map(token).collect::<Vec<_>>());
                let objective = bare(Loss::default(), Aggregation::TokenMean);
                let batch = crate::learner::formulas::batch::Batch { old: None, ..arrays.batch() };
                let evaluation =
                    objective.evaluate(&batch, &arrays.denominators(), &fixed(&objective)).unwrap();
                close(evaluation.loss, flat(&expected["loss"])[0], id);
                let slopes: Vec<f64> = evaluation.by_logprob.iter().map(|g| f64::from(*g)).collect();
                all_close(to_logits(&slopes), &expected["grad_logits"], id);
            }
            _ => panic!("{id} is not handled"),
        }
    }
}

#[test]
fn value_losses_match_the_vectors() {
    for case in section("critic") {
        let inputs = &case["inputs"];
        let (sequences, mask) = rows(&inputs["mask"], None);
        let denominators = Denominators::of([(&sequences[..], &mask[..])]);
        let (loss, _) = value_loss(
            &singles(&inputs["values"]),
            &singles(&inputs["old_values"]),
            &singles(&inputs["returns"]),
            &mask,
            case["params"]["clip"].as_f64(),
            &denominators,
        )
        .unwrap();
        close(loss, flat(&case["expected"]["loss"])[0], id(&case));
    }
}

#[test]
fn preference_and_supervised_losses_match_the_vectors() {
    let cases = section("preference_sft");
    let named = |name: &str| cases.iter().find(|case| id(case) == name).unwrap()["inputs"].clone();
    for case in &cases {
        let (id, expected) = (id(case), &case["expected"]);
        let inputs = match case["inputs"].as_str() {
            Some(reference) => named(reference.trim_start_matches('@')),
            None => case["inputs"].clone(),
        };
        let kind = match id {
            "bradley_terry" => {
                let losses: Vec<_> = flat(&inputs["r_chosen"])
                    .into_iter()
                    .zip(flat(&inputs["r_rejected"]))
                    .map(|(chosen, rejected)| bradley_terry(chosen, rejected).unwrap())
                    .collect();
                all_close(losses.iter().map(|l| l.loss), &expected["loss_each"], id);
                all_close(losses.iter().map(|l| l.by_chosen), &expected["grad_r_chosen_each"], id);
                let n = losses.len() as f64;
                close(losses.iter().map(|l| l.loss).sum::<f64>() / n, flat(&expected["mean"])[0], id);
                let right = losses.iter().filter(|l| l.margin > 0.0).count() as f64;
                close(right / n, flat(&expected["accuracy"])[0], id);
                continue;
            }
            "sft_prompt_masked" | "dft_loss" => {
                let targets = flat(&inputs["targets"]);
                let logprobs: Vec<f32> = inputs["logits"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .zip(&targets)
                    .map(|(logits, target)| log_softmax(&flat(logits), *target as usize, 1.0).0 as f32)
                    .collect();
                let mask: Vec<bool> = flat(&inputs["loss_mask"]).iter().map(|m| *m > 0.5).collect();
                let n = mask.iter().filter(|m| **m).count();
                let (loss, _) = supervised(&logprobs, &mask, n, id == "dft_loss").unwrap();
                close(loss, flat(&expected["loss"])[0], id);
                if let Some(value) = expected.get("loss_without_masking") {
                    let all = vec![true; mask.len()];
                    let (loss, _) = supervised(&logprobs, &all, all.len(), false).unwrap();
                    close(loss, flat(value)[0], id);
                }
                continue;
            }
            "dpo_beta0.1" => PairKind::Dpo { beta: 0.1 },
            "dpo_length_normalised_beta5" => PairKind::NormalisedDpo { beta: 5.0 },
            "simpo_beta2.5_gamma1.375" => PairKind::Simpo { beta: 2.5, gamma: 1.375 },
            "dpo_plus_sft_alpha1" => PairKind::DpoNll { beta: 0.1, alpha: 1.0 },
            _ => panic!("{id} is not handled"),
        };
        let number = |name: &str| inputs[name].as_f64().unwrap();
        let pair = Pair {
            chosen: number("policy_chosen_sum_logp"),
            rejected: number("policy_rejected_sum_logp"),
            reference_chosen: number("ref_chosen_sum_logp"),
            reference_rejected: number("ref_rejected_sum_logp"),
            n_chosen: number("len_chosen") as usize,
            n_rejected: number("len_rejected") as usize,
        };
        let loss = kind.loss(&pair).unwrap();
        close(loss.loss, flat(&expected["loss"])[0], id);
        if let Some(margin) = expected.get("margin_logit") {
            close(loss.margin, flat(margin)[0], id);
        }
    }
}
