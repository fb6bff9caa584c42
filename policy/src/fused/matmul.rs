//! Products of matrices, on the thread that asks.

use super::kernel::{self, Block, LANES, MOST_ROWS};
use super::panels::{self, Panels};
use super::view::{View, ViewMut};
use super::workspace::with_scratch;

/// How many inputs are summed in registers before the outputs are written.
const INPUTS: usize = 256;
/// How many rows go through a panel while it is in the nearest cache.
const ROWS: usize = 96;
/// How many columns are laid out in panels at a time.
const COLUMNS: usize = 512;

/// `out = scale * a b`, or `out += scale * a b`. `a` is `[m, k]`, `b` is `[k, n]`, either may be transposed.
pub(super) fn matmul(out: &mut ViewMut<'_>, add: bool, scale: f32, a: View<'_>, b: View<'_>) {
    let (m, n, k) = (out.n_rows(), out.n_cols(), a.n_cols());
    assert!(a.n_rows() == m && b.n_rows() == k && b.n_cols() == n, "matrices that do not fit");
    if nothing(out, add, k) {
        return;
    }
    let deepest = k.min(INPUTS);
    with_scratch(panels::size(deepest, n.min(COLUMNS)), |scratch| {
        for first in (0..n).step_by(COLUMNS) {
            let columns = first..(first + COLUMNS).min(n);
            let mut out = out.cols(columns.clone());
            for (i, inputs) in pieces(k, INPUTS).enumerate() {
                panels::pack(b.part(inputs.clone(), columns.clone()), scratch);
                let data = &scratch[..panels::size(inputs.len(), columns.len())];
                rows_by_panels(&mut out, add || i > 0, scale, a.cols(inputs.clone()), data, inputs.len());
            }
        }
    });
}

/// The same where `b` is already in panels.
pub(super) fn matmul_panels(out: &mut ViewMut<'_>, add: bool, scale: f32, a: View<'_>, b: Panels<'_>) {
    assert!(
        a.n_rows() == out.n_rows() && a.n_cols() == b.k && b.n == out.n_cols(),
        "matrices that do not fit"
    );
    if nothing(out, add, b.k) {
        return;
    }
    for (i, inputs) in pieces(b.k, INPUTS).enumerate() {
        rows_by_panels(
            out,
            add || i > 0,
            scale,
            a.cols(inputs.clone()),
            &b.data[inputs.start * LANES..],
            b.k,
        );
    }
}

/// Whether there is nothing to multiply; then `out` is complete.
fn nothing(out: &mut ViewMut<'_>, add: bool, k: usize) -> bool {
    if k == 0 && !add {
        out.fill(0.0);
    }
    k == 0 || out.n_rows() == 0 || out.n_cols() == 0
}

/// Cuts `n` into pieces of at most `most`, as even as they can be.
fn pieces(n: usize, most: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    let count = n.div_ceil(most);
    (0..count).map(move |i| i * n / count..(i + 1) * n / count)
}

