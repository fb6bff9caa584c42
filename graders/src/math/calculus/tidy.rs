//! Constructors that keep expressions small: numbers are folded, equal terms and equal bases are merged.
//!
//! Nothing here decides an equality. Every rule holds wherever both sides have a real value; roots become
//! powers with a fractional exponent, which the rest of the grader reads as the same real root.

use std::cmp::Ordering;

use dashu::base::BitTest as _;
use dashu::rational::RBig;

use super::super::exact;
use super::super::expr::{Binder, Bound, Expr, Function};
use super::fold;
pub(super) use super::fold::call;

/// The longest number that folding writes out, in bits.
pub(super) const MAX_BITS: usize = 2_048;

pub(super) fn variable(name: &str) -> Expr {
    Expr::Variable(name.into())
}

pub(super) fn number(top: i64, bottom: u32) -> Expr {
    Expr::Number(RBig::from_parts(top.into(), bottom.max(1).into()))
}

pub(super) fn zero() -> Expr {
    Expr::integer(0)
}

pub(super) fn one() -> Expr {
    Expr::integer(1)
}

pub(super) fn is_zero(expr: &Expr) -> bool {
    matches!(expr, Expr::Number(n) if n.is_zero())
}

pub(super) fn is_one(expr: &Expr) -> bool {
    matches!(expr, Expr::Number(n) if n.is_one())
}

pub(super) fn add2(a: Expr, b: Expr) -> Expr {
    add(vec![a, b])
}

pub(super) fn sub(a: Expr, b: Expr) -> Expr {
    add(vec![a, neg(b)])
}

pub(super) fn mul2(a: Expr, b: Expr) -> Expr {
    mul(vec![a, b])
}

pub(super) fn div(a: Expr, b: Expr) -> Expr {
    mul(vec![a, inv(b)])
}

pub(super) fn neg(a: Expr) -> Expr {
    mul(vec![Expr::integer(-1), a])
}

pub(super) fn inv(a: Expr) -> Expr {
    pow(a, Expr::integer(-1))
}

pub(super) fn exp(a: Expr) -> Expr {
    pow(Expr::Euler, a)
}

pub(super) fn sqrt(a: Expr) -> Expr {
    pow(a, number(1, 2))
}

pub(super) fn ln(a: Expr) -> Expr {
    call(Function::Ln, vec![a])
}

pub(super) fn call1(function: Function, a: Expr) -> Expr {
    call(function, vec![a])
}

/// How many parts an expression has.
pub(super) fn size(expr: &Expr) -> usize {
    1 + match expr {
        Expr::Power(base, exponent) => size(base) + size(exponent),
        Expr::Bound(bound) => size(&bound.body) + bound.from.iter().chain(&bound.to).map(size).sum::<usize>(),
        other => other.children().iter().map(size).sum(),
    }
}

/// Whether a variable of this name hides the one outside.
pub(super) fn hides(bound: &Bound, name: &str) -> bool {
    // A family of antiderivatives and a derivative at no point are functions of their own variable.
    let open = match bound.binder {
        Binder::Integral => bound.from.is_none() && bound.to.is_none(),
        Binder::Derivative(_) => bound.to.is_none(),
        _ => false,
    };
    *bound.variable == *name && !open
}

/// Whether the value may change with the variable.
pub(super) fn depends(expr: &Expr, name: &str) -> bool {
    match expr {
        Expr::Variable(own) => **own == *name,
        Expr::Power(base, exponent) => depends(base, name) || depends(exponent, name),
        Expr::Bound(bound) => {
            bound.from.iter().chain(&bound.to).any(|end| depends(end, name))
                || (!hides(bound, name) && depends(&bound.body, name))
        }
        other => other.children().iter().any(|part| depends(part, name)),
    }
}

/// Whether a part has no value: an infinity, or zero to a power that is not positive.
pub(super) fn improper(expr: &Expr) -> bool {
    expr.any(&|part| match part {
        Expr::Infinity => true,
        Expr::Power(base, exponent) => {
            is_zero(base) && !matches!(&**exponent, Expr::Number(n) if *n > RBig::ZERO)
        }
        _ => false,
    })
}

