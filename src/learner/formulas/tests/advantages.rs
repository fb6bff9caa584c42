//! Advantages of tokens against the golden vectors; `graders` runs those that need rewards alone.

use graders::advantage::{Estimator, GroupRewards};
use serde_json::{Value, json};

use super::golden::{all_close, flat, id, rows, section, singles};
use crate::learner::formulas::advantage::{Advantage, Rewarded, TokenEstimator};
use crate::learner::formulas::batch::Sequence;
use crate::learner::formulas::kl::Kl;
use crate::learner::formulas::token_advantage::{
    JudgedStep, crpg_reward, gae, process_supervision, returns, whiten,
};

fn advantage(config: &Value) -> Advantage {
    let advantage: Advantage = serde_json::from_value(config.clone()).unwrap();
    advantage.check().unwrap();
    advantage
}

/// Groups by name, with what the case gives of each.
fn groups(inputs: &Value, weights: &[f64]) -> Vec<GroupRewards> {
    let ids = inputs["group_ids"].as_array().unwrap();
    let mut groups: Vec<GroupRewards> = Vec::new();
    for i in 0..ids.len() {
        if i == 0 || ids[i - 1] != ids[i] {
            let components = weights.iter().map(|w| (*w, Vec::new())).collect();
            groups.push(GroupRewards { components, ..GroupRewards::default() });
        }
        let group = groups.last_mut().unwrap();
        let scores = inputs.get("rewards_per_fn").map(|rows| flat(&rows[i]));
        group.rewards.push(match &scores {
            Some(scores) => Some(scores.iter().zip(weights).map(|(s, w)| s * w).sum()),
            None => inputs["rewards"][i].as_f64(),
        });
        group.n_tokens.push(inputs.get("lengths").map(|lengths| lengths[i].as_u64().unwrap() as u32));
        for (k, (_, of)) in group.components.iter_mut().enumerate() {
            of.push(scores.as_ref().map(|scores| scores[k]));
        }
    }
    groups
}

/// One token per completion, for estimators that give one advantage to each.
fn singletons(groups: &[GroupRewards]) -> (Vec<Sequence>, Vec<bool>) {
    let mut sequences = Vec::new();
    for (group, rewards) in groups.iter().enumerate() {
        for _ in &rewards.rewards {
            sequences.push(Sequence { start: sequences.len(), end: sequences.len() + 1, group });
        }
    }
    let mask = vec![true; sequences.len()];
    (sequences, mask)
}

