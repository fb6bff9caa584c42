//! The decoder as a graph of tensor operations that are differentiated by candle, on any device.
//!
//! It is the path of devices other than the CPU and the oracle that the path of the CPU is tested against. Sequences
//! are padded on the right to the longest one; a causal mask is then enough to keep padding out of every token.
//!
//! The graph is cut between layers. Each layer's input is a leaf of its own, so that the backward pass lets go of a
//! layer's activations as soon as it has used them, and with `checkpointing` makes them only then.

use candle_core::{D, DType, Device, Tensor, Var};

use crate::config::ModelConfig;
use crate::error::{PolicyError, Result};
use crate::gradients::Gradients;
use crate::packed::{Packed, Segment, TokenGradients, TokenScores};
use crate::weights::{Layer, Linear, Weights};

/// How many logits are alive at once where [`Options::chunk`] does not say it in rows.
const LOGITS_AT_ONCE: usize = 1 << 24;

/// How to compute.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Rows of logits made at once; 0 chooses by the size of the vocabulary.
    pub chunk: usize,
    /// Whether the backward pass computes each layer a second time instead of keeping what it needs from the first.
    pub checkpointing: bool,
    /// The type of activations and matrix products inside the layers. Logits, softmax, norms and parameters are
    /// always 32-bit floats.
    pub compute: DType,
}

impl Default for Options {
    fn default() -> Self {
        Self { chunk: 0, checkpointing: false, compute: DType::F32 }
    }
}

/// Log-probabilities and entropies of the scored tokens under softmax(logits / temperature).
///
/// # Errors
/// When `packed` does not fit the model, the temperature is not above 0, or the device fails.
pub fn scores(
    config: &ModelConfig,
    weights: &Weights,
    packed: &Packed,
    temperature: f32,
    options: &Options,
) -> Result<TokenScores> {
    check_temperature(temperature)?;
    if packed.rows.is_empty() {
        return Ok(TokenScores::default());
    }
    let pass = Pass::new(config, weights, packed, options, false)?;
    let hidden = pass.run()?;
    pass.score(&hidden, packed, temperature)
}

/// The same, and adds to `gradients` what `objective` makes of the scores, pulled back to the trained parameters.
///
/// # Errors
/// As [`scores`]; when `objective` fails or gives gradients of another length.
pub fn accumulate(
    config: &ModelConfig,
    weights: &Weights,
    packed: &Packed,
    temperature: f32,
    options: &Options,
    gradients: &mut Gradients,
    objective: impl FnOnce(&TokenScores) -> Result<TokenGradients>,
) -> Result<TokenScores> {
    check_temperature(temperature)?;
    if packed.rows.is_empty() {
        return objective(&TokenScores::default()).map(|_| TokenScores::default());
    }
    let pass = Pass::new(config, weights, packed, options, true)?;
    let tape = pass.record()?;
    let hidden = tape.rows.detach();
    let scores = pass.score(&hidden, packed, temperature)?;
    let wanted = objective(&scores)?;
    let m = packed.n_scored();
    if wanted.logprobs.len() != m || !(wanted.entropies.is_empty() || wanted.entropies.len() == m) {
        return Err(PolicyError::input(format!(
            "the objective gave {} and {} gradients for {m} tokens",
            wanted.logprobs.len(),
            wanted.entropies.len()
        )));
    }
    let by_hidden = pass.pull_scores(&hidden, packed, temperature, &wanted, gradients)?;
    pass.pull(tape, &by_hidden, gradients)?;
    Ok(scores)
}

/// The last hidden states, after the final norm, at [`Packed::rows`]: `[M, H]` row by row.
///
/// # Errors
/// When `packed` does not fit the model or the device fails.
pub fn hidden(
    config: &ModelConfig,
    weights: &Weights,
    packed: &Packed,
    options: &Options,
) -> Result<Vec<f32>> {
    if packed.rows.is_empty() {
        return Ok(Vec::new());
    }
    let pass = Pass::new(config, weights, packed, options, false)?;
    Ok(pass.run()?.flatten_all()?.to_vec1()?)
}

