//! The output matrix, the log-probabilities of targets and the entropies, without the logits of more than a tile.
//!
//! The vocabulary is cut into tiles and the rows into blocks. The forward pass keeps of each tile a maximum and two
//! sums; the backward pass computes a tile's logits again, turns them into their gradient in place and multiplies
//! on. (The idea is that of Liger's and of Wijmans et al. 2024, "Cut your losses", section 4; here for several
//! targets in one row and with the entropy's gradient.)

use rayon::prelude::*;

use super::exp::exp;
use super::forward::Pass;
use super::matmul::matmul;
use super::norm::{normalise, normalise_backward, weight_backward};
use super::simd::{dot, fold, largest, vectorised};
use super::view::{View, ViewMut, row_blocks};
use super::workspace::{Buffer, HeadBuffers, with_scratch};

/// The widest tile of the vocabulary.
const TILE: usize = 1024;
/// How many numbers a tile of logits has at most, so that it stays in its core's cache.
const TILE_NUMBERS: usize = 1 << 17;
/// How many tasks share the vocabulary in the backward pass; each holds its own sum of gradients by the rows.
const SLICES: usize = 16;
/// How many numbers these sums may have.
const PARTIAL_NUMBERS: usize = 1 << 22;
/// A maximum, a sum of exponentials, and a sum of exponentials times exponents.
const STATISTICS: usize = 3;

/// What the forward pass knows about each scored row.
#[derive(Clone, Debug, Default)]
pub(super) struct RowScores {
    /// Logarithm of the softmax's denominator.
    pub lse: Vec<f32>,
    pub entropy: Vec<f32>,
}

/// The gradient that comes into one scored row.
#[derive(Clone, Debug, Default)]
pub(super) struct RowGradient {
    /// Index of the scored row.
    pub row: usize,
    /// Targets, each with the gradient by its log-probability.
    pub targets: Vec<(usize, f32)>,
    pub entropy: f32,
}

/// The cuts of the output matrix.
#[derive(Clone, Copy)]
struct Tiles {
    vocabulary: usize,
    width: usize,
    /// Rows of one tile.
    rows: usize,
}

impl Tiles {
    fn new(vocabulary: usize, chunk: usize) -> Self {
        // At least four where there is something to share, in whole vectors.
        let width = vocabulary.div_ceil(4).next_multiple_of(16).clamp(64, TILE);
        let rows = (TILE_NUMBERS / width).min(chunk.max(1));
        Self { vocabulary, width, rows }
    }

    const fn count(&self) -> usize {
        self.vocabulary.div_ceil(self.width)
    }

    fn columns(&self, tile: usize) -> std::ops::Range<usize> {
        tile * self.width..((tile + 1) * self.width).min(self.vocabulary)
    }

    /// Tiles of one task in the backward pass.
    const fn per_slice(&self) -> usize {
        self.count().div_ceil(SLICES)
    }

    const fn slices(&self) -> usize {
        self.count().div_ceil(self.per_slice())
    }

    /// How many rows the backward pass takes at once.
    fn rows_at_once(&self, width: usize) -> usize {
        (PARTIAL_NUMBERS / (self.slices() * width)).clamp(128, 2048)
    }
}

