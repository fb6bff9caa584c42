//! Antiderivatives by rules, each checked by its derivative before it is used.

use dashu::rational::RBig;

use super::super::exact;
use super::super::expr::{Bound, Expr, Function};
use super::super::identity::Fuel;
use super::super::modular::Finding;
use super::derivative::derivative;
use super::tidy::{
    add, add2, call1, depends, div, improper, inv, is_one, is_zero, ln, mul, mul2, neg, number, one, pow,
    size, sub, substitute, tidy, variable, zero,
};
use super::work::{Work, compared};
use super::{algebraic, definite, polynomial, waves};

/// How often a substitution or an integration by parts may lead to another.
const MAX_DEPTH: usize = 3;
/// The most inner functions that are tried for a substitution.
const MAX_CANDIDATES: usize = 10;
/// The largest antiderivative, in parts.
const MAX_SIZE: usize = 1_000;
/// The names of the constant of integration.
const CONSTANTS: [&str; 4] = ["C", "c", "K", "k"];

/// What an integral node stands for.
pub(super) fn resolve(bound: &Bound, work: &mut Work) -> Option<Expr> {
    let x = &*bound.variable;
    let body = tidy(&bound.body);
    if improper(&body) {
        return None;
    }
    match (&bound.from, &bound.to) {
        (Some(from), Some(to)) => definite::resolve(&body, x, &tidy(from), &tidy(to), work),
        (None, None) => {
            let constant = if depends(&body, "C") || x == "C" { "C_1" } else { "C" };
            Some(add2(antiderivative(&body, x, work)?, variable(constant)))
        }
        _ => None,
    }
}

/// Whether the candidate is the family of antiderivatives: its derivative is the integrand, and it has a
/// constant of integration (`C`, `c`, `K` or `k`, with any index) that is not in the integrand.
pub(super) fn is_antiderivative(integral: &Bound, candidate: &Expr, fuel: &mut Fuel) -> Finding {
    let work = &mut Work::new();
    let x = &*integral.variable;
    let is_constant = |name: &str| {
        let letter = name.split('_').next().unwrap_or(name);
        CONSTANTS.contains(&letter) && name != x && !depends(&integral.body, name)
    };
    let mut names = Vec::new();
    variables(candidate, &mut names);
    // Additive: the candidate grows as fast as the constant.
    let added = |work: &mut Work, name: &str| {
        derivative(candidate, name, work).is_some_and(|change| is_one(&change) || is_one(&neg(change)))
    };
    if !names.iter().any(|name| is_constant(name) && added(work, name)) {
        return Finding::Different;
    }
    match derivative(candidate, x, work) {
        Some(change) => compared(&change, &tidy(&integral.body), fuel),
        None => Finding::Unknown,
    }
}

fn variables(expr: &Expr, names: &mut Vec<Box<str>>) {
    match expr {
        Expr::Variable(name) if !names.contains(name) => names.push(name.clone()),
        Expr::Power(base, exponent) => {
            variables(base, names);
            variables(exponent, names);
        }
        other => other.children().iter().for_each(|part| variables(part, names)),
    }
}

/// An antiderivative, checked.
pub(super) fn antiderivative(f: &Expr, x: &str, work: &mut Work) -> Option<Expr> {
    let found = search(f, x, work, 0)?;
    if improper(&found) || size(&found) > MAX_SIZE {
        return None;
    }
    let change = derivative(&found, x, work)?;
    work.equal(&change, f).then_some(found)
}

