//! Exponentials in prime fields.
//!
//! `e^E` is a power of the generator, with the value of E among the exponents, times what the linear form of
//! E has in closed form: roots of unity for the rational multiples of iπ, and powers for the logarithms.

use dashu::base::Sign;

use super::affine::{Affine, Base, Fraction, Gauss, Part};
use super::exact;
use super::expr::{Expr, Function};
use super::field::TURN;
use super::logarithms::Ln;
use super::modular::Point;
use super::powers::Factors;

impl Point<'_> {
    /// Multiplies by a power with an exponent that is not rational.
    pub(super) fn push_symbolic(
        &mut self,
        out: &mut Factors,
        expr: &Expr,
        base: &Expr,
        exponent: &Expr,
        outer: Fraction,
    ) -> Option<()> {
        if self.strict() && !outer.is_integer() {
            return self.push_atom(out, expr, outer);
        }
        if matches!(base, Expr::Euler) {
            return self.push_exponential(out, exponent, Gauss::real(outer));
        }
        // b^{c \log_b u} is u^c.
        if let Some((argument, times)) = logarithm_to(base, exponent)
            && !self.strict()
        {
            return self.push(out, argument, times.mul(outer)?);
        }
        if let Some(number) = exact::value(base)
            && number.numerator().sign() == Sign::Negative
        {
            let turned = Expr::Product(vec![Expr::Imaginary, Expr::Pi, exponent.clone()]);
            self.push_exponential(out, &turned, Gauss::real(outer))?;
            return self.push_symbolic(out, expr, &Expr::Number(-number), exponent, outer);
        }
        self.charge(8)?;
        let constant = match self.affine(exponent) {
            Some(form) if form.constant.im.is_zero() => form.constant.re,
            _ => Fraction::ZERO,
        };
        let modulus = self.exponents();
        let value = self.exponent(exponent)?;
        let rest = modulus.sub(value, Self::fraction_in(modulus, constant)?);
        let ln = self.ln(true, base)?;
        let outer_value = Self::fraction_in(modulus, outer)?;
        let power = modulus.number(modulus.mul(modulus.mul(rest, ln), outer_value));
        self.opaque = true;
        out.residue = self.base().mul(out.residue, self.base().pow(self.field.generator, power));
        self.push(out, base, constant.mul(outer)?)
    }

    /// Multiplies by `e^{scale·exponent}`.
    pub(super) fn push_exponential(
        &mut self,
        out: &mut Factors,
        exponent: &Expr,
        scale: Gauss,
    ) -> Option<()> {
        // Two powers of forty to sixty squarings.
        self.charge(8)?;
        let modulus = self.exponents();
        let gauss = |number: Gauss| {
            let im = modulus.mul(Self::fraction_in(modulus, number.im)?, self.field.exponent.imaginary);
            Some(modulus.add(Self::fraction_in(modulus, number.re)?, im))
        };
        let mut rest = modulus.mul(self.exponent(exponent)?, gauss(scale)?);
        let pi = Self::named(modulus, 1, &[]);
        let form = self.affine(exponent).and_then(|form| form.scaled(scale));
        self.euler = true;
        self.opaque |= !form.as_ref().is_some_and(|form| {
            form.is_constant() && form.constant.im.is_zero() && rest == gauss(form.constant).unwrap_or(0)
        });
        for (part, factor) in form.into_iter().flat_map(|form| form.parts) {
            match part {
                Part::Pi | Part::PiTimes(..) => {
                    // e^{2πi n r} is a root of unity.
                    let (class, value) = match part {
                        Part::PiTimes(tag, class) => (class, Self::named(modulus, 7, &[tag])),
                        _ => (1, modulus.one),
                    };
                    let turn = Gauss { re: Fraction::ZERO, im: factor.im };
                    let whole_turn = 2 * factor.im.bottom.unsigned_abs();
                    let divides = match part {
                        Part::Pi => TURN.is_multiple_of(whole_turn),
                        _ => self.class_modulus().is_multiple_of(whole_turn),
                    };
                    if factor.im.is_zero() || !divides || factor.im.bottom > 1 << 20 {
                        continue;
                    }
                    let steps = i128::from(factor.im.top) * i128::from(class);
                    let steps = steps.rem_euclid(i128::from(whole_turn)) as u64 * (TURN / whole_turn);
                    out.residue = self.base().mul(out.residue, self.base().pow(self.field.zeta, steps));
                    rest = modulus.sub(rest, modulus.mul(modulus.mul(gauss(turn)?, pi), value));
                }
                Part::Ln(base) => {
                    if factor.re.is_zero() {
                        continue;
                    }
                    let ln = self.ln_base(true, base);
                    rest = modulus.sub(rest, modulus.mul(Self::fraction_in(modulus, factor.re)?, ln));
                    self.push_base(out, base, factor.re)?;
                }
            }
        }
        let power = self.base().pow(self.field.generator, modulus.number(rest));
        out.residue = self.base().mul(out.residue, power);
        Some(())
    }

    fn push_base(&mut self, out: &mut Factors, base: Base, exponent: Fraction) -> Option<()> {
        match base {
            Base::Atom(value) if exponent.is_integer() => self.multiply(out, value, exponent.top),
            _ => out.base(base, exponent),
        }
    }

    /// The linear form of an exponent, or none where its numbers are too large.
    fn affine(&mut self, expr: &Expr) -> Option<Affine> {
        self.charge(1)?;
        let zero = || Some(Affine::constant(Gauss::ZERO));
        match expr {
            Expr::Number(n) => Some(Affine::constant(Gauss::real(Fraction::of(n)?))),
            Expr::Pi => Some(Affine::part(Part::Pi)),
            Expr::Imaginary => Some(Affine::constant(Gauss::IMAGINARY)),
            Expr::Variable(name) => match self.class(name) {
                Some((class, _)) => {
                    let whole = vec![(self.tag(name), class, Gauss::ONE)];
                    Some(Affine { constant: Gauss::ZERO, parts: Vec::new(), whole })
                }
                None => zero(),
            },
            Expr::Sum(terms) => terms.iter().try_fold(Affine::constant(Gauss::ZERO), |sum, term| {
                let term = self.affine(term)?;
                sum.add(term)
            }),
            Expr::Product(factors) => {
                factors.iter().try_fold(Affine::constant(Gauss::ONE), |product, factor| {
                    let factor = self.affine(factor)?;
                    product.mul(factor)
                })
            }
            Expr::Call(Function::Ln, arguments) => match arguments.as_slice() {
                [inner] => self.affine_ln(inner),
                _ => None,
            },
            Expr::Call(Function::Log, arguments) => match arguments.as_slice() {
                [base, inner] => {
                    let (top, bottom) = (self.affine_ln(inner)?, self.affine_ln(base)?);
                    Some(quotient(&top, &bottom).unwrap_or(Affine::constant(Gauss::ZERO)))
                }
                _ => None,
            },
            Expr::Euler | Expr::Infinity | Expr::Apply(..) | Expr::Bound(_) => zero(),
            other => match exact::value(other) {
                Some(exact) => Some(Affine::constant(Gauss::real(Fraction::of(&exact)?))),
                None => zero(),
            },
        }
    }

    fn affine_ln(&mut self, expr: &Expr) -> Option<Affine> {
        let mut parts = Vec::new();
        self.decompose(expr, Fraction::ONE, None, &mut parts)?;
        let mut sum = Affine::constant(Gauss::ZERO);
        for (part, times, by) in parts {
            let form = match part {
                Ln::One => Affine::constant(Gauss::ONE),
                Ln::Base(base) => Affine::part(Part::Ln(base)),
                Ln::Itself(expr) => self.affine(expr)?,
            };
            let form = match by {
                Some(by) => self.affine(by)?.mul(form)?,
                None => form,
            };
            sum = sum.add(form.scaled(Gauss::real(times))?)?;
        }
        Some(sum)
    }

    /// The constant term of an expression, where it is real.
    pub(super) fn constant_of(&mut self, expr: &Expr) -> Option<Fraction> {
        self.affine(expr).map(|form| form.constant).filter(|constant| constant.im.is_zero()).map(|c| c.re)
    }
}

