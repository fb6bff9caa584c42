//! What giving an engine new weights costs on our side: an adapter written as GGUF after a step of training, as a
//! share of that step; and a whole model in each type of number.
//!
//! `cargo bench -p policy --bench export`, with `-- --test` for a run too short to measure anything.

#![allow(clippy::print_stdout, missing_docs)]

use std::time::{Duration, Instant};

use candle_core::Device;
use policy::gguf::{self, AdapterExport, Dtype, ExportOptions};
use policy::lora::{self, LoraConfig};
use policy::{ModelConfig, Packed, Policy, Sizes, TokenGradients, Tokenizer};

/// Name, hidden width, layers, vocabulary, rank.
const MODELS: [(&str, usize, usize, usize, usize); 3] =
    [("quickstart", 128, 3, 110, 16), ("small", 256, 6, 4_096, 16), ("medium", 512, 12, 16_384, 32)];

/// Sequences and the tokens of each in a step: few, so that the share is an upper bound.
const BATCH: (usize, usize) = (16, 64);

fn main() {
    let test = std::env::args().any(|arg| arg == "--test");
    let rounds = if test { 1 } else { 9 };
    let models = if test { &MODELS[..1] } else { &MODELS };
    for (name, hidden, layers, vocabulary, rank) in models.iter().copied() {
        let policy = adapted(hidden, layers, vocabulary, rank);
        let step = median(rounds.min(3), || step(&policy));
        println!(
            "{name}: hidden {hidden}, {layers} layers, {vocabulary} tokens, rank {rank}; a pass forward and backward \
             over {} tokens takes {:.1} ms",
            BATCH.0 * BATCH.1,
            ms(step)
        );
        for dtype in [Dtype::F32, Dtype::F16] {
            let export = AdapterExport::new(&policy, dtype).expect("it has adapters");
            let mut bytes = Vec::new();
            export.write(&mut bytes).expect("room");
            let time = median(rounds, || export.write(&mut bytes).expect("room"));
            println!(
                "  adapter, {dtype:4} {:8.3} ms, {:5.2} % of it, {:.2} MB, {:.2} GB/s",
                ms(time),
                100.0 * time.as_secs_f64() / step.as_secs_f64(),
                bytes.len() as f64 / 1e6,
                bytes.len() as f64 / 1e9 / time.as_secs_f64()
            );
        }
        let tokenizer = Tokenizer::characters("0123456789", None).expect("it is sound");
        for dtype in Dtype::ALL {
            let options = ExportOptions { dtype, ..ExportOptions::default() };
            let mut size = 0;
            let time = median(rounds.min(3), || {
                size = gguf::bytes(&policy, &tokenizer, &options).expect("an equal").len();
            });
            println!("  model,   {dtype:4} {:8.3} ms, {:.2} MB", ms(time), size as f64 / 1e6);
        }
    }
}

fn adapted(hidden: usize, layers: usize, vocabulary: usize, rank: usize) -> Policy {
    let sizes = Sizes {
        hidden_size: hidden,
        intermediate_size: 3 * hidden,
        n_layers: layers,
        n_heads: hidden / 32,
        n_kv_heads: hidden / 64,
        ..Sizes::default()
    };
    let config = ModelConfig::from_sizes(&sizes, vocabulary).expect("they fit");
    let mut policy = Policy::random(config, 3, &Device::Cpu).expect("room");
    lora::add(&mut policy, &LoraConfig { rank, ..LoraConfig::default() }, 3).expect("it has none");
    policy
}

/// Forward and backward over a batch.
fn step(policy: &Policy) {
    let mut packed = Packed::default();
    for row in 0..BATCH.0 {
        let tokens: Vec<u32> =
            (0..=BATCH.1).map(|at| ((row * 31 + at * 7) % policy.config.vocab_size) as u32).collect();
        packed.push(&tokens, 1).expect("a sequence");
    }
    let mut gradients = policy.zero_gradients().expect("room");
    policy
        .accumulate(&packed, 1.0, &mut gradients, |scores| {
            Ok(TokenGradients { logprobs: vec![-1.0; scores.logprobs.len()], entropies: Vec::new() })
        })
        .expect("it fits");
}

fn median(rounds: usize, mut f: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..rounds)
        .map(|_| {
            let clock = Instant::now();
            f();
            clock.elapsed()
        })
        .collect();
    times.sort();
    times[times.len() / 2]
}

fn ms(time: Duration) -> f64 {
    1e3 * time.as_secs_f64()
}
