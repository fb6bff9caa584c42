//! Expressions as fractions of polynomials.
//!
//! An expression is multiplied out over the rationals as far as it is made by rational arithmetic; whatever
//! is not (`sin x`, `√x`, `π`, `f(x)`) is an indeterminate of its own. What is equal as such a polynomial
//! is equal; what differs may still be equal unless every indeterminate is a variable. Everything is
//! bounded.

use std::collections::BTreeMap;

use dashu::rational::RBig;

use super::exact;
use super::expr::{Expr, Function};
use super::multinomial::{MAX_BITS, Multinomial, trim};

/// The most products of terms in one multiplication.
const MAX_PRODUCTS: usize = 4_096;
/// The highest exponent of one indeterminate.
const MAX_EXPONENT: u16 = 64;
/// The most indeterminates.
const MAX_INDETERMINATES: usize = 24;
/// The most products of terms while one ring is in use.
const MAX_STEPS: usize = 8_000;

/// A fraction of polynomials. The denominator is a product of powers, so that factors can be cancelled.
#[derive(Clone, Debug)]
pub(super) struct Fraction {
    pub(super) numerator: Multinomial,
    pub(super) denominator: Vec<(Multinomial, u16)>,
}

impl Fraction {
    fn whole(numerator: Multinomial) -> Self {
        Self { numerator, denominator: Vec::new() }
    }
}

/// Where an expression has a real value.
#[derive(Clone, Debug)]
pub(super) enum Domain {
    NotZero(Multinomial),
    /// A radicand of an even degree.
    NotNegative(Fraction),
}

/// A radical among the indeterminates: its degree and radicand.
#[derive(Clone, Debug)]
pub(super) struct Radical {
    pub(super) index: usize,
    pub(super) degree: u32,
    pub(super) radicand: Fraction,
}

/// The indeterminates of some expressions, and what is known of them.
#[derive(Debug, Default)]
pub(super) struct Ring {
    indeterminates: Vec<Expr>,
    /// Indeterminates of which a power is a number: `√2`, `i`.
    reductions: Vec<(usize, u16, RBig)>,
    /// Radicals of what is no number, in the order in which they were met: none has a later one in it.
    pub(super) radicals: Vec<Radical>,
    /// What has to hold for the expressions read so far to have a value.
    pub(super) domain: Vec<Domain>,
    steps: usize,
}

impl Ring {
    /// The indeterminate of this index.
    pub(super) fn indeterminate(&self, index: usize) -> Option<&Expr> {
        self.indeterminates.get(index)
    }

    /// The index of a variable, if it has been met.
    pub(super) fn index_of(&self, name: &str) -> Option<usize> {
        self.indeterminates.iter().position(|it| matches!(it, Expr::Variable(own) if **own == *name))
    }

    /// Whether nothing but variables occurs.
    pub(super) fn is_pure(&self, polynomial: &Multinomial) -> bool {
        polynomial
            .support()
            .iter()
            .all(|index| matches!(self.indeterminates.get(*index), Some(Expr::Variable(_))))
    }

    fn index(&mut self, expr: &Expr) -> Option<usize> {
        if let Some(index) = self.indeterminates.iter().position(|it| it == expr) {
            return Some(index);
        }
        if self.indeterminates.len() >= MAX_INDETERMINATES {
            return None;
        }
        self.indeterminates.push(expr.clone());
        let index = self.indeterminates.len() - 1;
        match expr {
            Expr::Imaginary => self.reductions.push((index, 2, RBig::NEG_ONE)),
            Expr::Root(degree, inner) => {
                if let (Ok(degree), Some(value)) = (u16::try_from(*degree), exact::value(inner)) {
                    self.reductions.push((index, degree, value));
                }
            }
            _ => {}
        }
        Some(index)
    }

    fn opaque(&mut self, expr: &Expr) -> Option<Fraction> {
        Some(Fraction::whole(Multinomial::indeterminate(self.index(expr)?)))
    }

    pub(super) fn times(&mut self, a: &Multinomial, b: &Multinomial) -> Option<Multinomial> {
        let products = a.terms.len() * b.terms.len();
        self.steps += products;
        if products > MAX_PRODUCTS || self.steps > MAX_STEPS {
            return None;
        }
        let mut product = Multinomial::default();
        for (m, c) in &a.terms {
            for (n, d) in &b.terms {
                let (long, short) = if m.len() >= n.len() { (m, n) } else { (n, m) };
                let mut monomial = long.clone();
                for (place, exponent) in monomial.iter_mut().zip(short) {
                    *place += exponent;
                    if *place > MAX_EXPONENT {
                        return None;
                    }
                }
                let mut coefficient = c * d;
                for (index, degree, value) in &self.reductions {
                    while let Some(place) = monomial.get_mut(*index).filter(|place| **place >= *degree) {
                        *place -= degree;
                        coefficient *= value;
                    }
                }
                trim(&mut monomial);
                product.insert(&monomial, &coefficient)?;
            }
        }
        Some(product)
    }

