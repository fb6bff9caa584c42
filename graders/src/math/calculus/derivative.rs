//! Derivatives by the rules of differentiation.

use super::super::expr::{Binder, Bound, Expr, Function};
use super::tidy::{add, call1, depends, div, hides, inv, ln, mul, mul2, neg, number, one, pow, size};
use super::tidy::{sqrt, sub, tidy, zero};
use super::work::Work;

/// The largest result, in parts.
pub(super) const MAX_SIZE: usize = 2_000;
/// The highest order.
const MAX_ORDER: u32 = 16;

/// The derivative with respect to a variable; `None` where a part has none that can be written down (an
/// absolute value, a rounding, an unknown function) or it gets too long.
pub(super) fn derivative(expr: &Expr, variable: &str, work: &mut Work) -> Option<Expr> {
    let result = once(&tidy(expr), variable, work)?;
    (size(&result) <= MAX_SIZE).then_some(result)
}

/// What a derivative node stands for.
pub(super) fn resolve(order: u32, bound: &Bound, work: &mut Work) -> Option<Expr> {
    if order > MAX_ORDER {
        return None;
    }
    let mut result = tidy(&bound.body);
    for _ in 0..order {
        result = derivative(&result, &bound.variable, work)?;
    }
    match &bound.to {
        Some(at) => Some(super::tidy::substitute(&result, &bound.variable, at)),
        None => Some(result),
    }
}

fn once(expr: &Expr, x: &str, work: &mut Work) -> Option<Expr> {
    work.step(1)?;
    if !depends(expr, x) {
        return Some(zero());
    }
    match expr {
        Expr::Variable(_) => Some(one()),
        Expr::Sum(terms) => {
            let terms = terms.iter().map(|term| once(term, x, work)).collect::<Option<Vec<_>>>()?;
            Some(add(terms))
        }
        Expr::Product(factors) => {
            let mut terms = Vec::with_capacity(factors.len());
            for (at, factor) in factors.iter().enumerate() {
                if depends(factor, x) {
                    let changed = once(factor, x, work)?;
                    work.step(factors.iter().map(size).sum::<usize>() + size(&changed))?;
                    let others = factors.iter().enumerate().filter(|(other, _)| *other != at);
                    let mut product: Vec<Expr> = others.map(|(_, factor)| factor.clone()).collect();
                    product.push(changed);
                    terms.push(mul(product));
                }
            }
            Some(add(terms))
        }
        Expr::Power(base, exponent) => power(base, exponent, x, work),
        Expr::Root(degree, inner) => power(inner, &number(1, *degree), x, work),
        Expr::Call(function, arguments) => call(*function, arguments, x, work),
        Expr::Bound(bound) => integral(bound, x, work),
        _ => None,
    }
}

fn power(base: &Expr, exponent: &Expr, x: &str, work: &mut Work) -> Option<Expr> {
    let lowered = || pow(base.clone(), sub(exponent.clone(), one()));
    let raised = || pow(base.clone(), exponent.clone());
    match (depends(base, x), depends(exponent, x)) {
        (true, false) => Some(mul(vec![exponent.clone(), lowered(), once(base, x, work)?])),
        (false, _) => Some(mul(vec![raised(), ln(base.clone()), once(exponent, x, work)?])),
        (true, true) => {
            let base_changed = once(base, x, work)?;
            let exponent_changed = once(exponent, x, work)?;
            Some(add(vec![
                mul(vec![exponent.clone(), lowered(), base_changed]),
                mul(vec![raised(), ln(base.clone()), exponent_changed]),
            ]))
        }
    }
}

fn call(function: Function, arguments: &[Expr], x: &str, work: &mut Work) -> Option<Expr> {
    use Function as F;
    let square = |u: &Expr| pow(u.clone(), Expr::integer(2));
    if let (F::Log, [base, u]) = (function, arguments) {
        let quotient = div(ln(u.clone()), ln(base.clone()));
        return once(&quotient, x, work);
    }
    let [u] = arguments else { return None };
    // The logarithm of an absolute value has the derivative u'/u on both sides of zero.
    if let (F::Ln, Expr::Call(F::Abs, inner)) = (function, u)
        && let [inner] = inner.as_slice()
    {
        return Some(div(once(inner, x, work)?, inner.clone()));
    }
    let f = |function: F| call1(function, u.clone());
    let outer = match function {
        F::Sin => f(F::Cos),
        F::Cos => neg(f(F::Sin)),
        F::Tan => pow(f(F::Cos), Expr::integer(-2)),
        F::Cot => neg(pow(f(F::Sin), Expr::integer(-2))),
        F::Sec => mul2(f(F::Sec), f(F::Tan)),
        F::Csc => neg(mul2(f(F::Csc), f(F::Cot))),
        F::Arcsin => inv(sqrt(sub(one(), square(u)))),
        F::Arccos => neg(inv(sqrt(sub(one(), square(u))))),
        F::Arctan => inv(add(vec![one(), square(u)])),
        F::Arccot => neg(inv(add(vec![one(), square(u)]))),
        // |u| √(u² - 1) = u² √(1 - u⁻²)
        F::Arcsec | F::Arccsc => {
            let plain = inv(mul2(square(u), sqrt(sub(one(), pow(u.clone(), Expr::integer(-2))))));
            if function == F::Arcsec { plain } else { neg(plain) }
        }
        F::Sinh => f(F::Cosh),
        F::Cosh => f(F::Sinh),
        F::Tanh => pow(f(F::Cosh), Expr::integer(-2)),
        F::Coth => neg(pow(f(F::Sinh), Expr::integer(-2))),
        F::Sech => neg(mul2(f(F::Sech), f(F::Tanh))),
        F::Csch => neg(mul2(f(F::Csch), f(F::Coth))),
        F::Arsinh => inv(sqrt(add(vec![square(u), one()]))),
        F::Arcosh => inv(mul2(sqrt(sub(u.clone(), one())), sqrt(add(vec![u.clone(), one()])))),
        F::Artanh | F::Arcoth => inv(sub(one(), square(u))),
        F::Arsech => neg(inv(mul2(u.clone(), sqrt(sub(one(), square(u)))))),
        F::Arcsch => neg(inv(mul2(square(u), sqrt(add(vec![one(), pow(u.clone(), Expr::integer(-2))]))))),
        F::Ln => inv(u.clone()),
        _ => return None,
    };
    Some(mul2(outer, once(u, x, work)?))
}

/// The derivative of an integral by its ends, and of a family of antiderivatives by its own variable.
fn integral(bound: &Bound, x: &str, work: &mut Work) -> Option<Expr> {
    if bound.binder != Binder::Integral || bound.body.any(&|part| matches!(part, Expr::Bound(_))) {
        return None;
    }
    let (Some(from), Some(to)) = (&bound.from, &bound.to) else {
        return (*bound.variable == *x).then(|| bound.body.clone());
    };
    if !hides(bound, x) && depends(&bound.body, x) {
        return None;
    }
    let mut at = |end: &Expr| -> Option<Expr> {
        let changed = once(&tidy(end), x, work)?;
        if super::tidy::is_zero(&changed) {
            return Some(zero());
        }
        Some(mul2(super::tidy::substitute(&bound.body, &bound.variable, end), changed))
    };
    Some(sub(at(to)?, at(from)?))
}
