//! The size of constants that no number format holds.
//!
//! A positive number is enclosed between two [`Level`]s: iterated powers of two, as in level-index
//! arithmetic (Clenshaw and Olver 1984). 9^{9^{9^9}} has one in a few steps, and nothing is expanded. Two
//! constants whose enclosures lie apart are different.

use dashu::base::{BitTest, Sign, UnsignedAbs};
use dashu::rational::RBig;

use super::expr::{Expr, Function};

/// `2^2^…^top` with so many twos; the top is below [`TOP`], and above ten bits where there is a two at all.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
struct Level {
    twos: u32,
    top: f64,
}

/// Numbers up to here are written out.
const TOP: f64 = 1e15;
/// What one operation may lose, relatively.
const SLACK: f64 = 1e-12;
/// The deepest nesting.
const MAX_DEPTH: u32 = 64;

impl Level {
    const ZERO: Self = Self { twos: 0, top: 0.0 };

    fn new(top: f64) -> Self {
        if top >= TOP { Self { twos: 1, top: top.log2() } } else { Self { twos: 0, top } }
    }

    fn widened(self, up: bool) -> Self {
        let slack = SLACK * self.top.abs() + 1e-290;
        Self { top: if up { self.top + slack } else { self.top - slack }, ..self }
    }

    /// The number itself, if it is written out.
    fn small(self) -> Option<f64> {
        (self.twos == 0).then_some(self.top)
    }

    /// Two to the power of it, for a number of any sign that is written out or a large one.
    fn exp2(self) -> Self {
        match self.small() {
            Some(top) if top < 49.0 => Self { twos: 0, top: top.exp2() },
            Some(top) => Self { twos: 1, top },
            None => Self { twos: self.twos + 1, top: self.top },
        }
    }

    /// The logarithm to base two; of zero, far below everything.
    fn log2(self) -> Self {
        match self.twos {
            0 => Self { twos: 0, top: self.top.max(1e-300).log2() },
            1 => Self::new(self.top),
            twos => Self { twos: twos - 1, top: self.top },
        }
    }

    fn add(self, other: Self) -> Self {
        let (high, low) = if self > other { (self, other) } else { (other, self) };
        match (high.small(), low.small()) {
            (Some(a), Some(b)) => Self::new(a + b),
            _ if high.twos == 1 && low.twos <= 1 => {
                let (a, b) = (high.log2().top, low.log2().top);
                Self { twos: 1, top: a + (b - a).exp2().ln_1p() / std::f64::consts::LN_2 }
            }
            // What is so much smaller does not count beside the slack.
            _ => high,
        }
    }

    /// The product of numbers of at least zero.
    fn mul(self, other: Self) -> Option<Self> {
        if let (Some(a), Some(b)) = (self.small(), other.small()) {
            return Some(Self::new(a * b));
        }
        let (a, b) = (self.log2(), other.log2());
        // A logarithm below zero only where the other number is far above one.
        let (high, low) = if a > b { (a, b) } else { (b, a) };
        if low.small().is_some_and(|low| low < 0.0) {
            return match high.small() {
                Some(high) => Some(Self { twos: 0, top: high + low.top }.exp2()),
                None => (low.top > -TOP).then(|| high.exp2()),
            };
        }
        Some(high.add(low).exp2())
    }
}

/// A positive number between two bounds.
#[derive(Clone, Copy, Debug)]
struct Range {
    low: Level,
    high: Level,
}

impl Range {
    fn new(low: Level, high: Level) -> Self {
        Self { low: low.widened(false), high: high.widened(true) }
    }

    fn number(n: &RBig) -> Option<Self> {
        if n.is_zero() {
            return Some(Self { low: Level::ZERO, high: Level::ZERO });
        }
        let (top, bottom) = (n.numerator().unsigned_abs(), n.denominator());
        let bits = |up: bool| {
            let of = |n: usize, up: bool| n as f64 - f64::from(u8::from(!up));
            of(top.bit_len(), up) - of(bottom.bit_len(), !up)
        };
        let value = n.to_f64().value().abs();
        if value.is_finite() && value > 1e-280 && value < 1e280 {
            return Some(Self::new(Level::new(value), Level::new(value)));
        }
        let exp2 = |bits: f64| Level { twos: 0, top: bits }.exp2();
        Some(Self::new(exp2(bits(false)), exp2(bits(true))))
    }

    /// The base-two logarithms of the bounds, where the number is at least one.
    fn log2(self) -> Option<Self> {
        (self.low >= Level { twos: 0, top: 1.0 }).then(|| Self::new(self.low.log2(), self.high.log2()))
    }

    fn exp2(self) -> Self {
        Self::new(self.low.exp2(), self.high.exp2())
    }

    fn mul(self, other: Self) -> Option<Self> {
        Some(Self::new(self.low.mul(other.low)?, self.high.mul(other.high)?))
    }
}

/// Whether the magnitudes of two constants show that they differ.
pub(super) fn differ(a: &Expr, b: &Expr) -> bool {
    let (Some((sign, x)), Some((other, y))) = (signed(a, 0), signed(b, 0)) else { return false };
    if x.high == Level::ZERO || y.high == Level::ZERO {
        return x.low > y.high || y.low > x.high;
    }
    if sign != other {
        return x.low > Level::ZERO && y.low > Level::ZERO;
    }
    x.low > y.high || y.low > x.high
}

