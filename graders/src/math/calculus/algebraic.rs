//! Antiderivatives of rational functions and of those with a power of a linear or the root of a quadratic
//! expression.

use dashu::base::Sign;
use dashu::rational::RBig;

use super::super::exact;
use super::super::expr::{Expr, Function};
use super::fraction;
use super::polynomial::{self, Poly};
use super::tidy::{
    add, add2, call1, depends, div, inv, is_zero, ln, mul, mul2, neg, number, one, pow, sqrt, sub, variable,
    zero,
};
use super::work::Work;

fn absolute_ln(u: Expr) -> Expr {
    ln(call1(Function::Abs, u))
}

/// A rational function with rational coefficients, by partial fractions.
pub(super) fn rational(f: &Expr, x: &str, work: &mut Work) -> Option<Expr> {
    let (top, bottom) = fraction::quotient(f, x, work)?;
    let parts = fraction::parts(&top, &bottom, work)?;
    let x = variable(x);
    let mut out: Vec<Expr> = vec![polynomial::written(&integral_of(&parts.whole), &x)];
    for (digit, factor, power) in &parts.terms {
        work.step(50)?;
        let at = |k: usize| digit.get(k).cloned().unwrap_or(RBig::ZERO);
        let u = polynomial::written(factor, &x);
        let m = i64::try_from(*power).ok()?;
        match factor.as_slice() {
            [_, _] if m == 1 => out.push(mul2(Expr::Number(at(0)), absolute_ln(u))),
            [_, _] => {
                let c = -at(0) / RBig::from(m - 1);
                out.push(mul2(Expr::Number(c), pow(u, Expr::integer(1 - m))));
            }
            [c, b, _] => {
                let (p, r) = (at(1), at(0));
                let half = RBig::from_parts(1.into(), 2_u8.into());
                let rest = r - &p * b * &half;
                let first = Expr::Number(p * half);
                out.push(if m == 1 {
                    mul2(first, absolute_ln(u.clone()))
                } else {
                    mul(vec![
                        first,
                        number(-1, u32::try_from(m - 1).ok()?),
                        pow(u.clone(), Expr::integer(1 - m)),
                    ])
                });
                out.push(mul2(Expr::Number(rest), inverse_quadratic(b, c, m, &x, work)?));
            }
            _ => return None,
        }
    }
    Some(add(out))
}

fn integral_of(a: &Poly) -> Poly {
    let terms = a.iter().enumerate().map(|(k, c)| c / RBig::from(k + 1));
    std::iter::once(RBig::ZERO).chain(terms).collect()
}

/// `∫ 1/(x² + bx + c)^m`, by reduction to m = 1.
fn inverse_quadratic(b: &RBig, c: &RBig, m: i64, x: &Expr, work: &mut Work) -> Option<Expr> {
    let d = RBig::from(4) * c - b * b;
    let written = |n: &RBig| Expr::Number(n.clone());
    let slope = add2(mul2(Expr::integer(2), x.clone()), written(b));
    let q = polynomial::written(&[c.clone(), b.clone(), RBig::ONE], x);
    let mut result = first_inverse(&written(&d), &slope, work)?;
    for m in 2..=m {
        let by = RBig::ONE / (&d * RBig::from(m - 1));
        let first = mul(vec![written(&by), slope.clone(), pow(q.clone(), Expr::integer(1 - m))]);
        let rest = mul2(Expr::Number(by * RBig::from(2 * (2 * m - 3))), result);
        result = add2(first, rest);
    }
    Some(result)
}

/// `∫ 1/q` for a quadratic `q` with `4ac - b² = d` and the derivative `slope`.
fn first_inverse(d: &Expr, slope: &Expr, work: &mut Work) -> Option<Expr> {
    if seems_negative(d, work) {
        let root = plain_root(&neg(d.clone()));
        let quotient = div(sub(slope.clone(), root.clone()), add2(slope.clone(), root.clone()));
        return Some(div(absolute_ln(quotient), root));
    }
    if is_zero(d) {
        return Some(mul2(Expr::integer(-2), inv(slope.clone())));
    }
    let root = plain_root(d);
    let angle = call1(Function::Arctan, div(slope.clone(), root.clone()));
    Some(mul(vec![Expr::integer(2), inv(root), angle]))
}

