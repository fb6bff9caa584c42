//! The part of an exponent that has a closed form of its own.
//!
//! `e^{x + iπ/3 + 2\ln y}` is `e^x · e^{iπ/3} · y^2`. The constant and the multiples of π and of logarithms are
//! told apart from the rest by a homomorphism: all else is sent to zero, and products of two of them too. So
//! it does not matter how the exponent is written.

use dashu::rational::RBig;

use super::expr::Expr;

/// A small fraction in lowest terms, with a positive denominator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fraction {
    pub(super) top: i64,
    pub(super) bottom: i64,
}

impl Fraction {
    pub(super) const ZERO: Self = Self { top: 0, bottom: 1 };
    pub(super) const ONE: Self = Self { top: 1, bottom: 1 };

    /// The quotient, if both parts are small enough in lowest terms.
    pub(super) fn new(top: i128, bottom: i128) -> Option<Self> {
        if bottom == 0 {
            return None;
        }
        let (mut a, mut b) = (top.unsigned_abs(), bottom.unsigned_abs());
        while b != 0 {
            (a, b) = (b, a % b);
        }
        let divisor = i128::try_from(a.max(1)).ok()? * bottom.signum();
        Some(Self { top: i64::try_from(top / divisor).ok()?, bottom: i64::try_from(bottom / divisor).ok()? })
    }

    pub(super) fn of(x: &RBig) -> Option<Self> {
        Some(Self { top: i64::try_from(x.numerator()).ok()?, bottom: i64::try_from(x.denominator()).ok()? })
    }

    pub(super) fn add(self, other: Self) -> Option<Self> {
        let top =
            i128::from(self.top) * i128::from(other.bottom) + i128::from(other.top) * i128::from(self.bottom);
        Self::new(top, i128::from(self.bottom) * i128::from(other.bottom))
    }

    pub(super) fn mul(self, other: Self) -> Option<Self> {
        let top = i128::from(self.top) * i128::from(other.top);
        Self::new(top, i128::from(self.bottom) * i128::from(other.bottom))
    }

    pub(super) fn negative(self) -> Option<Self> {
        Some(Self { top: self.top.checked_neg()?, bottom: self.bottom })
    }

    pub(super) const fn is_zero(self) -> bool {
        self.top == 0
    }

    pub(super) const fn is_integer(self) -> bool {
        self.bottom == 1
    }

    pub(super) const fn floor(self) -> i64 {
        self.top.div_euclid(self.bottom)
    }
}

/// A number with rational real and imaginary parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gauss {
    pub(super) re: Fraction,
    pub(super) im: Fraction,
}

impl Gauss {
    pub(super) const ZERO: Self = Self { re: Fraction::ZERO, im: Fraction::ZERO };
    pub(super) const ONE: Self = Self { re: Fraction::ONE, im: Fraction::ZERO };
    pub(super) const IMAGINARY: Self = Self { re: Fraction::ZERO, im: Fraction::ONE };

    pub(super) const fn real(re: Fraction) -> Self {
        Self { re, im: Fraction::ZERO }
    }

    pub(super) const fn is_zero(self) -> bool {
        self.re.is_zero() && self.im.is_zero()
    }

    fn add(self, other: Self) -> Option<Self> {
        Some(Self { re: self.re.add(other.re)?, im: self.im.add(other.im)? })
    }

    pub(super) fn mul(self, other: Self) -> Option<Self> {
        let re = self.re.mul(other.re)?.add(self.im.mul(other.im)?.negative()?)?;
        let im = self.re.mul(other.im)?.add(self.im.mul(other.re)?)?;
        Some(Self { re, im })
    }
}

/// What powers are taken of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Base {
    /// A prime number, or a whole number that was not taken apart.
    Prime(u64),
    /// A variable, by the residue that is the 2520th root of its magnitude, and whether it is negative.
    Variable { root: u64, negative: bool },
    /// Anything else, by its value.
    Atom(u64),
    /// The magnitude of anything else, by the smaller one of its value and its negative's.
    Magnitude(u64),
}

/// What an exponent is a linear form in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Pi,
    /// π times a variable that stands for a whole number of a known class; by the variable's tag and class.
    PiTimes(u64, u64),
    Ln(Base),
}

/// A constant and a linear form.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Affine {
    pub(super) constant: Gauss,
    pub(super) parts: Vec<(Part, Gauss)>,
    /// Variables of a known class, which count only as factors of π.
    pub(super) whole: Vec<(u64, u64, Gauss)>,
}

/// The most parts that are kept.
const MAX_PARTS: usize = 24;

