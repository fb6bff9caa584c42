//! The weights as decoding reads them: a copy made at the start of a call, in panels, adapters merged.
//!
//! The copy costs the time of about two steps of decoding and the memory of the weights once more. It buys products
//! that read memory in order, adapters that cost nothing per token (`W + scale B A` is the same function of the
//! input as `W x + scale B (A x)`), and a snapshot: no tensor of the learner stays borrowed while tokens are
//! sampled.

use candle_core::Tensor;
use rayon::prelude::*;

use super::kernel::{self, LANES, Rows, Write};
use crate::config::ModelConfig;
use crate::error::{PolicyError, Result};
use crate::fused::{mul_add, vectorised};
use crate::gradients::with_slice;
use crate::weights::{Linear, Weights};

/// Products below this many multiplications are not worth a second thread.
const SPREAD_FROM: usize = 1 << 18;

/// Some matrices that take the same input, their outputs side by side.
pub(crate) struct Matrix {
    panels: Vec<f32>,
    inputs: usize,
    /// Where each matrix's outputs begin; each begins a panel.
    pub(crate) offsets: Vec<usize>,
    /// All outputs, with what fills the panels up (they are 0).
    pub(crate) outputs: usize,
    bias: Option<Vec<f32>>,
}

impl Matrix {
    /// Room for matrices with these numbers of outputs.
    fn zeros(outputs: &[usize], inputs: usize) -> Self {
        let mut total = 0;
        let offsets = outputs
            .iter()
            .map(|outputs| {
                let offset = total;
                total += outputs.next_multiple_of(LANES);
                offset
            })
            .collect();
        Self { panels: vec![0.0; total * inputs], inputs, offsets, outputs: total, bias: None }
    }

    /// Copies linear layers. `name` and the shapes are for the error.
    fn pack(name: &str, parts: &[(&Linear, usize)], inputs: usize) -> Result<Self> {
        let outputs: Vec<usize> = parts.iter().map(|(_, outputs)| *outputs).collect();
        let mut matrix = Self::zeros(&outputs, inputs);
        for (part, (linear, outputs)) in parts.iter().enumerate() {
            matrix.put(name, part, &linear.weight, *outputs)?;
            let start = matrix.offsets[part];
            if let Some(bias) = &linear.bias {
                shaped(name, bias, &[*outputs])?;
                let total = matrix.outputs;
                let all = matrix.bias.get_or_insert_with(|| vec![0.0; total]);
                with_slice(bias, |values| all[start..start + outputs].copy_from_slice(values))?;
            }
            if let Some(adapter) = linear.adapter.as_ref().filter(|adapter| adapter.a.elem_count() > 0) {
                let rank = adapter.a.dim(0)?;
                shaped(name, &adapter.a, &[rank, inputs])?;
                shaped(name, &adapter.b, &[*outputs, rank])?;
                let scale = adapter.scale as f32;
                with_slice(&adapter.a, |a| {
                    with_slice(&adapter.b, |b| {
                        matrix.fill(part, *outputs, |first, panel| {
                            let count = LANES.min(outputs - first);
                            // [rank][16]: the panel's rows of B, turned and scaled.
                            let mut turned = vec![[0.0; LANES]; rank];
                            for (lane, row) in b[first * rank..].chunks_exact(rank).take(count).enumerate() {
                                for (to, b) in turned.iter_mut().zip(row) {
                                    to[lane] = scale * b;
                                }
                            }
                            merge(panel, &turned, a);
                        });
                    })
                })??;
            }
        }
        Ok(matrix)
    }

    /// Copies one `[outputs, inputs]` tensor to the part's place.
    fn put(&mut self, name: &str, part: usize, weight: &Tensor, outputs: usize) -> Result<()> {
        let inputs = self.inputs;
        shaped(name, weight, &[outputs, inputs])?;
        with_slice(weight, |values| {
            self.fill(part, outputs, |first, panel| {
                for (lane, row) in values[first * inputs..].chunks_exact(inputs).take(LANES).enumerate() {
                    for (panel, value) in panel.iter_mut().zip(row) {
                        panel[lane] = *value;
                    }
                }
            });
        })
    }

