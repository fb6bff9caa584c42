//! Finite sums and products: written out where they are short, in closed form where there is one.

use dashu::base::Sign;
use dashu::rational::RBig;

use super::super::exact;
use super::super::expr::{Binder, Bound, Expr, Function};
use super::polynomial::{self, Poly};
use super::term::{Term, antidifference, terms};
use super::tidy::{
    add, add2, call1, depends, improper, inv, is_one, is_zero, mul, mul2, neg, one, pow, size, sub,
    substitute, tidy, variable, zero,
};
use super::work::Work;
use super::{fraction, infinite, limit};

/// The most terms that are added up one by one, if they are rational, and if not.
const MAX_RATIONAL_TERMS: i64 = 10_000;
const MAX_WRITTEN_TERMS: i64 = 200;
/// Up to so many terms, a sum is written out without a look for a closed form.
const SHORT: i64 = 24;
/// The furthest apart that two poles or zeros may lie and still cancel in a telescope.
const MAX_SHIFT: i64 = 64;
const MAX_SIZE: usize = 2_000;

/// What a sum or product node stands for.
pub(super) fn resolve(bound: &Bound, work: &mut Work) -> Option<Expr> {
    let (from, to) = (tidy(bound.from.as_ref()?), tidy(bound.to.as_ref()?));
    let (k, body) = (&*bound.variable, tidy(&bound.body));
    if improper(&from) || depends(&from, k) || depends(&to, k) || improper(&body) {
        return None;
    }
    let product = bound.binder == Binder::Product;
    if limit::infinite(&to) == Some(Sign::Positive) {
        return if product {
            infinite_product(&body, k, &from, work)
        } else {
            infinite::sum(&body, k, &from, work)
        };
    }
    if improper(&to) {
        return None;
    }
    if let (Some(low), Some(high)) = (exact::value(&from), exact::value(&to)) {
        let (low, high) = (exact::integer(&low)?.clone(), exact::integer(&high)?.clone());
        let count = &high - &low + dashu::integer::IBig::ONE;
        let empty = Expr::integer(i64::from(product));
        if count <= dashu::integer::IBig::ZERO {
            return Some(empty);
        }
        if !depends(&body, k) {
            let count = Expr::Number(RBig::from(count));
            return Some(if product { pow(body, count) } else { mul2(count, body) });
        }
        if let (Ok(low), Ok(count)) = (i64::try_from(&low), i64::try_from(&count)) {
            let direct = |work: &mut Work| written_out(&body, k, low, count, product, work);
            if count <= SHORT {
                return direct(work);
            }
            let found = closed(&body, k, &from, &to, product, work);
            return found.or_else(|| direct(work));
        }
    }
    closed(&body, k, &from, &to, product, work)
}

/// All terms one by one.
fn written_out(body: &Expr, k: &str, low: i64, count: i64, product: bool, work: &mut Work) -> Option<Expr> {
    let end = low.checked_add(count)?;
    if count <= MAX_RATIONAL_TERMS {
        let mut total = if product { RBig::ONE } else { RBig::ZERO };
        let mut complete = true;
        for at in low..end {
            let Some(value) = evaluated(body, k, &RBig::from(at), work) else {
                complete = false;
                break;
            };
            work.step(1 + exact::bits(&total) / 64)?;
            total = if product { total * value } else { total + value };
            if exact::bits(&total) > 1 << 14 {
                return None;
            }
        }
        if complete {
            return Some(Expr::Number(total));
        }
    }
    if count > MAX_WRITTEN_TERMS {
        return None;
    }
    let mut parts = Vec::new();
    let mut total = 0;
    for at in low..end {
        let part = substitute(body, k, &Expr::integer(at));
        total += size(&part);
        work.step(size(&part))?;
        if improper(&part) || total > MAX_SIZE {
            return None;
        }
        parts.push(part);
    }
    Some(if product { mul(parts) } else { add(parts) })
}

