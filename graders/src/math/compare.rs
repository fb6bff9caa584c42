//! Whether two answers are the same.
//!
//! Exact arithmetic decides first, then identity testing modulo primes, then balls at points. What none of
//! them can show stays [`Finding::Unknown`]. Answers that describe sets are compared as sets
//! ([`solution`]). The comparison is symmetric; what a task asks of the answer beyond its value is
//! looked at elsewhere ([`super::form`]).

#![expect(clippy::many_single_char_names, reason = "two of everything, named as in a formula")]

use dashu::rational::RBig;

use super::calculus;
use super::exact;
use super::expr::{Binder, Expr, Join, SetOperation, Unit, Value};
use super::identity::{self, Fuel};
use super::modular::Finding;
use super::parser::{UNNAMED_BASE, hundredths, quotient};
use super::policy::{Assignment, Order, Percent, Policy, Units};
use super::relations;
use super::rounding;
use super::solution;
use super::words;

/// What was found, and by which method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) finding: Finding,
    pub(super) method: &'static str,
}

pub(super) const fn outcome(finding: Finding, method: &'static str) -> Outcome {
    Outcome { finding, method }
}

/// Answers of different kinds.
pub(super) const UNLIKE: Outcome = outcome(Finding::Different, "kind");

impl Outcome {
    pub(super) fn is_equal(self) -> bool {
        self.finding == Finding::Equal
    }

    /// Both must hold: a difference decides, then a doubt.
    pub(super) fn and(self, other: impl FnOnce() -> Self) -> Self {
        if self.finding == Finding::Different {
            return self;
        }
        let other = other();
        match (self.finding, other.finding) {
            (_, Finding::Different) => other,
            (Finding::Unknown, _) => self,
            _ => other,
        }
    }

    /// One suffices: equality decides, then a doubt.
    pub(super) fn or(self, other: impl FnOnce() -> Self) -> Self {
        if self.is_equal() {
            return self;
        }
        let other = other();
        // What was compared says more than that the kinds are not alike.
        let says_more = self.finding == Finding::Different
            && (other.finding == Finding::Unknown || self.method == UNLIKE.method);
        let decides = other.is_equal() || says_more;
        if decides { other } else { self }
    }
}

/// What a comparison works with.
pub(super) struct Context<'p> {
    pub(super) policy: &'p Policy,
    pub(super) fuel: Fuel,
}

impl<'p> Context<'p> {
    pub(super) fn new(policy: &'p Policy) -> Self {
        Self { policy, fuel: Fuel::full() }
    }
}

/// Compares two answers.
pub(super) fn values(a: &Value, b: &Value, cx: &mut Context<'_>) -> Outcome {
    if a == b {
        return outcome(Finding::Equal, "identical");
    }
    structures(a, b, cx).or(|| solution::compare(a, b, &mut cx.fuel).unwrap_or(UNLIKE))
}

