//! Complex numbers with a bound on their error.
//!
//! A [`Ball`] is a complex floating-point number and the base-2 logarithm of a bound on its distance from the
//! true value. Every operation adds what it rounds away, so a comparison of balls never takes a rounding error
//! for a difference, and knows how far an agreement can be trusted. The real functions are correctly rounded
//! by `dashu`; the complex ones are put together from them.

use std::cell::RefCell;

use dashu::base::{Approximation, BitTest, Sign, UnsignedAbs};
use dashu::float::round::mode::HalfEven;
use dashu::float::{ConstCache, Context, FBig, FpResult, Repr};
use dashu::integer::IBig;
use dashu::rational::RBig;

type Float = FBig<HalfEven, 2>;

/// The largest magnitude that is worked with, as a power of two either way.
const MAX_MAGNITUDE: f64 = 100_000.0;
/// The largest argument of a sine or cosine, as a power of two: a larger one needs as many digits of π.
const MAX_ANGLE: f64 = 512.0;
/// Constants of more bits than this are not kept.
const KEPT_PRECISION: f64 = 2048.0;
/// The largest whole exponent that is multiplied out.
const MAX_EXPONENT: u64 = 1 << 20;

/// A complex number known up to an error.
#[derive(Clone, Debug)]
pub(super) struct Ball {
    re: Float,
    im: Float,
    /// The logarithm to base 2 of the error's bound; negative infinity for none.
    error: f64,
}

/// How two balls lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Position {
    /// They have no point in common, so the values differ.
    Apart,
    /// They agree, to within the precision asked for.
    Together,
    /// They touch, but are too large to tell.
    Unclear,
}

/// log2(2^a + 2^b), rounded up.
fn either(a: f64, b: f64) -> f64 {
    let (high, low) = if a > b { (a, b) } else { (b, a) };
    if low == f64::NEG_INFINITY {
        high
    } else {
        high + (low - high).exp2().ln_1p() / std::f64::consts::LN_2 + 1e-9
    }
}

/// A power of two above the number; negative infinity for zero.
fn above(x: &Float) -> f64 {
    let repr = x.repr();
    if repr.significand().is_zero() {
        return f64::NEG_INFINITY;
    }
    repr.significand().bit_len() as f64 + repr.exponent() as f64
}

fn is_zero(x: &Float) -> bool {
    x.repr().significand().is_zero()
}

fn is_negative(x: &Float) -> bool {
    !is_zero(x) && x.repr().sign() == Sign::Negative
}

/// A number to so many significant digits, without zeros at the end.
fn decimal(x: &Float, digits: usize) -> String {
    let rounded = x.clone().with_base_and_precision::<10>(digits.max(1)).value();
    let (significand, exponent) = (rounded.repr().significand(), rounded.repr().exponent());
    let sign = if significand.sign() == Sign::Negative { "-" } else { "" };
    let written = significand.clone().unsigned_abs().to_string();
    // The place of the first digit, as a power of ten.
    let first = isize::try_from(written.len()).unwrap_or_default().saturating_add(exponent) - 1;
    let written = written.trim_end_matches('0');
    if written.is_empty() {
        return "0".to_owned();
    }
    match usize::try_from(first) {
        Ok(first) if first < digits.max(15) => {
            let padded = format!("{written:0<width$}", width = first + 1);
            let (whole, fraction) = padded.split_at(first + 1);
            if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
        }
        Err(_) if first >= -5 => {
            let zeros = "0".repeat(first.unsigned_abs() - 1);
            format!("{sign}0.{zeros}{written}")
        }
        _ => {
            let (whole, fraction) = written.split_at(1);
            let point = if fraction.is_empty() { "" } else { "." };
            format!("{sign}{whole}{point}{fraction}e{first}")
        }
    }
}

impl Ball {
    /// Whether it lies on the real line by construction, and not only within the error.
    pub(super) fn is_real(&self) -> bool {
        is_zero(&self.im)
    }

    /// The middle to so many significant digits, rounded, such as `0.5` or `1.25e30 - 2i`.
    pub(super) fn decimal(&self, digits: usize) -> String {
        let re = decimal(&self.re, digits);
        if self.is_real() {
            return re;
        }
        let im = match decimal(&self.im, digits) {
            one if one == "1" => "i".to_owned(),
            minus if minus == "-1" => "-i".to_owned(),
            other => format!("{other}i"),
        };
        if is_zero(&self.re) {
            return im;
        }
        match im.strip_prefix('-') {
            Some(im) => format!("{re} - {im}"),
            None => format!("{re} + {im}"),
        }
    }