fn search(f: &Expr, x: &str, work: &mut Work, depth: usize) -> Option<Expr> {
    work.step(30)?;
    if !depends(f, x) {
        return Some(mul2(f.clone(), variable(x)));
    }
    if size(f) > MAX_SIZE || f.any(&|part| matches!(part, Expr::Apply(..) | Expr::Bound(_))) {
        return None;
    }
    if let Expr::Product(factors) = f {
        let (free, rest): (Vec<Expr>, Vec<Expr>) = factors.iter().cloned().partition(|g| !depends(g, x));
        if !free.is_empty() {
            return Some(mul2(mul(free), search(&mul(rest), x, work, depth)?));
        }
    }
    let rules = [waves::antiderivative, algebraic::rational, algebraic::with_power, table];
    if let Some(found) = rules.iter().find_map(|rule| rule(f, x, work).filter(|found| !improper(found))) {
        return Some(found);
    }
    if let Expr::Sum(terms) = f
        && let Some(parts) = terms.iter().map(|term| search(term, x, work, depth)).collect::<Option<Vec<_>>>()
    {
        return Some(add(parts));
    }
    if let Some(found) = trigonometric(f, x, work) {
        return Some(found);
    }
    if depth >= MAX_DEPTH {
        return None;
    }
    if let Some(found) = by_parts(f, x, work, depth) {
        return Some(found);
    }
    if let Some(found) = substituted(f, x, work, depth) {
        return Some(found);
    }
    // A product of sums, written out.
    let Expr::Product(factors) = f else { return None };
    let at = factors.iter().position(|factor| matches!(factor, Expr::Sum(_)))?;
    let Expr::Sum(terms) = factors.get(at)? else { return None };
    let parts: Option<Vec<Expr>> = terms
        .iter()
        .map(|term| {
            let others = factors.iter().enumerate().filter(|(other, _)| *other != at);
            let product = mul(others.map(|(_, factor)| factor.clone()).chain([term.clone()]).collect());
            search(&product, x, work, depth + 1)
        })
        .collect();
    Some(add(parts?))
}

/// Functions of a linear argument.
fn table(f: &Expr, x: &str, work: &mut Work) -> Option<Expr> {
    use Function as F;
    let absolute_ln = |u: Expr| ln(call1(F::Abs, u));
    let (function, u, power) = match f {
        Expr::Call(function, arguments) => (*function, arguments.first()?, 1),
        Expr::Power(base, exponent) => {
            let Expr::Call(function, arguments) = &**base else { return None };
            let n = i64::try_from(exact::integer(&exact::value(exponent)?)?).ok()?;
            (*function, arguments.first()?, n)
        }
        _ => return None,
    };
    let (a, _) = polynomial::linear(u, x, work)?;
    let c = |function: F| call1(function, u.clone());
    let (function, power) = match (function, power) {
        (F::Sec, n) => (F::Cos, -n),
        (F::Csc, n) => (F::Sin, -n),
        (F::Sech, n) => (F::Cosh, -n),
        other => other,
    };
    let found = match (function, power) {
        (F::Tan, 1) => neg(absolute_ln(c(F::Cos))),
        (F::Cot, 1) => absolute_ln(c(F::Sin)),
        (F::Cos, -1) => absolute_ln(add2(inv(c(F::Cos)), c(F::Tan))),
        (F::Sin, -1) => absolute_ln(call1(F::Tan, mul2(number(1, 2), u.clone()))),
        (F::Cos, -2) => c(F::Tan),
        (F::Sin, -2) => neg(c(F::Cot)),
        (F::Tan, 2) => sub(c(F::Tan), u.clone()),
        (F::Cot, 2) => neg(add2(c(F::Cot), u.clone())),
        (F::Cosh, -2) => c(F::Tanh),
        (F::Tanh, 1) => ln(c(F::Cosh)),
        _ => return None,
    };
    Some(div(found, a))
}

