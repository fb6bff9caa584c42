//! Two conditions against each other, by every method there is.

#![expect(clippy::many_single_char_names, reason = "two of everything, named as in a formula")]

use std::cmp::Ordering;

use dashu::rational::RBig;

use super::super::compare::Outcome;
use super::super::exact;
use super::super::expr::{Domain, Expr, Relation};
use super::super::modular::{self, Finding};
use super::super::multinomial::{self, Multinomial};
use super::super::ring::{self, Ring};
use super::all_names;
use super::condition::{Condition, element, variables};
use super::equation::{self, Point};
use super::number::{Judge, may_bend};
use super::real::{Solution, Solver, alternatives};
use super::relation;

/// Coordinates of the points at which conditions are tried, as numerators over 2.
const COORDINATES: [i64; 17] = [2, -2, 4, -4, 6, 1, -6, 10, -1, 0, 20, -14, 3, 7, -5, 9, -20];
/// The most points in general position, and the most relations whose boundary is tried at each.
const MAX_POINTS: usize = 17;
const MAX_BOUNDARIES: usize = 6;
/// The most questions about constants that are no rationals at those points.
const MAX_QUESTIONS: u32 = 60;
/// The most variables of points.
const MAX_VARIABLES: usize = 8;
/// The most comparisons when parts are matched.
const MAX_MATCHES: usize = 256;

const fn outcome(finding: Finding, method: &'static str) -> Outcome {
    Outcome { finding, method }
}

/// Compares two conditions; natural numbers start at `least`.
pub(super) fn compare(a: &Condition, b: &Condition, least: i64, judge: &mut Judge<'_>) -> Outcome {
    let (a, b) = (&settled(a, least, judge), &settled(b, least, judge));
    if a == b {
        return outcome(Finding::Equal, "identical");
    }
    if is_identity(a) && is_identity(b) {
        let (p, q) = (a.variables(), b.variables());
        let finding = match p.is_empty() && q.is_empty() {
            true => Finding::Unknown,
            false if p == q => Finding::Equal,
            false => Finding::Different,
        };
        return outcome(finding, "identity");
    }
    let names = all_names(a, b);
    let set = names.iter().any(|name| element() == Expr::Variable(name.clone()));
    let zeros = (equation::zero(a), equation::zero(b));
    let equations = zeros.0.is_some() && zeros.1.is_some();
    if let (Some(f), Some(g)) = zeros {
        // The numbers of a set are what they are: no factor is cancelled, and only the reals count.
        let allowed = !set || (equation::is_whole(&f) && equation::is_whole(&g));
        let finding = if allowed { equation::zeros(&f, &g, judge) } else { Finding::Unknown };
        if finding == Finding::Equal || (finding == Finding::Different && !set) {
            return outcome(finding, "zero set");
        }
    }
    if let Some(finding) = definitions(a, b, judge).filter(|finding| *finding != Finding::Unknown) {
        return outcome(finding, "definition");
    }
    if let (1, Some(name)) = (names.len(), names.first()) {
        if let Some(outcome) = one_variable(a, b, (name, set), least, judge) {
            return outcome;
        }
    } else if other_variables(a, b, least, judge) {
        return outcome(Finding::Different, "variables");
    }
    if let Some(finding) = equation::linear_systems(a, b).filter(|finding| *finding != Finding::Unknown) {
        return outcome(finding, "linear system");
    }
    if let (Some(p), Some(q)) = (equation::points(a), equation::points(b)) {
        let finding = equation::same_points(&p, &q, judge);
        if finding != Finding::Unknown {
            return outcome(finding, "points");
        }
    }
    if !equations && same(a, b, judge, &mut { MAX_MATCHES }) {
        return outcome(Finding::Equal, "proportional");
    }
    if apart(a, b, least, judge) {
        return outcome(Finding::Different, "point");
    }
    outcome(Finding::Unknown, "solution set")
}