impl Pass<'_> {
    /// Log-probabilities and entropies; `logprobs` and `entropies` are in the order of the packed targets.
    pub(super) fn score(
        &self,
        last: &Buffer,
        buffers: &mut HeadBuffers,
        chunk: usize,
        temperature: f32,
        logprobs: &mut [f32],
        entropies: &mut [f32],
    ) -> RowScores {
        let (h, n) = (self.model.config.hidden_size, self.plan.scored.len());
        let tiles = Tiles::new(self.model.config.vocab_size, chunk);
        let last = last.read(n, h);
        let mut scores = RowScores { lse: vec![0.0; n], entropy: vec![0.0; n] };
        let at_once = tiles.rows_at_once(h);
        for start in (0..n).step_by(at_once) {
            let rows = start..(start + at_once).min(n);
            let mut normed = buffers.normed.matrix(rows.len(), h);
            for (i, row) in rows.clone().enumerate() {
                normalise(normed.row(i), last.row(row), self.model.final_norm, self.model.eps);
            }
            let normed = normed.read();
            let mut statistics = buffers.statistics.matrix(rows.len(), STATISTICS * tiles.count());
            let tasks: Vec<_> = row_blocks([statistics.rows(0..rows.len())], tiles.rows)
                .into_iter()
                .flat_map(|(start, [block])| {
                    block.col_blocks(STATISTICS).enumerate().map(move |(tile, out)| (start, tile, out))
                })
                .collect();
            tasks.into_par_iter().for_each(|(start, tile, mut out)| {
                let columns = tiles.columns(tile);
                let n = out.n_rows();
                with_scratch(n * columns.len(), |scratch| {
                    let mut logits = ViewMut::new(scratch, n, columns.len());
                    let weight = self.model.head.rows(columns);
                    matmul(&mut logits, false, 1.0 / temperature, normed.rows(start..start + n), weight.t());
                    for i in 0..n {
                        summarise(logits.row(i), out.row(i));
                    }
                });
            });
            for (i, row) in rows.enumerate() {
                let (lse, entropy) = combine(statistics.row(i));
                (scores.lse[row], scores.entropy[row]) = (lse, entropy);
                for m in self.plan.asked(row) {
                    let weight = self.model.head.row(self.packed.targets[*m] as usize);
                    let logprob = product(normed.row(i), weight) / temperature - lse;
                    // Rounding must not make a certain token more than certain.
                    logprobs[*m] = if logprob > 0.0 { 0.0 } else { logprob };
                    entropies[*m] = entropy;
                }
            }
        }
        scores
    }

    /// The gradient by the last stream's scored rows, into `d_last`; rows without a gradient get zeros. Adds the
    /// gradients by the output matrix and by the last norm where they are wanted.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn score_backward(
        &self,
        last: &Buffer,
        d_last: &mut Buffer,
        buffers: &mut HeadBuffers,
        chunk: usize,
        temperature: f32,
        scores: &RowScores,
        wanted: &[RowGradient],
        mut d_weight: Option<ViewMut<'_>>,
        mut d_norm: Option<&mut [f32]>,
    ) {
        let (h, n) = (self.model.config.hidden_size, self.plan.scored.len());
        let tiles = Tiles::new(self.model.config.vocab_size, chunk);
        let last = last.read(n, h);
        let mut d_last = d_last.matrix(n, h);
        d_last.fill(0.0);
        let at_once = tiles.rows_at_once(h);
        for wanted in wanted.chunks(at_once) {
            let n = wanted.len();
            let mut normed = buffers.normed.matrix(n, h);
            for (i, gradient) in wanted.iter().enumerate() {
                normalise(normed.row(i), last.row(gradient.row), self.model.final_norm, self.model.eps);
            }
            let normed = normed.read();
            let slices = tiles.slices();
            let mut partial = buffers.partial.matrix(slices * n, h);
            let mut weights: Vec<Option<ViewMut<'_>>> = match &mut d_weight {
                Some(weight) => {
                    let rows = weight.n_rows();
                    weight.rows(0..rows).row_blocks(tiles.per_slice() * tiles.width).map(Some).collect()
                }
                None => (0..slices).map(|_| None).collect(),
            };
            let tasks: Vec<_> = partial.rows(0..slices * n).row_blocks(n).zip(weights.drain(..)).collect();
            tasks.into_par_iter().enumerate().for_each(|(slice, (mut d_normed, mut d_weight))| {
                let first = slice * tiles.per_slice();
                for tile in first..(first + tiles.per_slice()).min(tiles.count()) {
                    let columns = tiles.columns(tile);
                    let offset = columns.start - first * tiles.width;
                    let mut d_weight = d_weight.as_mut().map(|w| w.rows(offset..offset + columns.len()));
                    for start in (0..n).step_by(tiles.rows) {
                        let rows = start..(start + tiles.rows).min(n);
                        let mut d_normed = d_normed.rows(rows.clone());
                        let part = TilePart {
                            weight: self.model.head.rows(columns.clone()),
                            normed: normed.rows(rows.clone()),
                            first_token: columns.start,
                            temperature,
                        };
                        part.backward(&wanted[rows], scores, tile > first, &mut d_normed, d_weight.as_mut());
                    }
                }
            });
            let partial = partial.read();
            self.combine_backward(partial, last, wanted, &mut d_last, d_norm.as_deref_mut());
        }
    }

    /// Sums the slices' gradients by the normed rows and takes them through the last norm.
    fn combine_backward(
        &self,
        partial: View<'_>,
        last: View<'_>,
        wanted: &[RowGradient],
        d_last: &mut ViewMut<'_>,
        mut d_norm: Option<&mut [f32]>,
    ) {
        let (n, h) = (wanted.len(), last.n_cols());
        let zeros = vec![0.0; h];
        with_scratch(2 * h, |scratch| {
            let (sum, scratch) = scratch.split_at_mut(h);
            for (i, gradient) in wanted.iter().enumerate() {
                sum.copy_from_slice(partial.row(i));
                for slice in 1..partial.n_rows() / n {
                    super::simd::add(sum, partial.row(slice * n + i));
                }
                let x = last.row(gradient.row);
                let (weight, eps) = (self.model.final_norm, self.model.eps);
                if let Some(d_norm) = &mut d_norm {
                    weight_backward(d_norm, sum, x, eps);
                }
                normalise_backward(d_last.row(gradient.row), &zeros, sum, x, weight, eps, scratch);
            }
        });
    }
}