/// Compares by structure: part by part.
#[expect(clippy::too_many_lines, reason = "one row for each pair of kinds")]
fn structures(a: &Value, b: &Value, cx: &mut Context<'_>) -> Outcome {
    match (a, b) {
        (Value::Expr(a), Value::Expr(b)) => expressions(a, b, cx),
        (Value::Quantity(a, u), Value::Quantity(b, v)) => quantities((a, u), (b, v), cx),
        (Value::Quantity(a, unit), Value::Expr(b)) | (Value::Expr(b), Value::Quantity(a, unit)) => {
            bare_quantity(a, unit, b, cx)
        }
        (Value::Element(x, set), Value::Named(name, value))
        | (Value::Named(name, value), Value::Element(x, set)) => {
            let same = cx.policy.assignment == Assignment::Ignored
                || matches!(&**name, Value::Expr(name) if name == x);
            if same { values(set, value, cx) } else { UNLIKE }
        }
        (Value::Named(x, v), Value::Named(y, w)) => {
            let names = cx.policy.assignment == Assignment::Ignored || x == y;
            if names { values(v, w, cx) } else { UNLIKE }
        }
        (Value::Named(name, value), Value::List(items, _) | Value::System(items))
        | (Value::List(items, _) | Value::System(items), Value::Named(name, value)) => {
            match relations::spelled_out(name, value) {
                Some(spelled) => matched(&spelled, items, cx),
                None => values(value, &Value::List(items.clone(), Join::Comma), cx),
            }
        }
        (Value::Named(_, value), other) | (other, Value::Named(_, value)) => values(value, other, cx),
        (Value::Chain { sides, relations }, Value::Chain { sides: others, relations: theirs }) => {
            relations::chains((sides, relations), (others, theirs), cx)
        }
        (Value::Chain { sides, relations }, Value::Expr(_) | Value::Quantity(..))
            if relations::stated(sides, relations, cx).is_some() =>
        {
            each_stated(sides, relations, b, cx)
        }
        (Value::Expr(_) | Value::Quantity(..), Value::Chain { sides, relations })
            if relations::stated(sides, relations, cx).is_some() =>
        {
            each_stated(sides, relations, a, cx)
        }
        (Value::Tuple { open: a, close: b, items: x }, Value::Tuple { open: c, close: d, items: y }) => {
            // Two items may be the ends of an interval; more are a vector however the brackets look.
            if (a, b) == (c, d) || (x.len() > 2 && y.len() > 2) { in_order(x, y, cx) } else { UNLIKE }
        }
        (Value::Tuple { open: '(', close: ')', items }, Value::List(bare, Join::Comma | Join::And))
        | (Value::List(bare, Join::Comma | Join::And), Value::Tuple { open: '(', close: ')', items }) => {
            in_order(items, bare, cx)
        }
        (Value::List(x, _), Value::List(y, _)) if cx.policy.order == Order::Kept => in_order(x, y, cx),
        (Value::List(x, _), Value::List(y, _))
        | (Value::System(x), Value::System(y) | Value::List(y, Join::Comma | Join::And))
        | (Value::List(x, Join::Comma | Join::And), Value::System(y)) => matched(x, y, cx),
        (Value::Set(x) | Value::List(x, _), Value::Set(y) | Value::List(y, _)) => {
            let left = contained(x, y, cx);
            left.and(|| contained(y, x, cx))
        }
        (Value::Combined(o, x), Value::Combined(p, y)) if o == p => {
            match (o, x.split_first(), y.split_first()) {
                (SetOperation::Difference, Some((first, rest)), Some((other, others))) => {
                    values(first, other, cx).and(|| matched(rest, others, cx))
                }
                _ => matched(&flat(*o, x), &flat(*o, y), cx),
            }
        }
        (
            Value::Element(_, set),
            other @ (Value::Tuple { .. }
            | Value::Set(_)
            | Value::Combined(..)
            | Value::Domain(_)
            | Value::Builder { .. }),
        )
        | (
            other @ (Value::Tuple { .. }
            | Value::Set(_)
            | Value::Combined(..)
            | Value::Domain(_)
            | Value::Builder { .. }),
            Value::Element(_, set),
        ) => values(set, other, cx),
        (Value::Element(x, s), Value::Element(y, t)) => {
            if x == y {
                values(s, t, cx)
            } else {
                UNLIKE
            }
        }
        (Value::Set(items), other) | (other, Value::Set(items)) if items.len() == 1 => match items.first() {
            Some(only) if !matches!(other, Value::Tuple { .. } | Value::Combined(..)) => {
                values(only, other, cx)
            }
            _ => UNLIKE,
        },
        (Value::Matrix(x), Value::Matrix(y)) => matrices(x, y, cx),
        (Value::Matrix(rows), Value::Tuple { open, close, items })
        | (Value::Tuple { open, close, items }, Value::Matrix(rows))
            if matches!((open, close), ('(', ')') | ('[', ']')) =>
        {
            vector(rows, items, cx)
        }
        (Value::Expr(vector), Value::Tuple { open: '(', close: ')', items })
        | (Value::Tuple { open: '(', close: ')', items }, Value::Expr(vector)) => {
            components(vector, items, cx)
        }
        (Value::Expr(vector), Value::Matrix(rows)) | (Value::Matrix(rows), Value::Expr(vector)) => {
            let column: Option<Vec<Value>> = rows
                .iter()
                .map(|row| if let [only] = row.as_slice() { Some(Value::Expr(only.clone())) } else { None })
                .collect();
            column.map_or(UNLIKE, |items| components(vector, &items, cx))
        }
        (Value::Ratio(x), Value::Ratio(y)) => ratios(x, y, cx),
        (Value::Ratio(parts), other) | (other, Value::Ratio(parts)) => match quotient(parts) {
            Some(value) => values(&Value::Expr(value), other, cx),
            None => UNLIKE,
        },
        (Value::Piecewise(x), Value::Piecewise(y)) => piecewise(x, y, cx),
        (Value::Congruence { left: None, right, .. }, Value::Expr(value))
        | (Value::Expr(value), Value::Congruence { left: None, right, .. }) => expressions(right, value, cx),
        (Value::Text(x), Value::Text(y)) => texts(x, y, cx),
        _ => UNLIKE,
    }
}

