//! The engine written with the tensor library's operations, for devices other than the CPU.
//!
//! Keys and values stay on the device, a slot of fixed length for each sequence of the batch; a prompt is computed
//! once and copied into the slots of the sequences that continue it. Logits come to the CPU, where tokens are
//! chosen as everywhere. How a device multiplies may depend on the size of the batch, so a sequence's last bits may
//! too; its random numbers do not.

use candle_core::{D, DType, Device, IndexOp, Tensor};
use rayon::prelude::*;

use super::batch::{Engine, Row};
use super::distribution::Sampler;
use super::generation::{EngineLimits, Statistics};
use crate::config::ModelConfig;
use crate::error::{PolicyError, Result};
use crate::weights::{Linear, Weights};

/// The cells that are looked at grow in steps of so many, so that few shapes are met.
const STRIDE: usize = 32;

/// A prompt that was computed.
pub(crate) struct Prefix {
    /// For each layer keys and values, `[1, kv heads, T, D]`.
    cells: Vec<(Tensor, Tensor)>,
    len: usize,
    /// `[V]`: after its last token.
    logits: Vec<f32>,
}

/// The engine.
pub(crate) struct Graph<'a> {
    config: &'a ModelConfig,
    weights: &'a Weights,
    device: Device,
    /// `[T, D / 2]`.
    cosines: Tensor,
    sines: Tensor,
    /// For each layer keys and values, `[slots, kv heads, T, D]`.
    cache: Vec<(Tensor, Tensor)>,
    slots: usize,
    /// Tokens that a slot has room for.
    room: usize,
    /// Slots that nobody has; the first is the last to be taken.
    free: Vec<usize>,
    /// Sequences that were promised a slot.
    promised: usize,
}

impl<'a> Graph<'a> {
    /// `positions` is the longest sequence that will be decoded and `sequences` how many there are.
    pub(crate) fn new(
        config: &'a ModelConfig,
        weights: &'a Weights,
        limits: &EngineLimits,
        positions: usize,
        sequences: usize,
    ) -> Result<Self> {
        let device = weights.embedding.device().clone();
        let dtype = weights.embedding.dtype();
        let room = positions.next_multiple_of(STRIDE);
        let slots = limits.max_batch.min(limits.cache_tokens / positions).min(sequences).max(1);
        let shape = (slots, config.n_kv_heads, room, config.head_dim);
        let frequencies = config.rope_frequencies();
        let angles = || (0..room).flat_map(|p| frequencies.iter().map(move |frequency| p as f64 * frequency));
        let table = |values: Vec<f32>| Tensor::from_vec(values, (room, config.head_dim / 2), &device);
        Ok(Self {
            config,
            weights,
            cosines: table(angles().map(|angle| angle.cos() as f32).collect())?,
            sines: table(angles().map(|angle| angle.sin() as f32).collect())?,
            cache: (0..config.n_layers)
                .map(|_| Ok((Tensor::zeros(shape, dtype, &device)?, Tensor::zeros(shape, dtype, &device)?)))
                .collect::<candle_core::Result<_>>()?,
            slots,
            room,
            free: (0..slots).rev().collect(),
            promised: 0,
            device,
        })
    }

