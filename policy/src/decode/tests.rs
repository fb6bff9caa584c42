//! Tests of decoding as a whole.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor, Var};
use serde_json::Value;

use super::*;
use crate::packed::Packed;
use crate::weights::{Adapter, Layer, Linear};

pub(crate) const MODELS: [&str; 3] = ["llama", "qwen2_tied", "qwen3"];

pub(crate) fn folder(name: &str) -> PathBuf {
    Path::new("testdata/tiny_models").join(name)
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

#[test]
fn log_probabilities_are_those_of_the_reference() {
    for name in MODELS {
        let model = tiny(name);
        let expected = expected(name);
        for (temperature, field) in [(1.0, "completion_logp"), (0.7, "completion_logp_T0.7")] {
            let rows = expected["rows"].as_array().expect("rows");
            for (row, logprobs) in rows.iter().zip(expected[field].as_array().expect("rows")) {
                // The reference's tokens are forced in one by one, as prompts of growing length, and each one's
                // log-probability is read from many draws.
                let row = tokens(row);
                for (i, logprob) in logprobs.as_array().expect("a list").iter().enumerate() {
                    let seeds: Vec<u64> = (0..4000).collect();
                    let prompts = [Prompt { tokens: &row[..3 + i], seeds: &seeds }];
                    let sampling = Sampling { temperature, max_tokens: 1, ..Sampling::default() };
                    let all = sample(&model, &prompts, &sampling, &EngineLimits::default()).expect("tokens");
                    let Some(one) = all.iter().find(|one| one.tokens[0] == row[3 + i]) else { continue };
                    let expected = logprob.as_f64().expect("a number") as f32;
                    assert!((one.logprobs[0] - expected).abs() < 2e-5, "{name} {i}: {one:?} {expected}");
                }
            }
        }
    }
}

/// Prompts of several lengths, and as many seeds for each.
pub(crate) fn prompts(lengths: &[usize]) -> Vec<Vec<u32>> {
    lengths
        .iter()
        .enumerate()
        .map(|(p, n)| (0..*n).map(|i| ((p * 13 + i * 7) % 48) as u32).collect())
        .collect()
}

#[test]
fn the_tensor_library_samples_the_same_tokens() {
    for name in MODELS {
        let mut model = tiny(name);
        if name == "qwen3" {
            adapt(&mut model.1);
        }
        let texts = prompts(&[3, 17, 1, 20, 16]);
        let seeds: Vec<u64> = (0..7).collect();
        let asked: Vec<Prompt<'_>> = texts.iter().map(|tokens| Prompt { tokens, seeds: &seeds }).collect();
        let sampling =
            Sampling { max_tokens: 24, stop_tokens: vec![2, 9, 30], top_p: 0.95, ..Sampling::default() };
        for max_batch in [1, 4, 64] {
            let limits = EngineLimits { max_batch, ..EngineLimits::default() };
            let ours = sample(&model, &asked, &sampling, &limits).expect("sequences");
            let mut theirs = Vec::new();
            let (config, weights) = &model;
            generate_on_device(config, weights, &asked, &sampling, &limits, None, &mut |one| {
                theirs.push(one);
            })
            .expect("sequences");
            theirs.sort_by_key(|one| (one.prompt, one.index));
            assert_eq!(ours.len(), theirs.len());
            for (ours, theirs) in ours.iter().zip(&theirs) {
                assert_eq!(ours.tokens, theirs.tokens, "{name}");
                assert_eq!(ours.finish, theirs.finish);
                for (a, b) in ours.logprobs.iter().zip(&theirs.logprobs) {
                    assert!((a - b).abs() < 2e-5, "{name}: {a} and {b}");
                }
            }
        }
    }
}

/// Puts an adapter beside some of the matrices.
pub(crate) fn adapt(weights: &mut Weights) {
    for layer in &mut weights.layers {
        for linear in [&mut layer.q, &mut layer.v, &mut layer.down] {
            let (o, i) = linear.weight.dims2().expect("a matrix");
            let matrix = |rows: usize, columns: usize| {
                let values: Vec<f32> =
                    (0..rows * columns).map(|n| ((n * 37 % 101) as f32 / 101.0 - 0.5) * 0.3).collect();
                Var::from_tensor(&Tensor::from_vec(values, (rows, columns), &Device::Cpu).expect("a tensor"))
                    .expect("a variable")
            };
            linear.adapter = Some(Adapter { a: matrix(3, i), b: matrix(o, 3), scale: 0.7 });
        }
    }
}

/// A model with numbers of its own: widths that fill no panel, or wide enough that threads share products.
#[allow(clippy::many_single_char_names)]
fn made(
    h: usize,
    heads: usize,
    kv: usize,
    d: usize,
    wide: usize,
    vocabulary: usize,
) -> (ModelConfig, Weights) {
    let Value::Object(raw) = serde_json::json!({
        "model_type": "qwen3", "hidden_size": h, "num_hidden_layers": 2, "num_attention_heads": heads,
        "num_key_value_heads": kv, "head_dim": d, "intermediate_size": wide, "vocab_size": vocabulary,
        "max_position_embeddings": 512,
    }) else {
        unreachable!()
    };
    let config = ModelConfig::from_raw(raw).expect("a configuration");
    let mut count = 0_u64;
    let mut matrix = |shape: &[usize], centre: f32, spread: f32| {
        let values: Vec<f32> = (0..shape.iter().product())
            .map(|_| {
                count += 1;
                centre + spread * (uniform(7, count) as f32 - 0.5)
            })
            .collect();
        Var::from_tensor(&Tensor::from_vec(values, shape, &Device::Cpu).expect("a tensor"))
            .expect("a variable")
    };
    let layers = (0..2)
        .map(|_| {
            let mut linear =
                |o: usize, i: usize| Linear { weight: matrix(&[o, i], 0.0, 0.3), bias: None, adapter: None };
            let (q, k, v, o) =
                (linear(heads * d, h), linear(kv * d, h), linear(kv * d, h), linear(h, heads * d));
            let (gate, up, down) = (linear(wide, h), linear(wide, h), linear(h, wide));
            Layer {
                input_norm: matrix(&[h], 1.0, 0.2),
                q,
                k,
                v,
                o,
                q_norm: Some(matrix(&[d], 1.0, 0.2)),
                k_norm: Some(matrix(&[d], 1.0, 0.2)),
                post_norm: matrix(&[h], 1.0, 0.2),
                gate,
                up,
                down,
            }
        })
        .collect();
    let weights = Weights {
        embedding: matrix(&[vocabulary, h], 0.0, 1.0),
        layers,
        final_norm: matrix(&[h], 1.0, 0.2),
        head: Some(matrix(&[vocabulary, h], 0.0, 0.5)),
    };
    (config, weights)
}

/// A sequence's tokens, the bits of its log-probabilities, and why it ended.
type Bits = (Vec<u32>, Vec<u32>, Finish);

fn bits(one: &Generated) -> Bits {
    (one.tokens.clone(), one.logprobs.iter().map(|l| l.to_bits()).collect(), one.finish)
}

/// What each seed samples alone, on one thread.
fn alone(model: &(ModelConfig, Weights), text: &[u32], seed: u64, sampling: &Sampling) -> Bits {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool");
    let prompts = [Prompt { tokens: text, seeds: &[seed] }];
    let all =
        pool.install(|| sample(model, &prompts, sampling, &EngineLimits::default())).expect("a sequence");
    bits(&all[0])
}

/// How a batch may be put together.
#[derive(Clone, Debug)]
struct Arrangement {
    /// For each group the prompt and the seeds.
    groups: Vec<(usize, Vec<u64>)>,
    max_batch: usize,
    cache_tokens: usize,
    prefill_tokens: usize,
    threads: usize,
}

fn arrangements() -> impl proptest::strategy::Strategy<Value = Arrangement> {
    use proptest::prelude::*;
    let groups = prop::collection::vec((0_usize..5, prop::collection::vec(0_u64..6, 0..12)), 1..7);
    (groups, 1_usize..40, 64_usize..1000, 1_usize..40, 1_usize..6).prop_map(
        |(groups, max_batch, cache_tokens, prefill_tokens, threads)| Arrangement {
            groups,
            max_batch,
            cache_tokens,
            prefill_tokens,
            threads,
        },
    )
}

/// Whatever the batch, its order, its bounds and the threads: the bits are those of the sequence alone.
fn invariant(model: &(ModelConfig, Weights), sampling: &Sampling, cases: u32) {
    use proptest::test_runner::{Config, TestRunner};
    let texts = prompts(&[1, 5, 16, 17, 38]);
    let mut known: HashMap<(usize, u64), Bits> = HashMap::new();
    for (p, text) in texts.iter().enumerate() {
        for seed in 0..6 {
            known.insert((p, seed), alone(model, text, seed, sampling));
        }
    }
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    runner
        .run(&arrangements(), |arrangement| {
            let asked: Vec<Prompt<'_>> =
                arrangement.groups.iter().map(|(p, seeds)| Prompt { tokens: &texts[*p], seeds }).collect();
            let limits = EngineLimits {
                max_batch: arrangement.max_batch,
                cache_tokens: arrangement.cache_tokens.max(38 + sampling.max_tokens),
                prefill_tokens: arrangement.prefill_tokens,
            };
            let pool =
                rayon::ThreadPoolBuilder::new().num_threads(arrangement.threads).build().expect("a pool");
            let all = pool.install(|| sample(model, &asked, sampling, &limits)).expect("sequences");
            let count: usize = arrangement.groups.iter().map(|(_, seeds)| seeds.len()).sum();
            proptest::prop_assert_eq!(all.len(), count);
            for one in &all {
                let (p, seeds) = &arrangement.groups[one.prompt];
                proptest::prop_assert_eq!(&bits(one), &known[&(*p, seeds[one.index])]);
            }
            Ok(())
        })
        .expect("the same bits");
}

#[test]
fn bits_do_not_depend_on_the_batch() {
    for name in MODELS {
        let sampling = Sampling {
            max_tokens: 20,
            stop_tokens: vec![2, 9],
            repetition: Some(RepetitionGuard { ngram: 1, times: 4 }),
            ..Sampling::default()
        };
        invariant(&tiny(name), &sampling, 40);
    }
}

#[test]
fn bits_do_not_depend_on_the_batch_where_widths_are_odd() {
    let sampling = Sampling {
        max_tokens: 18,
        top_p: 0.9,
        temperature: 0.8,
        stop_tokens: vec![2],
        ..Sampling::default()
    };
    invariant(&made(36, 6, 2, 10, 52, 75), &sampling, 40);
}

#[test]
fn bits_do_not_depend_on_the_batch_where_threads_share_products() {
    let sampling = Sampling { max_tokens: 8, stop_tokens: vec![2, 9, 77], ..Sampling::default() };
    invariant(&made(128, 4, 1, 32, 640, 700), &sampling, 25);
}

#[test]
fn settings_that_cannot_be_are_named() {
    let model = tiny("llama");
    let base = Sampling { max_tokens: 4, ..Sampling::default() };
    let limits = EngineLimits::default();
    let budget = |max_tokens, inserted: &[u32], end: &[u32]| {
        Some(ThinkingBudget { max_tokens, inserted: inserted.to_vec(), end_marker: end.to_vec() })
    };
    let rows: Vec<(&str, Sampling)> = vec![
        ("temperature", Sampling { temperature: f32::NAN, ..base.clone() }),
        ("temperature", Sampling { temperature: -1.0, ..base.clone() }),
        ("temperature", Sampling { temperature: f32::INFINITY, ..base.clone() }),
        ("temperature", Sampling { temperature: 1e-30, ..base.clone() }),
        ("top_p", Sampling { top_p: 0.0, ..base.clone() }),
        ("top_p", Sampling { top_p: f32::NAN, ..base.clone() }),
        ("top_p", Sampling { top_p: 1.1, ..base.clone() }),
        ("min_p", Sampling { min_p: -0.1, ..base.clone() }),
        ("min_p", Sampling { min_p: f32::NAN, ..base.clone() }),
        ("max_tokens", Sampling { max_tokens: 0, ..base.clone() }),
        ("max_tokens", Sampling { max_tokens: 10_000, ..base.clone() }),
        ("max_tokens", Sampling { max_tokens: usize::MAX, ..base.clone() }),
        ("stop_tokens", Sampling { stop_tokens: vec![1, 48], ..base.clone() }),
        ("stop_strings", Sampling { stop_strings: vec![String::new()], ..base.clone() }),
        ("stop_strings", Sampling { stop_strings: vec!["a".to_owned()], ..base.clone() }),
        ("thinking.max_tokens", Sampling { thinking: budget(0, &[1], &[1]), ..base.clone() }),
        ("thinking.inserted", Sampling { thinking: budget(1, &[], &[1]), ..base.clone() }),
        ("thinking.end_marker", Sampling { thinking: budget(1, &[1], &[]), ..base.clone() }),
        ("thinking.inserted", Sampling { thinking: budget(1, &[99], &[1]), ..base.clone() }),
        (
            "repetition.ngram",
            Sampling { repetition: Some(RepetitionGuard { ngram: 0, times: 2 }), ..base.clone() },
        ),
        (
            "repetition.times",
            Sampling { repetition: Some(RepetitionGuard { ngram: 2, times: 1 }), ..base.clone() },
        ),
    ];
    for (field, sampling) in rows {
        let prompts = [Prompt { tokens: &[1, 2], seeds: &[1] }];
        let error = sample(&model, &prompts, &sampling, &limits).expect_err(field).to_string();
        assert!(error.contains(field), "{field}: {error}");
    }
    let rows: Vec<(&str, Vec<u32>, EngineLimits)> = vec![
        ("prompt 1 has no token", vec![], limits.clone()),
        ("token 48", vec![1, 48], limits.clone()),
        ("token 4294967295", vec![u32::MAX], limits.clone()),
        ("context", vec![1; 61], limits.clone()),
        ("context", vec![1; 1000], limits.clone()),
        ("max_batch", vec![1], EngineLimits { max_batch: 0, ..limits.clone() }),
        ("prefill_tokens", vec![1], EngineLimits { prefill_tokens: 0, ..limits.clone() }),
        ("cache_tokens", vec![1], EngineLimits { cache_tokens: 0, ..limits.clone() }),
        ("cache_tokens", vec![1; 20], EngineLimits { cache_tokens: 30, ..limits.clone() }),
    ];
    for (part, tokens, limits) in rows {
        let prompts = [Prompt { tokens: &[1, 2], seeds: &[1] }, Prompt { tokens: &tokens, seeds: &[1] }];
        let mut handed = 0;
        let error = generate(&model.0, &model.1, &prompts, &base, &limits, None, &mut |_| handed += 1)
            .expect_err(part)
            .to_string();
        assert!(error.contains(part), "{part}: {error}");
        assert_eq!(handed, 0, "nothing is sampled before everything is checked");
    }
}

#[test]
fn what_is_odd_and_allowed() {
    let model = tiny("qwen3");
    let base = Sampling { max_tokens: 4, ..Sampling::default() };
    let limits = EngineLimits::default();
    assert!(sample(&model, &[], &base, &limits).expect("nothing").is_empty());
    let none = [Prompt { tokens: &[1], seeds: &[] }];
    assert!(sample(&model, &none, &base, &limits).expect("nothing").is_empty());
    // The whole context, and equal seeds.
    let full = Sampling { max_tokens: 63, ..base.clone() };
    let twice = [Prompt { tokens: &[1], seeds: &[u64::MAX, 3, u64::MAX] }];
    let all = sample(&model, &twice, &full, &limits).expect("sequences");
    assert_eq!(all[0].tokens.len(), 63);
    assert_eq!(bits(&all[0]), bits(&all[2]));
    assert_ne!(bits(&all[0]), bits(&all[1]));
    let wide = Sampling { top_k: usize::MAX, top_p: 1.0, min_p: 1.0, ..base };
    let all = sample(&model, &twice, &wide, &limits).expect("sequences");
    assert!(all.iter().all(|one| one.logprobs.iter().all(|logprob| *logprob == 0.0)), "one token is left");
}

#[test]
fn weights_that_are_no_numbers_or_do_not_fit_are_an_error() {
    let (config, weights) = tiny("llama");
    let broken = Tensor::full(f32::NAN, (config.hidden_size,), &Device::Cpu).expect("a tensor");
    weights.layers[1].post_norm.set(&broken).expect("it fits");
    let model = (config, weights);
    let prompts = [Prompt { tokens: &[1, 2], seeds: &[1] }];
    let base = Sampling { max_tokens: 4, ..Sampling::default() };
    let error = sample(&model, &prompts, &base, &EngineLimits::default()).expect_err("NaN").to_string();
    assert!(error.contains("logits of token 0 of sequence 0 of prompt 0"), "{error}");
    let (config, weights) = tiny("llama");
    let model = (ModelConfig { intermediate_size: 65, ..config }, weights);
    let error = sample(&model, &prompts, &base, &EngineLimits::default()).expect_err("shapes").to_string();
    assert!(error.contains("gate_proj"), "{error}");
}

#[test]
fn a_thought_past_its_budget_is_ended() {
    let model = tiny("qwen2_tied");
    let budget = ThinkingBudget { max_tokens: 5, inserted: vec![7, 8, 40], end_marker: vec![40] };
    let sampling = Sampling { max_tokens: 20, thinking: Some(budget), ..Sampling::default() };
    let seeds: Vec<u64> = (0..60).collect();
    let text = [1, 7, 9];
    let prompts = [Prompt { tokens: &text, seeds: &seeds }];
    let all = sample(&model, &prompts, &sampling, &EngineLimits::default()).expect("sequences");
    let plain = Sampling { thinking: None, ..sampling };
    let free = sample(&model, &prompts, &plain, &EngineLimits::default()).expect("sequences");
    let (mut ended, mut cut) = (0, 0);
    for (one, free) in all.iter().zip(&free) {
        if free.tokens[..5].contains(&40) {
            ended += 1;
            assert_eq!(bits(one), bits(free), "a thought that ends by itself is left alone");
            assert!(one.sampled.iter().all(|sampled| *sampled));
            continue;
        }
        cut += 1;
        assert_eq!(one.tokens[..5], free.tokens[..5]);
        assert_eq!(one.tokens[5..8], [7, 8, 40]);
        assert_eq!(one.logprobs[5..8], [0.0; 3]);
        let expected: Vec<bool> = (0..20).map(|i| !(5..8).contains(&i)).collect();
        assert_eq!(one.sampled, expected);
        // What comes after was computed with what was inserted: it is what follows that text as a prompt.
        let longer: Vec<u32> = text.iter().chain(&one.tokens[..8]).copied().collect();
        let greedy = Sampling { temperature: 0.0, max_tokens: 1, ..plain.clone() };
        let logits = |sampling: &Sampling, seed| {
            let prompts = [Prompt { tokens: &longer, seeds: &[seed] }];
            sample(&model, &prompts, sampling, &EngineLimits::default()).expect("a token").remove(0)
        };
        let likeliest = logits(&greedy, 0);
        if one.tokens[8] == likeliest.tokens[0] {
            assert!((one.logprobs[8] - likeliest.logprobs[0]).abs() < 1e-5);
        }
    }
    assert!(ended > 0 && cut > 20, "{ended} and {cut}");
}

#[test]
fn a_text_ends_a_sequence_and_is_reported() {
    let model = tiny("llama");
    let decode = |tokens: &[u32]| tokens.iter().map(|t| char::from(b'A' + *t as u8)).collect::<String>();
    let strings = vec!["Q".to_owned(), "B".to_owned()];
    let sampling = Sampling { max_tokens: 30, stop_strings: strings.clone(), ..Sampling::default() };
    let seeds: Vec<u64> = (0..40).collect();
    let prompts = [Prompt { tokens: &[1, 2], seeds: &seeds }];
    let mut stopped = 0;
    let (config, weights) = &model;
    let limits = EngineLimits::default();
    generate(config, weights, &prompts, &sampling, &limits, Some(&decode), &mut |one| {
        let text = decode(&one.tokens);
        let first = text.find(['Q', 'B']);
        assert_eq!(one.stop_string.map(|stop| stop.at), first);
        assert_eq!(one.finish == Finish::Stop, first.is_some());
        if let Some(stop) = one.stop_string {
            stopped += 1;
            assert!(text.ends_with(&strings[stop.index]), "the token that completes it is the last");
        }
    })
    .expect("sequences");
    assert!(stopped > 10);
}

#[test]
fn the_cache_is_bounded_and_sequences_are_handed_over_as_they_end() {
    let model = tiny("llama");
    let sampling = Sampling { max_tokens: 20, stop_tokens: vec![2, 3, 5, 8], ..Sampling::default() };
    let seeds: Vec<u64> = (0..50).collect();
    let texts = prompts(&[20, 3]);
    let asked: Vec<Prompt<'_>> = texts.iter().map(|tokens| Prompt { tokens, seeds: &seeds }).collect();
    let (config, weights) = &model;
    let mut order = Vec::new();
    let limits = EngineLimits { max_batch: 100, cache_tokens: 32 + 3 * 32, prefill_tokens: 7 };
    let statistics = generate(config, weights, &asked, &sampling, &limits, None, &mut |one| {
        order.push((one.prompt, one.index, one.tokens.len()));
    })
    .expect("sequences");
    assert_eq!(statistics.sequences, 100);
    assert_eq!(statistics.prefill_tokens, 23, "each prompt is computed once");
    assert_eq!(statistics.tokens, order.iter().map(|(_, _, n)| n).sum::<usize>());
    let cell = config.head_dim + config.head_dim.next_multiple_of(16);
    let token = config.n_layers * config.n_kv_heads * cell * size_of::<f32>();
    assert!(statistics.cache_bytes <= limits.cache_tokens * token, "{statistics:?}");
    assert!(!order.is_sorted(), "a short one does not wait for a long one");
}

#[test]
fn the_learner_gives_sampled_tokens_the_same_log_probabilities() {
    let mut models: Vec<(ModelConfig, Weights)> = MODELS.into_iter().map(tiny).collect();
    models.push(made(36, 6, 2, 10, 52, 75));
    models.push(made(128, 4, 1, 32, 640, 700));
    let mut adapted = tiny("qwen2_tied");
    adapt(&mut adapted.1);
    models.push(adapted);
    let texts = prompts(&[3, 17, 32]);
    let seeds: Vec<u64> = (0..6).collect();
    let asked: Vec<Prompt<'_>> = texts.iter().map(|tokens| Prompt { tokens, seeds: &seeds }).collect();
    for (model, temperature) in models.iter().flat_map(|model| [(model, 1.0), (model, 0.7)]) {
        let sampling = Sampling { max_tokens: 24, temperature, stop_tokens: vec![2], ..Sampling::default() };
        let all = sample(model, &asked, &sampling, &EngineLimits::default()).expect("sequences");
        let mut packed = Packed::default();
        for (group, prompt) in all.chunk_by(|a, b| a.prompt == b.prompt).zip(&texts) {
            packed.push_group(prompt, group.iter().map(|one| one.tokens.as_slice())).expect("a group");
        }
        let scores =
            crate::fused::scores(&model.0, &model.1, &packed, temperature, &crate::fused::Options::default())
                .expect("scores");
        let sampled = all.iter().flat_map(|one| &one.logprobs);
        let worst = sampled.zip(&scores.logprobs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 2e-5, "{worst}");
    }
}

mod open;
