//! Equations in any number of variables: the same zero sets, linear systems, points.
//!
//! An equation `f = 0` is compared by the numerator of `f` after the factors that it shares with its
//! denominator are cancelled: `x/y = 2` and `x = 2y` count as the same equation, as people take them,
//! although the first has no value at `y = 0`. Two polynomials have the same zeros, over the complex
//! numbers too, when each divides a power of the other (Hilbert 1893).

use std::collections::{BTreeMap, BTreeSet};

use dashu::rational::RBig;

use super::super::exact;
use super::super::expr::{Expr, Relation};
use super::super::modular::Finding;
use super::super::multinomial::Multinomial;
use super::super::polynomial::Polynomial;
use super::super::ring::{Fraction, Ring};
use super::condition::{Condition, variables};
use super::number::Judge;

/// The highest power of one polynomial that is tried as a multiple of the other.
const MAX_POWER: u16 = 4;
/// The most equations and variables of a linear system.
const MAX_LINEAR: usize = 16;
/// The most factors of a product of alternatives.
const MAX_FACTORS: usize = 16;

/// The function that a condition says is zero: the difference of an equation, the product of alternatives.
pub(super) fn zero(condition: &Condition) -> Option<Expr> {
    let parts = condition.disjuncts();
    if parts.is_empty() || parts.len() > MAX_FACTORS {
        return None;
    }
    let mut factors = Vec::with_capacity(parts.len());
    for part in &parts {
        let Condition::Relation { left, relation: Relation::Equal, right } = part else { return None };
        let difference = difference(left, right);
        // Only polynomials have values wherever the other factors are zero.
        if parts.len() > 1 {
            let mut ring = Ring::default();
            ring.read(&difference)?;
            if !ring.domain.is_empty() || !ring.radicals.is_empty() {
                return None;
            }
        }
        factors.push(difference);
    }
    Some(Expr::product(factors))
}

/// The left side less the right one; a side that is zero leaves the other, up to its sign.
pub(super) fn difference(left: &Expr, right: &Expr) -> Expr {
    if exact::value(right).is_some_and(|value| value.is_zero()) {
        left.clone()
    } else {
        Expr::sum(vec![left.clone(), right.clone().negated()])
    }
}

/// Whether a function has a value everywhere because it is made without division and radicals.
pub(super) fn is_whole(f: &Expr) -> bool {
    let mut ring = Ring::default();
    ring.read(f).is_some() && ring.domain.is_empty()
}

/// Compares the zero sets of two functions.
pub(super) fn zeros(f: &Expr, g: &Expr, judge: &mut Judge<'_>) -> Finding {
    let (f, g) = (without_units(f), without_units(g));
    let mut ring = Ring::default();
    let fractions = (ring.read(&f), ring.read(&g));
    if let (Some(a), Some(b)) = fractions {
        let (a, b) = (ring.cancelled(a), ring.cancelled(b));
        match polynomials(&a, &b, &mut ring, judge) {
            Finding::Unknown => {}
            decided => return decided,
        }
    }
    match judge.proportional(&f, &g) {
        Finding::Equal => Finding::Equal,
        _ => Finding::Unknown,
    }
}

/// The function without the factors that are nowhere zero.
fn without_units(f: &Expr) -> Expr {
    let Expr::Product(factors) = f else { return f.clone() };
    let unit = |factor: &Expr| match factor {
        Expr::Power(base, exponent) => {
            let positive = match &**base {
                Expr::Euler | Expr::Pi => true,
                Expr::Number(n) => *n > RBig::ZERO,
                _ => false,
            };
            positive && exact::value(exponent).is_none()
        }
        other => exact::value(other).is_some_and(|value| !value.is_zero()),
    };
    let rest: Vec<Expr> = factors.iter().filter(|factor| !unit(factor)).cloned().collect();
    if rest.is_empty() { f.clone() } else { Expr::product(rest) }
}

fn polynomials(a: &Fraction, b: &Fraction, ring: &mut Ring, judge: &mut Judge<'_>) -> Finding {
    let (f, g) = (&a.numerator, &b.numerator);
    let pure = ring.is_pure(f) && ring.is_pure(g);
    let whole = a.denominator.is_empty() && b.denominator.is_empty();
    if f.is_zero() || g.is_zero() {
        // Whether two identities are the same statement is for the caller to say.
        return if pure && f.is_zero() != g.is_zero() { Finding::Different } else { Finding::Unknown };
    }
    if let (Some(_), _) | (_, Some(_)) = (f.value(), g.value()) {
        // No solutions at all.
        let both = f.value().is_some() && g.value().is_some();
        return if pure && whole && !both { Finding::Different } else { Finding::Unknown };
    }
    if f.ratio(g).is_some() {
        return Finding::Equal;
    }
    if pure && whole && apart(f, g, judge) {
        return Finding::Different;
    }
    if divides(f, g, ring) && divides(g, f, ring) { Finding::Equal } else { Finding::Unknown }
}

