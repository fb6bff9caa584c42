//! Values at points, with balls of any precision.

use dashu::rational::RBig;

use super::ball::{Arithmetic, Ball};
use super::calls::as_logarithm;
use super::exact;
use super::expr::{Expr, Function};
use super::letters::is_complex;
use super::sample::Sample;

use super::identity::Fuel;

/// What functions cost: multiples of some five microseconds at 256 bits.
const EXP: usize = 36;
const LN: usize = 60;
const SIN: usize = 80;
const ARCTAN: usize = 110;
/// The most values of functions that are kept for when they are met again.
const MAX_KEPT: usize = 24;

/// The size of the numbers that are written in an expression, in bits.
pub(super) fn literal_bits(expr: &Expr) -> usize {
    match expr {
        Expr::Number(n) => exact::bits(n),
        Expr::Power(base, exponent) => exact::value(expr)
            .as_ref()
            .map_or_else(|| literal_bits(base) + literal_bits(exponent), exact::bits),
        other => other.children().iter().map(literal_bits).sum(),
    }
}

const fn cost(function: Function) -> usize {
    use Function as F;
    match function {
        F::Sin | F::Cos | F::Tan | F::Cot | F::Sec | F::Csc => SIN,
        F::Arcsin | F::Arccos | F::Arctan | F::Arccot | F::Arcsec | F::Arccsc | F::Arg => ARCTAN,
        F::Ln => LN,
        F::Log => 2 * LN,
        F::Sinh | F::Cosh | F::Tanh | F::Coth | F::Sech | F::Csch => EXP,
        _ => 4,
    }
}

/// Evaluates at a point.
pub(super) struct Evaluator<'e, 'a> {
    pub(super) arithmetic: &'a mut Arithmetic,
    pub(super) sample: &'a Sample,
    /// Whether numbers may be complex; else what is not real has no value.
    pub(super) complex: bool,
    pub(super) fuel: &'a mut Fuel,
    pub(super) kept: Vec<(&'e Expr, Ball)>,
}

impl<'e> Evaluator<'e, '_> {
    fn charge(&mut self, units: usize) -> Option<()> {
        // Multiplication and the number of terms of a series grow with the precision.
        let limbs = self.arithmetic.precision() / 64 + 1;
        self.fuel.burn(u32::try_from((units * limbs * (limbs + 4)).div_ceil(8)).ok()?)
    }

    /// The value, if it has one and is real where it must be.
    pub(super) fn value(&mut self, expr: &'e Expr) -> Option<Ball> {
        let costly = matches!(expr, Expr::Call(..) | Expr::Power(..) | Expr::Root(..));
        if costly && let Some((_, value)) = self.kept.iter().find(|(known, _)| *known == expr) {
            let value = value.clone();
            self.charge(1)?;
            return Some(value);
        }
        let value = self.fresh(expr)?;
        if !self.complex && !value.is_real() {
            return None;
        }
        if costly && self.kept.len() < MAX_KEPT {
            self.kept.push((expr, value.clone()));
        }
        Some(value)
    }

    fn fresh(&mut self, expr: &'e Expr) -> Option<Ball> {
        self.charge(1)?;
        match expr {
            Expr::Number(n) => self.arithmetic.rational(n),
            Expr::Pi => self.arithmetic.pi(),
            Expr::Euler => {
                let one = self.arithmetic.integer(1)?;
                self.transcendental(EXP, |arithmetic| arithmetic.exp(&one))
            }
            Expr::Imaginary => Some(self.arithmetic.imaginary()),
            Expr::Infinity | Expr::Degree | Expr::Apply(..) | Expr::Bound(_) => None,
            Expr::Variable(name) => {
                let value = self.arithmetic.rational(&self.sample.get(name)?.exact)?;
                if self.complex && is_complex(name) {
                    let square = self.arithmetic.mul(&value, &value)?;
                    let part = self.arithmetic.add(&square, &self.arithmetic.integer(1)?)?;
                    let part = self.arithmetic.mul(&part, &self.arithmetic.imaginary())?;
                    return self.arithmetic.add(&value, &part);
                }
                Some(value)
            }
            Expr::Sum(terms) => {
                let mut sum = self.arithmetic.integer(0)?;
                for term in terms {
                    let term = self.value(term)?;
                    sum = self.arithmetic.add(&sum, &term)?;
                }
                Some(sum)
            }
            Expr::Product(factors) => {
                let mut product = self.arithmetic.integer(1)?;
                for factor in factors {
                    let factor = self.value(factor)?;
                    product = self.arithmetic.mul(&product, &factor)?;
                }
                Some(product)
            }
            Expr::Power(base, exponent) => self.power(base, exponent),
            Expr::Root(degree, inner) => {
                let inner = self.value(inner)?;
                self.charge(20)?;
                self.arithmetic.root(&inner, *degree)
            }
            Expr::Call(function, arguments) => {
                if let Some(exact) = exact::value_of_call(*function, arguments) {
                    return self.arithmetic.rational(&exact);
                }
                if let [argument] = arguments.as_slice()
                    && let Some(logarithm) = as_logarithm(*function, argument)
                {
                    let mut other = Evaluator {
                        arithmetic: self.arithmetic,
                        sample: self.sample,
                        complex: self.complex,
                        fuel: self.fuel,
                        kept: Vec::new(),
                    };
                    return other.value(&logarithm);
                }
                let arguments: Vec<Ball> =
                    arguments.iter().map(|argument| self.value(argument)).collect::<Option<_>>()?;
                self.call(*function, &arguments)
            }
        }
    }

