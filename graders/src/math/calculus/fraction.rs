//! Quotients of polynomials with rational coefficients, and their partial fractions.

use dashu::rational::RBig;

use super::super::exact;
use super::super::expr::Expr;
use super::polynomial::{
    MAX_DEGREE, Poly, at, divide, factors, gcd, minus, plus, power, scale, times, trimmed,
};
use super::tidy::depends;
use super::work::Work;

/// An expression as a quotient of polynomials with rational coefficients, in lowest terms.
pub(super) fn quotient(expr: &Expr, x: &str, work: &mut Work) -> Option<(Poly, Poly)> {
    let (top, bottom) = fraction(expr, x, work)?;
    let common = gcd(&top, &bottom)?;
    let (top, bottom) = (divide(&top, &common)?.0, divide(&bottom, &common)?.0);
    let lead = RBig::ONE / bottom.last()?;
    Some((scale(&top, &lead), scale(&bottom, &lead)))
}

fn fraction(expr: &Expr, x: &str, work: &mut Work) -> Option<(Poly, Poly)> {
    work.step(5)?;
    match expr {
        Expr::Variable(name) if **name == *x => Some((vec![RBig::ZERO, RBig::ONE], vec![RBig::ONE])),
        Expr::Sum(terms) => {
            let mut out = (Vec::new(), vec![RBig::ONE]);
            for term in terms {
                let (top, bottom) = fraction(term, x, work)?;
                out = if bottom == out.1 {
                    (plus(&out.0, &top), bottom)
                } else {
                    let top = plus(&times(&out.0, &bottom)?, &times(&top, &out.1)?);
                    (top, times(&out.1, &bottom)?)
                };
                work.step(out.0.len() + out.1.len())?;
            }
            Some(out)
        }
        Expr::Product(factors) => {
            let mut out = (vec![RBig::ONE], vec![RBig::ONE]);
            for factor in factors {
                let (top, bottom) = fraction(factor, x, work)?;
                out = (times(&out.0, &top)?, times(&out.1, &bottom)?);
                work.step(out.0.len() + out.1.len())?;
            }
            Some(out)
        }
        Expr::Power(base, exponent) if depends(base, x) => {
            let n = i64::try_from(exact::integer(&exact::value(exponent)?)?).ok()?;
            let (top, bottom) = fraction(base, x, work)?;
            let size = usize::try_from(n.unsigned_abs()).ok().filter(|n| *n <= MAX_DEGREE)?;
            work.step(size * (top.len() + bottom.len()))?;
            let (top, bottom) = (power(&top, size)?, power(&bottom, size)?);
            if n >= 0 { Some((top, bottom)) } else { (!top.is_empty()).then_some((bottom, top)) }
        }
        other => Some((trimmed(vec![exact::value(other)?]), vec![RBig::ONE])),
    }
}

/// The terms of a partial fraction decomposition: a polynomial, and tops over powers of monic factors.
pub(super) struct Parts {
    pub(super) whole: Poly,
    pub(super) terms: Vec<(Poly, Poly, usize)>,
}

/// Decomposes `top / bottom` into partial fractions over the rationals.
pub(super) fn parts(top: &[RBig], bottom: &[RBig], work: &mut Work) -> Option<Parts> {
    let (whole, mut rest) = divide(top, bottom)?;
    let factors = factors(bottom, work)?;
    let lead = bottom.last()?;
    let mut terms = Vec::new();
    for (index, (factor, multiplicity)) in factors.iter().enumerate() {
        // rest / (f^m · others) = A / f^m + B / others, with A = rest · others⁻¹ mod f^m.
        let own = power(factor, *multiplicity)?;
        let mut others = vec![lead.clone()];
        for (factor, multiplicity) in factors.iter().skip(index + 1) {
            others = times(&others, &power(factor, *multiplicity)?)?;
        }
        work.step(50 * own.len() * others.len())?;
        let inverse = inverse(&others, &own)?;
        let a = divide(&times(&divide(&rest, &own)?.1, &inverse)?, &own)?.1;
        rest = divide(&minus(&rest, &times(&a, &others)?), &own)?.0;
        // The digits of A to the base f.
        let mut digits = a;
        for exponent in (1..=*multiplicity).rev() {
            let (next, digit) = divide(&digits, factor)?;
            if !digit.is_empty() {
                terms.push((digit, factor.clone(), exponent));
            }
            digits = next;
        }
    }
    // The decomposition is unique; two places where it holds are a check of the steps above.
    for x in [RBig::from_parts(1_009.into(), 13_u8.into()), RBig::from_parts((-977).into(), 17_u8.into())] {
        let below = at(bottom, &x);
        let factors: Option<Vec<RBig>> = terms
            .iter()
            .map(|(digit, factor, n)| {
                let value = at(&power(factor, *n)?, &x);
                (!value.is_zero()).then(|| at(digit, &x) / value)
            })
            .collect();
        let sum = factors?.into_iter().fold(at(&whole, &x), |sum, term| sum + term);
        if below.is_zero() || sum * &below != at(top, &x) {
            return None;
        }
    }
    Some(Parts { whole, terms })
}

/// The inverse of `a` modulo `m`, by Euclid's algorithm.
fn inverse(a: &[RBig], m: &[RBig]) -> Option<Poly> {
    let (mut r0, mut r1) = (m.to_vec(), divide(a, m)?.1);
    let (mut s0, mut s1) = (Vec::new(), vec![RBig::ONE]);
    while !r1.is_empty() {
        let (q, r) = divide(&r0, &r1)?;
        let s = minus(&s0, &times(&q, &s1)?);
        (r0, r1) = (r1, r);
        (s0, s1) = (s1, s);
    }
    match r0.as_slice() {
        [unit] => Some(scale(&s0, &(RBig::ONE / unit))),
        _ => None,
    }
}