/// The condition with every list read as "all" or "any".
fn settled(condition: &Condition, least: i64, judge: &mut Judge<'_>) -> Condition {
    let mut all = |items: &[Condition]| -> Vec<Condition> {
        items.iter().map(|item| settled(item, least, judge)).collect()
    };
    match condition {
        Condition::Relation { .. } | Condition::Within(..) => condition.clone(),
        Condition::All(items) => Condition::All(all(items)),
        Condition::Any(items) => Condition::Any(all(items)),
        Condition::Not(inner) => Condition::Not(Box::new(settled(inner, least, judge))),
        Condition::Listed(items, and) => {
            let items = all(items);
            let whole = Condition::All(items.clone());
            let names = whole.variables();
            let mut never = || {
                if let (1, Some(name)) = (names.len(), names.first()) {
                    let mut solver = Solver { variable: name, judge, least };
                    if let Some(solution) = solver.solve(&whole) {
                        return solution.set.only() == Some(false);
                    }
                }
                // x = a, x = b: a variable has one value.
                let mut named = items.iter().map(|item| match item {
                    Condition::Relation { left: Expr::Variable(name), relation: Relation::Equal, .. } => {
                        Some(name)
                    }
                    _ => None,
                });
                let first = named.next().flatten();
                first.is_some() && named.all(|name| name == first)
            };
            if alternatives(&items, *and) && never() { Condition::Any(items) } else { whole }
        }
    }
}

/// Whether nothing is said: both sides of every equation are the same function.
fn is_identity(condition: &Condition) -> bool {
    let parts = condition.conjuncts();
    let same = |part: &&Condition| match part {
        Condition::Relation { left, relation: Relation::Equal, right } => {
            let proof = modular::compare(left, right);
            proof.finding == Finding::Equal && !proof.domain
        }
        _ => false,
    };
    !parts.is_empty() && parts.iter().all(same)
}

/// Two equations that give a value to the same name: `y = …`, `f(x) = …`.
fn definitions(a: &Condition, b: &Condition, judge: &mut Judge<'_>) -> Option<Finding> {
    let sides = |condition: &Condition| match condition {
        Condition::Relation { left, relation: Relation::Equal, right } => {
            Some([(left.clone(), right.clone()), (right.clone(), left.clone())])
        }
        _ => None,
    };
    let is_name = |name: &Expr, value: &Expr| {
        matches!(name, Expr::Variable(_) | Expr::Apply(..)) && !value.any(&|part| part == name)
    };
    for (name, x) in sides(a)? {
        for (other, y) in sides(b)? {
            if name == other && is_name(&name, &x) && is_name(&name, &y) {
                return Some(values(&x, &y, judge));
            }
        }
    }
    None
}

/// Compares two functions; where one bends and the other does not, by where they differ.
fn values(x: &Expr, y: &Expr, judge: &mut Judge<'_>) -> Finding {
    let finding = judge.compare(x, y);
    if finding == Finding::Different || !may_bend(x, y) {
        return finding;
    }
    let mut names = variables(x);
    names.append(&mut variables(y));
    let (1, Some(name)) = (names.len(), names.first()) else { return Finding::Unknown };
    match relation::holds(x, Relation::NotEqual, y, name, judge).map(|holds| holds.set.only()) {
        Some(Some(false)) => Finding::Equal,
        Some(_) => Finding::Different,
        None => Finding::Unknown,
    }
}

/// Conditions on the same one variable as sets of reals.
fn one_variable(
    a: &Condition,
    b: &Condition,
    (name, set): (&str, bool),
    least: i64,
    judge: &mut Judge<'_>,
) -> Option<Outcome> {
    let mut solver = Solver { variable: name, judge, least };
    let (x, y) = (solver.solve(a)?, solver.solve(b)?);
    let finding = if solver.same(&x, &y)? {
        // Nothing satisfies either, or only the real solutions are the same: not the same statement for sure.
        let empty = x.set.only() == Some(false) && !set;
        if empty || x.complex || y.complex { Finding::Unknown } else { Finding::Equal }
    } else {
        Finding::Different
    };
    if finding == Finding::Unknown && same(a, b, solver.judge, &mut { MAX_MATCHES }) {
        return Some(outcome(Finding::Equal, "proportional"));
    }
    Some(outcome(finding, "solution set"))
}

