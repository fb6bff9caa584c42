//! Powers, exponentials and logarithms in prime fields.
//!
//! A product is brought to a form in which every base stands once: fractional exponents of one base are added
//! up before anything is raised, so that √x √x = x and x^{1/2} x^{1/3} = x^{5/6}. All laws used hold for real
//! numbers wherever all of what is written is real, with the signs the variables have at the point; where a
//! number may be complex only those are used that hold on the principal branch.

use dashu::base::{Sign, UnsignedAbs};
use dashu::rational::RBig;

use super::affine::{Base, Fraction, Gauss, content, primes};
use super::exact;
use super::expr::{Expr, Function};
use super::modular::{Point, ROOT, integer_power};

const HALF: Fraction = Fraction { top: 1, bottom: 2 };

/// A product: a residue, and bases with the exponents that are not done yet.
pub(super) struct Factors {
    pub(super) residue: u64,
    bases: Vec<(Base, Fraction)>,
}

impl Factors {
    pub(super) const fn new(residue: u64) -> Self {
        Self { residue, bases: Vec::new() }
    }

    pub(super) fn base(&mut self, base: Base, exponent: Fraction) -> Option<()> {
        for (known, sum) in &mut self.bases {
            if *known == base {
                *sum = sum.add(exponent)?;
                return Some(());
            }
        }
        self.bases.push((base, exponent));
        Some(())
    }

    /// Joins the powers of a magnitude with those of its base: that √E is real says that E is its magnitude.
    fn join(&mut self, canonical: impl Fn(u64) -> u64) -> Option<()> {
        for at in 0..self.bases.len() {
            let Some((Base::Magnitude(magnitude), power)) = self.bases.get(at).copied() else { continue };
            let atom = self.bases.iter_mut().find(|(base, exponent)| {
                exponent.bottom % 2 == 0
                    && matches!(base, Base::Atom(value) if canonical(*value) == magnitude)
            });
            if let Some((_, sum)) = atom {
                *sum = sum.add(power)?;
                if let Some((_, joined)) = self.bases.get_mut(at) {
                    *joined = Fraction::ZERO;
                }
            }
        }
        Some(())
    }
}

/// Factors of a product that are not split under a root: how many, and the product of their values.
struct Rest<'e> {
    sums: Vec<(&'e Expr, Fraction)>,
    negative: bool,
}