/// Adds to `gradients` what `objective` makes of the [`hidden`] states: it gives the gradient by each, `[M, H]`.
///
/// # Errors
/// As [`hidden`]; when `objective` fails or gives gradients of another length.
pub fn accumulate_hidden(
    config: &ModelConfig,
    weights: &Weights,
    packed: &Packed,
    options: &Options,
    gradients: &mut Gradients,
    objective: impl FnOnce(&[f32]) -> Result<Vec<f32>>,
) -> Result<()> {
    if packed.rows.is_empty() {
        return objective(&[]).map(|_| ());
    }
    let pass = Pass::new(config, weights, packed, options, true)?;
    let tape = pass.record()?;
    let values: Vec<f32> = tape.rows.detach().flatten_all()?.to_vec1()?;
    let wanted = objective(&values)?;
    if wanted.len() != values.len() {
        return Err(PolicyError::input(format!(
            "the objective gave {} gradients for {} hidden numbers",
            wanted.len(),
            values.len()
        )));
    }
    let wanted = Tensor::from_vec(wanted, tape.rows.shape(), &pass.device)?;
    pass.pull(tape, &wanted, gradients)
}

fn check_temperature(temperature: f32) -> Result<()> {
    if temperature.is_finite() && temperature > 0.0 {
        return Ok(());
    }
    Err(PolicyError::input(format!("the temperature is {temperature}; it must be above 0")))
}

/// One batch on its way through a model.
struct Pass<'a> {
    config: &'a ModelConfig,
    weights: &'a Weights,
    options: &'a Options,
    device: Device,
    /// What [`Gradients`] are for, in their order.
    trained: Vec<Var>,
    /// Whether parameters of the model itself are to be differentiated by.
    full: bool,
    /// Whether adapters are.
    adapters: bool,
    /// Sequences.
    n: usize,
    /// Tokens of each, padding included.
    length: usize,
    /// `[n * length]`.
    tokens: Tensor,
    /// `[M]`: indices into `tokens`.
    rows: Tensor,
    /// `[length, D / 2]`.
    cosines: Tensor,
    sines: Tensor,
    /// `[heads per key * length, length]`: 0 where a token sees another, else minus infinity.
    mask: Tensor,
}

/// A forward pass that can be gone back through.
struct Tape {
    /// The input of each layer and, unless checkpointing, its output.
    layers: Vec<(Var, Option<Tensor>)>,
    /// What the last layer gave.
    last: Var,
    /// `[M, H]`: the hidden states that were asked for.
    rows: Tensor,
}

impl<'a> Pass<'a> {
    fn new(
        config: &'a ModelConfig,
        weights: &'a Weights,
        packed: &Packed,
        options: &'a Options,
        backward: bool,
    ) -> Result<Self> {
        packed.check(config.vocab_size, config.max_position_embeddings)?;
        let device = weights.embedding.device().clone();
        let plain = packed.expanded();
        let n = plain.segments.len();
        let length = plain.segments.iter().map(Segment::len).max().unwrap_or(0);
        let mut tokens = vec![0u32; n * length];
        let mut moved = vec![0u32; plain.tokens.len()];
        for (i, segment) in plain.segments.iter().enumerate() {
            let place = i * length;
            tokens[place..place + segment.len()].copy_from_slice(&plain.tokens[segment.start..segment.end]);
            for (t, moved) in moved[segment.start..segment.end].iter_mut().enumerate() {
                *moved = (place + t) as u32;
            }
        }
        let rows: Vec<u32> = plain.rows.iter().map(|row| moved[*row as usize]).collect();
        let frequencies = config.rope_frequencies();
        let angles = || (0..length).flat_map(|t| frequencies.iter().map(move |f| t as f64 * f));
        let table = |values: Vec<f32>| -> Result<Tensor> {
            let table = Tensor::from_vec(values, (length, config.head_dim / 2), &device)?;
            Ok(table.to_dtype(options.compute)?)
        };
        let cosines = table(angles().map(|angle| angle.cos() as f32).collect())?;
        let sines = table(angles().map(|angle| angle.sin() as f32).collect())?;
        let shared = config.n_heads / config.n_kv_heads;
        let mask: Vec<f32> = (0..shared * length)
            .flat_map(|row| {
                let t = row % length;
                (0..length).map(move |key| if key > t { f32::NEG_INFINITY } else { 0.0 })
            })
            .collect();
        let adapters = !weights.named_adapters().is_empty();
        Ok(Self {
            config,
            weights,
            options,
            trained: weights.trained().into_iter().map(|(_, var)| var).collect(),
            full: backward && !adapters,
            adapters: backward && adapters,
            n,
            length,
            tokens: Tensor::from_vec(tokens, n * length, &device)?,
            rows: Tensor::from_vec(rows, plain.rows.len(), &device)?,
            cosines,
            sines,
            mask: Tensor::from_vec(mask, (shared * length, length), &device)?,
            device,
        })
    }