/// Words: equal, but for what does not count.
pub(super) fn texts(x: &str, y: &str, cx: &Context<'_>) -> Outcome {
    let case = cx.policy.keeps_case();
    let same = words::normal(x, case) == words::normal(y, case);
    outcome(if same { Finding::Equal } else { Finding::Different }, "text")
}

fn each_stated(
    sides: &[Expr],
    relations: &[super::expr::Relation],
    value: &Value,
    cx: &mut Context<'_>,
) -> Outcome {
    let Some(stated) = relations::stated(sides, relations, cx) else { return UNLIKE };
    let start = outcome(Finding::Equal, "exact");
    stated.iter().fold(start, |so_far, side| so_far.and(|| values(&Value::Expr(side.clone()), value, cx)))
}

fn ratios(x: &[Expr], y: &[Expr], cx: &mut Context<'_>) -> Outcome {
    // A part that is zero would equal any other after cross-multiplication.
    let zero = |part: &Expr| exact::value(part).is_some_and(|value| value.is_zero());
    if x.iter().chain(y).any(zero) {
        return outcome(Finding::Different, "ratio");
    }
    if is_clock(x) || is_clock(y) || x.len() != y.len() {
        return outcome(Finding::Different, "ratio");
    }
    let ([first, rest @ ..], [other, others @ ..]) = (x, y) else { return UNLIKE };
    let start = outcome(Finding::Equal, "ratio");
    rest.iter().zip(others).fold(start, |so_far, (part, theirs)| {
        so_far.and(|| {
            let cross = |a: &Expr, b: &Expr| Expr::product(vec![a.clone(), b.clone()]);
            expressions(&cross(first, theirs), &cross(other, part), cx)
        })
    })
}

/// Whether a ratio could be a time of day, whose parts must not be scaled.
fn is_clock(parts: &[Expr]) -> bool {
    let values: Option<Vec<RBig>> = parts.iter().map(exact::value).collect();
    matches!(values.as_deref(), Some([hours, minutes])
        if *hours < RBig::from(24) && *minutes >= RBig::from(10) && *minutes < RBig::from(60))
}

/// Nested parts of one operation in one list.
fn flat(operation: SetOperation, parts: &[Value]) -> Vec<Value> {
    let mut out = Vec::new();
    for part in parts {
        match part {
            Value::Combined(same, inner) if *same == operation => out.extend(flat(operation, inner)),
            other => out.push(other.clone()),
        }
    }
    out
}

fn in_order(x: &[Value], y: &[Value], cx: &mut Context<'_>) -> Outcome {
    if x.len() != y.len() {
        return UNLIKE;
    }
    let start = outcome(Finding::Equal, "exact");
    x.iter().zip(y).fold(start, |so_far, (x, y)| so_far.and(|| values(x, y, cx)))
}

/// The same items as often, in any order.
pub(super) fn matched(x: &[Value], y: &[Value], cx: &mut Context<'_>) -> Outcome {
    if x.len() != y.len() {
        return UNLIKE;
    }
    let mut free: Vec<&Value> = y.iter().collect();
    let mut so_far = outcome(Finding::Equal, "exact");
    for item in x {
        let mut found = UNLIKE;
        for (at, other) in free.iter().enumerate() {
            let this = values(item, other, cx);
            found = found.or(|| this);
            if this.is_equal() {
                free.swap_remove(at);
                break;
            }
        }
        so_far = so_far.and(|| found);
        if so_far.finding == Finding::Different {
            break;
        }
    }
    so_far
}

