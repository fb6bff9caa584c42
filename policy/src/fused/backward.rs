//! Gradients of the decoder's layers, one batch at a time, from the last layer to the first.
//!
//! In each layer: rows go back through the feed-forward part, then sequences through the attention, then rows
//! through the projections. A weight's gradient is the product of what came out and what went in over all rows of
//! the batch; tasks share its rows, so that there is one gradient for any number of threads and each number in it is
//! summed in one order.

use std::ops::Range;

use rayon::prelude::*;

use super::activation::swiglu_backward;
use super::forward::{Keep, Pass, ROWS};
use super::linear::{Joined, Task};
use super::model::{LayerGradient, LayerView, ModelGradient};
use super::norm::{normalise, normalise_backward, weight_backward};
use super::plan::spans;
use super::simd::add;
use super::view::{View, ViewMut, row_blocks};
use super::workspace::{Activations, BackwardBuffers, Buffer, LayerPanels, Workspace, with_scratch};

impl Pass<'_> {
    /// Adds one batch's gradients. `workspace.d_last` holds the gradient by the last stream's scored rows.
    pub(super) fn backward(
        &self,
        workspace: &mut Workspace,
        batch: &Range<usize>,
        gradient: &mut ModelGradient<'_>,
    ) {
        let (model, h) = (self.model, self.model.config.hidden_size);
        let (total, rows) = (self.packed.n_tokens(), self.plan.rows(batch));
        let n = rows.len();
        let scored = self.plan.scored_in(&rows);
        let mut d_out = workspace.backward.d_out.matrix(n, h);
        d_out.fill(0.0);
        let d_last = workspace.d_last.read(self.plan.scored.len(), h);
        for i in scored {
            d_out.row(self.plan.scored[i] - rows.start).copy_from_slice(d_last.row(i));
        }
        for (i, layer) in model.layers.iter().enumerate().rev() {
            let x = workspace.streams[i].read(total, h).rows(rows.clone());
            let (slot, total, place) = match self.keep {
                Keep::All => (i, total, rows.clone()),
                Keep::Inputs | Keep::Nothing => (0, n, 0..n),
            };
            let kept = &mut workspace.layers[slot];
            if self.keep != Keep::All {
                let (rotary, panels) = (&workspace.rotary, &mut workspace.panels);
                self.layer(layer, rotary, panels, batch, x, kept, total, &place, None);
            }
            layer.pack_backward(&mut workspace.panels);
            let pass = LayerPass { pass: self, layer, batch, x, total, place };
            // Below the first layer there is nothing to train but the embedding.
            let to_input = i > 0 || gradient.embedding.is_some();
            let (rotary, panels) = (&workspace.rotary, &workspace.panels);
            pass.run(kept, rotary, panels, &mut workspace.backward, &mut gradient.layers[i], to_input);
        }
        if let Some(embedding) = &mut gradient.embedding {
            let d_x = workspace.backward.d_out.read(n, h);
            for (i, token) in self.packed.tokens[rows].iter().enumerate() {
                add(embedding.row(*token as usize), d_x.row(i));
            }
        }
    }
}

/// One layer of one batch.
struct LayerPass<'a> {
    pass: &'a Pass<'a>,
    layer: &'a LayerView<'a>,
    batch: &'a Range<usize>,
    /// `[n, H]`: what went into the layer.
    x: View<'a>,
    /// How many rows the kept activations have, and which are the batch's.
    total: usize,
    place: Range<usize>,
}

