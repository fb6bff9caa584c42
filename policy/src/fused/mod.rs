//! The decoder's forward and backward pass on the CPU, written out over plain buffers.
//!
//! Work is cut by shapes alone (blocks of rows, heads of sequences, rows of weights, tiles of the vocabulary) and
//! every sum is taken in one order, so that results are the same bits for any number of threads. A call holds, for
//! its backward pass, the activations of all tokens, or with [checkpointing](Options::checkpointing) each layer's
//! input; beside them buffers for one batch of whole sequences and one tile of logits for each thread. Buffers stay
//! with the calling thread for its next call, until [`release`].

// The letters that the crate's documentation explains.
#![allow(clippy::many_single_char_names)]

mod activation;
mod attention;
mod backward;
mod exp;
mod forward;
mod head;
mod kernel;
mod linear;
mod matmul;
mod model;
mod norm;
mod panels;
mod plan;
mod rotary;
mod simd;
mod view;
mod workspace;

pub(crate) use self::exp::exp;
use self::forward::{Keep, Pass};
use self::head::RowGradient;
use self::model::{ModelGradient, with_gradients, with_model};
use self::norm::{normalise, normalise_backward, weight_backward};
use self::plan::Plan;
pub(crate) use self::simd::{fold, mul_add, vectorised};
pub use self::workspace::release;
use self::workspace::{Workspace, with_scratch, with_workspace};
use crate::config::ModelConfig;
use crate::error::{PolicyError, Result};
use crate::gradients::Gradients;
use crate::packed::{Packed, TokenGradients, TokenScores};
use crate::weights::Weights;

/// How a pass uses memory and time. No choice changes results by more than rounding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How many rows have logits at once in one thread; fewer where the vocabulary is large.
    pub chunk: usize,
    /// How many tokens go through a layer at once; more where sequences that share a prompt have more together.
    pub batch: usize,
    /// Keep each layer's input alone and compute the layer again in the backward pass: less memory, a third more
    /// time.
    pub checkpointing: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { chunk: 1024, batch: 2048, checkpointing: false }
    }
}

/// Log-probabilities and entropies of a batch's targets.
///
/// # Errors
/// When tokens or tensors do not fit the model, or the temperature is not above 0.
pub fn scores(
    config: &ModelConfig,
    weights: &Weights,
    packed: &Packed,
    temperature: f32,
    options: &Options,
) -> Result<TokenScores> {
    check(config, packed, temperature)?;
    with_model(config, weights, |model| {
        let plan = Plan::new(packed);
        let pass = Pass { model, packed, plan: &plan, keep: Keep::Nothing };
        with_workspace(|workspace| {
            pass.forward_all(workspace, options);
            let mut scores = empty_scores(packed);
            let Workspace { last, head, .. } = workspace;
            pass.score(last, head, options.chunk, temperature, &mut scores.logprobs, &mut scores.entropies);
            Ok(scores)
        })
    })
}

