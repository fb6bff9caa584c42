//! Continuous batching: who is decoded, who waits, who leaves.

use std::time::Instant;

use super::cache::PAGE;
use super::generation::{EngineLimits, Generated, Prompt, Statistics};
use super::sampling::Sampling;
use super::sequence::Sequence;
use super::stop::Decode;
use crate::config::ModelConfig;
use crate::error::{PolicyError, Result};

/// A sequence in the batch and what the engine keeps for it.
pub(crate) struct Row<'a, C> {
    pub(crate) sequence: Sequence<'a>,
    pub(crate) cells: C,
}

/// What computes: the processor's or the tensor library's.
pub(crate) trait Engine {
    /// What is kept of a prompt for those that continue it.
    type Prefix;
    /// What is kept for a sequence.
    type Cells;

    /// Whether there is room for a sequence of at most `max_tokens` tokens after a prompt of `prompt` tokens, which
    /// is to be computed when it is `new`. If so the room is theirs.
    fn reserve(&mut self, prompt: usize, new: bool, max_tokens: usize) -> bool;

    /// Computes prompts. Their order is kept.
    fn prefill(&mut self, prompts: &[&[u32]]) -> Result<Vec<Self::Prefix>>;

    /// A sequence that continues a prompt; nothing of it is computed yet.
    fn fork(&mut self, prefix: &Self::Prefix) -> Result<Self::Cells>;

