//! The processor's engine: plain buffers, rows shared out over threads.
//!
//! Rows are cut into as many runs as there are threads and each thread takes its run through all layers, so threads
//! meet once a step. Where the rows are too few for that, products are shared out instead. A row's bits are the same
//! either way.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::attention::{Attention, Seen};
use super::batch::{Engine, Row};
use super::cache::{Geometry, PAGE, Page, Pool};
use super::distribution::Sampler;
use super::generation::{EngineLimits, Statistics};
use super::snapshot::Snapshot;
use super::step::{Scratch, Split, Step};
use crate::config::ModelConfig;
use crate::error::Result;

/// With fewer rows for each thread, threads share products instead of rows.
const ROWS_PER_THREAD: usize = 6;
/// Tokens of a prompt that look at its pages together.
const PREFILL_ROWS: usize = 8;
/// The most logits that one thread holds.
const LOGITS: usize = 1 << 21;

/// A prompt that was computed.
pub(crate) struct Prefix {
    pages: Vec<Page>,
    len: usize,
    /// `[V]`: after its last token.
    logits: Vec<f32>,
}

/// What one thread works with.
#[derive(Default)]
struct Worker {
    scratch: Scratch,
    sampler: Sampler,
    /// The last token of each row and its position.
    last: Vec<(u32, usize)>,
}

/// The engine.
pub(crate) struct Native<'a> {
    config: &'a ModelConfig,
    snapshot: &'a Snapshot,
    geometry: Geometry,
    pool: Pool,
    workers: Vec<Worker>,
    prefill_tokens: usize,
}

impl<'a> Native<'a> {
    pub(crate) fn new(config: &'a ModelConfig, snapshot: &'a Snapshot, limits: &EngineLimits) -> Self {
        let geometry = Geometry::new(config);
        Self {
            config,
            snapshot,
            geometry,
            pool: Pool::new(&geometry, limits.cache_tokens.div_ceil(PAGE)),
            workers: (0..rayon::current_num_threads()).map(|_| Worker::default()).collect(),
            prefill_tokens: limits.prefill_tokens,
        }
    }

    fn engine(&self) -> Step<'a> {
        Step { config: self.config, snapshot: self.snapshot, geometry: self.geometry }
    }
}

