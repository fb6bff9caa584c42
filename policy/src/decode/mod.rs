//! Decoding: batches of sequences sampled straight from the learner's tensors.
//!
//! Each prompt is computed once and its keys and values are read by all sequences that continue it. Sequences leave
//! the batch when they end and others join. What a sequence samples is a function of the weights, its prompt, its
//! seed and the [`Sampling`] alone: on the CPU not one bit depends on the batch, its order or the threads.

mod attention;
mod batch;
mod budget;
mod cache;
mod closed;
mod constraint;
mod distribution;
mod elementwise;
mod generation;
mod graph;
mod kernel;
mod likeliest;
mod logits;
mod native;
mod random;
mod repetition;
mod request;
mod sampling;
mod sequence;
mod snapshot;
mod source;
mod step;
mod stop;

use std::time::Instant;

pub use self::constraint::Constraint;
pub use self::generation::{EngineLimits, Finish, Generated, Prompt, Statistics};
pub use self::logits::{LogitsEngine, NextToken};
pub use self::random::uniform;
pub use self::request::{Begun, Bounds, Request};
pub use self::sampling::{RepetitionGuard, Sampling, ThinkingBudget};
pub use self::source::{Load, Next, Queue, Source, Taken};
pub use self::step::Split;
pub use self::stop::{Decode, StopString};

use self::cache::PAGE;
use self::closed::Closed;
use self::graph::Graph;
use self::logits::Chooser;
use self::native::Native;
use self::snapshot::Snapshot;
use crate::config::ModelConfig;
use crate::error::Result;
use crate::weights::Weights;

