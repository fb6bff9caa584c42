//! A model's parameters as llama.cpp names and arranges them.

use candle_core::{Tensor, Var};

use super::dtype::Dtype;
use crate::config::{Family, ModelConfig, RopeScaling};
use crate::error::{PolicyError, Result};
use crate::gradients::with_slice;
use crate::policy::Policy;
use crate::tensors::host;
use crate::weights::{Adapter, Linear};

/// One tensor of a file: what it is called there, and where its numbers come from. They are looked up when they are
/// asked for, so that an entry can be kept and read again after each step of training.
#[derive(Clone, Debug)]
pub struct Entry {
    name: String,
    shape: Vec<usize>,
    source: Source,
    /// The rows belong to so many heads, and those of a head are told apart in llama.cpp's order.
    heads: Option<usize>,
}

#[derive(Clone, Debug)]
enum Source {
    Parameter(Var),
    /// A matrix with what its adapter adds to it.
    Merged(Var, Adapter),
    Constant(Vec<f32>),
}

impl Entry {
    pub(super) fn new(name: String, var: &Var) -> Self {
        Self { name, shape: var.dims().to_vec(), source: Source::Parameter(var.clone()), heads: None }
    }

    #[must_use]
    pub(super) fn in_heads(self, heads: Option<usize>) -> Self {
        Self { heads, ..self }
    }

    /// Its name in llama.cpp, such as `blk.0.attn_q.weight`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its shape, rows first; in GGUF's own order it is turned around.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Bytes of its numbers in a file of matrices of a type.
    pub fn size(&self, dtype: Dtype) -> usize {
        dtype.of(&self.shape).size(self.shape.iter().product())
    }

    /// Lends its numbers as llama.cpp arranges them, row by row. A parameter on the CPU is lent without a copy where
    /// its rows are not to be rearranged.
    ///
    /// # Errors
    /// When the device fails.
    pub fn with_values<R>(&self, f: impl FnOnce(&[f32]) -> R) -> Result<R> {
        match &self.source {
            Source::Parameter(var) => self.arranged(var, f),
            Source::Merged(weight, adapter) => {
                let low = adapter.b.as_detached_tensor().matmul(&adapter.a.as_detached_tensor())?;
                let sum = (weight.as_detached_tensor() + (low * adapter.scale)?)?;
                self.arranged(&sum, f)
            }
            Source::Constant(values) => Ok(f(values)),
        }
    }

    fn arranged<R>(&self, tensor: &Tensor, f: impl FnOnce(&[f32]) -> R) -> Result<R> {
        let arrange = |values: &[f32]| match self.heads {
            Some(heads) => f(&interleave(values, self.shape[0], heads)),
            None => f(values),
        };
        if tensor.device().is_cpu() && tensor.is_contiguous() {
            with_slice(tensor, arrange)
        } else {
            Ok(arrange(&host(tensor)?))
        }
    }

    /// Appends its numbers to `out`, as a file of matrices of type `dtype` holds them: [`size`](Self::size) bytes.
    ///
    /// # Errors
    /// When a number is not finite or too large for the type, or the device fails.
    pub fn encode(&self, dtype: Dtype, out: &mut Vec<u8>) -> Result<()> {
        let dtype = dtype.of(&self.shape);
        self.with_values(|values| {
            // The largest number whose half is finite. A block of q8_0 has a half for its scale.
            let limit = match dtype {
                Dtype::F16 => 65_519.0,
                Dtype::Q8_0 => 65_519.0 * 127.0,
                Dtype::F32 | Dtype::Bf16 => f32::MAX,
            };
            // Without an early end the loop is a few instructions for many numbers.
            let sound = values.iter().fold(true, |sound, value| sound & (value.abs() <= limit));
            if !sound {
                let value = values.iter().find(|value| value.is_nan() || value.abs() > limit);
                return Err(self.refuse(dtype, value.copied().unwrap_or(f32::NAN)));
            }
            let start = out.len();
            out.resize(start + dtype.size(values.len()), 0);
            dtype.encode(values, &mut out[start..]);
            Ok(())
        })?
    }

    fn refuse(&self, dtype: Dtype, value: f32) -> PolicyError {
        if value.is_finite() {
            let message = format!(
                "`{}` holds {value}, which is too large for {dtype}; bf16 has room for it",
                self.name
            );
            return PolicyError::Unsupported { message };
        }
        PolicyError::input(format!("`{}` holds {value}; a model is not exported with it", self.name))
    }
}