    /// The hidden states at the rows, without a graph. `[M, H]` in 32-bit floats.
    fn run(&self) -> Result<Tensor> {
        let mut x = self.embed(false)?;
        for layer in &self.weights.layers {
            x = self.layer(layer, &x, false)?;
        }
        self.finish(&x, false)
    }

    fn record(&self) -> Result<Tape> {
        let mut x = self.embed(false)?;
        let mut layers = Vec::with_capacity(self.weights.layers.len());
        for layer in &self.weights.layers {
            if self.options.checkpointing {
                let input = Var::from_tensor(&x)?;
                x = self.layer(layer, &input.as_detached_tensor(), false)?;
                layers.push((input, None));
            } else {
                let input = Var::from_tensor(&x)?;
                let output = self.layer(layer, &input, true)?;
                x = output.detach();
                layers.push((input, Some(output)));
            }
        }
        let last = Var::from_tensor(&x)?;
        let rows = self.finish(&last, true)?;
        Ok(Tape { layers, last, rows })
    }

    /// Goes back through the tape, from the gradient by the hidden states `[M, H]` to the parameters.
    fn pull(&self, mut tape: Tape, by_hidden: &Tensor, gradients: &mut Gradients) -> Result<()> {
        let mut by_output = self.step_back(&tape.rows, by_hidden, &tape.last, gradients)?;
        for layer in self.weights.layers.iter().rev() {
            let Some((input, output)) = tape.layers.pop() else { break };
            let output = match output {
                Some(output) => output,
                None => self.layer(layer, &input, true)?,
            };
            by_output = self.step_back(&output, &by_output, &input, gradients)?;
        }
        if self.full {
            let embedded = self.embed(true)?;
            let store = (embedded * by_output)?.sum_all()?.backward()?;
            self.add(&store, gradients)?;
        }
        Ok(())
    }

    /// Adds what the parameters between `input` and `output` are due, and gives the gradient by `input`.
    fn step_back(
        &self,
        output: &Tensor,
        by_output: &Tensor,
        input: &Var,
        gradients: &mut Gradients,
    ) -> Result<Tensor> {
        let store = (output * by_output)?.sum_all()?.backward()?;
        self.add(&store, gradients)?;
        match store.get(input) {
            Some(gradient) => Ok(gradient.detach()),
            None => Ok(input.zeros_like()?),
        }
    }

    fn add(&self, store: &candle_core::backprop::GradStore, gradients: &mut Gradients) -> Result<()> {
        if gradients.tensors.len() != self.trained.len() {
            return Err(PolicyError::input(format!(
                "there are {} gradients for {} trained parameters",
                gradients.tensors.len(),
                self.trained.len()
            )));
        }
        for (sum, parameter) in gradients.tensors.iter_mut().zip(&self.trained) {
            if let Some(gradient) = store.get(parameter) {
                // What candle hands out hangs on the graph, and would keep it alive.
                *sum = (&*sum + gradient.detach())?;
            }
        }
        Ok(())
    }

