//! Sums, products, integrals, limits and derivatives as plain expressions, where that can be decided.
//!
//! [`resolve`] replaces every operator with a bound variable that has a value which can be shown, innermost
//! first, and leaves the others as they are: the comparison treats what is left as equal only to itself. An
//! antiderivative is used only after its derivative was compared with the integrand, a closed form of a
//! finite sum only after its difference was compared with the summand, and a definite integral only where the
//! antiderivative is regular between the ends. Conventions:
//!
//! - An integral without ends is the family of all antiderivatives; its constant is written `C` (or `C_1`
//!   where the integrand has a `C`). [`is_antiderivative`] compares such a family with a candidate.
//! - A parameter has a value for which the limit, sum or integral exists: `\sum x^n` is `1/(1-x)`.
//! - A sum or product over an empty range is 0 or 1. A divergent sum or integral has no value.

#![allow(clippy::many_single_char_names, reason = "formulas are written with the letters of their sources")]

mod algebraic;
mod definite;
mod derivative;
mod fold;
mod fraction;
mod infinite;
mod integral;
mod limit;
mod polynomial;
mod region;
mod series;
mod sum;
mod term;
#[cfg(test)]
mod tests;
mod tidy;
mod waves;
mod work;

use super::expr::{Binder, Bound, Expr};
use super::identity::Fuel;
use super::modular::Finding;
use work::Work;

/// The expression with every bound operator resolved that can be.
pub(super) fn resolve(expr: Expr) -> Expr {
    if !expr.any(&|part| matches!(part, Expr::Bound(_))) {
        return expr;
    }
    inner_first(expr, &mut Work::new())
}

/// Whether the candidate is the family of antiderivatives that an integral without ends stands for: its
/// derivative is the integrand, and a constant of integration (`C`, `c`, `K` or `k`, with any index) is
/// added. Without the constant it is one antiderivative and not the family, which is different.
pub(super) fn is_antiderivative(integral: &Bound, candidate: &Expr, fuel: &mut Fuel) -> Finding {
    integral::is_antiderivative(integral, candidate, fuel)
}

fn inner_first(expr: Expr, work: &mut Work) -> Expr {
    let mut all = |parts: Vec<Expr>| parts.into_iter().map(|part| inner_first(part, work)).collect();
    match expr {
        Expr::Sum(parts) => Expr::Sum(all(parts)),
        Expr::Product(parts) => Expr::Product(all(parts)),
        Expr::Power(base, exponent) => {
            let base = Box::new(inner_first(*base, work));
            Expr::Power(base, Box::new(inner_first(*exponent, work)))
        }
        Expr::Root(degree, inner) => Expr::Root(degree, Box::new(inner_first(*inner, work))),
        Expr::Call(function, parts) => Expr::Call(function, all(parts)),
        Expr::Apply(name, parts) => Expr::Apply(name, all(parts)),
        Expr::Bound(bound) => {
            let bound = Bound {
                binder: bound.binder,
                variable: bound.variable,
                body: inner_first(bound.body, work),
                from: bound.from.map(|end| inner_first(end, work)),
                to: bound.to.map(|end| inner_first(end, work)),
            };
            one(&bound, work).unwrap_or_else(|| Expr::Bound(Box::new(bound)))
        }
        other => other,
    }
}

/// What one operator stands for, when all inside it is plain.
fn one(bound: &Bound, work: &mut Work) -> Option<Expr> {
    work.step(1)?;
    let plain = |expr: &Expr| !expr.any(&|part| matches!(part, Expr::Bound(_) | Expr::Degree));
    if !bound.from.iter().chain(&bound.to).all(plain) {
        return None;
    }
    if let Binder::Derivative(order) = bound.binder {
        // The derivative of an integral by its ends needs no value of the integral.
        return derivative::resolve(order, bound, work).filter(plain);
    }
    if !plain(&bound.body) {
        return None;
    }
    match bound.binder {
        Binder::Sum | Binder::Product => sum::resolve(bound, work),
        Binder::Limit(side) => limit::resolve(side, bound, work),
        Binder::Integral => integral::resolve(bound, work),
        Binder::Derivative(_) => None,
    }
}