/// `panels` are `depth * LANES` numbers apart and have at least as many inputs as `a`.
fn rows_by_panels(out: &mut ViewMut<'_>, add: bool, scale: f32, a: View<'_>, panels: &[f32], depth: usize) {
    let (n, k) = (out.n_cols(), a.n_cols());
    assert!(panels.len() >= (n.div_ceil(LANES) - 1) * depth * LANES + k * LANES, "panels that are too short");
    let group = kernel::rows_at_once();
    for first in (0..a.n_rows()).step_by(ROWS) {
        let rows = first..(first + ROWS).min(a.n_rows());
        let m = rows.len();
        let a = a.rows(rows.clone());
        let (out, out_step) = out.rows(rows).into_raw();
        let block = |rows: *const f32, row_step: usize, input_step: usize, group_step: usize| Block {
            m,
            n,
            k,
            rows,
            row_step,
            input_step,
            group_step,
            panels: panels.as_ptr(),
            panel_step: depth * LANES,
            out,
            out_step,
            add,
            scale,
        };
        if a.is_by_rows() {
            let (data, step, _) = a.raw();
            let block = block(data, step, 1, group * step);
            // SAFETY: `a` and `panels` are borrowed and cover the block, `out` is borrowed alone.
            #[allow(unsafe_code)]
            unsafe {
                kernel::multiply(&block);
            }
        } else {
            with_scratch((m + MOST_ROWS) * k, |scratch| {
                panels::group(a.t(), group, scratch);
                let block = block(scratch.as_ptr(), 1, group, group * k);
                // SAFETY: likewise, and `scratch` holds all groups.
                #[allow(unsafe_code)]
                unsafe {
                    kernel::multiply(&block);
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_of_parts_and_transposes() {
        let a = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let b = [1.0, 0.0, 0.0, 1.0, 1.0, 1.0];
        let mut out = [0.5; 8];
        let mut view = ViewMut::new(&mut out, 2, 4);
        let (a, b) = (View::new(&a, 2, 3), View::new(&b, 3, 2));
        matmul(&mut view.cols(1..3), true, 2.0, a, b);
        assert_eq!(out, [0.5, 8.5, 10.5, 0.5, 0.5, 20.5, 22.5, 0.5]);
        let mut square = [0.0; 9];
        matmul(&mut ViewMut::new(&mut square, 3, 3), false, 1.0, a.t(), b.t());
        assert_eq!(square, [1.0, 4.0, 5.0, 2.0, 5.0, 7.0, 3.0, 6.0, 9.0]);
        matmul(&mut ViewMut::new(&mut square, 3, 3), false, 1.0, a.t().cols(0..0), b.t().rows(0..0));
        assert_eq!(square, [0.0; 9]);
    }

    /// Every size around the edges of tiles, panels and blocks, in all four layouts, against sums in 64 bits.
    #[test]
    fn all_sizes_and_layouts() {
        let number = |i: usize| ((i * 7919 + i / 3) % 17) as f32 / 8.0 - 1.0;
        for (m, n, k) in [
            (1, 1, 1),
            (2, 15, 3),
            (5, 16, 7),
            (6, 17, 8),
            (7, 33, 20),
            (12, 48, 31),
            (23, 5, 300),
            (100, 40, 513),
            (97, 530, 9),
        ] {
            let a: Vec<f32> = (0..m * k).map(number).collect();
            let b: Vec<f32> = (0..k * n).map(|i| number(i + 5)).collect();
            for (a_turned, b_turned, add) in
                [(false, false, false), (true, false, true), (false, true, true), (true, true, false)]
            {
                let a_view = if a_turned { View::new(&a, k, m).t() } else { View::new(&a, m, k) };
                let b_view = if b_turned { View::new(&b, n, k).t() } else { View::new(&b, k, n) };
                let mut out = vec![0.25; m * (n + 2)];
                let mut view = ViewMut::new(&mut out, m, n + 2);
                matmul(&mut view.cols(1..n + 1), add, 0.5, a_view, b_view);
                let mut buffer = panels::PanelBuffer::default();
                if b_turned {
                    let b = b_view.t();
                    buffer.transposed([b.rows(0..n / 3), b.rows(n / 3..n)]);
                } else {
                    buffer.stacked([b_view.rows(0..k / 3), b_view.rows(k / 3..k)]);
                }
                let mut again = vec![0.25; m * (n + 2)];
                let mut view = ViewMut::new(&mut again, m, n + 2);
                matmul_panels(&mut view.cols(1..n + 1), add, 0.5, a_view, buffer.read());
                assert_eq!(out, again, "{m} {n} {k}");
                for row in 0..m {
                    for column in 0..n + 2 {
                        let got = f64::from(out[row * (n + 2) + column]);
                        if column == 0 || column == n + 1 {
                            assert_eq!(got, 0.25, "outside of the columns");
                            continue;
                        }
                        let sum: f64 = (0..k)
                            .map(|i| {
                                let x = if a_turned { a[i * m + row] } else { a[row * k + i] };
                                let c = column - 1;
                                let y = if b_turned { b[c * k + i] } else { b[i * n + c] };
                                f64::from(x) * f64::from(y)
                            })
                            .sum();
                        let want = 0.5 * sum + if add { 0.25 } else { 0.0 };
                        assert!((got - want).abs() < 1e-4, "{m} {n} {k}: {got} {want} at {row} {column}");
                    }
                }
            }
        }
    }
}
