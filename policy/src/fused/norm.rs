//! RMSNorm (Zhang and Sennrich 2019, equation 4) of single rows: `y = x / sqrt(mean(x^2) + eps) * w`.

use super::simd::{dot, mul_add, vectorised};

vectorised! {
    /// One row.
    pub(super) fn normalise(y: &mut [f32], x: &[f32], weight: &[f32], eps: f32) {
        let r = 1.0 / (dot::<FMA>(x, x) / x.len() as f32 + eps).sqrt();
        for ((y, x), w) in y.iter_mut().zip(x).zip(weight) {
            *y = x * r * w;
        }
    }

    /// One row in place.
    pub(super) fn normalise_in_place(x: &mut [f32], weight: &[f32], eps: f32) {
        let r = 1.0 / (dot::<FMA>(x, x) / x.len() as f32 + eps).sqrt();
        for (x, w) in x.iter_mut().zip(weight) {
            *x = *x * r * w;
        }
    }

    /// `out = residual + the gradient by x`, for one row, from the gradient `g` by y. `scratch` is as long as a row.
    pub(super) fn normalise_backward(
        out: &mut [f32], residual: &[f32], g: &[f32], x: &[f32], weight: &[f32], eps: f32, scratch: &mut [f32],
    ) {
        let n = x.len() as f32;
        let r = 1.0 / (dot::<FMA>(x, x) / n + eps).sqrt();
        for ((s, g), w) in scratch.iter_mut().zip(g).zip(weight) {
            *s = g * w;
        }
        let c = dot::<FMA>(scratch, x) * r * r * r / n;
        for (((out, residual), s), x) in out.iter_mut().zip(residual).zip(&*scratch).zip(x) {
            *out = mul_add::<FMA>(*s, r, residual - x * c);
        }
    }

    /// Adds to the gradient by the weight, for one row.
    pub(super) fn weight_backward(sum: &mut [f32], g: &[f32], x: &[f32], eps: f32) {
        let r = 1.0 / (dot::<FMA>(x, x) / x.len() as f32 + eps).sqrt();
        for ((sum, g), x) in sum.iter_mut().zip(g).zip(x) {
            *sum = mul_add::<FMA>(g * r, *x, *sum);
        }
    }
}
