//! Models made for a test.

use std::path::{Path, PathBuf};

use candle_core::Device;
use llama::{CacheType, Context, ContextOptions, FlashAttention, Model, Row};
use policy::config::Family;
use policy::gguf::{Dtype, ExportOptions, export};
use policy::packed::Packed;
use policy::tokenizer::Tokenizer;
use policy::{ModelConfig, Policy, Sizes};

pub(crate) const FAMILIES: [Family; 3] = [Family::Llama, Family::Qwen2, Family::Qwen3];

/// A model with random weights that are large enough to make its logits differ, and its tokenizer.
pub(crate) fn tiny(family: Family, tied: bool, seed: u64) -> (Policy, Tokenizer) {
    let characters: String = std::iter::once('\n').chain(' '..='~').collect();
    let tokenizer =
        Tokenizer::small(&["<think>".to_owned(), "</think>".to_owned()], &characters, None).unwrap();
    let sizes = Sizes {
        family,
        hidden_size: 64,
        intermediate_size: 96,
        n_layers: 2,
        n_heads: 4,
        n_kv_heads: 2,
        max_position_embeddings: 256,
        tie_word_embeddings: tied,
        ..Sizes::default()
    };
    let mut config = ModelConfig::from_sizes(&sizes, tokenizer.vocabulary()).unwrap();
    tokenizer.describe(&mut config);
    let policy = Policy::random(config, seed, &Device::Cpu).unwrap();
    for var in policy.parameters() {
        if var.dims().len() == 2 {
            var.set(&(var.as_tensor() * 6.0).unwrap()).unwrap();
        }
    }
    (policy, tokenizer)
}

/// Its file.
pub(crate) fn file(policy: &Policy, tokenizer: &Tokenizer, dtype: Dtype, folder: &Path) -> PathBuf {
    let path = folder.join("model.gguf");
    let options = ExportOptions { dtype, ..ExportOptions::default() };
    export(policy, tokenizer, &options, &path, |_, _| {}).unwrap();
    path
}

pub(crate) fn options() -> ContextOptions {
    ContextOptions {
        tokens: 1024,
        sequences: 8,
        batch: 256,
        cache: CacheType::F32,
        flash_attention: FlashAttention::Off,
        ..ContextOptions::default()
    }
}

pub(crate) fn context(model: &Model) -> Context {
    Context::new(model, &options()).unwrap()
}

/// A text's tokens.
pub(crate) fn text(n: usize) -> Vec<u32> {
    (0..n).map(|i| ((i * 37 + i * i * 11) % 90 + 5) as u32).collect()
}

pub(crate) fn rows(tokens: &[u32], sequence: u32) -> Vec<Row> {
    let row = |(position, token): (usize, &u32)| Row {
        token: *token,
        position: position as u32,
        sequence,
        logits: true,
    };
    tokens.iter().enumerate().map(row).collect()
}

/// The same with logits for the last one alone.
pub(crate) fn rows_to_the_end(tokens: &[u32], sequence: u32) -> Vec<Row> {
    let mut rows = rows(tokens, sequence);
    let last = rows.len() - 1;
    rows[..last].iter_mut().for_each(|row| row.logits = false);
    rows
}

/// For each token but the first the log-probability that llama.cpp gives it.
pub(crate) fn engine_logprobs(context: &mut Context, tokens: &[u32]) -> Vec<f32> {
    context.clear();
    context.decode(&rows(tokens, 0)).unwrap();
    (1..tokens.len())
        .map(|i| {
            let logits = context.logits(i - 1).unwrap();
            let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let sum: f64 = logits.iter().map(|logit| f64::from(logit - top).exp()).sum();
            (f64::from(logits[tokens[i] as usize] - top) - sum.ln()) as f32
        })
        .collect()
}

/// The same by the learner.
pub(crate) fn learner_logprobs(policy: &Policy, tokens: &[u32]) -> Vec<f32> {
    let mut packed = Packed::default();
    packed.push_group(&tokens[..1], [&tokens[1..]]).unwrap();
    policy.scores(&packed, 1.0).unwrap().logprobs
}

pub(crate) fn farthest(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}