/// The magnitude of a constant and whether it is negative.
fn signed(expr: &Expr, depth: u32) -> Option<(bool, Range)> {
    if depth > MAX_DEPTH {
        return None;
    }
    let inner = |expr: &Expr| signed(expr, depth + 1);
    let positive = |expr: &Expr| inner(expr).filter(|(negative, _)| !negative).map(|(_, range)| range);
    let constant = |value: f64| Range::new(Level::new(value), Level::new(value));
    Some(match expr {
        Expr::Number(n) => (n.numerator().sign() == Sign::Negative, Range::number(n)?),
        Expr::Pi => (false, constant(std::f64::consts::PI)),
        Expr::Euler => (false, constant(std::f64::consts::E)),
        Expr::Product(factors) => {
            let mut product = (false, constant(1.0));
            for factor in factors {
                let (negative, range) = inner(factor)?;
                product = (product.0 != negative, product.1.mul(range)?);
            }
            product
        }
        Expr::Sum(terms) => {
            // All terms of one sign, or one that outweighs the rest by far.
            let terms: Vec<(bool, Range)> = terms.iter().map(inner).collect::<Option<_>>()?;
            let (negative, first) = *terms
                .iter()
                .max_by(|(_, a), (_, b)| a.low.partial_cmp(&b.low).unwrap_or(std::cmp::Ordering::Equal))?;
            let mut with = Level::ZERO;
            let mut least = Level::ZERO;
            let mut against = Level::ZERO;
            for (sign, range) in &terms {
                if *sign == negative {
                    with = with.add(range.high);
                    least = least.add(range.low);
                } else {
                    against = against.add(range.high);
                }
            }
            if against == Level::ZERO {
                return Some((negative, Range::new(least, with)));
            }
            // Half of the largest term is left.
            let half = first.low.mul(Level { twos: 0, top: 0.5 })?;
            if half < against.widened(true) {
                return None;
            }
            (negative, Range::new(half, with))
        }
        Expr::Power(base, exponent) => {
            let base = positive(base)?;
            let (negative, exponent) = inner(exponent)?;
            if negative {
                return None;
            }
            (false, base.log2()?.mul(exponent)?.exp2())
        }
        Expr::Root(degree, inner) => {
            let part = Level { twos: 0, top: f64::from(*degree).recip() };
            (false, positive(inner)?.log2()?.mul(Range::new(part, part))?.exp2())
        }
        Expr::Call(Function::Abs, arguments) => (false, inner(arguments.first()?)?.1),
        Expr::Call(Function::Ln, arguments) => {
            (false, positive(arguments.first()?)?.log2()?.mul(constant(std::f64::consts::LN_2))?)
        }
        Expr::Call(Function::Log, arguments) => {
            let (base, argument) =
                (positive(arguments.first()?)?.log2()?, positive(arguments.get(1)?)?.log2()?);
            let inverse =
                |level: Level| level.small().filter(|top| *top > 1e-6).map(|top| Level::new(top.recip()));
            let range = Range::new(inverse(base.high)?, inverse(base.low)?);
            (false, argument.mul(range)?)
        }
        Expr::Call(Function::Factorial, arguments) => {
            // (n/e)^n ≤ n! ≤ 4n (n/e)^n.
            let n = positive(arguments.first()?)?;
            let log = n.log2()?;
            let shifted = |level: Level, up: bool| {
                let lower = |top: f64| Level { twos: 0, top: (top - std::f64::consts::LOG2_E).max(0.0) };
                level.small().map_or(level, lower).widened(up)
            };
            let low = n.low.mul(shifted(log.low, false))?;
            let high = n.high.mul(shifted(log.high, true))?.add(log.high).add(Level { twos: 0, top: 2.0 });
            (false, Range::new(low.exp2(), high.exp2()))
        }
        Expr::Call(Function::Binomial, arguments) => {
            // (n/k)^k ≤ C(n, k) ≤ n^k, for k up to n/2.
            let (n, k) = (positive(arguments.first()?)?, positive(arguments.get(1)?)?);
            let (bottom, top) = (k.high.small()?, n.low.small()?);
            if bottom * 2.0 > top || bottom < 1.0 {
                return None;
            }
            let ratio = Level { twos: 0, top: (top / bottom).log2() };
            let low = ratio.mul(k.low)?.exp2();
            (false, Range::new(low, n.high.log2().mul(k.high)?.exp2()))
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::expr::Value;
    use crate::math::parser::parse;

    fn expr(text: &str) -> Expr {
        match parse(text) {
            Some(Value::Expr(expr)) => expr,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn towers_are_told_apart() {
        for (a, b, differ_) in [
            ("9^{9^{9^9}}", "1", true),
            ("9^{9^{9^9}}", "9^{9^{9^8}}", true),
            ("9^{9^{9^9}}", "9^{9^{9^9}}+1", false),
            ("5^{5^{5^{5^5}}}", "5^{5^{5^{5^5}}-4}", false),
            ("2^{2^{100}}", "2^{2^{99}}", true),
            ("10^9!", "10^9", true),
            (r"(10^9)!", "1", true),
            (r"(10^9)!", "(10^9+1000)!", true),
            (r"\binom{10^{12}}{10^{11}}", "1", true),
            ("10^{100}", "10^{100}+1", false),
            ("-10^{1000}", "10^{1000}", true),
            ("10^{1000}", "0", true),
            (r"\ln(10^{10^{10}})", "10^{10}", true),
            (r"\sqrt{10^{10^{10}}}", "10^{10^{9}}", true),
            ("10^{10^{10}}-10^{10^9}", "7", true),
            ("10^{10^{10}}-10^{10^{10}}", "0", false),
        ] {
            assert_eq!(differ(&expr(a), &expr(b)), differ_, "{a} | {b}");
            assert_eq!(differ(&expr(b), &expr(a)), differ_, "{b} | {a}");
        }
    }
}