/// Every item of `x` is one of `y`.
fn contained(x: &[Value], y: &[Value], cx: &mut Context<'_>) -> Outcome {
    x.iter().fold(outcome(Finding::Equal, "exact"), |so_far, item| {
        so_far.and(|| y.iter().fold(UNLIKE, |found, other| found.or(|| values(item, other, cx))))
    })
}

fn matrices(x: &[Vec<Expr>], y: &[Vec<Expr>], cx: &mut Context<'_>) -> Outcome {
    if x.len() != y.len() || x.iter().zip(y).any(|(x, y)| x.len() != y.len()) {
        return UNLIKE;
    }
    let start = outcome(Finding::Equal, "exact");
    x.iter()
        .flatten()
        .zip(y.iter().flatten())
        .fold(start, |so_far, (x, y)| so_far.and(|| expressions(x, y, cx)))
}

/// A matrix of one column or one row against a tuple.
fn vector(rows: &[Vec<Expr>], items: &[Value], cx: &mut Context<'_>) -> Outcome {
    let line = rows.len() == 1 || rows.iter().all(|row| row.len() == 1);
    if !line || rows.iter().map(Vec::len).sum::<usize>() != items.len() {
        return UNLIKE;
    }
    let start = outcome(Finding::Equal, "exact");
    rows.iter()
        .flatten()
        .zip(items)
        .fold(start, |so_far, (x, y)| so_far.and(|| values(&Value::Expr(x.clone()), y, cx)))
}

/// `2i + 3j`, in unit vectors, against its components.
fn components(vector: &Expr, items: &[Value], cx: &mut Context<'_>) -> Outcome {
    const UNITS: [&str; 3] = ["\\bold i", "\\bold j", "\\bold k"];
    let unit = |name: &str| vector.any(&|part| matches!(part, Expr::Variable(known) if &**known == name));
    if !UNITS.iter().any(|name| unit(name)) || !(2..=3).contains(&items.len()) {
        return UNLIKE;
    }
    // A linear form is known by its values at the unit vectors and at one point more.
    let at = |point: [i64; 3]| {
        let placed = UNITS
            .iter()
            .zip(point)
            .fold(vector.clone(), |expr, (name, value)| expr.with_variable(name, &Expr::integer(value)));
        Value::Expr(placed)
    };
    let zero = Value::Expr(Expr::integer(0));
    let item = |at: usize| items.get(at).unwrap_or(&zero);
    let start = values(&at([0, 0, 0]), &zero, cx);
    let axes = [[1, 0, 0], [0, 1, 0], [0, 0, 1]];
    axes.iter().enumerate().fold(start, |so_far, (place, axis)| {
        so_far.and(|| values(&at(*axis), item(place), cx)).and(|| {
            let doubled = axis.map(|x| 2 * x);
            let Value::Expr(single) = at(*axis) else { return UNLIKE };
            let twice = Value::Expr(Expr::product(vec![Expr::integer(2), single]));
            values(&at(doubled), &twice, cx)
        })
    })
}

/// The same branches in any order.
fn piecewise(
    x: &[(Expr, Option<Box<Value>>)],
    y: &[(Expr, Option<Box<Value>>)],
    cx: &mut Context<'_>,
) -> Outcome {
    if x.len() != y.len() {
        return outcome(Finding::Unknown, "branches");
    }
    let mut free: Vec<_> = y.iter().collect();
    for (value, condition) in x {
        let found = free.iter().position(|(other, theirs)| {
            let same = match (condition, theirs) {
                (Some(x), Some(y)) => values(x, y, cx).is_equal(),
                // "Otherwise" may be any condition, and is checked by the branches that are left.
                _ => true,
            };
            same && expressions(value, other, cx).is_equal()
        });
        match found {
            Some(at) => {
                free.remove(at);
            }
            None => return outcome(Finding::Different, "branches"),
        }
    }
    outcome(Finding::Equal, "branches")
}

fn bare_quantity(a: &Expr, unit: &Unit, b: &Expr, cx: &mut Context<'_>) -> Outcome {
    match unit {
        Unit::Percent => {
            let percent = cx.policy.percent;
            let points = if percent == Percent::Fraction { UNLIKE } else { expressions(a, b, cx) };
            if percent == Percent::Points {
                return points;
            }
            points.or(|| expressions(&hundredths(a.clone()), b, cx))
        }
        Unit::Known { .. } | Unit::Named(_) => expressions(a, b, cx),
    }
}

