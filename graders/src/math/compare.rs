//! Whether two answers are the same.
//!
//! Exact arithmetic decides first, then identity testing modulo primes, then balls at points. What none of
//! them can show stays [`Finding::Unknown`]. No equation is ever solved and nothing is rounded.

#![expect(clippy::many_single_char_names, reason = "two of everything, named as in a formula")]

use dashu::base::Sign;
use dashu::rational::RBig;

use super::exact;
use super::expr::{Expr, Relation, SetOperation, Unit, Value};
use super::identity::{self, Fuel};
use super::modular::{self, Finding};
use super::numeric;
use super::parser::{UNNAMED_BASE, hundredths, is_name, quotient};

/// What was found, and by which method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) finding: Finding,
    pub(super) method: &'static str,
}

const fn outcome(finding: Finding, method: &'static str) -> Outcome {
    Outcome { finding, method }
}

/// Answers of different kinds.
const UNLIKE: Outcome = outcome(Finding::Different, "kind");

impl Outcome {
    fn is_equal(self) -> bool {
        self.finding == Finding::Equal
    }

    /// Both must hold: a difference decides, then a doubt.
    fn and(self, other: impl FnOnce() -> Self) -> Self {
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
    fn or(self, other: impl FnOnce() -> Self) -> Self {
        if self.is_equal() {
            return self;
        }
        let other = other();
        if other.is_equal() || self.finding == Finding::Different { other } else { self }
    }
}

/// Compares a reference with an answer. Symmetric in all but the names of methods.
pub(super) fn values(a: &Value, b: &Value, fuel: &mut Fuel) -> Outcome {
    match (a, b) {
        (Value::Expr(a), Value::Expr(b)) => expressions(a, b, fuel),
        (Value::Quantity(a, u), Value::Quantity(b, v)) => quantities((a, u), (b, v), fuel),
        (Value::Quantity(a, unit), Value::Expr(b)) | (Value::Expr(b), Value::Quantity(a, unit)) => {
            let bare = expressions(a, b, fuel);
            match unit {
                // 50% is answered by 50 and by 0.5.
                Unit::Percent => bare.or(|| expressions(&hundredths(a.clone()), b, fuel)),
                Unit::Known { .. } | Unit::Named(_) => bare,
            }
        }
        (Value::Chain { sides, relations }, Value::Expr(value))
        | (Value::Expr(value), Value::Chain { sides, relations }) => named(sides, relations, value, fuel),
        (Value::Chain { sides: a, relations: p }, Value::Chain { sides: b, relations: q }) => {
            chains((a, p), (b, q), fuel)
        }
        (Value::Chain { sides, relations }, interval @ Value::Tuple { .. })
        | (interval @ Value::Tuple { .. }, Value::Chain { sides, relations }) => {
            match interval_of(sides, relations) {
                Some(chain) => values(&chain, interval, fuel),
                None => UNLIKE,
            }
        }
        (Value::Tuple { open: a, close: b, items: x }, Value::Tuple { open: c, close: d, items: y }) => {
            if (a, b) == (c, d) { in_order(x, y, fuel) } else { UNLIKE }
        }
        (Value::List(x, _), Value::List(y, _))
        | (Value::Combined(SetOperation::Union, x), Value::Combined(SetOperation::Union, y)) => {
            matched(x, y, fuel)
        },
        (Value::Set(x) | Value::List(x, _), Value::Set(y) | Value::List(y, _)) => {
            let left = contained(x, y, fuel);
            left.and(|| contained(y, x, fuel))
        }
        (Value::Matrix(x), Value::Matrix(y)) => matrices(x, y, fuel),
        (Value::Matrix(rows), Value::Tuple { open: '(', close: ')', items })
        | (Value::Tuple { open: '(', close: ')', items }, Value::Matrix(rows)) => vector(rows, items, fuel),
        (Value::Ratio(x), Value::Ratio(y)) => {
            if x == y {
                return outcome(Finding::Equal, "ratio");
            }
            if is_clock(x) || is_clock(y) {
                return outcome(Finding::Different, "ratio");
            }
            match (quotient(x), quotient(y)) {
                (Some(x), Some(y)) => expressions(&x, &y, fuel),
                _ => UNLIKE,
            }
        }
        (Value::Ratio(parts), other) | (other, Value::Ratio(parts)) => match quotient(parts) {
            Some(value) => values(&Value::Expr(value), other, fuel),
            None => UNLIKE,
        },
        (Value::Text(x), Value::Text(y)) => {
            let same = super::words(x) == super::words(y);
            outcome(if same { Finding::Equal } else { Finding::Different }, "text")
        }
        _ => UNLIKE,
    }
}

/// Whether a ratio could be a time of day, whose parts must not be scaled.
fn is_clock(parts: &[Expr]) -> bool {
    let values: Option<Vec<RBig>> = parts.iter().map(exact::value).collect();
    matches!(values.as_deref(), Some([hours, minutes])
        if *hours < RBig::from(24) && *minutes >= RBig::from(10) && *minutes < RBig::from(60))
}

fn in_order(x: &[Value], y: &[Value], fuel: &mut Fuel) -> Outcome {
    if x.len() != y.len() {
        return UNLIKE;
    }
    let start = outcome(Finding::Equal, "exact");
    x.iter().zip(y).fold(start, |so_far, (x, y)| so_far.and(|| values(x, y, fuel)))
}

/// The same items as often, in any order.
fn matched(x: &[Value], y: &[Value], fuel: &mut Fuel) -> Outcome {
    if x.len() != y.len() {
        return UNLIKE;
    }
    let mut free: Vec<&Value> = y.iter().collect();
    let mut so_far = outcome(Finding::Equal, "exact");
    for item in x {
        let mut found = UNLIKE;
        for (at, other) in free.iter().enumerate() {
            let this = values(item, other, fuel);
            found = found.or(|| this);
            if this.is_equal() {
                free.swap_remove(at);
                break;
            }
        }
        so_far = so_far.and(|| found);
    }
    so_far
}

/// Every item of `x` is one of `y`.
fn contained(x: &[Value], y: &[Value], fuel: &mut Fuel) -> Outcome {
    x.iter().fold(outcome(Finding::Equal, "exact"), |so_far, item| {
        so_far.and(|| y.iter().fold(UNLIKE, |found, other| found.or(|| values(item, other, fuel))))
    })
}

fn matrices(x: &[Vec<Expr>], y: &[Vec<Expr>], fuel: &mut Fuel) -> Outcome {
    if x.len() != y.len() || x.iter().zip(y).any(|(x, y)| x.len() != y.len()) {
        return UNLIKE;
    }
    let start = outcome(Finding::Equal, "exact");
    x.iter()
        .flatten()
        .zip(y.iter().flatten())
        .fold(start, |so_far, (x, y)| so_far.and(|| expressions(x, y, fuel)))
}

/// A matrix of one column against a tuple.
fn vector(rows: &[Vec<Expr>], items: &[Value], fuel: &mut Fuel) -> Outcome {
    if rows.len() != items.len() || rows.iter().any(|row| row.len() != 1) {
        return UNLIKE;
    }
    let start = outcome(Finding::Equal, "exact");
    rows.iter()
        .flatten()
        .zip(items)
        .fold(start, |so_far, (x, y)| so_far.and(|| values(&Value::Expr(x.clone()), y, fuel)))
}

fn quantities((a, u): (&Expr, &Unit), (b, v): (&Expr, &Unit), fuel: &mut Fuel) -> Outcome {
    match (u, v) {
        (Unit::Known { dimension: d, factor: f }, Unit::Known { dimension: e, factor: g }) if d == e => {
            let scaled = |x: &Expr, by: &RBig| Expr::product(vec![x.clone(), Expr::Number(by.clone())]);
            expressions(&scaled(a, f), &scaled(b, g), fuel)
        }
        (u, v) if u == v => expressions(a, b, fuel),
        _ => outcome(Finding::Different, "unit"),
    }
}

/// `x = 3` against 3. Every side but the name must equal the value.
fn named(sides: &[Expr], relations: &[Relation], value: &Expr, fuel: &mut Fuel) -> Outcome {
    if relations.iter().any(|relation| *relation != Relation::Equal) {
        return UNLIKE;
    }
    let rest = match sides {
        [name, rest @ ..] if is_name(name) => rest,
        [rest @ .., name] if is_name(name) => rest,
        _ => return UNLIKE,
    };
    rest.iter()
        .fold(outcome(Finding::Equal, "exact"), |so_far, side| so_far.and(|| expressions(side, value, fuel)))
}

fn has_variable(expr: &Expr) -> bool {
    expr.any(&|part| matches!(part, Expr::Variable(_)))
}

/// A name and its constant value, if the chain says only that.
fn assignment<'a>(sides: &'a [Expr], relations: &[Relation]) -> Option<(&'a Expr, &'a Expr)> {
    match (sides, relations) {
        ([left, right], [Relation::Equal]) => [(left, right), (right, left)]
            .into_iter()
            .find(|(name, value)| is_name(name) && !has_variable(value)),
        _ => None,
    }
}