impl Engine for Native<'_> {
    type Prefix = Prefix;
    type Cells = Vec<Page>;

    fn reserve(&mut self, prompt: usize, new: bool, max_tokens: usize) -> bool {
        let prompt = if new { prompt.div_ceil(PAGE) } else { 0 };
        self.pool.reserve(prompt + max_tokens.div_ceil(PAGE))
    }

    fn prefill(&mut self, prompts: &[&[u32]]) -> Result<Vec<Prefix>> {
        let step = self.engine();
        let mut prefixes: Vec<Prefix> = prompts
            .iter()
            .map(|tokens| Prefix {
                pages: (0..tokens.len().div_ceil(PAGE)).map(|_| self.pool.take()).collect(),
                len: tokens.len(),
                logits: vec![0.0; self.config.vocab_size],
            })
            .collect();
        let part = self.prefill_tokens;
        let spread = prompts.len() < self.workers.len();
        // Prompts differ in length, so threads take the next one when they are done with one.
        let next = AtomicUsize::new(0);
        let jobs: Vec<_> = prefixes.iter_mut().zip(prompts).map(Mutex::new).collect();
        self.workers.par_iter_mut().for_each(|worker| {
            while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                if let Ok(mut job) = job.try_lock() {
                    let (prefix, tokens) = &mut *job;
                    prefill(&step, &mut worker.scratch, tokens, part, prefix, spread);
                }
            }
        });
        drop(jobs);
        Ok(prefixes)
    }

    fn fork(&mut self, _: &Prefix) -> Result<Vec<Page>> {
        Ok(Vec::new())
    }

    fn first(&mut self, prefixes: &[Option<Prefix>], rows: &mut [Row<'_, Vec<Page>>]) -> Result<()> {
        let size = rows.len().div_ceil(self.workers.len()).max(1);
        all(rows.par_chunks_mut(size).zip(&mut self.workers).map(|(rows, worker)| {
            let mut clock = std::time::Instant::now();
            for row in rows {
                if let Some(prefix) = &prefixes[row.sequence.prompt] {
                    row.sequence.advance(&prefix.logits, &mut worker.sampler)?;
                }
            }
            Split::lap(&mut worker.scratch.split.sampling, &mut clock);
            Ok(())
        }))
    }

    fn step(&mut self, prefixes: &[Option<Prefix>], rows: &mut [Row<'_, Vec<Page>>]) -> Result<()> {
        for row in rows.iter_mut() {
            if row.sequence.own().len() > row.cells.len() * PAGE {
                row.cells.push(self.pool.take());
            }
        }
        let step = self.engine();
        let runs = (rows.len() / ROWS_PER_THREAD).clamp(1, self.workers.len());
        let spread = runs < self.workers.len();
        let size = rows.len().div_ceil(runs).max(1);
        all(rows
            .par_chunks_mut(size)
            .zip(&mut self.workers)
            .map(|(rows, worker)| decode(&step, worker, prefixes, rows, spread)))
    }

    fn leave(&mut self, cells: Vec<Page>, max_tokens: usize) {
        self.pool.release(cells, max_tokens.div_ceil(PAGE));
    }

    fn forget(&mut self, prefix: Prefix) {
        let reserved = prefix.pages.len();
        self.pool.release(prefix.pages, reserved);
    }

    fn count(&self, statistics: &mut Statistics) {
        statistics.cache_bytes = self.pool.made * self.geometry.size() * size_of::<f32>();
        for worker in &self.workers {
            statistics.split.add(worker.scratch.split);
        }
    }
}

/// The first error in the order of the rows.
fn all(results: impl IndexedParallelIterator<Item = Result<()>>) -> Result<()> {
    results.reduce(|| Ok(()), Result::and)
}

/// Computes a prompt, some tokens at a time.
fn prefill(
    step: &Step<'_>,
    scratch: &mut Scratch,
    tokens: &[u32],
    part: usize,
    prefix: &mut Prefix,
    spread: bool,
) {
    let geometry = step.geometry;
    for start in (0..tokens.len()).step_by(part) {
        let count = part.min(tokens.len() - start);
        let pages = &mut prefix.pages;
        let row = |i: usize| (tokens[start + i], start + i);
        step.layers(scratch, count, row, spread, |mut attention: Attention<'_>| {
            for i in 0..count {
                let (keys, values) = attention.keys_and_values(&geometry, i);
                let at = start + i;
                pages[at / PAGE].put(&geometry, attention.layer, at % PAGE, keys, values);
            }
            for first in (0..count).step_by(PREFILL_ROWS) {
                let rows = (first, PREFILL_ROWS.min(count - first));
                attention.attend(&geometry, pages, rows, |i| Seen {
                    prompt: start + i + 1,
                    pages: &[],
                    own: 0,
                });
            }
        });
        if start + count == tokens.len() {
            step.logits(scratch, count - 1, 1, spread);
            prefix.logits.copy_from_slice(&scratch.logits[..step.config.vocab_size]);
        }
    }
}

/// One step of some rows.
fn decode(
    step: &Step<'_>,
    worker: &mut Worker,
    prefixes: &[Option<Prefix>],
    rows: &mut [Row<'_, Vec<Page>>],
    spread: bool,
) -> Result<()> {
    let geometry = step.geometry;
    let Worker { scratch, sampler, last } = worker;
    last.clear();
    last.extend(rows.iter().map(|row| {
        let prompt = prefixes[row.sequence.prompt].as_ref().map_or(0, |prefix| prefix.len);
        let tokens = row.sequence.own();
        (tokens.last().copied().unwrap_or_default(), prompt + tokens.len() - 1)
    }));
    step.layers(
        scratch,
        rows.len(),
        |i| last[i],
        spread,
        |mut attention: Attention<'_>| {
            for (i, row) in rows.iter_mut().enumerate() {
                let (keys, values) = attention.keys_and_values(&geometry, i);
                let at = row.sequence.own().len() - 1;
                row.cells[at / PAGE].put(&geometry, attention.layer, at % PAGE, keys, values);
            }
            let mut first = 0;
            for group in rows.chunk_by(|a, b| a.sequence.prompt == b.sequence.prompt) {
                if let Some(Some(prefix)) = group.first().map(|row| &prefixes[row.sequence.prompt]) {
                    attention.attend(&geometry, &prefix.pages, (first, group.len()), |i| {
                        let row = &group[i - first];
                        Seen { prompt: prefix.len, pages: &row.cells, own: row.sequence.own().len() }
                    });
                }
                first += group.len();
            }
        },
    );
    let v = step.config.vocab_size;
    let part = (LOGITS / v).max(1);
    for (i, rows) in rows.chunks_mut(part).enumerate() {
        step.logits(scratch, i * part, rows.len(), spread);
        let mut clock = std::time::Instant::now();
        for (row, logits) in rows.iter_mut().zip(scratch.logits.chunks_exact(v)) {
            row.sequence.advance(logits, sampler)?;
        }
        Split::lap(&mut scratch.split.sampling, &mut clock);
    }
    Ok(())
}