    /// The sign, when it is real and certain.
    pub(super) fn sign(&self) -> Option<Sign> {
        (self.is_real() && !self.contains_zero()).then(|| self.re.repr().sign())
    }

    /// A power of two above the magnitude of the middle.
    fn above(&self) -> f64 {
        above(&self.re).max(above(&self.im)) + if self.is_real() { 0.0 } else { 0.5 }
    }

    /// A power of two that the magnitude of the middle reaches.
    fn below(&self) -> f64 {
        above(&self.re).max(above(&self.im)) - 1.0
    }

    /// The negative.
    pub(super) fn negated(&self) -> Self {
        Self { re: -self.re.clone(), im: -self.im.clone(), error: self.error }
    }

    /// The complex conjugate.
    pub(super) fn conjugate(&self) -> Self {
        Self { re: self.re.clone(), im: -self.im.clone(), error: self.error }
    }

    fn contains_zero(&self) -> bool {
        self.below() <= self.error || (is_zero(&self.re) && is_zero(&self.im))
    }
}

thread_local! {
    /// π and the like, which every comparison of a thread needs again.
    static CONSTANTS: RefCell<ConstCache> = const { RefCell::new(ConstCache::new()) };
}

impl Drop for Arithmetic {
    fn drop(&mut self) {
        if self.precision <= KEPT_PRECISION {
            CONSTANTS.set(std::mem::replace(&mut self.constants, ConstCache::new()));
        }
    }
}

/// Arithmetic on balls at one precision.
pub(super) struct Arithmetic {
    context: Context<HalfEven>,
    precision: f64,
    constants: ConstCache,
}

impl Arithmetic {
    pub(super) fn new(precision: usize) -> Self {
        let constants = CONSTANTS.take();
        Self { context: Context::new(precision), precision: precision as f64, constants }
    }

    /// The precision, in bits.
    pub(super) fn precision(&self) -> usize {
        self.context.precision()
    }

    /// The ball with this middle, its error increased by the rounding of the last operation.
    fn ball(&self, re: Float, im: Float, error: f64) -> Option<Ball> {
        if re.repr().is_infinite() || im.repr().is_infinite() {
            return None;
        }
        let mut ball = Ball { re, im, error };
        let size = ball.above();
        if size != f64::NEG_INFINITY {
            // Up to four roundings of half a unit go into a part, and there are two parts.
            ball.error = either(ball.error, size - self.precision + 3.0);
            if size.abs() > MAX_MAGNITUDE {
                return None;
            }
        }
        (ball.error < MAX_MAGNITUDE).then_some(ball)
    }

    fn real(&self, value: FpResult<Float>, error: f64) -> Option<Ball> {
        self.ball(value.ok()?.value(), self.zero(), error)
    }

    fn zero(&self) -> Float {
        Float::from_repr(Repr::zero(), self.context)
    }

    fn one(&self) -> Float {
        Float::from_repr(Repr::one(), self.context)
    }

    fn plus(&self, a: &Float, b: &Float) -> Option<Float> {
        self.context.add(a.repr(), b.repr()).ok().map(Approximation::value)
    }

    fn minus(&self, a: &Float, b: &Float) -> Option<Float> {
        self.context.sub(a.repr(), b.repr()).ok().map(Approximation::value)
    }

    fn times(&self, a: &Float, b: &Float) -> Option<Float> {
        if is_zero(a) || is_zero(b) {
            return Some(self.zero());
        }
        self.context.mul(a.repr(), b.repr()).ok().map(Approximation::value)
    }

    fn over(&self, a: &Float, b: &Float) -> Option<Float> {
        if is_zero(b) {
            return None;
        }
        self.context.div(a.repr(), b.repr()).ok().map(Approximation::value)
    }

    pub(super) fn rational(&self, x: &RBig) -> Option<Ball> {
        let re: Float = x.to_float(self.precision as usize).value();
        let exact = x.denominator().is_one() && x.numerator().bit_len() as f64 <= self.precision;
        if exact {
            return Some(Ball { re, im: self.zero(), error: f64::NEG_INFINITY });
        }
        self.ball(re, self.zero(), f64::NEG_INFINITY)
    }

    pub(super) fn integer(&self, n: i64) -> Option<Ball> {
        self.rational(&RBig::from(n))
    }

    pub(super) fn imaginary(&self) -> Ball {
        Ball { re: self.zero(), im: self.one(), error: f64::NEG_INFINITY }
    }