    /// A parameter of the model itself, in the type of the computation.
    fn parameter(&self, var: &Var, graph: bool) -> Result<Tensor> {
        let tensor = if graph && self.full { var.as_tensor().clone() } else { var.as_detached_tensor() };
        Ok(tensor.to_dtype(self.options.compute)?)
    }

    /// `[n * length, H]`.
    fn embed(&self, graph: bool) -> Result<Tensor> {
        let table = if graph && self.full {
            self.weights.embedding.as_tensor().clone()
        } else {
            self.weights.embedding.as_detached_tensor()
        };
        Ok(table.index_select(&self.tokens, 0)?.to_dtype(self.options.compute)?)
    }

    /// From what the last layer gave to `[M, H]` in 32-bit floats.
    fn finish(&self, x: &Tensor, graph: bool) -> Result<Tensor> {
        let rows = x.index_select(&self.rows, 0)?;
        Ok(self.norm(&rows, &self.weights.final_norm, graph)?.to_dtype(DType::F32)?)
    }

    /// Root-mean-square norm over the last dimension.
    fn norm(&self, x: &Tensor, weight: &Var, graph: bool) -> Result<Tensor> {
        let x = x.to_dtype(DType::F32)?;
        let root = (x.sqr()?.mean_keepdim(D::Minus1)? + self.config.rms_norm_eps)?.sqrt()?;
        let x = x.broadcast_div(&root)?.to_dtype(self.options.compute)?;
        Ok(x.broadcast_mul(&self.parameter(weight, graph)?)?)
    }

    /// `[tokens, in]` to `[tokens, out]`.
    fn linear(&self, linear: &Linear, x: &Tensor, graph: bool) -> Result<Tensor> {
        let mut y = x.matmul(&self.parameter(&linear.weight, graph)?.t()?)?;
        if let Some(bias) = &linear.bias {
            y = y.broadcast_add(&self.parameter(bias, graph)?)?;
        }
        if let Some(adapter) = &linear.adapter {
            let part = |var: &Var| -> Result<Tensor> {
                let tensor =
                    if graph && self.adapters { var.as_tensor().clone() } else { var.as_detached_tensor() };
                Ok(tensor.to_dtype(self.options.compute)?.t()?)
            };
            let low = x.matmul(&part(&adapter.a)?)?.matmul(&part(&adapter.b)?)?;
            y = (y + (low * adapter.scale)?)?;
        }
        Ok(y)
    }

    fn layer(&self, layer: &Layer, x: &Tensor, graph: bool) -> Result<Tensor> {
        let y = self.norm(x, &layer.input_norm, graph)?;
        let y = self.attention(layer, &y, graph)?;
        let x = (x + self.linear(&layer.o, &y, graph)?)?;
        let y = self.norm(&x, &layer.post_norm, graph)?;
        let gate = self.linear(&layer.gate, &y, graph)?.silu()?;
        let y = (gate * self.linear(&layer.up, &y, graph)?)?;
        Ok((&x + self.linear(&layer.down, &y, graph)?)?)
    }