/// Whether each depends on one variable, and that is not the same.
fn other_variables(a: &Condition, b: &Condition, least: i64, judge: &mut Judge<'_>) -> bool {
    let mut depends = |condition: &Condition| {
        let names = condition.variables();
        let (1, Some(name)) = (names.len(), names.first()) else { return None };
        let solution: Solution = Solver { variable: name, judge, least }.solve(condition)?;
        (solution.set.only().is_none() || solution.whole).then(|| name.clone())
    };
    matches!((depends(a), depends(b)), (Some(x), Some(y)) if x != y)
}

/// Whether the conditions are the same part by part, in any order.
fn same(a: &Condition, b: &Condition, judge: &mut Judge<'_>, left: &mut usize) -> bool {
    if a == b {
        return true;
    }
    let Some(rest) = left.checked_sub(1) else { return false };
    *left = rest;
    match (a, b) {
        (
            Condition::Relation { left: l, relation: p, right: r },
            Condition::Relation { left: m, relation: q, right: s },
        ) => same_relation((l, *p, r), (m, *q, s), judge),
        (Condition::Not(x), Condition::Not(y)) => same(x, y, judge, left),
        (Condition::All(_), _) | (_, Condition::All(_)) => matched(a.conjuncts(), b.conjuncts(), judge, left),
        (Condition::Any(_), _) | (_, Condition::Any(_)) => matched(a.disjuncts(), b.disjuncts(), judge, left),
        _ => false,
    }
}

fn matched(x: Vec<&Condition>, mut y: Vec<&Condition>, judge: &mut Judge<'_>, left: &mut usize) -> bool {
    if x.len() != y.len() || x.len() <= 1 {
        return false;
    }
    x.into_iter().all(|item| {
        let found = y.iter().position(|other| same(item, other, judge, left));
        found.map(|at| y.swap_remove(at)).is_some()
    })
}

type Sides<'a> = (&'a Expr, Relation, &'a Expr);

/// Whether two relations differ by a factor that changes neither sign nor domain.
fn same_relation((l, p, r): Sides<'_>, (m, q, s): Sides<'_>, judge: &mut Judge<'_>) -> bool {
    let rising = |l, p: Relation, r| match p {
        Relation::Greater | Relation::GreaterOrEqual => (r, p.flipped(), l),
        _ => (l, p, r),
    };
    let ((l, p, r), (m, q, s)) = (rising(l, p, r), rising(m, q, s));
    if p != q {
        return false;
    }
    let (f, g) = (equation::difference(l, r), equation::difference(m, s));
    if !p.is_order() {
        return equation::zeros(&f, &g, judge) == Finding::Equal;
    }
    if positive_multiple(&f, &g).is_some() {
        return true;
    }
    judge.proportional(&f, &g) == Finding::Equal && judge.quotient_sign(&f, &g) == Some(Ordering::Greater)
}

/// Whether two functions differ by a positive factor as fractions and have values at the same places.
fn positive_multiple(f: &Expr, g: &Expr) -> Option<()> {
    let mut ring = Ring::default();
    let a = ring.read(f)?;
    let first = std::mem::take(&mut ring.domain);
    let b = ring.read(g)?;
    let second = std::mem::take(&mut ring.domain);
    // Without conditions on the domain, and with no part that could have one.
    if !first.is_empty() || !second.is_empty() {
        return None;
    }
    let total = |polynomial: &Multinomial| ring.is_pure(polynomial);
    if !total(&a.numerator) || !total(&b.numerator) || !ring::is_rational(f) || !ring::is_rational(g) {
        return None;
    }
    a.numerator.ratio(&b.numerator).filter(multinomial::is_positive).map(|_| ())
}

