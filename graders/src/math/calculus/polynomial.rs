//! Polynomials in one variable, with rational coefficients or with coefficients free of the variable.

use dashu::base::Sign;
use dashu::rational::RBig;

use super::super::exact;
use super::super::expr::Expr;
use super::tidy::{add, add2, depends, is_one, is_zero, mul2, number, one, zero};
use super::work::Work;

/// The highest degree that is worked with.
pub(super) const MAX_DEGREE: usize = 32;
/// The longest coefficient, in bits.
const MAX_BITS: usize = 2_048;

/// Coefficients from the constant up, without zeros at the end. No coefficient is the zero polynomial.
pub(super) type Poly = Vec<RBig>;

pub(super) fn trimmed(mut a: Poly) -> Poly {
    while a.last().is_some_and(RBig::is_zero) {
        a.pop();
    }
    a
}

pub(super) fn degree(a: &[RBig]) -> usize {
    a.len().saturating_sub(1)
}

pub(super) fn plus(a: &[RBig], b: &[RBig]) -> Poly {
    let at = |p: &[RBig], k: usize| p.get(k).cloned().unwrap_or(RBig::ZERO);
    trimmed((0..a.len().max(b.len())).map(|k| at(a, k) + at(b, k)).collect())
}

pub(super) fn scale(a: &[RBig], by: &RBig) -> Poly {
    trimmed(a.iter().map(|c| c * by).collect())
}

pub(super) fn minus(a: &[RBig], b: &[RBig]) -> Poly {
    plus(a, &scale(b, &RBig::NEG_ONE))
}

pub(super) fn times(a: &[RBig], b: &[RBig]) -> Option<Poly> {
    if a.is_empty() || b.is_empty() {
        return Some(Vec::new());
    }
    let length = a.len() + b.len() - 1;
    if length > 2 * MAX_DEGREE + 1 {
        return None;
    }
    let mut out = vec![RBig::ZERO; length];
    for (i, x) in a.iter().enumerate() {
        for (j, y) in b.iter().enumerate() {
            if let Some(slot) = out.get_mut(i + j) {
                *slot += x * y;
            }
        }
    }
    out.iter().all(|c| exact::bits(c) <= MAX_BITS).then(|| trimmed(out))
}

pub(super) fn power(a: &[RBig], n: usize) -> Option<Poly> {
    let mut out = vec![RBig::ONE];
    for _ in 0..n {
        out = times(&out, a)?;
    }
    Some(out)
}

/// Quotient and remainder.
pub(super) fn divide(a: &[RBig], b: &[RBig]) -> Option<(Poly, Poly)> {
    let lead = b.last()?;
    let mut rest = a.to_vec();
    let mut quotient = vec![RBig::ZERO; (a.len() + 1).saturating_sub(b.len())];
    while rest.len() >= b.len() {
        let shift = rest.len() - b.len();
        let factor = rest.last()? / lead;
        if exact::bits(&factor) > MAX_BITS {
            return None;
        }
        for (k, c) in b.iter().enumerate() {
            *rest.get_mut(k + shift)? -= c * &factor;
        }
        *quotient.get_mut(shift)? = factor;
        rest.pop();
        rest = trimmed(rest);
    }
    Some((trimmed(quotient), rest))
}

/// The greatest common divisor, with leading coefficient 1.
pub(super) fn gcd(a: &[RBig], b: &[RBig]) -> Option<Poly> {
    let (mut a, mut b) = (a.to_vec(), b.to_vec());
    while !b.is_empty() {
        let (_, rest) = divide(&a, &b)?;
        a = b;
        b = monic(&rest);
    }
    Some(monic(&a))
}

pub(super) fn monic(a: &[RBig]) -> Poly {
    match a.last() {
        Some(lead) => a.iter().map(|c| c / lead).collect(),
        None => Vec::new(),
    }
}

pub(super) fn differentiated(a: &[RBig]) -> Poly {
    a.iter().enumerate().skip(1).map(|(k, c)| c * RBig::from(k)).collect()
}

