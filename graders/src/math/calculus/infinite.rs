//! Infinite sums: geometric, telescoping, of rational functions and of exponential type.

use dashu::base::Sign;
use dashu::rational::RBig;

use super::super::exact;
use super::super::expr::{Expr, Function};
use super::fraction;
use super::polynomial::{self, Poly};
use super::sum::{classes, falling, geometric};
use super::term::{Term, terms};
use super::tidy::{
    add, add2, call1, exp, improper, inv, is_one, is_zero, ln, mul, mul2, neg, number, one, pow, sqrt, sub,
    substitute, zero,
};
use super::work::Work;

/// The most first terms that are taken away from a sum with a known value.
const MAX_FIRST: i64 = 64;
/// The highest even power whose zeta value is written out.
const MAX_ZETA: usize = 24;

/// `Σ_{k ≥ from}`, if it converges and its value is known.
pub(super) fn sum(body: &Expr, k: &str, from: &Expr, work: &mut Work) -> Option<Expr> {
    let first = i64::try_from(exact::integer(&exact::value(from)?)?).ok().filter(|n| n.abs() <= MAX_FIRST)?;
    // Terms of different kinds converge each by itself, or not at all: their ratios differ.
    let parts: Option<Vec<Expr>> =
        terms(body, k, work)?.iter().map(|term| one_kind(term, k, first, work)).collect();
    let result = add(parts?);
    (!improper(&result)).then_some(result)
}

fn one_kind(term: &Term, k: &str, first: i64, work: &mut Work) -> Option<Expr> {
    if term.binomial.is_some() {
        return None;
    }
    if !term.factorials.is_empty() {
        return exponential(term, first, work);
    }
    if term.is_polynomial() {
        return converges(&term.ratio, work)
            .then(|| geometric(term, k, work).map(|q| neg(substitute(&q, k, &Expr::integer(first)))))?;
    }
    if is_one(&term.ratio) {
        return rational(&term.top, &term.bottom, first, work);
    }
    if term.ratio == Expr::integer(-1) {
        return alternating(term, first, work);
    }
    logarithmic(term, k, first, work)
}

/// Whether a ratio is below one in size. With a parameter in it, it is taken to be.
fn converges(ratio: &Expr, work: &mut Work) -> bool {
    !is_one(ratio) && work.maybe_positive(&sub(one(), pow(ratio.clone(), Expr::integer(2))))
}

/// A rational function, by partial fractions and the values of ψ and ζ.
fn rational(top: &[Expr], bottom: &Poly, first: i64, work: &mut Work) -> Option<Expr> {
    let term = Term {
        top: top.to_vec(),
        bottom: bottom.clone(),
        ratio: one(),
        factorials: Vec::new(),
        binomial: None,
    };
    let (c, top) = term.rational_top()?;
    if polynomial::degree(bottom) < polynomial::degree(&top) + 2 {
        return None;
    }
    let parts = fraction::parts(&top, bottom, work)?;
    let start = RBig::from(first);
    let mut out = Vec::new();
    for (_, factor, _) in &parts.terms {
        let [alpha, _] = factor.as_slice() else { return None };
        let pole = -alpha.clone();
        if pole.is_int() && pole >= start {
            return None;
        }
    }
    for class in classes(&parts.terms)? {
        // Moving the members together leaves only first terms, and what is left over of the class.
        out.push(neg(class.telescope(&Expr::integer(first), work)?));
        let total = class.total();
        if !total.is_zero() {
            let value = shifted(&(&class.first + &start), class.power, work)?;
            out.push(mul2(Expr::Number(total), value));
        }
    }
    Some(mul2(c, add(out)))
}

/// `Σ_{k ≥ 0} 1/(k + x)^m` for m ≥ 2, and `-ψ(x) - γ` for m = 1 (Gauss 1813), where the totals cancel γ.
fn shifted(x: &RBig, m: usize, work: &mut Work) -> Option<Expr> {
    let part = x - RBig::from(x.ceil()) + RBig::ONE;
    let steps = i64::try_from(exact::integer(&(x - &part))?).ok()?;
    if steps.abs() > MAX_FIRST {
        return None;
    }
    let base = base_value(&part, m)?;
    // The value at x is that at the part less the terms between, or with more of them.
    let mut out = vec![base];
    for j in steps.min(0)..steps.max(0) {
        work.step(5)?;
        let at = &part + RBig::from(j);
        if at.is_zero() {
            return None;
        }
        let term = pow(Expr::Number(at), Expr::integer(-i64::try_from(m).ok()?));
        out.push(if steps > 0 { neg(term) } else { term });
    }
    Some(add(out))
}

