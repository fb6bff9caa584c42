//! Engines side by side: new tokens a second with prompts of 512 tokens that groups of 8 share, and how long new
//! weights take to reach the engine.
//!
//! `cargo bench --features llama --bench engines`; `-- --test` for a run too short to measure anything. Three things
//! decode the same made-up model (f32, about 30 million weights): llama.cpp driven as its own batched bench does, with
//! no token chosen; our engine over llama.cpp, which chooses every token and reports its log-probability; and the
//! native engine. Settings of llama.cpp are the same in both.
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

use std::sync::Arc;
use std::time::Instant;

use gavel::rollout::{LlamaEngine, LlamaLogits, LlamaSettings, RolloutEngine as _};
use llama::{CacheType, Context, ContextOptions, FlashAttention, Model, ModelOptions, Row};
use policy::config::Family;
use policy::decode::{EngineLimits, Prompt, Sampling, Statistics, generate, generate_with};
use policy::gguf::{Dtype, ExportOptions, export};
use policy::tokenizer::Tokenizer;
use policy::{LoraConfig, ModelConfig, Policy, Sizes, lora};

const PROMPT: usize = 512;
const GROUP: usize = 8;

/// How much is measured.
struct Size {
    layers: usize,
    new_tokens: usize,
    sequences: &'static [usize],
    repeats: usize,
}

fn model(size: &Size) -> (Policy, Arc<Tokenizer>) {
    let words: Vec<String> = (0..8000).map(|i| format!("<w{i}>")).collect();
    let tokenizer = Tokenizer::small(&words, "abcdefgh", None).unwrap();
    let sizes = Sizes {
        family: Family::Qwen2,
        hidden_size: 512,
        intermediate_size: 1408,
        n_layers: size.layers,
        n_heads: 8,
        n_kv_heads: 2,
        max_position_embeddings: 1024,
        ..Sizes::default()
    };
    let mut config = ModelConfig::from_sizes(&sizes, tokenizer.vocabulary()).unwrap();
    tokenizer.describe(&mut config);
    (Policy::random(config, 1, &candle_core::Device::Cpu).unwrap(), Arc::new(tokenizer))
}

fn prompt(p: usize) -> Vec<u32> {
    (0..PROMPT).map(|i| ((i * 31 + p * 7919) % 7000 + 16) as u32).collect()
}

fn options(sequences: usize, threads: usize) -> ContextOptions {
    ContextOptions {
        tokens: (sequences.div_ceil(GROUP) * PROMPT + sequences * 128) as u32,
        sequences: (2 * sequences).max(2) as u32,
        batch: 512,
        threads: threads as u32,
        flash_attention: FlashAttention::Auto,
        cache: CacheType::F16,
        unified: true,
    }
}

/// llama.cpp alone: prompts computed once and shared, then passes of one row for each sequence.
fn alone(model: &Model, sequences: usize, new_tokens: usize, threads: usize) -> f64 {
    let mut context = Context::new(model, &options(sequences, threads)).unwrap();
    for group in 0..sequences.div_ceil(GROUP) {
        let first = group * GROUP;
        let row = |(i, token): (usize, u32)| Row {
            token,
            position: i as u32,
            sequence: first as u32,
            logits: i + 1 == PROMPT,
        };
        let rows: Vec<Row> = prompt(group).into_iter().enumerate().map(row).collect();
        context.decode(&rows).unwrap();
        for sequence in first + 1..(first + GROUP).min(sequences) {
            context.copy_sequence(first as u32, sequence as u32).unwrap();
        }
    }
    let clock = Instant::now();
    for step in 0..new_tokens {
        let row = |sequence: usize| Row {
            token: ((sequence * 17 + step * 29) % 7000 + 16) as u32,
            position: (PROMPT + step) as u32,
            sequence: sequence as u32,
            logits: true,
        };
        context.decode(&(0..sequences).map(row).collect::<Vec<_>>()).unwrap();
    }
    (sequences * new_tokens) as f64 / clock.elapsed().as_secs_f64()
}

