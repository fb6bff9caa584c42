//! What is asked for and what comes back.

use std::time::Duration;

use super::step::Split;
use super::stop::StopString;

/// A prompt and the seeds of the sequences that continue it.
#[derive(Clone, Copy, Debug)]
pub struct Prompt<'a> {
    /// At least one token.
    pub tokens: &'a [u32],
    /// One sequence for each; equal seeds give equal sequences.
    pub seeds: &'a [u64],
}

/// Why a sequence ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// A stop token, or a stop string.
    Stop,
    /// It has as many tokens as it may have.
    Length,
    /// It was taken for a loop.
    Repetition,
    /// Its constraint left no token and does not let the text end.
    DeadEnd,
    /// It was not wanted any more.
    Cancelled,
}

/// A finished sequence.
#[derive(Clone, Debug, PartialEq)]
pub struct Generated {
    /// Index of its prompt; in an open batch what its request is called.
    pub prompt: usize,
    /// Index of its seed.
    pub index: usize,
    /// What follows the prompt; a stop token that ended it is the last.
    pub tokens: Vec<u32>,
    /// For each token the log-probability under the distribution that it was drawn from, after temperature and
    /// cuts. At temperature 0: under the model's own distribution. 0 where the token was inserted.
    pub logprobs: Vec<f32>,
    /// False where the token was inserted and not drawn.
    pub sampled: Vec<bool>,
    /// Why it ended.
    pub finish: Finish,
    /// The stop string that ended it.
    pub stop_string: Option<StopString>,
}

/// What bounds the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineLimits {
    /// The most sequences that are decoded at once.
    pub max_batch: usize,
    /// The most tokens that the cache has room for. A sequence joins when there is room for its prompt (once for
    /// all that continue it) and for `max_tokens` more.
    pub cache_tokens: usize,
    /// The most tokens of a prompt that are computed at once.
    pub prefill_tokens: usize,
}

impl Default for EngineLimits {
    /// 256 sequences, a million tokens, prompts in parts of 256 tokens.
    fn default() -> Self {
        Self { max_batch: 256, cache_tokens: 1 << 20, prefill_tokens: 256 }
    }
}

/// What a call did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Statistics {
    /// Finished sequences.
    pub sequences: usize,
    /// Tokens of them, inserted ones included.
    pub tokens: usize,
    /// Tokens of prompts that were computed.
    pub prefill_tokens: usize,
    /// Steps of the batch.
    pub steps: usize,
    /// Rows of all steps; divided by steps it is the mean batch.
    pub rows: usize,
    /// Bytes of keys and values at the most.
    pub cache_bytes: usize,
    /// Copying the weights.
    pub copying: Duration,
    /// Computing prompts.
    pub prefill: Duration,
    /// Steps.
    pub decoding: Duration,
    /// In `on_finished`.
    pub handing_over: Duration,
    /// Where the threads' time went, prompts and steps together. Only where the processor computes.
    pub split: Split,
}