    pub(super) fn pi(&mut self) -> Option<Ball> {
        let pi = self.context.pi(Some(&mut self.constants)).value();
        self.ball(pi, self.zero(), f64::NEG_INFINITY)
    }

    pub(super) fn add(&self, a: &Ball, b: &Ball) -> Option<Ball> {
        self.ball(self.plus(&a.re, &b.re)?, self.plus(&a.im, &b.im)?, either(a.error, b.error))
    }

    pub(super) fn sub(&self, a: &Ball, b: &Ball) -> Option<Ball> {
        self.add(a, &b.negated())
    }

    pub(super) fn mul(&self, a: &Ball, b: &Ball) -> Option<Ball> {
        let error = either(either(a.error + b.above(), b.error + a.above()), a.error + b.error);
        // Zero times an error of any size is zero: the logarithms then add up to NaN.
        let error = if error.is_nan() { f64::NEG_INFINITY } else { error };
        if a.is_real() && b.is_real() {
            return self.ball(self.times(&a.re, &b.re)?, self.zero(), error);
        }
        let re = self.minus(&self.times(&a.re, &b.re)?, &self.times(&a.im, &b.im)?)?;
        let im = self.plus(&self.times(&a.re, &b.im)?, &self.times(&a.im, &b.re)?)?;
        // The two products of a part may be much larger than their difference.
        let rounding = a.above() + b.above() - self.precision + 2.0;
        self.ball(re, im, either(error, if rounding.is_nan() { f64::NEG_INFINITY } else { rounding }))
    }

    pub(super) fn inverse(&self, a: &Ball) -> Option<Ball> {
        if a.error >= a.below() - 1.0 || a.contains_zero() {
            return None;
        }
        // |1/a - 1/a'| = |a - a'| / |a a'|, and |a'| is at least half of |a|.
        let error = a.error - 2.0 * a.below() + 1.0;
        if a.is_real() {
            return self.ball(self.over(&self.one(), &a.re)?, self.zero(), error);
        }
        let norm = self.plus(&self.times(&a.re, &a.re)?, &self.times(&a.im, &a.im)?)?;
        self.ball(self.over(&a.re, &norm)?, self.over(&-a.im.clone(), &norm)?, error)
    }

    pub(super) fn div(&self, a: &Ball, b: &Ball) -> Option<Ball> {
        self.mul(a, &self.inverse(b)?)
    }

    pub(super) fn exp(&mut self, a: &Ball) -> Option<Ball> {
        // |e^d - 1| is at most 2|d| for |d| up to 1.
        if a.error > -1.0 || above(&a.re) > 17.0 || above(&a.im) > MAX_ANGLE {
            return None;
        }
        let scale = self.context.exp(a.re.repr(), Some(&mut self.constants)).ok()?.value();
        let error = above(&scale) + a.error + 1.0;
        if a.is_real() {
            return self.ball(scale, self.zero(), error);
        }
        let (sin, cos) = self.context.sin_cos(a.im.repr(), Some(&mut self.constants));
        let (sin, cos) = (sin.ok()?.value(), cos.ok()?.value());
        let error = either(error, above(&scale) - self.precision + 2.0);
        self.ball(self.times(&scale, &cos)?, self.times(&scale, &sin)?, error)
    }

    /// The principal logarithm.
    pub(super) fn ln(&mut self, a: &Ball) -> Option<Ball> {
        if a.error >= a.below() - 1.0 || a.contains_zero() {
            return None;
        }
        let error = a.error - a.below() + 1.0;
        if a.is_real() && !is_negative(&a.re) {
            let ln = self.context.ln(a.re.repr(), Some(&mut self.constants));
            return self.real(ln, error);
        }
        // Beside the cut along the negative axis an error decides between π and -π.
        if is_negative(&a.re) && !a.is_real() && above(&a.im) - 1.0 <= a.error {
            return None;
        }
        let size = self.magnitude(a)?;
        let re = self.context.ln(size.repr(), Some(&mut self.constants)).ok()?.value();
        let im = if a.is_real() {
            self.context.pi(Some(&mut self.constants)).value()
        } else {
            self.context.atan2(a.im.repr(), a.re.repr(), Some(&mut self.constants)).ok()?.value()
        };
        // The rounded magnitude is off by a few units, which the logarithm passes on.
        self.ball(re, im, either(error, 3.0 - self.precision))
    }

    fn magnitude(&self, a: &Ball) -> Option<Float> {
        if a.is_real() {
            return Some(if is_negative(&a.re) { -a.re.clone() } else { a.re.clone() });
        }
        let norm = self.plus(&self.times(&a.re, &a.re)?, &self.times(&a.im, &a.im)?)?;
        self.context.sqrt(norm.repr()).ok().map(Approximation::value)
    }

