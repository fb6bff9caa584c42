//! Expansions of a real function near a point from one side.
//!
//! With `s` the distance to the point (to a root, so that fractional powers become whole) and `L = ln s`, a
//! function is written as `e^P (Σ c s^k L^j + O(s^m))`, where `P` collects the terms that go to infinity. The
//! error is one up to powers of `L`. The coefficients are exact expressions; whether the leading one is zero
//! is asked of the comparison engine, and an answer that it does not know ends the expansion.

use dashu::base::Sign;

use super::super::exact;
use super::super::expr::Expr;
use super::tidy::{add, add2, is_zero, mul2, neg, number, one, pow};
use super::work::Work;

/// The order of the error of an exact zero.
const NEVER: i32 = 1_000_000;
/// The largest exponent of the variable or its logarithm.
const MAX_EXPONENT: i32 = 400;

/// The factor of one power of the variable: powers of the logarithm, highest first, with coefficients.
pub(super) type Factor = Vec<(i32, Expr)>;

/// A term of the part that goes to infinity: the exponents of `s` and `L`, and the coefficient.
type Polar = Vec<((i32, i32), Expr)>;

#[derive(Clone, Debug)]
pub(super) struct Series {
    /// Leading term first: lowest power of `s`, then highest of `L`.
    pub(super) polar: Polar,
    pub(super) low: i32,
    /// The factors of `s^low`, `s^(low + 1)` and so on. After them comes the error.
    pub(super) terms: Vec<Factor>,
}

/// `c s^k L^j (1 + v)`.
pub(super) struct Leading {
    pub(super) c: Expr,
    pub(super) k: i32,
    pub(super) j: i32,
    pub(super) v: Series,
}

impl Series {
    pub(super) fn zero() -> Self {
        Self { polar: Vec::new(), low: NEVER, terms: Vec::new() }
    }

    /// Something bounded about which nothing else is known.
    pub(super) fn bounded() -> Self {
        Self::error(0)
    }

    pub(super) fn error(low: i32) -> Self {
        Self { polar: Vec::new(), low, terms: Vec::new() }
    }

    fn is_exact_zero(&self) -> bool {
        self.low >= NEVER / 2 && self.terms.is_empty()
    }

    /// The power of `s` in the error.
    pub(super) fn order(&self) -> i32 {
        self.low + i32::try_from(self.terms.len()).unwrap_or(NEVER)
    }

    pub(super) fn monomial(c: Expr, k: i32, length: usize) -> Self {
        if is_zero(&c) {
            return Self::zero();
        }
        let mut terms = vec![Vec::new(); length];
        if let Some(first) = terms.first_mut() {
            first.push((0, c));
        }
        Self { polar: Vec::new(), low: k, terms }
    }

    /// Without terms that are plainly zero at the front.
    fn trimmed(mut self, length: usize) -> Self {
        let front = self.terms.iter().take_while(|factor| factor.is_empty()).count();
        if front > 0 && front < self.terms.len() {
            self.terms.drain(..front);
            self.low += i32::try_from(front).unwrap_or(0);
        }
        self.terms.truncate(length);
        self
    }

    pub(super) fn scaled(&self, by: &Expr) -> Self {
        if is_zero(by) {
            return Self::zero();
        }
        let factor = |f: &Factor| f.iter().map(|(j, c)| (*j, mul2(by.clone(), c.clone()))).collect();
        Self { polar: self.polar.clone(), low: self.low, terms: self.terms.iter().map(factor).collect() }
    }

    pub(super) fn negated(&self) -> Self {
        self.scaled(&Expr::integer(-1))
    }

    pub(super) fn factor_at(&self, k: i32) -> Option<&Factor> {
        self.terms.get(usize::try_from(k - self.low).ok()?)
    }
}

fn merged(a: &Factor, b: &Factor) -> Factor {
    let mut out = a.clone();
    for (j, c) in b {
        match out.iter_mut().find(|(other, _)| other == j) {
            Some((_, sum)) => *sum = add2(sum.clone(), c.clone()),
            None => out.push((*j, c.clone())),
        }
    }
    out.retain(|(_, c)| !is_zero(c));
    out.sort_by_key(|(j, _)| -j);
    out
}

/// Arithmetic on series of one length.
pub(super) struct Ring<'a> {
    pub(super) length: usize,
    pub(super) work: &'a mut Work,
}