impl Point<'_> {
    /// The value of a product, power or root.
    pub(super) fn monomial(&mut self, expr: &Expr) -> Option<u64> {
        let mut factors = Factors::new(self.base().one);
        self.push(&mut factors, expr, Fraction::ONE)?;
        self.finish(factors)
    }

    pub(super) fn finish(&mut self, mut factors: Factors) -> Option<u64> {
        factors.join(|value| self.canonical(value).0)?;
        let mut product = factors.residue;
        for (base, exponent) in factors.bases {
            let power = self.power_of(base, exponent)?;
            product = self.base().mul(product, power);
        }
        Some(product)
    }

    /// Multiplies by a power of an expression.
    pub(super) fn push(&mut self, out: &mut Factors, expr: &Expr, exponent: Fraction) -> Option<()> {
        self.charge(1)?;
        let whole = exponent.is_integer();
        match expr {
            Expr::Product(factors) if whole => {
                factors.iter().try_for_each(|factor| self.push(out, factor, exponent))
            }
            Expr::Power(base, inner) => match exact::value(inner) {
                Some(inner) => match Fraction::of(&inner) {
                    Some(inner) => self.push_power(out, expr, base, inner, exponent),
                    // Too long for a fraction, such as 10^{10^20}: whole exponents count modulo p - 1.
                    None if whole && inner.is_int() => {
                        let base = self.value(base)?;
                        let power = integer_power(self.base(), base, inner.numerator())?;
                        self.multiply(out, power, exponent.top)
                    }
                    None => self.push_atom(out, expr, exponent),
                },
                None => self.push_symbolic(out, expr, base, inner, exponent),
            },
            Expr::Root(degree, inner) => {
                let root = Fraction { top: 1, bottom: i64::from(*degree) };
                self.push_power(out, expr, inner, root, exponent)
            }
            Expr::Call(Function::Abs, arguments) => match arguments.as_slice() {
                [inner] => self.push_magnitude(out, inner, exponent),
                _ => None,
            },
            Expr::Number(n) => self.push_number(out, n, exponent),
            Expr::Euler if !whole => self.push_exponential(out, &Expr::integer(1), Gauss::real(exponent)),
            _ if whole => {
                let value = self.value(expr)?;
                self.multiply(out, value, exponent.top)
            }
            Expr::Variable(name) if !self.is_bound(name) => {
                let (root, negative) = self.variable(name)?;
                out.base(Base::Variable { root, negative }, exponent)
            }
            Expr::Product(_) | Expr::Sum(_) if exponent.bottom % 2 == 0 && !self.strict() => {
                self.push_root(out, expr, exponent)
            }
            // A real root of odd degree goes through every product.
            Expr::Product(factors) if !self.strict() => {
                factors.iter().try_for_each(|factor| self.push(out, factor, exponent))
            }
            _ => self.push_atom(out, expr, exponent),
        }
    }

    pub(super) fn multiply(&self, out: &mut Factors, value: u64, times: i64) -> Option<()> {
        let power = integer_power(self.base(), value, &times.into())?;
        out.residue = self.base().mul(out.residue, power);
        Some(())
    }

    /// Multiplies by `(base^inner)^outer`, which `expr` is without the outer exponent.
    fn push_power(
        &mut self,
        out: &mut Factors,
        expr: &Expr,
        base: &Expr,
        inner: Fraction,
        outer: Fraction,
    ) -> Option<()> {
        if inner.is_zero() {
            // 0^0 is not given a value.
            return if self.value(base)? == 0 { None } else { Some(()) };
        }
        let Some(exponent) = inner.mul(outer) else { return self.push_atom(out, expr, outer) };
        if outer.is_integer() {
            return self.push(out, base, exponent);
        }
        if self.strict() && exact::value(base).is_none_or(|base| base.numerator().sign() == Sign::Negative) {
            return self.push_atom(out, expr, outer);
        }
        // (b^2)^{1/2} is |b|; but where b^3 or √b has a root, b is of one sign.
        if inner.top % 2 == 0 {
            self.push_magnitude(out, base, exponent)
        } else {
            self.push(out, base, exponent)
        }
    }

    /// Multiplies by a root of something that is not taken apart, or by its whole power.
    pub(super) fn push_atom(&mut self, out: &mut Factors, expr: &Expr, exponent: Fraction) -> Option<()> {
        let value = if exponent.is_integer() { self.monomial_or_value(expr)? } else { self.value(expr)? };
        if exponent.is_integer() {
            return self.multiply(out, value, exponent.top);
        }
        if value == 0 {
            return (exponent.top > 0).then(|| out.residue = 0);
        }
        self.domain = true;
        if self.strict() {
            // Without an assumption on the sign nothing but the value is known.
            let power = self.unknown(13, &[value, exponent.top as u64, exponent.bottom as u64]);
            return self.multiply(out, power, 1);
        }
        if exponent.bottom % 2 == 1 {
            // The real root of an odd degree is odd: the sign goes outside.
            let (canonical, negative) = self.canonical(value);
            if negative && exponent.top % 2 != 0 {
                out.residue = self.base().negative(out.residue);
            }
            return out.base(Base::Atom(canonical), exponent);
        }
        out.base(Base::Atom(value), exponent)
    }

    fn monomial_or_value(&mut self, expr: &Expr) -> Option<u64> {
        match expr {
            // `push` would come back here.
            Expr::Root(degree, inner) => {
                let words = [u64::from(*degree), self.value(inner)?];
                Some(self.unknown(26, &words))
            }
            Expr::Power(base, exponent) => {
                let words = [self.value(base)?, self.value(exponent)?];
                Some(self.unknown(14, &words))
            }
            other => self.value(other),
        }
    }

    /// The smaller one of a value and its negative, and whether that is the negative.
    pub(super) fn canonical(&self, value: u64) -> (u64, bool) {
        let negative = self.base().negative(value);
        if negative < value { (negative, true) } else { (value, false) }
    }

    /// Multiplies by a power of `|expr|`.
    pub(super) fn push_magnitude(
        &mut self,
        out: &mut Factors,
        expr: &Expr,
        exponent: Fraction,
    ) -> Option<()> {
        self.charge(1)?;
        match expr {
            Expr::Number(n) => {
                let positive = if n.numerator().sign() == Sign::Negative { -n } else { n.clone() };
                self.push_number(out, &positive, exponent)
            }
            Expr::Product(factors) => {
                factors.iter().try_for_each(|factor| self.push_magnitude(out, factor, exponent))
            }
            Expr::Pi | Expr::Euler => self.push(out, expr, exponent),
            Expr::Imaginary => Some(()),
            Expr::Call(Function::Abs, arguments) => match arguments.as_slice() {
                [inner] => self.push_magnitude(out, inner, exponent),
                _ => None,
            },
            Expr::Variable(name) if !self.is_bound(name) => {
                let (root, _) = self.variable(name)?;
                self.signed = true;
                out.base(Base::Variable { root, negative: false }, exponent)
            }
            Expr::Power(base, inner) if !self.strict() => {
                match exact::value(inner).as_ref().and_then(Fraction::of) {
                    Some(inner) => self.push_magnitude(out, base, inner.mul(exponent)?),
                    // A real power with an exponent that is not rational is positive.
                    None => self.push(out, expr, exponent),
                }
            }
            Expr::Root(degree, inner) if !self.strict() => {
                let exponent = exponent.mul(Fraction { top: 1, bottom: i64::from(*degree) })?;
                self.push_magnitude(out, inner, exponent)
            }
            Expr::Sum(terms) if !self.strict() => {
                let content = content(terms);
                self.push_fraction(out, content, exponent)?;
                let value = self.primitive(expr, content)?;
                if value == 0 {
                    return (exponent.top > 0).then(|| out.residue = 0);
                }
                self.push_size(out, value, exponent)
            }
            other => {
                let value = self.value(other)?;
                if value == 0 {
                    return (exponent.top > 0).then(|| out.residue = 0);
                }
                if self.strict() {
                    let magnitude = self.unknown(15, &[self.canonical(value).0]);
                    if exponent.is_integer() {
                        return self.multiply(out, magnitude, exponent.top);
                    }
                    let power = self.unknown(16, &[magnitude, exponent.top as u64, exponent.bottom as u64]);
                    return self.multiply(out, power, 1);
                }
                self.push_size(out, value, exponent)
            }
        }
    }

    /// Multiplies by a power of the magnitude of what has this value.
    fn push_size(&self, out: &mut Factors, value: u64, exponent: Fraction) -> Option<()> {
        let canonical = self.canonical(value).0;
        // |E|^{2/3} is E^{2/3}.
        let even = exponent.bottom % 2 == 1 && exponent.top % 2 == 0 && !exponent.is_integer();
        out.base(if even { Base::Atom(canonical) } else { Base::Magnitude(canonical) }, exponent)
    }

    /// The value of a sum over its content.
    pub(super) fn primitive(&mut self, sum: &Expr, content: Fraction) -> Option<u64> {
        let value = self.value(sum)?;
        let content = Self::fraction_in(self.base(), content)?;
        Some(self.base().mul(value, self.base().inverse(content)?))
    }

    /// A root of even degree of a product or sum: what has a known sign comes out of it.
    fn push_root(&mut self, out: &mut Factors, expr: &Expr, exponent: Fraction) -> Option<()> {
        self.domain = true;
        let mut rest = Rest { sums: Vec::new(), negative: false };
        self.split(out, expr, exponent, Fraction::ONE, &mut rest)?;
        match rest.sums.as_slice() {
            [] if rest.negative => None,
            [] => Some(()),
            [(only, Fraction::ONE)] => {
                let (only, content) = match only {
                    Expr::Sum(terms) => (*only, content(terms)),
                    other => (*other, Fraction::ONE),
                };
                self.push_fraction(out, content, exponent)?;
                let value = self.primitive(only, content)?;
                if value == 0 {
                    return (exponent.top > 0).then(|| out.residue = 0);
                }
                let value = if rest.negative { self.base().negative(value) } else { value };
                // √E and √(-E) are not both real, so the sign is not part of the name.
                out.base(Base::Atom(value), exponent)
            }
            // √(ab) is √|a| √|b| where it is real.
            many => many
                .iter()
                .try_for_each(|(factor, power)| self.push_magnitude(out, factor, power.mul(exponent)?)),
        }
    }

    /// Takes a product under an even root apart; `power` is that of the part in the product.
    fn split<'e>(
        &mut self,
        out: &mut Factors,
        expr: &'e Expr,
        exponent: Fraction,
        power: Fraction,
        rest: &mut Rest<'e>,
    ) -> Option<()> {
        self.charge(1)?;
        let even = power.top % 2 == 0;
        match expr {
            Expr::Product(factors) => {
                factors.iter().try_for_each(|factor| self.split(out, factor, exponent, power, rest))
            }
            Expr::Number(n) => {
                rest.negative ^= !even && n.numerator().sign() == Sign::Negative;
                self.push_magnitude(out, expr, power.mul(exponent)?)
            }
            Expr::Pi | Expr::Euler => self.push(out, expr, power.mul(exponent)?),
            Expr::Variable(name) if !self.is_bound(name) => {
                let (_, negative) = self.variable(name)?;
                rest.negative ^= !even && negative;
                self.push_magnitude(out, expr, power.mul(exponent)?)
            }
            Expr::Power(base, inner) => match exact::value(inner).as_ref().and_then(Fraction::of) {
                Some(inner) if inner.bottom % 2 == 0 => {
                    // It is real, so the base is positive.
                    self.push(out, base, inner.mul(power)?.mul(exponent)?)
                }
                Some(inner) => self.split(out, base, exponent, inner.mul(power)?, rest),
                None => self.push(out, expr, power.mul(exponent)?),
            },
            Expr::Root(degree, inner) => {
                let power = power.mul(Fraction { top: 1, bottom: i64::from(*degree) })?;
                if degree % 2 == 0 {
                    return self.push(out, inner, power.mul(exponent)?);
                }
                self.split(out, inner, exponent, power, rest)
            }
            _ if even => self.push_magnitude(out, expr, power.mul(exponent)?),
            other => {
                rest.sums.push((other, power));
                Some(())
            }
        }
    }

    fn push_fraction(&mut self, out: &mut Factors, n: Fraction, exponent: Fraction) -> Option<()> {
        self.push_number(out, &RBig::from_parts(n.top.into(), n.bottom.unsigned_abs().into()), exponent)
    }

    fn push_number(&mut self, out: &mut Factors, n: &RBig, exponent: Fraction) -> Option<()> {
        let value = Self::rational_in(self.base(), n)?;
        if exponent.is_integer() {
            return self.multiply(out, value, exponent.top);
        }
        if n.is_zero() {
            return (exponent.top > 0).then(|| out.residue = 0);
        }
        if n.numerator().sign() == Sign::Negative {
            if exponent.bottom == 2 {
                self.multiply(out, self.field.base.imaginary, exponent.top)?;
            } else if exponent.bottom % 2 == 1 {
                self.multiply(out, self.base().negative(self.base().one), exponent.top)?;
            } else {
                let power = self.unknown(17, &[value, exponent.top as u64, exponent.bottom as u64]);
                return self.multiply(out, power, 1);
            }
        }
        for (part, sign) in [(n.numerator().unsigned_abs(), 1), (n.denominator().clone(), -1)] {
            if part.is_one() {
                continue;
            }
            self.charge(20)?;
            if let Ok(small) = u64::try_from(&part) {
                for (prime, count) in primes(small) {
                    let power = exponent.mul(Fraction { top: sign * count, bottom: 1 })?;
                    out.base(Base::Prime(prime), power)?;
                }
            } else {
                let value = self.base().residue(part % self.base().order);
                out.base(Base::Atom(value), exponent.mul(Fraction { top: sign, bottom: 1 })?)?;
            }
        }
        Some(())
    }

    /// The value of a power.
    fn power_of(&mut self, base: Base, exponent: Fraction) -> Option<u64> {
        let modulus = self.base();
        let rest = |whole: i64| exponent.add(Fraction { top: whole.checked_neg()?, bottom: 1 });
        let steps = |of: Fraction| {
            Fraction::mul(of, Fraction { top: i64::from(ROOT), bottom: 1 }).filter(|n| n.is_integer())
        };
        Some(match base {
            Base::Variable { root, negative } => {
                if exponent.bottom % 2 == 0 {
                    self.signed = true;
                    self.domain = true;
                    if negative {
                        return None;
                    }
                }
                let magnitude = match steps(exponent) {
                    Some(steps) => integer_power(modulus, root, &steps.top.into())?,
                    None => self.unknown(18, &[root, exponent.top as u64, exponent.bottom as u64]),
                };
                if negative && exponent.top % 2 != 0 { modulus.negative(magnitude) } else { magnitude }
            }
            Base::Prime(prime) => {
                let whole = exponent.floor();
                let mut rest = rest(whole)?;
                let mut power = integer_power(modulus, modulus.residue(prime), &whole.into())?;
                if rest.bottom % 2 == 0
                    && rest.top * 2 >= rest.bottom
                    && let Some((_, root)) = self.field.base.roots.iter().find(|(known, _)| *known == prime)
                {
                    power = modulus.mul(power, *root);
                    rest = rest.add(HALF.negative()?)?;
                }
                self.fractional(power, &[19, prime], rest)?
            }
            Base::Atom(value) => {
                let whole = exponent.floor();
                let power = integer_power(modulus, value, &whole.into())?;
                // The real root of odd degree has the sign of what is under it; any other shows that to be
                // positive.
                let tag = if exponent.bottom % 2 == 0 { 20 } else { 27 };
                let canonical = self.canonical(value).0;
                self.fractional(power, &[tag, canonical], rest(whole)?)?
            }
            Base::Magnitude(value) => {
                // An even power of a magnitude is that of the value.
                let whole = exponent.floor().div_euclid(2) * 2;
                let power = integer_power(modulus, value, &whole.into())?;
                let mut rest = rest(whole)?;
                if rest.floor() == 1 && !rest.is_integer() {
                    let magnitude = self.unknown(21, &[value]);
                    rest = rest.add(Fraction::ONE.negative()?)?;
                    return self.fractional(modulus.mul(power, magnitude), &[20, value], rest);
                }
                if rest.is_integer() && !rest.is_zero() {
                    let magnitude = self.unknown(21, &[value]);
                    return Some(modulus.mul(power, magnitude));
                }
                self.fractional(power, &[20, value], rest)?
            }
        })
    }

    /// Multiplies by a fractional power below one of what the words name.
    fn fractional(&mut self, power: u64, words: &[u64], exponent: Fraction) -> Option<u64> {
        if exponent.is_zero() {
            return Some(power);
        }
        self.domain = true;
        let modulus = self.base();
        let fraction = match exponent.mul(Fraction { top: i64::from(ROOT), bottom: 1 })? {
            steps if steps.is_integer() => {
                // Of E^{1/2520} for a positive E, or of E^{1/315} as a real root.
                let root = self.unknown(22, words);
                modulus.pow(root, steps.top.unsigned_abs())
            }
            _ => {
                let mut words = words.to_vec();
                words.extend([exponent.top as u64, exponent.bottom as u64]);
                self.unknown(23, &words)
            }
        };
        Some(modulus.mul(power, fraction))
    }
}