    /// Calls `f(first output, [in][16])` for each panel of a part, in parallel.
    fn fill(&mut self, part: usize, outputs: usize, f: impl Fn(usize, &mut [[f32; LANES]]) + Sync) {
        let start = self.offsets[part] * self.inputs;
        let end = start + outputs.next_multiple_of(LANES) * self.inputs;
        self.panels[start..end]
            .par_chunks_exact_mut(self.inputs * LANES)
            .enumerate()
            .for_each(|(p, panel)| f(p * LANES, panel.as_chunks_mut::<LANES>().0));
    }

    /// The weights of one output.
    fn output(&self, output: usize, into: &mut [f32]) {
        let panel = &self.panels[output / LANES * self.inputs * LANES..];
        for (value, chunk) in into.iter_mut().zip(panel.as_chunks::<LANES>().0) {
            *value = chunk[output % LANES];
        }
    }

    /// `y = x W' + bias`, or that added to `y`, for rows of `x_stride` and `y_stride` numbers. Writes `width`
    /// outputs. With a stage, the outputs are shared out over threads; the numbers are the same.
    pub(crate) fn multiply(
        &self,
        x: &[f32],
        rows: Rows,
        y: &mut [f32],
        (y_stride, width): (usize, usize),
        write: Write,
        stage: Option<&mut Vec<f32>>,
    ) {
        let panels = self.outputs / LANES;
        match stage {
            Some(stage) if rows.count * self.inputs * self.outputs >= SPREAD_FROM && panels > 1 => {
                let side = panels.div_ceil(rayon::current_num_threads() * 4).max(1);
                stage.resize(rows.count * self.outputs, 0.0);
                stage.par_chunks_mut(rows.count * LANES * side).enumerate().for_each(|(i, part)| {
                    let outputs = part.len() / rows.count;
                    let from = &self.panels[i * side * LANES * self.inputs..];
                    kernel::multiply(
                        x,
                        rows,
                        self.inputs,
                        from,
                        self.inputs,
                        part,
                        outputs,
                        outputs,
                        Write::Set,
                    );
                });
                for (i, part) in stage.chunks(rows.count * LANES * side).enumerate() {
                    let outputs = part.len() / rows.count;
                    let start = i * side * LANES;
                    let used = width.saturating_sub(start).min(outputs);
                    for (row, part) in part.chunks_exact(outputs).enumerate() {
                        let y = &mut y[row * y_stride + start.min(width)..][..used];
                        match write {
                            Write::Set => y.copy_from_slice(&part[..used]),
                            Write::Add => y.iter_mut().zip(part).for_each(|(y, part)| *y += part),
                        }
                    }
                }
            }
            _ => {
                kernel::multiply(x, rows, self.inputs, &self.panels, self.inputs, y, y_stride, width, write);
            }
        }
        if let Some(bias) = &self.bias {
            for y in y.chunks_mut(y_stride).take(rows.count) {
                for (y, bias) in y[..width].iter_mut().zip(bias) {
                    *y += bias;
                }
            }
        }
    }
}

vectorised! {
    /// Adds to a panel `[in][16]` the product of `turned` `[rank][16]` and `a` `[rank, in]`.
    fn merge(panel: &mut [[f32; LANES]], turned: &[[f32; LANES]], a: &[f32]) {
        let inputs = panel.len();
        for (i, weights) in panel.iter_mut().enumerate() {
            let mut sum = [0.0_f32; LANES];
            for (r, b) in turned.iter().enumerate() {
                let factor = a[r * inputs + i];
                for lane in 0..LANES {
                    sum[lane] = mul_add::<FMA>(factor, b[lane], sum[lane]);
                }
            }
            for lane in 0..LANES {
                weights[lane] += sum[lane];
            }
        }
    }
}

/// One layer.
pub(crate) struct LayerSnapshot {
    pub(crate) input_norm: Vec<f32>,
    pub(crate) qkv: Matrix,
    pub(crate) q_norm: Option<Vec<f32>>,
    pub(crate) k_norm: Option<Vec<f32>>,
    pub(crate) o: Matrix,
    pub(crate) post_norm: Vec<f32>,
    pub(crate) gate_up: Matrix,
    pub(crate) down: Matrix,
}