impl Ring<'_> {
    pub(super) fn constant(&self, c: Expr) -> Series {
        Series::monomial(c, 0, self.length)
    }

    /// The same polar part with the zeros taken out.
    fn cleaned(&mut self, polar: Polar) -> Option<Polar> {
        let mut out: Polar = Vec::with_capacity(polar.len());
        for (key, c) in polar {
            match out.iter_mut().find(|(other, _)| *other == key) {
                Some((_, sum)) => *sum = add2(sum.clone(), c),
                None => out.push((key, c)),
            }
        }
        let mut kept = Vec::with_capacity(out.len());
        for (key, c) in out {
            if !self.work.is_zero(&c)? {
                kept.push((key, c));
            }
        }
        kept.sort_by_key(|((k, j), _)| (*k, -j));
        Some(kept)
    }

    /// The sign of the leading term of a polar part: whether it goes to plus or to minus infinity.
    pub(super) fn direction(&mut self, polar: &Polar) -> Option<Sign> {
        let ((_, j), c) = polar.first()?;
        let sign = self.work.sign(c)?;
        // L goes to minus infinity.
        Some(if j % 2 == 0 { sign } else { -sign })
    }

    pub(super) fn add(&mut self, a: &Series, b: &Series) -> Option<Series> {
        self.work.step(self.length)?;
        if a.is_exact_zero() {
            return Some(b.clone());
        }
        if b.is_exact_zero() {
            return Some(a.clone());
        }
        if a.polar != b.polar {
            let minus = b.polar.iter().map(|(key, c)| (*key, neg(c.clone())));
            let difference = self.cleaned(a.polar.iter().cloned().chain(minus).collect())?;
            if !difference.is_empty() {
                // The smaller one vanishes against every power of the variable.
                return Some(match self.direction(&difference)? {
                    Sign::Positive => a.clone(),
                    Sign::Negative => b.clone(),
                });
            }
        }
        let low = a.low.min(b.low);
        let order = a.order().min(b.order());
        let none = Vec::new();
        let mut terms = Vec::new();
        for k in low..order.min(low.saturating_add(MAX_EXPONENT)) {
            let (x, y) = (a.factor_at(k).unwrap_or(&none), b.factor_at(k).unwrap_or(&none));
            terms.push(merged(x, y));
        }
        let low = low.min(order);
        Some(Series { polar: a.polar.clone(), low, terms }.trimmed(self.length))
    }

    pub(super) fn sub(&mut self, a: &Series, b: &Series) -> Option<Series> {
        self.add(a, &b.negated())
    }

    pub(super) fn mul(&mut self, a: &Series, b: &Series) -> Option<Series> {
        if a.is_exact_zero() || b.is_exact_zero() {
            return Some(Series::zero());
        }
        let polar = if a.polar.is_empty() || b.polar.is_empty() {
            [a.polar.as_slice(), b.polar.as_slice()].concat()
        } else {
            self.cleaned([a.polar.as_slice(), b.polar.as_slice()].concat())?
        };
        let low = a.low + b.low;
        if low.abs() > MAX_EXPONENT {
            return None;
        }
        let length = a.terms.len().min(b.terms.len()).min(self.length);
        let mut sums: Vec<Vec<(i32, Vec<Expr>)>> = vec![Vec::new(); length];
        for (i, x) in a.terms.iter().enumerate().take(length) {
            for (j, y) in b.terms.iter().enumerate().take(length - i) {
                let Some(slot) = sums.get_mut(i + j) else { continue };
                for (m, c) in x {
                    for (n, d) in y {
                        self.work.step(3)?;
                        let product = mul2(c.clone(), d.clone());
                        match slot.iter_mut().find(|(other, _)| *other == m + n) {
                            Some((_, sum)) => sum.push(product),
                            None => slot.push((m + n, vec![product])),
                        }
                    }
                }
            }
        }
        let mut terms = Vec::with_capacity(length);
        for slot in sums {
            let mut factor: Factor = slot.into_iter().map(|(j, sum)| (j, add(sum))).collect();
            factor.retain(|(_, c)| !is_zero(c));
            factor.sort_by_key(|(j, _)| -j);
            let parts: usize = factor.iter().map(|(_, c)| super::tidy::size(c)).sum();
            self.work.step(parts / 4)?;
            terms.push(factor);
        }
        Some(Series { polar, low, terms }.trimmed(self.length))
    }

    /// The leading term. The first factor must be a single power of the logarithm.
    pub(super) fn leading(&mut self, a: &Series) -> Option<Leading> {
        let a = self.normal(a)?;
        let [(j, c)] = a.terms.first()?.as_slice() else { return None };
        let (j, c) = (*j, c.clone());
        let by = pow(c.clone(), Expr::integer(-1));
        let factor = |f: &Factor| f.iter().map(|(m, d)| (m - j, mul2(by.clone(), d.clone()))).collect();
        let mut terms: Vec<Factor> = a.terms.iter().skip(1).map(factor).collect();
        let front = terms.iter().take_while(|factor: &&Factor| factor.is_empty()).count();
        terms.drain(..front);
        let v = Series { polar: Vec::new(), low: 1 + i32::try_from(front).ok()?, terms };
        Some(Leading { c, k: a.low, j, v })
    }

    /// With a first factor that is not zero, and in it a first coefficient that is not.
    pub(super) fn normal(&mut self, a: &Series) -> Option<Series> {
        let mut a = a.clone();
        while let Some(first) = a.terms.first_mut() {
            while let Some((_, c)) = first.first() {
                if !self.work.is_zero(c)? {
                    break;
                }
                first.remove(0);
            }
            if !first.is_empty() {
                // The others decide whether the factor is a single power.
                let mut kept = Vec::with_capacity(first.len());
                for (at, (j, c)) in first.drain(..).enumerate() {
                    if at == 0 || !self.work.is_zero(&c)? {
                        kept.push((j, c));
                    }
                }
                *first = kept;
                break;
            }
            a.terms.remove(0);
            a.low += 1;
        }
        Some(a)
    }

    /// `Σ a_i v^i` for a series `v` that goes to zero.
    pub(super) fn compose(&mut self, a: &[Expr], v: &Series) -> Option<Series> {
        if v.low < 1 || !v.polar.is_empty() {
            return None;
        }
        let constant = |c: &Expr, length: usize| Series::monomial(c.clone(), 0, length);
        // Beyond the list come the powers that are left out.
        let left_out = i32::try_from(a.len()).ok()?.saturating_mul(v.low.min(MAX_EXPONENT));
        let mut out = Series::zero();
        for c in a.iter().rev() {
            out = self.mul(&out, v)?;
            out = self.add(&out, &constant(c, self.length))?;
        }
        if v.is_exact_zero() { Some(out) } else { self.add(&out, &Series::error(left_out)) }
    }

    /// A power with an exponent free of the variable.
    pub(super) fn power(&mut self, a: &Series, exponent: &Expr) -> Option<Series> {
        let value = exact::value(exponent);
        let whole = value.as_ref().and_then(|v| i32::try_from(exact::integer(v)?).ok());
        if let Some(n @ 1..=16) = whole {
            let mut out = a.clone();
            for _ in 1..n {
                out = self.mul(&out, a)?;
            }
            return Some(out);
        }
        if is_zero(exponent) {
            return Some(self.constant(one()));
        }
        let Leading { c, k, j, v } = self.leading(a)?;
        let moved = |k: i32| -> Option<i32> {
            if k == 0 {
                return Some(0);
            }
            let product = value.as_ref()? * dashu::rational::RBig::from(k);
            i32::try_from(exact::integer(&product)?).ok().filter(|k| k.abs() <= MAX_EXPONENT)
        };
        let (k, j) = (moved(k)?, moved(j)?);
        let c = if whole.is_some() { pow(c, exponent.clone()) } else { self.raised(c, exponent)? };
        let mut binomials = vec![one()];
        for i in 1..self.length {
            let top = add2(exponent.clone(), Expr::integer(1 - i64::try_from(i).ok()?));
            let last = binomials.last()?.clone();
            binomials.push(mul2(mul2(last, top), number(1, u32::try_from(i).ok()?)));
        }
        let mut out = self.compose(&binomials, &v)?.scaled(&c);
        out.low += k;
        for factor in &mut out.terms {
            for (power, _) in factor.iter_mut() {
                *power += j;
            }
        }
        if !a.polar.is_empty() {
            let scaled = a.polar.iter().map(|(key, c)| (*key, mul2(exponent.clone(), c.clone())));
            out.polar = scaled.collect();
        }
        Some(out)
    }

    /// A fractional power of a number: the real root, where there is one.
    fn raised(&mut self, c: Expr, exponent: &Expr) -> Option<Expr> {
        if self.work.maybe_positive(&c) {
            return Some(pow(c, exponent.clone()));
        }
        let exponent = exact::value(exponent)?;
        let even = |n: &dashu::integer::IBig| (n % 2_u8) == 0_u8;
        let bottom = dashu::integer::IBig::from(exponent.denominator().clone());
        if even(&bottom) || self.work.sign(&c)? == Sign::Positive {
            return None;
        }
        let odd = !even(exponent.numerator());
        let size = pow(neg(c), Expr::Number(exponent));
        Some(if odd { neg(size) } else { size })
    }

    pub(super) fn inverse(&mut self, a: &Series) -> Option<Series> {
        self.power(a, &Expr::integer(-1))
    }

    pub(super) fn exp(&mut self, a: &Series) -> Option<Series> {
        if !a.polar.is_empty() {
            // e^(e^(-∞)) = 1, up to something smaller than every power.
            return match self.direction(&a.polar)? {
                Sign::Negative => Some(self.constant(one())),
                Sign::Positive => None,
            };
        }
        if a.order() < 1 {
            return None;
        }
        let mut polar = Vec::new();
        let (mut shift, mut value) = (0, super::tidy::zero());
        for k in a.low.min(0)..=0 {
            for (j, c) in a.factor_at(k).map(Vec::as_slice).unwrap_or_default() {
                match (k, *j) {
                    (0, 0) => value = c.clone(),
                    (0, 1) => shift = i32::try_from(exact::integer(&exact::value(c)?)?).ok()?,
                    (0, ..0) => return None,
                    (k, j) => polar.push(((k, j), c.clone())),
                }
            }
        }
        if shift.abs() > MAX_EXPONENT {
            return None;
        }
        let skip = usize::try_from((1 - a.low).max(0)).ok()?;
        let v = Series {
            polar: Vec::new(),
            low: a.low.max(1),
            terms: a.terms.iter().skip(skip).cloned().collect(),
        };
        let mut out = self.compose(&reciprocal_factorials(self.length), &v)?;
        out = out.scaled(&super::tidy::exp(value));
        out.low += shift;
        out.polar = self.cleaned(polar)?;
        Some(out)
    }

    pub(super) fn ln(&mut self, a: &Series) -> Option<Series> {
        let Leading { c, k, j, v } = self.leading(a)?;
        if j != 0 || !self.work.maybe_positive(&c) {
            return None;
        }
        let mut logarithm = vec![super::tidy::zero()];
        for i in 1..self.length {
            let sign = if i % 2 == 1 { 1 } else { -1 };
            logarithm.push(number(sign, u32::try_from(i).ok()?));
        }
        let mut out = self.compose(&logarithm, &v)?;
        let mut first = self.constant(super::tidy::ln(c));
        if k != 0 {
            let mut log = self.constant(Expr::integer(i64::from(k)));
            for factor in &mut log.terms {
                for (power, _) in factor.iter_mut() {
                    *power = 1;
                }
            }
            first = self.add(&first, &log)?;
        }
        out = self.add(&out, &first)?;
        for ((k, j), c) in &a.polar {
            let mut term = Series::monomial(c.clone(), *k, self.length);
            if let Some((power, _)) = term.terms.first_mut().and_then(|factor| factor.first_mut()) {
                *power = *j;
            }
            out = self.add(&out, &term)?;
        }
        Some(out)
    }

    /// What a series goes to, if that is a number, and the rest that goes to zero.
    pub(super) fn value(&mut self, a: &Series) -> Option<(Expr, Series)> {
        if !a.polar.is_empty() {
            return match self.direction(&a.polar)? {
                Sign::Negative => {
                    Some((super::tidy::zero(), Series::error(i32::try_from(self.length).ok()?)))
                }
                Sign::Positive => None,
            };
        }
        let a = self.normal(a)?;
        if a.low > 0 {
            return Some((super::tidy::zero(), a));
        }
        let [(0, c)] = a.factor_at(0)?.as_slice() else { return None };
        if a.low < 0 {
            return None;
        }
        let v = Series { polar: Vec::new(), low: 1, terms: a.terms.get(1..)?.to_vec() };
        Some((c.clone(), v.trimmed(self.length)))
    }
}

/// `1/i!` for all `i` below the length.
pub(super) fn reciprocal_factorials(length: usize) -> Vec<Expr> {
    let mut out = vec![one()];
    for i in 1..length {
        let last = out.last().cloned().unwrap_or_else(one);
        out.push(mul2(last, number(1, u32::try_from(i).unwrap_or(1))));
    }
    out
}