/// Whether a coefficient is negative, or has a minus sign in front where that cannot be told.
fn seems_negative(expr: &Expr, work: &mut Work) -> bool {
    let in_front = |expr: &Expr| match expr {
        Expr::Product(factors) => matches!(factors.first(), Some(Expr::Number(n)) if *n < RBig::ZERO),
        _ => false,
    };
    work.sign(expr).map_or_else(|| in_front(expr), |sign| sign == Sign::Negative)
}

/// A square root where its sign does not matter: `√(a²)` is `a`.
pub(super) fn plain_root(expr: &Expr) -> Expr {
    match expr {
        Expr::Product(factors) => mul(factors.iter().map(plain_root).collect()),
        Expr::Power(base, exponent) => pow((**base).clone(), mul2(number(1, 2), (**exponent).clone())),
        other => sqrt(other.clone()),
    }
}

/// `P(x) B(x)^e` with a polynomial `P` and a linear or quadratic `B`, coefficients free of the variable.
pub(super) fn with_power(f: &Expr, x: &str, work: &mut Work) -> Option<Expr> {
    let factors = match f {
        Expr::Product(factors) => factors.as_slice(),
        single => std::slice::from_ref(single),
    };
    let mut top = vec![one()];
    let mut special = None;
    for factor in factors {
        if let Some(part) = polynomial::coefficients(factor, x, work) {
            top = polynomial::multiply(&top, &part, work)?;
            continue;
        }
        let Expr::Power(base, exponent) = factor else { return None };
        if special.is_some() || depends(exponent, x) {
            return None;
        }
        special = Some((polynomial::coefficients(base, x, work)?, (**exponent).clone()));
    }
    let (base, exponent) = special?;
    match base.as_slice() {
        [b, a] => linear_power(&top, a, b, &exponent, x, work),
        [c, b, a] => quadratic_power(&top, (a, b, c), &exponent, x, work),
        _ => None,
    }
}

fn linear_power(top: &[Expr], a: &Expr, b: &Expr, e: &Expr, x: &str, work: &mut Work) -> Option<Expr> {
    // P((u - b)/a) by powers of u.
    let inner = [neg(div(b.clone(), a.clone())), inv(a.clone())];
    let mut in_u: Vec<Expr> = Vec::new();
    for c in top.iter().rev() {
        in_u = polynomial::multiply(&in_u, &inner, work)?;
        match in_u.first_mut() {
            Some(first) => *first = add2(first.clone(), c.clone()),
            None => in_u.push(c.clone()),
        }
    }
    let u = add2(mul2(a.clone(), variable(x)), b.clone());
    let mut out = Vec::new();
    for (j, c) in in_u.into_iter().enumerate() {
        let raised = add2(e.clone(), Expr::integer(i64::try_from(j + 1).ok()?));
        out.push(mul2(
            c,
            if is_zero(&raised) {
                absolute_ln(u.clone())
            } else {
                div(pow(u.clone(), raised.clone()), raised)
            },
        ));
    }
    Some(div(add(out), a.clone()))
}