/// The same expression built anew, part by part.
pub(super) fn tidy(expr: &Expr) -> Expr {
    let all = |parts: &[Expr]| parts.iter().map(tidy).collect::<Vec<_>>();
    match expr {
        Expr::Sum(terms) => add(all(terms)),
        Expr::Product(factors) => mul(all(factors)),
        Expr::Power(base, exponent) => pow(tidy(base), tidy(exponent)),
        Expr::Root(degree, inner) if *degree > 0 => pow(tidy(inner), number(1, *degree)),
        Expr::Call(function, arguments) => call(*function, all(arguments)),
        other => other.clone(),
    }
}

/// The expression with a variable replaced and built anew.
pub(super) fn substitute(expr: &Expr, name: &str, by: &Expr) -> Expr {
    tidy(&expr.with_variable(name, by))
}

/// A total order, so that equal sums and products are written the same way.
pub(super) fn order(a: &Expr, b: &Expr) -> Ordering {
    let rank = |expr: &Expr| match expr {
        Expr::Number(_) => 0,
        Expr::Pi => 1,
        Expr::Euler => 2,
        Expr::Imaginary => 3,
        Expr::Infinity => 4,
        Expr::Degree => 5,
        Expr::Variable(_) => 6,
        Expr::Power(..) => 7,
        Expr::Root(..) => 8,
        Expr::Product(_) => 9,
        Expr::Sum(_) => 10,
        Expr::Call(..) => 11,
        Expr::Apply(..) => 12,
        Expr::Bound(_) => 13,
    };
    let lists = |a: &[Expr], b: &[Expr]| {
        let first = a.iter().zip(b).map(|(x, y)| order(x, y)).find(|order| order.is_ne());
        first.unwrap_or_else(|| a.len().cmp(&b.len()))
    };
    match (a, b) {
        (Expr::Number(x), Expr::Number(y)) => x.cmp(y),
        (Expr::Variable(x), Expr::Variable(y)) => x.cmp(y),
        (Expr::Power(x, m), Expr::Power(y, n)) => order(x, y).then_with(|| order(m, n)),
        (Expr::Root(m, x), Expr::Root(n, y)) => m.cmp(n).then_with(|| order(x, y)),
        (Expr::Product(x), Expr::Product(y)) | (Expr::Sum(x), Expr::Sum(y)) => lists(x, y),
        (Expr::Call(f, x), Expr::Call(g, y)) => (*f as u8).cmp(&(*g as u8)).then_with(|| lists(x, y)),
        (Expr::Apply(f, x), Expr::Apply(g, y)) => f.cmp(g).then_with(|| lists(x, y)),
        _ => rank(a).cmp(&rank(b)),
    }
}

/// The rational factor of a term, and the rest.
fn split(term: Expr) -> (RBig, Expr) {
    match term {
        Expr::Number(n) => (n, one()),
        Expr::Product(mut factors) => {
            if let Some(Expr::Number(_)) = factors.first() {
                let Expr::Number(n) = factors.remove(0) else { return (RBig::ONE, Expr::Product(factors)) };
                (n, Expr::product(factors))
            } else {
                (RBig::ONE, Expr::Product(factors))
            }
        }
        other => (RBig::ONE, other),
    }
}

/// A sum with equal terms collected.
pub(super) fn add(terms: Vec<Expr>) -> Expr {
    let mut flat = Vec::with_capacity(terms.len());
    for term in terms {
        match term {
            Expr::Sum(inner) => flat.extend(inner),
            other => flat.push(other),
        }
    }
    if flat.iter().any(improper) {
        return Expr::sum(flat);
    }
    let mut parts: Vec<(Expr, RBig)> = flat
        .into_iter()
        .map(|term| {
            let (coefficient, rest) = split(term);
            (rest, coefficient)
        })
        .collect();
    parts.sort_by(|(a, _), (b, _)| order(a, b));
    let mut merged: Vec<(Expr, RBig)> = Vec::with_capacity(parts.len());
    for (rest, coefficient) in parts {
        match merged.last_mut() {
            Some((last, total))
                if *last == rest && exact::bits(total) + exact::bits(&coefficient) < MAX_BITS =>
            {
                *total += coefficient;
            }
            _ => merged.push((rest, coefficient)),
        }
    }
    let terms: Vec<Expr> =
        merged.into_iter().filter(|(_, n)| !n.is_zero()).map(|(rest, n)| scaled(n, rest)).collect();
    if terms.is_empty() { zero() } else { Expr::sum(terms) }
}

