//! The numbers of a model and of its gradients, borrowed from the tensors once for a whole pass.

use candle_core::{Layout, Storage};

use super::linear::Joined;
use super::view::{View, ViewMut};
use super::workspace::LayerPanels;
use crate::config::ModelConfig;
use crate::error::{PolicyError, Result};
use crate::gradients::{Gradients, with_slices_mut};
use crate::weights::Weights;

/// A matrix, its bias, and the adapter beside it.
#[derive(Clone, Copy, Debug)]
pub(super) struct LinearView<'a> {
    /// `[out, in]`.
    pub weight: View<'a>,
    pub bias: Option<&'a [f32]>,
    pub adapter: Option<AdapterView<'a>>,
}

/// LoRA's matrices.
#[derive(Clone, Copy, Debug)]
pub(super) struct AdapterView<'a> {
    /// `[rank, in]`.
    pub a: View<'a>,
    /// `[out, rank]`.
    pub b: View<'a>,
    pub scale: f32,
}

/// One layer; names as in [`crate::Layer`].
#[derive(Debug)]
pub(super) struct LayerView<'a> {
    pub input_norm: &'a [f32],
    pub q_norm: Option<&'a [f32]>,
    pub k_norm: Option<&'a [f32]>,
    pub post_norm: &'a [f32],
    pub q: LinearView<'a>,
    pub k: LinearView<'a>,
    pub v: LinearView<'a>,
    pub o: LinearView<'a>,
    pub gate: LinearView<'a>,
    pub up: LinearView<'a>,
    pub down: LinearView<'a>,
}

impl LayerView<'_> {
    /// Queries, keys and values.
    pub(super) const fn qkv(&self) -> Joined<'_, 3> {
        Joined([&self.q, &self.k, &self.v])
    }

    pub(super) const fn gate_up(&self) -> Joined<'_, 2> {
        Joined([&self.gate, &self.up])
    }

    /// Lays the weights out for the forward pass.
    pub(super) fn pack(&self, panels: &mut LayerPanels) {
        self.qkv().pack(&mut panels.qkv);
        Joined([&self.o]).pack(&mut panels.o);
        self.gate_up().pack(&mut panels.gate_up);
        Joined([&self.down]).pack(&mut panels.down);
    }

    /// Lays them out for the backward pass.
    pub(super) fn pack_backward(&self, panels: &mut LayerPanels) {
        self.qkv().pack_backward(&mut panels.qkv);
        Joined([&self.o]).pack_backward(&mut panels.o);
        self.gate_up().pack_backward(&mut panels.gate_up);
        Joined([&self.down]).pack_backward(&mut panels.down);
    }
}

/// All of a model.
#[derive(Debug)]
pub(super) struct Model<'a> {
    pub config: &'a ModelConfig,
    pub eps: f32,
    /// `[V, H]`.
    pub embedding: View<'a>,
    pub layers: Vec<LayerView<'a>>,
    pub final_norm: &'a [f32],
    /// `[V, H]`, which is the embedding where that serves.
    pub head: View<'a>,
}

/// Where a matrix's gradients go; none where it is frozen.
#[derive(Debug, Default)]
pub(super) struct LinearGradient<'a> {
    pub weight: Option<ViewMut<'a>>,
    pub bias: Option<&'a mut [f32]>,
    /// By A and by B.
    pub adapter: Option<(ViewMut<'a>, ViewMut<'a>)>,
}

/// One layer's.
#[derive(Debug, Default)]
pub(super) struct LayerGradient<'a> {
    pub input_norm: Option<&'a mut [f32]>,
    pub q_norm: Option<&'a mut [f32]>,
    pub k_norm: Option<&'a mut [f32]>,
    pub post_norm: Option<&'a mut [f32]>,
    pub q: LinearGradient<'a>,
    pub k: LinearGradient<'a>,
    pub v: LinearGradient<'a>,
    pub o: LinearGradient<'a>,
    pub gate: LinearGradient<'a>,
    pub up: LinearGradient<'a>,
    pub down: LinearGradient<'a>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct ModelGradient<'a> {
    pub embedding: Option<ViewMut<'a>>,
    pub layers: Vec<LayerGradient<'a>>,
    pub final_norm: Option<&'a mut [f32]>,
    /// Of a head of its own; else the embedding's is meant.
    pub head: Option<ViewMut<'a>>,
}

