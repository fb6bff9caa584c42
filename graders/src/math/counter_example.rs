//! Where two answers differ: a point at which they have different values, for people to check.
//!
//! Small whole numbers are tried first, then the points of [`super::numeric`]. Nothing here decides anything:
//! without a point the verdict stands all the same.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use dashu::base::Sign;
use dashu::rational::RBig;

use crate::explanation::CounterExample;

use super::ball::{Arithmetic, Ball, Position};
use super::compare::resolved;
use super::exact;
use super::expr::{Domain, Expr, Relation, SetOperation, Unit, Value};
use super::identity::Fuel;
use super::numeric::Evaluator;
use super::parser::{UNNAMED_BASE, hundredths};
use super::policy::{Percent, Policy};
use super::sample::Sample;
use super::spelling;
use super::statement::is_name;

/// Significant digits of what is shown; more only where fewer would show the same on both sides.
const DIGITS: [usize; 5] = [6, 10, 18, 40, 80];
/// Bits for telling two values apart, at first.
const LOW_PRECISION: usize = 64;
/// Bits for telling two values apart.
const PRECISIONS: [usize; 2] = [LOW_PRECISION, 512];
/// Values of the first variable; each further one gets the next prime.
const PRIMES: [i64; 8] = [2, 3, 5, 7, 11, 13, 17, 19];
/// The most variables of a point.
const MAX_VARIABLES: usize = PRIMES.len();
/// The most values of one variable that are tried for relations and sets.
const MAX_CANDIDATES: usize = 200;

/// The most parts of a side that is evaluated exactly at many values.
const MAX_PARTS: usize = 128;

/// A point at which the answer differs from the reference.
pub(super) fn find(
    reference: &Value,
    answer: &Value,
    policy: &Policy,
    fuel: &mut Fuel,
) -> Option<CounterExample> {
    values(reference, answer, policy, fuel, 0)
        .or_else(|| memberships(&described(reference)?, &described(answer)?, fuel))
}

/// The deepest nesting of items that is looked into.
const MAX_DEPTH: u32 = 4;

/// A point at which the values that are stated differ.
fn values(
    reference: &Value,
    answer: &Value,
    policy: &Policy,
    fuel: &mut Fuel,
    depth: u32,
) -> Option<CounterExample> {
    if depth > MAX_DEPTH {
        return None;
    }
    match (reference, answer) {
        (Value::Expr(left), Value::Expr(right)) => apart(left, right, fuel),
        (Value::Quantity(left, unit), Value::Quantity(right, other)) => match (unit, other) {
            (Unit::Known { dimension, factor }, Unit::Known { dimension: same, factor: theirs })
                if dimension == same && factor != theirs =>
            {
                let scaled = |x: &Expr, by: &RBig| Expr::product(vec![x.clone(), Expr::Number(by.clone())]);
                apart(&scaled(left, factor), &scaled(right, theirs), fuel)
            }
            (unit, other) if unit == other => apart(left, right, fuel),
            _ => None,
        },
        (Value::Quantity(left, unit), Value::Expr(right)) => {
            apart(&measured(left, unit, policy), right, fuel)
        }
        (Value::Expr(left), Value::Quantity(right, unit)) => {
            apart(left, &measured(right, unit, policy), fuel)
        }
        (Value::Named(name, left), Value::Named(other, right)) if name == other => {
            values(left, right, policy, fuel, depth + 1)
        }
        (Value::Named(_, left), right @ (Value::Tuple { .. } | Value::Matrix(_))) => {
            values(left, right, policy, fuel, depth + 1)
        }
        (left @ (Value::Tuple { .. } | Value::Matrix(_)), Value::Named(_, right)) => {
            values(left, right, policy, fuel, depth + 1)
        }
        (
            Value::Tuple { open: '(', close: ')', items },
            Value::Tuple { open: '(', close: ')', items: others },
        ) if items.len() == others.len() => {
            items.iter().zip(others).find_map(|(left, right)| values(left, right, policy, fuel, depth + 1))
        }
        (Value::Matrix(rows), Value::Matrix(others))
            if rows.len() == others.len() && rows.iter().zip(others).all(|(x, y)| x.len() == y.len()) =>
        {
            let mut cells = rows.iter().flatten().zip(others.iter().flatten());
            cells.find_map(|(left, right)| apart(left, right, fuel))
        }
        _ => match (stated(reference)?, stated(answer)?) {
            ((Some(name), _), (Some(other), _)) if name != other => None,
            ((None, _), (None, _)) => None,
            ((_, left), (_, right)) => apart(left, right, fuel),
        },
    }
}