/// Whether `f` divides a power of `g`.
fn divides(f: &Multinomial, g: &Multinomial, ring: &mut Ring) -> bool {
    let mut power = g.clone();
    for _ in 0..MAX_POWER {
        if ring.quotient(&power, f).is_some() {
            return true;
        }
        match ring.times(&power, g) {
            Some(next) => power = next,
            None => return false,
        }
    }
    false
}

/// Whether the zeros on some line differ, over the complex numbers, which proves the zero sets different.
fn apart(f: &Multinomial, g: &Multinomial, judge: &mut Judge<'_>) -> bool {
    let support: BTreeSet<usize> = f.support().into_iter().chain(g.support()).collect();
    (0..2).any(|line| {
        let mut on_line = |polynomial: &Multinomial| match support.first() {
            Some(index) if support.len() == 1 => polynomial.univariate(*index),
            _ => on_line(polynomial, line, judge),
        };
        let (Some(f), Some(g)) = (on_line(f), on_line(g)) else { return false };
        if f.is_zero() || g.is_zero() {
            return f.is_zero() != g.is_zero();
        }
        let work = &mut judge.work;
        match (f.without(&g, work), g.without(&f, work)) {
            (Some(f), Some(g)) => f.degree() > 0 || g.degree() > 0,
            _ => false,
        }
    })
}

/// The polynomial on one of two fixed lines `x_i = p_i + q_i t` in general position.
fn on_line(polynomial: &Multinomial, line: i64, judge: &mut Judge<'_>) -> Option<Polynomial> {
    let mut sum: Vec<RBig> = Vec::new();
    for (monomial, coefficient) in polynomial.terms() {
        let mut product = vec![coefficient.clone()];
        for (index, exponent) in monomial.iter().enumerate() {
            let place = i64::try_from(index).ok()?;
            let start = RBig::from(3 * place * place - 4 * place + 1 + 5 * line);
            let slope = RBig::from(2 * place + 1 + line);
            for _ in 0..*exponent {
                judge.work.burn(1 + product.len() / 4)?;
                let mut next: Vec<RBig> = product.iter().map(|c| c * &start).collect();
                next.push(RBig::ZERO);
                for (up, c) in next.iter_mut().skip(1).zip(&product) {
                    *up += c * &slope;
                }
                product = next;
            }
        }
        if sum.len() < product.len() {
            sum.resize(product.len(), RBig::ZERO);
        }
        sum.iter_mut().zip(&product).for_each(|(total, c)| *total += c);
    }
    Polynomial::new(&sum)
}

/// The rows of a linear system with rational coefficients in reduced echelon form; the last column is the
/// constant.
fn linear(condition: &Condition, names: &[Box<str>]) -> Option<Vec<Vec<RBig>>> {
    let parts = condition.conjuncts();
    if parts.is_empty() || parts.len() > MAX_LINEAR || names.len() > MAX_LINEAR {
        return None;
    }
    let mut rows = Vec::with_capacity(parts.len());
    for part in parts {
        let Condition::Relation { left, relation: Relation::Equal, right } = part else { return None };
        let curved = |part: &Expr| match part {
            Expr::Power(base, _) | Expr::Root(_, base) => !variables(base).is_empty(),
            _ => false,
        };
        if left.any(&curved) || right.any(&curved) {
            return None;
        }
        let mut ring = Ring::default();
        let difference = ring.difference(left, right)?;
        if !ring.domain.is_empty()
            || difference.numerator.degree() > 1
            || !ring.is_pure(&difference.numerator)
        {
            return None;
        }
        let mut row = vec![RBig::ZERO; names.len() + 1];
        for (monomial, coefficient) in difference.numerator.terms() {
            let place = match monomial.len().checked_sub(1) {
                None => names.len(),
                Some(index) => {
                    let variable = ring.indeterminate(index)?;
                    names.iter().position(|name| *variable == Expr::Variable(name.clone()))?
                }
            };
            row.get_mut(place)?.clone_from(coefficient);
        }
        rows.push(row);
    }
    Some(reduced(rows))
}

/// Reduced row echelon form, without rows of zeros.
fn reduced(mut rows: Vec<Vec<RBig>>) -> Vec<Vec<RBig>> {
    let width = rows.first().map_or(0, Vec::len);
    let mut done = 0;
    for column in 0..width {
        let entry = |row: &Vec<RBig>| row.get(column).cloned().unwrap_or(RBig::ZERO);
        let Some(found) = rows.iter().skip(done).position(|row| !entry(row).is_zero()) else { continue };
        rows.swap(done, done + found);
        let Some(pivot) = rows.get_mut(done) else { break };
        let lead = entry(pivot);
        for x in pivot.iter_mut() {
            *x = &*x / &lead;
        }
        let pivot = pivot.clone();
        for (at, row) in rows.iter_mut().enumerate() {
            let factor = entry(row);
            if at != done && !factor.is_zero() {
                row.iter_mut().zip(&pivot).for_each(|(x, p)| *x -= &factor * p);
            }
        }
        done += 1;
    }
    rows.truncate(done);
    rows
}

