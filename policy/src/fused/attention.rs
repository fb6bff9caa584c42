//! Causal attention of ragged sequences, one group of heads at a time (Vaswani et al. 2017, equation 1; grouped
//! queries after Ainslie et al. 2023).
//!
//! The forward pass keeps the logarithm of each softmax's denominator and the backward pass computes the
//! probabilities from it again (Dao et al. 2022, algorithm 4), a block of queries at a time, so that nothing of the
//! size of length x length is kept.

use super::exp::exp;
use super::matmul::matmul;
use super::plan::Span;
use super::simd::{dot, fold, largest, vectorised};
use super::view::{View, ViewMut};
use super::workspace::with_scratch;

/// How many queries are looked at together.
const QUERIES: usize = 64;

/// The queries of the heads that share one head of keys and values.
#[derive(Clone, Copy)]
pub(super) struct Group<'a> {
    /// `[N, heads * D]`.
    pub q: View<'a>,
    /// `[N, D]`.
    pub k: View<'a>,
    /// `[N, D]`.
    pub v: View<'a>,
    /// D.
    pub head_dim: usize,
}

impl Group<'_> {
    /// What the queries of one span read: `o` is `[rows, heads * D]`, `lse` `[rows, heads]`, both of the span alone.
    pub(super) fn forward(&self, span: &Span, o: &mut ViewMut<'_>, lse: &mut ViewMut<'_>) {
        let d = self.head_dim;
        let (n_before, n_own) = (span.before.len(), span.rows.len());
        with_scratch(QUERIES * (n_before + n_own), |scratch| {
            for head in 0..self.q.n_cols() / d {
                let columns = head * d..(head + 1) * d;
                for from in (0..n_own).step_by(QUERIES) {
                    let to = (from + QUERIES).min(n_own);
                    let mut p = ViewMut::new(scratch, to - from, n_before + to);
                    self.products(&mut p, span, from..to, columns.clone());
                    for i in 0..to - from {
                        lse.row(from + i)[head] = softmax(p.row(i), n_before + from + i + 1);
                    }
                    let mut o = o.part(from..to, columns.clone());
                    let own = self.v.rows(span.rows.start..span.rows.start + to);
                    let p = p.read();
                    matmul(&mut o, false, 1.0, p.cols(n_before..n_before + to), own);
                    if n_before > 0 {
                        matmul(&mut o, true, 1.0, p.cols(0..n_before), self.v.rows(span.before.clone()));
                    }
                }
            }
        });
    }

    /// Adds the gradients of one span: `d_q`, `d_k`, `d_v` are of all rows, as are `o`, `lse` and `d_o`.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn backward(
        &self,
        span: &Span,
        o: View<'_>,
        lse: View<'_>,
        d_o: View<'_>,
        d_q: &mut ViewMut<'_>,
        d_k: &mut ViewMut<'_>,
        d_v: &mut ViewMut<'_>,
    ) {
        let d = self.head_dim;
        let scale = 1.0 / (d as f32).sqrt();
        let (n_before, n_own) = (span.before.len(), span.rows.len());
        let size = QUERIES * (n_before + n_own);
        with_scratch(2 * size, |scratch| {
            let (p, d_p) = scratch.split_at_mut(size);
            for head in 0..self.q.n_cols() / d {
                let columns = head * d..(head + 1) * d;
                for from in (0..n_own).step_by(QUERIES) {
                    let to = (from + QUERIES).min(n_own);
                    let width = n_before + to;
                    let rows = span.rows.start + from..span.rows.start + to;
                    let keys = span.rows.start..span.rows.start + to;
                    let mut p = ViewMut::new(p, to - from, width);
                    let mut d_p = ViewMut::new(d_p, to - from, width);
                    self.products(&mut p, span, from..to, columns.clone());
                    let d_o = d_o.part(rows.clone(), columns.clone());
                    let o = o.part(rows.clone(), columns.clone());
                    matmul(&mut d_p.cols(n_before..width), false, 1.0, d_o, self.v.rows(keys.clone()).t());
                    if n_before > 0 {
                        let v = self.v.rows(span.before.clone());
                        matmul(&mut d_p.cols(0..n_before), false, 1.0, d_o, v.t());
                    }
                    for i in 0..to - from {
                        let seen = n_before + from + i + 1;
                        let lse = lse.row(rows.start + i)[head];
                        softmax_backward(p.row(i), d_p.row(i), seen, lse, d_o.row(i), o.row(i), scale);
                    }
                    let (p, d_s) = (p.read(), d_p.read());
                    let q = self.q.part(rows.clone(), columns.clone());
                    let mut d_q = d_q.part(rows, columns.clone());
                    let all = |view: &ViewMut<'_>| 0..view.n_cols();
                    let cols = all(d_k);
                    {
                        let (p, d_s) = (p.cols(n_before..width), d_s.cols(n_before..width));
                        matmul(&mut d_q, false, 1.0, d_s, self.k.rows(keys.clone()));
                        matmul(&mut d_k.part(keys.clone(), cols.clone()), true, 1.0, d_s.t(), q);
                        matmul(&mut d_v.part(keys, cols.clone()), true, 1.0, p.t(), d_o);
                    }
                    if n_before > 0 {
                        let (p, d_s) = (p.cols(0..n_before), d_s.cols(0..n_before));
                        matmul(&mut d_q, true, 1.0, d_s, self.k.rows(span.before.clone()));
                        matmul(&mut d_k.part(span.before.clone(), cols.clone()), true, 1.0, d_s.t(), q);
                        matmul(&mut d_v.part(span.before.clone(), cols), true, 1.0, p.t(), d_o);
                    }
                }
            }
        });
    }

    /// Scaled products of some of a span's queries with the keys before them and up to the last of them.
    fn products(
        &self,
        out: &mut ViewMut<'_>,
        span: &Span,
        queries: std::ops::Range<usize>,
        columns: std::ops::Range<usize>,
    ) {
        let scale = 1.0 / (self.head_dim as f32).sqrt();
        let (n_before, first) = (span.before.len(), span.rows.start);
        let width = out.n_cols();
        let q = self.q.part(first + queries.start..first + queries.end, columns);
        let own = self.k.rows(first..first + queries.end);
        matmul(&mut out.cols(n_before..width), false, scale, q, own.t());
        if n_before > 0 {
            let before = self.k.rows(span.before.clone());
            matmul(&mut out.cols(0..n_before), false, scale, q, before.t());
        }
    }
}

