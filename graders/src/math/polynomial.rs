//! Polynomials in one variable with rational coefficients, and their real roots.
//!
//! A polynomial is kept up to a positive factor: its coefficients are whole and have no common divisor. That
//! keeps the signs of its values and its roots, which is all that is asked of it here. Roots are isolated by
//! Sturm's theorem on exact numbers (Sturm 1829; Basu, Pollack, Roy, "Algorithms in Real Algebraic Geometry",
//! chapter 2), so that what is found is proved.

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
    /// Halves the interval, or finds the root in its middle.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn polynomial(coefficients: &[i64]) -> Polynomial {
        let rationals: Vec<RBig> = coefficients.iter().map(|c| RBig::from(*c)).collect();
        Polynomial::new(&rationals).expect("small")
    }

    fn product(factors: &[&[i64]]) -> Polynomial {
        let mut all = vec![1_i64];
        for factor in factors {
            let mut next = vec![0; all.len() + factor.len() - 1];
            for (i, a) in all.iter().enumerate() {
                for (j, b) in factor.iter().enumerate() {
                    next[i + j] += a * b;
                }
            }
            all = next;
        }
        polynomial(&all)
    }

    /// Midpoints of narrow enclosures of the roots.
    fn approximate(p: &Polynomial) -> Vec<f64> {
        let mut work = Work::new(100_000);
        let roots = p.roots(&mut work).expect("in reach");
        roots
            .iter()
            .map(|root| match root {
                Root::Rational(x) => x.to_f64().value(),
                Root::Algebraic(root) => {
                    let (low, high) = root.narrowed(60, &mut work).expect("in reach");
                    f64::midpoint(low.to_f64().value(), high.to_f64().value())
                }
            })
            .collect()
    }

    #[test]
    fn real_roots_are_found_once_and_in_order() {
        let rows: &[(&[&[i64]], &[f64])] = &[
            (&[&[6, -5, 1]], &[2.0, 3.0]),
            (&[&[1, 0, 1]], &[]),
            (&[&[-2, 0, 1]], &[-std::f64::consts::SQRT_2, std::f64::consts::SQRT_2]),
            (&[&[-1, 1], &[-1, 1], &[1, 2]], &[-0.5, 1.0]),
            (&[&[0, 1], &[0, 1], &[0, 1]], &[0.0]),
            (&[&[-1, 3], &[-1, 7], &[1, 11]], &[-1.0 / 11.0, 1.0 / 7.0, 1.0 / 3.0]),
            (&[&[-1, -1, 1]], &[-0.618_033_988_749_894_8, 1.618_033_988_749_895]),
            (&[&[-1, 1], &[-2, 1], &[-3, 1], &[-4, 1], &[-5, 1], &[-6, 1]], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
            (
                &[&[-2, 0, 1], &[-1000, 707]],
                &[-std::f64::consts::SQRT_2, std::f64::consts::SQRT_2, 1000.0 / 707.0],
            ),
        ];
        for (factors, expected) in rows {
            let found = approximate(&product(factors));
            assert_eq!(found.len(), expected.len(), "{factors:?}: {found:?}");
            for (found, expected) in found.iter().zip(*expected) {
                assert!((found - expected).abs() < 1e-12, "{factors:?}: {found} is not {expected}");
            }
        }
    }

    #[test]
    fn common_and_repeated_factors() {
        let work = &mut Work::new(100_000);
        let (a, b) = (product(&[&[-1, 1], &[1, 0, 1]]), product(&[&[-1, 1], &[-1, 1], &[5, 1]]));
        assert_eq!(a.gcd(&b, work), Some(polynomial(&[-1, 1])));
        assert_eq!(b.square_free(work), Some(product(&[&[-1, 1], &[5, 1]])));
        assert_eq!(b.without(&a, work), Some(polynomial(&[5, 1])));
        assert_eq!(polynomial(&[-4, 2]), polynomial(&[-2, 1]));
        assert_ne!(polynomial(&[4, -2]), polynomial(&[-2, 1]));
    }

    #[test]
    fn roots_of_different_polynomials_are_ordered() {
        let work = &mut Work::new(1_000_000);
        let golden = polynomial(&[-1, -1, 1]).roots(work).expect("two");
        let same = product(&[&[-1, -1, 1], &[-7, 0, 2]]).roots(work).expect("four");
        let order = |a: &Root, b: &Root, work: &mut Work| match (a, b) {
            (Root::Algebraic(a), Root::Algebraic(b)) => a.order(b, work),
            _ => None,
        };
        // -√3.5, (1-√5)/2, (1+√5)/2, √3.5
        let expected = [Ordering::Greater, Ordering::Equal, Ordering::Less, Ordering::Less];
        for (root, expected) in same.iter().zip(expected) {
            assert_eq!(order(&golden[0], root, work), Some(expected));
        }
        assert_eq!(order(&golden[1], &same[2], work), Some(Ordering::Equal));
    }

    #[test]
    fn too_much_is_refused() {
        let mut high = vec![0_i64; 40];
        high.push(1);
        high[0] = -1;
        assert!(polynomial(&high).roots(&mut Work::new(1_000_000)).is_none());
        assert!(polynomial(&[-2, 0, 0, 0, 0, 0, 0, 1]).roots(&mut Work::new(3)).is_none());
        assert!(Polynomial::new(&vec![RBig::ONE; MAX_DEGREE + 2]).is_none());
    }
}