    /// Takes the first token of each of these rows, from the end of their prompts.
    fn first(&mut self, prefixes: &[Option<Self::Prefix>], rows: &mut [Row<'_, Self::Cells>]) -> Result<()>;

    /// Computes the last token of each row and takes the next one.
    fn step(&mut self, prefixes: &[Option<Self::Prefix>], rows: &mut [Row<'_, Self::Cells>]) -> Result<()>;

    /// A sequence has left.
    fn leave(&mut self, cells: Self::Cells, max_tokens: usize);

    /// No sequence of the prompt is left.
    fn forget(&mut self, prefix: Self::Prefix);

    /// Adds what the engine counted.
    fn count(&self, statistics: &mut Statistics);
}

/// Checks everything before anything is computed.
///
/// # Errors
/// The field, prompt or limit, and what it has to be.
pub(crate) fn check(
    config: &ModelConfig,
    prompts: &[Prompt<'_>],
    sampling: &Sampling,
    limits: &EngineLimits,
    decode: Option<Decode<'_>>,
) -> Result<()> {
    sampling.check(config.vocab_size)?;
    if !sampling.stop_strings.is_empty() && decode.is_none() {
        return Err(PolicyError::input("`stop_strings` need a tokenizer that turns tokens into text"));
    }
    for (field, value) in [
        ("max_batch", limits.max_batch),
        ("cache_tokens", limits.cache_tokens),
        ("prefill_tokens", limits.prefill_tokens),
    ] {
        if value == 0 {
            return Err(PolicyError::input(format!("`{field}` is 0; expected at least 1")));
        }
    }
    for (i, prompt) in prompts.iter().enumerate() {
        let n = prompt.tokens.len();
        if n == 0 {
            return Err(PolicyError::input(format!("prompt {i} has no token")));
        }
        if let Some(token) = prompt.tokens.iter().find(|token| **token as usize >= config.vocab_size) {
            return Err(PolicyError::input(format!(
                "prompt {i} has the token {token}, which is not in the vocabulary of {}; is this the model's own \
                 tokenizer?",
                config.vocab_size
            )));
        }
        if n.saturating_add(sampling.max_tokens) > config.max_position_embeddings {
            return Err(PolicyError::input(format!(
                "prompt {i} has {n} tokens and `max_tokens` is {}, together more than the model's context of {}",
                sampling.max_tokens, config.max_position_embeddings
            )));
        }
        let needed = n.next_multiple_of(PAGE) + sampling.max_tokens.next_multiple_of(PAGE);
        if needed > limits.cache_tokens.next_multiple_of(PAGE) {
            return Err(PolicyError::input(format!(
                "`cache_tokens` is {}; prompt {i} of {n} tokens and `max_tokens` of {} need {needed}",
                limits.cache_tokens, sampling.max_tokens
            )));
        }
    }
    Ok(())
}

/// Decodes every sequence of every prompt.
pub(crate) fn run<E: Engine>(
    engine: &mut E,
    prompts: &[Prompt<'_>],
    sampling: &Sampling,
    limits: &EngineLimits,
    decode: Option<Decode<'_>>,
    on_finished: &mut dyn FnMut(Generated),
) -> Result<Statistics> {
    let mut statistics = Statistics::default();
    let mut waiting = prompts
        .iter()
        .enumerate()
        .flat_map(|(p, prompt)| (0..prompt.seeds.len()).map(move |i| (p, i)))
        .peekable();
    let mut prefixes: Vec<Option<E::Prefix>> = prompts.iter().map(|_| None).collect();
    let mut left: Vec<usize> = prompts.iter().map(|prompt| prompt.seeds.len()).collect();
    let mut rows: Vec<Row<'_, E::Cells>> = Vec::new();
    let mut finished: Vec<Row<'_, E::Cells>> = Vec::new();
    while waiting.peek().is_some() || !rows.is_empty() {
        let clock = Instant::now();
        // Who is waiting joins while there is room.
        let mut joining = Vec::new();
        let mut new: Vec<usize> = Vec::new();
        while let Some((p, i)) = waiting.peek().copied() {
            let unknown = prefixes[p].is_none() && new.last() != Some(&p);
            if rows.len() + joining.len() >= limits.max_batch
                || !engine.reserve(prompts[p].tokens.len(), unknown, sampling.max_tokens)
            {
                break;
            }
            if unknown {
                new.push(p);
            }
            joining.push((p, i));
            waiting.next();
        }
        if rows.is_empty() && joining.is_empty() {
            return Err(PolicyError::input("the cache has no room for the next sequence"));
        }
        let tokens: Vec<&[u32]> = new.iter().map(|p| prompts[*p].tokens).collect();
        statistics.prefill_tokens += tokens.iter().map(|tokens| tokens.len()).sum::<usize>();
        if !tokens.is_empty() {
            for (p, prefix) in new.into_iter().zip(engine.prefill(&tokens)?) {
                prefixes[p] = Some(prefix);
            }
        }
        let known = rows.len();
        for (p, i) in joining {
            if let Some(prefix) = &prefixes[p] {
                let sequence = Sequence::new(p, i, prompts[p].seeds[i], sampling, decode);
                rows.push(Row { sequence, cells: engine.fork(prefix)? });
            }
        }
        engine.first(&prefixes, &mut rows[known..])?;
        statistics.prefill += clock.elapsed();
        let clock = Instant::now();
        if known > 0 {
            statistics.steps += 1;
            statistics.rows += known;
            engine.step(&prefixes, &mut rows[..known])?;
        }
        statistics.decoding += clock.elapsed();
        // Who is finished leaves at once; the others keep their order, so that a group stays together.
        finished.extend(rows.extract_if(.., |row| row.sequence.finish.is_some()));
        let clock = Instant::now();
        for row in finished.drain(..) {
            let p = row.sequence.prompt;
            engine.leave(row.cells, sampling.max_tokens);
            left[p] -= 1;
            if left[p] == 0
                && let Some(prefix) = prefixes[p].take()
            {
                engine.forget(prefix);
            }
            if let Some(generated) = row.sequence.finished() {
                statistics.sequences += 1;
                statistics.tokens += generated.tokens.len();
                on_finished(generated);
            }
        }
        statistics.handing_over += clock.elapsed();
    }
    engine.count(&mut statistics);
    Ok(statistics)
}
