//! Polynomials in one variable with rational coefficients, and their real roots.
//!
//! A polynomial is kept up to a positive factor: its coefficients are whole and have no common divisor. That
//! keeps the signs of its values and its roots, which is all that is asked of it here. Roots are isolated by
//! Sturm's theorem on exact numbers (Sturm 1829; Basu, Pollack, Roy, "Algorithms in Real Algebraic Geometry",
//! chapter 2), so that what is found is proved.

#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::sync::Arc;

use dashu::base::{BitTest, Gcd, Sign, UnsignedAbs};
use dashu::integer::{IBig, UBig};
use dashu::rational::RBig;

/// The highest degree that is represented.
pub(super) const MAX_DEGREE: usize = 64;
/// The highest degree whose roots are isolated.
const MAX_ROOT_DEGREE: usize = 16;
/// The largest product of degree and bits of a coefficient whose roots are isolated.
const MAX_ROOT_SIZE: usize = 4096;
/// The most halvings of one interval.
const MAX_HALVINGS: usize = 256;

/// The steps that exact algebra may still take, in units of roughly a microsecond.
#[derive(Debug)]
pub(super) struct Work(u32);

impl Work {
    pub(super) const fn new(units: u32) -> Self {
        Self(units)
    }

    /// Takes a number of units, if there are as many.
    pub(super) fn burn(&mut self, units: usize) -> Option<()> {
        self.0 = self.0.checked_sub(u32::try_from(units).ok()?)?;
        Some(())
    }
}

/// The sign of a whole number as an order relative to zero.
fn sign(n: &IBig) -> Ordering {
    n.cmp(&IBig::ZERO)
}

/// A polynomial up to a positive factor, lowest coefficient first. The zero polynomial has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Polynomial {
    coefficients: Vec<IBig>,
}

impl Polynomial {
    /// The polynomial with these coefficients, lowest first, up to a positive factor. `None` above
    /// [`MAX_DEGREE`].
    pub(super) fn new(coefficients: &[RBig]) -> Option<Self> {
        if coefficients.len() > MAX_DEGREE + 1 {
            return None;
        }
        let mut common = UBig::ONE;
        for coefficient in coefficients {
            let divisor = coefficient.denominator().clone().gcd(&common);
            common = common * coefficient.denominator() / divisor;
        }
        let common = IBig::from(common);
        let whole = coefficients
            .iter()
            .map(|c| c.numerator() * (&common / IBig::from(c.denominator().clone())))
            .collect();
        Some(Self::primitive(whole))
    }

    /// Without leading zeros and without a common divisor of the coefficients.
    fn primitive(mut coefficients: Vec<IBig>) -> Self {
        while coefficients.last().is_some_and(IBig::is_zero) {
            coefficients.pop();
        }
        let mut divisor = UBig::ZERO;
        for coefficient in coefficients.iter().filter(|c| !c.is_zero()) {
            let size = coefficient.unsigned_abs();
            divisor = if divisor.is_zero() { size } else { divisor.gcd(&size) };
            if divisor.is_one() {
                break;
            }
        }
        if !divisor.is_zero() && !divisor.is_one() {
            let divisor = IBig::from(divisor);
            for coefficient in &mut coefficients {
                *coefficient = &*coefficient / &divisor;
            }
        }
        Self { coefficients }
    }

    pub(super) fn is_zero(&self) -> bool {
        self.coefficients.is_empty()
    }

    /// The degree; that of the zero polynomial counts as 0.
    pub(super) fn degree(&self) -> usize {
        self.coefficients.len().saturating_sub(1)
    }

    /// Lowest first, whole and without a common divisor.
    pub(super) fn coefficients(&self) -> &[IBig] {
        &self.coefficients
    }

    fn leading(&self) -> IBig {
        self.coefficients.last().cloned().unwrap_or(IBig::ZERO)
    }

    fn bits(&self) -> usize {
        self.coefficients.iter().map(BitTest::bit_len).max().unwrap_or(0)
    }