/// The whole model.
pub(crate) struct Snapshot {
    pub(crate) layers: Vec<LayerSnapshot>,
    pub(crate) final_norm: Vec<f32>,
    pub(crate) head: Matrix,
    /// `[V, H]` where the head is another matrix; else the head serves.
    embedding: Option<Vec<f32>>,
    /// `[T, D / 2]`: cosines and sines of the rotary angles of each position.
    pub(crate) cosines: Vec<f32>,
    pub(crate) sines: Vec<f32>,
}

impl Snapshot {
    /// Copies the weights; `positions` is the longest sequence that will be decoded.
    ///
    /// # Errors
    /// When a tensor is not in the CPU's memory or its shape is not the configuration's.
    pub(crate) fn new(config: &ModelConfig, weights: &Weights, positions: usize) -> Result<Self> {
        let hidden = config.hidden_size;
        let vector = |name: &str, tensor: &Tensor, size: usize| -> Result<Vec<f32>> {
            shaped(name, tensor, &[size])?;
            with_slice(tensor, <[f32]>::to_vec)
        };
        if weights.layers.len() != config.n_layers {
            return Err(PolicyError::input(format!(
                "the model has {} layers and its configuration {}",
                weights.layers.len(),
                config.n_layers
            )));
        }
        let (q, kv, wide) = (config.q_dim(), config.kv_dim(), config.intermediate_size);
        let layers = weights
            .layers
            .iter()
            .map(|layer| {
                let head_norm = |name, norm: Option<&candle_core::Var>| -> Result<Option<Vec<f32>>> {
                    norm.map(|norm| vector(name, norm, config.head_dim)).transpose()
                };
                let qkv = [(&layer.q, q), (&layer.k, kv), (&layer.v, kv)];
                Ok(LayerSnapshot {
                    input_norm: vector("input_layernorm", &layer.input_norm, hidden)?,
                    qkv: Matrix::pack("q_proj, k_proj or v_proj", &qkv, hidden)?,
                    q_norm: head_norm("q_norm", layer.q_norm.as_ref())?,
                    k_norm: head_norm("k_norm", layer.k_norm.as_ref())?,
                    o: Matrix::pack("o_proj", &[(&layer.o, hidden)], q)?,
                    post_norm: vector("post_attention_layernorm", &layer.post_norm, hidden)?,
                    gate_up: Matrix::pack(
                        "gate_proj or up_proj",
                        &[(&layer.gate, wide), (&layer.up, wide)],
                        hidden,
                    )?,
                    down: Matrix::pack("down_proj", &[(&layer.down, hidden)], wide)?,
                })
            })
            .collect::<Result<_>>()?;
        let mut head = Matrix::zeros(&[config.vocab_size], hidden);
        head.put("lm_head", 0, weights.output(), config.vocab_size)?;
        shaped("embed_tokens", &weights.embedding, &[config.vocab_size, hidden])?;
        let embedding = match &weights.head {
            Some(_) => Some(with_slice(&weights.embedding, <[f32]>::to_vec)?),
            None => None,
        };
        let frequencies = config.rope_frequencies();
        let angles =
            || (0..positions).flat_map(|p| frequencies.iter().map(move |frequency| p as f64 * frequency));
        Ok(Self {
            layers,
            final_norm: vector("norm", &weights.final_norm, hidden)?,
            head,
            embedding,
            cosines: angles().map(|angle| angle.cos() as f32).collect(),
            sines: angles().map(|angle| angle.sin() as f32).collect(),
        })
    }

    /// The embedding of a token, `[H]`.
    pub(crate) fn embed(&self, token: u32, into: &mut [f32]) {
        match &self.embedding {
            Some(embedding) => {
                let start = token as usize * into.len();
                into.copy_from_slice(&embedding[start..start + into.len()]);
            }
            None => self.head.output(token as usize, into),
        }
    }
}

fn shaped(name: &str, tensor: &Tensor, shape: &[usize]) -> Result<()> {
    if tensor.dims() == shape {
        return Ok(());
    }
    Err(PolicyError::input(format!(
        "`{name}` has the shape {:?} and its configuration says {shape:?}",
        tensor.dims()
    )))
}