impl Affine {
    pub(super) const fn constant(constant: Gauss) -> Self {
        Self { constant, parts: Vec::new(), whole: Vec::new() }
    }

    pub(super) fn part(part: Part) -> Self {
        Self { constant: Gauss::ZERO, parts: vec![(part, Gauss::ONE)], whole: Vec::new() }
    }

    pub(super) fn add(mut self, other: Self) -> Option<Self> {
        self.constant = self.constant.add(other.constant)?;
        for (part, factor) in other.parts {
            if let Some((_, sum)) = self.parts.iter_mut().find(|(known, _)| *known == part) {
                *sum = sum.add(factor)?;
            } else {
                self.parts.push((part, factor));
            }
        }
        for (tag, class, factor) in other.whole {
            if let Some((_, _, sum)) = self.whole.iter_mut().find(|(known, _, _)| *known == tag) {
                *sum = sum.add(factor)?;
            } else {
                self.whole.push((tag, class, factor));
            }
        }
        (self.parts.len() + self.whole.len() <= MAX_PARTS).then_some(self)
    }

    pub(super) fn scaled(mut self, by: Gauss) -> Option<Self> {
        if by.is_zero() {
            return Some(Self::constant(Gauss::ZERO));
        }
        self.constant = self.constant.mul(by)?;
        for (_, factor) in &mut self.parts {
            *factor = factor.mul(by)?;
        }
        for (_, _, factor) in &mut self.whole {
            *factor = factor.mul(by)?;
        }
        Some(self)
    }

    /// The product, without the products of two parts but for those of π and a variable.
    pub(super) fn mul(self, other: Self) -> Option<Self> {
        let pi =
            |form: &Self| form.parts.iter().find(|(part, _)| *part == Part::Pi).map(|(_, factor)| *factor);
        let mut turns = Vec::new();
        for (with_pi, with_whole) in [(&self, &other), (&other, &self)] {
            if let Some(pi) = pi(with_pi) {
                for (tag, class, factor) in &with_whole.whole {
                    turns.push((Part::PiTimes(*tag, *class), factor.mul(pi)?));
                }
            }
        }
        let turns = Self { constant: Gauss::ZERO, parts: turns, whole: Vec::new() };
        let (left, right) = (self.constant, other.constant);
        let product = left.mul(right)?;
        let mut sum = self.scaled(right)?.add(other.scaled(left)?)?.add(turns)?;
        // Both scalings have made the product of the constants.
        sum.constant = product;
        Some(sum)
    }

    /// Whether it is its constant alone.
    pub(super) fn is_constant(&self) -> bool {
        self.parts.iter().all(|(_, factor)| factor.is_zero())
            && self.whole.iter().all(|(_, _, c)| c.is_zero())
    }
}

/// The largest factor that is looked for in a number.
const MAX_FACTOR: u64 = 1_000;

/// The greatest rational number of which all coefficients of a sum are whole multiples.
pub(super) fn content(terms: &[Expr]) -> Fraction {
    let mut gcd: Option<(u64, u64)> = None;
    let common = |mut a: u64, mut b: u64| {
        while b != 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    for term in terms {
        let number = match term {
            Expr::Number(n) => Some(n),
            Expr::Product(factors) => match factors.first() {
                Some(Expr::Number(n)) => Some(n),
                _ => None,
            },
            _ => None,
        };
        let next = match number {
            Some(n) => match Fraction::of(n) {
                Some(n) if !n.is_zero() => (n.top.unsigned_abs(), n.bottom.unsigned_abs()),
                _ => return Fraction::ONE,
            },
            None => (1, 1),
        };
        gcd = Some(match gcd {
            None => next,
            Some((top, bottom)) => {
                let lcm = (bottom / common(bottom, next.1)).checked_mul(next.1);
                let Some(lcm) = lcm else { return Fraction::ONE };
                (common(top, next.0), lcm)
            }
        });
    }
    gcd.and_then(|(top, bottom)| Fraction::new(i128::from(top), i128::from(bottom))).unwrap_or(Fraction::ONE)
}

/// The primes of a whole number with their exponents; what has no small factor stands for a prime.
pub(super) fn primes(mut n: u64) -> Vec<(u64, i64)> {
    let mut out = Vec::new();
    let mut factor = 2;
    while factor <= MAX_FACTOR && factor * factor <= n {
        let mut count = 0;
        while n.is_multiple_of(factor) {
            n /= factor;
            count += 1;
        }
        if count > 0 {
            out.push((factor, count));
        }
        factor += if factor == 2 { 1 } else { 2 };
    }
    if n > 1 {
        let root = n.isqrt();
        out.push(if root * root == n { (root, 2) } else { (n, 1) });
    }
    out
}