/// The argument and factor of an exponent that is a logarithm to this base, times a rational number.
fn logarithm_to<'e>(base: &Expr, exponent: &'e Expr) -> Option<(&'e Expr, Fraction)> {
    let argument = |expr: &'e Expr| match expr {
        Expr::Call(Function::Log, arguments) => match arguments.as_slice() {
            [known, argument] if known == base => Some(argument),
            _ => None,
        },
        _ => None,
    };
    if let Expr::Product(factors) = exponent {
        let mut found = None;
        let mut times = Fraction::ONE;
        for factor in factors {
            match (argument(factor), &found) {
                (Some(argument), None) => found = Some(argument),
                _ => times = times.mul(Fraction::of(&exact::value(factor)?)?)?,
            }
        }
        return Some((found?, times));
    }
    Some((argument(exponent)?, Fraction::ONE))
}

/// The rational number that one logarithm is of another, where both are of one base.
fn quotient(top: &Affine, bottom: &Affine) -> Option<Affine> {
    match (top.parts.as_slice(), bottom.parts.as_slice()) {
        ([(p, x)], [(q, y)]) if p == q && top.constant.is_zero() && bottom.constant.is_zero() => {
            let inverse = Fraction::new(i128::from(y.re.bottom), i128::from(y.re.top))?;
            Some(Affine::constant(Gauss::real(x.re.mul(inverse)?)))
        }
        _ => None,
    }
}
