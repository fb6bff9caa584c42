//! Definite integrals: by an antiderivative that is regular between the ends, and of Gauss's kind.

use dashu::base::Sign;
use dashu::rational::RBig;

use super::super::exact;
use super::super::expr::{Expr, Function, Side};
use super::fraction;
use super::integral::antiderivative;
use super::limit::{infinite, limit};
use super::polynomial;
use super::region::Region;
use super::tidy::{
    add, add2, depends, div, exp, improper, inv, is_zero, mul, mul2, neg, number, one, pow, sqrt, sub,
    substitute, variable, zero,
};
use super::work::Work;

/// The integral from one end to the other.
pub(super) fn resolve(f: &Expr, x: &str, from: &Expr, to: &Expr, work: &mut Work) -> Option<Expr> {
    if depends(from, x) || depends(to, x) {
        return None;
    }
    let ends = (infinite(from), infinite(to));
    if (ends.0.is_none() && improper(from)) || (ends.1.is_none() && improper(to)) {
        return None;
    }
    if from == to {
        return ends.0.is_none().then(zero);
    }
    let constant = |end: &Expr| !end.any(&|part| matches!(part, Expr::Variable(_) | Expr::Imaginary));
    if !constant(from) || !constant(to) {
        return symbolic(f, x, from, to, work);
    }
    let backwards = match ends {
        (Some(sign), _) => sign == Sign::Positive,
        (_, Some(sign)) => sign == Sign::Negative,
        _ => work.sign(&sub(to.clone(), from.clone()))? == Sign::Negative,
    };
    let (low, high) = if backwards { (to, from) } else { (from, to) };
    let value = between(f, x, low, high, work)?;
    Some(if backwards { neg(value) } else { value })
}

fn between(f: &Expr, x: &str, low: &Expr, high: &Expr, work: &mut Work) -> Option<Expr> {
    if let Some(value) = gauss(f, x, low, high, work).or_else(|| dirichlet(f, x, low, high, work)) {
        return Some(value);
    }
    if f.any(&|part| matches!(part, Expr::Imaginary)) {
        return None;
    }
    if let Some(value) = with_absolute_value(f, x, low, high, work) {
        return Some(value);
    }
    let found = antiderivative(f, x, work)?;
    let finite = |end: &Expr| infinite(end).is_none().then(|| end.clone());
    let region = Region::new(x, finite(low), finite(high), work)?;
    // The antiderivative is continuous between the ends, and so the integral is the difference of its limits
    // at the ends, where they exist; also if the integrand has a pole there.
    if !region.regular(&found, work) || !region.regular(f, work) {
        return None;
    }
    let mut at = |end: &Expr, side: Side| -> Option<Expr> {
        let value = limit(&found, x, end, side, work)?;
        (!improper(&value)).then_some(value)
    };
    let value = sub(at(high, Side::Below)?, at(low, Side::Above)?);
    (!improper(&value)).then_some(value)
}

/// With ends that are not numbers: where the integrand has no singularity, or the antiderivative none but
/// where the integral does not exist.
fn symbolic(f: &Expr, x: &str, from: &Expr, to: &Expr, work: &mut Work) -> Option<Expr> {
    if infinite(from).is_some() || infinite(to).is_some() {
        return None;
    }
    let rational = fraction::quotient(f, x, work).is_some();
    if !entire(f, x) && !rational {
        return None;
    }
    let found = antiderivative(f, x, work)?;
    if !rational && !entire(&found, x) {
        return None;
    }
    let value = sub(substitute(&found, x, to), substitute(&found, x, from));
    (!improper(&value)).then_some(value)
}

/// Whether the function is built from functions without singularities.
fn entire(f: &Expr, x: &str) -> bool {
    if !depends(f, x) {
        return true;
    }
    match f {
        Expr::Variable(_) => true,
        Expr::Sum(parts) | Expr::Product(parts) => parts.iter().all(|part| entire(part, x)),
        Expr::Power(base, exponent) => {
            if depends(base, x) {
                let whole = exact::value(exponent).is_some_and(|n| n.is_int() && n >= RBig::ZERO);
                return whole && entire(base, x);
            }
            let positive = match &**base {
                Expr::Euler | Expr::Pi => true,
                Expr::Number(n) => *n > RBig::ZERO,
                _ => false,
            };
            positive && entire(exponent, x)
        }
        Expr::Call(Function::Sin | Function::Cos | Function::Sinh | Function::Cosh, arguments) => {
            arguments.iter().all(|argument| entire(argument, x))
        }
        _ => false,
    }
}