#[test]
fn advantages_match_the_vectors() {
    for case in section("advantages") {
        let (id, inputs, params, expected) = (id(&case), &case["inputs"], &case["params"], &case["expected"]);
        let weights = params.get("weights").map(flat).unwrap_or_default();
        let family = id.split(['_', '-']).next().unwrap();
        let grouped = |config: Value| {
            let groups = groups(inputs, &weights);
            let (sequences, mask) = singletons(&groups);
            let step =
                Rewarded { sequences: &sequences, mask: &mask, groups: &groups, ..Rewarded::default() };
            let tokens = advantage(&config).of_tokens(&step).unwrap();
            all_close(tokens.into_iter().map(f64::from), &expected["advantage"], id);
        };
        match family {
            "grpo" | "sum" => grouped(json!({
                "estimator": "grpo", "scale": params["scale"], "ddof": params["std_ddof"], "eps": params["eps"],
            })),
            "opo" => grouped(json!("opo")),
            "gpg" => grouped(json!({"estimator": "gpg", "f_norm": params["f_norm"]})),
            "passk" => grouped(json!({
                "estimator": "passk", "normalize": params["normalize"], "ddof": params["std_ddof"],
                "eps": params["eps"],
            })),
            "max" => grouped(json!("max_rl")),
            "kimi" => grouped(json!({"estimator": "kimi", "tau": params.get("tau")})),
            "gdpo" if id == "gdpo_trl" => grouped(json!({
                "estimator": "gdpo", "ddof": params["std_ddof"], "eps": params["eps"],
            })),
            "rloo" if id == "rloo" => grouped(json!("rloo")),
            "rloo" => rloo_with_penalty(&case),
            "gdpo" | "reinforce" => by_token(&case, &weights),
            "remax" => {
                let rewards: Vec<Option<f64>> = flat(&inputs["rewards"]).into_iter().map(Some).collect();
                let greedy: Vec<Option<f64>> =
                    flat(&inputs["greedy_rewards"]).into_iter().map(Some).collect();
                // One prompt each, so that each has the baseline that the case gives.
                let groups: Vec<_> = rewards
                    .iter()
                    .map(|r| GroupRewards { rewards: vec![*r], ..GroupRewards::default() })
                    .collect();
                let (sequences, mask) = singletons(&groups);
                let step = Rewarded {
                    sequences: &sequences,
                    mask: &mask,
                    groups: &groups,
                    greedy: Some(&greedy),
                    ..Rewarded::default()
                };
                let tokens = advantage(&json!("remax")).of_tokens(&step).unwrap();
                all_close(tokens.into_iter().map(f64::from), &expected["advantage"], id);
            }
            "gae" => generalised(&case),
            "process" => process(&case),
            "cgpo" => {
                let kl_max = params["kl_max"].as_f64().unwrap();
                let (feasible, log_ratio) = (flat(&inputs["feasible"]), flat(&inputs["seq_log_ratio"]));
                let rewards: Vec<f64> = flat(&inputs["calibrated_reward"])
                    .into_iter()
                    .enumerate()
                    .map(|(i, reward)| crpg_reward(reward, feasible[i] > 0.5, log_ratio[i], kl_max))
                    .collect();
                all_close(rewards.clone(), &expected["regularised_reward"], id);
                let group = GroupRewards {
                    rewards: rewards.into_iter().map(Some).collect(),
                    ..GroupRewards::default()
                };
                let advantages = Estimator::DrGrpo {}.advantages(&[group]).unwrap();
                all_close(advantages[0].iter().map(|a| a.unwrap()), &expected["advantage"], id);
            }
            _ => panic!("{id} is not handled"),
        }
    }
}

fn rloo_with_penalty(case: &Value) {
    let inputs = &case["inputs"];
    let groups = groups(inputs, &[]);
    let mask =
        inputs.get("mask").cloned().unwrap_or_else(|| super::golden::all()["meta"]["shared"]["mask"].clone());
    let (sequences, mask) = rows(&mask, Some(&inputs["group_ids"]));
    let (logp, reference) = (singles(&inputs["logp"]), singles(&inputs["ref_logp"]));
    let beta = case["params"]["beta"].as_f64().unwrap();
    let penalties = Kl::default().reward_penalties(beta, &mask, &logp, &reference).unwrap();
    let step = Rewarded {
        sequences: &sequences,
        mask: &mask,
        groups: &groups,
        penalties: Some(&penalties),
        ..Rewarded::default()
    };
    let tokens = advantage(&json!("rloo")).of_tokens(&step).unwrap();
    all_close(
        sequences.iter().map(|s| f64::from(tokens[s.start])),
        &case["expected"]["advantage"],
        "rloo_kl_in_reward",
    );
}