    pub(super) fn power(&mut self, base: &Multinomial, exponent: u16) -> Option<Multinomial> {
        if exponent > MAX_EXPONENT {
            return None;
        }
        let mut result = Multinomial::constant(RBig::ONE);
        for _ in 0..exponent {
            result = self.times(&result, base)?;
        }
        Some(result)
    }

    /// The quotient, if there is no remainder.
    pub(super) fn quotient(&mut self, a: &Multinomial, b: &Multinomial) -> Option<Multinomial> {
        let (lead, leading) = b.terms.last_key_value()?;
        let mut rest = a.clone();
        let mut quotient = Multinomial::default();
        while let Some((monomial, coefficient)) = rest.terms.last_key_value() {
            self.steps += b.terms.len();
            if self.steps > MAX_STEPS || lead.len() > monomial.len() {
                return None;
            }
            let mut exponents = monomial.clone();
            for (place, exponent) in exponents.iter_mut().zip(lead) {
                *place = place.checked_sub(*exponent)?;
            }
            trim(&mut exponents);
            let factor = Multinomial { terms: BTreeMap::from([(exponents.clone(), coefficient / leading)]) };
            quotient.insert(&exponents, &(coefficient / leading))?;
            rest = rest.plus(&self.times(&factor, b)?.negated())?;
        }
        Some(quotient)
    }

    /// The product of the factors of a denominator, each as often as it counts.
    pub(super) fn multiplied(&mut self, factors: &[(Multinomial, u16)]) -> Option<Multinomial> {
        factors.iter().try_fold(Multinomial::constant(RBig::ONE), |product, (factor, exponent)| {
            let power = self.power(factor, *exponent)?;
            self.times(&product, &power)
        })
    }

    /// The difference of two expressions as a fraction.
    pub(super) fn difference(&mut self, left: &Expr, right: &Expr) -> Option<Fraction> {
        let (left, right) = (self.read(left)?, self.read(right)?);
        let right = Fraction { numerator: right.numerator.negated(), ..right };
        self.add(left, right)
    }

    fn add(&mut self, a: Fraction, b: Fraction) -> Option<Fraction> {
        if a.denominator.is_empty() && b.denominator.is_empty() {
            return Some(Fraction::whole(a.numerator.plus(&b.numerator)?));
        }
        let mut denominator = a.denominator.clone();
        for (factor, exponent) in &b.denominator {
            match denominator.iter_mut().find(|(own, _)| own == factor) {
                Some((_, own)) => *own = (*own).max(*exponent),
                None => denominator.push((factor.clone(), *exponent)),
            }
        }
        let mut numerator = Multinomial::default();
        for part in [a, b] {
            let mut missing = denominator.clone();
            for (factor, exponent) in &mut missing {
                let own = part.denominator.iter().find(|(own, _)| own == factor).map_or(0, |(_, n)| *n);
                *exponent -= own;
            }
            let scale = self.multiplied(&missing)?;
            numerator = numerator.plus(&self.times(&part.numerator, &scale)?)?;
        }
        Some(Fraction { numerator, denominator })
    }

    fn multiply(&mut self, a: Fraction, b: &Fraction) -> Option<Fraction> {
        let numerator = self.times(&a.numerator, &b.numerator)?;
        let mut denominator = a.denominator;
        for (factor, exponent) in &b.denominator {
            match denominator.iter_mut().find(|(own, _)| own == factor) {
                Some((_, own)) => *own = own.checked_add(*exponent).filter(|n| *n <= MAX_EXPONENT)?,
                None => denominator.push((factor.clone(), *exponent)),
            }
        }
        Some(Fraction { numerator, denominator })
    }

    /// One over a fraction, which must then not be zero.
    fn inverse(&mut self, of: &Fraction) -> Option<Fraction> {
        let numerator = self.multiplied(&of.denominator)?;
        if of.numerator.is_zero() {
            return None;
        }
        if let Some(value) = of.numerator.value() {
            return Some(Fraction::whole(numerator.scaled(&(RBig::ONE / value))));
        }
        self.domain.push(Domain::NotZero(of.numerator.clone()));
        Some(Fraction { numerator, denominator: vec![(of.numerator.clone(), 1)] })
    }