fn chains((a, p): (&[Expr], &[Relation]), (b, q): (&[Expr], &[Relation]), fuel: &mut Fuel) -> Outcome {
    if a == b && p == q {
        return outcome(Finding::Equal, "identical");
    }
    match (assignment(a, p), assignment(b, q)) {
        (Some((x, v)), Some((y, w))) => {
            return if x == y { expressions(v, w, fuel) } else { UNLIKE };
        }
        // A value asked for is not given by an equation that has it as its solution.
        (Some(_), None) | (None, Some(_)) => return outcome(Finding::Different, "unsolved"),
        (None, None) => {}
    }
    if let ([name, x], [other, y], [Relation::Equal], [Relation::Equal]) = (a, b, p, q)
        && is_name(name)
        && name == other
    {
        let direct = expressions(x, y, fuel);
        if direct.is_equal() {
            return direct;
        }
    }
    if p.len() != q.len() {
        return UNLIKE;
    }
    let (x, mut y) = (links(a, p), links(b, q));
    let mut so_far = outcome(Finding::Equal, "proportional");
    for link in &x {
        let mut found = UNLIKE;
        for at in 0..y.len() {
            let Some(other) = y.get(at) else { break };
            let this = same_link(link, other, fuel);
            found = found.or(|| this);
            if this.is_equal() {
                y.swap_remove(at);
                break;
            }
        }
        so_far = so_far.and(|| found);
    }
    so_far
}

