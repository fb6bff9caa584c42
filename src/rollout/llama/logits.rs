//! llama.cpp as what computes logits: prompts and sequences in one store of keys and values.

use ::llama::{Context, Row};
use policy::decode::{Bounds, LogitsEngine, NextToken};
use policy::error::Result;

use super::engine_error;

/// A context whose sequences are those of a batch. A prompt is computed once, in a sequence of its own, and its cells
/// are shared by those that continue it.
///
/// Equal seeds give equal tokens for equal logits; llama.cpp's last bits depend on how many rows a pass has and which
/// cells it looks at, so a draw that falls between two tokens may fall to the other one in another batch.
#[derive(Debug)]
pub struct LlamaLogits {
    context: Context,
    vocabulary: usize,
    /// Sequences that nobody has.
    free: Vec<u32>,
    /// How many of them are promised to nobody.
    unpromised: usize,
    /// Tokens of keys and values that are promised to nobody.
    cells: usize,
    rows: Vec<Row>,
}

/// A prompt that was computed.
#[derive(Debug)]
pub struct Prefix {
    sequence: u32,
    length: usize,
    /// `[V]`: after its last token.
    logits: Vec<f32>,
}

impl LlamaLogits {
    /// Takes a context over.
    pub fn new(context: Context) -> Self {
        let vocabulary = context.model().n_tokens();
        let mut logits =
            Self { context, vocabulary, free: Vec::new(), unpromised: 0, cells: 0, rows: Vec::new() };
        logits.reset();
        logits
    }

    /// Empties all sequences: after a batch that ended with an error some are left.
    pub fn reset(&mut self) {
        self.context.clear();
        self.free = (0..self.context.options().sequences).rev().collect();
        self.unpromised = self.free.len();
        self.cells = self.tokens();
    }

    /// Tokens of keys and values that there is room for.
    pub fn tokens(&self) -> usize {
        self.context.tokens()
    }

    /// The context, between two batches.
    pub fn context(&mut self) -> &mut Context {
        &mut self.context
    }

    fn take(&mut self) -> Result<u32> {
        self.free.pop().ok_or_else(|| policy::PolicyError::engine("the context has no free sequence"))
    }
}

impl LogitsEngine for LlamaLogits {
    type Prefix = Prefix;
    /// The sequence.
    type Cells = u32;

    fn bounds(&self) -> Bounds {
        Bounds {
            vocabulary: self.vocabulary,
            positions: self.context.model().context_length(),
            cache_tokens: self.tokens(),
            page: 1,
        }
    }

    fn reserve(&mut self, prompt: usize, new: bool, max_tokens: usize) -> bool {
        let sequences = 1 + usize::from(new);
        let cells = max_tokens + if new { prompt } else { 0 };
        let fits = sequences <= self.unpromised && cells <= self.cells;
        if fits {
            self.unpromised -= sequences;
            self.cells -= cells;
        }
        fits
    }

    fn prefill(&mut self, prompts: &[&[u32]]) -> Result<Vec<Prefix>> {
        let mut prefixes = Vec::with_capacity(prompts.len());
        for tokens in prompts {
            let sequence = self.take()?;
            prefixes.push(Prefix { sequence, length: tokens.len(), logits: Vec::new() });
        }
        let (most, ends) = (self.context.options().batch as usize, self.context.max_logits());
        let mut rows = std::mem::take(&mut self.rows);
        rows.clear();
        // Rows whose logits are wanted, and whose prompts they end.
        let mut wanted: Vec<(usize, usize)> = Vec::new();
        let last_prompt = prompts.len().saturating_sub(1);
        for (p, tokens) in prompts.iter().enumerate() {
            for (position, token) in tokens.iter().enumerate() {
                let is_last = position + 1 == tokens.len();
                if is_last {
                    wanted.push((rows.len(), p));
                }
                rows.push(Row {
                    token: *token,
                    position: position as u32,
                    sequence: prefixes[p].sequence,
                    logits: is_last,
                });
                if rows.len() == most || wanted.len() == ends || (is_last && p == last_prompt) {
                    self.context.decode(&rows).map_err(|error| engine_error(&error))?;
                    for (row, p) in wanted.drain(..) {
                        prefixes[p].logits = self.context.logits(row).unwrap_or_default().to_vec();
                    }
                    rows.clear();
                }
            }
        }
        self.rows = rows;
        Ok(prefixes)
    }

    fn length(&self, prefix: &Prefix) -> usize {
        prefix.length
    }

    fn after<'a>(&'a self, prefix: &'a Prefix) -> &'a [f32] {
        &prefix.logits
    }

    fn fork(&mut self, prefix: &Prefix) -> Result<u32> {
        let sequence = self.take()?;
        self.context.copy_sequence(prefix.sequence, sequence).map_err(|error| engine_error(&error))?;
        Ok(sequence)
    }

    fn step(&mut self, rows: &mut [NextToken<'_, u32>]) -> Result<()> {
        self.rows.clear();
        self.rows.extend(rows.iter().map(|row| Row {
            token: row.token,
            position: row.position as u32,
            sequence: *row.cells,
            logits: true,
        }));
        self.context.decode(&self.rows).map_err(|error| engine_error(&error))
    }

    fn logits(&self, row: usize) -> &[f32] {
        self.context.logits(row).unwrap_or_default()
    }

    fn leave(&mut self, sequence: u32, max_tokens: usize) {
        if self.context.remove_sequence(sequence).is_ok() {
            self.free.push(sequence);
            self.unpromised += 1;
            self.cells += max_tokens;
        }
    }

    fn forget(&mut self, prefix: Prefix) {
        if self.context.remove_sequence(prefix.sequence).is_ok() {
            self.free.push(prefix.sequence);
            self.unpromised += 1;
            self.cells += prefix.length;
        }
    }
}