    /// What an evaluation or division step costs.
    fn cost(&self) -> usize {
        1 + self.coefficients.len() * (1 + self.bits() / 64) / 8
    }

    /// The sign of the value at `x`.
    pub(super) fn sign_at(&self, x: &RBig) -> Ordering {
        // Homogeneous, so that no fraction is ever reduced: c0 d^n + c1 t d^(n-1) + … + cn t^n.
        let (top, bottom) = (x.numerator(), IBig::from(x.denominator().clone()));
        let mut value = IBig::ZERO;
        let mut scale = IBig::ONE;
        for coefficient in self.coefficients.iter().rev() {
            value = value * top + coefficient * &scale;
            scale *= &bottom;
        }
        sign(&value)
    }

    fn derivative(&self) -> Self {
        let terms = self.coefficients.iter().enumerate().skip(1);
        Self::primitive(terms.map(|(n, c)| c * IBig::from(n)).collect())
    }

    /// A positive multiple of the remainder by `divisor`, which is not zero.
    fn remainder(&self, divisor: &Self, work: &mut Work) -> Option<Self> {
        let lead = divisor.leading();
        let size = IBig::from(lead.clone().unsigned_abs());
        let mut rest = self.coefficients.clone();
        while rest.len() >= divisor.coefficients.len() && !divisor.is_zero() {
            work.burn(divisor.cost())?;
            let top = rest.pop()?;
            let factor = if sign(&lead) == Ordering::Less { -top } else { top };
            let shift = rest.len() + 1 - divisor.coefficients.len();
            for coefficient in &mut rest {
                *coefficient *= &size;
            }
            let lower = divisor.coefficients.iter().take(divisor.degree());
            for (place, coefficient) in rest.iter_mut().skip(shift).zip(lower) {
                *place -= &factor * coefficient;
            }
        }
        work.burn(self.cost())?;
        Some(Self::primitive(rest))
    }

    fn negated(mut self) -> Self {
        for coefficient in &mut self.coefficients {
            *coefficient = -&*coefficient;
        }
        self
    }

    /// The greatest common divisor, with a positive leading coefficient.
    pub(super) fn gcd(&self, other: &Self, work: &mut Work) -> Option<Self> {
        let (mut a, mut b) = (self.clone(), other.clone());
        while !b.is_zero() {
            let rest = a.remainder(&b, work)?;
            a = b;
            b = rest;
        }
        Some(if sign(&a.leading()) == Ordering::Less { a.negated() } else { a })
    }

    /// The quotient by a divisor that leaves no remainder, up to a positive factor.
    fn quotient(&self, divisor: &Self, work: &mut Work) -> Option<Self> {
        let mut rest: Vec<RBig> = self.coefficients.iter().cloned().map(RBig::from).collect();
        let lead = RBig::from(divisor.leading());
        if lead.is_zero() {
            return None;
        }
        let mut quotient = Vec::new();
        while rest.len() >= divisor.coefficients.len() {
            work.burn(divisor.cost())?;
            let factor = rest.pop()? / &lead;
            let shift = rest.len() + 1 - divisor.coefficients.len();
            let lower = divisor.coefficients.iter().take(divisor.degree());
            for (place, coefficient) in rest.iter_mut().skip(shift).zip(lower) {
                *place -= &factor * RBig::from(coefficient.clone());
            }
            quotient.push(factor);
        }
        quotient.reverse();
        rest.iter().all(RBig::is_zero).then(|| Self::new(&quotient)).flatten()
    }

    /// The product of the distinct irreducible factors, with a positive leading coefficient.
    pub(super) fn square_free(&self, work: &mut Work) -> Option<Self> {
        let repeated = self.gcd(&self.derivative(), work)?;
        let simple = self.quotient(&repeated, work)?;
        Some(if sign(&simple.leading()) == Ordering::Less { simple.negated() } else { simple })
    }