pub(super) fn at(a: &[RBig], x: &RBig) -> RBig {
    a.iter().rev().fold(RBig::ZERO, |value, c| value * x + c)
}

/// The expression of a polynomial.
pub(super) fn written(a: &[RBig], x: &Expr) -> Expr {
    let coefficients: Vec<Expr> = a.iter().cloned().map(Expr::Number).collect();
    expression(&coefficients, x)
}

pub(super) fn expression(a: &[Expr], x: &Expr) -> Expr {
    let terms = a.iter().enumerate().map(|(k, c)| {
        let power = |k| super::tidy::pow(x.clone(), Expr::integer(k));
        // A constant is one at zero as well, where 0^0 would have no value.
        i64::try_from(k).ok().filter(|k| *k > 0).map_or_else(|| c.clone(), |k| mul2(c.clone(), power(k)))
    });
    add(terms.collect())
}

/// The square-free parts with their multiplicities (Yun 1976).
pub(super) fn square_free(a: &[RBig]) -> Option<Vec<(Poly, usize)>> {
    let mut parts = Vec::new();
    let common = gcd(a, &differentiated(a))?;
    let mut b = divide(a, &common)?.0;
    let mut c = divide(&differentiated(a), &common)?.0;
    let mut d = minus(&c, &differentiated(&b));
    let mut multiplicity = 1;
    while degree(&b) > 0 {
        if multiplicity > MAX_DEGREE + 1 {
            return None;
        }
        let part = gcd(&b, &d)?;
        b = divide(&b, &part)?.0;
        c = divide(&d, &part)?.0;
        d = minus(&c, &differentiated(&b));
        if degree(&part) > 0 {
            parts.push((part, multiplicity));
        }
        multiplicity += 1;
    }
    Some(parts)
}

/// The monic factors of degree one and two over the rationals with multiplicities, or `None` if there are
/// others. Candidates come from approximate roots, and each is checked by an exact division.
pub(super) fn factors(a: &[RBig], work: &mut Work) -> Option<Vec<(Poly, usize)>> {
    let mut out = Vec::new();
    if degree(a) > 12 {
        return None;
    }
    for (mut part, multiplicity) in square_free(a)? {
        work.step(200 * part.len())?;
        // A product with a whole multiple of all denominators has whole coefficients.
        let lead = part.iter().fold(RBig::ONE, |common, c| {
            let scaled = c * &common;
            common * RBig::from(scaled.denominator().clone())
        });
        let roots = if degree(&part) > 2 { approximate_roots(&part)? } else { Vec::new() };
        let near = |x: f64| -> Option<RBig> {
            let scaled = x * lead.to_f64().value();
            (scaled.abs() < 1e12).then(|| RBig::from(scaled.round() as i64) / &lead)
        };
        let mut candidates: Vec<Poly> = Vec::new();
        for (i, (re, im)) in roots.iter().enumerate() {
            if im.abs() < 1e-6 {
                candidates.extend(near(*re).map(|root| vec![-root, RBig::ONE]));
            }
            for (other_re, other_im) in roots.iter().skip(i + 1) {
                let product = (re * other_re - im * other_im, re * other_im + im * other_re);
                if (im + other_im).abs() < 1e-6
                    && product.1.abs() < 1e-5
                    && let (Some(sum), Some(product)) = (near(re + other_re), near(product.0))
                {
                    candidates.push(vec![product, -sum, RBig::ONE]);
                }
            }
        }
        candidates.sort_by_key(Vec::len);
        for candidate in candidates {
            if degree(&part) <= 2 {
                break;
            }
            let (quotient, rest) = divide(&part, &candidate)?;
            if rest.is_empty() {
                part = quotient;
                split(&candidate, multiplicity, &mut out);
            }
        }
        match degree(&part) {
            0 => {}
            1 | 2 => split(&monic(&part), multiplicity, &mut out),
            _ => return None,
        }
    }
    Some(out)
}