fn quadratic_power(
    top: &[Expr],
    (a, b, c): (&Expr, &Expr, &Expr),
    e: &Expr,
    x: &str,
    work: &mut Work,
) -> Option<Expr> {
    let x = variable(x);
    let q = polynomial::expression(&[c.clone(), b.clone(), a.clone()], &x);
    let slope = add2(mul(vec![Expr::integer(2), a.clone(), x.clone()]), b.clone());
    let d = sub(mul(vec![Expr::integer(4), a.clone(), c.clone()]), pow(b.clone(), Expr::integer(2)));
    let halves = exact::value(e)? * RBig::from(2);
    let halves = i64::try_from(exact::integer(&halves)?).ok()?;
    let at = |p: &[Expr], k: usize| p.get(k).cloned().unwrap_or_else(zero);
    // px + r = p/(2a) q' + (r - pb/(2a))
    let split = |p: Expr, r: Expr| {
        let first = mul(vec![p, number(1, 2), inv(a.clone())]);
        let rest = sub(r, mul2(first.clone(), b.clone()));
        (first, rest)
    };
    match halves {
        -2 => {
            let mut rest = top.to_vec();
            let mut whole = vec![zero(); top.len()];
            while rest.len() > 2 {
                let lead = div(rest.pop()?, a.clone());
                let k = rest.len() - 2;
                *whole.get_mut(k)? = lead.clone();
                for (i, part) in [(k, c), (k + 1, b)] {
                    let slot = rest.get_mut(i)?;
                    *slot = sub(slot.clone(), mul2(lead.clone(), part.clone()));
                }
                work.step(10)?;
            }
            let whole = whole.into_iter().enumerate().map(|(k, c)| {
                let k = i64::try_from(k + 1).unwrap_or(1);
                mul(vec![c, number(1, u32::try_from(k).unwrap_or(1)), pow(x.clone(), Expr::integer(k))])
            });
            let (first, rest) = split(at(&rest, 1), at(&rest, 0));
            let mut out: Vec<Expr> = whole.collect();
            out.push(mul2(first, absolute_ln(q)));
            out.push(mul2(rest, first_inverse(&d, &slope, work)?));
            Some(add(out))
        }
        -3 if top.len() <= 2 => {
            let (first, rest) = split(at(top, 1), at(top, 0));
            let root = inv(sqrt(q));
            let second = mul(vec![Expr::integer(2), rest, slope, inv(d), root.clone()]);
            Some(add2(mul(vec![Expr::integer(-2), first, root]), second))
        }
        -1 => root_quadratic(top, (a, b, c), &q, &slope, &d, &x, work),
        1 => {
            let more = polynomial::multiply(top, &[c.clone(), b.clone(), a.clone()], work)?;
            root_quadratic(&more, (a, b, c), &q, &slope, &d, &x, work)
        }
        _ => None,
    }
}

/// `∫ P/√q = Q √q + λ ∫ 1/√q`.
fn root_quadratic(
    top: &[Expr],
    (a, b, c): (&Expr, &Expr, &Expr),
    q: &Expr,
    slope: &Expr,
    d: &Expr,
    x: &Expr,
    work: &mut Work,
) -> Option<Expr> {
    work.step(20 * top.len())?;
    let mut out = vec![zero(); top.len() + 2];
    for k in (0..top.len().saturating_sub(1)).rev() {
        let n = i64::try_from(k).ok()?;
        let above = mul(vec![number(2 * n + 3, 2), b.clone(), out.get(k + 1)?.clone()]);
        let second = mul(vec![Expr::integer(n + 2), c.clone(), out.get(k + 2)?.clone()]);
        let rest = add(vec![top.get(k + 1)?.clone(), neg(above), neg(second)]);
        *out.get_mut(k)? = div(rest, mul2(Expr::integer(n + 1), a.clone()));
    }
    let lambda = add(vec![
        top.first()?.clone(),
        neg(mul(vec![number(1, 2), b.clone(), out.first()?.clone()])),
        neg(mul2(c.clone(), out.get(1)?.clone())),
    ]);
    let last = if seems_negative(a, work) {
        let angle = div(neg(slope.clone()), sqrt(neg(d.clone())));
        div(call1(Function::Arcsin, angle), sqrt(neg(a.clone())))
    } else {
        let root = sqrt(a.clone());
        let inner = add2(mul(vec![Expr::integer(2), root.clone(), sqrt(q.clone())]), slope.clone());
        div(absolute_ln(inner), root)
    };
    Some(add2(mul2(polynomial::expression(&out, x), sqrt(q.clone())), mul2(lambda, last)))
}