fn quantities((a, u): (&Expr, &Unit), (b, v): (&Expr, &Unit), cx: &mut Context<'_>) -> Outcome {
    if cx.policy.units == Units::Ignored && *u != Unit::Percent && *v != Unit::Percent {
        return expressions(a, b, cx);
    }
    match (u, v) {
        (Unit::Known { dimension: d, factor: f }, Unit::Known { dimension: e, factor: g }) if d == e => {
            if f == g {
                return expressions(a, b, cx);
            }
            let scaled = |x: &Expr, by: &RBig| Expr::product(vec![x.clone(), Expr::Number(by.clone())]);
            expressions(&scaled(a, f), &scaled(b, g), cx)
        }
        (u, v) if u == v => expressions(a, b, cx),
        _ => outcome(Finding::Different, "unit"),
    }
}

/// The expression with a meaning for the degree and for the base of a logarithm that names none.
pub(super) fn resolved(expr: &Expr, degree: &Expr, base: &Expr) -> Expr {
    expr.with_degree(degree).with_variable(UNNAMED_BASE, base)
}

/// What a degree and the base of a logarithm that names none may mean, in sides where they occur or do not.
pub(super) fn meanings(degree: bool, base: bool) -> (Vec<Expr>, Vec<Expr>) {
    let (mut degrees, mut bases) = (vec![Expr::integer(1)], vec![Expr::Euler]);
    if degree {
        degrees.push(Expr::degree_in_radians());
    }
    if base {
        bases.push(Expr::integer(10));
    }
    (degrees, bases)
}

pub(super) fn is_degree(part: &Expr) -> bool {
    matches!(part, Expr::Degree)
}

pub(super) fn is_unnamed_base(part: &Expr) -> bool {
    matches!(part, Expr::Variable(name) if &**name == UNNAMED_BASE)
}

/// Compares two expressions. Degrees count as numbers (90° is answered by 90) or as angles (by π/2), and a
/// logarithm without a base as natural or decimal, the same way on both sides.
pub(super) fn expressions(a: &Expr, b: &Expr, cx: &mut Context<'_>) -> Outcome {
    if a == b {
        return outcome(Finding::Equal, "identical");
    }
    if let Some(found) = antiderivatives(a, b, cx) {
        return found;
    }
    let degree = a.any(&is_degree) || b.any(&is_degree);
    let (degrees, bases) = meanings(degree, a.any(&is_unnamed_base) || b.any(&is_unnamed_base));
    if degrees.len() == 1 && bases.len() == 1 {
        return identity::compare(a, b, &mut cx.fuel).or(|| rounding::compare(a, b, cx));
    }
    let mut found = UNLIKE;
    for degree in &degrees {
        for base in &bases {
            let (a, b) = (resolved(a, degree, base), resolved(b, degree, base));
            found = found.or(|| identity::compare(&a, &b, &mut cx.fuel).or(|| rounding::compare(&a, &b, cx)));
        }
    }
    found
}

/// A family of antiderivatives against another, or against a function with a free constant.
fn antiderivatives(a: &Expr, b: &Expr, cx: &mut Context<'_>) -> Option<Outcome> {
    let family = |expr: &Expr| match expr {
        Expr::Bound(bound) if bound.binder == Binder::Integral && bound.from.is_none() => {
            Some((**bound).clone())
        }
        _ => None,
    };
    match (family(a), family(b)) {
        (Some(x), Some(y)) => {
            // The variable of integration has no name of its own, but the antiderivative is a function of it.
            let same = if x.variable == y.variable { expressions(&x.body, &y.body, cx) } else { UNLIKE };
            Some(outcome(same.finding, "antiderivative"))
        }
        (Some(family), None) => {
            Some(outcome(calculus::is_antiderivative(&family, b, &mut cx.fuel), "antiderivative"))
        }
        (None, Some(family)) => {
            Some(outcome(calculus::is_antiderivative(&family, a, &mut cx.fuel), "antiderivative"))
        }
        (None, None) => None,
    }
}
