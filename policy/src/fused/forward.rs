//! The decoder's layers, from tokens to the residual stream after the last of them.

use std::ops::Range;

use rayon::prelude::*;

use super::activation::swiglu;
use super::attention::Group;
use super::linear::Joined;
use super::model::{LayerView, Model};
use super::norm::{normalise, normalise_in_place};
use super::plan::{Plan, spans};
use super::rotary::Rotary;
use super::view::{View, ViewMut, row_blocks};
use super::workspace::{Activations, Buffer, LayerPanels, Workspace, with_scratch};
use crate::packed::Packed;

/// How many rows one task takes through the matrices of a layer, so that what is between them stays in its cache.
pub(super) const ROWS: usize = 192;

/// What is computed, and what of it stays.
pub(super) struct Pass<'a> {
    pub model: &'a Model<'a>,
    pub packed: &'a Packed,
    pub plan: &'a Plan,
    pub keep: Keep,
}

/// What the forward pass leaves for the backward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// Nothing: scores alone are wanted.
    Nothing,
    /// What goes into each layer, of all tokens.
    Inputs,
    /// All that the backward pass reads, of all tokens.
    All,
}

impl Pass<'_> {
    /// Computes one batch and puts the last stream's scored rows into `workspace.last`.
    pub(super) fn forward(&self, workspace: &mut Workspace, batch: &Range<usize>) {
        let (model, h) = (self.model, self.model.config.hidden_size);
        let rows = self.plan.rows(batch);
        let n_layers = model.layers.len();
        let (total, place) = match self.keep {
            Keep::Nothing => (rows.len(), 0..rows.len()),
            Keep::Inputs | Keep::All => (self.packed.n_tokens(), rows.clone()),
        };
        let n_streams = if self.keep == Keep::Nothing { 2 } else { n_layers + 1 };
        grow(&mut workspace.streams, n_streams);
        grow(&mut workspace.layers, if self.keep == Keep::All { n_layers } else { 1 });
        let mut stream = std::mem::take(&mut workspace.streams[0]);
        let mut first = stream.matrix(total, h);
        let tokens = &self.packed.tokens[rows.clone()];
        for (i, token) in tokens.iter().enumerate() {
            first.row(place.start + i).copy_from_slice(model.embedding.row(*token as usize));
        }
        workspace.streams[0] = stream;
        for (i, layer) in model.layers.iter().enumerate() {
            let (from, to) = (i % n_streams, (i + 1) % n_streams);
            let mut next = std::mem::take(&mut workspace.streams[to]);
            let x = workspace.streams[from].read(total, h).rows(place.clone());
            let (slot, total, place) = match self.keep {
                Keep::All => (i, total, place.clone()),
                Keep::Nothing | Keep::Inputs => (0, rows.len(), 0..rows.len()),
            };
            let out = match self.keep {
                Keep::Nothing => next.matrix(rows.len(), h),
                Keep::Inputs | Keep::All => rows_of(&mut next, self.packed.n_tokens(), h, rows.clone()),
            };
            let kept = &mut workspace.layers[slot];
            let (rotary, panels) = (&workspace.rotary, &mut workspace.panels);
            self.layer(layer, rotary, panels, batch, x, kept, total, &place, Some(out));
            workspace.streams[to] = next;
        }
        let scored = self.plan.scored_in(&rows);
        let stream = workspace.streams[n_layers % n_streams].read(total, h);
        let mut last = workspace.last.matrix(self.plan.scored.len(), h);
        for i in scored {
            let from = self.plan.scored[i] - rows.start + place.start;
            last.row(i).copy_from_slice(stream.row(from));
        }
    }

    /// One layer for one batch. `kept` holds `total` rows, of which the batch's are at `place`. Without `out` only
    /// what the backward pass needs is computed.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn layer(
        &self,
        layer: &LayerView<'_>,
        rotary: &Rotary,
        panels: &mut LayerPanels,
        batch: &Range<usize>,
        x: View<'_>,
        kept: &mut Activations,
        total: usize,
        place: &Range<usize>,
        out: Option<ViewMut<'_>>,
    ) {
        let config = self.model.config;
        let (h, f, q, kv) = (config.hidden_size, config.intermediate_size, config.q_dim(), config.kv_dim());
        let heads = config.n_heads;
        let positions = &self.plan.positions[self.plan.rows(batch)];
        layer.pack(panels);
        let panels = &*panels;
        let raw_width = if layer.q_norm.is_some() { q + kv } else { 0 };
        {
            let qkv = rows_of(&mut kept.qkv, total, q + 2 * kv, place.clone());
            let raw = rows_of(&mut kept.raw, total, raw_width, place.clone());
            row_blocks([qkv, raw], ROWS).into_par_iter().for_each(|(start, [mut qkv, mut raw])| {
                let rows = start..start + qkv.n_rows();
                let x = x.rows(rows.clone());
                self.project(layer, rotary, panels, x, &positions[rows], &mut qkv, &mut raw);
            });
        }
        let qkv = kept.qkv.read(total, q + 2 * kv).rows(place.clone());
        {
            let o = rows_of(&mut kept.o, total, q, place.clone());
            let lse = rows_of(&mut kept.lse, total, heads, place.clone());
            self.attend(batch, qkv, o, lse);
        }
        let o = kept.o.read(total, q).rows(place.clone());
        let middle = rows_of(&mut kept.middle, total, h, place.clone());
        let gate_up = rows_of(&mut kept.gate_up, total, 2 * f, place.clone());
        match out {
            Some(out) => row_blocks([middle, gate_up, out], ROWS).into_par_iter().for_each(
                |(start, [mut middle, mut gate_up, mut out])| {
                    let rows = start..start + middle.n_rows();
                    self.feed(
                        layer,
                        panels,
                        x.rows(rows.clone()),
                        o.rows(rows),
                        &mut middle,
                        &mut gate_up,
                        Some(&mut out),
                    );
                },
            ),
            None => row_blocks([middle, gate_up], ROWS).into_par_iter().for_each(
                |(start, [mut middle, mut gate_up])| {
                    let rows = start..start + middle.n_rows();
                    self.feed(
                        layer,
                        panels,
                        x.rows(rows.clone()),
                        o.rows(rows),
                        &mut middle,
                        &mut gate_up,
                        None,
                    );
                },
            ),
        }
    }

    /// Queries, keys and values of some rows.
    #[allow(clippy::too_many_arguments)]
    fn project(
        &self,
        layer: &LayerView<'_>,
        rotary: &Rotary,
        panels: &LayerPanels,
        x: View<'_>,
        positions: &[usize],
        qkv: &mut ViewMut<'_>,
        raw: &mut ViewMut<'_>,
    ) {
        let config = self.model.config;
        let (h, q, kv, d) = (config.hidden_size, config.q_dim(), config.kv_dim(), config.head_dim);
        with_scratch(x.n_rows() * h, |scratch| {
            let normed = self.normed(scratch, x, layer.input_norm);
            layer.qkv().forward(&panels.qkv, qkv, false, normed);
        });
        for (i, position) in positions.iter().enumerate() {
            let row = &mut qkv.row(i)[..q + kv];
            if let (Some(q_norm), Some(k_norm)) = (layer.q_norm, layer.k_norm) {
                raw.row(i).copy_from_slice(row);
                for (head, x) in row.chunks_exact_mut(d).enumerate() {
                    let norm = if head < config.n_heads { q_norm } else { k_norm };
                    normalise_in_place(x, norm, self.model.eps);
                }
            }
            rotary.turn(row, *position);
        }
    }

    /// The attention of one batch.
    fn attend(&self, batch: &Range<usize>, qkv: View<'_>, o: ViewMut<'_>, lse: ViewMut<'_>) {
        let config = self.model.config;
        let first = self.plan.rows(batch).start;
        let mut tasks = Vec::new();
        let (mut rest, mut rest_lse, mut done) = (o, lse, 0);
        for unit in &self.plan.units[batch.clone()] {
            for span in spans(self.packed, unit, first) {
                // Between the units of a batch there may be rows of units that are left out: none today.
                let (_, below) = rest.split_rows(span.rows.start - done);
                let (_, below_lse) = rest_lse.split_rows(span.rows.start - done);
                let (o, below) = below.split_rows(span.rows.len());
                let (lse, below_lse) = below_lse.split_rows(span.rows.len());
                (rest, rest_lse, done) = (below, below_lse, span.rows.end);
                let per_group = config.n_heads / config.n_kv_heads;
                let parts = o.col_blocks(per_group * config.head_dim).zip(lse.col_blocks(per_group));
                for (kv_head, (o, lse)) in parts.enumerate() {
                    tasks.push((kv_head, span.clone(), o, lse));
                }
            }
        }
        tasks.into_par_iter().for_each(|(kv_head, span, mut o, mut lse)| {
            self.group(qkv, kv_head).forward(&span, &mut o, &mut lse);
        });
    }

    /// The heads that share one head of keys and values.
    pub(super) fn group<'v>(&self, qkv: View<'v>, kv_head: usize) -> Group<'v> {
        let config = self.model.config;
        let (q, kv, d) = (config.q_dim(), config.kv_dim(), config.head_dim);
        let width = q / config.n_kv_heads;
        let k = q + kv_head * d;
        Group {
            q: qkv.cols(kv_head * width..(kv_head + 1) * width),
            k: qkv.cols(k..k + d),
            v: qkv.cols(k + kv..k + kv + d),
            head_dim: d,
        }
    }

    /// What comes after the attention, for some rows.
    #[allow(clippy::too_many_arguments)]
    fn feed(
        &self,
        layer: &LayerView<'_>,
        panels: &LayerPanels,
        x: View<'_>,
        o: View<'_>,
        middle: &mut ViewMut<'_>,
        gate_up: &mut ViewMut<'_>,
        out: Option<&mut ViewMut<'_>>,
    ) {
        let config = self.model.config;
        let (h, f, n) = (config.hidden_size, config.intermediate_size, x.n_rows());
        for i in 0..n {
            middle.row(i).copy_from_slice(x.row(i));
        }
        Joined([&layer.o]).forward(&panels.o, middle, true, o);
        with_scratch(n * h, |scratch| {
            let normed = self.normed(scratch, middle.read(), layer.post_norm);
            layer.gate_up().forward(&panels.gate_up, gate_up, false, normed);
        });
        let Some(out) = out else { return };
        with_scratch(n * f, |scratch| {
            let mut active = ViewMut::new(scratch, n, f);
            for i in 0..n {
                let (gate, up) = gate_up.row(i).split_at(f);
                swiglu(active.row(i), gate, up);
                out.row(i).copy_from_slice(middle.row(i));
            }
            Joined([&layer.down]).forward(&panels.down, out, true, active.read());
        });
    }

    /// Normed rows, in scratch memory.
    pub(super) fn normed<'s>(&self, scratch: &'s mut [f32], x: View<'_>, weight: &[f32]) -> View<'s> {
        let (n, h) = (x.n_rows(), x.n_cols());
        for (i, y) in scratch[..n * h].chunks_exact_mut(h).enumerate() {
            normalise(y, x.row(i), weight, self.model.eps);
        }
        View::new(scratch, n, h)
    }
}

/// Some rows of a buffer.
pub(super) fn rows_of(buffer: &mut Buffer, total: usize, cols: usize, rows: Range<usize>) -> ViewMut<'_> {
    let (_, below) = buffer.matrix(total, cols).split_rows(rows.start);
    below.split_rows(rows.len()).0
}

fn grow<T: Default>(items: &mut Vec<T>, n: usize) {
    if items.len() < n {
        items.resize_with(n, T::default);
    }
}
