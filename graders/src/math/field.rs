//! Prime fields in which identities are tested.
//!
//! A [`Field`] is a chain of two prime fields. The order q of the second divides p - 1, where p is the order
//! of the first, so that `e^E` can be sent to `g^E` with a generator `g` of the subgroup of order q in the
//! first field and the exponent's value in the second. That map turns sums into products, as the exponential
//! function does. Also p ≡ 1 modulo [`TURN`], so that the first field holds the roots of unity for the usual
//! angles. The square roots of small primes are the ones that agree with those roots of unity by the
//! quadratic Gauss sums (√2 = ζ₈ + ζ₈⁻¹, √3 = ζ₁₂ + ζ₁₂⁻¹, …): together they are one homomorphism from the
//! algebraic integers they generate.

/// The order of the root of unity that every field holds: 2^5 · 3^2 · 5 · 7 · 11 · 13.
pub(super) const TURN: u64 = 1_441_440;

/// Arithmetic modulo an odd number below 2^63, on residues in Montgomery's form (Montgomery 1985).
#[derive(Debug)]
pub(super) struct Modulus {
    pub(super) order: u64,
    /// -1/order modulo 2^64.
    reduction: u64,
    /// 2^128 modulo the order.
    square: u64,
    pub(super) one: u64,
}

impl Modulus {
    const fn new(order: u64) -> Self {
        let mut inverse = 1_u64;
        let mut step = 0;
        while step < 6 {
            inverse = inverse.wrapping_mul(2_u64.wrapping_sub(order.wrapping_mul(inverse)));
            step += 1;
        }
        let one = ((1_u128 << 64) % order as u128) as u64;
        let square = ((one as u128 * one as u128) % order as u128) as u64;
        Self { order, reduction: inverse.wrapping_neg(), square, one }
    }

    pub(super) const fn mul(&self, a: u64, b: u64) -> u64 {
        let product = a as u128 * b as u128;
        let factor = (product as u64).wrapping_mul(self.reduction);
        let reduced = ((product + factor as u128 * self.order as u128) >> 64) as u64;
        if reduced >= self.order { reduced - self.order } else { reduced }
    }

    pub(super) const fn add(&self, a: u64, b: u64) -> u64 {
        let sum = a + b;
        if sum >= self.order { sum - self.order } else { sum }
    }

    pub(super) const fn negative(&self, a: u64) -> u64 {
        if a == 0 { 0 } else { self.order - a }
    }

    pub(super) const fn sub(&self, a: u64, b: u64) -> u64 {
        self.add(a, self.negative(b))
    }

    /// The residue of a number in Montgomery's form.
    pub(super) const fn residue(&self, n: u64) -> u64 {
        self.mul(n % self.order, self.square)
    }

    pub(super) const fn signed(&self, n: i64) -> u64 {
        let residue = self.residue(n.unsigned_abs());
        if n < 0 { self.negative(residue) } else { residue }
    }

    /// The number of a residue.
    pub(super) const fn number(&self, residue: u64) -> u64 {
        self.mul(residue, 1)
    }

    pub(super) const fn pow(&self, mut base: u64, mut exponent: u64) -> u64 {
        let mut result = self.one;
        while exponent > 0 {
            if exponent & 1 == 1 {
                result = self.mul(result, base);
            }
            base = self.mul(base, base);
            exponent >>= 1;
        }
        result
    }

    /// One over it, in a prime field.
    pub(super) const fn inverse(&self, a: u64) -> Option<u64> {
        if a == 0 { None } else { Some(self.pow(a, self.order - 2)) }
    }
}

/// One of the two prime fields of a [`Field`].
#[derive(Debug)]
pub(super) struct Level {
    pub(super) modulus: Modulus,
    /// A square root of -1.
    pub(super) imaginary: u64,
    /// Primes and a square root of each.
    pub(super) roots: &'static [(u64, u64)],
}

/// Two prime fields and the map from the sums of the second to the products of the first.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) base: Level,
    pub(super) exponent: Level,
    /// An element of order [`TURN`] in the base.
    pub(super) zeta: u64,
    /// An element of the base whose order is that of the exponents' field.
    pub(super) generator: u64,
}

