//! The functions in prime fields.
//!
//! Trigonometric functions are put together from exponentials, inverse ones are brought to as few as there
//! are, and the rest are named by the values of their arguments: sorted where their order is of no matter,
//! with the sign taken out where they are odd.

use dashu::base::Sign;
use dashu::rational::RBig;

use super::affine::{Fraction, Gauss};
use super::exact;
use super::expr::{Expr, Function};
use super::field::TURN;
use super::letters::is_complex;
use super::modular::Point;
use super::powers::Factors;

/// The largest number whose factorial is multiplied out.
const MAX_FACTORIAL: u64 = 8_000;
/// How far factorials of two arguments may lie apart and still be compared.
const MAX_SHIFT: i64 = 64;

fn half(expr: Expr) -> Expr {
    Expr::Product(vec![Expr::Number(RBig::from_parts(1.into(), 2_u8.into())), expr])
}

fn square(expr: &Expr) -> Expr {
    Expr::Power(Box::new(expr.clone()), Box::new(Expr::integer(2)))
}

fn root(expr: Expr) -> Expr {
    Expr::Root(2, Box::new(expr))
}

fn plus(a: Expr, b: Expr) -> Expr {
    Expr::Sum(vec![a, b])
}

fn times(a: Expr, b: Expr) -> Expr {
    Expr::Product(vec![a, b])
}

/// An inverse hyperbolic function as a logarithm.
pub(super) fn as_logarithm(function: Function, x: &Expr) -> Option<Expr> {
    let one = || Expr::integer(1);
    let ln = |argument: Expr| Expr::Call(Function::Ln, vec![argument]);
    let over = |a: Expr, b: Expr| times(a, Expr::Power(Box::new(b), Box::new(Expr::integer(-1))));
    Some(match function {
        Function::Arsinh => ln(plus(x.clone(), root(plus(square(x), one())))),
        Function::Arcosh => ln(plus(x.clone(), root(plus(square(x), Expr::integer(-1))))),
        Function::Artanh => half(ln(over(plus(one(), x.clone()), plus(one(), x.clone().negated())))),
        Function::Arcoth => half(ln(over(plus(x.clone(), one()), plus(x.clone(), Expr::integer(-1))))),
        Function::Arsech => return as_logarithm(Function::Arcosh, &x.clone().inverse()),
        Function::Arcsch => return as_logarithm(Function::Arsinh, &x.clone().inverse()),
        _ => return None,
    })
}

/// The sine and cosine of an inverse function's value, without trigonometry.
fn sides(function: Function, x: &Expr) -> Option<(Expr, Expr)> {
    let leg = |sign: i64| root(plus(Expr::integer(1), times(Expr::integer(sign), square(x))));
    let over_leg = |top: Expr| times(top, Expr::Power(Box::new(leg(1)), Box::new(Expr::integer(-1))));
    Some(match function {
        Function::Arcsin => (x.clone(), leg(-1)),
        Function::Arccos => (leg(-1), x.clone()),
        Function::Arctan => (over_leg(x.clone()), over_leg(Expr::integer(1))),
        Function::Arccot => (over_leg(Expr::integer(1)), over_leg(x.clone())),
        Function::Arcsec => return sides(Function::Arccos, &x.clone().inverse()),
        Function::Arccsc => return sides(Function::Arcsin, &x.clone().inverse()),
        _ => return None,
    })
}

/// The inverse function in an angle that is one or two of its values, and whether it is two.
fn inverse_in(angle: &Expr) -> Option<(Function, &Expr, bool)> {
    let (call, double) = match angle {
        Expr::Product(factors) => match factors.as_slice() {
            [Expr::Number(two), call] | [call, Expr::Number(two)] if *two == RBig::from(2) => (call, true),
            _ => return None,
        },
        call => (call, false),
    };
    match call {
        Expr::Call(function, arguments) => match arguments.as_slice() {
            [x] => Some((*function, x, double)),
            _ => None,
        },
        _ => None,
    }
}