/// The same, and adds to `gradients` the gradient of the loss that `objective` has differentiated: it gets the
/// scores and returns the loss's gradient with respect to them.
///
/// # Errors
/// As [`scores`], when the gradients do not fit, and what `objective` returns.
pub fn accumulate(
    config: &ModelConfig,
    weights: &Weights,
    packed: &Packed,
    temperature: f32,
    options: &Options,
    gradients: &mut Gradients,
    objective: impl FnOnce(&TokenScores) -> Result<TokenGradients>,
) -> Result<TokenScores> {
    check(config, packed, temperature)?;
    with_model(config, weights, |model| {
        let plan = Plan::new(packed);
        let pass = Pass { model, packed, plan: &plan, keep: keep(options) };
        with_workspace(|workspace| {
            pass.forward_all(workspace, options);
            let mut scores = empty_scores(packed);
            let Workspace { last, head, .. } = &mut *workspace;
            let (chunk, logprobs, entropies) = (options.chunk, &mut scores.logprobs, &mut scores.entropies);
            let row_scores = pass.score(last, head, chunk, temperature, logprobs, entropies);
            let wanted = row_gradients(packed, &plan, &objective(&scores)?)?;
            if wanted.is_empty() {
                return Ok(scores);
            }
            with_gradients(model, weights, gradients, |mut gradient| {
                let ModelGradient { embedding, head: own_head, final_norm, .. } = &mut gradient;
                let d_weight = own_head.as_mut().or(embedding.as_mut()).map(|view| {
                    let rows = view.n_rows();
                    view.rows(0..rows)
                });
                let d_norm = final_norm.as_deref_mut();
                let Workspace { last, d_last, head, .. } = &mut *workspace;
                pass.score_backward(
                    last,
                    d_last,
                    head,
                    chunk,
                    temperature,
                    &row_scores,
                    &wanted,
                    d_weight,
                    d_norm,
                );
                let rows: Vec<usize> = wanted.iter().map(|wanted| plan.scored[wanted.row]).collect();
                pass.backward_all(workspace, options, &rows, &mut gradient);
                Ok(())
            })?;
            Ok(scores)
        })
    })
}

/// The hidden state after the last norm for each entry of [`Packed::rows`], `[M, H]`, for heads of one's own.
///
/// # Errors
/// As [`scores`].
pub fn hidden(
    config: &ModelConfig,
    weights: &Weights,
    packed: &Packed,
    options: &Options,
) -> Result<Vec<f32>> {
    check(config, packed, 1.0)?;
    with_model(config, weights, |model| {
        let plan = Plan::new(packed);
        let pass = Pass { model, packed, plan: &plan, keep: Keep::Nothing };
        with_workspace(|workspace| {
            pass.forward_all(workspace, options);
            Ok(pass.hidden(workspace))
        })
    })
}

/// Adds to `gradients` the gradient of a loss of the hidden states, which `objective` gets as [`hidden`] gives them;
/// it returns the loss's gradient with respect to them, `[M, H]`.
///
/// # Errors
/// As [`accumulate`].
pub fn accumulate_hidden(
    config: &ModelConfig,
    weights: &Weights,
    packed: &Packed,
    options: &Options,
    gradients: &mut Gradients,
    objective: impl FnOnce(&[f32]) -> Result<Vec<f32>>,
) -> Result<()> {
    check(config, packed, 1.0)?;
    with_model(config, weights, |model| {
        let plan = Plan::new(packed);
        let pass = Pass { model, packed, plan: &plan, keep: keep(options) };
        with_workspace(|workspace| {
            pass.forward_all(workspace, options);
            let hidden = pass.hidden(workspace);
            let d_hidden = objective(&hidden)?;
            if d_hidden.len() != hidden.len() {
                return Err(PolicyError::input(format!(
                    "{} gradients for {} hidden numbers",
                    d_hidden.len(),
                    hidden.len()
                )));
            }
            with_gradients(model, weights, gradients, |mut gradient| {
                let rows = pass.hidden_backward(workspace, &d_hidden, gradient.final_norm.as_deref_mut());
                pass.backward_all(workspace, options, &rows, &mut gradient);
                Ok(())
            })
        })
    })
}

