//! What is done to a row between products: norms, rotations, gates, exponentials.
//!
//! Sums over a row run in sixteen lanes that are added in a fixed order at the end, so they are the same on every
//! machine with fused multiply-adds, however wide its vectors are.

use super::kernel::LANES;
use crate::fused::{exp, fold, mul_add, vectorised};

vectorised! {
    /// The largest number of a row; NaN when there is a NaN; negative infinity when there is no number.
    pub(crate) fn largest(row: &[f32]) -> f32 {
        let mut lanes = [f32::NEG_INFINITY; LANES];
        let mut wrong = [false; LANES];
        let (chunks, rest) = row.as_chunks::<LANES>();
        for chunk in chunks {
            for i in 0..LANES {
                lanes[i] = if chunk[i] > lanes[i] { chunk[i] } else { lanes[i] };
                wrong[i] |= chunk[i].is_nan();
            }
        }
        for (i, x) in rest.iter().enumerate() {
            lanes[i] = lanes[i].max(*x);
            wrong[i] |= x.is_nan();
        }
        if wrong.contains(&true) { f32::NAN } else { lanes.into_iter().fold(f32::NEG_INFINITY, f32::max) }
    }
}

/// e to the power of `x`, and nothing where that is below the smallest ordinary number.
#[inline(always)]
#[allow(clippy::inline_always)]
fn weight<const FMA: bool>(x: f32) -> f32 {
    let value = exp::<FMA>(x);
    if x < -87.3 { 0.0 } else { value }
}

vectorised! {
    /// Replaces each number by `exp((number - shift) * scale)` and returns their sum.
    pub(crate) fn exponentials(row: &mut [f32], shift: f32, scale: f32) -> f32 {
        let mut sums = [0.0_f32; LANES];
        let (chunks, rest) = row.as_chunks_mut::<LANES>();
        for chunk in chunks {
            for i in 0..LANES {
                chunk[i] = weight::<FMA>((chunk[i] - shift) * scale);
                sums[i] += chunk[i];
            }
        }
        for (i, x) in rest.iter_mut().enumerate() {
            *x = weight::<FMA>((*x - shift) * scale);
            sums[i] += *x;
        }
        fold(sums)
    }
}

vectorised! {
    /// Multiplies a row by a number.
    pub(crate) fn scale(row: &mut [f32], factor: f32) {
        for x in row {
            *x *= factor;
        }
    }
}

vectorised! {
    /// Root-mean-square norm (Zhang and Sennrich 2019, equation 4) of a row, times `weight`, into `out`.
    pub(crate) fn norm(row: &[f32], weight: &[f32], epsilon: f32, out: &mut [f32]) {
        let factor = inverse_root::<FMA>(row, epsilon);
        for ((out, x), weight) in out.iter_mut().zip(row).zip(weight) {
            *out = x * factor * weight;
        }
    }
}

vectorised! {
    /// The same in place.
    pub(crate) fn norm_in_place(row: &mut [f32], weight: &[f32], epsilon: f32) {
        let factor = inverse_root::<FMA>(row, epsilon);
        for (x, weight) in row.iter_mut().zip(weight) {
            *x = *x * factor * weight;
        }
    }
}

#[inline(always)]
#[allow(clippy::inline_always)]
fn inverse_root<const FMA: bool>(row: &[f32], epsilon: f32) -> f32 {
    let mut sums = [0.0_f32; LANES];
    let (chunks, rest) = row.as_chunks::<LANES>();
    for chunk in chunks {
        for i in 0..LANES {
            sums[i] = mul_add::<FMA>(chunk[i], chunk[i], sums[i]);
        }
    }
    for (i, x) in rest.iter().enumerate() {
        sums[i] = mul_add::<FMA>(*x, *x, sums[i]);
    }
    (fold(sums) / row.len() as f32 + epsilon).sqrt().recip()
}

vectorised! {
    /// `silu(gate) * up` into `gate`: `gate` is the first half of `both`, `up` the second.
    pub(crate) fn swiglu(both: &mut [f32]) {
        let (gate, up) = both.split_at_mut(both.len() / 2);
        for (gate, up) in gate.iter_mut().zip(up.iter()) {
            *gate = *gate / (1.0 + exp::<FMA>(-*gate)) * up;
        }
    }
}

vectorised! {
    /// Turns the pairs `(i, i + D/2)` of a head by the angles whose cosines and sines are given.
    pub(crate) fn rotate(head: &mut [f32], cosines: &[f32], sines: &[f32]) {
        let (left, right) = head.split_at_mut(head.len() / 2);
        for (((a, b), cosine), sine) in left.iter_mut().zip(right).zip(cosines).zip(sines) {
            (*a, *b) = (*a * cosine - *b * sine, *b * cosine + *a * sine);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_impossible_weighs_nothing() {
        let mut row = [f32::NEG_INFINITY, -1000.0, 1.0, 2.0, f32::MIN];
        let sum = exponentials(&mut row, 2.0, 0.5);
        assert_eq!([row[0], row[1], row[4]], [0.0; 3]);
        assert!((row[2] - (-0.5_f32).exp()).abs() < 1e-6 && (row[3] - 1.0).abs() < 1e-6);
        assert!((sum - row[2] - row[3]).abs() < 1e-6);
    }

    #[test]
    fn the_largest_number_sees_a_nan_anywhere() {
        let mut row: Vec<f32> = (0..37).map(|i| (i as f32 * 1.7).sin()).collect();
        let expected = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        assert_eq!(largest(&row), expected);
        for i in 0..row.len() {
            let kept = std::mem::replace(&mut row[i], f32::NAN);
            assert!(largest(&row).is_nan());
            row[i] = kept;
        }
        assert_eq!(largest(&[]), f32::NEG_INFINITY);
    }
}
