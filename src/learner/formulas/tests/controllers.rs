//! Controllers, filters, and accumulation over micro-batches against the golden vectors.

use serde_json::Value;

use super::golden::{all_close, arrays, close, flat, id, inputs, section, singles};
use super::{Arrays, bare, fixed};
use crate::learner::formulas::aggregation::Aggregation;
use crate::learner::formulas::budget::ThinkingBudget;
use crate::learner::formulas::controller::{Controllers, learning_rate_guess, mix_reference};
use crate::learner::formulas::entropy::{AdaptiveEntropy, Entropy};
use crate::learner::formulas::filter;
use crate::learner::formulas::kl::{AdaptiveKl, Kl};
use crate::learner::formulas::loss::Loss;
use crate::learner::formulas::objective::Objective;

#[test]
fn controllers_match_the_vectors() {
    for case in section("controllers") {
        let (id, inputs, expected) = (id(&case), &case["inputs"], &case["expected"]);
        let number = |name: &str| inputs[name].as_f64().unwrap();
        match id {
            "adaptive_kl" => {
                let adaptive = AdaptiveKl { target: number("target"), horizon: number("horizon") };
                let kl = Kl { coefficient: number("init"), adaptive: Some(adaptive), ..Kl::default() };
                let objective = Objective { kl, ..Objective::default() };
                let mut controllers = Controllers::new(&objective);
                let reached = inputs["updates"].as_array().unwrap().iter().map(|update| {
                    let update = flat(update);
                    controllers.observe(&objective, Some(update[0]), None, update[1] as usize);
                    controllers.coefficients(&objective).kl
                });
                all_close(reached, expected, id);
            }
            "adaptive_entropy" => {
                let adaptive = AdaptiveEntropy {
                    target: number("target"),
                    delta: number("delta"),
                    min: number("min"),
                    max: number("max"),
                };
                let entropy =
                    Entropy { coefficient: number("init"), adaptive: Some(adaptive), ..Entropy::default() };
                let objective = Objective { entropy, ..Objective::default() };
                let mut controllers = Controllers::new(&objective);
                let (mut applied, mut after) = (Vec::new(), Vec::new());
                for entropy in flat(&inputs["entropies"]) {
                    applied.push(controllers.coefficients(&objective).entropy);
                    controllers.observe(&objective, None, Some(entropy), 1);
                    after.push(controllers.entropy);
                }
                all_close(applied, &expected["applied_coef_per_step"], id);
                all_close(after, &expected["coef_after_step"], id);
            }
            "ref_model_mixup" => {
                let mut reference = singles(&inputs["ref"]);
                mix_reference(&mut reference, &singles(&inputs["policy"]), number("alpha")).unwrap();
                all_close(reference.into_iter().map(f64::from), expected, id);
            }
            "lora_lr_tinker" => {
                let family = inputs["family"].as_str().unwrap();
                let lora = inputs["is_lora"].as_bool().unwrap();
                let guess = learning_rate_guess(family, number("hidden_size") as usize, lora).unwrap();
                assert!((guess / expected.as_f64().unwrap() - 1.0).abs() < 1e-12, "{guess}");
            }
            "thinking_budget" => {
                let tokens = |value: &Value| flat(value).into_iter().map(|t| t as u32).collect::<Vec<_>>();
                let budget = ThinkingBudget {
                    tokens: number("budget") as usize,
                    close_token: number("close_token") as u32,
                    stop_tokens: tokens(&inputs["stop_tokens"]),
                };
                for (sequence, expected) in
                    inputs["sequences"].as_array().unwrap().iter().zip(expected.as_array().unwrap())
                {
                    let (result, cut) = budget.applied(&tokens(sequence));
                    assert_eq!((result, cut), (tokens(&expected[0]), expected[1].as_bool().unwrap()));
                }
            }
            _ => panic!("{id} is not handled"),
        }
    }
}