/// Samples one sequence for each seed of each prompt.
///
/// `decode` turns tokens into text; only stop strings need it. `on_finished` is handed each sequence when it ends,
/// between two steps, in the order in which they end.
///
/// # Errors
/// Before anything is sampled: a setting, limit or prompt that cannot be (the message names it), a prompt that does
/// not fit the model's context together with `max_tokens`. While sampling: logits that are not numbers.
pub fn generate(
    config: &ModelConfig,
    weights: &Weights,
    prompts: &[Prompt<'_>],
    sampling: &Sampling,
    limits: &EngineLimits,
    decode: Option<Decode<'_>>,
    on_finished: &mut dyn FnMut(Generated),
) -> Result<Statistics> {
    if !weights.embedding.device().is_cpu() {
        return generate_on_device(config, weights, prompts, sampling, limits, decode, on_finished);
    }
    let bounds = bounds(config, limits);
    check(&bounds, prompts, sampling, limits, decode)?;
    let Some(longest) = longest(prompts) else { return Ok(Statistics::default()) };
    let clock = Instant::now();
    let snapshot = Snapshot::new(config, weights, longest + sampling.max_tokens)?;
    let copying = clock.elapsed();
    let mut engine = Native::new(config, &snapshot, limits);
    let mut statistics = Closed::new(prompts, sampling, on_finished)
        .run(|source| batch::run(&mut engine, &bounds, limits, decode, source))?;
    statistics.copying = copying;
    Ok(statistics)
}

/// The same with the tensor library's operations, on whatever device the weights are. [`generate`] calls it for
/// devices other than the CPU.
///
/// # Errors
/// As [`generate`].
pub fn generate_on_device(
    config: &ModelConfig,
    weights: &Weights,
    prompts: &[Prompt<'_>],
    sampling: &Sampling,
    limits: &EngineLimits,
    decode: Option<Decode<'_>>,
    on_finished: &mut dyn FnMut(Generated),
) -> Result<Statistics> {
    let bounds = bounds(config, limits);
    check(&bounds, prompts, sampling, limits, decode)?;
    let Some(longest) = longest(prompts) else { return Ok(Statistics::default()) };
    let sequences = prompts.iter().map(|prompt| prompt.seeds.len()).sum();
    let mut engine = Graph::new(config, weights, limits, longest + sampling.max_tokens, sequences)?;
    Closed::new(prompts, sampling, on_finished)
        .run(|source| batch::run(&mut engine, &bounds, limits, decode, source))
}

/// The same with an engine that computes logits somewhere else.
///
/// # Errors
/// As [`generate`]; what the engine says.
pub fn generate_with<E: LogitsEngine<Cells: Send>>(
    engine: &mut E,
    prompts: &[Prompt<'_>],
    sampling: &Sampling,
    limits: &EngineLimits,
    decode: Option<Decode<'_>>,
    on_finished: &mut dyn FnMut(Generated),
) -> Result<Statistics> {
    let bounds = engine.bounds();
    check(&bounds, prompts, sampling, limits, decode)?;
    Closed::new(prompts, sampling, on_finished)
        .run(|source| batch::run(&mut Chooser::new(engine), &bounds, limits, decode, source))
}

/// Decodes what `source` asks for, request by request, until it says that there is no more: a batch that stays open
/// while others join. A sequence has the same bits as [`generate`] gives it. The weights are those of the call: what
/// is done to them while it runs has no effect.
///
/// `positions` is the most tokens of a prompt and what follows it; room for them is made at once.
///
/// # Errors
/// A limit that cannot be. While sampling: logits that are not numbers. A request that cannot be done is told to
/// `source` and is no error of the batch.
pub fn open(
    config: &ModelConfig,
    weights: &Weights,
    positions: usize,
    limits: &EngineLimits,
    decode: Option<Decode<'_>>,
    source: &mut dyn Source,
) -> Result<Statistics> {
    limits.check()?;
    let positions = positions.clamp(1, config.max_position_embeddings);
    let bounds = Bounds { positions, ..bounds(config, limits) };
    if !weights.embedding.device().is_cpu() {
        let mut engine = Graph::new(config, weights, limits, positions, limits.max_batch)?;
        return batch::run(&mut engine, &bounds, limits, decode, source);
    }
    let clock = Instant::now();
    let snapshot = Snapshot::new(config, weights, positions)?;
    let copying = clock.elapsed();
    let mut engine = Native::new(config, &snapshot, limits);
    let mut statistics = batch::run(&mut engine, &bounds, limits, decode, source)?;
    statistics.copying = copying;
    Ok(statistics)
}

/// The same with an engine that computes logits somewhere else.
///
/// # Errors
/// As [`open`]; what the engine says.
pub fn open_with<E: LogitsEngine<Cells: Send>>(
    engine: &mut E,
    limits: &EngineLimits,
    decode: Option<Decode<'_>>,
    source: &mut dyn Source,
) -> Result<Statistics> {
    limits.check()?;
    let bounds = engine.bounds();
    batch::run(&mut Chooser::new(engine), &bounds, limits, decode, source)
}

/// What the engines of this crate can do.
fn bounds(config: &ModelConfig, limits: &EngineLimits) -> Bounds {
    Bounds {
        vocabulary: config.vocab_size,
        positions: config.max_position_embeddings,
        cache_tokens: limits.cache_tokens,
        page: PAGE,
    }
}

/// Checks everything before anything is computed.
fn check(
    bounds: &Bounds,
    prompts: &[Prompt<'_>],
    sampling: &Sampling,
    limits: &EngineLimits,
    decode: Option<Decode<'_>>,
) -> Result<()> {
    bounds.check_sampling(sampling, decode.is_some())?;
    limits.check()?;
    for (i, prompt) in prompts.iter().enumerate() {
        bounds.check_prompt(i, prompt.tokens, sampling.max_tokens)?;
    }
    Ok(())
}

/// Tokens of the longest prompt that is continued.
fn longest(prompts: &[Prompt<'_>]) -> Option<usize> {
    prompts.iter().filter(|prompt| !prompt.seeds.is_empty()).map(|prompt| prompt.tokens.len()).max()
}

#[cfg(test)]
mod tests;