    /// Without the factors that it shares with `other`, each as often as it occurs.
    pub(super) fn without(&self, other: &Self, work: &mut Work) -> Option<Self> {
        let mut rest = self.clone();
        loop {
            let shared = rest.gcd(other, work)?;
            if shared.degree() == 0 {
                return Some(rest);
            }
            rest = rest.quotient(&shared, work)?;
        }
    }

    /// The sequence of Sturm, for a polynomial without repeated factors.
    fn sturm(&self, work: &mut Work) -> Option<Vec<Self>> {
        let mut chain = vec![self.clone(), self.derivative()];
        while let [.., before, last] = chain.as_slice()
            && last.degree() > 0
        {
            let next = before.remainder(last, work)?.negated();
            if next.is_zero() {
                break;
            }
            chain.push(next);
        }
        Some(chain)
    }

    /// A power of two above the magnitude of every root (Cauchy).
    fn bound(&self) -> RBig {
        let lead = self.leading().bit_len();
        let exponent = (self.bits() + 2).saturating_sub(lead) + 1;
        RBig::from(IBig::ONE << exponent)
    }

    /// The distinct real roots in ascending order; `None` if there are too many bits or steps to tell.
    pub(super) fn roots(&self, work: &mut Work) -> Option<Vec<Root>> {
        if self.degree() > MAX_ROOT_DEGREE || self.degree() * self.bits() > MAX_ROOT_SIZE {
            return None;
        }
        if self.degree() == 0 {
            return (!self.is_zero()).then(Vec::new);
        }
        let simple = Arc::new(self.square_free(work)?);
        let chain = simple.sturm(work)?;
        let cost: usize = chain.iter().map(Self::cost).sum();
        let mut variations = |x: &RBig| -> Option<usize> {
            work.burn(cost)?;
            let signs = chain.iter().map(|p| p.sign_at(x)).filter(|s| s.is_ne());
            let (mut count, mut last) = (0, None);
            for sign in signs {
                count += usize::from(last.is_some_and(|last| last != sign));
                last = Some(sign);
            }
            Some(count)
        };
        let (low, high) = (-simple.bound(), simple.bound());
        let (at_low, at_high) = (variations(&low)?, variations(&high)?);
        let mut open = vec![(low, high, at_low, at_high)];
        let mut isolated = Vec::new();
        while let Some((low, high, at_low, at_high)) = open.pop() {
            match at_low.saturating_sub(at_high) {
                0 => {}
                1 => isolated.push((low, high)),
                _ => {
                    let middle = simple.between(&low, &high)?;
                    let at_middle = variations(&middle)?;
                    // The lower half is taken up first, so the roots come in order.
                    open.push((middle.clone(), high, at_middle, at_high));
                    open.push((low, middle, at_low, at_middle));
                }
            }
        }
        isolated.into_iter().map(|(low, high)| Root::new(&simple, low, high, work)).collect()
    }

    /// A point near the middle that is no root.
    fn between(&self, low: &RBig, high: &RBig) -> Option<RBig> {
        let width = high - low;
        (0..=self.coefficients.len()).find_map(|step| {
            let part =
                RBig::from_parts(IBig::from(step + 2), UBig::from(2 * step + 4 + usize::from(step > 0)));
            let point = low + &width * part;
            self.sign_at(&point).is_ne().then_some(point)
        })
    }
}

/// A real root of a polynomial.
#[derive(Clone, Debug)]
pub(super) enum Root {
    Rational(RBig),
    Algebraic(Algebraic),
}

/// The only root of a polynomial in an open interval, at whose ends the polynomial is not zero.
#[derive(Clone, Debug)]
pub(super) struct Algebraic {
    /// Without repeated factors.
    pub(super) polynomial: Arc<Polynomial>,
    pub(super) low: RBig,
    pub(super) high: RBig,
}