/// The rational value of an expression at a rational point.
fn evaluated(expr: &Expr, k: &str, at: &RBig, work: &mut Work) -> Option<RBig> {
    work.step(1)?;
    let small = |x: RBig| (exact::bits(&x) <= 1 << 14).then_some(x);
    match expr {
        Expr::Number(n) => Some(n.clone()),
        Expr::Variable(name) if **name == *k => Some(at.clone()),
        Expr::Sum(terms) => {
            terms.iter().try_fold(RBig::ZERO, |sum, term| small(sum + evaluated(term, k, at, work)?))
        }
        Expr::Product(factors) => {
            factors.iter().try_fold(RBig::ONE, |product, f| small(product * evaluated(f, k, at, work)?))
        }
        Expr::Power(base, exponent) => {
            let base = Expr::Number(evaluated(base, k, at, work)?);
            let exponent = Expr::Number(evaluated(exponent, k, at, work)?);
            work.step(4)?;
            exact::value(&Expr::Power(Box::new(base), Box::new(exponent)))
        }
        Expr::Call(function, arguments) => {
            let arguments: Option<Vec<Expr>> =
                arguments.iter().map(|a| Some(Expr::Number(evaluated(a, k, at, work)?))).collect();
            work.step(20)?;
            exact::value_of_call(*function, &arguments?)
        }
        _ => None,
    }
}

/// A closed form, checked before use.
fn closed(body: &Expr, k: &str, from: &Expr, to: &Expr, product: bool, work: &mut Work) -> Option<Expr> {
    if !product {
        // A sum by its antidifference, of which the difference is checked.
        if let Some(antidifference) = telescope(body, k, work) {
            let next = substitute(&antidifference, k, &add2(variable(k), one()));
            if !work.equal(&sub(next, antidifference.clone()), body) {
                return None;
            }
            if !poles_avoided(body, k, from, to, work)? {
                return None;
            }
            let at = |end: &Expr| substitute(&antidifference, k, end);
            let result = sub(at(&add2(to.clone(), one())), at(from));
            return (!improper(&result) && size(&result) <= MAX_SIZE).then_some(result);
        }
        return binomial(body, k, from, to, work);
    }
    let result = closed_product(body, k, from, to, work)?;
    (!improper(&result) && size(&result) <= MAX_SIZE).then_some(result)
}

/// Whether no rational denominator is zero in the range. Ends that are not numbers are taken on trust, as
/// everywhere: an expression is compared where it is defined.
fn poles_avoided(body: &Expr, k: &str, from: &Expr, to: &Expr, work: &mut Work) -> Option<bool> {
    for term in terms(body, k, work)? {
        if term.is_polynomial() {
            continue;
        }
        for (factor, _) in polynomial::factors(&term.bottom, work)? {
            let [root, one] = factor.as_slice() else { continue };
            let pole = -root / one;
            let above = exact::value(from).is_some_and(|from| pole < from);
            let below = exact::value(to).is_some_and(|to| pole > to);
            let numeric = exact::value(from).is_some() || exact::value(to).is_some();
            if pole.is_int() && numeric && !above && !below {
                return Some(false);
            }
        }
    }
    Some(true)
}

/// `G` with `G(k+1) - G(k)` the body.
pub(super) fn telescope(body: &Expr, k: &str, work: &mut Work) -> Option<Expr> {
    let mut out = Vec::new();
    for term in terms(body, k, work)? {
        if !term.factorials.is_empty() || term.binomial.is_some() {
            return None;
        }
        out.push(if term.is_polynomial() {
            geometric(&term, k, work)?
        } else if is_one(&term.ratio) {
            rational(&term, k, work)?
        } else {
            return None;
        });
    }
    Some(add(out))
}

/// For a polynomial times a geometric sequence.
pub(super) fn geometric(term: &Term, k: &str, work: &mut Work) -> Option<Expr> {
    if work.is_zero(&add2(term.ratio.clone(), Expr::integer(-1)))? && !is_one(&term.ratio) {
        return None;
    }
    let q = antidifference(&term.top, &term.ratio, work)?;
    let k = variable(k);
    Some(mul2(polynomial::expression(&q, &k), pow(term.ratio.clone(), k.clone())))
}

/// For a rational function with rational poles of which those at whole distances cancel.
fn rational(term: &Term, k: &str, work: &mut Work) -> Option<Expr> {
    let (c, top) = term.rational_top()?;
    let parts = fraction::parts(&top, &term.bottom, work)?;
    let whole: Vec<Expr> = parts.whole.iter().cloned().map(Expr::Number).collect();
    let mut out = Vec::new();
    let polynomial = antidifference(&whole, &one(), work)?;
    out.push(polynomial::expression(&polynomial, &variable(k)));
    for class in classes(&parts.terms)? {
        if !class.total().is_zero() {
            return None;
        }
        out.push(class.telescope(&variable(k), work)?);
    }
    Some(mul2(c, add(out)))
}