    /// The expression as a fraction. What it needs to have a value is added to [`Ring::domain`].
    pub(super) fn read(&mut self, expr: &Expr) -> Option<Fraction> {
        match expr {
            Expr::Number(n) => {
                (exact::bits(n) <= MAX_BITS).then(|| Fraction::whole(Multinomial::constant(n.clone())))
            }
            Expr::Infinity => None,
            Expr::Sum(terms) => {
                let mut sum = Fraction::whole(Multinomial::default());
                for term in terms {
                    let term = self.read(term)?;
                    sum = self.add(sum, term)?;
                }
                Some(sum)
            }
            Expr::Product(factors) => {
                let mut product = Fraction::whole(Multinomial::constant(RBig::ONE));
                for factor in factors {
                    let factor = self.read(factor)?;
                    product = self.multiply(product, &factor)?;
                }
                Some(product)
            }
            Expr::Power(base, exponent) => match exact::value(exponent) {
                Some(exponent) => self.rational_power(expr, base, &exponent),
                None => self.opaque(expr),
            },
            Expr::Root(degree, inner) => self.root(*degree, inner),
            Expr::Call(function, arguments) => match exact::value_of_call(*function, arguments) {
                Some(value) => self.read(&Expr::Number(value)),
                None => self.opaque(expr),
            },
            _ => self.opaque(expr),
        }
    }

    fn rational_power(&mut self, whole: &Expr, base: &Expr, exponent: &RBig) -> Option<Fraction> {
        let times = i64::try_from(exponent.numerator()).ok().filter(|n| n.unsigned_abs() <= 64)?;
        let degree = u32::try_from(exponent.denominator()).ok()?;
        let of = if degree == 1 {
            if let Some(value) = exact::value(whole) {
                return self.read(&Expr::Number(value));
            }
            self.read(base)?
        } else {
            self.root(degree, base)?
        };
        let of = if times < 0 { self.inverse(&of)? } else { of };
        if times == 0 && of.numerator.value().is_none() {
            // 0 to the 0 has no value.
            self.domain.push(Domain::NotZero(of.numerator.clone()));
        }
        let mut result = Fraction::whole(Multinomial::constant(RBig::ONE));
        for _ in 0..times.unsigned_abs() {
            result = self.multiply(result, &of)?;
        }
        Some(result)
    }

    fn root(&mut self, degree: u32, inner: &Expr) -> Option<Fraction> {
        let radical = Expr::Root(degree, Box::new(inner.clone()));
        if let Some(value) = exact::value(&radical) {
            return self.read(&Expr::Number(value));
        }
        if degree > 8 || exact::value(inner).is_some() {
            return self.opaque(&radical);
        }
        let radicand = self.read(inner)?;
        if let Some(value) = radicand.numerator.value().filter(|_| radicand.denominator.is_empty()) {
            return self.opaque(&Expr::Root(degree, Box::new(Expr::Number(value))));
        }
        if degree.is_multiple_of(2) {
            self.domain.push(Domain::NotNegative(radicand.clone()));
        }
        let index = self.index(&radical)?;
        if self.radicals.iter().all(|known| known.index != index) {
            self.radicals.push(Radical { index, degree, radicand });
        }
        Some(Fraction::whole(Multinomial::indeterminate(index)))
    }

    /// The fraction without the factors of its denominator that divide its numerator.
    pub(super) fn cancelled(&mut self, mut fraction: Fraction) -> Fraction {
        let mut denominator = Vec::new();
        for (factor, mut exponent) in std::mem::take(&mut fraction.denominator) {
            // A variable may stand in a factor as a power: x² against x is tried part by part.
            while exponent > 0 {
                let Some(quotient) = self.quotient(&fraction.numerator, &factor) else { break };
                fraction.numerator = quotient;
                exponent -= 1;
            }
            if exponent > 0 {
                denominator.push((factor, exponent));
            }
        }
        fraction.denominator = denominator;
        self.without_shared_powers(&mut fraction);
        fraction
    }

    /// Takes out the powers of single indeterminates that numerator and denominator share.
    fn without_shared_powers(&mut self, fraction: &mut Fraction) {
        let lowest = |polynomial: &Multinomial, index: usize| {
            polynomial.terms.keys().map(|m| m.get(index).copied().unwrap_or(0)).min().unwrap_or(0)
        };
        for index in fraction.numerator.support() {
            for (factor, exponent) in &mut fraction.denominator {
                let shared = lowest(&fraction.numerator, index).min(lowest(factor, index));
                if shared == 0 || *exponent != 1 {
                    continue;
                }
                let by = Multinomial::indeterminate(index);
                let Some(by) = self.power(&by, shared) else { continue };
                let parts = (self.quotient(&fraction.numerator, &by), self.quotient(factor, &by));
                if let (Some(top), Some(bottom)) = parts {
                    fraction.numerator = top;
                    *factor = bottom;
                }
            }
        }
    }