impl Pass<'_> {
    fn forward_all(&self, workspace: &mut Workspace, options: &Options) {
        let positions = self.plan.positions.iter().max().map_or(0, |last| last + 1);
        workspace.rotary.prepare(self.model.config, positions);
        for batch in self.plan.batches(options.batch) {
            self.forward(workspace, &batch);
        }
    }

    /// Takes the gradients in `workspace.d_last` back; `rows` are those that have one.
    fn backward_all(
        &self,
        workspace: &mut Workspace,
        options: &Options,
        rows: &[usize],
        gradient: &mut ModelGradient<'_>,
    ) {
        let batches = self.plan.batches_of(options.batch, |unit| {
            let first = rows.partition_point(|row| *row < unit.rows.start);
            rows.get(first).is_some_and(|row| *row < unit.rows.end)
        });
        for batch in batches {
            self.backward(workspace, &batch, gradient);
        }
    }

    fn hidden(&self, workspace: &Workspace) -> Vec<f32> {
        let h = self.model.config.hidden_size;
        let last = workspace.last.read(self.plan.scored.len(), h);
        let mut hidden = vec![0.0; self.packed.rows.len() * h];
        for row in 0..self.plan.scored.len() {
            for m in self.plan.asked(row) {
                normalise(
                    &mut hidden[m * h..(m + 1) * h],
                    last.row(row),
                    self.model.final_norm,
                    self.model.eps,
                );
            }
        }
        hidden
    }

    /// Through the last norm, into `workspace.d_last`. Returns the rows that have a gradient.
    fn hidden_backward(
        &self,
        workspace: &mut Workspace,
        d_hidden: &[f32],
        mut d_norm: Option<&mut [f32]>,
    ) -> Vec<usize> {
        let (h, n) = (self.model.config.hidden_size, self.plan.scored.len());
        let (weight, eps) = (self.model.final_norm, self.model.eps);
        let last = workspace.last.read(n, h);
        let mut d_last = workspace.d_last.matrix(n, h);
        d_last.fill(0.0);
        let zeros = vec![0.0; h];
        let mut rows = Vec::new();
        with_scratch(2 * h, |scratch| {
            let (sum, scratch) = scratch.split_at_mut(h);
            for row in 0..n {
                sum.fill(0.0);
                for m in self.plan.asked(row) {
                    simd::add(sum, &d_hidden[m * h..(m + 1) * h]);
                }
                if sum.iter().all(|g| *g == 0.0) {
                    continue;
                }
                rows.push(self.plan.scored[row]);
                if let Some(d_norm) = &mut d_norm {
                    weight_backward(d_norm, sum, last.row(row), eps);
                }
                normalise_backward(d_last.row(row), &zeros, sum, last.row(row), weight, eps, scratch);
            }
        });
        rows
    }
}

const fn keep(options: &Options) -> Keep {
    if options.checkpointing { Keep::Inputs } else { Keep::All }
}

fn empty_scores(packed: &Packed) -> TokenScores {
    let n = packed.n_scored();
    TokenScores { logprobs: vec![0.0; n], entropies: vec![0.0; n] }
}

fn check(config: &ModelConfig, packed: &Packed, temperature: f32) -> Result<()> {
    packed.check(config.vocab_size, config.max_position_embeddings)?;
    if !(temperature.is_finite() && temperature > 0.0) {
        return Err(PolicyError::input(format!("the temperature is {temperature}; it must be above 0")));
    }
    Ok(())
}

/// The scored rows that have a gradient which is not zero.
fn row_gradients(packed: &Packed, plan: &Plan, gradients: &TokenGradients) -> Result<Vec<RowGradient>> {
    let n = packed.n_scored();
    let entropies = &gradients.entropies;
    if gradients.logprobs.len() != n || !(entropies.is_empty() || entropies.len() == n) {
        return Err(PolicyError::input(format!(
            "{} gradients by log-probabilities and {} by entropies for {n} scored tokens",
            gradients.logprobs.len(),
            entropies.len()
        )));
    }
    let mut wanted = Vec::new();
    for row in 0..plan.scored.len() {
        let mut gradient = RowGradient { row, ..RowGradient::default() };
        for m in plan.asked(row) {
            let g = gradients.logprobs[*m];
            if g != 0.0 {
                gradient.targets.push((packed.targets[*m] as usize, g));
            }
            gradient.entropy += entropies.get(*m).copied().unwrap_or(0.0);
        }
        if !gradient.targets.is_empty() || gradient.entropy != 0.0 {
            wanted.push(gradient);
        }
    }
    Ok(wanted)
}