/// A factor of degree one or two, taken apart where its roots are rational.
fn split(factor: &[RBig], multiplicity: usize, out: &mut Vec<(Poly, usize)>) {
    if let [c, b, _] = factor {
        let discriminant = b * b - RBig::from(4) * c;
        let root = Expr::Power(Box::new(Expr::Number(discriminant)), Box::new(number(1, 2)));
        if let Some(root) = exact::value(&root) {
            let half = RBig::from_parts(1.into(), 2_u8.into());
            for sign in [RBig::ONE, RBig::NEG_ONE] {
                out.push((vec![(b + &root * sign) * &half, RBig::ONE], multiplicity));
            }
            return;
        }
    }
    out.push((factor.to_vec(), multiplicity));
}

/// All complex roots of a square-free polynomial in floating point (Durand 1960, Kerner 1966).
fn approximate_roots(a: &[RBig]) -> Option<Vec<(f64, f64)>> {
    let c: Vec<f64> = monic(a).iter().map(|c| c.to_f64().value()).collect();
    if c.iter().any(|c| !c.is_finite()) {
        return None;
    }
    let n = c.len() - 1;
    let size = 1.0 + c.iter().take(n).fold(0.0_f64, |m, c| m.max(c.abs())).min(1e6);
    let times = |a: (f64, f64), b: (f64, f64)| (a.0 * b.0 - a.1 * b.1, a.0 * b.1 + a.1 * b.0);
    let radius = size.powf(1.0 / n as f64);
    let mut roots: Vec<(f64, f64)> = (0..n)
        .map(|k| {
            let angle = 0.4 + std::f64::consts::TAU * k as f64 / n as f64;
            (radius * angle.cos(), radius * angle.sin())
        })
        .collect();
    for _ in 0..100 {
        let mut change = 0.0_f64;
        for k in 0..n {
            let z = *roots.get(k)?;
            let value = c.iter().rev().fold((0.0, 0.0), |v, c| {
                let v = times(v, z);
                (v.0 + c, v.1)
            });
            let mut bottom = (1.0, 0.0);
            for (other, w) in roots.iter().enumerate() {
                if other != k {
                    bottom = times(bottom, (z.0 - w.0, z.1 - w.1));
                }
            }
            let norm = bottom.0 * bottom.0 + bottom.1 * bottom.1;
            if norm == 0.0 || !norm.is_finite() {
                return None;
            }
            let step = times(value, (bottom.0 / norm, -bottom.1 / norm));
            *roots.get_mut(k)? = (z.0 - step.0, z.1 - step.1);
            change = change.max(step.0.abs() + step.1.abs());
        }
        if change < 1e-13 * size {
            break;
        }
    }
    Some(roots)
}

/// How many different real roots lie in an open interval, by Sturm's theorem; `None` as an end is infinite.
/// An end that is a root is not counted.
pub(super) fn roots_between(a: &[RBig], low: Option<&RBig>, high: Option<&RBig>) -> Option<usize> {
    let a = divide(a, &gcd(a, &differentiated(a))?)?.0;
    let mut chain = vec![a.clone(), differentiated(&a)];
    while let [.., previous, last] = chain.as_slice() {
        if last.is_empty() {
            chain.pop();
            break;
        }
        let rest = divide(previous, last)?.1;
        let positive = scale(&rest, &RBig::NEG_ONE);
        chain.push(positive);
    }
    let changes = |x: Option<&RBig>, below: bool| {
        let mut last = None;
        let mut changes = 0_usize;
        for p in &chain {
            let value = match (x, p.last()) {
                (Some(x), _) => at(p, x),
                (None, Some(lead)) if below && degree(p) % 2 == 1 => -lead.clone(),
                (None, Some(lead)) => lead.clone(),
                (None, None) => RBig::ZERO,
            };
            if value.is_zero() {
                continue;
            }
            let sign = value > RBig::ZERO;
            changes += usize::from(last.is_some_and(|last: bool| last != sign));
            last = Some(sign);
        }
        changes
    };
    // Sturm counts the roots in (low, high].
    let counted = changes(low, true).checked_sub(changes(high, false))?;
    let at_end = high.is_some_and(|high| at(&a, high).is_zero());
    counted.checked_sub(usize::from(at_end))
}