    fn transcendental<T>(
        &mut self,
        units: usize,
        compute: impl FnOnce(&mut Arithmetic) -> Option<T>,
    ) -> Option<T> {
        self.charge(units)?;
        compute(self.arithmetic)
    }

    fn power(&mut self, base: &'e Expr, exponent: &'e Expr) -> Option<Ball> {
        if let Some(exponent) = exact::value(exponent) {
            let degree = u32::try_from(exponent.denominator()).ok()?;
            let mut base = self.value(base)?;
            self.charge(10)?;
            if degree != 1 {
                self.charge(20)?;
                base = self.arithmetic.root(&base, degree)?;
            }
            return self.arithmetic.powi(&base, exponent.numerator());
        }
        let exponent = self.value(exponent)?;
        if matches!(base, Expr::Euler) {
            return self.transcendental(EXP, |arithmetic| arithmetic.exp(&exponent));
        }
        let base = self.value(base)?;
        self.transcendental(LN + EXP, |arithmetic| arithmetic.pow(&base, &exponent))
    }

    fn call(&mut self, function: Function, arguments: &[Ball]) -> Option<Ball> {
        let units = cost(function);
        // A complex function is put together from several real ones.
        let units = if arguments.iter().all(Ball::is_real) { units } else { 3 * units + ARCTAN };
        self.transcendental(units, |arithmetic| match (function, arguments) {
            (Function::Sin, [x]) => Some(arithmetic.sin_cos(x)?.0),
            (Function::Cos, [x]) => Some(arithmetic.sin_cos(x)?.1),
            (Function::Tan | Function::Cot, [x]) => {
                let (sin, cos) = arithmetic.sin_cos(x)?;
                if function == Function::Tan {
                    arithmetic.div(&sin, &cos)
                } else {
                    arithmetic.div(&cos, &sin)
                }
            }
            (Function::Sec, [x]) => {
                let cos = arithmetic.sin_cos(x)?.1;
                arithmetic.inverse(&cos)
            }
            (Function::Csc, [x]) => {
                let sin = arithmetic.sin_cos(x)?.0;
                arithmetic.inverse(&sin)
            }
            (Function::Arcsin, [x]) => arithmetic.arcsin(x),
            (Function::Arccos, [x]) => arithmetic.arccos(x),
            (Function::Arctan, [x]) => arithmetic.arctan(x),
            (Function::Arccot, [x]) => {
                // For negative numbers two conventions are in use.
                x.sign().filter(|sign| *sign == dashu::base::Sign::Positive)?;
                let inverse = arithmetic.inverse(x)?;
                arithmetic.arctan(&inverse)
            }
            (Function::Arcsec, [x]) => {
                let inverse = arithmetic.inverse(x)?;
                arithmetic.arccos(&inverse)
            }
            (Function::Arccsc, [x]) => {
                let inverse = arithmetic.inverse(x)?;
                arithmetic.arcsin(&inverse)
            }
            (
                Function::Sinh
                | Function::Cosh
                | Function::Tanh
                | Function::Coth
                | Function::Sech
                | Function::Csch,
                [x],
            ) => {
                let plus = arithmetic.exp(x)?;
                let minus = arithmetic.inverse(&plus)?;
                let half = arithmetic.rational(&RBig::from_parts(1.into(), 2_u8.into()))?;
                let sinh = arithmetic.mul(&arithmetic.sub(&plus, &minus)?, &half)?;
                let cosh = arithmetic.mul(&arithmetic.add(&plus, &minus)?, &half)?;
                match function {
                    Function::Sinh => Some(sinh),
                    Function::Cosh => Some(cosh),
                    Function::Tanh => arithmetic.div(&sinh, &cosh),
                    Function::Coth => arithmetic.div(&cosh, &sinh),
                    Function::Sech => arithmetic.inverse(&cosh),
                    _ => arithmetic.inverse(&sinh),
                }
            }
            (Function::Ln, [x]) => arithmetic.ln(x),
            (Function::Log, [base, x]) => {
                let (top, bottom) = (arithmetic.ln(x)?, arithmetic.ln(base)?);
                arithmetic.div(&top, &bottom)
            }
            (Function::Abs, [x]) => arithmetic.abs(x),
            (Function::Sign, [x]) => match x.sign()? {
                dashu::base::Sign::Positive => arithmetic.integer(1),
                dashu::base::Sign::Negative => arithmetic.integer(-1),
            },
            (Function::Re, [x]) => Some(arithmetic.parts(x).0),
            (Function::Im, [x]) => Some(arithmetic.parts(x).1),
            (Function::Conjugate, [x]) => Some(x.conjugate()),
            (Function::Arg, [x]) => {
                let ln = arithmetic.ln(x)?;
                Some(arithmetic.parts(&ln).1)
            }
            (Function::Floor, [x]) => arithmetic.floor(x),
            (Function::Ceil, [x]) => Some(arithmetic.floor(&x.negated())?.negated()),
            (Function::Modulo, [x, y]) => {
                let quotient = arithmetic.div(x, y)?;
                let floor = arithmetic.floor(&quotient)?;
                arithmetic.sub(x, &arithmetic.mul(y, &floor)?)
            }
            (Function::Max, [first, rest @ ..]) => {
                rest.iter().try_fold(first.clone(), |best, next| arithmetic.max(&best, next))
            }
            (Function::Min, [first, rest @ ..]) => {
                let mut best = first.negated();
                for next in rest {
                    best = arithmetic.max(&best, &next.negated())?;
                }
                Some(best.negated())
            }
            _ => None,
        })
    }
}