/// Compares two systems of linear equations.
pub(super) fn linear_systems(a: &Condition, b: &Condition) -> Option<Finding> {
    let names: Vec<Box<str>> = a.variables().union(&b.variables()).cloned().collect();
    let (a, b) = (linear(a, &names)?, linear(b, &names)?);
    let impossible =
        |rows: &[Vec<RBig>]| rows.last().is_some_and(|row| row.iter().take(names.len()).all(RBig::is_zero));
    Some(match (impossible(&a), impossible(&b)) {
        // Two systems without solutions need not be the same statement.
        (true, true) => Finding::Unknown,
        (false, false) if a == b => Finding::Equal,
        _ => Finding::Different,
    })
}

/// A point by the names of its coordinates.
pub(super) type Point = BTreeMap<Box<str>, Expr>;

/// The points that a condition lists, each with the same names: `x = 1, y = 2`.
pub(super) fn points(condition: &Condition) -> Option<Vec<Point>> {
    let mut points: Vec<Point> = Vec::new();
    for alternative in condition.disjuncts() {
        let mut point = Point::new();
        for part in alternative.conjuncts() {
            let Condition::Relation { left, relation: Relation::Equal, right } = part else { return None };
            let ((Expr::Variable(name), value) | (value, Expr::Variable(name))) = (left, right) else {
                return None;
            };
            if !variables(value).is_empty() || point.insert(name.clone(), value.clone()).is_some() {
                return None;
            }
        }
        if points.first().is_some_and(|first| !first.keys().eq(point.keys())) || point.is_empty() {
            return None;
        }
        points.push(point);
    }
    (!points.is_empty()).then_some(points)
}

/// Compares two lists of points as sets.
pub(super) fn same_points(a: &[Point], b: &[Point], judge: &mut Judge<'_>) -> Finding {
    if a.first().map(|p| p.keys().collect::<Vec<_>>()) != b.first().map(|p| p.keys().collect::<Vec<_>>()) {
        return Finding::Different;
    }
    let mut finding = Finding::Equal;
    for (from, to) in [(a, b), (b, a)] {
        for point in from {
            let mut best = Finding::Different;
            for other in to {
                let pairs = point.values().zip(other.values());
                let mut same = Finding::Equal;
                for (x, y) in pairs {
                    match judge.compare(x, y) {
                        Finding::Equal => {}
                        Finding::Different => {
                            same = Finding::Different;
                            break;
                        }
                        Finding::Unknown => same = Finding::Unknown,
                    }
                }
                match same {
                    Finding::Equal => {
                        best = Finding::Equal;
                        break;
                    }
                    Finding::Unknown => best = Finding::Unknown,
                    Finding::Different => {}
                }
            }
            match best {
                Finding::Equal => {}
                Finding::Different => return Finding::Different,
                Finding::Unknown => finding = Finding::Unknown,
            }
        }
    }
    finding
}

/// The values of a variable that solve an equation: where it is written so, or by the formula for
/// polynomials of degree one and two in the variable.
pub(super) fn solved(left: &Expr, right: &Expr) -> Vec<(Box<str>, Expr)> {
    for (name, value) in [(left, right), (right, left)] {
        if let Expr::Variable(name) = name
            && !variables(value).contains(name)
        {
            return vec![(name.clone(), value.clone())];
        }
    }
    let mut ring = Ring::default();
    let Some(difference) = ring.difference(left, right) else { return Vec::new() };
    let numerator = difference.numerator;
    let formula = |index: usize| {
        let Expr::Variable(name) = ring.indeterminate(index)? else { return None };
        // The variable must not be hidden in another indeterminate.
        let mut others = numerator.support().into_iter().filter(|other| *other != index);
        if others.any(|other| ring.indeterminate(other).is_none_or(|expr| variables(expr).contains(name))) {
            return None;
        }
        let powers = numerator.by_powers_of(index);
        let powers: Vec<Expr> = powers.iter().map(|power| ring.expr(power)).collect::<Option<_>>()?;
        let values = match powers.as_slice() {
            [c, b] => vec![Expr::product(vec![c.clone().negated(), b.clone().inverse()])],
            [c, b, a] => {
                let square = Expr::Power(Box::new(b.clone()), Box::new(Expr::integer(2)));
                let product = Expr::product(vec![Expr::integer(-4), a.clone(), c.clone()]);
                let radical = Expr::Root(2, Box::new(Expr::sum(vec![square, product])));
                let half = Expr::product(vec![Expr::integer(2), a.clone()]).inverse();
                let root = |radical: Expr| {
                    Expr::product(vec![Expr::sum(vec![b.clone().negated(), radical]), half.clone()])
                };
                vec![root(radical.clone()), root(radical.negated())]
            }
            _ => return None,
        };
        Some(values.into_iter().map(|value| (name.clone(), value)).collect())
    };
    numerator.support().into_iter().find_map(formula).unwrap_or_default()
}
