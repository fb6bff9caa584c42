//! Logarithms in prime fields.
//!
//! A logarithm is a sum of the logarithms of primes, variables and whatever cannot be taken apart. Where
//! `ln E` is real, E is its own magnitude, so the logarithm of a product is that of the magnitudes.

use dashu::base::{Sign, UnsignedAbs};
use dashu::rational::RBig;

use super::affine::{Base, Fraction, content, primes};
use super::exact;
use super::expr::{Expr, Function};
use super::modular::Point;

/// A part of a logarithm: the logarithm of a base, or an expression itself.
#[derive(Clone, Debug)]
pub(super) enum Ln<'e> {
    /// The logarithm of e.
    One,
    Base(Base),
    Itself(&'e Expr),
}

/// A summand of a logarithm: what it is, a rational factor and at most one factor more.
pub(super) type Summand<'e> = (Ln<'e>, Fraction, Option<&'e Expr>);

impl Point<'_> {
    /// The value of `\ln` or `\log` in the base or in the field of exponents.
    pub(super) fn ln_call(&mut self, exponents: bool, function: Function, arguments: &[Expr]) -> Option<u64> {
        let modulus = if exponents { self.exponents() } else { self.base() };
        match (function, arguments) {
            (Function::Ln, [inner]) => self.ln(exponents, inner),
            (Function::Log, [base, inner]) => {
                let (top, bottom) = (self.ln(exponents, inner)?, self.ln(exponents, base)?);
                Some(modulus.mul(top, modulus.inverse(bottom)?))
            }
            _ => None,
        }
    }

    /// The value of a logarithm.
    pub(super) fn ln(&mut self, exponents: bool, expr: &Expr) -> Option<u64> {
        let mut parts = Vec::new();
        self.decompose(expr, Fraction::ONE, None, &mut parts)?;
        let modulus = if exponents { self.exponents() } else { self.base() };
        let mut sum = 0;
        for (part, times, by) in parts {
            let mut value = match part {
                Ln::One => modulus.one,
                Ln::Base(base) => self.ln_base(exponents, base),
                Ln::Itself(expr) => self.at(exponents, expr)?,
            };
            if let Some(by) = by {
                value = modulus.mul(value, self.at(exponents, by)?);
            }
            sum = modulus.add(sum, modulus.mul(value, Self::fraction_in(modulus, times)?));
        }
        Some(sum)
    }

    fn at(&mut self, exponents: bool, expr: &Expr) -> Option<u64> {
        if exponents { self.exponent(expr) } else { self.value(expr) }
    }

    /// The logarithm of a base.
    pub(super) fn ln_base(&mut self, exponents: bool, base: Base) -> u64 {
        self.opaque = true;
        let words = match base {
            Base::Prime(prime) => [0, prime],
            Base::Variable { root, .. } => [1, root],
            // Where ln E is real, E is its own magnitude.
            Base::Atom(value) | Base::Magnitude(value) => [2, self.canonical(value).0],
        };
        Self::named(if exponents { self.exponents() } else { self.base() }, 24, &words)
    }

    /// Writes a logarithm as a sum of others: parts, rational factors and at most one factor more.
    pub(super) fn decompose<'e>(
        &mut self,
        expr: &'e Expr,
        times: Fraction,
        by: Option<&'e Expr>,
        out: &mut Vec<Summand<'e>>,
    ) -> Option<()> {
        self.charge(1)?;
        if !matches!(expr, Expr::Number(_)) {
            self.domain = true;
        }
        let real = !self.strict();
        match expr {
            Expr::Number(n) if n.numerator().sign() == Sign::Positive && !n.is_zero() => {
                self.decompose_number(n, times, by, out)
            }
            Expr::Euler => {
                out.push((Ln::One, times, by));
                Some(())
            }
            Expr::Variable(name) if !self.is_bound(name) => {
                let (root, negative) = self.variable(name)?;
                self.signed = true;
                if negative {
                    // Not real, unless a complex logarithm is meant.
                    return None;
                }
                out.push((Ln::Base(Base::Variable { root, negative: false }), times, by));
                Some(())
            }
            Expr::Power(base, exponent) if real => match exact::value(exponent) {
                Some(exponent) => {
                    let exponent = Fraction::of(&exponent)?;
                    let times = times.mul(exponent)?;
                    if exponent.top % 2 == 0 {
                        return self.decompose_magnitude(base, times, by, out);
                    }
                    self.decompose(base, times, by, out)
                }
                None if by.is_none() && **base == Expr::Euler => {
                    out.push((Ln::Itself(exponent), times, None));
                    Some(())
                }
                None if by.is_none() => self.decompose(base, times, Some(exponent), out),
                None => self.decompose_atom(expr, times, by, out),
            },
            Expr::Root(degree, inner) if real => {
                self.decompose(inner, times.mul(Fraction { top: 1, bottom: i64::from(*degree) })?, by, out)
            }
            Expr::Call(Function::Abs, arguments) if real => match arguments.as_slice() {
                [inner] => self.decompose_magnitude(inner, times, by, out),
                _ => None,
            },
            Expr::Product(factors) if real => {
                // The product is positive, so its logarithm is that of the magnitudes; a single factor of
                // unknown sign has the sign of all the others.
                let mut negative = false;
                let mut open = 0;
                for factor in factors {
                    match factor {
                        Expr::Number(n) => negative ^= n.numerator().sign() == Sign::Negative,
                        Expr::Variable(name) => match self.variable(name) {
                            Some((_, sign)) => negative ^= sign,
                            None => open += 1,
                        },
                        Expr::Pi | Expr::Euler => {}
                        _ => open += 1,
                    }
                }
                self.signed = true;
                if open == 0 && negative {
                    return None;
                }
                for factor in factors {
                    match factor {
                        Expr::Number(_) | Expr::Variable(_) | Expr::Pi | Expr::Euler => {
                            self.decompose_magnitude(factor, times, by, out)?;
                        }
                        _ if open == 1 && !negative => self.decompose(factor, times, by, out)?,
                        _ => self.decompose_magnitude(factor, times, by, out)?,
                    }
                }
                Some(())
            }
            Expr::Sum(terms) if real => {
                let content = content(terms);
                self.decompose_fraction(content, times, by, out)?;
                let value = self.primitive(expr, content)?;
                out.push((Ln::Base(Base::Atom(value)), times, by));
                (value != 0).then_some(())
            }
            _ => self.decompose_atom(expr, times, by, out),
        }
    }

    fn decompose_fraction<'e>(
        &mut self,
        n: Fraction,
        times: Fraction,
        by: Option<&'e Expr>,
        out: &mut Vec<Summand<'e>>,
    ) -> Option<()> {
        self.decompose_number(&RBig::from_parts(n.top.into(), n.bottom.unsigned_abs().into()), times, by, out)
    }

    fn decompose_number<'e>(
        &mut self,
        n: &RBig,
        times: Fraction,
        by: Option<&'e Expr>,
        out: &mut Vec<Summand<'e>>,
    ) -> Option<()> {
        for (part, sign) in [(n.numerator().unsigned_abs(), 1), (n.denominator().clone(), -1)] {
            if part.is_one() {
                continue;
            }
            self.charge(20)?;
            if let Ok(small) = u64::try_from(&part) {
                for (prime, count) in primes(small) {
                    let times = times.mul(Fraction { top: sign * count, bottom: 1 })?;
                    out.push((Ln::Base(Base::Prime(prime)), times, by));
                }
            } else {
                let value = self.base().residue(part % self.base().order);
                let times = times.mul(Fraction { top: sign, bottom: 1 })?;
                out.push((Ln::Base(Base::Atom(value)), times, by));
            }
        }
        Some(())
    }

    fn decompose_atom<'e>(
        &mut self,
        expr: &Expr,
        times: Fraction,
        by: Option<&'e Expr>,
        out: &mut Vec<Summand<'e>>,
    ) -> Option<()> {
        let value = self.value(expr)?;
        if value == 0 {
            return None;
        }
        // Complex numbers of opposite signs have different logarithms.
        let value = if self.strict() { Self::named(self.base(), 25, &[value]) } else { value };
        out.push((Ln::Base(Base::Atom(value)), times, by));
        Some(())
    }

    /// The same for the logarithm of a magnitude.
    fn decompose_magnitude<'e>(
        &mut self,
        expr: &'e Expr,
        times: Fraction,
        by: Option<&'e Expr>,
        out: &mut Vec<Summand<'e>>,
    ) -> Option<()> {
        self.charge(1)?;
        match expr {
            Expr::Number(n) if !n.is_zero() => {
                let positive = if n.numerator().sign() == Sign::Negative { -n } else { n.clone() };
                self.decompose_number(&positive, times, by, out)
            }
            Expr::Variable(name) if !self.is_bound(name) => {
                let (root, _) = self.variable(name)?;
                self.signed = true;
                out.push((Ln::Base(Base::Variable { root, negative: false }), times, by));
                Some(())
            }
            Expr::Product(factors) => {
                factors.iter().try_for_each(|factor| self.decompose_magnitude(factor, times, by, out))
            }
            Expr::Power(base, exponent) => match exact::value(exponent).as_ref().and_then(Fraction::of) {
                Some(exponent) => self.decompose_magnitude(base, times.mul(exponent)?, by, out),
                None => self.decompose(expr, times, by, out),
            },
            Expr::Root(degree, inner) => {
                let times = times.mul(Fraction { top: 1, bottom: i64::from(*degree) })?;
                self.decompose_magnitude(inner, times, by, out)
            }
            Expr::Call(Function::Abs, arguments) => match arguments.as_slice() {
                [inner] => self.decompose_magnitude(inner, times, by, out),
                _ => None,
            },
            Expr::Sum(terms) => {
                let content = content(terms);
                self.decompose_fraction(content, times, by, out)?;
                let value = self.primitive(expr, content)?;
                out.push((Ln::Base(Base::Magnitude(self.canonical(value).0)), times, by));
                (value != 0).then_some(())
            }
            Expr::Pi | Expr::Euler => self.decompose(expr, times, by, out),
            other => {
                let value = self.value(other)?;
                out.push((Ln::Base(Base::Magnitude(self.canonical(value).0)), times, by));
                (value != 0).then_some(())
            }
        }
    }
}