/// The integral of a polynomial times `e^(-ax² + bx + c)` over the whole line, or half of it for b = 0.
fn gauss(f: &Expr, x: &str, low: &Expr, high: &Expr, work: &mut Work) -> Option<Expr> {
    let whole = infinite(low) == Some(Sign::Negative);
    if infinite(high) != Some(Sign::Positive) || !(whole || is_zero(low)) {
        return None;
    }
    let factors = match f {
        Expr::Product(factors) => factors.as_slice(),
        single => std::slice::from_ref(single),
    };
    let is_exp =
        |g: &Expr| matches!(g, Expr::Power(base, e) if matches!(**base, Expr::Euler) && depends(e, x));
    let at = factors.iter().position(is_exp)?;
    let Expr::Power(_, exponent) = factors.get(at)? else { return None };
    let quadratic = polynomial::coefficients(exponent, x, work)?;
    let [c, b, a] = quadratic.as_slice() else { return None };
    let a = neg(a.clone());
    if !work.maybe_positive(&a) {
        return None;
    }
    let others = factors.iter().enumerate().filter(|(other, _)| *other != at);
    let top = polynomial::coefficients(&mul(others.map(|(_, g)| g.clone()).collect()), x, work)?;
    if !whole && !is_zero(b) {
        return None;
    }
    let twice = mul2(Expr::integer(2), a.clone());
    let scale =
        exp(add2(c.clone(), div(pow(b.clone(), Expr::integer(2)), mul2(Expr::integer(4), a.clone()))));
    let root = sqrt(div(Expr::Pi, a.clone()));
    // I_n = (b I_(n-1) + (n-1) I_(n-2)) / 2a, on half the line from I_0 and I_1 = 1/2a.
    let mut moments: Vec<Expr> = vec![if whole { root } else { mul2(number(1, 2), root) }];
    for n in 1..top.len() {
        work.step(20)?;
        let one_back = mul2(b.clone(), moments.get(n - 1)?.clone());
        let moment = if n == 1 {
            if whole { one_back } else { one() }
        } else {
            add2(one_back, mul2(Expr::integer(i64::try_from(n - 1).ok()?), moments.get(n - 2)?.clone()))
        };
        moments.push(div(moment, twice.clone()));
    }
    let terms = top.into_iter().zip(moments).map(|(c, moment)| mul2(c, moment));
    Some(mul2(scale, add(terms.collect())))
}

/// `∫ sin(ax)/x` over the whole line or half of it.
fn dirichlet(f: &Expr, x: &str, low: &Expr, high: &Expr, work: &mut Work) -> Option<Expr> {
    let whole = infinite(low) == Some(Sign::Negative);
    if infinite(high) != Some(Sign::Positive) || !(whole || is_zero(low)) {
        return None;
    }
    let rest = mul2(f.clone(), variable(x));
    let (scale, sine) = match &rest {
        Expr::Product(factors) => {
            let (free, sine): (Vec<Expr>, Vec<Expr>) =
                factors.iter().cloned().partition(|factor| !depends(factor, x));
            (mul(free), mul(sine))
        }
        other => (one(), other.clone()),
    };
    let Expr::Call(Function::Sin, arguments) = &sine else { return None };
    let (a, b) = polynomial::linear(arguments.first()?, x, work)?;
    if !is_zero(&b) {
        return None;
    }
    let sign = if work.sign(&a)? == Sign::Positive { 1 } else { -1 };
    Some(mul(vec![scale, number(if whole { 2 * sign } else { sign }, 2), Expr::Pi]))
}

/// An integrand with absolute values of linear expressions, cut where they turn.
fn with_absolute_value(f: &Expr, x: &str, low: &Expr, high: &Expr, work: &mut Work) -> Option<Expr> {
    fn absolute<'a>(f: &'a Expr, x: &str) -> Option<&'a Expr> {
        if let Expr::Call(Function::Abs, arguments) = f
            && depends(f, x)
        {
            return arguments.first();
        }
        if let Expr::Power(base, exponent) = f {
            return absolute(base, x).or_else(|| absolute(exponent, x));
        }
        f.children().iter().find_map(|part| absolute(part, x))
    }
    fn opened(f: &Expr, u: &Expr, by: &Expr) -> Expr {
        let all = |parts: &[Expr]| parts.iter().map(|part| opened(part, u, by)).collect::<Vec<_>>();
        match f {
            Expr::Call(Function::Abs, arguments) if arguments.first() == Some(u) => by.clone(),
            Expr::Sum(terms) => add(all(terms)),
            Expr::Product(factors) => mul(all(factors)),
            Expr::Power(base, exponent) => pow(opened(base, u, by), opened(exponent, u, by)),
            Expr::Call(function, arguments) => super::tidy::call(*function, all(arguments)),
            other => other.clone(),
        }
    }
    let u = absolute(f, x)?;
    let (a, b) = polynomial::linear(u, x, work)?;
    let turn = mul2(neg(b), inv(a.clone()));
    let rising = work.sign(&a)? == Sign::Positive;
    let (left, right) = (opened(f, u, &neg(u.clone())), opened(f, u, u));
    let (left, right) = if rising { (left, right) } else { (right, left) };
    let above = infinite(low).is_none() && work.sign(&sub(turn.clone(), low.clone())) != Some(Sign::Positive);
    let below =
        infinite(high).is_none() && work.sign(&sub(high.clone(), turn.clone())) != Some(Sign::Positive);
    // A turning point whose place cannot be told from an end may lie at it.
    let known = |end: &Expr, outside: bool, work: &mut Work| {
        !outside || {
            let gap = sub(end.clone(), turn.clone());
            work.is_zero(&gap) == Some(true) || work.sign(&gap).is_some()
        }
    };
    if !known(low, above, work) || !known(high, below, work) {
        return None;
    }
    match (above, below) {
        (true, _) => between(&right, x, low, high, work),
        (_, true) => between(&left, x, low, high, work),
        _ => Some(add2(between(&left, x, low, &turn, work)?, between(&right, x, &turn, high, work)?)),
    }
}
