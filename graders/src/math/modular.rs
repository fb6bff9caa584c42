//! Identity testing modulo large primes.
//!
//! Two expressions of variables and rational arithmetic are equal if they agree at a random point modulo a
//! large prime, but for a chance of at most degree / 2^61 at each of two primes (Schwartz 1980, Zippel 1979),
//! and a disagreement proves them different. No number is ever written out, so a power of any height costs
//! sixty multiplications.
//!
//! The imaginary unit and square roots of whole numbers have their counterparts in the chosen fields.
//! Whatever else is not rational arithmetic, such as `sin x` or `\sqrt{x}`, takes part as one more variable, named by
//! the function and the values of its arguments. Agreement is then still proof of equality; a disagreement
//! proves nothing.

use dashu::base::{Sign, UnsignedAbs};
use dashu::integer::IBig;
use dashu::rational::RBig;

use super::exact;
use super::expr::{Expr, Function};

/// A prime field in which -1 and every prime below 50 are squares.
///
/// Sending the imaginary unit and each `√p` to the roots named here maps the numbers made of them to the field
/// and respects sums and products, and any choice of the roots is as good as another because the `√p` and `i`
/// are independent. So nested sums of square roots take part in the test as numbers and not as unknowns.
struct Field {
    /// The prime, just below 2^61.
    prime: u64,
    /// A square root of -1.
    imaginary: u64,
    /// Primes and a square root of each.
    roots: [(u64, u64); 15],
}

/// The two largest such primes below 2^61.
const FIELDS: [Field; 2] = [
    Field {
        prime: 2_305_843_009_213_245_121,
        imaginary: 827_023_950_881_031_126,
        roots: [
            (2, 1_985_826_511_168_620_718),
            (3, 1_116_553_044_231_032_126),
            (5, 45_140_675_686_599_530),
            (7, 980_175_392_781_082_838),
            (11, 1_388_541_117_091_330_796),
            (13, 1_305_648_054_690_694_607),
            (17, 1_166_084_974_901_435_407),
            (19, 191_901_901_086_679_521),
            (23, 10_487_519_397_592_379),
            (29, 404_034_219_211_850_549),
            (31, 776_784_678_838_983_769),
            (37, 1_092_741_617_497_190_973),
            (41, 1_172_473_157_954_709_251),
            (43, 423_204_227_996_188_470),
            (47, 1_858_076_885_727_736_286),
        ],
    },
    Field {
        prime: 2_305_843_009_209_384_649,
        imaginary: 1_325_435_998_016_630_600,
        roots: [
            (2, 1_527_569_684_885_856_481),
            (3, 647_584_475_184_508_815),
            (5, 415_025_663_605_100_546),
            (7, 1_371_014_472_376_149_215),
            (11, 822_520_839_832_982_241),
            (13, 1_842_587_249_775_256_023),
            (17, 2_250_704_458_397_887_169),
            (19, 2_160_720_543_198_810_670),
            (23, 2_056_039_134_065_701_858),
            (29, 484_192_809_211_149_776),
            (31, 782_547_127_925_650_896),
            (37, 944_971_062_994_461_034),
            (41, 1_767_646_134_083_644_037),
            (43, 2_085_201_947_028_731_674),
            (47, 1_701_704_361_137_968_388),
        ],
    },
];

/// The largest number whose factorial is multiplied out modulo a prime.
const MAX_FACTORIAL: u64 = 20_000;
/// The largest number whose square factors are looked for, and the largest factor tried.
const MAX_RADICAND: u64 = 1 << 40;
const MAX_RADICAL_FACTOR: u64 = 1_000;

/// What the test found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    Equal,
    Different,
    Unknown,
}

/// Compares two expressions.
pub(super) fn compare(a: &Expr, b: &Expr) -> Finding {
    for field in &FIELDS {
        let mut point = Point::new(field, 0);
        let (Some(x), Some(y)) = (point.value(a), point.value(b)) else { return Finding::Unknown };
        if x != y {
            // π alone, or e alone, is transcendental over the rationals and so as good as a variable; about
            // both together nothing is known.
            let bound = point.opaque || (point.pi && point.euler);
            return if bound { Finding::Unknown } else { Finding::Different };
        }
    }
    Finding::Equal
}