    /// `[n * length, H]` to the heads' outputs side by side, `[n * length, heads * D]`.
    fn attention(&self, layer: &Layer, input: &Tensor, graph: bool) -> Result<Tensor> {
        let (n, length, width) = (self.n, self.length, self.config.head_dim);
        let (heads, keys) = (self.config.n_heads, self.config.n_kv_heads);
        // `[n, heads, length, D]`.
        let split = |linear: &Linear, heads: usize, norm: Option<&Var>| -> Result<Tensor> {
            let mut x = self.linear(linear, input, graph)?.reshape((n, length, heads, width))?;
            if let Some(norm) = norm {
                x = self.norm(&x, norm, graph)?;
            }
            Ok(x.transpose(1, 2)?.contiguous()?)
        };
        let q = self.rotate(&split(&layer.q, heads, layer.q_norm.as_ref())?)?;
        let k = self.rotate(&split(&layer.k, keys, layer.k_norm.as_ref())?)?;
        let v = split(&layer.v, keys, None)?;
        // The queries that share a key lie one after the other, so that keys need not be repeated.
        let shared = heads / keys * length;
        let q = q.reshape((n, keys, shared, width))?;
        let similarity = (q.matmul(&k.t()?)? * (1.0 / (width as f64).sqrt()))?.to_dtype(DType::F32)?;
        let similarity = similarity.broadcast_add(&self.mask)?;
        let highest = similarity.max_keepdim(D::Minus1)?.detach();
        let share = similarity.broadcast_sub(&highest)?.exp()?;
        let share = share.broadcast_div(&share.sum_keepdim(D::Minus1)?)?.to_dtype(self.options.compute)?;
        let out = share.matmul(&v)?.reshape((n, heads, length, width))?;
        Ok(out.transpose(1, 2)?.reshape((n * length, heads * width))?)
    }

    /// Rotates the first half of each head against the second (Su et al. 2021, laid out as Hugging Face does).
    fn rotate(&self, x: &Tensor) -> Result<Tensor> {
        let half = self.config.head_dim / 2;
        let (a, b) = (x.narrow(D::Minus1, 0, half)?, x.narrow(D::Minus1, half, half)?);
        let first = (a.broadcast_mul(&self.cosines)? - b.broadcast_mul(&self.sines)?)?;
        let second = (b.broadcast_mul(&self.cosines)? + a.broadcast_mul(&self.sines)?)?;
        Ok(Tensor::cat(&[first, second], D::Minus1)?.contiguous()?)
    }

    /// Ranges of rows whose logits are made together.
    fn chunks(&self, m: usize) -> impl Iterator<Item = (usize, usize)> + use<> {
        let size = match self.options.chunk {
            0 => (LOGITS_AT_ONCE / self.config.vocab_size).max(1),
            rows => rows,
        };
        (0..m).step_by(size).map(move |start| (start, size.min(m - start)))
    }

    /// Log-probabilities of the targets and entropies, `[rows]` each, from hidden states `[rows, H]`.
    fn head(
        &self,
        hidden: &Tensor,
        targets: &[u32],
        temperature: f32,
        graph: bool,
    ) -> Result<(Tensor, Tensor)> {
        let output = self.weights.output();
        let output =
            if graph && self.full { output.as_tensor().clone() } else { output.as_detached_tensor() };
        let logits = (hidden.matmul(&output.t()?)? / f64::from(temperature))?;
        let logits = logits.broadcast_sub(&logits.max_keepdim(1)?.detach())?;
        let logs = logits.broadcast_sub(&logits.exp()?.sum_keepdim(1)?.log()?)?;
        let targets = Tensor::from_slice(targets, (targets.len(), 1), &self.device)?;
        let logprobs = logs.gather(&targets, 1)?.squeeze(1)?;
        let entropies = (logs.exp()? * &logs)?.sum(1)?.neg()?;
        Ok((logprobs, entropies))
    }

    fn score(&self, hidden: &Tensor, packed: &Packed, temperature: f32) -> Result<TokenScores> {
        let mut scores = TokenScores::default();
        for (start, len) in self.chunks(packed.n_scored()) {
            let targets = &packed.targets[start..start + len];
            let (logprobs, entropies) =
                self.head(&hidden.narrow(0, start, len)?, targets, temperature, false)?;
            scores.logprobs.extend(logprobs.to_vec1::<f32>()?);
            scores.entropies.extend(entropies.to_vec1::<f32>()?);
        }
        Ok(scores)
    }

