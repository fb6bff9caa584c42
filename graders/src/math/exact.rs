//! Exact values of constant expressions, within a bound on their size.

use dashu::base::{BitTest, Sign, UnsignedAbs};
use dashu::integer::{IBig, UBig};
use dashu::rational::RBig;

use super::expr::{Expr, Function};

/// The longest numerator or denominator that is worked with, in bits. What is longer is left to the
/// modular test, which never writes it out.
const MAX_BITS: usize = 1 << 14;
/// The largest number whose factorial is multiplied out.
const MAX_FACTORIAL: u64 = 1_000;
/// The deepest nesting that is looked into.
const MAX_DEPTH: u32 = 256;

/// The size of a rational, in bits.
pub(super) fn bits(x: &RBig) -> usize {
    x.numerator().bit_len() + x.denominator().bit_len()
}

fn bounded(x: RBig) -> Option<RBig> {
    (bits(&x) <= MAX_BITS).then_some(x)
}

/// The value of `expr`, if it is rational by arithmetic alone and not too large to write out.
pub(super) fn value(expr: &Expr) -> Option<RBig> {
    match expr {
        Expr::Number(n) => Some(n.clone()),
        Expr::Sum(terms) => {
            let mut sum = RBig::ZERO;
            for term in terms {
                sum = bounded(sum + value(term)?)?;
            }
            Some(sum)
        }
        Expr::Product(factors) => {
            let mut product = RBig::ONE;
            for factor in factors {
                product = bounded(product * value(factor)?)?;
            }
            Some(product)
        }
        Expr::Power(base, exponent) => power(&value(base)?, &value(exponent)?),
        Expr::Root(degree, inner) => root(&value(inner)?, *degree),
        Expr::Call(function, arguments) => value_of_call(*function, arguments),
        _ => None,
    }
}

/// The value of a function, if all of its arguments have one and so has it.
pub(super) fn value_of_call(function: Function, arguments: &[Expr]) -> Option<RBig> {
    let arguments: Vec<RBig> = arguments.iter().map(value).collect::<Option<_>>()?;
    call(function, &arguments)
}

/// `base` to an integer power, or to a fractional one where the root is rational.
fn power(base: &RBig, exponent: &RBig) -> Option<RBig> {
    let degree = u32::try_from(exponent.denominator()).ok()?;
    let base = if degree == 1 { base.clone() } else { root(base, degree)? };
    let (sign, n) = exponent.numerator().clone().into_parts();
    if base.is_zero() {
        return (sign == Sign::Positive && !n.is_zero()).then_some(RBig::ZERO);
    }
    if base.is_one() {
        return Some(base);
    }
    let n = u32::try_from(&n).ok()?;
    if base == RBig::NEG_ONE {
        return Some(if n % 2 == 0 { RBig::ONE } else { base });
    }
    if bits(&base).checked_mul(n as usize)? > 2 * MAX_BITS {
        return None;
    }
    let (numerator, denominator) = base.into_parts();
    let raised = RBig::from_parts(numerator.pow(n as usize), denominator.pow(n as usize));
    bounded(if sign == Sign::Negative { RBig::ONE / raised } else { raised })
}

fn root(x: &RBig, degree: u32) -> Option<RBig> {
    if x.numerator().sign() == Sign::Negative && degree.is_multiple_of(2) {
        return None;
    }
    let exact = |n: &UBig| {
        if degree as usize > MAX_BITS {
            return n.is_one().then_some(UBig::ONE);
        }
        let root = n.nth_root(degree as usize);
        (root.pow(degree as usize) == *n).then_some(root)
    };
    let magnitude = exact(&x.numerator().unsigned_abs())?;
    let numerator = IBig::from_parts(x.numerator().sign(), magnitude);
    Some(RBig::from_parts(numerator, exact(x.denominator())?))
}

/// A rational that is a whole number.
pub(super) fn integer(x: &RBig) -> Option<&IBig> {
    x.is_int().then(|| x.numerator())
}

fn natural(x: &RBig) -> Option<u64> {
    u64::try_from(integer(x)?).ok()
}