#[test]
fn filters_match_the_vectors() {
    for case in section("data") {
        let (id, inputs, expected) = (id(&case), &case["inputs"], &case["expected"]);
        match id {
            "prioritised_sampling" => {
                let probabilities = filter::priorities(&flat(&inputs["success_rate"]));
                all_close(probabilities, &expected["probability"], id);
            }
            "dynamic_sampling_filter" => {
                let groups: Vec<Vec<Option<f64>>> = inputs["group_rewards"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|rewards| flat(rewards).into_iter().map(Some).collect())
                    .collect();
                for (rule, kept) in expected.as_object().unwrap() {
                    let keeps: &dyn Fn(&[Option<f64>]) -> bool = match rule.split('(').next().unwrap().trim()
                    {
                        "keep_by_accuracy_DAPO" => &filter::keeps_mixed,
                        "keep_by_std>1e-6" => &|rewards| filter::keeps_spread(rewards, 1e-6),
                        "keep_by_std>0" => &|rewards| filter::keeps_spread(rewards, 0.0),
                        _ => panic!("{rule} is not handled"),
                    };
                    // 1e-6 apart is a deviation of half of that: slime drops it, verl keeps it.
                    all_close(groups.iter().map(|group| f64::from(u8::from(keeps(group)))), kept, rule);
                }
            }
            "difficulty_filters" => {
                for (rule, kept) in expected.as_object().unwrap() {
                    let keeps: &dyn Fn(f64) -> bool = match rule.split(' ').next().unwrap() {
                        "fail_best_of_8" => &|n| filter::keeps_unsolved(n as usize),
                        "pass_rate_band_0.1_0.9_exclusive" => &|n| filter::keeps_band(n / 8.0, 0.1, 0.9),
                        "pass_rate_band_0.1_0.6_exclusive" => &|n| filter::keeps_band(n / 8.0, 0.1, 0.6),
                        "scale_rl_drop_ge_0.9" => &|n| filter::keeps_unmastered(n / 8.0, 0.9),
                        _ => panic!("{rule} is not handled"),
                    };
                    let n_right = flat(&inputs["n_correct_of_8"]);
                    all_close(n_right.iter().map(|n| f64::from(u8::from(keeps(*n)))), kept, rule);
                }
            }
            "pass_at_k" => {
                let estimates = inputs.as_array().unwrap().iter().map(|case| {
                    let n: Vec<usize> = flat(case).into_iter().map(|n| n as usize).collect();
                    filter::pass_at_k(n[0], n[1], n[2])
                });
                all_close(estimates, expected, id);
            }
            "ngram_decontamination_8" => {
                let texts = |name: &str| -> Vec<String> {
                    inputs[name].as_array().unwrap().iter().map(|t| t.as_str().unwrap().to_owned()).collect()
                };
                let n = inputs["n"].as_u64().unwrap() as usize;
                let held_out = texts("eval");
                let shares =
                    |text: &String| held_out.iter().any(|other| filter::shares_words(text, other, n));
                let found = texts("train").iter().map(|t| f64::from(u8::from(shares(t)))).collect::<Vec<_>>();
                all_close(found, &expected["contaminated"], id);
            }
            _ => panic!("{id} is not handled"),
        }
    }
}

#[test]
fn micro_batches_add_up_to_the_whole() {
    let cases = section("optimiser");
    let case = cases.iter().find(|case| id(case) == "grad_accumulation_token_mean").unwrap();
    let (params, expected) = (&case["params"], &case["expected"]);
    let whole = arrays(&inputs(case));
    let clip = |name: &str| params[name].as_f64().unwrap();
    let loss = Loss::Clip { clip_low: clip("clip_low"), clip_high: clip("clip_high"), dual_clip: None };
    let objective = bare(loss, Aggregation::TokenMean);
    let denominators = whole.denominators();
    let (mut exact, mut naive, mut n) = (0.0, 0.0, 0.0);
    for rows in params["micro_batches"].as_array().unwrap() {
        let mut part = Arrays::default();
        for row in flat(rows) {
            let row = row as usize;
            part.push(whole.sequences[row].group, &whole.tokens(row));
        }
        let coefficients = fixed(&objective);
        exact += objective.evaluate(&part.batch(), &denominators, &coefficients).unwrap().loss;
        naive += objective.evaluate(&part.batch(), &part.denominators(), &coefficients).unwrap().loss;
        n += 1.0;
    }
    close(super::evaluate(&objective, &whole).loss, flat(&expected["loss_full_batch"])[0], "whole");
    close(exact, flat(&expected["loss_accumulated_global_denominator"])[0], "accumulated");
    close(naive / n, flat(&expected["WRONG_mean_of_micro_batch_means"])[0], "what it must not be");
}