/// Whether a condition holds at a point: `None` if that cannot be told, or something has no value there.
fn holds(condition: &Condition, point: &Point, least: i64, judge: &mut Judge<'_>) -> Option<bool> {
    let at = |expr: &Expr| {
        let placed = point.iter().fold(expr.clone(), |expr, (name, value)| expr.with_variable(name, value));
        variables(&placed).is_empty().then_some(placed)
    };
    match condition {
        Condition::Relation { left, relation, right } => {
            let sign = judge.order_of(&at(left)?, &at(right)?)?;
            match relation {
                Relation::Equal => Some(sign.is_eq()),
                Relation::NotEqual => Some(sign.is_ne()),
                Relation::Less => Some(sign.is_lt()),
                Relation::LessOrEqual => Some(sign.is_le()),
                Relation::Greater => Some(sign.is_gt()),
                Relation::GreaterOrEqual => Some(sign.is_ge()),
                Relation::Named(..) => None,
            }
        }
        Condition::Within(expr, domain) => {
            let value = exact::value(&at(expr)?)?;
            match domain {
                Domain::Reals | Domain::Complexes | Domain::Rationals => Some(true),
                Domain::Integers => Some(value.is_int()),
                Domain::Naturals => Some(value.is_int() && value >= RBig::from(least)),
                Domain::Primes => None,
            }
        }
        Condition::All(items) => several(items, false, point, least, judge),
        Condition::Any(items) => several(items, true, point, least, judge),
        Condition::Not(inner) => holds(inner, point, least, judge).map(|held| !held),
        Condition::Listed(..) => None,
    }
}

/// One item that is `decisive` decides; otherwise every item has to be certain.
fn several(
    items: &[Condition],
    decisive: bool,
    point: &Point,
    least: i64,
    judge: &mut Judge<'_>,
) -> Option<bool> {
    let mut certain = true;
    for item in items {
        match holds(item, point, least, judge) {
            Some(held) if held == decisive => return Some(decisive),
            Some(_) => {}
            None => certain = false,
        }
    }
    certain.then_some(!decisive)
}

/// Whether a point is found at which one condition holds and the other fails: points in general position,
/// points on the boundaries of the relations, and those that a side lists.
fn apart(a: &Condition, b: &Condition, least: i64, judge: &mut Judge<'_>) -> bool {
    let names = all_names(a, b);
    let complex = [a, b].iter().any(|side| side.any(&|part| matches!(part, Expr::Imaginary)));
    if complex || names.is_empty() || names.len() > MAX_VARIABLES {
        return false;
    }
    judge.limit(MAX_QUESTIONS);
    let mut boundaries = Vec::new();
    for condition in [a, b] {
        collect_boundaries(condition, &mut boundaries);
    }
    boundaries.truncate(MAX_BOUNDARIES);
    let mut differ = |point: &Point| {
        let held = holds(a, point, least, judge);
        held.is_some() && holds(b, point, least, judge).is_some_and(|other| Some(other) != held)
    };
    for condition in [a, b] {
        if equation::points(condition).is_some_and(|points| points.iter().any(&mut differ)) {
            return true;
        }
    }
    for round in 0..MAX_POINTS {
        let mut point = Point::new();
        for (order, name) in names.iter().enumerate() {
            let place = (round * (2 * order + 1) + 5 * order) % COORDINATES.len();
            let half = COORDINATES.get(place).copied().unwrap_or(0);
            point.insert(name.clone(), Expr::Number(RBig::from_parts(half.into(), 2_u8.into())));
        }
        if differ(&point) {
            return true;
        }
        for (name, value) in &boundaries {
            let mut moved = point.clone();
            let value = point.iter().fold(value.clone(), |value, (name, at)| value.with_variable(name, at));
            moved.insert(name.clone(), Expr::Number(RBig::ZERO));
            if let Some(place) = moved.get_mut(name) {
                *place = value;
            }
            if differ(&moved) {
                return true;
            }
        }
    }
    false
}

/// Where the sides of relations are equal, solved for a variable.
fn collect_boundaries(condition: &Condition, boundaries: &mut Vec<(Box<str>, Expr)>) {
    match condition {
        Condition::Relation { left, right, .. } => boundaries.extend(equation::solved(left, right)),
        Condition::Within(..) => {}
        Condition::All(items) | Condition::Any(items) | Condition::Listed(items, _) => {
            for item in items {
                collect_boundaries(item, boundaries);
            }
        }
        Condition::Not(inner) => collect_boundaries(inner, boundaries),
    }
}
