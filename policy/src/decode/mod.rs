//! Decoding: batches of sequences sampled straight from the learner's tensors.
//!
//! Each prompt is computed once and its keys and values are read by all sequences that continue it. Sequences leave
//! the batch when they end and others join. What a sequence samples is a function of the weights, its prompt, its
//! seed and the [`Sampling`] alone: on the CPU not one bit depends on the batch, its order or the threads.

mod attention;
mod batch;
mod budget;
mod cache;
mod distribution;
mod elementwise;

mod generation;
mod graph;
mod kernel;
mod native;
mod random;
mod repetition;
mod sampling;
mod sequence;
mod snapshot;
mod step;
mod stop;

use std::time::Instant;

pub use self::generation::{EngineLimits, Finish, Generated, Prompt, Statistics};
pub use self::random::uniform;
pub use self::sampling::{RepetitionGuard, Sampling, ThinkingBudget};
pub use self::step::Split;
pub use self::stop::{Decode, StopString};

use self::graph::Graph;
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
    batch::check(config, prompts, sampling, limits, decode)?;
    let Some(longest) = longest(prompts) else { return Ok(Statistics::default()) };
    let clock = Instant::now();
    let snapshot = Snapshot::new(config, weights, longest + sampling.max_tokens)?;
    let copying = clock.elapsed();
    let mut engine = Native::new(config, &snapshot, limits);
    let mut statistics = batch::run(&mut engine, prompts, sampling, limits, decode, on_finished)?;
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
    batch::check(config, prompts, sampling, limits, decode)?;
    let Some(longest) = longest(prompts) else { return Ok(Statistics::default()) };
    let sequences = prompts.iter().map(|prompt| prompt.seeds.len()).sum();
    let mut engine = Graph::new(config, weights, limits, longest + sampling.max_tokens, sequences)?;
    batch::run(&mut engine, prompts, sampling, limits, decode, on_finished)
}

/// Tokens of the longest prompt that is continued.
fn longest(prompts: &[Prompt<'_>]) -> Option<usize> {
    prompts.iter().filter(|prompt| !prompt.seeds.is_empty()).map(|prompt| prompt.tokens.len()).max()
}

#[cfg(test)]
mod tests;
