//! The model on some rows: from tokens to hidden states and logits.

use std::time::{Duration, Instant};

use super::attention::{Attention, Room};
use super::cache::Geometry;
use super::elementwise::{norm, norm_in_place, rotate, swiglu};
use super::kernel::{Rows, Write};
use super::snapshot::Snapshot;
use crate::config::ModelConfig;

/// Where the time of the processor went, summed over threads.
#[derive(Clone, Copy, Debug, Default)]
pub struct Split {
    /// Products with weights.
    pub matrices: Duration,
    /// Attention with its reading and writing of the cache.
    pub attention: Duration,
    /// Norms, rotations, gates.
    pub elementwise: Duration,
    /// Choosing tokens and what comes with it.
    pub sampling: Duration,
}

impl Split {
    /// Adds another.
    pub fn add(&mut self, other: Self) {
        self.matrices += other.matrices;
        self.attention += other.attention;
        self.elementwise += other.elementwise;
        self.sampling += other.sampling;
    }

    /// Adds the time since `from` to what `part` names and starts again from now.
    pub(crate) fn lap(part: &mut Duration, from: &mut Instant) {
        let now = Instant::now();
        *part += now - *from;
        *from = now;
    }
}

/// Buffers of one thread, used again in every step.
#[derive(Default)]
pub(crate) struct Scratch {
    hidden: Vec<f32>,
    normed: Vec<f32>,
    qkv: Vec<f32>,
    attended: Vec<f32>,
    gate_up: Vec<f32>,
    room: Room,
    pub(crate) logits: Vec<f32>,
    /// Room for outputs that several threads make.
    stage: Vec<f32>,
    pub(crate) split: Split,
}

/// The model at work.
pub(crate) struct Step<'a> {
    pub(crate) config: &'a ModelConfig,
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) geometry: Geometry,
}

impl Step<'_> {
    /// Runs all layers for rows of (token, position). `attend` is asked once per layer. `spread`: whether products
    /// may use other threads.
    pub(crate) fn layers(
        &self,
        scratch: &mut Scratch,
        count: usize,
        row: impl Fn(usize) -> (u32, usize),
        spread: bool,
        mut attend: impl FnMut(Attention<'_>),
    ) {
        let config = self.config;
        let (h, q_dim, d) = (config.hidden_size, config.q_dim(), config.head_dim);
        let epsilon = config.rms_norm_eps as f32;
        let Scratch { hidden, normed, qkv, attended, gate_up, room, stage, split, .. } = scratch;
        let widest = self.snapshot.layers.iter().map(|l| (l.qkv.outputs, l.gate_up.outputs)).max();
        let (qkv_width, wide) = widest.unwrap_or_default();
        for (buffer, width) in
            [(&mut *hidden, h), (normed, h), (qkv, qkv_width), (attended, q_dim), (gate_up, wide)]
        {
            if buffer.len() < count * width {
                buffer.resize(count * width, 0.0);
            }
        }
        let mut stage = spread.then_some(stage);
        let mut clock = Instant::now();
        for (i, hidden) in hidden.chunks_exact_mut(h).take(count).enumerate() {
            self.snapshot.embed(row(i).0, hidden);
        }
        for (index, layer) in self.snapshot.layers.iter().enumerate() {
            norms(hidden, &layer.input_norm, epsilon, normed, h, count);
            Split::lap(&mut split.elementwise, &mut clock);
            let rows = Rows { count, stride: h };
            layer.qkv.multiply(normed, rows, qkv, (qkv_width, qkv_width), Write::Set, stage.as_deref_mut());
            Split::lap(&mut split.matrices, &mut clock);
            for (i, qkv) in qkv.chunks_exact_mut(qkv_width).take(count).enumerate() {
                let at = row(i).1 * (d / 2);
                let (cosines, sines) =
                    (&self.snapshot.cosines[at..at + d / 2], &self.snapshot.sines[at..at + d / 2]);
                for (start, size, weight) in [
                    (layer.qkv.offsets[0], q_dim, &layer.q_norm),
                    (layer.qkv.offsets[1], config.kv_dim(), &layer.k_norm),
                ] {
                    for head in qkv[start..start + size].chunks_exact_mut(d) {
                        if let Some(weight) = weight {
                            norm_in_place(head, weight, epsilon);
                        }
                        rotate(head, cosines, sines);
                    }
                }
            }
            Split::lap(&mut split.elementwise, &mut clock);
            attend(Attention {
                layer: index,
                qkv,
                stride: qkv_width,
                offsets: [layer.qkv.offsets[0], layer.qkv.offsets[1], layer.qkv.offsets[2]],
                out: attended,
                room,
            });
            Split::lap(&mut split.attention, &mut clock);
            let rows = Rows { count, stride: q_dim };
            layer.o.multiply(attended, rows, hidden, (h, h), Write::Add, stage.as_deref_mut());
            Split::lap(&mut split.matrices, &mut clock);
            norms(hidden, &layer.post_norm, epsilon, normed, h, count);
            Split::lap(&mut split.elementwise, &mut clock);
            let rows = Rows { count, stride: h };
            layer.gate_up.multiply(normed, rows, gate_up, (wide, wide), Write::Set, stage.as_deref_mut());
            Split::lap(&mut split.matrices, &mut clock);
            gate_up.chunks_exact_mut(wide).take(count).for_each(swiglu);
            Split::lap(&mut split.elementwise, &mut clock);
            let rows = Rows { count, stride: wide };
            layer.down.multiply(gate_up, rows, hidden, (h, h), Write::Add, stage.as_deref_mut());
            Split::lap(&mut split.matrices, &mut clock);
        }
    }

    /// The logits of `count` rows from `first` on, `[count, V]` in `scratch.logits`.
    pub(crate) fn logits(&self, scratch: &mut Scratch, first: usize, count: usize, spread: bool) {
        let (h, v) = (self.config.hidden_size, self.config.vocab_size);
        let Scratch { hidden, normed, logits, stage, split, .. } = scratch;
        let mut clock = Instant::now();
        norms(
            &hidden[first * h..],
            &self.snapshot.final_norm,
            self.config.rms_norm_eps as f32,
            normed,
            h,
            count,
        );
        Split::lap(&mut split.elementwise, &mut clock);
        if logits.len() < count * v {
            logits.resize(count * v, 0.0);
        }
        let rows = Rows { count, stride: h };
        self.snapshot.head.multiply(normed, rows, logits, (v, v), Write::Set, spread.then_some(stage));
        Split::lap(&mut split.matrices, &mut clock);
    }
}

fn norms(rows: &[f32], weight: &[f32], epsilon: f32, out: &mut [f32], h: usize, count: usize) {
    for (row, out) in rows.chunks_exact(h).zip(out.chunks_exact_mut(h)).take(count) {
        norm(row, weight, epsilon, out);
    }
}