/// Rows of heads in the order of llama.cpp's `llama` architecture: it turns neighbours, and Hugging Face's layout
/// turns a dimension with the one half a head further. So a head's halves are dealt out in turns.
fn interleave(values: &[f32], n_rows: usize, heads: usize) -> Vec<f32> {
    let width = values.len() / n_rows;
    let half = n_rows / heads / 2;
    let mut arranged = Vec::with_capacity(values.len());
    for head in values.chunks_exact(2 * half * width) {
        let (first, second) = head.split_at(half * width);
        for (first, second) in first.chunks_exact(width).zip(second.chunks_exact(width)) {
            arranged.extend_from_slice(first);
            arranged.extend_from_slice(second);
        }
    }
    arranged
}

/// The name of a matrix of a layer, from Hugging Face's.
fn linear_name(name: &str) -> &'static str {
    match name {
        "self_attn.q_proj" => "attn_q",
        "self_attn.k_proj" => "attn_k",
        "self_attn.v_proj" => "attn_v",
        "self_attn.o_proj" => "attn_output",
        "mlp.gate_proj" => "ffn_gate",
        "mlp.up_proj" => "ffn_up",
        _ => "ffn_down",
    }
}

/// The name of a norm of a layer, likewise.
fn norm_name(name: &str) -> &'static str {
    match name {
        "input_layernorm" => "attn_norm",
        "self_attn.q_norm" => "attn_q_norm",
        "self_attn.k_norm" => "attn_k_norm",
        _ => "ffn_norm",
    }
}

/// Of which heads the rows of a matrix are dealt out; `None` where they stay in their order.
pub(super) fn dealt(config: &ModelConfig, name: &str) -> Option<usize> {
    match (config.family, name) {
        (Family::Llama, "self_attn.q_proj") => Some(config.n_heads),
        (Family::Llama, "self_attn.k_proj") => Some(config.n_kv_heads),
        _ => None,
    }
}

/// The name of the weight of a layer's matrix.
pub(super) fn weight_name(layer: usize, name: &str) -> String {
    format!("blk.{layer}.{}.weight", linear_name(name))
}

/// Every tensor of a model's file, in a fixed order. Where the policy has adapters they are merged into the matrices,
/// one at a time when it is read; [`Policy::without_adapter`] gives the model below them.
pub fn tensors(policy: &Policy) -> Vec<Entry> {
    let (config, weights) = (&policy.config, &policy.weights);
    let mut entries = vec![Entry::new("token_embd.weight".to_owned(), &weights.embedding)];
    if let Some(factors) = rope_factors(config) {
        let shape = vec![factors.len()];
        let source = Source::Constant(factors);
        entries.push(Entry { name: "rope_freqs.weight".to_owned(), shape, source, heads: None });
    }
    for (i, layer) in weights.layers.iter().enumerate() {
        for (name, norm) in layer.norms() {
            entries.push(Entry::new(format!("blk.{i}.{}.weight", norm_name(name)), norm));
        }
        for (name, linear) in layer.linears() {
            let heads = dealt(config, name);
            let Linear { weight, bias, adapter } = linear;
            let mut entry = Entry::new(weight_name(i, name), weight).in_heads(heads);
            if let Some(adapter) = adapter {
                entry.source = Source::Merged(weight.clone(), adapter.clone());
            }
            entries.push(entry);
            if let Some(bias) = bias {
                let name = format!("blk.{i}.{}.bias", linear_name(name));
                entries.push(Entry::new(name, bias).in_heads(heads));
            }
        }
    }
    entries.push(Entry::new("output_norm.weight".to_owned(), &weights.final_norm));
    // Without it llama.cpp takes the embedding.
    entries.extend(weights.head.as_ref().map(|head| Entry::new("output.weight".to_owned(), head)));
    entries
}

/// What the rotary angles are divided by, for each pair of dimensions, where the scaling is Llama 3.1's. llama.cpp
/// knows no such scaling by name and takes the factors themselves.
fn rope_factors(config: &ModelConfig) -> Option<Vec<f32>> {
    if !matches!(config.rope_scaling, RopeScaling::Llama3 { .. }) {
        return None;
    }
    let plain = ModelConfig { rope_scaling: RopeScaling::None, ..config.clone() }.rope_frequencies();
    let scaled = config.rope_frequencies();
    Some(plain.iter().zip(&scaled).map(|(plain, scaled)| (plain / scaled) as f32).collect())
}
