//! Equations, inequalities and the sets they describe.

#![expect(clippy::many_single_char_names, reason = "two of everything, named as in a formula")]

use dashu::base::Sign;

use super::compare::{Context, Outcome, UNLIKE, expressions, matched, outcome, resolved};
use super::expr::{Expr, Relation, Value};
use super::identity;
use super::modular::{self, Finding};
use super::policy::Assignment;
use super::statement::is_name;
use super::symbols::APPROXIMATELY;

/// `(x, y) = (1, 2)` as the equations it stands for.
pub(super) fn spelled_out(name: &Value, value: &Value) -> Option<Vec<Value>> {
    let (Value::Tuple { items: names, .. }, Value::Tuple { items, .. }) = (name, value) else { return None };
    if names.len() != items.len() {
        return None;
    }
    let pairs = names.iter().zip(items).map(|(name, item)| match (name, item) {
        (Value::Expr(name), Value::Expr(item)) => {
            Some(Value::Chain { sides: vec![name.clone(), item.clone()], relations: vec![Relation::Equal] })
        }
        _ => None,
    });
    pairs.collect()
}

fn has_variable(expr: &Expr) -> bool {
    expr.any(&|part| matches!(part, Expr::Variable(_) | Expr::Apply(..)))
}

/// The expressions that a chain states as the value of something: `x = 3`, `a + b = 7 = 4 + 3`, `3 + 4 = 7`.
pub(super) fn stated(sides: &[Expr], relations: &[Relation], cx: &Context<'_>) -> Option<Vec<Expr>> {
    if cx.policy.assignment == Assignment::Required {
        return None;
    }
    if relations.iter().any(|relation| *relation != Relation::Equal && *relation != APPROXIMATELY) {
        return None;
    }
    match sides {
        [name, rest @ ..] | [rest @ .., name] if is_name(name) => {
            // Of `x = y = 3` both names have the value.
            let values: Vec<Expr> = rest.iter().filter(|side| !is_name(side)).cloned().collect();
            Some(if values.is_empty() { rest.to_vec() } else { values })
        }
        // A computation that is written out, and its result.
        all if all.iter().all(|side| !has_variable(side)) => Some(all.to_vec()),
        _ => None,
    }
}

/// A name and its constant value, if the chain says only that.
fn assignment<'a>(sides: &'a [Expr], relations: &[Relation]) -> Option<(&'a Expr, &'a Expr)> {
    match (sides, relations) {
        ([left, right], [Relation::Equal | APPROXIMATELY]) => [(left, right), (right, left)]
            .into_iter()
            .find(|(name, value)| is_name(name) && !has_variable(value)),
        _ => None,
    }
}

/// Whether a value is stated, and not only described by an equation.
pub(super) fn is_solved(value: &Value) -> bool {
    match value {
        Value::Chain { sides, relations } => {
            if relations.iter().all(|relation| relation.is_order() || *relation == Relation::NotEqual) {
                sides.iter().all(|side| is_name(side) || !has_variable(side))
            } else {
                assignment(sides, relations).is_some()
            }
        }
        Value::List(items, _) | Value::System(items) | Value::Set(items) => items.iter().all(is_solved),
        Value::Element(_, set) => is_solved(set),
        Value::Builder { conditions, .. } => conditions.iter().all(is_solved),
        Value::Named(_, value) => is_solved(value),
        _ => true,
    }
}

/// Whether an answer restates a problem where the reference has its solution. An inequality may keep a factor.
pub(super) fn restates(answer: &Value) -> bool {
    match answer {
        Value::Chain { sides, relations } => {
            let order =
                relations.iter().all(|relation| relation.is_order() || *relation == Relation::NotEqual);
            if order {
                return !sides.iter().all(is_simple);
            }
            // `y = x + 1` is solved for y.
            let explicit = match sides.as_slice() {
                [name, rest @ ..] if is_name(name) => !rest.iter().any(|side| side.any(&|part| part == name)),
                _ => false,
            };
            !explicit && !is_solved(answer)
        }
        Value::List(items, _) | Value::System(items) | Value::Set(items) => items.iter().any(restates),
        Value::Builder { conditions, .. } => conditions.iter().any(restates),
        Value::Element(_, set) => restates(set),
        _ => false,
    }
}

/// A constant, a name, or a name with a constant factor, also between bars.
fn is_simple(side: &Expr) -> bool {
    match side {
        _ if is_name(side) || !has_variable(side) => true,
        Expr::Product(factors) => {
            let open: Vec<&Expr> = factors.iter().filter(|factor| has_variable(factor)).collect();
            matches!(open.as_slice(), [only] if is_name(only))
        }
        Expr::Call(super::expr::Function::Abs, parts) => parts.iter().all(is_simple),
        _ => false,
    }
}