/// Two such fields, found by search; all elements are in Montgomery's form.
pub(super) static FIELDS: [Field; 2] = [
    Field {
        base: Level {
            modulus: Modulus::new(8_716_846_006_274_646_241),
            imaginary: 7_092_007_163_156_626_297,
            roots: &[
                (2, 722_552_687_037_849_807),
                (3, 8_564_964_519_787_085_467),
                (5, 902_715_421_066_915_153),
                (7, 2_885_150_802_697_009_213),
                (11, 7_896_895_495_846_741_797),
                (13, 6_470_488_619_651_011_360),
                (17, 8_311_487_288_768_429_610),
                (19, 3_695_481_862_910_101_341),
                (23, 2_341_514_072_106_539_918),
                (29, 2_527_047_160_116_907_411),
                (31, 1_586_110_119_554_690_679),
                (37, 6_686_230_735_888_335_146),
                (41, 8_354_788_065_240_717_297),
                (43, 8_194_124_139_526_935_714),
                (47, 441_379_074_962_020_505),
            ],
        },
        exponent: Level {
            modulus: Modulus::new(549_756_178_561),
            imaginary: 41_628_640_440,
            roots: &[(2, 181_668_759_152), (3, 30_221_028_411), (5, 176_274_840_801), (7, 348_652_774_361)],
        },
        zeta: 718_762_543_679_382_837,
        generator: 8_332_636_114_535_538_448,
    },
    Field {
        base: Level {
            modulus: Modulus::new(7_131_979_057_345_702_561),
            imaginary: 1_448_013_983_510_041_266,
            roots: &[
                (2, 323_777_550_843_145_563),
                (3, 3_892_647_300_184_640_841),
                (5, 2_546_160_875_926_039_201),
                (7, 125_655_552_169_141_684),
                (11, 928_914_753_210_507_821),
                (13, 7_000_198_083_126_927_334),
                (17, 6_281_839_028_040_823_710),
                (19, 4_523_723_166_904_583_218),
                (23, 6_048_728_067_804_011_211),
                (29, 181_999_690_464_253_467),
                (31, 557_819_853_542_804_293),
                (37, 5_299_610_506_354_885_412),
                (41, 4_544_089_816_937_233_387),
                (43, 5_182_767_573_214_459_189),
                (47, 6_535_036_686_068_309_066),
            ],
        },
        exponent: Level {
            modulus: Modulus::new(549_757_268_761),
            imaginary: 38_456_156_496,
            roots: &[(2, 185_163_466_444), (3, 544_974_930_895), (5, 82_080_206_559), (7, 72_014_629_429)],
        },
        zeta: 5_721_521_976_066_082_728,
        generator: 1_736_256_706_471_565_387,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constants_are_what_they_are_called() {
        for field in &FIELDS {
            for level in [&field.base, &field.exponent] {
                let modulus = &level.modulus;
                assert_eq!(modulus.mul(level.imaginary, level.imaginary), modulus.negative(modulus.one));
                for (prime, root) in level.roots {
                    assert_eq!(modulus.mul(*root, *root), modulus.residue(*prime));
                }
                assert_eq!(modulus.number(modulus.residue(12_345)), 12_345);
                assert_eq!(
                    modulus.mul(modulus.signed(-7), modulus.inverse(modulus.signed(-7)).unwrap()),
                    modulus.one
                );
            }
            let base = &field.base.modulus;
            assert_eq!(base.pow(field.generator, field.exponent.modulus.order), base.one);
            assert_ne!(field.generator, base.one);
            assert_eq!(base.pow(field.zeta, TURN / 4), field.base.imaginary);
            for prime in [2, 3, 5, 7, 11, 13] {
                assert_ne!(base.pow(field.zeta, TURN / prime), base.one);
            }
            // √2 = ζ₈ + ζ₈⁻¹ and √5 = 1 + 2ζ₅ + 2ζ₅⁻¹: the signs go with the roots of unity.
            let cosine =
                |n: u64| base.add(base.pow(field.zeta, TURN / n), base.pow(field.zeta, TURN - TURN / n));
            assert_eq!(field.base.roots[0], (2, cosine(8)));
            assert_eq!(field.base.roots[2], (5, base.add(base.one, base.mul(base.residue(2), cosine(5)))));
        }
    }
}
