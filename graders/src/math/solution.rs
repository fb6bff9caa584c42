//! Answers that describe sets: equations, inequalities, systems, intervals, unions, set builders.
//!
//! Two of them are equal when they have the same solutions in the same variables over the real numbers. The
//! letter of a set, or of an inequality against an interval, does not matter. In order:
//!
//! 1. equations by their zero sets ([`equation`]), over the complex numbers too: `x² + 1 = 0` is not `x² +
//!    2 = 0` although neither has a real solution;
//! 2. conditions on one variable as unions of points and intervals with exact ends ([`real`]);
//! 3. linear systems by their reduced echelon form, lists of points by their points;
//! 4. other conditions part by part: the same relations up to factors, in any order;
//! 5. a point at which one side certainly holds and the other certainly fails proves a difference.
//!
//! What none of them shows is unknown. Conventions: a fraction's equation counts as its numerator's; in a
//! list with commas inequalities hold together and solutions are alternatives; whether 0 is a natural
//! number must not matter; two conditions on one variable that nothing satisfies are only equal if they are
//! proportional.

mod condition;
mod congruence;
mod equation;
mod number;
#[cfg(test)]
mod random;
mod real;
mod relation;
mod statement;
mod step;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use super::compare::{Outcome, is_degree, is_unnamed_base, meanings};
use super::expr::{Domain, Expr, Value};
use super::identity::Fuel;
use super::modular::Finding;
use super::parser::UNNAMED_BASE;
use super::polynomial::Work;
use condition::{Condition, Description, Reader, element, variables};
use number::Judge;

/// The steps of exact algebra in one comparison, in units of roughly a microsecond.
const WORK: u32 = 5_000;

/// Compares two answers that describe sets or conditions. `None` when one of them does not, or when both are
/// sets of which nothing could be found, which may still be compared item by item.
pub(super) fn compare(a: &Value, b: &Value, fuel: &mut Fuel) -> Option<Outcome> {
    if let Some(outcome) = congruence::compare(a, b) {
        return Some(outcome);
    }
    let mut judge = Judge::new(fuel, Work::new(WORK));
    let a = Reader::new(&mut judge).description(a)?;
    let b = Reader::new(&mut judge).description(b)?;
    let (a, b, sets) = match (a, b) {
        (Description::Condition(a), Description::Condition(b)) => (a, b, false),
        (Description::Set(a), Description::Set(b)) => (a, b, true),
        (Description::Set(set), Description::Condition(condition)) => {
            let condition = anonymous(&condition.simplified(), &set)?;
            (set, condition, false)
        }
        (Description::Condition(condition), Description::Set(set)) => {
            let condition = anonymous(&condition.simplified(), &set)?;
            (condition, set, false)
        }
    };
    let outcome = conditions(&a, &b, &mut judge);
    (!sets || outcome.finding != Finding::Unknown).then_some(outcome)
}

/// The condition with its subject as the element of a set: its only variable that the set does not have, or
/// the only value of a function that it speaks of.
fn anonymous(condition: &Condition, set: &Condition) -> Option<Condition> {
    let mut names = condition.variables();
    for name in set.variables() {
        names.remove(&name);
    }
    let mut applied: Option<Expr> = None;
    let mut several = false;
    condition.each(&mut |expr| {
        collect_applied(expr, &mut applied, &mut several);
    });
    if let Some(applied) = applied.filter(|_| !several) {
        let inner = variables(&applied);
        let replaced = condition.map(&|expr| replaced(expr, &applied, &element()));
        let left = replaced.variables();
        return inner.iter().all(|name| !left.contains(name)).then_some(replaced);
    }
    let mut names = names.into_iter();
    match (names.next(), names.next()) {
        (Some(name), None) => Some(condition.map(&|expr| expr.with_variable(&name, &element()))),
        // `5 = 5` and the like speak of nothing.
        _ => None,
    }
}

fn collect_applied(expr: &Expr, found: &mut Option<Expr>, several: &mut bool) {
    match expr {
        Expr::Apply(..) => match found {
            Some(known) => *several |= known != expr,
            None => *found = Some(expr.clone()),
        },
        Expr::Power(base, exponent) => {
            collect_applied(base, found, several);
            collect_applied(exponent, found, several);
        }
        other => other.children().iter().for_each(|part| collect_applied(part, found, several)),
    }
}

/// The expression with every occurrence of a part replaced.
fn replaced(expr: &Expr, what: &Expr, by: &Expr) -> Expr {
    let all = |parts: &[Expr]| parts.iter().map(|part| replaced(part, what, by)).collect();
    match expr {
        same if same == what => by.clone(),
        Expr::Sum(parts) => Expr::Sum(all(parts)),
        Expr::Product(parts) => Expr::Product(all(parts)),
        Expr::Power(base, exponent) => {
            Expr::Power(Box::new(replaced(base, what, by)), Box::new(replaced(exponent, what, by)))
        }
        Expr::Root(degree, inner) => Expr::Root(*degree, Box::new(replaced(inner, what, by))),
        Expr::Call(function, parts) => Expr::Call(*function, all(parts)),
        other => other.clone(),
    }
}

/// Compares under each meaning of a degree and of a logarithm without a base, the same on both sides.
fn conditions(a: &Condition, b: &Condition, judge: &mut Judge<'_>) -> Outcome {
    if a == b {
        return Outcome { finding: Finding::Equal, method: "identical" };
    }
    let degree = a.any(&is_degree) || b.any(&is_degree);
    let (degrees, bases) = meanings(degree, a.any(&is_unnamed_base) || b.any(&is_unnamed_base));
    let mut found: Option<Outcome> = None;
    for degree in &degrees {
        for base in &bases {
            let plain = |side: &Condition| {
                side.map(&|expr| expr.with_degree(degree).with_variable(UNNAMED_BASE, base)).simplified()
            };
            let outcome = natural(&plain(a), &plain(b), judge);
            if outcome.finding == Finding::Equal {
                return outcome;
            }
            if found.is_none_or(|found| found.finding == Finding::Different) {
                found = Some(outcome);
            }
        }
    }
    found.unwrap_or(Outcome { finding: Finding::Unknown, method: "solution set" })
}

/// Compares with 0 and without it among the natural numbers; the two must agree.
fn natural(a: &Condition, b: &Condition, judge: &mut Judge<'_>) -> Outcome {
    let without = statement::compare(a, b, 1, judge);
    if !a.names(Domain::Naturals) && !b.names(Domain::Naturals) {
        return without;
    }
    let with = statement::compare(a, b, 0, judge);
    if with.finding == without.finding { with } else { Outcome { finding: Finding::Unknown, ..with } }
}

/// The names that occur in either.
fn all_names(a: &Condition, b: &Condition) -> BTreeSet<Box<str>> {
    a.variables().union(&b.variables()).cloned().collect()
}