/// Terms `a / (k + α)^m` with the same power and `α` at whole distances.
pub(super) struct Class {
    /// The smallest `α`.
    pub(super) first: RBig,
    pub(super) power: usize,
    /// The distances from the smallest, and the coefficients.
    members: Vec<(RBig, RBig)>,
}

impl Class {
    pub(super) fn total(&self) -> RBig {
        self.members.iter().fold(RBig::ZERO, |sum, (_, a)| sum + a)
    }

    /// What is left of the sum when all members are moved to the first: the antidifference of the difference.
    pub(super) fn telescope(&self, k: &Expr, work: &mut Work) -> Option<Expr> {
        let mut out = Vec::new();
        for (shift, a) in &self.members {
            let shift = i64::try_from(exact::integer(shift)?).ok().filter(|n| *n <= MAX_SHIFT)?;
            for j in 0..shift {
                work.step(5)?;
                let at = add2(k.clone(), Expr::Number(&self.first + RBig::from(j)));
                let power = Expr::integer(-i64::try_from(self.power).ok()?);
                out.push(mul2(Expr::Number(a.clone()), pow(at, power)));
            }
        }
        Some(add(out))
    }
}

pub(super) fn classes(terms: &[(Poly, Poly, usize)]) -> Option<Vec<Class>> {
    let mut poles: Vec<(RBig, usize, RBig)> = Vec::new();
    for (digit, factor, power) in terms {
        let ([a], [alpha, _]) = (digit.as_slice(), factor.as_slice()) else { return None };
        poles.push((alpha.clone(), *power, a.clone()));
    }
    poles.sort();
    let mut classes: Vec<Class> = Vec::new();
    for (alpha, power, a) in poles {
        let same = |class: &&mut Class| class.power == power && (&alpha - &class.first).is_int();
        match classes.iter_mut().find(same) {
            Some(class) => class.members.push((&alpha - &class.first, a)),
            None => classes.push(Class { first: alpha, power, members: vec![(RBig::ZERO, a)] }),
        }
    }
    Some(classes)
}

/// `Σ P(k) (n over k) r^k` over all `k` from 0 to `n`.
fn binomial(body: &Expr, k: &str, from: &Expr, to: &Expr, work: &mut Work) -> Option<Expr> {
    if !is_zero(from) {
        return None;
    }
    let mut out = Vec::new();
    for term in terms(body, k, work)? {
        let n = term.binomial.clone()?;
        if n != *to || !term.is_polynomial() || !term.factorials.is_empty() {
            return None;
        }
        let base = add2(one(), term.ratio.clone());
        if work.is_zero(&base)? {
            return None;
        }
        // k(k-1)…(k-j+1) (n over k) = n(n-1)…(n-j+1) (n-j over k-j)
        for (j, s) in falling(&term.top)?.into_iter().enumerate() {
            let j = i64::try_from(j).ok()?;
            let mut factors = vec![
                s,
                pow(term.ratio.clone(), Expr::integer(j)),
                pow(base.clone(), add2(n.clone(), Expr::integer(-j))),
            ];
            factors.extend((0..j).map(|i| add2(n.clone(), Expr::integer(-i))));
            out.push(mul(factors));
        }
    }
    let result = add(out);
    // The theorem is exact; a slip in taking the term apart would show at small numbers.
    if let Expr::Variable(name) = to {
        for n in 2..5 {
            let at = Expr::integer(n);
            let direct = written_out(&substitute(body, name, &at), k, 0, n + 1, false, work)?;
            if !work.equal(&direct, &substitute(&result, name, &at)) {
                return None;
            }
        }
        return Some(result);
    }
    exact::value(to).is_some().then_some(result)
}

/// The coefficients of a polynomial by falling factorials.
pub(super) fn falling(top: &[Expr]) -> Option<Vec<Expr>> {
    let mut rest = top.to_vec();
    let mut out = Vec::with_capacity(rest.len());
    // Horner division by k, k - 1, k - 2, …
    for root in 0..top.len() {
        let root = Expr::integer(i64::try_from(root).ok()?);
        let mut carry = zero();
        for c in rest.iter_mut().rev() {
            let next = add2(c.clone(), mul2(carry, root.clone()));
            *c = next.clone();
            carry = next;
        }
        out.push(rest.first()?.clone());
        rest.remove(0);
    }
    Some(out)
}