/// One tile of logits in the backward pass.
struct TilePart<'a> {
    /// `[tile, H]`.
    weight: View<'a>,
    /// `[rows, H]`.
    normed: View<'a>,
    /// The token of the first column.
    first_token: usize,
    temperature: f32,
}

impl TilePart<'_> {
    fn backward(
        &self,
        wanted: &[RowGradient],
        scores: &RowScores,
        add: bool,
        d_normed: &mut ViewMut<'_>,
        d_weight: Option<&mut ViewMut<'_>>,
    ) {
        let (n, width) = (self.normed.n_rows(), self.weight.n_rows());
        let inverse = 1.0 / self.temperature;
        with_scratch(n * width, |scratch| {
            let mut logits = ViewMut::new(scratch, n, width);
            matmul(&mut logits, false, inverse, self.normed, self.weight.t());
            for (i, gradient) in wanted.iter().enumerate() {
                let row = logits.row(i);
                let total: f32 = gradient.targets.iter().map(|(_, g)| g).sum();
                let lse = scores.lse[gradient.row];
                // d logprob(t) / d logit(j) = [t = j] - p(j); d entropy / d logit(j) = -p(j) (log p(j) + entropy).
                let constant = -inverse * (total + gradient.entropy * scores.entropy[gradient.row]);
                logits_backward(row, lse, constant, -inverse * gradient.entropy);
                for (target, g) in &gradient.targets {
                    if let Some(x) = target.checked_sub(self.first_token).and_then(|j| row.get_mut(j)) {
                        *x += g * inverse;
                    }
                }
            }
            let logits = logits.read();
            matmul(d_normed, add, 1.0, logits, self.weight);
            if let Some(d_weight) = d_weight {
                matmul(d_weight, true, 1.0, logits.t(), self.normed);
            }
        });
    }
}

/// The tiles' statistics of one row: log-sum-exp and entropy.
fn combine(tiles: &[f32]) -> (f32, f32) {
    let max = tiles.iter().step_by(STATISTICS).fold(f32::NEG_INFINITY, |max, x| max.max(*x));
    let (mut sum, mut weighted) = (0.0_f64, 0.0_f64);
    for tile in tiles.chunks_exact(STATISTICS) {
        let below = f64::from(tile[0]) - f64::from(max);
        let factor = below.exp();
        sum += factor * f64::from(tile[1]);
        weighted += factor * (f64::from(tile[2]) + below * f64::from(tile[1]));
    }
    ((f64::from(max) + sum.ln()) as f32, (sum.ln() - weighted / sum) as f32)
}

vectorised! {
    /// The maximum of a row, the sum of exponentials below it, and that of exponentials times exponents.
    fn summarise(row: &[f32], out: &mut [f32]) {
        let max = largest(row);
        let (mut sums, mut products) = ([0.0_f32; 16], [0.0_f32; 16]);
        let (chunks, rest) = row.as_chunks::<16>();
        for chunk in chunks {
            for j in 0..16 {
                let x = chunk[j] - max;
                let e = exp::<FMA>(x);
                sums[j] += e;
                products[j] += e * x;
            }
        }
        let (mut sum, mut product) = (fold(sums), fold(products));
        for x in rest {
            let x = x - max;
            let e = exp::<FMA>(x);
            sum += e;
            product += e * x;
        }
        out[0] = max;
        out[1] = sum;
        out[2] = product;
    }

    /// `p (constant + slope log p)` of each logit.
    fn logits_backward(row: &mut [f32], lse: f32, constant: f32, slope: f32) {
        for x in row {
            let logprob = *x - lse;
            *x = exp::<FMA>(logprob) * (constant + slope * logprob);
        }
    }

    fn product(a: &[f32], b: &[f32]) -> f32 {
        dot::<FMA>(a, b)
    }
}