/// A number times something that has no number in front.
pub(super) fn scaled(n: RBig, rest: Expr) -> Expr {
    if is_one(&rest) {
        return Expr::Number(n);
    }
    if n.is_one() {
        return rest;
    }
    match rest {
        Expr::Product(factors) => Expr::Product(std::iter::once(Expr::Number(n)).chain(factors).collect()),
        other => Expr::Product(vec![Expr::Number(n), other]),
    }
}

/// A product with equal bases collected.
pub(super) fn mul(factors: Vec<Expr>) -> Expr {
    let mut flat = Vec::with_capacity(factors.len());
    for factor in factors {
        match factor {
            Expr::Product(inner) => flat.extend(inner),
            other => flat.push(other),
        }
    }
    if flat.iter().any(improper) {
        return Expr::product(flat);
    }
    let mut coefficient = RBig::ONE;
    let mut parts: Vec<(Expr, Expr)> = Vec::with_capacity(flat.len());
    for factor in flat {
        match factor {
            Expr::Number(n) if exact::bits(&n) + exact::bits(&coefficient) < MAX_BITS => coefficient *= n,
            Expr::Power(base, exponent) => parts.push((*base, *exponent)),
            Expr::Root(degree, inner) if degree > 0 => parts.push((*inner, number(1, degree))),
            other => parts.push((other, one())),
        }
    }
    if coefficient.is_zero() {
        return zero();
    }
    parts.sort_by(|(a, _), (b, _)| order(a, b));
    let mut merged: Vec<(Expr, Vec<Expr>)> = Vec::with_capacity(parts.len());
    for (base, exponent) in parts {
        match merged.last_mut() {
            Some((last, exponents)) if *last == base => exponents.push(exponent),
            _ => merged.push((base, vec![exponent])),
        }
    }
    let mut out = Vec::with_capacity(merged.len());
    let mut again = false;
    for (base, mut exponents) in merged {
        let surds = matches!(base, Expr::Number(_));
        let factor = if exponents.len() == 1 && !surds {
            rebuilt(base, exponents.pop().unwrap_or_else(one))
        } else {
            let factor = pow(base, add(exponents));
            again |= matches!(factor, Expr::Product(_));
            factor
        };
        match factor {
            Expr::Number(n) if exact::bits(&n) + exact::bits(&coefficient) < MAX_BITS => coefficient *= n,
            other => out.push(other),
        }
    }
    if again {
        out.push(Expr::Number(coefficient));
        return mul(out);
    }
    if coefficient.is_zero() {
        return zero();
    }
    if let [Expr::Sum(_)] = out.as_slice()
        && !coefficient.is_one()
        && let Some(Expr::Sum(terms)) = out.pop()
    {
        return add(terms.into_iter().map(|term| times(&coefficient, term)).collect());
    }
    if out.is_empty() {
        return Expr::Number(coefficient);
    }
    scaled(coefficient, Expr::product(out))
}

fn times(n: &RBig, term: Expr) -> Expr {
    let (own, rest) = split(term);
    scaled(own * n, rest)
}

fn rebuilt(base: Expr, exponent: Expr) -> Expr {
    if is_one(&exponent) { base } else { Expr::Power(Box::new(base), Box::new(exponent)) }
}

/// The greatest positive rational of which all coefficients are whole multiples.
fn content(terms: &[Expr]) -> RBig {
    use dashu::base::{Gcd as _, UnsignedAbs as _};
    let mut found: Option<(dashu::integer::UBig, dashu::integer::UBig)> = None;
    for term in terms {
        let n = match term {
            Expr::Number(n) => n.clone(),
            Expr::Product(factors) => match factors.first() {
                Some(Expr::Number(n)) => n.clone(),
                _ => RBig::ONE,
            },
            _ => RBig::ONE,
        };
        let (top, bottom) = (n.numerator().unsigned_abs(), n.denominator().clone());
        found = Some(match found {
            None => (top, bottom),
            Some((a, b)) => {
                let common = (&b).gcd(&bottom);
                (a.gcd(top), b * (bottom / common))
            }
        });
        if found.as_ref().is_some_and(|(_, bottom)| bottom.bit_len() > MAX_BITS) {
            return RBig::ONE;
        }
    }
    match found {
        Some((top, bottom)) if !top.is_zero() => RBig::from_parts(top.into(), bottom),
        _ => RBig::ONE,
    }
}