/// A rational function of the sine and cosine of one linear argument.
fn trigonometric(f: &Expr, x: &str, work: &mut Work) -> Option<Expr> {
    use Function as F;
    fn angle<'a>(f: &'a Expr, x: &str) -> Option<&'a Expr> {
        if let Expr::Call(F::Sin | F::Cos | F::Tan | F::Cot | F::Sec | F::Csc, arguments) = f
            && depends(f, x)
        {
            return arguments.first();
        }
        if let Expr::Power(base, _) = f {
            return angle(base, x);
        }
        f.children().iter().find_map(|part| angle(part, x))
    }
    fn rewritten(f: &Expr, u: &Expr, sin: &Expr, cos: &Expr) -> Expr {
        let all = |parts: &[Expr]| parts.iter().map(|part| rewritten(part, u, sin, cos)).collect::<Vec<_>>();
        match f {
            Expr::Sum(terms) => add(all(terms)),
            Expr::Product(factors) => mul(all(factors)),
            Expr::Power(base, exponent) => pow(rewritten(base, u, sin, cos), (**exponent).clone()),
            Expr::Call(function, arguments) if arguments.first() == Some(u) => match function {
                F::Sin => sin.clone(),
                F::Cos => cos.clone(),
                F::Tan => div(sin.clone(), cos.clone()),
                F::Cot => div(cos.clone(), sin.clone()),
                F::Sec => inv(cos.clone()),
                F::Csc => inv(sin.clone()),
                _ => f.clone(),
            },
            other => other.clone(),
        }
    }
    let u = angle(f, x)?.clone();
    let (a, _) = polynomial::linear(&u, x, work)?;
    let t = variable("\\t");
    let bottom = add2(one(), pow(t.clone(), Expr::integer(2)));
    // First t = tan u, for functions of even degree; then t = tan(u/2).
    let root = pow(bottom.clone(), number(-1, 2));
    let whole = (mul2(t.clone(), root.clone()), root, one(), u.clone());
    let half = (
        mul(vec![Expr::integer(2), t.clone(), inv(bottom.clone())]),
        mul2(sub(one(), pow(t.clone(), Expr::integer(2))), inv(bottom.clone())),
        Expr::integer(2),
        mul2(number(1, 2), u.clone()),
    );
    for (sin, cos, factor, argument) in [whole, half] {
        let changed = mul(vec![rewritten(f, &u, &sin, &cos), factor, inv(bottom.clone())]);
        if depends(&changed, x) {
            return None;
        }
        if let Some(found) = algebraic::rational(&changed, "\\t", work) {
            return Some(div(substitute(&found, "\\t", &call1(F::Tan, argument)), a));
        }
    }
    None
}

/// `∫ p g = P g - ∫ P g'` for a logarithm or an inverse function `g`.
fn by_parts(f: &Expr, x: &str, work: &mut Work, depth: usize) -> Option<Expr> {
    use Function as F;
    let factors = match f {
        Expr::Product(factors) => factors.as_slice(),
        single => std::slice::from_ref(single),
    };
    let inverse = |expr: &Expr| {
        let called = |expr: &Expr| {
            let Expr::Call(function, _) = expr else { return false };
            matches!(
                function,
                F::Ln
                    | F::Log
                    | F::Arcsin
                    | F::Arccos
                    | F::Arctan
                    | F::Arccot
                    | F::Arsinh
                    | F::Arcosh
                    | F::Artanh
            )
        };
        match expr {
            Expr::Power(base, exponent) => {
                called(base) && exact::value(exponent).is_some_and(|n| n.is_int() && n > RBig::ZERO)
            }
            other => called(other),
        }
    };
    let at = factors.iter().position(inverse)?;
    let g = factors.get(at)?;
    let others = factors.iter().enumerate().filter(|(other, _)| *other != at);
    let rest = mul(others.map(|(_, factor)| factor.clone()).collect());
    let p = search(&rest, x, work, depth + 1)?;
    let change = mul2(p.clone(), derivative(g, x, work)?);
    let second = if is_zero(&change) { zero() } else { search(&change, x, work, depth + 1)? };
    Some(sub(mul2(p, g.clone()), second))
}