/// Whether two expressions are proportional: whether `f(x) g(y) = g(x) f(y)` at random points `x` and `y`.
pub(super) fn proportional(f: &Expr, g: &Expr) -> Finding {
    for field in &FIELDS {
        let (mut x, mut y) = (Point::new(field, 0), Point::new(field, 1));
        let values = (x.value(f), x.value(g), y.value(f), y.value(g));
        let (Some(fx), Some(gx), Some(fy), Some(gy)) = values else { return Finding::Unknown };
        if [fx, gx, fy, gy].contains(&0) {
            return Finding::Unknown;
        }
        if x.mul(fx, gy) != x.mul(gx, fy) {
            let bound = x.opaque || x.pi || x.euler;
            return if bound { Finding::Unknown } else { Finding::Different };
        }
    }
    Finding::Equal
}

/// Whether an expression takes different values at two random points. It may vary and not be seen to, if it
/// has no value there.
pub(super) fn varies(f: &Expr) -> bool {
    let [field, ..] = &FIELDS;
    let (x, y) = (Point::new(field, 0).value(f), Point::new(field, 1).value(f));
    x.is_some() && y.is_some() && x != y
}

/// The most elementary steps of one comparison at one prime.
const MAX_WORK: u32 = 100_000;

struct Point {
    field: &'static Field,
    prime: u64,
    /// Tells the points apart.
    salt: u64,
    pi: bool,
    euler: bool,
    opaque: bool,
    work: u32,
}

impl Point {
    const fn new(field: &'static Field, salt: u64) -> Self {
        Self { field, prime: field.prime, salt, pi: false, euler: false, opaque: false, work: MAX_WORK }
    }

    fn mul(&self, a: u64, b: u64) -> u64 {
        (u128::from(a) * u128::from(b) % u128::from(self.prime)) as u64
    }

    fn add(&self, a: u64, b: u64) -> u64 {
        (a + b) % self.prime
    }

    fn pow(&self, mut base: u64, mut exponent: u64) -> u64 {
        let mut result = 1;
        while exponent > 0 {
            if exponent & 1 == 1 {
                result = self.mul(result, base);
            }
            base = self.mul(base, base);
            exponent >>= 1;
        }
        result
    }

    fn inverse(&self, a: u64) -> Option<u64> {
        (a != 0).then(|| self.pow(a, self.prime - 2))
    }

    fn rational(&self, x: &RBig) -> Option<u64> {
        let top = x.numerator().unsigned_abs() % self.prime;
        let top = if x.numerator().sign() == Sign::Negative { (self.prime - top) % self.prime } else { top };
        if x.is_int() {
            return Some(top);
        }
        Some(self.mul(top, self.inverse(x.denominator() % self.prime)?))
    }

    /// A fixed pseudo-random element for a name: splitmix64 over the words, which mixes well enough for an
    /// identity test against text that was not written for it.
    fn named(&self, tag: u64, words: &[u64]) -> u64 {
        let mut state = 0x6a76_656c_6d61_7468 ^ tag.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for word in std::iter::once(&self.prime).chain(words) {
            state = (state ^ word).wrapping_add(0x9e37_79b9_7f4a_7c15);
            state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            state ^= state >> 31;
        }
        state % self.prime
    }

    fn unknown(&mut self, tag: u64, words: &[u64]) -> u64 {
        self.opaque = true;
        self.named(tag, words)
    }

    fn value(&mut self, expr: &Expr) -> Option<u64> {
        self.work = self.work.checked_sub(1)?;
        Some(match expr {
            Expr::Number(n) => self.rational(n)?,
            Expr::Pi => {
                self.pi = true;
                self.named(1, &[])
            }
            Expr::Euler => {
                self.euler = true;
                self.named(2, &[])
            }
            Expr::Imaginary => self.field.imaginary,
            Expr::Infinity => return None,
            Expr::Degree => self.unknown(4, &[]),
            Expr::Variable(name) => {
                let words: Vec<u64> = std::iter::once(self.salt).chain(name.chars().map(u64::from)).collect();
                self.named(5, &words)
            }
            Expr::Sum(terms) => {
                let mut sum = 0;
                for term in terms {
                    let term = self.value(term)?;
                    sum = self.add(sum, term);
                }
                sum
            }
            Expr::Product(factors) => {
                let mut product = 1;
                for factor in factors {
                    let factor = self.value(factor)?;
                    product = self.mul(product, factor);
                }
                product
            }
            Expr::Power(base, exponent) => self.power(base, exponent)?,
            Expr::Root(degree, inner) => self.root(u64::from(*degree), inner)?,
            Expr::Call(function, arguments) => self.call(*function, arguments)?,
            Expr::Apply(name, arguments) => {
                let mut words: Vec<u64> = name.chars().map(u64::from).collect();
                for argument in arguments {
                    words.push(self.value(argument)?);
                }
                self.unknown(11, &words)
            }
            Expr::Bound(_) => return None,
        })
    }

