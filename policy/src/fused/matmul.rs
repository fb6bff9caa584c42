//! Products of matrices, on the thread that asks.

use super::view::{View, ViewMut};

/// `out = scale * a b`, or `out += scale * a b`. `a` is `[m, k]`, `b` is `[k, n]`, either may be transposed.
#[allow(unsafe_code)]
pub(super) fn matmul(out: &mut ViewMut<'_>, add: bool, scale: f32, a: View<'_>, b: View<'_>) {
    let (m, n, k) = (out.n_rows(), out.n_cols(), a.n_cols());
    assert!(a.n_rows() == m && b.n_rows() == k && b.n_cols() == n, "matrices that do not fit");
    if m == 0 || n == 0 {
        return;
    }
    if k == 0 {
        if !add {
            out.fill(0.0);
        }
        return;
    }
    let (out, out_rows) = out.raw();
    let (a, a_rows, a_cols) = a.raw();
    let (b, b_rows, b_cols) = b.raw();
    let keep = if add { 1.0 } else { 0.0 };
    // SAFETY: the three views cover what is read and written, `out` is borrowed alone, and the sizes agree.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out,
            1,
            out_rows,
            add,
            a,
            a_cols,
            a_rows,
            b,
            b_cols,
            b_rows,
            keep,
            scale,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
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
}
