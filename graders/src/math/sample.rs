//! Points at which expressions are compared, and their values there at machine precision.

use dashu::base::{BitTest, UnsignedAbs};
use dashu::rational::RBig;

use super::calls::as_logarithm;
use super::exact;
use super::expr::{Expr, Function};
use super::fast::Fast;
use super::letters::is_complex;

/// The variables with a value for each.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    values: Vec<(Box<str>, Coordinate)>,
}

/// A number and a float that is it or next to it.
#[derive(Clone, Debug)]
pub(super) struct Coordinate {
    pub(super) exact: RBig,
    fast: Fast,
}

/// How points are chosen: the bounds of the magnitude as fractions of 64, and the signs.
struct Region {
    low: u64,
    high: u64,
    signs: Signs,
}

#[derive(Clone, Copy)]
enum Signs {
    Positive,
    Negative,
    Mixed,
    /// Bit by bit, set for negative.
    Pattern(u32),
}

const REGIONS: [Region; 8] = [
    Region { low: 4, high: 60, signs: Signs::Positive },
    Region { low: 70, high: 300, signs: Signs::Positive },
    Region { low: 4, high: 60, signs: Signs::Negative },
    Region { low: 70, high: 300, signs: Signs::Mixed },
    Region { low: 70, high: 300, signs: Signs::Negative },
    Region { low: 4, high: 60, signs: Signs::Mixed },
    Region { low: 3_000, high: 300_000, signs: Signs::Positive },
    Region { low: 1_000, high: 5_000, signs: Signs::Mixed },
];

/// The denominator of coordinates: a power of two, so that they are floats.
const STEPS: u64 = 4_096;
/// Variables of which every combination of signs is tried.
const MAX_PATTERNS: usize = 4;

fn scrambled(mut hash: u64) -> u64 {
    hash ^= hash >> 29;
    hash = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash ^ (hash >> 32)
}

impl Coordinate {
    fn new(numerator: i64, denominator: u64) -> Self {
        let fast = numerator as f64 / denominator as f64;
        let fast =
            if numerator.unsigned_abs() < 1 << 53 { Some(Fast::exact(fast)) } else { Fast::rounded(fast) };
        Self {
            exact: RBig::from_parts(numerator.into(), denominator.into()),
            fast: fast.unwrap_or(Fast::exact(0.0)),
        }
    }
}

impl Sample {
    /// The point without coordinates.
    pub(super) const fn empty() -> Self {
        Self { values: Vec::new() }
    }

    fn region(names: &[Box<str>], region: &Region, scale: u64) -> Self {
        let coordinate = |at: usize, name: &str| {
            let mut hash = 0xcbf2_9ce4_8422_2325 ^ region.low.wrapping_mul(31) ^ region.high;
            for byte in name.bytes() {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
            }
            let hash = scrambled(hash);
            // An odd numerator keeps the points away from whole numbers and halves.
            let magnitude = (region.low * 64 + hash % ((region.high - region.low) * 64)) | 1;
            let negative = match region.signs {
                Signs::Positive => false,
                Signs::Negative => true,
                Signs::Mixed => hash >> 63 == 1,
                Signs::Pattern(bits) => at < 32 && bits >> at & 1 == 1,
            };
            let numerator = i64::try_from(magnitude.saturating_mul(scale)).unwrap_or(1);
            Coordinate::new(if negative { -numerator } else { numerator }, STEPS)
        };
        Self {
            values: names.iter().enumerate().map(|(at, name)| (name.clone(), coordinate(at, name))).collect(),
        }
    }

    /// The points at which expressions of these variables are compared.
    pub(super) fn real(names: &[Box<str>]) -> Vec<Self> {
        if names.is_empty() {
            return vec![Self::empty()];
        }
        REGIONS.iter().map(|region| Self::region(names, region, 1)).collect()
    }

    /// Points with every combination of signs, or some where there are many variables.
    pub(super) fn signed(names: &[Box<str>]) -> Vec<Self> {
        let patterns: Vec<u32> = if names.len() <= MAX_PATTERNS {
            (0..1 << names.len()).collect()
        } else {
            (0..24_u64).map(|n| scrambled(n + 1) as u32).collect()
        };
        let point = |(at, bits): (usize, u32)| {
            let low = 20 + 7 * at as u64 % 50;
            Self::region(names, &Region { low, high: low + 200, signs: Signs::Pattern(bits) }, 1)
        };
        patterns.into_iter().enumerate().map(point).collect()
    }

    /// Points about as far out as the numbers that stand in the expressions and the products of two, for
    /// functions in pieces; none where those are too far out.
    pub(super) fn scaled(names: &[Box<str>], numbers: &[u64]) -> Option<Vec<Self>> {
        let mut scales = numbers.to_vec();
        for (at, a) in numbers.iter().enumerate() {
            for b in numbers.iter().skip(at) {
                scales.push(a.checked_mul(*b).filter(|product| *product <= MAX_SCALE)?);
            }
        }
        scales.sort_unstable();
        // Scales within a factor of four are covered by one.
        scales.dedup_by(|next, kept| *next <= kept.saturating_mul(4));
        let mut points = Vec::new();
        for scale in scales {
            for (low, high) in [(16, 62), (66, 130), (140, 400)] {
                for signs in [Signs::Positive, Signs::Negative, Signs::Mixed] {
                    points.push(Self::region(names, &Region { low, high, signs }, scale));
                }
            }
        }
        Some(points)
    }