pub(super) fn chains(
    (a, p): (&[Expr], &[Relation]),
    (b, q): (&[Expr], &[Relation]),
    cx: &mut Context<'_>,
) -> Outcome {
    if let (Some((x, v)), Some((y, w))) = (assignment(a, p), assignment(b, q)) {
        let names = cx.policy.assignment == Assignment::Ignored || x == y;
        return if names { expressions(v, w, cx) } else { UNLIKE };
    }
    if let ([name, x], [other, y], [Relation::Equal], [Relation::Equal]) = (a, b, p, q)
        && is_name(name)
    {
        let y = renamed(name, other, y);
        if let Some(y) = y {
            let direct = expressions(x, &y, cx);
            let mentions = |side: &Expr| side.any(&|part| part == name);
            if direct.is_equal() || !(mentions(x) || mentions(&y)) {
                return direct;
            }
        }
    }
    if p.len() != q.len() {
        return by_value((a, p), (b, q), cx);
    }
    let (x, mut y) = (links(a, p), links(b, q));
    let mut so_far = outcome(Finding::Equal, "proportional");
    for link in &x {
        let mut found = UNLIKE;
        for at in 0..y.len() {
            let Some(other) = y.get(at) else { break };
            let this = same_link(link, other, cx);
            found = found.or(|| this);
            if this.is_equal() {
                y.swap_remove(at);
                break;
            }
        }
        so_far = so_far.and(|| found);
    }
    if so_far.is_equal() { so_far } else { so_far.or(|| by_value((a, p), (b, q), cx)) }
}

/// The right side of a definition with its argument renamed: `f(t) = 2t` defines what `f(x) = 2x` does.
fn renamed(name: &Expr, other: &Expr, body: &Expr) -> Option<Expr> {
    if name == other {
        return Some(body.clone());
    }
    match (name, other) {
        (Expr::Apply(f, x), Expr::Apply(g, y)) if f == g => match (x.as_slice(), y.as_slice()) {
            ([Expr::Variable(_)], [Expr::Variable(old)]) => {
                // A letter that stands for something else in the body must not be caught.
                let new = x.first()?;
                (!body.any(&|part| part == new)).then(|| body.with_variable(old, new))
            }
            _ => None,
        },
        _ => None,
    }
}

/// Chains of equations that write out a computation: all sides of one are sides of the other.
fn by_value((a, p): (&[Expr], &[Relation]), (b, q): (&[Expr], &[Relation]), cx: &mut Context<'_>) -> Outcome {
    if p.iter().chain(q).any(|relation| *relation != Relation::Equal) || a.is_empty() || b.is_empty() {
        return UNLIKE;
    }
    let as_values = |sides: &[Expr]| sides.iter().cloned().map(Value::Expr).collect::<Vec<_>>();
    let (x, y) = (as_values(a), as_values(b));
    if x.len() == y.len() { matched(&x, &y, cx) } else { UNLIKE }
}

/// The relations of a chain, each as a difference that is compared with zero; none is a "greater".
fn links(sides: &[Expr], relations: &[Relation]) -> Vec<(Expr, Expr, Relation)> {
    let pairs = sides.iter().zip(sides.iter().skip(1)).zip(relations);
    pairs
        .map(|((left, right), relation)| match relation {
            Relation::Greater | Relation::GreaterOrEqual => (right.clone(), left.clone(), relation.flipped()),
            other => (left.clone(), right.clone(), *other),
        })
        .collect()
}

/// Two relations say the same when their differences are proportional, by a positive factor where the order
/// matters.
fn same_link(
    (a, b, r): &(Expr, Expr, Relation),
    (c, d, s): &(Expr, Expr, Relation),
    cx: &mut Context<'_>,
) -> Outcome {
    if r != s {
        return UNLIKE;
    }
    if let Relation::Named(_, both_ways) = r {
        let mut sides = |x: &Expr, y: &Expr| expressions(a, x, cx).and(|| expressions(b, y, cx));
        let straight = sides(c, d);
        return if *both_ways { straight.or(|| sides(d, c)) } else { straight };
    }
    let difference = |left: &Expr, right: &Expr| {
        let difference = Expr::sum(vec![left.clone(), right.clone().negated()]);
        resolved(&difference, &Expr::integer(1), &Expr::Euler)
    };
    let (f, g) = (difference(a, b), difference(c, d));
    if !modular::varies(&f) || !modular::varies(&g) {
        return outcome(Finding::Unknown, "proportional");
    }
    let finding = identity::proportional(&f, &g, &mut cx.fuel);
    if finding == Finding::Equal && r.is_order() {
        let finding = match identity::quotient_sign(&f, &g, &mut cx.fuel) {
            Some(Sign::Positive) => Finding::Equal,
            Some(Sign::Negative) => Finding::Different,
            None => Finding::Unknown,
        };
        return outcome(finding, "proportional");
    }
    outcome(finding, "proportional")
}