fn call(function: Function, arguments: &[RBig]) -> Option<RBig> {
    match (function, arguments) {
        (Function::Abs, [x]) => Some(RBig::from_parts(
            IBig::from_parts(Sign::Positive, x.numerator().unsigned_abs()),
            x.denominator().clone(),
        )),
        (Function::Sign, [x]) => Some(match x.numerator().sign() {
            _ if x.is_zero() => RBig::ZERO,
            Sign::Positive => RBig::ONE,
            Sign::Negative => RBig::NEG_ONE,
        }),
        (Function::Re | Function::Conjugate, [x]) => Some(x.clone()),
        (Function::Im, [_]) => Some(RBig::ZERO),
        (Function::Arg, [x]) => {
            (!x.is_zero() && x.numerator().sign() == Sign::Positive).then_some(RBig::ZERO)
        }
        (Function::Modulo, [x, y]) => {
            if y.is_zero() {
                return None;
            }
            bounded(x - y * RBig::from((x / y).floor()))
        }
        (Function::DoubleFactorial, [x]) => {
            let n = natural(x).filter(|n| *n <= MAX_FACTORIAL)?;
            Some(RBig::from((1..=n).rev().step_by(2).fold(UBig::ONE, |product, k| product * k)))
        }
        (Function::Floor, [x]) => Some(RBig::from(x.floor())),
        (Function::Ceil, [x]) => Some(RBig::from(x.ceil())),
        (Function::Factorial, [x]) => {
            let n = natural(x).filter(|n| *n <= MAX_FACTORIAL)?;
            Some(RBig::from((2..=n).fold(UBig::ONE, |product, k| product * k)))
        }
        (Function::Binomial, [n, k]) => {
            let (n, k) = (natural(n)?, natural(k)?);
            if k > n {
                return Some(RBig::ZERO);
            }
            let k = k.min(n - k);
            if k > MAX_FACTORIAL {
                return None;
            }
            let mut product = UBig::ONE;
            for step in 0..k {
                // Each partial product is itself a binomial coefficient, so the division is exact.
                product = product * (n - step) / (step + 1);
            }
            bounded(RBig::from(product))
        }
        (Function::Min, [_, ..]) => arguments.iter().min().cloned(),
        (Function::Max, [_, ..]) => arguments.iter().max().cloned(),
        (Function::Gcd | Function::Lcm, [_, ..]) => common(function, arguments),
        _ => None,
    }
}

/// The greatest common divisor or the least common multiple, of fractions too: 12/5 and 18/5 are whole
/// multiples of 6/5.
fn common(function: Function, arguments: &[RBig]) -> Option<RBig> {
    let mut result: Option<(UBig, UBig)> = None;
    for next in arguments {
        let next = (next.numerator().unsigned_abs(), next.denominator().clone());
        let joined = match result {
            None => next,
            Some((top, bottom)) => match function {
                Function::Gcd => (divisor(&top, &next.0), multiple(&bottom, &next.1)?),
                _ => (multiple(&top, &next.0)?, divisor(&bottom, &next.1)),
            },
        };
        if joined.0.bit_len() + joined.1.bit_len() > MAX_BITS {
            return None;
        }
        result = Some(joined);
    }
    let (top, bottom) = result?;
    Some(RBig::from_parts(top.into(), bottom))
}

fn divisor(a: &UBig, b: &UBig) -> UBig {
    use dashu::base::Gcd as _;
    // The library has no divisor of zero and zero.
    if a.is_zero() && b.is_zero() { UBig::ZERO } else { a.gcd(b) }
}

fn multiple(a: &UBig, b: &UBig) -> Option<UBig> {
    let divisor = divisor(a, b);
    if divisor.is_zero() { Some(UBig::ZERO) } else { Some(a / divisor * b) }
}

/// The expression with its rational parts worked out.
pub(super) fn folded(expr: &Expr, depth: u32) -> Option<Expr> {
    if depth > MAX_DEPTH {
        return None;
    }
    let all = |parts: &[Expr]| parts.iter().map(|part| folded(part, depth + 1)).collect::<Option<Vec<_>>>();
    let with = match expr {
        Expr::Sum(parts) => Expr::Sum(all(parts)?),
        Expr::Product(parts) => Expr::Product(all(parts)?),
        Expr::Call(function, parts) => Expr::Call(*function, all(parts)?),
        Expr::Root(degree, inner) => Expr::Root(*degree, Box::new(folded(inner, depth + 1)?)),
        Expr::Power(base, exponent) => {
            Expr::Power(Box::new(folded(base, depth + 1)?), Box::new(folded(exponent, depth + 1)?))
        }
        other => return Some(other.clone()),
    };
    let number = |part: &Expr| matches!(part, Expr::Number(_));
    let constant = match &with {
        Expr::Power(base, exponent) => number(base) && number(exponent),
        other => other.children().iter().all(number),
    };
    match constant.then(|| value(&with)).flatten() {
        Some(number) => Some(Expr::Number(number)),
        None => Some(with),
    }
}

/// The parts of an expression, counted.
pub(super) fn size(expr: &Expr) -> u32 {
    1 + match expr {
        Expr::Power(base, exponent) => size(base) + size(exponent),
        other => other.children().iter().map(size).sum(),
    }
}
