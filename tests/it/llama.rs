//! llama.cpp as the engine of a run, beside the native one.

use std::collections::HashMap;
use std::sync::Arc;

use gavel::rollout::{
    LlamaEngine, LlamaSettings, NativeEngine, Prompt, Rollout, RolloutEngine, SampleCost, SampleRequest,
};
use policy::config::Family;
use policy::decode::{EngineLimits, Sampling, ThinkingBudget};
use policy::gguf::Dtype;
use policy::tokenizer::Tokenizer;
use policy::{LoraConfig, ModelConfig, Policy, Sizes, lora};

use crate::learner::{Told, recipe, run};

fn tiny(family: Family) -> (Policy, Arc<Tokenizer>) {
    let characters: String = std::iter::once('\n').chain(' '..='~').collect();
    let tokenizer = Tokenizer::small(&["</think>".to_owned()], &characters, None).unwrap();
    let sizes = Sizes {
        family,
        hidden_size: 64,
        intermediate_size: 96,
        n_layers: 2,
        n_heads: 4,
        n_kv_heads: 2,
        max_position_embeddings: 128,
        initializer_range: 0.12,
        ..Sizes::default()
    };
    let mut config = ModelConfig::from_sizes(&sizes, tokenizer.vocabulary()).unwrap();
    tokenizer.describe(&mut config);
    let policy = Policy::random(config, 11, &candle_core::Device::Cpu).unwrap();
    (policy, Arc::new(tokenizer))
}

fn settings() -> LlamaSettings {
    LlamaSettings {
        model: None,
        dtype: Dtype::F32,
        gpu_layers: None,
        flash_attention: ::llama::FlashAttention::Off,
        cache: ::llama::CacheType::F32,
        context_tokens: 2048,
        batch_tokens: 64,
        threads: 1,
        max_sequences: 16,
    }
}

fn prompts(n: usize) -> Vec<Prompt> {
    let tokens = |p: usize| (0..5 + 3 * p).map(|i| ((i * 37 + p * 11) % 90 + 5) as u32).collect();
    (0..n).map(|p| Prompt { task: Arc::default(), tokens: tokens(p) }).collect()
}

fn sample(engine: &mut dyn RolloutEngine, sampling: &Sampling, seed: u64) -> (Vec<Rollout>, SampleCost) {
    let prompts = prompts(6);
    let request = SampleRequest::new(&prompts, 4, sampling, seed);
    let mut groups = HashMap::new();
    let sampled = engine
        .sample(&request, &mut |group| {
            groups.insert(group.index, group.rollouts);
        })
        .unwrap();
    ((0..6).flat_map(|p| groups.remove(&p).unwrap()).collect(), sampled.cost)
}

/// Moves every weight a little, as a step does.
fn step(policy: &Policy) {
    for (i, var) in policy.parameters().into_iter().enumerate() {
        let change: Vec<f32> = (0..var.elem_count()).map(|k| ((k + i) as f32 * 1.7).sin() * 0.03).collect();
        let change = candle_core::Tensor::from_vec(change, var.dims(), var.device()).unwrap();
        var.set(&(var.as_tensor() + change).unwrap()).unwrap();
    }
}

/// How many sequences are equal; of all tokens up to the first difference log-probabilities are.
fn equal(a: &[Rollout], b: &[Rollout]) -> usize {
    let mut n = 0;
    for (a, b) in a.iter().zip(b) {
        let same = a.tokens.iter().zip(&b.tokens).take_while(|(a, b)| a == b).count();
        for i in 0..same {
            assert!((a.logprobs[i] - b.logprobs[i]).abs() < 2e-3, "{} and {}", a.logprobs[i], b.logprobs[i]);
        }
        n += usize::from(a.tokens == b.tokens);
    }
    n
}

