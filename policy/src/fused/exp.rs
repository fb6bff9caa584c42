//! The exponential function, in a form that compiles to vector instructions.

use super::simd::mul_add;

/// e^x with a relative error below 2e-7 between -87 and 88. Below it stays at e^-87.3, above at e^88.7; what is not a
/// number stays so.
///
/// x = n ln 2 + r with |r| <= ln 2 / 2; e^r by a polynomial fitted at Chebyshev nodes (its own error is 1e-8), 2^n by
/// the bits of the exponent.
#[inline(always)]
#[allow(clippy::inline_always)]
pub(crate) fn exp<const FMA: bool>(x: f32) -> f32 {
    /// Adding it rounds to a whole number, which is then in the low bits.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts: the first has few bits, so that its product with n is exact.
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let x = if x < -87.3 { -87.3 } else { x };
    let x = if x > 88.7 { 88.7 } else { x };
    let rounded = mul_add::<FMA>(x, std::f32::consts::LOG2_E, ROUND);
    let n = rounded - ROUND;
    let r = mul_add::<FMA>(n, -LN2_LOW, mul_add::<FMA>(n, -LN2_HIGH, x));
    let mut p = 1.393_382_3e-3;
    p = mul_add::<FMA>(p, r, 8.363_295e-3);
    p = mul_add::<FMA>(p, r, 4.166_646_6e-2);
    p = mul_add::<FMA>(p, r, 1.666_657_6e-1);
    p = mul_add::<FMA>(p, r, 0.5);
    let p = mul_add::<FMA>(p * r, r, r) + 1.0;
    p * f32::from_bits(rounded.to_bits().wrapping_add(127) << 23)
}

#[cfg(test)]
mod tests {
    use super::super::simd::vectorised;
    use super::*;

    vectorised! {
        fn exp_all(row: &mut [f32]) {
            for x in row {
                *x = exp::<FMA>(*x);
            }
        }
    }

    #[test]
    fn it_agrees_with_the_library() {
        let xs: Vec<f32> = (0..2_000_001).map(|i| -87.0 + i as f32 * (175.0 / 2_000_000.0)).collect();
        let mut got = xs.clone();
        exp_all(&mut got);
        let mut worst = 0.0_f64;
        for (x, y) in xs.iter().zip(&got) {
            let exact = f64::from(*x).exp();
            worst = worst.max((f64::from(*y) / exact - 1.0).abs());
            assert!((f64::from(exp::<false>(*x)) / exact - 1.0).abs() < 3e-7, "at {x} without fused steps");
        }
        assert!(worst < 2e-7, "{worst}");
        let mut edges = [f32::NEG_INFINITY, -1e30, 0.0, f32::NAN, f32::INFINITY];
        exp_all(&mut edges);
        assert!(edges[0] < 1.3e-38 && edges[1] < 1.3e-38);
        assert_eq!(edges[2], 1.0);
        assert!(edges[3].is_nan() && edges[4] > 3e38);
    }
}