    /// So many digits of the middle.
    pub(super) fn text(a: &Ball, digits: usize) -> String {
        let part = |x: &Float| {
            let bits = digits * 4 + 16;
            let decimal = x.clone().with_precision(bits).value().with_base_and_precision::<10>(digits);
            decimal.value().to_string()
        };
        if a.is_real() { part(&a.re) } else { format!("{} + {}i", part(&a.re), part(&a.im)) }
    }

    /// The real and the imaginary part.
    pub(super) fn parts(&self, a: &Ball) -> (Ball, Ball) {
        let part = |x: &Float| Ball { re: x.clone(), im: self.zero(), error: a.error };
        (part(&a.re), part(&a.im))
    }

    pub(super) fn abs(&self, a: &Ball) -> Option<Ball> {
        self.ball(self.magnitude(a)?, self.zero(), a.error)
    }

    /// The root of this degree: the real one of a real number where there is one, else the principal one.
    pub(super) fn root(&mut self, a: &Ball, degree: u32) -> Option<Ball> {
        let n = f64::from(degree);
        if degree == 0 || degree > 1_000 {
            return None;
        }
        if a.contains_zero() {
            // |ⁿ√x| is at most the root of the bound on |x|.
            let bound = either(a.error, a.above());
            let bound = if a.is_real() && a.error == f64::NEG_INFINITY { bound } else { bound / n + 1.0 };
            return Some(Ball { re: self.zero(), im: self.zero(), error: bound });
        }
        if !a.is_real() || (is_negative(&a.re) && degree.is_multiple_of(2)) {
            if a.is_real() && degree == 2 {
                let root = self.root(&a.negated(), 2)?;
                return Some(Ball { re: self.zero(), im: root.re, error: root.error });
            }
            let ln = self.ln(a)?;
            let exponent = self.div(&ln, &self.integer(i64::from(degree))?)?;
            return self.exp(&exponent);
        }
        if a.error >= a.below() - 1.0 {
            return None;
        }
        let size = self.magnitude(a)?;
        let root = if degree == 2 {
            self.context.sqrt(size.repr())
        } else {
            self.context.nth_root(degree as usize, size.repr())
        };
        let root = root.ok()?.value();
        let root = if is_negative(&a.re) { -root } else { root };
        // The derivative is ⁿ√x / (n x); half of x is in reach of the error.
        self.ball(root.clone(), self.zero(), a.error + above(&root) - a.below() + 1.0 - n.log2())
    }

    /// A whole power.
    pub(super) fn powi(&self, a: &Ball, exponent: &IBig) -> Option<Ball> {
        let mut n = u64::try_from(&exponent.unsigned_abs()).ok().filter(|n| *n <= MAX_EXPONENT)?;
        // 0^0 has no value here; sampling must not give it one.
        if n == 0 && a.contains_zero() {
            return None;
        }
        let mut base = if exponent.sign() == Sign::Negative && n > 0 { self.inverse(a)? } else { a.clone() };
        let mut result = self.integer(1)?;
        while n > 0 {
            if n & 1 == 1 {
                result = self.mul(&result, &base)?;
            }
            n >>= 1;
            if n > 0 {
                base = self.mul(&base, &base)?;
            }
        }
        Some(result)
    }

    /// Any power, on the principal branch.
    pub(super) fn pow(&mut self, base: &Ball, exponent: &Ball) -> Option<Ball> {
        let ln = self.ln(base)?;
        let exponent = self.mul(&ln, exponent)?;
        self.exp(&exponent)
    }

    /// Sine and cosine.
    pub(super) fn sin_cos(&mut self, a: &Ball) -> Option<(Ball, Ball)> {
        if a.is_real() {
            if above(&a.re) > MAX_ANGLE {
                return None;
            }
            let (sin, cos) = self.context.sin_cos(a.re.repr(), Some(&mut self.constants));
            return Some((self.real(sin, a.error)?, self.real(cos, a.error)?));
        }
        let turned = self.mul(a, &self.imaginary())?;
        let (plus, minus) = (self.exp(&turned)?, self.exp(&turned.negated())?);
        let (half, i) = (self.rational(&RBig::from_parts(1.into(), 2_u8.into()))?, self.imaginary());
        let cos = self.mul(&self.add(&plus, &minus)?, &half)?;
        let sin = self.mul(&self.sub(&minus, &plus)?, &self.mul(&half, &i)?)?;
        Some((sin, cos))
    }