    fn power(&mut self, base: &Expr, exponent: &Expr) -> Option<u64> {
        if let Some(exponent) = exact::value(exponent) {
            let degree = u64::try_from(exponent.denominator()).ok()?;
            let base = if degree == 1 { self.value(base)? } else { self.root(degree, base)? };
            return self.integer_power(base, exponent.numerator());
        }
        // b^(x+y) = b^x b^y holds on the principal branch for every b but 0.
        if let Expr::Sum(terms) = exponent {
            let mut product = 1;
            for term in terms {
                let factor = self.power(base, term)?;
                product = self.mul(product, factor);
            }
            return Some(product);
        }
        let words = [self.value(base)?, self.value(exponent)?];
        Some(self.unknown(6, &words))
    }

    fn integer_power(&self, base: u64, exponent: &IBig) -> Option<u64> {
        if base == 0 {
            return (exponent.sign() == Sign::Positive && !exponent.is_zero()).then_some(0);
        }
        // Fermat: the exponent counts modulo p - 1.
        let reduced = exponent.unsigned_abs() % (self.prime - 1);
        let raised = self.pow(base, reduced);
        if exponent.sign() == Sign::Negative { self.inverse(raised) } else { Some(raised) }
    }

    fn root(&mut self, degree: u64, inner: &Expr) -> Option<u64> {
        let Some(exact) = exact::value(inner).filter(|x| !x.is_zero()) else {
            let words = [degree, self.value(inner)?];
            return Some(self.unknown(7, &words));
        };
        if exact.numerator().sign() == Sign::Positive {
            return self.radical(degree, &exact);
        }
        // The real root for an odd degree; for degree two the principal one.
        let positive = self.radical(degree, &-exact)?;
        match degree {
            2 => Some(self.mul(self.field.imaginary, positive)),
            odd if odd % 2 == 1 => Some((self.prime - positive) % self.prime),
            _ => {
                let words = [degree, positive];
                Some(self.unknown(10, &words))
            }
        }
    }

    /// The positive root of a positive rational.
    fn radical(&mut self, degree: u64, exact: &RBig) -> Option<u64> {
        // A radical of a rational is brought to the form c·ⁿ√m with whole m, so that √8 = 2√2.
        let (top, bottom) = (u64::try_from(exact.numerator()).ok(), u64::try_from(exact.denominator()).ok());
        let radicand = match (top, bottom) {
            (Some(top), Some(bottom)) if degree <= 64 => bottom
                .checked_pow(degree as u32 - 1)
                .and_then(|rest| top.checked_mul(rest))
                .filter(|n| *n <= MAX_RADICAND)
                .map(|n| (n, bottom)),
            _ => None,
        };
        let Some((mut radicand, bottom)) = radicand else {
            let words = [degree, self.rational(exact)?];
            return Some(self.unknown(7, &words));
        };
        let (mut outside, mut factor) = (1_u64, 2_u64);
        while factor <= MAX_RADICAL_FACTOR {
            match factor.checked_pow(degree as u32) {
                Some(power) if power <= radicand => {
                    while radicand % power == 0 {
                        radicand /= power;
                        outside *= factor;
                    }
                }
                _ => break,
            }
            factor += 1;
        }
        let mut root = 1;
        if degree == 2 {
            for (prime, square_root) in self.field.roots {
                if radicand % prime == 0 {
                    radicand /= prime;
                    root = self.mul(root, square_root);
                }
            }
        }
        if radicand != 1 {
            let unknown = self.unknown(8, &[degree, radicand]);
            root = self.mul(root, unknown);
        }
        Some(self.mul(self.mul(outside, root), self.inverse(bottom)?))
    }

    fn call(&mut self, function: Function, arguments: &[Expr]) -> Option<u64> {
        if let Some(exact) = exact::value_of_call(function, arguments) {
            return self.rational(&exact);
        }
        if let (Function::Factorial, [argument]) = (function, arguments)
            && let Some(n) = exact::value(argument)
        {
            let n = u64::try_from(exact::integer(&n)?).ok().filter(|n| *n <= MAX_FACTORIAL)?;
            self.work = self.work.checked_sub(n as u32)?;
            return Some((2..=n).fold(1, |product, k| self.mul(product, k)));
        }
        let mut words = vec![function as u64];
        for argument in arguments {
            words.push(self.value(argument)?);
        }
        Some(self.unknown(9, &words))
    }
}