impl Root {
    /// The root in the interval, written out if it is rational with a denominator of moderate size.
    fn new(polynomial: &Arc<Polynomial>, low: RBig, high: RBig, work: &mut Work) -> Option<Self> {
        let mut root = Algebraic { polynomial: Arc::clone(polynomial), low, high };
        let lead = RBig::from(IBig::from(polynomial.leading().unsigned_abs()));
        if lead.numerator().bit_len() > 64 {
            return Some(Self::Algebraic(root));
        }
        // A rational root is a multiple of 1/lead, and the interval is made too short for two of them.
        for _ in 0..MAX_HALVINGS {
            if (&root.high - &root.low) * &lead < RBig::ONE {
                let candidate = RBig::from((&root.low * &lead).floor() + IBig::ONE) / &lead;
                let hit = candidate < root.high && polynomial.sign_at(&candidate).is_eq();
                return Some(if hit { Self::Rational(candidate) } else { Self::Algebraic(root) });
            }
            if let Some(exact) = root.halve(work)? {
                return Some(Self::Rational(exact));
            }
        }
        Some(Self::Algebraic(root))
    }
}

impl Algebraic {
    /// Halves the interval; the root itself if it is in the middle.
    #[expect(clippy::option_option, reason = "no steps left, or no root met")]
    fn halve(&mut self, work: &mut Work) -> Option<Option<RBig>> {
        work.burn(self.polynomial.cost())?;
        let middle = (&self.low + &self.high) / RBig::from(2);
        match self.side(&middle) {
            Ordering::Equal => return Some(Some(middle)),
            Ordering::Less => self.low = middle,
            Ordering::Greater => self.high = middle,
        }
        Some(None)
    }

    /// How a rational number lies to the root.
    pub(super) fn side(&self, x: &RBig) -> Ordering {
        if *x <= self.low {
            Ordering::Less
        } else if *x >= self.high {
            Ordering::Greater
        } else {
            match self.polynomial.sign_at(x) {
                Ordering::Equal => Ordering::Equal,
                sign if sign == self.polynomial.sign_at(&self.low) => Ordering::Less,
                _ => Ordering::Greater,
            }
        }
    }

    /// How this root lies to another; both intervals may shrink on the way.
    pub(super) fn order(&self, other: &Self, work: &mut Work) -> Option<Ordering> {
        let (mut a, mut b) = (self.clone(), other.clone());
        let shared = if a.polynomial == b.polynomial {
            (*a.polynomial).clone()
        } else {
            a.polynomial.gcd(&b.polynomial, work)?
        };
        for _ in 0..MAX_HALVINGS {
            if a.high <= b.low {
                return Some(Ordering::Less);
            }
            if b.high <= a.low {
                return Some(Ordering::Greater);
            }
            // A common root in both intervals is the only root of either there.
            if shared.degree() > 0 {
                let low = a.low.clone().max(b.low.clone());
                let high = a.high.clone().min(b.high.clone());
                let (at_low, at_high) = (shared.sign_at(&low), shared.sign_at(&high));
                if at_low.is_ne() && at_high.is_ne() && at_low != at_high {
                    return Some(Ordering::Equal);
                }
            }
            if let Some(exact) = a.halve(work)? {
                return Some(b.side(&exact));
            }
            if let Some(exact) = b.halve(work)? {
                return Some(a.side(&exact).reverse());
            }
        }
        None
    }

    /// A rational number at most `2^-bits` below and one at most as much above the root.
    #[cfg(test)]
    pub(super) fn narrowed(&self, bits: usize, work: &mut Work) -> Option<(RBig, RBig)> {
        let mut root = self.clone();
        let width = RBig::from_parts(IBig::ONE, UBig::ONE << bits);
        for _ in 0..MAX_HALVINGS {
            if &root.high - &root.low <= width {
                break;
            }
            if let Some(exact) = root.halve(work)? {
                return Some((exact.clone(), exact));
            }
        }
        Some((root.low, root.high))
    }
}

/// The sign of a rational as an order relative to zero.
pub(super) fn rational_sign(x: &RBig) -> Ordering {
    match x.numerator().sign() {
        _ if x.is_zero() => Ordering::Equal,
        Sign::Positive => Ordering::Greater,
        Sign::Negative => Ordering::Less,
    }
}