/// The value that `x = 3` states and the name it has, or the value alone.
fn stated(value: &Value) -> Option<(Option<&Expr>, &Expr)> {
    match value {
        Value::Expr(value) | Value::Quantity(value, _) => Some((None, value)),
        Value::Chain { sides, relations } => match (sides.as_slice(), relations.as_slice()) {
            ([name, value], [Relation::Equal]) if is_name(name) => Some((Some(name), value)),
            _ => None,
        },
        _ => None,
    }
}

/// What a measure is beside a bare number.
fn measured(value: &Expr, unit: &Unit, policy: &Policy) -> Expr {
    if *unit == Unit::Percent && policy.percent == Percent::Fraction {
        hundredths(value.clone())
    } else {
        value.clone()
    }
}

/// A point at which two expressions are certainly apart.
fn apart(a: &Expr, b: &Expr, fuel: &mut Fuel) -> Option<CounterExample> {
    let angle = a.any(&|part| matches!(part, Expr::Pi)) || b.any(&|part| matches!(part, Expr::Pi));
    let degree = if angle { Expr::degree_in_radians() } else { Expr::integer(1) };
    let (a, b) = (resolved(a, &degree, &Expr::Euler), resolved(b, &degree, &Expr::Euler));
    let mut names = BTreeSet::new();
    variables(&a, &mut names)?;
    variables(&b, &mut names)?;
    if names.len() > MAX_VARIABLES {
        return None;
    }
    let imaginary = |expr: &Expr| expr.any(&|part| matches!(part, Expr::Imaginary));
    // As everywhere, complex values count only where there are no real ones.
    let passes: &[bool] = if imaginary(&a) || imaginary(&b) { &[true] } else { &[false, true] };
    passes.iter().find_map(|complex| {
        points(&names).into_iter().find_map(|point| {
            let (x, y) = (placed(&a, &point), placed(&b, &point));
            let (x, y) = shown(&x, &y, *complex, fuel)?;
            let point = point
                .iter()
                .map(|(name, value)| Some((spelling::variable(name).0, rational(value, fuel)?)))
                .collect::<Option<_>>()?;
            Some(CounterExample { point, reference: x, answer: y })
        })
    })
}

/// Both values, if they are apart, to as many digits as show it.
fn shown(x: &Expr, y: &Expr, complex: bool, fuel: &mut Fuel) -> Option<(String, String)> {
    PRECISIONS.iter().find_map(|precision| {
        let mut arithmetic = Arithmetic::new(*precision);
        let (x, y) = (ball(x, &mut arithmetic, fuel)?, ball(y, &mut arithmetic, fuel)?);
        if !(complex || x.is_real() && y.is_real()) || arithmetic.position(&x, &y) != Position::Apart {
            return None;
        }
        let texts = DIGITS.iter().map(|digits| (x.decimal(*digits), y.decimal(*digits)));
        texts.into_iter().find(|(x, y)| x != y)
    })
}

fn ball(expr: &Expr, arithmetic: &mut Arithmetic, fuel: &mut Fuel) -> Option<Ball> {
    let sample = Sample::empty();
    Evaluator { arithmetic, sample: &sample, complex: true, fuel, kept: Vec::new() }.value(expr)
}

fn rational(value: &RBig, fuel: &mut Fuel) -> Option<String> {
    let mut arithmetic = Arithmetic::new(LOW_PRECISION);
    ball(&Expr::Number(value.clone()), &mut arithmetic, fuel).map(|ball| ball.decimal(6))
}

/// Collects the variables of an expression, if every name in it is one.
fn variables(expr: &Expr, names: &mut BTreeSet<Box<str>>) -> Option<()> {
    match expr {
        Expr::Variable(name) => {
            // Digits in a base, units and dots are no variables.
            let number = name.starts_with(|c: char| c.is_ascii_digit())
                || name.contains(|c: char| c.is_ascii_digit()) && name.starts_with(char::is_uppercase);
            if number
                || name.starts_with("\\unit")
                || &**name == UNNAMED_BASE
                || matches!(&**name, "\\left" | "…")
            {
                return None;
            }
            names.insert(name.clone());
            Some(())
        }
        Expr::Power(base, exponent) => {
            variables(base, names)?;
            variables(exponent, names)
        }
        Expr::Bound(bound) => {
            let mut inside = BTreeSet::new();
            variables(&bound.body, &mut inside)?;
            inside.remove(&bound.variable);
            names.extend(inside);
            bound.from.iter().chain(&bound.to).try_for_each(|end| variables(end, names))
        }
        other => other.children().iter().try_for_each(|part| variables(part, names)),
    }
}