    /// `[B, T, H]` to `[B, T, H]`. `attend(layer, queries, keys, values)` is given `[B, heads, T, D]`, turned to
    /// their positions, and returns `[B, heads, T, D]`.
    #[allow(clippy::many_single_char_names)]
    fn layers(
        &self,
        tokens: &Tensor,
        positions: &Tensor,
        mut attend: impl FnMut(usize, &Tensor, &Tensor, &Tensor) -> candle_core::Result<Tensor>,
    ) -> candle_core::Result<Tensor> {
        let config = self.config;
        let (b, t) = tokens.dims2()?;
        let d = config.head_dim;
        let embedding = self.weights.embedding.as_detached_tensor();
        let mut x = embedding.index_select(&tokens.flatten_all()?, 0)?.reshape((b, t, config.hidden_size))?;
        let dtype = x.dtype();
        let angles = |table: &Tensor| {
            table.index_select(&positions.flatten_all()?, 0)?.reshape((b, 1, t, d / 2))?.to_dtype(dtype)
        };
        let (cosines, sines) = (angles(&self.cosines)?, angles(&self.sines)?);
        let norm = |x: &Tensor, weight: &Tensor| norm(x, weight, config.rms_norm_eps);
        for (index, layer) in self.weights.layers.iter().enumerate() {
            let y = norm(&x, &layer.input_norm)?;
            let heads = |linear: &Linear, heads: usize, weight: Option<&candle_core::Var>| {
                let y = apply(linear, &y)?.reshape((b, t, heads, d))?;
                let y = match weight {
                    Some(weight) => norm(&y, weight)?,
                    None => y,
                };
                y.transpose(1, 2)?.contiguous()
            };
            let rotate = |x: &Tensor| {
                let (left, right) = (x.narrow(3, 0, d / 2)?, x.narrow(3, d / 2, d / 2)?);
                let first = (left.broadcast_mul(&cosines)? - right.broadcast_mul(&sines)?)?;
                let second = (right.broadcast_mul(&cosines)? + left.broadcast_mul(&sines)?)?;
                Tensor::cat(&[first, second], 3)
            };
            let q = rotate(&heads(&layer.q, config.n_heads, layer.q_norm.as_ref())?)?;
            let k = rotate(&heads(&layer.k, config.n_kv_heads, layer.k_norm.as_ref())?)?;
            let v = heads(&layer.v, config.n_kv_heads, None)?;
            let out = attend(index, &q, &k, &v)?.transpose(1, 2)?.reshape((b, t, config.q_dim()))?;
            x = (x + apply(&layer.o, &out)?)?;
            let y = norm(&x, &layer.post_norm)?;
            let gated = (apply(&layer.gate, &y)?.silu()? * apply(&layer.up, &y)?)?;
            x = (x + apply(&layer.down, &gated)?)?;
        }
        Ok(x)
    }

    /// `[n, H]` to logits `[n, V]` in 32-bit floats on the CPU.
    fn logits(&self, x: &Tensor) -> candle_core::Result<Vec<Vec<f32>>> {
        let x = norm(x, &self.weights.final_norm, self.config.rms_norm_eps)?;
        let head = self.weights.output().as_detached_tensor();
        x.matmul(&head.t()?)?.to_dtype(DType::F32)?.to_vec2()
    }

