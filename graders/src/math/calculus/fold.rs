//! Functions and roots of numbers with plain values.

use dashu::rational::RBig;

use super::super::exact;
use super::super::expr::{Expr, Function};
use super::tidy::{MAX_BITS, is_one, is_zero, ln, mul2, neg, number, one, scaled, sqrt, zero};

/// The largest number whose square factors are looked for, and the largest factor tried.
const MAX_RADICAND: u64 = 1 << 40;
const MAX_RADICAL_FACTOR: u64 = 1_000;

/// A power of a positive rational with an odd number of halves as exponent, as a rational times the root of a
/// square-free number: `8^(-1/2)` is `√2/4`.
pub(super) fn surd(base: &RBig, exponent: &RBig) -> Option<Expr> {
    let halves = exact::integer(&(exponent * RBig::from(2))).and_then(|n| i64::try_from(n).ok())?;
    if halves.abs() > 64 || halves % 2 == 0 || *base <= RBig::ZERO {
        return None;
    }
    // √(p/q) = √(pq)/q
    let (top, bottom) = (u64::try_from(base.numerator()).ok()?, u64::try_from(base.denominator()).ok()?);
    let mut radicand = top.checked_mul(bottom).filter(|n| *n <= MAX_RADICAND)?;
    let mut outside = 1_u64;
    for factor in 2..=MAX_RADICAL_FACTOR {
        let square = factor * factor;
        if square > radicand {
            break;
        }
        while radicand % square == 0 {
            radicand /= square;
            outside *= factor;
        }
    }
    let whole = Expr::Power(Box::new(Expr::Number(base.clone())), Box::new(Expr::integer((halves - 1) / 2)));
    let whole = if halves == 1 { RBig::ONE } else { exact::value(&whole)? };
    let outside = whole * RBig::from(outside) / RBig::from(bottom);
    (exact::bits(&outside) < MAX_BITS && radicand > 1).then(|| {
        let root = Expr::Power(Box::new(Expr::Number(RBig::from(radicand))), Box::new(number(1, 2)));
        scaled(outside, root)
    })
}

/// Whether a minus sign stands in front.
fn is_negative(expr: &Expr) -> bool {
    match expr {
        Expr::Number(n) => *n < RBig::ZERO,
        Expr::Product(factors) => factors.first().is_some_and(is_negative),
        Expr::Sum(terms) => terms.iter().all(is_negative),
        _ => false,
    }
}

/// A function's value, where it is plain.
pub(super) fn call(function: Function, mut arguments: Vec<Expr>) -> Expr {
    use Function as F;
    if let Some(value) = exact::value_of_call(function, &arguments) {
        return Expr::Number(value);
    }
    if let (F::Log, [base, _]) = (function, arguments.as_slice()) {
        let base = base.clone();
        let inner = arguments.pop().unwrap_or_else(one);
        return if matches!(base, Expr::Euler) {
            ln(inner)
        } else if is_one(&inner) {
            zero()
        } else {
            Expr::Call(F::Log, vec![base, inner])
        };
    }
    let [argument] = arguments.as_slice() else { return Expr::Call(function, arguments) };
    let odd = matches!(
        function,
        F::Sin | F::Tan | F::Cot | F::Csc | F::Arcsin | F::Arctan | F::Sinh | F::Tanh | F::Arsinh | F::Artanh
    );
    let even = matches!(function, F::Cos | F::Sec | F::Cosh | F::Sech | F::Abs);
    if (odd || even) && is_negative(argument) {
        let positive = call(function, vec![neg(argument.clone())]);
        return if odd { neg(positive) } else { positive };
    }
    if is_zero(argument) {
        match function {
            _ if odd && !matches!(function, F::Cot | F::Csc) => return zero(),
            F::Cos | F::Sec | F::Cosh | F::Sech => return one(),
            _ => {}
        }
    }
    match (function, argument) {
        (F::Ln, Expr::Euler) => return one(),
        (F::Ln, Expr::Power(base, exponent)) if matches!(**base, Expr::Euler) => return (**exponent).clone(),
        (F::Ln, one) if is_one(one) => return zero(),
        (F::Sin | F::Cos, angle) => {
            if let Some(value) = at_turn(function == F::Cos, angle) {
                return value;
            }
        }
        _ => {}
    }
    Expr::Call(function, arguments)
}

/// The sine or cosine of a multiple of π/2, π/3, π/4 or π/6.
fn at_turn(cosine: bool, angle: &Expr) -> Option<Expr> {
    let turns = match angle {
        Expr::Pi => RBig::ONE,
        Expr::Product(factors) => match factors.as_slice() {
            [Expr::Number(n), Expr::Pi] => n.clone(),
            _ => return None,
        },
        _ => return None,
    };
    let twelfths = turns * RBig::from(12);
    let whole = exact::integer(&twelfths)?;
    let shifted = if cosine { whole + 6 } else { whole.clone() };
    let part = u8::try_from(shifted - (whole_floor(&twelfths, cosine)?) * 24).ok()?;
    let (sign, part) = if part >= 12 { (-1, part - 12) } else { (1, part) };
    let value = match part.min(12 - part) {
        0 => zero(),
        2 => number(1, 2),
        3 => mul2(number(1, 2), sqrt(Expr::integer(2))),
        4 => mul2(number(1, 2), sqrt(Expr::integer(3))),
        6 => one(),
        _ => return None,
    };
    Some(mul2(Expr::integer(sign), value))
}

/// How many full turns fit below an angle of so many twelfths of π.
fn whole_floor(twelfths: &RBig, cosine: bool) -> Option<dashu::integer::IBig> {
    let shift = if cosine { RBig::from(6) } else { RBig::ZERO };
    let turns = (twelfths + shift) / RBig::from(24);
    (exact::bits(&turns) < MAX_BITS).then(|| turns.floor())
}