fn by_token(case: &Value, weights: &[f64]) {
    let (id, inputs, params, expected) = (id(case), &case["inputs"], &case["params"], &case["expected"]);
    let mask =
        inputs.get("mask").cloned().unwrap_or_else(|| super::golden::all()["meta"]["shared"]["mask"].clone());
    let (sequences, mask) = rows(&mask, inputs.get("group_ids"));
    if id.starts_with("reinforce_plus_plus_gamma") {
        let gamma = params["gamma"].as_f64().unwrap();
        let token_rewards = flat(&inputs["token_rewards"]);
        all_close(returns(&sequences, &mask, &token_rewards, gamma), &expected["returns"], id);
        // The case gives rewards by token: all of it is a penalty on a reward of 0.
        let penalties: Vec<f64> = token_rewards.iter().map(|r| -r).collect();
        let groups = [GroupRewards { rewards: vec![Some(0.0); sequences.len()], ..GroupRewards::default() }];
        let step = Rewarded {
            sequences: &sequences,
            mask: &mask,
            groups: &groups,
            penalties: Some(&penalties),
            ..Rewarded::default()
        };
        let config = json!({"estimator": "reinforce_plus_plus", "gamma": gamma});
        let tokens = advantage(&config).of_tokens(&step).unwrap();
        all_close(tokens.into_iter().map(f64::from), &expected["advantage"], id);
        return;
    }
    let config = match id {
        "reinforce_plus_plus_baseline" => json!(id),
        "gdpo_verl" => json!({"estimator": "gdpo_tokens", "eps": params["eps"]}),
        _ => panic!("{id} is not handled"),
    };
    let groups = groups(inputs, weights);
    let step = Rewarded { sequences: &sequences, mask: &mask, groups: &groups, ..Rewarded::default() };
    let tokens = advantage(&config).of_tokens(&step).unwrap();
    all_close(tokens.into_iter().map(f64::from), &expected["advantage"], id);
}

fn generalised(case: &Value) {
    let (id, inputs, params, expected) = (id(case), &case["inputs"], &case["params"], &case["expected"]);
    let (sequences, mask) = rows(&inputs["mask"], None);
    let (rewards, values) = (flat(&inputs["token_rewards"]), flat(&inputs["values"]));
    let (gamma, lambda) = (params["gamma"].as_f64().unwrap(), params["lam"].as_f64().unwrap());
    let mut estimated = gae(&sequences, &mask, &rewards, &values, gamma, lambda).unwrap();
    all_close(estimated.advantages.clone(), &expected["advantage"], id);
    all_close(estimated.returns, &expected["returns"], id);
    whiten(&mut estimated.advantages, &mask);
    all_close(estimated.advantages.clone(), &expected["whitened"], id);

    // The same from the settings.
    let penalties: Vec<f64> = rewards.iter().map(|r| -r).collect();
    let groups = [GroupRewards { rewards: vec![Some(0.0); sequences.len()], ..GroupRewards::default() }];
    let step = Rewarded {
        sequences: &sequences,
        mask: &mask,
        groups: &groups,
        penalties: Some(&penalties),
        values: Some(&values),
        ..Rewarded::default()
    };
    let tokens = Advantage::Token(TokenEstimator::Gae { gamma, lambda }).of_tokens(&step).unwrap();
    all_close(tokens.into_iter().map(f64::from), &expected["whitened"], id);
}

fn process(case: &Value) {
    let (id, inputs, params) = (id(case), &case["inputs"], &case["params"]);
    let ddof = params["std_ddof"].as_u64().unwrap() as usize;
    let steps: Vec<Vec<JudgedStep>> = inputs["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|steps| {
            let numbers = flat(steps);
            numbers.chunks(2).map(|s| JudgedStep { end: s[0] as usize, reward: s[1] }).collect()
        })
        .collect();
    let lengths: Vec<usize> = steps.iter().map(|steps| steps.last().unwrap().end + 1).collect();
    let expected = &case["expected"]["token_advantage"];
    let advantages = process_supervision(&steps, &lengths, ddof).unwrap();
    all_close(advantages.concat(), expected, id);

    let mut sequences: Vec<Sequence> = Vec::new();
    for length in &lengths {
        let start = sequences.last().map_or(0, |s| s.end);
        sequences.push(Sequence { start, end: start + length, group: 0 });
    }
    let mask = vec![true; sequences.last().unwrap().end];
    let groups = [GroupRewards { rewards: vec![Some(0.0); steps.len()], ..GroupRewards::default() }];
    let step = Rewarded {
        sequences: &sequences,
        mask: &mask,
        groups: &groups,
        steps: Some(&steps),
        ..Rewarded::default()
    };
    let config = json!({"estimator": "process_supervision", "ddof": ddof});
    let tokens = advantage(&config).of_tokens(&step).unwrap();
    all_close(tokens.into_iter().map(f64::from), expected, id);
}