/// Lends the numbers of all weights.
///
/// # Errors
/// When a tensor is not in the CPU's memory or has another size than the config says.
pub(super) fn with_model<R>(
    config: &ModelConfig,
    weights: &Weights,
    run: impl FnOnce(&Model<'_>) -> Result<R>,
) -> Result<R> {
    let (h, f, q, kv) = (config.hidden_size, config.intermediate_size, config.q_dim(), config.kv_dim());
    let base = weights.named();
    let adapters = weights.named_adapters();
    let guards: Vec<_> = base.iter().chain(&adapters).map(|(_, var)| var.storage_and_layout()).collect();
    let slices =
        guards.iter().map(|(storage, layout)| numbers(storage, layout)).collect::<Result<Vec<&[f32]>>>()?;
    let mut base_slices = slices[..base.len()].iter().copied();
    let mut adapter_slices = slices[base.len()..].iter().copied();
    let mut take = |n: usize| sized(base_slices.next(), n);
    let embedding = View::new(take(config.vocab_size * h)?, config.vocab_size, h);
    let mut layers = Vec::with_capacity(weights.layers.len());
    for layer in &weights.layers {
        let input_norm = take(h)?;
        let q_norm = layer.q_norm.as_ref().map(|_| take(config.head_dim)).transpose()?;
        let k_norm = layer.k_norm.as_ref().map(|_| take(config.head_dim)).transpose()?;
        if q_norm.is_some() != k_norm.is_some() {
            return Err(PolicyError::input("a layer has a norm of queries or of keys, but not of both"));
        }
        let post_norm = take(h)?;
        let mut linear = |linear: &crate::Linear, rows: usize, cols: usize| -> Result<LinearView<'_>> {
            let weight = View::new(take(rows * cols)?, rows, cols);
            let bias = linear.bias.as_ref().map(|_| take(rows)).transpose()?;
            let adapter = match &linear.adapter {
                None => None,
                Some(adapter) => {
                    let (a, b) = (adapter_slices.next(), adapter_slices.next());
                    let rank = a.unwrap_or_default().len() / cols;
                    Some(AdapterView {
                        a: View::new(sized(a, rank * cols)?, rank, cols),
                        b: View::new(sized(b, rows * rank)?, rows, rank),
                        scale: adapter.scale as f32,
                    })
                }
            };
            Ok(LinearView { weight, bias, adapter })
        };
        layers.push(LayerView {
            input_norm,
            q_norm,
            k_norm,
            post_norm,
            q: linear(&layer.q, q, h)?,
            k: linear(&layer.k, kv, h)?,
            v: linear(&layer.v, kv, h)?,
            o: linear(&layer.o, h, q)?,
            gate: linear(&layer.gate, f, h)?,
            up: linear(&layer.up, f, h)?,
            down: linear(&layer.down, h, f)?,
        });
    }
    let final_norm = take(h)?;
    let head = match &weights.head {
        Some(_) => View::new(take(config.vocab_size * h)?, config.vocab_size, h),
        None => embedding,
    };
    run(&Model { config, eps: config.rms_norm_eps as f32, embedding, layers, final_norm, head })
}

