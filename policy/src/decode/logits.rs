//! Engines that only compute logits: what another library does; all choosing is done here.

use rayon::prelude::*;

use super::batch::{Engine, Row};
use super::distribution::Sampler;
use super::generation::Statistics;
use super::request::Bounds;
use crate::error::Result;

/// A row of a step: the last token of one sequence.
#[derive(Debug)]
pub struct NextToken<'a, C> {
    /// What the engine keeps for the sequence.
    pub cells: &'a mut C,
    /// The token.
    pub token: u32,
    /// Its position, from 0 at the beginning of the prompt.
    pub position: usize,
}

/// What computes logits. Given equal logits, sequences of any two engines are the same tokens with the same
/// log-probabilities.
pub trait LogitsEngine {
    /// What is kept of a prompt for those that continue it.
    type Prefix;
    /// What is kept for a sequence.
    type Cells;

    /// What it can do.
    fn bounds(&self) -> Bounds;

    /// Whether there is room for a sequence of at most `max_tokens` tokens after a prompt of `prompt` tokens, which
    /// is to be computed when it is `new`. If so the room is theirs.
    fn reserve(&mut self, prompt: usize, new: bool, max_tokens: usize) -> bool;

    /// Computes prompts. Their order is kept.
    ///
    /// # Errors
    /// What the engine says; the batch ends.
    fn prefill(&mut self, prompts: &[&[u32]]) -> Result<Vec<Self::Prefix>>;

    /// Tokens of a prompt.
    fn length(&self, prefix: &Self::Prefix) -> usize;

    /// The logits `[V]` after the prompt's last token.
    fn after<'a>(&'a self, prefix: &'a Self::Prefix) -> &'a [f32];

    /// A sequence that continues a prompt; nothing of it is computed yet.
    ///
    /// # Errors
    /// What the engine says; the batch ends.
    fn fork(&mut self, prefix: &Self::Prefix) -> Result<Self::Cells>;

    /// Computes one token of each row.
    ///
    /// # Errors
    /// What the engine says; the batch ends.
    fn step(&mut self, rows: &mut [NextToken<'_, Self::Cells>]) -> Result<()>;

    /// The logits `[V]` of a row of the last step.
    fn logits(&self, row: usize) -> &[f32];

    /// A sequence has left.
    fn leave(&mut self, cells: Self::Cells, max_tokens: usize);

    /// No sequence of the prompt is left.
    fn forget(&mut self, prefix: Self::Prefix);

    /// Bytes of keys and values.
    fn cache_bytes(&self) -> usize {
        0
    }
}

/// An engine that chooses from what another one computes.
pub(crate) struct Chooser<'a, E> {
    engine: &'a mut E,
}

impl<'a, E: LogitsEngine> Chooser<'a, E> {
    pub(crate) const fn new(engine: &'a mut E) -> Self {
        Self { engine }
    }
}

/// The first error in the order of the rows.
fn all(results: impl IndexedParallelIterator<Item = Result<()>>) -> Result<()> {
    results.reduce(|| Ok(()), Result::and)
}

/// Takes the next token of each row from its logits.
fn advance<C: Send>(rows: &mut [Row<'_, C>], logits: &[Option<&[f32]>]) -> Result<()> {
    all(rows.par_iter_mut().zip(logits).map_init(Sampler::default, |sampler, (row, logits)| {
        logits.map_or(Ok(()), |logits| row.sequence.advance(logits, sampler))
    }))
}

impl<E: LogitsEngine> Engine for Chooser<'_, E>
where
    E::Cells: Send,
{
    type Prefix = E::Prefix;
    type Cells = E::Cells;

    fn reserve(&mut self, prompt: usize, new: bool, max_tokens: usize) -> bool {
        self.engine.reserve(prompt, new, max_tokens)
    }

    fn prefill(&mut self, prompts: &[&[u32]]) -> Result<Vec<E::Prefix>> {
        self.engine.prefill(prompts)
    }

    fn fork(&mut self, prefix: &E::Prefix) -> Result<E::Cells> {
        self.engine.fork(prefix)
    }

    fn first(&mut self, prefixes: &[Option<E::Prefix>], rows: &mut [Row<'_, E::Cells>]) -> Result<()> {
        let logits: Vec<_> = rows
            .iter()
            .map(|row| prefixes[row.sequence.prompt].as_ref().map(|prefix| self.engine.after(prefix)))
            .collect();
        advance(rows, &logits)
    }

    fn step(&mut self, prefixes: &[Option<E::Prefix>], rows: &mut [Row<'_, E::Cells>]) -> Result<()> {
        let mut tokens: Vec<_> = rows
            .iter_mut()
            .map(|row| {
                let prompt = &prefixes[row.sequence.prompt];
                let prompt = prompt.as_ref().map_or(0, |prefix| self.engine.length(prefix));
                let tokens = row.sequence.own();
                NextToken {
                    cells: &mut row.cells,
                    token: tokens.last().copied().unwrap_or_default(),
                    position: prompt + tokens.len() - 1,
                }
            })
            .collect();
        self.engine.step(&mut tokens)?;
        let logits: Vec<_> = (0..rows.len()).map(|i| Some(self.engine.logits(i))).collect();
        advance(rows, &logits)
    }

    fn leave(&mut self, cells: E::Cells, max_tokens: usize) {
        self.engine.leave(cells, max_tokens);
    }

    fn forget(&mut self, prefix: E::Prefix) {
        self.engine.forget(prefix);
    }

    fn count(&self, statistics: &mut Statistics) {
        statistics.cache_bytes = self.engine.cache_bytes();
    }
}