#[test]
fn it_samples_what_the_native_engine_samples() {
    for (family, adapts) in
        [(Family::Qwen2, false), (Family::Llama, true), (Family::Qwen3, false), (Family::Qwen3, true)]
    {
        let (mut policy, tokenizer) = tiny(family);
        if adapts {
            let config = LoraConfig { rank: 4, alpha: 8.0, ..LoraConfig::default() };
            lora::add(&mut policy, &config, 1).unwrap();
        }
        let text = Arc::clone(&tokenizer);
        let decode = Arc::new(move |tokens: &[u32]| text.decode(tokens, true).unwrap_or_default());
        let mut native = NativeEngine::new(&policy, decode, EngineLimits::default());
        let mut engine = LlamaEngine::new(settings(), Arc::clone(&tokenizer)).unwrap();
        let budget = ThinkingBudget {
            max_tokens: 9,
            inserted: tokenizer.encode("</think>", false).unwrap(),
            end_marker: tokenizer.encode("</think>", false).unwrap(),
        };
        let sampling = Sampling {
            max_tokens: 24,
            temperature: 0.8,
            thinking: Some(budget),
            stop_tokens: tokenizer.stop_tokens().to_vec(),
            stop_strings: vec!["Q".to_owned()],
            ..Sampling::default()
        };
        let mut last = Vec::new();
        for version in 0..4 {
            native.sync(&policy, version).unwrap();
            engine.sync(&policy, version).unwrap();
            let (expected, cost) = sample(&mut native, &sampling, 5);
            let (found, its_cost) = sample(&mut engine, &sampling, 5);
            assert_eq!(cost.n_prompt_tokens, its_cost.n_prompt_tokens, "each prompt is computed once");
            let same = equal(&found, &expected);
            assert!(same >= 22, "{family:?} {adapts}: {same} of 24 are equal");
            assert!(found.iter().all(|one| one.policy_versions.iter().all(|v| *v == version)));
            assert!(
                equal(&found, &sample(&mut engine, &sampling, 5).0) == 24,
                "the same batch, the same tokens"
            );
            let moved = last.is_empty() || found.iter().zip(&last).any(|(a, b): (&Rollout, &Rollout)| a != b);
            assert!(moved, "a step is seen");
            last = found;
            step(&policy);
        }
    }
}

#[test]
fn a_batch_of_another_shape_gives_the_same_but_for_the_last_bits() {
    let (policy, tokenizer) = tiny(Family::Qwen2);
    let sampling = Sampling { max_tokens: 24, ..Sampling::default() };
    let mut all = Vec::new();
    for (max_sequences, batch_tokens) in [(16, 64), (3, 16), (1, 7)] {
        let settings = LlamaSettings { max_sequences, batch_tokens, ..settings() };
        let mut engine = LlamaEngine::new(settings, Arc::clone(&tokenizer)).unwrap();
        engine.sync(&policy, 0).unwrap();
        all.push(sample(&mut engine, &sampling, 7).0);
    }
    assert!(equal(&all[0], &all[1]) >= 22 && equal(&all[0], &all[2]) >= 22);
}

#[test]
fn what_does_not_fit_is_told() {
    let (policy, tokenizer) = tiny(Family::Qwen2);
    let small = LlamaSettings { context_tokens: 40, max_sequences: 2, ..settings() };
    let mut engine = LlamaEngine::new(small, Arc::clone(&tokenizer)).unwrap();
    let sampling = Sampling { max_tokens: 300, ..Sampling::default() };
    let prompts = prompts(1);
    let request = SampleRequest::new(&prompts, 1, &sampling, 1);
    let error = engine.sample(&request, &mut |_| ()).unwrap_err().to_string();
    assert!(error.contains("no weights"), "{error}");
    engine.sync(&policy, 0).unwrap();
    let error = engine.sample(&request, &mut |_| ()).unwrap_err().to_string();
    assert!(error.contains("engine.llama.context_tokens"), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken.gguf");
    std::fs::write(&path, b"GGUF").unwrap();
    let (mut adapted, _) = tiny(Family::Qwen2);
    lora::add(&mut adapted, &LoraConfig::default(), 1).unwrap();
    let broken = LlamaSettings { model: Some(path), ..settings() };
    let mut engine = LlamaEngine::new(broken, tokenizer).unwrap();
    let error = engine.sync(&adapted, 0).unwrap_err().to_string();
    assert!(error.contains("broken.gguf") && error.contains("cut off"), "{error}");
    let error = engine.sync(&policy, 0).unwrap_err().to_string();
    assert!(error.contains("adapters alone"), "{error}");
}

#[test]
fn a_run_learns_from_it_and_shows_how_far_it_is_from_the_learner() {
    for (sets, most) in [
        (&["engine.llama.cache_dtype=f32"][..], 1e-4),
        (&["model.lora={rank=2, alpha=4}", "engine.llama.cache_dtype=f32"], 1e-4),
        (&["model.lora={rank=2, alpha=4}", "engine.llama.dtype=q8_0"], 5e-2),
    ] {
        let mut sets = sets.to_vec();
        sets.extend(["engine.kind=llama", "engine.llama.threads=1"]);
        let folder = tempfile::tempdir().unwrap();
        let mut told = Told::default();
        let outcome = run(&recipe(&sets), folder.path(), &mut told).unwrap();
        assert_eq!(outcome.step, 4);
        // A step whose rewards are all alike takes none and has nothing to measure.
        let measured: Vec<f64> =
            told.steps.iter().filter_map(|step| step.objective.get("mismatch/k3").copied()).collect();
        assert!(!measured.is_empty());
        assert!(measured.iter().all(|k3| k3.abs() < most), "{sets:?}: {measured:?}");
    }
}