impl Point<'_> {
    /// The value of a function.
    pub(super) fn call(&mut self, function: Function, arguments: &[Expr]) -> Option<u64> {
        use Function as F;
        if let Some(exact) = exact::value_of_call(function, arguments) {
            return Self::rational_in(self.base(), &exact);
        }
        match (function, arguments) {
            (F::Sin | F::Cos | F::Tan | F::Cot | F::Sec | F::Csc, [x]) => self.circular(function, x),
            (F::Sinh | F::Cosh | F::Tanh | F::Coth | F::Sech | F::Csch, [x]) => {
                let wave = self.wave(x, Gauss::ONE)?;
                self.ratio(function, wave, self.base().one)
            }
            (F::Ln, [_]) | (F::Log, [_, _]) => self.ln_call(false, function, arguments),
            (F::Abs, [x]) => {
                let mut factors = Factors::new(self.base().one);
                self.push_magnitude(&mut factors, x, Fraction::ONE)?;
                self.finish(factors)
            }
            (F::Sign, [x]) => self.sign(x),
            (F::Re | F::Im | F::Conjugate, [x]) => self.part(function, x),
            (F::Floor | F::Ceil, [x]) => self.floor(function, x),
            (F::Factorial, [x]) => self.factorial(x),
            (F::Binomial, [n, k]) => {
                let rest = plus(n.clone(), k.clone().negated());
                let below = self.factorial(k)?;
                let below = self.base().mul(below, self.factorial(&rest)?);
                let above = self.factorial(n)?;
                Some(self.base().mul(above, self.base().inverse(below)?))
            }
            (F::Min | F::Max, [a, b]) => {
                let difference = plus(a.clone(), b.clone().negated());
                let distance = Expr::Call(F::Abs, vec![difference]);
                let distance = if function == F::Min { distance.negated() } else { distance };
                self.value(&half(Expr::Sum(vec![a.clone(), b.clone(), distance])))
            }
            (F::Min | F::Max | F::Gcd | F::Lcm, _) => {
                let mut words: Vec<u64> =
                    arguments.iter().map(|argument| self.value(argument)).collect::<Option<_>>()?;
                words.sort_unstable();
                words.dedup();
                Some(self.unknown(40 + function as u64, &words))
            }
            (F::Arcsin | F::Arccos | F::Arctan | F::Arccot | F::Arcsec | F::Arccsc, [x]) => {
                self.inverse_circular(function, x)
            }
            (F::Arsinh | F::Arcosh | F::Artanh | F::Arcoth | F::Arsech | F::Arcsch, [x]) => {
                self.value(&as_logarithm(function, x)?)
            }
            _ => {
                let words: Vec<u64> =
                    arguments.iter().map(|argument| self.value(argument)).collect::<Option<_>>()?;
                Some(self.unknown(40 + function as u64, &words))
            }
        }
    }

    /// `e^{scale·x}`.
    fn wave(&mut self, x: &Expr, scale: Gauss) -> Option<u64> {
        let mut factors = Factors::new(self.base().one);
        self.push_exponential(&mut factors, x, scale)?;
        self.finish(factors)
    }

    fn circular(&mut self, function: Function, x: &Expr) -> Option<u64> {
        use Function as F;
        if let Some((inverse, argument, double)) = inverse_in(x)
            && let Some((sin, cos)) = sides(inverse, argument)
        {
            self.domain = true;
            let (sin, cos) = if double {
                let twice = Expr::Product(vec![Expr::integer(2), sin.clone(), cos]);
                (twice, plus(Expr::integer(1), Expr::Product(vec![Expr::integer(-2), square(&sin)])))
            } else {
                (sin, cos)
            };
            let over = |a: Expr, b: Expr| times(a, Expr::Power(Box::new(b), Box::new(Expr::integer(-1))));
            return self.value(&match function {
                F::Sin => sin,
                F::Cos => cos,
                F::Tan => over(sin, cos),
                F::Cot => over(cos, sin),
                F::Sec => over(Expr::integer(1), cos),
                _ => over(Expr::integer(1), sin),
            });
        }
        let wave = self.wave(x, Gauss::IMAGINARY)?;
        let hyperbolic = match function {
            F::Sin => F::Sinh,
            F::Cos => F::Cosh,
            F::Tan => F::Tanh,
            F::Cot => F::Coth,
            F::Sec => F::Sech,
            _ => F::Csch,
        };
        self.ratio(hyperbolic, wave, self.field.base.imaginary)
    }

    /// A hyperbolic function of the wave `e^x`, or a circular one of `e^{ix}` with the unit `i`.
    fn ratio(&self, function: Function, wave: u64, unit: u64) -> Option<u64> {
        let modulus = self.base();
        let back = modulus.inverse(wave)?;
        let half = modulus.inverse(modulus.residue(2))?;
        let cosh = modulus.mul(modulus.add(wave, back), half);
        let sinh = modulus.mul(modulus.mul(modulus.sub(wave, back), half), modulus.inverse(unit)?);
        Some(match function {
            Function::Sinh => sinh,
            Function::Cosh => cosh,
            Function::Tanh => modulus.mul(sinh, modulus.inverse(cosh)?),
            Function::Coth => modulus.mul(cosh, modulus.inverse(sinh)?),
            Function::Sech => modulus.inverse(cosh)?,
            _ => modulus.inverse(sinh)?,
        })
    }

    fn sign(&mut self, x: &Expr) -> Option<u64> {
        let modulus = self.base();
        let minus = modulus.negative(modulus.one);
        match x {
            Expr::Number(n) => Some(if n.numerator().sign() == Sign::Negative { minus } else { modulus.one }),
            Expr::Variable(name) if !self.is_bound(name) => {
                let (_, negative) = self.variable(name)?;
                self.signed = true;
                self.opaque = true;
                Some(if negative { minus } else { modulus.one })
            }
            Expr::Product(factors) if !self.strict() => {
                factors.iter().try_fold(modulus.one, |sign, factor| {
                    let factor = if let Some(exact) = exact::value(factor) {
                        Expr::Number(exact)
                    } else {
                        factor.clone()
                    };
                    Some(modulus.mul(sign, self.sign(&factor)?))
                })
            }
            other => {
                let value = self.value(other)?;
                let (canonical, negative) = self.canonical(value);
                let sign = self.unknown(30, &[canonical]);
                Some(if negative { modulus.negative(sign) } else { sign })
            }
        }
    }

    /// A real or imaginary part, or a conjugate: a letter is real unless it is one that names complex numbers.
    fn part(&mut self, function: Function, x: &Expr) -> Option<u64> {
        let modulus = self.base();
        let value = self.value(x)?;
        let Some(conjugate) = conjugate(x) else {
            return Some(self.unknown(40 + function as u64, &[value]));
        };
        let conjugate = self.value(&conjugate)?;
        let half = modulus.inverse(modulus.residue(2))?;
        Some(match function {
            Function::Conjugate => conjugate,
            Function::Re => modulus.mul(modulus.add(value, conjugate), half),
            _ => {
                let twice = modulus.mul(modulus.sub(value, conjugate), half);
                modulus.mul(twice, modulus.inverse(self.field.base.imaginary)?)
            }
        })
    }

    /// A whole number comes out of the floor and the ceiling, which is minus the floor of the negative.
    fn floor(&mut self, function: Function, x: &Expr) -> Option<u64> {
        let modulus = self.base();
        let constant = self.constant_of(x).unwrap_or(Fraction::ZERO);
        let shift = constant.floor();
        let value = self.value(x)?;
        if value == Self::fraction_in(modulus, constant)? {
            // All that varies has cancelled.
            let up = function == Function::Ceil && !constant.is_integer();
            return Some(modulus.signed(if up { shift.checked_add(1)? } else { shift }));
        }
        let rest = modulus.sub(value, modulus.signed(shift));
        let (rest, ceil) = match function {
            Function::Ceil => (modulus.negative(rest), true),
            _ => (rest, false),
        };
        let floor = self.unknown(31, &[rest]);
        Some(modulus.add(if ceil { modulus.negative(floor) } else { floor }, modulus.signed(shift)))
    }

    /// A factorial by that of the argument without its constant: (n + 2)! is (n + 2)(n + 1) n!.
    fn factorial(&mut self, x: &Expr) -> Option<u64> {
        let modulus = self.base();
        if let Some(n) = exact::value(x) {
            let n = u64::try_from(exact::integer(&n)?).ok().filter(|n| *n <= MAX_FACTORIAL)?;
            self.charge(u32::try_from(n).ok()? / 4)?;
            return Some((2..=n).fold(modulus.one, |product, k| modulus.mul(product, modulus.residue(k))));
        }
        self.domain = true;
        let shift = self.constant_of(x).filter(|shift| shift.is_integer()).map_or(0, |shift| shift.top);
        let shift = if shift.abs() <= MAX_SHIFT { shift } else { 0 };
        let value = self.value(x)?;
        let rest = modulus.sub(value, modulus.signed(shift));
        let mut product = self.unknown(32, &[rest]);
        for step in 1..=shift.unsigned_abs() {
            let step = i64::try_from(step).ok()?;
            product = if shift > 0 {
                modulus.mul(product, modulus.add(rest, modulus.signed(step)))
            } else {
                modulus.mul(product, modulus.inverse(modulus.add(rest, modulus.signed(1 - step)))?)
            };
        }
        Some(product)
    }

    fn inverse_circular(&mut self, function: Function, x: &Expr) -> Option<u64> {
        use Function as F;
        let modulus = self.base();
        self.domain = true;
        match function {
            F::Arccos | F::Arccot => {
                let pi = self.value(&half(Expr::Pi))?;
                let other = if function == F::Arccos { F::Arcsin } else { F::Arctan };
                let angle = self.inverse_circular(other, x)?;
                Some(modulus.sub(pi, angle))
            }
            F::Arcsec => self.inverse_circular(F::Arccos, &x.clone().inverse()),
            F::Arccsc => self.inverse_circular(F::Arcsin, &x.clone().inverse()),
            _ => {
                let value = self.value(x)?;
                let (canonical, negative) = self.canonical(value);
                let angle = match self.known_angle(function, canonical) {
                    Some(angle) => angle,
                    None => self.unknown(40 + function as u64, &[canonical]),
                };
                Some(if negative { modulus.negative(angle) } else { angle })
            }
        }
    }

    /// The angle, where the value is the sine or tangent of a multiple of π/24.
    fn known_angle(&mut self, function: Function, canonical: u64) -> Option<u64> {
        let modulus = self.base();
        let step = modulus.pow(self.field.zeta, TURN / 48);
        let half = modulus.inverse(modulus.residue(2))?;
        let turn = modulus.inverse(self.field.base.imaginary)?;
        let mut wave = modulus.one;
        for steps in 0..=12 {
            let back = modulus.inverse(wave)?;
            let sin = modulus.mul(modulus.mul(modulus.sub(wave, back), half), turn);
            let cos = modulus.mul(modulus.add(wave, back), half);
            let same = |value: u64| {
                let target = if function == Function::Arcsin { value } else { modulus.mul(value, cos) };
                target == sin && (cos != 0 || function == Function::Arcsin)
            };
            let negative = modulus.negative(canonical);
            if same(canonical) || same(negative) {
                let angle = Expr::Number(RBig::from_parts(steps.into(), 24_u8.into()));
                let angle = self.value(&times(angle, Expr::Pi))?;
                return Some(if same(canonical) { angle } else { modulus.negative(angle) });
            }
            wave = modulus.mul(wave, step);
        }
        None
    }
}

