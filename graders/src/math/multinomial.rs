//! Polynomials in several indeterminates with rational coefficients, bounded in terms, degree and bits.

use std::collections::BTreeMap;

use dashu::rational::RBig;

use super::exact;
use super::polynomial::Polynomial;

/// The most terms of a polynomial.
pub(super) const MAX_TERMS: usize = 512;
/// The most bits of a coefficient.
pub(super) const MAX_BITS: usize = 4096;

/// Exponents by indeterminate, without zeros at the end, so that the order is lexicographic.
pub(super) type Monomial = Vec<u16>;

/// A polynomial over the rationals: coefficients by monomial, none of them zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Multinomial {
    pub(super) terms: BTreeMap<Monomial, RBig>,
}

impl Multinomial {
    pub(super) fn constant(value: RBig) -> Self {
        let mut terms = BTreeMap::new();
        if !value.is_zero() {
            terms.insert(Vec::new(), value);
        }
        Self { terms }
    }

    pub(super) fn indeterminate(index: usize) -> Self {
        let mut monomial = vec![0; index];
        monomial.push(1);
        Self { terms: BTreeMap::from([(monomial, RBig::ONE)]) }
    }

    pub(super) fn is_zero(&self) -> bool {
        self.terms.is_empty()
    }

    /// The terms in ascending lexicographic order.
    pub(super) fn terms(&self) -> impl DoubleEndedIterator<Item = (&Monomial, &RBig)> {
        self.terms.iter()
    }

    /// The value, if it is a constant.
    pub(super) fn value(&self) -> Option<RBig> {
        match (self.terms.len(), self.terms.first_key_value()) {
            (0, _) => Some(RBig::ZERO),
            (1, Some((monomial, value))) if monomial.is_empty() => Some(value.clone()),
            _ => None,
        }
    }

    /// Whether the indeterminate of this index occurs.
    pub(super) fn has(&self, index: usize) -> bool {
        self.terms.keys().any(|monomial| monomial.get(index).is_some_and(|n| *n > 0))
    }

    /// The indices of the indeterminates that occur.
    pub(super) fn support(&self) -> Vec<usize> {
        let width = self.terms.keys().map(Vec::len).max().unwrap_or(0);
        (0..width).filter(|index| self.has(*index)).collect()
    }

    /// The highest total degree.
    pub(super) fn degree(&self) -> u32 {
        self.terms.keys().map(|m| m.iter().map(|n| u32::from(*n)).sum()).max().unwrap_or(0)
    }

    pub(super) fn negated(&self) -> Self {
        self.scaled(&RBig::NEG_ONE)
    }

    pub(super) fn scaled(&self, by: &RBig) -> Self {
        if by.is_zero() {
            return Self::default();
        }
        Self { terms: self.terms.iter().map(|(m, c)| (m.clone(), c * by)).collect() }
    }

    /// Adds a term; `None` if the polynomial becomes too large.
    pub(super) fn insert(&mut self, monomial: &Monomial, coefficient: &RBig) -> Option<()> {
        let place = self.terms.entry(monomial.clone()).or_insert(RBig::ZERO);
        *place += coefficient;
        if place.is_zero() {
            self.terms.remove(monomial);
        } else if exact::bits(place) > MAX_BITS {
            return None;
        }
        (self.terms.len() <= MAX_TERMS).then_some(())
    }

    pub(super) fn plus(&self, other: &Self) -> Option<Self> {
        let mut sum = self.clone();
        for (monomial, coefficient) in &other.terms {
            sum.insert(monomial, coefficient)?;
        }
        Some(sum)
    }

    /// The factor by which `self` is `other`, if it is a multiple of it by a number.
    pub(super) fn ratio(&self, other: &Self) -> Option<RBig> {
        let (top, bottom) = (self.terms.last_key_value()?, other.terms.last_key_value()?);
        if top.0 != bottom.0 || self.terms.len() != other.terms.len() {
            return None;
        }
        let ratio = top.1 / bottom.1;
        (*self == other.scaled(&ratio)).then_some(ratio)
    }

    /// Coefficients of the powers of one indeterminate, lowest first.
    pub(super) fn by_powers_of(&self, index: usize) -> Vec<Self> {
        let mut powers: Vec<Self> = Vec::new();
        for (monomial, coefficient) in &self.terms {
            let exponent = usize::from(monomial.get(index).copied().unwrap_or(0));
            if powers.len() <= exponent {
                powers.resize(exponent + 1, Self::default());
            }
            let mut rest = monomial.clone();
            if let Some(place) = rest.get_mut(index) {
                *place = 0;
            }
            trim(&mut rest);
            if let Some(power) = powers.get_mut(exponent) {
                power.terms.insert(rest, coefficient.clone());
            }
        }
        powers
    }

    /// As a polynomial in one indeterminate, up to a positive factor, if there is no other in it.
    pub(super) fn univariate(&self, index: usize) -> Option<Polynomial> {
        let powers = self.by_powers_of(index);
        let coefficients: Vec<RBig> = powers.iter().map(Self::value).collect::<Option<_>>()?;
        Polynomial::new(&coefficients)
    }
}

/// Takes the zeros at the end away.
pub(super) fn trim(monomial: &mut Monomial) {
    while monomial.last() == Some(&0) {
        monomial.pop();
    }
}

/// Whether a number is above zero.
pub(super) fn is_positive(x: &RBig) -> bool {
    *x > RBig::ZERO
}