/// The value for x in (0, 1].
fn base_value(x: &RBig, m: usize) -> Option<Expr> {
    let (top, bottom) = (u32::try_from(x.numerator()).ok()?, u32::try_from(x.denominator()).ok()?);
    if m >= 2 {
        // The sums over 1/(k + 1/2)^m are (2^m - 1) ζ(m).
        let factor = match (top, bottom) {
            (1, 1) => RBig::ONE,
            (1, 2) => RBig::from((1_u64 << m.min(60)) - 1),
            _ => return None,
        };
        return Some(mul2(Expr::Number(factor), zeta(m)?));
    }
    let log = |n: i64| ln(Expr::integer(n));
    let root3 = || sqrt(Expr::integer(3));
    let sign = if 2 * top < bottom { 1 } else { -1 };
    let (angle, logs) = match bottom {
        1 => (zero(), zero()),
        2 => (zero(), mul2(Expr::integer(2), log(2))),
        3 => (mul(vec![number(1, 2), Expr::Pi, inv(root3())]), mul2(number(3, 2), log(3))),
        4 => (mul2(number(1, 2), Expr::Pi), mul2(Expr::integer(3), log(2))),
        6 => (
            mul(vec![number(1, 2), Expr::Pi, root3()]),
            add2(mul2(Expr::integer(2), log(2)), mul2(number(3, 2), log(3))),
        ),
        _ => return None,
    };
    Some(add2(mul2(Expr::integer(sign), angle), logs))
}

/// ζ at an even whole number: `(-1)^(n+1) B_2n (2π)^2n / (2 (2n)!)`.
fn zeta(m: usize) -> Option<Expr> {
    if m % 2 == 1 || m > MAX_ZETA {
        return None;
    }
    // Bernoulli numbers by Σ_{j ≤ n} (n+1 over j) B_j = 0.
    let mut bernoulli = vec![RBig::ONE];
    for n in 1..=m {
        let mut c = RBig::ONE;
        let mut sum = RBig::ZERO;
        for (j, b) in bernoulli.iter().enumerate() {
            sum += &c * b;
            c = c * RBig::from(n + 1 - j) / RBig::from(j + 1);
        }
        bernoulli.push(-sum / RBig::from(n + 1));
    }
    let mut value = bernoulli.pop()?;
    for j in 1..=m {
        value = value * RBig::from(2) / RBig::from(j);
    }
    let sign = if m % 4 == 2 { 1 } else { -1 };
    let value = value * RBig::from(sign) / RBig::from(2);
    Some(mul2(Expr::Number(value), pow(Expr::Pi, Expr::integer(i64::try_from(m).ok()?))))
}

/// `Σ (-1)^k R(k)`, by pairs: the terms go to zero, so the pairs add up to the same.
fn alternating(term: &Term, first: i64, work: &mut Work) -> Option<Expr> {
    let (c, top) = term.rational_top()?;
    if polynomial::degree(&term.bottom) <= polynomial::degree(&top) {
        return None;
    }
    // k = first + 2j and first + 2j + 1
    let moved = |p: &Poly, by: i64| -> Option<Poly> {
        let inner = [RBig::from(by), RBig::from(2)];
        let mut out = Vec::new();
        for coefficient in p.iter().rev() {
            out = polynomial::plus(&polynomial::times(&out, &inner)?, std::slice::from_ref(coefficient));
        }
        Some(polynomial::trimmed(out))
    };
    let (t0, b0) = (moved(&top, first)?, moved(&term.bottom, first)?);
    let (t1, b1) = (moved(&top, first + 1)?, moved(&term.bottom, first + 1)?);
    let top = polynomial::minus(&polynomial::times(&t0, &b1)?, &polynomial::times(&t1, &b0)?);
    let bottom = polynomial::times(&b0, &b1)?;
    work.step(bottom.len() * 20)?;
    if top.is_empty() {
        return None;
    }
    let common = polynomial::gcd(&top, &bottom)?;
    let top = polynomial::divide(&top, &common)?.0;
    let bottom = polynomial::divide(&bottom, &common)?.0;
    let top: Vec<Expr> = top.into_iter().map(Expr::Number).collect();
    let sum = rational(&top, &bottom, 0, work)?;
    let sign = if first % 2 == 0 { 1 } else { -1 };
    Some(mul(vec![Expr::integer(sign), c, sum]))
}

