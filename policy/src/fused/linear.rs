//! Linear layers with biases and adapters: `y = W x + bias + scale B A x`.

use super::matmul::matmul;
use super::model::{LinearGradient, LinearView};
use super::simd::add;
use super::view::{View, ViewMut};
use super::workspace::with_scratch;

/// A piece of work that another may run beside.
pub(super) type Task<'a> = Box<dyn FnOnce() + Send + 'a>;

/// How many rows of a weight's gradient one task sums.
const ROWS_PER_TASK: usize = 128;

impl<'w> LinearView<'w> {
    /// Puts the outputs for some rows into `y`, or adds them.
    pub(super) fn forward(&self, y: &mut ViewMut<'_>, add_to: bool, x: View<'_>) {
        let mut keep = add_to;
        if let Some(bias) = self.bias {
            for row in 0..y.n_rows() {
                if add_to {
                    add(y.row(row), bias);
                } else {
                    y.row(row).copy_from_slice(bias);
                }
            }
            keep = true;
        }
        matmul(y, keep, 1.0, x, self.weight.t());
        if let Some(adapter) = &self.adapter {
            let (n, rank) = (x.n_rows(), adapter.a.n_rows());
            with_scratch(n * rank, |scratch| {
                let mut inner = ViewMut::new(scratch, n, rank);
                matmul(&mut inner, false, 1.0, x, adapter.a.t());
                matmul(y, true, adapter.scale, inner.read(), adapter.b.t());
            });
        }
    }

    /// Puts the gradient by the inputs of some rows into `d_x`, or adds it.
    pub(super) fn backward(&self, d_x: &mut ViewMut<'_>, add_to: bool, d_y: View<'_>) {
        matmul(d_x, add_to, 1.0, d_y, self.weight);
        if let Some(adapter) = &self.adapter {
            let (n, rank) = (d_y.n_rows(), adapter.a.n_rows());
            with_scratch(n * rank, |scratch| {
                let mut inner = ViewMut::new(scratch, n, rank);
                matmul(&mut inner, false, adapter.scale, d_y, adapter.b);
                matmul(d_x, true, 1.0, inner.read(), adapter.a);
            });
        }
    }

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