    /// The polynomial as an expression.
    pub(super) fn expr(&self, polynomial: &Multinomial) -> Option<Expr> {
        let mut terms = Vec::with_capacity(polynomial.terms.len());
        for (monomial, coefficient) in polynomial.terms.iter().rev() {
            let mut factors = Vec::new();
            if !coefficient.is_one() || monomial.is_empty() {
                factors.push(Expr::Number(coefficient.clone()));
            }
            for (index, exponent) in monomial.iter().enumerate().filter(|(_, n)| **n > 0) {
                let base = self.indeterminates.get(index)?.clone();
                factors.push(match exponent {
                    1 => base,
                    n => Expr::Power(Box::new(base), Box::new(Expr::integer(i64::from(*n)))),
                });
            }
            terms.push(Expr::product(factors));
        }
        Some(if terms.is_empty() { Expr::integer(0) } else { Expr::sum(terms) })
    }
}

/// Whether the expression is made by rational arithmetic alone, so that it has a value wherever no divisor
/// is zero.
pub(super) fn is_rational(expr: &Expr) -> bool {
    !expr.any(&|part| match part {
        Expr::Call(Function::Abs, _) | Expr::Root(..) | Expr::Apply(..) | Expr::Bound(_) => true,
        Expr::Power(_, exponent) => exact::value(exponent).is_none_or(|n| !n.is_int()),
        Expr::Call(function, arguments) => exact::value_of_call(*function, arguments).is_none(),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::super::expr::Value;
    use super::super::parser::parse;
    use super::*;

    fn expr(text: &str) -> Expr {
        match parse(text) {
            Some(Value::Expr(expr)) => expr,
            other => panic!("{text}: {other:?}"),
        }
    }

    fn same(a: &str, b: &str) -> bool {
        let mut ring = Ring::default();
        let difference = ring.difference(&expr(a), &expr(b)).expect("in reach");
        difference.numerator.is_zero()
    }

    #[test]
    fn equal_expressions_are_equal_polynomials() {
        let rows = [
            ("(x+y)^2", "x^2+2xy+y^2", true),
            ("(x+y)^2", "x^2+y^2", false),
            ("\\frac{1}{x}+\\frac{1}{y}", "\\frac{x+y}{xy}", true),
            ("(1+\\sqrt{2})^2", "3+2\\sqrt{2}", true),
            ("(1+i)^2", "2i", true),
            ("x^{-2}x^2", "1", true),
            ("\\frac{x^2-1}{x-1}", "x+1", true),
            ("\\sin x+\\sin x", "2\\sin x", true),
            ("(a+b)(a-b)(a^2+b^2)", "a^4-b^4", true),
            ("(\\sqrt[3]{5})^3", "5", true),
        ];
        for (a, b, expected) in rows {
            assert_eq!(same(a, b), expected, "{a} = {b}");
        }
    }

    #[test]
    fn factors_cancel() {
        let mut ring = Ring::default();
        let read = ring.difference(&expr("\\frac{x}{x}+\\frac{2y}{x}"), &expr("\\frac{7}{x}"));
        let cancelled = ring.cancelled(read.expect("in reach"));
        let plain = ring.difference(&expr("x+2y"), &expr("7")).expect("in reach");
        assert_eq!(cancelled.numerator, plain.numerator);
        assert_eq!(ring.domain.len(), 3);
    }

    #[test]
    fn division_leaves_no_remainder_or_fails() {
        let mut ring = Ring::default();
        let mut polynomial = |text: &str| ring.read(&expr(text)).expect("in reach").numerator;
        let (a, b, c) = (polynomial("x^3-y^3"), polynomial("x-y"), polynomial("x+y"));
        let quotient = polynomial("x^2+xy+y^2");
        assert_eq!(ring.quotient(&a, &b), Some(quotient));
        assert_eq!(ring.quotient(&a, &c), None);
    }

    #[test]
    fn too_much_is_refused() {
        for text in ["(a+b+c+d+e+f)^{40}", "(x+1)^{100000}", "(x+y)^{65}", "\\frac{1}{0}"] {
            assert!(parse(text).is_none_or(|value| match value {
                Value::Expr(expr) => Ring::default().read(&expr).is_none(),
                _ => false,
            }));
        }
    }
}
