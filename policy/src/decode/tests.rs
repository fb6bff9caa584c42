//! Tests of decoding as a whole.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor, Var};
use serde_json::Value;

use super::*;
use crate::weights::{Adapter, Layer, Linear};

pub(crate) const MODELS: [&str; 3] = ["llama", "qwen2_tied", "qwen3"];

pub(crate) fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/tiny_models").join(name)
}

/// One of the tiny models, read here so that these tests stand alone.
pub(crate) fn tiny(name: &str) -> (ModelConfig, Weights) {
    let config = ModelConfig::read(&folder(name).join("config.json")).expect("a configuration");
    let tensors = candle_core::safetensors::load(folder(name).join("model.safetensors"), &Device::Cpu)
        .expect("the weights");
    (config.clone(), from_tensors(&config, &tensors))
}

fn from_tensors(config: &ModelConfig, tensors: &HashMap<String, Tensor>) -> Weights {
    let var = |name: &str| tensors.get(name).map(|t| Var::from_tensor(t).expect("a variable"));
    let needed = |name: String| var(&name).unwrap_or_else(|| panic!("no {name}"));
    let layers = (0..config.n_layers)
        .map(|i| {
            let linear = |name: &str| Linear {
                weight: needed(format!("model.layers.{i}.{name}.weight")),
                bias: var(&format!("model.layers.{i}.{name}.bias")),
                adapter: None,
            };
            let norm = |name: &str| var(&format!("model.layers.{i}.{name}.weight"));
            Layer {
                input_norm: norm("input_layernorm").expect("a norm"),
                q: linear("self_attn.q_proj"),
                k: linear("self_attn.k_proj"),
                v: linear("self_attn.v_proj"),
                o: linear("self_attn.o_proj"),
                q_norm: norm("self_attn.q_norm"),
                k_norm: norm("self_attn.k_norm"),
                post_norm: norm("post_attention_layernorm").expect("a norm"),
                gate: linear("mlp.gate_proj"),
                up: linear("mlp.up_proj"),
                down: linear("mlp.down_proj"),
            }
        })
        .collect();
    Weights {
        embedding: needed("model.embed_tokens.weight".to_owned()),
        layers,
        final_norm: needed("model.norm.weight".to_owned()),
        head: if config.tie_word_embeddings { None } else { Some(needed("lm_head.weight".to_owned())) },
    }
}

pub(crate) fn expected(name: &str) -> Value {
    let text = std::fs::read_to_string(folder(name).join("expected.json")).expect("expected values");
    serde_json::from_str(&text).expect("JSON")
}

pub(crate) fn tokens(value: &Value) -> Vec<u32> {
    value.as_array().expect("a list").iter().map(|t| t.as_u64().expect("a token") as u32).collect()
}

/// Everything that a call hands over, in the order of prompts and seeds.
pub(crate) fn sample(
    (config, weights): &(ModelConfig, Weights),
    prompts: &[Prompt<'_>],
    sampling: &Sampling,
    limits: &EngineLimits,
) -> Result<Vec<Generated>> {
    let mut all = Vec::new();
    generate(config, weights, prompts, sampling, limits, None, &mut |one| all.push(one))?;
    all.sort_by_key(|one| (one.prompt, one.index));
    Ok(all)
}

#[test]
fn greedy_decoding_is_that_of_the_reference() {
    for name in MODELS {
        let model = tiny(name);
        let rows: Vec<Vec<u32>> =
            expected(name)["greedy_12_tokens"].as_array().expect("a list").iter().map(tokens).collect();
        let prompts: Vec<Prompt<'_>> =
            rows.iter().map(|row| Prompt { tokens: &row[..3], seeds: &[1, 2] }).collect();
        let sampling =
            Sampling { temperature: 0.0, max_tokens: 12, stop_tokens: vec![2], ..Sampling::default() };
        let all = sample(&model, &prompts, &sampling, &EngineLimits::default()).expect("sequences");
        assert_eq!(all.len(), 4);
        for one in all {
            assert_eq!(one.tokens, rows[one.prompt][3..], "{name}");
            let stopped = one.tokens.last() == Some(&2);
            assert_eq!(one.finish, if stopped { Finish::Stop } else { Finish::Length });
        }
    }
}