/// `Σ r^k R(k)` with simple poles at whole numbers or halves, by the series of the logarithm and arctangent.
fn logarithmic(term: &Term, k: &str, first: i64, work: &mut Work) -> Option<Expr> {
    if !converges(&term.ratio, work) {
        return None;
    }
    let r = &term.ratio;
    let (c, top) = term.rational_top()?;
    let parts = fraction::parts(&top, &term.bottom, work)?;
    let mut out = Vec::new();
    if !parts.whole.is_empty() {
        let whole = Term {
            top: parts.whole.iter().cloned().map(Expr::Number).collect(),
            bottom: vec![RBig::ONE],
            ..term.clone()
        };
        out.push(neg(substitute(&geometric(&whole, k, work)?, k, &Expr::integer(first))));
    }
    for (digit, factor, power) in &parts.terms {
        let ([a], [alpha, _], 1) = (digit.as_slice(), factor.as_slice(), *power) else { return None };
        let start = alpha + RBig::from(first);
        if start <= RBig::ZERO {
            return None;
        }
        let doubled = &start * RBig::from(2);
        let steps = exact::integer(&doubled)?;
        let steps = i64::try_from(steps).ok().filter(|n| *n <= MAX_FIRST)?;
        let whole = steps % 2 == 0;
        // Σ_{m ≥ 0} r^m / (m + x) for x = 1 or 1/2, less its first terms.
        let x = if whole { RBig::ONE } else { RBig::from_parts(1.into(), 2_u8.into()) };
        let base = if whole {
            neg(mul2(ln(sub(one(), r.clone())), inv(r.clone())))
        } else if let Some(y) = root_of_negative(r, work) {
            mul(vec![Expr::integer(2), call1(Function::Arctan, y.clone()), inv(y)])
        } else {
            let y = root(r)?;
            let quotient = mul2(add2(one(), y.clone()), inv(sub(one(), y.clone())));
            mul2(ln(quotient), inv(y))
        };
        let skipped = i64::try_from(exact::integer(&(&start - &x))?).ok()?;
        let mut terms = vec![base];
        for j in 0..skipped {
            let at = Expr::Number(&x + RBig::from(j));
            terms.push(neg(mul2(pow(r.clone(), Expr::integer(j)), inv(at))));
        }
        let power = pow(r.clone(), Expr::integer(first - skipped));
        out.push(mul(vec![Expr::Number(a.clone()), power, add(terms)]));
    }
    Some(mul2(c, add(out)))
}

/// `√(-r)` for an `r` that has a minus sign.
fn root_of_negative(r: &Expr, work: &mut Work) -> Option<Expr> {
    let minus = match r {
        Expr::Product(factors) => matches!(factors.first(), Some(Expr::Number(n)) if *n < RBig::ZERO),
        other => work.sign(other) == Some(Sign::Negative),
    };
    if minus { root(&neg(r.clone())) } else { None }
}

/// A square root up to sign, of something that is written as a square where it is one.
fn root(r: &Expr) -> Option<Expr> {
    Some(match r {
        Expr::Product(factors) => mul(factors.iter().map(root).collect::<Option<Vec<_>>>()?),
        Expr::Power(base, exponent) => pow((**base).clone(), mul2(number(1, 2), (**exponent).clone())),
        Expr::Number(n) if *n < RBig::ZERO => return None,
        other => sqrt(other.clone()),
    })
}

/// `Σ P(k) r^k / (αk + β)!` for α = 1 or 2, by the series of the exponential function.
fn exponential(term: &Term, first: i64, work: &mut Work) -> Option<Expr> {
    let [(alpha @ 1..=2, beta, true)] = term.factorials.as_slice() else { return None };
    if !term.is_polynomial() {
        return None;
    }
    let (alpha, beta) = (*alpha, *beta);
    let start = alpha * first + beta;
    if !(0..=MAX_FIRST).contains(&start) {
        return None;
    }
    // The polynomial in n = αk + β, by falling factorials of n.
    let inner = [number(-beta, u32::try_from(alpha).ok()?), number(1, u32::try_from(alpha).ok()?)];
    let mut in_n: Vec<Expr> = Vec::new();
    for c in term.top.iter().rev() {
        let product = polynomial::multiply(&in_n, &inner, work)?;
        let at = |i: usize| product.get(i).cloned().unwrap_or_else(zero);
        in_n =
            (0..product.len().max(1)).map(|i| if i == 0 { add2(at(0), c.clone()) } else { at(i) }).collect();
    }
    let s = falling(&in_n)?;
    let r = &term.ratio;
    let mut out = Vec::new();
    let negative = if alpha == 2 { root_of_negative(r, work) } else { None };
    for (j, s) in s.iter().enumerate() {
        let j = i64::try_from(j).ok()?;
        let shift = j - beta;
        if is_zero(s) {
            continue;
        }
        let value = if alpha == 1 {
            mul2(pow(r.clone(), Expr::integer(shift)), exp(r.clone()))
        } else if let Some(y) = &negative {
            // x = iy
            let even = shift % 2 == 0;
            let turns = if even { shift / 2 } else { (shift + 1) / 2 };
            let function = if even { Function::Cos } else { Function::Sin };
            let sign = if turns % 2 == 0 { 1 } else { -1 };
            mul(vec![Expr::integer(sign), pow(y.clone(), Expr::integer(shift)), call1(function, y.clone())])
        } else {
            let x = root(r)?;
            let function = if shift % 2 == 0 { Function::Cosh } else { Function::Sinh };
            mul2(pow(x.clone(), Expr::integer(shift)), call1(function, x))
        };
        out.push(mul2(s.clone(), value));
    }
    // Less the terms before the first: n = β mod α and below the start.
    for n in (start.rem_euclid(alpha)..start).step_by(usize::try_from(alpha).ok()?) {
        let k = (n - beta) / alpha;
        let at = polynomial::expression(&in_n, &Expr::integer(n));
        let factorial = call1(Function::Factorial, Expr::integer(n));
        out.push(neg(mul(vec![at, pow(r.clone(), Expr::integer(k)), inv(factorial)])));
    }
    Some(add(out))
}
