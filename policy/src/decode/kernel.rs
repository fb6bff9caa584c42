//! The one loop that multiplies: some rows by panels of 16 outputs.
//!
//! Each output is one chain of fused multiply-adds over the inputs, from the first to the last. How many rows or
//! panels are worked on side by side changes how fast that goes and not one bit of what comes out, so a row's
//! result does not depend on the rows beside it, nor on how the work is split over threads.

use crate::fused::{mul_add, vectorised};

/// Outputs of a panel.
pub(crate) const LANES: usize = 16;

/// What happens to the products.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Write {
    /// They replace what was there.
    Set,
    /// They are summed first and then added to what was there.
    Add,
}

/// Rows that stand at even distances in a buffer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows {
    /// How many.
    pub(crate) count: usize,
    /// From the first number of one to the first of the next.
    pub(crate) stride: usize,
}

vectorised! {
    /// `y[r][o] = sum over i of x[r][i] * panels[o / 16][i][o % 16]`, for `width` outputs.
    ///
    /// A panel has `depth` inputs of which the first `inputs` are used. `y` is written up to `width` in each row.
    pub(crate) fn multiply(
        x: &[f32], x_rows: Rows, inputs: usize,
        panels: &[f32], depth: usize,
        y: &mut [f32], y_stride: usize, width: usize,
        write: Write
    ) {
        let mut first = 0;
        while first < width {
            // Few rows leave the multipliers waiting for each other; several panels at once keep them busy.
            let whole = (width - first) / LANES;
            let side = match x_rows.count { 1 => 4, 2 | 3 => 2, _ => 1 };
            let side = if whole >= side { side } else { 1 };
            let panel = &panels[first / LANES * depth * LANES..];
            let mut row = 0;
            while row < x_rows.count {
                let left = x_rows.count - row;
                let tile = Tile {
                    x: &x[row * x_rows.stride..], x_stride: x_rows.stride, inputs,
                    panel, depth, y_stride, at: row * y_stride + first,
                    width: (width - first).min(side * LANES), write,
                };
                row += match (left, side) {
                    (1, 4) => tile.run::<FMA, 1, 4>(y),
                    (2, 2) => tile.run::<FMA, 2, 2>(y),
                    (3, 2) => tile.run::<FMA, 3, 2>(y),
                    (1, _) => tile.run::<FMA, 1, 1>(y),
                    (2, _) => tile.run::<FMA, 2, 1>(y),
                    (3, _) => tile.run::<FMA, 3, 1>(y),
                    (4, _) => tile.run::<FMA, 4, 1>(y),
                    (5, _) => tile.run::<FMA, 5, 1>(y),
                    (_, _) => tile.run::<FMA, 6, 1>(y),
                };
            }
            first += side * LANES;
        }
    }
}

/// Some rows by some panels: what fits the registers.
struct Tile<'a> {
    x: &'a [f32],
    x_stride: usize,
    inputs: usize,
    panel: &'a [f32],
    depth: usize,
    y_stride: usize,
    at: usize,
    width: usize,
    write: Write,
}

impl Tile<'_> {
    #[inline(always)]
    #[allow(clippy::inline_always)]
    fn run<const FMA: bool, const R: usize, const P: usize>(&self, y: &mut [f32]) -> usize {
        let x: [&[f32]; R] =
            std::array::from_fn(|r| &self.x[r * self.x_stride..r * self.x_stride + self.inputs]);
        let panels: [&[[f32; LANES]]; P] = std::array::from_fn(|p| {
            self.panel[p * self.depth * LANES..][..self.inputs * LANES].as_chunks::<LANES>().0
        });
        let mut sums = [[[0.0_f32; LANES]; R]; P];
        for i in 0..self.inputs {
            for p in 0..P {
                let weights = panels[p][i];
                for r in 0..R {
                    let factor = x[r][i];
                    for lane in 0..LANES {
                        sums[p][r][lane] = mul_add::<FMA>(factor, weights[lane], sums[p][r][lane]);
                    }
                }
            }
        }
        for (p, sums) in sums.iter().enumerate() {
            for (r, sums) in sums.iter().enumerate() {
                let width = self.width.saturating_sub(p * LANES).min(LANES);
                let start = self.at + r * self.y_stride + p * LANES;
                let y = &mut y[start..start + width];
                match self.write {
                    Write::Set => y.copy_from_slice(&sums[..width]),
                    Write::Add => {
                        for (y, sum) in y.iter_mut().zip(sums) {
                            *y += sum;
                        }
                    }
                }
            }
        }
        R
    }
}