type Point = BTreeMap<Box<str>, RBig>;

/// Points to look at, those that are easiest to check first.
fn points(names: &BTreeSet<Box<str>>) -> Vec<Point> {
    if names.is_empty() {
        return vec![Point::new()];
    }
    let primes = |scale: &RBig| -> Point {
        names.iter().zip(PRIMES).map(|(name, prime)| (name.clone(), RBig::from(prime) * scale)).collect()
    };
    let scales = [(1, 1_u8), (1, 8), (-1, 1), (-1, 8), (1, 30), (10, 1)];
    let nice = scales.into_iter().map(|(top, bottom)| primes(&RBig::from_parts(top.into(), bottom.into())));
    let listed: Vec<Box<str>> = names.iter().cloned().collect();
    let placed = |sample: &Sample| -> Option<Point> {
        names.iter().map(|name| Some((name.clone(), sample.get(name)?.exact.clone()))).collect()
    };
    let sampled: Vec<Point> = Sample::real(&listed).iter().filter_map(placed).collect();
    nice.chain(sampled).collect()
}

fn placed(expr: &Expr, point: &Point) -> Expr {
    point
        .iter()
        .fold(expr.clone(), |expr, (name, value)| expr.with_variable(name, &Expr::Number(value.clone())))
}

/// What describes a set of numbers, and the name that these have in it.
struct Described<'v> {
    value: &'v Value,
    name: Option<Box<str>>,
}

fn described(value: &Value) -> Option<Described<'_>> {
    let mut names = BTreeSet::new();
    let parts = Cell::new(0);
    let count = |_: &Expr| {
        parts.set(parts.get() + 1);
        parts.get() > MAX_PARTS
    };
    if let Value::Chain { sides, .. } = value
        && sides.iter().any(|side| side.any(&count))
    {
        return None;
    }
    match value {
        Value::Chain { sides, .. } => sides.iter().try_for_each(|side| variables(side, &mut names))?,
        Value::Element(element, _) | Value::Builder { element: element @ Expr::Variable(_), .. } => {
            variables(element, &mut names)?;
        }
        Value::Tuple { items, .. } if items.len() == 2 => {}
        Value::Combined(..) | Value::Set(_) | Value::Domain(_) => {}
        _ => return None,
    }
    (names.len() <= 1).then(|| Described { value, name: names.into_iter().next() })
}

/// A number that is in one of two sets.
fn memberships(a: &Described<'_>, b: &Described<'_>, fuel: &mut Fuel) -> Option<CounterExample> {
    let name = match (&a.name, &b.name) {
        (Some(x), Some(y)) if x != y => return None,
        (Some(name), _) | (_, Some(name)) => name.clone(),
        // Two intervals or sets name nothing; two points are no intervals.
        (None, None) => "x".into(),
    };
    let mut literals = BTreeSet::new();
    ends(a.value, &mut literals, 0);
    ends(b.value, &mut literals, 0);
    let around = literals.iter().flat_map(|end| {
        [(0, 1_u8), (1, 1), (-1, 1), (1, 2), (-1, 2), (1, 100), (-1, 100)]
            .map(|(top, bottom)| end + RBig::from_parts(top.into(), bottom.into()))
    });
    let whole = (0..=20).flat_map(|n| [RBig::from(n), RBig::from(-n)]);
    let halves =
        (0..=10).flat_map(|n| [1, -1].map(|sign| RBig::from_parts((sign * (2 * n + 1)).into(), 2_u8.into())));
    let candidates = around.chain(whole).chain(halves).chain([1_000, -1_000].map(RBig::from));
    candidates.take(MAX_CANDIDATES).find_map(|candidate| {
        let (x, y) =
            (holds(a.value, &name, &candidate, fuel, 0)?, holds(b.value, &name, &candidate, fuel, 0)?);
        if x == y {
            return None;
        }
        let point = BTreeMap::from([(spelling::variable(&name).0, rational(&candidate, fuel)?)]);
        Some(CounterExample { point, reference: x.to_string(), answer: y.to_string() })
    })
}