    /// The gradient by the hidden states, `[M, H]`. The surrogate is the sum of each score times its gradient.
    fn pull_scores(
        &self,
        hidden: &Tensor,
        packed: &Packed,
        temperature: f32,
        wanted: &TokenGradients,
        gradients: &mut Gradients,
    ) -> Result<Tensor> {
        let mut parts = Vec::new();
        for (start, len) in self.chunks(packed.n_scored()) {
            let leaf = Var::from_tensor(&hidden.narrow(0, start, len)?)?;
            let range = start..start + len;
            let (logprobs, entropies) =
                self.head(&leaf, &packed.targets[range.clone()], temperature, true)?;
            let by = Tensor::from_slice(&wanted.logprobs[range.clone()], len, &self.device)?;
            let mut surrogate = (logprobs * by)?.sum_all()?;
            if !wanted.entropies.is_empty() {
                let by = Tensor::from_slice(&wanted.entropies[range], len, &self.device)?;
                surrogate = (surrogate + (entropies * by)?.sum_all()?)?;
            }
            let store = surrogate.backward()?;
            self.add(&store, gradients)?;
            let part = store.get(&leaf).map_or_else(|| leaf.zeros_like(), |part| Ok(part.detach()))?;
            parts.push(part);
        }
        Ok(Tensor::cat(&parts, 0)?)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::lora::{self, LoraConfig};
    use crate::policy::Policy;
    use crate::sizes::Sizes;
    use crate::weights::Adapter;

    fn numbers(value: &Value) -> Vec<f32> {
        let rows = value.as_array().expect("rows").iter().flat_map(|row| row.as_array().expect("a row"));
        rows.map(|value| value.as_f64().expect("a number") as f32).collect()
    }

    fn tensor(value: &Value) -> Tensor {
        let rows = value.as_array().expect("rows").len();
        let values = numbers(value);
        let columns = values.len() / rows;
        Tensor::from_vec(values, (rows, columns), &Device::Cpu).expect("it fits")
    }

    fn close(name: &str, got: &Tensor, want: &Value) {
        let got: Vec<f32> = got.flatten_all().expect("a list").to_vec1().expect("on the CPU");
        let want = numbers(want);
        assert_eq!(got.len(), want.len(), "{name}");
        for (got, want) in got.iter().zip(&want) {
            assert!((got - want).abs() < 2e-5 * want.abs().max(1.0), "{name}: {got} and not {want}");
        }
    }

    #[test]
    fn an_adapted_matrix_gives_what_peft_gives() {
        let row: Value = serde_json::from_str(include_str!("../testdata/lora_linear.json")).expect("JSON");
        let var = |name: &str| Var::from_tensor(&tensor(&row["inputs"][name])).expect("room");
        let adapter =
            Adapter { a: var("A"), b: var("B"), scale: row["params"]["scale"].as_f64().expect("set") };
        let linear = Linear { weight: var("W"), bias: None, adapter: Some(adapter.clone()) };

        // Any model will do; it lends its pass.
        let config = ModelConfig::from_sizes(&Sizes::default(), 8).expect("they fit");
        let mut policy = Policy::random(config, 0, &Device::Cpu).expect("room");
        lora::add(&mut policy, &LoraConfig::default(), 0).expect("it has none");
        let mut packed = Packed::default();
        packed.push(&[1, 2], 1).expect("a sequence");
        let pass =
            Pass::new(&policy.config, &policy.weights, &packed, &policy.options, true).expect("it fits");

        let x = tensor(&row["inputs"]["x"]);
        let y = pass.linear(&linear, &x, true).expect("it fits");
        close("y", &y, &row["expected"]["y"]);
        let surrogate = (&y * tensor(&row["inputs"]["grad_y"])).expect("it fits").sum_all().expect("it fits");
        let store = surrogate.backward().expect("it fits");
        close("A", store.get(&adapter.a).expect("trained"), &row["expected"]["grad_A"]);
        close("B", store.get(&adapter.b).expect("trained"), &row["expected"]["grad_B"]);
        assert!(store.get(&linear.weight).is_none(), "what is not trained costs nothing");

        for layer in &mut policy.weights.layers {
            layer.q = linear.clone();
        }
        let merged = lora::merged(&policy).expect("it fits");
        close("merged", &merged.weights.layers[0].q.weight, &row["expected"]["merged_W"]);
    }
}