    /// Points of whole numbers, with the first variables the larger ones.
    pub(super) fn whole(names: &[Box<str>]) -> Vec<Self> {
        let step = |point: i64, at: usize| {
            let falling = i64::try_from(names.len().saturating_sub(at)).unwrap_or(1);
            Coordinate::new(2 * point + 3 * falling, 1)
        };
        (0..8)
            .flat_map(|point| {
                let forward = names.iter().enumerate().map(|(at, name)| (name.clone(), step(point, at)));
                let backward = names.iter().enumerate();
                let backward = backward
                    .map(|(at, name)| (name.clone(), step(point, names.len().saturating_sub(at + 1))));
                [Self { values: forward.collect() }, Self { values: backward.collect() }]
            })
            .collect()
    }

    /// The value of a variable.
    pub(super) fn get(&self, name: &str) -> Option<&Coordinate> {
        self.values.iter().find(|(known, _)| **known == *name).map(|(_, coordinate)| coordinate)
    }

    /// The variables and their values, as text.
    pub(super) fn named(&self) -> Vec<(String, String)> {
        self.values.iter().map(|(name, value)| (name.to_string(), value.exact.to_string())).collect()
    }
}

/// The largest number near which points are chosen, and the most numbers that are considered.
const MAX_SCALE: u64 = 1 << 48;
const MAX_NUMBERS: usize = 8;

/// The magnitudes of the numbers in an expression; false where one is too large for points near it, or there
/// are too many.
pub(super) fn numbers(expr: &Expr, out: &mut Vec<u64>) -> bool {
    if let Some(n) = exact::value(expr) {
        for part in [n.numerator().unsigned_abs(), n.denominator().clone()] {
            let Some(part) = u64::try_from(&part).ok().filter(|part| *part <= MAX_SCALE) else {
                return false;
            };
            if part > 4 && !out.contains(&part) {
                out.push(part);
            }
        }
        return out.len() <= MAX_NUMBERS;
    }
    match expr {
        Expr::Power(base, exponent) => numbers(base, out) && numbers(exponent, out),
        other => other.children().iter().all(|part| numbers(part, out)),
    }
}

/// The most steps of one evaluation.
const MAX_STEPS: u32 = 20_000;

/// Evaluates at a point with machine precision.
pub(super) struct Eye<'a> {
    sample: &'a Sample,
    /// Whether numbers may be complex; else what is not real has no value.
    complex: bool,
    steps: u32,
}

impl<'a> Eye<'a> {
    pub(super) const fn new(sample: &'a Sample, complex: bool) -> Self {
        Self { sample, complex, steps: MAX_STEPS }
    }

    /// The steps that were taken.
    pub(super) const fn taken(&self) -> u32 {
        MAX_STEPS - self.steps
    }

    pub(super) fn value(&mut self, expr: &Expr) -> Option<Fast> {
        self.steps = self.steps.checked_sub(1)?;
        match expr {
            Expr::Number(n) => number(n),
            Expr::Pi => Fast::rounded(std::f64::consts::PI),
            Expr::Euler => Fast::rounded(std::f64::consts::E),
            Expr::Imaginary => self.complex.then_some(Fast::IMAGINARY),
            Expr::Infinity | Expr::Degree | Expr::Apply(..) | Expr::Bound(_) => None,
            Expr::Variable(name) => {
                let value = self.sample.get(name)?.fast;
                // Letters of complex numbers get an imaginary part where it matters.
                if self.complex && is_complex(name) {
                    return value.add(Fast::IMAGINARY.mul(value.mul(value)?.add(Fast::exact(1.0))?)?);
                }
                Some(value)
            }
            Expr::Sum(terms) => {
                let mut sum = Fast::exact(0.0);
                for term in terms {
                    sum = sum.add(self.value(term)?)?;
                }
                Some(sum)
            }
            Expr::Product(factors) => {
                let mut product = Fast::exact(1.0);
                for factor in factors {
                    product = product.mul(self.value(factor)?)?;
                }
                Some(product)
            }
            Expr::Power(base, exponent) => self.power(base, exponent),
            Expr::Root(degree, inner) => self.value(inner)?.root(*degree, self.complex),
            Expr::Call(function, arguments) => self.call(*function, arguments),
        }
    }

    fn power(&mut self, base: &Expr, exponent: &Expr) -> Option<Fast> {
        if let Some(exponent) = exact::value(exponent) {
            let degree = u32::try_from(exponent.denominator()).ok()?;
            let mut base = self.value(base)?;
            if degree != 1 {
                base = base.root(degree, self.complex)?;
            }
            return base.powi(i64::try_from(exponent.numerator()).ok()?);
        }
        let exponent = self.value(exponent)?;
        if matches!(base, Expr::Euler) {
            return exponent.exp();
        }
        let base = self.value(base)?;
        if let Some(whole) = exponent.whole()
            && self.sample.is_whole()
        {
            return base.powi(whole);
        }
        base.ln(self.complex)?.mul(exponent)?.exp()
    }

