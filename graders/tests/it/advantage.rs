//! Advantage estimators against the golden vectors.

use graders::advantage::{Estimator, GroupRewards};
use serde_json::{Value, json};

use crate::vectors::{assert_close, numbers, section};

/// The estimator of a vector's id, where it needs rewards alone.
fn estimator(id: &str, params: &Value) -> Option<Value> {
    let mut config = match id.split('_').next()? {
        "grpo" | "sum" => {
            json!({"estimator": "grpo", "scale": params["scale"], "ddof": params["std_ddof"], "eps": params["eps"]})
        }
        "rloo" if id == "rloo" => json!("rloo"),
        "opo" => json!("opo"),
        "gpg" => json!({"estimator": "gpg", "f_norm": params["f_norm"]}),
        "passk" => {
            json!({"estimator": "passk", "normalize": params["normalize"], "ddof": params["std_ddof"], "eps": params["eps"]})
        }
        "max" => json!("max_rl"),
        "kimi" => json!({"estimator": "kimi"}),
        "gdpo" if id == "gdpo_trl" => {
            json!({"estimator": "gdpo", "ddof": params["std_ddof"], "eps": params["eps"]})
        }
        _ => return None,
    };
    if let Some(tau) = params.get("tau") {
        config["tau"] = tau.clone();
    }
    Some(config)
}

#[test]
fn estimators_that_need_rewards_alone_match_the_vectors() {
    let mut n_checked = 0;
    for row in section("/advantages") {
        let id = row["id"].as_str().unwrap();
        let Some(config) = estimator(id, &row["params"]) else { continue };
        let estimator = Estimator::from_value(&config).unwrap();
        let inputs = &row["inputs"];
        let ids: Vec<&str> =
            inputs["group_ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
        let weights: Vec<f64> =
            row["params"].get("weights").map_or(vec![], |w| numbers(w).into_iter().flatten().collect());
        let per_function: Option<Vec<Vec<Option<f64>>>> =
            inputs.get("rewards_per_fn").map(|rows| rows.as_array().unwrap().iter().map(numbers).collect());
        let rewards: Vec<Option<f64>> = match &per_function {
            Some(rows) => rows
                .iter()
                .map(|scores| Some(scores.iter().zip(&weights).map(|(s, w)| s.unwrap() * w).sum()))
                .collect(),
            None => numbers(&inputs["rewards"]),
        };
        let lengths = inputs.get("lengths").map(numbers);

        let mut groups: Vec<GroupRewards> = Vec::new();
        for (index, id) in ids.iter().enumerate() {
            if index == 0 || ids[index - 1] != *id {
                let components = weights.iter().map(|w| (*w, Vec::new())).collect();
                groups.push(GroupRewards { components, ..GroupRewards::default() });
            }
            let group = groups.last_mut().unwrap();
            group.rewards.push(rewards[index]);
            group.n_tokens.push(lengths.as_ref().and_then(|l| l[index]).map(|l| l as u32));
            for (k, (_, scores)) in group.components.iter_mut().enumerate() {
                scores.push(per_function.as_ref().unwrap()[index][k]);
            }
        }
        let flat: Vec<Option<f64>> = estimator.advantages(&groups).unwrap().into_iter().flatten().collect();
        for (index, expected) in numbers(&row["expected"]["advantage"]).into_iter().enumerate() {
            assert_eq!(
                flat[index].is_none(),
                rewards[index].is_none(),
                "{id}: a null reward has no advantage"
            );
            assert_close(flat[index].unwrap_or(0.0), expected.unwrap(), &format!("{id}[{index}]"));
        }
        n_checked += 1;
    }
    assert_eq!(n_checked, 18);
}

#[test]
fn a_missing_length_is_named() {
    let estimator = Estimator::from_value(&json!("opo")).unwrap();
    let group = GroupRewards {
        rewards: vec![Some(1.0), Some(0.0)],
        n_tokens: vec![Some(3), None],
        ..Default::default()
    };
    assert_eq!(estimator.advantages(&[group]).unwrap_err().pointer, "/groups/0/completions/1/n_tokens");
}

#[test]
fn wrong_parameters_are_refused() {
    for config in [
        json!("grpoo"),
        json!({"estimator": "grpo", "eps": -1.0}),
        json!({"estimator": "grpo", "epsilon": 0.1}),
        json!({"estimator": "grpo", "ddof": 2}),
        json!({"estimator": "kimi", "tau": 0.0}),
        json!({"scale": "group"}),
        json!(3),
    ] {
        assert!(Estimator::from_value(&config).is_err(), "{config}");
    }
}