/// A product over a range, by its factors.
fn closed_product(body: &Expr, k: &str, from: &Expr, to: &Expr, work: &mut Work) -> Option<Expr> {
    work.step(20)?;
    let count = || add(vec![to.clone(), one(), neg(from.clone())]);
    if !depends(body, k) {
        return Some(pow(body.clone(), count()));
    }
    match body {
        Expr::Product(factors) if !factors.iter().all(|f| fraction::quotient(f, k, work).is_some()) => {
            let parts: Option<Vec<Expr>> =
                factors.iter().map(|factor| closed_product(factor, k, from, to, work)).collect();
            return Some(mul(parts?));
        }
        Expr::Power(base, exponent) if depends(exponent, k) => {
            if depends(base, k) {
                return None;
            }
            let sum = closed(exponent, k, from, to, false, work)?;
            return Some(pow((**base).clone(), sum));
        }
        Expr::Power(base, exponent) if exact::value(exponent).is_none_or(|e| !e.is_int()) => {
            return Some(pow(closed_product(base, k, from, to, work)?, (**exponent).clone()));
        }
        _ => {}
    }
    let (top, bottom) = fraction::quotient(body, k, work)?;
    let lead = top.last()? / bottom.last()?;
    let mut zeros: Vec<(RBig, i64)> = Vec::new();
    for (side, sign) in [(&top, 1), (&bottom, -1)] {
        for (factor, multiplicity) in polynomial::factors(side, work)? {
            let [alpha, _] = factor.as_slice() else { return None };
            let n = sign * i64::try_from(multiplicity).ok()?;
            match zeros.iter_mut().find(|(other, _)| other == alpha) {
                Some((_, count)) => *count += n,
                None => zeros.push((alpha.clone(), n)),
            }
        }
    }
    zeros.sort();
    let mut out = vec![pow(Expr::Number(lead), count())];
    let mut firsts: Vec<(RBig, i64)> = Vec::new();
    for (alpha, n) in zeros {
        // A factor that is zero in the range, or below it, is left alone.
        if exact::value(from).is_some_and(|from| from + &alpha <= RBig::ZERO) {
            return None;
        }
        let Some((first, total)) = firsts.iter_mut().find(|(first, _)| (&alpha - first).is_int()) else {
            firsts.push((alpha, n));
            continue;
        };
        // ∏ (k + α + d) / (k + α) = ∏_{j<d} (to + 1 + α + j) / (from + α + j)
        let shift = i64::try_from(exact::integer(&(&alpha - &*first))?).ok().filter(|n| *n <= MAX_SHIFT)?;
        for j in 0..shift {
            work.step(10)?;
            let at = Expr::Number(&*first + RBig::from(j));
            let top = add(vec![to.clone(), one(), at.clone()]);
            out.push(pow(mul2(top, inv(add2(from.clone(), at))), Expr::integer(n)));
        }
        *total += n;
    }
    for (alpha, n) in firsts {
        if n == 0 {
            continue;
        }
        exact::integer(&(exact::value(from)? + &alpha))?;
        let alpha = Expr::Number(alpha);
        let factorial = |u: Expr| call1(Function::Factorial, u);
        let top = factorial(add2(to.clone(), alpha.clone()));
        let bottom = factorial(add(vec![from.clone(), alpha, Expr::integer(-1)]));
        out.push(pow(mul2(top, inv(bottom)), Expr::integer(n)));
    }
    Some(mul(out))
}

fn infinite_product(body: &Expr, k: &str, from: &Expr, work: &mut Work) -> Option<Expr> {
    exact::integer(&exact::value(from)?)?;
    let end = variable("\\n");
    let partial = closed_product(body, k, from, &end, work)?;
    let side = super::super::expr::Side::Below;
    let result = limit::limit(&partial, "\\n", &Expr::Infinity, side, work)?;
    // A product that goes to zero or infinity is said to diverge.
    (!improper(&result) && !is_zero(&result)).then_some(result)
}