/// Lends the numbers of all gradients, which are in the order of [`Weights::trained`].
///
/// # Errors
/// When they do not fit the model.
pub(super) fn with_gradients<R>(
    model: &Model<'_>,
    weights: &Weights,
    gradients: &mut Gradients,
    run: impl FnOnce(ModelGradient<'_>) -> Result<R>,
) -> Result<R> {
    let adapted = weights.layers.iter().any(|l| l.linears().iter().any(|(_, l)| l.adapter.is_some()));
    let expected = weights.trained().len();
    if gradients.tensors.len() != expected {
        return Err(PolicyError::input(format!(
            "{} gradients for {expected} trained parameters",
            gradients.tensors.len()
        )));
    }
    with_slices_mut(&gradients.tensors, |slices| {
        let gradient = if adapted { of_adapters(model, slices) } else { of_all(model, weights, slices) }?;
        run(gradient)
    })?
}

fn of_all<'a>(model: &Model<'_>, weights: &Weights, slices: Vec<&'a mut [f32]>) -> Result<ModelGradient<'a>> {
    let mut slices = slices.into_iter();
    let mut take = |n: usize| sized_mut(slices.next(), n);
    let (v, h) = (model.embedding.n_rows(), model.embedding.n_cols());
    let embedding = Some(ViewMut::new(take(v * h)?, v, h));
    let mut layers = Vec::with_capacity(model.layers.len());
    for layer in &model.layers {
        let input_norm = Some(take(h)?);
        let q_norm = layer.q_norm.map(|norm| take(norm.len())).transpose()?;
        let k_norm = layer.k_norm.map(|norm| take(norm.len())).transpose()?;
        let post_norm = Some(take(h)?);
        let mut linear = |linear: &LinearView<'_>| -> Result<LinearGradient<'a>> {
            let (rows, cols) = (linear.weight.n_rows(), linear.weight.n_cols());
            let weight = Some(ViewMut::new(take(rows * cols)?, rows, cols));
            let bias = linear.bias.map(|_| take(rows)).transpose()?;
            Ok(LinearGradient { weight, bias, adapter: None })
        };
        layers.push(LayerGradient {
            input_norm,
            q_norm,
            k_norm,
            post_norm,
            q: linear(&layer.q)?,
            k: linear(&layer.k)?,
            v: linear(&layer.v)?,
            o: linear(&layer.o)?,
            gate: linear(&layer.gate)?,
            up: linear(&layer.up)?,
            down: linear(&layer.down)?,
        });
    }
    let final_norm = Some(take(h)?);
    let head = match &weights.head {
        Some(_) => Some(ViewMut::new(take(v * h)?, v, h)),
        None => None,
    };
    Ok(ModelGradient { embedding, layers, final_norm, head })
}

fn of_adapters<'a>(model: &Model<'_>, slices: Vec<&'a mut [f32]>) -> Result<ModelGradient<'a>> {
    let mut slices = slices.into_iter();
    let mut linear = |linear: &LinearView<'_>| -> Result<LinearGradient<'a>> {
        let Some(adapter) = &linear.adapter else { return Ok(LinearGradient::default()) };
        let mut matrix = |view: &View<'_>| -> Result<ViewMut<'a>> {
            let (rows, cols) = (view.n_rows(), view.n_cols());
            Ok(ViewMut::new(sized_mut(slices.next(), rows * cols)?, rows, cols))
        };
        let a = matrix(&adapter.a)?;
        Ok(LinearGradient { adapter: Some((a, matrix(&adapter.b)?)), ..LinearGradient::default() })
    };
    let mut layers = Vec::with_capacity(model.layers.len());
    for layer in &model.layers {
        layers.push(LayerGradient {
            q: linear(&layer.q)?,
            k: linear(&layer.k)?,
            v: linear(&layer.v)?,
            o: linear(&layer.o)?,
            gate: linear(&layer.gate)?,
            up: linear(&layer.up)?,
            down: linear(&layer.down)?,
            ..LayerGradient::default()
        });
    }
    Ok(ModelGradient { layers, ..ModelGradient::default() })
}

fn numbers<'a>(storage: &'a Storage, layout: &Layout) -> Result<&'a [f32]> {
    let Storage::Cpu(storage) = storage else {
        return Err(PolicyError::input("a weight is not in the CPU's memory"));
    };
    let (start, end) =
        layout.contiguous_offsets().ok_or_else(|| PolicyError::input("a weight is not contiguous"))?;
    Ok(&storage.as_slice::<f32>()?[start..end])
}

fn sized(slice: Option<&[f32]>, n: usize) -> Result<&[f32]> {
    let slice = slice.unwrap_or_default();
    if slice.len() == n { Ok(slice) } else { Err(misfit(slice.len(), n)) }
}

fn sized_mut(slice: Option<&mut [f32]>, n: usize) -> Result<&mut [f32]> {
    let slice = slice.unwrap_or_default();
    if slice.len() == n { Ok(slice) } else { Err(misfit(slice.len(), n)) }
}

fn misfit(got: usize, expected: usize) -> PolicyError {
    PolicyError::input(format!("a tensor has {got} numbers where the model's config asks for {expected}"))
}