/// One engine of ours over groups; new tokens a second of the steps, without the prompts.
fn ours(
    sequences: usize,
    new_tokens: usize,
    run: impl FnOnce(&[Prompt<'_>], &Sampling, &EngineLimits) -> Statistics,
) -> f64 {
    let groups = sequences.div_ceil(GROUP);
    let prompts: Vec<Vec<u32>> = (0..groups).map(prompt).collect();
    let seeds: Vec<u64> = (0..sequences.min(GROUP) as u64).collect();
    let asked: Vec<Prompt<'_>> = prompts.iter().map(|tokens| Prompt { tokens, seeds: &seeds }).collect();
    // The first token comes from the prompt.
    let sampling = Sampling { max_tokens: new_tokens + 1, ..Sampling::default() };
    let statistics =
        run(&asked, &sampling, &EngineLimits { max_batch: sequences, ..EngineLimits::default() });
    statistics.rows as f64 / statistics.decoding.as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn sync_times(policy: &Policy, tokenizer: &Arc<Tokenizer>, repeats: usize, threads: usize) {
    let mut adapted = policy.clone();
    lora::add(&mut adapted, &LoraConfig { rank: 16, alpha: 32.0, ..LoraConfig::default() }, 1).unwrap();
    for (name, policy) in [("adapters of rank 16", &adapted), ("all weights", policy)] {
        let settings = LlamaSettings {
            model: None,
            dtype: Dtype::F32,
            gpu_layers: None,
            flash_attention: FlashAttention::Auto,
            cache: CacheType::F16,
            context_tokens: 4096,
            batch_tokens: 512,
            threads,
            max_sequences: 64,
        };
        let mut engine = LlamaEngine::new(settings, Arc::clone(tokenizer)).unwrap();
        engine.sync(policy, 0).unwrap();
        let first = engine.last_sync();
        let times = (0..=2 * repeats)
            .map(|version| {
                engine.sync(policy, version as u64).unwrap();
                engine.last_sync().as_secs_f64() * 1e3
            })
            .collect();
        let first = first.as_secs_f64() * 1e3;
        println!(
            "sync of {name}: {:.2} ms a step (the first, with the model's loading: {first:.0} ms)",
            median(times)
        );
    }
}

fn main() {
    let short = std::env::args().any(|argument| argument == "--test");
    let size = if short {
        Size { layers: 1, new_tokens: 2, sequences: &[1, 8], repeats: 1 }
    } else {
        Size { layers: 8, new_tokens: 64, sequences: &[1, 8, 32, 64], repeats: 3 }
    };
    let threads = rayon::current_num_threads();
    let (policy, tokenizer) = model(&size);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    let as_it_is = ExportOptions { dtype: Dtype::F32, ..ExportOptions::default() };
    export(&policy, &tokenizer, &as_it_is, &path, |_, _| {}).unwrap();
    let gguf = Model::load(&path, &ModelOptions::default()).unwrap();
    println!(
        "{:.1} M weights in f32, {threads} threads; llama.cpp was built for {}",
        gguf.n_parameters() as f64 / 1e6,
        llama::instructions().join(", ")
    );
    println!("new tokens a second; prompts of {PROMPT} tokens, groups of {GROUP}");
    for sequences in size.sequences.iter().copied() {
        let (mut theirs, mut mine, mut native) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..size.repeats {
            theirs.push(alone(&gguf, sequences, size.new_tokens, threads));
            mine.push(ours(sequences, size.new_tokens, |prompts, sampling, limits| {
                let context = Context::new(&gguf, &options(sequences, threads)).unwrap();
                let mut engine = LlamaLogits::new(context);
                generate_with(&mut engine, prompts, sampling, limits, None, &mut |_| ()).unwrap()
            }));
            native.push(ours(sequences, size.new_tokens, |prompts, sampling, limits| {
                generate(&policy.config, &policy.weights, prompts, sampling, limits, None, &mut |_| ())
                    .unwrap()
            }));
        }
        println!(
            "{sequences:>4} sequences: llama.cpp alone {:>8.0}, engine llama {:>8.0}, engine native {:>8.0}",
            median(theirs),
            median(mine),
            median(native)
        );
    }
    sync_times(&policy, &tokenizer, size.repeats, threads);
}