    /// softmax(q K' / sqrt(D) + mask) V with the queries that share a key side by side.
    #[allow(clippy::many_single_char_names)]
    fn attention(q: &Tensor, k: &Tensor, v: &Tensor, mask: &Tensor) -> candle_core::Result<Tensor> {
        let (b, heads, t, d) = q.dims4()?;
        let (kv, cells) = (k.dim(1)?, k.dim(2)?);
        let group = heads / kv;
        let q = (q.reshape((b, kv, group * t, d))? * (1.0 / (d as f64).sqrt()))?;
        let scores = q.matmul(&k.transpose(2, 3)?)?.to_dtype(DType::F32)?;
        let scores = scores.reshape((b, kv * group, t, cells))?.broadcast_add(mask)?;
        let weights = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?)?.exp()?;
        let weights = weights.broadcast_div(&weights.sum_keepdim(D::Minus1)?)?.to_dtype(v.dtype())?;
        weights.reshape((b, kv, group * t, cells))?.matmul(v)?.reshape((b, heads, t, d))
    }

    fn prompt(&self, tokens: &[u32]) -> candle_core::Result<Prefix> {
        let n = tokens.len();
        let ids = Tensor::new(tokens, &self.device)?.unsqueeze(0)?;
        let positions = Tensor::arange(0, n as u32, &self.device)?.unsqueeze(0)?;
        let mask: Vec<f32> =
            (0..n * n).map(|i| if i % n > i / n { f32::NEG_INFINITY } else { 0.0 }).collect();
        let mask = Tensor::from_vec(mask, (1, 1, n, n), &self.device)?;
        let mut cells = Vec::with_capacity(self.config.n_layers);
        let x = self.layers(&ids, &positions, |_, q, k, v| {
            cells.push((k.clone(), v.clone()));
            Self::attention(q, k, v, &mask)
        })?;
        let logits = self.logits(&x.i((0, n - 1..n))?)?.remove(0);
        Ok(Prefix { cells, len: n, logits })
    }

    /// Puts `[1, kv heads, n, D]` into the first cells of a slot.
    fn fill(&self, slot: usize, cells: &[(Tensor, Tensor)], len: usize) -> candle_core::Result<()> {
        for ((to_keys, to_values), (keys, values)) in self.cache.iter().zip(cells) {
            for (to, from) in [(to_keys, keys), (to_values, values)] {
                to.slice_set(&from.pad_with_zeros(2, 0, self.room - len)?.contiguous()?, 0, slot)?;
            }
        }
        Ok(())
    }

    /// Moves sequences out of high slots while low ones are free, so that no empty slot is computed.
    fn compact(&mut self, rows: &mut [Row<'_, usize>]) -> candle_core::Result<()> {
        if rows.iter().map(|row| row.cells + 1).max().unwrap_or(0) <= rows.len() {
            return Ok(());
        }
        let count = rows.len();
        let mut low: Vec<usize> = self.free.iter().copied().filter(|slot| *slot < count).collect();
        for row in rows.iter_mut().filter(|row| row.cells >= count) {
            let Some(to) = low.pop() else { break };
            for (keys, values) in &self.cache {
                for tensor in [keys, values] {
                    tensor.slice_set(&tensor.narrow(0, row.cells, 1)?.copy()?, 0, to)?;
                }
            }
            self.free.retain(|slot| *slot != to);
            self.free.push(row.cells);
            row.cells = to;
        }
        self.free.sort_unstable_by(|a, b| b.cmp(a));
        Ok(())
    }

    /// The logits of each slot, given its last token and that token's position. Slots without one are computed
    /// along; what they write goes to the last cell, which no sequence reaches: its last token is never computed.
    fn run(&self, last: &[Option<(u32, u32)>]) -> candle_core::Result<Vec<Vec<f32>>> {
        let n = last.len();
        let (config, device) = (self.config, &self.device);
        let (kv, d) = (config.n_kv_heads, config.head_dim);
        let tokens: Vec<u32> = last.iter().map(|row| row.unwrap_or_default().0).collect();
        let places: Vec<u32> = last.iter().map(|row| row.unwrap_or_default().1).collect();
        let cells =
            places.iter().max().map_or(0, |p| *p as usize + 1).next_multiple_of(STRIDE).min(self.room);
        let mask: Vec<f32> = places
            .iter()
            .flat_map(|p| (0..cells).map(move |c| if c > *p as usize { f32::NEG_INFINITY } else { 0.0 }))
            .collect();
        let mask = Tensor::from_vec(mask, (n, 1, 1, cells), device)?;
        let places = Tensor::from_vec(places, (n, 1), device)?;
        let index: Vec<u32> =
            last.iter().map(|row| row.map_or(self.room - 1, |(_, p)| p as usize) as u32).collect();
        let index =
            Tensor::from_vec(index, (n, 1, 1, 1), device)?.broadcast_as((n, kv, 1, d))?.contiguous()?;
        let x = self.layers(&Tensor::from_vec(tokens, (n, 1), device)?, &places, |layer, q, k, v| {
            let (keys, values) = &self.cache[layer];
            let (keys, values) = (keys.narrow(0, 0, n)?, values.narrow(0, 0, n)?);
            keys.scatter_set(&index, &k.contiguous()?, 2)?;
            values.scatter_set(&index, &v.contiguous()?, 2)?;
            Self::attention(q, &keys.narrow(2, 0, cells)?, &values.narrow(2, 0, cells)?, &mask)
        })?;
        self.logits(&x.squeeze(1)?)
    }
}