/// Substitution of an inner function.
fn substituted(f: &Expr, x: &str, work: &mut Work, depth: usize) -> Option<Expr> {
    let mut candidates = Vec::new();
    inner(f, x, &mut candidates);
    candidates.sort_by_key(|u| std::cmp::Reverse(size(u)));
    candidates.truncate(MAX_CANDIDATES);
    let name = format!("\\u{depth}");
    let new = variable(&name);
    for u in candidates {
        work.step(50)?;
        let replaced = replace(f, &u, &new);
        let changed = if let Some(x_of_u) = inverse_of(&u, x, &new, work) {
            let slope = derivative(&x_of_u, &name, work)?;
            mul2(substitute(&replaced, x, &x_of_u), slope)
        } else {
            // What is left must not depend on x: two values of x give the same.
            let Some(slope) = derivative(&u, x, work) else { continue };
            let quotient = div(replaced, slope);
            let [first, second] = [2, 3].map(|at| substitute(&quotient, x, &Expr::integer(at)));
            if first != second {
                continue;
            }
            first
        };
        if improper(&changed) || depends(&changed, x) || size(&changed) > MAX_SIZE {
            continue;
        }
        if let Some(found) = search(&changed, &name, work, depth + 1) {
            return Some(substitute(&found, &name, &u));
        }
    }
    None
}

/// Parts that depend on the variable and are more than it.
fn inner(f: &Expr, x: &str, found: &mut Vec<Expr>) {
    if !depends(f, x) || found.len() > 4 * MAX_CANDIDATES {
        return;
    }
    let mut push = |expr: &Expr| {
        if depends(expr, x) && !matches!(expr, Expr::Variable(_)) && !found.contains(expr) {
            found.push(expr.clone());
        }
    };
    match f {
        Expr::Power(base, exponent) => {
            push(base);
            push(exponent);
            if let Some(value) = exact::value(exponent) {
                let root = number(1, u32::try_from(value.denominator()).unwrap_or(1));
                push(&pow((**base).clone(), root));
            } else {
                push(f);
            }
            inner(base, x, found);
            inner(exponent, x, found);
        }
        Expr::Call(_, arguments) => {
            push(f);
            arguments.iter().for_each(&mut push);
            for argument in arguments {
                inner(argument, x, found);
            }
        }
        other => other.children().iter().for_each(|part| inner(part, x, found)),
    }
}

/// The variable by the value of an inner function, where that can be solved for it.
fn inverse_of(u: &Expr, x: &str, new: &Expr, work: &mut Work) -> Option<Expr> {
    let solved = |expr: &Expr, value: Expr, work: &mut Work| -> Option<Expr> {
        let (a, b) = polynomial::linear(expr, x, work)?;
        Some(div(sub(value, b), a))
    };
    if let Some(found) = solved(u, new.clone(), work) {
        return Some(found);
    }
    match u {
        Expr::Power(base, exponent) if !depends(base, x) => {
            let log = div(ln(new.clone()), ln((**base).clone()));
            solved(exponent, log, work)
        }
        Expr::Power(base, exponent) if !depends(exponent, x) => {
            solved(base, pow(new.clone(), inv((**exponent).clone())), work)
        }
        Expr::Call(Function::Ln, arguments) => {
            solved(arguments.first()?, super::tidy::exp(new.clone()), work)
        }
        _ => None,
    }
}

/// The expression with an inner function replaced, and its powers with it.
fn replace(expr: &Expr, what: &Expr, by: &Expr) -> Expr {
    if expr == what {
        return by.clone();
    }
    let all = |parts: &[Expr]| parts.iter().map(|part| replace(part, what, by)).collect::<Vec<_>>();
    match expr {
        Expr::Power(base, exponent) => {
            if let Expr::Power(other, first) = what
                && other == base
                && let Expr::Number(n) = div((**exponent).clone(), (**first).clone())
                && n.is_int()
            {
                return pow(by.clone(), Expr::Number(n));
            }
            pow(replace(base, what, by), replace(exponent, what, by))
        }
        Expr::Sum(terms) => add(all(terms)),
        Expr::Product(factors) => mul(all(factors)),
        Expr::Call(function, arguments) => super::tidy::call(*function, all(arguments)),
        other => other.clone(),
    }
}