/// The numbers at which a set may end.
fn ends(value: &Value, out: &mut BTreeSet<RBig>, depth: u32) {
    let mut add = |expr: &Expr| {
        let parts = match expr {
            Expr::Sum(parts) | Expr::Product(parts) => parts.as_slice(),
            single => std::slice::from_ref(single),
        };
        out.extend(exact::value(expr).into_iter().chain(parts.iter().filter_map(exact::value)));
    };
    match value {
        Value::Expr(expr) => add(expr),
        Value::Chain { sides, .. } => sides.iter().for_each(add),
        Value::Tuple { items, .. } | Value::Set(items) | Value::Combined(_, items) if depth <= MAX_DEPTH => {
            for item in items {
                ends(item, out, depth + 1);
            }
        }
        Value::Element(_, set) if depth <= MAX_DEPTH => ends(set, out, depth + 1),
        Value::Builder { conditions, .. } if depth <= MAX_DEPTH => {
            for condition in conditions {
                ends(condition, out, depth + 1);
            }
        }
        _ => {}
    }
}

/// Whether a number is in a set, or satisfies a relation, if that is certain.
fn holds(value: &Value, name: &str, at: &RBig, fuel: &mut Fuel, depth: u32) -> Option<bool> {
    if depth > MAX_DEPTH {
        return None;
    }
    let number = Expr::Number(at.clone());
    match value {
        Value::Chain { sides, relations } => {
            let sides: Vec<Expr> = sides.iter().map(|side| side.with_variable(name, &number)).collect();
            let links = sides.iter().zip(sides.iter().skip(1)).zip(relations);
            all(links.map(|((left, right), relation)| related(left, *relation, right, fuel)))
        }
        Value::Tuple { open, close, items } => {
            let [Value::Expr(low), Value::Expr(high)] = items.as_slice() else { return None };
            let from = if *open == '[' { Relation::LessOrEqual } else { Relation::Less };
            let to = if *close == ']' { Relation::LessOrEqual } else { Relation::Less };
            let above = *low == Expr::Infinity.negated() || related(low, from, &number, fuel)?;
            let below = *high == Expr::Infinity || related(&number, to, high, fuel)?;
            Some(above && below)
        }
        Value::Set(items) => {
            let mut found = Some(false);
            for item in items {
                let Value::Expr(item) = item else { return None };
                match related(&number, Relation::Equal, item, fuel) {
                    Some(true) => return Some(true),
                    Some(false) => {}
                    None => found = None,
                }
            }
            found
        }
        Value::Combined(operation, parts) => {
            let parts: Option<Vec<bool>> =
                parts.iter().map(|part| holds(part, name, at, fuel, depth + 1)).collect();
            let parts = parts?;
            Some(match operation {
                SetOperation::Union => parts.contains(&true),
                SetOperation::Intersection => !parts.contains(&false),
                SetOperation::Difference => {
                    let (first, rest) = parts.split_first()?;
                    *first && !rest.contains(&true)
                }
            })
        }
        Value::Domain(Domain::Reals | Domain::Complexes | Domain::Rationals) => Some(true),
        Value::Domain(Domain::Integers) => Some(at.is_int()),
        Value::Element(element, set) if is_name(element) => holds(set, name, at, fuel, depth + 1),
        Value::Builder { conditions, .. } => {
            all(conditions.iter().map(|condition| holds(condition, name, at, fuel, depth + 1)))
        }
        _ => None,
    }
}

fn all(mut parts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    parts.try_fold(true, |so_far, part| part.map(|part| so_far && part))
}

/// Whether two constants are so related.
fn related(left: &Expr, relation: Relation, right: &Expr, fuel: &mut Fuel) -> Option<bool> {
    let difference = Expr::sum(vec![left.clone(), right.clone().negated()]);
    let sign = match exact::value(&difference) {
        Some(zero) if zero.is_zero() => None,
        Some(value) => Some(value.numerator().sign()),
        // A value that may be zero is not certain.
        None => Some(ball(&difference, &mut Arithmetic::new(LOW_PRECISION), fuel)?.sign()?),
    };
    Some(match relation {
        Relation::Equal => sign.is_none(),
        Relation::NotEqual => sign.is_some(),
        Relation::Less => sign == Some(Sign::Negative),
        Relation::LessOrEqual => sign != Some(Sign::Positive),
        Relation::Greater => sign == Some(Sign::Positive),
        Relation::GreaterOrEqual => sign != Some(Sign::Negative),
        Relation::Named(..) => return None,
    })
}