/// The relations of a chain, each as a difference that is compared with zero; none is a "greater".
fn links(sides: &[Expr], relations: &[Relation]) -> Vec<(Expr, Relation)> {
    let pairs = sides.iter().zip(sides.iter().skip(1)).zip(relations);
    pairs
        .map(|((left, right), relation)| {
            let (left, right, relation) = match relation {
                Relation::Greater | Relation::GreaterOrEqual => (right, left, relation.flipped()),
                other => (left, right, *other),
            };
            (Expr::sum(vec![left.clone(), right.clone().negated()]), relation)
        })
        .collect()
}

/// Two relations say the same when their differences are proportional, by a positive factor where the order
/// matters.
fn same_link((f, r): &(Expr, Relation), (g, s): &(Expr, Relation), fuel: &mut Fuel) -> Outcome {
    if r != s {
        return UNLIKE;
    }
    let (f, g) = (resolved(f, &Expr::integer(1), &Expr::Euler), resolved(g, &Expr::integer(1), &Expr::Euler));
    if !modular::varies(&f) || !modular::varies(&g) {
        return outcome(Finding::Unknown, "proportional");
    }
    let finding = match modular::proportional(&f, &g) {
        Finding::Unknown => numeric::proportional(&f, &g, fuel),
        decided => decided,
    };
    if finding == Finding::Equal && r.is_order() {
        let finding = match numeric::quotient_sign(&f, &g, fuel) {
            Some(Sign::Positive) => Finding::Equal,
            Some(Sign::Negative) => Finding::Different,
            None => Finding::Unknown,
        };
        return outcome(finding, "proportional");
    }
    outcome(finding, "proportional")
}

/// The interval that `x < 3` or `1 < x ≤ 2` describes.
fn interval_of(sides: &[Expr], relations: &[Relation]) -> Option<Value> {
    let round = |relation: Relation| matches!(relation, Relation::Less | Relation::Greater);
    let rising = |relation: Relation| matches!(relation, Relation::Less | Relation::LessOrEqual);
    let infinity = || Value::Expr(Expr::Infinity);
    let interval = |open: bool, low: Value, high: Value, close: bool| Value::Tuple {
        open: if open { '(' } else { '[' },
        close: if close { ')' } else { ']' },
        items: vec![low, high],
    };
    if !relations.iter().all(|relation| relation.is_order()) {
        return None;
    }
    match (sides, relations) {
        ([left, right], [relation]) => {
            let (bound, relation) = match (is_name(left), is_name(right)) {
                (true, false) => (right, *relation),
                (false, true) => (left, relation.flipped()),
                _ => return None,
            };
            let bound = Value::Expr(bound.clone());
            Some(if rising(relation) {
                interval(true, Value::Expr(Expr::Infinity.negated()), bound, round(relation))
            } else {
                interval(round(relation), bound, infinity(), true)
            })
        }
        ([low, name, high], [first, second]) if is_name(name) && rising(*first) == rising(*second) => {
            let (low, high) = (Value::Expr(low.clone()), Value::Expr(high.clone()));
            Some(if rising(*first) {
                interval(round(*first), low, high, round(*second))
            } else {
                interval(round(*second), high, low, round(*first))
            })
        }
        _ => None,
    }
}

/// The expression with a meaning for the degree and for the base of a logarithm that names none.
fn resolved(expr: &Expr, degree: &Expr, base: &Expr) -> Expr {
    expr.with_degree(degree).with_variable(UNNAMED_BASE, base)
}

/// Compares two expressions. Degrees count as numbers (90° is answered by 90) or as angles (by π/2), and a
/// logarithm without a base as natural or decimal, the same way on both sides.
pub(super) fn expressions(a: &Expr, b: &Expr, fuel: &mut Fuel) -> Outcome {
    if a == b {
        return outcome(Finding::Equal, "identical");
    }
    let either = |test: &dyn Fn(&Expr) -> bool| a.any(test) || b.any(test);
    let mut degrees = vec![Expr::integer(1)];
    if either(&|part| matches!(part, Expr::Degree)) {
        degrees.push(Expr::degree_in_radians());
    }
    let mut bases = vec![Expr::Euler];
    if either(&|part| matches!(part, Expr::Variable(name) if &**name == UNNAMED_BASE)) {
        bases.push(Expr::integer(10));
    }
    if degrees.len() == 1 && bases.len() == 1 {
        return plain(a, b, fuel);
    }
    let mut found = UNLIKE;
    for degree in &degrees {
        for base in &bases {
            found = found.or(|| plain(&resolved(a, degree, base), &resolved(b, degree, base), fuel));
        }
    }
    found
}

fn plain(a: &Expr, b: &Expr, fuel: &mut Fuel) -> Outcome {
    identity::compare(a, b, fuel)
}
