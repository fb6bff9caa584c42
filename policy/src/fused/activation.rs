//! SwiGLU (Shazeer 2020, equation 5): `silu(gate) * up`.

use super::exp::exp;
use super::simd::vectorised;

vectorised! {
    /// One row.
    pub(super) fn swiglu(y: &mut [f32], gate: &[f32], up: &[f32]) {
        for ((y, g), u) in y.iter_mut().zip(gate).zip(up) {
            *y = g / (1.0 + exp::<FMA>(-g)) * u;
        }
    }

    /// One row again, and the gradients by `gate` and `up` from that by the output.
    pub(super) fn swiglu_backward(
        y: &mut [f32], d_gate: &mut [f32], d_up: &mut [f32], d_y: &[f32], gate: &[f32], up: &[f32],
    ) {
        let n = y.len();
        let (d_gate, d_up, d_y) = (&mut d_gate[..n], &mut d_up[..n], &d_y[..n]);
        let (gate, up) = (&gate[..n], &up[..n]);
        for i in 0..n {
            let s = 1.0 / (1.0 + exp::<FMA>(-gate[i]));
            let silu = gate[i] * s;
            y[i] = silu * up[i];
            d_up[i] = d_y[i] * silu;
            d_gate[i] = d_y[i] * up[i] * (s + silu * (1.0 - s));
        }
    }
}
