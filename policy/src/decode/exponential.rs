//! Exponentials that compile to vectors, and the row functions built on them.
//!
//! Sums over a row run in sixteen lanes that are added in a fixed order at the end, so they are the same on every
//! machine with fused multiply-adds, however wide its vectors are.

use super::kernel::{LANES, vectorised};

/// e to the power of `x`, within two units in the last place; 0 below -87.3 and for negative infinity.
#[inline(always)]
#[allow(clippy::inline_always)]
fn exp(x: f32) -> f32 {
    // x = n ln 2 + r with |r| <= ln 2 / 2; then e^x = 2^n e^r and e^r by its Taylor series to the seventh power.
    // Adding and taking away 1.5 * 2^23 rounds to a whole number, which then stands in the low bits of the sum.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts, so that n times the first is exact.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let clamped = x.clamp(-87.3, 88.3);
    let shifted = clamped.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = n.mul_add(-LN_2_LOW, n.mul_add(-LN_2_HIGH, clamped));
    let mut series = 1.0 / 5040.0;
    for factor in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        series = r.mul_add(series, factor);
    }
    let scale = f32::from_bits(shifted.to_bits().wrapping_shl(23).wrapping_add(0x3f80_0000));
    let value = series * scale;
    if x < -87.3 { 0.0 } else { value }
}

/// Adds up sixteen lanes, halves to halves.
#[inline(always)]
#[allow(clippy::inline_always)]
fn total(mut lanes: [f32; LANES]) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
        width /= 2;
    }
    lanes[0]
}

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

vectorised! {
    /// Replaces each number by `exp((number - shift) * scale)` and returns their sum.
    pub(crate) fn exponentials(row: &mut [f32], shift: f32, scale: f32) -> f32 {
        let mut sums = [0.0_f32; LANES];
        let (chunks, rest) = row.as_chunks_mut::<LANES>();
        for chunk in chunks {
            for i in 0..LANES {
                chunk[i] = exp((chunk[i] - shift) * scale);
                sums[i] += chunk[i];
            }
        }
        for (i, x) in rest.iter_mut().enumerate() {
            *x = exp((*x - shift) * scale);
            sums[i] += *x;
        }
        total(sums)
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
        let factor = inverse_root(row, epsilon);
        for ((out, x), weight) in out.iter_mut().zip(row).zip(weight) {
            *out = x * factor * weight;
        }
    }
}

vectorised! {
    /// The same in place.
    pub(crate) fn norm_in_place(row: &mut [f32], weight: &[f32], epsilon: f32) {
        let factor = inverse_root(row, epsilon);
        for (x, weight) in row.iter_mut().zip(weight) {
            *x = *x * factor * weight;
        }
    }
}

#[inline(always)]
#[allow(clippy::inline_always)]
fn inverse_root(row: &[f32], epsilon: f32) -> f32 {
    let mut sums = [0.0_f32; LANES];
    let (chunks, rest) = row.as_chunks::<LANES>();
    for chunk in chunks {
        for i in 0..LANES {
            sums[i] = chunk[i].mul_add(chunk[i], sums[i]);
        }
    }
    for (i, x) in rest.iter().enumerate() {
        sums[i] = x.mul_add(*x, sums[i]);
    }
    (total(sums) / row.len() as f32 + epsilon).sqrt().recip()
}

vectorised! {
    /// `silu(gate) * up` into `gate`: `gate` is the first half of `both`, `up` the second.
    pub(crate) fn swiglu(both: &mut [f32]) {
        let (gate, up) = both.split_at_mut(both.len() / 2);
        for (gate, up) in gate.iter_mut().zip(up.iter()) {
            *gate = *gate / (1.0 + exp(-*gate)) * up;
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

vectorised! {
    /// Adds a row to another.
    pub(crate) fn add(row: &mut [f32], other: &[f32]) {
        for (x, y) in row.iter_mut().zip(other) {
            *x += y;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_within_two_units_in_the_last_place() {
        let mut worst = 0.0_f64;
        for i in -870_000..880_000 {
            let x = i as f32 * 1e-4;
            let exact = f64::from(x).exp();
            let unit = f64::from(f32::EPSILON) * exact;
            worst = worst.max((f64::from(exp(x)) - exact).abs() / unit);
        }
        assert!(worst < 2.0, "{worst}");
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp(-1000.0), 0.0);
        assert!((exp(0.0) - 1.0).abs() < f32::EPSILON);
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
