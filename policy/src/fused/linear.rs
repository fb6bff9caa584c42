//! Linear layers with biases and adapters: `y = W x + bias + scale B A x`.

use std::ops::Range;

use super::matmul::{matmul, matmul_panels};
use super::model::{LinearGradient, LinearView};
use super::panels::PanelBuffer;
use super::simd::add;
use super::view::{View, ViewMut};
use super::workspace::with_scratch;

/// A piece of work that another may run beside.
pub(super) type Task<'a> = Box<dyn FnOnce() + Send + 'a>;

/// How many rows of a weight's gradient one task sums.
const ROWS_PER_TASK: usize = 192;

/// Linear layers that read the same inputs and write side by side, as one product.
#[derive(Clone, Copy, Debug)]
pub(super) struct Joined<'a, const K: usize>(pub [&'a LinearView<'a>; K]);

impl<const K: usize> Joined<'_, K> {
    /// Lays the weights out for [`forward`](Self::forward).
    pub(super) fn pack(&self, panels: &mut PanelBuffer) {
        panels.transposed(self.0.map(|linear| linear.weight));
    }

    /// Lays them out for [`backward`](Self::backward).
    pub(super) fn pack_backward(&self, panels: &mut PanelBuffer) {
        panels.stacked(self.0.map(|linear| linear.weight));
    }

    /// Each layer and its columns of the outputs.
    fn parts(&self) -> impl Iterator<Item = (&LinearView<'_>, Range<usize>)> {
        self.0.iter().scan(0, |end, linear| {
            let start = *end;
            *end += linear.weight.n_rows();
            Some((*linear, start..*end))
        })
    }

    /// Puts the outputs for some rows into `y`, or adds them.
    pub(super) fn forward(&self, panels: &PanelBuffer, y: &mut ViewMut<'_>, add_to: bool, x: View<'_>) {
        let mut keep = add_to;
        if self.0.iter().any(|linear| linear.bias.is_some()) {
            for (linear, columns) in self.parts() {
                for row in 0..y.n_rows() {
                    let y = &mut y.row(row)[columns.clone()];
                    match linear.bias {
                        Some(bias) if add_to => add(y, bias),
                        Some(bias) => y.copy_from_slice(bias),
                        None if add_to => {}
                        None => y.fill(0.0),
                    }
                }
            }
            keep = true;
        }
        matmul_panels(y, keep, 1.0, x, panels.read());
        for (linear, columns) in self.parts() {
            let Some(adapter) = &linear.adapter else { continue };
            let (n, rank) = (x.n_rows(), adapter.a.n_rows());
            with_scratch(n * rank, |scratch| {
                let mut inner = ViewMut::new(scratch, n, rank);
                matmul(&mut inner, false, 1.0, x, adapter.a.t());
                matmul(&mut y.cols(columns), true, adapter.scale, inner.read(), adapter.b.t());
            });
        }
    }

    /// Puts the gradient by the inputs of some rows into `d_x`.
    pub(super) fn backward(&self, panels: &PanelBuffer, d_x: &mut ViewMut<'_>, d_y: View<'_>) {
        matmul_panels(d_x, false, 1.0, d_y, panels.read());
        for (linear, columns) in self.parts() {
            let Some(adapter) = &linear.adapter else { continue };
            let (n, rank) = (d_y.n_rows(), adapter.a.n_rows());
            with_scratch(n * rank, |scratch| {
                let mut inner = ViewMut::new(scratch, n, rank);
                matmul(&mut inner, false, adapter.scale, d_y.cols(columns), adapter.b);
                matmul(d_x, true, 1.0, inner.read(), adapter.a);
            });
        }
    }
}

impl<'w> LinearView<'w> {
    /// The tasks that add the gradients by the parameters, from all rows of a batch.
    pub(super) fn gradient_tasks<'a>(
        &self,
        gradient: &'a mut LinearGradient<'_>,
        d_y: View<'a>,
        x: View<'a>,
        tasks: &mut Vec<Task<'a>>,
    ) where
        'w: 'a,
    {
        if let Some(weight) = &mut gradient.weight {
            let (rows, cols) = (weight.n_rows(), weight.n_cols());
            for (i, mut block) in weight.part(0..rows, 0..cols).row_blocks(ROWS_PER_TASK).enumerate() {
                let from = i * ROWS_PER_TASK;
                let d_y = d_y.cols(from..from + block.n_rows());
                tasks.push(Box::new(move || matmul(&mut block, true, 1.0, d_y.t(), x)));
            }
        }
        if let Some(bias) = &mut gradient.bias {
            let bias = &mut **bias;
            tasks.push(Box::new(move || {
                for row in 0..d_y.n_rows() {
                    add(bias, d_y.row(row));
                }
            }));
        }
        if let (Some((d_a, d_b)), Some((a, b, scale))) =
            (&mut gradient.adapter, self.adapter.map(|adapter| (adapter.a, adapter.b, adapter.scale)))
        {
            let (n, rank) = (x.n_rows(), a.n_rows());
            tasks.push(Box::new(move || {
                with_scratch(n * rank, |scratch| {
                    let mut inner = ViewMut::new(scratch, n, rank);
                    matmul(&mut inner, false, 1.0, x, a.t());
                    matmul(d_b, true, scale, d_y.t(), inner.read());
                    matmul(&mut inner, false, scale, d_y, b);
                    matmul(d_a, true, 1.0, inner.read().t(), x);
                });
            }));
        }
    }
}