/// The conjugate, where it is found by turning the sign of `i`.
pub(super) fn conjugate(expr: &Expr) -> Option<Expr> {
    let all = |parts: &[Expr]| parts.iter().map(conjugate).collect::<Option<Vec<_>>>();
    Some(match expr {
        Expr::Number(_)
        | Expr::Pi
        | Expr::Euler
        | Expr::Call(Function::Abs | Function::Re | Function::Im | Function::Arg, _) => expr.clone(),
        Expr::Imaginary => Expr::Imaginary.negated(),
        Expr::Variable(name) if !is_complex(name) => expr.clone(),
        Expr::Sum(parts) => Expr::Sum(all(parts)?),
        Expr::Product(parts) => Expr::Product(all(parts)?),
        Expr::Power(base, exponent) => {
            let whole = exact::value(exponent).is_some_and(|exponent| exponent.is_int());
            let positive = **base == Expr::Euler
                || exact::value(base).is_some_and(|base| base.numerator().sign() == Sign::Positive);
            if !whole && !positive {
                return None;
            }
            Expr::Power(Box::new(conjugate(base)?), Box::new(conjugate(exponent)?))
        }
        Expr::Root(_, inner)
            if exact::value(inner).is_some_and(|n| n.numerator().sign() == Sign::Positive) =>
        {
            expr.clone()
        }
        Expr::Call(
            function @ (Function::Sin
            | Function::Cos
            | Function::Tan
            | Function::Sinh
            | Function::Cosh
            | Function::Tanh
            | Function::Conjugate),
            parts,
        ) => Expr::Call(*function, all(parts)?),
        _ => return None,
    })
}