/// Root-mean-square norm in 32-bit floats.
fn norm(x: &Tensor, weight: &Tensor, epsilon: f64) -> candle_core::Result<Tensor> {
    let dtype = x.dtype();
    let x = x.to_dtype(DType::F32)?;
    let mean = (x.sqr()?.sum_keepdim(D::Minus1)? / x.dim(D::Minus1)? as f64)?;
    x.broadcast_div(&(mean + epsilon)?.sqrt()?)?.to_dtype(dtype)?.broadcast_mul(&weight.detach())
}

/// `x W' + bias + scale (x A') B'` for `[B, T, in]`.
fn apply(linear: &Linear, x: &Tensor) -> candle_core::Result<Tensor> {
    let (b, t, inputs) = x.dims3()?;
    let x = x.reshape((b * t, inputs))?;
    let mut y = x.matmul(&linear.weight.as_detached_tensor().t()?)?;
    if let Some(bias) = &linear.bias {
        y = y.broadcast_add(&bias.as_detached_tensor())?;
    }
    if let Some(adapter) = &linear.adapter {
        let (down, up) = (adapter.a.as_detached_tensor(), adapter.b.as_detached_tensor());
        let low = x.to_dtype(down.dtype())?.matmul(&down.t()?)?.matmul(&up.t()?)?;
        y = (y + (low * adapter.scale)?.to_dtype(x.dtype())?)?;
    }
    y.reshape((b, t, ()))
}

impl Engine for Graph<'_> {
    type Prefix = Prefix;
    type Cells = usize;

    fn reserve(&mut self, _prompt: usize, _new: bool, _max_tokens: usize) -> bool {
        let fits = self.promised < self.slots;
        self.promised += usize::from(fits);
        fits
    }

    fn prefill(&mut self, prompts: &[&[u32]]) -> Result<Vec<Prefix>> {
        prompts.iter().map(|tokens| Ok(self.prompt(tokens)?)).collect()
    }

    fn fork(&mut self, prefix: &Prefix) -> Result<usize> {
        let slot = self.free.pop().ok_or_else(|| PolicyError::input("the batch has no free slot"))?;
        self.fill(slot, &prefix.cells, prefix.len)?;
        Ok(slot)
    }

    fn first(&mut self, prefixes: &[Option<Prefix>], rows: &mut [Row<'_, usize>]) -> Result<()> {
        let mut sampler = Sampler::default();
        for row in rows {
            if let Some(prefix) = &prefixes[row.sequence.prompt] {
                row.sequence.advance(&prefix.logits, &mut sampler)?;
            }
        }
        Ok(())
    }

    fn step(&mut self, prefixes: &[Option<Prefix>], rows: &mut [Row<'_, usize>]) -> Result<()> {
        self.compact(rows)?;
        let high = rows.iter().map(|row| row.cells + 1).max().unwrap_or(0);
        let mut last = vec![None; high];
        for row in rows.iter() {
            let prompt = prefixes[row.sequence.prompt].as_ref().map_or(0, |prefix| prefix.len);
            let token = row.sequence.own().last().copied().unwrap_or_default();
            last[row.cells] = Some((token, (prompt + row.sequence.own().len() - 1) as u32));
        }
        let logits = self.run(&last)?;
        let results: Vec<Result<()>> = rows
            .par_iter_mut()
            .map_init(Sampler::default, |sampler, row| row.sequence.advance(&logits[row.cells], sampler))
            .collect();
        results.into_iter().collect()
    }

    fn leave(&mut self, slot: usize, _max_tokens: usize) {
        self.free.push(slot);
        self.free.sort_unstable_by(|a, b| b.cmp(a));
        self.promised -= 1;
    }

    fn forget(&mut self, _: Prefix) {}

    fn count(&self, statistics: &mut Statistics) {
        let of = |tensor: &Tensor| tensor.elem_count() * tensor.dtype().size_in_bytes();
        statistics.cache_bytes = self.cache.iter().map(|(keys, values)| of(keys) + of(values)).sum();
    }
}