fn is_positive(expr: &Expr) -> bool {
    matches!(expr, Expr::Number(n) if *n > RBig::ZERO)
}

/// A power, folded where that is certain.
pub(super) fn pow(base: Expr, exponent: Expr) -> Expr {
    if improper(&base) || improper(&exponent) || is_zero(&base) && !is_positive(&exponent) {
        return Expr::Power(Box::new(base), Box::new(exponent));
    }
    if is_one(&exponent) || is_one(&base) {
        return base;
    }
    if let Expr::Number(n) = &exponent {
        if n.is_zero() {
            return one();
        }
        let whole = n.is_int();
        match base {
            Expr::Number(b) => {
                let folded =
                    Expr::Power(Box::new(Expr::Number(b.clone())), Box::new(Expr::Number(n.clone())));
                return match exact::value(&folded).filter(|value| exact::bits(value) < MAX_BITS) {
                    Some(value) => Expr::Number(value),
                    None => fold::surd(&b, n).unwrap_or(folded),
                };
            }
            Expr::Power(inner, first) if whole || matches!(*inner, Expr::Euler) => {
                return pow(*inner, mul2(*first, exponent));
            }
            Expr::Product(factors) if whole => {
                return mul(factors.into_iter().map(|f| pow(f, exponent.clone())).collect());
            }
            Expr::Product(factors) if factors.first().is_some_and(|c| is_positive(c) && !is_one(c)) => {
                let (c, rest) = split(Expr::Product(factors));
                return mul(vec![pow(Expr::Number(c), exponent.clone()), rebuilt(rest, exponent)]);
            }
            Expr::Sum(terms) if !whole => {
                let content = content(&terms);
                if content.is_one() {
                    return rebuilt(Expr::Sum(terms), exponent);
                }
                let by = RBig::ONE / &content;
                let rest = Expr::Sum(terms.into_iter().map(|term| times(&by, term)).collect());
                return mul(vec![pow(Expr::Number(content), exponent.clone()), rebuilt(rest, exponent)]);
            }
            other => return rebuilt(other, exponent),
        }
    }
    if matches!(base, Expr::Euler) {
        return exponential(exponent);
    }
    match base {
        // (e^a)^b = e^(ab) for real a.
        Expr::Power(inner, first) if matches!(*inner, Expr::Euler) => exponential(mul2(*first, exponent)),
        other => rebuilt(other, exponent),
    }
}

/// e to a power, with e^(a ln u) = u^a.
fn exponential(exponent: Expr) -> Expr {
    let is_ln = |expr: &Expr| matches!(expr, Expr::Call(Function::Ln, _));
    let has_ln = |term: &Expr| match term {
        Expr::Product(factors) => factors.iter().filter(|f| is_ln(f)).count() == 1,
        other => is_ln(other),
    };
    let undone = |term: Expr| -> Expr {
        let factors = match term {
            Expr::Product(factors) => factors,
            single => vec![single],
        };
        let (logs, rest): (Vec<Expr>, Vec<Expr>) = factors.into_iter().partition(is_ln);
        let inner = logs.into_iter().find_map(|log| match log {
            Expr::Call(_, mut arguments) => arguments.pop(),
            _ => None,
        });
        pow(inner.unwrap_or(Expr::Euler), mul(rest))
    };
    match exponent {
        Expr::Sum(terms) if terms.iter().any(has_ln) => {
            let (logs, rest): (Vec<Expr>, Vec<Expr>) = terms.into_iter().partition(has_ln);
            let mut factors: Vec<Expr> = logs.into_iter().map(undone).collect();
            factors.push(rebuilt(Expr::Euler, add(rest)));
            mul(factors)
        }
        other if has_ln(&other) => undone(other),
        other => rebuilt(Expr::Euler, other),
    }
}
