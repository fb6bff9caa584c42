//! Matrices laid out in panels of sixteen columns, as [`kernel`](super::kernel) reads them.

use rayon::prelude::*;

use super::kernel::LANES;
use super::simd::vectorised;
use super::view::View;
use super::workspace::Buffer;

/// A matrix `[k, n]` in panels: of each sixteen columns one row after the other; columns that are missing are zeros.
#[derive(Clone, Copy, Debug)]
pub(super) struct Panels<'a> {
    pub data: &'a [f32],
    pub k: usize,
    pub n: usize,
}

/// How many numbers a matrix takes in panels.
pub(super) const fn size(k: usize, n: usize) -> usize {
    n.div_ceil(LANES) * LANES * k
}

/// Panels that stay with a thread's workspace.
#[derive(Debug, Default)]
pub(super) struct PanelBuffer {
    data: Buffer,
    k: usize,
    n: usize,
}

impl PanelBuffer {
    /// Takes the transposes of some matrices `[n_i, k]`, side by side.
    pub(super) fn transposed<const K: usize>(&mut self, parts: [View<'_>; K]) {
        let (k, n) = (parts[0].n_cols(), parts.iter().map(View::n_rows).sum());
        self.fill(k, n, |columns, panel| {
            // The rows of the parts that become these columns.
            let mut lane = 0;
            let mut first = 0;
            for part in parts {
                let (from, to) = (columns.start.max(first), columns.end.min(first + part.n_rows()));
                if from < to {
                    transpose(part.rows(from - first..to - first), panel, lane);
                    lane += to - from;
                }
                first += part.n_rows();
            }
            clear_from(panel, lane);
        });
    }

    /// Takes some matrices `[k_i, n]`, one below the other.
    pub(super) fn stacked<const K: usize>(&mut self, parts: [View<'_>; K]) {
        let (k, n) = (parts.iter().map(View::n_rows).sum(), parts[0].n_cols());
        self.fill(k, n, |columns, panel| {
            let mut first = 0;
            for part in parts {
                copy(part.cols(columns.clone()), &mut panel[first * LANES..(first + part.n_rows()) * LANES]);
                first += part.n_rows();
            }
        });
    }

    fn fill(&mut self, k: usize, n: usize, fill: impl Fn(std::ops::Range<usize>, &mut [f32]) + Sync) {
        (self.k, self.n) = (k, n);
        let panels = self.data.slice(size(k, n)).par_chunks_exact_mut(k * LANES);
        panels.enumerate().for_each(|(i, panel)| fill(i * LANES..((i + 1) * LANES).min(n), panel));
    }

    pub(super) fn read(&self) -> Panels<'_> {
        Panels { data: self.data.read_slice(size(self.k, self.n)), k: self.k, n: self.n }
    }
}

/// Lays out any matrix.
pub(super) fn pack(matrix: View<'_>, out: &mut [f32]) {
    let (k, n) = (matrix.n_rows(), matrix.n_cols());
    for (i, panel) in out[..size(k, n)].chunks_exact_mut(k * LANES).enumerate() {
        let columns = matrix.cols(i * LANES..((i + 1) * LANES).min(n));
        if columns.is_by_rows() {
            copy(columns, panel);
        } else {
            transpose(columns.t(), panel, 0);
            clear_from(panel, columns.n_cols());
        }
    }
}

/// Lays out the columns of `[k, m]` in groups: of each `size` columns one row after the other.
pub(super) fn group(matrix: View<'_>, size: usize, out: &mut [f32]) {
    let (k, m) = (matrix.n_rows(), matrix.n_cols());
    for (i, group) in out[..m.div_ceil(size) * size * k].chunks_exact_mut(size * k).enumerate() {
        let columns = matrix.cols(i * size..((i + 1) * size).min(m));
        match (columns.n_cols(), size) {
            (6, 6) => {
                for (row, to) in group.as_chunks_mut::<6>().0.iter_mut().enumerate() {
                    if let Some(from) = columns.row(row).as_array::<6>() {
                        *to = *from;
                    }
                }
            }
            (12, 12) => {
                for (row, to) in group.as_chunks_mut::<12>().0.iter_mut().enumerate() {
                    if let Some(from) = columns.row(row).as_array::<12>() {
                        *to = *from;
                    }
                }
            }
            (width, _) => {
                for (row, to) in group.chunks_exact_mut(size).enumerate() {
                    to[..width].copy_from_slice(columns.row(row));
                }
            }
        }
    }
}

/// Up to sixteen columns into one panel.
fn copy(columns: View<'_>, panel: &mut [f32]) {
    let (panel, _) = panel.as_chunks_mut::<LANES>();
    if columns.n_cols() == LANES {
        for (row, to) in panel.iter_mut().enumerate() {
            if let Some(from) = columns.row(row).as_array::<LANES>() {
                *to = *from;
            }
        }
    } else {
        for (row, to) in panel.iter_mut().enumerate() {
            to[..columns.n_cols()].copy_from_slice(columns.row(row));
            to[columns.n_cols()..].fill(0.0);
        }
    }
}

/// Up to sixteen rows into the lanes of one panel from `lane` on.
fn transpose(rows: View<'_>, panel: &mut [f32], lane: usize) {
    if rows.n_rows() == LANES {
        let rows: [&[f32]; LANES] = std::array::from_fn(|i| rows.row(i));
        transpose_whole(&rows, panel);
    } else {
        for i in 0..rows.n_rows() {
            for (to, from) in panel.iter_mut().skip(lane + i).step_by(LANES).zip(rows.row(i)) {
                *to = *from;
            }
        }
    }
}

fn clear_from(panel: &mut [f32], lane: usize) {
    if lane < LANES {
        for row in panel.chunks_exact_mut(LANES) {
            row[lane..].fill(0.0);
        }
    }
}

vectorised! {
    fn transpose_whole(rows: &[&[f32]; LANES], panel: &mut [f32]) {
        let (panel, _) = panel.as_chunks_mut::<LANES>();
        let k = panel.len();
        let rows: [&[f32]; LANES] = std::array::from_fn(|i| &rows[i][..k]);
        for (i, to) in panel.iter_mut().enumerate() {
            for lane in 0..LANES {
                to[lane] = rows[lane][i];
            }
        }
    }
}