    /// The arctangent of a real number: that of the nearest float `y`, and the series of the small rest
    /// `arctan((x - tan y) / (1 + x tan y))`. The library's own takes five times as long.
    pub(super) fn arctan(&mut self, a: &Ball) -> Option<Ball> {
        if !a.is_real() {
            return None;
        }
        let middle = Ball { re: a.re.clone(), im: self.zero(), error: f64::NEG_INFINITY };
        let near = a.re.to_f64().value().atan();
        let near = Float::try_from(near).ok()?.with_precision(self.context.precision()).value();
        let near = Ball { re: near, im: self.zero(), error: f64::NEG_INFINITY };
        let (sin, cos) = self.sin_cos(&near)?;
        let top = self.sub(&self.mul(&middle, &cos)?, &sin)?;
        let rest = self.div(&top, &self.add(&cos, &self.mul(&middle, &sin)?)?)?;
        let square = self.mul(&rest, &rest)?.negated();
        let (mut sum, mut power, mut n) = (self.add(&near, &rest)?, rest, 1);
        loop {
            power = self.mul(&power, &square)?;
            n += 2;
            let size = power.above().max(power.error);
            if size < -self.precision || n > 200 {
                // The terms that are left out add up to less than twice the first of them.
                sum.error = either(either(sum.error, size + 1.0), a.error);
                return (size < -8.0).then_some(sum);
            }
            sum = self.add(&sum, &self.div(&power, &self.integer(n)?)?)?;
        }
    }

    pub(super) fn arcsin(&mut self, a: &Ball) -> Option<Ball> {
        let rest = self.sub(&self.integer(1)?, &self.mul(a, a)?)?;
        if rest.sign() == Some(Sign::Positive) {
            let leg = self.root(&rest, 2)?;
            let tangent = self.div(a, &leg)?;
            return self.arctan(&tangent);
        }
        let asin = a.is_real().then(|| self.context.asin(a.re.repr(), Some(&mut self.constants)))?;
        // |arcsin x - arcsin y| is at most π/√2 times √|x - y|.
        let error = a.error / 2.0 + 1.2;
        self.real(asin, error)
    }

    pub(super) fn arccos(&mut self, a: &Ball) -> Option<Ball> {
        let pi = self.pi()?;
        let right = self.mul(&pi, &self.rational(&RBig::from_parts(1.into(), 2_u8.into()))?)?;
        let arcsin = self.arcsin(a)?;
        self.sub(&right, &arcsin)
    }

    /// The largest whole number not above a real one, if the error leaves no doubt.
    pub(super) fn floor(&self, a: &Ball) -> Option<Ball> {
        if !a.is_real() || a.above() > self.precision {
            return None;
        }
        let floor = a.re.floor();
        let part = self.sub(a, &Ball { re: floor.clone(), im: self.zero(), error: f64::NEG_INFINITY })?;
        let rest = self.sub(&self.integer(1)?, &part)?;
        let exact = is_zero(&part.re) && a.error == f64::NEG_INFINITY;
        let certain = part.sign() == Some(Sign::Positive) && rest.sign() == Some(Sign::Positive);
        (exact || certain).then(|| Ball { re: floor, im: self.zero(), error: f64::NEG_INFINITY })
    }

    /// The greater of two real numbers.
    pub(super) fn max(&self, a: &Ball, b: &Ball) -> Option<Ball> {
        let difference = self.sub(a, b)?;
        if !difference.is_real() {
            return None;
        }
        match difference.sign() {
            Some(Sign::Positive) => Some(a.clone()),
            Some(Sign::Negative) => Some(b.clone()),
            // They are closer than their errors, so each is near the greater.
            None => Some(Ball { error: either(difference.error, a.error) + 1.0, ..a.clone() }),
        }
    }

    /// How the two lie. They agree when their distance is within the error, and that is below 2^-5p/8 of the
    /// larger one at the precision p (of 1, where both may be zero).
    pub(super) fn position(&self, a: &Ball, b: &Ball) -> Position {
        let Some(difference) = self.sub(a, b) else { return Position::Unclear };
        if !difference.contains_zero() {
            return Position::Apart;
        }
        let size = a.below().max(b.below());
        let scale = if a.contains_zero() && b.contains_zero() { 0.0 } else { size };
        if difference.error <= scale - self.precision * 0.625 {
            Position::Together
        } else {
            Position::Unclear
        }
    }
}

#[cfg(test)]
#[path = "ball_tests.rs"]
mod tests;