    fn call(&mut self, function: Function, arguments: &[Expr]) -> Option<Fast> {
        use Function as F;
        if let Some(exact) = exact::value_of_call(function, arguments) {
            return number(&exact);
        }
        let mut values = [Fast::exact(0.0); 2];
        if let [_, _, _, ..] = arguments {
            return self.many(function, arguments);
        }
        for (value, argument) in values.iter_mut().zip(arguments) {
            *value = self.value(argument)?;
        }
        let [x, y] = values;
        match (function, arguments.len()) {
            (F::Sin, 1) => Some(x.sin_cos()?.0),
            (F::Cos, 1) => Some(x.sin_cos()?.1),
            (F::Tan, 1) => x.sin_cos().and_then(|(sin, cos)| sin.div(cos)),
            (F::Cot, 1) => x.sin_cos().and_then(|(sin, cos)| cos.div(sin)),
            (F::Sec, 1) => x.sin_cos()?.1.inverse(),
            (F::Csc, 1) => x.sin_cos()?.0.inverse(),
            (F::Sinh, 1) => Some(x.sinh_cosh()?.0),
            (F::Cosh, 1) => Some(x.sinh_cosh()?.1),
            (F::Tanh, 1) => x.sinh_cosh().and_then(|(sinh, cosh)| sinh.div(cosh)),
            (F::Coth, 1) => x.sinh_cosh().and_then(|(sinh, cosh)| cosh.div(sinh)),
            (F::Sech, 1) => x.sinh_cosh()?.1.inverse(),
            (F::Csch, 1) => x.sinh_cosh()?.0.inverse(),
            (F::Arcsin, 1) => x.arcsin(),
            (F::Arccos, 1) => x.arccos(),
            (F::Arctan, 1) => x.arctan(),
            // For negative numbers two conventions are in use.
            (F::Arccot, 1) => x.sign().filter(|sign| *sign > 0.0).and_then(|_| x.inverse()?.arctan()),
            (F::Arcsec, 1) => x.inverse()?.arccos(),
            (F::Arccsc, 1) => x.inverse()?.arcsin(),
            (F::Arsinh | F::Arcosh | F::Artanh | F::Arcoth | F::Arsech | F::Arcsch, 1) => {
                self.value(&as_logarithm(function, arguments.first()?)?)
            }
            (F::Ln, 1) => x.ln(self.complex),
            (F::Log, 2) => y.ln(self.complex)?.div(x.ln(self.complex)?),
            (F::Abs, 1) => x.abs(),
            (F::Sign, 1) => x.sign().map(Fast::exact),
            (F::Re, 1) => Some(x.real_part()),
            (F::Im, 1) => Some(x.imaginary_part()),
            (F::Conjugate, 1) => Some(x.conjugate()),
            (F::Arg, 1) => x.argument(),
            (F::Floor, 1) => x.floor(),
            (F::Ceil, 1) => Some(x.negated().floor()?.negated()),
            (F::Min, 2) => Some(x.negated().max(y.negated())?.negated()),
            (F::Max, 2) => x.max(y),
            (F::Min | F::Max, 1) => Some(x),
            (F::Modulo, 2) => x.sub(y.mul(x.div(y)?.floor()?)?),
            (F::Factorial, 1) => factorial(x.whole()?),
            (F::Binomial, 2) => {
                let (n, k) = (x.whole()?, y.whole()?);
                if k < 0 || k > n {
                    return (n >= 0).then_some(Fast::exact(0.0));
                }
                factorial(n)?.div(factorial(k)?.mul(factorial(n - k)?)?)
            }
            _ => None,
        }
    }

    fn many(&mut self, function: Function, arguments: &[Expr]) -> Option<Fast> {
        let mut best: Option<Fast> = None;
        for argument in arguments {
            let value = self.value(argument)?;
            let value = if function == Function::Min { value.negated() } else { value };
            best = Some(match best {
                Some(best) => best.max(value)?,
                None => value,
            });
        }
        match function {
            Function::Min => Some(best?.negated()),
            Function::Max => best,
            _ => None,
        }
    }
}

impl Sample {
    fn is_whole(&self) -> bool {
        !self.values.is_empty() && self.values.iter().all(|(_, coordinate)| coordinate.exact.is_int())
    }
}

fn factorial(n: i64) -> Option<Fast> {
    if !(0..=170).contains(&n) {
        return None;
    }
    (2..=n).try_fold(Fast::exact(1.0), |product, k| product.mul(Fast::exact(k as f64)))
}

/// The float next to a rational number, if there is one.
fn number(n: &RBig) -> Option<Fast> {
    if n.is_int() && n.numerator().bit_len() <= 53 {
        return Some(Fast::exact(n.numerator().to_f64().value()));
    }
    let rounded = n.to_f64().value();
    // Below this the floats lose their precision, and far above their range.
    (rounded.abs() > 1e-290 && rounded.is_finite()).then(|| Fast::rounded(rounded))?
}