vectorised! {
    /// Softmax of the first `seen` products; the rest becomes 0. Returns the logarithm of the denominator.
    fn softmax(row: &mut [f32], seen: usize) -> f32 {
        let (row, hidden) = row.split_at_mut(seen);
        let max = largest(row);
        let mut lanes = [0.0_f32; 16];
        let (chunks, rest) = row.as_chunks_mut::<16>();
        for chunk in chunks {
            for j in 0..16 {
                chunk[j] = exp::<FMA>(chunk[j] - max);
                lanes[j] += chunk[j];
            }
        }
        let mut sum = fold(lanes);
        for x in rest {
            *x = exp::<FMA>(*x - max);
            sum += *x;
        }
        let inverse = 1.0 / sum;
        for x in row {
            *x *= inverse;
        }
        hidden.fill(0.0);
        max + sum.ln()
    }

    /// Products become probabilities, and the gradient by probabilities becomes that by unscaled products.
    fn softmax_backward(
        row: &mut [f32], d_row: &mut [f32], seen: usize, lse: f32, d_o: &[f32], o: &[f32], scale: f32,
    ) {
        let mean = dot::<FMA>(d_o, o);
        let (row, hidden) = row.split_at_mut(seen);
        let (d_row, d_hidden) = d_row.split_at_mut(seen);
        for (p, d) in row.iter_mut().zip(d_row) {
            *p = exp::<FMA>(*p - lse);
            *d = *p * (*d - mean) * scale;
        }
        hidden.fill(0.0);
        d_hidden.fill(0.0);
    }
}