/// The coefficients of an expression that is a polynomial in the variable, each free of it.
pub(super) fn coefficients(expr: &Expr, x: &str, work: &mut Work) -> Option<Vec<Expr>> {
    work.step(1)?;
    if !depends(expr, x) {
        return Some(if is_zero(expr) { Vec::new() } else { vec![expr.clone()] });
    }
    let trim = |mut a: Vec<Expr>| {
        while a.last().is_some_and(is_zero) {
            a.pop();
        }
        a
    };
    match expr {
        Expr::Variable(_) => Some(vec![zero(), one()]),
        Expr::Sum(terms) => {
            let mut out: Vec<Expr> = Vec::new();
            for term in terms {
                for (k, c) in coefficients(term, x, work)?.into_iter().enumerate() {
                    match out.get_mut(k) {
                        Some(slot) => *slot = add2(slot.clone(), c),
                        None => out.push(c),
                    }
                }
            }
            Some(trim(out))
        }
        Expr::Product(factors) => {
            let mut out = vec![one()];
            for factor in factors {
                out = multiply(&out, &coefficients(factor, x, work)?, work)?;
            }
            Some(trim(out))
        }
        Expr::Power(base, exponent) => {
            let n = usize::try_from(exact::integer(&exact::value(exponent)?)?).ok()?;
            if n > MAX_DEGREE {
                return None;
            }
            let base = coefficients(base, x, work)?;
            let mut out = vec![one()];
            for _ in 0..n {
                out = multiply(&out, &base, work)?;
            }
            Some(trim(out))
        }
        _ => None,
    }
}

pub(super) fn multiply(a: &[Expr], b: &[Expr], work: &mut Work) -> Option<Vec<Expr>> {
    if a.is_empty() || b.is_empty() {
        return Some(Vec::new());
    }
    let length = a.len() + b.len() - 1;
    work.step(a.len() * b.len())?;
    if length > MAX_DEGREE + 1 {
        return None;
    }
    let plain = |p: &[Expr]| -> Option<Poly> {
        let number = |c: &Expr| if let Expr::Number(n) = c { Some(n.clone()) } else { None };
        p.iter().map(number).collect()
    };
    if let (Some(x), Some(y)) = (plain(a), plain(b)) {
        let mut out: Vec<Expr> = times(&x, &y)?.into_iter().map(Expr::Number).collect();
        out.resize(length, zero());
        return Some(out);
    }
    let mut sums: Vec<Vec<Expr>> = vec![Vec::new(); length];
    for (i, x) in a.iter().enumerate() {
        for (j, y) in b.iter().enumerate() {
            if !is_zero(x) && !is_zero(y) {
                sums.get_mut(i + j)?.push(if is_one(x) { y.clone() } else { mul2(x.clone(), y.clone()) });
            }
        }
    }
    Some(sums.into_iter().map(add).collect())
}

/// The coefficients, if all are rational.
pub(super) fn rational(coefficients: &[Expr]) -> Option<Poly> {
    let all: Option<Poly> = coefficients.iter().map(exact::value).collect();
    Some(trimmed(all?))
}

/// An expression `a x + b` as `(a, b)`.
pub(super) fn linear(expr: &Expr, x: &str, work: &mut Work) -> Option<(Expr, Expr)> {
    match coefficients(expr, x, work)?.as_slice() {
        [] => Some((zero(), zero())),
        [b] => Some((zero(), b.clone())),
        [b, a] => Some((a.clone(), b.clone())),
        _ => None,
    }
}

/// The sign that a polynomial has on all of an open interval, where it has one.
pub(super) fn sign_between(a: &[RBig], low: Option<&RBig>, high: Option<&RBig>) -> Option<Sign> {
    if a.is_empty() || roots_between(a, low, high)? > 0 {
        return None;
    }
    let middle = match (low, high) {
        (Some(low), Some(high)) => (low + high) / RBig::from(2),
        (Some(low), None) => low + RBig::ONE,
        (None, Some(high)) => high - RBig::ONE,
        (None, None) => RBig::ZERO,
    };
    let value = at(a, &middle);
    Some(if value > RBig::ZERO { Sign::Positive } else { Sign::Negative })
}