impl LayerPass<'_> {
    /// Turns `buffers.d_out` from the gradient by the layer's output into that by its input.
    fn run(
        &self,
        kept: &Activations,
        rotary: &super::rotary::Rotary,
        panels: &LayerPanels,
        buffers: &mut BackwardBuffers,
        gradient: &mut LayerGradient<'_>,
        to_input: bool,
    ) {
        let config = self.pass.model.config;
        let (h, f, q, kv) = (config.hidden_size, config.intermediate_size, config.q_dim(), config.kv_dim());
        let n = self.x.n_rows();
        let middle = self.kept(&kept.middle, h);
        let qkv = self.kept(&kept.qkv, q + 2 * kv);
        let o = self.kept(&kept.o, q);

        self.feed_backward(kept, panels, buffers, gradient.post_norm.as_deref_mut(), middle);

        // The attention, and beside it the weights whose gradients are complete.
        {
            let lse = self.kept(&kept.lse, config.n_heads);
            let d_out = buffers.d_out.read(n, h);
            let d_middle = buffers.d_middle.read(n, h);
            let normed = buffers.normed.read(n, h);
            let activated = buffers.activated.read(n, f);
            let d_gate_up = buffers.d_gate_up.read(n, 2 * f);
            let d_o = buffers.d_o.read(n, q);
            let mut tasks = Vec::new();
            self.attention_tasks(qkv, o, lse, d_o, buffers.d_qkv.matrix(n, q + 2 * kv), &mut tasks);
            let layer = self.layer;
            layer.down.gradient_tasks(&mut gradient.down, d_out, activated, &mut tasks);
            layer.gate.gradient_tasks(&mut gradient.gate, d_gate_up.cols(0..f), normed, &mut tasks);
            layer.up.gradient_tasks(&mut gradient.up, d_gate_up.cols(f..2 * f), normed, &mut tasks);
            layer.o.gradient_tasks(&mut gradient.o, d_middle, o, &mut tasks);
            run_all(tasks);
        }

        self.project_backward(kept, rotary, panels, buffers, gradient, to_input);
        {
            let d_qkv = buffers.d_qkv.read(n, q + 2 * kv);
            let normed = buffers.normed_in.read(n, h);
            let mut tasks = Vec::new();
            self.layer.q.gradient_tasks(&mut gradient.q, d_qkv.cols(0..q), normed, &mut tasks);
            self.layer.k.gradient_tasks(&mut gradient.k, d_qkv.cols(q..q + kv), normed, &mut tasks);
            self.layer.v.gradient_tasks(&mut gradient.v, d_qkv.cols(q + kv..q + 2 * kv), normed, &mut tasks);
            run_all(tasks);
        }
    }

    /// The batch's rows of what was kept.
    fn kept<'b>(&self, buffer: &'b Buffer, cols: usize) -> View<'b> {
        buffer.read(self.total, cols).rows(self.place.clone())
    }

    /// From the output to what the attention gave: fills `d_middle`, `d_o`, and what the weights' gradients need.
    fn feed_backward(
        &self,
        kept: &Activations,
        panels: &LayerPanels,
        buffers: &mut BackwardBuffers,
        d_norm: Option<&mut [f32]>,
        middle: View<'_>,
    ) {
        let config = self.pass.model.config;
        let (h, f, q) = (config.hidden_size, config.intermediate_size, config.q_dim());
        let (n, layer, eps) = (self.x.n_rows(), self.layer, self.pass.model.eps);
        let gate_up = self.kept(&kept.gate_up, 2 * f);
        let d_out = buffers.d_out.read(n, h);
        let blocks = row_blocks(
            [
                buffers.d_middle.matrix(n, h),
                buffers.normed.matrix(n, h),
                buffers.activated.matrix(n, f),
                buffers.d_gate_up.matrix(n, 2 * f),
                buffers.d_o.matrix(n, q),
            ],
            ROWS,
        );
        let mut partial = buffers.partial.matrix(blocks.len(), h);
        let sums: Vec<_> = partial.rows(0..blocks.len()).row_blocks(1).collect();
        let wanted = d_norm.is_some();
        blocks.into_par_iter().zip(sums).for_each(|((start, views), mut sum)| {
            let [mut d_middle, mut normed, mut activated, mut d_gate_up, mut d_o] = views;
            let n = d_middle.n_rows();
            let rows = start..start + n;
            let (d_out, gate_up, middle) =
                (d_out.rows(rows.clone()), gate_up.rows(rows.clone()), middle.rows(rows));
            with_scratch(n * f.max(h) + h, |scratch| {
                let (scratch, row_scratch) = scratch.split_at_mut(n * f.max(h));
                let mut d_active = ViewMut::new(scratch, n, f);
                Joined([&layer.down]).backward(&panels.down, &mut d_active, d_out);
                for i in 0..n {
                    let (gate, up) = gate_up.row(i).split_at(f);
                    let (d_gate, d_up) = d_gate_up.row(i).split_at_mut(f);
                    swiglu_backward(activated.row(i), d_gate, d_up, d_active.row(i), gate, up);
                }
                let mut d_normed = ViewMut::new(scratch, n, h);
                layer.gate_up().backward(&panels.gate_up, &mut d_normed, d_gate_up.read());
                sum.fill(0.0);
                for i in 0..n {
                    let (g, x) = (&*d_normed.row(i), middle.row(i));
                    normalise(normed.row(i), x, layer.post_norm, eps);
                    normalise_backward(
                        d_middle.row(i),
                        d_out.row(i),
                        g,
                        x,
                        layer.post_norm,
                        eps,
                        row_scratch,
                    );
                    if wanted {
                        weight_backward(sum.row(0), g, x, eps);
                    }
                }
            });
            Joined([&layer.o]).backward(&panels.o, &mut d_o, d_middle.read());
        });
        if let Some(d_norm) = d_norm {
            add_rows(d_norm, partial.read());
        }
    }

    /// One task for each unit and head of keys and values.
    fn attention_tasks<'t>(
        &'t self,
        qkv: View<'t>,
        o: View<'t>,
        lse: View<'t>,
        d_o: View<'t>,
        d_qkv: ViewMut<'t>,
        tasks: &mut Vec<Task<'t>>,
    ) {
        let config = self.pass.model.config;
        let (q, kv, d) = (config.q_dim(), config.kv_dim(), config.head_dim);
        let per_group = config.n_heads / config.n_kv_heads;
        let first = self.pass.plan.rows(self.batch).start;
        let mut rest = d_qkv;
        for unit in &self.pass.plan.units[self.batch.clone()] {
            let (own, below) = rest.split_rows(unit.rows.len());
            rest = below;
            let start = unit.rows.start - first;
            let rows = start..start + unit.rows.len();
            let spans = spans(self.pass.packed, unit, unit.rows.start);
            let (d_q, d_kv) = own.split_cols(q);
            let (d_k, d_v) = d_kv.split_cols(kv);
            let parts = d_q.col_blocks(per_group * d).zip(d_k.col_blocks(d)).zip(d_v.col_blocks(d));
            for (kv_head, ((mut d_q, mut d_k), mut d_v)) in parts.enumerate() {
                let group = self.pass.group(qkv.rows(rows.clone()), kv_head);
                let heads = kv_head * per_group..(kv_head + 1) * per_group;
                let columns = heads.start * d..heads.end * d;
                let o = o.part(rows.clone(), columns.clone());
                let d_o = d_o.part(rows.clone(), columns);
                let lse = lse.part(rows.clone(), heads);
                let spans = spans.clone();
                tasks.push(Box::new(move || {
                    d_k.fill(0.0);
                    d_v.fill(0.0);
                    for span in &spans {
                        group.backward(span, o, lse, d_o, &mut d_q, &mut d_k, &mut d_v);
                    }
                }));
            }
        }
    }

    /// From queries, keys and values to the layer's input.
    fn project_backward(
        &self,
        kept: &Activations,
        rotary: &super::rotary::Rotary,
        panels: &LayerPanels,
        buffers: &mut BackwardBuffers,
        gradient: &mut LayerGradient<'_>,
        to_input: bool,
    ) {
        let config = self.pass.model.config;
        let (h, q, kv, d) = (config.hidden_size, config.q_dim(), config.kv_dim(), config.head_dim);
        let (n, layer, eps, x) = (self.x.n_rows(), self.layer, self.pass.model.eps, self.x);
        let positions = &self.pass.plan.positions[self.pass.plan.rows(self.batch)];
        let norms = layer.q_norm.zip(layer.k_norm);
        let raw = self.kept(&kept.raw, if norms.is_some() { q + kv } else { 0 });
        let d_middle = buffers.d_middle.read(n, h);
        let blocks = row_blocks(
            [buffers.d_qkv.matrix(n, q + 2 * kv), buffers.normed_in.matrix(n, h), buffers.d_out.matrix(n, h)],
            ROWS,
        );
        let n_blocks = blocks.len();
        // Of the norm before the layer, then of the queries' and the keys'.
        let mut partial = buffers.partial.matrix(n_blocks, h + 2 * d);
        let sums: Vec<_> = partial.rows(0..n_blocks).row_blocks(1).collect();
        blocks.into_par_iter().zip(sums).for_each(|((start, [mut d_qkv, mut normed, mut d_x]), mut sum)| {
            let n = d_qkv.n_rows();
            let rows = start..start + n;
            let (x, d_middle, raw) = (x.rows(rows.clone()), d_middle.rows(rows.clone()), raw.rows(rows));
            sum.fill(0.0);
            let (sum, head_sums) = sum.row(0).split_at_mut(h);
            let zeros = vec![0.0; d];
            with_scratch(n * h + h.max(2 * d), |scratch| {
                let (scratch, row_scratch) = scratch.split_at_mut(n * h);
                for i in 0..n {
                    let row = &mut d_qkv.row(i)[..q + kv];
                    rotary.turn_back(row, positions[start + i]);
                    let Some((q_norm, k_norm)) = norms else { continue };
                    let heads = row.chunks_exact_mut(d).zip(raw.row(i).chunks_exact(d));
                    for (head, (g, x)) in heads.enumerate() {
                        let (q_sum, k_sum) = head_sums.split_at_mut(d);
                        let (norm, sum) =
                            if head < config.n_heads { (q_norm, q_sum) } else { (k_norm, k_sum) };
                        weight_backward(sum, g, x, eps);
                        let (out, scratch) = row_scratch[..2 * d].split_at_mut(d);
                        normalise_backward(out, &zeros, g, x, norm, eps, scratch);
                        g.copy_from_slice(out);
                    }
                }
                let mut d_normed = ViewMut::new(scratch, n, h);
                if to_input {
                    layer.qkv().backward(&panels.qkv, &mut d_normed, d_qkv.read());
                }
                for i in 0..n {
                    normalise(normed.row(i), x.row(i), layer.input_norm, eps);
                    if to_input {
                        let g = &*d_normed.row(i);
                        weight_backward(sum, g, x.row(i), eps);
                        let (d_x, d_middle) = (d_x.row(i), d_middle.row(i));
                        let row_scratch = &mut row_scratch[..h];
                        normalise_backward(d_x, d_middle, g, x.row(i), layer.input_norm, eps, row_scratch);
                    }
                }
            });
        });
        let partial = partial.read();
        if let Some(d_norm) = gradient.input_norm.as_deref_mut() {
            add_rows(d_norm, partial.cols(0..h));
        }
        if let Some(d_norm) = gradient.q_norm.as_deref_mut() {
            add_rows(d_norm, partial.cols(h..h + d));
        }
        if let Some(d_norm) = gradient.k_norm.as_deref_mut() {
            add_rows(d_norm, partial.cols(h + d..h + 2 * d));
        }
    }
}

fn add_rows(sum: &mut [f32], rows: View<'_>) {
    for row in 0..rows.n_rows() {
        add(sum, rows.row(row));
    }
}

fn run_all(tasks: Vec<Task<'_>>) {
    tasks.into_par_iter().with_max_len(1).for_each(|task| task());
}
